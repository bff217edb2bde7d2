/* Reading a command line by the command's table of options. */
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

static const option help_option = {"--help", 'h', OPTION_FLAG, true, "", "this text"};

/* A lone dash is an operand, as everywhere. */
static bool is_option(const char *word) { return word[0] == '-' && word[1] != 0; }

static bool is_long(const char *word) { return word[1] == '-'; }

static size_t name_length(const char *word) { return is_long(word) ? strcspn(word, "=") : 2; }

static bool matches(const option *o, const char *word) {
  if (!is_long(word)) return o->letter == word[1];
  size_t length = name_length(word);
  return strlen(o->name) == length && memcmp(o->name, word, length) == 0;
}

static const option *find_option(const tool *t, const char *word) {
  if (matches(&help_option, word)) return &help_option;
  for (size_t i = 0; i < t->command->option_count; i++)
    if (matches(&t->command->options[i], word)) return &t->command->options[i];
  return NULL;
}

const char *suggest(arena *a, kiln_str word, const kiln_str *names, size_t count) {
  size_t best = word.size / 3 + 1; /* this far away it is another word */
  const kiln_str *nearest = NULL;
  for (size_t i = 0; i < count; i++) {
    size_t distance = str_distance(word, names[i]);
    if (distance >= best) continue;
    best = distance;
    nearest = &names[i];
  }
  return nearest ? str_format(a, "did you mean '%.*s'?", STR_FMT(*nearest)).data : NULL;
}

static bool refuse_unknown(tool *t, const char *word) {
  const command *c = t->command;
  kiln_str *names = ARENA_ARRAY(&t->arena, kiln_str, c->option_count + 1);
  for (size_t i = 0; i < c->option_count; i++) names[i] = str_from(c->options[i].name);
  names[c->option_count] = str_from(help_option.name);
  kiln_str written = {word, name_length(word)};
  const char *near = is_long(word) ? suggest(&t->arena, written, names, c->option_count + 1) : NULL;
  const char *hint = near ? near : str_format(&t->arena, "`kiln %s --help` lists the options", c->name).data;
  TOOL_REPORT(t, DIAG_unknown_option, hint, c->name, STR_FMT(written));
  return false;
}

/* What is written behind the name in the same word: after '=' or, for a letter, straight behind it. NULL: nothing. */
static const char *attached(const char *word) {
  const char *rest = word + name_length(word);
  if (is_long(word)) return *rest == '=' ? rest + 1 : NULL;
  return *rest ? rest : NULL;
}

/* One option at words[*at]; leaves *at at its last word. */
static bool parse_option(tool *t, int count, char **words, int *at) {
  const char *word = words[*at];
  const option *o = find_option(t, word);
  if (!o) return refuse_unknown(t, word);
  given g = {o, attached(word)};
  if (o->takes == OPTION_FLAG && g.value) {
    TOOL_REPORT(t, DIAG_option_takes_no_value, NULL, t->command->name, o->name, g.value);
    return false;
  }
  if (o->takes == OPTION_VALUE && !g.value) {
    if (*at + 1 == count) {
      TOOL_REPORT(t, DIAG_option_needs_value, NULL, t->command->name, o->name, o->value);
      return false;
    }
    g.value = words[++*at];
  }
  for (size_t i = 0; i < t->options.count && !o->repeats; i++) {
    if (t->options.data[i].option != o) continue;
    TOOL_REPORT(t, DIAG_option_twice, NULL, t->command->name, o->name);
    return false;
  }
  VEC_PUSH(&t->arena, &t->options, g);
  return true;
}

static bool check_operands(tool *t) {
  const command *c = t->command;
  size_t count = t->operands.count;
  if (count >= c->operand_least && count <= c->operand_most) return true;
  const char *hint = str_format(&t->arena, "usage: kiln %s %s", c->name, c->operands).data;
  if (count < c->operand_least)
    TOOL_REPORT(t, DIAG_operand_missing, hint, c->name, c->operands);
  else
    TOOL_REPORT(t, DIAG_operand_unexpected, hint, c->name, t->operands.data[c->operand_most]);
  return false;
}

bool args_parse(tool *t, int count, char **words, bool *wants_help) {
  bool options_end = false;
  for (int i = 0; i < count; i++) {
    if (!options_end && strcmp(words[i], "--") == 0)
      options_end = true;
    else if (options_end || !is_option(words[i]))
      VEC_PUSH(&t->arena, &t->operands, words[i]);
    else if (!parse_option(t, count, words, &i))
      return false;
  }
  *wants_help = args_has(t, help_option.name);
  return *wants_help || check_operands(t);
}

static const given *last_given(const tool *t, const char *name) {
  for (size_t i = t->options.count; i-- > 0;)
    if (strcmp(t->options.data[i].option->name, name) == 0) return &t->options.data[i];
  return NULL;
}

bool args_has(const tool *t, const char *name) { return last_given(t, name) != NULL; }

const char *args_value(const tool *t, const char *name) {
  const given *g = last_given(t, name);
  return g ? g->value : NULL;
}

static bool refuse_number(tool *t, const char *name, const char *written, const char *least, const char *most) {
  TOOL_REPORT(t, DIAG_option_not_a_number, NULL, t->command->name, name, written, least, most);
  return false;
}

bool args_number(tool *t, const char *name, uint64_t least, uint64_t most, uint64_t fallback, uint64_t *out) {
  const char *written = args_value(t, name);
  *out = fallback;
  if (!written || (str_read_u64(str_from(written), out) && *out >= least && *out <= most)) return true;
  return refuse_number(t, name, written, str_format(&t->arena, "%llu", (unsigned long long)least).data,
                       str_format(&t->arena, "%llu", (unsigned long long)most).data);
}

bool args_choice(tool *t, const char *name, const char *const *words, uint32_t count, uint32_t *out) {
  const char *written = args_value(t, name);
  text names = text_new(&t->arena);
  for (uint32_t i = 0; written && i < count; i++) {
    if (strcmp(words[i], written) == 0) return *out = i, true;
    text_format(&names, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", words[i]);
  }
  if (written) TOOL_REPORT(t, DIAG_option_not_a_choice, NULL, t->command->name, name, written, text_str(&names).data);
  return !written;
}

bool args_fraction(tool *t, const char *name, double fallback, double *out) {
  const char *written = args_value(t, name);
  char *end;
  *out = fallback;
  if (!written) return true;
  *out = strtod(written, &end);
  return (end != written && *end == 0 && *out >= 0 && *out <= 1) || refuse_number(t, name, written, "0", "1");
}
