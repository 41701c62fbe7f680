// One line a case: opset, graph, types of the last node's outputs ("! message" if the node
// contradicts its rule). Expectations are read off the operators' specifications.

#include "inference/infer.h"

using namespace onnxcompat::test;

namespace {

struct Case {
  int opset;
  const char* graph;
  const char* expected;
};

void check(std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    INFO(c.opset << ": " << c.graph);
    CHECK(outputs_of(c.opset, c.graph) == c.expected);
  }
}

}  // namespace

TEST_CASE("elementwise operators and broadcasting") {
  check({
      {17, "(float[N,3] x) { y = Relu(x) }", "tensor(float)[N,3]"},
      {17, "(float x, float[] u) { y = Add(x, u) }", "tensor(float)"},
      {17, "(float[N,1,4] x, float[5,1] z) { y = Add(x, z) }", "tensor(float)[N,5,4]"},
      {17, "(float[N] x, float[M] z) { y = Mul(x, z) }", "tensor(float)[?]"},
      {17, "(float[N] x, float[3] z) { y = Mul(x, z) }", "tensor(float)[3]"},
      {17, "(float[N] x, float[N] z) { y = Less(x, z) }", "tensor(bool)[N]"},
      {17, "(float[2,3] x, float[4] z) { y = Add(x, z) }",
       "tensor(float) ! shapes [2,3] and [4] cannot be broadcast"},
      {17, "(bool[2,1] b, float[3] x, float[N,1,1] z) { y = Where(b, x, z) }",
       "tensor(float)[N,2,3]"},
      {17, "(float[2,1] a, float[3] b, float[] c) { y = Max(a, b, c) }", "tensor(float)"},
      {6, "(float[2,3,4] x, float[3] z) { y = Add<axis = 1, broadcast = 1>(x, z) }",
       "tensor(float)[2,3,4]"},
      {6, "(float[2,3] x, float[3] z) { y = Add(x, z) }",
       "tensor(float) ! inputs have ranks 2 and 1"},
      {6, "(float[2,N] x, float[2,3] z) { y = Sum(x, z) }", "tensor(float)[2,3]"},
      {17, "(float[2,3] x, float[4] z) { y = Pow(x, z) }",
       "tensor(float) ! shapes [2,3] and [4] cannot be broadcast"},
      {13, "(float[2,3] x) { y = Softmax<axis = 2>(x) }",
       "tensor(float)[2,3] ! axis 2 is out of range for rank 2"},
      {11, "(float[2,3] x) { y = Softmax<axis = 2>(x) }", "tensor(float)[2,3]"},
      {28, "(float16[N,3] x) { y = Celu(x) }", "tensor(float16)[N,3]"},
      {28, "(double[N,3] a, double[2,M] b) { y = SwiGLU(a, b) }", "tensor(double)[2,3]"},
      {28, "(float[N,3] a, float b) { y = SwiGLU(a, b) }",
       "tensor(float) ! inputs have ranks 2 and 0"},
      {28, "(float[1,3] a, float[2,3] b) { y = SwiGLU(a, b) }",
       "tensor(float)[1,3] ! shapes of the inputs: 1 and 2 differ"},
      {20, "(string[2,1] x, string[3] z) { y = StringConcat(x, z) }", "tensor(string)[2,3]"},
  });
}

TEST_CASE("element types said by attributes") {
  check({
      {13, "(float[N] x) { y = Cast<to = 9>(x) }", "tensor(bool)[N]"},
      {5, "(float[N] x) { y = Cast<to = \"INT64\">(x) }", "tensor(int64)[N]"},
      {19, "(float[N] x, float16 t) { y = CastLike(x, t) }", "tensor(float16)[N]"},
      {26, "(float[N] x) { y = BitCast<to = 6>(x) }", "tensor(int32)[N]"},
      {13, "() { y = Constant<value = int32[2] {1, 2}>() }", "tensor(int32)[2]"},
      {13, "() { y = Constant<value_int = 3>() }", "tensor(int64)[]"},
      {13, "() { y = Constant<value_floats = [1.0, 2.5]>() }", "tensor(float)[2]"},
      {13, "() { y = Constant<value_string = \"a\">() }", "tensor(string)[]"},
      {13, "() { y = Constant<value_strings = [\"a\", \"b\"]>() }", "tensor(string)[2]"},
      {13, "() <int64[2] s = {2, 3}> { y = ConstantOfShape(s) }", "tensor(float)[2,3]"},
      {13, "() <int64[0] s = {}> { y = ConstantOfShape<value = int64[1] {7}>(s) }",
       "tensor(int64)[]"},
      {13, "(int64[2] s) { y = ConstantOfShape(s) }", "tensor(float)[?,?]"},
      {13, "() { y = RandomNormal<shape = [2, 3], dtype = 11>() }", "tensor(double)[2,3]"},
      {13, "(float16[N] x) { y = RandomUniformLike(x) }", "tensor(float16)[N]"},
      {15, "(float[N] x) { y = Bernoulli<dtype = 7>(x) }", "tensor(int64)[N]"},
      {13, "(int32[2,N] x) { y = EyeLike(x) }", "tensor(int32)[2,N]"},
      {13, "(float[N,C] x) { y = Multinomial<sample_size = 4, dtype = 7>(x) }",
       "tensor(int64)[N,4]"},
      {17, "() <int32 n = {8}> { y = HannWindow<output_datatype = 11>(n) }", "tensor(double)[8]"},
      {17,
       "() <int64 b = {4}, int64 n = {16}, int64 r = {8}, float l = {0}, float h = {4}> "
       "{ y = MelWeightMatrix(b, n, r, l, h) }",
       "tensor(float)[9,4]"},
  });
}

TEST_CASE("reductions") {
  check({
      {13, "(float[N,3,4] x) { y = ReduceMax<axes = [1], keepdims = 0>(x) }", "tensor(float)[N,4]"},
      {13, "(float[N,3,4] x) { y = ReduceMax<axes = [-1]>(x) }", "tensor(float)[N,3,1]"},
      {13, "(float[N,3] x) { y = ReduceMean(x) }", "tensor(float)[1,1]"},
      {13, "(float[N,3] x) <int64[1] a = {0}> { y = ReduceSum<keepdims = 0>(x, a) }",
       "tensor(float)[3]"},
      {13, "(float[N,3] x) { y = ReduceSum<noop_with_empty_axes = 1>(x) }", "tensor(float)[N,3]"},
      {18, "(float[N,3] x, int64[K] a) { y = ReduceMax(x, a) }", "tensor(float)[?,?]"},
      {18, "(float[N,3] x, int64[1] a) { y = ReduceMax<keepdims = 0>(x, a) }", "tensor(float)[?]"},
      {13, "(float[N,3] x) { y = ReduceMax<axes = [2]>(x) }",
       "tensor(float) ! axis 2 is out of range for rank 2"},
      {13, "(float[N,3] x) { y = ArgMax<axis = 1>(x) }", "tensor(int64)[N,1]"},
      {13, "(float[N,3] x) { y = ArgMin<keepdims = 0>(x) }", "tensor(int64)[3]"},
  });
}

TEST_CASE("matrix products") {
  check({
      {13, "(float[B,1,N,3] x, float[5,3,M] z) { y = MatMul(x, z) }", "tensor(float)[B,5,N,M]"},
      {13, "(float[3] x, float[2,3,M] z) { y = MatMul(x, z) }", "tensor(float)[2,M]"},
      {13, "(float[3] x, float[3] z) { y = MatMul(x, z) }", "tensor(float)[]"},
      {13, "(float[2,3] x, float[4,5] z) { y = MatMul(x, z) }",
       "tensor(float)[2,5] ! shapes [2,3] and [4,5] cannot be multiplied"},
      {13, "(uint8[2,3] x, int8[3,4] z) { y = MatMulInteger(x, z) }", "tensor(int32)[2,4]"},
      {13, "(float[N,3] a, float[M,3] b) { y = Gemm<transB = 1>(a, b) }", "tensor(float)[N,M]"},
      {13, "(float[3,N] a, float[4,M] b) { y = Gemm<transA = 1>(a, b) }",
       "tensor(float)[N,M] ! shapes [3,N] and [4,M] cannot be multiplied"},
      {13, "(float[B,3,3] x) { y = Det(x) }", "tensor(float)[B]"},
      {13, "(float[B,I,J] x, float[B,J,K] z) { y = Einsum<equation = \"bij,bjk->bik\">(x, z) }",
       "tensor(float)[B,I,K]"},
      {13, "(float[A,B,I,J] x) { y = Einsum<equation = \"...ij->...ji\">(x) }",
       "tensor(float)[A,B,J,I]"},
      {13, "(float[I,J] x) { y = Einsum<equation = \"ji\">(x) }", "tensor(float)[J,I]"},
      {13, "(float[I,I] x) { y = Einsum<equation = \"ii\">(x) }", "tensor(float)[]"},
      {13, "(float[2,3] x) { y = Einsum<equation = \"abc->a\">(x) }",
       "tensor(float) ! input 0 has rank 2, the equation \"abc->a\" says otherwise"},
  });
}

TEST_CASE("convolution and pooling") {
  check({
      {11, "(float[N,3,32,30] x, float[8,3,3,5] w) { y = Conv(x, w) }", "tensor(float)[N,8,30,26]"},
      {11,
       "(float[N,4,32] x, float[8,2,3] w) { y = Conv<group = 2, strides = [2], pads = [1, 0], "
       "dilations = [2]>(x, w) }",
       "tensor(float)[N,8,15]"},
      {11,
       "(float[N,3,31] x, float[8,3,4] w) { y = Conv<auto_pad = \"SAME_UPPER\", strides = [2]>(x, "
       "w) }",
       "tensor(float)[N,8,16]"},
      {11,
       "(float[N,3,31] x, float[8,3,4] w) { y = Conv<auto_pad = \"VALID\", strides = [2]>(x, w) }",
       "tensor(float)[N,8,14]"},
      {11, "(float[N,3,H] x, float[8,3,3] w) { y = Conv<pads = [1, 1]>(x, w) }",
       "tensor(float)[N,8,H]"},
      {11, "(float[N,3,2] x, float[8,3,3] w) { y = Conv(x, w) }",
       "tensor(float)[N,8,?] ! the window of 3 does not fit axis 2 of size 2"},
      {11, "(float[N,3,9] x, float[8,4,3] w) { y = Conv(x, w) }",
       "tensor(float)[N,8,7] ! the input has 3 channels, the weight takes 4"},
      {10, "(uint8[N,3,9] x, uint8[8,3,3] w) { y = ConvInteger(x, w) }", "tensor(int32)[N,8,7]"},
      {11,
       "(float[N,4,5] x, float[4,3,3] w) { y = ConvTranspose<group = 2, strides = [2], pads = [1, "
       "0], "
       "output_padding = [1]>(x, w) }",
       "tensor(float)[N,6,11]"},
      {11,
       "(float[N,4,5,5] x, float[4,3,3,3] w) { y = ConvTranspose<output_shape = [9, 10]>(x, w) }",
       "tensor(float)[N,3,9,10]"},
      {12, "(float[N,3,32,32] x) { y, i = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x) }",
       "tensor(float)[N,3,16,16]; tensor(int64)[N,3,16,16]"},
      {12, "(float[N,3,5] x) { y = MaxPool<kernel_shape = [2], strides = [2], ceil_mode = 1>(x) }",
       "tensor(float)[N,3,3]"},
      // The last window would start in the padding: ignored.
      {22,
       "(float[1,1,2] x) { y = MaxPool<kernel_shape = [1], strides = [2], ceil_mode = 1, pads = "
       "[0, 1]>(x) }",
       "tensor(float)[1,1,1]"},
      {12,
       "(float[1,1,2] x) { y = MaxPool<kernel_shape = [1], strides = [2], ceil_mode = 1, pads = "
       "[0, 1]>(x) }",
       "tensor(float)[1,1,1]"},
      {18,
       "(float[1,1,2] x) { y = LpPool<kernel_shape = [1], strides = [2], ceil_mode = 1, pads = [0, "
       "1]>(x) }",
       "tensor(float)[1,1,1]"},
      {12, "(float[N,C,H,W] x) { y = GlobalAveragePool(x) }", "tensor(float)[N,C,1,1]"},
      {12, "(float[N,C,H,W] x, float[R,5] r) { y = MaxRoiPool<pooled_shape = [2, 3]>(x, r) }",
       "tensor(float)[R,C,2,3]"},
      {16,
       "(float[N,C,H,W] x, float[R,4] r, int64[R] b) { y = RoiAlign<output_width = 3>(x, r, b) }",
       "tensor(float)[R,C,1,3]"},
      {11,
       "(float[1,1,2,2] x, int64[1,1,2,2] i) { y = MaxUnpool<kernel_shape = [2, 2], strides = [2, "
       "2]>(x, i) }",
       "tensor(float)[1,1,4,4]"},
      {27, "(float[B,C,L] x, float[C,1,4] w) { y, s = CausalConvWithState(x, w) }",
       "tensor(float)[B,C,L]; tensor(float)[B,C,3]"},
  });
}

TEST_CASE("normalisation, losses and recurrence") {
  check({
      {15,
       "(float[N,C,H] x, float[C] s, float[C] b, double[C] m, double[C] v) "
       "{ y, rm, rv = BatchNormalization<training_mode = 1>(x, s, b, m, v) }",
       "tensor(float)[N,C,H]; tensor(double)[C]; tensor(double)[C]"},
      {12, "(float[N,C] x) { y, m = Dropout(x) }", "tensor(float)[N,C]; tensor(bool)[N,C]"},
      {17, "(float16[N,C,H] x, float16[H] s) { y, m, v = LayerNormalization(x, s) }",
       "tensor(float16)[N,C,H]; tensor(float)[N,C,1]; tensor(float)[N,C,1]"},
      {13,
       "(float[N,C,D] x, int64[N,D] t) { y = NegativeLogLikelihoodLoss<reduction = \"none\">(x, t) "
       "}",
       "tensor(float)[N,D]"},
      {13, "(float[N,C] x, int64[N] t) { y, p = SoftmaxCrossEntropyLoss(x, t) }",
       "tensor(float)[]; tensor(float)[N,C]"},
      {14,
       "(float[S,B,4] x, float[2,20,4] w, float[2,20,5] r) "
       "{ y, h, c = LSTM<hidden_size = 5, direction = \"bidirectional\">(x, w, r) }",
       "tensor(float)[S,2,B,5]; tensor(float)[2,B,5]; tensor(float)[2,B,5]"},
      {14, "(float[B,S,4] x, float[1,15,4] w, float[1,15,5] r) { y, h = GRU<layout = 1>(x, w, r) }",
       "tensor(float)[B,S,1,5]; tensor(float)[B,1,5]"},
  });
}

TEST_CASE("shape operators") {
  check({
      {13, "(float[N,3,4] x) <int64[2] s = {0, -1}> { y = Reshape(x, s) }", "tensor(float)[N,12]"},
      {13, "(float[N,4] x) <int64[3] s = {-1, 2, 2}> { y = Reshape(x, s) }",
       "tensor(float)[N,2,2]"},
      {14, "(float[0,3] x) <int64[2] s = {0, 5}> { y = Reshape<allowzero = 1>(x, s) }",
       "tensor(float)[0,5]"},
      {4, "(float[2,6] x) { y = Reshape<shape = [3, -1]>(x) }", "tensor(float)[3,4]"},
      {13, "(float[2,3] x) <int64[1] s = {5}> { y = Reshape(x, s) }",
       "tensor(float)[5] ! shape [2,3] cannot become [5]: 6 and 5 elements"},
      {13, "(float[2,3] x, int64[3] s) { y = Reshape(x, s) }", "tensor(float)[?,?,?]"},
      {13, "(float[N,3,4] x) { y = Flatten<axis = 2>(x) }", "tensor(float)[?,4]"},
      {13, "(float[N,3,4] x) { y = Flatten(x) }", "tensor(float)[N,12]"},
      {13, "(float[1,N,1] x) <int64[1] a = {-1}> { y = Squeeze(x, a) }", "tensor(float)[1,N]"},
      {11, "(float[1,3,1] x) { y = Squeeze(x) }", "tensor(float)[3]"},
      {11, "(float[1,N,1] x) { y = Squeeze(x) }", "tensor(float)"},
      {11, "(float[2,3] x) { y = Squeeze<axes = [0]>(x) }",
       "tensor(float)[3] ! axis 0 has size 2 and cannot be squeezed"},
      {11, "(float[N,3] x) { y = Unsqueeze<axes = [0, -1]>(x) }", "tensor(float)[1,N,3,1]"},
      {13, "(float[N,3] x, int64[2] a) { y = Unsqueeze(x, a) }", "tensor(float)[?,?,?,?]"},
      {13, "(float[A,B,C] x) { y = Transpose(x) }", "tensor(float)[C,B,A]"},
      {13, "(float[A,B,C] x) { y = Transpose<perm = [1, 0, 2]>(x) }", "tensor(float)[B,A,C]"},
      {13, "(float[A,B] x) { y = Transpose<perm = [0, 0]>(x) }",
       "tensor(float)[?,?] ! perm [0,0] is no permutation of the axes of [A,B]"},
      {13, "(float[3,1] x) <int64[3] s = {2, 1, 6}> { y = Expand(x, s) }", "tensor(float)[2,3,6]"},
      {13, "() <int64 a = {1}, int64 b = {10}, int64 d = {3}> { y = Range(a, b, d) }",
       "tensor(int64)[3]"},
      {13, "(float[2,3] x) { y = Shape(x) }", "tensor(int64)[2]"},
      {15, "(float[2,3,4] x) { y = Shape<start = -2>(x) }", "tensor(int64)[2]"},
      {13, "(float[2,3] x) { y = Size(x) }", "tensor(int64)[]"},
  });
}

TEST_CASE("slices, joins and borders") {
  check({
      {9, "(float[10,20] x) { y = Slice<starts = [1, -5], ends = [100, -1]>(x) }",
       "tensor(float)[9,4]"},
      {13,
       "(float[10,N] x) <int64[2] s = {9, 0}, int64[2] e = {-100, 9223372036854775807}, "
       "int64[2] a = {0, 1}, int64[2] t = {-3, 1}> { y = Slice(x, s, e, a, t) }",
       "tensor(float)[4,N]"},
      {13, "(float[10,N] x, int64[1] s, int64[1] e) <int64[1] a = {0}> { y = Slice(x, s, e, a) }",
       "tensor(float)[?,N]"},
      {13, "(float[N,2] x, float[N,3] z) { y = Concat<axis = -1>(x, z) }", "tensor(float)[N,5]"},
      {13, "(float[2,2] x, float[3,3] z) { y = Concat<axis = 0>(x, z) }",
       "tensor(float)[5,2] ! axis 1: 2 and 3 differ"},
      {1, "(float[N,2] x, float[N,3] z) { y = Concat(x, z) }", "tensor(float)[N,5]"},
      {11, "(float[7,N] x) { a, b = Split<split = [3, 4]>(x) }",
       "tensor(float)[3,N]; tensor(float)[4,N]"},
      {13, "(float[N,6] x) { a, b, c = Split<axis = 1>(x) }",
       "tensor(float)[N,2]; tensor(float)[N,2]; tensor(float)[N,2]"},
      {18, "(float[7] x) { a, b, c = Split<num_outputs = 3>(x) }",
       "tensor(float)[3]; tensor(float)[3]; tensor(float)[1]"},
      {13, "(float[7] x) { a, b = Split(x) }",
       "tensor(float)[?]; tensor(float)[?] ! size 7 cannot be split into 2 equal parts"},
      {10, "(float[N,5] x) { y = Pad<pads = [0, 1, 0, 2]>(x) }", "tensor(float)[N,8]"},
      {1, "(float[4,5] x) { y = Pad<paddings = [0, 0, -1, 2]>(x) }", "tensor(float)[3,7]"},
      {18, "(float[N,5,6] x) <int64[2] p = {1, 1}, int64[1] a = {-1}> { y = Pad(x, p, , a) }",
       "tensor(float)[N,5,8]"},
      {13, "(float[N,5] x) <int64[2] r = {1, 3}> { y = Tile(x, r) }", "tensor(float)[N,15]"},
      {1, "(float[2,5] x) <float n = {3}, float a = {1}> { y = Tile(x, n, a) }",
       "tensor(float)[2,15]"},
      {18, "(float[N,5,6] x) <int64[2] s = {8, 3}> { y = CenterCropPad<axes = [1, 2]>(x, s) }",
       "tensor(float)[N,8,3]"},
  });
}

TEST_CASE("gathering and selecting") {
  check({
      {13, "(float[N,5,6] x, int64[2,K] i) { y = Gather<axis = 1>(x, i) }",
       "tensor(float)[N,2,K,6]"},
      {13, "(float[N,5] x, int64[N,2] i) { y = GatherElements<axis = 1>(x, i) }",
       "tensor(float)[N,2]"},
      {12, "(float[B,5,6] x, int64[B,K,1] i) { y = GatherND<batch_dims = 1>(x, i) }",
       "tensor(float)[B,K,6]"},
      {13, "(float[N,5] x) { y = NonZero(x) }", "tensor(int64)[2,?]"},
      {11, "(float[N,5] x) <bool[3] c = {1, 0, 1}> { y = Compress<axis = 1>(x, c) }",
       "tensor(float)[N,2]"},
      {11, "(int64[N,3] i, float[2] v) <int64 d = {7}> { y = OneHot<axis = 1>(i, d, v) }",
       "tensor(float)[N,7,3]"},
      {9, "(float[N,5] x) { v, i = TopK<k = 2>(x) }", "tensor(float)[N,2]; tensor(int64)[N,2]"},
      {11, "(float[N,5] x) <int64[1] k = {3}> { v, i = TopK(x, k) }",
       "tensor(float)[N,3]; tensor(int64)[N,3]"},
      {11, "(float[4,3] x) { y, i, j, n = Unique(x) }",
       "tensor(float)[?]; tensor(int64)[?]; tensor(int64)[12]; tensor(int64)[?]"},
      {11, "(float[4,3] x) { y, i, j = Unique<axis = 0>(x) }",
       "tensor(float)[?,3]; tensor(int64)[?]; tensor(int64)[4]"},
      {13, "(float[4,3] x, int64[2,3] i, float[2,3] u) { y = ScatterElements(x, i, u) }",
       "tensor(float)[4,3]"},
  });
}

TEST_CASE("images") {
  check({
      {7, "(float[1,3,4,5] x) { y = Upsample<scales = [1.0, 1.0, 2.0, 1.5]>(x) }",
       "tensor(float)[1,3,8,7]"},
      {1, "(float[N,3,4,5] x) { y = Upsample<height_scale = 2.0, width_scale = 3.0>(x) }",
       "tensor(float)[N,3,8,15]"},
      {11, "(float[N,3,4,H] x, float[0] r) <float[4] s = {1, 1, 2, 2}> { y = Resize(x, r, s) }",
       "tensor(float)[N,3,8,?]"},
      {13, "(float[N,3,4,5] x) <int64[4] s = {1, 3, 9, 9}> { y = Resize(x, , , s) }",
       "tensor(float)[1,3,9,9]"},
      {18,
       "(float[N,3,4,8] x) <int64[2] s = {8, 8}> "
       "{ y = Resize<axes = [2, 3], keep_aspect_ratio_policy = \"not_larger\">(x, , , s) }",
       "tensor(float)[N,3,4,8]"},
      {13, "(float[N,12,4,5] x) { y = DepthToSpace<blocksize = 2>(x) }", "tensor(float)[N,3,8,10]"},
      {13, "(float[N,3,4,6] x) { y = SpaceToDepth<blocksize = 2>(x) }", "tensor(float)[N,12,2,3]"},
      {16, "(float[N,3,4,6] x, float[N,7,8,2] g) { y = GridSample(x, g) }",
       "tensor(float)[N,3,7,8]"},
      {20, "(float[2,2,3] t) <int64[4] s = {2, 3, 5, 6}> { y = AffineGrid(t, s) }",
       "tensor(float)[2,5,6,2]"},
      {18, "(float[N,12,9] x) <int64[2] i = {5, 6}, int64[2] b = {2, 2}> { y = Col2Im(x, i, b) }",
       "tensor(float)[N,3,5,6]"},
      {11, "(float[1,N,4] b, float[1,2,N] s) { y = NonMaxSuppression(b, s) }",
       "tensor(int64)[?,3]"},
      {20, "(uint8[N] x) { y = ImageDecoder<pixel_format = \"Grayscale\">(x) }",
       "tensor(uint8)[?,?,1]"},
  });
}

TEST_CASE("sequences and optionals") {
  check({
      {11, "(float[2,3] a, float[4,3] b) { s = SequenceConstruct(a, b) }",
       "seq(tensor(float))[?,3]"},
      {11, "() { s = SequenceEmpty<dtype = 7>() }", "seq(tensor(int64))"},
      {11, "(seq(float[N,3]) s, int64 i) { y = SequenceAt(s, i) }", "tensor(float)[N,3]"},
      {11, "(seq(float[2,3]) s, float[2,4] x) { y = SequenceInsert(s, x) }",
       "seq(tensor(float))[2,?]"},
      {11, "(seq(float[2,3]) s) { y = SequenceLength(s) }", "tensor(int64)[]"},
      {11, "(float[6,3] x) { y = SplitToSequence<keepdims = 0>(x) }", "seq(tensor(float))[3]"},
      {11, "(float[6,3] x) <int64 n = {2}> { y = SplitToSequence(x, n) }",
       "seq(tensor(float))[2,3]"},
      {11, "(seq(float[2,3]) s) { y = ConcatFromSequence<axis = 0>(s) }", "tensor(float)[?,3]"},
      {11, "(seq(float[2,3]) s) { y = ConcatFromSequence<axis = 0, new_axis = 1>(s) }",
       "tensor(float)[?,2,3]"},
      {15, "(float[2,3] x) { o = Optional(x) }", "optional(tensor(float))[2,3]"},
      {15, "(optional(float[2,3]) o) { y = OptionalGetElement(o) }", "tensor(float)[2,3]"},
      {18, "(float[2,3] x) { y = OptionalGetElement(x) }", "tensor(float)[2,3]"},
      {15, "(optional(float[2,3]) o) { y = OptionalHasElement(o) }", "tensor(bool)[]"},
  });
}

TEST_CASE("quantisation") {
  check({
      {13, "(float[N,3] x, float s) { y = QuantizeLinear(x, s) }", "tensor(uint8)[N,3]"},
      {13, "(float[N,3] x, float s, int8 z) { y = QuantizeLinear(x, s, z) }", "tensor(int8)[N,3]"},
      {21, "(float[N,3] x, float s) { y = QuantizeLinear<output_dtype = 22>(x, s) }",
       "tensor(int4)[N,3]"},
      {13, "(int8[N,3] x, float s) { y = DequantizeLinear(x, s) }", "tensor(float)[N,3]"},
      {19, "(int8[N,3] x, float16 s) { y = DequantizeLinear(x, s) }", "tensor(float16)[N,3]"},
      {23, "(int8[N,3] x, float16 s) { y = DequantizeLinear<output_dtype = 1>(x, s) }",
       "tensor(float)[N,3]"},
      {11, "(float[N,3] x) { y, s, z = DynamicQuantizeLinear(x) }",
       "tensor(uint8)[N,3]; tensor(float)[]; tensor(uint8)[]"},
  });
}

TEST_CASE("signal, attention and text") {
  check({
      {17, "(float[B,16,1] x) { y = DFT<onesided = 1>(x) }", "tensor(float)[B,9,2]"},
      {20, "(float[B,16,5,1] x) { y = DFT(x) }", "tensor(float)[B,16,5,2]"},
      {20, "(float[B,9,2] x) { y = DFT<onesided = 1, inverse = 1>(x) }", "tensor(float)[B,16,1]"},
      {17, "(float[B,100,1] x, float[16] w) <int64 s = {8}> { y = STFT(x, s, w) }",
       "tensor(float)[B,11,9,2]"},
      {23, "(float[B,8,Q,64] q, float[B,2,K,64] k, float[B,2,K,32] v) { y = Attention(q, k, v) }",
       "tensor(float)[B,8,Q,32]"},
      {23,
       "(float[B,Q,512] q, float[B,4,128] k, float[B,4,64] v, float[B,2,3,64] pk, float[B,2,3,32] "
       "pv) "
       "{ y, nk, nv, m = Attention<q_num_heads = 8, kv_num_heads = 2>(q, k, v, , pk, pv) }",
       "tensor(float)[B,Q,256]; tensor(float)[B,2,7,64]; tensor(float)[B,2,7,32]; "
       "tensor(float)[B,8,Q,7]"},
      {27,
       "(float[B,T,64] q, float[B,T,32] k, float[B,T,16] v) "
       "{ y, s = LinearAttention<q_num_heads = 4, kv_num_heads = 2, update_rule = \"linear\">(q, "
       "k, v) }",
       "tensor(float)[B,T,32]; tensor(float)[B,2,16,8]"},
      {20, "(string[N] x) { y, n = StringSplit(x) }", "tensor(string)[N,?]; tensor(int64)[N]"},
      {10, "(string[1,5] x) { y = StringNormalizer<stopwords = [\"a\"]>(x) }",
       "tensor(string)[1,?]"},
      {9,
       "(int32[N,9] x) { y = TfIdfVectorizer<mode = \"TF\", min_gram_length = 1, max_gram_length = "
       "1, "
       "max_skip_count = 0, ngram_counts = [0], ngram_indexes = [0, 1, 2], pool_int64s = [3, 4, "
       "5]>(x) }",
       "tensor(float)[N,3]"},
  });
}

TEST_CASE("ai.onnx.ml and training") {
  check({
      {3,
       "(float[N,4] x) { l, p = ai.onnx.ml.TreeEnsembleClassifier<classlabels_int64s = [0, 1, "
       "2]>(x) }",
       "tensor(int64)[N]; tensor(float)[N,3]"},
      {3,
       "(float[N,4] x) { l, p = ai.onnx.ml.LinearClassifier<coefficients = [1.0], "
       "classlabels_strings = [\"a\", \"b\"]>(x) }",
       "tensor(string)[N]; tensor(float)[N,2]"},
      {3, "(float[N,4] x) { y = ai.onnx.ml.LinearRegressor<targets = 2>(x) }",
       "tensor(float)[N,2]"},
      {3, "(float[4] x) { y = ai.onnx.ml.SVMRegressor(x) }", "tensor(float)[1,1]"},
      {5, "(double[N,4] x) { y = ai.onnx.ml.TreeEnsemble<n_targets = 3>(x) }",
       "tensor(double)[N,3]"},
      {3, "(float[N,2] p) { y = ai.onnx.ml.ZipMap<classlabels_strings = [\"a\", \"b\"]>(p) }",
       "seq(map(string, float))[]"},
      {3,
       "(int64[N,4] x) { y = ai.onnx.ml.LabelEncoder<keys_int64s = [1], values_strings = "
       "[\"a\"]>(x) }",
       "tensor(string)[N,4]"},
      {1, "(string[N] x) { y = ai.onnx.ml.LabelEncoder<classes_strings = [\"a\"]>(x) }",
       "tensor(int64)[N]"},
      {3, "(string[N] x) { y = ai.onnx.ml.CategoryMapper(x) }", "tensor(int64)[N]"},
      {3, "(int64[N,4] x) { y = ai.onnx.ml.OneHotEncoder<cats_int64s = [1, 2, 3]>(x) }",
       "tensor(float)[N,4,3]"},
      {3, "(float[N,4] x, int64[1,2] i) { y = ai.onnx.ml.ArrayFeatureExtractor(x, i) }",
       "tensor(float)[N,2]"},
      {3,
       "(float[N,2] a, float[N,3] b) { y = ai.onnx.ml.FeatureVectorizer<inputdimensions = [2, "
       "3]>(a, b) }",
       "tensor(float)[N,5]"},
      {3, "(map(int64,float) m) { y = ai.onnx.ml.CastMap<cast_to = \"TO_STRING\">(m) }",
       "tensor(string)"},
      {3,
       "(map(string,float) m) { y = ai.onnx.ml.DictVectorizer<string_vocabulary = [\"a\", "
       "\"b\"]>(m) }",
       "tensor(float)[1,2]"},
      {13,
       "(float r, int64 t, float[2] x, float[2] g, float[2] v, float[2] h) "
       "{ nx, nv, nh = ai.onnx.preview.training.Adam(r, t, x, g, v, h) }",
       "tensor(float)[2]; tensor(float)[2]; tensor(float)[2]"},
  });
}

TEST_CASE("operators without a schema that real models use") {
  const Inferred m(R"(<ir_version: 8, opset_import: ["": 13, "com.microsoft": 1]>
    g (float[B,S,8] x, float[8] scale, int32[B,S] ids, float[100,16] words, int8[2,3] q, float s,
       float[4,B,2,3] a, float[4,B,5,3] b, float[B,S,6] v, float[B,2,L,4] kh, float[B,2,L,3] vh,
       float[B,S,2,3,4] qkv) => () <float[8,24] w, float[24] bias> {
      g = com.microsoft.FastGelu (x)
      l = LayerNormalization (x, scale)
      d = com.microsoft.DequantizeLinear (q, s)
      u = com.microsoft.QuantizeLinear (d, s)
      f = com.microsoft.FusedMatMul <transB = 1> (a, b)
      t = com.microsoft.Attention <num_heads = 2> (x, w, bias)
      e, i = com.microsoft.EmbedLayerNormalization (ids, , words)
      m = com.microsoft.MultiHeadAttention <num_heads = 2> (x, x, v)
      c = com.microsoft.MultiHeadAttention <num_heads = 2> (x, kh, vh)
      p = com.microsoft.MultiHeadAttention <num_heads = 2> (qkv)
    })");
  CHECK(m.type("g") == "tensor(float)[B,S,8]");
  CHECK(m.type("l") == "tensor(float)[B,S,8]");
  CHECK(m.type("d") == "tensor(float)[2,3]");
  CHECK(m.type("u") == "tensor(uint8)[2,3]");
  CHECK(m.type("f") == "tensor(float)[4,B,2,5]");
  CHECK(m.type("t") == "tensor(float)[B,S,8]");
  CHECK(m.type("e") == "tensor(float)[B,S,16]");
  CHECK(m.type("i") == "tensor(int32)[B]");
  CHECK(m.type("m") == "tensor(float)[B,S,6]");
  CHECK(m.type("c") == "tensor(float)[B,S,6]");
  CHECK(m.type("p") == "tensor(float)[B,S,8]");
}
