#include "replayer/trimmer.h"

#include <pthread.h>

#include <utility>

#include "common/base/log.h"
#include "common/base/strings.h"

namespace switchyard::replayer {

Trimmer::Trimmer(std::string stream, eventlog::EventLog& log, const Cancel& cancel)
    : stream_(std::move(stream)), log_(log), cancel_(cancel), thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "log-trim");
}

Trimmer::~Trimmer() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void Trimmer::Ask(const std::string& topic, int64_t before) {
  if (before == 0) return;
  MutexLock lock(&mu_);
  asked_[topic] = before;
  changed_.SignalAll();
}

bool Trimmer::stopped() {
  MutexLock lock(&mu_);
  return stop_ || cancel_.requested();
}

void Trimmer::Run() {
  while (true) {
    std::map<std::string, int64_t> asked;
    {
      MutexLock lock(&mu_);
      while (!stop_ && asked_.empty()) changed_.Wait(&mu_);
      if (stop_) return;
      asked.swap(asked_);
    }
    for (const auto& [topic, before] : asked) Trim(topic, before);
  }
}

// A call drops a part only: as long as that moves the beginning of the topic, there is more.
void Trimmer::Trim(const std::string& topic, int64_t before) {
  int64_t first = -1;
  while (!stopped()) {
    const absl::Status trimmed = log_.Trim(topic, before);
    if (!trimmed.ok()) {
      if (stopped()) return;
      LogWarn("replayer", "the log could not be trimmed; it grows",
              {{"stream", stream_},
               {"topic", topic},
               {"error", std::string(StdSv(trimmed.message()))}});
      return;
    }
    const absl::StatusOr<eventlog::TopicInfo> info = log_.Describe(topic);
    if (!info.ok() || info->first >= before || info->first <= first) return;
    first = info->first;
  }
}

}  // namespace switchyard::replayer
