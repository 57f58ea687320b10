#include "tests/capture/replica_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace switchyard::capture::testing {
namespace {

using event::v1::Event;

// One field of COPY text, unescaped.
Value ParseField(const std::string& field) {
  if (field == "\\N") return std::nullopt;
  std::string out;
  for (size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '\\') {
      out += field[i];
      continue;
    }
    static const std::map<char, char> kEscapes = {{'b', '\b'}, {'f', '\f'}, {'n', '\n'},
                                                  {'r', '\r'}, {'t', '\t'}, {'v', '\v'}};
    const char next = field[++i];
    const auto escape = kEscapes.find(next);
    out += escape == kEscapes.end() ? next : escape->second;
  }
  return out;
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

}  // namespace

ReplicaModel::ReplicaModel(const std::vector<Event>& copy, const std::vector<Event>& changes) {
  LoadCopy(copy);
  ReplayChanges(changes);
}

void ReplicaModel::LoadCopy(const std::vector<Event>& copy) {
  uint64_t epoch = 0;
  for (const Event& event : copy) {
    if (event.has_hello()) epoch = std::max(epoch, event.epoch());
    if (event.epoch() < epoch) continue;
    if (event.has_copy_point()) {
      Table& table = tables_[event.copy_point().relation_id()];
      EXPECT_GT(event.copy_point().generation(), table.generation);
      table = {.relation = event.copy_point().relation(),
               .generation = event.copy_point().generation(),
               .copy_lsn = event.copy_point().lsn()};
    } else if (event.has_copy_chunk()) {
      Table& table = tables_[event.copy_chunk().relation_id()];
      if (event.copy_chunk().generation() != table.generation) continue;
      AddChunk(&table, event.copy_chunk().data(), event.copy_chunk().rows());
    } else if (event.has_copy_end()) {
      Table& table = tables_[event.copy_end().relation_id()];
      if (event.copy_end().generation() != table.generation) continue;
      EXPECT_EQ(event.copy_end().rows(), table.rows.size()) << table.relation.name();
      table.copied = true;
    }
  }
}

void ReplicaModel::AddChunk(Table* table, const std::string& data, uint32_t rows) {
  ASSERT_FALSE(data.empty());
  ASSERT_EQ(data.back(), '\n') << "a chunk holds whole lines only";
  std::vector<std::string> lines = Split(data, '\n');
  lines.pop_back();
  EXPECT_EQ(lines.size(), rows);
  for (const std::string& line : lines) {
    const std::vector<std::string> fields = Split(line, '\t');
    RowValues row;
    if (table->relation.columns_size() > 0) {
      ASSERT_EQ(fields.size(), static_cast<size_t>(table->relation.columns_size()));
    }
    for (int i = 0; i < table->relation.columns_size(); ++i) {
      row[table->relation.columns(i).name()] = ParseField(fields[static_cast<size_t>(i)]);
    }
    table->rows.emplace(KeyOf(*table, row), std::move(row));
  }
}

void ReplicaModel::ReplayChanges(const std::vector<Event>& changes) {
  for (const Event& event : changes) {
    if (event.has_hello()) OnHello(event);
    if (event.epoch() != epoch_) continue;  // a capture that was replaced
    if (event.has_begin()) {
      OnBegin(event.begin());
    } else if (event.has_commit()) {
      OnCommit(event.commit());
    } else if (event.has_heartbeat()) {
      EXPECT_FALSE(open_.has_value());
      EXPECT_GE(event.heartbeat().lsn(), covered_);
      covered_ = std::max(covered_, event.heartbeat().lsn());
    } else if (event.has_relation() || event.has_row() || event.has_truncate()) {
      EXPECT_TRUE(open_.has_value());
      pending_.push_back(event);
    }
  }
}

void ReplicaModel::OnHello(const Event& event) {
  if (event.epoch() <= epoch_) return;
  epoch_ = event.epoch();
  open_.reset();
  pending_.clear();
  last_seen_ = 0;
  // Promise 1: nothing between what was read before and where this epoch begins.
  if (covered_ > 0) {
    EXPECT_LE(event.hello().start_lsn(), covered_) << "a gap before epoch " << epoch_;
  }
  covered_ = std::max(covered_, event.hello().start_lsn());
}

void ReplicaModel::OnBegin(const event::v1::Begin& begin) {
  EXPECT_FALSE(open_.has_value());
  EXPECT_EQ(begin.previous_commit_lsn(), last_seen_) << "a gap in the chain of commits";
  EXPECT_GT(begin.commit_lsn(), last_seen_);
  open_ = begin;
  pending_.clear();
}

void ReplicaModel::OnCommit(const event::v1::Commit& commit) {
  ASSERT_TRUE(open_.has_value());
  EXPECT_EQ(commit.commit_lsn(), open_->commit_lsn());
  last_seen_ = commit.commit_lsn();
  covered_ = std::max(covered_, commit.end_lsn());
  uint64_t ordinal = 0;
  for (const Event& event : pending_) {
    if (event.has_row() || event.has_truncate()) {
      EXPECT_EQ(event.has_row() ? event.row().ordinal() : event.truncate().ordinal(), ordinal);
      ++ordinal;
    }
    if (event.has_relation() || commit.commit_lsn() > position_) Apply(event);
  }
  EXPECT_EQ(commit.rows(), ordinal);
  if (commit.commit_lsn() > position_) {
    position_ = commit.commit_lsn();
    transactions_.push_back(*open_);
  }
  open_.reset();
}

void ReplicaModel::Apply(const Event& event) {
  if (event.has_relation()) {
    Describe(&tables_[event.relation().relation_id()], event.relation());
  } else if (event.has_row()) {
    ApplyRow(event.row());
  } else if (event.has_truncate()) {
    for (const uint32_t id : event.truncate().relation_ids()) {
      if (event.truncate().commit_lsn() >= tables_[id].copy_lsn) tables_[id].rows.clear();
    }
  }
}

RowValues ReplicaModel::TupleValues(const Table& table, const event::v1::Tuple& tuple) const {
  RowValues row;
  if (tuple.kinds().empty()) return row;  // of a DELETE, or a table without columns
  EXPECT_EQ(tuple.kinds().size(), static_cast<size_t>(table.relation.columns_size()));
  int value = 0;
  for (int i = 0; i < table.relation.columns_size(); ++i) {
    const char kind = tuple.kinds()[static_cast<size_t>(i)];
    if (kind == 't') row[table.relation.columns(i).name()] = tuple.values(value++);
    if (kind == 'n') row[table.relation.columns(i).name()] = std::nullopt;
  }
  return row;
}

RowKey ReplicaModel::KeyOf(const Table& table, const RowValues& row) {
  RowKey key;
  for (const auto& column : table.relation.columns()) {
    if (!column.in_identity()) continue;
    const auto value = row.find(column.name());
    key.push_back(value == row.end() ? Value() : value->second);
  }
  return key;
}

void ReplicaModel::Describe(Table* table, const event::v1::Relation& relation) {
  table->relation = relation;
  std::multimap<RowKey, RowValues> rows;
  for (auto& [key, row] : table->rows) rows.emplace(KeyOf(*table, row), std::move(row));
  table->rows = std::move(rows);
}

void ReplicaModel::ApplyRow(const event::v1::Row& row) {
  Table& table = tables_[row.relation_id()];
  if (row.commit_lsn() < table.copy_lsn) return;  // in the copy already
  const RowValues now = TupleValues(table, row.new_tuple());
  if (row.op() == event::v1::Row::INSERT) {
    table.rows.emplace(KeyOf(table, now), now);
    return;
  }
  const RowValues known = row.has_old_tuple() ? TupleValues(table, row.old_tuple()) : now;
  const auto old = table.rows.find(KeyOf(table, known));
  ASSERT_NE(old, table.rows.end()) << "a change of a row of " << table.relation.name()
                                   << " that is not there: " << row.ShortDebugString();
  RowValues changed = std::move(old->second);
  table.rows.erase(old);
  if (row.op() == event::v1::Row::DELETE) return;
  for (const auto& [column, value] : now) changed[column] = value;
  RowKey key = KeyOf(table, changed);
  table.rows.emplace(std::move(key), std::move(changed));
}

std::multiset<RowValues> ReplicaModel::Rows(const std::string& schema,
                                            const std::string& name) const {
  std::multiset<RowValues> rows;
  for (const auto& [id, table] : tables_) {
    const event::v1::Relation& relation = table.relation;
    const bool leaf = relation.root_relation_id() != 0;
    if ((leaf ? relation.root_schema() : relation.schema()) != schema ||
        (leaf ? relation.root_name() : relation.name()) != name) {
      continue;
    }
    EXPECT_TRUE(table.generation == 0 || table.copied) << relation.name() << " is half copied";
    for (const auto& [key, row] : table.rows) rows.insert(row);
  }
  return rows;
}

std::multiset<RowValues> SourceRows(pg::Session& session, const std::string& quoted_table) {
  const auto generated = session.Query(
      "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attgenerated <> ''",
      {quoted_table});
  EXPECT_OK(generated);
  std::set<std::string> skipped;
  for (int i = 0; generated.ok() && i < generated->rows(); ++i)
    skipped.insert(generated->str(i, 0));
  std::multiset<RowValues> rows;
  const auto result = session.Query(absl::StrCat("SELECT * FROM ", quoted_table));
  EXPECT_OK(result);
  if (!result.ok()) return rows;
  for (int i = 0; i < result->rows(); ++i) {
    RowValues row;
    for (int j = 0; j < result->columns(); ++j) {
      const std::string column(result->column_name(j));
      if (skipped.contains(column)) continue;
      row[column] = result->is_null(i, j) ? Value() : Value(result->str(i, j));
    }
    rows.insert(std::move(row));
  }
  return rows;
}

}  // namespace switchyard::capture::testing
