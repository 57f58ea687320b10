// Who captures a stream, and what the source says of its slot. What capture keeps there of the
// stream has its owners in common/records/source.
//
// Thread safety: functions over a session, which is thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/session.h"
#include "common/records/stream/stream.h"

namespace switchyard::capture {

// Of sessions that write what capture keeps in OLD: no standby is waited for, else capture would
// stand still with the application while a synchronous one is away. What a promoted standby may
// lack then it may lack anyway (kCountsPerTimeline).
inline constexpr std::pair<const char*, const char*> kCommitLocally = {"synchronous_commit",
                                                                       "local"};

// A new epoch for the capture whose walsender is `walsender_pid`. Aborted when that one does not
// hold the slot any more, or another one has brought the stream onto another timeline than
// `timeline`. Among all who ever held the slot, the later one has the higher epoch: the row is
// locked before the slot's holder is looked at, so a capture that took over in between takes its
// epoch after this one. The epoch is above `above`, too.
absl::StatusOr<uint64_t> TakeEpoch(pg::Session& session, const records::Stream& stream,
                                   int walsender_pid, uint32_t timeline, uint64_t above = 0);

// True when this session now is the one that may create or resume the stream; until it ends.
// An advisory lock of two keys: kStreamLockSpace and the stream's name.
inline constexpr char kStreamLockSpace[] = "switchyard.capture";
absl::StatusOr<bool> TryLockStream(pg::Session& session, const std::string& stream);

// A row of pg_replication_slots.
struct SlotState {
  bool logical_pgoutput = false;  // else somebody else's slot
  bool two_phase = false;
  bool failover = false;  // standbys may keep it
  bool active = false;    // somebody reads it
  std::string database;
  Lsn confirmed_flush;
  std::string invalidation;  // why it is of no use any more; empty: it is
};
absl::StatusOr<std::optional<SlotState>> LoadSlot(pg::Session& session, const std::string& slot);

// The session that reads a slot.
struct SlotHolder {
  int pid = 0;
  std::string role, application_name;
  bool is_capture = false;  // of this session's role, under the name that captures give
};
// Nullopt when nobody does.
absl::StatusOr<std::optional<SlotHolder>> LoadSlotHolder(pg::Session& session,
                                                         const std::string& slot,
                                                         const std::string& capture_name);

}  // namespace switchyard::capture
