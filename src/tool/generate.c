/* Generated data. An element depends on the seed and its own position alone, so any part can be made by itself. */
#include "tool/generate.h"

#include <math.h>
#include <string.h>

#include "ir/ir.h"

static const struct row {
  const char *name;
  bool seeded;
} rows[] = {[GENERATE_ZEROS] = {"zeros", false},
            [GENERATE_ONES] = {"ones", false},
            [GENERATE_IOTA] = {"iota", false},
            [GENERATE_RANDOM] = {"random", true},
            [GENERATE_NORMAL] = {"normal", true}};

generator_match generator_find(kiln_str word, generator *out) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    size_t length = strlen(rows[i].name);
    if (!str_starts(word, str_from(rows[i].name))) continue;
    *out = (generator){.kind = (generator_kind)i};
    kiln_str rest = {word.data + length, word.size - length};
    if (!rows[i].seeded && rest.size == 0) return GENERATOR_YES;
    if (!rows[i].seeded || (rest.size > 0 && rest.data[0] != ':')) continue; /* a file such as random.npy */
    if (rest.size == 0) return GENERATOR_BAD_SEED;
    rest.data++;
    rest.size--;
    return str_read_u64(rest, &out->seed) ? GENERATOR_YES : GENERATOR_BAD_SEED;
  }
  return GENERATOR_NO;
}

/* The `which`-th 64 random bits of element `index`: splitmix64's finaliser over a counter. */
static uint64_t random_bits(uint64_t seed, uint64_t index, uint64_t which) {
  uint64_t x = (seed * 2 + 1) * 0x9e3779b97f4a7c15u + (2 * index + which) * 0xd1342543de82ef95u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static double uniform(uint64_t seed, uint64_t index, uint64_t which) {
  return (double)(random_bits(seed, index, which) >> 11) * 0x1p-53;
}

/* Box and Muller's transform; 1 - u keeps the logarithm's argument above zero. */
static double normal(uint64_t seed, uint64_t index) {
  double radius = sqrt(-2 * log(1 - uniform(seed, index, 0)));
  return radius * cos(6.283185307179586 * uniform(seed, index, 1));
}

static uint64_t float_element(const generator *g, ir_dtype dtype, uint64_t index) {
  switch (g->kind) {
    case GENERATE_ZEROS: return 0;
    case GENERATE_ONES: return ir_bits_from_f64(dtype, 1);
    case GENERATE_IOTA: return ir_bits_from_f64(dtype, (double)index);
    case GENERATE_RANDOM: return ir_bits_from_f64(dtype, uniform(g->seed, index, 0));
    case GENERATE_NORMAL: return ir_bits_from_f64(dtype, normal(g->seed, index));
  }
  return 0;
}

static int64_t whole_element(const generator *g, ir_class class, uint64_t index) {
  switch (g->kind) {
    case GENERATE_ZEROS: return 0;
    case GENERATE_ONES: return 1;
    case GENERATE_IOTA: return (int64_t)index;
    case GENERATE_RANDOM: return (int64_t)(uniform(g->seed, index, 0) * 100);
    case GENERATE_NORMAL: {
      int64_t value = (int64_t)round(10 * normal(g->seed, index));
      return class == IR_CLASS_UINT && value < 0 ? -value : value;
    }
  }
  return 0;
}

static uint64_t element(const generator *g, ir_dtype dtype, uint64_t index) {
  ir_class class = ir_dtype_get(dtype)->class;
  if (class == IR_CLASS_FLOAT) return float_element(g, dtype, index);
  int64_t value = whole_element(g, class, index);
  return class == IR_CLASS_BOOL ? (uint64_t)value & 1 : ir_bits_from_i64(dtype, value);
}

void generate(const generator *g, const kiln_array *array) {
  size_t size = kiln_dtype_size(array->dtype), count = array->size / size;
  unsigned char *out = array->data;
  for (size_t i = 0; i < count; i++) {
    uint64_t bits = element(g, (ir_dtype)array->dtype, i);
    memcpy(out + i * size, &bits, size);
  }
}
