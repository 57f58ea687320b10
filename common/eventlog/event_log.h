// The ordered event log: append at one end, read from an offset at the other.
//
// A log holds topics; a topic is one totally ordered sequence of records with offsets that grow
// (not necessarily by 1). Three implementations meet one contract test: KafkaLog (a topic with one
// partition), SqliteLog (one file, many processes), MemoryLog (tests).
//
//   ASSIGN_OR_RETURN(auto writer, log.OpenWriter("shop.forward.changes", cancel));
//   ASSIGN_OR_RETURN(uint64_t sequence, writer->Append(key, payload));
//   ... once writer->durable_sequence() >= sequence, the record survives a crash.
//
// Writers split payloads larger than the log's message limit into Part events and readers join
// them again, so callers see whole Events only (see part.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/base/cancel.h"
#include "common/base/status.h"

namespace switchyard::eventlog {

// Offset of the first record ever written to a topic is >= 0; "next offset" means one past.
using Offset = int64_t;

// Thread-compatible, except durable_sequence(), which any thread may call.
class LogWriter {
 public:
  virtual ~LogWriter() = default;

  // Queues one record and returns its sequence number: 1, 2, 3 ... for this writer. Blocks while
  // more than the bound is in flight (64 MiB). Once a delivery failed for good every call returns
  // that error (FailedPrecondition or DataLoss); a log that is merely unreachable or full is
  // waited for, with a warning logged. Cancelled on shutdown.
  virtual absl::StatusOr<uint64_t> Append(std::string_view key, std::string_view payload) = 0;

  // Hints that nothing more comes for now: what is queued should be written without waiting for
  // a fuller batch.
  virtual void Nudge() = 0;

  // Waits until everything appended is durable. DeadlineExceeded, Cancelled, or the delivery error.
  virtual absl::Status Flush(absl::Duration timeout) = 0;

  // Every record with a sequence number up to this one is durable. Never goes back.
  virtual uint64_t durable_sequence() const = 0;

  // OK, or the error that ended the writer.
  virtual absl::Status status() const = 0;
};

struct LogRecord {
  Offset offset = 0;         // of the record, or of the last Part of it
  std::string_view payload;  // one serialized Event; valid until the next Read
};

// Thread-compatible.
class LogReader {
 public:
  virtual ~LogReader() = default;

  // Clears `records`, waits up to `timeout` for at least one and returns what is there, in order,
  // at most about 4 MiB (one larger record comes alone). Empty after the time-out is OK.
  // DataLoss: the offset was trimmed away, or the topic was deleted or made again.
  // FailedPrecondition: not a log of ours, or of a newer format. Unavailable is retried inside.
  virtual absl::Status Read(absl::Duration timeout, std::vector<LogRecord>* records) = 0;

  // Next Read starts at the first record with an offset >= `offset`.
  virtual absl::Status Seek(Offset offset) = 0;
};

struct TopicInfo {
  // Tells this incarnation of the topic from one deleted and made again. Empty if unknown.
  std::string id;
  Offset first = 0;  // offset of the oldest record kept
  Offset next = 0;   // one past the newest; == first when empty
};

// Thread-safe.
class EventLog {
 public:
  virtual ~EventLog() = default;

  // Makes the topic with the settings the promises need, or checks those of an existing one and
  // refuses (FailedPrecondition names the setting, its value and the one needed).
  virtual absl::Status CreateTopic(const std::string& topic) = 0;
  // NotFound when there is none; Unavailable when the log can't be reached now.
  virtual absl::StatusOr<TopicInfo> Describe(const std::string& topic) = 0;
  // FailedPrecondition when the topic does not exist.
  virtual absl::StatusOr<std::unique_ptr<LogWriter>> OpenWriter(const std::string& topic) = 0;
  virtual absl::StatusOr<std::unique_ptr<LogReader>> OpenReader(const std::string& topic,
                                                                Offset from) = 0;
  // Records below `before` may be dropped; how many really are is the implementation's choice.
  virtual absl::Status Trim(const std::string& topic, Offset before) = 0;
};

struct LogOptions {
  std::string sqlite_path;   // set: SqliteLog
  // Set: KafkaLog. librdkafka properties: bootstrap.servers and whatever TLS/SASL needs.
  std::vector<std::pair<std::string, std::string>> kafka;
  // Accept a topic with replication factor 1 (a single broker); otherwise min.insync.replicas
  // must be >= 2 and unclean leader election off.
  bool single_broker = false;
};

// Opens the log the options name; `cancel` ends every wait of it and of what it opens and must
// outlive them.
absl::StatusOr<std::unique_ptr<EventLog>> OpenEventLog(const LogOptions& options,
                                                       const Cancel& cancel);

}  // namespace switchyard::eventlog
