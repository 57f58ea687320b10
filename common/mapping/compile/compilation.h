// What is known while a mapping is compiled, and the steps of it. Internal to the compiler.
//
// The steps run in the order below. The first three add what they find wrong to `faults` and go on;
// the others want a mapping without a fault.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/mapping/compile/compiler.h"
#include "common/mapping/compile/probe/probe.h"
#include "common/mapping/sql/sql_builder.h"
#include "common/pg/error.h"

namespace switchyard::mapping {

// What is known of one source table while compiling.
struct Source {
  const catalog::Table* table = nullptr;
  std::string alias;
  std::vector<std::string> key;       // identity columns in key order
  std::set<std::string> used;         // by anything
  std::set<std::string> mirror_used;  // by keyed mappings
  std::set<std::string> id_used;      // by id rules
  bool mirrored = false;
  spec::Position at;                // where the file first names it
  bool usable = false;              // a stand-in is there for SQL to be tried on
  bool has_key = false;             // it has its primary key
  std::set<std::string> index_sql;  // expressions that want an index on the mirror

  std::string KeyDdl() const;  // gives its stand-in that key
};

// What is known of one mapping while compiling.
struct Draft {
  const spec::Mapping* spec = nullptr;
  const catalog::Table* target = nullptr;  // null, with a fault, when it is not there
  std::string display;                     // of the target, schema.name
  std::vector<std::string> key;            // of the target
  bool row_local = false;
  std::string why_keyed;
  SourceIndex source;  // row-local, or a `copy` that had to be keyed
  std::string alias;   // of that source's row in the assignments
  std::vector<Assignment> assignments;
  std::string select;                // keyed: the SQL behind the view
  bool by_name = false;              // as MappingPlan::by_name
  std::vector<std::string> columns;  // of the target, in assignment order
  std::vector<std::string> scope;
  // Of scope and keys: how the select's columns are made to compare as NEW's (Probe::ComparedAs).
  std::map<std::string, std::string> compared_as;
  // Tables its select reads whose rules are to be derived; of a copy, its own where it asks for
  // other rows of it.
  std::vector<spec::TableName> unlisted;
  std::vector<spec::FromRule> from;
  std::vector<bool> from_reads_key_only;  // of each `from`, once reads are gathered
  std::vector<std::string> touches;       // of each `from`, bound
  std::string owns;                       // bound
  std::set<std::string> reads_targets;    // display names of mapped NEW tables it reads
  // By alias of a source: its columns that the select and the rules read. Once reads are gathered.
  std::map<std::string, std::set<std::string>> reads;
  // A table it names is not there: its SQL can't be tried.
  bool blind = false;
  // The database refused a piece of its SQL, or `blind`: what is made of the pieces would only
  // fail again.
  bool failed = false;
};

// A piece of SQL as the file has it.
struct SqlPiece {
  std::string what;  // "set.email of public.users"
  std::string_view sql;
  spec::Place place;
};

struct Compilation {
  Compilation(const CompileInput& compile_input, const spec::Direction& compiled,
              ProbeSession& target, std::vector<CompileFault>* compile_faults)
      : input(compile_input),
        direction(compiled),
        written(*compile_input.stream->mapping),
        probe(target),
        faults(*compile_faults) {}

  void Fault(const spec::Position& at, std::string message);
  // At a key of the mapping ("set.email"); at the mapping when the file does not have the key.
  void Fault(const spec::Mapping& mapping, const std::string& key, std::string message);
  void Fault(const SqlPiece& piece, size_t offset, const std::string& message);
  // Of what may be meant.
  void Warn(const spec::Mapping& mapping, const std::string& key, const std::string& message);
  void Warn(const SqlPiece& piece, const std::string& message);
  // A fault of `status`, which is of a statement that has `piece` after `shift` characters: with
  // its place, and a suggestion. Any status but InvalidArgument is the caller's to handle.
  absl::Status SqlFault(const SqlPiece& piece, int shift, const absl::Status& status);
  // The last fault comes from that error.
  void NoteRight(const pg::ErrorFields& fields);
  // All faults as one InvalidArgument.
  absl::Status Refused();

  SqlPiece Piece(const spec::Mapping& mapping, const std::string& key, std::string_view sql) const;
  const catalog::Table* ResolveSource(const spec::TableName& name) const;
  // None when there is no such table.
  SourceIndex FindSource(const spec::TableName& name) const;
  // Adds it, with a fault when it can't be one.
  void AddSource(const spec::TableName& name, const spec::Position& at);
  // The mapping as the file has it, which tells what it is, whatever its names were bound to.
  const spec::Mapping& Written(const spec::Mapping& mapping) const {
    return written.mappings[&mapping - direction.mappings.data()];
  }
  // Where names of NEW that the file does not qualify are looked for: a search_path.
  std::string SearchPath() const;
  // Listed under `ignore`.
  bool Ignored(const catalog::Table& table, const std::string& column) const;

  const CompileInput& input;
  const spec::Direction& direction;  // that of the file, or as it was installed
  const spec::Direction& written;    // that of the file
  Probe probe;
  std::vector<CompileFault>& faults;
  std::vector<Source> sources;
  std::vector<Draft> drafts;
  // By mapping and target column: the bare column it copies, and the columns it reads.
  std::map<std::pair<const spec::Mapping*, std::string>, std::string> plain_names;
  std::map<std::pair<const spec::Mapping*, std::string>, std::set<std::string>> read_columns;

  bool calls_functions_by_path = false;  // as Plan's

  // What binding.cc finds. By alias and column of a source: its type's name, with its schema.
  std::map<std::pair<std::string, std::string>, std::string> types;
  // By alias of a source, or display name of a table of NEW.
  std::map<std::string, Operators> operators;
  // By display name and column of NEW, of those in `operators`: what is compared.
  std::map<std::pair<std::string, std::string>, std::string> compared_types;
  std::vector<spec::IdMapRule> ids;            // as the file's, bound
  std::map<std::string, std::string> indexes;  // "alias sql": bound
  std::vector<BoundPiece> bound;

 private:
  // "; did you mean x?" or the server's own hint, or nothing.
  absl::StatusOr<std::string> Suggestion(std::string_view sql, size_t offset,
                                         const pg::ErrorFields& fields);
};

// "; did you mean x?", or `otherwise` when nothing known is near.
std::string DidYouMean(const std::string& word, const std::vector<std::string>& known,
                       std::string_view otherwise = "");
std::vector<std::string> ColumnNames(const catalog::Table& table);
// Characters, not bytes.
size_t Characters(std::string_view text);

// Columns that tell the rows of a table apart; empty when nothing does. A deferrable key can't
// serve ON CONFLICT.
enum class Keys { kAtOnce, kDeferrableToo };
std::vector<std::string> KeyOf(const catalog::Table& table, Keys keys);

// installed.cc: the direction with each piece of SQL as it was bound, unless one is another now;
// and what is kept for it, by the pieces of `direction`: nothing unless all are there.
std::optional<spec::Direction> WithInstalled(const spec::Direction& written,
                                             const std::vector<BoundPiece>& installed);
std::vector<BoundPiece> PiecesToKeep(const spec::Direction& direction,
                                     const std::map<const std::string*, std::string>& bound);
// declarations.cc: the tables and columns named, held against both catalogues.
void ReadDeclarations(Compilation* compilation);
// analysis.cc: what the SQL of each mapping reads and gives. Begins the probe.
absl::Status AnalyseMappings(Compilation* compilation);
// derivation.cc: rules for the tables in `unlisted`, and whether the select leaves room for those
// that are declared.
absl::Status DeriveRules(Compilation* compilation, Draft* draft);
// ids.cc: what is declared under `ids`, its sources' reads, and its statements.
absl::Status AnalyseIds(Compilation* compilation);
absl::Status GatherIdReads(Compilation* compilation);
std::vector<IdAllotment> BuildIds(const Compilation& compilation, const Plan& plan);
PairsPlan BuildPairs(const Compilation& compilation, const Plan& plan);
// reads.cc: the order of the mappings, and which columns of which sources they read.
void OrderMappings(Compilation* compilation);
absl::Status GatherReads(Compilation* compilation);
// limits.cc: what Postgres allows, and what it captures. After GatherReads.
void CheckLimits(Compilation* compilation);
// binding.cc: every piece of SQL that is run as text names what it means with its schema. The
// assignments of row-local mappings are replaced by what they are bound to.
absl::Status BindSql(Compilation* compilation);
// plan_builder.cc: the plan, once nothing is wrong.
absl::StatusOr<Plan> BuildPlan(Compilation* compilation);
// plan_parts.cc: fingerprints. `plan` has its sources.
std::vector<PlanPart> PartsOf(const Compilation& compilation, const Plan& plan);

// A `from` rule's SQL stands between these two in a select of the values it touches.
std::pair<std::string, std::string> TouchFrame(const spec::FromRule& rule);
// A `from` rule as one select with the scope's columns, over the stand-in tables.
std::string TouchSelect(const Draft& draft, const spec::FromRule& rule);
// What stands before and after the rule's own SQL there.
std::pair<std::string, std::string> TouchSelectFrame(const Draft& draft,
                                                     const spec::FromRule& rule);
// The rows of a mapping that takes them from one source, as a select over the source's alias.
std::string RowLocalSelect(const Compilation& compilation, const Draft& draft);

}  // namespace switchyard::mapping
