// From a migration file and the two databases to a compiled mapping, for every command that needs
// one.
#pragma once

#include <string>
#include <vector>

#include "common/mapping/catalog.h"
#include "common/mapping/compiler.h"
#include "common/pg/session.h"
#include "common/spec/migration_file.h"

namespace switchyard::cli {

struct MappingPlan {
  mapping::Catalog source;  // what the plan was compiled against
  mapping::Plan plan;
};

// OLD's side of it.
absl::StatusOr<mapping::Catalog> LoadSourceCatalog(const spec::MigrationFile& file,
                                                   pg::Session& old_session);

// The same as the stream was installed with, as JSON; empty when it was not installed in NEW.
absl::StatusOr<std::string> InstalledCatalog(pg::Session& new_session, const std::string& stream);

// The tables there are, as they would be written in the file: to suggest one for a wrong name.
absl::StatusOr<std::vector<std::string>> TableNames(pg::Session& session);

struct CompileExtras {
  // OLD's tables as of TableNames, for suggestions; may be empty.
  std::vector<std::string> source_names;
  // Gets every fault; may be null.
  std::vector<mapping::CompileFault>* faults = nullptr;
};

// InvalidArgument with every fault, as file:line:column; also in extras.faults.
absl::StatusOr<MappingPlan> CompileMapping(const spec::MigrationFile& file, mapping::Catalog source,
                                           pg::Session& new_session,
                                           const CompileExtras& extras = {});

}  // namespace switchyard::cli
