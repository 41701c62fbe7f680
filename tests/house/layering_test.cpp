#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "support/catch.h"

// The shape of the house: who may include whom, and that every plug-in folder and its list agree.

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

const fs::path kSource = fs::path(ONNXCOMPAT_SOURCE_DIR) / "src";

/// What a module may include besides itself. Dependencies only point down; checker, adapters and
/// executor are strangers to each other.
const std::map<std::string, Names> kMayInclude = {
    {"libraries", {}},
    {"support", {}},
    {"finding", {}},
    {"versiontable", {"support"}},
    {"model", {"versiontable", "finding", "support"}},
    {"inference", {"model", "versiontable", "finding", "support"}},
    {"checker", {"inference", "model", "versiontable", "finding", "support"}},
    {"adapters", {"inference", "model", "versiontable", "finding", "support"}},
    {"executor", {"inference", "model", "versiontable", "finding", "support"}},
    {"report", {"finding", "versiontable", "support"}},
    {"cli",
     {"report", "executor", "adapters", "checker", "inference", "model", "versiontable", "finding",
      "support"}},
};

std::string read(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> files_below(const fs::path& folder, const Names& endings) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (endings.contains(entry.path().extension())) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    out.push_back((*it)[1]);
  }
  return out;
}

std::string module_of(const fs::path& file) {
  return fs::relative(file, kSource).begin()->string();
}

}  // namespace

TEST_CASE("dependencies only point down") {
  const std::regex include(R"(^\s*#\s*include\s*"([^"]+)\")", std::regex::multiline);
  int seen = 0;
  for (const fs::path& file : files_below(kSource, {".h", ".cpp", ".inc"})) {
    const std::string module = module_of(file);
    INFO(file.string());
    REQUIRE(kMayInclude.contains(module));
    for (const std::string& name : matches(read(file), include)) {
      if (name.starts_with("proto/")) continue;  // the next test's business
      const std::string to = name.substr(0, name.find('/'));
      INFO("includes " << name);
      CHECK((to == module || kMayInclude.at(module).contains(to)));
      ++seen;
    }
  }
  CHECK(seen > 100);
}

TEST_CASE("only the model module sees protobuf") {
  const std::regex protobuf(R"(^\s*#\s*include\s*["<]((?:proto/|google/protobuf)[^">]*)[">])",
                            std::regex::multiline);
  bool model_does = false;
  for (const fs::path& file : files_below(kSource, {".h", ".cpp", ".inc"})) {
    INFO(file.string());
    const bool uses = !matches(read(file), protobuf).empty();
    if (module_of(file) == "model") {
      model_does = model_does || uses;
    } else {
      CHECK_FALSE(uses);
    }
  }
  CHECK(model_does);
}

TEST_CASE("every module folder is in the table") {
  for (const auto& entry : fs::directory_iterator(kSource)) {
    INFO(entry.path().string());
    CHECK((!entry.is_directory() || kMayInclude.contains(entry.path().filename())));
  }
}

TEST_CASE("lists and plug-in folders agree") {
  struct Plugin {
    fs::path list;
    fs::path folder;
    Names not_plugins;  // other sources of the folder
  };
  const std::vector<Plugin> plugins = {
      {"cli/commands.inc", "cli", {"main", "output", "prove", "summary"}},
      {"report/formats.inc", "report", {"report"}},
      {"executor/kernels.inc", "executor/kernels", {}},
      {"adapters/families.inc", "adapters/ops", {}},
  };
  const std::regex row(R"(^X\((\w+)\))", std::regex::multiline);
  for (const Plugin& plugin : plugins) {
    INFO(plugin.list.string());
    const auto listed_rows = matches(read(kSource / plugin.list), row);
    const Names listed(listed_rows.begin(), listed_rows.end());
    CHECK(listed.size() == listed_rows.size());
    CHECK_FALSE(listed.empty());
    for (const std::string& name : listed) {
      INFO("listed: " << name);
      CHECK(fs::exists(kSource / plugin.folder / (name + ".cpp")));
    }
    // A file that defines what a row names must be listed; helpers beside it define no row.
    for (const auto& entry : fs::directory_iterator(kSource / plugin.folder)) {
      if (entry.path().extension() != ".cpp") continue;
      const std::string stem = entry.path().stem();
      const std::string text = read(entry.path());
      const bool defines_row =
          text.find(stem + "_command{") != std::string::npos ||
          text.find(stem + "_format{") != std::string::npos ||
          std::regex_search(text, std::regex("\\b" + stem + "_kernels\\(\\)\\s*\\{")) ||
          std::regex_search(text, std::regex("\\bregister_" + stem + "\\("));
      INFO("file: " << stem);
      CHECK((!defines_row || listed.contains(stem) || plugin.not_plugins.contains(stem)));
    }
  }
}
