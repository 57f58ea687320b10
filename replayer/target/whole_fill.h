// The tables of NEW out of a copy that is whole, each at once. Where NEW refuses a row or a scope,
// those are looked for and go into quarantine.
//
// Within the caller's transaction. The writer, the quarantine and the scopes are of one session.
#pragma once

#include <string>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "replayer/target/quarantine/quarantine.h"
#include "replayer/write/table_writer.h"
#include "replayer/write/touched_scopes.h"

namespace switchyard::replayer {

class WholeFill {
 public:
  // Entries of the quarantine are as of `lsn`. kCareful: every row by the way that finds refused
  // ones, as those are barred that only the end of an earlier attempt brought out.
  WholeFill(TableWriter& writer, Quarantine& quarantine, TouchedScopes& touched, Lsn lsn,
            Care care);

  absl::Status Ids();
  // A row-local mapping, from a table (quoted) with the rows of its source.
  absl::Status RowLocal(mapping::MappingIndex mapping, const std::string& rows);
  // FailedPrecondition: its select gives rows that are of no scope.
  absl::Status Derived(mapping::MappingIndex mapping);

 private:
  // IsRefusedRow, with nothing done: the careful way is to be gone.
  absl::Status AtOnce(const std::string& sql);
  absl::Status RefuseNoScope(mapping::MappingIndex mapping);

  TableWriter& writer_;
  Stage& stage_;
  Quarantine& quarantine_;
  TouchedScopes& touched_;
  const Lsn lsn_;
  const Care care_;
};

}  // namespace switchyard::replayer
