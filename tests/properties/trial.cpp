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

/// Declares all dims where a tensor is empty.
void show_empty(NodeCase& c) {
  c.shows_empty = true;
  const auto is_empty = [](const Argument& a) {
    const Tensor* t = a.value.tensor();
    return t != nullptr && t->size() == 0;
  };
  if (std::ranges::none_of(c.inputs, is_empty) && std::ranges::none_of(c.captured, is_empty)) {
    return;
  }
  c.in_function = false;
  for (auto* list : {&c.inputs, &c.captured}) {
    for (Argument& a : *list) {
      if (a.supply == Supply::symbolic || a.supply == Supply::unknown_rank) {
        a.supply = Supply::graph_input;
      }
    }
  }
}

}  // namespace

std::string Step::name() const {
  if (expansion != nullptr) return fmt::format("{}-{}-0", expansion->op, expansion->since);
  return fmt::format("{}-{}-{}", transition->op, up ? transition->from : transition->to,
                     up ? transition->to : transition->from);
}

const OpSchema* Step::start() const {
  if (expansion != nullptr) {
    return find_schema(expansion->domain, expansion->op, expansion->since);
  }
  return find_schema(transition->domain, transition->op, up ? transition->from : transition->to);
}

NodeCase draw(const Step& step, std::uint64_t seed, const Limits& limits, int& target) {
  Random random(seed);
  const OpSchema& schema = *step.start();
  const int newest = newest_known_opset(schema.domain).value_or(schema.since_version);
  // Older models than those of opset 7 are few.
  constexpr int kLowest = 7;
  const bool below = step.expansion != nullptr;
  const int from = below ? std::min(kLowest, schema.since_version - 1) : step.transition->from;
  const int to = below ? schema.since_version : step.transition->to;
  const int after = std::min(find_schema(schema.domain, schema.name, to)->until_version, newest);
  const auto between = [&](int low, int high) {
    return static_cast<int>(random.integer(low, high));
  };
  const int low = between(from, to - 1);
  const int high = between(to, after);
  Draft draft(random, schema, step.up ? low : high, low, limits);
  target = step.up ? high : low;
  NodeCase& c = draft.result();
  c.ai_onnx = random.of({9, 13, 17, 21});
  const auto recipe = recipes().find(key_of(schema));
  if (recipe == recipes().end()) return {};
  recipe->second(draft);
  draft.leftover_attributes();
  if (limits.supplies) {
    const bool plain = c.captured.empty() && c.output_types.empty();
    c.nested = plain && random.chance(12);
    c.in_function = plain && !c.nested && random.chance(8);
    c.open_outputs = random.chance(30);
    c.inside = random.chance(50);
    // Below opset 6 a computed shape has no word for a dim of 0 (docs/exactness.md).
    if (schema.domain.empty() && target < 6) show_empty(c);
  }
  return std::move(draft.result());
}

namespace {

Result<Conversion> convert_to(const Model& model, const NodeCase& c, int opset, bool strict_text) {
  ConversionRequest request;
  request.opsets = {{std::string(c.schema->domain), opset}};
  request.options.strict_text = strict_text;
  return convert(model, request);
}

/// What is wrong with a conversion as such; empty if nothing is.
std::string fault_of(const Result<Conversion>& conversion) {
  if (!conversion) return conversion.error().message;
  for (const Finding& f : conversion->blockers) {
    if (f.message.empty()) return "a refusal without a reason";
  }
  if (!conversion->model && conversion->blockers.empty()) return "a refusal without a blocker";
  for (const ConversionStep& s : conversion->steps) {
    if (!s.path.empty() && s.note.empty()) return "a step that does not say what it did";
  }
  return {};
}

/// Values that the text of a version does not allow, whatever is done in practice.
constexpr std::string_view kValueRule = "OCN020";

/// One case being tried: what it gives before, and what else it is measured by.
class Attempt {
 public:
  Attempt(const NodeCase& c, const Mode& mode) : case_(c), mode_(mode) {}

  Trial to(int target) {
    if (!prepare()) return std::move(trial_);
    if (mode_.strict_text && !check_practice(target)) return std::move(trial_);
    const auto there = convert_to(*before_, case_, target, mode_.strict_text);
    if (!accept(there, trial_.after)) return std::move(trial_);
    executor::Tolerance tolerance = executor::kExact;
    widen(tolerance, *there);
    if (!mode_.round_trip) {
      compare_results(*there->model, tolerance);
      return std::move(trial_);
    }
    const auto back = convert_to(*there->model, case_, case_.opset, mode_.strict_text);
    if (!accept(back, trial_.back)) return std::move(trial_);
    widen(tolerance, *back);
    compare_results(*back->model, tolerance);
    trial_.same_model = graph_text(*back->model) == graph_text(*before_);
    return std::move(trial_);
  }

 private:
  /// As much as the steps say that they round.
  static void widen(executor::Tolerance& tolerance, const Conversion& conversion) {
    for (const ConversionStep& step : conversion.steps) {
      if (!step.rounding) continue;
      const auto own = executor::rounding_in(step.rounding_in);
      if (tolerance.ulps == 0 || own.rtol > tolerance.rtol) tolerance = own;
    }
  }
  /// The graph in the textual syntax, without what stands before it: the IR version stays raised.
  static std::string graph_text(const Model& model) {
    const std::string text = text_of(model);
    const auto header = text.find("\n>\n");
    return header == std::string::npos ? text : text.substr(header);
  }

  bool illegal(std::string why) {
    trial_.verdict = Verdict::illegal;
    trial_.reason = std::move(why);
    return false;
  }
  bool fail(std::string why) {
    trial_.verdict = Verdict::failed;
    trial_.reason = std::move(why);
    if (mode_.keep_models) trial_.before = text_of(*before_);
    return false;
  }

  bool run_untyped() {
    inputs_ = inputs_of(case_);
    const auto untyped = model_of(case_, nullptr);
    if (!untyped) return illegal(untyped.error().message);
    auto run = executor::Executor::prepare(*untyped, single_thread());
    if (!run) return illegal(run.error().message);
    if (!run->missing_kernels().empty()) return illegal("no kernel");
    auto results = run->run(inputs_);
    if (!results) return illegal(results.error().message);
    expected_ = *std::move(results);
    return true;
  }

  /// Runs the case as it is; false if it is not legal.
  bool prepare() {
    if (!run_untyped()) return false;
    if (case_.inside) {
      for (const executor::Value& value : expected_) {
        case_.narrow_outputs.push_back(is_narrow(value));
      }
      if (std::ranges::count(case_.narrow_outputs, true) > 0 && !run_untyped()) return false;
    }
    const bool empty = std::ranges::any_of(expected_, [](const executor::Value& value) {
      return value.tensor() != nullptr && value.tensor()->size() == 0;
    });
    if (case_.shows_empty && empty) {
      case_.nested = case_.in_function = case_.open_outputs = false;
      if (!run_untyped()) return false;
    }
    before_ = model_of(case_, &expected_);
    if (!before_) return illegal(before_.error().message);
    errors_ = errors_of(*before_);
    if (!errors_.empty() && !case_.schema->deprecated) return illegal(*errors_.begin());
    return true;
  }

  /// The conversion came to a model, and that is valid.
  bool accept(const Result<Conversion>& conversion, std::string& text,
              std::string_view exempt = "none") {
    if (const std::string fault = fault_of(conversion); !fault.empty()) return fail(fault);
    if (!conversion->model) {
      const Finding& f = conversion->blockers.front();
      trial_.verdict = Verdict::refused;
      trial_.reason = fmt::format("{}: {}", f.rule, f.message);
      return false;
    }
    if (mode_.keep_models) text = text_of(*conversion->model);
    for (const std::string& error : errors_of(*conversion->model)) {
      if (error.starts_with(exempt)) continue;
      if (!errors_.contains(error)) return fail("the result is not valid: " + error);
    }
    return true;
  }

  bool run_result(const Model& model, std::vector<executor::Value>& actual) {
    auto run = executor::Executor::prepare(model, single_thread());
    if (!run) return fail("the result does not run: " + run.error().message);
    if (!run->missing_kernels().empty()) {
      return fail("the result needs a kernel that is missing: " + run->missing_kernels()[0].op);
    }
    auto results = run->run(inputs_);
    if (!results) return fail("the result does not run: " + results.error().message);
    if (results->size() != expected_.size()) return fail("the number of outputs changed");
    actual = *std::move(results);
    return true;
  }

  /// By practice the numbers are others where text and practice part; the rest holds.
  bool check_practice(int target) {
    const auto there = convert_to(*before_, case_, target, false);
    std::string text;
    if (!accept(there, text, kValueRule)) return trial_.verdict == Verdict::refused;
    std::vector<executor::Value> actual;
    return run_result(*there->model, actual);
  }

  void compare_results(const Model& model, const executor::Tolerance& tolerance) {
    std::vector<executor::Value> actual;
    if (!run_result(model, actual)) return;
    trial_.verdict = Verdict::exact;
    for (std::size_t i = 0; i < expected_.size(); ++i) {
      if (case_.random) {
        if (!same_form(expected_[i], actual[i])) {
          fail("type or dims differ");
          return;
        }
        continue;
      }
      const auto difference = executor::compare(expected_[i], actual[i], tolerance);
      if (!difference.equal) {
        fail(fmt::format("output {}: {}", i, difference.note));
        return;
      }
      if (!difference.exact) trial_.verdict = Verdict::rounding;
    }
  }

  NodeCase case_;
  const Mode& mode_;
  Trial trial_;
  executor::NamedValues inputs_;
  std::vector<executor::Value> expected_;
  Result<Model> before_ = onnxcompat::fail(ExitCode::internal_error, "not made yet");
  std::set<std::string> errors_;
};

}  // namespace

Trial attempt(const NodeCase& c, int target, const Mode& mode) {
  return Attempt(c, mode).to(target);
}

NodeCase shrink(const Step& step, NodeCase c, int& target, const Mode& mode) {
  const auto fails = [&](const NodeCase& other, int to) {
    return other.schema != nullptr && attempt(other, to, mode).verdict == Verdict::failed;
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
  keep_if_failing([](NodeCase& o) { o.inside = false; });
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
    const std::int64_t count = t->size();  // the case itself is replaced below
    for (std::int64_t k = 0; k < count; ++k) {
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
