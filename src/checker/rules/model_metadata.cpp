#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "checker/rules.h"
#include "checker/spelling.h"
#include "model/unknown_fields.h"
#include "support/strings.h"

namespace onnxcompat::rules {
namespace {

using Entries = ListOf<EntryView>;

/// Every metadata_props below the model itself.
void each_nested_metadata(const ModelScope& m,
                          const std::function<void(const Entries&, const Place&)>& visit) {
  const auto values = [&](const BodyScope& body, Section section, ListOf<ValueInfoView> list) {
    for (int i = 0; i < list.size(); ++i) {
      visit(list[i].metadata_props(), in_body(body, section, i, list[i].name()));
    }
  };
  for (const auto& body : m.bodies) {
    if (body->body.graph) {
      const GraphView graph = *body->body.graph;
      visit(graph.metadata_props(), in_body(*body, Section::metadata));
      values(*body, Section::input, graph.inputs());
      values(*body, Section::output, graph.outputs());
      values(*body, Section::value_info, graph.value_infos());
      const auto tensors = graph.initializers();
      for (int i = 0; i < tensors.size(); ++i) {
        visit(tensors[i].metadata_props(),
              in_body(*body, Section::initializer, i, tensors[i].name()));
      }
    } else {
      visit(body->body.function->metadata_props(), in_body(*body, Section::metadata));
      values(*body, Section::value_info, body->body.function->value_infos());
    }
    const auto nodes = body->body.nodes();
    for (int i = 0; i < nodes.size(); ++i) visit(nodes[i].metadata_props(), at_node(*body, i));
  }
}

void report_repeated_keys(const Entries& entries, const Place& place, Sink& out) {
  if (entries.size() < 2) return;
  std::set<std::string_view> seen;
  std::set<std::string_view> reported;
  for (const EntryView entry : entries) {
    if (!seen.insert(entry.key()).second && reported.insert(entry.key()).second) {
      out.add(place, "Metadata key \"{}\" appears more than once", entry.key());
    }
  }
}

struct ImageKey {
  std::string_view key;
  std::vector<std::string_view> values;
};

/// [MetadataProps.md#image-category-definition]; keys and values in lower case, as case is ignored.
const ImageKey* image_key(std::string_view key) {
  static const std::array<ImageKey, 3> kKeys{
      {{"image.bitmappixelformat", {"gray8", "rgb8", "bgr8", "rgba8", "bgra8"}},
       {"image.colorspacegamma", {"linear", "srgb"}},
       {"image.nominalpixelrange",
        {"nominalrange_0_255", "normalized_0_1", "normalized_1_1", "nominalrange_16_235"}}}};
  const auto* at = std::ranges::find(kKeys, key, &ImageKey::key);
  return at == kKeys.end() ? nullptr : at;
}

bool has_image(const ModelScope& m) {
  if (!m.model.has_graph()) return false;
  const auto denoted = [](const ValueInfoView& v) {
    return lower_case(v.type().denotation()) == "image";
  };
  const auto any_of = [&](const auto& list) {
    return std::any_of(list.begin(), list.end(), denoted);
  };
  return any_of(m.model.graph().inputs()) || any_of(m.model.graph().outputs());
}

/// A tag such as <b>, </p> or <br/>: '<', an optional '/', a letter, and a '>' further on. Angle
/// brackets around types or addresses (<T>, <https://…>) are no tags of HTML.
bool has_html(std::string_view text) {
  static constexpr std::array<std::string_view, 24> kTags{
      "a",  "b",  "br", "code", "div", "em",   "h1",     "h2",  "h3",    "hr", "i",  "img",
      "li", "ol", "p",  "pre",  "sub", "span", "strong", "sup", "table", "td", "tr", "ul"};
  for (std::size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at + 1)) {
    std::string_view rest = text.substr(at + 1);
    if (rest.starts_with('/')) rest.remove_prefix(1);
    const std::size_t end = rest.find_first_of(" />\t\n");
    if (end == std::string_view::npos) continue;
    if (std::ranges::find(kTags, lower_case(rest.substr(0, end))) == kTags.end()) continue;
    if (rest.find('>', end) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

const Rule model_without_graph{
    .id = "OCM013",
    .name = "model-without-graph",
    .purpose = "Checks that the model has a graph",
    .citation = "[IR.md#models]",
    .why = "The graph is what a model computes; without one there is nothing to run.",
    .bad = "a ModelProto with no graph field",
    .good =
        "<ir_version: 8, opset_import: [\"\": 17]> g (float[1] x) => (float[1] y) { y = Abs(x) }",
    .fix = "Export the model again; the file holds no graph",
    .check = once([](const ModelScope& m, Sink& out) {
      if (!m.model.has_graph()) out.add(in_model(), "The model has no graph");
    })};

const Rule metadata_duplicate_key{
    .id = "OCM014",
    .name = "metadata-duplicate-key",
    .purpose = "Checks that the keys of the model's metadata differ",
    .citation = "[IR.md#optional-metadata]",
    .upstream = "ONNX012",
    .why = "Metadata is a map written as a list: which of two equal keys a reader sees is chance.",
    .bad = "metadata_props: [\"model_author\": \"A\", \"model_author\": \"B\"]",
    .good = "metadata_props: [\"model_author\": \"A, B\"]",
    .fix = "Keep one entry for the key",
    .check = once([](const ModelScope& m, Sink& out) {
      report_repeated_keys(m.model.metadata_props(), in_model(Section::metadata), out);
    })};

const Rule metadata_duplicate_key_nested{
    .id = "OCM015",
    .name = "metadata-duplicate-key-nested",
    .min_ir = 10,
    .purpose = "Checks that metadata keys differ on each graph, node, function, value and tensor",
    .citation = "[IR.md#other-metadata]",
    .why = "Metadata is a map written as a list: which of two equal keys a reader sees is chance.",
    .bad = "a node whose metadata_props has the key \"org.acme.scope\" twice",
    .good = "a node whose metadata_props has it once",
    .fix = "Keep one entry for the key",
    .check = once([](const ModelScope& m, Sink& out) {
      each_nested_metadata(m, [&](const Entries& entries, const Place& place) {
        report_repeated_keys(entries, place, out);
      });
    })};

const Rule metadata_unqualified_key{
    .id = "OCM016",
    .name = "metadata-unqualified-key",
    .severity = Severity::info,
    .min_ir = 10,
    .purpose = "Checks that metadata keys of one's own carry a reverse-DNS prefix",
    .citation = "[IR.md#other-metadata]",
    .why = "Bare keys are kept for the standard: a later release may give one a meaning.",
    .bad = "a node with the metadata key \"scope\"",
    .good = "a node with the metadata key \"org.acme.scope\"",
    .fix = "Prefix the key with a domain of yours, as in org.acme.scope",
    .check = once([](const ModelScope& m, Sink& out) {
      std::set<std::string_view> reported;
      each_nested_metadata(m, [&](const Entries& entries, const Place& place) {
        for (const EntryView entry : entries) {
          const std::string& key = entry.key();
          if (key.find('.') != std::string::npos || !reported.insert(key).second) continue;
          out.add(place, "Metadata key \"{}\" has no reverse-DNS prefix", key);
        }
      });
    })};

const Rule producer_missing{
    .id = "OCM017",
    .name = "producer-missing",
    .severity = Severity::info,
    .purpose = "Checks that the model names the tool, and its version, that made it",
    .citation = "[onnx.proto#ModelProto]",
    .why = "Many faults of models are faults of one exporter version; the name saves the search.",
    .bad = "a model without producer_name",
    .good =
        "<ir_version: 8, opset_import: [\"\": 17], producer_name: \"pytorch\", producer_version: "
        "\"2.4\">",
    .fix = "Set producer_name and producer_version",
    .default_on = false,
    .check = once([](const ModelScope& m, Sink& out) {
      if (m.model.producer_name().empty()) {
        out.add(in_model(), "The model does not name its producer");
      } else if (m.model.producer_version().empty()) {
        out.add(in_model(), "The model does not name the version of its producer {}",
                m.model.producer_name());
      }
    })};

const Rule model_domain_format{
    .id = "OCM018",
    .name = "model-domain-format",
    .severity = Severity::info,
    .purpose = "Checks that the model's domain, if given, is a reverse DNS name",
    .citation = "[IR.md#models]",
    .why =
        "The domain keeps the models of different organisations apart, which only names that "
        "somebody owns can do.",
    .bad = "<ir_version: 8, opset_import: [\"\": 17], domain: \"my model\">",
    .good = "<ir_version: 8, opset_import: [\"\": 17], domain: \"org.acme.vision\">",
    .fix = "Use the reverse of a DNS name of yours",
    .check = once([](const ModelScope& m, Sink& out) {
      const std::string& domain = m.model.domain();
      if (domain.empty() || is_reverse_dns(domain)) return;
      out.add(in_model(), "The model's domain \"{}\" is not a reverse DNS name", domain);
    })};

const Rule model_version_semver{
    .id = "OCM019",
    .name = "model-version-semver",
    .severity = Severity::info,
    .purpose = "Checks that model_version is a number or a semantic version",
    .citation =
        "[IR.md#onnx-versioning] [Versioning.md#serializing-semver-version-numbers-in-protobuf]",
    .why =
        "Semantic versions take the two top bytes for the major number, the next two for the "
        "minor and the rest for the patch; a negative number is neither that nor a counter.",
    .bad = "<ir_version: 8, opset_import: [\"\": 17], model_version: -1>",
    .good = "<ir_version: 8, opset_import: [\"\": 17], model_version: 3>",
    .fix = "Count from 1, or store major << 48 | minor << 32 | patch",
    .check = once([](const ModelScope& m, Sink& out) {
      if (m.model.model_version() >= 0) return;
      out.add(in_model(), "model_version {} is neither a count nor a semantic version",
              m.model.model_version());
    })};

const Rule image_metadata_value{
    .id = "OCM020",
    .name = "image-metadata-value",
    .severity = Severity::warning,
    .purpose = "Checks that image metadata has listed values and an image to speak of",
    .citation = "[MetadataProps.md#image-category-definition]",
    .why =
        "Programs read these keys to prepare pictures; a value they do not know gives wrong "
        "colours or ranges, not an error.",
    .bad = "metadata_props: [\"Image.BitmapPixelFormat\": \"RGB\"]",
    .good = "metadata_props: [\"Image.BitmapPixelFormat\": \"Rgb8\"], with an input denoted IMAGE",
    .fix = "Use a value that the specification lists, and denote the image inputs as IMAGE",
    .check = once([](const ModelScope& m, Sink& out) {
      bool any = false;
      for (const EntryView entry : m.model.metadata_props()) {
        const ImageKey* key = image_key(lower_case(entry.key()));
        if (key == nullptr) continue;
        any = true;
        if (std::ranges::find(key->values, lower_case(entry.value())) != key->values.end())
          continue;
        out.add(in_model(Section::metadata), "\"{}\" is no value of {}", entry.value(), entry.key())
            .hint("Listed values (in any case): {}", fmt::join(key->values, ", "));
      }
      if (any && !has_image(m)) {
        out.add(in_model(Section::metadata),
                "Image metadata is given, but no input or output is denoted IMAGE")
            .as(Severity::info);
      }
    })};

const Rule trailing_or_unknown_fields{
    .id = "OCM021",
    .name = "trailing-or-unknown-fields",
    .severity = Severity::warning,
    .purpose = "Checks that the file has no field that the format does not know",
    .citation = "[onnx.proto]",
    .why =
        "An unknown field is content of a newer format, of somebody's own dialect, or damage; "
        "readers skip it without a word.",
    .bad = "a GraphProto with field number 3, which the format gave up long ago",
    .good = "a file with the fields of the specification only",
    .fix = "Write the model again with the tool that made it, or a current one",
    .check = once([](const ModelScope& m, Sink& out) {
      each_unknown_field(m.model, [&](const UnknownField& field) {
        const Place place = in_model(Section::other, -1, field.path);
        if (field.reserved) {
          out.add(place, "{} has field {}, which the format gave up", field.message, field.number);
        } else {
          out.add(place, "{} has no field {}", field.message, field.number);
        }
        return true;
      });
    })};

const Rule doc_string_markup{
    .id = "OCM022",
    .name = "doc-string-markup",
    .severity = Severity::info,
    .purpose = "Checks that documentation strings hold no HTML",
    .citation = "[IR.md#graphs]",
    .why =
        "Documentation is plain text or Markdown; HTML shows as tags, or is a way to smuggle "
        "script into a model viewer.",
    .bad = "doc_string: \"A <b>big</b> model\"",
    .good = "doc_string: \"A **big** model\"",
    .fix = "Write the markup in Markdown",
    .check = once([](const ModelScope& m, Sink& out) {
      const auto look = [&](std::string_view text, const Place& place) {
        if (has_html(text)) out.add(place, "The documentation string holds HTML");
      };
      look(m.model.doc_string(), in_model());
      for (const auto& body : m.bodies) {
        look(body->body.graph ? body->body.graph->doc_string() : body->body.function->doc_string(),
             in_body(*body));
        const auto nodes = body->body.nodes();
        for (int i = 0; i < nodes.size(); ++i) look(nodes[i].doc_string(), at_node(*body, i));
      }
    })};

}  // namespace onnxcompat::rules
