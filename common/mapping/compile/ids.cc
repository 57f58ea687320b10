#include <algorithm>

#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/compile/compilation.h"
#include "common/mapping/compile/sql_checks.h"
#include "common/mapping/sql/sql_pieces.h"
#include "common/mapping/sql_analysis.h"
#include "common/records/id_map.h"
#include "common/records/stream/stream.h"

namespace switchyard::mapping {
namespace {

using std::string;
using std::vector;

enum class Id { kOld, kNew };

SqlPiece PieceOf(const spec::IdMapRule& rule, Id id) {
  const bool old_id = id == Id::kOld;
  return {.what = absl::StrCat(old_id ? "old_id" : "new_id", " of ids ", rule.kind),
          .sql = old_id ? rule.old_id : rule.new_id,
          .place = old_id ? rule.old_place : rule.new_place};
}

string Select(const spec::IdMapRule& rule, const string& rows) {
  return absl::StrCat("SELECT ", QuoteLiteral(rule.kind),
                      ", sy_i.sy__old, sy_i.sy__new FROM (SELECT (", rule.old_id,
                      "\n)::text AS sy__old, (", rule.new_id, "\n) AS sy__new FROM ", rows,
                      ") AS sy_i WHERE sy_i.sy__old IS NOT NULL");
}

// The main one of several pairs with one new id is the first.
string MainTest(const spec::IdMapRule& rule) {
  return absl::StrCat("sy_p.sy__nth = 1 AND NOT ",
                      records::HasNewIdSql(QuoteLiteral(rule.kind), "sy_p.sy__new"));
}

// The direction that allots: what the name of its stream ends with.
string By(const spec::IdMapRule& rule) {
  using records::Direction;
  return records::StreamNamed("", rule.gives_old ? Direction::kReverse : Direction::kForward)
      .name.substr(1);
}

// Of rows with one old id the first counts. Where new ids may be shared, those with a pair are left
// out ahead, so that the main one is looked for among the new ones alone.
string Insert(const spec::IdMapRule& rule, const string& rows) {
  if (rule.gives_old) {
    // The new id is the row's own: it gets its old one once, however often it comes.
    return records::InsertPairsSql(
        absl::StrCat(
            "SELECT DISTINCT ON (sy_p.sy__new) sy_p.*, true FROM (", Select(rule, rows),
            ") AS sy_p (sy__kind, sy__old, sy__new) WHERE sy_p.sy__new IS NOT NULL AND NOT ",
            records::HasNewIdSql("sy_p.sy__kind", "sy_p.sy__new")),
        By(rule));
  }
  if (!rule.many) {
    return records::InsertPairsSql(
        absl::StrCat("SELECT sy_p.*, true FROM (", Select(rule, rows), ") AS sy_p"), By(rule));
  }
  return records::InsertPairsSql(
      absl::StrCat(
          "SELECT ", QuoteLiteral(rule.kind), ", sy_p.sy__old, sy_p.sy__new, ", MainTest(rule),
          " FROM (SELECT sy_o.sy__old, sy_o.sy__new, row_number() OVER (PARTITION BY sy_o.sy__new "
          "ORDER BY sy_o.sy__at) AS sy__nth FROM (SELECT DISTINCT ON (sy_a.sy__old) sy_a.* FROM "
          "(SELECT sy_r.*, row_number() OVER () AS sy__at FROM (",
          Select(rule, rows), ") AS sy_r (sy__kind, sy__old, sy__new)) AS sy_a WHERE NOT ",
          records::HasOldIdSql("sy_a.sy__kind", "sy_a.sy__old"),
          " ORDER BY sy_a.sy__old, sy_a.sy__at) AS sy_o) AS sy_p"),
      By(rule));
}

// What rows were within the batch, in that order. A value that was not sent is as the mirror has
// it, before it takes the batch.
string PassedRows(const SourcePlan& source) {
  vector<string> columns;
  for (const int i : source.id_columns) {
    const string name = QuoteIdentifier(source.columns[i].name);
    const string absent = AbsentTest(source, i, "sy_p");
    columns.push_back(absent.empty() ? "sy_p." + name
                                     : absl::StrCat("CASE WHEN ", absent, " THEN sy_m.", name,
                                                    " ELSE sy_p.", name, " END AS ", name));
  }
  const string same_key = Each(source.key.size(), " AND ", [&](size_t i) {
    const StageColumn& key = source.columns[source.key[i]];
    return absl::StrCat("sy_m.", QuoteIdentifier(key.name), " ", key.equals, " sy_p.sy__k", i);
  });
  return absl::StrCat("(SELECT ", absl::StrJoin(columns, ", "), " FROM ", Temp(source.stage),
                      " AS sy_p LEFT JOIN ", source.mirror.target, " AS sy_m ON ", same_key,
                      " WHERE sy_p.sy__op = 'P' ORDER BY sy_p.sy__ord) AS ",
                      QuoteIdentifier(source.alias));
}

// Rows of the mirror that the stage brought.
string MirrorOfStaged(const SourcePlan& source) {
  const string alias = QuoteIdentifier(source.alias);
  vector<string> keys;
  vector<string> match;
  for (size_t i = 0; i < source.key.size(); ++i) {
    const string column = QuoteIdentifier(source.columns[source.key[i]].name);
    const string name = "sy__k" + std::to_string(i);
    keys.push_back(column + " AS " + name);
    match.push_back(absl::StrCat(alias, ".", column, " ", source.columns[source.key[i]].equals,
                                 " sy_s.", name));
  }
  return absl::StrCat("(SELECT ", absl::StrJoin(keys, ", "), " FROM pg_temp.",
                      QuoteIdentifier(source.stage),
                      " WHERE sy__op IN ('I','U','K')) AS sy_s JOIN ", source.mirror.target, " AS ",
                      alias, " ON ", absl::StrJoin(match, " AND "));
}

class IdAnalysis {
 public:
  explicit IdAnalysis(Compilation& compilation) : compilation_(compilation), checks_(compilation) {}

  absl::Status Rule(const spec::IdMapRule& rule) {
    const SourceIndex source = compilation_.FindSource(rule.table);
    const bool usable = source.valid() && compilation_.sources[source].usable;
    const size_t before = compilation_.faults.size();
    RETURN_IF_ERROR(Expression(rule, Id::kOld, usable));
    RETURN_IF_ERROR(Expression(rule, Id::kNew, usable));
    if (!usable || compilation_.faults.size() > before) return absl::OkStatus();
    const absl::Status fits =
        compilation_.probe.Plans(Insert(rule, QuoteIdentifier(compilation_.sources[source].alias)));
    if (fits.ok() || !absl::IsInvalidArgument(fits)) return fits;
    compilation_.Fault(PieceOf(rule, Id::kNew), 0, string(StdSv(fits.message())));
    return absl::OkStatus();
  }

 private:
  absl::Status Expression(const spec::IdMapRule& rule, Id id, bool usable) {
    const SqlPiece piece = PieceOf(rule, id);
    const absl::StatusOr<ExpressionShape> shape = AnalyzeExpression(piece.sql);
    if (!shape.ok()) return compilation_.SqlFault(piece, 0, shape.status());
    const string frame = "SELECT (";
    const string rows =
        usable
            ? "\n) FROM " +
                  QuoteIdentifier(compilation_.sources[compilation_.FindSource(rule.table)].alias)
            : "\n)";
    // What is given may be random, because it is kept; the key must be the same every time.
    if ((id == Id::kOld) != rule.gives_old)
      RETURN_IF_ERROR(checks_.Repeatable(piece, *shape, frame, rows));
    for (const RelationRef& relation : shape->relations) {
      compilation_.Fault(piece, relation.offset,
                         absl::StrCat("it reads ", relation.name,
                                      "; an id comes from the row of its own table alone"));
    }
    if (!usable || !shape->relations.empty() || checks_.shadowed(piece)) return absl::OkStatus();
    const absl::Status plans = compilation_.probe.Plans(absl::StrCat(frame, Sv(piece.sql), rows));
    return plans.ok() ? plans : compilation_.SqlFault(piece, static_cast<int>(frame.size()), plans);
  }

  Compilation& compilation_;
  SqlChecks checks_;
};

}  // namespace

absl::Status AnalyseIds(Compilation* compilation) {
  IdAnalysis analysis(*compilation);
  for (const spec::IdMapRule& rule : compilation->direction.id_maps) {
    RETURN_IF_ERROR(analysis.Rule(rule));
  }
  return absl::OkStatus();
}

absl::Status GatherIdReads(Compilation* compilation) {
  if (compilation->direction.takes_pairs) {
    Source& map = compilation->sources[compilation->FindSource(spec::IdMapTable())];
    map.mirrored = true;
    for (const char* column : {"kind", "old_id", "new_id", "main", "by"}) {
      map.mirror_used.insert(column);
      map.used.insert(column);
    }
  }
  for (const spec::IdMapRule& rule : compilation->direction.id_maps) {
    Source& source = compilation->sources[compilation->FindSource(rule.table)];
    ASSIGN_OR_RETURN(const Probe::Reads reads,
                     compilation->probe.ReadsOf(Select(rule, QuoteIdentifier(source.alias))));
    // An update may leave values out, and a later rule may need rows of before: the mirror has
    // both.
    source.mirrored = true;
    const auto columns = reads.find(source.alias);
    if (columns == reads.end()) continue;
    source.mirror_used.insert(columns->second.begin(), columns->second.end());
    source.used.insert(columns->second.begin(), columns->second.end());
    source.id_used.insert(columns->second.begin(), columns->second.end());
  }
  return absl::OkStatus();
}

PairsPlan BuildPairs(const Compilation& compilation, const Plan& plan) {
  if (!compilation.direction.takes_pairs) return {};
  const SourceIndex index = compilation.FindSource(spec::IdMapTable());
  const SourcePlan& source = plan.sources[index];
  PairsPlan pairs{.source = index,
                  .changed = absl::StrCat("(SELECT ", QuoteIdentifier(source.alias), ".* FROM ",
                                          MirrorOfStaged(source), ")"),
                  .all = source.mirror.target};
  pairs.take_changed = records::TakePairsSql(pairs.changed);
  pairs.take_all = records::TakePairsSql(pairs.all);
  return pairs;
}

vector<IdAllotment> BuildIds(const Compilation& compilation, const Plan& plan) {
  vector<IdAllotment> ids;
  for (const spec::IdMapRule& rule : compilation.ids) {
    const SourceIndex index = compilation.FindSource(rule.table);
    const SourcePlan& source = plan.sources[index];
    const string mirror = source.mirror.target + " AS " + QuoteIdentifier(source.alias);
    ids.push_back({.kind = rule.kind,
                   .source = index,
                   .passed = source.id_columns.empty() ? "" : Insert(rule, PassedRows(source)),
                   .changed = Insert(rule, MirrorOfStaged(source)),
                   .all = Insert(rule, mirror)});
  }
  return ids;
}

}  // namespace switchyard::mapping
