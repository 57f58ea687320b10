#include "operate/init/init.h"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "common/spec/values.h"
#include "operate/connect.h"
#include "operate/init/first_file.h"
#include "operate/init/type_fits.h"

namespace switchyard::operate {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMigrationNameMax = 40;

// What an argument names. A connection string is a secret, and is not repeated.
absl::StatusOr<spec::Endpoint> EndpointOf(const std::string& name, std::string_view side,
                                          std::string_view variable) {
  if (absl::StrContains(name, "=") || absl::StrContains(name, "://")) {
    return absl::InvalidArgumentError(absl::StrCat(
        Sv(side),
        " is a connection string; it would stand in the migration file. Put it into an "
        "environment variable or a file and give its name, as in: export ",
        Sv(variable), "='host=... dbname=...'; switchyard init OLD_DSN NEW_DSN"));
  }
  spec::Endpoint endpoint;
  std::error_code error;
  const bool is_variable = spec::IsEnvironmentName(name);
  if (is_variable && std::getenv(name.c_str()) != nullptr) {
    endpoint.dsn_env = name;
  } else if (fs::is_regular_file(name, error)) {
    endpoint.dsn_file = name;
  } else if (is_variable) {
    endpoint.dsn_env = name;  // its absence is said where it is read
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat(Sv(side), ": \"", name,
                     "\" is neither an environment variable nor a file that holds a "
                     "connection string"));
  }
  return endpoint;
}

// As the file that is written has to name it.
spec::Endpoint SeenFrom(const std::string& output, spec::Endpoint endpoint) {
  if (endpoint.dsn_file.empty() || output.empty()) return endpoint;
  std::error_code error;
  const fs::path folder = fs::absolute(output, error).parent_path();
  const fs::path seen = fs::relative(fs::absolute(endpoint.dsn_file, error), folder, error);
  if (!error && !seen.empty()) endpoint.dsn_file = seen.string();
  return endpoint;
}

// [a-z][a-z0-9_]*, after a database's name.
std::string MigrationName(std::string_view database) {
  std::string name;
  for (const char c : database) {
    const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
    const bool fits = absl::ascii_isalnum(static_cast<unsigned char>(lower));
    name += fits ? lower : '_';
  }
  if (name.empty() || !absl::ascii_isalpha(static_cast<unsigned char>(name[0]))) name = "m" + name;
  return name.substr(0, kMigrationNameMax);
}

// Tables that an application has: none of the system, of an extension or of Switchyard, and no
// partition, which its table stands for.
absl::StatusOr<catalog::Catalog> LoadAll(pg::Session& session) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT s.nspname, c.relname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND s.nspname !~ '^(pg_|information_schema$|switchyard(_old|_new)?$)'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                        AND d.deptype = 'e')
    ORDER BY 1, 2)"));
  std::vector<spec::TableName> names;
  for (int i = 0; i < rows.rows(); ++i) {
    names.push_back({.schema = rows.str(i, 0), .name = rows.str(i, 1)});
  }
  return catalog::LoadCatalog(session, names, {});
}

}  // namespace

absl::StatusOr<InitReport> Init(const InitOptions& options, const Cancel& cancel) {
  if (!options.migration.empty() && MigrationName(options.migration) != options.migration) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--name is \"%s\"; it must be 1..%d of a-z, 0-9 and _, beginning with a "
                        "letter (slots and topics carry it)",
                        options.migration, kMigrationNameMax));
  }
  FirstFileHeader header;
  ASSIGN_OR_RETURN(header.old_db, EndpointOf(options.old_db, "OLD", "OLD_DSN"));
  ASSIGN_OR_RETURN(header.new_db, EndpointOf(options.new_db, "NEW", "NEW_DSN"));
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> old_session,
                   ConnectTo(header.old_db, "old", cancel));
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Session> new_session,
                   ConnectTo(header.new_db, "new", cancel));
  ASSIGN_OR_RETURN(const catalog::Catalog old_catalog, LoadAll(*old_session));
  ASSIGN_OR_RETURN(const catalog::Catalog new_catalog, LoadAll(*new_session));
  ASSIGN_OR_RETURN(const FitOf fit_of, LoadTypeFits(old_catalog, new_catalog, *new_session));
  header.migration =
      options.migration.empty() ? MigrationName(old_catalog.database) : options.migration;
  header.old_database = old_catalog.database;
  header.new_database = new_catalog.database;
  header.old_db = SeenFrom(options.output, header.old_db);
  header.new_db = SeenFrom(options.output, header.new_db);
  FirstFile file = WriteFirstFile(header, PairTables(old_catalog, new_catalog, fit_of));
  return InitReport{.migration = header.migration,
                    .path = options.output,
                    .yaml = std::move(file.text),
                    .tables = file.tables,
                    .guesses = file.guesses,
                    .questions = file.questions};
}

}  // namespace switchyard::operate
