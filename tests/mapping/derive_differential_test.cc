// Derived rules against the whole select, on Postgres: small dense tables, batches that change
// several of them at once, and the rows recomputed by the scopes that the rules name. What a rule
// misses shows as a row that differs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <random>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "common/mapping/derive/derive.h"
#include "tests/support/oracle/derive_cases.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::mapping::derive {
namespace {

using std::string;
using std::vector;

string ReadAll(const string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// A value of the column, in SQL; of a small pool, so that rows meet.
string RandomValue(const ColumnFacts& column) {
  string value;
  if (column.type == "jsonb") {
    value = "(ARRAY['[1]', '[1, 2]', '[2]', '[]'])[1 + floor(random() * 4)::int]::jsonb";
  } else if (column.type == "text[]") {
    value = "(ARRAY['{x}', '{x,y}', '{}'])[1 + floor(random() * 3)::int]::text[]";
  } else if (column.type == "text") {
    value = "(ARRAY['x', 'y', 'X', 'open', 'done'])[1 + floor(random() * 5)::int]";
  } else {
    value = absl::StrCat("(1 + floor(random() * 5))::", column.type);
  }
  return column.not_null ? value : "CASE WHEN random() < 0.8 THEN " + value + " END";
}

struct TestTable {
  string schema, name;  // schema empty: OLD's
  TableFacts facts;
  string Live() const { return schema.empty() ? name : schema + "." + name; }
  string Next() const { return "f_" + name; }
};

class Differential {
 public:
  Differential(pg::Session& session, const Facts& facts) : session_(session), ids_(facts.ids) {
    for (const auto& [name, table] : facts.old_tables) tables_.push_back({"", name, table});
    for (const auto& [name, table] : facts.new_tables) {
      tables_.push_back({name.substr(0, name.find('.')), name.substr(name.find('.') + 1), table});
    }
  }

  absl::Status MakeTables() {
    RETURN_IF_ERROR(session_.Execute(
        "SET client_min_messages = error; CREATE SCHEMA IF NOT EXISTS switchyard"));
    for (const TestTable& table : tables_) {
      vector<string> columns;
      for (const ColumnFacts& column : table.facts.columns) {
        columns.push_back(
            absl::StrCat(column.name, " ", column.type, column.not_null ? " NOT NULL" : ""));
      }
      const string body = absl::StrCat(" (", absl::StrJoin(columns, ", "), ", PRIMARY KEY (",
                                       absl::StrJoin(table.facts.key, ", "), "))");
      RETURN_IF_ERROR(
          session_.Execute(absl::StrCat("DROP TABLE IF EXISTS ", table.Live(), " CASCADE")));
      RETURN_IF_ERROR(session_.Execute(absl::StrCat("CREATE ", table.schema.empty() ? "TEMP " : "",
                                                    "TABLE ", table.Live(), body)));
      RETURN_IF_ERROR(session_.Execute(absl::StrCat("CREATE TEMP TABLE ", table.Next(), body)));
    }
    return absl::OkStatus();
  }

  // How many of the batches left rows that differ; `stop_at_first` for rules with a planted fault.
  absl::StatusOr<int> Wrong(const DeriveCase& one, const Derivation& derived, int batches, int seed,
                            bool stop_at_first) {
    RETURN_IF_ERROR(session_.Execute("BEGIN"));
    const absl::StatusOr<int> wrong = RunIn(one, derived, batches, seed, stop_at_first);
    RETURN_IF_ERROR(session_.Execute("ROLLBACK"));
    return wrong;
  }

 private:
  absl::StatusOr<int> RunIn(const DeriveCase& one, const Derivation& derived, int batches, int seed,
                            bool stop_at_first) {
    RETURN_IF_ERROR(session_.Execute("CREATE TEMP VIEW v AS " + one.select));
    vector<string> scope;
    for (const ColumnFacts& column : one.scope) scope.push_back(column.name);
    const string names = absl::StrJoin(scope, ", ");
    RETURN_IF_ERROR(
        session_.Execute(absl::StrCat("CREATE TEMP TABLE s AS SELECT ", names,
                                      " FROM v LIMIT 0; CREATE TEMP TABLE m AS TABLE v")));
    RETURN_IF_ERROR(session_.Execute(Program(one, derived, names)));
    ASSIGN_OR_RETURN(
        const pg::Result result,
        session_.Query(absl::StrCat("SELECT pg_temp.run(", batches, ", ", (seed % 1000) / 1000.0,
                                    ", ", stop_at_first ? "true" : "false", ")")));
    return std::atoi(result.str(0, 0).c_str());
  }

  static string Changed(const TestTable& table) {
    return absl::StrCat("(SELECT k.id FROM (SELECT coalesce(a.id, b.id) AS id FROM ", table.Live(),
                        " a FULL JOIN ", table.Next(), " b ON a.id = b.id ",
                        "WHERE a IS DISTINCT FROM b) k)");
  }

  // The scopes that rows of `from`, which stand for the changed ones, touch.
  static string Touch(const TestTable& table, const DerivedRule& rule, const string& rows) {
    const bool query = rule.touches.starts_with("SELECT");
    return absl::StrCat(
        "INSERT INTO s SELECT * FROM (",
        query ? absl::StrCat("SELECT sy_q.* FROM ", rows, " AS ", table.name,
                             " CROSS JOIN LATERAL (", rule.touches, ") sy_q")
              : absl::StrCat("SELECT ", rule.touches, " FROM ", rows, " AS ", table.name),
        ") sy_all;\n");
  }

  // Those that have no rule get rows once, and keep them.
  static bool Changes(const TestTable& table, const Derivation& derived) {
    return !table.facts.fixed && std::ranges::none_of(derived.refused, [&](const auto& each) {
      return each.schema == table.schema && each.table == table.name;
    });
  }

  // A pair for each row that an id rule names, kept for ever.
  string Allot() const {
    string sql;
    for (const IdFacts& rule : ids_) {
      absl::StrAppend(&sql, "INSERT INTO switchyard.id_map SELECT '", rule.kind, "', ", rule.old_id,
                      ", gen_random_uuid(), true FROM ", rule.table, " ON CONFLICT DO NOTHING;\n");
    }
    return sql;
  }

  // The product's order: OLD's rows as they were, with everything as it was; then NEW's as they
  // were, with OLD's tables new; then all as they are.
  string Program(const DeriveCase& one, const Derivation& derived, const string& names) const {
    string body, before_old, before_new, after, install_old, install_new, mutate, keys, fresh;
    for (const TestTable& table : tables_) {
      if (table.facts.fixed) continue;
      if (!Changes(table, derived)) {
        absl::StrAppend(&keys, "FOR again IN 1..4 LOOP\n", Mutate(table, 1.0), "DELETE FROM ",
                        table.Live(), ";\nINSERT INTO ", table.Live(), " TABLE ", table.Next(),
                        ";\nEND LOOP;\n");
        continue;
      }
      const string ids = "ids_" + table.name;
      absl::StrAppend(&mutate, Mutate(table, 0.6));
      absl::StrAppend(&fresh, "TRUNCATE ", table.Next(), "; INSERT INTO ", table.Next(), " TABLE ",
                      table.Live(), "; TRUNCATE ", table.Live(), "; INSERT INTO ", table.Live(),
                      " TABLE ", table.Next(), "; TRUNCATE ", ids, ";\n");
      absl::StrAppend(&keys, "CREATE TEMP TABLE IF NOT EXISTS ", ids, " (id int);\n");
      absl::StrAppend(&mutate, "DELETE FROM ", ids, ";\nINSERT INTO ", ids, " ", Changed(table),
                      ";\n");
      absl::StrAppend(table.schema.empty() ? &install_old : &install_new, "DELETE FROM ",
                      table.Live(), ";\nINSERT INTO ", table.Live(), " TABLE ", table.Next(),
                      ";\n");
      for (const DerivedRule& rule : derived.rules) {
        if (rule.schema != table.schema || rule.table != table.name) continue;
        const string rows = absl::StrCat("(SELECT * FROM ", table.Live(),
                                         " WHERE id IN (SELECT id FROM ", ids, "))");
        const string touch = Touch(table, rule, rows);
        absl::StrAppend(table.schema.empty() ? &before_old : &before_new, touch);
        absl::StrAppend(&after, touch);
      }
    }
    vector<string> not_null;
    for (const ColumnFacts& column : one.scope) not_null.push_back(column.name + " IS NOT NULL");
    const string there = absl::StrJoin(not_null, " AND ");
    const string in_scope = absl::StrCat("(", names, ") IN (SELECT ", names, " FROM s)");
    body = absl::StrCat(
        "CREATE FUNCTION pg_temp.run(batches int, seed float8, stop_at_first boolean) RETURNS int ",
        "LANGUAGE plpgsql AS $run$\nDECLARE wrong int := 0; apart bigint;\nBEGIN\n",
        "PERFORM setseed(seed);\n", keys,
        "DELETE FROM m;\nINSERT INTO m TABLE v;\nFOR batch IN 1..batches LOOP\n",
        // Rows that this transaction removed stay in their pages until it ends.
        "IF batch % 20 = 0 THEN\n", fresh, "TRUNCATE s, m, switchyard.id_map;\n", Allot(),
        "INSERT INTO m TABLE v;\nEND IF;\n", "DELETE FROM s;\n", mutate, before_old, install_old,
        Allot(), before_new, install_new, after, "DELETE FROM m WHERE ", in_scope,
        ";\nINSERT INTO m SELECT * FROM v WHERE ", in_scope,
        ";\nSELECT count(*) INTO apart FROM ((SELECT sy_m::text FROM m sy_m WHERE ", there,
        " EXCEPT ALL SELECT sy_v::text FROM v sy_v WHERE ", there,
        ") UNION ALL (SELECT sy_v::text FROM v sy_v WHERE ", there,
        " EXCEPT ALL SELECT sy_m::text FROM m sy_m WHERE ", there, ")) d;\n",
        "IF apart > 0 THEN\nwrong := wrong + 1;\n",
        "IF stop_at_first THEN RETURN batch; END IF;\nDELETE FROM m;\nINSERT INTO m TABLE v;\nEND "
        "IF;\n",
        "END LOOP;\nRETURN wrong;\nEND $run$");
    return body;
  }

  // Most tables change in a batch, by a few rows: gone, come, or other in a column or more.
  static string Mutate(const TestTable& table, double chance) {
    vector<string> sets, values;
    for (const ColumnFacts& column : table.facts.columns) {
      if (column.name == "id") continue;
      sets.push_back(absl::StrCat(column.name, " = CASE WHEN random() < 0.4 THEN ",
                                  RandomValue(column), " ELSE ", column.name, " END"));
      values.push_back(RandomValue(column));
    }
    return absl::StrCat(
        "DELETE FROM ", table.Next(), ";\nINSERT INTO ", table.Next(), " TABLE ", table.Live(),
        ";\nIF random() < ", chance, " THEN\nDELETE FROM ", table.Next(),
        " WHERE random() < 0.25;\nUPDATE ", table.Next(), " SET ", absl::StrJoin(sets, ", "),
        " WHERE random() < 0.4;\nINSERT INTO ", table.Next(), " SELECT k, ",
        absl::StrJoin(values, ", "),
        " FROM generate_series(1, 5) k WHERE random() < 0.25 ON CONFLICT DO NOTHING;\nEND IF;\n");
  }

  pg::Session& session_;
  const vector<IdFacts> ids_;
  vector<TestTable> tables_;
};

// Selects as nobody would write them: joins, blockers, derived tables, windows and unions at
// random.
class RandomSelect {
 public:
  explicit RandomSelect(uint32_t seed) : random_(seed) {}

  string Make() {
    string one = Plain();
    if (Chance(4)) one = absl::StrCat("(", one, ") UNION ALL (", Plain(), ")");
    if (Chance(4)) {
      return absl::StrCat("SELECT q.id, count(*) AS n, max(q.v) AS v FROM (", one,
                          ") q GROUP BY q.id");
    }
    if (Chance(6)) {
      return absl::StrCat("SELECT q.*, count(q.v) OVER (PARTITION BY q.id) AS n FROM (", one,
                          ") q");
    }
    return one;
  }

 private:
  uint32_t Below(uint32_t limit) { return random_() % limit; }
  bool Chance(uint32_t of) { return Below(of) == 0; }

  struct Source {
    string sql, alias;
    vector<string> numbers;  // columns to join by
    string text;             // a column for people
  };

  Source From() {
    const string alias = absl::StrCat("x", ++aliases_);
    switch (Below(7)) {
      case 0:
        return {"c", alias, {"id"}, "email"};
      case 1:
        return {"o", alias, {"id", "cid", "at"}, "status"};
      case 2:
        return {"p", alias, {"id", "oid", "amount"}, "code"};
      case 3:
        return {"b1", alias, {"id", "cid"}, "id"};
      case 4:
        return {"t", alias, {"id", "parent"}, "label"};
      case 5:
        return {"(SELECT cid AS id, max(at) AS cid, min(status) AS w FROM o GROUP BY cid)",
                alias,
                {"id", "cid"},
                "w"};
      default:
        return {"(SELECT y.id, z.id AS cid, z.label AS w FROM b2 y LEFT JOIN t z ON z.id = y.cid)",
                alias,
                {"id", "cid"},
                "w"};
    }
  }

  string Number(const Source& of) { return of.alias + "." + of.numbers[Below(of.numbers.size())]; }

  string Asked(const vector<Source>& units, int depth) {
    const Source& outer = units[Below(units.size())];
    const Source inner = From();
    string where = absl::StrCat(Number(inner), " = ", Number(outer));
    if (depth < 2 && Chance(3)) {
      vector<Source> seen = units;
      seen.push_back(inner);
      absl::StrAppend(&where, " AND ", Asked(seen, depth + 1));
    }
    return absl::StrCat(Chance(2) ? "NOT " : "", "EXISTS (SELECT 1 FROM ", inner.sql, " ",
                        inner.alias, " WHERE ", where, ")");
  }

  string Condition(const vector<Source>& units) {
    const Source& one = units[Below(units.size())];
    switch (Below(5)) {
      case 0:
        return Asked(units, 0);
      case 1:
        return absl::StrCat("(", Number(one), " = 2 OR ", Asked(units, 1), ")");
      case 2:
        return absl::StrCat(Number(one), Chance(2) ? " IS NULL" : " IS NOT NULL");
      case 3:
        return absl::StrCat(Number(one), " <= ", 1 + Below(4));
      default:
        return absl::StrCat(Number(one), " = ", Number(units[Below(units.size())]));
    }
  }

  string Plain() {
    vector<Source> units = {From()};
    string from = units[0].sql + " " + units[0].alias;
    for (uint32_t more = Below(4); more > 0; --more) {
      const Source next = From();
      const Source& before = units[Below(units.size())];
      string on = absl::StrCat(Number(next), " = ", Number(before));
      if (Chance(5)) on = absl::StrCat("(", on, " OR ", Number(next), " = ", Number(units[0]), ")");
      if (Chance(4)) absl::StrAppend(&on, " AND ", Number(next), " <> 3");
      if (Chance(5)) absl::StrAppend(&on, " AND ", Number(before), " IS NOT NULL");
      const char* kinds[] = {" JOIN ", " LEFT JOIN ", " LEFT JOIN ", " RIGHT JOIN "};
      absl::StrAppend(&from, kinds[Below(4)], next.sql, " ", next.alias, " ON ", on);
      units.push_back(next);
    }
    string scope = units[0].alias + ".id";
    if (units.size() > 1 && Chance(3)) {
      scope = absl::StrCat("coalesce(", Number(units[1]), ", ", Number(units[0]), ")");
    }
    const Source& shown = units[Below(units.size())];
    string select = absl::StrCat("SELECT ", scope, " AS id, ", shown.alias, ".", shown.text,
                                 "::text AS v FROM ", from);
    vector<string> conditions;
    for (uint32_t more = Below(3); more > 0; --more) conditions.push_back(Condition(units));
    if (!conditions.empty())
      absl::StrAppend(&select, " WHERE ", absl::StrJoin(conditions, " AND "));
    return select;
  }

  std::mt19937 random_;
  int aliases_ = 0;
};

class DeriveDifferentialTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<testing::MiniPostgres>> started =
        testing::MiniPostgres::Start({.settings = {{"jit", "off"}}});
    ASSERT_OK(started);
    server_ = started->release();
  }
  static void TearDownTestSuite() { delete server_; }

  void SetUp() override {
    file_ = ParseDeriveFile(ReadAll(SY_SOURCE_DIR "/tests/golden/derive/shapes.txt"));
    ASSERT_OK_AND_ASSIGN(session_, server_->Connect());
    differential_ = std::make_unique<Differential>(*session_, file_.facts);
    ASSERT_OK(differential_->MakeTables());
    const char* given = std::getenv("SWITCHYARD_SEED");
    seed_ = given != nullptr ? std::atoi(given) : static_cast<int>(std::random_device{}() % 1000);
    RecordProperty("seed", seed_);
  }

  static testing::MiniPostgres* server_;
  DeriveFile file_;
  std::unique_ptr<pg::Session> session_;
  std::unique_ptr<Differential> differential_;
  int seed_ = 0;
};
testing::MiniPostgres* DeriveDifferentialTest::server_ = nullptr;

// Tables without a rule stay as they are: those beside them have theirs.
TEST_F(DeriveDifferentialTest, NoChangeOfAnyTableIsMissed) {
  constexpr int kBatches = 330;
  int selects = 0;
  for (const DeriveCase& one : file_.cases) {
    SCOPED_TRACE(absl::StrCat(one.name, ": SWITCHYARD_SEED=", seed_));
    ASSERT_OK_AND_ASSIGN(const Derivation derived, Derive(one.select, one.scope, file_.facts));
    // Of equal rows another one may come first the next time.
    if (derived.rules.empty() || !derived.ties.empty()) continue;
    ASSERT_OK_AND_ASSIGN(const int wrong,
                         differential_->Wrong(one, derived, kBatches, seed_, false));
    EXPECT_EQ(wrong, 0);
    ++selects;
  }
  EXPECT_GE(selects * kBatches, 20'000);
}

// What check advises where a table is read by a recursive query.
TEST_F(DeriveDifferentialTest, ARuleThatIsRecursiveItselfFindsAllThatLieBelow) {
  const auto one = std::ranges::find(file_.cases, "recursive", &DeriveCase::name);
  ASSERT_NE(one, file_.cases.end());
  SCOPED_TRACE(absl::StrCat("SWITCHYARD_SEED=", seed_));
  const auto derivation = [](const string& below) {
    return Derivation{.rules = {{.table = "t",
                                 .touches = "SELECT b.id FROM (WITH RECURSIVE below AS (SELECT " +
                                            below + ") SELECT id FROM below) b"}}};
  };
  ASSERT_OK_AND_ASSIGN(
      const int wrong,
      differential_->Wrong(*one,
                           derivation("t.id UNION SELECT u.id FROM t u JOIN below ON u.parent = "
                                      "below.id"),
                           1'000, seed_, false));
  EXPECT_EQ(wrong, 0);
  ASSERT_OK_AND_ASSIGN(const int found,
                       differential_->Wrong(*one, derivation("t.id"), 3'000, seed_, true));
  EXPECT_GT(found, 0) << "a rule that names the row alone";
}

TEST_F(DeriveDifferentialTest, NoChangeIsMissedUnderSelectsMadeAtRandom) {
  int derived_in_full = 0;
  for (int i = 0; i < 120; ++i) {
    const uint32_t seed = static_cast<uint32_t>(seed_) * 1000 + static_cast<uint32_t>(i);
    const string select = RandomSelect(seed).Make();
    SCOPED_TRACE(absl::StrCat("SWITCHYARD_SEED=", seed_, ", select ", i, ": ", select));
    ASSERT_OK(
        session_->Execute("DROP VIEW IF EXISTS pg_temp.made; CREATE TEMP VIEW made AS " + select));
    ASSERT_OK_AND_ASSIGN(const pg::Result text,
                         session_->Query("SELECT pg_get_viewdef('pg_temp.made'::regclass)"));
    const DeriveCase one{
        .name = "made", .scope = {{.name = "id", .type = "integer"}}, .select = select};
    ASSERT_OK_AND_ASSIGN(const Derivation derived, Derive(text.str(0, 0), one.scope, file_.facts));
    if (!derived.refused.empty()) continue;
    ++derived_in_full;
    ASSERT_OK_AND_ASSIGN(const int wrong, differential_->Wrong(one, derived, 40, seed_ + i, false));
    EXPECT_EQ(wrong, 0);
  }
  EXPECT_GE(derived_in_full, 50);
}

// A look-up of a case's rule, known by a part of its text.
struct Planted {
  const char* name;
  const char* table;
  const char* part;
};

constexpr Planted kPlanted[] = {
    {"look-ups in a row", "c", "c.id = o.cid"},
    {"look-ups in a row", "p", "oid"},
    {"distinct on", "o", "cid"},
    {"array elements by parent and position", "d", "jsonb_array_elements"},
    {"children in a string, grouped", "o", "cid"},
    {"children in an array", "o", "cid"},
    {"CASE WHEN EXISTS", "o", "cid"},
    {"top two of each parent over an aggregate", "o", "cid"},
    {"union of three", "p", "code"},
    {"except", "b1", "cid"},
    {"intersect", "o", "cid"},
    {"chain of WITH", "p", "p.oid = o.id"},
    {"chain of left joins", "c", "c.email = c_2.email"},
    {"self-join up to the grandparent", "t", "t.id = t_2.parent"},
    {"self-join up to the grandparent", "t", "t.id = u.parent"},
    {"full join USING", "o", "id"},
    {"coalesce over outer joins as scope", "p", "SELECT c.code FROM o, c"},
    {"coalesce over outer joins as link", "t", "t.label = c.code"},
    {"join by OR", "o", "o.note = c.email"},
    {"two blockers", "b2", "cid"},
    {"blocker in a derived table", "p", "p.oid = o.id"},
    {"nested NOT EXISTS", "p", "p.oid = o.id"},
    {"greatest by sub-select", "o", "cid"},
    {"scope by scalar sub-select", "p", "o.id = p.oid"},
    {"left join of a nested join", "p", "p.oid = o.id"},
    {"by tables of NEW", "n_people", "n_people.id = n.boss"},
    {"two of one table of NEW", "n_people", "n_people.id = o.at"},
    {"filter", "t", "o.status = t.label"},
    {"scope by an id of the map", "c", "m.old_id"},
    {"partition by columns of two tables", "c", "email"},
};

// The derivation without the look-up; nothing where it has none of that text.
std::optional<Derivation> Without(Derivation derived, const Planted& planted) {
  for (auto rule = derived.rules.begin(); rule != derived.rules.end(); ++rule) {
    if (rule->table != planted.table) continue;
    vector<string> arms = absl::StrSplit(rule->touches, "\nUNION ALL\n");
    const size_t gone = std::erase_if(
        arms, [&](const string& arm) { return absl::StrContains(arm, planted.part); });
    if (gone != 1) return std::nullopt;
    rule->touches = absl::StrJoin(arms, "\nUNION ALL\n");
    if (arms.empty()) derived.rules.erase(rule);
    return derived;
  }
  return std::nullopt;
}

// A test that finds nothing proves something only if it finds what is there.
TEST_F(DeriveDifferentialTest, EachOfThirtyLookUpsThatAreLeftOutShows) {
  static_assert(std::size(kPlanted) >= 30);
  int latest = 0;
  for (const Planted& planted : kPlanted) {
    SCOPED_TRACE(absl::StrCat(planted.name, ", ", planted.table, ": ", planted.part,
                              "; SWITCHYARD_SEED=", seed_));
    const auto one = std::ranges::find(file_.cases, planted.name, &DeriveCase::name);
    ASSERT_NE(one, file_.cases.end());
    ASSERT_OK_AND_ASSIGN(const Derivation derived, Derive(one->select, one->scope, file_.facts));
    const std::optional<Derivation> faulty = Without(derived, planted);
    ASSERT_TRUE(faulty.has_value());
    ASSERT_OK_AND_ASSIGN(const int batch, differential_->Wrong(*one, *faulty, 4'000, seed_, true));
    EXPECT_GT(batch, 0);
    latest = std::max(latest, batch);
  }
  RecordProperty("latest_batch", latest);
}

}  // namespace
}  // namespace switchyard::mapping::derive
