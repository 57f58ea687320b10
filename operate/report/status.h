// What `status` shows, as data: what both databases and the log said, what follows from it, and two
// ways to show it. Pure; the asking is in operate/status.
//
//   StreamFacts facts = ...;                          // as read from OLD and NEW
//   StatusReport report = {.streams = {Assess(facts, previous)}};
//   out << StatusText(report, {.color = true}) or StatusJson(report);
//
// Anything that is not known is nullopt, shown as "unknown" and null, never as 0.
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/finding.h"
#include "common/base/lsn.h"
#include "common/records/cutover/ownership.h"
#include "common/records/proof/parity_results.h"
#include "common/records/stream/phase.h"
#include "common/records/stream/stream.h"

namespace switchyard::operate {

// The replication slot on the source.
struct SlotFacts {
  std::string name;
  bool active = false;
  std::string wal_status;                 // reserved, extended, unreserved, lost
  Lsn restart;                            // WAL is kept from here on
  Lsn confirmed_flush;                    // the log holds everything below
  std::optional<int64_t> bytes_to_limit;  // until it may be invalidated; none: no limit set
};

struct CopyTable {
  std::string table;
  bool recopy = false;
  std::string asked_as;       // the table that people know, a leaf's root
  std::string capture_state;  // pending, copying, done; empty when unknown
  Finding error;              // why the last attempt failed; it is tried again
  int64_t rows_captured = 0;
  int64_t bytes_captured = 0;
  std::optional<int64_t> rows_estimate;
  std::optional<int64_t> bytes_estimate;
  bool loaded = false;
  bool gone = false;  // a partition that a newer copy of its table did not find
  int64_t rows_loaded = 0;
  int64_t bytes_loaded = 0;
  std::optional<absl::Time> started;  // of the load, by NEW's clock
  std::optional<absl::Time> finished;
  absl::Duration worked;  // for how long rows of it were being loaded
};

// The event log, as seen from the machine that asks.
struct LogFacts {
  Finding error;             // why it could not be looked at; empty when it was, or was not tried
  bool unreachable = false;  // of `error`: there is a log, and it does not answer
  std::optional<int64_t> next_offset;  // Kafka: one past the newest record of the change topic
  std::optional<int64_t> bytes;        // embedded: size of the file, its WAL included
  std::optional<int64_t> free_bytes;   // embedded: left on its disk
  Finding full;                        // embedded: why nothing can be appended; else empty
};

struct Suspect {
  std::string table;
  std::string reason;
  std::string next_step;
  bool lacks = false;  // it is known that NEW lacks something: `status` says so by its exit code
  // Of rows that were to be changed and were not there.
  std::optional<int64_t> rows;
  std::optional<Lsn> first_lsn;
};

// What the last comparison of both databases found, and each table's own.
struct ParityFacts {
  bool under_way = false;  // or cut short
  records::Verdict verdict = records::Verdict::kInconclusive;
  std::string reason;       // of inconclusive
  std::string fingerprint;  // of the mapping that was compared
  std::optional<Lsn> lsn;   // the oldest that a table was compared as of
  absl::Duration age;       // since it ended, or began
  std::vector<records::ParityTable> tables;
};

// What check --rehearse found last.
struct RehearsalFacts {
  std::string verdict;  // clean, faults, inconclusive
  int64_t batches = 0;
  int64_t faults = 0;
  int64_t seed = 0;
  absl::Duration age;
  bool this_mapping = false;  // of the mapping that is installed, or none is
};

// One stream as its two databases describe it.
struct StreamFacts {
  std::string stream;
  records::Direction direction = records::Direction::kForward;
  // From the source; absent when it could not be asked.
  Finding source_error;
  std::optional<Lsn> source_lsn;  // current end of its WAL
  std::optional<absl::Time> source_now;
  std::optional<bool> capture_active;        // a capture holds the stream
  std::optional<std::string> capture_state;  // absent: no capture has begun
  std::optional<int64_t> capture_epoch;
  Finding refusal;  // why capture stands still
  std::optional<SlotFacts> slot;
  std::vector<std::string> slot_waits_for;  // transactions that keep it from being made
  std::vector<Suspect> suspects;
  // From the target.
  Finding target_error;
  std::optional<absl::Time> target_now;
  std::optional<bool> replay_active;           // a replayer holds the stream
  std::optional<records::Phase> replay_phase;  // absent: nothing has been applied yet
  Finding stop_reason;
  std::string doing;  // long work that the replayer is at
  // Of that: where in it a long transaction is, and since when that runs.
  std::string step_work;
  int step = 0;  // 0: it shows none
  int steps = 0;
  std::optional<absl::Time> step_transaction;
  std::optional<int64_t> replay_epoch;
  std::optional<Lsn> applied;              // every commit up to here is in NEW
  std::optional<absl::Time> applied_time;  // the source's clock when `applied` was its end
  std::optional<Lsn> hold;
  std::optional<int64_t> transactions;  // applied since the copy
  std::optional<int64_t> rows;
  std::optional<int64_t> applied_offset;  // next record of the change topic
  std::optional<int64_t> quarantined;
  std::optional<int64_t> breaches;  // rows written to the source while it did not own them
  std::optional<int64_t> open_requests;
  std::vector<std::string> open_recopies;  // tables whose re-copy is not swapped in yet
  std::optional<ParityFacts> parity;       // absent: nothing was compared yet
  std::optional<RehearsalFacts> rehearsal;
  // Both.
  std::vector<CopyTable> copy;
  LogFacts log;
};

struct CopyProgress {
  std::string table;
  std::string root;   // of a partition: the table that people know; else empty
  std::string state;  // pending, copying, loading, done
  bool recopy = false;
  int64_t rows = 0;
  int64_t bytes = 0;
  std::optional<int64_t> rows_estimate;
  std::optional<int64_t> bytes_estimate;
  std::optional<double> percent;  // 0..100; at most 99 until done
  std::optional<double> rows_per_second;
  std::optional<double> bytes_per_second;
  std::optional<absl::Duration> left;
  Finding error;  // why the last attempt failed; empty: it did not
};

struct StreamStatus {
  std::string stream;
  records::Direction direction = records::Direction::kForward;
  std::optional<records::Phase> phase;  // absent: NEW could not be asked
  std::string state;  // as shown: the phase; held where it streams up to a hold; or unknown
  std::vector<Finding> reasons;  // why it is stopped, one for each role; else empty
  std::string doing;             // long work under way, or what it waits for; else empty
  std::optional<int64_t> epoch;
  std::optional<Lsn> source_lsn;
  std::optional<Lsn> captured_lsn;
  std::optional<Lsn> applied_lsn;
  std::optional<int64_t> lag_bytes;
  std::optional<absl::Duration> lag;
  std::optional<double> rows_per_second;
  std::optional<double> transactions_per_second;
  std::optional<bool> capture_active;
  std::optional<bool> replayer_active;
  std::optional<int64_t> quarantined;
  std::optional<int64_t> breaches;
  std::optional<int64_t> open_requests;
  std::optional<RehearsalFacts> rehearsal;
  std::optional<SlotFacts> slot;
  std::optional<int64_t> slot_retained_bytes;
  std::vector<std::string> slot_waits_for;
  std::vector<Suspect> suspects;
  std::optional<ParityFacts> parity;
  LogFacts log;
  std::optional<int64_t> log_records;  // on the log, not applied yet
  std::vector<CopyProgress> copy;
  // Of the initial copy since it began, all tables together.
  std::optional<double> copy_rows_per_second;
  std::optional<absl::Duration> copy_left;
  std::vector<Finding> errors;  // databases and logs that could not be asked
};

// A person must act: it is stopped, a role does not run, a table is suspect or can't be copied,
// rows wait in quarantine, NEW is known to lack something, or verify found a difference.
bool NeedsAPerson(const StreamStatus& status);
// "no replayer runs: ..." of the roles that are known not to run; empty: they do.
Finding MissingRoles(const StreamStatus& status);

// Which side the application may write to, as NEW says.
struct OwnerFacts {
  records::Side owner = records::Side::kOld;
  int64_t epoch = 0;                // of the change of owner; 0: there was none
  std::optional<absl::Time> since;  // NEW's clock; absent: from the start
};

struct StatusReport {
  std::string migration;
  std::optional<OwnerFacts> owner = std::nullopt;  // absent: one stream only, or NEW was not asked
  std::vector<StreamStatus> streams = {};
};

// `previous`: the same stream a moment ago, for rates; without it they are unknown.
StreamStatus Assess(const StreamFacts& facts, const StreamFacts* previous);

struct StatusTextOptions {
  bool color = false;
  int lines_max =
      0;  // as many fit the screen: tables of the copy are left out, and counted; 0: all
};
// Lines end with '\n'; columns are aligned.
std::string StatusText(const StatusReport& report, const StatusTextOptions& options);
// The words of message Status in proto/control.proto. On one line when `compact`.
std::string StatusJson(const StatusReport& report, bool compact);

}  // namespace switchyard::operate
