#include "common/spec/direction_section.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "common/spec/sql_syntax.h"
#include "common/spec/text_file.h"
#include "common/spec/values.h"

namespace switchyard::spec {
namespace {

constexpr size_t kSelectBytesMax = size_t{1} << 20;

void ReadSet(Reader& in, const Node& node, Mapping* out) {
  in.Entries(node, "set", [&](const Node& key, const Node& value) {
    std::string column;
    std::string sql;
    const bool named = in.Identifier(key, "a column of set", &column);
    const std::string what = absl::StrCat("set.", key.text);
    if (in.Expression(value, what, &sql) && named) {
      out->places[what] = in.PlaceOf(value);
      out->set.emplace_back(std::move(column), std::move(sql));
    }
  });
}

void ReadRename(Reader& in, const Node& node, Mapping* out) {
  in.Entries(node, "rename", [&](const Node& key, const Node& value) {
    std::string from;
    std::string to;
    const bool named = in.Identifier(key, "a column of rename", &from);
    const std::string what = absl::StrCat("rename.", key.text);
    if (in.Identifier(value, what, &to) && named) {
      out->places[what] = in.PlaceOf(key);
      out->rename.emplace_back(std::move(from), std::move(to));
    }
  });
}

void ReadNames(Reader& in, const Node& node, std::string_view what, std::vector<std::string>* out,
               std::map<std::string, Place>* places) {
  in.List(node, what, [&](const Node& item) {
    std::string name;
    if (!in.Identifier(item, absl::StrCat("an entry of ", Sv(what)), &name)) return;
    if (std::find(out->begin(), out->end(), name) != out->end()) {
      return in.AddFault(item, absl::StrCat("\"", name, "\" stands in ", Sv(what), " twice"));
    }
    (*places)[absl::StrCat(Sv(what), ".", name)] = in.PlaceOf(item);
    out->push_back(std::move(name));
  });
}

void ReadFrom(Reader& in, const Node& node, std::vector<FromRule>* out) {
  in.Entries(node, "from", [&](const Node& key, const Node& value) {
    FromRule rule;
    rule.at = in.At(key);
    rule.place = in.PlaceOf(value);
    const bool named = in.Table(key, "a table of from", &rule.table);
    if (in.ExpressionOrQuery(value, absl::StrCat("from.", key.text), &rule.touches) && named) {
      out->push_back(std::move(rule));
    }
  });
}

void ReadStatic(Reader& in, const Node& node, Mapping* out) {
  in.List(node, "static", [&](const Node& item) {
    TableName table;
    if (!in.Table(item, "an entry of static", &table)) return;
    out->places["static." + table.ToString()] = in.PlaceOf(item);
    out->static_tables.push_back(std::move(table));
  });
}

void ReadSelectFile(Reader& in, const Node& node, const std::string& path, Mapping* out) {
  const std::optional<std::string> sql = in.SqlFile(node, "select", path, kSelectBytesMax);
  if (!sql.has_value()) return;
  out->select_path = path;
  if (const std::optional<SqlProblem> problem = CheckQuery(*sql)) {
    return in.AddFaultIn(path, PositionOf(*sql, problem->offset), problem->message);
  }
  out->select = WithoutSemicolon(*sql);
  Place& place = out->places["select"];
  place = {.file = path, .anchors = {{.offset = 0, .at = {1, 1}}}};
  for (size_t i = 1; i < sql->size(); ++i) {
    if ((*sql)[i - 1] != '\n') continue;
    place.anchors.push_back({.offset = i, .at = {place.anchors.back().at.line + 1, 1}});
  }
}

void ReadSelect(Reader& in, const Node& node, const std::string& folder, Mapping* out) {
  const bool is_path = node.kind == Node::Kind::kScalar && absl::EndsWith(node.text, ".sql") &&
                       !absl::StrContains(node.text, "\n");
  if (is_path) return ReadSelectFile(in, node, ResolvePath(folder, node.text), out);
  if (node.kind == Node::Kind::kScalar && !StartsQuery(node.text)) {
    return in.AddFault(node,
                       "select must be a file ending in .sql, or SQL that begins with "
                       "SELECT or WITH");
  }
  if (in.Query(node, "select", &out->select)) out->places["select"] = in.PlaceOf(node);
}

// One of two words.
template <typename T>
void ReadWord(Reader& in, const Node& node, std::string_view what,
              const std::array<std::pair<std::string_view, T>, 2>& words, T* out) {
  std::string word;
  if (!in.String(node, what, &word)) return;
  for (const auto& [name, value] : words) {
    if (word != name) continue;
    *out = value;
    return;
  }
  in.AddFault(node, absl::StrCat(Sv(what), " is \"", word, "\"; it must be ", Sv(words[0].first),
                                 " or ", Sv(words[1].first)));
}

void ReadMode(Reader& in, const Node& node, Mapping* out) {
  out->places["mode"] = in.PlaceOf(node);
  ReadWord<MappingMode>(in, node, "mode",
                        {{{"derive", MappingMode::kDerive}, {"patch", MappingMode::kPatch}}},
                        &out->mode);
}

// What goes with `mode: patch`, and what has to be said with it.
void CheckMode(Reader& in, const PresentKeys& present, const Mapping& mapping) {
  static constexpr std::array<std::string_view, 2> kPatchOnly = {"vanish", "lossy"};
  if (mapping.mode == MappingMode::kPatch) {
    if (present.Has("vanish") || present.Meant("vanish")) return;
    return in.AddFault(*present.Find("mode"),
                       "mode: patch needs vanish: delete or vanish: leave, what becomes of the "
                       "table's row whose source row went");
  }
  for (const std::string_view key : kPatchOnly) {
    if (const Node* at = present.Find(key)) {
      in.AddFault(*at, absl::StrCat(Sv(key), " goes with mode: patch only"));
    }
  }
}

// Which keys go together.
void CheckForm(Reader& in, const Node& node, const PresentKeys& present) {
  static constexpr std::array<std::string_view, 4> kCopyOnly = {"set", "rename", "drop", "where"};
  static constexpr std::array<std::string_view, 3> kSelectOnly = {"from", "scope", "static"};
  const bool copy = present.Has("copy");
  const bool select = present.Has("select");
  if (copy && select) {
    return in.AddFault(*present.Find("select"),
                       "copy and select stand in one mapping; it must be one of them");
  }
  if (!copy && !select) {
    if (present.Meant("copy") || present.Meant("select")) return;
    return in.AddFault(node,
                       "a mapping needs copy (columns by name from one table) or select "
                       "(a query)");
  }
  if (select) {
    for (const std::string_view key : kCopyOnly) {
      if (const Node* at = present.Find(key)) {
        in.AddFault(*at, absl::StrCat(Sv(key),
                                      " goes with copy only; the query of a select says "
                                      "the same itself"));
      }
    }
    return;
  }
  for (const std::string_view key : kSelectOnly) {
    if (const Node* at = present.Find(key)) {
      in.AddFault(*at, absl::StrCat(Sv(key), " goes with select only"));
    }
  }
}

// No column of NEW may be filled twice, no column of OLD used and dropped.
void CheckColumns(Reader& in, const PresentKeys& present, const Mapping& mapping) {
  std::set<std::string> filled;
  for (const auto& [old_column, new_column] : mapping.rename) {
    if (!filled.insert(new_column).second) {
      in.AddFault(*present.Find("rename"),
                  absl::StrCat("two columns are renamed to \"", new_column, "\""));
    }
    if (std::find(mapping.drop.begin(), mapping.drop.end(), old_column) != mapping.drop.end()) {
      in.AddFault(*present.Find("drop"),
                  absl::StrCat("column \"", old_column, "\" is renamed and dropped"));
    }
  }
  for (const auto& [column, sql] : mapping.set) {
    if (filled.contains(column)) {
      in.AddFault(*present.Find("set"),
                  absl::StrCat("column \"", column, "\" is filled by set and by rename"));
    }
  }
}

Mapping ReadMapping(Reader& in, const Node& node, const std::string& folder) {
  Mapping mapping;
  mapping.at = in.At(node);
  const PresentKeys present = in.Map(
      node, "a mapping",
      {{"table",
        [&](const Node& n) {
          mapping.places["table"] = in.PlaceOf(n);
          if (!in.Table(n, "table", &mapping.target) || !mapping.target.schema.empty()) return;
          in.AddFault(n, absl::StrCat("table ", mapping.target.ToString(),
                                      " has no schema; the tables a mapping fills are always "
                                      "qualified, as in public.",
                                      mapping.target.ToString()));
        },
        kRequired},
       {"copy",
        [&](const Node& n) {
          mapping.places["copy"] = in.PlaceOf(n);
          in.Table(n, "copy", &mapping.copy.emplace());
        }},
       {"set", [&](const Node& n) { ReadSet(in, n, &mapping); }},
       {"rename", [&](const Node& n) { ReadRename(in, n, &mapping); }},
       {"drop", [&](const Node& n) { ReadNames(in, n, "drop", &mapping.drop, &mapping.places); }},
       {"where",
        [&](const Node& n) {
          mapping.places["where"] = in.PlaceOf(n);
          in.Expression(n, "where", &mapping.where);
        }},
       {"select", [&](const Node& n) { ReadSelect(in, n, folder, &mapping); }},
       {"from", [&](const Node& n) { ReadFrom(in, n, &mapping.from); }},
       {"scope",
        [&](const Node& n) { ReadNames(in, n, "scope", &mapping.scope, &mapping.places); }},
       {"static", [&](const Node& n) { ReadStatic(in, n, &mapping); }},
       {"owns",
        [&](const Node& n) {
          mapping.places["owns"] = in.PlaceOf(n);
          in.Expression(n, "owns", &mapping.owns);
        }},
       {"mode", [&](const Node& n) { ReadMode(in, n, &mapping); }},
       {"vanish",
        [&](const Node& n) {
          ReadWord<Vanished>(in, n, "vanish",
                             {{{"delete", Vanished::kDelete}, {"leave", Vanished::kLeave}}},
                             &mapping.vanished);
        }},
       {"lossy",
        [&](const Node& n) { ReadNames(in, n, "lossy", &mapping.lossy, &mapping.places); }}});
  if (node.kind == Node::Kind::kMap) {
    CheckForm(in, node, present);
    CheckMode(in, present, mapping);
  }
  CheckColumns(in, present, mapping);
  for (const auto& [schema, table] : TablesIn(mapping.select)) {
    mapping.reads.push_back({.schema = schema, .name = table});
  }
  return mapping;
}

void ReadMappings(Reader& in, const Node& node, const std::string& name, const std::string& folder,
                  std::vector<Mapping>* out) {
  if (node.kind != Node::Kind::kList) {
    return in.AddFault(node,
                       name + " must be a list of mappings, each beginning with \"- table:\"");
  }
  if (node.values.empty()) in.AddFault(node, name + " holds no mapping");
  for (const Node& item : node.values) {
    Mapping mapping = ReadMapping(in, item, folder);
    const auto other = std::find_if(out->begin(), out->end(), [&](const Mapping& m) {
      return m.target == mapping.target && !m.target.name.empty();
    });
    if (other != out->end() && (other->owns.empty() || mapping.owns.empty())) {
      in.AddFault(item, absl::StrFormat(
                            "table %s is filled by the mapping on line %d too; give each of them "
                            "an owns condition that says which rows are its own",
                            mapping.target.ToString(), other->at.line));
    } else if (other != out->end() &&
               (mapping.mode == MappingMode::kPatch || other->mode == MappingMode::kPatch)) {
      in.AddFault(item, absl::StrFormat("table %s is filled by the mapping on line %d too; a table "
                                        "with mode: patch has one mapping",
                                        mapping.target.ToString(), other->at.line));
    }
    out->push_back(std::move(mapping));
  }
}

void ReadIds(Reader& in, const Node& node, bool gives_old, std::vector<IdMapRule>* out) {
  in.List(node, "ids", [&](const Node& item) {
    IdMapRule rule{.gives_old = gives_old};
    rule.at = in.At(item);
    in.Map(item, "an entry of ids",
           {{"kind", [&](const Node& n) { in.Identifier(n, "kind", &rule.kind); }, kRequired},
            {"table", [&](const Node& n) { in.Table(n, "table", &rule.table); }, kRequired},
            {"old_id",
             [&](const Node& n) {
               rule.old_place = in.PlaceOf(n);
               in.Expression(n, "old_id", &rule.old_id);
             },
             kRequired},
            {"new_id",
             [&](const Node& n) {
               rule.new_place = in.PlaceOf(n);
               in.Expression(n, "new_id", &rule.new_id);
             },
             kRequired},
            {"many", [&](const Node& n) { in.Bool(n, "many", &rule.many); }}});
    const auto same = std::find_if(out->begin(), out->end(), [&](const IdMapRule& other) {
      return other.kind == rule.kind && other.table == rule.table && !rule.kind.empty();
    });
    if (same != out->end()) {
      in.AddFault(item, absl::StrFormat("ids of kind \"%s\" for table %s are declared on line %d "
                                        "too",
                                        rule.kind, rule.table.ToString(), same->at.line));
    }
    out->push_back(std::move(rule));
  });
}

void ReadIgnore(Reader& in, const Node& node, std::vector<std::string>* out) {
  in.List(node, "ignore", [&](const Node& item) {
    std::string text;
    if (!in.String(item, "an entry of ignore", &text)) return;
    const std::optional<std::vector<std::string>> parts = ParseDottedName(text);
    if (!parts.has_value() || parts->size() > 3) {
      return in.AddFault(item, absl::StrCat("ignore: \"", text,
                                            "\" is neither a table nor "
                                            "table.column"));
    }
    if (std::find(out->begin(), out->end(), text) != out->end()) {
      return in.AddFault(item, absl::StrCat("\"", text, "\" stands in ignore twice"));
    }
    out->push_back(std::move(text));
  });
}

void ReadMirrorIndexes(Reader& in, const Node& node, Direction* out) {
  in.Entries(node, "mirror_indexes", [&](const Node& key, const Node& value) {
    TableName table;
    if (!in.Table(key, "a table of mirror_indexes", &table)) return;
    in.List(value, absl::StrCat("mirror_indexes.", key.text), [&](const Node& item) {
      std::string sql;
      if (in.Expression(item, "an entry of mirror_indexes", &sql)) {
        out->mirror_indexes.push_back(
            {.table = table, .sql = std::move(sql), .place = in.PlaceOf(item)});
      }
    });
  });
}

void ReadSensitive(Reader& in, const Node& node, std::vector<SensitiveColumn>* out) {
  in.Entries(node, "sensitive", [&](const Node& key, const Node& value) {
    TableName table;
    if (!in.Table(key, "a table of sensitive", &table)) return;
    in.List(value, absl::StrCat("sensitive.", key.text), [&](const Node& item) {
      SensitiveColumn column{.table = table, .at = in.At(item)};
      if (in.Identifier(item, "a column of sensitive", &column.column)) {
        out->push_back(std::move(column));
      }
    });
  });
}

}  // namespace

void ReadAliases(Reader& in, const Node& node, const std::string& name, Direction* out) {
  in.Entries(node, name, [&](const Node& key, const Node& value) {
    std::string alias;
    TableName table;
    const bool named = in.Identifier(key, "an alias", &alias);
    if (!in.Table(value, absl::StrCat(name, ".", key.text), &table) || !named) return;
    if (table.schema.empty()) {
      return in.AddFault(value, absl::StrCat(name, ".", key.text, " is \"", table.ToString(),
                                             "\"; an alias stands for a schema-qualified table"));
    }
    if (!out->aliases.emplace(alias, std::move(table)).second) {
      in.AddFault(key, absl::StrCat("alias \"", alias, "\" is declared twice"));
    }
  });
}

void ReadDirection(Reader& in, const Node& node, const std::string& name, const std::string& folder,
                   Direction* out) {
  if (node.kind != Node::Kind::kMap) {
    return ReadMappings(in, node, name, folder, &out->mappings);
  }
  const std::string tables = name + ".tables";
  in.Map(node, name,
         {{"tables", [&](const Node& n) { ReadMappings(in, n, tables, folder, &out->mappings); },
           kRequired},
          {"ids", [&](const Node& n) { ReadIds(in, n, name == "reverse", &out->id_maps); }},
          {"ignore", [&](const Node& n) { ReadIgnore(in, n, &out->ignore); }},
          {"sensitive", [&](const Node& n) { ReadSensitive(in, n, &out->sensitive); }},
          {"mirror_indexes", [&](const Node& n) { ReadMirrorIndexes(in, n, out); }},
          {"aliases", [&](const Node& n) { ReadAliases(in, n, name + ".aliases", out); }}});
}

}  // namespace switchyard::spec
