// Promise 2: NEW is always a state OLD was in. Transfers move money between two tables, one copied
// row by row, one recomputed from the mirror; every single read of NEW must see the same total,
// and what a transfer writes into a third table must be there with it.
#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/base/wait/cancel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/pipeline.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace switchyard::testing {
namespace {

constexpr int kAccounts = 50;
constexpr int kStart = 1000;
constexpr int kStatesMin = 200;  // to be seen by the reader
constexpr int kKillEvery = 40;   // of these
constexpr absl::Duration kPause = absl::Milliseconds(1);

constexpr char kOld[] = R"sql(
  CREATE TABLE cash (id int PRIMARY KEY, amount int NOT NULL);
  CREATE TABLE cards (id int PRIMARY KEY, owner int NOT NULL, amount int NOT NULL);
  CREATE TABLE transfers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount int);
  INSERT INTO cash SELECT n, 1000 FROM generate_series(1, 50) n;
  INSERT INTO cards SELECT n, n % 10, 1000 FROM generate_series(1, 50) n;
)sql";

constexpr char kNew[] = R"sql(
  CREATE TABLE cash (id int PRIMARY KEY, amount int NOT NULL);
  CREATE TABLE card_totals (owner int PRIMARY KEY, amount bigint NOT NULL);
  CREATE TABLE transfers (id bigint PRIMARY KEY, amount int);
)sql";

constexpr char kMigration[] = R"yaml(
migration: money
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
capture: {heartbeat: 200ms}
forward:
  - {table: public.cash, copy: cash}
  - table: public.card_totals
    scope: owner
    from: {cards: owner}
    select: SELECT owner, sum(amount) AS amount FROM cards GROUP BY owner
  - {table: public.transfers, copy: transfers}
)yaml";

// All money, and the money on cards less what went there: the first never changes, the second only
// with a transfer that is visible as well.
constexpr char kRead[] =
    "SELECT (SELECT sum(amount) FROM cash) + (SELECT sum(amount) FROM card_totals), "
    "(SELECT sum(amount) FROM card_totals) - (SELECT coalesce(sum(amount), 0) FROM transfers), "
    "(SELECT count(*) FROM transfers)";

class PrefixTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(file_) << kMigration;
    ASSERT_OK_AND_ASSIGN(old_db_, MiniPostgres::Start({.settings = {{"wal_level", "logical"}}}));
    ASSERT_OK_AND_ASSIGN(new_db_, MiniPostgres::Start());
    ASSERT_OK(old_db_->Execute("postgres", kOld));
    ASSERT_OK(new_db_->Execute("postgres", kNew));
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Options{.migration_file = file_,
                                                             .old_dsn = old_db_->dsn(),
                                                             .new_dsn = new_db_->dsn(),
                                                             .stream = "money.forward",
                                                             .log_folder = folder_.path()});
    ASSERT_OK(pipeline_->Prepare());
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
  }

  // Transfers until told to stop; each a transaction over three tables.
  void Transfer(int writer) {
    ASSERT_OK_AND_ASSIGN(const auto session,
                         old_db_->Connect("postgres", {{"deadlock_timeout", "20ms"}}));
    for (int i = writer; !stop_; i += 7) {
      const int amount = i % 13 - 6;
      const absl::Status done = session->Execute(
          absl::StrFormat("BEGIN; UPDATE cash SET amount = amount - %1$d WHERE id = %2$d;"
                          "INSERT INTO transfers (amount) VALUES (%1$d);"
                          "UPDATE cards SET amount = amount + %1$d WHERE id = %3$d; COMMIT",
                          amount, 1 + i % kAccounts, 1 + i * 17 % kAccounts));
      if (!done.ok()) session->Rollback();
      never_.WaitFor(kPause);
    }
  }

  // Reads until enough states of NEW were seen. Meanwhile the program is killed now and then; what
  // readers see must not show it.
  absl::Status ReadStates() {
    ASSIGN_OR_RETURN(const auto session, new_db_->Connect());
    int states = 0;
    int64_t last_count = -1;
    while (states < kStatesMin && !HasFailure()) {
      ASSIGN_OR_RETURN(const pg::Result row, session->Query(kRead));
      EXPECT_EQ(row.i64(0, 0), 2 * kAccounts * kStart);
      EXPECT_EQ(row.i64(0, 1), kAccounts * kStart);
      EXPECT_GE(row.i64(0, 2), last_count) << "NEW went back in time";
      if (row.i64(0, 2) == last_count) {
        never_.WaitFor(kPause);
        continue;
      }
      last_count = row.i64(0, 2);
      if (++states % kKillEvery == 0) {
        pipeline_->Kill("run");
        RETURN_IF_ERROR(pipeline_->Start("run"));
      }
    }
    return absl::OkStatus();
  }

  const Cancel never_;
  const TempDir folder_;
  const std::string file_ = folder_.path() + "/migration.yaml";
  std::unique_ptr<MiniPostgres> old_db_;
  std::unique_ptr<MiniPostgres> new_db_;
  std::unique_ptr<Pipeline> pipeline_;
  std::atomic<bool> stop_ = false;
};

TEST_F(PrefixTest, EveryReadOfNewSeesWholeTransactions) {
  std::thread writers[] = {std::thread([this] { Transfer(0); }),
                           std::thread([this] { Transfer(3); })};
  const absl::Status seen = ReadStates();
  stop_ = true;
  for (std::thread& writer : writers) writer.join();
  ASSERT_OK(seen);
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_OK(pipeline_->Stop());
}

}  // namespace
}  // namespace switchyard::testing
