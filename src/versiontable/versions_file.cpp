#include "versiontable/versions_file.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "support/json_depth.h"
#include "support/strings.h"
#include "versiontable/version_number.h"

namespace onnxcompat {
namespace {

using Json = nlohmann::ordered_json;

/// Stays within this file: parse_versions() turns it into an Error.
struct Malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void check_keys(const Json& object, const std::string& where,
                std::span<const std::string_view> known) {
  if (!object.is_object()) throw Malformed(where + " is not an object");
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    const auto meant = did_you_mean(key, known);
    throw Malformed(fmt::format("{}: unknown field '{}'{}", where, key,
                                meant ? fmt::format("; did you mean '{}'?", *meant) : ""));
  }
}

const Json& required(const Json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) throw Malformed(fmt::format("{}: '{}' is missing", where, key));
  return *found;
}

std::string text_of(const Json& value, const char* key, const std::string& where) {
  if (!value.is_string()) throw Malformed(fmt::format("{}: '{}' is not a text", where, key));
  std::string text = value.get<std::string>();
  if (text.empty()) throw Malformed(fmt::format("{}: '{}' is empty", where, key));
  return text;
}

int number_of(const Json& value, std::string_view key, const std::string& where) {
  constexpr int kLargest = 1'000'000;
  if (!value.is_number_integer() || value < 1 || value > kLargest) {
    throw Malformed(fmt::format("{}: '{}' is not a positive version number", where, key));
  }
  return value.get<int>();
}

bool is_date(std::string_view text) {
  constexpr std::string_view kPattern = "dddd-dd-dd";
  if (text.size() != 4 && text.size() != kPattern.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kPattern[i] == 'd' ? !digit : text[i] != kPattern[i]) return false;
  }
  return true;
}

/// The enumerator, of `values`, that has this name.
template <class Enum, std::size_t N>
Enum enumerator(const std::array<Enum, N>& values, const std::string& name, const char* key,
                const std::string& where) {
  std::string known;
  for (const Enum value : values) {
    if (name_of(value) == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(name_of(value));
  }
  throw Malformed(fmt::format("{}: '{}' is '{}', not one of {}", where, key, name, known));
}

class Reader {
 public:
  explicit Reader(std::span<const Release> known) : known_(known) {}

  VersionsFile read(const Json& root) {
    constexpr std::array<std::string_view, 2> kKeys = {"format", "products"};
    check_keys(root, "the file", kKeys);
    if (required(root, "format", "the file") != 1) throw Malformed("the format is not 1");
    const Json& products = required(root, "products", "the file");
    if (!products.is_array()) throw Malformed("'products' is not an array");
    for (const Json& product : products) read_product(product);
    file_.texts = texts_;
    return std::move(file_);
  }

 private:
  void read_product(const Json& object) {
    constexpr std::array<std::string_view, 5> kKeys = {"name", "title", "aliases", "defaults",
                                                       "releases"};
    const std::string place = fmt::format("product {}", file_.products.size() + 1);
    check_keys(object, place, kKeys);
    Product product;
    product.name = keep(text_of(required(object, "name", place), "name", place));
    const std::string where(product.name);
    if (std::ranges::count(file_.products, product.name, &Product::name) != 0) {
      throw Malformed(where + ": appears twice");
    }
    product.title = product.name;
    if (const auto title = object.find("title"); title != object.end()) {
      product.title = keep(text_of(*title, "title", where));
    }
    product.aliases = texts(object, "aliases", where);
    file_.products.push_back(product);

    const Json defaults = object.value("defaults", Json::object());
    check_keys(defaults, where + ": defaults", kReleaseKeys);
    const Json& releases = required(object, "releases", where);
    if (!releases.is_array()) throw Malformed(where + ": 'releases' is not an array");
    for (std::size_t i = 0; i < releases.size(); ++i) {
      const Json& release = releases[i];
      check_keys(release, fmt::format("{}: release {}", where, i + 1), kReleaseKeys);
      Json row = defaults;
      row.update(release);
      read_release(row, product, where);
    }
  }

  void read_release(const Json& row, const Product& product, const std::string& product_name) {
    Release release;
    release.product = product.name;
    release.version =
        keep(text_of(required(row, "version", product_name), "version", product_name));
    const std::string where = fmt::format("{} {}", product_name, release.version);
    const auto text = [&](const char* key) -> std::string_view {
      const auto found = row.find(key);
      return found == row.end() ? std::string_view() : keep(text_of(*found, key, where));
    };
    required(row, "source", where);
    release.source = text("source");
    release.until = text("until");
    release.date = text("date");
    release.note = text("note");
    release.bundles = text("bundles");
    release.names = texts(row, "names", where);
    if (!release.date.empty() && !is_date(release.date)) {
      throw Malformed(where + ": 'date' is not of the form 2023-02-09");
    }
    if (const std::string_view evidence = text("evidence"); !evidence.empty()) {
      constexpr std::array kValues = {Evidence::documented, Evidence::measured, Evidence::stated};
      release.evidence = enumerator(kValues, std::string(evidence), "evidence", where);
    }
    if (const std::string_view confidence = text("confidence"); !confidence.empty()) {
      constexpr std::array kValues = {Confidence::measured, Confidence::high, Confidence::medium,
                                      Confidence::low};
      release.confidence = enumerator(kValues, std::string(confidence), "confidence", where);
    }
    release.ceilings = ceilings(row, where);
    if (!release.bundles.empty()) {
      if (!release.ceilings.empty()) {
        throw Malformed(where + ": has both ceilings and 'bundles'");
      }
      release.ceilings = bundled(release.bundles, where);
    }
    for (const Release& other : file_.releases) {
      if (other.product == release.product && other.version == release.version &&
          other.evidence == release.evidence) {
        throw Malformed(where + ": appears twice");
      }
    }
    file_.releases.push_back(std::move(release));
  }

  static Ceilings ceilings(const Json& row, const std::string& where) {
    Ceilings result;
    if (const auto ir = row.find("ir"); ir != row.end()) {
      result.ir_version = number_of(*ir, "ir", where);
    }
    if (const auto floor = row.find("min_opset"); floor != row.end()) {
      result.min_ai_onnx = number_of(*floor, "min_opset", where);
    }
    if (const auto opsets = row.find("opsets"); opsets != row.end()) {
      if (!opsets->is_object()) throw Malformed(where + ": 'opsets' is not an object");
      for (const auto& [domain, version] : opsets->items()) {
        result.opsets.push_back(
            {domain == "ai.onnx" ? "" : domain, number_of(version, domain, where)});
      }
    }
    return result;
  }

  /// `what`: "onnxruntime 1.14.1".
  Ceilings bundled(std::string_view what, const std::string& where) const {
    const std::size_t space = what.find(' ');
    if (space == std::string_view::npos) {
      throw Malformed(where + ": 'bundles' is not of the form \"onnxruntime 1.14.1\"");
    }
    const std::string_view product = what.substr(0, space);
    const std::string_view version = what.substr(space + 1);
    std::vector<Release> rows(known_.begin(), known_.end());
    for (const Release& row : file_.releases) insert_release(rows, row);
    if (const Release* row = deciding_release(rows, product, version)) return row->ceilings;
    throw Malformed(fmt::format("{}: bundles '{}', of which there is no row", where, what));
  }

  std::vector<std::string_view> texts(const Json& object, const char* key,
                                      const std::string& where) {
    std::vector<std::string_view> result;
    const auto found = object.find(key);
    if (found == object.end()) return result;
    if (!found->is_array()) throw Malformed(fmt::format("{}: '{}' is not an array", where, key));
    for (const Json& text : *found) result.push_back(keep(text_of(text, key, where)));
    return result;
  }

  std::string_view keep(std::string text) { return texts_->emplace_back(std::move(text)); }

  static constexpr std::array<std::string_view, 12> kReleaseKeys = {
      "version", "until",  "names",     "date",    "evidence", "confidence",
      "ir",      "opsets", "min_opset", "bundles", "source",   "note"};

  std::span<const Release> known_;
  VersionsFile file_;
  std::shared_ptr<std::deque<std::string>> texts_ = std::make_shared<std::deque<std::string>>();
};

}  // namespace

Result<VersionsFile> parse_versions(std::string_view text, const std::string& name,
                                    std::span<const Release> known) {
  if (json_depth(text) > kMostJsonDepth) {
    return fail(ExitCode::usage, fmt::format("{}: is nested too deeply", name));
  }
  try {
    return Reader(known).read(Json::parse(text));
  } catch (const Malformed& e) {
    return fail(ExitCode::usage, fmt::format("{}: {}", name, e.what()));
  } catch (const Json::parse_error& e) {
    return fail(ExitCode::usage, fmt::format("{}: not JSON at byte {}", name, e.byte));
  } catch (const Json::exception& e) {
    return fail(ExitCode::usage, fmt::format("{}: {}", name, e.what()));
  }
}

}  // namespace onnxcompat
