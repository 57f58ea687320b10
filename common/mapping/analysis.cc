#include <algorithm>
#include <set>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/compilation.h"
#include "common/mapping/sql_analysis.h"

namespace switchyard::mapping {
namespace {

using std::set;
using std::string;
using std::vector;

class Analysis {
 public:
  explicit Analysis(Compilation& compilation) : c_(compilation) {}

  absl::Status Run() {
    for (Draft& draft : c_.drafts) RETURN_IF_ERROR(Analyse(&draft));
    return absl::OkStatus();
  }

 private:
  absl::Status Analyse(Draft* draft) {
    RETURN_IF_ERROR(draft->spec->copy ? AnalyseCopy(draft) : AnalyseSelect(draft));
    for (const Assignment& a : draft->assignments) draft->columns.push_back(a.column);
    if (draft->row_local) return FinishRowLocal(draft);
    return FinishKeyed(draft);
  }

  // False with a fault when a function may not stand in a mapping.
  absl::StatusOr<bool> CheckFunctions(const spec::Position& at, const set<FunctionRef>& functions,
                                      const set<string>& value_functions, bool* many_rows) {
    bool good = true;
    static const set<string> kClocks = {"now", "statement_timestamp", "transaction_timestamp"};
    for (const string& value : value_functions) {
      if (value.find("TIME") == string::npos && value.find("DATE") == string::npos) continue;
      c_.Fault(at,
               "the mapping asks for the current time: a later recompute would give another row. "
               "Use a column of the source");
      good = false;
    }
    ASSIGN_OR_RETURN(const auto described, c_.probe.Describe(functions));
    for (const Probe::Function& function : described) {
      if (many_rows != nullptr) *many_rows |= function.many_rows;
      if (function.is_volatile || kClocks.contains(function.name)) {
        c_.Fault(at,
                 absl::StrFormat("%s() is volatile: the same row would map to another value every "
                                 "time. Use switchyard.uuid_of(kind, key) for ids, or a column of "
                                 "the source",
                                 function.name));
        good = false;
      } else if (function.may_read_tables) {
        c_.Fault(at,
                 absl::StrFormat("%s() is not IMMUTABLE, so it may read tables that the mapping "
                                 "does not name. Join the table in a select instead",
                                 function.name));
        good = false;
      }
    }
    return good;
  }

  absl::Status AnalyseCopy(Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    Source& source = c_.sources[draft->source];
    draft->alias = source.alias;
    draft->row_local = true;
    if (!mapping.where.empty()) MakeKeyed(draft, "a row can enter or leave `where`");
    for (Assignment& a : draft->assignments) {
      if (a.plain == 0) continue;  // a column copied by name
      const absl::StatusOr<ExpressionShape> shape = AnalyzeExpression(a.sql);
      if (!shape.ok()) {
        c_.Fault(mapping.at, absl::StrCat("set ", a.column, ": ", shape.status().message()));
        continue;
      }
      bool many_rows = false;
      RETURN_IF_ERROR(
          CheckFunctions(mapping.at, shape->functions, shape->value_functions, &many_rows)
              .status());
      if (many_rows) {
        c_.Fault(mapping.at,
                 absl::StrCat("set ", a.column,
                              ": aggregates and set-returning functions need a select"));
      }
      NotePlain(*draft, shape->columns, shape->plain_column, &a);
      if (shape->has_subquery) MakeKeyed(draft, "`set " + a.column + "` reads other rows");
      if (a.plain < 0) NoteComputed(source, shape->columns, a.column, draft);
      RequireReads(*draft, shape->relations, source.alias);
    }
    return absl::OkStatus();
  }

  void MakeKeyed(Draft* draft, string why) {
    if (draft->row_local) draft->why_keyed = std::move(why);
    draft->row_local = false;
  }

  // The assignment is a bare column: remembered by name until the stage's columns are known.
  void NotePlain(const Draft& draft, const set<string>& columns, const string& plain,
                 Assignment* assignment) {
    assignment->plain = -1;
    const Column* column =
        plain.empty() ? nullptr : c_.sources[draft.source].table->FindColumn(plain);
    if (column != nullptr) {
      assignment->plain = 0;
      c_.plain_names[{draft.spec, assignment->column}] = plain;
    }
    c_.read_columns[{draft.spec, assignment->column}] = columns;
  }

  // An expression over a value that an update may leave out can't be evaluated from the log alone.
  void NoteComputed(const Source& source, const set<string>& columns, const string& target_column,
                    Draft* draft) {
    if (source.table->replica_identity == 'f') return;
    for (const string& name : columns) {
      const Column* column = source.table->FindColumn(name);
      if (column == nullptr || !column->toastable || column->in_identity) continue;
      MakeKeyed(draft, absl::StrFormat("%s is computed from %s.%s, which updates may leave out "
                                       "(TOAST); REPLICA IDENTITY FULL would avoid the mirror",
                                       target_column, source.table->name, name));
    }
  }

  void RequireReads(const Draft& draft, const set<RelationRef>& relations, const string& own) {
    for (const RelationRef& relation : relations) {
      if (relation.schema.empty() && relation.name == own) continue;
      if (relation.schema == kProductSchema || relation.schema == "pg_catalog") continue;
      const auto listed = [&](const spec::TableName& name) {
        return name.schema == relation.schema && name.name == relation.name;
      };
      const spec::Mapping& mapping = *draft.spec;
      if (std::ranges::any_of(mapping.from, listed, &spec::FromRule::table) ||
          std::ranges::any_of(mapping.static_tables, listed)) {
        continue;
      }
      c_.Fault(mapping.at,
               absl::StrFormat("%s reads %s%s%s, which stands neither under from nor under static: "
                               "say which rows its changes touch, or that it never changes",
                               mapping.target.ToString(), relation.schema,
                               relation.schema.empty() ? "" : ".", relation.name));
    }
  }

  absl::Status AnalyseSelect(Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    draft->select = mapping.select;
    const absl::StatusOr<SelectShape> shape = AnalyzeSelect(mapping.select);
    if (!shape.ok()) {
      c_.Fault(mapping.at, absl::StrCat("select of ", mapping.target.ToString(), ": ",
                                        shape.status().message()));
      draft->failed = true;
      return absl::OkStatus();
    }
    bool many_rows = false;
    RETURN_IF_ERROR(
        CheckFunctions(mapping.at, shape->functions, shape->value_functions, &many_rows).status());
    RequireReads(*draft, shape->relations, "");
    draft->why_keyed = "its select reads more than one row";
    if (shape->single_table && !many_rows && mapping.from.size() == 1 &&
        mapping.from[0].table.schema.empty() && mapping.owns.empty()) {
      draft->source = c_.SourceFor(mapping.from[0].table, mapping.at);
      draft->row_local = draft->source >= 0;
      draft->alias = shape->table_alias;
      for (const OutputColumn& output : shape->outputs) {
        Assignment a{.column = output.name, .sql = output.sql};
        NotePlain(*draft, output.columns, output.plain_column, &a);
        if (a.plain < 0) {
          NoteComputed(c_.sources[draft->source], output.columns, output.name, draft);
        }
        draft->assignments.push_back(std::move(a));
      }
      if (!draft->row_local) draft->assignments.clear();
    }
    if (draft->row_local) return absl::OkStatus();
    const absl::StatusOr<vector<string>> columns = c_.probe.ColumnsOf(draft->select);
    if (!columns.ok()) return c_.SqlFault(*draft, "select", columns.status());
    for (const string& column : *columns) draft->assignments.push_back({.column = column});
    return absl::OkStatus();
  }

  absl::Status FinishRowLocal(Draft* draft) {
    const Source& source = c_.sources[draft->source];
    for (Assignment& a : draft->assignments) {
      a.in_key = std::ranges::count(draft->key, a.column) > 0;
      if (!a.in_key) continue;
      for (const string& column : c_.read_columns[{draft->spec, a.column}]) {
        if (std::ranges::count(source.key, column) > 0) continue;
        MakeKeyed(draft, absl::StrFormat("the key %s is computed from %s, which is no part of the "
                                         "identity of %s",
                                         a.column, column, source.table->name));
      }
    }
    if (!draft->row_local) return FinishKeyed(draft);
    RequireColumns(*draft);
    return PlansAsInsert(*draft, RowLocalSelect(c_, *draft));
  }

  absl::Status PlansAsInsert(const Draft& draft, const string& select) {
    const absl::Status plans =
        c_.probe.Plans(absl::StrCat("INSERT INTO ", draft.target->Quoted(), " (",
                                    JoinQuoted(draft.columns), ") OVERRIDING SYSTEM VALUE SELECT ",
                                    JoinQuoted(draft.columns), " FROM (", select, "\n) AS sy_q"));
    return plans.ok() ? plans : c_.SqlFault(draft, "columns", plans);
  }

  // Columns it must fill, and columns it must not.
  void RequireColumns(const Draft& draft) {
    for (const string& key : draft.key) {
      if (std::ranges::count(draft.columns, key) == 0) {
        c_.Fault(draft.spec->at,
                 absl::StrFormat("%s.%s is part of the key but the mapping does not "
                                 "fill it",
                                 draft.target->Display(), key));
      }
    }
    for (const Column& column : draft.target->columns) {
      const bool filled = std::ranges::count(draft.columns, column.name) > 0;
      if (filled && column.generated) {
        c_.Fault(draft.spec->at, absl::StrFormat("%s.%s is generated; leave it out",
                                                 draft.target->Display(), column.name));
      }
      if (!filled && column.not_null && !column.has_default && column.identity == 0 &&
          !column.generated) {
        c_.Fault(draft.spec->at,
                 absl::StrFormat("%s.%s is NOT NULL without a default, and the mapping "
                                 "does not fill it",
                                 draft.target->Display(), column.name));
      }
    }
  }

  absl::Status FinishKeyed(Draft* draft) {
    if (draft->failed) return absl::OkStatus();
    if (draft->select.empty()) draft->select = RowLocalSelect(c_, *draft);
    draft->scope = draft->spec->scope.empty() ? draft->key : draft->spec->scope;
    for (const string& column : draft->columns) {
      if (draft->target->FindColumn(column) == nullptr) {
        c_.Fault(draft->spec->at,
                 absl::StrFormat("the select gives a column %s, which %s does not have", column,
                                 draft->target->Display()));
        return absl::OkStatus();
      }
    }
    for (const string& column : draft->scope) {
      if (std::ranges::count(draft->columns, column) == 0) {
        c_.Fault(draft->spec->at,
                 absl::StrFormat("scope %s is not among the columns the mapping fills", column));
      }
    }
    RequireColumns(*draft);
    if (draft->source >= 0 && draft->spec->copy) AddOwnFrom(draft);
    for (const spec::FromRule& rule : draft->from) {
      CheckRuleReads(*draft, rule);
      if (rule.table.schema.empty()) continue;
      const string display = rule.table.schema + "." + rule.table.name;
      const bool mapped = std::ranges::any_of(c_.direction.mappings, [&](const spec::Mapping& m) {
        return m.target.name == rule.table.name &&
               (m.target.schema.empty() ? "public" : m.target.schema) == rule.table.schema;
      });
      if (!mapped) {
        c_.Fault(rule.at,
                 display + " stands under from, but no mapping fills it: list it under static");
      }
      draft->reads_targets.insert(display);
    }
    return PlansAsInsert(*draft, draft->select);
  }

  // Whatever a rule looks through must be able to touch the scope itself.
  void CheckRuleReads(const Draft& draft, const spec::FromRule& rule) {
    if (LooksLikeQuery(rule.touches)) {
      const absl::StatusOr<SelectShape> shape = AnalyzeSelect(rule.touches);
      if (shape.ok()) RequireReads(draft, shape->relations, "");
    } else {
      const absl::StatusOr<ExpressionShape> shape = AnalyzeExpression(rule.touches);
      if (shape.ok()) RequireReads(draft, shape->relations, "");
    }
  }

  // A `copy` that can't be row-local touches the scope of its own row.
  void AddOwnFrom(Draft* draft) {
    const Source& source = c_.sources[draft->source];
    for (const spec::FromRule& rule : draft->from) {
      if (rule.table.schema.empty() && rule.table.name == source.alias) return;
    }
    vector<string> values;
    for (const string& column : draft->scope) {
      for (const Assignment& a : draft->assignments) {
        if (a.column == column) values.push_back(a.sql);
      }
    }
    draft->from.push_back({.table = {.schema = "", .name = source.alias},
                           .touches = absl::StrJoin(values, ", "),
                           .at = draft->spec->at});
  }

  Compilation& c_;
};

}  // namespace

std::string RowLocalSelect(const Compilation& compilation, const Draft& draft) {
  std::vector<std::string> outputs;
  for (const Assignment& a : draft.assignments) {
    outputs.push_back("(" + a.sql + ") AS " + QuoteIdentifier(a.column));
  }
  return "SELECT " + absl::StrJoin(outputs, ", ") + " FROM " +
         QuoteIdentifier(compilation.sources[draft.source].alias) + " AS " +
         QuoteIdentifier(draft.alias) +
         (draft.spec->where.empty() ? "" : " WHERE " + draft.spec->where);
}

absl::Status AnalyseMappings(Compilation* compilation) { return Analysis(*compilation).Run(); }

}  // namespace switchyard::mapping
