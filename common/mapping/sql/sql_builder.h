// The SQL text of a plan, from what the compiler resolved. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/mapping/plan.h"

namespace switchyard::mapping {

// One column of NEW that a row-local write fills.
struct Assignment {
  std::string column;   // of the target
  std::string sql;      // over the source row, columns of the source unqualified or by alias
  int plain = -1;       // index into SourcePlan::columns when it is nothing but that column
  bool in_key = false;  // part of the target's key
  bool identity_always = false;
};

struct RowLocalTarget {
  std::string target;  // quoted, qualified
  std::string display;
  std::vector<Assignment> assignments;
  std::vector<std::string> insertable;  // every column of the target that may be inserted
  std::string alias;                    // the name the assignments know the source row by
  std::string owns;                     // condition, or empty
  Operators operators;                  // of the target's columns
  std::string temp_suffix;              // makes temporary names unique: "m3", "o1"
  bool skips_still = false;             // leaves rows alone that SourcePlan::note_still marked
};

// The stage of a source: name, DDL and COPY. `source.columns` and `key` are filled already.
void BuildStage(const std::string& suffix, SourcePlan* source);
// SourcePlan::note_still, where `mirror` (quoted) has the rows as they were: bit i for the set i of
// indices into its columns.
std::string BuildNoteStill(const SourcePlan& source, const std::string& mirror,
                           const std::vector<std::vector<int>>& sets);
TableWrite BuildTableWrite(const SourcePlan& source, const RowLocalTarget& target);
// Into `table` (quoted), which has every staged column, by name.
TableWrite BuildSourceRows(const SourcePlan& source, const std::string& table,
                           const std::string& display, const std::string& temp_suffix);

struct KeyedTarget {
  std::string target;
  std::string display;
  std::string view;                  // quoted, qualified
  std::vector<std::string> columns;  // of the target, filled by the select
  std::vector<std::string> key;      // of the target; subset of columns
  std::vector<std::string> scope;    // subset of columns
  std::vector<std::string> arrays;   // of `scope`: of an array type
  std::vector<std::string> insertable;
  std::vector<std::string> identity_always;  // columns never SET
  std::string owns;
  Operators operators;  // of the target's columns
  std::string temp_suffix;
  bool has_readers = false;  // another mapping reads this table
  // mode: patch (patch_sql.h).
  bool patch = false;
  bool leaves_vanished = false;
  std::vector<std::string> lossy;
  std::vector<std::string> types;  // of `columns`, as the target declares them
};
KeyedPlan BuildKeyed(const KeyedTarget& target);
// KeyedPlan::held, for rows sy_t that meet the condition (" AND ...") too.
std::string HeldBesides(const KeyedTarget& target, const std::string& condition);

struct SourceTouch {
  SourceIndex source;
  std::string touches;          // as written: expressions or a query
  bool reads_key_only = false;  // it is an expression over identity columns and nothing else
  int64_t still = 0;            // the bit of the mapping's columns in sy__still; 0: it has none
};
// INSERTs into the keyed mapping's touched table.
TouchRule BuildSourceTouch(const SourcePlan& source, const SourceTouch& touch,
                           const KeyedTarget& target);
// The upstream is keyed: its changed rows stand in its temporary tables under its own name.
TouchRule BuildKeyedUpstreamTouch(const KeyedTarget& upstream, const std::string& upstream_alias,
                                  MappingIndex upstream_index, const std::string& touches,
                                  const KeyedTarget& target);
// The upstream is row-local: its rows are found by the key the stage gives.
TouchRule BuildRowLocalUpstreamTouch(const SourcePlan& source, const RowLocalTarget& upstream,
                                     const std::string& upstream_alias, MappingIndex upstream_index,
                                     const std::string& touches, const KeyedTarget& target);

// "INSERT INTO target ... FROM <load_table> AS alias": every row of a copy chunk.
std::string BuildLoad(const TableWrite& write, const std::string& load_table);

std::string JoinQuoted(const std::vector<std::string>& names, std::string_view prefix = "");

}  // namespace switchyard::mapping
