#include "tests/support/oracle/derive_cases.h"

#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"

namespace switchyard::mapping::derive {
namespace {

using std::string;
using std::vector;

string Strip(const string& text) { return string(absl::StripAsciiWhitespace(text)); }

// What Postgres says of the functions and operators that the selects use.
Facts FactsOfPostgres() {
  Facts facts;
  for (const char* name : {"min", "max", "count", "sum", "avg", "array_agg", "string_agg",
                           "bool_or", "bool_and", "json_agg", "jsonb_agg", "jsonb_object_agg"}) {
    facts.functions[name].aggregate = true;
  }
  for (const char* name :
       {"lower", "upper", "btrim", "md5", "replace", "left", "right", "substr"}) {
    facts.functions[name] = {.strict = true, .result = "text"};
  }
  for (const char* name : {"position", "length", "abs", "mod"}) {
    facts.functions[name] = {.strict = true, .result = "integer"};
  }
  for (const char* name : {"unnest", "generate_series", "jsonb_array_elements"}) {
    facts.functions[name] = {.returns_set = true, .strict = true};
  }
  facts.strict_operators = {"=", "<>", "<", ">",  "<=",  ">=", "+", "-",
                            "*", "/",  "%", "~~", "!~~", "~",  "!~"};
  return facts;
}

void AddTable(const string& line, Facts* facts) {
  const size_t colon = line.find(':');
  string name = Strip(line.substr(0, colon));
  if (name.starts_with("ids ")) {
    const vector<string> rule =
        absl::StrSplit(Strip(line.substr(colon + 1)), absl::MaxSplits(' ', 1));
    facts->ids.push_back({.kind = name.substr(4), .table = rule[0], .old_id = rule[1]});
    return;
  }
  TableFacts table;
  if (name.starts_with("fixed ")) {
    table.fixed = true;
    name = name.substr(6);
  }
  for (const auto& part : absl::StrSplit(line.substr(colon + 1), ',')) {
    const string text = Strip(string(part));
    const size_t blank = text.find(' ');
    ColumnFacts column{.name = text.substr(0, blank)};
    for (const char c : text.substr(blank + 1)) {
      if (c == '!') {
        column.not_null = true;
      } else if (c == '*') {
        table.key.push_back(column.name);
      } else if (c == '^') {
        table.unique.push_back({column.name});
      } else if (c == '~') {
        column.deterministic = false;
      } else {
        column.type += c;
      }
    }
    column.type = Strip(column.type);
    table.columns.push_back(column);
  }
  (name.find('.') == string::npos ? facts->old_tables : facts->new_tables)[name] = table;
}

DeriveCase CaseOf(const string& title) {
  const size_t open = title.rfind('(');
  DeriveCase one{.name = Strip(title.substr(3, open - 3))};
  for (const auto& each :
       absl::StrSplit(title.substr(open + 1, title.rfind(')') - open - 1), ',')) {
    const vector<string> words = absl::StrSplit(Strip(string(each)), absl::MaxSplits(' ', 1));
    one.scope.push_back({.name = words[0], .type = words.size() > 1 ? words[1] : "text"});
  }
  return one;
}

}  // namespace

DeriveFile ParseDeriveFile(const string& text) {
  DeriveFile file{.facts = FactsOfPostgres()};
  enum { kHead, kSelect, kResult } part = kHead;
  std::istringstream lines(text);
  for (string line; std::getline(lines, line);) {
    if (line.starts_with("=== ")) {
      file.cases.push_back(CaseOf(line));
      file.titles.push_back(line);
      part = kSelect;
    } else if (line == "---") {
      part = kResult;
    } else if (part == kHead) {
      file.head += line + "\n";
      if (!line.empty() && line[0] != '#' && line != "tables:") AddTable(line, &file.facts);
    } else if (part == kSelect) {
      file.cases.back().select += line + "\n";
    }
  }
  return file;
}

}  // namespace switchyard::mapping::derive
