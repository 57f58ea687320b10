// Which side the application may write to, in both databases.
//
// NEW's row, switchyard.ownership, decides; everything else obeys it:
//
//   none --Begin--> OLD owns --GiveToNew--> NEW owns --GiveToOld--> OLD owns
//        any --TakeEpoch--> the same owner, under the next driver, at work --Rest--> at rest
//
// OLD's row, switchyard.old_side, is what the fence of OLD compares with, and keeps a copy of the
// decision for the night when NEW comes back from a backup:
//
//   none, any --Open--> open --Close--> closed        any --NoteDecision--> the same, with the copy
//
// Whoever acts first takes a driver epoch (TakeEpoch), then moves OLD's row to it if OLD owns
// (Open); each later step compares with that epoch, in the transaction that does it. A step that is
// refused has changed nothing and ends the driver: another one acts by now. A row that was only
// read decides nothing.
//
// What changes who owns, or opens or closes OLD, sets the owner's epoch of every mark of that
// database (mark.h) in the same transaction: the epoch of the driver that did it.
//
//   RETURN_IF_ERROR(session->InTransaction([&](pg::ControlTransaction& tx) -> absl::Status {
//     ASSIGN_OR_RETURN(const Compared compared, OldSideRow(tx, "shop").Close(epoch, new_server));
//     if (compared == Compared::kRefused) return absl::AbortedError("another driver acts");
//     return CloseFence(tx);
//   }));
//
// Both are published, so that either log says where in it the owner changed. Thread safety: as the
// session, which must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

inline constexpr char kOwnershipTable[] = "ownership";  // of schema switchyard, in NEW
inline constexpr char kOldSideTable[] = "old_side";     // likewise, in OLD

enum class Side { kOld, kNew };
std::string_view ToString(Side side);  // "old", "new"
absl::StatusOr<Side> ParseSide(std::string_view text);

// A step that compares: done, or refused, as the row stands under another epoch or state.
enum class Compared { kDone, kRefused };

// A cluster and the history it is on.
struct ServerHistory {
  std::string system_identifier;  // empty: not known
  int64_t timeline = 0;
  friend bool operator==(const ServerHistory&, const ServerHistory&) = default;
};
absl::StatusOr<ServerHistory> HistoryOf(const pg::Sql& sql);

// One change of owner: OLD's and NEW's points that other readers of either log may change over at.
// All writes that the application made on the side that gave are below its point, all that it makes
// on the side that took are above the other.
struct Flip {
  Lsn old_lsn, new_lsn;
  ServerHistory old_server, new_server;
};

// NEW's row.
struct Ownership {
  Side owner = Side::kOld;
  int64_t epoch = 0;        // of the driver that acts, or acted last
  int64_t owner_epoch = 0;  // of the one that made this side the owner
  std::string driver;       // who took `epoch`, for people: "anna@ops1 cutover (pid 4711)"
  absl::Time driver_since;  // NEW's clock at that
  bool at_work = false;     // since then, until it said that it rests
  Flip flip;                // the last one; 0/0: none yet
  absl::Time changed;       // NEW's clock when it became the owner
};

class NewOwnership {
 public:
  NewOwnership(pg::Sql sql, std::string migration)
      : sql_(std::move(sql)), migration_(std::move(migration)) {}

  // Nullopt: cutover was never prepared, so OLD owns; or an older program set this database up.
  absl::StatusOr<std::optional<Ownership>> Load() const;
  // Until the transaction ends nobody moves the row; as it is. Nullopt: there is none.
  absl::StatusOr<std::optional<Ownership>> LoadAndHold() const;
  // Makes the row where there is none. `epoch_min`: what OLD's row has reached already.
  absl::Status Begin(int64_t epoch_min) const;
  // The next epoch, if the row still stands under `from`: the row as it is then. Nullopt: refused.
  absl::StatusOr<std::optional<Ownership>> TakeEpoch(int64_t from, const std::string& driver) const;
  // How long ago the epoch was taken, by NEW's clock.
  absl::StatusOr<absl::Duration> SinceTaken() const;
  // The driver of `epoch` does nothing any more. Refused: another one leads.
  absl::StatusOr<Compared> Rest(int64_t epoch) const;
  // Within the transaction that opens NEW. `flip`: without new_lsn, which is taken here.
  absl::StatusOr<Compared> GiveToNew(int64_t epoch, const Flip& flip) const;
  // Within the transaction that closes NEW for good.
  absl::StatusOr<Compared> GiveToOld(int64_t epoch, const Flip& flip) const;

 private:
  absl::StatusOr<std::optional<Ownership>> Read(std::string_view lock) const;
  absl::StatusOr<Compared> Give(Side from, Side to, int64_t epoch, const Flip& flip) const;

  const pg::Sql sql_;
  const std::string migration_;
};

// OLD's row.
struct OldSide {
  enum class State { kOpen, kClosed } state = State::kOpen;
  int64_t epoch = 0;        // of the driver that moved it last
  int64_t owner_epoch = 0;  // of the one that opened or closed it last
  absl::Time changed;       // OLD's clock at that
  // NEW's as that driver saw it: on another one its decision may be lost.
  ServerHistory new_server;
  std::optional<Ownership> decision;  // the copy of NEW's row
};
std::string_view ToString(OldSide::State state);  // "open", "closed"
absl::StatusOr<OldSide::State> ParseOldSideState(std::string_view text);

class OldSideRow {
 public:
  OldSideRow(pg::Sql sql, std::string migration)
      : sql_(std::move(sql)), migration_(std::move(migration)) {}

  // Nullopt: no driver ever acted, so it is open; or an older program set this database up.
  absl::StatusOr<std::optional<OldSide>> Load() const;
  // Moves the row to `epoch` of `new_server`, once no transaction holds it (Hold); bounded by the
  // session's lock_timeout. NEW's timeline and epoch together must be above the row's: a NEW that
  // failed over may give the same epochs out once more. (Or the same, if it is open: then it was
  // moved by a call whose answer was lost.) Makes it where there is none. `was`: closed, then the
  // fence is to be opened in this transaction.
  struct Opened {
    Compared compared = Compared::kRefused;
    OldSide::State was = OldSide::State::kOpen;
  };
  absl::StatusOr<Opened> Open(int64_t epoch, const ServerHistory& new_server) const;
  // First statement of the provisional fence: until its transaction ends no other driver moves the
  // row. Refused: there is none, or this side is closed already.
  absl::StatusOr<Compared> Hold() const;
  // Within the transaction that makes the fence permanent. Refused, too, where NEW is not the one
  // that Open() was told of.
  absl::StatusOr<Compared> Close(int64_t epoch, const ServerHistory& new_server) const;
  // After NEW's row was moved. One that is older than what is known here changes nothing.
  absl::StatusOr<Compared> NoteDecision(const Ownership& decision) const;

 private:
  const pg::Sql sql_;
  const std::string migration_;
};

}  // namespace switchyard::records
