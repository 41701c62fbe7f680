#include "adapters/convert.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "adapters/context.h"
#include "adapters/domain_map.h"
#include "adapters/engine.h"
#include "adapters/ir_version.h"
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

  const auto start = [&](BodyEditor body_editor, const Body& body) {
    return Root{&body, body_editor, {}, {}, {}, {}, {}, {}, {}};
  };
  const auto run_graph = [&](std::string root_name, GraphView graph, BodyEditor body_editor) {
    Body body;
    body.model = &model;
    body.graph = graph;
    body.root = std::move(root_name);
    Root root = start(body_editor, body);
    root.targets = model_targets;
    root.added_imports = added_to_model;
    engine.convert(root);
    added_to_model = std::move(root.added_imports);
  };
  if (!model_targets.empty()) {
    if (model.has_graph()) run_graph("graph", model.graph(), editor.graph());
    for (int i = 0; i < model.training_infos().size(); ++i) {
      const TrainingInfoView training = model.training_infos()[i];
      if (training.has_initialization()) {
        run_graph(fmt::format("training_info[{}]/initialization", i), training.initialization(),
                  editor.initialization(i));
      }
      if (training.has_algorithm()) {
        run_graph(fmt::format("training_info[{}]/algorithm", i), training.algorithm(),
                  editor.algorithm(i));
      }
    }
  }
  for (int i = 0; i < model.functions().size(); ++i) {
    const FunctionView function = model.functions()[i];
    const auto targets = changes(request, [&](std::string_view d) { return function.opset(d); });
    if (targets.empty()) continue;
    changed = true;
    reached.insert(reached.end(), targets.begin(), targets.end());
    const Body body = body_of(model, function);
    Root root = start(editor.function(i), body);
    root.targets = targets;
    engine.convert(root);
    for (const DomainVersion& d : targets) editor.set_function_opset(i, d.domain, d.version);
    for (const DomainVersion& d : root.added_imports) {
      editor.set_function_opset(i, d.domain, d.version);
    }
  }
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
  if (conversion.model || !function_refused(conversion)) return conversion;
  // Each call for itself may go where the function cannot.
  Context context(model, request);
  Model inlined = model.clone();
  adapters::inline_functions(context, inlined);
  if (!context.blockers.empty()) return conversion;
  Conversion again = run(inlined, request);
  if (!again.model) return conversion;
  again.steps.insert(again.steps.begin(), context.steps.begin(), context.steps.end());
  return again;
}

}  // namespace onnxcompat
