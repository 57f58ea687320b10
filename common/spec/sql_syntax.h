// Is a fragment of SQL well-formed? Postgres' own parser (libpg_query) answers; nothing is looked
// up in a database.
//
//   if (auto problem = CheckExpression("lower(email")) ... problem->message, problem->offset
//
// Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::spec {

struct SqlProblem {
  std::string message;  // as Postgres words it, or what is not allowed here
  size_t offset = 0;    // byte offset in the fragment
};

// How a problem ends that is one expression too many.
inline constexpr std::string_view kNotOneExpression = " values, and it must be one expression";

// One value: anything that may stand between SELECT and FROM, without a name of its own, `*`,
// parameters ($1) or a semicolon. Nothing when it is fine.
std::optional<SqlProblem> CheckExpression(std::string_view sql);

// One SELECT (WITH, VALUES, TABLE) that changes nothing: no INTO, no row locks, no
// data-modifying WITH, no parameters. A semicolon may follow it. Nothing when it is fine.
std::optional<SqlProblem> CheckQuery(std::string_view sql);

// Any number of statements that may run inside one transaction: none that begins or ends one, and
// no CONCURRENTLY, VACUUM or the like. Nothing when it is fine.
std::optional<SqlProblem> CheckScript(std::string_view sql);

// True when the first word makes it a query of its own: SELECT, WITH, VALUES, TABLE. Leading
// blanks and comments are skipped.
bool StartsQuery(std::string_view sql);

// Tables named in FROM anywhere in it, as (schema, name); names of its WITH queries are left out.
// Nothing where it does not parse.
std::set<std::pair<std::string, std::string>> TablesIn(std::string_view sql);

// What it reads of the tables it names, by name alone.
struct SqlReads {
  std::set<std::string> tables;   // named in FROM anywhere in it
  std::set<std::string> columns;  // every part of every column reference, and of JOIN ... USING
  bool rows = false;              // also whole rows: a star, a table's name, NATURAL JOIN
};
// An expression or a query; nothing where it does not parse.
std::optional<SqlReads> ReadsOf(std::string_view sql);

// The text of the single statement, without what follows its semicolon. The text itself when it
// does not parse.
std::string WithoutSemicolon(std::string_view sql);

}  // namespace switchyard::spec
