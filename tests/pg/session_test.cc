#include "common/pg/session.h"

#include <string>

#include "tests/support/mini_postgres.h"
#include "tests/support/status_matchers.h"

namespace switchyard::pg {
namespace {

using ::switchyard::testing::MiniPostgres;
using ::switchyard::testing::StatusIs;
using ::testing::HasSubstr;

TEST(SessionTest, Smoke) {
  ASSERT_OK_AND_ASSIGN(auto server, MiniPostgres::Start());
  ASSERT_OK_AND_ASSIGN(auto session, server->Connect());
  ASSERT_OK(session->Execute(
      "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t VALUES (1, NULL), (2, '')"));
  ASSERT_OK_AND_ASSIGN(Result result,
                       session->Query("SELECT id, x FROM t WHERE id >= $1 ORDER BY 1", {"1"}));
  EXPECT_EQ(result.rows(), 2);
  EXPECT_TRUE(result.is_null(0, 1));
  EXPECT_FALSE(result.is_null(1, 1));
}

}  // namespace
}  // namespace switchyard::pg
