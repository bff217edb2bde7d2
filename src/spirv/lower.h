/* Lowering a kernel to SPIR-V: what its parts share.
 *
 * A unit (one grid point) is run by one subgroup. Every value of the kernel has a home:
 *   virtual    evaluated where it is needed, at the coordinates that are needed (eval.c)
 *   registers  one scalar per (register, lane) of a layout
 *   memory     shared memory, or a slice of a scratch buffer, when registers do not do
 * What must happen at its place (stores, reductions, dots, scans, control flow) is a root: a nest of loops over its
 * elements (nest.c), in whose body virtual operands are evaluated. Everything is scalar; vectors exist at memory only
 * (access.c). */
#ifndef KILN_SRC_SPIRV_LOWER_H
#define KILN_SRC_SPIRV_LOWER_H

#include "ir/layout.h"
#include "ir/linear.h"
#include "kiln/spirv.h"
#include "pass/pass.h"
#include "spirv/code.h"

/* The coordinates of one element: ids of 32-bit integers, the facts about them in the code. */
typedef struct spv_point {
  uint32_t rank;
  spv_id at[KILN_MAX_RANK];
} spv_point;
typedef VEC(spv_point) spv_points;
typedef VEC(spv_id) spv_ids;

typedef enum spv_memory_kind { SPV_BUFFER, SPV_SHARED, SPV_SLAB, SPV_PRIVATE } spv_memory_kind;

/* A piece of memory: a parameter, a scratch, or a value's home. In shared memory and the slab an element has words of
 * its own. */
typedef struct spv_memory {
  spv_memory_kind kind;
  spv_id variable; /* of whole vectors, in shared memory of words */
  uint32_t binding;
  uint32_t offset; /* words, in shared memory or the unit's slice of the slab */
  uint32_t spare;  /* word after the elements: four that writes out of range go to */
  bool uses_spare;
  bool packed;           /* elements narrower than a word share one */
  uint32_t element_bits; /* packed: of an element where a layout says so; 0: its type's stored bits */
  bool written;          /* somewhere in the kernel */
  bool own;              /* every element is touched by one lane only */
  bool dirty, read;      /* written, read since the last barrier */
  uint32_t version;      /* changes whenever what was loaded before no longer holds */
  uint32_t rank;
  const ir_address *address; /* of elements */
  spv_id *registers;         /* PRIVATE: a variable for each, once used */
} spv_memory;

typedef enum spv_home_kind { SPV_VIRTUAL, SPV_REGISTERS, SPV_MEMORY } spv_home_kind;

typedef struct spv_home {
  spv_home_kind kind;
  bool must_keep;  /* virtual, but to be materialized where it stands */
  bool replicated; /* registers: every lane holds the whole tile, at constant coordinates */
  uint32_t memory;
  uint32_t level;    /* registers: the scope that they were made in */
  spv_points points; /* registers */
  spv_ids ids;
} spv_home;

/* A function beside the kernel, once used, and how long it is. */
typedef struct spv_helper {
  spv_id id;
  size_t words, values;
} spv_helper;

/* Scalars a lane, by use. */
enum {
  SPV_REPLICATED = 16, /* elements: tiles up to this size are held whole by every lane */
  SPV_STRIP = 16,      /* in a strip of a loop that only writes kept tiles, or scans; others: spv_effort_of */
  SPV_KEEP = 32,       /* kept from one root to the next */
  SPV_ACCUMULATE = 64  /* carried by loops, accumulated in dots; of a role's own: PASS_ROLE_KEEPS */
};
enum { SPV_MOST_CARRIED = 1024 }; /* values of one loop or choice */

/* When the body is written for interior and edge blocks apart: not for few units, nor for much code. */
enum { SPV_COPIED_UNITS = 64, SPV_COPIED_WORDS = 12000 };

typedef struct spv_lower {
  spv_code code;
  spv_module module;
  arena *arena;
  diag_sink *diags;
  const ir_kernel *kernel;
  kiln_profile profile;
  uint32_t lanes, lane_bits;
  uint32_t subgroups;               /* of a unit: 1, or one for each of its roles, or fewer that share them */
  bool takes_turns;                 /* its one subgroup runs all roles */
  bool in_role;                     /* the others are elsewhere: lanes of one subgroup only can meet */
  spv_id lane, subgroup, workgroup; /* ids of the builtins' values */
  spv_id runs;                      /* whether there is a unit for the subgroup: true wherever its body is */
  spv_home *homes;                  /* by value id */
  uint32_t *memory_of;              /* by value id of params and scratch refs: index + 1 */
  uint32_t *seen, walk;             /* by value id: visited in the present walk over operands */
  uint32_t cost;                    /* of the present walk */
  VEC(spv_memory) memories;
  uint32_t shared_words, slab_words;    /* scratch first, as placed, then kept tiles */
  uint32_t placed_words;                /* of scratch, in shared memory */
  spv_id shared, slab, slab_stride;     /* once used; the stride is a constant that is written last */
  spv_id *singles, *pairs;              /* by binding: the buffer seen as words of 32 and of 64 bits, once used */
  spv_helper helpers[IR_CODE_COUNT][2]; /* by op, of f32 and f64 */
  spv_ids interface;
  bool exchanges;                     /* lanes meet at barriers: one unit per workgroup */
  bool one_copy;                      /* for interior and edge blocks alike */
  size_t interior_words, edge_words;  /* of the two copies of the body, if there are */
  size_t called_words, called_values; /* of helpers, as often as they are called */
  size_t cut_at;                      /* values that there were at the last cut */
  kiln_result failure;
} spv_lower;

_Noreturn void spv_give_up(spv_lower *low); /* after a diagnostic */

/* ---- number.c: element types in registers ----
 * bool is a SPIR-V bool; integers up to 32 bits are u32, sign- or zero-extended; floats narrower than f32
 * are f32, rounded. */
spv_id spv_num_type(spv_lower *low, ir_dtype dtype);
spv_id spv_num_const(spv_lower *low, ir_dtype dtype, uint64_t bits);
spv_id spv_num_round(spv_lower *low, ir_dtype dtype, spv_id value); /* after arithmetic: wrap or round to the type */
spv_id spv_num_unpack(spv_lower *low, ir_dtype dtype, spv_id bits); /* from its bits, low in a word, zeros above */
spv_id spv_num_pack(spv_lower *low, ir_dtype dtype, spv_id value);  /* the reverse */
spv_id spv_num_join(spv_lower *low, ir_dtype dtype, spv_id low_word, spv_id high_word); /* 64-bit types */
void spv_num_halves(spv_lower *low, spv_id value, spv_id *low_word, spv_id *high_word);
spv_id spv_num_convert(spv_lower *low, ir_dtype from, ir_dtype to, spv_id value);
spv_id spv_num_bitcast(spv_lower *low, ir_dtype from, ir_dtype to, spv_id value);

/* ---- narrow.c: the same for floats narrower than f32 ---- */
spv_id spv_narrow_round(spv_lower *low, ir_dtype dtype, spv_id value);
spv_id spv_narrow_unpack(spv_lower *low, ir_dtype dtype, spv_id bits);
spv_id spv_narrow_pack(spv_lower *low, ir_dtype dtype, spv_id value);
spv_id spv_narrow_from_f64(spv_lower *low, ir_dtype dtype, spv_id value); /* to f32, to be rounded to dtype */

/* ---- exchange.c: values between lanes without memory ---- */
spv_id spv_shuffle(spv_lower *low, spv_id type, spv_id value, spv_id lane);           /* what `lane` has */
spv_id spv_shuffle_xor(spv_lower *low, spv_id type, spv_id value, uint32_t distance); /* the lane numbered ^ distance */
/* The element at `point` of a tile in registers, which may lie in other lanes; 0: memory is the better way. */
spv_id spv_exchange(spv_lower *low, const ir_value *value, const spv_home *home, const spv_point *point);

/* ---- map.c: elementwise ops ---- */
spv_id spv_map(spv_lower *low, ir_code code, ir_dtype dtype, const spv_id *operands, loc at);

/* ---- helper.c: ops of floats as functions beside the kernel ---- */
typedef spv_id (*spv_helper_body)(spv_lower *low, ir_code code, ir_dtype dtype,
                                  const spv_id *operands); /* f32 or f64 */
spv_id spv_call_helper(spv_lower *low, ir_code code, ir_dtype dtype, const spv_id *operands, spv_helper_body body);
spv_id spv_formula_body(spv_lower *low, ir_code code, ir_dtype dtype, const spv_id *operands);
spv_id spv_fmod_body(spv_lower *low, ir_code code, ir_dtype dtype, const spv_id *operands); /* fmod.c */

/* ---- eval.c: an element of any tile ---- */
spv_id spv_eval(spv_lower *low, const ir_value *value, const spv_point *point);
spv_id spv_eval_scalar(spv_lower *low, const ir_value *value);
spv_id spv_eval_like(spv_lower *low, const ir_value *value,
                     const spv_point *element);               /* or a scalar for every element */
spv_id spv_inside(spv_lower *low, spv_id at, int64_t extent); /* 0 <= at < extent as a bool; 0: certainly */
size_t spv_eval_key(const ir_value *value, const spv_point *point, uint32_t *key);

/* ---- indexed.c: elements at computed places, and bit casts between widths ---- */
spv_id spv_clamp_to(spv_lower *low, spv_id at, int64_t extent); /* into 0 .. extent - 1 */
spv_id spv_eval_dynamic_slice(spv_lower *low, const ir_op *op, const spv_point *at);
spv_id spv_eval_update(spv_lower *low, const ir_op *op, const spv_point *at);
spv_id spv_eval_take(spv_lower *low, const ir_op *op, const spv_point *at);
spv_id spv_eval_bitcast(spv_lower *low, const ir_op *op, const spv_point *at);

/* ---- access.c: refs and memory ---- */
typedef struct spv_place {
  uint32_t memory;
  spv_id element; /* its number in the memory, which has room for at least one */
  spv_id inside;  /* whether the access is in range; 0: certainly */
} spv_place;
uint32_t spv_memory_of_ref(spv_lower *low, const ir_value *ref);
spv_place spv_access_place(spv_lower *low, const ir_op *op, const spv_point *element); /* of a load or store */
spv_place spv_memory_place(spv_lower *low, uint32_t memory, const ir_type *type, const spv_point *at);
spv_place spv_element_place(spv_lower *low, uint32_t memory, const spv_point *at,
                            spv_id inside); /* where that is known */
spv_id spv_load(spv_lower *low, const spv_place *place, ir_dtype dtype, spv_id otherwise);
spv_id spv_load_op(spv_lower *low, const ir_op *op, const spv_point *element);
/* Words, as store.c needs them: indices into the memory's variable, pointers, and where in its vector a word lies. */
spv_id spv_word_index(spv_lower *low, const spv_memory *memory, spv_id word);
spv_id spv_word_pointer(spv_lower *low, const spv_memory *memory, spv_id index);
spv_id spv_pair_pointer(spv_lower *low, const spv_memory *memory, spv_id index);
spv_id spv_group_pointer(spv_lower *low, const spv_memory *memory, spv_id group);
bool spv_component_of(spv_lower *low, const spv_memory *memory, spv_id index, int64_t *component);

uint32_t spv_element_bits(const spv_memory *memory, ir_dtype dtype);

/* ---- private.c ---- */
uint32_t spv_memory_private(spv_lower *low, const ir_op *scratch);
spv_memory *spv_private_of(spv_lower *low, const ir_op *access); /* NULL: it is in other memory */
void spv_private_load(spv_lower *low, const ir_op *load);
void spv_private_store(spv_lower *low, const ir_op *store);

/* ---- store.c ---- */
spv_id spv_spare_word(spv_lower *low, spv_memory *memory, spv_id inside); /* where to write when `inside` may fail */
/* Stores elements that follow one another along an axis, at most 16: whole vectors where the places allow. */
void spv_store(spv_lower *low, const spv_place *places, const spv_id *values, uint32_t count, ir_dtype dtype);
void spv_store_op(spv_lower *low, const ir_op *op);

/* ---- atomic.c ---- */
void spv_atomic_op(spv_lower *low, const ir_op *op);

/* ---- order.c: memory between lanes ---- */
#define SPV_ALL_MEMORY (SpvMemorySemanticsUniformMemoryMask | SpvMemorySemanticsWorkgroupMemoryMask)
void spv_barrier(spv_lower *low);
void spv_hand_over(spv_lower *low); /* beside an ordered atomic: memory is ordered among all subgroups, and changes */
void spv_before_read(spv_lower *low, uint32_t memory);
void spv_before_write(spv_lower *low, uint32_t memory);
/* Before a root evaluates a value; tells how many memory instructions four elements of it take. */
uint32_t spv_prepare(spv_lower *low, const ir_value *value);
uint32_t spv_access_cost(spv_lower *low, const ir_value *ref);
/* How much a lane works on at once, for roots of up to so many memory instructions for four elements. */
typedef struct spv_effort {
  uint32_t cost;
  uint32_t strip; /* elements in a strip of a loop */
  uint32_t whole; /* elements of a lane up to which a tile takes no loop: what lies in registers need not move then */
} spv_effort;
spv_effort spv_effort_of(uint32_t cost);

/* ---- nest.c: loops over the elements of a tile ---- */
typedef struct spv_nest_axis {
  int64_t extent, step; /* step: elements per strip */
  uint32_t vector, lanes, unroll, lane_shift;
  bool backward; /* strips from last to first */
  spv_id base;   /* of the strip being written */
} spv_nest_axis;
typedef struct spv_nest {
  uint32_t rank;
  spv_nest_axis axes[KILN_MAX_RANK];
} spv_nest;
/* Values carried around the loops of a nest. */
typedef struct spv_carry {
  uint32_t count;
  spv_id *values, *types;
} spv_carry;
typedef void (*spv_strip_fn)(spv_lower *low, void *user);
/* `budget`: scalars a lane in a strip; the axes in `whole` are in one strip whatever it says. */
spv_nest spv_nest_plan(spv_lower *low, const int64_t *extents, uint32_t rank, uint32_t budget, uint32_t whole);
/* Calls `fn` for every strip along the axes in `mask`, inside the loops written for them. */
void spv_nest_walk(spv_lower *low, spv_nest *nest, uint32_t mask, spv_carry *carry, spv_strip_fn fn, void *user);
/* Elements that a lane has of a strip along the axes in `mask`, numbered with the last axis fastest. */
uint32_t spv_nest_count(const spv_nest *nest, uint32_t mask);
/* The point of element `number`, its coordinates along other axes being their bases; false: certainly past the end. */
bool spv_nest_point(spv_lower *low, const spv_nest *nest, uint32_t mask, uint32_t number, spv_point *point);
uint32_t spv_nest_number(const spv_nest *nest, uint32_t mask, uint32_t kept, uint32_t rest);
spv_id spv_point_inside(spv_lower *low, const spv_nest *nest, const spv_point *point); /* 0: certainly */
void spv_extents(const ir_type *type, int64_t *extents);

/* ---- home.c: tiles kept in registers or memory ---- */
uint32_t spv_register_count(spv_lower *low, const ir_type *type); /* scalars a lane for a tile in its usual layout */
void spv_register_points(spv_lower *low, const ir_type *type, spv_points *points);
void spv_set_registers(spv_lower *low, const ir_value *value, const spv_points *points, const spv_id *ids);
void spv_set_scalar(spv_lower *low, const ir_value *value, spv_id id);
void spv_set_memory(spv_lower *low, const ir_value *value); /* new memory for it */
uint32_t spv_memory_new(spv_lower *low, ir_dtype dtype, const int64_t *extents, uint32_t rank, loc at);
uint32_t spv_memory_placed(spv_lower *low, const ir_op *scratch); /* where pass place_memory says */
/* Whether two memories have words in common: scratch that is never alive together may. */
bool spv_share_words(const spv_lower *low, uint32_t one, uint32_t other);
spv_id spv_home_eval(spv_lower *low, const ir_value *value, const spv_point *point);
void spv_materialize(spv_lower *low, const ir_value *value); /* a virtual value gets a home, here */
void spv_to_memory(spv_lower *low, const ir_value *from, uint32_t memory);
/* Where an op puts its result, element by element: registers where these do, else memory. */
typedef struct spv_sink {
  const ir_value *value; /* NULL: nobody wants it */
  bool registers;
  spv_points points;
  spv_ids ids;
} spv_sink;
spv_sink spv_sink_open(spv_lower *low, const ir_value *value);
void spv_sink_keep(spv_lower *low, spv_sink *sink, const spv_point *point, spv_id id, spv_id inside);
void spv_sink_close(spv_lower *low, spv_sink *sink);

/* ---- roots ---- */
void spv_reduce_op(spv_lower *low, const ir_op *op);
void spv_scan_op(spv_lower *low, const ir_op *op);
void spv_dot_op(spv_lower *low, const ir_op *op);
void spv_region(spv_lower *low, const ir_region *region);

/* ---- cut.c: what a driver's compiler can hold (profile.max_values) ---- */
void spv_cut(spv_lower *low);                 /* between ops: divides the code when it has become long */
size_t spv_values_held(const spv_lower *low); /* by the function that was just written, at most */

/* ---- interior.c ---- */
void spv_body(spv_lower *low, const ir_region *body); /* of the kernel: once, or for interior and edge blocks */

/* ---- place.c: which loads may wait for their use ---- */
void spv_place_values(spv_lower *low);

/* ---- entry.c: the module around the kernel ---- */
typedef struct spv_entry_info {
  spv_words words;
  uint32_t workgroup_size, units_per_workgroup, max_workgroups;
  uint64_t unit_count, slab_bytes;
  size_t values_held; /* counted where the profile has a limit */
} spv_entry_info;
spv_entry_info spv_lower_kernel(spv_lower *low);
spv_id spv_shared_variable(spv_lower *low);
spv_id spv_slab_variable(spv_lower *low);
spv_id spv_single_words(spv_lower *low, uint32_t binding);
spv_id spv_word_pairs(spv_lower *low, uint32_t binding); /* u64 */
spv_id spv_slab_base(spv_lower *low);                    /* of the unit's slice, in words */

#endif
