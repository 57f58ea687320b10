// The tables that stand in for the source's: which there are, and which of them in this
// transaction.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/compile/probe/probe.h"

namespace switchyard::mapping {
namespace {

std::string InTemp(const std::string& sql) { return catalog::WithSchema(sql, "pg_temp"); }

// Stand-ins in one transaction; a statement that names more of them has them all.
constexpr size_t kTablesAtOnce = 100;

constexpr size_t kNameBytesMax = 63;

bool IsWordByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool IsWord(std::string_view name) { return std::ranges::all_of(name, IsWordByte); }

// What stands in a statement between bytes that are of no word, as written and in lower case; and
// as Postgres cuts it.
std::set<std::string> WordsOf(std::string_view sql) {
  std::set<std::string> words;
  for (size_t begin = 0; begin < sql.size();) {
    size_t end = begin;
    while (end < sql.size() && IsWordByte(sql[end])) ++end;
    if (end > begin) {
      const std::string word(CutUtf8(sql.substr(begin, end - begin), kNameBytesMax));
      words.insert(absl::AsciiStrToLower(word));
      words.insert(word);
    }
    begin = end + 1;
  }
  return words;
}

}  // namespace

absl::Status Probe::AddTable(const std::string& alias, const catalog::Table& table) {
  std::vector<std::string> columns;
  for (const catalog::Column& column : table.columns) {
    columns.push_back(absl::StrCat(
        QuoteIdentifier(column.name), " ", InTemp(column.mirror_type),
        column.mirror_collation.empty() ? "" : " COLLATE " + InTemp(column.mirror_collation)));
  }
  tables_[alias];
  plain_names_ &= IsWord(alias);
  const absl::Status added = AddDdl(alias, types_path_,
                                    absl::StrCat("CREATE TEMP TABLE ", QuoteIdentifier(alias), " (",
                                                 absl::StrJoin(columns, ", "), ")"));
  if (!added.ok()) {
    tables_.erase(alias);
    here_.erase(alias);
  }
  return added;
}

absl::Status Probe::AddToTable(const std::string& alias, const std::string& ddl) {
  return AddDdl(alias, their_path_, ddl);
}

absl::Status Probe::AddDdl(const std::string& alias, const std::string& path,
                           const std::string& ddl) {
  RETURN_IF_ERROR(Provide(QuoteIdentifier(alias)));
  RETURN_IF_ERROR(RunIn(path, ddl));
  tables_[alias].push_back(absl::StrCat(path, ";\n", ddl));
  return absl::OkStatus();
}

std::set<std::string> Probe::Named(const std::string& sql) const {
  std::set<std::string> named;
  for (const std::string& word : WordsOf(sql)) {
    if (tables_.contains(word)) named.insert(word);
  }
  // As in U&"...": a name may be written with escapes then.
  const bool any = absl::StrContains(sql, "&\"");
  for (const auto& [alias, ddl] : tables_) {
    if (!any && plain_names_) break;
    if (any || absl::StrContains(sql, QuoteIdentifier(alias))) named.insert(alias);
  }
  return named;
}

absl::Status Probe::Provide(const std::string& sql) {
  const std::set<std::string> named = Named(sql);
  const auto missing = [&] {
    return std::ranges::any_of(named, [&](const auto& alias) { return !here_.contains(alias); });
  };
  if (!missing()) return absl::OkStatus();
  if (here_.size() + named.size() > kTablesAtOnce) {
    here_.clear();
    RETURN_IF_ERROR(session_.Execute("ROLLBACK"));
    RETURN_IF_ERROR(BeginTransaction());
  }
  std::string ddl;
  for (const std::string& alias : named) {
    if (!here_.insert(alias).second) continue;
    for (const std::string& statement : tables_[alias]) absl::StrAppend(&ddl, statement, ";\n");
  }
  return ddl.empty() ? absl::OkStatus() : RunIn(kOurPath, ddl);
}

std::vector<std::set<std::string>> Probe::Portions() const {
  std::vector<std::set<std::string>> portions;
  for (const auto& [alias, ddl] : tables_) {
    if (portions.empty() || portions.back().size() == kTablesAtOnce) portions.emplace_back();
    portions.back().insert(alias);
  }
  return portions;
}

absl::Status Probe::ProvideAll(const std::set<std::string>& aliases) {
  std::string names;
  for (const std::string& alias : aliases) absl::StrAppend(&names, QuoteIdentifier(alias), " ");
  return Provide(names);
}

}  // namespace switchyard::mapping
