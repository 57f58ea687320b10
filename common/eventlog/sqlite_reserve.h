// Room on the disk of a log file that is given up when the disk is full: trimming writes before it
// frees anything. A file beside the log, PATH-reserve, for all processes that use it.
//
// While it is missing nothing is appended: what its going set free is for trimming, and for moving
// the WAL into the file. Appending goes on once there is room for it twice over.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"

namespace switchyard::eventlog {

class SqliteReserve {
 public:
  explicit SqliteReserve(const std::string& log_path);

  // Makes the file if it is not there. Unavailable: there is no room for it, so nothing may be
  // appended.
  absl::Status Take() const;
  void GiveUp() const;
  bool taken() const;
  // An eighth of a small disk; what may be in the WAL and not in the file yet has room in it.
  int64_t bytes() const { return bytes_; }

 private:
  int64_t FreeBytes() const;

  const std::string log_path_;
  const std::string path_;
  int64_t bytes_ = 0;
};

// Why nothing can be appended to the log at `path`, if its disk has no room; else OK.
absl::Status CheckRoom(const std::string& path);

}  // namespace switchyard::eventlog
