#include "properties/trial.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "checker/checker.h"
#include "executor/compare.h"
#include "versiontable/version_table.h"

namespace onnxcompat::properties {
namespace {

std::string key_of(const OpSchema& schema) {
  return schema.domain.empty() ? std::string(schema.name)
                               : fmt::format("{}:{}", schema.domain, schema.name);
}

/// Cases are small, and run side by side.
executor::RunOptions single_thread() {
  executor::RunOptions options;
  options.threads = 1;
  return options;
}

std::string text_of(const Model& model) {
  auto text = model.serialize(ModelFormat::text);
  return text ? *text : text.error().message;
}

std::set<std::string> errors_of(const Model& model) {
  std::set<std::string> rules;
  for (const Finding& f : check(model)) {
    if (f.severity == Severity::error) rules.insert(fmt::format("{} {}", f.rule, f.message));
  }
  return rules;
}

bool same_form(const executor::Value& a, const executor::Value& b) {
  const Tensor* x = a.tensor();
  const Tensor* y = b.tensor();
  return x != nullptr && y != nullptr && x->type() == y->type() && x->dims() == y->dims();
}

std::int64_t weight_of(const NodeCase& c) {
  std::int64_t weight = static_cast<std::int64_t>(c.attributes.size()) * 4;
  for (const auto* list : {&c.inputs, &c.captured}) {
    for (const Argument& a : *list) {
      weight += a.absent() ? 0 : 3 + static_cast<int>(a.supply);
      if (const Tensor* t = a.value.tensor()) weight += t->size() + t->rank();
    }
  }
  return weight + (c.nested ? 20 : 0) + (c.in_function ? 20 : 0);
}

}  // namespace

std::string Step::name() const {
  return fmt::format("{}-{}-{}", transition->op, up ? transition->from : transition->to,
                     up ? transition->to : transition->from);
}

const OpSchema* Step::start() const {
  return find_schema(transition->domain, transition->op, up ? transition->from : transition->to);
}

NodeCase draw(const Step& step, std::uint64_t seed, const Limits& limits, int& target) {
  Random random(seed);
  const OpSchema& schema = *step.start();
  const int newest = newest_opset(schema.domain).value_or(schema.since_version);
  const int after =
      std::min(find_schema(schema.domain, schema.name, step.transition->to)->until_version, newest);
  const auto between = [&](int low, int high) {
    return static_cast<int>(random.integer(low, high));
  };
  const int low = between(step.transition->from, step.transition->to - 1);
  const int high = between(step.transition->to, after);
  Draft draft(random, schema, step.up ? low : high, limits);
  target = step.up ? high : low;
  NodeCase& c = draft.result();
  c.ai_onnx = random.of({9, 13, 17, 21});
  const auto recipe = recipes().find(key_of(schema));
  if (recipe == recipes().end()) return {};
  recipe->second(draft);
  if (limits.supplies) {
    const bool plain = c.captured.empty() && c.output_types.empty();
    c.nested = plain && random.chance(12);
    c.in_function = plain && !c.nested && random.chance(8);
    if (c.nested && c.opset < 9) {
      // Below 9 the branches of an If would need constants that are floats.
      c.nested = random.chance(50);
    }
  }
  return std::move(draft.result());
}

namespace {

Trial attempt_as(const NodeCase& c, int target, bool keep_models, bool strict_text) {
  Trial trial;
  const auto illegal = [&](std::string why) {
    trial.verdict = Verdict::illegal;
    trial.reason = std::move(why);
    return trial;
  };
  const auto inputs = inputs_of(c);
  std::vector<executor::Value> expected;
  {
    const auto untyped = model_of(c, nullptr);
    if (!untyped) return illegal(untyped.error().message);
    auto run = executor::Executor::prepare(*untyped, single_thread());
    if (!run) return illegal(run.error().message);
    if (!run->missing_kernels().empty()) return illegal("no kernel");
    auto results = run->run(inputs);
    if (!results) return illegal(results.error().message);
    expected = *std::move(results);
  }
  const auto before = model_of(c, &expected);
  if (!before) return illegal(before.error().message);
  const auto errors = errors_of(*before);
  if (!errors.empty() && !c.schema->deprecated) return illegal(*errors.begin());

  ConversionRequest request;
  request.opsets = {{std::string(c.schema->domain), target}};
  request.options.strict_text = strict_text;
  const auto conversion = convert(*before, request);
  const auto fail = [&](std::string why) {
    trial.verdict = Verdict::failed;
    trial.reason = std::move(why);
    if (keep_models) {
      trial.before = text_of(*before);
      if (conversion && conversion->model) trial.after = text_of(*conversion->model);
    }
    return trial;
  };
  if (!conversion) return fail(conversion.error().message);
  if (!conversion->model) {
    trial.verdict = Verdict::refused;
    for (const Finding& f : conversion->blockers) {
      if (f.message.empty()) return fail("a refusal without a reason");
      trial.reason = fmt::format("{}: {}", f.rule, f.message);
    }
    return trial;
  }
  for (const ConversionStep& s : conversion->steps) {
    if (!s.path.empty() && s.note.empty()) return fail("a step that does not say what it did");
  }
  for (const std::string& error : errors_of(*conversion->model)) {
    if (!errors.contains(error)) return fail("the result is not valid: " + error);
  }
  auto run = executor::Executor::prepare(*conversion->model, single_thread());
  if (!run) return fail("the result does not run: " + run.error().message);
  if (!run->missing_kernels().empty()) {
    return fail("the result needs a kernel that is missing: " + run->missing_kernels()[0].op);
  }
  const auto actual = run->run(inputs);
  if (!actual) return fail("the result does not run: " + actual.error().message);
  if (actual->size() != expected.size()) return fail("the number of outputs changed");
  const bool rounds = std::ranges::any_of(conversion->steps, &ConversionStep::rounding);
  trial.verdict = Verdict::exact;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (c.random) {
      if (!same_form(expected[i], (*actual)[i])) return fail("type or dims differ");
      continue;
    }
    const auto difference = executor::compare(
        expected[i], (*actual)[i], rounds ? executor::kRoundingTolerance : executor::kExact);
    if (!difference.equal) return fail(fmt::format("output {}: {}", i, difference.note));
    if (!difference.exact) trial.verdict = Verdict::rounding;
  }
  return trial;
}

}  // namespace

Trial attempt(const NodeCase& c, int target, bool keep_models) {
  Trial trial = attempt_as(c, target, keep_models, false);
  if (trial.verdict != Verdict::failed) return trial;
  Trial by_text = attempt_as(c, target, false, true);
  const bool agrees = by_text.verdict == Verdict::exact || by_text.verdict == Verdict::rounding;
  return agrees ? by_text : trial;
}

NodeCase shrink(const Step& step, NodeCase c, int& target) {
  const auto fails = [&](const NodeCase& other, int to) {
    return other.schema != nullptr && attempt(other, to, false).verdict == Verdict::failed;
  };
  // Smaller cases of other seeds first: they are smaller in ways that this one cannot become.
  for (const int max_dim : {1, 2, 3}) {
    for (const bool edges : {false, true}) {
      for (std::uint64_t seed = 0; seed < 150; ++seed) {
        const Limits limits{max_dim, edges, seed % 3 == 2};
        int to = 0;
        NodeCase other = draw(step, seed, limits, to);
        if (other.schema != nullptr && weight_of(other) < weight_of(c) && fails(other, to)) {
          c = std::move(other);
          target = to;
        }
      }
    }
  }
  const auto keep_if_failing = [&](auto&& change) {
    NodeCase other = c;
    change(other);
    if (fails(other, target)) c = std::move(other);
  };
  keep_if_failing([](NodeCase& o) { o.nested = false; });
  keep_if_failing([](NodeCase& o) { o.in_function = false; });
  for (std::size_t i = c.attributes.size(); i > 0; --i) {
    keep_if_failing([&](NodeCase& o) {
      o.attributes.erase(o.attributes.begin() + static_cast<std::ptrdiff_t>(i - 1));
    });
  }
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    for (const Supply plain : {Supply::graph_input, Supply::initializer}) {
      keep_if_failing([&](NodeCase& o) { o.inputs[i].supply = plain; });
    }
  }
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const Tensor* t = c.inputs[i].value.tensor();
    if (t == nullptr || t->size() > 64 || t->type() == DataType::string) continue;
    const std::size_t width = executor::element_bytes(t->type());
    for (std::int64_t k = 0; k < t->size(); ++k) {
      keep_if_failing([&](NodeCase& o) {
        Tensor copy = o.inputs[i].value.tensor()->clone();
        std::fill_n(copy.mutable_raw() + static_cast<std::size_t>(k) * width, width, std::byte{});
        o.inputs[i].value = executor::Value{std::move(copy)};
      });
    }
  }
  return c;
}

}  // namespace onnxcompat::properties
