#include "operate/check/rehearse/sample.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "common/base/strings.h"

namespace switchyard::operate {
namespace {

constexpr int64_t kRowsMax = 2000;       // of one table
constexpr int64_t kReadWhole = 100'000;  // rows; of larger tables some pages are read
constexpr int kBytesMax = 300;           // of a value
constexpr absl::Duration kReadMax = absl::Seconds(5);

// Twice as many as wanted: pages are not filled alike.
std::string SampleClause(int64_t rows) {
  if (rows <= kReadWhole) return "";
  const double percent = 100.0 * 2 * kRowsMax / static_cast<double>(rows);
  return absl::StrFormat(" TABLESAMPLE SYSTEM (%.6f)", std::min(100.0, std::max(percent, 0.0001)));
}

std::string SampleSql(const mapping::SourcePlan& source, int64_t rows_estimate) {
  std::vector<std::string> columns;
  for (const mapping::StageColumn& column : source.columns) {
    const std::string name = QuoteIdentifier(column.name);
    columns.push_back(absl::StrFormat("CASE WHEN octet_length(%s::text) <= %d THEN %s::text END",
                                      name, kBytesMax, name));
  }
  return absl::StrCat("SELECT ", absl::StrJoin(columns, ", "), " FROM ",
                      QuoteQualified(source.schema, source.name), SampleClause(rows_estimate),
                      " LIMIT ", kRowsMax);
}

absl::StatusOr<std::vector<Row>> ReadRows(const std::string& sql, pg::Session& session) {
  RETURN_IF_ERROR(session.Begin("READ ONLY"));
  const absl::StatusOr<pg::Result> read = session.QueryWithin(kReadMax, sql);
  session.Rollback();
  RETURN_IF_ERROR(read.status());
  std::vector<Row> rows;
  for (int i = 0; i < read->rows(); ++i) {
    Row& row = rows.emplace_back();
    for (int c = 0; c < read->columns(); ++c) {
      row.push_back(read->is_null(i, c) ? Cell() : Cell(read->str(i, c)));
    }
  }
  return rows;
}

}  // namespace

absl::StatusOr<Sample> ReadSample(const mapping::Plan& plan, const catalog::Catalog& source,
                                  pg::Session& old_session) {
  Sample sample;
  for (const mapping::SourcePlan& each : plan.sources) {
    const catalog::Table* table = source.FindOid(each.relation_id);
    const int64_t estimate = table == nullptr ? -1 : table->rows_estimate;
    absl::StatusOr<std::vector<Row>> rows = ReadRows(SampleSql(each, estimate), old_session);
    if (!rows.ok() && (!old_session.alive() || absl::IsCancelled(rows.status()))) {
      return rows.status();
    }
    if (!rows.ok()) {
      sample.notes.push_back(absl::StrFormat("no values of %s.%s, made-up ones instead: %s",
                                             each.schema, each.name,
                                             std::string(StdSv(rows.status().message()))));
    }
    sample.rows.push_back(rows.ok() ? *std::move(rows) : std::vector<Row>());
  }
  return sample;
}

}  // namespace switchyard::operate
