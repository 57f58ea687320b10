// A source and a target database in one throw-away cluster, a memory log and the real replayer:
// for tests that say "after this on OLD, NEW holds that".
//
//   ASSERT_OK(Start("CREATE TABLE t (...)", "CREATE TABLE t (...)", kCopyOfT));
//   ASSERT_OK(OnOld("INSERT INTO t VALUES (1)"));
//   ASSERT_OK(CatchUp());
//   EXPECT_EQ(New("SELECT count(*) FROM t"), "1");
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "common/eventlog/memory_log.h"
#include "common/mapping/compile/compiler.h"
#include "common/mapping/install/install.h"
#include "replayer/replayer.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/simple_capture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {

class ReplayFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;
  void TearDown() override;

  // Both schemas, the mapping (YAML below `forward:`), the copy, and a running replayer.
  // `old_rows` is run on OLD before the copy.
  absl::Status Start(const std::string& old_schema, const std::string& new_schema,
                     const std::string& forward, const std::string& old_rows = "");
  // Start without the replayer.
  absl::Status Prepare(const std::string& old_schema, const std::string& new_schema,
                       const std::string& forward, const std::string& old_rows = "");
  absl::Status StartReplayer();
  // Ends the replayer; what its Run returned.
  absl::Status StopReplayer();

  absl::Status OnOld(const std::string& sql) { return old_->Execute(sql); }
  absl::Status OnNew(const std::string& sql) { return new_->Execute(sql); }
  // Publishes what OLD has committed and waits until NEW stands there.
  absl::Status CatchUp();
  absl::Status AwaitNew(const std::string& sql, const std::string& value);
  absl::Status AwaitState(const std::string& state);
  // As `switchyard quarantine FILE retry`.
  absl::Status RetryQuarantine();
  // First column of the first row; rows joined by newlines, columns by '|'.
  std::string New(const std::string& sql);
  std::string Old(const std::string& sql);

  static MiniPostgres* server_;
  replayer::ReplayerOptions options_;
  spec::MigrationFile file_;
  catalog::Catalog catalog_;
  mapping::Plan plan_;
  std::unique_ptr<pg::Session> old_;
  std::unique_ptr<pg::Session> new_;
  const Cancel log_cancel_;
  // The mapping is one of `reverse`: its ids are given the other way.
  bool reverses_ = false;
  // Else a test fails where rows that were to be changed were not there.
  bool may_miss_rows_ = false;
  std::unique_ptr<eventlog::MemoryLog> log_;
  std::unique_ptr<SimpleCapture> capture_;

 private:
  std::string All(pg::Session& session, const std::string& sql);

  std::unique_ptr<Cancel> cancel_;
  std::thread thread_;
  absl::Status run_status_;
};

}  // namespace switchyard::testing
