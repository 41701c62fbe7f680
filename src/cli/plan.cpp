#include "cli/plan.h"

#include <set>
#include <string>

#include <fmt/format.h>

#include "model/walk.h"
#include "support/version.h"

namespace onnxcompat::cli {
namespace {

/// What the model, or else the first function that imports it, has of a domain.
int imported(const Model& model, std::string_view domain) {
  if (const int own = model.opset(domain); own != 0) return own;
  for (const FunctionView f : model.functions()) {
    if (const int own = f.opset(domain); own != 0) return own;
  }
  return 0;
}

bool reaches(const Model& model, const ConversionRequest& request) {
  const auto conversion = convert(model, request);
  return conversion && conversion->model != nullptr;
}

int node_count(const Model& model) {
  int count = 0;
  each_body(model, [&](const Body& body) { count += static_cast<int>(body.nodes().size()); });
  return count;
}

}  // namespace

std::optional<ConversionRequest> nearest_reachable(const Model& model,
                                                   const ConversionRequest& request) {
  for (std::size_t i = 0; i < request.opsets.size(); ++i) {
    const int here = imported(model, request.opsets[i].domain);
    if (here == 0 || here == request.opsets[i].version) continue;
    // Other domains stay where they are asked for as long as that works; then this one moves alone.
    for (const bool alone : {false, true}) {
      ConversionRequest other = request;
      if (alone) other.opsets = {request.opsets[i]};
      int& version = other.opsets[alone ? 0 : i].version;
      const int step = version < here ? 1 : -1;
      for (version += step; version != here; version += step) {
        if (reaches(model, other)) return other;
      }
      if (alone || other.opsets.size() == 1) continue;
      other.opsets.erase(other.opsets.begin() + static_cast<std::ptrdiff_t>(i));
      if (reaches(model, other)) return other;
    }
  }
  return std::nullopt;
}

PlanReport plan_of(const Model& model, const Conversion& conversion, const Request& request,
                   const VersionTable& table) {
  PlanReport plan;
  plan.nodes = node_count(model);
  std::set<std::string> rewritten;
  std::set<std::string> expanded;
  for (const ConversionStep& step : conversion.steps) {
    const bool of_the_model = step.path.empty() && step.from == 0;
    if (of_the_model) continue;
    if (step.path.empty()) {
      plan.relabelled += step.nodes;
    } else if (step.to == 0 && step.from != 0) {
      expanded.insert(step.path);
    } else {
      rewritten.insert(step.path);
    }
  }
  std::set<std::string> blocked;
  for (const Finding& f : conversion.blockers) blocked.insert(f.location.path);
  for (const std::string& path : expanded) rewritten.erase(path);
  for (const std::string& path : blocked) {
    rewritten.erase(path);
    expanded.erase(path);
  }
  plan.rewritten = static_cast<int>(rewritten.size());
  plan.expanded = static_cast<int>(expanded.size());
  plan.blocked = static_cast<int>(blocked.size());
  if (blocked.empty()) return plan;
  const auto nearest = nearest_reachable(model, request.conversion);
  if (!nearest) return plan;
  std::vector<DomainVersion> stamped;
  for (const DomainVersion& d : nearest->opsets) {
    plan.nearest += fmt::format("{}{} {}", plan.nearest.empty() ? "" : ", ",
                                display_domain(d.domain), d.version);
    stamped.push_back(d);
  }
  const int ir = nearest->ir_version.value_or(clamp_version(model.ir_version()));
  if (const auto least = table.minimum_releases(ir, stamped); least.onnxruntime_documented) {
    plan.nearest_runs_in = fmt::format("onnxruntime {}", least.onnxruntime_documented->version);
  }
  return plan;
}

}  // namespace onnxcompat::cli
