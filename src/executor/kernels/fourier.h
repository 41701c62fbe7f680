#pragma once

// Discrete Fourier transforms of any length, in double.

#include <complex>
#include <vector>

namespace onnxcompat::executor {

/// x[k] = Σ x[n]·e^(∓2πi·kn/N) in place; + for `inverse`, which also divides by N.
class FourierTransform {
 public:
  FourierTransform(std::size_t length, bool inverse);
  void operator()(std::vector<std::complex<double>>& values) const;

 private:
  using Complex = std::complex<double>;
  void chirp(std::vector<Complex>& values) const;

  std::size_t length_;
  bool inverse_;
  std::size_t padded_ = 0;         ///< power of two that a chirp is convolved in
  std::vector<Complex> roots_;     ///< e^(∓2πi·k/N) (of `padded_` for a chirp)
  std::vector<Complex> chirp_;     ///< e^(∓πi·n²/N)
  std::vector<Complex> response_;  ///< transform of the chirp's conjugate
};

}  // namespace onnxcompat::executor
