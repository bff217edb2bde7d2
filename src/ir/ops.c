/* The tables of ops, element types and spaces, expanded to arrays, and the look-ups by name. */
#include "ir/ir.h"

static const ir_dtype_info dtypes[IR_DTYPE_COUNT] = {
#define DTYPE(id, name, class, bits, npy, ctype, exponent, mantissa, bias, specials) \
  [IR_##id] = {                                                                      \
      name, IR_CLASS_##class, bits, 8 * sizeof(ctype), npy, {exponent, mantissa, bias, IR_SPECIALS_##specials}},
#include "ir/types.def"
};

static const char *const spaces[IR_SPACE_COUNT] = {
#define IR_SPACE(id, name) [IR_SPACE_##id] = name,
#include "ir/spaces.def"
};

static const char *const machines[IR_MACHINE_COUNT] = {
    [IR_MACHINE_ANY] = "",
#define IR_MACHINE(id, name) [IR_MACHINE_##id] = name,
#include "ir/spaces.def"
};

static const char *const teams[IR_TEAM_COUNT] = {
#define IR_TEAM(id, name) [IR_TEAM_##id] = name,
#include "ir/spaces.def"
};

/* What the table writes for argmax and argmin, which no op on two lanes can express. */
enum { IR_ARG = -1 };

/* Of ops whose operands and result follow rules of their own. */
#define OWN_RULES .infix = "", .types = T_ANY, .result = IR_RESULT_OTHER, .combine = -1

#define SAME IR_RESULT_SAME
#define BOOL IR_RESULT_BOOL
#define SELECT IR_RESULT_SELECT
static const ir_op_info ops[IR_CODE_COUNT] = {
#define MAP_OP(name, operands, sign, classes, rule, S, U, F, spvS, spvU, spvF, spvB, jax_name, host, device, words) \
  [IR_##name] = {.id = #name,                                                                                       \
                 .text = #name,                                                                                     \
                 .form = IR_FORM_MAP,                                                                               \
                 .arity = operands,                                                                                 \
                 .infix = sign,                                                                                     \
                 .types = classes,                                                                                  \
                 .result = rule,                                                                                    \
                 .combine = -1,                                                                                     \
                 .host_ulp = host,                                                                                  \
                 .device_ulp = device,                                                                              \
                 .jax = jax_name,                                                                                   \
                 .doc = words},
#define REDUCE_OP(name, word, lanes, classes, initS, initU, initF, jax_name, host, device, words) \
  [IR_##name] = {.id = #name,                                                                     \
                 .text = word,                                                                    \
                 .form = IR_FORM_REDUCE,                                                          \
                 .arity = 1,                                                                      \
                 .infix = "",                                                                     \
                 .types = classes,                                                                \
                 .result = IR_RESULT_OTHER,                                                       \
                 .attrs = A_AXES | A_KEEP,                                                        \
                 .combine = IR_##lanes,                                                           \
                 .host_ulp = host,                                                                \
                 .device_ulp = device,                                                            \
                 .jax = jax_name,                                                                 \
                 .doc = words},
#define SCAN_OP(name, lanes, classes, jax_name, host, device, words) \
  [IR_##name] = {.id = #name,                                        \
                 .text = #name,                                      \
                 .form = IR_FORM_SCAN,                               \
                 .arity = 1,                                         \
                 .infix = "",                                        \
                 .types = classes,                                   \
                 .result = IR_RESULT_SAME,                           \
                 .attrs = A_AXIS | A_REVERSE,                        \
                 .combine = IR_##lanes,                              \
                 .host_ulp = host,                                   \
                 .device_ulp = device,                               \
                 .jax = jax_name,                                    \
                 .doc = words},
#define SHAPE_OP(name, operands, attributes, jax_name, words) \
  [IR_##name] = {.id = #name,                                 \
                 .text = #name,                               \
                 .form = IR_FORM_SHAPE,                       \
                 .arity = operands,                           \
                 OWN_RULES,                                   \
                 .attrs = attributes,                         \
                 .jax = jax_name,                             \
                 .doc = words},
#include "ir/tile_ops.def"
#define YES NULL
#define NOT(why) why
#define EFFECT_OP(name, flags, spirv, jax_name, words) \
  [IR_##name] = {.id = #name,                          \
                 .text = #name,                        \
                 .form = IR_FORM_EFFECT,               \
                 .arity = -1,                          \
                 OWN_RULES,                            \
                 .effects = flags,                     \
                 .no_device = spirv,                   \
                 .jax = jax_name,                      \
                 .doc = words},
#include "ir/effect_ops.def"
#undef YES
#undef NOT
};
#undef SAME
#undef BOOL
#undef SELECT
#undef OWN_RULES

const ir_dtype_info *ir_dtype_get(ir_dtype dtype) { return &dtypes[dtype]; }

ir_dtype ir_dtype_wide(ir_dtype dtype) {
  const ir_dtype_info *info = &dtypes[dtype];
  if (info->class == IR_CLASS_FLOAT) return info->bits < 32 ? IR_F32 : dtype;
  return info->bits < 8 ? IR_I32 : dtype;
}

const char *ir_space_name(ir_space space) { return spaces[space]; }
const char *ir_team_name(ir_team_level level) { return teams[level]; }
const char *ir_machine_name(ir_machine machine) { return machines[machine]; }
const ir_op_info *ir_op_get(ir_code code) { return &ops[code]; }
bool ir_is_of_units(ir_code code) { return ops[code].effects & E_SYNC || code == IR_peer; }

bool ir_dtype_find(kiln_str name, ir_dtype *out) {
  for (uint32_t i = 0; i < IR_DTYPE_COUNT; i++) {
    if (str_is(name, dtypes[i].name)) return *out = (ir_dtype)i, true;
  }
  return false;
}

bool ir_space_find(kiln_str name, ir_space *out) {
  for (uint32_t i = 0; i < IR_SPACE_COUNT; i++) {
    if (str_is(name, spaces[i])) return *out = (ir_space)i, true;
  }
  return false;
}

bool ir_machine_find(kiln_str name, ir_machine *out) {
  for (uint32_t i = IR_MACHINE_ANY + 1; i < IR_MACHINE_COUNT; i++) {
    if (str_is(name, machines[i])) return *out = (ir_machine)i, true;
  }
  return false;
}

uint32_t ir_op_results(ir_code code, uint32_t operand_count) {
  return code == IR_sort ? operand_count : code == IR_top_k ? 2 : 1;
}

bool ir_op_find(kiln_str name, uint32_t operand_count, ir_code *out) {
  bool found = false;
  for (uint32_t i = 0; i < IR_CODE_COUNT; i++) {
    if (ops[i].form == IR_FORM_EFFECT || !str_is(name, ops[i].text)) continue;
    if (!found || ops[i].arity == (int32_t)operand_count) *out = (ir_code)i;
    found = true;
  }
  return found;
}
