// Every statement of a plan as one readable SQL text: for `plan --sql` and the golden plans. Pure.
//
// Statements stand in the order of plan.h, each under a comment that names its field
// ("-- public.users: keyed.compute"), so that a statement met in NEW's log is found here. They are
// those that run, but for line breaks. $1 and $2 are numbers of scopes, {load} and {select} are
// filled in by whoever runs the statement (plan.h). The aliases are explained in sql/sql_pieces.h.
#pragma once

#include <string>

#include "common/mapping/plan.h"

namespace switchyard::mapping {

std::string PlanSql(const Plan& plan);

}  // namespace switchyard::mapping
