/* The one record of where a grid walk stands, and the walk that makes it.
 *
 * Index maps, the executor, pipelines, traces and the plan all read a `step_record` and nothing else. Its first two
 * fields are those of JAX's PipelineStep: the index tuple and the flat counter within this unit's share. The rules of
 * its fields stand in step_rules.def, from which the SPIR-V emitter makes instructions for them. */
#ifndef KILN_SRC_MODEL_STEP_H
#define KILN_SRC_MODEL_STEP_H

#include "ir/ir.h"

#define STEP_MAX_AXES 16
#define STEP_MAX_OPERANDS 64

/* The axes of a walk, the last one fastest. No axes: exactly one step. */
typedef struct step_grid {
  uint32_t rank;
  int64_t size[STEP_MAX_AXES];  /* at least 0; a 0 makes the walk empty */
  bool parallel[STEP_MAX_AXES]; /* steps that differ here may run in any order, on any unit */
} step_grid;

step_grid step_grid_of(const ir_kernel *k); /* bound; an axis whose extent a launch gives counts as 1 */

/* Number of steps; false when it does not fit (or a size is negative). */
bool step_count(const step_grid *grid, uint64_t *out);
void step_unflatten(const step_grid *grid, uint64_t flat, int64_t *index);
uint64_t step_flatten(const step_grid *grid, const int64_t *index);

/* The two halves of a grid: its parallel axes, one unit of work each, and the sequential ones walked inside. */
step_grid step_parallel_part(const step_grid *grid);
step_grid step_sequential_part(const step_grid *grid);
void step_merge(const step_grid *grid, const int64_t *parallel, const int64_t *sequential, int64_t *index);

/* The share of unit `which` of `units`, as JAX deals a grid to cores: ceil(parallel steps / units) whole runs of the
 * sequential axes each, in order; late units may get none. The parallel axes must be the leading ones. */
typedef struct step_share {
  uint64_t begin, end; /* flat counters of the whole grid */
} step_share;
bool step_share_of(const step_grid *grid, uint32_t units, uint32_t which, step_share *out);

/* One operand as seen by one step. */
typedef struct step_operand {
  uint32_t rank;
  int64_t block[KILN_MAX_RANK]; /* block index in each dimension of the array */
  bool changed;                 /* differs from the previous step's, or first step: to be fetched */
  bool leaves;                  /* the next step's differs, or last step: to be written back */
  uint32_t slot;                /* of the ring of `slots` buffers; moves on when the block changes */
  uint64_t visit;               /* changes so far: how often a new block came into use before this one */
} step_operand;

typedef struct step_record {
  int64_t index[STEP_MAX_AXES];
  uint64_t local, flat;             /* flat counter within this unit's share; within the whole grid */
  uint64_t local_count, flat_count; /* how many there are of each */
  uint32_t rank;
  bool first, last; /* of this unit's share */
  bool axis_first[STEP_MAX_AXES], axis_last[STEP_MAX_AXES];
  uint32_t operand_count;
  step_operand operand[STEP_MAX_OPERANDS];
} step_record;

/* The record of one step of a share, but for its operands. */
void step_record_at(const step_grid *grid, step_share share, uint64_t flat, step_record *out);

/* What the walk must know of an operand. `map` writes the block index of a grid index; it is never asked beyond the
 * share. */
typedef void (*step_map)(void *user, uint32_t operand, const int64_t *index, int64_t *block);
typedef struct step_operand_desc {
  uint32_t rank, slots; /* slots 0 counts as 1 */
} step_operand_desc;

typedef struct step_walk {
  step_grid grid;
  step_share share;
  step_map map;
  void *user;
  const step_operand_desc *operands;
  step_record record; /* the current step; valid while step_next() says true */
  bool started;
  int64_t next_block[STEP_MAX_OPERANDS][KILN_MAX_RANK];
} step_walk;

/* Prepares a walk over `share` of `grid`; step_next() moves to the first step. False when there are too many operands,
 * axes or steps. */
bool step_walk_init(step_walk *walk, const step_grid *grid, step_share share, const step_operand_desc *operands,
                    uint32_t operand_count, step_map find, void *user);
bool step_next(step_walk *walk); /* false behind the last step */

/* How one dimension of a block lies in its array. */
typedef enum block_kind {
  BLOCK_TILED,    /* block i starts at i * size */
  BLOCK_ELEMENT,  /* the index is the first element itself, less the low padding */
  BLOCK_SQUEEZED, /* one element at the index; the dimension vanishes from the ref */
  BLOCK_WHOLE     /* all of the array, whatever the index */
} block_kind;

typedef struct block_dim {
  block_kind kind;
  int64_t size;        /* elements of the block */
  int64_t array;       /* elements of the array */
  int64_t padding_low; /* ELEMENT: elements that the index space has before the array */
} block_dim;

/* Where a block lies: elements [origin + skip, origin + skip + valid) exist, the rest of [origin, origin + size) does
 * not. */
typedef struct block_window {
  int64_t origin, size, skip, valid;
} block_window;

/* The rule by which an index names a block: its first element is scale * index + offset. */
typedef struct block_rule {
  int64_t scale, offset;
} block_rule;

block_dim block_dim_of(const ir_block *block, const ir_type *array, uint32_t axis);
block_rule block_rule_of(const block_dim *dim);
block_window block_place(const block_dim *dim, int64_t index);
bool block_inside(const block_dim *dim, int64_t index); /* all of it exists */
int64_t block_count(const block_dim *dim);              /* blocks that cover the array; 0 for ELEMENT */
bool block_ragged(const block_dim *dim);                /* whether some block runs past the end */

#endif
