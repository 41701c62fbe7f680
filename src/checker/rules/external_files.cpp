// Rules that look at external files as a whole: each file once, however many tensors it holds.

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "checker/rules.h"
#include "checker/rules/external_tensor.h"
#include "support/sha1.h"
#include "support/strings.h"

namespace onnxcompat::rules {
namespace {

/// Calls `visit(tensor, place)` for every external initializer of every graph.
template <class Visit>
void each_external(const ModelScope& m, Visit visit) {
  for (const auto& body : m.bodies) {
    if (!body->body.graph) continue;
    const auto tensors = body->body.graph->initializers();
    for (int i = 0; i < tensors.size(); ++i) {
      if (!tensors[i].is_external()) continue;
      visit(TensorAt{m, tensors[i], TensorAt::Role::initializer,
                     in_body(*body, Section::initializer, i, tensors[i].name())});
    }
  }
}

std::string entry_of(const TensorView& tensor, std::string_view key) {
  for (const EntryView entry : tensor.external_data()) {
    if (entry.key() == key) return entry.value();
  }
  return {};
}

std::string sha1_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  Sha1 hash;
  std::vector<char> buffer(1 << 16);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0) {
    hash.add(std::as_bytes(std::span(buffer)).first(static_cast<std::size_t>(in.gcount())));
  }
  return hash.hex();
}

/// The files that a model's initializers are in, as its tensors name them.
std::set<std::string> locations_of(const Model& model) {
  std::set<std::string> out;
  each_body(model, [&](const Body& body) {
    if (!body.graph) return;
    for (const TensorView tensor : body.graph->initializers()) {
      if (tensor.is_external()) out.insert(entry_of(tensor, "location"));
    }
  });
  return out;
}

/// Other models in the folder, at most so many: a folder may be anything.
std::vector<std::filesystem::path> neighbours_of(const std::filesystem::path& model) {
  static constexpr std::size_t kMost = 64;
  std::vector<std::filesystem::path> out;
  std::error_code error;
  const auto folder =
      model.parent_path().empty() ? std::filesystem::path(".") : model.parent_path();
  for (auto at = std::filesystem::directory_iterator(folder, error);
       !error && at != std::filesystem::directory_iterator() && out.size() < kMost;
       at.increment(error)) {
    const auto ending = at->path().extension();
    if (ending != ".onnx" && ending != ".textproto") continue;
    if (at->path().filename() != model.filename()) out.push_back(at->path());
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace

const Rule checksum_mismatch{
    .id = "OCX014",
    .name = "checksum-mismatch",
    .purpose = "Checks that the SHA-1 that external data state is that of their file",
    .citation = "[ExternalData.md#external_data-field]",
    .why = "The file is not the one that the model was written with. Reads whole files (--deep).",
    .bad = "checksum \"da39a3ee5e6b4b0d3255bfef95601890afd80709\" for a file that is not empty",
    .good = "the checksum of the file",
    .fix = "Find the file that belongs to the model, or state the checksum of this one",
    .default_on = false,
    .check = once([](const ModelScope& m, Sink& out) {
      std::map<std::string, std::string> known;
      each_external(m, [&](const TensorAt& at) {
        const std::string stated = entry_of(at.tensor, "checksum");
        if (stated.empty()) return;
        const ExternalTensor e(at);
        if (!e.file_size) return;
        auto [hash, fresh] = known.try_emplace(e.location);
        if (fresh) hash->second = sha1_of(*e.file);
        if (equal_ignoring_case(hash->second, stated)) return;
        out.add(at.place, "\"{}\" has the SHA-1 {}, {} is stated", e.location, hash->second,
                stated);
      });
    })};

const Rule checksum_absent{
    .id = "OCX015",
    .name = "checksum-absent",
    .severity = Severity::info,
    .purpose = "Checks that external data state a checksum of their file",
    .citation = "[ExternalData.md#external_data-field]",
    .why = "Without it nothing ties the weights to the model: a file of the same size fits.",
    .bad = "external_data with a location and no checksum",
    .good = "external_data with the key checksum, a SHA-1 of the file",
    .fix = "State the SHA-1 of the file under the key checksum",
    .default_on = false,
    .check = once([](const ModelScope& m, Sink& out) {
      std::set<std::string> said;
      each_external(m, [&](const TensorAt& at) {
        const std::string location = entry_of(at.tensor, "location");
        if (location.empty() || !entry_of(at.tensor, "checksum").empty()) return;
        if (said.insert(location).second) {
          out.add(at.place, "No checksum is stated for \"{}\"", location);
        }
      });
    })};

const Rule external_file_shared{
    .id = "OCZ006",
    .name = "external-file-shared",
    .severity = Severity::info,
    .purpose = "Checks that no other model of the folder uses the model's external files",
    .citation = "[ExternalDataSecurity.md#threat-model]",
    .why =
        "Whoever writes the other model, or converts it in place, changes this one's weights. "
        "Looks at up to 64 models beside this one.",
    .bad = "a.onnx and b.onnx, both with location \"weights.bin\"",
    .good = "a.onnx with \"a.bin\" and b.onnx with \"b.bin\"",
    .fix = "Give each model a file of its own",
    .default_on = false,
    .check = once([](const ModelScope& m, Sink& out) {
      std::error_code error;
      const std::set<std::string> own = locations_of(m.model);
      if (own.empty() || !std::filesystem::is_regular_file(m.model.path(), error)) return;
      std::map<std::string, std::string> users;
      for (const auto& path : neighbours_of(m.model.path())) {
        const auto other = Model::load(path);
        if (!other) continue;
        for (const std::string& location : locations_of(*other)) {
          if (own.contains(location)) users.try_emplace(location, path.filename().string());
        }
      }
      each_external(m, [&](const TensorAt& at) {
        const auto user = users.find(entry_of(at.tensor, "location"));
        if (user == users.end()) return;
        out.add(at.place, "\"{}\" is also used by {}", user->first, user->second);
        users.erase(user);
      });
    })};

}  // namespace onnxcompat::rules
