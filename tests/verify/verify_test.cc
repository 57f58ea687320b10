// Promise 4: both databases held against each other while they are at work. No false alarm, no
// false calm.
#include <atomic>
#include <csignal>
#include <thread>

#include "tests/verify/verify_fixture.h"

namespace switchyard::testing {
namespace {

using ::testing::HasSubstr;

using VerifyTest = VerifyFixture;

// Promise 4.1.
TEST_F(VerifyTest, IsExactWhileOldIsWrittenAtFullSpeed) {
  Start();
  std::atomic<bool> done = false;
  std::atomic<int> written = 0;
  std::vector<std::thread> writers;
  for (int w = 0; w < 2; ++w) {
    writers.emplace_back([&, w] {
      auto session = postgres_->Connect("old_db");
      ASSERT_OK(session);
      while (!done) {
        const std::string n = std::to_string(written++);
        EXPECT_OK((*session)->Execute(absl::StrCat(
            "BEGIN; INSERT INTO orders VALUES (1000 + ", n, ", 'new', 1.50);",
            "UPDATE items SET price = price + 1, label = label || '' WHERE id % 50 = ", w, "; ",
            "UPDATE customers SET email = 'moved' || ", n, " % 30 WHERE id = 1 + ", w * 75, " + ",
            n, " % 70; DELETE FROM orders WHERE id = 900 + ", n, "; COMMIT")));
      }
    });
  }
  for (int pass = 0; pass < 4; ++pass) {
    const int before = written;
    const Json json = Verify(0);
    EXPECT_EQ(json["verdict"], "clean") << json.dump(1);
    EXPECT_EQ(json["tables"].size(), 4);
    EXPECT_GT(written, before);
  }
  done = true;
  for (std::thread& writer : writers) writer.join();
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(Verify(0)["verdict"], "clean");
}

// A patched table holds more than its mapping tells: what is told has to be so all the same.
TEST_F(VerifyTest, OfAPatchedTableThatIsComparedWhichItsMappingGives) {
  Start(kVerifiedOld, R"(
    CREATE TABLE people (id int PRIMARY KEY, email text, label text, note text);
    INSERT INTO people SELECT i, 'Person' || i % 90 || '@x', 'other', 'kept'
      FROM generate_series(1, 151) i)",
        "  - table: public.people\n    mode: patch\n    vanish: leave\n    lossy: [label]\n"
        "    copy: customers\n    set: {label: \"'person ' || id\"}\n");
  const Json clean = Verify(0);
  EXPECT_EQ(Table(clean, "public.people"), "150 compared, 0 missing, 0 different, 0 extra: clean");
  EXPECT_THAT(clean["left_out"].dump(), HasSubstr("lossy columns of public.people: label"));
  EXPECT_THAT(clean["left_out"].dump(), HasSubstr("that its mapping does not give"));
  ASSERT_OK(
      OnNew("UPDATE people SET email = 'else' WHERE id = 7; DELETE FROM people WHERE id = 8"));
  const Json json = Verify(1, {"--repair"});
  EXPECT_EQ(Table(json, "public.people"),
            "150 compared, 1 missing, 1 different, 0 extra: different");
  EXPECT_THAT(json["repairs"].dump(), HasSubstr("public.people is patched"));
  EXPECT_EQ(New("SELECT email FROM people WHERE id IN (7, 8)"), "else");
}

// Promise 4.2.
TEST_F(VerifyTest, FindsWhatWasChangedByHandInEachKindOfTable) {
  Start();
  const Json clean = Verify(0);
  EXPECT_EQ(Table(clean, "switchyard_old.customers"),
            "150 compared, 0 missing, 0 different, 0 extra: clean");
  EXPECT_EQ(Table(clean, "public.people"), "90 compared, 0 missing, 0 different, 0 extra: clean");
  ASSERT_OK(OnNew(R"(
    UPDATE switchyard_old.customers SET email = 'else' WHERE id = 7;
    DELETE FROM switchyard_old.customers WHERE id = 8;
    INSERT INTO switchyard_old.customers VALUES (9999, 'nobody');
    UPDATE orders SET note = NULL WHERE id = 7;
    UPDATE orders SET amount = 8.0 WHERE id = 8;
    DELETE FROM orders WHERE id IN (9, 10);
    INSERT INTO orders VALUES (9999, 'nobody''s', 1);
    UPDATE items SET cents = 176 WHERE id = 7;
    DELETE FROM items WHERE id = 8;
    INSERT INTO items VALUES (9999, 'nobody''s', 1);
    UPDATE people SET members = 3 WHERE email = 'person20@x';
    DELETE FROM people WHERE email = 'person21@x';
    INSERT INTO people VALUES ('nobody', 1);)"));
  const Json json = Verify(1);
  EXPECT_EQ(json["verdict"], "different");
  EXPECT_EQ(Table(json, "switchyard_old.customers"),
            "150 compared, 1 missing, 1 different, 1 extra: different");
  EXPECT_EQ(Table(json, "public.orders"),
            "300 compared, 2 missing, 2 different, 1 extra: different");
  EXPECT_EQ(Table(json, "public.items"),
            "200 compared, 1 missing, 1 different, 1 extra: different");
  const auto holds = [&](const std::string& difference) {
    const Json wanted = Json::parse(difference);
    for (const Json& one : json["differences"]) {
      if (one == wanted) return true;
    }
    return false;
  };
  for (const char* difference : {
           R"({"table": "public.orders", "key": {"id": "8"}, "kind": "different",
               "old": {"id": "8", "note": "order 8", "amount": "8"},
               "new": {"id": "8", "note": "order 8", "amount": "8.0"}})",
           R"({"table": "public.orders", "key": {"id": "7"}, "kind": "different",
               "old": {"id": "7", "note": "order 7", "amount": "7"},
               "new": {"id": "7", "note": null, "amount": "7"}})",
           R"({"table": "public.orders", "key": {"id": "9999"}, "kind": "extra", "old": null,
               "new": {"id": "9999", "note": "nobody's", "amount": "1"}})",
           R"({"table": "public.items", "key": {"id": "7"}, "kind": "different",
               "old": {"id": "7", "label": "item 7", "cents": "175"},
               "new": {"id": "7", "label": "item 7", "cents": "176"}})",
           R"({"table": "public.items", "key": {"id": "8"}, "kind": "missing",
               "old": {"id": "8", "label": "item 8", "cents": "200"}, "new": null})",
           R"({"table": "switchyard_old.customers", "key": {"id": "7"}, "kind": "different",
               "old": {"id": "7", "email": "Person7@x"}, "new": {"id": "7", "email": "else"}})",
           R"({"table": "public.people", "key": {"email": "person20@x"}, "kind": "different",
               "old": {"email": "person20@x", "members": "2"},
               "new": {"email": "person20@x", "members": "3"}})",
           R"({"table": "public.people", "key": {"email": "person21@x"}, "kind": "missing",
               "old": {"email": "person21@x", "members": "2"}, "new": null})",
       }) {
    EXPECT_TRUE(holds(difference)) << difference << "\nin " << json["differences"].dump(1);
  }
  const ProgramResult shown = Run({"verify", "--show", "orders"});
  EXPECT_EQ(shown.exit_code, 1);
  EXPECT_THAT(shown.output, HasSubstr("different  public.orders {\"id\": \"8\"}"));
  EXPECT_THAT(shown.output, HasSubstr("public.orders: different, as of LSN "));
  // One table only, which does not differ.
  ASSERT_OK(OnOld("UPDATE orders SET note = note || '!' WHERE id > 0"));
  ASSERT_OK(OnNew("DELETE FROM orders WHERE id = 9999"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(Table(Verify(1, {"--table", "orders"}), "public.items"), "not compared");
}

// Promise 4.3: what looks alike is told apart, whichever way it was made different.
TEST_F(VerifyTest, ValuesThatAreEqualButNotTheSameDiffer) {
  const std::string table =
      "CREATE EXTENSION citext; CREATE TABLE v (id int PRIMARY KEY, n numeric, f float8, t text, "
      "c citext, j jsonb, a int[], b bytea, x char(5), u int UNIQUE, ts timestamptz);";
  const std::string rows =
      "INSERT INTO v SELECT i, 1.0, '-0', '', 'a', '{\"a\": 1.0}', '[0:1]={1,2}', '\\x00', 'ab', "
      "NULL, 'infinity' FROM generate_series(1, 20) i; "
      "ALTER TABLE v ADD COLUMN later text DEFAULT 'before';";
  Start(table + rows, table + "ALTER TABLE v ADD COLUMN later text;",
        "  - {table: public.v, copy: v}\n");
  EXPECT_EQ(Table(Verify(0), "public.v"), "20 compared, 0 missing, 0 different, 0 extra: clean");
  const char* changes[] = {
      "n = 1.00",     "f = 0",     "t = NULL",  "c = 'A'", "j = '{\"a\": 1.00}'",
      "a = '{1,2}'",  "b = '\\x'", "x = ' ab'", "u = 5",   "ts = '-infinity'",
      "later = NULL", "n = 'NaN'", "t = ' '",   "x = NULL"};
  int id = 0;
  for (const char* change : changes) {
    ASSERT_OK(OnNew(absl::StrCat("UPDATE v SET ", change, " WHERE id = ", ++id)));
  }
  const Json json = Verify(1);
  EXPECT_EQ(Table(json, "public.v"),
            absl::StrCat("20 compared, 0 missing, ", id, " different, 0 extra: different"))
      << json["differences"].dump(1);
}

// Promise 4.3: a key that is equal, and another text, is of one row, in each kind of table; the
// stream writes keys anew, and so nothing is left of a spelling that changed in OLD.
TEST_F(VerifyTest, KeysThatAreEqualBelongToOneRow) {
  const std::string types =
      "CREATE EXTENSION citext; CREATE DOMAIN price AS numeric CHECK (value < 1000); "
      "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', "
      "  deterministic = false); ";
  const auto table = [](const std::string& name, const std::string& last) {
    return absl::StrCat("CREATE TABLE ", name, " (p price, c citext, t text COLLATE any_case, ",
                        last, ", PRIMARY KEY (p, c, t)); ");
  };
  Start(types + table("copied", "v int") +
            "INSERT INTO copied SELECT i + 0.0, 'k' || i, 'x', i FROM generate_series(1, 50) i;",
        types + table("copied", "v int") + table("computed", "w int") + table("derived", "v int"),
        "  - {table: public.copied, copy: copied}\n"
        "  - {table: public.computed, copy: copied, drop: [v], set: {w: v + 1}}\n"
        "  - table: public.derived\n    scope: p\n    from: {copied: p}\n"
        "    select: SELECT a.p, a.c, a.t, a.v FROM copied a JOIN copied b USING (p)\n");
  ASSERT_OK(OnOld("UPDATE copied SET p = 2.00, c = 'K2', t = 'X' WHERE p = 2"));
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  const Json clean = Verify(0);
  EXPECT_EQ(clean["verdict"], "clean") << clean["differences"].dump(1);
  const auto spell_otherwise = [&](const std::string& name) {
    return OnNew(absl::StrCat("UPDATE ", name, " SET p = 3.00 WHERE p = 3; UPDATE ", name,
                              " SET c = 'K4', t = 'X' WHERE p = 4; UPDATE ", name,
                              " SET p = p + 500 WHERE p = 5"));
  };
  // The mirror last: what is derived is computed from it.
  for (const char* name :
       {"public.copied", "public.computed", "public.derived", "switchyard_old.copied"}) {
    ASSERT_OK(spell_otherwise(name));
    const Json json = Verify(1);
    EXPECT_EQ(Table(json, name), "50 compared, 1 missing, 2 different, 1 extra: different")
        << json["differences"].dump(1);
  }
}

// Promise 4.3: OLD's database may have another encoding, and so other bytes.
TEST_F(VerifyTest, LettersAreTheSameInWhateverEncoding) {
  ASSERT_OK(postgres_->Execute("postgres", "DROP DATABASE old_db"));
  ASSERT_OK(postgres_->Execute("postgres",
                               "CREATE DATABASE old_db ENCODING 'LATIN1' LOCALE 'C' "
                               "TEMPLATE template0"));
  const std::string table = "CREATE TABLE v (k text PRIMARY KEY, t text, a text[]);";
  Start(
      table +
          "INSERT INTO v SELECT '\u00e4' || i, '\u00fc' || i, ARRAY['\u00df'] FROM "
          "generate_series(1, 20) i",
      table + "CREATE TABLE w (k text PRIMARY KEY, n bigint)",
      "  - {table: public.v, copy: v}\n"
      "  - {table: public.w, from: {v: k}, select: 'SELECT k, count(*) AS n FROM v GROUP BY k'}\n");
  const Json clean = Verify(0);
  EXPECT_EQ(clean["verdict"], "clean") << clean["differences"].dump(1);
  ASSERT_OK(OnNew("UPDATE v SET t = 'u1' WHERE t = '\u00fc1'"));
  EXPECT_EQ(Table(Verify(1), "public.v"),
            "20 compared, 0 missing, 1 different, 0 extra: different");
}

// Promise 4.4: a pass that could not look is never clean, and says why.
TEST_F(VerifyTest, WhatCouldNotBeComparedIsInconclusive) {
  Start();
  ASSERT_OK(OnNew("ALTER VIEW switchyard.map_2_people RENAME TO elsewhere"));
  const Json failed = Verify(4);
  EXPECT_EQ(failed["verdict"], "inconclusive");
  EXPECT_THAT(failed["reason"].get<std::string>(),
              HasSubstr("public.people: relation \"switchyard.map_2_people\" does not exist"));
  EXPECT_EQ(Table(failed, "public.items"), "200 compared, 0 missing, 0 different, 0 extra: clean");
  EXPECT_EQ(Run({"status", "--json"}).exit_code, 0);
  EXPECT_THAT(Run({"status"}).output, HasSubstr("parity      inconclusive, 4 tables, "));
  ASSERT_OK(OnNew("ALTER VIEW switchyard.elsewhere RENAME TO map_2_people"));
  ASSERT_OK(OnNew("REVOKE SELECT ON items FROM switchyard_replay"));
  EXPECT_THAT(Verify(4)["reason"].get<std::string>(),
              HasSubstr("permission denied for table items"));
  ASSERT_OK(OnNew("GRANT SELECT ON items TO switchyard_replay"));
  EXPECT_EQ(Verify(0)["verdict"], "clean");
  EXPECT_THAT(Run({"status"}).output, HasSubstr("parity      clean, 4 tables, 740 rows as of "));
  EXPECT_EQ(Run({"verify", "--table", "ordrs"}).exit_code, 2);
  ASSERT_OK(pipeline_->Stop());
  const Json nobody = Verify(4);
  EXPECT_THAT(nobody["reason"].get<std::string>(),
              HasSubstr("no replayer runs, so NEW can't be brought to the moment OLD is looked at; "
                        "next: start it (switchyard run FILE)"));
}

TEST_F(VerifyTest, ATransactionThatKeepsASnapshotFromBeingTakenIsNamed) {
  Start();
  ASSERT_OK(OnOld("BEGIN; INSERT INTO orders VALUES (5000, 'x', 1); PREPARE TRANSACTION 'left'"));
  const Json json = Verify(4);
  EXPECT_THAT(json["reason"].get<std::string>(),
              HasSubstr("1 old transaction is open: prepared transaction 'left'"));
  ASSERT_OK(OnOld("ROLLBACK PREPARED 'left'"));
  EXPECT_EQ(Verify(0)["verdict"], "clean");
}

// Promise 4.5.
TEST_F(VerifyTest, AReplayerThatHangsMakesItInconclusive) {
  Start();
  pipeline_->process("run")->Freeze();
  ASSERT_OK(OnOld("UPDATE orders SET amount = amount + 1"));
  const Json json = Verify(4);
  EXPECT_THAT(json["reason"].get<std::string>(), HasSubstr("the replayer stands at "));
  EXPECT_TRUE(json["tables"].empty());
  pipeline_->process("run")->Thaw();
  ASSERT_OK(pipeline_->AwaitCaughtUp());
  EXPECT_EQ(Verify(0)["verdict"], "clean");
}

// Promise 4.6: whoever holds the replayer may die.
TEST_F(VerifyTest, TheStreamGoesOnAfterItDiedWhileItHeldTheReplayer) {
  Start();
  ASSERT_OK_AND_ASSIGN(const auto verify,
                       SwitchyardProcess::Start({.arguments = {"verify", file_},
                                                 .environment = pipeline_->environment(),
                                                 .fault = "verify.holding"}));
  ASSERT_OK_AND_ASSIGN(const int ended, verify->Wait(absl::Seconds(60)));
  ASSERT_EQ(ended, -SIGKILL);
  EXPECT_EQ(New("SELECT hold_lsn IS NOT NULL FROM switchyard.stream"), "t");
  ASSERT_OK(OnOld("UPDATE orders SET amount = amount + 1"));
  EXPECT_OK(pipeline_->AwaitCaughtUp(absl::Seconds(10)));
  EXPECT_EQ(New("SELECT amount FROM orders WHERE id = 1"), "2");
  EXPECT_EQ(Verify(0)["verdict"], "clean");
}

TEST_F(VerifyTest, APassThatWasKilledGoesOnWithTheTablesThatAreLeft) {
  Start();
  ASSERT_OK_AND_ASSIGN(const auto verify,
                       SwitchyardProcess::Start({.arguments = {"verify", file_},
                                                 .environment = pipeline_->environment(),
                                                 .fault = "verify.table_done:2"}));
  ASSERT_OK_AND_ASSIGN(const int ended, verify->Wait(absl::Seconds(60)));
  ASSERT_EQ(ended, -SIGKILL);
  EXPECT_THAT(Run({"status"}).output, HasSubstr("parity      under way or cut short"));
  ASSERT_OK(OnOld("UPDATE orders SET amount = amount + 1"));
  const Json json = Verify(0);
  ASSERT_EQ(json["tables"].size(), 4) << json.dump(1);
  EXPECT_EQ(json["tables"][0]["lsn"], json["tables"][1]["lsn"]);
  EXPECT_NE(json["tables"][1]["lsn"], json["tables"][2]["lsn"]);
  EXPECT_EQ(json["tables"][3]["lsn"], json["lsn"]);
  const Json next = Verify(0);
  EXPECT_EQ(next["tables"][0]["lsn"], next["lsn"]);
}

TEST_F(VerifyTest, PartitionsAreComparedUnderTheirRoot) {
  const std::string tree =
      "CREATE TABLE p (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');";
  Start(tree +
            "CREATE TABLE p2 (day date NOT NULL, gone int, id int NOT NULL); "
            "ALTER TABLE p2 DROP COLUMN gone; "
            "ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');"
            "INSERT INTO p SELECT i, date '2020-01-01' + i FROM generate_series(1, 700) i;",
        tree + "CREATE TABLE p_rest PARTITION OF p DEFAULT;", "  - {table: public.p, copy: p}\n");
  EXPECT_EQ(Table(Verify(0), "public.p"), "700 compared, 0 missing, 0 different, 0 extra: clean");
  ASSERT_OK(OnNew("DELETE FROM p WHERE id IN (1, 699)"));
  EXPECT_EQ(Table(Verify(1, {"--table", "p"}), "public.p"),
            "700 compared, 2 missing, 0 different, 0 extra: different");
}

TEST_F(VerifyTest, IsSparingWithBothDatabasesWhenAsked) {
  Start();
  const absl::Time began = absl::Now();
  EXPECT_EQ(Verify(0, {"--table", "orders", "--throttle", "200"})["verdict"], "clean");
  EXPECT_GE(absl::Now() - began, absl::Milliseconds(1400));  // 300 rows of each side
  EXPECT_EQ(Run({"verify", "--throttle", "fast"}).exit_code, 2);
}

// What it repaired it had found: that does not count as clean.
TEST_F(VerifyTest, WhatDiffersIsMadeGoodWhenAsked) {
  Start();
  ASSERT_OK(OnNew(R"(
    DELETE FROM people WHERE email = 'person21@x';
    UPDATE people SET members = 3 WHERE email = 'person20@x';
    INSERT INTO people VALUES ('nobody', 1);
    UPDATE items SET cents = 1 WHERE id = 7;
    UPDATE switchyard_old.customers SET email = 'else' WHERE id = 7)"));
  const Json json = Verify(1, {"--repair"});
  EXPECT_EQ(json["verdict"], "different");
  EXPECT_EQ(json["repairs"].size(), 4) << json["repairs"].dump(1);
  EXPECT_EQ(json["repairs"][3], "the replayer says: 5 applied, 0 left");
  ASSERT_OK(Await("the copies are in", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
    return New("SELECT count(*) FROM switchyard.request WHERE state = 'open'") == "0";
  }));
  EXPECT_EQ(Verify(0)["verdict"], "clean");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
}

// Promise 4.7: a table of which the stream could not show all is trusted again once it was
// compared.
TEST_F(VerifyTest, ACleanPassClearsSuspects) {
  Start();
  const auto await_suspect = [&] {
    return Await("orders is suspect", absl::Seconds(60), [&]() -> absl::StatusOr<bool> {
      return Run({"status"}).output.find("suspect     public.orders: rewritten") !=
             std::string::npos;
    });
  };
  ASSERT_OK(OnOld("ALTER TABLE orders ALTER amount TYPE numeric USING amount * 1"));
  ASSERT_OK(await_suspect());
  EXPECT_EQ(Verify(0)["verdict"], "clean");
  EXPECT_EQ(Run({"status"}).output.find("suspect"), std::string::npos);
  ASSERT_OK(OnOld("ALTER TABLE orders ALTER amount TYPE numeric USING amount * 2"));
  ASSERT_OK(await_suspect());
  EXPECT_EQ(Table(Verify(1), "public.orders"),
            "300 compared, 0 missing, 300 different, 0 extra: different");
  EXPECT_NE(Run({"status"}).output.find("suspect     public.orders"), std::string::npos);
}

// The pass goes by the mapping as it was compiled, and so do the rows that it finds right.
TEST_F(VerifyTest, ACleanPassDoesNotClearWhatTheMappingWasNotCompiledFor) {
  Start(
      "CREATE TYPE pair AS (a int, b int); CREATE TABLE t (id int PRIMARY KEY, p pair);"
      "INSERT INTO t SELECT i, ROW(i, -i)::pair FROM generate_series(1, 5) i",
      "CREATE TABLE t (id int PRIMARY KEY, x int, y int)",
      "  - {table: public.t, copy: t, drop: [p], set: {x: (p).a, y: (p).b}}\n");
  ASSERT_OK(
      OnOld("BEGIN; ALTER TYPE pair RENAME ATTRIBUTE a TO z; "
            "ALTER TYPE pair RENAME ATTRIBUTE b TO a; "
            "ALTER TYPE pair RENAME ATTRIBUTE z TO b; COMMIT"));
  const auto is_suspect = [&] {
    return Run({"status"}).output.find("suspect     public.t: type public.pair: attribute a") !=
           std::string::npos;
  };
  ASSERT_OK(Await("t is suspect", absl::Seconds(60),
                  [&]() -> absl::StatusOr<bool> { return is_suspect(); }));
  EXPECT_EQ(Verify(0)["verdict"], "clean");
  EXPECT_TRUE(is_suspect());
  ASSERT_OK(pipeline_->Stop());
  EXPECT_EQ(Run({"resume"}).exit_code, 0);
  ASSERT_OK(pipeline_->Start("run"));
  ASSERT_OK(Await("t is suspect no more", absl::Seconds(60),
                  [&]() -> absl::StatusOr<bool> { return !is_suspect(); }));
  EXPECT_EQ(New("SELECT x FROM t WHERE id = 3"), "-3");
  EXPECT_EQ(Verify(0)["verdict"], "clean");
}

}  // namespace
}  // namespace switchyard::testing
