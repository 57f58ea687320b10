#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/mapping/compile/compilation.h"
#include "common/mapping/compile/sql_checks.h"
#include "common/mapping/sql_analysis.h"

namespace switchyard::mapping {
namespace {

using std::set;
using std::string;
using std::vector;

constexpr absl::Duration kTellEvery = absl::Seconds(5);

class Analysis {
 public:
  explicit Analysis(Compilation& compilation) : compilation_(compilation), checks_(compilation) {}

  absl::Status Run() {
    // What is bound already has no name left to look for.
    const bool installed = &compilation_.direction != &compilation_.written;
    RETURN_IF_ERROR(compilation_.probe.Begin(compilation_.input.source->types,
                                             compilation_.SearchPath(),
                                             installed ? "pg_catalog" : compilation_.SearchPath()));
    for (Source& source : compilation_.sources) {
      Tell("tables of the source made for a trial", &source - compilation_.sources.data(),
           compilation_.sources.size());
      RETURN_IF_ERROR(AddStandIn(&source));
    }
    RETURN_IF_ERROR(AnalyseIds(&compilation_));
    for (Draft& draft : compilation_.drafts) {
      Tell("mappings tried on the target", &draft - compilation_.drafts.data(),
           compilation_.drafts.size());
      RETURN_IF_ERROR(Analyse(&draft));
    }
    return absl::OkStatus();
  }

 private:
  // With thousands of tables this takes minutes: not without a word.
  void Tell(std::string_view what, size_t done, size_t all) {
    if (absl::Now() - told_ < kTellEvery) return;
    told_ = absl::Now();
    LogInfo("mapping", what, {{"done", absl::StrCat(done)}, {"of", absl::StrCat(all)}});
  }

  absl::Status AddStandIn(Source* source) {
    const absl::Status added = compilation_.probe.AddTable(source->alias, *source->table);
    source->usable = added.ok();
    if (added.ok()) return AddKey(source);
    if (!absl::IsInvalidArgument(added)) return added;
    ASSIGN_OR_RETURN(const string hint, StandInHint(*source->table, added));
    compilation_.Fault(
        source->at, absl::StrCat("the target can't hold the columns of ", source->table->Display(),
                                 ": ", added.message(), ". ", hint));
    return absl::OkStatus();
  }

  // As the mirror will have it: a query that groups by it may have the row's other columns bare.
  // Only where one may, for each is an index, and a lock more.
  absl::Status AddKey(Source* source) {
    const bool groups =
        std::ranges::any_of(compilation_.direction.mappings, [&](const spec::Mapping& mapping) {
          return absl::StrContains(absl::AsciiStrToLower(mapping.select), "group") &&
                 std::ranges::count(mapping.reads, source->alias, &spec::TableName::name) > 0;
        });
    if (!groups || source->key.empty() || source->key != source->table->primary_key) {
      return absl::OkStatus();
    }
    const absl::Status added = compilation_.probe.AddToTable(source->alias, source->KeyDdl());
    source->has_key = added.ok();
    // Without it, a query that needs it is refused with Postgres' own words.
    return absl::IsInvalidArgument(added) ? absl::OkStatus() : added;
  }

  // What to do where NEW refuses a table like one of OLD's.
  absl::StatusOr<string> StandInHint(const catalog::Table& table, const absl::Status& refused) {
    if (pg::StatusErrorFields(refused).sqlstate != "42704") {  // undefined object
      return "That was a temporary table of its columns: replay makes such tables, and mirrors of "
             "OLD's, so NEW must let its role do it (an event trigger, too, that guards DDL)";
    }
    for (const catalog::Column& column : table.columns) {
      ASSIGN_OR_RETURN(const string schema, compilation_.probe.UnseenSchemaOf(column.type));
      if (schema.empty()) continue;
      return absl::StrFormat(
          "NEW has %s in schema %s: add it to new_schemas, where names of NEW are looked for",
          column.type, schema);
    }
    return "If an extension of the source has it, create that extension there";
  }

  bool Usable(const spec::TableName& name) const {
    const SourceIndex source = name.schema.empty() ? compilation_.FindSource(name) : SourceIndex();
    return !source.valid() || compilation_.sources[source].usable;
  }

  absl::Status Analyse(Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    draft->blind |= mapping.copy && !compilation_.sources.empty() && draft->source.valid() &&
                    !compilation_.sources[draft->source].usable;
    for (const spec::FromRule& rule : mapping.from) draft->blind |= !Usable(rule.table);
    for (const spec::TableName& table : mapping.static_tables) draft->blind |= !Usable(table);
    RETURN_IF_ERROR(mapping.copy ? AnalyseCopy(draft) : AnalyseSelect(draft));
    for (const Assignment& a : draft->assignments) draft->columns.push_back(a.column);
    if (mapping.mode == spec::MappingMode::kPatch) CheckPatch(draft);
    RETURN_IF_ERROR(CheckOwns(draft));
    if (draft->row_local) NoteKeys(draft);
    return draft->row_local ? FinishRowLocal(draft) : FinishKeyed(draft);
  }

  // Its rows are compared as they were and as they are, which only a mirror tells.
  void CheckPatch(Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    MakeKeyed(draft, "mode: patch compares its rows as they were with what they are");
    if (draft->failed || draft->blind || draft->target == nullptr) return;
    for (const string& column : mapping.lossy) {
      if (std::ranges::count(draft->columns, column) == 0) {
        compilation_.Fault(mapping, "lossy." + column,
                           absl::StrCat("lossy: the mapping fills no column ", column,
                                        DidYouMean(column, draft->columns)));
      } else if (std::ranges::count(draft->key, column) > 0) {
        compilation_.Fault(mapping, "lossy." + column,
                           absl::StrCat("lossy: ", column, " is part of the key of ",
                                        draft->display, ", by which its rows are found"));
      }
    }
    const vector<string>& scope = mapping.scope.empty() ? draft->key : mapping.scope;
    for (const string& column : scope) {
      const string key = mapping.scope.empty() ? "table" : "scope." + column;
      const catalog::Column* found = draft->target->FindColumn(column);
      if (std::ranges::count(draft->key, column) == 0) {
        compilation_.Fault(
            mapping, key,
            absl::StrFormat("scope %s is no part of the key of %s (%s): with mode: patch a row "
                            "stays in its scope as long as it is the same row",
                            column, draft->display, absl::StrJoin(draft->key, ", ")));
      } else if (found != nullptr && found->type.ends_with("[]")) {
        compilation_.Fault(
            mapping, key,
            absl::StrFormat("scope %s is an array, which mode: patch can't ask for", column));
      }
    }
  }

  absl::Status CheckOwns(Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    if (mapping.owns.empty() || draft->target == nullptr) return absl::OkStatus();
    // Over NEW's own rows: whatever the mapping's sources lack does not matter here.
    Draft alone{.spec = &mapping, .target = draft->target, .alias = mapping.target.name};
    return checks_.Expression(&alone, compilation_.Piece(mapping, "owns", mapping.owns),
                              "SELECT 1 FROM " + draft->target->Quoted() + " WHERE (", ")");
  }

  absl::Status AnalyseCopy(Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    draft->row_local = draft->source.valid();
    draft->by_name = true;
    const string rows = !draft->source.valid() ? "" : SourceRows(draft);
    if (!mapping.where.empty()) {
      MakeKeyed(draft, "a row can enter or leave `where`");
      RETURN_IF_ERROR(checks_.Expression(draft, compilation_.Piece(mapping, "where", mapping.where),
                                         "SELECT 1" + rows + " WHERE (", ")"));
    }
    for (Assignment& a : draft->assignments) {
      if (a.plain == 0) continue;  // a column copied by name
      RETURN_IF_ERROR(AnalyseSet(draft, rows, &a));
    }
    return absl::OkStatus();
  }

  string SourceRows(Draft* draft) {
    draft->alias = compilation_.sources[draft->source].alias;
    return " FROM " + QuoteIdentifier(draft->alias);
  }

  absl::Status AnalyseSet(Draft* draft, const string& rows, Assignment* assignment) {
    const string key = "set." + assignment->column;
    const SqlPiece piece = compilation_.Piece(*draft->spec, key, assignment->sql);
    const absl::StatusOr<ExpressionShape> shape = AnalyzeExpression(piece.sql);
    if (!shape.ok()) return compilation_.SqlFault(piece, 0, shape.status());
    bool many_rows = false;
    const size_t before = compilation_.faults.size();
    RETURN_IF_ERROR(checks_.Repeatable(piece, *shape, "SELECT (", ")" + rows, &many_rows));
    if (many_rows) {
      compilation_.Fault(piece, 0, "aggregates and set-returning functions need a select");
      draft->failed = true;
    }
    checks_.Reads(draft, piece, shape->relations, draft->alias);
    if (shape->columns.contains("")) return RefuseAllColumns(draft, piece, before);
    if (!draft->source.valid()) return absl::OkStatus();
    NotePlain(*draft, shape->columns, shape->plain_column, assignment);
    if (shape->has_subquery) {
      MakeKeyed(draft, "`set " + assignment->column + "` reads other rows");
    }
    if (assignment->plain < 0) {
      NoteComputed(compilation_.sources[draft->source], shape->columns, assignment->column, draft);
    }
    return checks_.Plans(draft, piece, "SELECT (", ")" + rows);
  }

  // `faults_before`: of what was looked at before the piece, which may have been refused already.
  absl::Status RefuseAllColumns(Draft* draft, const SqlPiece& piece, size_t faults_before) {
    draft->failed = true;
    if (compilation_.faults.size() > faults_before) return absl::OkStatus();
    compilation_.Fault(piece, 0,
                       "it takes all columns of the row, which are others in the copy than later. "
                       "Name those that you mean: ROW(t.id, t.email)");
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
    const catalog::Column* column =
        plain.empty() ? nullptr : compilation_.sources[draft.source].table->FindColumn(plain);
    if (column != nullptr) {
      assignment->plain = 0;
      compilation_.plain_names[{draft.spec, assignment->column}] = plain;
    }
    compilation_.read_columns[{draft.spec, assignment->column}] = columns;
  }

  // An expression over a value that an update may leave out can't be evaluated from the log alone.
  void NoteComputed(const Source& source, const set<string>& columns, const string& target_column,
                    Draft* draft) {
    if (source.table->replica_identity == 'f') return;
    for (const string& name : columns) {
      const catalog::Column* column = source.table->FindColumn(name);
      if (column == nullptr || !column->toastable || column->in_identity) continue;
      MakeKeyed(draft, absl::StrFormat("%s is computed from %s.%s, which updates may leave out "
                                       "(TOAST); REPLICA IDENTITY FULL would avoid the mirror",
                                       target_column, source.table->name, name));
    }
  }

  absl::Status AnalyseSelect(Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    const SqlPiece piece = compilation_.Piece(mapping, "select", mapping.select);
    draft->select = mapping.select;
    const absl::StatusOr<SelectShape> shape = AnalyzeSelect(mapping.select);
    if (!shape.ok()) {
      draft->failed = true;
      return compilation_.SqlFault(piece, 0, shape.status());
    }
    bool many_rows = false;
    RETURN_IF_ERROR(checks_.Repeatable(piece, *shape, "", "", &many_rows));
    checks_.Reads(draft, piece, shape->relations, "");
    const absl::StatusOr<SelectShape> written = AnalyzeSelect(compilation_.Written(mapping).select);
    draft->by_name = written.ok() && written->star;
    if (draft->blind || checks_.shadowed(piece)) {
      draft->failed = true;
      return absl::OkStatus();
    }
    const absl::StatusOr<vector<string>> columns = compilation_.probe.ColumnsOf(draft->select);
    if (!columns.ok()) {
      draft->failed = true;
      return compilation_.SqlFault(piece, 0, columns.status());
    }
    draft->why_keyed = "its select reads more than one row";
    if (!many_rows && written.ok() && written->single_table) NoteSingleTable(*shape, draft);
    if (draft->row_local) return absl::OkStatus();
    for (const string& column : *columns) draft->assignments.push_back({.column = column});
    return absl::OkStatus();
  }

  // Each row of the select comes from one row of its one table: then it may need no mirror.
  void NoteSingleTable(const SelectShape& shape, Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    if (!shape.single_table || !mapping.owns.empty() || shape.relations.size() != 1) return;
    const spec::TableName table{.schema = shape.relations.begin()->schema,
                                .name = shape.relations.begin()->name};
    const bool changes = std::ranges::count(draft->unlisted, table) > 0 ||
                         (mapping.from.size() == 1 && mapping.from[0].table == table);
    if (!table.schema.empty() || !changes) return;
    draft->source = compilation_.FindSource(table);
    draft->row_local = true;
    draft->alias = shape.table_alias;
    for (const OutputColumn& output : shape.outputs) {
      Assignment a{.column = output.name, .sql = output.sql};
      NotePlain(*draft, output.columns, output.plain_column, &a);
      if (a.plain < 0)
        NoteComputed(compilation_.sources[draft->source], output.columns, output.name, draft);
      draft->assignments.push_back(std::move(a));
    }
    if (!draft->row_local) draft->assignments.clear();
  }

  void NoteKeys(Draft* draft) {
    const Source& source = compilation_.sources[draft->source];
    for (Assignment& a : draft->assignments) {
      a.in_key = std::ranges::count(draft->key, a.column) > 0;
      if (!a.in_key) continue;
      for (const string& column : compilation_.read_columns[{draft->spec, a.column}]) {
        if (std::ranges::count(source.key, column) > 0) continue;
        MakeKeyed(draft, absl::StrFormat("the key %s is computed from %s, which is no part of the "
                                         "identity of %s",
                                         a.column, column, source.table->name));
      }
    }
  }

  // Scope and rules of a select decide nothing here, until a change of the table makes it keyed.
  absl::Status FinishRowLocal(Draft* draft) {
    if (draft->spec->copy) return checks_.Fills(draft, RowLocalSelect(compilation_, *draft));
    Draft declared = *draft;
    declared.scope = declared.spec->scope.empty() ? declared.key : declared.spec->scope;
    RETURN_IF_ERROR(checks_.Scope(declared));
    RETURN_IF_ERROR(checks_.Rules(&declared));
    return checks_.Fills(draft, RowLocalSelect(compilation_, *draft));
  }

  absl::Status FinishKeyed(Draft* draft) {
    if (draft->select.empty() && draft->source.valid())
      draft->select = RowLocalSelect(compilation_, *draft);
    draft->scope = draft->spec->scope.empty() ? draft->key : draft->spec->scope;
    if (draft->source.valid() && draft->spec->copy && draft->unlisted.empty()) AddOwnFrom(draft);
    RETURN_IF_ERROR(checks_.Scope(*draft));
    RETURN_IF_ERROR(DeriveRules(&compilation_, draft));
    RETURN_IF_ERROR(checks_.Rules(draft));
    const size_t before = compilation_.faults.size();
    RETURN_IF_ERROR(checks_.Fills(draft, draft->select));
    if (draft->failed || draft->blind || draft->target == nullptr ||
        compilation_.faults.size() > before) {
      return absl::OkStatus();
    }
    return CompareAsNew(draft);
  }

  // What is one scope, or one key, is NEW's to say: its columns may be of a type or collation that
  // takes for equal what the select's tell apart.
  absl::Status CompareAsNew(Draft* draft) {
    ASSIGN_OR_RETURN(const auto differing,
                     compilation_.probe.ComparedAs(draft->select, draft->target->Quoted()));
    set<string> keys(draft->scope.begin(), draft->scope.end());
    for (const catalog::UniqueIndex& index : draft->target->unique_indexes) {
      keys.insert(index.columns.begin(), index.columns.end());
    }
    vector<string> outputs;
    for (const string& column : draft->columns) {
      const auto as = differing.find(column);
      const bool wanted = as != differing.end() && keys.contains(column);
      if (wanted) draft->compared_as[column] = as->second;
      outputs.push_back(absl::StrCat(
          wanted ? absl::StrCat("(sy_w.", QuoteIdentifier(column), ")", as->second, " AS ")
                 : "sy_w.",
          QuoteIdentifier(column)));
    }
    if (draft->compared_as.empty()) return absl::OkStatus();
    draft->select = absl::StrCat("SELECT ", absl::StrJoin(outputs, ", "), " FROM (", draft->select,
                                 "\n) AS sy_w");
    return absl::OkStatus();
  }

  // A `copy` that can't be row-local touches the scope of its own row.
  void AddOwnFrom(Draft* draft) {
    const Source& source = compilation_.sources[draft->source];
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

  Compilation& compilation_;
  SqlChecks checks_;
  absl::Time told_ = absl::Now();
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
