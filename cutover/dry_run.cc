#include "cutover/dry_run.h"

#include <utility>

#include "absl/strings/str_format.h"

namespace switchyard::cutover {
namespace {

// Measured on two cores with Postgres 15: docs/benchmarks.md.
constexpr absl::Duration kLockOfTable = absl::Microseconds(15);
constexpr absl::Duration kCloseOfTable = absl::Microseconds(40);
constexpr absl::Duration kReplaceFunction = absl::Milliseconds(2);

// What the ports of one rehearsal share.
struct Book {
  const Ports& real;
  const DryRunOptions& options;
  const Clock& clock;
  int64_t epoch = 0;  // pretended
  absl::Duration round_trip = absl::Milliseconds(1);
  absl::Duration look_at_proxies;
  absl::Duration unwritten;  // what the step under way would have taken for what it did not do
  bool computed = false;     // it is more than the journal's line
  Lsn round_trip_lsn;
  std::vector<std::string> in_the_way;

  absl::Status Pretend(absl::Duration takes) {
    unwritten += takes;
    computed = true;
    return absl::OkStatus();
  }
};

class DryLease : public Lease {
 public:
  explicit DryLease(Book* book) : book_(*book) {}
  absl::StatusOr<Ownership> Read(absl::Duration limit) override {
    ASSIGN_OR_RETURN(Ownership ownership, book_.real.lease.Read(limit));
    if (book_.epoch != 0) {
      ownership.epoch = book_.epoch;
      ownership.at_work = false;
    }
    return ownership;
  }
  absl::Status Take(int64_t from, absl::Duration) override {
    book_.epoch = from + 1;
    return book_.Pretend(book_.round_trip);
  }
  absl::Status Rest(int64_t, absl::Duration) override { return absl::OkStatus(); }

 private:
  Book& book_;
};

class DryOldRecord : public OldRecord {
 public:
  explicit DryOldRecord(Book* book) : book_(*book) {}
  absl::StatusOr<OldRow> Read(absl::Duration limit) override {
    return book_.real.old_record.Read(limit);
  }
  absl::Status Tell(const Ownership&, absl::Duration) override {
    return book_.Pretend(book_.round_trip);
  }

 private:
  Book& book_;
};

class DryFence : public Fence {
 public:
  DryFence(Book* book, Fence* real) : book_(*book), real_(*real) {}
  absl::Status Lock(const LockOptions& options) override {
    ASSIGN_OR_RETURN(const std::vector<Holder> holders, real_.Holders(options.limit));
    for (const Holder& holder : holders) {
      book_.in_the_way.push_back(absl::StrFormat("pid %d on %s for %s: %s", holder.pid,
                                                 holder.table, absl::FormatDuration(holder.age),
                                                 holder.what));
    }
    return book_.Pretend(book_.round_trip + kLockOfTable * book_.options.fenced_tables);
  }
  absl::StatusOr<std::vector<Holder>> Holders(absl::Duration limit) override {
    return real_.Holders(limit);
  }
  void Release() override {}
  absl::Status Close(const Decision&, absl::Duration) override {
    return book_.Pretend(book_.round_trip + kCloseOfTable * book_.options.fenced_tables);
  }
  absl::Status Open(const Decision&, absl::Duration) override {
    return book_.Pretend(book_.round_trip + kReplaceFunction);
  }
  absl::Status Unload(absl::Duration) override { return book_.Pretend(book_.round_trip); }

 private:
  Book& book_;
  Fence& real_;
};

class DryServer : public Server {
 public:
  DryServer(Book* book, Server* real) : book_(*book), real_(*real) {}
  absl::StatusOr<History> ReadHistory(absl::Duration limit) override {
    const absl::Time began = book_.clock.Now();
    ASSIGN_OR_RETURN(const History history, real_.ReadHistory(limit));
    book_.round_trip = book_.clock.Now() - began;
    return history;
  }
  absl::StatusOr<Lsn> WriteMarker(int64_t, absl::Duration) override {
    RETURN_IF_ERROR(book_.Pretend(book_.round_trip));
    return book_.round_trip_lsn;
  }
  absl::Status AwaitStandbys(absl::Duration limit) override { return real_.AwaitStandbys(limit); }

 private:
  Book& book_;
  Server& real_;
};

// Two statements of each side: what is read, and what is set.
class DrySequences : public Sequences {
 public:
  explicit DrySequences(Book* book) : book_(*book) {}
  absl::Status SetAhead(Side, absl::Duration) override {
    return book_.Pretend(2 * book_.round_trip);
  }
  absl::Status CheckAhead(Side, absl::Duration) override { return book_.Pretend(book_.round_trip); }

 private:
  Book& book_;
};

// A heartbeat takes the way that the marker will.
class DryStreams : public Streams {
 public:
  explicit DryStreams(Book* book) : book_(*book) {}
  absl::StatusOr<Lsn> ProveRoundTrip(Side from, absl::Duration limit) override {
    return book_.real.streams.ProveRoundTrip(from, limit);
  }
  absl::Status AwaitMarker(Side from, int64_t, Lsn, absl::Duration limit) override {
    ASSIGN_OR_RETURN(book_.round_trip_lsn, book_.real.streams.ProveRoundTrip(from, limit));
    return absl::OkStatus();
  }
  // Writers go on meanwhile, so a key that differs may be on its way: the parity gate judges that.
  absl::Status CompareRemaining(Side from, Lsn, absl::Duration limit) override {
    const absl::Status compared =
        book_.real.streams.CompareRemaining(from, book_.round_trip_lsn, limit);
    return absl::IsFailedPrecondition(compared) ? absl::OkStatus() : compared;
  }

 private:
  Book& book_;
};

class DryTraffic : public Traffic {
 public:
  explicit DryTraffic(Book* book) : book_(*book) {}
  absl::Status Verify(Side side, absl::Duration limit) override {
    return book_.real.traffic.Verify(side, limit);
  }
  absl::Status Hold(int64_t, absl::Duration limit) override {
    ASSIGN_OR_RETURN(const Ownership row, book_.real.lease.Read(limit));
    const absl::Time began = book_.clock.Now();
    RETURN_IF_ERROR(book_.real.traffic.Verify(row.owner, limit));
    book_.look_at_proxies = book_.clock.Now() - began;
    return book_.Pretend(book_.look_at_proxies);
  }
  absl::Status Flip(Side, int64_t, absl::Duration) override {
    return book_.Pretend(2 * book_.look_at_proxies);  // told, then looked at
  }
  absl::Status Resume(int64_t, absl::Duration) override { return absl::OkStatus(); }

 private:
  Book& book_;
};

class DryCanary : public Canary {
 public:
  absl::Status Write(Side, int64_t, absl::Duration) override { return absl::OkStatus(); }
  absl::Status SeenOnOther(Side, int64_t, absl::Duration) override { return absl::OkStatus(); }
  absl::Status RunChecks(Side, absl::Duration) override { return absl::OkStatus(); }
};

class DryJournal : public Journal {
 public:
  explicit DryJournal(Book* book) : book_(*book) {}
  absl::Status Write(const JournalEntry&, absl::Duration) override {
    book_.unwritten += book_.round_trip;
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<JournalEntry>> ReadLast(absl::Duration limit) override {
    return book_.real.journal.ReadLast(limit);
  }

 private:
  Book& book_;
};

class DryStandby : public StandbyDriver {
 public:
  absl::Status Watch(int64_t, absl::Duration) override { return absl::OkStatus(); }
  void Alive() override {}
  void Dismiss() override {}
};

class DryAbort : public AbortFlag {
 public:
  absl::StatusOr<std::string> AskedBy(int64_t, absl::Duration) override { return std::string(); }
};

struct DryPorts {
  explicit DryPorts(Book* book)
      : lease(book),
        old_record(book),
        old_fence(book, &book->real.old_fence),
        new_fence(book, &book->real.new_fence),
        old_server(book, &book->real.old_server),
        new_server(book, &book->real.new_server),
        sequences(book),
        streams(book),
        traffic(book),
        journal(book),
        gates(book->real.gates) {}

  Ports ports() {
    return {.lease = lease,
            .old_record = old_record,
            .old_fence = old_fence,
            .new_fence = new_fence,
            .old_server = old_server,
            .new_server = new_server,
            .sequences = sequences,
            .streams = streams,
            .traffic = traffic,
            .canary = canary,
            .journal = journal,
            .standby = standby,
            .abort = abort,
            .gates = gates};
  }

  DryLease lease;
  DryOldRecord old_record;
  DryFence old_fence;
  DryFence new_fence;
  DryServer old_server;
  DryServer new_server;
  DrySequences sequences;
  DryStreams streams;
  DryTraffic traffic;
  DryCanary canary;
  DryJournal journal;
  DryStandby standby;
  DryAbort abort;
  GateSource& gates;
};

bool WritersWait(Phase phase) { return phase >= Phase::kHold && phase <= Phase::kFlip; }

}  // namespace

Rehearsal Rehearse(Goal goal, const Ports& ports, const DryRunOptions& options, const Clock& clock,
                   const Cancel& cancel) {
  Rehearsal rehearsal;
  Book book{.real = ports, .options = options, .clock = clock};
  DryPorts dry(&book);
  Options walked = options.controller;
  walked.observe = absl::ZeroDuration();
  walked.on_step = [&](const StepReport& step) {
    // What was read takes its time; what would be written is added to it.
    const Forecast entry{
        .phase = step.phase, .took = step.took + book.unwritten, .measured = !book.computed};
    if (WritersWait(step.phase)) rehearsal.pause += entry.took;
    rehearsal.steps.push_back(entry);
    book.unwritten = absl::ZeroDuration();
    book.computed = false;
  };
  Controller controller(goal, dry.ports(), std::move(walked), clock, cancel);
  while (controller.Step()) {
  }
  rehearsal.report = controller.report();
  rehearsal.report.durable_change = false;
  rehearsal.in_the_way = std::move(book.in_the_way);
  return rehearsal;
}

}  // namespace switchyard::cutover
