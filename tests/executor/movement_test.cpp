#include "executor/evaluate.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

TEST_CASE("Reshape at every version") {
  const std::string x = "float[2,3] x = {1,2,3,4,5,6}";
  check_rows({
      {1, x, "Reshape<shape=[3,-1]>(x)", "float[3,2] 1 2 3 4 5 6"},
      {5, x + ", int64[3] s = {0,-1,1}", "Reshape(x, s)", "float[2,3,1] 1 2 3 4 5 6"},
      {14, "float[0,3] x = {}, int64[2] s = {3,0}", "Reshape<allowzero=1>(x, s)", "float[3,0]"},
      {13, "float x = {7}, int64[0] s = {}", "Reshape(x, s)", "float[] 7"},
      {23, "int4[4] x = {1,-2,3,-4}, int64[2] s = {2,2}", "Reshape(x, s)", "int4[2,2] 1 -2 3 -4"},
  });
  check_refusals({
      {5, x + ", int64[1] s = {4}", "Reshape(x, s)", "cannot be reshaped"},
      {5, x + ", int64[2] s = {-1,-1}", "Reshape(x, s)", "more than one -1"},
      {5, x + ", int64[2] s = {-1,4}", "Reshape(x, s)", "nothing whole"},
      {5, x + ", int64[3] s = {2,3,0}", "Reshape(x, s)", "copies dim 2"},
      {5, x + ", int64[1] s = {-2}", "Reshape(x, s)", "has dim -2"},
      {14, x + ", int64[2] s = {0,-1}", "Reshape<allowzero=1>(x, s)", "nothing whole"},
      {5, x + ", int64[3] s = {4611686018427387904,4,-1}", "Reshape(x, s)", "has dim"},
  });
}

TEST_CASE("Squeeze, Unsqueeze and Flatten at every version") {
  const std::string x = "float[1,2,1] x = {1,2}";
  check_rows({
      {1, x, "Squeeze<axes=[0]>(x)", "float[2,1] 1 2"},
      {1, x, "Squeeze(x)", "float[2] 1 2"},
      {11, x, "Squeeze<axes=[-1]>(x)", "float[1,2] 1 2"},
      {13, x + ", int64[2] a = {-1,0}", "Squeeze(x, a)", "float[2] 1 2"},
      {13, x, "Squeeze(x)", "float[2] 1 2"},
      {1, "float[2] x = {1,2}", "Unsqueeze<axes=[0,2]>(x)", "float[1,2,1] 1 2"},
      {13, "float[2] x = {1,2}, int64[2] a = {-1,0}", "Unsqueeze(x, a)", "float[1,2,1] 1 2"},
      {1, "float[2,2] x = {1,2,3,4}", "Flatten<axis=0>(x)", "float[1,4] 1 2 3 4"},
      {9, "float[2,1,2] x = {1,2,3,4}", "Flatten<axis=3>(x)", "float[4,1] 1 2 3 4"},
      {11, "float[2,1,2] x = {1,2,3,4}", "Flatten<axis=-1>(x)", "float[2,2] 1 2 3 4"},
  });
  check_refusals({
      {1, x, "Squeeze<axes=[-1]>(x)", "outside"},
      {13, x + ", int64[1] a = {1}", "Squeeze(x, a)", "not 1"},
      {13, x + ", int64[2] a = {0,-3}", "Squeeze(x, a)", "given twice"},
      {13, "float[2] x = {1,2}, int64[2] a = {0,-3}", "Unsqueeze(x, a)", "given twice"},
      {9, x, "Flatten<axis=-1>(x)", "outside"},
      {11, x, "Flatten<axis=4>(x)", "outside"},
  });
}

TEST_CASE("Shape and Size") {
  const std::string x = "float[2,0,4] x = {}";
  check_rows({
      {1, x, "Shape(x)", "int64[3] 2 0 4"},
      {15, x, "Shape<start=1>(x)", "int64[2] 0 4"},
      {15, x, "Shape<start=-2, end=-1>(x)", "int64[1] 0"},
      {15, x, "Shape<start=2, end=1>(x)", "int64[0]"},
      {15, x, "Shape<start=-9, end=9>(x)", "int64[3] 2 0 4"},
      {1, x, "Size(x)", "int64[] 0"},
  });
}

TEST_CASE("Transpose, DepthToSpace and SpaceToDepth") {
  check_rows({
      {1, "float[2,3] x = {1,2,3,4,5,6}", "Transpose(x)", "float[3,2] 1 4 2 5 3 6"},
      {13, "string[1,2,2] x = {\"a\",\"b\",\"c\",\"d\"}", "Transpose<perm=[2,0,1]>(x)",
       "string[2,1,2] \"a\" \"c\" \"b\" \"d\""},
      {1, "float[1,4,1,1] x = {1,2,3,4}", "DepthToSpace<blocksize=2>(x)", "float[1,1,2,2] 1 2 3 4"},
      {11, "float[1,8,1,1] x = {1,2,3,4,5,6,7,8}", "DepthToSpace<blocksize=2>(x)",
       "float[1,2,2,2] 1 3 5 7 2 4 6 8"},
      {11, "float[1,8,1,1] x = {1,2,3,4,5,6,7,8}", "DepthToSpace<blocksize=2, mode=\"CRD\">(x)",
       "float[1,2,2,2] 1 2 3 4 5 6 7 8"},
      {13, "float[1,1,2,2] x = {1,2,3,4}", "SpaceToDepth<blocksize=2>(x)",
       "float[1,4,1,1] 1 2 3 4"},
  });
  check_refusals({
      {13, "float[2,2] x = {1,2,3,4}", "Transpose<perm=[0,0]>(x)", "does not permute"},
      {13, "float[2,2] x = {1,2,3,4}", "Transpose<perm=[0]>(x)", "does not permute"},
      {13, "float[2,2] x = {1,2,3,4}", "Transpose<perm=[0,2]>(x)", "does not permute"},
      {13, "float[1,3,1,1] x = {1,2,3}", "DepthToSpace<blocksize=2>(x)", "no multiple"},
      {13, "float[1,4,1,1] x = {1,2,3,4}", "DepthToSpace<blocksize=0>(x)", "out of range"},
  });
}

TEST_CASE("Concat and Split at every version") {
  const std::string x = "float[2,3] x = {1,2,3,4,5,6}";
  const auto parts = [](int opset, const std::string& constants, const std::string& node) {
    std::string all;
    for (const Tensor& t : evaluate_all(opset, constants, node, "a, b")) all += shown(t) + "; ";
    return all;
  };
  check_rows({
      {1, x, "Concat(x, x)", "float[2,6] 1 2 3 1 2 3 4 5 6 4 5 6"},
      {4, x, "Concat<axis=0>(x, x)", "float[4,3] 1 2 3 4 5 6 1 2 3 4 5 6"},
      {11, x + ", float[2,1] z = {8,9}", "Concat<axis=-1>(x, z)", "float[2,4] 1 2 3 8 4 5 6 9"},
  });
  CHECK(parts(1, x + ", float[2] l = {1,2}", "Split<axis=1>(x, l)") ==
        "float[2,1] 1 4; float[2,2] 2 3 5 6; ");
  CHECK(parts(2, x, "Split(x)") == "float[1,3] 1 2 3; float[1,3] 4 5 6; ");
  CHECK(parts(2, x, "Split<axis=1, split=[3,0]>(x)") == "float[2,3] 1 2 3 4 5 6; float[2,0]; ");
  CHECK(parts(13, x + ", int64[2] l = {2,1}", "Split<axis=-1>(x, l)") ==
        "float[2,2] 1 2 4 5; float[2,1] 3 6; ");
  CHECK(parts(18, x, "Split<axis=1, num_outputs=2>(x)") == "float[2,2] 1 2 4 5; float[2,1] 3 6; ");
  const auto refused = [&](int opset, const std::string& constants, const std::string& node,
                           const std::string& why) {
    const auto result = try_evaluate(opset, constants, node, "a, b");
    REQUIRE_FALSE(result.has_value());
    INFO(result.error().message);
    CHECK(result.error().message.find(why) != std::string::npos);
  };
  refused(13, x, "Split<axis=1>(x)", "equal parts");
  refused(13, x + ", int64[2] l = {2,2}", "Split<axis=1>(x, l)", "do not fit");
  refused(13, x + ", int64[2] l = {4,-1}", "Split<axis=1>(x, l)", "length -1");
  refused(18, x, "Split<axis=1, num_outputs=3>(x)", "num_outputs is 3");
  check_refusals({
      {11, x + ", float[3,1] z = {1,2,3}", "Concat<axis=1>(x, z)", "does not fit"},
      {11, x + ", float[2] z = {1,2}", "Concat<axis=1>(x, z)", "rank"},
      {11, x, "Concat<axis=2>(x, x)", "axis"},
  });
}

TEST_CASE("Slice clamps as its text says") {
  const std::string x = "int64[5] x = {0,1,2,3,4}";
  const auto inputs = [&](const std::string& start, const std::string& end,
                          const std::string& step) {
    return x + ", int64[1] s = {" + start + "}, int64[1] e = {" + end +
           "}, int64[1] a = {0}, int64[1] t = {" + step + "}";
  };
  const std::string node = "Slice(x, s, e, a, t)";
  const std::string least = "-9223372036854775808";
  const std::string most = "9223372036854775807";
  check_rows({
      {1, x, "Slice<starts=[-3], ends=[2147483647]>(x)", "int64[3] 2 3 4"},
      {1, "float[2,3] x = {1,2,3,4,5,6}", "Slice<axes=[1], starts=[1], ends=[-1]>(x)",
       "float[2,1] 2 5"},
      {10, inputs("1", "9", "2"), node, "int64[2] 1 3"},
      {13, inputs("-1", least, "-1"), node, "int64[5] 4 3 2 1 0"},
      {13, inputs("9", "-9", "-2"), node, "int64[3] 4 2 0"},
      {13, inputs("3", "-6", "-3"), node, "int64[2] 3 0"},
      {13, inputs("3", "-1", "-1"), node, "int64[0]"},
      {13, inputs("0", most, most), node, "int64[1] 0"},
      {13, inputs("4", least, least), node, "int64[1] 4"},
      {13, inputs("7", "9", "1"), node, "int64[0]"},
      {13,
       "float[0] x = {}, int32[1] s = {0}, int32[1] e = {-1}, int32[1] a = {0}, int32[1] t = {-1}",
       node, "float[0]"},
  });
  check_refusals({
      {13, inputs("0", "1", "0"), node, "step is zero"},
      {13, x + ", int64[2] s = {0,0}, int64[2] e = {1,1}, int64[2] a = {0,-1}", "Slice(x, s, e, a)",
       "given twice"},
      {13, x + ", int64[2] s = {0,0}, int64[2] e = {1,1}", "Slice(x, s, e)", "more than the rank"},
      {13, x + ", int64[1] s = {0}, int64[2] e = {1,1}", "Slice(x, s, e)", "differ in length"},
  });
}

TEST_CASE("Gather and its relatives check every index") {
  const std::string x = "float[2,3] x = {1,2,3,4,5,6}";
  check_rows({
      {1, x + ", int32[2] i = {1,0}", "Gather(x, i)", "float[2,3] 4 5 6 1 2 3"},
      {11, x + ", int64 i = {-1}", "Gather<axis=1>(x, i)", "float[2] 3 6"},
      {13, x + ", int64[0] i = {}", "Gather(x, i)", "float[0,3]"},
      {11, x + ", int64[1,2] i = {1,-1}", "GatherElements<axis=1>(x, i)", "float[1,2] 2 3"},
      {11, x + ", int64[2,2] i = {0,1,1,-1}", "GatherND(x, i)", "float[2] 2 6"},
      {12, x + ", int64[2,1] i = {2,0}", "GatherND<batch_dims=1>(x, i)", "float[2] 3 4"},
      {9, x + ", bool[2] c = {0,1}", "Compress<axis=1>(x, c)", "float[2,1] 2 5"},
      {11, x + ", bool[5] c = {1,0,0,0,1}", "Compress(x, c)", "float[2] 1 5"},
  });
  check_refusals({
      {13, x + ", int64[1] i = {2}", "Gather(x, i)", "index 2 is outside"},
      {13, x + ", int64[1] i = {-3}", "Gather(x, i)", "index -3 is outside"},
      {13, "float[0,2] x = {}, int64[1] i = {0}", "Gather(x, i)", "outside a dim of 0"},
      {13, "float x = {1}, int64[1] i = {0}", "Gather(x, i)", "axis"},
      {13, x + ", int64[1,4] i = {0,0,0,0}", "GatherElements<axis=0>(x, i)", "reach beyond"},
      {13, x + ", int64[1,1] i = {3}", "GatherElements<axis=1>(x, i)", "outside"},
      {13, x + ", int64[1,3] i = {0,0,0}", "GatherND(x, i)", "do not fit"},
      {13, x + ", int64[1,1] i = {0}", "GatherND<batch_dims=1>(x, i)", "batch dims"},
      {13, x + ", int64[1,2] i = {0,3}", "GatherND(x, i)", "outside"},
      {11, x + ", bool[4] c = {1,1,1,1}", "Compress<axis=1>(x, c)", "longer"},
  });
}

TEST_CASE("Scatter and its relatives write in order and stay inside") {
  const std::string x = "float[2,3] x = {1,2,3,4,5,6}";
  check_rows({
      {9, x + ", int64[1,2] i = {1,0}, float[1,2] u = {8,9}", "Scatter(x, i, u)",
       "float[2,3] 1 9 3 8 5 6"},
      {11, x + ", int64[2,1] i = {-1,0}, float[2,1] u = {8,9}", "ScatterElements<axis=1>(x, i, u)",
       "float[2,3] 1 2 8 9 5 6"},
      {16, x + ", int64[1,2] i = {0,0}, float[1,2] u = {10,20}",
       "ScatterElements<axis=1, reduction=\"add\">(x, i, u)", "float[2,3] 31 2 3 4 5 6"},
      {18, x + ", int64[1,2] i = {0,0}, float[1,2] u = {-1,0}",
       "ScatterElements<axis=1, reduction=\"min\">(x, i, u)", "float[2,3] -1 2 3 4 5 6"},
      {11, x + ", int64[1,1] i = {1}, float[1,3] u = {7,8,9}", "ScatterND(x, i, u)",
       "float[2,3] 1 2 3 7 8 9"},
      {16, x + ", int64[2,2] i = {0,0,0,0}, float[2] u = {2,3}",
       "ScatterND<reduction=\"mul\">(x, i, u)", "float[2,3] 6 2 3 4 5 6"},
      {24, "float[1,3,1] x = {1,2,3}, float[1,2,1] u = {8,9}, int64[1] w = {2}",
       "TensorScatter<mode=\"circular\">(x, u, w)", "float[1,3,1] 9 2 8"},
  });
  check_refusals({
      {18, x + ", int64[1,1] i = {2}, float[1,1] u = {1}", "ScatterElements(x, i, u)", "outside"},
      {18, x + ", int64[1,4] i = {0,0,0,0}, float[1,4] u = {1,1,1,1}", "ScatterElements(x, i, u)",
       "reach beyond"},
      {18, x + ", int64[1,2] i = {0,0}, float[1,1] u = {1}", "ScatterElements(x, i, u)", "updates"},
      {18, x + ", int64[1,2] i = {0,-4}, float[1] u = {1}", "ScatterND(x, i, u)", "outside"},
      {18, x + ", int64[1,1] i = {0}, float[1,2] u = {1,1}", "ScatterND(x, i, u)", "updates"},
      {16, x + ", int64[1,1] i = {0}, float[1,1] u = {1}",
       "ScatterElements<reduction=\"max\">(x, i, u)", "unknown"},
      {24, "float[1,3,1] x = {1,2,3}, float[1,2,1] u = {8,9}, int64[1] w = {2}",
       "TensorScatter(x, u, w)", "leaves a cache"},
  });
}

TEST_CASE("Pad at every version and in every mode") {
  const std::string x = "float[3] x = {1,2,3}";
  check_rows({
      {1, x, "Pad<paddings=[1,2], value=9.0>(x)", "float[6] 9 1 2 3 9 9"},
      {2, x, "Pad<pads=[-1,1]>(x)", "float[3] 2 3 0"},
      {2, x, "Pad<pads=[2,2], mode=\"reflect\">(x)", "float[7] 3 2 1 2 3 2 1"},
      {11, x + ", int64[2] p = {1,1}, float v = {7}", "Pad(x, p, v)", "float[5] 7 1 2 3 7"},
      {13, x + ", int64[2] p = {1,2}", "Pad<mode=\"edge\">(x, p)", "float[6] 1 1 2 3 3 3"},
      {18, "float[1,2] x = {1,2}, int64[2] p = {1,0}, int64[1] a = {-1}", "Pad(x, p, , a)",
       "float[1,3] 0 1 2"},
      {19, x + ", int64[2] p = {2,4}", "Pad<mode=\"wrap\">(x, p)", "float[9] 2 3 1 2 3 1 2 3 1"},
      {19, x + ", int64[2] p = {-1,3}", "Pad<mode=\"reflect\">(x, p)", "float[5] 2 3 2 3 2"},
      {18, "string[1] x = {\"a\"}, int64[2] p = {0,1}", "Pad(x, p)", "string[2] \"a\" \"\""},
      {18, "float[4] x = {1,2,3,4}, int64[1] s = {3}", "CenterCropPad(x, s)", "float[3] 1 2 3"},
      {18, "float[2] x = {1,2}, int64[1] s = {5}", "CenterCropPad(x, s)", "float[5] 0 1 2 0 0"},
  });
  check_refusals({
      {13, x + ", int64[3] p = {1,1,1}", "Pad(x, p)", "3 pads"},
      {13, x + ", int64[2] p = {-2,-2}", "Pad(x, p)", "leave no size"},
      {13, x + ", int64[2] p = {9223372036854775807,1}", "Pad(x, p)", "leave no size"},
      {18, x + ", int64[2] p = {1,1}", "Pad<mode=\"wrap\">(x, p)", "unknown"},
      {13, "float[0] x = {}, int64[2] p = {1,1}", "Pad<mode=\"edge\">(x, p)", "nothing to repeat"},
      {18, x + ", int64[4] p = {1,1,1,1}, int64[2] a = {0,-1}", "Pad(x, p, , a)", "given twice"},
  });
}

TEST_CASE("Tile and Expand") {
  check_rows({
      {1, "float[1,2] x = {1,2}, float t = {2}, float a = {1}", "Tile(x, t, a)",
       "float[1,4] 1 2 1 2"},
      {6, "float[2,1] x = {1,2}, int64[2] r = {1,3}", "Tile(x, r)", "float[2,3] 1 1 1 2 2 2"},
      {6, "float[1,2] x = {1,2}, int64[2] r = {0,1}", "Tile(x, r)", "float[0,2]"},
      {8, "float[3,1] x = {1,2,3}, int64[2] s = {1,2}", "Expand(x, s)", "float[3,2] 1 1 2 2 3 3"},
      {8, "float x = {1}, int64[2] s = {2,0}", "Expand(x, s)", "float[2,0]"},
  });
  check_refusals({
      {6, "float[2] x = {1,2}, int64[1] r = {-1}", "Tile(x, r)", "-1 times"},
      {6, "float[2] x = {1,2}, int64[2] r = {1,1}", "Tile(x, r)", "one number an axis"},
      {13, "float[2] x = {1,2}, int64[1] s = {3}", "Expand(x, s)", "cannot be expanded"},
      {13, "float x = {1}, int64[2] s = {4294967296,4294967296}", "Expand(x, s)", "cannot be"},
      {13, "float x = {1}, int64[1] s = {1099511627776}", "Expand(x, s)", "memory budget"},
  });
}

TEST_CASE("TopK orders at every version; the lower index wins a tie, NaN is greatest") {
  const std::string x = "float[5] x = {1,3,nan,3,2}";
  const auto both = [](int opset, const std::string& constants, const std::string& node) {
    const auto results = evaluate_all(opset, constants, node, "v, i");
    return shown(results[0]) + "; " + shown(results[1]);
  };
  CHECK(both(1, "float[4] x = {1,3,3,2}", "TopK<k=3>(x)") == "float[3] 3 3 2; int64[3] 1 2 3");
  CHECK(both(10, "float[4] x = {1,3,3,2}, int64[1] k = {2}", "TopK(x, k)") ==
        "float[2] 3 3; int64[2] 1 2");
  CHECK(both(11, x + ", int64[1] k = {3}", "TopK(x, k)") == "float[3] nan 3 3; int64[3] 2 1 3");
  CHECK(both(11, x + ", int64[1] k = {5}", "TopK<largest=0>(x, k)") ==
        "float[5] 1 2 3 3 nan; int64[5] 0 4 1 3 2");
  CHECK(both(11, "int64[2,2] x = {1,4,3,2}, int64[1] k = {1}", "TopK<axis=0>(x, k)") ==
        "int64[1,2] 3 4; int64[1,2] 1 0");
  CHECK(both(11, x + ", int64[1] k = {0}", "TopK(x, k)") == "float[0]; int64[0]");
  CHECK_FALSE(try_evaluate(11, x + ", int64[1] k = {6}", "TopK(x, k)", "v, i").has_value());
  CHECK_FALSE(try_evaluate(11, x + ", int64[1] k = {-1}", "TopK(x, k)", "v, i").has_value());
}

TEST_CASE("Unique finds values and slices, sorted or as they come") {
  const auto all = [](const std::string& constants, const std::string& node) {
    std::string text;
    for (const Tensor& t : evaluate_all(11, constants, node, "y, a, b, d")) text += shown(t) + "; ";
    return text;
  };
  CHECK(all("float[6] x = {2,1,1,3,4,3}", "Unique<sorted=0>(x)") ==
        "float[4] 2 1 3 4; int64[4] 0 1 3 4; int64[6] 0 1 1 2 3 2; int64[4] 1 2 2 1; ");
  CHECK(all("float[3,3] x = {1,0,0,1,0,0,2,3,4}", "Unique<axis=0>(x)") ==
        "float[2,3] 1 0 0 2 3 4; int64[2] 0 2; int64[3] 0 0 1; int64[2] 2 1; ");
  CHECK(all("int64[2,2] x = {1,1,2,2}", "Unique<axis=-1>(x)") ==
        "int64[2,1] 1 2; int64[1] 0; int64[2] 0 0; int64[1] 2; ");
  CHECK(all("float[3] x = {nan,1,nan}", "Unique(x)") ==
        "float[2] 1 nan; int64[2] 1 0; int64[3] 1 0 1; int64[2] 1 2; ");
  CHECK(all("string[3] x = {\"b\",\"a\",\"b\"}", "Unique(x)") ==
        "string[2] \"a\" \"b\"; int64[2] 1 0; int64[3] 1 0 1; int64[2] 1 2; ");
}

TEST_CASE("OneHot, NonZero, Trilu, sums and sequences of positions") {
  const std::string values = ", float[2] v = {0,1}";
  check_rows({
      {9, "int64[2] i = {1,-1}, int64 d = {2}" + values, "OneHot(i, d, v)", "float[2,2] 0 1 0 0"},
      {11, "int64[2] i = {1,-1}, int64 d = {2}" + values, "OneHot(i, d, v)", "float[2,2] 0 1 0 1"},
      {11, "float[2] i = {0.9,5}, float d = {2}" + values, "OneHot<axis=0>(i, d, v)",
       "float[2,2] 1 0 0 0"},
      {9, "float[2,2] x = {0,1,2,0}", "NonZero(x)", "int64[2,2] 0 1 1 0"},
      {14, "float[2,3] x = {1,2,3,4,5,6}, int64 k = {1}", "Trilu(x, k)", "float[2,3] 0 2 3 0 0 6"},
      {14, "float[2,3] x = {1,2,3,4,5,6}, int64 k = {-1}", "Trilu<upper=0>(x, k)",
       "float[2,3] 0 0 0 4 0 0"},
      {14, "float[2,2] x = {1,2,3,4}, int64 k = {9223372036854775807}", "Trilu(x, k)",
       "float[2,2] 0 0 0 0"},
      {11, "float[3] x = {1,2,3}, int32 a = {0}", "CumSum<exclusive=1, reverse=1>(x, a)",
       "float[3] 5 3 0"},
      {26, "int32[2,2] x = {1,2,3,4}, int64 a = {-1}", "CumProd(x, a)", "int32[2,2] 1 2 3 12"},
      {10, "float[3,2] x = {1,2,3,4,5,6}, int64[2] l = {3,1}", "ReverseSequence(x, l)",
       "float[3,2] 5 2 3 4 1 6"},
  });
  check_refusals({
      {11, "int64[1] i = {0}, int64 d = {0}" + values, "OneHot(i, d, v)", "depth is 0"},
      {11, "int64[1] i = {0}, int64 d = {2}, float[3] v = {0,1,2}", "OneHot(i, d, v)", "values"},
      {14, "float[2] x = {1,2}", "Trilu(x)", "rank 2"},
      {14, "float[2] x = {1,2}, int64 a = {1}", "CumSum(x, a)", "axis"},
      {10, "float[2,1] x = {1,2}, int64[1] l = {3}", "ReverseSequence(x, l)", "length 3"},
      {10, "float[2,1] x = {1,2}, int64[1] l = {1}", "ReverseSequence<time_axis=1>(x, l)",
       "must be 0 and 1"},
  });
}
