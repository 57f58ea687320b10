// docs/functions.md: what an application is told to compute is what NEW computes.
#include <filesystem>
#include <regex>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "common/records/target_sql.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/server/subprocess.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace switchyard::records {
namespace {

using testing::ReadFileOrEmpty;

struct Vector {
  std::string kind, key, id;
};

std::string Page() {
  static const std::string page =
      ReadFileOrEmpty(std::string(SY_SOURCE_DIR) + "/docs/functions.md");
  return page;
}

std::vector<Vector> Vectors() {
  static const std::regex row(R"(\| `([^`]*)` \| `([^`]*)` \| `([0-9a-f-]{36})` \|)");
  std::vector<Vector> vectors;
  const std::string page = Page();
  for (std::sregex_iterator it(page.begin(), page.end(), row), end; it != end; ++it) {
    vectors.push_back({(*it)[1], (*it)[2], (*it)[3]});
  }
  return vectors;
}

std::string Block(const std::string& language) {
  const std::string page = Page();
  const size_t begin = page.find("```" + language + "\n");
  if (begin == std::string::npos) return "";
  const size_t from = begin + language.size() + 4;
  return page.substr(from, page.find("```", from) - from);
}

// Calls of uuid_of on the vectors, as a language writes them.
std::string Calls(const std::string& call) {
  std::string calls;
  for (const Vector& v : Vectors()) {
    const auto text = [](const std::string& s) {
      return "\"" + absl::StrReplaceAll(s, {{"\\", "\\\\"}}) + "\"";
    };
    absl::StrAppend(&calls, absl::StrReplaceAll(call, {{"$1", text(v.kind)}, {"$2", text(v.key)}}));
  }
  return calls;
}

std::string Ids() {
  std::string ids;
  for (const Vector& v : Vectors()) absl::StrAppend(&ids, v.id, "\n");
  return ids;
}

// Empty where the machine has no such program.
std::string Program(const std::string& name) {
  const char* path = std::getenv("PATH");
  for (const auto folder : absl::StrSplit(path == nullptr ? "" : path, ':')) {
    const std::string file = absl::StrCat(folder, "/", name);
    if (std::filesystem::exists(file)) return file;
  }
  return "";
}

// What a program prints that is run on a file of this text.
absl::StatusOr<std::string> RunOn(std::vector<std::string> argv, const std::string& file,
                                  const std::string& text) {
  const testing::TempDir folder;
  const std::string path = folder.path() + "/" + file;
  RETURN_IF_ERROR(testing::AppendToFile(path, text));
  argv.push_back(path);
  return testing::RunForOutput({.argv = std::move(argv),
                                .environment = {{"LC_ALL", "C.UTF-8"}, {"GOFLAGS", "-mod=mod"}},
                                .work_dir = folder.path()});
}

TEST(FunctionsPageTest, HasEveryFunctionOfOurs) {
  static const std::regex function(R"(FUNCTION switchyard\.(\w+)\([^)]*\) RETURNS (\w+))");
  const std::string sql = TargetSetupSql();
  int found = 0;
  for (std::sregex_iterator it(sql.begin(), sql.end(), function), end; it != end; ++it) {
    if ((*it)[2] == "trigger") continue;  // none to call
    ++found;
    EXPECT_THAT(Page(), ::testing::HasSubstr("## switchyard." + (*it)[1].str() + "("));
  }
  EXPECT_GT(found, 0);
}

TEST(FunctionsPageTest, TheServersAndTheSqlToCopyGiveTheVectors) {
  ASSERT_OK_AND_ASSIGN(const auto server, testing::MiniPostgres::Start());
  ASSERT_OK(server->Execute("postgres", TargetSetupSql()));
  ASSERT_OK(server->Execute("postgres", Block("sql")));
  ASSERT_GE(Vectors().size(), 9U);
  for (const Vector& v : Vectors()) {
    const std::string arguments =
        absl::StrCat("(", QuoteLiteral(v.kind), ", ", QuoteLiteral(v.key), ")");
    for (const char* function : {"switchyard.uuid_of", "public.uuid_of"}) {
      ASSERT_OK_AND_ASSIGN(
          const std::string id,
          server->Scalar("postgres", absl::StrCat("SELECT ", function, arguments)));
      EXPECT_EQ(id, v.id) << function << arguments;
    }
  }
  ASSERT_OK_AND_ASSIGN(
      const std::string null,
      server->Scalar("postgres",
                     "SELECT count(switchyard.uuid_of(k, o)) + count(public.uuid_of(k, o)) "
                     "FROM (VALUES ('a', NULL), (NULL, 'a')) AS v(k, o)"));
  EXPECT_EQ(null, "0");
}

TEST(FunctionsPageTest, PythonGivesTheVectors) {
  ASSERT_NE(Block("python"), "");
  if (Program("python3").empty()) GTEST_SKIP() << "no python3 on this machine";
  ASSERT_OK_AND_ASSIGN(
      const std::string ids,
      RunOn({Program("python3")}, "ids.py", Block("python") + Calls("\nprint(uuid_of($1, $2))")));
  EXPECT_EQ(ids, Ids());
}

TEST(FunctionsPageTest, GoGivesTheVectors) {
  ASSERT_NE(Block("go"), "");
  if (Program("go").empty()) GTEST_SKIP() << "no go on this machine";
  const std::string text = absl::StrReplaceAll(Block("go"), {{"package ids", "package main"}});
  ASSERT_OK_AND_ASSIGN(const std::string ids,
                       RunOn({Program("go"), "run"}, "ids.go",
                             absl::StrCat(text, "\nfunc main() {",
                                          Calls("\n\tfmt.Println(UUIDOf($1, $2))"), "\n}\n")));
  EXPECT_EQ(ids, Ids());
}

TEST(FunctionsPageTest, JavaGivesTheVectors) {
  ASSERT_NE(Block("java"), "");
  if (Program("java").empty()) GTEST_SKIP() << "no java on this machine";
  // The first class of the file is the one that runs.
  const std::string main = absl::StrCat(
      "class Main {\n  public static void main(String[] a) throws Exception {\n    var out = new "
      "java.io.PrintStream(System.out, true, \"UTF-8\");",
      Calls("\n    out.println(Ids.uuidOf($1, $2));"), "\n  }\n}\n\nfinal class Ids {");
  ASSERT_OK_AND_ASSIGN(
      const std::string ids,
      // Java tells of that variable where a program's output goes.
      RunOn({"/usr/bin/env", "-u", "JAVA_TOOL_OPTIONS", Program("java"), "-Dfile.encoding=UTF-8",
             "--source", "11"},
            "Main.java", absl::StrReplaceAll(Block("java"), {{"final class Ids {", main}})));
  EXPECT_EQ(ids, Ids());
}

TEST(FunctionsPageTest, TypeScriptGivesTheVectors) {
  ASSERT_NE(Block("typescript"), "");
  if (Program("node").empty()) GTEST_SKIP() << "no node on this machine";
  const std::string text = absl::StrReplaceAll(Block("typescript"), {{": string", ""}});
  ASSERT_OK_AND_ASSIGN(
      const std::string ids,
      RunOn({Program("node")}, "ids.mjs", text + Calls("\nconsole.log(uuidOf($1, $2));")));
  EXPECT_EQ(ids, Ids());
}

}  // namespace
}  // namespace switchyard::records
