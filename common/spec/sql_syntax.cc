#include "common/spec/sql_syntax.h"

#include <pg_query.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/base/strings.h"

namespace switchyard::spec {
namespace {

using nlohmann::json;

// Byte offset of the character with this 0-based index.
size_t ByteOffset(std::string_view text, int character) {
  size_t at = 0;
  while (at < text.size() && character > 0) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    --character;
  }
  return at;
}

// NOLINTNEXTLINE(bugprone-exception-escape): moving what json holds throws nothing
struct Parsed {
  json tree;
  std::optional<SqlProblem> problem;
};

Parsed Parse(const std::string& sql) {
  Parsed parsed;
  const std::unique_ptr<PgQueryParseResult, void (*)(PgQueryParseResult*)> result(
      new PgQueryParseResult(pg_query_parse(sql.c_str())), [](PgQueryParseResult* r) {
        pg_query_free_parse_result(*r);
        delete r;
      });
  if (result->error != nullptr) {
    // cursorpos counts characters from 1; 0 when unknown.
    const int character = std::max(result->error->cursorpos - 1, 0);
    parsed.problem = {result->error->message, ByteOffset(sql, character)};
    return parsed;
  }
  parsed.tree = json::parse(result->parse_tree, nullptr, /*allow_exceptions=*/false);
  if (parsed.tree.is_discarded()) parsed.problem = {"nested too deeply", 0};
  return parsed;
}

// The first node of this kind anywhere in the tree, or null. Walks without recursion: SQL may nest
// deeper than the stack.
const json* FindNode(const json& tree, std::string_view kind) {
  std::vector<const json*> open = {&tree};
  while (!open.empty()) {
    const json* node = open.back();
    open.pop_back();
    if (node->is_object()) {
      if (const auto it = node->find(kind); it != node->end()) return &*it;
    }
    if (node->is_structured()) {
      for (const json& child : *node) open.push_back(&child);
    }
  }
  return nullptr;
}

size_t Location(const json& node) {
  const auto it = node.find("location");
  return it != node.end() && it->is_number_integer() ? std::max(it->get<int>(), 0) : 0;
}

std::optional<SqlProblem> RefuseParameters(const json& tree) {
  const json* parameter = FindNode(tree, "ParamRef");
  if (parameter == nullptr) return std::nullopt;
  return SqlProblem{"parameters like $1 can't be used here", Location(*parameter)};
}

// The SelectStmt of a text that is exactly one SELECT; null otherwise.
const json* OnlySelect(const json& tree) {
  const auto stmts = tree.find("stmts");
  if (stmts == tree.end() || stmts->size() != 1) return nullptr;
  const json& statement = stmts->at(0).at("stmt");
  const auto select = statement.find("SelectStmt");
  return select == statement.end() ? nullptr : &*select;
}

// One target, no name, no star, and no clause beside it.
bool IsBareValue(const json& select) {
  for (const auto& [key, value] : select.items()) {
    if (key == "targetList") continue;
    if (key == "limitOption" && value == "LIMIT_OPTION_DEFAULT") continue;
    if (key == "op" && value == "SETOP_NONE") continue;
    return false;
  }
  const auto targets = select.find("targetList");
  if (targets == select.end() || targets->size() != 1) return false;
  const json& target = targets->at(0).at("ResTarget");
  if (target.contains("name") || target.contains("indirection")) return false;
  const auto column = target.at("val").find("ColumnRef");
  if (column == target.at("val").end()) return true;
  return !column->at("fields").back().contains("A_Star");
}

std::optional<SqlProblem> RefuseWrites(const json& tree) {
  static constexpr std::array<std::string_view, 5> kWrites = {
      "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "intoClause"};
  for (const std::string_view kind : kWrites) {
    if (FindNode(tree, kind) != nullptr) return SqlProblem{"the query must not write anything", 0};
  }
  if (FindNode(tree, "lockingClause") != nullptr) {
    return SqlProblem{"the query must not lock rows (FOR UPDATE, FOR SHARE)", 0};
  }
  return std::nullopt;
}

// Skips blanks and comments.
std::string_view SkipBlanks(std::string_view sql) {
  while (!sql.empty()) {
    if (absl::ascii_isspace(static_cast<unsigned char>(sql[0]))) {
      sql.remove_prefix(1);
    } else if (sql.starts_with("--")) {
      sql.remove_prefix(std::min(sql.find('\n'), sql.size()));
    } else if (sql.starts_with("/*")) {
      const size_t end = sql.find("*/", 2);
      sql.remove_prefix(end == std::string_view::npos ? sql.size() : end + 2);
    } else {
      break;
    }
  }
  return sql;
}

std::string TextOf(const json& node) {
  const auto it = node.find("String");
  if (it == node.end()) return "";
  // By the version of the library.
  return it->value("sval", it->value("str", ""));
}

// `singles`: references of one part, to a column or a table's row.
void NoteReads(const json& node, SqlReads* reads, std::set<std::string>* aliases,
               std::set<std::string>* singles) {
  if (node.contains("A_Star")) reads->rows = true;
  if (const auto it = node.find("ColumnRef"); it != node.end() && it->contains("fields")) {
    reads->columns.insert(TextOf(it->at("fields").back()));  // behind its table
    if (it->at("fields").size() == 1) singles->insert(TextOf(it->at("fields")[0]));
  }
  if (const auto it = node.find("RangeVar"); it != node.end()) {
    reads->tables.insert(it->value("relname", ""));
  }
  for (const char* kind : {"alias", "Alias"}) {
    if (const auto it = node.find(kind); it != node.end() && it->is_object()) {
      aliases->insert(it->value("aliasname", ""));
    }
  }
  if (const auto it = node.find("JoinExpr"); it != node.end()) {
    reads->rows |= it->value("isNatural", false);
    if (const auto names = it->find("usingClause"); names != it->end()) {
      for (const json& name : *names) reads->columns.insert(TextOf(name));
    }
  }
}

}  // namespace

std::optional<SqlProblem> CheckExpression(std::string_view sql) {
  if (SkipBlanks(sql).empty()) return SqlProblem{"it is empty", 0};
  static constexpr std::string_view kSelect = "SELECT ";
  const auto in_fragment = [&](SqlProblem problem) {
    problem.offset -= std::min(problem.offset, kSelect.size());
    problem.offset = std::min(problem.offset, sql.size());
    return problem;
  };
  // In parentheses a name, a comma or a semicolon can't pass; bare, a parenthesis that closes
  // early can't.
  const Parsed bare = Parse(absl::StrCat("SELECT ", Sv(sql)));
  if (bare.problem.has_value()) return in_fragment(*bare.problem);
  const json* select = OnlySelect(bare.tree);
  const auto targets = select == nullptr ? json() : select->value("targetList", json());
  if (targets.size() > 1) {
    return SqlProblem{absl::StrCat("these are ", targets.size(), Sv(kNotOneExpression)), 0};
  }
  if (select == nullptr || !IsBareValue(*select) ||
      Parse(absl::StrCat("SELECT (", Sv(sql), "\n)")).problem.has_value()) {
    return SqlProblem{"it must be one expression, without a name, a semicolon or further clauses",
                      0};
  }
  if (const auto problem = RefuseParameters(bare.tree)) return in_fragment(*problem);
  return std::nullopt;
}

std::optional<SqlProblem> CheckQuery(std::string_view sql) {
  const Parsed parsed = Parse(std::string(sql));
  if (parsed.problem.has_value()) return parsed.problem;
  if (SkipBlanks(sql).empty()) return SqlProblem{"it is empty", 0};
  if (OnlySelect(parsed.tree) == nullptr) return SqlProblem{"it must be one SELECT", 0};
  if (const auto problem = RefuseWrites(parsed.tree)) return problem;
  return RefuseParameters(parsed.tree);
}

std::optional<SqlProblem> CheckScript(std::string_view sql) {
  const Parsed parsed = Parse(std::string(sql));
  if (parsed.problem.has_value()) return parsed.problem;
  const auto stmts = parsed.tree.find("stmts");
  if (stmts == parsed.tree.end() || stmts->empty()) return SqlProblem{"it holds no statement", 0};
  static constexpr std::array<std::string_view, 3> kOutside = {"TransactionStmt", "VacuumStmt",
                                                               "CreatedbStmt"};
  for (const json& entry : *stmts) {
    const json& statement = entry.at("stmt");
    size_t at = entry.value("stmt_location", size_t{0});
    at += at < sql.size() ? sql.size() - at - SkipBlanks(sql.substr(at)).size() : 0;
    const bool outside = std::ranges::any_of(
        kOutside, [&](std::string_view kind) { return statement.contains(std::string(kind)); });
    const auto index = statement.find("IndexStmt");
    if (outside || (index != statement.end() && index->value("concurrent", false))) {
      return SqlProblem{"it runs inside a transaction: no BEGIN, COMMIT, VACUUM or CONCURRENTLY",
                        at};
    }
  }
  return std::nullopt;
}

std::optional<SqlReads> ReadsOf(std::string_view sql) {
  const std::string text = StartsQuery(sql) ? std::string(sql) : absl::StrCat("SELECT ", Sv(sql));
  const Parsed parsed = Parse(text);
  if (parsed.problem.has_value()) return std::nullopt;
  SqlReads reads;
  std::set<std::string> aliases;
  std::set<std::string> singles;
  std::vector<const json*> open = {&parsed.tree};
  while (!open.empty()) {
    const json* node = open.back();
    open.pop_back();
    if (node->is_object()) NoteReads(*node, &reads, &aliases, &singles);
    if (node->is_structured()) {
      for (const json& child : *node) open.push_back(&child);
    }
  }
  reads.rows |= std::ranges::any_of(singles, [&](const std::string& name) {
    return reads.tables.contains(name) || aliases.contains(name);
  });
  return reads;
}

std::set<std::pair<std::string, std::string>> TablesIn(std::string_view sql) {
  const Parsed parsed = Parse(std::string(sql));
  std::set<std::pair<std::string, std::string>> tables;
  if (parsed.problem.has_value()) return tables;
  std::set<std::string> with;
  std::vector<const json*> open = {&parsed.tree};
  while (!open.empty()) {
    const json* node = open.back();
    open.pop_back();
    if (node->is_object()) {
      if (const auto it = node->find("CommonTableExpr"); it != node->end()) {
        with.insert(it->value("ctename", ""));
      }
      if (const auto it = node->find("RangeVar"); it != node->end()) {
        tables.emplace(it->value("schemaname", ""), it->value("relname", ""));
      }
    }
    if (node->is_structured()) {
      for (const json& child : *node) open.push_back(&child);
    }
  }
  for (const std::string& name : with) tables.erase({"", name});
  return tables;
}

bool StartsQuery(std::string_view sql) {
  const std::string_view rest = SkipBlanks(sql);
  size_t end = 0;
  while (end < rest.size() && absl::ascii_isalpha(static_cast<unsigned char>(rest[end]))) ++end;
  const std::string word = absl::AsciiStrToLower(Sv(rest.substr(0, end)));
  const bool ends_here = end == rest.size() ||
                         (rest[end] != '_' && rest[end] != '.' && !absl::ascii_isdigit(rest[end]));
  return ends_here && (word == "select" || word == "with" || word == "values" || word == "table");
}

std::string WithoutSemicolon(std::string_view sql) {
  const Parsed parsed = Parse(std::string(sql));
  if (parsed.problem.has_value() || OnlySelect(parsed.tree) == nullptr) return std::string(sql);
  const json& statement = parsed.tree.at("stmts").at(0);
  const size_t begin = std::min<size_t>(statement.value("stmt_location", 0), sql.size());
  const size_t length = statement.value("stmt_len", 0);
  return std::string(length == 0 ? sql.substr(begin) : sql.substr(begin, length));
}

}  // namespace switchyard::spec
