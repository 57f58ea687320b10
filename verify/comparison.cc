#include "verify/comparison.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/sql_text.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_pieces.h"

namespace switchyard::verify {
namespace {

using mapping::MappingPlan;
using mapping::SourcePlan;

constexpr uint32_t kCharOid = 18;  // "char": its text form changed with Postgres 16
constexpr uint32_t kTextOid = 25;
constexpr uint32_t kVarcharOid = 1043;

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::count(names, name) > 0;
}

// Of types that write neither letters of anybody's nor blanks beyond their own.
Form FormOf(uint32_t type_oid) {
  static const auto* const kPlain = new std::set<uint32_t>{
      16,   17,   18,   20,   21,   23,   26,   700,  701,  // bool, bytea, "char", numbers
      1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950,       // times, numeric, uuid
  };
  if (type_oid == kTextOid || type_oid == kVarcharOid) return Form::kText;
  return kPlain->contains(type_oid) ? Form::kPlain : Form::kRecord;
}

std::string WithoutChar(std::string value, uint32_t type_oid) {
  return type_oid == kCharOid ? absl::StrCat("(", value, ")::pg_catalog.int4") : value;
}

RowsSql::Column ColumnOf(const std::string& name, const std::string& value, uint32_t type_oid) {
  return {name, WithoutChar(value, type_oid), FormOf(type_oid)};
}

std::string ValueOf(const std::string& row, const std::string& column) {
  return absl::StrCat(row, ".", QuoteIdentifier(column));
}

bool IsText(const catalog::Column& column) {
  return column.type_oid == kTextOid || column.type_oid == kVarcharOid;
}

// Values of the two have one text.
bool AreAlike(const catalog::Column& from, const catalog::Column& to) {
  if (from.user_type || to.user_type) return false;
  return from.type == to.type || (IsText(from) && IsText(to));
}

class Builder {
 public:
  explicit Builder(const CompareInput& input) : input_(input), plan_(*input.plan) {}

  std::vector<Comparison> Build() const {
    std::vector<Comparison> all;
    for (const SourcePlan& source : plan_.sources) {
      if (source.mirrored) all.push_back(Mirror(source));
    }
    for (const MappingPlan& mapping : plan_.mappings) {
      all.push_back(mapping.row_local ? RowLocal(mapping) : Derived(mapping));
    }
    return all;
  }

 private:
  static std::string Display(const SourcePlan& source) { return source.schema + "." + source.name; }

  // Each leaf by itself: the role may read those, and what their common parent shows as well may
  // not be a part of it.
  std::string OldRows(const SourcePlan& source, const std::vector<std::string>& columns) const {
    std::vector<std::string> parts;
    for (const uint32_t id : source.relation_ids) {
      const catalog::Table* table = input_.source->FindOid(id);
      if (table != nullptr) parts.push_back(table->Quoted());
    }
    if (parts.empty()) parts.push_back(QuoteQualified(source.schema, source.name));
    if (parts.size() == 1) return absl::StrCat("FROM ONLY ", parts[0], " AS sy_t");
    const std::string names = absl::StrJoin(columns, ", ", [](std::string* out, const auto& name) {
      out->append(QuoteIdentifier(name));
    });
    for (std::string& part : parts) part = absl::StrCat("SELECT ", names, " FROM ONLY ", part);
    return absl::StrCat("FROM (", absl::StrJoin(parts, " UNION ALL "), ") AS sy_t");
  }

  Comparison OfSource(const SourcePlan& source) const {
    Comparison out{.sources = {Display(source)}, .relation_ids = source.relation_ids};
    const catalog::Table* table = input_.source->FindOid(source.relation_id);
    if (table != nullptr) out.rows_estimate = table->rows_estimate;
    return out;
  }

  Comparison Mirror(const SourcePlan& source) const {
    Comparison out = OfSource(source);
    out.kind = Kind::kMirror;
    out.table = source.mirror.display;
    out.target = source.mirror.target;
    out.actual.from = absl::StrCat("FROM ONLY ", source.mirror.target, " AS sy_t");
    out.expected.from = OldRows(source, source.mirror_columns);
    for (size_t i = 0; i < source.columns.size(); ++i) {
      const mapping::StageColumn& column = source.columns[i];
      if (!Contains(source.mirror_columns, column.name)) continue;
      if (std::ranges::count(source.key, static_cast<int>(i)) > 0) {
        out.expected.key.push_back(static_cast<int>(out.expected.columns.size()));
      }
      out.expected.columns.push_back(
          ColumnOf(column.name, ValueOf("sy_t", column.name), column.type_oid));
    }
    out.actual.columns = out.expected.columns;
    out.actual.key = out.expected.key;
    out.expected.in_utf8 = out.actual.in_utf8 = !input_.source_in_utf8;
    return out;
  }

  const catalog::Table* TargetOf(const MappingPlan& mapping) const {
    for (const catalog::Table& table : input_.target->tables) {
      if (table.Quoted() == mapping.target) return &table;
    }
    return nullptr;
  }

  static void AddActual(const MappingPlan& mapping, const std::vector<std::string>& columns,
                        const catalog::Table& target, Comparison* out) {
    out->table = mapping.display;
    out->owns = mapping.owns;
    out->target = mapping.target;
    out->reads = mapping.reads_sources;
    out->actual.from = absl::StrCat("FROM ", mapping.target, " AS sy_t");
    if (!mapping.owned.empty()) {
      absl::StrAppend(&out->actual.from, " WHERE (", mapping.owned, ")");
      out->actual.filtered = true;
    }
    for (const std::string& name : columns) {
      const catalog::Column* column = target.FindColumn(name);
      if (Contains(mapping.key, name)) {
        out->actual.key.push_back(static_cast<int>(out->actual.columns.size()));
      }
      out->actual.columns.push_back(
          ColumnOf(name, ValueOf("sy_t", name), column == nullptr ? 0 : column->type_oid));
    }
    out->expected.key = out->actual.key;
  }

  // The types of the target decide what a value's text is.
  void AddCasts(const MappingPlan& mapping, const std::string& row, const catalog::Table& target,
                Comparison* out) const {
    const auto types = input_.types->find(mapping.target);
    for (const RowsSql::Column& column : out->actual.columns) {
      std::string value = ValueOf(row, column.name);
      if (types != input_.types->end() && types->second.contains(column.name)) {
        value = absl::StrCat("CAST(", value, " AS ", types->second.at(column.name), ")");
      }
      const catalog::Column* known = target.FindColumn(column.name);
      out->expected.columns.push_back(
          ColumnOf(column.name, value, known == nullptr ? 0 : known->type_oid));
    }
  }

  // The source's columns that fill the target's, where all go over as they are.
  bool IsCopied(const SourcePlan& source, const MappingPlan& mapping,
                const catalog::Table& target) const {
    const catalog::Table* table = input_.source->FindOid(source.relation_id);
    if (mapping.write.copy_in.empty() || table == nullptr) return false;
    for (size_t i = 0; i < mapping.write.copy_columns.size(); ++i) {
      const int at = mapping.write.copy_columns[i];
      const catalog::Column* from = table->FindColumn(source.columns[static_cast<size_t>(at)].name);
      const catalog::Column* to = target.FindColumn(mapping.write.copy_targets[i]);
      if (from == nullptr || to == nullptr || !AreAlike(*from, *to)) return false;
    }
    return true;
  }

  Comparison RowLocal(const MappingPlan& mapping) const {
    const SourcePlan& source = plan_.sources[mapping.source];
    static const catalog::Table kNone;
    const catalog::Table* found = TargetOf(mapping);
    const catalog::Table& target = found == nullptr ? kNone : *found;
    Comparison out = OfSource(source);
    std::vector<std::string> names;
    if (IsCopied(source, mapping, target)) {
      out.kind = Kind::kCopied;
      AddActual(mapping, mapping.write.copy_targets, target, &out);
      for (size_t i = 0; i < mapping.write.copy_columns.size(); ++i) {
        const auto& column = source.columns[static_cast<size_t>(mapping.write.copy_columns[i])];
        names.push_back(column.name);
        // AddActual's form: text and varchar are one, all other types the same.
        out.expected.columns.push_back(
            ColumnOf(mapping.write.copy_targets[i], ValueOf("sy_t", column.name), column.type_oid));
      }
      out.expected.from = OldRows(source, names);
      out.expected.in_utf8 = out.actual.in_utf8 = !input_.source_in_utf8;
      return out;
    }
    out.kind = Kind::kComputed;
    AddActual(mapping, mapping.columns, target, &out);
    out.expected.from = absl::StrCat(
        "FROM (", ReplaceInSql(mapping.write.rows, "{load}", kSourceTable), ") AS sy_x");
    AddCasts(mapping, "sy_x", target, &out);
    AddLoad(source, &out);
    return out;
  }

  void AddLoad(const SourcePlan& source, Comparison* out) const {
    std::vector<std::string> names;
    std::vector<std::string> definitions;
    for (const mapping::StageColumn& column : source.columns) {
      names.push_back(column.name);
      definitions.push_back(absl::StrCat(QuoteIdentifier(column.name), " ", column.type));
    }
    out->load_table_ddl = absl::StrCat("CREATE TEMP TABLE sy_source (",
                                       absl::StrJoin(definitions, ", "), ") ON COMMIT DROP");
    out->load_from =
        absl::StrCat("SELECT ",
                     absl::StrJoin(names, ", ",
                                   [](std::string* sql, const std::string& name) {
                                     absl::StrAppend(sql, "sy_t.", QuoteIdentifier(name));
                                   }),
                     " ", OldRows(source, names));
  }

  static std::vector<std::string> Compared(const MappingPlan& mapping) {
    std::vector<std::string> columns;
    for (const std::string& column : mapping.columns) {
      if (!Contains(mapping.keyed.patch.lossy, column)) columns.push_back(column);
    }
    return columns;
  }

  // A patched table may have rows that its mapping never gave.
  static void LeaveOutOthers(const MappingPlan& mapping, Comparison* out) {
    absl::StrAppend(&out->actual.from, out->actual.filtered ? " AND" : " WHERE",
                    " EXISTS (SELECT FROM ", mapping.keyed.view, " AS sy_v WHERE ",
                    mapping::KeyEqual(mapping.key, mapping.operators, "sy_t", "sy_v"), ")");
    out->actual.filtered = true;
  }

  Comparison Derived(const MappingPlan& mapping) const {
    Comparison out{.kind = Kind::kDerived};
    static const catalog::Table kNone;
    const catalog::Table* found = TargetOf(mapping);
    const catalog::Table& target = found == nullptr ? kNone : *found;
    AddActual(mapping, Compared(mapping), target, &out);
    if (mapping.keyed.patch.on) LeaveOutOthers(mapping, &out);
    out.expected.from = absl::StrCat("FROM ", mapping.keyed.view, " AS sy_v");
    AddCasts(mapping, "sy_v", target, &out);
    out.rows_estimate = target.rows_estimate;
    for (const SourcePlan& source : plan_.sources) {
      if (Contains(mapping.reads_sources, Display(source))) out.sources.push_back(Display(source));
    }
    return out;
  }

  const CompareInput& input_;
  const mapping::Plan& plan_;
};

bool IsNamed(const std::string& display, const std::string& name) {
  return display == name || absl::EndsWith(display, "." + name);
}

}  // namespace

std::vector<Comparison> ComparisonsOf(const CompareInput& input) { return Builder(input).Build(); }

std::vector<Comparison> ComparisonsOfTable(const std::vector<Comparison>& all,
                                           const std::string& table) {
  std::set<size_t> wanted;
  for (size_t i = 0; i < all.size(); ++i) {
    const bool mirrors = all[i].kind == Kind::kMirror && IsNamed(all[i].sources[0], table);
    if (mirrors || IsNamed(all[i].table, table)) wanted.insert(i);
  }
  // What one reads stands before it.
  for (size_t i = all.size(); i-- > 0;) {
    if (!wanted.contains(i) || all[i].kind != Kind::kDerived) continue;
    for (size_t other = 0; other < i; ++other) {
      const bool mirror = all[other].kind == Kind::kMirror;
      if (Contains(all[i].reads, mirror ? all[other].sources[0] : all[other].table)) {
        wanted.insert(other);
      }
    }
  }
  std::vector<Comparison> chosen;
  for (const size_t i : wanted) chosen.push_back(all[i]);
  return chosen;
}

std::vector<std::string> LeftOut(const CompareInput& input) {
  std::vector<std::string> lines;
  if (!input.plan->unread_columns.empty()) {
    lines.push_back("columns no mapping reads: " + absl::StrJoin(input.plan->unread_columns, ", "));
  }
  if (!input.plan->ignored.empty()) {
    lines.push_back("under ignore: " + absl::StrJoin(input.plan->ignored, ", "));
  }
  for (const MappingPlan& mapping : input.plan->mappings) {
    if (!mapping.owns.empty()) {
      lines.push_back(absl::StrCat("rows of ", mapping.display, " outside: ", mapping.owns));
    }
    if (!mapping.keyed.patch.on) continue;
    lines.push_back("rows of " + mapping.display + " that its mapping does not give (mode: patch)");
    if (mapping.keyed.patch.lossy.empty()) continue;
    lines.push_back(absl::StrCat("lossy columns of ", mapping.display, ": ",
                                 absl::StrJoin(mapping.keyed.patch.lossy, ", ")));
  }
  for (const catalog::Table& table : input.target->tables) {
    std::vector<std::string> unfilled;
    for (const catalog::Column& column : table.columns) {
      const bool filled =
          std::ranges::any_of(input.plan->mappings, [&](const MappingPlan& mapping) {
            return mapping.target == table.Quoted() && Contains(mapping.columns, column.name);
          });
      if (!filled) unfilled.push_back(column.name);
    }
    if (unfilled.empty() || unfilled.size() == table.columns.size()) continue;
    lines.push_back(absl::StrCat("columns of ", table.Display(),
                                 " no mapping fills: ", absl::StrJoin(unfilled, ", ")));
  }
  return lines;
}

}  // namespace switchyard::verify
