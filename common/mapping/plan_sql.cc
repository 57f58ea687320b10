#include "common/mapping/plan_sql.h"

#include <array>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace switchyard::mapping {
namespace {

using std::string;
using std::string_view;
using std::vector;

// A line of a long statement begins with one of these.
constexpr std::array<string_view, 19> kLineStarts = {
    "FROM ",        "WHERE ",     "AND ",         "OR ",         "SET ",
    "USING ",       "JOIN ",      "LEFT JOIN ",   "CROSS JOIN ", "UNION ALL ",
    "GROUP BY ",    "HAVING ",    "EXCEPT ",      "SELECT ",     "INSERT INTO ",
    "DELETE FROM ", "RETURNING ", "ON CONFLICT ", "OVERRIDING "};

// Not in the middle of CROSS JOIN or DELETE FROM.
bool StartsLine(string_view before, string_view rest) {
  for (const string_view first : {"CROSS", "LEFT", "DELETE"}) {
    if (absl::EndsWith(Sv(before), Sv(first))) return false;
  }
  for (const string_view start : kLineStarts) {
    if (rest.substr(0, start.size()) == start) return true;
  }
  return false;
}

// Comments and dollar quotes would change their meaning by a line break.
bool KeepsItsLines(string_view sql) {
  return sql.find("--") != string_view::npos || sql.find("/*") != string_view::npos ||
         sql.find("$$") != string_view::npos || sql.find('\n') != string_view::npos;
}

string Wrapped(const string& sql) {
  constexpr size_t kShort = 100;
  if (sql.size() <= kShort || KeepsItsLines(sql)) return sql;
  string out;
  size_t depth = 0;
  char quote = 0;
  for (size_t i = 0; i < sql.size(); ++i) {
    const char c = sql[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')' && depth > 0) {
      --depth;
    } else if (c == ' ' && StartsLine(out, string_view(sql).substr(i + 1))) {
      out += "\n" + string(2 * (depth + 1), ' ');
      continue;
    }
    out += c;
  }
  return out;
}

class Writer {
 public:
  void Section(const string& title) { absl::StrAppend(&out_, out_.empty() ? "" : "\n", title); }

  void Add(const string& of, string_view field, const string& sql) {
    if (sql.empty()) return;
    absl::StrAppend(&out_, "\n-- ", of, ": ", Sv(field), "\n", Wrapped(sql), ";\n");
  }
  void Add(const string& of, string_view field, const vector<string>& statements) {
    for (const string& sql : statements) Add(of, field, sql);
  }

  void AddWrite(const string& of, const string& prefix, const TableWrite& write) {
    const auto add = [&](string_view field, const auto& sql) {
      Add(of, absl::StrCat(prefix, Sv(field)), sql);
    };
    add("remove", write.remove);
    add("update", write.update);
    add("missing_updated", write.missing_updated);
    add("missing_changed", write.missing_changed);
    add("missing_removed", write.missing_removed);
    add("missing", write.missing);
    add("missing_rows", write.missing_rows);
    if (write.update_absent != write.update) add("update_absent", write.update_absent);
    add("move", write.move);
    add("insert", write.insert);
    add("copy_in", write.copy_in);
    add("taken_table_ddl", write.taken_table_ddl);
    add("take_out", write.take_out);
    if (write.truncate != write.clear) add("truncate", write.truncate);
    add("clear", write.clear);
    add("load", write.load);
    add("swap_remove", write.swap_remove);
    add("swap_upsert", write.swap_upsert);
    add("swap_upsert_plain", write.swap_upsert_plain);
    add("swap_take_out", write.swap_take_out);
    add("written_take", write.written_take);
    add("written_count", write.written_count);
    add("loaded_take", write.loaded_take);
    add("loaded_count", write.loaded_count);
    add("swapped_left", write.swapped_left);
    add("cleared_left", write.cleared_left);
  }

  void AddKeyed(const string& of, const Plan& plan, const KeyedPlan& keyed) {
    Add(of, "keyed.view_ddl", keyed.view_ddl);
    Add(of, "keyed.temp_ddl", keyed.temp_ddl);
    for (const TouchRule& rule : keyed.touches) {
      const string from = rule.source.valid() ? plan.sources[rule.source].name
                                              : plan.mappings[rule.upstream].display;
      Add(of, absl::StrCat("touches of ", from, ": before"), rule.before);
      Add(of, absl::StrCat("touches of ", from, ": after"), rule.after);
      Add(of, absl::StrCat("touches of ", from, ": all"), rule.all);
    }
    Add(of, "keyed.touch_own", keyed.touch_own);
    Add(of, "keyed.slice_fill", keyed.slice_fill);
    Add(of, "keyed.slice_take", keyed.slice_take);
    Add(of, "keyed.scope_json", keyed.scope_json);
    Add(of, "keyed.compute", keyed.compute);
    Add(of, "keyed.held", keyed.held);
    Add(of, "keyed.remember", keyed.remember);
    Add(of, "keyed.changes", keyed.changes);
    Add(of, "keyed.remove", keyed.remove);
    Add(of, "keyed.update", keyed.update);
    Add(of, "keyed.insert", keyed.insert);
    Add(of, "keyed.written_count", keyed.written_count);
    Add(of, "keyed.take_out", keyed.take_out);
    Add(of, "keyed.clean", keyed.clean);
    Add(of, "keyed.populate", keyed.populate);
    Add(of, "keyed.explain", keyed.explain);
    if (keyed.patch.on) AddPatch(of, keyed.patch);
  }

  void AddPatch(const string& of, const PatchPlan& patch) {
    Add(of, "patch.scopes", patch.scopes);
    Add(of, "patch.images", patch.images);
    Add(of, "patch.before_copy", patch.before_copy);
    Add(of, "patch.take_put", patch.take_put);
    Add(of, "patch.compare", patch.compare);
    Add(of, "patch.changed_before", patch.changed_before);
    Add(of, "patch.remove", patch.remove);
    Add(of, "patch.update", patch.update);
    Add(of, "patch.insert", patch.insert);
    Add(of, "patch.conflict", patch.conflict);
    Add(of, "patch.changed_after", patch.changed_after);
    Add(of, "patch.take_out", patch.take_out);
    Add(of, "patch.written_count", patch.written_count);
    Add(of, "patch.note", patch.note);
    Add(of, "patch.out_of_the_way", patch.out_of_the_way);
    Add(of, "patch.there", patch.there);
  }

  void AddOrdered(const string& of, const OrderedSql& ordered) {
    const auto add = [&](string_view field, const string& sql) {
      Add(of, absl::StrCat("ordered.", Sv(field)), sql);
    };
    add("leaving_table_ddl", ordered.leaving_table_ddl);
    add("held", ordered.held);
    add("note", ordered.note);
    add("keep", ordered.keep);
    add("note_deleted", ordered.note_deleted);
    add("note_all", ordered.note_all);
    add("note_swap", ordered.note_swap);
    add("take_moved", ordered.take_moved);
    add("take_changed", ordered.take_changed);
    add("moved_update", ordered.moved_update);
    add("moved_insert", ordered.moved_insert);
    add("fresh_update", ordered.fresh_update);
    add("fresh_insert", ordered.fresh_insert);
    add("take_out", ordered.take_out);
    add("take_out_all", ordered.take_out_all);
    add("barred_ddl", ordered.barred_ddl);
    add("barred", ordered.barred);
  }

  string Take() { return std::move(out_); }

 private:
  string out_;
};

}  // namespace

string PlanSql(const Plan& plan) {
  Writer writer;
  if (!plan.type_ddl.empty()) {
    writer.Section("-- ==== OLD's types, in the mirror's schema\n");
    writer.Add("types", "type_ddl", plan.type_ddl);
  }
  for (const SourcePlan& source : plan.sources) {
    const string of = source.schema + "." + source.name;
    writer.Section(absl::StrCat("-- ==== OLD's ", of, "\n"));
    writer.Add(of, "stage_ddl", source.stage_ddl);
    writer.Add(of, "stage_copy", source.stage_copy);
    writer.Add(of, "note_still", source.note_still);
    if (!source.mirrored) continue;
    writer.Add(of, "mirror_ddl", source.mirror_ddl);
    for (const auto& [name, ddl] : source.mirror_indexes) writer.Add(of, "mirror_indexes", ddl);
    writer.AddWrite(of, "mirror.", source.mirror);
  }
  if (plan.pairs.source.valid()) {
    writer.Section("-- ==== pairs of ids that the other direction allotted\n");
    writer.Add("pairs", "take_changed", plan.pairs.take_changed);
    writer.Add("pairs", "take_all", plan.pairs.take_all);
  }
  for (const IdAllotment& ids : plan.ids) {
    const string of = "ids of " + ids.kind;
    writer.Section(absl::StrCat("-- ==== ", of, "\n"));
    writer.Add(of, "passed", ids.passed);
    writer.Add(of, "changed", ids.changed);
    writer.Add(of, "all", ids.all);
  }
  for (const MappingPlan& mapping : plan.mappings) {
    writer.Section(absl::StrCat("-- ==== NEW's ", mapping.display,
                                mapping.row_local ? ", row by row\n" : ", by scope\n"));
    if (mapping.row_local) {
      writer.AddWrite(mapping.display, "write.", mapping.write);
    } else {
      writer.AddKeyed(mapping.display, plan, mapping.keyed);
    }
    writer.AddOrdered(mapping.display, mapping.ordered);
  }
  return writer.Take();
}

}  // namespace switchyard::mapping
