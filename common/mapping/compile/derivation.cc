#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/compile/compilation.h"
#include "common/mapping/derive/derive.h"
#include "common/mapping/sql_analysis.h"

namespace switchyard::mapping {
namespace {

using std::string;
using std::vector;

class RuleDeriver {
 public:
  RuleDeriver(Compilation& compilation, Draft& draft) : compilation_(compilation), draft_(draft) {}

  absl::Status Run() {
    const absl::StatusOr<string> select = compilation_.probe.Definition(draft_.select);
    if (!select.ok() && !absl::IsInvalidArgument(select.status())) return select.status();
    if (!select.ok()) return absl::OkStatus();  // a fault of its own, where it is held against NEW
    ASSIGN_OR_RETURN(const derive::Facts facts, GatherFacts(*select));
    vector<derive::ColumnFacts> scope;
    for (const string& name : draft_.scope) {
      const catalog::Column* column = draft_.target->FindColumn(name);
      if (column == nullptr || std::ranges::count(draft_.columns, name) == 0) {
        return absl::OkStatus();  // a fault already
      }
      scope.push_back(FactsOf(*column));
    }
    const absl::StatusOr<derive::Derivation> derived = derive::Derive(*select, scope, facts);
    for (const spec::TableName& table : draft_.unlisted) {
      if (!derived.ok()) {
        Refuse({.schema = table.schema,
                .table = table.name,
                .why = string(derived.status().message())});
      } else {
        RETURN_IF_ERROR(Take(table, *derived));
      }
    }
    if (!derived.ok()) return absl::OkStatus();
    JudgeDeclared(*derived);
    for (const auto* sentences : {&derived->ties, &derived->nulls}) {
      for (const string& each : *sentences) compilation_.Warn(*draft_.spec, "select", each);
    }
    return absl::OkStatus();
  }

 private:
  static derive::ColumnFacts FactsOf(const catalog::Column& column) {
    // Collations of Postgres' own are deterministic; those that users make need not be.
    const bool own = column.collation.empty() || column.collation.starts_with("pg_catalog.") ||
                     column.collation.starts_with("\"pg_catalog\".");
    return {.name = column.name,
            .type = column.type,
            .not_null = column.not_null,
            .deterministic = own};
  }

  // What rows can't share, whatever their columns hold.
  static vector<vector<string>> UniqueOf(const catalog::Table& table) {
    vector<vector<string>> unique;
    for (const catalog::UniqueIndex& index : table.unique_indexes) {
      const bool whole = !index.partial && !index.columns.empty() &&
                         std::ranges::all_of(index.columns, [&](const string& name) {
                           const catalog::Column* column = table.FindColumn(name);
                           return column != nullptr && column->not_null;
                         });
      if (whole) unique.push_back(index.columns);
    }
    return unique;
  }

  static derive::TableFacts FactsOf(const catalog::Table& table) {
    derive::TableFacts facts{.key = table.primary_key};
    for (const catalog::Column& column : table.columns) facts.columns.push_back(FactsOf(column));
    facts.unique = UniqueOf(table);
    return facts;
  }

  absl::StatusOr<derive::Facts> GatherFacts(const string& select) {
    derive::Facts facts;
    for (const Source& source : compilation_.sources)
      facts.old_tables[source.alias] = FactsOf(*source.table);
    for (const spec::TableName& table : draft_.spec->static_tables) {
      if (table.schema.empty()) facts.old_tables[table.name].fixed = true;
    }
    for (const spec::TableName& table : draft_.spec->reads) {
      if (!table.schema.empty()) RETURN_IF_ERROR(AddTarget(table, &facts));
    }
    ASSIGN_OR_RETURN(const std::set<string> names, derive::FunctionsCalled(select));
    ASSIGN_OR_RETURN(const auto functions, compilation_.probe.FunctionsNamed(names));
    for (const auto& [name, called] : functions) {
      facts.functions[name] = {.aggregate = called.aggregate,
                               .returns_set = called.returns_set,
                               .strict = called.strict,
                               .result = called.result};
    }
    ASSIGN_OR_RETURN(facts.strict_operators, compilation_.probe.StrictOperators());
    for (const spec::IdMapRule& rule : compilation_.written.id_maps) {
      // An old id that is given is no function of the row.
      if (rule.gives_old) continue;
      facts.ids.push_back({.kind = rule.kind, .table = rule.table.name, .old_id = rule.old_id});
    }
    return facts;
  }

  // A table of NEW: one that a mapping fills, or a look-up that never changes.
  absl::Status AddTarget(const spec::TableName& table, derive::Facts* facts) {
    derive::TableFacts& out = facts->new_tables[table.schema + "." + table.name];
    const bool filled = std::ranges::count(compilation_.drafts, table.schema + "." + table.name,
                                           &Draft::display) > 0;
    out.fixed = !filled;
    for (const Draft& draft : compilation_.drafts) {
      const bool same = draft.display == table.schema + "." + table.name;
      if (same && draft.target != nullptr) out.unique = UniqueOf(*draft.target);
    }
    ASSIGN_OR_RETURN(const auto columns,
                     compilation_.probe.ColumnsOfTable(QuoteQualified(table.schema, table.name)));
    for (const Probe::ReadColumn& column : columns) {
      out.columns.push_back({.name = column.name,
                             .type = column.type,
                             .not_null = column.not_null,
                             .deterministic = column.deterministic});
      if (column.in_key) out.key.push_back(column.name);
    }
    return absl::OkStatus();
  }

  absl::Status Take(const spec::TableName& table, const derive::Derivation& derived) {
    for (const derive::Underivable& each : derived.refused) {
      if (each.schema != table.schema || each.table != table.name) continue;
      Refuse(each);
      return absl::OkStatus();
    }
    for (const derive::DerivedRule& each : derived.rules) {
      if (each.schema != table.schema || each.table != table.name) continue;
      const spec::FromRule rule{.table = table, .touches = each.touches, .at = draft_.spec->at};
      const absl::Status plans = compilation_.probe.Plans(TouchSelect(draft_, rule));
      if (!plans.ok() && !absl::IsInvalidArgument(plans)) return plans;
      if (!plans.ok()) {
        Refuse({.schema = table.schema,
                .table = table.name,
                .why = absl::StrCat("Postgres refuses what was derived (", plans.message(), ")")});
        return absl::OkStatus();
      }
      draft_.from.push_back(rule);
      AddIndexes(each.wishes);
      return absl::OkStatus();
    }
    Refuse({.schema = table.schema,
            .table = table.name,
            .why = "it stands where no changed row of it can be followed"});
    return absl::OkStatus();
  }

  void Refuse(const derive::Underivable& refused) {
    const string table = spec::TableName{refused.schema, refused.table}.ToString();
    using Form = derive::RuleLimit::Form;
    const string scope = absl::StrJoin(draft_.scope, ", ");
    string next;
    switch (refused.limit.form) {
      case Form::kNone:
        next = NoRule(table, refused.limit);
        break;
      case Form::kByQuery:
        next = absl::StrFormat(
            "Take another scope, or say under from, by a query over the rows beside it, which "
            "values of %s a changed row of %s touches",
            scope, table);
        break;
      case Form::kAny:
        next = absl::StrFormat("Say under from which values of %s a changed row of %s touches",
                               scope, table);
        break;
    }
    compilation_.Fault(
        *draft_.spec, "select",
        absl::StrFormat("from of %s can't be derived: %s. %s", table, refused.why, next));
    draft_.failed = true;
  }

  static string NoRule(const string& table, const derive::RuleLimit& limit) {
    return absl::StrFormat(
        "No rule under from can name what a changed row of %s touches: %s; or select a constant "
        "and make that the scope, so that every change computes all of it again; or list %s under "
        "static if it never changes",
        table, limit.instead, table);
  }

  // Rules that people wrote, where the shape of the select leaves no room for them.
  void JudgeDeclared(const derive::Derivation& derived) {
    for (const spec::FromRule& rule : draft_.spec->from) {
      const auto refused = std::ranges::find_if(derived.refused, [&](const auto& each) {
        return each.schema == rule.table.schema && each.table == rule.table.name;
      });
      if (refused == derived.refused.end()) continue;
      const derive::RuleLimit& limit = refused->limit;
      const string table = rule.table.ToString();
      if (limit.form == derive::RuleLimit::Form::kNone) {
        compilation_.Fault(*draft_.spec, "select",
                           absl::StrCat(limit.why, ". ", NoRule(table, limit)));
      } else if (limit.form == derive::RuleLimit::Form::kByQuery && !ReadsTables(rule)) {
        compilation_.Fault(
            {.what = absl::StrCat("from.", table, " of ", draft_.spec->target.ToString()),
             .sql = rule.touches,
             .place = rule.place},
            0,
            absl::StrFormat("%s: what a changed row of %s says itself does not name all that it "
                            "touches. Take another scope, or write a query that finds the rows "
                            "beside it, SELECT ... FROM %s AS other WHERE ...",
                            limit.why, table, table));
      }
    }
  }

  static bool ReadsTables(const spec::FromRule& rule) {
    if (LooksLikeQuery(rule.touches)) {
      const auto shape = AnalyzeSelect(rule.touches);
      return !shape.ok() || !shape->relations.empty();
    }
    const auto shape = AnalyzeExpression(rule.touches);
    return !shape.ok() || !shape->relations.empty();
  }

  // What the look-ups of the rules, and the recompute, find rows of mirrors by.
  void AddIndexes(const std::set<derive::IndexWish>& wishes) {
    for (const derive::IndexWish& wish : wishes) {
      for (Source& source : compilation_.sources) {
        const bool is_key = source.key.size() == 1 && (source.key[0] == wish.sql ||
                                                       QuoteIdentifier(source.key[0]) == wish.sql);
        if (!wish.schema.empty() || source.alias != wish.table || is_key) continue;
        if (compilation_.probe.CanIndex(source.alias, wish.sql)) source.index_sql.insert(wish.sql);
      }
    }
  }

  Compilation& compilation_;
  Draft& draft_;
};

}  // namespace

absl::Status DeriveRules(Compilation* compilation, Draft* draft) {
  const bool wanted = !draft->unlisted.empty() || !draft->spec->select.empty();
  if (!wanted || draft->failed || draft->blind || draft->target == nullptr) {
    return absl::OkStatus();
  }
  return RuleDeriver(*compilation, *draft).Run();
}

}  // namespace switchyard::mapping
