#include "tests/support/oracle/recorded_session.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "common/mapping/fingerprint.h"
#include "common/pg/error.h"
#include "common/pg/kept_result.h"

namespace switchyard::testing {
namespace {

using nlohmann::json;

constexpr uint32_t kFirstUserOid = 16384;

std::string Asked(std::string_view sql) { return mapping::Fingerprint().Add(sql).Hex(); }

json ErrorOf(const absl::Status& status) {
  const pg::ErrorFields fields = pg::StatusErrorFields(status);
  return {{"sqlstate", fields.sqlstate}, {"primary", fields.primary}, {"hint", fields.hint}};
}

// Which schema of temporary tables a session has hangs on how many others there are.
std::string WithoutNumberOfSession(std::string value) {
  constexpr std::string_view kTemporarySchema = "pg_temp_";
  for (size_t at = 0; (at = value.find(kTemporarySchema, at)) != value.npos;) {
    at += kTemporarySchema.size();
    const size_t end = value.find_first_not_of("0123456789", at);
    value.replace(at, std::min(end, value.size()) - at, "3");
  }
  return value;
}

json RowsOf(const pg::Result& result) {
  json rows = json::array();
  for (int row = 0; row < result.rows(); ++row) {
    json values = json::array();
    for (int column = 0; column < result.columns(); ++column) {
      values.push_back(result.is_null(row, column)
                           ? json()
                           : json(WithoutNumberOfSession(result.str(row, column))));
    }
    rows.push_back(std::move(values));
  }
  return rows;
}

json ColumnsOf(const pg::Result& result) {
  json columns = json::array();
  for (int i = 0; i < result.columns(); ++i) {
    columns.push_back({std::string(result.column_name(i)),
                       std::min(result.column_type(i), kFirstUserOid), result.column_modifier(i),
                       result.column_is_plain(i)});
  }
  return columns;
}

void Keep(std::string_view sql, const absl::Status& status, const pg::Result* result,
          std::string* answers) {
  json line = {{"asked", Asked(sql)}};
  if (!status.ok()) line["error"] = ErrorOf(status);
  if (result != nullptr && result->columns() > 0) {
    line["columns"] = ColumnsOf(*result);
    line["rows"] = RowsOf(*result);
  }
  absl::StrAppend(answers, line.dump(), "\n");
}

pg::Result ResultOf(const json& line) {
  std::vector<pg::KeptColumn> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (const json& column : line.value("columns", json::array())) {
    columns.push_back(
        {.name = column[0], .type = column[1], .modifier = column[2], .plain = column[3]});
  }
  for (const json& row : line.value("rows", json::array())) {
    auto& values = rows.emplace_back();
    for (const json& value : row) {
      values.push_back(value.is_null() ? std::nullopt : std::optional(value.get<std::string>()));
    }
  }
  return pg::KeptResult(columns, rows);
}

}  // namespace

absl::Status RecordingSession::Execute(std::string_view sql) {
  absl::Status status = live_.Execute(sql);
  Keep(sql, status, nullptr, &answers_);
  return status;
}

absl::StatusOr<pg::Result> RecordingSession::Query(std::string_view sql) {
  absl::StatusOr<pg::Result> result = live_.Query(sql);
  // Of such a plan nothing counts but that there is one: its text hangs on statistics.
  const bool unread = sql.starts_with("EXPLAIN ") && !sql.starts_with("EXPLAIN (");
  Keep(sql, result.status(), result.ok() && !unread ? &*result : nullptr, &answers_);
  return result;
}

std::unique_ptr<ReplayedSession> ReplayedSession::Of(const std::string& text) {
  return std::make_unique<ReplayedSession>(
      std::vector<std::string>(absl::StrSplit(text, '\n', absl::SkipEmpty())));
}

absl::StatusOr<pg::Result> ReplayedSession::Query(std::string_view sql) {
  const json line = next_ < answers_.size() ? json::parse(answers_[next_]) : json::object();
  if (line.value("asked", "") != Asked(sql)) {
    return absl::DataLossError(absl::StrCat("statement ", next_, " of ", answers_.size(),
                                            " is not the one that was recorded: ", Sv(sql)));
  }
  ++next_;
  if (!line.contains("error")) return ResultOf(line);
  const json& error = line["error"];
  return pg::StatusFromFields({.sqlstate = error.value("sqlstate", ""),
                               .primary = error.value("primary", ""),
                               .hint = error.value("hint", "")});
}

catalog::Catalog Normalised(catalog::Catalog database) {
  std::map<uint32_t, uint32_t> numbers;
  const auto number = [&](uint32_t* oid) {
    if (*oid < kFirstUserOid) return;
    *oid = numbers.try_emplace(*oid, kFirstUserOid + numbers.size()).first->second;
  };
  database.database = "database";
  database.system_identifier = 0;
  database.timeline = 1;
  for (catalog::Table& table : database.tables) {
    number(&table.oid);
    number(&table.root_oid);
    for (uint32_t& leaf : table.leaves) number(&leaf);
    for (catalog::Column& column : table.columns) number(&column.type_oid);
    table.rows_estimate = 0;
    table.bytes = 0;
  }
  for (catalog::UserType& type : database.types) number(&type.oid);
  return database;
}

}  // namespace switchyard::testing
