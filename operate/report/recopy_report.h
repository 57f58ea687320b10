// What `recopy` asked for. Pure.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <string>

namespace switchyard::operate {

struct RecopyReport {
  std::string stream;
  std::string table;    // of OLD
  int64_t request = 0;  // its number in NEW
  std::string answer;   // of replay; empty when nobody waited for it
};

std::string RecopyText(const RecopyReport& report);
// The words of message RecopyResult in proto/control.proto.
std::string RecopyJson(const RecopyReport& report);

struct RecopyAllReport {
  std::string stream;
  int64_t tables = 0;  // of OLD, to be copied at the next start
};

std::string RecopyAllText(const RecopyAllReport& report);
// The words of message RecopyAllResult in proto/control.proto.
std::string RecopyAllJson(const RecopyAllReport& report);

}  // namespace switchyard::operate
