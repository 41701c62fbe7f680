#include <limits>
#include <map>
#include <set>

#include "checker/rules.h"
#include "versiontable/version_table.h"

namespace onnxcompat::rules {
namespace {

Place import_place(const OpsetImportView& import, int index) {
  return in_model(Section::opset_import, index,
                  fmt::format("opset_import[{}] \"{}\"", index, import.raw_domain()));
}

/// Calls `visit` for each import whose domain an earlier one has too, with that earlier one.
template <class Visit>
void each_repeated(const ModelScope& m, Visit visit) {
  std::map<std::string_view, OpsetImportView> seen;
  const auto imports = m.model.opset_imports();
  for (int i = 0; i < imports.size(); ++i) {
    const auto [first, inserted] = seen.try_emplace(imports[i].domain(), imports[i]);
    if (!inserted) visit(first->second, imports[i], i);
  }
}

/// The same domain under its two spellings, with two versions.
bool is_conflict(const OpsetImportView& first, const OpsetImportView& again) {
  return first.raw_domain() != again.raw_domain() && first.version() != again.version();
}

}  // namespace

const Rule opset_import_missing{
    .id = "OCM005",
    .name = "opset-import-missing",
    .min_ir = 3,
    .purpose = "Checks that the model imports at least one operator set",
    .citation = "[IR.md#operator-sets] [onnx.proto#ModelProto]",
    .upstream = "ONNX013",
    .why = "Without an import no operator has a version, so no node has a meaning.",
    .bad = "<ir_version: 8> g (float[1] x) => (float[1] y) { y = Abs(x) }",
    .good =
        "<ir_version: 8, opset_import: [\"\": 17]> g (float[1] x) => (float[1] y) { y = Abs(x) }",
    .fix = "Add an opset_import for every domain in use",
    .check = once([](const ModelScope& m, Sink& out) {
      if (m.model.opset_imports().empty()) out.add(in_model(), "The model imports no operator set");
    })};

const Rule opset_import_forbidden{
    .id = "OCM006",
    .name = "opset-import-forbidden",
    .max_ir = 2,
    .purpose = "Checks that a model older than IR version 3 has no opset import",
    .citation = "[onnx.proto#Version]",
    .upstream = "ONNX014",
    .why =
        "Before IR version 3 there was no list of operator sets and opset 1 was meant; a reader "
        "cannot tell which of the two the file means.",
    .bad = "<ir_version: 2, opset_import: [\"\": 7]>",
    .good = "<ir_version: 3, opset_import: [\"\": 7]>",
    .fix = "Set ir_version to 3 or later, or remove the imports",
    .check = once([](const ModelScope& m, Sink& out) {
      if (m.model.opset_imports().empty()) return;
      out.add(import_place(m.model.opset_imports()[0], 0),
              "Opset imports came with IR version 3, the model is stamped {}", m.ir_version);
    })};

const Rule opset_import_duplicate{
    .id = "OCM007",
    .name = "opset-import-duplicate",
    .min_ir = 3,
    .purpose = "Checks that each operator set is imported once",
    .citation = "[IR.md#operator-set-identifiers] [onnx.proto#OperatorSetIdProto]",
    .why =
        "Readers differ in which of two entries they take, without a word. \"\" and \"ai.onnx\" "
        "are the same domain.",
    .bad = "opset_import: [\"\": 17, \"\": 18]",
    .good = "opset_import: [\"\": 18]",
    .fix = "Keep one entry for each domain",
    .check = once([](const ModelScope& m, Sink& out) {
      each_repeated(m, [&](const OpsetImportView& first, const OpsetImportView& again, int index) {
        if (is_conflict(first, again)) return;
        if (first.version() == again.version()) {
          out.add(import_place(again, index), "Domain {} is imported twice at version {}",
                  display_domain(again.domain()), again.version())
              .as(Severity::warning);  // redundant, but all readers agree on what it means
          return;
        }
        out.add(import_place(again, index), "Domain {} is imported twice, at versions {} and {}",
                display_domain(again.domain()), first.version(), again.version());
      });
    })};

const Rule opset_import_conflict{
    .id = "OCM008",
    .name = "opset-import-conflict",
    .min_ir = 3,
    .purpose = "Checks that \"\" and \"ai.onnx\" are not imported at different versions",
    .citation = "[IR.md#operator-set-identifiers]",
    .why =
        "Both spellings name the default domain: which version a node means depends on how the "
        "reader looks it up.",
    .bad = "opset_import: [\"\": 17, \"ai.onnx\": 13]",
    .good = "opset_import: [\"\": 17]",
    .fix = "Keep the entry of the version that the exporter meant",
    .check = once([](const ModelScope& m, Sink& out) {
      each_repeated(m, [&](const OpsetImportView& first, const OpsetImportView& again, int index) {
        if (!is_conflict(first, again)) return;
        out.add(import_place(again, index),
                "\"\" and \"ai.onnx\" are one domain, imported at versions {} and {}",
                first.version(), again.version());
      });
    })};

const Rule opset_version_invalid{
    .id = "OCM009",
    .name = "opset-version-invalid",
    .min_ir = 3,
    .purpose = "Checks that every imported version is 1 or more",
    .citation = "[onnx.proto#OperatorSetIdProto] [IR.md#operator-set-identifiers]",
    .why = "Operator sets are numbered from 1; an import without a version names no operator set.",
    .bad = "opset_import: [\"\": 0]",
    .good = "opset_import: [\"\": 17]",
    .fix = "State the version that the nodes were written for",
    .check = once([](const ModelScope& m, Sink& out) {
      const auto imports = m.model.opset_imports();
      for (int i = 0; i < imports.size(); ++i) {
        const auto version = imports[i].version();
        if (version >= 1 && version <= std::numeric_limits<int>::max()) continue;
        if (imports[i].has_version()) {
          out.add(import_place(imports[i], i), "{} is no version of an operator set", version);
        } else {
          out.add(import_place(imports[i], i), "The import of {} has no version",
                  display_domain(imports[i].domain()));
        }
      }
    })};

const Rule opset_version_unreleased{
    .id = "OCM010",
    .name = "opset-version-unreleased",
    .severity = Severity::warning,
    .min_ir = 3,
    .purpose = "Checks that no imported version is above the newest release of its domain",
    .citation = "[Versioning.md#released-versions]",
    .why =
        "The official checker quietly takes the newest schema it has; runtimes refuse the model "
        "or guess.",
    .bad = "opset_import: [\"\": 99]",
    .good = "opset_import: [\"\": 21]",
    .fix = "Import the newest released version, or the one the nodes were written for",
    .check = once([](const ModelScope& m, Sink& out) {
      const auto imports = m.model.opset_imports();
      for (int i = 0; i < imports.size(); ++i) {
        const auto newest = newest_opset(imports[i].domain());
        if (!newest || imports[i].version() <= *newest) continue;
        out.add(import_place(imports[i], i), "{} has no released opset {}; the newest is {}",
                display_domain(imports[i].domain()), imports[i].version(), *newest);
      }
    })};

const Rule opset_import_unused{
    .id = "OCM011",
    .name = "opset-import-unused",
    .severity = Severity::info,
    .min_ir = 3,
    .purpose = "Checks that every imported domain is used",
    .citation = "[IR.md#operator-sets]",
    .upstream = "SIM002",
    .why =
        "A runtime must support every imported operator set or reject the model, so an import "
        "that nobody uses can cost compatibility for nothing.",
    .bad = "opset_import: [\"\": 17, \"com.example\": 1] without a node of com.example",
    .good = "opset_import: [\"\": 17]",
    .fix = "Remove the import",
    .check = once([](const ModelScope& m, Sink& out) {
      std::set<std::string_view> used;
      for (const auto& body : m.bodies) {
        if (body->in_function()) continue;  // functions have imports of their own
        for (const NodeView node : body->body.nodes()) used.insert(node.domain());
      }
      for (const FunctionView f : m.model.functions()) used.insert(f.domain());
      const auto imports = m.model.opset_imports();
      for (int i = 0; i < imports.size(); ++i) {
        const bool implied = imports[i].domain().empty();  // imported even where it is not named
        if (implied || used.contains(imports[i].domain())) continue;
        out.add(import_place(imports[i], i), "No node is of domain {}", imports[i].domain());
      }
    })};

const Rule opset_ir_unpaired{
    .id = "OCM012",
    .name = "opset-ir-unpaired",
    .severity = Severity::info,
    .min_ir = 3,
    .purpose = "Checks that IR version and opset were released together",
    .citation = "[Versioning.md#released-versions]",
    .why =
        "The two are versioned apart and any pair is legal, but an IR version older than the "
        "release of the opset is untested ground, and a newer one shuts out older runtimes.",
    .bad = "<ir_version: 4, opset_import: [\"\": 17]>",
    .good = "<ir_version: 8, opset_import: [\"\": 17]>",
    .fix = "Stamp the IR version that came with the opset, unless a feature needs a newer one",
    .default_on = false,
    .check = once([](const ModelScope& m, Sink& out) {
      const int opset = m.model.opset("");
      if (opset < 1 || m.model.ir_version() <= 0) return;
      const int paired = ir_version_for_opset("", opset);
      if (paired <= 0 || m.ir_version == paired) return;
      out.add(in_model(), "ai.onnx {} was released with IR version {}, the model is stamped {}",
              opset, paired, m.ir_version);
    })};

}  // namespace onnxcompat::rules
