#include "executor/codecs/library.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace onnxcompat::executor {

SharedLibrary::SharedLibrary(const char* name, std::string_view purpose)
    : handle_(dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ != nullptr) return;
  const char* reason = dlerror();
  fault_ = fmt::format("{}, which {}, cannot be loaded ({})", name, purpose,
                       reason != nullptr ? reason : "no reason given");
}

void* SharedLibrary::symbol(const char* name) {
  if (handle_ == nullptr) return nullptr;
  void* found = dlsym(handle_, name);
  if (found == nullptr) {
    const char* reason = dlerror();
    fault_ = reason != nullptr ? reason : fmt::format("a library has no function {}", name);
  }
  return found;
}

Result<void> SharedLibrary::status() const {
  if (!fault_.empty()) return fail(ExitCode::refused, fault_);
  return {};
}

}  // namespace onnxcompat::executor
