// What OLD demands of its rows, so that no batch is made up that could never be: a rule may rely on
// it. Read from its catalogue.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::operate {

// Columns are places in SourcePlan::columns; a constraint over others is left out.
struct CheckConstraint {
  mapping::SourceIndex source;
  std::vector<int> columns;
  std::string sql;  // over the columns, called by their bare names
};

struct ForeignKeyColumns {
  mapping::SourceIndex source, parent;
  std::vector<int> columns, parent_columns;
};

struct Constraints {
  // Of each source: columns of which no two rows have the same values.
  std::vector<std::vector<std::vector<int>>> unique;
  std::vector<CheckConstraint> checks;
  std::vector<ForeignKeyColumns> foreign_keys;
};

// `source`: as the plan was compiled against. Of foreign keys those between tables that one mapping
// with a declared rule reads, by way of other mappings, too: rules that are told from a select do
// without, and more is tried.
absl::StatusOr<Constraints> LoadConstraints(const mapping::Plan& plan,
                                            const catalog::Catalog& source,
                                            pg::Session& old_session);

}  // namespace switchyard::operate
