#include "cli/model_diff.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "model/walk.h"
#include "report/report.h"
#include "support/version.h"

namespace onnxcompat::cli {
namespace {

/// Types that hold every value of the key, too: changing to them is compatible.
bool widens(DataType from, DataType to) {
  static const std::map<DataType, std::set<DataType>> kWider = {
      {DataType::float16, {DataType::float32, DataType::float64}},
      {DataType::bfloat16, {DataType::float32, DataType::float64}},
      {DataType::float32, {DataType::float64}},
      {DataType::int4, {DataType::int8, DataType::int16, DataType::int32, DataType::int64}},
      {DataType::int8, {DataType::int16, DataType::int32, DataType::int64}},
      {DataType::int16, {DataType::int32, DataType::int64}},
      {DataType::int32, {DataType::int64}},
      {DataType::uint4,
       {DataType::uint8, DataType::uint16, DataType::uint32, DataType::uint64, DataType::int8,
        DataType::int16, DataType::int32, DataType::int64}},
      {DataType::uint8,
       {DataType::uint16, DataType::uint32, DataType::uint64, DataType::int16, DataType::int32,
        DataType::int64}},
      {DataType::uint16, {DataType::uint32, DataType::uint64, DataType::int32, DataType::int64}},
      {DataType::uint32, {DataType::uint64, DataType::int64}},
      {DataType::complex64, {DataType::complex128}},
  };
  const auto wider = kWider.find(from);
  return wider != kWider.end() && wider->second.contains(to);
}

bool is_tensor(const TypeView& type) { return type.kind() == TypeView::Kind::tensor; }

std::string dim_text(const DimView& dim) {
  if (dim.has_value()) return fmt::format("{}", dim.value());
  return dim.has_param() && !dim.param().empty() ? dim.param() : "?";
}

std::string type_text(const TypeView& type) {
  std::string text = type.str();
  if (text.empty()) text = "no type";
  if (!type.has_shape()) return text;
  std::vector<std::string> dims;
  for (const DimView dim : type.dims()) dims.push_back(dim_text(dim));
  return fmt::format("{}[{}]", text, fmt::join(dims, ","));
}

/// Whether a shape allows more or less than before.
struct ShapeChange {
  bool wider = false;
  bool narrower = false;
};

ShapeChange compare_shapes(const TypeView& from, const TypeView& to) {
  if (from.has_shape() != to.has_shape()) return {from.has_shape(), to.has_shape()};
  if (!from.has_shape()) return {};
  if (from.dims().size() != to.dims().size()) return {true, true};
  ShapeChange change;
  for (int i = 0; i < from.dims().size(); ++i) {
    const DimView a = from.dims()[i];
    const DimView b = to.dims()[i];
    if (a.has_value() && b.has_value()) {
      if (a.value() != b.value()) change.wider = change.narrower = true;
    } else {
      change.wider = change.wider || a.has_value();
      change.narrower = change.narrower || b.has_value();
    }
  }
  return change;
}

bool same_denotations(const TypeView& from, const TypeView& to) {
  if (from.denotation() != to.denotation()) return false;
  if (!from.has_shape() || !to.has_shape() || from.dims().size() != to.dims().size()) return true;
  for (int i = 0; i < from.dims().size(); ++i) {
    if (from.dims()[i].denotation() != to.dims()[i].denotation()) return false;
  }
  return true;
}

std::string hash_of(const Model& model, const TensorView& tensor) {
  std::string text =
      fmt::format("{}[{}]", static_cast<int>(tensor.data_type()), fmt::join(tensor.dims(), ","));
  if (tensor.data_type() == DataType::string) {
    for (const std::string& s : tensor.strings()) text += fmt::format("{}:{};", s.size(), s);
    return text;
  }
  std::vector<std::byte> scratch;
  const auto bytes = model.tensor_bytes(tensor, scratch);
  if (!bytes) return text + "unreadable";
  const std::string_view raw(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  return text + short_hash(raw);
}

std::string attribute_text(const Model& model, const AttributeView& attribute) {
  std::string text = fmt::format("{}:{}=", attribute.name(), name_of(attribute.type()));
  if (attribute.is_reference()) return text + "@" + attribute.ref_attr_name();
  switch (attribute.type()) {
    case AttributeType::float_:
      return text + fmt::format("{}", attribute.f());
    case AttributeType::int_:
      return text + fmt::format("{}", attribute.i());
    case AttributeType::string:
      return text + attribute.s();
    case AttributeType::floats:
      return text + fmt::format("{}", fmt::join(attribute.floats(), ","));
    case AttributeType::ints:
      return text + fmt::format("{}", fmt::join(attribute.ints(), ","));
    case AttributeType::strings:
      return text + fmt::format("{}", fmt::join(attribute.strings(), ","));
    case AttributeType::tensor:
      return text + hash_of(model, attribute.t());
    case AttributeType::type_proto:
      return text + type_text(attribute.tp());
    default:  // graphs are bodies of their own
      return text;
  }
}

/// A node as what it computes: operator, values and attributes, in any order of attributes.
std::string node_text(const Model& model, const NodeView& node) {
  std::vector<std::string> attributes;
  for (const AttributeView attribute : node.attributes()) {
    attributes.push_back(attribute_text(model, attribute));
  }
  std::ranges::sort(attributes);
  return fmt::format("{}.{}.{}({})->({}){{{}}}", node.domain(), node.op_type(), node.overload(),
                     fmt::join(node.inputs(), ","), fmt::join(node.outputs(), ","),
                     fmt::join(attributes, ";"));
}

struct Contents {
  std::map<std::string, ValueInfoView> inputs;
  std::map<std::string, ValueInfoView> outputs;
  std::vector<std::string> input_order;
  std::vector<std::string> output_order;
  std::map<std::string, std::string> initializers;  ///< hash by name, main graph
  std::map<std::string, int> opsets;
  std::map<std::string, int> operators;
  std::multiset<std::string> nodes;
  std::set<std::string> functions;

  explicit Contents(const Model& model) {
    const GraphView graph = model.graph();
    for (const ValueInfoView v : graph.inputs()) {
      inputs.emplace(v.name(), v);
      input_order.push_back(v.name());
    }
    for (const ValueInfoView v : graph.outputs()) {
      outputs.emplace(v.name(), v);
      output_order.push_back(v.name());
    }
    for (const TensorView t : graph.initializers()) initializers[t.name()] = hash_of(model, t);
    for (const SparseTensorView t : graph.sparse_initializers()) {
      initializers[t.values().name()] = hash_of(model, t.values()) + hash_of(model, t.indices());
    }
    for (const OpsetImportView import : model.opset_imports()) {
      opsets[std::string(display_domain(import.domain()))] = clamp_version(import.version());
    }
    each_body(model, [&](const Body& body) {
      for (const NodeView node : body.nodes()) {
        ++operators[node.domain().empty() ? node.op_type()
                                          : fmt::format("{}.{}", node.domain(), node.op_type())];
        nodes.insert(node_text(model, node));
      }
    });
    for (const FunctionView function : model.functions()) {
      functions.insert(fmt::format("{}.{}", function.domain(), function.name()));
    }
  }

  /// An input that callers may leave out.
  bool has_default(const std::string& input) const { return initializers.contains(input); }
};

class Comparison {
 public:
  Comparison(const Model& old_model, const Model& new_model)
      : old_model_(old_model), new_model_(new_model), old_(old_model), new_(new_model) {}

  ModelDiff run() {
    inputs();
    outputs();
    order("input", old_.input_order, new_.input_order);
    order("output", old_.output_order, new_.output_order);
    versions();
    operators();
    weights();
    texts();
    std::ranges::stable_sort(
        diff_.changes, [](const ModelChange& a, const ModelChange& b) { return a.bump > b.bump; });
    for (const ModelChange& change : diff_.changes) {
      diff_.required = std::max(diff_.required, change.bump);
    }
    diff_.old_version = unpacked(old_model_.model_version());
    diff_.new_version = unpacked(new_model_.model_version());
    diff_.least = bumped(diff_.old_version, diff_.required);
    diff_.sufficient = diff_.new_version >= diff_.least;
    return std::move(diff_);
  }

 private:
  void add(Bump bump, std::string kind, std::string name, std::string message) {
    diff_.changes.push_back({bump, std::move(kind), std::move(name), std::move(message)});
  }

  void inputs() {
    for (const auto& [name, before] : old_.inputs) {
      const auto now = new_.inputs.find(name);
      if (now == new_.inputs.end()) {
        const bool optional = old_.has_default(name);
        // Initializers need not be inputs since IR 4: one that is none any more is not overridable.
        add(Bump::major, "input-removed", name,
            fmt::format("Input \"{}\"{} is gone", name,
                        optional ? ", which could be overridden," : ""));
        continue;
      }
      type_change("input", name, before.type(), now->second.type());
      if (old_.has_default(name) && !new_.has_default(name)) {
        add(Bump::major, "input-default-removed", name,
            fmt::format("Input \"{}\" has no default any more", name));
      }
      if (!old_.has_default(name) && new_.has_default(name)) {
        add(Bump::minor, "input-default-added", name,
            fmt::format("Input \"{}\" has a default now", name));
      }
    }
    for (const auto& [name, now] : new_.inputs) {
      if (old_.inputs.contains(name)) continue;
      const bool optional = new_.has_default(name);
      add(optional ? Bump::minor : Bump::major, "input-added", name,
          fmt::format("Input \"{}\" of {} is new, {}", name, type_text(now.type()),
                      optional ? "with a default" : "without a default"));
    }
  }

  void outputs() {
    for (const auto& [name, before] : old_.outputs) {
      const auto now = new_.outputs.find(name);
      if (now == new_.outputs.end()) {
        add(Bump::major, "output-removed", name, fmt::format("Output \"{}\" is gone", name));
      } else {
        type_change("output", name, before.type(), now->second.type());
      }
    }
    for (const auto& [name, now] : new_.outputs) {
      if (old_.outputs.contains(name)) continue;
      add(Bump::minor, "output-added", name,
          fmt::format("Output \"{}\" of {} is new", name, type_text(now.type())));
    }
  }

  void type_change(std::string_view which, const std::string& name, const TypeView& from,
                   const TypeView& to) {
    const std::string change =
        fmt::format("{} \"{}\" changed from {} to {}", which == "input" ? "Input" : "Output", name,
                    type_text(from), type_text(to));
    if (from.str() != to.str()) {
      const bool compatible =
          is_tensor(from) && is_tensor(to) && widens(from.elem_type(), to.elem_type());
      add(compatible ? Bump::minor : Bump::major, fmt::format("{}-type", which), name, change);
    }
    if (!is_tensor(from) || !is_tensor(to)) return;
    const ShapeChange shape = compare_shapes(from, to);
    // Callers may pass what was allowed, and rely on what was promised.
    const bool breaks = which == "input" ? shape.narrower : shape.wider;
    if (shape.wider || shape.narrower) {
      add(breaks ? Bump::major : Bump::minor, fmt::format("{}-shape", which), name, change);
    }
    if (!same_denotations(from, to)) {
      add(Bump::major, fmt::format("{}-meaning", which), name,
          fmt::format("The denotation of {} \"{}\" changed", which, name));
    }
  }

  void order(std::string_view which, const std::vector<std::string>& before,
             const std::vector<std::string>& now) {
    const auto common = [](const std::vector<std::string>& list,
                           const std::vector<std::string>& other) {
      std::vector<std::string> both;
      for (const std::string& name : list) {
        if (std::ranges::count(other, name)) both.push_back(name);
      }
      return both;
    };
    if (common(before, now) == common(now, before)) return;
    add(Bump::major, fmt::format("{}-order", which), "",
        fmt::format("The {}s come in another order, which matters to callers by position", which));
  }

  void versions() {
    if (old_model_.ir_version() != new_model_.ir_version()) {
      add(Bump::patch, "ir-version", "",
          fmt::format("IR version changed from {} to {}", old_model_.ir_version(),
                      new_model_.ir_version()));
    }
    std::map<std::string, std::pair<int, int>> both;
    for (const auto& [domain, version] : old_.opsets) both[domain].first = version;
    for (const auto& [domain, version] : new_.opsets) both[domain].second = version;
    for (const auto& [domain, change] : both) {
      const auto& [from, to] = change;
      if (from == to) continue;
      add(Bump::patch, "opset", domain,
          from == 0 ? fmt::format("Operator set {} {} is imported now", domain, to)
          : to == 0 ? fmt::format("Operator set {} {} is imported no more", domain, from)
                    : fmt::format("Operator set {} changed from {} to {}", domain, from, to));
    }
  }

  void operators() {
    std::map<std::string, std::pair<int, int>> both;
    for (const auto& [op, count] : old_.operators) both[op].first = count;
    for (const auto& [op, count] : new_.operators) both[op].second = count;
    bool counted = false;
    for (const auto& [op, change] : both) {
      if (change.first == change.second) continue;
      counted = true;
      add(Bump::patch, "operator", op,
          fmt::format("{}: {} before, {} now", op, plural(change.first, "node"), change.second));
    }
    if (!counted && old_.nodes != new_.nodes) {
      std::vector<std::string> gone;
      std::ranges::set_difference(old_.nodes, new_.nodes, std::back_inserter(gone));
      add(Bump::patch, "nodes", "",
          fmt::format("{} changed values, attributes or place",
                      plural(static_cast<int>(gone.size()), "node")));
    }
    if (old_.functions != new_.functions) {
      add(Bump::patch, "functions", "", "The model's functions changed");
    }
  }

  void weights() {
    int changed = 0;
    int gone = 0;
    int added = 0;
    std::string first;
    for (const auto& [name, hash] : old_.initializers) {
      const auto now = new_.initializers.find(name);
      if (now == new_.initializers.end()) {
        ++gone;
      } else if (now->second != hash) {
        if (changed++ == 0) first = name;
      }
    }
    for (const auto& [name, hash] : new_.initializers) added += !old_.initializers.contains(name);
    if (changed > 0) {
      add(Bump::patch, "weights", first,
          fmt::format("{} changed, the first is \"{}\"", plural(changed, "initializer"), first));
    }
    if (gone > 0 || added > 0) {
      add(Bump::patch, "initializers", "",
          fmt::format("{} gone, {} new", plural(gone, "initializer"), added));
    }
  }

  void texts() {
    if (old_model_.doc_string() != new_model_.doc_string()) {
      add(Bump::none, "doc-string", "", "The model's doc string changed");
    }
    const auto entries = [](const Model& model) {
      std::map<std::string, std::string> all;
      for (const EntryView entry : model.metadata_props()) all[entry.key()] = entry.value();
      return all;
    };
    if (entries(old_model_) != entries(new_model_)) {
      add(Bump::none, "metadata", "", "The model's metadata changed");
    }
  }

  const Model& old_model_;
  const Model& new_model_;
  const Contents old_;
  const Contents new_;
  ModelDiff diff_;
};

}  // namespace

std::string_view name_of(Bump bump) {
  switch (bump) {
    case Bump::none:
      return "none";
    case Bump::patch:
      return "patch";
    case Bump::minor:
      return "minor";
    case Bump::major:
      return "major";
  }
  return "none";
}

std::string ModelVersion::str() const { return fmt::format("{}.{}.{}", major, minor, patch); }

ModelVersion unpacked(std::int64_t model_version) {
  const auto bits = static_cast<std::uint64_t>(model_version);
  return {bits >> 48, (bits >> 32) & 0xffff, bits & 0xffffffff};
}

ModelVersion bumped(const ModelVersion& version, Bump bump) {
  switch (bump) {
    case Bump::none:
      return version;
    case Bump::patch:
      return {version.major, version.minor, version.patch + 1};
    case Bump::minor:
      return {version.major, version.minor + 1, 0};
    case Bump::major:
      return {version.major + 1, 0, 0};
  }
  return version;
}

ModelDiff diff_models(const Model& old_model, const Model& new_model) {
  return Comparison(old_model, new_model).run();
}

}  // namespace onnxcompat::cli
