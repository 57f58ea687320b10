// The section `log` of the migration file.
#pragma once

#include <string>

#include "common/spec/migration_file.h"
#include "common/spec/reader.h"

namespace switchyard::spec {

void ReadLog(Reader& in, const Node& node, const std::string& folder, LogSection* out);

}  // namespace switchyard::spec
