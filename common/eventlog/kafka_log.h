// An EventLog in Kafka: one topic with one partition per topic of the log, through librdkafka.
//
// Thread-safe; its writers and readers are thread-compatible.
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"

namespace switchyard::eventlog {

class KafkaAdmin;

// How long a topic must be unknown before it counts as gone. A broker that has just come up knows
// none until it has loaded the cluster's metadata; taken at its word, it would stop the stream
// and have a person copy everything again.
inline constexpr absl::Duration kGoneAfter = absl::Seconds(5);

class KafkaLog : public EventLog {
 public:
  // Does not wait for the cluster. InvalidArgument: a property that is unknown, malformed or not
  // the user's to set. `cancel` must outlive the log.
  static absl::StatusOr<std::unique_ptr<KafkaLog>> Open(const LogOptions& options,
                                                        const Cancel& cancel,
                                                        absl::Duration gone_after = kGoneAfter);
  ~KafkaLog() override;

  absl::Status CreateTopic(const std::string& topic) override;
  absl::StatusOr<TopicInfo> Describe(const std::string& topic) override;
  absl::StatusOr<std::unique_ptr<LogWriter>> OpenWriter(const std::string& topic) override;
  absl::StatusOr<std::unique_ptr<LogReader>> OpenReader(const std::string& topic,
                                                        Offset from) override;
  absl::Status Trim(const std::string& topic, Offset before) override;

 private:
  KafkaLog(LogOptions options, std::unique_ptr<KafkaAdmin> admin, const Cancel& cancel);
  absl::Status AwaitTopic(const std::string& topic);

  const LogOptions options_;
  const std::unique_ptr<KafkaAdmin> admin_;
  const Cancel& cancel_;
};

}  // namespace switchyard::eventlog
