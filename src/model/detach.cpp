#include "model/detach.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "proto/onnx.pb.h"

namespace onnxcompat {
namespace {

struct PayloadField {
  std::uint32_t number;
  TensorField field;
  int element_size;  ///< 0: varints
};

constexpr PayloadField kPayloadFields[] = {
    {pb::TensorProto::kFloatDataFieldNumber, TensorField::float_data, 4},
    {pb::TensorProto::kInt32DataFieldNumber, TensorField::int32_data, 0},
    {pb::TensorProto::kInt64DataFieldNumber, TensorField::int64_data, 0},
    {pb::TensorProto::kRawDataFieldNumber, TensorField::raw_data, 1},
    {pb::TensorProto::kDoubleDataFieldNumber, TensorField::double_data, 8},
    {pb::TensorProto::kUint64DataFieldNumber, TensorField::uint64_data, 0},
};

const PayloadField* payload_field(std::uint32_t number) {
  const auto* row = std::ranges::find(kPayloadFields, number, &PayloadField::number);
  return row == std::end(kPayloadFields) ? nullptr : row;
}

std::uint32_t number_of(TensorField field) {
  return std::ranges::find(kPayloadFields, field, &PayloadField::field)->number;
}

/// Whether protobuf would accept the bytes as the packed field they claim to be. What it would
/// not stays in the skeleton, where it is reported.
bool well_formed(const PayloadField& row, std::span<const std::byte> bytes) {
  if (row.element_size > 0) return bytes.size() % static_cast<std::size_t>(row.element_size) == 0;
  return (bytes.back() & std::byte{0x80}) == std::byte{0};
}

std::string marker(std::size_t index) {
  WireWriter entry;
  entry.bytes(pb::StringStringEntryProto::kKeyFieldNumber, Payloads::kMarkerKey);
  entry.bytes(pb::StringStringEntryProto::kValueFieldNumber, std::to_string(index));
  WireWriter field;
  field.bytes(pb::TensorProto::kExternalDataFieldNumber, entry.str());
  return field.take();
}

/// The value of an external_data entry that is our marker; nullopt for any other.
Result<std::optional<std::string_view>> marker_value(const WireField& entry) {
  std::string_view key;
  std::string_view value;
  for (WireReader reader(entry); !reader.at_end();) {
    const auto field = reader.field();
    if (!field) return fail(ExitCode::unreadable, field.error().str());
    if (field->type != WireType::length_delimited) continue;
    if (field->number == pb::StringStringEntryProto::kKeyFieldNumber) key = field->text();
    if (field->number == pb::StringStringEntryProto::kValueFieldNumber) value = field->text();
  }
  if (key != Payloads::kMarkerKey) return std::nullopt;
  return value;
}

bool is_external_data(const WireField& field) {
  return field.number == pb::TensorProto::kExternalDataFieldNumber &&
         field.type == WireType::length_delimited;
}

Result<void> detach_tensor(WireReader tensor, Payloads& payloads, std::vector<Patch>& patches) {
  std::optional<WireField> found;
  bool odd = false;
  while (!tensor.at_end()) {
    const auto field = tensor.field();
    if (!field) return fail(ExitCode::unreadable, field.error().str());
    if (is_external_data(*field)) {
      const auto value = marker_value(*field);
      if (!value) return std::unexpected(value.error());
      if (*value) {
        return fail(
            ExitCode::unreadable,
            fmt::format("the tensor entry at byte {} uses a key that is reserved", field->begin));
      }
      odd = true;
    } else if (payload_field(field->number) != nullptr) {
      odd = odd || found || field->type != WireType::length_delimited;
      found = *field;
    }
  }
  if (odd || !found || found->bytes.size() <= kDetachAbove) return {};
  const PayloadField& row = *payload_field(found->number);
  if (!well_formed(row, found->bytes)) return {};
  const std::size_t index = payloads.add({row.field, found->bytes});
  patches.push_back({found->begin, found->end - found->begin, marker(index), {}});
  return {};
}

Result<void> splice_tensor(WireReader tensor, const Payloads& payloads, PayloadPlace place,
                           std::vector<Patch>& patches) {
  std::vector<WireField> fields;
  const WireField* marked = nullptr;
  const Payloads::Payload* payload = nullptr;
  while (!tensor.at_end()) {
    const auto field = tensor.field();
    if (!field) return fail(ExitCode::unreadable, field.error().str());
    fields.push_back(*field);
  }
  for (const WireField& field : fields) {
    if (!is_external_data(field)) continue;
    const auto value = marker_value(field);
    if (!value) return std::unexpected(value.error());
    if (!*value) continue;
    payload = marked == nullptr ? payloads.at_marker(**value) : nullptr;
    if (payload == nullptr) {
      return fail(ExitCode::internal_error, "a tensor refers to data that are not there");
    }
    marked = &field;
  }
  if (marked == nullptr) return {};

  const std::uint32_t number = number_of(payload->field);
  WireWriter header;
  header.bytes_header(number, payload->bytes.size());
  const auto after = std::ranges::find_if(fields, [&](const WireField& field) {
    return place == PayloadPlace::at_marker ? &field == marked : field.number > number;
  });
  // The marker itself has a higher number than any payload field, so `after` is at or before it.
  patches.push_back({after->begin, 0, header.take(), payload->bytes});
  patches.push_back({marked->begin, marked->end - marked->begin, {}, {}});
  return {};
}

/// Larger ones are not searched: what they hold would be searched again, level by level.
bool is_small_without_marker(std::span<const std::byte> message) {
  if (message.size() > kDetachAbove) return false;
  const std::string_view text(reinterpret_cast<const char*>(message.data()), message.size());
  return text.find(Payloads::kMarkerKey) == std::string_view::npos;
}

}  // namespace

Result<Detached> detach(std::span<const std::byte> model) {
  Detached out;
  const auto patch = [&](WireReader tensor, std::vector<Patch>& patches) {
    return detach_tensor(tensor, out.payloads, patches);
  };
  // A small message holds nothing to detach; it must only be searched for the reserved key.
  const auto rewrite = Rewrite::of_model(model, patch, is_small_without_marker);
  if (!rewrite) return std::unexpected(rewrite.error());
  out.skeleton = rewrite->str();
  return out;
}

Result<Rewrite> splice(std::span<const std::byte> skeleton, const Payloads& payloads,
                       PayloadPlace place) {
  const auto patch = [&](WireReader tensor, std::vector<Patch>& patches) {
    return splice_tensor(tensor, payloads, place, patches);
  };
  return Rewrite::of_model(skeleton, patch, is_small_without_marker);
}

}  // namespace onnxcompat
