#include "replayer/copy/held_copy.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_builder.h"

namespace switchyard::replayer {

using mapping::JoinQuoted;
using mapping::MappingPlan;

namespace {

std::string HeldTable(size_t index) {
  return QuoteQualified(mapping::kMirrorSchema, absl::StrCat("sy_held_", index));
}

absl::StatusOr<bool> IsThere(pg::Session& session, const std::string& table) {
  ASSIGN_OR_RETURN(const pg::Result there,
                   session.Query("SELECT to_regclass($1) IS NOT NULL", {table}));
  return there.boolean(0, 0);
}

}  // namespace

absl::Status MakeHeldTable(pg::Session& session, const mapping::Plan& plan, size_t index) {
  const MappingPlan& mapping = plan.mappings[index];
  const std::string held = HeldTable(index);
  ASSIGN_OR_RETURN(const bool there, IsThere(session, held));
  if (there) return absl::OkStatus();
  return session.Execute(absl::StrCat("CREATE TABLE ", held, " AS SELECT ",
                                      JoinQuoted(mapping.columns), " FROM ", mapping.target,
                                      " WITH NO DATA"));
}

mapping::TableWrite IntoHeld(const mapping::Plan& plan, size_t index) {
  mapping::TableWrite write = plan.mappings[index].write;
  const std::string held = HeldTable(index);
  for (std::string* sql : {&write.load, &write.copy_in}) {
    *sql = absl::StrReplaceAll(*sql,
                               {{"INSERT INTO " + write.target + " ", "INSERT INTO " + held + " "},
                                {"COPY " + write.target + " ", "COPY " + held + " "}});
  }
  write.target = held;
  return write;
}

absl::Status ClearHeld(pg::Session& session, size_t index) {
  const std::string held = HeldTable(index);
  ASSIGN_OR_RETURN(const bool there, IsThere(session, held));
  return there ? session.Execute("TRUNCATE " + held) : absl::OkStatus();
}

absl::Status MoveHeld(pg::Session& session, const mapping::Plan& plan, size_t index) {
  const MappingPlan& mapping = plan.mappings[index];
  const std::string held = HeldTable(index);
  ASSIGN_OR_RETURN(const bool there, IsThere(session, held));
  if (!there) return absl::OkStatus();
  const std::string columns = JoinQuoted(mapping.columns);
  RETURN_IF_ERROR(Annotate(
      session.Execute(absl::StrCat("INSERT INTO ", mapping.target, " (", columns,
                                   ") OVERRIDING SYSTEM VALUE SELECT ", columns, " FROM ", held)),
      mapping.display));
  return session.Execute("DROP TABLE " + held);
}

absl::Status DropHeld(pg::Session& session, const mapping::Plan& plan) {
  for (size_t m = 0; m < plan.mappings.size(); ++m) {
    if (!plan.mappings[m].row_local) continue;
    RETURN_IF_ERROR(session.Execute("DROP TABLE IF EXISTS " + HeldTable(m)));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
