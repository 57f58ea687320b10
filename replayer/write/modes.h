// In which way tables are written: what calls would otherwise say by true and false.
#pragma once

namespace switchyard::replayer {

// kCareful: the second pass over what was refused, which finds the rows and parks them.
enum class Care { kNone, kCareful };
// Rows as they were, told before they are written; or as they are, told after.
enum class Moment { kBefore, kAfter };
// The rows that changed, or all there are.
enum class Breadth { kChanged, kAll };
// Inserts come from the stage, or by COPY straight from the batch.
enum class Inserts { kStaged, kDirect };
// Rows change where they are; or are taken out and put back, for unique values that pass from one
// to another.
enum class Manner { kInPlace, kTakenOut };
// Rows that were to be changed and are not there: told of, or no surprise.
enum class Missing { kCounted, kExpected };

}  // namespace switchyard::replayer
