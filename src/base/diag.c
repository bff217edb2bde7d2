/* Places, and the sink that collects diagnostics.
 *
 * A sink keeps the first KEPT diagnostics in an array whose entries never move, so that a pointer handed to a callback
 * stands until the next clear; everything they point to is copied into the sink's own arena. When memory is out, a
 * diagnostic is still counted and kept, with the row's name for a message. */
#include "base/diag.h"

#include <string.h>

#include "base/file.h"
#include "base/render.h"
#include "base/thread.h"

#define KEPT 200
#define MEANING 2000      /* below this number are mistakes in a text */
#define LINE_LONGEST 1024 /* bytes of a source line that are kept */

/* The words of the severity column: how severe, and what a call comes to that fails with it. */
typedef struct diag_kind {
  kiln_severity severity;
  kiln_result result;
} diag_kind;
#define KIND_NOTE \
  { KILN_NOTE, KILN_OK }
#define KIND_WARNING \
  { KILN_WARNING, KILN_OK }
#define KIND_ERROR \
  { KILN_ERROR, KILN_ERROR_INVALID }
#define KIND_LIMIT \
  { KILN_ERROR, KILN_ERROR_LIMIT }
#define KIND_UNSUPPORTED \
  { KILN_ERROR, KILN_ERROR_UNSUPPORTED }
#define KIND_FAULT \
  { KILN_FAULT, KILN_ERROR_FAULT }

typedef struct diag_row {
  uint32_t code;
  diag_kind kind;
  const char *name, *format, *hint;
} diag_row;

static const diag_row rows[] = {
#define DIAG(code, severity, name, format, hint) [DIAG_##name] = {code, KIND_##severity, #name, format, hint},
#include "base/diag.def"
#undef DIAG
};
_Static_assert(sizeof rows / sizeof *rows == DIAG_COUNT, "every diagnostic has its row");

struct diag_sink {
  mem mem;
  mutex *lock;    /* guards everything below */
  mutex *calling; /* held while the callback runs: one call at a time */
  kiln_diag_fn fn;
  void *user;
  arena arena;    /* what the kept diagnostics point to */
  arena rendered; /* the last rendered text */
  size_t count, errors;
  kiln_result result; /* of the last error */
  kiln_diag kept[KEPT];
};

uint32_t diag_code(diag_id id) { return rows[id].code; }
const char *diag_name(diag_id id) { return rows[id].name; }

static bool is_no_place(loc at) { return !at.source || at.offset > at.source->text.size; }

static size_t line_start(loc at) {
  size_t start = at.offset;
  while (start > 0 && at.source->text.data[start - 1] != '\n') start--;
  return start;
}

const origin *loc_origin(loc at) {
  size_t low = 0, high = at.source ? at.source->origin_count : 0;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (at.source->origins[middle].offset <= at.offset)
      low = middle + 1;
    else
      high = middle;
  }
  const origin *found = low > 0 ? &at.source->origins[low - 1] : NULL;
  return found && found->line > 0 ? found : NULL;
}

kiln_str loc_file(loc at) {
  const origin *from = loc_origin(at);
  return from ? from->file : at.source ? at.source->name : (kiln_str){0};
}

static void own_position(loc at, uint32_t *line, uint32_t *column) {
  *line = *column = 0;
  if (is_no_place(at)) return;
  *line = 1;
  for (size_t i = 0; i < at.offset; i++) *line += at.source->text.data[i] == '\n';
  *column = (uint32_t)(at.offset - line_start(at)) + 1;
}

void loc_position(loc at, uint32_t *line, uint32_t *column) {
  const origin *from = loc_origin(at);
  if (!from) {
    own_position(at, line, column);
    return;
  }
  *line = from->line;
  *column = from->column;
}

static kiln_str line_text(loc at) {
  size_t start = line_start(at), end = at.offset;
  kiln_str all = at.source->text;
  while (end < all.size && all.data[end] != '\n') end++;
  if (end > start && all.data[end - 1] == '\r') end--;
  return (kiln_str){all.data + start, end - start};
}

kiln_place loc_own_place(loc at, kiln_str label) {
  kiln_place place = {.label = label};
  if (at.source) place.file = at.source->name;
  own_position(at, &place.line, &place.column);
  if (place.line == 0) return place;
  place.line_text = line_text(at);
  place.length = at.length;
  return place;
}

kiln_place loc_place(loc at, kiln_str label) {
  const origin *from = loc_origin(at);
  if (!from) return loc_own_place(at, label);
  return (kiln_place){.file = from->file, .line = from->line, .column = from->column, .label = label};
}

diag_sink *diag_sink_create(mem m, kiln_diag_fn fn, void *user) {
  diag_sink *sink = mem_calloc(m, 1, sizeof *sink);
  if (!sink) return NULL;
  sink->mem = m;
  sink->fn = fn;
  sink->user = user;
  arena_init(&sink->arena, m, 0);
  arena_init(&sink->rendered, m, 0);
  sink->lock = mutex_create(m);
  sink->calling = mutex_create(m);
  if (sink->lock && sink->calling) return sink;
  diag_sink_destroy(sink);
  return NULL;
}

void diag_sink_destroy(diag_sink *sink) {
  if (!sink) return;
  arena_finish(&sink->arena);
  arena_finish(&sink->rendered);
  mutex_destroy(sink->lock);
  mutex_destroy(sink->calling);
  mem_free(sink->mem, sink, sizeof *sink);
}

/* The line of a place in another file is read only now that it is shown. */
static kiln_place copy_place(arena *a, kiln_place place) {
  if (place.line > 0 && !place.line_text.data) place.line_text = file_line(a, place.file, place.line, LINE_LONGEST);
  kiln_str line = place.line_text;
  if (line.size > LINE_LONGEST) line.size = LINE_LONGEST;
  place.file = str_copy(a, place.file);
  place.line_text = str_copy(a, line);
  place.label = str_copy(a, place.label);
  return place;
}

/* What is wrong with a text itself, and what went wrong as it ran, is shown there too. */
static void copy_places(arena *a, kiln_diag *diag, loc at, const diag_extra *extra) {
  size_t notes = extra ? extra->note_count : 0;
  kiln_place *places = ARENA_ARRAY(a, kiln_place, notes + 2);
  size_t count = 0;
  if (at.source) places[count++] = copy_place(a, loc_place(at, (kiln_str){0}));
  const bool shown = diag->code < MEANING || diag->severity == KILN_FAULT;
  if (loc_origin(at) && shown) places[count++] = copy_place(a, loc_own_place(at, STR("in the kernel text")));
  for (size_t i = 0; i < notes; i++) places[count++] = copy_place(a, extra->notes[i]);
  diag->places = places;
  diag->place_count = count;
}

/* Everything of a diagnostic that takes memory; false when there is none, and then *diag may be half filled. */
static bool fill(arena *a, kiln_diag *diag, const diag_row *row, loc at, const diag_extra *extra, va_list args) {
  jmp_buf out;
  if (!ARENA_GUARD(a, out)) return false;
  diag->message = str_formatv(a, row->format, args);
  diag->hint = str_copy(a, str_from(extra && extra->hint ? extra->hint : row->hint));
  diag->unit = extra ? str_copy(a, extra->unit) : (kiln_str){0};
  copy_places(a, diag, at, extra);
  return true;
}

/* The kept diagnostic, or NULL when enough are kept already. */
static const kiln_diag *keep(diag_sink *sink, const diag_row *row, loc at, const diag_extra *extra, va_list args) {
  if (row->kind.severity >= KILN_ERROR) {
    sink->errors++;
    sink->result = row->kind.result;
  }
  if (sink->count == KEPT) return NULL;
  const kiln_diag bare = {.code = row->code,
                          .name = row->name,
                          .severity = row->kind.severity,
                          .message = str_from(row->name),
                          .seed = extra ? extra->seed : 0};
  kiln_diag *diag = &sink->kept[sink->count++];
  *diag = bare;
  if (!fill(&sink->arena, diag, row, at, extra, args)) *diag = bare;
  return diag;
}

static void report(diag_sink *sink, diag_id id, loc at, const diag_extra *extra, va_list args) {
  mutex_lock(sink->lock);
  const kiln_diag *diag = keep(sink, &rows[id], at, extra, args);
  mutex_unlock(sink->lock);
  if (!diag || !sink->fn) return;
  mutex_lock(sink->calling);
  sink->fn(sink->user, diag);
  mutex_unlock(sink->calling);
}

void diag_report(diag_sink *sink, diag_id id, loc at, ...) {
  va_list args;
  va_start(args, at);
  report(sink, id, at, NULL, args);
  va_end(args);
}

void diag_report_with(diag_sink *sink, diag_id id, loc at, const diag_extra *extra, ...) {
  va_list args;
  va_start(args, extra);
  report(sink, id, at, extra, args);
  va_end(args);
}

static size_t read_count(const diag_sink *sink, const size_t *count) {
  mutex_lock(sink->lock);
  size_t value = *count;
  mutex_unlock(sink->lock);
  return value;
}

size_t diag_sink_errors(const diag_sink *sink) { return read_count(sink, &sink->errors); }
size_t diag_sink_count(const diag_sink *sink) { return read_count(sink, &sink->count); }

kiln_result diag_sink_result(const diag_sink *sink) {
  mutex_lock(sink->lock);
  kiln_result result = sink->result;
  mutex_unlock(sink->lock);
  return result;
}

const kiln_diag *diag_sink_get(const diag_sink *sink, size_t index) {
  return index < diag_sink_count(sink) ? &sink->kept[index] : NULL;
}

void diag_sink_rewind(diag_sink *sink, size_t count) {
  mutex_lock(sink->lock);
  while (sink->count > count)
    if (sink->kept[--sink->count].severity >= KILN_ERROR) sink->errors--;
  mutex_unlock(sink->lock);
}

void diag_sink_clear(diag_sink *sink) {
  mutex_lock(sink->lock);
  arena_finish(&sink->arena);
  memset(sink->kept, 0, sink->count * sizeof *sink->kept);
  sink->count = sink->errors = 0;
  sink->result = KILN_OK;
  mutex_unlock(sink->lock);
}

kiln_str diag_sink_render(diag_sink *sink, const kiln_diag *diag) {
  arena *a = &sink->rendered;
  arena_finish(a);
  jmp_buf out;
  if (!ARENA_GUARD(a, out)) return str_from(diag->name);
  return render_diag(a, diag);
}
