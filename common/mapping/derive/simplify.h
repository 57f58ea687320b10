// What of an expression is certain, once some columns are known to be NULL or never to be. Pure.
#pragma once

#include <functional>

#include "common/mapping/derive/facts.h"
#include "common/mapping/derive/tree.h"

namespace switchyard::mapping::derive {

// `never_null`: of a column, where it stands.
Json Simplify(const Json& sql, const Facts& facts,
              const std::function<bool(const ColumnName&)>& never_null);

}  // namespace switchyard::mapping::derive
