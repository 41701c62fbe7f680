#include "properties/node_case.h"

#include <algorithm>

#include <fmt/format.h>

#include "versiontable/version_table.h"

namespace onnxcompat::properties {
namespace {

bool is_graph_input(const Argument& a) {
  return !a.absent() && a.supply != Supply::initializer && a.supply != Supply::constant;
}

std::string input_name(std::size_t i) { return fmt::format("x{}", i); }
std::string captured_name(std::size_t i) { return fmt::format("c{}", i); }
std::string output_name(std::size_t i) { return fmt::format("y{}", i); }
/// An input of unknown rank is reshaped: its elements and the dims that they get.
std::string elements_name(const std::string& name) { return name + "_elements"; }
std::string dims_name(const std::string& name) { return name + "_dims"; }
/// What is of 2 or 4 bits inside, as it is outside.
std::string whole_name(const std::string& name) { return name + "_whole"; }
std::string narrow_name(const std::string& name) { return name + "_narrow"; }

bool is_cast(const NodeCase& c, const Argument& a) {
  return c.inside && is_narrow(a.value) &&
         (a.supply == Supply::graph_input || a.supply == Supply::symbolic);
}

executor::Value whole(const executor::Value& value) {
  const Tensor& t = *value.tensor();
  Tensor out(DataType::int32, t.dims());
  auto numbers = out.mutable_data<std::int32_t>();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = executor::small_int_value(t.type(), static_cast<std::uint8_t>(t.raw()[i]));
  }
  return executor::Value{std::move(out)};
}

OwnedNode cast(const std::string& from, const std::string& to, DataType type) {
  OwnedNode node({}, "Cast");
  node.set("to", static_cast<std::int64_t>(type));
  node.set_inputs({from});
  node.set_outputs({to});
  return node;
}

/// Calls f(name, argument) for everything that the node and its subgraphs are given.
template <class F>
void each_given(const NodeCase& c, F&& f) {
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    if (!c.inputs[i].absent()) f(input_name(i), c.inputs[i]);
  }
  for (std::size_t i = 0; i < c.captured.size(); ++i) f(captured_name(i), c.captured[i]);
}

void set(OwnedNode& node, const std::string& name, const AttributeValue& value) {
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, Ints>) {
          node.set(name, std::span<const std::int64_t>(v));
        } else if constexpr (std::is_same_v<T, Floats>) {
          node.set(name, std::span<const float>(v));
        } else if constexpr (std::is_same_v<T, std::string>) {
          node.set(name, std::string_view(v));
        } else if constexpr (std::is_same_v<T, std::shared_ptr<Model>>) {
          node.set(name, OwnedGraph::copy(v->graph()));
        } else {
          node.set(name, v);
        }
      },
      value);
}

OwnedNode node_of(const NodeCase& c, std::string_view suffix) {
  OwnedNode node(c.schema->domain, c.schema->name);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    names.push_back(c.inputs[i].absent() ? std::string{} : input_name(i));
  }
  node.set_inputs(names);
  names.clear();
  for (std::size_t i = 0; i < c.outputs.size(); ++i) {
    names.push_back(c.outputs[i] ? output_name(i) + std::string(suffix) : std::string{});
  }
  node.set_outputs(names);
  for (const auto& [name, value] : c.attributes) set(node, name, value);
  return node;
}

/// What the caller's value replaces.
TensorLiteral overridden(const Tensor& tensor) {
  TensorLiteral literal = literal_of(tensor);
  return TensorLiteral::zeros(literal.type, literal.dims);
}

OwnedGraph branch(const NodeCase& c, std::string_view suffix,
                  const std::vector<executor::Value>* results) {
  OwnedGraph graph(fmt::format("branch{}", suffix));
  std::vector<OwnedNode> nodes;
  nodes.push_back(node_of(c, suffix));
  graph.body().put_nodes(std::move(nodes));
  std::size_t k = 0;
  for (std::size_t i = 0; i < c.outputs.size(); ++i) {
    if (!c.outputs[i]) continue;
    const Tensor* t = results != nullptr ? (*results)[k].tensor() : nullptr;
    ++k;
    graph.add_output(output_name(i) + std::string(suffix),
                     t != nullptr ? t->type() : DataType::undefined, t != nullptr ? t->rank() : -1);
  }
  return graph;
}

}  // namespace

bool is_narrow(const executor::Value& value) {
  const Tensor* t = value.tensor();
  return t != nullptr && (t->type() == DataType::int4 || t->type() == DataType::uint4 ||
                          t->type() == DataType::int2 || t->type() == DataType::uint2);
}

bool NodeCase::has_attribute(std::string_view name) const {
  return std::ranges::any_of(attributes, [&](const auto& a) { return a.first == name; });
}

void NodeCase::drop_attribute(std::string_view name) {
  std::erase_if(attributes, [&](const auto& a) { return a.first == name; });
}

TensorLiteral literal_of(const Tensor& tensor) {
  TensorLiteral literal;
  literal.type = tensor.type();
  literal.dims = tensor.dims();
  if (tensor.type() == DataType::string) {
    literal.strings = tensor.strings();
  } else {
    const auto packed = tensor.packed();
    literal.raw.assign(reinterpret_cast<const char*>(packed.data()), packed.size());
  }
  return literal;
}

std::string type_text(const executor::Value& value, Supply supply, int position) {
  const Tensor* t = value.tensor();
  if (t == nullptr) return "float";
  std::string dims;
  for (int i = 0; i < t->rank(); ++i) {
    dims += i == 0 ? "" : ",";
    dims += supply == Supply::graph_input ? fmt::format("{}", t->dim(i))
            : position < 0                ? fmt::format("Y{}_{}", -position - 1, i)
                                          : fmt::format("D{}_{}", position, i);
  }
  return t->rank() == 0 ? std::string(name_of(t->type()))
                        : fmt::format("{}[{}]", name_of(t->type()), dims);
}

executor::NamedValues inputs_of(const NodeCase& c) {
  executor::NamedValues values;
  each_given(c, [&](const std::string& name, const Argument& a) {
    if (a.supply == Supply::unknown_rank) {
      const Tensor& t = *a.value.tensor();
      Tensor dims(DataType::int64, {t.rank()});
      std::ranges::copy(t.dims(), dims.mutable_data<std::int64_t>().begin());
      values[elements_name(name)] = a.value;
      values[dims_name(name)] = executor::Value{std::move(dims)};
    } else if (is_cast(c, a)) {
      values[whole_name(name)] = whole(a.value);
    } else if (is_graph_input(a)) {
      values[name] = a.value;
    }
  });
  if (c.nested) values["branch"] = executor::Value{Tensor::scalar<bool>(true)};
  return values;
}

Result<Model> model_of(const NodeCase& c, const std::vector<executor::Value>* results) {
  int ir = std::max(4, ir_version_for_opset(c.schema->domain, c.opset));
  std::string inputs;
  const auto add_input = [&](const std::string& text) {
    inputs += (inputs.empty() ? "" : ", ") + text;
  };
  int position = 0;
  each_given(c, [&](const std::string& name, const Argument& a) {
    ++position;
    if (const Tensor* t = a.value.tensor()) ir = std::max(ir, first_ir_version(t->type()));
    if (!is_graph_input(a)) return;
    if (a.supply == Supply::unknown_rank) {
      add_input(type_text(a.value, a.supply, position) + " " + elements_name(name));
      return add_input(fmt::format("int64[R{}] {}", position, dims_name(name)));
    }
    if (is_cast(c, a)) {
      return add_input(type_text(whole(a.value), a.supply, position) + " " + whole_name(name));
    }
    add_input((a.type.empty() ? type_text(a.value, a.supply, position) : a.type) + " " + name);
  });
  if (c.nested) add_input("bool branch");
  std::string outputs;
  std::size_t k = 0;
  for (std::size_t i = 0; i < c.outputs.size(); ++i) {
    if (!c.outputs[i]) continue;
    std::string type = "float[]";
    if (results != nullptr) {
      type = type_text((*results)[k], c.open_outputs ? Supply::symbolic : Supply::graph_input,
                       -static_cast<int>(i) - 1);
      if (const Tensor* t = (*results)[k].tensor()) ir = std::max(ir, first_ir_version(t->type()));
    }
    if (i < c.output_types.size() && !c.output_types[i].empty()) type = c.output_types[i];
    ++k;
    outputs += fmt::format("{}{} {}", outputs.empty() ? "" : ", ", type, output_name(i));
  }
  if (c.in_function) ir = std::max(ir, 8);
  const bool standard = c.schema->domain.empty();
  std::string imports = fmt::format("\"\" : {}", standard ? c.opset : c.ai_onnx);
  if (!standard) {
    ir = std::max(ir, ir_version_for_opset("", c.ai_onnx));
    imports += fmt::format(", \"{}\" : {}", c.schema->domain, c.opset);
  }
  std::string function;
  if (c.in_function) {
    std::string formals;
    std::string results_named;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      if (c.inputs[i].absent()) continue;
      formals += (formals.empty() ? "" : ", ") + input_name(i);
    }
    for (std::size_t i = 0; i < c.outputs.size(); ++i) {
      if (!c.outputs[i]) continue;
      results_named += (results_named.empty() ? "" : ", ") + output_name(i);
    }
    function = fmt::format("<domain: \"local\", opset_import: [{}]>\nwrapped ({}) => ({}) {{ }}\n",
                           imports, formals, results_named);
    imports += ", \"local\" : 1";
  }
  auto model =
      Model::parse(fmt::format("<ir_version: {}, opset_import: [{}]>\ng ({}) => ({}) {{ }}\n{}", ir,
                               imports, inputs, outputs, function),
                   "case", ModelFormat::text);
  if (!model) return model;
  ModelEditor editor(*model);
  BodyEditor graph = editor.graph();
  std::vector<OwnedNode> nodes;
  each_given(c, [&](const std::string& name, const Argument& a) {
    const Tensor* t = a.value.tensor();
    if (t == nullptr) return;
    if (is_cast(c, a)) nodes.push_back(cast(whole_name(name), name, t->type()));
    if (a.supply == Supply::initializer) graph.add_initializer(name, literal_of(*t));
    if (a.supply == Supply::overridable) graph.add_initializer(name, overridden(*t));
    if (a.supply == Supply::unknown_rank) {
      OwnedNode node({}, "Reshape");
      node.set_inputs({elements_name(name), dims_name(name)});
      node.set_outputs({name});
      nodes.push_back(std::move(node));
    }
    if (a.supply == Supply::constant) {
      OwnedNode node({}, "Constant");
      node.set("value", literal_of(*t));
      node.set_outputs({name});
      nodes.push_back(std::move(node));
    }
  });
  if (c.nested) {
    OwnedNode choice({}, "If");
    choice.set_inputs({"branch"});
    std::vector<std::string> names;
    for (std::size_t i = 0; i < c.outputs.size(); ++i) {
      if (c.outputs[i]) names.push_back(output_name(i));
    }
    choice.set_outputs(names);
    choice.set("then_branch", branch(c, "_then", results));
    choice.set("else_branch", branch(c, "_else", results));
    nodes.push_back(std::move(choice));
  } else if (c.in_function) {
    OwnedNode call("local", "wrapped");
    std::vector<std::string> names;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      if (!c.inputs[i].absent()) names.push_back(input_name(i));
    }
    call.set_inputs(names);
    names.clear();
    for (std::size_t i = 0; i < c.outputs.size(); ++i) {
      if (c.outputs[i]) names.push_back(output_name(i));
    }
    call.set_outputs(names);
    nodes.push_back(std::move(call));
    std::vector<OwnedNode> body;
    body.push_back(node_of(c, ""));
    editor.function(0).put_nodes(std::move(body));
  } else {
    nodes.push_back(node_of(c, ""));
  }
  // The last node gives the results.
  std::vector<OwnedNode> casts;
  k = 0;
  for (std::size_t i = 0; i < c.outputs.size(); ++i) {
    if (!c.outputs[i]) continue;
    const bool narrow = c.inside && k < c.narrow_outputs.size() && c.narrow_outputs[k];
    ++k;
    if (!narrow) continue;
    const int place = static_cast<int>(c.nested || c.in_function ? k - 1 : i);
    nodes.back().set_output(place, narrow_name(output_name(i)));
    casts.push_back(cast(narrow_name(output_name(i)), output_name(i), DataType::int32));
  }
  for (OwnedNode& node : casts) nodes.push_back(std::move(node));
  graph.put_nodes(std::move(nodes));
  return model;
}

}  // namespace onnxcompat::properties
