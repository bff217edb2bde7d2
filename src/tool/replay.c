/* The running command, written again. */
#include "tool/replay.h"

#include <string.h>

static void add_word(text *line, const char *word) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,+-";
  const char *const quote = word[0] == '\0' || word[strspn(word, plain)] != '\0' ? "'" : "";
  text_format(line, " %s", quote);
  for (; *word; word++) text_add(line, *word == '\'' ? STR("'\\''") : (kiln_str){word, 1});
  text_add(line, str_from(quote));
}

static bool is_repeated(const option *o) {
  static const char *const others[] = {"--seed",  "--schedules", "--exhaustive", "--replay",
                                       "--trace", "--svg",       "--json"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (strcmp(o->name, others[i]) == 0) return false;
  return true;
}

kiln_str replay_command(tool *t) {
  text line = text_new(&t->arena);
  text_format(&line, "kiln %s", t->command->name);
  for (size_t i = 0; i < t->operands.count; i++) add_word(&line, t->operands.data[i]);
  for (size_t i = 0; i < t->options.count; i++) {
    const given *g = &t->options.data[i];
    if (!is_repeated(g->option)) continue;
    text_format(&line, " %s", g->option->name);
    if (g->value) add_word(&line, g->value);
  }
  return text_str(&line);
}
