/* Names while parsing. Each name has a stack of bindings; leaving a scope pops what it pushed, so that defining and
 * finding a name take the same time in a kernel of ten lines and of a hundred thousand. */
#include "ir/text/parse.h"

typedef struct name_entry {
  binding *top;
} name_entry;

void scope_open(parser *p) { p->level++; }

void scope_close(parser *p) {
  while (p->bound.count > 0 && p->bound.data[p->bound.count - 1]->level == p->level) {
    binding *last = p->bound.data[--p->bound.count];
    last->entry->top = last->shadowed;
  }
  p->level--;
}

/* Whether code may see it: a func's body sees its own names and the sizes of the kernel it is inlined into. */
static bool visible(const parser *p, const binding *b) { return b->level == LEVEL_SIZES || b->level >= p->barrier; }

const binding *scope_find(const parser *p, kiln_str name) {
  const name_entry *entry = map_get(&p->names, name);
  const binding *found = entry ? entry->top : NULL;
  while (found && !visible(p, found)) found = found->shadowed;
  return found;
}

static bool duplicate(parser *p, const binding *old, loc at) {
  kiln_place note = loc_place(old->loc, STR("defined here"));
  bool local = old->level > LEVEL_PARAMS;
  diag_report_with(
      p->diags, DIAG_duplicate_name, at,
      &(diag_extra){
          .notes = &note,
          .note_count = 1,
          .hint = local ? "values never change: take another name, or carry it through a loop with `with`" : NULL},
      STR_FMT(old->name));
  return false;
}

bool scope_add(parser *p, kiln_str name, loc at, operand o) {
  name_entry *entry = map_get(&p->names, name);
  if (!entry) map_put(&p->names, name, entry = ARENA_NEW(p->scratch, name_entry));
  bool hides_size = entry->top && entry->top->level == LEVEL_SIZES && p->barrier == 0;
  if (hides_size || (entry->top && entry->top->level == p->level)) return duplicate(p, entry->top, at);
  binding *b = ARENA_NEW(p->scratch, binding);
  *b = (binding){.name = name, .operand = o, .loc = at, .level = p->level, .shadowed = entry->top, .entry = entry};
  entry->top = b;
  VEC_PUSH(p->scratch, &p->bound, b);
  return true;
}
