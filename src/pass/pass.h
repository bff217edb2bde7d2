/* Passes: IR -> IR on a bound kernel. passes.def is the list in order; the runner verifies after each in checking
 * builds and hands every stage to a dump callback, which is all that `kiln passes` is. */
#ifndef KILN_SRC_PASS_PASS_H
#define KILN_SRC_PASS_PASS_H

#include "ir/ir.h"
#include "kiln/spirv.h"

/* Where a pass is good for; CREW: also for kernels whose units order themselves, so that memory changes meanwhile. */
enum { P_HOST = 1, P_SPIRV = 2, P_CREW = 4 };

typedef enum pass_id {
#define PASS(id, function, targets, doc) PASS_##id,
#include "pass/passes.def"
#undef PASS
  PASS_COUNT
} pass_id;

/* What passes may know of where the kernel will run. */
typedef struct pass_target {
  uint32_t kind;          /* P_HOST or P_SPIRV */
  uint32_t lanes;         /* SPIRV: invocations of a unit (its subgroup) */
  uint32_t shared_memory; /* SPIRV: bytes */
  bool check;             /* HOST: keep every access to memory as written, for a checker to see */
  uint32_t workgroup;     /* SPIRV: invocations, at most */
  uint32_t polls;         /* SPIRV: see kiln_profile */
  kiln_units units;       /* SPIRV: how several become one */
  bool in_turn;           /* SPIRV: roles run one after the other anyway, so one subgroup may as well run all */
} pass_target;

enum { PASS_POLLS_MOST = 1 << 30 };
enum { PASS_ROLE_KEEPS = 256 }; /* elements a lane, of a tile that a role keeps in registers */
pass_target pass_device_target(const kiln_profile *profile, kiln_units units);

typedef struct pass_ctx {
  ir_kernel *kernel; /* changed in place; lives in kernel->module's arena */
  const pass_target *target;
  diag_sink *diags;
} pass_ctx;

typedef void (*pass_dump_fn)(void *user, pass_id id, const ir_kernel *kernel);

/* Runs the target's passes up to and including `last` (PASS_COUNT: all). `dump` may be NULL. After
 * diagnostics, what they come to. */
kiln_result pass_run(ir_kernel *kernel, const pass_target *target, diag_sink *diags, pass_id last, pass_dump_fn dump,
                     void *user);
const char *pass_name(pass_id id);
const char *pass_doc(pass_id id);
bool pass_find(kiln_str name, pass_id *out);

#define PASS(id, function, targets, doc) bool function(pass_ctx *c);
#include "pass/passes.def"
#undef PASS

#endif
