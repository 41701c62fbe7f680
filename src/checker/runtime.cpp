#include "checker/runtime.h"

#include <algorithm>
#include <set>
#include <string>

#include <fmt/format.h>

#include "checker/rules.h"
#include "checker/runtime_faults.h"
#include "inference/inference.h"

namespace onnxcompat {
namespace {

/// Operators that never run as such: the runtime takes their value when it loads the model.
constexpr std::string_view kTakenAtLoad = "Constant";

/// Layout rewrites of the runtime's own; what it has there is not published.
constexpr std::string_view kInternalLayoutDomain = "com.ms.internal.nhwc";

constexpr std::string_view kKernelTable = "kernel table";
constexpr std::string_view kMeasuredLoad = "measured load";
constexpr std::string_view kDocumented = "documented";

/// "tensor(float)" -> "float"; other types stay as they are.
std::string kernel_spelling(const ValueType* type) {
  if (type == nullptr) return {};
  std::string text = type->str();
  constexpr std::string_view kTensor = "tensor(";
  if (text.starts_with(kTensor)) {
    return text.substr(kTensor.size(), text.size() - kTensor.size() - 1);
  }
  return text;
}

/// The same without "tensor(…)" anywhere, as the measured loads are keyed.
std::string measured_spelling(std::string type) {
  constexpr std::string_view kTensor = "tensor(";
  for (std::size_t at = type.find(kTensor); at != std::string::npos; at = type.find(kTensor)) {
    type.erase(type.find(')', at), 1);
    type.erase(at, kTensor.size());
  }
  return type;
}

bool is_there(const Strings& names, int slot) {
  return slot < names.size() && !names[slot].empty();
}

/// How many are given, without omitted ones at the end.
int given(const Strings& names) {
  int count = names.size();
  while (count > 0 && names[count - 1].empty()) --count;
  return count;
}

/// Does the type of every output follow from those of the inputs?
bool outputs_follow_inputs(const OpSchema& schema) {
  return std::ranges::all_of(schema.outputs, [&](const FormalParameter& output) {
    return schema.allowed_types(output.type_str).size() == 1 ||
           std::ranges::any_of(schema.inputs, [&](const FormalParameter& input) {
             return input.type_str == output.type_str;
           });
  });
}

/// The first version of a schema's operator. One that is deprecated in its first version was marked
/// so later, in place: runtimes go on taking it.
int first_version(const OpSchema& schema) {
  return op_history(schema.domain, schema.name).front().since_version;
}

/// The release in which the type parameter got its name: what it allowed from then on, another
/// parameter may have allowed before. 0: as old as the operator.
ReleaseSeries birth(const ContributedConstraint& constraint) {
  return std::ranges::min_element(constraint.types, {}, &ContributedType::since)->since;
}

std::string release_text(ReleaseSeries series) {
  return fmt::format("{}.{}", series / 1000, series % 1000);
}

std::string qualified(std::string_view domain, std::string_view op) {
  return domain.empty() ? std::string(op) : fmt::format("{}.{}", domain, op);
}

class RuntimeCheck {
 public:
  RuntimeCheck(const ModelScope& scope, const Target& target, const KernelTable& kernels)
      : scope_(scope), target_(target), kernels_(kernels), faults_(kernels.faults()) {}

  std::vector<TargetFinding> run() {
    if (scope_.model.opset_imports().empty()) {
      add(rules::domain_unknown_at_load, in_model(Section::opset_import),
          fmt::format("The model imports no operator set, {} takes no such model", target_.spec),
          kMeasuredLoad);
    }
    collect_called_functions();
    for (const auto& body : scope_.bodies) {
      if (body->body.outermost().function && !is_called(*body)) continue;
      const auto nodes = body->body.nodes();
      for (int i = 0; i < nodes.size(); ++i) judge(*body, i, nodes[i]);
    }
    faults_of_bodies();
    return std::move(findings_);
  }

 private:
  void add(const Rule& rule, const Place& place, std::string message, std::string_view evidence,
           std::string hint = {}) {
    findings_.push_back(
        {make_finding(rule, place, std::move(message), std::move(hint)), std::string(evidence)});
  }

  std::string_view kernel_evidence() const {
    return kernels_.approximate() ? "kernel table (approximate)" : kKernelTable;
  }

  void collect_called_functions() {
    for (const auto& body : scope_.bodies) {
      for (const NodeView node : body->body.nodes()) {
        if (scope_.function(node)) called_.insert({node.domain(), node.op_type()});
      }
    }
  }

  bool is_called(const BodyScope& body) const {
    const FunctionView function = *body.body.outermost().function;
    return called_.contains({function.domain(), function.name()});
  }

  void judge(const BodyScope& body, int index, const NodeView& node) {
    const Place place = at_node(body, index);
    const std::string_view domain = node.domain();
    const std::string& op = node.op_type();
    if (scope_.function(node)) {
      if (!kernels_.has_model_functions()) {
        add(rules::functions_unknown_to_runtime, place,
            fmt::format("{} calls a function of the model, {} runs none", op, target_.spec),
            kMeasuredLoad);
      }
      return;
    }
    if (domain == kInternalLayoutDomain) return;
    int opset = body.opset(domain);
    if (opset < 1) {
      // Its own domains the runtime imports by itself, as new as it has them.
      if (is_contributed_domain(domain)) {
        opset = target_.ceilings.opset(domain).value_or(1);
      } else if (is_standard_domain(domain)) {
        opset = target_.ceilings.opset(domain).value_or(0);
      } else {
        add(rules::domain_unknown_at_load, place,
            fmt::format("{} is of a domain that is not imported", qualified(domain, op)),
            kMeasuredLoad);
      }
      if (opset < 1) return;
    }
    const OpSchema* schema = schema_in_force(domain, op, opset);
    if (schema != nullptr) return standard(body, index, node, *schema);
    if (const ContributedSchema* own = find_contributed(domain, op, opset)) {
      return contributed(body, index, node, *own);
    }
    const bool known_domain = is_standard_domain(domain) || is_contributed_domain(domain);
    add(rules::op_unknown_to_runtime, place,
        known_domain
            ? fmt::format("{} {} has no operator {}", display_domain(domain), opset, op)
            : fmt::format("{} is of no domain that {} knows", qualified(domain, op), target_.spec),
        kMeasuredLoad);
  }

  template <class Schema>
  std::vector<Actual> actuals(const BodyScope& body, const NodeView& node,
                              const Schema& schema) const {
    std::vector<Actual> result;
    const auto note = [&](bool is_input, int slot, const std::string& name, const auto* formal) {
      if (name.empty() || formal == nullptr) return;
      result.push_back({is_input, slot, kernel_spelling(scope_.inference->type_of(body.body, name)),
                        formal->type_str, formal->name});
    };
    for (int i = 0; i < node.inputs().size(); ++i) {
      note(true, i, node.inputs()[i], schema.input(i));
    }
    for (int i = 0; i < node.outputs().size(); ++i) {
      note(false, i, node.outputs()[i], schema.output(i));
    }
    return result;
  }

  /// Reports the first value of a type that no kernel of the release takes; true if there is one.
  bool has_unknown_type(const BodyScope& body, int index, const NodeView& node,
                        const std::vector<Actual>& values) {
    for (const Actual& value : values) {
      if (!data_type_named(value.type) || known_element(value.type)) continue;
      const std::string& name =
          value.is_input ? node.inputs()[value.slot] : node.outputs()[value.slot];
      add(rules::type_unknown_to_runtime,
          value.is_input ? at_node_input(body, index, value.slot, name)
                         : at_node_output(body, index, value.slot, name),
          fmt::format("\"{}\" is of {}, which no CPU kernel of {} takes", name, value.type,
                      target_.spec),
          kernel_evidence());
      return true;
    }
    return false;
  }

  bool known_element(const std::string& element) {
    const auto [entry, is_new] = elements_.try_emplace(element, false);
    if (is_new) entry->second = kernels_.knows_element(element);
    return entry->second;
  }

  /// Where there is no float16 kernel the runtime casts to float and back, unless there is a
  /// function body to run.
  enum class Float16 { cast, as_is };

  /// The first value whose type a kernel does not take; null if it takes all that are known.
  static const Actual* misfit(const Kernel& kernel, const std::vector<Actual>& values,
                              Float16 half) {
    for (const KernelTypes& allowed : kernel.types) {
      for (const Actual& value : values) {
        if (value.type.empty() ||
            (value.type_str != allowed.param && value.formal != allowed.param))
          continue;
        if (std::ranges::count(allowed.types, value.type)) continue;
        if (half == Float16::cast && value.type == "float16" &&
            std::ranges::count(allowed.types, "float")) {
          continue;
        }
        return &value;
      }
    }
    return nullptr;
  }

  /// Which value no kernel of the operator version takes.
  struct Fit {
    bool fits = false;
    const Actual* wrong = nullptr;  ///< null where there is no kernel at all
  };

  static Fit fit(const std::vector<const Kernel*>& kernels, const std::vector<Actual>& values,
                 Float16 half = Float16::cast) {
    Fit result;
    for (const Kernel* kernel : kernels) {
      result.wrong = misfit(*kernel, values, half);
      if (result.wrong == nullptr) return {.fits = true};
    }
    return result;
  }

  /// "onnxruntime=1.20.1 has no CPU kernel for Tan-7 with double as input"
  std::string no_kernel_text(const std::string& name, int since, const Actual* wrong) const {
    return wrong == nullptr
               ? fmt::format("{} has no CPU kernel for {}-{}", target_.spec, name, since)
               : fmt::format("{} has no CPU kernel for {}-{} with {} as {}", target_.spec, name,
                             since, wrong->type, wrong->formal);
  }

  /// Holds a node against the kernels of its operator version.
  void kernels_for(const Place& place, const std::string& name, int since,
                   const std::vector<const Kernel*>& kernels, const std::vector<Actual>& values) {
    const Fit found = fit(kernels, values);
    if (found.fits) return;
    add(found.wrong == nullptr ? rules::operator_unsupported : rules::kernel_type_unsupported,
        place, no_kernel_text(name, since, found.wrong), kernel_evidence());
  }

  void standard(const BodyScope& body, int index, const NodeView& node, const OpSchema& schema) {
    const auto ceiling = target_.ceilings.opset(schema.domain);
    if (ceiling && schema.since_version > *ceiling) return;  // said with the ceilings
    const Place place = at_node(body, index);
    if (schema.deprecated && schema.since_version > first_version(schema)) {
      add(rules::op_unknown_to_runtime, place,
          fmt::format("{} is deprecated since {} {}", schema.name, display_domain(schema.domain),
                      schema.since_version),
          kMeasuredLoad);
      return;
    }
    const std::vector<Actual> values = actuals(body, node, schema);
    if (has_unknown_type(body, index, node, values) || is_faulty(place, node, values)) return;
    if (schema.domain.empty() && schema.name == kTakenAtLoad) return;
    const auto kernels = kernels_.kernels(schema.domain, schema.name, schema.since_version);
    const bool has_body = schema.has_function_body || schema.context_dependent_function;
    switch (measured(schema, values)) {
      case LoadEvidence::loads:
        if (has_body) fallback(place, schema, kernels, values);
        return;
      case LoadEvidence::no_kernel:
        if (outputs_follow_inputs(schema)) {
          add(kernels.empty() ? rules::operator_unsupported : rules::kernel_type_unsupported, place,
              fmt::format("{} has no CPU kernel for {}-{} with {}", target_.spec, schema.name,
                          schema.since_version, inputs_text(values)),
              kMeasuredLoad);
          return;
        }
        break;
      case LoadEvidence::refused:
        add(rules::runtime_fault, place,
            fmt::format("{} refuses every official model of {}-{} with {}", target_.spec,
                        schema.name, schema.since_version, inputs_text(values)),
            kMeasuredLoad);
        return;
      default:
        break;
    }
    if (has_body) return fallback(place, schema, kernels, values);
    kernels_for(place, std::string(schema.name), schema.since_version, kernels, values);
  }

  /// Without a kernel the runtime writes the operator out as its function body.
  void fallback(const Place& place, const OpSchema& schema,
                const std::vector<const Kernel*>& kernels, const std::vector<Actual>& values) {
    const Fit found = fit(kernels, values, Float16::as_is);
    if (found.fits) return;
    if (const OpSchema* inner = body_operator(place, schema)) {
      const auto inner_kernels = kernels_.kernels("", inner->name, inner->since_version);
      if (const Fit need = fit(inner_kernels, values); !need.fits) {
        add(rules::kernel_type_unsupported, place,
            fmt::format("{}, which the function body of {} needs",
                        no_kernel_text(std::string(inner->name), inner->since_version, need.wrong),
                        schema.name),
            kernel_evidence());
        return;
      }
    }
    if (const RuntimeFault* fault = fault_of_fallback(faults_, *place.body, schema)) {
      return add_fault(place, *fault);
    }
    add(rules::function_fallback, place,
        no_kernel_text(std::string(schema.name), schema.since_version, found.wrong) +
            " and runs its function body",
        kernel_evidence());
  }

  const OpSchema* body_operator(const Place& place, const OpSchema& schema) const {
    const std::string_view inner = KernelTable::body_operator(schema.name);
    if (inner.empty() || !schema.domain.empty()) return nullptr;
    return find_schema("", inner, place.body->opset(""));
  }

  static std::string inputs_text(const std::vector<Actual>& values) {
    std::string text;
    for (const Actual& value : values) {
      if (!value.is_input) continue;
      if (value.type.empty()) return {};
      if (!text.empty()) text += ' ';
      text += measured_spelling(value.type);
    }
    return text;
  }

  LoadEvidence measured(const OpSchema& schema, const std::vector<Actual>& values) const {
    const std::string inputs = inputs_text(values);
    if (inputs.empty()) return LoadEvidence::not_measured;
    return kernels_.measured(schema.domain, schema.name, schema.since_version, inputs);
  }

  void contributed(const BodyScope& body, int index, const NodeView& node,
                   const ContributedSchema& schema) {
    const Place place = at_node(body, index);
    const std::string name = qualified(schema.domain, schema.name);
    const auto kernels = kernels_.kernels(schema.domain, schema.name, schema.since_version);
    if (!schema.is_in(kernels_.series()) || (schema.build != "default" && kernels.empty())) {
      add(rules::op_unknown_to_runtime, place, absence(schema, name), kDocumented);
      return;
    }
    if (has_other_signature(body, index, node, schema, name)) return;
    const std::vector<Actual> values = actuals(body, node, schema);
    if (has_unknown_type(body, index, node, values)) return;
    if (has_later_type(place, schema, name, values) || schema.has_function_body) return;
    kernels_for(place, name, schema.since_version, kernels, values);
  }

  std::string absence(const ContributedSchema& schema, const std::string& name) const {
    if (schema.build != "default") {
      return fmt::format("{} is only in {} builds of the runtime", name, schema.build);
    }
    if (kernels_.series() < schema.first) {
      return fmt::format("{} came with {}, {} is older", name, release_text(schema.first),
                         target_.spec);
    }
    return fmt::format("{} is not in {} (last in {})", name, target_.spec,
                       release_text(schema.last));
  }

  /// Inputs, outputs and attributes that the release does not have; true if the release refuses the
  /// node.
  bool has_other_signature(const BodyScope& body, int index, const NodeView& node,
                           const ContributedSchema& schema, const std::string& name) {
    const Place place = at_node(body, index);
    const ReleaseSeries release = kernels_.series();
    const std::size_t before = findings_.size();
    const auto came_later = [&](std::string_view what, std::string_view part, ReleaseSeries since) {
      add(rules::contributed_signature, place,
          fmt::format("{} {} of {} came with {}, {} is older", what, part, name,
                      release_text(since), target_.spec),
          kDocumented);
    };
    if (!schema.complete) return false;
    const auto count_within = [&](std::string_view what, int count, int least, int most) {
      if (count >= least && count <= most) return;
      add(rules::contributed_signature, place,
          fmt::format("{} has {} {}s, {} takes {}", name, count, what, target_.spec,
                      most == kUnbounded ? fmt::format("at least {}", least)
                                         : fmt::format("{} to {}", least, most)),
          kDocumented);
    };
    count_within("input", given(node.inputs()), schema.min_input, schema.max_input);
    count_within("output", given(node.outputs()), schema.min_output, schema.max_output);
    for (int i = 0; i < static_cast<int>(schema.inputs.size()); ++i) {
      const ContributedParameter& formal = schema.inputs[static_cast<std::size_t>(i)];
      const bool there = is_there(node.inputs(), i);
      if (there && formal.since > release) came_later("Input", formal.name, formal.since);
      if (!there && formal.optional_since > release) {
        came_later("Leaving out input", formal.name, formal.optional_since);
      }
    }
    for (int i = 0; i < static_cast<int>(schema.outputs.size()); ++i) {
      const ContributedParameter& formal = schema.outputs[static_cast<std::size_t>(i)];
      if (is_there(node.outputs(), i) && formal.since > release) {
        came_later("Output", formal.name, formal.since);
      }
    }
    for (const AttributeView attribute : node.attributes()) {
      const ContributedAttribute* known = schema.attribute(attribute.name());
      if (known == nullptr || (known->removed != 0 && known->removed <= release)) {
        add(rules::contributed_signature, place,
            fmt::format("{} has no attribute {} in {}", name, attribute.name(), target_.spec),
            kDocumented);
        // Some contributed operators were measured to load with attributes that they do not have.
        findings_.back().severity = Severity::warning;
      } else if (known->since > release) {
        came_later("Attribute", attribute.name(), known->since);
      } else if (known->type != AttributeType::undefined && attribute.type() != known->type) {
        add(rules::contributed_signature, place,
            fmt::format("Attribute {} of {} is {}, not {}", attribute.name(), name,
                        name_of(known->type), name_of(attribute.type())),
            kDocumented);
      }
    }
    for (const ContributedAttribute& known : schema.attributes) {
      if (!known.required || known.since > release || node.attribute(known.name)) continue;
      add(rules::contributed_signature, place,
          fmt::format("{} lacks its attribute {}", name, known.name), kDocumented);
    }
    return std::any_of(findings_.begin() + static_cast<std::ptrdiff_t>(before), findings_.end(),
                       [](const Finding& f) { return f.severity == Severity::error; });
  }

  bool has_later_type(const Place& place, const ContributedSchema& schema, const std::string& name,
                      const std::vector<Actual>& values) {
    for (const Actual& value : values) {
      const ContributedConstraint* constraint = schema.constraint(value.type_str);
      if (constraint == nullptr || constraint->types.empty() || value.type.empty()) continue;
      const std::string spelled =
          data_type_named(value.type) ? fmt::format("tensor({})", value.type) : value.type;
      const auto known = std::ranges::find(constraint->types, spelled, &ContributedType::type);
      if (known == constraint->types.end() || known->since <= kernels_.series() ||
          known->since == birth(*constraint)) {
        continue;
      }
      add(rules::contributed_signature, place,
          fmt::format("{} takes {} as {} since {}, {} is older", name, value.type, value.formal,
                      release_text(known->since), target_.spec),
          kDocumented);
      return true;
    }
    return false;
  }

  bool is_faulty(const Place& place, const NodeView& node, const std::vector<Actual>& values) {
    const RuntimeFault* fault = fault_of_node(faults_, *place.body, node, values);
    if (fault != nullptr) add_fault(place, *fault);
    return fault != nullptr;
  }

  void faults_of_bodies() {
    for (const RuntimeFault* fault : faults_) {
      for (const auto& body : scope_.bodies) {
        if (body->body.outermost().function && !is_called(*body)) continue;
        if (!is_fault_of_body(*fault, *body)) continue;
        add_fault(in_body(*body), *fault);
        break;
      }
    }
  }

  void add_fault(const Place& place, const RuntimeFault& fault) {
    add(rules::runtime_fault, place, fmt::format("{}: {}", target_.spec, fault.effect),
        kMeasuredLoad);
  }

  const ModelScope& scope_;
  const Target& target_;
  const KernelTable& kernels_;
  const std::vector<const RuntimeFault*> faults_;
  std::set<std::pair<std::string_view, std::string_view>> called_;
  std::map<std::string, bool> elements_;
  std::vector<TargetFinding> findings_;
};

}  // namespace

std::vector<TargetFinding> check_runtime(const ModelScope& scope, const Target& target,
                                         const KernelTable& kernels) {
  return RuntimeCheck(scope, target, kernels).run();
}

}  // namespace onnxcompat
