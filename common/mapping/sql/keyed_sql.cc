// Of sql_builder.h: what recomputes the scopes of a keyed mapping, and what touches them.
//
// By example: `people(email, orders)` from a select over customers and orders, `scope: email`,
// `from: {customers: lower(email)}`, and in OLD: UPDATE customers SET email = 'b@x' WHERE id = 7.
//
//   before   the mirror joined with the stage's keys, before it takes the change
//            INSERT INTO sy_touched_m0 (email) SELECT lower(email) FROM (stage) AS sy_s
//              JOIN switchyard_old.customers ...                        a@x is touched
//   after    the same once the mirror has it                            b@x is touched
//   compute  INSERT INTO sy_new_m0 SELECT ... FROM switchyard.map_0_people AS sy_v
//              WHERE sy_v.email = ANY(ARRAY(SELECT DISTINCT email FROM sy_touched_m0))
//            goes by the mirror's indexes; what it gives is all of a@x and b@x, and nothing else
//   remove   rows of touched scopes that have none in sy_new_m0         a@x goes
//   update   rows of both that differ to the bit; insert: those that NEW hasn't    b@x comes
#include <algorithm>

#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_builder.h"
#include "common/mapping/sql/sql_pieces.h"
#include "common/mapping/sql_analysis.h"

namespace switchyard::mapping {
namespace {

using std::string;
using std::vector;

bool Contains(const vector<string>& names, const string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

string ScopeArray(const KeyedTarget& target, const string& name) {
  const string column = QuoteIdentifier(name);
  return "ARRAY(SELECT DISTINCT " + column + " FROM " + Temp("sy_touched_" + target.temp_suffix) +
         " WHERE " + column + " IS NOT NULL)";
}

// `row`.scope is one of the touched scopes, in a form an index serves.
string InTouched(const KeyedTarget& target, const string& row) {
  const string among =
      Among(target.scope, target.operators, row, Temp("sy_touched_" + target.temp_suffix));
  const auto one = std::ranges::find_if(
      target.scope, [&](const string& column) { return !Contains(target.arrays, column); });
  // Arrays can't be had in an array of their own: the planner may look them up one by one.
  if (one == target.scope.end()) return among;
  string test = row + "." + QuoteIdentifier(*one) + EqualSign(target.operators, *one) + "ANY(" +
                ScopeArray(target, *one) + ")";
  // IS TRUE keeps the planner from turning it into a join: a hashed look-up, whatever the sizes.
  if (target.scope.size() > 1) test += " AND (" + among + ") IS TRUE";
  return test;
}

string Owned(const KeyedTarget& target) {
  return target.owns.empty() ? "" : " AND (" + target.owns + ")";
}

void AddKeyedTakeOut(const KeyedTarget& target, KeyedPlan* plan) {
  const string taken = Temp("sy_taken_" + target.temp_suffix);
  const string fresh = Temp("sy_new_" + target.temp_suffix);
  plan->temp_ddl.push_back(
      "CREATE TEMP TABLE " + QuoteIdentifier("sy_taken_" + target.temp_suffix) + " AS SELECT " +
      JoinQuoted(target.insertable) + " FROM " + target.target + " WITH NO DATA");
  const string keep = " RETURNING " + JoinQuoted(target.insertable, "sy_t.") + ") INSERT INTO " +
                      taken + " SELECT " + JoinQuoted(target.insertable) + " FROM sy_taken";
  plan->take_out = {
      "WITH sy_taken AS (DELETE FROM " + target.target + " AS sy_t WHERE " +
          InTouched(target, "sy_t") + Owned(target) + keep,
      "DELETE FROM " + taken + " AS sy_g WHERE NOT EXISTS (SELECT 1 FROM " + fresh +
          " AS sy_n WHERE " + KeyEqual(target.key, target.operators, "sy_g", "sy_n") + ")",
      "UPDATE " + taken + " AS sy_g SET " +
          Each(target.columns.size(), ", ",
               [&](size_t i) {
                 const string column = QuoteIdentifier(target.columns[i]);
                 return column + " = sy_n." + column;
               }) +
          " FROM " + fresh + " AS sy_n WHERE " +
          KeyEqual(target.key, target.operators, "sy_g", "sy_n"),
      "INSERT INTO " + target.target + " (" + JoinQuoted(target.insertable) +
          ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target.insertable) + " FROM " + taken,
      "INSERT INTO " + target.target + " (" + JoinQuoted(target.columns) +
          ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target.columns) + " FROM " + fresh +
          " AS sy_n WHERE NOT EXISTS (SELECT 1 FROM " + taken + " AS sy_g WHERE " +
          KeyEqual(target.key, target.operators, "sy_g", "sy_n") + ")",
      "DELETE FROM " + taken,
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
  plan->remember = insert_old + target.target + " AS sy_t WHERE " + InTouched(target, "sy_t");
  const auto changed = [&](const string& before, const string& in, const string& other) {
    return "INSERT INTO " + Temp(changed_name) + " SELECT " + before + ", " +
           JoinQuoted(target.columns, "sy_a.") + " FROM " + in + " AS sy_a LEFT JOIN " + other +
           " AS sy_b ON " + KeyEqual(target.key, target.operators, "sy_a", "sy_b") +
           " WHERE sy_b." + QuoteIdentifier(target.key[0]) + " IS NULL OR NOT (" +
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
         fresh + " AS sy_n WHERE " + KeyEqual(target.key, target.operators, "sy_t", "sy_n") +
         " AND NOT (" + SameImage(target.columns, "sy_t", "sy_n") + ")" +
         OwnedAmong(target.owns, "sy_t");
}

// Rows that are not there. Where a row that the mapping does not own has the key, the database
// refuses it.
string InsertFrom(const KeyedTarget& target, const string& fresh) {
  return "INSERT INTO " + target.target + " (" + JoinQuoted(target.columns) +
         ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target.columns, "sy_n.") + " FROM " +
         fresh + " AS sy_n WHERE NOT EXISTS (SELECT 1 FROM " + target.target + " AS sy_o WHERE " +
         KeyEqual(target.key, target.operators, "sy_o", "sy_n") + Owned(target) + ")";
}

// As TableWrite::written_count.
string WrittenCount(const KeyedTarget& target, const string& vanished) {
  vector<string> values;
  for (const string& column : target.columns) {
    if (!Contains(target.identity_always, column)) values.push_back(column);
  }
  return "SELECT (SELECT count(*) FROM " + Temp("sy_new_" + target.temp_suffix) +
         " AS sy_n WHERE NOT EXISTS (SELECT FROM " + target.target + " AS sy_t WHERE " +
         KeyEqual(target.key, target.operators, "sy_t", "sy_n") +
         (values.empty() ? "" : " AND " + SameImage(values, "sy_t", "sy_n")) +
         ")), (SELECT count(*) FROM " + target.target + " AS sy_t WHERE " + vanished + ")";
}

string TouchInsert(const KeyedTarget& target, const string& touches, const string& rows) {
  const string head = "INSERT INTO " + Temp("sy_touched_" + target.temp_suffix) + " (" +
                      JoinQuoted(target.scope) + ") SELECT DISTINCT ";
  if (LooksLikeQuery(touches)) {
    return head + "sy_q.* FROM " + rows + " CROSS JOIN LATERAL (" + touches + "\n) AS sy_q";
  }
  return head + touches + " FROM " + rows;
}

// For recomputing piece by piece.
void AddSlices(const KeyedTarget& target, KeyedPlan* plan) {
  const string touched = Temp(plan->touched_table);
  plan->slice_table = "sy_slice_" + target.temp_suffix;
  const string slice = Temp(plan->slice_table);
  plan->temp_ddl.push_back("CREATE TEMP TABLE " + QuoteIdentifier(plan->slice_table) +
                           " AS SELECT NULL::bigint AS sy__n, " + JoinQuoted(target.scope) +
                           " FROM " + target.target + " WITH NO DATA");
  plan->temp_ddl.push_back("CREATE INDEX ON " + slice + " (sy__n)");
  plan->slice_fill = "INSERT INTO " + slice + " SELECT row_number() OVER (), sy_d.* FROM (SELECT " +
                     "DISTINCT " + JoinQuoted(target.scope) + " FROM " + touched + ") AS sy_d";
  plan->slice_take = "INSERT INTO " + touched + " SELECT " + JoinQuoted(target.scope) + " FROM " +
                     slice + " WHERE sy__n > $1 AND sy__n <= $2";
  plan->scope_json = "SELECT pg_catalog.jsonb_build_object(" +
                     Each(target.scope.size(), ", ",
                          [&](size_t i) {
                            return QuoteLiteral(target.scope[i]) + ", " +
                                   QuoteIdentifier(target.scope[i]) + "::text";
                          }) +
                     ") FROM " + slice + " WHERE sy__n = $1";
}

}  // namespace

string HeldBesides(const KeyedTarget& target, const string& condition) {
  // Where the scope is part of the key, equal keys are of one scope.
  if (std::ranges::all_of(target.scope, [&](const string& s) { return Contains(target.key, s); })) {
    return "";
  }
  return "SELECT FROM " + Temp("sy_new_" + target.temp_suffix) + " AS sy_n JOIN " + target.target +
         " AS sy_t ON " + KeyEqual(target.key, target.operators, "sy_t", "sy_n") + " WHERE (" +
         Among(target.scope, target.operators, "sy_t", Temp("sy_touched_" + target.temp_suffix)) +
         ") IS NOT TRUE" + condition + " LIMIT 1";
}

KeyedPlan BuildKeyed(const KeyedTarget& target) {
  KeyedPlan plan;
  plan.new_table = "sy_new_" + target.temp_suffix;
  const string fresh = Temp(plan.new_table);
  plan.scope_columns = target.scope;
  for (const char* kind : {"sy_touched_", "sy_new_", "sy_slice_", "sy_taken_"}) {
    plan.temp_tables.push_back(kind + target.temp_suffix);
  }
  plan.touched_table = "sy_touched_" + target.temp_suffix;
  const string touched = Temp(plan.touched_table);
  plan.touch_own = "INSERT INTO " + touched + " SELECT DISTINCT " + JoinQuoted(target.scope) +
                   " FROM " + target.target + (target.owns.empty() ? "" : " WHERE " + target.owns);
  plan.temp_ddl = {
      "CREATE TEMP TABLE " + QuoteIdentifier(plan.touched_table) + " AS SELECT " +
          JoinQuoted(target.scope) + " FROM " + target.target + " WITH NO DATA",
      "CREATE TEMP TABLE " + QuoteIdentifier(plan.new_table) + " AS SELECT " +
          JoinQuoted(target.columns) + " FROM " + target.target + " WITH NO DATA",
  };
  // As the columns of `fresh` compare, which are those of NEW's key.
  plan.compute = "WITH sy_c AS (INSERT INTO " + fresh + " (" + JoinQuoted(target.columns) +
                 ") SELECT " + JoinQuoted(target.columns, "sy_v.") + " FROM " + target.view +
                 " AS sy_v WHERE " + InTouched(target, "sy_v") + " RETURNING " +
                 JoinQuoted(target.key) + ") SELECT FROM sy_c GROUP BY " + JoinQuoted(target.key) +
                 " HAVING count(*) > 1 LIMIT 1";
  plan.held = HeldBesides(target, "");
  const bool scope_is_key =
      target.scope.size() == 1 && target.key == target.scope && target.arrays.empty();
  // A scope has one row: those that have none any more are found without a look at the target.
  const string vanished = scope_is_key
                              ? "ARRAY(SELECT " + QuoteIdentifier(target.scope[0]) + " FROM " +
                                    touched + " EXCEPT SELECT " + QuoteIdentifier(target.scope[0]) +
                                    " FROM " + fresh + ")"
                              : "";
  plan.vanished = scope_is_key ? "sy_t." + QuoteIdentifier(target.scope[0]) +
                                     EqualSign(target.operators, target.scope[0]) + "ANY(" +
                                     vanished + ")" + Owned(target)
                               : InTouched(target, "sy_t") + Owned(target) + " AND NOT (" +
                                     Among(target.key, target.operators, "sy_t", fresh) + ")";
  plan.remove = "DELETE FROM " + target.target + " AS sy_t WHERE " + plan.vanished;
  plan.update = UpdateFrom(target, fresh);
  plan.insert = InsertFrom(target, fresh);
  plan.written_count = WrittenCount(target, plan.vanished);
  AddSlices(target, &plan);
  plan.clean = {"DELETE FROM " + touched, "DELETE FROM " + fresh};
  if (target.has_readers) AddDeltas(target, &plan);
  AddKeyedTakeOut(target, &plan);
  plan.view = target.view;
  plan.populate = "INSERT INTO " + target.target + " (" + JoinQuoted(target.columns) +
                  ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target.columns, "sy_v.") +
                  " FROM " + target.view + " AS sy_v";
  plan.explain = "SELECT " + JoinQuoted(target.columns, "sy_v.") +
                 " FROM ({select}\n) AS sy_v WHERE " + InTouched(target, "sy_v");
  for (const string& column : target.identity_always) {
    plan.take_out_only |= !Contains(target.key, column);
  }
  return plan;
}

TouchRule BuildSourceTouch(const SourcePlan& source, const SourceTouch& touch,
                           const KeyedTarget& target) {
  const string& touches = touch.touches;
  const string moved = Moved(touch.still, "");
  const string alias = QuoteIdentifier(source.alias);
  const string mirror = source.mirror.target + " AS " + alias;
  if (touch.reads_key_only) {  // the stage has it all
    return {.source = touch.source,
            .before =
                TouchInsert(target, touches, OldKeyRow(source, source.alias, "'U','K','D'", moved)),
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
           " FROM " + Temp(source.stage) + " WHERE sy__op IN (" + ops + ")" + moved +
           ") AS sy_s JOIN " + mirror + " ON " + Each(source.key.size(), " AND ", [&](size_t i) {
             const StageColumn& key = source.columns[source.key[i]];
             return alias + "." + QuoteIdentifier(key.name) + " " + key.equals + " sy_s.sy__k" +
                    std::to_string(i);
           });
  };
  return {.source = touch.source,
          .before = TouchInsert(target, touches, joined("'U','K','D'", true)),
          .after = TouchInsert(target, touches, joined("'I','U','K'", false)),
          .all = TouchInsert(target, touches, mirror)};
}

TouchRule BuildKeyedUpstreamTouch(const KeyedTarget& upstream, const string& upstream_alias,
                                  MappingIndex upstream_index, const string& touches,
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
                                     const string& upstream_alias, MappingIndex upstream_index,
                                     const string& touches, const KeyedTarget& target) {
  vector<const Assignment*> keys;
  for (const Assignment& a : upstream.assignments) {
    if (a.in_key) keys.push_back(&a);
  }
  const auto joined = [&](const string& rows) {
    return "(SELECT " + KeyValues(keys) + " FROM " + rows + ") AS sy_s JOIN " + upstream.target +
           " AS " + QuoteIdentifier(upstream_alias) + " ON " +
           KeyMatch(keys, upstream.operators, QuoteIdentifier(upstream_alias));
  };
  return {
      .upstream = upstream_index,
      .before =
          TouchInsert(target, touches, joined(OldKeyRow(source, upstream.alias, "'D','U','K'"))),
      .after = TouchInsert(target, touches, joined(NewRow(source, upstream.alias, "'I','U','K'"))),
      .all =
          TouchInsert(target, touches, upstream.target + " AS " + QuoteIdentifier(upstream_alias))};
}

}  // namespace switchyard::mapping
