// What servers learned since Postgres 12, by Session::server_version(): what an older one lacks is
// left out of the SQL it is asked, or done in another way.
#pragma once

namespace switchyard::pg {

// A publication may name a partitioned table, which then covers its partitions.
inline constexpr int kPublishesRoots = 130000;
// Slots tell whether their WAL is kept (wal_status, safe_wal_size).
inline constexpr int kTellsSlotWal = 130000;
// pgoutput sends what pg_logical_emit_message wrote.
inline constexpr int kSendsMessages = 140000;
// Slots may be two-phase.
inline constexpr int kTwoPhaseSlots = 140000;
inline constexpr int kMultiranges = 140000;
// A range of ctid is read without reading the whole table.
inline constexpr int kReadsCtidRanges = 140000;
// pg_stat_wal.
inline constexpr int kCountsWal = 140000;
// A connection that streams notices that a table became a partition of a published one, or ceased
// to be one; before, it goes on as it began with that table.
inline constexpr int kNoticesPartitions = 150000;
// Slots may be kept on standbys, and are there once one is promoted.
inline constexpr int kFailoverSlots = 170000;

}  // namespace switchyard::pg
