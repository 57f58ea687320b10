// The sections `forward` and `reverse` of the migration file: mappings, ids, ignore.
#pragma once

#include <string>

#include "common/spec/migration_file.h"
#include "common/spec/reader.h"

namespace switchyard::spec {

// `name` is "forward" or "reverse"; paths of select files are resolved against `folder`.
void ReadDirection(Reader& in, const Node& node, const std::string& name, const std::string& folder,
                   Direction* out);

// Alias -> schema-qualified table; `name` for messages.
void ReadAliases(Reader& in, const Node& node, const std::string& name, Direction* out);

}  // namespace switchyard::spec
