/* Writing JSON. */
#include "tool/json.h"

#include <math.h>

#include "tool/number.h"

static void begin(json *j, const char *key) {
  if (j->started) fputs(", ", j->out);
  j->started = true;
  if (key) fprintf(j->out, "\"%s\": ", key);
}

static void open(json *j, const char *key, char bracket) {
  begin(j, key);
  fputc(bracket, j->out);
  j->started = false;
}

static void close(json *j, char bracket) {
  fputc(bracket, j->out);
  j->started = true;
}

void json_object(json *j, const char *key) { open(j, key, '{'); }
void json_array(json *j, const char *key) { open(j, key, '['); }
void json_object_end(json *j) { close(j, '}'); }
void json_array_end(json *j) { close(j, ']'); }

static void put_ascii(FILE *out, unsigned char c) {
  if (c == '"' || c == '\\')
    fprintf(out, "\\%c", c);
  else if (c == '\n')
    fputs("\\n", out);
  else if (c < ' ' || c == 0x7f)
    fprintf(out, "\\u%04x", c);
  else
    fputc(c, out);
}

void json_str(json *j, const char *key, kiln_str value) {
  begin(j, key);
  fputc('"', j->out);
  for (size_t i = 0; i < value.size;) {
    size_t size = str_utf8_size(value, i);
    if (size == 1)
      put_ascii(j->out, (unsigned char)value.data[i]);
    else if (size == 0)
      fputs("\\ufffd", j->out);
    else
      fwrite(value.data + i, 1, size, j->out);
    i += size > 0 ? size : 1;
  }
  fputc('"', j->out);
}

void json_text(json *j, const char *key, const char *value) { json_str(j, key, str_from(value)); }

void json_bool(json *j, const char *key, bool value) {
  begin(j, key);
  fputs(value ? "true" : "false", j->out);
}

void json_i64(json *j, const char *key, int64_t value) {
  begin(j, key);
  fprintf(j->out, "%lld", (long long)value);
}

void json_u64(json *j, const char *key, uint64_t value) {
  begin(j, key);
  fprintf(j->out, "%llu", (unsigned long long)value);
}

void json_f64(json *j, const char *key, double value) {
  char words[NUMBER_SIZE];
  begin(j, key);
  fputs(isfinite(value) ? number_text(words, value) : "null", j->out);
}

void json_end(json *j) { fputc('\n', j->out); }
