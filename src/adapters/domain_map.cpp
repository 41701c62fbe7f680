#include "adapters/domain_map.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "model/edit.h"
#include "support/json_depth.h"

namespace onnxcompat {
namespace {

using Json = nlohmann::json;
using adapters::NodeEdit;
using adapters::Transition;
using adapters::Was;

/// Keys that a change may have; others are spelling mistakes.
const std::set<std::string_view> kChangeKeys = {
    "op",
    "from",
    "to",
    "renamed",
    "attributes_renamed",
    "attributes_added",
    "attributes_dropped",
    "attributes_to_inputs",
    "inputs_added",
};

/// A version, or 0 if it is none.
int version_of(const Json& value) {
  constexpr int kNewest = 1'000'000;
  return value.is_number_integer() && value > 0 && value <= kNewest ? value.get<int>() : 0;
}

/// The place of an input.
bool is_place(const Json& value) { return value.is_number_integer() && value >= 0 && value <= 64; }

std::optional<Was> was_of(const Json& value) {
  if (value.is_number_integer()) return Was(value.get<std::int64_t>());
  if (value.is_number()) return Was(value.get<float>());
  if (value.is_string()) return Was(value.get<std::string>());
  return std::nullopt;
}

/// The value that the older version had built in is written upward and taken away downward.
void add_attribute(Transition& t, std::string_view name, const Was& was) {
  t.up([name, was](NodeEdit& e) {
    if (e.has(name)) return;
    std::visit([&](const auto& v) { e.set({std::string(name), adapters::Attr::Content(v)}); }, was);
  });
  t.added(name, was);
}

}  // namespace

Result<DomainMap> DomainMap::load(const std::string& path, std::string domain) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(ExitCode::usage, fmt::format("{}: cannot be read", path));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return parse(text, std::move(domain), path);
}

Result<DomainMap> DomainMap::parse(std::string_view json, std::string domain,
                                   const std::string& name) {
  const auto wrong = [&](std::string_view what) {
    return fail(ExitCode::usage, fmt::format("{}: {}", name, what));
  };
  if (json_depth(json) > kMostJsonDepth) return wrong("is nested too deeply");
  const Json root = Json::parse(json, nullptr, false);
  if (!root.is_object()) return wrong("is no JSON object");
  DomainMap map;
  map.domain_ = std::move(domain);
  const auto kept = [&](std::string text) -> std::string_view {
    map.names_.push_back(std::make_unique<std::string>(std::move(text)));
    return *map.names_.back();
  };
  const auto text_of = [](const Json& entry, const char* key) {
    return entry.is_object() && entry.contains(key) && entry[key].is_string()
               ? entry[key].get<std::string>()
               : std::string{};
  };
  const auto number_of = [](const Json& entry, const char* key) {
    return entry.is_object() && entry.contains(key) ? version_of(entry[key]) : 0;
  };
  for (const auto& [key, value] : root.items()) {
    if ((key != "transitions" && key != "expansions") || !value.is_array()) {
      return wrong(fmt::format("\"{}\" is neither a list of transitions nor of expansions", key));
    }
  }
  for (const Json& entry : root.value("transitions", Json::array())) {
    Change change;
    change.op = text_of(entry, "op");
    change.renamed = text_of(entry, "renamed");
    change.from = number_of(entry, "from");
    change.to = number_of(entry, "to");
    const std::string what = fmt::format("transition of \"{}\"", change.op);
    if (change.op.empty() || change.from < 1 || change.to <= change.from) {
      return wrong(what + " needs op, and from and to in this order");
    }
    for (const auto& [key, value] : entry.items()) {
      if (!kChangeKeys.contains(key))
        return wrong(fmt::format("{}: unknown key \"{}\"", what, key));
    }
    change.transition =
        std::make_unique<Transition>(kept(map.domain_), kept(change.op), change.from, change.to);
    Transition& t = *change.transition;
    t.same();
    // Held here: a loop does not keep what it walks over.
    const Json names_changed = entry.value("attributes_renamed", Json::object());
    const Json attributes_added = entry.value("attributes_added", Json::object());
    const Json moved = entry.value("attributes_to_inputs", Json::object());
    for (const auto& [old, now] : names_changed.items()) {
      if (!now.is_string()) return wrong(what + ": attributes_renamed maps names to names");
      const std::string_view before = kept(old);
      const std::string_view after = kept(now.get<std::string>());
      t.up([=](NodeEdit& e) { e.rename(before, after); });
      t.down([=](NodeEdit& e) { e.rename(after, before); });
    }
    for (const auto& [attribute, value] : attributes_added.items()) {
      const auto was = was_of(value);
      if (!was) return wrong(what + ": attributes_added maps names to numbers or texts");
      add_attribute(t, kept(attribute), *was);
    }
    for (const Json& attribute : entry.value("attributes_dropped", Json::array())) {
      if (!attribute.is_string()) return wrong(what + ": attributes_dropped is a list of names");
      t.dropped(kept(attribute.get<std::string>()));
    }
    for (const auto& [attribute, index] : moved.items()) {
      if (!is_place(index)) {
        return wrong(what + ": attributes_to_inputs maps names to places of inputs");
      }
      t.attr_to_input(kept(attribute), index.get<int>());
    }
    for (const Json& index : entry.value("inputs_added", Json::array())) {
      if (!is_place(index)) {
        return wrong(what + ": inputs_added is a list of places");
      }
      t.added_input(index.get<int>());
    }
    map.changes_.push_back(std::move(change));
  }
  for (const Json& entry : root.value("expansions", Json::array())) {
    if (!entry.is_object()) return wrong("an expansion is an object");
    const std::string op = text_of(entry, "op");
    const std::string text = text_of(entry, "text");
    Template body;
    body.first = number_of(entry, "first");
    const std::string what = fmt::format("expansion of \"{}\"", op);
    std::string imports;
    const Json opsets = entry.value("opsets", Json::object());
    for (const auto& [imported, version] : opsets.items()) {
      if (version_of(version) == 0) return wrong(what + ": opsets maps domains to versions");
      imports +=
          fmt::format("{}\"{}\" : {}", imports.empty() ? "" : ", ", imported, version_of(version));
    }
    if (op.empty() || text.empty() || body.first < 2 || imports.empty()) {
      return wrong(what + " needs op, first (2 or more), opsets and text");
    }
    auto holder =
        Model::parse(fmt::format("<ir_version: 8, opset_import: [\"\" : 13]>\ng () => () {{ }}\n"
                                 "<domain: \"template\", opset_import: [{}]>\n{} {}",
                                 imports, op, text),
                     name, ModelFormat::text);
    if (!holder) return wrong(fmt::format("{}: {}", what, holder.error().message));
    for (const NodeView node : holder->functions()[0].nodes()) {
      for (const AttributeView a : node.attributes()) {
        if (a.type() == AttributeType::graph) return wrong(what + " holds a subgraph");
      }
    }
    body.holder = std::make_shared<const Model>(*std::move(holder));
    if (!map.templates_.emplace(op, std::move(body)).second) return wrong(what + " comes twice");
  }
  return map;
}

const DomainMap::Change* DomainMap::next(std::string_view op, int version, int target) const {
  const Change* found = nullptr;
  for (const Change& c : changes_) {
    if (target > version) {
      if (c.op != op || c.to <= version || c.to > target) continue;
      if (found == nullptr || c.to < found->to) found = &c;
    } else {
      if (c.newer_name() != op || c.to > version || c.to <= target) continue;
      if (found == nullptr || c.to > found->to) found = &c;
    }
  }
  return found;
}

const DomainMap::Template* DomainMap::below(std::string_view op, int target) const {
  const auto it = templates_.find(op);
  return it != templates_.end() && target < it->second.first ? &it->second : nullptr;
}

namespace adapters {

void expand_template(NodeEdit& e, const Model& holder) {
  const FunctionView body = holder.functions()[0];
  std::map<std::string, Value, std::less<>> names;
  for (int i = 0; i < body.inputs().size(); ++i) names[body.inputs()[i]] = e.input(i);
  for (const NodeView node : body.nodes()) {
    for (const std::string& name : node.outputs()) {
      if (!name.empty()) names[name] = e.fresh(name);
    }
  }
  const auto renamed = [&](const Strings& old) {
    std::vector<Value> now;
    for (const std::string& name : old) now.push_back(name.empty() ? Value{} : names[name]);
    return now;
  };
  for (const NodeView node : body.nodes()) {
    OwnedNode copy = OwnedNode::copy(node);
    copy.set_inputs(renamed(node.inputs()));
    copy.set_outputs(renamed(node.outputs()));
    for (const AttributeView a : node.attributes()) {
      if (!a.is_reference()) continue;
      if (const auto value = e.node().attribute(a.ref_attr_name())) {
        copy.set_copy(a.name(), *value);
      } else {
        copy.drop(a.name());
      }
    }
    e.emit_node(std::move(copy), body.opset(node.domain()));
  }
  e.replace(renamed(body.outputs()));
}

}  // namespace adapters
}  // namespace onnxcompat
