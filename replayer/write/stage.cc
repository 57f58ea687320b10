#include "replayer/write/stage.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/error.h"

namespace switchyard::replayer {

using mapping::MappingIndex;
using mapping::MappingPlan;
using mapping::SourceIndex;
using mapping::SourcePlan;
using mapping::TableWrite;

namespace {

constexpr char kTypeChange[] = "switchyard/type-change";
constexpr size_t kSendBytes = size_t{256} << 10;
// A DELETE costs by the row; a TRUNCATE about a millisecond, and it has the statements that read
// the table planned again.
constexpr int64_t kTruncateRows = 2'000;
constexpr size_t kTablesPerTransaction = 100;
constexpr int64_t kDirtyRowsMax = 10'000;
// A plan is made for tables of the size that they have then, and kept.
constexpr int64_t kReplanRows = 2'000;
constexpr char kHash[] = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on";
constexpr char kIndex[] = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

std::string TemporaryName(const std::string& table) { return "pg_temp." + QuoteIdentifier(table); }

// Inserts need no stage when every table they reach takes the source's text as it is, and nothing
// else looks at the staged rows.
bool InsertsGoDirect(const mapping::Plan& plan, SourceIndex source) {
  if (plan.sources[source].mirrored) return false;
  bool any = false;
  for (const MappingIndex m : plan.mapping_indices()) {
    const MappingPlan& mapping = plan.mappings[m];
    for (const mapping::TouchRule& touch : mapping.keyed.touches) {
      if (touch.source == source) return false;
      if (touch.upstream.valid() && plan.mappings[touch.upstream].source == source) return false;
    }
    if (mapping.source != source) continue;
    if (mapping.write.copy_in.empty()) return false;
    any = true;
  }
  return any;
}

}  // namespace

absl::Status RefusedScope(const char* sqlstate, const MappingPlan& plan, const char* why) {
  return Annotate(
      pg::RefusedRow(why, {.sqlstate = sqlstate, .table = plan.display, .primary = why}),
      plan.display);
}

absl::Status AsTypeChange(const absl::Status& status, const SourcePlan& source) {
  if (!pg::IsRowRefused(status)) return status;
  absl::Status change = Refuse(
      absl::StrFormat(
          "%s.%s holds a value that can't be read here: %s. One of its types has changed "
          "on the source (ALTER TYPE) since the mapping was installed",
          source.schema, source.name, std::string(StdSv(status.message()))),
      "end the replayer, run: switchyard resume FILE, and start it again: the tables that have the "
      "type are copied again");
  change.SetPayload(kTypeChange, absl::Cord(source.schema + "." + source.name));
  return change;
}

std::string TypeChangedIn(const absl::Status& status) {
  const auto payload = status.GetPayload(kTypeChange);
  return payload.has_value() ? std::string(*payload) : "";
}

Stage::Stage(pg::Session& session, const mapping::Plan& plan) : session_(session), plan_(plan) {
  for (const SourceIndex s : plan.source_indices()) {
    direct_.push_back(InsertsGoDirect(plan, s));
  }
  GatherLots();
}

absl::Status Stage::LookForHindrances() {
  ASSIGN_OR_RETURN(hindrances_, mapping::Hindrances::Load(session_, plan_));
  return mapping::RefuseHindrances(hindrances_);
}

void Stage::GatherLots() {
  const size_t sources = plan_.sources.size();
  for (const SourcePlan& source : plan_.sources) {
    lots_.push_back({.tables = mapping::TemporaryTablesOf(source)});
  }
  of_mapping_.resize(plan_.mappings.size());
  of_source_.resize(sources);
  const auto add = [](const Lots& more, Lots* lots) {
    for (const size_t lot : more) {
      if (std::ranges::count(*lots, lot) == 0) lots->push_back(lot);
    }
  };
  for (const MappingPlan& mapping : plan_.mappings) {
    lots_.push_back({.tables = mapping::TemporaryTablesOf(mapping)});
  }
  // Whoever reads another one comes after it.
  for (size_t i = plan_.mappings.size(); i > 0; --i) {
    const MappingIndex m(i - 1);
    const MappingPlan& mapping = plan_.mappings[m];
    add({sources + i - 1}, &of_mapping_[m]);
    if (mapping.row_local) add({static_cast<size_t>(mapping.source.value())}, &of_mapping_[m]);
    for (const MappingIndex reader : plan_.mapping_indices()) {
      const bool reads =
          std::ranges::any_of(plan_.mappings[reader].keyed.touches,
                              [&](const mapping::TouchRule& rule) { return rule.upstream == m; });
      if (reads) add(of_mapping_[reader], &of_mapping_[m]);
    }
  }
  for (const SourceIndex s : plan_.source_indices())
    add({static_cast<size_t>(s.value())}, &of_source_[s]);
  for (const MappingIndex m : plan_.mapping_indices()) {
    const MappingPlan& mapping = plan_.mappings[m];
    if (mapping.row_local) add(of_mapping_[m], &of_source_[mapping.source]);
    for (const mapping::TouchRule& rule : mapping.keyed.touches) {
      if (rule.source.valid()) add(of_mapping_[m], &of_source_[rule.source]);
    }
  }
}

// Each is locked until its transaction ends: all of a large migration would be too many.
absl::Status Stage::ExecuteInPortions(const std::vector<std::string>& ddl) {
  for (size_t begin = 0; begin < ddl.size(); begin += kTablesPerTransaction) {
    const size_t end = std::min(begin + kTablesPerTransaction, ddl.size());
    RETURN_IF_ERROR(
        Annotate(session_.Execute(absl::StrJoin(ddl.begin() + begin, ddl.begin() + end, ";\n")),
                 "temporary tables"));
  }
  return absl::OkStatus();
}

absl::Status Stage::MakeTables(const Lots& lots, Place place) {
  const Lot::State made = place == Place::kOutside ? Lot::State::kMade : Lot::State::kUnsure;
  // What a transaction that was rolled back has used is empty again, or gone.
  if (place == Place::kOutside) used_.clear();
  std::vector<std::string> ddl;
  Lots missing;
  for (const size_t i : lots) {
    Lot& lot = lots_[i];
    if (lot.state == Lot::State::kUnsure) {  // whether it went with the transaction it was made in
      ASSIGN_OR_RETURN(const pg::Result there,
                       session_.Query("SELECT to_regclass($1) IS NOT NULL",
                                      {"pg_temp." + QuoteIdentifier(lot.tables.names[0])}));
      lot.state = there.boolean(0, 0) ? made : Lot::State::kMissing;
    }
    if (lot.state != Lot::State::kMissing) continue;
    missing.push_back(i);
    ddl.insert(ddl.end(), lot.tables.ddl.begin(), lot.tables.ddl.end());
  }
  RETURN_IF_ERROR(ExecuteInPortions(ddl));
  for (const size_t i : missing) lots_[i].state = made;
  return absl::OkStatus();
}

absl::Status Stage::MakeTablesOf(SourceIndex source, Place place) {
  return MakeTables(of_source_[source], place);
}

absl::Status Stage::MakeTablesOf(MappingIndex mapping, Place place) {
  return MakeTables(of_mapping_[mapping], place);
}

absl::Status Stage::MakeAllTables() {
  Lots all(lots_.size());
  std::ranges::generate(all, [next = size_t{0}]() mutable { return next++; });
  return MakeTables(all, Place::kOutside);
}

absl::Status Stage::KeepFewTables(size_t kept) {
  size_t there = 0;
  for (const Lot& lot : lots_) {
    if (lot.state != Lot::State::kMissing) there += lot.tables.ddl.size();
  }
  if (there <= kept) return absl::OkStatus();
  std::vector<std::string> drops;
  for (Lot& lot : lots_) {
    if (std::exchange(lot.state, Lot::State::kMissing) == Lot::State::kMissing) continue;
    for (const std::string& name : lot.tables.names) {
      drops.push_back("DROP TABLE IF EXISTS pg_temp." + QuoteIdentifier(name));
      dirty_.erase(name);
    }
  }
  return ExecuteInPortions(drops);
}

absl::Status Stage::Run(const std::string& sql, const std::vector<pg::Param>& params) {
  if (sql.empty()) return absl::OkStatus();
  return session_.QueryPrepared(sql, params).status();
}

void Stage::AppendStageLine(const SourcePlan& source, const changes::Change& change, int ord) {
  buffer_ += static_cast<char>(change.op);
  buffer_ += '\t';
  absl::StrAppend(&buffer_, ord);
  buffer_ += '\t';
  if (change.has_absent) {
    for (size_t i = 0; i < source.columns.size(); ++i) {
      if (source.columns[i].toastable) buffer_ += change.row[i].is_absent() ? '1' : '0';
    }
  } else {
    buffer_ += "\\N";
  }
  for (size_t i = 0; i < source.key.size(); ++i) {
    buffer_ += '\t';
    changes::AppendCopyField(change.old_key == nullptr ? changes::Value{} : change.old_key[i],
                             &buffer_);
  }
  for (size_t i = 0; i < source.columns.size(); ++i) {
    buffer_ += '\t';
    // One without its mark would be written as NULL.
    SY_CHECK(change.row == nullptr || !change.row[i].is_absent() ||
             (change.has_absent && source.columns[i].toastable));
    changes::AppendCopyField(change.row == nullptr ? changes::Value{} : change.row[i], &buffer_);
  }
  buffer_ += '\n';
}

absl::Status Stage::SendFullBuffer() {
  return buffer_.size() < kSendBytes ? absl::OkStatus() : SendBuffer();
}

absl::Status Stage::SendBuffer() {
  if (buffer_.empty()) return absl::OkStatus();
  const absl::Status sent = session_.PutCopyData(buffer_);
  buffer_.clear();
  return sent;
}

absl::Status Stage::Load(const changes::TableChanges& table, Inserts inserts) {
  const bool direct = inserts == Inserts::kDirect;
  const SourcePlan& source = plan_.sources[table.source];
  rows_since_planned_ += static_cast<int64_t>(table.changes.size());
  if (direct && table.count(changes::Op::kInsert) == static_cast<int64_t>(table.changes.size())) {
    return absl::OkStatus();
  }
  UseStage(table.source);
  staged_rows_ += static_cast<int64_t>(table.changes.size());
  RETURN_IF_ERROR(session_.BeginCopyIn(source.stage_copy));
  buffer_.clear();
  for (size_t i = 0; i < table.changes.size(); ++i) {
    if (direct && table.changes[i].op == changes::Op::kInsert) continue;
    AppendStageLine(source, table.changes[i], static_cast<int>(i));
    RETURN_IF_ERROR(SendFullBuffer());
  }
  RETURN_IF_ERROR(SendBuffer());
  return Annotate(AsTypeChange(session_.EndCopyIn().status(), source), "staging " + source.name);
}

absl::Status Stage::PreferHashJoins() { return session_.Execute(kHash); }

absl::Status Stage::PreferIndexes() { return session_.Execute(kIndex); }

absl::Status Stage::PlanForManyRows() {
  if (rows_since_planned_ <= kReplanRows) return absl::OkStatus();
  return PlanAnew();
}

absl::Status Stage::PlanAnew() {
  rows_since_planned_ = 0;
  return session_.Execute("DISCARD PLANS");
}

absl::Status Stage::ClearStage(SourceIndex source) {
  const std::string& table = plan_.sources[source].stage;
  ASSIGN_OR_RETURN(const bool empty, EmptyByRow(table));
  return empty ? absl::OkStatus() : session_.Execute("TRUNCATE " + TemporaryName(table));
}

absl::Status Stage::CopyInserts(const changes::TableChanges& table, const TableWrite& write) {
  RETURN_IF_ERROR(session_.BeginCopyIn(write.copy_in));
  buffer_.clear();
  for (const changes::Change& change : table.changes) {
    if (change.op != changes::Op::kInsert) continue;
    bool first = true;
    for (const int column : write.copy_columns) {
      if (!first) buffer_ += '\t';
      first = false;
      SY_CHECK(!change.row[column].is_absent());
      changes::AppendCopyField(change.row[column], &buffer_);
    }
    buffer_ += '\n';
    RETURN_IF_ERROR(SendFullBuffer());
  }
  RETURN_IF_ERROR(SendBuffer());
  return session_.EndCopyIn().status();
}

absl::Status Stage::RunCounted(const std::string& sql, int64_t expected, SourceIndex source,
                               const TableWrite& write) {
  if (sql.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const pg::Result result, session_.QueryPrepared(sql));
  AddMissing(expected - result.affected(), source, write);
  return absl::OkStatus();
}

absl::Status Stage::CountMissing(const std::string& query, SourceIndex source,
                                 const TableWrite& write) {
  ASSIGN_OR_RETURN(const pg::Result missing, session_.QueryPrepared(query));
  AddMissing(missing.i64(0, 0), source, write);
  return absl::OkStatus();
}

void Stage::AddMissing(int64_t rows, SourceIndex source, const TableWrite& write) {
  if (rows > 0) missed_[{source, write.display}] += rows;
}

std::vector<MissedRows> Stage::TakeMissed() {
  std::vector<MissedRows> taken;
  for (const auto& [place, rows] : missed_) taken.push_back({place.first, place.second, rows});
  missed_.clear();
  return taken;
}

absl::Status Stage::NoteStill(const changes::TableChanges& table) {
  if (table.truncated || table.count(changes::Op::kUpdate) == 0) return absl::OkStatus();
  const SourcePlan& source = plan_.sources[table.source];
  return Annotate(Run(source.note_still), source.name);
}

absl::Status Stage::Remove(const changes::TableChanges& table, const TableWrite& write) {
  return Annotate(RunCounted(write.remove, table.count(changes::Op::kDelete), table.source, write),
                  write.display);
}

absl::Status Stage::Update(const changes::TableChanges& table, const TableWrite& write) {
  const int64_t count = table.count(changes::Op::kUpdate);
  if (count == 0) return absl::OkStatus();
  const std::string& sql = table.has_absent ? write.update_absent : write.update;
  const auto update = [&]() -> absl::Status {
    const bool skips = write.skips_still || (write.update_skips_equal && !table.has_absent);
    if (!sql.empty() && !skips) {
      return RunCounted(sql, count, table.source, write);
    }
    // One that leaves rows alone does not tell how many were there.
    int64_t updated = 0;
    if (!sql.empty()) {
      ASSIGN_OR_RETURN(const pg::Result result, session_.QueryPrepared(sql));
      updated = result.affected();
    }
    return updated == count ? absl::OkStatus()
                            : CountMissing(write.missing_updated, table.source, write);
  };
  return Annotate(update(), write.display);
}

absl::Status Stage::Compute(MappingIndex mapping) {
  const MappingPlan& plan = plan_.mappings[mapping];
  RETURN_IF_ERROR(PreferHashJoins());
  const absl::StatusOr<pg::Result> twice = session_.QueryPrepared(plan.keyed.compute);
  RETURN_IF_ERROR(Annotate(twice.status(), plan.display));
  if (twice->rows() > 0) {
    return RefusedScope("21000", plan, "the select gives several rows under one key");
  }
  return PreferIndexes();
}

void Stage::UseStage(SourceIndex source) { used_.insert(plan_.sources[source].stage); }

void Stage::UseMapping(MappingIndex mapping) {
  const std::vector<std::string>& tables = plan_.mappings[mapping].keyed.temp_tables;
  used_.insert(tables.begin(), tables.end());
}

// False of a table that is to be truncated: it holds many rows, or many dead ones.
absl::StatusOr<bool> Stage::EmptyByRow(const std::string& table) {
  int64_t& dirty = dirty_[table];
  if (staged_rows_ > kTruncateRows || dirty > kDirtyRowsMax) {
    dirty = 0;
    return false;
  }
  ASSIGN_OR_RETURN(const pg::Result deleted,
                   session_.QueryPrepared("DELETE FROM " + TemporaryName(table)));
  dirty += std::max(deleted.affected(), staged_rows_);
  return true;
}

absl::Status Stage::EmptyUsed() {
  std::vector<std::string> full;
  for (const std::string& table : used_) {
    ASSIGN_OR_RETURN(const bool empty, EmptyByRow(table));
    if (!empty) full.push_back(TemporaryName(table));
  }
  used_.clear();
  staged_rows_ = 0;
  return full.empty() ? absl::OkStatus()
                      : session_.Execute("TRUNCATE " + absl::StrJoin(full, ", "));
}

absl::Status Stage::ChangeTaken(const TableWrite& write) {
  RETURN_IF_ERROR(PreferHashJoins());
  RETURN_IF_ERROR(Annotate(Run(write.take_out[1]), write.display));
  return PreferIndexes();
}

absl::Status Stage::NextSlice(MappingIndex mapping) {
  UseMapping(mapping);
  std::vector<std::string> full;
  for (const std::string& table : plan_.mappings[mapping].keyed.temp_tables) {
    const mapping::KeyedPlan& keyed = plan_.mappings[mapping].keyed;
    // What earlier slices wrote stays known.
    const bool stays = table == keyed.slice_table || table == keyed.patch.put_table ||
                       table == keyed.patch.seen_table;
    if (stays) continue;
    full.push_back(TemporaryName(table));
  }
  RETURN_IF_ERROR(session_.Execute("TRUNCATE " + absl::StrJoin(full, ", ")));
  return PlanAnew();
}

absl::Status Stage::CleanRecompute(MappingIndex mapping) {
  UseMapping(mapping);
  for (const std::string& sql : plan_.mappings[mapping].keyed.clean) RETURN_IF_ERROR(Run(sql));
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
