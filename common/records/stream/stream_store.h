// What the target keeps of a stream, its position and what it is at: switchyard.stream.
//
//   none, any --Install--> new where it was none; else as it was, with another mapping
//   new, copying, stopped --BeginCopy--> copying --PlaceAfterCopy--> copying, with a position
//   copying, catching_up, stopped --EndCopy--> streaming     with the copy's last point
//   copying, catching_up, streaming, stopped --CatchUp--> catching_up
//   catching_up, streaming, stopped --BeginStreaming--> streaming
//   stopped, streaming --Resume--> copying, or catching_up once there was a copy
//   none, any --Stop, NoteRefusedStart--> stopped            any --BeginAnew--> new
//
// A copy has no position before it is loaded, and no last point before all is derived from it. What
// is the wrong way round is Aborted: somebody else changed the row. Read it again.
//
// Thread-compatible. The session must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/rows.h"
#include "common/records/stream/phase.h"
#include "common/records/stream/position.h"

namespace switchyard::records {

// Where a target tells, by the stream's name, that somebody asked something of its roles, or that a
// hold was set, moved or released (deploy/sql/target.sql).
inline constexpr char kNotifyChannel[] = "switchyard_request";

// A row of switchyard.stream, without what it says of the mapping.
struct StreamState {
  Phase phase = Phase::kNew;
  std::string stop_reason;
  Position position;  // 0/0: some table is still to be loaded
  int64_t copy_offset = 0;
  Lsn copy_lsn;  // the copy's last point; 0/0: nothing is derived
  std::optional<Lsn> hold_lsn;
  std::optional<absl::Time> commit_time;  // the source's clock at covered_lsn
  bool source_owns = true;                // of all that follows the position
  int64_t transactions = 0;               // since the copy
  int64_t rows = 0;
};

// Empty texts where none is installed.
struct InstalledMapping {
  std::string fingerprint;
  std::string catalog;  // the source's, JSON
};

// Whether there are streams, in a database that may never have been set up; and whether this role
// may read them: asking the table itself would end in a bare "permission denied".
absl::StatusOr<bool> HasStreams(const pg::Sql& sql);
absl::StatusOr<bool> MayReadStreams(const pg::Sql& sql);

// SELECT of name, epoch, lsn and log_offset of all streams, for statements of the other tables.
std::string StreamPositionsSql();

class StreamStore {
 public:
  StreamStore(pg::Sql sql, std::string stream) : sql_(std::move(sql)), stream_(std::move(stream)) {}

  // --- what there is

  absl::StatusOr<std::optional<StreamState>> Find();
  // The same; FailedPrecondition when it is not installed.
  absl::StatusOr<StreamState> Load();
  // Long work that a running replayer is at; else empty.
  absl::StatusOr<std::string> Doing();
  // Other streams that are installed in this database.
  absl::StatusOr<std::vector<std::string>> Others();

  // --- the mapping

  absl::StatusOr<InstalledMapping> Mapping();
  absl::StatusOr<bool> IsInstalled();
  // Of Mapping(), alone; empty when nothing is installed.
  absl::StatusOr<std::string> Fingerprint();
  // What there is of Mapping().catalog, with a digest, unless the digest is this one. Empty when
  // nothing is installed.
  struct Catalog {
    std::string digest;
    std::optional<std::string> json;
  };
  absl::StatusOr<Catalog> CatalogUnless(const std::string& digest);
  // The fingerprint; the row is locked until the transaction ends.
  absl::StatusOr<std::string> LockFingerprint();
  // Fingerprints of its parts, as mapping::PartsToText writes them.
  absl::StatusOr<std::string> Parts();
  absl::Status Install(const InstalledMapping& mapping, const std::string& parts);
  absl::Status SetCatalog(const std::string& catalog);
  // The steps that were run after a copy: a line each.
  absl::StatusOr<std::string> StepsRun();
  absl::Status SetStepsRun(const std::string& steps);

  // --- from one phase to another

  absl::Status BeginCopy();
  // All is loaded; the first of the points it was copied at. `clock`: the source's, at that point.
  absl::Status PlaceAfterCopy(Lsn first, std::optional<absl::Time> clock);
  // All is derived, at the last point.
  absl::Status EndCopy(Lsn last);
  // What the target shows is not, or no longer, of one point.
  absl::Status CatchUp();
  absl::Status BeginStreaming();
  absl::Status Stop(const std::string& reason);
  // Of a stream that is perhaps not installed yet.
  absl::Status NoteRefusedStart(const std::string& reason);
  // The mapping was replaced: what stopped it is mended.
  absl::Status Resume();
  // As before the first copy, at these offsets; the epoch only grows.
  absl::Status BeginAnew(const Position& at, int64_t copy_offset);

  // Long work that begins, for those who look on; empty: it has ended. Not inside a transaction.
  absl::Status SetDoing(const std::string& work);

  // --- the position

  // Within the caller's transaction, from the position the stream is believed to have. Aborted: it
  // stands elsewhere, or is held before that; a step without a commit is never held.
  absl::Status Move(const Position& from, const Advance& step);
  // Locks the position until the transaction ends. Aborted: it stands elsewhere.
  absl::Status LockAt(const Position& position);
  // Move and LockAt in two: what is sent (mark.h), and what comes of its answer.
  pg::Statement MoveStatement(const Position& from, const Advance& step) const;
  pg::Statement LockStatement(const Position& position) const;
  absl::Status CheckAt(const Position& position, int64_t rows_hit);
  // Whether it was the hold that kept the last Move back, which may have been released since.
  bool refused_by_hold() const { return refused_by_hold_; }
  // Another attempt begins, which something else may keep back.
  void ForgetRefusal() { refused_by_hold_ = false; }
  // Where the stream is to be held, if at all. Tells whoever asked for it (held_at) once it stands
  // there: the log was read up to there, or `next`, the first commit that is not applied (0: not
  // known), is at or past it.
  absl::StatusOr<std::optional<Lsn>> AnswerHold(Lsn next);
  // LockAt of the place in the copy topic.
  absl::Status LockCopyAt(int64_t offset);
  absl::Status MoveCopy(int64_t offset);

  // --- holding it, from outside

  // Before the commits at `at` and later, for `lease`: whoever holds it may die.
  // FailedPrecondition: somebody else holds it.
  absl::Status Hold(Lsn at, absl::Duration lease);
  // The hold at `from` to another place. Aborted: it has ended.
  absl::Status MoveHold(Lsn from, Lsn to, absl::Duration lease);
  absl::Status ReleaseHold(Lsn at);
  // Every commit below `at` is applied, none at or above it is, and none below it is to come: in
  // the snapshot of the transaction that asks.
  absl::StatusOr<bool> StandsAt(Lsn at);

 private:
  absl::Status WhyNotAt(const Position& position);
  absl::Status Change(const std::string& set, const std::string& where,
                      const std::vector<pg::Param>& values);

  const pg::Sql sql_;
  const std::string stream_;
  bool refused_by_hold_ = false;
};

}  // namespace switchyard::records
