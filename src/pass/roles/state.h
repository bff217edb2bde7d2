/* Private to the files that write a role's states: what one state has of the text's values.
 *
 * What another state needs is kept in scratch, its *room*, which promote_scratch makes a carried value where it is
 * small; constants, views and arithmetic on integer scalars are made again instead. */
#ifndef KILN_SRC_PASS_ROLES_STATE_H
#define KILN_SRC_PASS_ROLES_STATE_H

#include "pass/roles/phase.h"

/* What is known where one branch begins is known where the others begin. */
typedef struct state_moment {
  uint32_t state, place;
  bool untouched;
  size_t count;
  val *values, *as;
} state_moment;

state_moment state_remember(const steps *s);
void state_recall(steps *s, const state_moment *m);
void state_forget(steps *s); /* all that is known */

bool state_is_made_again(const ir_value *v); /* as that is cheaper than to keep it */
void state_make(steps *s, const ir_value *v, val as);
val state_room(steps *s, const ir_value *v);

/* `to[i]` is kept where `as[i]` is: one room for what a loop's argument and its result are. */
void state_share_rooms(steps *s, ir_value *const *as, ir_value *const *to, uint32_t count);
/* From one region to another: all are read before any is written, as they may be one another. */
void state_hand_on(steps *s, ir_value *const *values, ir_value *const *to, uint32_t count);

#endif
