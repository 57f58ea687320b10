#include "common/eventlog/record_key.h"

namespace switchyard::eventlog {

RecordKey::RecordKey(std::string_view schema, std::string_view table) {
  key_.append(schema).append(1, '\0').append(table);
  prefix_bytes_ = key_.size();
}

std::string_view RecordKey::Finish() {
  identity_ = key_.size() <= kBytesMax;
  if (!identity_) {
    key_.resize(prefix_bytes_);
    key_.append(1, '\0').append(1, '*');
  }
  return key_;
}

}  // namespace switchyard::eventlog
