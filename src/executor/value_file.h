#pragma once

// Values in files: the official test data's `input_K.pb`, and what a run writes.

#include <filesystem>
#include <string>

#include "executor/tensor.h"
#include "model/tensor_file.h"
#include "model/view.h"
#include "support/error.h"

namespace onnxcompat::executor {

/// A stored value as the executor holds it. Errors: ExitCode::unreadable.
Result<Value> value_of(const ValueView& stored);

/// Reads a file as a value of the declared type. An optional's file may also hold what the optional
/// contains.
Result<Value> load_value(const std::filesystem::path& path, const TypeView& declared);

/// Writes a value under a name, as TensorFile::load reads it.
Result<void> save_value(const std::filesystem::path& path, const std::string& name,
                        const Value& value);

}  // namespace onnxcompat::executor
