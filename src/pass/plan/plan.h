/* The plan: what a kernel will do with grid and memory once its sizes are known, as data. `kiln plan` prints it and
 * draws it. */
#ifndef KILN_SRC_PASS_PLAN_PLAN_H
#define KILN_SRC_PASS_PLAN_PLAN_H

#include "model/step.h"
#include "pass/memory.h"

enum { PLAN_STEPS_SHOWN = 48 };

/* One step's view of one operand, for the picture of the walk. */
typedef struct plan_visit {
  int64_t block[KILN_MAX_RANK];
  bool changed;
} plan_visit;

typedef struct plan_block {
  kiln_str name;
  uint32_t param;
  kiln_direction direction;
  ir_type array;
  ir_shape size;
  uint64_t bytes;    /* of one whole block */
  bool ragged;       /* some block runs past the end of the array */
  bool known;        /* the walk could be followed: not too long, no data in the index map */
  uint64_t visits;   /* how often another block comes into use, each unit beginning anew */
  plan_visit *shown; /* the first steps of the walk; NULL unless known */
} plan_block;

typedef struct plan {
  const ir_kernel *kernel; /* after the passes */
  machine_kind machine;
  pass_target target;
  step_grid grid; /* as written */
  kiln_str *axis_names;
  uint32_t dynamic;      /* bit per axis: its extent is known only at launch; counted as one step */
  uint64_t steps, units; /* of the grid; runs of its sequential axes, one unit each */
  uint32_t steps_shown;
  plan_block *blocks;
  uint32_t block_count;
  pass_memory memory;
  uint64_t kept_bytes; /* devices: what a workgroup shares besides scratch, for tiles that registers do not hold. Only
                          compiling tells: for the caller to fill in */
} plan;

/* Bytes that a workgroup shares: scratch as placed, and kept tiles. */
uint64_t plan_shared_bytes(const plan *p);

/* Runs the target's passes on `k`, which must be bound. The plan lives in `a`, and refers to the kernel. False after
 * diagnostics. */
bool plan_make(arena *a, ir_kernel *k, const pass_target *target, diag_sink *diags, plan *out);

void plan_print(const plan *p, text *out);
void plan_svg(const plan *p, text *out);

/* Used by both renderings. */
void plan_bytes(text *out, uint64_t bytes);                /* "1.5 KiB" */
void plan_point(const plan *p, uint32_t point, text *out); /* "load x", "for k", "end" */
uint32_t plan_point_line(const plan *p, uint32_t point);   /* of the kernel text; 0: none */
kiln_str plan_item_name(const plan *p, uint32_t item);
const char *plan_level_of(const plan *p, const alloc_use *use); /* of the units that have such a copy each */

#endif
