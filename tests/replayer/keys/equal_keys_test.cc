// Keys that the database calls equal though their texts differ (1.0 and 1.00, 'A' and 'a'): they
// change hands and spelling within a batch, at random, and NEW holds OLD's rows, spelt as there.
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

struct KeyType {
  std::string table;
  std::string type;
  std::vector<std::vector<std::string>> keys;  // spellings of equal ones together
  std::string keyed_type = "";  // in the table that is recomputed, where it is another one
};

const std::vector<KeyType>& KeyTypes() {
  static const std::vector<KeyType> types = {
      {"by_numeric", "numeric", {{"1", "1.0", "1.00"}, {"2", "2.0"}, {"0", "0.0"}, {"-3.5"}}},
      {"by_domain", "price", {{"1", "1.0", "1.00"}, {"2", "2.0"}, {"0", "0.0"}, {"-3.5"}}},
      {"by_citext", "citext", {{"a", "A"}, {"bc", "Bc", "BC"}, {"x'y", "X'y"}, {"d"}}},
      {"by_collation", "text COLLATE any_case", {{"a", "A"}, {"bc", "Bc", "BC"}, {"d"}, {""}}},
      {"by_old_collation", "text COLLATE german", {{"a"}, {"bc"}, {"d"}}, "text COLLATE \"C\""},
      {"by_new_collation", "text", {{"a"}, {"bc"}, {"d"}}, "text COLLATE german"},
      {"by_array", "int[]", {{"{1,2}"}, {"{}"}, {"{NULL}"}, {"{3}"}}},
      {"by_float", "float8", {{"0", "-0"}, {"1"}, {"NaN"}, {"1e300"}}},
      {"by_range", "numrange", {{"[1,2)", "[1.0,2)"}, {"empty"}, {"[3,)", "[3.00,)"}}},
      {"by_interval", "interval", {{"1 mon", "30 days"}, {"1 day", "24:00"}, {"2 days"}}},
      {"by_char", "char(4)", {{"a", "a  "}, {"b"}, {"abcd"}}},
  };
  return types;
}

// `true`: the target's foreign keys are silent.
class EqualKeysTest : public testing::ReplayFixture, public ::testing::WithParamInterface<bool> {
 protected:
  void StartAll() {
    options_.target.replica_role = GetParam();
    std::string old_schema =
        "CREATE EXTENSION citext; CREATE DOMAIN price AS numeric; "
        "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', "
        "  deterministic = false); "
        "CREATE COLLATION german (provider = icu, locale = 'de');";
    std::string new_schema = old_schema;
    std::string forward;
    std::string rows;
    for (const KeyType& t : KeyTypes()) {
      const std::string& name = t.table;
      const std::string children =
          absl::StrCat("CREATE TABLE ", name, " (k ", t.type, " PRIMARY KEY, v int);",
                       "CREATE TABLE ", name, "_child (id int PRIMARY KEY, k ", t.type,
                       " REFERENCES ", name, " DEFERRABLE INITIALLY DEFERRED);");
      absl::StrAppend(&old_schema, children);
      absl::StrAppend(&new_schema, children, "CREATE TABLE ", name, "_keyed (k ",
                      t.keyed_type.empty() ? t.type : t.keyed_type, " PRIMARY KEY, v int);");
      absl::StrAppend(&forward, "  - {table: public.", name, ", copy: ", name, "}\n",
                      "  - {table: public.", name, "_child, copy: ", name, "_child}\n",
                      "  - table: public.", name, "_keyed\n    from: {", name,
                      ": k}\n    select: SELECT a.k, b.v FROM ", name, " a JOIN ", name,
                      " b USING (k)\n");
      absl::StrAppend(&rows, "INSERT INTO ", name, " VALUES (", Quoted(t.keys[0][0]), ", 1);",
                      "INSERT INTO ", name, "_child VALUES (1, ", Quoted(t.keys[0][0]), ");");
    }
    ASSERT_OK(Start(old_schema, new_schema, forward, rows));
    ASSERT_OK(CatchUp());
  }

  static std::string Quoted(const std::string& text) { return QuoteLiteral(text); }

  int Below(size_t n) {
    return std::uniform_int_distribution<int>(0, static_cast<int>(n) - 1)(random_);
  }
  std::string AnyKey(const KeyType& t) {
    const auto& spellings = t.keys[Below(t.keys.size())];
    return Quoted(spellings[Below(spellings.size())]);
  }

  std::string AnyStatement(const KeyType& t) {
    const std::string k = AnyKey(t);
    switch (Below(5)) {
      case 0:
        return absl::StrCat("DELETE FROM ", t.table, " WHERE k = ", k);
      case 1:
        return absl::StrCat("INSERT INTO ", t.table, " VALUES (", k, ", ", ++value_, ")");
      case 2:
        return absl::StrCat("UPDATE ", t.table, " SET k = ", k, ", v = ", ++value_,
                            " WHERE k = ", AnyKey(t));
      case 3:
        return absl::StrCat("UPDATE ", t.table, " SET v = ", ++value_, " WHERE k = ", k);
      default:
        return absl::StrCat("UPDATE ", t.table, "_child SET k = (SELECT k FROM ", t.table,
                            " ORDER BY v LIMIT 1 OFFSET ", Below(2), ")");
    }
  }

  // What OLD refuses is left out.
  std::string AnyTransaction(const KeyType& t) {
    std::string sql = "BEGIN;";
    for (int n = 1 + Below(6); n > 0; --n) {
      absl::StrAppend(&sql, "DO $$ BEGIN ", AnyStatement(t),
                      "; EXCEPTION WHEN unique_violation THEN NULL; END $$;");
    }
    return absl::StrCat(sql, "UPDATE ", t.table, "_child c SET k = NULL WHERE NOT EXISTS (SELECT ",
                        "FROM ", t.table, " t WHERE t.k = c.k); COMMIT");
  }

  void ExpectEqual(const KeyType& t, const std::string& after) {
    const std::string rows = "SELECT k::text, v FROM " + t.table;
    const std::string old_rows = Old(rows + " ORDER BY k");
    ASSERT_EQ(New(rows + " ORDER BY k"), old_rows) << t.table << " after " << after;
    ASSERT_EQ(New(rows + "_keyed ORDER BY k"), old_rows) << t.table << "_keyed after " << after;
    ASSERT_EQ(New("SELECT k::text FROM " + t.table + "_child"),
              Old("SELECT k::text FROM " + t.table + "_child"))
        << after;
  }

  std::mt19937_64 random_{7};
  int value_ = 1;
};

TEST_P(EqualKeysTest, ChangeHandsAndSpellingWithinABatch) {
  ASSERT_NO_FATAL_FAILURE(StartAll());
  for (int round = 0; round < 12; ++round) {
    ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
    std::map<std::string, std::string> done;
    for (int n = 0; n < 4; ++n) {
      for (const KeyType& t : KeyTypes()) {
        const std::string sql = AnyTransaction(t);
        ASSERT_OK(OnOld(sql)) << sql;
        absl::StrAppend(&done[t.table], sql, "\n");
      }
    }
    ASSERT_OK(capture_->Pump());
    ASSERT_OK(StartReplayer());
    ASSERT_OK(CatchUp());
    for (const KeyType& t : KeyTypes()) {
      ASSERT_NO_FATAL_FAILURE(ExpectEqual(t, done[t.table]));
    }
  }
  EXPECT_EQ(New("SELECT target, operation, error FROM switchyard.quarantine"), "");
}

INSTANTIATE_TEST_SUITE_P(ForeignKeys, EqualKeysTest, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "Silent" : "Hold"; });

}  // namespace
}  // namespace switchyard::replayer
