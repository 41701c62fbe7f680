#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <string_view>

#include "factgen.h"

namespace factgen {

std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) throw DataError("control character in a text");
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"sv";
}

std::string Pool::span(const std::vector<std::string>& elements) {
  if (elements.empty()) return "{}";
  const auto [entry, is_new] = offsets_.try_emplace(elements, elements_.size());
  if (is_new) elements_.insert(elements_.end(), elements.begin(), elements.end());
  return "{" + name_ + " + " + std::to_string(entry->second) + ", " +
         std::to_string(elements.size()) + "}";
}

std::string Pool::definition() const {
  if (elements_.empty()) return "";
  std::string out = "constexpr " + element_type_ + " " + name_ + "[] = {\n";
  for (const std::string& element : elements_) out += "    " + element + ",\n";
  return out + "};\n";
}

}  // namespace factgen

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: factgen KIND DATA.json OUTPUT.cpp\n");
    return 2;
  }
  const std::string_view kind = argv[1];
  try {
    std::ifstream input(argv[2]);
    if (!input) throw factgen::DataError("cannot be read");
    const std::string data{std::istreambuf_iterator<char>(input), {}};
    std::string source;
    if (kind == "operators") {
      source = factgen::generate_operators(data);
    } else if (kind == "value_facts") {
      source = factgen::generate_value_facts(data);
    } else if (kind == "releases") {
      source = factgen::generate_releases(data, argv[2]);
    } else if (kind == "kernels") {
      source = factgen::generate_kernels(data);
    } else if (kind == "contributed") {
      source = factgen::generate_contributed(data);
    } else if (kind == "exporters") {
      source = factgen::generate_exporters(data);
    } else {
      throw factgen::DataError("no such kind of table");
    }
    std::ofstream output(argv[3], std::ios::trunc);
    output << source;
    output.close();
    if (!output) throw factgen::DataError("the output cannot be written");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "factgen: %s: %s\n", argv[2], e.what());
    return 1;
  }
  return 0;
}
