#include "executor/blas.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <type_traits>
#include <vector>

#include <dlfcn.h>

#include "executor/kernel.h"
#include "executor/parallel.h"
#include "executor/simd.h"

namespace onnxcompat::executor {
namespace {

// The C interface of BLAS: enumerations are plain ints.
constexpr int kRowMajor = 101;
constexpr int kNoTranspose = 111;
constexpr int kTranspose = 112;

template <class T>
using Gemm = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, T alpha, const T* a,
                      int lda, const T* b, int ldb, T beta, T* c, int ldc);

struct Library {
  Gemm<float> sgemm = nullptr;
  Gemm<double> dgemm = nullptr;
  void (*set_threads)(int) = nullptr;
  const char* name = "built-in";

  template <class T>
  Gemm<T> get() const {
    if constexpr (std::is_same_v<T, float>) {
      return sgemm;
    } else {
      return dgemm;
    }
  }

  Library() {
    void* handle = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return;
    sgemm = reinterpret_cast<Gemm<float>>(dlsym(handle, "cblas_sgemm"));
    dgemm = reinterpret_cast<Gemm<double>>(dlsym(handle, "cblas_dgemm"));
    set_threads = reinterpret_cast<void (*)(int)>(dlsym(handle, "openblas_set_num_threads"));
    auto config = reinterpret_cast<const char* (*)()>(dlsym(handle, "openblas_get_config"));
    if (sgemm != nullptr && dgemm != nullptr) name = config != nullptr ? config() : "OpenBLAS";
  }
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

/// As many threads as parallel_for() may use. Products are called by one thread at a time.
void set_library_threads() {
  static std::atomic<int> in_force{0};
  const int wanted = ThreadScope::current();
  if (library().set_threads != nullptr && in_force.exchange(wanted) != wanted) {
    library().set_threads(wanted);
  }
}

// Below this many multiplications loading and calling the library costs more than it saves.
constexpr double kSmall = 32.0 * 32.0 * 32.0;
constexpr std::int64_t kFewRows = 8;

/// Rows × columns of a transposed operand as a plain row-major copy.
template <class T>
std::vector<T> untranspose(const Matrix<T>& matrix, std::int64_t rows, std::int64_t columns) {
  std::vector<T> copy(static_cast<std::size_t>(rows * columns));
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t i = 0; i < rows; ++i) {
      copy[static_cast<std::size_t>(i * columns + j)] = matrix.data[j * matrix.stride + i];
    }
  }
  return copy;
}

template <class T>
void multiply_here(std::int64_t m, std::int64_t n, std::int64_t k, Matrix<T> a, Matrix<T> b, T* c,
                   std::int64_t c_stride) {
  std::vector<T> a_copy, b_copy;
  if (a.transposed) {
    a_copy = untranspose(a, m, k);
    a = {a_copy.data(), k};
  }
  if (b.transposed) {
    b_copy = untranspose(b, k, n);
    b = {b_copy.data(), n};
  }
  // Blocks of k and n that stay in the caches; each element still sums over k in order.
  constexpr std::int64_t kBlockK = 256, kBlockN = 1024;
  for (std::int64_t n0 = 0; n0 < n; n0 += kBlockN) {
    const std::int64_t n1 = std::min(n, n0 + kBlockN);
    for (std::int64_t k0 = 0; k0 < k; k0 += kBlockK) {
      const std::int64_t k1 = std::min(k, k0 + kBlockK);
      for (std::int64_t i = 0; i < m; ++i) {
        T* __restrict row = c + i * c_stride;
        for (std::int64_t p = k0; p < k1; ++p) {
          const T factor = a.data[i * a.stride + p];
          const T* __restrict from = b.data + p * b.stride;
          for (std::int64_t j = n0; j < n1; ++j) row[j] += factor * from[j];
        }
      }
    }
  }
}

}  // namespace

template <class T>
void multiply(std::int64_t m, std::int64_t n, std::int64_t k, Matrix<T> a, Matrix<T> b, T* c,
              std::int64_t c_stride, bool accumulate) {
  if (m == 0 || n == 0) return;
  const auto clear = [&] {
    for (std::int64_t i = 0; i < m && !accumulate; ++i) std::fill_n(c + i * c_stride, n, T{0});
  };
  if (k == 0) return clear();
  if constexpr (std::is_same_v<T, float>) {
    // A few rows against many: the library would first rearrange all of b.
    if (m <= kFewRows && b.transposed && !a.transposed && k >= kFewRows) {
      clear();
      parallel_for(n, m * k, [&](std::int64_t begin, std::int64_t end) {
        simd::multiply_rows(m, end - begin, k, a.data, a.stride, b.data + begin * b.stride,
                            b.stride, c + begin, c_stride);
      });
      return;
    }
    if (m <= kFewRows / 4 && !b.transposed && !a.transposed) {
      clear();
      parallel_for(n, m * k, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = 0; i < m; ++i) {
          for (std::int64_t p = 0; p < k; ++p) {
            simd::add_scaled_into(b.data + p * b.stride + begin, 1, a.data[i * a.stride + p],
                                  c + i * c_stride + begin, end - begin);
          }
        }
      });
      return;
    }
  }
  constexpr std::int64_t kMax = std::numeric_limits<int>::max();
  const bool fits = m <= kMax && n <= kMax && k <= kMax && a.stride <= kMax && b.stride <= kMax &&
                    c_stride <= kMax;
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (fits && work > kSmall && library().get<T>() != nullptr) {
    set_library_threads();
    const Gemm<T> gemm = library().get<T>();
    gemm(kRowMajor, a.transposed ? kTranspose : kNoTranspose,
         b.transposed ? kTranspose : kNoTranspose, static_cast<int>(m), static_cast<int>(n),
         static_cast<int>(k), T{1}, a.data, static_cast<int>(a.stride), b.data,
         static_cast<int>(b.stride), accumulate ? T{1} : T{0}, c, static_cast<int>(c_stride));
    return;
  }
  clear();
  multiply_here(m, n, k, a, b, c, c_stride);
}

template void multiply<float>(std::int64_t, std::int64_t, std::int64_t, Matrix<float>,
                              Matrix<float>, float*, std::int64_t, bool);
template void multiply<double>(std::int64_t, std::int64_t, std::int64_t, Matrix<double>,
                               Matrix<double>, double*, std::int64_t, bool);

const char* blas_name() { return library().name; }

}  // namespace onnxcompat::executor
