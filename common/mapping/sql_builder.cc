#include "common/mapping/sql_builder.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/strings.h"
#include "common/mapping/sql_analysis.h"
#include "common/mapping/sql_pieces.h"

namespace switchyard::mapping {
namespace {

using std::string;
using std::vector;

bool Contains(const vector<string>& names, const string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Where the stage says "absent" for the toastable source column an assignment copies.
string AbsentTest(const SourcePlan& source, const Assignment& assignment, const string& row) {
  if (assignment.plain < 0 || !source.columns[assignment.plain].toastable) return "";
  int place = 1;
  for (int i = 0; i < assignment.plain; ++i) place += source.columns[i].toastable ? 1 : 0;
  return "substr(" + row + ".sy__absent, " + std::to_string(place) + ", 1) = '1'";
}

// Columns in `owns` stand alone; beside another table they would be those of either.
string OwnedAmong(const string& owns, const string& row) {
  return owns.empty() ? "" : " AND (SELECT " + owns + " FROM (SELECT " + row + ".*) AS sy_w)";
}

class RowLocalBuilder {
 public:
  RowLocalBuilder(const SourcePlan& source, const RowLocalTarget& target)
      : source_(source), target_(target) {
    for (const Assignment& a : target.assignments) {
      if (a.in_key) keys_.push_back(&a);
      has_absent_ |= a.plain >= 0 && source.columns[a.plain].toastable;
      (a.in_key ? identity_key_ : identity_value_) |= a.identity_always;
    }
  }

  TableWrite Build() const {
    TableWrite write{.target = target_.target, .display = target_.display};
    write.remove = "DELETE FROM " + target_.target + " AS sy_t USING (SELECT " + KeyValues() +
                   " FROM " + OldKeyRow(source_, target_.alias, "'D'") + ") AS sy_s WHERE " +
                   KeyMatch("sy_t");
    write.update = Update(false);
    write.update_absent = has_absent_ ? Update(true) : write.update;
    write.update_skips_equal = SkipsEqual();
    write.move = Move();
    write.insert = InsertFrom(NewRow(source_, target_.alias, "'I'"));
    AddCopyIn(&write);
    AddExchange(&write);
    write.exchange_moves = identity_key_ || identity_value_;
    write.exchange_updates = identity_value_;
    write.clear =
        "DELETE FROM " + target_.target + (target_.owns.empty() ? "" : " WHERE " + target_.owns);
    AddSwap(&write);
    AddSwapExchange(&write);
    write.load = InsertFrom("{load} AS " + QuoteIdentifier(target_.alias));
    return write;
  }

 private:
  string KeyValues() const {
    return Each(keys_.size(), ", ",
                [&](size_t i) { return "(" + keys_[i]->sql + ") AS sy__t" + std::to_string(i); });
  }
  string KeyMatch(const string& row) const {
    return Each(keys_.size(), " AND ", [&](size_t i) {
      return row + "." + QuoteIdentifier(keys_[i]->column) + " = sy_s.sy__t" + std::to_string(i);
    });
  }
  string Values(bool keys_too) const {
    string out;
    for (size_t i = 0; i < target_.assignments.size(); ++i) {
      const Assignment& a = target_.assignments[i];
      if (a.in_key && !keys_too) continue;
      out += ", (" + a.sql + ") AS sy__v" + std::to_string(i);
    }
    return out;
  }
  string SetList(bool keys_too, bool absent, const string& old_row) const {
    vector<string> sets;
    for (size_t i = 0; i < target_.assignments.size(); ++i) {
      const Assignment& a = target_.assignments[i];
      if ((a.in_key && !keys_too) || (a.identity_always && old_row == "sy_t")) continue;
      const string value = "sy_s.sy__v" + std::to_string(i);
      const string test = absent ? AbsentTest(source_, a, "sy_s") : "";
      const string column = QuoteIdentifier(a.column);
      sets.push_back(column + " = " +
                     (test.empty() ? value
                                   : "CASE WHEN " + test + " THEN " + old_row + "." + column +
                                         " ELSE " + value + " END"));
    }
    return absl::StrJoin(sets, ", ");
  }

  string Update(bool absent) const {
    const string sets = SetList(false, absent, "sy_t");
    if (sets.empty()) return "";
    return "UPDATE " + target_.target + " AS sy_t SET " + sets + " FROM (SELECT " + KeyValues() +
           Values(false) + (absent ? ", sy__absent" : "") + " FROM " +
           NewRow(source_, target_.alias, "'U'") + ") AS sy_s WHERE " + KeyMatch("sy_t") +
           (!absent && SkipsEqual() ? " AND (" + Different() + ")" : "");
  }

  // The target takes some of the columns only, as they are: often none of those has changed.
  bool SkipsEqual() const {
    std::set<int> taken;
    for (const Assignment& a : target_.assignments) {
      if (a.plain < 0) return false;
      taken.insert(a.plain);
    }
    return taken.size() < source_.columns.size();
  }

  // By their texts: two types may differ, and be without an operator for equality.
  string Different() const {
    vector<string> tests;
    for (size_t i = 0; i < target_.assignments.size(); ++i) {
      if (target_.assignments[i].in_key) continue;
      tests.push_back("sy_t." + QuoteIdentifier(target_.assignments[i].column) +
                      "::text COLLATE \"C\" IS DISTINCT FROM sy_s.sy__v" + std::to_string(i) +
                      "::text COLLATE \"C\"");
    }
    return absl::StrJoin(tests, " OR ");
  }

  string Move() const {
    const string sets = SetList(true, has_absent_, "sy_t");
    if (sets.empty()) return "";
    return "UPDATE " + target_.target + " AS sy_t SET " + sets + " FROM (SELECT sy__ord, " +
           KeyValues() + " FROM " + OldKeyRow(source_, target_.alias, "'K'") +
           ") AS sy_s0 JOIN (SELECT sy__ord" + Values(true) + ", sy__absent FROM " +
           NewRow(source_, target_.alias, "'K'") + ") AS sy_s USING (sy__ord) WHERE " +
           Each(keys_.size(), " AND ", [&](size_t i) {
             return "sy_t." + QuoteIdentifier(keys_[i]->column) + " = sy_s0.sy__t" +
                    std::to_string(i);
           });
  }

  string InsertFrom(const string& rows) const {
    vector<string> columns;
    vector<string> values;
    for (const Assignment& a : target_.assignments) {
      columns.push_back(a.column);
      values.push_back(a.sql);
    }
    return "INSERT INTO " + target_.target + " (" + JoinQuoted(columns) +
           ") OVERRIDING SYSTEM VALUE SELECT " + absl::StrJoin(values, ", ") + " FROM " + rows;
  }

  void AddCopyIn(TableWrite* write) const {
    vector<string> columns;
    for (const Assignment& a : target_.assignments) {
      if (a.plain < 0) return;
      columns.push_back(a.column);
      write->copy_columns.push_back(a.plain);
    }
    write->copy_targets = columns;
    write->copy_in = "COPY " + target_.target + " (" + JoinQuoted(columns) + ") FROM STDIN";
  }

  void AddSwap(TableWrite* write) const {
    vector<string> keys;
    vector<string> columns;
    vector<string> sets;
    for (const Assignment& a : target_.assignments) {
      columns.push_back(a.column);
      const string column = QuoteIdentifier(a.column);
      if (a.in_key) {
        keys.push_back(a.column);
      } else if (!a.identity_always) {
        sets.push_back(column + " = excluded." + column);
      }
    }
    const string rows = "{load} AS " + QuoteIdentifier(target_.alias);
    write->swap_remove = "DELETE FROM " + target_.target +
                         " AS sy_t WHERE NOT EXISTS (SELECT FROM (SELECT " + KeyValues() +
                         " FROM " + rows + ") AS sy_s WHERE " + KeyMatch("sy_t") + ")" +
                         (target_.owns.empty() ? "" : " AND (" + target_.owns + ")");
    write->swap_upsert =
        !target_.owns.empty()
            ? SwapOwned(rows)
            : InsertFrom(rows) + " ON CONFLICT (" + JoinQuoted(keys) + ") DO " +
                  (sets.empty() ? "NOTHING"
                                : "UPDATE SET " + absl::StrJoin(sets, ", ") + " WHERE NOT (" +
                                      SameImage(columns, target_.target, "excluded") + ")");
  }

  // Columns that no mapping fills stay as they are.
  void AddSwapExchange(TableWrite* write) const {
    const string different = Different();
    if (different.empty()) return;
    const string gone = Temp(write->gone_table);
    const string staged = "(SELECT " + KeyValues() + Values(false) + " FROM {load} AS " +
                          QuoteIdentifier(target_.alias) + ") AS sy_s WHERE ";
    const string columns = JoinQuoted(target_.insertable);
    write->swap_exchange = {"WITH sy_gone AS (DELETE FROM " + target_.target + " AS sy_t USING " +
                                staged + KeyMatch("sy_t") + " AND (" + different + ")" +
                                OwnedAmong(target_.owns, "sy_t") + " RETURNING " +
                                JoinQuoted(target_.insertable, "sy_t.") + ") INSERT INTO " + gone +
                                " SELECT NULL, " + columns + " FROM sy_gone",
                            "UPDATE " + gone + " AS sy_g SET " + SetList(false, false, "sy_g") +
                                " FROM " + staged + KeyMatch("sy_g"),
                            "INSERT INTO " + target_.target + " (" + columns +
                                ") OVERRIDING SYSTEM VALUE SELECT " + columns + " FROM " + gone,
                            "DELETE FROM " + gone};
  }

  // Where a row outside has the key, the insert is refused.
  string SwapOwned(const string& rows) const {
    const string sets = SetList(false, false, "sy_t");
    const string update = "UPDATE " + target_.target + " AS sy_t SET " + sets + " FROM (SELECT " +
                          KeyValues() + Values(false) + " FROM " + rows + ") AS sy_s WHERE " +
                          KeyMatch("sy_t") + " AND (" + Different() + ")" +
                          OwnedAmong(target_.owns, "sy_t") + "; ";
    return (sets.empty() ? "" : update) + InsertFrom(rows) + " CROSS JOIN LATERAL (SELECT " +
           KeyValues() + ") AS sy_s WHERE NOT EXISTS (SELECT FROM " + target_.target +
           " AS sy_t WHERE " + KeyMatch("sy_t") + " AND (" + target_.owns + "))";
  }

  void AddExchange(TableWrite* write) const {
    write->gone_table = "sy_gone_" + target_.temp_suffix;
    const string gone = Temp(write->gone_table);
    write->gone_table_ddl = "CREATE TEMP TABLE " + QuoteIdentifier(write->gone_table) +
                            " AS SELECT NULL::int AS sy__ord, " + JoinQuoted(target_.insertable) +
                            " FROM " + target_.target + " WITH NO DATA";
    write->exchange.push_back(
        "WITH sy_gone AS (DELETE FROM " + target_.target +
        " AS sy_t USING (SELECT sy__ord, sy__op, " + KeyValues() + " FROM " +
        OldKeyRow(source_, target_.alias, "'D','U','K'") + ") AS sy_s WHERE " + KeyMatch("sy_t") +
        " RETURNING sy_s.sy__ord, sy_s.sy__op, " + JoinQuoted(target_.insertable, "sy_t.") +
        ") INSERT INTO " + gone + " SELECT sy__ord, " + JoinQuoted(target_.insertable) +
        " FROM sy_gone WHERE sy__op <> 'D'");
    write->exchange.push_back(
        "UPDATE " + gone + " AS sy_g SET " + SetList(true, has_absent_, "sy_g") +
        " FROM (SELECT sy__ord" + Values(true) + ", sy__absent FROM " +
        NewRow(source_, target_.alias, "'U','K'") + ") AS sy_s WHERE sy_g.sy__ord = sy_s.sy__ord");
    write->exchange.push_back("INSERT INTO " + target_.target + " (" +
                              JoinQuoted(target_.insertable) + ") OVERRIDING SYSTEM VALUE SELECT " +
                              JoinQuoted(target_.insertable) + " FROM " + gone);
    write->exchange.push_back("DELETE FROM " + gone);
    write->exchange.push_back(write->insert);
  }

  const SourcePlan& source_;
  const RowLocalTarget& target_;
  vector<const Assignment*> keys_;
  bool has_absent_ = false;
  bool identity_key_ = false;
  bool identity_value_ = false;
};

string ScopeArray(const KeyedTarget& target, size_t i) {
  const string column = QuoteIdentifier(target.scope[i]);
  return "ARRAY(SELECT DISTINCT " + column + " FROM " + Temp("sy_touched_" + target.temp_suffix) +
         " WHERE " + column + " IS NOT NULL)";
}

// `row`.scope is one of the touched scopes, in a form an index serves.
string InTouched(const KeyedTarget& target, const string& row) {
  string test =
      row + "." + QuoteIdentifier(target.scope[0]) + " = ANY(" + ScopeArray(target, 0) + ")";
  if (target.scope.size() > 1) {
    // IS TRUE keeps the planner from turning it into a join: a hashed look-up, whatever the sizes.
    test += " AND ((" + JoinQuoted(target.scope, row + ".") + ") IN (SELECT " +
            JoinQuoted(target.scope) + " FROM " + Temp("sy_touched_" + target.temp_suffix) +
            ")) IS TRUE";
  }
  return test;
}

string Owned(const KeyedTarget& target) {
  return target.owns.empty() ? "" : " AND (" + target.owns + ")";
}

void AddKeyedExchange(const KeyedTarget& target, KeyedPlan* plan) {
  const string gone = Temp("sy_gone_" + target.temp_suffix);
  const string fresh = Temp("sy_new_" + target.temp_suffix);
  plan->temp_ddl.push_back("CREATE TEMP TABLE " + QuoteIdentifier("sy_gone_" + target.temp_suffix) +
                           " AS SELECT " + JoinQuoted(target.insertable) + " FROM " +
                           target.target + " WITH NO DATA");
  const string keep = " RETURNING " + JoinQuoted(target.insertable, "sy_t.") + ") INSERT INTO " +
                      gone + " SELECT " + JoinQuoted(target.insertable) + " FROM sy_gone";
  plan->exchange = {
      "WITH sy_gone AS (DELETE FROM " + target.target + " AS sy_t WHERE " +
          InTouched(target, "sy_t") + Owned(target) + keep,
      "WITH sy_gone AS (DELETE FROM " + target.target + " AS sy_t USING " + fresh +
          " AS sy_n WHERE " + KeyEqual(target.key, "sy_t", "sy_n") +
          OwnedAmong(target.owns, "sy_t") + keep,
      "DELETE FROM " + gone + " AS sy_g WHERE NOT EXISTS (SELECT 1 FROM " + fresh +
          " AS sy_n WHERE " + KeyEqual(target.key, "sy_g", "sy_n") + ")",
      "UPDATE " + gone + " AS sy_g SET " +
          Each(target.columns.size(), ", ",
               [&](size_t i) {
                 const string column = QuoteIdentifier(target.columns[i]);
                 return column + " = sy_n." + column;
               }) +
          " FROM " + fresh + " AS sy_n WHERE " + KeyEqual(target.key, "sy_g", "sy_n"),
      "INSERT INTO " + target.target + " (" + JoinQuoted(target.insertable) +
          ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target.insertable) + " FROM " + gone,
      "INSERT INTO " + target.target + " (" + JoinQuoted(target.columns) +
          ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target.columns) + " FROM " + fresh +
          " AS sy_n WHERE NOT EXISTS (SELECT 1 FROM " + gone + " AS sy_g WHERE " +
          KeyEqual(target.key, "sy_g", "sy_n") + ")",
      "DELETE FROM " + gone,
  };
}

// What other mappings need to know: the rows that changed, as they were and as they will be.
void AddDeltas(const KeyedTarget& target, KeyedPlan* plan) {
  const string fresh = Temp("sy_new_" + target.temp_suffix);
  const string old_name = "sy_old_" + target.temp_suffix;
  const string changed_name = "sy_chg_" + target.temp_suffix;
  const string columns = JoinQuoted(target.columns);
  plan->temp_ddl.push_back("CREATE TEMP TABLE " + QuoteIdentifier(old_name) + " AS SELECT " +
                           columns + " FROM " + target.target + " WITH NO DATA");
  plan->temp_ddl.push_back("CREATE TEMP TABLE " + QuoteIdentifier(changed_name) +
                           " AS SELECT true AS sy__before, " + columns + " FROM " + target.target +
                           " WITH NO DATA");
  const string insert_old =
      "INSERT INTO " + Temp(old_name) + " SELECT " + JoinQuoted(target.columns, "sy_t.") + " FROM ";
  plan->remember = {insert_old + target.target + " AS sy_t WHERE " + InTouched(target, "sy_t"),
                    insert_old + fresh + " AS sy_n JOIN " + target.target + " AS sy_t ON " +
                        KeyEqual(target.key, "sy_t", "sy_n") + " WHERE (" +
                        JoinQuoted(target.key, "sy_t.") + ") NOT IN (SELECT " +
                        JoinQuoted(target.key) + " FROM " + Temp(old_name) + ")"};
  const auto changed = [&](const string& before, const string& in, const string& other) {
    return "INSERT INTO " + Temp(changed_name) + " SELECT " + before + ", " +
           JoinQuoted(target.columns, "sy_a.") + " FROM " + in + " AS sy_a LEFT JOIN " + other +
           " AS sy_b ON " + KeyEqual(target.key, "sy_a", "sy_b") + " WHERE sy_b." +
           QuoteIdentifier(target.key[0]) + " IS NULL OR NOT (" +
           SameImage(target.columns, "sy_a", "sy_b") + ")";
  };
  plan->changes = {changed("true", Temp(old_name), fresh), changed("false", fresh, Temp(old_name))};
  plan->temp_tables.push_back(old_name);
  plan->temp_tables.push_back(changed_name);
  plan->clean.push_back("DELETE FROM " + Temp(old_name));
  plan->clean.push_back("DELETE FROM " + Temp(changed_name));
}

// Rows that are there and differ.
string UpdateFrom(const KeyedTarget& target, const string& fresh) {
  vector<string> sets;
  for (const string& column : target.columns) {
    if (Contains(target.identity_always, column)) continue;
    // The key as well: equal keys need not be identical.
    sets.push_back(QuoteIdentifier(column) + " = sy_n." + QuoteIdentifier(column));
  }
  if (sets.empty()) return "";
  return "UPDATE " + target.target + " AS sy_t SET " + absl::StrJoin(sets, ", ") + " FROM " +
         fresh + " AS sy_n WHERE " + KeyEqual(target.key, "sy_t", "sy_n") + " AND NOT (" +
         SameImage(target.columns, "sy_t", "sy_n") + ")" + OwnedAmong(target.owns, "sy_t");
}

// Rows that are not there. Where a row that the mapping does not own has the key, the database
// refuses it.
string InsertFrom(const KeyedTarget& target, const string& fresh) {
  return "INSERT INTO " + target.target + " (" + JoinQuoted(target.columns) +
         ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target.columns, "sy_n.") + " FROM " +
         fresh + " AS sy_n WHERE NOT EXISTS (SELECT 1 FROM " + target.target + " AS sy_o WHERE " +
         KeyEqual(target.key, "sy_o", "sy_n") + Owned(target) + ")";
}

string TouchInsert(const KeyedTarget& target, const string& touches, const string& rows) {
  const string head = "INSERT INTO " + Temp("sy_touched_" + target.temp_suffix) + " (" +
                      JoinQuoted(target.scope) + ") SELECT DISTINCT ";
  if (LooksLikeQuery(touches)) {
    return head + "sy_q.* FROM " + rows + " CROSS JOIN LATERAL (" + touches + "\n) AS sy_q";
  }
  return head + touches + " FROM " + rows;
}

}  // namespace

string JoinQuoted(const vector<string>& names, std::string_view prefix) {
  return Each(names.size(), ", ",
              [&](size_t i) { return string(prefix) + QuoteIdentifier(names[i]); });
}

void BuildStage(int index, SourcePlan* source) {
  source->stage = "sy_stage_" + std::to_string(index);
  source->stage_ddl = "CREATE TEMP TABLE " + QuoteIdentifier(source->stage) +
                      " (sy__op \"char\" NOT NULL, sy__ord int NOT NULL, sy__absent text";
  for (size_t i = 0; i < source->key.size(); ++i) {
    source->stage_ddl += ", sy__k" + std::to_string(i) + " " + source->columns[source->key[i]].type;
  }
  for (const StageColumn& column : source->columns) {
    source->stage_ddl += ", " + QuoteIdentifier(column.name) + " " + column.type;
  }
  source->stage_ddl += ")";
  source->stage_copy = "COPY " + Temp(source->stage) + " FROM STDIN";
}

TableWrite BuildTableWrite(const SourcePlan& source, const RowLocalTarget& target) {
  return RowLocalBuilder(source, target).Build();
}

KeyedPlan BuildKeyed(const KeyedTarget& target) {
  const string fresh_name = "sy_new_" + target.temp_suffix;
  const string fresh = Temp(fresh_name);
  KeyedPlan plan;
  plan.scope_columns = target.scope;
  for (const char* kind : {"sy_touched_", "sy_new_", "sy_slice_", "sy_gone_"}) {
    plan.temp_tables.push_back(kind + target.temp_suffix);
  }
  plan.touched_table = "sy_touched_" + target.temp_suffix;
  const string touched = Temp(plan.touched_table);
  plan.touch_own = "INSERT INTO " + touched + " SELECT DISTINCT " + JoinQuoted(target.scope) +
                   " FROM " + target.target + (target.owns.empty() ? "" : " WHERE " + target.owns);
  plan.temp_ddl = {
      "CREATE TEMP TABLE " + QuoteIdentifier(plan.touched_table) + " AS SELECT " +
          JoinQuoted(target.scope) + " FROM " + target.target + " WITH NO DATA",
      "CREATE TEMP TABLE " + QuoteIdentifier(fresh_name) + " AS SELECT " +
          JoinQuoted(target.columns) + " FROM " + target.target + " WITH NO DATA",
  };
  plan.compute = "INSERT INTO " + fresh + " (" + JoinQuoted(target.columns) + ") SELECT " +
                 JoinQuoted(target.columns, "sy_v.") + " FROM " + target.view + " AS sy_v WHERE " +
                 InTouched(target, "sy_v");
  const bool scope_is_key = target.scope.size() == 1 && target.key == target.scope;
  // A scope has one row: those that have none any more are found without a look at the target.
  const string vanished = scope_is_key
                              ? "ARRAY(SELECT " + QuoteIdentifier(target.scope[0]) + " FROM " +
                                    touched + " EXCEPT SELECT " + QuoteIdentifier(target.scope[0]) +
                                    " FROM " + fresh + ")"
                              : "";
  plan.vanished =
      scope_is_key
          ? "sy_t." + QuoteIdentifier(target.scope[0]) + " = ANY(" + vanished + ")" + Owned(target)
          : InTouched(target, "sy_t") + Owned(target) + " AND (" + JoinQuoted(target.key, "sy_t.") +
                ") NOT IN (SELECT " + JoinQuoted(target.key) + " FROM " + fresh + ")";
  plan.remove = "DELETE FROM " + target.target + " AS sy_t WHERE " + plan.vanished;
  plan.update = UpdateFrom(target, fresh);
  plan.insert = InsertFrom(target, fresh);
  plan.slice_table = "sy_slice_" + target.temp_suffix;
  const string slice = Temp(plan.slice_table);
  plan.temp_ddl.push_back("CREATE TEMP TABLE " + QuoteIdentifier(plan.slice_table) +
                          " AS SELECT NULL::bigint AS sy__n, " + JoinQuoted(target.scope) +
                          " FROM " + target.target + " WITH NO DATA");
  plan.slice_fill = "INSERT INTO " + slice + " SELECT row_number() OVER (), sy_d.* FROM (SELECT " +
                    "DISTINCT " + JoinQuoted(target.scope) + " FROM " + touched + ") AS sy_d";
  plan.slice_take = "INSERT INTO " + touched + " SELECT " + JoinQuoted(target.scope) + " FROM " +
                    slice + " WHERE sy__n > $1 AND sy__n <= $2";
  plan.scope_json = "SELECT jsonb_build_object(" +
                    Each(target.scope.size(), ", ",
                         [&](size_t i) {
                           return QuoteLiteral(target.scope[i]) + ", " +
                                  QuoteIdentifier(target.scope[i]) + "::text";
                         }) +
                    ") FROM " + slice + " WHERE sy__n = $1";
  plan.clean = {"DELETE FROM " + touched, "DELETE FROM " + fresh};
  if (target.has_readers) AddDeltas(target, &plan);
  AddKeyedExchange(target, &plan);
  plan.view = target.view;
  plan.populate = "INSERT INTO " + target.target + " (" + JoinQuoted(target.columns) +
                  ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target.columns, "sy_v.") +
                  " FROM " + target.view + " AS sy_v";
  plan.explain = "SELECT " + JoinQuoted(target.columns, "sy_v.") +
                 " FROM ({select}\n) AS sy_v WHERE " + InTouched(target, "sy_v");
  for (const string& column : target.identity_always) {
    plan.only_exchange |= !Contains(target.key, column);
  }
  return plan;
}

TouchRule BuildSourceTouch(const SourcePlan& source, int source_index, const string& touches,
                           bool reads_key_only, const KeyedTarget& target) {
  const string alias = QuoteIdentifier(source.alias);
  const string mirror = source.mirror.target + " AS " + alias;
  if (reads_key_only) {  // the stage has it all
    return {.source = source_index,
            .before = TouchInsert(target, touches, OldKeyRow(source, source.alias, "'U','K','D'")),
            .after = TouchInsert(target, touches, NewRow(source, source.alias, "'I','K'")),
            .all = TouchInsert(target, touches, mirror)};
  }
  const auto joined = [&](const string& ops, bool old_key) {
    return "(SELECT " +
           Each(source.key.size(), ", ",
                [&](size_t i) {
                  const string key = "sy__k" + std::to_string(i);
                  return old_key
                             ? key
                             : QuoteIdentifier(source.columns[source.key[i]].name) + " AS " + key;
                }) +
           " FROM " + Temp(source.stage) + " WHERE sy__op IN (" + ops + ")) AS sy_s JOIN " +
           mirror + " ON " + Each(source.key.size(), " AND ", [&](size_t i) {
             return alias + "." + QuoteIdentifier(source.columns[source.key[i]].name) +
                    " = sy_s.sy__k" + std::to_string(i);
           });
  };
  return {.source = source_index,
          .before = TouchInsert(target, touches, joined("'U','K','D'", true)),
          .after = TouchInsert(target, touches, joined("'I','U','K'", false)),
          .all = TouchInsert(target, touches, mirror)};
}

TouchRule BuildKeyedUpstreamTouch(const KeyedTarget& upstream, const string& upstream_alias,
                                  int upstream_index, const string& touches,
                                  const KeyedTarget& target) {
  const auto changed = [&](const string& which) {
    return "(SELECT " + JoinQuoted(upstream.columns) + " FROM " +
           Temp("sy_chg_" + upstream.temp_suffix) + " WHERE " + which + ") AS " +
           QuoteIdentifier(upstream_alias);
  };
  return {.upstream = upstream_index,
          .before = TouchInsert(target, touches, changed("sy__before")),
          .after = TouchInsert(target, touches, changed("NOT sy__before")),
          .all = TouchInsert(target, touches,
                             upstream.target + " AS " + QuoteIdentifier(upstream_alias))};
}

TouchRule BuildRowLocalUpstreamTouch(const SourcePlan& source, const RowLocalTarget& upstream,
                                     const string& upstream_alias, int upstream_index,
                                     const string& touches, const KeyedTarget& target) {
  vector<const Assignment*> keys;
  for (const Assignment& a : upstream.assignments) {
    if (a.in_key) keys.push_back(&a);
  }
  const auto joined = [&](const string& rows) {
    return "(SELECT " +
           Each(keys.size(), ", ",
                [&](size_t i) { return "(" + keys[i]->sql + ") AS sy__t" + std::to_string(i); }) +
           " FROM " + rows + ") AS sy_s JOIN " + upstream.target + " AS " +
           QuoteIdentifier(upstream_alias) + " ON " + Each(keys.size(), " AND ", [&](size_t i) {
             return QuoteIdentifier(upstream_alias) + "." + QuoteIdentifier(keys[i]->column) +
                    " = sy_s.sy__t" + std::to_string(i);
           });
  };
  return {
      .upstream = upstream_index,
      .before =
          TouchInsert(target, touches, joined(OldKeyRow(source, upstream.alias, "'D','U','K'"))),
      .after = TouchInsert(target, touches, joined(NewRow(source, upstream.alias, "'I','U','K'"))),
      .all =
          TouchInsert(target, touches, upstream.target + " AS " + QuoteIdentifier(upstream_alias))};
}

string BuildLoad(const TableWrite& write, const string& load_table) {
  return absl::StrReplaceAll(write.load, {{"{load}", load_table}});
}

}  // namespace switchyard::mapping
