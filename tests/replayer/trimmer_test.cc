#include "replayer/trimmer.h"

#include <memory>
#include <string>

#include "tests/support/await.h"
#include "tests/support/status_matchers.h"

namespace switchyard::replayer {
namespace {

using eventlog::LogReader;
using eventlog::LogWriter;
using eventlog::Offset;
using eventlog::TopicInfo;

// Drops ten records a call, once it is let.
class SlowLog : public eventlog::EventLog {
 public:
  absl::Status CreateTopic(const std::string& /*topic*/) override { return absl::OkStatus(); }
  absl::StatusOr<TopicInfo> Describe(const std::string& topic) override {
    MutexLock lock(&mu_);
    return TopicInfo{.first = first_[topic], .next = 100};
  }
  absl::StatusOr<std::unique_ptr<LogWriter>> OpenWriter(const std::string& topic) override {
    return absl::UnimplementedError(topic);
  }
  absl::StatusOr<std::unique_ptr<LogReader>> OpenReader(const std::string& topic,
                                                        Offset /*from*/) override {
    return absl::UnimplementedError(topic);
  }
  absl::Status Trim(const std::string& topic, Offset before) override {
    MutexLock lock(&mu_);
    while (!open_) changed_.Wait(&mu_);
    if (failures_-- > 0) return absl::UnavailableError("not now");
    first_[topic] = std::min(before, first_[topic] + 10);
    return absl::OkStatus();
  }

  void Let(int failures) {
    MutexLock lock(&mu_);
    open_ = true;
    failures_ = failures;
    changed_.SignalAll();
  }
  Offset first(const std::string& topic) {
    MutexLock lock(&mu_);
    return first_[topic];
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  int failures_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, Offset> first_ ABSL_GUARDED_BY(mu_);
};

TEST(TrimmerTest, AsksUntilAllIsDroppedAndKeepsNobodyWaiting) {
  SlowLog log;
  Cancel cancel;
  Trimmer trimmer("shop", log, cancel);
  trimmer.Ask("changes", 55);  // the log does not answer yet
  trimmer.Ask("copy", 20);
  log.Let(/*failures=*/0);
  EXPECT_OK(testing::Await("all is dropped", absl::Seconds(60),
                           [&] { return log.first("changes") == 55 && log.first("copy") == 20; }));
}

TEST(TrimmerTest, WhatFailedIsDoneWhenItIsAskedForAgain) {
  SlowLog log;
  Cancel cancel;
  Trimmer trimmer("shop", log, cancel);
  log.Let(/*failures=*/1);
  EXPECT_OK(testing::Await("it is dropped", absl::Seconds(60), [&] {
    trimmer.Ask("changes", 30);
    return log.first("changes") == 30;
  }));
}

}  // namespace
}  // namespace switchyard::replayer
