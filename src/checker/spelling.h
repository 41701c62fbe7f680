#pragma once

#include <string_view>

namespace onnxcompat {

/// [A-Za-z_][A-Za-z0-9_]*, what the specification asks of names [IR.md#names-within-a-graph].
bool is_c90_identifier(std::string_view name);

/// "org.acme.model": two or more parts of letters, digits, '-' and '_', joined by dots.
bool is_reverse_dns(std::string_view name);

}  // namespace onnxcompat
