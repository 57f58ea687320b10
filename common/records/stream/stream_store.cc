#include "common/records/stream/stream_store.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/records/stream/stream.h"

namespace switchyard::records {
namespace {

// Which of the facts about a first copy a change of phase goes with.
constexpr char kUnplaced[] = "lsn = '0/0'";
constexpr char kPlaced[] = "lsn > '0/0'";
constexpr char kUnderived[] = "lsn > '0/0' AND copy_lsn = '0/0'";
constexpr char kDerived[] = "copy_lsn > '0/0'";

constexpr char kTableThere[] =
    "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace "
    "WHERE s.nspname = 'switchyard' AND c.relname = 'stream'";

// Microseconds since 1970 in a parameter; NULL where it is NULL.
std::string TimeOf(std::string_view parameter) {
  return absl::StrCat("timestamptz 'epoch' + ", std::string(parameter),
                      "::bigint * interval '1 microsecond'");
}

std::string Number(auto value) { return std::to_string(value); }

// The hold that counts: one with a lease ends by itself.
constexpr char kHold[] =
    "CASE WHEN hold_until IS NULL OR hold_until > clock_timestamp() THEN hold_lsn END";

std::string LeaseOf(absl::Duration lease) {
  return absl::StrCat(absl::ToInt64Milliseconds(lease), " ms");
}

}  // namespace

absl::StatusOr<bool> HasStreams(const pg::Sql& sql) {
  ASSIGN_OR_RETURN(const pg::Rows there, sql.Ask(absl::StrCat(kTableThere, ")")));
  return there.boolean(0, 0);
}

absl::StatusOr<bool> MayReadStreams(const pg::Sql& sql) {
  ASSIGN_OR_RETURN(const pg::Rows may,
                   sql.Ask(absl::StrCat(kTableThere,
                                        " AND has_table_privilege(c.oid, 'SELECT')"
                                        " AND has_schema_privilege(s.oid, 'USAGE'))")));
  return may.boolean(0, 0);
}

std::string StreamPositionsSql() {
  return "SELECT name, epoch, lsn, log_offset FROM switchyard.stream";
}

absl::StatusOr<std::optional<StreamState>> StreamStore::Find() {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("SELECT state, coalesce(stop_reason, ''), epoch, lsn, covered_lsn, log_offset, "
               "copy_offset, copy_lsn, " +
                   std::string(kHold) +
                   ", transactions, rows, "
                   "(extract(epoch FROM commit_time) * 1000000)::bigint, source_owns "
                   "FROM switchyard.stream WHERE name = $1",
               {stream_}));
  if (row.rows() == 0) return std::nullopt;
  StreamState state{.stop_reason = row.str(0, 1),
                    .copy_offset = row.i64(0, 6),
                    .transactions = row.i64(0, 9),
                    .rows = row.i64(0, 10)};
  ASSIGN_OR_RETURN(state.phase, ParsePhase(row.text(0, 0)));
  state.position.epoch = static_cast<uint64_t>(row.i64(0, 2));
  state.position.next_offset = row.i64(0, 5);
  ASSIGN_OR_RETURN(state.position.lsn, Lsn::Parse(row.text(0, 3)));
  ASSIGN_OR_RETURN(state.position.covered_lsn, Lsn::Parse(row.text(0, 4)));
  ASSIGN_OR_RETURN(state.copy_lsn, Lsn::Parse(row.text(0, 7)));
  if (!row.is_null(0, 8)) {
    ASSIGN_OR_RETURN(state.hold_lsn, Lsn::Parse(row.text(0, 8)));
  }
  // Before a log has told, OLD owns.
  state.source_owns =
      row.is_null(0, 12) ? DirectionOf(stream_) == Direction::kForward : row.boolean(0, 12);
  if (!row.is_null(0, 11)) state.commit_time = absl::FromUnixMicros(row.i64(0, 11));
  return state;
}

absl::StatusOr<StreamState> StreamStore::Load() {
  ASSIGN_OR_RETURN(std::optional<StreamState> state, Find());
  if (state.has_value()) return *std::move(state);
  return Refuse(absl::StrCat("stream ", stream_, " is not installed on the target"),
                "start a replayer, which installs it: switchyard replay FILE");
}

absl::StatusOr<std::string> StreamStore::Doing() {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT doing FROM switchyard.stream WHERE name = $1", {stream_}));
  return row.rows() == 0 ? "" : row.str(0, 0);
}

absl::StatusOr<std::vector<std::string>> StreamStore::Others() {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.Ask("SELECT name FROM switchyard.stream WHERE name <> $1 AND fingerprint <> ''",
               {stream_}));
  std::vector<std::string> names;
  for (int i = 0; i < rows.rows(); ++i) names.push_back(rows.str(i, 0));
  return names;
}

absl::StatusOr<InstalledMapping> StreamStore::Mapping() {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("SELECT fingerprint, catalog FROM switchyard.stream WHERE name = $1", {stream_}));
  if (row.rows() == 0) return InstalledMapping();
  return InstalledMapping{.fingerprint = row.str(0, 0), .catalog = row.str(0, 1)};
}

absl::StatusOr<bool> StreamStore::IsInstalled() {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("SELECT FROM switchyard.stream WHERE name = $1 AND fingerprint <> ''", {stream_}));
  return row.rows() > 0;
}

absl::StatusOr<std::string> StreamStore::Fingerprint() {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("SELECT fingerprint FROM switchyard.stream WHERE name = $1", {stream_}));
  return row.rows() == 0 ? std::string() : row.str(0, 0);
}

absl::StatusOr<StreamStore::Catalog> StreamStore::CatalogUnless(const std::string& digest) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT md5(catalog), CASE WHEN md5(catalog) <> $2 THEN catalog "
                            "END FROM switchyard.stream WHERE name = $1 AND catalog <> ''",
                            {stream_, digest}));
  Catalog catalog;
  if (row.rows() == 0) return catalog;
  catalog.digest = row.str(0, 0);
  if (!row.is_null(0, 1)) catalog.json = row.str(0, 1);
  return catalog;
}

absl::StatusOr<std::string> StreamStore::LockFingerprint() {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("SELECT fingerprint FROM switchyard.stream WHERE name = $1 FOR UPDATE", {stream_}));
  return row.rows() == 0 ? "" : row.str(0, 0);
}

absl::StatusOr<std::string> StreamStore::Parts() {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT parts FROM switchyard.stream WHERE name = $1", {stream_}));
  return row.rows() == 0 ? "" : row.str(0, 0);
}

absl::Status StreamStore::Install(const InstalledMapping& mapping, const std::string& parts) {
  return sql_.Run(
      "INSERT INTO switchyard.stream (name, fingerprint, parts, catalog) "
      "VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (name) DO UPDATE SET fingerprint = excluded.fingerprint, "
      "parts = excluded.parts, catalog = excluded.catalog, updated_at = clock_timestamp()",
      {stream_, mapping.fingerprint, parts, mapping.catalog});
}

absl::Status StreamStore::SetCatalog(const std::string& catalog) {
  return sql_.Run(
      "UPDATE switchyard.stream SET catalog = $2, updated_at = clock_timestamp() WHERE name = $1",
      {stream_, catalog});
}

absl::StatusOr<std::string> StreamStore::StepsRun() {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT after_copy FROM switchyard.stream WHERE name = $1", {stream_}));
  return row.rows() == 0 ? "" : row.str(0, 0);
}

absl::Status StreamStore::SetStepsRun(const std::string& steps) {
  return sql_.Run("UPDATE switchyard.stream SET after_copy = $2 WHERE name = $1", {stream_, steps});
}

// `where`: of the row as it must be.
absl::Status StreamStore::Change(const std::string& set, const std::string& where,
                                 const std::vector<pg::Param>& values) {
  std::vector<pg::Param> params = {stream_};
  params.insert(params.end(), values.begin(), values.end());
  ASSIGN_OR_RETURN(
      const pg::Rows changed,
      sql_.Ask(absl::StrCat("UPDATE switchyard.stream SET ", set,
                            ", updated_at = clock_timestamp() WHERE name = $1 AND ", where),
               params));
  if (changed.affected() == 1) return absl::OkStatus();
  ASSIGN_OR_RETURN(const StreamState state, Load());
  return absl::AbortedError(absl::StrFormat(
      "stream %s (%s) stands at %s with its copy derived at %s: another replayer changed it, or "
      "the target lost its last commits in a crash",
      stream_, ToString(state.phase), state.position.lsn.ToString(), state.copy_lsn.ToString()));
}

absl::Status StreamStore::BeginCopy() {
  return Change("state = 'copying', stop_reason = NULL", kUnplaced, {});
}

// Position p: every commit <= p is applied. A copy at L holds the commits below L.
absl::Status StreamStore::PlaceAfterCopy(Lsn first, std::optional<absl::Time> clock) {
  return Change(
      absl::StrCat("lsn = $2::pg_lsn - 1, covered_lsn = $2::pg_lsn, commit_time = ", TimeOf("$3")),
      kUnplaced,
      {first.ToString(), clock ? pg::Param(Number(absl::ToUnixMicros(*clock))) : pg::Param()});
}

absl::Status StreamStore::EndCopy(Lsn last) {
  return Change("state = 'streaming', stop_reason = NULL, copy_lsn = $2::pg_lsn", kUnderived,
                {last.ToString()});
}

absl::Status StreamStore::CatchUp() {
  return Change("state = 'catching_up', stop_reason = NULL", kPlaced, {});
}

absl::Status StreamStore::BeginStreaming() {
  return Change("state = 'streaming', stop_reason = NULL", kDerived, {});
}

absl::Status StreamStore::Stop(const std::string& reason) {
  return sql_.Run(
      "UPDATE switchyard.stream SET state = 'stopped', stop_reason = $2, "
      "updated_at = clock_timestamp() WHERE name = $1",
      {stream_, reason});
}

absl::Status StreamStore::NoteRefusedStart(const std::string& reason) {
  return sql_.Run(
      "INSERT INTO switchyard.stream AS s (name, state, stop_reason) VALUES ($1, 'stopped', $2)"
      " ON CONFLICT (name) DO UPDATE SET state = 'stopped', stop_reason = $2, "
      "updated_at = clock_timestamp()",
      {stream_, reason});
}

absl::Status StreamStore::Resume() {
  return sql_.Run(
      "UPDATE switchyard.stream SET stop_reason = NULL, state = CASE WHEN "
      "state NOT IN ('stopped', 'streaming') THEN state "
      "WHEN copy_lsn = '0/0' THEN 'copying' ELSE 'catching_up' END, "
      "updated_at = clock_timestamp() WHERE name = $1",
      {stream_});
}

absl::Status StreamStore::BeginAnew(const Position& at, int64_t copy_offset) {
  return sql_.Run(
      "UPDATE switchyard.stream SET state = 'new', stop_reason = NULL, "
      "epoch = greatest(epoch, $4::bigint), lsn = '0/0', "
      "covered_lsn = '0/0', copy_lsn = '0/0', log_offset = $2::bigint, "
      "copy_offset = $3::bigint, commit_time = NULL, transactions = 0, rows = 0, "
      "fingerprint = '', parts = '', catalog = '', updated_at = clock_timestamp() "
      "WHERE name = $1",
      {stream_, Number(at.next_offset), Number(copy_offset), Number(at.epoch)});
}

absl::Status StreamStore::SetDoing(const std::string& work) {
  return sql_.Run("UPDATE switchyard.stream SET doing = $2 WHERE name = $1 AND doing <> $2",
                  {stream_, work});
}

pg::Statement StreamStore::LockStatement(const Position& position) const {
  return {
      "SELECT 1 FROM switchyard.stream WHERE name = $1 AND lsn = $2::pg_lsn "
      "AND epoch = $3::bigint AND log_offset = $4::bigint FOR UPDATE",
      {stream_, position.lsn.ToString(), Number(position.epoch), Number(position.next_offset)}};
}

pg::Statement StreamStore::MoveStatement(const Position& from, const Advance& step) const {
  return {absl::StrCat("UPDATE switchyard.stream SET epoch = $5::bigint, lsn = $6::pg_lsn, "
                       "covered_lsn = $7::pg_lsn, log_offset = $8::bigint, "
                       "transactions = transactions + $9::bigint, rows = rows + $10::bigint, "
                       "commit_time = CASE WHEN $11::bigint = 0 THEN commit_time ELSE ",
                       TimeOf("$11"),
                       " END, source_owns = $12::boolean, held_at = CASE WHEN $6::pg_lsn < "
                       "hold_lsn AND hold_lsn <= $7::pg_lsn "
                       "THEN hold_lsn END, updated_at = clock_timestamp() "
                       "WHERE name = $1 AND lsn = $2::pg_lsn AND epoch = $3::bigint AND "
                       "log_offset = $4::bigint "
                       "AND (hold_lsn IS NULL OR hold_lsn > $6::pg_lsn OR lsn = $6::pg_lsn "
                       "OR hold_until <= clock_timestamp())"),
          {stream_, from.lsn.ToString(), Number(from.epoch), Number(from.next_offset),
           Number(step.to.epoch), step.to.lsn.ToString(), step.to.covered_lsn.ToString(),
           Number(step.to.next_offset), Number(step.transactions), Number(step.rows),
           Number(step.commit_time_us), step.source_owns ? "t" : "f"}};
}

absl::Status StreamStore::CheckAt(const Position& position, int64_t rows_hit) {
  refused_by_hold_ = false;
  return rows_hit == 1 ? absl::OkStatus() : WhyNotAt(position);
}

absl::Status StreamStore::LockAt(const Position& position) {
  const pg::Statement lock = LockStatement(position);
  ASSIGN_OR_RETURN(const pg::Rows locked, sql_.AskPrepared(lock.sql, lock.params));
  return CheckAt(position, locked.affected());
}

absl::Status StreamStore::Move(const Position& from, const Advance& step) {
  const pg::Statement move = MoveStatement(from, step);
  ASSIGN_OR_RETURN(const pg::Rows moved, sql_.AskPrepared(move.sql, move.params));
  return CheckAt(from, moved.affected());
}

absl::StatusOr<std::optional<Lsn>> StreamStore::AnswerHold(Lsn next) {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.AskPrepared(
          absl::StrCat("WITH held AS (SELECT ", kHold,
                       " AS hold, lsn, covered_lsn FROM switchyard.stream WHERE name = $1), "
                       "answer AS (SELECT CASE WHEN lsn < hold AND (covered_lsn >= hold OR "
                       "hold <= $2::pg_lsn) THEN hold END AS held_at FROM held), "
                       "told AS (UPDATE switchyard.stream s SET held_at = a.held_at FROM answer a "
                       "WHERE s.name = $1 AND s.held_at IS DISTINCT FROM a.held_at) "
                       "SELECT hold FROM held"),
          {stream_, next.ToString()}));
  if (row.rows() == 0 || row.is_null(0, 0)) return std::nullopt;
  ASSIGN_OR_RETURN(const Lsn hold, Lsn::Parse(row.text(0, 0)));
  return hold;
}

absl::Status StreamStore::Hold(Lsn at, absl::Duration lease) {
  ASSIGN_OR_RETURN(
      const pg::Rows held,
      sql_.Ask(absl::StrCat("UPDATE switchyard.stream SET hold_lsn = $2::pg_lsn, hold_until = "
                            "clock_timestamp() + $3::interval WHERE name = $1 AND ",
                            kHold, " IS NULL"),
               {stream_, at.ToString(), LeaseOf(lease)}));
  if (held.affected() == 1) return absl::OkStatus();
  ASSIGN_OR_RETURN(const StreamState state, Load());
  if (!state.hold_lsn) return absl::AbortedError("the stream was held by somebody else just now");
  return Refuse(absl::StrCat("stream ", stream_, " is held at ", state.hold_lsn->ToString(),
                             " by somebody else"),
                "wait until they release it, and run it again");
}

absl::Status StreamStore::MoveHold(Lsn from, Lsn to, absl::Duration lease) {
  ASSIGN_OR_RETURN(
      const pg::Rows moved,
      sql_.Ask("UPDATE switchyard.stream SET hold_lsn = $3::pg_lsn, hold_until = clock_timestamp() "
               "+ $4::interval WHERE name = $1 AND hold_lsn = $2::pg_lsn AND "
               "hold_until > clock_timestamp()",
               {stream_, from.ToString(), to.ToString(), LeaseOf(lease)}));
  return moved.affected() == 1 ? absl::OkStatus() : absl::AbortedError("the hold has ended");
}

absl::Status StreamStore::ReleaseHold(Lsn at) {
  return sql_.Run(
      "UPDATE switchyard.stream SET hold_lsn = NULL, hold_until = NULL "
      "WHERE name = $1 AND hold_lsn = $2::pg_lsn",
      {stream_, at.ToString()});
}

absl::StatusOr<bool> StreamStore::StandsAt(Lsn at) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT coalesce(held_at = $2::pg_lsn, false) FROM switchyard.stream "
                            "WHERE name = $1",
                            {stream_, at.ToString()}));
  return row.rows() == 1 && row.boolean(0, 0);
}

absl::Status StreamStore::WhyNotAt(const Position& position) {
  ASSIGN_OR_RETURN(const StreamState state, Load());
  refused_by_hold_ = state.position.lsn == position.lsn && state.position.epoch == position.epoch &&
                     state.position.next_offset == position.next_offset;
  if (refused_by_hold_) return absl::AbortedError("held before the end of the step");
  return absl::AbortedError(absl::StrFormat(
      "stream %s stands at %s (epoch %d), not at %s (epoch %d): another replayer, or the target "
      "lost its last commits in a crash",
      stream_, state.position.lsn.ToString(), state.position.epoch, position.lsn.ToString(),
      position.epoch));
}

absl::Status StreamStore::LockCopyAt(int64_t offset) {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.AskPrepared(
          "SELECT 1 FROM switchyard.stream WHERE name = $1 AND copy_offset = $2::bigint FOR UPDATE",
          {stream_, Number(offset)}));
  if (row.rows() == 1) return absl::OkStatus();
  return absl::AbortedError(
      "the copy position moved: another replayer, or the target lost its last commits in a crash");
}

absl::Status StreamStore::MoveCopy(int64_t offset) {
  return sql_
      .AskPrepared(
          "UPDATE switchyard.stream SET copy_offset = $2::bigint, updated_at = clock_timestamp() "
          "WHERE name = $1",
          {stream_, Number(offset)})
      .status();
}

}  // namespace switchyard::records
