#include "cli/transitions.h"

#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "adapters/convert.h"
#include "model/view.h"

namespace onnxcompat::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string name_of(const TransitionRow& row) {
  return row.domain.empty() ? row.op : fmt::format("{}:{}", row.domain, row.op);
}

std::string step_of(const TransitionRow& row) {
  return row.from == 0 ? fmt::format("below {}", row.to)
                       : fmt::format("{} to {}", row.from, row.to);
}

/// The note, behind a word where the newer version is not released.
std::string note_of(const TransitionRow& row) {
  if (row.released) return row.note;
  return row.note.empty() ? "unreleased" : "unreleased; " + row.note;
}

std::string totals_of(const std::vector<TransitionRow>& rows) {
  std::map<std::string, int> verdicts;
  int transitions = 0;
  for (const TransitionRow& row : rows) {
    ++verdicts[row.verdict];
    transitions += row.from == 0 ? 0 : 1;
  }
  std::string list;
  for (const auto& [verdict, count] : verdicts) {
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", count, verdict);
  }
  return fmt::format("{} transitions and {} first versions: {}", transitions,
                     rows.size() - static_cast<std::size_t>(transitions), list);
}

std::string as_text(const std::vector<TransitionRow>& rows) {
  std::string out;
  for (const TransitionRow& row : rows) {
    out += fmt::format("{:<34} {:<9} {:<11} up {:<10} down {:<14}{}\n", name_of(row), step_of(row),
                       row.verdict, row.up, row.down, note_of(row));
    while (out.size() > 1 && out[out.size() - 2] == ' ') out.erase(out.size() - 2, 1);
  }
  return out + totals_of(rows) + "\n";
}

std::string as_markdown(const std::vector<TransitionRow>& rows) {
  std::string out =
      "# How operators change between opset versions\n\n"
      "What `onnxcompat convert` does with a node at each version of its operator, upward and\n"
      "downward (`onnxcompat ops --transitions` prints this list). The verdict says what a row "
      "rests\n"
      "on: *derived* - the schemas prove that only element types were added; *declared* - nothing\n"
      "but wording changed; *combinator* - attributes and inputs came, went or changed places;\n"
      "*code* - a rewrite is written for it; *refusal* - older operators cannot say it. Element "
      "types\n"
      "are held against the target in every row. \"below n\" is the way to opsets older than the\n"
      "operator. *Unreleased* marks a newer version that is still in preparation and may "
      "change.\n\n"
      "One change is left out on purpose: the text in preparation adds left_window_size and\n"
      "right_window_size to Attention as of opset 25, but that opset was released without them\n"
      "and released tools refuse them. Opset 25 is taken as it was released.\n\n" +
      totals_of(rows) +
      ".\n\n| Operator | Versions | Verdict | Up | Down | Notes |\n|---|---|---|---|---|---|\n";
  for (const TransitionRow& row : rows) {
    out += fmt::format("| {} | {} | {} | {} | {} | {} |\n", name_of(row), step_of(row), row.verdict,
                       row.up, row.down, note_of(row));
  }
  return out;
}

std::string as_json(const std::vector<TransitionRow>& rows) {
  Json list = Json::array();
  for (const TransitionRow& row : rows) {
    list.push_back({{"domain", display_domain(row.domain)},
                    {"op", row.op},
                    {"from", row.from},
                    {"to", row.to},
                    {"verdict", row.verdict},
                    {"up", row.up},
                    {"down", row.down},
                    {"note", row.note},
                    {"released", row.released}});
  }
  return Json{{"transitions", std::move(list)}}.dump(2) + "\n";
}

}  // namespace

std::string transitions_as(std::string_view format, std::string_view op) {
  std::vector<TransitionRow> rows = transitions_table();
  if (!op.empty()) {
    std::erase_if(rows, [&](const TransitionRow& row) { return name_of(row) != op; });
  }
  if (format == "json") return as_json(rows);
  return format == "markdown" ? as_markdown(rows) : as_text(rows);
}

}  // namespace onnxcompat::cli
