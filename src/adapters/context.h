#pragma once

// What a conversion knows while it goes on: names, types and constants of the source model and of
// the values that adapters have added. Everything is indexed once and on first use.

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "adapters/convert.h"
#include "inference/inference.h"
#include "model/edit.h"
#include "model/walk.h"

namespace onnxcompat::adapters {

/// A value known at conversion time.
class Constant {
 public:
  explicit Constant(TensorView tensor) : tensor_(tensor) {}
  explicit Constant(std::shared_ptr<const TensorLiteral> literal) : literal_(std::move(literal)) {}

  DataType type() const { return literal_ ? literal_->type : tensor_->data_type(); }
  std::vector<std::int64_t> dims() const;
  std::int64_t count() const;
  std::optional<std::vector<std::int64_t>> ints() const;  ///< nullopt if not integers
  std::optional<std::vector<double>> doubles() const;     ///< nullopt if not numbers
  std::optional<TensorLiteral> literal() const;

 private:
  std::optional<TensorView> tensor_;
  std::shared_ptr<const TensorLiteral> literal_;
};

/// State of one conversion, shared by all bodies.
class Context {
 public:
  Context(const Model& model, const ConversionRequest& conversion_request)
      : source(model), request(conversion_request) {}

  const Model& source;
  const ConversionRequest& request;
  std::vector<ConversionStep> steps;
  std::vector<Finding> blockers;
  std::vector<Finding> notes;

  const Inference& inference();
  /// A name that no value and no node of the model has; the same base gives base, base_1, …
  std::string fresh_name(std::string_view base);
  /// Facts about values that adapters add (their names are unique in the model).
  void add_type(const std::string& value, ValueType type);
  const ValueType* added_type(std::string_view value) const;
  void add_constant(const std::string& value, TensorLiteral literal);
  std::shared_ptr<const TensorLiteral> added_constant(std::string_view value) const;
  /// Could a value of the model have this type ("tensor(bfloat16)")? Element types that nothing in
  /// the model mentions cannot come up.
  bool may_occur(std::string_view type);
  /// The function that a node calls, if it is a call.
  bool is_function_call(const NodeView& node) const;

 private:
  void collect_names();
  void collect_types();
  std::optional<Inference> inference_;
  std::optional<std::unordered_set<std::string>> names_;
  std::unordered_map<std::string, int> next_suffix_;
  std::unordered_map<std::string, ValueType> types_;
  std::unordered_map<std::string, std::shared_ptr<const TensorLiteral>> constants_;
  std::optional<std::set<std::string, std::less<>>> mentioned_;
};

/// Opset versions in force within one root body (main graph, training graph or function), and what
/// was folded or is used there.
struct Root {
  Root(const Body& source, BodyEditor result) : body(&source), editor(result) {}

  const Body* body = nullptr;  ///< the root in the source model
  BodyEditor editor;           ///< and in the result
  std::vector<DomainVersion> targets;
  std::vector<std::pair<std::string, TensorLiteral>>
      hoisted;                             ///< constants that became initializers
  std::unordered_set<std::string> folded;  ///< constants whose value moved into an attribute
  /// Blockers about constants and sequences, void where every reader folded the value.
  std::vector<std::pair<std::string, Finding>> deferred;
  /// Sequences whose nodes are gone, and the values that they held.
  std::unordered_map<std::string, std::vector<std::string>> sequences;
  std::vector<DomainVersion> added_imports;
  std::optional<std::unordered_map<std::string_view, int>> uses;
  std::size_t held = 0;             ///< in all of `sequences`
  std::optional<NodeView> current;  ///< the node of the source model that is being converted
  /// What is written for it computes, in 64 bits, with places and sizes only.
  bool only_places = false;
  /// But for its data that may have 64 bits, and what was made of those (wide_data.h).
  std::unordered_set<std::string> wide_data;
  /// Inputs of bodies that adapters wrote, but for those that are made of such data.
  std::unordered_set<std::string> place_inputs;
  /// One of those got such data.
  bool data_among_places = false;

  int target(std::string_view domain) const;
};

/// Visits the bodies of a model that are in no node: the main graph, the graphs of its training,
/// and its functions (by their number; else -1). `edit` gives the body's place in a copy of the
/// model, which from then on counts as changed.
void each_root(const Model& model, Model& copy,
               const std::function<void(const Body&, const std::function<BodyEditor()>& edit,
                                        int function)>& visit);

/// One body on the way: the main graph, a function, a subgraph.
class Scope {
 public:
  Scope(Context& context, Root& root, const Body& body, const Scope* outer)
      : context_(context), root_(root), body_(body), outer_(outer) {}

  Context& context() const { return context_; }
  Root& root() const { return root_; }
  const Body& body() const { return body_; }

  /// What is known of a value seen from here; null if nothing.
  const ValueType* type(std::string_view value) const;
  /// The value of a constant: an initializer that no input overrides, or a Constant node, here or
  /// in an enclosing body; or one that an adapter added.
  std::optional<Constant> constant(std::string_view value) const;
  /// Likewise as integers; also what follows from known shapes.
  std::optional<std::vector<std::int64_t>> ints(std::string_view value) const;
  /// How often the source model's root body and its subgraphs read the value.
  int uses(std::string_view value) const;

 private:
  struct Source {
    std::optional<TensorView> tensor;
    std::optional<NodeView> node;
    bool known() const { return tensor || node; }
  };
  const std::unordered_map<std::string_view, Source>& sources() const;
  Context& context_;
  Root& root_;
  const Body& body_;
  const Scope* outer_;
  mutable std::optional<std::unordered_map<std::string_view, Source>> sources_;
};

/// Removes the constants of a root that were folded and that nothing reads any more; returns their
/// names.
std::unordered_set<std::string> prune(const Context& context, Root& root);

}  // namespace onnxcompat::adapters
