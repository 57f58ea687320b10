// Who writes to this database, and whether it still may: switchyard.mark, a row for each writer.
//
// Every transaction of ours that writes a mapped table, a mirror or the id map passes the gate: its
// first statement, outside any savepoint, sets its writer's row to the transaction's own id. So
// - whoever moves the owner's epoch waits for the writers under way, and later ones find no row;
// - a capture of this database knows the transaction for ours: its first change is that row, with
//   its own id (proto/event.proto, Begin.marked_by). A row made by hand or restored has another.
//
//   Gate gate(session, "shop.forward");
//   RETURN_IF_ERROR(gate.Claim({kApplies, kRetries}));
//   ASSIGN_OR_RETURN(auto moved, gate.Begin(kApplies, stream.MoveStatement(from, step)));
//
// Thread-compatible. The session must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/pg/rows.h"
#include "common/pg/session.h"

namespace switchyard::records {

// The writers of a stream: what its transactions do.
inline constexpr char kApplies[] = "apply";
inline constexpr char kCopies[] = "copy";  // but for the lanes
std::string LaneWriter(int lane);
inline constexpr char kRecopies[] = "recopy";
inline constexpr char kRetries[] = "retry";
inline constexpr char kResumes[] = "resume";

inline constexpr char kMarkSchema[] = "switchyard";
inline constexpr char kMarkTable[] = "mark";

// "shop" of stream "shop.forward".
std::string_view MigrationOf(std::string_view stream);

class Gate {
 public:
  // `owner_epoch`: as another gate has claimed it, whose session writes with this one.
  Gate(pg::Session& session, std::string stream, std::optional<int64_t> owner_epoch = {})
      : session_(session), stream_(std::move(stream)), owner_epoch_(owner_epoch) {}

  // Makes the rows of these writers where there are none; the first call reads the owner's epoch,
  // under which all of them write from then on. Not inside a transaction. Aborted: it moved since.
  absl::Status Claim(const std::vector<std::string>& writers);
  std::optional<int64_t> owner_epoch() const { return owner_epoch_; }

  // First statement of a transaction. Aborted: the owner's epoch was moved, or the target lost its
  // last commits; roll back and go on with a new Gate, from where the target stands by then.
  absl::Status Pass(const std::string& writer);
  // Begins a transaction, passes and runs `next`, which compares where the writer stands, all in
  // one round trip. The answer of `next`; rolled back after an error.
  absl::StatusOr<pg::Result> Begin(const std::string& writer, pg::Statement next);

 private:
  pg::Statement PassStatement(const std::string& writer) const;
  absl::Status CheckPassed(const std::string& writer, const pg::Result& passed) const;
  absl::Status WhyClosed(const std::string& writer, std::optional<int64_t> epoch) const;

  pg::Session& session_;
  const std::string stream_;
  std::optional<int64_t> owner_epoch_;
};

// Within the caller's transaction, before it locks anything that a writer may wait for: once it
// returns, no writer of the migration is under way, and none passes that claimed an older epoch.
absl::Status MoveOwnerEpoch(const pg::Sql& sql, const std::string& migration, int64_t epoch);
// SQL: the owner's epoch of `migration`, an expression, as a scalar; 0 where there is no writer.
std::string OwnerEpochSql(std::string_view migration);

}  // namespace switchyard::records
