// What `check` says of a stream that was begun: whether the next start of capture can go on where
// it stands, and how long OLD would keep what it still needs.
#pragma once

#include "capture/source/source_setup.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/catalog/catalog.h"
#include "common/pg/session.h"
#include "common/records/stream/stream.h"
#include "common/spec/migration_file.h"
#include "operate/report/check_report.h"

namespace switchyard::operate {

// Nothing is added for a stream that was never begun, but for what would end it in a night.
absl::Status CheckStream(const spec::MigrationFile& file, const records::Stream& stream,
                         const catalog::Catalog& catalog, const Cancel& cancel,
                         pg::Session& old_session, CheckReport* report);

}  // namespace switchyard::operate
