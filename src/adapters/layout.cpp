#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "adapters/preparation.h"
#include "adapters/rename.h"

namespace onnxcompat::adapters {
namespace {

/// More rounds than that are not laid out one after the other.
constexpr std::int64_t kMostRounds = 64;
/// Nor more nodes, in all: loops in each other multiply, and a model has many of them.
constexpr std::size_t kMostLaidOut = 1 << 14;
/// What is within what was laid out may be known in turn.
constexpr int kMostWaves = 64;

/// From here on If and Loop give and carry sequences and optionals.
constexpr int kCarriesAll = 16;
/// From here on a SequenceMap can become a Loop.
constexpr int kCarriesSequences = 13;

/// Nodes, those of subgraphs as well.
std::size_t count_nodes(const Body& body) {
  std::size_t count = 0;
  for (int i = 0; i < body.nodes().size(); ++i) {
    ++count;
    each_subgraph(body, i, [&](const Body& inner, int, int) { count += count_nodes(inner); });
  }
  return count;
}

OwnedNode node_of(std::string_view op, const std::vector<std::string>& inputs,
                  const std::string& output) {
  OwnedNode node({}, op);
  node.set_inputs(inputs);
  node.set_outputs({output});
  return node;
}

/// One pass over a model, which lays out the outermost of what is known.
class Wave {
 public:
  Wave(const Model& source, const ConversionRequest& request, int target, std::size_t& laid_out)
      : context_(source, request), target_(target), laid_out_(laid_out) {}

  /// What was laid out in `copy`.
  std::vector<ConversionStep> run(Model& copy) {
    each_root(context_.source, copy, [&](const Body& body, const auto& edit, int) {
      if (body.opset({}) <= target_) return;
      Root root(body, edit());
      Scope scope(context_, root, body, nullptr);
      go_through(root.editor, scope);
      prune(context_, root);
    });
    return std::move(steps_);
  }

 private:
  void go_through(BodyEditor editor, Scope& scope) {
    const Body& body = scope.body();
    if (body.graph) {
      for (const ValueInfoView input : body.graph->inputs()) lengths_.erase(input.name());
    }
    std::vector<OwnedNode> out;
    std::vector<OwnedNode> nodes = editor.take_nodes();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const int index = static_cast<int>(i);
      const NodeView source = body.nodes()[index];
      note_length(source, scope);
      base_ = source.name().empty() ? first_output(source) : source.name();
      if (lay_out(source, index, scope, out)) {
        ConversionStep step;
        step.path = locate_node(body, index).path;
        step.op = source.op_type();
        step.from = find_schema({}, step.op, body.opset({}))->since_version;
        step.authority = Authority::written;
        step.note = "its course is known: what it runs stands in its place";
        steps_.push_back(std::move(step));
        continue;
      }
      each_subgraph(body, index, [&](const Body& inner, int at, int k) {
        Scope inside(context_, scope.root(), inner, &scope);
        go_through(nodes[i].graph(at, k), inside);
      });
      out.push_back(std::move(nodes[i]));
    }
    editor.put_nodes(std::move(out));
  }

  static std::string first_output(const NodeView& node) {
    for (const std::string& name : node.outputs()) {
      if (!name.empty()) return name;
    }
    return "laid_out";
  }

  bool lay_out(const NodeView& node, int index, Scope& scope, std::vector<OwnedNode>& out) {
    if (!node.domain().empty()) return false;
    const std::string& op = node.op_type();
    const bool maps = op == "SequenceMap" && target_ < kCarriesSequences;
    if (op != "If" && op != "Loop" && !maps) return false;
    if (find_schema({}, op, scope.body().opset({})) == nullptr) return false;
    bool done = false;
    each_subgraph(scope.body(), index, [&](const Body& inner, int, int) {
      if (done || inner.attribute_index >= 0 || !(maps || deals_in_sequences(inner))) return;
      Scope inside(context_, scope.root(), inner, &scope);
      if (op == "If") {
        done = lay_out_branch(node, inside, scope, out);
      } else if (op == "Loop") {
        done = lay_out_rounds(node, inside, scope, out);
      } else {
        done = lay_out_map(node, inside, out);
      }
    });
    // What decided the course may have no other reader.
    const int deciding = !done ? 0 : op == "If" ? 1 : op == "Loop" ? 2 : 0;
    for (int i = 0; i < std::min(deciding, node.inputs().size()); ++i) {
      scope.root().folded.insert(node.inputs()[i]);
    }
    return done;
  }

  bool is_sequence(const Body& body, std::string_view value) {
    if (value.empty()) return false;
    const ValueType* type = context_.inference().type_of(body, value);
    return type != nullptr &&
           (type->kind == TypeView::Kind::sequence || type->kind == TypeView::Kind::optional);
  }

  bool deals_in_sequences(const Body& body) {
    for (int i = 0; i < body.nodes().size(); ++i) {
      const NodeView node = body.nodes()[i];
      for (const Strings& names : {node.inputs(), node.outputs()}) {
        for (const std::string& name : names) {
          if (is_sequence(body, name)) return true;
        }
      }
      bool inside = false;
      each_subgraph(body, i, [&](const Body& inner, int, int) {
        inside = inside || deals_in_sequences(inner);
      });
      if (inside) return true;
    }
    for (const ValueInfoView output : body.graph->outputs()) {
      if (is_sequence(body, output.name())) return true;
    }
    return false;
  }

  static std::optional<bool> known_bool(const Scope& scope, std::string_view value) {
    const auto known = scope.constant(value);
    const auto numbers = known ? known->doubles() : std::nullopt;
    return numbers && numbers->size() == 1 ? std::optional(numbers->front() != 0) : std::nullopt;
  }

  std::optional<std::int64_t> known_count(const Scope& scope, const std::string& value) const {
    if (const auto it = counts_.find(value); it != counts_.end()) return it->second;
    const auto known = scope.ints(value);
    return known && known->size() == 1 ? std::optional(known->front()) : std::nullopt;
  }

  /// Keeps how many elements a sequence has, where that is known.
  void note_length(const NodeView& node, const Scope& scope) {
    if (!node.domain().empty() || node.outputs().size() != 1) return;
    const std::string& op = node.op_type();
    const auto of_first = [&]() -> std::optional<std::int64_t> {
      if (node.inputs().empty()) return std::nullopt;
      const auto it = lengths_.find(node.inputs()[0]);
      return it == lengths_.end() ? std::nullopt : std::optional(it->second);
    };
    std::optional<std::int64_t> length;
    if (op == "SequenceConstruct") {
      length = node.inputs().size();
    } else if (op == "SequenceEmpty") {
      length = 0;
    } else if (op == "SequenceInsert" || op == "SequenceErase") {
      length = of_first();
      if (length) *length += op == "SequenceInsert" ? 1 : -1;
    } else if (op == "SequenceMap" || op == "Identity") {
      length = of_first();
    } else if (op == "SplitToSequence" && node.has_input(1)) {
      const auto sizes = scope.constant(node.inputs()[1]);
      if (sizes && sizes->dims().size() == 1) length = sizes->dims()[0];
    } else if (op == "SequenceLength") {
      if (const auto count = of_first()) counts_[node.outputs()[0]] = *count;
    }
    if (length && *length >= 0) lengths_[node.outputs()[0]] = *length;
  }

  /// A name of its own for everything that a graph holds.
  std::string fresh(const std::string& name) {
    return name.empty() ? std::string{} : context_.fresh_name(fmt::format("{}_{}", base_, name));
  }

  std::string constant(const TensorLiteral& value, const std::string& name,
                       std::vector<OwnedNode>& out) {
    std::string made = fresh(name);
    OwnedNode node = node_of("Constant", {}, made);
    node.set("value", value);
    out.push_back(std::move(node));
    return made;
  }

  /// May so many copies of a graph be made?
  bool may_copy(const Body& body, std::int64_t times) {
    if (!body.graph->sparse_initializers().empty()) return false;
    const std::size_t nodes = count_nodes(body);
    if (nodes * static_cast<std::size_t>(times) > kMostLaidOut - laid_out_) return false;
    laid_out_ += nodes * static_cast<std::size_t>(times);
    return true;
  }

  /// A copy of a graph's nodes: `names` says what its inputs are, and is told what became of its
  /// values. What gives `known` is left out. False if a constant of it cannot be read.
  bool copy_nodes(const GraphView& graph, NameMap& names, std::vector<OwnedNode>& out,
                  const std::string& known = {}) {
    for (const TensorView t : graph.initializers()) {
      if (names.contains(t.name())) continue;  // an input, given
      const auto literal = TensorLiteral::copy(t);
      if (!literal) return false;
      names[t.name()] = constant(*literal, t.name(), out);
    }
    const auto own = [&](const std::string& name) { return fresh(name); };
    for (const NodeView node : graph.nodes()) {
      for (const std::string& name : node.outputs()) {
        if (!name.empty() && !names.contains(name)) names[name] = fresh(name);
      }
    }
    for (const NodeView node : graph.nodes()) {
      if (!known.empty() && node.outputs().size() == 1 && node.outputs()[0] == known) continue;
      OwnedNode copy = OwnedNode::copy(node);
      rename_within(copy, names, own, [&](OwnedNode& each) {
        if (!each.view().name().empty()) each.set_name(fresh(each.view().name()));
      });
      out.push_back(std::move(copy));
    }
    return true;
  }

  static std::string renamed(const NameMap& names, const std::string& name) {
    const auto it = names.find(name);
    return it == names.end() ? name : it->second;
  }

  /// Names a value that stands for a node's output as the node does.
  static void pass_on(const std::string& from, const std::string& to, std::vector<OwnedNode>& out) {
    out.push_back(node_of("Identity", {from}, to));
  }

  /// What a graph makes itself.
  static std::unordered_set<std::string_view> made_in(const GraphView& graph) {
    std::unordered_set<std::string_view> made;
    for (const NodeView node : graph.nodes()) {
      for (const std::string& name : node.outputs()) made.insert(name);
    }
    return made;
  }

  /// What is handed through may be a sequence, which Identity takes from [Identity-14] on.
  bool may_pass(const Body& body, const std::string& value) {
    return body.opset({}) >= 14 || !is_sequence(body, value);
  }

  bool lay_out_branch(const NodeView& node, Scope& inside, Scope& scope,
                      std::vector<OwnedNode>& out) {
    const Body& branch = inside.body();
    const auto condition =
        node.inputs().empty() ? std::nullopt : known_bool(scope, node.inputs()[0]);
    if (!condition || branch.owner_attribute != (*condition ? "then_branch" : "else_branch")) {
      return false;
    }
    const GraphView graph = *branch.graph;
    if (!graph.inputs().empty() || graph.outputs().size() != node.outputs().size()) return false;
    NameMap names;
    const auto made = made_in(graph);
    std::vector<std::pair<std::string, std::string>> passed;
    for (int i = 0; i < graph.outputs().size(); ++i) {
      const std::string& from = graph.outputs()[i].name();
      const std::string& to = node.outputs()[i];
      if (to.empty() || (made.contains(from) && names.try_emplace(from, to).second)) continue;
      if (!may_pass(branch, from)) return false;
      passed.emplace_back(from, to);
    }
    if (!may_copy(branch, 1)) return false;
    const std::size_t before = out.size();
    if (!copy_nodes(graph, names, out)) {
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
      return false;
    }
    for (const auto& [from, to] : passed) pass_on(renamed(names, from), to, out);
    return true;
  }

  /// Does a body hand on its condition, or say that it goes on?
  static bool always_goes_on(const GraphView& body, const Scope& inside) {
    std::unordered_map<std::string_view, std::string_view> copies;
    for (const NodeView node : body.nodes()) {
      const bool passes = node.op_type() == "Identity" && node.domain().empty() &&
                          node.inputs().size() == 1 && node.outputs().size() == 1;
      if (passes) copies[node.outputs()[0]] = node.inputs()[0];
    }
    std::string_view value = body.outputs()[0].name();
    for (int steps = 0; steps <= body.nodes().size(); ++steps) {
      if (value == body.inputs()[1].name() || known_bool(inside, value) == true) return true;
      const auto it = copies.find(value);
      if (it == copies.end()) return false;
      value = it->second;
    }
    return false;
  }

  /// Puts parts on top of each other, as a Loop does with what it scans.
  void stack(const std::vector<std::string>& parts, const std::string& to, int opset,
             std::vector<OwnedNode>& out) {
    std::vector<std::string> high;
    const std::vector<std::int64_t> axes{0};
    std::string axis;
    if (opset >= 13) axis = constant(TensorLiteral::ints(axes), to + "_axis", out);
    for (const std::string& part : parts) {
      high.push_back(fresh(part));
      OwnedNode node = node_of("Unsqueeze", {part}, high.back());
      if (opset >= 13) {
        node.set_input(1, axis);
      } else {
        node.set("axes", axes);
      }
      out.push_back(std::move(node));
    }
    OwnedNode joined = node_of("Concat", high, to);
    joined.set("axis", std::int64_t{0});
    out.push_back(std::move(joined));
  }

  bool lay_out_rounds(const NodeView& node, Scope& inside, Scope& scope,
                      std::vector<OwnedNode>& out) {
    const Body& body = inside.body();
    const GraphView graph = *body.graph;
    const int carried = node.inputs().size() - 2;
    const auto rounds = node.has_input(0) ? known_count(scope, node.inputs()[0]) : std::nullopt;
    if (!rounds || *rounds < 1 || *rounds > kMostRounds) return false;
    if (node.has_input(1) && known_bool(scope, node.inputs()[1]) != true) return false;
    const int given = graph.outputs().size() - 1;
    if (carried < 0 || graph.inputs().size() != carried + 2 || given < carried ||
        node.outputs().size() > given || !always_goes_on(graph, inside)) {
      return false;
    }
    // What the last round gives has its name already.
    NameMap last;
    const auto made = made_in(graph);
    std::vector<std::pair<std::string, std::string>> passed;
    for (int i = 0; i < std::min(carried, node.outputs().size()); ++i) {
      const std::string& from = graph.outputs()[i + 1].name();
      const std::string& to = node.outputs()[i];
      if (to.empty() || (made.contains(from) && last.try_emplace(from, to).second)) continue;
      if (!may_pass(body, from)) return false;
      passed.emplace_back(from, to);
    }
    if (!may_copy(body, *rounds)) return false;
    const std::size_t before = out.size();
    std::vector<std::string> values;
    for (int i = 0; i < carried; ++i) values.push_back(node.inputs()[i + 2]);
    std::vector<std::vector<std::string>> scanned(static_cast<std::size_t>(given - carried));
    const std::string go =
        constant(TensorLiteral::scalar(DataType::boolean, 1), graph.inputs()[1].name(), out);
    const std::string& goes_on = graph.outputs()[0].name();
    scope.root().folded.insert(go);
    for (std::int64_t round = 0; round < *rounds; ++round) {
      const bool is_last = round == *rounds - 1;
      NameMap names = is_last ? last : NameMap{};
      const std::string number =
          constant(TensorLiteral::scalar(round), graph.inputs()[0].name(), out);
      scope.root().folded.insert(number);
      names[graph.inputs()[0].name()] = number;
      names[graph.inputs()[1].name()] = go;
      names[goes_on] = go;
      for (int i = 0; i < carried; ++i) {
        names[graph.inputs()[i + 2].name()] = values[static_cast<std::size_t>(i)];
      }
      if (!copy_nodes(graph, names, out, goes_on)) {
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
        return false;
      }
      for (int i = 0; i < given; ++i) {
        std::string value = renamed(names, graph.outputs()[i + 1].name());
        if (i < carried) {
          values[static_cast<std::size_t>(i)] = std::move(value);
        } else {
          scanned[static_cast<std::size_t>(i - carried)].push_back(std::move(value));
        }
      }
      if (!is_last) continue;
      for (const auto& [from, to] : passed) pass_on(renamed(names, from), to, out);
    }
    for (int i = carried; i < node.outputs().size(); ++i) {
      const std::string& to = node.outputs()[i];
      const auto& parts = scanned[static_cast<std::size_t>(i - carried)];
      if (!to.empty()) stack(parts, to, body.opset({}), out);
    }
    return true;
  }

  bool lay_out_map(const NodeView& node, Scope& inside, std::vector<OwnedNode>& out) {
    const Body& body = inside.body();
    const GraphView graph = *body.graph;
    const auto known = node.inputs().empty() ? lengths_.end() : lengths_.find(node.inputs()[0]);
    if (known == lengths_.end() || known->second < 1 || known->second > kMostRounds ||
        graph.inputs().size() != node.inputs().size() ||
        graph.outputs().size() != node.outputs().size() || !may_copy(body, known->second)) {
      return false;
    }
    const std::size_t before = out.size();
    std::vector<std::vector<std::string>> results(static_cast<std::size_t>(node.outputs().size()));
    for (std::int64_t round = 0; round < known->second; ++round) {
      NameMap names;
      const std::string place = constant(TensorLiteral::scalar(round), "place", out);
      for (int i = 0; i < node.inputs().size(); ++i) {
        const std::string& formal = graph.inputs()[i].name();
        const std::string& actual = node.inputs()[i];
        if (!is_sequence(*body.outer, actual)) {
          names[formal] = actual;
          continue;
        }
        names[formal] = fresh(formal);
        out.push_back(node_of("SequenceAt", {actual, place}, names[formal]));
      }
      if (!copy_nodes(graph, names, out)) {
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
        return false;
      }
      for (int i = 0; i < graph.outputs().size(); ++i) {
        results[static_cast<std::size_t>(i)].push_back(renamed(names, graph.outputs()[i].name()));
      }
    }
    for (int i = 0; i < node.outputs().size(); ++i) {
      if (node.outputs()[i].empty()) continue;
      out.push_back(
          node_of("SequenceConstruct", results[static_cast<std::size_t>(i)], node.outputs()[i]));
    }
    return true;
  }

  Context context_;
  int target_;
  std::string base_;  ///< what is laid out, for the names of what stands in its place
  std::size_t& laid_out_;
  std::vector<ConversionStep> steps_;
  std::unordered_map<std::string, std::int64_t> lengths_;  ///< of sequences
  std::unordered_map<std::string, std::int64_t> counts_;   ///< what SequenceLength gives
};

}  // namespace

std::optional<int> wanted_opset(const ConversionRequest& request) {
  for (const DomainVersion& wanted : request.opsets) {
    if (canonical_domain(wanted.domain).empty()) return wanted.version;
  }
  return std::nullopt;
}

std::optional<Model> lay_out_known_control_flow(Context& context, const Model& model) {
  const auto target = wanted_opset(context.request);
  if (!target || *target >= kCarriesAll) return std::nullopt;
  if (Context first(model, context.request);
      !first.may_occur("seq") && !first.may_occur("optional"))
    return std::nullopt;
  std::size_t laid_out = 0;
  std::optional<Model> result;
  for (int wave = 0; wave < kMostWaves; ++wave) {
    const Model& before = result ? *result : model;
    Model next = before.clone();
    auto steps = Wave(before, context.request, *target, laid_out).run(next);
    if (steps.empty()) break;
    // Places in what was laid out are none in the model that was given.
    if (!result) std::ranges::move(steps, std::back_inserter(context.steps));
    result = std::move(next);
  }
  return result;
}

}  // namespace onnxcompat::adapters
