// One direction of a migration, as data: what everything of it is called, in both databases and on
// the log, and between which databases it runs. Nobody else puts such a name together.
//
//   const Stream stream = ForwardOf(file);
//   RETURN_IF_ERROR(log.CreateTopic(stream.change_topic));   // "shop.forward.changes"
//
// Streams of different migrations have no name in common in a source and on a log, and streams of
// different directions none in a target either: there a migration of the same direction is refused
// (mapping/install/target_setup.h). Of a migration's name ([a-z][a-z0-9_]{0,39}) each fits into the
// 63 bytes that Postgres keeps.
//
// Thread safety: plain values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/spec/migration_file.h"

namespace switchyard::records {

enum class Direction { kForward, kReverse };

struct Stream {
  Direction direction = Direction::kForward;
  std::string name;         // "shop.forward"
  std::string slot;         // of the source: "switchyard_shop_forward"
  std::string copy_slot;    // while a table is copied again
  std::string parity_slot;  // for a moment, when both databases are compared
  std::string publication;  // as the slot
  std::string side_table;   // of schema switchyard in the source: whether that side owns
  std::string change_topic;
  std::string copy_topic;
  // Of what is made in the target: the schema with the mirror of the source's tables and with what
  // outlasts a transaction beside it; how views in schema switchyard begin; and what the names of
  // the tables of a session have.
  std::string mirror_schema;
  std::string view_prefix;
  std::string temporary_mark;
  spec::Endpoint source;
  spec::Endpoint target;
  // Of the source, what names of its tables without a schema mean.
  std::vector<std::string> source_schemas;
  // Of the target, where names that mapping SQL does not qualify are looked for behind pg_catalog.
  std::vector<std::string> target_schemas;
  // The file has the other direction as well: either log says where its side came to own.
  bool paired = false;
  // The section of the file, which must outlive it.
  const spec::Direction* mapping = nullptr;
};

Stream ForwardOf(const spec::MigrationFile& file);
// Those that the file has, forward first.
std::vector<Stream> StreamsOf(const spec::MigrationFile& file);
// With a mapping of nothing where the file has no section `reverse`.
Stream ReverseOf(const spec::MigrationFile& file);
// Names alone, without databases and mapping.
Stream StreamNamed(std::string_view migration, Direction direction);
// Of a stream's name. Two of one direction in one target would have one mirror.
Direction DirectionOf(std::string_view name);

// Idempotent, but wants the right to make a schema even where it is there.
std::string MirrorSchemaSql(const std::string& mirror_schema);

}  // namespace switchyard::records
