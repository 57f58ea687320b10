#include "tests/sim/sim_target.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/pg/error.h"

namespace switchyard::sim {
namespace {

using changes::Change;
using changes::Op;
using changes::Value;

absl::Status Refused() {
  return pg::StatusFromFields({.sqlstate = "23514", .primary = "a row is refused"});
}

std::string KeyOf(const Value* key) { return std::string(key[0].text()); }

}  // namespace

SimTarget::SimTarget(World& world, const SimSource& source, eventlog::EventLog& log,
                     const std::array<Lsn, kMapped>& points)
    : world_(world),
      source_(source),
      log_(log),
      points_(points),
      keeps_order_(world.random.OneIn(3)) {
  flushed_ = kept_;
}

// Where a call may find that the process, or the connection, is gone.
absl::Status SimTarget::Call(std::string_view point) {
  world_.MayCrash(point);
  if (world_.faults && world_.random.OneIn(10)) world_.others(absl::ZeroDuration());
  if (!connected_) return absl::UnavailableError("no connection");
  if (!world_.faults || !world_.random.OneIn(150)) return absl::OkStatus();
  Close();
  return absl::UnavailableError("the connection was lost");
}

absl::Status SimTarget::Open() {
  Close();
  world_.MayCrash("target.open");
  notified_ = false;
  ++starts_;
  if (lingers_ > 0) {
    --lingers_;
    return absl::AlreadyExistsError("another replayer is at work");
  }
  if (world_.faults && world_.random.OneIn(20)) return absl::UnavailableError("starting up");
  connected_ = true;
  position_ = kept_.position;
  return absl::OkStatus();
}

void SimTarget::Close() {
  connected_ = false;
  open_.reset();
}

void SimTarget::Orphan() {
  Close();
  lingers_ = world_.faults ? world_.random.Below(3) : 0;
}

void SimTarget::CrashServer() {
  Close();
  kept_ = flushed_;
}

absl::StatusOr<records::StreamState> SimTarget::Load() {
  RETURN_IF_ERROR(Call("target.load"));
  return records::StreamState{.phase = kept_.phase,
                              .position = kept_.position,
                              .copy_lsn = kept_.copy_lsn,
                              .hold_lsn = kept_.hold};
}

absl::Status SimTarget::CatchUp() {
  return Enter(records::Phase::kCatchingUp, kept_.position.lsn.valid());
}

absl::Status SimTarget::BeginStreaming() {
  return Enter(records::Phase::kStreaming, kept_.copy_lsn.valid());
}

absl::Status SimTarget::Enter(records::Phase phase, bool may) {
  RETURN_IF_ERROR(Call("target.set_state"));
  world_.Check(may, [&] { return absl::StrCat("too early to be ", ToString(phase)); });
  kept_.phase = phase;
  return absl::OkStatus();
}

void SimTarget::Stop(const absl::Status& /*cause*/, const std::string& /*reason*/) {
  kept_.phase = records::Phase::kStopped;
}

absl::StatusOr<replayer::Reading> SimTarget::LoadReading(const records::StreamState& state) {
  RETURN_IF_ERROR(Call("target.load_reading"));
  replayer::Reading reading{.position = state.position};
  reading.batcher.hold_lsn = state.hold_lsn;
  for (int table = 0; table < kMapped; ++table) {
    reading.batcher.copy_points[RelationId(table)] = points_[table];
  }
  for (const auto& [id, definition] : kept_.relations) {
    reading.relations.emplace_back().ParseFromString(definition);
  }
  return reading;
}

// The statement that moves the stream's row, or locks it.
absl::Status SimTarget::CheckPosition(const changes::Batch& batch, const State& state, bool moves) {
  refused_by_hold_ = false;
  const records::Position& at = state.position;
  const bool there = at.lsn == position_.lsn && at.epoch == position_.epoch &&
                     at.next_offset == position_.next_offset;
  if (!there) return absl::AbortedError("the stream stands elsewhere");
  refused_by_hold_ = moves && state.hold && batch.lsn >= *state.hold && at.lsn != batch.lsn;
  return refused_by_hold_ ? absl::AbortedError("held before the end of the step")
                          : absl::OkStatus();
}

absl::Status SimTarget::Apply(const changes::Batch& batch, replayer::Care care) {
  RETURN_IF_ERROR(Call("target.apply"));
  if (batch.aborted) {
    open_.reset();
    return absl::OkStatus();
  }
  const Lock lock(&locked_);
  const bool continues = open_.has_value();
  State state = continues ? *std::exchange(open_, std::nullopt) : kept_;
  state.hold = kept_.hold;
  if (!continues) RETURN_IF_ERROR(CheckPosition(batch, state, !batch.chunk));
  RETURN_IF_ERROR(Call("target.after_begin"));
  if (keeps_order_ && care == replayer::Care::kNone && batch.transactions > 1 &&
      batch.lsn.value() % 7 == 0) {
    return Refused();
  }
  for (const changes::TableChanges& table : batch.tables) {
    RETURN_IF_ERROR(Write(table, care, &state));
  }
  for (const auto& [id, definition] : batch.relations) state.relations[id] = definition;
  RETURN_IF_ERROR(Call("target.after_rows"));
  if (batch.chunk) {
    open_ = std::move(state);
    return absl::OkStatus();
  }
  if (continues) RETURN_IF_ERROR(CheckPosition(batch, state, true));
  const records::Advance step = batch.Step();
  if (world_.mutation == Mutation::kPositionAfterRows) {
    kept_.rows = state.rows;
    kept_.quarantine = state.quarantine;
    RETURN_IF_ERROR(Call("target.between"));
  }
  state.position = step.to;
  state.transactions += step.transactions;
  const bool before_hold = state.hold && step.to.lsn < *state.hold;
  state.held_at.reset();
  if (before_hold && *state.hold <= step.to.covered_lsn) state.held_at = state.hold;
  return Commit(std::move(state));
}

// A commit may be cut off before, or after.
absl::Status SimTarget::Commit(State state) {
  RETURN_IF_ERROR(Call("target.before_commit"));
  ++state.commit;
  kept_ = std::move(state);
  ++commits_;
  CheckKept();
  world_.MayCrash("target.after_commit");
  if (world_.faults && world_.random.OneIn(100)) {
    Close();
    return absl::UnknownError("the answer to COMMIT was lost");
  }
  position_ = kept_.position;
  return absl::OkStatus();
}

SimRow SimTarget::Take(int table, const std::string& key, State* state) {
  for (SimTable* rows : {&state->rows[table], &state->quarantine[table]}) {
    const auto at = rows->find(key);
    if (at == rows->end()) continue;
    SimRow row = std::move(at->second);
    const bool waits = rows == &state->quarantine[table];
    rows->erase(at);
    if (waits) row.v.insert(0, "?");
    return row;
  }
  world_.Check(false, [&] {
    return absl::StrCat("promise 3: a row to be changed is not there: key ", key, " of table ",
                        table);
  });
  return {};
}

absl::Status SimTarget::Put(int table, const std::string& key, const SimRow& row,
                            replayer::Care care, State* state) {
  world_.Check(!state->rows[table].contains(key) && !state->quarantine[table].contains(key), [&] {
    return absl::StrCat("promise 3: a row comes twice: key ", key, " of table ", table);
  });
  if (row.v.starts_with('?')) {  // its later changes fold into the entry
    SimRow& entry = state->quarantine[table][key] = row;
    entry.v.erase(0, 1);
    return absl::OkStatus();
  }
  if (!IsRefused(row)) {
    state->rows[table][key] = row;
    return absl::OkStatus();
  }
  if (care == replayer::Care::kNone) return Refused();
  state->quarantine[table][key] = row;
  return absl::OkStatus();
}

// What goes and what moves is taken out before anything is put in.
absl::Status SimTarget::Write(const changes::TableChanges& table, replayer::Care care,
                              State* state) {
  if (table.truncated) {
    state->rows[table.source].clear();
    state->quarantine[table.source].clear();
  }
  std::vector<SimRow> taken;
  for (const Change& change : table.changes) {
    const bool was = change.op != Op::kInsert;
    taken.push_back(was ? Take(table.source, KeyOf(change.old_key), state) : SimRow());
  }
  for (size_t i = 0; i < table.changes.size(); ++i) {
    const Change& change = table.changes[i];
    if (change.op == Op::kDelete) continue;
    SimRow row{.v = std::string(change.row[1].text()), .big = std::string(change.row[2].text())};
    if (change.row[2].is_absent()) row.big = taken[i].big;
    if (taken[i].v.starts_with('?')) row.v.insert(0, "?");
    RETURN_IF_ERROR(Put(table.source, std::string(change.row[0].text()), row, care, state));
  }
  return absl::OkStatus();
}

std::string SimTarget::Difference(int table) const {
  SimTable has = kept_.rows[table];
  has.insert(kept_.quarantine[table].begin(), kept_.quarantine[table].end());
  const Lsn point = std::max(Lsn(kept_.position.lsn.value() + 1), points_[table]);
  return absl::StrCat("has: ", Text(has), "\nis to have: ", Text(source_.TableBelow(table, point)));
}

// Promise 2 and 3: what is committed is the source's state at the position, whoever looks,
// whenever.
void SimTarget::CheckKept() {
  const records::Position& at = kept_.position;
  for (int table = 0; table < kMapped; ++table) {
    uint64_t hash = 0;
    for (const auto& [key, row] : kept_.rows[table]) hash += HashOf(table, key, row);
    for (const auto& [key, row] : kept_.quarantine[table]) hash += HashOf(table, key, row);
    const Lsn point = std::max(Lsn(at.lsn.value() + 1), points_[table]);
    world_.Check(hash == source_.HashBelow(table, point), [&] {
      return absl::StrCat("promise 2: table ", table, " is not as the source had it at ",
                          at.lsn.ToString(), "\n", Difference(table));
    });
  }
  const int64_t applied = source_.PublishedBelow(Lsn(at.lsn.value() + 1)) - counted_from_;
  world_.Check(kept_.transactions == applied, [&] {
    return absl::StrCat("promise 3: ", kept_.transactions, " transactions were applied up to ",
                        at.lsn.ToString(), ", the source had ", applied);
  });
  world_.Check(!kept_.held_at || source_.LastCommitBelow(*kept_.held_at) <= at.lsn, [&] {
    return absl::StrCat("held at ", kept_.held_at->ToString(), ", but stands at ",
                        at.lsn.ToString(), " (read up to ", at.covered_lsn.ToString(), "), and ",
                        source_.LastCommitBelow(*kept_.held_at).ToString(), " is before that");
  });
}

absl::StatusOr<std::optional<Lsn>> SimTarget::AnswerHold(Lsn next) {
  RETURN_IF_ERROR(Call("target.answer_hold"));
  const records::Position& at = kept_.position;
  kept_.held_at.reset();
  const bool past =
      kept_.hold && (*kept_.hold <= next || world_.mutation == Mutation::kHeldBeforeTheHold);
  const bool met = next.valid() && past;
  if (kept_.hold && at.lsn < *kept_.hold && (at.covered_lsn >= *kept_.hold || met)) {
    kept_.held_at = kept_.hold;
    CheckKept();
  }
  return kept_.hold;
}

bool SimTarget::SetHold(std::optional<Lsn> hold) {
  if (locked_ || open_) return false;
  kept_.hold = hold;
  kept_.held_at.reset();
  notified_ = true;
  Flush();
  return true;
}

absl::StatusOr<bool> SimTarget::AwaitNotified(absl::Duration timeout) {
  RETURN_IF_ERROR(Call("target.await_notified"));
  const absl::Time deadline = world_.Now() + timeout;
  while (!notified_ && world_.Now() < deadline) {
    world_.others(absl::Milliseconds(20));
    if (!connected_) return absl::UnavailableError("no connection");
  }
  return std::exchange(notified_, false);
}

absl::StatusOr<Lsn> SimTarget::WalPosition() {
  RETURN_IF_ERROR(Call("target.wal_position"));
  return Lsn(kept_.commit + 1);
}

absl::StatusOr<bool> SimTarget::FlushedUpTo(Lsn wal) {
  RETURN_IF_ERROR(Call("target.flushed"));
  return world_.mutation == Mutation::kTrimmedUnflushed || flushed_.commit + 1 >= wal.value();
}

absl::Status SimTarget::Load(const records::StreamState&, replayer::Drain&,
                             replayer::TrimSchedule&) {
  RETURN_IF_ERROR(Call("copy.load"));
  const Lock lock(&locked_);
  State state = kept_;
  for (int table = 0; table < kMapped; ++table) {
    for (const auto& [key, row] : source_.TableBelow(table, points_[table])) {
      (IsRefused(row) ? state.quarantine : state.rows)[table][key] = row;
    }
  }
  const Lsn first = *std::min_element(points_.begin(), points_.end());
  state.position.lsn = Lsn(first.value() - 1);
  state.position.covered_lsn = first;
  state.phase = records::Phase::kCopying;
  counted_from_ = source_.PublishedBelow(first);
  return Commit(std::move(state));
}

absl::StatusOr<Lsn> SimTarget::LastPoint() {
  RETURN_IF_ERROR(Call("copy.last_point"));
  return *std::max_element(points_.begin(), points_.end());
}

absl::Status SimTarget::BeginRollForward() { return Call("copy.begin_roll_forward"); }

absl::Status SimTarget::Derive(Lsn last) {
  RETURN_IF_ERROR(Call("copy.derive"));
  // From here on all tables are of one point.
  for (int table = 0; table < kMapped; ++table) {
    world_.Check(
        source_.HashBelow(table, std::max(points_[table], Lsn(kept_.position.lsn.value() + 1))) ==
            source_.HashBelow(table, std::max(last, Lsn(kept_.position.lsn.value() + 1))),
        [&] { return absl::StrCat("derived before table ", table, " is at one point"); });
  }
  const Lock lock(&locked_);
  State state = kept_;
  state.copy_lsn = last;
  state.phase = records::Phase::kStreaming;
  return Commit(std::move(state));
}

// Requests to try the quarantine again: what is refused no more goes in.
absl::Status SimTarget::Step() {
  RETURN_IF_ERROR(Call("chores.step"));
  if (!retry_asked_) return absl::OkStatus();
  const Lock lock(&locked_);
  State state = kept_;
  for (int table = 0; table < kMapped; ++table) {
    std::erase_if(state.quarantine[table], [&](const auto& entry) {
      if (IsRefused(entry.second)) return false;
      state.rows[table][entry.first] = entry.second;
      return true;
    });
  }
  retry_asked_ = false;
  return Commit(std::move(state));
}

absl::StatusOr<std::optional<int64_t>> SimTarget::KeepFrom() {
  RETURN_IF_ERROR(Call("chores.keep_from"));
  if (!world_.random.OneIn(4)) return std::nullopt;
  return world_.random.Below(static_cast<int>(kept_.position.next_offset) + 1);
}

void SimTarget::Ask(const std::string& topic, int64_t before) {
  world_.MayCrash("trim");
  world_.Check(before <= flushed_.position.next_offset, [&] {
    return absl::StrCat("the log is trimmed to ", before, ", a crash of the target goes back to ",
                        flushed_.position.next_offset);
  });
  [[maybe_unused]] const absl::Status trimmed = log_.Trim(topic, before);
}

}  // namespace switchyard::sim
