// Operators that broadcast: the `broadcast` and `axis` attributes before opset 7, NumPy's rule from
// then on [Broadcasting.md].

#include <algorithm>
#include <cmath>

#include "adapters/any_rank.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// B as a block of A's shape: gives its first axis in A, and the axes of B to squeeze away.
struct Block {
  std::int64_t axis = 0;
  Ints squeezed;
};
std::optional<Block> block_of(const Shape& a, const Shape& b) {
  if (b.size() > a.size()) return std::nullopt;
  std::size_t lead = 0;
  std::size_t end = b.size();
  const std::size_t offset = a.size() - b.size();
  // A one that meets a one of A belongs to the block; any other is stretched.
  const auto stretched = [&](std::size_t i) { return b[i].value == 1 && a[offset + i].value != 1; };
  while (lead < end && stretched(lead)) ++lead;
  while (end > lead && stretched(end - 1)) --end;
  Block block;
  block.axis = static_cast<std::int64_t>(offset + lead);
  for (std::size_t i = lead; i < end; ++i) {
    if (!same_dim(b[i], a[offset + i])) return std::nullopt;
  }
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (i < lead || i >= end) block.squeezed.push_back(static_cast<std::int64_t>(i));
  }
  return block;
}

std::string_view mirrored(std::string_view op) {
  if (op == "Greater") return "Less";
  if (op == "Less") return "Greater";
  for (const std::string_view commutes : {"Add", "Mul", "And", "Or", "Xor", "Equal"}) {
    if (op == commutes) return op;
  }
  return {};
}

void legacy_down(NodeEdit& e) {
  const Shape* a = shape_known(e, 0);
  const Shape* b = shape_known(e, 1);
  if (a == nullptr || b == nullptr) {
    e.set_inputs(stretched_alike(e, e.inputs()));
    return;
  }
  if (same_shape(*a, *b)) return;
  const auto one_sided = [&](const Shape& big, const Shape& small, int small_input) {
    if (single_element(small) && small.size() <= big.size()) {
      e.set({"broadcast", 1});
      return true;
    }
    const auto block = block_of(big, small);
    if (!block) return false;
    if (!block->squeezed.empty()) {
      e.set_input(small_input, squeeze(e, e.input(small_input), block->squeezed));
    }
    e.set({"broadcast", 1});
    e.set({"axis", block->axis});
    return true;
  };
  if (one_sided(*a, *b, 1)) return;
  const std::string_view other = mirrored(e.op());
  if (!other.empty() && one_sided(*b, *a, 0)) {
    e.set_inputs({e.input(1), e.input(0)});
    if (other != e.op()) e.become(other, e.to());
    return;
  }
  e.set_inputs(stretched_alike(e, e.inputs()));
}

/// [Sum-8] and its like broadcast; before, all inputs have one shape.
void variadic_down(NodeEdit& e) {
  bool equal = true;
  const Shape* first = shape_known(e, 0);
  for (int i = 1; i < e.input_count(); ++i) {
    const Shape* other = shape_known(e, i);
    equal = equal && first != nullptr && other != nullptr && same_shape(*first, *other);
  }
  if (equal) return;
  if (e.op() == "Sum" || e.op() == "Mean") {
    const DataType type = e.need_dtype(0);
    if (e.refused()) return;
    // 16 bits between two additions lose what one operator keeps.
    const DataType work = type == DataType::float16 ? DataType::float32 : type;
    Value sum = cast(e, e.input(0), work);
    for (int i = 1; i < e.input_count(); ++i) {
      sum = binary(e, "Add", sum, cast(e, e.input(i), work));
    }
    if (e.op() == "Mean") {
      e.rounds();
      sum = binary(e, "Div", sum, e.number(e.input_count(), work, "count"));
    }
    return e.replace({cast(e, sum, type)});
  }
  e.set_inputs(stretched_alike(e, e.inputs()));
}

/// [PRelu-6] the slope is one element or runs along axis 1; [PRelu-7] it broadcasts to X.
void prelu_up(NodeEdit& e) {
  const auto rank = e.rank(0);
  if (const Shape* slope = shape_known(e, 1); slope != nullptr && single_element(*slope)) {
    // It must not have more dims than X.
    const bool fits = rank && static_cast<std::size_t>(*rank) >= slope->size();
    if (!fits && !slope->empty()) e.set_input(1, reshape(e, e.input(1), Ints{}));
    return;
  }
  if (rank) {
    Ints trailing;
    for (std::int64_t i = 1; i < *rank - 1; ++i) trailing.push_back(i);
    if (!trailing.empty()) e.set_input(1, unsqueeze(e, e.input(1), trailing));
    return;
  }
  const Value trailing = ones(e, binary(e, "Sub", rank_of(e, e.input(0)), e.scalar(2)));
  Value channels = e.ints({-1});
  if (!e.shape(1)) {
    // Beside a scalar X a slope of one element is a scalar too.
    const Value first = dims_of(e, e.input(0), 0, 1);
    channels = binary(e, "Sub", binary(e, "Sub", first, first), e.scalar(1));
  }
  e.set_input(1, reshape(e, e.input(1), concat(e, {channels, trailing}, 0)));
}

void prelu_down(NodeEdit& e) {
  const auto slope = e.shape(1);
  const auto rank = e.rank(0);
  const std::int64_t count = slope ? elements_of(*slope).value_or(-1) : -1;  // -1: not known
  if (count == 1) {
    if (slope->size() != 1) e.set_input(1, reshape(e, e.input(1), Ints{1}));
    return;
  }
  if (count >= 0 && rank) {
    // [C,1,…,1] aligned with axis 1.
    const auto at = static_cast<std::int64_t>(slope->size()) - (*rank - 1);
    const bool channel = count > 0 && at >= 0 && at < static_cast<std::int64_t>(slope->size()) &&
                         (*slope)[static_cast<std::size_t>(at)] == count;
    if (channel) {
      if (slope->size() != 1) e.set_input(1, reshape(e, e.input(1), Ints{count}));
      return;
    }
  }
  const auto dims = e.shape(0);
  const bool empty = dims && std::ranges::find(*dims, 0) != dims->end();
  if (empty || count == 0) return e.replace({e.input(0)});
  const auto elements = dims ? elements_of(*dims) : std::nullopt;
  if (slope && elements) {
    // Every element as a channel of its own.
    const Value each = reshape(e, tile_to(e, e.input(1), *slope, *dims), Ints{*elements});
    const Value flat = reshape(e, e.input(0), Ints{1, *elements});
    return e.replace({reshape(e, e.emit_in({}, 6, "PRelu", {flat, each}, 1, {}).front(), *dims)});
  }
  if (e.target() >= 6) {
    const DataType type = e.need_dtype(0);
    if (e.refused()) return;
    const Value x = e.input(0);
    const Value below = binary(e, "Less", x, e.number(0, type, "zero"));
    return e.replace({where(e, below, binary(e, "Mul", e.input(1), x), x)});
  }
  const auto known = e.constant(1);
  const auto values = known ? known->doubles() : std::nullopt;
  if (!values || !std::ranges::all_of(*values, [](double v) { return std::isfinite(v); })) {
    return e.refuse("its slope is not known, nor are the dimensions of its input",
                    "declare the shapes of the graph's inputs");
  }
  // Relu(x) - slope * Relu(-x)
  e.rounds("zeros may change their sign");
  const Value negative = unary(e, "Relu", unary(e, "Neg", e.input(0)));
  e.replace(
      {binary(e, "Sub", unary(e, "Relu", e.input(0)), binary(e, "Mul", e.input(1), negative))});
}

}  // namespace

void register_broadcast(Registry& t) {
  for (const std::string_view op : {"Add", "Sub", "Mul", "Div"}) {
    t.at(op, 6, 7).up(align_as_numpy).down(legacy_down);
  }
  for (const std::string_view op : {"Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"}) {
    t.at(op, 1, 7).up(align_as_numpy).down(legacy_down);
  }
  for (const std::string_view op : {"Max", "Min", "Mean", "Sum"}) {
    t.at(op, 6, 8).down(variadic_down);
  }
  t.at("PRelu", 6, 7).up(prelu_up).down(prelu_down);
}

}  // namespace onnxcompat::adapters
