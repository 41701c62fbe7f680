#include "adapters/emitted_types.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "versiontable/schema.h"

namespace onnxcompat::adapters {
namespace {

constexpr std::array kSameShape = {"Abs",
                                   "Cast",
                                   "Ceil",
                                   "Clip",
                                   "Elu",
                                   "Erf",
                                   "Exp",
                                   "Floor",
                                   "HardSigmoid",
                                   "Identity",
                                   "IsInf",
                                   "IsNaN",
                                   "Log",
                                   "LogSoftmax",
                                   "Neg",
                                   "Not",
                                   "Reciprocal",
                                   "Relu",
                                   "Round",
                                   "Sigmoid",
                                   "Sign",
                                   "Softmax",
                                   "Softplus",
                                   "Sqrt",
                                   "Tanh",
                                   "Swish",
                                   "ScatterElements",
                                   "Scatter",
                                   "DequantizeLinear",
                                   "QuantizeLinear"};
constexpr std::array kBroadcast = {
    "Add", "And", "Div", "Equal", "Greater", "Less",           "Max",        "Min", "Mod", "Mul",
    "Or",  "Pow", "Sub", "Where", "Xor",     "GreaterOrEqual", "LessOrEqual"};

template <std::size_t N>
bool is_one_of(std::string_view op, const std::array<const char*, N>& names) {
  return std::find(names.begin(), names.end(), op) != names.end();
}

const ValueType* known_input(const Emitter& emitter, const NodeView& node, int i) {
  return node.has_input(i) ? emitter.type(node.inputs()[i]) : nullptr;
}

/// NumPy broadcasting of what is known; a dimension stays unknown unless both sides tell.
void broadcast_with(Shape& result, const Shape& other) {
  if (other.size() > result.size()) {
    result.insert(result.begin(), other.size() - result.size(), Dim{1, {}});
  }
  for (std::size_t k = 0; k < other.size(); ++k) {
    Dim& mine = result[result.size() - 1 - k];
    const Dim& theirs = other[other.size() - 1 - k];
    if (theirs.value == 1 || mine == theirs) continue;
    if (mine.value == 1) {
      mine = theirs;
    } else if (!mine.known()) {
      // A size other than 1 wins over an unknown one, which must be 1 or the same.
      mine = theirs.known() ? theirs : Dim{};
    }
  }
}

/// A node whose output shapes are asked for.
struct Asked {
  const Emitter& emitter;
  const NodeView& node;

  const Shape* shape(int i) const {
    const ValueType* known = known_input(emitter, node, i);
    return known != nullptr && known->shape ? &*known->shape : nullptr;
  }
  std::optional<Ints> ints(int i) const {
    return node.has_input(i) ? emitter.ints_of(node.inputs()[i]) : std::nullopt;
  }
  /// What is an attribute in older versions and input `i` in newer ones; `absent` where it is
  /// neither.
  std::optional<Ints> ints(std::string_view name, int i, std::optional<Ints> absent) const {
    if (const auto given = node.attribute(name))
      return Ints(given->ints().begin(), given->ints().end());
    return node.has_input(i) ? ints(i) : std::move(absent);
  }
  /// How many elements input `i`, a vector, has.
  std::optional<std::size_t> length(int i) const {
    const Shape* own = shape(i);
    if (own == nullptr || own->size() != 1 || !own->front().known()) return std::nullopt;
    return static_cast<std::size_t>(*own->front().value);
  }
};

using MaybeShape = std::optional<Shape>;

MaybeShape of_rank(std::optional<std::size_t> rank) {
  return rank ? MaybeShape(*rank) : std::nullopt;
}

std::optional<std::size_t> place_of(std::int64_t axis, std::size_t rank) {
  const auto all = static_cast<std::int64_t>(rank);
  if (axis < 0) axis += all;
  return axis >= 0 && axis < all ? std::optional(static_cast<std::size_t>(axis)) : std::nullopt;
}

MaybeShape of_dims(const Ints& dims) {
  Shape shape(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] >= 0) shape[i].value = dims[i];
  }
  return shape;
}

/// The product of dims; unknown if one of them is, or is none, or it is beyond measure.
Dim product_of(std::span<const Dim> dims) {
  Dim all{1, {}};
  for (const Dim& dim : dims) {
    std::int64_t grown = 0;
    if (!dim.known() || *dim.value < 0 || __builtin_mul_overflow(*all.value, *dim.value, &grown)) {
      return {};
    }
    all.value = grown;
  }
  return all;
}

/// A dim and so many more, or fewer; unknown if it is, or the sum is no dim.
Dim sum_of(const Dim& dim, std::int64_t more) {
  std::int64_t sum = 0;
  if (!dim.known() || __builtin_add_overflow(*dim.value, more, &sum) || sum < 0) return {};
  return Dim{sum, {}};
}

MaybeShape broadcast(const Asked& asked) {
  Shape result;
  for (int i = 0; i < asked.node.inputs().size(); ++i) {
    const Shape* other = asked.shape(i);
    if (other == nullptr) return std::nullopt;
    if (i == 0) {
      result = *other;
    } else {
      broadcast_with(result, *other);
    }
  }
  return result;
}

MaybeShape same(const Asked& asked) {
  const Shape* x = asked.shape(0);
  return x != nullptr ? MaybeShape(*x) : std::nullopt;
}

MaybeShape shape_op(const Asked& asked) {
  const Shape* x = asked.shape(0);
  return x != nullptr ? MaybeShape(Shape{Dim{static_cast<std::int64_t>(x->size()), {}}})
                      : of_rank(1);
}

MaybeShape constant_of_shape(const Asked& asked) {
  const auto dims = asked.ints(0);
  return dims ? of_dims(*dims) : of_rank(asked.length(0));
}

MaybeShape expand(const Asked& asked) {
  const auto dims = asked.ints(1);
  const Shape* x = asked.shape(0);
  if (x == nullptr) return std::nullopt;
  if (!dims) {
    const auto length = asked.length(1);
    return length ? of_rank(std::max(*length, x->size())) : std::nullopt;
  }
  Shape result = *x;
  broadcast_with(result, *of_dims(*dims));
  return result;
}

MaybeShape reshape(const Asked& asked) {
  const auto dims = asked.ints(1);
  if (!dims) return of_rank(asked.length(1));
  const Shape* x = asked.shape(0);
  // Without allowzero a 0 copies the dim.
  const bool zeros = asked.node.int_or("allowzero", 0) != 0;
  Shape shape(dims->size());
  Dim rest = x != nullptr ? product_of(*x) : Dim{};
  for (std::size_t i = 0; i < dims->size(); ++i) {
    if ((*dims)[i] > 0) shape[i].value = (*dims)[i];
    if ((*dims)[i] == 0 && zeros) {
      shape[i].value = 0;
    } else if ((*dims)[i] == 0 && x != nullptr && i < x->size()) {
      shape[i] = (*x)[i];
    }
    if (rest.known() && shape[i].value.value_or(0) > 0)
      rest = Dim{*rest.value / *shape[i].value, {}};
  }
  for (std::size_t i = 0; i < dims->size(); ++i) {
    if ((*dims)[i] == -1) shape[i] = rest;
  }
  return shape;
}

MaybeShape flatten(const Asked& asked) {
  const Shape* x = asked.shape(0);
  const std::int64_t axis = asked.node.int_or("axis", 1);
  if (x == nullptr || axis > static_cast<std::int64_t>(x->size())) return of_rank(2);
  const auto split = axis < 0 ? place_of(axis, x->size()) : static_cast<std::size_t>(axis);
  if (!split) return of_rank(2);
  const std::span<const Dim> dims(*x);
  return Shape{product_of(dims.first(*split)), product_of(dims.subspan(*split))};
}

MaybeShape transpose(const Asked& asked) {
  const Shape* x = asked.shape(0);
  if (x == nullptr) return std::nullopt;
  const std::size_t rank = x->size();
  const auto perm = asked.node.attribute("perm");
  Shape shape(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t from =
        perm && i < perm->ints().size() ? perm->ints()[i] : static_cast<std::int64_t>(rank - 1 - i);
    if (from >= 0 && from < static_cast<std::int64_t>(rank)) {
      shape[i] = (*x)[static_cast<std::size_t>(from)];
    }
  }
  return shape;
}

/// Unsqueeze and Squeeze.
MaybeShape with_axes_of_one(const Asked& asked) {
  const Shape* x = asked.shape(0);
  if (x == nullptr) return std::nullopt;
  const bool adds = asked.node.op_type() == "Unsqueeze";
  const auto axes = asked.ints("axes", 1, std::nullopt);
  if (!axes || (!adds && axes->size() > x->size())) return std::nullopt;
  const std::size_t all = adds ? x->size() + axes->size() : x->size();
  std::vector<bool> named(all);
  for (const std::int64_t axis : *axes) {
    const auto place = place_of(axis, all);
    if (!place) return std::nullopt;
    named[*place] = true;
  }
  Shape shape;
  std::size_t own = 0;
  for (std::size_t i = 0; i < all; ++i) {
    if (adds) {
      shape.push_back(named[i] || own == x->size() ? Dim{1, {}} : (*x)[own++]);
    } else if (!named[i]) {
      shape.push_back((*x)[i]);
    }
  }
  return shape;
}

MaybeShape gather(const Asked& asked) {
  const Shape* x = asked.shape(0);
  const Shape* indices = asked.shape(1);
  if (x == nullptr || indices == nullptr) return std::nullopt;
  const auto axis = place_of(asked.node.int_or("axis", 0), x->size());
  if (!axis) return std::nullopt;
  Shape shape = *x;
  const auto at = shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(*axis));
  shape.insert(at, indices->begin(), indices->end());
  return shape;
}

MaybeShape like_indices(const Asked& asked) {
  const Shape* indices = asked.shape(1);
  return indices != nullptr ? MaybeShape(*indices) : std::nullopt;
}

MaybeShape concat(const Asked& asked) {
  const Shape* x = asked.shape(0);
  if (x == nullptr) return std::nullopt;
  const auto axis = place_of(asked.node.int_or("axis", 1), x->size());
  Shape shape = *x;
  for (int i = 1; i < asked.node.inputs().size(); ++i) {
    const Shape* other = asked.shape(i);
    if (!axis || other == nullptr || other->size() != shape.size()) return of_rank(x->size());
    for (std::size_t k = 0; k < shape.size(); ++k) {
      const Dim& theirs = (*other)[k];
      if (k == *axis) {
        shape[k] = theirs.known() ? sum_of(shape[k], *theirs.value) : Dim{};
      } else if (!shape[k].known() && shape[k] != theirs) {
        shape[k] = theirs.known() ? theirs : Dim{};
      }
    }
  }
  return shape;
}

/// Split: along its axis the outputs differ.
MaybeShape split(const Asked& asked) {
  const Shape* x = asked.shape(0);
  if (x == nullptr) return std::nullopt;
  const auto axis = place_of(asked.node.int_or("axis", 0), x->size());
  if (!axis) return of_rank(x->size());
  Shape shape = *x;
  shape[*axis] = {};
  return shape;
}

/// [Slice-10] how many elements start, end and step leave of `size`.
std::int64_t sliced(std::int64_t size, std::int64_t start, std::int64_t end, std::int64_t step) {
  const auto bound = [&](std::int64_t at) {
    if (at < 0) at = at < -size ? -1 : at + size;
    return step > 0 ? std::clamp<std::int64_t>(at, 0, size)
                    : std::clamp<std::int64_t>(at, -1, size - 1);
  };
  const std::int64_t from = bound(start), to = bound(end);
  if (step > 0) return to > from ? 1 + (to - from - 1) / step : 0;
  // Of a step down from the end only the sign may be beyond measure.
  const std::int64_t down = step < -size ? -std::max<std::int64_t>(size, 1) : step;
  return from > to ? 1 + (from - to - 1) / -down : 0;
}

MaybeShape slice(const Asked& asked) {
  const Shape* x = asked.shape(0);
  if (x == nullptr) return std::nullopt;
  const auto starts = asked.ints("starts", 1, std::nullopt);
  const auto ends = asked.ints("ends", 2, std::nullopt);
  Ints all(starts ? starts->size() : 0);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  const auto axes = asked.ints("axes", 3, all);
  const auto steps = asked.node.has_input(4) ? asked.ints(4) : Ints(all.size(), 1);
  if (!starts || !axes || axes->size() != starts->size()) return of_rank(x->size());
  const bool counted =
      ends && steps && ends->size() == axes->size() && steps->size() == axes->size();
  Shape shape = *x;
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const auto axis = place_of((*axes)[i], shape.size());
    if (!axis) return of_rank(x->size());
    Dim& dim = shape[*axis];
    dim = counted && dim.known() && (*steps)[i] != 0
              ? Dim{sliced(*dim.value, (*starts)[i], (*ends)[i], (*steps)[i]), {}}
              : Dim{};
  }
  return shape;
}

MaybeShape pad(const Asked& asked) {
  const Shape* x = asked.shape(0);
  if (x == nullptr) return std::nullopt;
  const auto pads = asked.ints("pads", 1, std::nullopt);
  const std::size_t rank = x->size();
  if (!pads || pads->size() != 2 * rank || asked.node.has_input(3)) return of_rank(rank);
  Shape shape = *x;
  for (std::size_t i = 0; i < rank; ++i) {
    std::int64_t more = 0;
    if (__builtin_add_overflow((*pads)[i], (*pads)[rank + i], &more)) {
      shape[i] = {};
    } else if (more != 0) {
      shape[i] = sum_of(shape[i], more);
    }
  }
  return shape;
}

MaybeShape tile(const Asked& asked) {
  const Shape* x = asked.shape(0);
  if (x == nullptr) return std::nullopt;
  const auto repeats = asked.ints(1);
  if (!repeats || repeats->size() != x->size()) return of_rank(x->size());
  Shape shape = *x;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if ((*repeats)[i] != 1) shape[i] = product_of(std::array{shape[i], Dim{(*repeats)[i], {}}});
  }
  return shape;
}

/// ReduceSum… and ArgMax, ArgMin.
MaybeShape reduce(const Asked& asked) {
  const Shape* x = asked.shape(0);
  if (x == nullptr) return std::nullopt;
  const bool keeps = asked.node.int_or("keepdims", 1) != 0;
  std::optional<Ints> axes;
  if (asked.node.op_type().starts_with("Arg")) {
    axes = Ints{asked.node.int_or("axis", 0)};
  } else {
    axes = asked.ints("axes", 1, Ints{});
  }
  if (!axes) return keeps ? of_rank(x->size()) : std::nullopt;
  if (axes->empty() && asked.node.int_or("noop_with_empty_axes", 0) != 0) return *x;
  std::vector<bool> reduced(x->size(), axes->empty());
  for (const std::int64_t axis : *axes) {
    const auto place = place_of(axis, x->size());
    if (!place) return std::nullopt;
    reduced[*place] = true;
  }
  Shape shape;
  for (std::size_t i = 0; i < x->size(); ++i) {
    if (!reduced[i]) {
      shape.push_back((*x)[i]);
    } else if (keeps) {
      shape.push_back(Dim{1, {}});
    }
  }
  return shape;
}

MaybeShape mat_mul(const Asked& asked) {
  const Shape* a = asked.shape(0);
  const Shape* b = asked.shape(1);
  if (a == nullptr || b == nullptr || a->size() < 2 || b->size() < 2) return std::nullopt;
  Shape shape(a->begin(), a->end() - 2);
  broadcast_with(shape, Shape(b->begin(), b->end() - 2));
  shape.push_back((*a)[a->size() - 2]);
  shape.push_back(b->back());
  return shape;
}

using ShapeRule = MaybeShape (*)(const Asked&);

constexpr std::pair<std::string_view, ShapeRule> kRules[] = {
    {"Concat", concat},
    {"ConstantOfShape", constant_of_shape},
    {"Expand", expand},
    {"Flatten", flatten},
    {"Gather", gather},
    {"GatherElements", like_indices},
    {"MatMul", mat_mul},
    {"NonZero", [](const Asked&) { return of_rank(2); }},
    {"Pad", pad},
    {"Range", [](const Asked&) { return of_rank(1); }},
    {"Reshape", reshape},
    {"Shape", shape_op},
    {"Size", [](const Asked&) { return of_rank(0); }},
    {"Slice", slice},
    {"Split", split},
    {"Squeeze", with_axes_of_one},
    {"Tile", tile},
    {"Transpose", transpose},
    {"Unsqueeze", with_axes_of_one},
};

MaybeShape shape_of(const Emitter& emitter, const NodeView& node) {
  const std::string& op = node.op_type();
  const Asked asked{emitter, node};
  if (is_one_of(op, kBroadcast)) return broadcast(asked);
  if (is_one_of(op, kSameShape)) return same(asked);
  if (op.starts_with("Reduce") || op.starts_with("Arg")) return reduce(asked);
  const auto* rule =
      std::ranges::find(kRules, std::string_view(op), [](const auto& r) { return r.first; });
  return rule != std::end(kRules) ? rule->second(asked) : std::nullopt;
}

DataType elem_of(const Emitter& emitter, const NodeView& node, const OpSchema& schema, int output) {
  const std::string& op = node.op_type();
  if (op == "Cast") return static_cast<DataType>(node.int_or("to", 0));
  if (op == "ConstantOfShape") {
    const auto value = node.attribute("value");
    return value ? value->t().data_type() : DataType::float32;
  }
  if (op == "QuantizeLinear" && !node.has_input(2)) return DataType::uint8;
  const FormalParameter* formal = schema.output(output);
  if (formal == nullptr) return DataType::undefined;
  std::string_view type = formal->type_str;
  if (type.starts_with("tensor(")) {
    return data_type_named(type.substr(7, type.size() - 8)).value_or(DataType::undefined);
  }
  for (int i = 0; i < node.inputs().size(); ++i) {
    const FormalParameter* input = schema.input(i);
    if (input == nullptr || input->type_str != type) continue;
    const ValueType* known = known_input(emitter, node, i);
    if (known != nullptr && known->kind == TypeView::Kind::tensor) return known->elem;
  }
  const auto allowed = schema.allowed_types(type);
  if (allowed.size() == 1 && allowed[0].starts_with("tensor(")) {
    return data_type_named(allowed[0].substr(7, allowed[0].size() - 8))
        .value_or(DataType::undefined);
  }
  return DataType::undefined;
}

}  // namespace

std::vector<ValueType> types_of_outputs(const Emitter& emitter, const NodeView& node, int opset) {
  std::vector<ValueType> types(static_cast<std::size_t>(node.outputs().size()));
  const OpSchema* schema = find_schema(node.domain(), node.op_type(), opset);
  if (schema == nullptr) return types;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const DataType elem = elem_of(emitter, node, *schema, static_cast<int>(i));
    if (elem != DataType::undefined) types[i] = ValueType::tensor(elem, shape_of(emitter, node));
  }
  return types;
}

}  // namespace onnxcompat::adapters
