// Keys of row events: the table and the values of its identity columns, for consumers that
// compact or partition by row. docs/event-log.md specifies the bytes.
//
//   RecordKey key("public", "bookings");    // once per table
//   key.Start();
//   key.AddText(value);                     // identity columns in the order of the table
//   writer->Append(key.Finish(), payload);
//
// The encoding is injective: two rows have the same key only if table and identity are the same.
// Postgres text and identifiers hold no zero byte, which is what makes it so.
//
// Thread-compatible.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace switchyard::eventlog {

class RecordKey {
 public:
  // Longer keys are replaced by one that names the table only (see Finish). An index entry of
  // Postgres has at most 2,700 bytes, so only REPLICA IDENTITY FULL without a primary key, or
  // values that compress well, come near.
  static constexpr size_t kBytesMax = 4096;

  // The root's schema and name when the table is a partition.
  RecordKey(std::string_view schema, std::string_view table);

  void Start() { key_.resize(prefix_bytes_); }
  void AddText(std::string_view value) { Add('t', value); }
  void AddNull() { Add('n', {}); }
  // A TOASTed value that did not change and was not sent.
  void AddUnchanged() { Add('u', {}); }

  // Valid until the next Start. When the key would exceed kBytesMax: the table and "*".
  std::string_view Finish();
  // Whether what Finish gave is that of a row, not of all rows with a long key.
  bool is_identity() const { return identity_; }

 private:
  void Add(char kind, std::string_view value) {
    if (key_.size() > kBytesMax) return;
    key_ += '\0';
    key_ += kind;
    key_ += value;
  }

  size_t prefix_bytes_;
  std::string key_;
  bool identity_ = false;
};

}  // namespace switchyard::eventlog
