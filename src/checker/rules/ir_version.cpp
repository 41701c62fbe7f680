#include "checker/features.h"
#include "checker/rules.h"
#include "versiontable/version_table.h"

namespace onnxcompat::rules {
namespace {

/// IR 14 has a number and a list of changes, but no release yet.
constexpr std::int64_t kNewestReadable = 14;

}  // namespace

const Rule ir_version_missing{
    .id = "OCM001",
    .name = "ir-version-missing",
    .purpose = "Checks that the model states its IR version",
    .citation = "[onnx.proto#ModelProto] [Versioning.md#ir-versioning]",
    .upstream = "ONNX010",
    .why =
        "The IR version says which rules of the format the file follows. Readers refuse a model "
        "without one.",
    .bad = "a ModelProto whose ir_version is absent, 0 or negative",
    .good = "<ir_version: 8, opset_import: [\"\": 17]>",
    .fix = "Set ir_version to the lowest version that has every feature the model uses",
    .check = once([](const ModelScope& m, Sink& out) {
      const std::int64_t stamped = m.model.ir_version();
      if (stamped > 0) return;
      auto added = stamped == 0 ? out.add(in_model(), "The model has no IR version")
                                : out.add(in_model(), "{} is not an IR version", stamped);
      added.hint("Set ir_version; the features in use need {} or later", minimal_ir(m));
    })};

const Rule ir_version_unknown{
    .id = "OCM002",
    .name = "ir-version-unknown",
    .purpose = "Checks that the IR version is a released one",
    .citation = "[IR.md#onnx-versioning] [onnx.proto#Version]",
    .upstream = "ONNX011",
    .why =
        "Nobody can promise to read a format that is not published: every runtime refuses IR "
        "versions above its own.",
    .bad = "<ir_version: 99, opset_import: [\"\": 17]>",
    .good = "<ir_version: 10, opset_import: [\"\": 21]>",
    .fix = "Stamp the lowest IR version that the model's features need",
    .check = once([](const ModelScope& m, Sink& out) {
      const std::int64_t stamped = m.model.ir_version();
      const int newest = newest_ir_version();
      if (stamped <= newest) return;
      if (stamped <= kNewestReadable) {
        out.add(in_model(), "IR version {} is in preparation; the newest released one is {}",
                stamped, newest)
            .hint("Stamp IR version {}, which is all that this model's features need",
                  minimal_ir(m));
      } else {
        out.add(in_model(), "IR version {} does not exist; the newest released one is {}", stamped,
                newest)
            .hint("Stamp IR version {}, which is all that this model's known features need",
                  minimal_ir(m));
      }
    })};

const Rule ir_version_unsupported_by_tool{
    .id = "OCM003",
    .name = "ir-version-unsupported-by-tool",
    .severity = Severity::info,
    .purpose = "Tells when the IR version is newer than the rules that this program knows",
    .citation = "[onnx.proto#Version]",
    .upstream = "ONNX011",
    .why =
        "Rules of a later IR version cannot be checked; fields that it added are kept and shown "
        "as unknown.",
    .bad = "<ir_version: 99, opset_import: [\"\": 17]>",
    .good = "<ir_version: 13, opset_import: [\"\": 25]>",
    .fix = "Use a newer version of this program for such a model",
    .check = once([](const ModelScope& m, Sink& out) {
      if (m.model.ir_version() <= kNewestReadable) return;
      out.add(in_model(), "Checked by the rules of IR version {}, the newest known here",
              kNewestReadable);
    })};

const Rule feature_newer_than_ir{
    .id = "OCM004",
    .name = "feature-newer-than-ir",
    .purpose = "Checks that no field, type or element type is younger than the stamped IR version",
    .citation = "[onnx.proto#Version] [IR.md]",
    .why =
        "A reader of the stamped version has never heard of the feature: it skips the field or "
        "misreads the type without a word.",
    .bad = "<ir_version: 8, opset_import: [\"\": 17]> g (uint4[2] x) => (uint4[2] y) {…}",
    .good = "<ir_version: 10, opset_import: [\"\": 21]> g (uint4[2] x) => (uint4[2] y) {…}",
    .fix = "Raise ir_version, or do without the feature",
    .check = once([](const ModelScope& m, Sink& out) {
      if (m.model.ir_version() <= 0) return;  // OCM001's
      for (const FeatureUse& use : features_in_use(m)) {
        if (use.since_ir <= m.ir_version || use.has_rule_of_its_own) continue;
        out.add(use.first, "{} needs IR version {}, the model is stamped {}{}", use.feature,
                use.since_ir, m.ir_version,
                use.count > 1 ? fmt::format(" ({} places)", use.count) : std::string{})
            .hint("Set ir_version to {}", use.since_ir);
      }
    })};

}  // namespace onnxcompat::rules
