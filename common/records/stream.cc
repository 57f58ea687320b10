#include "common/records/stream.h"

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace switchyard::records {

Stream StreamNamed(std::string_view migration, Direction direction) {
  const char* way = direction == Direction::kForward ? "forward" : "reverse";
  const std::string name = absl::StrCat(Sv(migration), ".", way);
  const std::string slot = absl::StrCat("switchyard_", Sv(migration), "_", way);
  return {.direction = direction,
          .name = name,
          .slot = slot,
          .copy_slot = slot + "_cp",
          .publication = slot,
          .change_topic = name + ".changes",
          .copy_topic = name + ".copy"};
}

Stream ForwardOf(const spec::MigrationFile& file) {
  Stream stream = StreamNamed(file.name, Direction::kForward);
  stream.source = file.old_db;
  stream.target = file.new_db;
  stream.mapping = &file.forward;
  return stream;
}

Stream ReverseOf(const spec::MigrationFile& file) {
  static const auto* const kNothing = new spec::Direction;
  Stream stream = StreamNamed(file.name, Direction::kReverse);
  stream.source = file.new_db;
  stream.target = file.old_db;
  stream.mapping = file.reverse.has_value() ? &*file.reverse : kNothing;
  return stream;
}

}  // namespace switchyard::records
