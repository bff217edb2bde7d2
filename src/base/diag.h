/* Diagnostics: every message that Kiln can print is one row of diag.def, with a stable number and name. */
#ifndef KILN_SRC_BASE_DIAG_H
#define KILN_SRC_BASE_DIAG_H

#include "base/str.h"

typedef enum diag_id {
#define DIAG(code, severity, name, format, hint) DIAG_##name,
#include "base/diag.def"
#undef DIAG
  DIAG_COUNT
} diag_id;

/* From `offset` on a text was made of another one, up to the next origin: its file and a place there. Line 0: it is its
 * own again. */
typedef struct origin {
  uint32_t offset, line, column;
  kiln_str file;
} origin;

/* A text that places point into: its name, its bytes, what it was made of (by offset). Lives as long as whatever refers
 * to it. */
typedef struct source {
  kiln_str name, text;
  const origin *origins;
  size_t origin_count;
} source;

/* A place in a source; the zero value means "no place". 16 bytes, copied freely, kept by every op through every pass.
 */
typedef struct loc {
  const source *source;
  uint32_t offset, length; /* bytes */
} loc;

const origin *loc_origin(loc at); /* what a place was made of; NULL: nothing else */
/* As users know a place: in the text that it was made of, where there is one. */
void loc_position(loc at, uint32_t *line, uint32_t *column); /* both from 1; 0, 0 for no place */
kiln_str loc_file(loc at);
kiln_place loc_place(loc at, kiln_str label);
kiln_place loc_own_place(loc at, kiln_str label); /* in the text itself, whatever it was made of */

/* Where diagnostics of one context are collected. Thread-safe: executor threads report too. */
typedef struct diag_sink diag_sink;

typedef struct diag_extra { /* all optional */
  const kiln_place *notes;  /* further places, after the first */
  size_t note_count;
  kiln_str unit;
  uint64_t seed;
  const char *hint; /* instead of the row's own */
} diag_extra;

/* Reports; arguments follow the row's format. `at` may be zero. */
void diag_report(diag_sink *sink, diag_id id, loc at, ...);
void diag_report_with(diag_sink *sink, diag_id id, loc at, const diag_extra *extra, ...);

size_t diag_sink_errors(const diag_sink *sink); /* errors and faults since the last clear */
/* What a call comes to that fails with the last error: invalid, limit, unsupported or fault, as its row says. */
kiln_result diag_sink_result(const diag_sink *sink);
uint32_t diag_code(diag_id id);
const char *diag_name(diag_id id);

diag_sink *diag_sink_create(mem m, kiln_diag_fn fn, void *user); /* NULL when memory is out */
void diag_sink_destroy(diag_sink *sink);
void diag_sink_clear(diag_sink *sink);
void diag_sink_rewind(diag_sink *sink, size_t count); /* forgets all but the first `count` */
size_t diag_sink_count(const diag_sink *sink);
const kiln_diag *diag_sink_get(const diag_sink *sink, size_t index);
kiln_str diag_sink_render(diag_sink *sink, const kiln_diag *diag);

#endif
