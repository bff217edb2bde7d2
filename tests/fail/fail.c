/* The runner of error tests: every FILE.kiln is wrong, and what Kiln says about it, whole and to the byte, is in
 * FILE.txt.
 *
 *   fail [--update] FILE.kiln..
 *
 * A text that parses must fail to bind, or in the passes for the host, to what its first line says: `// sizes: M=8 N=3`
 * gives symbolic sizes,
 * `// shapes: x=f32[4, 6] y=f32[4]` one array per parameter in order. --update writes the .txt files instead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "pass/pass.h"

enum { MOST = 1 << 20, SIZES = 8, ARRAYS = 8 };

typedef struct request {
  kiln_size sizes[SIZES];
  size_t size_count;
  kiln_array arrays[ARRAYS];
  size_t array_count;
} request;

/* The whole file, in memory that the caller frees; NULL when it cannot be read. */
static char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  char *data = malloc(MOST);
  *size = file && data ? fread(data, 1, MOST, file) : 0;
  if (file) fclose(file);
  if (file) return data;
  free(data);
  return NULL;
}

static bool write_file(const char *path, kiln_str contents) {
  FILE *file = fopen(path, "wb");
  bool good = file && fwrite(contents.data, 1, contents.size, file) == contents.size;
  return file && fclose(file) == 0 && good;
}

/* `M=8`: returns where it ends. */
static const char *read_size(const char *at, request *r) {
  kiln_size *size = &r->sizes[r->size_count++];
  size->name = (kiln_str){at, strcspn(at, "=\n")};
  char *end;
  size->value = strtoll(at + size->name.size + 1, &end, 10);
  return end;
}

/* `x=f32[4, 6]`: the names are for the reader. */
static const char *read_array(const char *at, request *r) {
  kiln_array *array = &r->arrays[r->array_count++];
  ir_dtype dtype = IR_F32;
  at += strcspn(at, "=\n") + 1;
  size_t name = strcspn(at, "[ \n");
  ir_dtype_find((kiln_str){at, name}, &dtype);
  array->dtype = (kiln_dtype)dtype;
  at += name;
  while (*at == '[' || *at == ',') array->dims[array->rank++] = strtoll(at + 1, (char **)&at, 10);
  return *at == ']' ? at + 1 : at;
}

static void read_request(const char *first_line, request *r) {
  bool shapes = strncmp(first_line, "// shapes: ", 11) == 0;
  const char *at = first_line + (shapes ? 11 : 10);
  if (!shapes && strncmp(first_line, "// sizes: ", 10) != 0) return;
  while (*at && *at != '\n') {
    at = shapes ? read_array(at, r) : read_size(at, r);
    while (*at == ' ') at++;
  }
}

static kiln_result run_passes(kiln_context *context, ir_module *bound) {
  jmp_buf out;
  const pass_target target = {.kind = P_HOST};
  if (!ARENA_GUARD(&bound->arena, out)) return KILN_ERROR_MEMORY;
  return pass_run(bound->kernels[0], &target, context->diags, PASS_COUNT, NULL, NULL);
}

/* What Kiln says, a line with the result last. */
static kiln_str judge(arena *a, kiln_context *context, const char *name, kiln_str contents) {
  kiln_module *module;
  ir_module *bound = NULL;
  request r = {.size_count = 0};
  text said = text_new(a);
  kiln_result result =
      kiln_module_parse(context, &(kiln_parse_desc){.text = contents, .name = str_from(name)}, &module);
  if (result == KILN_OK) {
    read_request(contents.data, &r);
    result = ir_bind(context, kiln_module_kernel(module, 0), r.sizes, r.size_count, r.array_count ? r.arrays : NULL,
                     r.array_count, &bound);
    if (result == KILN_OK) result = run_passes(context, bound);
  }
  for (size_t i = 0; i < kiln_diag_count(context); i++)
    text_add(&said, kiln_diag_render(context, kiln_diag_get(context, i)));
  text_format(&said, "result: %s\n", kiln_result_name(result));
  ir_module_destroy(bound);
  kiln_module_destroy(module);
  return text_str(&said);
}

static bool compare(const char *path, kiln_str found, bool update) {
  size_t size;
  if (update) return write_file(path, found);
  char *expected = read_file(path, &size);
  bool same = expected && str_equal((kiln_str){expected, size}, found);
  if (!same) printf("FAIL %s (--update rewrites it)\nfound:\n%.*s", path, STR_FMT(found));
  free(expected);
  return same;
}

static bool run_guarded(arena *a, kiln_context *context, const char *path, kiln_str contents, bool update) {
  jmp_buf out;
  const char *slash = strrchr(path, '/');
  if (!ARENA_GUARD(a, out)) return false;
  kiln_str said = judge(a, context, slash ? slash + 1 : path, contents);
  kiln_str stem = {path, strlen(path) - strlen(".kiln")};
  if (!str_is(said, "result: ok\n")) return compare(str_format(a, "%.*s.txt", STR_FMT(stem)).data, said, update);
  printf("FAIL %s: nothing is wrong with it\n", path);
  return false;
}

static bool run(const char *path, bool update) {
  size_t size;
  arena a;
  kiln_context *context;
  char *contents = read_file(path, &size);
  if (!contents || size == MOST || kiln_context_create(NULL, &context) != KILN_OK) return free(contents), false;
  contents[size] = '\0';
  arena_init(&a, mem_default(), 0);
  bool good = run_guarded(&a, context, path, (kiln_str){contents, size}, update);
  arena_finish(&a);
  kiln_context_destroy(context);
  free(contents);
  return good;
}

int main(int argc, char **argv) {
  bool update = argc > 1 && strcmp(argv[1], "--update") == 0;
  int failed = 0, first = update ? 2 : 1;
  for (int i = first; i < argc; i++) failed += !run(argv[i], update);
  printf("%d passed, %d failed, 0 skipped\n", argc - first - failed, failed);
  return failed > 0 || argc == first;
}
