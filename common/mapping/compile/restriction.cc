#include "common/mapping/compile/restriction.h"

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/sql_text.h"
#include "common/base/strings.h"
#include "common/mapping/compile/index_words.h"

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
  for (const string& side : {left, right}) {
    const string bare = WithoutQualifier(side, alias);
    if (bare == side || side.find('$') != string::npos) continue;
    return bare;
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
    for (const auto& [fault, message] : told_) fault(message + Block());
    return absl::OkStatus();
  }

 private:
  using Fault = std::function<void(const string& message)>;
  // A statement as the apply session runs it.
  struct Look {
    vector<string> setup;
    string statement;
  };

  // As the mirror will have them.
  absl::Status MakeIndexes() {
    for (size_t s = 0; s < compilation_.sources.size(); ++s) {
      const Source& source = compilation_.sources[s];
      if (!source.mirrored) continue;
      const string table = "pg_temp." + QuoteIdentifier(source.alias);
      if (!source.has_key) {
        RETURN_IF_ERROR(compilation_.probe.AddToTable(source.alias, source.KeyDdl()));
      }
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
    RETURN_IF_ERROR(Report(draft, key, "recomputing a few rows", {keyed.temp_ddl, select}));
    return Report(draft, "table", "finding its rows by " + absl::StrJoin(draft.scope, ", "),
                  {keyed.temp_ddl, keyed.remove});
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
    const SqlPiece piece{.what = "from." + rule.table.ToString() + " of " + draft.display,
                         .sql = rule.touches,
                         .place = rule.place};
    return ReportAt(
        draft, "looking through a few changed rows",
        {{string("CREATE TEMP TABLE ") + kChanged + " (LIKE " + table + ")"}, select},
        [this, piece](const string& message) { compilation_.Fault(piece, 0, message); });
  }

  absl::Status Report(const Draft& draft, const string& key, const string& what, const Look& look) {
    return ReportAt(draft, what, look, [this, &draft, key](const string& message) {
      compilation_.Fault(*draft.spec, key, draft.display + ": " + message);
    });
  }

  absl::Status ReportAt(const Draft& draft, const string& what, const Look& look,
                        const Fault& fault) {
    ASSIGN_OR_RETURN(const string explain, compilation_.probe.Explain(look.setup, look.statement));
    ASSIGN_OR_RETURN(const vector<WholeScan> scans, WholeScans(explain));
    std::set<std::pair<string, string>> seen;
    for (const WholeScan& scan : scans) {
      const Source* source = StandIn(scan);
      const auto known = table_rows_.find(scan.schema + "." + scan.table);
      const int64_t rows = source != nullptr            ? SourceRows(*source)
                           : known != table_rows_.end() ? known->second
                                                        : 0;
      if (rows < kScannedRowsMax) continue;
      if (!seen.insert({scan.schema + "." + scan.table, scan.expression}).second) continue;
      const string message =
          absl::StrFormat("%s has to read all of %s (about %d rows), because ", what,
                          source != nullptr ? scan.table : scan.schema + "." + scan.table, rows);
      if (source == nullptr) {
        told_.emplace_back(fault, message + OfNew(scan));
        continue;
      }
      ASSIGN_OR_RETURN(const string index,
                       Serving(draft, *source, look, scan,
                               std::ranges::count(scans, scan.table, &WholeScan::table)));
      if (!index.empty()) advice_[scan.table].insert(index);
      told_.emplace_back(
          fault, message + (index.empty() ? NoneServes(scan) : "no index serves " + index + ". "));
    }
    return absl::OkStatus();
  }

  // The table of the source that a scanned one stands in for; null: it is NEW's own.
  const Source* StandIn(const WholeScan& scan) const {
    if (!scan.schema.starts_with("pg_temp")) return nullptr;
    for (const Source& source : compilation_.sources) {
      if (source.alias == scan.table) return &source;
    }
    return nullptr;
  }

  // An expression whose index makes an end of the scan: in the words of the file if one of its own
  // does, else in the server's; empty when none does.
  // `before`: of how many scans of that table.
  absl::StatusOr<string> Serving(const Draft& draft, const Source& source, const Look& look,
                                 const WholeScan& scan, ptrdiff_t before) {
    vector<string> candidates = OwnExpressions(draft, source);
    if (!scan.expression.empty()) candidates.push_back(scan.expression);
    for (const string& candidate : candidates) {
      Look with = look;
      with.setup.push_back(absl::StrCat("CREATE INDEX ON pg_temp.", QuoteIdentifier(source.alias),
                                        " ((", candidate, "\n))"));
      const absl::StatusOr<string> explain = compilation_.probe.Explain(with.setup, with.statement);
      if (!explain.ok() && !absl::IsInvalidArgument(explain.status())) return explain.status();
      if (!explain.ok()) continue;
      ASSIGN_OR_RETURN(const vector<WholeScan> scans, WholeScans(*explain));
      if (std::ranges::count(scans, scan.table, &WholeScan::table) < before) return candidate;
    }
    return string();
  }

  // Of conditions that the server has unfolded a piece is enough to know them by.
  static string Shortened(const string& condition) {
    constexpr size_t kConditionMax = 200;
    const std::string_view cut = CutUtf8(condition, kConditionMax);
    return cut.size() == condition.size() ? condition : string(cut) + " ...";
  }

  static string NoneServes(const WholeScan& scan) {
    return absl::StrFormat(
        "no index over an expression of that table serves %s. Write it as one side that is "
        "computed "
        "from %s alone = another side, or choose a scope that the select's GROUP BY or join has. ",
        scan.condition.empty() ? "the condition" : Shortened(scan.condition), scan.table);
  }

  static string OfNew(const WholeScan& scan) {
    return absl::StrFormat("no index serves %s. Run on NEW: CREATE INDEX ON %s ((%s))",
                           scan.condition.empty() ? "the condition" : Shortened(scan.condition),
                           QuoteQualified(scan.schema, scan.table),
                           scan.expression.empty() ? "EXPRESSION" : scan.expression);
  }

  // All that is advised, with what the file has: to be pasted in one piece.
  string Block() const {
    if (advice_.empty()) return "";
    std::map<string, std::set<string>> all = advice_;
    for (const spec::MirrorIndex& index : compilation_.direction.mirror_indexes) {
      all[index.table.ToString()].insert(index.sql);
    }
    vector<string> tables;
    for (const auto& [table, expressions] : all) {
      vector<string> quoted;
      for (const string& sql : expressions) {
        quoted.push_back("'" + absl::StrReplaceAll(sql, {{"'", "''"}}) + "'");
      }
      tables.push_back(table + ": [" + absl::StrJoin(quoted, ", ") + "]");
    }
    return "Add under mirror_indexes: {" + absl::StrJoin(tables, ", ") + "}";
  }

  Compilation& compilation_;
  const Plan& plan_;
  std::map<string, int64_t> table_rows_;  // of NEW's tables, by schema.name
  // What is wrong, until all that helps is known.
  vector<std::pair<Fault, string>> told_;
  std::map<string, std::set<string>> advice_;  // expressions by table of the source
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
