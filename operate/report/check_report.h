// What `check` found, as data, and how it is shown. Pure.
//
// Thread safety: plain values.
#pragma once

#include <string>
#include <vector>

namespace switchyard::operate {

struct CheckFault {
  // Where to mend it: the migration file (and the files it names), one of the databases, the log.
  enum class Where { kFile, kOld, kNew, kLog };
  Where where = Where::kFile;
  // Of kFile; line and column are 0 when unknown.
  std::string file;
  int line = 0;
  int column = 0;
  std::string message;
  // The statement or step that mends it; may span lines, may be empty.
  std::string remedy;
  enum class Kind {
    kNotReady,     // a database or the log lacks something
    kMistake,      // in the migration file, or in what it names (a variable that is not set)
    kUnreachable,  // could not be asked at all
  };
  Kind kind = Kind::kNotReady;
};

struct CheckReport {
  std::string migration;  // empty when the file could not be read
  std::string path;
  bool offline = false;  // databases were not asked
  std::vector<CheckFault> faults;
  std::vector<std::string> warnings;
  // What was looked at: "OLD: 6 tables, 1.2 GB".
  std::vector<std::string> facts;

  bool ok() const { return faults.empty(); }
};

std::string CheckReportText(const CheckReport& report);
// The words of message CheckResult in proto/control.proto.
std::string CheckReportJson(const CheckReport& report);

}  // namespace switchyard::operate
