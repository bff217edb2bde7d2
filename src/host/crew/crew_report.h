/* Private to the files that write a crew's reports. */
#ifndef KILN_SRC_HOST_CREW_CREW_REPORT_H
#define KILN_SRC_HOST_CREW_CREW_REPORT_H

#include "host/crew/crew.h"

enum { NOTES_MOST = 24 };

/* A report's texts, in an arena of their own. */
typedef struct report {
  crew *crew;
  arena arena;
  jmp_buf out;
  kiln_place notes[NOTES_MOST];
  size_t note_count;
} report;

void report_note(report *r, loc at, kiln_str words); /* where it was written first, and in the kernel's text */
kiln_str report_unit(report *r, const host_unit *unit);
kiln_str report_id(report *r, unit_id id); /* "unit (g 0, c 1, t 0, warp 2)" */

#endif
