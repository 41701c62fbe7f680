#include "adapters/ops/equation.h"

#include <map>
#include <string_view>

#include <fmt/format.h>

namespace onnxcompat::adapters {
namespace {

/// One term of an equation.
struct Term {
  std::string_view before, after;  ///< the letters around the ellipsis
  bool ellipsis = false;

  int letters() const { return static_cast<int>(before.size() + after.size()); }
  Labels labels(int dots) const {
    Labels all(before.begin(), before.end());
    for (int k = dots; k > 0; --k) all.push_back(-k);
    all.insert(all.end(), after.begin(), after.end());
    return all;
  }
};

std::optional<Term> read_term(std::string_view text) {
  Term term{text, {}, false};
  if (const auto dots = text.find("..."); dots != std::string_view::npos) {
    term = {text.substr(0, dots), text.substr(dots + 3), true};
  }
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const bool sane =
      std::ranges::all_of(term.before, is_letter) && std::ranges::all_of(term.after, is_letter);
  // No tensor has so many dims.
  constexpr int kMaxRank = 64;
  return sane && term.letters() <= kMaxRank ? std::optional(term) : std::nullopt;
}

/// Without "->": the labels that come up once, by their characters, after the ellipsis [Einsum-12].
Labels implied_output(const std::vector<Labels>& terms, int dots) {
  std::map<Label, int> times;
  for (const Labels& term : terms) {
    for (const Label label : term) ++times[label];
  }
  Labels output;
  for (int k = dots; k > 0; --k) output.push_back(-k);
  for (const auto& [label, count] : times) {
    if (label > 0 && count == 1) output.push_back(label);
  }
  return output;
}

}  // namespace

std::optional<Equation> read_equation(NodeEdit& e) {
  std::string text = e.string_or("equation", "");
  if (e.refused()) return std::nullopt;
  const auto malformed = [&]() -> std::optional<Equation> {
    e.refuse(fmt::format("its equation \"{}\" does not fit its inputs", text));
    return std::nullopt;
  };
  std::erase(text, ' ');
  const std::size_t arrow = text.find("->");
  std::string_view left = std::string_view(text).substr(0, arrow);
  std::vector<Term> terms;
  for (bool more = true; more;) {
    const std::size_t comma = left.find(',');
    const auto term = read_term(left.substr(0, comma));
    if (!term) return malformed();
    terms.push_back(*term);
    more = comma != std::string_view::npos;
    if (more) left = left.substr(comma + 1);
  }
  if (std::ssize(terms) != e.input_count()) return malformed();
  Equation equation;
  for (int i = 0; i < e.input_count(); ++i) {
    const Term& term = terms[static_cast<std::size_t>(i)];
    equation.joined = equation.joined || (term.ellipsis && !e.rank(i));
  }
  int widest = 0;
  for (int i = 0; i < e.input_count(); ++i) {
    const Term& term = terms[static_cast<std::size_t>(i)];
    int dots = e.rank(i).value_or(term.letters()) - term.letters();
    if (!e.has_input(i) || dots < 0 || (dots > 0 && !term.ellipsis)) return malformed();
    if (equation.joined) dots = term.ellipsis ? 1 : 0;
    widest = std::max(widest, dots);
    equation.terms.push_back(term.labels(dots));
  }
  if (arrow == std::string::npos) {
    equation.output = implied_output(equation.terms, widest);
    return equation;
  }
  const auto output = read_term(std::string_view(text).substr(arrow + 2));
  if (!output) return malformed();
  equation.output = output->labels(output->ellipsis ? widest : 0);
  for (std::size_t i = 0; i < equation.output.size(); ++i) {
    const Label label = equation.output[i];
    const auto earlier = equation.output.begin() + static_cast<std::ptrdiff_t>(i);
    const bool known =
        std::ranges::any_of(equation.terms, [&](const Labels& t) { return holds(t, label); });
    if (!known || std::find(equation.output.begin(), earlier, label) != earlier) return malformed();
  }
  return equation;
}

}  // namespace onnxcompat::adapters
