// What capture wrote once must be read for ever: the bytes of every event as version 1 wrote them,
// and what they mean. A failure here is a change of the format, never a reason to edit an entry;
// new fields get entries of their own.
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "proto/event.pb.h"

namespace switchyard {
namespace {

using event::v1::Event;
using google::protobuf::TextFormat;
using google::protobuf::util::MessageDifferencer;

struct Entry {
  std::string name;
  std::string bytes;
  Event meaning;
};

// Blocks of "# name", the bytes in hex, the text form; an empty line between them.
std::vector<Entry> Entries() {
  std::ifstream file(std::string(SY_SOURCE_DIR) + "/tests/golden/event_v1.txt");
  std::vector<Entry> entries;
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("# ", 0) != 0) continue;
    Entry entry{.name = line.substr(2)};
    std::getline(file, line);
    entry.bytes = absl::HexStringToBytes(line);
    std::string text;
    while (std::getline(file, line) && !line.empty()) text += line + "\n";
    EXPECT_TRUE(TextFormat::ParseFromString(text, &entry.meaning)) << entry.name;
    entries.push_back(std::move(entry));
  }
  return entries;
}

TEST(EventGoldenTest, BytesOfVersionOneMeanWhatTheyMeant) {
  for (const Entry& entry : Entries()) {
    Event read;
    ASSERT_TRUE(read.ParseFromString(entry.bytes)) << entry.name;
    EXPECT_TRUE(MessageDifferencer::Equals(read, entry.meaning)) << entry.name << ":\n"
                                                                 << read.DebugString();
  }
}

TEST(EventGoldenTest, VersionOneIsStillWrittenAsItWas) {
  for (const Entry& entry : Entries()) {
    EXPECT_EQ(absl::BytesToHexString(entry.meaning.SerializeAsString()),
              absl::BytesToHexString(entry.bytes))
        << entry.name;
  }
}

TEST(EventGoldenTest, EveryKindOfEventHasAnEntry) {
  std::set<std::string> kinds;
  for (const Entry& entry : Entries()) {
    const auto* field = Event::descriptor()->FindFieldByNumber(entry.meaning.body_case());
    if (field != nullptr) kinds.insert(field->name());
  }
  const auto* body = Event::descriptor()->FindOneofByName("body");
  for (int i = 0; i < body->field_count(); ++i) {
    EXPECT_TRUE(kinds.contains(body->field(i)->name())) << body->field(i)->name();
  }
}

}  // namespace
}  // namespace switchyard
