// studio-bookings in full: the copy, then the old application's workload, through the program.
#include <csignal>
#include <map>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/oracle/studio_example.h"
#include "tests/support/pipeline.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

constexpr char kStream[] = "studio_bookings.forward";

class StudioTest : public ::testing::Test {
 protected:
  // With `keys_hold` by a role that may not silence NEW's foreign keys.
  void StartExample(StudioExample::Options options, bool keys_hold = false) {
    ASSERT_OK_AND_ASSIGN(example_, StudioExample::Start(std::move(options)));
    std::string new_dsn = example_->new_dsn();
    if (keys_hold) {
      ASSERT_OK_AND_ASSIGN(new_dsn, MakeRoleWithoutSilence(example_->migration_file(),
                                                           example_->old_dsn(), new_dsn));
    }
    pipeline_ =
        std::make_unique<Pipeline>(Pipeline::Options{.migration_file = example_->migration_file(),
                                                     .old_dsn = example_->old_dsn(),
                                                     .new_dsn = new_dsn,
                                                     .stream = kStream,
                                                     .log_folder = example_->folder()});
    ASSERT_OK(pipeline_->Prepare());
  }

  void ExpectNewIsTheMappingOfOld() {
    ASSERT_OK_AND_ASSIGN(const auto tables, example_->Compare());
    for (const TableComparison& table : tables) EXPECT_TRUE(table.equal()) << table.ToString();
    ASSERT_OK_AND_ASSIGN(const int64_t quarantined, pipeline_->Quarantined());
    EXPECT_EQ(quarantined, 0);
  }

  void ExpectExactNumbers() {
    ASSERT_OK_AND_ASSIGN(const auto checks, example_->PostChecks());
    EXPECT_GE(checks.size(), 19u);
    for (const PostCheck& check : checks) EXPECT_EQ(check.observed, check.expected) << check.name;
  }

  std::string NewScalar(const std::string& sql) {
    const auto value = example_->new_db().Scalar("studio", sql);
    EXPECT_OK(value);
    return value.value_or("");
  }

  void MigrateUnderWorkload();

  std::unique_ptr<StudioExample> example_;
  std::unique_ptr<Pipeline> pipeline_;
};

TEST_F(StudioTest, CopyGivesTheExactNumbers) {
  ASSERT_NO_FATAL_FAILURE(StartExample({.scale = 1}));
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ExpectExactNumbers();
  ExpectNewIsTheMappingOfOld();
  EXPECT_OK(pipeline_->Stop());
}

TEST_F(StudioTest, CopyGivesTheExactNumbersWithTheHardCases) {
  ASSERT_NO_FATAL_FAILURE(StartExample({.scale = 1, .nasty = true}));
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ExpectExactNumbers();
  ExpectNewIsTheMappingOfOld();
  // The owner uses Google only; the customer of the same e-mail has a password.
  EXPECT_EQ(NewScalar("SELECT id || coalesce(password_hash, ' has none') FROM users WHERE email = "
                      "'kim@nasty.example'"),
            "o_cnastyowner00000000000k has none");
  EXPECT_EQ(NewScalar("SELECT string_agg(email, ' ' ORDER BY id) FROM users WHERE email LIKE "
                      "'%nal@nasty.example'"),
            "Ünal@nasty.example ünal@nasty.example");
  EXPECT_EQ(NewScalar("SELECT email || ' ' || account_state FROM users u JOIN new_bookings b ON "
                      "u.id = b.customer_id WHERE b.id = 'cnastybooking000000000f'"),
            "cnastybooking000000000f@guest.invalid GUEST");
  EXPECT_EQ(NewScalar("SELECT user_id FROM new_sessions WHERE id = 'cnastysession0000000000c'"),
            "o_cnastyowner0000000000c1");
  EXPECT_OK(pipeline_->Stop());
}

// The cases the specification names, one by one, each a transaction of its own.
TEST_F(StudioTest, PeopleMergeSplitAndMove) {
  ASSERT_NO_FATAL_FAILURE(StartExample({.scale = 1}));
  ASSERT_OK(pipeline_->Start("run"));
  const auto old_app = [&](const std::string& sql) {
    ASSERT_OK(example_->old_db().Execute("studio", sql));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
  };
  const auto user_of = [&](const std::string& booking) {
    return NewScalar("SELECT customer_id || ' ' || booked_as FROM new_bookings WHERE id = '" +
                     booking + "'");
  };
  ASSERT_NO_FATAL_FAILURE(
      old_app("INSERT INTO customers (id, email) VALUES ('cx', 'x@x.example');"
              "INSERT INTO bookings (id, studio_id, customer_id, customer_name, customer_email, "
              "service, starts_at) SELECT 'bx', id, 'cx', 'X', 'X@x.example', 'Yoga', now() FROM "
              "studios LIMIT 1"));
  EXPECT_EQ(user_of("bx"), "c_cx ACCOUNT");
  // An owner signs up with a customer's e-mail: the user's id changes, the booking follows.
  ASSERT_NO_FATAL_FAILURE(
      old_app("INSERT INTO studio_owners (id, email) VALUES ('ox', ' X@x.example')"));
  EXPECT_EQ(user_of("bx"), "o_ox ACCOUNT");
  // An e-mail edit splits them again.
  ASSERT_NO_FATAL_FAILURE(
      old_app("UPDATE studio_owners SET email = 'other@x.example' WHERE id = 'ox'"));
  EXPECT_EQ(user_of("bx"), "c_cx ACCOUNT");
  // The customer goes: the booking is a guest's, by the e-mail that was typed.
  ASSERT_NO_FATAL_FAILURE(old_app("DELETE FROM customers WHERE id = 'cx'"));
  EXPECT_EQ(user_of("bx"), "g_" + NewScalar("SELECT md5('x@x.example')") + " GUEST");
  // The guest signs up, under another id.
  ASSERT_NO_FATAL_FAILURE(
      old_app("INSERT INTO customers (id, email) VALUES ('cy', 'x@X.example')"));
  EXPECT_EQ(user_of("bx"), "c_cy GUEST");
  ExpectNewIsTheMappingOfOld();
  EXPECT_OK(pipeline_->Stop());
}

// Promise 1: everything that happened while the copy and the stream ran is there.
void StudioTest::MigrateUnderWorkload() {
  const std::string report = example_->folder() + "/workload.json";
  ASSERT_OK_AND_ASSIGN(const pid_t workload,
                       example_->StartWorkload({"--rate", "100", "--seed", "7"}, report));
  ASSERT_OK(pipeline_->Start("run"));
  const absl::Status copied = pipeline_->AwaitCaughtUp();
  EXPECT_OK(example_->RunWorkload({"--transactions", "1500", "--seed", "8"}));
  kill(workload, SIGTERM);
  int status = 0;
  ASSERT_EQ(waitpid(workload, &status, 0), workload);
  ASSERT_OK(copied);
  ASSERT_EQ(status, 0) << ReadFileOrEmpty(report);
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ExpectNewIsTheMappingOfOld();
}

TEST_F(StudioTest, NewFollowsTheOldApplication) {
  ASSERT_NO_FATAL_FAILURE(StartExample({.scale = 20, .nasty = true}));
  ASSERT_NO_FATAL_FAILURE(MigrateUnderWorkload());
  // V10: run again, nothing changes, not even a row version.
  const std::string versions =
      "SELECT md5(string_agg(v, ' ' ORDER BY v)) FROM (SELECT xmin || id FROM users UNION ALL "
      "SELECT "
      "xmin || id FROM new_bookings UNION ALL SELECT xmin || id FROM new_sessions) r(v)";
  const std::string before = NewScalar(versions);
  ASSERT_OK(pipeline_->Stop());
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(NewScalar(versions), before);
  EXPECT_OK(pipeline_->Stop());
}

TEST_F(StudioTest, NewOnPostgres18FollowsTheOldApplication) {
  const std::string bin_dir = PostgresBinaries(18);
  if (bin_dir.empty()) GTEST_SKIP() << "SWITCHYARD_PG18_BIN is not set; scripts/test sets it";
  ASSERT_NO_FATAL_FAILURE(
      StartExample({.scale = 5, .nasty = true, .new_db = {.bin_dir = bin_dir}}));
  ASSERT_NO_FATAL_FAILURE(MigrateUnderWorkload());
  EXPECT_OK(pipeline_->Stop());
}

TEST_F(StudioTest, NewFollowsTheOldApplicationWhileItsForeignKeysHold) {
  ASSERT_NO_FATAL_FAILURE(StartExample({.scale = 10, .nasty = true}, /*keys_hold=*/true));
  ASSERT_NO_FATAL_FAILURE(MigrateUnderWorkload());
  EXPECT_OK(pipeline_->Stop());
}

TEST_F(StudioTest, RolesAsProcessesOfTheirOwnShareOneLogFile) {
  ASSERT_NO_FATAL_FAILURE(StartExample({.scale = 3, .nasty = true}));
  ASSERT_OK(pipeline_->Start("replay"));
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_OK(example_->RunWorkload({"--transactions", "300"}));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  ExpectNewIsTheMappingOfOld();
  EXPECT_OK(pipeline_->Stop());
}

// Two of each: one works, the other stands by, and takes over when the first dies.
TEST_F(StudioTest, AStandbyTakesOver) {
  ASSERT_NO_FATAL_FAILURE(StartExample({.scale = 1}));
  for (const char* role : {"capture", "replay"}) {
    ASSERT_OK(pipeline_->Start(role));
    ASSERT_OK(pipeline_->Start(role, "", std::string("second ") + role));
  }
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  for (const char* role : {"capture", "replay"}) {
    pipeline_->Kill(role);
    ASSERT_OK(
        example_->RunWorkload({"--transactions", "50", "--seed", role[0] == 'c' ? "1" : "2"}));
    ASSERT_OK(pipeline_->AwaitCaughtUp(absl::Seconds(30))) << role;
  }
  ExpectNewIsTheMappingOfOld();
  EXPECT_OK(pipeline_->Stop());
}

}  // namespace
}  // namespace switchyard::testing
