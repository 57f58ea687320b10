#include "operate/mend/breach.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/finding.h"
#include "common/mapping/sensitive/sensitive.h"
#include "common/records/breaches.h"
#include "common/records/requests.h"
#include "common/records/stream/stream.h"
#include "operate/connect.h"
#include "operate/request.h"

namespace switchyard::operate {
namespace {

using nlohmann::ordered_json;
using records::Direction;

constexpr char kHidden[] = "(hidden)";
// How an id begins.
constexpr char kForward[] = "forward-";
constexpr char kReverse[] = "reverse-";

// By name alone: rows are of the source's side, and either section may name the column.
std::set<std::string> HiddenColumns(const spec::MigrationFile& file) {
  std::set<std::string> hidden;
  for (const records::Stream& stream : records::StreamsOf(file)) {
    for (const std::string& name : mapping::Sensitive(*stream.mapping).All()) {
      hidden.insert(name.substr(name.find('|') + 1));
    }
  }
  return hidden;
}

std::string Shown(const std::string& json, const std::set<std::string>& hidden) {
  if (json.empty() || hidden.empty()) return json;
  ordered_json object = ordered_json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return kHidden;
  for (auto& [name, value] : object.items()) {
    if (hidden.contains(name) || hidden.contains("*")) value = kHidden;
  }
  return object.dump();
}

absl::Status AddBreachesOf(const records::Stream& stream, int64_t limit,
                           const std::set<std::string>& hidden, const Cancel& cancel,
                           BreachReport* report) {
  const bool forward = stream.direction == Direction::kForward;
  ASSIGN_OR_RETURN(const auto session,
                   ConnectControl(stream.target, forward ? "new" : "old", cancel));
  ASSIGN_OR_RETURN(const int64_t open, records::CountBreaches(*session, stream.name));
  report->total += open;
  if (open == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<records::Breach> breaches,
                   records::OpenBreaches(*session, stream.name, limit));
  for (const records::Breach& breach : breaches) {
    report->entries.push_back({.id = absl::StrCat(forward ? kForward : kReverse, breach.id),
                               .side = forward ? "OLD" : "NEW",
                               .table = breach.source,
                               .operation = breach.operation,
                               .lsn = breach.lsn.ToString(),
                               .key = Shown(breach.key, hidden),
                               .before = Shown(breach.before, hidden),
                               .after = Shown(breach.after, hidden),
                               .seen = breach.seen});
  }
  return absl::OkStatus();
}

absl::Status NoSuchBreach(const std::string& id) {
  return absl::NotFoundError(absl::StrCat(
      "no breach ", id, " is open (any more); look with: switchyard breach FILE list"));
}

// "forward-3"
struct BreachId {
  records::Stream stream;
  int64_t number = 0;
};
absl::StatusOr<BreachId> ParseBreachId(const spec::MigrationFile& file, const std::string& id) {
  BreachId parsed;
  for (records::Stream& stream : records::StreamsOf(file)) {
    const std::string prefix = stream.direction == Direction::kForward ? kForward : kReverse;
    if (!id.starts_with(prefix) || !absl::SimpleAtoi(id.substr(prefix.size()), &parsed.number)) {
      continue;
    }
    parsed.stream = std::move(stream);
    return parsed;
  }
  return NoSuchBreach(id);
}

}  // namespace

absl::StatusOr<BreachApplied> ApplyBreach(const spec::MigrationFile& file, const std::string& id,
                                          absl::Duration wait, const Cancel& cancel) {
  ASSIGN_OR_RETURN(const BreachId breach, ParseBreachId(file, id));
  const records::Stream& stream = breach.stream;
  const bool forward = stream.direction == Direction::kForward;
  ASSIGN_OR_RETURN(const auto session,
                   ConnectControl(stream.target, forward ? "new" : "old", cancel));
  RETURN_IF_ERROR(RequireStream(*session, stream.name));
  ASSIGN_OR_RETURN(const auto open, records::FindOpenBreach(*session, stream.name, breach.number));
  if (!open.has_value()) return NoSuchBreach(id);
  records::Requests requests(*session, stream.name);
  BreachApplied applied = {.stream = stream.name};
  ASSIGN_OR_RETURN(applied.request, requests.Submit(records::RequestKind::kBreachApply,
                                                    std::to_string(breach.number)));
  ASSIGN_OR_RETURN(applied.answer, AwaitAnswer(requests, applied.request, wait, cancel));
  return applied;
}

absl::StatusOr<BreachReport> ListBreaches(const spec::MigrationFile& file, int64_t limit,
                                          const Cancel& cancel) {
  if (!file.reverse.has_value()) {
    return Refuse("the migration file has no section reverse: OLD is read and nothing else",
                  "look for what NEW refused: switchyard quarantine FILE list");
  }
  BreachReport report = {.migration = file.name};
  const std::set<std::string> hidden = HiddenColumns(file);
  for (const records::Stream& stream : records::StreamsOf(file)) {
    RETURN_IF_ERROR(AddBreachesOf(stream, limit, hidden, cancel, &report));
  }
  return report;
}

}  // namespace switchyard::operate
