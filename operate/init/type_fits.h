// Asks NEW what it does with values of OLD's types: without a table, without a trace.
#pragma once

#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/pg/session.h"
#include "operate/init/pairing.h"

namespace switchyard::operate {

// For every type of a column of `old_catalog` and every one of `new_catalog`. The function owns
// what it knows.
absl::StatusOr<FitOf> LoadTypeFits(const catalog::Catalog& old_catalog,
                                   const catalog::Catalog& new_catalog, pg::Session& new_session);

}  // namespace switchyard::operate
