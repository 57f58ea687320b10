#include "common/records/mark.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/check.h"
#include "common/base/strings.h"

namespace switchyard::records {

namespace {

// A row that is made while the epoch moves would keep the old one.
absl::Status LockRows(const pg::Sql& sql) {
  return sql.Run("SELECT pg_catalog.pg_advisory_xact_lock(hashtextextended('switchyard mark', 0))");
}

}  // namespace

std::string LaneWriter(int lane) { return absl::StrCat("copy lane ", lane); }

std::string_view MigrationOf(std::string_view stream) {
  return stream.substr(0, stream.rfind('.'));
}

absl::Status Gate::Claim(const std::vector<std::string>& writers) {
  const std::string migration(MigrationOf(stream_));
  return session_.InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(LockRows(session_));
    RETURN_IF_ERROR(
        session_
            .Query(absl::StrCat("INSERT INTO switchyard.mark (migration, stream, writer, "
                                "owner_epoch) SELECT $1, $2, writer, ",
                                OwnerEpochSql("$1"),
                                " FROM unnest($3::text[]) AS w (writer) ON CONFLICT DO NOTHING"),
                   {migration, stream_, ArrayLiteral(writers)})
            .status());
    ASSIGN_OR_RETURN(
        const pg::Result epoch,
        session_.Query("SELECT max(owner_epoch) FROM switchyard.mark WHERE migration = $1",
                       {migration}));
    if (!owner_epoch_) owner_epoch_ = epoch.i64(0, 0);
    return *owner_epoch_ == epoch.i64(0, 0) ? absl::OkStatus()
                                            : WhyClosed(writers.front(), epoch.i64(0, 0));
  });
}

pg::Statement Gate::PassStatement(const std::string& writer) const {
  SY_CHECK(owner_epoch_.has_value());
  return {
      "UPDATE switchyard.mark SET xid = pg_catalog.txid_current() "
      "WHERE migration = $1 AND stream = $2 AND writer = $3 AND owner_epoch = $4::bigint",
      {std::string(MigrationOf(stream_)), stream_, writer, std::to_string(*owner_epoch_)}};
}

absl::Status Gate::CheckPassed(const std::string& writer, const pg::Result& passed) const {
  if (passed.affected() == 1) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session_.Query("SELECT owner_epoch FROM switchyard.mark WHERE migration = $1 AND "
                     "stream = $2 AND writer = $3",
                     {std::string(MigrationOf(stream_)), stream_, writer}));
  return WhyClosed(writer, row.rows() == 0 ? std::nullopt : std::optional(row.i64(0, 0)));
}

absl::Status Gate::Pass(const std::string& writer) {
  const pg::Statement pass = PassStatement(writer);
  ASSIGN_OR_RETURN(const pg::Result passed, session_.QueryPrepared(pass.sql, pass.params));
  return CheckPassed(writer, passed);
}

absl::StatusOr<pg::Result> Gate::Begin(const std::string& writer, pg::Statement next) {
  ASSIGN_OR_RETURN(std::vector<pg::Result> answers,
                   session_.BeginWith({PassStatement(writer), std::move(next)}));
  const absl::Status passed = CheckPassed(writer, answers[0]);
  if (passed.ok()) return std::move(answers[1]);
  session_.Rollback();
  return passed;
}

absl::Status Gate::WhyClosed(const std::string& writer, std::optional<int64_t> epoch) const {
  const std::string found =
      epoch ? absl::StrFormat("the owner's epoch is %d now, not %d: ownership moved", *epoch,
                              *owner_epoch_)
            : "its row in switchyard.mark is gone: the target lost its last commits in a crash, or "
              "it was deleted by hand";
  return absl::AbortedError(
      absl::StrFormat("stream %s may not write (writer %s): %s. Nothing of this transaction was "
                      "written; it is tried again from where the target stands",
                      stream_, writer, found));
}

absl::Status MoveOwnerEpoch(const pg::Sql& sql, const std::string& migration, int64_t epoch) {
  RETURN_IF_ERROR(LockRows(sql));
  return sql.Run("UPDATE switchyard.mark SET owner_epoch = $2::bigint WHERE migration = $1",
                 {migration, std::to_string(epoch)});
}

std::string OwnerEpochSql(std::string_view migration) {
  return absl::StrCat(
      "(SELECT coalesce(max(owner_epoch), 0) FROM switchyard.mark WHERE migration = ",
      Sv(migration), ")");
}

}  // namespace switchyard::records
