// OLD with a physical standby that is promoted: the stream goes on where the standby has its slot
// and all that was captured; else it says what is lost, and the copy of everything leads out.
#include <atomic>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
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

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kFile[] = R"(
migration: shop
old: {dsn_env: OLD_DSN}
new: {dsn_env: NEW_DSN}
capture: {heartbeat: 200ms, drift_check: 200ms%s}
forward:
  - {table: public.items, copy: items}
)";
constexpr char kTable[] = "CREATE TABLE items (id int PRIMARY KEY, v int NOT NULL)";
constexpr char kAll[] =
    "SELECT count(*) || ' ' || coalesce(md5(string_agg(i::text, ',' ORDER BY id)), '') FROM items "
    "i";
constexpr char kSlot[] = "switchyard_shop_forward";

// Somebody who writes all the time, to whichever server takes it.
class Writer {
 public:
  explicit Writer(std::string dsn) : dsn_(std::move(dsn)), thread_([this] { Run(); }) {}
  ~Writer() {
    stop_ = true;
    thread_.join();
  }
  int written() const { return written_; }

 private:
  void Run() {
    const Cancel cancel;
    int id = 1000;
    while (!stop_) {
      const auto session = pg::Session::Connect({.dsn = dsn_}, cancel);
      if (!session.ok()) continue;
      absl::Status ok;
      while (!stop_ && ok.ok()) {
        ++id;
        ok = (*session)->Execute(absl::StrFormat(
            "BEGIN; INSERT INTO public.items VALUES (%d, 0); UPDATE public.items SET v = v + 1 "
            "WHERE id = %d; "
            "DELETE FROM public.items WHERE id = %d; COMMIT",
            id, id - 1, id - 20));
        if (ok.ok()) ++written_;
      }
    }
  }

  const std::string dsn_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> written_ = 0;
  std::thread thread_;
};

class FailoverTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    const std::string bin_dir = PostgresBinaries(GetParam());
    if (bin_dir.empty()) {
      GTEST_SKIP() << "SWITCHYARD_PG" << GetParam() << "_BIN is not set; scripts/test sets it";
    }
    ASSERT_OK_AND_ASSIGN(primary_, MiniPostgres::Start({.bin_dir = bin_dir}));
    ASSERT_OK_AND_ASSIGN(new_, MiniPostgres::Start());
    ASSERT_OK(primary_->CreateDatabase("old_db"));
    ASSERT_OK(new_->CreateDatabase("new_db"));
    ASSERT_OK(primary_->Execute("old_db", kTable));
    ASSERT_OK(primary_->Execute("old_db",
                                "INSERT INTO items SELECT i, 0 FROM "
                                "generate_series(1, 500) i"));
    ASSERT_OK(new_->Execute("new_db", kTable));
    ASSERT_OK_AND_ASSIGN(standby_, MiniPostgres::StartStandby(*primary_, "first_standby"));
    either_ =
        absl::StrFormat("host=%s,%s port=%d,%d dbname=old_db target_session_attrs=read-write",
                        primary_->folder(), standby_->folder(), primary_->port(), standby_->port());
  }
  void TearDown() override {
    if (pipeline_ != nullptr && HasFailure()) {
      std::cout << pipeline_->Log("run") << "\nstandby:\n" << standby_->log() << std::endl;
    }
    pipeline_.reset();
  }

  void WriteFile(const std::string& capture) {
    std::ofstream(file_) << absl::StrReplaceAll(kFile, {{"%s", capture}});
  }
  Environment environment() const {
    return {{"OLD_DSN", either_ + " user=switchyard_capture"}, {"NEW_DSN", new_->dsn("new_db")}};
  }
  // The copy is in NEW, and the stream goes on. `capture`: more of that section of the file.
  void Begin(const std::string& capture) {
    WriteFile(capture);
    const ProgramResult setup =
        RunCli({"check", "--print-setup", file_},
               {{"OLD_DSN", primary_->dsn("old_db")}, {"NEW_DSN", new_->dsn("new_db")}});
    ASSERT_EQ(setup.exit_code, 0) << setup.output;
    ASSERT_OK(primary_->Execute("old_db", setup.output));
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Options{.migration_file = file_,
                                                             .old_dsn = environment()[0].second,
                                                             .new_dsn = environment()[1].second,
                                                             .stream = "shop.forward",
                                                             .log_folder = folder_.path()});
    ASSERT_OK(pipeline_->Start("run"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
  }
  void AwaitSlotOnStandby() {
    // The slot has to pass where the standby is, which takes a running server's bookkeeping.
    ASSERT_OK(Await("the standby has the slot", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
      RETURN_IF_ERROR(primary_->Execute("old_db", "SELECT pg_log_standby_snapshot()"));
      ASSIGN_OR_RETURN(const std::string there,
                       standby_->Scalar("postgres", absl::StrFormat("SELECT synced AND NOT "
                                                                    "temporary FROM "
                                                                    "pg_replication_slots WHERE "
                                                                    "slot_name = '%s'",
                                                                    kSlot)));
      return there == "t";
    }));
  }
  void Promote() {
    ASSERT_OK_AND_ASSIGN(const std::string promoted,
                         standby_->Scalar("postgres", "SELECT pg_promote()"));
    ASSERT_EQ(promoted, "t");
  }
  std::string Old(const std::string& sql) { return ValueOf(*standby_, "old_db", sql); }
  static std::string ValueOf(const MiniPostgres& server, const std::string& database,
                             const std::string& sql) {
    const auto value = server.Scalar(database, sql);
    EXPECT_OK(value);
    return value.value_or("");
  }
  void ExpectEquality() {
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    EXPECT_EQ(ValueOf(*new_, "new_db", kAll), Old(kAll));
  }
  // From the refusal that the running role ended with, by its own next step.
  void ExpectRefusalAndCopyAll(const ::testing::Matcher<std::string>& refusal) {
    ASSERT_OK(Await("the role ends", absl::Seconds(60),
                    [&]() -> absl::StatusOr<bool> { return !pipeline_->process("run")->Alive(); }));
    const ProgramResult status = RunCli({"status", file_}, environment());
    EXPECT_THAT(status.output, AllOf(refusal, HasSubstr("recopy")));
    EXPECT_EQ(status.exit_code, 1);
    const ProgramResult check = RunCli({"check", file_}, environment());
    EXPECT_THAT(check.output, AllOf(refusal, HasSubstr("--all")));
    EXPECT_EQ(check.exit_code, 1);
    const ProgramResult all = RunCli({"recopy", file_, "--all"}, environment());
    ASSERT_EQ(all.exit_code, 0) << all.output;
    ASSERT_OK(pipeline_->Start("run"));
    ExpectEquality();
  }

  std::unique_ptr<MiniPostgres> primary_, standby_, new_;
  std::string either_;  // DSN of both
  TempDir folder_;
  const std::string file_ = folder_.path() + "/shop.yaml";
  std::unique_ptr<Pipeline> pipeline_;
};

// Promise 1.19.
TEST_P(FailoverTest, TheStreamGoesOnWhereTheStandbyHasItsSlot) {
  ASSERT_OK(primary_->Execute("postgres",
                              "ALTER SYSTEM SET synchronized_standby_slots = 'first_standby'"));
  ASSERT_OK(primary_->Execute("postgres", "SELECT pg_reload_conf()"));
  Begin(", failover: true");
  const ProgramResult check = RunCli({"check", file_}, environment());
  EXPECT_THAT(check.output, AllOf(HasSubstr("sync_replication_slots"),
                                  Not(HasSubstr("synchronized_standby_slots is empty"))));
  AwaitSlotOnStandby();
  {
    Writer writer(either_ + " user=postgres");
    ASSERT_OK(Await("it writes", absl::Seconds(60), [&] { return writer.written() > 200; }));
    ASSERT_OK(primary_->Kill());
    Promote();
    const int before = writer.written();
    ASSERT_OK(Await("it writes there", absl::Seconds(60),
                    [&] { return writer.written() > before + 200; }));
  }
  ExpectEquality();
  EXPECT_EQ(Old("SELECT timeline || ' ' || epoch / 1000 || ' ' || (refusal IS NULL)::text FROM "
                "switchyard.capture_stream"),
            "2 1 true");
  EXPECT_EQ(Old("SELECT max(generation) FROM switchyard.capture_copy"), "1");
  EXPECT_EQ(RunCli({"status", file_}, environment()).exit_code, 0);
  // As ever from there on.
  pipeline_->Kill("run");
  ASSERT_OK(standby_->Execute("old_db", "UPDATE items SET v = -1 WHERE id % 2 = 0"));
  ASSERT_OK(pipeline_->Start("run"));
  ExpectEquality();
  const ProgramResult again = RunCli({"recopy", file_, "items"}, environment());
  EXPECT_EQ(again.exit_code, 0) << again.output;
  ASSERT_OK(Await("it is copied again", absl::Seconds(60), [&] {
    return Old("SELECT max(generation) FROM switchyard.capture_copy WHERE state = 'done'") ==
           "1000";
  }));
  ExpectEquality();
  EXPECT_OK(pipeline_->Stop());
}

TEST_P(FailoverTest, AStandbyThatLackedWhatWasCapturedIsAFork) {
  Begin(", failover: true");
  EXPECT_THAT(RunCli({"check", file_}, environment()).output,
              HasSubstr("synchronized_standby_slots is empty"));
  AwaitSlotOnStandby();
  // It follows nobody any more.
  ASSERT_OK(standby_->Execute("postgres", "ALTER SYSTEM SET primary_conninfo = ''"));
  ASSERT_OK(standby_->Execute("postgres", "SELECT pg_reload_conf()"));
  ASSERT_OK(Await("nobody follows", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
    return ValueOf(*standby_, "postgres", "SELECT count(*) FROM pg_stat_wal_receiver") == "0";
  }));
  ASSERT_OK(primary_->Execute("old_db", "INSERT INTO items VALUES (5000, 1)"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ASSERT_EQ(ValueOf(*new_, "new_db", "SELECT count(*) FROM items WHERE id = 5000"), "1");
  ASSERT_OK(primary_->Kill());
  Promote();
  ASSERT_OK(standby_->Execute("old_db", "INSERT INTO items VALUES (6000, 1)"));
  ExpectRefusalAndCopyAll(
      ContainsRegex("forked: the source went on as timeline 2 at 0/[0-9A-F]+, and the log holds "
                    "what timeline 1 had up to 0/[0-9A-F]+, [0-9]+ bytes further"));
  EXPECT_EQ(ValueOf(*new_, "new_db", "SELECT string_agg(id::text, ' ') FROM items WHERE id > 999"),
            "6000");
  EXPECT_OK(pipeline_->Stop());
}

TEST_P(FailoverTest, ASlotThatDidNotComeAlongIsNamed) {
  Begin("");
  ASSERT_OK(Await("the standby has the rest", absl::Seconds(60), [&] {
    return ValueOf(*standby_, "old_db",
                   "SELECT count(*) FROM switchyard.capture_stream WHERE state = 'streaming'") ==
           "1";
  }));
  ASSERT_OK(primary_->Kill());
  Promote();
  ExpectRefusalAndCopyAll(AllOf(HasSubstr("the source is on timeline 2, the stream was begun on 1"),
                                HasSubstr("replication slot switchyard_shop_forward did not come "
                                          "along")));
  EXPECT_OK(pipeline_->Stop());
}

INSTANTIATE_TEST_SUITE_P(Versions, FailoverTest, ::testing::Values(17, 18),
                         [](const auto& info) { return absl::StrCat("On", info.param); });

}  // namespace
}  // namespace switchyard::testing
