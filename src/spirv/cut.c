/* Long code in pieces, for drivers whose compilers hold so many values and no more. SwiftShader's gives each value
 * that found no register a place of its own on a stack of 512 KiB; only values of different pieces, which loops divide,
 * share places. What needs more room than that ends the process inside the driver, so it is counted, and refused. */
#define SPV_ENABLE_UTILITY_CODE
#include "spirv/lower.h"

extern void SpvHasResultAndType(SpvOp opcode, bool *hasResult, bool *hasResultType); /* inline in the header */

/* Of the values that may be held, in a piece. */
#define PIECE(most) ((most) / 8)

static size_t values_so_far(const spv_lower *low) { return low->module.next_id + low->called_values; }

/* A loop that never repeats. The barrier is what keeps optimisers from removing it. */
void spv_cut(spv_lower *low) {
  spv_code *c = &low->code;
  spv_module *m = c->m;
  if (!low->profile.max_values || values_so_far(low) - low->cut_at < PIECE(low->profile.max_values)) return;
  spv_loop loop = spv_loop_begin(m);
  spv_loop_test(m, &loop, false);
  SPV_DO(m, SpvOpMemoryBarrier, spv_int(c, SpvScopeSubgroup),
         spv_int(c, SpvMemorySemanticsAcquireReleaseMask | SPV_ALL_MEMORY));
  spv_loop_end(m, &loop, NULL, 0, SPV(m, SpvOpLogicalNot, c->boolean, low->runs));
  low->cut_at = values_so_far(low);
}

/* ---- what is held ---- */

typedef struct counting {
  const spv_lower *low;
  uint32_t *piece_of; /* by id: the piece that made it; 0: none, or it is counted among those that are held */
  bool *merges;       /* by id: the label behind a loop */
  uint32_t piece;
  size_t here, largest; /* values of this piece, and of the one with the most */
  size_t held;          /* values that another piece uses too */
} counting;

static void next_piece(counting *c) {
  c->piece++;
  c->here = 0;
}

static void make(counting *c, size_t count) {
  c->here += count;
  if (c->here > c->largest) c->largest = c->here;
}

static size_t values_of_helper(const spv_lower *low, spv_id id) {
  for (size_t i = 0; i < IR_CODE_COUNT * 2; i++)
    if (low->helpers[i / 2][i % 2].id == id) return low->helpers[i / 2][i % 2].values;
  return 0;
}

/* Every operand counts as an id. A literal that looks like one is counted once: too many, never too few. */
static void use(counting *c, spv_id id) {
  if (id >= c->low->module.next_id || !c->piece_of[id] || c->piece_of[id] == c->piece) return;
  c->piece_of[id] = 0;
  c->held++;
}

static void count_instruction(counting *c, SpvOp op, const uint32_t *operands, size_t count) {
  bool has_result, has_type;
  SpvHasResultAndType(op, &has_result, &has_type);
  if (op == SpvOpLabel && c->merges[operands[0]]) next_piece(c);
  for (size_t i = has_type ? 2 : 0; i < count; i++) use(c, operands[i]);
  if (op == SpvOpLoopMerge) {
    c->merges[operands[0]] = true;
    next_piece(c);
  }
  if (op == SpvOpFunctionCall) make(c, values_of_helper(c->low, operands[2]));
  if (!has_type) return;
  make(c, 1);
  if (op == SpvOpPhi || op == SpvOpVariable)
    c->held++; /* a variable of the compiler's */
  else
    c->piece_of[operands[1]] = c->piece;
}

static void count_section(counting *c, spv_section section) {
  const spv_words *words = &c->low->module.sections[section];
  for (size_t at = 0; at < words->count; at += words->data[at] >> SpvWordCountShift) {
    const uint32_t first = words->data[at];
    count_instruction(c, (SpvOp)(first & SpvOpCodeMask), words->data + at + 1, (first >> SpvWordCountShift) - 1);
  }
}

/* Three of four values of long straight code were without a register on SwiftShader: 42,500 went, 47,800 did not. */
size_t spv_values_held(const spv_lower *low) {
  counting c = {.low = low, .piece = 1};
  c.piece_of = ARENA_ARRAY(low->arena, uint32_t, low->module.next_id);
  c.merges = ARENA_ARRAY(low->arena, bool, low->module.next_id);
  count_section(&c, SPV_HEAD);
  count_section(&c, SPV_BODY);
  return c.held + c.largest / 4 * 3;
}
