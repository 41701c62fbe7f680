#include "versiontable/kernels.h"
#include "versiontable/version_number.h"

namespace onnxcompat {

std::optional<ReleaseSeries> release_series(std::string_view version) {
  const auto numbers = version_numbers(version);
  if (!numbers || numbers->size() < 2 || (*numbers)[0] > 1000 || (*numbers)[1] > 999) {
    return std::nullopt;
  }
  return (*numbers)[0] * 1000 + (*numbers)[1];
}

}  // namespace onnxcompat
