#pragma once

// Replacing pieces of the tensors of a model at wire level, without parsing the rest.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "support/error.h"
#include "support/wire.h"

namespace onnxcompat {

/// Messages nested deeper than this (a graph inside a graph takes three levels) are refused with
/// ExitCode::limit. Other readers stop at protobuf's default of 100; a hostile file must not
/// exhaust the stack.
inline constexpr int kMaxMessageDepth = 900;

/// "`removed` bytes at `at` become `text` and then `payload`."
struct Patch {
  std::uint64_t at = 0;
  std::uint64_t removed = 0;
  std::string text;
  std::span<const std::byte> payload;

  std::int64_t growth() const {
    return static_cast<std::int64_t>(text.size() + payload.size()) -
           static_cast<std::int64_t>(removed);
  }
};

/// A message with some pieces replaced and every enclosing length corrected. Borrows the original
/// and the payloads.
class Rewrite {
 public:
  /// Called for every TensorProto of a ModelProto; appends the patches of its content in the order
  /// of their offsets. `tensor` holds fields, offsets are absolute in the model.
  using PatchTensor = std::function<Result<void>(WireReader tensor, std::vector<Patch>& patches)>;
  /// Whether a message may be passed over without a look inside.
  using SkipMessage = std::function<bool(std::span<const std::byte> message)>;

  /// Errors: ExitCode::unreadable (not wire format; says where) or ExitCode::limit (too deep),
  /// without a file name.
  static Result<Rewrite> of_model(std::span<const std::byte> model, const PatchTensor& patch,
                                  const SkipMessage& skip = {});

  std::uint64_t size() const { return size_; }
  bool unchanged() const { return patches_.empty(); }
  /// The result from front to back, borrowed; `sink` may stop with an error.
  Result<void> for_each_piece(
      const std::function<Result<void>(std::span<const std::byte>)>& sink) const;
  std::string str() const;

 private:
  std::span<const std::byte> original_;
  std::vector<Patch> patches_;
  std::uint64_t size_ = 0;
};

}  // namespace onnxcompat
