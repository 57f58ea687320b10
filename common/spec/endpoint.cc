// Endpoint: the only place where a connection string is read.
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/spec/migration_file.h"
#include "common/spec/text_file.h"

namespace switchyard::spec {
namespace {

constexpr size_t kDsnBytesMax = size_t{16} << 10;

}  // namespace

absl::StatusOr<std::string> Endpoint::Dsn() const {
  if (!dsn_env.empty()) {
    const char* value = std::getenv(dsn_env.c_str());
    if (value != nullptr && *value != '\0') return std::string(value);
    return Refuse(
        absl::StrCat("the environment variable ", dsn_env,
                     " is not set; it must hold the connection string"),
        absl::StrCat("set it, as in: export ", dsn_env, "='host=db1 dbname=shop user=switchyard'"));
  }
  absl::StatusOr<std::string> text = ReadTextFile(dsn_file, kDsnBytesMax);
  if (!text.ok()) {
    return Refuse(absl::StrCat("dsn_file: ", text.status().message()),
                  "write the connection string into that file, for this user to read");
  }
  std::string dsn(absl::StripAsciiWhitespace(*text));
  if (dsn.empty()) {
    return Refuse(absl::StrCat("dsn_file: ", dsn_file, " is empty"),
                  "write the connection string into it");
  }
  return dsn;
}

pg::ConnectionString Endpoint::Connection() const {
  const std::string place =
      dsn_env.empty() ? "dsn_file " + dsn_file : "environment variable " + dsn_env;
  return pg::ConnectionString(place, [endpoint = *this] { return endpoint.Dsn(); });
}

}  // namespace switchyard::spec
