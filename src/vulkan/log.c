/* What kernels tell: their log is emptied before a run and read behind it, in the order of the grid's steps. */
#include <stdlib.h>

#include "ir/log.h"
#include "ir/text/say.h"
#include "model/sync.h"
#include "vulkan/vulkan.h"

enum { NOTES_MOST = 8, RULES_MOST = 32 };

/* A record, and what orders it. */
typedef struct record {
  const uint32_t *row;
  uint32_t axis_count;
} record;

typedef struct reading {
  kiln_launch *launch;
  arena arena;
  uint64_t told, kept; /* records */
  record *records;
} reading;

/* Its first word counts the records; rows that it does not count are never read. */
kiln_result vk_log_empty(kiln_launch *launch) {
  return launch->log ? vk_launch_zero(launch, launch->log->param, 4 * sizeof(uint32_t)) : KILN_OK;
}

/* By the step, its last axis fastest; of one step as they came. */
static int in_order(const void *left, const void *right) {
  const record *a = left, *b = right;
  for (uint32_t i = 1; i <= a->axis_count; i++)
    if (a->row[i] != b->row[i]) return a->row[i] < b->row[i] ? -1 : 1;
  return (a->row > b->row) - (a->row < b->row);
}

static kiln_result read_records(reading *r) {
  const ir_log *log = r->launch->log;
  const uint32_t binding = log->param;
  uint32_t count;
  kiln_result result = vk_launch_read(r->launch, binding, &count, sizeof count);
  if (result) return result;
  r->told = count;
  r->kept = count < log->rows ? count : log->rows - 1;
  const size_t words = (size_t)(1 + r->kept) * log->width;
  uint32_t *rows = ARENA_ARRAY(&r->arena, uint32_t, words);
  r->records = ARENA_ARRAY(&r->arena, record, r->kept + 1);
  result = r->kept ? vk_launch_read(r->launch, binding, rows, words * sizeof *rows) : KILN_OK;
  for (uint64_t i = 0; i < r->kept; i++) r->records[i] = (record){rows + (1 + i) * log->width, log->axis_count};
  qsort(r->records, r->kept, sizeof *r->records, in_order);
  return result;
}

/* ---- records ---- */

/* What a record is of; NULL where no row says. */
static const ir_told *told_of(const reading *r, const uint32_t *row) {
  const ir_log *log = r->launch->log;
  return row[0] < log->told_count ? &log->told[row[0]] : NULL;
}

static const uint32_t *values_of(const reading *r, const uint32_t *row) { return row + 1 + r->launch->log->axis_count; }

/* "block 3 (i 3) unit (t 1)"; `unit` may be empty. */
static kiln_str name_step(reading *r, kiln_str unit, const uint32_t *row) {
  text t = text_new(&r->arena);
  ir_log_step(&t, r->launch->log, row + 1);
  text_add(&t, unit);
  return text_str(&t);
}

static void print_record(reading *r, const ir_told *told, const uint32_t *row) {
  const kiln_device *device = r->launch->device;
  if (!device->print) return;
  text t = text_new(&r->arena);
  ir_say(&t, told->words, ir_log_values(&r->arena, told, values_of(r, row)), told->count);
  const kiln_str line = text_str(&t);
  device->print(device->print_user, line.data, line.size);
}

static void report_check(reading *r, const ir_told *told, const uint32_t *row) {
  const diag_extra extra = {.unit = name_step(r, (kiln_str){0}, row)};
  diag_report_with(r->launch->device->context->diags, DIAG_check_failed, told->loc, &extra, STR_FMT(told->words));
}

/* ---- roles ---- */

/* Else something goes wrong there. */
static bool is_wait(ir_log_said says) { return says == IR_LOG_WAITS || says == IR_LOG_LATE || says == IR_LOG_SPLITS; }

/* What the record is of, where a role says something at which it goes wrong, or (`waits`) that it waits; else NULL. */
static const ir_told *told_by_role(const reading *r, const uint32_t *row, bool waits) {
  const ir_told *told = told_of(r, row);
  return told && told->wait && is_wait(told->wait->says) == waits ? told : NULL;
}

static kiln_str name_element(reading *r, const ir_told *told, uint32_t element) {
  text t = text_new(&r->arena);
  ir_say_element(&t, told->words, told->wait->rank, told->wait->dims, element);
  return text_str(&t);
}

/* What an arrival breaks is told of at its place, as the host does: the first where there are several. */
static loc place_of_rule(const ir_told *told, sync_rule rule) {
  const bool by_arrival = rule == SYNC_OVER_ARRIVAL || rule == SYNC_UNSEEN_PHASE;
  return by_arrival && told->wait->helper_count ? told->wait->helpers[0] : told->loc;
}

static const char *write_shape(reading *r, uint32_t rank, const int64_t *dims) {
  text t = text_new(&r->arena);
  ir_say_shape(&t, rank, dims);
  text_char(&t, '\0');
  return t.data;
}

/* "arrive full[3] reaches outside [3]" */
static void report_outside(reading *r, const ir_told *told, const uint32_t *row) {
  const ir_log_wait *wait = told->wait;
  const uint32_t *at = values_of(r, row);
  const diag_extra extra = {.unit = name_step(r, wait->unit, row)};
  int64_t index[KILN_MAX_RANK];
  for (uint32_t d = 0; d < wait->rank; d++) index[d] = (int32_t)at[d];
  diag_report_with(r->launch->device->context->diags, DIAG_out_of_bounds, told->loc, &extra, wait->op.data,
                   STR_FMT(told->words), write_shape(r, wait->rank, index), write_shape(r, wait->rank, wait->dims));
}

static void report_rule(reading *r, const ir_told *told, const uint32_t *row) {
  const uint32_t *values = values_of(r, row);
  const sync_rule rule = values[3] < SYNC_RULES ? (sync_rule)values[3] : SYNC_NONE;
  const kiln_str name = name_element(r, told, values[0]);
  const diag_extra extra = {.unit = told->wait->unit.size ? name_step(r, told->wait->unit, row) : (kiln_str){0}};
  diag_report_with(r->launch->device->context->diags, sync_rule_diag(rule), place_of_rule(told, rule), &extra,
                   STR_FMT(name), sync_rule_text(rule), (unsigned long long)values[1], (unsigned long long)values[2]);
}

/* Rules of barriers and semaphores that roles found broken, and elements that they did not find: the first ones, each
 * element of a place once. */
static bool tell_rules(reading *r) {
  const uint32_t *seen[RULES_MOST];
  uint32_t count = 0;
  for (uint64_t i = 0; i < r->kept && count < RULES_MOST; i++) {
    const uint32_t *row = r->records[i].row;
    const ir_told *told = told_by_role(r, row, false);
    bool known = !told;
    for (uint32_t k = 0; k < count && !known; k++)
      known = seen[k][0] == row[0] && values_of(r, seen[k])[0] == values_of(r, row)[0];
    if (known) continue;
    seen[count++] = row;
    if (told->wait->says == IR_LOG_OUTSIDE)
      report_outside(r, told, row);
    else
      report_rule(r, told, row);
  }
  return count > 0;
}

/* "unit (t 1) did not get its turn: what it waits for at full[2] came when it had given up" */
static kiln_str describe_late(reading *r, const ir_told *told, const uint32_t *row) {
  return str_format(&r->arena, "%.*s did not get its turn: what it waits for at %.*s came when it had given up",
                    STR_FMT(name_step(r, told->wait->unit, row)), STR_FMT(name_element(r, told, values_of(r, row)[0])));
}

/* "unit (t 1) waits for full[2]: phase 0 has 0 of 1 arrivals", and where help could come from. */
static void note_wait(reading *r, kiln_place *notes, size_t *count, const ir_told *told, const uint32_t *row) {
  const uint32_t *values = values_of(r, row), have = values[1], need = values[2];
  const ir_log_wait *wait = told->wait;
  const bool barrier = wait->kind == IR_BARRIER && need > 0;
  text t = text_new(&r->arena);
  text_format(&t, "%.*s waits for %.*s", STR_FMT(name_step(r, wait->unit, row)),
              STR_FMT(name_element(r, told, values[0])));
  ir_say_wait(&t, wait->kind, barrier ? have / need : 0, barrier ? have % need : have, need);
  notes[(*count)++] = loc_place(told->loc, text_str(&t));
  text help = text_new(&r->arena);
  ir_say_help(&help, wait->kind, told->words);
  for (uint32_t i = 0; i < wait->helper_count && *count < NOTES_MOST; i++)
    notes[(*count)++] = loc_place(wait->helpers[i], text_str(&help));
}

/* Who spins may have given up because it did not get its turn; in rounds everybody does. */
static void report_waits(const reading *r, loc at, const diag_extra *extra, uint64_t waiting) {
  const ir_log *log = r->launch->log;
  diag_sink *diags = r->launch->device->context->diags;
  const unsigned long long some = waiting, all = (uint64_t)log->roles * r->launch->unit_count;
  if (log->polls)
    diag_report_with(diags, DIAG_gave_up, at, extra, log->polls, some, all, STR_FMT(log->kernel));
  else
    diag_report_with(diags, DIAG_deadlock, at, extra, some, all, STR_FMT(log->kernel));
}

/* Roles that wait for ever: each place once, with the first that waits there. */
static bool tell_waits(reading *r) {
  kiln_place notes[NOTES_MOST];
  size_t count = 0, waiting = 0;
  const ir_told *seen[NOTES_MOST] = {0};
  uint32_t places = 0;
  for (uint64_t i = 0; i < r->kept; i++) {
    const uint32_t *row = r->records[i].row;
    const ir_told *told = told_by_role(r, row, true);
    if (!told) continue;
    const ir_log_said says = told->wait->says;
    waiting += says != IR_LOG_LATE && !told->wait->part;
    bool known = says == IR_LOG_SPLITS || count >= NOTES_MOST || places == NOTES_MOST;
    for (uint32_t s = 0; s < places; s++)
      known = known || (seen[s]->loc.offset == told->loc.offset && seen[s]->wait->says == says);
    if (known) continue;
    seen[places++] = told;
    if (says == IR_LOG_LATE)
      notes[count++] = loc_place(told->loc, describe_late(r, told, row));
    else
      note_wait(r, notes, &count, told, row);
  }
  if (places == 0) return false;
  const diag_extra extra = {.notes = notes, .note_count = count};
  report_waits(r, seen[0]->loc, &extra, waiting);
  return true;
}

/* ---- all of it ---- */

/* The first check of a launch that failed is told of. True: there is one, or roles found a fault. */
static bool tell_records(reading *r) {
  const bool broken = tell_rules(r);
  bool failed = tell_waits(r) || broken;
  for (uint64_t i = 0; i < r->kept; i++) {
    const uint32_t *row = r->records[i].row;
    const ir_told *told = told_of(r, row);
    if (!told || told->wait) continue;
    if (!told->check)
      print_record(r, told, row);
    else if (!failed)
      report_check(r, told, row);
    failed |= told->check;
  }
  return failed;
}

/* Among what was lost may be a check that failed. */
static bool tell_lost(const reading *r) {
  const ir_log *log = r->launch->log;
  bool checks = false;
  if (r->told == r->kept) return false;
  for (uint32_t i = 0; i < log->told_count; i++) checks |= log->told[i].check || log->told[i].wait;
  diag_report(r->launch->device->context->diags, checks ? DIAG_log_lost_checks : DIAG_log_full, (loc){0},
              (unsigned long long)(r->told - r->kept), (unsigned long long)r->told);
  return checks;
}

static kiln_result read_log(reading *r) {
  kiln_result result = read_records(r);
  if (result) return result;
  const bool failed = tell_records(r), unknown = !failed && tell_lost(r);
  return failed || unknown ? KILN_ERROR_FAULT : KILN_OK;
}

kiln_result vk_log_tell(kiln_launch *launch) {
  kiln_context *context = launch->device->context;
  reading r = {.launch = launch};
  jmp_buf out;
  if (!launch->log) return KILN_OK;
  arena_init(&r.arena, context->mem, 0);
  if (!ARENA_GUARD(&r.arena, out)) {
    arena_finish(&r.arena);
    diag_report(context->diags, DIAG_out_of_memory, (loc){0});
    return KILN_ERROR_MEMORY;
  }
  const kiln_result result = read_log(&r);
  arena_finish(&r.arena);
  return result;
}
