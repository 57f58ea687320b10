// The ordered event log: append at one end, read from an offset at the other.
//
// A log holds topics; a topic is one totally ordered sequence of records with offsets that grow
// (not necessarily by 1). Three implementations meet one contract test: KafkaLog (a topic with one
// partition), SqliteLog (one file, many processes), MemoryLog (tests).
//
//   ASSIGN_OR_RETURN(auto log, OpenEventLog({.sqlite_path = path}, cancel));
//   RETURN_IF_ERROR(log->CreateTopic("shop.forward.changes"));
//   ASSIGN_OR_RETURN(auto writer, log->OpenWriter("shop.forward.changes"));
//   ASSIGN_OR_RETURN(uint64_t sequence, writer->Append(key, payload));
//   ... once writer->durable_sequence() >= sequence, the record survives a crash, and readers see
//   it: a record is never visible before it is durable.
//
// Writers split payloads larger than the log's message limit into Part events and readers join
// them again, so callers see whole Events only (see part.h). A payload may have up to
// kPayloadBytesMax bytes.
//
// A log must outlive the writers and readers it opened.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"

namespace switchyard::eventlog {

// Offset of the first record ever written to a topic is >= 0; "next offset" means one past.
using Offset = int64_t;

// Largest payload of one record. 100 MB is tested; Postgres itself allows 1 GB for one field.
inline constexpr size_t kPayloadBytesMax = 1'000'000'000;

// Thread-compatible, except durable_sequence() and status(), which any thread may call.
// Destroying a writer gives up what is not durable yet: Flush first.
class LogWriter {
 public:
  virtual ~LogWriter() = default;

  // Queues a copy of one record and returns its sequence number: 1, 2, 3 ... for this writer.
  // Blocks while more than the bound is in flight (at most 64 MiB). Once a delivery failed for
  // good every call returns that error (FailedPrecondition or DataLoss; Unavailable when a new
  // writer may go on); a log that is merely unreachable or full is waited for, with a warning
  // logged. InvalidArgument: larger than kPayloadBytesMax. Cancelled when it would have to wait and
  // shutdown was requested.
  virtual absl::StatusOr<uint64_t> Append(std::string_view key, std::string_view payload) = 0;

  // Says that nothing more comes for now: what is queued is written without waiting for a fuller
  // batch. Without it, or Flush, the last records may wait for those that follow.
  virtual void Nudge() = 0;

  // Waits until everything appended is durable. DeadlineExceeded, Cancelled, or the delivery error.
  virtual absl::Status Flush(absl::Duration timeout) = 0;

  // Every record with a sequence number up to this one is durable. Never goes back.
  virtual uint64_t durable_sequence() const = 0;

  // OK, or the error that ended the writer.
  virtual absl::Status status() const = 0;

  // False: keys are dropped, so the caller need not build them.
  virtual bool keeps_keys() const = 0;
};

struct LogRecord {
  // Of the record, or of the first Part of it: Seek(offset) reads this record again,
  // Seek(offset + 1) the one after it.
  Offset offset = 0;
  std::string_view payload;  // one serialized Event; valid until the next Read
};

// Thread-compatible.
class LogReader {
 public:
  virtual ~LogReader() = default;

  // Clears `records`, waits up to `timeout` for at least one and returns what is there, in order,
  // at most about 4 MiB unless one record is larger. Empty after the time-out is OK.
  // DataLoss: the offset was trimmed away or lies past the end, the topic was deleted or made
  // again, or the log is damaged. FailedPrecondition: not a log of ours, of a newer format, or
  // access refused. Cancelled on shutdown. A log that can't be reached is waited for inside.
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
  // refuses (FailedPrecondition names the setting, its value and the one needed). Waits for a log
  // that can't be reached or is full, with a warning logged; so do OpenWriter and OpenReader.
  virtual absl::Status CreateTopic(const std::string& topic) = 0;
  // NotFound when there is none; Unavailable when the log can't be reached now.
  virtual absl::StatusOr<TopicInfo> Describe(const std::string& topic) = 0;
  // NotFound when the topic does not exist. After a writer that may have been cut off in
  // the middle of a record larger than the message limit, the next one writes under a higher epoch.
  virtual absl::StatusOr<std::unique_ptr<LogWriter>> OpenWriter(const std::string& topic) = 0;
  virtual absl::StatusOr<std::unique_ptr<LogReader>> OpenReader(const std::string& topic,
                                                                Offset from) = 0;
  // Records below `before` may be dropped; how many really are is the implementation's choice, and
  // another call may drop more.
  // Unavailable when the log can't be reached now.
  virtual absl::Status Trim(const std::string& topic, Offset before) = 0;
};

struct LogOptions {
  std::string sqlite_path;  // set: SqliteLog
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
