#include "checker/rule.h"

namespace onnxcompat {

Finding make_finding(const Rule& rule, const Place& place, std::string message, std::string hint) {
  Finding finding;
  finding.rule = rule.id;
  finding.upstream = rule.upstream;
  finding.name = rule.name;
  finding.severity = rule.severity;
  finding.message = std::move(message);
  finding.location = place.location();
  finding.hint = hint.empty() ? std::string(rule.fix) : std::move(hint);
  return finding;
}

Sink::Added& Sink::Added::as(Severity severity) {
  if (finding_ != nullptr) finding_->severity = severity;
  return *this;
}

void Sink::Added::set_hint(std::string text) { finding_->hint = std::move(text); }

bool Sink::full() {
  if (*count_ < cap_) return false;
  ++omitted_;
  return true;
}

Sink::Added Sink::keep(const Place& place, std::string message) {
  ++*count_;
  Finding finding = make_finding(*rule_, place, std::move(message));
  finding.severity = severity_;
  entries_.push_back({place.order(), std::move(finding), rule_, place.body, place.node});
  return Added(&entries_.back().finding);
}

}  // namespace onnxcompat
