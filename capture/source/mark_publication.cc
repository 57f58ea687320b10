#include "capture/source/mark_publication.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "common/records/mark.h"

namespace switchyard::capture {
namespace {

// $1 publication, $2 and $3 schema and name of the table.
constexpr char kMarkSql[] = R"(
  SELECT p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate, c.oid IS NOT NULL,
         p.puballtables OR r.oid IS NOT NULL%s,
         (to_jsonb(r) ->> 'prqual') IS NOT NULL OR (to_jsonb(r) ->> 'prattrs') IS NOT NULL
  FROM pg_publication p
  LEFT JOIN (pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace)
    ON s.nspname = $2 AND c.relname = $3 AND c.relkind = 'r' AND c.relpersistence = 'p'
  LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
  WHERE p.pubname = $1)";
// Since Postgres 15 a publication may name schemas.
constexpr char kByItsSchema[] =
    " OR EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = p.oid AND n.pnnspid = "
    "c.relnamespace)";

struct OwnTable {
  std::string name;
  std::string what_for;  // "which ..."
};

absl::Status FindFaultsOf(pg::Session& session, const records::Stream& stream,
                          const OwnTable& table, std::vector<SourceFault>* faults) {
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session.Query(
          absl::StrFormat(kMarkSql, session.server_version() >= 150000 ? kByItsSchema : ""),
          {stream.publication, records::kMarkSchema, table.name}));
  if (row.rows() == 0) return absl::OkStatus();
  const std::string name = QuoteIdentifier(stream.publication);
  const std::string full = absl::StrCat(records::kMarkSchema, ".", table.name);
  const auto add = [&](std::string problem, std::string remedy) {
    faults->push_back({.finding = {std::move(problem), std::move(remedy)}});
  };
  if (!row.boolean(0, 0) && faults->empty()) {
    add(absl::StrFormat("publication %s leaves operations out", name),
        absl::StrFormat("ALTER PUBLICATION %s SET (publish = 'insert, update, delete, truncate');",
                        name));
  }
  if (!row.boolean(0, 1)) {
    add(absl::StrFormat("the source has no %s (logged)", full),
        "run, as its owner, what `switchyard check --print-setup FILE` prints");
  } else if (!row.boolean(0, 2)) {
    add(absl::StrFormat("publication %s lacks %s, which %s", name, full, table.what_for),
        absl::StrFormat("ALTER PUBLICATION %s ADD TABLE %s;", name, full));
  } else if (row.boolean(0, 3)) {
    add(absl::StrFormat("publication %s has a row filter or column list for %s", name, full),
        absl::StrFormat("ALTER PUBLICATION %1$s DROP TABLE %2$s; ALTER PUBLICATION %1$s ADD TABLE "
                        "%2$s;",
                        name, full));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<SourceFault>> FindMarkFaults(pg::Session& session,
                                                        const records::Stream& stream) {
  std::vector<SourceFault> faults;
  RETURN_IF_ERROR(FindFaultsOf(
      session, stream,
      {records::kMarkTable, "tells what Switchyard writes from what the application does"},
      &faults));
  if (!stream.paired) return faults;
  RETURN_IF_ERROR(FindFaultsOf(
      session, stream, {stream.side_table, "says from where on which side is the application's"},
      &faults));
  return faults;
}

}  // namespace switchyard::capture
