#include "common/mapping/compiler.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/fingerprint.h"
#include "common/mapping/graph.h"
#include "common/mapping/probe.h"
#include "common/mapping/sql_analysis.h"
#include "common/mapping/sql_builder.h"

namespace switchyard::mapping {
namespace {

using std::set;
using std::string;
using std::vector;

// What is known of one source table while compiling.
struct Source {
  const Table* table = nullptr;
  string alias;
  vector<string> key;       // identity columns in key order
  set<string> used;         // by anything
  set<string> mirror_used;  // by keyed mappings
  bool mirrored = false;
  set<string> index_sql;  // expressions that want an index on the mirror
};

// What is known of one mapping while compiling.
struct Draft {
  const spec::Mapping* spec = nullptr;
  const Table* target = nullptr;
  vector<string> key;  // of the target
  bool row_local = false;
  string why_keyed;
  int source = -1;  // row-local, or a `copy` that had to be keyed
  string alias;     // of that source's row in the assignments
  vector<Assignment> assignments;
  string select;           // keyed: the SQL behind the view
  vector<string> columns;  // of the target, in assignment order
  vector<string> scope;
  vector<spec::FromRule> from;
  set<string> reads_targets;  // display names of mapped NEW tables it reads
  bool failed = false;
};

bool HasTextIdentity(const Column& column) {
  // Types whose equal values have one text form, by OID (pg_type.dat).
  static const set<uint32_t> kTypes = {16, 17,   18,   19,   20,   21,   23,   25,
                                       26, 1043, 1082, 1083, 1114, 1184, 2950, 869};
  if (!column.collation.empty() && column.collation.find("pg_catalog") == string::npos) {
    return false;  // may be nondeterministic
  }
  if (column.type_oid == 1700) return column.type_modifier != -1;  // numeric with a fixed scale
  return kTypes.contains(column.type_oid);
}

vector<string> KeyOf(const Table& table) {
  if (!table.primary_key.empty()) return table.primary_key;
  for (const UniqueIndex& index : table.unique_indexes) {
    const bool usable = !index.partial && std::ranges::all_of(index.columns, [&](const string& c) {
      const Column* column = table.FindColumn(c);
      return column != nullptr && column->not_null;
    });
    if (usable) return index.columns;
  }
  return {};
}

// The identity the log carries for every update and delete of this table.
vector<string> SourceKey(const Table& table) {
  if (table.replica_identity == 'i') return table.identity_columns;
  return KeyOf(table);  // default and full; with full the whole old row is there
}

class Compiler {
 public:
  Compiler(const CompileInput& input, pg::Session& target, vector<CompileFault>* faults)
      : input_(input), direction_(*input.direction), probe_(target), faults_(*faults) {}

  absl::StatusOr<Plan> Run() {
    AddSources();
    for (const spec::Mapping& mapping : direction_.mappings) AddDraft(mapping);
    if (!faults_.empty()) return Refused();
    RETURN_IF_ERROR(probe_.Begin(input_.source->types));
    for (const Source& source : sources_) {
      RETURN_IF_ERROR(probe_.AddTable(source.alias, *source.table));
    }
    for (Draft& draft : drafts_) RETURN_IF_ERROR(Analyse(&draft));
    if (!faults_.empty()) return Refused();
    RETURN_IF_ERROR(OrderDrafts());
    for (Draft& draft : drafts_) RETURN_IF_ERROR(GatherReads(&draft));
    if (!faults_.empty()) return Refused();
    return Build();
  }

 private:
  absl::Status Refused() const {
    vector<string> lines;
    for (const CompileFault& fault : faults_) lines.push_back(fault.message);
    return absl::InvalidArgumentError(Sv(absl::StrJoin(lines, "\n")));
  }
  void Fault(const spec::Position& at, string message) {
    faults_.push_back({at, std::move(message)});
  }

  // ---- sources

  const Table* ResolveSource(const spec::TableName& name) const {
    const auto alias = direction_.aliases.find(name.name);
    if (name.schema.empty() && alias != direction_.aliases.end()) {
      return input_.source->Find(alias->second.schema, alias->second.name);
    }
    if (!name.schema.empty()) return input_.source->Find(name.schema, name.name);
    for (const string& schema : input_.schemas) {
      if (const Table* found = input_.source->Find(schema, name.name)) return found;
    }
    return nullptr;
  }

  // Index into sources_, or -1 with a fault.
  int SourceFor(const spec::TableName& name, const spec::Position& at) {
    const Table* table = ResolveSource(name);
    if (table == nullptr) {
      vector<string> known = input_.source_names;
      for (const Table& t : input_.source->tables) known.push_back(t.name);
      const string near = NearestWord(name.name, known);
      Fault(at, absl::StrCat("the source has no table ", name.ToString(),
                             near.empty() ? "" : "; did you mean " + near + "?"));
      return -1;
    }
    for (size_t i = 0; i < sources_.size(); ++i) {
      if (sources_[i].table == table) return static_cast<int>(i);
    }
    return AddSource(*table, name.name, at);
  }

  int AddSource(const Table& table, const string& alias, const spec::Position& at) {
    Source source{.table = &table, .alias = alias, .key = SourceKey(table)};
    if (table.kind != 'r' && table.kind != 'p') {
      Fault(at, absl::StrFormat("%s is not a table; only tables can be captured", table.Display()));
      return -1;
    }
    if (source.key.empty()) {
      Fault(at, absl::StrFormat(
                    "%s has no primary key and no unique NOT NULL key: its updates and deletes "
                    "can't be told apart. Add a primary key, or a unique index over NOT NULL "
                    "columns with ALTER TABLE %s REPLICA IDENTITY USING INDEX",
                    table.Display(), table.Quoted()));
      return -1;
    }
    source.used.insert(source.key.begin(), source.key.end());
    sources_.push_back(std::move(source));
    return static_cast<int>(sources_.size()) - 1;
  }

  void AddSources() {
    for (const spec::Mapping& mapping : direction_.mappings) {
      if (mapping.copy) SourceFor(*mapping.copy, mapping.at);
      for (const spec::FromRule& rule : mapping.from) {
        if (rule.table.schema.empty()) SourceFor(rule.table, rule.at);
      }
      for (const spec::TableName& table : mapping.static_tables) {
        if (table.schema.empty()) SourceFor(table, mapping.at);
      }
    }
  }

  // ---- mappings, first look: what the catalogues say

  void AddDraft(const spec::Mapping& mapping) {
    Draft draft{.spec = &mapping};
    draft.target = input_.target->Find(
        mapping.target.schema.empty() ? "public" : mapping.target.schema, mapping.target.name);
    if (draft.target == nullptr) {
      const string near = NearestWord(mapping.target.ToString(), input_.target_names);
      Fault(mapping.at, absl::StrCat("the target has no table ", mapping.target.ToString(),
                                     near.empty() ? ": create it before the migration starts"
                                                  : "; did you mean " + near + "?"));
      return;
    }
    draft.key = KeyOf(*draft.target);
    if (draft.key.empty()) {
      Fault(mapping.at, draft.target->Display() +
                            " has no primary key and no unique NOT NULL key: rows could not be "
                            "found again. Add one");
      return;
    }
    for (const spec::FromRule& rule : mapping.from) draft.from.push_back(rule);
    if (mapping.copy) AddCopyColumns(*mapping.copy, &draft);
    drafts_.push_back(std::move(draft));
  }

  bool Ignored(const Table& table, const string& column) const {
    return std::ranges::any_of(direction_.ignore, [&](const string& entry) {
      return entry == table.name + "." + column || entry == table.Display() + "." + column;
    });
  }

  void AddCopyColumns(const spec::TableName& from, Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    draft->source = SourceFor(from, mapping.at);
    if (draft->source < 0) return;
    const Table& table = *sources_[draft->source].table;
    set<string> assigned;
    for (const auto& [column, sql] : mapping.set) assigned.insert(column);
    for (const Column& column : table.columns) {
      if (column.generated || std::ranges::count(mapping.drop, column.name) > 0 ||
          Ignored(table, column.name)) {
        continue;
      }
      string name = column.name;
      for (const auto& [old_name, new_name] : mapping.rename) {
        if (old_name == column.name) name = new_name;
      }
      if (assigned.contains(name)) continue;
      const Column* target = draft->target->FindColumn(name);
      if (target == nullptr) {
        Fault(mapping.at,
              absl::StrFormat("%s.%s has no column of that name in %s: list it under drop, or give "
                              "its new name under rename",
                              table.name, column.name, draft->target->Display()));
        continue;
      }
      if (target->generated) continue;
      draft->assignments.push_back({.column = name, .sql = PlainSql(column, *target), .plain = 0});
      plain_names_[{&mapping, name}] = column.name;
      read_columns_[{&mapping, name}] = {column.name};
    }
    for (const auto& [column, sql] : mapping.set) {
      draft->assignments.push_back({.column = column, .sql = sql});
    }
    CheckNames(mapping, table, *draft);
  }

  // A plain copy; through text where the types are different user types.
  static string PlainSql(const Column& column, const Column& target) {
    const string name = QuoteIdentifier(column.name);
    // The stage has the source's user types in a schema of their own, so even equal names differ.
    const bool through_text = column.user_type || (target.user_type && column.type != target.type);
    return through_text ? "CAST(CAST(" + name + " AS text) AS " + target.type + ")" : name;
  }

  void CheckNames(const spec::Mapping& mapping, const Table& table, const Draft& draft) {
    for (const string& column : mapping.drop) RequireSourceColumn(mapping, table, column, "drop");
    for (const auto& [old_name, new_name] : mapping.rename) {
      RequireSourceColumn(mapping, table, old_name, "rename");
    }
    for (const Assignment& a : draft.assignments) {
      if (draft.target->FindColumn(a.column) == nullptr) {
        Fault(mapping.at,
              absl::StrFormat("%s has no column %s", draft.target->Display(), a.column));
      }
    }
  }

  void RequireSourceColumn(const spec::Mapping& mapping, const Table& table, const string& column,
                           const char* key) {
    if (table.FindColumn(column) != nullptr) return;
    vector<string> known;
    for (const Column& c : table.columns) known.push_back(c.name);
    const string near = NearestWord(column, known);
    Fault(mapping.at, absl::StrFormat("%s: %s has no column %s%s", key, table.name, column,
                                      near.empty() ? "" : "; did you mean " + near + "?"));
  }

  // ---- mappings, second look: what the SQL does

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
      Fault(at,
            "the mapping asks for the current time: a later recompute would give another row. "
            "Use a column of the source");
      good = false;
    }
    ASSIGN_OR_RETURN(const auto described, probe_.Describe(functions));
    for (const Probe::Function& function : described) {
      if (many_rows != nullptr) *many_rows |= function.many_rows;
      if (function.is_volatile || kClocks.contains(function.name)) {
        Fault(at, absl::StrFormat("%s() is volatile: the same row would map to another value every "
                                  "time. Use switchyard.uuid_of(kind, key) for ids, or a column of "
                                  "the source",
                                  function.name));
        good = false;
      } else if (function.may_read_tables) {
        Fault(at, absl::StrFormat("%s() is not IMMUTABLE, so it may read tables that the mapping "
                                  "does not name. Join the table in a select instead",
                                  function.name));
        good = false;
      }
    }
    return good;
  }

  absl::Status AnalyseCopy(Draft* draft) {
    const spec::Mapping& mapping = *draft->spec;
    Source& source = sources_[draft->source];
    draft->alias = source.alias;
    draft->row_local = true;
    if (!mapping.where.empty()) MakeKeyed(draft, "a row can enter or leave `where`");
    for (Assignment& a : draft->assignments) {
      if (a.plain == 0) continue;  // a column copied by name
      const absl::StatusOr<ExpressionShape> shape = AnalyzeExpression(a.sql);
      if (!shape.ok()) {
        Fault(mapping.at, absl::StrCat("set ", a.column, ": ", shape.status().message()));
        continue;
      }
      bool many_rows = false;
      RETURN_IF_ERROR(
          CheckFunctions(mapping.at, shape->functions, shape->value_functions, &many_rows)
              .status());
      if (many_rows) {
        Fault(mapping.at, absl::StrCat("set ", a.column,
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
        plain.empty() ? nullptr : sources_[draft.source].table->FindColumn(plain);
    if (column != nullptr) {
      assignment->plain = 0;
      plain_names_[{draft.spec, assignment->column}] = plain;
    }
    read_columns_[{draft.spec, assignment->column}] = columns;
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
      Fault(mapping.at,
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
      Fault(mapping.at,
            absl::StrCat("select of ", mapping.target.ToString(), ": ", shape.status().message()));
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
      draft->source = SourceFor(mapping.from[0].table, mapping.at);
      draft->row_local = draft->source >= 0;
      draft->alias = shape->table_alias;
      for (const OutputColumn& output : shape->outputs) {
        Assignment a{.column = output.name, .sql = output.sql};
        NotePlain(*draft, output.columns, output.plain_column, &a);
        if (a.plain < 0) {
          NoteComputed(sources_[draft->source], output.columns, output.name, draft);
        }
        draft->assignments.push_back(std::move(a));
      }
      if (!draft->row_local) draft->assignments.clear();
    }
    if (draft->row_local) return absl::OkStatus();
    const absl::StatusOr<vector<string>> columns = probe_.ColumnsOf(draft->select);
    if (!columns.ok()) return SqlFault(*draft, "select", columns.status());
    for (const string& column : *columns) draft->assignments.push_back({.column = column});
    return absl::OkStatus();
  }

  absl::Status SqlFault(const Draft& draft, std::string_view what, const absl::Status& status) {
    if (!absl::IsInvalidArgument(status)) return status;
    Fault(draft.spec->at,
          absl::StrCat(Sv(what), " of ", draft.spec->target.ToString(), ": ", status.message()));
    return absl::OkStatus();
  }

  absl::Status FinishRowLocal(Draft* draft) {
    const Source& source = sources_[draft->source];
    for (Assignment& a : draft->assignments) {
      a.in_key = std::ranges::count(draft->key, a.column) > 0;
      if (!a.in_key) continue;
      for (const string& column : read_columns_[{draft->spec, a.column}]) {
        if (std::ranges::count(source.key, column) > 0) continue;
        MakeKeyed(draft, absl::StrFormat("the key %s is computed from %s, which is no part of the "
                                         "identity of %s",
                                         a.column, column, source.table->name));
      }
    }
    if (!draft->row_local) return FinishKeyed(draft);
    RequireColumns(*draft);
    return PlansAsInsert(*draft, RowLocalSelect(*draft));
  }

  string RowLocalSelect(const Draft& draft) const {
    vector<string> outputs;
    for (const Assignment& a : draft.assignments) {
      outputs.push_back("(" + a.sql + ") AS " + QuoteIdentifier(a.column));
    }
    return "SELECT " + absl::StrJoin(outputs, ", ") + " FROM " +
           QuoteIdentifier(sources_[draft.source].alias) + " AS " + QuoteIdentifier(draft.alias) +
           (draft.spec->where.empty() ? "" : " WHERE " + draft.spec->where);
  }

  absl::Status PlansAsInsert(const Draft& draft, const string& select) {
    const absl::Status plans =
        probe_.Plans(absl::StrCat("INSERT INTO ", draft.target->Quoted(), " (",
                                  JoinQuoted(draft.columns), ") OVERRIDING SYSTEM VALUE SELECT ",
                                  JoinQuoted(draft.columns), " FROM (", select, "\n) AS sy_q"));
    return plans.ok() ? plans : SqlFault(draft, "columns", plans);
  }

  // Columns it must fill, and columns it must not.
  void RequireColumns(const Draft& draft) {
    for (const string& key : draft.key) {
      if (std::ranges::count(draft.columns, key) == 0) {
        Fault(draft.spec->at, absl::StrFormat("%s.%s is part of the key but the mapping does not "
                                              "fill it",
                                              draft.target->Display(), key));
      }
    }
    for (const Column& column : draft.target->columns) {
      const bool filled = std::ranges::count(draft.columns, column.name) > 0;
      if (filled && column.generated) {
        Fault(draft.spec->at, absl::StrFormat("%s.%s is generated; leave it out",
                                              draft.target->Display(), column.name));
      }
      if (!filled && column.not_null && !column.has_default && column.identity == 0 &&
          !column.generated) {
        Fault(draft.spec->at,
              absl::StrFormat("%s.%s is NOT NULL without a default, and the mapping "
                              "does not fill it",
                              draft.target->Display(), column.name));
      }
    }
  }

  absl::Status FinishKeyed(Draft* draft) {
    if (draft->failed) return absl::OkStatus();
    if (draft->select.empty()) draft->select = RowLocalSelect(*draft);
    draft->scope = draft->spec->scope.empty() ? draft->key : draft->spec->scope;
    for (const string& column : draft->columns) {
      if (draft->target->FindColumn(column) == nullptr) {
        Fault(draft->spec->at,
              absl::StrFormat("the select gives a column %s, which %s does not have", column,
                              draft->target->Display()));
        return absl::OkStatus();
      }
    }
    for (const string& column : draft->scope) {
      if (std::ranges::count(draft->columns, column) == 0) {
        Fault(draft->spec->at,
              absl::StrFormat("scope %s is not among the columns the mapping fills", column));
      }
    }
    RequireColumns(*draft);
    if (draft->source >= 0 && draft->spec->copy) AddOwnFrom(draft);
    for (const spec::FromRule& rule : draft->from) {
      CheckRuleReads(*draft, rule);
      if (rule.table.schema.empty()) continue;
      const string display = rule.table.schema + "." + rule.table.name;
      const bool mapped = std::ranges::any_of(direction_.mappings, [&](const spec::Mapping& m) {
        return m.target.name == rule.table.name &&
               (m.target.schema.empty() ? "public" : m.target.schema) == rule.table.schema;
      });
      if (!mapped) {
        Fault(rule.at,
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
    const Source& source = sources_[draft->source];
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

  // ---- the graph, and which columns are read

  absl::Status OrderDrafts() {
    vector<vector<int>> needs(drafts_.size());
    for (size_t i = 0; i < drafts_.size(); ++i) {
      for (size_t j = 0; j < drafts_.size(); ++j) {
        if (drafts_[i].reads_targets.contains(drafts_[j].target->Display())) {
          needs[i].push_back(static_cast<int>(j));
        }
      }
    }
    const std::optional<vector<int>> order = TopologicalOrder(needs);
    if (!order) {
      return absl::InvalidArgumentError(
          "the mappings read each other's tables in a circle; a table of NEW can only be derived "
          "from tables that come before it");
    }
    vector<Draft> ordered;
    for (const int i : *order) ordered.push_back(std::move(drafts_[i]));
    drafts_ = std::move(ordered);
    return absl::OkStatus();
  }

  absl::Status GatherReads(Draft* draft) {
    if (draft->row_local) {
      for (const Assignment& a : draft->assignments) {
        for (const string& column : read_columns_[{draft->spec, a.column}]) {
          Source& source = sources_[draft->source];
          if (source.table->FindColumn(column) != nullptr) source.used.insert(column);
        }
      }
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(NoteReads(*draft, "select", draft->select));
    for (const spec::FromRule& rule : draft->from) {
      RETURN_IF_ERROR(NoteReads(*draft, "from " + rule.table.ToString(), TouchProbe(*draft, rule)));
      NoteIndex(rule);
    }
    return absl::OkStatus();
  }

  absl::Status NoteReads(const Draft& draft, const string& what, const string& sql) {
    const absl::StatusOr<Probe::Reads> reads = probe_.ReadsOf(sql);
    if (!reads.ok()) return SqlFault(draft, what, reads.status());
    for (Source& source : sources_) {
      const auto it = reads->find(source.alias);
      const bool listed = std::ranges::any_of(draft.from, [&](const spec::FromRule& rule) {
        return rule.table.schema.empty() && rule.table.name == source.alias;
      });
      if (it == reads->end() && !listed) continue;
      source.mirrored = true;
      if (it == reads->end()) continue;
      source.mirror_used.insert(it->second.begin(), it->second.end());
      source.used.insert(it->second.begin(), it->second.end());
    }
    return absl::OkStatus();
  }

  // The rule as one select with the scope's columns, over the stand-in tables.
  string TouchProbe(const Draft& draft, const spec::FromRule& rule) const {
    const string rows =
        (rule.table.schema.empty() ? QuoteIdentifier(rule.table.name)
                                   : QuoteQualified(rule.table.schema, rule.table.name)) +
        " AS " + QuoteIdentifier(rule.table.name);
    vector<string> names;
    for (size_t i = 0; i < draft.scope.size(); ++i) names.push_back("s" + std::to_string(i));
    const string values =
        LooksLikeQuery(rule.touches)
            ? "SELECT sy_q.* FROM " + rows + " CROSS JOIN LATERAL (" + rule.touches + "\n) AS sy_q"
            : "SELECT " + rule.touches + " FROM " + rows;
    return "SELECT * FROM (" + values + "\n) AS sy_r(" + absl::StrJoin(names, ", ") + ")";
  }

  // The restricted select looks rows up by what `from` says: that wants an index on the mirror.
  void NoteIndex(const spec::FromRule& rule) {
    if (!rule.table.schema.empty() || LooksLikeQuery(rule.touches)) return;
    for (Source& source : sources_) {
      if (source.alias != rule.table.name) continue;
      if (source.key.size() == 1 && rule.touches == source.key[0]) return;
      if (AnalyzeExpression(rule.touches).ok()) source.index_sql.insert(rule.touches);
    }
  }

  // ---- SQL

  absl::StatusOr<Plan> Build() {
    Plan plan;
    plan.ignored = direction_.ignore;
    for (const UserType& type : input_.source->types) {
      plan.type_ddl.push_back(WithSchema(type.create_sql, kMirrorSchema));
    }
    for (size_t i = 0; i < sources_.size(); ++i) {
      plan.sources.push_back(BuildSource(static_cast<int>(i), &plan));
    }
    vector<KeyedTarget> keyed(drafts_.size());
    vector<RowLocalTarget> local(drafts_.size());
    for (size_t i = 0; i < drafts_.size(); ++i) {
      plan.mappings.push_back(BuildMapping(static_cast<int>(i), plan, &keyed, &local));
    }
    for (size_t i = 0; i < sources_.size(); ++i) {
      plan.parts.push_back(SourcePart(sources_[i], plan.sources[i]));
    }
    for (const Draft& draft : drafts_) plan.parts.push_back(MappingPart(draft));
    plan.fingerprint = FingerprintOf(plan.parts);
    return plan;
  }

  SourcePlan BuildSource(int index, Plan* plan) {
    Source& source = sources_[index];
    const Table& table = *source.table;
    SourcePlan out{
        .relation_id = table.oid,
        .relation_ids = table.leaves.empty() ? vector<uint32_t>{table.oid} : table.leaves,
        .schema = table.schema,
        .name = table.name,
        .alias = source.alias,
        .mirrored = source.mirrored};
    for (const Column& column : table.columns) {
      if (!source.used.contains(column.name)) {
        if (!column.generated && !Ignored(table, column.name)) {
          plan->unread_columns.push_back(table.name + "." + column.name);
        }
        continue;
      }
      out.text_identity &=
          std::ranges::count(source.key, column.name) == 0 || HasTextIdentity(column);
      string type = WithSchema(column.mirror_type, kMirrorSchema);
      if (!column.mirror_collation.empty()) {
        type += " COLLATE " + WithSchema(column.mirror_collation, kMirrorSchema);
      }
      out.columns.push_back({.name = column.name,
                             .type = std::move(type),
                             .toastable = column.toastable && !column.in_identity,
                             .type_oid = column.type_oid});
    }
    for (const string& key : source.key) out.key.push_back(IndexOf(out, key));
    BuildStage(index, &out);
    if (source.mirrored) BuildMirror(source, index, &out);
    return out;
  }

  static int IndexOf(const SourcePlan& source, const string& column) {
    for (size_t i = 0; i < source.columns.size(); ++i) {
      if (source.columns[i].name == column) return static_cast<int>(i);
    }
    return -1;
  }

  void BuildMirror(const Source& source, int index, SourcePlan* out) {
    const string quoted = QuoteQualified(kMirrorSchema, source.alias);
    RowLocalTarget target{.target = quoted,
                          .display = string(kMirrorSchema) + "." + source.alias,
                          .alias = source.alias,
                          .temp_suffix = "o" + std::to_string(index)};
    vector<string> definitions;
    for (size_t i = 0; i < out->columns.size(); ++i) {
      const StageColumn& column = out->columns[i];
      const bool in_key = std::ranges::count(source.key, column.name) > 0;
      if (!in_key && !source.mirror_used.contains(column.name)) continue;
      target.assignments.push_back({.column = column.name,
                                    .sql = QuoteIdentifier(column.name),
                                    .plain = static_cast<int>(i),
                                    .in_key = in_key});
      target.insertable.push_back(column.name);
      definitions.push_back(QuoteIdentifier(column.name) + " " + column.type);
    }
    out->mirror_columns = target.insertable;
    out->mirror = BuildTableWrite(*out, target);
    out->mirror_ddl = {"CREATE TABLE IF NOT EXISTS " + quoted + " (" +
                       absl::StrJoin(definitions, ", ") + ", PRIMARY KEY (" +
                       JoinQuoted(source.key) + ")) WITH (fillfactor = 90)"};
    int number = 0;
    const string prefix = "sy_" + source.alias.substr(0, 40) + "_";
    for (const string& sql : source.index_sql) {
      out->mirror_indexes.push_back("CREATE INDEX IF NOT EXISTS " +
                                    QuoteIdentifier(prefix + std::to_string(number++)) + " ON " +
                                    quoted + " ((" + sql + "))");
    }
    for (const auto& [table, sql] : direction_.mirror_indexes) {
      if (table.name != source.alias) continue;
      out->mirror_indexes.push_back("CREATE INDEX IF NOT EXISTS " +
                                    QuoteIdentifier(prefix + std::to_string(number++)) + " ON " +
                                    quoted + " (" + sql + ")");
    }
  }

  static vector<string> Insertable(const Table& table) {
    vector<string> columns;
    for (const Column& column : table.columns) {
      if (!column.generated) columns.push_back(column.name);
    }
    return columns;
  }

  MappingPlan BuildMapping(int index, const Plan& plan, vector<KeyedTarget>* keyed,
                           vector<RowLocalTarget>* local) {
    Draft& draft = drafts_[index];
    MappingPlan out{.display = draft.target->Display(),
                    .target = draft.target->Quoted(),
                    .row_local = draft.row_local,
                    .source = draft.row_local ? draft.source : -1,
                    .columns = draft.columns,
                    .owns = draft.spec->owns,
                    .why_keyed = draft.why_keyed};
    const string suffix = "m" + std::to_string(index);
    if (draft.row_local) {
      (*local)[index] = LocalTarget(&draft, plan.sources[draft.source], suffix);
      out.write = BuildTableWrite(plan.sources[draft.source], (*local)[index]);
      out.reads_sources.push_back(sources_[draft.source].table->Display());
      return out;
    }
    (*keyed)[index] = MakeKeyedTarget(draft, index, suffix);
    const KeyedTarget& target = (*keyed)[index];
    out.keyed = BuildKeyed(target);
    out.keyed.view_ddl = "CREATE VIEW " + target.view + " AS " + draft.select;
    for (const spec::FromRule& rule : draft.from) {
      AddTouches(rule, index, plan, *keyed, *local, &out);
    }
    return out;
  }

  RowLocalTarget LocalTarget(Draft* draft, const SourcePlan& source, const string& suffix) {
    RowLocalTarget target{.target = draft->target->Quoted(),
                          .display = draft->target->Display(),
                          .insertable = Insertable(*draft->target),
                          .alias = draft->alias,
                          .owns = draft->spec->owns,
                          .temp_suffix = suffix};
    for (Assignment a : draft->assignments) {
      const auto plain = plain_names_.find({draft->spec, a.column});
      a.plain = plain == plain_names_.end() ? -1 : IndexOf(source, plain->second);
      a.identity_always = draft->target->FindColumn(a.column)->identity == 'a';
      target.assignments.push_back(std::move(a));
    }
    return target;
  }

  KeyedTarget MakeKeyedTarget(const Draft& draft, int index, const string& suffix) const {
    KeyedTarget target{.target = draft.target->Quoted(),
                       .display = draft.target->Display(),
                       .view = QuoteQualified(kProductSchema, "map_" + std::to_string(index) + "_" +
                                                                  draft.target->name.substr(0, 40)),
                       .columns = draft.columns,
                       .key = draft.key,
                       .scope = draft.scope,
                       .insertable = Insertable(*draft.target),
                       .owns = draft.spec->owns,
                       .temp_suffix = suffix};
    for (const Column& column : draft.target->columns) {
      if (column.identity == 'a') target.identity_always.push_back(column.name);
    }
    for (const Draft& other : drafts_) {
      target.has_readers |= other.reads_targets.contains(target.display);
    }
    return target;
  }

  void AddTouches(const spec::FromRule& written, int index, const Plan& plan,
                  const vector<KeyedTarget>& keyed, const vector<RowLocalTarget>& local,
                  MappingPlan* out) {
    const KeyedTarget& target = keyed[index];
    // The session that applies keeps NEW's own search path.
    spec::FromRule rule = written;
    if (absl::StatusOr<string> qualified = QualifyRelations(rule.touches, kMirrorSchema);
        qualified.ok()) {
      rule.touches = *std::move(qualified);
    }
    if (rule.table.schema.empty()) {
      for (size_t s = 0; s < plan.sources.size(); ++s) {
        if (plan.sources[s].alias != rule.table.name) continue;
        out->keyed.touches.push_back(
            BuildSourceTouch(plan.sources[s], static_cast<int>(s), rule.touches, target));
        out->reads_sources.push_back(sources_[s].table->Display());
      }
      return;
    }
    const string display = rule.table.schema + "." + rule.table.name;
    out->reads_sources.push_back(display);
    for (int up = 0; up < index; ++up) {
      if (drafts_[up].target->Display() != display) continue;
      out->keyed.touches.push_back(
          drafts_[up].row_local
              ? BuildRowLocalUpstreamTouch(plan.sources[drafts_[up].source], local[up],
                                           rule.table.name, up, rule.touches, target)
              : BuildKeyedUpstreamTouch(keyed[up], rule.table.name, up, rule.touches, target));
    }
  }

  // ---- fingerprints

  PlanPart SourcePart(const Source& source, const SourcePlan& plan) const {
    Fingerprint fingerprint;
    // A table dropped and made again under its name is another table.
    fingerprint.Add(std::to_string(plan.relation_id)).Add(plan.alias).AddAll(source.key);
    for (const StageColumn& used : plan.columns) {
      const Column* column = source.table->FindColumn(used.name);
      fingerprint.Add(column->name).Add(column->type).Add(column->collation);
    }
    fingerprint.Add(source.mirrored ? "mirrored" : "").AddAll(plan.mirror_columns);
    return {.kind = PlanPart::Kind::kSource,
            .name = source.table->Display(),
            .fingerprint = fingerprint.Hex()};
  }

  PlanPart MappingPart(const Draft& draft) const {
    const spec::Mapping& mapping = *draft.spec;
    Fingerprint fingerprint;
    fingerprint.AddAll(draft.columns).AddAll(draft.key).AddAll(draft.scope);
    fingerprint.Add(draft.row_local ? "row" : "keyed").Add(mapping.owns);
    fingerprint.Add(mapping.copy ? Meant(*mapping.copy) : "").Add(mapping.select);
    fingerprint.Add(mapping.where);
    for (const auto& [column, sql] : mapping.set) fingerprint.Add("set").Add(column).Add(sql);
    for (const auto& [from, to] : mapping.rename) fingerprint.Add("rename").Add(from).Add(to);
    for (const spec::FromRule& rule : mapping.from) {
      fingerprint.Add("from").Add(Meant(rule.table)).Add(rule.touches);
    }
    for (const spec::TableName& table : mapping.static_tables) {
      fingerprint.Add("static").Add(Meant(table));
    }
    return {.kind = PlanPart::Kind::kMapping,
            .name = draft.target->Display(),
            .fingerprint = fingerprint.Hex()};
  }

  // The table a name stands for, so that an alias that moves to another table shows.
  string Meant(const spec::TableName& name) const {
    const Table* table = name.schema.empty() ? ResolveSource(name) : nullptr;
    return table == nullptr ? name.ToString() : name.ToString() + "=" + table->Display();
  }

  const CompileInput& input_;
  const spec::Direction& direction_;
  Probe probe_;
  vector<CompileFault>& faults_;
  vector<Source> sources_;
  vector<Draft> drafts_;
  // By mapping and target column: the bare column it copies, and the columns it reads.
  std::map<std::pair<const spec::Mapping*, string>, string> plain_names_;
  std::map<std::pair<const spec::Mapping*, string>, set<string>> read_columns_;
};

}  // namespace

absl::StatusOr<Plan> Compile(const CompileInput& input, pg::Session& target,
                             vector<CompileFault>* faults) {
  vector<CompileFault> own;
  return Compiler(input, target, faults != nullptr ? faults : &own).Run();
}

const SourcePlan* Plan::FindRelation(uint32_t relation_id) const {
  for (const SourcePlan& source : sources) {
    if (std::ranges::count(source.relation_ids, relation_id) > 0) return &source;
  }
  return nullptr;
}

}  // namespace switchyard::mapping
