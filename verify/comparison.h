// What there is to compare in a mapping, table by table, in the order in which one stands on the
// proof of another: mirrors, then the mappings in graph order. Pure.
//
//   mirror    the source's rows, columns that are mirrored, and the mirror
//   copied    the source's rows and the target's: columns of one type, as they are
//   computed  the source's rows come over, and the mapping's own expressions are run on them
//   derived   the mapping's own query over the mirror and over tables compared before, and its rows
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/catalog/catalog.h"
#include "common/mapping/plan.h"
#include "verify/compare_sql.h"

namespace switchyard::verify {

enum class Kind { kMirror, kCopied, kComputed, kDerived };

struct Comparison {
  Kind kind = Kind::kMirror;
  std::string table;                   // schema.name in the target
  std::string owns;                    // which of its rows; empty: all
  std::string target;                  // quoted
  std::vector<std::string> sources;    // schema.name of the source's tables that it stands for
  std::vector<std::string> reads;      // as mapping::MappingPlan::reads_sources; of a mirror none
  std::vector<uint32_t> relation_ids;  // of the source, where it is read
  int64_t rows_estimate = -1;
  RowsSql expected;  // of kDerived in the target; of kComputed there, over kSourceTable
  RowsSql actual;
  // kComputed: the source's rows on their way.
  std::string load_table_ddl;
  std::string load_from;  // SELECT on the source
};

// By the target's quoted table and the column: its type, of a domain the one it is over.
using ColumnTypes = std::map<std::string, std::map<std::string, std::string>>;

struct CompareInput {
  const mapping::Plan* plan = nullptr;
  const catalog::Catalog* source = nullptr;  // with the leaves of partitioned tables
  const catalog::Catalog* target = nullptr;
  const ColumnTypes* types = nullptr;
  bool source_in_utf8 = true;  // its server's encoding; the target's is
};

std::vector<Comparison> ComparisonsOf(const CompareInput& input);

// Those of a table: by its name in the target or, of a mirror, in the source, with or without the
// schema; and those that its result stands on. Empty: there is no such table.
std::vector<Comparison> ComparisonsOfTable(const std::vector<Comparison>& all,
                                           const std::string& table);

// What a pass leaves out, a line each.
std::vector<std::string> LeftOut(const CompareInput& input);

}  // namespace switchyard::verify
