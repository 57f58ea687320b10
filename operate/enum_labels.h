// Values of OLD's enums for which NEW has no place: rows that have one would wait in quarantine.
//
// Thread safety: functions over values.
#pragma once

#include <string>
#include <vector>

#include "common/catalog/catalog.h"
#include "common/spec/migration_file.h"

namespace switchyard::operate {

// Of columns that are copied as they are, from an enum to an enum: a sentence each, with the
// statement that helps.
std::vector<std::string> MissingLabels(const spec::Direction& direction,
                                       const catalog::Catalog& old_catalog,
                                       const catalog::Catalog& new_catalog);

}  // namespace switchyard::operate
