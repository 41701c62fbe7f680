#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>

#include "checker/checker.h"
#include "checker/rules.h"
#include "support/parallel.h"

namespace onnxcompat::rules {
namespace {

constexpr std::uint64_t kWorthwhile = 64;  ///< bytes: shapes and scalars are alike everywhere

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

const Rule duplicate_initializer_data{
    .id = "OCL005",
    .name = "duplicate-initializer-data",
    .severity = Severity::info,
    .purpose = "Checks that no two initializers of a graph hold the same elements",
    .citation = "[IR.md#graphs]",
    .why =
        "One of them, read by both, would do. Reads the weights (64 bytes and more) that are in "
        "the file itself.",
    .bad = "<float[16] a = {0, 1, …}, float[16] b = {0, 1, …}>",
    .good = "<float[16] a = {0, 1, …}>",
    .fix = "Keep one and let everyone read that",
    .default_on = false,
    .check = each_body([](const BodyScope& b, Sink& out) {
      if (!b.body.graph) return;
      const auto tensors = b.body.graph->initializers();
      // Only what has the type and dims of another is read at all.
      std::map<std::pair<DataType, std::vector<std::int64_t>>, std::vector<int>> alike;
      for (int i = 0; i < tensors.size(); ++i) {
        const TensorView tensor = tensors[i];
        const auto size = tensor.byte_size();
        if (!size || *size < kWorthwhile || tensor.is_external()) continue;
        alike[{tensor.data_type(), {tensor.dims().begin(), tensor.dims().end()}}].push_back(i);
      }
      std::vector<int> read;
      for (const auto& [form, members] : alike) {
        if (members.size() > 1) read.insert(read.end(), members.begin(), members.end());
      }
      std::ranges::sort(read);
      std::vector<std::optional<std::size_t>> hashes(read.size());
      run_parallel(b.model->options->threads, read.size(), [&](std::size_t k) {
        std::vector<std::byte> scratch;
        const auto bytes = tensors[read[k]].bytes(scratch);
        if (bytes) hashes[k] = std::hash<std::string_view>{}(text_of(*bytes));
      });
      std::unordered_map<std::size_t, std::vector<int>> known;
      std::vector<std::byte> scratch;
      std::vector<std::byte> other;
      for (std::size_t k = 0; k < read.size(); ++k) {
        if (!hashes[k]) continue;
        const TensorView tensor = tensors[read[k]];
        auto& before = known[*hashes[k]];
        const auto same = std::ranges::find_if(before, [&](int i) {
          if (tensors[i].data_type() != tensor.data_type() ||
              !std::ranges::equal(tensors[i].dims(), tensor.dims())) {
            return false;
          }
          const auto ours = tensor.bytes(scratch), theirs = tensors[i].bytes(other);
          return ours && theirs && text_of(*ours) == text_of(*theirs);
        });
        if (same == before.end()) {
          before.push_back(read[k]);
          continue;
        }
        out.add(in_body(b, Section::initializer, read[k], tensor.name()),
                "\"{}\" holds the same elements as \"{}\"", tensor.name(), tensors[*same].name());
      }
    })};

}  // namespace onnxcompat::rules
