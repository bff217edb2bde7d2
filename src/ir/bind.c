/* Binding: a copy of one kernel in a module of its own, in which every size is a number. The copy is built op by op
 * through ir_make, so every type rule is checked again, now with nothing unknown. */
#include <string.h>

#include "base/context.h"
#include "ir/clone.h"
#include "ir/layout.h"
#include "ir/sizes.h"

typedef struct binding {
  ir_module *module;
  ir_builder builder;
  ir_kernel *to;
  const ir_kernel *from;
  const int64_t *values;
  ir_value **map;
  diag_sink *diags;
  bool failed;
} binding;

/* Adds "N = 100" for the symbols of `d`, each once. */
static void print_values(const binding *b, ir_dim d, text *out) {
  for (uint32_t i = 0; i < b->from->symbol_count; i++) {
    if (!ir_dim_mentions(d, b->from->symbols[i])) continue;
    text_format(out, "%s%.*s = %lld", out->size ? ", " : "", STR_FMT(b->from->symbols[i]), (long long)b->values[i]);
  }
}

static ir_dim bind_dim(void *user, ir_dim d) {
  binding *b = user;
  int64_t value = 0;
  if (!ir_dim_eval(d, b->from, b->values, &value) && !b->failed) {
    text values = text_new(&b->module->arena);
    print_values(b, d, &values);
    diag_report(b->diags, DIAG_size_expression, b->builder.loc, STR_FMT(ir_dim_text(b->module, d)),
                STR_FMT(text_str(&values)));
    b->failed = true;
  }
  return ir_dim_const(b->module, value);
}

static ir_value *bind_value(binding *b, const ir_cloner *c, const ir_value *v) {
  ir_value *copy = ir_free_value(&b->builder, ir_clone_type(c, &v->type), str_copy(&b->module->arena, v->name));
  b->map[v->id] = copy;
  return copy;
}

static loc bind_loc(const binding *b, loc at) {
  if (at.source) at.source = &b->module->source;
  return at;
}

static void bind_params(binding *b, const ir_cloner *c) {
  ir_kernel *to = b->to;
  to->params = arena_copy(&b->module->arena, b->from->params, b->from->param_count * sizeof *to->params);
  to->param_count = b->from->param_count;
  for (uint32_t i = 0; i < to->param_count; i++) {
    to->params[i].ref = bind_value(b, c, b->from->params[i].ref);
    to->params[i].loc = bind_loc(b, to->params[i].loc);
    to->params[i].name = str_copy(&b->module->arena, to->params[i].name);
    memset(to->params[i].dim_text, 0, sizeof to->params[i].dim_text);
  }
}

/* What axes of the grid and of teams have in common; `index` is still the value that is copied. */
static void bind_axis(binding *b, const ir_cloner *c, loc *at, kiln_str *name, ir_dim *extent, ir_value **index) {
  b->builder.loc = *at = bind_loc(b, *at);
  *extent = bind_dim(b, *extent);
  *name = str_copy(&b->module->arena, *name);
  *index = bind_value(b, c, *index);
}

static bool bind_axes(binding *b, const ir_cloner *c) {
  ir_kernel *to = b->to;
  int64_t steps = 1;
  to->axes = arena_copy(&b->module->arena, b->from->axes, b->from->axis_count * sizeof *to->axes);
  to->axis_count = b->from->axis_count;
  for (uint32_t i = 0; i < to->axis_count; i++) {
    ir_axis *axis = &to->axes[i];
    bind_axis(b, c, &axis->loc, &axis->name, &axis->extent, &axis->index);
    if (axis->bound) {
      axis->bound = b->map[axis->bound->id];
      continue;
    }
    if (axis->extent->value < 0 || axis->extent->value > INT32_MAX || !i64_mul(steps, axis->extent->value, &steps)) {
      diag_report(b->diags, DIAG_grid_too_big, axis->loc, STR_FMT(axis->name), (long long)axis->extent->value,
                  INT32_MAX);
      return false;
    }
  }
  return true;
}

static bool bind_teams(binding *b, const ir_cloner *c) {
  ir_kernel *to = b->to;
  int64_t units = 1;
  to->teams = arena_copy(&b->module->arena, b->from->teams, b->from->team_count * sizeof *to->teams);
  to->team_count = b->from->team_count;
  for (uint32_t i = 0; i < to->team_count; i++) {
    ir_team *team = &to->teams[i];
    bind_axis(b, c, &team->loc, &team->name, &team->extent, &team->index);
    if (team->extent->value > 0 && i64_mul(units, team->extent->value, &units) && units <= IR_MAX_UNITS) continue;
    diag_report(b->diags, DIAG_team_size, team->loc, STR_FMT(team->name), (long long)team->extent->value,
                (long long)IR_MAX_UNITS);
    return false;
  }
  return true;
}

static ir_region *bind_region(binding *b, const ir_cloner *c, const ir_region *from) {
  ir_region *to = ir_region_new(&b->builder, NULL);
  b->builder.region = to;
  b->builder.before = NULL;
  if (!ir_clone_ops(c, from)) b->failed = true;
  return to;
}

static bool check_block(const binding *b, const ir_block *block) {
  const ir_type *array = &b->to->params[block->param].ref->type;
  for (uint32_t d = 0; d < block->size.rank; d++) {
    if (block->size.dims[d]->value > 0) continue;
    diag_report(b->diags, DIAG_block_empty, block->loc, STR_FMT(b->to->params[block->param].name), d,
                (long long)block->size.dims[d]->value);
    return false;
  }
  return array->shape.rank == block->size.rank;
}

static bool bind_blocks(binding *b, const ir_cloner *c) {
  ir_kernel *to = b->to;
  to->blocks = arena_copy(&b->module->arena, b->from->blocks, b->from->block_count * sizeof *to->blocks);
  to->block_count = b->from->block_count;
  for (uint32_t i = 0; i < to->block_count; i++) {
    ir_block *block = &to->blocks[i];
    b->builder.loc = block->loc = bind_loc(b, block->loc);
    for (uint32_t d = 0; d < block->size.rank; d++) block->size.dims[d] = bind_dim(b, block->size.dims[d]);
    block->ref = bind_value(b, c, b->from->blocks[i].ref);
    if (!check_block(b, block)) return false;
    block->map = bind_region(b, c, b->from->blocks[i].map);
  }
  return true;
}

static bool refuse_count(const binding *b, uint32_t param) {
  diag_report(b->diags, DIAG_array_too_big, b->to->params[param].loc, STR_FMT(b->to->params[param].name));
  return false;
}

/* On devices an element's place is 32 bits. */
static bool padding_fits(const ir_param *param) {
  ir_address address;
  if (param->layout.rank == 0) return true;
  return ir_type_address(&param->layout, &param->ref->type, &address) && address.elements <= INT32_MAX;
}

/* The number of elements of every param must be countable; its bytes too. */
static bool check_counts(const binding *b) {
  for (uint32_t i = 0; i < b->to->param_count; i++) {
    const ir_type *type = &b->to->params[i].ref->type;
    int64_t bytes = (int64_t)ir_dtype_bytes(type->dtype);
    for (uint32_t d = 0; d < type->shape.rank; d++) {
      int64_t extent = ir_extent(type, d);
      if (i64_mul(bytes, extent > 0 ? extent : 1, &bytes) && extent <= INT32_MAX) continue;
      return refuse_count(b, i);
    }
    if (!padding_fits(&b->to->params[i])) return refuse_count(b, i);
  }
  return true;
}

static bool bind_kernel(binding *b) {
  ir_kernel *to = b->to;
  b->builder = (ir_builder){.module = b->module, .kernel = to, .loc = bind_loc(b, b->from->loc), .diags = b->diags};
  ir_cloner c = {.builder = &b->builder, .map = b->map, .dim = bind_dim, .user = b, .source = &b->module->source};
  bind_params(b, &c);
  if (b->failed || !check_counts(b) || !bind_axes(b, &c) || !bind_teams(b, &c) || b->failed || !bind_blocks(b, &c))
    return false;
  to->body = bind_region(b, &c, b->from->body);
  return !b->failed;
}

static void copy_source(arena *a, const source *from, source *to) {
  origin *origins = ARENA_ARRAY(a, origin, from->origin_count + 1);
  for (size_t i = 0; i < from->origin_count; i++) {
    origins[i] = from->origins[i];
    bool same = i > 0 && origins[i].file.data && origins[i].file.data == from->origins[i - 1].file.data;
    origins[i].file = same ? origins[i - 1].file : str_copy(a, origins[i].file);
  }
  *to = (source){str_copy(a, from->name), str_copy(a, from->text), origins, from->origin_count};
}

static ir_kernel *start_kernel(ir_module *m, const ir_kernel *from) {
  copy_source(&m->arena, &from->module->source, &m->source);
  ir_kernel *to = ARENA_NEW(&m->arena, ir_kernel);
  to->module = m;
  to->name = str_copy(&m->arena, from->name);
  to->machine = from->machine;
  to->loc = from->loc;
  if (to->loc.source) to->loc.source = &m->source;
  to->bound = true;
  m->kernels = ARENA_NEW(&m->arena, ir_kernel *);
  m->kernels[0] = to;
  m->kernel_count = 1;
  return to;
}

/* ---- what is done with solved sizes ---- */

typedef kiln_result (*solved_fn)(void *user, const int64_t *values);

/* Solves the sizes in `a` and hands their values on. `then` may allocate there: it is left when memory is out. */
static kiln_result with_sizes(kiln_context *context, const ir_size_request *request, arena *a, solved_fn then,
                              void *user) {
  jmp_buf out;
  if (!ARENA_GUARD(a, out)) return ir_out_of_memory(context);
  const uint32_t count = request->kernel->symbol_count;
  int64_t *values = ARENA_ARRAY(a, int64_t, count);
  bool solved = ir_sizes_solve(request, context->diags, values, ARENA_ARRAY(a, ir_known, count));
  kiln_result result = solved ? then(user, values) : KILN_ERROR_INVALID;
  a->guard = NULL; /* the next user sets its own */
  return result;
}

/* The same where nothing but the result is kept. */
static kiln_result with_sizes_only(kiln_context *context, const ir_size_request *request, solved_fn then, void *user) {
  arena a;
  arena_init(&a, context->mem, 0);
  kiln_result result = with_sizes(context, request, &a, then, user);
  arena_finish(&a);
  return result;
}

/* ---- a bound copy ---- */

static kiln_result bind_solved(void *user, const int64_t *values) {
  binding *b = user;
  b->values = values;
  b->to = start_kernel(b->module, b->from);
  b->map = ARENA_ARRAY(&b->module->arena, ir_value *, b->from->value_count);
  return bind_kernel(b) ? KILN_OK : KILN_ERROR_INVALID;
}

kiln_result ir_bind(kiln_context *context, const ir_kernel *k, const kiln_size *sizes, size_t size_count,
                    const kiln_array *arrays, size_t array_count, ir_module **out) {
  *out = NULL;
  ir_size_request request = {k, sizes, size_count, arrays, array_count, true};
  binding b = {.module = ir_module_create(context), .from = k, .diags = context->diags};
  if (!b.module) return ir_out_of_memory(context);
  kiln_result result = with_sizes(context, &request, &b.module->arena, bind_solved, &b);
  if (result == KILN_OK)
    *out = b.module;
  else
    ir_module_destroy(b.module);
  return result;
}

/* ---- shapes alone ---- */

typedef struct shaping {
  kiln_context *context;
  const ir_kernel *kernel;
  kiln_array *arrays;
} shaping;

static kiln_result fill_output(const ir_kernel *k, const ir_param *p, const int64_t *values, kiln_array *array) {
  const ir_type *type = &p->ref->type;
  array->dtype = (kiln_dtype)type->dtype;
  array->rank = type->shape.rank;
  array->size = ir_dtype_bytes(type->dtype);
  for (uint32_t d = 0; d < type->shape.rank; d++) {
    if (!ir_dim_eval(type->shape.dims[d], k, values, &array->dims[d])) return KILN_ERROR_INVALID;
    if (!size_mul(array->size, (size_t)array->dims[d], &array->size)) return KILN_ERROR_LIMIT;
  }
  return KILN_OK;
}

static kiln_result fill_outputs(void *user, const int64_t *values) {
  shaping *s = user;
  for (uint32_t i = 0; i < s->kernel->param_count; i++) {
    const ir_param *param = &s->kernel->params[i];
    if (param->direction != KILN_OUT) continue;
    kiln_result result = fill_output(s->kernel, param, values, &s->arrays[i]);
    if (result == KILN_OK) continue;
    diag_report(s->context->diags, DIAG_array_too_big, param->loc, STR_FMT(param->name));
    return result;
  }
  return KILN_OK;
}

kiln_result kiln_kernel_shapes(kiln_context *context, const kiln_kernel *kernel, const kiln_size *sizes,
                               size_t size_count, kiln_array *arrays, size_t array_count) {
  ir_size_request request = {kernel, sizes, size_count, arrays, array_count, false};
  return with_sizes_only(context, &request, fill_outputs, &(shaping){context, kernel, arrays});
}

/* ---- sizes alone ---- */

typedef struct kept_sizes {
  int64_t *values;
  uint32_t count;
} kept_sizes;

static kiln_result keep_sizes(void *user, const int64_t *values) {
  const kept_sizes *keep = user;
  if (keep->count) memcpy(keep->values, values, keep->count * sizeof *values);
  return KILN_OK;
}

kiln_result ir_solve_sizes(kiln_context *context, const ir_kernel *k, const kiln_size *sizes, size_t size_count,
                           const kiln_array *arrays, size_t array_count, int64_t *values) {
  ir_size_request request = {k, sizes, size_count, arrays, array_count, true};
  return with_sizes_only(context, &request, keep_sizes, &(kept_sizes){values, k->symbol_count});
}
