#pragma once

// Shared libraries that are loaded at first use and never linked: the program starts without them,
// and runs where they are not installed.

#include <string>
#include <string_view>

#include "support/error.h"

namespace onnxcompat::executor {

class SharedLibrary {
 public:
  /// `name` is the library's own (SONAME), `purpose` ends the sentence "…, which decodes PNG".
  SharedLibrary(const char* name, std::string_view purpose);

  /// A function of the library; null if it has none of that name, which status() then says.
  template <class F>
  F* function(const char* name) {
    return reinterpret_cast<F*>(symbol(name));
  }

  /// Error ExitCode::refused, as where a kernel is missing: the library or one of the functions
  /// asked for is not there. Names the library and the reason.
  Result<void> status() const;

 private:
  void* symbol(const char* name);

  std::string fault_;
  void* handle_ = nullptr;  // never closed: its functions are used until the program ends
};

/// Declares a member that is the function of that name in the member `library`.
#define ONNXCOMPAT_IMPORT(name) decltype(::name)* name = library.function<decltype(::name)>(#name)

}  // namespace onnxcompat::executor
