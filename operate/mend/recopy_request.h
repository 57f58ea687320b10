// Asking for a copy of one table: written down in NEW, which waits for it, and in OLD, which makes
// it. The two are different databases: whatever is cut short between them is taken up again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"
#include "common/records/stream/stream.h"
#include "common/spec/migration_file.h"

namespace switchyard::operate {

// Asks both sides for a copy of `table`, unless one is asked for already. The request's number.
absl::StatusOr<int64_t> RequestRecopy(pg::Session& old_session, pg::Session& new_session,
                                      const records::Stream& stream, const spec::TableName& table);

// Asks OLD for the copies that NEW waits for and that OLD was not asked for yet: those of a resume.
// The tables that NEW waits for, schema.name.
absl::StatusOr<std::vector<std::string>> AskForOpenCopies(pg::Session& old_session,
                                                          pg::Session& new_session,
                                                          const records::Stream& stream,
                                                          const mapping::Plan& plan);

}  // namespace switchyard::operate
