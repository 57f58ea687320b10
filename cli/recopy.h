// switchyard recopy: one table again while the stream goes on, or everything after changes were
// lost.
#pragma once

#include <CLI/App.hpp>

#include "cli/command.h"
#include "common/base/status.h"
#include "common/mapping/catalog.h"
#include "common/pg/session.h"

namespace switchyard::cli {

void AddRecopy(CLI::App& app, Chosen* chosen);

// Asks both sides for a copy of one more generation of `table`, and gives the request's number.
// NotFound: capture does not know the table.
absl::StatusOr<int64_t> RequestRecopy(pg::Session& old_session, pg::Session& new_session,
                                      const spec::MigrationFile& file, const mapping::Table& table);

}  // namespace switchyard::cli
