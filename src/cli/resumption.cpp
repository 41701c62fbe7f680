#include "cli/resumption.h"

#include <fmt/format.h>

#include "cli/summary.h"

namespace onnxcompat::cli {

Result<Resumption> Resumption::begin(const BatchOptions& options, const Report& header,
                                     const std::vector<Input>& inputs, const Settings& settings,
                                     const Take& take) {
  Resumption run;
  if (options.resume.empty()) {
    for (std::size_t i = 0; i < inputs.size(); ++i) run.wanted_.push_back(i);
    return run;
  }
  auto journal = Journal::open(options.resume, header.command);
  if (!journal) return std::unexpected(journal.error());
  run.journal_.emplace(*std::move(journal));
  run.stamps_.resize(inputs.size());
  Report carried = header;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    run.stamps_[i] = stamp_of_file(inputs[i].path, settings(i));
    const ModelReport* known = run.journal_->known(inputs[i].path, run.stamps_[i]);
    if (known == nullptr || !take(i, *known)) {
      run.wanted_.push_back(i);
    } else {
      carried.models.push_back(*known);
    }
  }
  if (const std::size_t bad = run.journal_->bad_lines(); bad > 0) {
    fmt::print(stderr, "onnxcompat: warning: {}: {} cannot be read; what they said is done again\n",
               printable(options.resume), plural(static_cast<int>(bad), "line"));
  }
  if (options.verbose) {
    fmt::print(stderr, "onnxcompat: note: {} of {} are in {} already\n", carried.models.size(),
               plural(static_cast<int>(inputs.size()), "model"), printable(options.resume));
  }
  if (const auto begun = run.journal_->begin(carried); !begun) {
    return std::unexpected(begun.error());
  }
  return run;
}

void Resumption::add(std::size_t i, ModelReport& report) {
  if (!journal_) return;
  report.file = stamps_[i];
  const auto added = journal_->append(report);
  if (!added && !trouble_) trouble_ = added.error();
}

Result<void> Resumption::finish(const Report& report) {
  if (!journal_) return {};
  if (trouble_) return std::unexpected(*trouble_);
  return journal_->finish(report);
}

}  // namespace onnxcompat::cli
