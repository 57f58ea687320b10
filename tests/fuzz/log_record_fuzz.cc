// Any bytes as a block of the SQLite log and its records as parts: errors or records, and what
// comes out was inside what went in.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "common/eventlog/part.h"
#include "common/eventlog/sqlite_file.h"

using switchyard::eventlog::LogRecord;
using switchyard::eventlog::ParseBlock;
using switchyard::eventlog::PartJoiner;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view block(reinterpret_cast<const char*>(data), size);
  // The number of records is not in the block; one too many shows it.
  std::vector<LogRecord> records;
  if (ParseBlock(block, 0, -1, &records).ok()) std::abort();
  size_t bytes = 0;
  PartJoiner joiner;
  for (const LogRecord& record : records) {
    if (record.payload.data() < block.data() ||
        record.payload.data() + record.payload.size() > block.data() + block.size()) {
      std::abort();
    }
    bytes += record.payload.size();
    const auto outcome = joiner.Add(record.offset, record.payload);
    if (!outcome.ok()) return 0;
    if (*outcome == PartJoiner::Outcome::kJoined && joiner.TakePayload().size() > bytes) {
      std::abort();
    }
  }
  return 0;
}
