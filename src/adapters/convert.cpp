#include "adapters/convert.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "adapters/context.h"
#include "adapters/domain_map.h"
#include "adapters/engine.h"
#include "adapters/ir_version.h"
#include "adapters/preparation.h"
#include "model/edit.h"

namespace onnxcompat {
namespace {

using adapters::Context;
using adapters::Engine;
using adapters::Root;

/// Says which versions that the model or a function went to ONNX has yet to release.
void remark_unreleased(const ConversionRequest& request, const std::vector<DomainVersion>& reached,
                       Context& context) {
  for (const DomainVersion& wanted : request.opsets) {
    const DomainVersion d{std::string(canonical_domain(wanted.domain)), wanted.version};
    const auto newest = newest_opset(d.domain);
    if (!newest || d.version <= *newest || !std::ranges::count(reached, d)) continue;
    Finding remark;
    remark.rule = fmt::format("opset-{}", d.version);
    remark.name = "conversion-remark";
    remark.severity = Severity::warning;
    remark.location.path = "model";
    remark.message = fmt::format(
        "{} {} is not released yet: released runtimes refuse it, and it may still change",
        display_domain(d.domain), d.version);
    remark.hint = fmt::format("The newest released version is {}", *newest);
    context.notes.push_back(std::move(remark));
  }
}

/// An import that no node needs may say any version.
bool is_idle_import(const Model& model, std::string_view domain) {
  bool used = model.opset(domain) == 0;
  each_body(model, [&](const Body& body) {
    for (const NodeView node : body.nodes()) used = used || node.domain() == domain;
  });
  return !used;
}

Result<void> check_request(const Model& model, const ConversionRequest& request) {
  for (const DomainVersion& wanted : request.opsets) {
    const std::string_view domain = canonical_domain(wanted.domain);
    const bool mapped =
        std::ranges::any_of(request.maps, [&](const auto& map) { return map->domain() == domain; });
    if (mapped && wanted.version >= 1) continue;
    const auto newest = newest_opset(domain);
    if (!newest) {
      if (wanted.version >= 1 && is_idle_import(model, domain)) continue;
      return fail(ExitCode::usage,
                  fmt::format("the versions of domain {} are not known", display_domain(domain)));
    }
    if (wanted.version < 1 || wanted.version > newest_known_opset(domain).value_or(*newest)) {
      return fail(ExitCode::usage, fmt::format("opset {} of {} does not exist; the newest is {}",
                                               wanted.version, display_domain(domain), *newest));
    }
  }
  for (const auto& ir : {request.ir_version, request.max_ir_version}) {
    if (ir && (*ir < 3 || *ir > newest_ir_version())) {
      return fail(ExitCode::usage,
                  fmt::format("IR version {} is not one to convert to; 3 to {} are", *ir,
                              newest_ir_version()));
    }
  }
  return {};
}

/// The targets that mean a change for a body that imports these opsets.
std::vector<DomainVersion> changes(const ConversionRequest& request,
                                   const std::function<int(std::string_view)>& imported) {
  std::vector<DomainVersion> targets;
  for (const DomainVersion& wanted : request.opsets) {
    const std::string domain(canonical_domain(wanted.domain));
    const int version = imported(domain);
    if (version != 0 && version != wanted.version) targets.push_back({domain, wanted.version});
  }
  return targets;
}

Conversion run(const Model& model, const ConversionRequest& request) {
  Context context(model, request);
  Model result = model.clone();
  ModelEditor editor(result);
  Engine engine(context);

  const auto model_targets = changes(request, [&](std::string_view d) { return model.opset(d); });
  bool changed = !model_targets.empty();
  std::vector<DomainVersion> added_to_model;
  std::vector<DomainVersion> reached = model_targets;

  adapters::each_root(model, result, [&](const Body& body, const auto& edit, int function) {
    const auto targets = function < 0
                             ? model_targets
                             : changes(request, [&](std::string_view d) { return body.opset(d); });
    if (targets.empty()) return;
    Root root(body, edit());
    root.targets = targets;
    if (function < 0) root.added_imports = added_to_model;
    engine.convert(root);
    if (function < 0) {
      added_to_model = std::move(root.added_imports);
      return;
    }
    changed = true;
    reached.insert(reached.end(), root.targets.begin(), root.targets.end());
    for (const auto& imports : {root.targets, root.added_imports}) {
      for (const DomainVersion& d : imports) {
        editor.set_function_opset(function, d.domain, d.version);
      }
    }
  });
  for (const DomainVersion& d : model_targets) editor.set_opset(d.domain, d.version);
  for (const DomainVersion& d : added_to_model) editor.set_opset(d.domain, d.version);

  remark_unreleased(request, reached, context);
  if (context.blockers.empty()) adapters::settle_ir_version(context, result, changed);

  Conversion conversion;
  conversion.ir_version = result.ir_version();
  conversion.steps = std::move(context.steps);
  conversion.blockers = std::move(context.blockers);
  conversion.notes = std::move(context.notes);
  if (conversion.blockers.empty()) conversion.model = std::make_unique<Model>(std::move(result));
  return conversion;
}

/// Was anything refused inside a function, where a caller would know more: types, the values of
/// parameters?
bool function_refused(const Conversion& conversion) {
  return std::ranges::any_of(conversion.blockers, [](const Finding& f) {
    return f.location.path.starts_with("function ");
  });
}

}  // namespace

Result<Conversion> convert(const Model& model, const ConversionRequest& request) {
  if (auto checked = check_request(model, request); !checked)
    return std::unexpected(checked.error());
  Conversion conversion = run(model, request);
  if (conversion.model) return conversion;
  // Another form of the same model may go where this one cannot.
  Context context(model, request);
  const auto go_by = [&](const Model& other) {
    Conversion again = run(other, request);
    if (!again.model) return false;
    again.steps.insert(again.steps.begin(), context.steps.begin(), context.steps.end());
    conversion = std::move(again);
    return true;
  };
  const auto prepared = [&](const Model& from) {
    auto laid_out = adapters::lay_out_known_control_flow(context, from);
    auto carried = adapters::carry_in_wider_types(context, laid_out ? *laid_out : from);
    return carried ? std::move(carried) : std::move(laid_out);
  };
  if (const auto other = prepared(model); other && go_by(*other)) return conversion;
  if (!function_refused(conversion)) return conversion;
  // Each call for itself may go where the function cannot.
  context.steps.clear();
  Model inlined = model.clone();
  adapters::inline_functions(context, inlined);
  if (!context.blockers.empty()) return conversion;
  const auto other = prepared(inlined);
  go_by(other ? *other : inlined);
  return conversion;
}

}  // namespace onnxcompat
