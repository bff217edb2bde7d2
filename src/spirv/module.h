/* A SPIR-V module in the making: one word stream per section, written in any order, put together at the end.
 *
 * Types and constants are deduplicated; capabilities, extensions and the GLSL instruction set appear when asked for.
 * Functions are written straight into the body stream. Control flow is structured by construction: spv_if_* and
 * spv_loop_* place the merge instructions, and phis of a loop are patched when it closes. Everything lives in an arena;
 * running out of memory leaves by the arena's guard. SPIR-V 1.3: the least that Vulkan 1.1 offers. */
#ifndef KILN_SRC_SPIRV_MODULE_H
#define KILN_SRC_SPIRV_MODULE_H

#include <spirv/unified1/GLSL.std.450.h>
#include <spirv/unified1/spirv.h>

#include "base/diag.h"

typedef uint32_t spv_id; /* 0 = none */

typedef VEC(uint32_t) spv_words;
typedef VEC(spv_words) spv_streams;

/* Sections in the order of the specification, 2.4 "Logical Layout of a Module". */
typedef enum spv_section {
  SPV_CAPABILITIES,
  SPV_IMPORTS,
  SPV_MEMORY_MODEL,
  SPV_ENTRY_POINTS,
  SPV_MODES,
  SPV_SOURCES,
  SPV_NAMES,
  SPV_DECORATIONS,
  SPV_GLOBALS, /* types, constants, variables of the module */
  SPV_HELPERS, /* finished functions */
  SPV_HEAD,    /* the function up to its local variables, which must come first */
  SPV_BODY,
  SPV_SECTION_COUNT
} spv_section;

typedef struct spv_module {
  arena *arena;
  spv_words sections[SPV_SECTION_COUNT];
  spv_streams
      outer;     /* bodies around the open loops, outermost first: where what does not change in a loop can still go */
  map unique;    /* opcode, operands -> id of a type, a constant or a string */
  spv_words key; /* of the lookup under way */
  uint32_t next_id; /* the bound */
  spv_id block;     /* label of the block being written; 0 between blocks */
  spv_id glsl;      /* the GLSL.std.450 import, once used */
  bool debug_info;
  uint32_t line, column; /* of the last OpLine in this block */
  kiln_str line_file;
} spv_module;

void spv_module_init(spv_module *m, arena *a, bool debug_info);
spv_id spv_new(spv_module *m);
/* The whole module with its header; call once, after the last function ended. */
spv_words spv_module_finish(spv_module *m);

/* ---- raw writing ---- */
void spv_write(spv_module *m, spv_section section, SpvOp op, const uint32_t *operands, size_t count);
void spv_capability(spv_module *m, SpvCapability capability);
void spv_name(spv_module *m, spv_id id, kiln_str name);
void spv_decorate(spv_module *m, spv_id id, SpvDecoration decoration, const uint32_t *operands, size_t count);
void spv_decorate_member(spv_module *m, spv_id type, uint32_t member, SpvDecoration decoration, uint32_t operand);
void spv_line(spv_module *m, loc at); /* the source place of the instructions that follow, until the block ends */
void spv_entry(spv_module *m, spv_id function, const char *name, const spv_id *interface, size_t count);
void spv_mode(spv_module *m, spv_id function, SpvExecutionMode mode, const uint32_t *operands, size_t count);

/* ---- types and constants, one id each however often they are asked for ---- */
spv_id spv_type_void(spv_module *m);
spv_id spv_type_bool(spv_module *m);
spv_id spv_type_int(spv_module *m, uint32_t bits, bool is_signed); /* asks for the capability of its width */
spv_id spv_type_float(spv_module *m, uint32_t bits);
spv_id spv_type_vector(spv_module *m, spv_id element, uint32_t count); /* count 1: the element itself */
spv_id spv_type_array(spv_module *m, spv_id element, uint32_t count,
                      uint32_t stride); /* count 0: runtime; stride 0: none */
spv_id spv_type_struct(spv_module *m, const spv_id *members, size_t count);
spv_id spv_type_pointer(spv_module *m, SpvStorageClass storage, spv_id type);
spv_id spv_type_function(spv_module *m, spv_id result, const spv_id *params, size_t count);
/* A storage block `struct { element data[]; }`, decorated; the element's stride is `stride` bytes. */
spv_id spv_type_buffer(spv_module *m, spv_id element, uint32_t stride);

spv_id spv_const_bool(spv_module *m, bool value);
spv_id spv_const_u32(spv_module *m, uint32_t value);
spv_id spv_const_i32(spv_module *m, int32_t value);
spv_id spv_const_f32(spv_module *m, float value);
spv_id spv_const_bits(spv_module *m, spv_id type, uint32_t bits,
                      uint64_t value); /* bits: width of the type, 32 or 64 */

/* A variable of the module, or of the function for SpvStorageClassFunction. */
spv_id spv_variable(spv_module *m, SpvStorageClass storage, spv_id type);

/* ---- instructions ---- */
spv_id spv_emit(spv_module *m, SpvOp op, spv_id type, const uint32_t *operands, size_t count);
void spv_do(spv_module *m, SpvOp op, const uint32_t *operands, size_t count);
spv_id spv_glsl(spv_module *m); /* the GLSL.std.450 import */
spv_id spv_ext(spv_module *m, enum GLSLstd450 op, spv_id type, const uint32_t *operands, size_t count);

/* The same with the operands in place: SPV(m, SpvOpIAdd, type, a, b). */
#define SPV_LIST(...) (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)
#define SPV(m, op, type, ...) spv_emit((m), (op), (type), SPV_LIST(__VA_ARGS__))
#define SPV_DO(m, op, ...) spv_do((m), (op), SPV_LIST(__VA_ARGS__))
#define SPV_GLSL(m, op, type, ...) spv_ext((m), (op), (type), SPV_LIST(__VA_ARGS__))

/* ---- functions and structured control flow ---- */
spv_id spv_function_begin(spv_module *m, spv_id result, spv_id function_type);
spv_id spv_param(spv_module *m, spv_id type); /* of the function just begun */
void spv_function_enter(spv_module *m);       /* after its parameters: starts the first block */
void spv_function_end(spv_module *m);         /* the last block must be ended by the caller */
void spv_return(spv_module *m);
void spv_label(spv_module *m, spv_id label); /* starts a block; branches to it if one is still open */
void spv_branch(spv_module *m, spv_id label);

/* if (cond) {..} else {..}; after the end, spv_if_phi joins one value of each side. */
typedef struct spv_if {
  spv_id otherwise, merge;
  spv_id then_end, else_end; /* the blocks that the two sides ended in */
  bool has_else;
} spv_if;
spv_if spv_if_begin(spv_module *m, spv_id condition);
void spv_if_else(spv_module *m, spv_if *branch);
void spv_if_end(spv_module *m, spv_if *branch);
spv_id spv_if_phi(spv_module *m, const spv_if *branch, spv_id type, spv_id then_value, spv_id else_value);

/* Writes into the body around: depth 0 is the function's own, m->outer.count the innermost, which is SPV_BODY. */
spv_id spv_emit_at(spv_module *m, size_t depth, SpvOp op, spv_id type, const uint32_t *operands, size_t count);

/* A function beside the one being written, for helpers: begin saves the state, end brings it back. */
typedef struct spv_aside {
  spv_words head, body;
  spv_streams outer;
  spv_id block;
} spv_aside;
spv_aside spv_aside_begin(spv_module *m);
void spv_aside_end(spv_module *m, const spv_aside *aside);

/* for (phis; condition; ) { body }, in this order of calls:
 *   spv_loop_begin, spv_loop_phi*, spv_loop_test, (condition), spv_loop_body, (body), spv_loop_end with each phi's next
 * value. The phis are the values after the loop, too. A loop that certainly begins needs no spv_loop_body: it goes on
 * while `again` holds at its end (0: it has its condition in front), and the next values are those after the loop. */
typedef struct spv_loop {
  spv_id header, next, merge, before;
  VEC(size_t) patches; /* where in the body stream each phi's second pair lies */
} spv_loop;
spv_loop spv_loop_begin(spv_module *m);
spv_id spv_loop_phi(spv_module *m, spv_loop *loop, spv_id type, spv_id first);
void spv_loop_test(spv_module *m, spv_loop *loop, bool unroll);
void spv_loop_body(spv_module *m, spv_loop *loop, spv_id condition);
void spv_loop_end(spv_module *m, spv_loop *loop, const spv_id *next, size_t count, spv_id again);

#endif
