#include "replayer/target/breach.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/records/breaches.h"
#include "replayer/target/quarantine/entry_json.h"

namespace switchyard::replayer {
namespace {

using mapping::SourcePlan;

records::BreachRowsSql RowsOf(const SourcePlan& source) {
  records::BreachRowsSql sql = {
      .rows = "pg_temp." + QuoteIdentifier(source.stage) + " AS sy_s",
      .key = "CASE sy_s.sy__op WHEN 'I' THEN " + NewKeyJson(source) + " ELSE " +
             OldKeyJson(source) + " END",
      .before = "NULL::jsonb",
      .after = "CASE WHEN sy_s.sy__op <> 'D' THEN " + ImageJson(source) + " END"};
  if (!source.mirrored) return sql;
  std::vector<std::string> same;
  for (size_t i = 0; i < source.key.size(); ++i) {
    same.push_back(absl::StrCat("sy_t.", QuoteIdentifier(source.columns[source.key[i]].name),
                                " = sy_s.sy__k", i));
  }
  absl::StrAppend(&sql.rows, " LEFT JOIN ", source.mirror.target, " AS sy_t ON ",
                  absl::StrJoin(same, " AND "));
  sql.before = absl::StrCat("CASE WHEN sy_t.", QuoteIdentifier(source.columns[source.key[0]].name),
                            " IS NOT NULL THEN ", MirrorJson(source), " END");
  return sql;
}

using nlohmann::json;

// Values of a row, or of its key, from the texts that were kept of it; those that were not are
// absent.
class RowMaker {
 public:
  RowMaker(const SourcePlan& source, changes::Arena& arena) : source_(source), arena_(arena) {}

  const changes::Value* Row(const json& texts) {
    auto* row = arena_.AllocateArray<changes::Value>(source_.columns.size());
    for (size_t i = 0; i < source_.columns.size(); ++i) {
      row[i] = ValueOf(texts, source_.columns[i].name);
    }
    return row;
  }
  const changes::Value* Key(const json& texts) {
    auto* key = arena_.AllocateArray<changes::Value>(source_.key.size());
    for (size_t i = 0; i < source_.key.size(); ++i) {
      key[i] = ValueOf(texts, source_.columns[source_.key[i]].name);
    }
    return key;
  }

 private:
  changes::Value ValueOf(const json& texts, const std::string& column) {
    const auto text = texts.find(column);
    if (text == texts.end()) return {.size = changes::Value::kAbsent};
    if (!text->is_string()) return {};
    const std::string_view kept = arena_.Copy(text->get_ref<const std::string&>());
    return {.data = kept.data(), .size = static_cast<int32_t>(kept.size())};
  }

  const SourcePlan& source_;
  changes::Arena& arena_;
};

bool SameKey(const SourcePlan& source, const json& a, const json& b) {
  return std::ranges::all_of(source.key, [&](int column) {
    const std::string& name = source.columns[column].name;
    return a.contains(name) && b.contains(name) && a[name] == b[name];
  });
}

changes::Batch BatchOf(mapping::SourceIndex source, const changes::Change& change,
                       const std::shared_ptr<changes::Arena>& arena, size_t columns) {
  changes::TableChanges table{.source = source, .changes = {change}};
  changes::Change& only = table.changes.front();
  for (size_t i = 0; only.row != nullptr && i < columns; ++i) {
    only.has_absent |= only.row[i].is_absent();
  }
  table.has_absent = only.has_absent;
  table.counts[changes::TableChanges::Index(only.op)] = 1;
  changes::Batch batch{.transactions = 1, .rows = 1};
  batch.tables.push_back(std::move(table));
  batch.arenas.push_back(arena);
  return batch;
}

absl::Status CanNotBeMade(const records::Breach& breach, std::string_view why) {
  return Refuse(absl::StrFormat("breach %d (%s of %s) can't be made again: %s", breach.id,
                                breach.operation, breach.source, why),
                "write what it should be where the application writes");
}

}  // namespace

absl::StatusOr<BreachChange> ChangeOf(const mapping::Plan& plan, const records::Breach& breach) {
  const auto source = std::ranges::find_if(plan.sources, [&](const SourcePlan& candidate) {
    return candidate.schema + "." + candidate.name == breach.source;
  });
  if (source == plan.sources.end()) return CanNotBeMade(breach, "no mapping reads the table");
  const json key = json::parse(breach.key, nullptr, false);
  const json before = json::parse(breach.before, nullptr, false);
  const json after = json::parse(breach.after, nullptr, false);
  const bool inserted = breach.operation == "insert";
  const bool deleted = breach.operation == "delete";
  if (!key.is_object() || (!deleted && !after.is_object())) {
    return CanNotBeMade(breach, "it has no row");
  }
  const auto arena = std::make_shared<changes::Arena>();
  RowMaker maker(*source, *arena);
  const mapping::SourceIndex index = plan.IndexOf(*source);
  const auto update = [&](const json& from, const json& to) {
    return changes::Change{
        .op = SameKey(*source, from, to) ? changes::Op::kUpdate : changes::Op::kMove,
        .row = maker.Row(to),
        .old_key = maker.Key(from)};
  };
  const size_t columns = source->columns.size();
  const changes::Change change =
      inserted  ? changes::Change{.op = changes::Op::kInsert, .row = maker.Row(after)}
      : deleted ? changes::Change{.op = changes::Op::kDelete, .old_key = maker.Key(key)}
                : update(key, after);
  BreachChange made{.change = BatchOf(index, change, arena, columns)};
  if (!source->mirrored) return made;
  if (!inserted && !before.is_object()) return CanNotBeMade(breach, "the mirror did not have it");
  const changes::Change back =
      inserted  ? changes::Change{.op = changes::Op::kDelete, .old_key = maker.Key(after)}
      : deleted ? changes::Change{.op = changes::Op::kInsert, .row = maker.Row(before)}
                : update(after, before);
  made.back = BatchOf(index, back, arena, columns);
  return made;
}

absl::StatusOr<bool> MirrorHas(pg::Session& session, const SourcePlan& source,
                               const records::Breach& breach) {
  const bool deleted = breach.operation == "delete";
  const json row = json::parse(deleted ? breach.key : breach.after, nullptr, false);
  json mirrored = json::object();
  for (const std::string& column : source.mirror_columns) {
    if (row.contains(column)) mirrored[column] = row[column];
  }
  std::vector<std::string> same;
  std::vector<pg::Param> params = {mirrored.dump()};
  for (const int column : source.key) {
    const mapping::StageColumn& key = source.columns[column];
    params.emplace_back(row.value(key.name, std::string()));
    same.push_back(absl::StrCat("sy_t.", QuoteIdentifier(key.name), " = $", params.size(),
                                "::text::", key.type));
  }
  ASSIGN_OR_RETURN(const pg::Result found,
                   session.Query(absl::StrCat("SELECT ", MirrorJson(source), " @> $1::jsonb FROM ",
                                              source.mirror.target, " AS sy_t WHERE ",
                                              absl::StrJoin(same, " AND ")),
                                 params));
  if (deleted) return found.rows() == 0;
  return found.rows() == 1 && found.boolean(0, 0);
}

absl::Status StoreBreaches(pg::Session& session, const mapping::Plan& plan,
                           const std::string& stream, const changes::Batch& batch,
                           int64_t open_max) {
  for (const changes::TableChanges& table : batch.tables) {
    const SourcePlan& source = plan.sources[table.source];
    const std::string name = source.schema + "." + source.name;
    if (table.truncated) {
      RETURN_IF_ERROR(records::AddTruncateBreach(session, stream, name, batch.lsn));
    }
    RETURN_IF_ERROR(records::AddBreaches(session, stream, name, batch.lsn, RowsOf(source)));
    LogError("replayer", "somebody wrote to the side that does not own",
             {{"stream", stream},
              {"table", name},
              {"rows", std::to_string(table.changes.size())},
              {"lsn", batch.lsn.ToString()},
              {"next", "find out who, then: switchyard breach FILE list"}});
  }
  ASSIGN_OR_RETURN(const int64_t open, records::CountBreaches(session, stream));
  if (open <= open_max) return absl::OkStatus();
  return Refuse(absl::StrFormat("%d rows were written on the side that does not own, more than "
                                "replay.quarantine_max (%d)",
                                open, open_max),
                "end what writes there, decide on each (switchyard breach FILE list), or raise "
                "replay.quarantine_max; then start the replayer again");
}

}  // namespace switchyard::replayer
