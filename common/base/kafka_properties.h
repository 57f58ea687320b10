// Which properties of librdkafka are not the user's to set: one list for the migration file, which
// names the place of a fault, and for the client, which is the last to look.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace switchyard {

// That no change is lost hangs on their values.
inline constexpr std::array<std::string_view, 21> kFixedKafkaProperties = {
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "check.crcs",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "isolation.level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "queue.buffering.backpressure.threshold",
    "request.required.acks",
    "retries",
    "transactional.id"};

inline bool IsFixedKafkaProperty(std::string_view name) {
  return std::find(kFixedKafkaProperties.begin(), kFixedKafkaProperties.end(), name) !=
         kFixedKafkaProperties.end();
}

}  // namespace switchyard
