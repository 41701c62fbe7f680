#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "inference/rules.h"

namespace onnxcompat::infer {
namespace {

/// numpy.matmul: vectors are rows or columns, leading dimensions broadcast.
void multiply(Context& c, int left, int right) {
  const Shape* a = c.shape(left);
  const Shape* b = c.shape(right);
  if (a == nullptr || b == nullptr) return;
  if (a->empty() || b->empty()) {
    c.conflict(fmt::format("input {} of {} has rank 0", a->empty() ? left : right, c.op()));
    return;
  }
  Shape x = *a;
  Shape y = *b;
  const bool row = x.size() == 1;
  const bool column = y.size() == 1;
  if (row) x.insert(x.begin(), dim(1));
  if (column) y.push_back(dim(1));
  const Dim& inner_x = x.back();
  const Dim& inner_y = y[y.size() - 2];
  if (inner_x.value && inner_y.value && *inner_x.value != *inner_y.value) {
    c.conflict(fmt::format("shapes {} and {} cannot be multiplied", describe(*a), describe(*b)));
  }
  auto out = c.broadcast(Shape(x.begin(), x.end() - 2), Shape(y.begin(), y.end() - 2));
  if (!out) return;
  if (!row) out->push_back(x[x.size() - 2]);
  if (!column) out->push_back(y.back());
  c.set_shape(0, std::move(*out));
}

/// One operand's or the result's subscripts.
struct Subscripts {
  std::string before;  ///< the ellipsis
  bool ellipsis = false;
  std::string after;
};

std::optional<Subscripts> subscripts(std::string_view text) {
  Subscripts out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char ch = text[i];
    if (ch == ' ') continue;
    if (ch == '.') {
      if (out.ellipsis || text.substr(i, 3) != "...") return std::nullopt;
      out.ellipsis = true;
      i += 2;
    } else if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')) {
      (out.ellipsis ? out.after : out.before) += ch;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace

void mat_mul(Context& c) { multiply(c, 0, 1); }
void q_linear_mat_mul(Context& c) { multiply(c, 0, 3); }

void gemm(Context& c) {
  const Shape* a = c.shape_of_rank(0, 2);
  const Shape* b = c.shape_of_rank(1, 2);
  const bool flip_a = c.integer_or("transA", 0) != 0;
  const bool flip_b = c.integer_or("transB", 0) != 0;
  Shape out(2);
  if (a != nullptr) out[0] = (*a)[flip_a ? 1 : 0];
  if (b != nullptr) out[1] = (*b)[flip_b ? 0 : 1];
  if (a != nullptr && b != nullptr) {
    const Dim& x = (*a)[flip_a ? 0 : 1];
    const Dim& y = (*b)[flip_b ? 1 : 0];
    if (x.value && y.value && *x.value != *y.value) {
      c.conflict(fmt::format("shapes {} and {} cannot be multiplied", describe(*a), describe(*b)));
    }
  }
  c.set_shape(0, std::move(out));
}

void det(Context& c) {
  const Shape* in = c.shape(0);
  if (in == nullptr) return;
  if (in->size() < 2) {
    c.conflict(fmt::format("input 0 has rank {}, Det needs 2 or more", in->size()));
    return;
  }
  c.same((*in)[in->size() - 2], in->back(), "rows and columns");
  c.set_shape(0, Shape(in->begin(), in->end() - 2));
}

void einsum(Context& c) {
  const std::string equation = c.string("equation");
  const std::size_t arrow = equation.find("->");
  std::string_view left = std::string_view(equation).substr(0, arrow);
  std::map<char, Dim> sizes;
  std::map<char, int> uses;
  Shape ellipsis;
  bool known = true;  // is the ellipsis' shape?
  for (int i = 0; i < c.input_count(); ++i) {
    const std::size_t comma = left.find(',');
    const auto term = subscripts(left.substr(0, comma));
    if (!term) return c.conflict(fmt::format("equation \"{}\" cannot be read", equation));
    for (const char ch : term->before + term->after) ++uses[ch];
    const Shape* in = c.shape(i);
    const std::size_t letters = term->before.size() + term->after.size();
    if (in == nullptr) {
      for (const char ch : term->before + term->after) sizes.try_emplace(ch);
      known = known && !term->ellipsis;
    } else if (in->size() < letters || (in->size() > letters && !term->ellipsis)) {
      return c.conflict(fmt::format("input {} has rank {}, the equation \"{}\" says otherwise", i,
                                    in->size(), equation));
    } else {
      const std::size_t tail = in->size() - term->after.size();
      const auto put = [&](char ch, const Dim& d) {
        const auto [at, added] = sizes.try_emplace(ch, d);
        if (added) return;
        // A dimension of size 1 may be broadcast [Einsum-12].
        at->second = c.broadcast(at->second, d);
      };
      for (std::size_t k = 0; k < term->before.size(); ++k) put(term->before[k], (*in)[k]);
      for (std::size_t k = 0; k < term->after.size(); ++k) put(term->after[k], (*in)[tail + k]);
      if (term->ellipsis) {
        const Shape middle(in->begin() + static_cast<std::ptrdiff_t>(term->before.size()),
                           in->begin() + static_cast<std::ptrdiff_t>(tail));
        auto joined = c.broadcast(ellipsis, middle);
        if (!joined) return;
        ellipsis = std::move(*joined);
      }
    }
    left = comma == std::string_view::npos ? std::string_view{} : left.substr(comma + 1);
  }

  Subscripts result;
  if (arrow != std::string::npos) {
    const auto term = subscripts(std::string_view(equation).substr(arrow + 2));
    if (!term) return c.conflict(fmt::format("equation \"{}\" cannot be read", equation));
    result = *term;
  } else {
    // Without an arrow: the ellipsis, then the letters used once in order.
    result.ellipsis = equation.find('.') != std::string::npos;
    for (const auto& [ch, count] : uses) {
      if (count == 1) result.after += ch;
    }
  }
  if (result.ellipsis && !known) return;
  Shape out;
  for (const char ch : result.before) out.push_back(sizes[ch]);
  if (result.ellipsis) out.insert(out.end(), ellipsis.begin(), ellipsis.end());
  for (const char ch : result.after) out.push_back(sizes[ch]);
  c.set_shape(0, std::move(out));
}

}  // namespace onnxcompat::infer
