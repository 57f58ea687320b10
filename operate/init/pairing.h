// What of OLD fills what of NEW, as far as both catalogues tell: tables and columns of one name,
// renames that are guessed, and a question for everything else. Pure.
//
//   FirstMapping mapping = PairTables(old_catalog, new_catalog, fit_of);
//   std::string text = FirstFileText(header, mapping);      // first_file.h
//
// A guess is written into the file and marked, to be confirmed; a question is written as a comment
// where its answer goes. What is neither needs no answer.
//
// Thread safety: functions over values.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/catalog/catalog.h"

namespace switchyard::operate {

// What Postgres does with a value of OLD's column that NEW's is given.
enum class Fit {
  kSame,     // one type
  kAssigns,  // it is taken as it is
  kLoses,    // taken, but rounded or cut
  kZone,     // a time without a zone, which NEW's column would read as UTC
  kCasts,    // only where a cast is written
  kNever,
};
using FitOf = std::function<Fit(const catalog::Column& from, const catalog::Column& to)>;

// A line of `rename`, `set` or `drop`, or what would be one.
struct FirstLine {
  enum class Kind { kSure, kGuessed, kQuestion };
  Kind kind = Kind::kSure;
  std::string why;     // what was guessed by what; or the question, with its candidates
  std::string column;  // the key, as the catalogue has it
  std::string value;   // a column (rename) or SQL (set)
  std::vector<std::string> or_values;  // of a question: other answers
};

struct FirstTable {
  spec::TableName target;
  spec::TableName source;  // as `copy` names it
  bool guessed = false;
  std::vector<std::string> questions;  // about the table as a whole
  std::vector<FirstLine> rename, set, drop;
  std::vector<std::string> unfilled;     // columns of NEW that stay NULL or get their default
  std::vector<std::string> may_be_null;  // NOT NULL in NEW only
};

struct LoneTable {
  spec::TableName table;
  std::vector<std::string> alike;  // of the other side, best first: "customers (5 of 9 columns)"
  spec::TableName best;            // the first of them, as `copy` names it; empty: none
};

struct FirstMapping {
  std::vector<std::string> schemas;  // of OLD, as the file lists them
  std::map<std::string, spec::TableName> aliases;
  std::vector<FirstTable> tables;
  std::vector<LoneTable> only_new, only_old;
};

// Partitions are left to their tables; each table of NEW has at most one of OLD.
FirstMapping PairTables(const catalog::Catalog& old_catalog, const catalog::Catalog& new_catalog,
                        const FitOf& fit_of);

// column_pairing.cc: the columns of one pair of tables.
void PairColumns(const catalog::Catalog& old_catalog, const catalog::Table& from,
                 const catalog::Table& to, const FitOf& fit_of, FirstTable* table);

// What tells a table's rows apart; empty when nothing does. NEW's must do so at once: by no
// deferrable key.
std::vector<std::string> KeyColumns(const catalog::Table& table, bool at_once);

// Names that differ in case and underscores only are one: "createdAt", "created_at".
std::string FoldedName(std::string_view name);

}  // namespace switchyard::operate
