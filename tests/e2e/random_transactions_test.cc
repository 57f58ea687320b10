// Random transactions by several connections, over a mapping with merges, splits and foreign keys;
// then NEW is compared with the mapping evaluated over OLD. The seed is printed.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/wait/cancel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/random_schema.h"
#include "tests/support/oracle/oracle.h"
#include "tests/support/pipeline.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace switchyard::testing {
namespace {

constexpr int kWriters = 3;
constexpr int kRounds = 2;
constexpr int kSeeds = 3;                   // tried one after the other
constexpr int kTransactionsPerRound = 100;  // of each writer, twice a round
constexpr int kKeys = 60;                   // few, so that they meet

// The one asked for, or kSeeds of them.
std::vector<uint64_t> Seeds() {
  const char* text = std::getenv("SWITCHYARD_RANDOM_SEED");
  uint64_t seed = 0;
  if (text != nullptr && absl::SimpleAtoi(text, &seed)) return {seed};
  std::vector<uint64_t> seeds;
  for (int i = 0; i < kSeeds; ++i) seeds.push_back(20250101 + i);
  return seeds;
}

// Makes statements; the same seed makes the same ones.
class Writer {
 public:
  explicit Writer(uint64_t seed) : random_(seed) {}

  // One transaction's statements, BEGIN and COMMIT or ROLLBACK around them.
  std::string Transaction() {
    std::string sql = "BEGIN;";
    const int statements = 1 + Below(6);
    for (int i = 0; i < statements; ++i) {
      absl::StrAppend(&sql, Statement(), ";");
      if (Below(20) == 0) {
        absl::StrAppend(&sql, "SAVEPOINT s;", Statement(), ";ROLLBACK TO s;");
      }
    }
    return absl::StrCat(sql, Below(20) == 0 ? "ROLLBACK" : "COMMIT");
  }

 private:
  int Below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  int Key() { return 1 + Below(kKeys); }
  std::string Email() {
    if (Below(12) == 0) return "NULL";
    return KnownEmail();
  }
  std::string KnownEmail() {
    const bool upper = Below(2) == 0;  // the case of a name differs, the address does not
    return upper ? absl::StrFormat("'P%d@x'", Below(20)) : absl::StrFormat("'p%d@X'", Below(20));
  }
  std::string Note() {
    switch (Below(4)) {
      case 0:
        return "NULL";
      case 1:  // too large for its row, and not to be compressed: stored out of line
        return absl::StrFormat(
            "(SELECT string_agg(md5((%d + n)::text), '') FROM generate_series(1, 300) n)",
            Below(1000000));
      default:
        return absl::StrFormat("'note %d'", Below(1000));
    }
  }
  std::string Tags() {
    return absl::StrFormat("ARRAY['t%d', 't%d', 't%d']::text[]", Below(5), Below(5), Below(5));
  }

  std::string Statement() {
    switch (Below(4)) {
      case 0:
        return PeopleStatement();
      case 1:
        return OrderStatement();
      case 2:
        return LineStatement();
      default:
        return OtherStatement();
    }
  }

  std::string PeopleStatement() {
    switch (Below(10)) {
      case 0:
      case 1:
        return absl::StrFormat(
            "INSERT INTO people_a VALUES (%d, %s, 'name %d', NULL, %d.50) ON CONFLICT DO NOTHING",
            Key(), Email(), Below(100), Below(1000));
      case 2:
        return absl::StrFormat("UPDATE people_a SET email = %s WHERE id = %d", Email(), Key());
      case 3:  // a key that moves, and its orders with it
        return absl::StrFormat(
            "UPDATE people_a SET id = %1$d WHERE id = %2$d AND NOT EXISTS (SELECT FROM people_a "
            "WHERE id = %1$d)",
            Key(), Key());
      case 4:
        return absl::StrFormat("DELETE FROM people_a WHERE id = %d", Key());
      case 5:
        return absl::StrFormat("UPDATE people_a SET balance = balance + 1 WHERE id %% 7 = %d",
                               Below(7));
      case 6:
        return absl::StrFormat(
            "INSERT INTO people_b VALUES ('c%1$d', %2$s, 'nick %1$d') ON CONFLICT (code) DO UPDATE "
            "SET email = excluded.email",
            Key(), KnownEmail());
      case 7:
        return absl::StrFormat("DELETE FROM people_b WHERE code = 'c%d'", Key());
      case 8:  // nothing that a mapping reads, or nothing that some of them read
        return absl::StrFormat("UPDATE people_a SET %s %d' WHERE id %% 5 = %d",
                               Below(2) == 0 ? "bio = 'bio" : "name = 'name", Below(100), Below(5));
      default:  // gone and back again under one key
        return absl::StrFormat(
            "DELETE FROM people_b WHERE code = 'c%1$d';"
            "INSERT INTO people_b VALUES ('c%1$d', %2$s, NULL) ON CONFLICT DO NOTHING",
            Key(), KnownEmail());
    }
  }

  std::string OrderStatement() {
    switch (Below(9)) {
      case 0:
      case 1:
      case 2:
        return absl::StrFormat(
            "INSERT INTO orders SELECT %d, (SELECT id FROM people_a WHERE id = %d), 'new', %s, %s, "
            "(SELECT coalesce(max(seq), 0) + 1 FROM orders) ON CONFLICT (id) DO NOTHING",
            Key(), Key(), Note(), Tags());
      case 3:  // leaves a large note as it is
        return absl::StrFormat("UPDATE orders SET state = 's%d' WHERE id = %d", Below(9), Key());
      case 4:
        return absl::StrFormat("UPDATE orders SET note = %s, tags = %s WHERE id = %d", Note(),
                               Tags(), Key());
      case 5:  // two orders trade their unique numbers
        return absl::StrFormat(
            "UPDATE orders o SET seq = p.seq FROM orders p WHERE o.id IN (%1$d, %2$d) AND p.id IN "
            "(%1$d, %2$d) AND o.id <> p.id",
            Key(), Key());
      case 6:
        return absl::StrFormat(
            "UPDATE orders SET id = %1$d WHERE id = %2$d AND NOT EXISTS (SELECT FROM orders WHERE "
            "id = %1$d)",
            Key(), Key());
      case 7:
        return absl::StrFormat("DELETE FROM orders WHERE id = %d", Key());
      default:
        return absl::StrFormat(
            "UPDATE orders SET person_id = (SELECT id FROM people_a WHERE id = %d) WHERE id = %d",
            Key(), Key());
    }
  }

  std::string LineStatement() {
    switch (Below(5)) {
      case 0:
      case 1:
        return absl::StrFormat(
            "INSERT INTO lines SELECT id, %d, 'product', %d FROM orders WHERE id %% 10 = %d ON "
            "CONFLICT (order_id, line_no) DO UPDATE SET quantity = lines.quantity + 1",
            Below(4), Below(100), Below(10));
      case 2:
        return absl::StrFormat("UPDATE lines SET %s WHERE line_no = %d",
                               Below(2) == 0 ? "quantity = quantity + 1" : "product = 'other'",
                               Below(4));
      case 3:
        return absl::StrFormat("DELETE FROM lines WHERE order_id = %d", Key());
      default:
        return Below(20) == 0
                   ? std::string("TRUNCATE lines")
                   : absl::StrFormat("DELETE FROM lines WHERE order_id = %d AND line_no = %d",
                                     Key(), Below(4));
    }
  }

  std::string OtherStatement() {
    switch (Below(8)) {
      case 0:
        return absl::StrFormat(
            "INSERT INTO tree SELECT %1$d, (SELECT id FROM tree WHERE id = %2$d), 'label %1$d' ON "
            "CONFLICT DO NOTHING",
            Key(), Key());
      case 1:  // any shape will do, circles too
        return absl::StrFormat(
            "UPDATE tree SET parent_id = (SELECT id FROM tree WHERE id = %d) WHERE id = %d", Key(),
            Key());
      case 2:
        return absl::StrFormat("DELETE FROM tree WHERE id = %d", Key());
      case 3:  // two labels change places, by way of a third
        return absl::StrFormat(
            "UPDATE tree SET label = NULL WHERE id = %1$d;"
            "UPDATE tree SET label = 'label %1$d' WHERE id = %2$d AND NOT EXISTS (SELECT FROM tree "
            "WHERE label = 'label %1$d');"
            "UPDATE tree SET label = 'label %2$d' WHERE id = %1$d AND NOT EXISTS (SELECT FROM tree "
            "WHERE label = 'label %2$d')",
            Key(), Key());
      case 4:
      case 5:
        return absl::StrFormat(
            R"(INSERT INTO events (person_id, payload) VALUES (%d, '{"b": 1.0, "a": [%d, null]}'))",
            Key(), Below(100));
      case 6:
        return absl::StrFormat(
            "UPDATE events SET payload = payload || '{\"seen\": %d}' WHERE person_id = %d",
            Below(1000), Key());
      default:
        return absl::StrFormat("DELETE FROM events WHERE person_id = %d", Key());
    }
  }

  std::mt19937_64 random_;
};

enum class Keys { kSilent, kHold };

class RandomTransactionsTest : public ::testing::TestWithParam<std::tuple<uint64_t, Keys>> {
 protected:
  void Start() {
    std::cout << "seed " << seed_ << "; again: SWITCHYARD_RANDOM_SEED=" << seed_ << "\n";
    // Of one seed in two the rules are told from the selects.
    const Rules rules = seed_ % 2 == 0 ? Rules::kDeclared : Rules::kDerived;
    std::cout << "rules are " << (rules == Rules::kDerived ? "derived" : "declared") << "\n";
    std::ofstream(file_) << "setup: [new.sql]\n" << RandomMigration(rules);
    std::ofstream(folder_.path() + "/new.sql") << kRandomNew;
    const std::string new_bin_dir = seed_ % 2 == 0 ? PostgresBinaries(18) : "";
    ASSERT_OK_AND_ASSIGN(old_db_, MiniPostgres::Start({.settings = {{"wal_level", "logical"}}}));
    ASSERT_OK_AND_ASSIGN(new_db_, MiniPostgres::Start({.bin_dir = new_bin_dir}));
    std::cout << "NEW is Postgres " << *new_db_->Scalar("postgres", "SHOW server_version") << "\n";
    ASSERT_OK(old_db_->Execute("postgres", kRandomOld));
    ASSERT_OK(new_db_->Execute("postgres", kRandomNew));
    for (int i = 0; i < kWriters; ++i) writers_.emplace_back(seed_ * kWriters + i);
    std::string new_dsn = new_db_->dsn();
    if (std::get<Keys>(GetParam()) == Keys::kHold) {
      ASSERT_OK(new_db_->Execute("postgres", kRandomNewKeys));
      ASSERT_OK_AND_ASSIGN(new_dsn, MakeRoleWithoutSilence(file_, old_db_->dsn(), new_db_->dsn()));
    }
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Options{.migration_file = file_,
                                                             .old_dsn = old_db_->dsn(),
                                                             .new_dsn = new_dsn,
                                                             .stream = "random.forward",
                                                             .log_folder = folder_.path()});
    ASSERT_OK(pipeline_->Prepare());
  }

  // Every writer runs its transactions; those that fail (deadlocks, duplicates) are rolled back.
  void Write(int transactions) {
    std::vector<std::thread> threads;
    for (Writer& writer : writers_) {
      threads.emplace_back([this, &writer, transactions] {
        const auto session = old_db_->Connect("postgres", {{"deadlock_timeout", "20ms"}});
        ASSERT_OK(session);
        for (int i = 0; i < transactions; ++i) {
          const absl::Status done = (*session)->Execute(writer.Transaction());
          if (done.ok()) {
            committed_.fetch_add(1);
          } else {
            ASSERT_TRUE((*session)->alive()) << done.message();
            (*session)->Rollback();
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  void ExpectNewIsTheMappingOfOld() {
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    OracleOptions options{.old_dsn = old_db_->dsn(), .new_dsn = new_db_->dsn()};
    ASSERT_OK_AND_ASSIGN(options.file, spec::LoadMigrationFile(file_));
    ASSERT_OK_AND_ASSIGN(const auto tables, CompareWithMapping(options));
    for (const TableComparison& table : tables) EXPECT_TRUE(table.equal()) << table.ToString();
    ASSERT_OK_AND_ASSIGN(const int64_t quarantined, pipeline_->Quarantined());
    EXPECT_EQ(quarantined, 0);
  }

  const uint64_t seed_ = std::get<uint64_t>(GetParam());
  const TempDir folder_;
  const std::string file_ = folder_.path() + "/migration.yaml";
  std::unique_ptr<MiniPostgres> old_db_;
  std::unique_ptr<MiniPostgres> new_db_;
  std::vector<Writer> writers_;
  std::atomic<int> committed_ = 0;
  std::unique_ptr<Pipeline> pipeline_;
};

TEST_P(RandomTransactionsTest, NewIsTheMappingOfOld) {
  ASSERT_NO_FATAL_FAILURE(Start());
  Write(kTransactionsPerRound);
  ASSERT_OK(pipeline_->Start("run"));
  for (int round = 0; round < kRounds; ++round) {
    Write(kTransactionsPerRound);  // in the first round the copy is under way
    pipeline_->Kill("run");
    ASSERT_OK(pipeline_->Start("run"));
    Write(kTransactionsPerRound);
    ASSERT_NO_FATAL_FAILURE(ExpectNewIsTheMappingOfOld());
    if (HasFailure()) break;
  }
  EXPECT_GT(committed_, kWriters * kTransactionsPerRound * kRounds);
  EXPECT_OK(pipeline_->Stop());
}

INSTANTIATE_TEST_SUITE_P(KeysAreSilent, RandomTransactionsTest,
                         ::testing::Combine(::testing::ValuesIn(Seeds()),
                                            ::testing::Values(Keys::kSilent)));
INSTANTIATE_TEST_SUITE_P(KeysHold, RandomTransactionsTest,
                         ::testing::Combine(::testing::ValuesIn(Seeds()),
                                            ::testing::Values(Keys::kHold)));

}  // namespace
}  // namespace switchyard::testing
