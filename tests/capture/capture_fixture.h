// A capture running against a real source, for tests.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "capture/capture.h"
#include "common/eventlog/memory_log.h"
#include "tests/capture/log_events.h"
#include "tests/capture/replica_model.h"
#include "tests/capture/source_fixture.h"
#include "tests/support/await.h"

namespace switchyard::capture::testing {

// One Capture in a thread of its own.
class RunningCapture {
 public:
  RunningCapture(const CaptureConfig& config, eventlog::EventLog& log)
      : capture_(config, log, cancel_), thread_([this] {
          result_ = capture_.Run();
          ended_ = true;
        }) {}
  ~RunningCapture() {
    cancel_.Request();
    thread_.join();
  }

  // Why it ended.
  absl::Status Stop() {
    cancel_.Request();
    return AwaitEnd();
  }
  // Waits until it ends by itself, at most a minute.
  absl::Status AwaitEnd() {
    RETURN_IF_ERROR(switchyard::testing::Await("the capture ended", absl::Minutes(1),
                                               [this] { return ended_.load(); }));
    return result_;
  }
  CaptureStats stats() const { return capture_.stats(); }
  bool ended() const { return ended_; }

  // Waits for stats to satisfy `done`, at most a minute.
  template <typename Predicate>
  bool Await(Predicate done) {
    return switchyard::testing::Await("its numbers are right", absl::Minutes(1),
                                      [&]() -> absl::StatusOr<bool> {
                                        if (done(stats())) return true;
                                        if (ended_) return absl::CancelledError("it ended");
                                        return false;
                                      })
        .ok();
  }
  bool AwaitStreaming(uint64_t epoch = 1) {
    return Await([epoch](const CaptureStats& stats) {
      return stats.state == CaptureStats::State::kStreaming && stats.epoch >= epoch;
    });
  }

 private:
  Cancel cancel_;
  std::atomic<bool> ended_ = false;
  absl::Status result_;
  Capture capture_;
  std::thread thread_;
};

class CaptureTest : public SourceTest {
 protected:
  void TearDown() override {
    running_.reset();
    SourceTest::TearDown();
  }
  CaptureConfig Config() const {
    return {.stream = options().stream,
            .dsn = capture_dsn(),
            .tables = tables_,
            .heartbeat_interval = absl::Milliseconds(200),
            .drift_check_interval = absl::Milliseconds(100),
            .copy_retry_interval = absl::Milliseconds(500),
            .failover = failover_,
            .standby_interval = absl::Milliseconds(20)};
  }
  // Makes the tables, sets the source up and starts.
  void Begin(std::string_view sql);
  void Start() { running_ = std::make_unique<RunningCapture>(Config(), *log_); }
  absl::Status Stop() { return std::exchange(running_, nullptr)->Stop(); }

  // Everything committed so far is on the log when this returns.
  void AwaitCaughtUp();
  // The initial copy, and every copy asked for, is on the log.
  void AwaitCopied();
  // Waits until the query gives `expected`.
  void AwaitScalar(const std::string& sql, const std::string& expected);

  std::vector<event::v1::Event> Changes();
  std::vector<event::v1::Event> Copies();
  ReplicaModel Replica() { return ReplicaModel(Copies(), Changes()); }
  // What a reader of the log makes of it equals the source.
  void ExpectReplicaEqualsSource();

  std::optional<bool> failover_;
  Cancel log_cancel_;
  std::unique_ptr<eventlog::MemoryLog> memory_ = std::make_unique<eventlog::MemoryLog>(log_cancel_);
  eventlog::EventLog* log_ = memory_.get();
  std::unique_ptr<RunningCapture> running_;
};

}  // namespace switchyard::capture::testing
