#include "capture/source/source_state.h"

#include <charconv>
#include <map>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/server_version.h"

namespace switchyard::capture {
namespace {

uint64_t Unsigned(std::string_view text) {
  uint64_t value = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  SY_CHECK(error == std::errc() && at == text.data() + text.size());
  return value;
}

absl::StatusOr<Lsn> LsnOrZero(const pg::Result& rows, int row, int column) {
  if (rows.is_null(row, column)) return Lsn();
  return Lsn::Parse(rows.text(row, column));
}

StreamRecord::State ParseState(std::string_view text) {
  if (text == "copying") return StreamRecord::State::kCopying;
  if (text == "streaming") return StreamRecord::State::kStreaming;
  return StreamRecord::State::kCreating;
}

absl::Status Run(pg::Session& session, std::string_view sql, const std::vector<pg::Param>& params) {
  return session.Query(sql, params).status();
}

template <typename T>
std::string Array(const std::vector<T>& values) {
  return absl::StrCat("{", absl::StrJoin(values, ","), "}");
}

// The copies of stream $1. A partition born since the tables were last looked at is one all the
// same; one whose root nobody captures is a table by itself.
constexpr char kParts[] = R"(
    WITH part AS (
      SELECT c.*, k.oid IS NOT NULL AS is_there, coalesce(root.relation_id, 0) AS root_id
      FROM switchyard.capture_copy c
      LEFT JOIN switchyard.capture_table t USING (stream, relation_id)
      LEFT JOIN pg_class k ON k.oid = c.relation_id
      LEFT JOIN switchyard.capture_table root
        ON root.stream = c.stream
           AND root.relation_id = coalesce(
             CASE WHEN k.relispartition THEN pg_partition_root(k.oid)::oid END, t.root_id)
      WHERE c.stream = $1))";

}  // namespace

absl::StatusOr<std::optional<StreamRecord>> LoadStream(pg::Session& session,
                                                       const std::string& stream) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT state, epoch, system_identifier, timeline, slot_lsn, log_topic
    FROM switchyard.capture_stream WHERE stream = $1)",
                                                        {stream}));
  if (rows.rows() == 0) return std::nullopt;
  StreamRecord record;
  record.state = ParseState(rows.text(0, 0));
  record.epoch = Unsigned(rows.text(0, 1));
  record.system_identifier = Unsigned(rows.text(0, 2));
  record.timeline = static_cast<uint32_t>(rows.i64(0, 3));
  ASSIGN_OR_RETURN(record.slot_lsn, LsnOrZero(rows, 0, 4));
  record.log_topic = rows.str(0, 5);
  return record;
}

absl::Status RecordCreating(pg::Session& session, const records::Stream& stream,
                            uint64_t system_identifier, uint32_t timeline) {
  return Run(session, R"(
    INSERT INTO switchyard.capture_stream
      (stream, slot, publication, state, system_identifier, timeline)
    VALUES ($1, $2, $3, 'creating', $4, $5)
    ON CONFLICT (stream) DO UPDATE SET state = 'creating', slot = excluded.slot,
      publication = excluded.publication, system_identifier = excluded.system_identifier,
      timeline = excluded.timeline, slot_lsn = NULL, refusal = NULL, updated_at = now())",
             {stream.name, stream.slot, stream.publication, std::to_string(system_identifier),
              std::to_string(timeline)});
}

absl::Status RecordCreated(pg::Session& session, const std::string& stream, Lsn slot_lsn,
                           const std::string& log_topic) {
  return Run(session, R"(
    UPDATE switchyard.capture_stream
    SET state = 'copying', slot_lsn = $2::pg_lsn, log_topic = $3, updated_at = now()
    WHERE stream = $1)",
             {stream, slot_lsn.ToString(), log_topic});
}

absl::Status RecordStreaming(pg::Session& session, const std::string& stream) {
  return Run(session, R"(
    UPDATE switchyard.capture_stream s SET state = 'streaming', updated_at = now()
    WHERE stream = $1 AND state = 'copying' AND NOT EXISTS (
      SELECT FROM switchyard.capture_copy c
      WHERE c.stream = s.stream AND NOT c.recopy AND c.state <> 'done'))",
             {stream});
}

absl::Status RecordRefusal(pg::Session& session, const std::string& stream,
                           const std::string& refusal) {
  return Run(session, R"(
    UPDATE switchyard.capture_stream SET refusal = nullif($2, ''), updated_at = now()
    WHERE stream = $1 AND refusal IS DISTINCT FROM nullif($2, ''))",
             {stream, refusal});
}

absl::StatusOr<uint64_t> TakeEpoch(pg::Session& session, const records::Stream& stream,
                                   int walsender_pid, uint32_t timeline, uint64_t above) {
  uint64_t epoch = 0;
  RETURN_IF_ERROR(session.InTransaction([&]() -> absl::Status {
    ASSIGN_OR_RETURN(
        const pg::Result record,
        session.Query("SELECT timeline FROM switchyard.capture_stream WHERE stream = $1 FOR UPDATE",
                      {stream.name}));
    ASSIGN_OR_RETURN(const pg::Result holder,
                     session.Query("SELECT coalesce(active_pid, 0) FROM pg_replication_slots "
                                   "WHERE slot_name = $1",
                                   {stream.slot}));
    if (holder.rows() == 0 || holder.i64(0, 0) != walsender_pid) {
      return absl::AbortedError(absl::StrFormat("slot %s is not held any more", stream.slot));
    }
    if (record.rows() == 0) {
      return Refuse(
          absl::StrFormat("the record of stream %s was deleted from switchyard.capture_stream",
                          stream.name),
          kCopyAllAnew);
    }
    if (record.i64(0, 0) != timeline) {
      return absl::AbortedError(
          absl::StrFormat("stream %s went on on timeline %d", stream.name, record.i64(0, 0)));
    }
    ASSIGN_OR_RETURN(const pg::Result taken, session.Query(R"(
      UPDATE switchyard.capture_stream
      SET epoch = greatest(epoch, $2::bigint) + 1, refusal = NULL, updated_at = now()
      WHERE stream = $1 RETURNING epoch)",
                                                           {stream.name, std::to_string(above)}));
    epoch = Unsigned(taken.text(0, 0));
    return absl::OkStatus();
  }));
  return epoch;
}

absl::Status RecordTimeline(pg::Session& session, const std::string& stream, uint64_t epoch,
                            uint32_t timeline) {
  ASSIGN_OR_RETURN(const pg::Result moved,
                   session.Query("UPDATE switchyard.capture_stream SET timeline = $3 "
                                 "WHERE stream = $1 AND epoch = $2::bigint",
                                 {stream, std::to_string(epoch), std::to_string(timeline)}));
  if (moved.affected() > 0) return absl::OkStatus();
  return absl::AbortedError(absl::StrFormat("epoch %d has passed", epoch));
}

absl::StatusOr<bool> TryLockStream(pg::Session& session, const std::string& stream) {
  ASSIGN_OR_RETURN(const pg::Result row,
                   session.Query("SELECT pg_try_advisory_lock(hashtext($1), hashtext($2))",
                                 {kStreamLockSpace, stream}));
  return row.boolean(0, 0);
}

absl::StatusOr<std::optional<SlotState>> LoadSlot(pg::Session& session, const std::string& slot) {
  const int version = session.server_version();
  const char* invalidation = version >= 170000   ? "invalidation_reason"
                             : version >= 160000 ? "CASE WHEN conflicting THEN 'conflicting' END"
                                                 : "NULL";
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session.Query(
          absl::StrFormat("SELECT slot_type = 'logical' AND plugin = 'pgoutput', %s, "
                          "database, confirmed_flush_lsn, coalesce(%s, %s), %s, active "
                          "FROM pg_replication_slots WHERE slot_name = $1",
                          version >= pg::kTwoPhaseSlots ? "two_phase" : "false", invalidation,
                          version >= pg::kTellsSlotWal
                              ? "CASE wal_status WHEN 'lost' THEN wal_status END"
                              : "NULL",
                          version >= pg::kFailoverSlots ? "failover" : "false"),
          {slot}));
  if (rows.rows() == 0) return std::nullopt;
  SlotState state;
  state.logical_pgoutput = rows.boolean(0, 0);
  state.two_phase = rows.boolean(0, 1);
  state.database = rows.str(0, 2);
  ASSIGN_OR_RETURN(state.confirmed_flush, LsnOrZero(rows, 0, 3));
  state.invalidation = rows.str(0, 4);
  state.failover = rows.boolean(0, 5);
  state.active = rows.boolean(0, 6);
  return state;
}

absl::StatusOr<std::optional<SlotHolder>> LoadSlotHolder(pg::Session& session,
                                                         const std::string& slot,
                                                         const std::string& capture_name) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''),
           (a.usename = current_user AND a.application_name = $2) IS TRUE
    FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
    WHERE s.slot_name = $1)",
                                                        {slot, capture_name}));
  if (rows.rows() == 0) return std::nullopt;
  return SlotHolder{.pid = static_cast<int>(rows.i64(0, 0)),
                    .role = rows.str(0, 1),
                    .application_name = rows.str(0, 2),
                    .is_capture = rows.boolean(0, 3)};
}

absl::Status RequestCopies(pg::Session& session, const std::string& stream,
                           const std::vector<const catalog::Table*>& tables, bool recopy) {
  for (const catalog::Table* table : tables) {
    RETURN_IF_ERROR(
        Run(session, R"(
      INSERT INTO switchyard.capture_copy AS c
        (stream, relation_id, schema_name, table_name, generation, recopy, state, rows, bytes)
      VALUES ($1, $2, $3, $4, 0, $5, 'pending', $6, $7)
      ON CONFLICT (stream, relation_id) DO UPDATE SET schema_name = excluded.schema_name,
        table_name = excluded.table_name, state = 'pending', rows = excluded.rows,
        bytes = excluded.bytes, rows_done = 0, bytes_done = 0, lsn = NULL, started_at = NULL,
        finished_at = NULL,
        -- A table whose first copy never ended is still part of the initial copy.
        recopy = excluded.recopy AND (c.recopy OR c.state = 'done'))",
            {stream, std::to_string(table->oid), table->schema, table->name, recopy ? "t" : "f",
             std::to_string(table->rows_estimate), std::to_string(table->bytes)}));
  }
  return absl::OkStatus();
}

absl::Status ForgetOtherCopies(pg::Session& session, const std::string& stream,
                               const TableShapes& shapes) {
  std::vector<uint32_t> oids;
  for (const auto& [oid, shape] : shapes) oids.push_back(oid);
  return Run(session,
             "DELETE FROM switchyard.capture_copy WHERE stream = $1 "
             "AND relation_id <> ALL($2::oid[])",
             {stream, Array(oids)});
}

absl::Status ForgetCopies(pg::Session& session, const std::string& stream,
                          const std::vector<uint32_t>& relation_ids) {
  return Run(
      session,
      "DELETE FROM switchyard.capture_copy WHERE stream = $1 AND relation_id = ANY($2::oid[])",
      {stream, Array(relation_ids)});
}

absl::StatusOr<std::vector<CopyRecord>> LoadUnfinishedCopies(pg::Session& session,
                                                             const std::string& stream) {
  // Partitions that were detached: nobody maps them now.
  RETURN_IF_ERROR(Run(session, R"(
    DELETE FROM switchyard.capture_copy c USING pg_class k
    WHERE c.stream = $1 AND c.state <> 'done' AND k.oid = c.relation_id AND NOT k.relispartition
      AND NOT EXISTS (SELECT FROM switchyard.capture_table t
                      WHERE t.stream = c.stream AND t.relation_id = c.relation_id))",
                      {stream}));
  // Leaves that are gone neither begin again nor have others do so; one that was never begun is a
  // partition that joined, beside rows that are there already.
  RETURN_IF_ERROR(Run(session, absl::StrCat(kParts, R"(,
    leaf AS (SELECT * FROM part WHERE root_id <> 0 AND is_there),
    again AS (
      SELECT root_id, bool_and(recopy) AS recopy FROM leaf
      WHERE state <> 'done' AND generation > 0 GROUP BY root_id)
    UPDATE switchyard.capture_copy c SET state = 'pending', recopy = again.recopy
    FROM leaf JOIN again USING (root_id)
    WHERE c.stream = $1 AND c.relation_id = leaf.relation_id
      AND (c.state = 'done' OR c.recopy <> again.recopy))"),
                      {stream}));
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(absl::StrCat(kParts, R"(
    SELECT relation_id, schema_name, table_name, generation, recopy, rows, bytes, root_id,
           NOT EXISTS (SELECT FROM part other
                       WHERE other.root_id = part.root_id AND part.root_id <> 0
                         AND other.is_there AND other.state = 'done')
    FROM part WHERE state <> 'done'
    ORDER BY error IS NULL, bytes DESC, relation_id)"),
                                                        {stream}));
  std::vector<CopyRecord> copies;
  copies.reserve(static_cast<size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) {
    copies.push_back({.relation_id = static_cast<uint32_t>(rows.i64(i, 0)),
                      .schema = rows.str(i, 1),
                      .name = rows.str(i, 2),
                      .generation = Unsigned(rows.text(i, 3)),
                      .recopy = rows.boolean(i, 4),
                      .root_id = static_cast<uint32_t>(rows.i64(i, 7)),
                      .whole = rows.boolean(i, 8),
                      .rows_estimate = rows.i64(i, 5),
                      .bytes_estimate = rows.i64(i, 6)});
  }
  return copies;
}

absl::Status BeginCopies(pg::Session& session, const std::string& stream, Lsn lsn,
                         std::vector<CopyRecord>* copies) {
  std::vector<uint32_t> oids;
  for (const CopyRecord& copy : *copies) oids.push_back(copy.relation_id);
  ASSIGN_OR_RETURN(const pg::Result begun, session.Query(R"(
    UPDATE switchyard.capture_copy
    SET generation = greatest(generation + 1, $4::bigint *
          (SELECT epoch / $4::bigint FROM switchyard.capture_stream s WHERE s.stream = $1)),
        lsn = $3::pg_lsn, state = 'copying', rows_done = 0,
        bytes_done = 0, started_at = now(), finished_at = NULL
    WHERE stream = $1 AND relation_id = ANY($2::oid[])
    RETURNING relation_id, generation)",
                                                         {stream, Array(oids), lsn.ToString(),
                                                          std::to_string(kCountsPerTimeline)}));
  std::map<uint32_t, uint64_t> generations;
  for (int i = 0; i < begun.rows(); ++i) {
    generations[static_cast<uint32_t>(begun.i64(i, 0))] = Unsigned(begun.text(i, 1));
  }
  for (CopyRecord& copy : *copies) {
    const auto generation = generations.find(copy.relation_id);
    if (generation != generations.end()) copy.generation = generation->second;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<event::v1::FinishedCopy>> LoadFinishedCopies(pg::Session& session,
                                                                        const std::string& stream) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT relation_id, generation FROM switchyard.capture_copy
    WHERE stream = $1 AND state = 'done' ORDER BY relation_id)",
                                                        {stream}));
  std::vector<event::v1::FinishedCopy> copies(static_cast<size_t>(rows.rows()));
  for (int i = 0; i < rows.rows(); ++i) {
    copies[static_cast<size_t>(i)].set_relation_id(static_cast<uint32_t>(rows.i64(i, 0)));
    copies[static_cast<size_t>(i)].set_generation(Unsigned(rows.text(i, 1)));
  }
  return copies;
}

absl::Status RecordProgress(pg::Session& session, const std::string& stream,
                            const std::vector<CopyProgress>& progress) {
  if (progress.empty()) return absl::OkStatus();
  std::vector<std::string> oids, generations, rows, bytes, done, waits;
  for (const CopyProgress& entry : progress) {
    oids.push_back(std::to_string(entry.relation_id));
    generations.push_back(std::to_string(entry.generation));
    rows.push_back(std::to_string(entry.rows));
    bytes.push_back(std::to_string(entry.bytes));
    done.emplace_back(entry.done ? "t" : "f");
    waits.push_back(entry.waits);
  }
  return Run(session, R"(
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
             {stream, Array(oids), Array(generations), Array(rows), Array(bytes), Array(done),
              ArrayLiteral(waits), kWaitsForLock});
}

absl::Status RecordCopyError(pg::Session& session, const std::string& stream, uint32_t relation_id,
                             const std::string& error) {
  return Run(session,
             "UPDATE switchyard.capture_copy SET error = $3 WHERE stream = $1 AND relation_id = $2",
             {stream, std::to_string(relation_id), error});
}

}  // namespace switchyard::capture
