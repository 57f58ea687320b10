#include "replayer/quarantine.h"

#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "replayer/ordered_writer.h"

namespace switchyard::replayer {

using mapping::MappingPlan;
using mapping::SourcePlan;

namespace {

// A function call takes at most 100 arguments: columns go into JSON in pieces of this many.
constexpr size_t kColumnsPerObject = 40;

std::string Temp(const std::string& table) { return "pg_temp." + QuoteIdentifier(table); }
std::string Hold(const SourcePlan& source) { return Temp("sy_hold" + source.stage.substr(8)); }

// The stage, or what was held of it, is known as sy_s in what these give.

// jsonb of name/value pairs, `value` giving the SQL of a text.
std::string JsonObject(size_t count, const std::function<std::string(size_t)>& name,
                       const std::function<std::string(size_t)>& value) {
  std::vector<std::string> pieces;
  for (size_t begin = 0; begin < count; begin += kColumnsPerObject) {
    std::vector<std::string> arguments;
    for (size_t i = begin; i < std::min(count, begin + kColumnsPerObject); ++i) {
      arguments.push_back(absl::StrCat(QuoteLiteral(name(i)), ", ", value(i)));
    }
    pieces.push_back(absl::StrCat("jsonb_build_object(", absl::StrJoin(arguments, ", "), ")"));
  }
  return absl::StrCat("(", absl::StrJoin(pieces, " || "), ")");
}

const std::string& KeyName(const SourcePlan& source, size_t i) {
  return source.columns[source.key[i]].name;
}

std::string OldKeyJson(const SourcePlan& source) {
  return JsonObject(
      source.key.size(), [&](size_t i) { return KeyName(source, i); },
      [&](size_t i) { return absl::StrCat("sy_s.sy__k", i, "::text"); });
}

std::string NewKeyJson(const SourcePlan& source) {
  return JsonObject(
      source.key.size(), [&](size_t i) { return KeyName(source, i); },
      [&](size_t i) { return "sy_s." + QuoteIdentifier(KeyName(source, i)) + "::text"; });
}

std::string ImageJson(const SourcePlan& source) {
  std::string json = JsonObject(
      source.columns.size(), [&](size_t i) { return source.columns[i].name; },
      [&](size_t i) { return "sy_s." + QuoteIdentifier(source.columns[i].name) + "::text"; });
  int place = 0;
  for (const mapping::StageColumn& column : source.columns) {
    if (!column.toastable) continue;
    absl::StrAppend(&json, " - CASE WHEN substr(sy_s.sy__absent, ", ++place, ", 1) = '1' THEN ",
                    QuoteLiteral(column.name), " ELSE '' END");
  }
  return "(" + json + ")";
}

}  // namespace

std::string QuarantineTarget(const MappingPlan& mapping) {
  return mapping.owns.empty() ? mapping.display : mapping.display + " where " + mapping.owns;
}

Quarantine::Quarantine(TableWriter& writer, QuarantineOptions options)
    : writer_(writer), options_(std::move(options)) {}

absl::Status Quarantine::Load() {
  active_.clear();
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      writer_.session().Query("SELECT DISTINCT target FROM switchyard.quarantine WHERE stream = $1",
                              {options_.stream}));
  for (int i = 0; i < rows.rows(); ++i) {
    for (size_t m = 0; m < writer_.plan().mappings.size(); ++m) {
      if (QuarantineTarget(writer_.plan().mappings[m]) == rows.text(i, 0)) {
        active_.insert(static_cast<int>(m));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Quarantine::InSavepoint(absl::FunctionRef<absl::Status()> body) {
  return replayer::InSavepoint(writer_.session(), "sy_careful", body);
}

absl::Status Quarantine::HoldStage(int source) {
  const SourcePlan& plan = writer_.plan().sources[source];
  return writer_.session().Execute(
      absl::StrCat("CREATE TEMP TABLE IF NOT EXISTS ", Hold(plan).substr(8), " (LIKE ",
                   Temp(plan.stage), ") ON COMMIT DELETE ROWS; TRUNCATE ", Hold(plan),
                   "; INSERT INTO ", Hold(plan), " SELECT * FROM ", Temp(plan.stage)));
}

absl::Status Quarantine::TakeHeld(int source, const std::string& condition) {
  const SourcePlan& plan = writer_.plan().sources[source];
  return writer_.session().Execute(absl::StrCat("DELETE FROM ", Temp(plan.stage), "; INSERT INTO ",
                                                Temp(plan.stage), " SELECT * FROM ", Hold(plan),
                                                " WHERE ", condition));
}

absl::Status Quarantine::RestoreStage(int source) { return TakeHeld(source, "true"); }

absl::Status Quarantine::WriteOrExchange(const mapping::TableWrite& write) {
  const absl::Status status = InSavepoint([&] { return writer_.WriteStaged(write); });
  if (!IsRefusedRow(status)) return status;
  return InSavepoint([&] { return writer_.Exchange(write); });
}

absl::Status Quarantine::WriteCarefully(const TableChanges& table, int mapping, Lsn lsn,
                                        Feed feed) {
  if (table.truncated) {
    RETURN_IF_ERROR(writer_.Clear(writer_.plan().mappings[mapping].write));
    RETURN_IF_ERROR(
        writer_.Run("DELETE FROM switchyard.quarantine WHERE stream = $1 AND target = $2",
                    {options_.stream, QuarantineTarget(writer_.plan().mappings[mapping])}));
  }
  RETURN_IF_ERROR(HoldStage(table.source));
  if (active(mapping)) RETURN_IF_ERROR(FoldKnown(table.source, mapping, lsn, feed));
  ASSIGN_OR_RETURN(std::vector<Refusal> refusals, TakeBarred(table.source, mapping));
  ASSIGN_OR_RETURN(const std::vector<Refusal> more, WriteOrBisect(table, mapping));
  refusals.insert(refusals.end(), more.begin(), more.end());
  for (const Refusal& refusal : refusals) {
    RETURN_IF_ERROR(StoreRow(table.source, mapping, lsn, refusal));
  }
  if (!refusals.empty()) RETURN_IF_ERROR(CheckBound());
  return RestoreStage(table.source);
}

// Out of the stage: what an earlier attempt found at fault only at its end.
absl::StatusOr<std::vector<RefusedNumber>> Quarantine::TakeBarred(int source, int mapping) {
  std::vector<Refusal> taken;
  if (writer_.ordered() == nullptr) return taken;
  ASSIGN_OR_RETURN(const auto barred, writer_.ordered()->late_refusals().Barred(mapping));
  for (const auto& [number, error] : barred) {
    taken.push_back({number, error});
    RETURN_IF_ERROR(writer_.session().Execute(absl::StrCat(
        "DELETE FROM ", Temp(writer_.plan().sources[source].stage), " WHERE sy__ord = ", number)));
  }
  return taken;
}

absl::StatusOr<std::vector<RefusedNumber>> Quarantine::WriteOrBisect(const TableChanges& table,
                                                                     int mapping) {
  const mapping::TableWrite& write = writer_.plan().mappings[mapping].write;
  const absl::Status status = WriteOrExchange(write);
  if (status.ok()) return std::vector<Refusal>();
  if (!IsRefusedRow(status)) return status;
  // What is left in the stage after folding is what may be tried.
  RETURN_IF_ERROR(writer_.session().Execute(
      absl::StrCat("CREATE TEMP TABLE IF NOT EXISTS sy_try (sy__ord int) ON COMMIT DELETE ROWS; "
                   "TRUNCATE pg_temp.sy_try; INSERT INTO pg_temp.sy_try SELECT sy__ord FROM ",
                   Temp(writer_.plan().sources[table.source].stage))));
  return Bisect(static_cast<int64_t>(table.changes.size()), [&](int64_t low, int64_t high) {
    const absl::Status taken = TakeHeld(
        table.source,
        absl::StrCat("sy__ord IN (SELECT sy__ord FROM pg_temp.sy_try) AND sy__ord >= ", low,
                     " AND sy__ord < ", high));
    return taken.ok() ? WriteOrExchange(write) : taken;
  });
}

absl::Status Quarantine::StoreRow(int source, int mapping, Lsn lsn, const Refusal& refusal) {
  if (!stores_) return refusal.error;
  const SourcePlan& plan = writer_.plan().sources[source];
  const pg::ErrorFields fields = pg::StatusErrorFields(refusal.error);
  active_.insert(mapping);
  LogError("replayer", "row put in quarantine",
           {{"stream", options_.stream},
            {"table", writer_.plan().mappings[mapping].display},
            {"sqlstate", fields.sqlstate},
            {"error", std::string(StdSv(refusal.error.message()))},
            {"next", "mend the cause, then: switchyard quarantine FILE retry"}});
  const std::string sql = absl::StrReplaceAll(R"(
    INSERT INTO switchyard.quarantine AS q
      (stream, target, scope, before, operation, image, lsn, sqlstate, error)
    SELECT $1, $2,
           CASE WHEN sy__op = 'D' THEN {old_key} ELSE {new_key} END,
           CASE WHEN sy__op <> 'I' THEN {old_key} END,
           CASE sy__op WHEN 'I' THEN 'insert' WHEN 'D' THEN 'delete' ELSE 'update' END,
           CASE WHEN sy__op <> 'D' THEN {image} END,
           $3::pg_lsn, $4, $5
    FROM {hold} AS sy_s WHERE sy__ord = $6::int
    ON CONFLICT (stream, target, scope) DO UPDATE SET
      operation = excluded.operation, image = excluded.image, lsn = excluded.lsn,
      sqlstate = excluded.sqlstate, error = excluded.error, events = q.events + 1,
      last_seen = clock_timestamp())",
                                              {{"{old_key}", OldKeyJson(plan)},
                                               {"{new_key}", NewKeyJson(plan)},
                                               {"{image}", ImageJson(plan)},
                                               {"{hold}", Hold(plan)}});
  return writer_.session()
      .Query(sql, {options_.stream, QuarantineTarget(writer_.plan().mappings[mapping]),
                   lsn.ToString(), fields.sqlstate, fields.primary, std::to_string(refusal.number)})
      .status();
}

absl::Status Quarantine::FoldKnown(int source, int mapping, Lsn lsn, Feed feed) {
  const SourcePlan& plan = writer_.plan().sources[source];
  const std::string target = QuarantineTarget(writer_.plan().mappings[mapping]);
  // An insert followed by a delete leaves nothing to do; the entry goes when it is tried. A row
  // that comes where an entry's row is still to be moved away is another one. Until an entry is
  // tried, its key is out of the way of those that take it.
  const std::string fold = absl::StrReplaceAll(R"(
    WITH folded AS (
      UPDATE switchyard.quarantine q SET
        scope = jsonb_build_object('sy__folded', q.id),
        operation = CASE WHEN sy_s.sy__op = 'D' AND q.before IS NULL THEN 'nothing'
                         WHEN sy_s.sy__op = 'D' THEN 'delete'
                         WHEN q.operation = 'delete' THEN 'update'
                         ELSE q.operation END,
        image = CASE WHEN sy_s.sy__op <> 'D' THEN coalesce(q.image, '{}') || {image} END,
        lsn = $3::pg_lsn, events = q.events + 1, last_seen = clock_timestamp()
      FROM {stage} AS sy_s
      WHERE q.stream = $1 AND q.target = $2
        AND q.scope = CASE WHEN sy_s.sy__op = 'I' THEN {new_key} ELSE {old_key} END
        AND (sy_s.sy__op = 'I') = (q.operation = 'delete')
      RETURNING q.id, sy_s.sy__ord, sy_s.sy__op,
                CASE WHEN sy_s.sy__op = 'D' THEN {old_key} ELSE {new_key} END AS scope),
    gone AS (DELETE FROM {stage} t USING folded f WHERE t.sy__ord = f.sy__ord)
    SELECT id, scope FROM folded ORDER BY sy__op <> 'D', id)",
                                               {{"{old_key}", OldKeyJson(plan)},
                                                {"{new_key}", NewKeyJson(plan)},
                                                {"{image}", ImageJson(plan)},
                                                {"{stage}", Temp(plan.stage)}});
  ASSIGN_OR_RETURN(const pg::Result folded,
                   writer_.session().Query(fold, {options_.stream, target, lsn.ToString()}));
  if (folded.rows() == 0) return absl::OkStatus();
  // The stage is needed for one entry at a time; what is left of it waits in sy_rest.
  RETURN_IF_ERROR(writer_.session().Execute(absl::StrCat(
      "CREATE TEMP TABLE IF NOT EXISTS sy_rest (sy__ord int) ON COMMIT DELETE ROWS; TRUNCATE "
      "pg_temp.sy_rest; INSERT INTO pg_temp.sy_rest SELECT sy__ord FROM ",
      Temp(plan.stage))));
  for (int i = 0; i < folded.rows(); ++i) {
    RETURN_IF_ERROR(
        writer_.Run("UPDATE switchyard.quarantine SET scope = $2::jsonb WHERE id = $1::bigint",
                    {folded.str(i, 0), folded.str(i, 1)}));
    RETURN_IF_ERROR(TryEntry(folded.i64(i, 0), source, mapping, feed).status());
  }
  return TakeHeld(source, "sy__ord IN (SELECT sy__ord FROM pg_temp.sy_rest)");
}

absl::StatusOr<bool> Quarantine::TryEntry(int64_t id, int source, int mapping, Feed feed) {
  const SourcePlan& plan = writer_.plan().sources[source];
  std::vector<std::string> keys;
  std::vector<std::string> values;
  std::string absent = "''";
  for (size_t i = 0; i < plan.key.size(); ++i) {
    keys.push_back(absl::StrCat("(coalesce(before, scope) ->> ", QuoteLiteral(KeyName(plan, i)),
                                ")::", plan.columns[plan.key[i]].type));
  }
  for (const mapping::StageColumn& column : plan.columns) {
    values.push_back(absl::StrCat("(image ->> ", QuoteLiteral(column.name), ")::", column.type));
    if (column.toastable) {
      absl::StrAppend(&absent, " || CASE WHEN image ? ", QuoteLiteral(column.name),
                      " THEN '0' ELSE '1' END");
    }
  }
  const std::string number = std::to_string(id);
  writer_.UseStage(source);
  const absl::Status status = InSavepoint([&]() -> absl::Status {
    RETURN_IF_ERROR(writer_.session().Execute("DELETE FROM " + Temp(plan.stage)));
    RETURN_IF_ERROR(
        writer_.session()
            .Query(
                absl::StrCat(
                    "INSERT INTO ", Temp(plan.stage),
                    " SELECT CASE operation WHEN 'insert' THEN 'I' WHEN "
                    "'delete' THEN 'D' ELSE CASE WHEN before = scope THEN 'U' ELSE 'K' END END, "
                    "0, ",
                    absent, ", ", absl::StrJoin(keys, ", "), ", ", absl::StrJoin(values, ", "),
                    " FROM switchyard.quarantine WHERE id = $1::bigint AND operation <> 'nothing'"),
                {number})
            .status());
    ASSIGN_OR_RETURN(const std::vector<Refusal> barred, TakeBarred(source, mapping));
    if (!barred.empty()) return barred.front().error;
    RETURN_IF_ERROR(feed(true));
    RETURN_IF_ERROR(WriteOrExchange(writer_.plan().mappings[mapping].write));
    RETURN_IF_ERROR(feed(false));
    return writer_.Run("DELETE FROM switchyard.quarantine WHERE id = $1::bigint", {number});
  });
  if (status.ok()) return true;
  if (!IsRefusedRow(status)) return status;
  const pg::ErrorFields fields = pg::StatusErrorFields(status);
  RETURN_IF_ERROR(writer_.Run(
      "UPDATE switchyard.quarantine SET sqlstate = $2, error = $3 WHERE id = $1::bigint",
      {number, fields.sqlstate, fields.primary}));
  return false;
}

absl::Status Quarantine::RecomputeCarefully(int mapping, Lsn lsn,
                                            absl::FunctionRef<absl::Status()> readers) {
  const std::string slice = Temp(writer_.plan().mappings[mapping].keyed.slice_table);
  RETURN_IF_ERROR(writer_.session().Execute("DELETE FROM " + slice));
  RETURN_IF_ERROR(writer_.Run(writer_.plan().mappings[mapping].keyed.slice_fill));
  ASSIGN_OR_RETURN(const std::vector<Refusal> refusals, RecomputeOrBisect(mapping, readers));
  if (active(mapping)) RETURN_IF_ERROR(ForgetScopes(mapping, refusals));
  for (const Refusal& refusal : refusals) RETURN_IF_ERROR(StoreScope(mapping, lsn, refusal));
  return CheckBound();
}

absl::StatusOr<std::vector<RefusedNumber>> Quarantine::RecomputeOrBisect(
    int mapping, absl::FunctionRef<absl::Status()> readers) {
  const MappingPlan& plan = writer_.plan().mappings[mapping];
  const std::string slice = Temp(plan.keyed.slice_table);
  ASSIGN_OR_RETURN(const pg::Result count,
                   writer_.session().Query("SELECT coalesce(max(sy__n), 0) FROM " + slice));
  std::vector<LateRefusals::Match> barred;
  if (writer_.ordered() != nullptr) {
    ASSIGN_OR_RETURN(barred, writer_.ordered()->late_refusals().Barred(mapping));
  }
  std::vector<std::string> out = {"0"};
  for (const auto& match : barred) out.push_back(std::to_string(match.number));
  const std::string take =
      absl::StrCat(plan.keyed.slice_take, " AND sy__n NOT IN (", absl::StrJoin(out, ", "), ")");
  const auto attempt = [&](int64_t low, int64_t high) -> absl::Status {
    absl::Status status;
    for (const bool exchange : {false, true}) {
      status = InSavepoint([&]() -> absl::Status {
        RETURN_IF_ERROR(writer_.CleanRecompute(mapping));
        RETURN_IF_ERROR(
            writer_.session().Query(take, {std::to_string(low), std::to_string(high)}).status());
        return writer_.Recompute(mapping, exchange, readers);
      });
      if (!IsRefusedRow(status)) break;
    }
    return status;
  };
  ASSIGN_OR_RETURN(std::vector<Refusal> refusals, Bisect(count.i64(0, 0), attempt));
  for (const auto& [number, error] : barred) refusals.push_back({number - 1, error});
  return refusals;
}

// Scopes that went through are no longer in quarantine.
absl::Status Quarantine::ForgetScopes(int mapping, const std::vector<Refusal>& refusals) {
  const MappingPlan& plan = writer_.plan().mappings[mapping];
  std::vector<std::string> failed = {"0"};
  for (const Refusal& refusal : refusals) failed.push_back(std::to_string(refusal.number + 1));
  std::vector<std::string> pairs;
  for (const std::string& column : plan.keyed.scope_columns) {
    pairs.push_back(absl::StrCat(QuoteLiteral(column), ", s.", QuoteIdentifier(column), "::text"));
  }
  return writer_.session()
      .Query(
          absl::StrCat("DELETE FROM switchyard.quarantine q USING ", Temp(plan.keyed.slice_table),
                       " s WHERE q.stream = $1 AND q.target = $2 "
                       "AND q.scope = jsonb_build_object(",
                       absl::StrJoin(pairs, ", "), ") AND s.sy__n NOT IN (",
                       absl::StrJoin(failed, ", "), ")"),
          {options_.stream, QuarantineTarget(plan)})
      .status();
}

absl::Status Quarantine::StoreScope(int mapping, Lsn lsn, const Refusal& refusal) {
  if (!stores_) return refusal.error;
  const MappingPlan& plan = writer_.plan().mappings[mapping];
  const pg::ErrorFields fields = pg::StatusErrorFields(refusal.error);
  active_.insert(mapping);
  ASSIGN_OR_RETURN(
      const pg::Result scope,
      writer_.session().Query(plan.keyed.scope_json, {std::to_string(refusal.number + 1)}));
  LogError("replayer", "scope put in quarantine",
           {{"stream", options_.stream},
            {"table", plan.display},
            {"sqlstate", fields.sqlstate},
            {"error", std::string(StdSv(refusal.error.message()))},
            {"next", "mend the cause, then: switchyard quarantine FILE retry"}});
  return writer_.session()
      .Query(
          "INSERT INTO switchyard.quarantine AS q (stream, target, scope, operation, lsn, "
          "sqlstate, error)"
          " VALUES ($1, $2, $3::jsonb, 'recompute', $4::pg_lsn, $5, $6) "
          "ON CONFLICT (stream, target, scope) DO UPDATE SET lsn = excluded.lsn, "
          "sqlstate = excluded.sqlstate, error = excluded.error, events = q.events + 1, "
          "last_seen = clock_timestamp()",
          {options_.stream, QuarantineTarget(plan), scope.str(0, 0), lsn.ToString(),
           fields.sqlstate, fields.primary})
      .status();
}

absl::StatusOr<bool> Quarantine::TryScope(int64_t id, int mapping) {
  const MappingPlan& plan = writer_.plan().mappings[mapping];
  std::vector<std::string> values;
  for (const std::string& column : plan.keyed.scope_columns) {
    // The touched table's own column types take the text back.
    values.push_back(absl::StrCat("(r).", QuoteIdentifier(column)));
  }
  RETURN_IF_ERROR(writer_.CleanRecompute(mapping));
  RETURN_IF_ERROR(
      writer_.session()
          .Query(absl::StrCat(
                     "INSERT INTO ", Temp(plan.keyed.touched_table), " SELECT ",
                     absl::StrJoin(values, ", "),
                     " FROM (SELECT jsonb_populate_record(NULL::", Temp(plan.keyed.touched_table),
                     ", scope) AS r FROM switchyard.quarantine WHERE id = $1::bigint) AS q"),
                 {std::to_string(id)})
          .status());
  return true;
}

absl::StatusOr<Quarantine::RetryResult> Quarantine::Retry(int64_t id, int mapping, Feed feed) {
  const MappingPlan& plan = writer_.plan().mappings[mapping];
  ASSIGN_OR_RETURN(const pg::Result entries,
                   writer_.session().Query(
                       "SELECT id, lsn FROM switchyard.quarantine WHERE stream = $1 AND target = "
                       "$2 AND ($3::bigint = 0 OR id = $3::bigint) ORDER BY id",
                       {options_.stream, QuarantineTarget(plan), std::to_string(id)}));
  const auto readers = [&]() -> absl::Status {
    RETURN_IF_ERROR(feed(true));
    return feed(false);
  };
  RetryResult result;
  for (int i = 0; i < entries.rows(); ++i) {
    if (plan.row_local) {
      ASSIGN_OR_RETURN(const bool applied, TryEntry(entries.i64(i, 0), plan.source, mapping, feed));
      (applied ? result.applied : result.left) += 1;
      RETURN_IF_ERROR(writer_.ClearStage(plan.source));
    } else {
      RETURN_IF_ERROR(TryScope(entries.i64(i, 0), mapping).status());
      ASSIGN_OR_RETURN(const Lsn lsn, Lsn::Parse(entries.text(i, 1)));
      RETURN_IF_ERROR(RecomputeCarefully(mapping, lsn, readers));
      ASSIGN_OR_RETURN(const pg::Result left,
                       writer_.session().Query(
                           "SELECT count(*) FROM switchyard.quarantine WHERE id = $1::bigint",
                           {entries.str(i, 0)}));
      (left.i64(0, 0) == 0 ? result.applied : result.left) += 1;
      RETURN_IF_ERROR(writer_.CleanRecompute(mapping));
    }
  }
  return result;
}

absl::Status Quarantine::CheckBound() {
  ASSIGN_OR_RETURN(
      const pg::Result count,
      writer_.session().Query("SELECT count(*) FROM switchyard.quarantine WHERE stream = $1",
                              {options_.stream}));
  if (count.i64(0, 0) <= options_.entries_max) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrFormat("%d rows would be in quarantine, the limit is %d (replay.quarantine_max): "
                      "the mapping is wrong "
                      "rather than the rows. See: switchyard quarantine FILE list",
                      count.i64(0, 0), options_.entries_max));
}

}  // namespace switchyard::replayer
