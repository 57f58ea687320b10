// The text that makes a fence in one database (deploy/sql/fence.sql), for the owner of its tables.
#pragma once

#include <string>
#include <vector>

namespace switchyard::records {

struct FenceSetup {
  std::string migration;
  std::string role;                 // by which Switchyard writes here, and drives the fence
  std::vector<std::string> tables;  // the mapped ones, each as a statement names it
  // Where rows come from a role in session_replication_role = replica, statements that change rows
  // are looked at as well, so that those rows need not be.
  bool statements = false;
};

// Functions, grants, what decides (open); within a transaction. Idempotent.
std::string FenceSetupSql(const FenceSetup& setup);
// The triggers, DISABLED: a statement for each table, outside a transaction, as each waits for its
// table's writers and must hold no other table meanwhile. Idempotent.
std::string FenceTablesSql(const FenceSetup& setup);

}  // namespace switchyard::records
