// The shape of the tree, as a test: who may include whom, where foreign headers stay, how long a
// file may be.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/graph.h"
#include "common/base/strings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace switchyard {
namespace {

namespace fs = std::filesystem;

constexpr int kFileLinesMax = 900;
constexpr int kFilesWithoutAPage = 15;

struct SourceFile {
  std::string path;  // from the top of the tree: "capture/publish/publisher.cc"
  std::vector<std::string> lines;
};

std::vector<SourceFile> ReadTree() {
  std::vector<SourceFile> files;
  for (const char* top :
       {"common", "capture", "replayer", "verify", "cutover", "operate", "cli", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(SY_SOURCE_DIR) / top)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cc") continue;
      SourceFile file{fs::relative(entry.path(), SY_SOURCE_DIR).string(), {}};
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) file.lines.push_back(line);
      files.push_back(std::move(file));
    }
  }
  return files;
}

const std::vector<SourceFile>& Tree() {
  static const auto* const tree = new std::vector<SourceFile>(ReadTree());
  return *tree;
}

// "common/pg" of "common/pg/session.h", "capture" of "capture/copy/copier.h".
std::string Component(const std::string& path) {
  const size_t slash = path.find('/');
  if (slash == std::string::npos) return path;
  if (path.substr(0, slash) != "common") return path.substr(0, slash);
  return path.substr(0, path.find('/', slash + 1));
}

// What each component may include, beside itself. capture, replayer, verify and cutover never
// include each other: they meet in what they leave in the log and in the databases.
const std::map<std::string, std::set<std::string>>& Allowed() {
  static const auto* const allowed = new std::map<std::string, std::set<std::string>>{
      {"common/base", {}},
      {"common/pg", {"common/base", "proto"}},
      {"common/eventlog", {"common/base", "proto"}},
      {"common/spec", {"common/base", "common/pg", "proto"}},
      {"common/catalog", {"common/base", "common/pg", "common/spec"}},
      {"common/mapping",
       {"common/base", "common/pg", "common/catalog", "common/records", "common/spec", "proto"}},
      {"common/changes",
       {"common/base", "common/catalog", "common/mapping", "common/records", "proto"}},
      {"common/records", {"common/base", "common/pg", "common/spec", "deploy", "proto"}},
      {"capture",
       {"common/base", "common/pg", "common/eventlog", "common/spec", "common/catalog",
        "common/mapping", "common/changes", "common/records", "deploy", "proto"}},
      {"replayer",
       {"common/base", "common/pg", "common/eventlog", "common/spec", "common/catalog",
        "common/mapping", "common/changes", "common/records", "deploy", "proto"}},
      {"verify",
       {"common/base", "common/pg", "common/spec", "common/catalog", "common/mapping",
        "common/changes", "common/records"}},
      {"cutover",
       {"common/base", "common/pg", "common/eventlog", "common/spec", "common/catalog",
        "common/mapping", "common/changes", "common/records", "deploy", "proto"}}};
  return *allowed;
}

// Foreign headers, and the files that may see them.
bool MayInclude(const std::string& path, const std::string& header) {
  if (header == "libpq-fe.h") return Component(path) == "common/pg";
  if (absl::StartsWith(header, "librdkafka/")) {
    return absl::StartsWith(path, "common/eventlog/kafka_") || absl::StartsWith(path, "tests/");
  }
  if (header == "sqlite3.h") {
    return absl::StartsWith(path, "common/eventlog/sqlite_") || absl::StartsWith(path, "tests/");
  }
  if (absl::StartsWith(header, "yaml-cpp/")) return Component(path) == "common/spec";
  if (absl::StartsWith(header, "pqxx/")) return absl::StartsWith(path, "common/pg/control_");
  return true;
}

bool IsInclude(const std::string& line) { return absl::StartsWith(line, "#include"); }

TEST(TidyTest, ComponentsIncludeOnlyWhatTheyMay) {
  const std::regex own(
      R"(^#include "((?:common|capture|replayer|verify|cutover|operate|cli|tests|deploy|proto)/[^"]+)\")");
  for (const SourceFile& file : Tree()) {
    const std::string component = Component(file.path);
    const auto allowed = Allowed().find(component);
    for (const std::string& line : file.lines) {
      std::smatch match;
      if (!IsInclude(line) || !std::regex_search(line, match, own)) continue;
      const std::string included = Component(match[1]);
      if (component != "tests") {
        EXPECT_NE(included, "tests") << file.path << ": " << line;
      }
      if (allowed == Allowed().end() || included == component) continue;
      EXPECT_TRUE(allowed->second.contains(included)) << file.path << ": " << line;
    }
  }
}

// Rooms are folders: of two that included each other, neither could be read, or tested, alone.
TEST(TidyTest, NoRoomsIncludeEachOtherInACircle) {
  const std::regex own(
      R"(^#include "((?:common|capture|replayer|verify|cutover|operate|cli)/[^"]+)\")");
  std::vector<std::string> rooms;
  const auto index = [&](const std::string& path) {
    const std::string room = fs::path(path).parent_path().string();
    const auto found = std::ranges::find(rooms, room);
    if (found == rooms.end()) rooms.push_back(room);
    return static_cast<int>(std::ranges::find(rooms, room) - rooms.begin());
  };
  std::set<std::pair<int, int>> arrows;
  for (const SourceFile& file : Tree()) {
    if (absl::StartsWith(file.path, "tests/")) continue;
    for (const std::string& line : file.lines) {
      std::smatch match;
      if (!IsInclude(line) || !std::regex_search(line, match, own)) continue;
      arrows.emplace(index(file.path), index(match[1]));
    }
  }
  std::vector<std::vector<int>> needs(rooms.size());
  for (const auto& [from, to] : arrows) {
    if (from != to) needs[from].push_back(to);
  }
  if (TopologicalOrder(needs).has_value()) return;
  std::string circle;
  for (const int room : FindCircle(needs)) absl::StrAppend(&circle, rooms[room], " -> ");
  ADD_FAILURE() << "rooms include each other in a circle: " << circle;
}

TEST(TidyTest, ForeignHeadersStayWhereTheyAreWrapped) {
  const std::regex foreign(R"(^#include [<"]([^>"]+)[>"])");
  for (const SourceFile& file : Tree()) {
    for (const std::string& line : file.lines) {
      std::smatch match;
      if (!IsInclude(line) || !std::regex_search(line, match, foreign)) continue;
      EXPECT_TRUE(MayInclude(file.path, match[1])) << file.path << ": " << line;
    }
  }
}

TEST(TidyTest, HeadersSayWhatTheyAreForAndAreIncludedOnce) {
  for (const SourceFile& file : Tree()) {
    if (!absl::EndsWith(file.path, ".h")) continue;
    ASSERT_FALSE(file.lines.empty()) << file.path;
    EXPECT_TRUE(absl::StartsWith(file.lines[0], "// ")) << file.path << " opens without a comment";
    EXPECT_THAT(file.lines, ::testing::Contains("#pragma once")) << file.path;
  }
}

TEST(TidyTest, FilesAreShortAndFinished) {
  const std::string unfinished[] = {absl::StrCat("TO", "DO"), absl::StrCat("FIX", "ME")};
  for (const SourceFile& file : Tree()) {
    EXPECT_LE(static_cast<int>(file.lines.size()), kFileLinesMax) << file.path;
    for (const std::string& line : file.lines) {
      for (const std::string& mark : unfinished) {
        EXPECT_FALSE(absl::StrContains(line, mark)) << file.path << ": " << line;
      }
    }
  }
}

// mapping::MappingIndex and SourceIndex can't be taken for each other; numbers can.
TEST(TidyTest, PlacesInAPlanAreNoPlainNumbers) {
  const std::regex plain(R"(\b(int|size_t) (mapping|source|upstream)\b *[,);=:])");
  for (const SourceFile& file : Tree()) {
    if (absl::StartsWith(file.path, "tests/")) continue;
    for (const std::string& line : file.lines) {
      EXPECT_FALSE(std::regex_search(line, plain)) << file.path << ": " << line;
    }
  }
}

// Every text file of the tree, documents and scripts too.
std::vector<fs::path> TextFiles() {
  std::vector<fs::path> files;
  for (const char* top :
       {".ci", "capture", "cli", "cmake", "common", "cutover", "deploy", "docs", "examples",
        "operate", "proto", "replayer", "scripts", "tests", "verify"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(SY_SOURCE_DIR) / top)) {
      const bool corpus = absl::StrContains(entry.path().string(), "/fuzz/corpus/");
      if (entry.is_regular_file() && !corpus) files.push_back(entry.path());
    }
  }
  for (const auto& entry : fs::directory_iterator(SY_SOURCE_DIR)) {
    // .git is a file where the tree is a worktree.
    if (entry.is_regular_file() && entry.path().filename() != ".git") files.push_back(entry.path());
  }
  return files;
}

// Nobody can tell by their names alone what sixteen files are to each other.
TEST(TidyTest, AFolderOfManyFilesHasAPageThatSaysWhatEachIsFor) {
  std::map<fs::path, int> files;
  for (const fs::path& path : TextFiles()) ++files[path.parent_path()];
  for (const auto& [folder, count] : files) {
    if (count <= kFilesWithoutAPage) continue;
    EXPECT_TRUE(fs::exists(folder / "README.md")) << folder << " has " << count << " files";
  }
}

// Where packages come from, and where a tree lies, is the business of the machine that builds it.
// The words are put together here, so that this file does not hold them.
TEST(TidyTest, NothingNamesAPackageRegistryOrAPlaceOfOneMachine) {
  const std::string words[] = {absl::StrCat("npm", "js."),         absl::StrCat("repo1.", "maven"),
                               absl::StrCat("repo.maven.", "apa"), absl::StrCat("py", "pi."),
                               absl::StrCat("crates", ".io"),      absl::StrCat("deb.deb", "ian"),
                               absl::StrCat("proxy.go", "lang"),   absl::StrCat("docker", ".io"),
                               absl::StrCat("gh", "cr."),          absl::StrCat("arti", "factory"),
                               absl::StrCat("/wo", "rk/"),         absl::StrCat("/ho", "me/"),
                               absl::StrCat("/ro", "ot/"),         absl::StrCat("/Us", "ers/")};
  for (const fs::path& path : TextFiles()) {
    std::ifstream in(path, std::ios::binary);
    int number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      for (const std::string& word : words) {
        EXPECT_FALSE(absl::StrContains(line, word)) << path << ":" << number << ": " << word;
      }
    }
  }
}

// Code without its comments: words in them are no use of anything.
std::string CodeOf(const SourceFile& file) {
  std::string code;
  for (const std::string& line : file.lines) {
    absl::StrAppend(&code, line.substr(0, line.find("//")), "\n");
  }
  return code;
}

// A table that Switchyard keeps, on either side, is named in its owner's file alone, so that each
// of its states has one place where it comes about; and in the text that makes them all.
TEST(TidyTest, EachTableIsNamedInItsOwnersFileAlone) {
  const std::map<std::string, std::string> owners = {
      {"breach", "common/records/breaches"},
      {"capture_copy", "common/records/source/capture_copies"},
      {"capture_message", "common/records/source/capture_messages"},
      {"capture_request", "common/records/source/capture_requests"},
      {"capture_stream", "common/records/source/capture_streams"},
      {"capture_suspect", "common/records/source/capture_suspects"},
      {"capture_table", "common/records/source/captured_tables"},
      {"copy", "common/records/copies"},
      {"copy_lane", "common/records/copy_lanes"},
      {"id_map", "common/records/id_map"},
      {"journal", "common/records/cutover/journal"},
      {"lease", "common/records/cutover/lease"},
      {"mark", "common/records/mark"},
      {"missed_rows", "common/records/missed_rows"},
      {"old_side", "common/records/cutover/ownership"},
      {"ownership", "common/records/cutover/ownership"},
      {"parity_difference", "common/records/proof/parity_results"},
      {"parity_pass", "common/records/proof/parity_results"},
      {"parity_table", "common/records/proof/parity_results"},
      {"quarantine", "common/records/quarantine_entries"},
      {"rehearsal", "common/records/proof/rehearsals"},
      {"relation", "common/records/relations"},
      {"request", "common/records/requests"},
      {"stream", "common/records/stream/stream_store"}};
  // With its schema, or by itself where the catalogue is asked.
  const std::regex named(R"(switchyard\.([a-z_]+)\b|['"](capture_[a-z]+)['"])");
  for (const SourceFile& file : Tree()) {
    if (absl::StartsWith(file.path, "tests/")) continue;
    if (absl::StartsWith(file.path, "common/records/target_sql.")) continue;
    const std::string code = CodeOf(file);
    for (std::sregex_iterator it(code.begin(), code.end(), named), end; it != end; ++it) {
      const auto owner = owners.find((*it)[1].matched ? (*it)[1] : (*it)[2]);
      if (owner != owners.end()) {
        EXPECT_EQ(file.path.substr(0, file.path.rfind('.')), owner->second) << it->str();
      }
    }
  }
  const std::regex made(R"(CREATE TABLE IF NOT EXISTS switchyard\.([a-z_]+))");
  std::set<std::string> tables;
  for (const char* sql : {"source.sql", "source_before_14.sql", "target.sql"}) {
    std::ifstream in(fs::path(SY_SOURCE_DIR) / "deploy/sql" / sql);
    for (std::string line; std::getline(in, line);) {
      std::smatch match;
      if (!std::regex_search(line, match, made)) continue;
      tables.insert(match[1]);
      EXPECT_TRUE(owners.contains(match[1])) << line;
    }
  }
  EXPECT_EQ(tables.size(), owners.size());
}

// What a person acts on is made with its step, by Refuse, RefuseAll and Lost
// (common/base/finding.h), and the two are never told apart by searching a text. What a server
// says, WithNextStepFor gives a step where it leaves for a log, a record or a terminal.
TEST(TidyTest, NothingIsRefusedWithoutANextStep) {
  const std::regex bare(
      "(FailedPrecondition|DataLoss)Error\\(|\\bk(FailedPrecondition|DataLoss)\\b");
  const std::set<std::string> makers = {"common/base/finding.cc", "common/pg/error.cc",
                                        "common/pg/libpq.cc"};
  for (const SourceFile& file : Tree()) {
    if (absl::StartsWith(file.path, "tests/")) continue;
    const std::string code = CodeOf(file);
    std::smatch found;
    EXPECT_TRUE(makers.contains(file.path) || !std::regex_search(code, found, bare))
        << file.path << ": " << found.str();
    EXPECT_TRUE(file.path == "common/base/finding.cc" || !absl::StrContains(code, "; next: "))
        << file.path << ": a step within a text";
  }
}

// An ERROR in the log says how, too.
TEST(TidyTest, NoErrorIsLoggedWithoutANextStep) {
  for (const SourceFile& file : Tree()) {
    if (absl::StartsWith(file.path, "tests/") || file.path == "common/base/log.cc") continue;
    const std::string code = CodeOf(file);
    for (size_t at = code.find("LogError("); at != code.npos; at = code.find("LogError(", at + 1)) {
      if (absl::EndsWith(code.substr(0, at), "void ")) continue;  // declared
      const std::string call = code.substr(at, code.find(");", at) - at);
      EXPECT_TRUE(absl::StrContains(call, "\"next\"")) << file.path << ": " << call;
    }
  }
}

// A step can be taken as it stands.
TEST(TidyTest, NoNextStepIsToLookIntoIt) {
  const std::regex refused(R"re(\b(Refuse|Lost)\()re");
  const std::regex vague(R"re("(look into|investigate|check|see|find out|contact)[^"]{0,12}")re");
  for (const SourceFile& file : Tree()) {
    if (absl::StartsWith(file.path, "tests/")) continue;
    const std::string code = CodeOf(file);
    for (std::sregex_iterator it(code.begin(), code.end(), refused), end; it != end; ++it) {
      const std::string call =
          code.substr(it->position(), code.find(";\n", it->position()) - it->position());
      std::smatch found;
      EXPECT_FALSE(std::regex_search(call, found, vague)) << file.path << ": " << found.str();
      EXPECT_FALSE(absl::StrContains(call, ", \"\")") && !absl::StrContains(call, "FindingOf"))
          << file.path << ": " << call;
    }
  }
}

// The command line asks `operate`, and prints: what it does itself, no other face of it could.
TEST(TidyTest, TheCommandLineHoldsNoSqlAndNoProtocol) {
  const std::regex inner(
      R"re(^#include "(common/(pg|records|mapping|eventlog)|capture|replayer|verify)/)re");
  const std::regex sql(
      R"(\b(Query|Execute|Begin|Commit)\(|\b(SELECT|UPDATE|INSERT|DELETE|CREATE) )");
  for (const SourceFile& file : Tree()) {
    if (!absl::StartsWith(file.path, "cli/")) continue;
    for (const std::string& line : file.lines) {
      const bool wires = absl::StrContains(file.path, "_role.");
      EXPECT_TRUE(wires || !std::regex_search(line, inner)) << file.path << ": " << line;
      EXPECT_FALSE(std::regex_search(line, sql)) << file.path << ": " << line;
    }
  }
}

// Whoever asks prints: a terminal today.
TEST(TidyTest, WhatMayBeAskedKnowsNoTerminal) {
  const std::regex face(R"(^#include <(CLI/.*|[io]?stream|iostream|cstdio|unistd\.h)>)");
  for (const SourceFile& file : Tree()) {
    if (!absl::StartsWith(file.path, "operate/")) continue;
    for (const std::string& line : file.lines) {
      EXPECT_FALSE(std::regex_search(line, face)) << file.path << ": " << line;
    }
  }
}

// Folders are rooms. Where many files lie flat, their names begin with the room.
TEST(TidyTest, NoFolderIsCrowded) {
  constexpr int kFolderFilesMax = 25;
  std::map<std::string, int> folders;
  for (const SourceFile& file : Tree()) {
    ++folders[fs::path(file.path).parent_path().string()];
  }
  for (const auto& [folder, files] : folders) {
    if (folder == "common/eventlog") continue;  // kafka_, sqlite_ and memory_ are its rooms
    EXPECT_LE(files, kFolderFilesMax) << folder;
  }
}

// What a stream and its parts are called is said in one place; what is handed on is a Stream, so
// that no code can take one direction, or the only stream there is, for granted.
TEST(TidyTest, NamesOfAStreamAreMadeByItsTypeAlone) {
  const std::regex spelt(
      R"re(switchyard_(old|new)\b|"(\.|switchyard_[a-z_]*_)?(forward|reverse)")re"
      R"re(|"\.(changes|copy)"|"(_cp|_slot)"|"(reverse_)?map_)re");
  for (const SourceFile& file : Tree()) {
    const bool reads_the_file = absl::StartsWith(file.path, "common/spec/");
    if (absl::StartsWith(file.path, "tests/") || reads_the_file) continue;
    if (file.path == "common/records/stream/stream.cc") continue;
    const std::string code = CodeOf(file);
    std::smatch found;
    EXPECT_FALSE(std::regex_search(code, found, spelt)) << file.path << ": " << found.str();
  }
}

TEST(TidyTest, EveryHeaderIsIncluded) {
  std::set<std::string> included;
  for (const SourceFile& file : Tree()) {
    for (const std::string& line : file.lines) {
      if (IsInclude(line)) included.insert(line.substr(0, line.find("  //")));
    }
  }
  for (const SourceFile& file : Tree()) {
    if (!absl::EndsWith(file.path, ".h")) continue;
    EXPECT_TRUE(included.contains(absl::StrCat("#include \"", file.path, "\""))) << file.path;
  }
}

// A function that a header declares is called somewhere; where it is defined (a line that begins
// at the margin) does not count.
TEST(TidyTest, NothingIsDeclaredThatNobodyCalls) {
  const std::regex word(R"(\b[A-Z][A-Za-z0-9]+\b)");
  std::map<std::string, int> calls;
  for (const SourceFile& file : Tree()) {
    const bool source = absl::EndsWith(file.path, ".cc");
    const std::string code = CodeOf(file);
    for (std::sregex_iterator it(code.begin(), code.end(), word), end; it != end; ++it) {
      const size_t margin = code.rfind('\n', static_cast<size_t>(it->position())) + 1;
      const bool followed = code[static_cast<size_t>(it->position() + it->length())] == '(';
      const bool defines = source && followed && code[margin] != ' ';
      if (!defines) ++calls[it->str()];
    }
  }
  // Constructors are called by the name of the variable.
  const std::regex declared(R"((?:[a-z0-9_>] |[&*])([A-Z][A-Za-z0-9]+)(?=\())");
  for (const SourceFile& file : Tree()) {
    if (!absl::EndsWith(file.path, ".h") || absl::StartsWith(file.path, "tests/")) continue;
    const std::string code = CodeOf(file);
    for (std::sregex_iterator it(code.begin(), code.end(), declared), end; it != end; ++it) {
      const std::string name = (*it)[1];
      const bool type = std::regex_search(code, std::regex("(class|struct) " + name + "\\b"));
      if (type || absl::StartsWith(name, "Absl")) continue;  // the library finds those
      EXPECT_GT(calls[name], 1) << file.path << ": " << name;
    }
  }
}

}  // namespace
}  // namespace switchyard
