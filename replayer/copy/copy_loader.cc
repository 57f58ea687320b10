#include "replayer/copy/copy_loader.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/fault.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/changes/relation_map.h"
#include "common/records/quarantine_entries.h"
#include "common/records/relations.h"
#include "replayer/copy/derive_copy.h"
#include "replayer/copy/held_copy.h"

namespace switchyard::replayer {

using event::v1::Event;
using mapping::MappingIndex;
using mapping::SourceIndex;
using mapping::SourcePlan;

CopyLoader::CopyLoader(PgTarget& target, const mapping::Plan& plan, CopyLoaderOptions options)
    : target_(target), plan_(plan), options_(std::move(options)) {}

absl::Status CopyLoader::Start() {
  ASSIGN_OR_RETURN(const records::StreamState state, target_.stream().Load());
  if (!state.source_owns && !plan_.mirror_only) {
    return Refuse(
        absl::StrFormat("stream %s would fill tables that this side owns", options_.stream),
        "give the side back first; until then nothing of it is copied anew");
  }
  next_offset_ = committed_offset_ = state.copy_offset;
  ASSIGN_OR_RETURN(const std::vector<records::Copy> copies, this->copies().All());
  for (const records::Copy& copy : copies) {
    progress_[copy.relation_id] = {.generation = copy.generation,
                                   .lsn = copy.lsn,
                                   .done = copy.state != records::CopyState::kLoading};
  }
  ASSIGN_OR_RETURN(const auto relations,
                   records::Relations(target_.session(), options_.stream).All());
  for (const event::v1::Relation& relation : relations) {
    relations_[relation.relation_id()] = relation;
  }
  if (state.phase != records::Phase::kCopying) RETURN_IF_ERROR(target_.stream().BeginCopy());
  return StartLanes(state.copy_offset);
}

absl::Status CopyLoader::StartLanes(int64_t copy_offset) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> places,
                   lane_places().Begin(options_.workers, copy_offset));
  CopyLaneOptions lane{.stream = options_.stream,
                       .quarantine = target_.quarantine_options(),
                       .transaction_bytes_max = options_.transaction_bytes_max};
  for (const MappingIndex m : plan_.mapping_indices()) {
    lane.held.push_back(target_.ordered() != nullptr && plan_.mappings[m].row_local &&
                        !plan_.mirror_only && target_.ordered()->refers(m));
    if (lane.held.back()) RETURN_IF_ERROR(MakeHeldTable(target_.session(), plan_, m));
  }
  const int count = static_cast<int>(places.size());
  std::vector<std::string> writers;
  for (int i = 0; i < count; ++i) writers.push_back(records::LaneWriter(i));
  RETURN_IF_ERROR(target_.gate().Claim(writers));
  lane.owner_epoch = target_.gate().owner_epoch();
  for (int i = 0; i < count; ++i) {
    lane.lane = i;
    lane.next_offset = places[i];
    ASSIGN_OR_RETURN(auto beside, target_.OpenBeside());
    lanes_.push_back(std::make_unique<CopyLane>(lane, plan_, std::move(beside)));
  }
  return absl::OkStatus();
}

int64_t CopyLoader::first_offset() const {
  int64_t first = committed_offset_;
  for (const auto& lane : lanes_) first = std::min(first, lane->next_offset());
  return first;
}

const SourcePlan* CopyLoader::SourceOf(uint32_t relation_id) const {
  const auto relation = relations_.find(relation_id);
  return plan_.FindRelation(relation_id,
                            relation == relations_.end() ? 0 : relation->second.root_relation_id());
}

// Where the copy fills mirrors alone, a table without one has all its rows already.
bool CopyLoader::IsLoaded(const SourcePlan& source) const {
  return source.mirrored || !plan_.mirror_only;
}

bool CopyLoader::complete() const {
  // Partitions born since the plan was made; capture puts the points of all leaves first.
  for (const auto& [id, table] : progress_) {
    if (!table.done && SourceOf(id) != nullptr) return false;
  }
  for (const SourcePlan& source : plan_.sources) {
    for (const uint32_t id : source.relation_ids) {
      const auto it = progress_.find(id);
      if (it == progress_.end() || !it->second.done) return false;
    }
  }
  return true;
}

std::vector<changes::Batch::Unreadable> CopyLoader::unreadable() const {
  std::vector<changes::Batch::Unreadable> tables;
  for (const auto& [id, table] : progress_) {
    if (SourceOf(id) == nullptr || table.fit.ok()) continue;
    tables.push_back(
        {.source = plan_.IndexOf(*SourceOf(id)), .why = std::string(StdSv(table.fit.message()))});
  }
  return tables;
}

absl::Status CopyLoader::DrainLanes() {
  for (const auto& lane : lanes_) lane->RequestFlush();
  for (const auto& lane : lanes_) RETURN_IF_ERROR(lane->AwaitFlush());
  return absl::OkStatus();
}

// With the lanes drained, and until Commit nothing is pushed to them.
absl::Status CopyLoader::BeginIfNeeded() {
  if (in_transaction_) return absl::OkStatus();
  RETURN_IF_ERROR(DrainLanes());
  RETURN_IF_ERROR(target_.session().Begin());
  in_transaction_ = true;
  RETURN_IF_ERROR(target_.gate().Pass(records::kCopies));
  // As with the stream's position: whoever else loaded since loses or wins here, never both.
  RETURN_IF_ERROR(target_.stream().LockCopyAt(committed_offset_));
  return CheckLanes();
}

// Waits for what a lane of a killed replayer may still be committing.
absl::Status CopyLoader::CheckLanes() {
  ASSIGN_OR_RETURN(const std::vector<int64_t> places, lane_places().Lock());
  const bool same = std::ranges::equal(places, lanes_, {}, {},
                                       [](const auto& lane) { return lane->next_offset(); });
  return same ? absl::OkStatus()
              : absl::AbortedError(
                    "the place of a lane of the copy moved: another replayer, or "
                    "the target lost its last commits in a crash");
}

absl::Status CopyLoader::Add(Event& event, int64_t offset) {
  if (event.format() != 1) {
    return Refuse(absl::StrFormat("the copy topic holds an event of format %d at offset %d; this "
                                  "program reads format 1",
                                  event.format(), offset),
                  "upgrade it, then start it again");
  }
  if (event.body_case() != Event::kCopyChunk) return Control(event, offset);
  RETURN_IF_ERROR(Commit());
  return OnChunk(*event.mutable_copy_chunk(), offset);
}

absl::Status CopyLoader::Control(const Event& event, int64_t offset) {
  if (offset < committed_offset_) return absl::OkStatus();  // read again for a lane's sake
  RETURN_IF_ERROR(BeginIfNeeded());
  switch (event.body_case()) {
    case Event::kHello:
      RETURN_IF_ERROR(OnHello(event.hello()));
      break;
    case Event::kCopyPoint:
      RETURN_IF_ERROR(OnPoint(event.copy_point()));
      break;
    case Event::kCopyEnd:
      RETURN_IF_ERROR(OnEnd(event.copy_end()));
      break;
    default:
      return Lost(
          absl::StrFormat("offset %d of the copy topic holds an event that does not belong there",
                          offset),
          kCopyAllAnew);
  }
  next_offset_ = offset + 1;
  return absl::OkStatus();
}

absl::Status CopyLoader::Commit() {
  if (!in_transaction_) return absl::OkStatus();
  RETURN_IF_ERROR(target_.stream().MoveCopy(next_offset_));
  // What stands before this place is loaded or void, also for a replayer that was given up.
  RETURN_IF_ERROR(lane_places().MoveAll(next_offset_));
  SY_FAULT_POINT("replayer.before_copy_commit");
  RETURN_IF_ERROR(target_.session().Commit());
  SY_FAULT_POINT("replayer.after_copy_commit");
  in_transaction_ = false;
  committed_offset_ = next_offset_;
  for (const auto& lane : lanes_) lane->MoveTo(next_offset_);
  return absl::OkStatus();
}

// A topic that was made anew in the middle of the copy.
absl::Status CopyLoader::OnHello(const event::v1::Hello& hello) const {
  const Lsn fork(hello.fork_lsn());
  for (const auto& [id, table] : progress_) {
    if (!fork.valid() || table.lsn <= fork) continue;
    return Lost(
        absl::StrFormat("forked: the source was promoted (timeline %d), and its history left the "
                        "former one at %s, but relation %d was copied as of %s there",
                        hello.timeline(), fork.ToString(), id, table.lsn.ToString()),
        kCopyAllAnew);
  }
  for (const event::v1::FinishedCopy& copy : hello.finished_copies()) {
    const SourcePlan* source = SourceOf(copy.relation_id());
    const auto table = progress_.find(copy.relation_id());
    if (source == nullptr) continue;
    if (table != progress_.end() && table->second.generation >= copy.generation()) continue;
    return Lost(
        absl::StrFormat("the copy topic does not hold the copy of %s.%s that capture had finished: "
                        "it was deleted and made again, or records were trimmed away",
                        source->schema, source->name),
        kCopyAllAnew);
  }
  return absl::OkStatus();
}

absl::Status CopyLoader::OnPoint(const event::v1::CopyPoint& point) {
  const uint32_t id = point.relation_id();
  const auto known = progress_.find(id);
  if (known != progress_.end() && point.generation() < known->second.generation) {
    return absl::OkStatus();
  }
  relations_[id] = point.relation();
  if (SourceOf(id) == nullptr) return absl::OkStatus();
  if (known != progress_.end() && point.generation() > known->second.generation) {
    RETURN_IF_ERROR(Discard(id));
  }
  progress_[id] = {.generation = point.generation(),
                   .lsn = Lsn(point.lsn()),
                   .fit = changes::Fits(*SourceOf(id), point.relation())};
  RETURN_IF_ERROR(copies().Begin(point));
  std::string definition;
  point.relation().SerializeToString(&definition);
  RETURN_IF_ERROR(records::Relations(target_.session(), options_.stream).Store(id, definition));
  return DropLeavesLeftOut(point);
}

std::vector<uint32_t> CopyLoader::LeavesBeside(uint32_t id) const {
  std::vector<uint32_t> leaves;
  for (const auto& [other, table] : progress_) {
    if (other != id && SourceOf(other) == SourceOf(id)) leaves.push_back(other);
  }
  return leaves;
}

// Rows of one leaf can't be told from another's, so those of all go. Capture starts all leaves of a
// table again, with their points before the first chunk.
absl::Status CopyLoader::Discard(uint32_t id) {
  const SourcePlan& source = *SourceOf(id);
  const SourceIndex index = plan_.IndexOf(source);
  LogWarn("replayer", "copy of a table starts again",
          {{"stream", options_.stream}, {"table", source.name}});
  if (source.mirrored) RETURN_IF_ERROR(target_.session().Execute(source.mirror.clear));
  for (const MappingIndex m : plan_.mapping_indices()) {
    if (plan_.mappings[m].source != index || plan_.mirror_only) continue;
    RETURN_IF_ERROR(target_.session().Execute(plan_.mappings[m].write.clear));
    RETURN_IF_ERROR(ClearHeld(target_.session(), plan_, m));
    RETURN_IF_ERROR(records::QuarantineEntries(target_.session(), options_.stream)
                        .ForgetTarget(QuarantineTarget(plan_.mappings[m])));
  }
  for (const uint32_t leaf : LeavesBeside(id)) {
    progress_[leaf].done = false;
    RETURN_IF_ERROR(copies().BeginAgain(leaf));
  }
  return absl::OkStatus();
}

// Once the points of all partitions of a copy are known, one without was detached or dropped.
absl::Status CopyLoader::DropLeavesLeftOut(const event::v1::CopyPoint& point) {
  const SourcePlan& source = *SourceOf(point.relation_id());
  uint32_t copied = 0;
  std::set<uint32_t> left_out(source.relation_ids.begin(), source.relation_ids.end());
  for (const auto& [leaf, table] : progress_) {
    if (SourceOf(leaf) != &source) continue;
    left_out.insert(leaf);
    if (table.lsn != Lsn(point.lsn())) continue;
    left_out.erase(leaf);
    ++copied;
  }
  if (point.partitions() == 0 || copied < point.partitions()) return absl::OkStatus();
  for (const uint32_t leaf : left_out) {
    progress_[leaf].done = true;
    progress_[leaf].lsn = Lsn(point.lsn());  // what the log holds of it below is void
    RETURN_IF_ERROR(
        copies().LeaveOut(leaf, absl::StrCat(source.schema, ".", source.name), Lsn(point.lsn())));
  }
  return absl::OkStatus();
}

absl::Status CopyLoader::OnChunk(event::v1::CopyChunk& chunk, int64_t offset) {
  CopyLane& lane = *lanes_[static_cast<size_t>(offset) % lanes_.size()];
  if (offset < lane.next_offset()) return absl::OkStatus();
  const uint32_t id = chunk.relation_id();
  const SourcePlan* source = SourceOf(id);
  const auto table = progress_.find(id);
  if (source == nullptr || table == progress_.end() ||
      chunk.generation() < table->second.generation || !table->second.fit.ok() ||
      !IsLoaded(*source)) {
    return absl::OkStatus();  // not mapped, of a copy that was started again, or of no use
  }
  const auto relation = relations_.find(id);
  if (relation == relations_.end()) {
    return Lost(absl::StrFormat("a copy chunk of relation %d without its point", id), kCopyAllAnew);
  }
  return lane.Push({.source = plan_.IndexOf(*source),
                    .generation = chunk.generation(),
                    .lsn = table->second.lsn,
                    .relation = &relation->second,
                    .offset = offset,
                    .data = std::move(*chunk.mutable_data())});
}

absl::Status CopyLoader::OnEnd(const event::v1::CopyEnd& end) {
  const auto table = progress_.find(end.relation_id());
  if (SourceOf(end.relation_id()) == nullptr || table == progress_.end() ||
      end.generation() < table->second.generation || !table->second.fit.ok()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const int64_t loaded, copies().End(end.relation_id()));
  if (IsLoaded(*SourceOf(end.relation_id())) && loaded != static_cast<int64_t>(end.rows())) {
    return Lost(
        absl::StrFormat("the copy of %s has %d rows on the log, %d were read from the source",
                        SourceOf(end.relation_id())->name, loaded, end.rows()),
        kCopyAllAnew);
  }
  table->second.done = true;
  return absl::OkStatus();
}

absl::Status CopyLoader::Finish() {
  RETURN_IF_ERROR(Commit());
  RETURN_IF_ERROR(DrainLanes());
  pg::Session& session = target_.session();
  ASSIGN_OR_RETURN(const records::CopyPoints points, copies().Range());
  RETURN_IF_ERROR(session.InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(CheckLanes());
    RETURN_IF_ERROR(lane_places().End());
    ASSIGN_OR_RETURN(const std::optional<absl::Time> clock, copies().ClockAt(points.first));
    return target_.stream().PlaceAfterCopy(points.first, clock);
  }));
  SY_FAULT_POINT("replayer.copy_loaded");
  LogInfo("replayer", "copy loaded",
          {{"stream", options_.stream},
           {"first_lsn", points.first.ToString()},
           {"last_lsn", points.last.ToString()}});
  return target_.ReloadPosition();
}

}  // namespace switchyard::replayer
