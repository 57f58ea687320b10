#include "tests/support/oracle/oracle_scratch.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "tests/support/server/subprocess.h"

namespace switchyard::testing {
namespace {

// `dsn` with another database.
std::string WithDatabase(const std::string& dsn, const std::string& database) {
  const size_t scheme = dsn.find("://");
  if (scheme == std::string::npos) return absl::StrCat(dsn, " dbname=", database);
  const size_t query = std::min(dsn.find('?'), dsn.size());
  const size_t path = std::min(dsn.find('/', scheme + 3), query);
  return absl::StrCat(dsn.substr(0, path), "/", database, dsn.substr(query));
}

// Where the tables of one of OLD's schemas stand; quoted.
std::string OldSchema(std::string_view schema) {
  return QuoteIdentifier(absl::StrCat("switchyard_old_", Sv(schema)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<OracleScratch>> OracleScratch::Make(const OracleOptions& options,
                                                                   const Cancel& cancel) {
  auto scratch = std::unique_ptr<OracleScratch>(new OracleScratch(options, cancel));
  RETURN_IF_ERROR(Annotate(scratch->Create(), "oracle: making the scratch database"));
  RETURN_IF_ERROR(Annotate(scratch->LoadOld(), "oracle: loading OLD's tables"));
  RETURN_IF_ERROR(Annotate(scratch->MoveOldTables(), "oracle: moving OLD's tables"));
  RETURN_IF_ERROR(Annotate(scratch->LoadNewSchema(), "oracle: making NEW's tables"));
  RETURN_IF_ERROR(Annotate(scratch->CopyHelpers(), "oracle: copying what the mappings call"));
  return scratch;
}

OracleScratch::~OracleScratch() {
  session_.reset();
  if (admin_ == nullptr || name_.empty()) return;
  // Best effort: the database of a server that is gone went with it.
  admin_->Execute("DROP DATABASE IF EXISTS " + QuoteIdentifier(name_) + " WITH (FORCE)")
      .IgnoreError();
}

absl::Status OracleScratch::Create() {
  static std::atomic<int> counter{0};
  ASSIGN_OR_RETURN(admin_, pg::Session::Connect({.dsn = options_.new_dsn}, cancel_));
  name_ = absl::StrFormat("switchyard_oracle_%d_%d", getpid(), ++counter);
  RETURN_IF_ERROR(admin_->Execute("CREATE DATABASE " + name_ + " TEMPLATE template0"));
  dsn_ = WithDatabase(options_.new_dsn, name_);
  // Triggers and foreign keys of NEW stay silent: the rows alone are compared.
  const pg::SessionOptions scratch = {.dsn = dsn_,
                                      .settings = {{"session_replication_role", "replica"},
                                                   {"synchronous_commit", "off"},
                                                   {"work_mem", "128MB"},
                                                   {"search_path", "\"$user\", public"}}};
  ASSIGN_OR_RETURN(session_, pg::Session::Connect(scratch, cancel_));
  ASSIGN_OR_RETURN(
      new_session_,
      pg::Session::Connect(
          {.dsn = options_.new_dsn, .settings = {{"search_path", "\"$user\", public"}}}, cancel_));
  return new_session_->Begin("ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

// Runs `script` with the connection strings in its environment.
absl::Status OracleScratch::Shell(const std::string& script) const {
  Command command;
  command.argv = {"/bin/bash", "-c", "set -euo pipefail; " + script};
  command.environment = {{"OLD", options_.old_dsn},
                         {"NEW", options_.new_dsn},
                         {"SCRATCH", dsn_},
                         {"LOAD", "psql -X -q -v ON_ERROR_STOP=1 -o /dev/null"},
                         {"DUMP",
                          "pg_dump --no-owner --no-privileges --no-publications --no-subscriptions "
                          "--exclude-schema=switchyard --exclude-schema=switchyard_old"},
                         {"PGOPTIONS", "-c synchronous_commit=off -c client_min_messages=warning"}};
  return RunForOutput(std::move(command)).status();
}

// Without indexes and foreign keys, which would only cost time. Primary keys may be needed: a
// GROUP BY of one covers the other columns.
absl::Status OracleScratch::LoadOld() {
  RETURN_IF_ERROR(Shell("$DUMP --section=pre-data --section=data \"$OLD\" | $LOAD \"$SCRATCH\""));
  ASSIGN_OR_RETURN(std::unique_ptr<pg::Session> old_db,
                   pg::Session::Connect({.dsn = options_.old_dsn}, cancel_));
  return AddPrimaryKeys(*old_db);
}

absl::Status OracleScratch::AddPrimaryKeys(pg::Session& source) {
  RETURN_IF_ERROR(source.Execute("SET search_path = ''"));
  ASSIGN_OR_RETURN(
      pg::Result keys,
      source.Query("SELECT format('ALTER TABLE %s ADD %s', c.conrelid::regclass, "
                   "pg_get_constraintdef(c.oid)) FROM pg_constraint c "
                   "WHERE c.contype = 'p' AND c.coninhcount = 0 AND c.connamespace::regnamespace::"
                   "text NOT IN ('pg_catalog', 'information_schema', 'switchyard', "
                   "'switchyard_old')"));
  for (int row = 0; row < keys.rows(); ++row) {
    RETURN_IF_ERROR(session_->Execute(keys.text(row, 0)));
  }
  return absl::OkStatus();
}

// OLD's schemas become switchyard_old_<schema>, so that NEW's find their names free. What the file
// calls by a bare name is found through the search path, aliases as views.
absl::Status OracleScratch::MoveOldTables() {
  ASSIGN_OR_RETURN(pg::Result schemas,
                   session_->Query("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND "
                                   "nspname <> 'information_schema'"));
  for (int row = 0; row < schemas.rows(); ++row) {
    const std::string schema = schemas.str(row, 0);
    RETURN_IF_ERROR(session_->Execute(
        absl::StrCat("ALTER SCHEMA ", QuoteIdentifier(schema), " RENAME TO ", OldSchema(schema))));
  }
  RETURN_IF_ERROR(session_->Execute(
      "CREATE SCHEMA public; CREATE SCHEMA switchyard; CREATE SCHEMA switchyard_old"));
  for (const auto& [alias, table] : options_.file.forward.aliases) {
    RETURN_IF_ERROR(session_->Execute(
        absl::StrCat("CREATE VIEW switchyard_old.", QuoteIdentifier(alias), " AS TABLE ",
                     OldSchema(table.schema), ".", QuoteIdentifier(table.name))));
  }
  // Extensions are no part of OLD's tables: NEW's tables look for them in public.
  ASSIGN_OR_RETURN(pg::Result extensions,
                   session_->Query("SELECT extname FROM pg_extension WHERE extrelocatable AND "
                                   "extnamespace::regnamespace::text ~ '^\"?switchyard_old_'"));
  for (int row = 0; row < extensions.rows(); ++row) {
    RETURN_IF_ERROR(session_->Execute(absl::StrCat(
        "ALTER EXTENSION ", QuoteIdentifier(extensions.text(row, 0)), " SET SCHEMA public")));
  }
  return session_->Execute("ANALYZE");
}

std::string OracleScratch::search_path() const {
  std::string path = "switchyard_old";
  for (const std::string& schema : options_.file.schemas) {
    absl::StrAppend(&path, ", ", OldSchema(schema));
  }
  return absl::StrCat(path, ", public");
}

absl::Status OracleScratch::LoadNewSchema() {
  ASSIGN_OR_RETURN(std::string version,
                   RunForOutput({.argv = {"/bin/bash", "-c", "pg_dump --version"}}));
  const size_t digit = version.find_first_of("0123456789");
  const int pg_dump_major = digit == std::string::npos ? 0 : std::atoi(version.c_str() + digit);
  if (!options_.schema_from_setup && pg_dump_major >= new_session_->server_version() / 10000) {
    RETURN_IF_ERROR(Shell("$DUMP --section=pre-data \"$NEW\" | $LOAD \"$SCRATCH\""));
    return AddPrimaryKeys(*new_session_);
  }
  for (const std::string& path : options_.file.setup) {
    RETURN_IF_ERROR(Shell("$LOAD -f " + QuoteLiteral(path) + " \"$SCRATCH\""));
  }
  return absl::OkStatus();
}

// The id pairs handed out so far, uuid_of, and the lookup tables the file declares.
absl::Status OracleScratch::CopyHelpers() {
  ASSIGN_OR_RETURN(pg::Result functions,
                   new_session_->Query("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE "
                                       "pronamespace = to_regnamespace('switchyard') AND "
                                       "provolatile = 'i' AND prokind = 'f'"));
  for (int row = 0; row < functions.rows(); ++row) {
    RETURN_IF_ERROR(session_->Execute(functions.text(row, 0)));
  }
  ASSIGN_OR_RETURN(pg::Result id_map,
                   new_session_->Query("SELECT to_regclass('switchyard.id_map') IS NOT NULL"));
  RETURN_IF_ERROR(
      session_->Execute("CREATE TABLE switchyard.id_map (kind text, old_id text, new_id uuid);"
                        "CREATE INDEX ON switchyard.id_map (kind, old_id);"
                        "CREATE INDEX ON switchyard.id_map (kind, new_id)"));
  if (id_map.boolean(0, 0)) RETURN_IF_ERROR(CopyTable("switchyard.id_map"));
  std::set<spec::TableName> lookups;
  for (const spec::Mapping& mapping : options_.file.forward.mappings) {
    for (const spec::TableName& table : mapping.static_tables) {
      if (!table.schema.empty()) lookups.insert(table);
    }
  }
  for (const spec::TableName& table : lookups) {
    RETURN_IF_ERROR(CopyTable(QuoteQualified(table.schema, table.name)));
  }
  return absl::OkStatus();
}

absl::Status OracleScratch::CopyTable(const std::string& table) {
  ASSIGN_OR_RETURN(
      pg::Result columns,
      session_->Query("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM "
                      "pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT "
                      "attisdropped AND attgenerated = ''",
                      {table}));
  const std::string list = absl::StrCat(table, " (", Sv(columns.text(0, 0)), ")");
  RETURN_IF_ERROR(session_->BeginCopyIn("COPY " + list + " FROM STDIN"));
  RETURN_IF_ERROR(new_session_->CopyOut("COPY " + list + " TO STDOUT", [&](std::string_view line) {
    return session_->PutCopyData(line);
  }));
  return session_->EndCopyIn().status();
}

}  // namespace switchyard::testing
