#pragma once

// Matrix products. OpenBLAS is loaded at the first large product and never linked, so that
// starting the program stays cheap; where it is not installed our own loop does the work.

#include <cstdint>

namespace onnxcompat::executor {

/// Row-major matrix or its transpose; `stride` is the distance of rows in memory, in elements.
template <class T>
struct Matrix {
  const T* data;
  std::int64_t stride;
  bool transposed = false;
};

/// c[m,n] = a[m,k] · b[k,n], or c += with `accumulate`. T is float or double. Results do not change
/// from run to run on one machine.
template <class T>
void multiply(std::int64_t m, std::int64_t n, std::int64_t k, Matrix<T> a, Matrix<T> b, T* c,
              std::int64_t c_stride, bool accumulate = false);

/// Name of what multiply() uses for large products: "OpenBLAS …" or "built-in".
const char* blas_name();

}  // namespace onnxcompat::executor
