#include "common/catalog/catalog.h"

#include "common/base/strings.h"
#include "tests/support/server/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::catalog {
namespace {

using ::switchyard::testing::MiniPostgres;
using ::switchyard::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// 63 bytes, with everything a name may hold: quotes, blanks, capitals, a letter of two bytes.
constexpr char kLongName[] = "Naïve \"Table\" of {schema}, 63 bytes long: 0123456789 abcdefghi";
static_assert(sizeof(kLongName) == 64);

// One server for all tests of this file, a database each.
class CatalogTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto server = MiniPostgres::Start();
    ASSERT_OK(server);
    server_ = std::move(*server);
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    database_ = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    ASSERT_OK(server_->CreateDatabase(database_));
    auto session = server_->Connect(database_);
    ASSERT_OK(session);
    session_ = std::move(*session);
  }

  void Run(std::string_view sql) { ASSERT_OK(session_->Execute(sql)); }
  Catalog Load(const std::vector<spec::TableName>& names,
               const std::vector<std::string>& schemas = {"public"}) {
    auto catalog = LoadCatalog(*session_, names, {.schemas = schemas});
    EXPECT_OK(catalog);
    return catalog.ok() ? *std::move(catalog) : Catalog();
  }

  static std::unique_ptr<MiniPostgres> server_;
  std::string database_;
  std::unique_ptr<pg::Session> session_;
};
std::unique_ptr<MiniPostgres> CatalogTest::server_;

std::vector<std::string> ColumnNames(const Table& table) {
  std::vector<std::string> names;
  for (const Column& column : table.columns) names.push_back(column.name);
  return names;
}

TEST_F(CatalogTest, DescribesAPlainTable) {
  Run(R"(
    CREATE TABLE owners (id bigint PRIMARY KEY);
    CREATE TABLE studios (
      id int GENERATED ALWAYS AS IDENTITY,
      region text NOT NULL DEFAULT 'eu',
      owner_id bigint REFERENCES owners ON DELETE CASCADE DEFERRABLE,
      gone int,
      name varchar(40) COLLATE "C",
      area numeric(8,2),
      double_area numeric GENERATED ALWAYS AS (area * 2) STORED,
      slug text,
      PRIMARY KEY (region, id),
      UNIQUE (slug) DEFERRABLE);
    CREATE UNIQUE INDEX studios_lower ON studios (lower(name), region) WHERE area > 0;
    ALTER TABLE studios DROP COLUMN gone;
    ALTER TABLE studios ENABLE ROW LEVEL SECURITY;
    INSERT INTO owners SELECT generate_series(1, 100);
    ANALYZE owners)");
  const Catalog catalog = Load({{"", "studios"}, {"public", "owners"}});
  EXPECT_EQ(catalog.database, "DescribesAPlainTable");
  EXPECT_NE(catalog.system_identifier, 0u);
  EXPECT_EQ(catalog.timeline, 1u);
  EXPECT_EQ(catalog.server_version, session_->server_version());
  EXPECT_THAT(catalog.missing, IsEmpty());
  ASSERT_THAT(catalog.tables, SizeIs(2));

  const Table& studios = catalog.tables[0];
  EXPECT_EQ(&studios, catalog.Find("public", "studios"));
  EXPECT_EQ(&studios, catalog.FindOid(studios.oid));
  EXPECT_EQ(studios.Display(), "public.studios");
  EXPECT_EQ(studios.kind, 'r');
  EXPECT_EQ(studios.persistence, 'p');
  EXPECT_EQ(studios.replica_identity, 'd');
  EXPECT_EQ(studios.root_oid, 0u);
  EXPECT_TRUE(studios.row_security);
  EXPECT_THAT(ColumnNames(studios),
              ElementsAre("id", "region", "owner_id", "name", "area", "double_area", "slug"));
  EXPECT_THAT(studios.primary_key, ElementsAre("region", "id"));
  EXPECT_THAT(studios.identity_columns, ElementsAre("id", "region"));

  EXPECT_EQ(studios.FindColumn("id")->identity, 'a');
  EXPECT_FALSE(studios.FindColumn("id")->toastable);
  EXPECT_TRUE(studios.FindColumn("region")->has_default);
  EXPECT_TRUE(studios.FindColumn("region")->not_null);
  EXPECT_TRUE(studios.FindColumn("region")->in_identity);
  EXPECT_EQ(studios.FindColumn("name")->type, "character varying(40)");
  EXPECT_EQ(studios.FindColumn("name")->type_modifier, 44);
  EXPECT_EQ(studios.FindColumn("name")->collation, "pg_catalog.\"C\"");
  EXPECT_TRUE(studios.FindColumn("name")->toastable);
  EXPECT_EQ(studios.FindColumn("slug")->collation, "");
  EXPECT_TRUE(studios.FindColumn("double_area")->generated);
  EXPECT_FALSE(studios.FindColumn("double_area")->has_default);
  EXPECT_EQ(studios.FindColumn("gone"), nullptr);

  ASSERT_THAT(studios.unique_indexes, SizeIs(3));
  EXPECT_TRUE(studios.unique_indexes[0].primary);
  EXPECT_THAT(studios.unique_indexes[0].columns, ElementsAre("region", "id"));
  EXPECT_EQ(studios.unique_indexes[1].name, "studios_lower");
  EXPECT_TRUE(studios.unique_indexes[1].partial);
  EXPECT_THAT(studios.unique_indexes[1].columns, ElementsAre("", "region"));
  EXPECT_TRUE(studios.unique_indexes[2].deferrable);

  ASSERT_THAT(studios.foreign_keys, SizeIs(1));
  EXPECT_EQ(studios.foreign_keys[0].referenced_table, "owners");
  EXPECT_TRUE(studios.foreign_keys[0].deferrable);
  EXPECT_TRUE(studios.foreign_keys[0].cascades);

  EXPECT_EQ(catalog.tables[1].rows_estimate, 100);
  EXPECT_EQ(catalog.tables[1].bytes, 8192);
}

TEST_F(CatalogTest, FindsQuotedAndLongestNamesInSeveralSchemas) {
  const std::string quoted = QuoteIdentifier(kLongName);
  Run("CREATE SCHEMA " + quoted + "; CREATE SCHEMA second");
  Run("CREATE TABLE " + quoted + "." + quoted + " (" + quoted + " int PRIMARY KEY)");
  Run("CREATE TABLE second.shared (a int); CREATE TABLE public.shared (b int)");
  Run("CREATE TABLE second.only_there (a int)");
  const Catalog catalog =
      Load({{kLongName, kLongName}, {"", "shared"}, {"", "only_there"}, {"second", "shared"}},
           {"public", "second"});
  ASSERT_THAT(catalog.tables, SizeIs(4));
  EXPECT_EQ(catalog.tables[0].name, kLongName);
  EXPECT_EQ(catalog.tables[0].Quoted(), quoted + "." + quoted);
  EXPECT_THAT(catalog.tables[0].primary_key, ElementsAre(kLongName));
  EXPECT_EQ(catalog.tables[1].Display(), "public.shared");  // the first schema wins
  EXPECT_EQ(catalog.tables[2].Display(), "second.only_there");
  EXPECT_EQ(catalog.tables[3].Display(), "second.shared");
}

TEST_F(CatalogTest, ReportsWhatIsMissingAndGivesEachTableOnce) {
  Run("CREATE TABLE t (a int); CREATE VIEW v AS SELECT 1 AS a");
  const Catalog catalog =
      Load({{"", "t"}, {"", "nope"}, {"public", "t"}, {"gone", "t"}, {"", "v"}, {"", "T"}});
  ASSERT_THAT(catalog.tables, SizeIs(2));
  EXPECT_EQ(catalog.tables[1].kind, 'v');
  EXPECT_THAT(catalog.missing, ElementsAre(spec::TableName{"", "nope"},
                                           spec::TableName{"gone", "t"}, spec::TableName{"", "T"}));
}

TEST_F(CatalogTest, FollowsPartitionsOfPartitionsToTheirLeaves) {
  Run(R"(
    CREATE TABLE m (day int, region text, x text, PRIMARY KEY (day, region)) PARTITION BY RANGE (day);
    CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (2) PARTITION BY LIST (region);
    CREATE TABLE m_1_eu PARTITION OF m_1 FOR VALUES IN ('eu');
    CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM (2) TO (3);
    CREATE TABLE empty_root (a int) PARTITION BY LIST (a);
    CREATE TABLE parent (a int);
    CREATE TABLE child () INHERITS (parent);
    INSERT INTO m VALUES (1, 'eu', 'a'), (2, 'eu', 'b'), (2, 'us', 'c');
    ANALYZE)");
  const Catalog catalog = Load({{"", "m"}, {"", "empty_root"}, {"", "parent"}});
  ASSERT_THAT(catalog.tables, SizeIs(5));  // without m_1, which holds no rows of its own
  const Table& root = catalog.tables[0];
  EXPECT_EQ(root.kind, 'p');
  EXPECT_EQ(root.root_oid, 0u);
  EXPECT_EQ(root.rows_estimate, 3);
  EXPECT_EQ(root.bytes, 2 * 8192);
  const Table* deep = catalog.Find("public", "m_1_eu");
  const Table* flat = catalog.Find("public", "m_2");
  ASSERT_NE(deep, nullptr);
  ASSERT_NE(flat, nullptr);
  EXPECT_EQ(deep->root_oid, root.oid);
  EXPECT_EQ(flat->root_oid, root.oid);
  EXPECT_THAT(deep->primary_key, ElementsAre("day", "region"));
  EXPECT_THAT(root.leaves, ElementsAre(deep->oid, flat->oid));
  EXPECT_THAT(catalog.Find("public", "empty_root")->leaves, IsEmpty());
  EXPECT_TRUE(catalog.Find("public", "parent")->inherited_from);
  EXPECT_FALSE(root.inherited_from);

  // A leaf by its own name knows its root all the same.
  const Catalog one = Load({{"", "m_1_eu"}});
  ASSERT_THAT(one.tables, SizeIs(1));
  EXPECT_EQ(one.tables[0].root_oid, root.oid);
}

TEST_F(CatalogTest, KnowsEveryReplicaIdentity) {
  Run(R"(
    CREATE TABLE whole (a int, b int, c int GENERATED ALWAYS AS (a) STORED);
    ALTER TABLE whole REPLICA IDENTITY FULL;
    CREATE TABLE by_index (a int NOT NULL, b int NOT NULL, c int, d int PRIMARY KEY);
    CREATE UNIQUE INDEX by_index_key ON by_index (b, a) INCLUDE (c);
    ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_key;
    CREATE TABLE none (a int PRIMARY KEY);
    ALTER TABLE none REPLICA IDENTITY NOTHING;
    CREATE UNLOGGED TABLE keyless (a int))");
  const Catalog catalog = Load({{"", "whole"}, {"", "by_index"}, {"", "none"}, {"", "keyless"}});
  ASSERT_THAT(catalog.tables, SizeIs(4));
  EXPECT_EQ(catalog.tables[0].replica_identity, 'f');
  EXPECT_THAT(catalog.tables[0].identity_columns, ElementsAre("a", "b"));
  EXPECT_EQ(catalog.tables[1].replica_identity, 'i');
  EXPECT_THAT(catalog.tables[1].identity_columns, ElementsAre("a", "b"));
  EXPECT_THAT(catalog.tables[1].primary_key, ElementsAre("d"));
  EXPECT_EQ(catalog.tables[2].replica_identity, 'n');
  EXPECT_THAT(catalog.tables[2].identity_columns, IsEmpty());
  EXPECT_THAT(catalog.tables[3].identity_columns, IsEmpty());
  EXPECT_EQ(catalog.tables[3].persistence, 'u');
}

// The types are made in another database in the order given, and hold the same values there.
TEST_F(CatalogTest, UserTypesCanBeMadeAgainElsewhere) {
  Run(R"(
    CREATE SCHEMA a; CREATE SCHEMA b;
    CREATE COLLATION a.numeric_order (provider = icu, locale = 'en-u-kn-true', deterministic = false);
    CREATE TYPE a.mood AS ENUM ('so', '"so"', 'it''s', '{schema}');
    CREATE TYPE b.mood AS ENUM ('other');
    CREATE FUNCTION positive(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 > 0';
    CREATE DOMAIN a.price AS numeric(8,2) NOT NULL CHECK (VALUE > 0);
    CREATE DOMAIN a.label AS varchar(20) COLLATE a.numeric_order;
    CREATE DOMAIN b.count AS int CHECK (positive(VALUE));
    CREATE TYPE a.line AS ("Item" a.label, price a.price, moods a.mood[], n b.count, note text COLLATE "C");
    CREATE TYPE b.lines AS (all_of a.line[]);
    CREATE TYPE a.price_range AS RANGE (subtype = numeric);
    CREATE TYPE a.text_range AS RANGE (subtype = text, subtype_opclass = text_pattern_ops, collation = "C");
    CREATE TABLE row_type (x int, y a.mood);
    CREATE EXTENSION hstore SCHEMA b;
    CREATE TABLE t (
      m a.mood, other b.mood, many b.mood[], l b.lines, r a.price_range, mr a.price_multirange,
      tr a.text_range, rt row_type, c text COLLATE a.numeric_order, h b.hstore, hs b.hstore[],
      plain int[], info information_schema.sql_identifier, unused_domain b.count);
    CREATE TABLE not_asked_for (x a.mood))");
  const Catalog catalog = Load({{"", "t"}});
  ASSERT_THAT(catalog.tables, SizeIs(1));
  const Table& table = catalog.tables[0];
  EXPECT_EQ(table.FindColumn("m")->type, "a.mood");
  EXPECT_TRUE(table.FindColumn("m")->user_type);
  EXPECT_EQ(table.FindColumn("many")->type, "b.mood[]");
  EXPECT_TRUE(table.FindColumn("many")->user_type);
  EXPECT_TRUE(table.FindColumn("mr")->user_type);
  EXPECT_EQ(table.FindColumn("mr")->mirror_type, "{schema}.\"price_multirange\"");
  EXPECT_EQ(table.FindColumn("h")->type, "hstore");
  EXPECT_EQ(table.FindColumn("hs")->type, "hstore[]");
  EXPECT_FALSE(table.FindColumn("h")->user_type);
  EXPECT_FALSE(table.FindColumn("hs")->user_type);
  EXPECT_FALSE(table.FindColumn("plain")->user_type);
  EXPECT_FALSE(table.FindColumn("info")->user_type);
  EXPECT_EQ(table.FindColumn("c")->collation, "a.numeric_order");
  EXPECT_EQ(table.FindColumn("c")->mirror_collation, "{schema}.\"numeric_order\"");

  ASSERT_OK(server_->CreateDatabase("elsewhere"));
  ASSERT_OK_AND_ASSIGN(auto elsewhere, server_->Connect("elsewhere"));
  const std::string schema = "the \"mirror\"";
  ASSERT_OK(
      elsewhere->Execute("CREATE EXTENSION hstore; CREATE SCHEMA " + QuoteIdentifier(schema)));
  for (const UserType& type : catalog.types) {
    ASSERT_OK(elsewhere->Execute(WithSchema(type.create_sql, schema))) << type.create_sql;
  }
  std::string columns;
  for (const Column& column : table.columns) {
    if (!columns.empty()) columns += ", ";
    columns += QuoteIdentifier(column.name) + " " + WithSchema(column.mirror_type, schema);
    if (!column.mirror_collation.empty()) {
      columns += " COLLATE " + WithSchema(column.mirror_collation, schema);
    }
  }
  ASSERT_OK(elsewhere->Execute("CREATE TABLE mirror (" + columns + ")"));
  ASSERT_OK(elsewhere->Execute(R"sql(INSERT INTO mirror (m, other, many, l, mr) VALUES
    ('{schema}', 'other', '{other}', '("{""(a,1.50,{so},1,x)""}")', '{[1,2]}'))sql"));
}

TEST_F(CatalogTest, PlaceholderIsReplacedOutsideQuotesOnly) {
  EXPECT_EQ(
      WithSchema("CREATE TYPE {schema}.\"{schema}\" AS ENUM ('{schema}', 'it''s {schema}')", "s"),
      "CREATE TYPE \"s\".\"{schema}\" AS ENUM ('{schema}', 'it''s {schema}')");
}

TEST_F(CatalogTest, SurvivesJson) {
  Run(R"(
    CREATE TYPE mood AS ENUM ('so');
    CREATE TABLE other (id int PRIMARY KEY);
    CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, m mood[], o int REFERENCES other)
      PARTITION BY RANGE (id);
    CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (1) TO (100))");
  const Catalog catalog = Load({{"", "t"}, {"", "gone"}});
  const std::string json = CatalogToJson(catalog);
  ASSERT_OK_AND_ASSIGN(const Catalog read, CatalogFromJson(json));
  EXPECT_EQ(CatalogToJson(read), json);
  EXPECT_EQ(read.system_identifier, catalog.system_identifier);
  EXPECT_EQ(read.tables[0].FindColumn("id")->identity, 'd');
  EXPECT_EQ(read.tables[0].leaves, catalog.tables[0].leaves);
  EXPECT_EQ(read.missing, catalog.missing);
  EXPECT_THAT(CatalogFromJson(json.substr(0, json.size() / 2)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("stored catalogue")));
  EXPECT_THAT(CatalogFromJson("{}"), StatusIs(absl::StatusCode::kInvalidArgument, ::testing::_));
}

TEST(CatalogNamesTest, SourceTablesResolvesAliasesAndSkipsNewsTables) {
  spec::Direction direction;
  direction.aliases["eu_customers"] = {"eu", "customers"};
  direction.id_maps.push_back({.kind = "user", .table = {"", "people"}});
  spec::Mapping copy;
  copy.target = {"public", "bookings"};
  copy.copy = spec::TableName{"", "bookings"};
  spec::Mapping merge;
  merge.target = {"public", "users"};
  merge.from = {
      {.table = {"", "eu_customers"}}, {.table = {"", "bookings"}}, {.table = {"public", "roles"}}};
  merge.static_tables = {{"", "countries"}, {"public", "lookup"}};
  direction.mappings = {copy, merge};
  EXPECT_THAT(SourceTables(direction),
              ElementsAre(spec::TableName{"", "people"}, spec::TableName{"", "bookings"},
                          spec::TableName{"eu", "customers"}, spec::TableName{"", "countries"}));
  EXPECT_THAT(TargetTables(direction), ElementsAre(spec::TableName{"public", "bookings"},
                                                   spec::TableName{"public", "users"}));
}

}  // namespace
}  // namespace switchyard::catalog
