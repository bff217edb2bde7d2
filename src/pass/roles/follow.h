/* One unit on its way through the text, and what it knows there. Private to follow.c and value.c. */
#ifndef KILN_SRC_PASS_ROLES_FOLLOW_H
#define KILN_SRC_PASS_ROLES_FOLLOW_H

#include "pass/roles/roles.h"

/* What is known of a scalar: SET by the way itself until that changes it, or computed at some time. */
typedef struct follow_known {
  uint64_t time; /* FOLLOW_SET, or when it was asked for */
  bool known;
  uint64_t bits;
} follow_known;

#define FOLLOW_SET UINT64_MAX

typedef struct follower {
  roles *r;
  roles_unit *unit;
  follow_known *known;  /* by value id */
  uint64_t time;        /* passes whenever something is set */
  uint32_t *opened;     /* by scratch: how many times so far */
  const int64_t *trips; /* of the loops around and their phases, copied whenever one goes on */
  uint32_t depth, phase;
  bool tail; /* no loop of this depth follows the steps that are followed now */
} follower;

void follow_set(follower *f, const ir_value *v, bool known, uint64_t bits);
/* The bits of a scalar, where they are known. */
bool follow_bits(follower *f, const ir_value *v, uint64_t *bits);
bool follow_integer(follower *f, const ir_value *v, int64_t *out);

#endif
