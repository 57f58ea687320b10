#include "common/records/cutover/ownership.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/records/mark.h"

namespace switchyard::records {
namespace {

std::string Number(int64_t value) { return std::to_string(value); }

// Microseconds since 1970.
std::string MicrosSql(std::string_view column) {
  return absl::StrCat("(extract(epoch FROM ", Sv(column), ") * 1000000)::bigint");
}

// The same as a time; of a parameter.
std::string TimeSql(std::string_view micros) {
  return absl::StrCat("timestamptz 'epoch' + ", Sv(micros), "::bigint * interval '1 microsecond'");
}

// Columns of a decision, in the order that ReadDecision takes them.
std::string DecisionSql(std::string_view prefix) {
  std::string sql;
  for (const char* column :
       {"owner", "epoch", "owner_epoch", "driver", "old_lsn", "new_lsn", "old_system",
        "old_timeline", "new_system", "new_timeline", "at_work"}) {
    absl::StrAppend(&sql, Sv(prefix), column, ", ");
  }
  return absl::StrCat(sql, MicrosSql(absl::StrCat(Sv(prefix), "changed_at")), ", ",
                      MicrosSql(absl::StrCat(Sv(prefix), "driver_since")));
}

absl::StatusOr<Ownership> ReadDecision(const pg::Rows& row, int at) {
  ASSIGN_OR_RETURN(const Side owner, ParseSide(row.text(0, at)));
  ASSIGN_OR_RETURN(const Lsn old_lsn, Lsn::Parse(row.text(0, at + 4)));
  ASSIGN_OR_RETURN(const Lsn new_lsn, Lsn::Parse(row.text(0, at + 5)));
  return Ownership{.owner = owner,
                   .epoch = row.i64(0, at + 1),
                   .owner_epoch = row.i64(0, at + 2),
                   .driver = row.str(0, at + 3),
                   .driver_since = absl::FromUnixMicros(row.i64(0, at + 12)),
                   .at_work = row.boolean(0, at + 10),
                   .flip = {.old_lsn = old_lsn,
                            .new_lsn = new_lsn,
                            .old_server = {row.str(0, at + 6), row.i64(0, at + 7)},
                            .new_server = {row.str(0, at + 8), row.i64(0, at + 9)}},
                   .changed = absl::FromUnixMicros(row.i64(0, at + 11))};
}

Compared ComparedBy(const pg::Rows& moved) {
  return moved.affected() == 1 ? Compared::kDone : Compared::kRefused;
}

absl::StatusOr<bool> IsThere(const pg::Sql& sql, const char* table) {
  ASSIGN_OR_RETURN(const pg::Rows there,
                   sql.Ask("SELECT to_regclass('switchyard.' || $1) IS NOT NULL", {table}));
  return there.boolean(0, 0);
}

}  // namespace

std::string_view ToString(Side side) { return side == Side::kOld ? "old" : "new"; }

absl::StatusOr<Side> ParseSide(std::string_view text) {
  for (const Side side : {Side::kOld, Side::kNew}) {
    if (text == ToString(side)) return side;
  }
  return absl::InternalError(absl::StrCat("\"", Sv(text), "\" is no side"));
}

absl::StatusOr<ServerHistory> HistoryOf(const pg::Sql& sql) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql.Ask("SELECT (SELECT system_identifier::text FROM pg_control_system()), "
                           "('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))"
                           "::bit(32)::bigint"));
  return ServerHistory{row.str(0, 0), row.i64(0, 1)};
}

absl::StatusOr<std::optional<Ownership>> NewOwnership::Read(std::string_view lock) const {
  ASSIGN_OR_RETURN(const bool there, IsThere(sql_, kOwnershipTable));
  if (!there) return std::nullopt;
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask(absl::StrCat("SELECT ", DecisionSql(""),
                            " FROM switchyard.ownership WHERE migration = $1", Sv(lock)),
               {migration_}));
  if (row.rows() == 0) return std::nullopt;
  return ReadDecision(row, 0);
}

absl::StatusOr<std::optional<Ownership>> NewOwnership::Load() const { return Read(""); }

absl::StatusOr<std::optional<Ownership>> NewOwnership::LoadAndHold() const {
  return Read(" FOR UPDATE");
}

absl::Status NewOwnership::Begin(int64_t epoch_min) const {
  return sql_.Run(absl::StrCat("INSERT INTO switchyard.ownership (migration, owner, epoch, "
                               "owner_epoch) SELECT $1, 'old', greatest(marked, $2::bigint), "
                               "marked FROM (SELECT ",
                               OwnerEpochSql("$1"), ") AS m (marked) ON CONFLICT DO NOTHING"),
                  {migration_, Number(epoch_min)});
}

absl::StatusOr<std::optional<Ownership>> NewOwnership::TakeEpoch(int64_t from,
                                                                 const std::string& driver) const {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask(
          absl::StrCat(
              "UPDATE switchyard.ownership SET epoch = epoch + 1, driver = $3, "
              "driver_since = clock_timestamp(), at_work = true WHERE migration = $1 AND epoch = "
              "$2::bigint RETURNING ",
              DecisionSql("")),
          {migration_, Number(from), driver}));
  if (row.rows() == 0) return std::nullopt;
  return ReadDecision(row, 0);
}

absl::StatusOr<absl::Duration> NewOwnership::SinceTaken() const {
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask(absl::StrCat("SELECT max(", MicrosSql("clock_timestamp() - driver_since"),
                            ") FROM switchyard.ownership WHERE migration = $1"),
               {migration_}));
  return row.is_null(0, 0) ? absl::InfiniteDuration() : absl::Microseconds(row.i64(0, 0));
}

absl::StatusOr<Compared> NewOwnership::Rest(int64_t epoch) const {
  ASSIGN_OR_RETURN(const pg::Rows moved,
                   sql_.Ask("UPDATE switchyard.ownership SET at_work = false WHERE migration = $1 "
                            "AND epoch = $2::bigint",
                            {migration_, Number(epoch)}));
  return ComparedBy(moved);
}

absl::StatusOr<Compared> NewOwnership::Give(Side from, Side to, int64_t epoch,
                                            const Flip& flip) const {
  ASSIGN_OR_RETURN(
      const pg::Rows moved,
      sql_.Ask("UPDATE switchyard.ownership SET owner = $4, owner_epoch = epoch, "
               "old_lsn = $5::pg_lsn, new_lsn = CASE WHEN $4 = 'new' THEN "
               "pg_current_wal_insert_lsn() ELSE $6::pg_lsn END, old_system = $7, "
               "old_timeline = $8::bigint, new_system = $9, new_timeline = $10::bigint, "
               "changed_at = clock_timestamp() "
               "WHERE migration = $1 AND epoch = $2::bigint AND owner = $3",
               {migration_, Number(epoch), std::string(ToString(from)), std::string(ToString(to)),
                flip.old_lsn.ToString(), flip.new_lsn.ToString(), flip.old_server.system_identifier,
                Number(flip.old_server.timeline), flip.new_server.system_identifier,
                Number(flip.new_server.timeline)}));
  const Compared compared = ComparedBy(moved);
  if (compared == Compared::kDone) RETURN_IF_ERROR(MoveOwnerEpoch(sql_, migration_, epoch));
  return compared;
}

absl::StatusOr<Compared> NewOwnership::GiveToNew(int64_t epoch, const Flip& flip) const {
  return Give(Side::kOld, Side::kNew, epoch, flip);
}

absl::StatusOr<Compared> NewOwnership::GiveToOld(int64_t epoch, const Flip& flip) const {
  return Give(Side::kNew, Side::kOld, epoch, flip);
}

std::string_view ToString(OldSide::State state) {
  return state == OldSide::State::kOpen ? "open" : "closed";
}

absl::StatusOr<OldSide::State> ParseOldSideState(std::string_view text) {
  for (const OldSide::State state : {OldSide::State::kOpen, OldSide::State::kClosed}) {
    if (text == ToString(state)) return state;
  }
  return absl::InternalError(absl::StrCat("\"", Sv(text), "\" is no state of OLD's side"));
}

absl::StatusOr<std::optional<OldSide>> OldSideRow::Load() const {
  ASSIGN_OR_RETURN(const bool there, IsThere(sql_, kOldSideTable));
  if (!there) return std::nullopt;
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask(absl::StrCat("SELECT state, epoch, owner_epoch, ", MicrosSql("changed_at"),
                            ", new_system, new_timeline, ", DecisionSql("decided_"),
                            " FROM switchyard.old_side WHERE migration = $1"),
               {migration_}));
  if (row.rows() == 0) return std::nullopt;
  OldSide side = {.epoch = row.i64(0, 1),
                  .owner_epoch = row.i64(0, 2),
                  .changed = absl::FromUnixMicros(row.i64(0, 3)),
                  .new_server = {row.str(0, 4), row.i64(0, 5)}};
  ASSIGN_OR_RETURN(side.state, ParseOldSideState(row.text(0, 0)));
  if (!row.is_null(0, 6)) {
    ASSIGN_OR_RETURN(side.decision, ReadDecision(row, 6));
  }
  return side;
}

absl::StatusOr<OldSideRow::Opened> OldSideRow::Open(int64_t epoch,
                                                    const ServerHistory& new_server) const {
  RETURN_IF_ERROR(sql_.Run(absl::StrCat("INSERT INTO switchyard.old_side (migration, state, epoch, "
                                        "owner_epoch) SELECT $1, 'open', 0, ",
                                        OwnerEpochSql("$1"), " ON CONFLICT DO NOTHING"),
                           {migration_}));
  ASSIGN_OR_RETURN(
      const pg::Rows row,
      sql_.Ask("SELECT state FROM switchyard.old_side WHERE migration = $1 AND "
               "((new_timeline, epoch) < ($3::bigint, $2::bigint) OR "
               "(new_timeline, epoch) = ($3::bigint, $2::bigint) AND state = 'open') FOR UPDATE",
               {migration_, Number(epoch), Number(new_server.timeline)}));
  if (row.rows() == 0) return Opened();
  Opened opened = {.compared = Compared::kDone};
  ASSIGN_OR_RETURN(opened.was, ParseOldSideState(row.text(0, 0)));
  const bool reopens = opened.was == OldSide::State::kClosed;
  RETURN_IF_ERROR(sql_.Run(
      absl::StrCat("UPDATE switchyard.old_side SET epoch = $2::bigint, "
                   "new_system = $3, new_timeline = $4::bigint",
                   reopens ? ", state = 'open', owner_epoch = $2::bigint, "
                             "changed_at = clock_timestamp()"
                           : "",
                   " WHERE migration = $1"),
      {migration_, Number(epoch), new_server.system_identifier, Number(new_server.timeline)}));
  if (reopens) RETURN_IF_ERROR(MoveOwnerEpoch(sql_, migration_, epoch));
  return opened;
}

absl::StatusOr<Compared> OldSideRow::Hold() const {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql_.Ask("SELECT FROM switchyard.old_side WHERE migration = $1 AND "
                            "state = 'open' FOR UPDATE",
                            {migration_}));
  return row.rows() == 1 ? Compared::kDone : Compared::kRefused;
}

absl::StatusOr<Compared> OldSideRow::Close(int64_t epoch, const ServerHistory& new_server) const {
  ASSIGN_OR_RETURN(
      const pg::Rows moved,
      sql_.Ask(
          "UPDATE switchyard.old_side SET state = 'closed', owner_epoch = epoch, "
          "changed_at = clock_timestamp() WHERE migration = $1 AND epoch = $2::bigint AND "
          "new_system = $3 AND new_timeline = $4::bigint AND state = 'open'",
          {migration_, Number(epoch), new_server.system_identifier, Number(new_server.timeline)}));
  const Compared compared = ComparedBy(moved);
  if (compared == Compared::kDone) RETURN_IF_ERROR(MoveOwnerEpoch(sql_, migration_, epoch));
  return compared;
}

absl::StatusOr<Compared> OldSideRow::NoteDecision(const Ownership& decision) const {
  const Flip& flip = decision.flip;
  ASSIGN_OR_RETURN(
      const pg::Rows moved,
      sql_.Ask(absl::StrCat(
                   "UPDATE switchyard.old_side SET decided_owner = $2, decided_epoch = $3::bigint, "
                   "decided_owner_epoch = $4::bigint, decided_driver = $5, decided_old_lsn = "
                   "$6::pg_lsn, decided_new_lsn = $7::pg_lsn, decided_old_system = $8, "
                   "decided_old_timeline = $9::bigint, decided_new_system = $10, "
                   "decided_new_timeline = $11::bigint, decided_changed_at = ",
                   TimeSql("$12"), ", decided_driver_since = ", TimeSql("$13"),
                   ", decided_at_work = $14::boolean",
                   " WHERE migration = $1 AND coalesce(decided_epoch, 0) <= $3::bigint"),
               {migration_, std::string(ToString(decision.owner)), Number(decision.epoch),
                Number(decision.owner_epoch), decision.driver, flip.old_lsn.ToString(),
                flip.new_lsn.ToString(), flip.old_server.system_identifier,
                Number(flip.old_server.timeline), flip.new_server.system_identifier,
                Number(flip.new_server.timeline), Number(absl::ToUnixMicros(decision.changed)),
                Number(absl::ToUnixMicros(decision.driver_since)), decision.at_work ? "t" : "f"}));
  return ComparedBy(moved);
}

}  // namespace switchyard::records
