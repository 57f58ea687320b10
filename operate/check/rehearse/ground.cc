#include "operate/check/rehearse/ground.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/pg/error.h"

namespace switchyard::operate {

using mapping::MappingIndex;
using mapping::MappingPlan;
using replayer::Breadth;
using replayer::Inserts;
using replayer::Moment;

namespace {

// Rows that this transaction deleted stay in their pages until it ends.
constexpr int kFillsBeforeTruncate = 10;
constexpr char kSettings[] =
    "SET LOCAL jit = off; SET LOCAL client_min_messages = error; SET LOCAL lock_timeout = '5s'";
constexpr char kMissesMax[] = "20";

std::string Temp(const std::string& name) { return "pg_temp." + QuoteIdentifier(name); }

// A row's value as the target keeps it.
std::string Cast(const std::string& column, const std::string& type) {
  return absl::StrCat("sy_r.", QuoteIdentifier(column), "::", type);
}

bool Lost(const absl::Status& status, const pg::Session& session) {
  return !session.alive() || absl::IsCancelled(status) || absl::IsUnavailable(status);
}

}  // namespace

Ground::Ground(pg::Session& session, TemporaryPlan plan)
    : session_(session), plan_(std::move(plan)), scope_types_(plan_.plan.mappings.size()) {}

Ground::~Ground() { session_.Rollback(); }

absl::StatusOr<std::unique_ptr<Ground>> Ground::Make(pg::Session& session, TemporaryPlan plan,
                                                     const Constraints& constraints) {
  RETURN_IF_ERROR(session.Begin());
  std::unique_ptr<Ground> ground(new Ground(session, std::move(plan)));
  RETURN_IF_ERROR(ground->MakeTables());
  RETURN_IF_ERROR(ground->AddChecks(constraints));
  return ground;
}

absl::Status Ground::AddChecks(const Constraints& constraints) {
  for (const CheckConstraint& check : constraints.checks) {
    const mapping::SourcePlan& source = plan().sources[check.source];
    if (!source.mirrored) continue;
    // A function of OLD's own, or a column that the mirror leaves out: without it, then.
    ASSIGN_OR_RETURN(const std::string refused, InSavepoint([&] {
                       return session_.Execute(absl::StrCat("ALTER TABLE ", source.mirror.target,
                                                            " ADD CHECK (", check.sql, ")"));
                     }));
    if (refused.empty()) RETURN_IF_ERROR(session_.Execute("RELEASE SAVEPOINT sy_try"));
  }
  return absl::OkStatus();
}

absl::Status Ground::MakeTables() {
  RETURN_IF_ERROR(session_.Execute(kSettings));
  const auto run_all = [&](const std::vector<std::string>& statements) -> absl::Status {
    for (const std::string& sql : statements) RETURN_IF_ERROR(session_.Execute(sql));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(run_all(plan_.plan.type_ddl));
  RETURN_IF_ERROR(run_all(plan_.tables));
  RETURN_IF_ERROR(CompleteTargets());
  // Views are bound as install binds them; what is run then, as replay runs it.
  RETURN_IF_ERROR(run_all({"SET LOCAL search_path = " + plan().search_path}));
  RETURN_IF_ERROR(run_all(plan_.views));
  if (!plan().calls_functions_by_path) {
    RETURN_IF_ERROR(run_all({"SET LOCAL search_path = pg_catalog"}));
  }
  stage_ = std::make_unique<replayer::Stage>(session_, plan_.plan);
  RETURN_IF_ERROR(stage_->MakeAllTables());
  writer_ = std::make_unique<replayer::TableWriter>(*stage_);
  touched_ = std::make_unique<replayer::TouchedScopes>(*writer_);
  return absl::OkStatus();
}

// Rows may lack what NEW demands of columns outside the key: what is looked at is whether they are
// kept up to date.
absl::Status Ground::CompleteTargets() {
  std::set<std::string> keyed;
  std::vector<std::string> compared;
  for (const MappingIndex m : plan_.plan.mapping_indices()) {
    const MappingPlan& mapping = plan_.plan.mappings[m];
    const std::string target = Temp(plan_.targets[m]);
    ASSIGN_OR_RETURN(const pg::Result columns,
                     session_.Query(absl::StrCat(
                         "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM "
                         "pg_attribute WHERE attrelid = ",
                         QuoteLiteral(target), "::regclass AND attnum > 0 AND NOT attisdropped")));
    std::map<std::string, std::string> types;
    const bool first = keyed.insert(target).second;
    for (int i = 0; i < columns.rows(); ++i) {
      types[columns.str(i, 0)] = columns.str(i, 1);
      if (!first || !columns.boolean(i, 2)) continue;
      RETURN_IF_ERROR(
          session_.Execute(absl::StrCat("ALTER TABLE ", target, " ALTER COLUMN ",
                                        QuoteIdentifier(columns.text(i, 0)), " DROP NOT NULL")));
    }
    if (first) {
      std::vector<std::string> key;
      for (const std::string& column : mapping.key) key.push_back(QuoteIdentifier(column));
      RETURN_IF_ERROR(session_.Execute(absl::StrCat("ALTER TABLE ", target, " ADD PRIMARY KEY (",
                                                    absl::StrJoin(key, ", "), ")")));
    }
    for (const std::string& column : mapping.keyed.scope_columns) {
      scope_types_[m].push_back(types[column]);
    }
    compared.push_back(CompareSql(m, types));
  }
  compare_ = absl::StrJoin(compared, " UNION ALL ");
  return absl::OkStatus();
}

// Rows of (mapping, what, text): a scope that lacks a row ('l') or has one too many ('m'), and the
// digest of the table ('d').
std::string Ground::CompareSql(MappingIndex mapping,
                               const std::map<std::string, std::string>& types) const {
  const MappingPlan& plan = plan_.plan.mappings[mapping];
  const std::string number = std::to_string(mapping.value());
  const std::string owns = plan.owned.empty() ? "" : " AND (" + plan.owned + "\n)";
  // The table's rows as `from` has them, by alias sy_r.
  const auto rows = [&](const std::string& from, const std::string& also) {
    std::vector<std::string> row, scope, there;
    for (const std::string& column : plan.columns) row.push_back(Cast(column, types.at(column)));
    for (const std::string& column : plan.keyed.scope_columns) {
      scope.push_back(
          absl::StrCat(QuoteLiteral(column), ", ", Cast(column, types.at(column)), "::text"));
      there.push_back(QuoteIdentifier(column) + " IS NOT NULL");
    }
    for (const std::string& column : plan.key) {
      there.push_back(QuoteIdentifier(column) + " IS NOT NULL");
    }
    return absl::StrCat("SELECT jsonb_build_object(", absl::StrJoin(scope, ", "),
                        ")::text AS scope, ROW(", absl::StrJoin(row, ", "), ")::text AS row FROM ",
                        from, " AS sy_r WHERE ", absl::StrJoin(there, " AND "), also);
  };
  const std::string digest = absl::StrCat(
      "SELECT ", number,
      " AS mapping, 'd' AS what, coalesce(sum(hashtextextended(row, 0)), 0)::text FROM sy_is");
  const std::string is =
      absl::StrCat("sy_is AS MATERIALIZED (", rows(Temp(plan_.targets[mapping]), owns), ")");
  if (plan.row_local) return absl::StrCat("(WITH ", is, " ", digest, ")");
  const auto apart = [&](const char* what, const char* one, const char* other) {
    return absl::StrCat(" UNION ALL (SELECT ", number, ", '", what, "', scope FROM (TABLE ", one,
                        " EXCEPT ALL TABLE ", other, ") AS sy_a LIMIT ", kMissesMax, ")");
  };
  return absl::StrCat("(WITH sy_all AS MATERIALIZED (",
                      rows(Temp(absl::StrCat("sy_rehearsed_view_", number)), ""), "), ", is, " ",
                      digest, apart("l", "sy_all", "sy_is"), apart("m", "sy_is", "sy_all"), ")");
}

absl::StatusOr<std::string> Ground::InSavepoint(absl::FunctionRef<absl::Status()> body) {
  RETURN_IF_ERROR(session_.Execute("SAVEPOINT sy_try"));
  const absl::Status done = body();
  if (done.ok()) return std::string();
  if (Lost(done, session_)) return done;
  RETURN_IF_ERROR(Undo());
  return std::string(StdSv(done.message()));
}

absl::Status Ground::Undo() {
  writer_->ForgetAhead();
  touched_->Clear();
  return session_.Execute("ROLLBACK TO SAVEPOINT sy_try; RELEASE SAVEPOINT sy_try");
}

absl::StatusOr<std::string> Ground::Fill(const Changes& rows) {
  RETURN_IF_ERROR(Empty());
  const changes::Batch batch = BatchOf(plan(), rows);
  ASSIGN_OR_RETURN(std::string refused, InSavepoint([&] { return FillEmpty(batch); }));
  if (!refused.empty()) return refused;
  std::vector<Miss> none;
  ASSIGN_OR_RETURN(digests_, Compare(&none));
  RETURN_IF_ERROR(session_.Execute("RELEASE SAVEPOINT sy_try"));
  return refused;
}

absl::Status Ground::Empty() {
  std::set<std::string> tables;
  for (const std::string& target : plan_.targets) tables.insert(Temp(target));
  for (const mapping::SourcePlan& source : plan().sources) {
    if (source.mirrored) tables.insert(source.mirror.target);
  }
  if (!plan().ids.empty()) tables.insert("pg_temp.sy_rehearsed_ids");
  if (tables.empty()) return absl::OkStatus();
  if (++fills_ % kFillsBeforeTruncate == 0) {
    return session_.Execute("TRUNCATE " + absl::StrJoin(tables, ", "));
  }
  return session_.Execute("DELETE FROM " + absl::StrJoin(tables, "; DELETE FROM "));
}

absl::Status Ground::FillEmpty(const changes::Batch& batch) {
  for (const changes::TableChanges& table : batch.tables) {
    RETURN_IF_ERROR(stage_->Load(table, Inserts::kStaged));
    const mapping::SourcePlan& source = plan().sources[table.source];
    if (source.mirrored) RETURN_IF_ERROR(writer_->WriteMirror(table, source.mirror));
  }
  for (const mapping::IdAllotment& ids : plan().ids) RETURN_IF_ERROR(writer_->Allot(ids, ids.all));
  for (const MappingIndex m : plan().mapping_indices()) {
    const MappingPlan& mapping = plan().mappings[m];
    if (!mapping.row_local) {
      RETURN_IF_ERROR(Annotate(stage_->Run(mapping.keyed.populate), mapping.display));
      continue;
    }
    for (const changes::TableChanges& table : batch.tables) {
      if (table.source != mapping.source) continue;
      RETURN_IF_ERROR(writer_->Write(table, mapping.write, Inserts::kStaged));
    }
  }
  return stage_->EmptyUsed();
}

absl::StatusOr<Outcome> Ground::Try(const Changes& changes, Then then) {
  Outcome outcome;
  ASSIGN_OR_RETURN(outcome.refused, InSavepoint([&]() -> absl::Status {
                     RETURN_IF_ERROR(Apply(changes));
                     ASSIGN_OR_RETURN(held_, Compare(&outcome.misses));
                     return stage_->EmptyUsed();
                   }));
  if (!outcome.refused.empty()) return outcome;
  for (const auto& [mapping, digest] : held_) {
    if (digests_[mapping] != digest) outcome.changed.insert(mapping);
  }
  if (!outcome.misses.empty()) then = Then::kUndo;
  if (then != Then::kHold) RETURN_IF_ERROR(Settle(then));
  return outcome;
}

absl::Status Ground::Settle(Then then) {
  touched_->Clear();
  if (then == Then::kUndo) return Undo();
  digests_ = std::move(held_);
  return session_.Execute("RELEASE SAVEPOINT sy_try");
}

absl::StatusOr<bool> Ground::MissesWithout(const RuleArm& arm, const Changes& changes) {
  std::vector<mapping::TouchRule>& touches = plan_.plan.mappings[arm.mapping].keyed.touches;
  const std::vector<mapping::TouchRule> all = std::exchange(touches, arm.touches_without);
  const absl::StatusOr<Outcome> outcome = Try(changes, Then::kUndo);
  touches = all;
  RETURN_IF_ERROR(outcome.status());
  return !outcome->misses.empty();
}

absl::Status Ground::Around(const Changes& changes, absl::FunctionRef<absl::Status()> look) {
  ASSIGN_OR_RETURN(const std::string refused, InSavepoint([&]() -> absl::Status {
                     RETURN_IF_ERROR(look());
                     RETURN_IF_ERROR(Apply(changes));
                     RETURN_IF_ERROR(look());
                     return stage_->EmptyUsed();
                   }));
  return refused.empty() ? Undo() : absl::InvalidArgumentError(refused);
}

absl::Status Ground::Apply(const Changes& changes) {
  if (!in_chunks_ || changes.size() < 2) return ApplyBatch(BatchOf(plan(), changes));
  const auto middle = changes.begin() + static_cast<ptrdiff_t>(changes.size() / 2);
  changes::Batch chunk = BatchOf(plan(), Changes(changes.begin(), middle));
  chunk.chunk = true;
  RETURN_IF_ERROR(ApplyBatch(chunk));
  return ApplyBatch(BatchOf(plan(), Changes(middle, changes.end())));
}

// As the replayer applies a batch (replayer/target/pg_target.cc), where nothing is refused.
absl::Status Ground::ApplyBatch(const changes::Batch& batch) {
  for (const changes::TableChanges& table : batch.tables) {
    RETURN_IF_ERROR(stage_->Load(table, Inserts::kStaged));
  }
  RETURN_IF_ERROR(touched_->ByBatch(batch, Moment::kBefore));
  for (const changes::TableChanges& table : batch.tables) {
    const mapping::SourcePlan& source = plan().sources[table.source];
    RETURN_IF_ERROR(writer_->AllotPassed(table));
    if (source.mirrored) RETURN_IF_ERROR(writer_->WriteMirror(table, source.mirror));
  }
  for (const mapping::IdAllotment& ids : plan().ids) {
    if (std::ranges::count(batch.tables, ids.source, &changes::TableChanges::source) > 0) {
      RETURN_IF_ERROR(writer_->Allot(ids, ids.changed));
    }
  }
  if (batch.chunk) RETURN_IF_ERROR(touched_->ByBatch(batch, Moment::kAfter));
  RETURN_IF_ERROR(MakeRoom(batch));
  for (const MappingIndex m : plan().mapping_indices()) {
    if (plan().mappings[m].row_local) {
      RETURN_IF_ERROR(WriteRowLocal(batch, m));
    } else if (!batch.chunk && touched_->contains(m)) {
      RETURN_IF_ERROR(touched_->ByBatchOf(batch, m, Moment::kAfter));
      RETURN_IF_ERROR(writer_->Recompute(m, replayer::Manner::kInPlace, [&](Moment moment) {
        return touched_->ByUpstream(m, moment, Breadth::kChanged);
      }));
    }
  }
  for (const changes::TableChanges& table : batch.tables) {
    if (batch.chunk) RETURN_IF_ERROR(stage_->ClearStage(table.source));
  }
  return absl::OkStatus();
}

// Where several mappings fill one table, what goes, goes before any of them inserts.
absl::Status Ground::MakeRoom(const changes::Batch& batch) {
  for (const MappingIndex m : plan().mapping_indices()) {
    const MappingPlan& mapping = plan().mappings[m];
    if (!mapping.row_local || std::ranges::count(plan_.targets, plan_.targets[m]) < 2) continue;
    for (const changes::TableChanges& table : batch.tables) {
      if (table.source != mapping.source) continue;
      RETURN_IF_ERROR(touched_->ByUpstream(m, Moment::kBefore, Breadth::kChanged));
      RETURN_IF_ERROR(writer_->RemoveAhead(table, mapping.write));
    }
  }
  return absl::OkStatus();
}

absl::Status Ground::WriteRowLocal(const changes::Batch& batch, MappingIndex mapping) {
  const MappingPlan& plan = plan_.plan.mappings[mapping];
  for (const changes::TableChanges& table : batch.tables) {
    if (table.source != plan.source) continue;
    RETURN_IF_ERROR(touched_->ByUpstream(mapping, Moment::kBefore, Breadth::kChanged));
    RETURN_IF_ERROR(writer_->Write(table, plan.write, Inserts::kStaged));
    RETURN_IF_ERROR(touched_->ByUpstream(mapping, Moment::kAfter, Breadth::kChanged));
  }
  return absl::OkStatus();
}

absl::StatusOr<Ground::Digests> Ground::Compare(std::vector<Miss>* misses) {
  Digests digests;
  if (compare_.empty()) return digests;
  ASSIGN_OR_RETURN(const pg::Result rows, session_.QueryPrepared(compare_));
  for (int i = 0; i < rows.rows(); ++i) {
    const MappingIndex mapping(rows.i64(i, 0));
    const std::string_view what = rows.text(i, 1);
    if (what == "d") {
      digests[mapping] = rows.str(i, 2);
    } else {
      misses->push_back({.mapping = mapping, .scope = rows.str(i, 2), .stayed = what == "m"});
    }
  }
  return digests;
}

}  // namespace switchyard::operate
