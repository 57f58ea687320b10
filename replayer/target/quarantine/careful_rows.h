// Rows of a copy into a row-local table that refuses some of them: what the quarantine does for the
// changes of a stream.
#pragma once

#include <string>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "replayer/target/quarantine/quarantine.h"
#include "replayer/write/table_writer.h"

namespace switchyard::replayer {

// Writes the rows of `table` (quoted, with the columns of the mapping's source), piece by piece;
// those that NEW refuses become entries as of `lsn`. Within the caller's transaction; nothing may
// be staged. FailedPrecondition: there would be too many. Makes the temporary tables it needs.
absl::Status WriteRowsCarefully(TableWriter& writer, Quarantine& quarantine,
                                mapping::MappingIndex mapping, const std::string& table, Lsn lsn);

}  // namespace switchyard::replayer
