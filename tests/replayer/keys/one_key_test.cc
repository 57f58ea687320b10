// One key of NEW, one row: what several rows, scopes or mappings want is refused, never chosen by
// chance, and comes by itself once one of them wants it.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

constexpr char kEntries[] =
    "SELECT scope, sqlstate, error FROM switchyard.quarantine ORDER BY scope::text";
constexpr char kSeveral[] = "the select gives several rows under one key";
constexpr char kHeld[] = "the select gives a key that a row of another scope has";

class OneKeyTest : public testing::ReplayFixture {
 protected:
  void Change(const std::string& sql) {
    ASSERT_OK(OnOld(sql));
    ASSERT_OK(CatchUp());
  }
};

constexpr char kPersons[] = "CREATE TABLE p (id int PRIMARY KEY, email text, name text)";
constexpr char kByEmail[] =
    "  - table: public.u\n    scope: email\n    from: {p: email}\n"
    "    select: SELECT email, id AS pid, name FROM p WHERE email IS NOT NULL\n";

TEST_F(OneKeyTest, AScopeWithSeveralRowsUnderOneKeyWaitsUntilItIsSingleAgain) {
  ASSERT_OK(Start(kPersons, "CREATE TABLE u (email text PRIMARY KEY, pid int, name text)", kByEmail,
                  "INSERT INTO p VALUES (1, 'a', 'first'), (3, 'b', 'bob')"));
  const std::string all = "SELECT * FROM u ORDER BY email";
  const std::string several = absl::StrCat("{\"email\": \"a\"}|21000|", kSeveral);
  Change("INSERT INTO p VALUES (2, 'a', 'second')");
  EXPECT_EQ(New(all), "a|1|first\nb|3|bob");
  EXPECT_EQ(New(kEntries), several);
  Change("UPDATE p SET name = 'first again' WHERE id = 1");
  EXPECT_EQ(New(all), "a|1|first\nb|3|bob");
  Change("INSERT INTO p VALUES (8, 'n', 'n8'), (9, 'n', 'n9'), (4, 'd', 'dora')");
  EXPECT_EQ(New(all), "a|1|first\nb|3|bob\nd|4|dora");
  EXPECT_EQ(New(kEntries), absl::StrCat(several, "\n{\"email\": \"n\"}|21000|", kSeveral));
  Change("DELETE FROM p WHERE id = 1; UPDATE p SET email = 'm' WHERE id = 9");
  EXPECT_EQ(New(all), "a|2|second\nb|3|bob\nd|4|dora\nm|9|n9\nn|8|n8");
  EXPECT_EQ(New(kEntries), "");
}

constexpr char kByDepartment[] =
    "  - table: public.u\n    scope: dept\n    from: {p: dept}\n"
    "    select: SELECT dept, email, id AS pid FROM p\n";

TEST_F(OneKeyTest, AKeyThatARowOfAnotherScopeHasIsNotTakenOver) {
  ASSERT_OK(Start("CREATE TABLE p (id int PRIMARY KEY, dept int, email text)",
                  "CREATE TABLE u (email text PRIMARY KEY, pid int, dept int NOT NULL, own text); "
                  "CREATE INDEX ON u (dept)",
                  kByDepartment, "INSERT INTO p VALUES (1, 10, 'a'), (2, 20, 'b')"));
  ASSERT_OK(CatchUp());
  const std::string all = "SELECT email, pid, dept, own FROM u ORDER BY email";
  ASSERT_OK(OnNew("UPDATE u SET own = 'kept'"));
  Change("INSERT INTO p VALUES (3, 20, 'a'), (4, 30, 'c')");
  EXPECT_EQ(New(all), "a|1|10|kept\nb|2|20|kept\nc|4|30|NULL");
  EXPECT_EQ(New(kEntries), absl::StrCat("{\"dept\": \"20\"}|23505|", kHeld));
  // It comes by itself, once the other one has gone.
  Change("UPDATE p SET email = 'x' WHERE id = 1");
  EXPECT_EQ(New(all), "a|3|20|NULL\nb|2|20|kept\nc|4|30|NULL\nx|1|10|NULL");
  EXPECT_EQ(New(kEntries), "");
  // A row that goes from scope to scope takes with it what no mapping fills.
  Change("UPDATE p SET dept = 40 WHERE id = 2");
  EXPECT_EQ(New(all), "a|3|20|NULL\nb|2|40|kept\nc|4|30|NULL\nx|1|10|NULL");
}

TEST_F(OneKeyTest, ScopesExchangeTheirKeys) {
  options_.target.scopes_per_recompute = 2;
  ASSERT_OK(Start("CREATE TABLE p (id int PRIMARY KEY, dept int, email text)",
                  "CREATE TABLE u (email text PRIMARY KEY, pid int, dept int NOT NULL); "
                  "CREATE INDEX ON u (dept)",
                  kByDepartment,
                  "INSERT INTO p SELECT i, i, 'e' || i FROM generate_series(1, 9) i"));
  ASSERT_OK(CatchUp());
  Change("UPDATE p SET dept = dept % 9 + 1");
  EXPECT_EQ(New("SELECT pid, dept, email FROM u ORDER BY 1"),
            Old("SELECT id, dept, email FROM p ORDER BY 1"));
  EXPECT_EQ(New(kEntries), "");
}

struct KeyType {
  std::string type, one, other;  // two texts of OLD that NEW's key takes for one
};

class KeyTypeTest : public OneKeyTest, public ::testing::WithParamInterface<KeyType> {};

TEST_P(KeyTypeTest, AScopeIsWhatTheKeyOfNewTakesForOne) {
  const auto& [type, one, other] = GetParam();
  ASSERT_OK(OnNew(
      "CREATE EXTENSION citext; CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', "
      "deterministic = false)"));
  const auto insert = [](int id, const std::string& email) {
    return absl::StrCat("INSERT INTO p VALUES (", id, ", '", email, "', 'n", id, "')");
  };
  ASSERT_OK(Start(kPersons,
                  absl::StrCat("CREATE TABLE u (email ", type, " PRIMARY KEY, pid int, name text)"),
                  kByEmail, insert(1, one)));
  ASSERT_OK(CatchUp());
  Change(insert(2, other));
  EXPECT_EQ(New("SELECT pid, name FROM u"), "1|n1");
  EXPECT_EQ(New("SELECT error FROM switchyard.quarantine"), kSeveral);
  Change("UPDATE p SET name = 'x' WHERE id = 1");
  Change("UPDATE p SET name = 'y' WHERE id = 2");
  EXPECT_EQ(New("SELECT pid, name FROM u"), "1|n1");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "1");
  // The query that a stopped copy offers.
  EXPECT_EQ(New(absl::StrCat("SELECT count(*) FROM ", plan_.mappings[0].keyed.view,
                             " GROUP BY email HAVING count(*) > 1")),
            "2");
  Change("DELETE FROM p WHERE id = 1");
  EXPECT_EQ(New("SELECT pid, name FROM u"), "2|y");
  EXPECT_EQ(New(kEntries), "");
}

INSTANTIATE_TEST_SUITE_P(OfNew, KeyTypeTest,
                         ::testing::Values(KeyType{"citext", "A", "a"},
                                           KeyType{"text COLLATE ci", "A", "a"},
                                           KeyType{"char(5)", "a", "a  "},
                                           KeyType{"varchar(9)", "a", "a"}),
                         [](const auto& param) { return absl::StrCat("Type", param.index); });

// A key may be larger than an index takes of it.
TEST_F(OneKeyTest, RowsTooLargeForAnIndexOfNewAreRefused) {
  constexpr char kLong[] =
      "(SELECT string_agg(md5(i::text || 'x'), '') FROM generate_series(1, %d) i)";
  const auto chars = [&](int count) { return absl::StrFormat(kLong, count / 32); };
  ASSERT_OK(Start("CREATE TABLE t (k text PRIMARY KEY, v text)",
                  "CREATE TABLE t (k text PRIMARY KEY, v text CHECK (v <> 'bad')); "
                  "CREATE INDEX ON t (v)",
                  "  - {table: public.t, copy: t}\n"));
  Change(absl::StrCat("INSERT INTO t VALUES ('a', ", chars(12'800), "), ('b', 'v')"));
  EXPECT_EQ(New("SELECT k, v FROM t"), "b|v");
  EXPECT_EQ(New("SELECT scope, sqlstate FROM switchyard.quarantine"), "{\"k\": \"a\"}|54000");
  Change(absl::StrCat("INSERT INTO t SELECT left(", chars(2'656), ", 2650), 'bad'"));
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "2");
  Change("UPDATE t SET v = 'short'");
  EXPECT_EQ(New("SELECT count(*) FROM t WHERE v = 'short'"), "3");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
}

// Entries are kept apart by text, rows by equality.
TEST_F(OneKeyTest, AKeyThatIsWrittenInAnotherWayHasOneEntry) {
  struct Kind {
    std::string table, type, key, again;  // the same key in two ways
  };
  const std::vector<Kind> kinds = {{"c", "citext", "'A'", "'a'"},
                                   {"n", "numeric", "1.0", "1.00"},
                                   {"h", "char(4)", "'a'", "'a  '"},
                                   {"l", "text COLLATE ci", "'A'", "'a'"},
                                   {"i", "interval", "'1 mon'", "'30 days'"}};
  constexpr char kTypes[] =
      "CREATE EXTENSION citext; CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', "
      "deterministic = false);";
  std::string of_old = kTypes;
  std::string of_new = kTypes;
  std::string forward;
  for (const auto& [table, type, key, again] : kinds) {
    const std::string columns = absl::StrCat(" (k ", type, " PRIMARY KEY, v text");
    absl::StrAppend(&of_old, "CREATE TABLE ", table, columns, ");");
    absl::StrAppend(&of_new, "CREATE TABLE ", table, columns, " CHECK (v <> 'bad'));",
                    "CREATE TABLE ", table, "_keyed", columns, " CHECK (v <> 'bad'));");
    absl::StrAppend(&forward, "  - {table: public.", table, ", copy: ", table, "}\n",
                    "  - table: public.", table, "_keyed\n    from: {", table,
                    ": k}\n    select: SELECT a.k, b.v FROM ", table, " a JOIN ", table,
                    " b USING (k)\n");
  }
  ASSERT_OK(Start(of_old, of_new, forward));
  const auto change = [&](const std::string& sql) {
    std::string all;
    for (const auto& [table, type, key, again] : kinds) {
      absl::StrAppend(
          &all, absl::StrReplaceAll(sql, {{"$t", table}, {"$key", key}, {"$again", again}}), ";");
    }
    Change(absl::StrCat("BEGIN;", all, "COMMIT"));
  };
  const std::string both = std::to_string(2 * kinds.size());
  change("INSERT INTO $t VALUES ($key, 'bad')");
  change("UPDATE $t SET k = $again");
  change("UPDATE $t SET v = 'bad' WHERE k = $key");
  change("DELETE FROM $t; INSERT INTO $t VALUES ($key, 'bad')");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), both);
  change("DELETE FROM $t");
  EXPECT_EQ(New("SELECT * FROM switchyard.quarantine"), "");
  change("INSERT INTO $t VALUES ($again, 'bad')");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), both);
  change("UPDATE $t SET v = 'good', k = $key WHERE k = $key");
  EXPECT_EQ(New("SELECT * FROM switchyard.quarantine"), "");
  for (const auto& [table, type, key, again] : kinds) {
    const std::string rows = Old(absl::StrCat("SELECT k::text, v FROM ", table));
    EXPECT_EQ(New(absl::StrCat("SELECT k::text, v FROM ", table)), rows);
    EXPECT_EQ(New(absl::StrCat("SELECT k::text, v FROM ", table, "_keyed")), rows);
  }
}

// A person is a client or of the staff, and passes from one to the other.
constexpr char kPeopleOfOld[] =
    "CREATE TABLE clients (id int PRIMARY KEY, name text); "
    "CREATE TABLE staff (id int PRIMARY KEY, name text)";
constexpr char kPeople[] =
    "CREATE TABLE people (id int PRIMARY KEY, name text CHECK (name <> 'bad'), kind text)";
constexpr char kEveryone[] =
    "SELECT id, name, 'client' AS kind FROM clients "
    "UNION ALL SELECT id, name, 'staff' FROM staff ORDER BY id";

std::string RowLocal(const std::string& table, const std::string& kind) {
  return absl::StrCat("  - {table: public.people, copy: ", table, ", set: {kind: \"'", kind,
                      "'\"}, owns: kind = '", kind, "'}\n");
}
std::string Keyed(const std::string& table, const std::string& kind) {
  return absl::StrCat("  - table: public.people\n    owns: kind = '", kind, "'\n    from: {", table,
                      ": id}\n    select: SELECT a.id, a.name, '", kind, "' AS kind FROM ", table,
                      " a JOIN ", table, " b USING (id)\n");
}

struct Passing {
  std::string forward;
  bool keys_hold = false;
};

class PassingRowsTest : public OneKeyTest, public ::testing::WithParamInterface<Passing> {
 protected:
  void StartPeople() {
    options_.target.replica_role = !GetParam().keys_hold;
    options_.target.scopes_per_recompute = 200;
    ASSERT_OK(Start(kPeopleOfOld, kPeople, GetParam().forward,
                    "INSERT INTO clients SELECT i, 'c' || i FROM generate_series(1, 40) i; "
                    "INSERT INTO staff SELECT i, 's' || i FROM generate_series(101, 140) i"));
    ASSERT_OK(CatchUp());
  }
  void ExpectEveryone() {
    EXPECT_EQ(New("SELECT id, name, kind FROM people ORDER BY id"), Old(kEveryone));
    EXPECT_EQ(New("SELECT scope, error FROM switchyard.quarantine"), "");
  }
};

TEST_P(PassingRowsTest, ARowPassesFromOneMappingOfATableToAnother) {
  ASSERT_NO_FATAL_FAILURE(StartPeople());
  Change(
      "BEGIN; DELETE FROM staff WHERE id = 101; INSERT INTO clients VALUES (101, 'Ann'); COMMIT");
  ExpectEveryone();
  Change("BEGIN; DELETE FROM clients WHERE id = 1; INSERT INTO staff VALUES (1, 'Bob'); COMMIT");
  ExpectEveryone();
  Change(
      "BEGIN; UPDATE staff SET id = 202 WHERE id = 102; INSERT INTO clients VALUES (102, 'x'); "
      "UPDATE clients SET id = 2002 WHERE id = 2; INSERT INTO staff VALUES (2, 'y'); COMMIT");
  ExpectEveryone();
  // One takes the other's place, which takes its.
  Change(
      "BEGIN; UPDATE staff SET id = 900 WHERE id = 103; UPDATE clients SET id = 103 WHERE id = 3; "
      "UPDATE staff SET id = 3 WHERE id = 900; COMMIT");
  ExpectEveryone();
  // Beside one that is refused.
  Change(
      "BEGIN; INSERT INTO clients VALUES (301, 'bad'); INSERT INTO staff SELECT * FROM clients "
      "WHERE id < 40; DELETE FROM clients WHERE id < 40; INSERT INTO clients SELECT * FROM staff "
      "WHERE id > 100; DELETE FROM staff WHERE id > 100; COMMIT");
  EXPECT_EQ(New("SELECT scope FROM switchyard.quarantine"), "{\"id\": \"301\"}");
  // What waits does not keep others from passing.
  Change("BEGIN; DELETE FROM staff WHERE id = 5; INSERT INTO clients VALUES (5, 'z'); COMMIT");
  Change("BEGIN; DELETE FROM clients WHERE id = 104; INSERT INTO staff VALUES (104, 'z'); COMMIT");
  EXPECT_EQ(New("SELECT scope FROM switchyard.quarantine"), "{\"id\": \"301\"}");
  Change("UPDATE clients SET name = 'good' WHERE id = 301");
  ExpectEveryone();
}

TEST_P(PassingRowsTest, RowsExchangeKeysBesideOneThatIsRefused) {
  ASSERT_NO_FATAL_FAILURE(StartPeople());
  // The key 3 goes to the other table's row, whose key goes to that of the first one.
  const std::string exchange =
      "UPDATE staff SET id = 900 WHERE id = $1; UPDATE clients SET id = $1 WHERE id = $2; "
      "UPDATE staff SET id = $2 WHERE id = 900";
  const auto exchanged = [&](const std::string& staff, const std::string& client) {
    return absl::StrReplaceAll(exchange, {{"$1", staff}, {"$2", client}});
  };
  Change(absl::StrCat("BEGIN; INSERT INTO clients VALUES (301, 'bad'); ", exchanged("103", "3"),
                      "; ", exchanged("104", "4"), "; COMMIT"));
  EXPECT_EQ(New("SELECT scope FROM switchyard.quarantine"), "{\"id\": \"301\"}");
  // While something waits; in chunks of one transaction.
  Change(absl::StrCat("BEGIN; ", exchanged("105", "5"), "; COMMIT"));
  EXPECT_EQ(New("SELECT scope FROM switchyard.quarantine"), "{\"id\": \"301\"}");
  Change("UPDATE clients SET name = 'good' WHERE id = 301");
  ExpectEveryone();
}

INSTANTIATE_TEST_SUITE_P(
    OfMappings, PassingRowsTest,
    ::testing::Values(Passing{RowLocal("clients", "client") + RowLocal("staff", "staff")},
                      Passing{Keyed("clients", "client") + RowLocal("staff", "staff")},
                      Passing{RowLocal("clients", "client") + Keyed("staff", "staff")},
                      Passing{Keyed("clients", "client") + Keyed("staff", "staff")},
                      Passing{RowLocal("clients", "client") + RowLocal("staff", "staff"), true},
                      Passing{Keyed("clients", "client") + RowLocal("staff", "staff"), true}),
    [](const auto& param) { return absl::StrCat("Pair", param.index); });

// More of them than may wait in quarantine, in chunks of one transaction and at once.
TEST_F(OneKeyTest, RowsPassByTheThousand) {
  for (const int64_t rows_max : {int64_t{50'000}, int64_t{700}}) {
    options_.batch_rows_max = rows_max;
    options_.target.quarantine_max = 300;
    ASSERT_OK(Start(kPeopleOfOld, kPeople, Keyed("clients", "client") + Keyed("staff", "staff"),
                    "INSERT INTO clients SELECT i, 'c' || i FROM generate_series(1, 1000) i"));
    ASSERT_OK(CatchUp());
    Change("BEGIN; INSERT INTO staff SELECT * FROM clients; DELETE FROM clients; COMMIT");
    EXPECT_EQ(New("SELECT count(*) FROM people WHERE kind = 'staff'"), "1000");
    Change("BEGIN; INSERT INTO clients SELECT * FROM staff; DELETE FROM staff; COMMIT");
    EXPECT_EQ(New("SELECT count(*) FROM people WHERE kind = 'client'"), "1000");
    EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "0");
    if (rows_max > 700) {
      TearDown();
      SetUp();
    }
  }
}

TEST_F(OneKeyTest, WhatAChunkMakesRoomForComesIn) {
  options_.batch_rows_max = 1;
  constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, n int)";
  ASSERT_OK(Start(kTable, "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n < 90))",
                  "  - {table: public.t, copy: t}\n", "INSERT INTO t VALUES (1, 1)"));
  Change("BEGIN; UPDATE t SET id = 2, n = 95 WHERE id = 1; INSERT INTO t VALUES (1, 5); COMMIT");
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.quarantine"), "2");
  Change("BEGIN; UPDATE t SET n = 6 WHERE id = 2; INSERT INTO t VALUES (7, 7); COMMIT");
  EXPECT_EQ(New("SELECT error FROM switchyard.quarantine"), "");
  EXPECT_EQ(New("SELECT * FROM t ORDER BY id"), Old("SELECT * FROM t ORDER BY id"));
}

// Two new rows of one upstream table make a row of the reader, which neither of them would alone.
TEST_F(OneKeyTest, ReadersFindWhatSeveralNewRowsOfOneTableMakeTogether) {
  constexpr char kPairs[] =
      "SELECT u1.id AS a, u2.id AS b, u1.grp FROM public.users u1 JOIN public.users u2 "
      "ON u1.grp = u2.grp AND u1.id < u2.id";
  ASSERT_OK(
      Start("CREATE TABLE p (id int PRIMARY KEY, grp int)",
            "CREATE TABLE users (id int PRIMARY KEY, grp int); CREATE INDEX ON users (grp); "
            "CREATE TABLE pairs (a int, b int, grp int, PRIMARY KEY (a, b))",
            absl::StrCat(
                "  - table: public.users\n    from: {p: id}\n    select: SELECT p.id, p.grp FROM "
                "p JOIN p q USING (id)\n  - table: public.pairs\n    scope: [a, b]\n    from:\n"
                "      public.users: SELECT least(users.id, o.id), greatest(users.id, o.id) FROM "
                "public.users o WHERE o.grp = users.grp AND o.id <> users.id\n    select: ",
                kPairs, "\n")));
  ASSERT_OK(CatchUp());
  uint32_t seed = 7;
  const auto random = [&](uint32_t below) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 16) % below;
  };
  for (int batch = 0; batch < 40; ++batch) {
    std::string sql = "BEGIN";
    for (uint32_t i = 0; i <= random(5); ++i) {
      const uint32_t id = random(6);
      absl::StrAppend(&sql, random(3) == 0
                                ? absl::StrCat("; DELETE FROM p WHERE id = ", id)
                                : absl::StrCat("; INSERT INTO p VALUES (", id, ", ", random(3),
                                               ") ON CONFLICT (id) DO UPDATE SET grp = "
                                               "excluded.grp"));
    }
    Change(sql + "; COMMIT");
    ASSERT_EQ(New("SELECT * FROM pairs ORDER BY a, b"), New(absl::StrCat(kPairs, " ORDER BY a, b")))
        << batch << ": " << sql;
  }
}

}  // namespace
}  // namespace switchyard::replayer
