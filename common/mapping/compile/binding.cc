// What a name means is decided here, once: under the schemas that the file declares. Whoever may
// create in one of them could otherwise take the place of a function or operator later, by an exact
// match of its arguments, and be called by the role that replays.
//
// By example: `set: {email: norm(email)}` over customers.email varchar, norm being NEW's own. The
// database is asked for the definition of
//
//   CREATE TEMP VIEW AS SELECT (norm(email)) AS sy_bound_0 FROM customers
//
// under a path of pg_catalog alone, which is app.norm((customers.email)::text): that is what the
// statements of the plan have. A select needs none of it, for the view it becomes is bound itself.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "common/base/sql_text.h"
#include "common/base/strings.h"
#include "common/mapping/compile/compilation.h"
#include "common/mapping/sql/sql_pieces.h"
#include "common/mapping/sql_analysis.h"

namespace switchyard::mapping {
namespace {

using std::string;
using std::vector;

constexpr char kBound[] = "sy_bound_";
// What stands before the first of several expressions.
constexpr std::string_view kBefore = "SELECT (";

// The outputs of a select as the server prints it, each named kBound and its number.
absl::StatusOr<vector<string>> CutOutputs(const string& select, size_t count) {
  constexpr std::string_view kSelect = "SELECT";
  constexpr char kSpace[] = ", \n";
  vector<string> outputs;
  size_t begin = select.find(kSelect);
  if (begin != string::npos) begin = select.find_first_not_of(kSpace, begin + kSelect.size());
  for (size_t i = 0; i < count && begin != string::npos; ++i) {
    const string name = absl::StrCat(" AS ", kBound, i);
    const size_t end = select.find(name, begin);
    if (end == string::npos) break;
    outputs.push_back(select.substr(begin, end - begin));
    begin = select.find_first_not_of(kSpace, end + name.size());
  }
  if (outputs.size() == count) return outputs;
  return absl::InternalError("a definition that the target printed can't be read: " + select);
}

// Of the text between the first `begin` and the last `end`.
absl::StatusOr<string> Between(const string& text, std::string_view begin, std::string_view end) {
  const size_t from = text.find(begin);
  const size_t to = text.rfind(end);
  if (from != string::npos && to != string::npos && from + begin.size() <= to) {
    return text.substr(from + begin.size(), to - from - begin.size());
  }
  return absl::InternalError("a definition that the target printed can't be read: " + text);
}

class Binder {
 public:
  explicit Binder(Compilation& compilation) : compilation_(compilation) {
    for (const Source& source : compilation.sources) names_.relations.insert(source.alias);
    for (const catalog::UserType& type : compilation.input.source->types) {
      names_.types.insert(type.mirror_name);
    }
  }

  absl::Status Run() {
    RETURN_IF_ERROR(FindTypes());
    for (Draft& draft : compilation_.drafts) {
      if (draft.row_local || draft.spec->copy) RETURN_IF_ERROR(BindAssignments(&draft));
      RETURN_IF_ERROR(BindOwns(&draft));
      RETURN_IF_ERROR(KeepRest(draft));
    }
    for (const spec::IdMapRule& rule : compilation_.direction.id_maps) {
      RETURN_IF_ERROR(BindIds(rule));
    }
    RETURN_IF_ERROR(BindIndexes());
    RETURN_IF_ERROR(NarrowStandIns());
    for (Draft& draft : compilation_.drafts) {
      if (draft.row_local) continue;
      for (const spec::FromRule& rule : draft.from) RETURN_IF_ERROR(BindTouches(&draft, rule));
    }
    RETURN_IF_ERROR(FindOperators());
    const bool installed = &compilation_.direction != &compilation_.written;
    compilation_.bound =
        installed ? compilation_.input.bound : PiecesToKeep(compilation_.direction, kept_);
    return absl::OkStatus();
  }

 private:
  absl::Status FindTypes() {
    ASSIGN_OR_RETURN(const auto columns, compilation_.probe.ForeignTypes());
    for (const Probe::TypedColumn& each : columns) {
      compilation_.types[{each.alias, each.column}] = each.type;
    }
    return absl::OkStatus();
  }

  absl::Status FindOperators() {
    std::set<string> tables;
    for (const Draft& draft : compilation_.drafts) tables.insert(draft.target->Quoted());
    ASSIGN_OR_RETURN(const auto columns,
                     compilation_.probe.ForeignOperators({tables.begin(), tables.end()}));
    for (const Probe::ComparedColumn& each : columns) {
      const string table =
          each.schema.empty() ? each.table : absl::StrCat(each.schema, ".", each.table);
      compilation_.operators[table][each.column] = each.equals;
      compilation_.compared_types[{table, each.column}] = each.type;
    }
    ASSIGN_OR_RETURN(const bool own,
                     compilation_.probe.RunsOwnCode({tables.begin(), tables.end()}));
    if (own || compilation_.calls_functions_by_path) NameEveryOperator();
    return absl::OkStatus();
  }

  // The path that such code wants has more than pg_catalog in it.
  void NameEveryOperator() {
    const auto name = [&](const string& as, const catalog::Table& table) {
      for (const catalog::Column& column : table.columns) {
        compilation_.operators[as].emplace(column.name, "OPERATOR(pg_catalog.=)");
      }
    };
    for (const Source& source : compilation_.sources) name(source.alias, *source.table);
    for (const Draft& draft : compilation_.drafts) name(draft.display, *draft.target);
  }

  // What stands in the mirror's schema there, and in pg_temp here.
  string InMirror(const string& bound) const {
    const string& schema = compilation_.input.stream->mirror_schema;
    const absl::StatusOr<string> named = QualifyNames(bound, schema, names_);
    return ReplaceInSql(named.ok() ? *named : bound, "pg_temp.", QuoteIdentifier(schema) + ".");
  }

  // Of one row each, bound, with what is in the mirror's schema standing in pg_temp still.
  absl::StatusOr<vector<string>> OutputsHere(const vector<string>& expressions,
                                             const string& from) {
    const string select =
        string(kBefore) +
        Each(expressions.size(), ", (",
             [&](size_t i) { return absl::StrCat(expressions[i], "\n) AS ", kBound, i); }) +
        " FROM " + from;
    ASSIGN_OR_RETURN(const string bound, compilation_.probe.Bound(select));
    return CutOutputs(bound, expressions.size());
  }

  // For a later start (Plan::bound): over the stand-ins of whole tables, as it will be looked at.
  absl::Status KeepRest(const Draft& draft) {
    const spec::Mapping& mapping = *draft.spec;
    if (!mapping.select.empty()) RETURN_IF_ERROR(KeepSelect(mapping.select));
    if (!mapping.where.empty()) RETURN_IF_ERROR(KeepWhere(draft));
    for (const auto& [column, sql] : mapping.set) {
      if (!kept_.contains(&sql)) kept_[&sql] = sql;  // a column
    }
    Draft scoped = draft;
    if (scoped.scope.empty()) scoped.scope = mapping.scope.empty() ? draft.key : mapping.scope;
    for (const spec::FromRule& rule : mapping.from) {
      const absl::StatusOr<string> bound = BoundTouches(scoped, rule);
      if (bound.ok()) kept_[&rule.touches] = *bound;
      if (!bound.ok() && !absl::IsInvalidArgument(bound.status())) return bound.status();
    }
    return absl::OkStatus();
  }

  // Its view is bound when it is made: what can't be written down is not refused here.
  absl::Status KeepSelect(const string& select) {
    const absl::StatusOr<string> bound = compilation_.probe.Bound(select);
    if (bound.ok()) kept_[&select] = *bound;
    return bound.ok() || absl::IsInvalidArgument(bound.status()) ? absl::OkStatus()
                                                                 : bound.status();
  }

  absl::Status KeepWhere(const Draft& draft) {
    const auto bound = OutputsHere({draft.spec->where}, SourceOf(draft));
    if (bound.ok()) kept_[&draft.spec->where] = (*bound)[0];
    return bound.ok() || absl::IsInvalidArgument(bound.status()) ? absl::OkStatus()
                                                                 : bound.status();
  }

  string SourceOf(const Draft& draft) const {
    return absl::StrCat("pg_temp.", QuoteIdentifier(compilation_.sources[draft.source].alias),
                        " AS ", QuoteIdentifier(draft.alias));
  }

  // A column alone is no name that is looked for by a path.
  static bool IsColumn(const catalog::Table& table, const string& sql) {
    return std::ranges::any_of(table.columns, [&](const catalog::Column& column) {
      const bool folded = std::ranges::all_of(column.name, [](char c) {
        return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
      });
      return sql == QuoteIdentifier(column.name) || (folded && sql == column.name);
    });
  }

  absl::Status BindAssignments(Draft* draft) {
    const Source& source = compilation_.sources[draft->source];
    const string from = SourceOf(*draft);
    vector<Assignment*> computed;
    vector<string> sql;
    for (Assignment& a : draft->assignments) {
      if (IsColumn(*source.table, a.sql)) continue;
      computed.push_back(&a);
      sql.push_back(a.sql);
    }
    if (sql.empty()) return absl::OkStatus();
    absl::StatusOr<vector<string>> bound = OutputsHere(sql, from);
    if (absl::IsInvalidArgument(bound.status())) return RefuseEach(*draft, computed, from);
    RETURN_IF_ERROR(bound.status());
    for (size_t i = 0; i < computed.size(); ++i) {
      for (const auto& [column, written] : draft->spec->set) {
        if (column == computed[i]->column) kept_[&written] = (*bound)[i];
      }
      computed[i]->sql = InMirror((*bound)[i]);
    }
    return absl::OkStatus();
  }

  absl::Status RefuseEach(const Draft& draft, const vector<Assignment*>& assignments,
                          const string& from) {
    for (const Assignment* a : assignments) {
      const absl::Status bound = OutputsHere({a->sql}, from).status();
      if (bound.ok()) continue;
      if (!absl::IsInvalidArgument(bound)) return bound;
      const string key = draft.spec->copy ? "set." + a->column : "select";
      compilation_.Fault(*draft.spec, key,
                         absl::StrCat(a->column, " of ", draft.display, ": ", bound.message()));
    }
    return absl::OkStatus();
  }

  // It stands over rows that go by other names in each statement: of its columns none is left.
  absl::Status BindOwns(Draft* draft) {
    const string& owns = draft->spec->owns;
    if (owns.empty()) return absl::OkStatus();
    const SqlPiece piece = compilation_.Piece(*draft->spec, "owns", owns);
    const absl::StatusOr<ExpressionShape> shape = AnalyzeExpression(owns);
    if (shape.ok() && shape->has_subquery) {
      compilation_.Fault(piece, 0,
                         "it looks at other rows: a row is owned by its own values alone");
      return absl::OkStatus();
    }
    const auto bound = OutputsHere({owns}, draft->target->Quoted() + " AS sy_w");
    if (!bound.ok()) return compilation_.SqlFault(piece, 0, WithoutPlace(bound.status()));
    draft->owns = ReplaceInSql((*bound)[0], "sy_w.", "");
    kept_[&owns] = draft->owns;
    return absl::OkStatus();
  }

  absl::Status BindIds(const spec::IdMapRule& rule) {
    const Source& source = compilation_.sources[compilation_.FindSource(rule.table)];
    spec::IdMapRule bound = rule;
    vector<string> sql;
    for (const string* id : {&rule.old_id, &rule.new_id}) {
      if (!IsColumn(*source.table, *id)) sql.push_back(*id);
    }
    for (const string* id : {&rule.old_id, &rule.new_id}) kept_[id] = *id;
    if (!sql.empty()) {
      const auto outputs = OutputsHere(sql, "pg_temp." + QuoteIdentifier(source.alias));
      if (!outputs.ok()) {
        const SqlPiece piece{
            .what = "ids " + rule.kind, .sql = rule.new_id, .place = rule.new_place};
        return compilation_.SqlFault(piece, 0, WithoutPlace(outputs.status()));
      }
      size_t next = 0;
      for (auto id : {&spec::IdMapRule::old_id, &spec::IdMapRule::new_id}) {
        if (IsColumn(*source.table, rule.*id)) continue;
        kept_[&(rule.*id)] = (*outputs)[next];
        bound.*id = InMirror((*outputs)[next++]);
      }
    }
    compilation_.ids.push_back(std::move(bound));
    return absl::OkStatus();
  }

  absl::Status BindIndexes() {
    for (const Source& source : compilation_.sources) {
      for (const string& sql : source.index_sql) RETURN_IF_ERROR(BindIndex(source, sql).status());
    }
    for (const spec::MirrorIndex& index : compilation_.direction.mirror_indexes) {
      RETURN_IF_ERROR(BindDeclared(index));
    }
    return absl::OkStatus();
  }

  absl::Status BindDeclared(const spec::MirrorIndex& index) {
    const SqlPiece piece{
        .what = "mirror_indexes." + index.table.ToString(), .sql = index.sql, .place = index.place};
    vector<string> known;
    for (const Source& source : compilation_.sources) {
      if (source.mirrored) known.push_back(source.alias);
      if (!source.mirrored || source.alias != index.table.name) continue;
      RETURN_IF_ERROR(NoteFunctions(source, index.sql));
      const absl::StatusOr<string> bound = BindIndex(source, index.sql);
      if (bound.ok()) kept_[&index.sql] = *bound;
      return bound.ok()
                 ? absl::OkStatus()
                 : compilation_.SqlFault(piece, static_cast<int>(kBefore.size()), bound.status());
    }
    compilation_.Fault(piece, 0, "no such table is mirrored" + DidYouMean(index.table.name, known));
    return absl::OkStatus();
  }

  absl::Status NoteFunctions(const Source& source, const string& sql) {
    const auto resolved = compilation_.probe.Resolve(
        absl::StrCat("SELECT (", sql, "\n) FROM pg_temp.", QuoteIdentifier(source.alias)));
    if (absl::IsInvalidArgument(resolved.status())) return absl::OkStatus();  // told by BindIndex
    RETURN_IF_ERROR(resolved.status());
    for (const Probe::Function& function : resolved->functions) {
      compilation_.calls_functions_by_path |= function.by_path;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<string> BindIndex(const Source& source, const string& sql) {
    string bound = sql;
    if (!IsColumn(*source.table, sql)) {
      ASSIGN_OR_RETURN(const vector<string> outputs,
                       OutputsHere({sql}, "pg_temp." + QuoteIdentifier(source.alias)));
      bound = outputs[0];
    }
    compilation_.indexes[source.alias + " " + sql] = InMirror(bound);
    return bound;
  }

  // As the mirrors will be: what the server prints may go by the place of a column.
  absl::Status NarrowStandIns() {
    for (const Source& source : compilation_.sources) {
      if (!source.mirrored) continue;
      vector<string> drops;
      for (const catalog::Column& column : source.table->columns) {
        const bool kept = source.mirror_used.contains(column.name) ||
                          std::ranges::count(source.key, column.name) > 0;
        if (!kept) drops.push_back("DROP COLUMN " + QuoteIdentifier(column.name));
      }
      if (drops.empty()) continue;
      RETURN_IF_ERROR(compilation_.probe.AddToTable(
          source.alias, absl::StrCat("ALTER TABLE pg_temp.", QuoteIdentifier(source.alias), " ",
                                     absl::StrJoin(drops, ", "))));
    }
    return absl::OkStatus();
  }

  absl::Status BindTouches(Draft* draft, const spec::FromRule& rule) {
    const absl::StatusOr<string> bound = BoundTouches(*draft, rule);
    draft->touches.push_back(bound.ok() ? InMirror(*bound) : rule.touches);
    if (bound.ok() || !absl::IsInvalidArgument(bound.status())) return bound.status();
    const SqlPiece piece{
        .what = absl::StrCat("from.", rule.table.ToString(), " of ", draft->display),
        .sql = rule.touches,
        .place = rule.place};
    return compilation_.SqlFault(piece, 0, WithoutPlace(bound.status()));
  }

  absl::StatusOr<string> BoundTouches(const Draft& draft, const spec::FromRule& rule) {
    return LooksLikeQuery(rule.touches) ? BoundQuery(draft, rule) : BoundValues(rule);
  }

  absl::StatusOr<string> BoundQuery(const Draft& draft, const spec::FromRule& rule) {
    ASSIGN_OR_RETURN(const string bound, compilation_.probe.Bound(TouchSelect(draft, rule)));
    return Between(bound, "CROSS JOIN LATERAL (", ") sy_q");
  }

  // As one value, for a list of them can't be told apart in what is printed.
  absl::StatusOr<string> BoundValues(const spec::FromRule& rule) {
    const auto [select, from] = TouchFrame(rule);
    if (IsColumnOf(rule)) return rule.touches;
    ASSIGN_OR_RETURN(const string bound,
                     compilation_.probe.Bound(absl::StrCat(select, "ROW(", rule.touches,
                                                           "\n) IS NULL AS ", kBound, from)));
    return Between(bound, "(ROW(", absl::StrCat(") IS NULL) AS ", kBound));
  }

  bool IsColumnOf(const spec::FromRule& rule) const {
    const SourceIndex source =
        rule.table.schema.empty() ? compilation_.FindSource(rule.table) : SourceIndex();
    return source.valid() && IsColumn(*compilation_.sources[source].table, rule.touches);
  }

  // The place that the server gives is in a statement that nobody wrote.
  static absl::Status WithoutPlace(const absl::Status& status) {
    if (!absl::IsInvalidArgument(status)) return status;
    return absl::InvalidArgumentError(status.message());
  }

  Compilation& compilation_;
  UnqualifiedNames names_;
  std::map<const string*, string> kept_;  // by pieces of the direction
};

}  // namespace

absl::Status BindSql(Compilation* compilation) { return Binder(*compilation).Run(); }

}  // namespace switchyard::mapping
