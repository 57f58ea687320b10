// Runs changes on OLD that reach NEW together, written straight into the table or recomputed
// through the mirror, and compares the two after each: for tests of what may change hands.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {

enum class Form { kRowLocal, kKeyed };
enum class Arrival { kOneTransaction, kOneBatch };

struct MappedTable {
  std::string name;
  std::string key = "id";
  std::string columns = "a.*";
};

class ChangesFixture : public testing::ReplayFixture,
                       public ::testing::WithParamInterface<std::tuple<Form, Arrival>> {
 protected:
  // The tables are alike on both sides, but for `new_only`.
  void StartWith(const std::string& schema, std::vector<MappedTable> tables,
                 const std::string& rows, const std::string& new_only = "") {
    tables_ = std::move(tables);
    std::string forward;
    for (const auto& [name, key, columns] : tables_) {
      if (std::get<Form>(GetParam()) == Form::kRowLocal) {
        absl::StrAppend(&forward, "  - {table: public.", name, ", copy: ", name, "}\n");
      } else {
        const bool one = key.find(',') == std::string::npos;
        absl::StrAppend(&forward, "  - table: public.", name, "\n    from: {", name, ": \"",
                        one ? "" : "SELECT ", absl::StrReplaceAll(key, {{"\"", "\\\""}}),
                        "\"}\n    select: SELECT ", columns, " FROM ", name, " a JOIN ", name,
                        " b USING (", key, ")\n");
      }
    }
    ASSERT_OK(Start(schema, schema + ";" + new_only, forward, rows));
    for (const mapping::MappingPlan& mapping : plan_.mappings) {
      ASSERT_EQ(mapping.row_local, std::get<Form>(GetParam()) == Form::kRowLocal);
    }
    ASSERT_OK(CatchUp());
    ExpectEqual("after the copy");
  }

  // Runs the statements on OLD, so that the replayer meets them together, and compares.
  void Change(const std::vector<std::string>& statements) {
    if (HasFatalFailure()) return;
    ASSERT_NO_FATAL_FAILURE(Together(statements));
    ExpectEqual(absl::StrJoin(statements, "; "));
  }
  // Without comparing.
  void Together(const std::vector<std::string>& statements) {
    if (std::get<Arrival>(GetParam()) == Arrival::kOneTransaction) {
      ASSERT_OK(OnOld(absl::StrCat("BEGIN;", absl::StrJoin(statements, ";"), ";COMMIT")));
    } else {
      ASSERT_EQ(StopReplayer().code(), absl::StatusCode::kCancelled);
      for (const std::string& sql : statements) ASSERT_OK(OnOld(sql)) << sql;
      ASSERT_OK(capture_->Pump());
      ASSERT_OK(StartReplayer());
    }
    ASSERT_OK(CatchUp());
  }

  void ExpectEqual(const std::string& after) {
    for (const auto& [name, key, columns] : tables_) {
      const std::string all = absl::StrCat("SELECT * FROM ", name, " ORDER BY ", key);
      EXPECT_EQ(New(all), Old(all)) << name << " after " << after;
    }
    EXPECT_EQ(New("SELECT target, operation, error FROM switchyard.quarantine"), "");
  }

 private:
  std::vector<MappedTable> tables_;
};

// For INSTANTIATE_TEST_SUITE_P.
inline auto EachWay() {
  return ::testing::Combine(::testing::Values(Form::kRowLocal, Form::kKeyed),
                            ::testing::Values(Arrival::kOneTransaction, Arrival::kOneBatch));
}
inline std::string NameOf(const ::testing::TestParamInfo<std::tuple<Form, Arrival>>& param) {
  return absl::StrCat(
      std::get<Form>(param.param) == Form::kRowLocal ? "RowLocal" : "Keyed",
      std::get<Arrival>(param.param) == Arrival::kOneBatch ? "InOneBatch" : "InOneTransaction");
}

}  // namespace switchyard::replayer
