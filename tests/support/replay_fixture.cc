#include "tests/support/replay_fixture.h"

#include "absl/strings/str_cat.h"
#include "tests/support/await.h"

namespace switchyard::testing {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

}  // namespace

MiniPostgres* ReplayFixture::server_ = nullptr;

void ReplayFixture::SetUpTestSuite() {
  absl::StatusOr<std::unique_ptr<MiniPostgres>> started = MiniPostgres::Start();
  ASSERT_OK(started);
  server_ = started->release();
}

void ReplayFixture::TearDownTestSuite() {
  delete server_;
  server_ = nullptr;
}

void ReplayFixture::SetUp() {
  ASSERT_OK(server_->CreateDatabase("old_db"));
  ASSERT_OK(server_->CreateDatabase("new_db"));
  ASSERT_OK_AND_ASSIGN(old_, server_->Connect("old_db"));
  ASSERT_OK_AND_ASSIGN(new_, server_->Connect("new_db"));
  log_ = std::make_unique<eventlog::MemoryLog>(log_cancel_);
  options_.target = {.dsn = server_->dsn("new_db"), .stream = "test.forward"};
  options_.change_topic = "test.forward.changes";
  options_.copy_topic = "test.forward.copy";
}

void ReplayFixture::TearDown() {
  if (thread_.joinable()) {
    [[maybe_unused]] const absl::Status status = StopReplayer();
  }
  capture_.reset();
  if (new_ != nullptr && !may_miss_rows_ &&
      New("SELECT to_regclass('switchyard.missed_rows')") != "NULL") {
    EXPECT_EQ(New("SELECT source, target, rows FROM switchyard.missed_rows"), "");
  }
  if (old_ != nullptr) {
    EXPECT_OK(
        old_->Execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"));
  }
  old_.reset();
  new_.reset();
  for (const char* name : {"old_db", "new_db"}) {
    EXPECT_OK(
        server_->Execute("postgres", absl::StrCat("DROP DATABASE IF EXISTS ", name, " (FORCE)")));
  }
}

absl::Status ReplayFixture::Start(const std::string& old_schema, const std::string& new_schema,
                                  const std::string& forward, const std::string& old_rows) {
  RETURN_IF_ERROR(Prepare(old_schema, new_schema, forward, old_rows));
  return StartReplayer();
}

absl::Status ReplayFixture::Prepare(const std::string& old_schema, const std::string& new_schema,
                                    const std::string& forward, const std::string& old_rows) {
  RETURN_IF_ERROR(Annotate(old_->Execute(old_schema), "old schema"));
  RETURN_IF_ERROR(Annotate(old_->Execute(old_rows), "old rows"));
  RETURN_IF_ERROR(Annotate(new_->Execute(new_schema), "new schema"));
  ASSIGN_OR_RETURN(
      file_,
      spec::ParseMigrationFile(
          absl::StrCat("migration: test\nold: {dsn_env: A}\nnew: {dsn_env: B}\nlog: {sqlite: x}\n"
                       "forward:\n",
                       forward),
          "test.yaml"));
  for (spec::IdMapRule& rule : file_.forward.id_maps) rule.gives_old = reverses_;
  ASSIGN_OR_RETURN(catalog_, catalog::LoadCatalog(*old_, catalog::SourceTables(file_.forward), {}));
  ASSIGN_OR_RETURN(const catalog::Catalog target,
                   catalog::LoadCatalog(*new_, catalog::TargetTables(file_.forward), {}));
  const records::Stream stream = records::ForwardOf(file_);
  ASSIGN_OR_RETURN(
      plan_,
      mapping::Compile(
          {.stream = &stream, .source = &catalog_, .target = &target, .schemas = file_.schemas},
          *new_, nullptr));
  RETURN_IF_ERROR(mapping::InstallTarget(*new_, plan_, catalog_, {.stream = "test.forward"}));
  ASSIGN_OR_RETURN(capture_, SimpleCapture::Start(*old_, catalog_, *log_));
  return absl::OkStatus();
}

absl::Status ReplayFixture::StartReplayer() {
  cancel_ = std::make_unique<Cancel>();
  thread_ = std::thread([this] {
    replayer::Replayer replayer(options_, plan_, *log_, *cancel_);
    run_status_ = replayer.Run();
  });
  return absl::OkStatus();
}

absl::Status ReplayFixture::StopReplayer() {
  cancel_->Request();
  thread_.join();
  return run_status_;
}

absl::Status ReplayFixture::CatchUp() {
  RETURN_IF_ERROR(capture_->Pump());
  const std::string wanted = capture_->last_commit().ToString();
  return Await("NEW stands at " + wanted, kPatience, [&]() -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const pg::Result row,
                     new_->Query("SELECT lsn >= $1::pg_lsn AND state IN ('streaming', "
                                 "'catching_up'), state, stop_reason "
                                 "FROM switchyard.stream",
                                 {wanted}));
    if (row.text(0, 1) != "stopped" || row.boolean(0, 0)) return row.boolean(0, 0);
    return absl::InternalError(absl::StrCat("stopped: ", row.str(0, 2)));
  });
}

absl::Status ReplayFixture::AwaitState(const std::string& state) {
  return AwaitNew("SELECT state FROM switchyard.stream", state);
}

absl::Status ReplayFixture::AwaitNew(const std::string& sql, const std::string& value) {
  std::string seen;
  const absl::Status came =
      Await(sql + " gives " + value, kPatience, [&] { return (seen = New(sql)) == value; });
  return Annotate(came, "it gives " + seen);
}

absl::Status ReplayFixture::RetryQuarantine() {
  RETURN_IF_ERROR(
      OnNew("INSERT INTO switchyard.request (stream, kind) VALUES ('test.forward', "
            "'quarantine_retry')"));
  return AwaitNew("SELECT count(*) FROM switchyard.request WHERE state = 'open'", "0");
}

std::string ReplayFixture::All(pg::Session& session, const std::string& sql) {
  const absl::StatusOr<pg::Result> rows = session.Query(sql);
  if (!rows.ok()) return "error: " + std::string(rows.status().message());
  std::string out;
  for (int i = 0; i < rows->rows(); ++i) {
    if (i > 0) out += '\n';
    for (int c = 0; c < rows->columns(); ++c) {
      if (c > 0) out += '|';
      out += rows->is_null(i, c) ? "NULL" : rows->str(i, c);
    }
  }
  return out;
}

std::string ReplayFixture::New(const std::string& sql) { return All(*new_, sql); }
std::string ReplayFixture::Old(const std::string& sql) { return All(*old_, sql); }

}  // namespace switchyard::testing
