/* `kiln help`, and the help of every command, made from the tables. */
#include <string.h>

#include "base/config.h"
#include "tool/tool.h"

static void print_option(FILE *out, const option *o) {
  char words[64];
  const char *equals = o->takes == OPTION_MAYBE ? "[=" : o->takes == OPTION_VALUE ? " " : "";
  const char *close = o->takes == OPTION_MAYBE ? "]" : "";
  int used = o->letter ? snprintf(words, sizeof words, "-%c, ", o->letter) : 0;
  const char *value = o->takes == OPTION_FLAG ? "" : o->value;
  snprintf(words + used, sizeof words - (size_t)used, "%s%s%s%s", o->name, equals, value, close);
  fprintf(out, "  %-26s%s%s\n", words, o->doc, o->repeats ? " (may be repeated)" : "");
}

void help_command(FILE *out, const command *c) {
  fprintf(out, "kiln %s: %s\n\nusage: kiln %s%s%s%s\n\noptions:\n", c->name, c->summary, c->name,
          c->option_count > 0 ? " [OPTION]..." : "", *c->operands ? " " : "", c->operands);
  for (size_t i = 0; i < c->option_count; i++) print_option(out, &c->options[i]);
  fprintf(out, "  %-26sthis text\n", "-h, --help");
  if (*c->details) fprintf(out, "\n%s", c->details);
}

static void print_commands(FILE *out) {
  fputs("commands:\n", out);
  for (size_t i = 0; i < command_count; i++) fprintf(out, "  %-10s%s\n", commands[i]->name, commands[i]->summary);
}

static void topic_environment(FILE *out) {
  fputs("Environment variables:\n", out);
  for (size_t i = 0; i < CONFIG_ID_COUNT; i++) {
    const config_row *row = &config_rows[i];
    fprintf(out, "  %-20s%s", row->name, row->doc);
    fprintf(out, *row->fallback ? " (default %s)\n" : "\n", row->fallback);
  }
}

static void topic_data(FILE *out) {
  fputs(
      "Data for a parameter, as in x=DATA:\n"
      "  FILE.npy     what numpy.save wrote, of the parameter's type and rank; bfloat16 as ml_dtypes writes it\n"
      "  zeros        all 0\n"
      "  ones         all 1\n"
      "  iota         0, 1, 2, .. in row-major order\n"
      "  random:SEED  floats uniform in [0, 1), integers from 0 to 99, bools by a fair coin\n"
      "  normal:SEED  floats of the standard normal distribution; integers: 10 times that, rounded (unsigned: its "
      "size)\n"
      "The same seed gives the same data everywhere. Sizes of generated data that no file determines come from "
      "--set.\n",
      out);
}

static void topic_exit_codes(FILE *out) {
  fputs(
      "Exit codes:\n"
      "  0  fine\n"
      "  1  the file, the data or the request is wrong\n"
      "  2  the command line is wrong\n"
      "  3  a checker found a fault in the kernel, or devices disagree\n"
      "  4  the device or the system failed\n",
      out);
}

static void topic_targets(FILE *out) {
  fputs(
      "Where to run, as in --on DEV:\n"
      "  host         the host executor (default): needs no driver\n"
      "  vulkan       the best Vulkan device\n"
      "  vulkan:2     the device of that index in `kiln devices`\n"
      "  vulkan:TEXT  the device whose name contains TEXT\n"
      "  all          the host and every usable device, compared with the host\n",
      out);
}

static const struct topic {
  const char *name, *summary;
  void (*print)(FILE *out);
} topics[] = {{"data", "what NAME=DATA may be", topic_data},
              {"targets", "what --on may be", topic_targets},
              {"environment", "variables that Kiln reads", topic_environment},
              {"exit-codes", "what the command's exit code tells", topic_exit_codes}};
enum { TOPIC_COUNT = sizeof topics / sizeof *topics };

void help_overview(FILE *out) {
  fputs(
      "kiln: tile kernels on the host and on any Vulkan device\n\n"
      "usage: kiln COMMAND [OPTION]... [OPERAND]...\n       kiln --version\n\n",
      out);
  print_commands(out);
  fputs("\ntopics:\n", out);
  for (size_t i = 0; i < TOPIC_COUNT; i++) fprintf(out, "  %-13s%s\n", topics[i].name, topics[i].summary);
  fputs("\n`kiln help COMMAND` or `kiln help TOPIC` tells more.\n", out);
}

static exit_code refuse_topic(tool *t, const char *word) {
  kiln_str *names = ARENA_ARRAY(&t->arena, kiln_str, command_count + TOPIC_COUNT);
  for (size_t i = 0; i < command_count; i++) names[i] = str_from(commands[i]->name);
  for (size_t i = 0; i < TOPIC_COUNT; i++) names[command_count + i] = str_from(topics[i].name);
  const char *near = suggest(&t->arena, str_from(word), names, command_count + TOPIC_COUNT);
  TOOL_REPORT(t, DIAG_unknown_topic, near, word);
  return EXIT_USAGE;
}

static exit_code run(tool *t) {
  if (t->operands.count == 0) {
    help_overview(stdout);
    return EXIT_FINE;
  }
  const char *word = t->operands.data[0];
  const command *c = command_find(word);
  if (c) {
    help_command(stdout, c);
    return EXIT_FINE;
  }
  for (size_t i = 0; i < TOPIC_COUNT; i++) {
    if (strcmp(topics[i].name, word) != 0) continue;
    topics[i].print(stdout);
    return EXIT_FINE;
  }
  return refuse_topic(t, word);
}

const command command_help = {.name = "help",
                              .summary = "explain a command or a topic",
                              .operands = "[TOPIC]",
                              .operand_most = 1,
                              .details = "",
                              .run = run};
