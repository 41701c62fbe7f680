#include "executor/evaluate.h"
#include "executor/kernels/regex.h"
#include "executor/kernels/unicode.h"

using namespace onnxcompat;
using namespace onnxcompat::test;

TEST_CASE("regular expressions match all of a text") {
  struct Case {
    std::string pattern;
    std::string text;
    bool matches;
  };
  const Case cases[] = {
      {"", "", true},
      {"", "a", false},
      {"abc", "abc", true},
      {"abc", "abcd", false},
      {"a|ab", "ab", true},  // no leftmost alternative hides a longer one
      {"a*?", "aaa", true},
      {"(a|b)+", "abba", true},
      {"(a|b)+", "", false},
      {"a{2,3}", "a", false},
      {"a{2,3}", "aaa", true},
      {"a{2,3}", "aaaa", false},
      {"a{2,}", "aaaaa", true},
      {"a{2}", "aa", true},
      {"a{,2}", "a{,2}", true},  // not a repetition in RE2
      {"(a*)*b", "aaab", true},
      {"(|a)*", "aa", true},
      {".", "\n", false},
      {"(?s).", "\n", true},
      {"(?s:.)a.", "\nab", true},
      {".", "é", true},
      {".", "éa", false},
      {"[^a]", "\n", true},
      {"[a-cx-]+", "ab-x", true},
      {"[]a]+", "]a", true},
      {"[^]a]", "]", false},
      {"[[:alpha:][:digit:]]+", "a1", true},
      {"[[:^alpha:]]", "a", false},
      {"[\\d\\-z]+", "1-z", true},
      {"[α-ω]+", "λογος", true},
      {"\\d\\D\\s\\S\\w\\W", "1a bc-", true},
      {"\\d", "٣", false},  // ASCII only
      {"\\x41\\x{3bb}\\103\\t\\.", "AλC\t.", true},
      {"\\Qa.b*\\E+", "a.b***", true},
      {"(?i)straSSe", "STRAsse", true},
      {"(?i)é", "É", true},
      {"(?i)[^a]", "A", false},
      {"(?i:a)b", "Ab", true},
      {"(?i:a)b", "AB", false},
      {"a(?i)b|c", "aB", true},
      {"a(?i)b|c", "C", true},
      {"(?P<year>\\d+)-(?<month>\\d+)", "2024-05", true},
      {"^a$", "a", true},
      {"a$b", "ab", false},
      {"a\n^b", "a\nb", false},
      {"(?m)a$\n^b", "a\nb", true},
      {"\\Aa\\z", "a", true},
      {"foo\\b.bar", "foo bar", true},
      {"foo\\b.*", "foobar", false},
      {"foo\\B.*", "foobar", true},
      {"(x+x+)+y", std::string(200, 'x'), false},  // in linear time
      {"((a{0,30}){0,30}){0,20}b", std::string(100, 'a') + "b", true},
  };
  for (const Case& one : cases) {
    INFO(one.pattern << " on " << one.text);
    const auto regex = Regex::compile(one.pattern);
    if (!regex) FAIL(regex.error());
    const auto text = decode_utf8(one.text);
    REQUIRE(text.has_value());
    CHECK(regex->full_match(*text) == one.matches);
  }
}

TEST_CASE("regular expressions that RE2 has no meaning for are refused") {
  for (const std::string pattern : {"(",
                                    ")",
                                    "a)",
                                    "(a",
                                    "[a",
                                    "[z-a]",
                                    "*a",
                                    "a**",
                                    "a{2}{3}",
                                    "{2}",
                                    "a{1001}",
                                    "a{3,2}",
                                    "(?=a)",
                                    "(?<n>a)(?<n>b)",
                                    "(?P<>a)",
                                    "(?x)a",
                                    "(?",
                                    "(?i",
                                    "\\",
                                    "\\1",
                                    "\\g",
                                    "\\x4",
                                    "\\x{110000}",
                                    "\\x{}",
                                    "[[:nope:]]",
                                    "[a-\\d]",
                                    "\\pL",
                                    "[\\pL]",
                                    "\\C",
                                    "\xff",
                                    "((((a{1000}){1000}){1000}){1000})",
                                    "((((){1000}){1000}){1000}){1000}"}) {
    INFO(pattern);
    CHECK_FALSE(Regex::compile(pattern).has_value());
  }
  CHECK_FALSE(Regex::compile(std::string(100000, '(')).has_value());
}

TEST_CASE("RegexFullMatch looks at every string") {
  check_rows({{20, "string[3] x = {\"ab\",\"b\",\"\"}", "RegexFullMatch<pattern = \"a?b\">(x)",
               "bool[3] 1 1 0"}});
  check_refusals({{20, "string[1] x = {\"a\"}", "RegexFullMatch<pattern = \"(\">(x)", "pattern"}});
}

TEST_CASE("StringSplit by words, by delimiters, and up to maxsplit") {
  const std::string words = "string[2] x = {\"  a b  c \",\"\"}";
  const std::string list = "string[2] x = {\"a,,b,\",\"\"}";
  check_rows({
      {20, words, "StringSplit(x)", "string[2,3] \"a\" \"b\" \"c\" \"\" \"\" \"\""},
      {20, words, "StringSplit<maxsplit = 1>(x)", "string[2,2] \"a\" \"b  c\" \"\" \"\""},
      {20, words, "StringSplit<maxsplit = 0>(x)", "string[2,1] \"a b  c\" \"\""},
      {20, list, "StringSplit<delimiter = \",\">(x)",
       "string[2,4] \"a\" \"\" \"b\" \"\" \"\" \"\" \"\" \"\""},
      {20, list, "StringSplit<delimiter = \",\", maxsplit = 1>(x)",
       "string[2,2] \"a\" \",b,\" \"\" \"\""},
      {20, "string[1] x = {\"a\u3000b\"}", "StringSplit(x)", "string[1,2] \"a\" \"b\""},
      {20, "string x = {\"a b\"}", "StringSplit(x)", "string[2] \"a\" \"b\""},
  });
  const auto counts = evaluate_all(20, list, "StringSplit<delimiter = \",\">(x)", "y, z");
  CHECK(shown(counts[1]) == "int64[2] 4 1");
  check_refusals({{20, words, "StringSplit<maxsplit = -1>(x)", "maxsplit is -1"}});
}

TEST_CASE("StringNormalizer drops words and changes case beyond ASCII") {
  const std::string x = "string[3] x = {\"Éa\",\"IST\",\"ıi\"}";
  const std::string row = "string[1,2] x = {\"a\",\"b\"}";
  check_rows({
      {10, x, "StringNormalizer<case_change_action = \"LOWER\">(x)",
       "string[3] \"éa\" \"ist\" \"ıi\""},
      {10, x, "StringNormalizer<case_change_action = \"UPPER\">(x)",
       "string[3] \"ÉA\" \"IST\" \"II\""},
      {10, x, "StringNormalizer<case_change_action = \"LOWER\", locale = \"tr_TR\">(x)",
       "string[3] \"éa\" \"ıst\" \"ıi\""},
      {10, x, "StringNormalizer<case_change_action = \"UPPER\", locale = \"tr_TR\">(x)",
       "string[3] \"ÉA\" \"IST\" \"Iİ\""},
      {10, x, "StringNormalizer<stopwords = [\"éA\", \"ist\"]>(x)", "string[1] \"ıi\""},
      {10, x, "StringNormalizer<stopwords = [\"ist\"], is_case_sensitive = 1>(x)",
       "string[3] \"Éa\" \"IST\" \"ıi\""},
      {10, row, "StringNormalizer<stopwords = [\"a\", \"b\"]>(x)", "string[1,1] \"\""},
      {10, row, "StringNormalizer<stopwords = [\"a\"]>(x)", "string[1,1] \"b\""},
  });
  check_refusals({
      {10, x, "StringNormalizer<case_change_action = \"TITLE\">(x)", "TITLE"},
      {10, "string[2,1] x = {\"a\",\"b\"}", "StringNormalizer(x)", "neither [C] nor [1,C]"},
      {10, "string x = {\"a\"}", "StringNormalizer(x)", "neither [C] nor [1,C]"},
  });
}

TEST_CASE("StringConcat broadcasts within the budget") {
  check_rows({{20, "string[2,1] x = {\"a\",\"b\"}, string[2] b = {\"1\",\"2\"}",
               "StringConcat(x, b)", "string[2,2] \"a1\" \"a2\" \"b1\" \"b2\""}});
  check_refusals({{20, "string[2] x = {\"a\",\"b\"}, string[3] b = {\"1\",\"2\",\"3\"}",
                   "StringConcat(x, b)", "do not broadcast"}});
  const std::string graph = "g (string[A,1] x, string[B] y) => (z) { z = StringConcat(x, y) }";
  const std::vector<std::string> many(300, std::string(10'000, 'x'));
  CHECK(refusal(onnx(20), graph,
                {{"x", Value{Tensor::of_strings({300, 1}, many)}},
                 {"y", Value{Tensor::of_strings({300}, many)}}})
            .find("budget") != std::string::npos);
}

TEST_CASE("TfIdfVectorizer counts and weighs grams") {
  const std::string data =
      "int64[6] x = {1,2,1,2,3,1}, int64[2,3] rows = {1,2,3,3,3,3}, "
      "string[3] words = {\"a\",\"b\",\"a\"}, int64 scalar = {1}";
  const auto node = [](const std::string& input, const std::string& mode, int min, int max,
                       int skip, const std::string& more) {
    return fmt::format(
        "TfIdfVectorizer<mode = \"{}\", min_gram_length = {}, max_gram_length = {}, "
        "max_skip_count = {}{}>({})",
        mode, min, max, skip, more, input);
  };
  // 1-grams 1, 3; 2-grams (1,2), (2,3), (2,2)
  const std::string pool =
      ", pool_int64s = [1,3,1,2,2,3,2,2], ngram_counts = [0,2], ngram_indexes = [4,0,1,2,3]";
  const std::string weights = pool + ", weights = [10.0,20.0,30.0,40.0,50.0]";
  check_rows({
      {9, data, node("x", "TF", 1, 2, 0, pool), "float[5] 1 2 1 0 3"},
      {9, data, node("x", "TF", 1, 1, 5, pool), "float[5] 1 0 0 0 3"},
      {9, data, node("x", "TF", 2, 2, 1, pool), "float[5] 0 2 1 1 0"},
      {9, data, node("x", "TF", 2, 2, 2, pool), "float[5] 0 3 2 1 0"},
      {9, data, node("x", "IDF", 1, 2, 0, weights), "float[5] 20 30 40 0 10"},
      {9, data, node("x", "TFIDF", 1, 2, 0, weights), "float[5] 20 60 40 0 30"},
      {9, data, node("rows", "TF", 1, 2, 0, pool), "float[2,5] 1 1 1 0 1 3 0 0 0 0"},
      {9, data,
       node("words", "TF", 1, 1, 0,
            ", pool_strings = [\"b\", \"a\"], ngram_counts = [0], ngram_indexes = [0,1]"),
       "float[2] 1 2"},
  });
  check_refusals({
      {9, data, node("x", "BM25", 1, 1, 0, pool), "BM25"},
      {9, data, node("x", "TF", 2, 1, 0, pool), "gram lengths"},
      {9, data, node("x", "TF", 1, 3, 0, pool), "max_gram_length is 3"},
      {9, data, node("words", "TF", 1, 1, 0, pool), "does not hold string"},
      {9, data, node("scalar", "TF", 1, 1, 0, pool), "rank 0"},
      {9, data, node("x", "IDF", 1, 1, 0, pool + ", weights = [1.0]"), "1 weights"},
      {9, data,
       node("x", "TF", 1, 1, 0,
            ", pool_int64s = [1,2], ngram_counts = [0,5], ngram_indexes = [0,1]"),
       "from 0 to 5"},
      {9, data,
       node("x", "TF", 1, 1, 0, ", pool_int64s = [1,2], ngram_counts = [0], ngram_indexes = [0]"),
       "1 ngram_indexes for 2 grams"},
      {9, data,
       node("x", "TF", 1, 1, 0, ", pool_int64s = [1], ngram_counts = [0], ngram_indexes = [-1]"),
       "negative"},
  });
}
