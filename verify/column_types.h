// The types of a target's columns, for values that are to have the text they would have there.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/pg/session.h"
#include "verify/comparison.h"

namespace switchyard::verify {

// Of these tables (quoted). Domains are taken for what they are over: their CHECKs have no say in
// what a value looks like. Types are named as the session's search_path wants it.
absl::StatusOr<ColumnTypes> LoadColumnTypes(pg::Session& target,
                                            const std::vector<std::string>& tables);

}  // namespace switchyard::verify
