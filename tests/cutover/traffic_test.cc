// Traffic switches before two real clusters: Debian's PgBouncer and HAProxy.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "common/pg/console.h"
#include "cutover/traffic/haproxy.h"
#include "cutover/traffic/pgbouncer.h"
#include "cutover/traffic/switches.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/await.h"
#include "tests/support/server/mini_pgbouncer.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/server/subprocess.h"
#include "tests/support/status_matchers.h"

namespace switchyard::cutover {
namespace {

using ::switchyard::testing::Await;
using ::switchyard::testing::MiniPgBouncer;
using ::switchyard::testing::MiniPostgres;
using ::testing::HasSubstr;

constexpr absl::Duration kLimit = absl::Seconds(20);
constexpr char kWho[] = "SELECT current_setting('cluster_name') AS who";

std::string TextOf(const absl::Status& status) { return std::string(status.message()); }

// Through whatever `dsn` leads through: the name of the cluster that answers, or why none does.
std::string Who(const std::string& dsn) {
  const absl::Time deadline = absl::Now() + kLimit;
  const auto client = pg::Console::Connect(dsn, deadline);
  if (!client.ok()) return TextOf(client.status());
  const auto rows = (*client)->Run(kWho, deadline);
  return rows.ok() ? rows->at(0).at("who") : TextOf(rows.status());
}

class TrafficTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_OK_AND_ASSIGN(old_, MiniPostgres::Start({.settings = {{"cluster_name", "old"}}}));
    ASSERT_OK_AND_ASSIGN(new_, MiniPostgres::Start({.settings = {{"cluster_name", "new"}}}));
  }
  static void TearDownTestSuite() {
    old_.reset();
    new_.reset();
  }

  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(folder_, testing::MakeTempFolder("sytraffic"));
    const testing::User user = testing::UnprivilegedUser();
    ASSERT_EQ(chown(folder_.c_str(), user.uid, user.gid), 0);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::string TargetOf(const MiniPostgres& server) {
    return absl::StrFormat("host=%s port=%d dbname=postgres", server.folder(), server.port());
  }

  static std::unique_ptr<MiniPostgres> old_;
  static std::unique_ptr<MiniPostgres> new_;
  std::string folder_;
};

std::unique_ptr<MiniPostgres> TrafficTest::old_;
std::unique_ptr<MiniPostgres> TrafficTest::new_;

// --- PgBouncer

class PgBouncerTest : public TrafficTest {
 protected:
  void Begin(const std::string& pool_mode = "transaction", const std::string& more = "") {
    file_ = folder_ + "/shop.ini";
    ASSERT_OK(testing::AppendToFile(
        file_, "; written by switchyard: shop\n[databases]\nshop = " + TargetOf(*old_) + "\n"));
    auto pooler = MiniPgBouncer::Start(
        *old_, pool_mode, "admin_users = postgres\n" + more + "\n%include " + file_ + "\n");
    if (absl::IsNotFound(pooler.status())) GTEST_SKIP() << "pgbouncer is not installed";
    ASSERT_OK(pooler.status());
    pooler_ = *std::move(pooler);
    switch_ = Make();
  }

  std::unique_ptr<PgBouncer> Make() {
    return std::make_unique<PgBouncer>(PgBouncerOptions{.name = "web",
                                                        .console_dsn = pooler_->dsn("pgbouncer"),
                                                        .database = "shop",
                                                        .file = file_,
                                                        .old_target = TargetOf(*old_),
                                                        .new_target = TargetOf(*new_),
                                                        .probe_dsn = pooler_->dsn("shop"),
                                                        .timeout = kLimit});
  }

  std::string client() const { return pooler_->dsn("shop", "postgres"); }

  std::string file_;
  std::unique_ptr<MiniPgBouncer> pooler_;
  std::unique_ptr<PgBouncer> switch_;
};

TEST_F(PgBouncerTest, ClientsThatComeInTheMiddleWaitAndAreServedByTheOther) {
  Begin();
  ASSERT_EQ(Who(client()), "old");
  ASSERT_OK(switch_->Verify(Side::kOld, kLimit));
  ASSERT_OK(switch_->Hold(1, kLimit));
  EXPECT_FALSE(switch_->Verify(Side::kOld, kLimit).ok()) << "it holds its clients";
  std::vector<std::string> answers(8);
  std::vector<std::thread> clients;
  for (auto& answer : answers) clients.emplace_back([&] { answer = Who(client()); });
  ASSERT_OK(switch_->Flip(Side::kNew, 1, kLimit));
  for (std::thread& thread : clients) thread.join();
  for (const auto& answer : answers) EXPECT_EQ(answer, "new");
  EXPECT_OK(switch_->Verify(Side::kNew, kLimit));
  EXPECT_THAT(TextOf(switch_->Verify(Side::kOld, kLimit)), HasSubstr("not to OLD"));
  EXPECT_OK(switch_->Flip(Side::kNew, 2, kLimit)) << "right to call again";
  EXPECT_OK(switch_->Flip(Side::kOld, 3, kLimit)) << "and back";
  EXPECT_EQ(Who(client()), "old");
}

TEST_F(PgBouncerTest, APauseThatHangsIsGivenUpAndThePoolsRun) {
  Begin();
  const absl::Time deadline = absl::Now() + kLimit;
  ASSERT_OK_AND_ASSIGN(const auto busy, pg::Console::Connect(client(), deadline));
  ASSERT_OK(busy->Run("BEGIN", deadline).status());
  const absl::Status held = switch_->Hold(1, absl::Milliseconds(300));
  EXPECT_TRUE(absl::IsDeadlineExceeded(held)) << held;
  EXPECT_EQ(Who(client()), "old");
  EXPECT_OK(switch_->Verify(Side::kOld, kLimit));
  EXPECT_OK(busy->Run("COMMIT", deadline).status());
  EXPECT_OK(switch_->Hold(2, kLimit));
  EXPECT_OK(switch_->Resume(2, kLimit));
}

TEST_F(PgBouncerTest, APauseThatADeadDriverLeftIsResumedByAnother) {
  Begin();
  ASSERT_OK(switch_->Hold(1, kLimit));
  switch_ = Make();
  EXPECT_THAT(TextOf(switch_->Verify(Side::kOld, kLimit)), HasSubstr("paused"));
  EXPECT_OK(switch_->Resume(2, kLimit));
  EXPECT_OK(switch_->Resume(3, kLimit)) << "right to call where nobody is held";
  EXPECT_OK(switch_->Verify(Side::kOld, kLimit));
  EXPECT_EQ(Who(client()), "old");
}

TEST_F(PgBouncerTest, AFileThatIsNotOursIsNotTouched) {
  Begin();
  ASSERT_EQ(truncate(file_.c_str(), 0), 0);
  ASSERT_OK(testing::AppendToFile(file_, "[databases]\nshop = host=elsewhere\n"));
  EXPECT_THAT(TextOf(switch_->Flip(Side::kNew, 1, kLimit)), HasSubstr("not this switch's"));
  EXPECT_THAT(testing::ReadFileOrEmpty(file_), HasSubstr("elsewhere"));
}

TEST_F(PgBouncerTest, SettingsThatFitPass) {
  Begin();
  EXPECT_OK(switch_->CheckSettings(absl::Seconds(2), kLimit));
}

TEST_F(PgBouncerTest, SettingsThatDoNotFitAreAllTold) {
  Begin("session", "query_wait_timeout = 1");
  const std::string told = TextOf(switch_->CheckSettings(absl::Seconds(2), kLimit));
  EXPECT_THAT(told, HasSubstr("pool_mode = transaction"));
  EXPECT_THAT(told, HasSubstr("query_wait_timeout is 1s"));
}

TEST_F(PgBouncerTest, OneOfTwoThatDoesNotAnswerKeepsBothFromBeingHeld) {
  Begin();
  std::vector<std::unique_ptr<Switch>> list;
  list.push_back(Make());
  list.push_back(std::make_unique<PgBouncer>(
      PgBouncerOptions{.name = "gone",
                       .console_dsn = "host=" + folder_ + " port=1 dbname=pgbouncer",
                       .database = "shop"}));
  Switches both(std::move(list), 2);
  EXPECT_THAT(TextOf(both.Hold(1, kLimit)), HasSubstr("gone: "));
  EXPECT_OK(switch_->Verify(Side::kOld, kLimit));
  std::vector<std::unique_ptr<Switch>> one;
  one.push_back(Make());
  Switches fewer(std::move(one), 2);
  EXPECT_THAT(TextOf(fewer.Verify(Side::kOld, kLimit)), HasSubstr("1 traffic switches are known"));
}

// --- HAProxy

class HaProxyTest : public TrafficTest {
 protected:
  void SetUp() override {
    TrafficTest::SetUp();
    constexpr char kProgram[] = "/usr/sbin/haproxy";
    if (access(kProgram, X_OK) != 0) GTEST_SKIP() << "haproxy is not installed";
    ASSERT_OK(testing::AppendToFile(
        folder_ + "/cfg",
        absl::StrFormat("global\n  stats socket %s/admin mode 600 level admin\n  maxconn 100\n"
                        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n"
                        "  timeout server 1m\n"
                        "frontend pg\n  bind unix@%s/.s.PGSQL.7000\n  default_backend pg\n"
                        "backend pg\n  server a unix@%s/.s.PGSQL.%d\n"
                        "  server b unix@%s/.s.PGSQL.%d disabled\n",
                        folder_, folder_, old_->folder(), old_->port(), new_->folder(),
                        new_->port())));
    ASSERT_OK_AND_ASSIGN(pid_, testing::Spawn({.argv = {"/usr/bin/setpriv", "--pdeathsig", "KILL",
                                                        kProgram, "-db", "-f", folder_ + "/cfg"},
                                               .output_path = folder_ + "/log",
                                               .drop_root = true}));
    switch_ = std::make_unique<HaProxy>(HaProxyOptions{.name = "edge",
                                                       .socket = folder_ + "/admin",
                                                       .backend = "pg",
                                                       .old_server = "a",
                                                       .new_server = "b",
                                                       .timeout = kLimit});
    ASSERT_OK(Await("haproxy", kLimit, [&]() -> absl::StatusOr<bool> {
      return switch_->Verify(Side::kOld, kLimit).ok();
    })) << testing::ReadFileOrEmpty(folder_ + "/log");
  }
  void TearDown() override {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    TrafficTest::TearDown();
  }

  std::string client() const {
    return absl::StrFormat("host=%s port=7000 user=postgres dbname=postgres", folder_);
  }

  pid_t pid_ = -1;
  std::unique_ptr<HaProxy> switch_;
};

TEST_F(HaProxyTest, SendsNewSessionsToTheOtherAndEndsTheOldOnes) {
  const absl::Time deadline = absl::Now() + kLimit;
  ASSERT_EQ(Who(client()), "old");
  ASSERT_OK_AND_ASSIGN(const auto old_session, pg::Console::Connect(client(), deadline));
  ASSERT_OK(old_session->Run(kWho, deadline).status());
  ASSERT_OK(switch_->Hold(1, kLimit));
  ASSERT_OK(switch_->Flip(Side::kNew, 1, kLimit));
  EXPECT_TRUE(absl::IsUnavailable(old_session->Run(kWho, deadline).status()));
  EXPECT_EQ(Who(client()), "new");
  EXPECT_OK(switch_->Verify(Side::kNew, kLimit));
  EXPECT_THAT(TextOf(switch_->Verify(Side::kOld, kLimit)), HasSubstr("do not go to OLD alone"));
  ASSERT_OK(switch_->Flip(Side::kOld, 2, kLimit));
  ASSERT_OK(switch_->Flip(Side::kOld, 2, kLimit)) << "right to call again";
  EXPECT_EQ(Who(client()), "old");
}

TEST_F(HaProxyTest, ServersThatItDoesNotHaveAreNamed) {
  HaProxy wrong({.name = "edge",
                 .socket = folder_ + "/admin",
                 .backend = "pg",
                 .old_server = "a",
                 .new_server = "c",
                 .timeout = kLimit});
  EXPECT_THAT(TextOf(wrong.Verify(Side::kOld, kLimit)), HasSubstr("two servers a and c"));
}

TEST_F(HaProxyTest, OneThatIsGoneIsUnavailable) {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
  EXPECT_TRUE(absl::IsUnavailable(switch_->Hold(1, kLimit)));
}

}  // namespace
}  // namespace switchyard::cutover
