#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "checker/checker.h"
#include "checker/target.h"
#include "model/model.h"

namespace onnxcompat {

class Inference;
struct ModelScope;

/// A model under examination: indexed and inferred once, when first needed, for all that is asked
/// about it. The free
/// functions of checker.h and target.h are examinations with one question.
class Examination {
 public:
  /// The model has to outlive the examination, unchanged.
  explicit Examination(const Model& model);
  ~Examination();
  Examination(const Examination&) = delete;
  Examination& operator=(const Examination&) = delete;

  CheckReport run_checks(const CheckOptions& options = {});
  /// One verdict for each target.
  std::vector<TargetVerdict> check_targets(std::span<const Target> targets,
                                           const TargetOptions& options = {});
  ModelNeeds needs();

 private:
  ModelScope& scope();
  const Inference& inference(bool assume_defaults);
  /// The inference, and the scope in another thread where the model is worth one; `meanwhile` is
  /// called there as well, with the scope, and nowhere else.
  void prepare(bool assume_defaults, unsigned threads,
               const std::function<void(ModelScope&)>& meanwhile);

  const Model& model_;
  std::unique_ptr<ModelScope> scope_;
  std::unique_ptr<Inference> inferred_;  ///< from what is bound for certain
  std::unique_ptr<Inference> assumed_;   ///< with overridable defaults taken for what is meant
};

}  // namespace onnxcompat
