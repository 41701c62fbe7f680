#include "cli/prove.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "executor/generate.h"
#include "executor/runner.h"
#include "executor/test_data.h"
#include "inference/inference.h"
#include "model/extract.h"
#include "model/walk.h"

namespace onnxcompat::cli {
namespace {

using executor::Executor;
using executor::NamedValues;
using executor::TestData;
using executor::Value;

constexpr std::string_view kEqual = "equal";
constexpr std::string_view kWithin = "within tolerance";
constexpr std::string_view kDiffers = "differs";
constexpr std::string_view kNotProven = "not proven";

/// A whole-model proof above this many multiply-adds takes longer than people wait for it.
constexpr double kAffordableMacs = 2e10;
/// And with more bytes of weights than this it takes more memory than a conversion should.
constexpr double kAffordableWeights = 512e6;
/// Regions proven one by one in the rewrites mode; equal ones count once.
constexpr std::size_t kMaxRegions = 2000;

executor::RunOptions run_options(const ProofOptions& options) {
  executor::RunOptions run;
  run.seed = options.seed;
  run.memory_budget = options.memory_budget;
  run.node_budget = options.node_budget;
  run.threads = options.threads;
  return run;
}

std::string missing_kernel_line(const executor::MissingKernel& missing) {
  const std::string op =
      fmt::format("{}{}{}", missing.domain.empty() ? "" : missing.domain + ":", missing.op,
                  missing.since_version == 0 ? "" : fmt::format("-{}", missing.since_version));
  return fmt::format("no kernel for {} ({})", op, missing.path);
}

ProofReport not_proven(std::string reason) {
  ProofReport report;
  report.verdict = kNotProven;
  report.reason = std::move(reason);
  return report;
}

OutputDifference output_of(const std::string& name, const executor::Difference& difference) {
  return {.name = name,
          .equal = difference.equal,
          .exact = difference.exact,
          .max_abs = difference.max_abs,
          .max_rel = difference.max_rel,
          .max_ulp = difference.max_ulp,
          .note = difference.note};
}

/// Keeps the worst of several cases for one output.
void merge(OutputDifference& worst, const OutputDifference& next) {
  worst.exact = worst.exact && next.exact;
  worst.max_abs = std::max(worst.max_abs, next.max_abs);
  worst.max_rel = std::max(worst.max_rel, next.max_rel);
  worst.max_ulp = std::max(worst.max_ulp, next.max_ulp);
  if (worst.equal && !next.equal) worst.note = next.note;
  worst.equal = worst.equal && next.equal;
}

/// Runs both once more and names the first value of a's graph that b computes differently.
std::string first_divergence(const Model& a, const Model& b, const NamedValues& inputs,
                             const ProofOptions& options) {
  std::map<std::pair<std::string, std::string>, Value> of_b;
  auto record = run_options(options);
  record.trace = [&](const std::string& body, const std::string& name, const Value& value) {
    of_b[{body, name}] = value;
  };
  auto run_b = Executor::prepare(b, record);
  if (!run_b || !run_b->run(inputs)) return {};
  std::string found;
  auto search = run_options(options);
  search.trace = [&](const std::string& body, const std::string& name, const Value& value) {
    if (!found.empty()) return;
    const auto other = of_b.find({body, name});
    if (other == of_b.end()) return;
    const auto difference = executor::compare(value, other->second, options.tolerance);
    if (!difference.equal) {
      found = fmt::format("first differing value: \"{}\" in {}: {}", name, body, difference.note);
    }
  };
  auto run_a = Executor::prepare(a, search);
  if (run_a) static_cast<void>(run_a->run(inputs));
  return found;
}

/// A model ready to run, or why it is not.
struct Ready {
  std::optional<Executor> executor;
  std::string reason;
};

Ready prepare(const Model& model, const ProofOptions& options, std::string_view which) {
  auto prepared = Executor::prepare(model, run_options(options));
  if (!prepared) return {{}, fmt::format("{}: {}", which, prepared.error().message)};
  if (!prepared->missing_kernels().empty()) {
    return {{}, fmt::format("{}: {}", which, missing_kernel_line(prepared->missing_kernels()[0]))};
  }
  return {std::move(*prepared), {}};
}

/// One comparison in progress: the executors, and the report so far.
class Comparison {
 public:
  Comparison(const Model& a, const Model& b, const ProofOptions& options, bool* budget_passed)
      : a_(a), b_(b), options_(options), budget_passed_(budget_passed) {
    report_.seed = options.seed;
    report_.verdict = kNotProven;
  }

  bool prepare_both() {
    run_a_ = prepare(a_, options_, "the first model");
    run_b_ = prepare(b_, options_, "the second model");
    for (const Ready* ready : {&run_a_, &run_b_}) {
      if (!ready->executor) {
        report_.reason = ready->reason;
        return false;
      }
    }
    if (a_.graph().outputs().size() != b_.graph().outputs().size()) {
      report_.verdict = kDiffers;
      report_.reason = fmt::format("{} outputs against {}", a_.graph().outputs().size(),
                                   b_.graph().outputs().size());
      return false;
    }
    return true;
  }

  /// False if the first model does not run on these inputs, which then prove nothing.
  bool run_case(const NamedValues& inputs) {
    const auto of_a = run_a_.executor->run(inputs);
    if (!of_a) {
      note_budget(of_a.error());
      last_failure_ = of_a.error().message;
      return false;
    }
    ++report_.cases;
    const auto of_b = run_b_.executor->run(inputs);
    if (!of_b) {
      note_budget(of_b.error());
      const bool limit = of_b.error().code == ExitCode::limit;
      report_.verdict = limit ? kNotProven : kDiffers;
      report_.reason =
          "the second model does not run where the first does: " + of_b.error().message;
      failed_ = true;
      return true;
    }
    const auto outputs = a_.graph().outputs();
    bool same = true;
    for (int i = 0; i < outputs.size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const auto next = output_of(outputs[i].name(),
                                  executor::compare((*of_a)[at], (*of_b)[at], options_.tolerance));
      same = same && next.equal;
      if (report_.cases == 1) {
        report_.outputs.push_back(next);
      } else {
        merge(report_.outputs[at], next);
      }
    }
    if (!same) {
      failed_ = true;
      report_.verdict = kDiffers;
      report_.reason = first_divergence(a_, b_, inputs, options_);
    }
    return true;
  }

  bool failed() const { return failed_; }
  bool over_budget() const { return over_budget_; }
  int cases() const { return report_.cases; }

  ProofReport finish() {
    if (failed_) return std::move(report_);
    if (report_.cases == 0) {
      if (report_.reason.empty()) {
        report_.reason = "the model does not run on generated inputs: " + last_failure_;
      }
      return std::move(report_);
    }
    const bool exact = std::all_of(report_.outputs.begin(), report_.outputs.end(),
                                   [](const OutputDifference& output) { return output.exact; });
    report_.verdict = exact ? kEqual : kWithin;
    return std::move(report_);
  }

  ProofReport& report() { return report_; }

 private:
  void note_budget(const Error& error) {
    if (error.code != ExitCode::limit) return;
    over_budget_ = true;
    if (budget_passed_ != nullptr) *budget_passed_ = true;
  }

  const Model& a_;
  const Model& b_;
  const ProofOptions& options_;
  bool* budget_passed_;
  Ready run_a_;
  Ready run_b_;
  ProofReport report_;
  std::string last_failure_;
  bool failed_ = false;
  bool over_budget_ = false;
};

/// Multiply-adds of the products and convolutions whose shapes are known; open dims count as 1.
double estimated_macs(const Model& model, const Inference& inference) {
  double total = 0;
  const auto size = [](const ValueType* type) {
    double product = 1;
    if (type == nullptr || !type->shape) return product;
    for (const Dim& dim : *type->shape) product *= static_cast<double>(dim.value.value_or(1));
    return product;
  };
  each_body(model, [&](const Body& body) {
    for (const NodeView node : body.nodes()) {
      if (!node.domain().empty() || !node.has_output(0) || !node.has_input(1)) continue;
      const ValueType* out = inference.type_of(body, node.outputs()[0]);
      const ValueType* weights = inference.type_of(body, node.inputs()[1]);
      const bool convolution = node.op_type().find("Conv") != std::string::npos;
      const bool product =
          node.op_type().find("MatMul") != std::string::npos || node.op_type() == "Gemm";
      if (weights == nullptr || !weights->shape || weights->shape->empty()) continue;
      if (convolution) {
        const double filters = static_cast<double>(weights->shape->front().value.value_or(1));
        total += size(out) * size(weights) / std::max(filters, 1.0);
      } else if (product) {
        const double columns = static_cast<double>(weights->shape->back().value.value_or(1));
        total += size(out) * size(weights) / std::max(columns, 1.0);
      }
    }
  });
  return total;
}

double weight_bytes(const Model& model) {
  double total = 0;
  each_body(model, [&](const Body& body) {
    if (!body.graph) return;
    for (const TensorView tensor : body.graph->initializers()) {
      total += static_cast<double>(tensor.byte_size().value_or(0));
    }
  });
  return total;
}

bool is_affordable(const Model& model) {
  return weight_bytes(model) <= kAffordableWeights &&
         estimated_macs(model, Inference::run(model)) <= kAffordableMacs;
}

std::optional<ExtractedType> extracted_type(const Inference& inference, const Body& body,
                                            std::string_view value) {
  const ValueType* type = inference.type_of(body, value);
  if (type == nullptr || type->kind != TypeView::Kind::tensor || !type->shape ||
      type->elem == DataType::undefined) {
    return std::nullopt;
  }
  ExtractedType out{.elem = type->elem, .dims = {}};
  for (const Dim& dim : *type->shape) {
    out.dims.push_back({.value = dim.value.value_or(-1), .param = dim.symbol});
  }
  return out;
}

/// Proves each changed node on its own.
ProofReport prove_rewrites(const Model& source, const Conversion& conversion,
                           const ConversionRequest& request, const ProofOptions& options) {
  std::map<std::string, std::string_view> changed;  // path -> op
  for (const ConversionStep& step : conversion.steps) {
    if (step.from != 0) changed.emplace(step.path, step.op);
  }
  ProofReport report;
  report.mode = "rewrites";
  report.seed = options.seed;
  report.verdict = kEqual;
  if (changed.empty()) {
    report.reason = "no node changes its operator version";
    return report;
  }
  const Inference inference = Inference::run(source);
  std::set<std::string> seen;
  std::string first_skip;
  const auto skip = [&](std::string_view path, std::string_view reason) {
    ++report.regions_skipped;
    if (first_skip.empty()) first_skip = fmt::format("{}: {}", path, reason);
  };
  const auto prove_node = [&](const Body& body, int index, const std::string& path) {
    const auto before = extract_node(body, index, [&](std::string_view value) {
      return extracted_type(inference, body, value);
    });
    if (!before) return skip(path, before.error().message);
    if (const auto bytes = before->serialize(); bytes && !seen.insert(*bytes).second) {
      ++report.regions;  // the very same node was proven already
      return;
    }
    const auto after = convert(*before, request);
    if (!after) return skip(path, after.error().message);
    if (!after->model) return skip(path, "cannot be converted without what surrounds it");
    const ProofReport one = compare_models(*before, *after->model, options);
    if (one.verdict == kNotProven) return skip(path, one.reason);
    ++report.regions;
    report.cases = std::max(report.cases, one.cases);
    if (one.verdict == kDiffers && report.verdict != kDiffers) {
      report.verdict = kDiffers;
      report.reason = fmt::format("{}: {}", path, one.reason);
      report.outputs = one.outputs;
    } else if (one.verdict == kWithin && report.verdict == kEqual) {
      report.verdict = kWithin;
    }
  };
  each_body(source, [&](const Body& body) {
    const auto nodes = body.nodes();
    for (int i = 0; i < nodes.size(); ++i) {
      const std::string path = locate_node(body, i).path;
      if (!changed.contains(path)) continue;
      if (seen.size() >= kMaxRegions) {
        skip(path, fmt::format("more than {} different nodes changed", kMaxRegions));
      } else {
        prove_node(body, i, path);
      }
    }
  });
  if (report.verdict != kDiffers && report.regions_skipped > 0) {
    report.verdict = kNotProven;
    report.reason = first_skip;
  }
  return report;
}

}  // namespace

ProofReport compare_models(const Model& a, const Model& b, const ProofOptions& options,
                           bool* budget_passed) {
  Comparison comparison(a, b, options, budget_passed);
  if (!comparison.prepare_both()) return comparison.finish();

  if (!options.inputs.empty()) {
    comparison.report().mode = "given inputs";
    const auto sets = executor::load_test_data(a, options.inputs);
    if (!sets) return not_proven(sets.error().message);
    for (const TestData& set : *sets) {
      if (!comparison.run_case(set.inputs)) break;
      if (comparison.failed()) break;
    }
    return comparison.finish();
  }
  comparison.report().mode = "model";
  const Inference inference = Inference::run(a);
  // A draw that the model rejects (dims that do not fit, say) is drawn again, a few times.
  const int attempts = options.cases * 8;
  for (int i = 0; i < attempts && comparison.cases() < options.cases; ++i) {
    const auto inputs =
        executor::generate_inputs(a, inference,
                                  {.seed = options.seed + static_cast<std::uint64_t>(i),
                                   .attempt = i,
                                   .max_bytes = options.memory_budget});
    if (!inputs) {
      comparison.report().reason = inputs.error().message;
      break;
    }
    static_cast<void>(comparison.run_case(*inputs));
    if (comparison.failed() || comparison.over_budget()) break;
  }
  return comparison.finish();
}

ProofReport prove_conversion(const Model& source, const Conversion& conversion,
                             const ConversionRequest& request, ProofMode mode,
                             const ProofOptions& given) {
  ProofOptions options = given;
  // Exact rewrites must give the same bits; the others are the same function, rounded otherwise.
  options.tolerance = executor::kExact;
  for (const ConversionStep& step : conversion.steps) {
    if (!step.rounding) continue;
    const auto tolerance = executor::rounding_in(step.rounding_in);
    if (options.tolerance.ulps == 0 || tolerance.rtol > options.tolerance.rtol) {
      options.tolerance = tolerance;
    }
  }
  ProofReport report;
  if (mode == ProofMode::off) {
    report.mode = "off";
    report.verdict = kNotProven;
    report.reason = "not asked for";
    return report;
  }
  if (mode == ProofMode::rewrites) return prove_rewrites(source, conversion, request, options);

  std::string why_not;
  if (mode == ProofMode::model || is_affordable(source)) {
    if (mode == ProofMode::automatic) {
      options.memory_budget = std::uint64_t{2} << 30;
      options.node_budget = 2'000'000;
    }
    report = compare_models(source, *conversion.model, options);
    if (mode == ProofMode::model || report.verdict != kNotProven) return report;
    why_not = report.reason;
  } else {
    why_not = "the whole model is too much work";
  }
  report = prove_rewrites(source, conversion, request, options);
  if (report.verdict == kNotProven) {
    report.reason = fmt::format("{}; on their own: {}", why_not, report.reason);
  } else if (report.reason.empty()) {
    report.reason = fmt::format("each changed node on its own, since {}", why_not);
  }
  return report;
}

}  // namespace onnxcompat::cli
