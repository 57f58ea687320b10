// A thread that reads a change topic, and hands its batches over through a bounded queue.
//
//   Pipeline pipeline(reading, plan, std::move(reader), cancel);
//   while (auto batch = pipeline.Next(timeout)) Apply(*batch);
//
// The destructor stops the thread.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "absl/time/time.h"
#include "common/base/mutex.h"
#include "common/base/wait/bounded_queue.h"
#include "common/base/wait/cancel.h"
#include "common/changes/batch.h"
#include "common/eventlog/event_log.h"
#include "common/eventlog/wake.h"
#include "common/mapping/plan.h"
#include "replayer/loop/ports.h"

namespace switchyard::replayer {

class Pipeline : public Batches {
 public:
  // `news_fd`: Next returns as soon as it is readable. -1: none.
  Pipeline(Reading reading, const mapping::Plan& plan, std::unique_ptr<eventlog::LogReader> reader,
           int news_fd, const Cancel& cancel);
  ~Pipeline() override;
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Tells the reading thread that the consumer is idle.
  std::optional<changes::Batch> Next(absl::Duration timeout) override;
  void WantProgress(bool wanted) override { progress_wanted_ = wanted; }
  bool ended() const override;
  absl::Status status() const override;

 private:
  void Read();
  absl::Status ReadUntilError();

  const Reading reading_;
  const mapping::Plan& plan_;
  const std::unique_ptr<eventlog::LogReader> reader_;
  const int news_fd_;
  const Cancel& cancel_;
  eventlog::Wake handed_;
  BoundedQueue<changes::Batch> queue_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> idle_ = false;
  std::atomic<bool> progress_wanted_ = false;
  mutable Mutex mu_;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace switchyard::replayer
