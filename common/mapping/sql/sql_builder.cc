// By example: orders(id, customer_id, cents) from OLD's orders(id, customer, total, memo), with
// `copy: orders`, `set: {customer_id: customer, cents: (total * 100)::bigint}`. The batch's rows
// stand in sy_stage_0 under OLD's names, with sy__op and the key before the change as sy__k0.
//
//   remove   DELETE FROM orders AS sy_t USING (SELECT (id) AS sy__t0 FROM
//              (SELECT sy__k0 AS id FROM sy_stage_0 WHERE sy__op IN ('D')) AS orders) AS sy_s
//              WHERE sy_t.id = sy_s.sy__t0
//   update   UPDATE orders AS sy_t SET customer_id = sy_s.sy__v1, cents = sy_s.sy__v2 FROM
//              (SELECT (id) AS sy__t0, (customer) AS sy__v1, ((total * 100)::bigint) AS sy__v2
//               FROM sy_stage_0 AS orders WHERE orders.sy__op IN ('U')) AS sy_s WHERE ...
//   move     the same for 'K', the target's row being found by sy__k0
//   insert   INSERT INTO orders (...) SELECT id, customer, ... FROM sy_stage_0 AS orders WHERE 'I'
//
// The mapping's own SQL stands over an alias with OLD's name, so it reads as it is written. Where
// unique values pass from row to row the four are one `take_out`: rows are taken out into
// sy_taken_, changed there and put back.
#include "common/mapping/sql/sql_builder.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_join.h"
#include "common/base/sql_text.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_pieces.h"

namespace switchyard::mapping {
namespace {

using std::string;
using std::vector;

enum class Columns { kNotKeys, kAll };
// Whether a change may leave out values that did not change.
enum class Sent { kAll, kSome };

class RowLocalBuilder {
 public:
  RowLocalBuilder(const SourcePlan& source, const RowLocalTarget& target)
      : source_(source), target_(target) {
    for (const Assignment& a : target.assignments) {
      if (a.in_key) keys_.push_back(&a);
      if (a.plain >= 0 && source.columns[a.plain].toastable) sent_ = Sent::kSome;
      (a.in_key ? identity_key_ : identity_value_) |= a.identity_always;
    }
  }

  TableWrite Build() const {
    TableWrite write{.target = target_.target, .display = target_.display};
    write.remove = "DELETE FROM " + target_.target + " AS sy_t USING (SELECT " + KeyValues() +
                   " FROM " + OldKeyRow(source_, target_.alias, "'D'") + ") AS sy_s WHERE " +
                   KeyMatch("sy_t") + OwnedAmong(target_.owns, "sy_t");
    write.update = Update(Sent::kAll);
    write.update_absent = sent_ == Sent::kSome ? Update(Sent::kSome) : write.update;
    write.update_skips_equal = SkipsEqual();
    write.skips_still = target_.skips_still;
    write.missing_updated = Missing("'U'");
    write.missing_changed = Missing("'U','K'");
    write.missing_removed = Missing("'D'");
    write.missing = Missing("'U','K','D'");
    write.missing_rows = Missing("'U','K','D'", "sy__ord");
    write.move = Move();
    write.insert = InsertFrom(NewRow(source_, target_.alias, "'I'"));
    AddCopyIn(&write);
    AddTakeOut(&write);
    write.take_out_moves = identity_key_ || identity_value_;
    write.take_out_updates = identity_value_;
    write.truncate = write.clear =
        "DELETE FROM " + target_.target + (target_.owns.empty() ? "" : " WHERE " + target_.owns);
    AddSwap(&write);
    AddSwapTakeOut(&write);
    AddWritten(&write);
    write.load = InsertFrom("{load} AS " + QuoteIdentifier(target_.alias));
    write.rows = "SELECT " +
                 Each(target_.assignments.size(), ", ",
                      [&](size_t i) {
                        const Assignment& a = target_.assignments[i];
                        return "(" + a.sql + ") AS " + QuoteIdentifier(a.column);
                      }) +
                 " FROM {load} AS " + QuoteIdentifier(target_.alias);
    return write;
  }

 private:
  string KeyValues() const { return mapping::KeyValues(keys_); }
  string KeyMatch(const string& row) const {
    return mapping::KeyMatch(keys_, target_.operators, row);
  }
  string Values(Columns columns) const {
    string out;
    for (size_t i = 0; i < target_.assignments.size(); ++i) {
      const Assignment& a = target_.assignments[i];
      if (a.in_key && columns == Columns::kNotKeys) continue;
      out += ", (" + a.sql + ") AS sy__v" + std::to_string(i);
    }
    return out;
  }
  string SetList(Columns columns, Sent sent, const string& old_row) const {
    vector<string> sets;
    for (size_t i = 0; i < target_.assignments.size(); ++i) {
      const Assignment& a = target_.assignments[i];
      if ((a.in_key && columns == Columns::kNotKeys) || (a.identity_always && old_row == "sy_t"))
        continue;
      const string value = "sy_s.sy__v" + std::to_string(i);
      const string test = sent == Sent::kSome ? AbsentTest(source_, a.plain, "sy_s") : "";
      const string column = QuoteIdentifier(a.column);
      sets.push_back(column + " = " +
                     (test.empty() ? value
                                   : "CASE WHEN " + test + " THEN " + old_row + "." + column +
                                         " ELSE " + value + " END"));
    }
    return absl::StrJoin(sets, ", ");
  }

  string Update(Sent sent) const {
    const string sets = SetList(Columns::kNotKeys, sent, "sy_t");
    if (sets.empty()) return "";
    return "UPDATE " + target_.target + " AS sy_t SET " + sets + " FROM (SELECT " + KeyValues() +
           Values(Columns::kNotKeys) + (sent == Sent::kSome ? ", sy__absent" : "") + " FROM " +
           NewRow(source_, target_.alias, "'U'") + Moved(target_.skips_still ? 1 : 0, "") +
           ") AS sy_s WHERE " + KeyMatch("sy_t") +
           (sent == Sent::kAll && SkipsEqual() ? " AND (" + Different() + ")" : "");
  }

  string Missing(const string& ops, const string& what = "count(*)") const {
    return "SELECT " + what + " FROM (SELECT sy__ord, " + KeyValues() + " FROM " +
           OldKeyRow(source_, target_.alias, ops) + ") AS sy_s WHERE NOT EXISTS (SELECT FROM " +
           target_.target + " AS sy_t WHERE " + KeyMatch("sy_t") + ")";
  }

  // The target takes some of the columns only, as they are: often none of those has changed.
  bool SkipsEqual() const {
    if (target_.skips_still) return false;
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

  // Both keys from one row of the stage: to bring them together by a join costs their square.
  string Move() const {
    const string sets = SetList(Columns::kAll, sent_, "sy_t");
    if (sets.empty()) return "";
    const string alias = QuoteIdentifier(target_.alias);
    const string old_keys = Each(source_.key.size(), ", ", [&](size_t i) {
      return "sy_r.sy__k" + std::to_string(i) + " AS " +
             QuoteIdentifier(source_.columns[source_.key[i]].name);
    });
    return "UPDATE " + target_.target + " AS sy_t SET " + sets + " FROM " + Temp(source_.stage) +
           " AS sy_r CROSS JOIN LATERAL (SELECT " + KeyValues() + " FROM (SELECT " + old_keys +
           ") AS " + alias + ") AS sy_s0 CROSS JOIN LATERAL (SELECT " +
           Values(Columns::kAll).substr(2) + ", sy__absent FROM (SELECT sy_r.*) AS " + alias +
           ") AS sy_s WHERE sy_r.sy__op = 'K'" + Each(keys_.size(), "", [&](size_t i) {
             return " AND sy_t." + QuoteIdentifier(keys_[i]->column) +
                    EqualSign(target_.operators, keys_[i]->column) + "sy_s0.sy__t" +
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
    write->swap_upsert_plain = SwapPlain(rows);
    write->swap_upsert =
        !target_.owns.empty()
            ? write->swap_upsert_plain
            : InsertFrom(rows) + " ON CONFLICT (" + JoinQuoted(keys) + ") DO " +
                  (sets.empty() ? "NOTHING"
                                : "UPDATE SET " + absl::StrJoin(sets, ", ") + " WHERE NOT (" +
                                      SameImage(columns, target_.target, "excluded") + ")");
  }

  // Columns that no mapping fills stay as they are.
  void AddSwapTakeOut(TableWrite* write) const {
    const string different = Different();
    if (different.empty()) return;
    const string taken = Temp(write->taken_table);
    const string staged = "(SELECT " + KeyValues() + Values(Columns::kNotKeys) +
                          " FROM {load} AS " + QuoteIdentifier(target_.alias) + ") AS sy_s WHERE ";
    const string columns = JoinQuoted(target_.insertable);
    write->swap_take_out = {
        "WITH sy_taken AS (DELETE FROM " + target_.target + " AS sy_t USING " + staged +
            KeyMatch("sy_t") + " AND (" + different + ")" + OwnedAmong(target_.owns, "sy_t") +
            " RETURNING " + JoinQuoted(target_.insertable, "sy_t.") + ") INSERT INTO " + taken +
            " SELECT NULL, " + columns + " FROM sy_taken",
        "UPDATE " + taken + " AS sy_g SET " + SetList(Columns::kNotKeys, Sent::kAll, "sy_g") +
            " FROM " + staged + KeyMatch("sy_g"),
        "INSERT INTO " + target_.target + " (" + columns + ") OVERRIDING SYSTEM VALUE SELECT " +
            columns + " FROM " + taken,
        "DELETE FROM " + taken};
  }

  // Where a row outside has the key, the insert is refused.
  string SwapPlain(const string& rows) const {
    const string sets = SetList(Columns::kNotKeys, Sent::kAll, "sy_t");
    const string update = "UPDATE " + target_.target + " AS sy_t SET " + sets + " FROM (SELECT " +
                          KeyValues() + Values(Columns::kNotKeys) + " FROM " + rows +
                          ") AS sy_s WHERE " + KeyMatch("sy_t") + " AND (" + Different() + ")" +
                          OwnedAmong(target_.owns, "sy_t") + "; ";
    return (sets.empty() ? "" : update) + InsertFrom(rows) + " CROSS JOIN LATERAL (SELECT " +
           KeyValues() + ") AS sy_s WHERE NOT EXISTS (SELECT FROM " + target_.target +
           " AS sy_t WHERE " + KeyMatch("sy_t") +
           (target_.owns.empty() ? ")" : " AND (" + target_.owns + "))");
  }

  void AddTakeOut(TableWrite* write) const {
    write->taken_table = "sy_taken_" + target_.temp_suffix;
    const string taken = Temp(write->taken_table);
    write->taken_table_ddl = "CREATE TEMP TABLE " + QuoteIdentifier(write->taken_table) +
                             " AS SELECT NULL::int AS sy__ord, " + JoinQuoted(target_.insertable) +
                             " FROM " + target_.target + " WITH NO DATA";
    write->take_out.push_back(
        "WITH sy_taken AS (DELETE FROM " + target_.target +
        " AS sy_t USING (SELECT sy__ord, sy__op, " + KeyValues() + " FROM " +
        OldKeyRow(source_, target_.alias, "'D','U','K'") + ") AS sy_s WHERE " + KeyMatch("sy_t") +
        OwnedAmong(target_.owns, "sy_t") + " RETURNING sy_s.sy__ord, sy_s.sy__op, " +
        JoinQuoted(target_.insertable, "sy_t.") + ") INSERT INTO " + taken + " SELECT sy__ord, " +
        JoinQuoted(target_.insertable) + " FROM sy_taken WHERE sy__op <> 'D'");
    write->take_out.push_back(
        "UPDATE " + taken + " AS sy_g SET " + SetList(Columns::kAll, sent_, "sy_g") +
        " FROM (SELECT sy__ord" + Values(Columns::kAll) + ", sy__absent FROM " +
        NewRow(source_, target_.alias, "'U','K'") + ") AS sy_s WHERE sy_g.sy__ord = sy_s.sy__ord");
    write->take_out.push_back("INSERT INTO " + target_.target + " (" +
                              JoinQuoted(target_.insertable) + ") OVERRIDING SYSTEM VALUE SELECT " +
                              JoinQuoted(target_.insertable) + " FROM " + taken);
    write->take_out.push_back("DELETE FROM " + taken);
    write->take_out.push_back(write->insert);
  }

  string Count(const string& rows) const { return "(SELECT count(*) FROM " + rows + ")"; }
  // Of a table of rows sy_s: those whose key the target has not.
  string NotThere(const string& ops) const {
    return Count("(SELECT " + KeyValues() + " FROM " + NewRow(source_, target_.alias, ops) +
                 ") AS sy_s WHERE NOT EXISTS (SELECT FROM " + target_.target + " AS sy_t WHERE " +
                 KeyMatch("sy_t") + ")");
  }
  // Equal keys need not be identical, and an identity is never set: these are not looked at.
  void AddWritten(TableWrite* write) const {
    vector<string> keys, values;
    for (const Assignment& a : target_.assignments) {
      if (a.in_key) keys.push_back(a.column);
      if (!a.in_key && !a.identity_always) values.push_back(a.column);
    }
    const string taken = Temp(write->taken_table);
    const auto take = [&](const string& ord, const string& absent, Sent sent, const string& rows) {
      string sql = "INSERT INTO " + taken + " (sy__ord, " + JoinQuoted(keys);
      string from =
          " SELECT " + (ord.empty() ? "NULL" : "sy_s." + ord) + ", " + JoinQuoted(keys, "sy_t.");
      for (size_t i = 0; i < target_.assignments.size(); ++i) {
        const Assignment& a = target_.assignments[i];
        if (a.in_key || a.identity_always) continue;
        const string value = "sy_s.sy__v" + std::to_string(i);
        const string test = sent == Sent::kSome ? AbsentTest(source_, a.plain, "sy_s") : "";
        const string column = QuoteIdentifier(a.column);
        sql += ", " + column;
        from += ", " + (test.empty() ? value
                                     : "CASE WHEN " + test + " THEN sy_t." + column + " ELSE " +
                                           value + " END");
      }
      return sql + ")" + from + " FROM (SELECT " + (ord.empty() ? "" : ord + ", ") + KeyValues() +
             Values(Columns::kNotKeys) + absent + " FROM " + rows + ") AS sy_s JOIN " +
             target_.target + " AS sy_t ON " + KeyMatch("sy_t");
    };
    const string same = values.empty() ? "true" : SameImage(values, "sy_g", "sy_t");
    const string held = taken + " AS sy_g JOIN " + target_.target + " AS sy_t ON " +
                        KeyEqual(keys, target_.operators, "sy_g", "sy_t");
    const string rows = "{load} AS " + QuoteIdentifier(target_.alias);
    write->written_take =
        take("sy__ord", ", sy__absent", sent_, NewRow(source_, target_.alias, "'I','U','K'"));
    write->written_count =
        "SELECT " + NotThere("'I'") + ", " + NotThere("'U','K'") + ", " +
        Count(held + " WHERE NOT (" + same + ")") + ", " +
        Count("(SELECT " + KeyValues() + " FROM " + OldKeyRow(source_, target_.alias, "'D','K'") +
              ") AS sy_s JOIN " + target_.target + " AS sy_t ON " + KeyMatch("sy_t") +
              " WHERE NOT EXISTS (SELECT FROM (SELECT " + KeyValues() + " FROM " +
              NewRow(source_, target_.alias, "'I','U','K'") + ") AS sy_s WHERE " +
              KeyMatch("sy_t") + ")" + OwnedAmong(target_.owns, "sy_t"));
    write->loaded_take = take("", "", Sent::kAll, rows);
    write->loaded_count = "SELECT " + Count("{load}") + ", " + Count(held + " WHERE " + same);
    write->swapped_left = "SELECT count(*) FROM " + target_.target +
                          " AS sy_t WHERE NOT EXISTS (SELECT FROM (SELECT " + KeyValues() +
                          " FROM " + rows + ") AS sy_s WHERE " + KeyMatch("sy_t") + ")" +
                          OwnedAmong(target_.owns, "sy_t");
    write->cleared_left = "SELECT count(*) FROM " + target_.target +
                          (target_.owns.empty() ? "" : " WHERE " + target_.owns);
  }

  const SourcePlan& source_;
  const RowLocalTarget& target_;
  vector<const Assignment*> keys_;
  Sent sent_ = Sent::kAll;
  bool identity_key_ = false;
  bool identity_value_ = false;
};

}  // namespace

string JoinQuoted(const vector<string>& names, std::string_view prefix) {
  return Each(names.size(), ", ",
              [&](size_t i) { return string(prefix) + QuoteIdentifier(names[i]); });
}

void BuildStage(const string& suffix, SourcePlan* source) {
  source->stage = "sy_stage_" + suffix;
  source->saved_stage = "sy_saved_" + suffix;
  source->entry_stage = "sy_entry_" + suffix;
  source->stage_ddl = "CREATE TEMP TABLE " + QuoteIdentifier(source->stage) +
                      " (sy__op \"char\" NOT NULL, sy__ord int NOT NULL, sy__absent text";
  for (size_t i = 0; i < source->key.size(); ++i) {
    source->stage_ddl += ", sy__k" + std::to_string(i) + " " + source->columns[source->key[i]].type;
  }
  for (const StageColumn& column : source->columns) {
    source->stage_ddl += ", " + QuoteIdentifier(column.name) + " " + column.type;
  }
  source->stage_ddl += source->mirrored ? ", sy__still bigint)" : ")";
  source->stage_copy = "COPY " + Temp(source->stage) + " (sy__op, sy__ord, sy__absent";
  for (size_t i = 0; i < source->key.size(); ++i)
    absl::StrAppend(&source->stage_copy, ", sy__k", i);
  for (const StageColumn& column : source->columns) {
    source->stage_copy += ", " + QuoteIdentifier(column.name);
  }
  source->stage_copy += ") FROM STDIN";
}

string BuildNoteStill(const SourcePlan& source, const string& mirror,
                      const vector<vector<int>>& sets) {
  vector<string> same;
  for (const vector<int>& set : sets) {
    vector<string> before, now;
    for (const int column : set) {
      const string name = QuoteIdentifier(source.columns[column].name);
      const string absent = AbsentTest(source, column, "sy_s");
      before.push_back("sy_t." + name);
      now.push_back(absent.empty() ? "sy_s." + name
                                   : "CASE WHEN " + absent + " THEN sy_t." + name + " ELSE sy_s." +
                                         name + " END");
    }
    same.push_back(set.empty() ? "true"
                               : "ROW(" + absl::StrJoin(before, ", ") + ")::record *= ROW(" +
                                     absl::StrJoin(now, ", ") + ")::record");
  }
  const string bits = Each(same.size(), " | ", [&](size_t i) {
    return absl::StrCat("CASE WHEN ", same[i], " THEN ", int64_t{1} << i,
                        "::bigint ELSE 0::bigint END");
  });
  const string key = Each(source.key.size(), " AND ", [&](size_t i) {
    const StageColumn& column = source.columns[source.key[i]];
    const string name = QuoteIdentifier(column.name);
    return "sy_t." + name + " " + column.equals + " sy_s." + name;
  });
  // Whoever changes nothing of all that is looked at changes nothing of some of it.
  return "UPDATE " + Temp(source.stage) + " AS sy_s SET sy__still = " + bits + " FROM " + mirror +
         " AS sy_t WHERE sy_s.sy__op = 'U' AND " + key + " AND (" + absl::StrJoin(same, " OR ") +
         ")";
}

TableWrite BuildTableWrite(const SourcePlan& source, const RowLocalTarget& target) {
  return RowLocalBuilder(source, target).Build();
}

TableWrite BuildSourceRows(const SourcePlan& source, const string& table, const string& display,
                           const string& temp_suffix) {
  RowLocalTarget target{
      .target = table, .display = display, .alias = source.alias, .temp_suffix = temp_suffix};
  for (size_t i = 0; i < source.columns.size(); ++i) {
    const string& name = source.columns[i].name;
    target.insertable.push_back(name);
    target.assignments.push_back(
        {.column = name,
         .sql = QuoteIdentifier(name),
         .plain = static_cast<int>(i),
         .in_key = std::ranges::count(source.key, static_cast<int>(i)) > 0});
    if (source.columns[i].equals != "=") target.operators[name] = source.columns[i].equals;
  }
  return BuildTableWrite(source, target);
}

string BuildLoad(const TableWrite& write, const string& load_table) {
  return ReplaceInSql(write.load, "{load}", load_table);
}

}  // namespace switchyard::mapping
