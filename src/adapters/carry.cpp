#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "adapters/blocks.h"
#include "adapters/preparation.h"

namespace onnxcompat::adapters {
namespace {

/// What a type's values are held in; undefined if every target has the type.
DataType carrier_of(DataType type) {
  switch (type) {
    case DataType::int4:
    case DataType::int2:
      return DataType::int8;
    case DataType::uint4:
    case DataType::uint2:
      return DataType::uint8;
    case DataType::bfloat16:
    case DataType::float8e4m3fn:
    case DataType::float8e4m3fnuz:
    case DataType::float8e5m2:
    case DataType::float8e5m2fnuz:
    case DataType::float4e2m1:
    case DataType::float8e8m0:
      return DataType::float32;
    default:
      return DataType::undefined;
  }
}

bool is_whole(DataType narrow) { return carrier_of(narrow) != DataType::float32; }

/// Operators that hand elements on as they are, whatever type they have.
constexpr std::array<std::string_view, 25> kMove = {
    "Identity",        "Reshape", "Transpose", "Flatten",      "Squeeze",
    "Unsqueeze",       "Pad",     "Shape",     "Size",         "Concat",
    "Slice",           "Split",   "Gather",    "GatherND",     "GatherElements",
    "Expand",          "Tile",    "Where",     "SpaceToDepth", "DepthToSpace",
    "ReverseSequence", "If",      "Loop",      "Scan",         "Compress"};

/// May a node take and give the wider type in place of the narrow one?
bool can_carry(const NodeView& node, DataType narrow, bool gives) {
  if (!node.domain().empty()) return false;
  const std::string& op = node.op_type();
  if (std::ranges::find(kMove, op) != kMove.end()) return true;
  if (op == "Constant" || op == "ConstantOfShape") {
    const auto value = node.attribute("value");
    return value && !value->is_reference() && value->type() == AttributeType::tensor;
  }
  // What makes a number of a narrow type can be written for whole ones.
  if (op == "Cast" || op == "CastLike") return node.has_input(0) && (is_whole(narrow) || !gives);
  return (op == "QuantizeLinear" || op == "DequantizeLinear") && is_whole(narrow);
}

class Carriage {
 public:
  Carriage(const Model& source, const ConversionRequest& request, int target)
      : context_(source, request) {
    for (int t = 1; t < kDataTypeCount; ++t) {
      const auto type = static_cast<DataType>(t);
      if (carrier_of(type) == DataType::undefined || cast_knows(target, type)) continue;
      if (context_.may_occur(fmt::format("tensor({})", name_of(type)))) carried_.insert(type);
    }
    // What a function takes and gives is known at its calls only.
    if (!source.functions().empty()) carried_.clear();
    if (!carried_.empty()) each_body(source, [&](const Body& body) { rule_out(body); });
  }

  bool carries_nothing() const { return carried_.empty(); }

  /// The types that are carried: name and carrier, for the report.
  std::string run(Model& copy) {
    each_root(context_.source, copy,
              [&](const Body& body, const auto& edit, int) { go_through(edit(), body); });
    std::vector<std::string> shown;
    for (const DataType type : carried_) {
      if (found_.contains(type)) {
        shown.push_back(fmt::format("{} in {}", name_of(type), name_of(carrier_of(type))));
      }
    }
    return fmt::format("{}", fmt::join(shown, ", "));
  }

 private:
  /// The narrow type of a value, or of what it holds; undefined if it is of another one.
  DataType narrow_type(const Body& body, std::string_view value) {
    const ValueType* type = value.empty() ? nullptr : context_.inference().type_of(body, value);
    while (type != nullptr && type->inner) type = type->inner.get();
    return type != nullptr && carried_.contains(type->elem) ? type->elem : DataType::undefined;
  }

  bool is_known(const Body& body, std::string_view value) {
    const ValueType* type = context_.inference().type_of(body, value);
    return type != nullptr && type->is_known();
  }

  bool is_tensor(const Body& body, std::string_view value) {
    return context_.inference().type_of(body, value)->kind == TypeView::Kind::tensor;
  }

  /// Drops the types that the body does not let carry.
  void rule_out(const Body& body) {
    const auto drop = [&](DataType type) { carried_.erase(type); };
    if (body.outer == nullptr) {
      for (const ValueInfoView v : body.graph->inputs()) drop(narrow_type(body, v.name()));
      for (const ValueInfoView v : body.graph->outputs()) drop(narrow_type(body, v.name()));
    }
    for (const SparseTensorView t : body.graph->sparse_initializers()) {
      drop(t.values().data_type());
    }
    for (const NodeView node : body.nodes()) {
      DataType taken = DataType::undefined;
      for (const bool gives : {false, true}) {
        for (const std::string& name : gives ? node.outputs() : node.inputs()) {
          const DataType type = narrow_type(body, name);
          if (!gives && type != DataType::undefined) taken = type;
          // What is not known may be of that type.
          if (gives && !name.empty() && !is_known(body, name)) drop(taken);
          if (type == DataType::undefined) continue;
          if (!is_tensor(body, name) || !can_carry(node, type, gives)) drop(type);
        }
      }
    }
    for (const ValueInfoView v : body.graph->inputs()) {
      if (!is_known(body, v.name())) carried_.clear();
    }
  }

  void go_through(BodyEditor editor, const Body& body) {
    const GraphView graph = *body.graph;
    std::vector<std::string> stated;
    for (const ValueInfoView v : graph.value_infos()) {
      if (narrow_type(body, v.name()) != DataType::undefined) stated.push_back(v.name());
    }
    std::vector<std::pair<std::string, TensorLiteral>> initializers;
    std::vector<std::string> replaced;
    for (const TensorView t : graph.initializers()) {
      if (!carried_.contains(t.data_type())) continue;
      auto literal = TensorLiteral::widened(t, carrier_of(t.data_type()));
      if (!literal) continue;  // its reader is refused
      found_.insert(t.data_type());
      replaced.push_back(t.name());
      initializers.emplace_back(t.name(), *std::move(literal));
    }
    for (int i = 0; body.outer != nullptr && i < graph.inputs().size(); ++i) {
      const DataType type = narrow_type(body, graph.inputs()[i].name());
      if (type != DataType::undefined) editor.set_input_type(i, carrier_of(type));
    }
    for (int i = 0; body.outer != nullptr && i < graph.outputs().size(); ++i) {
      const DataType type = narrow_type(body, graph.outputs()[i].name());
      if (type != DataType::undefined) editor.set_output_type(i, carrier_of(type));
    }
    std::vector<OwnedNode> out;
    std::vector<OwnedNode> nodes = editor.take_nodes();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const int index = static_cast<int>(i);
      each_subgraph(body, index, [&](const Body& inner, int at, int k) {
        go_through(nodes[i].graph(at, k), inner);
      });
      widen(body, std::move(nodes[i]), out);
    }
    editor.put_nodes(std::move(out));
    editor.drop_value_infos(stated);
    editor.drop_initializers(replaced);
    for (const auto& [name, literal] : initializers) editor.add_initializer(name, literal);
  }

  std::string emit(std::string_view op, const std::vector<std::string>& inputs,
                   const std::string& to, std::vector<OwnedNode>& out) {
    OwnedNode node({}, op);
    node.set_inputs(inputs);
    node.set_outputs({to});
    out.push_back(std::move(node));
    return to;
  }

  std::string number(double value, DataType type, const std::string& base,
                     std::vector<OwnedNode>& out) {
    OwnedNode node({}, "Constant");
    node.set_outputs({context_.fresh_name(base)});
    node.set("value", TensorLiteral::scalar(type, value));
    out.push_back(std::move(node));
    return out.back().view().outputs()[0];
  }

  void widen(const Body& body, OwnedNode node, std::vector<OwnedNode>& out) {
    const std::string op = node.view().op_type();
    const std::string result = node.view().outputs().empty() ? "" : node.view().outputs()[0];
    const DataType narrow = narrow_type(body, result);
    if (narrow == DataType::undefined) {
      out.push_back(std::move(node));
      return;
    }
    found_.insert(narrow);
    const DataType wide = carrier_of(narrow);
    if (op == "Constant" || op == "ConstantOfShape") {
      const auto literal = TensorLiteral::widened(node.view().attribute("value")->t(), wide);
      if (literal) node.set("value", *literal);
      out.push_back(std::move(node));
    } else if (op == "QuantizeLinear") {
      quantized(std::move(node), narrow, out);
    } else if (op == "Cast" || op == "CastLike") {
      cast_to(std::move(node), narrow, out);
    } else {
      out.push_back(std::move(node));
    }
  }

  static double least(DataType narrow) {
    const bool is_signed = narrow == DataType::int4 || narrow == DataType::int2;
    return is_signed ? -static_cast<double>(1 << (bits_of(narrow) - 1)) : 0;
  }

  /// [QuantizeLinear-21] saturates at the ends of the type.
  void quantized(OwnedNode node, DataType narrow, std::vector<OwnedNode>& out) {
    const DataType wide = carrier_of(narrow);
    const std::string result = node.view().outputs()[0];
    const std::string inner = context_.fresh_name(result + "_wide");
    if (node.view().attribute("output_dtype")) {
      node.set("output_dtype", static_cast<std::int64_t>(wide));
    }
    node.set_outputs({inner});
    out.push_back(std::move(node));
    const std::string low = number(least(narrow), wide, result + "_min", out);
    const std::string high =
        number(least(narrow) + (1 << bits_of(narrow)) - 1, wide, result + "_max", out);
    emit("Clip", {inner, low, high}, result, out);
  }

  /// [Cast-21] keeps the low bits of what is out of range.
  void cast_to(OwnedNode node, DataType narrow, std::vector<OwnedNode>& out) {
    constexpr DataType kWork = DataType::int32;
    const std::string result = node.view().outputs()[0];
    const auto fresh = [&](const char* what) {
      return context_.fresh_name(fmt::format("{}_{}", result, what));
    };
    node.set_op({}, "Cast");
    node.set_inputs({node.view().inputs()[0]});
    node.drop_attributes();
    node.set("to", static_cast<std::int64_t>(kWork));
    std::string value = fresh("whole");
    node.set_outputs({value});
    out.push_back(std::move(node));
    const double down = -least(narrow);
    std::string half;
    if (down != 0) {
      half = number(down, kWork, result + "_half", out);
      value = emit("Add", {value, half}, fresh("moved"), out);
    }
    const std::string span = number(1 << bits_of(narrow), kWork, result + "_span", out);
    value = emit("Mod", {value, span}, fresh("low"), out);
    if (down != 0) value = emit("Sub", {value, half}, fresh("number"), out);
    emit("Cast", {value}, result, out);
    out.back().set("to", static_cast<std::int64_t>(carrier_of(narrow)));
  }

  Context context_;
  std::set<DataType> carried_;
  std::set<DataType> found_;
};

}  // namespace

std::optional<Model> carry_in_wider_types(Context& context, const Model& model) {
  const auto target = wanted_opset(context.request);
  if (!target) return std::nullopt;
  Carriage carriage(model, context.request, *target);
  if (carriage.carries_nothing()) return std::nullopt;
  Model carried = model.clone();
  const std::string what = carriage.run(carried);
  if (what.empty()) return std::nullopt;
  ConversionStep step;
  step.op = "Types";
  step.authority = Authority::written;
  step.note = fmt::format("values inside the model held in wider types: {}", what);
  context.steps.push_back(std::move(step));
  return carried;
}

}  // namespace onnxcompat::adapters
