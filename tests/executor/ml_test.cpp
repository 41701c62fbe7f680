#include "executor/run_text.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

std::string ml(int version) { return fmt::format("\"\" : 15, \"ai.onnx.ml\" : {}", version); }

Value strings(std::vector<std::string> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Value{Tensor::of_strings({count}, std::move(values))};
}

const NamedValues kRows = {{"x", floats({3, 2}, {1, 5, 3, 5, std::nanf(""), -1})}};

/// Two trees: x0 <= 2 ? 10 : (x1 > 4 ? 20 : 30), and a leaf of 1.
const std::string kNodes =
    "nodes_treeids = [0, 0, 0, 0, 0, 1], nodes_nodeids = [0, 1, 2, 3, 4, 0], "
    "nodes_featureids = [0, 0, 1, 0, 0, 0], nodes_values = [2.0, 0.0, 4.0, 0.0, 0.0, 0.0], "
    "nodes_modes = [\"BRANCH_LEQ\", \"LEAF\", \"BRANCH_GT\", \"LEAF\", \"LEAF\", \"LEAF\"], "
    "nodes_truenodeids = [1, 0, 3, 0, 0, 0], nodes_falsenodeids = [2, 0, 4, 0, 0, 0]";

std::string regressor(const std::string& more) {
  return "g (float[] x) => (float[] y) { y = ai.onnx.ml.TreeEnsembleRegressor<" + kNodes +
         ", target_treeids = [0, 0, 0, 1], target_nodeids = [1, 3, 4, 0], target_ids = [0, 0, 0, "
         "0], "
         "target_weights = [10.0, 20.0, 30.0, 1.0], n_targets = 1" +
         more + ">(x) }";
}

}  // namespace

TEST_CASE("TreeEnsembleRegressor sums, averages and follows NaN") {
  for (int version : {1, 3}) {
    require_near(run(ml(version), regressor(""), kRows)[0], {3, 1}, {11, 21, 31});
    require_near(run(ml(version),
                     regressor(", nodes_missing_value_tracks_true = [1, 0, 0, 0, 0, 0]"), kRows)[0],
                 {3, 1}, {11, 21, 11});
    require_near(run(ml(version), regressor(", aggregate_function = \"AVERAGE\""), kRows)[0],
                 {3, 1}, {5.5, 10.5, 15.5});
    require_near(run(ml(version), regressor(", aggregate_function = \"MIN\", base_values = [0.5]"),
                     kRows)[0],
                 {3, 1}, {1.5, 1.5, 1.5});
    require_near(run(ml(version), regressor(", aggregate_function = \"MAX\""), kRows)[0], {3, 1},
                 {10, 20, 30});
  }
}

TEST_CASE("TreeEnsemble says the same with positions, and knows sets") {
  const auto forest = [](const std::string& modes, const std::string& more) {
    return "g (float[] x) => (float[] y) { y = ai.onnx.ml.TreeEnsemble<nodes_featureids = [0, 1, "
           "0], "
           "nodes_splits = float[3] {2.0, 4.0, 0.0}, nodes_modes = uint8[3] {" +
           modes +
           "}, "
           "nodes_truenodeids = [0, 1, 3], nodes_trueleafs = [1, 1, 1], "
           "nodes_falsenodeids = [1, 2, 3], nodes_falseleafs = [0, 1, 1], "
           "leaf_targetids = [0, 0, 0, 0], leaf_weights = float[4] {10.0, 20.0, 30.0, 1.0}, "
           "tree_roots = [0, 2], n_targets = 1" +
           more + ">(x) }";
  };
  require_near(run(ml(5), forest("0, 3, 0", ""), kRows)[0], {3, 1}, {11, 21, 31});
  // x1 is a member of {4, 5}.
  require_near(run(ml(5), forest("0, 6, 0", ", membership_values = float[2] {4.0, 5.0}"), kRows)[0],
               {3, 1}, {11, 21, 31});
  CHECK(refusal(ml(5), forest("0, 9, 0", ""), kRows) != "");
  CHECK(refusal(ml(5), forest("0, 6, 0", ""), kRows) != "");
}

TEST_CASE("Trees that lead in a circle or nowhere are refused") {
  const auto tree = [](const std::string& on_true) {
    return "g (float[] x) => (float[] y) { y = ai.onnx.ml.TreeEnsemble<nodes_featureids = [0], "
           "nodes_splits = float[1] {2.0}, nodes_modes = uint8[1] {0}, nodes_truenodeids = [" +
           on_true +
           "], nodes_trueleafs = [0], nodes_falsenodeids = [0], nodes_falseleafs = [1], "
           "leaf_targetids = [0], leaf_weights = float[1] {1.0}, tree_roots = [0], n_targets = "
           "1>(x) }";
  };
  CHECK(refusal(ml(5), tree("0"), kRows).find("circle") != std::string::npos);
  CHECK(refusal(ml(5), tree("7"), kRows) != "");
}

TEST_CASE("TreeEnsembleClassifier decides two classes on one score") {
  const auto classify = [](const std::string& weights, const std::string& more) {
    return run(
        ml(1),
        "g (float[] x) => (int64[] l, float[] s) { l, s = ai.onnx.ml.TreeEnsembleClassifier<" +
            kNodes +
            ", class_treeids = [0, 0, 0], class_nodeids = [1, 3, 4], class_ids = "
            "[1, 1, 1], class_weights = [" +
            weights + "], classlabels_int64s = [7, 9]" + more + ">(x) }",
        kRows);
  };
  // Probabilities: at one half.
  auto y = classify("0.25, 0.75, 1.0", "");
  require_near(y[0], {3}, {7, 9, 9});
  require_near(y[1], {3, 2}, {0.75, 0.25, 0.25, 0.75, 0, 1});
  // Margins: at zero.
  y = classify("-1.0, 0.25, 1.0", ", post_transform = \"LOGISTIC\"");
  require_near(y[0], {3}, {7, 9, 9});
  const double p = 1 / (1 + std::exp(-0.25));
  require_near(y[1], {3, 2},
               {1 / (1 + std::exp(-1.0)), 1 / (1 + std::exp(1.0)), 1 - p, p,
                1 / (1 + std::exp(1.0)), 1 / (1 + std::exp(-1.0))});
}

TEST_CASE("Linear models") {
  const NamedValues inputs = {{"x", floats({2, 2}, {1, 2, -3, 1})}};
  require_near(
      run(ml(1),
          "g (float[] x) => (float[] y) { y = ai.onnx.ml.LinearRegressor<coefficients = [1.0, "
          "10.0, 0.0, 1.0], intercepts = [0.5, 0.0], targets = 2>(x) }",
          inputs)[0],
      {2, 2}, {21.5, 2, 7.5, 1});
  const auto y = run(ml(1),
                     "g (float[] x) => (int64[] l, float[] s) { l, s = ai.onnx.ml.LinearClassifier<"
                     "coefficients = [1.0, 0.0], intercepts = [1.0], classlabels_ints = [4, 5], "
                     "post_transform = \"LOGISTIC\">(x) }",
                     inputs);
  require_near(y[0], {2}, {5, 4});
  require_near(y[1], {2, 2},
               {1 / (1 + std::exp(2.0)), 1 / (1 + std::exp(-2.0)), 1 / (1 + std::exp(-2.0)),
                1 / (1 + std::exp(2.0))});
  CHECK(refusal(ml(1),
                "g (float[] x) => (float[] y) { y = ai.onnx.ml.LinearRegressor<coefficients = "
                "[1.0]>(x) }",
                inputs) != "");
}

TEST_CASE("Support vector machines") {
  require_near(
      run(ml(1),
          "g (float[] x) => (float[] y) { y = ai.onnx.ml.SVMRegressor<coefficients = [2.0, "
          "-1.0], support_vectors = [1.0, 0.0, 0.0, 1.0], rho = [0.5], n_supports = 2, "
          "kernel_type = \"RBF\", kernel_params = [0.5, 0.0, 0.0]>(x) }",
          {{"x", floats({1, 2}, {1, 1})}})[0],
      {1, 1}, {2 * std::exp(-0.5) - std::exp(-0.5) + 0.5});
  // Three classes on a line, one vector each: pairs vote for the nearer one.
  const auto y =
      run(ml(1),
          "g (float[] x) => (int64[] l, float[] s) { l, s = ai.onnx.ml.SVMClassifier<"
          "classlabels_ints = [10, 20, 30], vectors_per_class = [1, 1, 1], support_vectors = "
          "[-1.0, 0.0, 1.0], coefficients = [1.0, -1.0, -1.0, 1.0, 1.0, -1.0], "
          "rho = [0.0, 0.0, 0.0], kernel_type = \"RBF\", kernel_params = [1.0, 0.0, 0.0]>(x) }",
          {{"x", floats({3, 1}, {-0.9F, 0.1F, 2})}});
  require_near(y[0], {3}, {10, 20, 30});
  CHECK(y[1].dims() == Dims{3, 3});
}

TEST_CASE("Encoders and mappers") {
  const NamedValues text = {{"x", strings({"b", "a", "?"})}},
                    number = {{"x", ints({3}, {1, 0, 9})}};
  const auto labels = run(ml(1),
                          "g (string[] x) => (int64[] y) "
                          "{ y = ai.onnx.ml.LabelEncoder<classes_strings = [\"a\", \"b\"]>(x) }",
                          text);
  require_near(labels[0], {3}, {1, 0, -1});
  const auto names =
      run(ml(1),
          "g (int64[] x) => (string[] y) { y = ai.onnx.ml.LabelEncoder<classes_strings = "
          "[\"a\", \"b\"], default_string = \"none\">(x) }",
          number);
  CHECK(names[0].strings() == std::vector<std::string>{"b", "a", "none"});
  const std::string twice =
      "g (string[] x) => (float[] y) { y = ai.onnx.ml.LabelEncoder<keys_strings = [\"a\", \"b\", "
      "\"b\"], values_floats = [1.0, 2.0, 3.0]>(x) }";
  require_near(run(ml(2), twice, text)[0], {3}, {2, 1, -0.0});
  require_near(run(ml(4), twice, text)[0], {3}, {3, 1, -0.0});  // the last key wins
  require_near(
      run(ml(4),
          "g (double[] x) => (int16[] y) { y = ai.onnx.ml.LabelEncoder<keys_tensor = "
          "double[2] {0.5, -0.0}, values_tensor = int16[2] {4, 5}, default_tensor = int16[1] "
          "{6}>(x) }",
          {{"x", tensor<double>({3}, {0.0, 0.5, 1.0})}})[0],
      {3}, {5, 4, 6});
  const auto mapped =
      run(ml(1),
          "g (int64[] x) => (string[] y) { y = ai.onnx.ml.CategoryMapper<cats_int64s = "
          "[9, 1], cats_strings = [\"nine\", \"one\"]>(x) }",
          number);
  CHECK(mapped[0].strings() == std::vector<std::string>{"one", "_Unused", "nine"});
  require_near(
      run(ml(1),
          "g (float[] x) => (float[] y) { y = ai.onnx.ml.OneHotEncoder<cats_int64s = [3, 1]>(x) }",
          {{"x", floats({3}, {1, 3.5F, 7})}})[0],
      {3, 2}, {0, 1, 1, 0, 0, 0});
}

TEST_CASE("Feature operators") {
  const NamedValues x = {{"x", floats({2, 2}, {1, -4, 0, 0})}};
  const auto of = [&](const std::string& op) {
    return run(ml(1), "g (float[] x) => (float[] y) { y = ai.onnx.ml." + op + "(x) }", x)[0];
  };
  require_near(of("Scaler<offset = [1.0, 0.0], scale = [2.0]>"), {2, 2}, {0, -8, -2, 0});
  require_near(of("Normalizer<norm = \"L1\">"), {2, 2}, {0.2, -0.8, 0, 0});
  require_near(of("Normalizer<norm = \"L2\">"), {2, 2},
               {1 / std::sqrt(17.0), -4 / std::sqrt(17.0), 0, 0});
  require_near(of("Normalizer"), {2, 2}, {1, -4, 0, 0});
  require_near(of("Binarizer<threshold = 0.5>"), {2, 2}, {1, 0, 0, 0});
  require_near(of("Imputer<imputed_value_floats = [8.0, 9.0], replaced_value_float = 0.0>"), {2, 2},
               {1, -4, 8, 9});
  require_near(run(ml(1),
                   "g (float[] x, float[] z) => (float[] y) { y = ai.onnx.ml.FeatureVectorizer<"
                   "inputdimensions = [2, 1]>(x, z) }",
                   {{"x", x.at("x")}, {"z", floats({2, 1}, {5, 6})}})[0],
               {2, 3}, {1, -4, 5, 0, 0, 6});
  require_near(run(ml(1),
                   "g (float[] x, int64[] i) => (float[] y) "
                   "{ y = ai.onnx.ml.ArrayFeatureExtractor(x, i) }",
                   {{"x", floats({3}, {1, 2, 3})}, {"i", ints({2}, {2, 0})}})[0],
               {1, 2}, {3, 1});
}

TEST_CASE("ZipMap orders its keys, and CastMap and DictVectorizer read maps") {
  const NamedValues x = {{"x", floats({1, 3}, {1, 2, 3})}};
  auto maps = try_run(ml(1),
                      "g (float[] x) => (seq(map(int64, float[])) y) "
                      "{ y = ai.onnx.ml.ZipMap<classlabels_int64s = [5, 2, 9]>(x) }",
                      x);
  if (!maps) FAIL(maps.error().message);
  const MapValue* map = (*maps)[0].sequence()->elements[0].map();
  REQUIRE(map != nullptr);
  CHECK(map->int_keys == Dims{2, 5, 9});
  require_near(*map->values->tensor(), {3}, {2, 1, 3});
  const NamedValues input = {{"x", Value{*map}}};
  require_near(run(ml(1), "g (map(int64, float[]) x) => (float[] y) { y = ai.onnx.ml.CastMap(x) }",
                   input)[0],
               {3}, {2, 1, 3});
  require_near(run(ml(1),
                   "g (map(int64, float[]) x) => (int64[] y) { y = ai.onnx.ml.CastMap<cast_to = "
                   "\"TO_INT64\", map_form = \"SPARSE\", max_map = 10>(x) }",
                   input)[0],
               {10}, {0, 0, 2, 0, 0, 1, 0, 0, 0, 3});
  require_near(run(ml(1),
                   "g (map(int64, float[]) x) => (float[] y) { y = ai.onnx.ml.DictVectorizer<"
                   "int64_vocabulary = [9, 8, 5, 2]>(x) }",
                   input)[0],
               {1, 4}, {3, 0, 1, 2});
}

TEST_CASE("Optimisers take one step") {
  const std::string training = "\"\" : 15, \"ai.onnx.preview.training\" : 1";
  const NamedValues inputs = {{"r", floats({}, {0.5F})}, {"t", ints({}, {1})},
                              {"x", floats({1}, {2})},   {"g", floats({1}, {3})},
                              {"v", floats({1}, {4})},   {"h", floats({1}, {16})}};
  const auto step = [&](const std::string& op, const std::string& states) {
    const bool two = states.size() > 1;
    return run(
        training,
        "g (float[] r, int64[] t, float[] x, float[] g, float[] v, float[] h) => (float[] a, "
        "float[] b" +
            std::string(two ? ", float[] c" : "") + ") { a, b" + (two ? ", c" : "") +
            " = ai.onnx.preview.training." + op + "(r, t, x, g, " + (two ? "v, h" : states) + ") }",
        inputs);
  };
  const auto adagrad = step("Adagrad<norm_coefficient = 1.0, decay_factor = 1.0>", "h");
  require_near(adagrad[1], {1}, {16 + 25});
  require_near(adagrad[0], {1}, {2 - 0.25 * 5 / std::sqrt(41.0)});
  const auto nesterov =
      step("Momentum<alpha = 0.5, beta = 2.0, norm_coefficient = 0.0, mode = \"nesterov\">", "v");
  require_near(nesterov[1], {1}, {8});
  require_near(nesterov[0], {1}, {2 - 0.5 * (3 + 0.5 * 8)});
  const auto adam = step("Adam<alpha = 0.5, beta = 0.75>", "vh");
  require_near(adam[1], {1}, {3.5});
  require_near(adam[2], {1}, {14.25});
  require_near(adam[0], {1}, {2 - 0.5 * std::sqrt(0.25) / 0.5 * 3.5 / std::sqrt(14.25)});
}
