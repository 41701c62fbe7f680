#pragma once

// Weights stay out of memory: detach() leaves the large payload fields of tensors out of a model's
// bytes, splice() puts them back. Both work on the wire format; in between, the skeleton may be
// parsed, changed and serialised.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "model/payload.h"
#include "model/rewrite.h"
#include "support/error.h"

namespace onnxcompat {

/// A payload of at most this many bytes stays in the skeleton, so that axes and shapes are
/// ordinary constants.
inline constexpr std::size_t kDetachAbove = 4096;

struct Detached {
  std::string skeleton;  ///< the model with a marker in the place of each payload
  Payloads payloads;     ///< views into the bytes that were given
};

/// Detaches every tensor whose elements are in one large field, wherever in the model it is.
/// Anything odd (a field that is not packed, more than one payload field, a tensor that has
/// external_data, too) stays as it is. Errors as Rewrite::of_model; also a tensor that already
/// carries the marker.
Result<Detached> detach(std::span<const std::byte> model);

enum class PayloadPlace : std::uint8_t {
  at_marker,  ///< where the field was: splice(detach(x)) is x, if x has no overlong varints
  by_number   ///< before the first field of a higher number, as protobuf serialises
};

/// Replaces each marker in the skeleton by the field it stands for. Borrows both arguments.
Result<Rewrite> splice(std::span<const std::byte> skeleton, const Payloads& payloads,
                       PayloadPlace place);

}  // namespace onnxcompat
