/* Reads a test file: cuts it into sections and gathers these into cases. */
#include "ktest.h"

#include <string.h>

kiln_str str_trim(kiln_str s) {
  while (s.size && strchr(" \t\r\n", s.data[0])) s.data++, s.size--;
  while (s.size && strchr(" \t\r\n", s.data[s.size - 1])) s.size--;
  return s;
}

bool str_cut(kiln_str s, const char *mark, kiln_str *before, kiln_str *after) {
  size_t size = strlen(mark);
  for (size_t i = 0; i + size <= s.size; i++) {
    if (memcmp(s.data + i, mark, size)) continue;
    *before = str_trim((kiln_str){s.data, i});
    *after = str_trim((kiln_str){s.data + i + size, s.size - i - size});
    return true;
  }
  *before = s;
  *after = (kiln_str){s.data + s.size, 0};
  return false;
}

/* The next line without its end; `lines` moves behind it. */
static kiln_str take_line(kiln_str *lines) {
  const char *end = memchr(lines->data, '\n', lines->size);
  kiln_str line = {lines->data, end ? (size_t)(end - lines->data) : lines->size};
  size_t step = line.size + (end ? 1 : 0);
  lines->data += step;
  lines->size -= step;
  return line;
}

static bool is_header(kiln_str line) {
  return line.size > 2 && line.data[0] == '[' && str_trim(line).data[str_trim(line).size - 1] == ']';
}

static section take_section(kiln_str header, kiln_str *lines, uint32_t *line) {
  header = str_trim(header);
  header = (kiln_str){header.data + 1, header.size - 2};
  section s = {.line = *line};
  str_cut(header, " ", &s.word, &s.rest);
  s.body = (kiln_str){lines->data, 0};
  while (lines->size) {
    kiln_str rest = *lines, next = take_line(&rest);
    if (is_header(next)) break;
    *lines = rest;
    s.body.size = (size_t)(lines->data - s.body.data);
    ++*line;
  }
  return s;
}

typedef struct file_parser {
  test_file *file;
  test_case *open; /* the case being gathered; NULL at first */
  bool expecting;  /* it has an expectation: a new input starts the next case */
} file_parser;

static test_case *open_case(file_parser *p, const section *s, bool input) {
  if (!p->open || (input && p->expecting)) {
    VEC_PUSH(p->file->arena, &p->file->cases, (test_case){.line = s->line});
    p->open = &p->file->cases.data[p->file->cases.count - 1];
    p->expecting = false;
  }
  return p->open;
}

/* The case that an expectation belongs to; what comes after it as input starts the next one. */
static test_case *expecting_case(file_parser *p, const section *s) {
  test_case *c = open_case(p, s, false);
  p->expecting = true;
  return c;
}

static const section *keep(file_parser *p, const section *s) { return arena_copy(p->file->arena, s, sizeof *s); }

static void add_section(file_parser *p, const section *s) {
  arena *a = p->file->arena;
  if (str_is(s->word, "kernel"))
    p->file->kernel = s->body;
  else if (str_is(s->word, "text") || str_is(s->word, "passes") || str_is(s->word, "plan") ||
           str_is(s->word, "diagnostics"))
    VEC_PUSH(a, &p->file->snapshots, *s);
  else if (str_is(s->word, "launch"))
    open_case(p, s, true)->launch = keep(p, s);
  else if (str_is(s->word, "resident"))
    open_case(p, s, true)->resident = keep(p, s);
  else if (str_is(s->word, "set"))
    VEC_PUSH(a, &open_case(p, s, true)->sets, *s);
  else if (str_is(s->word, "data"))
    VEC_PUSH(a, &open_case(p, s, true)->data, *s);
  else if (str_is(s->word, "expect"))
    VEC_PUSH(a, &expecting_case(p, s)->expects, *s);
  else if (str_is(s->word, "todo") || str_is(s->word, "unsupported") || str_is(s->word, "needs"))
    VEC_PUSH(a, &open_case(p, s, false)->limits, *s);
  else if (str_is(s->word, "same"))
    expecting_case(p, s)->same = keep(p, s);
  else if (str_is(s->word, "fault"))
    expecting_case(p, s)->fault = keep(p, s);
  else
    p->file->error = str_format(a, "line %u: no section is called [%.*s]", s->line, STR_FMT(s->word));
}

void file_parse(test_file *file, arena *a, kiln_str path, kiln_str contents) {
  *file = (test_file){.arena = a, .path = path, .text = contents};
  file_parser parser = {.file = file};
  for (uint32_t line = 1; contents.size; line++) {
    kiln_str header = take_line(&contents);
    if (!is_header(header)) continue; /* the free text on top */
    section s = take_section(header, &contents, &line);
    add_section(&parser, &s);
  }
  if (!file->kernel.size) file->error = STR("there is no [kernel]");
}
