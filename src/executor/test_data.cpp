#include "executor/test_data.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "executor/value_file.h"

namespace onnxcompat::executor {
namespace {

namespace fs = std::filesystem;

/// How many NAME_0.pb, NAME_1.pb, … a folder holds, counted up to the highest number.
int count_files(const fs::path& folder, std::string_view name) {
  int count = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string file = entry.path().filename().string();
    if (!file.starts_with(name) || !file.ends_with(".pb")) continue;
    const std::string digits = file.substr(name.size(), file.size() - name.size() - 3);
    if (digits.empty() || digits.size() > 6 ||
        digits.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    count = std::max(count, std::stoi(digits) + 1);
  }
  return count;
}

fs::path numbered(const fs::path& folder, std::string_view name, int i) {
  return folder / fmt::format("{}{}.pb", name, i);
}

/// Inputs that files stand for: all of them, or those without an initializer.
std::vector<ValueInfoView> fed_inputs(const GraphView& graph, int files) {
  std::vector<ValueInfoView> all;
  for (const ValueInfoView input : graph.inputs()) all.push_back(input);
  if (files >= static_cast<int>(all.size())) return all;
  std::set<std::string_view> initialized;
  for (const TensorView tensor : graph.initializers()) initialized.insert(tensor.name());
  std::erase_if(all,
                [&](const ValueInfoView& input) { return initialized.contains(input.name()); });
  return all;
}

Result<TestData> load_set(const Model& model, const fs::path& folder) {
  TestData set;
  set.folder = folder;
  const int files = count_files(folder, "input_");
  const auto inputs = fed_inputs(model.graph(), files);
  if (files > static_cast<int>(inputs.size())) {
    return fail(ExitCode::unreadable, fmt::format("{}: has {} inputs, the model takes {}",
                                                  folder.string(), files, inputs.size()));
  }
  for (int i = 0; i < static_cast<int>(inputs.size()); ++i) {
    const fs::path path = numbered(folder, "input_", i);
    if (!fs::exists(path)) continue;
    const ValueInfoView& input = inputs[static_cast<std::size_t>(i)];
    auto value = load_value(path, input.type());
    if (!value) return std::unexpected(value.error());
    set.inputs.emplace(input.name(), *std::move(value));
  }
  const auto outputs = model.graph().outputs();
  for (int i = 0; i < outputs.size(); ++i) {
    const fs::path path = numbered(folder, "output_", i);
    if (!fs::exists(path)) {
      set.expected.emplace_back();
      continue;
    }
    auto value = load_value(path, outputs[i].type());
    if (!value) return std::unexpected(value.error());
    set.expected.emplace_back(*std::move(value));
  }
  return set;
}

}  // namespace

Result<std::vector<TestData>> load_test_data(const Model& model, const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return fail(ExitCode::unreadable, fmt::format("{}: is not a folder", folder.string()));
  }
  std::vector<fs::path> folders;
  if (count_files(folder, "input_") > 0 || count_files(folder, "output_") > 0) {
    folders.push_back(folder);
  } else {
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.is_directory() && entry.path().filename().string().starts_with("test_data_set")) {
        folders.push_back(entry.path());
      }
    }
    std::sort(folders.begin(), folders.end());
  }
  if (folders.empty()) {
    return fail(ExitCode::unreadable,
                fmt::format("{}: holds no input_0.pb and no test_data_set_0", folder.string()));
  }
  std::vector<TestData> sets;
  for (const fs::path& one : folders) {
    auto set = load_set(model, one);
    if (!set) return std::unexpected(set.error());
    sets.push_back(*std::move(set));
  }
  return sets;
}

}  // namespace onnxcompat::executor
