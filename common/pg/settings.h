// What every session fixes beside the text form of values (session.h): what its SQL means.
//
// Whoever may create in a schema of the search_path could take the place of a function or operator
// that a statement of ours calls: an exact match of argument types goes before pg_catalog wherever
// it stands. So the path is pg_catalog alone; SET search_path TO DEFAULT gives the role's and
// database's own.
//
// Settings are made once it is proven that the statements of a session reach one backend: a pooler
// that gives them to several would leave them set for the application.
#pragma once

#include "common/pg/session.h"

namespace switchyard::pg {

// Sent with the start-up packet, as those of the text form are.
inline constexpr Setting kSqlSettings[] = {
    {"lc_numeric", "C"},
    {"lc_time", "C"},
    {"timezone_abbreviations", "Default"},
    {"xmlbinary", "base64"},
    {"transform_null_equals", "off"},
    {"gin_fuzzy_search_limit", "0"},
    {"backslash_quote", "safe_encoding"},
    {"quote_all_identifiers", "off"},
    {"exit_on_error", "off"},
    {"jit", "off"},  // compiling costs more than any statement of ours
    {"default_transaction_read_only", "off"},
    {"default_transaction_deferrable", "off"},
};
// Set once the session has begun, unless its options say otherwise.
inline constexpr char kSearchPath[] = "pg_catalog";

}  // namespace switchyard::pg
