#include <set>
#include <unordered_set>

#include "checker/rules.h"

namespace onnxcompat::rules {
namespace {

using Names = std::unordered_set<std::string_view>;

Place training_place(int index, std::string_view part) {
  return in_model(Section::training_info, index, fmt::format("training_info[{}]/{}", index, part));
}

void add_initializers(Names& names, const GraphView& graph) {
  for (const TensorView t : graph.initializers()) names.insert(t.name());
  for (const SparseTensorView t : graph.sparse_initializers()) names.insert(t.values().name());
}

void add_outputs(Names& names, const GraphView& graph) {
  for (const ValueInfoView v : graph.outputs()) names.insert(v.name());
}

/// Calls `visit(training, index)` for every entry of training_info.
template <class Visit>
void each_training(const ModelScope& m, Visit visit) {
  const auto trainings = m.model.training_infos();
  for (int i = 0; i < trainings.size(); ++i) visit(trainings[i], i);
}

}  // namespace

const Rule training_binding_key{
    .id = "OCR001",
    .name = "training-binding-key",
    .min_ir = 7,
    .purpose = "Checks that bindings assign to initializers of the main or the algorithm graph",
    .citation = "[IR.md#training-related-information] [onnx.proto#TrainingInfoProto]",
    .why = "Bindings name the state that training changes, and that is initializers only.",
    .bad = "an update_binding with key \"w\" and no initializer \"w\"",
    .good = "an update_binding whose key is an initializer of the main graph",
    .fix = "Name an initializer of the main graph or of the algorithm",
    .check = once([](const ModelScope& m, Sink& out) {
      each_training(m, [&](const TrainingInfoView& training, int index) {
        Names state;
        if (m.model.has_graph()) add_initializers(state, m.model.graph());
        if (training.has_algorithm()) add_initializers(state, training.algorithm());
        const auto look = [&](ListOf<EntryView> bindings, std::string_view field) {
          for (const EntryView b : bindings) {
            if (state.contains(b.key())) continue;
            out.add(training_place(index, field), "\"{}\" is no initializer", b.key());
          }
        };
        look(training.initialization_bindings(), "initialization_binding");
        look(training.update_bindings(), "update_binding");
      });
    })};

const Rule training_binding_value{
    .id = "OCR002",
    .name = "training-binding-value",
    .min_ir = 7,
    .purpose = "Checks that bindings assign outputs of the graph that computes them",
    .citation = "[IR.md#training-related-information] [onnx.proto#TrainingInfoProto]",
    .why =
        "An initialization binding takes outputs of the initialization graph, an update binding "
        "those of the algorithm or of the main graph.",
    .bad = "an initialization_binding whose value is no output of initialization",
    .good = "an initialization_binding whose value is one",
    .fix = "Make the value an output of the graph",
    .check = once([](const ModelScope& m, Sink& out) {
      each_training(m, [&](const TrainingInfoView& training, int index) {
        const auto look = [&](ListOf<EntryView> bindings, const Names& outputs,
                              std::string_view field, std::string_view whose) {
          for (const EntryView b : bindings) {
            if (outputs.contains(b.value())) continue;
            out.add(training_place(index, field), "\"{}\" is no output of {}", b.value(), whose);
          }
        };
        Names initial;
        if (training.has_initialization()) add_outputs(initial, training.initialization());
        look(training.initialization_bindings(), initial, "initialization_binding",
             "the initialization graph");
        Names updated;
        if (training.has_algorithm()) add_outputs(updated, training.algorithm());
        if (m.model.has_graph()) add_outputs(updated, m.model.graph());
        look(training.update_bindings(), updated, "update_binding",
             "the algorithm or the main graph");
      });
    })};

const Rule training_binding_duplicate{
    .id = "OCR003",
    .name = "training-binding-duplicate",
    .min_ir = 7,
    .purpose = "Checks that a step assigns each state variable once",
    .citation = "[onnx.proto#TrainingInfoProto] [IR.md#training-related-information]",
    .why =
        "Of two assignments to one variable the order decides, and bindings have none. Keys "
        "differ over the update bindings of all training_info entries.",
    .bad = "two update_bindings with key \"w\"",
    .good = "one update_binding with key \"w\"",
    .fix = "Keep one of the bindings",
    .check = once([](const ModelScope& m, Sink& out) {
      std::set<std::string_view> updated;
      each_training(m, [&](const TrainingInfoView& training, int index) {
        std::set<std::string_view> initialized;
        for (const EntryView b : training.initialization_bindings()) {
          if (initialized.insert(b.key()).second) continue;
          out.add(training_place(index, "initialization_binding"), "\"{}\" is assigned twice",
                  b.key());
        }
        for (const EntryView b : training.update_bindings()) {
          if (updated.insert(b.key()).second) continue;
          out.add(training_place(index, "update_binding"), "\"{}\" is assigned twice", b.key());
        }
      });
    })};

const Rule training_graph_scope{
    .id = "OCR004",
    .name = "training-graph-scope",
    .min_ir = 7,
    .purpose = "Checks that the main graph stands without the algorithm, and both together",
    .citation = "[onnx.proto#TrainingInfoProto]",
    .why =
        "Inference ignores training information, so the main graph must not need it; a training "
        "step runs both as one graph, in which names are defined once.",
    .bad = "a main graph whose node reads a value of the algorithm graph",
    .good = "an algorithm graph whose node reads a value of the main graph",
    .fix = "Move what the main graph needs into it, and rename what both define",
    .check = once([](const ModelScope& m, Sink& out) {
      for (const auto& body : m.bodies) {
        for (const Unresolved& u : body->unresolved) {
          if (u.kind != Unresolved::Kind::undefined || !m.is_training_value(*body, u.name))
            continue;
          out.add(at_node_input(*body, u.node, u.slot, u.name),
                  "\"{}\" is a value of a training algorithm, which the main graph cannot see",
                  u.name);
        }
        if (body->is_subgraph() || body->is_main()) continue;
        for (const Shadowing& s : body->shadowings) {
          out.add(in_body(*body), "\"{}\" is defined by the main graph too", s.name);
        }
        if (body->body.graph && body->body.root.ends_with("/initialization") &&
            !body->body.graph->inputs().empty()) {
          out.add(in_body(*body, Section::input, 0, body->body.graph->inputs()[0].name()),
                  "The initialization graph has inputs, which nobody gives it");
        }
      }
    })};

}  // namespace onnxcompat::rules
