// The SQL by which a mapping writes a table that foreign keys of NEW refer to, while they hold.
//
// Rows that go can't be deleted where they are met: rows of other tables may still refer to them
// until those tables were written. Their keys are noted in a temporary table, and the rows are
// deleted once nothing refers to them. A changed key is an insert of the new row, the old one
// being noted: so neither ON UPDATE nor ON DELETE actions ever have a row to act on.
//
// Pure.
#pragma once

#include "common/mapping/plan.h"
#include "common/mapping/sql/sql_builder.h"

namespace switchyard::mapping {

OrderedSql BuildOrderedWrite(const SourcePlan& source, const RowLocalTarget& target,
                             const TableWrite& write);
OrderedSql BuildOrderedKeyed(const KeyedTarget& target, const KeyedPlan& keyed);

}  // namespace switchyard::mapping
