// One migration between servers of two versions, by the least privileged logins there are: from the
// printed setup on, through copy, stream, kills, drift, re-copies and resume, on an OLD that falls
// idle again and again. The pairs are those of $SWITCHYARD_PAIRS ("12:14 13:18"), else a few; one
// whose servers are not there is skipped.
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_fixture.h"
#include "tests/support/await.h"
#include "tests/support/pipeline.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Pair {
  int old_version = 0;
  int new_version = 0;
};
std::ostream& operator<<(std::ostream& out, const Pair& pair) {
  return out << pair.old_version << ":" << pair.new_version;
}

std::vector<Pair> Pairs() {
  const char* asked = getenv("SWITCHYARD_PAIRS");
  const std::string list = asked == nullptr || *asked == '\0' ? "12:15 15:15 15:18" : asked;
  std::vector<Pair> pairs;
  for (const auto text : absl::StrSplit(list, ' ', absl::SkipEmpty())) {
    const std::vector<std::string> versions = absl::StrSplit(text, ':');
    Pair& pair = pairs.emplace_back();
    if (versions.size() != 2 || !absl::SimpleAtoi(versions[0], &pair.old_version) ||
        !absl::SimpleAtoi(versions[1], &pair.new_version)) {
      std::cerr << "SWITCHYARD_PAIRS: " << list << std::endl;
      abort();
    }
  }
  return pairs;
}

constexpr char kFile[] = R"(
migration: shop
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
capture: {heartbeat: 200ms, drift_check: 200ms}
forward:
  - {table: public.items, copy: items}
  - {table: public.visits, copy: visits}
  - {table: public.log, copy: log}
  - table: public.by_mood
    scope: mood
    from: {items: mood::text}
    select: >-
      SELECT mood::text AS mood, count(*) FILTER (WHERE lower(spans) > 0 OR kind::text = 'none')::int
      AS n, max(body) AS body FROM items GROUP BY 1
)";

constexpr char kTables[] = R"(
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
  CREATE TYPE place AS (street text, number int);
  CREATE DOMAIN cents AS int CHECK (VALUE >= 0);
  CREATE TABLE items (id int PRIMARY KEY, mood mood NOT NULL, price cents, lives place,
    span int4range, spans spanrange, kind spanmultirange, tags text[], body text,
    seen timestamptz DEFAULT '2020-02-02 02:02:02+02',
    doubled int GENERATED ALWAYS AS (id * 2) STORED);
  CREATE TABLE visits (id int, at int NOT NULL, note text, PRIMARY KEY (id, at))
    PARTITION BY RANGE (at);
  CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (100);
  CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM (100) TO (200);
  CREATE TABLE log (code text NOT NULL UNIQUE, body text);
  ALTER TABLE log REPLICA IDENTITY FULL;)";

constexpr char kRows[] = R"(
  ALTER TABLE items ALTER body SET STORAGE EXTERNAL;
  INSERT INTO items (id, mood, price, lives, span, spans, kind, tags, body)
    SELECT i, (ARRAY['sad','ok','glad'])[i % 3 + 1]::mood, i * 100, ROW('Elm', i)::place,
           int4range(i, i + 5), spanrange(i, i + 1), 'one', ARRAY['a', NULL, 'b'],
           repeat('x' || i, 4000)
    FROM generate_series(1, 30) i;
  INSERT INTO visits SELECT i, i * 7 % 200, 'v' || i FROM generate_series(1, 40) i;
  INSERT INTO log SELECT 'c' || i, repeat('y', 3000) FROM generate_series(1, 10) i;)";

constexpr char kAll[] =
    "SELECT md5(string_agg(r, E'\\n' ORDER BY r)) || ' ' || count(*) FROM ("
    "SELECT 'i' || i::text FROM items i UNION ALL SELECT 'v' || v::text FROM visits v "
    "UNION ALL SELECT 'l' || l::text FROM log l) AS every(r)";
constexpr char kMoods[] = "SELECT string_agg(b::text, E'\\n' ORDER BY b::text) FROM by_mood b";
constexpr char kMoodsOfOld[] =
    "SELECT string_agg(b::text, E'\\n' ORDER BY b::text) FROM (SELECT mood, count(*) FILTER "
    "(WHERE lower(spans) > 0 OR kind::text = 'none') AS n, "
    "max(body) AS body FROM items GROUP BY 1) b";

// By this name a server from 14 on would call the multirange of the one unless told otherwise.
std::string RangeTypes(int version) {
  return absl::StrCat("CREATE TYPE spanrange AS RANGE (subtype = float8",
                      version >= 14 ? ", multirange_type_name = spans" : "",
                      "); CREATE TYPE spanmultirange AS ENUM ('none', 'one');");
}

class VersionsTest : public ::testing::TestWithParam<Pair> {
 protected:
  static void TearDownTestSuite() { servers_.clear(); }

  void SetUp() override {
    for (const int version : {GetParam().old_version, GetParam().new_version}) {
      const std::string bin_dir = PostgresBinaries(version);
      if (bin_dir.empty()) {
        GTEST_SKIP() << "SWITCHYARD_PG" << version << "_BIN is not set; scripts/test sets it";
      }
      if (servers_.contains(version)) continue;
      ASSERT_OK_AND_ASSIGN(servers_[version], MiniPostgres::Start({.bin_dir = bin_dir}));
    }
    old_ = servers_[GetParam().old_version].get();
    new_ = servers_[GetParam().new_version].get();
    ASSERT_OK(old_->CreateDatabase("old_db"));
    ASSERT_OK(new_->CreateDatabase("new_db"));
    ASSERT_OK(old_->Execute("old_db", RangeTypes(GetParam().old_version) + kTables));
    ASSERT_OK(old_->Execute("old_db", kRows));
    ASSERT_OK(new_->Execute("new_db", RangeTypes(GetParam().new_version) + kTables));
    ASSERT_OK(new_->Execute("new_db",
                            "CREATE TABLE by_mood (mood text PRIMARY KEY, n int, "
                            "body text)"));
    std::ofstream(file_) << kFile;
  }

  void TearDown() override {
    if (old_ == nullptr) return;
    if (pipeline_ != nullptr) {
      EXPECT_OK(pipeline_->Stop());
      if (HasFailure()) std::cout << pipeline_->Log("run") << std::endl;
    }
    pipeline_.reset();
    EXPECT_OK(Await("the slot is free", absl::Seconds(20), [&]() -> absl::StatusOr<bool> {
      return old_
          ->Execute("old_db",
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
          .ok();
    }));
    for (const auto& [server, name] : {std::pair{old_, "old_db"}, std::pair{new_, "new_db"}}) {
      EXPECT_OK(Await("nobody is in the database", absl::Seconds(20),
                      [&, on = server, db = name]() -> absl::StatusOr<bool> {
                        const std::string database = db;
                        RETURN_IF_ERROR(
                            on->Execute("postgres",
                                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                        "WHERE datname = '" +
                                            database + "'"));
                        return on->Execute("postgres", "DROP DATABASE " + database).ok();
                      }));
    }
  }

  // Both owners run what is printed for them.
  void SetUpOld() {
    const ProgramResult setup = RunCli({"check", "--print-setup", file_}, Owners());
    ASSERT_EQ(setup.exit_code, 0) << setup.output;
    ASSERT_OK(old_->Execute("old_db", setup.output)) << setup.output;
  }
  void Start() {
    ASSERT_NO_FATAL_FAILURE(SetUpOld());
    const ProgramResult setup = RunCli({"check", "--print-setup-new", file_}, Owners());
    ASSERT_EQ(setup.exit_code, 0) << setup.output;
    ASSERT_OK(new_->Execute("new_db", setup.output)) << setup.output;
    const Environment roles = Roles();
    const ProgramResult check = RunCli({"check", file_}, roles);
    ASSERT_EQ(check.exit_code, 0) << check.output;
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Options{.migration_file = file_,
                                                             .old_dsn = roles[0].second,
                                                             .new_dsn = roles[1].second,
                                                             .stream = "shop.forward",
                                                             .log_folder = folder_.path()});
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    ExpectSame();
  }

  Environment Owners() const {
    return {{"OLD_DSN", old_->dsn("old_db")}, {"NEW_DSN", new_->dsn("new_db")}};
  }
  // As the roles that the setup made.
  Environment Roles() const {
    const auto as = [](const std::string& dsn, const char* role) {
      return absl::StrReplaceAll(dsn, {{"user=postgres", ""}}) + " user=" + role;
    };
    return {{"OLD_DSN", as(old_->dsn("old_db"), "switchyard_capture")},
            {"NEW_DSN", as(new_->dsn("new_db"), "switchyard_replay")}};
  }

  void OnOld(const std::string& sql) { ASSERT_OK(old_->Execute("old_db", sql)) << sql; }
  std::string Old(const std::string& sql) const { return Text(old_->Scalar("old_db", sql)); }
  std::string New(const std::string& sql) const { return Text(new_->Scalar("new_db", sql)); }
  static std::string Text(const absl::StatusOr<std::string>& value) {
    return value.ok() ? *value : std::string(value.status().message());
  }

  void ExpectSame() {
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    EXPECT_EQ(New(kAll), Old(kAll));
    EXPECT_EQ(New(kMoods), Old(kMoodsOfOld));
    EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
    // What was started again may not be there yet.
    ProgramResult verified;
    EXPECT_OK(Await("both roles run", absl::Seconds(30), [&]() -> absl::StatusOr<bool> {
      verified = RunCli({"verify", file_}, Roles());
      return verified.output.find(" runs, so NEW") == std::string::npos;
    }));
    EXPECT_EQ(verified.exit_code, 0) << verified.output;
  }
  // Waits until status says, or says no longer, `text`.
  std::string AwaitStatus(const std::string& text, bool there = true) {
    ProgramResult status;
    EXPECT_OK(Await((there ? "status says " : "status says no more ") + text, absl::Seconds(30),
                    [&]() -> absl::StatusOr<bool> {
                      status = RunCli({"status", file_}, Roles());
                      return (status.output.find(text) != std::string::npos) == there;
                    }))
        << status.output;
    return status.output;
  }
  void Recopy(const std::string& table) {
    const ProgramResult recopy = RunCli({"recopy", file_, table, "--wait", "60s"}, Roles());
    ASSERT_EQ(recopy.exit_code, 0) << recopy.output;
    AwaitStatus("suspect", false);
    ExpectSame();
  }

  static std::map<int, std::unique_ptr<MiniPostgres>> servers_;
  MiniPostgres* old_ = nullptr;
  MiniPostgres* new_ = nullptr;
  const TempDir folder_;
  const std::string file_ = folder_.path() + "/shop.yaml";
  std::unique_ptr<Pipeline> pipeline_;
};

std::map<int, std::unique_ptr<MiniPostgres>> VersionsTest::servers_;

TEST_P(VersionsTest, NewFollowsOldThroughKillsAndRests) {
  ASSERT_NO_FATAL_FAILURE(Start());
  // Every kind of change, and values that are not sent again.
  OnOld(
      "BEGIN; UPDATE items SET price = price + 1 WHERE id <= 5;"
      "UPDATE items SET mood = 'glad', body = 'short' WHERE id = 6;"
      "INSERT INTO items (id, mood) VALUES (100, 'sad'); DELETE FROM items WHERE id = 7;"
      "UPDATE items SET id = 108 WHERE id = 8; COMMIT");
  OnOld(
      "UPDATE visits SET at = (at + 100) % 200 WHERE id % 4 = 0; DELETE FROM visits WHERE id = 5;"
      "UPDATE log SET code = code || '!' WHERE code > 'c5'; DELETE FROM log WHERE code = 'c1'");
  ExpectSame();
  // Killed while transactions come, and while nobody is there.
  pipeline_->Kill("run");
  OnOld(
      "INSERT INTO visits SELECT i, i % 200, 'late' FROM generate_series(1000, 3000) i;"
      "UPDATE items SET tags = '{}' WHERE id < 20");
  ASSERT_OK(pipeline_->Start("run"));
  OnOld("DELETE FROM visits WHERE id BETWEEN 1100 AND 1200; UPDATE log SET body = 'z'");
  pipeline_->Kill("run");
  ASSERT_OK(pipeline_->Start("run"));
  ExpectSame();
  // Nothing is kept for a stream that rests, while only others' tables change, nor whatever is done
  // to the table that heartbeats are rows of.
  OnOld("CREATE TABLE others (id int)");
  std::vector<std::string> rests = {"", "INSERT INTO others VALUES (1)"};
  if (GetParam().old_version < 14) {
    rests.insert(rests.end(),
                 {"DELETE FROM switchyard.capture_message", "TRUNCATE switchyard.capture_message",
                  "ALTER PUBLICATION switchyard_shop_forward DROP TABLE switchyard.capture_message",
                  "DROP TABLE switchyard.capture_message"});
  }
  for (const std::string& rest : rests) {
    const std::string end = Old("SELECT pg_current_wal_insert_lsn()");
    OnOld(rest);
    ASSERT_OK(Await("the slot passes " + end, absl::Seconds(20), [&]() -> absl::StatusOr<bool> {
      return Old("SELECT bool_and(confirmed_flush_lsn > '" + end +
                 "') FROM pg_replication_slots WHERE NOT temporary") == "t" &&
             New("SELECT covered_lsn > '" + end + "' FROM switchyard.stream") == "t";
    })) << rest;
  }
  ASSERT_NO_FATAL_FAILURE(SetUpOld());
  OnOld("TRUNCATE log; TRUNCATE visits; INSERT INTO visits VALUES (1, 1, 'after')");
  ExpectSame();
  // What was acknowledged meanwhile is on the log.
  pipeline_->Kill("run");
  ASSERT_OK(pipeline_->Start("run"));
  ExpectSame();
  EXPECT_THAT(AwaitStatus("streaming"), Not(HasSubstr("suspect")));
}

TEST_P(VersionsTest, WhatNoStreamShowsIsSuspectUntilCopiedAgain) {
  ASSERT_NO_FATAL_FAILURE(Start());
  OnOld("ALTER TABLE log ALTER body TYPE text USING upper(body)");
  AwaitStatus("suspect     public.log: rewritten");
  ASSERT_NO_FATAL_FAILURE(Recopy("log"));
  // A partition that brings rows, one that is made, and one that goes.
  ASSERT_OK(new_->Execute("new_db", "CREATE TABLE visits_3 PARTITION OF visits DEFAULT"));
  OnOld(
      "CREATE TABLE visits_4 (id int, at int NOT NULL, note text, PRIMARY KEY (id, at));"
      "INSERT INTO visits_4 SELECT i, 350, 'had' FROM generate_series(1, 5) i;"
      "ALTER TABLE visits ATTACH PARTITION visits_4 FOR VALUES FROM (300) TO (400);"
      "CREATE TABLE visits_3 PARTITION OF visits FOR VALUES FROM (200) TO (300);"
      "INSERT INTO visits SELECT i, 250, 'new' FROM generate_series(500, 510) i;"
      "ALTER TABLE visits DETACH PARTITION visits_1");
  AwaitStatus("partition public.visits_1: detached: its rows left without a DELETE");
  const std::string reasons = Old(
      "SELECT string_agg(reason, ' ') FROM switchyard.capture_suspect WHERE cleared_at IS NULL");
  EXPECT_THAT(reasons, HasSubstr("partition public.visits_4 was attached"));
  if (GetParam().old_version < 13) {
    EXPECT_THAT(reasons, HasSubstr("partition public.visits_3: not in the publication"));
    EXPECT_THAT(RunCli({"check", file_}, Roles()).output, HasSubstr("lacks table public.visits_3"));
  }
  ASSERT_NO_FATAL_FAILURE(SetUpOld());
  ASSERT_NO_FATAL_FAILURE(Recopy("visits"));
  OnOld(
      "UPDATE visits SET note = note || '?'; INSERT INTO visits VALUES (600, 260, 'later');"
      "INSERT INTO visits_1 VALUES (700, 70, 'elsewhere')");
  ExpectSame();
}

// A type that changed in place, and what the mapping makes of it: resume leads out.
TEST_P(VersionsTest, AChangedTypeIsTakenUpByResume) {
  ASSERT_NO_FATAL_FAILURE(Start());
  OnOld("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'");
  ASSERT_OK(new_->Execute("new_db", "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'"));
  AwaitStatus("type public.mood: value ok was renamed to fine");
  ASSERT_OK(pipeline_->Stop());
  OnOld("UPDATE items SET mood = 'fine' WHERE id < 10; DELETE FROM visits WHERE id = 1");
  const ProgramResult resume = RunCli({"resume", file_}, Roles());
  ASSERT_EQ(resume.exit_code, 0) << resume.output;
  ASSERT_OK(pipeline_->Start("run"));
  ExpectSame();
  OnOld("UPDATE items SET mood = 'sad' WHERE id < 5; INSERT INTO visits VALUES (1, 1, 'again')");
  ExpectSame();
}

INSTANTIATE_TEST_SUITE_P(Every, VersionsTest, ::testing::ValuesIn(Pairs()),
                         [](const ::testing::TestParamInfo<Pair>& info) {
                           return absl::StrCat("From", info.param.old_version, "To",
                                               info.param.new_version);
                         });

}  // namespace
}  // namespace switchyard::testing
