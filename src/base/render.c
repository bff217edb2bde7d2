/* Rendering a diagnostic:
 *
 *   softmax.kiln:8:11: error[2001 unknown_name]: unknown name 'ep'
 *       8 |   let e = ep(v)
 *         |           ^~
 *     help: did you mean 'exp'?
 *
 * Texts come from files that anybody may have written, so control characters never reach the terminal. */
#include "base/render.h"

static const char *const severities[] = {
    [KILN_NOTE] = "note", [KILN_WARNING] = "warning", [KILN_ERROR] = "error", [KILN_FAULT] = "fault"};

/* Bytes of the character at `at` when it may be shown: no control character, C1's included. 0: no. */
static size_t shown_size(kiln_str s, size_t at) {
  const unsigned char *c = (const unsigned char *)s.data + at;
  if (c[0] < 0x80) return (c[0] >= ' ' && c[0] != 0x7f) || c[0] == '\t' || c[0] == '\n';
  size_t size = str_utf8_size(s, at);
  return size == 2 && c[0] == 0xc2 && c[1] < 0xa0 ? 0 : size;
}

static void add_clean(text *t, kiln_str s) {
  for (size_t i = 0; i < s.size;) {
    size_t size = shown_size(s, i);
    text_add(t, size > 0 ? (kiln_str){s.data + i, size} : STR("?"));
    i += size > 0 ? size : 1;
  }
}

static void add_position(text *t, const kiln_place *place) {
  add_clean(t, place->file);
  if (place->line > 0) text_format(t, ":%u:%u", place->line, place->column);
  text_add(t, STR(": "));
}

/* Blanks up to the column, as wide as the line's own text on a terminal: tabs stay, UTF-8 sequences count once. */
static void add_indent(text *t, kiln_str line, size_t column) {
  for (size_t i = 0; i + 1 < column && i < line.size; i++) {
    unsigned char c = (unsigned char)line.data[i];
    if ((c & 0xc0) != 0x80) text_char(t, c == '\t' ? '\t' : ' ');
  }
}

/* The line may be unknown, of a file that is not here. */
static bool has_snippet(const kiln_place *place) {
  return place->line > 0 && (place->line_text.size > 0 || place->column == 1) &&
         place->column <= place->line_text.size + 1;
}

static void add_snippet(text *t, const kiln_place *place) {
  kiln_str line = place->line_text;
  if (!has_snippet(place)) return;
  text_format(t, line.size ? "%5u | " : "%5u |", place->line);
  add_clean(t, line);
  text_add(t, STR("\n      | "));
  add_indent(t, line, place->column);
  text_char(t, '^');
  size_t left = line.size + 1 - place->column;
  for (size_t i = 1; i < place->length && i < left; i++) text_char(t, '~');
}

static void add_note(text *t, const kiln_place *place) {
  text_add(t, STR("  note: "));
  add_position(t, place);
  add_clean(t, place->label);
  text_char(t, '\n');
  add_snippet(t, place);
  if (has_snippet(place)) text_char(t, '\n');
}

static void add_first(text *t, const kiln_place *place) {
  if (!has_snippet(place) && place->label.size == 0) return;
  add_snippet(t, place);
  if (place->label.size > 0) text_char(t, ' ');
  add_clean(t, place->label);
  text_char(t, '\n');
}

static void add_unit(text *t, const kiln_diag *diag) {
  text_add(t, STR("  in: "));
  add_clean(t, diag->unit);
  text_format(t, ", seed %llu\n", (unsigned long long)diag->seed);
}

kiln_str render_diag(arena *a, const kiln_diag *diag) {
  text t = text_new(a);
  if (diag->place_count > 0) add_position(&t, &diag->places[0]);
  text_format(&t, "%s[%u %s]: ", severities[diag->severity], diag->code, diag->name);
  add_clean(&t, diag->message);
  text_char(&t, '\n');
  if (diag->place_count > 0) add_first(&t, &diag->places[0]);
  for (size_t i = 1; i < diag->place_count; i++) add_note(&t, &diag->places[i]);
  if (diag->unit.size > 0) add_unit(&t, diag);
  if (diag->hint.size > 0) {
    text_add(&t, STR("  help: "));
    add_clean(&t, diag->hint);
    text_char(&t, '\n');
  }
  return text_str(&t);
}
