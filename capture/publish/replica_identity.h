// pg_class.relreplident, and what pgoutput sends of it, as it stands on the log.
#pragma once

#include "proto/event.pb.h"

namespace switchyard::capture {

inline event::v1::ReplicaIdentity ReplicaIdentityOf(char code) {
  switch (code) {
    case 'd':
      return event::v1::REPLICA_IDENTITY_DEFAULT;
    case 'n':
      return event::v1::REPLICA_IDENTITY_NOTHING;
    case 'f':
      return event::v1::REPLICA_IDENTITY_FULL;
    case 'i':
      return event::v1::REPLICA_IDENTITY_INDEX;
    default:
      return event::v1::REPLICA_IDENTITY_UNSPECIFIED;
  }
}

}  // namespace switchyard::capture
