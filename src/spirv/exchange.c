/* Values between lanes without memory: shuffles, and the conversion of a tile in registers to other lanes.
 *
 * An element's coordinates are packed into one number of bits. As the register and the lane of a tile's home decide
 * them by exclusive or (ir/linear.h), so do the lanes that ask: lane l wants the element c ^ (the exclusive or of w_b
 * for each bit b of l). The inverse of the home's map sends c and every w_b to (register, lane). Where no w_b has a
 * register, one shuffle of one register does. Else the bits b that have one, which must come from lanes of their own,
 * are dealt with in two steps: every lane chooses what to send, and chooses what it wanted among what it received.
 * Those choices have one condition for each such bit, and many elements share each of them. */
#include "spirv/lower.h"

#define MOST_CHOSEN 3u /* bits with a register, of a conversion that is no slower than memory */

/* ---- shuffles ---- */

static spv_id shuffle(spv_lower *low, SpvOp op, spv_id type, spv_id value, spv_id with) {
  spv_code *c = &low->code;
  spv_capability(c->m, SpvCapabilityGroupNonUniformShuffle);
  if (type == c->boolean)
    return spv_num_unpack(low, IR_BOOL, shuffle(low, op, c->u32, spv_num_pack(low, IR_BOOL, value), with));
  return spv_pure(c, op, type, SPV_LIST(spv_int(c, SpvScopeSubgroup), value, with), 0, 3);
}

spv_id spv_shuffle(spv_lower *low, spv_id type, spv_id value, spv_id lane) {
  return shuffle(low, SpvOpGroupNonUniformShuffle, type, value, lane);
}

spv_id spv_shuffle_xor(spv_lower *low, spv_id type, spv_id value, uint32_t distance) {
  return shuffle(low, SpvOpGroupNonUniformShuffleXor, type, value, spv_int(&low->code, distance));
}

/* ---- coordinates as bits ---- */

/* packed coordinates = base ^ (the exclusive or of `lane[b]` for each bit b of the lane) */
typedef struct spread {
  uint64_t base, lane[6];
} spread;

static bool pack(spv_lower *low, const ir_type *type, const spv_point *point, uint32_t lane, uint64_t *packed) {
  *packed = 0;
  for (uint32_t axis = 0; axis < point->rank; axis++) {
    uint32_t width = layout_axis_bits(ir_extent(type, axis));
    int64_t at;
    if (!spv_in_lane(&low->code, point->at[axis], lane, &at) || at < 0 || at >> width) return false;
    *packed = *packed << width | (uint64_t)at;
  }
  return true;
}

static bool spread_of(spv_lower *low, const ir_type *type, const spv_point *point, spread *out) {
  if (!pack(low, type, point, 0, &out->base)) return false;
  for (uint32_t lane = 1; lane < low->lanes; lane++) {
    uint32_t bit = (uint32_t)__builtin_ctz(lane);
    uint64_t packed, sum = out->base;
    if (!pack(low, type, point, lane, &packed)) return false;
    if (lane == 1u << bit) out->lane[bit] = packed ^ out->base;
    for (uint32_t b = 0; b < low->lane_bits; b++)
      if (lane >> b & 1) sum ^= out->lane[b];
    if (packed != sum) return false;
  }
  return true;
}

/* ---- where a tile's elements are ---- */

/* The home as a map from (register, lane) to coordinates: a register for each bit that no lane decides. */
typedef struct holder {
  spv_lower *low;
  const spv_home *home;
  spv_id type;
  uint32_t register_bits;
  linear where;       /* the inverse: coordinates -> register | lane << register_bits */
  spv_ids registers;  /* by number; 0: past the end of the tile */
  uint32_t lane_mask; /* of the lane bits that elements differ along */
} holder;

static uint64_t apply(const holder *from, uint64_t packed) { return linear_apply(&from->where, packed); }

static linear map_of(const spv_lower *low, const spread *first, uint32_t bits, uint32_t *register_bits) {
  uint64_t of_lanes = 0;
  linear matrix = {.out = bits};
  for (uint32_t b = 0; b < low->lane_bits; b++) of_lanes |= first->lane[b];
  for (uint32_t bit = 0; bit < bits; bit++)
    if (!(of_lanes >> bit & 1)) matrix.basis[matrix.in++] = UINT64_C(1) << bit;
  *register_bits = matrix.in;
  for (uint32_t b = 0; b < low->lane_bits; b++) matrix.basis[matrix.in++] = first->lane[b];
  return matrix;
}

/* False when the lanes of some register are spread in another way, or lie in registers of others. */
static bool place_registers(holder *from, const ir_type *type, const spread *first) {
  spv_lower *low = from->low;
  for (uint32_t r = 0; r < 1u << from->register_bits; r++) VEC_PUSH(low->arena, &from->registers, 0);
  for (size_t i = 0; i < from->home->ids.count; i++) {
    spread of;
    if (!spread_of(low, type, &from->home->points.data[i], &of)) return false;
    for (uint32_t b = 0; b < low->lane_bits; b++)
      if (of.lane[b] != first->lane[b]) return false;
    uint64_t at = apply(from, of.base);
    if (at >> from->register_bits) return false;
    from->registers.data[at] = from->home->ids.data[i];
  }
  return true;
}

static bool holder_of(spv_lower *low, const ir_value *value, const spv_home *home, holder *from) {
  spread first;
  uint32_t bits = 0;
  for (uint32_t axis = 0; axis < value->type.shape.rank; axis++)
    bits += layout_axis_bits(ir_extent(&value->type, axis));
  *from = (holder){.low = low, .home = home, .type = spv_num_type(low, value->type.dtype)};
  if (!home->ids.count || bits > 16 || !spread_of(low, &value->type, &home->points.data[0], &first)) return false;
  linear matrix = map_of(low, &first, bits, &from->register_bits);
  for (uint32_t b = 0; b < low->lane_bits; b++) from->lane_mask |= first.lane[b] ? 1u << b : 0;
  return linear_invert(&matrix, &from->where) && place_registers(from, &value->type, &first);
}

/* ---- who sends what ---- */

/* Element (register, lane) of the home, as a number of register | lane << register_bits, that lane l asks for: base ^
 * (the exclusive or of ask[b] for each bit b of l). `chosen`: the bits whose ask has a register; ask[b] then also has
 * the lane bit `by[b]`, that of no other, and `extra` the bits for which it was added. */
typedef struct request {
  holder *from;
  uint64_t base, ask[6];
  uint32_t by[6], chosen, extra;
} request;

static uint32_t lane_of(const request *r, uint64_t number) { return (uint32_t)(number >> r->from->register_bits); }
static uint32_t register_of(const request *r, uint64_t number) {
  return (uint32_t)number & ((1u << r->from->register_bits) - 1);
}

/* Finds the chosen bits and gives each a lane bit of its own; false when there are too many, or too few lanes. */
static bool choose_lanes(request *r) {
  uint32_t lane_bits = r->from->low->lane_bits, taken = 0;
  for (uint32_t b = 0; b < lane_bits; b++)
    if (register_of(r, r->ask[b])) r->chosen |= 1u << b;
  if ((uint32_t)__builtin_popcount(r->chosen) > MOST_CHOSEN) return false;
  for (uint32_t b = 0; r->chosen && b < lane_bits; b++) {
    uint32_t lanes = lane_of(r, r->ask[b]);
    if (lanes & taken || (r->chosen >> b & 1 && lanes & (lanes - 1))) return false;
    taken |= lanes;
  }
  for (uint32_t b = 0; b < lane_bits; b++) {
    if (!(r->chosen >> b & 1)) continue;
    uint32_t lanes = lane_of(r, r->ask[b]);
    if (!lanes) {
      lanes = ~taken & -~taken;
      if (lanes >> lane_bits) return false;
      taken |= lanes;
      r->ask[b] |= (uint64_t)lanes << r->from->register_bits;
      r->extra |= 1u << b;
    }
    r->by[b] = (uint32_t)__builtin_ctz(lanes);
  }
  return true;
}

static spv_id lane_bit(spv_lower *low, uint32_t bit) {
  spv_code *c = &low->code;
  spv_id value = spv_and_const(c, low->lane, 1u << bit);
  return spv_op2(c, SpvOpINotEqual, c->boolean, value, spv_int(c, 0));
}

/* What a lane sends towards the element `number`: of the chosen bits from `b` on, the asker's is this lane's by[b]. */
static spv_id send(const request *r, uint64_t number, uint32_t b) {
  spv_lower *low = r->from->low;
  while (b < low->lane_bits && !(r->chosen >> b & 1)) b++;
  if (b == low->lane_bits) {
    spv_id id = r->from->registers.data[register_of(r, number)];
    return id ? id : r->from->home->ids.data[0]; /* past the end: nobody looks */
  }
  spv_id unset = send(r, number, b + 1), set = send(r, number ^ register_of(r, r->ask[b]), b + 1);
  bool turned = lane_of(r, number) >> r->by[b] & 1;
  return spv_select(&low->code, r->from->type, lane_bit(low, r->by[b]), turned ? unset : set, turned ? set : unset);
}

/* From which lane: an id of base ^ (the exclusive or of the lanes asked). */
static spv_id sender(const request *r, uint64_t number) {
  spv_lower *low = r->from->low;
  spv_code *c = &low->code;
  spv_id lane = spv_int(c, 0);
  for (uint32_t b = 0; b < low->lane_bits; b++) {
    uint32_t lanes = lane_of(r, r->ask[b]);
    spv_id set = spv_select(c, c->u32, lane_bit(low, b), spv_int(c, lanes), spv_int(c, 0));
    if (lanes == 1u << b) set = spv_and_const(c, low->lane, lanes);
    if (lanes) lane = spv_op2(c, SpvOpBitwiseXor, c->u32, lane, set);
  }
  return spv_op2(c, SpvOpBitwiseXor, c->u32, lane, spv_int(c, lane_of(r, number)));
}

/* The lanes all ask for their own number ^ a distance. */
static bool is_own(const request *r) {
  for (uint32_t b = 0; b < r->from->low->lane_bits; b++) {
    bool differs = r->from->lane_mask >> b & 1;
    if (lane_of(r, r->ask[b]) != 1u << b && (differs || lane_of(r, r->ask[b]))) return false;
  }
  return true;
}

static spv_id receive(const request *r, uint64_t number, uint32_t b) {
  spv_lower *low = r->from->low;
  while (b < low->lane_bits && !(r->extra >> b & 1)) b++;
  if (b < low->lane_bits) {
    uint64_t other = number ^ (UINT64_C(1) << (r->by[b] + r->from->register_bits));
    spv_id unset = receive(r, number, b + 1), set = receive(r, other, b + 1);
    return spv_select(&low->code, r->from->type, lane_bit(low, b), set, unset);
  }
  spv_id sent = send(r, number, 0);
  if (!is_own(r)) return spv_shuffle(low, r->from->type, sent, sender(r, number));
  return lane_of(r, number) ? spv_shuffle_xor(low, r->from->type, sent, lane_of(r, number)) : sent;
}

spv_id spv_exchange(spv_lower *low, const ir_value *value, const spv_home *home, const spv_point *point) {
  holder from;
  spread wanted;
  if (!spread_of(low, &value->type, point, &wanted) || !holder_of(low, value, home, &from)) return 0;
  request r = {.from = &from, .base = apply(&from, wanted.base)};
  for (uint32_t b = 0; b < low->lane_bits; b++) r.ask[b] = apply(&from, wanted.lane[b]);
  return choose_lanes(&r) ? receive(&r, r.base, 0) : 0;
}
