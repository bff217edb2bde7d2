/* A JSON writer: values in order, commas and escapes by itself. */
#ifndef KILN_SRC_BASE_JSON_H
#define KILN_SRC_BASE_JSON_H

#include "base/str.h"

#define NUMBER_SIZE 40
/* The shortest text that reads back as the same number. */
const char *number_text(char out[NUMBER_SIZE], double value);

typedef struct json {
  text *out;
  bool started; /* something stands before the next value in this object or array */
  bool line;    /* the next value begins a line */
} json;

/* `key` is NULL inside arrays and at the top. */
void json_object(json *j, const char *key);
void json_array(json *j, const char *key);
void json_object_end(json *j);
void json_array_end(json *j);
void json_str(json *j, const char *key, kiln_str value); /* bytes that are no UTF-8 become U+FFFD */
void json_text(json *j, const char *key, const char *value);
void json_bool(json *j, const char *key, bool value);
void json_i64(json *j, const char *key, int64_t value);
void json_u64(json *j, const char *key, uint64_t value);
void json_f64(json *j, const char *key,
              double value); /* shortest form; null for infinities and NaN, which JSON lacks */
void json_line(json *j);     /* the next value stands on a line of its own */
void json_end(json *j);      /* the line's end, after the one top value */

#endif
