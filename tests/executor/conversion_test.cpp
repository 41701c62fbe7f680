#include "executor/evaluate.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

namespace {

std::string cast(DataType to, const std::string& more = "") {
  return fmt::format("Cast<to={}{}>(x)", static_cast<int>(to), more);
}

}  // namespace

TEST_CASE("Cast between numbers") {
  check_rows({
      {1, "float[2] x = {1.9,-1.9}", "Cast<to=\"INT32\">(x)", "int32[2] 1 -1"},
      {6, "float[3] x = {0,-0.0,0.5}", cast(DataType::boolean), "bool[3] 0 0 1"},
      {13, "int16[1] x = {200}", cast(DataType::int8), "int8[1] -56"},
      {13, "int64[1] x = {-1}", cast(DataType::uint64), "uint64[1] 1.84467e+19"},
      {13, "bool[2] x = {0,1}", cast(DataType::float32), "float[2] 0 1"},
      {13, "double[2] x = {1e300,-1e300}", cast(DataType::float32), "float[2] inf -inf"},
      {13, "float[1] x = {70000}", cast(DataType::float16), "float16[1] inf"},
      // What the text leaves open: docs/exactness.md
      {13, "float[3] x = {300,-300,nan}", cast(DataType::int8), "int8[3] 127 -128 0"},
      {13, "float[2] x = {1e20,-1e20}", cast(DataType::int64), "int64[2] 9.22337e+18 -9.22337e+18"},
      {21, "float[3] x = {-9,7.9,17}", cast(DataType::int4), "int4[3] 7 7 1"},
      {25, "int32[3] x = {-3,2,5}", cast(DataType::int2), "int2[3] 1 -2 1"},
  });
}

TEST_CASE("Cast rounds once") {
  // 1 + 2^-11 + 2^-40 lies above the middle of two halves; as a float it would be the middle.
  check_rows({
      {13, "double[1] x = {1.00048828125090949}", cast(DataType::float16), "float16[1] 1.00098"},
      // 2^24 + 2^16 + 1 likewise for bfloat16: just above the middle of 2^24 and the next.
      {13, "int64[2] x = {16842753,16842752}", cast(DataType::bfloat16),
       "bfloat16[2] 1.69083e+07 1.67772e+07"},
      {13, "int64[1] x = {9007199254740993}", cast(DataType::float64), "double[1] 9.0072e+15"},
      {13, "uint64[1] x = {18446744073709551615}", cast(DataType::float32), "float[1] 1.84467e+19"},
  });
}

TEST_CASE("Cast to 8-bit floats saturates as its version says") {
  const std::string x = "float[3] x = {1000000,inf,nan}";
  check_rows({
      {19, x, cast(DataType::float8e4m3fn), "float8e4m3fn[3] 448 448 nan"},
      {19, x, cast(DataType::float8e4m3fn, ", saturate=0"), "float8e4m3fn[3] nan nan nan"},
      {19, x, cast(DataType::float8e4m3fnuz), "float8e4m3fnuz[3] 240 nan nan"},
      {24, x, cast(DataType::float8e4m3fnuz), "float8e4m3fnuz[3] 240 240 nan"},
      {19, x, cast(DataType::float8e5m2, ", saturate=0"), "float8e5m2[3] inf inf nan"},
      {24, "float[3] x = {3,1.2,0}", cast(DataType::float8e8m0), "float8e8m0[3] 4 2 5.87747e-39"},
      {24, "float[2] x = {3.1,1.2}", cast(DataType::float8e8m0, ", round_mode=\"down\""),
       "float8e8m0[2] 2 1"},
      {24, "float[2] x = {3,1.2}", cast(DataType::float8e8m0, ", round_mode=\"nearest\""),
       "float8e8m0[2] 4 1"},
  });
}

TEST_CASE("Cast to and from text") {
  check_rows({
      {9, "string[6] x = {\"3.14\",\"1e-5\",\"1E8\",\"+INF\",\"-inf\",\" NaN \"}",
       cast(DataType::float32), "float[6] 3.14 1e-05 1e+08 inf -inf nan"},
      {9, "string[3] x = {\"1000\",\"100.5\",\"-7\"}", cast(DataType::int32),
       "int32[3] 1000 100 -7"},
      {9, "string[1] x = {\"9007199254740993\"}", cast(DataType::int64), "int64[1] 9.0072e+15"},
      {9, "float[4] x = {0.5,-2,inf,nan}", cast(DataType::string),
       "string[4] \"0.5\" \"-2\" \"INF\" \"NaN\""},
      {9, "double[1] x = {314.15926}", cast(DataType::string), "string[1] \"314.15926\""},
      {9, "int64[1] x = {-12}", cast(DataType::string), "string[1] \"-12\""},
  });
  check_refusals({
      {9, "string[1] x = {\"Hello World!\"}", cast(DataType::float32), "is not a number"},
      {9, "string[1] x = {\"\"}", cast(DataType::int64), "is not a number"},
      {13, "float[1] x = {1}", "Cast<to=99>(x)", "does not name"},
      {13, "float[1] x = {1}", "Cast<to=0>(x)", "does not name"},
      {24, "float[1] x = {1}", cast(DataType::float8e8m0, ", round_mode=\"out\""), "round_mode"},
  });
}

TEST_CASE("CastLike and BitCast") {
  check_rows({
      {15, "float[2] x = {1.5,2.5}, int64[3] like = {0,0,0}", "CastLike(x, like)", "int64[2] 1 2"},
      {26, "float[1] x = {1}", "BitCast<to=6>(x)", "int32[1] 1.06535e+09"},
      {26, "uint8[2] x = {255,1}", "BitCast<to=3>(x)", "int8[2] -1 1"},
      {26, "uint4[2] x = {15,1}", "BitCast<to=22>(x)", "int4[2] -1 1"},
  });
  check_refusals({{26, "float[1] x = {1}", "BitCast<to=7>(x)", "not of one width"}});
}

TEST_CASE("Constant in every form") {
  check_rows({
      {1, "float x = {0}", "Constant<value=float[2] {1,2}>()", "float[2] 1 2"},
      {12, "float x = {0}", "Constant<value_float=1.5>()", "float[] 1.5"},
      {12, "float x = {0}", "Constant<value_floats=[1.5,2.5]>()", "float[2] 1.5 2.5"},
      {12, "float x = {0}", "Constant<value_int=3>()", "int64[] 3"},
      {12, "float x = {0}", "Constant<value_ints=[3,4]>()", "int64[2] 3 4"},
      {12, "float x = {0}", "Constant<value_string=\"s\">()", "string[] \"s\""},
      {12, "float x = {0}", "Constant<value_strings=[\"s\",\"t\"]>()", "string[2] \"s\" \"t\""},
      {11, "float x = {0}",
       "Constant<sparse_value=@sparse [2,2] (float[2] {5,6}, int64[2] {0,3})>()",
       "float[2,2] 5 0 0 6"},
      {11, "float x = {0}",
       "Constant<sparse_value=@sparse [2,2] (float[1] {5}, int64[1,2] {1,0})>()",
       "float[2,2] 0 0 5 0"},
  });
  check_refusals({
      {12, "float x = {0}", "Constant()", "has no value"},
      {12, "float x = {0}", "Constant<value_int=1, value_float=2.0>()", "has both"},
      {11, "float x = {0}", "Constant<sparse_value=@sparse [2] (float[1] {5}, int64[1] {2})>()",
       "outside"},
  });
}

TEST_CASE("ConstantOfShape, EyeLike and Range") {
  check_rows({
      {9, "int64[2] s = {2,1}", "ConstantOfShape(s)", "float[2,1] 0 0"},
      {9, "int64[0] s = {}", "ConstantOfShape<value=int64[1] {7}>(s)", "int64[] 7"},
      {9, "float[2,3] x = {1,1,1,1,1,1}", "EyeLike<k=1, dtype=7>(x)", "int64[2,3] 0 1 0 0 0 1"},
      {11, "float s = {1}, float l = {2}, float d = {0.25}", "Range(s, l, d)",
       "float[4] 1 1.25 1.5 1.75"},
      {11, "int64 s = {10}, int64 l = {4}, int64 d = {-2}", "Range(s, l, d)", "int64[3] 10 8 6"},
      {11, "int32 s = {0}, int32 l = {5}, int32 d = {-1}", "Range(s, l, d)", "int32[0]"},
      {11,
       "int64 s = {-9223372036854775808}, int64 l = {9223372036854775807}, "
       "int64 d = {9223372036854775807}",
       "Range(s, l, d)", "int64[3] -9.22337e+18 -1 9.22337e+18"},
  });
  check_refusals({
      {9, "int64[1] s = {-1}", "ConstantOfShape(s)", "cannot be"},
      {9, "int64[2] s = {4611686018427387904,8}", "ConstantOfShape(s)", "cannot be"},
      {9, "int64[1] s = {1099511627776}", "ConstantOfShape(s)", "memory budget"},
      {11, "float s = {0}, float l = {1}, float d = {0}", "Range(s, l, d)", "delta is zero"},
      {11, "float s = {0}, float l = {inf}, float d = {1}", "Range(s, l, d)", "no finite number"},
      {11, "float s = {0}, float l = {nan}, float d = {1}", "Range(s, l, d)", "no finite number"},
      {9, "float[2] x = {1,1}", "EyeLike(x)", "rank"},
  });
}
