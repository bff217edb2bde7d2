/* Prints the op tables, for people and for programs. What an op is comes from ir_op_get; which element classes SPIR-V
 * has a lowering for is read here from the spv columns, so that the support matrix cannot disagree with the emitter's
 * table. */
#include "ir/text/manual.h"

#include "base/json.h"

/* ---- support ---- */

/* T_* classes that devices have a lowering for. */
#define OP(opcode) 1u
#define EXT(name) 1u
#define FN(function) 1u
#define NOT 0u
static const uint32_t compiled[IR_CODE_COUNT] = {
#define MAP_OP(id, arity, infix, types, result, S, U, F, spvS, spvU, spvF, spvB, ...) \
  [IR_##id] = spvS * T_SINT | spvU * T_UINT | spvF * T_FLOAT | spvB * T_BOOL,
#define REDUCE_OP(id, ...) [IR_##id] = T_ANY,
#define SCAN_OP(id, ...) [IR_##id] = T_ANY,
#define SHAPE_OP(id, ...) [IR_##id] = T_ANY,
#include "ir/tile_ops.def"
#undef NOT
#define EFFECT_OP(id, ...) [IR_##id] = T_ANY,
#include "ir/effect_ops.def"
};

/* ---- words ---- */

static const char *const form_words[] = {"map", "reduce", "scan", "shape", "effect"};
static const char *const form_titles[] = {"Elementwise", "Reductions", "Scans",
                                          "Making, moving and converting elements", "Memory and control"};
static const char *const result_words[] = {"same", "bool", "select", "other"};

typedef struct word {
  uint32_t bit;
  const char *text;
} word;
static const word class_words[] = {{T_BOOL, "bool"}, {T_SINT, "sint"}, {T_UINT, "uint"}, {T_FLOAT, "float"}};
static const word attr_words[] = {{A_TYPE, "type"},
                                  {A_SHAPE, "shape"},
                                  {A_AXIS, "axis"},
                                  {A_AXES, "axes"},
                                  {A_KEEP, "keep"},
                                  {A_REVERSE, "reverse"},
                                  {A_START, "start"},
                                  {A_SIZE, "size"},
                                  {A_STRIDE, "stride"},
                                  {A_LOW, "low"},
                                  {A_HIGH, "high"},
                                  {A_INTERIOR, "interior"},
                                  {A_DOT, "contract"},
                                  {A_VALUE, "value"},
                                  {A_DIM, "dim"},
                                  {A_PRECISION, "precision"},
                                  {A_EXPONENT, "exponent"},
                                  {A_MANTISSA, "mantissa"},
                                  {A_KEYS, "keys"},
                                  {A_K, "k"},
                                  {A_STRIDE_AXIS, "stride_axis"},
                                  {A_WINDOW, "window"},
                                  {A_SLICE_SIZES, "slice_sizes"},
                                  {A_COMBINE, "combine"}};

enum { CLASSES = sizeof class_words / sizeof *class_words, ATTRIBUTES = sizeof attr_words / sizeof *attr_words };

/* ---- markdown ---- */

static void add_classes(text *t, uint32_t types, const char *none) {
  const char *separator = "";
  for (size_t i = 0; i < CLASSES; i++) {
    if (!(types & class_words[i].bit)) continue;
    text_format(t, "%s%s", separator, class_words[i].text);
    separator = ", ";
  }
  if (!*separator) text_format(t, "%s", none);
}

static void add_cell(text *t, const char *s) {
  for (; *s; s++) {
    if (*s == '|') text_char(t, '\\');
    text_char(t, *s);
  }
}

/* Which executors have the op: a class list where SPIR-V has fewer than the host. */
static void add_support(text *t, const ir_op_info *op, uint32_t on_devices) {
  if (op->no_device)
    text_format(t, "host; not on devices: %s", op->no_device);
  else if ((op->types & on_devices) == op->types)
    text_format(t, "host, devices");
  else
    text_format(t, "host; devices: "), add_classes(t, op->types & on_devices, "none");
}

static void add_error(text *t, const ir_op_info *op) {
  const char *each = op->form == IR_FORM_MAP ? "" : " per element";
  if (op->host_ulp == 0 && op->device_ulp == 0)
    text_format(t, "exact");
  else if (op->host_ulp == 0)
    text_format(t, "exact, %u%s", op->device_ulp, each);
  else
    text_format(t, "%u, %u%s", op->host_ulp, op->device_ulp, each);
}

static void add_name(text *t, const ir_op_info *op) {
  text_format(t, "`%s`", op->text);
  if (*op->infix) {
    text_format(t, " `");
    add_cell(t, op->infix);
    text_char(t, '`');
  }
}

static void add_row(text *t, const ir_op_info *op, uint32_t on_devices) {
  bool computes = op->form <= IR_FORM_SCAN;
  text_format(t, "| ");
  add_name(t, op);
  text_format(t, " | ");
  if (computes) {
    add_classes(t, op->types, "any");
    text_format(t, " | ");
    add_error(t, op);
    text_format(t, " | ");
  }
  add_support(t, op, on_devices);
  text_format(t, " | %s | ", *op->jax ? op->jax : "");
  add_cell(t, op->doc);
  text_format(t, " |\n");
}

static void add_group(text *t, ir_form form) {
  text_format(t, "\n## %s\n\n", form_titles[form]);
  if (form <= IR_FORM_SCAN)
    text_format(t, "| op | types | error (host, devices) | runs on | JAX | meaning |\n|---|---|---|---|---|---|\n");
  else
    text_format(t, "| op | runs on | JAX | meaning |\n|---|---|---|---|\n");
  for (int code = 0; code < IR_CODE_COUNT; code++) {
    const ir_op_info *op = ir_op_get((ir_code)code);
    if (op->form == form) add_row(t, op, compiled[code]);
  }
}

void ir_ops_markdown(text *t) {
  text_format(
      t,
      "# Ops\n\n"
      "Every op of the language, as its row in `src/ir/tile_ops.def` or `src/ir/effect_ops.def` says. This page is "
      "written by\n"
      "`kiln ops --markdown`; CI checks that it is fresh. How ops are put together: [language.md](language.md).\n\n"
      "- *types*: element classes the op accepts. sint is i2 to i64, uint is u2 to u64, float is every "
      "float type.\n"
      "- *error*: the most units in the last place by which the host's and a device's result may differ from the exact "
      "one;\n"
      "  *exact* means the same bits everywhere. Narrower floats than f32 are computed in f32 and rounded once.\n"
      "- *JAX*: the primitive of jax.lax (or jax.experimental.state) that the op stands for.\n");
  for (int form = IR_FORM_MAP; form <= IR_FORM_EFFECT; form++) add_group(t, (ir_form)form);
}

/* ---- JSON ---- */

static void put_words(json *j, const char *key, const word *words, size_t count, uint32_t bits) {
  json_array(j, key);
  for (size_t i = 0; i < count; i++)
    if (bits & words[i].bit) json_text(j, NULL, words[i].text);
  json_array_end(j);
}

static void put_classes(json *j, const char *key, uint32_t types) { put_words(j, key, class_words, CLASSES, types); }

static void put_op(json *j, const ir_op_info *op, uint32_t on_devices) {
  const bool joins = (op->form == IR_FORM_REDUCE || op->form == IR_FORM_SCAN) && op->combine >= 0;
  json_line(j);
  json_object(j, NULL);
  json_text(j, "id", op->id);
  json_text(j, "name", op->text);
  json_text(j, "form", form_words[op->form]);
  json_i64(j, "arity", op->arity);
  json_text(j, "infix", op->infix);
  put_classes(j, "types", op->types);
  json_text(j, "result", result_words[op->result]);
  put_words(j, "attributes", attr_words, ATTRIBUTES, op->attrs);
  json_text(j, "combine", joins ? ir_op_get((ir_code)op->combine)->id : "");
  json_u64(j, "host_ulp", op->host_ulp);
  json_u64(j, "device_ulp", op->device_ulp);
  put_classes(j, "host", op->types);
  put_classes(j, "spirv", op->no_device ? 0 : op->types & on_devices);
  json_text(j, "jax", op->jax);
  json_text(j, "doc", op->doc);
  json_object_end(j);
}

static void put_type(json *j, const ir_dtype_info *type) {
  json_line(j);
  json_object(j, NULL);
  json_text(j, "name", type->name);
  for (size_t i = 0; i < CLASSES; i++)
    if (type->class == class_words[i].bit) json_text(j, "class", class_words[i].text);
  json_u64(j, "bits", type->bits);
  json_object_end(j);
}

void ir_ops_json(text *t) {
  json j = {.out = t};
  json_object(&j, NULL);
  json_array(&j, "types");
  for (int dtype = 0; dtype < IR_DTYPE_COUNT; dtype++) put_type(&j, ir_dtype_get((ir_dtype)dtype));
  json_array_end(&j);
  json_array(&j, "ops");
  for (int code = 0; code < IR_CODE_COUNT; code++) put_op(&j, ir_op_get((ir_code)code), compiled[code]);
  json_array_end(&j);
  json_object_end(&j);
  json_end(&j);
}
