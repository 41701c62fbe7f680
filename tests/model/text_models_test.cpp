// Real models through the text and back.

#include <fstream>
#include <set>
#include <sstream>

#include "model/text_compare.h"
#include "support/shared.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

constexpr std::uintmax_t kLargest = 1 << 20;

std::string content_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("real models survive the text, and their text is a fixed point") {
  const auto paths = files_below(shared_folder() / "models", ".onnx");
  if (paths.empty()) {
    WARN("skipped: no shared models; set ONNXCOMPAT_SHARED");
    return;
  }
  std::set<std::string> changed;
  std::set<std::string> unstable;
  int seen = 0;
  for (const auto& path : paths) {
    if (std::filesystem::file_size(path) > kLargest) continue;
    INFO(path);
    pb::ModelProto model;
    if (!model.ParseFromString(content_of(path))) continue;
    ++seen;
    const std::string text = text_of(model);
    const pb::ModelProto back = proto_of(text);
    if (!same(model, back)) changed.insert(path.filename());
    if (text_of(back) != text) unstable.insert(path.filename());
  }
  CHECK(changed == std::set<std::string>{});
  CHECK(unstable == std::set<std::string>{});
  CHECK(seen > 300);
}
