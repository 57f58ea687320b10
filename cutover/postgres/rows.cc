#include "cutover/postgres/rows.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/records/cutover/journal.h"
#include "common/records/cutover/lease.h"

namespace switchyard::cutover {
namespace {

using records::Compared;

Side SideOf(records::Side side) { return side == records::Side::kOld ? Side::kOld : Side::kNew; }
records::Side RecordOf(Side side) {
  return side == Side::kOld ? records::Side::kOld : records::Side::kNew;
}
History HistoryOf(const records::ServerHistory& server) {
  return {server.system_identifier, server.timeline};
}
records::ServerHistory RecordOf(const History& history) {
  return {history.system_identifier, history.timeline};
}

absl::Status AnotherLeads(const std::string& migration, int64_t epoch) {
  return absl::AbortedError(
      absl::StrFormat("migration %s does not stand under epoch %d any more: another driver leads",
                      migration, epoch));
}

}  // namespace

Ownership OwnershipOf(const records::Ownership& row) {
  // The side that does not own is the one that closed.
  const bool old_closed = row.owner == records::Side::kNew;
  return {.owner = SideOf(row.owner),
          .epoch = row.epoch,
          .owner_epoch = row.owner_epoch,
          .since = row.changed,
          .handover = {.closed_lsn = old_closed ? row.flip.old_lsn : row.flip.new_lsn,
                       .opened_lsn = old_closed ? row.flip.new_lsn : row.flip.old_lsn},
          .old_history = HistoryOf(row.flip.old_server),
          .new_history = HistoryOf(row.flip.new_server),
          .driver = row.driver,
          .at_work = row.at_work};
}

records::Ownership RecordOf(const Ownership& ownership) {
  const bool old_closed = ownership.owner == Side::kNew;
  const Handover& handover = ownership.handover;
  records::Ownership row = {.owner = RecordOf(ownership.owner),
                            .epoch = ownership.epoch,
                            .owner_epoch = ownership.owner_epoch,
                            .driver = ownership.driver,
                            .at_work = ownership.at_work,
                            .changed = ownership.since};
  row.flip = {.old_lsn = old_closed ? handover.closed_lsn : handover.opened_lsn,
              .new_lsn = old_closed ? handover.opened_lsn : handover.closed_lsn,
              .old_server = RecordOf(ownership.old_history),
              .new_server = RecordOf(ownership.new_history)};
  return row;
}

absl::StatusOr<Ownership> PgLease::Read(absl::Duration limit) {
  Ownership ownership;
  RETURN_IF_ERROR(target_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    const records::NewOwnership rows(tx, migration_);
    RETURN_IF_ERROR(rows.Begin(0));
    ASSIGN_OR_RETURN(const std::optional<records::Ownership> row, rows.Load());
    if (!row) return absl::InternalError("NEW's row is gone while it is read");
    ownership = OwnershipOf(*row);
    ASSIGN_OR_RETURN(ownership.silence, rows.SinceTaken());
    ASSIGN_OR_RETURN(const auto silent, records::Journal(tx, migration_).Silence(row->epoch));
    if (silent) ownership.silence = std::min(ownership.silence, *silent);
    return absl::OkStatus();
  }));
  return ownership;
}

absl::Status PgLease::Take(int64_t from, absl::Duration limit) {
  return target_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    ASSIGN_OR_RETURN(const auto taken,
                     records::NewOwnership(tx, migration_).TakeEpoch(from, driver_));
    return taken ? absl::OkStatus() : AnotherLeads(migration_, from);
  });
}

absl::Status PgLease::Rest(int64_t epoch, absl::Duration limit) {
  return target_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    ASSIGN_OR_RETURN(const Compared rests, records::NewOwnership(tx, migration_).Rest(epoch));
    return rests == Compared::kDone ? absl::OkStatus() : AnotherLeads(migration_, epoch);
  });
}

absl::StatusOr<OldRow> PgOldRecord::Read(absl::Duration limit) {
  OldRow old_row;
  RETURN_IF_ERROR(source_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<records::OldSide> row,
                     records::OldSideRow(tx, migration_).Load());
    if (!row) return absl::OkStatus();  // no driver ever acted: open
    old_row = {.epoch = row->epoch,
               .fenced = row->state == records::OldSide::State::kClosed,
               .new_history = HistoryOf(row->new_server)};
    if (row->decision) {
      old_row.told_owner = SideOf(row->decision->owner);
      old_row.told_owner_epoch = row->decision->owner_epoch;
    }
    return absl::OkStatus();
  }));
  return old_row;
}

absl::Status PgOldRecord::Tell(const Ownership& ownership, absl::Duration limit) {
  return source_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    ASSIGN_OR_RETURN(const Compared told,
                     records::OldSideRow(tx, migration_).NoteDecision(RecordOf(ownership)));
    if (told == Compared::kDone) return absl::OkStatus();
    return absl::AbortedError(
        absl::StrFormat("OLD was told of a later decision than that of epoch %d, or has no row of "
                        "migration %s",
                        ownership.epoch, migration_));
  });
}

absl::Status PgJournal::Write(const JournalEntry& entry, absl::Duration limit) {
  int64_t id = 0;
  RETURN_IF_ERROR(target_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    const records::Journal journal(tx, migration_);
    if (open_step_ != 0) RETURN_IF_ERROR(journal.End(open_step_, "done", ""));
    ASSIGN_OR_RETURN(id, journal.Begin({.epoch = entry.epoch,
                                        .step = entry.step,
                                        .operator_name = entry.operator_name,
                                        .figures = entry.figures}));
    return absl::OkStatus();
  }));
  open_step_ = id;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<JournalEntry>> PgJournal::ReadLast(absl::Duration limit) {
  std::vector<JournalEntry> entries;
  RETURN_IF_ERROR(target_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    ASSIGN_OR_RETURN(const auto steps, records::Journal(tx, migration_).OfLastEpoch());
    for (const records::JournalStep& step : steps) {
      entries.push_back({.epoch = step.epoch,
                         .step = step.step,
                         .operator_name = step.operator_name,
                         .at = step.at,
                         .figures = step.figures});
    }
    return absl::OkStatus();
  }));
  return entries;
}

absl::StatusOr<std::string> PgAbortFlag::AskedBy(int64_t epoch, absl::Duration limit) {
  std::string asked_by;
  RETURN_IF_ERROR(target_.Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    ASSIGN_OR_RETURN(asked_by, records::Lease(tx, migration_).AbortAskedBy(epoch));
    return absl::OkStatus();
  }));
  return asked_by;
}

}  // namespace switchyard::cutover
