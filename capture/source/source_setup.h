// What the source of a stream needs, printed for its owner and verified at start.
//
//   ASSIGN_OR_RETURN(std::string sql, SourceSetupSql(options, catalog));   // check --print-setup
//   ASSIGN_OR_RETURN(auto faults, VerifySource(*session, options, catalog));
//   RETURN_IF_ERROR(FaultsToStatus(faults));                               // all of them at once
//
// The owner creates; capture only verifies, with the rights it runs with (a role with LOGIN and
// REPLICATION, SELECT on the mapped tables, and the tables of schema switchyard).
// Thread safety: functions over plain values; VerifySource uses the session it is given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/finding.h"
#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/pg/session.h"
#include "common/records/stream/stream.h"

namespace switchyard::capture {

struct SourceOptions {
  records::Stream stream;
  std::string role = "switchyard_capture";  // who captures
  // False: the catalogue may lack tables of the migration, and the names may be empty.
  bool whole = true;
  // False: no table's rows are looked at, which takes its lock, and as long as it is large.
  bool rows = true;
  bool failover = false;  // its slot is to be kept by standbys
};

// Something that keeps a source from being captured.
struct SourceFault {
  uint32_t relation_id = 0;  // the table concerned; 0: the database or the stream as a whole
  Finding finding;           // one sentence, with names and numbers; the SQL to run
  bool of_table = false;     // one table's; the others can be captured all the same
};

// What can't be captured whatever the owner grants: views, unlogged tables, tables whose updates
// would fail on the source once published. Asked before a publication exists.
std::vector<SourceFault> CheckTables(const catalog::Catalog& catalog);

// What a source of an older version has to do without, a sentence each.
std::vector<std::string> VersionNotes(const catalog::Catalog& catalog);

// The SQL the owner of the source runs, whole and repeatable. FailedPrecondition with all faults
// of CheckTables: a publication of such tables would break the source's own updates.
absl::StatusOr<std::string> SourceSetupSql(const SourceOptions& options,
                                           const catalog::Catalog& catalog);

// Every fault at once, those of CheckTables among them; empty when capture can start.
// `options.role` is not used: the session's own role is what is verified. `slot_exists`: a
// stream under way; free slots and senders are not counted.
absl::StatusOr<std::vector<SourceFault>> VerifySource(pg::Session& session,
                                                      const SourceOptions& options,
                                                      const catalog::Catalog& catalog,
                                                      bool slot_exists);

// OK, or FailedPrecondition with a line per fault.
absl::Status FaultsToStatus(const std::vector<SourceFault>& faults);

}  // namespace switchyard::capture
