#include <algorithm>

#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/compile/compilation.h"
#include "common/mapping/fingerprint.h"
#include "common/mapping/sql/ordered_sql.h"
#include "common/mapping/sql/patch_sql.h"
#include "common/mapping/sql_analysis.h"

namespace switchyard::mapping {
namespace {

using std::string;
using std::vector;

constexpr size_t kStillSetsMax = 62;  // bits of sy__still

// A key is looked up by NEW's own comparison, which its index serves, whatever OLD's column has.
string InCollationOf(const catalog::Column& column, const string& sql) {
  if (!column.collation.empty()) return "(" + sql + ") COLLATE " + column.collation;
  const bool text = column.type_oid == 25 || column.type_oid == 1042 || column.type_oid == 1043;
  return text ? "(" + sql + ") COLLATE pg_catalog.\"default\"" : sql;
}

class PlanBuilder {
 public:
  explicit PlanBuilder(Compilation& compilation)
      : compilation_(compilation), stream_(*compilation.input.stream) {}

  absl::StatusOr<Plan> Build() {
    Plan plan{.mirror_schema = stream_.mirror_schema,
              .view_prefix = stream_.view_prefix,
              .mirror_only = stream_.direction == records::Direction::kReverse,
              .search_path = compilation_.SearchPath(),
              .calls_functions_by_path = compilation_.calls_functions_by_path};
    plan.ignored = compilation_.direction.ignore;
    for (const catalog::UserType& type : compilation_.input.source->types) {
      plan.type_ddl.push_back(catalog::WithSchema(type.create_sql, stream_.mirror_schema));
    }
    for (size_t i = 0; i < compilation_.sources.size(); ++i) {
      plan.sources.push_back(BuildSource(SourceIndex(i), &plan));
    }
    vector<KeyedTarget> keyed(compilation_.drafts.size());
    vector<RowLocalTarget> local(compilation_.drafts.size());
    for (size_t i = 0; i < compilation_.drafts.size(); ++i) {
      plan.mappings.push_back(BuildMapping(MappingIndex(i), plan, &keyed, &local));
    }
    plan.pairs = BuildPairs(compilation_, plan);
    plan.ids = BuildIds(compilation_, plan);
    plan.parts = PartsOf(compilation_, plan);
    plan.bound = compilation_.bound;
    plan.fingerprint = FingerprintOf(plan.parts);
    return plan;
  }

 private:
  SourcePlan BuildSource(SourceIndex index, Plan* plan) {
    Source& source = compilation_.sources[index];
    const catalog::Table& table = *source.table;
    SourcePlan out{
        .relation_id = table.oid,
        .relation_ids = table.leaves.empty() ? vector<uint32_t>{table.oid} : table.leaves,
        .schema = table.schema,
        .name = table.name,
        .alias = source.alias,
        .mirrored = source.mirrored};
    for (const catalog::Column& column : table.columns) {
      if (!source.used.contains(column.name)) {
        out.other_columns.push_back(column.name);
        if (!compilation_.Ignored(table, column.name) && !Disposed(source, column)) {
          plan->unread_columns.push_back(table.name + "." + column.name);
        }
        continue;
      }
      const auto named = compilation_.types.find({source.alias, column.name});
      string type = named != compilation_.types.end()
                        ? named->second
                        : catalog::WithSchema(column.mirror_type, stream_.mirror_schema);
      if (!column.mirror_collation.empty()) {
        type += " COLLATE " + catalog::WithSchema(column.mirror_collation, stream_.mirror_schema);
      }
      out.columns.push_back({.name = column.name,
                             .number = column.number,
                             .type = std::move(type),
                             .toastable = column.toastable && !column.in_identity,
                             .type_oid = column.type_oid,
                             .type_modifier = column.type_modifier,
                             .equals = EqualsOf(source.alias, column.name)});
    }
    for (const string& key : source.key) out.key.push_back(IndexOf(out, key));
    for (const string& column : source.id_used) {
      if (const int at = IndexOf(out, column); at >= 0) out.id_columns.push_back(at);
    }
    AddLeafNumbers(table, &out);
    BuildStage(stream_.temporary_mark + std::to_string(index), &out);
    if (source.mirrored) BuildMirror(source, index, &out);
    return out;
  }

  Operators OperatorsOf(const string& table) const {
    const auto found = compilation_.operators.find(table);
    return found == compilation_.operators.end() ? Operators() : found->second;
  }

  string EqualsOf(const string& alias, const string& column) const {
    const Operators operators = OperatorsOf(alias);
    const auto found = operators.find(column);
    return found == operators.end() ? "=" : found->second;
  }

  // A mapping says that it leaves the column behind, or that of a generated one is filled anyway.
  bool Disposed(const Source& source, const catalog::Column& column) const {
    return std::ranges::any_of(compilation_.drafts, [&](const Draft& draft) {
      if (!draft.source.valid() || &compilation_.sources[draft.source] != &source) return false;
      const catalog::Column* same = draft.target->FindColumn(column.name);
      return std::ranges::count(draft.spec->drop, column.name) > 0 ||
             (column.generated && same != nullptr &&
              (same->generated || std::ranges::count(draft.columns, column.name) > 0));
    });
  }

  void AddLeafNumbers(const catalog::Table& table, SourcePlan* out) const {
    for (const uint32_t id : table.leaves) {
      const catalog::Table* leaf = compilation_.input.source->FindOid(id);
      if (leaf == nullptr) continue;
      vector<int32_t>& numbers = out->leaf_numbers[id];
      for (const StageColumn& column : out->columns) {
        const catalog::Column* same = leaf->FindColumn(column.name);
        numbers.push_back(same == nullptr ? 0 : same->number);
      }
    }
  }

  static int IndexOf(const SourcePlan& source, const string& column) {
    for (size_t i = 0; i < source.columns.size(); ++i) {
      if (source.columns[i].name == column) return static_cast<int>(i);
    }
    return -1;
  }

  void BuildMirror(const Source& source, SourceIndex index, SourcePlan* out) {
    const string quoted = QuoteQualified(stream_.mirror_schema, source.alias);
    RowLocalTarget target{.target = quoted,
                          .display = stream_.mirror_schema + "." + source.alias,
                          .alias = source.alias,
                          .operators = OperatorsOf(source.alias),
                          .temp_suffix = stream_.temporary_mark + "o" + std::to_string(index),
                          .skips_still = true};
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
    out->note_still = BuildNoteStill(*out, quoted, ColumnSets(source, index, *out));
    out->mirror = BuildTableWrite(*out, target);
    out->mirror_ddl = {"CREATE TABLE IF NOT EXISTS " + quoted + " (" +
                       absl::StrJoin(definitions, ", ") + ", PRIMARY KEY (" +
                       JoinQuoted(source.key) + ")) WITH (fillfactor = 90)"};
    for (const string& sql : source.index_sql) AddIndex(sql, out);
    for (const auto& [table, sql, place] : compilation_.direction.mirror_indexes) {
      if (table.name == source.alias) AddIndex(sql, out);
    }
  }

  // What an update may leave as it was: all that the mirror has, and what each mapping reads.
  vector<vector<int>> ColumnSets(const Source& source, SourceIndex index, const SourcePlan& out) {
    const auto indices = [&](const auto& wanted) {
      vector<int> set;
      for (const string& name : out.mirror_columns) {
        if (std::ranges::count(source.key, name) == 0 && wanted(name)) {
          set.push_back(IndexOf(out, name));
        }
      }
      return set;
    };
    vector<vector<int>> sets = {indices([](const string&) { return true; })};
    for (const Draft& draft : compilation_.drafts) {
      const auto reads = draft.reads.find(source.alias);
      if (draft.row_local || reads == draft.reads.end()) continue;
      const vector<int> set = indices([&](const string& name) {
        return reads->second.contains(name) || source.id_used.contains(name);
      });
      size_t at = std::ranges::find(sets, set) - sets.begin();
      if (at == kStillSetsMax) continue;
      if (at == sets.size()) sets.push_back(set);
      still_[{index, draft.spec}] = int64_t{1} << at;
    }
    return sets;
  }

  // Named by what it is over: neither another expression nor another table can pass for it.
  void AddIndex(const string& sql, SourcePlan* out) const {
    const string& bound = compilation_.indexes.at(out->alias + " " + sql);
    const string name =
        "sy_" + std::to_string(out->relation_id) + "_" + Fingerprint().Add(bound).Hex();
    out->mirror_indexes[name] = "CREATE INDEX " + QuoteIdentifier(name) + " ON " +
                                QuoteQualified(stream_.mirror_schema, out->alias) + " ((" + bound +
                                "))";
  }

  static vector<string> Insertable(const catalog::Table& table) {
    vector<string> columns;
    for (const catalog::Column& column : table.columns) {
      if (!column.generated) columns.push_back(column.name);
    }
    return columns;
  }

  // Rows that were there before the stream are not to go because somebody copies the source.
  static void LeaveOutCopies(MappingPlan* out) {
    TableWrite& write = out->write;
    for (string* sql :
         {&write.copy_in, &write.clear, &write.load, &write.swap_remove, &write.swap_upsert,
          &write.swap_upsert_plain, &write.loaded_take, &write.loaded_count, &write.swapped_left,
          &out->keyed.populate, &out->ordered.note_swap}) {
      sql->clear();
    }
    write.swap_take_out.clear();
  }

  MappingPlan BuildMapping(MappingIndex index, const Plan& plan, vector<KeyedTarget>* keyed,
                           vector<RowLocalTarget>* local) {
    Draft& draft = compilation_.drafts[index];
    MappingPlan out{.display = draft.target->Display(),
                    .target = draft.target->Quoted(),
                    .row_local = draft.row_local,
                    .source = draft.row_local ? draft.source : SourceIndex(),
                    .key = draft.key,
                    .columns = draft.columns,
                    .owns = compilation_.Written(*draft.spec).owns,
                    .owned = draft.owns,
                    .operators = OperatorsOf(draft.display),
                    .by_name = draft.by_name,
                    .why_keyed = draft.why_keyed};
    const string suffix = stream_.temporary_mark + "m" + std::to_string(index);
    if (draft.row_local) {
      out.together_stage = "sy_together_" + suffix;
      (*local)[index] = LocalTarget(&draft, plan.sources[draft.source], suffix);
      out.write = BuildTableWrite(plan.sources[draft.source], (*local)[index]);
      out.ordered = BuildOrderedWrite(plan.sources[draft.source], (*local)[index], out.write);
      if (plan.mirror_only) LeaveOutCopies(&out);
      out.reads_sources.push_back(compilation_.sources[draft.source].table->Display());
      return out;
    }
    (*keyed)[index] = MakeKeyedTarget(draft, index, suffix);
    const KeyedTarget& target = (*keyed)[index];
    out.keyed = BuildKeyed(target);
    if (target.patch) BuildPatch(target, &out.keyed);
    out.ordered = BuildOrderedKeyed(target, out.keyed);
    if (plan.mirror_only) LeaveOutCopies(&out);
    out.keyed.view_ddl = "CREATE VIEW " + target.view + " AS " + draft.select;
    const vector<spec::FromRule>& written = compilation_.Written(*draft.spec).from;
    for (size_t i = 0; i < draft.from.size(); ++i) {
      const spec::FromRule& rule = draft.from[i];
      out.rules.push_back({.table = rule.table.ToString(),
                           .touches = i < written.size() ? written[i].touches : rule.touches,
                           .derived = std::ranges::count(draft.unlisted, rule.table) > 0});
      AddTouches(rule, draft.touches[i], draft.from_reads_key_only[i], index, plan, *keyed, *local,
                 &out);
    }
    return out;
  }

  RowLocalTarget LocalTarget(Draft* draft, const SourcePlan& source, const string& suffix) {
    RowLocalTarget target{.target = draft->target->Quoted(),
                          .display = draft->target->Display(),
                          .insertable = Insertable(*draft->target),
                          .alias = draft->alias,
                          .owns = draft->owns,
                          .operators = OperatorsOf(draft->display),
                          .temp_suffix = suffix};
    for (Assignment a : draft->assignments) {
      const auto plain = compilation_.plain_names.find({draft->spec, a.column});
      a.plain = plain == compilation_.plain_names.end() ? -1 : IndexOf(source, plain->second);
      const catalog::Column& column = *draft->target->FindColumn(a.column);
      a.identity_always = column.identity == 'a';
      if (a.in_key) a.sql = InCollationOf(column, InComparedType(draft->display, a));
      target.assignments.push_back(std::move(a));
    }
    return target;
  }

  // As an operator of NEW's own takes it: there is not one for each pair of types.
  string InComparedType(const string& table, const Assignment& assignment) const {
    const auto type = compilation_.compared_types.find({table, assignment.column});
    return type == compilation_.compared_types.end()
               ? assignment.sql
               : absl::StrCat("(", assignment.sql, ")::", type->second);
  }

  KeyedTarget MakeKeyedTarget(const Draft& draft, MappingIndex index, const string& suffix) const {
    KeyedTarget target{
        .target = draft.target->Quoted(),
        .display = draft.target->Display(),
        .view = QuoteQualified(kProductSchema, absl::StrCat(stream_.view_prefix, index.value(), "_",
                                                            Sv(CutUtf8(draft.target->name, 40)))),
        .columns = draft.columns,
        .key = draft.key,
        .scope = draft.scope,
        .insertable = Insertable(*draft.target),
        .owns = draft.owns,
        .operators = OperatorsOf(draft.display),
        .temp_suffix = suffix,
        .patch = draft.spec->mode == spec::MappingMode::kPatch,
        .leaves_vanished = draft.spec->vanished == spec::Vanished::kLeave,
        .lossy = draft.spec->lossy};
    for (const string& column : draft.columns) {
      target.types.push_back(draft.target->FindColumn(column)->type);
    }
    for (const catalog::Column& column : draft.target->columns) {
      if (column.identity == 'a') target.identity_always.push_back(column.name);
      const bool scoped = std::ranges::count(draft.scope, column.name) > 0;
      if (scoped && column.type.ends_with("[]")) target.arrays.push_back(column.name);
    }
    for (const Draft& other : compilation_.drafts) {
      target.has_readers |= other.reads_targets.contains(target.display);
    }
    return target;
  }

  void AddTouches(const spec::FromRule& rule, const string& touches, bool reads_key_only,
                  MappingIndex index, const Plan& plan, const vector<KeyedTarget>& keyed,
                  const vector<RowLocalTarget>& local, MappingPlan* out) {
    const KeyedTarget& target = keyed[index];
    if (rule.table.schema.empty()) {
      for (const SourceIndex s : plan.source_indices()) {
        if (plan.sources[s].alias != rule.table.name) continue;
        const auto still = still_.find({s, compilation_.drafts[index].spec});
        out->keyed.touches.push_back(
            BuildSourceTouch(plan.sources[s],
                             {.source = s,
                              .touches = touches,
                              .reads_key_only = reads_key_only,
                              .still = still == still_.end() ? 0 : still->second},
                             target));
        out->reads_sources.push_back(compilation_.sources[s].table->Display());
      }
      return;
    }
    const string display = rule.table.schema + "." + rule.table.name;
    out->reads_sources.push_back(display);
    for (const MappingIndex up : plan.mapping_indices()) {  // those before this one
      if (compilation_.drafts[up].target->Display() != display) continue;
      out->keyed.touches.push_back(
          compilation_.drafts[up].row_local
              ? BuildRowLocalUpstreamTouch(plan.sources[compilation_.drafts[up].source], local[up],
                                           rule.table.name, up, touches, target)
              : BuildKeyedUpstreamTouch(keyed[up], rule.table.name, up, touches, target));
    }
  }

  Compilation& compilation_;
  const records::Stream& stream_;
  // The bit in sy__still of what a mapping reads of a source.
  std::map<std::pair<SourceIndex, const spec::Mapping*>, int64_t> still_;
};

}  // namespace

absl::StatusOr<Plan> BuildPlan(Compilation* compilation) {
  return PlanBuilder(*compilation).Build();
}

}  // namespace switchyard::mapping
