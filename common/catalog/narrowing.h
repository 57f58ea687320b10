// What Postgres rounds or cuts off without a word when a value of one type is assigned to a column
// of another: what would be lost silently on the way into NEW.
//
// Only what can be seen from the types: a varchar(20) refuses what is too long for it, blanks at
// its end excepted. Sources: PostgreSQL manual, Value Storage; pg_cast. Pure.
#pragma once

#include <cstdint>

namespace switchyard::catalog {

// As a row description has it: a domain as the type it is over.
struct AssignedType {
  uint32_t oid = 0;
  int32_t modifier = -1;
};

// What is lost of a value of type `from` in a column of type `to`, as the subject of "would be
// lost"; null when nothing is. `plain`: the value is a column as it is, so that a type without a
// limit may hold more; of an expression such as round(x, 2) its type says too little.
const char* LostInAssignment(const AssignedType& from, const AssignedType& to, bool plain);

// Whether the session's zone decides what the value becomes: a time or date without a zone in a
// column with one, or the other way round.
bool AssumesZone(const AssignedType& from, const AssignedType& to);

}  // namespace switchyard::catalog
