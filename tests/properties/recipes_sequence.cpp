// Recurrent networks, attention and what stands around it.

#include <limits>

#include "properties/generator.h"

namespace onnxcompat::properties {
namespace {

/// Functions of every direction, and some of their alphas and betas.
void activations(Draft& d, std::int64_t count) {
  Random& r = d.random();
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < count; ++i) {
    names.push_back(r.of({"Relu", "Tanh", "Sigmoid", "Affine", "LeakyRelu", "ThresholdedRelu",
                          "ScaledTanh", "HardSigmoid", "Elu", "Softsign", "Softplus"}));
  }
  d.set("activations", names);
  const auto numbers = [&] {
    Floats some(static_cast<std::size_t>(r.integer(1, count)));
    for (float& x : some) x = r.of({0.3F, 0.5F, 0.75F, 1.0F});
    return some;
  };
  d.maybe("activation_alpha", numbers(), 50);
  d.maybe("activation_beta", numbers(), 50);
}

void recurrent(Draft& d) {
  Random& r = d.random();
  d.tame();
  const std::string direction = d.text("direction");
  const std::int64_t directions = direction == "bidirectional" ? 2 : 1;
  const std::int64_t gates = d.op() == "LSTM" ? 4 : d.op() == "GRU" ? 3 : 1;
  const std::int64_t seq = r.integer(1, 3), batch = r.integer(1, 2), in = r.integer(1, 2),
                     hidden = r.integer(1, 2);
  const bool batch_first = d.has("layout") && r.chance(50);
  const DataType t = d.type("T");
  d.data(t, batch_first ? Dims{batch, seq, in} : Dims{seq, batch, in});
  d.data(t, {directions, gates * hidden, in});
  d.data(t, {directions, gates * hidden, hidden});
  const auto last = r.integer(2, d.op() == "LSTM" ? 7 : 5);
  const Dims state =
      batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  for (std::int64_t i = 3; i <= last; ++i) {
    if (r.chance(40)) {
      d.skip();
    } else if (i == 3) {
      d.data(t, {directions, 2 * gates * hidden});
    } else if (i == 4) {
      d.parameter(d.ranged(DataType::int32, {batch}, 1, static_cast<double>(seq)));
    } else if (i == 7) {
      d.data(t, {directions, 3 * hidden});
    } else {
      d.data(t, state);
    }
  }
  d.set("hidden_size", hidden);
  if (direction != "forward" || r.chance(30)) d.set("direction", direction);
  if (batch_first || r.chance(20)) d.set("layout", std::int64_t{batch_first});
  d.maybe("linear_before_reset", r.integer(0, 1), 50);
  d.maybe("input_forget", std::int64_t{0}, 20);
  d.maybe("clip", 2.0F, 20);
  const std::int64_t functions = d.op() == "LSTM" ? 3 : d.op() == "GRU" ? 2 : 1;
  if (r.chance(40)) activations(d, directions * functions);
  if (d.op() == "LSTM") {
    d.outputs({70, 60, 60});
  } else {
    d.outputs({70, 60});
  }
  if (d.result().outputs.empty()) d.result().outputs = {true};
  if (d.has("output_sequence")) {
    d.set("output_sequence", std::int64_t{d.result().outputs[0]});
  }
}

void attention(Draft& d) {
  Random& r = d.random();
  d.tame();
  const std::int64_t batch = r.integer(1, 2), kv_heads = r.integer(1, 2),
                     heads = kv_heads * r.integer(1, 2), queries = r.integer(1, 3),
                     keys = r.integer(2, 4), size = 2;
  const bool flat = r.chance(40);
  const DataType t1 = d.type("T1");
  const DataType t2 = d.type("T2");
  const auto shaped = [&](std::int64_t n, std::int64_t length) {
    return flat ? Dims{batch, length, n * size} : Dims{batch, n, length, size};
  };
  d.data(t1, shaped(heads, queries));
  d.data(t1, shaped(kv_heads, keys));
  d.data(t2, shaped(kv_heads, keys));
  if (flat) {
    d.set("q_num_heads", heads);
    d.set("kv_num_heads", kv_heads);
  }
  const bool past = r.chance(30);
  const std::int64_t before = past ? r.integer(1, 2) : 0;
  const bool padded = d.since() >= 24 && !past && r.chance(40);
  const bool mask = r.chance(50);
  if (mask) {
    Dims dims{queries, keys + before};
    if (d.since() >= 24 && r.chance(30) && !padded) dims[1] -= 1;
    if (r.chance(50)) {
      d.data(DataType::boolean, dims);
    } else {
      d.data(t1, dims);
    }
  } else if (past || padded) {
    d.skip();
  }
  if (past) {
    d.data(t1, {batch, kv_heads, before, size});
    d.data(t2, {batch, kv_heads, before, size});
  }
  if (padded) {
    if (!past) {
      d.skip();
      d.skip();
    }
    d.parameter(d.ranged(DataType::int64, {batch}, 1, static_cast<double>(keys)));
  }
  d.maybe("is_causal", r.integer(0, 1), 50);
  d.maybe("scale", 0.5F, 30);
  d.maybe("softcap", 2.0F, 30);
  if (r.chance(40)) {
    d.set("qk_matmul_output_mode", r.integer(0, 3));
    d.outputs({100, past ? 100 : 0, past ? 100 : 0, 100});
  } else {
    d.outputs({100, past ? 60 : 0, past ? 60 : 0});
  }
}

void linear_attention(Draft& d) {
  Random& r = d.random();
  d.tame();
  const std::int64_t batch = r.integer(1, 2), length = r.integer(1, 3), kv_heads = r.integer(1, 2),
                     heads = kv_heads * r.integer(1, 2), key = r.integer(1, 3),
                     value = r.integer(1, 3);
  const DataType t = d.type("T");
  const std::string rule = r.of({"linear", "gated", "delta", "gated_delta"});
  const auto packed = [&](std::int64_t width) { return Dims{batch, length, width}; };
  const auto small = [&](const Dims& dims, double low, double high) {
    d.give(d.ranged(t, dims, low, high));
  };
  small(packed(heads * key), -1, 1);
  small(packed(kv_heads * key), -1, 1);
  small(packed(kv_heads * value), -1, 1);
  if (r.chance(50)) {
    // Of the inputs' type, or wide.
    const DataType state = r.chance(50) ? DataType::float32 : t;
    d.bind("S", state);
    d.give(d.ranged(state, {batch, kv_heads, key, value}, -1, 1));
  } else {
    d.skip();
  }
  const bool decays = rule.starts_with("gated");
  const bool corrects = rule.ends_with("delta");
  if (decays) {
    small(packed(kv_heads * (r.chance(50) ? key : 1)), -2, 0);
  } else {
    d.skip();
  }
  if (corrects) small(packed(r.chance(50) ? kv_heads : 1), 0, 1);
  while (d.result().inputs.back().absent()) d.result().inputs.pop_back();
  d.set("q_num_heads", heads);
  d.set("kv_num_heads", kv_heads);
  if (rule != "gated_delta" || r.chance(50)) d.set("update_rule", rule);
  d.maybe("scale", 0.5F, 30);
  d.maybe("chunk_size", r.integer(1, 64), 20);
  d.outputs({100, 100});
}

void rotary_embedding(Draft& d) {
  Random& r = d.random();
  d.tame();
  const std::int64_t batch = r.integer(1, 2), heads = r.integer(1, 3), length = r.integer(1, 3),
                     half = r.integer(1, 3), size = 2 * half;
  const std::int64_t turned = r.chance(50) ? half : r.integer(1, half);
  const bool flat = r.chance(50);
  const DataType t = d.type("T");
  d.data(t, flat ? Dims{batch, length, heads * size} : Dims{batch, heads, length, size});
  const bool by_position = r.chance(50);
  const std::int64_t positions = r.integer(1, 5);
  const Dims cache = by_position ? Dims{positions, turned} : Dims{batch, length, turned};
  d.give(d.ranged(t, cache, -1, 1));
  d.give(d.ranged(t, cache, -1, 1));
  if (by_position) {
    d.parameter(d.ranged(DataType::int64, {batch, length}, 0, static_cast<double>(positions) - 1));
  }
  if (flat || r.chance(30)) d.set("num_heads", heads);
  if (turned < half || r.chance(30)) d.set("rotary_embedding_dim", 2 * turned);
  d.maybe("interleaved", r.integer(0, 1));
}

void tensor_scatter(Draft& d) {
  Random& r = d.random();
  Dims cache = d.dims(2, 4);
  const auto rank = static_cast<std::int64_t>(cache.size());
  std::int64_t axis = rank - 2;
  if (rank == 2 || r.chance(60)) {
    axis = r.integer(1, rank - 1);
    d.set("axis", r.chance(50) ? axis : axis - rank);
  }
  auto& longest = cache[static_cast<std::size_t>(axis)];
  longest += r.integer(1, 3);
  Dims update = cache;
  auto& length = update[static_cast<std::size_t>(axis)];
  length = r.integer(r.chance(10) ? 0 : 1, longest);
  const bool circular = r.chance(50);
  const DataType t = d.type("T");
  d.data(t, cache);
  d.data(t, update);
  if (r.chance(70)) {
    d.parameter(d.ranged(DataType::int64, {cache[0]}, 0,
                         static_cast<double>(circular ? longest - 1 : longest - length)));
  }
  if (circular || r.chance(30)) d.set("mode", std::string(circular ? "circular" : "linear"));
}

void causal_conv(Draft& d) {
  Random& r = d.random();
  d.tame();
  const std::int64_t batch = r.integer(1, 2), channels = r.integer(1, 3), length = r.integer(1, 4),
                     kernel = r.integer(1, 4);
  const DataType t = d.type("T");
  d.data(t, {batch, channels, length});
  d.data(t, {channels, 1, kernel});
  const bool bias = r.chance(50);
  if (bias) d.data(t, {channels});
  if (r.chance(50)) {
    if (!bias) d.skip();
    d.data(t, {batch, channels, kernel - 1});
  }
  d.any("activation");
  d.outputs({100, 100});
}

}  // namespace

void add_sequences(Recipes& r) {
  for (const char* op : {"RNN", "GRU", "LSTM"}) r[op] = recurrent;
  r["Attention"] = attention;
  r["LinearAttention"] = linear_attention;
  r["RotaryEmbedding"] = rotary_embedding;
  r["TensorScatter"] = tensor_scatter;
  r["CausalConvWithState"] = causal_conv;
}

}  // namespace onnxcompat::properties
