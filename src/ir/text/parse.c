/* The parser's top: modules, kernels, parameters, grid and blocks. parse.h says how the parser is put together. */
#include "ir/text/parse.h"

#include "base/context.h"

/* ---- parameters ---- */

typedef struct written_param {
  ir_param param;
  ir_type type;
  const token *name, *alias; /* alias: NULL when absent */
} written_param;

typedef VEC(written_param) param_list;

static bool refuse_flag(parser *p, const token *t, const char *where) {
  diag_report(p->diags, DIAG_misplaced_flag, parse_loc(p, t), STR_FMT(parse_text(p, t)), where);
  return false;
}

static bool parse_param_flags(parser *p, written_param *w, bool output) {
  for (;;) {
    const token *t = parse_peek(p, 0);
    if (parse_accept_word(p, "prefetch")) {
      w->param.prefetch = true;
      if (output) return refuse_flag(p, t, "an input");
    } else if (parse_accept_word(p, "inout")) {
      w->param.direction = KILN_INOUT;
      if (output) return refuse_flag(p, t, "an input");
    } else if (parse_accept_word(p, "alias")) {
      if (!output) return refuse_flag(p, t, "an output");
      if (!(w->alias = parse_name(p, "the name of an input"))) return false;
    } else if (parse_accept_word(p, "filled")) {
      if (!output) return refuse_flag(p, t, "an output");
      w->param.filled = true;
    } else {
      return true;
    }
  }
}

static bool parse_param(parser *p, bool output, param_list *out) {
  written_param w = {.param = {.alias = -1, .direction = output ? KILN_OUT : KILN_IN}};
  ir_space space = IR_SPACE_GMEM;
  w.name = parse_name(p, "a parameter's name");
  if (!w.name || !parse_expect(p, SIGN_COLON) || !parse_type(p, &w.type) ||
      !parse_layout(p, &w.type, &w.param.layout) || !parse_space(p, &space) || !parse_param_flags(p, &w, output))
    return false;
  w.param.name = parse_text(p, w.name);
  w.param.loc = parse_loc(p, w.name);
  w.type = ir_ref_type(w.type.dtype, space, &w.type.shape);
  VEC_PUSH(p->scratch, out, w);
  return true;
}

static bool parse_param_list(parser *p, bool output, param_list *out) {
  if (!parse_expect(p, SIGN_PAREN)) return false;
  if (parse_accept(p, SIGN_PAREN_END)) return true;
  do {
    if (!parse_param(p, output, out)) return false;
  } while (parse_accept(p, SIGN_COMMA));
  return parse_expect(p, SIGN_PAREN_END);
}

static bool find_alias(parser *p, ir_kernel *k, ir_param *param, const token *alias) {
  if (!alias) return true;
  for (uint32_t i = 0; i < k->param_count; i++) {
    if (!str_equal(k->params[i].name, parse_text(p, alias))) continue;
    if (k->params[i].direction == KILN_IN) return param->alias = (int32_t)i, true;
  }
  diag_report(p->diags, DIAG_unknown_param, parse_loc(p, alias), STR_FMT(parse_text(p, alias)), "an input");
  return false;
}

static bool add_params(parser *p, ir_kernel *k, const param_list *list) {
  bool ok = true;
  k->params = ARENA_ARRAY(p->arena, ir_param, list->count + 1);
  for (size_t i = 0; i < list->count; i++) {
    const written_param *w = &list->data[i];
    ir_param *param = &k->params[i];
    *param = w->param;
    param->ref = ir_free_value(&p->b, w->type, param->name);
    k->param_count++;
    if (!scope_add(p, param->name, param->loc, operand_value(param->ref, param->loc))) ok = false;
    if (!find_alias(p, k, param, w->alias)) ok = false;
  }
  return ok;
}

static bool parse_params(parser *p, ir_kernel *k) {
  param_list list = {0};
  p->declares = true;
  bool ok = parse_param_list(p, false, &list) && (!parse_accept(p, SIGN_ARROW) || parse_param_list(p, true, &list));
  p->declares = false;
  k->symbols = p->symbols.data;
  k->symbol_count = (uint32_t)p->symbols.count;
  scope_open(p);
  return ok && add_params(p, k, &list);
}

/* ---- grid and blocks ---- */

typedef VEC(ir_axis) axis_list;
typedef VEC(ir_block) block_list;

static int32_t find_param(const ir_kernel *k, kiln_str name) {
  for (uint32_t i = 0; i < k->param_count; i++) {
    if (str_equal(k->params[i].name, name)) return (int32_t)i;
  }
  return -1;
}

/* Its extent: a size, or a parameter that holds it at launch. */
static bool parse_extent(parser *p, ir_axis *axis) {
  const token *t = parse_peek(p, 0);
  int32_t which = t->kind == TOKEN_NAME ? find_param(p->kernel, parse_text(p, t)) : -1;
  if (which < 0) return (axis->extent = parse_dim(p)) != NULL;
  const ir_param *param = &p->kernel->params[which];
  const ir_type *type = &param->ref->type;
  parse_take(p);
  axis->extent = ir_dim_const(p->module, 0);
  axis->bound = param->ref;
  if (param->prefetch && type->dtype == IR_I32 && type->shape.rank == 0) return true;
  diag_report(p->diags, DIAG_bad_grid_bound, parse_loc(p, t), STR_FMT(param->name),
              STR_FMT(ir_type_text(p->module, type)), param->prefetch ? " prefetch" : "");
  return false;
}

static bool parse_axis_kind(parser *p, ir_axis *axis) {
  loc at = parse_here(p);
  axis->parallel = parse_accept_word(p, "parallel");
  if (!axis->parallel) parse_accept_word(p, "sequential");
  if (!axis->parallel || !axis->bound) return true;
  return diag_report(p->diags, DIAG_dynamic_parallel, at, STR_FMT(axis->name)), false;
}

static bool parse_axis(parser *p, axis_list *out) {
  const token *t = parse_name(p, "an axis name");
  if (!t || !parse_expect(p, SIGN_COLON)) return false;
  ir_axis axis = {.name = parse_text(p, t), .loc = parse_loc(p, t)};
  if (!parse_extent(p, &axis) || !parse_axis_kind(p, &axis)) return false;
  if (out->count == IR_MAX_AXES) {
    diag_report(p->diags, DIAG_text_limit, axis.loc, "grid axes", (unsigned long long)out->count + 1,
                (unsigned long long)IR_MAX_AXES);
    return false;
  }
  axis.index = ir_free_value(&p->b, ir_tile_type(IR_I32, NULL), axis.name);
  VEC_PUSH(p->arena, out, axis);
  return scope_add(p, axis.name, axis.loc, operand_value(axis.index, axis.loc));
}

static bool parse_grid(parser *p, axis_list *axes) {
  const token *t = parse_take(p);
  if (axes->count > 0) return diag_report(p->diags, DIAG_two_grids, parse_loc(p, t)), false;
  do {
    if (!parse_axis(p, axes)) return false;
  } while (parse_accept(p, SIGN_COMMA));
  return true;
}

static bool unknown_param(parser *p, const token *t) {
  kiln_str *names = ARENA_ARRAY(p->scratch, kiln_str, p->kernel->param_count + 1);
  for (uint32_t i = 0; i < p->kernel->param_count; i++) names[i] = p->kernel->params[i].name;
  diag_report_with(p->diags, DIAG_unknown_param, parse_loc(p, t),
                   &(diag_extra){.hint = parse_guess(p, parse_text(p, t), names, p->kernel->param_count)},
                   STR_FMT(parse_text(p, t)), "a parameter");
  return false;
}

/* dim, _, or element dim */
static bool parse_block_dim(parser *p, ir_block *block) {
  uint32_t i = block->size.rank;
  if (i == KILN_MAX_RANK) return parse_expected(p, "at most 8 dimensions");
  bool squeezed = parse_accept_word(p, "_");
  bool element = !squeezed && parse_accept_word(p, "element");
  ir_dim d = squeezed ? ir_dim_const(p->module, 1) : parse_dim(p);
  if (!d) return false;
  block->squeezed |= (uint32_t)squeezed << i;
  block->element |= (uint32_t)element << i;
  block->size.dims[block->size.rank++] = d;
  return true;
}

/* (dim, _, element dim) */
static bool parse_block_shape(parser *p, ir_block *block) {
  if (!parse_expect(p, SIGN_PAREN)) return false;
  if (parse_accept(p, SIGN_PAREN_END)) return true;
  do {
    if (!parse_block_dim(p, block)) return false;
  } while (parse_accept(p, SIGN_COMMA));
  return parse_expect(p, SIGN_PAREN_END);
}

static bool yield_indices(parser *p, const operand_list *indices) {
  ir_value **values = ARENA_ARRAY(p->scratch, ir_value *, indices->count + 1);
  for (size_t i = 0; i < indices->count; i++) {
    values[i] = parse_scalar(p, &indices->data[i], IR_I32, "a block index");
    if (!values[i]) return false;
  }
  ir_yield(&p->b, values, (uint32_t)indices->count);
  return true;
}

/* (expr, ..) or, as printed when an index takes several steps, { let .. yield expr, .. } */
static bool parse_map_body(parser *p, uint32_t rank) {
  operand_list indices = {0};
  uint32_t open = p->at;
  bool braces = parse_is_sign(p, SIGN_BRACE);
  if (braces) {
    parse_take(p);
    if (!parse_statements(p, open) || !(parse_accept_word(p, "yield") || parse_expected(p, "`yield`"))) return false;
  } else if (!parse_expect(p, SIGN_PAREN)) {
    return false;
  }
  if (!parse_is_sign(p, SIGN_PAREN_END) && !parse_exprs(p, &indices)) return false;
  if (indices.count != rank) {
    diag_report(p->diags, DIAG_block_rank, parse_loc(p, &p->tokens[open]), (long long)rank, "block indices",
                (long long)indices.count);
    return false;
  }
  return parse_expect(p, braces ? SIGN_BRACE_END : SIGN_PAREN_END) && yield_indices(p, &indices);
}

static bool parse_index_map(parser *p, ir_block *block) {
  ir_builder outer = p->b;
  uint32_t open = p->at;
  p->b.region = block->map = ir_region_new(&p->b, NULL);
  scope_open(p);
  bool ok = parse_map_body(p, block->size.rank);
  scope_close(p);
  p->b = outer;
  if (!ok && p->tokens[open].match > open) p->at = p->tokens[open].match + 1;
  return ok;
}

/* From here on the parameter's name means its block. */
static void rebind(parser *p, const ir_block *block) {
  binding *b = (binding *)scope_find(p, block->ref->name);
  b->operand = operand_value(block->ref, block->loc);
}

static bool parse_block_header(parser *p, block_list *blocks) {
  parse_take(p);
  const token *t = parse_take(p);
  int32_t param = find_param(p->kernel, parse_text(p, t));
  ir_block block = {.param = (uint32_t)param, .loc = parse_loc(p, t)};
  if (param < 0) return unknown_param(p, t);
  for (size_t i = 0; i < blocks->count; i++) {
    if (blocks->data[i].param == block.param)
      return diag_report(p->diags, DIAG_two_blocks, block.loc, STR_FMT(parse_text(p, t))), false;
  }
  const ir_type *whole = &p->kernel->params[param].ref->type;
  if (!parse_block_shape(p, &block)) return false;
  if (block.size.rank != whole->shape.rank) {
    diag_report(p->diags, DIAG_block_rank, block.loc, (long long)whole->shape.rank, "block sizes",
                (long long)block.size.rank);
    return false;
  }
  if (!(parse_accept_word(p, "at") || parse_expected(p, "`at`")) || !parse_index_map(p, &block)) return false;
  ir_type type = {.kind = IR_REF, .dtype = whole->dtype, .space = whole->space};
  for (uint32_t i = 0; i < block.size.rank; i++) {
    if (!(block.squeezed >> i & 1)) type.shape.dims[type.shape.rank++] = block.size.dims[i];
  }
  block.ref = ir_free_value(&p->b, type, p->kernel->params[param].name);
  VEC_PUSH(p->arena, blocks, block);
  rebind(p, &block);
  return true;
}

static bool parse_machine(parser *p) {
  const token *first = parse_take(p), *t = parse_take(p);
  if (p->kernel->machine != IR_MACHINE_ANY) return diag_report(p->diags, DIAG_two_machines, parse_loc(p, first)), false;
  if (ir_machine_find(parse_text(p, t), &p->kernel->machine)) return true;
  diag_report(p->diags, DIAG_unknown_machine, parse_loc(p, t), STR_FMT(parse_text(p, t)));
  return false;
}

static bool parse_header(parser *p, axis_list *axes, block_list *blocks) {
  ir_team_level level;
  if (parse_at_team(p, &level)) return parse_team(p, level);
  if (parse_is_word(p, "grid")) return parse_grid(p, axes);
  return parse_is_word(p, "block") ? parse_block_header(p, blocks) : parse_machine(p);
}

bool parse_at_header(const parser *p) {
  ir_team_level level;
  return parse_word_then(p, "grid", TOKEN_NAME) || parse_word_then(p, "block", TOKEN_NAME) ||
         parse_word_then(p, "machine", TOKEN_NAME) || parse_at_team(p, &level);
}

static bool parse_headers(parser *p, ir_kernel *k, uint32_t end) {
  axis_list axes = {0};
  block_list blocks = {0};
  bool ok = true;
  while (parse_at_header(p) && !parse_stopped(p)) {
    uint32_t start = p->at;
    if (parse_header(p, &axes, &blocks)) continue;
    ok = false;
    if (p->at == start) parse_take(p);
    while (p->at < end && !parse_peek(p, 0)->first) parse_take(p);
  }
  k->axes = axes.data;
  k->axis_count = (uint32_t)axes.count;
  k->blocks = blocks.data;
  k->block_count = (uint32_t)blocks.count;
  return ok;
}

/* ---- kernels ---- */

static bool parse_kernel_body(parser *p, ir_kernel *k) {
  uint32_t open = p->at;
  if (!parse_expect(p, SIGN_BRACE)) return false;
  uint32_t end = p->tokens[open].match;
  bool ok = parse_headers(p, k, end);
  scope_open(p);
  p->b.region = k->body = ir_region_new(&p->b, NULL);
  ok = parse_statements(p, open) && ok;
  scope_close(p);
  if (p->at < end && !parse_stopped(p)) ok = parse_expected(p, "a statement");
  p->at = end + 1;
  return ok;
}

/* The `//` lines that stand directly above the kernel. */
static kiln_str comment_above(kiln_str all, size_t offset) {
  size_t end = offset, start = offset;
  while (start > 0 && all.data[start - 1] != '\n') start--;
  for (end = start; start > 0;) {
    size_t line = start - 1;
    while (line > 0 && all.data[line - 1] != '\n') line--;
    if (all.size - line < 2 || all.data[line] != '/' || all.data[line + 1] != '/') break;
    start = line;
  }
  return (kiln_str){all.data + start, end - start};
}

static bool parse_kernel_head(parser *p, ir_kernel *k) {
  const token *t = parse_name(p, "the kernel's name");
  if (!t) return false;
  k->name = parse_text(p, t);
  k->loc = parse_loc(p, t);
  return parse_params(p, k);
}

void parse_begin_kernel(parser *p, ir_kernel *k) {
  *k = (ir_kernel){.module = p->module};
  p->kernel = k;
  p->b = (ir_builder){.module = p->module, .kernel = k, .diags = p->diags};
  p->symbols.data = NULL;
  p->symbols.count = p->symbols.capacity = 0;
}

bool parse_kernel(parser *p) {
  const token *t = parse_take(p);
  ir_kernel *k = ARENA_NEW(p->arena, ir_kernel);
  parse_begin_kernel(p, k);
  k->comment = comment_above(p->module->source.text, t->offset);
  scope_open(p);
  bool ok = parse_kernel_head(p, k);
  ok = ok && parse_kernel_body(p, k);
  while (p->level > 0) scope_close(p);
  p->kernel = NULL;
  if (ok) VEC_PUSH(p->arena, &p->kernels, k);
  return ok;
}

/* ---- modules ---- */

static bool parse_top(parser *p, kiln_str *name, loc *at) {
  parse_take(p);
  const token *t = parse_name(p, "a name");
  if (!t) return false;
  *name = parse_text(p, t);
  *at = parse_loc(p, t);
  return parse_is_sign(p, SIGN_PAREN) || parse_expected(p, "`(`");
}

static bool add_func(parser *p, kiln_str name, loc at) {
  func *f = ARENA_NEW(p->scratch, func);
  ir_code code;
  *f = (func){.name = name, .params = p->at};
  p->at = parse_peek(p, 0)->match + 1;
  f->body = p->at;
  if (!parse_is_sign(p, SIGN_BRACE)) return parse_expected(p, "`{`");
  p->at = parse_peek(p, 0)->match + 1;
  if (map_has(&p->funcs, name) || ir_op_find(name, 0, &code))
    return diag_report(p->diags, DIAG_duplicate_func, at, STR_FMT(name)), false;
  map_put(&p->funcs, name, f);
  return true;
}

/* Steps over the head to the body. */
static bool skip_params(parser *p) {
  p->at = parse_peek(p, 0)->match + 1;
  if (parse_is_sign(p, SIGN_ARROW)) {
    p->at++;
    if (!parse_is_sign(p, SIGN_PAREN)) return parse_expected(p, "`(`");
    p->at = parse_peek(p, 0)->match + 1;
  }
  return parse_is_sign(p, SIGN_BRACE) || parse_expected(p, "`{`");
}

static bool add_kernel(parser *p, map *seen, kiln_str name, loc at) {
  if (!skip_params(p)) return false;
  p->at = parse_peek(p, 0)->match + 1;
  if (map_has(seen, name)) return diag_report(p->diags, DIAG_duplicate_func, at, STR_FMT(name)), false;
  map_put(seen, name, p);
  return true;
}

typedef VEC(uint32_t) token_starts;

/* First the heads alone: a func may be used above its definition. Leaves the kernels' positions in `starts`. */
static bool find_tops(parser *p, token_starts *starts) {
  map seen = map_new(p->scratch);
  bool ok = true;
  while (p->at < p->token_count && !parse_stopped(p)) {
    uint32_t start = p->at;
    kiln_str name;
    loc at;
    bool is_kernel = parse_is_word(p, "kernel"), is_func = parse_is_word(p, "func");
    bool good = is_kernel || is_func || parse_expected(p, "`kernel` or `func`");
    good = good && parse_top(p, &name, &at) && (is_func ? add_func(p, name, at) : add_kernel(p, &seen, name, at));
    if (good && is_kernel) VEC_PUSH(p->scratch, starts, start);
    ok = ok && good;
    if (good) continue;
    if (p->at == start) p->at++;
    while (p->at < p->token_count &&
           !(parse_peek(p, 0)->first && (parse_is_word(p, "kernel") || parse_is_word(p, "func"))))
      p->at++;
  }
  return ok;
}

static bool parse_all_uncalled(parser *p) {
  bool ok = true;
  for (size_t i = 0; i < p->funcs.count && !parse_stopped(p); i++) {
    func *f = p->funcs.entries[i].value;
    if (!f->called && !parse_uncalled(p, f)) ok = false;
  }
  return ok;
}

static bool parse_module(parser *p) {
  token_starts starts = {0};
  bool ok = find_tops(p, &starts);
  for (size_t i = 0; i < starts.count && !parse_stopped(p); i++) {
    p->at = starts.data[i];
    ok = parse_kernel(p) && ok;
  }
  ok = ok && parse_all_uncalled(p);
  if (ok && starts.count == 0) return diag_report(p->diags, DIAG_no_kernel, (loc){&p->module->source, 0, 0}), false;
  return ok && !parse_stopped(p);
}

static bool parse_source(ir_module *m) {
  parser p = {.module = m, .arena = &m->arena, .scratch = &m->scratch, .diags = m->context->diags};
  token_list tokens;
  p.errors_before = diag_sink_errors(p.diags);
  p.names = map_new(p.scratch);
  p.funcs = map_new(p.scratch);
  if (!lex(p.scratch, &m->source, p.diags, &tokens)) return false;
  lex_origins(p.arena, &m->source, &tokens);
  p.tokens = tokens.at;
  p.token_count = tokens.count;
  bool ok = parse_module(&p);
  if (diag_sink_errors(p.diags) - p.errors_before >= IR_MAX_ERRORS)
    diag_report(p.diags, DIAG_too_many_mistakes, (loc){0}, IR_MAX_ERRORS);
  m->kernels = p.kernels.data;
  m->kernel_count = (uint32_t)p.kernels.count;
  return ok;
}

kiln_result ir_parse(kiln_context *context, kiln_str text_bytes, kiln_str name, ir_module **out) {
  jmp_buf guard;
  ir_module *m = ir_module_create(context);
  *out = NULL;
  if (!m) return ir_out_of_memory(context);
  if (!ARENA_GUARD(&m->arena, guard)) return ir_module_destroy(m), ir_out_of_memory(context);
  m->scratch.guard = m->arena.guard;
  m->source = (source){.name = str_copy(&m->arena, name.size ? name : STR("<kernel>")),
                       .text = str_copy(&m->arena, text_bytes)};
  bool ok = parse_source(m);
  arena_finish(&m->scratch);
  m->arena.guard = NULL;
  if (ok) return *out = m, KILN_OK;
  ir_module_destroy(m);
  return KILN_ERROR_INVALID;
}
