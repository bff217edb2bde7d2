/* What a kernel tells from a device: its log, and records in it (ir/log.h). */
#ifndef KILN_SRC_PASS_TELL_H
#define KILN_SRC_PASS_TELL_H

#include "ir/log.h"
#include "pass/expand/expand.h"

/* The kernel's log, made if there is none, with room for what more is told; the numbers of that follow on those that
 * are there. */
val tell_log(pass_ctx *c, const ir_told *more, uint32_t count);
/* Units have become so many roles of a cluster, which stop when asked, and look so often before they give up; 0 where
 * they take steps in rounds. */
void tell_roles(pass_ctx *c, uint32_t roles, uint32_t polls);
/* The kernel's log has a word by which the host asks it to stop, and whether it does: a scalar bool. */
void tell_stops(pass_ctx *c);
val tell_stop_asked(ir_builder *b);
void tell_ask_stop(ir_builder *b); /* as the host does */
/* A record at the builder's place: the number, a u32 scalar, and what the values are. */
void tell_record(ir_builder *b, val number, val const *values, uint32_t count);

#endif
