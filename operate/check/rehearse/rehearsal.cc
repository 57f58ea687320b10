#include "operate/check/rehearse/rehearsal.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/strings.h"
#include "common/mapping/install/prepare.h"
#include "common/records/proof/rehearsals.h"
#include "operate/check/rehearse/arms.h"
#include "operate/check/rehearse/constraints.h"
#include "operate/check/rehearse/fault_finder.h"
#include "operate/check/rehearse/ground.h"
#include "operate/check/rehearse/meeting_values.h"
#include "operate/check/rehearse/pools.h"
#include "operate/check/rehearse/sample.h"
#include "operate/check/rehearse/temporary_plan.h"
#include "operate/connect.h"

namespace switchyard::operate {
namespace {

using Verdict = RehearsalReport::Verdict;

constexpr int kBatchesOfAnEpoch = 10;
constexpr int kFillTries = 10;
constexpr int kEpochsBetweenChunks = 10;
constexpr size_t kLeftOutOfABatch = 2;
// Of these NEW refused every one: what is left proves little.
constexpr int64_t kBatchesLeast = 20;

uint64_t AnySeed() { return std::random_device{}() % 1'000'000; }

class Rehearsal {
 public:
  Rehearsal(const spec::MigrationFile& file, const RehearseOptions& options, const Cancel& cancel)
      : file_(file), options_(options), cancel_(cancel), began_(absl::Now()) {
    report_ = {.migration = file.name, .path = file.path};
    report_.seed = options.seed ? *options.seed : AnySeed();
    random_.seed(report_.seed);
  }

  absl::StatusOr<RehearsalReport> Run() {
    RETURN_IF_ERROR(Prepare());
    while (Continues()) {
      RETURN_IF_ERROR(BeginEpoch());
      for (int i = 0; i < kBatchesOfAnEpoch && Continues(); ++i) RETURN_IF_ERROR(TryNext());
    }
    Conclude();
    RETURN_IF_ERROR(KeepVerdict());
    return std::move(report_);
  }

 private:
  absl::Status Prepare() {
    const records::Stream stream = RehearsalStream(records::ForwardOf(file_));
    ASSIGN_OR_RETURN(mapping::PreparedMapping prepared,
                     mapping::CompileMapping(file_, stream, cancel_));
    report_.fingerprint = prepared.plan.fingerprint;
    ASSIGN_OR_RETURN(const auto old_session, ConnectTo(file_.old_db, "old", cancel_));
    ASSIGN_OR_RETURN(new_session_, ConnectTo(file_.new_db, "new", cancel_));
    ASSIGN_OR_RETURN(const Sample sample, ReadSample(prepared.plan, prepared.source, *old_session));
    report_.notes = sample.notes;
    ASSIGN_OR_RETURN(Constraints constraints,
                     LoadConstraints(prepared.plan, prepared.source, *old_session));
    ASSIGN_OR_RETURN(TemporaryPlan temporary, MoveIntoTemp(prepared.plan));
    ASSIGN_OR_RETURN(ground_, Ground::Make(*new_session_, std::move(temporary), constraints));
    const MeetingValues meeting = FindMeetingValues(prepared.plan);
    ASSIGN_OR_RETURN(Pools pools, MakePools({.plan = &prepared.plan,
                                             .source = &prepared.source,
                                             .sample = &sample,
                                             .meeting = &meeting,
                                             .constraints = &constraints,
                                             .seed = report_.seed},
                                            *new_session_));
    maker_ = std::make_unique<RowMaker>(ground_->plan(), std::move(pools), std::move(constraints),
                                        report_.seed);
    ASSIGN_OR_RETURN(arms_, ArmsOf(ground_->plan()));
    // What a person declared is what may be wrong, or superfluous.
    if (std::ranges::any_of(arms_, &RuleArm::declared)) {
      std::erase_if(arms_, [](const RuleArm& arm) { return !arm.declared; });
      for (const RuleArm& arm : arms_) Favour(arm);
    }
    unneeded_.assign(arms_.begin(), arms_.end());
    finder_ = std::make_unique<FaultFinder>(
        *ground_, file_, options_.show_values,
        [this](const Changes& changes) { return maker_->Possible(changes); },
        [this] { return CompileDerived(); });
    return absl::OkStatus();
  }

  // With no rule declared that can be told from its select.
  absl::StatusOr<mapping::Plan> CompileDerived() {
    spec::MigrationFile bare = file_;
    for (spec::Mapping& mapping : bare.forward.mappings) mapping.from.clear();
    absl::StatusOr<mapping::PreparedMapping> whole =
        mapping::CompileMapping(bare, records::ForwardOf(bare), cancel_);
    if (whole.ok()) return std::move(whole->plan);
    if (!absl::IsInvalidArgument(whole.status())) return whole.status();
    bare = file_;
    for (spec::Mapping& mapping : bare.forward.mappings) {
      std::vector<spec::FromRule> declared;
      std::swap(declared, mapping.from);
      if (declared.empty()) continue;
      const auto compiled = mapping::CompileMapping(bare, records::ForwardOf(bare), cancel_);
      if (!compiled.ok() && !absl::IsInvalidArgument(compiled.status())) return compiled.status();
      if (!compiled.ok()) mapping.from = std::move(declared);
    }
    ASSIGN_OR_RETURN(mapping::PreparedMapping prepared,
                     mapping::CompileMapping(bare, records::ForwardOf(bare), cancel_));
    return std::move(prepared.plan);
  }

  bool Continues() const {
    return report_.batches + report_.refused < options_.batches_max &&
           static_cast<int>(finder_->faults().size()) < options_.faults_max &&
           absl::Now() - began_ < absl::Seconds(options_.seconds_max);
  }

  void Favour(const RuleArm& arm) {
    favoured_.insert(favoured_.end(), arm.sources.begin(), arm.sources.end());
  }

  // Rows that NEW would refuse are left out.
  absl::Status BeginEpoch() {
    // Without rules of a person's own: what was not met yet.
    if (std::ranges::none_of(arms_, &RuleArm::declared)) {
      favoured_.clear();
      for (const RuleArm& arm : unneeded_) Favour(arm);
    }
    maker_->Favour(favoured_);
    ground_->set_in_chunks(++epochs_ % kEpochsBetweenChunks == 0);
    Changes rows = maker_->BeginEpoch();
    for (int i = 0; i < kFillTries; ++i) {
      ASSIGN_OR_RETURN(const std::string refused, ground_->Fill(rows));
      if (refused.empty()) {
        maker_->Keep(rows);
        return absl::OkStatus();
      }
      refusal_ = refused;
      std::erase_if(rows, [&](const RowChange&) { return random_() % 3 == 0; });
      if (!maker_->Possible(rows)) rows = maker_->BeginEpoch();
    }
    return ground_->Fill({}).status();
  }

  absl::Status TryNext() {
    Changes changes = maker_->NextBatch();
    if (changes.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const Outcome outcome, ground_->Try(changes, Ground::Then::kHold));
    if (!outcome.refused.empty()) {
      ++report_.refused;
      refusal_ = outcome.refused;
      return absl::OkStatus();
    }
    ++report_.batches;
    NoteCovered(changes, outcome);
    if (!outcome.misses.empty()) return finder_->Add(changes, outcome.misses);
    RETURN_IF_ERROR(KeepAndLeaveOut(changes, outcome));
    maker_->Keep(changes);
    return absl::OkStatus();
  }

  // Whether the batch, which is held, shows that a look-up is needed: by trying it without.
  absl::Status KeepAndLeaveOut(const Changes& changes, const Outcome& outcome) {
    const auto is_candidate = [&](const RuleArm& arm) { return MayShow(arm, changes, outcome); };
    if (std::ranges::none_of(unneeded_, is_candidate)) {
      return ground_->Settle(Ground::Then::kKeep);
    }
    RETURN_IF_ERROR(ground_->Settle(Ground::Then::kUndo));
    std::deque<RuleArm> tried;
    for (size_t i = unneeded_.size(); i > 0; --i) {
      RuleArm arm = std::move(unneeded_.front());
      unneeded_.pop_front();
      if (tried.size() == kLeftOutOfABatch || !is_candidate(arm)) {
        unneeded_.push_back(std::move(arm));
        continue;
      }
      ASSIGN_OR_RETURN(const bool misses, ground_->MissesWithout(arm, changes));
      if (!misses) tried.push_back(std::move(arm));
    }
    std::ranges::move(tried, std::back_inserter(unneeded_));
    return ground_->Try(changes, Ground::Then::kKeep).status();
  }

  static bool MayShow(const RuleArm& arm, const Changes& changes, const Outcome& outcome) {
    if (!outcome.changed.contains(arm.mapping)) return false;
    if (!arm.upstream.empty()) {
      return std::ranges::any_of(arm.upstream, [&](const mapping::MappingIndex upstream) {
        return outcome.changed.contains(upstream);
      });
    }
    return std::ranges::any_of(
        changes, [&](const RowChange& change) { return arm.sources.contains(change.source); });
  }

  void NoteCovered(const Changes& changes, const Outcome& outcome) {
    for (const RowChange& change : changes) tables_.insert(change.source);
    if (changes.size() != 1 || !changes[0].before || !changes[0].after || outcome.changed.empty()) {
      return;
    }
    int column = -1;
    for (size_t c = 0; c < changes[0].before->size(); ++c) {
      if ((*changes[0].before)[c] == (*changes[0].after)[c]) continue;
      if (column >= 0) return;
      column = static_cast<int>(c);
    }
    columns_.insert({changes[0].source, column});
  }

  void Conclude() {
    report_.seconds = absl::ToDoubleSeconds(absl::Now() - began_);
    report_.faults = finder_->faults();
    for (const mapping::SourceIndex s : ground_->plan().source_indices()) {
      const mapping::SourcePlan& source = ground_->plan().sources[s];
      if (tables_.contains(s)) report_.tables.push_back(source.alias);
      for (size_t c = 0; c < source.columns.size(); ++c) {
        const bool changed = columns_.contains({s, static_cast<int>(c)});
        (changed ? report_.columns : report_.not_rehearsed)
            .push_back(absl::StrCat(source.alias, ".", source.columns[c].name));
      }
    }
    report_.look_ups = static_cast<int64_t>(arms_.size());
    for (const RuleArm& arm : unneeded_) {
      report_.unneeded.push_back(
          {ground_->plan().mappings[arm.mapping].display, arm.table, arm.sql});
    }
    std::ranges::sort(report_.unneeded);
    if (!report_.faults.empty()) {
      report_.verdict = Verdict::kFaults;
    } else if (report_.batches >= kBatchesLeast && report_.batches > report_.refused) {
      report_.verdict = Verdict::kClean;
    } else {
      report_.why = absl::StrCat("only ", report_.batches, " batches could be tried, ",
                                 report_.refused, " were refused");
      if (options_.show_values && !refusal_.empty()) {
        absl::StrAppend(&report_.why, "; the last one: ", refusal_);
      }
    }
  }

  // In NEW, where it is set up; the transaction that was rehearsed in is rolled back first.
  absl::Status KeepVerdict() {
    finder_.reset();
    maker_.reset();
    ground_.reset();
    ASSIGN_OR_RETURN(report_.kept, records::MayKeepRehearsals(*new_session_));
    if (!report_.kept) return absl::OkStatus();
    return records::KeepRehearsal(*new_session_, records::ForwardOf(file_).name,
                                  {.fingerprint = report_.fingerprint,
                                   .verdict = std::string(VerdictWord(report_.verdict)),
                                   .batches = report_.batches,
                                   .faults = static_cast<int64_t>(report_.faults.size()),
                                   .seed = static_cast<int64_t>(report_.seed)});
  }

  const spec::MigrationFile& file_;
  const RehearseOptions& options_;
  const Cancel& cancel_;
  const absl::Time began_;
  RehearsalReport report_;
  std::mt19937_64 random_;
  std::unique_ptr<pg::Session> new_session_;
  std::unique_ptr<Ground> ground_;
  std::unique_ptr<RowMaker> maker_;
  std::unique_ptr<FaultFinder> finder_;
  std::vector<RuleArm> arms_;
  std::deque<RuleArm> unneeded_;  // that nobody missed so far; tried in turn
  std::vector<mapping::SourceIndex> favoured_;
  int epochs_ = 0;
  std::set<mapping::SourceIndex> tables_;
  std::set<std::pair<mapping::SourceIndex, int>> columns_;
  std::string refusal_;  // the last reason
};

}  // namespace

absl::StatusOr<RehearsalReport> Rehearse(const std::string& path, const RehearseOptions& options,
                                         const Cancel& cancel) {
  ASSIGN_OR_RETURN(const spec::MigrationFile file, spec::LoadMigrationFile(path));
  return Rehearse(file, options, cancel);
}

absl::StatusOr<RehearsalReport> Rehearse(const spec::MigrationFile& file,
                                         const RehearseOptions& options, const Cancel& cancel) {
  return Rehearsal(file, options, cancel).Run();
}

}  // namespace switchyard::operate
