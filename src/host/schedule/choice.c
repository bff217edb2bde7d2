/* Which steps may be exchanged: by what they touch. */
#include "host/schedule/choice.h"

static bool meet(const choice_touch *a, const choice_touch *b) { return a->begin < b->end && b->begin < a->end; }

static bool waits_for_count(choice_kind kind) { return kind == CHOICE_TAKE || kind == CHOICE_KEEP; }

/* Arrivals of one phase count alike, whoever comes first; a wait needs those of its phase. That it would be left behind
 * by the last one of the next is looked for by choice_left_behind_by. */
static choice_relation relate_at_barrier(const choice_touch *first, const choice_touch *second) {
  const bool arrives = first->kind == CHOICE_ARRIVE, then_arrives = second->kind == CHOICE_ARRIVE;
  if (!arrives && !then_arrives) return CHOICE_APART;
  if (arrives && then_arrives) return first->begin == second->begin ? CHOICE_APART : CHOICE_RACING;
  if (first->kind == CHOICE_OBSERVE) return CHOICE_APART;
  if (second->kind == CHOICE_TEST || first->kind == CHOICE_TEST) return CHOICE_RACING;
  if (first->begin <= second->begin) return CHOICE_BOUND;
  return first->last ? CHOICE_RACING : CHOICE_APART;
}

/* A wait that could be made needs no later signal, and those that it takes it must have. */
static choice_relation relate_at_semaphore(const choice_touch *first, const choice_touch *second) {
  const bool given = first->kind == CHOICE_SIGNAL, takes = waits_for_count(first->kind);
  const bool then_given = second->kind == CHOICE_SIGNAL, then_takes = waits_for_count(second->kind);
  if (given && then_takes) return meet(first, second) ? CHOICE_BOUND : CHOICE_APART;
  if (takes && then_given) return CHOICE_APART;
  const bool looks = first->kind != CHOICE_SIGNAL && first->kind != CHOICE_TAKE;
  const bool then_looks = second->kind != CHOICE_SIGNAL && second->kind != CHOICE_TAKE;
  return looks && then_looks ? CHOICE_APART : CHOICE_RACING;
}

static choice_relation relate(const choice_touch *first, const choice_touch *second) {
  if (first->object != second->object) return CHOICE_APART;
  switch (first->kind) {
    case CHOICE_ARRIVE:
    case CHOICE_OBSERVE:
    case CHOICE_TEST: return relate_at_barrier(first, second);
    case CHOICE_SIGNAL:
    case CHOICE_TAKE:
    case CHOICE_KEEP:
    case CHOICE_COUNT: return relate_at_semaphore(first, second);
    case CHOICE_ATOMIC:
    case CHOICE_QUEUE: return CHOICE_RACING;
    case CHOICE_MAKE: return second->kind == CHOICE_NEED ? CHOICE_BOUND : CHOICE_APART;
    default: return CHOICE_APART;
  }
}

choice_relation choice_relate(const choice_step *first, const choice_step *second) {
  choice_relation all = CHOICE_APART;
  for (uint32_t i = 0; i < first->count; i++)
    for (uint32_t k = 0; k < second->count; k++) {
      const choice_relation one = relate(&first->touches[i], &second->touches[k]);
      if (one == CHOICE_BOUND) return one;
      if (one == CHOICE_RACING) all = one;
    }
  return all;
}

bool choice_robs(const choice_step *first, const choice_step *second) {
  for (uint32_t i = 0; i < first->count; i++)
    for (uint32_t k = 0; k < second->count; k++)
      if (first->touches[i].kind == CHOICE_TAKE && waits_for_count(second->touches[k].kind) &&
          first->touches[i].object == second->touches[k].object)
        return true;
  return false;
}

bool choice_waits_for_count(const choice_step *step) {
  for (uint32_t i = 0; i < step->count; i++)
    if (waits_for_count(step->touches[i].kind)) return true;
  return false;
}

static bool leaves_behind(const choice_touch *arrival, const choice_touch *wait) {
  return arrival->kind == CHOICE_ARRIVE && wait->kind == CHOICE_OBSERVE && arrival->object == wait->object &&
         arrival->begin > wait->begin;
}

bool choice_left_behind_by(const choice_step *wait, const choice_touch *arrival) {
  for (uint32_t i = 0; i < wait->count; i++)
    if (leaves_behind(arrival, &wait->touches[i]) && wait->touches[i].begin + 1 == arrival->begin) return true;
  return false;
}

bool choice_same_phase(const choice_touch *arrival, const choice_step *step) {
  for (uint32_t i = 0; i < step->count; i++)
    if (step->touches[i].kind == CHOICE_ARRIVE && step->touches[i].object == arrival->object &&
        step->touches[i].begin == arrival->begin)
      return true;
  return false;
}

bool choice_keeps(const choice_step *made, const choice_step *put_off) {
  for (uint32_t i = 0; i < made->count; i++)
    for (uint32_t k = 0; k < put_off->count; k++) {
      const choice_touch *now = &made->touches[i], *later = &put_off->touches[k];
      if (relate(now, later) != CHOICE_APART || leaves_behind(later, now)) return false;
      if (now->kind == CHOICE_ARRIVE && later->kind == CHOICE_ARRIVE && now->object == later->object && now->last)
        return false; /* it would count for the next phase */
    }
  return true;
}
