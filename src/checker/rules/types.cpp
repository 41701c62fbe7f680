#include <algorithm>
#include <array>

#include "checker/rules.h"
#include "support/strings.h"

namespace onnxcompat::rules {
namespace {

using Kind = TypeView::Kind;

bool is_tensor(const TypeView& type) {
  return type.kind() == Kind::tensor || type.kind() == Kind::sparse_tensor;
}

/// Calls `check(part)` for a type and every type inside it.
template <class PartCheck>
void each_part(const TypeAt& type, PartCheck check) {
  each_type_part(type, [&](const TypeAt& part) { check(part); });
}

/// Calls `check(dim, place, index)` for every dimension of a type, at any depth.
template <class DimCheck>
void each_dim(const TypeAt& type, DimCheck check) {
  each_part(type, [&](const TypeAt& part) {
    if (!is_tensor(part.type)) return;
    const auto dims = part.type.dims();
    for (int i = 0; i < dims.size(); ++i) {
      check(dims[i], part.place.down(fmt::format("dim[{}]", i)));
    }
  });
}

constexpr std::array<std::string_view, 4> kTypeDenotations{"TENSOR", "IMAGE", "AUDIO", "TEXT"};
constexpr std::array<std::string_view, 7> kDimDenotations{
    "DATA_BATCH",        "DATA_CHANNEL",       "DATA_TIME",     "DATA_FEATURE",
    "FILTER_IN_CHANNEL", "FILTER_OUT_CHANNEL", "FILTER_SPATIAL"};

/// Operators whose first input is a batch of channels of spatial features.
constexpr std::array<std::string_view, 14> kBatchChannelFeature{"AveragePool",
                                                                "BatchNormalization",
                                                                "Conv",
                                                                "ConvTranspose",
                                                                "DepthToSpace",
                                                                "GlobalAveragePool",
                                                                "GlobalLpPool",
                                                                "GlobalMaxPool",
                                                                "InstanceNormalization",
                                                                "LRN",
                                                                "LpPool",
                                                                "MaxPool",
                                                                "MaxUnpool",
                                                                "SpaceToDepth"};

std::string_view expected_denotation(int dim) {
  return dim == 0 ? "DATA_BATCH" : dim == 1 ? "DATA_CHANNEL" : "DATA_FEATURE";
}

bool is_denoted(const ValueInfoView& value) {
  for (const DimView dim : value.type().dims()) {
    if (!dim.denotation().empty()) return true;
  }
  return false;
}

}  // namespace

const Rule elem_type_invalid{
    .id = "OCV001",
    .name = "elem-type-invalid",
    .purpose = "Checks that every tensor type has an element type that exists",
    .citation = "[onnx.proto#TypeProto] [IR.md#tensor-element-types]",
    .upstream = "ONNX019",
    .why = "A tensor of unknown elements can be neither allocated nor checked.",
    .bad = "a tensor type with elem_type 0 or 99",
    .good = "float[N]",
    .fix = "Set elem_type to the number of the type",
    .check = each_type([](const TypeAt& type, Sink& out) {
      each_part(type, [&](const TypeAt& part) {
        if (!is_tensor(part.type) || is_known(part.type.elem_type())) return;
        const int number = static_cast<int>(part.type.elem_type());
        auto added = number == 0 ? out.add(part.place, "The tensor type has no element type")
                                 : out.add(part.place, "{} is no element type", number);
        // Exporters leave it open for values of operators that they cannot infer; readers infer.
        if (number == 0 && part.place.section == Section::value_info) {
          added.as(Severity::warning);
        }
      });
    })};

const Rule map_key_type{.id = "OCV002",
                        .name = "map-key-type",
                        .purpose = "Checks that the keys of maps are integers or strings",
                        .citation = "[onnx.proto#TypeProto]",
                        .why = "No other key type can be stored or compared.",
                        .bad = "map(float, float[N])",
                        .good = "map(int64, float[N])",
                        .fix = "Use an integer or string key type",
                        .check = each_type([](const TypeAt& type, Sink& out) {
                          static constexpr std::array kKeys{
                              DataType::int8,   DataType::int16,  DataType::int32,
                              DataType::int64,  DataType::uint8,  DataType::uint16,
                              DataType::uint32, DataType::uint64, DataType::string};
                          each_part(type, [&](const TypeAt& part) {
                            if (part.type.kind() != Kind::map) return;
                            const DataType key = part.type.key_type();
                            if (std::ranges::find(kKeys, key) != kKeys.end()) return;
                            out.add(part.place, "{} cannot be the key of a map", name_of(key));
                          });
                        })};

const Rule nested_type_incomplete{
    .id = "OCV003",
    .name = "nested-type-incomplete",
    .purpose = "Checks that sequence, optional and map types say what they hold",
    .citation = "[onnx.proto#TypeProto]",
    .why = "Without it the type is only half a type: nothing that is taken out has one.",
    .bad = "a sequence type without elem_type",
    .good = "seq(float[N])",
    .fix = "State the type of the elements",
    .check = each_type([](const TypeAt& type, Sink& out) {
      each_part(type, [&](const TypeAt& part) {
        const Kind kind = part.type.kind();
        if (kind != Kind::sequence && kind != Kind::optional && kind != Kind::map) return;
        const auto inner = part.type.elem();
        if (inner && inner->kind() != Kind::none) return;
        out.add(part.place, "The {} type does not say what it holds",
                kind == Kind::sequence   ? "sequence"
                : kind == Kind::optional ? "optional"
                                         : "map");
      });
    })};

const Rule optional_of_what{
    .id = "OCV004",
    .name = "optional-of-what",
    .min_ir = 8,
    .purpose = "Checks that an optional wraps a tensor, sequence, map or sparse tensor",
    .citation = "[onnx.proto#TypeProto] [ONNXTypes.md]",
    .why =
        "Optionals of other types, such as an optional of an optional, are not in the "
        "specification.",
    .bad = "optional(optional(float[N]))",
    .good = "optional(seq(float[N]))",
    .fix = "Unwrap the inner optional",
    .check = each_type([](const TypeAt& type, Sink& out) {
      each_part(type, [&](const TypeAt& part) {
        const auto inner = part.type.elem();
        if (part.type.kind() != Kind::optional || !inner) return;
        if (inner->kind() != Kind::optional && inner->kind() != Kind::opaque) return;
        out.add(part.place, "An optional cannot hold an {}",
                inner->kind() == Kind::optional ? "optional" : "opaque value");
      });
    })};

const Rule dim_negative{
    .id = "OCV005",
    .name = "dim-negative",
    .purpose = "Checks that fixed dimensions are not negative",
    .citation = "[IR.md#tensor-definition] [IR.md#static-tensor-shapes]",
    .why =
        "An unknown dimension has neither value nor name. -1 is a habit of other formats that "
        "some readers take for a size.",
    .bad = "a dimension with dim_value -1",
    .good = "float[N, 3]",
    .fix = "Leave the dimension open, or name it",
    .check = each_type([](const TypeAt& type, Sink& out) {
      each_dim(type, [&](const DimView& dim, const Place& place) {
        if (!dim.has_value() || dim.value() >= 0) return;
        auto added = out.add(place, "{} is no size of a dimension", dim.value());
        // Readers take -1 for an open dimension.
        if (dim.value() == -1) added.as(Severity::warning);
      });
    })};

const Rule dim_empty_or_star_param{
    .id = "OCV006",
    .name = "dim-empty-or-star-param",
    .severity = Severity::warning,
    .purpose = "Checks that no dimension is called \"\" or \"*\"",
    .citation = "[IR.md#static-tensor-shapes]",
    .why =
        "Both were early ideas, for one unknown dimension and for any number of them, that were "
        "given up. Readers now take \"*\" for a name like any other.",
    .bad = "float[\"*\", 3]",
    .good = "float[?, 3]",
    .fix = "Leave the dimension open, or name it",
    .check = each_type([](const TypeAt& type, Sink& out) {
      each_dim(type, [&](const DimView& dim, const Place& place) {
        if (!dim.has_param() || (!dim.param().empty() && dim.param() != "*")) return;
        auto added = out.add(place, "The dimension is called \"{}\"", dim.param());
        // Readers agree that an empty name is no name.
        if (dim.param().empty()) added.as(Severity::info);
      });
    })};

const Rule type_denotation_unknown{
    .id = "OCV007",
    .name = "type-denotation-unknown",
    .severity = Severity::info,
    .purpose = "Checks that type denotations are of the standard ones",
    .citation = "[TypeDenotation.md#type-denotation-definition]",
    .why = "Denotations of one's own are allowed, but no reader knows them.",
    .bad = "a tensor type denoted \"PICTURE\"",
    .good = "a tensor type denoted \"IMAGE\"",
    .fix = "Use TENSOR, IMAGE, AUDIO or TEXT, unless your own readers know the other one",
    .check = each_type([](const TypeAt& type, Sink& out) {
      each_part(type, [&](const TypeAt& part) {
        const std::string& denotation = part.type.denotation();
        if (denotation.empty()) return;
        if (std::ranges::find(kTypeDenotations, denotation) != kTypeDenotations.end()) return;
        auto added = out.add(part.place, "\"{}\" is no standard denotation of a type", denotation);
        if (const auto close = did_you_mean(denotation, kTypeDenotations)) {
          added.hint("Did you mean {}?", *close);
        }
      });
    })};

const Rule dim_denotation_unknown{
    .id = "OCV008",
    .name = "dim-denotation-unknown",
    .severity = Severity::info,
    .purpose = "Checks that dimension denotations are of the standard ones",
    .citation = "[DimensionDenotation.md#denotation-definition]",
    .why = "A reader that checks denotations does not know others.",
    .bad = "a dimension denoted \"BATCH\"",
    .good = "a dimension denoted \"DATA_BATCH\"",
    .fix =
        "Use one of DATA_BATCH, DATA_CHANNEL, DATA_TIME, DATA_FEATURE, FILTER_IN_CHANNEL, "
        "FILTER_OUT_CHANNEL and FILTER_SPATIAL",
    .check = each_type([](const TypeAt& type, Sink& out) {
      each_dim(type, [&](const DimView& dim, const Place& place) {
        const std::string& denotation = dim.denotation();
        if (denotation.empty()) return;
        if (std::ranges::find(kDimDenotations, denotation) != kDimDenotations.end()) return;
        out.add(place, "\"{}\" is no standard denotation of a dimension", denotation);
      });
    })};

const Rule dim_denotation_conflict{
    .id = "OCV009",
    .name = "dim-denotation-conflict",
    .severity = Severity::warning,
    .purpose =
        "Checks that an operator gets its dimensions in the order it expects, as far as "
        "they are denoted",
    .citation = "[DimensionDenotation.md#denotation-verification]",
    .why =
        "Pooling a tensor whose channels come last runs without an error and gives nonsense; "
        "denotations exist to catch that.",
    .bad = "AveragePool of an input denoted DATA_BATCH, DATA_FEATURE, DATA_FEATURE, DATA_CHANNEL",
    .good = "AveragePool of an input denoted DATA_BATCH, DATA_CHANNEL, DATA_FEATURE, DATA_FEATURE",
    .fix = "Transpose the input, or correct the denotation",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (std::ranges::none_of(b.declared, [](const auto& d) { return is_denoted(d.second); })) {
        return;
      }
      const auto nodes = b.body.nodes();
      for (int k = 0; k < nodes.size(); ++k) {
        const NodeView node = nodes[k];
        if (!node.domain().empty() || !node.has_input(0)) continue;
        if (!std::ranges::binary_search(kBatchChannelFeature, node.op_type())) continue;
        const auto declared = b.declared.find(node.inputs()[0]);
        if (declared == b.declared.end()) continue;
        const auto dims = declared->second.type().dims();
        for (int i = 0; i < dims.size(); ++i) {
          const std::string& denotation = dims[i].denotation();
          const bool standard =
              std::ranges::find(kDimDenotations, denotation) != kDimDenotations.end();
          if (!standard || denotation == expected_denotation(i)) continue;
          out.add(at_node_input(b, k, 0, node.inputs()[0]),
                  "Dimension {} of \"{}\" is denoted {}, {} expects {}", i, declared->first,
                  denotation, node.op_type(), expected_denotation(i));
        }
      }
    })};

const Rule opaque_type{
    .id = "OCV010",
    .name = "opaque-type",
    .severity = Severity::warning,
    .purpose = "Tells where a value is of an opaque type",
    .citation = "[onnx.proto#TypeProto] [ONNXTypes.md]",
    .why =
        "Only the runtime extension that defines such a type can hold its values; newer readers "
        "demand a name.",
    .bad = "opaque(com.acme, Token)",
    .good = "int64[N]",
    .fix = "Use tensors, sequences and maps at the model's interface",
    .check = each_type([](const TypeAt& type, Sink& out) {
      each_part(type, [&](const TypeAt& part) {
        if (part.type.kind() != Kind::opaque) return;
        if (part.type.opaque_name().empty()) {
          out.add(part.place, "An opaque type without a name");
        } else {
          out.add(part.place, "Opaque type {}:{}", display_domain(part.type.opaque_domain()),
                  part.type.opaque_name());
        }
      });
    })};

}  // namespace onnxcompat::rules
