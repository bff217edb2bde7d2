/* kiln_compile: bind, run the passes, lower, check; and the program that comes of it. */
#include <string.h>

#include "base/config.h"
#include "base/context.h"
#include "ir/log.h"
#include "pass/math/math.h"
#include "pass/pass.h"
#include "spirv/check.h"
#include "spirv/lower.h"
#include "spirv/profile.h"

struct kiln_program {
  arena arena;
  mem mem;
  kiln_program_info info;
  kiln_str text;
};

/* Everything that must outlive a jump out of the lowering. */
typedef struct compiling {
  kiln_context *context;
  const kiln_compile_desc *desc;
  const source *places; /* the kernel's text */
  ir_module *module;    /* the bound copy */
  arena work;
  spv_lower *low;
  kiln_program *program;
} compiling;

/* ---- what the profile must allow ---- */

static uint64_t bytes_of(const ir_param *param) {
  uint64_t bytes = (uint64_t)ir_param_bytes(param);
  return bytes < 16 ? 16 : (bytes + 15) / 16 * 16;
}

static bool check_params(const compiling *c, const ir_kernel *kernel, const kiln_profile *profile) {
  diag_sink *diags = c->context->diags;
  if (kernel->param_count > profile->max_bindings) {
    diag_report(diags, DIAG_spirv_too_many_params, kernel->loc, (unsigned long long)kernel->param_count,
                (unsigned long long)profile->max_bindings);
    return false;
  }
  for (uint32_t i = 0; i < kernel->param_count; i++) {
    uint64_t bytes = bytes_of(&kernel->params[i]);
    if (bytes <= profile->max_buffer_range) continue;
    diag_report(diags, DIAG_spirv_param_too_large, kernel->params[i].loc, STR_FMT(kernel->params[i].name),
                (unsigned long long)bytes, (unsigned long long)profile->max_buffer_range);
    return false;
  }
  return true;
}

static bool check_values(const compiling *c, const spv_entry_info *entry, const kiln_profile *profile) {
  if (entry->values_held <= profile->max_values) return true; /* both are 0 where there is no limit */
  const ir_kernel *kernel = c->module->kernels[0];
  diag_report(c->context->diags, DIAG_spirv_too_many_values, kernel->loc, STR_FMT(kernel->name),
              (unsigned long long)entry->values_held, (unsigned long long)profile->max_values);
  return false;
}

typedef struct width_check {
  diag_sink *diags;
  const kiln_profile *profile;
  kiln_program_info *info;
  bool fine;
} width_check;

static void check_dtype(width_check *w, ir_dtype dtype, loc at) {
  if (ir_dtype_get(dtype)->bits < 64) return;
  bool is_float = dtype == IR_F64, has = is_float ? w->profile->f64 : w->profile->i64;
  *(is_float ? &w->info->needs_f64 : &w->info->needs_i64) = true;
  if (!has && w->fine) diag_report(w->diags, DIAG_spirv_no_64_bit, at, ir_dtype_get(dtype)->name);
  w->fine &= has;
}

static void check_atomic(width_check *w, const ir_op *op) {
  if (ir_dtype_get(op->results[0]->type.dtype)->bits < 64) return;
  const bool has = w->profile->i64_atomics;
  check_dtype(w, IR_I64, op->loc);
  w->info->needs_i64_atomics = true;
  if (!has && w->fine) diag_report(w->diags, DIAG_spirv_no_64_bit, op->loc, "64-bit atomics");
  w->fine &= has;
}

static bool check_op(void *user, ir_op *op) {
  width_check *w = user;
  for (uint32_t i = 0; i < op->result_count; i++) {
    const ir_type *type = &op->results[i]->type;
    if (type->kind == IR_TILE) check_dtype(w, type->dtype, op->loc);
    if (type->dtype == IR_F64 && math_has(op->code)) check_dtype(w, IR_I64, op->loc);
  }
  if (op->code == IR_atomic) check_atomic(w, op);
  return true;
}

/* ---- stages ---- */

/* Whole vectors, and a spare one where writes out of range have to go somewhere. */
static void bind_param(const spv_lower *low, uint32_t index, kiln_binding *out) {
  const spv_memory *memory = &low->memories.data[index];
  const ir_param *param = &low->kernel->params[index];
  uint64_t bytes = bytes_of(param) + (memory->uses_spare ? 16 : 0);
  const bool log = low->kernel->log && low->kernel->log->param == index;
  *out = (kiln_binding){log ? KILN_BINDING_LOG : KILN_BINDING_PARAM, index, bytes, memory->written, param->layout};
}

static spv_entry_info write_module(compiling *c, const kiln_profile *profile, bool one_copy) {
  const ir_kernel *kernel = c->module->kernels[0];
  spv_lower *low = c->low = ARENA_NEW(&c->work, spv_lower);
  *low = (spv_lower){.arena = &c->work, .diags = c->context->diags, .profile = *profile, .one_copy = one_copy};
  low->lanes = profile->subgroup_size;
  low->lane_bits = layout_axis_bits(low->lanes);
  low->kernel = kernel;
  low->homes = ARENA_ARRAY(&c->work, spv_home, kernel->value_count + 1);
  low->memory_of = ARENA_ARRAY(&c->work, uint32_t, kernel->value_count + 1);
  low->singles = ARENA_ARRAY(&c->work, spv_id, kernel->param_count + 1);
  low->pairs = ARENA_ARRAY(&c->work, spv_id, kernel->param_count + 1);
  low->seen = ARENA_ARRAY(&c->work, uint32_t, kernel->value_count + 1);
  spv_module_init(&low->module, &c->work, !c->desc->no_debug_info);
  spv_code_init(&low->code, &low->module);
  return spv_lower_kernel(low);
}

/* Interior blocks have a copy of the body when masks would make theirs longer by a sixteenth, unless it is large:
 * compilers of CPU drivers take more than twice the time for twice the code. */
static bool wants_copies(const spv_lower *low) {
  size_t both = low->interior_words + low->edge_words;
  return low->edge_words > low->interior_words / 16 * 17 && both <= SPV_COPIED_WORDS;
}

static kiln_result lower(compiling *c, const kiln_profile *profile) {
  kiln_program *program = c->program;
  const ir_kernel *kernel = c->module->kernels[0];
  width_check widths = {c->context->diags, profile, &program->info, true};
  if (!check_params(c, kernel, profile)) return KILN_ERROR_LIMIT;
  ir_walk(kernel->body, check_op, &widths);
  if (!widths.fine) return KILN_ERROR_UNSUPPORTED;
  spv_entry_info entry = write_module(c, profile, false);
  if (c->low->edge_words && !wants_copies(c->low)) entry = write_module(c, profile, true);
  if (!check_values(c, &entry, profile)) return KILN_ERROR_LIMIT;
  const spv_lower *low = c->low;
  size_t bindings = kernel->param_count + (entry.slab_bytes ? 1 : 0);
  kiln_binding *list = ARENA_ARRAY(&program->arena, kiln_binding, bindings + 1);
  for (uint32_t i = 0; i < kernel->param_count; i++) bind_param(low, i, &list[i]);
  if (entry.slab_bytes)
    list[kernel->param_count] = (kiln_binding){KILN_BINDING_SCRATCH, 0, entry.slab_bytes, true, {0}};
  kiln_program_info *info = &program->info;
  info->words = arena_copy(&program->arena, entry.words.data, entry.words.count * sizeof(uint32_t));
  info->word_count = entry.words.count;
  info->bindings = list;
  info->binding_count = bindings;
  info->workgroup_size = entry.workgroup_size;
  info->units_per_workgroup = entry.units_per_workgroup;
  info->unit_count = entry.unit_count;
  info->max_workgroups = entry.max_workgroups;
  info->subgroup_size = low->lanes;
  info->push_constant_size = 8;
  if (kernel->log) info->log = ir_log_copy(&program->arena, kernel->log, c->places);
  info->shared_memory = low->shared_words * 4;
  info->kept_memory = (low->shared_words - low->placed_words) * 4;
  return KILN_OK;
}

static kiln_result check(compiling *c) {
  if (!c->desc->validate && !config_checks(2, c->context->diags)) return KILN_OK;
  kiln_str message;
  if (spv_check(&c->work, c->program->info.words, c->program->info.word_count, &message)) return KILN_OK;
  const ir_kernel *kernel = c->module->kernels[0];
  diag_report(c->context->diags, DIAG_spirv_invalid, kernel->loc, STR_FMT(kernel->name), STR_FMT(message));
  return KILN_ERROR_INVALID;
}

static kiln_result run(compiling *c, const ir_kernel *kernel) {
  kiln_profile profile = spv_profile_resolve(&c->desc->profile);
  kiln_result result = ir_bind(c->context, kernel, c->desc->sizes, c->desc->size_count, NULL, 0, &c->module);
  if (result) return result;
  const pass_target target = pass_device_target(&profile, c->desc->units);
  jmp_buf out;
  c->program->arena.guard = &out;
  c->work.guard = &out;
  c->module->arena.guard = &out;
  if (setjmp(out)) {
    if (c->low && c->low->failure) return c->low->failure;
    diag_report(c->context->diags, DIAG_out_of_memory, (loc){0});
    return KILN_ERROR_MEMORY;
  }
  result = pass_run(c->module->kernels[0], &target, c->context->diags, PASS_COUNT, NULL, NULL);
  if (result) return result;
  result = lower(c, &profile);
  return result ? result : check(c);
}

kiln_result kiln_compile(kiln_context *context, const kiln_kernel *kernel, const kiln_compile_desc *desc,
                         kiln_program **out) {
  *out = NULL;
  compiling c = {.context = context, .desc = desc, .places = &kernel->module->source};
  c.program = mem_calloc(context->mem, 1, sizeof *c.program);
  if (!c.program) {
    diag_report(context->diags, DIAG_out_of_memory, (loc){0});
    return KILN_ERROR_MEMORY;
  }
  c.program->mem = context->mem;
  arena_init(&c.program->arena, context->mem, 0);
  arena_init(&c.work, context->mem, 0);
  kiln_result result = run(&c, kernel);
  arena_finish(&c.work);
  if (c.module) ir_module_destroy(c.module);
  if (result)
    kiln_program_destroy(c.program);
  else
    *out = c.program;
  return result;
}

/* ---- the program ---- */

const kiln_program_info *kiln_program_get(const kiln_program *program) { return &program->info; }

kiln_str kiln_program_text(kiln_program *program) {
  jmp_buf out;
  if (!ARENA_GUARD(&program->arena, out)) return (kiln_str){0};
  if (!program->text.data)
    program->text = spv_disassemble(&program->arena, program->info.words, program->info.word_count);
  return program->text;
}

void kiln_program_destroy(kiln_program *program) {
  if (!program) return;
  mem m = program->mem;
  arena_finish(&program->arena);
  mem_free(m, program, sizeof *program);
}
