#include "common/mapping/sql_analysis.h"

#include <pg_query.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/strings.h"

namespace switchyard::mapping {
namespace {

using Json = nlohmann::json;

struct Facts : Calls {
  std::set<RelationRef> relations;
  std::set<std::string> columns;  // outside sub-selects
  std::set<std::string> cte_names;
  bool has_subquery = false;
};

absl::StatusOr<Json> Parse(const std::string& sql) {
  PgQueryParseResult parsed = pg_query_parse(sql.c_str());
  if (parsed.error != nullptr) {
    absl::Status status = absl::InvalidArgumentError(
        absl::StrCat(parsed.error->message, " (at character ", parsed.error->cursorpos, ")"));
    pg_query_free_parse_result(parsed);
    return status;
  }
  Json tree = Json::parse(parsed.parse_tree, nullptr, false);
  pg_query_free_parse_result(parsed);
  if (tree.is_discarded()) return absl::InternalError("the SQL parser returned no JSON");
  return tree;
}

// The same statement without comments, spacing or optional parentheses.
absl::StatusOr<std::string> Canonical(const std::string& sql) {
  PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(sql.c_str());
  if (parsed.error != nullptr) {
    absl::Status status = absl::InvalidArgumentError(parsed.error->message);
    pg_query_free_protobuf_parse_result(parsed);
    return status;
  }
  PgQueryDeparseResult deparsed = pg_query_deparse_protobuf(parsed.parse_tree);
  absl::StatusOr<std::string> text =
      deparsed.error != nullptr
          ? absl::StatusOr<std::string>(absl::InvalidArgumentError(deparsed.error->message))
          : absl::StatusOr<std::string>(std::string(deparsed.query));
  pg_query_free_deparse_result(deparsed);
  pg_query_free_protobuf_parse_result(parsed);
  return text;
}

absl::StatusOr<Json> ParseOneSelect(const std::string& sql) {
  ASSIGN_OR_RETURN(Json tree, Parse(sql));
  const Json& statements = tree["stmts"];
  if (!statements.is_array() || statements.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("expected one SELECT, found ",
                                                   statements.is_array() ? statements.size() : 0,
                                                   " statements"));
  }
  Json& statement = tree["stmts"][0]["stmt"];
  if (!statement.contains("SelectStmt")) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a SELECT, found ", statement.begin().key()));
  }
  return std::move(statement["SelectStmt"]);
}

std::string Text(const Json& node, const char* key) {
  const auto it = node.find(key);
  return it != node.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// {"String":{"sval":"x"}} -> x; "" for A_Star and the like.
std::string NamePart(const Json& node) {
  const auto it = node.find("String");
  return it == node.end() ? std::string() : Text(*it, "sval");
}

size_t Location(const Json& node) {
  const auto it = node.find("location");
  return it == node.end() ? 0 : it->get<size_t>();
}

// Where in the statement a node stands.
struct Standing {
  bool in_subquery = false;
  bool in_time_cast = false;
};

void Collect(const Json& node, Standing standing, Facts* facts);

// Keeps the first place a name stands at; the tree is not walked in the order of the text.
template <typename Name>
void AddName(Name name, std::set<Name>* names) {
  const auto [it, is_new] = names->insert(name);
  if (is_new || it->offset <= name.offset) return;
  names->erase(it);
  names->insert(std::move(name));
}

bool IsTimeCast(const Json& cast) {
  static const std::set<std::string> kTypes = {"date", "time", "timetz", "timestamp",
                                               "timestamptz"};
  const auto type = cast.find("typeName");
  return type != cast.end() && type->contains("names") &&
         kTypes.contains(NamePart((*type)["names"].back()));
}

void CollectTimeWords(const Json& constant, bool cast, Facts* facts) {
  static const std::set<std::string> kWords = {"now", "today", "tomorrow", "yesterday"};
  const auto text = constant.find("sval");
  if (text == constant.end()) return;
  std::string word;
  for (const char c : Text(*text, "sval") + " ") {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      continue;
    }
    if (kWords.contains(word)) {
      facts->time_words.push_back({.word = word, .offset = Location(constant), .cast = cast});
    }
    word.clear();
  }
}

void CollectNode(const std::string& kind, const Json& body, Standing standing, Facts* facts) {
  if (kind == "RangeVar") {
    AddName(RelationRef{{Text(body, "schemaname"), Text(body, "relname"), Location(body)}},
            &facts->relations);
  } else if (kind == "FuncCall") {
    const Json& name = body["funcname"];
    FunctionRef function{{.name = NamePart(name.back()), .offset = Location(body)}};
    if (name.size() > 1) function.schema = NamePart(name[name.size() - 2]);
    AddName(std::move(function), &facts->functions);
  } else if (kind == "A_Expr") {
    const auto name = body.find("name");
    if (name != body.end() && name->size() > 1) {
      facts->qualified_operators.insert(NamePart(name->back()));
    }
  } else if (kind == "A_Indirection") {
    // (row).* is every column, as row.* is.
    const bool star = std::ranges::any_of(body["indirection"],
                                          [](const Json& step) { return step.contains("A_Star"); });
    if (star && !standing.in_subquery) facts->columns.insert("");
  } else if (kind == "SQLValueFunction") {
    facts->value_functions.insert(Text(body, "op"));
  } else if (kind == "ColumnRef" && !standing.in_subquery) {
    if (body.contains("fields")) facts->columns.insert(NamePart(body["fields"].back()));
  } else if (kind == "CommonTableExpr") {
    facts->cte_names.insert(Text(body, "ctename"));
  } else if (kind == "SubLink" || kind == "RangeSubselect") {
    facts->has_subquery = true;
    standing.in_subquery = true;
  } else if (kind == "A_Const") {
    CollectTimeWords(body, standing.in_time_cast, facts);
  } else if (kind == "TypeCast") {
    standing.in_time_cast |= IsTimeCast(body);
  }
  Collect(body, standing, facts);
}

void Collect(const Json& node, Standing standing, Facts* facts) {
  if (node.is_array()) {
    for (const Json& item : node) Collect(item, standing, facts);
    return;
  }
  if (!node.is_object()) return;
  for (const auto& [key, value] : node.items()) CollectNode(key, value, standing, facts);
}

// A name is a CTE only where nothing qualifies it. Shadowing of a table by a CTE of an inner query
// is treated as a CTE everywhere, which `check` would show as a missing relation.
void DropCteNames(Facts* facts) {
  std::erase_if(facts->relations, [&](const RelationRef& relation) {
    return relation.schema.empty() && facts->cte_names.contains(relation.name);
  });
}

bool IsPlainSingleTable(const Json& select) {
  for (const char* clause : {"whereClause", "groupClause", "havingClause", "windowClause",
                             "distinctClause", "limitCount", "limitOffset", "withClause",
                             "valuesLists", "sortClause", "lockingClause", "larg"}) {
    if (select.contains(clause)) return false;
  }
  const auto from = select.find("fromClause");
  return from != select.end() && from->size() == 1 && from->front().contains("RangeVar");
}

bool HasOver(const Json& node) {
  if (node.is_array()) {
    for (const Json& item : node) {
      if (HasOver(item)) return true;
    }
    return false;
  }
  if (!node.is_object()) return false;
  if (node.contains("over")) return true;
  for (const auto& [key, value] : node.items()) {
    if (HasOver(value)) return true;
  }
  return false;
}

std::string PlainColumn(const Json& value) {
  const auto reference = value.find("ColumnRef");
  if (reference == value.end() || !reference->contains("fields")) return "";
  return NamePart((*reference)["fields"].back());
}

std::string Trimmed(std::string_view text) {
  while (!text.empty() && (std::isspace(static_cast<unsigned char>(text.back())) != 0)) {
    text.remove_suffix(1);
  }
  return std::string(text);
}

// "lower(b) AS \"C d\"" -> "lower(b)", given the alias the parser found.
std::string WithoutAlias(std::string text, const std::string& alias) {
  for (const std::string& suffix : {" AS " + alias, " AS " + QuoteIdentifier(alias)}) {
    if (text.size() > suffix.size() && text.ends_with(suffix)) {
      return Trimmed(std::string_view(text).substr(0, text.size() - suffix.size()));
    }
  }
  return text;
}

// Cuts the output expressions out of the canonical text; empty when any of them can't be.
std::vector<OutputColumn> Outputs(const std::string& canonical, const Json& select) {
  const Json& targets = select["targetList"];
  const size_t from = canonical.rfind(" FROM ", Location(select["fromClause"][0]["RangeVar"]));
  std::vector<OutputColumn> outputs;
  for (size_t i = 0; i < targets.size() && from != std::string::npos; ++i) {
    const Json& target = targets[i]["ResTarget"];
    const size_t begin = Location(target);
    size_t end = from;
    if (i + 1 < targets.size()) end = canonical.rfind(',', Location(targets[i + 1]["ResTarget"]));
    if (end == std::string::npos || end <= begin) return {};
    OutputColumn output{.name = Text(target, "name")};
    output.plain_column = PlainColumn(target["val"]);
    if (output.name.empty()) output.name = output.plain_column;
    output.sql = WithoutAlias(Trimmed(std::string_view(canonical).substr(begin, end - begin)),
                              Text(target, "name"));
    Facts facts;
    Collect(target["val"], {}, &facts);
    if (facts.columns.contains("")) return {};  // a star
    output.columns = std::move(facts.columns);
    if (!AnalyzeExpression(output.sql).ok()) return {};
    outputs.push_back(std::move(output));
  }
  return outputs;
}

// The same names, as they stand in a text that was wrapped for the parser.
template <typename Name>
std::set<Name> Shifted(const std::set<Name>& names, size_t by) {
  std::set<Name> shifted;
  for (Name name : names) {
    name.offset -= std::min(name.offset, by);
    shifted.insert(std::move(name));
  }
  return shifted;
}

// A TypeName, wherever it stands, that is one word.
bool IsTypeAmong(const Json& node, const std::set<std::string>& types) {
  const auto names = node.find("names");
  return node.contains("typemod") && names != node.end() && names->size() == 1 &&
         types.contains(NamePart((*names)[0]));
}

void CollectUnqualified(const Json& node, const UnqualifiedNames& names,
                        std::set<size_t>* offsets) {
  if (node.is_array()) {
    for (const Json& item : node) CollectUnqualified(item, names, offsets);
    return;
  }
  if (!node.is_object()) return;
  if (IsTypeAmong(node, names.types)) offsets->insert(Location(node));
  for (const auto& [key, value] : node.items()) {
    if (key == "RangeVar" && Text(value, "schemaname").empty() &&
        names.relations.contains(Text(value, "relname"))) {
      offsets->insert(Location(value));
    }
    CollectUnqualified(value, names, offsets);
  }
}

// Past a name as it is written, quoted or not.
size_t PastName(std::string_view text, size_t at) {
  if (at < text.size() && text[at] == '"') {
    for (++at; at < text.size(); ++at) {
      if (text[at] != '"') continue;
      if (at + 1 >= text.size() || text[at + 1] != '"') return at + 1;
      ++at;
    }
    return at;
  }
  const auto in_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  while (at < text.size() && in_name(text[at])) ++at;
  return at;
}

size_t PastSpace(std::string_view text, size_t at) {
  while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at])) != 0) ++at;
  return at;
}

// What stands up to `end` instead.
struct Edit {
  size_t end = 0;
  std::string text;
};

class RelationMover {
 public:
  RelationMover(std::string_view sql, const std::map<SqlName, std::string>& moved)
      : sql_(sql), moved_(moved) {}

  absl::StatusOr<std::string> Move() {
    ASSIGN_OR_RETURN(const Json tree, Parse(std::string(sql_)));
    Walk(tree);
    std::string text(sql_);
    for (auto edit = edits_.rbegin(); edit != edits_.rend(); ++edit) {
      text.replace(edit->first, edit->second.end - edit->first, edit->second.text);
    }
    return text;
  }

 private:
  void Walk(const Json& node) {
    if (node.is_array()) {
      for (const Json& item : node) Walk(item);
      return;
    }
    if (!node.is_object()) return;
    for (const auto& [key, value] : node.items()) {
      if (value.is_object() && value.contains("relname")) Relation(key, value);
      if (key == "ColumnRef") ColumnOf(value);
      Walk(value);
    }
  }

  void Relation(const std::string& key, const Json& relation) {
    const SqlName name{Text(relation, "schemaname"), Text(relation, "relname")};
    const auto to = moved_.find(name);
    if (to == moved_.end() || name.schema.empty()) return;
    const size_t begin = Location(relation);
    std::string text = "pg_temp." + QuoteIdentifier(to->second);
    const bool read = key == "RangeVar" && !AfterTable(begin);
    if ((read || key == "relation") && !relation.contains("alias")) {
      text += " AS " + QuoteIdentifier(name.name);
    }
    edits_[begin] = {PastBoth(begin), text};
  }

  // schema.table.column keeps its last two parts.
  void ColumnOf(const Json& column) {
    const auto fields = column.find("fields");
    if (fields == column.end() || fields->size() < 3) return;
    if (!moved_.contains(SqlName{NamePart((*fields)[0]), NamePart((*fields)[1])})) return;
    const size_t begin = Location(column);
    const size_t dot = PastSpace(sql_, PastName(sql_, begin));
    edits_[begin] = {PastSpace(sql_, dot + 1), ""};
  }

  // TABLE x takes no alias.
  bool AfterTable(size_t begin) const {
    std::string before = Trimmed(sql_.substr(0, begin));
    std::ranges::transform(before, before.begin(), [](unsigned char c) { return std::tolower(c); });
    return before.ends_with("table");
  }

  size_t PastBoth(size_t begin) const {
    const size_t dot = PastSpace(sql_, PastName(sql_, begin));
    return PastName(sql_, PastSpace(sql_, dot + 1));
  }

  const std::string_view sql_;
  const std::map<SqlName, std::string>& moved_;
  std::map<size_t, Edit> edits_;  // by place
};

}  // namespace

absl::StatusOr<std::string> MoveRelations(std::string_view sql,
                                          const std::map<SqlName, std::string>& moved) {
  return RelationMover(sql, moved).Move();
}

absl::StatusOr<std::string> QualifyNames(std::string_view sql, std::string_view schema,
                                         const UnqualifiedNames& names) {
  const bool query = LooksLikeQuery(sql);
  constexpr std::string_view kWrap = "SELECT ";
  std::string text = query ? std::string(sql) : absl::StrCat(Sv(kWrap), Sv(sql));
  ASSIGN_OR_RETURN(const Json select, ParseOneSelect(text));
  Facts facts;
  Collect(select, {}, &facts);
  UnqualifiedNames here = names;
  for (const std::string& cte : facts.cte_names) here.relations.erase(cte);
  std::set<size_t> offsets;
  CollectUnqualified(select, here, &offsets);
  const std::string prefix = QuoteIdentifier(schema) + ".";
  for (auto it = offsets.rbegin(); it != offsets.rend(); ++it) text.insert(*it, prefix);
  return query ? text : text.substr(kWrap.size());
}

bool LooksLikeQuery(std::string_view sql) {
  size_t begin = 0;
  while (begin < sql.size() &&
         (std::isspace(static_cast<unsigned char>(sql[begin])) != 0 || sql[begin] == '(')) {
    ++begin;
  }
  std::string word;
  while (begin < sql.size() && std::isalpha(static_cast<unsigned char>(sql[begin])) != 0) {
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(sql[begin++])));
  }
  return word == "select" || word == "with" || word == "values";
}

absl::StatusOr<SelectShape> AnalyzeSelect(std::string_view sql) {
  ASSIGN_OR_RETURN(const Json original, ParseOneSelect(std::string(sql)));
  Facts facts;
  Collect(original, {}, &facts);
  DropCteNames(&facts);
  SelectShape shape;
  shape.relations = facts.relations;
  shape.functions = std::move(facts.functions);
  shape.value_functions = std::move(facts.value_functions);
  shape.time_words = std::move(facts.time_words);
  shape.qualified_operators = std::move(facts.qualified_operators);
  shape.star = facts.columns.contains("");
  if (facts.has_subquery || !IsPlainSingleTable(original) || HasOver(original)) return shape;

  ASSIGN_OR_RETURN(const std::string canonical, Canonical(std::string(sql)));
  ASSIGN_OR_RETURN(Json select, ParseOneSelect(canonical));
  const Json& table = select["fromClause"][0]["RangeVar"];
  shape.table_alias =
      table.contains("alias") ? Text(table["alias"], "aliasname") : Text(table, "relname");
  shape.outputs = Outputs(canonical, select);
  shape.single_table = !shape.outputs.empty();
  return shape;
}

absl::StatusOr<ExpressionShape> AnalyzeExpression(std::string_view sql) {
  constexpr std::string_view kWrap = "SELECT (";
  const std::string wrapped = absl::StrCat(Sv(kWrap), Sv(sql), "\n)");
  ASSIGN_OR_RETURN(const Json select, ParseOneSelect(wrapped));
  const Json& targets = select["targetList"];
  if (select.contains("fromClause") || targets.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("\"", Sv(sql), "\" is not one expression"));
  }
  Facts facts;
  Collect(targets, {}, &facts);
  DropCteNames(&facts);
  ExpressionShape shape;
  shape.relations = Shifted(facts.relations, kWrap.size());
  shape.functions = Shifted(facts.functions, kWrap.size());
  shape.value_functions = std::move(facts.value_functions);
  shape.time_words = std::move(facts.time_words);
  for (TimeWord& word : shape.time_words) word.offset -= std::min(word.offset, kWrap.size());
  shape.qualified_operators = std::move(facts.qualified_operators);
  shape.columns = std::move(facts.columns);
  shape.has_subquery = facts.has_subquery;
  shape.plain_column = PlainColumn(targets[0]["ResTarget"]["val"]);
  return shape;
}

}  // namespace switchyard::mapping
