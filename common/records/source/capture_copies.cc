#include "common/records/source/capture_copies.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/records/source/capture_streams.h"

namespace switchyard::records {
namespace {

template <typename T>
std::string Array(const std::vector<T>& values) {
  return absl::StrCat("{", absl::StrJoin(values, ","), "}");
}

// The copies of stream $1. A partition born since the tables were last looked at is one all the
// same; one whose root nobody captures is a table by itself.
std::string PartsSql() {
  return absl::StrCat(R"(
    WITH part AS (
      SELECT c.*, k.oid IS NOT NULL AS is_there, coalesce(root.relation_id, 0) AS root_id
      FROM switchyard.capture_copy c
      )",
                      JoinCapturedSql("c", "t"), R"(
      LEFT JOIN pg_class k ON k.oid = c.relation_id
      )",
                      JoinCapturedRootSql("c", "root",
                                          "coalesce(CASE WHEN k.relispartition THEN "
                                          "pg_partition_root(k.oid)::oid END, t.root_id)"),
                      R"(
      WHERE c.stream = $1 AND c.state <> 'gone'))");
}

}  // namespace

absl::Status CaptureCopies::Ask(const std::vector<LeafTable>& tables, CopyKind kind) const {
  for (const LeafTable& table : tables) {
    RETURN_IF_ERROR(sql_.Run(
        R"(
      INSERT INTO switchyard.capture_copy AS c
        (stream, relation_id, schema_name, table_name, generation, recopy, state, rows, bytes)
      VALUES ($1, $2, $3, $4, 0, $5, 'pending', $6, $7)
      ON CONFLICT (stream, relation_id) DO UPDATE SET schema_name = excluded.schema_name,
        table_name = excluded.table_name, state = 'pending', rows = excluded.rows,
        bytes = excluded.bytes, rows_done = 0, bytes_done = 0, lsn = NULL, started_at = NULL,
        finished_at = NULL,
        recopy = excluded.recopy AND (c.recopy OR c.state IN ('done', 'gone')))",
        {stream_, std::to_string(table.relation_id), table.schema, table.name,
         kind == CopyKind::kAgain ? "t" : "f", std::to_string(table.rows_estimate),
         std::to_string(table.bytes)}));
  }
  return absl::OkStatus();
}

absl::Status CaptureCopies::Begin(Lsn lsn, std::vector<CaptureCopy>* copies) const {
  std::vector<uint32_t> oids;
  for (const CaptureCopy& copy : *copies) oids.push_back(copy.relation_id);
  ASSIGN_OR_RETURN(
      const pg::Rows begun,
      sql_.Ask(absl::StrCat(R"(
    UPDATE switchyard.capture_copy
    SET generation = greatest(generation + 1, $4::bigint * ()",
                            CaptureEpochSql("$1"), R"( / $4::bigint)),
        lsn = $3::pg_lsn, state = 'copying', rows_done = 0,
        bytes_done = 0, started_at = now(), finished_at = NULL
    WHERE stream = $1 AND relation_id = ANY($2::oid[])
    RETURNING relation_id, generation)"),
               {stream_, Array(oids), lsn.ToString(), std::to_string(kCountsPerTimeline)}));
  std::map<uint32_t, uint64_t> generations;
  for (int i = 0; i < begun.rows(); ++i) {
    generations[static_cast<uint32_t>(begun.i64(i, 0))] = static_cast<uint64_t>(begun.i64(i, 1));
  }
  for (CaptureCopy& copy : *copies) {
    const auto generation = generations.find(copy.relation_id);
    if (generation != generations.end()) copy.generation = generation->second;
  }
  return absl::OkStatus();
}

absl::Status CaptureCopies::Note(const std::vector<CopyProgress>& progress) const {
  if (progress.empty()) return absl::OkStatus();
  std::vector<std::string> oids, generations, rows, bytes, done, waits;
  for (const CopyProgress& entry : progress) {
    oids.push_back(std::to_string(entry.relation_id));
    generations.push_back(std::to_string(entry.generation));
    rows.push_back(std::to_string(entry.rows));
    bytes.push_back(std::to_string(entry.bytes));
    done.emplace_back(entry.done ? "t" : "f");
    waits.push_back(TextOf(entry.waits));
  }
  return sql_.Run(R"(
    UPDATE switchyard.capture_copy c
    SET rows_done = p.rows, bytes_done = p.bytes,
        state = CASE WHEN p.done THEN 'done' ELSE c.state END,
        finished_at = CASE WHEN p.done THEN now() END,
        error = CASE WHEN p.done THEN NULL WHEN p.waits <> '' THEN p.waits
                     WHEN c.error LIKE $8 || '%' THEN NULL ELSE c.error END
    FROM unnest($2::oid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bool[], $7::text[])
      AS p(relation_id, generation, rows, bytes, done, waits)
    WHERE c.stream = $1 AND c.relation_id = p.relation_id AND c.generation = p.generation
      AND c.state = 'copying')",
                  {stream_, Array(oids), Array(generations), Array(rows), Array(bytes), Array(done),
                   ArrayLiteral(waits), kWaitsForLock});
}

absl::Status CaptureCopies::NoteError(uint32_t relation_id, const Finding& error) const {
  return sql_.Run(
      "UPDATE switchyard.capture_copy SET error = $3 WHERE stream = $1 AND relation_id = $2",
      {stream_, std::to_string(relation_id), TextOf(error)});
}

absl::Status CaptureCopies::ForgetOthers(const TableShapes& shapes) const {
  std::vector<uint32_t> oids;
  for (const auto& [oid, shape] : shapes) oids.push_back(oid);
  return sql_.Run(
      "UPDATE switchyard.capture_copy SET state = 'gone', error = NULL WHERE stream = $1 AND "
      "relation_id <> ALL($2::oid[])",
      {stream_, Array(oids)});
}

absl::Status CaptureCopies::Forget(const std::vector<uint32_t>& relation_ids) const {
  return sql_.Run(
      "UPDATE switchyard.capture_copy SET state = 'gone', error = NULL WHERE stream = $1 AND "
      "relation_id = ANY($2::oid[])",
      {stream_, Array(relation_ids)});
}

absl::StatusOr<std::vector<CaptureCopy>> CaptureCopies::TakeUnfinished() const {
  // Partitions that were detached: nobody maps them now.
  RETURN_IF_ERROR(sql_.Run(absl::StrCat(R"(
    UPDATE switchyard.capture_copy c SET state = 'gone', error = NULL FROM pg_class k
    WHERE c.stream = $1 AND c.state <> 'gone' AND k.oid = c.relation_id AND NOT k.relispartition
      AND NOT )",
                                        IsCapturedSql("c.stream", "c.relation_id")),
                           {stream_}));
  // Leaves that are gone neither begin again nor have others do so; one that was never begun is a
  // partition that joined, beside rows that are there already.
  RETURN_IF_ERROR(sql_.Run(absl::StrCat(PartsSql(), R"(,
    leaf AS (SELECT * FROM part WHERE root_id <> 0 AND is_there),
    again AS (
      SELECT root_id, bool_and(recopy) AS recopy FROM leaf
      WHERE state <> 'done' AND generation > 0 GROUP BY root_id)
    UPDATE switchyard.capture_copy c SET state = 'pending', recopy = again.recopy
    FROM leaf JOIN again USING (root_id)
    WHERE c.stream = $1 AND c.relation_id = leaf.relation_id
      AND (c.state = 'done' OR c.recopy <> again.recopy))"),
                           {stream_}));
  ASSIGN_OR_RETURN(const pg::Rows rows, sql_.Ask(absl::StrCat(PartsSql(), R"(
    SELECT relation_id, schema_name, table_name, generation, recopy, rows, bytes, root_id,
           NOT EXISTS (SELECT FROM part other
                       WHERE other.root_id = part.root_id AND part.root_id <> 0
                         AND other.is_there AND other.state = 'done')
    FROM part WHERE state <> 'done'
    ORDER BY error IS NULL, bytes DESC, relation_id)"),
                                                 {stream_}));
  std::vector<CaptureCopy> copies;
  copies.reserve(static_cast<size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) {
    copies.push_back({.relation_id = static_cast<uint32_t>(rows.i64(i, 0)),
                      .schema = rows.str(i, 1),
                      .name = rows.str(i, 2),
                      .generation = static_cast<uint64_t>(rows.i64(i, 3)),
                      .recopy = rows.boolean(i, 4),
                      .root_id = static_cast<uint32_t>(rows.i64(i, 7)),
                      .whole = rows.boolean(i, 8),
                      .rows_estimate = rows.i64(i, 5),
                      .bytes_estimate = rows.i64(i, 6)});
  }
  return copies;
}

absl::StatusOr<std::vector<event::v1::FinishedCopy>> CaptureCopies::Finished() const {
  ASSIGN_OR_RETURN(const pg::Rows rows, sql_.Ask(R"(
    SELECT relation_id, generation FROM switchyard.capture_copy
    WHERE stream = $1 AND state = 'done' ORDER BY relation_id)",
                                                 {stream_}));
  std::vector<event::v1::FinishedCopy> copies(static_cast<size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) {
    copies[static_cast<size_t>(i)].set_relation_id(static_cast<uint32_t>(rows.i64(i, 0)));
    copies[static_cast<size_t>(i)].set_generation(static_cast<uint64_t>(rows.i64(i, 1)));
  }
  return copies;
}

absl::StatusOr<std::vector<CopyStanding>> CaptureCopies::All() const {
  ASSIGN_OR_RETURN(const pg::Rows rows,
                   sql_.Ask(absl::StrCat(R"(
    SELECT c.relation_id::bigint, c.schema_name || '.' || c.table_name,
           coalesce(root.schema_name || '.' || root.table_name,
                    c.schema_name || '.' || c.table_name),
           c.recopy, c.state, c.rows, c.bytes, c.rows_done, c.bytes_done, c.error
    FROM switchyard.capture_copy c
    )",
                                         JoinCapturedSql("c", "t"), "\n",
                                         JoinCapturedRootSql("c", "root", "nullif(t.root_id, 0)"),
                                         R"(
    WHERE c.stream = $1 AND c.state <> 'gone' ORDER BY c.bytes DESC, c.relation_id)"),
                            {stream_}));
  std::vector<CopyStanding> copies;
  copies.reserve(static_cast<size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) {
    copies.push_back({.relation_id = rows.i64(i, 0),
                      .table = rows.str(i, 1),
                      .root = rows.str(i, 2),
                      .recopy = rows.boolean(i, 3),
                      .state = rows.str(i, 4),
                      .rows_estimate = rows.i64(i, 5),
                      .bytes_estimate = rows.i64(i, 6),
                      .rows = rows.i64(i, 7),
                      .bytes = rows.i64(i, 8),
                      .error = ParseFinding(rows.text(i, 9))});
  }
  return copies;
}

std::string UnfinishedFirstCopySql(std::string_view stream) {
  return absl::StrCat("SELECT FROM switchyard.capture_copy c WHERE c.stream = ", Sv(stream),
                      " AND NOT c.recopy AND c.state IN ('pending', 'copying')");
}

}  // namespace switchyard::records
