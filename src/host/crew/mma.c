/* Products of matrices: sum (+)= left right, in the memory of one block, or of several that share the right side; and
 * the copies for them that one block makes in all. */
#include <string.h>

#include "host/crew/crew.h"

/* The numbers that products are made of are widened first; the product is rounded to the sum's type, then added. */
typedef struct sizes {
  int64_t m, n, k;             /* of one block's product */
  uint64_t left, right, spare; /* bytes */
  ir_dtype sum, wide;
} sizes;

static sizes sizes_of(const crew_part *part) {
  const host_box_info *sum = &part->to.info;
  sizes s = {.m = sum->dims[0], .n = sum->dims[1], .k = part->right.info.dims[0], .sum = sum->dtype};
  s.wide = ir_dtype_wide(s.sum);
  const uint64_t bytes = ir_dtype_bytes(s.wide);
  s.left = (uint64_t)s.m * (uint64_t)s.k * bytes;
  s.right = (uint64_t)s.k * (uint64_t)s.n * bytes;
  const uint64_t product = (uint64_t)s.m * (uint64_t)s.n * bytes;
  s.spare = product > s.right ? product : s.right;
  if (s.left > s.spare) s.spare = s.left;
  return s;
}

static void convert(uint8_t *to, ir_dtype wide, const uint8_t *from, ir_dtype dtype, int64_t count) {
  const void *const in[] = {from, from, from};
  if (wide == dtype)
    memmove(to, from, (size_t)count * ir_dtype_bytes(wide));
  else
    ir_convert_lanes(dtype, wide)(to, in, (size_t)count);
}

/* Where a side's elements lie in order: there, or gathered in `spare`. */
static const uint8_t *gathered(const crew_side *side, uint8_t *spare) {
  if (!side->block) return side->box.root;
  if (host_box_run(&side->box, &side->info) > 0) return side->box.root + side->box.offset;
  memset(spare, 0, (size_t)crew_side_bytes(side));
  host_box_move(&side->box, &side->info, spare, false);
  return spare;
}

static void read_side(const crew_side *side, ir_dtype wide, uint8_t *to, uint8_t *spare) {
  convert(to, wide, gathered(side, spare), side->info.dtype, host_box_count(&side->info));
}

/* The columns of the right side lie block by block. */
static void read_right(const crew_task *task, const sizes *s, uint8_t *to, uint8_t *spare) {
  const uint64_t bytes = ir_dtype_bytes(s->wide);
  const int64_t columns = s->n / task->part_count;
  if (task->part_count == 1) {
    read_side(&task->parts[0].right, s->wide, to, spare);
    return;
  }
  for (uint32_t i = 0; i < task->part_count; i++) {
    uint8_t *part = spare + s->right;
    read_side(&task->parts[i].right, s->wide, part, spare);
    host_copy_strided(to + (uint64_t)(i * columns) * bytes, s->n * (int64_t)bytes, (int64_t)bytes, part,
                      columns * (int64_t)bytes, (int64_t)bytes, s->k, columns, (uint32_t)bytes);
  }
}

/* ---- scales, and matrices of which half is there ---- */

/* left[m, k] from left[m, k / 2], two of four: those that `which` says. */
static void spread_pairs(const sizes *s, const crew_side *which, uint8_t *left, uint8_t *spare) {
  uint32_t *given = (uint32_t *)(void *)spare, *values = (uint32_t *)(void *)left;
  const float *places = (const float *)(const void *)(spare + s->spare);
  const int64_t half = s->k / 2;
  memcpy(given, left, (size_t)(s->m * half) * sizeof *given);
  read_side(which, IR_F32, spare + s->spare, left);
  memset(left, 0, (size_t)s->left);
  for (int64_t i = 0; i < s->m * half; i++) values[i / 2 * 4 + (int64_t)places[i] % 4] = given[i];
}

/* Every so many elements of a line have one scale; `along` and `across` are strides of elements. */
static void multiply_by(const crew_side *scales, float *values, int64_t lines, int64_t k, int64_t along, int64_t across,
                        const sizes *s, uint8_t *spare) {
  float *factors = (float *)(void *)(spare + s->spare);
  const int64_t each = scales->info.dims[1];
  read_side(scales, IR_F32, (uint8_t *)factors, spare);
  for (int64_t line = 0; line < lines; line++)
    for (int64_t i = 0; i < k; i++) values[line * across + i * along] *= factors[line * each + i / (k / each)];
}

static void complete_factors(const crew_task *task, const crew_part *part, const sizes *s, uint8_t *data) {
  float *left = (float *)(void *)data, *right = (float *)(void *)(data + s->left);
  uint8_t *spare = data + s->left + s->right;
  if (task->op->attrs->sparse) spread_pairs(s, crew_more_of(task, part, task->more - 1), data, spare);
  if (!task->op->attrs->scaled) return;
  multiply_by(crew_more_of(task, part, 0), left, s->m, s->k, 1, s->k, s, spare);
  multiply_by(crew_more_of(task, part, 1), right, s->n, s->k, s->n, 1, s, spare);
}

uint64_t crew_product_bytes(const crew_task *task) {
  const sizes s = sizes_of(task->parts);
  return s.left + s.right + 2 * s.spare;
}

void crew_product_read(const crew_task *task, crew_part *part, uint8_t *data) {
  const sizes s = sizes_of(part);
  uint8_t *spare = data + s.left + s.right;
  crew_check_written(task, &part->from);
  crew_check_written(task, &part->right);
  if (task->accumulates) crew_check_written(task, &part->to);
  read_side(&part->from, s.wide, data, spare);
  read_right(task, &s, data + s.left, spare);
  for (uint32_t i = 0; i < task->more; i++) crew_check_written(task, crew_more_of(task, part, i));
  if (task->more > 0) complete_factors(task, part, &s, data);
}

void crew_product_write(const crew_task *task, const crew_part *part, uint8_t *data) {
  const sizes s = sizes_of(part);
  uint8_t *product = data + s.left + s.right, *spare = product + s.spare;
  host_product(s.wide, s.m, s.n, s.k, data, data + s.left, product);
  if (s.wide != s.sum) {
    convert(spare, s.sum, product, s.wide, s.m * s.n);
    uint8_t *rounded = spare;
    spare = product;
    product = rounded;
  }
  if (task->accumulates)
    crew_side_combine(&part->to, IR_add, product, spare);
  else
    host_box_move(&part->to.box, &part->to.info, product, true);
  crew_mark_written(&part->to);
}

/* ---- issue ---- */

static bool side_in(const host_unit *unit, uint32_t box, uint32_t block, crew_side *out) {
  alloc_block *there = crew_peer_block(unit, unit->plan->boxes[box].root, block);
  if (there) *out = crew_side_of(unit, box, there);
  return there;
}

/* The part of one block; `tile` is the left side when it is no ref. False while that block has not its memory. */
static bool make_part(host_unit *unit, const host_crew_op *what, uint32_t block, const ir_op *op, crew_part *part) {
  if (!side_in(unit, what->to, block, &part->to)) return false;
  if (op->code == IR_claim) return true;
  if (op->code == IR_mma && !side_in(unit, what->right, block, &part->right)) return false;
  if (what->from != HOST_NONE) return side_in(unit, what->from, block, &part->from);
  const ir_type *left = &op->operands[1]->type;
  part->from = (crew_side){.box = {.root = unit->slot[what->tile]}, .info = {.dtype = left->dtype, .rank = 2}};
  for (uint32_t d = 0; d < 2; d++) part->from.info.dims[d] = ir_extent(left, d);
  return true;
}

static bool make_more(host_unit *unit, const host_crew_op *what, uint32_t block, crew_part *more, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (!side_in(unit, what->more[i], block, &more[i].from)) return false;
  return true;
}

static bool arrive_in(host_unit *unit, const host_crew_op *what, uint32_t block, crew_part *part) {
  const alloc_block *there = crew_peer_block(unit, unit->plan->boxes[what->sync].root, block);
  if (there) part->arrival.sync = there->client;
  return part->arrives = there != NULL;
}

/* The parts of all blocks along the axes, the own one first when there are none. HOST_BLOCKED: one has no memory yet.
 */
static host_status make_parts(host_unit *unit, const host_crew_op *what, crew_task *task) {
  const crew *c = unit->member->crew;
  const uint32_t own = crew_block_index(unit), axes = task->op->attrs->across;
  crew_element arrival = {0};
  if (what->sync != HOST_NONE && !crew_find(unit, what->sync, task->op, &arrival)) return HOST_FAILED;
  uint32_t next = 0;
  for (uint32_t block = 0; block < c->plan->machine.size[DEPTH_GPU_BLOCK]; block++) {
    if (!crew_same_but(c, own, block, axes)) continue;
    crew_part *part = &task->parts[next], *more = &task->parts[task->part_count + next * task->more];
    next++;
    part->arrival = arrival;
    bool ready = task->kind == CREW_ARRIVAL ||
                 (make_part(unit, what, block, task->op, part) && make_more(unit, what, block, more, task->more));
    if (ready && what->sync != HOST_NONE) ready = arrive_in(unit, what, block, part);
    const uint32_t needed = task->kind == CREW_ARRIVAL ? what->sync : what->to;
    if (!ready) return crew_await_memory(unit, unit->plan->boxes[needed].root, block, task->op);
  }
  return HOST_RUNNING;
}

host_status crew_issue_in_blocks(host_unit *unit, const host_crew_op *what, crew_task *task, crew_queue_id queue) {
  crew *c = unit->member->crew;
  task->part_count =
      crew_count_along(c, crew_block_index(unit), task->op->attrs->across, c->plan->machine.size[DEPTH_GPU_BLOCK]);
  task->parts = crew_parts_bytes(task) == sizeof task->one ? &task->one : mem_calloc(c->mem, 1, crew_parts_bytes(task));
  if (!task->parts) return launch_run_out(c->launch), HOST_FAILED;
  host_status status = make_parts(unit, what, task);
  if (status == HOST_RUNNING) task->bytes = crew_task_bytes(task) * task->part_count;
  if (status == HOST_RUNNING && !crew_issue(unit, task, queue, true)) {
    launch_run_out(c->launch);
    status = HOST_FAILED;
  }
  if (task->parts != &task->one) mem_free(c->mem, task->parts, crew_parts_bytes(task));
  return status;
}

host_status crew_mma(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  const bool tensor = op->operands[0]->type.space == IR_SPACE_TMEM;
  crew_task task = {.kind = CREW_PRODUCT, .op = op, .lane = tensor ? crew_tensor_lane(unit) : unit->id};
  task.more = 2u * op->attrs->scaled + op->attrs->sparse;
  task.accumulates = what->condition == HOST_NONE || *unit->slot[what->condition] != 0;
  return crew_issue_in_blocks(unit, what, &task, tensor ? CREW_QUEUES : CREW_PRODUCTS);
}

host_status crew_copy_to_blocks(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  crew_task task = {.kind = CREW_COPY, .op = op, .lane = crew_tensor_lane(unit)};
  return crew_issue_in_blocks(unit, what, &task, CREW_QUEUES);
}

host_status crew_commit_products(host_unit *unit, const host_crew_op *what, const ir_op *op) {
  crew_task task = {.kind = CREW_ARRIVAL, .op = op, .lane = crew_tensor_lane(unit)};
  return crew_issue_in_blocks(unit, what, &task, CREW_QUEUES);
}
