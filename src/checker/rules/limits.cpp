// Rules for models of strangers (check --security): what may exhaust a reader's stack, memory or
// patience. Nothing here recurses over the model.

#include <algorithm>
#include <limits>
#include <map>

#include "checker/rules.h"
#include "inference/inference.h"

namespace onnxcompat::rules {
namespace {

constexpr int kMostNested = 32;        ///< graphs within graphs, types within types
constexpr int kMostCalls = 100;        ///< functions calling functions
constexpr int kMostNodes = 1'000'000;  ///< of one body, and after inlining every function
constexpr int kMostFunctions = 10'000;
constexpr std::size_t kLongestName = 1024;
constexpr std::uint64_t kLargestTensor = std::uint64_t{1} << 36;  ///< bytes that dims and type say
constexpr std::uint64_t kMemoryBudget = std::uint64_t{1} << 30;  ///< of one value that a node makes
constexpr std::uint64_t kNearTwoGib = std::uint64_t{1900} << 20;

int depth_of(const TypeView& type) {
  int depth = 1;
  for (auto inner = type.elem(); inner; inner = inner->elem()) ++depth;
  return depth;
}

/// The functions that each function calls, its subgraphs included, with how often.
struct CallGraph {
  explicit CallGraph(const ModelScope& m) {
    std::map<const void*, int> index;
    for (const FunctionView f : m.model.functions()) {
      index.emplace(f.proto(), static_cast<int>(index.size()));
    }
    calls.resize(index.size());
    own_nodes.resize(index.size());
    for (const auto& body : m.bodies) {
      const Body& top = body->body.outermost();
      const int caller = top.function ? index.at(top.function->proto()) : -1;
      for (const NodeView node : body->body.nodes()) {
        const auto callee = m.function(node);
        std::int64_t& nodes = caller < 0 ? main_nodes : own_nodes[static_cast<std::size_t>(caller)];
        if (!callee) {
          ++nodes;
          continue;
        }
        auto& out = caller < 0 ? main_calls : calls[static_cast<std::size_t>(caller)];
        ++out[index.at(callee->proto())];
      }
    }
  }

  /// Folds `combine` over the functions, callees first; circles (OCF007's) count as nothing.
  template <class T, class Combine>
  std::vector<T> fold(Combine combine) const {
    enum class State : char { fresh, open, done };
    std::vector<State> states(calls.size(), State::fresh);
    std::vector<T> out(calls.size());
    std::vector<int> stack;
    for (std::size_t root = 0; root < calls.size(); ++root) {
      stack.push_back(static_cast<int>(root));
      while (!stack.empty()) {
        const auto f = static_cast<std::size_t>(stack.back());
        if (states[f] == State::fresh) {
          states[f] = State::open;
          for (const auto& [callee, times] : calls[f]) {
            if (states[static_cast<std::size_t>(callee)] == State::fresh) stack.push_back(callee);
          }
          continue;
        }
        stack.pop_back();
        if (states[f] == State::done) continue;
        states[f] = State::done;
        out[f] = combine(f, out);
      }
    }
    return out;
  }

  std::vector<std::map<int, std::int64_t>> calls;
  std::map<int, std::int64_t> main_calls;
  std::vector<std::int64_t> own_nodes;
  std::int64_t main_nodes = 0;
};

std::int64_t saturating(std::int64_t a, std::int64_t times, std::int64_t b) {
  std::int64_t product = 0;
  std::int64_t sum = 0;
  if (__builtin_mul_overflow(times, b, &product) || __builtin_add_overflow(a, product, &sum)) {
    return std::numeric_limits<std::int64_t>::max();
  }
  return sum;
}

void check_name(const Place& place, std::string_view what, const std::string& name, Sink& out) {
  if (name.size() <= kLongestName) return;
  out.add(place, "A {} of {} bytes is longer than {}", what, name.size(), kLongestName);
}

/// Operators whose output may be far larger than anything that is in the file.
bool makes_much_of_little(std::string_view op) {
  static constexpr std::string_view kOperators[] = {
      "ConstantOfShape", "EyeLike", "Expand", "OneHot",        "Pad",     "Range",
      "RandomNormal",    "Resize",  "Tile",   "RandomUniform", "Upsample"};
  return std::ranges::find(kOperators, op) != std::end(kOperators);
}

}  // namespace

const Rule nesting_limit{
    .id = "OCZ001",
    .name = "nesting-limit",
    .purpose = "Checks that graphs, types and calls do not nest deeper than 32, 32 and 100 levels",
    .citation = "[IR.md#graphs] [ExternalDataSecurity.md]",
    .why = "Readers that recurse run out of stack. The official checker stops at 100 calls, too.",
    .bad = "a function that calls another, which calls another, 200 deep",
    .good = "the same inlined",
    .fix = "Do not load the model of a stranger that needs this; flatten one of your own",
    .default_on = false,
    .check = once([](const ModelScope& m, Sink& out) {
      for (const auto& body : m.bodies) {
        if (body->body.depth == kMostNested + 1) {
          out.add(in_body(*body), "Graphs nest deeper than {} levels", kMostNested);
        }
        for (const auto& [name, declared] : body->declared) {
          const int depth = depth_of(declared.type());
          if (depth <= kMostNested) continue;
          out.add(in_body(*body, Section::other, -1, name), "The type of \"{}\" nests {} levels",
                  name, depth);
        }
      }
      const CallGraph graph(m);
      const auto depths = graph.fold<int>([&](std::size_t f, const std::vector<int>& known) {
        int deepest = 0;
        for (const auto& [callee, times] : graph.calls[f]) {
          deepest = std::max(deepest, known[static_cast<std::size_t>(callee)]);
        }
        return deepest + 1;
      });
      for (const auto& [callee, times] : graph.main_calls) {
        const int depth = depths[static_cast<std::size_t>(callee)];
        if (depth <= kMostCalls) continue;
        out.add(in_model(Section::function, callee), "Calls of {} nest {} levels",
                m.model.functions()[callee].name(), depth);
        return;
      }
    })};

const Rule size_limit{
    .id = "OCZ002",
    .name = "size-limit",
    .purpose =
        "Checks that there are at most 1,000,000 nodes a graph and 10,000 functions, that names "
        "have at most 1024 bytes and no tensor claims more than 64 GiB",
    .citation = "[IR.md#graphs] [ExternalDataSecurity.md]",
    .why = "Readers allocate by these numbers before they look at what is there.",
    .bad = "an initializer with dims [1000000, 1000000]",
    .good = "an initializer with the dims of its data",
    .fix = "Do not load the model of a stranger that needs this",
    .default_on = false,
    .check = once([](const ModelScope& m, Sink& out) {
      if (m.model.functions().size() > kMostFunctions) {
        out.add(in_model(Section::function), "There are {} functions", m.model.functions().size());
      }
      for (const auto& body : m.bodies) {
        const auto nodes = body->body.nodes();
        if (nodes.size() > kMostNodes) out.add(in_body(*body), "There are {} nodes", nodes.size());
        for (int i = 0; i < nodes.size(); ++i) {
          const NodeView node = nodes[i];
          check_name(at_node(*body, i), "node's name", node.name(), out);
          check_name(at_node(*body, i), "name of an operator", node.op_type(), out);
          for (const std::string& name : node.outputs()) {
            check_name(at_node(*body, i), "value's name", name, out);
          }
        }
        if (!body->body.graph) continue;
        const auto tensors = body->body.graph->initializers();
        for (int i = 0; i < tensors.size(); ++i) {
          const Place place = in_body(*body, Section::initializer, i);
          check_name(place, "value's name", tensors[i].name(), out);
          const auto size = tensors[i].byte_size();
          if (size && *size > kLargestTensor) {
            out.add(place, "The dims of \"{}\" ask for {} bytes", tensors[i].name(), *size);
          }
        }
      }
    })};

const Rule expansion_bomb{
    .id = "OCZ003",
    .name = "expansion-bomb",
    .severity = Severity::warning,
    .min_ir = 8,
    .purpose = "Checks that inlining every function makes no more than 1,000,000 nodes",
    .citation = "[IR.md#functions]",
    .why = "Functions that call another one twice each double what runtimes inline at each level.",
    .bad = "f1 calls f2 twice, f2 calls f3 twice, … for 30 functions",
    .good = "functions that are called a few times",
    .fix = "Do not load the model of a stranger that does this",
    .default_on = false,
    .check = once([](const ModelScope& m, Sink& out) {
      const CallGraph graph(m);
      const auto sizes =
          graph.fold<std::int64_t>([&](std::size_t f, const std::vector<std::int64_t>& known) {
            std::int64_t size = graph.own_nodes[f];
            for (const auto& [callee, times] : graph.calls[f]) {
              size = saturating(size, times, known[static_cast<std::size_t>(callee)]);
            }
            return size;
          });
      std::int64_t whole = graph.main_nodes;
      for (const auto& [callee, times] : graph.main_calls) {
        whole = saturating(whole, times, sizes[static_cast<std::size_t>(callee)]);
      }
      if (whole <= kMostNodes || graph.main_calls.empty()) return;
      out.add(in_model(Section::function), "Inlining the functions makes {} nodes",
              whole == std::numeric_limits<std::int64_t>::max() ? "more than 2^63"
                                                                : fmt::format("{}", whole));
    })};

const Rule proto_over_2gb{.id = "OCZ004",
                          .name = "proto-over-2gb",
                          .severity = Severity::warning,
                          .purpose = "Checks that the message stays well below 2 GiB",
                          .citation = "[ExternalData.md#large-models]",
                          .why = "Protobuf readers stop at 2 GiB, many some MiB before that.",
                          .bad = "a model with 2.1 GiB of initializers in the file",
                          .good = "the same initializers in an external file",
                          .fix = "Move weights to external data",
                          .default_on = false,
                          .check = once([](const ModelScope& m, Sink& out) {
                            std::uint64_t bytes = 0;
                            for (const auto& body : m.bodies) {
                              if (!body->body.graph) continue;
                              for (const TensorView tensor : body->body.graph->initializers()) {
                                for (const TensorField field : tensor.fields())
                                  bytes += tensor.field_size(field);
                              }
                            }
                            if (bytes <= kNearTwoGib) return;
                            out.add(in_model(), "Initializers take {} MiB of the message",
                                    bytes >> 20);
                          })};

const Rule constant_bomb{
    .id = "OCZ005",
    .name = "constant-bomb",
    .severity = Severity::warning,
    .purpose = "Checks that no node makes more than 1 GiB out of constants",
    .citation = "[ShapeInference.md] [ExternalDataSecurity.md]",
    .why = "A few bytes of a file then take all the memory of whoever runs it.",
    .bad = "y = ConstantOfShape (s) with s = {100000, 100000}",
    .good = "y = ConstantOfShape (s) with s = {100, 100}",
    .fix = "Do not run the model of a stranger that does this",
    .default_on = false,
    .needs_inference = true,
    .check = each_node([](const NodeAt& n, Sink& out) {
      if (n.function || !makes_much_of_little(n.node.op_type())) return;
      for (int i = 0; i < n.node.outputs().size(); ++i) {
        if (!n.node.has_output(i)) continue;
        const ValueType* type = n.output_type(i);
        const auto shape = type != nullptr ? type->static_shape() : std::nullopt;
        if (!shape) continue;
        std::uint64_t bits = static_cast<std::uint64_t>(std::max(bits_of(type->elem), 1));
        bool too_large = false;
        for (const std::int64_t d : *shape) {
          too_large =
              too_large || __builtin_mul_overflow(bits, static_cast<std::uint64_t>(d), &bits);
        }
        if (std::ranges::find(*shape, 0) != shape->end()) continue;
        if (!too_large && bits / 8 <= kMemoryBudget) continue;
        out.add(n.output(i), "\"{}\" is {} [{}], {}", n.node.outputs()[i], type->str(),
                fmt::join(*shape, ", "),
                too_large ? "more than any memory" : fmt::format("{} MiB", bits >> 23));
      }
    })};

}  // namespace onnxcompat::rules
