// Scan: the batch axis of 8, axes and directions of 9, and the Loop that it is below.

#include <algorithm>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [Scan-9] has no batch axis: the batch is the axis of an outer Scan.
void batch_axis_up(NodeEdit& e) {
  if (e.has_input(0)) return e.refuse("sequence_lens is given, which Scan-9 does not have");
  const auto body = e.graph("body");
  const std::int64_t scanned = e.int_or("num_scan_inputs", 0);
  const auto directions = e.int_list("directions");
  if (e.refused()) return;
  const int all = e.input_count() - 1;
  const int results = e.output_count();
  Attrs inner{{"body", Attr::Content(body)}, {"num_scan_inputs", scanned}};
  if (directions) inner.push_back({"scan_input_directions", *directions});
  std::vector<Value> inputs;
  for (int i = 1; i <= all; ++i) inputs.push_back(e.input(i));

  bool one = true;
  for (const Value& input : inputs) one = one && e.dim(input, 0) == 1;
  if (one) {
    for (Value& input : inputs) input = squeeze(e, input, {0});
    std::vector<Value> outputs = e.emit_in({}, 9, "Scan", inputs, results, inner);
    for (Value& output : outputs) output = unsqueeze(e, output, {0});
    return e.replace(outputs);
  }
  Subgraph batch = e.subgraph("batch");
  std::vector<Value> slices;
  for (const Value& input : inputs) {
    const auto rank = e.rank(input);
    slices.push_back(batch.input("item", e.Emitter::dtype(input),
                                 rank ? std::optional(*rank - 1) : std::nullopt));
  }
  for (const Value& output : batch.emit_in({}, 9, "Scan", slices, results, inner)) {
    batch.output(output);
  }
  e.replace(e.emit_in({}, 9, "Scan", inputs, results, {{"body", batch}, {"num_scan_inputs", all}}));
}

/// One tensor to be taken apart.
struct Scanned {
  Value value;
  std::int64_t axis = 0;
  bool backward = false;
};

/// A Scan without a batch as a Loop that picks the pieces itself: the states in the end, and the
/// results of all rounds stacked along axis 0.
std::vector<Value> by_loop(Emitter& e, const OwnedGraph& of, const std::vector<Value>& states,
                           const std::vector<Scanned>& scanned, int results) {
  OwnedGraph body = of.copy();
  const Value count = dim_scalar(e, scanned.front().value, scanned.front().axis);
  // What comes before the body's own nodes.
  Subgraph pieces = e.subgraph("piece");
  const Value number = pieces.input("number", DataType::int64, 0);
  const Value go = pieces.input("go", DataType::boolean, 0);
  Value from_end;
  std::vector<Value> names;
  for (const ValueInfoView input : of.view().inputs()) names.push_back(input.name());
  for (std::size_t i = 0; i < scanned.size(); ++i) {
    if (scanned[i].backward && from_end.empty()) {
      const Value next = binary(pieces, "Add", number, pieces.scalar(1, "one"));
      from_end = binary(pieces, "Sub", count, next);
    }
    OwnedNode pick({}, "Gather");
    pick.set_inputs({scanned[i].value, scanned[i].backward ? from_end : number});
    pick.set_outputs({names[states.size() + i]});
    pick.set("axis", scanned[i].axis);
    pieces.emit_node(std::move(pick), 1);
  }
  const Value goes_on = e.fresh("goes_on");
  OwnedNode pass({}, "Identity");
  pass.set_inputs({go});
  pass.set_outputs({goes_on});
  pieces.emit_node(std::move(pass), 1);
  std::vector<OwnedNode> nodes = pieces.end()->body().take_nodes();
  for (OwnedNode& own : body.body().take_nodes()) nodes.push_back(std::move(own));
  body.body().put_nodes(std::move(nodes));

  body.body().drop_inputs(names);
  body.add_input(number, DataType::int64, 0);
  body.add_input(go, DataType::boolean, 0);
  for (std::size_t i = 0; i < states.size(); ++i) {
    const TypeView type = of.view().inputs()[static_cast<int>(i)].type();
    body.add_input(names[i], type.elem_type(), type.has_shape() ? type.dims().size() : -1);
  }
  body.add_output(goes_on, DataType::boolean, 0, 0);
  return counted_loop(e, count, states, results,
                      {"body", Attr::Content(std::make_shared<OwnedGraph>(std::move(body)))});
}

/// Does the body take so many values, and give as many as the node?
bool fits(const OwnedGraph& body, std::size_t inputs, int results) {
  return static_cast<std::size_t>(body.view().inputs().size()) == inputs &&
         body.view().outputs().size() >= results;
}

/// [Scan-8] a Loop over the batch around one over the pieces.
void batch_by_loop(NodeEdit& e) {
  const auto body = e.graph("body");
  const std::int64_t count = e.int_or("num_scan_inputs", 0);
  const int all = e.input_count() - 1;
  const Ints directions = e.int_list_or(
      "directions", Ints(static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, all)), 0));
  if (e.refused()) return;
  if (e.has_input(0)) return e.refuse("sequence_lens is given: its results are of many lengths");
  if (count < 1 || count > all || std::ssize(directions) != count ||
      !fits(*body, static_cast<std::size_t>(all), e.output_count())) {
    return e.refuse("its body, inputs and directions do not fit");
  }
  Subgraph batch = e.subgraph("batch");
  const Value number = batch.input("number", DataType::int64, 0);
  const Value go = batch.input("go", DataType::boolean, 0);
  std::vector<Value> states;
  std::vector<Scanned> scanned;
  for (int i = 1; i <= all; ++i) {
    const Value item = gather(batch, e.input(i), number, 0);
    const auto k = static_cast<std::size_t>(i - 1 - (all - static_cast<int>(count)));
    if (i <= all - count) {
      states.push_back(item);
    } else {
      scanned.push_back({item, 0, directions[k] != 0});
    }
  }
  batch.output(go);
  for (const Value& result : by_loop(batch, *body, states, scanned, e.output_count())) {
    batch.output(result);
  }
  e.replace(counted_loop(e, dim_scalar(e, e.input(1), 0), {}, e.output_count(), {"body", batch}));
}

/// perm that brings `axis` to the front, or back from it
Ints to_front(std::int64_t axis, int rank, bool back) {
  Ints perm{axis};
  for (std::int64_t i = 0; i < rank; ++i) {
    if (i != axis) perm.push_back(i);
  }
  if (!back) return perm;
  Ints inverse(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i) {
    inverse[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
  }
  return inverse;
}

/// x as three dims, the first two of them exchanged, and then of these dims.
Value exchanged(Emitter& e, const Value& x, const std::vector<Value>& three,
                const std::vector<Value>& dims) {
  const Value view = reshape_to(e, x, concat(e, three, 0));
  return reshape_to(e, transpose(e, view, {1, 0, 2}), concat(e, dims, 0));
}

/// Brings an axis to the front, for any rank.
Value moved_to_front(Emitter& e, const Value& x, std::int64_t axis) {
  const Value own = dim_of(e, x, axis);
  const Value before = dims_of(e, x, 0, axis);
  if (axis == -1) {
    return exchanged(e, x, {product(e, before), own, e.ints({1}, "dim")}, {own, before});
  }
  const Value after = dims_of(e, x, axis + 1, kEnd);
  return exchanged(e, x, {product(e, before), own, product(e, after)}, {own, before, after});
}

/// Brings the first dim to an axis, for any rank.
Value moved_from_front(Emitter& e, const Value& x, std::int64_t axis) {
  const Value own = dim_of(e, x, 0);
  if (axis == -1) {
    const Value before = dims_of(e, x, 1, kEnd);
    return exchanged(e, x, {own, product(e, before), e.ints({1}, "dim")}, {before, own});
  }
  // Dims after the axis, counted from the end where it is, come after it here as well.
  const Value before = dims_of(e, x, 1, axis + 1);
  const Value after = dims_of(e, x, axis + 1, kEnd);
  return exchanged(e, x, {own, product(e, before), product(e, after)}, {before, own, after});
}

/// [Scan-8] of the node's inputs as a batch of one; its outputs without the batch.
std::vector<Value> with_batch_of_one(NodeEdit& e, const OwnedGraph& body, const Ints& axes,
                                     const Ints& directions) {
  const std::size_t states = static_cast<std::size_t>(e.input_count()) - axes.size();
  std::vector<Value> inputs{Value{}};
  for (int i = 0; i < e.input_count(); ++i) {
    Value x = e.input(i);
    const auto k = static_cast<std::size_t>(i);
    if (k >= states && axes[k - states] != 0) {
      const auto rank = e.rank(i);
      const std::int64_t axis = axes[k - states];
      if (axis < 0 || (rank && axis >= *rank)) {
        e.refuse("a scan axis is out of range");
        return {};
      }
      x = rank ? transpose(e, x, to_front(axis, *rank, false)) : moved_to_front(e, x, axis);
    }
    inputs.push_back(unsqueeze(e, x, {0}));
  }
  Attrs attributes{{"body", Attr::Content(std::make_shared<OwnedGraph>(body.copy()))},
                   {"num_scan_inputs", static_cast<std::int64_t>(axes.size())}};
  if (std::ranges::any_of(directions, [](auto d) { return d != 0; })) {
    attributes.push_back({"directions", directions});
  }
  std::vector<Value> outputs = e.emit_in({}, 8, "Scan", inputs, e.output_count(), attributes);
  for (Value& output : outputs) output = squeeze(e, output, {0});
  return outputs;
}

/// Axes and directions by moving data, the batch by one around it.
void batch_axis_down(NodeEdit& e) {
  const auto body = e.graph("body");
  const std::int64_t scanned = e.int_or("num_scan_inputs", 0);
  const auto inputs_count = static_cast<std::size_t>(e.input_count());
  if (scanned < 0 || scanned > std::ssize(e.inputs())) {
    return e.refuse("num_scan_inputs does not match its inputs");
  }
  const auto m = static_cast<std::size_t>(scanned);
  const Ints in_axes = e.int_list_or("scan_input_axes", Ints(m, 0));
  const Ints in_directions = e.int_list_or("scan_input_directions", Ints(m, 0));
  if (e.refused()) return;
  const std::size_t states = inputs_count - m;
  const auto outputs_count = static_cast<std::size_t>(e.output_count());
  const std::size_t k = outputs_count > states ? outputs_count - states : 0;
  const Ints out_axes = e.int_list_or("scan_output_axes", Ints(k, 0));
  const Ints out_directions = e.int_list_or("scan_output_directions", Ints(k, 0));
  if (in_axes.size() != m || in_directions.size() != m || out_axes.size() != k ||
      out_directions.size() != k) {
    return e.refuse("its axes and directions do not match its inputs and outputs");
  }
  std::vector<Value> outputs;
  if (e.target() < 8) {
    if (!fits(*body, inputs_count, static_cast<int>(outputs_count)) || m == 0) {
      return e.refuse("its body does not fit its inputs and outputs");
    }
    const std::vector<Value> all = e.inputs();
    std::vector<Scanned> pieces;
    for (std::size_t i = 0; i < m; ++i) {
      pieces.push_back({all[states + i], in_axes[i], in_directions[i] != 0});
    }
    outputs = by_loop(e, *body, {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(states)},
                      pieces, static_cast<int>(outputs_count));
  } else {
    outputs = with_batch_of_one(e, *body, in_axes, in_directions);
    if (e.refused()) return;
  }
  for (std::size_t i = 0; i < outputs_count; ++i) {
    const auto rank = e.rank(e.output(static_cast<int>(i)));
    Value y = outputs[i];
    const ValueType* known = e.type(e.output(static_cast<int>(i)));
    if (known != nullptr && i >= states && known->shape) {
      // Its dims, with the scanned one first.
      ValueType front = *known;
      const auto axis = static_cast<std::ptrdiff_t>(out_axes[i - states]);
      if (axis >= 0 && axis < std::ssize(*front.shape)) {
        std::rotate(front.shape->begin(), front.shape->begin() + axis,
                    front.shape->begin() + axis + 1);
        e.set_type(y, front);
      }
    }
    if (i >= states) {
      if (out_directions[i - states] != 0) y = reversed(e, y, 0);
      if (out_axes[i - states] != 0) {
        const std::int64_t axis = out_axes[i - states];
        if (axis < 0 || (rank && axis >= *rank)) return e.refuse("a scan axis is out of range");
        y = rank ? transpose(e, y, to_front(axis, *rank, true)) : moved_from_front(e, y, axis);
      }
    }
    outputs[i] = y;
  }
  e.replace(outputs);
}

/// [Scan-11] axes may be negative.
void scan_axes_down(NodeEdit& e) {
  const std::int64_t scanned = e.int_or("num_scan_inputs", 0);
  auto in_axes = e.int_list("scan_input_axes");
  auto out_axes = e.int_list("scan_output_axes");
  if (e.refused()) return;
  if (scanned < 0 || scanned > e.input_count()) {
    return e.refuse("num_scan_inputs does not match its inputs");
  }
  const std::int64_t states = e.input_count() - scanned;
  const auto place = [&](std::size_t i) { return static_cast<int>(states) + static_cast<int>(i); };
  for (std::size_t i = 0; in_axes && i < in_axes->size(); ++i) {
    std::int64_t& axis = (*in_axes)[i];
    if (axis >= 0) continue;
    const auto rank = e.rank(place(i));
    if (!rank) e.set_input(place(i), moved_to_front(e, e.input(place(i)), axis));
    axis = rank ? axis + *rank : 0;
  }
  std::vector<std::pair<int, std::int64_t>> moves;
  for (std::size_t i = 0; out_axes && i < out_axes->size(); ++i) {
    std::int64_t& axis = (*out_axes)[i];
    if (axis >= 0) continue;
    const auto rank = e.rank(e.output(place(i)));
    if (!rank && e.has_output(place(i))) moves.emplace_back(place(i), axis);
    axis = rank ? axis + *rank : 0;
  }
  if (in_axes) e.set({"scan_input_axes", *in_axes});
  if (out_axes) e.set({"scan_output_axes", *out_axes});
  for (const auto& [i, axis] : moves) {
    const Value stacked = e.detach_output(i);
    e.set_type(stacked, ValueType::tensor(e.dtype(stacked), std::nullopt));
    e.produce(i, moved_from_front(e, stacked, axis));
  }
}

}  // namespace

void register_scan(Registry& t) {
  t.at("Scan", 8, 9).up(batch_axis_up).down(batch_axis_down);
  t.at("Scan", 9, 11).down(scan_axes_down);
  t.expand("Scan", batch_by_loop, "Loop");
}

}  // namespace onnxcompat::adapters
