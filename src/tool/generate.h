/* Data without a file: zeros, ones, iota, random:SEED, normal:SEED. */
#ifndef KILN_SRC_TOOL_GENERATE_H
#define KILN_SRC_TOOL_GENERATE_H

#include "base/str.h"
#include "kiln/kernel.h"

typedef enum generator_kind {
  GENERATE_ZEROS,
  GENERATE_ONES,
  GENERATE_IOTA,
  GENERATE_RANDOM,
  GENERATE_NORMAL
} generator_kind;

typedef struct generator {
  generator_kind kind;
  uint64_t seed;
} generator;

typedef enum generator_match { GENERATOR_NO, GENERATOR_YES, GENERATOR_BAD_SEED } generator_match;
generator_match generator_find(kiln_str word, generator *out);
void generate(const generator *g, const kiln_array *array); /* fills array->data */

#endif
