// Lets the log forget, on a thread of its own: a trim may take as long as a broker, or what writes
// to the log's file, lets it, and a stream does not wait for that.
//
// Thread-safe. `log` and `cancel` must outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <thread>

#include "common/base/mutex.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "replayer/loop/ports.h"

namespace switchyard::replayer {

class Trimmer : public TrimSink {
 public:
  Trimmer(std::string stream, eventlog::EventLog& log, const Cancel& cancel);
  // After the call that is under way.
  ~Trimmer() override;
  Trimmer(const Trimmer&) = delete;
  Trimmer& operator=(const Trimmer&) = delete;

  // What fails is tried again when it is asked for the next time.
  void Ask(const std::string& topic, int64_t before) override;

 private:
  void Run();
  void Trim(const std::string& topic, int64_t before);
  bool stopped();

  const std::string stream_;
  eventlog::EventLog& log_;
  const Cancel& cancel_;
  Mutex mu_;
  CondVar changed_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::string, int64_t> asked_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace switchyard::replayer
