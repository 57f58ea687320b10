#include "common/records/source/capture_streams.h"

#include <charconv>

#include "absl/strings/str_format.h"
#include "common/base/check.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/records/source/capture_copies.h"
#include "common/records/source/capture_suspects.h"

namespace switchyard::records {
namespace {

using State = CaptureStream::State;

uint64_t Unsigned(std::string_view text) {
  uint64_t value = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  SY_CHECK(error == std::errc() && at == text.data() + text.size());
  return value;
}

State ParseState(std::string_view text) {
  if (text == "copying") return State::kCopying;
  if (text == "streaming") return State::kStreaming;
  return State::kCreating;
}

}  // namespace

std::string_view ToString(CaptureStream::State state) {
  switch (state) {
    case State::kCreating:
      return "creating";
    case State::kCopying:
      return "copying";
    case State::kStreaming:
      break;
  }
  return "streaming";
}

absl::StatusOr<bool> CaptureStreams::IsThere() const {
  // Not by to_regclass, which a role without USAGE on the schema may not ask.
  ASSIGN_OR_RETURN(const pg::Rows row, sql_.Ask(R"(
    SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
                   WHERE s.nspname = 'switchyard' AND c.relname = 'capture_stream'))"));
  return row.boolean(0, 0);
}

absl::StatusOr<bool> CaptureStreams::MayRead() const {
  ASSIGN_OR_RETURN(const pg::Rows row, sql_.Ask(R"(
    SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
                   WHERE s.nspname = 'switchyard' AND c.relname = 'capture_stream'
                     AND has_table_privilege(c.oid, 'SELECT')
                     AND has_schema_privilege(s.oid, 'USAGE')))"));
  return row.boolean(0, 0);
}

absl::StatusOr<std::optional<CaptureStream>> CaptureStreams::Load() const {
  ASSIGN_OR_RETURN(const pg::Rows rows, sql_.Ask(R"(
    SELECT state, epoch, system_identifier, timeline, slot_lsn, log_topic, refusal
    FROM switchyard.capture_stream WHERE stream = $1)",
                                                 {stream_}));
  if (rows.rows() == 0) return std::nullopt;
  CaptureStream record;
  record.state = ParseState(rows.text(0, 0));
  record.epoch = Unsigned(rows.text(0, 1));
  record.system_identifier = Unsigned(rows.text(0, 2));
  record.timeline = static_cast<uint32_t>(rows.i64(0, 3));
  if (!rows.is_null(0, 4)) {
    ASSIGN_OR_RETURN(record.slot_lsn, Lsn::Parse(rows.text(0, 4)));
  }
  record.log_topic = rows.str(0, 5);
  record.refusal = ParseFinding(rows.text(0, 6));
  return record;
}

absl::Status CaptureStreams::Begin(const Stream& stream, uint64_t system_identifier,
                                   uint32_t timeline) const {
  return sql_.Run(R"(
    INSERT INTO switchyard.capture_stream
      (stream, slot, publication, state, system_identifier, timeline)
    VALUES ($1, $2, $3, 'creating', $4, $5)
    ON CONFLICT (stream) DO UPDATE SET state = 'creating', slot = excluded.slot,
      publication = excluded.publication, system_identifier = excluded.system_identifier,
      timeline = excluded.timeline, slot_lsn = NULL, refusal = NULL, updated_at = now())",
                  {stream_, stream.slot, stream.publication, std::to_string(system_identifier),
                   std::to_string(timeline)});
}

absl::Status CaptureStreams::Created(Lsn slot_lsn, const std::string& log_topic) const {
  return sql_.Run(R"(
    UPDATE switchyard.capture_stream
    SET state = 'copying', slot_lsn = $2::pg_lsn, log_topic = $3, updated_at = now()
    WHERE stream = $1)",
                  {stream_, slot_lsn.ToString(), log_topic});
}

absl::Status CaptureStreams::FinishCopy() const {
  return sql_.Run(absl::StrFormat(R"(
    UPDATE switchyard.capture_stream s SET state = 'streaming', updated_at = now()
    WHERE stream = $1 AND state = 'copying' AND NOT EXISTS (%s))",
                                  UnfinishedFirstCopySql("s.stream")),
                  {stream_});
}

absl::Status CaptureStreams::BeginAnew(const Stream& stream, uint64_t epoch) const {
  return sql_.Run(absl::StrFormat(R"(
    WITH cleared AS (%s)
    INSERT INTO switchyard.capture_stream AS s
      (stream, slot, publication, state, epoch, system_identifier, timeline)
    VALUES ($1, $2, $3, 'creating', $4::bigint, '0', 0)
    ON CONFLICT (stream) DO UPDATE SET state = 'creating', refusal = NULL, updated_at = now(),
      epoch = greatest(s.epoch, excluded.epoch))",
                                  ClearSuspectsSql("$1")),
                  {stream_, stream.slot, stream.publication, std::to_string(epoch)});
}

absl::Status CaptureStreams::NoteRefusal(const Finding& refusal) const {
  return sql_.Run(R"(
    UPDATE switchyard.capture_stream SET refusal = nullif($2, ''), updated_at = now()
    WHERE stream = $1 AND refusal IS DISTINCT FROM nullif($2, ''))",
                  {stream_, TextOf(refusal)});
}

absl::Status CaptureStreams::NoteLook() const {
  return sql_.Run("UPDATE switchyard.capture_stream SET drift_checked_at = now() WHERE stream = $1",
                  {stream_});
}

absl::StatusOr<std::optional<absl::Duration>> CaptureStreams::LastLookBefore(
    absl::Duration limit) const {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask(R"(
    SELECT extract(epoch FROM clock_timestamp() - drift_checked_at)::bigint
    FROM switchyard.capture_stream
    WHERE stream = $1 AND drift_checked_at < clock_timestamp() - make_interval(secs => $2::float8))",
                            {stream_, std::to_string(absl::ToDoubleSeconds(limit))}));
  if (row.rows() == 0) return std::nullopt;
  return absl::Seconds(row.i64(0, 0));
}

absl::StatusOr<std::optional<uint32_t>> CaptureStreams::LockTimeline() const {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("SELECT timeline FROM switchyard.capture_stream WHERE stream = $1 FOR UPDATE",
               {stream_}));
  if (row.rows() == 0) return std::nullopt;
  return static_cast<uint32_t>(row.i64(0, 0));
}

absl::StatusOr<uint64_t> CaptureStreams::TakeEpoch(uint64_t above) const {
  ASSIGN_OR_RETURN(const pg::Rows taken, sql_.Ask(R"(
      UPDATE switchyard.capture_stream
      SET epoch = greatest(epoch, $2::bigint) + 1, refusal = NULL, updated_at = now()
      WHERE stream = $1 RETURNING epoch)",
                                                  {stream_, std::to_string(above)}));
  return Unsigned(taken.text(0, 0));
}

absl::Status CaptureStreams::MoveTo(uint32_t timeline, uint64_t epoch) const {
  ASSIGN_OR_RETURN(const pg::Rows moved,
                   sql_.Ask("UPDATE switchyard.capture_stream SET timeline = $3 "
                            "WHERE stream = $1 AND epoch = $2::bigint",
                            {stream_, std::to_string(epoch), std::to_string(timeline)}));
  if (moved.affected() > 0) return absl::OkStatus();
  return absl::AbortedError(absl::StrFormat("epoch %d has passed", epoch));
}

std::string CaptureEpochSql(std::string_view stream) {
  return absl::StrCat(
      "(SELECT epoch FROM switchyard.capture_stream s WHERE s.stream = ", Sv(stream), ")");
}

}  // namespace switchyard::records
