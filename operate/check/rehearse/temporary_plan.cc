#include "operate/check/rehearse/temporary_plan.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/records/id_map.h"

namespace switchyard::operate {

using mapping::MappingIndex;
using mapping::MappingPlan;
using mapping::SqlName;

namespace {

constexpr char kTemp[] = "pg_temp";

// Statements that are rehearsed, each replaced by what it is over temporary tables.
class Mover {
 public:
  explicit Mover(mapping::Plan plan) { out_.plan = std::move(plan); }

  absl::StatusOr<TemporaryPlan> Run() {
    NameTargets();
    for (MappingPlan& mapping : out_.plan.mappings) {
      RETURN_IF_ERROR(
          Annotate(mapping.row_local ? MoveRowLocal(&mapping.write) : MoveKeyed(&mapping.keyed),
                   mapping.display));
    }
    for (mapping::IdAllotment& ids : out_.plan.ids) {
      for (std::string* sql : {&ids.passed, &ids.changed, &ids.all}) RETURN_IF_ERROR(Move(sql));
    }
    for (const mapping::SourcePlan& source : out_.plan.sources) {
      for (const std::string& ddl : source.mirror_ddl) out_.tables.push_back(ddl);
    }
    return std::move(out_);
  }

 private:
  void NameTargets() {
    if (!out_.plan.ids.empty()) {
      const SqlName map{mapping::kProductSchema, records::kIdMapTable};
      out_.moved[map] = "sy_rehearsed_ids";
      out_.tables.push_back(absl::StrCat("CREATE TEMP TABLE sy_rehearsed_ids (LIKE ",
                                         QuoteQualified(map.schema, map.name), " INCLUDING ALL)"));
    }
    for (const MappingPlan& mapping : out_.plan.mappings) {
      const SqlName name = NameOf(mapping);
      auto [temp, is_new] =
          out_.moved.emplace(name, absl::StrCat("sy_rehearsed_", out_.targets.size()));
      out_.targets.push_back(temp->second);
      if (is_new) {
        out_.tables.push_back(absl::StrCat("CREATE TEMP TABLE ", QuoteIdentifier(temp->second),
                                           " (LIKE ", mapping.target, " INCLUDING GENERATED)"));
      }
    }
    for (const MappingIndex m : out_.plan.mapping_indices()) {
      if (out_.plan.mappings[m].row_local) continue;
      const std::string& view = out_.plan.mappings[m].keyed.view;  // "switchyard"."map_0_people"
      out_.moved[SqlName{mapping::kProductSchema, ViewName(view)}] =
          absl::StrCat("sy_rehearsed_view_", m.value());
    }
  }

  static SqlName NameOf(const MappingPlan& mapping) {
    const size_t dot = mapping.display.find('.');
    return {mapping.display.substr(0, dot), mapping.display.substr(dot + 1)};
  }

  static std::string ViewName(const std::string& quoted) {
    std::string name = quoted.substr(quoted.find('.') + 1);
    if (name.starts_with('"')) name = name.substr(1, name.size() - 2);
    std::string plain;
    for (size_t i = 0; i < name.size(); ++i) {
      plain += name[i];
      if (name[i] == '"') ++i;  // doubled
    }
    return plain;
  }

  absl::Status Move(std::string* sql) {
    if (sql->empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(*sql, mapping::MoveRelations(*sql, out_.moved));
    return absl::OkStatus();
  }

  absl::Status MoveAll(std::vector<std::string>* statements) {
    for (std::string& sql : *statements) RETURN_IF_ERROR(Move(&sql));
    return absl::OkStatus();
  }

  absl::Status MoveRowLocal(mapping::TableWrite* write) {
    for (std::string* sql :
         {&write->remove, &write->update, &write->missing_updated, &write->missing_changed,
          &write->missing_removed, &write->missing, &write->missing_rows, &write->update_absent,
          &write->move, &write->insert, &write->taken_table_ddl}) {
      RETURN_IF_ERROR(Move(sql));
    }
    return MoveAll(&write->take_out);
  }

  absl::Status MoveKeyed(mapping::KeyedPlan* keyed) {
    keyed->patch = {};  // a rule that misses a scope does so whatever is written of it
    for (mapping::TouchRule& rule : keyed->touches) {
      for (std::string* sql : {&rule.before, &rule.after, &rule.all}) RETURN_IF_ERROR(Move(sql));
    }
    for (std::string* sql :
         {&keyed->view_ddl, &keyed->touch_own, &keyed->compute, &keyed->held, &keyed->remember,
          &keyed->remove, &keyed->update, &keyed->insert, &keyed->populate}) {
      RETURN_IF_ERROR(Move(sql));
    }
    for (auto* statements : {&keyed->temp_ddl, &keyed->changes, &keyed->take_out}) {
      RETURN_IF_ERROR(MoveAll(statements));
    }
    out_.views.push_back(keyed->view_ddl);
    return absl::OkStatus();
  }

  TemporaryPlan out_;
};

}  // namespace

records::Stream RehearsalStream(records::Stream stream) {
  stream.mirror_schema = kTemp;
  stream.temporary_mark = "rehearsed_";
  return stream;
}

absl::StatusOr<TemporaryPlan> MoveIntoTemp(mapping::Plan plan) {
  return Mover(std::move(plan)).Run();
}

}  // namespace switchyard::operate
