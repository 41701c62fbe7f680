#pragma once

#include <filesystem>
#include <vector>

#include "executor/runner.h"
#include "model/model.h"

namespace onnxcompat::executor {

/// One set of values: input_K.pb and output_K.pb, by position in the graph.
struct TestData {
  std::filesystem::path folder;  ///< or file
  NamedValues inputs;
  std::vector<std::optional<Value>> expected;  ///< by output; unset where there is no file
};

/// Reads a folder that holds input_K.pb or input_K.npy, or one that holds such folders
/// (test_data_set_0, …), in the layout of the official tests. Inputs are those of the graph that
/// have no initializer, or all of them where there are as many files. Or reads an .npz file, whose
/// arrays have the names of inputs, and of outputs where they are expected ones; or an .npy file,
/// for a model of one input. Errors: ExitCode::unreadable, naming the file.
Result<std::vector<TestData>> load_test_data(const Model& model, const std::filesystem::path& path);

}  // namespace onnxcompat::executor
