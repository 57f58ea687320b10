#include "capture/drift.h"

#include "capture/source_state.h"
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

class DriftTest : public testing::SourceTest {
 protected:
  // Makes the tables and remembers their shapes.
  void Begin(std::string_view sql) {
    Run(sql);
    SetUpSource();
    session_ = ConnectAsCapture();
    ASSERT_NE(session_, nullptr);
    auto shapes = LoadFirstShapes(*session_, options().names.publication, LoadTables());
    ASSERT_OK(shapes);
    before_ = *std::move(shapes);
  }
  // What changed since the last time.
  std::vector<Drift> Look() {
    auto after = LoadShapes(*session_, options().names.publication, before_);
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

TEST_F(DriftTest, SeesARewriteATruncateAndUnlogged) {
  Begin("CREATE TABLE t (id int PRIMARY KEY, a int)");
  EXPECT_THAT(After("ALTER TABLE t ALTER COLUMN a TYPE bigint"), ElementsAre(Is("t", "rewritten")));
  EXPECT_THAT(Look(), IsEmpty());
  EXPECT_THAT(After("TRUNCATE t"), ElementsAre(Is("t", "rewritten or truncated")));
  // Postgres refuses this of a published table, so it takes two steps.
  EXPECT_THAT(After("ALTER PUBLICATION " + options().names.publication +
                    " DROP TABLE t; ALTER TABLE t SET UNLOGGED"),
              Contains(Is("t", "unlogged: its changes are not captured")));
  EXPECT_THAT(After("ALTER TABLE t SET LOGGED"), Contains(Is("t", "made logged")));
}

TEST_F(DriftTest, SeesAPublicationAlteredAndPutBack) {
  tables_ = {{"", "t"}, {"", "m"}};
  Begin("CREATE TABLE t (id int PRIMARY KEY);" + std::string(kParts));
  const std::string name = options().names.publication;
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
  const std::string name = options().names.publication;
  EXPECT_THAT(After("ALTER PUBLICATION " + name + " DROP TABLE t; ALTER TABLE t SET UNLOGGED"),
              SizeIs(3));  // rewritten as well
  for (int look = 0; look < 2; ++look) {
    EXPECT_THAT(Look(), ElementsAre(Is("t", "unlogged"), Is("t", "not in the publication")));
  }
  Run("ALTER TABLE t SET LOGGED; ALTER PUBLICATION " + name + " ADD TABLE t");
  EXPECT_THAT(Look(), SizeIs(3));
  EXPECT_THAT(Look(), IsEmpty());
}

TEST_F(DriftTest, SeesATableDroppedMadeAgainOrRenamed) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  const std::vector<Drift> renamed = After("ALTER TABLE t RENAME TO t2");
  EXPECT_THAT(renamed, ElementsAre(Is("t", "renamed to public.t2")));
  EXPECT_THAT(After("DROP TABLE t2; CREATE TABLE t2 (id int PRIMARY KEY)"),
              ElementsAre(Is("t2", "dropped and made again")));
  EXPECT_THAT(Look(), IsEmpty());
}

// By its oid it was known all the while.
TEST_F(DriftTest, ATableRenamedBackIsSuspectNoMore) {
  tables_ = {{"", "t"}, {"", "m"}};
  Begin("CREATE TABLE t (id int PRIMARY KEY);" + std::string(kParts));
  const std::string stream = options().names.stream;
  ASSERT_OK(RecordCreating(*session_, options().names, 1, 1));
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

TEST_F(DriftTest, SuspectsAreKeptUntilAYoungerCopyIsDone) {
  tables_ = {{"", "m"}};
  Begin(kParts);
  const std::string stream = options().names.stream;
  ASSERT_OK(RecordCreating(*session_, options().names, 1, 1));
  ASSERT_OK(RecordShapes(*session_, stream, before_, {}));
  ASSERT_OK_AND_ASSIGN(const TableShapes recorded, LoadRecordedShapes(*session_, stream));
  ASSERT_OK_AND_ASSIGN(const ShapeSnapshot now,
                       LoadShapes(*session_, options().names.publication, recorded));
  EXPECT_THAT(CompareShapes(recorded, now), IsEmpty());

  const std::vector<Drift> drifts = After("ALTER TABLE m ALTER COLUMN x TYPE varchar(9)");
  EXPECT_THAT(drifts, SizeIs(2));  // one per leaf, both of m
  ASSERT_OK(RecordShapes(*session_, stream, before_, drifts));
  ASSERT_OK(RecordShapes(*session_, stream, before_, drifts));  // no double entry
  const std::string open =
      "SELECT count(*) FROM switchyard.capture_suspect WHERE cleared_at IS NULL";
  EXPECT_EQ(Scalar(open), "2");

  const catalog::Catalog catalog = LoadTables();
  const auto copy_all = [&](const std::string& lsn, size_t tables) {
    std::vector<const catalog::Table*> leaves = {catalog.Find("public", "m_1"),
                                                 catalog.Find("public", "m_2a")};
    ASSERT_OK(RequestCopies(*session_, stream, leaves, true));
    ASSERT_OK_AND_ASSIGN(auto copies, LoadUnfinishedCopies(*session_, stream));
    ASSERT_OK_AND_ASSIGN(const Lsn at, Lsn::Parse(lsn));
    ASSERT_OK(BeginCopies(*session_, stream, at, &copies));
    copies.resize(tables);  // the others are under way
    for (const CopyRecord& copy : copies) {
      ASSERT_OK(
          RecordProgress(*session_, stream, {{copy.relation_id, copy.generation, 1, 1, true}}));
    }
  };
  copy_all("0/1", 2);  // as of before it became suspect
  EXPECT_EQ(Scalar(open), "2");
  copy_all("FF/0", 1);  // one of its leaves only
  EXPECT_EQ(Scalar(open), "2");
  copy_all("FF/0", 2);
  EXPECT_EQ(Scalar(open), "0");
}

}  // namespace
}  // namespace switchyard::capture
