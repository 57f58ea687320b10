// The source's user types and collations, made again on the target for the mirror and the stages,
// in the schema of the mirror.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/catalog/catalog.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::mapping {

// Those that are not there yet.
absl::Status MakeTypes(pg::Session& session, const Plan& plan, const catalog::Catalog& source);

// Enums that are there learn the values that the source's gained, each in its place: true when one
// did. Those that changed in another way are left alone.
absl::StatusOr<bool> AddValues(pg::Session& session, const std::string& mirror_schema,
                               const catalog::Catalog& source);

// The source's types that are no longer those which are here, `before` being the catalogue these
// were made from, and the types made of them; indices into source.types. Rows that have them are
// other rows on the source now.
absl::StatusOr<std::vector<size_t>> ChangedTypes(pg::Session& session,
                                                 const std::string& mirror_schema,
                                                 const catalog::Catalog& before,
                                                 const catalog::Catalog& source);

// The plan's sources with a column of these types, and the names of those.
std::map<SourceIndex, std::vector<std::string>> SourcesOfTypes(const Plan& plan,
                                                               const catalog::Catalog& source,
                                                               const std::vector<size_t>& types);

// So that MakeTypes makes them anew; nothing of Switchyard's may use them any more.
absl::Status DropTypes(pg::Session& session, const std::string& mirror_schema,
                       const catalog::Catalog& source, const std::vector<size_t>& types);

}  // namespace switchyard::mapping
