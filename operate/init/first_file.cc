#include "operate/init/first_file.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"

namespace switchyard::operate {
namespace {

using std::string;
using std::vector;

constexpr size_t kCommentWidth = 96;
constexpr std::string_view kQuestion = "# ? ";
constexpr std::string_view kNote = "# note: ";

bool IsPlainWord(std::string_view word) {
  // What YAML 1.1 reads as something else.
  static constexpr std::array<std::string_view, 9> kTaken = {"y",   "n",    "yes",   "no",  "on",
                                                             "off", "true", "false", "null"};
  if (word.empty() || absl::ascii_isdigit(static_cast<unsigned char>(word[0]))) return false;
  const string lower = absl::AsciiStrToLower(Sv(word));
  if (std::ranges::count(kTaken, lower) > 0) return false;
  return std::ranges::all_of(word, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
  });
}

// Between the quotes that need no escape, if there are such.
string Quoted(std::string_view text) {
  const bool printable = std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\''; });
  if (printable && text.find_first_of("\"\\") != std::string_view::npos) {
    return absl::StrCat("'", Sv(text), "'");
  }
  string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

string Word(std::string_view text) { return IsPlainWord(text) ? string(text) : Quoted(text); }

// Of one line, whatever a name holds.
string OneLine(std::string_view text) {
  string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return out;
}

string Display(const spec::TableName& table) { return table.schema + "." + table.name; }

// Only where the file needs quotes.
string TableWord(const spec::TableName& table) {
  const auto part = [](const string& name) {
    return name.find_first_of(".\"") == string::npos ? name : QuoteIdentifier(name);
  };
  return Word(table.schema.empty() ? part(table.name)
                                   : part(table.schema) + "." + part(table.name));
}

class Writer {
 public:
  FirstFile Write(const FirstFileHeader& header, const FirstMapping& mapping) {
    for (const FirstTable& table : mapping.tables) Table(table);
    for (const LoneTable& table : mapping.only_new) OnlyNew(table);
    OnlyOld(mapping.only_old);
    file_.tables = static_cast<int>(mapping.tables.size());
    const string body = std::move(file_.text);
    file_.text.clear();
    Head(header, mapping);
    file_.text += body;
    return std::move(file_);
  }

 private:
  void Line(int indent, std::string_view text) {
    file_.text.append(static_cast<size_t>(indent), ' ');
    file_.text += text;
    file_.text += '\n';
  }

  // A comment over as many lines as it takes, each of which shows what it is; `mark` ends with a
  // space.
  void Comment(int indent, std::string_view mark, std::string_view text) {
    string line(mark);
    bool empty = true;
    for (const auto word : absl::StrSplit(OneLine(text), ' ', absl::SkipEmpty())) {
      if (!empty && static_cast<size_t>(indent) + line.size() + 1 + word.size() > kCommentWidth) {
        Line(indent, line);
        line = mark;
        line += "  ";
        empty = true;
      }
      absl::StrAppend(&line, empty ? "" : " ", word);
      empty = false;
    }
    Line(indent, line);
  }

  void Question(int indent, std::string_view text) {
    ++file_.questions;
    Comment(indent, kQuestion, text);
  }

  void Head(const FirstFileHeader& header, const FirstMapping& mapping) {
    Line(0, OneLine(absl::StrFormat(
                "# A first migration file, from the catalogues of %s (OLD) and %s (NEW).",
                header.old_database, header.new_database)));
    Line(0, absl::StrFormat("#   # guessed   %d to confirm", file_.guesses));
    Line(0, absl::StrFormat(
                "#   # ?         %d to answer; the lines below are possible answers, commented out",
                file_.questions));
    Line(0, "#   # note:     good to know");
    Line(0, "# What is still open: switchyard check FILE. Every key: docs/migration-file.md");
    Line(0, "migration: " + Word(header.migration));
    Line(0, "old: " + Endpoint(header.old_db));
    Line(0, "new: " + Endpoint(header.new_db));
    if (mapping.schemas != vector<string>{"public"} && !mapping.schemas.empty()) {
      vector<string> words;
      for (const string& schema : mapping.schemas) words.push_back(Word(schema));
      Line(0, "schemas: [" + absl::StrJoin(words, ", ") + "]");
    }
    if (!mapping.aliases.empty()) Line(0, "aliases:");
    for (const auto& [alias, table] : mapping.aliases) {
      Line(2, Word(alias) + ": " + TableWord(table));
    }
    Line(0, "");
    Line(0, "forward:");
    Line(2, "tables:");
  }

  static string Endpoint(const spec::Endpoint& endpoint) {
    return endpoint.dsn_env.empty() ? "{dsn_file: " + Quoted(endpoint.dsn_file) + "}"
                                    : "{dsn_env: " + endpoint.dsn_env + "}";
  }

  void Table(const FirstTable& table) {
    for (const string& question : table.questions) Question(4, question);
    Line(4, "- table: " + TableWord(table.target));
    string copy = "copy: " + TableWord(table.source);
    if (table.guessed) {
      ++file_.guesses;
      copy += "  # guessed: the same name but for case and underscores";
    }
    Line(6, copy);
    Group("rename", table.rename);
    Group("set", table.set);
    Group("drop", table.drop);
    if (!table.may_be_null.empty()) {
      Comment(6, kNote,
              "NULL in OLD is possible, but not in NEW; such rows go to quarantine: " +
                  absl::StrJoin(table.may_be_null, ", "));
    }
    if (!table.unfilled.empty()) {
      Comment(6, kNote,
              "Filled by nothing of OLD, so NULL or their default: " +
                  absl::StrJoin(table.unfilled, ", "));
    }
  }

  // The key itself is a comment as long as all below it is.
  void Group(std::string_view key, const vector<FirstLine>& lines) {
    if (lines.empty()) return;
    const bool active = std::ranges::any_of(
        lines, [](const FirstLine& line) { return line.kind != FirstLine::Kind::kQuestion; });
    if (!active) {
      for (const FirstLine& line : lines) Question(6, line.why);
    }
    Line(6, absl::StrCat(active ? "" : "# ", Sv(key), ":"));
    for (const FirstLine& line : lines) {
      if (line.kind != FirstLine::Kind::kQuestion) {
        string text = Entry(key, line.column, line.value);
        if (line.kind == FirstLine::Kind::kGuessed) {
          ++file_.guesses;
          text += "  # guessed: " + OneLine(line.why);
        }
        Line(8, text);
        continue;
      }
      if (active) Question(8, line.why);
      Answers(key, line, active ? 8 : 6);
    }
  }

  // Below a key that is a comment too, taking "# " away must leave its indentation.
  void Answers(std::string_view key, const FirstLine& line, int indent) {
    const std::string_view begin = indent == 8 ? "# " : "#   ";
    Line(indent, absl::StrCat(Sv(begin), Entry(key, line.column, line.value)));
    for (const string& value : line.or_values) {
      Line(indent, absl::StrCat(Sv(begin), Entry(key, line.column, value), "  # or so"));
    }
  }

  static string Entry(std::string_view key, const string& column, const string& value) {
    if (key == "drop") return "- " + Word(column);
    return Word(column) + ": " + (key == "set" ? Quoted(value) : Word(value));
  }

  void OnlyNew(const LoneTable& lone) {
    const string name = lone.table.ToString();
    Question(4,
             absl::StrCat(
                 "OLD has no table of the name of NEW's ", name, ". Where do its rows come from?",
                 lone.alike.empty() ? "" : " Most alike: ", absl::StrJoin(lone.alike, ", ")));
    Line(4, "# - table: " + TableWord(lone.table));
    if (!lone.best.name.empty()) Line(4, "#   copy: " + TableWord(lone.best));
    Line(4, absl::StrCat("#   select: ", Word(lone.table.name + ".sql"),
                         lone.best.name.empty() ? "" : "  # or so"));
  }

  void OnlyOld(const vector<LoneTable>& lone) {
    if (lone.empty()) return;
    for (const LoneTable& table : lone) {
      Question(2, absl::StrCat("NEW has no table of the name of OLD's ", Display(table.table),
                               ". Which takes its rows, or is it left behind?",
                               table.alike.empty() ? "" : " Most alike: ",
                               absl::StrJoin(table.alike, ", ")));
    }
    Line(2, "# ignore:");
    for (const LoneTable& table : lone) {
      Line(2, "#   - " + TableWord({.name = table.table.name}));
    }
  }

  FirstFile file_;
};

}  // namespace

FirstFile WriteFirstFile(const FirstFileHeader& header, const FirstMapping& mapping) {
  return Writer().Write(header, mapping);
}

}  // namespace switchyard::operate
