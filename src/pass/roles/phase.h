/* Private to phase_roles and spin_roles: roles as machines that take steps, or as texts that wait (spin.c).
 *
 * A *role* is one unit of a cluster: a thread of one of its blocks. Its text is the kernel's with its own place in all
 * teams; `steps.c` cuts it at every wait into *states*. All roles run in *rounds*: each goes from the wait it stands
 * at to the next one that is not over yet, or once through a loop, and at the end of the round all meet.
 *
 * The warps of a thread are its *parts*: machines of their own, which take their steps in the one state of the thread
 * in which it is split. So they see what it keeps, and hear what it hears.
 *
 * A *tally* is one block's barrier or semaphore array as counters. What is told (arrivals, signals) goes to the round's
 * own row of `told`, and is heard by everybody in the next round: nobody looks at what others write meanwhile, so a
 * round comes out the same in whatever order its roles run. Rows are three, as one is written, one read and one
 * cleared. */
#ifndef KILN_SRC_PASS_ROLES_PHASE_H
#define KILN_SRC_PASS_ROLES_PHASE_H

#include "pass/tell.h"
#include "pass/util.h"

enum {
  PHASE_ROWS = 3,
  PHASE_MOVED = 1 << 16, /* what `flags` counts: roles that are not at their end, from here those that moved, */
  PHASE_STOP = 1 << 28,  /* and whether the host asks to stop */
  PHASE_PARTS = 4,       /* warps of a thread (model/machines.def) */
  PHASE_ROLES_MOST = PHASE_STOP / PHASE_MOVED - 1
};

typedef struct tally {
  const ir_value *made; /* the array in the kernel's text */
  uint32_t block;
  int64_t count;   /* elements */
  int64_t need;    /* arrivals of a phase; 0: a semaphore */
  val told;        /* i32[PHASE_ROWS, count], shared; i32[count] where roles spin */
  val sums;        /* i32[count], shared: what all who wait have taken; only where several spin */
  bool kept;       /* some wait leaves what it waited for */
  bool shared;     /* a semaphore that several roles take from: in turns, and who takes tells less than nothing */
  uint32_t ending; /* 1 + the number in the log of what it ends with; 0: nothing is told of that yet */
} tally;

typedef struct role {
  uint32_t block, thread;
  ir_region *text;
  val state, moved;   /* scratch of its own, as all that it remembers */
  val gone;           /* scratch: it has given up, and waits no more; only where roles spin */
  val *heard, *taken; /* by tally: i32[count], what it was told in all, and waited for; NULL: it does not listen */
  uint32_t end;       /* its last state */
  uint32_t turn;      /* 1 + its number among those who take turns; 0: it does not */
  struct steps *steps;
  struct role *whole, *parts; /* of a warp: the thread that it is a part of; of a thread: its warps. NULL: none */
  uint32_t warp;
  VEC(val) remembers; /* scratch that is zero before it begins */
} role;

typedef struct phasing {
  pass_ctx *c;
  arena *arena;
  ir_builder top; /* in front of the rounds: what all roles share */
  uint32_t blocks, threads;
  role *roles;
  uint32_t role_count;
  VEC(tally) tallies;
  VEC(const ir_value *) made_by; /* by value id in a role's text: the kernel's scratch that it stands for */
  val flags;                     /* i32[PHASE_ROWS] */
  val slot, before, after;       /* rows: this round's, the one heard now, the one to clear */
  uint32_t turns;                /* so many roles take turns .. */
  val turn;                      /* .. of which this one's it is in this round */
  bool spins;                    /* no rounds: what is told is seen at once, and roles look until it is enough */
} phasing;

/* decline.c: whether there can be rounds; where not, the kernel says why */
bool phase_can_turn(phasing *p);  /* by the kernel's text */
bool phase_can_share(phasing *p); /* by the roles' texts, before their memory is settled */

/* reason.c: always false */
bool phase_decline(const phasing *p, loc at, const char *why);

/* split.c: the texts of the roles; false where that was declined */
bool phase_split(phasing *p);
void phase_name(phasing *p, const ir_value *v, const ir_value *made); /* it stands for the kernel's scratch */
void phase_places(const phasing *p, const role *r, uint32_t *places); /* on the axes of all teams */
bool phase_is_own(const ir_value *scratch);                           /* each role has one */
uint32_t phase_part_of(const ir_op *op);                              /* 1 + the warp whose it is; 0: the thread's */
bool phase_peer_block(const phasing *p, const ir_op *peer, uint32_t *out); /* false: not known */

/* renew.c */
bool phase_is_renewed(const ir_op *scratch); /* in each trip of a loop: memory of a block, barriers, semaphores */
void phase_renew(phasing *p);                /* who shares such meets for it */

/* tally.c */
void phase_add_tallies(phasing *p, const ir_op *scratch);
tally *phase_tally(phasing *p, const ir_value *made, uint32_t block);

/* steps.c. A text is walked twice: to see which values are needed in another state than they are made in, and to write
 * the states. */
typedef struct role_wait {
  uint32_t state;
  const ir_op *op;
} role_wait;

/* A state in which the thread is split. */
typedef struct role_split {
  uint32_t state;
  const ir_op *op;
  struct steps *parts;
} role_split;

typedef struct steps {
  const struct steps *begun; /* as all begin */
  phasing *p;
  role *r;
  ir_builder b;
  bool looks;           /* the first walk: nothing is written */
  uint32_t state, made; /* the present one; so many have begun */
  uint32_t place;       /* its number among the states of the role and of its parts */
  uint32_t *places;     /* so many there are */
  bool untouched;       /* nothing was done in it that must not be done again */
  uint32_t waited;      /* the last state that waits, + 1 */
  uint32_t *home;       /* by value id: the place of the state that makes it */
  uint32_t *again;      /* by value id: that of the last state that makes it again */
  uint32_t *inside;     /* by value id: the last op that made it, or of whose text it is, by how many .. */
  uint32_t ran;         /* .. ran so far */
  val *keep;            /* by value id: scratch for what other states need */
  bool *kept;
  val *now;       /* by value id: what stands for it at this place */
  VEC(val) known; /* those in `now` */
  VEC(ir_region *) cases;
  VEC(uint32_t) order; /* of states in a round */
  VEC(role_wait) waits;
  VEC(role_split) splits;
} steps;
steps steps_begin(phasing *p); /* once all texts are there: no value is in two of them, so roles share what is by id */
void steps_write(const steps *begun, role *r, ir_region *region); /* what it does in a round, at the end of a region */
/* What the role says at the end of a region, once the rounds have ended and it has not: where it waits. */
void steps_report(steps *s, ir_region *region);

/* state.c */
val state_read(steps *s, val v); /* NULL while it looks */

/* The element that a ref of a role's text names; its number is made at the builder's place. */
typedef struct tally_spot {
  tally *tally;
  val element;           /* the first where there is no such */
  val at[KILN_MAX_RANK]; /* its index */
  val inside;            /* whether there is one; NULL: certainly */
} tally_spot;
bool tally_find(steps *s, const ir_op *op, tally_spot *out);
void tally_tell(steps *s, const ir_op *op);
/* Who means an element that does not exist says so, and asks all to stop: what it does then is to have no effect. */
void tally_guard(steps *s, const ir_op *op, const tally_spot *spot);
val tally_ask(steps *s, const ir_op *op, const tally_spot *spot, val *amount); /* how many there are for this role */
void tally_take(steps *s, const tally_spot *spot, val amount);
void tally_renew(steps *s, const ir_op *scratch);     /* it begins again */
val tally_may_take(steps *s, const tally_spot *spot); /* whether it is its turn; NULL: it need not ask */
val tally_heard(steps *s, const tally_spot *spot);
val tally_taken(steps *s, const tally_spot *spot);
/* What a role and its parts have waited for, which they share at semaphores: how many, 1 + PHASE_PARTS at the most. */
uint32_t tally_all_taken(const phasing *p, const role *r, const tally *t, val *out);
val tally_answer(steps *s, const ir_op *op);            /* of who asks without waiting; NULL while it looks */
void tally_hear(phasing *p, role *r, ir_builder *b);    /* at the start of a round */
void tally_listen(phasing *p, role *r, const tally *t); /* the role is to hear of it, if it does not yet */
void tally_join(phasing *p, role *r); /* who waits at a barrier as its parts do counts as each of them */
bool tally_is_joined(const role *r, uint32_t number);
uint32_t tally_number(const phasing *p, const tally *t);

val tally_row(ir_builder *b, const tally *t, val row); /* of `told`: a tile i32[count] */
val tally_pick(ir_builder *b, val line, val element);  /* of such a tile */

/* rules.c: rules of barriers and semaphores that roles find broken go to the log */
val rules_in_front(steps *s, const ir_op *op, const tally_spot *spot, val over);  /* a wait is over if it may not be */
void rules_at_wait(steps *s, const ir_op *op, const tally_spot *spot, val there); /* of a wait that is over */
void rules_at_renewal(steps *s, const tally *t); /* of what ends before it begins again */
void rules_hear_all(phasing *p, role *last);     /* somebody has to hear what nobody waits for */
void rules_at_end(phasing *p, ir_builder *b, const ir_op *rounds);
/* Where roles spin: at the end of each text, and once all are there, with the number of the role. */
void rules_add_sums(phasing *p, const role *r, ir_builder *b, val row);
void rules_judge(phasing *p, ir_builder *b, val index);

/* phase.c */
ir_region *phase_open(phasing *p, pass_ctx *c);                  /* the body to be, which `top` writes */
void phase_close(phasing *p, ir_region *body, const char *what); /* .. becomes the kernel's; what its units are now */
ir_builder phase_when(ir_builder *b, val condition);             /* the inside of its first branch */
val phase_remember(phasing *p, role *r, ir_dtype dtype, const ir_shape *shape, kiln_str name); /* more scratch for it */
void phase_forget(const role *r, ir_builder *b);                      /* zeros in all that it remembers */
void phase_for_roles(ir_builder *b, ir_region *body, uint32_t count); /* its trips may run side by side */
bool phase_is_asked_for(const pass_ctx *c, kiln_units way);
ir_shape phase_shape(const phasing *p, uint32_t rank, int64_t first, int64_t second);
val phase_next_row(ir_builder *b, val row);
/* What was there, before it is combined with `amount`: at points in the first dimensions. */
val phase_combine(ir_builder *b, ir_code how, val ref, val const *at, uint32_t count, val amount);
val phase_combine_in_order(ir_builder *b, ir_order order, ir_code how, val ref, val const *at, uint32_t count,
                           val amount);
/* One region a role, in a switch by its number: the trips of a loop that may run side by side. */
void phase_for_each_role(phasing *p, ir_builder *b, ir_region **regions);

/* told.c: what a role tells the host, and the host it */
/* What the log has of a role at a barrier or semaphore: where it waits for ever, or which rule it finds broken, there
 * or, without a role, at the end. */
ir_told phase_told(phasing *p, const role *r, const ir_value *made, loc at, ir_log_said says);
val phase_tells(phasing *p, ir_builder *b, const ir_told *told);                    /* its number, a new one */
void phase_tell(phasing *p, ir_builder *b, const ir_told *told, val const *values); /* a record of a new number */

#endif
