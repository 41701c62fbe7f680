#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "checker/rules.h"
#include "checker/spelling.h"
#include "support/utf8.h"

namespace onnxcompat::rules {
namespace {

ListOf<ValueInfoView> value_infos(const BodyScope& b) {
  return b.body.graph ? b.body.graph->value_infos() : b.body.function->value_infos();
}

/// Calls `visit(what, name, place)` for every name in a body; `place()` is made on demand.
template <class Visit>
void each_name(const BodyScope& b, Visit visit) {
  visit(b.body.graph ? "graph" : "function", b.body.name(), [&] { return in_body(b); });
  const auto values = [&](Section section, ListOf<ValueInfoView> list) {
    for (int i = 0; i < list.size(); ++i) {
      const auto place = [&] { return in_body(b, section, i, list[i].name()); };
      if (section != Section::value_info) visit("value", list[i].name(), place);
      each_type_part(TypeAt{*b.model, list[i].type(), place()}, [&](const TypeAt& part) {
        for (const DimView dim : part.type.dims()) {
          if (dim.has_param()) visit("dimension", dim.param(), place);
        }
      });
    }
  };
  if (b.body.graph) {
    values(Section::input, b.body.graph->inputs());
    values(Section::output, b.body.graph->outputs());
    const auto tensors = b.body.graph->initializers();
    for (int i = 0; i < tensors.size(); ++i) {
      visit("value", tensors[i].name(),
            [&] { return in_body(b, Section::initializer, i, tensors[i].name()); });
    }
  }
  values(Section::value_info, value_infos(b));
  const auto nodes = b.body.nodes();
  for (int i = 0; i < nodes.size(); ++i) {
    const NodeView node = nodes[i];
    const auto place = [&] { return at_node(b, i); };
    visit("node", node.name(), place);
    visit("operator", node.op_type(), place);
    visit("domain", node.raw_domain(), place);
    for (const std::string& name : node.inputs()) visit("value", name, place);
    for (const std::string& name : node.outputs()) visit("value", name, place);
    for (const AttributeView a : node.attributes()) visit("attribute", a.name(), place);
  }
}

/// What is wrong with the encoding of a name; empty if nothing.
std::string_view encoding_fault(std::string_view name) {
  // Most names are ASCII.
  const auto is_plain = [](char c) { return static_cast<unsigned char>(c) - 1U < 0x7FU; };
  if (std::ranges::all_of(name, is_plain)) return {};
  if (!is_utf8(name)) return "is not UTF-8";
  if (name.find('\0') != std::string_view::npos) return "holds a NUL";
  if (name.starts_with("\xEF\xBB\xBF")) return "starts with a byte order mark";
  return {};
}

}  // namespace

const Rule value_info_duplicate{
    .id = "OCG022",
    .name = "value-info-duplicate",
    .purpose = "Checks that value_info speaks of each value once",
    .citation = "[onnx.proto#GraphProto]",
    .why = "Two entries may contradict each other, and readers differ in which they believe.",
    .bad = "a graph with two value_info entries for \"a\"",
    .good = "a graph with one",
    .fix = "Remove one of the entries",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.body.graph) return;  // OCF010's
      std::unordered_set<std::string_view> seen;
      const auto list = b.body.graph->value_infos();
      for (int i = 0; i < list.size(); ++i) {
        if (list[i].name().empty() || seen.insert(list[i].name()).second) continue;
        out.add(in_body(b, Section::value_info, i, list[i].name()),
                "value_info has two entries for \"{}\"", list[i].name());
      }
    })};

const Rule value_info_unknown_name{
    .id = "OCG023",
    .name = "value-info-unknown-name",
    .severity = Severity::warning,
    .purpose = "Checks that value_info speaks of values that exist",
    .citation = "[IR.md#graphs]",
    .why =
        "A leftover of a rename: harmless to most readers, but some tools look the value up and "
        "fail.",
    .bad = "a value_info entry for \"a\" in a graph without a value \"a\"",
    .good = "value_info entries for node outputs of the graph",
    .fix = "Remove the entry",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.body.graph) return;  // OCF010's
      const auto list = b.body.graph->value_infos();
      for (int i = 0; i < list.size(); ++i) {
        if (b.sees(list[i].name())) continue;
        const Place place = in_body(b, Section::value_info, i, list[i].name());
        if (list[i].name().empty()) {
          out.add(place, "value_info entry {} has no name", i);
        } else {
          out.add(place, "value_info names \"{}\", which is no value of the graph", list[i].name());
        }
      }
    })};

const Rule value_info_of_io{
    .id = "OCG024",
    .name = "value-info-of-io",
    .severity = Severity::warning,
    .purpose = "Checks that value_info does not repeat an input or output with another type",
    .citation = "[IR.md#graphs]",
    .why =
        "value_info is for values that are neither; a second type for an input or output may "
        "contradict the first.",
    .bad = "g (float[1] x) => (float[1] y) with value_info int64[1] x",
    .good = "value_info entries for node outputs that are no graph outputs",
    .fix = "Remove the entry",
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.body.graph) return;
      std::map<std::string_view, std::string> declared;
      for (const ValueInfoView v : b.body.graph->inputs()) declared[v.name()] = v.type().str();
      for (const ValueInfoView v : b.body.graph->outputs()) declared[v.name()] = v.type().str();
      const auto list = b.body.graph->value_infos();
      for (int i = 0; i < list.size(); ++i) {
        const auto at = declared.find(list[i].name());
        if (at == declared.end() || list[i].name().empty()) continue;
        const Place place = in_body(b, Section::value_info, i, list[i].name());
        const std::string again = list[i].type().str();
        if (again == at->second) {
          out.add(place, "value_info repeats the graph's own \"{}\"", list[i].name())
              .as(Severity::info);
        } else {
          out.add(place, "value_info says {} of \"{}\", the graph itself says {}",
                  again.empty() ? "nothing" : again, list[i].name(),
                  at->second.empty() ? "nothing" : at->second);
        }
      }
    })};

const Rule node_name_duplicate{
    .id = "OCG025",
    .name = "node-name-duplicate",
    .severity = Severity::warning,
    .purpose = "Checks that node names, where given, differ within a graph",
    .citation = "[IR.md#names-within-a-graph]",
    .why =
        "The specification demands it. Runtimes load such models, since node names are only for "
        "people, but tools that find nodes by name take the wrong one.",
    .bad = "g (float[1] x) => (float[1] y) { [n] a = Abs(x) [n] y = Neg(a) }",
    .good = "g (float[1] x) => (float[1] y) { [n1] a = Abs(x) [n2] y = Neg(a) }",
    .fix = "Rename one of the nodes; nothing refers to node names",
    .check = each_body([](const BodyScope& b, Sink& out) {
      const auto nodes = b.body.nodes();
      NameMap<int> first;
      first.reserve(static_cast<std::size_t>(nodes.size()));
      for (int i = 0; i < nodes.size(); ++i) {
        if (nodes[i].name().empty()) continue;
        const auto [at, inserted] = first.try_emplace(nodes[i].name(), i);
        if (inserted) continue;
        out.add(at_node(b, i), "Node {} is called \"{}\" too", at->second, nodes[i].name());
      }
    })};

const Rule name_not_c90{
    .id = "OCG026",
    .name = "name-not-c90",
    .severity = Severity::info,
    .purpose = "Checks that names look like identifiers of C",
    .citation = "[IR.md#names-within-a-graph] [IR.md#static-tensor-shapes]",
    .why =
        "The specification recommends it, for the sake of code generators; exporters hardly "
        "ever comply.",
    .bad = "a value called \"model/conv1:0\"",
    .good = "a value called \"model_conv1_0\"",
    .fix = "Use letters, digits and underscores only, starting with a letter or underscore",
    .default_on = false,
    .check = each_body([](const BodyScope& b, Sink& out) {
      std::unordered_set<std::string_view> reported;
      each_name(b, [&](std::string_view what, const std::string& name, const auto& place) {
        if (what == "domain" || name.empty() || is_c90_identifier(name)) return;
        if (!reported.insert(name).second) return;
        out.add(place(), "The {} name \"{}\" is not an identifier of C", what, name);
      });
    })};

const Rule graph_name_duplicate{
    .id = "OCG027",
    .name = "graph-name-duplicate",
    .severity = Severity::info,
    .purpose = "Checks that graphs of a model have different names",
    .citation = "[IR.md#names-within-a-graph]",
    .why = "Graph names are only for people; two of one name make messages ambiguous.",
    .bad = "an If whose branches are both called \"branch\"",
    .good = "branches called \"then_branch\" and \"else_branch\"",
    .fix = "Rename one of the graphs",
    .default_on = false,
    .check = once([](const ModelScope& m, Sink& out) {
      std::map<std::string_view, const BodyScope*> first;
      for (const auto& body : m.bodies) {
        if (!body->body.graph || body->body.name().empty()) continue;
        const auto [at, inserted] = first.try_emplace(body->body.name(), body.get());
        if (inserted) continue;
        out.add(in_body(*body), "{} is called \"{}\" too", at->second->body.path(), at->first);
      }
    })};

const Rule name_not_utf8{
    .id = "OCG029",
    .name = "name-not-utf8",
    .purpose = "Checks that names are UTF-8 without NUL or byte order mark",
    .citation = "[IR.md#tensor-element-types] [onnx.proto]",
    .why = "Names are text fields; readers in other languages fail to decode the file at all.",
    .bad = "a value whose name has the single byte FF",
    .good = "a value called \"größe\", in UTF-8",
    .fix = "Encode the name in UTF-8",
    .check = each_body([](const BodyScope& b, Sink& out) {
      std::unordered_set<std::string_view> reported;
      each_name(b, [&](std::string_view what, const std::string& name, const auto& place) {
        const std::string_view fault = encoding_fault(name);
        if (fault.empty() || !reported.insert(name).second) return;
        out.add(place(), "The {} name \"{}\" {}", what, name, fault);
      });
    })};

}  // namespace onnxcompat::rules
