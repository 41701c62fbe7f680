#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "checker/scope.h"
#include "finding/finding.h"

namespace onnxcompat {

class Sink;

using ModelCheck = void (*)(const ModelScope&, Sink&);
using BodyCheck = void (*)(const BodyScope&, Sink&);
using NodeCheck = void (*)(const NodeAt&, Sink&);
using AttributeCheck = void (*)(const AttributeAt&, Sink&);
using ValueCheck = void (*)(const ValueAt&, Sink&);
using TypeCheck = void (*)(const TypeAt&, Sink&);
using TensorCheck = void (*)(const TensorAt&, Sink&);
using SparseTensorCheck = void (*)(const SparseTensorAt&, Sink&);

/// What the rule's findings come from: nothing (another module makes them), or a check that is
/// called for the model or for each thing of one kind.
using Check = std::variant<std::monostate, ModelCheck, BodyCheck, NodeCheck, AttributeCheck,
                           ValueCheck, TypeCheck, TensorCheck, SparseTensorCheck>;

// The lifting functions: they say what a condition is about, and the engine does the walking.
constexpr Check once(ModelCheck check) { return check; }
/// Every graph, subgraph, training graph and function.
constexpr Check each_body(BodyCheck check) { return check; }
constexpr Check each_node(NodeCheck check) { return check; }
/// Every attribute of every node.
constexpr Check each_attribute(AttributeCheck check) { return check; }
/// Every input, output and value_info entry of every body.
constexpr Check each_value(ValueCheck check) { return check; }
/// Every type of those, and of TYPE_PROTO attributes.
constexpr Check each_type(TypeCheck check) { return check; }
/// Every tensor: initializers, attributes, values and indices of sparse tensors.
constexpr Check each_tensor(TensorCheck check) { return check; }
constexpr Check each_sparse_tensor(SparseTensorCheck check) { return check; }

inline constexpr int kAnyIr = std::numeric_limits<int>::max();

/// One rule: what it is called, what it says and what it does. Everything the program prints about
/// rules (lists, explanations, docs/rules.md) is made of these records.
struct Rule {
  std::string_view id = {};    ///< stable, never reused: "OCG017"
  std::string_view name = {};  ///< describes the fault: "undefined-value"
  Severity severity = Severity::error;
  /// Ids, separated by spaces: where one of those has a finding at the same node this rule is
  /// quiet, as the cause is the same.
  std::string_view yields_to = {};
  int min_ir = 1;  ///< IR versions in which the rule holds
  int max_ir = kAnyIr;
  std::string_view purpose = {};   ///< one sentence: "Checks that …"
  std::string_view citation = {};  ///< greppable: "[IR.md#nodes]"
  std::string_view upstream = {};  ///< the code of the nearest onnx-doctor rule, or empty
  std::string_view why = {};
  std::string_view bad = {};  ///< an example, in ONNX text where that can say it
  std::string_view good = {};
  std::string_view fix = {};  ///< what helps; the hint of findings that have none of their own
  bool default_on = true;
  bool needs_inference = false;
  bool reads_weights = false;  ///< all bytes of them: worth a thread where other rules are not
  Check check = {};
};

/// Collects what rules find. A rule adds a place and a message; id, severity and path come from
/// here. Names of the model are passed on as they are: reports make them printable.
class Sink {
 public:
  /// A finding on its way: lets a rule add a hint of its own or lower the severity.
  class Added {
   public:
    explicit Added(Finding* finding) : finding_(finding) {}
    template <class... Args>
    Added& hint(fmt::format_string<Args...> format, Args&&... args) {
      if (finding_ != nullptr) set_hint(fmt::format(format, std::forward<Args>(args)...));
      return *this;
    }
    Added& as(Severity severity);

   private:
    void set_hint(std::string text);
    Finding* finding_;
  };

  struct Entry {
    std::vector<int> order;
    Finding finding;
    const Rule* rule = nullptr;
    const BodyScope* body = nullptr;
    int node = -1;
  };

  /// At most `cap` findings of each rule are kept; the rest are counted.
  explicit Sink(std::size_t cap = std::numeric_limits<std::size_t>::max()) : cap_(cap) {}

  template <class... Args>
  Added add(const Place& place, fmt::format_string<Args...> format, Args&&... args) {
    if (full()) return Added(nullptr);
    return keep(place, fmt::format(format, std::forward<Args>(args)...));
  }

  /// The rule whose findings follow, and how grave they are.
  void begin(const Rule& rule, Severity severity, std::size_t* count) {
    rule_ = &rule;
    severity_ = severity;
    count_ = count;
  }
  std::vector<Entry>& entries() { return entries_; }
  std::size_t omitted() const { return omitted_; }

 private:
  bool full();
  Added keep(const Place& place, std::string message);

  const Rule* rule_ = nullptr;
  Severity severity_ = Severity::error;
  std::size_t* count_ = nullptr;
  std::size_t cap_;
  std::size_t omitted_ = 0;
  std::vector<Entry> entries_;
};

/// The finding that a rule makes of a place and a message, outside the engine.
Finding make_finding(const Rule& rule, const Place& place, std::string message,
                     std::string hint = {});

}  // namespace onnxcompat
