// What is special to the SQLite log: its file, the disk, other processes' locks, its size.
#include "common/eventlog/sqlite_log.h"

#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/eventlog/remove_log.h"
#include "common/eventlog/sqlite_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/eventlog/log_fixture.h"
#include "tests/support/await.h"
#include "tests/support/captured_log.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace switchyard::eventlog {
namespace {

namespace fs = std::filesystem;
using ::switchyard::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kTopic[] = "changes";
constexpr absl::Duration kLong = absl::Minutes(1);

std::string ContentOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

class SqliteLogTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/events.log"; }

  std::unique_ptr<EventLog> Open(const std::string& at) {
    auto log = OpenEventLog({.sqlite_path = at}, cancel_);
    EXPECT_OK(log);
    return log.ok() ? *std::move(log) : nullptr;
  }

  // A log with `count` events "0", "1" ..., closed.
  void MakeLog(int count) {
    const auto log = Open(path());
    ASSERT_OK(log->CreateTopic(kTopic));
    ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
    for (int i = 0; i < count; ++i) ASSERT_OK(writer->Append("", MakeEvent(1, absl::StrCat(i))));
    ASSERT_OK(writer->Flush(kLong));
  }

  // The refusal, after which the file must be as it was.
  absl::Status Refusal() {
    const std::string before = ContentOf(path());
    const auto opened = OpenEventLog({.sqlite_path = path()}, cancel_);
    EXPECT_EQ(ContentOf(path()), before) << "a refused file was changed";
    EXPECT_FALSE(fs::exists(path() + "-wal"));
    return opened.status();
  }

  testing::TempDir folder_{FastFolder()};
  Cancel cancel_;
};

TEST_F(SqliteLogTest, RefusesAFileThatIsNoDatabase) {
  WriteFile(path(), "important notes, not a log, longer than the sixteen bytes of a header");
  EXPECT_THAT(Refusal(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                  AllOf(HasSubstr(path()), HasSubstr("not a log file"))));
}

TEST_F(SqliteLogTest, RefusesTheDatabaseOfAnotherProgram) {
  ASSERT_OK_AND_ASSIGN(auto db, SqliteDb::Create(path()));
  ASSERT_OK(db->Execute("CREATE TABLE bookmarks(url TEXT)"));
  db.reset();
  EXPECT_THAT(Refusal(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another program")));
}

TEST_F(SqliteLogTest, RefusesANewerFormat) {
  MakeLog(1);
  ASSERT_OK_AND_ASSIGN(auto db, SqliteDb::Open(path(), absl::ZeroDuration()));
  ASSERT_OK(db->Execute("PRAGMA user_version = 2"));
  db.reset();
  EXPECT_THAT(Refusal(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                  AllOf(HasSubstr("version 2"), HasSubstr("knows 1"))));
}

TEST_F(SqliteLogTest, RefusesAnEmptyFile) {
  WriteFile(path(), "");
  EXPECT_THAT(Refusal(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is empty")));
}

TEST_F(SqliteLogTest, RefusesAFileCutOffInItsHeader) {
  MakeLog(1);
  fs::resize_file(path(), 50);
  EXPECT_THAT(Refusal(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("truncated")));
}

TEST_F(SqliteLogTest, RefusesAFileCutOffInTheMiddle) {
  MakeLog(20'000);
  fs::resize_file(path(), fs::file_size(path()) / 2);
  const auto opened = OpenEventLog({.sqlite_path = path()}, cancel_);
  EXPECT_THAT(opened, StatusIs(absl::StatusCode::kDataLoss,
                               AllOf(HasSubstr(path()), HasSubstr("recopy FILE --all"))));
  // Without opening it, as `check` does.
  EXPECT_THAT(CheckLogPath(path()),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("is truncated: ")));
}

TEST_F(SqliteLogTest, SaysWhatToDoAboutADamagedFile) {
  MakeLog(20'000);
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file << std::string(static_cast<size_t>(fs::file_size(path())) - 100, 'x');
  file.close();
  EXPECT_THAT(OpenEventLog({.sqlite_path = path()}, cancel_),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("recopy FILE --all")));
}

TEST_F(SqliteLogTest, NamesAFolderInPlaceOfTheFile) {
  fs::create_directory(path());
  for (const absl::Status& status :
       {CheckLogPath(path()), OpenEventLog({.sqlite_path = path()}, cancel_).status()}) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is a folder")));
  }
}

TEST_F(SqliteLogTest, RefusesToBeginAnewBesideTheWalOfALostFile) {
  WriteFile(path() + "-wal", "left over");
  EXPECT_THAT(OpenEventLog({.sqlite_path = path()}, cancel_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("moved away")));
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(SqliteLogTest, NamesTheFolderThatDoesNotExist) {
  EXPECT_THAT(OpenEventLog({.sqlite_path = folder_.path() + "/no/such/log"}, cancel_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("/no/such/log")));
}

TEST_F(SqliteLogTest, ManyOpeningAtOnceMakeOneFile) {
  constexpr int kOpeners = 8;
  constexpr int kFiles = 40;
  for (int file = 0; file < kFiles; ++file) {
    const std::string at = absl::StrCat(path(), file);
    std::vector<std::thread> openers;
    openers.reserve(kOpeners);
    for (int i = 0; i < kOpeners; ++i) {
      openers.emplace_back([&, i] {
        const auto log = Open(at);
        ASSERT_NE(log, nullptr);
        ASSERT_OK(log->CreateTopic(absl::StrCat("topic", i % 2)));
      });
    }
    for (std::thread& opener : openers) opener.join();
    const auto log = Open(at);
    ASSERT_NE(log, nullptr);
    EXPECT_OK(log->Describe("topic0"));
    EXPECT_OK(log->Describe("topic1"));
  }
  int files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_.path())) ++files;
  EXPECT_LE(files, kFiles) << "something of the making was left behind";
}

TEST_F(SqliteLogTest, NoticesADamagedBlock) {
  MakeLog(100);
  ASSERT_OK_AND_ASSIGN(auto db, SqliteDb::Open(path(), absl::ZeroDuration()));
  ASSERT_OK(db->Execute("UPDATE blocks_1 SET payload = substr(payload, 1, length(payload) - 1)"));
  db.reset();
  const auto log = Open(path());
  ASSERT_OK_AND_ASSIGN(const auto reader, log->OpenReader(kTopic, 0));
  std::vector<LogRecord> records;
  EXPECT_THAT(
      reader->Read(kLong, &records),
      StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("cut off"), HasSubstr(kTopic))));
}

TEST_F(SqliteLogTest, ParsesNoBlockThatIsCutAnywhere) {
  std::string block;
  for (const std::string& record : {std::string("a"), std::string(), std::string(300, 'b')}) {
    AppendToBlock(record, &block);
  }
  std::vector<LogRecord> records;
  ASSERT_OK(ParseBlock(block, 10, 3, &records));
  EXPECT_EQ(records.back().offset, 12);
  EXPECT_EQ(records.back().payload, std::string(300, 'b'));
  for (size_t size = 0; size < block.size(); ++size) {
    records.clear();
    EXPECT_THAT(ParseBlock(std::string_view(block).substr(0, size), 10, 3, &records),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("offset 10")));
  }
  EXPECT_THAT(ParseBlock(std::string(20, '\xff'), 10, 3, &records),
              StatusIs(absl::StatusCode::kDataLoss, ::testing::_));
}

// Promise 1: records written into a file without a name would be gone with the process.
TEST_F(SqliteLogTest, EndsReaderAndWriterWhenTheFileIsTakenAway) {
  const auto log = Open(path());
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto reader, log->OpenReader(kTopic, 0));
  fs::rename(path(), path() + ".old");
  ASSERT_OK(writer->Append("", MakeEvent(1, "a")));
  const auto removed = StatusIs(absl::StatusCode::kDataLoss, HasSubstr("removed or replaced"));
  EXPECT_THAT(writer->Flush(kLong), removed);
  EXPECT_EQ(writer->durable_sequence(), 0U);
  EXPECT_THAT(writer->Append("", "x"), removed);
  EXPECT_THAT(writer->status(), removed);
  std::vector<LogRecord> records;
  absl::Status status;
  while (status.ok()) status = reader->Read(kLong, &records);
  EXPECT_THAT(status, removed);
}

TEST_F(SqliteLogTest, EndsReaderAndWriterWhenTheFolderIsTakenAway) {
  const std::string folder = folder_.path() + "/logs";
  fs::create_directory(folder);
  const auto log = Open(folder + "/events.log");
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto reader, log->OpenReader(kTopic, 0));
  fs::remove_all(folder);
  const auto removed = StatusIs(absl::StatusCode::kDataLoss, HasSubstr("removed or replaced"));
  std::vector<LogRecord> records;
  EXPECT_THAT(reader->Read(kLong, &records), removed);
  ASSERT_OK(writer->Append("", MakeEvent(1, "a")));
  EXPECT_THAT(writer->Flush(kLong), removed);
}

// SQLite has no memory while it lives, one of the things that may pass, as I/O errors are.
struct NoMemory {
  NoMemory() { sqlite3_hard_heap_limit64(1); }
  ~NoMemory() { sqlite3_hard_heap_limit64(0); }
};

TEST_F(SqliteLogTest, SaysWhyItCannotRead) {
  const auto log = Open(path());
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
  ASSERT_OK(writer->Append("", MakeEvent(1, LongText(100'000))));
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(const auto reader, log->OpenReader(kTopic, 0));
  testing::CapturedLog captured;
  std::vector<LogRecord> records;
  {
    const NoMemory no_memory;
    for (int i = 0; i < 3; ++i) {
      ASSERT_OK(reader->Read(absl::Milliseconds(10), &records));
      EXPECT_TRUE(records.empty());
    }
  }
  const std::string said = captured.text();
  EXPECT_THAT(said, AllOf(HasSubstr("cannot read the log file, waiting"), HasSubstr(path()),
                          HasSubstr("out of memory"), HasSubstr("next=")));
  EXPECT_EQ(said.find("cannot read"), said.rfind("cannot read")) << "said once, not at every try";
  ASSERT_OK(reader->Read(kLong, &records));
  EXPECT_EQ(records.size(), 1U);
  EXPECT_THAT(captured.text(), HasSubstr("reading the log file again"));
}

TEST_F(SqliteLogTest, DoesNotWaitForAFileThatWasTakenAway) {
  const auto log = Open(path());
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
  ASSERT_OK(writer->Append("", MakeEvent(1, LongText(100'000))));
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(const auto reader, log->OpenReader(kTopic, 0));
  fs::rename(path(), path() + ".old");
  const NoMemory no_memory;
  const auto removed = StatusIs(absl::StatusCode::kDataLoss, HasSubstr("removed or replaced"));
  std::vector<LogRecord> records;
  EXPECT_THAT(reader->Read(absl::Milliseconds(10), &records), removed);
  ASSERT_OK(writer->Append("", MakeEvent(1, LongText(100'000))));
  EXPECT_THAT(writer->Flush(absl::Seconds(10)), removed);
}

// Of a disk that fails nothing can be said, least of all that the file was removed.
TEST_F(SqliteLogTest, WaitsForAFileThatCannotBeLookedAt) {
  const std::string folder = folder_.path() + "/logs";
  fs::create_directory(folder);
  const auto log = Open(folder + "/events.log");
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
  ASSERT_OK(writer->Append("", MakeEvent(1, "0")));
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(const auto reader, log->OpenReader(kTopic, 1));
  fs::rename(folder, folder + ".old");
  fs::create_symlink(folder, folder);
  ASSERT_OK(writer->Append("", MakeEvent(1, "a")));
  EXPECT_THAT(writer->Flush(absl::Milliseconds(50)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, ::testing::_));
  std::vector<LogRecord> records;
  ASSERT_OK(reader->Read(kLong, &records));
  ASSERT_OK(reader->Read(absl::Milliseconds(10), &records));
  fs::remove(folder);
  fs::rename(folder + ".old", folder);
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(const TopicInfo info, log->Describe(kTopic));
  EXPECT_EQ(info.next, 2) << "committed once";
}

TEST_F(SqliteLogTest, WaitsForALockThatAnotherProcessHolds) {
  const auto log = Open(path());
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
  ASSERT_OK_AND_ASSIGN(auto other, SqliteDb::Open(path(), absl::ZeroDuration()));
  ASSERT_OK(other->Execute("BEGIN IMMEDIATE"));
  ASSERT_OK(writer->Append("", MakeEvent(1, "a")));
  EXPECT_THAT(writer->Flush(absl::Milliseconds(50)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, ::testing::_));
  ASSERT_OK(other->Execute("ROLLBACK"));
  EXPECT_OK(writer->Flush(kLong));
}

TEST_F(SqliteLogTest, BlocksAtItsBoundUntilShutdown) {
  const auto log = Open(path());
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
  ASSERT_OK_AND_ASSIGN(auto other, SqliteDb::Open(path(), absl::ZeroDuration()));
  ASSERT_OK(other->Execute("BEGIN IMMEDIATE"));
  const std::string megabyte = MakeEvent(1, LongText(1'000'000));
  std::atomic<size_t> appended_bytes = 0;
  absl::Status blocked;
  std::thread appender([&] {
    while (blocked.ok()) {
      blocked = writer->Append("", megabyte).status();
      appended_bytes += megabyte.size();
    }
  });
  EXPECT_OK(testing::Await("30 MiB are appended", absl::Minutes(1),
                           [&] { return appended_bytes >= (30U << 20); }));
  cancel_.Request();
  appender.join();
  EXPECT_THAT(blocked, StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  EXPECT_LT(appended_bytes, 40U << 20);
  EXPECT_THAT(writer->Flush(kLong), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
}

// Appends until `full()`, then calls `make_room` and checks that every record is there once.
void FillAndRecover(EventLog& log, const std::function<void()>& make_room) {
  ASSERT_OK_AND_ASSIGN(const auto writer, log.OpenWriter(kTopic));
  constexpr int kCount = 6000;
  const std::string filler = LongText(1000);
  for (int i = 0; i < kCount; ++i) {
    ASSERT_OK(writer->Append("", MakeEvent(1, absl::StrCat(i, " ", filler))));
  }
  // 6 MB do not fit: the writer waits and says nothing is wrong for good.
  ASSERT_THAT(writer->Flush(absl::Milliseconds(300)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, ::testing::_));
  ASSERT_OK(writer->status());
  ASSERT_LT(writer->durable_sequence(), static_cast<uint64_t>(kCount));
  make_room();
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(const auto reader, log.OpenReader(kTopic, 0));
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, kCount));
  ASSERT_EQ(records.size(), static_cast<size_t>(kCount));
  for (int i = 0; i < kCount; ++i) {
    ASSERT_EQ(TextOf(records[i].payload), absl::StrCat(i, " ", filler));
  }
}

TEST_F(SqliteLogTest, WaitsOutAFullDiskWithoutLoss) {
  const std::string disk = folder_.path() + "/disk";
  fs::create_directory(disk);
  if (mount("none", disk.c_str(), "tmpfs", 0, "size=3m") != 0) {
    GTEST_SKIP() << "mounting a small disk needs root";
  }
  {
    const auto log = Open(disk + "/events.log");
    ASSERT_OK(log->CreateTopic(kTopic));
    FillAndRecover(
        *log, [&] { ASSERT_EQ(mount("none", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0); });
  }
  EXPECT_EQ(umount(disk.c_str()), 0);
}

// All that is on the full disk has been applied: nobody has to make room by hand.
TEST_F(SqliteLogTest, AFullDiskIsHealedByTrimming) {
  const std::string disk = folder_.path() + "/disk";
  fs::create_directory(disk);
  if (mount("none", disk.c_str(), "tmpfs", 0, "size=24m") != 0) {
    GTEST_SKIP() << "mounting a small disk needs root";
  }
  {
    const std::string file = disk + "/events.log";
    const auto log = Open(file);
    ASSERT_OK(log->CreateTopic(kTopic));
    ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
    const std::string record = MakeEvent(1, LongText(10'000));
    constexpr int kCount = 3000;  // 30 MB
    for (int i = 0; i < kCount; ++i) ASSERT_OK(writer->Append("", record));
    ASSERT_OK(testing::Await("the disk is full", kLong, [&] { return !CheckRoom(file).ok(); }));
    EXPECT_THAT(CheckRoom(file),
                StatusIs(absl::StatusCode::kUnavailable,
                         AllOf(HasSubstr("capture waits for room"), HasSubstr(file))));
    ASSERT_OK(writer->status());

    const auto reading = Open(file);  // by the program that replays
    ASSERT_OK(testing::Await("everything is appended", kLong, [&]() -> absl::StatusOr<bool> {
      ASSIGN_OR_RETURN(const TopicInfo info, reading->Describe(kTopic));
      // The writer may be in the middle of filling it again.
      const absl::Status trimmed = reading->Trim(kTopic, info.next);
      if (!absl::IsUnavailable(trimmed)) RETURN_IF_ERROR(trimmed);
      return writer->durable_sequence() == kCount;
    }));
    ASSERT_OK_AND_ASSIGN(const TopicInfo info, reading->Describe(kTopic));
    EXPECT_EQ(info.next, kCount);
    EXPECT_OK(CheckRoom(file));
  }
  EXPECT_EQ(umount(disk.c_str()), 0);
}

TEST_F(SqliteLogTest, WaitsOutALimitOnTheSizeOfFiles) {
  const auto log = Open(path());
  ASSERT_OK(log->CreateTopic(kTopic));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit unlimited{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
  rlimit limited = unlimited;
  limited.rlim_cur = 3 << 20;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limited), 0);
  FillAndRecover(*log, [&] { ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &unlimited), 0); });
  setrlimit(RLIMIT_FSIZE, &unlimited);
}

TEST_F(SqliteLogTest, ReusesTheSpaceOfWhatWasTrimmed) {
  const auto log = Open(path());
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
  const std::string record = MakeEvent(1, LongText(100'000));
  // A backlog of 80 MB, then a steady state.
  for (int i = 0; i < 800; ++i) ASSERT_OK(writer->Append("", record));
  ASSERT_OK(writer->Flush(kLong));
  for (int round = 0; round < 10; ++round) {
    ASSERT_OK_AND_ASSIGN(const TopicInfo info, log->Describe(kTopic));
    ASSERT_OK(log->Trim(kTopic, info.next));
    for (int i = 0; i < 100; ++i) ASSERT_OK(writer->Append("", record));
    ASSERT_OK(writer->Flush(kLong));
  }
  ASSERT_OK_AND_ASSIGN(const TopicInfo info, log->Describe(kTopic));
  EXPECT_EQ(info.next, 1800);
  EXPECT_GE(info.first, 1680);
  EXPECT_LT(fs::file_size(path()), 100U << 20);
}

// A long backlog is dropped over many calls, each of which leaves the file to writers soon.
TEST_F(SqliteLogTest, ACallTrimsAPartOnly) {
  const auto log = Open(path());
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
  const std::string record = MakeEvent(1, LongText(100'000));
  for (int i = 0; i < 1500; ++i) ASSERT_OK(writer->Append("", record));
  ASSERT_OK(writer->Flush(kLong));
  Offset first = 0;
  for (int calls = 0; first < 1490; ++calls) {
    ASSERT_LT(calls, 10);
    ASSERT_OK(log->Trim(kTopic, 1500));
    ASSERT_OK_AND_ASSIGN(const TopicInfo info, log->Describe(kTopic));
    ASSERT_GT(info.first, first);
    ASSERT_LT(info.first, first + 1000);
    first = info.first;
  }
}

TEST_F(SqliteLogTest, ItsFilesAreForTheirOwnerAlone) {
  const mode_t before = umask(022);
  const auto log = Open(path());
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
  ASSERT_OK(writer->Append("", MakeEvent(1, "a row")));
  ASSERT_OK(writer->Flush(kLong));
  umask(before);
  int files = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(path()).parent_path())) {
    ++files;
    EXPECT_EQ(entry.status().permissions(), fs::perms::owner_read | fs::perms::owner_write)
        << entry.path();
  }
  EXPECT_EQ(files, 4);
}

TEST_F(SqliteLogTest, WarnsOfAFileThatOthersMayRead) {
  { const auto made = Open(path()); }
  fs::permissions(path(), fs::perms::others_read, fs::perm_options::add);
  testing::CapturedLog captured;
  const auto log = Open(path());
  EXPECT_THAT(captured.text(), AllOf(HasSubstr("others than its owner"), HasSubstr("0604"),
                                     HasSubstr("chmod go= ")));
}

TEST_F(SqliteLogTest, KeepsTheWalSmallWhileAReaderTails) {
  const auto log = Open(path());
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto reader, log->OpenReader(kTopic, 0));
  constexpr size_t kCount = 1600;
  std::thread appender([&] {
    ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
    const std::string record = MakeEvent(1, LongText(100'000));
    for (size_t i = 0; i < kCount; ++i) ASSERT_OK(writer->Append("", record));
    ASSERT_OK(writer->Flush(kLong));
  });
  std::vector<LogRecord> records;
  uintmax_t largest_wal = 0;
  for (size_t seen = 0; seen < kCount; seen += records.size()) {
    ASSERT_OK(reader->Read(kLong, &records));
    largest_wal = std::max(largest_wal, fs::file_size(path() + "-wal"));
  }
  appender.join();
  EXPECT_LT(largest_wal, 100U << 20) << "160 MB were written";
}

TEST_F(SqliteLogTest, TwoProcessesMayWriteOneTopicForAMoment) {
  const auto log = Open(path());
  const auto zombie_log = Open(path());
  ASSERT_OK(log->CreateTopic(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto zombie, zombie_log->OpenWriter(kTopic));
  ASSERT_OK_AND_ASSIGN(const auto writer, log->OpenWriter(kTopic));
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(zombie->Append("", MakeEvent(1, absl::StrCat(i))));
    ASSERT_OK(writer->Append("", MakeEvent(2, absl::StrCat(i))));
    zombie->Nudge();
    writer->Nudge();
  }
  ASSERT_OK(zombie->Flush(kLong));
  ASSERT_OK(writer->Flush(kLong));
  ASSERT_OK_AND_ASSIGN(const auto reader, log->OpenReader(kTopic, 0));
  ASSERT_OK_AND_ASSIGN(const auto records, ReadSome(*reader, 100));
  std::vector<std::string> of_writer;
  for (const ReadBack& record : records) {
    if (record.payload == MakeEvent(2, absl::StrCat(of_writer.size()))) {
      of_writer.push_back(record.payload);
    }
  }
  EXPECT_EQ(records.size(), 100U);
  EXPECT_EQ(of_writer.size(), 50U);
}

TEST_F(SqliteLogTest, NeedsEitherAFileOrKafka) {
  EXPECT_THAT(OpenEventLog({}, cancel_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("either")));
  EXPECT_THAT(OpenEventLog({.sqlite_path = path(), .kafka = {{"bootstrap.servers", "x"}}}, cancel_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not both")));
}

TEST_F(SqliteLogTest, IsRemovedWithWhatStandsBesideItUnlessOthersUseIt) {
  MakeLog(3);
  {
    const auto log = Open(path());
    ASSERT_OK(log->CreateTopic("others"));
  }
  const LogOptions options = {.sqlite_path = path()};
  EXPECT_THAT(FindLogParts(options, {kTopic, "copy"}, cancel_).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("holds topics of other migrations, too (others)")));
  ASSERT_OK_AND_ASSIGN(const auto parts, FindLogParts(options, {kTopic, "others"}, cancel_));
  EXPECT_EQ(parts.at(0).name, path());
  for (const LogPart& part : parts) EXPECT_OK(RemoveLogPart(options, part, cancel_));
  EXPECT_TRUE(fs::is_empty(folder_.path()));
  ASSERT_OK_AND_ASSIGN(const auto none, FindLogParts(options, {kTopic}, cancel_));
  EXPECT_TRUE(none.empty());
}

}  // namespace
}  // namespace switchyard::eventlog
