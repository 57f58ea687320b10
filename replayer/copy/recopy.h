// The re-copy of one table while its stream goes on.
//
// The copy topic brings the table as of L1. It is loaded beside the live tables, rolled forward
// from the change topic to where the stream stands, and swapped in as one difference, in one
// transaction at one position. Nothing is kept across a restart but the request and the copy
// topic's offset: it simply begins again.
//
// Other tables wait for a few MiB of the copy at a time while it is loaded. They wait for the whole
// of the last step: the roll-forward reads every change since the request, and the swap follows.
//
//   Recopy recopy(target, plan, log, options);
//   RETURN_IF_ERROR(recopy.Step(also));  // between batches
//
// Thread-compatible.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/eventlog/event_log.h"
#include "common/mapping/plan.h"
#include "common/records/requests.h"
#include "proto/event.pb.h"
#include "replayer/copy/recopy_job.h"
#include "replayer/copy/recopy_swap.h"
#include "replayer/target/pg_target.h"

namespace switchyard::replayer {

class Recopy {
 public:
  Recopy(PgTarget& target, const mapping::Plan& plan, eventlog::EventLog& log,
         RecopyOptions options);
  ~Recopy();

  // Reads what is on the copy topic, and swaps a table in when all of it is there. A topic that was
  // deleted or trimmed fails the requests that wait. A copy that can't be swapped in, for whatever
  // reason, fails its request, and the table is left as it was: FailedPrecondition only if that is
  // in doubt (doubt.h). `also`: tables of NEW whose mapping changed
  // with what is copied again; with them, or where foreign keys hold, all that is copied again goes
  // in together, and they are derived in the same transaction.
  absl::Status Step(const std::vector<std::string>& also);

  // The change topic must be kept from here on; nullopt when no re-copy is open.
  absl::StatusOr<std::optional<int64_t>> KeepFrom();

  // A table is no longer in doubt (doubt.h), or has lost a partition: the log is to be read again
  // from the position. True once for each.
  bool TakeReleased() { return std::exchange(released_, false); }
  // `also` was derived with a swap. True once for each.
  bool TakeDerived() { return std::exchange(derived_, false); }
  // A table was swapped in: rows that wait for rows of it may go in. True once for each.
  bool TakeSwapped() { return std::exchange(swapped_, false); }

 private:
  records::Requests requests();
  absl::Status ReadSome();
  absl::Status OpenReader();
  // After a DataLoss of the copy topic: OK when no copy that anybody waits for was on it.
  absl::Status BeginTopicAnew(const absl::Status& lost);
  absl::Status Add(const event::v1::Event& event);
  absl::Status OnHello(const event::v1::Hello& hello);
  absl::Status OnPoint(const event::v1::CopyPoint& point);
  absl::Status OnChunk(const event::v1::CopyChunk& chunk);
  absl::Status LoadChunk(const event::v1::CopyChunk& chunk, RecopyJob& job, RecopyLeaf& leaf);
  bool LearnsFrom(const absl::Status& status) const;
  absl::Status OnEnd(const event::v1::CopyEnd& end);
  static bool BeginsAgain(const RecopyJob& job, const event::v1::CopyPoint& point);
  static Lsn CopiedAt(const RecopyJob& job);
  RecopyJob* JobOf(uint32_t relation_id);  // null: nobody asked for it
  // Whether all of it is there; drops one that nobody waits for any more.
  absl::StatusOr<bool> Ready(RecopyJob& job);
  absl::StatusOr<bool> AllReady(const std::vector<RecopyJob*>& ready);
  absl::Status SwapReady(const std::vector<std::string>& also);
  absl::StatusOr<bool> SwapTogether(const std::vector<RecopyJob*>& jobs,
                                    const std::vector<std::string>& also);
  absl::Status Swap(const std::vector<RecopyJob*>& jobs, const std::vector<std::string>& also);
  absl::Status TrySwap(const std::vector<RecopyJob*>& jobs, const std::vector<std::string>& also);
  std::string NamesOf(const std::vector<RecopyJob*>& jobs) const;
  // nullopt: nobody did.
  absl::StatusOr<std::optional<records::RecopyFrom>> AskedWith(const RecopyJob& job);
  absl::Status NoteGone(const RecopyJob& job);
  absl::Status Finish(const RecopyJob& job, const absl::Status& swapped);
  absl::Status Answer(const RecopyJob& job, records::RequestState outcome,
                      const std::string& result);
  absl::Status Drop(const RecopyJob& job);
  absl::Status DropTables(const RecopyJob& job);
  absl::Status DropLoadTables(const RecopyJob& job);

  PgTarget& target_;
  const mapping::Plan& plan_;
  eventlog::EventLog& log_;
  const RecopyOptions options_;
  RecopySwap swap_;
  std::unique_ptr<eventlog::LogReader> reader_;
  int64_t next_offset_ = 0;
  bool at_end_ = false;  // of the copy topic, at the last read
  uint64_t epoch_ = 0;   // the newest of what was read there
  std::map<mapping::SourceIndex, RecopyJob> jobs_;
  bool released_ = false;
  bool swapped_ = false;
  bool derived_ = false;
};

}  // namespace switchyard::replayer
