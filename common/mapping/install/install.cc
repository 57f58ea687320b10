#include "common/mapping/install/install.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/mapping/fingerprint.h"
#include "common/mapping/install/analyze.h"
#include "common/mapping/install/mirror_types.h"
#include "common/mapping/install/target_setup.h"
#include "common/mapping/plan_change.h"
#include "common/records/id_map.h"
#include "common/records/mark.h"
#include "common/records/quarantine_entries.h"
#include "common/records/requests.h"
#include "common/records/stream/stream.h"
#include "common/records/stream/stream_store.h"
#include "common/records/target_sql.h"

namespace switchyard::mapping {
namespace {

constexpr char kInstallLock[] = "hashtextextended('switchyard install', 0)";

absl::Status EnsureOwnTables(pg::Session& session, const Plan& plan) {
  ASSIGN_OR_RETURN(const bool there, records::HasOwnTables(session, plan.mirror_schema));
  if (there) return absl::OkStatus();
  const absl::Status made =
      session.Execute(records::TargetSetupSql() + records::MirrorSchemaSql(plan.mirror_schema));
  if (made.ok() || pg::StatusSqlState(made) != "42501") return made;
  return Refuse(
      "the target database has no schema switchyard, or that of an older version, and this role "
      "may not make it",
      "run, as its owner, what `switchyard check FILE --print-setup-new` prints");
}

// `body` with names looked for in `path`, and afterwards where they were before.
absl::Status WithPath(pg::Session& session, const std::string& path,
                      absl::FunctionRef<absl::Status()> body) {
  ASSIGN_OR_RETURN(const pg::Result before, session.Query("SHOW search_path"));
  RETURN_IF_ERROR(session.Execute("SET LOCAL search_path = " + path));
  RETURN_IF_ERROR(body());
  return session.Query("SELECT pg_catalog.set_config('search_path', $1, true)", {before.str(0, 0)})
      .status();
}

absl::Status DropViews(pg::Session& session, const Plan& plan) {
  ASSIGN_OR_RETURN(const pg::Result old_views,
                   session.Query("SELECT format('%I.%I', schemaname, viewname) FROM pg_views "
                                 "WHERE schemaname = $1 AND starts_with(viewname, $2)",
                                 {kProductSchema, plan.view_prefix}));
  for (int i = 0; i < old_views.rows(); ++i) {
    RETURN_IF_ERROR(session.Execute("DROP VIEW " + old_views.str(i, 0)));
  }
  return absl::OkStatus();
}

absl::Status MakeViews(pg::Session& session, const Plan& plan) {
  RETURN_IF_ERROR(DropViews(session, plan));
  // Unqualified tables in a select are the source's: the mirror comes first.
  const std::string path =
      absl::StrCat(QuoteIdentifier(plan.mirror_schema), ", ", plan.search_path);
  return WithPath(session, path, [&]() -> absl::Status {
    for (const MappingPlan& mapping : plan.mappings) {
      if (mapping.row_local) continue;
      RETURN_IF_ERROR(Annotate(session.Execute(mapping.keyed.view_ddl), mapping.display));
    }
    return absl::OkStatus();
  });
}

// Until their copies are swapped in, tables of another shape take no changes: the log may still
// hold rows of any shape they had.
absl::Status PutInDoubt(pg::Session& session, const std::string& stream,
                        const std::vector<std::string>& tables) {
  for (const std::string& table : tables) {
    RETURN_IF_ERROR(
        records::Requests(session, stream)
            .DoubtAfterChange(
                table, TextOf({table + " is to be copied again since the mapping was replaced",
                               "switchyard recopy FILE " + table})));
  }
  return absl::OkStatus();
}

// What is asked of both sides once the changed mapping is in place. In the transaction that puts it
// there: a mapping that changed without its rows being made again would be wrong for ever.
absl::Status RequestResume(pg::Session& session, const std::string& stream,
                           const PlanChange& change) {
  RETURN_IF_ERROR(PutInDoubt(session, stream, change.recopy));
  records::Requests requests(session, stream);
  RETURN_IF_ERROR(requests.AskForDoubted());
  return requests.Submit(records::RequestKind::kResume, ResumeWorkToText(change)).status();
}

// The catalogue that the installed mapping was compiled from; nothing is in it where none is.
absl::StatusOr<catalog::Catalog> CatalogBefore(pg::Session& session, const std::string& stream) {
  ASSIGN_OR_RETURN(const records::InstalledMapping known,
                   records::StreamStore(session, stream).Mapping());
  if (known.fingerprint.empty()) return catalog::Catalog();
  return catalog::CatalogFromJson(known.catalog);
}

// What the installed mapping left that the new one can't go on with.
absl::Status MakeRoomForChange(pg::Session& session, const Plan& plan,
                               const catalog::Catalog& source, const PlanChange& change) {
  for (const MappingIndex mapping : change.new_mappings) {
    if (!plan.mirror_only) RETURN_IF_ERROR(RefuseForeignRows(session, plan.mappings[mapping]));
  }
  for (const SourceIndex index : change.sources) {
    const SourcePlan& table = plan.sources[index];
    RETURN_IF_ERROR(
        Annotate(session.Execute("DROP TABLE IF EXISTS " +
                                 QuoteQualified(plan.mirror_schema, table.alias) + " CASCADE"),
                 "mirror of " + table.name));
  }
  RETURN_IF_ERROR(DropViews(session, plan));
  return DropTypes(session, plan.mirror_schema, source, change.types);
}

// Nobody would ever answer what is asked of a table that is read no more.
absl::Status ForgetRequests(pg::Session& session, const std::string& stream, const Plan& plan) {
  records::Requests requests(session, stream);
  for (const auto kind : {records::RequestKind::kRecopy, records::RequestKind::kInDoubt}) {
    ASSIGN_OR_RETURN(const auto open, requests.Open(kind));
    for (const records::Request& request : open) {
      const bool read = std::ranges::any_of(plan.sources, [&](const SourcePlan& source) {
        return request.argument == source.name ||
               request.argument == source.schema + "." + source.name;
      });
      if (read) continue;
      RETURN_IF_ERROR(requests.Answer(request.id, records::RequestState::kFailed,
                                      TextOf({"no mapping reads the table any more",
                                              "switchyard plan FILE lists those that are read"})));
    }
  }
  return absl::OkStatus();
}

// What a mapping that is no longer there owned waits for nobody: its tables are made again.
absl::Status ForgetOrphans(pg::Session& session, const std::string& stream, const Plan& plan) {
  records::QuarantineEntries entries(session, stream);
  ASSIGN_OR_RETURN(const std::vector<std::string> targets, entries.Targets());
  for (const std::string& target : targets) {
    if (std::ranges::count(plan.mappings, target, &QuarantineTarget) > 0) continue;
    if (target == records::kIdMapTarget) continue;
    RETURN_IF_ERROR(entries.ForgetTarget(target));
  }
  return ForgetRequests(session, stream, plan);
}

absl::Status InstallPlan(pg::Session& session, records::Gate& gate, const Plan& plan,
                         const catalog::Catalog& source, const InstallOptions& options) {
  RETURN_IF_ERROR(gate.Pass(records::kResumes));
  records::StreamStore stream(session, options.stream);
  ASSIGN_OR_RETURN(const std::string known, stream.LockFingerprint());
  const bool installed = !known.empty();
  const bool same = installed && known == plan.fingerprint;
  if (same && !options.replace) return absl::OkStatus();
  if (installed && !options.replace) {
    return Refuse(
        absl::StrFormat("the mapping or a table of the source changed since stream %s was "
                        "installed (fingerprint %s, now %s)",
                        options.stream, known, plan.fingerprint),
        "if that is meant, run: switchyard resume FILE");
  }
  PlanChange change;
  if (installed) {
    ASSIGN_OR_RETURN(change, InstalledChange(session, options.stream, plan, source));
    if (same && change.empty() && change.types.empty()) {
      // The tables may have other leaves, and types other oids, than when it was kept.
      RETURN_IF_ERROR(stream.SetCatalog(catalog::CatalogToJson(source)));
      return records::Requests(session, options.stream).AskForDoubted();
    }
    RETURN_IF_ERROR(MakeRoomForChange(session, plan, source, change));
    RETURN_IF_ERROR(ForgetOrphans(session, options.stream, plan));
  } else {
    RETURN_IF_ERROR(RefuseSecondStream(session, options.stream));
    for (const MappingPlan& mapping : plan.mappings) {
      if (!plan.mirror_only) RETURN_IF_ERROR(RefuseForeignRows(session, mapping));
    }
  }
  RETURN_IF_ERROR(
      WithPath(session, plan.search_path, [&] { return MakeTypes(session, plan, source); }));
  for (const SourcePlan& table : plan.sources) {
    for (const std::string& ddl : table.mirror_ddl) {
      RETURN_IF_ERROR(Annotate(session.Execute(ddl), "mirror of " + table.name));
    }
  }
  RETURN_IF_ERROR(MakeViews(session, plan));
  RETURN_IF_ERROR(
      stream.Install({.fingerprint = plan.fingerprint, .catalog = catalog::CatalogToJson(source)},
                     PartsToText(plan.parts) + BoundToText(plan.bound)));
  if (!installed) return absl::OkStatus();
  return change.empty() ? records::Requests(session, options.stream).AskForDoubted()
                        : RequestResume(session, options.stream, change);
}

// Whether any was missing.
absl::StatusOr<bool> MakeIndexes(pg::Session& session, const Plan& plan, const SourcePlan& source) {
  bool made = false;
  for (const auto& [name, ddl] : source.mirror_indexes) {
    ASSIGN_OR_RETURN(
        const pg::Result there,
        session.Query("SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                      "WHERE n.nspname = $1 AND c.relname = $2",
                      {plan.mirror_schema, name}));
    if (there.rows() > 0) continue;
    LogInfo("mapping", "making an index of a mirror", {{"table", source.name}, {"index", ddl}});
    RETURN_IF_ERROR(Annotate(session.Execute(ddl), "index on the mirror of " + source.name));
    made = true;
  }
  return made;
}

}  // namespace

absl::StatusOr<PlanChange> InstalledChange(pg::Session& session, const std::string& stream,
                                           const Plan& plan, const catalog::Catalog& source) {
  ASSIGN_OR_RETURN(const std::string known, records::StreamStore(session, stream).Parts());
  ASSIGN_OR_RETURN(const std::vector<PlanPart> parts, PartsFromText(known));
  PlanChange change = ComparePlans(parts, plan);
  ASSIGN_OR_RETURN(const catalog::Catalog before, CatalogBefore(session, stream));
  ASSIGN_OR_RETURN(change.types, ChangedTypes(session, plan.mirror_schema, before, source));
  AddRetyped(plan, SourcesOfTypes(plan, source, change.types), &change);
  return change;
}

absl::Status RefuseForeignRows(pg::Session& session, const MappingPlan& mapping) {
  if (mapping.keyed.patch.on) return absl::OkStatus();  // its rows are there before, and stay
  const std::string owns = mapping.owned.empty() ? "" : " WHERE " + mapping.owned;
  ASSIGN_OR_RETURN(const pg::Result row,
                   session.Query("SELECT EXISTS (SELECT FROM " + mapping.target + owns + ")"));
  if (!row.boolean(0, 0)) return absl::OkStatus();
  return Refuse(
      absl::StrFormat("%s is not empty: the copy would mix with rows that are there already",
                      mapping.display),
      "empty it, or say under `owns` which rows belong to the migration");
}

absl::Status InstallTarget(pg::Session& session, const Plan& plan, const catalog::Catalog& source,
                           const InstallOptions& options) {
  // One at a time: CREATE ... IF NOT EXISTS by two replayers that start together would collide.
  // Locked before the transaction begins, which is when a session learns what others created.
  RETURN_IF_ERROR(session.Execute(absl::StrCat("SELECT pg_advisory_lock(", kInstallLock, ")")));
  absl::Status installed = session.InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(EnsureOwnTables(session, plan));
    // By itself, before the rest: a view may use a value only once the transaction that added it
    // has ended. Harmless if the rest fails, as values are only added.
    return options.replace ? AddValues(session, plan.mirror_schema, source).status()
                           : absl::OkStatus();
  });
  records::Gate gate(session, options.stream);
  if (installed.ok()) installed = gate.Claim({records::kResumes});
  if (installed.ok()) {
    installed =
        session.InTransaction([&] { return InstallPlan(session, gate, plan, source, options); });
  }
  const absl::Status unlocked =
      session.Execute(absl::StrCat("SELECT pg_advisory_unlock(", kInstallLock, ")"));
  return installed.ok() ? unlocked : installed;
}

absl::Status BuildMirrorIndexes(pg::Session& session, const Plan& plan) {
  for (const SourcePlan& source : plan.sources) {
    RETURN_IF_ERROR(BuildMirrorIndexes(session, plan, source));
  }
  return absl::OkStatus();
}

absl::Status BuildMirrorIndexes(pg::Session& session, const Plan& plan, const SourcePlan& source) {
  if (!source.mirrored) return absl::OkStatus();
  RETURN_IF_ERROR(MakeIndexes(session, plan, source).status());
  ASSIGN_OR_RETURN(Analyzer analyzer, Analyzer::Make(session, {source.mirror.target}));
  return analyzer.Analyze(source.mirror.target);
}

absl::Status AddMirrorIndexes(pg::Session& session, const Plan& plan) {
  for (const SourcePlan& source : plan.sources) {
    ASSIGN_OR_RETURN(const bool made, MakeIndexes(session, plan, source));
    // Until then nothing is known of how many rows share an expression.
    if (made) RETURN_IF_ERROR(session.Execute("ANALYZE " + source.mirror.target));
  }
  return absl::OkStatus();
}

}  // namespace switchyard::mapping
