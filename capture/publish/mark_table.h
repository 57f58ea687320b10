// Which transactions of a source Switchyard itself has written: they begin with a row of
// switchyard.mark (common/records/mark.h) that has their own id.
//
//   MarkTable marks(stream.name);                         // by who reads the stream
//   if (marks.Take(relation)) return;                      // nobody behind hears of the table
//   if (marks.Owns(row.relation_id)) writer = marks.WriterOf(row, begin.xid);
//
// Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "capture/decode/pgoutput_decoder.h"

namespace switchyard::capture {

class MarkTable {
 public:
  // `stream`: the one that is read; the migration whose marks count is its.
  explicit MarkTable(std::string_view stream);

  // True when it describes the table: by this oid its rows are known from here on. An oid that now
  // has another name is none any more.
  bool Take(const RelationMessage& relation);
  bool Owns(uint32_t relation_id) const { return tables_.contains(relation_id); }

  // Who wrote the transaction `xid` whose first row this is; empty: not this migration. A view into
  // `row`. Of a row's 64 bits only the lower half is compared, which is all that a Begin has: they
  // are those of its own transaction, or of one 2^32 transactions ago, or of another server, from
  // where a row may come back by an insert but never by an update.
  std::string_view WriterOf(const RowMessage& row, uint32_t xid) const;

 private:
  // Where in a row its columns stand.
  struct Columns {
    size_t migration = std::string::npos;  // a table of another shape
    size_t writer = 0;
    size_t xid = 0;
  };

  const std::string migration_;
  std::map<uint32_t, Columns> tables_;  // more than one once the table was made again
};

}  // namespace switchyard::capture
