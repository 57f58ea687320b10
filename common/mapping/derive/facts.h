// What both catalogues say of what a select names: all that deriving asks of a database.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace switchyard::mapping::derive {

struct ColumnFacts {
  std::string name;
  std::string type;  // format_type()
  bool not_null = false;
  bool deterministic = true;  // its collation: equal texts are the same text
};

struct TableFacts {
  std::vector<ColumnFacts> columns;
  std::vector<std::string> key;                  // primary key
  std::vector<std::vector<std::string>> unique;  // other keys, over NOT NULL columns
  bool fixed = false;                            // never changes: no rule is wanted
};

struct FunctionFacts {  // what all functions of a name agree on
  bool aggregate = false;
  bool returns_set = false;
  bool strict = false;
  std::string result;  // format_type(); "" where they differ
};

// Of switchyard.id_map, filled by rules of its own: (kind, old id) of the rows of a table of OLD.
struct IdFacts {
  std::string kind;
  std::string table;
  std::string old_id;  // SQL over its columns
};

struct Facts {
  std::map<std::string, TableFacts> old_tables;  // by alias
  std::map<std::string, TableFacts> new_tables;  // by schema.name
  std::map<std::string, FunctionFacts> functions;
  std::set<std::string> strict_operators;
  std::set<std::string> enums;  // types whose equal values are the same
  std::vector<IdFacts> ids;
};

}  // namespace switchyard::mapping::derive
