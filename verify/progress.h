// How far a pass is, told about once a second while it goes on.
//
//   ProgressTeller teller(tables, options.progress);
//   teller.Begin("public.orders", 1, rows_all, control.rows);
//   ...
//   teller.End();
//
// Thread-compatible; a thread of its own tells.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "common/base/mutex.h"

namespace switchyard::verify {

struct Progress {
  std::string table;
  int place = 0;  // of it, from 1
  int tables = 0;
  int64_t rows = 0;      // of it, on both sides
  int64_t rows_all = 0;  // likewise; an estimate, 0: not known
  double rows_per_second = 0;
  std::optional<absl::Duration> left;  // of the whole pass; where estimates are known
};

class ProgressTeller {
 public:
  using Told = std::function<void(const Progress& progress)>;

  // `rows_all`: of the whole pass, an estimate. Nobody is told when `told` is empty.
  ProgressTeller(int tables, int64_t rows_all, Told told);
  ~ProgressTeller();
  ProgressTeller(const ProgressTeller&) = delete;
  ProgressTeller& operator=(const ProgressTeller&) = delete;

  // `rows` must last until End.
  void Begin(const std::string& table, int place, int64_t rows_all,
             const std::atomic<int64_t>& rows);
  void End();

 private:
  void Run();
  Progress Now() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int64_t rows_all_;
  const Told told_;
  const absl::Time began_;
  Mutex mu_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  Progress now_ ABSL_GUARDED_BY(mu_);
  const std::atomic<int64_t>* rows_ ABSL_GUARDED_BY(mu_) = nullptr;  // of the table under way
  int64_t rows_before_ ABSL_GUARDED_BY(mu_) = 0;                     // of the tables before it
  int64_t estimated_before_ ABSL_GUARDED_BY(mu_) = 0;
  std::thread thread_;
};

}  // namespace switchyard::verify
