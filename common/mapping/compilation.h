// What is known while a mapping is compiled, and the steps of it. Internal to the compiler.
//
// The steps run in the order below. Each adds what it finds wrong to `faults` and goes on; a
// mapping that can't be looked at any further is marked `failed`.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/mapping/compiler.h"
#include "common/mapping/probe.h"
#include "common/mapping/sql_builder.h"

namespace switchyard::mapping {

// What is known of one source table while compiling.
struct Source {
  const Table* table = nullptr;
  std::string alias;
  std::vector<std::string> key;       // identity columns in key order
  std::set<std::string> used;         // by anything
  std::set<std::string> mirror_used;  // by keyed mappings
  bool mirrored = false;
  std::set<std::string> index_sql;  // expressions that want an index on the mirror
};

// What is known of one mapping while compiling.
struct Draft {
  const spec::Mapping* spec = nullptr;
  const Table* target = nullptr;
  std::vector<std::string> key;  // of the target
  bool row_local = false;
  std::string why_keyed;
  int source = -1;    // row-local, or a `copy` that had to be keyed
  std::string alias;  // of that source's row in the assignments
  std::vector<Assignment> assignments;
  std::string select;           // keyed: the SQL behind the view
  std::vector<std::string> columns;  // of the target, in assignment order
  std::vector<std::string> scope;
  std::vector<spec::FromRule> from;
  std::set<std::string> reads_targets;  // display names of mapped NEW tables it reads
  bool failed = false;
};

struct Compilation {
  Compilation(const CompileInput& compile_input, pg::Session& target,
              std::vector<CompileFault>* compile_faults)
      : input(compile_input),
        direction(*compile_input.direction),
        probe(target),
        faults(*compile_faults) {}

  void Fault(const spec::Position& at, std::string message);
  // A fault when the database could not make sense of the SQL; any other error is the caller's.
  absl::Status SqlFault(const Draft& draft, std::string_view what, const absl::Status& status);
  // All faults as one InvalidArgument.
  absl::Status Refused() const;

  const Table* ResolveSource(const spec::TableName& name) const;
  // Index into `sources`, or -1 with a fault.
  int SourceFor(const spec::TableName& name, const spec::Position& at);
  // Listed under `ignore`.
  bool Ignored(const Table& table, const std::string& column) const;

  const CompileInput& input;
  const spec::Direction& direction;
  Probe probe;
  std::vector<CompileFault>& faults;
  std::vector<Source> sources;
  std::vector<Draft> drafts;
  // By mapping and target column: the bare column it copies, and the columns it reads.
  std::map<std::pair<const spec::Mapping*, std::string>, std::string> plain_names;
  std::map<std::pair<const spec::Mapping*, std::string>, std::set<std::string>> read_columns;

 private:
  int AddSource(const Table& table, const std::string& alias, const spec::Position& at);
};

// Columns that tell the rows of a table apart; empty when nothing does. A deferrable key can't
// serve ON CONFLICT.
std::vector<std::string> KeyOf(const Table& table, bool deferrable_too);

// declarations.cc: the tables and columns named, held against both catalogues.
void ReadDeclarations(Compilation* compilation);
// analysis.cc: what the SQL of each mapping reads and gives. Needs the stand-in tables.
absl::Status AnalyseMappings(Compilation* compilation);
// reads.cc: the order of the mappings, and which columns of which sources they read.
absl::Status OrderMappings(Compilation* compilation);
absl::Status GatherReads(Compilation* compilation);
// plan_builder.cc: the plan, once nothing is wrong.
absl::StatusOr<Plan> BuildPlan(Compilation* compilation);
// plan_parts.cc: fingerprints. `plan` has its sources.
std::vector<PlanPart> PartsOf(const Compilation& compilation, const Plan& plan);

// The rows of a mapping that takes them from one source, as a select over the source's alias.
std::string RowLocalSelect(const Compilation& compilation, const Draft& draft);

}  // namespace switchyard::mapping
