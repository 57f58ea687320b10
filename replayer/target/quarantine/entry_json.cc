#include "replayer/target/quarantine/entry_json.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"

namespace switchyard::replayer {

using mapping::SourcePlan;

namespace {

// A function call takes at most 100 arguments: columns go into JSON in pieces of this many.
constexpr size_t kColumnsPerObject = 40;

// jsonb of name/value pairs, `value` giving the SQL of a text.
std::string JsonObject(size_t count, const std::function<std::string(size_t)>& name,
                       const std::function<std::string(size_t)>& value) {
  std::vector<std::string> pieces;
  for (size_t begin = 0; begin < count; begin += kColumnsPerObject) {
    std::vector<std::string> arguments;
    for (size_t i = begin; i < std::min(count, begin + kColumnsPerObject); ++i) {
      arguments.push_back(absl::StrCat(QuoteLiteral(name(i)), ", ", value(i)));
    }
    pieces.push_back(
        absl::StrCat("pg_catalog.jsonb_build_object(", absl::StrJoin(arguments, ", "), ")"));
  }
  return absl::StrCat("(", absl::StrJoin(pieces, " || "), ")");
}

const std::string& KeyName(const SourcePlan& source, size_t i) {
  return source.columns[source.key[i]].name;
}

}  // namespace

std::string OldKeyJson(const SourcePlan& source) {
  return JsonObject(
      source.key.size(), [&](size_t i) { return KeyName(source, i); },
      [&](size_t i) { return absl::StrCat("sy_s.sy__k", i, "::text"); });
}

std::string NewKeyJson(const SourcePlan& source) {
  return JsonObject(
      source.key.size(), [&](size_t i) { return KeyName(source, i); },
      [&](size_t i) { return "sy_s." + QuoteIdentifier(KeyName(source, i)) + "::text"; });
}

std::string MirrorJson(const SourcePlan& source) {
  const std::vector<std::string>& columns = source.mirror_columns;
  return JsonObject(
      columns.size(), [&](size_t i) { return columns[i]; },
      [&](size_t i) { return "sy_t." + QuoteIdentifier(columns[i]) + "::text"; });
}

std::string ImageJson(const SourcePlan& source) {
  std::string json = JsonObject(
      source.columns.size(), [&](size_t i) { return source.columns[i].name; },
      [&](size_t i) { return "sy_s." + QuoteIdentifier(source.columns[i].name) + "::text"; });
  int place = 0;
  for (const mapping::StageColumn& column : source.columns) {
    if (!column.toastable) continue;
    absl::StrAppend(&json, " - CASE WHEN substr(sy_s.sy__absent, ", ++place, ", 1) = '1' THEN ",
                    QuoteLiteral(column.name), " ELSE '' END");
  }
  return "(" + json + ")";
}

std::string RowsJson(const std::vector<std::string>& columns, const std::string& table) {
  const std::string row = JsonObject(
      columns.size(), [&](size_t i) { return columns[i]; },
      [&](size_t i) { return "sy_t." + QuoteIdentifier(columns[i]) + "::text"; });
  return absl::StrCat("(SELECT coalesce(jsonb_agg(", row, "), '[]') FROM ", table, " AS sy_t)");
}

}  // namespace switchyard::replayer
