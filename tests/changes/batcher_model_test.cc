// Promises 2 and 3 of the batcher alone: random transactions over few keys, batches cut anywhere,
// captures that die and come again. Applied as sets, the collapsed batches give the state that the
// changes give one by one, at every commit a batch ends with.
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/changes/batcher_events.h"
#include "tests/support/status_matchers.h"

namespace switchyard::changes {
namespace {

using testing::IsOk;

constexpr int kRuns = 120;
constexpr int kTransactions = 40;
constexpr int kKeys = 6;
constexpr uint32_t kTables[] = {kTable, kOtherTable};

struct Row {
  Field v;
  Field big;
};
using Table = std::map<std::string, Row>;
using State = std::map<uint32_t, Table>;

std::string Text(const State& state) {
  std::string out;
  for (const auto& [id, table] : state) {
    for (const auto& [key, row] : table) {
      absl::StrAppend(&out, id, ":", key, "=", row.v.value_or("NULL"), ",",
                      row.big.value_or("NULL"), " ");
    }
  }
  return out;
}

uint64_t Seed() {
  const char* text = std::getenv("SWITCHYARD_BATCHER_SEED");
  uint64_t seed = 0;
  if (text != nullptr && absl::SimpleAtoi(text, &seed)) return seed;
  return 20250101;
}

// The source: makes transactions, remembers its state after each.
class Source {
 public:
  explicit Source(std::mt19937_64& random) : random_(random) {
    for (const uint32_t table : kTables) state_[table];
    states_[0] = state_;
  }

  void Write(Log* log) {
    std::vector<ChangeEvent> changes;
    const int count = Below(12);
    for (int i = 0; i < count; ++i) {
      const uint32_t table = kTables[Below(2)];
      if (Below(40) == 0) {
        changes.push_back(Truncate({table}));
        state_[table].clear();
      } else {
        changes.push_back(Change(table, &state_[table]));
      }
    }
    lsn_ += 10;
    transactions_.emplace_back(lsn_, changes);
    states_[lsn_] = state_;
    log->Transaction(lsn_, changes);
  }

  // As much of a transaction as a capture wrote before it died; then its successor, which begins
  // some transactions earlier.
  void DieAndComeAgain(uint64_t epoch, Log* log) {
    log->Begin(lsn_ + 10);
    const int written = Below(8);
    for (int i = 0; i < written; ++i) log->Append(Insert(absl::StrCat("lost ", i), "lost"));
    const size_t again = std::min(transactions_.size(), static_cast<size_t>(Below(4)));
    const size_t first = transactions_.size() - again;
    log->Hello(epoch, first == 0 ? 0 : transactions_[first - 1].first + 1);
    for (size_t i = first; i < transactions_.size(); ++i) {
      log->Transaction(transactions_[i].first, transactions_[i].second);
    }
  }

  uint64_t lsn() const { return lsn_; }
  const State& At(Lsn lsn) const { return states_.at(lsn.value()); }

 private:
  int Below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  std::string Value() { return absl::StrCat("v", ++value_); }

  ChangeEvent Change(uint32_t id, Table* table) {
    const std::string key = absl::StrCat("k", Below(kKeys));
    const auto it = table->find(key);
    if (it == table->end()) {
      const Row& row = (*table)[key] = {Value(), Below(4) == 0 ? Field() : Field(Value())};
      return Insert(key, row.v, row.big, id);
    }
    if (Below(4) == 0) {
      table->erase(it);
      return Delete(key, id);
    }
    Row row = it->second;
    row.v = Value();
    Field sent = kUnchanged;
    if (Below(2) == 0) sent = row.big = Value();
    const std::string to = absl::StrCat("k", Below(kKeys));
    if (Below(2) == 0 || table->contains(to)) {
      it->second = row;
      return Update(key, row.v, sent, id);
    }
    table->erase(it);
    (*table)[to] = row;
    return Move(key, to, row.v, sent, id);
  }

  std::mt19937_64& random_;
  int value_ = 0;
  uint64_t lsn_ = 0;
  State state_;
  std::map<uint64_t, State> states_;
  std::vector<std::pair<uint64_t, std::vector<ChangeEvent>>> transactions_;
};

// The target: what was there goes out as a set, what is to be there comes in as a set.
class Target {
 public:
  explicit Target(const mapping::Plan& plan) : plan_(plan) {
    for (const uint32_t table : kTables) committed_[table];
    open_ = committed_;
  }

  void Apply(const Batch& batch) {
    ASSERT_EQ(batch.continues, in_chunks_ && !batch.aborted) << "half a transaction";
    if (batch.aborted) RollBack();
    in_chunks_ = batch.chunk;
    for (const TableChanges& changes : batch.tables) {
      ApplyTable(changes, &open_[plan_.sources[changes.source].relation_id]);
    }
    if (!batch.chunk) committed_ = open_;
  }

  void RollBack() {
    open_ = committed_;
    in_chunks_ = false;
  }
  const State& committed() const { return committed_; }

 private:
  static Field FieldOf(const Value& value, const Field& before) {
    if (value.is_absent()) return before;
    return value.is_null() ? Field() : Field(std::string(value.text()));
  }

  static void ApplyTable(const TableChanges& changes, Table* table) {
    if (changes.truncated) table->clear();
    std::vector<std::pair<const Change*, Row>> taken;
    int64_t counts[4] = {0, 0, 0, 0};
    for (const Change& change : changes.changes) {
      ++counts[TableChanges::Index(change.op)];
      Row before;
      if (change.op != Op::kInsert) {
        const std::string key(change.old_key[0].text());
        const auto it = table->find(key);
        ASSERT_TRUE(it != table->end()) << "changed twice, or never there: " << key;
        before = it->second;
        table->erase(it);
      }
      taken.emplace_back(&change, before);
    }
    for (const auto& [change, before] : taken) {
      if (change->op == Op::kDelete) continue;
      const Value* row = change->row;
      const bool moved = change->op == Op::kMove && change->old_key[0].text() == row[0].text();
      ASSERT_FALSE(moved) << "a move to its own place";
      const Row after = {FieldOf(row[1], before.v), FieldOf(row[2], before.big)};
      ASSERT_TRUE(table->emplace(row[0].text(), after).second) << "two rows of one key";
    }
    for (int op = 0; op < 4; ++op) ASSERT_EQ(counts[op], changes.counts[op]);
  }

  const mapping::Plan& plan_;
  State committed_;
  State open_;
  bool in_chunks_ = false;
};

void RunFrom(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&random](int n) {
    return std::uniform_int_distribution<int>(0, n - 1)(random);
  };
  const mapping::Plan plan = TwoTables();
  const BatcherOptions options{.batch_rows_max = 1 + below(below(2) == 0 ? 10 : 200)};
  Source source(random);
  Target target(plan);
  Log log;
  uint64_t epoch = 1;
  log.Hello(epoch, 0);
  for (int i = 0; i < kTransactions; ++i) {
    source.Write(&log);
    if (below(10) == 0) source.DieAndComeAgain(++epoch, &log);
  }

  auto batcher = std::make_unique<Batcher>(plan, Position(), options);
  Position position;
  const auto take = [&] {
    const Batch batch = batcher->Take();
    ASSERT_NO_FATAL_FAILURE(target.Apply(batch));
    if (batch.chunk || batch.aborted) return;
    position = {batch.epoch, batch.lsn, batch.covered_lsn, batch.next_offset};
    ASSERT_EQ(Text(target.committed()), Text(source.At(batch.lsn)));
  };
  for (size_t i = 0; i < log.events().size(); ++i) {
    ASSERT_OK(batcher->Add(log.events()[i].payload, log.events()[i].next_offset));
    while (batcher->full()) {
      ASSERT_NO_FATAL_FAILURE(take());
    }
    if (batcher->has_complete() && below(6) == 0) {
      ASSERT_NO_FATAL_FAILURE(take());
    }
    if (position.epoch == 0 || below(60) != 0) continue;
    // The replayer dies, and its successor reads on from what the target holds.
    target.RollBack();
    batcher = std::make_unique<Batcher>(plan, position, options);
    for (const uint32_t id : {kTable, kOtherTable, kUnmapped}) {
      batcher->Restore(RelationOf(id));
    }
    i = static_cast<size_t>(position.next_offset) - 1;
  }
  if (batcher->has_complete()) {
    ASSERT_NO_FATAL_FAILURE(take());
  }
  ASSERT_EQ(position.lsn, Lsn(source.lsn()));
}

TEST(BatcherModelTest, CollapsedBatchesGiveWhatTheChangesGiveOneByOne) {
  const uint64_t seed = Seed();
  for (uint64_t run = seed; run < seed + kRuns && !::testing::Test::HasFailure(); ++run) {
    SCOPED_TRACE(absl::StrCat("again: SWITCHYARD_BATCHER_SEED=", run));
    RunFrom(run);
  }
}

}  // namespace
}  // namespace switchyard::changes
