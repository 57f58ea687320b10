#include "common/mapping/sql/patch_sql.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_pieces.h"

namespace switchyard::mapping {
namespace {

using std::string;
using std::vector;

bool Contains(const vector<string>& names, const string& name) {
  return std::ranges::count(names, name) > 0;
}

// sy_d: a row of sy_diff_, with the columns as they are to be (of op D: as they were) under their
// own names, and as they were as sy__f0 ..
class PatchBuilder {
 public:
  PatchBuilder(const KeyedTarget& target, KeyedPlan& plan)
      : target_(target),
        plan_(plan),
        fresh_(Temp(plan.new_table)),
        touched_(Temp(plan.touched_table)),
        was_(Temp(Name("sy_was_"))),
        put_(Temp(Name("sy_put_"))),
        seen_(Temp(Name("sy_seen_"))),
        diff_(Temp(Name("sy_diff_"))),
        taken_(Temp(Name("sy_taken_"))) {
    for (const string& column : target.columns) {
      if (!Contains(target.lossy, column)) compared_.push_back(column);
    }
  }

  void Build() {
    PatchPlan& patch = plan_.patch;
    patch = {.on = true,
             .leaves_vanished = target_.leaves_vanished,
             .lossy = target_.lossy,
             .before_table = Name("sy_was_"),
             .put_table = Name("sy_put_"),
             .seen_table = Name("sy_seen_"),
             .columns = target_.columns};
    AddTables();
    AddImages();
    AddWrites();
    AddNotes();
    AddDeltas();
    for (size_t i = 0; i < target_.columns.size(); ++i) {
      const string value = "sy_x." + QuoteIdentifier(target_.columns[i]);
      const string& type = target_.types[i];
      // A text would be taken for a JSON string.
      const bool json = type == "json" || type == "jsonb";
      patch.entry_values.push_back(!json ? value : "(" + value + " #>> '{}')::pg_catalog." + type);
    }
    patch.out_of_the_way =
        "DELETE FROM " + target_.target + " AS sy_t WHERE " + InScopes("sy_t", touched_) + Owned();
    patch.there = "(SELECT sy_t.* FROM " + target_.target + " AS sy_t WHERE " +
                  Among(target_.key, target_.operators, "sy_t", was_) + " OR " +
                  Among(target_.key, target_.operators, "sy_t", fresh_) + ")";
  }

 private:
  string Name(const char* kind) const { return kind + target_.temp_suffix; }
  string Owned() const { return OwnedAmong(target_.owns, "sy_t"); }
  string Key(const string& a, const string& b) const {
    return KeyEqual(target_.key, target_.operators, a, b);
  }
  string InScopes(const string& row, const string& table) const {
    return "(" + Among(target_.scope, target_.operators, row, table) + ") IS TRUE";
  }
  size_t Index(const string& column) const {
    return std::ranges::find(target_.columns, column) - target_.columns.begin();
  }
  // Bit by bit, one column; `was` as sy_d has it.
  static string Same(const string& a, const string& b) {
    return "ROW(" + a + ")::record *= ROW(" + b + ")::record";
  }
  string Was(const string& column) const { return absl::StrCat("sy_d.sy__f", Index(column)); }
  static string Is(const string& row, const string& column) {
    return row + "." + QuoteIdentifier(column);
  }
  string Unchanged(const string& column) const { return Same(Was(column), Is("sy_d", column)); }
  string Reached(const string& row, const string& column) const {
    return Same(Is(row, column), Is("sy_d", column));
  }
  // What is there is what it is changed from or to.
  string Expected(const string& column) const {
    return "(" + Unchanged(column) + " OR " + Same(Is("sy_t", column), Was(column)) + " OR " +
           Reached("sy_t", column) + ")";
  }
  string AllExpected() const {
    return compared_.empty()
               ? "true"
               : Each(compared_.size(), " AND ", [&](size_t i) { return Expected(compared_[i]); });
  }
  string SameRow(const string& row) const {
    return compared_.empty() ? "true" : SameImage(compared_, row, "sy_d");
  }
  // A column that an UPDATE may set.
  vector<string> Settable() const {
    vector<string> columns;
    for (const string& column : target_.columns) {
      if (!Contains(target_.identity_always, column)) columns.push_back(column);
    }
    return columns;
  }
  string Sets(const string& row, const vector<string>& columns) const {
    return Each(columns.size(), ", ", [&](size_t i) {
      return QuoteIdentifier(columns[i]) + " = CASE WHEN " + Unchanged(columns[i]) + " THEN " +
             Is(row, columns[i]) + " ELSE " + Is("sy_d", columns[i]) + " END";
    });
  }

  void AddTables() {
    const string like = " AS SELECT " + JoinQuoted(target_.columns);
    const string none = " FROM " + target_.target + " WITH NO DATA";
    const string was = Each(target_.columns.size(), ", ", [&](size_t i) {
      return absl::StrCat(QuoteIdentifier(target_.columns[i]), " AS sy__f", i);
    });
    const auto add = [&](const string& name, const string& select) {
      plan_.temp_ddl.push_back("CREATE TEMP TABLE " + QuoteIdentifier(name) + select + none);
      plan_.temp_tables.push_back(name);
    };
    add(Name("sy_was_"), like);
    add(Name("sy_put_"), like);
    add(Name("sy_seen_"), " AS SELECT " + JoinQuoted(target_.scope));
    add(Name("sy_diff_"),
        " AS SELECT 'U'::\"char\" AS sy__op, " + JoinQuoted(target_.columns) + ", " + was);
    plan_.clean.push_back("DELETE FROM " + was_);
    plan_.clean.push_back("DELETE FROM " + diff_);
  }

  void AddImages() {
    const string scopes = JoinQuoted(target_.scope);
    plan_.patch.scopes =
        "SELECT pg_catalog.txid_current(), count(*), jsonb_agg(jsonb_build_object(" +
        Each(target_.scope.size(), ", ",
             [&](size_t i) {
               return QuoteLiteral(target_.scope[i]) + ", " + QuoteIdentifier(target_.scope[i]) +
                      "::text";
             }) +
        ")) FROM (SELECT " + scopes + " FROM " + touched_ + " EXCEPT SELECT " + scopes + " FROM " +
        seen_ + ") AS sy_q";
    // The view's row type reads the texts, whatever schema their types are in.
    const string rows =
        "pg_catalog.jsonb_populate_recordset(NULL::" + target_.view + ", $1::jsonb) AS sy_x";
    const string first = QuoteIdentifier(target_.scope[0]);
    string test = "sy_v." + first + EqualSign(target_.operators, target_.scope[0]) +
                  "ANY(ARRAY(SELECT DISTINCT sy_x." + first + " FROM " + rows + "))";
    if (target_.scope.size() > 1) {
      test += " AND (EXISTS (SELECT FROM " + rows + " WHERE " +
              KeyEqual(target_.scope, target_.operators, "sy_v", "sy_x") + ")) IS TRUE";
    }
    plan_.patch.images = "SELECT " + JoinQuoted(target_.columns, "sy_v.") + " FROM " +
                         target_.view + " AS sy_v WHERE " + test;
    plan_.patch.before_copy = "COPY " + was_ + " (" + JoinQuoted(target_.columns) + ") FROM STDIN";
    plan_.patch.take_put = "INSERT INTO " + was_ + " SELECT " +
                           JoinQuoted(target_.columns, "sy_t.") + " FROM " + put_ +
                           " AS sy_t WHERE " + InScopes("sy_t", touched_);
    const auto side = [&](const string& table) {
      return "(SELECT true AS sy__is, " + JoinQuoted(target_.columns) + " FROM " + table + ")";
    };
    plan_.patch.compare =
        "INSERT INTO " + diff_ +
        " SELECT CASE WHEN sy_f.sy__is IS NULL THEN 'I' WHEN sy_n.sy__is IS NULL THEN 'D' ELSE "
        "'U' END, " +
        Each(target_.columns.size(), ", ",
             [&](size_t i) {
               const string& column = target_.columns[i];
               return "CASE WHEN sy_n.sy__is IS NULL THEN " + Is("sy_f", column) + " ELSE " +
                      Is("sy_n", column) + " END";
             }) +
        ", " + JoinQuoted(target_.columns, "sy_f.") + " FROM " + side(was_) +
        " AS sy_f FULL JOIN " + side(fresh_) + " AS sy_n ON " + Key("sy_f", "sy_n") + " WHERE " +
        (target_.leaves_vanished ? "sy_n.sy__is IS NOT NULL AND (" : "(sy_n.sy__is IS NULL OR ") +
        "sy_f.sy__is IS NULL OR NOT (" + SameImage(target_.columns, "sy_f", "sy_n") + "))";
  }

  void AddWrites() {
    PatchPlan& patch = plan_.patch;
    const string rows = diff_ + " AS sy_d";
    patch.remove = "DELETE FROM " + target_.target + " AS sy_t USING " + rows +
                   " WHERE sy_d.sy__op = 'D' AND " + Key("sy_t", "sy_d") + " AND " +
                   SameRow("sy_t") + Owned();
    const vector<string> settable = Settable();
    if (!settable.empty()) {
      patch.update = "UPDATE " + target_.target + " AS sy_t SET " + Sets("sy_t", settable) +
                     " FROM " + rows + " WHERE sy_d.sy__op = 'U' AND " + Key("sy_t", "sy_d") +
                     " AND " + AllExpected() + " AND NOT (" + AllReached(settable) + ")" + Owned();
    }
    patch.insert = "INSERT INTO " + target_.target + " (" + JoinQuoted(target_.columns) +
                   ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target_.columns, "sy_d.") +
                   " FROM " + rows + " WHERE sy_d.sy__op = 'I' AND NOT EXISTS (SELECT FROM " +
                   target_.target + " AS sy_t WHERE " + Key("sy_t", "sy_d") + ")";
    patch.take_out = {
        "WITH sy_taken AS (DELETE FROM " + target_.target + " AS sy_t USING " + rows + " WHERE " +
            Key("sy_t", "sy_d") + " AND CASE sy_d.sy__op WHEN 'U' THEN " + AllExpected() +
            " WHEN 'D' THEN " + SameRow("sy_t") + " ELSE false END" + Owned() + " RETURNING " +
            JoinQuoted(target_.insertable, "sy_t.") + ") INSERT INTO " + taken_ + " SELECT " +
            JoinQuoted(target_.insertable) + " FROM sy_taken",
        "DELETE FROM " + taken_ + " AS sy_g USING " + rows + " WHERE sy_d.sy__op = 'D' AND " +
            Key("sy_g", "sy_d"),
        "UPDATE " + taken_ + " AS sy_g SET " + Sets("sy_g", target_.columns) + " FROM " + rows +
            " WHERE sy_d.sy__op = 'U' AND " + Key("sy_g", "sy_d"),
        "INSERT INTO " + target_.target + " (" + JoinQuoted(target_.insertable) +
            ") OVERRIDING SYSTEM VALUE SELECT " + JoinQuoted(target_.insertable) + " FROM " +
            taken_,
        patch.insert,
        "DELETE FROM " + taken_,
    };
    patch.conflict = Conflict(rows);
    patch.written_count = "SELECT (SELECT count(*) FROM " + rows +
                          " WHERE sy_d.sy__op <> 'D' AND NOT EXISTS "
                          "(SELECT FROM " +
                          target_.target + " AS sy_t WHERE " + Key("sy_t", "sy_d") + " AND " +
                          AllReached(Looked(settable)) + ")), (SELECT count(*) FROM " + rows +
                          " JOIN " + target_.target + " AS sy_t ON " + Key("sy_t", "sy_d") +
                          " WHERE sy_d.sy__op = 'D'" + Owned() + ")";
  }

  // Of a row of op U: each column that changed; of op I: all of them.
  string AllReached(const vector<string>& columns) const {
    return columns.empty() ? "true" : Each(columns.size(), " AND ", [&](size_t i) {
      return "((sy_d.sy__op = 'U' AND " + Unchanged(columns[i]) + ") OR " +
             Reached("sy_t", columns[i]) + ")";
    });
  }

  // A lossy column of a row that is there already is left as it is.
  vector<string> Looked(vector<string> columns) const {
    std::erase_if(columns, [&](const string& column) { return !Contains(compared_, column); });
    return columns;
  }

  string Conflict(const string& rows) const {
    const string there = Is("sy_t", target_.key[0]) + " IS NOT NULL";
    const string ours = target_.owns.empty() ? "" : "NOT (true" + Owned() + ") OR ";
    const string names =
        compared_.empty()
            ? "''"
            : "array_to_string(ARRAY[" + Each(compared_.size(), ", ", [&](size_t i) {
                const string& column = compared_[i];
                return "CASE WHEN " + there + " AND NOT (CASE sy_d.sy__op WHEN 'U' THEN " +
                       Expected(column) + " ELSE " + Reached("sy_t", column) + " END) THEN " +
                       QuoteLiteral(column) + " END";
              }) + "]::text[], ', ')";
    return "SELECT sy_d.sy__op, " + there + ", " + names + " FROM " + rows + " LEFT JOIN " +
           target_.target + " AS sy_t ON " + Key("sy_t", "sy_d") +
           " WHERE CASE sy_d.sy__op WHEN 'U' THEN NOT (" + there + ") OR " + ours + "NOT (" +
           AllExpected() + ") ELSE " + there + " AND (" + ours + "NOT (" + SameRow("sy_t") +
           ")) END LIMIT 1";
  }

  void AddNotes() {
    plan_.patch.note = {
        "DELETE FROM " + put_ + " AS sy_t WHERE " + InScopes("sy_t", touched_),
        "DELETE FROM " + seen_ + " AS sy_t WHERE " + InScopes("sy_t", touched_),
        "INSERT INTO " + put_ + " SELECT " + JoinQuoted(target_.columns) + " FROM " + fresh_,
        "INSERT INTO " + seen_ + " SELECT DISTINCT " + JoinQuoted(target_.scope) + " FROM " +
            touched_,
    };
  }

  // The rows of the target themselves: they hold values that neither image has.
  void AddDeltas() {
    if (!target_.has_readers) return;
    const string changed = Temp(Name("sy_chg_"));
    const string columns = JoinQuoted(target_.columns, "sy_a.");
    const auto from = [&](const char* before, const string& table) {
      return absl::StrCat("INSERT INTO ", changed, " SELECT ", before, ", ", columns, " FROM ",
                          diff_, " AS sy_d JOIN ", table, " AS sy_a ON ", Key("sy_a", "sy_d"));
    };
    plan_.patch.changed_before = from("true", target_.target);
    plan_.patch.changed_after = from("false", target_.target);
  }

  const KeyedTarget& target_;
  KeyedPlan& plan_;
  const string fresh_, touched_, was_, put_, seen_, diff_, taken_;
  vector<string> compared_;  // columns that are not lossy
};

}  // namespace

void BuildPatch(const KeyedTarget& target, KeyedPlan* plan) { PatchBuilder(target, *plan).Build(); }

}  // namespace switchyard::mapping
