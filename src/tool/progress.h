/* A line on the terminal for what takes longer than a second; nothing anywhere else. */
#ifndef KILN_SRC_TOOL_PROGRESS_H
#define KILN_SRC_TOOL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
  const char *what;
  uint64_t start, last; /* ns: of the work, of the last drawing */
  double from, share;   /* the part of the whole that fractions are of */
  bool on_terminal, shown;
} progress;

progress progress_start(const char *what);
void progress_part(progress *p, uint64_t part, uint64_t parts); /* what follows is one of equal parts */
void progress_show(void *user, double fraction); /* `user` is the progress: fits kiln_host_desc.progress */
void progress_end(progress *p);                  /* takes the line away */

#endif
