#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "checker/examination.h"
#include "checker/rules.h"
#include "inference/inference.h"
#include "support/strings.h"

namespace onnxcompat {
namespace {

constexpr std::size_t kMostOfOneRule = 10'000;

constexpr auto kRules = [] {
  auto rules = std::to_array<const Rule*>({
#define X(rule) &rules::rule,
#include "checker/rules.inc"
#undef X
  });
  return rules;
}();

bool matches(const Rule& rule, std::string_view pattern) {
  return pattern == "all" || pattern == rule.name ||
         (pattern.size() >= 2 && pattern.size() <= rule.id.size() &&
          lower_case(rule.id.substr(0, pattern.size())) == lower_case(pattern));
}

bool matches_any(const Rule& rule, const std::vector<std::string>& patterns) {
  return std::ranges::any_of(patterns, [&](const auto& p) { return matches(rule, p); });
}

Severity severity_of(const Rule& rule, const CheckOptions& options) {
  Severity severity = rule.severity;
  std::size_t longest = 0;
  for (const auto& [pattern, wanted] : options.severity) {
    if (!matches(rule, pattern)) continue;
    const std::size_t weight = pattern == "all" ? 1 : pattern.size() + 1;
    if (weight > longest) {
      longest = weight;
      severity = wanted;
    }
  }
  return severity;
}

/// A rule that runs, with the number of its findings so far.
struct Active {
  const Rule* rule;
  Severity severity;
  std::size_t found = 0;
};

/// The rules that run, by what they look at.
class Engine {
 public:
  Engine(const ModelScope& scope, const CheckOptions& options)
      : scope_(scope), sink_(kMostOfOneRule) {
    for (const Rule* rule : kRules) {
      const bool wanted =
          (options.select.empty() ? rule->default_on : matches_any(*rule, options.select)) ||
          matches_any(*rule, options.also);
      if (!wanted || matches_any(*rule, options.ignore)) continue;
      if (scope.ir_version < rule->min_ir || scope.ir_version > rule->max_ir) continue;
      by_kind_[rule->check.index()].push_back({rule, severity_of(*rule, options)});
    }
  }

  bool needs_inference() const {
    return std::ranges::any_of(by_kind_, [](const auto& active) {
      return std::ranges::any_of(active, [](const Active& a) { return a.rule->needs_inference; });
    });
  }

  void run() {
    each<ModelCheck>(scope_);
    for (const BodyScope* root : scope_.roots) visit(*root);
  }

  Sink& sink() { return sink_; }

 private:
  template <class CheckFn, class Thing>
  void each(const Thing& thing) {
    constexpr std::size_t kind = Check(CheckFn{}).index();
    for (Active& active : by_kind_[kind]) {
      sink_.begin(*active.rule, active.severity, &active.found);
      std::get<kind>(active.rule->check)(thing, sink_);
    }
  }
  template <class CheckFn>
  bool any() const {
    return !by_kind_[Check(CheckFn{}).index()].empty();
  }

  // Depth first in the order of the file, so that the first findings of a rule are those that a
  // reader meets first.
  void visit(const BodyScope& body) {
    each<BodyCheck>(body);
    values(body);
    if (body.body.graph) initializers(body);
    if (body.body.function) parameters(body);
    const auto nodes = body.body.nodes();
    std::size_t next_inner = 0;
    for (int i = 0; i < nodes.size(); ++i) {
      const NodeView node = nodes[i];
      const int opset = body.opset(node.domain());
      const bool has_schema =
          opset > 0 && !is_experimental_operator(node.domain(), node.op_type(), opset);
      const NodeAt at{body,
                      i,
                      node,
                      opset,
                      has_schema ? find_schema(node.domain(), node.op_type(), opset) : nullptr,
                      scope_.function(node)};
      each<NodeCheck>(at);
      attributes(at);
      while (next_inner < body.inner.size() && body.inner[next_inner]->body.owner_index == i) {
        visit(*body.inner[next_inner++]);
      }
    }
  }

  void values(const BodyScope& body) {
    const auto value_list = [&](Section section, ListOf<ValueInfoView> list) {
      for (int i = 0; i < list.size(); ++i) {
        const ValueAt at{body, section, i, list[i]};
        each<ValueCheck>(at);
        if (any<TypeCheck>() && list[i].has_type()) {
          each<TypeCheck>(TypeAt{scope_, list[i].type(), at.place()});
        }
      }
    };
    if (body.body.graph) {
      value_list(Section::input, body.body.graph->inputs());
      value_list(Section::output, body.body.graph->outputs());
      value_list(Section::value_info, body.body.graph->value_infos());
    } else {
      value_list(Section::value_info, body.body.function->value_infos());
    }
  }

  void initializers(const BodyScope& body) {
    if (!any<TensorCheck>() && !any<SparseTensorCheck>()) return;
    const auto dense = body.body.graph->initializers();
    for (int i = 0; i < dense.size(); ++i) {
      tensor(dense[i], TensorAt::Role::initializer,
             in_body(body, Section::initializer, i, dense[i].name()));
    }
    const auto sparse = body.body.graph->sparse_initializers();
    for (int i = 0; i < sparse.size(); ++i) {
      sparse_tensor(sparse[i], true,
                    in_body(body, Section::sparse_initializer, i, sparse[i].values().name()));
    }
  }

  void tensor(TensorView view, TensorAt::Role role, Place place) {
    each<TensorCheck>(TensorAt{scope_, view, role, std::move(place)});
  }

  void sparse_tensor(SparseTensorView view, bool is_initializer, const Place& place) {
    each<SparseTensorCheck>(SparseTensorAt{scope_, view, is_initializer, place});
    if (view.has_values()) {
      tensor(view.values(), TensorAt::Role::sparse_values, place.down("values"));
    }
    if (view.has_indices()) {
      tensor(view.indices(), TensorAt::Role::sparse_indices, place.down("indices"));
    }
  }

  void attributes(const NodeAt& at) {
    if (!any<AttributeCheck>() && !any<TensorCheck>() && !any<SparseTensorCheck>() &&
        !any<TypeCheck>()) {
      return;
    }
    const auto list = at.node.attributes();
    for (int i = 0; i < list.size(); ++i) attribute({at.body, &at, i, list[i], list[i].present()});
  }

  void parameters(const BodyScope& body) {
    const auto list = body.body.function->attribute_protos();
    for (int i = 0; i < list.size(); ++i) attribute({body, nullptr, i, list[i], list[i].present()});
  }

  void attribute(const AttributeAt& at) {
    each<AttributeCheck>(at);
    for (const AttributeType kind : at.present) contents(at, kind);
  }

  /// The tensors and types that an attribute holds.
  void contents(const AttributeAt& at, AttributeType kind) {
    const auto step = [&](std::string_view field, int k) {
      return at.place().down(fmt::format("{}[{}]", field, k));
    };
    switch (kind) {
      case AttributeType::tensor:
        return tensor(at.attribute.t(), TensorAt::Role::attribute, at.place());
      case AttributeType::sparse_tensor:
        return sparse_tensor(at.attribute.sparse_tensor(), false, at.place());
      case AttributeType::type_proto:
        return each<TypeCheck>(TypeAt{scope_, at.attribute.tp(), at.place()});
      case AttributeType::tensors: {
        const auto list = at.attribute.tensors();
        for (int k = 0; k < list.size(); ++k) {
          tensor(list[k], TensorAt::Role::attribute, step("tensors", k));
        }
        return;
      }
      case AttributeType::sparse_tensors: {
        const auto list = at.attribute.sparse_tensors();
        for (int k = 0; k < list.size(); ++k) {
          sparse_tensor(list[k], false, step("sparse_tensors", k));
        }
        return;
      }
      case AttributeType::type_protos: {
        const auto list = at.attribute.type_protos();
        for (int k = 0; k < list.size(); ++k) {
          each<TypeCheck>(TypeAt{scope_, list[k], step("type_protos", k)});
        }
        return;
      }
      default:
        return;
    }
  }

  const ModelScope& scope_;
  std::array<std::vector<Active>, std::variant_size_v<Check>> by_kind_;
  Sink sink_;
};

/// Drops the findings of rules that yield to another one at the same node: one cause, one finding.
void drop_consequences(std::vector<Sink::Entry>& entries) {
  std::set<std::tuple<const BodyScope*, int, std::string_view>> found;
  for (const Sink::Entry& entry : entries) {
    if (entry.node >= 0) found.emplace(entry.body, entry.node, entry.rule->id);
  }
  std::erase_if(entries, [&](const Sink::Entry& entry) {
    std::string_view rest = entry.rule->yields_to;
    while (entry.node >= 0 && !rest.empty()) {
      const std::size_t space = std::min(rest.find(' '), rest.size());
      if (found.contains({entry.body, entry.node, rest.substr(0, space)})) return true;
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
    return false;
  });
}

}  // namespace

std::span<const Rule* const> all_rules() { return kRules; }

const Rule* find_rule(std::string_view id_or_name) {
  const auto at = std::ranges::find_if(kRules, [&](const Rule* rule) {
    return rule->name == id_or_name || lower_case(rule->id) == lower_case(id_or_name);
  });
  return at == kRules.end() ? nullptr : *at;
}

Result<void> validate(const CheckOptions& options) {
  const auto known = [](std::string_view pattern) {
    return std::ranges::any_of(kRules, [&](const Rule* rule) { return matches(*rule, pattern); });
  };
  std::vector<std::string_view> patterns(options.select.begin(), options.select.end());
  patterns.insert(patterns.end(), options.also.begin(), options.also.end());
  patterns.insert(patterns.end(), options.ignore.begin(), options.ignore.end());
  for (const auto& entry : options.severity) patterns.push_back(entry.first);
  for (const std::string_view pattern : patterns) {
    if (known(pattern)) continue;
    std::vector<std::string_view> names;
    for (const Rule* rule : kRules) names.insert(names.end(), {rule->id, rule->name});
    std::string message = fmt::format("no rule is called \"{}\"", pattern);
    if (const auto close = did_you_mean(pattern, names)) {
      message += fmt::format("; did you mean \"{}\"?", *close);
    }
    return fail(ExitCode::usage, std::move(message));
  }
  return {};
}

CheckReport Examination::run_checks(const CheckOptions& options) {
  scope_->options = &options;
  Engine engine(*scope_, options);
  // Before IR 4 every initializer is an input, whether or not anyone means to override it.
  scope_->inference = engine.needs_inference() ? &inference(scope_->ir_version < 4) : nullptr;
  engine.run();
  scope_->options = nullptr;

  auto& entries = engine.sink().entries();
  drop_consequences(entries);
  std::ranges::stable_sort(entries, [](const Sink::Entry& a, const Sink::Entry& b) {
    return std::tie(a.order, a.finding.rule) < std::tie(b.order, b.finding.rule);
  });
  CheckReport report;
  report.omitted = engine.sink().omitted();
  if (options.max_findings > 0 && entries.size() > options.max_findings) {
    report.omitted += entries.size() - options.max_findings;
    entries.resize(options.max_findings);
  }
  report.findings.reserve(entries.size());
  for (Sink::Entry& entry : entries) report.findings.push_back(std::move(entry.finding));
  return report;
}

}  // namespace onnxcompat
