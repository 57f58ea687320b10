// One direction of a migration, as data: what everything of it is called, in both databases and on
// the log, and between which databases it runs. Nobody else puts such a name together.
//
//   const Stream stream = ForwardOf(file);
//   RETURN_IF_ERROR(log.CreateTopic(stream.change_topic));   // "shop.forward.changes"
//
// Two streams of different names or directions have no name in common, so that any number of them
// may read and write one database. Of a migration's name ([a-z][a-z0-9_]{0,39}) each fits into the
// 63 bytes that Postgres keeps.
//
// Thread safety: plain values.
#pragma once

#include <string>
#include <string_view>

#include "common/spec/migration_file.h"

namespace switchyard::records {

enum class Direction { kForward, kReverse };

struct Stream {
  Direction direction = Direction::kForward;
  std::string name;         // "shop.forward"
  std::string slot;         // of the source: "switchyard_shop_forward"
  std::string copy_slot;    // while a table is copied again
  std::string publication;  // as the slot
  std::string change_topic;
  std::string copy_topic;
  spec::Endpoint source;
  spec::Endpoint target;
  // The section of the file, which must outlive it.
  const spec::Direction* mapping = nullptr;
};

Stream ForwardOf(const spec::MigrationFile& file);
// With a mapping of nothing where the file has no section `reverse`.
Stream ReverseOf(const spec::MigrationFile& file);
// Names alone, without databases and mapping.
Stream StreamNamed(std::string_view migration, Direction direction);

}  // namespace switchyard::records
