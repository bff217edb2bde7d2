/* Machines as data: a tree of levels of units, and memory spaces that each belong to a level.
 *
 * `machines.def` holds the kinds; a `machine` is one kind with the sizes of a launch filled in. Whatever differs
 * between a GPU and a TPU (who shares which memory, how many copies there are, who runs a program) is read from these
 * tables. */
#ifndef KILN_SRC_MODEL_MACHINE_H
#define KILN_SRC_MODEL_MACHINE_H

#include "ir/ir.h"

#define MACHINE_MAX_LEVELS 5
#define MACHINE_MAX_UNITS (UINT32_C(1) << 30)

typedef enum machine_kind {
#define MACHINE(id, program, global, shared, tiles, doc) MACHINE_##id,
#include "model/machines.def"
  MACHINE_KINDS
} machine_kind;

/* Levels of all machines, in table order: LEVEL_GPU_DEVICE .. LEVEL_TPU_SUBCORE. A level's depth is its place in its
 * tree. */
typedef enum level_id {
#define LEVEL(machine, id, name, size, doc) LEVEL_##machine##_##id,
#include "model/machines.def"
  LEVEL_COUNT
} level_id;

/* Depths of a GPU's levels. */
enum {
  DEPTH_GPU_DEVICE,
  DEPTH_GPU_CLUSTER = LEVEL_GPU_CLUSTER - LEVEL_GPU_DEVICE,
  DEPTH_GPU_BLOCK = LEVEL_GPU_BLOCK - LEVEL_GPU_DEVICE,
  DEPTH_GPU_THREAD = LEVEL_GPU_THREAD - LEVEL_GPU_DEVICE,
  DEPTH_GPU_WARP = LEVEL_GPU_WARP - LEVEL_GPU_DEVICE
};

/* Spaces of all machines; GPU and TPU `smem` are two spaces with one name. */
typedef enum space_id {
#define SPACE(machine, id, owner, storage, limit, align, doc) SPACE_##machine##_##id,
#include "model/machines.def"
  SPACE_COUNT
} space_id;

typedef enum space_storage { SPACE_BUFFER, SPACE_WORKGROUP, SPACE_PRIVATE } space_storage;

typedef struct machine_info {
  ir_machine named;
  const char *doc;
  level_id top, program; /* the level of depth 0; the level whose units run programs */
  space_id global, shared, tiles;
} machine_info;

typedef struct level_info {
  const char *name, *doc;
  machine_kind machine;
  uint32_t depth, size;
} level_info;

typedef struct space_info {
  ir_space named;
  const char *doc;
  machine_kind machine;
  uint32_t depth; /* of the owning level */
  space_storage storage;
  uint64_t limit;
  uint32_t align;
} space_info;

const machine_info *machine_info_of(machine_kind kind);
const level_info *level_info_of(level_id level);
const space_info *space_info_of(space_id space);
static inline const char *machine_name(machine_kind kind) { return ir_machine_name(machine_info_of(kind)->named); }
static inline const char *space_name(space_id space) { return ir_space_name(space_info_of(space)->named); }

bool machine_find_level(machine_kind kind, kiln_str name, level_id *out); /* false when there is none */
/* What a machine has for a space that a text names; false when nothing. `gmem` is every machine's global memory. */
bool machine_space(machine_kind kind, ir_space named, space_id *out);

/* The machine that a kernel is written for: the one it says, or the first that has all spaces it names. False after a
 * diagnostic when a ref is in a space that the machine does not have. */
bool machine_of_kernel(const ir_kernel *k, diag_sink *diags, machine_kind *out);

/* A machine of a launch. Arrays are indexed by depth. Units are numbered level by level, see model/unit.h. */
typedef struct machine {
  machine_kind kind;
  uint32_t levels;
  uint32_t size[MACHINE_MAX_LEVELS];  /* units within one unit of the level above */
  uint32_t count[MACHINE_MAX_LEVELS]; /* units in the whole machine */
  uint32_t first[MACHINE_MAX_LEVELS]; /* number of the level's first unit */
  uint32_t units;                     /* all of them */
  uint64_t limit[SPACE_COUNT];        /* bytes in one copy; 0 = none */
} machine;

/* Fills `out` with the sizes of the table, where `sizes[depth]` (may be NULL) is 0, or the given one. False when the
 * tree would have more than MACHINE_MAX_UNITS units. */
bool machine_make(machine_kind kind, const uint32_t *sizes, machine *out);

level_id machine_level(const machine *m, uint32_t depth);
uint32_t machine_copies(const machine *m, space_id space); /* how many copies of the space exist */

#endif
