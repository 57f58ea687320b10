// Anything as a record of the change topic: read, or refused; never past its end.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/changes/row_event.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static switchyard::changes::RowView row;
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  const auto is_row = switchyard::changes::ParseRowEvent(payload, &row);
  size_t sum = 0;
  if (is_row.ok() && *is_row) {
    for (const auto& tuple : {row.new_tuple, row.old_tuple}) {
      for (const std::string_view value : tuple.values) {
        for (const char c : value) sum += static_cast<unsigned char>(c);
      }
    }
  }
  return sum == SIZE_MAX ? 1 : 0;
}
