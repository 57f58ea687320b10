// The fence of a side, on real Postgres.
#include "cutover/postgres/fence.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cutover/postgres/holders.h"
#include "tests/cutover/fence_fixture.h"

namespace switchyard::cutover {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr absl::Duration kLimit = absl::Seconds(5);

class FenceTest : public FenceFixture {
 protected:
  // What each statement, on a session of its own, ends with; `meanwhile` runs once all of them
  // wait.
  std::vector<absl::Status> Waiting(const std::vector<std::string>& statements,
                                    const std::function<void()>& meanwhile) {
    std::vector<absl::Status> ends(statements.size());
    std::vector<std::unique_ptr<pg::Session>> sessions;
    for (size_t i = 0; i < statements.size(); ++i) {
      auto session = As("app");
      EXPECT_OK(session);
      sessions.push_back(*std::move(session));
    }
    std::vector<std::thread> threads;
    for (size_t i = 0; i < statements.size(); ++i) {
      threads.emplace_back([&, i] { ends[i] = sessions[i]->Execute(statements[i]); });
    }
    EXPECT_OK(AwaitWaiting(static_cast<int>(statements.size())));
    meanwhile();
    for (std::thread& thread : threads) thread.join();
    return ends;
  }
};

TEST_F(FenceTest, WritersWaitWhileItIsProvisionalAndGoOnOnceItIsReleased) {
  Lead();
  PgFence fence(Options(Side::kOld), cancel_);
  ASSERT_OK(fence.Lock({}));
  EXPECT_OK(
      app_->Execute("SELECT FROM public.orders, public.parts, public.leaf_b"));  // readers don't
  for (const absl::Status& end :
       Waiting({"UPDATE public.orders SET note = 'x'", "INSERT INTO public.leaf_b VALUES (1, 2)"},
               [&] { fence.Release(); })) {
    EXPECT_OK(end);
  }
  EXPECT_EQ(Refused(), 0);
}

TEST_F(FenceTest, WhoeverWaitedIsRefusedOnceItIsPermanent) {
  const int64_t epoch = Lead();
  PgFence fence(Options(Side::kOld), cancel_);
  ASSERT_OK(fence.Lock({}));
  const std::vector<std::string> writes = {
      "INSERT INTO public.orders VALUES (3)",
      "UPDATE public.orders SET note = 'x'",
      "DELETE FROM public.items",
      "TRUNCATE public.items",
      "INSERT INTO public.parts VALUES (2, 1)",
      "BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE public.orders SET note = 'y'; COMMIT"};
  const auto ends = Waiting(writes, [&] { EXPECT_OK(fence.Close(DecisionOf(epoch), kLimit)); });
  for (const absl::Status& end : ends) {
    EXPECT_EQ(pg::StatusSqlState(end), kRefusedCode) << end;
    EXPECT_THAT(std::string(end.message()), HasSubstr(kTold));
  }
  EXPECT_EQ(Refused(), static_cast<int64_t>(writes.size()));
  EXPECT_EQ(Ask("SELECT count(*) FROM public.orders WHERE note IN ('a', 'b')"), "2");
}

TEST_F(FenceTest, RefusesEveryWayToWriteAndCountsThem) {
  ASSERT_OK(super_->Execute("ALTER TABLE public.items INHERIT public.parent"));
  ASSERT_OK(app_->Execute("PREPARE before AS INSERT INTO public.orders VALUES (9)"));
  CloseOld();
  // Made later: with the trigger of rows, from Postgres 13 on.
  ASSERT_OK(
      owner_->Execute("CREATE TABLE public.parts_9 PARTITION OF public.parts FOR VALUES IN (9); "
                      "GRANT ALL ON public.parts_9 TO app"));
  std::vector<std::string> writes = {
      "INSERT INTO public.orders VALUES (3)",
      "UPDATE public.orders SET note = 'x' WHERE id = 1",
      "DELETE FROM public.orders",
      "TRUNCATE public.orders",
      "TRUNCATE public.parts_1",
      "INSERT INTO public.orders VALUES (1) ON CONFLICT DO NOTHING",
      "INSERT INTO public.orders VALUES (1) ON CONFLICT (id) DO UPDATE SET note = 'x'",
      "WITH w AS (DELETE FROM public.items RETURNING id) SELECT * FROM w",
      "UPDATE public.seen SET note = 'x'",
      "INSERT INTO public.parts_1 VALUES (7, 1)",
      "INSERT INTO public.root VALUES (7, 2)",
      "UPDATE public.parent SET id = 7",
      "EXECUTE before"};
  if (app_->server_version() >= 130000)
    writes.push_back("INSERT INTO public.parts_9 VALUES (1, 9)");
  if (app_->server_version() >= 150000) {
    writes.push_back(
        "MERGE INTO public.orders o USING public.items i ON o.id = i.id "
        "WHEN MATCHED THEN UPDATE SET note = 'm'");
  }
  for (const std::string& write : writes) ExpectRefused(*app_, write);
  ExpectRefused(*owner_, writes[0]);
  ExpectRefused(*sy_, writes[0]);  // without its mark
  ASSERT_OK(super_->Execute("SET session_replication_role = replica"));
  ExpectRefused(*super_, "INSERT INTO public.orders VALUES (3)");
  ExpectRefused(*super_, "INSERT INTO public.root VALUES (7, 2)");
  ASSERT_OK(app_->BeginCopyIn("COPY public.orders FROM STDIN"));
  EXPECT_OK(app_->PutCopyData("5\tx\n"));
  EXPECT_EQ(pg::StatusSqlState(app_->EndCopyIn().status()), kRefusedCode);
  EXPECT_EQ(Refused(), static_cast<int64_t>(writes.size()) + 5);
  EXPECT_OK(app_->Execute("INSERT INTO public.root VALUES (7, 1)"));  // that leaf is not mapped
}

TEST_F(FenceTest, TransactionsWithASnapshotFromBeforeAreRefused) {
  for (const char* level : {"REPEATABLE READ", "SERIALIZABLE"}) {
    ASSERT_OK_AND_ASSIGN(const auto writer, As("app"));
    ASSERT_OK(writer->Begin(absl::StrCat("ISOLATION LEVEL ", level)));
    ASSERT_OK(writer->Execute("SELECT count(*) FROM public.root"));  // its snapshot
    const int64_t epoch = CloseOld();
    ExpectRefused(*writer, "UPDATE public.orders SET note = 'x'");
    writer->Rollback();
    PgFence fence(Options(Side::kOld), cancel_);
    ASSERT_OK(fence.Open(DecisionOf(Lead()), kLimit));
    EXPECT_GT(epoch, 0);
  }
}

TEST_F(FenceTest, AWorkerOfLogicalReplicationIsRefused) {
  ASSERT_OK(postgres_->Execute("postgres", R"(
    CREATE TABLE IF NOT EXISTS public.orders (id int PRIMARY KEY, note text);
    CREATE PUBLICATION elsewhere FOR TABLE public.orders)"));
  ASSERT_OK(postgres_->Execute(
      "postgres", "SELECT pg_create_logical_replication_slot('elsewhere', 'pgoutput')"));
  ASSERT_OK(super_->Execute(absl::StrCat(
      "CREATE SUBSCRIPTION elsewhere CONNECTION '", postgres_->dsn("postgres"),
      "' PUBLICATION elsewhere WITH (create_slot = false, copy_data = false, enabled = false, "
      "slot_name = 'elsewhere')")));
  CloseOld();
  ASSERT_OK(super_->Execute("ALTER SUBSCRIPTION elsewhere ENABLE"));
  ASSERT_OK(postgres_->Execute("postgres", "INSERT INTO public.orders VALUES (77, 'r')"));
  EXPECT_OK(testing::Await("the worker's write", absl::Seconds(20),
                           [&]() -> absl::StatusOr<bool> { return Refused() > 0; }));
  EXPECT_EQ(Ask("SELECT count(*) FROM public.orders WHERE id = 77"), "0");
  ASSERT_OK(super_->Execute("ALTER SUBSCRIPTION elsewhere DISABLE"));
  ASSERT_OK(super_->Execute("ALTER SUBSCRIPTION elsewhere SET (slot_name = NONE)"));
  ASSERT_OK(super_->Execute("DROP SUBSCRIPTION elsewhere"));
  EXPECT_OK(testing::Await("the slot at rest", absl::Seconds(20), [&]() -> absl::StatusOr<bool> {
    return Ask("SELECT count(*) FROM pg_replication_slots WHERE active") == "0";
  }));
  ASSERT_OK(postgres_->Execute("postgres", "SELECT pg_drop_replication_slot('elsewhere')"));
  ASSERT_OK(postgres_->Execute("postgres", "DROP PUBLICATION elsewhere"));
}

TEST_F(FenceTest, NothingInACallersPathTakesAPartInIt) {
  ASSERT_OK(super_->Execute("CREATE SCHEMA evil AUTHORIZATION app"));
  ASSERT_OK(app_->Execute(R"(
    CREATE FUNCTION evil.always(name, name) RETURNS bool LANGUAGE sql AS 'SELECT true';
    CREATE FUNCTION evil.always(text, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
    CREATE FUNCTION evil.always(bigint, bigint) RETURNS bool LANGUAGE sql AS 'SELECT true';
    CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.always);
    CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.always);
    CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.always);
    CREATE FUNCTION evil.nextval(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
    CREATE FUNCTION evil.txid_current() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
    SET search_path = evil, pg_catalog)"));
  CloseOld();
  ExpectRefused(*app_, "UPDATE public.orders SET note = 'x'");
  ExpectRefused(*app_, "TRUNCATE public.orders");
  EXPECT_EQ(Refused(), 2);
}

TEST_F(FenceTest, AControllerThatIsKilledLeavesTheSideAsItWas) {
  Lead();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const PgFenceOptions options = Options(Side::kOld);
  const pid_t controller = fork();
  if (controller == 0) {
    const Cancel cancel;
    PgFence fence(options, cancel);
    const char told = fence.Lock({}).ok() ? 'y' : 'n';
    if (write(ready[1], &told, 1) != 1) _exit(1);
    while (true) pause();
  }
  char told = 0;
  ASSERT_EQ(read(ready[0], &told, 1), 1);
  ASSERT_EQ(told, 'y');
  const auto ends = Waiting({"UPDATE public.orders SET note = 'x'"},
                            [&] { ASSERT_EQ(kill(controller, SIGKILL), 0); });
  EXPECT_OK(ends[0]);
  EXPECT_EQ(Refused(), 0);
  EXPECT_EQ(waitpid(controller, nullptr, 0), controller);
  close(ready[0]);
  close(ready[1]);
}

TEST_F(FenceTest, ADriverThatIsSilentForTooLongHasItsLocksTaken) {
  const int64_t epoch = Lead();
  PgFenceOptions options = Options(Side::kOld);
  options.hold_max = absl::Milliseconds(50);
  PgFence fence(options, cancel_);
  ASSERT_OK(fence.Lock({}));
  EXPECT_OK(app_->Execute("UPDATE public.orders SET note = 'x'"));  // once the server did
  EXPECT_TRUE(absl::IsAborted(fence.Close(DecisionOf(epoch), kLimit)));
  EXPECT_OK(app_->Execute("UPDATE public.orders SET note = 'y'"));
  EXPECT_TRUE(absl::IsAborted(fence.Close(DecisionOf(epoch), kLimit)));  // nothing is held
}

TEST_F(FenceTest, AnApplicationThatLocksCrosswiseNeverDiesOfADeadlock) {
  ASSERT_OK(super_->Execute("ALTER ROLE app SET deadlock_timeout = '200ms'"));
  ASSERT_OK_AND_ASSIGN(const absl::Duration least, LeastDeadlockTimeout(*sy_));
  EXPECT_EQ(least, absl::Milliseconds(200));
  Lead();
  ASSERT_OK_AND_ASSIGN(auto control,
                       pg::ControlSession::Connect({.dsn = Dsn(database_, "app")}, cancel_));
  // From the last table to the first, which is the order in which the fence doesn't take them.
  const absl::Status wrote = control->InTransaction([&](pg::ControlTransaction& tx) {
    EXPECT_OK(tx.Execute("INSERT INTO public.leaf_b VALUES (1, 2)"));
    PgFence fence(Options(Side::kOld), cancel_);
    absl::Status locked;
    std::thread driver([&] {
      locked = fence.Lock({.lock_timeout = absl::Seconds(10), .tries = 4});
      fence.Release();
    });
    EXPECT_OK(AwaitWaiting(1));  // the fence has orders by now, and waits for leaf_b
    const absl::Status crosswise = tx.Execute("UPDATE public.orders SET note = 'x'");
    driver.join();
    EXPECT_THAT(std::string(locked.message()), HasSubstr("leaf_b"));
    return crosswise;
  });
  EXPECT_OK(wrote);
  ASSERT_OK(super_->Execute("ALTER ROLE app RESET deadlock_timeout"));
}

TEST_F(FenceTest, APreparedTransactionIsNamedByItsGidAndNothingIsHeld) {
  ASSERT_OK(app_->Execute(
      "BEGIN; INSERT INTO public.items VALUES (5); PREPARE TRANSACTION 'left behind'"));
  Lead();
  PgFence fence(Options(Side::kOld), cancel_);
  const absl::Status locked = fence.Lock({.lock_timeout = absl::Milliseconds(20), .tries = 3});
  EXPECT_TRUE(absl::IsDeadlineExceeded(locked)) << locked;
  EXPECT_THAT(std::string(locked.message()), HasSubstr("prepared transaction 'left behind'"));
  EXPECT_THAT(std::string(locked.message()), HasSubstr("items"));
  EXPECT_OK(app_->Execute("UPDATE public.orders SET note = 'x'"));
  ASSERT_OK(app_->Execute("ROLLBACK PREPARED 'left behind'"));
  EXPECT_OK(fence.Lock({}));
}

TEST_F(FenceTest, TheLatePermanentFenceOfAZombieIsRefused) {
  const int64_t zombies = Lead();
  PgFence fence(Options(Side::kOld), cancel_);
  ASSERT_OK(fence.Lock({}));
  fence.Release();               // its server ended it
  const int64_t epoch = Lead();  // and another driver acts
  ASSERT_OK(fence.Lock({}));     // the zombie wakes up
  const absl::Status closed = fence.Close(DecisionOf(zombies), kLimit);
  EXPECT_TRUE(absl::IsAborted(closed)) << closed;
  EXPECT_OK(app_->Execute("UPDATE public.orders SET note = 'x'"));
  EXPECT_TRUE(absl::IsAborted(fence.Open(DecisionOf(zombies), kLimit)));
  Decision elsewhere = DecisionOf(epoch);
  elsewhere.old_history.timeline = 2;
  ASSERT_OK(fence.Lock({}));
  EXPECT_TRUE(absl::IsAborted(fence.Close(elsewhere, kLimit)));  // not the server it looked at
  EXPECT_OK(app_->Execute("UPDATE public.orders SET note = 'y'"));
}

TEST_F(FenceTest, ATakeoverWaitsForTheLocksAndOpensWhatTheyClosed) {
  const int64_t first = Lead();
  PgFence fence(Options(Side::kOld), cancel_);
  ASSERT_OK(fence.Lock({}));
  const records::NewOwnership rows(*sy_, kMigration);
  const int64_t second = (*rows.TakeEpoch(first, "standby"))->epoch;
  PgFence standby(Options(Side::kOld), cancel_);
  EXPECT_TRUE(absl::IsDeadlineExceeded(standby.Open(DecisionOf(second), absl::Milliseconds(30))));
  absl::Status opened;
  std::thread takeover([&] { opened = standby.Open(DecisionOf(second), kLimit); });
  EXPECT_OK(AwaitWaiting(1));
  EXPECT_OK(fence.Close(DecisionOf(first), kLimit));  // just before
  takeover.join();
  EXPECT_OK(opened);
  EXPECT_OK(app_->Execute("UPDATE public.orders SET note = 'x'"));
  EXPECT_OK(standby.Unload(kLimit));
  EXPECT_THAT(*LoadedTables(*sy_, kMigration), IsEmpty());
}

TEST_F(FenceTest, TriggersOfAClosedSideAreNotTakenOff) {
  const int64_t epoch = CloseOld();
  PgFence zombie(Options(Side::kOld), cancel_);
  EXPECT_OK(zombie.Unload(kLimit));  // late: it was asked for when OLD was open
  ASSERT_OK(super_->Execute("SET session_replication_role = replica"));
  ExpectRefused(*super_, "UPDATE public.orders SET note = 'x'");
  EXPECT_EQ(pg::StatusSqlState(sy_->Execute(
                absl::StrCat("SELECT switchyard.fence_open('shop', ", epoch - 1, ")"))),
            "SY002");
  EXPECT_NE(pg::StatusSqlState(app_->Execute("SELECT switchyard.fence_open('shop', 99)")), "");
  ExpectRefused(*app_, "UPDATE public.orders SET note = 'x'");
}

TEST_F(FenceTest, SwitchyardWritesTheClosedSideUnderTheMarkOfItsEpochOnly) {
  records::Gate before(*sy_, "shop.reverse");
  ASSERT_OK(before.Claim({records::kApplies}));
  CloseOld();
  const auto write = [&](records::Gate& gate) {
    return sy_->InTransaction([&]() -> absl::Status {
      RETURN_IF_ERROR(gate.Pass(records::kApplies));
      return sy_->Execute(
          "INSERT INTO public.orders VALUES (8); UPDATE public.orders SET note = 'r' WHERE id = 8; "
          "DELETE FROM public.items");
    });
  };
  EXPECT_TRUE(absl::IsAborted(write(before)));
  records::Gate now(*sy_, "shop.reverse");
  ASSERT_OK(now.Claim({records::kApplies}));
  EXPECT_OK(write(now));
  EXPECT_EQ(Ask("SELECT note FROM public.orders WHERE id = 8"), "r");
  EXPECT_EQ(Ask("SELECT count(*) FROM public.items"), "0");
  // Not a mark of an earlier transaction, nor one of somebody else.
  ExpectRefused(*sy_, "UPDATE public.orders SET note = 'x'");
  ExpectRefused(*super_,
                "BEGIN; UPDATE switchyard.mark SET xid = txid_current(); "
                "UPDATE public.orders SET note = 'x'; COMMIT");
}

class NewFenceTest : public FenceTest {
 protected:
  void SetUp() override {
    FenceTest::SetUp();
    ASSERT_OK(owner_->Execute("SELECT switchyard.fence_remove('shop')"));
    ASSERT_OK(owner_->Execute(records::FenceSetupSql(Setup(true))));
    ASSERT_OK(owner_->Execute(records::FenceTablesSql(Setup(true))));
  }
};

TEST_F(NewFenceTest, IsClosedToTheApplicationBeforeTheFirstCutoverAndNotToTheReplayer) {
  records::Gate gate(*sy_, "shop.forward");
  ASSERT_OK(gate.Claim({records::kApplies}));
  PgFence fence(Options(Side::kNew), cancel_);
  ASSERT_OK(fence.CloseUnowned({}, kLimit));
  ExpectRefused(*app_, "UPDATE public.orders SET note = 'x'");
  ExpectRefused(*app_, "INSERT INTO public.root VALUES (7, 2)");
  EXPECT_THAT(*FindFenceFaults(*sy_, kMigration, Tables()), IsEmpty());
  EXPECT_EQ(Ask("SELECT string_agg(DISTINCT tgenabled::text, '') FROM pg_trigger WHERE tgname LIKE "
                "'%fence_shop_row'"),
            "O");
  EXPECT_OK(sy_->InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(gate.Pass(records::kApplies));
    return sy_->Execute("UPDATE public.orders SET note = 'f'; DELETE FROM public.items");
  }));
  ASSERT_OK(fence.CloseUnowned({}, kLimit));  // again
}

TEST_F(NewFenceTest, OpensWithOwnershipAndClosesWithIt) {
  PgFence fence(Options(Side::kNew), cancel_);
  ASSERT_OK(fence.CloseUnowned({}, kLimit));
  const int64_t zombies = Lead();
  const int64_t epoch = Lead();
  EXPECT_TRUE(absl::IsAborted(fence.Open(DecisionOf(zombies), kLimit)));
  ExpectRefused(*app_, "UPDATE public.orders SET note = 'x'");
  ASSERT_OK(fence.Open(DecisionOf(epoch), kLimit));
  EXPECT_OK(app_->Execute("UPDATE public.orders SET note = 'n'"));
  ASSERT_OK(fence.Unload(kLimit));
  EXPECT_THAT(*LoadedTables(*sy_, kMigration), IsEmpty());
  EXPECT_TRUE(absl::IsAborted(fence.CloseUnowned({}, kLimit)));  // it owns
  EXPECT_OK(app_->Execute("UPDATE public.orders SET note = 'o'"));
  const auto row = records::NewOwnership(*sy_, kMigration).Load();
  EXPECT_EQ((*row)->flip.old_lsn, Lsn(0x10));
  EXPECT_EQ((*row)->flip.new_server.system_identifier, history_.system_identifier);
  // Back.
  const int64_t back = (*records::NewOwnership(*sy_, kMigration).TakeEpoch(epoch, "x"))->epoch;
  ASSERT_OK(fence.Lock({}));
  EXPECT_TRUE(absl::IsAborted(fence.Close(DecisionOf(epoch), kLimit)));
  ASSERT_OK(fence.Lock({}));
  ASSERT_OK(fence.Close(DecisionOf(back), kLimit));
  ExpectRefused(*app_, "UPDATE public.orders SET note = 'x'");
  EXPECT_EQ((*records::NewOwnership(*sy_, kMigration).Load())->owner, records::Side::kOld);
}

TEST_F(FenceTest, WhatWasDoneToItsTriggersIsNoticed) {
  EXPECT_THAT(*FindFenceFaults(*sy_, kMigration, Tables()), IsEmpty());
  const std::string before = *FenceFingerprint(*sy_, kMigration);
  EXPECT_EQ(*FenceFingerprint(*sy_, kMigration), before);
  CloseOld();
  EXPECT_THAT(*FindFenceFaults(*sy_, kMigration, Tables()), IsEmpty());
  const std::string closed = *FenceFingerprint(*sy_, kMigration);
  EXPECT_NE(closed, before);
  ASSERT_OK(super_->Execute("ALTER TABLE public.orders DISABLE TRIGGER ALL"));
  ASSERT_OK(super_->Execute("ALTER TABLE public.orders ENABLE TRIGGER ALL"));
  EXPECT_NE(*FenceFingerprint(*sy_, kMigration), closed);
  auto faults = *FindFenceFaults(*sy_, kMigration, Tables());
  ASSERT_EQ(faults.size(), 1);
  EXPECT_THAT(faults[0].what, HasSubstr("orders"));
  ASSERT_OK(super_->Execute("ALTER FUNCTION switchyard.fence_shop() SET search_path = public"));
  ASSERT_OK(owner_->Execute("DROP TRIGGER _switchyard_fence_shop_row ON public.items"));
  faults = *FindFenceFaults(*sy_, kMigration, {"public.orders", "public.items", "public.nowhere"});
  EXPECT_EQ(faults.size(), 4);
  faults = *FindFenceFaults(*sy_, "other", Tables());
  EXPECT_EQ(faults.size(), 1);
}

TEST_F(FenceTest, DoesNotCloseWhereATriggerIsMissing) {
  const int64_t epoch = Lead();
  ASSERT_OK(owner_->Execute("DROP TRIGGER _switchyard_fence_shop_row ON public.items"));
  PgFence fence(Options(Side::kOld), cancel_);
  ASSERT_OK(fence.Lock({}));
  const absl::Status closed = fence.Close(DecisionOf(epoch), kLimit);
  EXPECT_TRUE(absl::IsFailedPrecondition(closed)) << closed;
  EXPECT_THAT(std::string(closed.message()), HasSubstr("items"));
  EXPECT_OK(app_->Execute("UPDATE public.items SET note = 'x'"));
}

TEST_F(FenceTest, APartitionMadeSinceItWasSetUpIsFencedToo) {
  if (app_->server_version() < 130000) GTEST_SKIP() << "there it is drift, and closes nothing";
  ASSERT_OK(
      owner_->Execute("CREATE TABLE public.parts_2 PARTITION OF public.parts FOR VALUES IN (2); "
                      "GRANT ALL ON public.parts_2 TO app"));
  CloseOld();
  ExpectRefused(*app_, "INSERT INTO public.parts_2 VALUES (1, 2)");
  ExpectRefused(*app_, "TRUNCATE public.parts_2");
  ASSERT_OK(owner_->Execute("SELECT switchyard.fence_remove('shop')"));
  EXPECT_OK(app_->Execute("TRUNCATE public.parts_2"));
}

}  // namespace
}  // namespace switchyard::cutover
