// One epoch of a stream, from decoded messages to records of its change topic.
//
//   Publisher publisher({.epoch = 7, .start = lsn}, *writer, lookup);
//   RETURN_IF_ERROR(publisher.Hello(hello));
//   RETURN_IF_ERROR(publisher.Publish(message));          // each message, in stream order
//   stream.Acknowledge(publisher.Confirm(), false);       // what the log holds durably
//
// Transactions of any size pass through: each event is appended as it comes, nothing is kept until
// the commit. A Begin waits for the message after it, which may be its origin; a transaction that
// turns out to be empty (before Postgres 15 those are sent, too) leaves no trace but its position.
//
// Thread-compatible: the capture loop owns it. `writer` must outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "capture/decode/ack_tracker.h"
#include "capture/decode/pgoutput_decoder.h"
#include "capture/publish/column_numbers.h"
#include "capture/publish/event_encoder.h"
#include "capture/publish/mark_table.h"
#include "capture/publish/message_table.h"
#include "capture/publish/relation_cache.h"
#include "capture/publish/side_table.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/eventlog/event_log.h"

namespace switchyard::capture {

// Prefix of the messages capture emits when its source is idle; they become Heartbeat events.
inline constexpr char kHeartbeatPrefix[] = "switchyard.heartbeat";

// Shortest time between two heartbeats made of keepalives.
inline constexpr absl::Duration kHeartbeatSpacing = absl::Seconds(1);

// The topmost partitioned table above a leaf; relation_id 0 when it is no partition.
struct RootTable {
  uint32_t relation_id = 0;
  std::string schema;
  std::string name;
};
// What a Relation message does not say of its table.
struct TableFacts {
  RootTable root;
  std::vector<ColumnNumbers> columns;  // by column of the message; empty: not known
};
using TableLookup = std::function<absl::StatusOr<TableFacts>(const RelationMessage&)>;

class Publisher {
 public:
  struct Options {
    std::string stream;
    uint64_t epoch = 0;
    Lsn start;  // every commit at or above it will come
  };
  Publisher(const Options& options, eventlog::LogWriter& writer, TableLookup tables);

  // First event of the epoch. Fills in start_lsn.
  absl::Status Hello(const event::v1::Hello& hello);

  // DataLoss when the message does not fit what came before: out of order, a row outside a
  // transaction or of an undescribed relation. Else what the log writer returns.
  absl::Status Publish(const PgoutputMessage& message);

  // The server has sent everything below `wal_end`. Becomes a Heartbeat when that is news, no
  // transaction is open, and the last one is kHeartbeatSpacing old or an answer is `urgent`.
  absl::Status Keepalive(Lsn wal_end, int64_t server_time_us, absl::Time now, bool urgent);
  // The same of empty transactions: until the log tells of them they are not acknowledged.
  absl::Status TellPosition(absl::Time now) {
    return Keepalive(position_, last_commit_time_us_, now, /*urgent=*/false);
  }

  // What Postgres may forget.
  Lsn Confirm() { return acks_.Confirm(writer_.durable_sequence()); }
  // Something is on its way to the log.
  bool pending() const { return acks_.pending(); }

  // Everything below it has been handed to the log, or is empty.
  Lsn position() const { return position_; }
  uint64_t transactions() const { return transactions_; }
  uint64_t rows() const { return rows_; }
  int64_t last_commit_time_us() const { return last_commit_time_us_; }

 private:
  enum class State { kOutside, kBegun, kInside };

  absl::Status OnBegin(const BeginMessage& begin);
  absl::Status OnOrigin(const OriginMessage& origin);
  absl::Status OnCommit(const CommitMessage& commit);
  absl::Status OnRelation(const RelationMessage& relation);
  absl::Status OnRow(const RowMessage& row);
  // The key of its record, after a KeyEnd under the one the row had, if that was another.
  absl::StatusOr<std::string_view> EnterKey(const RowMessage& row, const RowPlace& place,
                                            CachedRelation* relation);
  absl::Status TooLarge(const absl::Status& refused, const CachedRelation& relation) const;
  absl::Status OnTruncate(const TruncateMessage& truncate);
  absl::Status OnLogicalMessage(const LogicalMessage& message);
  // A write to the message table.
  absl::Status OnMessageRow(const RowMessage& row);

  // Of the first row of a transaction, if it is one of the mark.
  absl::Status OnMark(const RowMessage& row);
  absl::Status OnSide(const RowMessage& row);

  // Appends the Begin that waits, if one does. DataLoss outside a transaction.
  absl::Status EnterTransaction(const char* what);
  absl::Status Heartbeat(Lsn lsn, int64_t time_us);
  // The log's last record says that everything below the position is on it.
  void NoteTold();
  absl::Status Append(std::string_view key, std::string_view payload);
  absl::Status AppendNew() { return Append({}, encoder_.Serialize()); }

  eventlog::LogWriter& writer_;
  const bool keys_;
  const TableLookup tables_;
  EventEncoder encoder_;
  RelationCache relations_;
  MessageTable messages_;
  MarkTable marks_;
  SideTable side_;
  AckTracker acks_;

  State state_ = State::kOutside;
  BeginMessage begin_;
  std::string origin_;
  std::string marked_by_;            // its writer, once the mark was seen
  bool first_row_ = true;            // the next row of it is its first
  std::optional<bool> source_owns_;  // from this transaction on
  Lsn origin_lsn_;
  uint64_t ordinal_ = 0;  // of the next row or truncate
  std::string old_key_;   // reused from one row to the next

  const Lsn start_;
  Lsn position_;
  Lsn told_;                 // what the log says of it
  bool beat_ = false;        // by the transaction that is open
  Lsn previous_commit_lsn_;  // of the last transaction written in this epoch
  uint64_t last_sequence_ = 0;
  absl::Time last_heartbeat_ = absl::InfinitePast();
  uint64_t transactions_ = 0;
  uint64_t rows_ = 0;
  int64_t last_commit_time_us_ = 0;
};

}  // namespace switchyard::capture
