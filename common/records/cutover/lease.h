// Who is at a cutover of a migration: switchyard.lease, in NEW. One operator at a time; a second is
// told who it is, since when. It is held by a session and ends with it, whatever any clock says, so
// that none is held by the dead. A courtesy: what protects data is the epoch (ownership.h).
//
//   none, free, its session gone --Take--> held --Release, its session ends--> free
//   any --AskAbort--> the same, and the driver of that epoch is to undo
//
// Thread safety: as the session, which must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

class Lease {
 public:
  Lease(pg::Sql sql, std::string migration)
      : sql_(std::move(sql)), migration_(std::move(migration)) {}

  // `taken`, or who has it ("anna@ops1 cutover") since when, by NEW's clock. To be called on the
  // session that is to hold it: no transaction of a pooler.
  struct Held {
    bool taken = false;
    std::string holder;
    absl::Time since;
  };
  absl::StatusOr<Held> Take(const std::string& holder) const;
  absl::Status Release() const;

  // The driver of `epoch`, and any before it, is to undo as long as it can. Of any session.
  absl::Status AskAbort(int64_t epoch, const std::string& by) const;
  // Who asked that of the driver of `epoch`; empty: nobody.
  absl::StatusOr<std::string> AbortAskedBy(int64_t epoch) const;

 private:
  const pg::Sql sql_;
  const std::string migration_;
};

}  // namespace switchyard::records
