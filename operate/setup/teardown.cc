#include "operate/setup/teardown.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "capture/capture.h"
#include "capture/source/source_state.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/eventlog/remove_log.h"
#include "common/mapping/plan.h"
#include "common/pg/control_session.h"
#include "common/records/mark.h"
#include "common/records/stream/stream.h"
#include "deploy/sql/fence.sql.h"
#include "deploy/sql/source.sql.h"
#include "deploy/sql/source_before_14.sql.h"
#include "deploy/sql/target.sql.h"
#include "operate/connect.h"
#include "operate/log_options.h"
#include "operate/workers.h"
#include "replayer/target/target_session.h"

namespace switchyard::operate {
namespace {

using records::Direction;
using Side = TeardownStep::Side;

constexpr char kOwnSchema[] = "switchyard";

// What a setup makes in the schema: the names behind `phrase`.
std::vector<std::string> Made(std::string_view setup, std::string_view phrase) {
  std::vector<std::string> names;
  for (size_t at = setup.find(phrase); at != setup.npos; at = setup.find(phrase, at)) {
    at += phrase.size();
    const std::string_view name = setup.substr(at, setup.find_first_of(" (", at) - at);
    if (std::ranges::count(names, name) == 0) names.emplace_back(name);
  }
  return names;
}

std::string Own(std::string_view name) { return QuoteQualified(kOwnSchema, name); }

// The objects of one database that belong to the migration, in the order they can go.
class DatabasePlan {
 public:
  // `streams`: those of the migration, which read or write this database.
  DatabasePlan(pg::ControlSession& session, Side side, std::vector<records::Stream> streams,
               std::string_view setup, TeardownReport* report)
      : session_(session),
        side_(side),
        streams_(std::move(streams)),
        migration_(records::MigrationOf(streams_.front().name)),
        tables_(Made(setup, "CREATE TABLE IF NOT EXISTS switchyard.")),
        functions_(Made(setup, "CREATE OR REPLACE FUNCTION switchyard.")),
        report_(report) {
    // Goes with the fence, before the others.
    functions_.push_back("fence_" + migration_);
  }

  absl::Status AddSlot(const std::string& slot);
  absl::Status AddPublication(const std::string& publication);
  // Triggers on the mapped tables, and what decides whether they let writes pass.
  absl::Status AddFence();
  // The rows of the streams; finds out who else keeps rows here.
  absl::Status AddRows();
  // Views, tables, types and collations of the mirror, which streams of one direction share.
  absl::Status AddMirror(const records::Stream& stream);
  // Tables, functions and the schema itself, unless others use it.
  absl::Status AddSchema();

 private:
  void Add(std::string what, std::string statement, std::string owner) {
    report_->steps.push_back({.side = side_,
                              .what = std::move(what),
                              .statement = std::move(statement),
                              .owner = std::move(owner)});
  }
  // One step for all objects that `sql` lists (name for a statement, owner); those of the list.
  absl::Status AddDrop(const std::string& sql, const std::vector<pg::Param>& parameters,
                       const std::string& kind, const std::string& what);
  bool IsOurs(std::string_view stream) const {
    return std::ranges::count(streams_, stream, &records::Stream::name) > 0;
  }
  // One of the streams is applied here, so that views are its mapping's.
  bool is_target() const {
    const auto written = side_ == Side::kNew ? Direction::kForward : Direction::kReverse;
    return std::ranges::count(streams_, written, &records::Stream::direction) > 0;
  }
  absl::StatusOr<std::string> WhatElseIsIn(const std::string& schema);
  absl::Status AddSchemaItself(const std::string& schema);

  pg::ControlSession& session_;
  const Side side_;
  const std::vector<records::Stream> streams_;
  const std::string migration_;
  const std::vector<std::string> tables_;
  std::vector<std::string> functions_;
  TeardownReport* const report_;
  std::set<std::string> others_;  // streams that keep rows here, too
};

absl::Status DatabasePlan::AddSlot(const std::string& slot) {
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   session_.Query("SELECT FROM pg_replication_slots WHERE slot_name = $1 AND "
                                  "plugin = 'pgoutput' AND database = current_database()",
                                  {slot}));
  if (rows.rows() == 0) return absl::OkStatus();
  Add("replication slot " + slot,
      absl::StrCat("SELECT pg_drop_replication_slot(", QuoteLiteral(slot), ");"),
      "a role with REPLICATION");
  return absl::OkStatus();
}

absl::Status DatabasePlan::AddPublication(const std::string& publication) {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      session_.Query("SELECT pg_get_userbyid(pubowner) FROM pg_publication WHERE pubname = $1",
                     {publication}));
  if (rows.rows() == 0) return absl::OkStatus();
  Add("publication " + publication,
      absl::StrCat("DROP PUBLICATION IF EXISTS ", QuoteIdentifier(publication), ";"),
      rows.str(0, 0));
  return absl::OkStatus();
}

absl::Status DatabasePlan::AddFence() {
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   session_.Query("SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname = "
                                  "'fence_' || $1 AND pronargs = 0 AND "
                                  "pronamespace = to_regnamespace('switchyard')",
                                  {migration_}));
  if (rows.rows() == 0) return absl::OkStatus();
  Add("fence on the mapped tables",
      absl::StrCat("SELECT switchyard.fence_remove(", QuoteLiteral(migration_), ");"),
      rows.str(0, 0));
  return absl::OkStatus();
}

absl::Status DatabasePlan::AddRows() {
  // The column that says whose a row is, of tables that have one. Children come before parents.
  // What this login may not read it may not empty or drop either: that is told of the table.
  ASSIGN_OR_RETURN(const pg::Rows tables, session_.Query(R"(
    SELECT c.relname, a.attname, pg_get_userbyid(c.relowner)
    FROM unnest($1::text[]) WITH ORDINALITY AS made (name, number)
    JOIN pg_class c ON c.relname = made.name
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'switchyard'
    JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
         AND a.attname = CASE WHEN c.relname = 'stream' THEN 'name'
         WHEN c.relname IN ('ownership', 'old_side', 'journal', 'lease') THEN 'migration'
         ELSE 'stream' END
    WHERE has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
    ORDER BY made.number DESC)",
                                                         {ArrayLiteral(tables_)}));
  for (int i = 0; i < tables.rows(); ++i) {
    const std::string table = Own(tables.text(i, 0));
    const std::string column = QuoteIdentifier(tables.text(i, 1));
    ASSIGN_OR_RETURN(const pg::Rows streams,
                     session_.Query(absl::StrCat("SELECT ", column, ", count(*) FROM ", table,
                                                 " GROUP BY 1 ORDER BY 1")));
    // A migration with rows of its own in one of these has some of its streams in others.
    const bool by_migration = tables.text(i, 1) == "migration";
    for (int k = 0; k < streams.rows(); ++k) {
      const std::string whose = streams.str(k, 0);
      if (by_migration ? whose != migration_ : !IsOurs(whose)) {
        if (!by_migration) others_.insert(whose);
        continue;
      }
      Add(absl::StrCat("rows of ", tables.str(i, 0), " (", streams.str(k, 1), ")"),
          absl::StrCat("DELETE FROM ", table, " WHERE ", column, " = ", QuoteLiteral(whose), ";"),
          tables.str(i, 2));
    }
  }
  if (!others_.empty()) {
    report_->notes.push_back(
        absl::StrCat("schema switchyard of ", side_ == Side::kOld ? "OLD" : "NEW",
                     " stays, with what is in it: ", absl::StrJoin(others_, ", "), " uses it"));
  }
  return absl::OkStatus();
}

absl::Status DatabasePlan::AddDrop(const std::string& sql, const std::vector<pg::Param>& parameters,
                                   const std::string& kind, const std::string& what) {
  ASSIGN_OR_RETURN(const pg::Rows rows, session_.Query(sql, parameters));
  if (rows.rows() == 0) return absl::OkStatus();
  std::vector<std::string> names;
  for (int i = 0; i < rows.rows(); ++i) names.push_back(rows.str(i, 0));
  Add(absl::StrCat(what, ": ", absl::StrJoin(names, ", ")),
      absl::StrCat("DROP ", kind, " IF EXISTS ", absl::StrJoin(names, ", "), ";"), rows.str(0, 1));
  return absl::OkStatus();
}

absl::Status DatabasePlan::AddMirror(const records::Stream& stream) {
  for (const std::string& other : others_) {
    if (records::DirectionOf(other) == stream.direction) return absl::OkStatus();
  }
  const std::string& mirror = stream.mirror_schema;
  constexpr char kRelations[] =
      "SELECT format('%I.%I', n.nspname, c.relname), pg_get_userbyid(c.relowner) "
      "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE n.nspname = $1 AND c.relkind = ANY($2::text[]::\"char\"[]) "
      "AND starts_with(c.relname, $3) ORDER BY 1";
  RETURN_IF_ERROR(
      AddDrop(kRelations, {kOwnSchema, "{v}", stream.view_prefix}, "VIEW", "views of the mapping"));
  RETURN_IF_ERROR(AddDrop(kRelations, {mirror, "{v}", ""}, "VIEW", "views of the mirror"));
  RETURN_IF_ERROR(AddDrop(kRelations, {mirror, "{r,p}", ""}, "TABLE", "mirror"));
  RETURN_IF_ERROR(
      AddDrop("SELECT format('%I.%I', n.nspname, t.typname), pg_get_userbyid(t.typowner) "
              "FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
              "LEFT JOIN pg_class c ON c.oid = t.typrelid WHERE n.nspname = $1 "
              "AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c') "
              "ORDER BY 1",
              {mirror}, "TYPE", "types of the mirror"));
  RETURN_IF_ERROR(
      AddDrop("SELECT format('%I.%I', n.nspname, c.collname), pg_get_userbyid(c.collowner) "
              "FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace "
              "WHERE n.nspname = $1 ORDER BY 1",
              {mirror}, "COLLATION", "collations of the mirror"));
  return AddSchemaItself(mirror);
}

absl::Status DatabasePlan::AddSchema() {
  if (!others_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(
      AddDrop("SELECT format('%I.%I', n.nspname, c.relname), pg_get_userbyid(c.relowner) "
              "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
              "WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relname = ANY($2) ORDER BY 1",
              {kOwnSchema, ArrayLiteral(tables_)}, "TABLE", "tables"));
  RETURN_IF_ERROR(
      AddDrop("SELECT format('%I.%I(%s)', n.nspname, p.proname, "
              "pg_get_function_identity_arguments(p.oid)), pg_get_userbyid(p.proowner) "
              "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
              "WHERE n.nspname = $1 AND p.proname = ANY($2) ORDER BY 1",
              {kOwnSchema, ArrayLiteral(functions_)}, "FUNCTION", "functions"));
  ASSIGN_OR_RETURN(const std::string others, WhatElseIsIn(kOwnSchema));
  if (others.empty()) return AddSchemaItself(kOwnSchema);
  report_->notes.push_back(absl::StrCat(
      "schema switchyard of ", side_ == Side::kOld ? "OLD" : "NEW", " stays: it holds ", others));
  return absl::OkStatus();
}

// What no step before drops, as people name it.
absl::StatusOr<std::string> DatabasePlan::WhatElseIsIn(const std::string& schema) {
  const char* views = is_target() ? "m" : "v,m";
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   session_.Query(R"(
    SELECT string_agg(name, ', ' ORDER BY name) FROM (
      SELECT 'table or view ' || c.relname FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND (c.relkind IN ('r', 'p', 'f') AND c.relname <> ALL ($2)
                                OR c.relkind = ANY($4::text[]::"char"[]))
      UNION ALL
      SELECT 'function ' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = $1 AND p.proname <> ALL ($3)) AS other (name))",
                                  {schema, ArrayLiteral(tables_), ArrayLiteral(functions_),
                                   absl::StrCat("{", views, "}")}));
  return rows.str(0, 0);
}

absl::Status DatabasePlan::AddSchemaItself(const std::string& schema) {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      session_.Query("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = $1",
                     {schema}));
  if (rows.rows() == 0) return absl::OkStatus();
  Add("schema " + schema, absl::StrCat("DROP SCHEMA IF EXISTS ", QuoteIdentifier(schema), ";"),
      rows.str(0, 0));
  return absl::OkStatus();
}

// The databases and the log while they are looked at, and emptied.
class Site {
 public:
  Site(const spec::MigrationFile& file, TeardownOf what, const Cancel& cancel)
      : file_(file), what_(what), cancel_(cancel), streams_(records::StreamsOf(file)) {}

  absl::Status Connect();
  absl::StatusOr<TeardownReport> Plan();
  absl::Status NoteWorkers(TeardownReport* report);
  // FailedPrecondition: a role has it.
  absl::Status Lock();
  absl::Status Remove(TeardownReport* report);

 private:
  absl::Status PlanDatabase(Side side, TeardownReport* report);
  absl::Status PlanLog(TeardownReport* report);
  absl::Status Run(TeardownStep* step);

  const spec::MigrationFile& file_;
  const TeardownOf what_;
  const Cancel& cancel_;
  // Of the database that a stream reads, and of the one it writes.
  pg::ControlSession* source(const records::Stream& stream) const {
    return stream.direction == Direction::kForward ? old_.get() : new_.get();
  }
  pg::ControlSession* target(const records::Stream& stream) const {
    return stream.direction == Direction::kForward ? new_.get() : old_.get();
  }
  absl::Status LockStream(const records::Stream& stream, std::vector<std::string>* at_work);

  const std::vector<records::Stream> streams_;
  std::unique_ptr<pg::ControlSession> old_;  // null: gone for good
  std::unique_ptr<pg::ControlSession> new_;  // likewise
  eventlog::LogOptions log_;
  std::vector<eventlog::LogPart> parts_;
};

absl::Status Site::Connect() {
  if (what_ != TeardownOf::kNewAndLog) {
    ASSIGN_OR_RETURN(old_, ConnectControl(file_.old_db, "old", cancel_));
  }
  if (what_ != TeardownOf::kOldAndLog) {
    ASSIGN_OR_RETURN(new_, ConnectControl(file_.new_db, "new", cancel_));
  }
  ASSIGN_OR_RETURN(log_, LogOptionsOf(file_));
  return absl::OkStatus();
}

absl::StatusOr<TeardownReport> Site::Plan() {
  TeardownReport report = {.migration = file_.name,
                           .mirror_schema = streams_.front().mirror_schema};
  if (old_ == nullptr) report.without = Side::kOld;
  if (new_ == nullptr) report.without = Side::kNew;
  if (old_ != nullptr) RETURN_IF_ERROR(Annotate(PlanDatabase(Side::kOld, &report), "old"));
  if (new_ != nullptr) RETURN_IF_ERROR(Annotate(PlanDatabase(Side::kNew, &report), "new"));
  RETURN_IF_ERROR(PlanLog(&report));
  return report;
}

absl::Status Site::PlanDatabase(Side side, TeardownReport* report) {
  pg::ControlSession& session = side == Side::kOld ? *old_ : *new_;
  std::string setup(kFenceSql);
  for (const records::Stream& stream : streams_) {
    // A table of older versions may have outlived the upgrade of its server.
    if (source(stream) == &session) absl::StrAppend(&setup, kSourceSql, kSourceBefore14Sql);
    if (target(stream) == &session) setup += kTargetSql;
  }
  DatabasePlan plan(session, side, streams_, setup, report);
  for (const records::Stream& stream : streams_) {
    if (source(stream) != &session) continue;
    RETURN_IF_ERROR(plan.AddSlot(stream.slot));
    RETURN_IF_ERROR(plan.AddPublication(stream.publication));
  }
  RETURN_IF_ERROR(plan.AddFence());
  RETURN_IF_ERROR(plan.AddRows());
  for (const records::Stream& stream : streams_) {
    if (target(stream) == &session) RETURN_IF_ERROR(plan.AddMirror(stream));
  }
  return plan.AddSchema();
}

absl::Status Site::PlanLog(TeardownReport* report) {
  std::vector<std::string> topics;
  for (const records::Stream& stream : streams_) {
    topics.push_back(stream.change_topic);
    topics.push_back(stream.copy_topic);
  }
  const absl::StatusOr<std::vector<eventlog::LogPart>> parts =
      eventlog::FindLogParts(log_, topics, cancel_);
  if (absl::IsFailedPrecondition(parts.status()) || absl::IsDataLoss(parts.status())) {
    report->notes.push_back(absl::StrCat("the log stays: ", parts.status().message()));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(Annotate(parts.status(), "log"));
  parts_ = *parts;
  for (const eventlog::LogPart& part : parts_) {
    report->steps.push_back(
        {.side = Side::kLog,
         .what = absl::StrCat(part.is_file ? "file " : "Kafka topic ", part.name),
         .statement = part.is_file ? "rm " + part.name
                                   : "kafka-topics.sh --bootstrap-server BROKER --delete --topic " +
                                         part.name});
  }
  return absl::OkStatus();
}

absl::Status Site::NoteWorkers(TeardownReport* report) {
  for (const records::Stream& stream : streams_) {
    const bool forward = stream.direction == Direction::kForward;
    if (source(stream) != nullptr) {
      ASSIGN_OR_RETURN(const std::optional<Worker> capture,
                       CaptureAtWork(*source(stream), stream.name));
      if (capture) {
        report->workers.push_back(absl::StrCat("capture runs: ", forward ? "OLD" : "NEW",
                                               "'s backend ", capture->ToString()));
      }
    }
    if (target(stream) == nullptr) continue;
    ASSIGN_OR_RETURN(const std::optional<Worker> replay,
                     ReplayAtWork(*target(stream), stream.name));
    if (replay) {
      report->workers.push_back(absl::StrCat("replay runs: ", forward ? "NEW" : "OLD",
                                             "'s backend ", replay->ToString()));
    }
  }
  return absl::OkStatus();
}

absl::Status Site::LockStream(const records::Stream& stream, std::vector<std::string>* at_work) {
  const bool forward = stream.direction == Direction::kForward;
  if (source(stream) != nullptr) {
    ASSIGN_OR_RETURN(
        const pg::Rows capture,
        source(stream)->Query("SELECT pg_try_advisory_lock(hashtext($1), hashtext($2))",
                              {capture::kStreamLockSpace, stream.name}));
    if (!capture.boolean(0, 0)) {
      ASSIGN_OR_RETURN(const auto worker, CaptureAtWork(*source(stream), stream.name));
      at_work->push_back(absl::StrCat(
          "capture still runs", worker ? absl::StrCat(" (", forward ? "OLD" : "NEW", "'s backend ",
                                                      worker->ToString(), ")")
                                       : ""));
    }
  }
  if (target(stream) == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const pg::Rows replay,
                   target(stream)->Query("SELECT pg_try_advisory_lock(hashtextextended($1, 7))",
                                         {replayer::ReplayLockName(stream.name)}));
  if (replay.boolean(0, 0)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto worker, ReplayAtWork(*target(stream), stream.name));
  at_work->push_back(absl::StrCat(
      "replay still runs",
      worker ? absl::StrCat(" (", forward ? "NEW" : "OLD", "'s backend ", worker->ToString(), ")")
             : ""));
  return absl::OkStatus();
}

absl::Status Site::Lock() {
  for (const records::Stream& stream : streams_) {
    std::vector<std::string> at_work;
    RETURN_IF_ERROR(LockStream(stream, &at_work));
    if (at_work.empty()) continue;
    return Refuse(absl::StrCat(stream.name, ": ", absl::StrJoin(at_work, ", ")),
                  "end every role, with every standby, then run this again");
  }
  return absl::OkStatus();
}

// What it lacks the right to, or what others depend on, stays and is told.
absl::Status Site::Run(TeardownStep* step) {
  absl::Status done;
  if (step->side == Side::kLog) {
    const auto part = std::ranges::find_if(parts_, [&](const eventlog::LogPart& candidate) {
      return step->what.ends_with(" " + candidate.name);
    });
    done = eventlog::RemoveLogPart(log_, *part, cancel_);
  } else {
    pg::ControlSession& session = step->side == Side::kOld ? *old_ : *new_;
    done = session.Query(step->statement).status();
  }
  if (done.ok() || absl::IsCancelled(done) || absl::IsUnavailable(done)) return done;
  if (absl::IsUnknown(done)) return done;  // looking again tells
  step->left = FindingOf(done, "").what;   // the statement is its step
  return absl::OkStatus();
}

absl::Status Site::Remove(TeardownReport* report) {
  for (TeardownStep& step : report->steps) RETURN_IF_ERROR(Run(&step));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TeardownReport> ShowTeardown(const spec::MigrationFile& file, TeardownOf what,
                                            const Cancel& cancel) {
  Site site(file, what, cancel);
  RETURN_IF_ERROR(site.Connect());
  ASSIGN_OR_RETURN(TeardownReport report, site.Plan());
  report.shown_only = true;
  RETURN_IF_ERROR(site.NoteWorkers(&report));
  return report;
}

absl::StatusOr<TeardownReport> Teardown(const spec::MigrationFile& file, TeardownOf what,
                                        const Cancel& cancel) {
  Site site(file, what, cancel);
  RETURN_IF_ERROR(site.Connect());
  RETURN_IF_ERROR(site.Lock());
  ASSIGN_OR_RETURN(TeardownReport report, site.Plan());
  RETURN_IF_ERROR(site.Remove(&report));
  return report;
}

}  // namespace switchyard::operate
