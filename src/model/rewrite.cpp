#include "model/rewrite.h"

#include <array>

#include <fmt/format.h>

#include "proto/onnx.pb.h"

namespace onnxcompat {
namespace {

enum class Message : std::uint8_t {
  model,
  graph,
  node,
  attribute,
  function,
  training,
  sparse_tensor,
  tensor
};
constexpr std::size_t kMessages = 8;

/// Where tensors are found: which field of which message to descend into.
struct Descent {
  Message parent;
  std::uint32_t field;
  Message child;
  bool repeated;
};

constexpr Descent kDescents[] = {
    {Message::model, pb::ModelProto::kGraphFieldNumber, Message::graph, false},
    {Message::model, pb::ModelProto::kTrainingInfoFieldNumber, Message::training, true},
    {Message::model, pb::ModelProto::kFunctionsFieldNumber, Message::function, true},
    {Message::graph, pb::GraphProto::kNodeFieldNumber, Message::node, true},
    {Message::graph, pb::GraphProto::kInitializerFieldNumber, Message::tensor, true},
    {Message::graph, pb::GraphProto::kSparseInitializerFieldNumber, Message::sparse_tensor, true},
    {Message::node, pb::NodeProto::kAttributeFieldNumber, Message::attribute, true},
    {Message::attribute, pb::AttributeProto::kTFieldNumber, Message::tensor, false},
    {Message::attribute, pb::AttributeProto::kGFieldNumber, Message::graph, false},
    {Message::attribute, pb::AttributeProto::kTensorsFieldNumber, Message::tensor, true},
    {Message::attribute, pb::AttributeProto::kGraphsFieldNumber, Message::graph, true},
    {Message::attribute, pb::AttributeProto::kSparseTensorFieldNumber, Message::sparse_tensor,
     false},
    {Message::attribute, pb::AttributeProto::kSparseTensorsFieldNumber, Message::sparse_tensor,
     true},
    {Message::sparse_tensor, pb::SparseTensorProto::kValuesFieldNumber, Message::tensor, false},
    {Message::sparse_tensor, pb::SparseTensorProto::kIndicesFieldNumber, Message::tensor, false},
    {Message::function, pb::FunctionProto::kNodeFieldNumber, Message::node, true},
    {Message::function, pb::FunctionProto::kAttributeProtoFieldNumber, Message::attribute, true},
    {Message::training, pb::TrainingInfoProto::kInitializationFieldNumber, Message::graph, false},
    {Message::training, pb::TrainingInfoProto::kAlgorithmFieldNumber, Message::graph, false},
};

constexpr std::size_t kFieldBound = 32;

constexpr auto kDescentOf = [] {
  std::array<std::array<const Descent*, kFieldBound>, kMessages> table{};
  for (const Descent& d : kDescents) table[static_cast<std::size_t>(d.parent)][d.field] = &d;
  return table;
}();

const Descent* descent(Message parent, const WireField& field) {
  if (field.type != WireType::length_delimited || field.number >= kFieldBound) return nullptr;
  return kDescentOf[static_cast<std::size_t>(parent)][field.number];
}

std::unexpected<Error> malformed(const WireError& error) {
  return fail(ExitCode::unreadable, error.str());
}

class Scan {
 public:
  Scan(const Rewrite::PatchTensor& patch, const Rewrite::SkipMessage& skip)
      : patch_(patch), skip_(skip) {}

  /// Collects the patches of a message's content; returns by how much it grows.
  Result<std::int64_t> message(Message kind, WireReader reader, int depth) {
    if (depth > kMaxMessageDepth) {
      return fail(ExitCode::limit,
                  fmt::format("messages are nested deeper than {} levels at byte {}",
                              kMaxMessageDepth, reader.offset()));
    }
    if (kind == Message::tensor) return tensor(reader);
    const auto repeats = repeated_singulars(kind, reader);
    if (!repeats) return std::unexpected(repeats.error());
    std::int64_t growth = 0;
    while (!reader.at_end()) {
      const auto field = reader.field();
      if (!field) return malformed(field.error());
      const Descent* down = descent(kind, *field);
      if (down == nullptr || (skip_ && skip_(field->bytes))) continue;
      const std::size_t before = patches_.size();
      const auto grown = child(*down, *field, depth);
      if (!grown) return grown;
      if ((*repeats >> down->field & 1) != 0) {
        patches_.resize(before);
      } else {
        growth += *grown;
      }
    }
    return growth;
  }

  std::vector<Patch> take() { return std::move(patches_); }

 private:
  /// Fields (as bits) that should be there once but are not. protobuf merges their occurrences, so
  /// a patch inside one of them could end up in the other: such patches are dropped.
  static Result<std::uint32_t> repeated_singulars(Message kind, WireReader reader) {
    if (kind == Message::graph || kind == Message::node || kind == Message::function) return 0U;
    std::uint32_t seen = 0;
    std::uint32_t repeats = 0;
    while (!reader.at_end()) {
      const auto field = reader.field();
      if (!field) return malformed(field.error());
      const Descent* down = descent(kind, *field);
      if (down == nullptr || down->repeated) continue;
      const std::uint32_t bit = 1U << down->field;
      repeats |= seen & bit;
      seen |= bit;
    }
    return repeats;
  }

  Result<std::int64_t> tensor(const WireReader& reader) {
    const std::size_t first = patches_.size();
    if (auto done = patch_(reader, patches_); !done) return std::unexpected(done.error());
    std::int64_t growth = 0;
    for (std::size_t i = first; i < patches_.size(); ++i) growth += patches_[i].growth();
    return growth;
  }

  Result<std::int64_t> child(const Descent& down, const WireField& field, int depth) {
    const std::size_t length_patch = patches_.size();
    patches_.push_back({field.length_at, field.content - field.length_at, {}, {}});
    const auto grown = message(down.child, WireReader(field), depth + 1);
    if (!grown) return grown;
    if (patches_.size() == length_patch + 1) {
      patches_.pop_back();
      return 0;
    }
    WireWriter length;
    length.varint(
        static_cast<std::uint64_t>(static_cast<std::int64_t>(field.bytes.size()) + *grown));
    patches_[length_patch].text = length.take();
    return *grown + patches_[length_patch].growth();
  }

  const Rewrite::PatchTensor& patch_;
  const Rewrite::SkipMessage& skip_;
  std::vector<Patch> patches_;
};

}  // namespace

Result<Rewrite> Rewrite::of_model(std::span<const std::byte> model, const PatchTensor& patch,
                                  const SkipMessage& skip) {
  Scan scan(patch, skip);
  const auto growth = scan.message(Message::model, WireReader(model), 0);
  if (!growth) return std::unexpected(growth.error());
  Rewrite rewrite;
  rewrite.original_ = model;
  rewrite.patches_ = scan.take();
  rewrite.size_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(model.size()) + *growth);
  return rewrite;
}

Result<void> Rewrite::for_each_piece(
    const std::function<Result<void>(std::span<const std::byte>)>& sink) const {
  std::uint64_t at = 0;
  const auto put = [&](std::span<const std::byte> piece) {
    return piece.empty() ? Result<void>{} : sink(piece);
  };
  for (const Patch& patch : patches_) {
    if (auto r = put(original_.subspan(at, patch.at - at)); !r) return r;
    if (auto r = put(std::as_bytes(std::span(patch.text))); !r) return r;
    if (auto r = put(patch.payload); !r) return r;
    at = patch.at + patch.removed;
  }
  return put(original_.subspan(at));
}

std::string Rewrite::str() const {
  std::string out;
  out.reserve(size_);
  // The sink cannot fail.
  (void)for_each_piece([&](std::span<const std::byte> piece) -> Result<void> {
    out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  });
  return out;
}

}  // namespace onnxcompat
