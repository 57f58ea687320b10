// The messages inside COPY BOTH of a replication connection, as bytes. Pure.
//
// Source of the formats: PostgreSQL manual, "Streaming Replication Protocol".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/replication/replication_stream.h"

namespace switchyard::pg::internal {

// One CopyData message. DataLoss for an unknown type, a short message, or a keepalive with bytes
// left over. The frame's payload points into `message`.
absl::StatusOr<Frame> ParseFrame(std::string_view message);

// A standby status update: `flushed` as written, flushed and applied. `now_us` is Unix time.
std::string StatusUpdate(Lsn flushed, int64_t now_us);

}  // namespace switchyard::pg::internal
