#include <fmt/format.h>

#include "report/report.h"

// JUnit XML: a model is a test suite; that it is valid, and that each target takes it, are its test
// cases.

namespace onnxcompat {
namespace {

/// Text for XML 1.0, which has no way to write control characters or the two non-characters.
std::string xml(std::string_view raw) {
  std::string out;
  const std::string text = printable(raw);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = std::string_view(text).substr(i);
    if (rest.starts_with("\xef\xbf\xbe") || rest.starts_with("\xef\xbf\xbf")) {
      out += rest[2] == '\xbe' ? "\\ufffe" : "\\uffff";
      i += 2;
      continue;
    }
    switch (text[i]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&apos;";
        break;
      default:
        out += text[i];
    }
  }
  return out;
}

struct Case {
  std::string name;
  std::string failure;  ///< its first line is the message; empty: passed
  std::string error;    ///< it could not be run
  std::string output;   ///< what is worth knowing of one that passed
};

/// Line breaks of a name are escaped here, before the text is taken apart at ours.
void append_finding(std::string& text, const Finding& finding) {
  text += fmt::format("{} {} {}: {}\n", name_of(finding.severity), printable(finding.rule),
                      finding.name, printable(finding.message));
  if (!finding.location.path.empty()) {
    text += fmt::format("  at {}\n", printable(finding.location.path));
  }
  if (!finding.hint.empty()) text += fmt::format("  help: {}\n", printable(finding.hint));
}

std::vector<Case> cases_of(const ModelReport& model) {
  std::vector<Case> cases;
  Case valid{"valid", {}, {}, {}};
  if (!is_judged(model)) valid.error = printable(model.error);
  std::string& told = model.verdict == "invalid" ? valid.failure : valid.output;
  for (const Finding& finding : model.findings) append_finding(told, finding);
  cases.push_back(std::move(valid));
  for (const TargetReport& target : model.targets) {
    Case one{"target " + target.target, {}, {}, {}};
    std::string& why = target.compatible ? one.output : one.failure;
    for (const Finding& finding : target.blockers) append_finding(why, finding);
    if (target.convertible) why += printable(target.convert_note) + "\n";
    cases.push_back(std::move(one));
  }
  if (model.conversion) {
    Case one{"convert to " + model.conversion->to, {}, {}, {}};
    for (const Finding& finding : model.conversion->blockers) append_finding(one.failure, finding);
    cases.push_back(std::move(one));
  }
  const auto proof_case = [&](std::string name, const ProofReport& proof) {
    Case one{std::move(name), {}, {}, {}};
    (proof.verdict == "differs" ? one.failure : one.output) =
        fmt::format("{} {}\n", proof.verdict, printable(proof.reason));
    cases.push_back(std::move(one));
  };
  if (model.conversion && model.conversion->proof) proof_case("proof", *model.conversion->proof);
  if (model.comparison) proof_case("comparison", *model.comparison);
  return cases;
}

/// Escapes text of several lines: the line breaks are ours, the lines are not.
std::string xml_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += xml(text.substr(0, end));
    if (end < text.size()) out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string write_junit(const Report& report, const FormatOptions&) {
  int tests = 0;
  int failures = 0;
  int errors = 0;
  std::string suites;
  for (const ModelReport& model : report.models) {
    const std::vector<Case> cases = cases_of(model);
    int failed = 0;
    int broken = 0;
    std::string body;
    for (const Case& one : cases) {
      body +=
          fmt::format("    <testcase classname=\"{}\" name=\"{}\"", xml(model.path), xml(one.name));
      if (one.failure.empty() && one.error.empty() && one.output.empty()) {
        body += "/>\n";
        continue;
      }
      body += ">\n";
      if (!one.error.empty()) {
        ++broken;
        body += fmt::format("      <error message=\"{}\"/>\n", xml(first_line(one.error)));
      } else if (!one.failure.empty()) {
        ++failed;
        body += fmt::format("      <failure message=\"{}\">{}</failure>\n",
                            xml(first_line(one.failure)), xml_lines(one.failure));
      } else {
        body += fmt::format("      <system-out>{}</system-out>\n", xml_lines(one.output));
      }
      body += "    </testcase>\n";
    }
    suites += fmt::format(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\">\n{}"
        "  </testsuite>\n",
        xml(model.path), cases.size(), failed, broken, body);
    tests += static_cast<int>(cases.size());
    failures += failed;
    errors += broken;
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites name=\"onnxcompat {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n{}"
      "</testsuites>\n",
      xml(report.command), tests, failures, errors, suites);
}

}  // namespace

extern const ReportFormat junit_format;
const ReportFormat junit_format{"junit", "JUnit XML, for test reports", write_junit};

}  // namespace onnxcompat
