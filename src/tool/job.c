/* From NAME=DATA to arrays. Files come first: with --set they tell the symbolic sizes, generated data and outputs
 * follow. */
#include "tool/job.h"

#include <string.h>

#include "base/file.h"
#include "base/npy.h"
#include "model/alloc.h"
#include "tool/generate.h"
#include "tool/number.h"
#include "tool/output.h"

#define ARRAY_MOST ((size_t)16 << 30) /* bytes of one array */

_Static_assert(NPY_MAX_RANK == KILN_MAX_RANK, "what .npy files may have, kernels may have");

static argument *find_argument(job *j, kiln_str name) {
  for (size_t i = 0; i < j->count; i++)
    if (str_equal(j->arguments[i].param.name, name)) return &j->arguments[i];
  return NULL;
}

static kiln_result refuse_name(job *j, kiln_str name) {
  tool *t = j->tool;
  kiln_str *names = ARENA_ARRAY(&t->arena, kiln_str, j->count);
  for (size_t i = 0; i < j->count; i++) names[i] = j->arguments[i].param.name;
  const char *near = suggest(&t->arena, name, names, j->count);
  TOOL_REPORT(t, DIAG_unknown_parameter, near, STR_FMT(j->subject.kernel->name), STR_FMT(name));
  return KILN_ERROR_INVALID;
}

/* Splits NAME=REST and finds the parameter. */
static kiln_result find_named(job *j, const char *written, argument **out, const char **rest) {
  const char *equals = strchr(written, '=');
  if (!equals) {
    TOOL_REPORT(j->tool, DIAG_not_named, NULL, written);
    return KILN_ERROR_INVALID;
  }
  kiln_str name = {written, (size_t)(equals - written)};
  *rest = equals + 1;
  *out = find_argument(j, name);
  return *out ? KILN_OK : refuse_name(j, name);
}

static kiln_result refuse_argument(job *j, const argument *a, diag_id why) {
  TOOL_REPORT(j->tool, why, NULL, STR_FMT(a->param.name));
  return KILN_ERROR_INVALID;
}

static kiln_result read_operand(job *j, const char *written) {
  argument *a;
  const char *data;
  kiln_result result = find_named(j, written, &a, &data);
  if (result != KILN_OK) return result;
  if (a->param.direction == KILN_OUT) return refuse_argument(j, a, DIAG_data_for_output);
  if (a->data) return refuse_argument(j, a, DIAG_data_twice);
  a->data = data;
  return KILN_OK;
}

static kiln_result read_output(job *j, const char *written) {
  argument *a;
  const char *path;
  kiln_result result = find_named(j, written, &a, &path);
  if (result != KILN_OK) return result;
  if (a->param.direction == KILN_IN) return refuse_argument(j, a, DIAG_output_of_input);
  if (a->saved) return refuse_argument(j, a, DIAG_output_twice);
  a->saved = path;
  return output_check_path(j->tool, a, path);
}

static kiln_result read_names(job *j, missing_data missing) {
  tool *t = j->tool;
  kiln_result result = KILN_OK;
  for (size_t i = 1; i < t->operands.count && result == KILN_OK; i++) result = read_operand(j, t->operands.data[i]);
  for (size_t i = 0; i < t->options.count && result == KILN_OK; i++)
    if (strcmp(t->options.data[i].option->name, "--output") == 0) result = read_output(j, t->options.data[i].value);
  for (size_t i = 0; i < j->count && result == KILN_OK; i++) {
    argument *a = &j->arguments[i];
    if (a->data || a->param.direction == KILN_OUT) continue;
    if (missing == MISSING_REFUSED) return refuse_argument(j, a, DIAG_data_missing);
    a->data = dtype_is_float(a->param.dtype) ? "random:0" : "zeros";
  }
  return result;
}

/* ---- files ---- */

/* What a file holds, as far as its descriptor tells. */
static const char *held(const char *descr) {
  const char *name = NULL;
  for (int i = 0; i < IR_DTYPE_COUNT; i++) {
    if (strcmp(ir_dtype_get((ir_dtype)i)->npy, descr) != 0) continue;
    if (name) return "a type of ml_dtypes of one byte";
    name = ir_dtype_get((ir_dtype)i)->name;
  }
  return name ? name : descr;
}

static kiln_result check_file(job *j, const argument *a, const npy *header) {
  const ir_dtype_info *wanted = ir_dtype_get((ir_dtype)a->param.dtype);
  if (strcmp(header->descr, wanted->npy) != 0) {
    TOOL_REPORT(j->tool, DIAG_data_type, NULL, a->data, held(header->descr), STR_FMT(a->param.name), wanted->name);
    return KILN_ERROR_INVALID;
  }
  if (header->rank == a->param.rank) return KILN_OK;
  TOOL_REPORT(j->tool, DIAG_data_rank, NULL, a->data, header->rank, STR_FMT(a->param.name), a->param.rank);
  return KILN_ERROR_INVALID;
}

/* Bytes for an array whose size is set; an empty array keeps NULL. */
static kiln_result make_room(job *j, kiln_array *array) {
  if (array->size > ARRAY_MOST) {
    size_t which = (size_t)(array - j->arrays);
    TOOL_REPORT(j->tool, DIAG_argument_too_big, NULL, STR_FMT(j->arguments[which].param.name),
                (unsigned long long)array->size, (unsigned long long)ARRAY_MOST);
    return KILN_ERROR_LIMIT;
  }
  array->data = mem_alloc(j->tool->context->mem, array->size);
  return array->data || array->size == 0 ? KILN_OK : tool_out_of_memory(j->tool);
}

static kiln_result read_array(job *j, const argument *a, const file_bytes *bytes, kiln_array *out) {
  npy header;
  kiln_result result = npy_parse(j->tool->context->diags, str_from(a->data), bytes->data, bytes->size, &header);
  if (result == KILN_OK) result = check_file(j, a, &header);
  if (result != KILN_OK) return result;
  *out = (kiln_array){.dtype = a->param.dtype, .rank = header.rank, .size = header.count * header.item_size};
  memcpy(out->dims, header.dims, sizeof header.dims);
  result = make_room(j, out);
  if (result == KILN_OK) npy_copy(&header, bytes->data, out->data);
  return result;
}

static kiln_result load_file(job *j, const argument *a, kiln_array *out) {
  file_bytes bytes;
  mem m = j->tool->context->mem;
  kiln_result result = file_read(m, j->tool->context->diags, a->data, ARRAY_MOST, &bytes);
  if (result != KILN_OK) return result;
  result = read_array(j, a, &bytes, out);
  file_free(m, &bytes);
  return result;
}

/* ---- sizes of generated data ---- */

typedef struct known_sizes {
  const ir_kernel *kernel;
  int64_t *values;
  bool *known;
} known_sizes;

static void learn(known_sizes *sizes, kiln_str symbol, int64_t value) {
  for (uint32_t i = 0; i < sizes->kernel->symbol_count; i++) {
    if (sizes->known[i] || !str_equal(sizes->kernel->symbols[i], symbol)) continue;
    sizes->known[i] = true;
    sizes->values[i] = value;
  }
}

/* From --set, then from the files' dimensions that are a bare symbol. What else they tell is for ir_solve_sizes. */
static known_sizes learn_sizes(job *j) {
  const ir_kernel *kernel = j->subject.kernel;
  arena *a = &j->tool->arena;
  known_sizes sizes = {kernel, ARENA_ARRAY(a, int64_t, kernel->symbol_count),
                       ARENA_ARRAY(a, bool, kernel->symbol_count)};
  for (size_t i = 0; i < j->subject.size_count; i++) learn(&sizes, j->subject.sizes[i].name, j->subject.sizes[i].value);
  for (size_t i = 0; i < j->count; i++) {
    const ir_shape *shape = &kernel->params[i].ref->type.shape;
    for (uint32_t d = 0; d < j->arrays[i].rank; d++)
      if (shape->dims[d]->op == IR_DIM_SYMBOL) learn(&sizes, shape->dims[d]->symbol, j->arrays[i].dims[d]);
  }
  return sizes;
}

static bool is_known(const known_sizes *sizes, ir_dim d) {
  if (d->op == IR_DIM_CONST) return true;
  if (d->op != IR_DIM_SYMBOL) return is_known(sizes, d->a) && is_known(sizes, d->b);
  for (uint32_t i = 0; i < sizes->kernel->symbol_count; i++)
    if (str_equal(sizes->kernel->symbols[i], d->symbol)) return sizes->known[i];
  return false;
}

static kiln_result refuse_dimension(job *j, const argument *a, uint32_t d, const char *hint) {
  TOOL_REPORT(j->tool, DIAG_data_size_unknown, hint, STR_FMT(a->param.dim_text[d]), STR_FMT(a->param.name));
  return KILN_ERROR_INVALID;
}

static kiln_result shape_generated(job *j, size_t index, const known_sizes *sizes) {
  const argument *a = &j->arguments[index];
  kiln_array *array = &j->arrays[index];
  const ir_shape *shape = &sizes->kernel->params[index].ref->type.shape;
  int64_t bytes = (int64_t)kiln_dtype_size(a->param.dtype);
  *array = (kiln_array){.dtype = a->param.dtype, .rank = a->param.rank};
  for (uint32_t d = 0; d < array->rank; d++) {
    ir_dim dim = shape->dims[d];
    if (!is_known(sizes, dim)) return refuse_dimension(j, a, d, NULL);
    if (!ir_dim_eval(dim, sizes->kernel, sizes->values, &array->dims[d]) || array->dims[d] < 0 ||
        !i64_mul(bytes, array->dims[d], &bytes))
      return refuse_dimension(j, a, d, "the sizes given make it overflow, negative, or not divide evenly");
  }
  array->size = (size_t)bytes;
  return KILN_OK;
}

static kiln_result fill_generated(job *j, const known_sizes *sizes) {
  for (size_t i = 0; i < j->count; i++) {
    generator g;
    if (!j->arguments[i].data || generator_find(str_from(j->arguments[i].data), &g) != GENERATOR_YES) continue;
    kiln_result result = shape_generated(j, i, sizes);
    if (result == KILN_OK) result = make_room(j, &j->arrays[i]);
    if (result != KILN_OK) return result;
    generate(&g, &j->arrays[i]);
  }
  return KILN_OK;
}

static kiln_result load_files(job *j) {
  for (size_t i = 0; i < j->count; i++) {
    const argument *a = &j->arguments[i];
    generator g;
    generator_match match = a->data ? generator_find(str_from(a->data), &g) : GENERATOR_YES;
    if (match == GENERATOR_YES) continue;
    if (match == GENERATOR_BAD_SEED) {
      TOOL_REPORT(j->tool, DIAG_bad_seed, NULL, STR_FMT(a->param.name), a->data);
      return KILN_ERROR_INVALID;
    }
    kiln_result result = load_file(j, a, &j->arrays[i]);
    if (result != KILN_OK) return result;
  }
  return KILN_OK;
}

/* Outputs start as what reads outside an array give, so that a part that the kernel never writes is seen. */
static kiln_result make_outputs(job *j) {
  const subject *s = &j->subject;
  kiln_context *context = j->tool->context;
  kiln_result result = kiln_kernel_shapes(context, s->kernel, s->sizes, s->size_count, j->arrays, j->count);
  if (result == KILN_OK)
    result = ir_solve_sizes(context, s->kernel, s->sizes, s->size_count, j->arrays, j->count, j->size_values);
  for (size_t i = 0; i < j->count && result == KILN_OK; i++) {
    kiln_array *array = &j->arrays[i];
    if (j->arguments[i].param.direction != KILN_OUT) continue;
    result = make_room(j, array);
    if (result == KILN_OK) alloc_poison_fill(array->data, array->size, (ir_dtype)array->dtype, ALLOC_FILL);
  }
  return result;
}

kiln_result job_open(tool *t, missing_data missing, job *out) {
  *out = (job){.tool = t};
  kiln_result result = subject_open(t, &out->subject);
  if (result != KILN_OK) return result;
  out->count = kiln_kernel_param_count(out->subject.kernel);
  out->arguments = ARENA_ARRAY(&t->arena, argument, out->count);
  out->arrays = ARENA_ARRAY(&t->arena, kiln_array, out->count);
  out->size_values = ARENA_ARRAY(&t->arena, int64_t, out->subject.kernel->symbol_count);
  for (size_t i = 0; i < out->count; i++) kiln_kernel_param(out->subject.kernel, i, &out->arguments[i].param);
  result = read_names(out, missing);
  if (result == KILN_OK) result = load_files(out);
  if (result != KILN_OK) return result;
  known_sizes sizes = learn_sizes(out);
  result = fill_generated(out, &sizes);
  return result == KILN_OK ? make_outputs(out) : result;
}

void job_free_arrays(job *j, kiln_array *arrays) {
  for (size_t i = 0; arrays && i < j->count; i++) {
    mem_free(j->tool->context->mem, arrays[i].data, arrays[i].size);
    arrays[i].data = NULL;
  }
}

void job_close(job *j) {
  job_free_arrays(j, j->arrays);
  subject_close(&j->subject);
}

kiln_array *job_copy_arrays(job *j) {
  kiln_array *arrays = ARENA_ARRAY(&j->tool->arena, kiln_array, j->count);
  for (size_t i = 0; i < j->count; i++) {
    arrays[i] = j->arrays[i];
    arrays[i].data = mem_alloc(j->tool->context->mem, arrays[i].size);
    if (arrays[i].data) {
      memcpy(arrays[i].data, j->arrays[i].data, arrays[i].size);
    } else if (arrays[i].size > 0) {
      tool_out_of_memory(j->tool);
      job_free_arrays(j, arrays);
      return NULL;
    }
  }
  return arrays;
}

kiln_result job_save(job *j) {
  kiln_result result = KILN_OK;
  for (size_t i = 0; i < j->count; i++) {
    argument *a = &j->arguments[i];
    if (a->saved && result == KILN_OK) result = output_save(j->tool, a, &j->arrays[i]);
    if (result != KILN_OK) a->saved = NULL; /* neither this one nor those after it */
  }
  return result;
}
