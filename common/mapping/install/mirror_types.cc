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

absl::StatusOr<std::vector<std::string>> LabelsHere(pg::Session& session,
                                                    const std::string& mirror_schema,
                                                    const catalog::UserType& type) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session.Query("SELECT e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid "
                    "JOIN pg_namespace n ON n.oid = t.typnamespace "
                    "WHERE n.nspname = $1 AND t.typname = $2 ORDER BY e.enumsortorder",
                    {mirror_schema, type.mirror_name}));
  std::vector<std::string> labels;
  for (int i = 0; i < rows.rows(); ++i) labels.push_back(rows.str(i, 0));
  return labels;
}

// Whether the source only gained values since.
bool OnlyGained(const std::vector<std::string>& here, const catalog::UserType& type) {
  size_t found = 0;
  for (const std::string& label : type.labels) {
    found += found < here.size() && here[found] == label ? 1 : 0;
  }
  return found == here.size();
}

// Each where the source has it: order decides what min, max and ORDER BY give.
absl::Status AddLabels(pg::Session& session, const std::string& mirror_schema,
                       const catalog::UserType& type, const std::vector<std::string>& here) {
  for (size_t i = 0; i < type.labels.size(); ++i) {
    if (std::ranges::count(here, type.labels[i]) > 0) continue;
    const std::string place =
        i == 0 ? " BEFORE " + QuoteLiteral(here[0]) : " AFTER " + QuoteLiteral(type.labels[i - 1]);
    RETURN_IF_ERROR(Annotate(
        session.Execute(absl::StrCat("ALTER TYPE ", QuoteQualified(mirror_schema, type.mirror_name),
                                     " ADD VALUE ", QuoteLiteral(type.labels[i]), place)),
        "type " + DisplayOf(type)));
  }
  return absl::OkStatus();
}

// What stands for a type where another one, or a column, is declared with it.
std::vector<std::string> MirrorNamesOf(const catalog::UserType& type) {
  const auto placed = [](std::string_view name) {
    return absl::StrCat(Sv(catalog::kSchemaPlaceholder), ".", Sv(name));
  };
  std::vector<std::string> names = {placed(QuoteIdentifier(type.mirror_name))};
  const std::string multirange = absl::StrCat("multirange_type_name = ", placed(""));
  const size_t at = type.create_sql.find(multirange);
  if (type.kind == 'r' && at != std::string::npos) {
    const size_t end = type.create_sql.rfind(')');  // it is the last of the options
    const size_t from = at + multirange.size();
    names.push_back(placed(type.create_sql.substr(from, end - from)));
  }
  return names;
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
            {plan.mirror_schema, type.mirror_name}));
    if (there.boolean(0, 0)) continue;
    RETURN_IF_ERROR(Annotate(session.Execute(plan.type_ddl[i]), "type " + DisplayOf(type)));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> AddValues(pg::Session& session, const std::string& mirror_schema,
                               const catalog::Catalog& source) {
  bool added = false;
  for (const catalog::UserType& type : source.types) {
    if (type.kind != 'e') continue;
    ASSIGN_OR_RETURN(const std::vector<std::string> here, LabelsHere(session, mirror_schema, type));
    // Empty: not made yet, or without values on either side.
    if (here.empty() || here == type.labels || !OnlyGained(here, type)) continue;
    RETURN_IF_ERROR(AddLabels(session, mirror_schema, type, here));
    added = true;
  }
  return added;
}

absl::StatusOr<std::vector<size_t>> ChangedTypes(pg::Session& session,
                                                 const std::string& mirror_schema,
                                                 const catalog::Catalog& before,
                                                 const catalog::Catalog& source) {
  std::vector<size_t> changed;
  std::vector<std::string> names;  // of those
  for (size_t i = 0; i < source.types.size(); ++i) {
    const catalog::UserType& type = source.types[i];
    // What it is made of comes before it.
    bool differs = std::ranges::any_of(names, [&](const std::string& name) {
      return type.create_sql.find(name) != std::string::npos;
    });
    if (type.kind == 'e') {
      ASSIGN_OR_RETURN(const std::vector<std::string> here,
                       LabelsHere(session, mirror_schema, type));
      differs |= !OnlyGained(here, type);
    } else {
      const auto known =
          std::ranges::find(before.types, type.mirror_name, &catalog::UserType::mirror_name);
      differs |= known != before.types.end() && known->create_sql != type.create_sql;
    }
    if (!differs) continue;
    changed.push_back(i);
    for (std::string& name : MirrorNamesOf(type)) names.push_back(std::move(name));
  }
  return changed;
}

std::map<SourceIndex, std::vector<std::string>> SourcesOfTypes(const Plan& plan,
                                                               const catalog::Catalog& source,
                                                               const std::vector<size_t>& types) {
  std::map<SourceIndex, std::vector<std::string>> sources;
  for (const size_t type : types) {
    for (const std::string& name : MirrorNamesOf(source.types[type])) {
      const std::string declared = catalog::WithSchema(name, plan.mirror_schema);
      for (const SourceIndex s : plan.source_indices()) {
        const bool has = std::ranges::any_of(plan.sources[s].columns, [&](const auto& column) {
          return column.type.find(declared) != std::string::npos;
        });
        if (has) sources[s].push_back(DisplayOf(source.types[type]));
      }
    }
  }
  return sources;
}

absl::Status DropTypes(pg::Session& session, const std::string& mirror_schema,
                       const catalog::Catalog& source, const std::vector<size_t>& types) {
  for (auto type = types.rbegin(); type != types.rend(); ++type) {
    RETURN_IF_ERROR(
        Annotate(session.Execute("DROP TYPE IF EXISTS " +
                                 QuoteQualified(mirror_schema, source.types[*type].mirror_name)),
                 "replacing the mirror's copy of type " + DisplayOf(source.types[*type])));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::mapping
