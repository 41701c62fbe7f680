#pragma once

// Arrays in NumPy's files: `.npy` holds one, `.npz` is a ZIP archive of them.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "executor/tensor.h"
#include "support/error.h"

namespace onnxcompat::executor {

struct NumpyArray {
  std::string name;  ///< of the archive's entry without ".npy"; empty for a .npy file
  Tensor tensor;
  /// Elements of a type that NumPy does not know (bfloat16, float8 …): `tensor` has unsigned
  /// integers of their bits.
  bool is_raw = false;
};

/// The arrays of a .npy or .npz file, in its order. Errors (ExitCode::unreadable) start with the
/// path: not such a file, damaged, or of a type that no tensor has.
Result<std::vector<NumpyArray>> load_numpy(const std::filesystem::path& path);

/// The array as a tensor of the type; raw elements are taken for that type if they are as wide.
Tensor as_type(const NumpyArray& array, DataType type);

/// Writes an uncompressed .npz. Types that NumPy does not know become raw ones, as ml_dtypes has
/// them. Errors: ExitCode::refused for strings, else those of AtomicFile.
Result<void> save_npz(const std::filesystem::path& path, std::span<const NumpyArray> arrays);

}  // namespace onnxcompat::executor
