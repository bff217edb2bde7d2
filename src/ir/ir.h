/* The language in memory. The words: a *kernel* has *params* (refs to whole arrays), a *grid* of *axes*, *blocks* (the
 * part of a param that one grid step sees, found by an index map), and a *body*: a region of ops. A *value* is what an
 * op makes: a *tile* (immutable array, rank 0 = scalar) or a *ref* (mutable memory; a *view* is a ref onto part of
 * another). Structured control only: ops own *regions*; a region has arguments and ends with `yield` where its op has
 * results.
 *
 * Life: parse -> verify -> bind (every symbolic size becomes a number) -> passes -> host plan or SPIR-V.
 * Before binding a dimension may be an expression of sizes; afterwards every ir_dim is a constant.
 *
 * Everything lives in the module's arena; nothing is freed singly. Modules are immutable once verified: binding and
 * passes work on a copy of one kernel in an arena of its own. */
#ifndef KILN_SRC_IR_IR_H
#define KILN_SRC_IR_IR_H

#include "base/diag.h"
#include "ir/eval/float_format.h"
#include "kiln/kernel.h"

/* ---- element types ---- */

typedef enum ir_dtype {
#define DTYPE(id, ...) IR_##id,
#include "ir/types.def"
  IR_DTYPE_COUNT
} ir_dtype;

typedef enum ir_class { IR_CLASS_BOOL = 1, IR_CLASS_SINT = 2, IR_CLASS_UINT = 4, IR_CLASS_FLOAT = 8 } ir_class;

typedef struct ir_dtype_info {
  const char *name;
  ir_class class;
  uint32_t bits;   /* of a value */
  uint32_t stored; /* bits of the element that it lies in, low bits first */
  const char *npy;
  ir_float_format format; /* floats */
} ir_dtype_info;
const ir_dtype_info *ir_dtype_get(ir_dtype dtype);
static inline size_t ir_dtype_bytes(ir_dtype dtype) { return ir_dtype_get(dtype)->stored / 8; }
static inline bool ir_is_float(ir_dtype dtype) { return ir_dtype_get(dtype)->class == IR_CLASS_FLOAT; }
/* The type that values are computed in, to be rounded or wrapped after each op: f32 for narrower floats, i32 for
 * integers of less than a byte; else the type itself. */
ir_dtype ir_dtype_wide(ir_dtype dtype);
bool ir_dtype_find(kiln_str name, ir_dtype *out);

/* Limits of a kernel text (docs/language.md); going past one is a diagnostic. */
enum {
  IR_MAX_TEXT = 64 << 20,
  IR_MAX_TOKENS = 1 << 22,
  IR_MAX_NAME = 255,
  IR_MAX_DEPTH = 256,
  IR_MAX_VALUES = 1 << 20,
  IR_MAX_INLINE = 64,
  IR_MAX_SYMBOLS = 256,
  IR_MAX_AXES = 16,
  IR_MAX_UNITS = 1 << 20, /* devices, blocks of a cluster and threads of a block, multiplied */
  IR_MAX_VIEWS = 16,
  IR_MAX_WIDTHS = 4,
  IR_MAX_ERRORS = 20
};

/* Literals are carried as the bits of their element type, low bits first. */
uint64_t ir_bits_from_f64(ir_dtype dtype, double value);  /* rounds to nearest even; integers saturate; bool: != 0 */
uint64_t ir_bits_from_i64(ir_dtype dtype, int64_t value); /* wraps */
double ir_bits_to_f64(ir_dtype dtype, uint64_t bits);
int64_t ir_bits_to_i64(ir_dtype dtype, uint64_t bits);
/* What reads outside an array give: NaN, the smallest integer, false (jax pallas uninitialized_value). */
uint64_t ir_fill_bits(ir_dtype dtype);
void ir_fill_array(ir_dtype dtype, void *data, size_t count); /* with them */

/* ---- sizes ---- */

/* A size: a constant or an expression of symbolic sizes. Interned: equal expressions are one node. Division `/` must
 * come out even when bound (diagnostic otherwise); cdiv rounds up. */
typedef enum ir_dim_op {
  IR_DIM_CONST,
  IR_DIM_SYMBOL,
  IR_DIM_ADD,
  IR_DIM_SUB,
  IR_DIM_MUL,
  IR_DIM_DIV,
  IR_DIM_CDIV,
  IR_DIM_MOD,
  IR_DIM_MIN,
  IR_DIM_MAX
} ir_dim_op;
typedef struct ir_dim_node {
  ir_dim_op op;
  int64_t value;   /* CONST */
  kiln_str symbol; /* SYMBOL */
  const struct ir_dim_node *a, *b;
  uint32_t depth; /* 1 for a leaf; the parser keeps it under IR_MAX_DEPTH */
} ir_dim_node;
typedef const ir_dim_node *ir_dim;

typedef struct ir_shape {
  uint32_t rank;
  ir_dim dims[KILN_MAX_RANK];
} ir_shape;

/* ---- types ---- */

typedef enum ir_space {
#define IR_SPACE(id, name) IR_SPACE_##id,
#include "ir/spaces.def"
  IR_SPACE_COUNT
} ir_space;
const char *ir_space_name(ir_space space);
bool ir_space_find(kiln_str name, ir_space *out);

/* The machine that a kernel says it is written for. */
typedef enum ir_machine {
  IR_MACHINE_ANY, /* it does not say: any that has the spaces it names */
#define IR_MACHINE(id, name) IR_MACHINE_##id,
#include "ir/spaces.def"
  IR_MACHINE_COUNT
} ir_machine;
const char *ir_machine_name(ir_machine machine); /* "" for ANY */
bool ir_machine_find(kiln_str name, ir_machine *out);

/* What the units of a machine are counted in: `threads t: 3`. */
typedef enum ir_team_level {
#define IR_TEAM(id, name) IR_TEAM_##id,
#include "ir/spaces.def"
  IR_TEAM_COUNT
} ir_team_level;
const char *ir_team_name(ir_team_level level);

/* A tile is a value. Of the others a view takes a part: a ref is memory, a barrier or semaphore an array of those. */
typedef enum ir_kind { IR_TILE, IR_REF, IR_BARRIER, IR_SEMAPHORE } ir_kind;

typedef struct ir_type {
  ir_kind kind;
  ir_dtype dtype; /* TILE, REF; else I32, which means nothing */
  ir_space space; /* all but TILE */
  ir_shape shape;
} ir_type;

static inline bool ir_dim_known(ir_dim d) { return d->op == IR_DIM_CONST; }
bool ir_shape_known(const ir_shape *shape);
/* Bound kernels only, as ir_count. */
static inline int64_t ir_extent(const ir_type *t, uint32_t axis) { return t->shape.dims[axis]->value; }
int64_t ir_count(const ir_type *t); /* elements; bound kernels only; verified to fit */

/* ---- ops ---- */

typedef enum ir_code {
#define MAP_OP(id, ...) IR_##id,
#define REDUCE_OP(id, ...) IR_##id,
#define SCAN_OP(id, ...) IR_##id,
#define SHAPE_OP(id, ...) IR_##id,
#include "ir/tile_ops.def"
#define EFFECT_OP(id, ...) IR_##id,
#include "ir/effect_ops.def"
  IR_CODE_COUNT
} ir_code;

typedef enum ir_form { IR_FORM_MAP, IR_FORM_REDUCE, IR_FORM_SCAN, IR_FORM_SHAPE, IR_FORM_EFFECT } ir_form;

/* Element classes an op accepts. */
enum { T_BOOL = 1, T_SINT = 2, T_UINT = 4, T_FLOAT = 8, T_INT = 6, T_NUM = 14, T_BITS = 7, T_ANY = 15 };
/* Attributes an op may carry (SHAPE_OP rows; reductions have AXES and KEEP, scans AXIS and REVERSE). */
enum {
  A_TYPE = 1 << 0,
  A_SHAPE = 1 << 1,
  A_AXIS = 1 << 2,
  A_AXES = 1 << 3,
  A_KEEP = 1 << 4,
  A_REVERSE = 1 << 5,
  A_START = 1 << 6,
  A_SIZE = 1 << 7,
  A_STRIDE = 1 << 8,
  A_LOW = 1 << 9,
  A_HIGH = 1 << 10,
  A_INTERIOR = 1 << 11,
  A_DOT = 1 << 12,
  A_VALUE = 1 << 13,
  A_DIM = 1 << 14,
  A_PRECISION = 1 << 15,
  A_EXPONENT = 1 << 16,
  A_MANTISSA = 1 << 17,
  A_KEYS = 1 << 18,
  A_K = 1 << 19,
  A_STRIDE_AXIS = 1 << 20,
  A_WINDOW = 1 << 21,
  A_SLICE_SIZES = 1 << 22,
  A_COMBINE = 1 << 23
};
/* The words of attributes. A combination other than SET is 1 + the MAP op. */
typedef enum ir_precision { IR_PRECISION_DEFAULT, IR_PRECISION_HIGH, IR_PRECISION_HIGHEST } ir_precision;
typedef enum ir_mode { IR_MODE_CLIP, IR_MODE_FILL, IR_MODE_PROMISE } ir_mode;
enum { IR_COMBINE_SET = 0 };
enum {
  E_READS = 1,
  E_WRITES = 2,
  E_ALLOCATES = 4,
  E_CONTROL = 8,
  E_TERMINATOR = 16,
  E_INDEXES = 32,
  E_TELLS = 64,
  E_SYNC = 128
};
/* The words of commit and await, and of a copy's `across`. */
typedef enum ir_what { IR_WHAT_SMEM, IR_WHAT_COPIES, IR_WHAT_LOADS, IR_WHAT_MMA, IR_WHAT_TMEM } ir_what;
/* What else an atomic orders. ACQUIRE: what follows it comes after it. RELEASE: what precedes it comes before. */
typedef enum ir_order { IR_ORDER_NONE, IR_ORDER_ACQUIRE, IR_ORDER_RELEASE } ir_order;
typedef enum ir_way { IR_WAY_ALL, IR_WAY_LEADER, IR_WAY_SPLIT } ir_way;
typedef enum ir_result_rule { IR_RESULT_SAME, IR_RESULT_BOOL, IR_RESULT_SELECT, IR_RESULT_OTHER } ir_result_rule;

/* Everything the tables say of an op except its C meaning (ir/eval/eval.c) and SPIR-V cells (spirv/). */
typedef struct ir_op_info {
  const char *id, *text; /* enum name; name in kernel texts (differs for reductions) */
  ir_form form;
  int32_t arity;     /* -1: any */
  const char *infix; /* "" when none */
  uint32_t types;    /* T_* classes of the operands */
  ir_result_rule result;
  uint32_t attrs;   /* A_* */
  uint32_t effects; /* E_* */
  int32_t combine;  /* REDUCE, SCAN: ir_code that joins two lanes; -1: argmax, argmin */
  uint32_t host_ulp, device_ulp;
  const char *no_device; /* effects: why devices have none; NULL when they do */
  const char *jax, *doc;
} ir_op_info;
const ir_op_info *ir_op_get(ir_code code);
bool ir_is_of_units(ir_code code); /* an op of the machine's units: SYNC, or peer */
/* By its name in kernel texts; `max(a)` and `max(a, b)` are two ops. A wrong count gives the nearest op of that name.
 */
bool ir_op_find(kiln_str text, uint32_t operand_count, ir_code *out);
uint32_t ir_op_results(ir_code code, uint32_t operand_count); /* of a tile op */

typedef struct ir_op ir_op;
typedef struct ir_region ir_region;

typedef struct ir_value {
  ir_type type;
  ir_op *def;        /* NULL for region arguments, params, block refs and axis indices */
  ir_region *region; /* arguments: their region; else NULL */
  kiln_str name;     /* as written; may be empty */
  uint32_t id;       /* unique in the kernel: index for side tables */
  uint32_t uses;     /* operands that refer to it; kept by the builder functions */
} ir_value;

typedef struct ir_list {
  uint32_t count;
  int64_t at[KILN_MAX_RANK];
} ir_list;

int32_t ir_list_find(const ir_list *list, int64_t value); /* where in it; -1: nowhere */
static inline bool ir_list_has(const ir_list *list, int64_t value) { return ir_list_find(list, value) >= 0; }

/* One dimension of an indexed access: a point (dropped from the result's shape) or a range of `size` elements `stride`
 * apart. The start is operand `operand` of the op (an i32 scalar), or the constant `start` when `operand` is -1. A
 * point of a load, store or atomic may also be an i32 tile, an *array*: all arrays of an access have one shape, and
 * their axes stand in the result in place of the points when those are neighbours, else in front. */
typedef struct ir_index {
  bool point;
  int32_t operand;
  ir_dim start;
  ir_dim size;    /* range */
  int64_t stride; /* range: at least 1 */
} ir_index;

/* What an op carries beside its operands; which fields count follows from the op's row. Fields that no op has together
 * share their place. Once an op is made its lists are complete and its axes count from 0: `axis: -1` and left-out axes
 * exist in kernel texts only. */
typedef struct ir_attrs {
  ir_dtype type;       /* convert, bitcast, iota, full, dot, scratch, view_as */
  ir_space space;      /* scratch */
  ir_shape shape;      /* full, iota, broadcast, reshape, scratch, view_as */
  int64_t axis;        /* iota, concatenate, scans, roll, sort */
  int64_t stride_axis; /* roll */
  uint32_t precision;  /* dot: ir_precision, a hint */
  uint32_t mode;       /* gather, scatter: ir_mode */
  uint32_t combine;    /* scatter, atomic; copy */
  uint32_t order;      /* atomic: ir_order */
  bool keep, reverse;  /* reductions, scans */
  bool masked, other;  /* load, store: operands after the starts */
  bool edge;           /* view: may reach outside */
  ir_kind kind;        /* scratch: BARRIER, SEMAPHORE; else memory */
  uint32_t arrivals;   /* scratch: of a barrier: those that complete a phase */
  bool tensor, leader; /* scratch: of a barrier: orders tensor cores; arrivals reach the leader's block alone */
  uint32_t across;     /* scratch, copy, commit, mma: a bit per axis of the cluster */
  uint32_t way;        /* copy: ir_way */
  uint32_t what;       /* commit, await: ir_what */
  bool open;           /* copy: does not close its group; scratch: a barrier whose phases may pass unseen */
  bool inner;          /* scratch: of a scope that ended before the kernel (open_scopes); not in the text */
  bool sources;        /* await: it is enough that the sources have been read */
  bool arrives, guarded, accumulates; /* copy, commit, mma: operands behind the refs */
  bool scaled, sparse;                /* mma: further refs at the end */
  int32_t grid_axis;                  /* for: the grid axis it came from, +1; 0: none */
  bool roles;                         /* for: its trips may run side by side, and meet at its end */
  int64_t offset;                     /* scratch: placed by place_memory; -1 before */
  uint64_t bits;                      /* full */
  ir_dim dim;                         /* size */
  kiln_str words;                     /* print, check */
  ir_list axes;                       /* reductions, broadcast, transpose, reverse, permute */
  uint32_t index_count;               /* load, store, view: one per dimension of the ref */
  union {
    ir_index index[KILN_MAX_RANK];
    struct {
      ir_list start, size, stride;
    }; /* slice; a size of -1 is the rest of a dimension, before binding only */
    struct {
      ir_list low, high, interior;
    }; /* pad */
    struct {
      ir_list lhs_contract, rhs_contract, lhs_batch, rhs_batch;
    }; /* dot */
    struct {
      ir_list offset_dims, collapsed_dims, start_map, batch_dims, index_batch_dims, slice_sizes;
    }; /* gather; scatter */
    struct {
      int64_t exponent, mantissa;
    };                  /* integer_pow, reduce_precision */
    int64_t keys;       /* sort */
    int64_t k;          /* top_k */
    kiln_layout layout; /* scratch: of its memory on a device; rank 0: row-major */
  };
} ir_attrs;

/* Operands by code:
 *   MAP, REDUCE, SCAN, SHAPE   as the row says
 *   load    ref, starts.., [mask], [other]           -> tile
 *   store   ref, value, starts.., [mask]
 *   print   values..
 *   check   condition
 *   atomic  ref, value, starts.., [mask], [what is expected: `other`]  -> what was there
 *   view    ref, starts..                            -> ref
 *   view_as, permute  ref                            -> ref
 *   scratch                                          -> ref
 *   peer    ref, the coordinates of a block..        -> ref
 *   arrive  barrier
 *   test    barrier                                  -> bool
 *   wait    barrier, or semaphore, amount
 *   signal  semaphore, amount, [device]
 *   count   semaphore                                -> i32
 *   copy    source, destination, [barrier: `arrives`], [condition: `guarded`]
 *   mma     sum, left, right, [condition: `accumulates`], [barrier: `arrives`], [scales of left, and of right:
 *           `scaled`], [which of four each element of left is: `sparse`]
 *   commit  [barrier: `arrives`]
 *   await   [how many may be left]
 *   warps                                            region: (w)
 *   for     begin, end, step, inits..                -> carried;  region: (i, carried..) yields carried
 *   while   inits..                                  -> carried;  regions: condition (carried..) yields bool; body
 * (carried..) yields carried when    condition                                -> results;  regions: then, else (present
 * even when empty) yield results switch  index                                    -> results;  regions: one per case
 *   yield   values.. */
struct ir_op {
  ir_code code;
  uint32_t operand_count, result_count, region_count;
  ir_value **operands;
  ir_value **results;
  ir_region **regions;
  ir_attrs *attrs; /* NULL when the row has none */
  loc loc;
  ir_region *parent;
  ir_op *prev, *next;
};

struct ir_region {
  uint32_t arg_count;
  ir_value **args;
  ir_op *first, *last;
  ir_op *owner; /* NULL: a kernel's body or an index map */
};

/* ---- kernels ---- */

typedef struct ir_param {
  kiln_str name;
  kiln_direction direction;
  kiln_layout layout;               /* of its memory on a device; rank 0: row-major */
  bool prefetch;                    /* may be read in index maps */
  int32_t alias;                    /* outputs: the input whose contents it starts with; -1: none */
  bool filled;                      /* outputs: starts with what reads outside give */
  ir_value *ref;                    /* whole array, in gmem */
  kiln_str dim_text[KILN_MAX_RANK]; /* dimensions that are no constants, as text */
  loc loc;
} ir_param;

typedef struct ir_axis {
  kiln_str name;
  ir_dim extent;   /* of a dynamic axis 0, and means nothing */
  ir_value *bound; /* dynamic axis: the prefetch param, an i32 scalar, that holds its extent at launch; else NULL */
  bool parallel;   /* else sequential, in order */
  ir_value *index; /* i32 scalar */
  loc loc;
} ir_axis;

/* One axis of a team: so many units side by side, each of which sees its own index. */
typedef struct ir_team {
  kiln_str name;
  ir_team_level level;
  ir_dim extent;
  ir_value *index; /* i32 scalar */
  loc loc;
} ir_team;

/* Those of one level. */
typedef struct ir_team_axes {
  const ir_team *at;
  uint32_t count;
} ir_team_axes;

/* The part of a param that one step sees. `size` has one entry per dimension of the param; squeezed ones have size 1
 * and are dropped from the block ref's shape. The map is a region without arguments that yields one i32 index per
 * dimension (in units of blocks; of elements in `element` dimensions), and may use axis indices and prefetch params. */
typedef struct ir_block {
  uint32_t param;
  ir_shape size;
  uint32_t squeezed; /* bit per dimension */
  uint32_t element;  /* bit per dimension: the index is that of the block's first element, not of the block */
  ir_region *map;
  ir_value *ref; /* what the body sees under the param's name */
  loc loc;
} ir_block;

struct kiln_kernel {
  kiln_module *module; /* arena, source */
  kiln_str name;
  ir_machine machine;
  ir_param *params;
  uint32_t param_count;
  ir_axis *axes;
  uint32_t axis_count;
  ir_team *teams; /* by level */
  uint32_t team_count;
  ir_block *blocks;
  uint32_t block_count;
  ir_region *body;
  kiln_str *symbols; /* symbolic sizes in order of appearance; none once bound */
  uint32_t symbol_count;
  uint32_t value_count; /* ids run from 0 */
  kiln_str comment;     /* the `//` lines directly above it; may be empty */
  loc loc;
  const struct kiln_log *log; /* what it tells by way of its last param (ir/log.h); NULL before pass log_tells */
  kiln_str units;             /* what became of its units on a device, or why nothing did; empty where it has none */
  loc units_at;               /* what stood in the way */
  bool bound;
};
typedef kiln_kernel ir_kernel;

struct kiln_module {
  kiln_context *context;
  arena arena;
  arena scratch; /* for the time of a parse */
  source source;
  map dims; /* interned sizes */
  ir_kernel **kernels;
  uint32_t kernel_count;
  kiln_str printed;
};
typedef kiln_module ir_module;

/* ---- sizes ---- */
ir_dim ir_dim_const(ir_module *m, int64_t value);
ir_dim ir_dim_symbol(ir_module *m, kiln_str name);
ir_dim ir_dim_make(ir_module *m, ir_dim_op op, ir_dim a, ir_dim b); /* simplified, interned */
typedef enum ir_truth { IR_NO, IR_YES, IR_UNKNOWN } ir_truth;
ir_truth ir_dim_equal(ir_dim a, ir_dim b); /* UNKNOWN: cannot be told before binding */
bool ir_dim_mentions(ir_dim d, kiln_str symbol);
void ir_dim_print(text *t, ir_dim d);
void ir_type_print(text *t, const ir_type *type);
ir_truth ir_shape_equal(const ir_shape *a, const ir_shape *b);
ir_type ir_tile_type(ir_dtype dtype, const ir_shape *shape); /* NULL shape: a scalar */
ir_type ir_ref_type(ir_dtype dtype, ir_space space, const ir_shape *shape);
kiln_str ir_type_text(ir_module *m, const ir_type *type);
kiln_str ir_dim_text(ir_module *m, ir_dim d);
/* The shape both broadcast to, by NumPy's rules; false when there is none. */
bool ir_shape_broadcast(const ir_shape *a, const ir_shape *b, ir_shape *out);

/* ---- building ---- */

/* A place to insert: at the end of `region`, or before `before`. Every op made gets `loc`. */
typedef struct ir_builder {
  ir_module *module;
  ir_kernel *kernel;
  ir_region *region;
  ir_op *before;
  loc loc;
  diag_sink *diags;
} ir_builder;

ir_region *ir_region_new(ir_builder *b, ir_op *owner);
ir_value *ir_region_arg(ir_builder *b, ir_region *r, ir_type type, kiln_str name);
ir_value *ir_free_value(ir_builder *b, ir_type type,
                        kiln_str name); /* neither result nor argument: param, block ref, axis index */
void ir_add_results(ir_builder *b, ir_op *op, uint32_t count, const ir_type *types);
/* Makes an op, checks it and infers its result types (ir_infer). NULL after a diagnostic. Regions are added by the
 * caller before it is inserted: control ops take their result types from `inits` or the yields. */
ir_op *ir_make(ir_builder *b, ir_code code, ir_value *const *operands, uint32_t operand_count, const ir_attrs *attrs);
ir_value *ir_make1(ir_builder *b, ir_code code, ir_value *const *operands, uint32_t operand_count,
                   const ir_attrs *attrs); /* its one result */
ir_op *ir_make_control(ir_builder *b, ir_code code, ir_value *const *operands, uint32_t operand_count,
                       ir_region *const *regions, uint32_t region_count, const ir_type *result_types,
                       uint32_t result_count, const ir_attrs *attrs);
void ir_yield(ir_builder *b, ir_value *const *values, uint32_t count);
/* Shorthands used by parser and passes. */
ir_value *ir_scalar_i32(ir_builder *b, int64_t value);
ir_value *ir_map1(ir_builder *b, ir_code code, ir_value *a);
ir_value *ir_map2(ir_builder *b, ir_code code, ir_value *a, ir_value *c);
ir_value *ir_map3(ir_builder *b, ir_code code, ir_value *a, ir_value *c, ir_value *d);
ir_value *ir_full(ir_builder *b, ir_dtype dtype, const ir_shape *shape, uint64_t bits);
ir_value *ir_convert(ir_builder *b, ir_value *v, ir_dtype dtype); /* v itself when already so */
ir_value *ir_broadcast_to(ir_builder *b, ir_value *v,
                          const ir_shape *shape); /* NumPy rules; v itself when already so */

void ir_set_operand(ir_op *op, uint32_t index, ir_value *v);
void ir_replace_uses(ir_kernel *k, ir_value *old, ir_value *new_value); /* walks the kernel */
void ir_erase(ir_op *op);                                               /* unlinks, drops its uses, regions included */
void ir_move_before(ir_op *op, ir_op *before);

/* What an index cuts out; `arrays` is the shape of its arrays, NULL when it has none. False: too many dimensions. */
bool ir_index_shape(const ir_index *index, uint32_t count, const ir_shape *arrays, ir_shape *out);
/* The shape of an access' arrays, NULL when it has none, and where in the result their axes begin. */
const ir_shape *ir_access_arrays(const ir_op *op, uint32_t *at);

/* Result types of one op from its operands and attributes; diagnostics name operand, expected and found. Dimensions
 * that cannot be compared before binding are let through, and checked again after it. */
bool ir_infer(ir_builder *b, ir_op *op);

/* Walks every op, outer before inner, in order; stops when fn returns false. */
typedef bool (*ir_visit_fn)(void *user, ir_op *op);
bool ir_walk(ir_region *region, ir_visit_fn fn, void *user);
/* The kernel's body and its index maps. */
bool ir_walk_kernel(ir_kernel *k, ir_visit_fn fn, void *user);
/* The param, block ref or scratch that a ref is a view of; the ref itself when it is none. */
ir_value *ir_root_ref(const ir_value *ref);
ir_value *ir_written_ref(const ir_op *op); /* what an op writes to; NULL when nothing */
/* ---- teams (team.c) ---- */
ir_team_axes ir_team_axes_of(const ir_kernel *k, ir_team_level level);
/* The units along the axes whose bits are set, once sizes are numbers. */
uint32_t ir_team_units(const ir_kernel *k, ir_team_level level, uint32_t along);
#define IR_ALL_AXES UINT32_MAX
#define IR_MAX_TEAMS (KILN_MAX_RANK * IR_TEAM_COUNT)
/* Where on the axes of all teams a unit is that has those numbers in its levels; the last axis runs fastest. */
void ir_team_places(const ir_kernel *k, const uint32_t *numbers, uint32_t *places);
/* The number of the unit at a place of one level; UINT32_MAX: there is none. */
uint32_t ir_team_number(ir_team_axes axes, const int64_t *place);

/* Whether an op, or one within it, orders units. */
bool ir_orders_units(const ir_op *op);
bool ir_hands_over(const ir_op *op);       /* an ordered atomic: memory behind it is not what it was before */
bool ir_copies_to_blocks(const ir_op *op); /* one unit copies to tensor memory, in all blocks along the axes */
/* Whether the kernel's units are many, or order themselves: then all of a launch run side by side, as a crew. */
bool ir_is_crew(const ir_kernel *k);
/* What the op allocates lives to the kernel's end: it stands in the kernel's own body, or in scopes that end it. */
bool ir_lives_to_end(const ir_kernel *k, const ir_op *op);
bool ir_is_view(ir_code code);               /* view, view_as, permute */
bool ir_is_recast(ir_code code);             /* view_as, permute */
bool ir_through_recast(const ir_value *ref); /* whether it shows its root under another shape, order or type */
/* Whether a ref is memory with strides, so that those who know no views can work on it: each `view .. as` on the way is
 * of memory without gaps, row after row. */
bool ir_has_strides(const ir_kernel *k, const ir_value *ref);
/* The dimension along which a view has several narrow elements for each wide one; the rank: all of them in row-major
 * order, or the widths are one. */
bool ir_view_axis(const ir_type *from, const ir_type *to, uint32_t *axis); /* false: they have not the same bits */

/* ---- text, checks, binding ---- */

/* Parses a text into a new module (not yet verified). Diagnostics go to the context. */
kiln_result ir_parse(kiln_context *context, kiln_str text, kiln_str name, ir_module **out);
void ir_print_kernel(text *t, const ir_kernel *k);
void ir_print_module(text *t, const ir_module *m);
/* Checks every rule of docs/language.md; collects, never stops at the first. */
bool ir_verify(const ir_kernel *k, diag_sink *diags);
/* Infers the type of every result anew and compares it with the stored one: a broken one is a pass's mistake. */
bool ir_verify_types(ir_kernel *k, diag_sink *diags);
/* A copy of `k` in a new module in which every size is a number. Values from the arrays' shapes and `sizes` must agree.
 */
kiln_result ir_bind(kiln_context *context, const ir_kernel *k, const kiln_size *sizes, size_t size_count,
                    const kiln_array *arrays, size_t array_count, ir_module **out);
/* Solves the symbolic sizes only. `values` has one entry per k->symbols. */
kiln_result ir_solve_sizes(kiln_context *context, const ir_kernel *k, const kiln_size *sizes, size_t size_count,
                           const kiln_array *arrays, size_t array_count, int64_t *values);
bool ir_dim_eval(ir_dim d, const ir_kernel *k, const int64_t *values,
                 int64_t *out);                     /* false: overflow or uneven division */
ir_module *ir_module_create(kiln_context *context); /* empty; NULL when memory is out */
void ir_module_destroy(ir_module *m);
kiln_result ir_out_of_memory(kiln_context *context); /* says so; KILN_ERROR_MEMORY */

/* Copies a region's ops, but not its yield, to the builder's place, for inlining and unrolling. `map_value` is indexed
 * by old value id and has room for all of them: entries say what stands for a value (NULL: itself) and are added for
 * what is copied. */
void ir_clone_region(ir_builder *b, const ir_region *from, ir_value **map_value);
/* The same for one op; false after a diagnostic. */
bool ir_clone_op(ir_builder *b, const ir_op *op, ir_value **map_value);

#endif
