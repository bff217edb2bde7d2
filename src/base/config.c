/* The only reader of the environment. */
#include "base/config.h"

#include <stdio.h>
#include <stdlib.h>

const config_row config_rows[CONFIG_ID_COUNT] = {
#define CONFIG(id, name, kind, fallback, least, most, doc) \
  [CONFIG_ID_##id] = {name, CONFIG_##kind, fallback, least, most, doc},
#include "base/config.def"
#undef CONFIG
};

static bool is_valid(const config_row *row, kiln_str value) {
  uint64_t number;
  if (row->kind == CONFIG_PATH) return value.size == 0 || value.data[0] == '/';
  return str_read_u64(value, &number) && number >= row->least && number <= row->most;
}

static void report_wrong(diag_sink *sink, const config_row *row, kiln_str value) {
  char expected[64] = "an absolute path";
  if (row->kind == CONFIG_NUMBER)
    snprintf(expected, sizeof expected, "a whole number from %llu to %llu", (unsigned long long)row->least,
             (unsigned long long)row->most);
  kiln_str shown = {value.data, value.size < 100 ? value.size : 100};
  diag_report(sink, DIAG_bad_environment, (loc){0}, row->name, STR_FMT(shown), expected, row->fallback);
}

kiln_str config_text(config_id id, diag_sink *sink) {
  const config_row *row = &config_rows[id];
  const char *set = getenv(row->name);
  if (!set) return str_from(row->fallback);
  kiln_str value = str_from(set);
  if (is_valid(row, value)) return value;
  report_wrong(sink, row, value);
  return str_from(row->fallback);
}

uint64_t config_number(config_id id, diag_sink *sink) {
  uint64_t number = 0;
  str_read_u64(config_text(id, sink), &number);
  return number;
}

bool config_checks(uint64_t level, diag_sink *sink) {
#ifdef KILN_CHECK
  (void)level, (void)sink;
  return true;
#else
  return config_number(CONFIG_ID_CHECK, sink) >= level;
#endif
}
