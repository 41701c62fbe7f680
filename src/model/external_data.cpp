#include "model/external_data.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace onnxcompat {
namespace {

constexpr std::uint64_t kMaxByteCount = std::numeric_limits<std::int64_t>::max();

std::unexpected<Error> bad(std::string message) {
  return fail(ExitCode::unreadable, std::move(message));
}

/// The components that name something: not "" and not ".".
std::vector<std::string> components(std::string_view location) {
  std::vector<std::string> out;
  while (!location.empty()) {
    const auto slash = std::min(location.find('/'), location.size());
    const auto part = location.substr(0, slash);
    if (!part.empty() && part != ".") out.emplace_back(part);
    location.remove_prefix(std::min(slash + 1, location.size()));
  }
  return out;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(-1); }
  void reset(int descriptor) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = descriptor;
  }
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

}  // namespace

LocationFault location_fault(std::string_view location) {
  if (location.empty()) return LocationFault::missing;
  const char first = location.front();
  const bool has_drive = location.size() > 1 && is_letter(first) && location[1] == ':';
  if (first == '/' || first == '\\' || has_drive) return LocationFault::absolute;
  for (std::string_view rest = location; !rest.empty();) {
    const auto separator = std::min(rest.find_first_of("/\\"), rest.size());
    if (rest.substr(0, separator) == "..") return LocationFault::escapes;
    rest.remove_prefix(std::min(separator + 1, rest.size()));
  }
  const bool odd = std::ranges::any_of(
      location, [](char c) { return c == '\\' || static_cast<unsigned char>(c) < 0x20; });
  return odd ? LocationFault::not_posix : LocationFault::none;
}

std::string_view describe(LocationFault fault) {
  switch (fault) {
    case LocationFault::none:
      return "is fine";
    case LocationFault::missing:
      return "is missing";
    case LocationFault::absolute:
      return "is an absolute path";
    case LocationFault::escapes:
      return "climbs with \"..\"";
    case LocationFault::not_posix:
      return "has a backslash or a control character";
  }
  return "is fine";
}

std::optional<std::uint64_t> parse_byte_count(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value > kMaxByteCount) return std::nullopt;
  return value;
}

Result<ExternalData> parse_external_data(const TensorView& tensor) {
  ExternalData out;
  std::set<std::string_view> seen;
  for (const EntryView entry : tensor.external_data()) {
    const std::string& key = entry.key();
    if (key != "location" && key != "offset" && key != "length") continue;
    if (!seen.insert(key).second) return bad(fmt::format("external_data gives {} twice", key));
    if (key == "location") {
      out.location = entry.value();
      continue;
    }
    const auto count = parse_byte_count(entry.value());
    if (!count) return bad(fmt::format("its external {} is not a number of bytes", key));
    if (key == "offset") {
      out.offset = *count;
    } else {
      out.length = count;
    }
  }
  if (const auto fault = location_fault(out.location); fault != LocationFault::none) {
    return bad(fmt::format("its external location {}", describe(fault)));
  }
  if (out.length.value_or(0) > kMaxByteCount - out.offset) {
    return bad("its external offset and length are too large together");
  }
  return out;
}

Result<MappedFile> map_beneath(const std::filesystem::path& folder, std::string_view location) {
  if (const auto fault = location_fault(location); fault != LocationFault::none) {
    return bad(fmt::format("external location \"{}\" {}", location, describe(fault)));
  }
  const auto parts = components(location);
  const std::filesystem::path shown = folder / location;
  if (parts.empty()) return bad(fmt::format("{}: is a directory", shown.string()));

  // One component at a time, never following a link: no check could be outrun by a rename.
  const char* start = folder.empty() ? "." : folder.c_str();
  Descriptor at(::open(start, O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (at.get() < 0) break;
    const bool last = i + 1 == parts.size();
    const int flags = last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY;
    const int next = ::openat(at.get(), parts[i].c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
    const int reason = errno;
    struct stat status {};
    if (next < 0 && ::fstatat(at.get(), parts[i].c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(status.st_mode)) {
      return bad(
          fmt::format("{}: is refused: \"{}\" is a symbolic link", shown.string(), parts[i]));
    }
    at.reset(next);
    errno = reason;
  }
  if (at.get() < 0) {
    return bad(fmt::format("{}: cannot be opened: {}", shown.string(), std::strerror(errno)));
  }
  return MappedFile::adopt(at.release(), shown);
}

Result<const MappedFile*> ExternalFiles::file(const std::string& location) {
  const std::lock_guard lock(mutex_);
  if (const auto known = files_.find(location); known != files_.end()) return &known->second;
  auto mapped = map_beneath(folder_, location);
  if (!mapped) return std::unexpected(mapped.error());
  return &files_.emplace(location, *std::move(mapped)).first->second;
}

const MappedFile* ExternalFiles::holding(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  for (const auto& [location, mapped] : files_) {
    if (mapped.contains(bytes)) return &mapped;
  }
  return nullptr;
}

std::string ExternalFiles::changed() {
  const std::lock_guard lock(mutex_);
  for (const auto& [location, mapped] : files_) {
    if (mapped.changed()) return (folder_ / location).string();
  }
  return {};
}

Result<std::span<const std::byte>> ExternalFiles::bytes(const TensorView& tensor) {
  const auto named = [&](std::string_view what) {
    return bad(fmt::format("tensor \"{}\": {}", tensor.name(), what));
  };
  const auto needed = tensor.byte_size();
  if (!needed) return std::unexpected(needed.error());
  const auto where = parse_external_data(tensor);
  if (!where) return named(where.error().message);
  if (where->length && *where->length != *needed) {
    return named(fmt::format("its external length is {} where its dims and type need {} bytes",
                             *where->length, *needed));
  }
  const auto mapped = file(where->location);
  if (!mapped) return named(mapped.error().message);
  const auto all = (*mapped)->bytes();
  if (where->offset > all.size() || *needed > all.size() - where->offset) {
    return named(fmt::format("needs {} bytes at {} of {}, which has {}", *needed, where->offset,
                             where->location, all.size()));
  }
  return all.subspan(where->offset, *needed);
}

}  // namespace onnxcompat
