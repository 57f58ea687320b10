#include "tests/support/server/mini_postgres.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "tests/support/await.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MiniPostgresTest, ClustersStartedTogetherAreDifferentSystems) {
  absl::StatusOr<std::unique_ptr<MiniPostgres>> other = absl::UnknownError("not started");
  std::thread starter([&] { other = MiniPostgres::Start(); });
  auto one = MiniPostgres::Start();
  starter.join();
  ASSERT_OK(one);
  ASSERT_OK(other);
  const char* sql = "SELECT system_identifier FROM pg_control_system()";
  ASSERT_OK_AND_ASSIGN(const std::string first, (*one)->Scalar("postgres", sql));
  ASSERT_OK_AND_ASSIGN(const std::string second, (*other)->Scalar("postgres", sql));
  EXPECT_NE(first, second);
  EXPECT_EQ((*one)->Scalar("postgres", "SHOW wal_level").value(), "logical");
  EXPECT_EQ((*one)->Scalar("postgres", "SHOW listen_addresses").value(), "");
}

TEST(MiniPostgresTest, DataOutlivesEveryKindOfRestart) {
  ASSERT_OK_AND_ASSIGN(auto server, MiniPostgres::Start(MiniPostgres::Options{
                                        .settings = {{"synchronous_commit", "on"}}, .tcp = true}));
  ASSERT_OK(server->CreateDatabase("odd \"name\""));
  ASSERT_OK(server->Execute("postgres", "CREATE TABLE t (id int)"));
  int rows = 0;
  const auto add_row = [&] {
    ++rows;
    return server->Execute("postgres", "INSERT INTO t VALUES (1)");
  };
  const auto count = [&] { return server->Scalar("postgres", "SELECT count(*) FROM t").value(); };
  ASSERT_OK(add_row());
  ASSERT_OK(server->Restart());
  EXPECT_EQ(count(), std::to_string(rows));
  ASSERT_OK(add_row());
  ASSERT_OK(server->Restart(MiniPostgres::StopMode::kImmediate));
  EXPECT_EQ(count(), std::to_string(rows));
  ASSERT_OK(add_row());
  ASSERT_OK(server->Kill());
  EXPECT_EQ(server->pid(), 0);
  EXPECT_THAT(server->Connect().status(), Not(IsOk()));
  ASSERT_OK(server->Configure("work_mem", "123kB"));
  ASSERT_OK(server->StartAgain());
  ASSERT_OK(server->StartAgain());  // running already
  EXPECT_EQ(count(), std::to_string(rows));
  EXPECT_EQ(server->Scalar("postgres", "SHOW work_mem").value(), "123kB");
  ASSERT_OK(server->Stop(MiniPostgres::StopMode::kFast));
  ASSERT_OK(server->Stop(MiniPostgres::StopMode::kFast));
}

TEST(MiniPostgresTest, ABadSettingIsReportedWithTheServersWords) {
  const auto server =
      MiniPostgres::Start(MiniPostgres::Options{.settings = {{"shared_buffers", "lots"}}});
  EXPECT_THAT(server.status(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("invalid value for parameter")));
}

TEST(MiniPostgresTest, NothingIsLeftWhenTheTestIsKilled) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto server = MiniPostgres::Start();
    const std::string report =
        server.ok() ? std::to_string((*server)->pid()) + " " + (*server)->folder() : "failed";
    if (write(ends[1], report.data(), report.size()) < 0) _exit(1);
    close(ends[1]);
    pause();
    _exit(0);
  }
  close(ends[1]);
  char report[256] = {};
  const ssize_t got = read(ends[0], report, sizeof report - 1);
  close(ends[0]);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  waitpid(child, nullptr, 0);
  ASSERT_GT(got, 0);
  const std::string text = report;
  const pid_t server = std::stoi(text);
  const std::string folder = text.substr(text.find(' ') + 1);
  ASSERT_EQ(folder.find("/"), 0u) << text;
  EXPECT_OK(Await("the folder is gone", absl::Seconds(20),
                  [&] { return access(folder.c_str(), F_OK) != 0; }));
  // Its parent is gone: a zombie at most, until the machine's first process takes it.
  EXPECT_OK(Await("the server is gone", absl::Seconds(20), [&] {
    return kill(server, 0) != 0 ||
           access(("/proc/" + std::to_string(server) + "/exe").c_str(), F_OK) != 0;
  }));
}

}  // namespace
}  // namespace switchyard::testing
