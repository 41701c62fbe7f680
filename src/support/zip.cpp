#include "support/zip.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include <zlib.h>

namespace onnxcompat {
namespace {

constexpr std::uint32_t kEndOfDirectory = 0x06054b50;
constexpr std::uint32_t kDirectoryEntry = 0x02014b50;
constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::size_t kEndSize = 22, kEntrySize = 46, kLocalSize = 30;
constexpr std::uint16_t kStored = 0, kDeflated = 8;
constexpr std::uint16_t kEncrypted = 1;        // flag bit
constexpr std::uint16_t kZip64 = 1;            // id of the extra field with wide sizes
constexpr std::uint64_t kLeastDeflate = 1032;  // deflate shrinks to 1/1032 at best

std::unexpected<Error> damaged(std::string what) {
  return fail(ExitCode::unreadable, "damaged ZIP archive: " + std::move(what));
}

/// Little-endian numbers at offsets that the caller has checked.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t get(std::size_t at, int width) const {
    std::uint64_t value = 0;
    for (int i = width; i-- > 0;) {
      value = value << 8 | std::to_integer<std::uint64_t>(bytes_[at + static_cast<std::size_t>(i)]);
    }
    return value;
  }
  std::uint16_t u16(std::size_t at) const { return static_cast<std::uint16_t>(get(at, 2)); }
  std::uint32_t u32(std::size_t at) const { return static_cast<std::uint32_t>(get(at, 4)); }

 private:
  std::span<const std::byte> bytes_;
};

std::uint32_t checksum(std::span<const std::byte> bytes) {
  uLong crc = crc32_z(0, nullptr, 0);
  crc = crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  return static_cast<std::uint32_t>(crc);
}

/// `out` has the size that the inflated bytes must have.
bool inflate_all(std::span<const std::byte> in, std::span<std::byte> out) {
  constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
  if (in.size() > kMost || out.size() > kMost) return false;
  std::byte nothing{};
  z_stream stream{};
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.empty() ? &nothing : out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  const int result = inflate(&stream, Z_FINISH);
  const bool whole = result == Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  return whole;
}

struct Entry {
  std::string name;
  std::uint16_t flags = 0, method = 0;
  std::uint32_t crc = 0;
  std::uint64_t packed = 0, size = 0, offset = 0;
};

/// Sizes of 32 ones stand in the extra field, in this order.
bool read_wide_sizes(std::span<const std::byte> extra, Entry& entry) {
  constexpr std::uint64_t kWide = 0xffffffff;
  if (entry.size != kWide && entry.packed != kWide && entry.offset != kWide) return true;
  const Fields fields(extra);
  for (std::size_t at = 0; at + 4 <= extra.size();) {
    const std::size_t end = at + 4 + fields.u16(at + 2);
    if (end > extra.size()) return false;
    if (fields.u16(at) != kZip64) {
      at = end;
      continue;
    }
    at += 4;
    for (std::uint64_t* value : {&entry.size, &entry.packed, &entry.offset}) {
      if (*value != kWide) continue;
      if (at + 8 > end) return false;
      *value = fields.get(at, 8);
      at += 8;
    }
    return true;
  }
  return false;
}

Result<ZipEntry> unpack(std::span<const std::byte> archive, const Entry& entry) {
  const Fields fields(archive);
  if (entry.flags & kEncrypted) return damaged("\"" + entry.name + "\" is encrypted");
  if (entry.offset > archive.size() || archive.size() - entry.offset < kLocalSize ||
      fields.u32(entry.offset) != kLocalHeader) {
    return damaged("\"" + entry.name + "\" is not where its directory says");
  }
  const std::uint64_t start =
      entry.offset + kLocalSize + fields.u16(entry.offset + 26) + fields.u16(entry.offset + 28);
  if (start > archive.size() || archive.size() - start < entry.packed) {
    return damaged("\"" + entry.name + "\" is cut off");
  }
  const auto packed = archive.subspan(start, entry.packed);
  ZipEntry out{entry.name, {}};
  if (entry.method == kStored && entry.size == entry.packed) {
    out.bytes.assign(packed.begin(), packed.end());
  } else if (entry.method == kDeflated && entry.size / kLeastDeflate <= entry.packed) {
    out.bytes.resize(entry.size);
    if (!inflate_all(packed, out.bytes)) return damaged("\"" + entry.name + "\" does not inflate");
  } else {
    return damaged("\"" + entry.name + "\" is packed in a way that is not served");
  }
  if (checksum(out.bytes) != entry.crc) return damaged("\"" + entry.name + "\" has another CRC");
  return out;
}

class Writer {
 public:
  void put(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i, value >>= 8) bytes.push_back(static_cast<std::byte>(value));
  }
  void put(std::span<const std::byte> more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
  void put(std::string_view text) { put(std::as_bytes(std::span(text))); }

  std::vector<std::byte> bytes;
};

/// What the local header and the directory say alike.
void put_common(Writer& out, const ZipEntry& entry, std::uint32_t crc) {
  constexpr int kUtf8Names = 1 << 11;
  constexpr int kNewYear1980 = 0x21;
  out.put(20, 2);  // version needed
  out.put(kUtf8Names, 2);
  out.put(kStored, 2);
  out.put(0, 2);  // time
  out.put(kNewYear1980, 2);
  out.put(crc, 4);
  out.put(entry.bytes.size(), 4);
  out.put(entry.bytes.size(), 4);
  out.put(entry.name.size(), 2);
  out.put(0, 2);  // no extra field
}

}  // namespace

Result<std::vector<ZipEntry>> read_zip(std::span<const std::byte> archive) {
  const Fields fields(archive);
  if (archive.size() < kEndSize) return damaged("too short");
  // The end record is followed by a comment of at most 64 KB.
  std::size_t end = archive.size() - kEndSize;
  const std::size_t least = end - std::min<std::size_t>(end, 0xffff);
  while (fields.u32(end) != kEndOfDirectory) {
    if (end-- == least) return damaged("has no directory");
  }
  const std::size_t count = fields.u16(end + 10);
  std::size_t at = fields.u32(end + 16);
  std::vector<ZipEntry> entries;
  for (std::size_t i = 0; i < count; ++i) {
    if (at > archive.size() || archive.size() - at < kEntrySize ||
        fields.u32(at) != kDirectoryEntry) {
      return damaged("its directory is cut off");
    }
    const std::size_t name = fields.u16(at + 28), extra = fields.u16(at + 30);
    const std::size_t next = at + kEntrySize + name + extra + fields.u16(at + 32);
    if (next > archive.size()) return damaged("its directory is cut off");
    const auto text = archive.subspan(at + kEntrySize, name);
    Entry entry{.name = std::string(reinterpret_cast<const char*>(text.data()), text.size()),
                .flags = fields.u16(at + 8),
                .method = fields.u16(at + 10),
                .crc = fields.u32(at + 16),
                .packed = fields.u32(at + 20),
                .size = fields.u32(at + 24),
                .offset = fields.u32(at + 42)};
    if (!read_wide_sizes(archive.subspan(at + kEntrySize + name, extra), entry)) {
      return damaged("\"" + entry.name + "\" has no size");
    }
    auto unpacked = unpack(archive, entry);
    if (!unpacked) return std::unexpected(unpacked.error());
    entries.push_back(*std::move(unpacked));
    at = next;
  }
  return entries;
}

Result<std::vector<std::byte>> write_zip(std::span<const ZipEntry> entries) {
  constexpr std::uint64_t kMost = 0xffffffff;
  std::uint64_t total = kEndSize;
  for (const ZipEntry& entry : entries) {
    total += kLocalSize + kEntrySize + 2 * entry.name.size() + entry.bytes.size();
    if (entry.name.size() > 0xffff) return fail(ExitCode::limit, "a name longer than a ZIP allows");
  }
  if (total > kMost || entries.size() > 0xffff) {
    return fail(ExitCode::limit, "more than a ZIP archive of 4 GB holds");
  }
  Writer out, directory;
  for (const ZipEntry& entry : entries) {
    const std::size_t offset = out.bytes.size();
    const std::uint32_t crc = checksum(entry.bytes);
    out.put(kLocalHeader, 4);
    put_common(out, entry, crc);
    out.put(entry.name);
    out.put(entry.bytes);
    directory.put(kDirectoryEntry, 4);
    directory.put(20, 2);  // made by
    put_common(directory, entry, crc);
    directory.put(0, 2 + 2 + 2 + 4);  // no comment, disk 0, attributes
    directory.put(offset, 4);
    directory.put(entry.name);
  }
  const std::size_t start = out.bytes.size();
  out.put(directory.bytes);
  out.put(kEndOfDirectory, 4);
  out.put(0, 2 + 2);  // disks
  out.put(entries.size(), 2);
  out.put(entries.size(), 2);
  out.put(directory.bytes.size(), 4);
  out.put(start, 4);
  out.put(0, 2);  // no comment
  return std::move(out.bytes);
}

}  // namespace onnxcompat
