#include "checker/rules/external_tensor.h"

namespace onnxcompat::rules {
namespace {

namespace fs = std::filesystem;

bool passes_a_link(const fs::path& folder, const fs::path& relative) {
  std::error_code ignored;
  fs::path at = folder;
  for (const fs::path& component : relative) {
    at /= component;
    if (fs::is_symlink(fs::symlink_status(at, ignored))) return true;
  }
  return false;
}

}  // namespace

ExternalTensor::ExternalTensor(const TensorAt& at) {
  bool seen_location = false;
  for (const EntryView entry : at.tensor.external_data()) {
    if (entry.key() == "location" && !seen_location) {
      location = entry.value();
      seen_location = true;
    } else if (entry.key() == "offset") {
      offset = parse_byte_count(entry.value());
    } else if (entry.key() == "length") {
      has_length = true;
      length = parse_byte_count(entry.value());
    }
  }
  fault = location_fault(location);
  numbers_valid = offset.has_value() && (!has_length || length.has_value()) &&
                  *offset + length.value_or(0) < (std::uint64_t{1} << 63);
  if (const auto bytes = at.tensor.byte_size()) needed = *bytes;

  std::error_code error;
  const fs::path model = at.model.model.path();
  if (fault != LocationFault::none || !fs::is_regular_file(model, error)) return;
  const fs::path relative = fs::path(location).lexically_normal();
  file = model.parent_path() / relative;
  through_link = passes_a_link(model.parent_path(), relative);
  if (through_link || !fs::is_regular_file(*file, error)) return;
  const auto size = fs::file_size(*file, error);
  if (!error) file_size = size;
}

}  // namespace onnxcompat::rules
