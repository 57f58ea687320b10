// The reading half of the replayer: a thread that reads a change topic, collapses transactions
// into batches and hands them over through a bounded queue.
//
//   Pipeline pipeline({...}, plan, std::move(reader), cancel);
//   while (auto batch = pipeline.Next(timeout)) Apply(*batch);
//
// A batch is cut when it is full, or when nothing more can be read now and the consumer is idle.
// The destructor stops the thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/base/bounded_queue.h"
#include "common/base/cancel.h"
#include "common/changes/batch.h"
#include "common/changes/batcher.h"
#include "common/eventlog/event_log.h"
#include "common/mapping/plan.h"

namespace switchyard::replayer {

struct PipelineOptions {
  records::Position position;
  changes::BatcherOptions batcher;
  std::vector<event::v1::Relation> relations;
};

class Pipeline {
 public:
  Pipeline(PipelineOptions options, const mapping::Plan& plan,
           std::unique_ptr<eventlog::LogReader> reader, const Cancel& cancel);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // The next batch; nullopt after `timeout`, or when reading has ended (see ended()). Tells the
  // reading thread that the consumer is idle.
  std::optional<changes::Batch> Next(absl::Duration timeout);
  // Reading has ended and every batch was taken: status() says why.
  bool ended() const;
  absl::Status status() const;

 private:
  void Read();
  absl::Status ReadUntilError();
  bool Hand(changes::Batch batch);

  const PipelineOptions options_;
  const mapping::Plan& plan_;
  const std::unique_ptr<eventlog::LogReader> reader_;
  const Cancel& cancel_;
  BoundedQueue<changes::Batch> queue_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> idle_ = false;
  mutable Mutex mu_;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace switchyard::replayer
