#include "operate/status/status.h"

#include <utility>

namespace switchyard::operate {
namespace {

constexpr absl::Duration kRateWindow = absl::Seconds(1);

}  // namespace

absl::StatusOr<StatusReport> Status(const spec::MigrationFile& file, const Cancel& cancel) {
  StatusWatch watch(file, cancel);
  watch.Next();
  if (!cancel.WaitFor(kRateWindow)) return cancel.status();
  return watch.Next();
}

StatusWatch::StatusWatch(const spec::MigrationFile& file, const Cancel& cancel) : file_(file) {
  for (records::Stream& stream : records::StreamsOf(file)) {
    gatherers_.emplace_back(file, std::move(stream), cancel);
  }
}

StatusReport StatusWatch::Next() {
  std::vector<StreamFacts> facts;
  for (StreamGatherer& gatherer : gatherers_) facts.push_back(gatherer.Gather());
  StatusReport report = {.migration = file_.name, .owner = gatherers_.front().AskOwner()};
  for (size_t i = 0; i < facts.size(); ++i) {
    report.streams.push_back(Assess(facts[i], i < last_.size() ? &last_[i] : nullptr));
  }
  last_ = std::move(facts);
  return report;
}

}  // namespace switchyard::operate
