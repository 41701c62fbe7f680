#include "checker/rules.h"

// Rules that compare a model with a target. Without one there is nothing to compare: their
// findings come from check_target.

namespace onnxcompat::rules {

const Rule ir_above_runtime{
    .id = "OCC001",
    .name = "ir-above-runtime",
    .purpose = "Checks that the target reads the model's IR version",
    .citation = "[Versioning.md#ir-versioning]",
    .why = "A runtime refuses a file whose IR version is above its own, whatever is in it.",
    .bad = "<ir_version: 10, …> for ONNX Runtime 1.14, which reads up to 8",
    .good = "<ir_version: 8, …>",
    .fix = "Lower ir_version, if the model uses nothing that came later; convert does it"};

const Rule opset_above_runtime{
    .id = "OCC002",
    .name = "opset-above-runtime",
    .purpose = "Checks that the target has the operator sets that the model imports",
    .citation = "[IR.md#operator-sets]",
    .why = "A runtime must support an imported operator set or reject the model.",
    .bad = "opset_import: [\"\": 21] for ONNX Runtime 1.14, which has ai.onnx up to 18",
    .good = "opset_import: [\"\": 18]",
    .fix = "Convert the model to the target's opset"};

const Rule opset_below_runtime{
    .id = "OCC003",
    .name = "opset-below-runtime",
    .severity = Severity::warning,
    .purpose = "Checks that the model's opset is not below what the target promises to run",
    .citation = "[Versioning.md#released-versions]",
    .why = "Runtimes guarantee operators from some opset on; older ones may work or not.",
    .bad = "opset_import: [\"\": 6] for ONNX Runtime, which promises 7 and later",
    .good = "opset_import: [\"\": 7]",
    .fix = "Convert the model up to the target's lowest opset"};

const Rule operator_above_runtime{
    .id = "OCC011",
    .name = "operator-above-runtime",
    .purpose = "Checks that the target has the version of every operator that a node uses",
    .citation = "[Versioning.md#operator-versioning]",
    .why =
        "Lowering the import would not help here: the node is written in a form that the target "
        "does not have.",
    .bad = "y = Gelu (x) under ai.onnx 20, for ONNX Runtime 1.14, which has ai.onnx up to 18",
    .good = "the same written with Erf, Mul and Add",
    .fix = "See whether the operator can be written with the target's operators: convert tries it"};

}  // namespace onnxcompat::rules
