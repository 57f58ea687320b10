// Where a connection leads, and as whom: a text given once, or a place it is read from anew for
// every connection, so that a password may change while a stream is under way.
//
//   pg::ConnectionString old_db("host=db1 dbname=shop");
//   pg::ConnectionString old_db("dsn_file /run/old.dsn", [] { return ReadFile(...); });
//
// A rotation is not atomic: server and file change one after the other. So a login that is refused
// where one had worked before is Unavailable for a while, to be tried again, and only then what it
// is. Copies share what they know of each other's logins. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/base/status.h"

namespace switchyard::pg {

class ConnectionString {
 public:
  using Reader = std::function<absl::StatusOr<std::string>()>;

  ConnectionString() : ConnectionString(std::string()) {}
  // NOLINTNEXTLINE(google-explicit-constructor): a text is one, as it always was
  ConnectionString(std::string text);
  // NOLINTNEXTLINE(google-explicit-constructor)
  ConnectionString(const char* text) : ConnectionString(std::string(text)) {}
  // `place` is for messages and holds no secret: "dsn_file /run/old.dsn". A refused login is tried
  // again for `patience` where one had worked.
  ConnectionString(std::string place, Reader reader, absl::Duration patience = absl::Minutes(2));

  // What it is now. The reader's errors.
  absl::StatusOr<std::string> Read() const;

  // For common/pg: what came of a try to connect, as the caller is to see it.
  absl::Status Outcome(const absl::Status& connected) const;

 private:
  struct Known;

  std::string place_;  // empty: nothing is read anew
  Reader reader_;
  absl::Duration patience_;
  std::shared_ptr<Known> known_;  // shared by the copies
};

}  // namespace switchyard::pg
