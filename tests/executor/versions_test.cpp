// What an operator has always computed, at each of its versions: small sums done by hand. What
// changed between versions is for the tests of its family.

#include <limits>

#include "executor/evaluate.h"
#include "versiontable/schema.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

struct Fact {
  std::string constants;
  std::string node;      ///< starts with the operator's name
  std::string expected;  ///< as shown() writes the first output
  int first = 1;
  int last = std::numeric_limits<int>::max();
  std::string outputs = "y";
};

std::vector<int> versions_of(const Fact& fact) {
  const std::string op = fact.node.substr(0, fact.node.find_first_of("<("));
  std::vector<int> versions;
  for (const OpSchema& schema : all_schemas()) {
    if (schema.domain.empty() && schema.name == op && schema.since_version >= fact.first &&
        schema.since_version <= fact.last) {
      versions.push_back(schema.since_version);
    }
  }
  return versions;
}

void check_facts(const std::vector<Fact>& facts) {
  for (const Fact& fact : facts) {
    const std::vector<int> versions = versions_of(fact);
    INFO(fact.node << " with " << fact.constants);
    CHECK_FALSE(versions.empty());
    for (const int version : versions) {
      INFO("version " << version);
      CHECK(shown(evaluate_all(version, fact.constants, fact.node, fact.outputs)[0]) ==
            fact.expected);
    }
  }
}

}  // namespace

TEST_CASE("elementwise operators at every version") {
  const std::string pair = "float[2] a = {6, 8}, float[2] b = {2, 4}";
  const std::string truths = "bool[4] a = {0, 0, 1, 1}, bool[4] b = {0, 1, 0, 1}";
  const std::string order = "float[3] a = {1, 3, 2}, float[3] b = {2, 2, 2}";
  check_facts({
      {"float[3] x = {-1.5, 0, 2}", "Abs(x)", "float[3] 1.5 0 2"},
      {"float[2] x = {1, 0}", "Acos(x)", "float[2] 0 1.5708"},
      {"float[2] x = {1, 2}", "Acosh(x)", "float[2] 0 1.31696"},
      {pair, "Add(a, b)", "float[2] 8 12"},
      {truths, "And(a, b)", "bool[4] 0 0 0 1"},
      {"float[2] x = {0, 1}", "Asin(x)", "float[2] 0 1.5708"},
      {"float[2] x = {0, 1}", "Asinh(x)", "float[2] 0 0.881374"},
      {"float[2] x = {0, 1}", "Atan(x)", "float[2] 0 0.785398"},
      {"float[2] x = {0, 0.5}", "Atanh(x)", "float[2] 0 0.549306"},
      {"float[2] x = {-1.5, 1.25}", "Ceil(x)", "float[2] -1 2"},
      {"float[2] x = {0, 1}", "Cos(x)", "float[2] 1 0.540302"},
      {"float[2] x = {0, 1}", "Cosh(x)", "float[2] 1 1.54308"},
      {pair, "Div(a, b)", "float[2] 3 2"},
      {"float[2] x = {1, -1}", "Elu<alpha = 2.0>(x)", "float[2] 1 -1.26424"},
      {"int32[2] a = {1, 2}, int32[2] b = {1, 3}", "Equal(a, b)", "bool[2] 1 0"},
      {"float[2] x = {0, 1}", "Exp(x)", "float[2] 1 2.71828"},
      {"float[2] x = {-1.5, 1.25}", "Floor(x)", "float[2] -2 1"},
      {order, "Greater(a, b)", "bool[3] 0 1 0"},
      {order, "GreaterOrEqual(a, b)", "bool[3] 0 1 1"},
      {"float[3] x = {-2, 0, 0.5}", "HardSigmoid<alpha = 0.5, beta = 0.5>(x)",
       "float[3] 0 0.5 0.75"},
      {"float[2] x = {1, 4}", "HardSwish(x)", "float[2] 0.666667 4"},
      {"float[2] x = {nan, 1}", "IsNaN(x)", "bool[2] 1 0"},
      {"float[2] x = {-2, 1}", "LeakyRelu<alpha = 0.5>(x)", "float[2] -1 1"},
      {order, "Less(a, b)", "bool[3] 1 0 0"},
      {order, "LessOrEqual(a, b)", "bool[3] 1 0 1"},
      {"float[2] x = {1, 2}", "Log(x)", "float[2] 0 0.693147"},
      {"float[2] a = {1, 5}, float[2] b = {3, 2}", "Max(a, b)", "float[2] 3 5"},
      {"float[2] a = {1, 5}, float[2] b = {3, 2}", "Mean(a, b)", "float[2] 2 3.5"},
      {"float[2] a = {1, 5}, float[2] b = {3, 2}", "Min(a, b)", "float[2] 1 2"},
      {"int32[2] a = {-5, 5}, int32[2] b = {3, 3}", "Mod(a, b)", "int32[2] 1 2"},
      {pair, "Mul(a, b)", "float[2] 12 32"},
      {"float[2] x = {1, -2}", "Neg(x)", "float[2] -1 2"},
      {truths, "Or(a, b)", "bool[4] 0 1 1 1"},
      {"float[2] x = {-2, 1}, float[1] s = {0.5}", "PRelu(x, s)", "float[2] -1 1"},
      {"float[2] a = {2, 3}, float[2] b = {3, 2}", "Pow(a, b)", "float[2] 8 9"},
      {"float[2] x = {2, 4}", "Reciprocal(x)", "float[2] 0.5 0.25"},
      {"float[2] x = {-1, 2}", "Relu(x)", "float[2] 0 2"},
      {"float[3] x = {0.5, 1.5, -2.5}", "Round(x)", "float[3] 0 2 -2"},
      {"float[1] x = {1}", "Selu<alpha = 2.0, gamma = 3.0>(x)", "float[1] 3"},
      {"float[2] x = {-3, 2}", "Sign(x)", "float[2] -1 1"},
      {"float[2] x = {0, 1}", "Sin(x)", "float[2] 0 0.841471"},
      {"float[2] x = {0, 1}", "Sinh(x)", "float[2] 0 1.1752"},
      {"float[2] x = {1, -3}", "Softsign(x)", "float[2] 0.5 -0.75"},
      {"float[2] x = {4, 9}", "Sqrt(x)", "float[2] 2 3"},
      {pair, "Sub(a, b)", "float[2] 4 4"},
      {"float[2] a = {1, 5}, float[2] b = {3, 2}", "Sum(a, b)", "float[2] 4 7"},
      {"float[2] x = {0, 1}", "Tan(x)", "float[2] 0 1.55741"},
      {"float[2] x = {0, 1}", "Tanh(x)", "float[2] 0 0.761594"},
      {"float[3] x = {0.5, 1, 2}", "ThresholdedRelu<alpha = 1.0>(x)", "float[3] 0 0 2"},
      {truths, "Xor(a, b)", "bool[4] 0 1 1 0"},
  });
}

TEST_CASE("the first versions broadcast where they are told to") {
  const std::string floats = "float[2,2] a = {1, 2, 3, 4}, float[2] b = {1, 2}";
  const std::string truths = "bool[2,2] a = {0, 0, 1, 1}, bool[2] b = {0, 1}";
  check_facts({
      {floats, "Add<broadcast = 1, axis = 0>(a, b)", "float[2,2] 2 3 5 6", 1, 6},
      {floats, "Sub<broadcast = 1, axis = 0>(a, b)", "float[2,2] 0 1 1 2", 1, 6},
      {floats, "Mul<broadcast = 1, axis = 0>(a, b)", "float[2,2] 1 2 6 8", 1, 6},
      {floats, "Div<broadcast = 1, axis = 0>(a, b)", "float[2,2] 1 2 1.5 2", 1, 6},
      {floats, "Pow<broadcast = 1>(a, b)", "float[2,2] 1 4 3 16", 1, 6},
      {floats, "Greater<broadcast = 1, axis = 0>(a, b)", "bool[2,2] 0 1 1 1", 1, 6},
      {floats, "Less<broadcast = 1>(a, b)", "bool[2,2] 0 0 0 0", 1, 6},
      {"int64[2,2] a = {1, 2, 1, 2}, int64[2] b = {1, 2}", "Equal<broadcast = 1>(a, b)",
       "bool[2,2] 1 1 1 1", 1, 6},
      {"int64[2,2] a = {1, 2, 1, 2}, int64[2] b = {1, 2}", "Equal<broadcast = 1, axis = 0>(a, b)",
       "bool[2,2] 1 0 0 1", 1, 6},
      {truths, "And<broadcast = 1>(a, b)", "bool[2,2] 0 0 0 1", 1, 6},
      {truths, "Or<broadcast = 1, axis = 0>(a, b)", "bool[2,2] 0 0 1 1", 1, 6},
      {truths, "Xor<broadcast = 1>(a, b)", "bool[2,2] 0 1 1 0", 1, 6},
  });
}

TEST_CASE("shapes and places at every version") {
  const std::string matrix = "float[1,2] x = {1, 2}", line = "float[4] x = {1, 2, 3, 4}";
  check_facts({
      {"float[2] x = {1.5, -2.5}", "Cast<to = \"INT32\">(x)", "int32[2] 1 -2", 1, 1},
      {"float[2] x = {1.5, -2.5}", "Cast<to = 6>(x)", "int32[2] 1 -2", 6},
      {"float[2] x = {1.5, -2.5}, int32[1] t = {0}", "CastLike(x, t)", "int32[2] 1 -2"},
      {"", "Constant<value = float[2] {1, 2}>()", "float[2] 1 2"},
      {"int64[1] s = {2}", "ConstantOfShape<value = int32[1] {7}>(s)", "int32[2] 7 7"},
      {"float[1,4,1,1] x = {1, 2, 3, 4}", "DepthToSpace<blocksize = 2>(x)",
       "float[1,1,2,2] 1 2 3 4"},
      {"float[2,2] x = {5, 6, 7, 8}", "EyeLike(x)", "float[2,2] 1 0 0 1"},
      {"float[2,1,2] x = {1, 2, 3, 4}", "Flatten<axis = 1>(x)", "float[2,2] 1 2 3 4"},
      {matrix, "Identity(x)", "float[1,2] 1 2"},
      {"float[4] x = {0, 3, 0, 4}", "NonZero(x)", "int64[1,2] 1 3"},
      {line + ", int64[2] p = {1, 0}", "Pad(x, p)", "float[5] 0 1 2 3 4", 11},
      {"int64 a = {1}, int64 b = {7}, int64 c = {2}", "Range(a, b, c)", "int64[3] 1 3 5"},
      {matrix, "Reshape<shape = [2, 1]>(x)", "float[2,1] 1 2", 1, 1},
      {matrix + ", int64[2] s = {2, 1}", "Reshape(x, s)", "float[2,1] 1 2", 5},
      {line + ", int64[1] i = {1}, float[1] u = {9}", "Scatter(x, i, u)", "float[4] 1 9 3 4"},
      {line + ", int64[1] i = {1}, float[1] u = {9}", "ScatterElements(x, i, u)",
       "float[4] 1 9 3 4"},
      {line + ", int64[1,1] i = {1}, float[1] u = {9}", "ScatterND(x, i, u)", "float[4] 1 9 3 4"},
      {matrix, "Shape(x)", "int64[2] 1 2"},
      {matrix, "Size(x)", "int64[] 2"},
      {line, "Slice<starts = [1], ends = [3]>(x)", "float[2] 2 3", 1, 1},
      {line + ", int64[1] s = {1}, int64[1] e = {3}", "Slice(x, s, e)", "float[2] 2 3", 10},
      {"float[1,1,2,2] x = {1, 2, 3, 4}", "SpaceToDepth<blocksize = 2>(x)",
       "float[1,4,1,1] 1 2 3 4"},
      {line, "Split<axis = 0>(x)", "float[2] 1 2", 2, 13, "y, z"},
      {line, "Split<num_outputs = 2>(x)", "float[2] 1 2", 18, 99, "y, z"},
      {matrix, "Squeeze<axes = [0]>(x)", "float[2] 1 2", 1, 11},
      {matrix + ", int64[1] a = {0}", "Squeeze(x, a)", "float[2] 1 2", 13},
      {"float[2] x = {1, 2}, int64[1] r = {2}", "Tile(x, r)", "float[4] 1 2 1 2", 6},
      {"float[3] x = {1, 3, 2}", "TopK<k = 1>(x)", "float[1] 3", 1, 1, "y, i"},
      {"float[3] x = {1, 3, 2}, int64[1] k = {1}", "TopK(x, k)", "float[1] 3", 10, 99, "y, i"},
      {matrix, "Transpose(x)", "float[2,1] 1 2"},
      {matrix, "Unsqueeze<axes = [0]>(x)", "float[1,1,2] 1 2", 1, 11},
      {matrix + ", int64[1] a = {2}", "Unsqueeze(x, a)", "float[1,2,1] 1 2", 13},
  });
}

TEST_CASE("reductions and normalisations at every version") {
  const std::string rows = "float[2,3] x = {1, 5, 5, 3, 0, 0}";
  const std::string axes = ", int64[1] a = {1}";
  check_facts({
      {rows, "ArgMax<axis = 1, keepdims = 0>(x)", "int64[2] 1 0"},
      {rows, "ArgMin<axis = 1, keepdims = 0>(x)", "int64[2] 0 1"},
      {rows, "ArgMax<axis = 1, keepdims = 0, select_last_index = 1>(x)", "int64[2] 2 0", 12},
      {rows, "ArgMin<axis = 1, keepdims = 0, select_last_index = 1>(x)", "int64[2] 0 2", 12},
      {rows, "ReduceMax<axes = [1], keepdims = 0>(x)", "float[2] 5 3", 1, 13},
      {rows + axes, "ReduceMax<keepdims = 0>(x, a)", "float[2] 5 3", 18},
      {rows, "ReduceMin<axes = [1], keepdims = 0>(x)", "float[2] 1 0", 1, 13},
      {rows + axes, "ReduceMin<keepdims = 0>(x, a)", "float[2] 1 0", 18},
      {"float[1,1,2] x = {1, 3}, float[1] s = {2}, float[1] b = {1}",
       "InstanceNormalization<epsilon = 0.0>(x, s, b)", "float[1,1,2] -1 3"},
      {"float[1,1,1,2] x = {1, 2}", "LRN<size = 1, alpha = 1.0, beta = 1.0, bias = 1.0>(x)",
       "float[1,1,1,2] 0.5 0.4"},
      {"float[1,2] x = {0, 0}", "LogSoftmax<axis = 1>(x)", "float[1,2] -0.693147 -0.693147"},
      {"float[1,2] x = {3, 4}", "LpNormalization(x)", "float[1,2] 0.6 0.8"},
      {"float[1,1,1,2] x = {1, 3}", "MeanVarianceNormalization(x)", "float[1,1,1,2] -1 1"},
      {"float[1,2] x = {-1, -3}, int64[1] t = {1}", "NegativeLogLikelihoodLoss(x, t)", "float[] 3"},
      {"float[1,2] x = {0, 0}", "Softmax<axis = 1>(x)", "float[1,2] 0.5 0.5"},
      {"float[1,2] x = {0, 0}, int64[1] t = {1}", "SoftmaxCrossEntropyLoss(x, t)",
       "float[] 0.693147"},
  });
}

TEST_CASE("products, windows and regions at every version") {
  const std::string image = "float[1,1,2,4] x = {1, 2, 3, 4, 5, 6, 7, 8}";
  const std::string square = "float[1,1,2,2] x = {3, 4, 0, 0}";
  const std::string corners = "float[1,1,2,2] x = {1, 2, 3, 4}";
  const std::string region = corners + ", float[1,4] r = {0, 0, 2, 2}, int64[1] b = {0}";
  check_facts({
      {image, "AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(x)", "float[1,1,1,2] 3.5 5.5"},
      {image, "MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x)", "float[1,1,1,2] 6 8"},
      {square, "GlobalAveragePool(x)", "float[1,1,1,1] 1.75"},
      {square, "GlobalLpPool(x)", "float[1,1,1,1] 5"},
      {square, "GlobalMaxPool(x)", "float[1,1,1,1] 4"},
      {"float[1,1,3] x = {3, 4, 0}", "LpPool<kernel_shape = [2]>(x)", "float[1,1,2] 5 4"},
      {corners + ", float[1,1,1,1] w = {2}, float[1,2,2,2] o = {0, 0, 0, 0, 0, 0, 0, 0}",
       "DeformConv(x, w, o)", "float[1,1,2,2] 2 4 6 8"},
      {"float[2,2] x = {1, 2, 3, 4}", "Det(x)", "float[] -2"},
      {corners + ", float[1,1,1,2] g = {0, 0}", "GridSample(x, g)", "float[1,1,1,1] 2.5"},
      {"float[1,2] a = {1, 2}, float[2,1] b = {3, 4}", "MatMul(a, b)", "float[1,1] 11"},
      {corners + ", float[1,5] r = {0, 0, 0, 1, 1}", "MaxRoiPool<pooled_shape = [1, 1]>(x, r)",
       "float[1,1,1,1] 4"},
      {"float[1,1,1,1] x = {5}, int64[1,1,1,1] i = {3}",
       "MaxUnpool<kernel_shape = [2, 2], strides = [2, 2]>(x, i)", "float[1,1,2,2] 0 0 0 5"},
      {"float[1,2,4] b = {0, 0, 1, 1, 0, 0, 1, 1}, float[1,1,2] s = {0.9, 0.8}, "
       "int64[1] m = {2}, float[1] o = {0.5}",
       "NonMaxSuppression(b, s, m, o)", "int64[1,3] 0 0 0"},
      {"uint8[1,2] a = {1, 2}, uint8[2,1] b = {3, 4}, float s = {1}, uint8 z = {0}",
       "QLinearMatMul(a, s, z, b, s, z, s, z)", "uint8[1,1] 11"},
      {"uint8[2] x = {10, 12}, float s = {0.5}, uint8 z = {10}", "DequantizeLinear(x, s, z)",
       "float[2] 0 1"},
      {"float[3] x = {0, 1.25, 1000}, float s = {0.5}, uint8 z = {10}", "QuantizeLinear(x, s, z)",
       "uint8[3] 10 12 255"},
      // From version 16 on places are centres of pixels, half a pixel from their corners.
      {region, "RoiAlign<sampling_ratio = 1>(x, r, b)", "float[1,1,1,1] 4", 10, 10},
      {region, "RoiAlign<sampling_ratio = 1>(x, r, b)", "float[1,1,1,1] 2.5", 16},
  });
}

TEST_CASE("bodies and draws at every version") {
  check_facts({
      {"float[1] x = {1}, bool c = {1}",
       "If<then_branch = t () => (float[1] r) { r = Add(x, x) }, "
       "else_branch = e () => (float[1] r) { r = Neg(x) }>(c)",
       "float[1] 2"},
      {"float[1] x = {1}, bool c = {0}",
       "If<then_branch = t () => (float[1] r) { r = Add(x, x) }, "
       "else_branch = e () => (float[1] r) { r = Neg(x) }>(c)",
       "float[1] -1"},
      {"int64 m = {3}, bool c = {1}, float[1] x = {1}",
       "Loop<body = b (int64 i, bool d, float[1] a) => (bool e, float[1] f) { e = Identity(d) "
       "f = Add(a, a) }>(m, c, x)",
       "float[1] 8"},
      {"float[1] z = {0}, float[3,1] x = {1, 2, 3}",
       "Scan<num_scan_inputs = 1, body = b (float[1] a, float[1] v) => (float[1] s, float[1] o) "
       "{ s = Add(a, v) o = Identity(s) }>(z, x)",
       "float[1] 6", 9, 99, "y, o"},
      {"float[2] x = {0, 0}", "RandomNormalLike<mean = 3.0, scale = 0.0>(x)", "float[2] 3 3"},
      {"float[2] x = {0, 0}", "RandomUniformLike<low = 2.0, high = 2.0>(x)", "float[2] 2 2"},
  });
}

TEST_CASE("a tree that classifies at versions 1 and 3") {
  for (const int version : {1, 3}) {
    const auto labels = run(
        fmt::format("\"\" : 13, \"ai.onnx.ml\" : {}", version),
        "g (x) => (y, p) { y, p = ai.onnx.ml.TreeEnsembleClassifier<nodes_treeids = [0, 0, 0], "
        "nodes_nodeids = [0, 1, 2], nodes_featureids = [0, 0, 0], nodes_modes = [\"BRANCH_LEQ\", "
        "\"LEAF\", \"LEAF\"], nodes_values = [0.5, 0.0, 0.0], nodes_truenodeids = [1, 0, 0], "
        "nodes_falsenodeids = [2, 0, 0], class_treeids = [0, 0], class_nodeids = [1, 2], "
        "class_ids = [0, 1], class_weights = [1.0, 1.0], classlabels_int64s = [3, 4]>(x) }",
        {{"x", floats({2, 1}, {0, 1})}});
    CHECK(shown(labels[0]) == "int64[2] 3 4");
    CHECK(shown(labels[1]) == "float[2,2] 1 0 0 1");
  }
}
