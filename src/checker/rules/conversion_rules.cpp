#include "checker/rules.h"

// What stands between a model and a target once conversion is considered, and between two versions
// of a model. Their findings come from the check command: it knows the converter.

namespace onnxcompat::rules {

const Rule not_convertible{
    .id = "OCC007",
    .name = "not-convertible",
    .purpose = "Tells each node that the target cannot express and no rewrite replaces",
    .citation = "[Versioning.md#operator-versioning]",
    .why =
        "A target that the model does not meet may still be reached by convert, unless a node has "
        "no exact form there. All such nodes are told at once, with the reason.",
    .bad = "y = RegexFullMatch (x) for opset 19, where nothing looks into strings",
    .good = "y = Gelu (x) for opset 13: convert writes it with Erf, Mul and Add",
    .fix = "Target the release that the note names, or write the node with older operators"};

const Rule convertible_with_loss{
    .id = "OCC008",
    .name = "convertible-with-loss",
    .severity = Severity::warning,
    .purpose = "Tells where a conversion to the target computes the same function in other steps",
    .citation = "[docs/exactness.md]",
    .why =
        "The rewrite is the same real function, but sums or roundings come in another order, so "
        "that last bits may differ. convert measures by how much.",
    .bad = "y = Gelu (x) brought to opset 13: Erf, Mul and Add round one by one",
    .good = "y = Relu (x), which is the same operator there",
    .fix = "Look at the proof that convert prints; keep the newer opset if the last bits matter"};

const Rule semantics_changed{
    .id = "OCC009",
    .name = "semantics-changed-between-opsets",
    .severity = Severity::warning,
    .purpose = "Tells operators for which changing the stamped opset alone would be wrong",
    .citation = "[Versioning.md#operator-versioning]",
    .why =
        "Some operators keep their name while their meaning or form changes: Softmax at 13, Resize "
        "at 11 and 13, axes that became an input. A model whose opset is only relabelled then "
        "fails to load, or computes something else without a word.",
    .bad = "y = Softmax (x) of opset 13, relabelled 11: another default axis, and another sum",
    .good = "The same model brought to opset 11 by convert",
    .fix = "Use convert; do not edit opset_import by hand"};

const Rule signature_break{
    .id = "OCC010",
    .name = "signature-break",
    .purpose = "Checks, against --baseline-model, that breaking changes come with a major version",
    .citation = "[Versioning.md#model-versioning]",
    .why =
        "Callers rely on a model's inputs, outputs and their types. model_version, read as "
        "MAJOR.MINOR.PATCH, is how they learn that these changed.",
    .bad = "An output renamed between model_version 1.2.0 and 1.3.0",
    .good = "The same change between 1.2.0 and 2.0.0",
    .fix =
        "Raise the major number of model_version, or keep the signature; diff lists the changes"};

}  // namespace onnxcompat::rules
