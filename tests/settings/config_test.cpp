#include "cli/config.h"

#include <string>

#include "support/catch.h"

using namespace onnxcompat;
using namespace onnxcompat::cli;

namespace {

std::string refusal(const std::string& text) {
  const auto config = parse_config(text, "onnxcompat.toml");
  if (config) return "";
  CHECK(config.error().code == ExitCode::usage);
  return config.error().message;
}

std::string suppressed_until(const std::string& date) {
  return "[[suppress]]\nrule = 'OCM012'\nreason = 'old'\nexpires = " + date + "\n";
}

}  // namespace

TEST_CASE("settings that are shown can be read again") {
  const auto config = parse_config(R"(
targets = "opset=17"
select = []
ignore = ["OCM012", "a\"b\\c"]
max-findings = 0
[severity]
"a\nb\u0007" = "off"
[[suppress]]
rule = "OCG017"
place = "\u001b[2J\t\u007f"
reason = "line\nbreak"
expires = 2027-01-31
)",
                                   "onnxcompat.toml");
  REQUIRE(config);
  CHECK(config->targets == std::vector<std::string>{"opset=17"});
  const std::string shown = show_config(*config);
  const auto again = parse_config(shown, "onnxcompat.toml");
  INFO(shown);
  REQUIRE(again);
  CHECK(show_config(*again) == shown);
  CHECK(again->select == std::vector<std::string>{});
  CHECK(again->ignore == std::vector<std::string>{"OCM012", "a\"b\\c"});
  CHECK(again->severities.contains("a\nb\a"));
  REQUIRE(again->suppressions.size() == 1);
  CHECK(again->suppressions[0].place == "\x1b[2J\t\x7f");
  CHECK(again->suppressions[0].reason == "line\nbreak");
  CHECK(again->suppressions[0].expires == "2027-01-31");
}

TEST_CASE("a date is one") {
  for (const char* date : {"2027-01-31", "'2027-01-31'", "'2028-02-29'"}) {
    INFO(date);
    CHECK(refusal(suppressed_until(date)).empty());
  }
  for (const char* date : {"'soon'", "'abcd-ef-gh'", "'2027-13-01'", "'2027-02-29'", "'2027-1-31'",
                           "'2027-01-31 '", "12", "2027-01-31T00:00:00Z"}) {
    INFO(date);
    CHECK(refusal(suppressed_until(date)) ==
          "onnxcompat.toml:4:11: 'expires' is not a date (2027-01-31)");
  }
}

TEST_CASE("characters that are no white space are no settings") {
  // But for the last two, toml++ 3.3 by itself has undefined behaviour.
  for (const char* character : {"\u00ef", "\u0100", "\u3042", "\ufe7f", "\u2010", "\U0001f600"}) {
    INFO(character);
    for (const std::string& text :
         {std::string(character), "a = " + std::string(character),
          "targets = [" + std::string(character), "targets" + std::string(character) + " = 'x'"}) {
      CHECK(refusal(text).starts_with("onnxcompat.toml:1:"));
    }
    const auto text = "fail-on = 'info' # " + std::string(character) + "\nignore = [\"\"\"a\\\n  " +
                      character + "\"\"\"]";
    const auto config = parse_config(text, "onnxcompat.toml");
    REQUIRE(config);
    CHECK(config->ignore == std::vector<std::string>{"a" + std::string(character)});
  }
}

TEST_CASE("a table without a name is refused") {
  for (const char* text : {"[", "[\n", "[[\n", "[ \n]", "[a.\n", "a = {\n"}) {
    INFO(text);
    CHECK(refusal(text).starts_with("onnxcompat.toml:"));
  }
}

TEST_CASE("settings that are nested deeply are refused") {
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  CHECK(refusal("targets = " + deep).starts_with("onnxcompat.toml:1:"));
  std::string keys = "a";
  for (int i = 0; i < 3'000'000; ++i) keys += ".a";
  for (const std::string before : {"", "# it's a comment\n", "x = 'a.\"b'\n", "x = \"a\\\"\"\n",
                                   "x = \"\"\"a\n\"b\"\"\"\n", "x = '''\n'''\n"}) {
    INFO(before);
    CHECK(refusal(before + keys + " = 1").ends_with(": a key has more than 64 parts"));
    CHECK(refusal(before + "[" + keys + "]").ends_with(": a key has more than 64 parts"));
  }
  for (const std::string quotes : {"\"\"\"", "'''"}) {
    for (const std::size_t more : {0, 1, 2}) {
      const std::string contents = "a" + quotes.substr(0, more);
      const std::string text = "x = [{s = " + quotes + contents + quotes + ", " + keys + " = 1}]";
      CHECK(refusal(text).ends_with(": a key has more than 64 parts"));
    }
  }
  const std::string dots(1000, '.');
  CHECK(refusal("fail-on = \"" + dots + "\"  # " + dots).find("parts") == std::string::npos);
  std::string tables;
  for (int i = 0; i < 100'000; ++i) tables += "{a=";
  CHECK(refusal("a = " + tables).starts_with("onnxcompat.toml:1:"));
}
