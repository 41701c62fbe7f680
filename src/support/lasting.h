#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace onnxcompat {

/// Something large that is not taken apart at the end of its scope, if nothing is to come in this
/// process: its end gives all memory back at once, while taking a model apart, node by node, takes
/// as long as reading it.
template <class T>
class Lasting {
 public:
  /// `lasts`: nothing is to come.
  Lasting(T value, bool lasts) : value_(std::move(value)), lasts_(lasts) {}

  Lasting(const Lasting&) = delete;
  Lasting& operator=(const Lasting&) = delete;
  ~Lasting() {
    if (lasts_) new_home().push_back(std::make_unique<T>(std::move(value_)));
  }

  T& operator*() { return value_; }
  T* operator->() { return &value_; }

 private:
  /// Never destroyed, and never lost: leak checkers see it.
  static std::vector<std::unique_ptr<T>>& new_home() {
    static auto* const home = new std::vector<std::unique_ptr<T>>;
    return *home;
  }

  T value_;
  bool lasts_;
};

}  // namespace onnxcompat
