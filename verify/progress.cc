#include "verify/progress.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

namespace switchyard::verify {
namespace {

constexpr absl::Duration kBetween = absl::Seconds(1);

}  // namespace

ProgressTeller::ProgressTeller(int tables, int64_t rows_all, Told told)
    : rows_all_(rows_all), told_(std::move(told)), began_(absl::Now()) {
  {
    MutexLock lock(&mu_);
    now_.tables = tables;
  }
  if (!told_) return;
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "verify-progress");
}

ProgressTeller::~ProgressTeller() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void ProgressTeller::Begin(const std::string& table, int place, int64_t rows_all,
                           const std::atomic<int64_t>& rows) {
  MutexLock lock(&mu_);
  now_.table = table;
  now_.place = place;
  now_.rows_all = rows_all;
  rows_ = &rows;
}

void ProgressTeller::End() {
  MutexLock lock(&mu_);
  rows_before_ += rows_->load();
  estimated_before_ += now_.rows_all;
  rows_ = nullptr;
}

void ProgressTeller::Run() {
  MutexLock lock(&mu_);
  while (!ending_) {
    const absl::Time next = absl::Now() + kBetween;
    while (!ending_ && absl::Now() < next) changed_.WaitFor(&mu_, next - absl::Now());
    if (!ending_ && rows_ != nullptr) told_(Now());
  }
}

Progress ProgressTeller::Now() const {
  Progress progress = now_;
  progress.rows = rows_->load();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began_);
  if (seconds <= 0) return progress;
  progress.rows_per_second = static_cast<double>(rows_before_ + progress.rows) / seconds;
  const int64_t passed = estimated_before_ + std::min(progress.rows, progress.rows_all);
  if (rows_all_ > passed && progress.rows_per_second > 0) {
    progress.left =
        absl::Seconds(static_cast<double>(rows_all_ - passed) / progress.rows_per_second);
  }
  return progress;
}

}  // namespace switchyard::verify
