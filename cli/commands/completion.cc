#include "cli/commands/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"

namespace switchyard::cli {
namespace {

// What a shell needs to know of one option or positional argument.
struct Word {
  std::string name;  // "--json"; of a positional, its place holder
  std::string help;
  bool takes_value = false;
  bool is_required = false;
  bool is_file = false;
  std::vector<std::string> choices;
};

struct CommandWords {
  std::string name;  // empty: the program itself
  std::string help;
  std::vector<Word> options;
  std::vector<Word> positionals;
};

// Up to the first sentence's end, so that lists stay narrow.
std::string FirstSentence(const std::string& text) { return text.substr(0, text.find(". ")); }

// "TEXT:{bash,zsh,fish}" -> bash, zsh, fish
std::vector<std::string> Choices(const std::string& type_name) {
  const size_t open = type_name.find('{');
  const size_t close = type_name.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return absl::StrSplit(type_name.substr(open + 1, close - open - 1), ',');
}

CommandWords Collect(const CLI::App& app) {
  CommandWords words;
  words.name = app.get_parent() == nullptr ? "" : app.get_name();
  words.help = FirstSentence(app.get_description());
  for (const CLI::Option* option : app.get_options()) {
    if (words.name != "" && option->check_lname("help")) continue;  // the program's own does
    Word word;
    word.help = FirstSentence(option->get_description());
    word.takes_value = option->get_items_expected_max() > 0;
    word.is_required = option->get_required();
    word.choices = Choices(option->get_type_name());
    if (option->get_positional()) {
      word.name = option->get_name();
      word.is_file = word.name == "FILE";
      words.positionals.push_back(std::move(word));
    } else {
      word.name = "--" + option->get_lnames().at(0);
      word.is_file = option->get_type_name() == "FILE";
      words.options.push_back(std::move(word));
    }
  }
  return words;
}

std::vector<CommandWords> CollectSubcommands(const CLI::App& app) {
  std::vector<CommandWords> all;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    all.push_back(Collect(*command));
  }
  return all;
}

std::string OptionNames(const std::vector<Word>& words) {
  return absl::StrJoin(words, " ", [](std::string* out, const Word& w) { *out += w.name; });
}

std::string CommandNames(const std::vector<CommandWords>& commands, const char* separator) {
  return absl::StrJoin(commands, separator,
                       [](std::string* out, const CommandWords& c) { *out += c.name; });
}

std::string AllChoices(const std::vector<Word>& words) {
  std::vector<std::string> choices;
  for (const Word& word : words) {
    choices.insert(choices.end(), word.choices.begin(), word.choices.end());
  }
  return absl::StrJoin(choices, " ");
}

bool TakesFile(const CommandWords& command) {
  return std::any_of(command.positionals.begin(), command.positionals.end(),
                     [](const Word& word) { return word.is_file; });
}

std::string BashScript(const CommandWords& program, const std::vector<CommandWords>& commands) {
  std::string cases;
  for (const CommandWords& command : commands) {
    absl::StrAppend(&cases, "    ", command.name, ")\n      options=\"",
                    OptionNames(command.options), " ", OptionNames(program.options),
                    "\"\n      words=\"", AllChoices(command.positionals),
                    "\"\n      files=", TakesFile(command) ? "yes" : "no", " ;;\n");
  }
  return absl::StrReplaceAll(
      R"(# bash completion of switchyard; put it where bash looks for completions, or run:
#   source <(switchyard completion bash)
_switchyard() {
  local cur="${COMP_WORDS[COMP_CWORD]}" command="" options="" words="" files=no i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in
    @NAMES_BAR@)
      command="${COMP_WORDS[i]}"
      break
      ;;
    esac
  done
  case "$command" in
    "")
      options="@OPTIONS@"
      words="@NAMES@" ;;
@CASES@  esac
  if [[ "$cur" == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
  if [[ "$files" == yes ]]; then
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
  fi
}
complete -o filenames -F _switchyard switchyard
)",
      {{"@NAMES_BAR@", CommandNames(commands, " | ")},
       {"@NAMES@", CommandNames(commands, " ")},
       {"@OPTIONS@", OptionNames(program.options)},
       {"@CASES@", cases}});
}

// Inside single quotes and the brackets of _arguments.
std::string ZshText(const std::string& text) {
  return absl::StrReplaceAll(text, {{"'", "'\\''"}, {"[", "("}, {"]", ")"}, {":", "\\:"}});
}

std::string ZshValue(const Word& word) {
  const std::string action = !word.choices.empty() ? "(" + absl::StrJoin(word.choices, " ") + ")"
                             : word.is_file        ? "_files"
                                                   : " ";
  return absl::StrCat(":", ZshText(word.name), ":", action);
}

std::string ZshArguments(const CommandWords& command, const std::vector<Word>& shared) {
  std::string out = "_arguments";
  for (const std::vector<Word>* words : {&command.options, &shared}) {
    for (const Word& word : *words) {
      absl::StrAppend(&out, " \\\n        '", word.name, "[", ZshText(word.help), "]",
                      word.takes_value ? ZshValue(word) : "", "'");
    }
  }
  for (const Word& word : command.positionals) {
    absl::StrAppend(&out, " \\\n        '", word.is_required ? "" : ":", ZshValue(word), "'");
  }
  return out;
}

std::string ZshScript(const CommandWords& program, const std::vector<CommandWords>& commands) {
  std::string list;
  std::string cases;
  for (const CommandWords& command : commands) {
    absl::StrAppend(&list, "    '", command.name, ":", ZshText(command.help), "'\n");
    absl::StrAppend(&cases, "    ", command.name, ")\n      ",
                    ZshArguments(command, program.options), " ;;\n");
  }
  return absl::StrReplaceAll(R"(#compdef switchyard
# zsh completion of switchyard; save it as _switchyard in a folder of $fpath.
_switchyard() {
  local -a commands
  commands=(
@LIST@  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command="${words[2]}"
  words=("${words[@]:1}")
  (( CURRENT-- ))
  case "$command" in
@CASES@  esac
}
_switchyard "$@"
)",
                             {{"@LIST@", list}, {"@CASES@", cases}});
}

std::string FishText(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}});
}

std::string FishOption(const std::string& condition, const Word& word) {
  std::string line = absl::StrCat("complete -c switchyard -n '", condition, "' -l ",
                                  word.name.substr(2), " -d '", FishText(word.help), "'");
  if (!word.takes_value) return line + "\n";
  line += word.is_file ? " -r -F" : " -x";
  if (!word.choices.empty()) absl::StrAppend(&line, " -a '", absl::StrJoin(word.choices, " "), "'");
  return line + "\n";
}

std::string FishScript(const CommandWords& program, const std::vector<CommandWords>& commands) {
  std::string out =
      "# fish completion of switchyard; save it as ~/.config/fish/completions/switchyard.fish\n";
  for (const Word& word : program.options) out += FishOption("true", word);
  for (const CommandWords& command : commands) {
    absl::StrAppend(&out, "complete -c switchyard -f -n __fish_use_subcommand -a ", command.name,
                    " -d '", FishText(command.help), "'\n");
    const std::string inside = "__fish_seen_subcommand_from " + command.name;
    for (const Word& word : command.options) out += FishOption(inside, word);
    const std::string choices = AllChoices(command.positionals);
    if (!choices.empty()) {
      absl::StrAppend(&out, "complete -c switchyard -n '", inside, "' -a '", choices, "'\n");
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<std::string> CompletionScript(const CLI::App& app, std::string_view shell) {
  const CommandWords program = Collect(app);
  const std::vector<CommandWords> commands = CollectSubcommands(app);
  if (shell == "bash") return BashScript(program, commands);
  if (shell == "zsh") return ZshScript(program, commands);
  if (shell == "fish") return FishScript(program, commands);
  return absl::InvalidArgumentError(
      absl::StrCat("no completion for ", Sv(shell), "; there is bash, zsh and fish"));
}

void AddCompletion(CLI::App& app, Chosen* chosen) {
  CLI::App* command = app.add_subcommand("completion", "Print a completion script for your shell");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer("Example:\n  source <(switchyard completion bash)");
  command->callback([&app, shell, chosen] {
    *chosen = [&app, shell](const Context& context) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const std::string script, CompletionScript(app, *shell));
      context.out << script;
      return ExitCode::kDone;
    };
  });
}

}  // namespace switchyard::cli
