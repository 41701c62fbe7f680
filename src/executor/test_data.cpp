#include "executor/test_data.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "executor/numpy_file.h"
#include "executor/value_file.h"

namespace onnxcompat::executor {
namespace {

namespace fs = std::filesystem;

/// How many NAME_0.pb or .npy, NAME_1.pb, … a folder holds, counted up to the highest number.
int count_files(const fs::path& folder, std::string_view name) {
  int count = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const fs::path extension = entry.path().extension();
    const std::string stem = entry.path().stem().string();
    if (!stem.starts_with(name) || (extension != ".pb" && extension != ".npy")) continue;
    const std::string digits = stem.substr(name.size());
    if (digits.empty() || digits.size() > 6 ||
        digits.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    count = std::max(count, std::stoi(digits) + 1);
  }
  return count;
}

/// NAME_i as a value of the declared type; nullopt if there is no such file.
Result<std::optional<Value>> load_numbered(const fs::path& folder, std::string_view name, int i,
                                           const TypeView& declared) {
  fs::path path = folder / fmt::format("{}{}.pb", name, i);
  if (fs::exists(path)) {
    auto value = load_value(path, declared);
    if (!value) return std::unexpected(value.error());
    return *std::move(value);
  }
  path.replace_extension(".npy");
  if (!fs::exists(path)) return std::nullopt;
  const auto arrays = load_numpy(path);
  if (!arrays) return std::unexpected(arrays.error());
  if (arrays->size() != 1) {
    return fail(ExitCode::unreadable,
                fmt::format("{}: holds {} arrays, not one", path.string(), arrays->size()));
  }
  return Value{as_type(arrays->front(), declared.elem_type())};
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
    const ValueInfoView& input = inputs[static_cast<std::size_t>(i)];
    auto value = load_numbered(folder, "input_", i, input.type());
    if (!value) return std::unexpected(value.error());
    if (*value) set.inputs.emplace(input.name(), **std::move(value));
  }
  const auto outputs = model.graph().outputs();
  for (int i = 0; i < outputs.size(); ++i) {
    auto value = load_numbered(folder, "output_", i, outputs[i].type());
    if (!value) return std::unexpected(value.error());
    set.expected.push_back(*std::move(value));
  }
  return set;
}

/// Arrays by the names of inputs and outputs.
Result<TestData> load_arrays(const Model& model, const fs::path& path) {
  const auto arrays = load_numpy(path);
  if (!arrays) return std::unexpected(arrays.error());
  TestData set;
  set.folder = path;
  const auto outputs = model.graph().outputs();
  set.expected.resize(static_cast<std::size_t>(outputs.size()));
  for (const NumpyArray& array : *arrays) {
    bool known = false;
    for (const ValueInfoView input : model.graph().inputs()) {
      const bool only = array.name.empty() && fed_inputs(model.graph(), 0).size() == 1 &&
                        fed_inputs(model.graph(), 0).front().name() == input.name();
      if (input.name() != array.name && !only) continue;
      set.inputs.insert_or_assign(input.name(), Value{as_type(array, input.type().elem_type())});
      known = true;
    }
    for (int i = 0; i < outputs.size(); ++i) {
      if (outputs[i].name() != array.name) continue;
      set.expected[static_cast<std::size_t>(i)] =
          Value{as_type(array, outputs[i].type().elem_type())};
      known = true;
    }
    if (known) continue;
    return fail(ExitCode::unreadable,
                array.name.empty()
                    ? fmt::format("{}: the model does not take exactly one input", path.string())
                    : fmt::format("{}: the model has no input or output \"{}\"", path.string(),
                                  array.name));
  }
  return set;
}

}  // namespace

Result<std::vector<TestData>> load_test_data(const Model& model, const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    auto set = load_arrays(model, path);
    if (!set) return std::unexpected(set.error());
    return std::vector<TestData>{*std::move(set)};
  }
  std::vector<fs::path> folders;
  if (count_files(path, "input_") > 0 || count_files(path, "output_") > 0) {
    folders.push_back(path);
  } else {
    for (const auto& entry : fs::directory_iterator(path, error)) {
      if (entry.is_directory() && entry.path().filename().string().starts_with("test_data_set")) {
        folders.push_back(entry.path());
      }
    }
    std::sort(folders.begin(), folders.end());
  }
  if (folders.empty()) {
    return fail(ExitCode::unreadable,
                fmt::format("{}: holds no input_0.pb, no input_0.npy and no test_data_set_0",
                            path.string()));
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
