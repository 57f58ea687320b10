// From the migration file and both catalogues to a Plan.
//
//   std::vector<CompileFault> faults;
//   absl::StatusOr<Plan> plan = Compile({.stream = &stream, .source = &old_catalog,
//                                        .target = &new_catalog, .schemas = file.schemas},
//                                       *new_session, &faults);
//
// The target database itself answers what a select reads, whether types fit and what a function
// is: empty temporary tables stand in for the source's, inside a transaction that is rolled back.
// Needs the TEMP privilege on the target database and nothing else; changes nothing.
//
// InvalidArgument when there are faults, all of them in `faults`, in the order of their places;
// other codes as Session's. A mapping with one fault is still looked through for others, and the
// other mappings always are.
#pragma once

#include <string>
#include <vector>

#include "common/mapping/compile/probe/probe_session.h"
#include "common/mapping/plan.h"
#include "common/records/stream/stream.h"
#include "common/spec/migration_file.h"

namespace switchyard::mapping {

struct CompileFault {
  spec::Position at;
  std::string message;
  std::string file = {};       // empty: the migration file; else a select's
  bool right_missing = false;  // NEW's owner has to grant something; the file may be sound
};

struct CompileInput {
  const records::Stream* stream = nullptr;
  const catalog::Catalog* source = nullptr;
  const catalog::Catalog* target = nullptr;
  std::vector<std::string> schemas = {"public"};  // what unqualified source names mean
  // What the pieces of SQL were bound to when the mapping was installed. If they are the same, they
  // stay so: whatever their names would find by now.
  std::vector<BoundPiece> bound;
  // Further tables there are on either side, to suggest in place of one that is not there.
  std::vector<std::string> source_names, target_names;
  // Also refuse what would have to scan a big table for every batch (EXPLAIN).
  bool check_restrictions = false;
  // Gets what is no fault and should be looked at. May be null.
  std::vector<CompileFault>* warnings = nullptr;
};

absl::StatusOr<Plan> Compile(const CompileInput& input, pg::Session& target,
                             std::vector<CompileFault>* faults);
// The same, `target` being asked.
absl::StatusOr<Plan> Compile(const CompileInput& input, ProbeSession& target,
                             std::vector<CompileFault>* faults);

}  // namespace switchyard::mapping
