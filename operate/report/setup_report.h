// The SQL that an owner runs once. Pure.
//
// Thread safety: plain values.
#pragma once

#include <string>

namespace switchyard::operate {

struct SetupReport {
  std::string migration;
  std::string sql;  // as people and psql read it
};

// The words of message Setup in proto/control.proto.
std::string SetupJson(const SetupReport& report);

}  // namespace switchyard::operate
