#include "checker/examination.h"

#include "checker/scope.h"
#include "inference/inference.h"

namespace onnxcompat {

Examination::Examination(const Model& model) : scope_(std::make_unique<ModelScope>(model)) {}
Examination::~Examination() = default;

const Inference& Examination::inference(bool assume_defaults) {
  std::unique_ptr<Inference>& kept = assume_defaults ? assumed_ : inferred_;
  if (!kept) {
    kept = std::make_unique<Inference>(
        Inference::run(scope_->model, {.assume_defaults = assume_defaults}));
  }
  return *kept;
}

CheckReport run_checks(const Model& model, const CheckOptions& options) {
  return Examination(model).run_checks(options);
}

std::vector<Finding> check(const Model& model, const CheckOptions& options) {
  return run_checks(model, options).findings;
}

TargetVerdict check_target(const Model& model, const Target& target, const TargetOptions& options) {
  return std::move(check_targets(model, {&target, 1}, options).front());
}

std::vector<TargetVerdict> check_targets(const Model& model, std::span<const Target> targets,
                                         const TargetOptions& options) {
  return Examination(model).check_targets(targets, options);
}

ModelNeeds needs_of(const Model& model) { return Examination(model).needs(); }

}  // namespace onnxcompat
