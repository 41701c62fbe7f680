#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace onnxcompat {

/// The candidate that `word` is most likely a misspelling of; nullopt if none is close.
std::optional<std::string_view> closest(std::string_view word,
                                        std::span<const std::string_view> candidates);

/// True if `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text);

/// `text` with every byte that is not part of well-formed UTF-8, and every control character,
/// written as \xNN.
std::string printable(std::string text);

/// [A-Za-z_][A-Za-z0-9_]*, what the specification asks of names [IR.md#names-within-a-graph].
bool is_c90_identifier(std::string_view name);

/// "org.acme.model": two or more parts of letters, digits, '-' and '_', joined by dots.
bool is_reverse_dns(std::string_view name);

}  // namespace onnxcompat
