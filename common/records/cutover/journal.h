// What drivers of a cutover do: switchyard.journal, in NEW. Each step is written before it is done;
// how it ended is written later, beside what was predicted. A row without an end is of a driver
// that died there, or still works at it.
//
//   none --Begin--> begun --End--> ended
//
// Thread safety: as the session, which must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

struct JournalStep {
  int64_t id = 0;     // set by the database
  int64_t epoch = 0;  // of the driver (ownership.h)
  std::string step;   // "provisional fence"
  std::string operator_name;
  std::string figures;                      // "tables=40 limit=2s": key=value, no row values
  std::optional<absl::Duration> predicted;  // none: nothing was
  absl::Time at;                            // NEW's clock
  std::optional<absl::Duration> actual;     // none: it is not known how it ended
  std::string outcome;                      // "done", or what went wrong; empty as long as that
};

class Journal {
 public:
  Journal(pg::Sql sql, std::string migration)
      : sql_(std::move(sql)), migration_(std::move(migration)) {}

  // Its id. What the database sets of `step` is not looked at.
  absl::StatusOr<int64_t> Begin(const JournalStep& step) const;
  // Once: what is written stays. `figures`: instead of those it began with; empty: those stay.
  absl::Status End(int64_t id, const std::string& outcome, const std::string& figures) const;

  // How long ago the driver of `epoch` began or ended a step, by NEW's clock. Nullopt: it never
  // did.
  absl::StatusOr<std::optional<absl::Duration>> Silence(int64_t epoch) const;
  // Of the newest epoch that wrote any, in order.
  absl::StatusOr<std::vector<JournalStep>> OfLastEpoch() const;
  // The newest `limit` of all epochs, in order.
  absl::StatusOr<std::vector<JournalStep>> Last(int64_t limit) const;

 private:
  absl::StatusOr<std::vector<JournalStep>> Select(const std::string& where,
                                                  const std::vector<pg::Param>& params) const;

  const pg::Sql sql_;
  const std::string migration_;
};

}  // namespace switchyard::records
