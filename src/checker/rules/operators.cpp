#include <algorithm>
#include <array>
#include <set>

#include "checker/rules.h"
#include "support/strings.h"
#include "versiontable/version_table.h"

namespace onnxcompat::rules {
namespace {

/// Names of all operators of a domain, as "did you mean" candidates.
std::vector<std::string_view> operators_of(std::string_view domain) {
  std::vector<std::string_view> names;
  for (const OpSchema& schema : all_schemas()) {
    if (schema.domain == domain && (names.empty() || names.back() != schema.name)) {
      names.push_back(schema.name);
    }
  }
  return names;
}

/// Another domain that has an operator of that name.
std::optional<std::string_view> domain_with(std::string_view op) {
  for (const OpSchema& schema : all_schemas()) {
    if (schema.name == op) return schema.domain;
  }
  return std::nullopt;
}

bool is_experimental(const NodeAt& n) {
  return n.schema == nullptr &&
         is_experimental_operator(n.node.domain(), n.node.op_type(), n.opset);
}

bool is_preview_domain(std::string_view domain) { return domain.starts_with("ai.onnx.preview"); }

bool is_training_domain(std::string_view domain) {
  return domain == "ai.onnx.training" || domain == "ai.onnx.preview.training";
}

/// What took over from the operators that were deprecated.
std::string_view successor(std::string_view op) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kSuccessors{
      {{"Upsample", "use Resize, from opset 10 on"},
       {"Scatter", "use ScatterElements, from opset 11 on"},
       {"GroupNormalization", "use the form of opset 21, or InstanceNormalization with Reshape"},
       {"TreeEnsembleClassifier", "use TreeEnsemble, from ai.onnx.ml 5 on"},
       {"TreeEnsembleRegressor", "use TreeEnsemble, from ai.onnx.ml 5 on"}}};
  const auto* at =
      std::ranges::find(kSuccessors, op, &std::pair<std::string_view, std::string_view>::first);
  return at == kSuccessors.end() ? "use its successor, or import an older opset" : at->second;
}

}  // namespace

const Rule op_type_missing{.id = "OCN001",
                           .name = "op-type-missing",
                           .purpose = "Checks that every node names its operator",
                           .citation = "[IR.md#nodes]",
                           .why = "Without an operator a node has no meaning.",
                           .bad = "a NodeProto whose op_type is empty",
                           .good = "y = Abs(x)",
                           .fix = "State the operator, or remove the node",
                           .check = each_node([](const NodeAt& n, Sink& out) {
                             if (n.node.op_type().empty())
                               out.add(n.place(), "The node does not name its operator");
                           })};

const Rule domain_not_imported{
    .id = "OCN002",
    .name = "domain-not-imported",
    .min_ir = 3,
    .purpose = "Checks that the model imports the domain of every operator it uses",
    .citation = "[IR.md#operator-sets]",
    .upstream = "ONNX015",
    .why =
        "Without an import the operator has no version. \"ai.onnx\" and \"\" are one domain, "
        "although the official checker refuses a node that says \"ai.onnx\" under an import "
        "of \"\".",
    .bad = "opset_import: [\"\": 17] and a node y = com.acme.Foo(x)",
    .good = "opset_import: [\"\": 17, \"com.acme\": 1] and a node y = com.acme.Foo(x)",
    .fix = "Add the domain to opset_import with the version the node was written for",
    .check = each_node([](const NodeAt& n, Sink& out) {
      // Functions have rules of their own (OCF008, OCF013); a list that is missing altogether is
      // OCM005's, a version that is none OCM009's.
      if (n.body.in_function() || n.function || n.body.imports->empty()) return;
      if (n.body.imports->contains(n.node.domain())) return;
      out.add(n.place(), "Domain {} of {} is not imported", display_domain(n.node.domain()),
              n.node.op_type());
    })};

const Rule operator_unknown{
    .id = "OCN003",
    .name = "operator-unknown",
    .purpose = "Checks that every operator of a standard domain exists at the imported version",
    .citation = "[IR.md#operators] [Versioning.md#operator-versioning]",
    .upstream = "ONNX017",
    .why = "No runtime can run an operator that its operator set does not have.",
    .bad = "opset_import: [\"\": 12] and a node y = Einsum… with op_type \"Gelu\", new in 20",
    .good = "opset_import: [\"\": 20] and a node y = Gelu(x)",
    .fix = "Correct the name, or import a version that has the operator",
    .check = each_node([](const NodeAt& n, Sink& out) {
      const std::string_view domain = n.node.domain();
      const std::string& op = n.node.op_type();
      const bool gone =
          n.schema != nullptr && !n.schema->deprecated && n.schema->until_version < n.opset;
      if ((n.schema != nullptr && !gone) || n.function || op.empty() || n.opset < 1 ||
          !is_standard_domain(domain) || is_experimental(n)) {
        return;
      }
      const auto history = op_history(domain, op);
      if (gone) {
        out.add(n.place(), "{} is gone since {} {}", op, display_domain(domain),
                n.schema->until_version + 1)
            .hint("Import {} {} or older, or use another operator", display_domain(domain),
                  n.schema->until_version);
      } else if (!history.empty()) {
        out.add(n.place(), "{} came with {} {}, the model imports {}", op, display_domain(domain),
                history.front().since_version, n.opset)
            .hint("Import {} {} or later{}, or write it with older operators",
                  display_domain(domain), history.front().since_version,
                  release_mark(domain, history.front().since_version));
      } else {
        auto added =
            out.add(n.place(), "{} has never been an operator of {}", op, display_domain(domain));
        if (const auto other = domain_with(op)) {
          added.hint("It is an operator of {}: set the node's domain", display_domain(*other));
        } else if (const auto close = did_you_mean(op, operators_of(domain))) {
          added.hint("Did you mean {}?", *close);
        }
      }
    })};

const Rule operator_unknown_custom{
    .id = "OCN004",
    .name = "operator-unknown-custom",
    .severity = Severity::warning,
    .purpose = "Tells which operators only a runtime with an extension can know",
    .citation = "[IR.md#operators] [IR.md#functions]",
    .why =
        "The domain is not a standard one and the model has no function for the operator, so it "
        "runs only where somebody registered it.",
    .bad = "y = com.acme.Foo(x) in a model without a function com.acme.Foo",
    .good = "the same node in a model with that function",
    .fix = "Ship the operator as a function of the model, or register it with the runtime",
    .check = each_node([](const NodeAt& n, Sink& out) {
      if (n.schema != nullptr || n.function || n.node.op_type().empty() ||
          is_standard_domain(n.node.domain())) {
        return;
      }
      if (!n.body.imports->contains(n.node.domain())) return;  // OCN002's
      if (!n.node.overload().empty()) return;                  // OCN017's
      out.add(n.place(), "{} of {} is no standard operator and no function of the model",
              n.node.op_type(), n.node.domain());
    })};

const Rule operator_deprecated{
    .id = "OCN005",
    .name = "operator-deprecated",
    .purpose = "Checks that no operator is deprecated at the imported version",
    .citation = "[IR.md#operators] [Versioning.md#operator-versioning]",
    .upstream = "ONNX016",
    .why = "A deprecated operator is no longer part of its operator set: runtimes refuse it.",
    .bad = "opset_import: [\"\": 11] and a node y = Scatter(x, i, u)",
    .good = "opset_import: [\"\": 11] and a node y = ScatterElements(x, i, u)",
    .fix = "Use the operator's successor",
    .check = each_node([](const NodeAt& n, Sink& out) {
      if (n.schema == nullptr || !n.schema->deprecated || n.function) return;
      out.add(n.place(), "{} is deprecated since {} {}", n.node.op_type(),
              display_domain(n.node.domain()), n.schema->since_version)
          .hint("Instead, {}", successor(n.node.op_type()));
    })};

const Rule operator_experimental{
    .id = "OCN006",
    .name = "operator-experimental",
    .severity = Severity::warning,
    .purpose = "Tells which operators are experiments of the first years that have no schema",
    .citation = "[IR.md#operators] [Versioning.md#operator-versioning]",
    .upstream = "ONNX005",
    .why =
        "They were never part of a numbered operator set and went away between 2018 and 2019; "
        "few runtimes still know some of them.",
    .bad = "opset_import: [\"\": 7] and a node y = ImageScaler <scale = 1.0> (x)",
    .good = "the same written with Mul and Add",
    .fix = "Write it with standard operators; most of these are one or two of them",
    .check = each_node([](const NodeAt& n, Sink& out) {
      if (n.function || !is_experimental(n)) return;
      out.add(n.place(), "{} is an experimental operator that never was in an operator set",
              n.node.op_type());
    })};

const Rule standard_op_hidden_by_function{
    .id = "OCN018",
    .name = "standard-op-hidden-by-function",
    .severity = Severity::warning,
    .min_ir = 8,
    .purpose = "Checks that no function of the model has the name of a standard operator",
    .citation = "[onnx.proto#ModelProto] [IR.md#functions]",
    .why =
        "Some runtimes prefer the function, others their own kernel: the model then computes two "
        "different things.",
    .bad = "a function with domain \"\" and name \"Gelu\"",
    .good = "a function com.acme.Gelu",
    .fix = "Move the function to a domain of yours and change its calls",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.body.function) return;
      const FunctionView f = *b.body.function;
      if (op_history(f.domain(), f.name()).empty()) return;
      out.add(in_body(b), "{} is a standard operator of {}", f.name(), display_domain(f.domain()));
    })};

const Rule preview_in_production{
    .id = "OCN019",
    .name = "preview-in-production",
    .severity = Severity::warning,
    .purpose = "Checks that a model for inference uses no preview or training operators",
    .citation = "[IR.md#operators] [Versioning.md#released-versions]",
    .why =
        "Preview operators may change or vanish with any release, and inference runtimes have "
        "no training operators.",
    .bad = "a node of ai.onnx.preview.training in a model without training_info",
    .good = "a model of ai.onnx and ai.onnx.ml operators",
    .fix = "Use stable operators, or keep the training graph in training_info",
    .check = each_node([](const NodeAt& n, Sink& out) {
      const std::string_view domain = n.node.domain();
      const bool training = is_training_domain(domain);
      if (!training && !is_preview_domain(domain)) return;
      if (training && !n.model().model.training_infos().empty()) return;
      out.add(n.place(), "{} is {} operator of {}", n.node.op_type(),
              training ? "a training" : "a preview", domain);
    })};

}  // namespace onnxcompat::rules
