// What the commands ask of both databases' catalogues; common/mapping/prepare.h is what roles use.
#pragma once

#include <string>
#include <vector>

#include "common/catalog/catalog.h"
#include "common/mapping/compile/compiler.h"
#include "common/pg/session.h"
#include "common/records/stream/stream.h"
#include "common/spec/migration_file.h"

namespace switchyard::operate {

// The tables that a stream reads; the session is its source's.
absl::StatusOr<catalog::Catalog> LoadSourceCatalog(const records::Stream& stream,
                                                   pg::Session& source);

// The tables of NEW that are filled, and those that are only looked up.
std::vector<spec::TableName> TablesOfNew(const spec::Direction& direction);

// A mapping was installed in NEW for this stream.
absl::StatusOr<bool> IsInstalled(pg::Session& new_session, const std::string& stream);

// The tables there are, as they would be written in the file: to suggest one for a wrong name.
absl::StatusOr<std::vector<std::string>> TableNames(pg::Session& session);

struct CompileFindings {
  std::vector<mapping::CompileFault> faults, warnings;
};

// For check: each fault apart, with the nearest name there is. InvalidArgument when there are any.
absl::StatusOr<mapping::Plan> CompileForCheck(const records::Stream& stream,
                                              const catalog::Catalog& source,
                                              pg::Session& target_session,
                                              const std::vector<std::string>& source_names,
                                              CompileFindings* findings);

}  // namespace switchyard::operate
