/* The progress line. */
#define _POSIX_C_SOURCE 200809L
#include "tool/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/thread.h"

#define QUIET_NS 1000000000u
#define PERIOD_NS 100000000u
#define WIDTH 30

progress progress_start(const char *what) {
  return (progress){.what = what, .start = clock_ns(), .share = 1, .on_terminal = isatty(STDERR_FILENO) == 1};
}

void progress_part(progress *p, uint64_t part, uint64_t parts) {
  p->share = 1 / (double)parts;
  p->from = (double)part * p->share;
}

void progress_show(void *user, double fraction) {
  progress *p = user;
  uint64_t now = clock_ns(), passed = now - p->start;
  if (!p->on_terminal || passed < QUIET_NS || now - p->last < PERIOD_NS) return;
  p->last = now;
  fraction = p->from + fraction * p->share;
  char bar[WIDTH + 1] = {0};
  for (int i = 0; i < WIDTH; i++) bar[i] = i < (int)(fraction * WIDTH) ? '#' : '.';
  fprintf(stderr, "\r\033[K%s [%s] %3.0f %%  %.0f s", p->what, bar, fraction * 100, (double)passed * 1e-9);
  fflush(stderr);
  p->shown = true;
}

void progress_end(progress *p) {
  if (p->shown) fputs("\r\033[K", stderr);
  p->shown = false;
}
