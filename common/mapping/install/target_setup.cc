#include "common/mapping/install/target_setup.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/catalog/role_sql.h"
#include "common/mapping/install/install.h"
#include "common/mapping/plan.h"
#include "common/records/cutover/fence_sql.h"
#include "common/records/mark.h"
#include "common/records/stream/stream_store.h"
#include "common/records/target_sql.h"

namespace switchyard::mapping {
namespace {

// The right MAINTAIN came with it.
constexpr int kMaintainRight = 170000;
// GRANT SET ON PARAMETER and has_parameter_privilege() came with it.
constexpr int kParameterRights = 150000;

bool IsFilled(const catalog::Table& table, const std::vector<spec::TableName>& filled) {
  return std::any_of(filled.begin(), filled.end(), [&](const spec::TableName& name) {
    return name.schema == table.schema && name.name == table.name;
  });
}

// Rights are asked for on the tables that are named; leaves are written through their root.
std::vector<const catalog::Table*> NamedTables(const catalog::Catalog& target,
                                               const std::vector<spec::TableName>& names) {
  std::vector<const catalog::Table*> tables;
  for (const catalog::Table& table : target.tables) {
    if (IsFilled(table, names)) tables.push_back(&table);
  }
  return tables;
}

std::string TableList(const std::vector<const catalog::Table*>& tables) {
  return absl::StrJoin(tables, ",\n  ", [](std::string* out, const catalog::Table* table) {
    *out += table->Quoted();
  });
}

// For whoever may; the rest of the setup does not depend on it.
std::string SilenceSql(const std::string& role) {
  const std::string grant =
      absl::StrCat("GRANT SET ON PARAMETER session_replication_role TO ", QuoteIdentifier(role));
  const std::string body = absl::StrFormat(
      R"(BEGIN
  IF NOT has_parameter_privilege(%s, 'session_replication_role', 'SET') THEN
    %s;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING USING MESSAGE = %s;
END)",
      QuoteLiteral(role), grant,
      QuoteLiteral(absl::StrCat("left out, as it is optional and takes a superuser: ", grant)));
  return absl::StrFormat("DO %s;\n", QuoteLiteral(body));
}

enum class Use { kRead, kWritten };

// Verifies one target; collects the faults.
class Verifier {
 public:
  Verifier(pg::Session& session, std::vector<Finding>* faults)
      : session_(session), faults_(faults) {}

  absl::Status CheckServer();
  absl::Status CheckOwnSchemas(const std::string& mirror_schema);
  absl::Status CheckTypes(const catalog::Catalog& target);
  absl::Status CheckTables(const std::vector<const catalog::Table*>& tables, Use use);
  absl::Status CheckDeferrable(const catalog::Catalog& target,
                               const std::vector<const catalog::Table*>& tables);

 private:
  void Add(std::string problem, std::string remedy) {
    faults_->push_back({std::move(problem), std::move(remedy)});
  }

  pg::Session& session_;
  std::vector<Finding>* const faults_;
  std::string role_;          // quoted
  bool may_silence_ = false;  // set session_replication_role
};

absl::Status Verifier::CheckServer() {
  ASSIGN_OR_RETURN(may_silence_, MaySilence(session_));
  ASSIGN_OR_RETURN(const pg::Result row, session_.Query(R"(
    SELECT current_user, has_database_privilege(current_database(), 'TEMP'), pg_is_in_recovery(),
           pg_encoding_to_char(d.encoding), current_database()
    FROM pg_database d WHERE d.datname = current_database())"));
  role_ = QuoteIdentifier(row.text(0, 0));
  if (!row.boolean(0, 1)) {
    Add(absl::StrFormat("role %s may not make temporary tables", role_),
        absl::StrFormat("GRANT TEMPORARY ON DATABASE %s TO %s;", QuoteIdentifier(row.text(0, 4)),
                        role_));
  }
  if (row.boolean(0, 2)) Add("the target is a standby", "connect to its primary");
  if (row.text(0, 3) != "UTF8") {
    Add(absl::StrFormat("the database's encoding is %s; values of OLD may not fit in it",
                        row.text(0, 3)),
        "make NEW a database with encoding UTF8");
  }
  return absl::OkStatus();
}

// A role that may create schemas makes them itself at the first start.
absl::Status Verifier::CheckOwnSchemas(const std::string& mirror_schema) {
  ASSIGN_OR_RETURN(const pg::Result may,
                   session_.Query("SELECT has_database_privilege(current_database(), 'CREATE')"));
  ASSIGN_OR_RETURN(const pg::Result rows, session_.Query(R"(
    SELECT s.nspname, has_schema_privilege(s.oid, 'USAGE') AND has_schema_privilege(s.oid, 'CREATE'),
           coalesce((SELECT bool_and(has_table_privilege(c.oid, 'SELECT')
                                     AND has_table_privilege(c.oid, 'INSERT')
                                     AND has_table_privilege(c.oid, 'UPDATE')
                                     AND has_table_privilege(c.oid, 'DELETE'))
                     FROM pg_class c WHERE c.relnamespace = s.oid AND c.relkind = 'r'), true)
    FROM pg_namespace s WHERE s.nspname IN ($1, $2))",
                                                         {kProductSchema, mirror_schema}));
  if (rows.rows() < 2 && !may.boolean(0, 0)) {
    Add(absl::StrFormat("NEW has no schemas %s and %s, and this role may not create them",
                        kProductSchema, mirror_schema),
        "run, as its owner, what `switchyard check --print-setup-new FILE` prints");
  }
  for (int i = 0; i < rows.rows(); ++i) {
    if (!rows.boolean(i, 1)) {
      Add(absl::StrFormat("role %s may not use and create in schema %s", role_, rows.text(i, 0)),
          absl::StrFormat("GRANT USAGE, CREATE ON SCHEMA %s TO %s;", rows.text(i, 0), role_));
    }
    if (!rows.boolean(i, 2)) {
      Add(absl::StrFormat("role %s may not use the tables of schema %s", role_, rows.text(i, 0)),
          absl::StrFormat("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s;",
                          rows.text(i, 0), role_));
    }
  }
  return absl::OkStatus();
}

// Without it no statement can name the types of the columns.
absl::Status Verifier::CheckTypes(const catalog::Catalog& target) {
  ASSIGN_OR_RETURN(const pg::Result closed,
                   session_.Query("SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname = "
                                  "ANY($1) AND NOT has_schema_privilege(oid, 'USAGE') ORDER BY 1",
                                  {ArrayLiteral(target.type_schemas)}));
  for (int i = 0; i < closed.rows(); ++i) {
    Add(absl::StrFormat("role %s may not use schema %s, which has types of the target's columns",
                        role_, closed.text(i, 0)),
        absl::StrFormat("GRANT USAGE ON SCHEMA %s TO %s;", closed.text(i, 0), role_));
  }
  return absl::OkStatus();
}

absl::Status Verifier::CheckTables(const std::vector<const catalog::Table*>& tables, Use use) {
  const bool written = use == Use::kWritten;
  const char* wanted = written ? "SELECT, INSERT, UPDATE, DELETE" : "SELECT";
  std::set<std::string> closed_schemas;
  for (const catalog::Table* table : tables) {
    const std::string oid = std::to_string(table->oid);
    ASSIGN_OR_RETURN(const pg::Result row, session_.Query(R"(
      SELECT has_schema_privilege(relnamespace, 'USAGE'), has_table_privilege(oid, 'SELECT'),
             has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE')
               AND has_table_privilege(oid, 'DELETE'),
             row_security_active(oid)
      FROM pg_class WHERE oid = $1::oid)",
                                                          {oid}));
    if (row.rows() == 0) continue;  // dropped since the catalogue was read
    const std::string schema = QuoteIdentifier(table->schema);
    if (!row.boolean(0, 0) && closed_schemas.insert(schema).second) {
      Add(absl::StrFormat("role %s may not use schema %s", role_, schema),
          absl::StrFormat("GRANT USAGE ON SCHEMA %s TO %s;", schema, role_));
    }
    if (!row.boolean(0, 1) || (written && !row.boolean(0, 2))) {
      Add(absl::StrFormat("role %s may not %s table %s", role_, written ? "write" : "read",
                          table->Display()),
          absl::StrFormat("GRANT %s ON %s TO %s;", wanted, table->Quoted(), role_));
    }
    if (row.boolean(0, 3)) {
      Add(absl::StrFormat("row-level security hides rows of %s from role %s", table->Display(),
                          role_),
          absl::StrFormat("ALTER ROLE %s BYPASSRLS;", role_));
    }
  }
  return absl::OkStatus();
}

// A deferrable constraint is checked again by a trigger, which the replica role leaves out.
absl::Status Verifier::CheckDeferrable(const catalog::Catalog& target,
                                       const std::vector<const catalog::Table*>& tables) {
  if (!may_silence_) return absl::OkStatus();
  std::vector<uint32_t> named;
  std::vector<uint32_t> all;
  for (const catalog::Table* table : tables) {
    named.push_back(table->oid);
    all.push_back(table->oid);
    all.insert(all.end(), table->leaves.begin(), table->leaves.end());
  }
  const auto array = [](const std::vector<uint32_t>& oids) {
    return absl::StrCat("{", absl::StrJoin(oids, ","), "}");
  };
  ASSIGN_OR_RETURN(const pg::Result rows, session_.Query(R"(
    SELECT c.conrelid, c.conname, c.conparentid <> 0,
           regexp_replace(pg_get_constraintdef(c.oid), ' DEFERRABLE( INITIALLY DEFERRED)?$', ''),
           CASE WHEN t.relkind = 'r' THEN g.tgname END
    FROM pg_constraint c
    JOIN pg_class t ON t.oid = c.conrelid
    LEFT JOIN pg_trigger g ON g.tgconstraint = c.oid AND g.tgrelid = t.oid AND g.tgisinternal
    WHERE c.contype IN ('p', 'u', 'x') AND c.condeferrable AND c.conrelid = ANY($1::oid[])
      AND (c.conparentid = 0 OR c.conrelid = ANY($2::oid[]))
      -- A partition made later has a recheck of its own, silent again.
      AND (t.relkind = 'p' OR g.tgenabled NOT IN ('A', 'R'))
    ORDER BY c.conrelid, c.conname)",
                                                         {array(all), array(named)}));
  for (int i = 0; i < rows.rows(); ++i) {
    const catalog::Table* table = target.FindOid(static_cast<uint32_t>(rows.i64(i, 0)));
    const std::string name = QuoteIdentifier(rows.text(i, 1));
    std::string remedy;
    if (!rows.boolean(i, 2)) {
      absl::StrAppendFormat(&remedy,
                            "ALTER TABLE %1$s DROP CONSTRAINT %2$s, ADD CONSTRAINT %2$s %3$s;",
                            table->Quoted(), name, rows.str(i, 3));
    }
    if (!rows.is_null(i, 4)) {
      absl::StrAppendFormat(&remedy, "%sALTER TABLE %s ENABLE ALWAYS TRIGGER %s;  -- a superuser",
                            remedy.empty() ? "" : "\n-- or: ", table->Quoted(),
                            QuoteIdentifier(rows.text(i, 4)));
    }
    Add(absl::StrFormat("constraint %s of %s is DEFERRABLE: its recheck is a trigger that "
                        "session_replication_role = replica leaves out, so rows that break it "
                        "would be written and nobody told",
                        name, table->Display()),
        std::move(remedy));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<spec::TableName> LookupTables(const spec::Direction& direction) {
  std::set<spec::TableName> lookups;
  for (const spec::Mapping& mapping : direction.mappings) {
    for (const spec::TableName& name : mapping.static_tables) {
      if (!name.schema.empty()) lookups.insert(name);
    }
  }
  return {lookups.begin(), lookups.end()};
}

absl::StatusOr<bool> MaySilence(pg::Session& session) {
  const bool rights = session.server_version() >= kParameterRights;
  ASSIGN_OR_RETURN(const pg::Result row,
                   session.Query(rights ? "SELECT has_parameter_privilege("
                                          "'session_replication_role', 'SET')"
                                        : "SELECT rolsuper FROM pg_roles WHERE "
                                          "rolname = current_user"));
  return row.boolean(0, 0);
}

std::string TargetOwnerSql(const TargetOptions& options, const catalog::Catalog& target) {
  const spec::Direction& direction = *options.stream.mapping;
  const std::string role = QuoteIdentifier(options.role);
  const std::vector<const catalog::Table*> written =
      NamedTables(target, catalog::TargetTables(direction));
  const std::vector<const catalog::Table*> read = NamedTables(target, LookupTables(direction));
  std::set<std::string> schemas;
  for (const catalog::Table* table : written) schemas.insert(QuoteIdentifier(table->schema));
  for (const catalog::Table* table : read) schemas.insert(QuoteIdentifier(table->schema));
  for (const std::string& schema : target.type_schemas) schemas.insert(QuoteIdentifier(schema));
  std::string sql = absl::StrFormat(
      "SET client_encoding = 'UTF8';\n"
      "-- Makes a database ready to be the target of stream %s.\n"
      "-- Run it as the owner of the tables, with CREATE on the database; it may be run again:\n"
      "--   psql -v ON_ERROR_STOP=1 -f THIS_FILE\n"
      "-- Only CREATE ROLE (CREATEROLE) and the optional grant on a parameter (a superuser) may\n"
      "-- need somebody else; without the latter all the rest is done.\n"
      "BEGIN;\nSET LOCAL client_min_messages = warning;\n\n%s\n%s\n%s\n",
      options.stream.name,
      catalog::CreateRoleSql(options.role, options.captured ? "LOGIN REPLICATION" : "LOGIN"),
      records::TargetSetupSql(), records::MirrorSchemaSql(options.stream.mirror_schema));
  absl::StrAppendFormat(
      &sql,
      "GRANT CONNECT, TEMPORARY ON DATABASE %2$s TO %1$s;\n"
      "GRANT USAGE, CREATE ON SCHEMA switchyard, %3$s TO %1$s;\n"
      "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA switchyard TO %1$s;\n"
      "-- Optional. With it NEW's triggers and foreign keys stay silent while rows that OLD has\n"
      "-- checked are written. Without it they fire and hold: rows are written parents first, and\n"
      "-- `switchyard check` names what can't be written in any order.\n",
      role, QuoteIdentifier(target.database), QuoteIdentifier(options.stream.mirror_schema));
  absl::StrAppend(&sql, target.server_version >= kParameterRights
                            ? SilenceSql(options.role)
                            : "-- ALTER ROLE " + role + " SUPERUSER;  -- before PostgreSQL 15\n");
  if (!schemas.empty()) {
    absl::StrAppend(&sql, "GRANT USAGE ON SCHEMA ", absl::StrJoin(schemas, ", "), " TO ", role,
                    ";\n");
  }
  if (!written.empty()) {
    // MAINTAIN: ANALYZE after the copy, which before it only the owner may run.
    absl::StrAppend(&sql, "GRANT SELECT, INSERT, UPDATE, DELETE",
                    target.server_version >= kMaintainRight ? ", MAINTAIN" : "", " ON\n  ",
                    TableList(written), "\n  TO ", role, ";\n");
  }
  if (!read.empty()) {
    absl::StrAppend(&sql, "GRANT SELECT ON\n  ", TableList(read), "\n  TO ", role, ";\n");
  }
  records::FenceSetup fence = {.migration = std::string(records::MigrationOf(options.stream.name)),
                               .role = options.role,
                               .statements = true};
  for (const catalog::Table* table : written) {
    if (table->kind == 'r' || table->kind == 'p') fence.tables.push_back(table->Quoted());
  }
  return absl::StrCat(sql, "\n", records::FenceSetupSql(fence), "\nCOMMIT;\n",
                      records::FenceTablesSql(fence));
}

absl::Status RefuseSecondStream(pg::Session& session, const std::string& stream) {
  ASSIGN_OR_RETURN(const bool readable, records::MayReadStreams(session));
  if (!readable) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> others,
                   records::StreamStore(session, stream).Others());
  const auto other = std::ranges::find(others, records::DirectionOf(stream), &records::DirectionOf);
  if (other == others.end()) return absl::OkStatus();
  return Refuse(absl::StrFormat("stream %s is applied to this database already, and its mirror and "
                                "views have the names that %s needs",
                                *other, stream),
                absl::StrFormat("apply %s to another database, or end the migration of %s first",
                                stream, *other));
}

absl::StatusOr<std::vector<Finding>> VerifyTarget(pg::Session& session,
                                                  const records::Stream& stream,
                                                  const catalog::Catalog& target) {
  const spec::Direction& direction = *stream.mapping;
  std::vector<Finding> faults;
  Verifier verifier(session, &faults);
  RETURN_IF_ERROR(verifier.CheckServer());
  RETURN_IF_ERROR(verifier.CheckOwnSchemas(stream.mirror_schema));
  RETURN_IF_ERROR(verifier.CheckTypes(target));
  RETURN_IF_ERROR(
      verifier.CheckTables(NamedTables(target, catalog::TargetTables(direction)), Use::kWritten));
  RETURN_IF_ERROR(verifier.CheckTables(NamedTables(target, LookupTables(direction)), Use::kRead));
  RETURN_IF_ERROR(
      verifier.CheckDeferrable(target, NamedTables(target, catalog::TargetTables(direction))));
  return faults;
}

absl::Status RefuseUncheckedConstraints(pg::Session& session, const Plan& plan) {
  std::set<std::string> tables;
  for (const MappingPlan& mapping : plan.mappings) tables.insert(QuoteLiteral(mapping.target));
  ASSIGN_OR_RETURN(const pg::Result rows,
                   session.QueryPrepared(absl::StrFormat(R"(
    SELECT c.conname, c.conrelid::regclass,
           regexp_replace(pg_get_constraintdef(c.oid), ' DEFERRABLE( INITIALLY DEFERRED)?$', '')
    FROM unnest(ARRAY[%s]) AS n (name)
    CROSS JOIN LATERAL (SELECT to_regclass(n.name)::oid
                        UNION SELECT relid FROM pg_partition_tree(to_regclass(n.name))) AS t (oid)
    JOIN pg_class r ON r.oid = t.oid AND r.relkind = 'r'
    JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype IN ('p', 'u', 'x') AND c.condeferrable
    JOIN pg_trigger g ON g.tgconstraint = c.oid AND g.tgrelid = t.oid AND g.tgisinternal
    WHERE g.tgenabled NOT IN ('A', 'R') ORDER BY 2, 1)",
                                                         absl::StrJoin(tables, ", "))));
  if (rows.rows() == 0) return absl::OkStatus();
  const std::string name = QuoteIdentifier(rows.text(0, 0));
  return Refuse(
      absl::StrFormat("constraint %s of %s, made since the stream was started, is DEFERRABLE: "
                      "session_replication_role = replica leaves out the trigger that checks it "
                      "again, and rows that break it may have been written",
                      name, rows.str(0, 1)),
      absl::StrFormat("ALTER TABLE %2$s DROP CONSTRAINT %1$s, ADD CONSTRAINT %1$s %3$s; then start "
                      "the replayer again",
                      name, rows.str(0, 1), rows.str(0, 2)));
}

absl::Status FaultsToStatus(const std::vector<Finding>& faults) {
  if (faults.empty()) return absl::OkStatus();
  return RefuseAll(faults.size() == 1
                       ? "the target is not ready:"
                       : absl::StrFormat("the target is not ready, in %d ways:", faults.size()),
                   faults);
}

}  // namespace switchyard::mapping
