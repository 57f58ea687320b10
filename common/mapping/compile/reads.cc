#include <algorithm>
#include <optional>

#include "absl/strings/str_join.h"
#include "common/base/graph.h"
#include "common/base/strings.h"
#include "common/mapping/compile/compilation.h"
#include "common/mapping/sql_analysis.h"

namespace switchyard::mapping {

using std::string;
using std::vector;

namespace {

class ReadGatherer {
 public:
  explicit ReadGatherer(Compilation& compilation) : compilation_(compilation) {}

  absl::Status Run() {
    RETURN_IF_ERROR(GatherIdReads(&compilation_));
    for (Draft& draft : compilation_.drafts) RETURN_IF_ERROR(GatherReads(&draft));
    return absl::OkStatus();
  }

 private:
  absl::Status GatherReads(Draft* draft) {
    if (draft->row_local) {
      for (const Assignment& a : draft->assignments) {
        for (const string& column : compilation_.read_columns[{draft->spec, a.column}]) {
          Source& source = compilation_.sources[draft->source];
          if (source.table->FindColumn(column) != nullptr) source.used.insert(column);
        }
      }
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(NoteReads(draft->select, draft));
    for (const spec::FromRule& rule : draft->from) {
      RETURN_IF_ERROR(NoteReads(TouchSelect(*draft, rule), draft));
      ASSIGN_OR_RETURN(const bool key_only, ReadsKeyOnly(*draft, rule));
      draft->from_reads_key_only.push_back(key_only);
      NoteIndex(*draft, rule);
    }
    return absl::OkStatus();
  }

  // The rule is an expression over the identity of its source: no change of a row moves it.
  absl::StatusOr<bool> ReadsKeyOnly(const Draft& draft, const spec::FromRule& rule) {
    if (!rule.table.schema.empty() || LooksLikeQuery(rule.touches)) return false;
    ASSIGN_OR_RETURN(const Probe::Reads reads,
                     compilation_.probe.ReadsOf(TouchSelect(draft, rule)));
    for (const Source& source : compilation_.sources) {
      const auto it = reads.find(source.alias);
      if (source.alias != rule.table.name || it == reads.end()) continue;
      return reads.size() == 1 && std::ranges::all_of(it->second, [&](const string& column) {
               return std::ranges::count(source.key, column) > 0;
             });
    }
    return false;
  }

  absl::Status NoteReads(const string& sql, Draft* draft) {
    const absl::StatusOr<Probe::Reads> reads = compilation_.probe.ReadsOf(sql);
    if (!reads.ok()) return Annotate(reads.status(), draft->display);
    for (Source& source : compilation_.sources) {
      const auto it = reads->find(source.alias);
      const bool listed = std::ranges::any_of(draft->from, [&](const spec::FromRule& rule) {
        return rule.table.schema.empty() && rule.table.name == source.alias;
      });
      if (it == reads->end() && !listed) continue;
      source.mirrored = true;
      if (it == reads->end()) continue;
      source.mirror_used.insert(it->second.begin(), it->second.end());
      source.used.insert(it->second.begin(), it->second.end());
      draft->reads[source.alias].insert(it->second.begin(), it->second.end());
    }
    return absl::OkStatus();
  }

  // The restricted select looks rows up by what `from` says: that wants an index on the mirror,
  // where there can be one (a time as a text depends on settings, which the apply session fixes).
  void NoteIndex(const Draft& draft, const spec::FromRule& rule) {
    if (!rule.table.schema.empty() || LooksLikeQuery(rule.touches)) return;
    for (Source& source : compilation_.sources) {
      if (source.alias != rule.table.name) continue;
      const auto as = draft.compared_as.find(draft.scope[0]);
      const bool plain = draft.scope.size() > 1 || as == draft.compared_as.end();
      if (plain && source.key.size() == 1 && rule.touches == source.key[0]) return;
      if (!AnalyzeExpression(rule.touches).ok()) return;
      const string sql = plain ? rule.touches : absl::StrCat("(", rule.touches, "\n)", as->second);
      if (compilation_.probe.CanIndex(source.alias, sql)) source.index_sql.insert(sql);
    }
  }

  Compilation& compilation_;
};

}  // namespace

std::pair<string, string> TouchFrame(const spec::FromRule& rule) {
  const string rows =
      (rule.table.schema.empty() ? QuoteIdentifier(rule.table.name)
                                 : QuoteQualified(rule.table.schema, rule.table.name)) +
      " AS " + QuoteIdentifier(rule.table.name);
  if (!LooksLikeQuery(rule.touches)) return {"SELECT ", "\nFROM " + rows};
  return {"SELECT sy_q.* FROM " + rows + " CROSS JOIN LATERAL (", "\n) AS sy_q"};
}

string TouchSelect(const Draft& draft, const spec::FromRule& rule) {
  const auto [before, after] = TouchSelectFrame(draft, rule);
  return before + rule.touches + after;
}

std::pair<string, string> TouchSelectFrame(const Draft& draft, const spec::FromRule& rule) {
  const auto [before, after] = TouchFrame(rule);
  vector<string> names;
  for (size_t i = 0; i < draft.scope.size(); ++i) names.push_back("s" + std::to_string(i));
  return {"SELECT * FROM (" + before, after + "\n) AS sy_r(" + absl::StrJoin(names, ", ") + ")"};
}

void OrderMappings(Compilation* compilation) {
  vector<Draft>& drafts = compilation->drafts;
  vector<vector<int>> needs(drafts.size());
  for (size_t i = 0; i < drafts.size(); ++i) {
    for (size_t j = 0; j < drafts.size(); ++j) {
      if (drafts[i].reads_targets.contains(drafts[j].display)) {
        needs[i].push_back(static_cast<int>(j));
      }
    }
  }
  const std::optional<vector<int>> order = TopologicalOrder(needs);
  if (!order) {
    const vector<int> circle = FindCircle(needs);
    vector<string> names;
    for (const int i : circle) names.push_back(drafts[i].display);
    names.push_back(names.front());
    return compilation->Fault(
        *drafts[circle.front()].spec, "table",
        absl::StrCat("the mappings read each other's tables in a circle (",
                     absl::StrJoin(names, " reads "),
                     "); a table of NEW can only be derived from tables that come before it"));
  }
  vector<Draft> ordered;
  for (const int i : *order) ordered.push_back(std::move(drafts[i]));
  drafts = std::move(ordered);
}

absl::Status GatherReads(Compilation* compilation) { return ReadGatherer(*compilation).Run(); }

}  // namespace switchyard::mapping
