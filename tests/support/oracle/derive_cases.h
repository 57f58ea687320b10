// The cases of tests/golden/derive/*.txt: tables, and selects over them as pg_get_viewdef() prints
// them, with the columns of their scope.
//
//   tables:
//   customers: id text! *, email text!      ! NOT NULL, * of the primary key, ^ unique,
//                                           ~ nondeterministic
//   fixed rates: code text!                 a table that never changes
//   public.users: id text! *                a table of NEW
//   ids user: customers id::text            an id rule: kind, table, old id
//   === name (scope type, ...)
//   SELECT ...
//   ---
//   what comes of it
#pragma once

#include <string>
#include <vector>

#include "common/mapping/derive/facts.h"

namespace switchyard::mapping::derive {

struct DeriveCase {
  std::string name;
  std::vector<ColumnFacts> scope;
  std::string select;
};

struct DeriveFile {
  std::string head;  // the text up to the first case
  Facts facts;
  std::vector<DeriveCase> cases;
  std::vector<std::string> titles;  // of each case, "=== ..."
};

DeriveFile ParseDeriveFile(const std::string& text);

}  // namespace switchyard::mapping::derive
