// A compiled mapping: what the target runs, as SQL text, for the copy and for the stream.
//
// How a batch is applied, inside one transaction of the target:
//   1. stage     each source table's collapsed changes go by COPY into a temporary table
//   2. before    scopes touched by the rows as they were (from the mirror, before its update)
//   3. mirror    the mirror tables take the changes; ids are allotted to rows that need one
//   4. after     scopes touched by the rows as they are now
//   5. mappings  in graph order: row-local ones write from the stage; keyed ones recompute the
//                touched scopes
//
// A stage table holds, beside the source columns used: sy__op (I insert, U update, K update that
// moved the key, D delete; P what a row was within the batch, for ids alone), sy__ord (position in
// the batch), sy__absent (one character per toastable column: '1' where an unchanged value was not
// sent; NULL when none) and sy__k0.. (the identity before the change); and sy__still, of
// an update to a mirrored table: a bit for each set of columns that it leaves as they were (1: all
// that the mirror has; the others belong to keyed mappings), NULL where it leaves none.
//
// Taking out: unique values, or keys, that pass from row to row can't be updated in place, for no
// UPDATE says which row goes first; nor can a GENERATED ALWAYS identity. Such rows are deleted into
// a temporary table (sy_taken_), changed there and inserted again. Each way of writing has a form
// of it: TableWrite::take_out for a stage, swap_take_out for a table that replaces another,
// KeyedPlan::take_out for what is recomputed; and OrderedSql::take_out, all in one statement, for
// where foreign keys are looked at as each ends.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/catalog/catalog.h"
#include "common/mapping/plan_index.h"

namespace switchyard::mapping {

inline constexpr char kProductSchema[] = "switchyard";

// By column: how its values are told equal, where that is no operator of pg_catalog:
// OPERATOR(public.=). By its bare name a session would find another one, or none.
using Operators = std::map<std::string, std::string>;

struct StageColumn {
  std::string name;    // as on the source
  int32_t number = 0;  // attnum there, of a partitioned table in its root; 0: not known
  std::string type;    // as declared on the target (user types: in the mirror's schema)
  bool toastable = false;
  uint32_t type_oid = 0;  // on the source; another one in a Relation event is drift
  int32_t type_modifier = -1;
  std::string equals = "=";  // as Operators
};

// Writes one table from one stage. Statements take no parameters.
struct TableWrite {
  std::string target;               // quoted, qualified
  std::string display;              // for people
  std::string remove;               // op D
  std::string update;               // op U; for batches without absent values
  bool update_skips_equal = false;  // `update` leaves rows alone that have these values already
  bool skips_still = false;         // `update` and `update_absent`: those that are so marked
  // How many staged rows that are to be changed are not there: op U; U and K; D; all three.
  std::string missing_updated;
  std::string missing_changed;
  std::string missing_removed;
  std::string missing;
  std::string missing_rows;   // sy__ord of each of these
  std::string update_absent;  // op U, leaving absent values alone
  std::string move;           // op K
  std::string insert;         // op I
  // COPY <target> (...) FROM STDIN taking the source columns `copy_columns` (indices into
  // SourcePlan::columns) unread; empty when the mapping computes anything.
  std::string copy_in;
  std::vector<int> copy_columns;
  std::vector<std::string> copy_targets;  // the target's columns, in the same order
  // The same effect as remove, move, update_absent and insert together, with every touched row
  // taken out and put back.
  std::vector<std::string> take_out;
  // A batch with such ops can't do without: they change a GENERATED ALWAYS identity.
  bool take_out_moves = false;
  bool take_out_updates = false;
  std::string taken_table;  // temporary, for `take_out`; made with the stages
  std::string taken_table_ddl;
  // Everything this write owns goes: TRUNCATE of the source; and a copy started again.
  std::string truncate;
  std::string clear;
  // INSERT of every row of a copy chunk; {load} stands for the table it was loaded into.
  std::string load;
  // SELECT of the same rows, under the target's names: what they are compared with.
  std::string rows;
  // What makes the target equal to {load}, touching only rows that differ.
  std::string swap_remove;
  std::string swap_upsert;
  // swap_upsert for a key that ON CONFLICT can't name (WITHOUT OVERLAPS, deferrable).
  std::string swap_upsert_plain;
  // Whether the target holds what was written, where its own triggers may have kept it from that
  // (install/hindrances.h): `written_take` puts what should be there, as NEW's types have it, into
  // taken_table; `written_count` counts staged rows that are not there, op I, then U and K; rows
  // that are not as they should be; rows that should have gone. The same after `load`: rows there
  // were, those that are as they should be; and after a swap or `clear` those that should have
  // gone.
  std::string written_take;
  std::string written_count;
  std::string loaded_take;
  std::string loaded_count;
  std::string swapped_left;
  std::string cleared_left;
  // Before a second swap_upsert, where unique values pass from row to row: takes out the rows that
  // differ. Empty where only keys are filled.
  std::vector<std::string> swap_take_out;
};

struct SourcePlan {
  uint32_t relation_id = 0;            // root or plain table
  std::vector<uint32_t> relation_ids;  // what the log carries: its leaves, or itself
  std::string schema, name;
  std::string alias;                       // the name mapping SQL knows it by
  std::vector<StageColumn> columns;        // those any mapping uses, in attnum order
  std::vector<std::string> other_columns;  // those there were that no mapping uses
  std::vector<int> key;                    // indices into columns: the identity
  // Of the partitions there were: the attnum of each of `columns`.
  std::map<uint32_t, std::vector<int32_t>> leaf_numbers;
  // Indices of the columns that ids are allotted by: what a row was within a batch gets its ids
  // too.
  std::vector<int> id_columns;
  std::string stage;  // temporary table, unqualified
  // Likewise, made when a stage is looked into row by row: what it held; entries of the quarantine.
  std::string saved_stage;
  std::string entry_stage;
  std::string stage_ddl;
  std::string stage_copy;  // COPY ... FROM STDIN for the stage
  // When mirrored: marks what updates leave as it was (sy__still). Before the mirror takes the
  // batch. What is not marked counts as changed.
  std::string note_still;
  bool mirrored = false;
  std::vector<std::string> mirror_columns;            // those of `columns` the mirror keeps
  TableWrite mirror;                                  // when mirrored
  std::vector<std::string> mirror_ddl;                // table, after types
  std::map<std::string, std::string> mirror_indexes;  // by name: CREATE INDEX, after the copy
};

// One `from` rule compiled. Statements add to the mapping's touched table.
struct TouchRule {
  SourceIndex source;  // or
  MappingIndex upstream;
  std::string before;  // from rows as they were / upstream rows that were there
  std::string after;   // from rows as they are / upstream rows that are there
  std::string all;     // every scope of the source, or of the upstream table, as it is
};

// mode: patch. What the select gave for the touched scopes before the transaction is asked of
// another session, which still sees that state; compared with what `KeyedPlan::compute` gives now,
// it tells what changed, and that alone is written (sql/patch_sql.h, by example). Statements follow
// each other in this order; the mapping's own remove, update, insert and take_out are for nobody.
struct PatchPlan {
  bool on = false;
  bool leaves_vanished = false;
  std::vector<std::string> lossy;
  // Temporary, of the target's columns: the rows as they were, and what an earlier recompute of the
  // same transaction wrote, whose scopes are in `seen_table`.
  std::string before_table;
  std::string put_table;
  std::string seen_table;
  // The touched scopes, without those in `seen_table`: number of the transaction, how many, and a
  // JSON array of them.
  std::string scopes;
  std::string images;          // asked of the other session with that array: rows of the view
  std::string before_copy;     // COPY of such rows into before_table
  std::string take_put;        // into before_table: what was written earlier
  std::string compare;         // what changed, into a temporary table
  std::string changed_before;  // KeyedPlan::changes' first; the second comes after the write
  std::string changed_after;
  std::string remove;
  std::string update;
  std::string insert;
  std::vector<std::string> take_out;  // the effect of these three
  // Whatever neither is as it was nor as it is to be, and was therefore not written: a row with
  // what was to be done, and the names of the columns (none: the row is not there, or should not
  // be).
  std::string conflict;
  std::string written_count;  // as KeyedPlan's
  // What was written, for another recompute in the same transaction: forgets what is known of its
  // scopes, and keeps what they are now.
  std::vector<std::string> note;
  std::string out_of_the_way;  // DELETE of all that the target has of the touched scopes
  // For entries of the quarantine: the columns; how each is taken from sy_x, a row of
  // before_table's type that JSON texts were read into; and the target's rows under keys of before
  // and after.
  std::vector<std::string> columns, entry_values;
  std::string there;
};

struct KeyedPlan {
  std::string view;      // quoted: its select, bound when it was installed
  std::string view_ddl;  // CREATE VIEW switchyard.... AS select
  std::vector<std::string> scope_columns;
  std::vector<TouchRule> touches;
  std::string touch_own;      // every scope the target holds now
  std::string touched_table;  // temporary: the scope columns
  std::string new_table;      // temporary: the rows as `compute` gives them
  // Made once per session; emptied before each commit that used them. Not ON COMMIT DELETE ROWS:
  // every commit would truncate all there are, 40 ms for eight mappings.
  std::vector<std::string> temp_ddl;
  std::vector<std::string> temp_tables;
  // Recompute of the scopes in touched_table, in this order. `compute` and `changes` join what the
  // batch left in temporary tables, so they want hash joins; the others only look up by index.
  std::string compute;  // the new rows, into a temporary table; a row if two have one key of NEW
  // A row if one of them has the key of a row that another scope has. Empty where that can't be.
  std::string held;
  std::string remember;              // the old rows; only when another mapping reads this table
  std::vector<std::string> changes;  // rows that differ, old and new; likewise
  std::string vanished;              // condition over sy_t, the target's rows: those that go
  std::string remove;
  std::string update;
  std::string insert;
  // Rows that are not as `compute` gave them; rows that should have gone.
  std::string written_count;
  // The effect of remove, update and insert.
  std::vector<std::string> take_out;
  bool take_out_only = false;      // as TableWrite::take_out_updates
  std::vector<std::string> clean;  // empties the temporary tables between slices
  // Numbered distinct scopes, for recomputing piece by piece.
  std::string slice_table;
  std::string slice_fill;  // from touched_table
  std::string slice_take;  // numbers in ($1, $2] back into touched_table
  std::string scope_json;  // scope number $1 as jsonb
  std::string populate;    // the whole table, after the copy
  // The restricted select, {select} in place of its view: check asks how it would run.
  std::string explain;
  PatchPlan patch;
};

// What a mapping runs where NEW's foreign keys hold and rows of other tables refer to its own: the
// rows that go are noted, and removed once nothing refers to them any more (ordered_sql.h).
struct OrderedSql {
  std::string leaving_table;  // temporary: keys of the rows noted
  std::string leaving_table_ddl;
  std::string held;  // as KeyedPlan's, but for rows noted
  std::string note;  // rows that the stage or the recompute leaves out
  std::string keep;  // those that are there again are no longer to go
  // The same effect as its update and insert in one statement, at whose end the database looks at
  // what refers to the rows. take_out_all: with all noted rows gone in it.
  std::string take_out;
  std::string take_out_all;
  // Temporary, made in the transactions that need it: rows that no change may reach
  // (late_refusals.h), numbered; by key where the mapping is row-local, else by scope.
  std::string barred_table;
  std::string barred_ddl;
  std::string barred;  // sy__ord of the stage, or sy__n of the slices; and the number of the row
  // Row-local only.
  std::string note_deleted;  // op D alone: what nobody takes values from
  std::string note_all;      // everything owned (TRUNCATE of the source)
  std::string note_swap;     // rows that are not in {load}
  std::string take_moved;    // rows whose key changes, into TableWrite::taken_table
  std::string take_changed;  // updated ones too, for `take_out`
  std::string moved_update;  // from there over rows that were noted ...
  std::string moved_insert;  // ... and where there are none
  std::string fresh_update;  // op I, likewise
  std::string fresh_insert;
};

// For plan: which rows of a keyed mapping a changed row of a table touches.
struct PlanRule {
  std::string table;     // as the file names it
  std::string touches;   // SQL over the changed row
  bool derived = false;  // told from the select, not declared
};

struct MappingPlan {
  std::string display;  // NEW's table, schema.name
  std::string target;   // quoted
  bool row_local = false;
  SourceIndex source;          // row_local
  std::string together_stage;  // row_local: temporary, for entries that wait for each other
  TableWrite write;            // row_local
  KeyedPlan keyed;             // otherwise
  OrderedSql ordered;
  std::vector<std::string> key;      // of NEW's table
  std::vector<std::string> columns;  // of NEW, filled by it
  std::string owns;     // condition over NEW's rows, as the file has it; empty: all of them
  std::string owned;    // the same, for statements
  Operators operators;  // of NEW's columns
  // `copy`, or a select with a star: a column that both sides have is carried over.
  bool by_name = false;
  std::vector<std::string> reads_sources;  // display names, for plan
  std::string why_keyed;                   // one sentence, for plan
  std::vector<PlanRule> rules;             // keyed
};

// The mapping as an entry of the quarantine names it: several may fill one table, each the rows
// it owns, under keys that are alike.
std::string QuarantineTarget(const MappingPlan& mapping);

// What can change by itself between two versions of a migration file or of the source. Its
// fingerprint covers what was declared and the shape of the tables, not the SQL made from it.
struct PlanPart {
  enum class Kind { kSource, kMapping };
  Kind kind = Kind::kSource;
  std::string name;  // schema.table, of the source or of NEW
  std::string fingerprint;
  friend bool operator==(const PlanPart&, const PlanPart&) = default;
};

// A piece of the file's SQL, and what it was bound to (compile/binding.cc): names with their
// schemas.
struct BoundPiece {
  std::string written;  // its fingerprint
  std::string bound;
  friend bool operator==(const BoundPiece&, const BoundPiece&) = default;
};

// Pairs of ids (records/id_map.h) for the rows of one source that have none yet, from its mirror.
struct IdAllotment {
  std::string kind;
  SourceIndex source;
  std::string passed;   // for op P in the stage, before the mirror takes the batch
  std::string changed;  // for the other rows in the stage, after the mirror took them
  std::string all;      // for every row, after a copy
};

// Pairs that the other direction allotted, from the source's map, which is mirrored like a table:
// as tables of its columns (records/id_map.h). No source: there are none.
struct PairsPlan {
  SourceIndex source;
  std::string changed;  // of rows in the stage, after the mirror took them
  std::string all;
  std::string take_changed, take_all;  // into the target's own map
};

struct Plan {
  std::string mirror_schema, view_prefix;  // of its stream (records/stream.h)
  // The target had its rows before the stream: copies go into the mirror alone. Of the mappings
  // nothing is there that fills, empties or compares a table as a whole, but `truncate`.
  bool mirror_only = false;
  // Where names of the file's own SQL are looked for: the search_path for what it is bound under.
  std::string search_path = "pg_catalog";
  // That SQL calls functions of NEW which look names up as they run.
  bool calls_functions_by_path = false;
  std::vector<SourcePlan> sources;
  PairsPlan pairs;                          // taken before any id is allotted
  std::vector<IdAllotment> ids;             // run before the mappings
  std::vector<MappingPlan> mappings;        // graph order: upstream first
  std::vector<std::string> type_ddl;        // the source's user types in mirror_schema
  std::vector<std::string> unread_columns;  // "table.column" of OLD no mapping reads
  std::vector<std::string> ignored;
  // The sources, then the mappings, in the order above. Two mappings may fill one table, each with
  // its own `owns`: then two parts have one name.
  std::vector<PlanPart> parts;
  // Every piece of the file's SQL; empty when some can't be written down so.
  std::vector<BoundPiece> bound;
  // Of the parts: changes when anything that decides NEW's rows changes.
  std::string fingerprint;

  PlanIndices<SourcePlan> source_indices() const { return PlanIndices<SourcePlan>(sources.size()); }
  PlanIndices<MappingPlan> mapping_indices() const {
    return PlanIndices<MappingPlan>(mappings.size());
  }
  // Of one of `sources`.
  SourceIndex IndexOf(const SourcePlan& source) const {
    return SourceIndex(&source - sources.data());
  }

  const SourcePlan* FindRelation(uint32_t relation_id) const;
  // The same, or that of its root (0: none): a partition born since the plan was made.
  const SourcePlan* FindRelation(uint32_t relation_id, uint32_t root_id) const;
};

}  // namespace switchyard::mapping
