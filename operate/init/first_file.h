// A first migration file as text: what PairTables found, guesses marked, questions as comments.
// Pure.
//
//   # guessed: ...  stands behind a line to be confirmed
//   # ? ...         is a question, above the lines that would answer it
//   # note: ...     is good to know
//
// Every other commented line is an answer: it becomes a valid one by taking its first "# " away.
#pragma once

#include <string>

#include "operate/init/pairing.h"

namespace switchyard::operate {

struct FirstFileHeader {
  std::string migration;
  std::string old_database, new_database;  // for people
  spec::Endpoint old_db, new_db;           // dsn_file as the file is to have it
};

struct FirstFile {
  std::string text;
  int tables = 0, guesses = 0, questions = 0;
};

FirstFile WriteFirstFile(const FirstFileHeader& header, const FirstMapping& mapping);

}  // namespace switchyard::operate
