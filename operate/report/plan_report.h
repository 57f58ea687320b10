// What `plan` shows: how each table of NEW comes about. Pure.
//
// Thread safety: plain values.
#pragma once

#include <string>
#include <vector>

namespace switchyard::operate {

struct PlannedRule {
  std::string table;     // of OLD, or of NEW with its schema
  std::string touches;   // which values of the scope a changed row touches, in SQL
  bool derived = false;  // from the select; else the file says so
};

struct PlannedTable {
  std::string table;               // NEW's
  bool row_local = false;          // row by row; else recomputed by scope
  std::vector<std::string> reads;  // OLD's tables, and NEW's that other mappings fill
  std::string why_keyed;           // empty when row-local
  std::vector<std::string> scope;  // of a keyed one
  std::vector<std::string> columns;
  std::string owns;                // condition over its rows; empty: all of them
  std::vector<PlannedRule> rules;  // of a keyed one
  // mode: patch. Only what changed in its rows is written; what becomes of a row that vanishes, and
  // the columns that are not compared with what the table has.
  bool patch = false;
  std::string vanish;
  std::vector<std::string> lossy;
};

struct PlannedMirror {
  std::string table;  // OLD's
  std::vector<std::string> columns;
  std::vector<std::string> indexes;  // CREATE INDEX statements
};

struct PlanReport {
  std::string migration;
  std::string fingerprint;
  std::vector<PlannedTable> tables;  // in the order they are written
  std::string mirror_schema;         // of NEW
  std::vector<PlannedMirror> mirrors;
  std::vector<std::string> unread_columns;  // "table.column" of OLD no mapping reads
  std::vector<std::string> unread_tables;   // of OLD's schemas, no mapping reads them
  std::vector<std::string> ignored;         // said to be left behind
};

std::string PlanReportText(const PlanReport& report);
// The words of message Plan in proto/control.proto.
std::string PlanReportJson(const PlanReport& report);

}  // namespace switchyard::operate
