// The SQL of a mapping with mode: patch, whose table holds more than its select can tell: what
// changed in the select's rows is changed in the table's, and nothing else.
//
// By example: customers(id, name, phone, notes) of the target from `SELECT id, name, phone FROM
// people`, and on the source: UPDATE people SET name = 'B' WHERE id = 7.
//
//   images    what the view gave for id 7 before: asked of a session that does not see the
//             transaction yet, copied into sy_was_m0                      (7, A, 123)
//   compute   as for every keyed mapping, into sy_new_m0                  (7, B, 123)
//   compare   into sy_diff_m0: both, side by side, where they differ      U: (7, B, 123 | 7, A,
//   123) update    UPDATE customers AS sy_t SET name = CASE WHEN the images' are the same THEN
//   sy_t.name
//               ELSE sy_d.name END, ... WHERE every column that changed is as it was, or is as it
//               should be already                                         name only
//   conflict  what the guards kept from being written: sy_t.name is neither A nor B
//
// A `lossy` column is written when it changes and never compared with what the table has.
// Pure.
#pragma once

#include "common/mapping/sql/sql_builder.h"

namespace switchyard::mapping {

// Fills plan->patch, and adds its temporary tables. `plan` is what BuildKeyed made of `target`.
void BuildPatch(const KeyedTarget& target, KeyedPlan* plan);

}  // namespace switchyard::mapping
