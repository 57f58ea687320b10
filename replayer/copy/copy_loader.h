// The initial copy: from the copy topic into mirrors and row-local targets. Rows that a target
// refuses are put in quarantine.
//
// Chunks are dealt out to lanes, which load side by side (copy_lane.h). All else is done here, in
// the order of the topic and with the lanes drained: the stream's copy_offset is this part's place
// in the topic, and each lane has its own.
//
//   CopyLoader loader(target, plan, options);
//   while (!loader.complete()) { ... RETURN_IF_ERROR(loader.Add(event, next_offset)); }
//   RETURN_IF_ERROR(loader.Finish());
//
// Thread-compatible.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/records/copies.h"
#include "common/records/copy_lanes.h"
#include "proto/event.pb.h"
#include "replayer/copy/copy_lane.h"
#include "replayer/target/pg_target.h"

namespace switchyard::replayer {

struct CopyLoaderOptions {
  std::string stream;
  int workers = 2;  // lanes, when the copy begins; one under way keeps those it has
  int64_t transaction_bytes_max = int64_t{32} << 20;  // of one lane
};

class CopyLoader {
 public:
  CopyLoader(PgTarget& target, const mapping::Plan& plan, CopyLoaderOptions options);

  // Reads what was loaded before and connects the lanes; after PgTarget::Open.
  absl::Status Start();
  // Record of the copy topic to read from: some that follow may be loaded already.
  int64_t first_offset() const;
  // Nobody needs the records below any more.
  int64_t committed_offset() const { return committed_offset_; }
  // Every table of the plan is loaded.
  bool complete() const;
  // Tables whose copy is of a shape that the mapping can't read, and why.
  std::vector<changes::Batch::Unreadable> unreadable() const;

  // Loads one event, the one at `offset`; takes its data. DataLoss: rows are missing on the log.
  absl::Status Add(event::v1::Event& event, int64_t offset);
  // Commits what is read so far, but for the chunks: when no more events wait.
  absl::Status Commit();
  // The chunks as well, once the lanes have loaded them.
  absl::Status DrainLanes();

  // The stream's start: at the smallest copy point. What is derived comes after (derive_copy.h).
  absl::Status Finish();

 private:
  struct TableProgress {
    uint64_t generation = 0;
    Lsn lsn;
    bool done = false;
    absl::Status fit;  // not OK: why this copy can't be read; a younger one may
  };

  const mapping::SourcePlan* SourceOf(uint32_t relation_id) const;  // null: not mapped
  bool IsLoaded(const mapping::SourcePlan& source) const;
  records::Copies copies() { return {target_.session(), options_.stream}; }
  records::CopyLanes lane_places() { return {target_.session(), options_.stream}; }
  absl::Status StartLanes(int64_t copy_offset);
  absl::Status Control(const event::v1::Event& event, int64_t offset);
  absl::Status OnHello(const event::v1::Hello& hello) const;
  absl::Status OnPoint(const event::v1::CopyPoint& point);
  absl::Status OnChunk(event::v1::CopyChunk& chunk, int64_t offset);
  absl::Status OnEnd(const event::v1::CopyEnd& end);
  absl::Status BeginIfNeeded();
  absl::Status CheckLanes();
  absl::Status Discard(uint32_t relation_id);
  std::vector<uint32_t> LeavesBeside(uint32_t relation_id) const;
  absl::Status DropLeavesLeftOut(const event::v1::CopyPoint& point);

  PgTarget& target_;
  const mapping::Plan& plan_;
  const CopyLoaderOptions options_;
  int64_t next_offset_ = 0;       // behind the last event that was no chunk
  int64_t committed_offset_ = 0;  // copy_offset as the target has it
  std::map<uint32_t, event::v1::Relation> relations_;
  std::map<uint32_t, TableProgress> progress_;
  bool in_transaction_ = false;
  std::vector<std::unique_ptr<CopyLane>> lanes_;
};

}  // namespace switchyard::replayer
