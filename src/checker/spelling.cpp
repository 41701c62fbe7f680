#include "checker/spelling.h"

#include <algorithm>
#include <cctype>

namespace onnxcompat {
bool is_c90_identifier(std::string_view name) {
  const auto letter = [](unsigned char c) { return c == '_' || (c < 0x80 && std::isalpha(c)); };
  return !name.empty() && letter(static_cast<unsigned char>(name[0])) &&
         std::ranges::all_of(
             name, [&](unsigned char c) { return letter(c) || (c < 0x80 && std::isdigit(c)); });
}

bool is_reverse_dns(std::string_view name) {
  std::size_t parts = 0;
  while (true) {
    const std::size_t dot = name.find('.');
    const std::string_view part = name.substr(0, dot);
    const bool proper = !part.empty() && std::ranges::all_of(part, [](unsigned char c) {
      return c == '-' || c == '_' || (c < 0x80 && std::isalnum(c));
    });
    if (!proper) return false;
    ++parts;
    if (dot == std::string_view::npos) return parts >= 2;
    name.remove_prefix(dot + 1);
  }
}

}  // namespace onnxcompat
