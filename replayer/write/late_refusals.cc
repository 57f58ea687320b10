#include "replayer/write/late_refusals.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"
#include "common/mapping/sql/sql_pieces.h"
#include "replayer/write/refusals.h"
#include "replayer/write/savepoint.h"
#include "replayer/write/written.h"

namespace switchyard::replayer {

using mapping::Each;
using mapping::EqualSign;
using mapping::KeyEqual;
using mapping::MappingIndex;
using mapping::MappingPlan;
using mapping::Reference;
using mapping::Temp;

namespace {

// More come out in the next attempt.
constexpr char kSome[] = " LIMIT 1000";

std::vector<std::string> TextsOf(const pg::Result& rows, int row, int from, size_t count) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i) texts.push_back(rows.str(row, from + static_cast<int>(i)));
  return texts;
}

// Of what is given by column, where it is.
std::string Or(const std::vector<std::string>& texts, size_t i, const std::string& otherwise) {
  return i < texts.size() && !texts[i].empty() ? texts[i] : otherwise;
}

std::string AmongPartitions(const std::string& row, const std::string& parts) {
  return parts.empty() ? "" : absl::StrCat(" AND ", row, ".tableoid IN (", parts, ")");
}

std::string Owned(const MappingPlan& mapping, const std::string& row) {
  if (mapping.owned.empty()) return "";
  return absl::StrCat(" AND (SELECT ", mapping.owned, " FROM (SELECT ", row, ".*) AS sy_w)");
}

}  // namespace

absl::Status KeyViolated(const Reference& key, const std::string& text) {
  return pg::RefusedRow(
      text, {.sqlstate = "23503", .table = key.child, .constraint = key.name, .primary = text});
}

std::string RefersTo(const Reference& key, const std::string& child, const std::string& parent) {
  return absl::StrCat(
      Each(key.columns.size(), " AND ",
           [&](size_t i) {
             const std::string collation = key.collations.empty() || key.collations[i].empty()
                                               ? ""
                                               : " COLLATE " + key.collations[i];
             const std::string equals = Or(key.operators, i, "=");
             return absl::StrCat(parent, ".", QuoteIdentifier(key.referenced[i]), collation, " ",
                                 equals, " ", child, ".", QuoteIdentifier(key.columns[i]));
           }),
      AmongPartitions(child, key.child_parts), AmongPartitions(parent, key.parent_parts));
}

LateRefusals::LateRefusals(Stage& stage, const mapping::TargetRules& rules,
                           const mapping::WriteOrder& order, std::vector<BarredRow>& barred)
    : stage_(stage), plan_(stage.plan()), rules_(rules), order_(order), barred_(barred) {}

const std::vector<std::string>& LateRefusals::Identity(MappingIndex mapping) const {
  const MappingPlan& plan = plan_.mappings[mapping];
  return plan.row_local ? plan.key : plan.keyed.scope_columns;
}

std::string LateRefusals::IdentityText(MappingIndex mapping, const std::string& row) const {
  const std::vector<std::string>& columns = Identity(mapping);
  return Each(columns.size(), ", ", [&](size_t i) {
    return absl::StrCat(row, ".", QuoteIdentifier(columns[i]), "::text");
  });
}

std::string LateRefusals::IsRow(MappingIndex mapping, const std::string& row, size_t from) const {
  const std::vector<std::string>& columns = Identity(mapping);
  return Each(columns.size(), " AND ", [&](size_t i) {
    return absl::StrCat(row, ".", QuoteIdentifier(columns[i]),
                        EqualSign(plan_.mappings[mapping].operators, columns[i]), "$",
                        from + i + 1);
  });
}

std::vector<MappingIndex> LateRefusals::MappingsOf(const std::string& table) const {
  std::vector<MappingIndex> mappings;
  for (const MappingIndex m : plan_.mapping_indices()) {
    if (plan_.mappings[m].display == table) mappings.push_back(m);
  }
  return mappings;
}

absl::Status LateRefusals::GoesTooEarly(int reference) const {
  const Reference& key = Key(reference);
  return KeyViolated(
      key, absl::StrCat("a row of ", key.parent, " goes, by the mapping, but rows of ", key.child,
                        " that refer to it by foreign key ", key.name,
                        key.Acts() ? " stay, and would be deleted or changed by it" : " stay"));
}

absl::Status LateRefusals::HasNoParent(int reference) const {
  const Reference& key = Key(reference);
  return KeyViolated(key, absl::StrCat("a row of ", key.child, " refers to one of ", key.parent,
                                       " that is not there: foreign key ", key.name));
}

absl::Status LateRefusals::Begin() {
  found_.clear();
  dangling_.clear();
  pg::Session& session = stage_.session();
  std::set<MappingIndex> made;
  for (size_t n = 0; n < barred_.size(); ++n) {
    const BarredRow& row = barred_[n];
    const mapping::OrderedSql& sql = plan_.mappings[row.mapping].ordered;
    if (made.insert(row.mapping).second) RETURN_IF_ERROR(session.Execute(sql.barred_ddl));
    std::vector<pg::Param> values(row.identity.begin(), row.identity.end());
    RETURN_IF_ERROR(
        session
            .Query(absl::StrCat("INSERT INTO ", Temp(sql.barred_table), " VALUES (", n, ", ",
                                Each(values.size(), ", ",
                                     [](size_t i) { return "$" + std::to_string(i + 1); }),
                                ")"),
                   values)
            .status());
  }
  return absl::OkStatus();
}

bool LateRefusals::bars(MappingIndex mapping) const {
  return std::ranges::count(barred_, mapping, &BarredRow::mapping) > 0;
}

absl::StatusOr<std::vector<LateRefusals::Match>> LateRefusals::Barred(MappingIndex mapping) {
  std::vector<Match> matches;
  if (!bars(mapping)) return matches;
  ASSIGN_OR_RETURN(const pg::Result rows,
                   stage_.session().Query(plan_.mappings[mapping].ordered.barred));
  std::set<int64_t> seen;
  for (int i = 0; i < rows.rows(); ++i) {
    if (!seen.insert(rows.i64(i, 0)).second) continue;
    matches.push_back({rows.i64(i, 0), barred_[static_cast<size_t>(rows.i64(i, 1))].error});
  }
  return matches;
}

absl::Status LateRefusals::Finish(const std::set<MappingIndex>& pending, Care care) {
  const bool careful = care == Care::kCareful;
  // All of them before any goes: an action may reach, by way of a row that goes, one that stays.
  if (careful) {
    RETURN_IF_ERROR(FindStaying(pending));
  } else {
    for (const MappingIndex m : pending) {
      for (const int k : order_.targets[m].references) {
        if (Key(k).Acts()) RETURN_IF_ERROR(CountStaying(m, k));
      }
    }
  }
  for (const MappingIndex m : mapping::Backwards(order_.order)) {
    if (!pending.contains(m)) continue;
    RETURN_IF_ERROR(
        Annotate(careful ? RemoveOrFind(m) : stage_.Run(Remove(m)), plan_.mappings[m].display));
    RETURN_IF_ERROR(CheckLeft(stage_, m));
  }
  if (careful) RETURN_IF_ERROR(LookAtPutOff());
  // Said here, not by the commit: a refusal can still be looked into.
  return stage_.session().Execute("SET CONSTRAINTS ALL IMMEDIATE");
}

std::string LateRefusals::Remove(MappingIndex mapping) const {
  const MappingPlan& plan = plan_.mappings[mapping];
  return absl::StrCat("DELETE FROM ", plan.target, " AS sy_t USING ",
                      Temp(plan.ordered.leaving_table), " AS sy_l WHERE ",
                      KeyEqual(plan.key, plan.operators, "sy_t", "sy_l"));
}

// FROM: rows sy_c of the child that stay, and refer to the row sy_t.
std::string LateRefusals::Staying(MappingIndex mapping, int reference) const {
  const Reference& key = Key(reference);
  std::string sql =
      absl::StrCat(key.child_quoted, " AS sy_c WHERE ", RefersTo(key, "sy_c", "sy_t"));
  for (const MappingIndex m : MappingsOf(key.child)) {
    if (!order_.targets[m].late) continue;
    const MappingPlan& child = plan_.mappings[m];
    absl::StrAppend(&sql, " AND NOT EXISTS (SELECT FROM ", Temp(child.ordered.leaving_table),
                    " AS sy_d WHERE ", KeyEqual(child.key, child.operators, "sy_d", "sy_c"), ")");
  }
  if (key.child == plan_.mappings[mapping].display) {  // a row may refer to itself
    absl::StrAppend(
        &sql, " AND NOT (",
        KeyEqual(plan_.mappings[mapping].key, plan_.mappings[mapping].operators, "sy_c", "sy_t"),
        ")");
  }
  return sql;
}

// An action would change rows of which the mapping says that they stay as they are.
absl::Status LateRefusals::CountStaying(MappingIndex mapping, int reference) {
  const MappingPlan& plan = plan_.mappings[mapping];
  ASSIGN_OR_RETURN(
      const pg::Result staying,
      stage_.session().QueryPrepared(absl::StrCat(
          "SELECT count(*) FROM ", Temp(plan.ordered.leaving_table), " AS sy_l JOIN ", plan.target,
          " AS sy_t ON ", KeyEqual(plan.key, plan.operators, "sy_t", "sy_l"),
          " CROSS JOIN LATERAL (SELECT FROM ", Staying(mapping, reference), ") AS sy_c")));
  return staying.i64(0, 0) == 0 ? absl::OkStatus() : GoesTooEarly(reference);
}

// Rows noted that can't go are no longer noted, so that those they refer to are found as well.
absl::StatusOr<bool> LateRefusals::TakeStaying(MappingIndex mapping, int reference) {
  const MappingPlan& plan = plan_.mappings[mapping];
  const size_t width = Identity(mapping).size();
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      stage_.session().Query(absl::StrCat(
          "WITH sy_stay AS (DELETE FROM ", Temp(plan.ordered.leaving_table), " AS sy_l USING ",
          plan.target, " AS sy_t WHERE ", KeyEqual(plan.key, plan.operators, "sy_t", "sy_l"),
          " AND EXISTS (SELECT FROM ", Staying(mapping, reference), ") RETURNING ",
          IdentityText(mapping, "sy_t"), ") SELECT DISTINCT * FROM sy_stay", kSome)));
  for (int i = 0; i < rows.rows(); ++i) {
    found_.push_back({mapping, TextsOf(rows, i, 0, width), GoesTooEarly(reference)});
  }
  return rows.rows() > 0;
}

absl::Status LateRefusals::FindStaying(const std::set<MappingIndex>& pending) {
  bool more = true;
  while (more) {
    more = false;
    for (const MappingIndex m : pending) {
      for (const int k : order_.targets[m].references) {
        ASSIGN_OR_RETURN(const bool some, TakeStaying(m, k));
        more |= some;
      }
    }
  }
  return found_.empty() ? absl::OkStatus() : found_.front().error;
}

absl::Status LateRefusals::RemoveOrFind(MappingIndex mapping) {
  const absl::Status removed =
      InSavepoint(stage_.session(), "sy_late", [&] { return stage_.Run(Remove(mapping)); });
  if (!IsRefusedRow(removed)) return removed;
  RETURN_IF_ERROR(FindRefused(mapping));
  return removed;
}

// By halves: tables of NEW's own may refer to them, which this role need not be able to read.
absl::Status LateRefusals::FindRefused(MappingIndex mapping) {
  const MappingPlan& plan = plan_.mappings[mapping];
  pg::Session& session = stage_.session();
  ASSIGN_OR_RETURN(
      const pg::Result noted,
      session.Query(absl::StrCat("CREATE TEMP TABLE sy_numbered ON COMMIT DROP AS SELECT "
                                 "row_number() OVER () AS sy__n, sy_l.* FROM ",
                                 Temp(plan.ordered.leaving_table), " AS sy_l")));
  const std::string rows =
      absl::StrCat(plan.target, " AS sy_t USING pg_temp.sy_numbered AS sy_l", " WHERE ",
                   KeyEqual(plan.key, plan.operators, "sy_t", "sy_l"));
  const auto remove = [&](const Numbers& some) {
    return InSavepoint(session, "sy_late", [&] {
      return session.Execute(
          absl::StrCat("DELETE FROM ", rows, " AND ", IsOneOf("sy_l.sy__n", some)));
    });
  };
  Numbers all(static_cast<size_t>(noted.affected()));
  std::iota(all.begin(), all.end(), 1);
  ASSIGN_OR_RETURN(const std::vector<Refusal> refused, WriteWhatFits(all, remove));
  for (const Refusal& one : refused) {
    ASSIGN_OR_RETURN(
        const pg::Result row,
        session.Query(absl::StrCat("SELECT ", IdentityText(mapping, "sy_t"), " FROM ", plan.target,
                                   " AS sy_t JOIN pg_temp.sy_numbered AS sy_l ON ",
                                   KeyEqual(plan.key, plan.operators, "sy_t", "sy_l"),
                                   " WHERE sy_l.sy__n = ", one.number)));
    if (row.rows() == 0) continue;
    found_.push_back({mapping, TextsOf(row, 0, 0, Identity(mapping).size()), one.error});
  }
  return absl::OkStatus();
}

// One key after the other, to know which it is.
absl::Status LateRefusals::LookAtPutOff() {
  absl::Status first;
  for (size_t k = 0; k < rules_.references.size(); ++k) {
    const Reference& key = rules_.references[k];
    const std::string name = QuoteQualified(key.schema, key.name);
    if (std::ranges::count(order_.wait, name) == 0) continue;
    const absl::Status looked = InSavepoint(stage_.session(), "sy_late", [&] {
      return stage_.session().Execute("SET CONSTRAINTS " + name + " IMMEDIATE");
    });
    if (looked.ok()) continue;
    if (!IsRefusedRow(looked)) return looked;
    if (first.ok()) first = looked;
    RETURN_IF_ERROR(FindDangling(static_cast<int>(k)));
  }
  return first;
}

absl::Status LateRefusals::FindDangling(int reference) {
  const Reference& key = Key(reference);
  const auto each = [&](const std::string& separator, const std::string& test) {
    return Each(key.columns.size(), separator,
                [&](size_t i) { return "sy_c." + QuoteIdentifier(key.columns[i]) + test; });
  };
  const std::string refers = key.full ? absl::StrCat("NOT (", each(" AND ", " IS NULL"), ")")
                                      : each(" AND ", " IS NOT NULL");
  RETURN_IF_ERROR(stage_.session().Execute("SET LOCAL enable_hashjoin = on"));
  for (const MappingIndex m : MappingsOf(key.child)) {
    ASSIGN_OR_RETURN(
        const pg::Result rows,
        stage_.session().Query(absl::StrCat(
            "SELECT DISTINCT ", each(", ", "::text"), ", ", IdentityText(m, "sy_c"), " FROM ",
            key.child_quoted, " AS sy_c WHERE ", refers, " AND NOT EXISTS (SELECT FROM ",
            key.parent_quoted, " AS sy_p WHERE ", RefersTo(key, "sy_c", "sy_p"), ")",
            AmongPartitions("sy_c", key.child_parts), Owned(plan_.mappings[m], "sy_c"), kSome)));
    const size_t width = key.columns.size();
    for (int i = 0; i < rows.rows(); ++i) {
      Dangling row{.reference = reference, .child = m};
      for (int c = 0; c < static_cast<int>(width); ++c) {
        row.columns.push_back(rows.is_null(i, c) ? pg::Param() : rows.str(i, c));
      }
      row.identity = TextsOf(rows, i, static_cast<int>(width), Identity(m).size());
      dangling_.push_back(std::move(row));
    }
  }
  return stage_.session().Execute("SET LOCAL enable_hashjoin = off");
}

absl::StatusOr<bool> LateRefusals::AddNewlyFound() {
  bool more = false;
  for (BarredRow& row : found_) more |= NoteBarred(std::move(row));
  found_.clear();
  for (const Dangling& dangling : std::exchange(dangling_, {})) {
    ASSIGN_OR_RETURN(const bool barred, AddNewlyFoundOf(dangling));
    more |= barred;
  }
  return more;
}

// The database is as before: a parent that is there was about to go; a child that is there, as it
// was, is not at fault.
absl::StatusOr<bool> LateRefusals::AddNewlyFoundOf(const Dangling& dangling) {
  const Reference& key = Key(dangling.reference);
  const auto matches = [&](const std::vector<std::string>& columns,
                           const std::vector<std::string>& operators, const std::string& row) {
    return Each(columns.size(), " AND ", [&](size_t i) {
      return absl::StrCat(row, ".", QuoteIdentifier(columns[i]), " ", Or(operators, i, "="), " $",
                          i + 1);
    });
  };
  pg::Session& session = stage_.session();
  bool parent = false;
  for (const MappingIndex m : MappingsOf(key.parent)) {
    const MappingPlan& plan = plan_.mappings[m];
    ASSIGN_OR_RETURN(const pg::Result rows,
                     session.Query(absl::StrCat("SELECT ", IdentityText(m, "sy_t"), " FROM ",
                                                plan.target, " AS sy_t WHERE ",
                                                matches(key.referenced, key.operators, "sy_t"),
                                                Owned(plan, "sy_t")),
                                   dangling.columns));
    for (int i = 0; i < rows.rows(); ++i) {
      parent |= NoteBarred(
          {m, TextsOf(rows, i, 0, Identity(m).size()), GoesTooEarly(dangling.reference)});
    }
  }
  if (parent) return true;
  std::vector<pg::Param> values = dangling.columns;
  values.insert(values.end(), dangling.identity.begin(), dangling.identity.end());
  ASSIGN_OR_RETURN(
      const pg::Result unchanged,
      session.Query(absl::StrCat("SELECT FROM ", key.child_quoted, " AS sy_c WHERE ",
                                 matches(key.columns, key.child_operators, "sy_c"), " AND ",
                                 IsRow(dangling.child, "sy_c", key.columns.size()), " LIMIT 1"),
                    values));
  if (unchanged.rows() > 0) return false;
  return NoteBarred({dangling.child, dangling.identity, HasNoParent(dangling.reference)});
}

bool LateRefusals::NoteBarred(BarredRow row) {
  const bool known = std::ranges::any_of(barred_, [&](const BarredRow& other) {
    return other.mapping == row.mapping && other.identity == row.identity;
  });
  if (!known) barred_.push_back(std::move(row));
  return !known;
}

}  // namespace switchyard::replayer
