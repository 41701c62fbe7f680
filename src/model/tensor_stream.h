#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "model/view.h"
#include "support/error.h"

namespace onnxcompat {

/// The elements of a tensor that is not external, as raw_data holds them, from front to back: in
/// place where they are stored like that, else decoded in small pieces. Errors as
/// TensorView::bytes, before the first piece.
Result<void> each_raw_piece(const TensorView& tensor,
                            const std::function<Result<void>(std::span<const std::byte>)>& sink);

}  // namespace onnxcompat
