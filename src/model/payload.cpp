#include "model/payload.h"

#include <charconv>

#include "proto/onnx.pb.h"

namespace onnxcompat {

const Payloads::Payload* Payloads::at_marker(std::string_view value) const {
  std::size_t index = 0;
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, index);
  if (error != std::errc{} || stop != end || index >= payloads_.size()) return nullptr;
  return &payloads_[index];
}

const Payloads::Payload* Payloads::find(const pb::TensorProto& tensor) const {
  for (int i = tensor.external_data_size() - 1; i >= 0; --i) {
    const auto& entry = tensor.external_data(i);
    if (entry.key() == kMarkerKey) return at_marker(entry.value());
  }
  return nullptr;
}

}  // namespace onnxcompat
