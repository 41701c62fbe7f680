#include "executor/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include <fmt/format.h>

namespace onnxcompat::executor {
namespace {

bool is_sub_byte(DataType type) { return bits_of(type) > 0 && bits_of(type) < 8; }

/// Zeroed; large blocks come as untouched zero pages from the system.
std::shared_ptr<std::byte[]> zeroed(std::size_t bytes) {
  void* block = std::calloc(std::max<std::size_t>(bytes, 1), 1);
  if (block == nullptr) throw std::bad_alloc();
  return {static_cast<std::byte*>(block), [](std::byte* p) { std::free(p); }};
}

std::size_t packed_bytes(DataType type, std::int64_t count) {
  return (static_cast<std::size_t>(count) * static_cast<std::size_t>(bits_of(type)) + 7) / 8;
}

}  // namespace

std::optional<std::int64_t> element_count(std::span<const std::int64_t> dims) {
  std::int64_t count = 1;
  bool zero = false;
  for (const std::int64_t d : dims) {
    if (d < 0) return std::nullopt;
    if (d == 0) zero = true;
    if (!zero && __builtin_mul_overflow(count, d, &count)) return std::nullopt;
  }
  return zero ? 0 : count;
}

Dims strides_of(std::span<const std::int64_t> dims) {
  Dims strides(dims.size());
  std::int64_t stride = 1;
  for (std::size_t k = dims.size(); k-- > 0;) {
    strides[k] = stride;
    stride *= std::max<std::int64_t>(dims[k], 1);
  }
  return strides;
}

Tensor::Tensor(DataType type, Dims dims)
    : type_(type), dims_(std::move(dims)), size_(element_count(dims_).value_or(0)) {
  if (type == DataType::string) {
    strings_ = std::make_shared<std::vector<std::string>>(static_cast<std::size_t>(size_));
    return;
  }
  owned_ = zeroed(static_cast<std::size_t>(size_) * element_bytes(type));
  bytes_ = owned_.get();
}

Tensor Tensor::borrow(DataType type, Dims dims, std::span<const std::byte> bytes,
                      std::shared_ptr<const void> owner) {
  Tensor t;
  t.type_ = type;
  t.size_ = element_count(dims).value_or(0);
  t.dims_ = std::move(dims);
  t.bytes_ = bytes.data();
  t.owner_ = std::move(owner);
  return t;
}

Result<Tensor> Tensor::from_packed(DataType type, Dims dims, std::span<const std::byte> bytes) {
  const auto count = onnxcompat::executor::element_count(dims);
  const int bits = bits_of(type);
  if (!count || bits == 0 || *count > std::numeric_limits<std::int64_t>::max() / bits) {
    return fail(ExitCode::unreadable, fmt::format("a tensor of {} elements of type {} has no bytes",
                                                  count.value_or(-1), name_of(type)));
  }
  if (bytes.size() != packed_bytes(type, *count)) {
    return fail(ExitCode::unreadable,
                fmt::format("a tensor holds {} bytes where its dims and type need {}", bytes.size(),
                            packed_bytes(type, *count)));
  }
  Tensor t(type, std::move(dims));
  const auto size = static_cast<std::size_t>(*count);
  if (is_sub_byte(type)) {
    const std::size_t per_byte = 8U / static_cast<std::size_t>(bits);
    const int mask = (1 << bits) - 1;
    for (std::size_t i = 0; i < size; ++i) {
      const int byte = std::to_integer<int>(bytes[i / per_byte]);
      const int shift = static_cast<int>(i % per_byte) * bits;
      t.owned_[static_cast<std::ptrdiff_t>(i)] = static_cast<std::byte>((byte >> shift) & mask);
    }
  } else if (type == DataType::boolean) {
    for (std::size_t i = 0; i < size; ++i) {
      t.owned_[static_cast<std::ptrdiff_t>(i)] = std::byte{bytes[i] != std::byte{0}};
    }
  } else if (size > 0) {
    std::memcpy(t.owned_.get(), bytes.data(), bytes.size());
  }
  return t;
}

Tensor Tensor::of_strings(Dims dims, std::vector<std::string> strings) {
  Tensor t;
  t.type_ = DataType::string;
  t.size_ = static_cast<std::int64_t>(strings.size());
  t.dims_ = std::move(dims);
  t.strings_ = std::make_shared<std::vector<std::string>>(std::move(strings));
  return t;
}

std::size_t Tensor::byte_size() const {
  if (type_ != DataType::string) return static_cast<std::size_t>(size_) * element_bytes(type_);
  std::size_t total = 0;
  for (const std::string& s : strings()) total += s.size();
  return total;
}

std::span<const std::byte> Tensor::raw() const {
  if (type_ == DataType::string) return {};
  return {bytes_, byte_size()};
}

const std::vector<std::string>& Tensor::strings() const {
  static const std::vector<std::string> kNone;
  return strings_ != nullptr ? *strings_ : kNone;
}

Tensor Tensor::reshaped(Dims dims) const {
  Tensor t = *this;
  t.dims_ = std::move(dims);
  return t;
}

Tensor Tensor::reinterpreted(DataType type) const {
  Tensor t = *this;
  t.type_ = type;
  return t;
}

Tensor Tensor::clone() const {
  if (type_ == DataType::string) return of_strings(dims_, strings());
  Tensor t(type_, dims_);
  if (byte_size() > 0) std::memcpy(t.owned_.get(), bytes_, byte_size());
  return t;
}

std::vector<std::byte> Tensor::packed() const {
  const auto from = raw();
  if (!is_sub_byte(type_)) return {from.begin(), from.end()};
  std::vector<std::byte> out(packed_bytes(type_, size_));
  const int bits = bits_of(type_);
  const std::size_t per_byte = 8U / static_cast<std::size_t>(bits);
  const std::byte mask{static_cast<unsigned char>((1 << bits) - 1)};
  for (std::size_t i = 0; i < from.size(); ++i) {
    out[i / per_byte] |= (from[i] & mask) << (static_cast<int>(i % per_byte) * bits);
  }
  return out;
}

SharedSequence::SharedSequence(Sequence sequence)
    : held_(std::make_shared<Sequence>(std::move(sequence))) {}

}  // namespace onnxcompat::executor
