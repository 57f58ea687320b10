#include <cstdlib>
#include <filesystem>

#include "common/eventlog/memory_log.h"
#include "common/eventlog/sqlite_log.h"
#include "tests/eventlog/log_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace switchyard::eventlog {
namespace {

class MemoryFixture : public LogFixture {
 public:
  EventLog& log() override { return log_; }

 private:
  MemoryLog log_{cancel()};
};

class SqliteFixture : public LogFixture {
 public:
  SqliteFixture() : log_(Open()) {}
  EventLog& log() override { return *log_; }
  std::unique_ptr<EventLog> OpenAgain() override { return Open(); }

 private:
  std::unique_ptr<EventLog> Open() {
    auto opened = OpenEventLog({.sqlite_path = folder_.path() + "/events.log"}, cancel());
    EXPECT_OK(opened);
    return *std::move(opened);
  }

  testing::TempDir folder_{FastFolder()};
  std::unique_ptr<EventLog> log_;
};

INSTANTIATE_TEST_SUITE_P(
    Logs, EventLogTest,
    ::testing::Values(LogKind{"Memory", [] { return std::make_unique<MemoryFixture>(); }},
                      LogKind{"Sqlite", [] { return std::make_unique<SqliteFixture>(); }}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace switchyard::eventlog
