// Streams to show, for the tests of status.
#pragma once

#include "common/records/stream/phase.h"
#include "operate/report/status.h"

namespace switchyard::operate {

inline absl::Time Noon() { return absl::FromUnixSeconds(1'750'000'000); }

// Everything known, one row of WAL behind.
inline StreamFacts StreamingFacts() {
  StreamFacts facts;
  facts.stream = "shop.forward";
  facts.source_lsn = Lsn(0x5A3F1220);
  facts.source_now = Noon();
  facts.capture_state = "streaming";
  facts.capture_epoch = 3;
  facts.slot = SlotFacts{.name = "switchyard_shop_forward",
                         .active = true,
                         .wal_status = "reserved",
                         .restart = Lsn(0x593F1220),
                         .confirmed_flush = Lsn(0x5A3F1220),
                         .bytes_to_limit = int64_t{1} << 30};
  facts.target_now = Noon();
  facts.replay_phase = records::Phase::kStreaming;
  facts.replay_epoch = 3;
  facts.applied = Lsn(0x5A3F0000);
  facts.applied_time = Noon() - absl::Milliseconds(250);
  facts.transactions = 5'000;
  facts.rows = 60'000;
  facts.applied_offset = 81'000;
  facts.log.next_offset = 81'042;
  facts.quarantined = 0;
  facts.open_requests = 0;
  return facts;
}

// Half-way through the copy.
inline StreamFacts CopyingFacts() {
  StreamFacts facts = StreamingFacts();
  facts.capture_state = "copying";
  facts.replay_phase = records::Phase::kCopying;
  facts.applied = Lsn();
  facts.applied_time.reset();
  facts.copy = {{.table = "public.bookings",
                 .capture_state = "done",
                 .rows_captured = 312'000,
                 .rows_estimate = 312'000,
                 .bytes_estimate = int64_t{98} << 20,
                 .rows_loaded = 156'000,
                 .bytes_loaded = int64_t{40} << 20,
                 .started = Noon() - absl::Seconds(22),
                 .worked = absl::Seconds(20)},
                {.table = "public.studios",
                 .capture_state = "done",
                 .rows_estimate = 47'000,
                 .bytes_estimate = int64_t{9} << 20,
                 .loaded = true,
                 .rows_loaded = 47'012,
                 .bytes_loaded = int64_t{7} << 20,
                 .started = Noon() - absl::Seconds(22),
                 .finished = Noon() - absl::Seconds(3),
                 .worked = absl::Seconds(2)},
                {.table = "public.customers",
                 .capture_state = "copying",
                 .rows_estimate = 158'000,
                 .bytes_estimate = int64_t{30} << 20},
                {.table = "public.sessions", .capture_state = "pending"}};
  return facts;
}

}  // namespace switchyard::operate
