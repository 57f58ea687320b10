// The piece of a printed setup that makes the role Switchyard logs in as. Pure.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::catalog {

// One statement, which does nothing when the role is there. `attributes` as in CREATE ROLE ("LOGIN
// REPLICATION"). Whoever may not make it is told what somebody else has to run.
std::string CreateRoleSql(std::string_view role, std::string_view attributes);

}  // namespace switchyard::catalog
