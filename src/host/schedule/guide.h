/* Schedules as lists of choices: written down, followed, and made shorter.
 *
 * A guide is followed as far as it can be: who is not ready when its turn comes is left out, and behind the guide's end
 * whoever went last goes on. So any part of a guide is a guide, and there is always one run to it. */
#ifndef KILN_SRC_HOST_SCHEDULE_GUIDE_H
#define KILN_SRC_HOST_SCHEDULE_GUIDE_H

#include "base/str.h"
#include "host/schedule/choice.h"

typedef struct guide {
  mem mem;
  choice_who *choices;
  uint32_t count, capacity;
  bool failed; /* memory was out */
} guide;

bool guide_add(guide *g, choice_who who); /* false when memory is out */
bool guide_copy(guide *g, const choice_who *choices, uint32_t count);
void guide_free(guide *g);

/* "3x2,4,3.1,L1": unit 3 twice, unit 4, its... the first task of unit 3, the lane of 1. "-": nothing. */
void guide_print(const guide *g, text *out);
bool guide_parse(guide *g, kiln_str written); /* false: it is none, or it failed */

/* Follows a guide, and writes down what was chosen. */
typedef struct follower {
  const guide *guide;
  uint32_t at;
  guide made;
  uint32_t faulty_at; /* steps until a fault was found; UINT32_MAX: none was */
  bool failed;        /* memory is out */
  void *user;
  void (*each)(void *user, const choice_step *step); /* until then; may be NULL */
} follower;

follower follower_of(mem m, const guide *g);
chooser follower_chooser(follower *f);
uint32_t guide_switches(const guide *g); /* how often somebody else goes on */

/* The guide without what is not needed, and with fewer switches. `fails` tells whether the run by a guide still shows
 * what it is about; it is asked `most` times at most. False when memory is out. */
typedef bool (*guide_test)(void *user, const guide *g);
bool guide_shrink(guide *g, guide_test fails, void *user, uint32_t most);

#endif
