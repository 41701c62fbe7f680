#include "checker/rule.h"
#include "checker/spelling.h"

namespace onnxcompat {

Finding make_finding(const Rule& rule, const Place& place, std::string message, std::string hint) {
  Finding finding;
  finding.rule = rule.id;
  finding.name = rule.name;
  finding.severity = rule.severity;
  finding.message = printable(std::move(message));
  finding.location = place.location();
  for (std::string* text :
       {&finding.location.path, &finding.location.graph, &finding.location.node_name,
        &finding.location.op_type, &finding.location.attribute, &finding.location.value}) {
    *text = printable(std::move(*text));
  }
  finding.hint = hint.empty() ? std::string(rule.fix) : printable(std::move(hint));
  return finding;
}

Sink::Added& Sink::Added::as(Severity severity) {
  if (finding_ != nullptr) finding_->severity = severity;
  return *this;
}

void Sink::Added::set_hint(std::string text) { finding_->hint = printable(std::move(text)); }

bool Sink::full() {
  if (*count_ < cap_) return false;
  ++omitted_;
  return true;
}

Sink::Added Sink::keep(const Place& place, std::string message) {
  ++*count_;
  Finding finding = make_finding(*rule_, place, std::move(message));
  finding.severity = severity_;
  entries_.push_back({place.order(), std::move(finding)});
  return Added(&entries_.back().finding);
}

}  // namespace onnxcompat
