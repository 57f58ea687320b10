#include "replayer/copy/recopy_swap.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/changes/batcher.h"
#include "common/mapping/install/install.h"
#include "common/mapping/sql/sql_builder.h"
#include "common/pg/error.h"
#include "common/records/missed_rows.h"
#include "common/records/quarantine_entries.h"
#include "common/records/relations.h"
#include "replayer/target/quarantine/quarantine.h"
#include "replayer/write/savepoint.h"
#include "replayer/write/written.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::SourceIndex;
using mapping::SourcePlan;

namespace {

// ON CONFLICT can't name the key: one WITHOUT OVERLAPS.
bool HasNoArbiter(const absl::Status& status) { return pg::StatusSqlState(status) == "42P10"; }

// Applies batches to a side table. The chunks of a large transaction go into one, which ends with
// it, or is taken back with it.
class SideWriter {
 public:
  SideWriter(PgTarget& target, SourceIndex source, mapping::TableWrite write)
      : session_(target.session()),
        writer_(target.writer()),
        source_(source),
        write_(std::move(write)) {}
  ~SideWriter() { TakeBack(); }

  absl::Status Apply(changes::Batch batch) {
    if (batch.aborted) {
      TakeBack();
      return absl::OkStatus();
    }
    if (!open_) {
      RETURN_IF_ERROR(writer_.stage().MakeTablesOf(source_, Stage::Place::kOutside));
      RETURN_IF_ERROR(session_.Begin());
      open_ = true;
    }
    for (changes::TableChanges& table : batch.tables) {
      table.source = source_;
      RETURN_IF_ERROR(writer_.stage().Load(table, Inserts::kStaged));
      RETURN_IF_ERROR(writer_.WriteMirror(table, write_));
      if (batch.chunk) RETURN_IF_ERROR(writer_.stage().ClearStage(source_));
    }
    if (batch.chunk) return absl::OkStatus();
    RETURN_IF_ERROR(writer_.stage().EmptyUsed());
    RETURN_IF_ERROR(session_.Commit());
    open_ = false;
    return absl::OkStatus();
  }

 private:
  void TakeBack() {
    if (std::exchange(open_, false)) session_.Rollback();
  }

  pg::Session& session_;
  TableWriter& writer_;
  const SourceIndex source_;
  const mapping::TableWrite write_;
  bool open_ = false;
};

}  // namespace

absl::Status RecopySwap::SwapTables(const std::vector<RecopyJob*>& jobs) {
  for (const RecopyJob* job : jobs) {
    const SourcePlan& source = plan_.sources[job->source];
    RETURN_IF_ERROR(records::ForgetMissedRows(target_.session(), options_.stream,
                                              source.schema + "." + source.name));
    if (!source.mirrored) continue;
    RETURN_IF_ERROR(SwapTable(*job, source.mirror));
    // One of another shape began without, and is about to be read.
    RETURN_IF_ERROR(mapping::BuildMirrorIndexes(target_.session(), plan_, source));
  }
  if (target_.mirror_only()) return absl::OkStatus();
  for (const MappingIndex m : target_.order()) {
    const mapping::MappingPlan& mapping = plan_.mappings[m];
    const auto job = std::ranges::find(jobs, mapping.source, &RecopyJob::source);
    if (job == jobs.end()) continue;
    RETURN_IF_ERROR(SwapTable(**job, mapping.write));
    // What waited there is in the table now, as the copy has it.
    RETURN_IF_ERROR(records::QuarantineEntries(target_.session(), options_.stream)
                        .ForgetRowsOf(QuarantineTarget(mapping)));
  }
  return absl::OkStatus();
}

absl::Status RecopySwap::SwapTable(const RecopyJob& job, const mapping::TableWrite& write) {
  const std::string side = "pg_temp." + job.side;
  pg::Session& session = target_.session();
  mapping::TableWrite part = write;
  // Two whole tables are compared: by hash, not row by row.
  RETURN_IF_ERROR(
      session.Execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on"));
  // Where foreign keys hold, rows may have to wait until nothing refers to them.
  const MappingIndex late =
      target_.ordered() == nullptr ? MappingIndex() : target_.ordered()->LateMapping(write);
  if (late.valid()) RETURN_IF_ERROR(target_.ordered()->NoteSwap(late, side));
  const auto run = [&](const std::string& sql) {
    part.load = sql;
    return Annotate(session.Execute(mapping::BuildLoad(part, side)), write.display);
  };
  if (!late.valid() && !write.swap_remove.empty()) RETURN_IF_ERROR(run(write.swap_remove));
  const std::string* upsert = &write.swap_upsert;
  const auto swap = [&] { return InSavepoint(session, "sy_swap", [&] { return run(*upsert); }); };
  absl::Status swapped = swap();
  if (HasNoArbiter(swapped)) {
    upsert = &write.swap_upsert_plain;
    swapped = swap();
  }
  const std::string sqlstate = pg::StatusSqlState(swapped);
  const bool taken = sqlstate == "23505" || sqlstate == "23P01";
  if (!taken || late.valid() || write.swap_take_out.empty()) {
    RETURN_IF_ERROR(swapped);
  } else {
    // A unique value that another row still has, until it gets its own.
    const auto take_out = [&]() -> absl::Status {
      for (const std::string& sql : write.swap_take_out) RETURN_IF_ERROR(run(sql));
      return run(*upsert);
    };
    OrderedWriter* const ordered = target_.ordered();
    const MappingIndex mapping = ordered == nullptr ? MappingIndex() : ordered->MappingOf(write);
    RETURN_IF_ERROR(!mapping.valid() ? take_out() : ordered->TakeOutSafely(mapping, take_out));
  }
  RETURN_IF_ERROR(
      CheckSwapped(target_.writer().stage(), write, side, late.valid() ? Gone::kLate : Gone::kNow));
  return session.Execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off");
}

absl::Status RecopySwap::RollForward(RecopyJob& job) {
  const records::Position& position = job.from;
  mapping::Plan only;
  only.sources.push_back(plan_.sources[job.source]);
  changes::BatcherOptions options{.keeps_all = true};
  for (const auto& [id, leaf] : job.leaves) {
    options.copy_points[id] = leaf.lsn;
    Lsn& before = options.copied_before[SourceIndex(0)];
    before = std::max(before, leaf.lsn);
  }
  changes::Batcher batcher(only, position, options);
  ASSIGN_OR_RETURN(const auto relations,
                   records::Relations(target_.session(), options_.stream).All());
  for (const event::v1::Relation& relation : relations) {
    batcher.Restore(relation);
  }
  // Those are as of the position; the first rows to come have the shape that was copied.
  for (const auto& [id, leaf] : job.leaves) batcher.Restore(leaf.shape);

  const SourcePlan& source = plan_.sources[job.source];
  const mapping::TableWrite write = mapping::BuildSourceRows(source, "pg_temp." + job.side,
                                                             "re-copy of " + source.name, job.side);
  RETURN_IF_ERROR(target_.session().Execute(absl::StrCat(
      "DROP TABLE IF EXISTS pg_temp.", write.taken_table, "; ", write.taken_table_ddl)));
  SideWriter side(target_, job.source, write);
  const int64_t end = target_.position().next_offset;
  const absl::Time began = absl::Now();
  LogInfo("replayer", "a re-copy is rolled forward; the stream waits",
          {{"stream", options_.stream},
           {"table", plan_.sources[job.source].name},
           {"records", absl::StrCat(end - position.next_offset)}});
  ASSIGN_OR_RETURN(const auto reader, log_.OpenReader(options_.change_topic, position.next_offset));
  std::vector<eventlog::LogRecord> records;
  int64_t next = position.next_offset;
  while (next < end) {
    RETURN_IF_ERROR(reader->Read(absl::Seconds(1), &records));
    for (const eventlog::LogRecord& record : records) {
      if (record.offset >= end) {
        next = record.offset;
        break;
      }
      const absl::Status added = batcher.Add(record.payload, record.offset + 1);
      job.outdated = batcher.unreadable();
      RETURN_IF_ERROR(added);
      while (batcher.full()) RETURN_IF_ERROR(side.Apply(batcher.Take()));
      next = record.offset + 1;
    }
  }
  if (batcher.has_complete()) RETURN_IF_ERROR(side.Apply(batcher.Take()));
  LogInfo("replayer", "a re-copy was rolled forward",
          {{"stream", options_.stream},
           {"table", plan_.sources[job.source].name},
           {"seconds", absl::StrFormat("%.1f", absl::ToDoubleSeconds(absl::Now() - began))}});
  job.from = target_.position();  // should it be tried again
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
