#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "checker/examination.h"
#include "checker/rules.h"
#include "inference/inference.h"
#include "support/parallel.h"
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

/// A rule that runs.
struct Active {
  const Rule* rule;
  Severity severity;
  std::size_t index;  ///< among the rules that run
};

/// The rules that run, by what they look at.
class Selection {
 public:
  Selection(std::int64_t ir_version, const CheckOptions& options) {
    for (const Rule* rule : kRules) {
      const bool wanted =
          (options.select.empty() ? rule->default_on : matches_any(*rule, options.select)) ||
          matches_any(*rule, options.also);
      if (!wanted || matches_any(*rule, options.ignore)) continue;
      if (ir_version < rule->min_ir || ir_version > rule->max_ir) continue;
      by_kind_[rule->check.index()].push_back({rule, severity_of(*rule, options), size_++});
    }
  }

  /// Those of these rules that need inference, or those that do not.
  Selection part(bool needs_inference) const {
    Selection out = *this;
    for (auto& active : out.by_kind_) {
      std::erase_if(active,
                    [&](const Active& a) { return a.rule->needs_inference != needs_inference; });
    }
    return out;
  }

  const std::vector<Active>& of_kind(std::size_t kind) const { return by_kind_[kind]; }
  std::size_t size() const { return size_; }
  bool needs_inference() const {
    return any_of([](const Rule& rule) { return rule.needs_inference; });
  }
  bool reads_weights() const {
    return any_of([](const Rule& rule) { return rule.reads_weights; });
  }

 private:
  template <class Is>
  bool any_of(const Is& is) const {
    return std::ranges::any_of(by_kind_, [&](const auto& active) {
      return std::ranges::any_of(active, [&](const Active& a) { return is(*a.rule); });
    });
  }

  std::array<std::vector<Active>, std::variant_size_v<Check>> by_kind_;
  std::size_t size_ = 0;
};

/// Walks a model, or a part of it, and asks each rule about what it looks at. Rules keep nothing
/// between two questions, so that parts may be walked in any order, each by a Walk of its own.
class Walk {
 public:
  Walk(const ModelScope& scope, const Selection& rules)
      : scope_(scope), rules_(rules), found_(rules.size()), sink_(kMostOfOneRule) {}

  void model() { each<ModelCheck>(scope_); }

  // Depth first in the order of the file, so that the first findings of a rule are those that a
  // reader meets first.
  void body(const BodyScope& body) {
    head(body);
    contents(body);
  }

  /// The initializers and nodes of a body.
  void contents(const BodyScope& body) {
    initializers(body, 0, initializer_count(body));
    nodes(body, 0, body.body.nodes().size());
  }

  /// All of a body but those.
  void head(const BodyScope& body) {
    each<BodyCheck>(body);
    values(body);
    if (body.body.graph) {
      sparse_initializers(body);
    } else {
      parameters(body);
    }
  }

  static int initializer_count(const BodyScope& body) {
    return body.body.graph ? body.body.graph->initializers().size() : 0;
  }

  /// Initializers `from` to `to - 1`.
  void initializers(const BodyScope& body, int from, int to) {
    if (!any<TensorCheck>() || from == to) return;
    const auto dense = body.body.graph->initializers();
    for (int i = from; i < to; ++i) {
      tensor(dense[i], TensorAt::Role::initializer,
             in_body(body, Section::initializer, i, dense[i].name()));
    }
  }

  /// Nodes `from` to `to - 1`, with the bodies that they hold.
  void nodes(const BodyScope& body, int from, int to) {
    const auto nodes = body.body.nodes();
    const auto types = scope_.inference != nullptr
                           ? std::optional(scope_.inference->seen_from(body.body))
                           : std::nullopt;
    auto inner = std::ranges::lower_bound(body.inner, from, {},
                                          [](const BodyScope* b) { return b->body.owner_index; });
    for (int i = from; i < to; ++i) {
      const NodeView node = nodes[i];
      const int opset = body.opset(node.domain());
      look_up(types, node.inputs(), input_types_);
      look_up(types, node.outputs(), output_types_);
      const NodeAt at{
          .body = body,
          .index = i,
          .node = node,
          .opset = opset,
          .schema = opset > 0 ? schema_in_force(node.domain(), node.op_type(), opset) : nullptr,
          .function = scope_.function(node),
          .input_types = input_types_,
          .output_types = output_types_,
      };
      each<NodeCheck>(at);
      attributes(at);
      while (inner != body.inner.end() && (*inner)->body.owner_index == i) this->body(**inner++);
    }
  }

  Sink& sink() { return sink_; }

 private:
  template <class CheckFn, class Thing>
  void each(const Thing& thing) {
    constexpr std::size_t kind = Check(CheckFn{}).index();
    for (const Active& active : rules_.of_kind(kind)) {
      sink_.begin(*active.rule, active.severity, &found_[active.index]);
      std::get<kind>(active.rule->check)(thing, sink_);
    }
  }
  template <class CheckFn>
  bool any() const {
    return !rules_.of_kind(Check(CheckFn{}).index()).empty();
  }

  static void look_up(const std::optional<Inference::View>& known, Strings names,
                      std::vector<const ValueType*>& types) {
    types.clear();
    if (!known) return;
    for (const std::string& name : names) {
      types.push_back(name.empty() ? nullptr : known->type_of(name));
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

  void sparse_initializers(const BodyScope& body) {
    if (!any<TensorCheck>() && !any<SparseTensorCheck>()) return;
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
  const Selection& rules_;
  std::vector<std::size_t> found_;  ///< by each rule so far
  std::vector<const ValueType*> input_types_;
  std::vector<const ValueType*> output_types_;
  Sink sink_;
};

/// What one thread does at a time: a part of a model.
struct Part {
  enum class Kind : std::uint8_t { initializers, nodes };
  Kind kind;
  const BodyScope* body;
  int from = 0;
  int to = 0;

  void walk(Walk& with) const {
    switch (kind) {
      case Kind::initializers:
        return with.initializers(*body, from, to);
      case Kind::nodes:
        return with.nodes(*body, from, to);
    }
  }
};

/// Fewer parts than that are walked by one thread.
constexpr std::size_t kWorthThreads = 5;

/// The initializers and nodes of a model in parts that are worth a thread's while, in the order of
/// a walk. Initializers are weighed by their bytes where rules read them.
std::vector<Part> parts_of(const ModelScope& scope, bool reads_weights) {
  constexpr std::int64_t kEnough = 1 << 11;  // nodes, or so many KiB of initializers
  std::vector<Part> parts;
  const auto cut = [&](Part::Kind kind, const BodyScope* body, int count, const auto& weight) {
    std::int64_t sum = 0;
    int from = 0;
    for (int i = 0; i < count; ++i) {
      sum += weight(i);
      if (sum < kEnough && i + 1 < count) continue;
      parts.push_back({kind, body, from, i + 1});
      from = i + 1;
      sum = 0;
    }
  };
  for (const BodyScope* root : scope.roots) {
    cut(Part::Kind::initializers, root, Walk::initializer_count(*root), [&](int i) {
      const TensorView tensor = root->body.graph->initializers()[i];
      return 1 +
             (reads_weights ? static_cast<std::int64_t>(tensor.byte_size().value_or(0) >> 10) : 0);
    });
    cut(Part::Kind::nodes, root, root->body.nodes().size(), [](int) { return std::int64_t{1}; });
  }
  return parts;
}

/// Asks the rules about the model as a whole, and about all of its outermost bodies but their
/// initializers and nodes.
void walk_heads(const ModelScope& scope, Walk& walk) {
  walk.model();
  for (const BodyScope* root : scope.roots) walk.head(*root);
}

/// Asks all rules, in several threads where there is enough to ask. What comes of it does not
/// depend on their number. `begun`: walked the heads with the rules that need no inference; may be
/// null.
std::vector<Sink::Entry> ask(const ModelScope& scope, const Selection& rules, unsigned threads,
                             Walk* begun, std::size_t& omitted) {
  const std::vector<Part> parts =
      threads > 1 ? parts_of(scope, rules.reads_weights()) : std::vector<Part>();
  const Selection left = begun != nullptr ? rules.part(true) : rules;
  Walk heads(scope, left);
  walk_heads(scope, heads);
  std::vector<Walk> walks(std::max<std::size_t>(parts.size(), 1), Walk(scope, rules));
  if (parts.size() < kWorthThreads) {
    for (const BodyScope* root : scope.roots) walks[0].contents(*root);
  } else {
    run_parallel(threads, parts.size(), [&](std::size_t i) { parts[i].walk(walks[i]); });
  }
  std::vector<Sink::Entry> entries;
  std::map<const Rule*, std::size_t> found;
  omitted = 0;
  const auto take = [&](Walk& walk) {
    omitted += walk.sink().omitted();
    for (Sink::Entry& entry : walk.sink().entries()) {
      if (++found[entry.rule] <= kMostOfOneRule) {
        entries.push_back(std::move(entry));
      } else {
        ++omitted;
      }
    }
  };
  if (begun != nullptr) take(*begun);
  take(heads);
  std::ranges::for_each(walks, take);
  return entries;
}

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
  const std::int64_t ir_version = ir_version_in_force(model_);
  const Selection rules(ir_version, options);
  // Before IR 4 every initializer is an input, whether or not anyone means to override it.
  const bool assume_defaults = ir_version < 4;
  std::optional<Selection> no_inference;
  std::optional<Walk> begun;
  if (rules.needs_inference()) {
    prepare(assume_defaults, options.threads, [&](ModelScope& indexed) {
      indexed.options = &options;
      walk_heads(indexed, begun.emplace(indexed, no_inference.emplace(rules.part(false))));
    });
  }
  scope().options = &options;
  scope().inference = rules.needs_inference() ? &inference(assume_defaults) : nullptr;
  CheckReport report;
  std::vector<Sink::Entry> entries =
      ask(scope(), rules, options.threads, begun ? &*begun : nullptr, report.omitted);
  scope().options = nullptr;

  drop_consequences(entries);
  std::ranges::stable_sort(entries, [](const Sink::Entry& a, const Sink::Entry& b) {
    return std::tie(a.order, a.finding.rule) < std::tie(b.order, b.finding.rule);
  });
  if (options.max_findings > 0 && entries.size() > options.max_findings) {
    report.omitted += entries.size() - options.max_findings;
    entries.resize(options.max_findings);
  }
  report.findings.reserve(entries.size());
  for (Sink::Entry& entry : entries) report.findings.push_back(std::move(entry.finding));
  return report;
}

}  // namespace onnxcompat
