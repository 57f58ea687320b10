#include "common/mapping/compile/restriction.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/sql_text.h"
#include "common/base/strings.h"

namespace switchyard::mapping {

using std::string;
using std::vector;

namespace {

using Json = nlohmann::json;

constexpr char kChanged[] = "sy_changed";  // stands for the changed rows of a batch
constexpr int kBytesPerRow = 64;           // a guess for tables that were never analysed

string Text(const Json& node, const char* key) {
  const auto it = node.find(key);
  return it != node.end() && it->is_string() ? it->get<string>() : string();
}

// The operands of the first `=` in a condition as EXPLAIN prints it, fully parenthesised.
std::pair<string, string> Operands(const string& condition) {
  const size_t equals = condition.find(" = ");
  if (equals == string::npos) return {};
  int depth = 0;
  size_t begin = equals;
  for (; begin > 0; --begin) {
    const char c = condition[begin - 1];
    if (c == ')') ++depth;
    if (c == '(' && depth-- == 0) break;
  }
  depth = 0;
  size_t end = equals + 3;
  for (; end < condition.size(); ++end) {
    if (condition[end] == '(') ++depth;
    if (condition[end] == ')' && depth-- == 0) break;
  }
  return {condition.substr(begin, equals - begin), condition.substr(equals + 3, end - equals - 3)};
}

// The side of the condition that is computed from the row of `alias`, without the alias.
string IndexExpression(const string& condition, const string& alias) {
  const auto [left, right] = Operands(condition);
  const string prefix = alias + ".";
  for (const string& side : {left, right}) {
    if (side.find(prefix) == string::npos || side.find('$') != string::npos) continue;
    return absl::StrReplaceAll(side, {{prefix, ""}});
  }
  return "";
}

void Collect(const Json& node, const string& join, vector<WholeScan>* scans) {
  const string type = Text(node, "Node Type");
  const bool whole = type == "Seq Scan" || ((type == "Index Scan" || type == "Index Only Scan") &&
                                            !node.contains("Index Cond"));
  if (whole) {
    const string alias = spec::TableName{.name = Text(node, "Alias")}.ToString();
    WholeScan scan{.schema = Text(node, "Schema"), .table = Text(node, "Relation Name")};
    for (const string& condition : {Text(node, "Filter"), join}) {
      if (scan.condition.empty()) scan.condition = condition;
      const string expression = IndexExpression(condition, alias);
      if (expression.empty()) continue;
      scan.condition = condition;
      scan.expression = expression;
      break;
    }
    scans->push_back(std::move(scan));
  }
  string below = Text(node, "Join Filter");
  if (below.empty()) below = Text(node, "Hash Cond");
  if (below.empty()) below = Text(node, "Merge Cond");
  if (below.empty()) below = join;
  const auto children = node.find("Plans");
  if (children == node.end()) return;
  for (const Json& child : *children) Collect(child, below, scans);
}

class Restrictions {
 public:
  Restrictions(Compilation& compilation, const Plan& plan)
      : compilation_(compilation), plan_(plan) {}

  absl::Status Check() {
    RETURN_IF_ERROR(MakeIndexes());
    RETURN_IF_ERROR(EstimateTargets());
    for (size_t m = 0; m < plan_.mappings.size(); ++m) {
      if (plan_.mappings[m].row_local) continue;
      RETURN_IF_ERROR(CheckMapping(compilation_.drafts[m], plan_.mappings[m].keyed));
      for (const spec::FromRule& rule : compilation_.drafts[m].from) {
        RETURN_IF_ERROR(CheckRule(compilation_.drafts[m], rule));
      }
    }
    return absl::OkStatus();
  }

 private:
  // As the mirror will have them.
  absl::Status MakeIndexes() {
    for (size_t s = 0; s < compilation_.sources.size(); ++s) {
      const Source& source = compilation_.sources[s];
      if (!source.mirrored) continue;
      const string table = "pg_temp." + QuoteIdentifier(source.alias);
      RETURN_IF_ERROR(compilation_.probe.AddToTable(
          source.alias,
          "ALTER TABLE " + table + " ADD PRIMARY KEY (" + JoinQuoted(source.key) + ")"));
      for (const string& sql : source.index_sql) {
        RETURN_IF_ERROR(compilation_.probe.AddToTable(
            source.alias, "CREATE INDEX ON " + table + " ((" + sql + "\n))"));
      }
    }
    for (const spec::MirrorIndex& index : compilation_.direction.mirror_indexes) {
      RETURN_IF_ERROR(MakeDeclared(index));
    }
    return absl::OkStatus();
  }

  absl::Status MakeDeclared(const spec::MirrorIndex& index) {
    const SqlPiece piece{
        .what = "mirror_indexes." + index.table.ToString(), .sql = index.sql, .place = index.place};
    const SourceIndex source = compilation_.FindSource(index.table);
    const string& alias = compilation_.sources[source].alias;
    const string before = "CREATE INDEX ON pg_temp." + QuoteIdentifier(alias) + " ((";
    const absl::Status made = compilation_.probe.AddToTable(alias, before + index.sql + "\n))");
    return made.ok() ? made
                     : compilation_.SqlFault(piece, static_cast<int>(Characters(before)), made);
  }

  // Rows of a source, by OLD's statistics.
  int64_t SourceRows(const Source& source) const {
    const catalog::Table& table = *source.table;
    return table.rows_estimate >= 0 ? table.rows_estimate : table.bytes / kBytesPerRow;
  }

  // A table that mappings fill is empty still: it is taken to be as large as what it comes from.
  absl::Status EstimateTargets() {
    ASSIGN_OR_RETURN(table_rows_, compilation_.probe.RowEstimates());
    for (const Draft& draft : compilation_.drafts) {
      int64_t& rows = table_rows_[draft.display];
      if (draft.row_local) rows = std::max(rows, SourceRows(compilation_.sources[draft.source]));
      for (const spec::FromRule& rule : draft.from) {
        const SourceIndex source =
            rule.table.schema.empty() ? compilation_.FindSource(rule.table) : SourceIndex();
        rows =
            std::max(rows, source.valid() ? SourceRows(compilation_.sources[source])
                                          : table_rows_[rule.table.schema + "." + rule.table.name]);
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckMapping(const Draft& draft, const KeyedPlan& keyed) {
    const string select = ReplaceInSql(keyed.explain, "{select}", draft.select);
    const string key = draft.spec->copy ? "copy" : "select";
    ASSIGN_OR_RETURN(const auto scans, compilation_.probe.Explain(keyed.temp_ddl, select));
    RETURN_IF_ERROR(Report(draft, key, "recomputing a few rows", scans));
    ASSIGN_OR_RETURN(const auto removal, compilation_.probe.Explain(keyed.temp_ddl, keyed.remove));
    return Report(draft, "table", "finding its rows by " + absl::StrJoin(draft.scope, ", "),
                  removal);
  }

  absl::Status CheckRule(const Draft& draft, const spec::FromRule& rule) {
    const bool is_source = rule.table.schema.empty();
    const string table = is_source ? "pg_temp." + QuoteIdentifier(rule.table.name)
                                   : QuoteQualified(rule.table.schema, rule.table.name);
    // As TouchFrame, over the changed rows alone.
    const string rows = string("pg_temp.") + kChanged + " AS " + QuoteIdentifier(rule.table.name);
    if (!LooksLikeQuery(rule.touches)) return absl::OkStatus();
    const string select =
        "SELECT sy_q.* FROM " + rows + " CROSS JOIN LATERAL (" + rule.touches + "\n) AS sy_q";
    ASSIGN_OR_RETURN(
        const auto scans,
        compilation_.probe.Explain(
            {string("CREATE TEMP TABLE ") + kChanged + " (LIKE " + table + ")"}, select));
    const SqlPiece piece{.what = "from." + rule.table.ToString() + " of " + draft.display,
                         .sql = rule.touches,
                         .place = rule.place};
    return ReportAt("looking through a few changed rows", scans,
                    [&](const string& message) { compilation_.Fault(piece, 0, message); });
  }

  absl::Status Report(const Draft& draft, const string& key, const string& what,
                      const string& explain) {
    return ReportAt(what, explain, [&](const string& message) {
      compilation_.Fault(*draft.spec, key, draft.display + ": " + message);
    });
  }

  template <typename Fault>
  absl::Status ReportAt(const string& what, const string& explain, Fault fault) {
    ASSIGN_OR_RETURN(const vector<WholeScan> scans, WholeScans(explain));
    std::set<string> told;
    for (const WholeScan& scan : scans) {
      const bool stand_in = scan.schema.starts_with("pg_temp");
      int64_t rows = 0;
      if (!stand_in) rows = table_rows_[scan.schema + "." + scan.table];
      for (const Source& source : compilation_.sources) {
        if (stand_in && source.alias == scan.table) rows = SourceRows(source);
      }
      if (rows < kScannedRowsMax) continue;
      const string message = Message(what, scan, rows, stand_in);
      if (told.insert(message).second) fault(message);
    }
    return absl::OkStatus();
  }

  static string Message(const string& what, const WholeScan& scan, int64_t rows, bool stand_in) {
    const string display = stand_in ? scan.table : scan.schema + "." + scan.table;
    const string expression = scan.expression.empty() ? "EXPRESSION" : scan.expression;
    return absl::StrFormat(
        "%s has to read all of %s (about %d rows), because no index serves %s. %s", what, display,
        rows, scan.condition.empty() ? "the condition" : scan.condition,
        stand_in ? absl::StrFormat("Add under mirror_indexes: {%s: ['%s']}", display,
                                   absl::StrReplaceAll(expression, {{"'", "''"}}))
                 : absl::StrFormat("Run on NEW: CREATE INDEX ON %s ((%s))",
                                   QuoteQualified(scan.schema, scan.table), expression));
  }

  Compilation& compilation_;
  const Plan& plan_;
  std::map<string, int64_t> table_rows_;  // of NEW's tables, by schema.name
};

}  // namespace

absl::StatusOr<vector<WholeScan>> WholeScans(std::string_view explain_json) {
  const Json tree = Json::parse(explain_json, nullptr, false);
  if (!tree.is_array() || tree.empty() || !tree[0].contains("Plan")) {
    return absl::InternalError("EXPLAIN returned no plan");
  }
  vector<WholeScan> scans;
  Collect(tree[0]["Plan"], "", &scans);
  return scans;
}

absl::Status CheckRestrictions(Compilation* compilation, const Plan& plan) {
  return Restrictions(*compilation, plan).Check();
}

}  // namespace switchyard::mapping
