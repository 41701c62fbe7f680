#include "executor/kernels/fourier.h"

#include <bit>
#include <numbers>
#include <utility>

namespace onnxcompat::executor {
namespace {

std::vector<std::complex<double>> roots_of_unity(std::size_t n, double sign) {
  std::vector<std::complex<double>> roots(n);
  for (std::size_t k = 0; k < n; ++k) {
    roots[k] = std::polar(
        1.0, sign * 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n));
  }
  return roots;
}

/// Radix-2 butterflies; the roots are of the length of `values`.
void butterflies(std::vector<std::complex<double>>& values,
                 const std::vector<std::complex<double>>& roots) {
  const std::size_t n = values.size();
  for (std::size_t i = 1, j = 0; i < n; ++i) {
    std::size_t bit = n >> 1;
    for (; (j & bit) != 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(values[i], values[j]);
  }
  for (std::size_t size = 2; size <= n; size *= 2) {
    for (std::size_t start = 0; start < n; start += size) {
      for (std::size_t k = 0; k < size / 2; ++k) {
        const auto odd = values[start + k + size / 2] * roots[k * (n / size)];
        const auto even = values[start + k];
        values[start + k] = even + odd;
        values[start + k + size / 2] = even - odd;
      }
    }
  }
}

}  // namespace

FourierTransform::FourierTransform(std::size_t length, bool inverse)
    : length_(length), inverse_(inverse) {
  const double sign = inverse ? 1 : -1;
  if (length < 2) return;
  if (std::has_single_bit(length)) {
    roots_ = roots_of_unity(length, sign);
    return;
  }
  // Bluestein: kn = (k² + n² - (k-n)²)/2 turns the sum into a convolution.
  padded_ = std::bit_ceil(2 * length - 1);
  roots_ = roots_of_unity(padded_, -1);
  chirp_.resize(length);
  response_.assign(padded_, 0);
  for (std::size_t n = 0; n < length; ++n) {
    const std::size_t square = n * n % (2 * length);  // the angle repeats
    chirp_[n] = std::polar(
        1.0, sign * std::numbers::pi * static_cast<double>(square) / static_cast<double>(length));
    response_[n] = std::conj(chirp_[n]);
    if (n > 0) response_[padded_ - n] = response_[n];
  }
  butterflies(response_, roots_);
}

void FourierTransform::operator()(std::vector<Complex>& values) const {
  if (length_ < 2) return;
  if (padded_ == 0) {
    butterflies(values, roots_);
  } else {
    chirp(values);
  }
  if (!inverse_) return;
  for (Complex& value : values) value /= static_cast<double>(length_);
}

void FourierTransform::chirp(std::vector<Complex>& values) const {
  std::vector<Complex> work(padded_);
  for (std::size_t n = 0; n < length_; ++n) work[n] = values[n] * chirp_[n];
  butterflies(work, roots_);
  // The inverse transform as the conjugate of the forward one of conjugates.
  for (std::size_t k = 0; k < padded_; ++k) work[k] = std::conj(work[k] * response_[k]);
  butterflies(work, roots_);
  for (std::size_t k = 0; k < length_; ++k) {
    values[k] = std::conj(work[k]) / static_cast<double>(padded_) * chirp_[k];
  }
}

}  // namespace onnxcompat::executor
