/* Private to the files that make one unit of many.
 *
 * How it is read: outline.c divides the kernel's text into *pieces*, between places where units may meet. follow.c goes
 * through the text as each unit does, on known numbers only (value.c), and notes what it comes to: *events*. protocol.c
 * lets the units meet, by the state machines of src/model, and so finds an order of all their pieces in which nobody
 * waits. roll.c finds the loops in that order, and write.c writes them down as the text of one unit.
 *
 * Whatever does not go is declined with a reason: the kernel stays as it is. */
#ifndef KILN_SRC_PASS_ROLES_ROLES_H
#define KILN_SRC_PASS_ROLES_ROLES_H

#include "model/semaphore.h"
#include "model/team.h"
#include "pass/util.h"

/* Bounds of the work on one kernel; beyond them it is declined. */
enum { ROLES_UNITS_MOST = 256, ROLES_EVENTS_MOST = 1 << 20, ROLES_TEXT_MOST = 1 << 14 /* ops written */ };

/* ---- the text in outline ---- */

/* TEXT: ops from `first` to `last`, of one region. BEGIN: what a loop carries takes its first values. HAND_ON: a
 * region's yield hands its values on. */
typedef enum roles_piece_kind { ROLES_TEXT, ROLES_BEGIN, ROLES_HAND_ON } roles_piece_kind;

typedef struct roles_piece {
  roles_piece_kind kind;
  ir_op *first, *last;             /* BEGIN, HAND_ON: the loop, the yield */
  const struct roles_step *around; /* the control op around it; NULL: the body */
  uint32_t depth;                  /* loops around it that units go through step by step */
  uint32_t size;                   /* ops */
} roles_piece;

typedef enum roles_step_kind { ROLES_PIECE, ROLES_MEETING, ROLES_SCRATCH, ROLES_CONTROL } roles_step_kind;

typedef struct roles_step {
  roles_step_kind kind;
  ir_op *op;
  uint32_t number;                 /* of the piece; SCRATCH: of the scratch; CONTROL: of its BEGIN */
  const struct roles_step *around; /* CONTROL: the next one outside */
  uint32_t depth;                  /* CONTROL: loops, itself included */
  struct roles_steps *regions;     /* CONTROL */
} roles_step;

typedef struct roles_steps {
  VEC(roles_step *) steps;
  uint32_t hand_on; /* its piece; UINT32_MAX: none */
} roles_steps;

/* Where a value comes from, as pieces see it. */
typedef enum roles_home {
  ROLES_FREE,   /* everywhere: computed again where it is used */
  ROLES_INDEX,  /* the index of a loop that units go through step by step */
  ROLES_MADE,   /* by a piece */
  ROLES_CARRIED /* by control that units go through step by step */
} roles_home;

typedef struct roles_value {
  roles_home home;
  uint32_t piece;         /* MADE */
  const roles_step *loop; /* INDEX, CARRIED */
  uint32_t slot;          /* 1 + the number of its memory between pieces; 0: it needs none */
} roles_value;

/* Memory, barriers or semaphores that units may share. */
typedef struct roles_scratch {
  ir_op *op;
  uint32_t depth; /* of the level of which each unit has one */
  bool has_peers; /* asked for by other blocks */
} roles_scratch;

/* ---- units and their ways ---- */

typedef enum roles_event_kind {
  ROLES_RUN,    /* a piece */
  ROLES_ARRIVE, /* at an element */
  ROLES_WAIT,
  ROLES_SIGNAL, /* of an element, by an amount */
  ROLES_TAKE,
  ROLES_OPEN, /* its share of a scratch */
  ROLES_CLOSE,
  ROLES_SPLIT /* into parts, until they end */
} roles_event_kind;

typedef struct roles_event {
  roles_event_kind kind;
  uint32_t number;  /* RUN: of the piece; else of the scratch; SPLIT: of the first part */
  unit_id owner;    /* of the scratch */
  uint32_t block;   /* that is meant, of all in the launch */
  uint32_t element; /* of it; OPEN, CLOSE: how many times it was opened before */
  int32_t amount;   /* SIGNAL, TAKE */
  bool keep;        /* TAKE: but take nothing */
  uint32_t depth;
  uint32_t phase;       /* loops that it comes behind, of those of its depth */
  bool late;            /* .. and none follows */
  const int64_t *trips; /* of the loops around it; behind them, their phases */
  const ir_op *op;
} roles_event;

typedef VEC(roles_event) roles_events;

typedef struct roles_unit {
  unit_id id;
  const struct roles_unit *whole; /* of a part; NULL: it is a thread */
  uint32_t number;                /* of the threads in the launch */
  ir_value *part;                 /* the argument that numbers the parts; NULL for a thread */
  roles_events events;
  uint32_t next;     /* event */
  bool begun, waits; /* parts begin at their split */
  bool split;        /* it waits for its parts */
  uint32_t left;     /* of them have not ended */
} roles_unit;

/* Whose turn it is of those who may run; whoever comes first of the equal. */
typedef enum roles_turn {
  ROLES_BY_TRIPS,  /* who is behind in its loops */
  ROLES_BY_PHASES, /* the same, but also who is in an earlier loop */
  ROLES_LAST_UNIT,
  ROLES_FIRST_UNIT,
  ROLES_TURNS
} roles_turn;

/* A piece in the order found. */
typedef struct roles_run {
  uint32_t unit, piece;
  const int64_t *trips;
} roles_run;

typedef struct roles {
  pass_ctx *c;
  ir_kernel *kernel;
  arena *arena; /* of the work, not of the kernel */
  machine machine;
  bool whole_grid; /* the grid's points are units of the launch, too: they tell one another something */
  roles_steps *body;
  VEC(roles_piece) pieces;
  VEC(roles_scratch) scratches;
  roles_value *values; /* by id */
  uint32_t value_count, slot_count;
  VEC(roles_unit *) units; /* threads, then parts */
  uint32_t threads;
  size_t events;
  VEC(roles_run) order;
  bool declined; /* for a reason, which the kernel has */
  bool failed;   /* after a diagnostic */
} roles;

/* reason.c: declines, for the first reason that there is. Always false. */
bool roles_decline(roles *r, loc at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* units.c */
bool roles_make_units(roles *r);
int64_t roles_place(const roles *r, const roles_unit *unit, const ir_value *axis, bool *known);
uint32_t roles_block(const roles *r, const roles_unit *unit); /* among all of the launch */

/* outline.c */
bool roles_outline(roles *r);
const ir_value *roles_carrier(const ir_value *v); /* the value in whose place a carried one is kept; v itself */
bool roles_is_cheap(const ir_op *op);             /* computed again rather than kept */

/* follow.c, value.c */
bool roles_follow(roles *r);

/* protocol.c: false after a diagnostic */
bool roles_meet(roles *r, roles_turn turn);

/* roll.c, write.c */
struct roll_list;
bool roles_write(roles *r, const struct roll_list *order);

#endif
