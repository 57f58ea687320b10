#include "capture/source/drift.h"

#include "capture/source/source_state.h"
#include "common/records/source/capture_copies.h"
#include "common/records/source/capture_streams.h"
#include "common/records/source/captured_tables.h"
#include "tests/capture/source_fixture.h"

namespace switchyard::capture {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class DriftTest : public testing::SourceTest {
 protected:
  // Makes the tables and remembers their shapes.
  void Begin(std::string_view sql) {
    Run(sql);
    SetUpSource();
    session_ = ConnectAsCapture();
    ASSERT_NE(session_, nullptr);
    auto shapes = LoadFirstShapes(*session_, options().stream.publication, LoadTables());
    ASSERT_OK(shapes);
    before_ = *std::move(shapes);
  }
  // What changed since the last time.
  std::vector<Drift> Look() {
    auto after = LoadShapes(*session_, options().stream.publication, before_);
    EXPECT_OK(after);
    if (!after.ok()) return {};
    std::vector<Drift> drifts = CompareShapes(before_, *after);
    before_ = NextBaseline(before_, *after);
    return drifts;
  }
  std::vector<Drift> After(std::string_view sql) {
    Run(sql);
    return Look();
  }
  static auto Is(const std::string& table, const std::string& reason) {
    return AllOf(Field(&Drift::name, table), Field(&Drift::reason, HasSubstr(reason)));
  }

  std::unique_ptr<pg::Session> session_;
  TableShapes before_;
};

constexpr char kParts[] = R"(
  CREATE TABLE m (day int, x text, PRIMARY KEY (day)) PARTITION BY RANGE (day);
  CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (2);
  CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM (2) TO (3) PARTITION BY RANGE (day);
  CREATE TABLE m_2a PARTITION OF m_2 FOR VALUES FROM (2) TO (3))";

TEST_F(DriftTest, OrdinaryLifeIsNoDrift) {
  tables_ = {{"", "t"}, {"", "m"}};
  Begin("CREATE TABLE t (id int PRIMARY KEY, a int);" + std::string(kParts));
  EXPECT_THAT(before_, SizeIs(4));  // t, m and the leaves m_1, m_2a
  EXPECT_THAT(After(R"(
    INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i;
    INSERT INTO m VALUES (1, 'a'), (2, 'b');
    UPDATE t SET a = 2;
    DELETE FROM t WHERE id > 500;
    ALTER TABLE t ADD COLUMN b int DEFAULT 7;
    ALTER TABLE t DROP COLUMN a;
    CREATE INDEX ON t (b);
    ANALYZE t; GRANT SELECT ON t TO public)"),
              IsEmpty());
  Run("VACUUM (FREEZE) t");
  EXPECT_THAT(Look(), IsEmpty());
}

TEST_F(DriftTest, SeesARewriteAndUnlogged) {
  Begin("CREATE TABLE t (id int PRIMARY KEY, a int)");
  EXPECT_THAT(After("ALTER TABLE t ALTER COLUMN a TYPE bigint"),
              ElementsAre(Is("t",
                             "rewritten: its rows may have other values than the stream showed; "
                             "column a changed its type from integer to bigint")));
  EXPECT_THAT(Look(), IsEmpty());
  // Postgres refuses this of a published table, so it takes two steps.
  EXPECT_THAT(After("ALTER PUBLICATION " + options().stream.publication +
                    " DROP TABLE t; ALTER TABLE t SET UNLOGGED"),
              Contains(Is("t", "unlogged: its changes are not captured")));
  EXPECT_THAT(After("ALTER TABLE t SET LOGGED"), Contains(Is("t", "made logged")));
}

// What gives a table a new file and its rows the values they had is nobody's business; a TRUNCATE
// is on the stream.
TEST_F(DriftTest, ANewFileWithTheOldValuesIsNoDrift) {
  tables_ = {{"", "t"}, {"", "m"}};
  Begin("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1);" +
        std::string(kParts));
  Run("VACUUM FULL t");
  EXPECT_THAT(Look(), IsEmpty());
  EXPECT_THAT(After("CLUSTER t USING t_pkey; TRUNCATE m"), IsEmpty());
  EXPECT_THAT(After("BEGIN; TRUNCATE t; INSERT INTO t VALUES (1, 2); COMMIT; "
                    "ALTER TABLE t ADD COLUMN b uuid DEFAULT gen_random_uuid(); "
                    "ALTER TABLE t DROP COLUMN b"),
              IsEmpty());
  // Rows that were there before a column get its value now.
  EXPECT_THAT(After("ALTER TABLE t ADD COLUMN c int DEFAULT 7"), IsEmpty());
  Run("VACUUM FULL t");
  EXPECT_THAT(Look(), IsEmpty());
  EXPECT_THAT(After("ALTER TABLE t ADD COLUMN d int DEFAULT 7"), IsEmpty());
  EXPECT_THAT(After("ALTER TABLE t ALTER COLUMN d TYPE int USING d + 1"),
              ElementsAre(Is("t", "rewritten")));
  // The same type again: each row may have another value.
  const std::string shift = "ALTER TABLE t ALTER COLUMN a TYPE int USING a + 1;";
  EXPECT_THAT(After(shift), ElementsAre(Is("t", "rewritten")));
  EXPECT_THAT(After("TRUNCATE t; INSERT INTO t VALUES (1, 2);" + shift + "CLUSTER t"),
              ElementsAre(Is("t", "rewritten")));
  EXPECT_THAT(Look(), IsEmpty());
}

// None of it touches a row, so no stream tells.
TEST_F(DriftTest, SeesColumnsThatChangeNamesOrAreMadeAgain) {
  tables_ = {{"", "t"}, {"", "m"}};
  Begin(R"(
    CREATE TABLE t (id int PRIMARY KEY, a text, b text, note text, price int);
    CREATE TABLE m (day int PRIMARY KEY, x text) PARTITION BY RANGE (day);
    CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (2);
    CREATE TABLE m_odd (spare int, x text, day int PRIMARY KEY);
    ALTER TABLE m_odd DROP COLUMN spare;
    ALTER TABLE m ATTACH PARTITION m_odd FOR VALUES FROM (2) TO (3))");
  const std::vector<Drift> swapped = After(R"(
    BEGIN; ALTER TABLE t RENAME a TO x; ALTER TABLE t RENAME b TO a; ALTER TABLE t RENAME x TO b;
    COMMIT)");
  EXPECT_THAT(swapped,
              ElementsAre(Is("t", "column a was renamed to b; column b was renamed to a")));
  EXPECT_THAT(swapped[0].next_step, HasSubstr("switchyard resume FILE"));
  EXPECT_THAT(Look(), IsEmpty());
  EXPECT_THAT(After("ALTER TABLE t DROP COLUMN note, ADD COLUMN note text DEFAULT 'x'"),
              ElementsAre(Is("t", "column note was dropped and made again")));
  EXPECT_THAT(After("ALTER TABLE t RENAME price TO price_old; ALTER TABLE t ADD COLUMN price int"),
              ElementsAre(Is("t", "column price was renamed to price_old; another column price")));
  EXPECT_THAT(After("ALTER TABLE t ALTER b SET STORAGE PLAIN"),
              ElementsAre(Is("t", "column b may not be stored out of line now")));
  EXPECT_THAT(After("ALTER TABLE t ALTER note TYPE varchar(9)"),
              Contains(Is("t", "column note changed its type from text to character varying")));
  EXPECT_THAT(After("ALTER TABLE t ALTER note TYPE varchar(15)"), IsEmpty());
  // Once for all the partitions, whatever the numbers of their columns are.
  EXPECT_THAT(After("ALTER TABLE m RENAME x TO y"),
              ElementsAre(Is("m", "column x was renamed to y")));
  EXPECT_THAT(After("ALTER TABLE m DROP COLUMN y, ADD COLUMN y text"),
              ElementsAre(Is("m", "column y was dropped and made again")));
}

TEST_F(DriftTest, WhatNobodyReadsMayChange) {
  Begin(
      "CREATE TABLE t (id int PRIMARY KEY, a int, note text, more int);"
      "INSERT INTO t VALUES (1, 1, 'x', 1)");
  const auto after = [&](std::string_view sql) {
    Run(sql);
    auto now = LoadShapes(*session_, options().stream.publication, before_);
    EXPECT_OK(now);
    const auto drifts =
        CompareShapes(before_, *now, [](const spec::TableName& table, const std::string& column) {
          return table.schema == "public" && table.name == "t" && column != "id" && column != "a";
        });
    before_ = NextBaseline(before_, *now);
    return drifts;
  };
  EXPECT_THAT(after("ALTER TABLE t RENAME note TO comment; ALTER TABLE t ALTER more TYPE bigint"),
              IsEmpty());
  EXPECT_THAT(after("ALTER TABLE t DROP a; ALTER TABLE t RENAME comment TO a"),
              ElementsAre(Is("t", "column a was dropped and made again")));
  EXPECT_THAT(after("ALTER TABLE t RENAME a TO b"),
              ElementsAre(Is("t", "column a was renamed to b")));
}

TEST_F(DriftTest, SeesTypesThatChangeInPlaceWhereverTheyAreUsed) {
  tables_ = {{"", "t"}, {"", "plain"}, {"", "listed"}, {"", "deep"}, {"", "ranged"}};
  Begin(R"(
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE DOMAIN feeling AS mood;
    CREATE TYPE slot AS (a int, b text);
    CREATE TYPE pair AS (first slot, how feeling);
    CREATE TYPE slots AS RANGE (subtype = slot);
    CREATE TABLE t (id int PRIMARY KEY, m mood);
    CREATE TABLE plain (id int PRIMARY KEY, v text);
    CREATE TABLE listed (id int PRIMARY KEY, m feeling[]);
    CREATE TABLE deep (id int PRIMARY KEY, p pair);
    CREATE TABLE ranged (id int PRIMARY KEY, r slots, s slots[]))");
  EXPECT_THAT(
      After("ALTER TYPE mood ADD VALUE 'great'; ALTER TYPE mood ADD VALUE 'bad' BEFORE 'ok'"),
      IsEmpty());
  const std::string traded =
      "type public.mood: value sad was renamed to ok, value ok was renamed to sad";
  EXPECT_THAT(After(R"(
    BEGIN; ALTER TYPE mood RENAME VALUE 'sad' TO 'x'; ALTER TYPE mood RENAME VALUE 'ok' TO 'sad';
    ALTER TYPE mood RENAME VALUE 'x' TO 'ok'; COMMIT)"),
              UnorderedElementsAre(Is("t", traded), Is("listed", traded), Is("deep", traded)));
  EXPECT_THAT(Look(), IsEmpty());
  // Rows that came in between have been read under the other name.
  const std::string back = "type public.mood: value great had another name for a while";
  EXPECT_THAT(After("ALTER TYPE mood RENAME VALUE 'great' TO 'x'; INSERT INTO t VALUES (1, 'x');"
                    "ALTER TYPE mood RENAME VALUE 'x' TO 'great'"),
              UnorderedElementsAre(Is("t", back), Is("listed", back), Is("deep", back)));
  const std::string added = "type public.slot: attribute c was added";
  EXPECT_THAT(After("ALTER TYPE slot ADD ATTRIBUTE c int"),
              UnorderedElementsAre(Is("deep", added), Is("ranged", added)));
  const std::string again = "type public.slot: attribute b was dropped, attribute b was added";
  EXPECT_THAT(After("ALTER TYPE slot DROP ATTRIBUTE b, ADD ATTRIBUTE b text"),
              UnorderedElementsAre(Is("deep", again), Is("ranged", again)));
  EXPECT_THAT(After("ALTER TYPE slot RENAME ATTRIBUTE a TO n"), SizeIs(2));
}

// What OLD generates is not on the stream: NEW computes it as the file says.
TEST_F(DriftTest, SeesAnotherWayToComputeWhatIsGenerated) {
  tables_ = {{"", "t"}, {"", "m"}};
  const bool on_18 = owner_->server_version() >= 180000;
  Begin(R"(
    CREATE FUNCTION tax(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
    CREATE FUNCTION more(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + $2';
    CREATE OPERATOR ## (FUNCTION = more, LEFTARG = int, RIGHTARG = int);
    CREATE TABLE t (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) STORED,
                    c int GENERATED ALWAYS AS (tax(a)) STORED,
                    d int GENERATED ALWAYS AS (a ## 1) STORED)" +
        std::string(on_18 ? ", v int GENERATED ALWAYS AS (a * 2) VIRTUAL" : "") + R"();
    CREATE TABLE m (day int PRIMARY KEY, x int GENERATED ALWAYS AS (day + 1) STORED)
      PARTITION BY RANGE (day);
    CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (2);
    INSERT INTO t VALUES (1, 1))");
  EXPECT_THAT(After("CREATE OR REPLACE FUNCTION tax(int) RETURNS int IMMUTABLE LANGUAGE sql AS "
                    "'SELECT $1 * 3'"),
              ElementsAre(Is("t", "generated column c is computed by another function now")));
  EXPECT_THAT(After("CREATE OR REPLACE FUNCTION more(int, int) RETURNS int IMMUTABLE LANGUAGE sql "
                    "AS 'SELECT $1 - $2'; ALTER FUNCTION tax(int) COST 7"),
              ElementsAre(Is("t", "generated column d is computed by another function now")));
  const std::vector<Drift> dropped = After("ALTER TABLE t ALTER b DROP EXPRESSION");
  EXPECT_THAT(dropped, ElementsAre(Is("t", "column b is generated no more")));
  EXPECT_THAT(dropped[0].next_step, HasSubstr("mend what the migration file says of it under set"));
  EXPECT_THAT(dropped[0].next_step, HasSubstr("run: switchyard resume FILE"));
  EXPECT_THAT(After("ALTER TABLE t DROP c, ADD c int GENERATED ALWAYS AS (a * 5) STORED"),
              ElementsAre(Is("t", "generated column c has another expression")));
  EXPECT_THAT(After("ALTER TABLE t DROP c, ADD c int GENERATED ALWAYS AS (a * 5) STORED"),
              IsEmpty());
  EXPECT_THAT(After("ALTER TABLE t DROP d, ADD d int DEFAULT 3"),
              ElementsAre(Is("t", "column d is generated no more")));
  EXPECT_THAT(After("ALTER TABLE m DROP x, ADD x int GENERATED ALWAYS AS (day + 2) STORED"),
              ElementsAre(Is("m", "generated column x has another expression")));
  EXPECT_THAT(After("ALTER TABLE m ALTER x DROP EXPRESSION"),
              ElementsAre(Is("m", "column x is generated no more")));
  EXPECT_THAT(Look(), IsEmpty());
  if (owner_->server_version() < 170000) return;
  EXPECT_THAT(After("ALTER TABLE t ALTER c SET EXPRESSION AS (a * 5)"), IsEmpty());
  EXPECT_THAT(After("ALTER TABLE t ALTER c SET EXPRESSION AS (a * 6)"),
              ElementsAre(Is("t", "generated column c has another expression")));
  if (!on_18) return;
  // Postgres refuses SET EXPRESSION of a virtual one that is published.
  EXPECT_THAT(After("ALTER TABLE t DROP v, ADD v int GENERATED ALWAYS AS (a * 7)"),
              ElementsAre(Is("t", "generated column v has another expression")));
}

// It decides what is equal and which of several is the least.
TEST_F(DriftTest, SeesAnotherCollation) {
  Begin("CREATE TABLE t (id int PRIMARY KEY, x text COLLATE \"C\")");
  const std::vector<Drift> drifts = After("ALTER TABLE t ALTER x TYPE text COLLATE \"POSIX\"");
  EXPECT_THAT(drifts, ElementsAre(Is("t", "column x has another collation")));
  EXPECT_THAT(drifts[0].next_step, HasSubstr("switchyard resume FILE"));
}

// Recorded and read again, as after a time in which no capture ran.
TEST_F(DriftTest, SeesWhatChangedWhileNobodyLooked) {
  Begin(R"(
    CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
    CREATE TABLE t (id int PRIMARY KEY, m mood, "a ""b" text DEFAULT 'q'))");
  ASSERT_OK(
      records::CaptureStreams(*session_, options().stream.name).Begin(options().stream, 1, 1));
  ASSERT_OK(RecordShapes(*session_, options().stream.name, before_, {}));
  Run(R"(ALTER TYPE mood RENAME VALUE 'it''s ok' TO 'fine'; ALTER TABLE t RENAME "a ""b" TO c)");
  ASSERT_OK_AND_ASSIGN(before_, records::CapturedTables(*session_, options().stream.name).Load());
  EXPECT_THAT(Look(), ElementsAre(Is("t",
                                     "column a \"b was renamed to c; type public.mood: value "
                                     "it's ok was renamed to fine")));
}

TEST_F(DriftTest, APublicationOfASchemaIsOneToo) {
  if (owner_->server_version() < 150000) GTEST_SKIP() << "since Postgres 15";
  tables_ = {{"", "t"}, {"", "m"}};
  Begin("CREATE TABLE t (id int PRIMARY KEY);" + std::string(kParts));
  const std::string name = options().stream.publication;
  EXPECT_THAT(After("ALTER PUBLICATION " + name + " SET TABLES IN SCHEMA public"),
              Contains(Is("t", "its publication was altered")));
  EXPECT_THAT(Look(), IsEmpty());
  EXPECT_THAT(After("ALTER PUBLICATION " + name + " DROP TABLES IN SCHEMA public"),
              Contains(Is("t", "not in the publication")));
}

TEST_F(DriftTest, SeesAPublicationAlteredAndPutBack) {
  tables_ = {{"", "t"}, {"", "m"}};
  Begin("CREATE TABLE t (id int PRIMARY KEY);" + std::string(kParts));
  const std::string name = options().stream.publication;
  EXPECT_THAT(After("ALTER PUBLICATION " + name + " DROP TABLE t; ALTER PUBLICATION " + name +
                    " ADD TABLE t"),
              ElementsAre(Is("t", "altered or made again")));
  EXPECT_THAT(After("ALTER PUBLICATION " + name + " DROP TABLE m"),
              AllOf(SizeIs(3), Contains(Is("m", "not in the publication"))));
  Run("ALTER PUBLICATION " + name + " ADD TABLE m");
  EXPECT_THAT(Look(), Contains(Is("m", "partition public.m_1: its publication was altered")));
  EXPECT_THAT(After("ALTER PUBLICATION " + name + " SET (publish = 'insert'); ALTER PUBLICATION " +
                    name + " SET (publish = 'insert, update, delete, truncate')"),
              Contains(Is("t", "altered")));
  SetUpSource();  // run again, the setup leaves everything as it is
  EXPECT_THAT(Look(), IsEmpty());
}

// A copy made meanwhile does not mend it.
TEST_F(DriftTest, WhatIsNotCapturedIsSuspectForAsLong) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  const std::string name = options().stream.publication;
  EXPECT_THAT(After("ALTER PUBLICATION " + name + " DROP TABLE t; ALTER TABLE t SET UNLOGGED"),
              SizeIs(2));
  for (int look = 0; look < 2; ++look) {
    EXPECT_THAT(Look(), ElementsAre(Is("t", "unlogged"), Is("t", "not in the publication")));
  }
  Run("ALTER TABLE t SET LOGGED; ALTER PUBLICATION " + name + " ADD TABLE t");
  EXPECT_THAT(Look(), SizeIs(2));
  EXPECT_THAT(Look(), IsEmpty());
}

TEST_F(DriftTest, APublicationThatLeavesSomethingOutIsSuspectForAsLong) {
  Begin("CREATE TABLE t (id int PRIMARY KEY, a int)");
  const std::string name = "ALTER PUBLICATION " + options().stream.publication;
  const auto stays = [&](const std::string& sql) {
    Run(sql);
    for (int look = 0; look < 2; ++look) {
      const std::vector<Drift> drifts = Look();
      EXPECT_THAT(drifts, ElementsAre(Is("t", "leaves rows, columns or operations out"))) << sql;
    }
  };
  stays(name + " SET (publish = 'insert')");
  Run(name + " SET (publish = 'insert, update, delete, truncate')");
  if (owner_->server_version() >= 150000) {
    stays(name + " SET TABLE t WHERE (id > 5)");
    stays(name + " SET TABLE t (id)");
    Run(name + " SET TABLE t");
  }
  EXPECT_THAT(Look(), ElementsAre(Is("t", "altered or made again")));
  EXPECT_THAT(Look(), IsEmpty());
}

// Their rows are in what anybody reads of it.
TEST_F(DriftTest, ATableThatOthersInheritFromIsSuspectForAsLong) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  Run("CREATE TABLE kid () INHERITS (t)");
  for (int look = 0; look < 2; ++look) {
    EXPECT_THAT(Look(), ElementsAre(Is("t", "others inherit from it: their rows show as its")));
  }
  EXPECT_THAT(After("ALTER TABLE kid NO INHERIT t"), IsEmpty());
}

TEST_F(DriftTest, SeesATableDroppedMadeAgainOrRenamed) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  const std::vector<Drift> renamed = After("ALTER TABLE t RENAME TO t2");
  EXPECT_THAT(renamed, ElementsAre(Is("t", "renamed to public.t2")));
  EXPECT_THAT(renamed[0].next_step, HasSubstr("rename it back, which clears this"));
  EXPECT_THAT(After("DROP TABLE t2; CREATE TABLE t2 (id int PRIMARY KEY)"),
              ElementsAre(Is("t2", "dropped and made again")));
  EXPECT_THAT(Look(), IsEmpty());
}

TEST_F(DriftTest, TellsHowATableThatTookAnothersNameIsTakenUp) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  const std::vector<Drift> replaced = After(R"(
    BEGIN; CREATE TABLE t_new (id int PRIMARY KEY); ALTER TABLE t RENAME TO t_old;
    ALTER TABLE t_new RENAME TO t; COMMIT)");
  EXPECT_THAT(replaced,
              ElementsAre(Is("t", "renamed to public.t_old, and another table has its name")));
  EXPECT_THAT(replaced[0].next_step, AllOf(HasSubstr("(1) run, as OLD's owner, what `switchyard "
                                                     "check --print-setup FILE` prints; (2) end "),
                                           HasSubstr("(3) end the replayer and run: switchyard "
                                                     "resume FILE; (4) start it again")));
}

// By its oid it was known all the while.
TEST_F(DriftTest, ATableRenamedBackIsSuspectNoMore) {
  tables_ = {{"", "t"}, {"", "m"}};
  Begin("CREATE TABLE t (id int PRIMARY KEY);" + std::string(kParts));
  const std::string stream = options().stream.name;
  ASSERT_OK(
      records::CaptureStreams(*session_, options().stream.name).Begin(options().stream, 1, 1));
  const auto record = [&](const std::vector<Drift>& drifts) {
    EXPECT_OK(RecordShapes(*session_, stream, before_, drifts));
  };
  const auto open = [&] {
    return Scalar("SELECT count(*) FROM switchyard.capture_suspect WHERE cleared_at IS NULL");
  };
  record(After("ALTER TABLE t RENAME TO a"));
  record(After("ALTER TABLE a RENAME TO b"));
  EXPECT_EQ(open(), "2");
  record(After("ALTER TABLE b RENAME TO a"));
  EXPECT_EQ(open(), "1");
  record(After("ALTER TABLE a RENAME TO c"));
  record(After("ALTER TABLE c RENAME TO t"));
  EXPECT_EQ(open(), "0");
  EXPECT_THAT(After("ALTER TABLE m_1 RENAME TO m_first"), IsEmpty());  // nobody's business
}

TEST_F(DriftTest, SeesATableDropped) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  EXPECT_THAT(After("DROP TABLE t"), ElementsAre(Is("t", "dropped (it was relation")));
}

TEST_F(DriftTest, SeesAnotherReplicaIdentity) {
  Begin("CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL UNIQUE)");
  EXPECT_THAT(After("ALTER TABLE t REPLICA IDENTITY FULL"),
              ElementsAre(Is("t", "from DEFAULT (id) to FULL")));
  EXPECT_THAT(After("ALTER TABLE t REPLICA IDENTITY USING INDEX t_a_key"),
              ElementsAre(Is("t", "from FULL to INDEX (a)")));
  EXPECT_THAT(After("ALTER TABLE t DROP CONSTRAINT t_a_key"),
              ElementsAre(Is("t", "from INDEX (a) to an index that is gone: its UPDATEs and")));
  const std::vector<Drift> nothing = After("ALTER TABLE t REPLICA IDENTITY NOTHING");
  EXPECT_THAT(nothing, ElementsAre(Is("t", "to NOTHING: its UPDATEs and DELETEs fail")));
  EXPECT_THAT(nothing[0].next_step,
              HasSubstr("ALTER TABLE \"public\".\"t\" REPLICA IDENTITY FULL"));
}

TEST_F(DriftTest, TellsPartitionsBornFromPartitionsAttached) {
  tables_ = {{"", "m"}};
  Begin(kParts);
  EXPECT_THAT(After(R"(
    CREATE TABLE m_3 PARTITION OF m FOR VALUES FROM (3) TO (4);
    CREATE TABLE m_4 PARTITION OF m (x DEFAULT 'x') FOR VALUES FROM (4) TO (5);
    INSERT INTO m VALUES (3, 'c'))"),
              IsEmpty());
  EXPECT_THAT(before_, SizeIs(5));
  EXPECT_THAT(After(R"(
    CREATE TABLE m_5 (day int PRIMARY KEY, x text);
    ALTER TABLE m ATTACH PARTITION m_5 FOR VALUES FROM (5) TO (6))"),
              ElementsAre(Is("m", "partition public.m_5 was attached")));
  EXPECT_THAT(After(R"(
    BEGIN;
    CREATE TABLE m_6 AS SELECT 6 AS day, 'x' AS x;
    ALTER TABLE m_6 ALTER day SET NOT NULL;
    ALTER TABLE m ATTACH PARTITION m_6 FOR VALUES FROM (6) TO (7);
    COMMIT)"),
              ElementsAre(Is("m", "partition public.m_6 was attached")));
  // A partition born under one that was attached itself.
  EXPECT_THAT(After(R"(
    CREATE TABLE m_7 (day int PRIMARY KEY, x text) PARTITION BY RANGE (day);
    CREATE TABLE m_7a PARTITION OF m_7 FOR VALUES FROM (7) TO (8);
    ALTER TABLE m ATTACH PARTITION m_7 FOR VALUES FROM (7) TO (8))"),
              ElementsAre(Is("m", "partition public.m_7a was attached")));
}

// What is copied is what the snapshot shows, whatever was detached since.
TEST_F(DriftTest, ThePartitionsAreThoseOfTheSnapshot) {
  tables_ = {{"", "m"}};
  Begin(kParts);
  ASSERT_OK(
      session_->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class LIMIT 1"));
  Run("ALTER TABLE m DETACH PARTITION m_1; ALTER TABLE m DETACH PARTITION m_2;"
      "ALTER TABLE m_2 DETACH PARTITION m_2a");
  ASSERT_OK_AND_ASSIGN(const ShapeSnapshot then,
                       LoadShapes(*session_, options().stream.publication, before_));
  ASSERT_OK(session_->Execute("COMMIT"));
  TableShapes expected = before_;
  for (auto& [oid, shape] : expected) shape.born_partition = then.tables.at(oid).born_partition;
  EXPECT_EQ(then.tables, expected);
  EXPECT_THAT(CompareShapes(before_, then), IsEmpty());
  EXPECT_THAT(Look(), SizeIs(2));
}

TEST_F(DriftTest, APartitionThatComputesAColumnInItsOwnWayIsSuspectForAsLong) {
  tables_ = {{"", "m"}};
  Begin(
      "CREATE TABLE m (day int PRIMARY KEY, d int GENERATED ALWAYS AS (day * 2) STORED) "
      "PARTITION BY RANGE (day); CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (2)");
  EXPECT_THAT(After("CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM (2) TO (3)"), IsEmpty());
  if (owner_->server_version() < 160000) GTEST_SKIP() << "all compute alike before Postgres 16";
  EXPECT_THAT(
      After("CREATE TABLE m_3 (day int PRIMARY KEY, d int GENERATED ALWAYS AS (day * 3) STORED);"
            "CREATE TABLE m_4 PARTITION OF m (d GENERATED ALWAYS AS (day * 4) STORED) "
            "FOR VALUES FROM (4) TO (5); GRANT SELECT ON m_3, m_4 TO switchyard_capture;"
            "ALTER TABLE m ATTACH PARTITION m_3 FOR VALUES FROM (3) TO (4)"),
      UnorderedElementsAre(Is("m", "partition public.m_3 was attached"),
                           Is("m",
                              "partition public.m_3: column d is computed in another way than "
                              "in the rest of the table"),
                           Is("m", "partition public.m_4: column d is computed in another way")));
  EXPECT_THAT(Look(), SizeIs(2));  // for as long as it is so
  auto now = LoadShapes(*session_, options().stream.publication, before_);
  ASSERT_OK(now);
  const auto left_out = [](const spec::TableName&, const std::string& column) {
    return column == "d";
  };
  EXPECT_THAT(CompareShapes(before_, *now, left_out), IsEmpty());
}

TEST_F(DriftTest, SeesPartitionsLeaveAndNewOnesWithoutIdentity) {
  tables_ = {{"", "m"}, {"", "keyless"}};
  Begin(std::string(kParts) + R"(;
    CREATE TABLE keyless (a int) PARTITION BY LIST (a);
    CREATE TABLE keyless_1 PARTITION OF keyless FOR VALUES IN (1);
    ALTER TABLE keyless_1 REPLICA IDENTITY FULL)");
  EXPECT_THAT(After("ALTER TABLE m DETACH PARTITION m_1"),
              ElementsAre(Is("m", "partition public.m_1: detached")));
  EXPECT_THAT(After("DROP TABLE m_1"), IsEmpty());  // none of ours any more
  EXPECT_THAT(After("DROP TABLE m_2"), ElementsAre(Is("m", "partition public.m_2a was dropped")));
  EXPECT_THAT(After("CREATE TABLE keyless_2 PARTITION OF keyless FOR VALUES IN (2)"),
              ElementsAre(Is("keyless", "keyless_2 has no usable replica identity")));
}

// What was changed in it meanwhile was published by nobody.
TEST_F(DriftTest, SeesAPartitionThatWasAwayBetweenTwoLooks) {
  if (owner_->server_version() < 130000) GTEST_SKIP() << "published by its own name before";
  tables_ = {{"", "m"}};
  Begin(kParts);
  EXPECT_THAT(After(R"(
    BEGIN;
    ALTER TABLE m DETACH PARTITION m_1;
    INSERT INTO m_1 VALUES (1, 'unseen');
    ALTER TABLE m ATTACH PARTITION m_1 FOR VALUES FROM (1) TO (2);
    COMMIT)"),
              ElementsAre(Is("m", "partition public.m_1: detached and attached again")));
  // With all that is below it.
  EXPECT_THAT(After(R"(
    ALTER TABLE m DETACH PARTITION m_2;
    ALTER TABLE m ATTACH PARTITION m_2 FOR VALUES FROM (2) TO (3))"),
              ElementsAre(Is("m", "partition public.m_2a: detached and attached again")));
  Run("VACUUM FREEZE");
  Run("ALTER TABLE m_1 RENAME TO m_one");
  EXPECT_THAT(Look(), IsEmpty());
}

// Published by its own name, it is captured all the while.
TEST_F(DriftTest, APartitionMappedByItselfMayBeAway) {
  tables_ = {{"", "m_1"}};
  Begin(kParts);
  EXPECT_THAT(After(R"(
    BEGIN; ALTER TABLE m DETACH PARTITION m_1;
    ALTER TABLE m ATTACH PARTITION m_1 FOR VALUES FROM (1) TO (2); COMMIT)"),
              IsEmpty());
  EXPECT_THAT(After("ALTER TABLE m DETACH PARTITION m_1"), IsEmpty());
  EXPECT_THAT(After("ALTER TABLE m ATTACH PARTITION m_1 FOR VALUES FROM (1) TO (2)"), IsEmpty());
  // Nor do the others wait to be copied with it.
  const records::Stream& stream = options().stream;
  ASSERT_OK(records::CaptureStreams(*session_, options().stream.name).Begin(stream, 1, 1));
  ASSERT_OK(RecordShapes(*session_, stream.name, before_, {}));
  const catalog::Catalog catalog = LoadTables();
  const catalog::Table& table = catalog.tables[0];
  ASSERT_OK(records::CaptureCopies(*session_, stream.name)
                .Ask({{.relation_id = table.oid, .schema = table.schema, .name = table.name}},
                     records::CopyKind::kFirst));
  ASSERT_OK_AND_ASSIGN(const std::vector<records::CaptureCopy> copies,
                       records::CaptureCopies(*session_, stream.name).TakeUnfinished());
  ASSERT_THAT(copies, SizeIs(1));
  EXPECT_EQ(copies[0].root_id, 0);
}

// Nobody sees its rows in the table any more.
TEST_F(DriftTest, ADetachThatWasCutOffIsOne) {
  if (owner_->server_version() < 140000) GTEST_SKIP() << "since Postgres 14";
  tables_ = {{"", "m"}};
  Begin(kParts);
  ASSERT_OK_AND_ASSIGN(const auto reader, server_->Connect(database_));
  ASSERT_OK(reader->Execute("BEGIN; SELECT FROM m"));
  ASSERT_OK(owner_->Execute("SET lock_timeout = '100ms'"));
  EXPECT_FALSE(owner_->Execute("ALTER TABLE m DETACH PARTITION m_1 CONCURRENTLY").ok());
  EXPECT_THAT(Look(), ElementsAre(Is("m", "partition public.m_1: detached")));
  ASSERT_OK(reader->Execute("COMMIT"));
  EXPECT_THAT(After("ALTER TABLE m DETACH PARTITION m_1 FINALIZE"), IsEmpty());
}

TEST_F(DriftTest, SuspectsAreKeptOnce) {
  tables_ = {{"", "m"}};
  Begin(kParts);
  const std::string stream = options().stream.name;
  ASSERT_OK(
      records::CaptureStreams(*session_, options().stream.name).Begin(options().stream, 1, 1));
  ASSERT_OK(RecordShapes(*session_, stream, before_, {}));
  ASSERT_OK_AND_ASSIGN(const TableShapes recorded,
                       records::CapturedTables(*session_, stream).Load());
  ASSERT_OK_AND_ASSIGN(const ShapeSnapshot now,
                       LoadShapes(*session_, options().stream.publication, recorded));
  EXPECT_THAT(CompareShapes(recorded, now), IsEmpty());

  const std::vector<Drift> drifts = After("ALTER TABLE m ALTER COLUMN x TYPE varchar(9)");
  EXPECT_THAT(drifts, SizeIs(3));  // one per leaf, both of m, and the type
  ASSERT_OK(RecordShapes(*session_, stream, before_, drifts));
  ASSERT_OK(RecordShapes(*session_, stream, before_, drifts));  // no double entry
  const std::string open =
      "SELECT count(*) FROM switchyard.capture_suspect WHERE cleared_at IS NULL";
  EXPECT_EQ(Scalar(open), "3");
}

}  // namespace
}  // namespace switchyard::capture
