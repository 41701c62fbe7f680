#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/view.h"

namespace onnxcompat {

/// Where the bytes of detached tensors are. A detached tensor carries one external_data entry
/// whose key is kMarkerKey and whose value is the index of its payload here; it is the tensor's
/// only entry, or the last one if an editor added others before it. Who gives such a tensor new
/// data removes the marker.
class Payloads {
 public:
  /// Starts with a NUL so that no file made by an exporter has it; a file that does is rejected.
  static constexpr std::string_view kMarkerKey{"\0onnxcompat.payload", 19};

  struct Payload {
    TensorField field = TensorField::none;
    std::span<const std::byte> bytes;  ///< the field's content on the wire, in mapped memory
  };

  std::size_t add(Payload payload) {
    payloads_.push_back(payload);
    return payloads_.size() - 1;
  }
  std::size_t size() const { return payloads_.size(); }
  const Payload& operator[](std::size_t index) const { return payloads_[index]; }

  /// The payload that a marker's value names; null if there is none such.
  const Payload* at_marker(std::string_view value) const;
  /// The payload of a detached tensor; null for any other.
  const Payload* find(const pb::TensorProto& tensor) const;

 private:
  std::vector<Payload> payloads_;
};

}  // namespace onnxcompat
