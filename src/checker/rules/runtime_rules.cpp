#include "checker/rules.h"

// What releases of ONNX Runtime need of a model beyond its stamps (data/kernels.json,
// data/com_microsoft.json). Their findings come from check_target.

namespace onnxcompat::rules {

const Rule operator_unsupported{
    .id = "OCC004",
    .name = "operator-unsupported",
    .purpose = "Checks that the target implements the operator version in use",
    .citation = "[onnxruntime OperatorKernels.md]",
    .why =
        "A runtime may accept an operator set and still lack the code for one operator version: "
        "loading then fails with 'Could not find an implementation'.",
    .bad = "DeformConv of ai.onnx 19 for ONNX Runtime 1.20, which has no kernel for it",
    .good = "The same model for ONNX Runtime 1.25",
    .fix =
        "Target a release that has the kernel, or convert to an opset in which the operator has "
        "an implemented version"};

const Rule kernel_type_unsupported{
    .id = "OCC005",
    .name = "kernel-type-unsupported",
    .purpose = "Checks that the target implements each operator for the element types in use",
    .citation = "[onnxruntime OperatorKernels.md]",
    .why =
        "Kernels are written for some of the types that the standard allows; without one for the "
        "types at hand the model does not load.",
    .bad = "Tan of double for ONNX Runtime, which has it for float only",
    .good = "y = Tan (x) with x of float",
    .fix = "Cast to a type that has a kernel, or target a release that has one for this type"};

const Rule function_fallback{
    .id = "OCC006",
    .name = "function-fallback",
    .severity = Severity::info,
    .purpose = "Tells which operators the target runs as their function body, for want of a kernel",
    .citation = "[IR.md#functions]",
    .why =
        "It works, node by node of the body: slower than a kernel would be, and with the rounding "
        "of each step.",
    .bad = "Softplus-22 for a release whose kernel is of an older version",
    .good = "The same operator where the release has a kernel for its version",
    .fix = "Nothing has to be done; a newer release may have a kernel"};

const Rule op_unknown_to_runtime{
    .id = "OCC021",
    .name = "op-unknown-to-runtime",
    .purpose = "Checks that the target registers every operator that the model uses",
    .citation = "[onnxruntime ContribOperators.md]",
    .why =
        "A node whose operator is neither registered nor a function of the model stops the "
        "model from loading.",
    .bad = "com.microsoft.GreedySearch for ONNX Runtime 1.11, which came with 1.13",
    .good = "The same model for ONNX Runtime 1.13",
    .fix =
        "Register the operators' library with the session, or write them with operators that "
        "the target has"};

const Rule type_unknown_to_runtime{
    .id = "OCC022",
    .name = "type-unknown-to-runtime",
    .purpose = "Checks that the target handles the element types in use",
    .citation = "[onnxruntime OperatorKernels.md]",
    .why =
        "A release knows the element types of its day: float8 came to ONNX Runtime with 1.16, "
        "int4 with 1.18.",
    .bad = "A float8e4m3fn tensor for ONNX Runtime 1.15",
    .good = "The same model for ONNX Runtime 1.16",
    .fix = "Target a newer release, or Cast to a type that it has"};

const Rule contributed_signature{
    .id = "OCC023",
    .name = "contributed-op-signature",
    .purpose = "Checks that the target has a contributed operator in the form in which it is used",
    .citation = "[onnxruntime ContribOperators.md]",
    .why =
        "Contributed operators keep version 1 while inputs, attributes and types are added "
        "release by release; an older release refuses what came later.",
    .bad = "com.microsoft.SkipLayerNormalization with its fourth output for ONNX Runtime 1.13",
    .good = "The same model for ONNX Runtime 1.14",
    .fix = "Target the release that brought it, or do without"};

const Rule runtime_fault{
    .id = "OCC024",
    .name = "runtime-fault",
    .purpose = "Tells what is known to make the target crash, hang or refuse",
    .citation = "[measured loads]",
    .why = "Some releases fail on models that they should take; this was seen by loading models.",
    .bad = "30 nested Loops for ONNX Runtime 1.24, which does not return",
    .good = "The same model for ONNX Runtime 1.29",
    .fix = "Target another release"};

const Rule functions_unknown_to_runtime{
    .id = "OCC025",
    .name = "functions-unknown-to-runtime",
    .purpose = "Checks that the target runs functions that the model defines",
    .citation = "[IR.md#functions]",
    .why = "ONNX Runtime runs a model's own functions since 1.9.",
    .bad = "A model that calls one of its functions, for ONNX Runtime 1.8",
    .good = "The same model for ONNX Runtime 1.9",
    .fix = "Inline the functions: convert does it where the target's IR version has none"};

const Rule domain_unknown_at_load{
    .id = "OCC026",
    .name = "domain-unknown-at-load",
    .purpose = "Checks that the target can tell the operator set of every node",
    .citation = "[IR.md#operator-sets]",
    .why =
        "ONNX Runtime refuses nodes of domains that the model does not import (but for its own "
        "domains), and models that import none at all.",
    .bad = "A node of domain 'acme' where opset_import names only ai.onnx",
    .good = "opset_import: [\"\": 17, \"acme\": 1]",
    .fix = "Import the domain"};

const Rule kernels_not_known{.id = "OCC027",
                             .name = "kernels-not-known",
                             .severity = Severity::info,
                             .purpose = "Tells where nothing is known of the target's kernels",
                             .citation = "[data/kernels.json]",
                             .why = "The verdict then rests on the ceilings alone.",
                             .bad = "A release that came after this program",
                             .good = "onnxruntime=1.14",
                             .fix = "Load the model with that release to be sure"};

}  // namespace onnxcompat::rules
