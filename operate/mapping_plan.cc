#include "operate/mapping_plan.h"

#include <string>
#include <utility>

#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/install/target_setup.h"
#include "common/records/stream/stream_store.h"

namespace switchyard::operate {

absl::StatusOr<catalog::Catalog> LoadSourceCatalog(const records::Stream& stream,
                                                   pg::Session& source) {
  return catalog::LoadCatalog(source, catalog::SourceTables(*stream.mapping),
                              {.schemas = stream.source_schemas});
}

std::vector<spec::TableName> TablesOfNew(const spec::Direction& direction) {
  std::vector<spec::TableName> names = catalog::TargetTables(direction);
  for (spec::TableName& name : mapping::LookupTables(direction)) names.push_back(std::move(name));
  return names;
}

absl::StatusOr<bool> IsInstalled(pg::Session& session, const std::string& stream) {
  ASSIGN_OR_RETURN(const bool readable, records::MayReadStreams(session));
  if (!readable) return false;
  return records::StreamStore(session, stream).IsInstalled();
}

absl::StatusOr<std::vector<std::string>> TableNames(pg::Session& session) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT s.nspname, c.relname FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND s.nspname !~ '^(pg_|information_schema$|switchyard)'
    ORDER BY 1, 2 LIMIT 10000)"));
  std::vector<std::string> names;
  for (int i = 0; i < rows.rows(); ++i) {
    const spec::TableName name = {.schema = rows.str(i, 0), .name = rows.str(i, 1)};
    names.push_back(name.ToString());
    names.push_back(spec::TableName{.name = name.name}.ToString());
  }
  return names;
}

absl::StatusOr<mapping::Plan> CompileForCheck(const records::Stream& stream,
                                              const catalog::Catalog& source,
                                              pg::Session& target_session,
                                              const std::vector<std::string>& source_names,
                                              CompileFindings* findings) {
  // The target's tables are always named with their schema.
  ASSIGN_OR_RETURN(
      const catalog::Catalog target,
      catalog::LoadCatalog(target_session, catalog::TargetTables(*stream.mapping), {}));
  std::vector<std::string> target_names;
  if (!target.missing.empty()) {
    ASSIGN_OR_RETURN(target_names, TableNames(target_session));
  }
  return mapping::Compile({.stream = &stream,
                           .source = &source,
                           .target = &target,
                           .schemas = stream.source_schemas,
                           .source_names = source_names,
                           .target_names = std::move(target_names),
                           .check_restrictions = true,
                           .warnings = &findings->warnings},
                          target_session, &findings->faults);
}

}  // namespace switchyard::operate
