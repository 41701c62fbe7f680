#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Turns the reviewed data files into constant tables. Runs at build time only; what is wrong with
/// the data ends it with a message, so the build fails and not the program.
namespace factgen {

struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// `text` as a C++ string literal of type std::string_view.
std::string literal(std::string_view text);

/// Elements of one C++ array that many spans share: equal runs are stored once.
class Pool {
 public:
  Pool(std::string element_type, std::string name)
      : element_type_(std::move(element_type)), name_(std::move(name)) {}

  /// A braced initialiser of a span over these elements (C++ expressions).
  std::string span(const std::vector<std::string>& elements);

  /// The definition of the array.
  std::string definition() const;

 private:
  std::string element_type_;
  std::string name_;
  std::vector<std::string> elements_;
  std::map<std::vector<std::string>, std::size_t> offsets_;
};

/// The C++ source of the tables; `data` is the text of the file called `name`.
std::string generate_operators(std::string_view data);
std::string generate_value_facts(std::string_view data);
std::string generate_releases(std::string_view data, const std::string& name);
std::string generate_kernels(std::string_view data);
std::string generate_contributed(std::string_view data);
std::string generate_exporters(std::string_view data);

}  // namespace factgen
