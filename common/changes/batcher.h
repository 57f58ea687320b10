// Log events to batches: checks epochs and the chain of commits, keeps a transaction apart until
// its Commit, and collapses the changes of whole transactions per key. Pure: no I/O, no clock.
//
//   Batcher batcher(plan, position, options);
//   for (record : records) RETURN_IF_ERROR(batcher.Add(record.payload, record.offset + 1));
//   if (batcher.has_complete()) Push(batcher.Take());
//
// Collapsing follows each row from before the batch to after it: an insert and its later updates
// are one insert, a row deleted again is nothing, a changed key is a move of the row that had it.
// Rows are known by the text of their key, whatever its type: the log says of each change which
// text the row had, and a change of that text alone (1.0 to 1.00, 'A' to 'a') is one of the key. So
// a batch may remove a row and insert another under an equal key of another text; nothing else in
// it is equal without being the same. Who writes it removes, then moves, then inserts.
// Values an update left out (unchanged TOAST) are carried forward from an earlier change, else
// stay absent.
//
// A batch has changes of one author (batch.h). Of what is ours only tables with a mirror bring
// anything; a transaction that brings nothing is progress, and cuts no batch.
//
// Thread-compatible.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/changes/batch.h"
#include "common/changes/relation_map.h"
#include "common/changes/row_event.h"
#include "common/changes/table_collapse.h"
#include "common/mapping/plan.h"
#include "common/records/stream/position.h"
#include "proto/event.pb.h"

namespace switchyard::changes {

using records::Position;

struct BatcherOptions {
  int64_t batch_rows_max = 50'000;
  int64_t batch_bytes_max = int64_t{16} << 20;
  // Row events of a table below its copy point are in the copy already.
  std::map<uint32_t, Lsn> copy_points;
  // The same by source, for tables without a point of their own: partitions that went before it.
  std::map<mapping::SourceIndex, Lsn> copied_before;
  // Sources that are being copied again. The TRUNCATE of one of their partitions, whose
  // rows the log can't tell, puts them in doubt; without a copy under way it ends the stream.
  std::set<mapping::SourceIndex> copied_again;
  // Sources in doubt: their changes are left out, whatever shape they have, for the copy will
  // bring them.
  std::set<mapping::SourceIndex> in_doubt;
  // A batch with a transaction below this has none at or past it.
  std::optional<Lsn> hold_lsn;
  // Transactions up to here are batches by themselves.
  Lsn alone_until;
  // The source's application owns its rows, as of the position: what it writes is no breach.
  bool source_owns = true;
  // Of what is ours, changes of tables without a mirror are kept as well.
  bool keeps_all = false;
};

class Batcher {
 public:
  Batcher(const mapping::Plan& plan, const Position& position, BatcherOptions options);
  ~Batcher();

  // DataLoss: a gap or a broken record. FailedPrecondition: a table no longer fits the mapping;
  // what is complete before it is still to be taken, and says so. `next_offset` is one past the
  // record.
  absl::Status Add(std::string_view payload, int64_t next_offset);
  absl::Status Add(const event::v1::Event& event, int64_t next_offset);
  // A Relation stored with the position, before the first Add.
  void Restore(const event::v1::Relation& relation);

  // Whole transactions (or only progress) wait to be taken.
  bool has_complete() const { return complete_ > 0 || progressed_ || abort_pending_; }
  // All that waits is progress, for which nobody is in a hurry.
  bool only_progress() const;
  // The bound is reached: take before adding more. Also true in the middle of a transaction that
  // alone is over it; Take then gives a chunk (after the whole ones before it).
  bool full() const;
  // Why Add failed: rows of a table can't be read, or told from others, any more.
  bool unreadable() const { return unreadable_.has_value(); }
  Batch Take();

 private:
  struct RawChange;

  absl::Status OnHello(const event::v1::Event& event);
  void OnRelation(const event::v1::Relation& relation);
  absl::Status OnBegin(const event::v1::Begin& begin);
  absl::Status AddRow(const RowView& row, int64_t next_offset);
  absl::Status OnBody(const event::v1::Event& event, int64_t next_offset);
  // True: of an older epoch, to be dropped.
  absl::StatusOr<bool> CheckHead(uint32_t format, uint64_t epoch, int64_t next_offset) const;
  absl::Status OnRow(const RowView& row);
  absl::Status OnTruncate(const event::v1::Truncate& truncate);
  absl::Status OnPartitionEmptied(mapping::SourceIndex source);
  absl::Status OnUnreadable(mapping::SourceIndex source, const absl::Status& why);
  bool InCopy(uint32_t relation_id, mapping::SourceIndex source) const;
  bool IsOfUse(mapping::SourceIndex source) const;
  void Keep(const RawChange& change);
  absl::Status OnCommit(const event::v1::Commit& commit);
  void Merge(const RawChange& change);
  void MergeOpen();
  enum class Piece { kWhole, kChunk };
  Batch Cut(Piece piece);

  const mapping::Plan& plan_;
  BatcherOptions options_;
  Position position_;    // after everything complete
  Lsn previous_commit_;  // in this epoch, 0 right after a Hello

  // Reused from one event to the next.
  event::v1::Event event_;
  RowView row_;

  RelationMap relations_;
  std::vector<std::pair<uint32_t, std::string>> new_relations_;
  size_t relations_before_open_ = 0;  // those of new_relations_ that the open transaction met

  std::optional<Batch::Unreadable> unreadable_;
  std::set<mapping::SourceIndex> new_doubts_;  // not yet told with a batch

  // The transaction being read.
  bool open_ = false;
  bool skipping_ = false;  // already applied
  Lsn open_lsn_;
  Author open_author_ = Author::kApplication;
  uint64_t open_rows_ = 0;
  std::vector<RawChange> open_changes_;
  bool chunked_ = false;    // some of it was taken as chunks
  bool continues_ = false;  // the next batch holds the end of such a transaction

  // Collapsed changes of complete transactions (or of the chunk being cut).
  std::vector<std::unique_ptr<TableCollapse>> tables_;  // by source; null: unchanged
  std::shared_ptr<Arena> arena_;
  std::vector<std::shared_ptr<Arena>> old_arenas_;
  int64_t bytes_ = 0;
  int64_t rows_ = 0;
  int64_t complete_ = 0;
  bool progressed_ = false;  // a heartbeat or hello moved the position
  bool abort_pending_ = false;
  bool hold_cut_ = false;         // the next transaction is at or past the hold
  bool author_cut_ = false;       // what is open has changes of another author
  bool hurries_ = false;          // somebody waits to see that it was read up to here
  std::optional<Author> author_;  // of the changes in `tables_`, once there are any
  Lsn first_lsn_;
  int64_t commit_time_us_ = 0;
};

}  // namespace switchyard::changes
