/* Private to the files that make a plan: what is known of each value while the IR is walked.
 *
 * A value is, at any moment: *at* some operand (memory and strides), a *register* of the open fused loop, *pending* (a
 * reduction that the open loop ends with), or a *product* (a dot that waits for the addition it may become part of).
 * Instructions emitted while a fused loop is open go before it; hence the loop is closed where order matters. */
#ifndef KILN_SRC_HOST_FLAT_FLATTEN_H
#define KILN_SRC_HOST_FLAT_FLATTEN_H

#include "host/host.h"

/* Memory that values view. It may be used again when nobody uses, holds or pins it. */
typedef struct flat_tile {
  uint32_t slot;
  uint32_t uses;  /* uses to come, by all values that view it */
  uint32_t holds; /* loops and branches around the current op that still read it in their next turn */
  bool pinned;    /* a loop's or branch's own result */
} flat_tile;

typedef enum flat_kind { FLAT_NONE, FLAT_AT, FLAT_REG, FLAT_PENDING, FLAT_PRODUCT } flat_kind;

typedef struct flat_value {
  flat_kind kind;
  uint32_t left; /* uses to come */
  uint32_t tile; /* HOST_NONE: not in a tile */
  uint32_t reg;
  uint32_t box; /* refs */
  host_operand *at;
  const host_place *place; /* of a box that was read and is not copied yet; NULL for whole refs */
  const ir_region *home;   /* where the value was made: only there may it be moved */
  const ir_op *product;
} flat_value;

/* A sink of the open loop, over its uncollapsed dimensions. */
typedef struct flat_sink {
  host_sink sink;
  uint32_t result; /* reductions: value id */
  bool narrow;     /* reductions of narrow floats are made in f32 */
  uint32_t memory; /* stores: what is written; HOST_NONE otherwise */
} flat_sink;

typedef struct flat_reg {
  uint32_t bytes;
  uint32_t input;   /* or HOST_NONE */
  uint32_t made_by; /* micro; HOST_NONE for inputs */
  uint32_t tile;    /* to be computed into this tile; HOST_NONE: free choice */
} flat_reg;

/* `one[k]` is the loop for an operand k that is one element; NULL where there is none, as for all but two operands. */
typedef struct flat_micro {
  host_micro run;
  ir_lanes_fn one[2];
} flat_micro;

typedef struct flat_input {
  host_operand at;
  const host_operand *key; /* the value's own operand: one input per operand */
  uint32_t bytes, reg, tile;
  uint32_t memory; /* boxes: what is read; HOST_NONE otherwise */
  const host_place *place;
  uint32_t from;
} flat_input;

typedef struct flat_group {
  bool open;
  uint32_t rank;
  int64_t dims[KILN_MAX_RANK];
  flat_input inputs[HOST_MAX_REGS];
  flat_reg regs[HOST_MAX_REGS];
  flat_micro micros[HOST_MAX_REGS];
  flat_sink sinks[HOST_MAX_REGS];
  uint32_t input_count, reg_count, micro_count, sink_count;
  VEC(uint32_t) values; /* ids of values in registers */
  VEC(uint32_t) taken;  /* tiles: uses that end with the loop */
  const ir_op *source;
} flat_group;

typedef struct flat {
  kiln_host_plan *plan;
  arena *arena;
  diag_sink *diags;
  const ir_kernel *kernel;
  bool too_large;     /* something does not even fit the limits of a plan */
  flat_value *values; /* by id */
  flat_tile *tiles;
  size_t tile_capacity;
  uint32_t tile_count;
  VEC(host_instr) code;
  VEC(host_slot) slots;
  VEC(alloc_item) items; /* lifetimes of slots that are not cells */
  VEC(uint32_t) item_slots;
  VEC(host_box_info) boxes;
  VEC(host_root) roots;
  VEC(host_scratch *) scratch; /* alive here */
  uint64_t scratch_now;        /* bytes of it */
  VEC(uint32_t) lazy;          /* ids of values that are boxes not copied yet */
  VEC(uint32_t) products;      /* ids of values that are products */
  VEC(uint32_t) borrowed;      /* tiles that the current op alone needs */
  const ir_value **by_id;
  const ir_region *region;
  const ir_op *source;
  uint64_t cell_bytes;
  flat_group group; /* the open loop */
  flat_group lone;  /* one that is emitted as soon as it is filled in */
} flat;

/* slots.c */
uint32_t flat_emit(flat *f, host_code code, const void *detail);
uint32_t flat_cell(flat *f);
uint32_t flat_slot(flat *f, uint64_t bytes);
void flat_free_slot(flat *f, uint32_t slot);
uint32_t flat_constant(flat *f, const void *bytes, uint64_t size);
uint32_t flat_tile_new(flat *f, uint64_t bytes, uint32_t uses);
uint32_t flat_tile_of(flat *f, uint32_t slot, uint32_t uses);
void flat_tile_add(flat *f, uint32_t tile, uint32_t uses);
void flat_tile_take(flat *f, uint32_t tile);
void flat_tile_release(flat *f, uint32_t tile); /* frees it if nothing needs it any more */
bool flat_layout(flat *f);
void flat_count_strips(flat *f, uint32_t strips);

/* operand.c */
host_operand *flat_operand_dense(flat *f, const ir_type *type, uint32_t slot);
host_operand *flat_operand_box(flat *f, const ir_type *type, uint32_t box);
bool flat_is_dense(const host_operand *at, uint32_t bytes);
host_operand *flat_broadcast(flat *f, const host_operand *at, const ir_type *type, const ir_list *axes);
host_operand *flat_transpose(flat *f, const host_operand *at, const ir_list *axes);
host_operand *flat_slice(flat *f, const host_operand *at, const ir_list *start, const ir_list *size,
                         const ir_list *stride);
host_operand *flat_reverse(flat *f, const host_operand *at, const ir_list *axes);
host_operand *flat_reshape(flat *f, const host_operand *at, const ir_type *type,
                           uint32_t bytes); /* NULL: must be copied */
void flat_dense_strides(const int64_t *dims, uint32_t rank, int64_t bytes, int64_t *out);

/* value.c */
flat_value *flat_value_of(flat *f, const ir_value *v);
void flat_set_at(flat *f, const ir_value *v, host_operand *at, uint32_t tile);
/* Takes one use of `v`, which is at an operand. */
void flat_take(flat *f, const ir_value *v);
host_operand *flat_at(flat *f, const ir_value *v); /* its operand; closes the loop or emits the product if it must */
uint32_t flat_dense(flat *f, const ir_value *v);   /* a slot that holds it densely, copied there if need be */
void flat_copy(flat *f, const host_operand *from, const host_operand *to, uint32_t bytes);
host_operand *flat_converted(flat *f, const host_operand *at, ir_dtype from,
                             ir_dtype to);                                         /* to a tile of the current op */
void flat_share(flat *f, const ir_value *v, const ir_value *of, host_operand *at); /* v views what `of` lies in */
/* Copies what was read from memory that is about to change; HOST_NONE: any may. */
void flat_settle_lazy(flat *f, uint32_t memory);
void flat_settle_products(flat *f);
void flat_settle_all(flat *f); /* all that was read so far is read before what is emitted next */
uint32_t flat_result_tile(flat *f, const ir_value *v); /* a fresh dense tile for v; v is at it */

/* fuse.c */
void flat_group_begin(flat *f, const int64_t *dims, uint32_t rank);
uint32_t flat_group_value(flat *f, const ir_value *v); /* the register that holds v; takes a use */
uint32_t flat_group_input(flat *f, const host_operand *at, uint32_t bytes, uint32_t tile);
/* The register that will hold `fn`, or an op, of some others. */
uint32_t flat_group_micro(flat *f, ir_lanes_fn fn, const uint32_t *in, uint32_t count, uint32_t bytes);
uint32_t flat_group_map(flat *f, ir_code code, ir_dtype dtype, const uint32_t *in, uint32_t count, uint32_t bytes);
void flat_group_result(flat *f, const ir_value *v, uint32_t reg);
flat_sink *flat_group_sink(flat *f, uint32_t reg, const host_operand *to, uint32_t bytes);
void flat_close(flat *f);
bool flat_group_writes(const flat *f, uint32_t memory);
/* An empty loop that is not the open one; fill it in, then emit it before there is another. */
flat_group *flat_lone_begin(flat *f, const int64_t *dims, uint32_t rank);
void flat_standalone(flat *f, const flat_group *g);

/* lower_indexed.c */
void flat_dynamic_slice(flat *f, const ir_op *op);
void flat_update(flat *f, const ir_op *op);
void flat_take_op(flat *f, const ir_op *op);
void flat_sort(flat *f, const ir_op *op);
void flat_say(flat *f, const ir_op *op);     /* print, check */
void flat_indexed(flat *f, const ir_op *op); /* a load or store with arrays, an atomic */
void flat_bitcast_width(flat *f, const ir_op *op);

/* lower.c, lower_dot.c, lower_memory.c, flow.c */
/* The dimensions before an axis, the axis, and those behind it. */
void flat_split_axis(const ir_value *x, uint32_t axis, int64_t *outer, int64_t *count, int64_t *inner);
void flat_op(flat *f, const ir_op *op);
void flat_pure(flat *f, const ir_op *op);
void flat_dot(flat *f, const ir_op *op);
void flat_product(flat *f, const ir_value *v);
bool flat_accumulate(flat *f, const ir_op *add); /* an addition to a product: true when it was taken care of */
void flat_load(flat *f, const ir_op *op);
void flat_store(flat *f, const ir_op *op);
void flat_view(flat *f, const ir_op *op);
void flat_permute(flat *f, const ir_op *op);
void flat_recast(flat *f, const ir_op *op);
void flat_scratch(flat *f, const ir_op *op);
uint32_t flat_root(flat *f, const ir_value *ref);
void flat_release_scratch(flat *f, size_t kept); /* all but the `kept` oldest */
uint32_t flat_memory_of(const flat *f, uint32_t box);
uint32_t flat_peer_box(flat *f, const ir_op *op);
/* lower_sync.c */
void flat_crew_op(flat *f, const ir_op *op);
void flat_warps(flat *f, const ir_op *op);
void flat_await_products(flat *f, const ir_value *ref); /* before a load or store of it */
/* All ops of a region but its yield; what it yields is still to be read before the end. */
typedef struct flat_scope {
  const ir_region *outer;
  size_t scratch;
} flat_scope;
flat_scope flat_region_begin(flat *f, const ir_region *region);
void flat_region_end(flat *f, flat_scope scope);
void flat_control(flat *f, const ir_op *op);

static inline uint32_t flat_bytes(const ir_value *v) { return (uint32_t)ir_dtype_bytes(v->type.dtype); }

#endif
