// If, Loop, Scan.

#include <algorithm>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// [If-11] branches may differ in shape; runtimes never minded.
void branches_down(NodeEdit& e) {
  if (!e.options().strict_text) return;
  const auto yes = e.graph("then_branch");
  const auto no = e.graph("else_branch");
  if (e.refused()) return;
  const auto shape = [](const OwnedGraph& graph, int i) -> std::optional<Ints> {
    if (i >= graph.view().outputs().size()) return std::nullopt;
    const TypeView type = graph.view().outputs()[i].type();
    if (!type.has_shape()) return std::nullopt;
    Ints dims;
    for (const DimView d : type.dims()) {
      if (!d.has_value()) return std::nullopt;
      dims.push_back(d.value());
    }
    return dims;
  };
  for (int i = 0; i < e.output_count(); ++i) {
    const auto a = shape(*yes, i);
    if (!a || a != shape(*no, i)) {
      return e.refuse("its branches are not known to give the same shapes, which If-1 asks for");
    }
  }
}

/// [Loop-11] may carry no value.
void carried_value_down(NodeEdit& e) {
  if (e.input_count() > 2) return;
  const auto body = e.graph("body");
  if (e.refused()) return;
  const Value start = e.number(0, DataType::float32, "carried");
  const Value in = e.fresh("carried_in");
  const Value out = e.fresh("carried_out");
  body->add_input(in, DataType::float32, 0);
  body->add_output(out, DataType::float32, 0, 1);
  OwnedNode pass({}, "Identity");
  pass.set_inputs({in});
  pass.set_outputs({out});
  auto nodes = body->body().take_nodes();
  nodes.push_back(std::move(pass));
  body->body().put_nodes(std::move(nodes));
  std::vector<Value> outputs{e.fresh("carried_final")};
  for (const Value& name : e.outputs()) outputs.push_back(name);
  e.set({"body", Attr::Content(body)});
  e.set_inputs({e.input(0), e.input(1), start});
  for (std::size_t i = 0; i < outputs.size(); ++i) e.set_output(static_cast<int>(i), outputs[i]);
}

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
  // perm that brings `axis` to the front, or back from it
  const auto to_front = [](std::int64_t axis, int rank, bool back) {
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
  };
  std::vector<Value> inputs{Value{}};
  for (std::size_t i = 0; i < inputs_count; ++i) {
    Value x = e.input(static_cast<int>(i));
    if (i >= states && in_axes[i - states] != 0) {
      const auto rank = e.need_rank(static_cast<int>(i));
      if (!rank) return;
      const std::int64_t axis = in_axes[i - states];
      if (axis < 0 || axis >= *rank) return e.refuse("a scan axis is out of range");
      x = transpose(e, x, to_front(axis, *rank, false));
    }
    inputs.push_back(unsqueeze(e, x, {0}));
  }
  Attrs attributes{{"body", Attr::Content(body)}, {"num_scan_inputs", scanned}};
  if (std::ranges::any_of(in_directions, [](auto d) { return d != 0; })) {
    attributes.push_back({"directions", in_directions});
  }
  std::vector<Value> outputs =
      e.emit_in({}, 8, "Scan", inputs, static_cast<int>(outputs_count), attributes);
  for (std::size_t i = 0; i < outputs_count; ++i) {
    const auto rank = e.rank(e.output(static_cast<int>(i)));
    Value y = squeeze(e, outputs[i], {0});
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
        if (!rank) return e.refuse("the rank of a scan output is not known");
        const std::int64_t axis = out_axes[i - states];
        if (axis < 0 || axis >= *rank) return e.refuse("a scan axis is out of range");
        y = transpose(e, y, to_front(out_axes[i - states], *rank, true));
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
  const auto wrap = [&](Ints& axes, bool inputs) {
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (axes[i] >= 0) continue;
      const int at = static_cast<int>(states + static_cast<std::int64_t>(i));
      const auto rank = inputs ? e.rank(at) : e.rank(e.output(at));
      if (!rank) {
        return e.refuse("a negative axis of a scanned value whose rank is not known");
      }
      axes[i] += *rank;
    }
  };
  if (in_axes) {
    wrap(*in_axes, true);
    e.set({"scan_input_axes", *in_axes});
  }
  if (out_axes) {
    wrap(*out_axes, false);
    e.set({"scan_output_axes", *out_axes});
  }
}

}  // namespace

void register_control_flow(Registry& t) {
  t.at("If", 1, 11).down(branches_down);
  t.at("Loop", 1, 11).down(carried_value_down);
  t.at("Scan", 8, 9).up(batch_axis_up).down(batch_axis_down);
  t.at("Scan", 9, 11).down(scan_axes_down);
}

}  // namespace onnxcompat::adapters
