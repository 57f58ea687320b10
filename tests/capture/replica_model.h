// A reader of a stream in the plainest form: applies copies and changes to tables in memory by the
// rules of proto/event.proto, and fails the test when a rule is broken. What it holds in the end
// must be what the source holds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/pg/session.h"
#include "proto/event.pb.h"

namespace switchyard::capture::testing {

using Value = std::optional<std::string>;
using RowValues = std::map<std::string, Value>;  // by column
using RowKey = std::vector<Value>;

class ReplicaModel {
 public:
  // Both from the start of the topics. The copy may be incomplete; then Rows tells so.
  ReplicaModel(const std::vector<event::v1::Event>& copy,
               const std::vector<event::v1::Event>& changes);

  // Rows of a table (a root, or a plain table). A test failure when its copy is not complete.
  std::multiset<RowValues> Rows(const std::string& schema, const std::string& table) const;
  // The highest commit applied.
  uint64_t position() const { return position_; }
  // Transactions by the xid, in commit order, as applied (each once).
  const std::vector<event::v1::Begin>& transactions() const { return transactions_; }

 private:
  struct Table {
    event::v1::Relation relation;
    uint64_t generation = 0;
    uint64_t copy_lsn = 0;
    uint64_t copied_rows = 0;
    bool copied = false;
    std::multimap<RowKey, RowValues> rows;  // by replica identity
  };

  void LoadCopy(const std::vector<event::v1::Event>& copy);
  void AddChunk(Table* table, const std::string& data, uint32_t rows);
  void ReplayChanges(const std::vector<event::v1::Event>& changes);
  void OnHello(const event::v1::Event& event);
  void OnBegin(const event::v1::Begin& begin);
  void OnCommit(const event::v1::Commit& commit);
  void Apply(const event::v1::Event& event);
  void ApplyRow(const event::v1::Row& row);
  RowValues TupleValues(const Table& table, const event::v1::Tuple& tuple) const;
  static RowKey KeyOf(const Table& table, const RowValues& row);
  static void Describe(Table* table, const event::v1::Relation& relation);

  std::map<uint32_t, Table> tables_;
  uint64_t epoch_ = 0;
  uint64_t position_ = 0;   // commit LSN
  uint64_t covered_ = 0;    // every commit below it is applied
  uint64_t last_seen_ = 0;  // last commit of this epoch, applied or known already
  std::optional<event::v1::Begin> open_;
  std::vector<event::v1::Event> pending_;  // of the open transaction
  std::vector<event::v1::Begin> transactions_;
};

// The rows of a table of the source, without its generated columns.
std::multiset<RowValues> SourceRows(pg::Session& session, const std::string& quoted_table);

}  // namespace switchyard::capture::testing
