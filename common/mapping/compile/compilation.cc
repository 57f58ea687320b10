#include "common/mapping/compile/compilation.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"

namespace switchyard::mapping {

using std::string;
using std::vector;

namespace {

// The identity the log carries for every update and delete of this table.
vector<string> SourceKey(const catalog::Table& table) {
  if (table.replica_identity == 'i') return table.identity_columns;
  // With full the whole old row is there, but rows are known by their key alone: none that two of
  // them may have for a while.
  return KeyOf(table, table.replica_identity == 'f' ? Keys::kAtOnce : Keys::kDeferrableToo);
}

// The name that stands at `offset`, as written: "lower", "public.users".
string NameAt(std::string_view sql, size_t offset) {
  size_t end = offset;
  while (end < sql.size() && (absl::ascii_isalnum(static_cast<unsigned char>(sql[end])) ||
                              sql[end] == '_' || sql[end] == '.')) {
    ++end;
  }
  return string(sql.substr(std::min(offset, sql.size()), end - offset));
}

// Byte offset of a 1-based character.
size_t ByteOffset(std::string_view text, int character) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (begins && --character == 0) break;
  }
  return at;
}

}  // namespace

string Source::KeyDdl() const {
  vector<string> columns;
  for (const string& column : key) columns.push_back(QuoteIdentifier(column));
  return absl::StrCat("ALTER TABLE pg_temp.", QuoteIdentifier(alias), " ADD PRIMARY KEY (",
                      absl::StrJoin(columns, ", "), ")");
}

vector<string> KeyOf(const catalog::Table& table, Keys keys) {
  const bool deferrable_too = keys == Keys::kDeferrableToo;
  if (deferrable_too && !table.primary_key.empty()) return table.primary_key;
  for (const catalog::UniqueIndex& index : table.unique_indexes) {  // the primary key first
    if (index.partial || (index.deferrable && !deferrable_too)) continue;
    const bool usable = std::ranges::all_of(index.columns, [&](const string& c) {
      const catalog::Column* column = table.FindColumn(c);
      return column != nullptr && column->not_null;
    });
    if (usable) return index.columns;
  }
  return {};
}

string DidYouMean(const string& word, const vector<string>& known, std::string_view otherwise) {
  const string near = NearestWord(word, known);
  return near.empty() ? string(otherwise) : "; did you mean " + near + "?";
}

vector<string> ColumnNames(const catalog::Table& table) {
  vector<string> names;
  for (const catalog::Column& column : table.columns) names.push_back(column.name);
  return names;
}

size_t Characters(std::string_view text) {
  return std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

void Compilation::Fault(const spec::Position& at, string message) {
  faults.push_back({at, std::move(message)});
}

namespace {

CompileFault AtKey(const spec::Mapping& mapping, const string& key, string message) {
  const auto place = mapping.places.find(key);
  const bool known = place != mapping.places.end() && place->second.Begin().line > 0;
  return {.at = known ? place->second.Begin() : mapping.at,
          .message = std::move(message),
          .file = known ? place->second.file : ""};
}

}  // namespace

void Compilation::Fault(const spec::Mapping& mapping, const string& key, string message) {
  faults.push_back(AtKey(mapping, key, std::move(message)));
}

void Compilation::Warn(const spec::Mapping& mapping, const string& key, const string& message) {
  if (input.warnings == nullptr) return;
  input.warnings->push_back(
      AtKey(mapping, key, absl::StrCat(key, " of ", mapping.target.ToString(), ": ", message)));
}

void Compilation::Warn(const SqlPiece& piece, const string& message) {
  if (input.warnings == nullptr) return;
  input.warnings->push_back({.at = piece.place.At(piece.sql, 0),
                             .message = absl::StrCat(piece.what, ": ", message),
                             .file = piece.place.file});
}

void Compilation::Fault(const SqlPiece& piece, size_t offset, const string& message) {
  faults.push_back({.at = piece.place.At(piece.sql, offset),
                    .message = absl::StrCat(piece.what, ": ", message),
                    .file = piece.place.file});
}

void Compilation::NoteRight(const pg::ErrorFields& fields) {
  faults.back().right_missing = fields.sqlstate == "42501";
}

absl::Status Compilation::SqlFault(const SqlPiece& piece, int shift, const absl::Status& status) {
  if (!absl::IsInvalidArgument(status)) return status;
  const pg::ErrorFields fields = pg::StatusErrorFields(status);
  int position = 0;
  size_t offset = 0;
  if (absl::SimpleAtoi(fields.position, &position) && position > shift) {
    offset = ByteOffset(piece.sql, position - shift);
  }
  if (offset >= piece.sql.size()) offset = 0;
  ASSIGN_OR_RETURN(const string suggestion, Suggestion(piece.sql, offset, fields));
  Fault(piece, offset, absl::StrCat(status.message(), suggestion));
  NoteRight(fields);
  return absl::OkStatus();
}

absl::StatusOr<string> Compilation::Suggestion(std::string_view sql, size_t offset,
                                               const pg::ErrorFields& fields) {
  const string name = NameAt(sql, offset);
  if (fields.sqlstate == "42P01" && !name.empty()) {  // undefined table
    ASSIGN_OR_RETURN(const vector<string> known, probe.TableNames());
    return DidYouMean(name, known);
  }
  if (fields.sqlstate == "42883" && !name.empty()) {  // undefined function, or other arguments
    ASSIGN_OR_RETURN(const vector<string> known, probe.FunctionNames());
    if (std::ranges::count(known, name) == 0) return DidYouMean(name, known);
  }
  if (fields.sqlstate == "42703") {  // undefined column: the server names a near one
    const vector<string> parts = absl::StrSplit(fields.hint, '"');
    return parts.size() >= 3 ? "; did you mean " + parts[1] + "?" : "";
  }
  return fields.hint.empty() ? "" : ". " + fields.hint;
}

absl::Status Compilation::Refused() {
  const auto place = [](const CompileFault& fault) {
    return std::tie(fault.file, fault.at, fault.message);
  };
  std::ranges::sort(faults, {}, place);
  const auto repeated = std::unique(
      faults.begin(), faults.end(),
      [&](const CompileFault& a, const CompileFault& b) { return place(a) == place(b); });
  faults.erase(repeated, faults.end());
  vector<string> lines;
  for (const CompileFault& fault : faults) lines.push_back(fault.message);
  return absl::InvalidArgumentError(Sv(absl::StrJoin(lines, "\n")));
}

SqlPiece Compilation::Piece(const spec::Mapping& mapping, const string& key,
                            std::string_view sql) const {
  SqlPiece piece{.what = key + " of " + mapping.target.ToString(), .sql = sql};
  const auto place = mapping.places.find(key);
  if (place != mapping.places.end()) piece.place = place->second;
  if (piece.place.Begin().line == 0) piece.place.anchors = {{.offset = 0, .at = mapping.at}};
  return piece;
}

const catalog::Table* Compilation::ResolveSource(const spec::TableName& name) const {
  const auto alias = direction.aliases.find(name.name);
  if (name.schema.empty() && alias != direction.aliases.end()) {
    return input.source->Find(alias->second.schema, alias->second.name);
  }
  if (!name.schema.empty()) return input.source->Find(name.schema, name.name);
  for (const string& schema : input.schemas) {
    if (const catalog::Table* found = input.source->Find(schema, name.name)) return found;
  }
  return nullptr;
}

SourceIndex Compilation::FindSource(const spec::TableName& name) const {
  const catalog::Table* table = ResolveSource(name);
  for (size_t i = 0; i < sources.size() && table != nullptr; ++i) {
    if (sources[i].table == table) return SourceIndex(i);
  }
  return {};
}

void Compilation::AddSource(const spec::TableName& name, const spec::Position& at) {
  const catalog::Table* table = ResolveSource(name);
  if (table == nullptr) {
    vector<string> known = input.source_names;
    for (const catalog::Table& t : input.source->tables) known.push_back(t.name);
    for (const auto& [alias, meant] : direction.aliases) known.push_back(alias);
    const auto alias = direction.aliases.find(name.name);
    const string meant = alias == direction.aliases.end() || !name.schema.empty()
                             ? ""
                             : " (alias " + name.name + ")";
    const string asked = meant.empty() ? name.ToString() : alias->second.ToString();
    Fault(at, absl::StrCat("the source has no table ", asked, meant, DidYouMean(asked, known)));
    return;
  }
  if (FindSource(name).valid()) return;
  for (const Source& other : sources) {
    if (other.alias != name.name) continue;
    Fault(at, absl::StrFormat(
                  "%s and %s would both be %s in the mapping's SQL: give one of them another name "
                  "there, as in aliases: {%s_%s: %s}, and write that name wherever it is meant",
                  other.table->Display(), table->Display(), name.name, table->schema, table->name,
                  table->Display()));
    return;
  }
  Source source{.table = table, .alias = name.name, .key = SourceKey(*table), .at = at};
  if (table->kind != 'r' && table->kind != 'p') {
    Fault(at, absl::StrFormat("%s is not a table; only tables can be captured", table->Display()));
  } else if (table->kind == 'p' && table->root_oid != 0 &&
             input.source->FindOid(table->root_oid) == nullptr) {
    Fault(at, absl::StrFormat("%s is a partitioned table within another: map the outermost one, "
                              "with a where for these rows, or each of its partitions",
                              table->Display()));
  } else if (source.key.empty() && !KeyOf(*table, Keys::kDeferrableToo).empty()) {
    Fault(at, absl::StrFormat("%s has a deferrable key only: while a transaction is under way two "
                              "rows may have it, and can't be told apart. Make it NOT DEFERRABLE, "
                              "or add a unique index over NOT NULL columns",
                              table->Display()));
  } else if (source.key.empty()) {
    Fault(at, absl::StrFormat("%s has no primary key and no unique NOT NULL key: its updates and "
                              "deletes can't be told apart. Add a primary key, or a unique index "
                              "over NOT NULL columns with ALTER TABLE %s REPLICA IDENTITY USING "
                              "INDEX",
                              table->Display(), table->Quoted()));
  }
  source.used.insert(source.key.begin(), source.key.end());
  sources.push_back(std::move(source));
}

string Compilation::SearchPath() const {
  const vector<string>& schemas = input.stream->target_schemas;
  return schemas.empty() ? "pg_catalog" : JoinQuoted(schemas);
}

bool Compilation::Ignored(const catalog::Table& table, const string& column) const {
  return std::ranges::any_of(direction.ignore, [&](const string& entry) {
    return entry == table.name + "." + column || entry == table.Display() + "." + column;
  });
}

}  // namespace switchyard::mapping
