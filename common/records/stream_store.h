// What the target keeps of a stream, its position and state: switchyard.stream.
//
// Thread-compatible. The session must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/session.h"
#include "common/records/position.h"

namespace switchyard::records {

// A row of switchyard.stream.
struct StreamState {
  std::string state;
  std::string stop_reason;
  Position position;
  int64_t copy_offset = 0;
  Lsn copy_lsn;
  std::optional<Lsn> hold_lsn;
  std::string fingerprint;
  std::string catalog;  // JSON
};

class StreamStore {
 public:
  StreamStore(pg::Session& session, std::string stream)
      : session_(session), stream_(std::move(stream)) {}

  absl::StatusOr<StreamState> Load();
  absl::Status SetState(const std::string& state, const std::string& stop_reason = "");
  // Long work that begins, for those who look on; empty: it has ended. Not inside a transaction.
  absl::Status SetDoing(const std::string& work);
  // Of a stream that is perhaps not installed yet.
  absl::Status NoteRefusedStart(const std::string& reason);

  // Within the caller's transaction, from the position the stream is believed to have. Aborted: it
  // stands elsewhere, or is held before that; a step without a commit is never held.
  absl::Status Move(const Position& from, const Advance& step);
  // Whether it was the hold that kept the last Move back, which may have been released since.
  bool refused_by_hold() const { return refused_by_hold_; }
  // Another attempt begins, which something else may keep back.
  void ForgetRefusal() { refused_by_hold_ = false; }
  // Where the stream is to be held, if at all. Tells whoever asked for it (held_at) once it stands
  // there: the log was read up to there, or `next`, the first commit that is not applied (0: not
  // known), is at or past it.
  absl::StatusOr<std::optional<Lsn>> AnswerHold(Lsn next);
  // Locks the position until the transaction ends. Aborted: it stands elsewhere.
  absl::Status LockAt(const Position& position);

 private:
  absl::Status WhyNotAt(const Position& position);

  pg::Session& session_;
  const std::string stream_;
  bool refused_by_hold_ = false;
};

}  // namespace switchyard::records
