// By example, with orders.customer_id REFERENCES customers: in OLD, one transaction
//   UPDATE orders SET customer = 8 WHERE customer = 7; DELETE FROM customers WHERE id = 7
// NEW is written parents first, so customer 7 can't go where its delete is met:
//
//   customers  note    INSERT INTO sy_leaving_m0 SELECT key FROM the stage's 'D' and 'K'
//              keep    keys that the batch inserts again are taken from it
//   orders     update  customer_id = 8
//   customers  the rows noted are deleted now that nothing refers to them (late_refusals.h: those
//              that something still refers to are refused, with all that belongs to them)
//
// A changed key is a noted row and a fresh one (take_moved, moved_insert); a fresh row under a key
// that was noted takes the old row's place by UPDATE (fresh_update): children need not move.
#include "common/mapping/sql/ordered_sql.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_pieces.h"

namespace switchyard::mapping {
namespace {

using std::string;
using std::vector;

// True of every row, once all rows of sy_out are there: nothing is put back before all was taken.
constexpr char kAllTakenOut[] = "(SELECT count(*) FROM sy_out) >= 0";

void AddBarredTable(const string& suffix, const vector<string>& identity, const string& target,
                    OrderedSql* sql) {
  sql->barred_table = "sy_bar_" + suffix;
  sql->barred_ddl = "CREATE TEMP TABLE " + QuoteIdentifier(sql->barred_table) +
                    " ON COMMIT DROP AS SELECT NULL::bigint AS sy__n, " + JoinQuoted(identity) +
                    " FROM " + target + " WITH NO DATA";
}

// Looked up by key: of the rows that go, and of those that come, there may be many.
string LeavingTableDdl(const string& table, const vector<string>& key, const string& target) {
  return "CREATE TEMP TABLE IF NOT EXISTS " + QuoteIdentifier(table) + " AS SELECT " +
         JoinQuoted(key) + " FROM " + target + " WITH NO DATA; CREATE INDEX IF NOT EXISTS " +
         QuoteIdentifier(table + "_key") + " ON " + Temp(table) + " (" + JoinQuoted(key) + ")";
}

class OrderedWriteBuilder {
 public:
  OrderedWriteBuilder(const SourcePlan& source, const RowLocalTarget& target,
                      const TableWrite& write)
      : source_(source), target_(target), write_(write) {
    for (const Assignment& a : target.assignments) {
      if (a.in_key) {
        keys_.push_back(&a);
        key_columns_.push_back(a.column);
      }
    }
  }

  OrderedSql Build() const {
    OrderedSql sql{.leaving_table = "sy_leaving_" + target_.temp_suffix};
    const string leaving = Temp(sql.leaving_table);
    const string& table = target_.target;
    const string note = "INSERT INTO " + leaving + " SELECT ";
    const string own_keys = JoinQuoted(key_columns_, "sy_t.") + " FROM " + table + " AS sy_t";
    sql.leaving_table_ddl = LeavingTableDdl(sql.leaving_table, key_columns_, table);
    sql.note = note + StagedKeys() + " FROM " + OldKeys("'D','K'");
    sql.note_deleted = note + StagedKeys() + " FROM " + OldKeys("'D'");
    sql.note_all = note + own_keys + (target_.owns.empty() ? "" : " WHERE " + target_.owns);
    sql.note_swap = note + own_keys + " WHERE NOT EXISTS (SELECT FROM (SELECT " + KeyValues() +
                    " FROM {load} AS " + QuoteIdentifier(target_.alias) + ") AS sy_s WHERE " +
                    KeyMatch("sy_t") + ")" +
                    (target_.owns.empty() ? "" : " AND (" + target_.owns + ")");
    sql.keep = "DELETE FROM " + leaving + " AS sy_l USING " + NewKeys("'I','K'") + " WHERE " +
               KeyMatch("sy_l");
    sql.take_moved = Take("'K'");
    sql.take_changed = Take("'U','K'");
    AddBarred(&sql);
    AddMoved(leaving, &sql);
    AddFresh(leaving, &sql);
    sql.take_out = TakeOut("SELECT " + JoinQuoted(key_columns_) + " FROM " + leaving +
                           " AS sy_l WHERE EXISTS (SELECT FROM " + NewKeys("'I','K'") + " WHERE " +
                           KeyMatch("sy_l") + ")");
    sql.take_out_all = TakeOut("SELECT " + JoinQuoted(key_columns_) + " FROM " + leaving);
    return sql;
  }

 private:
  string KeyValues() const { return mapping::KeyValues(keys_); }
  string KeyMatch(const string& row) const {
    return mapping::KeyMatch(keys_, target_.operators, row);
  }
  string StagedKeys() const {
    return Each(keys_.size(), ", ", [](size_t i) { return "sy_s.sy__t" + std::to_string(i); });
  }
  string OldKeys(const string& ops) const {
    return "(SELECT sy__ord, " + KeyValues() + " FROM " + OldKeyRow(source_, target_.alias, ops) +
           ") AS sy_s";
  }
  string NewKeys(const string& ops) const {
    return "(SELECT " + KeyValues() + " FROM " + NewRow(source_, target_.alias, ops) + ") AS sy_s";
  }
  // The inserted rows: keys and every assigned value.
  string Fresh() const {
    return "(SELECT " + KeyValues() + ", " +
           Each(target_.assignments.size(), ", ",
                [&](size_t i) {
                  return "(" + target_.assignments[i].sql + ") AS sy__v" + std::to_string(i);
                }) +
           " FROM " + NewRow(source_, target_.alias, "'I'") + ") AS sy_s";
  }
  string InsertFresh(const string& condition) const {
    vector<string> columns;
    for (const Assignment& a : target_.assignments) columns.push_back(a.column);
    return "INSERT INTO " + target_.target + " (" + JoinQuoted(columns) +
           ") OVERRIDING SYSTEM VALUE SELECT " +
           Each(columns.size(), ", ", [](size_t i) { return "sy_s.sy__v" + std::to_string(i); }) +
           " FROM " + Fresh() + " WHERE " + condition;
  }
  string InsertTaken() const {
    return "INSERT INTO " + target_.target + " (" + JoinQuoted(target_.insertable) +
           ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target_.insertable, "sy_g.") +
           " FROM " + Temp(write_.taken_table) + " AS sy_g WHERE ";
  }

  string Take(const string& ops) const {
    return "INSERT INTO " + Temp(write_.taken_table) + " SELECT sy_s.sy__ord, " +
           JoinQuoted(target_.insertable, "sy_t.") + " FROM " + OldKeys(ops) + " JOIN " +
           target_.target + " AS sy_t ON " + KeyMatch("sy_t");
  }

  void AddBarred(OrderedSql* sql) const {
    AddBarredTable(target_.temp_suffix, key_columns_, target_.target, sql);
    sql->barred = "SELECT DISTINCT sy_s.sy__ord, sy_b.sy__n FROM (SELECT sy__ord, " + KeyValues() +
                  " FROM " + OldKeyRow(source_, target_.alias, "'D','U','K'") +
                  " UNION ALL SELECT sy__ord, " + KeyValues() + " FROM " +
                  NewRow(source_, target_.alias, "'I','K'") + ") AS sy_s JOIN " +
                  Temp(sql->barred_table) + " AS sy_b ON " + KeyMatch("sy_b");
  }

  void AddMoved(const string& leaving, OrderedSql* sql) const {
    vector<string> sets;
    for (const string& name : target_.insertable) {
      const auto always = std::ranges::find_if(target_.assignments, [&](const Assignment& a) {
        return a.column == name && a.identity_always;
      });
      if (always != target_.assignments.end()) continue;
      sets.push_back(QuoteIdentifier(name) + " = sy_g." + QuoteIdentifier(name));
    }
    const string noted = "(SELECT FROM " + leaving + " AS sy_l WHERE " +
                         KeyEqual(key_columns_, target_.operators, "sy_l", "sy_g") + ")";
    if (!sets.empty()) {
      sql->moved_update = "UPDATE " + target_.target + " AS sy_t SET " + absl::StrJoin(sets, ", ") +
                          " FROM " + Temp(write_.taken_table) + " AS sy_g WHERE " +
                          KeyEqual(key_columns_, target_.operators, "sy_t", "sy_g") +
                          " AND EXISTS " + noted;
    }
    sql->moved_insert = InsertTaken() + "NOT EXISTS (SELECT FROM " + leaving + " AS sy_l JOIN " +
                        target_.target + " AS sy_t ON " +
                        KeyEqual(key_columns_, target_.operators, "sy_t", "sy_l") + " WHERE " +
                        KeyEqual(key_columns_, target_.operators, "sy_l", "sy_g") + ")";
  }

  void AddFresh(const string& leaving, OrderedSql* sql) const {
    vector<string> sets;
    for (size_t i = 0; i < target_.assignments.size(); ++i) {
      const Assignment& a = target_.assignments[i];
      if (!a.in_key && !a.identity_always) {
        sets.push_back(QuoteIdentifier(a.column) + " = sy_s.sy__v" + std::to_string(i));
      }
    }
    if (!sets.empty()) {
      sql->fresh_update = "UPDATE " + target_.target + " AS sy_t SET " + absl::StrJoin(sets, ", ") +
                          " FROM " + Fresh() + " WHERE " + KeyMatch("sy_t") +
                          " AND EXISTS (SELECT FROM " + leaving + " AS sy_l WHERE " +
                          KeyMatch("sy_l") + ")";
    }
    sql->fresh_insert =
        InsertFresh("NOT EXISTS (SELECT FROM " + leaving + " AS sy_l JOIN " + target_.target +
                    " AS sy_t ON " + KeyEqual(key_columns_, target_.operators, "sy_t", "sy_l") +
                    " WHERE " + KeyMatch("sy_l") + ")");
  }

  // `noted`: keys of rows to take out besides the updated ones.
  string TakeOut(const string& noted) const {
    return "WITH sy_out AS (DELETE FROM " + target_.target + " AS sy_t USING (SELECT " +
           Each(keys_.size(), ", ",
                [&](size_t i) {
                  return "sy_s.sy__t" + std::to_string(i) + " AS " +
                         QuoteIdentifier(key_columns_[i]);
                }) +
           " FROM " + OldKeys("'U'") + " UNION ALL " + noted + ") AS sy_k WHERE " +
           KeyEqual(key_columns_, target_.operators, "sy_t", "sy_k") +
           " RETURNING 1), sy_put AS (" + InsertTaken() + kAllTakenOut + ") " +
           InsertFresh(kAllTakenOut);
  }

  const SourcePlan& source_;
  const RowLocalTarget& target_;
  const TableWrite& write_;
  vector<const Assignment*> keys_;
  vector<string> key_columns_;
};

// Taken out: rows that differ, and `noted`; put back: what the recompute gave.
string KeyedTakeOut(const KeyedTarget& target, const string& noted) {
  const string fresh = Temp("sy_new_" + target.temp_suffix);
  const string owned =
      target.owns.empty() ? "" : " AND (SELECT " + target.owns + " FROM (SELECT sy_t.*) AS sy_w)";
  const string owned_old = target.owns.empty() ? "" : " AND (" + target.owns + ")";
  const auto put_back = [&](const string& name) {
    const bool mapped = std::ranges::count(target.columns, name) > 0;
    return (mapped ? "sy_n." : "sy_o.") + QuoteIdentifier(name);
  };
  return "WITH sy_out AS (DELETE FROM " + target.target + " AS sy_t USING (SELECT " +
         JoinQuoted(target.key, "sy_n.") + " FROM " + fresh + " AS sy_n JOIN " + target.target +
         " AS sy_o ON " + KeyEqual(target.key, target.operators, "sy_n", "sy_o") + " WHERE NOT (" +
         SameImage(target.columns, "sy_n", "sy_o") + ")" + noted + ") AS sy_k WHERE " +
         KeyEqual(target.key, target.operators, "sy_t", "sy_k") + owned + " RETURNING " +
         JoinQuoted(target.insertable, "sy_t.") + "), sy_put AS (INSERT INTO " + target.target +
         " (" + JoinQuoted(target.insertable) + ") OVERRIDING SYSTEM VALUE SELECT " +
         Each(target.insertable.size(), ", ",
              [&](size_t i) { return put_back(target.insertable[i]); }) +
         " FROM " + fresh + " AS sy_n JOIN sy_out AS sy_o ON " +
         KeyEqual(target.key, target.operators, "sy_n", "sy_o") + " WHERE " + kAllTakenOut +
         ") INSERT INTO " + target.target + " (" + JoinQuoted(target.columns) +
         ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target.columns, "sy_n.") + " FROM " +
         fresh + " AS sy_n WHERE NOT EXISTS (SELECT FROM " + target.target + " AS sy_o WHERE " +
         KeyEqual(target.key, target.operators, "sy_o", "sy_n") + owned_old + ") AND " +
         kAllTakenOut;
}

}  // namespace

OrderedSql BuildOrderedWrite(const SourcePlan& source, const RowLocalTarget& target,
                             const TableWrite& write) {
  return OrderedWriteBuilder(source, target, write).Build();
}

OrderedSql BuildOrderedKeyed(const KeyedTarget& target, const KeyedPlan& keyed) {
  OrderedSql sql{.leaving_table = "sy_leaving_" + target.temp_suffix};
  const string leaving = Temp(sql.leaving_table);
  sql.leaving_table_ddl = LeavingTableDdl(sql.leaving_table, target.key, target.target);
  sql.held = HeldBesides(target, " AND NOT EXISTS (SELECT FROM " + leaving + " AS sy_l WHERE " +
                                     KeyEqual(target.key, target.operators, "sy_l", "sy_t") + ")");
  sql.note = "INSERT INTO " + leaving + " SELECT " + JoinQuoted(target.key, "sy_t.") + " FROM " +
             target.target + " AS sy_t WHERE " + keyed.vanished;
  sql.keep = "DELETE FROM " + leaving + " AS sy_l USING " + Temp("sy_new_" + target.temp_suffix) +
             " AS sy_n WHERE " + KeyEqual(target.key, target.operators, "sy_l", "sy_n");
  AddBarredTable(target.temp_suffix, target.scope, target.target, &sql);
  sql.barred = "SELECT DISTINCT sy_s.sy__n, sy_b.sy__n FROM " + Temp(keyed.slice_table) +
               " AS sy_s JOIN " + Temp(sql.barred_table) + " AS sy_b ON " +
               KeyEqual(target.scope, target.operators, "sy_s", "sy_b");
  sql.take_out = KeyedTakeOut(target, "");
  sql.take_out_all =
      KeyedTakeOut(target, " UNION ALL SELECT " + JoinQuoted(target.key) + " FROM " + leaving);
  return sql;
}

}  // namespace switchyard::mapping
