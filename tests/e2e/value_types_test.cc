// Every value type arrives with an equal text form, in the copy and in the stream, by each way a
// value takes: straight into its table, as its key, through the mirror, as a before-image. OLD and
// NEW are set to read and write values each in its own way.
#include "tests/e2e/value_types.h"

#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/pipeline.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace switchyard::testing {
namespace {

// What a database may be set to and a role again, without the values' meaning being changed.
constexpr char kOldHabits[] = R"sql(
  ALTER DATABASE app SET DateStyle = 'German, DMY';
  ALTER DATABASE app SET IntervalStyle = 'sql_standard';
  ALTER DATABASE app SET TimeZone = 'Asia/Kolkata';
  ALTER DATABASE app SET bytea_output = 'escape';
  ALTER DATABASE app SET extra_float_digits = -15;
  ALTER DATABASE app SET lc_monetary = 'C.utf8';
  ALTER DATABASE app SET xmloption = 'document';
  ALTER DATABASE app SET client_encoding = 'LATIN1';
  ALTER ROLE postgres IN DATABASE app SET extra_float_digits = 0;
  ALTER ROLE postgres SET quote_all_identifiers = on;
)sql";
constexpr char kNewHabits[] = R"sql(
  ALTER DATABASE app SET DateStyle = 'SQL, DMY';
  ALTER DATABASE app SET IntervalStyle = 'iso_8601';
  ALTER DATABASE app SET TimeZone = 'America/St_Johns';
  ALTER DATABASE app SET bytea_output = 'escape';
  ALTER DATABASE app SET extra_float_digits = -15;
  ALTER DATABASE app SET array_nulls = off;
  ALTER DATABASE app SET xmloption = 'document';
  ALTER DATABASE app SET standard_conforming_strings = off;
  ALTER DATABASE app SET transform_null_equals = on;
  ALTER DATABASE app SET client_encoding = 'SQL_ASCII';
  ALTER ROLE postgres SET IntervalStyle = 'postgres_verbose';
)sql";

// s_X: row N of each hundred holds the type's value N. k_X: keyed by the value itself.
constexpr char kOldTables[] = R"sql(
  CREATE TABLE v_X (n int PRIMARY KEY, v TYPE);
  CREATE TABLE s_X (id int PRIMARY KEY, v TYPE, note text);
)sql";
constexpr char kKeyTable[] = "CREATE TABLE k_X (v TYPE PRIMARY KEY, note text);";
constexpr char kNewTables[] = R"sql(
  CREATE TABLE s_X (id int PRIMARY KEY, v TYPE, note text);
  CREATE TABLE m_X (id int PRIMARY KEY, v TYPE, note text);
  CREATE TABLE g_X (k text PRIMARY KEY, ids int[] NOT NULL);
)sql";
// m_X is the row as the mirror has it, which an expression over a long value needs; g_X finds the
// rows of a value by its text, before and after.
constexpr char kMapping[] = R"yaml(
  - {table: public.s_X, copy: s_X}
  - {table: public.m_X, copy: s_X, set: {note: note || ''}}
  - table: public.g_X
    scope: k
    from: {s_X: "md5(coalesce(v::text, 'no value'))"}
    select: |
      SELECT md5(coalesce(v::text, 'no value')) AS k, array_agg(id ORDER BY id) AS ids
      FROM s_X GROUP BY 1
)yaml";
constexpr char kKeyMapping[] = "  - {table: public.k_X, copy: k_X}\n";

constexpr char kBeforeTheCopy[] = R"sql(
  INSERT INTO s_X SELECT h * 100 + n, v, 'as copied' FROM v_X, generate_series(0, 4) h;
)sql";
constexpr char kKeysBeforeTheCopy[] =
    "INSERT INTO k_X SELECT v, 'as copied' FROM v_X WHERE n > 0 AND n % 2 = 0 "
    "AND length(v::text) < 500 ON CONFLICT DO NOTHING;";
// Each a transaction over all types.
constexpr const char* kWhileStreaming[] = {
    "INSERT INTO s_X SELECT 1000 + n, v, 'inserted' FROM v_X;",
    "UPDATE s_X s SET v = v_X.v, note = 'another value' FROM v_X"
    "  WHERE s.id / 100 = 1 AND v_X.n = (s.id % 100 + 1) % (SELECT count(*) FROM v_X);",
    "UPDATE s_X SET note = 'same value' WHERE id / 100 = 2;"
    "DELETE FROM s_X WHERE id / 100 = 3;",
    "UPDATE s_X SET id = id + 10000 WHERE id / 100 = 4;"};
// The keys at hand are changed to values that are not there yet, or removed; then all come.
constexpr const char* kKeysWhileStreaming[] = {
    "UPDATE k_X SET note = 'same key';",
    "UPDATE k_X SET v = (SELECT v FROM v_X WHERE n = 1), note = 'moved'"
    "  WHERE v = (SELECT v FROM v_X WHERE n = 2)"
    "    AND NOT EXISTS (SELECT FROM k_X k WHERE k.v = (SELECT v FROM v_X WHERE n = 1));",
    "DELETE FROM k_X WHERE v = (SELECT v FROM v_X WHERE n = 4);",
    ("INSERT INTO k_X SELECT v, 'inserted' FROM v_X WHERE n > 0 AND length(v::text) < 500"
     "  ON CONFLICT DO NOTHING;")};

// Text by the output function: a cast to text would strip the blanks of a char(n).
constexpr char kValues[] =
    "SELECT id::text, coalesce(format('%s', v), 'no value'), (v IS NULL)::text || note "
    "FROM TABLE ORDER BY id";
constexpr char kKeys[] = "SELECT format('%s', v), note FROM k_X ORDER BY v";
constexpr char kGroups[] =
    "SELECT md5(coalesce(v::text, 'no value')) AS k, array_agg(id ORDER BY id)::text FROM "
    "public.s_X "
    "GROUP BY 1 ORDER BY 1";

class ValueTypesTest : public ::testing::Test {
 protected:
  void Start(const std::string& new_bin_dir) {
    ASSERT_OK_AND_ASSIGN(old_db_, MiniPostgres::Start());
    ASSERT_OK_AND_ASSIGN(new_db_, MiniPostgres::Start({.bin_dir = new_bin_dir}));
    for (MiniPostgres* server : {old_db_.get(), new_db_.get()}) {
      ASSERT_OK(server->CreateDatabase("app"));
      ASSERT_OK(server->Execute("app", kValueTypesSetup));
    }
    ASSERT_OK_AND_ASSIGN(old_, old_db_->Connect("app"));
    ASSERT_OK_AND_ASSIGN(new_, new_db_->Connect("app"));
    for (const ValueType& type : types_) {
      ASSERT_OK(old_->Execute(For(type, kOldTables, kKeyTable))) << type.name;
      ASSERT_OK(new_->Execute(For(type, kNewTables, kKeyTable))) << type.name;
    }
    for (const ValueType& type : types_) {  // when all tables are there, for regclass
      ASSERT_OK(old_->Execute(For(type, ValuesOf(type), ""))) << type.name;
      ASSERT_OK(old_->Execute(For(type, kBeforeTheCopy, kKeysBeforeTheCopy))) << type.name;
    }
    ASSERT_OK(old_->Execute(kOldHabits));
    ASSERT_OK(new_->Execute(kNewHabits));
    ASSERT_NO_FATAL_FAILURE(StartPipeline());
  }

  void StartPipeline() {
    const std::string file = folder_.path() + "/migration.yaml";
    std::string text =
        "migration: types\nold: {dsn_env: OLD_DSN}\nnew: {dsn_env: NEW_DSN}\n"
        "capture: {heartbeat: 200ms}\nforward:\n";
    for (const ValueType& type : types_) text += For(type, kMapping, kKeyMapping);
    std::ofstream(file) << text;
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Options{.migration_file = file,
                                                             .old_dsn = old_db_->dsn("app"),
                                                             .new_dsn = new_db_->dsn("app"),
                                                             .stream = "types.forward",
                                                             .log_folder = folder_.path()});
    ASSERT_OK(pipeline_->Prepare());
    ASSERT_OK(pipeline_->Start("run"));
  }

  static std::string For(const ValueType& type, const std::string& all, const std::string& keys) {
    return absl::StrReplaceAll(
        absl::StrCat(all, type.orderable ? keys : ""),
        {{"_X", absl::StrCat("_", type.name)}, {" TYPE", absl::StrCat(" ", type.type)}});
  }

  // Number 0 is NULL, where the type can be.
  static std::string ValuesOf(const ValueType& type) {
    std::string sql;
    if (type.name != "citext_domain") sql = "INSERT INTO v_X VALUES (0, NULL);";
    for (size_t i = 0; i < type.values.size(); ++i) {
      absl::StrAppend(&sql, "INSERT INTO v_X VALUES (", i + 1, ", ", type.values[i], ");");
    }
    return sql;
  }

  static std::vector<std::string> Rows(pg::Session& session, const std::string& sql) {
    const absl::StatusOr<pg::Result> result = session.Query(sql);
    if (!result.ok()) return {"error: " + std::string(result.status().message())};
    std::vector<std::string> rows;
    for (int i = 0; i < result->rows(); ++i) {
      std::string& row = rows.emplace_back();
      for (int c = 0; c < result->columns(); ++c) absl::StrAppend(&row, result->str(i, c), " | ");
      if (row.size() > 400)
        row = absl::StrCat(row.substr(0, 300), "... ", std::hash<std::string>()(row));
    }
    return rows;
  }

  void ExpectEqualTexts(const std::string& when) {
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    EXPECT_EQ(Rows(*new_, "SELECT target, operation, sqlstate, error FROM switchyard.quarantine"),
              std::vector<std::string>());
    for (const ValueType& type : types_) {
      const std::string where = absl::StrCat(type.type, " ", when);
      for (const char* table : {"s_", "m_"}) {
        const std::vector<std::string> expected =
            Rows(*old_, absl::StrReplaceAll(kValues, {{"TABLE", "s_" + type.name}}));
        EXPECT_EQ(Rows(*new_, absl::StrReplaceAll(kValues, {{"TABLE", table + type.name}})),
                  expected)
            << where << ", table " << table;
        EXPECT_GE(expected.size(), type.values.size() * 4) << where;
      }
      // A name of an object is carried with its schema.
      ASSERT_OK(old_->Execute("SET search_path = pg_catalog"));
      EXPECT_EQ(Rows(*new_, "SELECT k, ids::text FROM g_" + type.name + " ORDER BY k"),
                Rows(*old_, For(type, kGroups, "")))
          << where << ", grouped";
      ASSERT_OK(old_->Execute("RESET search_path"));
      if (!type.orderable) continue;
      EXPECT_EQ(Rows(*new_, For(type, kKeys, "")), Rows(*old_, For(type, kKeys, "")))
          << where << ", as key";
    }
  }

  void FollowThroughCopyAndStream() {
    ExpectEqualTexts("in the copy");
    if (HasFatalFailure()) return;
    for (size_t i = 0; i < std::size(kWhileStreaming); ++i) {
      std::string sql;
      for (const ValueType& type : types_) {
        sql += For(type, kWhileStreaming[i], kKeysWhileStreaming[i]);
      }
      ASSERT_OK(old_->Execute(sql));
    }
    ExpectEqualTexts("in the stream");
    ASSERT_OK_AND_ASSIGN(const ProgramResult verified,
                         RunSwitchyard({"verify", folder_.path() + "/migration.yaml"},
                                       pipeline_->environment(), absl::Minutes(3)));
    EXPECT_EQ(verified.exit_code, 0) << verified.output;
    EXPECT_OK(pipeline_->Stop());
  }

  const std::vector<ValueType> types_ = ValueTypes();
  const TempDir folder_;
  std::unique_ptr<MiniPostgres> old_db_;
  std::unique_ptr<MiniPostgres> new_db_;
  std::unique_ptr<pg::Session> old_;
  std::unique_ptr<pg::Session> new_;
  std::unique_ptr<Pipeline> pipeline_;
};

TEST_F(ValueTypesTest, EveryTypeArrivesWithAnEqualText) {
  ASSERT_NO_FATAL_FAILURE(Start(""));
  FollowThroughCopyAndStream();
}

TEST_F(ValueTypesTest, EveryTypeArrivesOnPostgres18WithAnEqualText) {
  const std::string bin_dir = PostgresBinaries(18);
  if (bin_dir.empty()) GTEST_SKIP() << "SWITCHYARD_PG18_BIN is not set; scripts/test sets it";
  ASSERT_NO_FATAL_FAILURE(Start(bin_dir));
  FollowThroughCopyAndStream();
}

}  // namespace
}  // namespace switchyard::testing
