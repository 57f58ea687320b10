#include "common/mapping/install/prepare.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/mapping/compile/compiler.h"
#include "common/mapping/fingerprint.h"
#include "common/mapping/install/after_copy_check.h"
#include "common/mapping/install/install.h"
#include "common/mapping/install/mirror_types.h"
#include "common/mapping/install/target_setup.h"
#include "common/records/stream/stream_store.h"

namespace switchyard::mapping {
namespace {

absl::StatusOr<std::unique_ptr<pg::Session>> Connect(const spec::Endpoint& endpoint,
                                                     const char* side, const Cancel& cancel) {
  absl::StatusOr<std::unique_ptr<pg::Session>> session = pg::Session::Connect(
      {.dsn = endpoint.Connection(), .application_name = "switchyard prepare"}, cancel);
  if (!session.ok()) return Annotate(session.status(), absl::StrCat("the ", side, " database"));
  return session;
}

// The catalogue kept when the stream was installed; nullopt when it never was.
absl::StatusOr<std::optional<catalog::Catalog>> StoredCatalog(pg::Session& target,
                                                              const std::string& stream) {
  ASSIGN_OR_RETURN(const bool readable, records::MayReadStreams(target));
  if (!readable) return std::nullopt;
  ASSIGN_OR_RETURN(const records::InstalledMapping known,
                   records::StreamStore(target, stream).Mapping());
  if (known.catalog.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(catalog::Catalog catalog, catalog::CatalogFromJson(known.catalog));
  return catalog;
}

absl::StatusOr<catalog::Catalog> ReadSource(const records::Stream& stream, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const auto session, Connect(stream.source, "source", cancel));
  return catalog::LoadCatalog(*session, catalog::SourceTables(*stream.mapping),
                              {.schemas = stream.source_schemas});
}

absl::Status RefuseSameDatabase(const catalog::Catalog& source, pg::Session& session) {
  ASSIGN_OR_RETURN(const catalog::Catalog target, catalog::LoadCatalog(session, {}, {}));
  if (source.system_identifier != target.system_identifier || source.database != target.database) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "source and target are the same database (%s of system %d): NEW must be another database",
      source.database, source.system_identifier));
}

// As `check` would say it.
absl::Status RefuseUnreadyTarget(pg::Session& session, const spec::MigrationFile& file,
                                 const records::Stream& stream) {
  std::vector<spec::TableName> names = catalog::TargetTables(*stream.mapping);
  for (spec::TableName& name : LookupTables(*stream.mapping)) names.push_back(std::move(name));
  ASSIGN_OR_RETURN(const catalog::Catalog target, catalog::LoadCatalog(session, names, {}));
  ASSIGN_OR_RETURN(std::vector<Finding> faults, VerifyTarget(session, stream, target));
  if (stream.direction == records::Direction::kForward) {
    ASSIGN_OR_RETURN(const std::vector<Finding> more,
                     VerifyAfterCopy(session, file.after_copy, stream));
    faults.insert(faults.end(), more.begin(), more.end());
  }
  return FaultsToStatus(faults);
}

struct Installed {
  std::string fingerprint;
  std::vector<BoundPiece> bound;
};

absl::StatusOr<Installed> FindInstalled(pg::Session& target, const std::string& stream) {
  ASSIGN_OR_RETURN(const bool readable, records::MayReadStreams(target));
  if (!readable) return Installed();
  records::StreamStore store(target, stream);
  ASSIGN_OR_RETURN(const records::InstalledMapping known, store.Mapping());
  if (known.fingerprint.empty()) return Installed();
  ASSIGN_OR_RETURN(const std::string parts, store.Parts());
  return Installed{.fingerprint = known.fingerprint, .bound = BoundFromText(parts)};
}

// An installed mapping means what it meant when it was: its names are not looked for again.
absl::StatusOr<Plan> CompileFor(const spec::MigrationFile& file, const records::Stream& stream,
                                const catalog::Catalog& source, pg::Session& target) {
  ASSIGN_OR_RETURN(const catalog::Catalog target_catalog,
                   catalog::LoadCatalog(target, catalog::TargetTables(*stream.mapping), {}));
  ASSIGN_OR_RETURN(const Installed installed, FindInstalled(target, stream.name));
  std::vector<CompileFault> faults;
  CompileInput input{.stream = &stream,
                     .source = &source,
                     .target = &target_catalog,
                     .schemas = stream.source_schemas,
                     .bound = installed.bound};
  absl::StatusOr<Plan> plan = Compile(input, target, &faults);
  const bool another = !plan.ok() || plan->fingerprint != installed.fingerprint;
  if (another && !installed.bound.empty() &&
      (plan.ok() || absl::IsInvalidArgument(plan.status()))) {
    faults.clear();
    input.bound.clear();
    plan = Compile(input, target, &faults);
  }
  if (faults.empty()) return plan;
  std::string text;
  for (const CompileFault& fault : faults) {
    if (!text.empty()) text += '\n';
    absl::StrAppendFormat(&text, "%s:%d:%d: %s", fault.file.empty() ? file.path : fault.file,
                          fault.at.line, fault.at.column, fault.message);
  }
  return absl::InvalidArgumentError(text);
}

}  // namespace

absl::StatusOr<PreparedMapping> PrepareMapping(const spec::MigrationFile& file,
                                               const records::Stream& stream,
                                               const PrepareOptions& options,
                                               const Cancel& cancel) {
  ASSIGN_OR_RETURN(const auto target, Connect(stream.target, "target", cancel));
  std::optional<catalog::Catalog> source;
  if (!options.refresh) {
    ASSIGN_OR_RETURN(source, StoredCatalog(*target, stream.name));
  }
  const bool stored = source.has_value();
  if (!source) {
    ASSIGN_OR_RETURN(source, ReadSource(stream, cancel));
  }
  RETURN_IF_ERROR(RefuseSameDatabase(*source, *target));
  RETURN_IF_ERROR(RefuseUnreadyTarget(*target, file, stream));
  absl::StatusOr<Plan> compiled = CompileFor(file, stream, *source, *target);
  if (stored && absl::IsInvalidArgument(compiled.status())) {
    return WithNextStep(
        absl::InvalidArgumentError(
            absl::StrCat(compiled.status().message(),
                         "\nthis is with the source's tables as they were when stream ",
                         stream.name, " was installed")),
        "mend what is named, in NEW or in the file, and start again; where the file or "
        "OLD's tables were changed on purpose, run first: switchyard resume FILE");
  }
  ASSIGN_OR_RETURN(Plan plan, std::move(compiled));
  RETURN_IF_ERROR(
      InstallTarget(*target, plan, *source, {.stream = stream.name, .replace = options.refresh}));
  return PreparedMapping{.source = *std::move(source), .plan = std::move(plan)};
}

absl::StatusOr<bool> LearnValues(const records::Stream& stream, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const auto target, Connect(stream.target, "target", cancel));
  ASSIGN_OR_RETURN(const catalog::Catalog source, ReadSource(stream, cancel));
  return AddValues(*target, stream.mirror_schema, source);
}

absl::StatusOr<PreparedMapping> CompileMapping(const spec::MigrationFile& file,
                                               const records::Stream& stream,
                                               const Cancel& cancel) {
  ASSIGN_OR_RETURN(const auto target, Connect(stream.target, "target", cancel));
  ASSIGN_OR_RETURN(catalog::Catalog source, ReadSource(stream, cancel));
  RETURN_IF_ERROR(RefuseSameDatabase(source, *target));
  ASSIGN_OR_RETURN(Plan plan, CompileFor(file, stream, source, *target));
  return PreparedMapping{.source = std::move(source), .plan = std::move(plan)};
}

}  // namespace switchyard::mapping
