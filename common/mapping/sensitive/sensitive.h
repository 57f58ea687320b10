// Columns whose values are shown to nobody: those that `sensitive` names, and those of NEW that are
// computed from them. And what may be passed on of an error that would quote them.
//
//   const Sensitive sensitive(*stream.mapping);
//   const pg::ErrorFields shown = sensitive.Shown("public.users", refused);
//
// Told from the migration file alone, so that it can be asked while OLD is away. Thread safety: a
// plain value.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/pg/error.h"
#include "common/spec/migration_file.h"

namespace switchyard::mapping {

class Sensitive {
 public:
  Sensitive() = default;
  explicit Sensitive(const spec::Direction& direction);

  // Of a table of NEW ("schema.name") and of what fills it: the names under which one of these
  // values may stand, in a row of either side. "*" among them: under any.
  const std::set<std::string>& Names(const std::string& table) const;

  // The error without values of columns in Names(table): as it is when there are none.
  pg::ErrorFields Shown(const std::string& table, const pg::ErrorFields& error) const;

  // Every (table, name) of Names, as "schema.name|column".
  std::vector<std::string> All() const;
  // With those of OLD's tables, mirrored in that schema.
  std::vector<std::string> AllWithMirror(const std::string& mirror_schema) const;

  // Nothing is declared.
  bool empty() const { return names_.empty() && old_names_.empty(); }

 private:
  std::map<std::string, std::set<std::string>> names_;      // by table of NEW; none is empty
  std::map<std::string, std::set<std::string>> old_names_;  // by table or alias of OLD
};

}  // namespace switchyard::mapping
