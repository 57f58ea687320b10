#include "common/records/stream/stream.h"

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace switchyard::records {
namespace {

constexpr char kForward[] = "forward";
constexpr char kReverse[] = "reverse";
// The tables of cutover/ownership.h, which knows nothing of streams.
constexpr char kOldSide[] = "old_side";
constexpr char kOwnership[] = "ownership";

}  // namespace

Stream StreamNamed(std::string_view migration, Direction direction) {
  const bool forward = direction == Direction::kForward;
  const char* way = forward ? kForward : kReverse;
  const std::string name = absl::StrCat(Sv(migration), ".", way);
  const std::string slot = absl::StrCat("switchyard_", Sv(migration), "_", way);
  return {.direction = direction,
          .name = name,
          .slot = slot,
          .copy_slot = slot + "_cp",
          .parity_slot = slot + "_vp",
          .publication = slot,
          .side_table = forward ? kOldSide : kOwnership,
          .change_topic = name + ".changes",
          .copy_topic = name + ".copy",
          .mirror_schema = forward ? "switchyard_old" : "switchyard_new",
          .view_prefix = forward ? "map_" : "reverse_map_",
          .temporary_mark = forward ? "" : "r"};
}

Direction DirectionOf(std::string_view name) {
  return name.ends_with(absl::StrCat(".", kReverse)) ? Direction::kReverse : Direction::kForward;
}

std::string MirrorSchemaSql(const std::string& mirror_schema) {
  const std::string schema = QuoteIdentifier(mirror_schema);
  return absl::StrCat("CREATE SCHEMA IF NOT EXISTS ", schema, ";\nCOMMENT ON SCHEMA ", schema,
                      " IS 'Switchyard: mirror of the source tables that mappings read';\n");
}

Stream ForwardOf(const spec::MigrationFile& file) {
  Stream stream = StreamNamed(file.name, Direction::kForward);
  stream.source = file.old_db;
  stream.target = file.new_db;
  stream.source_schemas = file.schemas;
  stream.target_schemas = file.new_schemas;
  stream.paired = file.reverse.has_value();
  stream.mapping = &file.forward;
  return stream;
}

Stream ReverseOf(const spec::MigrationFile& file) {
  static const auto* const kNothing = new spec::Direction;
  Stream stream = StreamNamed(file.name, Direction::kReverse);
  stream.source = file.new_db;
  stream.target = file.old_db;
  stream.source_schemas = file.new_schemas;
  stream.target_schemas = file.schemas;
  stream.paired = file.reverse.has_value();
  stream.mapping = file.reverse.has_value() ? &*file.reverse : kNothing;
  return stream;
}

std::vector<Stream> StreamsOf(const spec::MigrationFile& file) {
  std::vector<Stream> streams = {ForwardOf(file)};
  if (file.reverse.has_value()) streams.push_back(ReverseOf(file));
  return streams;
}

}  // namespace switchyard::records
