#include "checker/examination.h"

#include "checker/scope.h"
#include "inference/inference.h"
#include "support/parallel.h"

namespace onnxcompat {

Examination::Examination(const Model& model) : model_(model) {}
Examination::~Examination() = default;

ModelScope& Examination::scope() {
  if (!scope_) scope_ = std::make_unique<ModelScope>(model_);
  return *scope_;
}

const Inference& Examination::inference(bool assume_defaults) {
  std::unique_ptr<Inference>& kept = assume_defaults ? assumed_ : inferred_;
  if (!kept) {
    kept =
        std::make_unique<Inference>(Inference::run(model_, {.assume_defaults = assume_defaults}));
  }
  return *kept;
}

void Examination::prepare(bool assume_defaults, unsigned threads,
                          const std::function<void(ModelScope&)>& meanwhile) {
  constexpr int kWorthAThread = 1000;  // nodes
  const bool is_large = model_.has_graph() && model_.graph().nodes().size() >= kWorthAThread;
  if (threads < 2 || !is_large) {
    inference(assume_defaults);
    return;
  }
  run_parallel(2, 2, [&](std::size_t i) {
    if (i == 0) {
      inference(assume_defaults);
    } else {
      meanwhile(scope());
    }
  });
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
