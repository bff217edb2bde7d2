/* What every part of the command knows: the running command, its arguments, how it ends.
 *
 * A command is one row of commands.def and one file cmd_NAME.c with a `command` in it. Its options are a table that
 * both the parser (args.c) and the help (cmd_help.c) read. Memory is the tool's arena, left by its guard in main when
 * there is no more; arrays are taken from the context's hook. Everything that goes wrong is a diagnostic. */
#ifndef KILN_SRC_TOOL_TOOL_H
#define KILN_SRC_TOOL_TOOL_H

#include <stdio.h>

#include "base/context.h"
#include "base/table.h"

typedef enum exit_code { EXIT_FINE = 0, EXIT_WRONG = 1, EXIT_USAGE = 2, EXIT_FAULT = 3, EXIT_SYSTEM = 4 } exit_code;
exit_code exit_code_of(kiln_result result);

typedef enum option_value { OPTION_FLAG, OPTION_VALUE, OPTION_MAYBE } option_value; /* MAYBE: --time or --time=5 */

typedef struct option {
  const char *name; /* "--kernel" */
  char letter;      /* 'k' for -k; 0: none */
  option_value takes;
  bool repeats;
  const char *value; /* the value's name in the help */
  const char *doc;
} option;

typedef struct tool tool;

typedef struct command {
  const char *name, *summary;
  const char *operands; /* as in the usage line */
  size_t operand_least, operand_most;
  const option *options;
  size_t option_count;
  const char *details; /* further help; may be empty */
  exit_code (*run)(tool *t);
} command;

/* A command's fields `options` and `option_count`, from its table. */
#define OPTIONS(table) .options = (table), .option_count = sizeof(table) / sizeof *(table)

typedef struct given {
  const option *option;
  const char *value; /* NULL for a flag */
} given;

struct tool {
  kiln_context *context;
  arena arena;
  const command *command;
  bool mild; /* errors are printed as notes: what failed can be done without */
  bool held; /* nothing is printed until it is known whether it matters; see tool_release */
  VEC(given) options;
  VEC(const char *) operands;
};

#define COMMAND(name) extern const command command_##name;
#include "tool/commands.def"
#undef COMMAND
extern const command *const commands[];
extern const size_t command_count;
const command *command_find(const char *name); /* NULL when there is none */

/* Parses what follows the command's name. False after a diagnostic. `*wants_help`: --help was among it. */
bool args_parse(tool *t, int count, char **words, bool *wants_help);
bool args_has(const tool *t, const char *name);
const char *args_value(const tool *t, const char *name); /* the last one given; NULL when not given or without value */
/* A number between least and most; `fallback` when not given. False after a diagnostic. */
bool args_number(tool *t, const char *name, uint64_t least, uint64_t most, uint64_t fallback, uint64_t *out);
/* Which of the words was given; `*out` stays as it is when none was. False after a diagnostic. */
bool args_choice(tool *t, const char *name, const char *const *words, uint32_t count, uint32_t *out);
bool args_fraction(tool *t, const char *name, double fallback, double *out); /* likewise, from 0 to 1 */

void help_command(FILE *out, const command *c);
void help_overview(FILE *out);

/* The name among `count` that is nearest to `word`, as "did you mean 'x'?", or NULL when none is near. */
const char *suggest(arena *a, kiln_str word, const kiln_str *names, size_t count);

void tool_print(kiln_str s);              /* to stdout */
void tool_release(tool *t, size_t first); /* prints what was held back from the diagnostic `first` on */
void tool_print_table(const table *rows);
kiln_result tool_out_of_memory(tool *t); /* reports it; the result of the same name */

/* Reports with a hint made at run time; NULL keeps the row's own. */
#define TOOL_REPORT(t, id, hint_text, ...) \
  diag_report_with((t)->context->diags, id, (loc){0}, &(diag_extra){.hint = (hint_text)}, __VA_ARGS__)

#endif
