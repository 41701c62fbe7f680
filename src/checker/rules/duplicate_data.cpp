#include <functional>
#include <map>
#include <tuple>

#include "checker/rules.h"

namespace onnxcompat::rules {
namespace {

constexpr std::uint64_t kWorthwhile = 64;  ///< bytes: shapes and scalars are alike everywhere

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
      using Key = std::tuple<DataType, std::vector<std::int64_t>, std::size_t>;
      std::map<Key, std::vector<int>> known;
      std::vector<std::byte> scratch;
      std::vector<std::byte> other;
      const auto text_of = [](std::span<const std::byte> bytes) {
        return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      };
      for (int i = 0; i < tensors.size(); ++i) {
        const TensorView tensor = tensors[i];
        const auto size = tensor.byte_size();
        if (!size || *size < kWorthwhile || tensor.is_external()) continue;
        const auto bytes = tensor.bytes(scratch);
        if (!bytes) continue;
        const auto hash = std::hash<std::string_view>{}(text_of(*bytes));
        auto& alike =
            known[{tensor.data_type(), {tensor.dims().begin(), tensor.dims().end()}, hash}];
        for (const int k : alike) {
          const auto before = tensors[k].bytes(other);
          if (!before || text_of(*before) != text_of(*bytes)) continue;
          out.add(in_body(b, Section::initializer, i, tensor.name()),
                  "\"{}\" holds the same elements as \"{}\"", tensor.name(), tensors[k].name());
          break;
        }
        alike.push_back(i);
      }
    })};

}  // namespace onnxcompat::rules
