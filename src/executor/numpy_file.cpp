#include "executor/numpy_file.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "support/atomic_file.h"
#include "support/mapped_file.h"
#include "support/zip.h"

namespace onnxcompat::executor {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

std::unexpected<Error> wrong(std::string message) {
  return fail(ExitCode::unreadable, std::move(message));
}

/// What a .npy file says about its elements.
struct Header {
  std::string descr;  ///< "<f4": byte order, kind, bytes
  bool fortran_order = false;
  Dims dims;
};

/// Reads the header's text, a Python dictionary of three entries.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) : text_(text) {}

  std::optional<Header> read() {
    Header header;
    int entries = 0;
    if (!take('{')) return std::nullopt;
    while (!take('}')) {
      const auto key = quoted();
      if (!key || !take(':') || !value_of(*key, header)) return std::nullopt;
      ++entries;
      if (!take(',') && !peek('}')) return std::nullopt;
    }
    return entries == 3 ? std::optional(std::move(header)) : std::nullopt;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool peek(char c) {
    skip_blanks();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool take(char c) {
    if (!peek(c)) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::optional<std::string_view> quoted() {
    const char quote = peek('"') ? '"' : '\'';
    if (!take(quote)) return std::nullopt;
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) return std::nullopt;
    const auto inside = text_.substr(at_, end - at_);
    at_ = end + 1;
    return inside;
  }
  bool value_of(std::string_view key, Header& header) {
    if (key == "descr") {
      const auto descr = quoted();
      if (descr) header.descr = *descr;
      return descr.has_value();
    }
    if (key == "fortran_order") {
      header.fortran_order = take("True");
      return header.fortran_order || take("False");
    }
    return key == "shape" && tuple(header.dims);
  }
  bool tuple(Dims& dims) {
    if (!take('(')) return false;
    while (!take(')')) {
      skip_blanks();
      std::int64_t dim = 0;
      const auto [end, error] =
          std::from_chars(text_.data() + at_, text_.data() + text_.size(), dim);
      if (error != std::errc{} || dim < 0) return false;
      at_ = static_cast<std::size_t>(end - text_.data());
      dims.push_back(dim);
      if (!take(',') && !peek(')')) return false;
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

struct Kind {
  std::string_view name;  ///< NumPy's kind and width
  DataType type;
};

constexpr Kind kKinds[] = {
    {"f2", DataType::float16},   {"f4", DataType::float32},    {"f8", DataType::float64},
    {"i1", DataType::int8},      {"i2", DataType::int16},      {"i4", DataType::int32},
    {"i8", DataType::int64},     {"u1", DataType::uint8},      {"u2", DataType::uint16},
    {"u4", DataType::uint32},    {"u8", DataType::uint64},     {"b1", DataType::boolean},
    {"c8", DataType::complex64}, {"c16", DataType::complex128}};

/// Raw elements, by the integers that hold their bits.
constexpr Kind kRawKinds[] = {{"V1", DataType::uint8}, {"V2", DataType::uint16}};

template <std::size_t kCount>
std::optional<DataType> type_of(const Kind (&kinds)[kCount], std::string_view name) {
  const auto* found = std::ranges::find(kinds, name, &Kind::name);
  return found == std::end(kinds) ? std::nullopt : std::optional(found->type);
}

/// Bytes with the elements' own bytes turned round.
std::vector<std::byte> swapped(std::span<const std::byte> bytes, std::size_t width) {
  std::vector<std::byte> out(bytes.begin(), bytes.end());
  for (std::size_t at = 0; at + width <= out.size(); at += width) {
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(at),
                 out.begin() + static_cast<std::ptrdiff_t>(at + width));
  }
  return out;
}

/// Elements in row-major order from elements with the first axis fastest.
std::vector<std::byte> row_major(std::span<const std::byte> bytes, std::size_t width,
                                 const Dims& dims) {
  std::vector<std::byte> out(bytes.size());
  Dims index(dims.size(), 0);
  const Dims strides = strides_of(dims);
  for (std::size_t at = 0; at < bytes.size(); at += width) {
    std::int64_t to = 0;
    for (std::size_t i = 0; i < dims.size(); ++i) to += index[i] * strides[i];
    std::memcpy(out.data() + static_cast<std::size_t>(to) * width, bytes.data() + at, width);
    for (std::size_t i = 0; i < dims.size() && ++index[i] == dims[i]; ++i) index[i] = 0;
  }
  return out;
}

void append_utf8(std::string& text, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

/// Text of a fixed width, padded with zeros: UTF-32 ("U") or bytes ("S").
Result<Tensor> read_strings(const Header& header, std::span<const std::byte> bytes,
                            std::int64_t count, std::size_t length, bool wide) {
  const std::size_t step = wide ? 4 : 1;
  std::vector<std::string> strings(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < strings.size(); ++i) {
    for (std::size_t k = 0; k < length; ++k) {
      std::uint32_t code = 0;
      std::memcpy(&code, bytes.data() + (i * length + k) * step, step);
      if (wide && header.descr.front() == '>') code = __builtin_bswap32(code);
      if (code == 0) break;
      if (code > 0x10ffff) return wrong("a text has a character beyond Unicode");
      if (wide) {
        append_utf8(strings[i], code);
      } else {
        strings[i].push_back(static_cast<char>(code));
      }
    }
  }
  return Tensor::of_strings(header.dims, std::move(strings));
}

Result<NumpyArray> read_elements(const Header& header, std::span<const std::byte> bytes) {
  const auto unknown = [&] {
    return wrong(fmt::format("elements of NumPy's type \"{}\" are not served", header.descr));
  };
  if (header.descr.size() < 3) return unknown();
  const std::string_view kind = std::string_view(header.descr).substr(1);
  const auto count = element_count(header.dims);
  std::size_t width = 0;
  const auto [end, error] = std::from_chars(kind.data() + 1, kind.data() + kind.size(), width);
  if (error != std::errc{} || end != kind.data() + kind.size() || width > 1 << 20) return unknown();
  const bool wide = kind.front() == 'U';
  const std::size_t element = wide ? 4 * width : width;
  if (!count || (element > 0 && static_cast<std::uint64_t>(*count) > bytes.size() / element) ||
      static_cast<std::uint64_t>(*count) * element != bytes.size()) {
    return wrong(fmt::format("{} bytes are not an array of shape ({})", bytes.size(),
                             fmt::join(header.dims, ", ")));
  }
  if (header.fortran_order && !bytes.empty()) {
    const auto turned = row_major(bytes, element, header.dims);
    Header plain = header;
    plain.fortran_order = false;
    return read_elements(plain, turned);
  }
  if (wide || kind.front() == 'S') {
    if (element == 0 && *count > (std::int64_t{1} << 28)) return unknown();
    auto strings = read_strings(header, bytes, *count, width, wide);
    if (!strings) return std::unexpected(strings.error());
    return NumpyArray{{}, *std::move(strings), false};
  }
  const auto raw = type_of(kRawKinds, kind);
  const auto type = raw ? raw : type_of(kKinds, kind);
  if (!type) return unknown();
  std::vector<std::byte> turned;
  if (header.descr.front() == '>') {
    turned = swapped(bytes, kind.front() == 'c' ? width / 2 : width);
    bytes = turned;
  }
  auto tensor = Tensor::from_packed(*type, header.dims, bytes);
  if (!tensor) return std::unexpected(tensor.error());
  return NumpyArray{{}, *std::move(tensor), raw.has_value()};
}

Result<NumpyArray> read_npy(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic) || text.size() < 12) return wrong("is no .npy file");
  const bool wide = text[6] != 1;  // versions 2 and 3 have a longer length
  std::size_t length = 0;
  for (int i = wide ? 4 : 2; i-- > 0;) {
    length = length << 8 | static_cast<unsigned char>(text[8 + static_cast<std::size_t>(i)]);
  }
  const std::size_t start = wide ? 12 : 10;
  if (length > text.size() - start) return wrong("its header is cut off");
  const auto header = HeaderReader(text.substr(start, length)).read();
  if (!header) return wrong("its header is not understood");
  return read_elements(*header, bytes.subspan(start + length));
}

/// A .npy file's bytes.
std::vector<std::byte> npy_of(const Tensor& tensor) {
  std::string kind;
  for (const Kind& k : kKinds) {
    if (k.type == tensor.type()) kind = k.name;
  }
  const std::size_t width = element_bytes(tensor.type());
  if (kind.empty()) kind = fmt::format("V{}", width);
  std::string shape;
  for (const std::int64_t dim : tensor.dims()) shape += fmt::format("{}, ", dim);
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                   width > 1 ? '<' : '|', kind, shape);
  // The elements start at a multiple of 64 bytes.
  const std::size_t rest = (kMagic.size() + 4 + header.size() + 1) % 64;
  header.append(rest == 0 ? 0 : 64 - rest, ' ');
  header.push_back('\n');
  std::string head(kMagic);
  head +=
      {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  head += header;
  const auto front = std::as_bytes(std::span(head));
  std::vector<std::byte> out(front.begin(), front.end());
  const auto elements = tensor.raw();
  out.insert(out.end(), elements.begin(), elements.end());
  return out;
}

}  // namespace

Result<std::vector<NumpyArray>> load_numpy(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  if (!file) return std::unexpected(file.error());
  const auto at_path = [&](Error error, const std::string& entry) {
    error.message = fmt::format("{}: {}{}", path.string(), entry, error.message);
    return std::unexpected(std::move(error));
  };
  std::vector<NumpyArray> arrays;
  const auto bytes = file->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with(kMagic)) {
    auto array = read_npy(bytes);
    if (!array) return at_path(array.error(), "");
    arrays.push_back(*std::move(array));
    return arrays;
  }
  const auto entries = read_zip(bytes);
  if (!entries) return at_path(entries.error(), "");
  for (const ZipEntry& entry : *entries) {
    auto array = read_npy(entry.bytes);
    if (!array) return at_path(array.error(), entry.name + ": ");
    array->name =
        entry.name.ends_with(".npy") ? entry.name.substr(0, entry.name.size() - 4) : entry.name;
    arrays.push_back(*std::move(array));
  }
  return arrays;
}

Tensor as_type(const NumpyArray& array, DataType type) {
  const bool fits = array.is_raw && is_known(type) && type != DataType::string &&
                    element_bytes(type) == element_bytes(array.tensor.type());
  if (!fits) return array.tensor;
  Tensor tensor = array.tensor.clone();
  if (bits_of(type) < 8) {
    const auto mask = static_cast<std::uint8_t>((1 << bits_of(type)) - 1);
    for (std::uint8_t& bits : tensor.mutable_data<std::uint8_t>()) bits &= mask;
  }
  return tensor.reinterpreted(type);
}

Result<void> save_npz(const std::filesystem::path& path, std::span<const NumpyArray> arrays) {
  std::vector<ZipEntry> entries;
  for (const NumpyArray& array : arrays) {
    if (array.tensor.type() == DataType::string) {
      return fail(ExitCode::refused,
                  fmt::format("{}: \"{}\" holds strings, which a .npz cannot hold of any length",
                              path.string(), array.name));
    }
    entries.push_back({array.name + ".npy", npy_of(array.tensor)});
  }
  const auto archive = write_zip(entries);
  if (!archive) return std::unexpected(archive.error());
  auto file = AtomicFile::create(path);
  if (!file) return std::unexpected(file.error());
  if (const auto written = file->append(*archive); !written) return written;
  return file->commit();
}

}  // namespace onnxcompat::executor
