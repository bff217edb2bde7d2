/* The host executor's plan: a bound kernel flattened into instructions with jumps.
 *
 * How it is read: flatten.c walks the IR once, in order. Values do not become instructions one by one: shape ops and
 * loads become *operands* (memory plus strides, operand.c), elementwise ops join a *fused* loop (fuse.c), and only what
 * cannot wait is emitted. unit.c runs instructions; strip.c runs fused loops in strips that stay in the first-level
 * cache; dot.c calls the BLAS; memory.c places and clips boxes of memory; run.c deals grid points to workers.
 *
 * Memory that refs name is a *root*: a param or a scratch, a block of the model's heap (model/alloc.h) under its key.
 * Values live in one *frame* a unit: its *slots* are scalars of 8 bytes and tiles; offsets are known when the plan is
 * made. `unit->slot[s]` is a slot's address. A *box* is a rectangular part of a root that instructions work on.
 *
 * Kernels whose units order themselves run as a *crew* (crew.h): there a root's block is shared by all units below its
 * owner, and may hold barriers or semaphores instead of elements. */
#ifndef KILN_SRC_HOST_HOST_H
#define KILN_SRC_HOST_HOST_H

#include <string.h>

#include "base/context.h"
#include "base/thread.h"
#include "ir/eval/eval.h"
#include "ir/text/say.h"
#include "kiln/host.h"
#include "model/alloc.h"
#include "model/step.h"

#define HOST_NONE UINT32_MAX

enum {
  HOST_STRIP = 1024,                       /* elements that an elementwise loop handles at a time */
  HOST_STRIP_PITCH = HOST_STRIP * 8 + 192, /* bytes between strip buffers: not a multiple of a cache way */
  HOST_MAX_REGS = 96,                      /* values in one fused loop */
  HOST_ALIGN = 64
};

/* ---- memory ---- */

/* Elements somewhere in memory: a slot, or a box. Offset and strides are bytes. A box that reaches outside its array is
 * first copied to `staging`, where it lies densely: hence the second set. */
typedef struct host_operand {
  uint32_t slot, box; /* one of them is HOST_NONE */
  uint32_t staging;   /* slot; HOST_NONE when the box cannot reach outside */
  uint32_t rank;
  int64_t dims[KILN_MAX_RANK];
  int64_t offset, strides[KILN_MAX_RANK];
  int64_t dense_offset, dense_strides[KILN_MAX_RANK];
} host_operand;

/* What is known of a box when the plan is made. */
typedef struct host_box_info {
  uint32_t root; /* index into plan->roots */
  ir_dtype dtype;
  uint32_t rank;
  int64_t dims[KILN_MAX_RANK], strides[KILN_MAX_RANK]; /* elements; bytes */
  bool edge;                                           /* made by an edge view: may reach outside */
  bool inside;                                         /* known to lie inside its array */
  uint64_t run;                                        /* bytes, when all elements lie side by side in order; else 0 */
} host_box_info;

/* A box at run time. Element (i, ..) lies at root + offset + i * stride and exists where low <= i < high in every
 * dimension. */
typedef struct host_box {
  uint8_t *root;
  int64_t offset;
  bool inside; /* every element exists */
  int64_t low[KILN_MAX_RANK], high[KILN_MAX_RANK];
} host_box;

/* A param, a scratch or a peer's scratch; params come first. */
typedef struct host_root {
  kiln_str name;
  ir_kind kind;         /* memory, barriers or semaphores */
  const ir_op *made_by; /* NULL for params */
  ir_dtype dtype;
  space_id space;
  uint64_t bytes;
  uint32_t box;    /* the whole of it */
  uint32_t memory; /* roots with the same number may share memory (aliases) */
  uint32_t grain;  /* bytes of the narrowest elements that it is seen as */
} host_root;

/* ---- instructions ---- */

/* Places a box within another: one entry per dimension of `from`. */
typedef struct host_place {
  uint32_t from, to;
  uint32_t rank; /* of `from` */
  struct host_place_dim {
    bool point;
    uint32_t slot; /* start: an i32 cell, or HOST_NONE */
    int64_t start, size, stride;
    int64_t extent, parent_stride; /* of `from`; bytes */
  } dim[KILN_MAX_RANK];
} host_place;

typedef struct host_permute {
  uint32_t from, to, rank;
  uint32_t axes[KILN_MAX_RANK];
} host_permute;

typedef struct host_recast {
  uint32_t from, to;
  bool same; /* the same elements under another type */
} host_recast;

typedef struct host_check {
  host_place place;
  uint32_t box;  /* that the access works on, placed by now */
  uint32_t mask; /* slot, dense; HOST_NONE: every lane takes part */
} host_check;

/* One element, read or written without a box. */
typedef struct host_point {
  host_place place; /* `to` is HOST_NONE */
  uint32_t cell, bytes;
  uint64_t fill;
} host_point;

/* A box read to a dense tile, or written from one, under a mask if any. */
typedef struct host_access {
  uint32_t box, tile, mask, other; /* slots; mask, other may be HOST_NONE */
} host_access;

typedef struct host_scalar {
  ir_lanes_fn fn;
  uint32_t out, in[3];
} host_scalar;

typedef struct host_scratch {
  uint32_t root;
} host_scratch;

typedef struct host_move {
  uint32_t to, from; /* slots */
  uint64_t bytes;
} host_move;

typedef struct host_loop {
  uint32_t index, begin, end, step; /* cells, i32 */
} host_loop;

typedef struct host_switch {
  uint32_t index; /* cell, i32 */
  uint32_t count;
  uint32_t *targets;
} host_switch;

/* ---- fused elementwise loops ---- */

typedef struct host_input {
  host_operand at; /* over the loop's collapsed dimensions */
  uint32_t bytes;  /* of an element */
  uint32_t reg;
  ir_lanes_fn splat; /* repeats one element */
} host_input;

/* A lane loop over one strip. */
typedef struct host_micro {
  ir_lanes_fn fn;
  uint16_t out, in[3];
} host_micro;

typedef enum host_home { HOST_HOME_INPUT, HOST_HOME_STRIP, HOST_HOME_TILE, HOST_HOME_SINK } host_home;

/* Where a value of the loop lives while a strip is worked on. */
typedef struct host_reg {
  host_home home;
  uint32_t bytes;
  uint32_t index; /* input, slot or sink */
  uint32_t strip; /* buffer: for inputs and sinks, where the value is not densely in memory */
} host_reg;

/* What leaves the loop: a copy to memory, or a reduction. */
typedef struct host_sink {
  uint32_t reg;
  uint32_t bytes;
  bool stream;                 /* written past the caches */
  uint32_t strip;              /* reductions: a buffer to combine in */
  host_operand to;             /* over the collapsed dimensions; reduced ones have stride 0 */
  ir_lanes_fn combine, reduce; /* reductions */
  uint64_t identity;           /* reductions: bits of the start value */
  int64_t result_count;        /* reductions: elements of the result */
} host_sink;

typedef struct host_fused {
  int64_t dims[KILN_MAX_RANK]; /* collapsed; at least two, the last two are the rows and columns of strips */
  uint32_t rank;
  int64_t rows, columns; /* of one strip */
  uint32_t parts, split; /* parts that threads may share, along dimension `split`, */
  int64_t part;          /* of so many elements each */
  host_input *inputs;
  host_reg *regs;
  host_micro *micros;
  host_sink *sinks;
  uint32_t input_count, reg_count, micro_count, sink_count;
} host_fused;

/* ---- the rest ---- */

typedef struct host_arg { /* argmax, argmin over the middle of (outer, count, inner) */
  uint32_t in, out;       /* slots, dense; out is i32 */
  ir_dtype dtype;
  bool smallest;
  int64_t outer, count, inner;
} host_arg;

typedef struct host_scan {
  uint32_t in, out, spare; /* slots, dense; spare: one row */
  ir_lanes_fn combine, reduce;
  uint32_t bytes;
  bool reverse;
  int64_t outer, count, inner;
} host_scan;

/* Elements of a ref, each at a place of its own: loads and stores with arrays, and atomics. */
typedef struct host_indexed {
  uint32_t from, ref_rank, rank; /* box; dimensions of it and of the tile */
  int64_t sizes[KILN_MAX_RANK];  /* of the tile */
  struct host_indexed_dim {
    uint32_t slot; /* HOST_NONE, an i32 cell, or a dense i32 tile */
    bool array;
    int64_t start, stride;
    uint32_t axis;                 /* of the tile, for ranges; HOST_NONE for points */
    int64_t extent, parent_stride; /* of the box; bytes */
  } dims[KILN_MAX_RANK];
  uint32_t arrays_at, arrays_rank;            /* axes of the tile that number the arrays' elements */
  uint32_t value, old, mask, other, expected; /* slots, dense; HOST_NONE where there is none */
  ir_lanes_fn combine;                        /* atomics; NULL: store, exchange */
  uint32_t bytes;
  uint64_t fill;
} host_indexed;

/* What an instruction of a crew works on; HOST_NONE where there is nothing. */
typedef struct host_crew_op {
  ir_what what;               /* await */
  uint32_t from, to, right;   /* boxes: of a copy, a product (to: the sum, from: the left factor), a peer */
  uint32_t more[3];           /* boxes: scales of the factors, which elements are there */
  uint32_t tile;              /* slot, dense: the left factor when it is no ref */
  uint32_t sync;              /* box: the barrier or semaphore */
  uint32_t amount, device;    /* cells, i32 */
  uint32_t condition, out;    /* cells */
  uint32_t at[KILN_MAX_RANK]; /* cells, i32: coordinates of a peer */
} host_crew_op;

/* A value that is printed, or a condition: the dense tile in a slot. */
typedef struct host_said {
  uint32_t slot;
  ir_said value;
} host_said;

typedef struct host_say {
  kiln_str words;
  uint32_t count;
  host_said *values;
} host_say;

/* A box of a dense tile, at computed starts that are clamped: copied to a dense part, or from it. */
typedef struct host_window {
  uint32_t whole, part; /* slots */
  bool write;
  uint32_t rank, bytes;
  int64_t dims[KILN_MAX_RANK], sizes[KILN_MAX_RANK];
  uint32_t starts[KILN_MAX_RANK]; /* cells, i32 */
} host_window;

/* Elements at the places that index tiles say, clamped. */
typedef struct host_take {
  uint32_t in, out; /* slots, dense */
  uint32_t rank, bytes;
  int64_t count; /* elements of the result */
  int64_t dims[KILN_MAX_RANK];
  uint32_t indices[KILN_MAX_RANK]; /* slots, dense, i32 */
} host_take;

typedef struct host_sort_part {
  uint32_t in, out; /* slots, dense; out may be HOST_NONE */
  ir_dtype dtype;
  uint32_t bytes;
} host_sort_part;

typedef struct host_sort {
  host_sort_part *parts; /* keys first */
  uint32_t part_count, key_count;
  uint32_t spare; /* slot: 8 bytes for each key and two numbers, for every element of a row */
  int64_t outer, count, inner;
} host_sort;

typedef enum host_dot_kind {
  HOST_DOT_F32,
  HOST_DOT_F64,
  HOST_DOT_32,
  HOST_DOT_64,
  HOST_DOT_16,
  HOST_DOT_8
} host_dot_kind;

typedef struct host_dot {
  host_dot_kind kind;
  int64_t batch, m, n, k;
  int64_t parts, part;  /* every batch has so many parts, of so many rows each, */
  bool shared;          /* which threads may share */
  host_operand a, b, c; /* rank 3: batch, rows, columns; integers are dense */
  bool accumulate;
} host_dot;

typedef enum host_code {
#define HOST_OP(id) HOST_##id,
#define CREW_OP(id, function) HOST_##id,
#include "host/host_ops.def"
  HOST_CODE_COUNT,
  HOST_CREW_OPS = HOST_END + 1 /* from here on instructions of crews */
} host_code;

typedef struct host_instr {
  host_code code;
  uint32_t target;     /* jumps */
  const void *detail;  /* by code, see host_ops.def */
  const ir_op *source; /* for faults */
} host_instr;

/* ---- the plan ---- */

typedef struct host_slot {
  uint64_t bytes, offset;
  const void *constant; /* lies in the plan, not in the frame; NULL otherwise */
} host_slot;

typedef struct host_unit host_unit;
typedef struct host_faults host_faults;
struct host_trace;

struct kiln_host_plan {
  kiln_context *context;
  struct host_turns { /* what workers take turns at: atomics, prints, checks; NULL when there are none */
    mutex *lock;
    uint64_t failed; /* checks, in the present launch */
  } * turns;
  arena arena;
  ir_module *module; /* owned: the bound kernel */
  const ir_kernel *kernel;
  bool check;
  uint64_t seed, step_limit, memory_limit;
  kiln_order order;
  kiln_timing timing;
  uint32_t longest_schedule, resident;
  const struct chooser *by; /* of each step of a launch; NULL: the seed chooses */
  arena explored;           /* what the last exploration tells */
  void (*progress)(void *user, double fraction);
  void *progress_user;
  void (*print)(void *user, const char *line, size_t size);
  void *print_user;
  struct host_trace *trace; /* of the next launch; NULL: none */

  host_instr *code;
  uint32_t code_count;
  host_slot *slots;
  uint32_t slot_count;
  host_box_info *boxes;
  uint32_t box_count;
  host_root *roots;
  uint32_t root_count;
  uint32_t axis_slots[KILN_MAX_RANK * 2];
  uint32_t team_slots[KILN_MAX_RANK * IR_TEAM_COUNT];
  struct host_step { /* sequential grid axes, which are loops by now */
    kiln_str name;
    uint32_t slot;
  } steps[KILN_MAX_RANK * 2];
  uint32_t step_count;
  bool divides; /* some fused loop or product has parts for several threads */
  bool calls_blas;
  uint32_t strip_count;   /* buffers that the widest fused loop needs */
  uint64_t cell_bytes;    /* of scalars, at the frame's start */
  uint64_t strips_offset; /* of the strip buffers in the frame, behind the slots */
  uint64_t frame_bytes;
  uint64_t scratch_bytes; /* most that is alive at a time */
  step_grid grid;         /* the parallel one: a unit runs each of its steps */
  uint64_t points;        /* how many those are */
  kiln_host_usage usage;  /* of crews, in the latest launch */
  uint64_t work;          /* lanes computed by each, roughly; UINT64_MAX when there are loops */
  bool crew;              /* points are clusters of units that order themselves */

  machine_kind kind;
  machine machine;     /* with a unit for each worker */
  alloc_heap *heap;    /* of what all units share: the params */
  alloc_block **block; /* by param */
  key_serials serials; /* behind the params */
  pool *pool;          /* the context's; NULL until it is needed */
  host_unit **workers; /* one per thread */
  uint32_t worker_count, worker_room;
  uint8_t
      *team_strips; /* when a single unit shares its loops with the pool: strip buffers of all but the first thread */
};

/* ---- a unit: a resumable interpreter ---- */

/* BLOCKED: the instruction is to be run again. YIELDED: it is done, and may well be repeated until others have run. */
typedef enum host_status { HOST_RUNNING, HOST_BLOCKED, HOST_YIELDED, HOST_DONE, HOST_FAILED } host_status;

struct host_unit {
  const kiln_host_plan *plan;
  uint32_t pc;
  uint64_t steps;   /* instructions run since the unit was started */
  step_record step; /* where it stands in the parallel grid */
  unit_id id;       /* in the plan's machine */
  alloc_heap *heap; /* of what the unit alone owns: its scratch */
  bool owns_heap;
  key_serials serials;
  alloc_block **block; /* by root; NULL for scratch that is not alive */
  void *memory;        /* of `bytes` bytes; the frame lies in it, aligned */
  uint8_t *frame;
  uint8_t **slot;
  host_box *box;
  host_faults *faults;        /* NULL unless checking */
  struct crew_member *member; /* its place in a crew, which then owns the heap; NULL: it runs alone */
  size_t bytes;
  struct trace_unit *trace; /* NULL unless a trace is recorded */
};

/* Bytes of the strip buffers that one thread needs. */
static inline size_t host_strip_bytes(const kiln_host_plan *plan) {
  return (size_t)plan->strip_count * HOST_STRIP_PITCH;
}

/* The buffers of a team, but for the first thread's, which are in the frame. */
static inline size_t host_team_bytes(const kiln_host_plan *plan) {
  return (plan->context->threads - 1) * host_strip_bytes(plan) + HOST_ALIGN;
}

static inline uint8_t *host_aligned(void *memory) {
  return (uint8_t *)(((uintptr_t)memory + HOST_ALIGN - 1) & ~(uintptr_t)(HOST_ALIGN - 1));
}

/* unit.c */
unit_id host_program_unit(const kiln_host_plan *plan, uint32_t ordinal);   /* of those that run programs */
host_unit *host_unit_create(const kiln_host_plan *plan, alloc_heap *heap); /* heap NULL: one of its own */
void host_unit_destroy(host_unit *unit);
/* Puts the unit at the start of grid point `point`. */
void host_unit_start(host_unit *unit, uint64_t point, host_faults *faults);
void host_bind_root(host_unit *unit, uint32_t root, alloc_block *block); /* from now on the root is this block */
static inline int32_t host_cell(const host_unit *unit, uint32_t slot) {
  int32_t value;
  memcpy(&value, unit->slot[slot], sizeof value);
  return value;
}
static inline void host_set_cell(host_unit *unit, uint32_t slot, int32_t value) {
  memcpy(unit->slot[slot], &value, sizeof value);
}
/* Runs up to `budget` instructions. FAILED: memory is out, or a fault ends the launch. */
host_status host_unit_step(host_unit *unit, uint64_t budget);

/* params.c: the arrays of a launch as blocks of the plan's heap */
bool host_params_place(kiln_host_plan *plan, const kiln_array *arrays); /* false when memory is out */

/* memory.c */
void host_place_box(host_unit *unit, const host_place *place);
void host_permute_box(host_unit *unit, const host_permute *permute);
bool host_recast_box(host_unit *unit, const host_recast *recast); /* false: a part of the box is outside */
int64_t host_box_count(const host_box_info *info);                /* elements */
bool host_box_empty(const host_box *box, uint32_t rank);
/* The next row of a box that is not empty, in row-major order, from index = low on; false behind the last. */
bool host_next_row(const host_box *box, uint32_t rank, int64_t *index);
/* Copies the elements that exist between a box and a dense tile; what does not exist stays as it is. */
void host_box_move(const host_box *box, const host_box_info *info, uint8_t *tile, bool write);
/* Copies a box to another one of the same dimensions; all elements of both exist. */
void host_box_copy(const host_box *to, const host_box_info *to_info, const host_box *from,
                   const host_box_info *from_info);
/* The bytes from its offset on that a box is, when that is all it is; else 0. */
static inline uint64_t host_box_run(const host_box *box, const host_box_info *info) {
  return box->inside ? info->run : 0;
}
uint64_t host_run_bytes(const host_box_info *info); /* what `run` is to be */
void host_box_read(host_unit *unit, uint32_t box, uint8_t *tile);
void host_box_write(host_unit *unit, uint32_t box, const uint8_t *tile);
/* A row of a box: element i lies at root + offset + i * stride and exists where low <= i < high. */
typedef struct host_row {
  uint8_t *root;
  int64_t offset, stride, low, high, columns;
  int64_t at; /* number of its first element in the dense tile */
  uint32_t bytes;
} host_row;
static inline uint8_t *host_row_element(const host_row *row, int64_t i) {
  return row->root + row->offset + i * row->stride;
}
/* Calls `each` for every row of the box in row-major order. */
typedef void (*host_row_fn)(void *user, host_unit *unit, const host_access *access, const host_row *row);
void host_each_row(host_unit *unit, const host_access *access, host_row_fn each, void *user);
void host_masked_read(host_unit *unit, const host_access *access);
void host_masked_write(host_unit *unit, const host_access *access);
void host_point_read(host_unit *unit, const host_point *point);
void host_point_write(host_unit *unit, const host_point *point);
/* Where the operand's first element lies; `*strides` gets the set that holds there. Stages a box that reaches outside.
 */
uint8_t *host_resolve(host_unit *unit, const host_operand *at, const int64_t **strides);
/* The same for writing: the staging memory of such a box is not read first. */
uint8_t *host_target(host_unit *unit, const host_operand *at, const int64_t **strides);
/* A dense copy past the caches; seen by other threads after host_stream_end. */
void host_stream(uint8_t *to, const uint8_t *from, size_t bytes);
void host_stream_end(void);
void host_fill(void *out, uint64_t bits, uint32_t bytes, int64_t count);
/* Copies a rows x columns part between strided memories. */
void host_copy_strided(uint8_t *to, int64_t to_row, int64_t to_column, const uint8_t *from, int64_t from_row,
                       int64_t from_column, int64_t rows, int64_t columns, uint32_t bytes);

/* One element's bits. A load of its own width: reading eight bytes of which four were just stored would stall. */
static inline uint64_t host_bits(const void *from, uint32_t bytes) {
  switch (bytes) {
    case 1: return *(const uint8_t *)from;
    case 2: return *(const uint16_t *)from;
    case 4: return *(const uint32_t *)from;
    default: return *(const uint64_t *)from;
  }
}

/* scattered.c */
host_status host_run_indexed(host_unit *unit, const host_indexed *access, const ir_op *op);

/* say.c */
bool host_run_print(host_unit *unit, const host_say *say); /* false: memory is out */
void host_run_check(host_unit *unit, const host_say *say, const ir_op *op);

/* indexed.c */
void host_run_window(host_unit *unit, const host_window *window);
void host_run_take(host_unit *unit, const host_take *all);
void host_run_sort(host_unit *unit, const host_sort *sort);

/* strip.c, reduce.c, dot.c */
void host_run_fused(host_unit *unit, const host_fused *f);
void host_run_arg(host_unit *unit, const host_arg *arg);
void host_run_scan(host_unit *unit, const host_scan *scan);
/* c[m, n] (+)= a[m, k] b[k, n] of f32, every element summed over k in order by fused multiply-add, each `part` of k by
 * itself. Strides are elements; the columns of c lie side by side. False, and nothing done, on CPUs without such an
 * instruction. */
typedef struct host_ordered_dot {
  const float *a, *b;
  float *c;
  int64_t m, n, k, a_row, a_column, b_row, b_column, c_row;
  int64_t part; /* k, or what host_ordered_part says */
  bool accumulate;
} host_ordered_dot;
/* The part that XLA's CPU code takes: where few rows meet a large b, not more of b than a cache holds. */
int64_t host_ordered_part(const host_ordered_dot *d);
bool host_ordered_product(const host_ordered_dot *d);
bool host_ordered_here(void); /* whether this CPU has one */
host_dot_kind host_dot_kind_of(ir_dtype wide);
void host_run_dot(host_unit *unit, const host_dot *dot);
/* c[m, n] = a[m, k] b[k, n], all dense, of a type as wide as ir_dtype_wide makes it. */
void host_product(ir_dtype dtype, int64_t m, int64_t n, int64_t k, const void *a, const void *b, void *c);
void host_blas_threads(int threads, int *before);

/* names.c */
typedef enum host_places { HOST_PLACES_ALL, HOST_PLACES_BLOCK, HOST_PLACES_THREADS } host_places;
/* "g 0, c 1, t 0", behind `before`: a thread's places on the axes of grid and teams, or those of its block, or those in
 * its block. False, and nothing written, when there are no such axes. */
bool host_name_places(text *t, const kiln_host_plan *plan, unit_id thread, host_places which, const char *before);
void host_name_unit(text *t, const kiln_host_plan *plan, unit_id id);   /* unit (g 0, c 1, t 0, warp 2) */
void host_describe_unit(const host_unit *unit, char *out, size_t size); /* empty when memory is out */
void host_name_element(text *t, const kiln_host_plan *plan, const host_root *root, uint64_t element); /* full[1, 2] */

/* flatten.c: fills code, slots, boxes, roots; leaves by the arena's guard when memory is out. False after diagnostics.
 */
bool host_flatten(kiln_host_plan *plan);

/* check.c */
host_faults *host_faults_create(const kiln_host_plan *plan);
void host_faults_destroy(host_faults *faults);
size_t host_faults_count(const host_faults *faults);
/* An access to one element of a box, by its index, that is a fault. */
void host_fault(host_unit *unit, diag_id id, uint32_t box, const int64_t *index, uint32_t rank, const ir_op *op);
alloc_block *host_block_of(const host_unit *unit, uint32_t box); /* the memory that a box is part of */
void host_check_bounds(host_unit *unit, const host_check *check, const ir_op *op);
void host_check_read(host_unit *unit, const host_access *access, const ir_op *op);
void host_mark_written(host_unit *unit, const host_access *access, const ir_op *op);

#endif
