// A consumer that keeps the latest record of each key, as docs/event-log.md describes, holds the
// rows of OLD: with keys that change hands, of every kind of replica identity.
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/catalog/catalog.h"
#include "proto/event.pb.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/simple_capture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::capture {
namespace {

using event::v1::Event;
using eventlog::LogReader;
using eventlog::LogWriter;
using eventlog::Offset;
using eventlog::TopicInfo;

using Records = std::vector<std::pair<std::string, std::string>>;  // key, payload

class KeyedWriter : public LogWriter {
 public:
  explicit KeyedWriter(Records* records) : records_(records) {}
  absl::StatusOr<uint64_t> Append(std::string_view key, std::string_view payload) override {
    records_->emplace_back(key, payload);
    return ++sequence_;
  }
  void Nudge() override {}
  absl::Status Flush(absl::Duration /*timeout*/) override { return absl::OkStatus(); }
  uint64_t durable_sequence() const override { return sequence_; }
  absl::Status status() const override { return absl::OkStatus(); }
  bool keeps_keys() const override { return true; }

 private:
  Records* const records_;
  uint64_t sequence_ = 0;
};

// What a topic on Kafka would be asked to keep.
class KeyedLog : public eventlog::EventLog {
 public:
  absl::Status CreateTopic(const std::string& /*topic*/) override { return absl::OkStatus(); }
  absl::StatusOr<TopicInfo> Describe(const std::string& /*topic*/) override { return TopicInfo(); }
  absl::StatusOr<std::unique_ptr<LogWriter>> OpenWriter(const std::string& topic) override {
    return std::make_unique<KeyedWriter>(&topics_[topic]);
  }
  absl::StatusOr<std::unique_ptr<LogReader>> OpenReader(const std::string& topic,
                                                        Offset /*from*/) override {
    return absl::UnimplementedError(topic);
  }
  absl::Status Trim(const std::string& /*topic*/, Offset /*before*/) override {
    return absl::OkStatus();
  }
  const Records& changes() { return topics_["test.forward.changes"]; }

 private:
  std::map<std::string, Records> topics_;
};

constexpr char kSchema[] = R"(
  CREATE TABLE by_pair (id int, k text, v text, PRIMARY KEY (id, k));
  CREATE TABLE whole (id int, k text, v text);
  ALTER TABLE whole REPLICA IDENTITY FULL;
  CREATE TABLE by_index (id int PRIMARY KEY, k text NOT NULL, v text);
  CREATE UNIQUE INDEX by_index_k ON by_index (k);
  ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_k;
  CREATE TABLE parted (id int PRIMARY KEY, k text, v text) PARTITION BY RANGE (id);
  CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (5);
  CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (5) TO (MAXVALUE);)";
const std::vector<std::string> kTables = {"by_pair", "whole", "by_index", "parted"};

class LatestPerKeyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(server_, testing::MiniPostgres::Start());
    ASSERT_OK(server_->CreateDatabase("old_db"));
    ASSERT_OK_AND_ASSIGN(old_, server_->Connect("old_db"));
    ASSERT_OK(old_->Execute(kSchema));
    std::vector<spec::TableName> names;
    for (const std::string& table : kTables) names.push_back({"public", table});
    ASSERT_OK_AND_ASSIGN(catalog_, catalog::LoadCatalog(*old_, names, {}));
    ASSERT_OK_AND_ASSIGN(capture_, testing::SimpleCapture::Start(*old_, catalog_, log_));
  }

  void Run(const std::string& sql) { ASSERT_OK(old_->Execute(sql)) << sql; }

  // By table, the rows that the latest records say are there; each as id|k|v.
  std::map<std::string, std::multiset<std::string>> Latest() {
    std::map<std::string, std::string> latest;
    std::map<uint32_t, std::string> names;
    for (const auto& [key, payload] : log_.changes()) {
      Event event;
      EXPECT_TRUE(event.ParseFromString(payload));
      if (event.has_relation()) {
        const event::v1::Relation& relation = event.relation();
        names[relation.relation_id()] =
            relation.root_name().empty() ? relation.name() : relation.root_name();
      }
      if (!key.empty()) latest[key] = payload;
    }
    std::map<std::string, std::multiset<std::string>> rows;
    for (const auto& [key, payload] : latest) {
      Event event;
      EXPECT_TRUE(event.ParseFromString(payload));
      if (!event.has_row() || event.row().op() == event::v1::Row::DELETE) continue;
      const event::v1::Tuple& tuple = event.row().new_tuple();
      std::string text;
      for (const std::string& value : tuple.values()) {
        absl::StrAppend(&text, text.empty() ? "" : "|", value);
      }
      rows[names[event.row().relation_id()]].insert(text);
    }
    return rows;
  }

  void ExpectEqual() {
    ASSERT_OK(capture_->Pump());
    auto latest = Latest();
    for (const std::string& table : kTables) {
      ASSERT_OK_AND_ASSIGN(const pg::Result rows,
                           old_->Query("SELECT concat_ws('|', id, k, v) FROM " + table));
      std::multiset<std::string> expected;
      for (int i = 0; i < rows.rows(); ++i) expected.insert(rows.str(i, 0));
      EXPECT_EQ(latest[table], expected) << table;
    }
  }

  std::unique_ptr<testing::MiniPostgres> server_;
  std::unique_ptr<pg::Session> old_;
  catalog::Catalog catalog_;
  KeyedLog log_;
  std::unique_ptr<testing::SimpleCapture> capture_;
};

TEST_F(LatestPerKeyTest, AKeyThatChangesHandsEndsWhereItWas) {
  for (const std::string& table : kTables) {
    Run(absl::StrCat("INSERT INTO ", table,
                     " SELECT i, 'k' || i, 'v' FROM generate_series(1, 6) i"));
    Run(absl::StrCat("UPDATE ", table, " SET id = 106, k = 'k6x' WHERE id = 6"));
    Run(absl::StrCat("BEGIN; UPDATE ", table, " SET id = 60, k = 'free' WHERE id = 1; UPDATE ",
                     table, " SET id = 1, k = 'k1' WHERE id = 2; UPDATE ", table,
                     " SET id = 2, k = 'k2', v = 'swapped' WHERE id = 60; COMMIT"));
    Run(absl::StrCat("DELETE FROM ", table, " WHERE id = 3; INSERT INTO ", table,
                     " VALUES (3, 'k3', 'again'); UPDATE ", table, " SET v = 'w' WHERE id = 4"));
  }
  ExpectEqual();
}

TEST_F(LatestPerKeyTest, HoldsAfterChangesAtRandom) {
  std::mt19937_64 random(11);
  const auto below = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
  for (int i = 0; i < 400; ++i) {
    const std::string& table = kTables[below(4)];
    const std::string key = absl::StrCat(below(10));
    const std::string other = absl::StrCat(below(10));
    std::string sql;
    switch (below(4)) {
      case 0:
        sql = absl::StrCat("INSERT INTO ", table, " SELECT ", key, ", 'k", key, "', 'v", i,
                           "' WHERE NOT EXISTS (SELECT FROM ", table, " WHERE id = ", key, ")");
        break;
      case 1:
        sql = absl::StrCat("DELETE FROM ", table, " WHERE id = ", key);
        break;
      case 2:
        sql = absl::StrCat("UPDATE ", table, " SET v = 'v", i, "' WHERE id = ", key);
        break;
      default:
        sql = absl::StrCat("UPDATE ", table, " SET id = ", other, ", k = 'k", other,
                           "' WHERE id = ", key, " AND NOT EXISTS (SELECT FROM ", table,
                           " WHERE id = ", other, ")");
    }
    Run(sql);
  }
  ExpectEqual();
}

}  // namespace
}  // namespace switchyard::capture
