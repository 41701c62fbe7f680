// Operators with subgraphs, sequences and optionals.

#include <algorithm>

#include <fmt/format.h>

#include "properties/generator.h"

namespace onnxcompat::properties {
namespace {

/// The graph of an attribute, in the textual syntax.
void set_graph(Draft& d, const char* name, const std::string& text) {
  auto model = Model::parse(
      fmt::format("<ir_version: 13, opset_import: [\"\" : {}]>\n{}", d.result().opset, text), name,
      ModelFormat::text);
  if (model) d.set(name, std::make_shared<Model>(*std::move(model)));
}

std::string tensor_text(DataType t, const Dims& dims) {
  return dims.empty() ? std::string(name_of(t))
                      : fmt::format("{}[{}]", name_of(t), fmt::join(dims, ","));
}

void choice(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type("V");
  const Dims dims = d.dims(0, 2);
  d.give(d.chosen(DataType::boolean, {}, {0, 1}));
  d.capture(d.values(t, dims));
  d.capture(d.values(t, dims));
  const bool sequence = d.since() >= 13 && r.chance(30);
  const std::string own = tensor_text(t, dims);
  const std::string type = sequence ? fmt::format("seq({})", own) : own;
  const char* op = sequence ? "SequenceConstruct" : "Identity";
  set_graph(d, "then_branch", fmt::format("yes () => ({} a) {{ a = {} (c0) }}", type, op));
  set_graph(d, "else_branch", fmt::format("no () => ({} b) {{ b = {} (c1) }}", type, op));
  if (sequence) d.result().output_types = {type};
}

void loop(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type("V");
  const Dims dims = d.dims(0, 2);
  const std::string type = tensor_text(t, dims);
  d.parameter(Ints{r.integer(0, 3)}, DataType::int64, true);
  if (r.chance(50)) {
    d.give(d.chosen(DataType::boolean, {}, {1, 1, 0}));
  } else {
    d.skip();
  }
  const bool carries = d.since() < 11 || r.chance(70);
  d.capture(d.values(t, dims));
  if (carries) d.data(t, dims);
  const std::string next = t == DataType::float32 ? "Add (v, c0)" : "Identity (c0)";
  if (carries) {
    set_graph(d, "body",
              fmt::format("body (int64 i, bool go, {0} v) => (bool on, {0} w, {0} s) {{\n"
                          "on = Identity (go)\nw = {1}\ns = Identity (v) }}",
                          type, next));
    d.result().outputs = {true, r.chance(70)};
  } else {
    set_graph(d, "body",
              fmt::format("body (int64 i, bool go) => (bool on, {0} s) {{\n"
                          "on = Identity (go)\ns = Identity (c0) }}",
                          type));
    while (!d.result().inputs.empty() && d.result().inputs.back().absent()) {
      d.result().inputs.pop_back();
    }
  }
  if (!d.result().outputs.back()) d.result().outputs.pop_back();
}

void scan(Draft& d) {
  Random& r = d.random();
  const DataType t = d.type("V");
  d.tame();
  const Dims item = d.dims(0, 2);
  const std::string type = tensor_text(t, item);
  const std::int64_t length = r.integer(1, 3);
  const bool batched = d.since() == 8;
  const std::string next = t == DataType::float32 ? "Add (s, x)" : "Identity (x)";
  const bool state = r.chance(70);
  const std::int64_t batch = r.integer(1, 2);
  Dims scanned = item;
  const auto rank = static_cast<std::int64_t>(item.size()) + 1;
  std::int64_t axis = 0;
  if (!batched && r.chance(50)) axis = d.axis(rank, d.since() >= 11);
  scanned.insert(scanned.begin() + (axis < 0 ? axis + rank : axis), length);
  Dims initial = item;
  if (batched) {
    scanned.insert(scanned.begin(), batch);
    initial.insert(initial.begin(), batch);
    d.skip();
  }
  if (state) d.data(t, initial);
  d.data(t, scanned);
  if (state) {
    set_graph(d, "body",
              fmt::format("body ({0} s, {0} x) => ({0} u, {0} y) {{ u = {1} y = Identity (s) }}",
                          type, next));
    d.result().outputs = {true, true};
  } else {
    set_graph(d, "body", fmt::format("body ({0} x) => ({0} y) {{ y = Identity (x) }}", type));
  }
  d.set("num_scan_inputs", std::int64_t{1});
  const std::int64_t reverse = r.integer(0, 1);
  d.maybe("directions", Ints{reverse}, 50);
  d.maybe("scan_input_directions", Ints{reverse}, 50);
  d.maybe("scan_output_directions", Ints{r.integer(0, 1)}, 40);
  if (axis != 0) d.set("scan_input_axes", Ints{axis});
  if (!batched && r.chance(40)) d.set("scan_output_axes", Ints{d.axis(rank, d.since() >= 11)});
}

void split_to_sequence(Draft& d) {
  Random& r = d.random();
  Dims dims = d.dims(1, 3);
  for (auto& x : dims) x = std::max<std::int64_t>(x, 1);
  const auto rank = static_cast<std::int64_t>(dims.size());
  const std::int64_t axis = d.axis(rank, true);
  const std::int64_t size = dims[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)];
  const DataType t = d.type("T");
  d.data(t, dims);
  const auto roll = r.integer(0, 2);
  if (roll == 1) d.parameter(Ints{r.integer(1, size)}, d.type("I"), true);
  if (roll == 2) d.parameter(Ints(static_cast<std::size_t>(size), 1), d.type("I"));
  if (axis != 0 || r.chance(50)) d.set("axis", axis);
  d.maybe("keepdims", r.integer(0, 1));
  d.result().output_types = {fmt::format("seq({}[])", name_of(t))};
}

Argument& give_sequence(Draft& d, DataType t, const std::vector<Dims>& elements) {
  Argument a;
  executor::Sequence sequence{.elements = {}, .elem = t};
  for (const Dims& dims : elements) {
    sequence.elements.push_back(executor::Value{d.values(t, dims)});
  }
  a.type = fmt::format("seq({}[])", name_of(t));
  a.value = executor::Value{std::move(sequence)};
  d.result().inputs.push_back(std::move(a));
  return d.result().inputs.back();
}

/// A tensor type of which a sequence may be.
DataType element_type(Draft& d, std::string_view type_str) {
  std::vector<DataType> choices;
  for (const std::string_view name : d.result().schema->allowed_types(type_str)) {
    if (!name.starts_with("seq(tensor(")) continue;
    if (const auto t = data_type_named(name.substr(11, name.size() - 13))) choices.push_back(*t);
  }
  return d.random().of(choices);
}

void sequence_operator(Draft& d) {
  Random& r = d.random();
  const auto op = d.op();
  if (op == "SequenceEmpty") {
    const DataType t = element_type(d, "S");
    if (t != DataType::float32 || r.chance(50)) d.set("dtype", static_cast<std::int64_t>(t));
    d.result().output_types = {fmt::format("seq({}[])", name_of(t))};
    return;
  }
  if (op == "SequenceConstruct") {
    const DataType t = d.type("T");
    for (std::int64_t i = r.integer(1, 3); i > 0; --i) d.data(t, d.dims(0, 3));
    d.result().output_types = {fmt::format("seq({}[])", name_of(t))};
    return;
  }
  const DataType t = element_type(d, "S");
  const bool joins = op == "ConcatFromSequence";
  const std::int64_t count = r.integer(op == "SequenceInsert" || op == "SequenceLength" ? 0 : 1, 3);
  const Dims dims = d.dims(1, 3);
  std::vector<Dims> elements;
  for (std::int64_t i = 0; i < count; ++i) elements.push_back(joins ? dims : d.dims(0, 3));
  give_sequence(d, t, std::move(elements));
  if (joins) {
    const std::int64_t stacks = r.integer(0, 1);
    d.set("axis", d.axis(static_cast<std::int64_t>(dims.size()) + stacks, true));
    if (stacks != 0 || r.chance(40)) d.set("new_axis", stacks);
    return;
  }
  if (op == "SequenceInsert") d.data(t, d.dims(0, 3));
  const std::int64_t last = op == "SequenceInsert" ? count : count - 1;
  if (op == "SequenceAt" || (op != "SequenceLength" && r.chance(60))) {
    d.parameter(Ints{r.integer(-count, last)}, d.type("I"), true);
  }
  if (op == "SequenceInsert" || op == "SequenceErase") {
    d.result().output_types = {fmt::format("seq({}[])", name_of(t))};
  }
}

void sequence_map(Draft& d) {
  Random& r = d.random();
  const DataType t = element_type(d, "S");
  const std::string element = fmt::format("{}[]", name_of(t));
  const auto count = static_cast<std::size_t>(r.integer(0, 3));
  const auto sequence = [&] {
    std::vector<Dims> elements(count);
    for (Dims& dims : elements) dims = d.dims(0, 2);
    give_sequence(d, t, std::move(elements));
  };
  sequence();
  std::string formal = fmt::format("{} a", element);
  std::string result = "Identity (a)";
  switch (r.integer(0, 3)) {
    case 0:
      break;
    case 1:  // a tensor, the same for all of them
      d.data(t, {});
      formal += fmt::format(", {} b", name_of(t));
      if (t == DataType::float32) result = "Add (a, b)";
      break;
    case 2:  // element by element
      sequence();
      formal += fmt::format(", {} b", element);
      result = "Identity (b)";
      break;
    default:
      d.capture(d.values(t, {2}));
      result = "Identity (c0)";
  }
  const bool two = r.chance(40);
  set_graph(d, "body",
            fmt::format("body ({0}) => ({1} u{2}) {{ u = {3}{4} }}", formal, element,
                        two ? ", int64[] w" : "", result, two ? "\nw = Shape (a)" : ""));
  d.result().output_types = {fmt::format("seq({})", element)};
  if (two) d.result().output_types.emplace_back("seq(int64[])");
  d.result().outputs.assign(two ? 2 : 1, true);
}

void optional(Draft& d) {
  Random& r = d.random();
  const Dims dims = d.dims(0, 2);
  if (d.op() == "Optional") {
    d.data(DataType::float32, dims);
    d.result().output_types = {fmt::format("optional({})", tensor_text(DataType::float32, dims))};
    return;
  }
  Tensor tensor = d.values(DataType::float32, dims);
  const std::string own = tensor_text(DataType::float32, dims);
  const bool plain = d.since() >= 18 && r.chance(50);
  if (plain) {
    d.data(DataType::float32, dims);
    return;
  }
  const bool empty = d.op() == "OptionalHasElement" && r.chance(40);
  if (empty && d.since() >= 18 && r.chance(50)) return;  // no input at all
  Argument a;
  a.type = fmt::format("optional({})", own);
  a.value = executor::Value{executor::OptionalValue{
      empty ? nullptr
            : std::make_shared<const executor::Value>(executor::Value{std::move(tensor)})}};
  d.result().inputs.push_back(std::move(a));
}

}  // namespace

void add_control(Recipes& r) {
  r["If"] = choice;
  r["Loop"] = loop;
  r["Scan"] = scan;
  r["SequenceMap"] = sequence_map;
  r["SplitToSequence"] = split_to_sequence;
  for (const char* op : {"SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase",
                         "SequenceInsert", "SequenceLength", "ConcatFromSequence"}) {
    r[op] = sequence_operator;
  }
  r["Optional"] = optional;
  r["OptionalGetElement"] = optional;
  r["OptionalHasElement"] = optional;
}

}  // namespace onnxcompat::properties
