/* Logs of devices: what they hold, and records as the host's values. */
#include "ir/log.h"

#include <string.h>

static uint32_t words_each(ir_dtype dtype) { return ir_dtype_get(dtype)->bits == 64 ? 2 : 1; }

uint32_t ir_log_words(const ir_said *value) { return (uint32_t)ir_said_count(value) * words_each(value->dtype); }

static void copy_told(arena *a, const ir_told *from, const source *places, ir_told *to) {
  *to = *from;
  to->words = str_copy(a, from->words);
  to->values = arena_copy(a, from->values, (from->count + 1) * sizeof *from->values);
  if (places && to->loc.source) to->loc.source = places;
  if (!from->wait) return;
  to->wait = arena_copy(a, from->wait, sizeof *from->wait);
  to->wait->unit = str_copy(a, from->wait->unit);
  to->wait->op = str_copy(a, from->wait->op);
  for (uint32_t i = 0; places && i < to->wait->helper_count; i++)
    if (to->wait->helpers[i].source) to->wait->helpers[i].source = places;
}

const ir_log *ir_log_copy(arena *a, const ir_log *log, const source *places) {
  ir_log *copy = arena_copy(a, log, sizeof *log);
  copy->kernel = str_copy(a, log->kernel);
  copy->axes = ARENA_ARRAY(a, ir_log_axis, log->axis_count + 1);
  copy->told = ARENA_ARRAY(a, ir_told, log->told_count + 1);
  for (uint32_t i = 0; i < log->axis_count; i++) {
    copy->axes[i] = log->axes[i];
    copy->axes[i].name = str_copy(a, log->axes[i].name);
  }
  for (uint32_t i = 0; i < log->told_count; i++) copy_told(a, &log->told[i], places, &copy->told[i]);
  return copy;
}

/* Elements of up to a word have one each, in its low bits. */
static void *elements(arena *a, const ir_said *value, const uint32_t *words) {
  const size_t bytes = ir_dtype_bytes(value->dtype), count = (size_t)ir_said_count(value);
  const uint32_t bits = ir_dtype_get(value->dtype)->bits;
  uint8_t *data = arena_array(a, count + 1, bytes);
  for (size_t i = 0; i < count && bits <= 32; i++) {
    const uint32_t word = words[i] & (uint32_t)ir_low_ones(bits);
    memcpy(data + i * bytes, &word, bytes);
  }
  if (bits == 64) memcpy(data, words, count * bytes);
  return data;
}

ir_said *ir_log_values(arena *a, const ir_told *told, const uint32_t *words) {
  ir_said *values = arena_copy(a, told->values, (told->count + 1) * sizeof *told->values);
  for (uint32_t i = 0; i < told->count; i++) {
    values[i].data = elements(a, &values[i], words);
    words += ir_log_words(&values[i]);
  }
  return values;
}

void ir_log_step(text *t, const ir_log *log, const uint32_t *indices) {
  ir_place *places = ARENA_ARRAY(t->arena, ir_place, log->axis_count + 1);
  uint64_t flat = 0;
  for (uint32_t i = 0; i < log->axis_count; i++) {
    const ir_log_axis *axis = &log->axes[i];
    if (axis->parallel) flat = flat * (uint64_t)axis->extent + indices[i];
    places[i] = (ir_place){axis->parallel ? IR_AXIS_GRID : IR_AXIS_STEPS, axis->name, (int32_t)indices[i]};
  }
  ir_say_places(t, flat, places, log->axis_count);
}
