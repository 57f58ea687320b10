// examples/studio-bookings, the way back: what the new application does is in OLD, and what NEW
// can't tell of OLD's rows stays as it was. (The source here is NEW, the target OLD.)
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/support/replay_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::testing {
namespace {

const std::string kExample = std::string(SY_SOURCE_DIR) + "/examples/studio-bookings/";

std::string ReadAll(const std::string& name) {
  std::ifstream in(kExample + name);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Ana is an owner and a customer; Bo two customers; Cy a guest; Dee an owner without a studio.
constexpr char kOldRows[] = R"(
  INSERT INTO studio_owners VALUES
    ('a', 'Ana@X', NULL, 'p-a', 'pw-a', '2024-01-02', 'img', '2024-01-01', '2024-01-01'),
    ('d', 'dee@x', 'Dee', NULL, NULL, NULL, NULL, '2024-01-01', '2024-01-01');
  INSERT INTO customers VALUES
    ('ca', 'ANA@x', 'Ana C', 'p-ca', 'pw-ca', '2024-02-01', '2024-02-01'),
    ('b1', 'bo@x', 'Bo', NULL, 'pw-b1', '2024-01-01', '2024-01-01'),
    ('b2', 'Bo@x', 'Bobby', 'p-b2', 'pw-b2', '2024-03-01', '2024-03-01');
  INSERT INTO studios VALUES ('s1', 'a', 'One', 'one', NULL, '2024-01-01', '2024-01-01');
  INSERT INTO bookings (id, studio_id, customer_id, customer_name, customer_email, service, starts_at)
    VALUES ('k1', 's1', 'b2', 'Bobby', 'Bo@x', 'Yoga', '2025-01-01'),
           ('k2', 's1', 'gone', 'Cy', ' Cy@x', 'Yoga', '2025-01-01');
  UPDATE bookings SET created_at = '2024-12-01', updated_at = '2024-12-01';
  INSERT INTO accounts (id, user_id, type, provider, provider_account_id)
    VALUES ('ac1', 'a', 'oauth', 'google', '1');
  INSERT INTO sessions VALUES ('se1', 'token-1', 'a', '2025-01-01'))";
constexpr char kNewRows[] = R"(
  INSERT INTO users VALUES
    ('o_a', 'ana@x', 'Ana C', 'p-a', 'pw-a', '2024-01-02', 'img', 'ACTIVE', '2024-01-01', '2024-02-01'),
    ('o_d', 'dee@x', 'Dee', NULL, NULL, NULL, NULL, 'ACTIVE', '2024-01-01', '2024-01-01'),
    ('c_b1', 'bo@x', 'Bo', 'p-b2', 'pw-b1', NULL, NULL, 'ACTIVE', '2024-01-01', '2024-03-01'),
    ('g_c', 'cy@x', 'Cy', NULL, NULL, NULL, NULL, 'GUEST', '2024-01-01', '2024-01-01');
  INSERT INTO user_sources VALUES ('studio_owners', 'a', 'o_a', 1), ('customers', 'ca', 'o_a', 2),
    ('studio_owners', 'd', 'o_d', 1), ('customers', 'b1', 'c_b1', 1), ('customers', 'b2', 'c_b1', 2);
  INSERT INTO user_role_assignments VALUES ('o_a', 'STUDIO_OWNER', '2024-01-01'),
    ('o_a', 'CUSTOMER', '2024-02-01'), ('o_d', 'STUDIO_OWNER', '2024-01-01'),
    ('c_b1', 'CUSTOMER', '2024-01-01'), ('g_c', 'CUSTOMER', '2024-01-01');
  INSERT INTO studios VALUES ('s1', 'One', 'one', NULL, '2024-01-01', '2024-01-01');
  INSERT INTO studio_ownership VALUES ('s1', 'o_a', true, '2024-01-01');
  INSERT INTO new_bookings (id, studio_id, customer_id, booked_as, contact_name, contact_email,
                            service, starts_at)
    VALUES ('k1', 's1', 'c_b1', 'ACCOUNT', 'Bobby', 'Bo@x', 'Yoga', '2025-01-01'),
           ('k2', 's1', 'g_c', 'GUEST', 'Cy', ' Cy@x', 'Yoga', '2025-01-01');
  UPDATE new_bookings SET created_at = '2024-12-01', updated_at = '2024-12-01';
  INSERT INTO new_accounts (id, user_id, type, provider, provider_account_id)
    VALUES ('ac1', 'o_a', 'oauth', 'google', '1');
  INSERT INTO new_sessions VALUES ('se1', 'token-1', 'o_a', '2025-01-01'))";

class StudioReverseTest : public ReplayFixture {
 protected:
  void SetUp() override {
    ReplayFixture::SetUp();
    std::string schema;
    for (const char* step : {"N1_people", "N2_studios", "N3_logins", "N4_bookings", "N6_indexes"}) {
      if (std::string(step) == "N6_indexes") schema += ReadAll("new/steps/N5_new_features/up.sql");
      schema += ReadAll(absl::StrCat("new/steps/", step, "/up.sql"));
    }
    const std::string tables = absl::StrReplaceAll(
        ReadAll("reverse/tables.yaml"), {{"select: reverse/", "select: " + kExample + "reverse/"}});
    ASSERT_OK(Prepare(schema, ReadAll("old/schema.sql") + kOldRows, tables, kNewRows));
    ASSERT_OK(StartReplayer());
    ASSERT_OK(CatchUp());
  }
  // The new application at work.
  void Change(const std::string& sql) {
    ASSERT_OK(OnOld("BEGIN; " + sql + "; COMMIT")) << sql;
    ASSERT_OK(CatchUp()) << sql;
  }
  std::string OldRows(const std::string& sql) { return New(sql); }
  void ExpectNothingParked() {
    EXPECT_EQ(New("SELECT target, scope, error, before, image, there FROM switchyard.quarantine"),
              "");
  }
};

TEST_F(StudioReverseTest, NothingIsWrittenUntilSomethingChanges) {
  EXPECT_EQ(OldRows("SELECT id, email, name FROM studio_owners ORDER BY 1"),
            "a|Ana@X|NULL\nd|dee@x|Dee");
  EXPECT_EQ(OldRows("SELECT id, email, name FROM customers ORDER BY 1"),
            "b1|bo@x|Bo\nb2|Bo@x|Bobby\nca|ANA@x|Ana C");
  Change("UPDATE users SET updated_at = updated_at");
  EXPECT_EQ(OldRows("SELECT id, email, name FROM studio_owners ORDER BY 1"),
            "a|Ana@X|NULL\nd|dee@x|Dee");
  ExpectNothingParked();
}

TEST_F(StudioReverseTest, AUserIsTheBestRowOfEitherTable) {
  Change("UPDATE users SET name = 'Ana Maria', password_hash = 'pw-new' WHERE id = 'o_a'");
  EXPECT_EQ(OldRows("SELECT email, name, phone, password_hash FROM studio_owners WHERE id = 'a'"),
            "Ana@X|Ana Maria|p-a|pw-new");
  EXPECT_EQ(OldRows("SELECT email, name, phone, password_hash FROM customers WHERE id = 'ca'"),
            "ANA@x|Ana Maria|p-ca|pw-new");
  // The losing row keeps what it has, and its spelling of the address.
  Change("UPDATE users SET email = 'bo.new@x', name = 'Bo N' WHERE id = 'c_b1'");
  EXPECT_EQ(OldRows("SELECT id, email, name, phone FROM customers WHERE id LIKE 'b%' ORDER BY 1"),
            "b1|bo.new@x|Bo N|NULL\nb2|Bo@x|Bobby|p-b2");
  ExpectNothingParked();
}

TEST_F(StudioReverseTest, RolesAndSignUpsMakeRowsUnderTheUsersId) {
  Change("INSERT INTO user_role_assignments VALUES ('c_b1', 'STUDIO_OWNER', now())");
  EXPECT_EQ(OldRows("SELECT id, email, name, password_hash FROM studio_owners WHERE id = 'c_b1'"),
            "c_b1|bo@x|Bo|pw-b1");
  Change(
      "INSERT INTO users (id, email, name, password_hash) VALUES ('u_1', 'eve@x', 'Eve', 'pw-e'); "
      "INSERT INTO user_role_assignments VALUES ('u_1', 'CUSTOMER', now())");
  EXPECT_EQ(OldRows("SELECT id, email, name, password_hash FROM customers WHERE id = 'u_1'"),
            "u_1|eve@x|Eve|pw-e");
  EXPECT_EQ(OldRows("SELECT count(*) FROM studio_owners WHERE id = 'u_1'"), "0");
  // A guest is nobody until the account is active.
  EXPECT_EQ(OldRows("SELECT count(*) FROM customers WHERE id = 'g_c'"), "0");
  Change("UPDATE users SET account_state = 'ACTIVE', password_hash = 'pw-c' WHERE id = 'g_c'");
  EXPECT_EQ(OldRows("SELECT email, name, password_hash FROM customers WHERE id = 'g_c'"),
            "cy@x|Cy|pw-c");
  // Revoked roles are not carried.
  Change("DELETE FROM user_role_assignments WHERE user_id = 'o_d'");
  EXPECT_EQ(OldRows("SELECT name FROM studio_owners WHERE id = 'd'"), "Dee");
  ExpectNothingParked();
}

TEST_F(StudioReverseTest, AStudioFollowsItsPrimaryOwner) {
  Change(
      "UPDATE studio_ownership SET is_primary = false; "
      "INSERT INTO studio_ownership VALUES ('s1', 'o_d', true, now())");
  EXPECT_EQ(OldRows("SELECT owner_id, name FROM studios"), "d|One");
  Change(
      "INSERT INTO users (id, email, name) VALUES ('u_2', 'fay@x', 'Fay'); "
      "INSERT INTO user_role_assignments VALUES ('u_2', 'STUDIO_OWNER', now()); "
      "INSERT INTO studios (id, name, slug) VALUES ('s2', 'Two', 'two'); "
      "INSERT INTO studio_ownership VALUES ('s2', 'u_2', true, now())");
  EXPECT_EQ(OldRows("SELECT s.id, o.id, o.email FROM studios s JOIN studio_owners o ON o.id = "
                    "s.owner_id ORDER BY 1"),
            "s1|d|dee@x\ns2|u_2|fay@x");
  ExpectNothingParked();
}

TEST_F(StudioReverseTest, BookingsNameTheCustomerRowOrNobody) {
  Change(R"(
    INSERT INTO new_bookings (id, studio_id, customer_id, booked_as, contact_name, contact_email,
                              service, starts_at)
      VALUES ('k3', 's1', 'c_b1', 'ACCOUNT', 'Bo', 'bo@x', 'Yoga', '2025-02-01'),
             ('k4', 's1', 'g_c', 'GUEST', 'Cy', 'cy@x', 'Yoga', '2025-02-01'),
             ('k5', 's1', 'o_a', 'ACCOUNT', 'Ana', 'ana@x', 'Yoga', '2025-02-01');
    UPDATE new_bookings SET status = 'CONFIRMED' WHERE id IN ('k1', 'k2'))");
  // Those that were there keep the losing row, and the one that is gone.
  EXPECT_EQ(
      OldRows("SELECT id, customer_id, customer_email, status FROM bookings ORDER BY 1"),
      "k1|b2|Bo@x|CONFIRMED\nk2|gone| Cy@x|CONFIRMED\nk3|b1|bo@x|PENDING\nk4|NULL|cy@x|PENDING"
      "\nk5|ca|ana@x|PENDING");
  Change("DELETE FROM new_bookings WHERE id = 'k2'");
  EXPECT_EQ(OldRows("SELECT count(*) FROM bookings"), "4");
  ExpectNothingParked();
}

TEST_F(StudioReverseTest, LoginsOfOwnersAreCarriedAndThoseOfOthersAreNot) {
  Change(R"(
    UPDATE new_accounts SET access_token = 'fresh' WHERE id = 'ac1';
    DELETE FROM new_sessions WHERE id = 'se1';
    INSERT INTO new_sessions VALUES ('se2', 'token-2', 'o_d', '2025-02-01'),
                                    ('se3', 'token-3', 'c_b1', '2025-02-01'))");
  EXPECT_EQ(OldRows("SELECT user_id, access_token FROM accounts"), "a|fresh");
  EXPECT_EQ(OldRows("SELECT id, user_id FROM sessions"), "se2|d");
  Change("INSERT INTO user_role_assignments VALUES ('c_b1', 'STUDIO_OWNER', now())");
  EXPECT_EQ(OldRows("SELECT id, user_id FROM sessions ORDER BY 1"), "se2|d\nse3|c_b1");
  ExpectNothingParked();
}

// What `check` asks of every mapping, on tables that are said to be large.
TEST_F(StudioReverseTest, EveryBatchIsFoundByIndex) {
  ASSERT_OK(
      OnOld("ANALYZE; UPDATE pg_class SET reltuples = 1e6 WHERE relkind = 'r' AND relnamespace = "
            "'public'::regnamespace"));
  ASSERT_OK_AND_ASSIGN(const catalog::Catalog source,
                       catalog::LoadCatalog(*old_, catalog::SourceTables(file_.forward), {}));
  ASSERT_OK_AND_ASSIGN(const catalog::Catalog target,
                       catalog::LoadCatalog(*new_, catalog::TargetTables(file_.forward), {}));
  const records::Stream stream = records::ForwardOf(file_);
  EXPECT_OK(mapping::Compile({.stream = &stream,
                              .source = &source,
                              .target = &target,
                              .schemas = file_.schemas,
                              .check_restrictions = true},
                             *new_, nullptr));
}

TEST_F(StudioReverseTest, AnAddressThatOldHasAlreadyIsParkedWithBothRows) {
  ASSERT_OK(OnNew("INSERT INTO customers (id, email) VALUES ('other', 'bo.new@x')"));
  Change("UPDATE users SET email = 'bo.new@x', name = 'Bo N' WHERE id = 'c_b1'");
  EXPECT_EQ(OldRows("SELECT id, email, name FROM customers WHERE id IN ('b1', 'other') ORDER BY 1"),
            "b1|bo@x|Bo\nother|bo.new@x|NULL");
  EXPECT_EQ(New("SELECT sqlstate, before -> 0 ->> 'email', image -> 0 ->> 'email', there -> 0 ->> "
                "'email' FROM switchyard.quarantine"),
            "23505|bo@x|bo.new@x|bo@x");
  ASSERT_OK(OnNew("DELETE FROM customers WHERE id = 'other'"));
  ASSERT_OK(RetryQuarantine());
  EXPECT_EQ(OldRows("SELECT email, name FROM customers WHERE id = 'b1'"), "bo.new@x|Bo N");
  ExpectNothingParked();
}

}  // namespace
}  // namespace switchyard::testing
