#pragma once

// Runs a model: nodes in order, values freed after their last use, subgraphs with captures,
// model-local functions, budgets.

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "executor/kernel.h"
#include "model/model.h"

namespace onnxcompat::executor {

struct RunOptions {
  std::uint64_t seed = 0;                                ///< for random operators without a seed
  std::uint64_t memory_budget = std::uint64_t{8} << 30;  ///< bytes alive at one time
  std::int64_t node_budget = 50'000'000;  ///< node executions, with loops and spend()
  int threads = 0;                        ///< 0 = as many as the machine has
  /// Weights that cannot be read where they lie in the file are copied; keep the copies from run to
  /// run? They then count as in use.
  bool keep_weights = false;
  /// Called with every value as it is produced (path of the body, name, value); for traces and for
  /// finding the first difference.
  std::function<void(const std::string& body, const std::string& name, const Value&)> trace;
};

/// A kernel that a model needs and that is missing: the named reason why it cannot run.
struct MissingKernel {
  std::string domain;
  std::string op;
  int since_version = 0;  ///< 0 where the operator itself is unknown
  std::string path;       ///< first node that needs it
};

using NamedValues = std::map<std::string, Value, std::less<>>;

/// A model made ready to run. Keeps a reference to it: the model must outlive it, unchanged.
class Executor {
 public:
  /// Errors: the model is not runnable at all (undefined values, external data outside its
  /// folder…). Missing kernels are not an error here; see missing_kernels().
  static Result<Executor> prepare(const Model& model, RunOptions options = {});
  Executor(Executor&&) noexcept;
  Executor& operator=(Executor&&) noexcept;
  ~Executor();

  const std::vector<MissingKernel>& missing_kernels() const;

  /// Graph outputs in order. Inputs with an initializer may be left out. Errors name the node.
  Result<std::vector<Value>> run(const NamedValues& inputs);

 private:
  struct Impl;
  explicit Executor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// What kernels of control flow need of the running model.
class Runner {
 public:
  virtual ~Runner() = default;
  /// Runs a subgraph of the current node with its formal inputs bound in order; names of enclosing
  /// scopes are visible. Returns its outputs in order.
  virtual Result<std::vector<Value>> run_graph(const GraphView& graph,
                                               std::vector<Value> inputs) = 0;
  /// The attribute that a function's parameter stands for in the current call; nullopt if unbound.
  virtual std::optional<AttributeView> resolve_reference(std::string_view name) const = 0;
  /// Bytes of a tensor of the model as a value (weights are read from the mapping).
  virtual Result<Tensor> load(const TensorView& tensor) const = 0;
  /// The same of a sparse tensor, as a dense one.
  virtual Result<Tensor> load(const SparseTensorView& sparse) const = 0;
  /// Counts work that one execution of a node does not tell, in executions; ExitCode::limit past
  /// the budget.
  virtual Status spend(std::int64_t executions) = 0;
  /// Would that many bytes more be within the budget? ExitCode::limit if not.
  virtual Status reserve(std::uint64_t bytes) = 0;
  /// The same, and the bytes count as in use until the charge is gone.
  virtual Result<std::shared_ptr<const void>> charge(std::uint64_t bytes) = 0;
  /// Random numbers for a node: seeded by its own seed attribute or by the run's seed and its
  /// place.
  virtual std::mt19937_64 random_engine(const KernelContext& context) = 0;
  virtual int threads() const = 0;
};

}  // namespace onnxcompat::executor
