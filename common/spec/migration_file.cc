#include "common/spec/migration_file.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/spec/direction_section.h"
#include "common/spec/document.h"
#include "common/spec/log_section.h"
#include "common/spec/reader.h"
#include "common/spec/sql_syntax.h"
#include "common/spec/text_file.h"

namespace switchyard::spec {
namespace {

constexpr size_t kStepBytesMax = size_t{1} << 20;

// The slot is called switchyard_<migration>_forward, and a slot's name holds at most 63 bytes.
constexpr size_t kMigrationNameMax = 40;

bool IsMigrationName(std::string_view name) {
  if (name.empty() || name.size() > kMigrationNameMax) return false;
  if (name[0] < 'a' || name[0] > 'z') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

void ReadName(Reader& in, const Node& node, std::string* out) {
  std::string name;
  if (!in.String(node, "migration", &name)) return;
  if (!IsMigrationName(name)) {
    return in.AddFault(node,
                       absl::StrFormat("migration is \"%s\"; it must be 1..%d of a-z, 0-9 and "
                                       "_, beginning with a letter (slots and topics carry "
                                       "it)",
                                       name, kMigrationNameMax));
  }
  *out = std::move(name);
}

void ReadEndpoint(Reader& in, const Node& node, const std::string& name, const std::string& folder,
                  Endpoint* out) {
  const std::string advice = absl::StrCat(
      "; secrets don't belong in this file: put the connection string into an environment variable "
      "and name it here (",
      name, ": {dsn_env: ", name == "old" ? "OLD" : "NEW", "_DSN}), or into a file (dsn_file)");
  if (node.kind == Node::Kind::kScalar) {
    return in.AddFault(node, name + " must be a map with dsn_env or dsn_file" + advice);
  }
  const auto refuse = [&](std::string_view key) {
    const auto read = [&in, advice, key](const Node& n) {
      in.AddFault(n, absl::StrCat("\"", Sv(key), "\" can't be given here", advice));
    };
    return KeyReader{.name = key, .read = read, .hidden = true};
  };
  const PresentKeys present = in.Map(
      node, name,
      {{"dsn_env", [&](const Node& n) { in.EnvironmentName(n, name + ".dsn_env", &out->dsn_env); }},
       {"dsn_file",
        [&](const Node& n) {
          if (in.String(n, name + ".dsn_file", &out->dsn_file)) {
            out->dsn_file = ResolvePath(folder, out->dsn_file);
          }
        }},
       refuse("dsn"),
       refuse("url"),
       refuse("uri"),
       refuse("password"),
       refuse("user"),
       refuse("host"),
       refuse("port"),
       refuse("dbname")});
  if (present.Has("dsn_env") && present.Has("dsn_file")) {
    in.AddFault(*present.Find("dsn_file"), name + " has dsn_env and dsn_file; it must be one");
  } else if (node.kind == Node::Kind::kMap && node.keys.empty()) {
    in.AddFault(node, name + " is empty; it must have dsn_env or dsn_file");
  }
}

void ReadSchemas(Reader& in, const Node& node, const std::string& key,
                 std::vector<std::string>* out) {
  in.List(node, key, [&](const Node& item) {
    std::string schema;
    if (!in.Identifier(item, "an entry of " + key, &schema)) return;
    if (std::find(out->begin(), out->end(), schema) != out->end()) {
      return in.AddFault(item, absl::StrCat("\"", schema, "\" stands in ", key, " twice"));
    }
    out->push_back(std::move(schema));
  });
  if (node.kind == Node::Kind::kList && node.values.empty()) {
    in.AddFault(node, key + " is empty; leave it out for public");
  }
}

void ReadSetup(Reader& in, const Node& node, const std::string& folder,
               std::vector<std::string>* out) {
  in.List(node, "setup", [&](const Node& item) {
    std::string path;
    if (!in.String(item, "an entry of setup", &path)) return;
    path = ResolvePath(folder, path);
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
      return in.AddFault(item, absl::StrCat("setup: there is no file ", path, kWriteFile));
    }
    out->push_back(std::move(path));
  });
}

void ReadAfterCopy(Reader& in, const Node& node, const std::string& folder,
                   std::vector<SchemaStep>* out) {
  in.List(node, "after_copy", [&](const Node& item) {
    SchemaStep step;
    if (!in.String(item, "an entry of after_copy", &step.path)) return;
    step.path = ResolvePath(folder, step.path);
    std::optional<std::string> sql = in.SqlFile(item, "after_copy", step.path, kStepBytesMax);
    if (!sql.has_value()) return;
    step.sql = *std::move(sql);
    if (const std::optional<SqlProblem> problem = CheckScript(step.sql)) {
      return in.AddFaultIn(step.path, PositionOf(step.sql, problem->offset), problem->message);
    }
    out->push_back(std::move(step));
  });
}

void ReadCapture(Reader& in, const Node& node, CaptureSettings* out) {
  constexpr absl::Duration kMin = absl::Milliseconds(100);
  constexpr absl::Duration kMax = absl::Minutes(10);
  in.Map(node, "capture",
         {{"copy_workers",
           [&](const Node& n) { in.Int(n, "capture.copy_workers", 1, 32, &out->copy_workers); }},
          {"copy_range",
           [&](const Node& n) {
             in.Size(n, "capture.copy_range", int64_t{1} << 20, int64_t{1} << 40,
                     &out->copy_range_bytes);
           }},
          {"heartbeat",
           [&](const Node& n) {
             in.Duration(n, "capture.heartbeat", kMin, kMax, &out->heartbeat_interval);
           }},
          {"drift_check",
           [&](const Node& n) {
             in.Duration(n, "capture.drift_check", kMin, kMax, &out->drift_check_interval);
           }},
          {"failover", [&](const Node& n) {
             bool failover = false;
             if (in.Bool(n, "capture.failover", &failover)) out->failover = failover;
           }}});
}

void ReadReplay(Reader& in, const Node& node, ReplaySettings* out) {
  in.Map(
      node, "replay",
      {{"batch_rows",
        [&](const Node& n) { in.Int(n, "replay.batch_rows", 1, 1'000'000, &out->batch_rows_max); }},
       {"batch_bytes",
        [&](const Node& n) {
          in.Size(n, "replay.batch_bytes", int64_t{64} << 10, int64_t{1} << 30,
                  &out->batch_bytes_max);
        }},
       {"quarantine_max",
        [&](const Node& n) {
          in.Int(n, "replay.quarantine_max", 0, 1'000'000, &out->quarantine_max);
        }},
       {"copy_workers",
        [&](const Node& n) { in.Int(n, "replay.copy_workers", 1, 32, &out->copy_workers); }}});
}

void CheckEndpointsDiffer(Reader& in, const Node& root, const PresentKeys& present,
                          const MigrationFile& file) {
  const bool same_variable =
      !file.old_db.dsn_env.empty() && file.old_db.dsn_env == file.new_db.dsn_env;
  const bool same_file =
      !file.old_db.dsn_file.empty() && file.old_db.dsn_file == file.new_db.dsn_file;
  if (!same_variable && !same_file) return;
  const Node* at = present.Find("new");
  in.AddFault(at == nullptr ? root : *at, "old and new are the same database: both name " +
                                              file.old_db.dsn_env + file.old_db.dsn_file);
}

void ReadFile(Reader& in, const Node& root, const std::string& folder, MigrationFile* out) {
  const PresentKeys present = in.Map(
      root, "the migration file",
      {{"migration", [&](const Node& n) { ReadName(in, n, &out->name); }, kRequired},
       {"old", [&](const Node& n) { ReadEndpoint(in, n, "old", folder, &out->old_db); }, kRequired},
       {"new", [&](const Node& n) { ReadEndpoint(in, n, "new", folder, &out->new_db); }, kRequired},
       {"log", [&](const Node& n) { ReadLog(in, n, folder, &out->log); }},
       {"schemas", [&](const Node& n) { ReadSchemas(in, n, "schemas", &out->schemas); }},
       {"new_schemas",
        [&](const Node& n) { ReadSchemas(in, n, "new_schemas", &out->new_schemas); }},
       {"aliases", [&](const Node& n) { ReadAliases(in, n, "aliases", &out->forward); }},
       {"setup", [&](const Node& n) { ReadSetup(in, n, folder, &out->setup); }},
       {"after_copy", [&](const Node& n) { ReadAfterCopy(in, n, folder, &out->after_copy); }},
       {"forward", [&](const Node& n) { ReadDirection(in, n, "forward", folder, &out->forward); },
        kRequired},
       {"reverse",
        [&](const Node& n) { ReadDirection(in, n, "reverse", folder, &out->reverse.emplace()); }},
       {"capture", [&](const Node& n) { ReadCapture(in, n, &out->capture); }},
       {"replay", [&](const Node& n) { ReadReplay(in, n, &out->replay); }}});
  const bool pairs =
      out->reverse && (!out->forward.id_maps.empty() || !out->reverse->id_maps.empty());
  out->forward.takes_pairs = pairs;
  if (out->reverse) out->reverse->takes_pairs = pairs;
  CheckEndpointsDiffer(in, root, present, *out);
  if (out->schemas.empty()) out->schemas = {"public"};
  if (out->new_schemas.empty()) out->new_schemas = {"public"};
  if (!present.Has("log")) out->log.sqlite_path = ResolvePath(folder, out->name + ".log.db");
}

// The migration file's own faults come first, then those of the files it names.
absl::Status FaultsToStatus(std::vector<Fault> found, const std::string& path,
                            std::vector<Fault>* faults) {
  const auto order = [&](const Fault& f) {
    return std::make_tuple(f.file != path, std::string_view(f.file), f.at.line, f.at.column);
  };
  std::stable_sort(found.begin(), found.end(),
                   [&](const Fault& a, const Fault& b) { return order(a) < order(b); });
  const std::string text =
      absl::StrJoin(found, "\n", [](std::string* out, const Fault& f) { *out += f.ToString(); });
  if (faults != nullptr) *faults = std::move(found);
  return absl::InvalidArgumentError(text);
}

}  // namespace

TableName IdMapTable() { return {.schema = "switchyard", .name = "id_map"}; }

std::string Fault::ToString() const {
  if (at.line == 0) return file + ": " + message;
  return absl::StrFormat("%s:%d:%d: %s", file, at.line, at.column, message);
}

absl::StatusOr<MigrationFile> LoadMigrationFile(const std::string& path, std::vector<Fault>* faults,
                                                MigrationFile* partial) {
  absl::StatusOr<std::string> text = ReadTextFile(path, kDocumentBytesMax);
  if (absl::IsInvalidArgument(text.status())) {
    std::string message(text.status().message());
    if (message.starts_with(path + " ")) message.erase(0, path.size() + 1);
    return FaultsToStatus({{.file = path, .message = std::move(message)}}, path, faults);
  }
  if (!text.ok()) {
    return WithNextStep(text.status(),
                        "give the path of the migration file, or have a first one "
                        "written: switchyard init OLD_DSN NEW_DSN --output FILE");
  }
  return ParseMigrationFile(*text, path, faults, partial);
}

absl::StatusOr<MigrationFile> ParseMigrationFile(const std::string& text, const std::string& path,
                                                 std::vector<Fault>* faults,
                                                 MigrationFile* partial) {
  std::vector<Fault> found;
  Document document;
  DocumentProblem problem;
  if (!ParseDocument(text, &document, &problem)) {
    found.push_back({.at = document.At(problem.offset), .file = path, .message = problem.message});
    return FaultsToStatus(std::move(found), path, faults);
  }
  MigrationFile file;
  file.path = path;
  Reader in(document, path, &found);
  ReadFile(in, document.root, std::filesystem::path(path).parent_path().string(), &file);
  if (found.empty()) return file;
  if (partial != nullptr) *partial = std::move(file);
  return FaultsToStatus(std::move(found), path, faults);
}

}  // namespace switchyard::spec
