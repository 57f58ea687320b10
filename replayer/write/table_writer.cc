#include "replayer/write/table_writer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/mapping/temporary_tables.h"
#include "common/pg/error.h"
#include "replayer/write/ordered_writer.h"

namespace switchyard::replayer {

using mapping::MappingPlan;
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

// Inserts need no stage when every table they reach takes the source's text as it is, and nothing
// else looks at the staged rows.
bool InsertsGoDirect(const mapping::Plan& plan, int source) {
  if (plan.sources[source].mirrored) return false;
  bool any = false;
  for (size_t m = 0; m < plan.mappings.size(); ++m) {
    const MappingPlan& mapping = plan.mappings[m];
    for (const mapping::TouchRule& touch : mapping.keyed.touches) {
      if (touch.source == source) return false;
      if (touch.upstream >= 0 && plan.mappings[touch.upstream].source == source) return false;
    }
    if (mapping.source != source) continue;
    if (mapping.write.copy_in.empty()) return false;
    any = true;
  }
  return any;
}

bool Exchanges(const changes::TableChanges& table, const TableWrite& write) {
  return (write.exchange_moves && table.count(changes::Op::kMove) > 0) ||
         (write.exchange_updates && table.count(changes::Op::kUpdate) > 0);
}

absl::Status RefusedScope(const char* sqlstate, const MappingPlan& plan, const char* why) {
  return Annotate(
      pg::WithErrorFields(absl::FailedPreconditionError(why),
                          {.sqlstate = sqlstate, .table = plan.display, .primary = why}),
      plan.display);
}

}  // namespace

absl::Status AsTypeChange(const absl::Status& status, const SourcePlan& source) {
  if (!pg::IsRowRefused(status)) return status;
  absl::Status change = absl::FailedPreconditionError(absl::StrFormat(
      "%s.%s holds a value that can't be read here: %s. One of its types has changed on the source "
      "(ALTER TYPE) since the mapping was installed; next: end the replayer, run: switchyard "
      "resume FILE, and start it again: the tables that have the type are copied again",
      source.schema, source.name, std::string(StdSv(status.message()))));
  change.SetPayload(kTypeChange, absl::Cord());
  return change;
}

bool IsTypeChange(const absl::Status& status) { return status.GetPayload(kTypeChange).has_value(); }

TableWriter::TableWriter(pg::Session& session, const mapping::Plan& plan)
    : session_(session), plan_(plan) {
  for (size_t s = 0; s < plan.sources.size(); ++s) {
    direct_.push_back(InsertsGoDirect(plan, static_cast<int>(s)));
  }
}

absl::Status TableWriter::CreateTemporaryTables() {
  const std::vector<std::string> ddl = mapping::TemporaryTables(plan_);
  // Each is locked until its transaction ends: all of a large migration would be too many.
  for (size_t begin = 0; begin < ddl.size(); begin += kTablesPerTransaction) {
    const size_t end = std::min(begin + kTablesPerTransaction, ddl.size());
    RETURN_IF_ERROR(
        Annotate(session_.Execute(absl::StrJoin(ddl.begin() + begin, ddl.begin() + end, ";\n")),
                 "temporary tables"));
  }
  return absl::OkStatus();
}

absl::Status TableWriter::Run(const std::string& sql, const std::vector<pg::Param>& params) {
  if (sql.empty()) return absl::OkStatus();
  return session_.QueryPrepared(sql, params).status();
}

void TableWriter::AppendStageLine(const SourcePlan& source, const changes::Change& change,
                                  int ord) {
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

absl::Status TableWriter::SendBuffer(bool at_least_some) {
  if (buffer_.empty() || (at_least_some && buffer_.size() < kSendBytes)) return absl::OkStatus();
  const absl::Status sent = session_.PutCopyData(buffer_);
  buffer_.clear();
  return sent;
}

absl::Status TableWriter::Stage(const changes::TableChanges& table, bool direct) {
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
    RETURN_IF_ERROR(SendBuffer(true));
  }
  RETURN_IF_ERROR(SendBuffer(false));
  return Annotate(AsTypeChange(session_.EndCopyIn().status(), source), "staging " + source.name);
}

absl::Status TableWriter::PlanForManyRows() {
  if (rows_since_planned_ <= kReplanRows) return absl::OkStatus();
  return PlanAnew();
}

absl::Status TableWriter::PlanAnew() {
  rows_since_planned_ = 0;
  return session_.Execute("DISCARD PLANS");
}

absl::Status TableWriter::ClearStage(int source) {
  return session_.Execute("TRUNCATE pg_temp." + QuoteIdentifier(plan_.sources[source].stage));
}

absl::Status TableWriter::CopyInserts(const changes::TableChanges& table, const TableWrite& write) {
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
    RETURN_IF_ERROR(SendBuffer(true));
  }
  RETURN_IF_ERROR(SendBuffer(false));
  return session_.EndCopyIn().status();
}

absl::Status TableWriter::Allot(const mapping::IdAllotment& ids, const std::string& sql,
                                absl::FunctionRef<absl::Status(const std::string& sql)> run) {
  const absl::Status allotted = run(sql);
  if (!IsRefusedRow(allotted)) return Annotate(allotted, "ids of kind " + ids.kind);
  const SourcePlan& source = plan_.sources[ids.source];
  const std::string why = pg::StatusSqlState(allotted) == "23505"
                              ? "its new_id is that of another old id already"
                              : std::string(StdSv(allotted.message()));
  return absl::FailedPreconditionError(absl::StrFormat(
      "ids of kind %s: a row of %s.%s gets none: %s; next: mend old_id and new_id of that rule of "
      "ids%s, then run: switchyard resume FILE, and start it again",
      ids.kind, source.schema, source.name, why,
      pg::StatusSqlState(allotted) == "23505"
          ? " (many: true there where several old ids are to have one new id)"
          : ""));
}

absl::Status TableWriter::Allot(const mapping::IdAllotment& ids, const std::string& sql) {
  return Allot(ids, sql, [&](const std::string& text) { return Run(text); });
}

absl::Status TableWriter::AllotPassed(const changes::TableChanges& table) {
  if (table.count(changes::Op::kPassed) == 0) return absl::OkStatus();
  for (const mapping::IdAllotment& ids : plan_.ids) {
    if (ids.source == table.source) RETURN_IF_ERROR(Allot(ids, ids.passed));
  }
  const std::string stage = "pg_temp." + QuoteIdentifier(plan_.sources[table.source].stage);
  return Run("DELETE FROM " + stage + " WHERE sy__op = 'P'");
}

absl::Status TableWriter::RunCounted(const std::string& sql, int64_t expected, int source,
                                     const TableWrite& write) {
  if (sql.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const pg::Result result, session_.QueryPrepared(sql));
  AddMissing(expected - result.affected(), source, write);
  return absl::OkStatus();
}

absl::Status TableWriter::CountMissing(const std::string& query, int source,
                                       const TableWrite& write) {
  ASSIGN_OR_RETURN(const pg::Result missing, session_.QueryPrepared(query));
  AddMissing(missing.i64(0, 0), source, write);
  return absl::OkStatus();
}

void TableWriter::AddMissing(int64_t rows, int source, const TableWrite& write) {
  if (rows > 0) missed_[{source, write.display}] += rows;
}

std::vector<MissedRows> TableWriter::TakeMissed() {
  std::vector<MissedRows> taken;
  for (const auto& [place, rows] : missed_) taken.push_back({place.first, place.second, rows});
  missed_.clear();
  return taken;
}

absl::Status TableWriter::Remove(const changes::TableChanges& table, const TableWrite& write) {
  return Annotate(RunCounted(write.remove, table.count(changes::Op::kDelete), table.source, write),
                  write.display);
}

absl::Status TableWriter::RemoveAhead(const changes::TableChanges& table, const TableWrite& write) {
  removed_ahead_.insert(&write);
  if (table.truncated) RETURN_IF_ERROR(Annotate(Run(write.clear), write.display));
  if (Exchanges(table, write) || table.count(changes::Op::kMove) > 0) {
    used_.insert(write.gone_table);
    RETURN_IF_ERROR(Annotate(CountMissing(write.missing, table.source, write), write.display));
    return Annotate(Run(write.exchange[0]), write.display);
  }
  return table.count(changes::Op::kDelete) > 0 ? Remove(table, write) : absl::OkStatus();
}

absl::Status TableWriter::Update(const changes::TableChanges& table, const TableWrite& write) {
  const int64_t count = table.count(changes::Op::kUpdate);
  if (count == 0) return absl::OkStatus();
  const std::string& sql = table.has_absent ? write.update_absent : write.update;
  const auto update = [&]() -> absl::Status {
    if (!sql.empty() && (table.has_absent || !write.update_skips_equal)) {
      return RunCounted(sql, count, table.source, write);
    }
    // One that leaves equal rows alone does not tell how many were there.
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

absl::Status TableWriter::Write(const changes::TableChanges& table, const TableWrite& write,
                                bool direct) {
  if (const int late = Late(write); late >= 0) return ordered_->Write(late, table, direct);
  const auto in = [&](const absl::Status& status) { return Annotate(status, write.display); };
  const bool ahead = removed_ahead_.erase(&write) > 0;
  if (table.truncated && !ahead) RETURN_IF_ERROR(in(Run(write.clear)));
  if (Exchanges(table, write) || (ahead && table.count(changes::Op::kMove) > 0)) {
    if (!ahead) RETURN_IF_ERROR(in(CountMissing(write.missing_changed, table.source, write)));
    RETURN_IF_ERROR(ahead ? in(PutBack(write)) : Exchange(write));
    return direct ? in(CopyInserts(table, write)) : absl::OkStatus();
  }
  const bool removed = ahead || (ordered_ != nullptr && ordered_->removed(write));
  if (table.count(changes::Op::kDelete) > 0 && !removed) RETURN_IF_ERROR(Remove(table, write));
  if (table.count(changes::Op::kMove) > 0) {
    RETURN_IF_ERROR(
        in(RunCounted(write.move, table.count(changes::Op::kMove), table.source, write)));
  }
  RETURN_IF_ERROR(Update(table, write));
  if (table.count(changes::Op::kInsert) == 0) return absl::OkStatus();
  return in(direct ? CopyInserts(table, write) : Run(write.insert));
}

// Keys that move one after the other into each other's places can't be updated in one statement,
// whose order nobody knows: those rows are taken out and put back.
absl::Status TableWriter::WriteMirror(const changes::TableChanges& table,
                                      const TableWrite& mirror) {
  if (table.count(changes::Op::kMove) < 2) return Write(table, mirror, false);
  if (table.truncated) RETURN_IF_ERROR(Annotate(Run(mirror.clear), mirror.display));
  RETURN_IF_ERROR(Annotate(CountMissing(mirror.missing, table.source, mirror), mirror.display));
  return Exchange(mirror);
}

absl::Status TableWriter::Clear(const TableWrite& write) {
  const int late = Late(write);
  return Annotate(late >= 0 ? ordered_->NoteAll(late) : Run(write.clear), write.display);
}

int TableWriter::Late(const TableWrite& write) const {
  return ordered_ == nullptr ? -1 : ordered_->LateMapping(write);
}

absl::Status TableWriter::WriteStaged(const TableWrite& write) {
  if (const int late = Late(write); late >= 0) return ordered_->WriteStaged(late);
  if (write.exchange_moves || write.exchange_updates) return Exchange(write);
  for (const std::string* sql : {&write.remove, &write.move, &write.update_absent, &write.insert}) {
    RETURN_IF_ERROR(Annotate(Run(*sql), write.display));
  }
  return absl::OkStatus();
}

absl::Status TableWriter::Exchange(const TableWrite& write) {
  if (const int late = Late(write); late >= 0) return ordered_->Exchange(late);
  used_.insert(write.gone_table);
  const auto exchange = [&]() -> absl::Status {
    for (size_t i = 0; i < write.exchange.size(); ++i) {
      // After the first, which takes rows out of the target, no join has an index.
      if (i == 1) RETURN_IF_ERROR(session_.Execute(kHash));
      RETURN_IF_ERROR(Run(write.exchange[i]));
    }
    return session_.Execute(kIndex);
  };
  const int mapping = ordered_ == nullptr ? -1 : ordered_->MappingOf(write);
  return Annotate(TakeOut(mapping, write.remove, exchange), write.display);
}

absl::Status TableWriter::PutBack(const TableWrite& write) {
  for (size_t i = 1; i < write.exchange.size(); ++i) RETURN_IF_ERROR(Run(write.exchange[i]));
  return absl::OkStatus();
}

absl::Status TableWriter::TakeOut(int mapping, const std::string& remove,
                                  absl::FunctionRef<absl::Status()> exchange) {
  if (ordered_ == nullptr || mapping < 0 || !ordered_->acted_on(mapping)) return exchange();
  RETURN_IF_ERROR(Run(remove));
  return ordered_->TakeOut(mapping, exchange);
}

absl::Status TableWriter::Touch(int mapping, const mapping::TouchRule& rule, bool before,
                                bool everything) {
  UseMapping(mapping);
  return Run(!before ? rule.after : everything ? rule.all : rule.before);
}

absl::Status TableWriter::TouchOwn(int mapping) {
  UseMapping(mapping);
  return Run(plan_.mappings[mapping].keyed.touch_own);
}

absl::Status TableWriter::Compute(int mapping) {
  const MappingPlan& plan = plan_.mappings[mapping];
  RETURN_IF_ERROR(session_.Execute(kHash));
  const absl::StatusOr<pg::Result> twice = session_.QueryPrepared(plan.keyed.compute);
  RETURN_IF_ERROR(Annotate(twice.status(), plan.display));
  if (twice->rows() > 0) {
    return RefusedScope("21000", plan, "the select gives several rows under one key");
  }
  return session_.Execute(kIndex);
}

// No row is taken from a scope that is not computed with it.
absl::Status TableWriter::CheckHeld(int mapping) {
  const MappingPlan& plan = plan_.mappings[mapping];
  const bool late = ordered_ != nullptr && ordered_->late(mapping);
  const std::string& sql = late ? plan.ordered.held : plan.keyed.held;
  if (sql.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const pg::Result held, session_.QueryPrepared(sql));
  if (held.rows() == 0) return absl::OkStatus();
  return RefusedScope("23505", plan, "the select gives a key that a row of another scope has");
}

absl::Status TableWriter::FindChanges(int mapping, Readers readers) {
  const MappingPlan& plan = plan_.mappings[mapping];
  if (plan.keyed.remember.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(Annotate(Run(plan.keyed.remember), plan.display));
  RETURN_IF_ERROR(session_.Execute(kHash));
  for (const std::string& sql : plan.keyed.changes) {
    RETURN_IF_ERROR(Annotate(Run(sql), plan.display));
  }
  RETURN_IF_ERROR(session_.Execute(kIndex));
  return readers(true);
}

absl::Status TableWriter::Recompute(int mapping, bool exchange, Readers readers) {
  RETURN_IF_ERROR(Compute(mapping));
  RETURN_IF_ERROR(CheckHeld(mapping));
  RETURN_IF_ERROR(FindChanges(mapping, readers));
  RETURN_IF_ERROR(WriteComputed(mapping, exchange));
  return plan_.mappings[mapping].keyed.remember.empty() ? absl::OkStatus() : readers(false);
}

absl::Status TableWriter::RemoveVanished(int mapping, Readers readers) {
  RETURN_IF_ERROR(Compute(mapping));
  RETURN_IF_ERROR(FindChanges(mapping, readers));
  const MappingPlan& plan = plan_.mappings[mapping];
  RETURN_IF_ERROR(Annotate(Run(plan.keyed.remove), plan.display));
  return plan.keyed.remember.empty() ? absl::OkStatus() : readers(false);
}

absl::Status TableWriter::WriteComputed(int mapping, bool exchange) {
  const mapping::KeyedPlan& keyed = plan_.mappings[mapping].keyed;
  const auto in = [&](const absl::Status& status) {
    return Annotate(status, plan_.mappings[mapping].display);
  };
  if (ordered_ != nullptr && ordered_->late(mapping)) {
    return ordered_->Recompute(mapping, exchange);
  }
  if (exchange || keyed.only_exchange) {
    return in(TakeOut(mapping, keyed.remove, [&]() -> absl::Status {
      for (size_t i = 0; i < keyed.exchange.size(); ++i) {
        // After the first, which takes rows out of the target, no join has an index.
        if (i == 1) RETURN_IF_ERROR(session_.Execute(kHash));
        RETURN_IF_ERROR(Run(keyed.exchange[i]));
      }
      return session_.Execute(kIndex);
    }));
  }
  RETURN_IF_ERROR(in(Run(keyed.remove)));
  RETURN_IF_ERROR(in(Run(keyed.update)));
  return in(Run(keyed.insert));
}

void TableWriter::UseStage(int source) { used_.insert(plan_.sources[source].stage); }

void TableWriter::UseMapping(int mapping) {
  const std::vector<std::string>& tables = plan_.mappings[mapping].keyed.temp_tables;
  used_.insert(tables.begin(), tables.end());
}

absl::Status TableWriter::EmptyUsed() {
  std::vector<std::string> full;
  for (const std::string& table : used_) {
    const std::string quoted = "pg_temp." + QuoteIdentifier(table);
    int64_t& dirty = dirty_[table];
    if (staged_rows_ > kTruncateRows || dirty > kDirtyRowsMax) {
      full.push_back(quoted);
      dirty = 0;
      continue;
    }
    ASSIGN_OR_RETURN(const pg::Result deleted, session_.QueryPrepared("DELETE FROM " + quoted));
    dirty += std::max(deleted.affected(), staged_rows_);
  }
  used_.clear();
  staged_rows_ = 0;
  return full.empty() ? absl::OkStatus()
                      : session_.Execute("TRUNCATE " + absl::StrJoin(full, ", "));
}

absl::Status TableWriter::ChangeTaken(const TableWrite& write) {
  RETURN_IF_ERROR(session_.Execute(kHash));
  RETURN_IF_ERROR(Annotate(Run(write.exchange[1]), write.display));
  return session_.Execute(kIndex);
}

absl::Status TableWriter::NextSlice(int mapping) {
  UseMapping(mapping);
  std::vector<std::string> full;
  for (const std::string& table : plan_.mappings[mapping].keyed.temp_tables) {
    if (table == plan_.mappings[mapping].keyed.slice_table) continue;
    full.push_back("pg_temp." + QuoteIdentifier(table));
  }
  RETURN_IF_ERROR(session_.Execute("TRUNCATE " + absl::StrJoin(full, ", ")));
  return PlanAnew();
}

absl::Status TableWriter::CleanRecompute(int mapping) {
  UseMapping(mapping);
  for (const std::string& sql : plan_.mappings[mapping].keyed.clean) RETURN_IF_ERROR(Run(sql));
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
