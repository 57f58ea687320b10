// The replayer killed at each of its named points: exactly once, whatever it was about to do.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/cli/cli_run_fixture.h"
#include "tests/support/await.h"

namespace switchyard::testing {
namespace {

class ReplayFaultTest : public CliRunTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void ExpectNewIsTheMappingOfOld() {
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    const char* kOrders = "SELECT string_agg(id || ':' || amount, ' ' ORDER BY id) FROM orders";
    ASSERT_OK_AND_ASSIGN(const std::string orders, postgres_->Scalar("old_db", kOrders));
    EXPECT_EQ(New(kOrders), orders);
    ASSERT_OK_AND_ASSIGN(
        const std::string people,
        postgres_->Scalar("old_db",
                          "SELECT string_agg(email || n, ' ' ORDER BY email) FROM (SELECT "
                          "lower(email) AS email, count(*) AS n FROM customers GROUP BY 1) p"));
    EXPECT_EQ(New("SELECT string_agg(email || members, ' ' ORDER BY email) FROM people"), people);
    EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
  }
  // Changes of either table, until the replayer has come by the point and is dead.
  void ChangeUntilDead() {
    ASSERT_OK(Await("its death", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
      RETURN_IF_ERROR(postgres_->Execute("old_db", R"(
        UPDATE orders SET amount = amount + 1 WHERE id % 7 = 0;
        UPDATE customers SET email = email || 'x' WHERE id = 2;
        INSERT INTO orders SELECT max(id) + 1, 1 FROM orders)"));
      return pipeline_->process("replay")->Wait(absl::Milliseconds(20)).ok();
    }));
  }
};

TEST_P(ReplayFaultTest, GoesOnAfterDyingThere) {
  const bool in_copy = std::string(GetParam()).find("copy") != std::string::npos ||
                       std::string(GetParam()).find("deriving") != std::string::npos;
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("capture"));
  if (!in_copy) {
    ASSERT_OK(pipeline_->Start("replay"));
    ASSERT_OK(pipeline_->AwaitCaughtUp());
    pipeline_->Kill("replay");
  }
  ASSERT_OK(pipeline_->Start("replay", GetParam()));
  ASSERT_NO_FATAL_FAILURE(ChangeUntilDead());
  pipeline_->Kill("replay");
  ASSERT_OK(pipeline_->Start("replay"));
  ExpectNewIsTheMappingOfOld();
  EXPECT_OK(pipeline_->Stop());
}

INSTANTIATE_TEST_SUITE_P(
    Points, ReplayFaultTest,
    ::testing::Values("replayer.before_copy_commit", "replayer.before_copy_commit:3",
                      "replayer.after_copy_commit", "replayer.after_copy_commit:2",
                      "replayer.deriving", "replayer.copy_loaded", "replayer.before_copy_end",
                      "replayer.after_copy_end", "replayer.after_begin", "replayer.after_mirror:2",
                      "replayer.before_commit", "replayer.before_commit:3", "replayer.after_commit",
                      "replayer.after_commit:3"));

// A copy that capture was killed in: its tables are of two points.
class CutCopyTest : public ReplayFaultTest {
 protected:
  void AwaitCaptured() {
    ASSERT_OK(Await("all tables are captured", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
      ASSIGN_OR_RETURN(
          const std::string there,
          postgres_->Scalar("old_db", "SELECT to_regclass('switchyard.capture_copy') IS NOT NULL"));
      if (there != "t") return false;
      ASSIGN_OR_RETURN(const std::string done,
                       postgres_->Scalar("old_db",
                                         "SELECT count(*) FROM switchyard.capture_copy "
                                         "WHERE state = 'done'"));
      return done == "2";
    }));
  }
};

TEST_P(CutCopyTest, EndsAtOnePointThoughKilledThere) {
  Prepare();
  StartPipeline();
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_NO_FATAL_FAILURE(AwaitCaptured());
  pipeline_->Kill("capture");
  ASSERT_OK(postgres_->Execute("old_db", R"(
    UPDATE switchyard.capture_copy SET state = 'copying' WHERE table_name = 'customers';
    UPDATE orders SET amount = amount + 1 WHERE id % 7 = 0;
    BEGIN;
    INSERT INTO customers VALUES (4, 'D@x');
    INSERT INTO orders VALUES (400, 4);
    COMMIT;
    DELETE FROM customers WHERE id = 3)"));
  ASSERT_OK(pipeline_->Start("capture"));
  ASSERT_NO_FATAL_FAILURE(AwaitCaptured());
  ASSERT_OK(pipeline_->Start("replay", GetParam()));
  ASSERT_OK(Await("its death", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
    return pipeline_->process("replay")->Wait(absl::Milliseconds(20)).ok();
  }));
  pipeline_->Kill("replay");
  ASSERT_OK(pipeline_->Start("replay"));
  ExpectNewIsTheMappingOfOld();
  EXPECT_EQ(New("SELECT count(DISTINCT lsn) FROM switchyard.copy"), "2");
  EXPECT_OK(pipeline_->Stop());
}

INSTANTIATE_TEST_SUITE_P(Points, CutCopyTest,
                         ::testing::Values("replayer.copy_loaded", "replayer.before_commit",
                                           "replayer.after_commit", "replayer.deriving",
                                           "replayer.before_copy_end", "replayer.after_copy_end"));

}  // namespace
}  // namespace switchyard::testing
