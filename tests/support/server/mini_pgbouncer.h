// A PgBouncer in front of a MiniPostgres: a Unix socket in a folder of its own, ended with it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "tests/support/server/mini_postgres.h"

namespace switchyard::testing {

class MiniPgBouncer {
 public:
  // `pool_mode`: session, transaction or statement; `more`: further lines of its configuration.
  // NotFound where it is not installed.
  static absl::StatusOr<std::unique_ptr<MiniPgBouncer>> Start(const MiniPostgres& postgres,
                                                              std::string_view pool_mode,
                                                              std::string_view more = "");
  ~MiniPgBouncer();
  MiniPgBouncer(const MiniPgBouncer&) = delete;
  MiniPgBouncer& operator=(const MiniPgBouncer&) = delete;

  // As `user`; the database's name is the one of the server.
  std::string dsn(std::string_view database, std::string_view user = "postgres") const;

 private:
  MiniPgBouncer(std::string folder, pid_t pid) : folder_(std::move(folder)), pid_(pid) {}

  const std::string folder_;
  const pid_t pid_;
};

}  // namespace switchyard::testing
