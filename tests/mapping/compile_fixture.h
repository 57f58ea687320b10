// Two empty databases, and migration files compiled against them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/mapping/compile/compiler.h"
#include "gtest/gtest.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::mapping {

class CompileFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<testing::MiniPostgres>> started = testing::MiniPostgres::Start();
    ASSERT_OK(started);
    server_ = started->release();
    ASSERT_OK(server_->CreateDatabase("old_db"));
    ASSERT_OK(server_->CreateDatabase("new_db"));
  }
  static void TearDownTestSuite() { delete server_; }

  void SetUp() override {
    for (const char* database : {"old_db", "new_db"}) {
      ASSERT_OK(server_->Execute(database,
                                 "SET client_min_messages = error; DROP SCHEMA IF EXISTS public, "
                                 "switchyard, switchyard_old CASCADE; CREATE SCHEMA public"));
    }
  }

  // Both schemas, then the forward section of a migration file.
  absl::StatusOr<Plan> CompileFile(const std::string& old_sql, const std::string& new_sql,
                                   const std::string& forward) {
    RETURN_IF_ERROR(server_->Execute("old_db", old_sql));
    RETURN_IF_ERROR(server_->Execute("new_db", new_sql));
    ASSIGN_OR_RETURN(
        file_,
        spec::ParseMigrationFile(
            "migration: test\nold: {dsn_env: A}\nnew: {dsn_env: B}\nlog: {sqlite: x}\nforward:\n" +
                forward,
            "test.yaml"));
    return CompileParsed();
  }

  absl::StatusOr<Plan> CompileParsed() {
    ASSIGN_OR_RETURN(auto old_session, server_->Connect("old_db"));
    ASSIGN_OR_RETURN(new_session_, server_->Connect("new_db"));
    ASSIGN_OR_RETURN(old_catalog_,
                     catalog::LoadCatalog(*old_session, catalog::SourceTables(file_.forward), {}));
    ASSIGN_OR_RETURN(new_catalog_,
                     catalog::LoadCatalog(*new_session_, catalog::TargetTables(file_.forward), {}));
    faults_.clear();
    warnings_.clear();
    const records::Stream stream = records::ForwardOf(file_);
    return Compile({.stream = &stream,
                    .source = &old_catalog_,
                    .target = &new_catalog_,
                    .schemas = file_.schemas,
                    .bound = bound_,
                    .source_names = {"customers", "orders"},
                    .target_names = {"public.people", "public.totals"},
                    .check_restrictions = check_restrictions_,
                    .warnings = &warnings_},
                   *new_session_, &faults_);
  }

  static inline testing::MiniPostgres* server_ = nullptr;
  bool check_restrictions_ = false;
  std::vector<BoundPiece> bound_;
  spec::MigrationFile file_;
  catalog::Catalog old_catalog_;
  catalog::Catalog new_catalog_;
  std::unique_ptr<pg::Session> new_session_;
  std::vector<CompileFault> faults_, warnings_;
};

}  // namespace switchyard::mapping
