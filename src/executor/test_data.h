#pragma once

#include <filesystem>
#include <vector>

#include "executor/runner.h"
#include "model/model.h"

namespace onnxcompat::executor {

/// One test_data_set folder: input_K.pb and output_K.pb, by position in the graph.
struct TestData {
  std::filesystem::path folder;
  NamedValues inputs;
  std::vector<std::optional<Value>> expected;  ///< by output; unset where there is no file
};

/// Reads a folder that holds input_K.pb, or one that holds such folders (test_data_set_0, …), in
/// the layout of the official tests. Inputs are those of the graph that have no initializer, or
/// all of them where there are as many files. Errors: ExitCode::unreadable, naming the file.
Result<std::vector<TestData>> load_test_data(const Model& model,
                                             const std::filesystem::path& folder);

}  // namespace onnxcompat::executor
