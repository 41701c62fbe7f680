#include "adapters/ir_version.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <unordered_set>

#include <fmt/format.h>

#include "adapters/ir_features.h"
#include "support/version.h"

namespace onnxcompat::adapters {
namespace {

/// Bodies of a model in place, subgraphs before the body that holds them.
void each_editor(BodyEditor body, const std::function<void(BodyEditor)>& visit) {
  const int count = body.nodes().size();
  for (int i = 0; i < count; ++i) {
    body.edit_node(i, [&](OwnedNode& node) {
      for (const BodyEditor& graph : node.graphs()) each_editor(graph, visit);
    });
  }
  visit(body);
}

/// The graphs that are in no node: the model's and those of its training.
std::vector<BodyEditor> outer_graphs(Model& model) {
  ModelEditor editor(model);
  std::vector<BodyEditor> graphs{editor.graph()};
  for (int i = 0; i < editor.training_count(); ++i) {
    if (model.training_infos()[i].has_initialization()) graphs.push_back(editor.initialization(i));
    if (model.training_infos()[i].has_algorithm()) graphs.push_back(editor.algorithm(i));
  }
  return graphs;
}

void each_editor(Model& model, const std::function<void(BodyEditor)>& visit) {
  ModelEditor editor(model);
  for (const BodyEditor& graph : outer_graphs(model)) each_editor(graph, visit);
  for (int i = 0; i < editor.function_count(); ++i) each_editor(editor.function(i), visit);
}

ConversionStep written_step(std::string note) {
  ConversionStep step;
  step.op = "IR";
  step.authority = Authority::written;
  step.note = std::move(note);
  return step;
}

/// Lowers a model, one IR version after the other from above.
class Lowering {
 public:
  Lowering(Context& context, Model& model, int target)
      : context_(context), model_(model), editor_(model), target_(target) {}

  void run() {
    const int from = clamp_version(model_.ir_version());
    if (target_ < 11) drop_device_configurations();
    if (target_ < 10) {
      rename_overloads();
      drop_metadata();
    }
    if (target_ < 8) {
      inline_functions(context_, model_);
    } else if (target_ < 9) {
      materialise_defaults();
    }
    if (target_ < 7) {
      lose(!model_.training_infos().empty(), "training information",
           [&] { editor_.drop_training(); });
    }
    if (target_ < 6) densify();
    if (target_ < 5) drop_annotations();
    if (target_ < 4) initializers_to_inputs();
    // What is still there has no older form.
    std::set<std::string> said;
    each_feature(model_, [&](const Feature& feature) {
      // What can be dropped was, or has its blocker.
      if (feature.since <= target_ || feature.droppable() ||
          !said.insert(feature.what + feature.place).second)
        return;
      Finding finding;
      finding.rule = fmt::format("IR-{}-{}", from, target_);
      finding.name = "conversion-refused";
      finding.message = fmt::format("{} needs IR version {}", feature.what, feature.since);
      finding.hint = fmt::format("convert to IR version {} or newer", feature.since);
      finding.location.path = feature.place;
      context_.blockers.push_back(std::move(finding));
    });
  }

 private:
  void log(std::string note) { context_.steps.push_back(written_step(std::move(note))); }

  /// Removes what no result depends on, if that is allowed; says so either way.
  void lose(bool present, std::string_view what, const std::function<void()>& drop) {
    if (!present) return;
    Finding finding;
    finding.rule = fmt::format("IR-{}-{}", context_.source.ir_version(), target_);
    finding.location.path = "model";
    if (context_.request.options.allow_loss) {
      finding.name = "conversion-loss";
      finding.severity = Severity::warning;
      finding.message = fmt::format("{} dropped: IR version {} cannot hold them", what, target_);
      context_.notes.push_back(std::move(finding));
      log(fmt::format("{} dropped", what));
      drop();
      return;
    }
    finding.name = "conversion-refused";
    finding.message = fmt::format("IR version {} cannot hold {}", target_, what);
    finding.hint = "--allow-loss drops them";
    context_.blockers.push_back(std::move(finding));
  }

  bool any_node(const std::function<bool(const NodeView&)>& holds) const {
    bool found = false;
    each_body(model_, [&](const Body& body) {
      for (const NodeView node : body.nodes()) found = found || holds(node);
    });
    return found;
  }

  void drop_device_configurations() {
    const bool present = model_.device_configuration_count() > 0 || any_node([](const NodeView& n) {
                           return n.device_configuration_count() > 0;
                         });
    lose(present, "device configurations", [&] {
      editor_.drop_device_configurations();
      each_editor(model_, [](BodyEditor body) {
        for (int i = 0; i < body.nodes().size(); ++i) {
          body.edit_node(i, [](OwnedNode& node) { node.drop_device_configurations(); });
        }
      });
    });
  }

  void drop_metadata() {
    bool metadata = false;
    bool value_infos = false;
    each_feature(model_, [&](const Feature& feature) {
      metadata = metadata || feature.what.starts_with("metadata_props");
      value_infos = value_infos || feature.what == "value_info in a function";
    });
    lose(metadata, "metadata_props below the model",
         [&] { each_editor(model_, [](BodyEditor body) { body.drop_metadata(); }); });
    // Functions that will be inlined take nothing along that needs them.
    lose(value_infos && target_ >= 8, "value_info in functions", [&] {
      for (int i = 0; i < editor_.function_count(); ++i) {
        editor_.function(i).drop_function_value_infos();
      }
    });
  }

  void rename_overloads() {
    std::map<std::tuple<std::string, std::string, std::string>, std::string> renamed;
    for (int i = 0; i < editor_.function_count(); ++i) {
      const FunctionView f = model_.functions()[i];
      if (f.overload().empty()) continue;
      std::string name = fmt::format("{}__{}", f.name(), f.overload());
      while (model_.function(f.domain(), name)) name += "_";
      renamed[{std::string(f.domain()), f.name(), f.overload()}] = name;
      editor_.rename_function(i, name);
    }
    if (renamed.empty()) return;
    log("overloads renamed");
    each_editor(model_, [&](BodyEditor body) {
      for (int i = 0; i < body.nodes().size(); ++i) {
        body.edit_node(i, [&](OwnedNode& node) {
          const NodeView view = node.view();
          const auto it =
              renamed.find({std::string(view.domain()), view.op_type(), view.overload()});
          if (it == renamed.end()) return;
          node.set_op(view.raw_domain(), it->second);
          node.set_overload({});
        });
      }
    });
  }

  /// Calls give the defaults themselves; the parameters lose theirs.
  void materialise_defaults() {
    bool any = false;
    for (const FunctionView f : model_.functions()) any = any || !f.attribute_protos().empty();
    if (!any) return;
    log("defaults of function parameters written at the calls");
    const Model before = model_.clone();
    each_editor(model_, [&](BodyEditor body) {
      for (int i = 0; i < body.nodes().size(); ++i) {
        body.edit_node(i, [&](OwnedNode& node) {
          const NodeView view = node.view();
          const auto f = before.function(view.domain(), view.op_type(), view.overload());
          if (!f) return;
          for (const AttributeView a : f->attribute_protos()) {
            if (!node.view().attribute(a.name())) node.set_copy(a.name(), a);
          }
        });
      }
    });
    for (int i = 0; i < editor_.function_count(); ++i) editor_.drop_parameter_defaults(i);
  }

  void densify() {
    int count = 0;
    each_editor(model_, [&](BodyEditor body) {
      if (body.is_function()) return;
      while (!body.graph().sparse_initializers().empty()) {
        const auto done = body.densify(0);
        if (!done) {
          Finding finding;
          finding.rule = fmt::format("IR-{}-{}", context_.source.ir_version(), target_);
          finding.name = "conversion-refused";
          finding.message = done.error().message;
          finding.location.path = "graph";
          context_.blockers.push_back(std::move(finding));
          return;
        }
        ++count;
      }
    });
    if (count > 0) log("sparse initializers written densely");
  }

  void drop_annotations() {
    bool present = false;
    each_feature(model_, [&](const Feature& feature) {
      present = present || feature.what == "quantization annotations";
    });
    lose(present, "quantization annotations", [&] {
      each_editor(model_, [](BodyEditor body) {
        if (!body.is_function()) body.drop_quantization_annotations();
      });
    });
  }

  /// Every initializer is an input [IR.md#graphs]. Inputs of subgraphs are positional, so theirs
  /// move to the main graph.
  void initializers_to_inputs() {
    bool clash = false;
    std::unordered_set<std::string> names;
    const auto see = [&](const std::string& name) { clash = clash || !names.insert(name).second; };
    bool nested = false;
    each_body(model_, [&](const Body& body) {
      if (!body.graph || !body.outermost().root.starts_with("graph")) return;
      if (body.depth > 0) {
        nested = nested || !body.graph->initializers().empty();
        for (const TensorView t : body.graph->initializers()) see(t.name());
      }
    });
    if (nested) {
      // A name that several subgraphs use for different values cannot move to one place.
      each_body(model_, [&](const Body& body) {
        if (!body.graph) return;
        for (const ValueInfoView v : body.graph->inputs())
          clash = clash || names.contains(v.name());
        for (const NodeView n : body.nodes()) {
          for (const std::string& o : n.outputs()) clash = clash || names.contains(o);
        }
        if (body.depth > 0) return;
        for (const TensorView t : body.graph->initializers()) {
          clash = clash || names.contains(t.name());
        }
      });
      if (clash) {
        Finding finding;
        finding.rule = fmt::format("IR-{}-3", context_.source.ir_version());
        finding.name = "conversion-refused";
        finding.message =
            "initializers of subgraphs share a name with another value and cannot "
            "move to the main graph";
        finding.location.path = "graph";
        context_.blockers.push_back(std::move(finding));
        return;
      }
      BodyEditor main = editor_.graph();
      each_editor(main, [&](BodyEditor body) {
        if (body.graph().same_as(main.graph())) return;
        main.take_initializers(body);
      });
      log("initializers of subgraphs moved to the main graph");
    }
    bool any = false;
    for (BodyEditor& graph : outer_graphs(model_)) {
      std::unordered_set<std::string> inputs;
      for (const ValueInfoView v : graph.graph().inputs()) inputs.insert(v.name());
      for (const TensorView t : graph.graph().initializers()) {
        if (inputs.contains(t.name())) continue;
        graph.add_input_for(t);
        any = true;
      }
    }
    if (any) log("initializers stated as graph inputs");
  }

  Context& context_;
  Model& model_;
  ModelEditor editor_;
  int target_;
};

/// What a subgraph states both as an input and as its initializer is, from IR version 4 on, only
/// the latter [IR.md#graphs]: the node supplies the other inputs by position.
void drop_subgraph_defaults(Context& context, Model& model) {
  bool any = false;
  const std::vector<BodyEditor> outer = outer_graphs(model);
  each_editor(model, [&](BodyEditor body) {
    if (body.is_function()) return;
    const auto is_body = [&](const BodyEditor& graph) {
      return graph.graph().same_as(body.graph());
    };
    if (std::ranges::any_of(outer, is_body)) return;
    std::unordered_set<std::string> inputs;
    for (const ValueInfoView v : body.graph().inputs()) inputs.insert(v.name());
    std::vector<std::string> both;
    for (const TensorView t : body.graph().initializers()) {
      if (inputs.contains(t.name())) both.push_back(t.name());
    }
    if (both.empty()) return;
    body.drop_inputs(both);
    any = true;
  });
  if (any) context.steps.push_back(written_step("initializers of subgraphs are no longer inputs"));
}

}  // namespace

void settle_ir_version(Context& context, Model& result, bool opsets_changed) {
  const ConversionRequest& request = context.request;
  const int own = clamp_version(result.ir_version());
  int paired = 3;
  for (const OpsetImportView import : result.opset_imports()) {
    paired =
        std::max(paired, ir_version_for_opset(import.domain(), clamp_version(import.version())));
  }
  int needed = 3;
  each_feature(result, [&](const Feature& feature) { needed = std::max(needed, feature.since); });

  int chosen = own;
  if (opsets_changed) chosen = std::max({own, paired, needed});
  if (request.max_ir_version) chosen = std::min(chosen, *request.max_ir_version);
  if (request.ir_version) chosen = *request.ir_version;
  if (chosen == own) return;
  if (chosen < needed) Lowering(context, result, chosen).run();
  if (own < 4 && chosen >= 4) drop_subgraph_defaults(context, result);
  ModelEditor(result).set_ir_version(chosen);
  ConversionStep step;
  step.op = "IR";
  step.authority = Authority::declared;
  step.note = fmt::format("ir_version {} becomes {}", own, chosen);
  context.steps.push_back(std::move(step));
}

}  // namespace onnxcompat::adapters
