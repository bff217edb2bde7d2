/* The order of all pieces as a program of loops. Private to roll.c and write.c. */
#ifndef KILN_SRC_PASS_ROLES_ROLL_H
#define KILN_SRC_PASS_ROLES_ROLL_H

#include "pass/roles/roles.h"

/* By how much the trips of a piece grow with each round of a loop around it; the loops outside first. */
typedef struct roll_row {
  const int64_t *by;
  const struct roll_row *inner;
} roll_row;

/* A piece, run by a unit in the trips `base` of its own loops when all loops around it are in their first round; or a
 * loop of so many rounds. */
typedef struct roll_node {
  uint64_t hash;  /* of all but `base` */
  int64_t count;  /* of rounds; 0: a piece */
  uint32_t width; /* numbers in `base` of all pieces within */
  uint32_t unit, piece, depth;
  const int64_t *base;
  const roll_row *rows;
  struct roll_node *body; /* of a loop */
  size_t body_count;
} roll_node;

typedef struct roll_list {
  roll_node *nodes;
  size_t count;
} roll_list;

roll_list roll_up(const roles *r);
uint64_t roll_size(const roles *r, const roll_list *list); /* ops of all pieces */

#endif
