// LinearAttention: its recurrence as a Scan over the tokens.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "adapters/blocks.h"
#include "adapters/registry.h"

namespace onnxcompat::adapters {
namespace {

/// What the attributes say, and the sizes of a head where they are known.
struct Heads {
  std::int64_t queries = 0;
  std::int64_t keys = 0;
  bool decays = false;    ///< "gated", "gated_delta"
  bool corrects = false;  ///< "delta", "gated_delta"
  std::int64_t key_size = -1;
  std::int64_t value_size = -1;
};

/// Nothing if the node was refused.
std::optional<Heads> heads_of(NodeEdit& e) {
  Heads h;
  h.queries = e.int_or("q_num_heads", 0);
  h.keys = e.int_or("kv_num_heads", 0);
  const std::string rule = e.string_or("update_rule", "gated_delta");
  if (e.refused()) return std::nullopt;
  const auto refuse = [&](std::string reason) {
    e.refuse(std::move(reason));
    return std::nullopt;
  };
  if (h.queries < 1 || h.keys < 1 || h.queries % h.keys != 0) {
    return refuse("its numbers of heads do not fit");
  }
  h.decays = rule == "gated" || rule == "gated_delta";
  h.corrects = rule == "delta" || rule == "gated_delta";
  if (!h.decays && !h.corrects && rule != "linear") {
    return refuse(fmt::format("its update_rule \"{}\" is not known", rule));
  }
  if ((h.decays && !e.has_input(4)) || (h.corrects && !e.has_input(5))) {
    return refuse(fmt::format("update_rule \"{}\" needs an input that is missing", rule));
  }
  const auto share = [&](int i, std::int64_t heads) {
    const auto all = e.dim(e.input(i), 2);
    return all && *all > 0 ? *all / heads : -1;
  };
  h.key_size = std::max(share(0, h.queries), share(1, h.keys));
  h.value_size = share(2, h.keys);
  return h;
}

/// [LinearAttention-27] in float32, whatever the types.
class Recurrence {
 public:
  Recurrence(NodeEdit& e, const Heads& heads) : e_(e), h_(heads) {}

  void write() {
    const DataType type = e_.need_dtype(0);
    const DataType state_type = e_.has_input(3) ? e_.need_dtype(3) : type;
    if (e_.refused()) return;
    const std::int64_t share = h_.queries / h_.keys;
    // [batch, token, key head, …]: the queries that share a key head, in rows.
    const Value q = binary(e_, "Mul", parted(0, {h_.keys, share, h_.key_size}), scale());
    const Value k = parted(1, {h_.keys, 1, h_.key_size});
    const Value v = parted(2, {h_.keys, 1, h_.value_size});
    std::vector<Value> inputs{past(), q, k, v};
    if (h_.decays) {
      const auto size = e_.dim(e_.input(4), 2);
      inputs.push_back(unary(e_, "Exp", parted(4, {h_.keys, size ? *size / h_.keys : -1, 1})));
    }
    if (h_.corrects) inputs.push_back(unsqueeze(e_, cast(e_, e_.input(5), kWork), {3, 4}));

    Subgraph body = e_.subgraph("token");
    write_step(body);
    const Ints ones(inputs.size() - 1, 1);
    auto results = e_.emit_in({}, 9, "Scan", inputs, 2,
                              {{"body", body},
                               {"num_scan_inputs", static_cast<std::int64_t>(ones.size())},
                               {"scan_input_axes", ones},
                               {"scan_output_axes", Ints{1}}});
    e_.set_type(results[0], kWork, 4);
    e_.set_type(results[1], kWork, 5);
    std::int64_t width = -1;
    if (h_.value_size > 0 && __builtin_mul_overflow(h_.queries, h_.value_size, &width)) width = -1;
    e_.rounds();
    e_.replace({cast(e_, reshape(e_, results[1], Ints{0, 0, width}), type),
                cast(e_, results[0], state_type)});
  }

 private:
  static constexpr DataType kWork = DataType::float32;

  /// Input i with its last dim taken apart.
  Value parted(int i, const Ints& parts) {
    Ints shape{0, 0};
    shape.insert(shape.end(), parts.begin(), parts.end());
    return reshape(e_, cast(e_, e_.input(i), kWork), shape);
  }

  Value scale() {
    const auto given = static_cast<double>(e_.float_or("scale", 0));
    if (given != 0) return e_.number(given, kWork, "scale");
    if (h_.key_size > 0) {
      return e_.number(1 / std::sqrt(static_cast<double>(h_.key_size)), kWork, "scale");
    }
    return unary(e_, "Reciprocal", unary(e_, "Sqrt", cast(e_, size_of(0, h_.queries), kWork)));
  }

  /// What each of so many heads has of the last dim of input i.
  Value size_of(int i, std::int64_t heads) {
    return binary(e_, "Div", dim_of(e_, e_.input(i), 2), e_.ints({heads}, "heads"));
  }

  Value past() {
    if (e_.has_input(3)) return cast(e_, e_.input(3), kWork);
    const Value shape = concat(e_,
                               {dim_of(e_, e_.input(0), 0), e_.ints({h_.keys}, "heads"),
                                size_of(1, h_.keys), size_of(2, h_.keys)},
                               0);
    return filled(e_, shape, 0, kWork);
  }

  /// The state [batch, key head, key size, value size] and the outputs after one token.
  void write_step(Subgraph& body) const {
    Value state = body.input("state", kWork, 4);
    const Value q = body.input("query", kWork, 4);
    const Value k = body.input("key", kWork, 4);
    Value v = body.input("value", kWork, 4);
    const auto product_of = [&](const Value& a, const Value& b) {
      return body.emit_in({}, 1, "MatMul", {a, b}, 1, {}).front();
    };
    if (h_.decays) state = binary(body, "Mul", state, body.input("decay", kWork, 4));
    if (h_.corrects) {
      const Value rate = body.input("rate", kWork, 4);
      v = binary(body, "Mul", rate, binary(body, "Sub", v, product_of(k, state)));
    }
    state = binary(body, "Add", state, binary(body, "Mul", transpose(body, k, {0, 1, 3, 2}), v));
    body.output(state);
    body.output(product_of(q, state));
  }

  NodeEdit& e_;
  const Heads& h_;
};

void linear_attention(NodeEdit& e) {
  const auto heads = heads_of(e);
  if (heads) Recurrence(e, *heads).write();
}

}  // namespace

void register_linear_attention(Registry& t) {
  t.expand("LinearAttention", linear_attention, "a Scan over the tokens");
}

}  // namespace onnxcompat::adapters
