/* Saving and summarising outputs. */
#include "tool/output.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/npy.h"
#include "tool/number.h"

#define FIRST_VALUES 8 /* that a summary shows */

static bool is_png(const char *path) {
  size_t length = strlen(path);
  return length > 4 && strcmp(path + length - 4, ".png") == 0;
}

/* u8[H, W] and u8[H, W, 3] are pictures; whether a symbolic last dimension is 3 shows later. */
static bool may_be_picture(const kiln_param *p) {
  if (p->dtype != KILN_U8) return false;
  return p->rank == 2 || (p->rank == 3 && (p->dims[2] == 3 || p->dims[2] == 1 || p->dims[2] < 0));
}

static kiln_result refuse_picture(tool *t, const argument *a) {
  TOOL_REPORT(t, DIAG_no_picture, NULL, STR_FMT(a->param.name));
  return KILN_ERROR_INVALID;
}

kiln_result output_check_path(tool *t, const argument *a, const char *path) {
  if (!is_png(path)) return KILN_OK;
#ifndef KILN_PNG
  TOOL_REPORT(t, DIAG_no_png, NULL, path);
  return KILN_ERROR_UNSUPPORTED;
#endif
  return may_be_picture(&a->param) ? KILN_OK : refuse_picture(t, a);
}

static kiln_result save_picture(tool *t, const argument *a, const kiln_array *array) {
  size_t channels = array->rank == 2 ? 1 : (size_t)array->dims[2];
  bool sized = array->dims[0] > 0 && array->dims[1] > 0 && array->dims[0] <= INT32_MAX && array->dims[1] <= INT32_MAX;
  if (!sized || (channels != 1 && channels != 3)) return refuse_picture(t, a);
  return png_save(t, a->saved, array->data, (size_t)array->dims[0], (size_t)array->dims[1], channels);
}

kiln_result output_save(tool *t, const argument *a, const kiln_array *array) {
  if (is_png(a->saved)) return save_picture(t, a, array);
  char header[NPY_HEADER_SIZE_WRITTEN];
  const char *descr = ir_dtype_get((ir_dtype)array->dtype)->npy;
  size_t size = npy_header(header, descr, array->rank, array->dims);
  const kiln_str parts[] = {{header, size}, {array->data, array->size}};
  return file_write(t->context->mem, t->context->diags, a->saved, parts, 2);
}

void shape_print(text *t, const kiln_array *array) {
  text_format(t, "%s[", kiln_dtype_name(array->dtype));
  for (uint32_t i = 0; i < array->rank; i++) text_format(t, i > 0 ? ", %lld" : "%lld", (long long)array->dims[i]);
  text_char(t, ']');
}

static void print_values(const kiln_array *array) {
  size_t count = array_count(array);
  for (size_t i = 0; i < count && i < FIRST_VALUES; i++) printf("%s%.6g", i > 0 ? " " : "  [", array_number(array, i));
  if (count > 0) printf("%s]\n", count > FIRST_VALUES ? " ..." : "");
}

void output_print(tool *t, const argument *a, const kiln_array *array) {
  text type = text_new(&t->arena);
  shape_print(&type, array);
  printf("%.*s: %.*s", STR_FMT(a->param.name), STR_FMT(text_str(&type)));
  if (array->size == 0) {
    puts("  empty");
    return;
  }
  summary s = array_summary(array);
  printf("  min %.6g  max %.6g  mean %.6g", s.min, s.max, s.mean);
  if (s.nans > 0) printf("  (%llu NaN)", (unsigned long long)s.nans);
  fputs(a->saved ? "  saved in " : "\n", stdout);
  if (a->saved) printf("%s\n", a->saved);
  print_values(array);
}

void output_json(json *j, const argument *a, const kiln_array *array) {
  char key[256];
  snprintf(key, sizeof key, "%.*s", STR_FMT(a->param.name));
  summary s = array_summary(array);
  json_object(j, key);
  json_text(j, "dtype", kiln_dtype_name(array->dtype));
  json_array(j, "shape");
  for (uint32_t i = 0; i < array->rank; i++) json_i64(j, NULL, array->dims[i]);
  json_array_end(j);
  json_f64(j, "min", s.min);
  json_f64(j, "max", s.max);
  json_f64(j, "mean", s.mean);
  json_u64(j, "nans", s.nans);
  json_object_end(j);
}
