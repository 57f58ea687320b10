// A logical replication connection: START_REPLICATION over COPY BOTH with libpq. Frames come out
// whole; feedback goes in.
//
//   ASSIGN_OR_RETURN(auto stream, ReplicationStream::Start({.dsn = dsn, .slot = "shop",
//                                                           .publication = "shop"}, cancel));
//   ASSIGN_OR_RETURN(std::optional<Frame> frame, stream->Read(absl::Seconds(1)));
//   RETURN_IF_ERROR(stream->Acknowledge(durable, /*now=*/false));
//
// A thread inside keeps the connection alive: it sends the last acknowledged LSN at least every
// second (more often where wal_sender_timeout is short), whatever the caller does meanwhile.
//
// Read belongs to one thread; Acknowledge may be called from any. The Cancel must outlive the
// stream.
//
// Source of the formats: PostgreSQL manual, "Streaming Replication Protocol".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/connection_string.h"

namespace switchyard::pg {

struct ReplicationOptions {
  ConnectionString dsn;
  std::string application_name;
  std::string slot;
  std::string publication;
  Lsn start;             // 0: where the slot's confirmed_flush_lsn stands
  bool messages = true;  // pg_logical_emit_message
  absl::Duration connect_timeout = absl::Seconds(10);
};

// One CopyData message from the server.
struct Frame {
  enum class Kind { kData, kKeepalive } kind = Kind::kData;
  Lsn start;                 // kData: LSN of this message's WAL; kKeepalive: 0
  Lsn wal_end;               // current end of WAL on the server
  int64_t send_time_us = 0;  // Unix microseconds, server's clock
  bool reply_requested = false;
  std::string_view payload;  // kData: one pgoutput message. Valid until the next call.
};

class ReplicationStream {
 public:
  // Protocol version 1, streaming off. FailedPrecondition with SQLSTATE (StatusSqlState) 55006
  // when another session has the slot, 42704 when there is no such slot, 55000 when it was
  // invalidated, 42501 without the REPLICATION right; Unavailable when the server can't be
  // reached. A publication that does not exist shows only in Read, at the first change.
  static absl::StatusOr<std::unique_ptr<ReplicationStream>> Start(const ReplicationOptions& options,
                                                                  const Cancel& cancel);
  virtual ~ReplicationStream() = default;

  // The next frame, or nullopt after `timeout`. Unavailable when the connection is lost or the
  // server shuts down, Cancelled on shutdown, DataLoss for a message that is not as documented,
  // FailedPrecondition for what the server can't decode (42704, from Postgres 18 on 55000: no such
  // publication). After an error the stream has ended, and every further call returns that error.
  virtual absl::StatusOr<std::optional<Frame>> Read(absl::Duration timeout) = 0;

  // What Postgres may forget: everything below `flushed` is durable in the event log. Never goes
  // back. Sent at once when `now`, else with the next keepalive answer (at most 1 s later).
  virtual absl::Status Acknowledge(Lsn flushed, bool now) = 0;

  // Of the walsender: pg_replication_slots.active_pid while this stream holds the slot.
  virtual int backend_pid() const = 0;
};

}  // namespace switchyard::pg
