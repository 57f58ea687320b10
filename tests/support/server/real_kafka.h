// Apache Kafka itself for tests: one broker on loopback ports, data in a temporary folder, gone
// with the object or with the test's process. scripts/kafka fetches it (Maven) and starts it
// (Java 17, about 5 s).
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "tests/support/temp_dir.h"

namespace switchyard::testing {

class RealKafka {
 public:
  struct Options {
    bool tls = false;  // listen at tls_servers() as well; takes two seconds more
  };
  // Ready for use. Unavailable, with the end of the broker's log, when it does not start.
  static absl::StatusOr<std::unique_ptr<RealKafka>> Start(Options options);
  static absl::StatusOr<std::unique_ptr<RealKafka>> Start() { return Start(Options()); }
  ~RealKafka();
  RealKafka(const RealKafka&) = delete;
  RealKafka& operator=(const RealKafka&) = delete;

  std::string bootstrap_servers() const { return Address(port_); }
  // Wants SASL PLAIN with user "switchyard" and password "open sesame".
  std::string sasl_servers() const { return Address(sasl_port_); }
  // The same behind TLS, with a certificate that certificate_path() vouches for.
  std::string tls_servers() const { return Address(tls_port_); }
  std::string certificate_path() const { return folder_.path() + "/broker/tls.pem"; }

  // SIGKILL; the data stay.
  void Kill();
  // Starts it again at the same ports and waits until it answers.
  absl::Status Restart();

  // Topics as somebody else would make them.
  absl::Status CreateTopic(const std::string& topic, int partitions,
                           const std::map<std::string, std::string>& configs);
  absl::Status DeleteTopic(const std::string& topic);

 private:
  RealKafka() = default;
  static std::string Address(int port) { return "127.0.0.1:" + std::to_string(port); }
  absl::Status Launch();
  absl::Status AwaitReady();
  std::string log_path() const { return folder_.path() + "/broker.log"; }

  TempDir folder_;
  int port_ = 0;
  int controller_port_ = 0;
  int sasl_port_ = 0;
  int tls_port_ = 0;  // 0: none
  pid_t pid_ = -1;
};

}  // namespace switchyard::testing
