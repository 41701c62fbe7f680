// Sequences below 11 and optionals below 15, where what they hold is known: their nodes go, and
// what reads them takes the tensors that they hold.

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

constexpr const char* kAtRunTime =
    "a sequence that exists at run time cannot be held by tensors of fixed number";

/// More parts than this are not written out.
constexpr std::int64_t kMostParts = 4096;

/// What input 0 holds; nothing if the node was refused.
const std::vector<Value>* held(NodeEdit& e) {
  const auto* values = e.sequence(e.input(0));
  if (values == nullptr) e.refuse(kAtRunTime);
  return values;
}

/// The place that input i says among `count`; nothing if the node was refused.
std::optional<std::ptrdiff_t> place_of(NodeEdit& e, int i, std::ptrdiff_t count) {
  const auto known = e.const_ints(i);
  if (!known || known->size() != 1) {
    e.refuse(
        fmt::format("{}; which of them is meant (input {}) is decided at run time", kAtRunTime, i));
    return std::nullopt;
  }
  std::int64_t place = known->front();
  if (place < 0) place += count;
  if (place < 0 || place >= count) {
    e.refuse("its position is outside the sequence");
    return std::nullopt;
  }
  return place;
}

void construct(NodeEdit& e) { e.hold_sequence(e.inputs(), kAtRunTime); }

void empty(NodeEdit& e) { e.hold_sequence({}, kAtRunTime); }

/// [SequenceInsert-11] behind the last, unless a position is given.
void insert(NodeEdit& e) {
  const auto* values = held(e);
  if (values == nullptr) return;
  std::vector<Value> more = *values;
  std::ptrdiff_t place = std::ssize(more);
  if (e.has_input(2)) {
    const auto known = e.const_ints(2);
    // A position may be that behind the last one; negative ones count from there as from a last.
    const bool behind = known && known->size() == 1 && known->front() == place;
    const auto given = behind ? std::optional(place) : place_of(e, 2, place);
    if (!given) return;
    place = *given;
  }
  more.insert(more.begin() + place, e.input(1));
  e.hold_sequence(std::move(more), kAtRunTime);
}

/// [SequenceErase-11] the last, unless a position is given.
void erase(NodeEdit& e) {
  const auto* values = held(e);
  if (values == nullptr) return;
  std::vector<Value> less = *values;
  if (less.empty()) return e.refuse("its sequence is empty");
  const auto place =
      e.has_input(1) ? place_of(e, 1, std::ssize(less)) : std::optional(std::ssize(less) - 1);
  if (!place) return;
  less.erase(less.begin() + *place);
  e.hold_sequence(std::move(less), kAtRunTime);
}

void at_position(NodeEdit& e) {
  const auto* values = held(e);
  const auto place = values != nullptr ? place_of(e, 1, std::ssize(*values)) : std::nullopt;
  if (place) e.replace({(*values)[static_cast<std::size_t>(*place)]});
}

void length(NodeEdit& e) {
  const auto* values = held(e);
  if (values != nullptr) e.replace({e.scalar(std::ssize(*values), "length")});
}

/// Can tensors of these shapes be joined along the axis, or stacked to a new one? What is not known
/// can. A sequence may hold what cannot.
bool can_join(NodeEdit& e, const std::vector<Value>& parts, std::int64_t axis, bool stacks) {
  std::optional<int> rank;
  for (const Value& part : parts) {
    const auto own = e.Emitter::rank(part);
    if (own && rank && *own != *rank) return false;
    if (own) rank = own;
  }
  if (!rank) return true;
  const std::int64_t axes = *rank + (stacks ? 1 : 0);
  if (axis < -axes || axis >= axes) return false;
  if (axis < 0) axis += axes;
  for (int i = 0; i < *rank; ++i) {
    std::optional<std::int64_t> size;
    if (i == axis && !stacks) continue;
    for (const Value& part : parts) {
      const auto own = e.dim(part, i);
      if (own && size && *own != *size) return false;
      if (own) size = own;
    }
  }
  return true;
}

/// [ConcatFromSequence-11]
void concatenated(NodeEdit& e) {
  const auto* values = held(e);
  const std::int64_t axis = e.int_or("axis", 0);
  const bool stacks = e.int_or("new_axis", 0) != 0;
  if (values == nullptr || e.refused()) return;
  if (values->empty()) return e.refuse("its sequence is empty");
  std::vector<Value> parts = *values;
  if (!can_join(e, parts, axis, stacks)) {
    return e.refuse("the tensors of its sequence have shapes that do not fit, or not its axis");
  }
  for (Value& part : parts) {
    if (stacks) part = unsqueeze(e, part, {axis});
  }
  e.replace({concat(e, parts, axis)});
}

/// How long the parts are; nothing if the node was refused.
std::optional<Ints> parts_of(NodeEdit& e, std::int64_t axis) {
  const auto known = e.has_input(1) ? e.constant(1) : std::nullopt;
  auto sizes = known ? known->ints() : std::nullopt;
  if (e.has_input(1) && !sizes) {
    e.refuse(fmt::format("{}; how many there are (input 1) is decided at run time", kAtRunTime));
    return std::nullopt;
  }
  if (sizes && !known->dims().empty()) return sizes;
  const auto all = e.dim(e.input(0), static_cast<int>(axis));
  const std::int64_t each = sizes && !sizes->empty() ? sizes->front() : 1;
  if (!all || each < 1 || *all / each > kMostParts) {
    e.refuse(fmt::format("{}; how many there are is not known, or too many", kAtRunTime));
    return std::nullopt;
  }
  Ints parts(static_cast<std::size_t>(*all / each), each);
  if (*all % each != 0) parts.push_back(*all % each);
  return parts;
}

/// [SplitToSequence-11]
void split(NodeEdit& e) {
  std::int64_t axis = e.int_or("axis", 0);
  const bool keeps = e.int_or("keepdims", 1) != 0 || e.has_input(1);
  if (e.refused()) return;
  const auto rank = e.rank(0);
  if (axis < 0 && rank) axis += *rank;
  const bool from_end = axis < 0 && !rank;
  const auto parts = parts_of(e, axis);
  if (!parts) return;
  if ((axis < 0 && !from_end) ||
      std::ranges::any_of(*parts, [](std::int64_t p) { return p < 0; })) {
    return e.refuse("its axis or the lengths of its parts are out of range");
  }
  std::int64_t sum = 0;
  for (const std::int64_t part : *parts) {
    if (__builtin_add_overflow(sum, part, &sum)) return e.refuse("its parts are too long");
  }
  const auto whole = e.dim(e.input(0), static_cast<int>(axis));
  if ((rank && axis >= *rank) || (whole && *whole != sum)) {
    return e.refuse("its axis or the lengths of its parts do not fit its input");
  }
  std::vector<Value> values;
  const Value x = e.input(0);
  if (!parts->empty()) {
    const Value data = from_end ? view3(e, x, axis) : x;
    values = e.emit_in({}, 2, "Split", {data}, static_cast<int>(parts->size()),
                       {{"axis", from_end ? 1 : axis}, {"split", *parts}});
  }
  for (Value& value : values) {
    if (from_end) value = from_view3(e, value, x, axis);
    if (!keeps) value = squeeze(e, value, {axis});
  }
  e.hold_sequence(std::move(values), kAtRunTime);
}

/// [SequenceMap-17] a Loop over the elements that carries the results so far. The nodes of the
/// body's graph stay; what they read comes before them, what becomes of their results behind.
void map_by_loop(NodeEdit& e) {
  // Loops carry no sequences before [Loop-13].
  if (e.target() < 13) return e.refuse(kAtRunTime);
  const auto graph = e.graph("body");
  if (e.refused()) return;
  const auto formal_inputs = graph->view().inputs();
  const auto formal_outputs = graph->view().outputs();
  if (e.input_count() < 1 || formal_inputs.size() != e.input_count() ||
      formal_outputs.size() != e.output_count()) {
    return e.refuse("its body does not fit its inputs and outputs");
  }
  std::vector<Value> elements, results;
  for (const ValueInfoView input : formal_inputs) elements.push_back(input.name());
  for (const ValueInfoView output : formal_outputs) results.push_back(output.name());

  const auto node = [](std::string_view op, const std::vector<Value>& inputs, const Value& output) {
    OwnedNode made({}, op);
    made.set_inputs(inputs);
    made.set_outputs({output});
    return made;
  };
  const Value number = e.fresh("number");
  const Value go = e.fresh("go");
  const Value goes_on = e.fresh("goes_on");
  std::vector<OwnedNode> nodes;
  for (int i = 0; i < e.input_count(); ++i) {
    const ValueType* type = e.type(e.input(i));
    const Value& element = elements[static_cast<std::size_t>(i)];
    if (type == nullptr || !type->is_known()) {
      return e.refuse(fmt::format("whether input {} is a sequence is not known", i));
    }
    if (type->kind == TypeView::Kind::sequence) {
      nodes.push_back(node("SequenceAt", {e.input(i), number}, element));
    } else {
      nodes.push_back(node("Identity", {e.input(i)}, element));
    }
  }
  for (OwnedNode& own : graph->body().take_nodes()) nodes.push_back(std::move(own));
  nodes.push_back(node("Identity", {go}, goes_on));
  graph->body().drop_inputs(elements);
  graph->body().drop_outputs();
  graph->add_input(number, DataType::int64, 0);
  graph->add_input(go, DataType::boolean, 0);
  graph->add_output(goes_on, DataType::boolean, 0);
  const Value count = e.emit_in({}, 11, "SequenceLength", {e.input(0)}, 1, {}).front();
  std::vector<Value> carried;
  for (int i = 0; i < e.output_count(); ++i) {
    const ValueType* type = e.type(e.output(i));
    const DataType elem = type != nullptr && type->inner ? type->inner->elem : DataType::undefined;
    if (elem == DataType::undefined) {
      return e.refuse(fmt::format("the type of the elements of output {} is not known", i));
    }
    TypeLiteral tensor;
    tensor.kind = TypeView::Kind::tensor;
    tensor.elem = elem;
    TypeLiteral sequence;
    sequence.kind = TypeView::Kind::sequence;
    sequence.inner = std::make_shared<TypeLiteral>(tensor);
    const Value so_far = e.fresh("so_far");
    const Value longer = e.fresh("longer");
    nodes.push_back(node("SequenceInsert", {so_far, results[static_cast<std::size_t>(i)]}, longer));
    graph->add_input(so_far, sequence);
    graph->add_output(longer, sequence);
    carried.push_back(e.emit_in({}, 11, "SequenceEmpty", {}, 1, {{"dtype", elem}}).front());
  }
  graph->body().put_nodes(std::move(nodes));
  e.replace(counted_loop(e, count, carried, e.output_count(), {"body", Attr::Content(graph)}, 13));
}

constexpr const char* kMayHoldNothing = "no older type may hold nothing";

/// What the optional at input 0 holds: one value, or none; nothing if the node was refused.
const std::vector<Value>* held_optional(NodeEdit& e) {
  const auto* values = e.sequence(e.input(0));
  if (values == nullptr) e.refuse(kMayHoldNothing);
  return values;
}

/// [Optional-15]
void optional(NodeEdit& e) {
  e.hold_sequence(e.has_input(0) ? e.inputs() : std::vector<Value>{}, kMayHoldNothing);
}

void has_element(NodeEdit& e) {
  const auto* values = held_optional(e);
  if (values != nullptr) e.replace({e.number(values->empty() ? 0 : 1, DataType::boolean, "has")});
}

/// Gives a copy of a sequence, where Identity takes none: one element more, and that away again.
void copy_sequence(NodeEdit& e, const Value& sequence) {
  const ValueType* type = e.type(sequence);
  const DataType elem = type != nullptr && type->inner ? type->inner->elem : DataType::undefined;
  if (elem == DataType::undefined)
    return e.refuse("the type of its sequence's elements is unknown");
  const Value more = e.constant(TensorLiteral::zeros(elem, {1}), "more");
  const Value longer = e.emit_in({}, 11, "SequenceInsert", {sequence, more}, 1, {}).front();
  e.replace({e.emit_in({}, 11, "SequenceErase", {longer}, 1, {}).front()});
}

/// [OptionalGetElement-15]
void get_element(NodeEdit& e) {
  const auto* values = held_optional(e);
  if (values == nullptr) return;
  if (values->empty()) return e.refuse("its optional holds nothing");
  const Value content = values->front();
  if (const auto* parts = e.sequence(content)) return e.hold_sequence(*parts, kAtRunTime);
  const ValueType* type = e.type(content);
  if (type == nullptr || !type->is_known()) {
    return e.refuse("the type of what its optional holds is not known");
  }
  if (type->kind != TypeView::Kind::sequence || e.target() >= 14) return e.replace({content});
  copy_sequence(e, content);
}

/// [Identity-14] of a sequence. What is known of a sequence or an optional is known of a copy.
void pass_held(NodeEdit& e) {
  const auto* values = e.sequence(e.input(0));
  if (values != nullptr) return e.hold_sequence(*values, kAtRunTime);
  const ValueType* type = e.type(e.input(0));
  const bool is_sequence = type != nullptr && type->kind == TypeView::Kind::sequence;
  if (is_sequence && e.target() >= 11 && e.target() < 14) copy_sequence(e, e.input(0));
}

}  // namespace

void register_sequences(Registry& t) {
  constexpr std::string_view kKnown = "where what the sequence holds is known";
  t.expand("SequenceConstruct", construct, kKnown);
  t.expand("SequenceEmpty", empty, kKnown);
  t.expand("SequenceInsert", insert, kKnown);
  t.expand("SequenceErase", erase, kKnown);
  t.expand("SequenceAt", at_position, kKnown);
  t.expand("SequenceLength", length, kKnown);
  t.expand("ConcatFromSequence", concatenated, "Concat, where what the sequence holds is known");
  t.expand("SequenceMap", map_by_loop, "Loop");
  t.expand("SplitToSequence", split, "Split, where the number of parts is known");
  constexpr std::string_view kResolved = "where what the optional holds is known";
  t.expand("Optional", optional, kResolved);
  t.expand("OptionalHasElement", has_element, kResolved);
  t.expand("OptionalGetElement", get_element, kResolved);
  t.at("Identity", 13, 14).down(pass_held);
  t.at("Identity", 14, 16).down(pass_held);
}

}  // namespace onnxcompat::adapters
