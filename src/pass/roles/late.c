/* Whether somebody who has given up would only have had to wait longer. */
#include "pass/roles/late.h"

enum { LATE_WAIT, LATE_ELEMENT, LATE_ENOUGH, LATE_WORDS };

lateness late_begin(phasing *p) {
  const ir_shape rows = phase_shape(p, 2, p->role_count, LATE_WORDS);
  return (lateness){.p = p, .left = pass_scratch(&p->top, IR_SPACE_SMEM, IR_I32, &rows, STR("left"))};
}

/* The place of a word in a role's row. */
static ir_attrs word_of(const lateness *l, ir_builder *b, const role *r, int64_t word) {
  ir_attrs attrs = pass_row_index(b, &l->left->type.shape, -1, r - l->p->roles);
  attrs.index[1] = pass_point(b, -1, word);
  return attrs;
}

void late_note(lateness *l, ir_builder *b, const late_wait *wait, val element, val enough) {
  VEC_PUSH(l->p->arena, &l->waits, *wait);
  const val words[] = {ir_scalar_i32(b, (int64_t)l->waits.count), element, enough};
  for (int64_t i = 0; i < LATE_WORDS; i++) {
    const ir_attrs attrs = word_of(l, b, wait->role, i);
    ir_make(b, IR_store, (val[]){l->left, words[i]}, 2, &attrs);
  }
}

/* At the wait where the role gave up: tells if there is enough by now. */
static void tell_of(const lateness *l, ir_builder *b, const late_wait *wait, val const *words) {
  val now = tally_row(b, wait->tally, words[LATE_ELEMENT]);
  ir_builder late = phase_when(b, ir_map2(b, IR_ge, now, words[LATE_ENOUGH]));
  phase_tell(l->p, &late, &wait->told, &words[LATE_ELEMENT]);
}

static void tell_of_role(const lateness *l, ir_builder *b, const role *r) {
  val words[LATE_WORDS];
  for (int64_t i = 0; i < LATE_WORDS; i++) {
    const ir_attrs attrs = word_of(l, b, r, i);
    words[i] = ir_make1(b, IR_load, &l->left, 1, &attrs);
  }
  for (size_t i = 0; i < l->waits.count; i++) {
    if (l->waits.data[i].role != r) continue;
    val here = ir_scalar_i32(b, (int64_t)i + 1);
    ir_builder within = phase_when(b, ir_map2(b, IR_eq, words[LATE_WAIT], here));
    tell_of(l, &within, &l->waits.data[i], words);
  }
}

void late_tell(const lateness *l, ir_builder *b, val index) {
  ir_region **regions = ARENA_ARRAY(l->p->arena, ir_region *, l->p->role_count);
  for (uint32_t i = 0; i < l->p->role_count; i++) {
    ir_builder within = pass_inside(b, regions[i] = ir_region_new(b, NULL));
    tell_of_role(l, &within, &l->p->roles[i]);
  }
  ir_make_control(b, IR_switch, &index, 1, regions, l->p->role_count, NULL, 0, NULL);
}
