#pragma once

// Arithmetic on dimensions. A dimension that is not a number is a symbol; sums, products and
// divisions of symbols are kept in a normal form (polynomials with integer coefficients), so that
// two ways of writing one size get one symbol: (N + 1) - 1 is N, 4 * N / 2 / N is 2.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inference/inference.h"

namespace onnxcompat::infer {

inline Dim dim(std::int64_t value) { return Dim{value, {}}; }
inline bool is_unknown(const Dim& d) { return !d.value && d.symbol.empty(); }
inline bool is_generated(std::string_view symbol) { return symbol.starts_with('?'); }

/// The number in a generated symbol's name; -1 for declared ones.
std::int64_t generation(std::string_view symbol);

class Symbols {
 public:
  /// A symbol that nothing else equals.
  Dim fresh();
  /// Generated symbols with this number or a greater one do not exist yet.
  std::int64_t watermark() const { return next_; }

  // Unknown operands, and results beyond 63 bits or too long to keep, give an unknown dimension.
  Dim add(const Dim& a, const Dim& b);
  Dim sub(const Dim& a, const Dim& b);
  Dim mul(const Dim& a, const Dim& b);
  /// a / b where b is known to divide a; unknown if that cannot be written down.
  Dim exact_div(const Dim& a, const Dim& b);
  /// Quotients of sizes rounded down or up; unknown unless b is a number above zero.
  Dim floor_div(const Dim& a, std::int64_t b);
  Dim ceil_div(const Dim& a, std::int64_t b);
  /// One symbol for each `what` and operand: a size that follows from them in a way the normal
  /// form cannot express.
  Dim opaque(std::string_view what, const Dim& a);

  /// Can the value never be negative (so that a shape tensor's element is a dimension)?
  bool is_size(const Dim& d) const;
  /// States that a derived symbol is the size of something.
  void mark_size(const Dim& d);

 private:
  using Term = std::vector<int>;              ///< sorted atoms, multiplied
  using Poly = std::map<Term, std::int64_t>;  ///< coefficient of each term, none of them zero

  int atom(const std::string& symbol);
  std::optional<Poly> poly_of(const Dim& d);
  Dim dim_of(const Poly& poly);
  Dim combine(const Dim& a, const Dim& b, std::int64_t factor);

  std::int64_t next_ = 0;
  std::unordered_map<std::string, int> atoms_;
  std::vector<std::string> names_;
  struct Derived {
    Poly poly;
    bool size = false;
  };
  std::unordered_map<std::string, Derived> derived_;    ///< by symbol
  std::unordered_map<std::string, std::string> known_;  ///< normal form or opaque key -> symbol
};

}  // namespace onnxcompat::infer
