#include "common/records/requests.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/records/stream/stream_store.h"

namespace switchyard::records {
namespace {

// The result of an open copy that the source knows of, until there is another.
constexpr char kAsked[] = "asked for";

std::string TextOf(RequestKind kind) {
  switch (kind) {
    case RequestKind::kRecopy:
      return "recopy";
    case RequestKind::kQuarantineRetry:
      return "quarantine_retry";
    case RequestKind::kBreachApply:
      return "breach_apply";
    case RequestKind::kResume:
      return "resume";
    case RequestKind::kInDoubt:
      return "in_doubt";
  }
  return "";
}

std::string TextOf(RequestState state) {
  switch (state) {
    case RequestState::kOpen:
      return "open";
    case RequestState::kDone:
      return "done";
    case RequestState::kFailed:
      return "failed";
  }
  return "";
}

RequestState StateOf(std::string_view text) {
  if (text == "done") return RequestState::kDone;
  return text == "failed" ? RequestState::kFailed : RequestState::kOpen;
}

std::vector<Request> ToRequests(const pg::Rows& rows) {
  std::vector<Request> requests;
  for (int i = 0; i < rows.rows(); ++i) {
    requests.push_back({.id = rows.i64(i, 0),
                        .argument = rows.str(i, 1),
                        .state = StateOf(rows.text(i, 2)),
                        .result = rows.str(i, 3)});
  }
  return requests;
}

}  // namespace

absl::StatusOr<std::vector<Request>> Requests::Open(RequestKind kind) {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.AskPrepared("SELECT id, argument, state, result FROM switchyard.request "
                       "WHERE stream = $1 AND kind = $2 AND state = 'open' ORDER BY id",
                       {stream_, TextOf(kind)}));
  return ToRequests(rows);
}

absl::StatusOr<int64_t> Requests::CountOpen() {
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   sql_.Ask("SELECT count(*) FROM switchyard.request WHERE stream = $1 AND "
                            "state = 'open' AND kind <> 'in_doubt'",
                            {stream_}));
  return rows.i64(0, 0);
}

absl::StatusOr<std::optional<Request>> Requests::Find(int64_t id) {
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   sql_.Ask("SELECT id, argument, state, result FROM switchyard.request "
                            "WHERE stream = $1 AND id = $2::bigint",
                            {stream_, std::to_string(id)}));
  if (rows.rows() == 0) return std::nullopt;
  return ToRequests(rows)[0];
}

absl::StatusOr<int64_t> Requests::Submit(RequestKind kind, const std::string& argument) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("INSERT INTO switchyard.request (stream, kind, argument) "
                            "VALUES ($1, $2, $3) RETURNING id",
                            {stream_, TextOf(kind), argument}));
  return row.i64(0, 0);
}

absl::Status Requests::Answer(int64_t id, RequestState outcome, const std::string& result) {
  return sql_.Run(
      "UPDATE switchyard.request SET state = $3, result = $4, finished_at = clock_timestamp() "
      "WHERE stream = $1 AND id = $2::bigint",
      {stream_, std::to_string(id), TextOf(outcome), result});
}

absl::Status Requests::BeginAnew(const std::string& why) {
  RETURN_IF_ERROR(
      sql_.Run("UPDATE switchyard.request SET state = 'failed', result = $2, "
               "finished_at = clock_timestamp() WHERE stream = $1 AND state = 'open'",
               {stream_, why}));
  return sql_.Run("UPDATE switchyard.request SET copied_lsn = NULL WHERE stream = $1", {stream_});
}

absl::StatusOr<std::vector<std::string>> Requests::FailOpen(RequestKind kind,
                                                            const std::string& why) {
  ASSIGN_OR_RETURN(
      const pg::Rows failed,
      sql_.Ask("UPDATE switchyard.request SET state = 'failed', result = $3, finished_at = "
               "clock_timestamp() WHERE stream = $1 AND kind = $2 AND state = 'open' "
               "RETURNING argument",
               {stream_, TextOf(kind), why}));
  std::vector<std::string> arguments;
  for (int i = 0; i < failed.rows(); ++i) arguments.push_back(failed.str(i, 0));
  return arguments;
}

absl::StatusOr<Requests::Recopy> Requests::AskRecopy(const std::string& table) {
  ASSIGN_OR_RETURN(const pg::Rows request, sql_.Ask(absl::StrCat(R"(
    WITH asked AS (
      INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset)
      SELECT name, 'recopy', $2, epoch, lsn, log_offset FROM ()",
                                                                 StreamPositionsSql(), R"() s
      WHERE name = $1 AND NOT EXISTS (SELECT FROM switchyard.request WHERE stream = $1
                                      AND kind = 'recopy' AND argument = $2 AND state = 'open')
      RETURNING id)
    SELECT id, false FROM asked
    UNION ALL
    (SELECT id, result = $3 FROM switchyard.request
     WHERE stream = $1 AND kind = 'recopy' AND argument = $2 AND state = 'open' LIMIT 1))"),
                                                    {stream_, table, kAsked}));
  return Recopy{.id = request.i64(0, 0), .source_asked = request.boolean(0, 1)};
}

absl::StatusOr<std::vector<Requests::Recopy>> Requests::OpenRecopies(const std::string& table) {
  ASSIGN_OR_RETURN(const pg::Rows open,
                   sql_.Ask("SELECT id, result = $3 FROM switchyard.request WHERE stream = $1 AND "
                            "kind = 'recopy' AND state = 'open' AND argument = $2",
                            {stream_, table, kAsked}));
  std::vector<Recopy> recopies;
  for (int i = 0; i < open.rows(); ++i) {
    recopies.push_back({.id = open.i64(i, 0), .source_asked = open.boolean(i, 1)});
  }
  return recopies;
}

absl::Status Requests::CountFrom(int64_t id, Lsn now) {
  return sql_.Run(
      "UPDATE switchyard.request SET source_lsn = $2::pg_lsn WHERE id = $1::bigint AND "
      "state = 'open'",
      {std::to_string(id), now.ToString()});
}

absl::Status Requests::NoteSourceAsked(int64_t id) {
  return sql_.Run(
      "UPDATE switchyard.request SET result = $2 WHERE id = $1::bigint AND state = 'open'",
      {std::to_string(id), kAsked});
}

absl::Status Requests::AskForDoubted() {
  return sql_.Run(
      absl::StrCat(
          "INSERT INTO switchyard.request (stream, kind, argument, epoch, lsn, log_offset) "
          "SELECT s.name, 'recopy', d.argument, s.epoch, s.lsn, s.log_offset "
          "FROM (",
          StreamPositionsSql(),
          ") s JOIN switchyard.request d ON d.stream = s.name "
          "WHERE s.name = $1 AND d.kind = 'in_doubt' AND d.state = 'open' AND NOT EXISTS "
          "(SELECT FROM switchyard.request r WHERE r.stream = s.name AND r.kind = 'recopy' AND "
          " r.argument = d.argument AND r.state = 'open')"),
      {stream_});
}

absl::StatusOr<std::optional<int64_t>> Requests::KeepFrom() {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.AskPrepared("SELECT min(log_offset) FROM switchyard.request WHERE "
                                    "stream = $1 AND kind = 'recopy' AND state = 'open'",
                                    {stream_}));
  if (row.is_null(0, 0)) return std::nullopt;
  return row.i64(0, 0);
}

absl::StatusOr<std::optional<RecopyFrom>> Requests::OldestRecopy(
    const std::vector<std::string>& names) {
  ASSIGN_OR_RETURN(
      const pg::Rows from,
      sql_.Ask("SELECT epoch, lsn, log_offset, source_lsn FROM switchyard.request WHERE "
               "stream = $1 AND kind = 'recopy' AND state = 'open' AND argument = ANY($2) "
               "ORDER BY log_offset LIMIT 1",
               {stream_, ArrayLiteral(names)}));
  if (from.rows() == 0) return std::nullopt;
  RecopyFrom asked{
      .position = {.epoch = static_cast<uint64_t>(from.i64(0, 0)), .next_offset = from.i64(0, 2)}};
  ASSIGN_OR_RETURN(asked.position.lsn, Lsn::Parse(from.text(0, 1)));
  ASSIGN_OR_RETURN(asked.source_lsn, Lsn::Parse(from.text(0, 3)));
  return asked;
}

absl::Status Requests::AnswerRecopy(const std::vector<std::string>& names, RequestState outcome,
                                    const std::string& result, std::optional<Lsn> copied) {
  return sql_.Run(
      "UPDATE switchyard.request SET state = $3, result = $4, finished_at = clock_timestamp(), "
      "copied_lsn = $5::pg_lsn "
      "WHERE stream = $1 AND kind = 'recopy' AND state = 'open' AND argument = ANY($2)",
      {stream_, ArrayLiteral(names), TextOf(outcome), result,
       copied.has_value() ? pg::Param(copied->ToString()) : std::nullopt});
}

absl::StatusOr<bool> Requests::AnswerLoaded(const std::vector<std::string>& names, Lsn point) {
  ASSIGN_OR_RETURN(
      const pg::Rows loaded,
      sql_.Ask("UPDATE switchyard.request SET state = 'done', result = 'loaded with the first "
               "copy', finished_at = clock_timestamp() WHERE stream = $1 AND kind = 'recopy' AND "
               "state = 'open' AND argument = ANY($2) AND source_lsn > '0/0' AND "
               "source_lsn <= $3::pg_lsn",
               {stream_, ArrayLiteral(names), point.ToString()}));
  return loaded.affected() > 0;
}

absl::StatusOr<bool> Requests::WasRecopied(const std::string& table, Lsn seen) {
  ASSIGN_OR_RETURN(const pg::Rows row, sql_.Ask(R"(
    SELECT EXISTS (SELECT FROM switchyard.request
                   WHERE stream = $1 AND kind = 'recopy' AND state = 'done'
                     AND $2 IN (argument, split_part($2, '.', 1) || '.' || argument)
                     AND copied_lsn >= $3::pg_lsn))",
                                                {stream_, table, seen.ToString()}));
  return row.boolean(0, 0);
}

absl::Status Requests::Doubt(const std::string& table, const std::string& why) {
  return sql_.Run(
      "WITH known AS (UPDATE switchyard.request SET result = $3 WHERE stream = $1 AND "
      "kind = 'in_doubt' AND argument = $2 AND state = 'open' RETURNING id) "
      "INSERT INTO switchyard.request (stream, kind, argument, result) "
      "SELECT $1, 'in_doubt', $2, $3 WHERE NOT EXISTS (SELECT FROM known)",
      {stream_, table, why});
}

absl::Status Requests::DoubtAfterChange(const std::string& table, const std::string& why) {
  RETURN_IF_ERROR(
      sql_.Run("INSERT INTO switchyard.request (stream, kind, argument, result) "
               "SELECT $1, 'in_doubt', $2, $3 WHERE NOT EXISTS "
               "(SELECT FROM switchyard.request WHERE stream = $1 AND kind = 'in_doubt' AND "
               " argument = $2 AND state = 'open')",
               {stream_, table, why}));
  return sql_.Run(
      "UPDATE switchyard.request SET result = '' WHERE stream = $1 AND kind = 'recopy' AND "
      "argument = $2 AND state = 'open'",
      {stream_, table});
}

absl::Status Requests::ExplainDoubt(const std::string& table, const std::string& why) {
  return sql_.Run(
      "UPDATE switchyard.request SET result = $3 WHERE stream = $1 AND kind = 'in_doubt' AND "
      "argument = $2 AND state = 'open'",
      {stream_, table, why});
}

absl::StatusOr<bool> Requests::EndDoubt(const std::string& table) {
  ASSIGN_OR_RETURN(
      const pg::Rows ended,
      sql_.Ask("UPDATE switchyard.request SET state = 'done', finished_at = clock_timestamp() "
               "WHERE stream = $1 AND kind = 'in_doubt' AND argument = $2 AND state = 'open'",
               {stream_, table}));
  return ended.affected() > 0;
}

}  // namespace switchyard::records
