#include "cli/destination.h"

#include <algorithm>
#include <functional>
#include <set>

#include <fmt/format.h>

#include "versiontable/schema.h"
#include "versiontable/version_table.h"

namespace onnxcompat::cli {
namespace {

/// What the first target that does not take the model has against it; nullptr if all do.
const TargetVerdict* objection(const std::vector<TargetVerdict>& verdicts) {
  const auto found = std::ranges::find(verdicts, false, &TargetVerdict::compatible);
  return found == verdicts.end() ? nullptr : &*found;
}

Result<Arrival> arrive(const Model& model, Request request) {
  auto converted = convert(model, request.conversion);
  if (!converted) return std::unexpected(converted.error());
  Arrival arrival{std::move(request), *std::move(converted), {}, nullptr};
  if (arrival.conversion.model) {
    arrival.examination = std::make_unique<Examination>(*arrival.conversion.model);
    arrival.verdicts = arrival.examination->check_targets(arrival.request.targets);
  }
  return arrival;
}

bool has_exact_opset(const Request& request) {
  return std::ranges::any_of(request.targets, [](const Target& target) {
    return target.product.empty() && target.ceilings.opset("").has_value();
  });
}

/// The range that the targets leave to ai.onnx.
struct Range {
  int first = 1;
  int last = newest_opset("").value_or(0);
};

Range allowed(const std::vector<Target>& targets) {
  Range range;
  for (const Target& target : targets) {
    if (const auto ceiling = target.ceilings.opset("")) range.last = std::min(range.last, *ceiling);
    range.first = std::max(range.first, target.ceilings.min_ai_onnx);
  }
  return range;
}

/// The versions at which an operator that stands in the way is another one, nearest below `opset`
/// first, then nearest above.
std::vector<int> candidates(const TargetVerdict& verdict, int opset, const Range& range) {
  std::set<int, std::greater<>> below;
  std::set<int> above;
  for (const Finding& finding : verdict.findings) {
    if (finding.severity != Severity::error) continue;
    for (const OpSchema& schema : op_history("", finding.location.op_type)) {
      const int since = schema.since_version;
      if (since <= opset && since - 1 >= range.first) below.insert(since - 1);
      if (since > opset && since <= range.last) above.insert(since);
    }
  }
  std::vector<int> list(below.begin(), below.end());
  list.insert(list.end(), above.begin(), above.end());
  return list;
}

Request at_opset(Request request, int opset) {
  auto& opsets = request.conversion.opsets;
  std::erase_if(opsets, [](const DomainVersion& entry) { return entry.domain.empty(); });
  opsets.push_back({"", opset});
  return request;
}

Finding remark(int asked, int taken, const TargetVerdict& verdict) {
  const auto first = std::ranges::find(verdict.findings, Severity::error, &Finding::severity);
  Finding finding;
  finding.rule = fmt::format("opset-{}-{}", asked, taken);
  finding.name = "conversion-remark";
  finding.severity = Severity::info;
  finding.location.path = "model";
  finding.message = fmt::format("ai.onnx {} is taken rather than {}, where {}: {}", taken, asked,
                                first->location.path, first->message);
  return finding;
}

}  // namespace

Result<Arrival> convert_for_targets(const Model& model, const Request& request) {
  auto arrival = arrive(model, request);
  if (!arrival || !arrival->conversion.model) return arrival;
  const bool may_choose = std::ranges::any_of(
      request.targets, [](const Target& target) { return !target.product.empty(); });
  const TargetVerdict* against = objection(arrival->verdicts);
  if (against == nullptr || !may_choose || has_exact_opset(request)) return arrival;
  const int asked = arrival->conversion.model->opset("");
  for (const int opset : candidates(*against, asked, allowed(request.targets))) {
    auto attempt = arrive(model, at_opset(request, opset));
    if (!attempt || !attempt->conversion.model || objection(attempt->verdicts) != nullptr) continue;
    attempt->conversion.notes.push_back(remark(asked, opset, *against));
    return attempt;
  }
  return arrival;
}

}  // namespace onnxcompat::cli
