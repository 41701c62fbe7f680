#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

namespace onnxcompat::properties {

/// The same numbers on every machine for the same seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed * 0x9e3779b97f4a7c15ULL + 0x1234567) {}

  std::uint64_t bits() { return engine_(); }
  /// From low to high, both included.
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(int percent) { return static_cast<int>(engine_() % 100) < percent; }
  template <class T>
  const T& of(const std::vector<T>& list) {
    return list[engine_() % list.size()];
  }
  template <class T>
  T of(std::initializer_list<T> list) {
    return *(list.begin() + static_cast<std::ptrdiff_t>(engine_() % list.size()));
  }
  double unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace onnxcompat::properties
