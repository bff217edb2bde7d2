/* The log in which a device leaves what its `print` and `check` have to say, for the host to read.
 *
 * It is a parameter that pass log_tells adds: u32[rows, width]. Word 0 of row 0 counts the records; record k is row
 * 1 + k: the number of what is told, the indices of the grid step, the values. Records for which there is no row are
 * lost, but counted. */
#ifndef KILN_SRC_IR_LOG_H
#define KILN_SRC_IR_LOG_H

#include "ir/text/say.h"

/* What a role says: its values. */
typedef enum ir_log_said {
  IR_LOG_WAITS,  /* where, for ever: the element's number, what it was told there so far, and what it waits for */
  IR_LOG_LATE,   /* what it waited for came when it had given up: the element's number, what would have been enough */
  IR_LOG_SPLITS, /* that it waits for its warps: none */
  IR_LOG_BREAKS, /* a rule is broken: the element's number, the counts that are compared, the rule (model/sync.h) */
  IR_LOG_OUTSIDE /* there is no such element: its index along each dimension */
} ir_log_said;

typedef struct ir_log_wait {
  ir_log_said says;
  bool part;     /* the unit is a warp: its thread is who waits, where units are counted */
  kiln_str op;   /* OUTSIDE: what was to be done there */
  kiln_str unit; /* empty: nobody's */
  ir_kind kind;  /* of what it waits for, whose name is the record's words */
  uint32_t rank;
  int64_t dims[KILN_MAX_RANK];
  uint32_t helper_count;
  loc helpers[4]; /* where others could let it go on */
} ir_log_wait;

/* A `print` or `check` of the kernel, or a role's wait. */
typedef struct ir_told {
  bool check;
  ir_log_wait *wait; /* NULL: none */
  kiln_str words;
  loc loc;
  uint32_t count;
  ir_said *values;
} ir_told;

/* An axis of the grid, as it was written. */
typedef struct ir_log_axis {
  kiln_str name;
  bool parallel;
  int64_t extent; /* 0: known at launch */
} ir_log_axis;

typedef struct kiln_log {
  uint32_t param;
  uint32_t rows, width;
  uint32_t axis_count, told_count;
  ir_log_axis *axes;
  ir_told *told;
  kiln_str kernel;
  uint32_t roles; /* of a cluster, where units became roles; else 0 */
  uint32_t polls; /* looks after which a role that spins gives up; 0: they take steps in rounds */
  bool stops;     /* when the host asks it to */
} ir_log;

/* Word 1 of row 0: the host asks the kernel to stop. */
enum { IR_LOG_STOP = 1 };

uint32_t ir_log_words(const ir_said *value); /* that a value takes in a record */
/* A copy that needs nothing of the original; its places point into `places`, or stay when that is NULL. */
const ir_log *ir_log_copy(arena *a, const ir_log *log, const source *places);
/* The values of a record, as ir_say wants them: `words` of a row, from its first value on. */
ir_said *ir_log_values(arena *a, const ir_told *told, const uint32_t *words);
/* The step of a record, as faults name it. */
void ir_log_step(text *t, const ir_log *log, const uint32_t *indices);

#endif
