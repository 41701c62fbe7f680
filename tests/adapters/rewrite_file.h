#pragma once

// testdata/adapters/*.onnxtxt: models, and what the converter makes of them.
//
//   --- name of the case (opset 12)
//   g (float[2,3] x) => (float[2,3] y) { y = Softmax <axis = 1> (x) }
//   --- opset 13
//   …the converted graph, as the printer prints it
//   --- opset 9 refused
//   a piece of every reason
//
// After the opset other domains may follow: `(opset 13, ai.onnx.ml 2, ir 8, strict, allow-loss)`.
// `not-run` marks a conversion to one side of a case where the texts and what runtimes do part, and
// the executor is on the other side.
// A line starting with # is a comment. A file that starts its model with `<` gives its own header.
// The environment variable ONNXCOMPAT_BLESS writes what the converter makes into the files.

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "adapters/convert.h"

namespace onnxcompat::test {

/// `opset 13, ai.onnx.ml 2, ir 8`
struct Versions {
  std::vector<DomainVersion> opsets;
  int ir = 0;
  ConversionOptions options;
  bool not_run = false;

  static Versions parse(std::string_view text) {
    Versions versions;
    std::istringstream parts{std::string(text)};
    std::string part;
    while (std::getline(parts, part, ',')) {
      std::istringstream words(part);
      std::string name;
      int number = 0;
      words >> name >> number;
      if (name == "opset") {
        versions.opsets.push_back({"", number});
      } else if (name == "ir") {
        versions.ir = number;
      } else if (name == "strict") {
        versions.options.strict_text = true;
      } else if (name == "not-run") {
        versions.not_run = true;
      } else if (name == "allow-loss") {
        versions.options.allow_loss = true;
      } else {
        versions.opsets.push_back({name, number});
      }
    }
    return versions;
  }
};

struct Outcome {
  std::string title;  ///< the line after `--- `, without "refused"
  Versions versions;
  bool refused = false;
  std::string text;  ///< expected graph, or pieces of reasons, one a line
};

struct Case {
  std::string title;
  std::string name;
  Versions versions;
  std::string text;
  std::vector<Outcome> outcomes;
};

struct RewriteFile {
  std::filesystem::path path;
  std::string comments;  ///< before the first case
  std::vector<Case> cases;

  static RewriteFile read(const std::filesystem::path& path) {
    RewriteFile file{path, {}, {}};
    std::ifstream in(path);
    std::string line;
    std::string* text = &file.comments;
    while (std::getline(in, line)) {
      if (!line.starts_with("--- ")) {
        *text += line + "\n";
        continue;
      }
      const std::string title = line.substr(4);
      const auto open = title.rfind('(');
      if (open != std::string::npos) {
        file.cases.push_back({title,
                              title.substr(0, open - 1),
                              Versions::parse(title.substr(open + 1, title.size() - open - 2)),
                              {},
                              {}});
        text = &file.cases.back().text;
        continue;
      }
      Outcome outcome;
      outcome.refused = title.ends_with(" refused");
      outcome.title = outcome.refused ? title.substr(0, title.size() - 8) : title;
      outcome.versions = Versions::parse(outcome.title);
      file.cases.back().outcomes.push_back(std::move(outcome));
      text = &file.cases.back().outcomes.back().text;
    }
    return file;
  }

  void write() const {
    std::ofstream out(path);
    out << comments;
    for (const Case& c : cases) {
      out << "--- " << c.title << "\n" << c.text;
      for (const Outcome& o : c.outcomes) {
        out << "--- " << o.title << (o.refused ? " refused" : "") << "\n" << o.text;
      }
    }
  }
};

/// The model of a case: the text with a header of its opsets, unless it has its own.
inline std::string with_header(const Case& c) {
  std::string body;
  std::istringstream lines(c.text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("#")) body += line + "\n";
  }
  if (body.starts_with("<")) return body;
  std::string imports;
  int opset = 0;
  for (const DomainVersion& d : c.versions.opsets) {
    if (d.domain.empty()) opset = d.version;
    imports +=
        (imports.empty() ? "" : ", ") + ("\"" + d.domain + "\" : ") + std::to_string(d.version);
  }
  const int ir = c.versions.ir != 0 ? c.versions.ir : std::max(8, ir_version_for_opset("", opset));
  return "<ir_version: " + std::to_string(ir) + ", opset_import: [" + imports + "]>\n" + body;
}

}  // namespace onnxcompat::test
