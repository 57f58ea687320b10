#include "capture/table_roots.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "capture/publish/column_numbers.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/records/source/capture_streams.h"
#include "common/records/source/capture_suspects.h"

namespace switchyard::capture {
namespace {

constexpr absl::Duration kVisibleWithin = absl::Seconds(3);  // else it is told
constexpr absl::Duration kVisiblePause = absl::Milliseconds(1);
constexpr absl::Duration kInvisiblePause = absl::Milliseconds(20);
constexpr absl::Duration kAnswerPause = absl::Seconds(1);

}  // namespace

// A transaction streams as soon as its commit is in the WAL, a moment before it ends for others:
// the catalogue may not show yet what it created or attached. Where a synchronous standby is away
// the moment lasts until that is back.
absl::Status TableRoots::AwaitVisible() const {
  absl::Time tell_at = absl::Now() + kVisibleWithin;
  bool told = false;
  while (true) {
    ASSIGN_OR_RETURN(const pg::Result running, session_.Query(R"(
      SELECT FROM pg_locks WHERE locktype = 'transactionid' AND transactionid = $1::xid AND granted)",
                                                              {std::to_string(xid_)}));
    if (running.rows() == 0) break;
    if (absl::Now() > tell_at) {
      if (!std::exchange(told, true)) RETURN_IF_ERROR(TellInvisible());
      RETURN_IF_ERROR(answer_());  // a reader that says nothing is taken for dead
      tell_at = absl::Now() + kAnswerPause;
    }
    if (!cancel_.WaitFor(told ? kInvisiblePause : kVisiblePause)) return cancel_.status();
  }
  return told ? records::CaptureStreams(session_, stream_).NoteRefusal({}) : absl::OkStatus();
}

absl::Status TableRoots::TellInvisible() const {
  const Finding finding = {
      absl::StrFormat("transaction %d is in the source's WAL but does not end: a synchronous "
                      "standby is away, for which every commit there waits",
                      xid_),
      "bring the standby back, or take it out of synchronous_standby_names; capture goes on by "
      "itself"};
  LogWarn("capture", "waiting",
          {{"stream", stream_}, {"error", finding.what}, {"next", finding.next}});
  return records::CaptureStreams(session_, stream_).NoteRefusal(finding);
}

absl::StatusOr<TableFacts> TableRoots::Find(const RelationMessage& relation) {
  RETURN_IF_ERROR(AwaitVisible());
  ASSIGN_OR_RETURN(RootTable root, FindRoot(relation));
  ASSIGN_OR_RETURN(auto columns, LoadColumnNumbers(session_, relation, root.relation_id));
  return TableFacts{.root = std::move(root), .columns = std::move(columns)};
}

absl::StatusOr<RootTable> TableRoots::FindRoot(const RelationMessage& relation) {
  ASSIGN_OR_RETURN(const pg::Result rows, session_.Query(R"(
    SELECT r.oid, s.nspname, r.relname
    FROM pg_class c
    LEFT JOIN pg_class r ON c.relispartition AND r.oid = pg_partition_root(c.oid)
    LEFT JOIN pg_namespace s ON s.oid = r.relnamespace
    WHERE c.oid = $1)",
                                                         {std::to_string(relation.relation_id)}));
  if (rows.rows() == 0 || rows.is_null(0, 0)) return FindFormerRoot(relation, rows.rows() > 0);
  RootTable root{static_cast<uint32_t>(rows.i64(0, 0)), rows.str(0, 1), rows.str(0, 2)};
  RETURN_IF_ERROR(NoteLeaf(relation, root));
  return root;
}

// Once its rows are with its table's, somebody has to see it leave: it may before the next look.
absl::Status TableRoots::NoteLeaf(const RelationMessage& relation, const RootTable& root) {
  if (shapes_.contains(relation.relation_id) || !shapes_.contains(root.relation_id)) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool there, monitor_.LookFor(session_, relation.relation_id));
  shapes_[relation.relation_id] = {.relation_id = relation.relation_id,
                                   .schema = std::string(relation.schema),
                                   .name = std::string(relation.name),
                                   .root_id = root.relation_id};
  if (there) return absl::OkStatus();
  const std::string table = root.schema + "." + root.name;
  return records::CaptureSuspects(session_, stream_)
      .Note({{.relation_id = root.relation_id,
              .schema = root.schema,
              .name = root.name,
              .reason =
                  absl::StrFormat("partition %s.%s came and went: its rows left without a DELETE",
                                  relation.schema, relation.name),
              .next_step = "copy it again: switchyard recopy FILE " + table}});
}

// Of a table that is no partition now: detached or dropped since, its changes are from before.
absl::StatusOr<RootTable> TableRoots::FindFormerRoot(const RelationMessage& relation,
                                                     bool is_there) const {
  const auto shape = shapes_.find(relation.relation_id);
  if (shape != shapes_.end()) {
    const auto root = shapes_.find(shape->second.root_id);
    if (root == shapes_.end()) return RootTable{};
    return RootTable{root->first, root->second.schema, root->second.name};
  }
  if (is_there) return RootTable{};  // published, but not mapped
  // A table that came and went between two looks at the catalogue: whose partition was it?
  std::vector<Drift> drifts;
  for (const auto& [oid, candidate] : shapes_) {
    if (candidate.kind != 'p') continue;
    drifts.push_back(
        {oid, candidate.schema, candidate.name,
         absl::StrFormat("table %s.%s had changes and is gone; it may have been a "
                         "partition of this one",
                         relation.schema, relation.name),
         absl::StrFormat("copy it again: switchyard recopy FILE %s", candidate.Display())});
  }
  RETURN_IF_ERROR(records::CaptureSuspects(session_, stream_).Note(drifts));
  return RootTable{};
}

// Partitions that left since are of nobody's concern, which makes their table suspect, and are not
// what keeps the others from being all there are.
absl::Status TableRoots::Name(TruncateMessage* truncate) {
  std::vector<uint32_t>& ids = truncate->relation_ids;
  const auto is_mapped_itself = [&](uint32_t id) {
    const auto shape = shapes_.find(id);
    return shape != shapes_.end() && shape->second.root_id == 0;
  };
  if (std::ranges::all_of(ids, is_mapped_itself)) return absl::OkStatus();
  RETURN_IF_ERROR(AwaitVisible());
  ASSIGN_OR_RETURN(const pg::Result rows,
                   session_.Query(R"(
    WITH RECURSIVE leaf(oid, root) AS (
      SELECT c.oid, pg_partition_root(c.oid)::oid
      FROM pg_class c WHERE c.oid = ANY($1::oid[]) AND c.relispartition),
    tree(root, oid, kind) AS (
      SELECT DISTINCT root, root, 'p'::"char" FROM leaf WHERE root IS NOT NULL
      UNION ALL
      SELECT t.root, c.oid, c.relkind
      FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid JOIN pg_class c ON c.oid = i.inhrelid
      WHERE t.kind = 'p' AND (to_jsonb(i) ->> 'inhdetachpending') IS DISTINCT FROM 'true')
    SELECT oid, true FROM leaf
    UNION ALL
    SELECT root, false FROM tree GROUP BY root HAVING bool_and(kind = 'p' OR oid = ANY($1::oid[])))",
                                  {absl::StrCat("{", absl::StrJoin(ids, ","), "}")}));
  std::set<uint32_t> leaves;
  std::vector<uint32_t> roots;
  for (int i = 0; i < rows.rows(); ++i) {
    const auto id = static_cast<uint32_t>(rows.i64(i, 0));
    rows.boolean(i, 1) ? static_cast<void>(leaves.insert(id)) : roots.push_back(id);
  }
  std::erase_if(ids, [&](uint32_t id) { return !is_mapped_itself(id) && !leaves.contains(id); });
  ids.insert(ids.end(), roots.begin(), roots.end());
  return absl::OkStatus();
}

}  // namespace switchyard::capture
