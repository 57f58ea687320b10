// What capture keeps in the source database about a stream (deploy/sql/source.sql), and what the
// source says of its slot.
//
// Thread safety: functions over a session, which is thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "capture/source/drift.h"
#include "capture/source/source_setup.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/session.h"
#include "common/records/stream/stream.h"
#include "proto/event.pb.h"

namespace switchyard::capture {

// The row of switchyard.capture_stream.
struct StreamRecord {
  enum class State { kCreating, kCopying, kStreaming } state = State::kCreating;
  uint64_t epoch = 0;
  uint64_t system_identifier = 0;
  uint32_t timeline = 0;
  Lsn slot_lsn;           // 0 while creating
  std::string log_topic;  // TopicInfo::id of the change topic; empty if unknown
};

// Nullopt when the stream was never begun.
absl::StatusOr<std::optional<StreamRecord>> LoadStream(pg::Session& session,
                                                       const std::string& stream);

// From here on a slot of that name is the stream's own, whether its creation succeeds or not.
absl::Status RecordCreating(pg::Session& session, const records::Stream& stream,
                            uint64_t system_identifier, uint32_t timeline);

// The slot exists; to be called in the transaction that also records the tables to copy.
absl::Status RecordCreated(pg::Session& session, const std::string& stream, Lsn slot_lsn,
                           const std::string& log_topic);

// Copying becomes streaming once nothing is left to copy.
absl::Status RecordStreaming(pg::Session& session, const std::string& stream);

// Why the stream stands still; empty: it does not.
absl::Status RecordRefusal(pg::Session& session, const std::string& stream,
                           const std::string& refusal);

// A new epoch for the capture whose walsender is `walsender_pid`. Aborted when that one does not
// hold the slot any more, or another one has brought the stream onto another timeline than
// `timeline`. Among all who ever held the slot, the later one has the higher epoch: the row is
// locked before the slot's holder is looked at, so a capture that took over in between takes its
// epoch after this one. The epoch is above `above`, too.
absl::StatusOr<uint64_t> TakeEpoch(pg::Session& session, const records::Stream& stream,
                                   int walsender_pid, uint32_t timeline, uint64_t above = 0);

// A standby that was promoted may lack the last records made here: the epochs that captures took,
// the copies they began. So what is counted begins at the next thousand on each further timeline,
// and nothing that is on the log is ever made under a number that it has there already.
inline constexpr uint64_t kCountsPerTimeline = 1000;

// From here on the stream is on that timeline. Aborted when `epoch` is not the newest any more.
absl::Status RecordTimeline(pg::Session& session, const std::string& stream, uint64_t epoch,
                            uint32_t timeline);

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

// One table to copy, or being copied: a row of switchyard.capture_copy.
struct CopyRecord {
  uint32_t relation_id = 0;
  std::string schema, name;
  uint64_t generation = 0;  // of the last copy begun; 0 before the first
  bool recopy = false;
  uint32_t root_id = 0;  // topmost partitioned table; 0: no partition
  // All there is of its table is unfinished: not a partition that joined others.
  bool whole = true;
  int64_t rows_estimate = -1;
  int64_t bytes_estimate = 0;
};

// Asks for a copy of each table (plain tables and leaves). One that is under way is begun again.
absl::Status RequestCopies(pg::Session& session, const std::string& stream,
                           const std::vector<const catalog::Table*>& tables, bool recopy);
// Drops the records of tables that are not among `shapes` any more.
absl::Status ForgetOtherCopies(pg::Session& session, const std::string& stream,
                               const TableShapes& shapes);
// Drops the records of these tables.
absl::Status ForgetCopies(pg::Session& session, const std::string& stream,
                          const std::vector<uint32_t>& relation_ids);
// Those not done, those that failed before the others, then the largest first. All leaves of a
// table begin again with one of them: a reader can't tell the rows of one from another's, and all
// are to be as of one point.
absl::StatusOr<std::vector<CopyRecord>> LoadUnfinishedCopies(pg::Session& session,
                                                             const std::string& stream);
// Begins the next generation of each at `lsn`; sets `generation` in the records.
absl::Status BeginCopies(pg::Session& session, const std::string& stream, Lsn lsn,
                         std::vector<CopyRecord>* copies);
// The newest copy of each table that has one, and whose rows are all on the log.
absl::StatusOr<std::vector<event::v1::FinishedCopy>> LoadFinishedCopies(pg::Session& session,
                                                                        const std::string& stream);
struct CopyProgress {
  uint32_t relation_id = 0;
  uint64_t generation = 0;
  int64_t rows = 0;
  int64_t bytes = 0;
  bool done = false;
  std::string waits;  // for a lock: begins with kWaitsForLock; empty: it does not
};
inline constexpr char kWaitsForLock[] = "it waits for a lock: ";

// Progress of a generation that was replaced in the meantime is dropped.
absl::Status RecordProgress(pg::Session& session, const std::string& stream,
                            const std::vector<CopyProgress>& progress);

// Why the last attempt at a copy failed; until one succeeds.
absl::Status RecordCopyError(pg::Session& session, const std::string& stream, uint32_t relation_id,
                             const std::string& error);

}  // namespace switchyard::capture
