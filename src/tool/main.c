/* The command's start and end: finds the subcommand, gives it a context, prints diagnostics as they come. */
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

const command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "tool/commands.def"
#undef COMMAND
};
const size_t command_count = sizeof commands / sizeof *commands;

const command *command_find(const char *name) {
  for (size_t i = 0; i < command_count; i++)
    if (strcmp(commands[i]->name, name) == 0) return commands[i];
  return NULL;
}

exit_code exit_code_of(kiln_result result) {
  switch (result) {
    case KILN_OK: return EXIT_FINE;
    case KILN_ERROR_INVALID:
    case KILN_ERROR_LIMIT:
    case KILN_ERROR_UNSUPPORTED: return EXIT_WRONG;
    case KILN_ERROR_FAULT: return EXIT_FAULT;
    case KILN_ERROR_MEMORY:
    case KILN_ERROR_DEVICE:
    case KILN_ERROR_DEVICE_LOST:
    case KILN_ERROR_DEVICE_MEMORY:
    case KILN_ERROR_TIMEOUT:
    case KILN_ERROR_IO: return EXIT_SYSTEM;
  }
  return EXIT_SYSTEM;
}

kiln_result tool_out_of_memory(tool *t) {
  diag_report(t->context->diags, DIAG_out_of_memory, (loc){0});
  return KILN_ERROR_MEMORY;
}

void tool_print(kiln_str s) {
  if (s.size > 0) fwrite(s.data, 1, s.size, stdout);
}

void tool_print_table(const table *rows) {
  text printed = text_new(rows->arena);
  table_print(rows, &printed);
  tool_print(text_str(&printed));
}

static void print_diag(void *user, const kiln_diag *diag) {
  tool *t = user;
  if (!t->context || t->held) return; /* made while the context is: printed once it stands */
  kiln_diag shown_as = *diag;
  if (t->mild && diag->severity == KILN_ERROR) shown_as.severity = KILN_NOTE;
  kiln_str shown = kiln_diag_render(t->context, &shown_as);
  fwrite(shown.data, 1, shown.size, stderr);
}

void tool_release(tool *t, size_t first) {
  t->held = false;
  for (size_t i = first; i < kiln_diag_count(t->context); i++) print_diag(t, kiln_diag_get(t->context, i));
}

static exit_code refuse_command(tool *t, const char *word) {
  kiln_str *names = ARENA_ARRAY(&t->arena, kiln_str, command_count);
  for (size_t i = 0; i < command_count; i++) names[i] = str_from(commands[i]->name);
  TOOL_REPORT(t, DIAG_unknown_command, suggest(&t->arena, str_from(word), names, command_count), word);
  return EXIT_USAGE;
}

static exit_code run_command(tool *t, int count, char **words) {
  bool wants_help;
  if (!args_parse(t, count, words, &wants_help)) return EXIT_USAGE;
  if (!wants_help) return t->command->run(t);
  help_command(stdout, t->command);
  return EXIT_FINE;
}

static exit_code start(tool *t, int count, char **words) {
  jmp_buf out;
  if (!ARENA_GUARD(&t->arena, out)) {
    diag_report(t->context->diags, DIAG_out_of_memory, (loc){0});
    return EXIT_SYSTEM;
  }
  if (count < 2) {
    help_overview(stderr);
    return EXIT_USAGE;
  }
  if (strcmp(words[1], "--version") == 0) {
    printf("kiln %s\n", kiln_version());
    return EXIT_FINE;
  }
  bool help = strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0;
  t->command = help ? &command_help : command_find(words[1]);
  return t->command ? run_command(t, count - 2, words + 2) : refuse_command(t, words[1]);
}

/* Output that could not be written (a full disk, say) must not look like success. */
static exit_code flush(tool *t, exit_code code) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return code;
  TOOL_REPORT(t, DIAG_file_unwritable, NULL, "standard output", "some of it was lost");
  return EXIT_SYSTEM;
}

/* Whether a launch may still be running on some device. It cannot be stopped, and drivers crash when the process ends
 * in good order under it. */
static bool left_running(const kiln_context *context) {
  for (size_t i = 0; i < kiln_diag_count(context); i++)
    if (kiln_diag_get(context, i)->code == diag_code(DIAG_launch_timeout)) return true;
  return false;
}

int main(int count, char **words) {
  static tool t;
  kiln_context_desc desc = {.diag = print_diag, .diag_user = &t};
  kiln_context *context;
  if (kiln_context_create(&desc, &context) != KILN_OK) {
    fputs("kiln: out of host memory\n", stderr);
    return EXIT_SYSTEM;
  }
  t.context = context;
  tool_release(&t, 0);
  arena_init(&t.arena, context->mem, 0);
  exit_code code = flush(&t, start(&t, count, words));
  if (left_running(context)) _Exit((int)code);
  arena_finish(&t.arena);
  kiln_context_destroy(context);
  return (int)code;
}
