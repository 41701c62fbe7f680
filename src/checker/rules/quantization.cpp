#include <set>

#include "checker/rules.h"

namespace onnxcompat::rules {
namespace {

/// Calls `visit(annotation, place)` for every quantization annotation of a graph.
template <class Visit>
void each_annotation(const BodyScope& b, Visit visit) {
  if (!b.body.graph) return;
  const auto list = b.body.graph->quantization_annotations();
  for (int i = 0; i < list.size(); ++i) {
    visit(list[i], in_body(b, Section::quantization_annotation, i, list[i].tensor_name()));
  }
}

}  // namespace

const Rule quant_annotation_tensor{
    .id = "OCQ001",
    .name = "quant-annotation-tensor",
    .severity = Severity::warning,
    .min_ir = 5,
    .purpose = "Checks that quantization annotations name values that exist",
    .citation = "[onnx.proto#TensorAnnotation] [onnx.proto#GraphProto]",
    .why =
        "An annotation whose tensor, scale or zero point is gone says nothing, and shows that a "
        "tool renamed or removed values without it.",
    .bad = "an annotation for \"x\" with SCALE_TENSOR \"s\" in a graph without \"s\"",
    .good = "the same in a graph with an initializer \"s\"",
    .fix = "Correct the names, or remove the annotation",
    .check = each_body([](const BodyScope& b, Sink& out) {
      each_annotation(b, [&](const QuantizationAnnotationView& annotation, const Place& place) {
        if (!b.sees(annotation.tensor_name())) {
          out.add(place, "The annotation is for \"{}\", which is no value of the graph",
                  annotation.tensor_name());
        }
        for (const EntryView parameter : annotation.parameters()) {
          if (b.sees(parameter.value())) continue;
          out.add(place, "{} of \"{}\" is \"{}\", which is no value of the graph", parameter.key(),
                  annotation.tensor_name(), parameter.value());
        }
      });
    })};

const Rule quant_annotation_key{
    .id = "OCQ002",
    .name = "quant-annotation-key",
    .severity = Severity::info,
    .min_ir = 5,
    .purpose = "Checks that quantization annotations use the keys that are defined, each once",
    .citation = "[onnx.proto#TensorAnnotation]",
    .why = "Readers know SCALE_TENSOR and ZERO_POINT_TENSOR only.",
    .bad = "an annotation with the key SCALE",
    .good = "an annotation with the keys SCALE_TENSOR and ZERO_POINT_TENSOR",
    .fix = "Use SCALE_TENSOR and ZERO_POINT_TENSOR",
    .check = each_body([](const BodyScope& b, Sink& out) {
      each_annotation(b, [&](const QuantizationAnnotationView& annotation, const Place& place) {
        std::set<std::string_view> seen;
        for (const EntryView parameter : annotation.parameters()) {
          const std::string& key = parameter.key();
          if (key != "SCALE_TENSOR" && key != "ZERO_POINT_TENSOR") {
            out.add(place, "\"{}\" is no parameter of quantization", key);
          } else if (!seen.insert(key).second) {
            out.add(place, "{} is given twice", key);
          }
        }
      });
    })};

}  // namespace onnxcompat::rules
