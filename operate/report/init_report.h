// What `init` wrote. Pure.
//
// Thread safety: plain values.
#pragma once

#include <string>

namespace switchyard::operate {

struct InitReport {
  std::string migration;
  std::string path;  // where it was written; empty: nowhere
  std::string yaml;  // the file
  int tables = 0;    // paired by name
  int guesses = 0;   // marked, to be confirmed
  int questions = 0;
};

// The file itself, or, where it was written, a line that says so.
std::string InitText(const InitReport& report);
// The words of message Init in proto/control.proto.
std::string InitJson(const InitReport& report);

}  // namespace switchyard::operate
