/* log_tells: a device cannot speak to the host while it runs, so `print` and `check` become records of a log that the
 * host reads when the launch is over (ir/log.h).
 *
 *   kernel k(x: f32[8]) -> (y: f32[8]) {        kernel k(x: f32[8]) -> (y: f32[8], log: u32[R, 10]) {
 *     grid i: 4 parallel                          grid i: 4 parallel
 *     let v = x[...]                              let v = x[...]
 *     print "x is {}", v                          let row = i32(atomic add log[0, 0] = 1) + 1
 *                                                 log[row, 0] = 0  ; log[row, 1] = u32(i)
 *                                                 log[row, 2 : 8] = bitcast(v, type: u32)
 *
 * A row that the log does not have is outside of it, so what goes there is dropped. Runs first, while all axes of the
 * grid have their indices. */
#include "pass/tell.h"
#include "pass/util.h"

enum {
  LOG_WORDS = 1 << 18, /* as many rows as make that, */
  LOG_ROWS = 16        /* but so many at least */
};

static bool tells(ir_code code) { return ir_op_get(code)->effects & E_TELLS; }

/* ---- the log ---- */

static ir_told told_of(arena *a, const ir_op *op) {
  ir_told told = {.check = op->code == IR_check, .words = op->attrs->words, .loc = op->loc};
  told.count = told.check ? 0 : op->operand_count;
  told.values = ARENA_ARRAY(a, ir_said, told.count + 1);
  for (uint32_t i = 0; i < told.count; i++) told.values[i] = ir_said_of(&op->operands[i]->type);
  return told;
}

static uint32_t width_of(const ir_log *log, const ir_told *told) {
  uint32_t width = 1 + log->axis_count;
  for (uint32_t i = 0; i < told->count; i++) width += ir_log_words(&told->values[i]);
  return width;
}

static ir_log *new_log(const ir_kernel *k) {
  arena *a = &k->module->arena;
  ir_log *log = ARENA_NEW(a, ir_log);
  *log = (ir_log){.param = k->param_count, .axis_count = k->axis_count, .width = IR_LOG_STOP + 1, .kernel = k->name};
  log->axes = ARENA_ARRAY(a, ir_log_axis, k->axis_count + 1);
  for (uint32_t i = 0; i < k->axis_count; i++) {
    const ir_axis *axis = &k->axes[i];
    log->axes[i] = (ir_log_axis){axis->name, axis->parallel, axis->bound ? 0 : axis->extent->value};
  }
  return log;
}

static void add_param(pass_ctx *c) {
  ir_kernel *k = c->kernel;
  ir_builder b = {.module = k->module, .kernel = k, .diags = c->diags, .loc = k->loc};
  const ir_shape none = {.rank = 2};
  ir_param *params = ARENA_ARRAY(&k->module->arena, ir_param, k->param_count + 1);
  for (uint32_t i = 0; i < k->param_count; i++) params[i] = k->params[i];
  ir_param *added = &params[k->param_count];
  *added = (ir_param){.name = STR("log"), .direction = KILN_OUT, .alias = -1, .loc = k->loc};
  added->ref = ir_free_value(&b, ir_ref_type(IR_U32, IR_SPACE_GMEM, &none), added->name);
  k->params = params;
  k->param_count++;
}

static void list_told(arena *a, ir_log *log, const ir_told *more, uint32_t count) {
  ir_told *all = ARENA_ARRAY(a, ir_told, log->told_count + count + 1);
  for (uint32_t i = 0; i < log->told_count; i++) all[i] = log->told[i];
  for (uint32_t i = 0; i < count; i++) {
    all[log->told_count + i] = more[i];
    const uint32_t width = width_of(log, &more[i]);
    if (width > log->width) log->width = width;
  }
  log->told = all;
  log->told_count += count;
}

/* The kernel's own log, to be changed: one that another kernel may have as well is copied. */
static ir_log *open_log(pass_ctx *c) {
  const ir_log *log = c->kernel->log;
  if (log) return arena_copy(&c->kernel->module->arena, log, sizeof *log);
  ir_log *made = new_log(c->kernel);
  add_param(c);
  return made;
}

/* The parameter has room for all of it. */
static val close_log(pass_ctx *c, ir_log *log) {
  ir_kernel *k = c->kernel;
  const uint32_t rows = LOG_WORDS / log->width;
  log->rows = log->told_count == 0 ? 1 : 1 + (rows < LOG_ROWS ? LOG_ROWS : rows);
  val ref = k->params[log->param].ref;
  ref->type.shape.dims[0] = ir_dim_const(k->module, log->rows);
  ref->type.shape.dims[1] = ir_dim_const(k->module, log->width);
  k->log = log;
  return ref;
}

val tell_log(pass_ctx *c, const ir_told *more, uint32_t count) {
  ir_log *log = open_log(c);
  list_told(&c->kernel->module->arena, log, more, count);
  return close_log(c, log);
}

/* ---- being stopped ---- */

void tell_stops(pass_ctx *c) {
  ir_log *log = open_log(c);
  log->stops = true;
  close_log(c, log);
}

void tell_roles(pass_ctx *c, uint32_t roles, uint32_t polls) {
  ir_log *log = open_log(c);
  log->roles = roles;
  log->polls = polls;
  log->stops = true;
  close_log(c, log);
}

/* What was in the word, which gets more bits. */
static val stop_word(ir_builder *b, uint64_t more) {
  val ref = b->kernel->params[b->kernel->log->param].ref;
  const ir_attrs attrs = {
      .index_count = 2, .index = {pass_point(b, -1, 0), pass_point(b, -1, IR_LOG_STOP)}, .combine = 1 + IR_or};
  return ir_make1(b, IR_atomic, (val[]){ref, ir_full(b, IR_U32, NULL, more)}, 2, &attrs);
}

val tell_stop_asked(ir_builder *b) { return ir_map2(b, IR_ne, stop_word(b, 0), ir_full(b, IR_U32, NULL, 0)); }

void tell_ask_stop(ir_builder *b) { stop_word(b, 1); }

/* ---- records ---- */

/* One record being written. */
typedef struct record {
  ir_builder *b;
  val log, row;
  uint32_t used; /* words of the row */
} record;

/* The words of a tile of u32, or a scalar, behind those that are there. */
static void put(record *r, val words) {
  ir_builder *b = r->b;
  ir_attrs attrs = {.index_count = 2, .index = {pass_point(b, 2, 0), pass_point(b, -1, r->used)}};
  if (words->type.shape.rank > 0) {
    attrs.index[1].point = false;
    attrs.index[1].size = words->type.shape.dims[0];
  }
  ir_make(b, IR_store, (val[]){r->log, words, r->row}, 3, &attrs);
  r->used += (uint32_t)ir_count(&words->type);
}

static val in_a_row(ir_builder *b, val v) {
  const ir_shape flat = {.rank = 1, .dims = {ir_dim_const(b->module, ir_count(&v->type))}};
  return expand_reshape(b, v, &flat);
}

static val words_of(ir_builder *b, val v) {
  const ir_dtype_info *info = ir_dtype_get(v->type.dtype);
  const bool whole = info->bits >= 32;
  if (info->class == IR_CLASS_FLOAT && !whole) v = expand_bitcast(b, v, expand_word(v->type.dtype));
  v = in_a_row(b, v);
  return whole ? in_a_row(b, expand_bitcast(b, v, IR_U32)) : ir_convert(b, v, IR_U32);
}

/* The index of an axis of the log: 0 where the kernel no longer has it. */
static val index_of(ir_builder *b, const ir_log_axis *axis) {
  for (uint32_t i = 0; i < b->kernel->axis_count; i++)
    if (str_equal(b->kernel->axes[i].name, axis->name)) return b->kernel->axes[i].index;
  return ir_scalar_i32(b, 0);
}

void tell_record(ir_builder *b, val number, val const *values, uint32_t count) {
  const ir_log *log = b->kernel->log;
  val ref = b->kernel->params[log->param].ref;
  const ir_attrs first = {
      .index_count = 2, .index = {pass_point(b, -1, 0), pass_point(b, -1, 0)}, .combine = 1 + IR_add};
  val before = ir_make1(b, IR_atomic, (val[]){ref, ir_full(b, IR_U32, NULL, 1)}, 2, &first);
  record r = {.b = b, .log = ref, .row = ir_map2(b, IR_add, ir_convert(b, before, IR_I32), ir_scalar_i32(b, 1))};
  put(&r, number);
  for (uint32_t i = 0; i < log->axis_count; i++) put(&r, ir_convert(b, index_of(b, &log->axes[i]), IR_U32));
  for (uint32_t i = 0; i < count; i++)
    if (ir_count(&values[i]->type) > 0) put(&r, words_of(b, values[i]));
}

/* A check tells when its condition is false. */
static void write_when_false(ir_builder *b, val number, val condition) {
  val failed = ir_map1(b, IR_not, condition);
  ir_region *regions[] = {ir_region_new(b, NULL), ir_region_new(b, NULL)};
  ir_builder within = pass_inside(b, regions[0]);
  tell_record(&within, number, NULL, 0);
  ir_make_control(b, IR_when, &failed, 1, regions, 2, NULL, 0, NULL);
}

bool pass_log_tells(pass_ctx *c) {
  const pass_ops ops = pass_collect(c, tells);
  if (ops.count == 0) return false;
  arena *a = &c->kernel->module->arena;
  ir_told *told = ARENA_ARRAY(a, ir_told, ops.count);
  for (size_t i = 0; i < ops.count; i++) told[i] = told_of(a, ops.data[i]);
  tell_log(c, told, (uint32_t)ops.count);
  for (uint32_t i = 0; i < ops.count; i++) {
    ir_op *op = ops.data[i];
    ir_builder b = pass_before(c, op);
    val number = ir_full(&b, IR_U32, NULL, i);
    if (told[i].check)
      write_when_false(&b, number, op->operands[0]);
    else
      tell_record(&b, number, op->operands, told[i].count);
    ir_erase(op);
  }
  return true;
}
