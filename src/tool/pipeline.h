/* Where a kernel's passes are to lead, as `--for` says it. */
#ifndef KILN_SRC_TOOL_PIPELINE_H
#define KILN_SRC_TOOL_PIPELINE_H

#include "kiln/spirv.h"
#include "pass/pass.h"
#include "tool/kernel.h"

#define FOR_OPTION                                                               \
  {                                                                              \
    "--for", 0, OPTION_VALUE, false, "TARGET",                                   \
        "host (default), a profile such as baseline, or a device such as vulkan" \
  }

/* `*profile` (may be NULL) is filled for devices only. */
kiln_result pipeline_target(tool *t, pass_target *out, kiln_profile *profile);
/* Binds the sizes and runs the passes up to `last`; `*out` is for the caller to destroy, also after a failure. */
kiln_result pipeline_run(tool *t, const subject *s, const pass_target *target, pass_id last, pass_dump_fn dump,
                         void *user, ir_module **out);

#endif
