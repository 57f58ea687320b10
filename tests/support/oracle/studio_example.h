// examples/studio-bookings on two throw-away clusters: OLD filled by its generator, NEW with its
// empty tables, and a copy of the example's folder whose migration file keeps its log there.
//
//   ASSERT_OK_AND_ASSIGN(auto example, StudioExample::Start({.scale = 20, .nasty = true}));
//   ASSERT_OK(example->RunWorkload({"--transactions", "500"}));
//   ASSERT_OK_AND_ASSIGN(auto tables, example->Compare());
//
// Not thread-safe, except that the workload may run in a thread of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "tests/support/oracle/oracle.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/server/subprocess.h"
#include "tests/support/temp_dir.h"

namespace switchyard::testing {

struct PostCheck {
  std::string name;  // "V1 users"
  int64_t expected = 0;
  int64_t observed = 0;
};

class StudioExample {
 public:
  struct Options {
    int scale = 1;
    bool nasty = false;
    MiniPostgres::Options old_db;
    MiniPostgres::Options new_db;
    // Takes the place of the file's `log:` line, such as "log: {kafka: {...}}".
    std::string log;
  };
  static absl::StatusOr<std::unique_ptr<StudioExample>> Start(Options options);

  MiniPostgres& old_db() { return *old_db_; }
  MiniPostgres& new_db() { return *new_db_; }
  std::string old_dsn() const { return old_db_->dsn("studio"); }
  std::string new_dsn() const { return new_db_->dsn("studio"); }
  const std::string& folder() const { return folder_.path(); }
  std::string migration_file() const { return folder_.path() + "/migration.yaml"; }
  // OLD_DSN and NEW_DSN, for programs that read the migration file.
  std::vector<std::pair<std::string, std::string>> environment() const;

  // The old application; returns the JSON it prints. Ends with its --seconds or --transactions.
  absl::StatusOr<std::string> RunWorkload(const std::vector<std::string>& arguments) const;
  // The same, started only.
  absl::StatusOr<pid_t> StartWorkload(const std::vector<std::string>& arguments,
                                      const std::string& output_path) const;

  // checks/post.sql on NEW, against the generator's exact numbers.
  absl::StatusOr<std::vector<PostCheck>> PostChecks() const;
  absl::StatusOr<std::vector<TableComparison>> Compare() const;

 private:
  explicit StudioExample(Options options) : options_(std::move(options)) {}
  absl::Status Create();
  absl::Status WriteFiles() const;
  absl::StatusOr<std::string> Psql(const std::string& dsn,
                                   std::vector<std::string> arguments) const;
  Command WorkloadCommand(const std::vector<std::string>& arguments) const;

  const Options options_;
  const TempDir folder_;
  std::unique_ptr<MiniPostgres> old_db_;
  std::unique_ptr<MiniPostgres> new_db_;
};

}  // namespace switchyard::testing
