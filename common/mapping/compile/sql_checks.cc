#include "common/mapping/compile/sql_checks.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "common/catalog/narrowing.h"
#include "common/mapping/compile/steadiness.h"

namespace switchyard::mapping {

using std::set;
using std::string;
using std::vector;

namespace {

string Written(const RelationRef& relation) {
  return spec::TableName{.schema = relation.schema, .name = relation.name}.ToString();
}

bool Repeats(const vector<string>& columns, const string& column) {
  return std::ranges::count(columns, column) > 1;
}

}  // namespace

absl::Status SqlChecks::Repeatable(const SqlPiece& piece, const Calls& calls, const string& before,
                                   const string& after, bool* many_rows) {
  for (const string& value : calls.value_functions) {
    const bool clock = value.find("TIME") != string::npos || value.find("DATE") != string::npos;
    compilation_.Fault(
        piece, 0,
        clock ? "it asks for the current time: a later recompute would give another row. Use "
                "a column of the source"
              : "it asks for the current role or schema, which is Switchyard's own. Write the "
                "name that you mean");
  }
  const absl::StatusOr<Probe::Resolved> resolved =
      compilation_.probe.Resolve(absl::StrCat(before, Sv(piece.sql), "\n", after));
  if (!resolved.ok()) {
    const absl::Status plans =
        compilation_.probe.Plans(absl::StrCat(before, Sv(piece.sql), "\n", after));
    if (!plans.ok()) return absl::IsInvalidArgument(plans) ? absl::OkStatus() : plans;
    return compilation_.SqlFault(piece, static_cast<int>(Characters(before)), resolved.status());
  }
  Shadowed(piece, calls, *resolved);
  for (const Probe::Function& function : resolved->functions) {
    if (!function.as_operator.empty()) continue;
    compilation_.calls_functions_by_path |= function.by_path;
    if (many_rows != nullptr) *many_rows |= function.many_rows;
    if (function.shadows && shadowed(piece)) continue;
    const string why = WhyUnsteady(function);
    const auto called = std::ranges::find(calls.functions, function.name, &FunctionRef::name);
    if (!why.empty())
      compilation_.Fault(piece, called == calls.functions.end() ? 0 : called->offset, why);
  }
  for (const string& column : resolved->system_columns) {
    compilation_.Fault(
        piece, 0,
        absl::StrFormat("it reads the system column %s, which is another one in each copy of "
                        "the row. Use a column of the table",
                        column));
  }
  for (const string& table : resolved->whole_rows) {
    compilation_.Fault(
        piece, 0,
        absl::StrFormat("it takes the whole row of %s for a value, which holds other columns "
                        "in the copy than later. Name those that you mean: "
                        "jsonb_build_object('id', %s.id), or (SELECT r FROM (SELECT %s.id) AS "
                        "r) for a row, or one column that is never NULL in count() and IS NULL",
                        table, QuoteIdentifier(table), QuoteIdentifier(table)));
  }
  if (resolved->samples)
    compilation_.Fault(piece, 0, "TABLESAMPLE gives other rows each time: leave it out");
  for (const string& type : resolved->assumes_zone) {
    compilation_.Warn(
        piece,
        absl::StrFormat(
            "a %s becomes a timestamptz there, and without a zone of its own is read as UTC. Say "
            "which zone is meant, in place of the cast: %s AT TIME ZONE 'UTC', or of another one, "
            "%s "
            "AT TIME ZONE 'Europe/Berlin'",
            type, type == "timestamp" ? "X" : "X::timestamp",
            type == "timestamp" ? "X" : "X::timestamp"));
  }
  return TimeWords(piece, calls, before, after);
}

// By an exact match of its arguments somebody's function or operator goes before Postgres' own.
// That may be meant: then the file says so. Nothing of the piece is planned, which might call it.
void SqlChecks::Shadowed(const SqlPiece& piece, const Calls& calls,
                         const Probe::Resolved& resolved) {
  for (const Probe::Function& function : resolved.functions) {
    if (!function.shadows) continue;
    if (!function.as_operator.empty()) {
      if (calls.qualified_operators.contains(function.as_operator)) continue;
      compilation_.Fault(
          piece, 0,
          absl::StrFormat("%2$s stands here for %1$s.%2$s (%3$s), which goes before Postgres' own: "
                          "say which is meant, OPERATOR(pg_catalog.%2$s) or OPERATOR(%1$s.%2$s)",
                          function.schema, function.as_operator, function.arguments));
    } else {
      const auto called = calls.functions.find(FunctionRef{{.name = function.name}});
      if (called == calls.functions.end()) continue;
      compilation_.Fault(
          piece, called->offset,
          absl::StrFormat("%2$s stands here for %1$s.%2$s(%3$s), which goes before Postgres' own: "
                          "say which is meant, pg_catalog.%2$s or %1$s.%2$s",
                          function.schema, function.name, function.arguments));
    }
    shadowed_.insert(piece.what);
  }
}

// A constant is read as a date or a time where no other word would do in its place.
absl::Status SqlChecks::TimeWords(const SqlPiece& piece, const Calls& calls, const string& before,
                                  const string& after) {
  for (const TimeWord& word : calls.time_words) {
    string other = absl::AsciiStrToLower(Sv(piece.sql));
    const size_t at = other.find(word.word, word.offset);
    if (at == string::npos) continue;  // spelt by escapes
    if (shadowed_.contains(piece.what)) break;
    other = string(piece.sql).replace(at, word.word.size(), "sy");
    const absl::Status read = compilation_.probe.Plans(absl::StrCat(before, other, "\n", after));
    if (!read.ok() && !absl::IsInvalidArgument(read)) return read;
    if (!word.cast && pg::StatusErrorFields(read).sqlstate != "22007") continue;
    compilation_.Fault(
        piece, word.offset,
        absl::StrFormat("'%s' is read as the time of asking: a later recompute would give "
                        "another row. Use a column of the source, or write the date itself",
                        word.word));
  }
  return absl::OkStatus();
}

bool SqlChecks::CanDerive(const spec::TableName& table) const {
  if (table.schema.empty()) return compilation_.FindSource(table).valid();
  const string display = table.schema + "." + table.name;
  return std::ranges::count(compilation_.drafts, display, &Draft::display) > 0;
}

void SqlChecks::Reads(Draft* draft, const SqlPiece& piece, const set<RelationRef>& relations,
                      std::string_view own) {
  const spec::Mapping& mapping = *draft->spec;
  vector<string> known;
  for (const spec::FromRule& rule : mapping.from) known.push_back(rule.table.ToString());
  for (const spec::TableName& table : mapping.static_tables) known.push_back(table.ToString());
  for (const RelationRef& relation : relations) {
    if (relation.schema.empty() && relation.name == own) {
      // Its other rows: what its own row touches is more than its own scope.
      const spec::TableName itself{.schema = "", .name = relation.name};
      if (std::ranges::count(draft->unlisted, itself) == 0) draft->unlisted.push_back(itself);
      continue;
    }
    if (relation.schema == kProductSchema || relation.schema == "pg_catalog") continue;
    const string written = Written(relation);
    if (std::ranges::count(known, written) > 0) continue;
    const spec::TableName table{.schema = relation.schema, .name = relation.name};
    if (std::ranges::count(mapping.reads, table) > 0 && CanDerive(table)) {
      if (std::ranges::count(draft->unlisted, table) == 0) draft->unlisted.push_back(table);
      continue;
    }
    const string where = mapping.copy ? "a copy reads its own table only; make it a select"
                                      : "say which rows its changes touch, or that it never "
                                        "changes";
    compilation_.Fault(
        piece, relation.offset,
        absl::StrCat("it reads ", written, ", which stands neither under from nor under static",
                     DidYouMean(written, known, ": " + where)));
    // There is no stand-in for it.
    draft->blind |= relation.schema.empty();
  }
}

absl::Status SqlChecks::Plans(Draft* draft, const SqlPiece& piece, const string& before,
                              const string& after) {
  if (draft->blind || shadowed(piece)) {
    draft->failed = true;
    return absl::OkStatus();
  }
  const absl::Status plans =
      compilation_.probe.Plans(absl::StrCat(before, Sv(piece.sql), "\n", after));
  if (plans.ok()) return plans;
  draft->failed = true;
  return compilation_.SqlFault(piece, static_cast<int>(Characters(before)), plans);
}

absl::Status SqlChecks::Expression(Draft* draft, const SqlPiece& piece, const string& before,
                                   const string& after) {
  const absl::StatusOr<ExpressionShape> shape = AnalyzeExpression(piece.sql);
  if (!shape.ok()) return compilation_.SqlFault(piece, 0, shape.status());
  RETURN_IF_ERROR(Repeatable(piece, *shape, before, after));
  Reads(draft, piece, shape->relations, draft->alias);
  return Plans(draft, piece, before, after);
}

string SqlChecks::KeyOfColumn(const Draft& draft, const string& column) const {
  const spec::Mapping& mapping = *draft.spec;
  if (!mapping.copy) return "select";
  if (mapping.places.contains("set." + column)) return "set." + column;
  for (const auto& [old_name, new_name] : mapping.rename) {
    if (new_name == column) return "rename." + old_name;
  }
  return "copy";
}

void SqlChecks::RequireColumns(const Draft& draft) {
  for (const string& key : draft.key) {
    if (std::ranges::count(draft.columns, key) > 0) continue;
    compilation_.Fault(*draft.spec, "table",
                       absl::StrFormat("%s.%s is part of the key but the mapping does not fill it",
                                       draft.display, key));
  }
  for (const catalog::Column& column : draft.target->columns) {
    const bool filled = std::ranges::count(draft.columns, column.name) > 0;
    if (filled && column.generated) {
      compilation_.Fault(
          *draft.spec, KeyOfColumn(draft, column.name),
          absl::StrFormat("%s.%s is generated; leave it out", draft.display, column.name));
    }
    if (Repeats(draft.columns, column.name)) {
      compilation_.Fault(*draft.spec, KeyOfColumn(draft, column.name),
                         absl::StrFormat("%s.%s is filled twice", draft.display, column.name));
    }
    if (!filled && column.not_null && !column.has_default && column.identity == 0 &&
        !column.generated && std::ranges::count(draft.key, column.name) == 0) {
      compilation_.Fault(
          *draft.spec, "table",
          absl::StrFormat("%s.%s is NOT NULL without a default, and the mapping does not fill "
                          "it",
                          draft.display, column.name));
    }
  }
}

absl::Status SqlChecks::Fills(Draft* draft, const string& select) {
  if (draft->target == nullptr || draft->columns.empty()) return absl::OkStatus();
  bool fits = true;
  for (const string& column : draft->columns) {
    const catalog::Column* known = draft->target->FindColumn(column);
    fits &= known != nullptr && !known->generated && !Repeats(draft->columns, column);
    if (known == nullptr) {
      if (draft->spec->copy) continue;  // reported with the declarations
      compilation_.Fault(
          *draft->spec, "select",
          absl::StrFormat("the select gives a column %s, which %s does not have%s", column,
                          draft->display, DidYouMean(column, ColumnNames(*draft->target))));
    }
  }
  RequireColumns(*draft);
  return fits && !draft->failed && !draft->blind ? Types(*draft, select) : absl::OkStatus();
}

absl::Status SqlChecks::Types(const Draft& draft, const string& select) {
  const auto insert = [&](const string& columns) {
    return compilation_.probe.Plans(absl::StrCat("INSERT INTO ", draft.target->Quoted(), " (",
                                                 columns, ") OVERRIDING SYSTEM VALUE SELECT ",
                                                 columns, " FROM (", select, "\n) AS sy_q"));
  };
  const absl::Status whole = insert(JoinQuoted(draft.columns));
  if (whole.ok()) return Narrowing(draft, select);
  if (!absl::IsInvalidArgument(whole)) return whole;
  // The server names the first column only: each by itself.
  bool named = false;
  for (const string& column : draft.columns) {
    const absl::Status one = insert(QuoteIdentifier(column));
    if (one.ok()) continue;
    if (!absl::IsInvalidArgument(one)) return one;
    named = true;
    compilation_.Fault(*draft.spec, KeyOfColumn(draft, column),
                       absl::StrCat(draft.display, ": ", one.message(), CastHint(draft, one)));
    compilation_.NoteRight(pg::StatusErrorFields(one));
  }
  if (!named)
    compilation_.Fault(*draft.spec, "table", absl::StrCat(draft.display, ": ", whole.message()));
  return absl::OkStatus();
}

absl::Status SqlChecks::Narrowing(const Draft& draft, const string& select) {
  const string columns = JoinQuoted(draft.columns);
  ASSIGN_OR_RETURN(const pg::Result given,
                   compilation_.probe.Shape(
                       absl::StrCat("SELECT ", columns, " FROM (",
                                    draft.spec->copy ? AsCopied(draft) : select, "\n) AS sy_g")));
  ASSIGN_OR_RETURN(
      const pg::Result kept,
      compilation_.probe.Shape(absl::StrCat("SELECT ", columns, " FROM ", draft.target->Quoted())));
  for (int i = 0; i < given.columns(); ++i) {
    const string& column = draft.columns[i];
    const catalog::AssignedType from{given.column_type(i), given.column_modifier(i)};
    const catalog::AssignedType to{kept.column_type(i), kept.column_modifier(i)};
    const char* lost = catalog::LostInAssignment(from, to, given.column_is_plain(i));
    if (lost == nullptr) {
      if (catalog::AssumesZone(from, to)) RETURN_IF_ERROR(WarnOfZone(draft, column, from));
      continue;
    }
    ASSIGN_OR_RETURN(const string name, compilation_.probe.TypeName(from.oid, from.modifier));
    const string& wanted = draft.target->FindColumn(column)->type;
    compilation_.Fault(
        *draft.spec, KeyOfColumn(draft, column),
        absl::StrFormat("%s.%s is %s but gets %s: Postgres would drop %s without a word. Give "
                        "the column a type that holds it, or say that it is meant: %s",
                        draft.display, column, wanted, name, lost, CastOf(draft, column, wanted)));
  }
  return absl::OkStatus();
}

// What the value becomes is for the session's zone to say, which Switchyard fixes.
absl::Status SqlChecks::WarnOfZone(const Draft& draft, const string& column,
                                   const catalog::AssignedType& from) {
  ASSIGN_OR_RETURN(const string given, compilation_.probe.TypeName(from.oid, from.modifier));
  const auto plain = compilation_.plain_names.find({draft.spec, column});
  const bool copied = draft.spec->copy && plain != compilation_.plain_names.end();
  const string value = absl::StrCat(copied ? QuoteIdentifier(plain->second) : "X",
                                    given.starts_with("date") ? "::timestamp" : "");
  const bool renamed = copied && KeyOfColumn(draft, column).starts_with("rename.");
  const auto says = [&](std::string_view zone) {
    const string sql = absl::StrCat(value, " AT TIME ZONE '", Sv(zone), "'");
    return !copied ? sql
                   : absl::StrFormat(
                         "%sset: {%s: \"%s\"}",
                         renamed ? "in place of the rename, drop: [" + plain->second + "], " : "",
                         column, absl::StrReplaceAll(sql, {{"\"", "\\\""}}));
  };
  compilation_.Warn(
      *draft.spec, KeyOfColumn(draft, column),
      absl::StrFormat(
          "%s.%s is %s but gets %s, which is taken to be UTC. Say which zone is meant: %s, or of "
          "another one, %s",
          draft.display, column, draft.target->FindColumn(column)->type, given, says("UTC"),
          says("Europe/Berlin")));
  return absl::OkStatus();
}

// A copy's columns as OLD has them, without the cast that lets a type of OLD's user into NEW's.
string SqlChecks::AsCopied(const Draft& draft) const {
  Draft bare = draft;
  for (Assignment& a : bare.assignments) {
    const auto plain = compilation_.plain_names.find({draft.spec, a.column});
    if (plain != compilation_.plain_names.end()) a.sql = QuoteIdentifier(plain->second);
  }
  return RowLocalSelect(compilation_, bare);
}

// How the file says that a column gets what its type keeps.
string SqlChecks::CastOf(const Draft& draft, const string& column, const string& type) const {
  if (!draft.spec->copy || draft.spec->places.contains("set." + column)) {
    return absl::StrFormat("put ::%s behind what gives it", type);
  }
  const string& from = compilation_.plain_names.at({draft.spec, column});
  const bool renamed = KeyOfColumn(draft, column) != "copy";
  return absl::StrCat(renamed ? absl::StrFormat("in place of the rename, drop: [%s], ", from) : "",
                      absl::StrFormat("set: {%s: '%s::%s'}", column, QuoteIdentifier(from), type));
}

// OLD's types are made again for the mirror, so that one of NEW is another, even under its name.
string SqlChecks::CastHint(const Draft& draft, const absl::Status& mismatch) const {
  const pg::ErrorFields fields = pg::StatusErrorFields(mismatch);
  static constexpr std::string_view kGives = " but expression is of type ";
  const size_t gives = fields.primary.find(kGives);
  const vector<string> quoted = absl::StrSplit(fields.primary, absl::MaxSplits('"', 2));
  if (fields.sqlstate != "42804" || gives == string::npos || quoted.size() < 3) return "";
  const catalog::Column* column = draft.target->FindColumn(quoted[1]);
  string given = fields.primary.substr(gives + kGives.size());
  if (given.ends_with("[]")) given.resize(given.size() - 2);
  for (const catalog::UserType& type : compilation_.input.source->types) {
    if (column == nullptr ||
        (given != type.mirror_name && given != QuoteIdentifier(type.mirror_name) &&
         given != absl::StrCat("pg_temp.", type.mirror_name))) {
      continue;
    }
    return absl::StrFormat(". That is the source's own %s; put ::text::%s behind what gives it",
                           QuoteQualified(type.schema, type.name), column->type);
  }
  return "";
}

absl::Status SqlChecks::Scope(const Draft& draft) {
  if (draft.target == nullptr || draft.columns.empty()) return absl::OkStatus();
  for (const string& name : draft.scope) {
    const string key = "scope." + name;
    const catalog::Column* column = draft.target->FindColumn(name);
    if (std::ranges::count(draft.columns, name) == 0) {
      if (draft.spec->scope.empty()) continue;  // the key's: reported with the columns
      compilation_.Fault(*draft.spec, key,
                         absl::StrFormat("scope %s is not among the columns the mapping fills%s",
                                         name, DidYouMean(name, draft.columns)));
    } else if (column != nullptr && !column->not_null && !draft.row_local) {
      compilation_.Fault(
          *draft.spec, key,
          absl::StrFormat(
              "scope %s can be NULL in %s: rows without it could never be computed again. "
              "Leave them out of the select and run ALTER TABLE %s ALTER COLUMN %s SET NOT "
              "NULL, or choose another scope",
              name, draft.display, draft.target->Quoted(), QuoteIdentifier(name)));
    }
  }
  return absl::OkStatus();
}

absl::Status SqlChecks::Rules(Draft* draft) {
  for (const spec::TableName& table : draft->spec->static_tables) {
    if (std::ranges::count(compilation_.drafts, table.ToString(), &Draft::display) == 0) continue;
    compilation_.Fault(*draft->spec, "static." + table.ToString(),
                       absl::StrCat(table.ToString(),
                                    " stands under static, but a mapping fills it: list it "
                                    "under from, with the rows that its changes touch"));
  }
  for (const spec::FromRule& rule : draft->from) {
    if (!rule.table.schema.empty()) {
      const string display = rule.table.schema + "." + rule.table.name;
      draft->reads_targets.insert(display);
      if (std::ranges::count(compilation_.drafts, display, &Draft::display) == 0) {
        vector<string> known;
        for (const Draft& other : compilation_.drafts) known.push_back(other.display);
        const bool of_source = std::ranges::count(compilation_.input.source_names, display) > 0;
        compilation_.Fault(
            rule.at,
            absl::StrCat(display, " stands under from, but no mapping fills it",
                         of_source ? ": a name with a schema is a table of the "
                                     "target; the source's is written " +
                                         rule.table.name
                                   : DidYouMean(display, known, ": list it under static")));
        continue;
      }
    }
    RETURN_IF_ERROR(RuleSql(draft, rule));
  }
  return absl::OkStatus();
}

absl::Status SqlChecks::RuleSql(Draft* draft, const spec::FromRule& rule) {
  // Made from a copy's own key, which has been looked at.
  if (rule.place.anchors.empty()) return absl::OkStatus();
  const SqlPiece piece{
      .what = absl::StrCat("from.", rule.table.ToString(), " of ", draft->spec->target.ToString()),
      .sql = rule.touches,
      .place = rule.place};
  const auto [before, after] = TouchSelectFrame(*draft, rule);
  if (LooksLikeQuery(rule.touches)) {
    const absl::StatusOr<SelectShape> shape = AnalyzeSelect(rule.touches);
    if (!shape.ok()) return compilation_.SqlFault(piece, 0, shape.status());
    RETURN_IF_ERROR(Repeatable(piece, *shape, before, after));
    Reads(draft, piece, shape->relations, "");
  } else {
    const absl::StatusOr<ExpressionShape> shape = AnalyzeExpression(rule.touches);
    if (!shape.ok()) return compilation_.SqlFault(piece, 0, shape.status());
    RETURN_IF_ERROR(Repeatable(piece, *shape, before, after));
    Reads(draft, piece, shape->relations, "");
  }
  return draft->blind || shadowed(piece) ? absl::OkStatus() : RuleValues(draft, rule, piece);
}

// As many values as the scope has columns, of types that fit them.
absl::Status SqlChecks::RuleValues(Draft* draft, const spec::FromRule& rule,
                                   const SqlPiece& piece) {
  const auto [before, after] = TouchFrame(rule);
  const absl::StatusOr<vector<string>> columns =
      compilation_.probe.ColumnsOf(before + rule.touches + after);
  if (!columns.ok()) {
    return compilation_.SqlFault(piece, static_cast<int>(Characters(before)), columns.status());
  }
  if (columns->size() != draft->scope.size()) {
    compilation_.Fault(
        piece, 0,
        absl::StrFormat("it gives %d values, but the scope is %s: give one for each of its "
                        "columns, in their order, by a query",
                        columns->size(), absl::StrJoin(draft->scope, ", ")));
    return absl::OkStatus();
  }
  const bool known = draft->target != nullptr && std::ranges::all_of(draft->scope, [&](auto& name) {
                       return draft->target->FindColumn(name) != nullptr;
                     });
  if (!known) return absl::OkStatus();
  const absl::Status fits = compilation_.probe.Plans(
      absl::StrCat("INSERT INTO ", draft->target->Quoted(), " (", JoinQuoted(draft->scope),
                   ") OVERRIDING SYSTEM VALUE ", TouchSelect(*draft, rule)));
  if (fits.ok() || !absl::IsInvalidArgument(fits)) return fits;
  compilation_.Fault(piece, 0, absl::StrCat(fits.message(), CastHint(*draft, fits)));
  compilation_.NoteRight(pg::StatusErrorFields(fits));
  return absl::OkStatus();
}

}  // namespace switchyard::mapping
