/* Writing JSON. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *number_text(char out[NUMBER_SIZE], double value) {
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(out, NUMBER_SIZE, "%.*g", digits, value);
    if (isnan(value) || strtod(out, NULL) == value) break;
  }
  return out;
}

static void begin(json *j, const char *key) {
  if (j->started) text_char(j->out, ',');
  if (j->line || j->started) text_char(j->out, j->line ? '\n' : ' ');
  j->started = true;
  j->line = false;
  if (key) text_format(j->out, "\"%s\": ", key);
}

static void open(json *j, const char *key, char bracket) {
  begin(j, key);
  text_char(j->out, bracket);
  j->started = false;
}

static void close(json *j, char bracket) {
  text_char(j->out, bracket);
  j->started = true;
}

void json_object(json *j, const char *key) { open(j, key, '{'); }
void json_array(json *j, const char *key) { open(j, key, '['); }
void json_object_end(json *j) { close(j, '}'); }
void json_array_end(json *j) { close(j, ']'); }

static void put_ascii(text *out, unsigned char c) {
  if (c == '"' || c == '\\')
    text_format(out, "\\%c", c);
  else if (c == '\n')
    text_add(out, STR("\\n"));
  else if (c < ' ' || c == 0x7f)
    text_format(out, "\\u%04x", c);
  else
    text_char(out, (char)c);
}

void json_str(json *j, const char *key, kiln_str value) {
  begin(j, key);
  text_char(j->out, '"');
  for (size_t i = 0; i < value.size;) {
    size_t size = str_utf8_size(value, i);
    if (size == 1)
      put_ascii(j->out, (unsigned char)value.data[i]);
    else if (size == 0)
      text_add(j->out, STR("\\ufffd"));
    else
      text_add(j->out, (kiln_str){value.data + i, size});
    i += size > 0 ? size : 1;
  }
  text_char(j->out, '"');
}

void json_text(json *j, const char *key, const char *value) { json_str(j, key, str_from(value)); }

void json_bool(json *j, const char *key, bool value) {
  begin(j, key);
  text_add(j->out, value ? STR("true") : STR("false"));
}

void json_i64(json *j, const char *key, int64_t value) {
  begin(j, key);
  text_format(j->out, "%lld", (long long)value);
}

void json_u64(json *j, const char *key, uint64_t value) {
  begin(j, key);
  text_format(j->out, "%llu", (unsigned long long)value);
}

void json_f64(json *j, const char *key, double value) {
  char words[NUMBER_SIZE];
  begin(j, key);
  text_add(j->out, str_from(isfinite(value) ? number_text(words, value) : "null"));
}

void json_line(json *j) { j->line = true; }
void json_end(json *j) { text_char(j->out, '\n'); }
