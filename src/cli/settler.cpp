#include "cli/settler.h"

#include <utility>

#include <fmt/format.h>

namespace onnxcompat::cli {

Result<Settler> Settler::create(std::string baseline, bool update) {
  Settler settler;
  settler.file_ = std::move(baseline);
  settler.updating_ = update;
  if (settler.file_.empty()) return settler;
  auto read = Baseline::read(settler.file_, update);
  if (!read) return std::unexpected(read.error());
  settler.baseline_ = *std::move(read);
  return settler;
}

void Settler::settle(ModelReport& report, const Config& config) {
  if (!config.file.empty()) apply_config(report, config, today_, expired_);
  if (baseline_ && !updating_) baseline_->apply(report);
}

Result<void> Settler::finish(std::vector<ModelReport>& reports) {
  for (const Suppression* one : expired_) {
    fmt::print(stderr, "onnxcompat: warning: the suppression of {} expired on {}: {}\n",
               printable(one->rule), one->expires, printable(one->reason));
  }
  if (!updating_ || !baseline_) return {};
  for (const ModelReport& report : reports) baseline_->update(report);
  if (const auto written = baseline_->write(file_); !written) return written;
  for (ModelReport& report : reports) baseline_->apply(report);
  return {};
}

}  // namespace onnxcompat::cli
