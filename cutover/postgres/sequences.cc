#include "cutover/postgres/sequences.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/check.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::cutover {
namespace {

__extension__ typedef __int128 Wide;

// In the direction of `increment`.
bool IsBehind(int64_t a, int64_t b, int64_t increment) { return increment > 0 ? a < b : a > b; }

constexpr char kStatesSql[] = R"(
  SELECT s.seqincrement, s.seqcache, s.seqmin, s.seqmax, s.seqcycle
  FROM unnest($1::text[]) WITH ORDINALITY AS n (name, number)
  LEFT JOIN pg_sequence s ON s.seqrelid = to_regclass(n.name) ORDER BY n.number)";

absl::StatusOr<SequenceState> ReadOne(const pg::Sql& sql, const std::string& name,
                                      const pg::Rows& shapes, int row) {
  if (shapes.is_null(row, 0)) {
    return Refuse(absl::StrCat("there is no sequence ", name),
                  "correct its name in the migration file, under sequences");
  }
  // Its name can't be a parameter; it is quoted by whoever made the pair.
  ASSIGN_OR_RETURN(const pg::Rows now,
                   sql.Ask(absl::StrCat("SELECT last_value, is_called FROM ", name)));
  return SequenceState{.last = now.i64(0, 0),
                       .is_called = now.boolean(0, 1),
                       .increment = shapes.i64(row, 0),
                       .cache = shapes.i64(row, 1),
                       .min = shapes.i64(row, 2),
                       .max = shapes.i64(row, 3),
                       .cycles = shapes.boolean(row, 4)};
}

}  // namespace

absl::StatusOr<int64_t> AheadOf(const SequenceState& of, const SequenceState& ahead, int64_t block,
                                const std::string& name) {
  if ((of.increment > 0) != (ahead.increment > 0)) {
    return Refuse(absl::StrCat("sequence ", name, " counts up on one side and down on the other"),
                  "give both the same direction: ALTER SEQUENCE ... INCREMENT");
  }
  const Wide gap = 2 * static_cast<Wide>(of.increment) * (static_cast<Wide>(of.cache) + block);
  const Wide wanted = static_cast<Wide>(of.last) + gap;
  // One more must be left for the next value.
  const bool past = of.increment > 0 ? wanted + ahead.increment > ahead.max || wanted > of.max
                                     : wanted + ahead.increment < ahead.min || wanted < of.min;
  if (past) {
    return Refuse(
        absl::StrFormat("sequence %s stands at %d and would have to go on %d further on: past its "
                        "bound (%d..%d%s)",
                        name, of.last, static_cast<int64_t>(gap < 0 ? -gap : gap), ahead.min,
                        ahead.max, ahead.cycles ? ", where it begins again" : ""),
        "make room on both sides: ALTER SEQUENCE ... MAXVALUE, or RESTART it where values are "
        "free");
  }
  const auto value = static_cast<int64_t>(wanted);
  return ahead.is_called && IsBehind(value, ahead.last, of.increment) ? ahead.last : value;
}

bool WentPast(const SequenceState& now, int64_t set) {
  return IsBehind(set, now.last, now.increment) || (now.is_called && now.last == set);
}

const std::string& PgSequences::NameOn(Side side, size_t i) const {
  return side == Side::kOld ? pairs_[i].old_name : pairs_[i].new_name;
}

absl::StatusOr<std::vector<SequenceState>> PgSequences::Read(Side side, absl::Duration limit) {
  std::vector<std::string> names;
  for (size_t i = 0; i < pairs_.size(); ++i) names.push_back(NameOn(side, i));
  std::vector<SequenceState> states;
  RETURN_IF_ERROR(Link(side).Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    ASSIGN_OR_RETURN(const pg::Rows shapes, tx.Query(kStatesSql, {ArrayLiteral(names)}));
    for (size_t i = 0; i < names.size(); ++i) {
      ASSIGN_OR_RETURN(const SequenceState state,
                       ReadOne(tx, names[i], shapes, static_cast<int>(i)));
      states.push_back(state);
    }
    return absl::OkStatus();
  }));
  return states;
}

absl::Status PgSequences::SetAhead(Side closing, absl::Duration limit) {
  if (pairs_.empty()) return absl::OkStatus();
  const Side opening = Other(closing);
  ASSIGN_OR_RETURN(const std::vector<SequenceState> from, Read(closing, limit));
  ASSIGN_OR_RETURN(const std::vector<SequenceState> to, Read(opening, limit));
  std::vector<int64_t> ahead;
  for (size_t i = 0; i < pairs_.size(); ++i) {
    ASSIGN_OR_RETURN(const int64_t value,
                     AheadOf(from[i], to[i], pairs_[i].block, NameOn(opening, i)));
    ahead.push_back(value);
  }
  RETURN_IF_ERROR(Link(opening).Run(limit, [&](pg::ControlTransaction& tx) -> absl::Status {
    for (size_t i = 0; i < pairs_.size(); ++i) {
      if (to[i].is_called && to[i].last == ahead[i]) continue;
      RETURN_IF_ERROR(tx.Execute("SELECT setval($1::regclass, $2::bigint, true)",
                                 {NameOn(opening, i), std::to_string(ahead[i])}));
    }
    return absl::OkStatus();
  }));
  set_ = std::move(ahead);
  return absl::OkStatus();
}

absl::Status PgSequences::CheckAhead(Side closing, absl::Duration limit) {
  if (pairs_.empty()) return absl::OkStatus();
  SY_CHECK(set_.size() == pairs_.size());
  ASSIGN_OR_RETURN(const std::vector<SequenceState> now, Read(closing, limit));
  for (size_t i = 0; i < pairs_.size(); ++i) {
    if (!WentPast(now[i], set_[i])) continue;
    return Refuse(
        absl::StrFormat(
            "sequence %s of %s stands at %d, past %d, where the other side was set: "
            "more values were taken meanwhile than its cache of %d and a block of %d say",
            NameOn(closing, i), Name(closing), now[i].last, set_[i], now[i].cache, pairs_[i].block),
        "declare the block that clients take at once, in the migration file, under sequences");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<OwnedSequence>> FindOwnedSequences(
    const pg::Sql& sql, const std::vector<std::string>& tables) {
  ASSIGN_OR_RETURN(const pg::Rows rows, sql.Ask(R"(
    SELECT n.name, a.attname, format('%I.%I', s.nspname, c.relname)
    FROM unnest($1::text[]) WITH ORDINALITY AS n (name, number)
    CROSS JOIN LATERAL (SELECT to_regclass(n.name)::oid UNION
                        SELECT p.relid::oid FROM pg_partition_tree(to_regclass(n.name)) p)
      AS m (oid)
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = m.oid
      AND d.refobjsubid > 0 AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    JOIN pg_namespace s ON s.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    ORDER BY n.number, a.attnum, 3)",
                                                {ArrayLiteral(tables)}));
  std::vector<OwnedSequence> owned;
  for (int i = 0; i < rows.rows(); ++i) {
    owned.push_back({rows.str(i, 0), rows.str(i, 1), rows.str(i, 2)});
  }
  return owned;
}

}  // namespace switchyard::cutover
