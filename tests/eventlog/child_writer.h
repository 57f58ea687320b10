// A process of its own that appends to a SQLite log and tells what is durable, so that a test can
// kill it at any moment.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace switchyard::eventlog {

class ChildWriter {
 public:
  struct Options {
    std::string log_path;
    std::string topic;
    uint64_t epoch = 0;
    int large_every = 0;  // every so many records one is larger than a message; 0: none
    std::string fault;    // SWITCHYARD_FAULT of the child
  };
  // Starts appending at once and does not stop by itself.
  explicit ChildWriter(const Options& options);
  // Kills it.
  ~ChildWriter();
  ChildWriter(const ChildWriter&) = delete;
  ChildWriter& operator=(const ChildWriter&) = delete;

  // The next durable sequence number reported; nullopt when the process has ended.
  std::optional<uint64_t> NextDurable();
  // SIGKILL; what it reported before can still be read.
  void Kill();

 private:
  pid_t pid_ = -1;
  int report_fd_ = -1;
};

// What the child appends as its record number `sequence`.
std::string ChildRecord(uint64_t epoch, uint64_t sequence, int large_every);

}  // namespace switchyard::eventlog
