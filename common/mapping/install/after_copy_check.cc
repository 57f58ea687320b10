#include "common/mapping/install/after_copy_check.h"

#include <pg_query.h>

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/records/stream/stream_store.h"

namespace switchyard::mapping {
namespace {

using Json = nlohmann::json;

// Null when there is no such member.
const Json& Member(const Json& node, const char* key) {
  static const Json kNone;
  const auto it = node.find(key);
  return node.is_object() && it != node.end() ? *it : kNone;
}

std::string Text(const Json& node, const char* key) {
  const Json& member = Member(node, key);
  return member.is_string() ? member.get<std::string>() : std::string();
}

// {"relname": "t", "schemaname": "s"} -> "s"."t"; empty when there is none.
std::string TableOf(const Json& range) {
  const std::string name = Text(range, "relname");
  const std::string schema = Text(range, "schemaname");
  if (name.empty()) return "";
  return schema.empty() ? QuoteIdentifier(name) : QuoteQualified(schema, name);
}

// Of a list of {"String": {"sval": name}}.
std::vector<std::string> Names(const Json& list) {
  std::vector<std::string> names;
  for (const Json& item : list) names.push_back(Text(Member(item, "String"), "sval"));
  return names;
}

// The columns an index is of, expressions left out.
std::vector<std::string> IndexColumns(const Json& index) {
  std::vector<std::string> columns;
  for (const char* list : {"indexParams", "indexIncludingParams"}) {
    for (const Json& item : Member(index, list)) {
      std::string name = Text(Member(item, "IndexElem"), "name");
      if (!name.empty()) columns.push_back(std::move(name));
    }
  }
  return columns;
}

// Makes neither tables nor columns, and changes nothing about which table a name means.
bool LeavesNames(const Json& statement) {
  if (!Member(statement, "AlterTableStmt").is_null()) {
    for (const Json& command : Member(Member(statement, "AlterTableStmt"), "cmds")) {
      if (Text(Member(command, "AlterTableCmd"), "subtype") == "AT_AddColumn") return false;
    }
    return true;
  }
  for (const char* kind : {"IndexStmt", "CommentStmt", "GrantStmt", "VacuumStmt"}) {
    if (!Member(statement, kind).is_null()) return true;
  }
  return false;
}

enum class Makes { kNothing, kIndex };

class StepCheck {
 public:
  StepCheck(pg::Session& session, std::string role, std::vector<std::string> schemas,
            std::vector<Finding>* faults)
      : session_(session), role_(std::move(role)), schemas_(std::move(schemas)), faults_(faults) {}

  absl::Status Step(const spec::SchemaStep& step) {
    path_ = step.path;
    PgQueryParseResult parsed = pg_query_parse(step.sql.c_str());
    const Json tree =
        parsed.error != nullptr ? Json() : Json::parse(parsed.parse_tree, nullptr, false);
    pg_query_free_parse_result(parsed);
    for (const Json& entry : Member(tree, "stmts")) {
      RETURN_IF_ERROR(Statement(Member(entry, "stmt")));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Statement(const Json& statement) {
    names_known_ &= LeavesNames(statement);
    if (const Json& index = Member(statement, "IndexStmt"); !index.is_null()) {
      const std::string table = TableOf(Member(index, "relation"));
      RETURN_IF_ERROR(There("indexes", table, IndexColumns(index)));
      return Owned(table, Makes::kIndex);
    }
    if (const Json& rename = Member(statement, "RenameStmt"); !rename.is_null()) {
      return Owned(TableOf(Member(rename, "relation")), Makes::kNothing);
    }
    const Json& alter = Member(statement, "AlterTableStmt");
    const std::string table = TableOf(Member(alter, "relation"));
    if (table.empty() || Text(alter, "objtype") != "OBJECT_TABLE") return absl::OkStatus();
    if (Member(alter, "missing_ok") == Json(true)) {
      ASSIGN_OR_RETURN(const pg::Result oid, session_.Query("SELECT " + OidSql(table), {table}));
      if (oid.is_null(0, 0)) return absl::OkStatus();
    }
    RETURN_IF_ERROR(There("alters", table, {}));
    RETURN_IF_ERROR(Owned(table, Makes::kNothing));
    for (const Json& command : Member(alter, "cmds")) {
      const Json& definition = Member(Member(command, "AlterTableCmd"), "def");
      RETURN_IF_ERROR(NewConstraint(table, Member(definition, "Constraint")));
    }
    return absl::OkStatus();
  }

  absl::Status NewConstraint(const std::string& table, const Json& constraint) {
    const std::string kind = Text(constraint, "contype");
    if (kind == "CONSTR_FOREIGN") {
      const std::string parent = TableOf(Member(constraint, "pktable"));
      RETURN_IF_ERROR(There("constrains", table, Names(Member(constraint, "fk_attrs"))));
      RETURN_IF_ERROR(
          There("makes a foreign key to", parent, Names(Member(constraint, "pk_attrs"))));
      return Referenced(parent);
    }
    RETURN_IF_ERROR(There("constrains", table, Names(Member(constraint, "keys"))));
    const bool unique =
        kind == "CONSTR_UNIQUE" || kind == "CONSTR_PRIMARY" || kind == "CONSTR_EXCLUSION";
    if (!unique || Member(constraint, "deferrable") != Json(true)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool silenced, MaySilence(session_));
    if (!silenced) return absl::OkStatus();
    Add(absl::StrFormat("after_copy: %s adds a DEFERRABLE constraint to %s, whose recheck "
                        "session_replication_role = replica leaves out",
                        path_, table),
        "take DEFERRABLE out of it");
    return absl::OkStatus();
  }

  // Of the table named by $1, as the step will find it; NULL when there is none.
  std::string OidSql(const std::string& table) const {
    if (table.find("\".\"") != std::string::npos) return "to_regclass($1)::oid";
    std::vector<std::string> found;
    for (const std::string& schema : schemas_) {
      found.push_back(
          absl::StrCat("to_regclass(", QuoteLiteral(QuoteIdentifier(schema) + "."), " || $1)"));
    }
    return absl::StrCat("coalesce(NULL, ", absl::StrJoin(found, ", "), ")::oid");
  }

  // Says so when the table, or one of its columns, is not.
  absl::Status There(std::string_view does, const std::string& table,
                     const std::vector<std::string>& columns) {
    if (!names_known_ || table.empty()) return absl::OkStatus();
    const std::string remedy = absl::StrFormat("-- mend the name in %s", path_);
    ASSIGN_OR_RETURN(const pg::Result oid, session_.Query("SELECT " + OidSql(table), {table}));
    if (oid.is_null(0, 0)) {
      Add(absl::StrFormat("after_copy: %s %s %s, which does not exist", path_, does, table),
          remedy);
      return absl::OkStatus();
    }
    for (const std::string& column : columns) {
      ASSIGN_OR_RETURN(const pg::Result row,
                       session_.Query("SELECT FROM pg_attribute WHERE attrelid = $1::oid AND "
                                      "attname = $2 AND NOT attisdropped",
                                      {oid.str(0, 0), column}));
      if (row.rows() > 0) continue;
      Add(absl::StrFormat("after_copy: %s %s %s by column %s, which does not exist", path_, does,
                          table, QuoteIdentifier(column)),
          remedy);
    }
    return absl::OkStatus();
  }

  absl::Status Owned(const std::string& table, Makes makes) {
    const bool makes_index = makes == Makes::kIndex;
    if (table.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const pg::Result row, session_.Query(absl::StrCat(R"(
      SELECT pg_has_role(c.relowner, 'USAGE'), quote_ident(r.rolname), r.rolsuper,
             has_schema_privilege(c.relnamespace, 'CREATE'), quote_ident(s.nspname)
      FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
      JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.oid = )",
                                                                       OidSql(table)),
                                                          {table}));
    if (row.rows() == 0) return absl::OkStatus();
    if (!row.boolean(0, 0)) {
      std::string remedy = absl::StrFormat("ALTER TABLE %s OWNER TO %s;", table, role_);
      if (!row.boolean(0, 2)) {
        absl::StrAppendFormat(&remedy, "\n-- or: GRANT %s TO %s;", row.text(0, 1), role_);
      }
      Add(absl::StrFormat("after_copy: %s %s %s, which belongs to %s, not to role %s", path_,
                          makes_index ? "indexes" : "alters", table, row.text(0, 1), role_),
          std::move(remedy));
    }
    if (makes_index && !row.boolean(0, 3)) {
      Add(absl::StrFormat("after_copy: %s makes an index in schema %s, where role %s may create "
                          "nothing",
                          path_, row.text(0, 4), role_),
          absl::StrFormat("GRANT CREATE ON SCHEMA %s TO %s;", row.text(0, 4), role_));
    }
    return absl::OkStatus();
  }

  absl::Status Referenced(const std::string& table) {
    if (table.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const pg::Result row,
                     session_.Query("SELECT has_table_privilege(c.oid, 'REFERENCES') "
                                    "FROM pg_class c WHERE c.oid = " +
                                        OidSql(table),
                                    {table}));
    if (row.rows() == 0 || row.boolean(0, 0)) return absl::OkStatus();
    Add(absl::StrFormat("after_copy: %s makes a foreign key to %s, which role %s may not refer to",
                        path_, table, role_),
        absl::StrFormat("GRANT REFERENCES ON %s TO %s;", table, role_));
    return absl::OkStatus();
  }

  // Several statements want the same.
  void Add(std::string problem, std::string remedy) {
    if (!said_.insert(problem).second) return;
    faults_->push_back({std::move(problem), std::move(remedy)});
  }

  pg::Session& session_;
  const std::string role_;  // quoted
  const std::vector<std::string> schemas_;
  std::vector<Finding>* const faults_;
  std::string path_;
  bool names_known_ = true;  // until a statement may have made some
  std::set<std::string> said_;
};

absl::StatusOr<bool> CopyIsLoaded(pg::Session& session, const std::string& stream) {
  ASSIGN_OR_RETURN(const bool readable, records::MayReadStreams(session));
  if (!readable) return false;
  ASSIGN_OR_RETURN(const auto state, records::StreamStore(session, stream).Find());
  return state.has_value() && state->copy_lsn.valid();
}

}  // namespace

absl::StatusOr<std::vector<Finding>> VerifyAfterCopy(pg::Session& session,
                                                     const std::vector<spec::SchemaStep>& steps,
                                                     const records::Stream& stream) {
  std::vector<Finding> faults;
  if (steps.empty()) return faults;
  ASSIGN_OR_RETURN(const bool loaded, CopyIsLoaded(session, stream.name));
  if (loaded) return faults;
  ASSIGN_OR_RETURN(const pg::Result role, session.Query("SELECT quote_ident(current_user)"));
  StepCheck check(session, role.str(0, 0), stream.target_schemas, &faults);
  for (const spec::SchemaStep& step : steps) RETURN_IF_ERROR(check.Step(step));
  return faults;
}

}  // namespace switchyard::mapping
