// How far capture of a stream is: its row of switchyard.capture_stream, in the source.
//
//   none, any --Begin--> creating --Created--> copying --FinishCopy--> streaming
//        any --BeginAnew--> creating
//
// The epoch only grows; `refusal` (why the stream stands still) is beside the state, and ends with
// the next epoch. Thread safety: as the session, which must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "common/base/finding.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/rows.h"
#include "common/records/stream/stream.h"

namespace switchyard::records {

struct CaptureStream {
  enum class State { kCreating, kCopying, kStreaming } state = State::kCreating;
  uint64_t epoch = 0;
  uint64_t system_identifier = 0;
  uint32_t timeline = 0;
  Lsn slot_lsn;           // 0 while creating
  std::string log_topic;  // TopicInfo::id of the change topic; empty if unknown
  Finding refusal;        // why it stands still; empty: it does not
};
std::string_view ToString(CaptureStream::State state);

// A standby that was promoted may lack the last records made here: the epochs that captures took,
// the copies they began. So what is counted begins at the next thousand on each further timeline,
// and nothing that is on the log is ever made under a number that it has there already.
inline constexpr uint64_t kCountsPerTimeline = 1000;

class CaptureStreams {
 public:
  static constexpr char kTable[] = "capture_stream";

  CaptureStreams(pg::Sql sql, std::string stream)
      : sql_(std::move(sql)), stream_(std::move(stream)) {}

  // Whether the database has the table; nothing else may be asked where it has not.
  absl::StatusOr<bool> IsThere() const;
  // The same, and this role may read it.
  absl::StatusOr<bool> MayRead() const;
  // Nullopt when the stream was never begun.
  absl::StatusOr<std::optional<CaptureStream>> Load() const;

  // From here on a slot of that name is the stream's own, whether its creation succeeds or not.
  absl::Status Begin(const Stream& stream, uint64_t system_identifier, uint32_t timeline) const;
  // The slot exists; to be called in the transaction that also records the tables to copy.
  absl::Status Created(Lsn slot_lsn, const std::string& log_topic) const;
  // Copying becomes streaming once nothing is left to copy.
  absl::Status FinishCopy() const;
  // Everything is to be captured from the beginning: no table is suspect, and the next epoch is
  // above `epoch`.
  absl::Status BeginAnew(const Stream& stream, uint64_t epoch) const;

  // Empty: it does not stand still.
  absl::Status NoteRefusal(const Finding& refusal) const;
  // The catalogue was compared with what is recorded of it.
  absl::Status NoteLook() const;
  // That was longer ago than `limit`: how long. Nullopt: it was not, or never was.
  absl::StatusOr<std::optional<absl::Duration>> LastLookBefore(absl::Duration limit) const;

  // The timeline of the row, which nobody else changes until the transaction ends. Nullopt: there
  // is no row.
  absl::StatusOr<std::optional<uint32_t>> LockTimeline() const;
  // The next epoch, above `above`, too. After LockTimeline.
  absl::StatusOr<uint64_t> TakeEpoch(uint64_t above) const;
  // From here on the stream is on that timeline. Aborted when `epoch` is not the newest any more.
  absl::Status MoveTo(uint32_t timeline, uint64_t epoch) const;

 private:
  const pg::Sql sql_;
  const std::string stream_;
};

// SQL: the epoch of the stream whose name is `stream`, an expression.
std::string CaptureEpochSql(std::string_view stream);

}  // namespace switchyard::records
