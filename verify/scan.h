// One side's pass over its rows: sums of hashes by bucket, with a brake and a look at how far it
// is.
//
//   Scan scan(control);
//   RETURN_IF_ERROR(scan.Read(session, ScanSql(rows)));
//   Compare(scan.buckets(), other.buckets());
//
// Thread-compatible, a ScanControl thread-safe: both sides count on one.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/session.h"
#include "verify/compare_sql.h"

namespace switchyard::verify {

// Sums modulo 2^64: an exclusive or would not see a row that is there twice.
struct Buckets {
  std::vector<uint64_t> rows = std::vector<uint64_t>(kBuckets);
  std::vector<uint64_t> sums = std::vector<uint64_t>(kBuckets);

  // A line of COPY (ScanSql): "4711<TAB>-12345<NEWLINE>". Internal: it is no such line.
  absl::Status Add(std::string_view line);
  int64_t total() const;
};

std::vector<int> DifferingBuckets(const Buckets& a, const Buckets& b);

// What both sides of a table's comparison share.
struct ScanControl {
  const Cancel& cancel;
  int64_t rows_per_second_max = 0;     // of each side; 0: as fast as it goes
  std::atomic<int64_t> rows = 0;       // of both
  std::atomic<bool> given_up = false;  // the other side failed: nobody needs the rest
};

class Scan {
 public:
  explicit Scan(ScanControl& control) : control_(control) {}

  // The rows of `select`, by COPY. May be called again: buckets add up. Cancelled: shutdown, or the
  // other side failed.
  absl::Status Read(pg::Session& session, std::string_view select);
  const Buckets& buckets() const { return buckets_; }

 private:
  absl::Status Pace();

  ScanControl& control_;
  Buckets buckets_;
  int64_t rows_ = 0;
  absl::Time began_ = absl::InfinitePast();
};

}  // namespace switchyard::verify
