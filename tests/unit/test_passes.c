/* Passes keep what a kernel means: random kernels of integers are run once through all passes, once as written (the
 * checked run only expands blocks), and must give the same arrays. The kernels are of the kind that passes take apart:
 * sequential grids, conditions on their axes, scratch and outputs that are updated whole or in part, loops that carry.
 * Everything is written before it is read, so that the checker has nothing to say. */
#include "unit.h"

#include <string.h>

#include "base/str.h"
#include "kiln/host.h"
#include "random.h"

enum { KERNELS = 600, NAMES_MOST = 64, AXES_MOST = 12 };

typedef struct axis {
  const char *name;
  uint32_t size; /* it counts from 0 to below */
} axis;

typedef struct writer {
  random_state r;
  arena *arena;
  text out;
  const char *names[NAMES_MOST]; /* tiles i32[4] in scope */
  axis axes[AXES_MOST];          /* integers in scope */
  uint32_t name_count, axis_count, grid_axes, depth, fresh;
} writer;

static uint32_t below(writer *w, uint32_t bound) { return random_below(&w->r, bound); }
static const char *one_of(writer *w, const char *const *words, uint32_t count) { return words[below(w, count)]; }

/* Text that ends with a zero byte. */
static const char *words(writer *w, const char *format, ...) {
  va_list args;
  va_start(args, format);
  kiln_str made = str_formatv(w->arena, format, args);
  va_end(args);
  return str_copy(w->arena, made).data;
}

static void line(writer *w, const char *what) { text_format(&w->out, "%*s%s\n", (int)(2 * w->depth + 2), "", what); }

/* ---- expressions ---- */

static const char *integer(writer *w) {
  uint32_t which = below(w, w->axis_count + 2);
  return which < w->axis_count ? w->axes[which].name : words(w, "%u", which - w->axis_count);
}

static const char *leaf(writer *w) {
  static const char *const memory[] = {"s[...]", "t[...]", "y[...]", "z[...]", "x[1, :]"};
  if (w->name_count && below(w, 3) == 0) return w->names[below(w, w->name_count)];
  if (below(w, 6) == 0) return words(w, "full(%d, i32[4])", (int)below(w, 13) - 3);
  if (w->axis_count && below(w, 5) == 0) return words(w, "x[%s, :]", w->axes[below(w, w->axis_count)].name);
  return one_of(w, memory, 5);
}

static const char *tile(writer *w, uint32_t depth) {
  static const char *const signs[] = {"+", "-", "*", "+", "^", "&", "|"};
  if (depth == 0) return leaf(w);
  const char *a = tile(w, depth - 1);
  switch (below(w, 8)) {
    case 0: return words(w, "(%s + %s)", a, integer(w));
    case 1: return words(w, "reverse(%s, axes: [0])", a);
    case 2: return words(w, "(%s + sum(%s, axis: 0))", leaf(w), a);
    case 3: return words(w, "(%s + c[...])", a);
    case 4: {
      const char *b = tile(w, depth - 1), *c = leaf(w);
      return words(w, "select(%s > %s, %s, %s)", c, b, a, b);
    }
    case 5: return leaf(w);
    default: {
      const char *b = tile(w, depth - 1);
      return words(w, "(%s %s %s)", a, one_of(w, signs, 7), b);
    }
  }
}

/* Mostly on axes: their first, last or another value. */
static const char *condition(writer *w) {
  static const char *const others[] = {"x[0, 0] > 3", "c[...] < 9", "true", "x[1, 2] == 0", "sum(y[...], axis: 0) > 4"};
  if (w->axis_count == 0 || below(w, 4) == 0) return one_of(w, others, 5);
  text t = text_new(w->arena);
  for (uint32_t parts = 1 + below(w, 2), i = 0; i < parts; i++) {
    const axis *a = &w->axes[below(w, w->axis_count)];
    uint32_t value = below(w, 2) ? 0 : below(w, 4) ? a->size - 1 : 1;
    text_format(&t, "%s%s %s %u", i ? " & " : "", a->name, below(w, 5) ? "==" : "!=", value);
  }
  return str_copy(w->arena, text_str(&t)).data;
}

/* ---- statements ---- */

static void statement(writer *w);

static void statements(writer *w, uint32_t count) {
  uint32_t names = w->name_count;
  w->depth++;
  for (uint32_t i = 0; i < count; i++) statement(w);
  w->depth--;
  w->name_count = names; /* what was named inside is not known outside */
}

static void name_tile(writer *w, const char *value) {
  const char *name = words(w, "v%u", w->fresh++);
  line(w, words(w, "let %s = %s", name, value));
  if (w->name_count < NAMES_MOST) w->names[w->name_count++] = name;
}

static void write_when(writer *w) {
  line(w, words(w, "when %s {", condition(w)));
  statements(w, 1 + below(w, 3));
  if (below(w, 3) == 0) {
    line(w, "} else {");
    statements(w, 1 + below(w, 2));
  }
  line(w, "}");
}

static void write_choice(writer *w) {
  const char *a = tile(w, 2), *b = tile(w, 1);
  name_tile(w, words(w, "when %s { yield %s } else { yield %s }", condition(w), a, b));
}

/* From 0 to none, one or a few; `carried` (empty: nothing) is the tile it begins with. */
static void write_loop(writer *w, const char *carried) {
  uint32_t id = w->fresh++, trips = below(w, 4), names = w->name_count;
  const char *counter = words(w, "n%u", id), *argument = words(w, "w%u", id);
  if (w->axis_count == AXES_MOST || w->name_count == NAMES_MOST) return;
  if (*carried)
    line(w, words(w, "let r%u = for %s in 0 .. %u with (%s = %s) {", id, counter, trips, argument, carried));
  else
    line(w, words(w, "for %s in 0 .. %u {", counter, trips));
  w->axes[w->axis_count++] = (axis){counter, trips ? trips : 1};
  if (*carried) w->names[w->name_count++] = argument;
  statements(w, 1 + below(w, 3));
  if (*carried) line(w, words(w, "  yield %s", tile(w, 2)));
  line(w, "}");
  w->axis_count--;
  w->name_count = names;
  if (*carried) w->names[w->name_count++] = words(w, "r%u", id);
}

static void write_part(writer *w) {
  static const char *const refs[] = {"s", "t", "y", "z"};
  const char *to = one_of(w, refs, 4), *from = one_of(w, refs, 4);
  line(w, words(w, "%s[%u : 2] = %s[%u : 2] + %s", to, below(w, 3), from, below(w, 3), integer(w)));
}

static void write_whole(writer *w) {
  static const char *const refs[] = {"s", "t", "y", "y", "z"};
  const char *to = one_of(w, refs, 5);
  line(w, words(w, "%s[...] %s %s", to, below(w, 3) ? "=" : "+=", tile(w, 2)));
}

static void statement(writer *w) {
  uint32_t which = below(w, w->depth < 4 ? 10 : 5);
  if (which < 2)
    write_whole(w);
  else if (which == 2)
    write_part(w);
  else if (which == 3)
    line(w, words(w, "c[...] = c[...] + %s", integer(w)));
  else if (which == 4)
    name_tile(w, tile(w, 2));
  else if (which < 8)
    write_when(w);
  else if (which == 8)
    write_choice(w);
  else
    write_loop(w, below(w, 2) ? tile(w, 1) : "");
}

/* ---- kernels ---- */

static void write_header(writer *w) {
  static const char *const names[] = {"i", "j", "k"};
  text_format(&w->out, "kernel random(x: i32[4, 4], z: i32[4] inout, y: i32[8] inout) {\n");
  w->grid_axes = w->axis_count = below(w, 4);
  for (uint32_t a = 0; a < w->grid_axes; a++) {
    w->axes[a] = (axis){names[a], 1 + below(w, 3)};
    text_format(&w->out, "%s%s: %u", a ? ", " : "  grid ", names[a], w->axes[a].size);
  }
  if (w->grid_axes) text_char(&w->out, '\n');
  const char *places[] = {"0", "1", "i % 2", "1 - j", "j"}; /* the last ones need two axes of at most 2 */
  bool small = w->grid_axes > 1 && w->axes[1].size < 3;
  uint32_t choices = w->grid_axes == 0 ? 2 : small ? 5 : 3;
  text_format(&w->out, "  block y (4) at (%s)\n", one_of(w, places, choices));
  text_format(&w->out, "  scratch s: i32[4]\n  scratch t: i32[4]\n  scratch c: i32\n");
}

static void write_kernel(writer *w) {
  write_header(w);
  text first = text_new(w->arena);
  for (uint32_t a = 0; a < w->grid_axes; a++) text_format(&first, "%s%s == 0", a ? " & " : "", w->axes[a].name);
  if (w->grid_axes) line(w, words(w, "when %s {", str_copy(w->arena, text_str(&first)).data));
  line(w, "s[...] = 0");
  line(w, "t[...] = x[3, :]");
  line(w, "c[...] = 0");
  if (below(w, 2)) line(w, "y[...] = 0");
  if (w->grid_axes) line(w, "}");
  for (uint32_t i = 0, count = 3 + below(w, 6); i < count; i++) statement(w);
  text_format(&w->out, "}\n");
}

/* ---- comparing ---- */

typedef struct arrays {
  int32_t x[16], z[4], y[8];
} arrays;

static void run(kiln_context *context, const kiln_kernel *k, bool check, arrays *a) {
  for (int i = 0; i < 16; i++) a->x[i] = i * 7 % 11 - 2;
  for (int i = 0; i < 4; i++) a->z[i] = i;
  for (int i = 0; i < 8; i++) a->y[i] = 3 * i;
  kiln_array list[] = {{KILN_I32, 2, {4, 4}, a->x, sizeof a->x},
                       {KILN_I32, 1, {4}, a->z, sizeof a->z},
                       {KILN_I32, 1, {8}, a->y, sizeof a->y}};
  kiln_host_desc desc = {.check = check};
  assert_int_equal(kiln_host_run(context, k, &desc, list, 3), KILN_OK);
}

static void one_kernel(arena *a, random_state *r) {
  kiln_context *context;
  kiln_module *module = NULL;
  writer w = {.r = {random_next(r)}, .arena = a, .out = text_new(a)};
  write_kernel(&w);
  kiln_str words = text_str(&w.out);
  assert_int_equal(kiln_context_create(&(kiln_context_desc){.threads = 1}, &context), KILN_OK);
  kiln_result parsed = kiln_module_parse(context, &(kiln_parse_desc){.text = words}, &module);
  if (parsed != KILN_OK) {
    kiln_str why = kiln_diag_render(context, kiln_diag_get(context, 0));
    fail_msg("%.*s\n%.*s", STR_FMT(words), STR_FMT(why));
  }
  arrays plain, passed;
  run(context, kiln_module_kernel(module, 0), false, &passed);
  run(context, kiln_module_kernel(module, 0), true, &plain);
  if (memcmp(&plain, &passed, sizeof plain) != 0) fail_msg("the passes change what this does:\n%.*s", STR_FMT(words));
  kiln_module_destroy(module);
  kiln_context_destroy(context);
}

static void passes_keep_what_random_kernels_mean(void **state) {
  (void)state;
  random_state r = random_start("passes");
  for (int i = 0; i < KERNELS; i++) {
    UNIT_ARENA(a);
    one_kernel(&a, &r);
    arena_finish(&a);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(passes_keep_what_random_kernels_mean)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
