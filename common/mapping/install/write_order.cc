#include "common/mapping/install/write_order.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/graph.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_builder.h"

namespace switchyard::mapping {
namespace {

using Needs = std::vector<std::vector<int>>;

std::string Described(const Reference& key) {
  return absl::StrCat("foreign key ", key.name, " (", key.child, " to ", key.parent, ")");
}

std::string AlterDeferrable(const Reference& key) {
  return absl::StrCat("ALTER TABLE ", key.child_quoted, " ALTER CONSTRAINT ",
                      QuoteIdentifier(key.name), " DEFERRABLE;");
}

std::string Grant(const TargetRules& rules) {
  return absl::StrCat("GRANT SET ON PARAMETER session_replication_role TO ", rules.role, ";");
}

// What makes the key one that can wait, or else silent.
std::string WayOut(const Reference& key, const TargetRules& rules) {
  if (key.on_delete == 'a' && key.on_update == 'a') {
    return absl::StrCat(AlterDeferrable(key), "  -- or: ", Grant(rules));
  }
  return absl::StrCat(Grant(rules), "  -- or make ", key.name,
                      " again without ON DELETE and ON UPDATE actions, DEFERRABLE");
}

class Orderer {
 public:
  Orderer(const Plan& plan, const TargetRules& rules) : plan_(plan), rules_(rules) {
    order_.targets.resize(plan.mappings.size());
    for (const MappingPlan& mapping : plan.mappings) mapped_.insert(mapping.display);
  }

  WriteOrder Run() {
    FindReferences();
    PlaceMappings();
    for (const MappingIndex m : plan_.mapping_indices()) Classify(m);
    WarnOfIndexes();
    RefusePatches();
    return std::move(order_);
  }

 private:
  bool Fills(MappingIndex mapping, const std::string& table) const {
    return plan_.mappings[mapping].display == table;
  }
  const Reference& Key(int index) const { return rules_.references[index]; }

  void FindReferences() {
    for (const MappingIndex m : plan_.mapping_indices()) {
      WriteOrder::Target& target = order_.targets[m];
      for (size_t k = 0; k < rules_.references.size(); ++k) {
        const Reference& key = rules_.references[k];
        if (!Fills(m, key.parent)) continue;
        if (key.Acts()) target.acting.push_back(static_cast<int>(k));
        if (!mapped_.contains(key.child)) continue;
        target.references.push_back(static_cast<int>(k));
        target.insert_first |= key.child == key.parent;
      }
      target.referenced = !target.references.empty();
      target.refers = std::ranges::any_of(rules_.references, [&](const Reference& key) {
        return Fills(m, key.child) && mapped_.contains(key.parent);
      });
    }
  }

  // Adds "child after parent" of one key; false, and nothing added, when that closes a circle.
  bool Add(const Reference& key, Needs* needs) const {
    Needs with = *needs;
    for (const MappingIndex child : plan_.mapping_indices()) {
      for (const MappingIndex parent : plan_.mapping_indices()) {
        if (key.child == key.parent || !Fills(child, key.child) || !Fills(parent, key.parent)) {
          continue;
        }
        with[child].push_back(parent);
      }
    }
    if (!TopologicalOrder(with)) return false;
    *needs = std::move(with);
    return true;
  }

  void PlaceMappings() {
    Needs needs(plan_.mappings.size());
    for (const MappingIndex m : plan_.mapping_indices()) {
      for (const TouchRule& rule : plan_.mappings[m].keyed.touches) {
        if (rule.upstream.valid()) needs[m].push_back(rule.upstream);
      }
    }
    // Keys that are looked at at once come first: the others can do without their place.
    for (const Reference& key : rules_.references) {
      if (!key.deferrable && !Add(key, &needs)) {
        order_.problems.push_back(
            {absl::StrCat(Described(key),
                          " can't be kept: the tables refer to each other in a "
                          "circle, or ",
                          key.parent, " is computed from ", key.child),
             absl::StrCat(AlterDeferrable(key), "  -- or: ", Grant(rules_))});
      }
    }
    for (const Reference& key : rules_.references) {
      if (key.deferrable && !Add(key, &needs)) Wait(key);
    }
    const std::vector<int> order = TopologicalOrder(needs).value();
    for (const int place : order) order_.order.emplace_back(place);
  }

  void Wait(const Reference& key) {
    const std::string name = QuoteQualified(key.schema, key.name);
    if (std::ranges::count(order_.wait, name) == 0) order_.wait.push_back(name);
  }

  // The mapping that reads this one's table.
  std::optional<MappingIndex> Reader(MappingIndex mapping) const {
    for (const MappingIndex m : plan_.mapping_indices()) {
      for (const TouchRule& rule : plan_.mappings[m].keyed.touches) {
        if (rule.upstream == mapping) return m;
      }
    }
    return std::nullopt;
  }

  // Unique constraints checked at once, beside the mapping's own key.
  std::vector<std::string> FurtherUnique(MappingIndex mapping) const {
    const auto found = rules_.unique_at_once.find(plan_.mappings[mapping].display);
    if (found == rules_.unique_at_once.end() || found->second.size() < 2) return {};
    return {found->second.begin() + 1, found->second.end()};
  }

  void Classify(MappingIndex mapping) {
    WriteOrder::Target& target = order_.targets[mapping];
    CheckUnmapped(mapping);
    target.late = !std::ranges::all_of(target.references, [&](int k) { return Key(k).CanWait(); });
    if (!target.late) {
      for (const int k : target.references) Wait(Key(k));
      return;
    }
    // A row that is still to go has its values until then.
    const auto unique = rules_.unique_deferrable.find(plan_.mappings[mapping].display);
    if (unique != rules_.unique_deferrable.end()) {
      order_.wait.insert(order_.wait.end(), unique->second.begin(), unique->second.end());
    }
    target.take_out_all = std::ranges::all_of(target.references, [&](int k) {
      const Reference& key = Key(k);
      return key.CanWait() || (key.child == key.parent && key.on_delete == 'a');
    });
    for (const int k : target.references) {
      if (!Key(k).CanWait()) CheckLate(mapping, Key(k));
    }
    CheckShape(mapping);
  }

  void CheckLate(MappingIndex mapping, const Reference& key) {
    const MappingPlan& plan = plan_.mappings[mapping];
    const std::vector<std::string> unique = FurtherUnique(mapping);
    if (const std::optional<MappingIndex> reader = Reader(mapping)) {
      Problem(key, absl::StrCat("keeps rows of ", plan.display, " from going before ", key.child,
                                " is written, but ", plan_.mappings[*reader].display,
                                " is computed from ", plan.display, " in between"));
    } else if (std::set<std::string>(key.referenced.begin(), key.referenced.end()) !=
               std::set<std::string>(plan.key.begin(), plan.key.end())) {
      Problem(key, absl::StrCat("refers to (", absl::StrJoin(key.referenced, ", "),
                                "), which are "
                                "not the columns that tell rows of ",
                                plan.display, " apart (", absl::StrJoin(plan.key, ", "),
                                ") and may change in a row"));
    } else if (key.Acts() && !unique.empty()) {
      Problem(key, TakenOut(key) + HandOver(unique));
    } else if (!unique.empty()) {
      WarnOfValues(mapping, key, absl::StrJoin(unique, ", "));
    }
  }

  // Rows that no mapping fills would go with a row that is taken out. Not refused: a table of NEW's
  // own has no rows until the application moves, as a rule.
  void CheckUnmapped(MappingIndex mapping) {
    const MappingPlan& plan = plan_.mappings[mapping];
    const std::vector<std::string> unique = FurtherUnique(mapping);
    const bool identity =
        plan.write.take_out_updates || plan.write.take_out_moves || plan.keyed.take_out_only;
    if (unique.empty() && !identity) return;
    for (const Reference& key : rules_.references) {
      if (!Fills(mapping, key.parent) || mapped_.contains(key.child) || !key.Acts()) continue;
      order_.warnings.push_back(
          absl::StrCat(Described(key), " ", TakenOut(key),
                       identity ? "its GENERATED ALWAYS identity needs" : HandOver(unique),
                       "; no mapping puts them back, so rows they refer to go to quarantine. ",
                       WayOut(key, rules_)));
    }
  }

  static std::string HandOver(const std::vector<std::string>& unique) {
    return absl::StrCat("values of ", absl::StrJoin(unique, ", "), " that change hands need");
  }

  static std::string TakenOut(const Reference& key) {
    return absl::StrCat("deletes or changes rows of ", key.child, " when rows of ", key.parent,
                        " are taken out for a while, which ");
  }

  void WarnOfValues(MappingIndex mapping, const Reference& key, const std::string& unique) {
    const std::string& parent = plan_.mappings[mapping].display;
    if (key.on_delete == 'r') {
      order_.warnings.push_back(absl::StrCat(
          "rows of ", parent, " can't trade values of ", unique, " while ", Described(key),
          " holds rows that refer to them: RESTRICT does not wait until they are back; they would "
          "go to quarantine. ",
          WayOut(key, rules_)));
    }
    if (key.child == key.parent) return;
    for (const MappingIndex m : plan_.mapping_indices()) {
      order_.targets[m].blocks |= Fills(m, key.child);
    }
    order_.warnings.push_back(absl::StrCat(
        "a value of ", unique, " can't pass, in one transaction, from a row of ", parent,
        " that is deleted or changes its key to another row while ", Described(key),
        " holds a row that stays; it would go to quarantine. ", WayOut(key, rules_)));
  }

  void WarnOfIndexes() {
    std::set<int> keys;
    for (const WriteOrder::Target& target : order_.targets) {
      keys.insert(target.references.begin(), target.references.end());
    }
    for (const int k : keys) {
      if (Key(k).indexed) continue;
      order_.warnings.push_back(
          absl::StrCat(Described(Key(k)), " has no index: every row of ", Key(k).parent,
                       " that goes reads all of ", Key(k).child, ". CREATE INDEX ON ",
                       Key(k).child_quoted, " (", JoinQuoted(Key(k).columns), ");"));
    }
  }

  // What changed in single columns is written at once, whatever refers to the rows.
  void RefusePatches() {
    for (const MappingPlan& mapping : plan_.mappings) {
      if (!mapping.keyed.patch.on) continue;
      order_.problems.push_back(
          {mapping.display + " has mode: patch, which needs session_replication_role = replica: "
                             "foreign keys and triggers of the target stay silent then",
           Grant(rules_) + "  -- before Postgres 15: a superuser"});
    }
  }

  void Problem(const Reference& key, const std::string& what) {
    order_.problems.push_back({absl::StrCat(Described(key), " ", what), WayOut(key, rules_)});
  }

  void CheckShape(MappingIndex mapping) {
    const MappingPlan& plan = plan_.mappings[mapping];
    const auto same = [&](const MappingPlan& other) { return other.display == plan.display; };
    const auto strict = std::ranges::find_if(order_.targets[mapping].references,
                                             [&](int k) { return !Key(k).CanWait(); });
    if (std::ranges::count_if(plan_.mappings, same) > 1) {
      Problem(Key(*strict), "refers to a table that several mappings fill");
    }
    if (plan.write.take_out_updates || plan.keyed.take_out_only) {
      Problem(Key(*strict),
              "refers to a table with a GENERATED ALWAYS identity that is not its "
              "key, whose rows change by being taken out");
    }
  }

  const Plan& plan_;
  const TargetRules& rules_;
  std::set<std::string> mapped_;  // tables that a mapping fills
  WriteOrder order_;
};

}  // namespace

WriteOrder OrderWrites(const Plan& plan, const TargetRules& rules) {
  return Orderer(plan, rules).Run();
}

}  // namespace switchyard::mapping
