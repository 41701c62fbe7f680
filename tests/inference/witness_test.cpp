// Our inference beside libonnx's, on every model there is: ours must know at least as much of each
// value (type, rank, full shape), and every disagreement must be explained here.

#ifdef ONNXCOMPAT_WITNESS_TYPES

#include <fstream>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "inference/infer.h"
#include "support/shared.h"
#include "support/temp_dir.h"

using namespace onnxcompat;
using namespace onnxcompat::test;
using Json = nlohmann::json;

namespace {

/// How much is known: 0 nothing, 1 the type, 2 the rank too, 3 every size too.
int knowledge(bool typed, bool ranked, bool sized) {
  return !typed ? 0 : !ranked ? 1 : !sized ? 2 : 3;
}

int our_knowledge(const ValueType* type) {
  if (type == nullptr) return 0;
  return knowledge(!type->str().empty(), type->rank().has_value(),
                   type->static_shape().has_value());
}

int their_knowledge(const Json& value) {
  const Json& dims = value.at("dims");
  const bool sized = dims.is_array() && std::ranges::all_of(dims, [](const Json& d) {
                       return d.is_number() && d.get<std::int64_t>() >= 0;
                     });
  return knowledge(!value.at("type").get<std::string>().empty(), dims.is_array(), sized);
}

/// libonnx spells a map "map(string,tensor(float))" or "map(string,float)", schemas
/// "map(string, float)".
std::string plain(std::string type) {
  const auto map = type.find("map(");
  if (map == std::string::npos) return type;
  if (const auto at = type.find("tensor(", map); at != std::string::npos) {
    type.erase(type.find(')', at), 1);
    type.erase(at, 7);
  }
  std::erase(type, ' ');
  return type;
}

/// What is different where both know something; "" if nothing is.
std::string difference(const ValueType& ours, const Json& theirs) {
  const std::string type = theirs.at("type");
  if (!type.empty() && !ours.str().empty()) {
    const std::string spelled = plain(ours.str());
    if (spelled != plain(type)) return "type " + spelled + ", theirs " + type;
  }
  const Json& dims = theirs.at("dims");
  if (!dims.is_array() || !ours.shape) return {};
  bool same = dims.size() == ours.shape->size();
  for (std::size_t i = 0; same && i < dims.size(); ++i) {
    const Dim& d = (*ours.shape)[i];
    same = !dims[i].is_number() || !d.value || dims[i].get<std::int64_t>() == *d.value;
  }
  return same ? "" : "shape " + spell(&ours) + ", theirs " + dims.dump();
}

struct Tally {
  std::array<int, 4> ours{};
  std::array<int, 4> assumed{};
  std::array<int, 4> theirs{};
  int files = 0;
  int failed = 0;  ///< of theirs
};

/// Why ours knows less or says something else, by operator.
const std::map<std::string, std::string> kExplained = {
    {"STFT-17", "they make a size of a negative frame length"},
    {"AveragePool-22", "windows that start in the padding are ignored, by the text since 22"},
};

/// The newest opset libonnx 1.12 knows: it takes what is younger for the version it has, and what
/// it then says differs from there on (DequantizeLinear-19 gives more than float…).
constexpr int kTheirNewest = 17;

Tally compare(const std::vector<std::filesystem::path>& files,
              std::map<std::string, int>& unexplained) {
  TempDir folder;
  const auto list = folder.path() / "list";
  const auto output = folder.path() / "output";
  {
    std::ofstream out(list);
    for (const auto& file : files) out << file.string() << "\n";
  }
  const std::string command = fmt::format("'{}' '{}' < '{}' > '{}'", ONNXCOMPAT_WITNESS_TYPES,
                                          folder.path().string(), list.string(), output.string());
  REQUIRE(std::system(command.c_str()) == 0);

  Tally tally;
  std::ifstream in(output);
  std::string line;
  for (std::size_t i = 0; std::getline(in, line); ++i) {
    const Json theirs = Json::parse(line);
    ++tally.files;
    if (theirs.at("error") != "") ++tally.failed;
    const auto model = Model::load(folder.path() / fmt::format("{}.onnx", i));
    if (!model) continue;
    const Inference strict = Inference::run(*model);
    const Inference assumed = Inference::run(*model, {.assume_defaults = true});
    Body body;
    body.model = &*model;
    body.graph = model->graph();
    for (const NodeView node : model->graph().nodes()) {
      for (const std::string& name : node.outputs()) {
        if (name.empty()) continue;
        const ValueType* ours = assumed.type_of(body, name);
        const int known = our_knowledge(ours);
        ++tally.ours[static_cast<std::size_t>(our_knowledge(strict.type_of(body, name)))];
        ++tally.assumed[static_cast<std::size_t>(known)];
        const auto other = theirs.at("values").find(name);
        const bool there = other != theirs.at("values").end();
        const int their = there ? their_knowledge(*other) : 0;
        ++tally.theirs[static_cast<std::size_t>(their)];
        std::string problem;
        if (known < their) problem = fmt::format("we know {}, they {}", known, their);
        const OpSchema* schema =
            find_schema(node.domain(), node.op_type(), body.opset(node.domain()));
        const int since = schema != nullptr ? schema->since_version : 0;
        if (there && ours != nullptr && problem.empty()) {
          problem = difference(*ours, *other);
          if (body.opset("") > kTheirNewest) problem.clear();
        }
        if (problem.empty() || kExplained.contains(fmt::format("{}-{}", node.op_type(), since))) {
          continue;
        }
        const auto& file = files[i];
        ++unexplained[fmt::format("{} opset {}: {} ({} of {})", node.op_type(),
                                  body.opset(node.domain()), problem, name, file.string())];
      }
    }
  }
  CHECK(tally.files == static_cast<int>(files.size()));
  return tally;
}

void report(std::string_view what, const Tally& t, const std::map<std::string, int>& unexplained) {
  const auto row = [](const std::array<int, 4>& n) {
    return fmt::format("{} full shape, {} rank, {} type, {} nothing", n[3], n[2], n[1], n[0]);
  };
  std::string text = fmt::format(
      "{}: {} models ({} fail there)\n  ours: {}\n  ours, defaults assumed: {}\n  theirs: {}\n",
      what, t.files, t.failed, row(t.ours), row(t.assumed), row(t.theirs));
  for (const auto& [problem, count] : unexplained) text += fmt::format("  {}\n", problem);
  fmt::print("{}", text);  // Catch would wrap the lines
  CHECK(unexplained.empty());
}

}  // namespace

TEST_CASE("we infer what libonnx infers, on its own test data") {
  const auto files = files_below(ONNXCOMPAT_WITNESS_DATA, ".onnx");
  if (files.empty()) {
    WARN("skipped: libonnx-testdata is not installed");
    return;
  }
  std::map<std::string, int> unexplained;
  report("libonnx-testdata", compare(files, unexplained), unexplained);
}

TEST_CASE("we infer what libonnx infers, on real models") {
  const auto shared = shared_folder();
  const auto files = shared.empty() ? files_below("", "") : files_below(shared / "models", ".onnx");
  if (files.empty()) {
    WARN("skipped: no shared models (ONNXCOMPAT_SHARED)");
    return;
  }
  std::map<std::string, int> unexplained;
  report("real models", compare(files, unexplained), unexplained);
}

#endif
