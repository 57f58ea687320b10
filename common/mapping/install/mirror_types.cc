#include "common/mapping/install/mirror_types.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"

namespace switchyard::mapping {
namespace {

std::string DisplayOf(const catalog::UserType& type) {
  return absl::StrCat(type.schema, ".", type.name);
}

absl::Status RefuseAnother(const catalog::UserType& type) {
  return absl::FailedPreconditionError(absl::StrFormat(
      "type %s of the source is another one than when the mapping was installed, and rows that "
      "have it can't be told apart; next: end capture and replay, then copy everything again: "
      "switchyard recopy FILE --all",
      DisplayOf(type)));
}

absl::StatusOr<std::vector<std::string>> LabelsHere(pg::Session& session,
                                                    const catalog::UserType& type) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session.Query("SELECT e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid "
                    "JOIN pg_namespace n ON n.oid = t.typnamespace "
                    "WHERE n.nspname = $1 AND t.typname = $2 ORDER BY e.enumsortorder",
                    {std::string(kMirrorSchema), type.mirror_name}));
  std::vector<std::string> labels;
  for (int i = 0; i < rows.rows(); ++i) labels.push_back(rows.str(i, 0));
  return labels;
}

// Each where the source has it: order decides what min, max and ORDER BY give.
absl::Status AddLabels(pg::Session& session, const catalog::UserType& type) {
  ASSIGN_OR_RETURN(const std::vector<std::string> here, LabelsHere(session, type));
  if (here.empty()) return absl::OkStatus();  // not made yet, or without values on either side
  size_t found = 0;
  for (const std::string& label : type.labels) {
    found += found < here.size() && here[found] == label ? 1 : 0;
  }
  if (found < here.size()) return RefuseAnother(type);
  for (size_t i = 0; i < type.labels.size(); ++i) {
    if (std::ranges::count(here, type.labels[i]) > 0) continue;
    const std::string place =
        i == 0 ? " BEFORE " + QuoteLiteral(here[0]) : " AFTER " + QuoteLiteral(type.labels[i - 1]);
    RETURN_IF_ERROR(Annotate(
        session.Execute(absl::StrCat("ALTER TYPE ", QuoteQualified(kMirrorSchema, type.mirror_name),
                                     " ADD VALUE ", QuoteLiteral(type.labels[i]), place)),
        "type " + DisplayOf(type)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MakeTypes(pg::Session& session, const Plan& plan, const catalog::Catalog& source) {
  for (size_t i = 0; i < plan.type_ddl.size(); ++i) {
    const catalog::UserType& type = source.types[i];
    ASSIGN_OR_RETURN(
        const pg::Result there,
        session.Query(
            "SELECT EXISTS (SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
            "WHERE n.nspname = $1 AND t.typname = $2) OR EXISTS (SELECT FROM pg_collation c "
            "JOIN pg_namespace n ON n.oid = c.collnamespace WHERE n.nspname = $1 AND c.collname = "
            "$2)",
            {std::string(kMirrorSchema), type.mirror_name}));
    if (there.boolean(0, 0)) continue;
    RETURN_IF_ERROR(Annotate(session.Execute(plan.type_ddl[i]), "type " + DisplayOf(type)));
  }
  return absl::OkStatus();
}

absl::Status RefreshTypes(pg::Session& session, const catalog::Catalog& before,
                          const catalog::Catalog& source) {
  for (const catalog::UserType& type : source.types) {
    if (type.kind == 'e') {
      RETURN_IF_ERROR(AddLabels(session, type));
      continue;
    }
    const auto known =
        std::ranges::find(before.types, type.mirror_name, &catalog::UserType::mirror_name);
    if (known != before.types.end() && known->create_sql != type.create_sql) {
      return RefuseAnother(type);
    }
  }
  return absl::OkStatus();
}

}  // namespace switchyard::mapping
