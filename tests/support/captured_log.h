// What the process logs while this object lives, for a test to wait for; shown on standard error
// when it goes. One at a time.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "common/base/check.h"
#include "tests/support/temp_dir.h"

namespace switchyard::testing {

class CapturedLog {
 public:
  CapturedLog() : path_(folder_.path() + "/log"), before_(dup(STDERR_FILENO)) {
    const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    SY_CHECK(file >= 0 && before_ >= 0 && dup2(file, STDERR_FILENO) >= 0);
    close(file);
  }
  ~CapturedLog() {
    dup2(before_, STDERR_FILENO);
    close(before_);
    std::fputs(text().c_str(), stderr);
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  std::string text() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  bool Has(const std::string& words) const { return text().find(words) != std::string::npos; }

 private:
  const TempDir folder_;
  const std::string path_;
  const int before_;
};

}  // namespace switchyard::testing
