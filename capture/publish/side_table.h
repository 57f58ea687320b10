// Where in a source's log its side came to be the owner, or ceased to be: the row of the migration
// in switchyard.ownership (in NEW) or switchyard.old_side (in OLD), which a cutover changes in the
// transaction that opens or closes the side (common/records/cutover/ownership.h).
//
//   SideTable side(stream.name);                           // by who reads the stream
//   if (side.Take(relation)) return;                       // nobody behind hears of the table
//   if (side.Owns(row.relation_id)) owns = side.SourceOwns(row);
//
// Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "capture/decode/pgoutput_decoder.h"

namespace switchyard::capture {

class SideTable {
 public:
  // `stream`: the one that is read; its migration's row counts, and by its direction the table.
  explicit SideTable(std::string_view stream);

  // True when it describes the table: by this oid its rows are known from here on. An oid that now
  // has another name is none any more.
  bool Take(const RelationMessage& relation);
  bool Owns(uint32_t relation_id) const { return tables_.contains(relation_id); }

  // Whether the application of this side may write, as the row says from its transaction on.
  // Nothing for a delete, another migration's row, or a row of another shape.
  std::optional<bool> SourceOwns(const RowMessage& row) const;

 private:
  // Where in a row its columns stand.
  struct Columns {
    size_t migration = std::string::npos;  // a table of another shape
    size_t word = 0;                       // that says who owns
  };

  const std::string migration_;
  const std::string table_, column_, owning_;  // its column has this word where the side owns
  std::map<uint32_t, Columns> tables_;         // more than one once the table was made again
};

}  // namespace switchyard::capture
