#include <algorithm>
#include <array>
#include <map>
#include <memory_resource>
#include <unordered_map>

#include "checker/rules.h"
#include "inference/inference.h"
#include "versiontable/version_table.h"

namespace onnxcompat::rules {
namespace {

std::string version_of(const OpSchema& schema) {
  return fmt::format("{}-{}", schema.name, schema.since_version);
}

/// Schemas name the scalars of a map ("map(int64,float)"), types in models their tensors
/// ("map(int64,tensor(float))"): the same to every reader.
std::string without_map_tensors(std::string_view type) {
  std::string out;
  bool in_map_value = false;
  for (std::size_t i = 0; i < type.size(); ++i) {
    if (type[i] == ' ') continue;
    if (type[i] == ',') in_map_value = true;
    if (in_map_value && type.substr(i).starts_with("tensor(")) {
      i += std::string_view("tensor(").size() - 1;
      const std::size_t end = type.find(')', i);
      out += type.substr(i + 1, end - i - 1);
      i = end;
      in_map_value = false;
      if (end == std::string_view::npos) break;
      continue;
    }
    out += type[i];
  }
  return out;
}

bool is_among(std::string_view type, std::span<const std::string_view> allowed) {
  if (std::ranges::find(allowed, type) != allowed.end()) return true;
  if (type.find("map(") == std::string_view::npos) return false;
  const std::string plain = without_map_tensors(type);
  return std::ranges::any_of(
      allowed, [&](std::string_view other) { return without_map_tensors(other) == plain; });
}

/// The declared type of a value that is seen from this body; empty if there is none.
std::string declared_str(const BodyScope& b, std::string_view value) {
  for (const BodyScope* at = &b; at != nullptr; at = at->outer) {
    const auto declared = at->declared.find(value);
    if (declared != at->declared.end()) return declared->second.type().str();
    if (at->find(value) != nullptr) break;
  }
  return {};
}

bool is_typed(const ValueType* type) { return type != nullptr && type->is_known(); }

/// "tensor(float), tensor(double)…": the types a parameter may have, the first few of them.
std::string listing(std::span<const std::string_view> types) {
  static constexpr std::size_t kMostNamed = 6;
  const std::size_t named = std::min(types.size(), kMostNamed);
  return fmt::format("{}{}", fmt::join(types.first(named), ", "),
                     named < types.size() ? fmt::format(" and {} more", types.size() - named) : "");
}

/// What a formal parameter allows, in a form that is compared at once: most values are tensors.
struct Allowed {
  std::uint32_t tensors = 0;  ///< a bit for each element type
  int variable = -1;          ///< number of its type variable; -1: it names one type
  static_assert(kDataTypeCount <= 32);
};

/// The parameters of a schema, inputs first.
std::span<const Allowed> allowed_by(const OpSchema& schema) {
  static const OpSchema* const first = all_schemas().data();
  thread_local std::vector<std::vector<Allowed>> known(all_schemas().size());
  std::vector<Allowed>& own = known[static_cast<std::size_t>(&schema - first)];
  if (!own.empty()) return own;
  for (const auto& formals : {schema.inputs, schema.outputs}) {
    for (const FormalParameter& formal : formals) {
      Allowed& allowed = own.emplace_back();
      for (const std::string_view type : schema.allowed_types(formal.type_str)) {
        if (!type.starts_with("tensor(")) continue;
        const auto elem = data_type_named(type.substr(7, type.size() - 8));
        if (elem) allowed.tensors |= 1U << static_cast<unsigned>(*elem);
      }
      const auto variable =
          std::ranges::find(schema.type_constraints, formal.type_str, &TypeConstraint::param);
      if (variable != schema.type_constraints.end()) {
        allowed.variable = static_cast<int>(variable - schema.type_constraints.begin());
      }
    }
  }
  return own;
}

/// Holds the types of a node's inputs, or of its outputs, against its schema. Bound type variables
/// are shared by both.
class TypeMatch {
 public:
  TypeMatch(const NodeAt& n, const OpSchema& schema, Sink& out)
      : n_(n), schema_(schema), out_(out) {}

  /// True if all types are of tensors and as they should be: so for most nodes. False says nothing.
  bool plainly_fits() const {
    const auto allowed = allowed_by(schema_);
    std::array<DataType, 8> bound{};
    const auto fits = [&](std::span<const ValueType* const> types,
                          std::span<const FormalParameter> formals, std::size_t offset) {
      if (types.empty()) return true;
      if (formals.empty()) return false;
      for (std::size_t i = 0; i < types.size(); ++i) {
        if (types[i] == nullptr) continue;
        const std::size_t k = std::min(i, formals.size() - 1);
        if (i > k && formals[k].option != ParameterOption::variadic) return false;
        if (types[i]->kind != TypeView::Kind::tensor || !formals[k].homogeneous) return false;
        const Allowed& own = allowed[offset + k];
        const DataType elem = types[i]->elem;
        if (!is_known(elem) || (own.tensors >> static_cast<unsigned>(elem) & 1U) == 0) return false;
        if (own.variable < 0) continue;
        const auto variable = static_cast<std::size_t>(own.variable);
        if (variable >= bound.size()) return false;
        if (bound[variable] == DataType::undefined) bound[variable] = elem;
        if (bound[variable] != elem) return false;
      }
      return true;
    };
    return fits(n_.input_types, schema_.inputs, 0) &&
           fits(n_.output_types, schema_.outputs, schema_.inputs.size());
  }

  void inputs() {
    const Strings names = n_.node.inputs();
    for (int i = 0; i < names.size(); ++i) {
      match(n_.input_type(i), names[i], schema_.input(i), {true, i});
    }
  }
  void outputs() {
    const Strings names = n_.node.outputs();
    for (int i = 0; i < names.size(); ++i) {
      match(n_.output_type(i), names[i], schema_.output(i), {false, i});
    }
  }

 private:
  struct Slot {
    bool is_input;
    int index;
    std::string str() const { return fmt::format("{} {}", is_input ? "Input" : "Output", index); }
  };
  struct Bound {
    std::string_view variable;
    std::string type;
    Slot who;
  };

  Place place(Slot slot) const {
    return slot.is_input ? n_.input(slot.index) : n_.output(slot.index);
  }
  bool is_refused(std::string_view variable) const {
    return std::ranges::find(refused_, variable) != refused_.end();
  }

  void match(const ValueType* known, const std::string& value, const FormalParameter* formal,
             Slot slot) {
    if (known == nullptr || formal == nullptr || formal->type_str.empty()) return;
    std::string type = known->str();
    if (type.empty()) return;
    const auto allowed = schema_.allowed_types(formal->type_str);
    if (!allowed.empty() && !is_among(type, allowed)) {
      if (is_refused(formal->type_str)) return;  // one cause, said once
      refused_.push_back(formal->type_str);
      // Where a declaration says otherwise, OCN013 has spoken of it.
      const std::string declared = declared_str(n_.body, value);
      if (!declared.empty() && declared != type && is_among(declared, allowed)) return;
      auto added = out_.add(place(slot), "{} ({}) of {} is {}, which is not allowed", slot.str(),
                            formal->name, version_of(schema_), type);
      added.hint("Allowed: {}{}", listing(allowed), later_version(formal->type_str, type));
      // Constant-1 names three types; every reader takes whatever tensor the attribute is.
      if (schema_.name == "Constant") added.as(Severity::info);
      return;
    }
    if (is_refused(formal->type_str)) return;
    if (formal->option == ParameterOption::variadic && !formal->homogeneous) return;
    const auto bound = std::ranges::find(bound_, formal->type_str, &Bound::variable);
    if (bound == bound_.end()) {
      bound_.push_back({formal->type_str, std::move(type), slot});
      return;
    }
    if (bound->type == type) return;
    refused_.push_back(formal->type_str);
    out_.add(place(slot), "{} ({}) of {} is {}, but {} is {}; both are {}", slot.str(),
             formal->name, version_of(schema_), type, bound->who.str(), bound->type,
             formal->type_str)
        .hint("Cast one of the two");
  }

  /// Where a later version of the operator allows the type: which one.
  std::string later_version(std::string_view type_str, std::string_view type) const {
    for (const OpSchema& other : op_history(schema_.domain, schema_.name)) {
      if (other.since_version <= schema_.since_version) continue;
      const auto allowed = other.allowed_types(type_str);
      if (is_among(type, allowed)) {
        return fmt::format("; {} allows it from {} {} on{}", schema_.name,
                           display_domain(schema_.domain), other.since_version,
                           release_mark(schema_.domain, other.since_version));
      }
    }
    return {};
  }

  const NodeAt& n_;
  const OpSchema& schema_;
  Sink& out_;
  // Few nodes bind more than this holds.
  std::array<std::byte, 512> buffer_;
  std::pmr::monotonic_buffer_resource memory_{buffer_.data(), buffer_.size()};
  std::pmr::vector<Bound> bound_{&memory_};
  std::vector<std::string_view> refused_;  ///< type variables of which a fault was said
};

/// Calls `visit(conflict, place)` for what inference found to contradict.
template <class Visit>
void each_conflict(const ModelScope& m, Visit visit) {
  if (m.inference->conflicts().empty()) return;
  std::unordered_map<std::string, const BodyScope*> by_path;
  for (const auto& body : m.bodies) by_path.emplace(body->body.path(), body.get());
  for (const TypeConflict& conflict : m.inference->conflicts()) {
    const auto at = by_path.find(conflict.body);
    if (at == by_path.end()) continue;
    const BodyScope& body = *at->second;
    Place place = conflict.node_index >= 0 && conflict.node_index < body.body.nodes().size()
                      ? at_node(body, conflict.node_index)
                      : in_body(body, Section::input);
    place.value = conflict.value;
    visit(conflict, place);
  }
}

/// The first inputs of a Loop's body, iteration and condition, and its first output, the condition
/// again, are scalars; exporters declare vectors of one element as often, and runtimes pass what is
/// declared.
bool is_loop_counter(const BodyScope& b, std::string_view value) {
  if (!b.is_subgraph() || !b.body.graph || b.body.owner->op_type() != "Loop") return false;
  const auto outputs = b.body.graph->outputs();
  if (!outputs.empty() && outputs[0].name() == value) return true;
  const Definition* d = b.find(value);
  return d != nullptr && d->kind == Definition::Kind::input && d->index < 2;
}

/// An input against its own initializer: OCT016 speaks of it.
bool is_of_a_default(const TypeConflict& conflict, const BodyScope& b) {
  const Definition* d = b.find(conflict.value);
  return conflict.node_index < 0 && d != nullptr && d->has_default;
}

/// Declared as an optional of just what the value is. Bodies of Loop and If that take or return
/// optionals are fed so by the official tests.
bool is_unwrapped_optional(const BodyScope& b, std::string_view value) {
  const auto at = b.declared.find(value);
  if (at == b.declared.end() || at->second.type().kind() != TypeView::Kind::optional) return false;
  const auto inner = at->second.type().elem();
  const ValueType* type = b.model->inference->type_of(b.body, value);
  return inner && type != nullptr && inner->str() == type->str();
}

}  // namespace

const Rule type_constraint{
    .id = "OCN012",
    .name = "type-constraint",
    .yields_to = "OCA015",
    .purpose =
        "Checks that the types of a node's inputs and outputs are ones its operator allows, "
        "and equal where they share a type variable",
    .citation = "[IR.md#nodes]",
    .upstream = "ORT003",
    .why = "No runtime has a kernel for types that the operator does not allow.",
    .bad = "y = Add(x, i) where x is float and i is int64",
    .good = "f = Cast <to = 1> (i) y = Add(x, f)",
    .fix = "Cast to an allowed type, or import the opset that allows this one",
    .needs_inference = true,
    .check = each_node([](const NodeAt& n, Sink& out) {
      const OpSchema* schema = n.signature();
      if (schema == nullptr || n.function) return;
      TypeMatch match(n, *schema, out);
      if (match.plainly_fits()) return;
      match.inputs();
      match.outputs();
    })};

const Rule declared_type_conflict{
    .id = "OCN013",
    .name = "declared-type-conflict",
    .purpose = "Checks that declared types are those that the operators yield",
    .citation = "[IR.md#graphs] [ShapeInference.md]",
    .why = "Callers allocate by the declaration, runtimes compute by the operators.",
    .bad = "g (float[1] x) => (int64[1] y) { y = Abs (x) }",
    .good = "g (float[1] x) => (float[1] y) { y = Abs (x) }",
    .fix = "Correct the declaration, or add a Cast",
    .needs_inference = true,
    .check = once([](const ModelScope& m, Sink& out) {
      each_conflict(m, [&](const TypeConflict& conflict, const Place& place) {
        if (conflict.shape_only || is_of_a_default(conflict, *place.body)) return;
        auto added = out.add(place, "\"{}\": {}", conflict.value, conflict.message);
        if (is_unwrapped_optional(*place.body, conflict.value)) added.as(Severity::info);
      });
    })};

const Rule declared_shape_conflict{
    .id = "OCN014",
    .name = "declared-shape-conflict",
    .yields_to = "OCA016 OCA017 OCA018 OCA019 OCA022",
    .purpose = "Checks that shapes fit the operators, and declared shapes what they yield",
    .citation = "[IR.md#static-tensor-shapes] [ShapeInference.md]",
    .why = "A runtime refuses to load such a model, or fails once it runs.",
    .bad = "g (float[2] x) => (float[3] y) { y = Abs (x) }",
    .good = "g (float[2] x) => (float[2] y) { y = Abs (x) }",
    .fix = "Correct the declaration, or the operands of the node",
    .needs_inference = true,
    .check = once([](const ModelScope& m, Sink& out) {
      each_conflict(m, [&](const TypeConflict& conflict, const Place& place) {
        if (!conflict.shape_only || is_of_a_default(conflict, *place.body)) return;
        if (conflict.of_declaration) {
          auto added = out.add(place, "\"{}\": {}", conflict.value, conflict.message);
          if (is_loop_counter(*place.body, conflict.value)) added.as(Severity::info);
        } else {
          out.add(place, "{}", conflict.message).hint("Correct the shapes of the node's inputs");
        }
      });
    })};

const Rule dim_variable_conflict{
    .id = "OCN015",
    .name = "dim-variable-conflict",
    .severity = Severity::warning,
    .purpose = "Checks that a dimension variable stands for one size in the whole model",
    .citation = "[IR.md#static-tensor-shapes]",
    .why =
        "Dimension variables are not scoped: the same name is the same size, in subgraphs too, "
        "functions apart.",
    .bad = "g (float[N] x) => (float[N] y) { y = Concat <axis = 0> (x, x) }",
    .good = "g (float[N] x) => (float[M] y) { y = Concat <axis = 0> (x, x) }",
    .fix = "Rename one of the two",
    .needs_inference = true,
    .check = once([](const ModelScope& m, Sink& out) {
      struct Size {
        std::int64_t size;
        std::string value;
      };
      std::map<std::string, Size> sizes;
      for (const auto& body : m.bodies) {
        if (body->in_function()) continue;
        for (const auto& [name, declaration] : body->declared) {
          const ValueType* inferred = m.inference->type_of(body->body, name);
          const auto dims = declaration.type().dims();
          if (inferred == nullptr || !inferred->shape ||
              static_cast<int>(inferred->shape->size()) != dims.size()) {
            continue;
          }
          for (int i = 0; i < dims.size(); ++i) {
            const auto& size = (*inferred->shape)[static_cast<std::size_t>(i)].value;
            if (!dims[i].has_param() || dims[i].param().empty() || !size) continue;
            const auto [at, first] =
                sizes.try_emplace(dims[i].param(), Size{*size, std::string(name)});
            if (first || at->second.size == *size) continue;
            out.add(in_body(*body, Section::other, -1, name),
                    "Dimension {} is {} in \"{}\" and {} in \"{}\"", dims[i].param(), *size, name,
                    at->second.size, at->second.value);
          }
        }
      }
    })};

const Rule value_untyped{
    .id = "OCV011",
    .name = "value-untyped",
    .severity = Severity::info,
    .yields_to = "OCF014",
    .purpose = "Tells which values have no type, declared or inferred",
    .citation = "[IR.md#graphs]",
    .upstream = "ONNX018",
    .why =
        "Tools that need types, converters among them, cannot work past such a value. Values that "
        "follow from it are not named again, nor those of unknown operators, which have their own "
        "finding.",
    .bad = "z = com.acme.F (x), where F gives what an operator of an unknown domain makes",
    .good = "z = com.acme.F (x), where F gives what an operator of ai.onnx makes",
    .fix = "Declare the type in value_info, or give the attribute that it follows from",
    .needs_inference = true,
    .check = each_node([](const NodeAt& n, Sink& out) {
      if (n.body.in_function()) return;  // functions may be polymorphic
      // One cause, one finding: the value before it, or the operator, has one of its own.
      if (n.schema == nullptr && !n.function) return;
      const Strings inputs = n.node.inputs();
      for (int i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].empty() && !is_typed(n.input_type(i))) return;
      }
      const Strings outputs = n.node.outputs();
      for (int i = 0; i < outputs.size(); ++i) {
        if (outputs[i].empty() || is_typed(n.output_type(i))) continue;
        out.add(n.output(i), "Nothing is known of the type of \"{}\"", outputs[i]);
      }
    })};

}  // namespace onnxcompat::rules
