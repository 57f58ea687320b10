// The ports of a driver that are rows: NEW's decision, OLD's copy of it, the journal, who asked for
// an abort. Each answers as cutover/ports.h says.
//
// Thread-compatible; what they are made with must outlive them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/records/cutover/ownership.h"
#include "cutover/ports.h"
#include "cutover/postgres/control_link.h"

namespace switchyard::cutover {

// Over a link to NEW. `driver`: who acts, for people: "ana@ops1 cutover (pid 4711)".
class PgLease : public Lease {
 public:
  PgLease(ControlLink& target, std::string migration, std::string driver)
      : target_(target), migration_(std::move(migration)), driver_(std::move(driver)) {}

  // Makes the row where there is none.
  absl::StatusOr<Ownership> Read(absl::Duration limit) override;
  absl::Status Take(int64_t from, absl::Duration limit) override;
  absl::Status Rest(int64_t epoch, absl::Duration limit) override;

 private:
  ControlLink& target_;
  const std::string migration_;
  const std::string driver_;
};

// Over a link to OLD.
class PgOldRecord : public OldRecord {
 public:
  PgOldRecord(ControlLink& source, std::string migration)
      : source_(source), migration_(std::move(migration)) {}

  absl::StatusOr<OldRow> Read(absl::Duration limit) override;
  absl::Status Tell(const Ownership& ownership, absl::Duration limit) override;

 private:
  ControlLink& source_;
  const std::string migration_;
};

// Over a link to NEW. A step has ended, as far as is known, when the next is written.
class PgJournal : public Journal {
 public:
  PgJournal(ControlLink& target, std::string migration)
      : target_(target), migration_(std::move(migration)) {}

  absl::Status Write(const JournalEntry& entry, absl::Duration limit) override;
  absl::StatusOr<std::vector<JournalEntry>> ReadLast(absl::Duration limit) override;

 private:
  ControlLink& target_;
  const std::string migration_;
  int64_t open_step_ = 0;  // that this driver wrote last; 0: none
};

// Over a link to NEW.
class PgAbortFlag : public AbortFlag {
 public:
  PgAbortFlag(ControlLink& target, std::string migration)
      : target_(target), migration_(std::move(migration)) {}

  absl::StatusOr<std::string> AskedBy(int64_t epoch, absl::Duration limit) override;

 private:
  ControlLink& target_;
  const std::string migration_;
};

// A row's words as the protocol's.
Ownership OwnershipOf(const records::Ownership& row);
records::Ownership RecordOf(const Ownership& ownership);

}  // namespace switchyard::cutover
