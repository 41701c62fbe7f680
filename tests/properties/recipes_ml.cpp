// ai.onnx.ml: LabelEncoder and trees.

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "properties/generator.h"

namespace onnxcompat::properties {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Three keys, two of them the same where that has one meaning, or three values.
TensorLiteral labels(Draft& d, const std::string& side, bool key, bool tensors) {
  Random& r = d.random();
  const bool twice = key && d.since() < 4 && r.chance(20);
  if (side == "strings") {
    return TensorLiteral::of_strings({3}, {"a", "b", key && !twice ? "abc" : "a"});
  }
  const auto of = [&](DataType type, const std::vector<double>& list) {
    return TensorLiteral::of(type, {3}, list);
  };
  if (side == "int64s") {
    const auto shift = static_cast<double>(r.integer(-1, 1));
    const DataType type =
        tensors ? r.of({DataType::int64, DataType::int32, DataType::int16}) : DataType::int64;
    return of(type, {shift, 1 + shift, twice ? shift : 2 + shift});
  }
  const DataType type = tensors ? r.of({DataType::float32, DataType::float64}) : DataType::float32;
  return of(type, {0.5, key ? r.of({-1.0, -0.0, kNan}) : -1.0, twice ? 0.5 : r.of({2.0, 0.1})});
}

void label_encoder(Draft& d) {
  Random& r = d.random();
  const Dims dims = d.dims(1, 2);
  if (d.since() == 1) {
    d.set("classes_strings", std::vector<std::string>{"a", "b", "abc"});
    const DataType t = d.type("T1");
    d.give(t == DataType::string ? d.values(t, dims) : d.ranged(t, dims, -1, 4));
    d.maybe("default_int64", std::int64_t{-7});
    d.maybe("default_string", std::string("none"));
    return;
  }
  const std::vector<std::string> sides{"strings", "int64s", "floats"};
  const std::string from = r.of(sides);
  const std::string to = r.of(sides);
  const bool tensors = d.has("keys_tensor") && r.chance(40);
  const auto list = [&](const std::string& name, const std::string& side, bool key) {
    TensorLiteral literal = labels(d, side, key, tensors);
    const DataType type = literal.type;
    if (tensors) {
      d.set(name + "tensor", std::move(literal));
    } else if (side == "strings") {
      d.set(name + "strings", literal.strings);
    } else if (side == "int64s") {
      d.set(name + "int64s", *literal.to_ints());
    } else {
      const auto wide = *literal.to_doubles();
      d.set(name + "floats", Floats(wide.begin(), wide.end()));
    }
    return type;
  };
  const DataType in = list("keys_", from, true);
  const DataType out = list("values_", to, false);
  if (tensors) d.bind("T1", in);
  if (in == DataType::string) {
    d.data(in, dims);
  } else if (from == "int64s") {
    d.give(d.chosen(in, dims, {-1, 0, 1, 2, 3}));
  } else {
    d.give(d.chosen(in, dims, {0, -0.0, 0.1, 0.5, -1, 2, kNan}));
  }
  if (to == "strings") d.maybe("default_string", std::string("none"));
  if (to == "int64s") d.maybe("default_int64", std::int64_t{-7});
  if (to == "floats") d.maybe("default_float", -7.0F);
  if (!tensors || r.chance(50)) return;
  const double number = r.of({-3.0, 7.0});
  d.set("default_tensor", out == DataType::string ? TensorLiteral::of_strings({1}, {"other"})
                                                  : TensorLiteral::of(out, {1}, {&number, 1}));
}

/// A forest of small trees, as the lists of the classifier and the regressor.
struct Forest {
  Ints trees, ids, features, if_true, if_false, missing;
  Floats values;
  std::vector<std::string> modes;
  Ints vote_trees, vote_nodes, vote_ids;
  Floats weights;
};

Forest forest(Draft& d, std::int64_t targets, bool several_votes) {
  Random& r = d.random();
  Forest f;
  const std::vector<std::string> modes{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                       "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
  const bool one_mode = r.chance(50);
  const std::string mode = r.of(modes);
  const std::int64_t count = r.integer(1, 3);
  for (std::int64_t tree = 0; tree < count; ++tree) {
    const bool deep = r.chance(60);
    const std::int64_t nodes = r.chance(15) ? 1 : deep ? 5 : 3;
    for (std::int64_t id = 0; id < nodes; ++id) {
      const bool leaf = nodes == 1 || (nodes == 3 ? id > 0 : id > 1);
      f.trees.push_back(tree);
      f.ids.push_back(id);
      f.features.push_back(leaf ? 0 : r.integer(0, 2));
      f.modes.push_back(leaf ? "LEAF" : one_mode ? mode : r.of(modes));
      f.values.push_back(leaf ? 0 : static_cast<float>(r.integer(-2, 2)) / 2);
      f.if_true.push_back(leaf ? 0 : id == 0 ? 1 : 3);
      f.if_false.push_back(leaf ? 0 : id == 0 ? 2 : 4);
      f.missing.push_back(leaf ? 0 : r.integer(0, 1));
      if (!leaf) continue;
      const std::int64_t first = r.integer(0, targets - 1);
      const std::int64_t votes = several_votes && r.chance(40) ? targets : r.chance(95) ? 1 : 0;
      for (std::int64_t v = 0; v < votes; ++v) {
        f.vote_trees.push_back(tree);
        f.vote_nodes.push_back(id);
        f.vote_ids.push_back((first + v) % targets);
        f.weights.push_back(static_cast<float>(r.integer(-4, 4)) / 4);
      }
    }
  }
  return f;
}

void write(Draft& d, const Forest& f, const std::string& votes) {
  Random& r = d.random();
  d.set("nodes_treeids", f.trees);
  d.set("nodes_nodeids", f.ids);
  d.set("nodes_featureids", f.features);
  d.set("nodes_modes", f.modes);
  d.set("nodes_truenodeids", f.if_true);
  d.set("nodes_falsenodeids", f.if_false);
  d.maybe("nodes_missing_value_tracks_true", f.missing);
  const auto reals = [&](const std::string& name, const Floats& list) {
    if (d.has(name + "_as_tensor") && r.chance(30)) {
      const std::vector<double> wide(list.begin(), list.end());
      return d.set(
          name + "_as_tensor",
          TensorLiteral::of(DataType::float64, {static_cast<std::int64_t>(wide.size())}, wide));
    }
    d.set(name, list);
  };
  reals("nodes_values", f.values);
  d.set(votes + "_treeids", f.vote_trees);
  d.set(votes + "_nodeids", f.vote_nodes);
  d.set(votes + "_ids", f.vote_ids);
  reals(votes + "_weights", f.weights);
}

void features(Draft& d, const char* type_str) {
  Random& r = d.random();
  const DataType t = d.type(type_str);
  d.give(d.chosen(t, {r.integer(1, 4), 3}, {-1, -0.5, 0, 0.5, 1, 2}));
}

void regressor(Draft& d) {
  Random& r = d.random();
  const std::int64_t targets = r.integer(1, 2);
  write(d, forest(d, targets, true), "target");
  d.set("n_targets", targets);
  d.any("aggregate_function");
  d.any("post_transform", 30);
  if (r.chance(30)) d.set("base_values", Floats(static_cast<std::size_t>(targets), 0.5F));
  features(d, "T");
}

void classifier(Draft& d) {
  Random& r = d.random();
  const std::int64_t classes = r.integer(2, 3);
  write(d, forest(d, classes, true), "class");
  if (r.chance(50)) {
    d.set("classlabels_strings", classes == 2 ? std::vector<std::string>{"no", "yes"}
                                              : std::vector<std::string>{"a", "b", "c"});
  } else {
    d.set("classlabels_int64s", classes == 2 ? Ints{3, 5} : Ints{3, 5, 7});
  }
  d.any("post_transform", 30);
  if (r.chance(30)) d.set("base_values", Floats(static_cast<std::size_t>(classes), 0.5F));
  features(d, "T1");
  d.result().outputs = {true, true};
}

}  // namespace

void add_ml(Recipes& r) {
  r["ai.onnx.ml:LabelEncoder"] = label_encoder;
  r["ai.onnx.ml:TreeEnsembleRegressor"] = regressor;
  r["ai.onnx.ml:TreeEnsembleClassifier"] = classifier;
}

}  // namespace onnxcompat::properties
