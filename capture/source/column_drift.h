// What the values of a table's rows hang on beside the rows themselves: its columns, known by
// number, and the user types they lead to (through arrays, domains, composites and ranges), with
// the labels of enums known by oid and the attributes of composites by number. Names change hands
// without a row being touched.
//
// Both sides of a comparison are JSON, as the catalogue query of drift.cc writes it and
// switchyard.capture_table keeps it; "" is a shape that nobody recorded, equal to any. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace switchyard::capture {

// The columns: [[number, name, type oid, type modifier, type, whether stored plain, hash of the
// value that rows from before it was added have or null, xmin of its row in pg_attribute, oid of
// its default or null, oid of its collation, and of a generated column else null: hash of its
// expression, hash of the functions that it calls], ...].
//
// The same without those columns; one that takes the name of another is told there.
std::string WithoutColumns(const std::string& columns,
                           const std::function<bool(const std::string& column)>& left_out);

// What changed of the columns that are in both, or whose names passed to others; a phrase each. A
// column added, dropped or made wider is no change.
std::vector<std::string> ColumnChanges(const std::string& before, const std::string& now);

// How a generated column comes about, which the file says again under `set`.
std::vector<std::string> ExpressionChanges(const std::string& before, const std::string& now);

bool HasGenerated(const std::string& columns);
// Columns that a partition computes otherwise than its root, known by name; a phrase each. How the
// expressions read is told apart only where both number their columns alike: whoever reads a column
// is written with its number.
std::vector<std::string> OwnExpressions(const std::string& root, const std::string& partition);

// The value that rows from before a column was added have.
std::vector<std::string> MissingValueChanges(const std::string& before, const std::string& now);

// Whether a table with a new file has the same values as before: every way to compute them anew
// (ALTER COLUMN TYPE, with the same type too) writes the column's row of pg_attribute. VACUUM FULL,
// CLUSTER, SET TABLESPACE and TRUNCATE don't, unless it says what rows from before the column was
// added have: that goes then, and the default stays; a changed type has its default made again.
bool ValuesWereKept(const std::string& before, const std::string& now);

// The types: [[oid, "schema.name", kind as in pg_type.typtype,
//   [[label oid or attribute number, name, type oid, type modifier, type, xmin of a label's row in
//   pg_enum], ...]], ...].
//
// What changed of the types that are in both; a phrase each. An enum's new labels are no change.
std::vector<std::string> TypeChanges(const std::string& before, const std::string& now);

}  // namespace switchyard::capture
