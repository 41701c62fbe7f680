#include "checker/target.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "checker/examination.h"
#include "checker/features.h"
#include "checker/rules.h"
#include "checker/runtime.h"
#include "checker/scope.h"
#include "inference/inference.h"

namespace onnxcompat {
namespace {

/// One node whose operator has a schema at the version in force.
struct Use {
  const BodyScope* body;
  int node;
  std::string_view domain;
  std::string_view op;
  int since;
};

/// Calls `visit(use)` for every node of every body that is an operator of the tables, not a call of
/// a function.
template <class Visit>
void each_use(const ModelScope& scope, Visit visit) {
  for (const auto& body : scope.bodies) {
    const auto nodes = body->body.nodes();
    for (int i = 0; i < nodes.size(); ++i) {
      const NodeView node = nodes[i];
      const int opset = body->opset(node.domain());
      if (opset < 1 || scope.function(node)) continue;
      const OpSchema* schema = schema_in_force(node.domain(), node.op_type(), opset);
      if (schema == nullptr) continue;
      visit(Use{body.get(), i, schema->domain, schema->name, schema->since_version});
    }
  }
}

struct Import {
  Place place;
  std::string_view domain;
  int version;
  std::string_view whose;  ///< "the model", or the function's name
  bool of_function = false;
};

/// Imports of the model and of each function, highest of a domain first within each.
std::vector<Import> imports_of(const ModelScope& scope) {
  std::vector<Import> imports;
  const auto add = [&](const OpsetImports& of, const Place& place, std::string_view whose,
                       bool of_function) {
    std::map<std::string_view, int> sorted(of.begin(), of.end());
    for (const auto& [domain, version] : sorted) {
      imports.push_back({place, domain, version, whose, of_function});
    }
  };
  add(scope.opsets, in_model(Section::opset_import), "the model", false);
  for (const BodyScope* root : scope.roots) {
    if (root->body.function) {
      add(*root->imports, in_body(*root, Section::opset_import), root->body.name(), true);
    }
  }
  return imports;
}

/// "2 nodes need it (Gelu-20, ImageDecoder-20)", or that none does.
std::string who_needs(const std::vector<Use>& uses, std::string_view domain, int ceiling) {
  static constexpr std::size_t kMostNamed = 5;
  std::map<std::string, int> newer;
  int count = 0;
  for (const Use& use : uses) {
    if (use.domain != domain || use.since <= ceiling) continue;
    ++newer[fmt::format("{}-{}", use.op, use.since)];
    ++count;
  }
  if (count == 0) return "no node needs more than the target has";
  std::string names;
  std::size_t named = 0;
  for (const auto& entry : newer) {
    if (named++ == kMostNamed) break;
    if (!names.empty()) names += ", ";
    names += entry.first;
  }
  if (newer.size() > kMostNamed) names += fmt::format(" and {} more", newer.size() - kMostNamed);
  return fmt::format("{} node{} need{} more than the target has ({})", count, count == 1 ? "" : "s",
                     count == 1 ? "s" : "", names);
}

/// The product that data/kernels.json is about.
constexpr std::string_view kKernelsKnownOf = "onnxruntime";

/// "onnxruntime=1.14.0" -> "1.14.0"
std::string_view version_of(const Target& target) {
  return std::string_view(target.spec).substr(target.spec.find('=') + 1);
}

/// The target with the ceiling that it has once it takes unreleased operator sets.
Target unreleased(const Target& target) {
  Target raised = target;
  const auto opset = unreleased_opset(version_of(target));
  if (target.product != kKernelsKnownOf || !opset) return raised;
  for (DomainVersion& ceiling : raised.ceilings.opsets) {
    if (ceiling.domain.empty()) ceiling.version = *opset;
  }
  return raised;
}

class TargetCheck {
 public:
  TargetCheck(const ModelScope& scope, const Target& target, const std::vector<Use>& uses)
      : scope_(scope), target_(target), uses_(uses) {}

  TargetVerdict run() {
    ir_version();
    opsets();
    newer_operators();
    runtime();
    std::ranges::stable_sort(verdict_.findings, [](const Finding& a, const Finding& b) {
      return a.severity > b.severity;
    });
    return std::move(verdict_);
  }

 private:
  void add(const Rule& rule, const Place& place, std::string message, std::string hint = {}) {
    verdict_.findings.push_back({make_finding(rule, place, std::move(message), std::move(hint)),
                                 std::string(name_of(target_.evidence))});
    if (rule.severity == Severity::error) verdict_.compatible = false;
  }

  void ir_version() {
    const int ceiling = target_.ceilings.ir_version;
    if (ceiling == 0) return;
    const std::vector<FeatureUse> features = features_in_use(scope_);
    const int needed = features.empty() ? 1 : features.back().since_ir;
    if (scope_.model.ir_version() > ceiling) {
      add(rules::ir_above_runtime, in_model(),
          fmt::format("{} reads IR versions up to {}, the model is stamped {}", target_.spec,
                      ceiling, scope_.model.ir_version()),
          needed <= ceiling
              ? fmt::format("Nothing in the model needs more than IR version {}: stamp {}", needed,
                            ceiling)
              : fmt::format("The model uses features of IR version {}", needed));
    }
    for (const FeatureUse& use : features) {
      if (use.since_ir <= ceiling) continue;
      add(rules::ir_above_runtime, use.first,
          fmt::format("{} needs IR version {}, {} reads up to {}{}", use.feature, use.since_ir,
                      target_.spec, ceiling,
                      use.count > 1 ? fmt::format(" ({} places)", use.count) : ""),
          "Do without the feature, or target a newer release");
    }
  }

  void opsets() {
    const bool functions_too = reads_function_imports();
    for (const Import& import : imports_of(scope_)) {
      if (import.of_function && !functions_too) continue;
      const auto ceiling = target_.ceilings.opset(import.domain);
      if (ceiling && import.version > *ceiling) {
        const std::string who = who_needs(uses_, import.domain, *ceiling);
        add(rules::opset_above_runtime, import.place,
            *ceiling == 0 ? fmt::format("{} has no {}, {} imports version {}", target_.spec,
                                        display_domain(import.domain), import.whose, import.version)
                          : fmt::format("{} has {} up to {}, {} imports {}; {}", target_.spec,
                                        display_domain(import.domain), *ceiling, import.whose,
                                        import.version, who),
            fmt::format("Convert the model to {} {}", display_domain(import.domain), *ceiling));
      }
      const int floor = target_.ceilings.min_ai_onnx;
      if (import.domain.empty() && floor > 0 && import.version < floor) {
        add(rules::opset_below_runtime, import.place,
            fmt::format("{} promises to run ai.onnx {} and later, {} imports {}", target_.spec,
                        floor, import.whose, import.version),
            fmt::format("Convert the model up to ai.onnx {}", floor));
      }
    }
  }

  bool reads_function_imports() const {
    if (target_.product != kKernelsKnownOf) return true;
    const auto kernels = KernelTable::of(version_of(target_));
    return !kernels || kernels->reads_function_imports();
  }

  void newer_operators() {
    for (const Use& use : uses_) {
      const auto ceiling = target_.ceilings.opset(use.domain);
      if (!ceiling || use.since <= *ceiling) continue;
      add(rules::operator_above_runtime, at_node(*use.body, use.node),
          fmt::format("This form of {} came with {} {}, {} has {}", use.op,
                      display_domain(use.domain), use.since, target_.spec, *ceiling));
    }
  }

  /// What only tables of kernels and contributed operators tell.
  void runtime() {
    if (target_.product != kKernelsKnownOf) return;
    const auto kernels = KernelTable::of(version_of(target_));
    if (!kernels) {
      add(rules::kernels_not_known, in_model(),
          fmt::format("Nothing is known of the kernels of {}", target_.spec));
      verdict_.findings.back().evidence = "unknown";
      return;
    }
    for (TargetFinding& finding : check_runtime(scope_, target_, *kernels)) {
      if (finding.severity == Severity::error) verdict_.compatible = false;
      verdict_.findings.push_back(std::move(finding));
    }
  }

  const ModelScope& scope_;
  const Target& target_;
  const std::vector<Use>& uses_;
  TargetVerdict verdict_;
};

std::vector<DomainVersion> as_list(const std::map<std::string_view, int>& versions) {
  std::vector<DomainVersion> list;
  for (const auto& [domain, version] : versions) list.push_back({std::string(domain), version});
  return list;
}

}  // namespace

std::vector<TargetVerdict> Examination::check_targets(std::span<const Target> targets,
                                                      const TargetOptions& options) {
  const auto has_kernels = [](const Target& target) { return target.product == kKernelsKnownOf; };
  scope().inference = std::ranges::any_of(targets, has_kernels) ? &inference(false) : nullptr;
  std::vector<Use> uses;
  if (!targets.empty()) each_use(scope(), [&](const Use& use) { uses.push_back(use); });
  std::vector<TargetVerdict> verdicts;
  for (const Target& asked : targets) {
    const Target target = options.allow_unreleased ? unreleased(asked) : asked;
    verdicts.push_back(TargetCheck(scope(), target, uses).run());
  }
  return verdicts;
}

ModelNeeds Examination::needs() {
  const ModelScope& m = scope();
  ModelNeeds needs;
  needs.stamped_ir = std::max<std::int64_t>(m.model.ir_version(), 0);
  needs.needed_ir = minimal_ir(m);
  std::map<std::string_view, int> stamped;
  for (const Import& import : imports_of(m)) {
    int& version = stamped[import.domain];
    version = std::max(version, import.version);
  }
  std::map<std::string_view, int> needed;
  for (const auto& [domain, version] : stamped) {
    // Of a domain without tables nothing is known but what the file says.
    needed[domain] = is_standard_domain(domain) ? 1 : version;
  }
  each_use(m, [&](const Use& use) {
    int& version = needed[use.domain];
    version = std::max(version, use.since);
  });
  needs.stamped_opsets = as_list(stamped);
  needs.needed_opsets = as_list(needed);
  return needs;
}

}  // namespace onnxcompat
