#include "support/text_model.h"

using namespace onnxcompat;

namespace {

/// What the printer makes of a text: through the wire format, as the text itself would be kept.
std::string printed(std::string_view text) {
  const auto wire = model_of(text).serialize();
  REQUIRE(wire.has_value());
  const auto model = Model::parse(*wire, "test.onnx");
  REQUIRE(model.has_value());
  const auto out = model->serialize(ModelFormat::text);
  REQUIRE(out.has_value());
  return *out;
}

}  // namespace

TEST_CASE("the printer has one layout") {
  CHECK(printed(R"(<opset_import:["":17,"a":1],ir_version:8,producer_name:"">
main(float[N,3]x,float s,int64[]u)=>(float[N,3]y)<float[2]w={1,2.50},float[N]t,string[1] z={"a\"b\\"}>
{[first]t=Relu(x)y=a.b.Op:v<i=1,f=1e0,fs=[1.0,2],s="q",e:ints=[]>(t,,"odd n","")= Nop()
c=If(b)<then_branch=g()=>(float r){r=Id(x)},k=2>})") ==
        R"(<
  ir_version: 8,
  opset_import: ["" : 17, "a" : 1]
>
main (float[N, 3] x, float s, int64[] u) => (float[N, 3] y) <
  float[2] w = {1, 2.5},
  string[1] z = {"a\"b\\"},
  float[N] t
> {
  [first] t = Relu(x)
  y = a.b.Op:v <i = 1, f = 1.0, fs = [1.0, 2.0], s = "q", e: ints = []> (t, , "odd n", "")
  = Nop()
  c = If (b) <
    then_branch = g () => (float r) {
      r = Id(x)
    },
    k = 2
  >
}
)");
}
