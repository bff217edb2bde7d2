/* From a gathered loop to one that runs: dimensions that all operands walk alike become one, strips get a shape, and
 * every register a home: in place in memory where it can be, in a strip buffer otherwise. */
#include <string.h>

#include "host/flat/flatten.h"

/* ---- collapsing ---- */

typedef struct space {
  host_operand *operands[2 * HOST_MAX_REGS];
  uint32_t operand_count;
  uint32_t rank;
  int64_t dims[KILN_MAX_RANK];
} space;

/* Whether all operands reach the next index of the outer dimension by walking through the inner one. */
static bool walk_alike(const space *s, uint32_t outer, uint32_t inner, int64_t size) {
  for (uint32_t i = 0; i < s->operand_count; i++) {
    const host_operand *at = s->operands[i];
    if (at->strides[outer] != at->strides[inner] * size) return false;
    if (at->box != HOST_NONE && at->dense_strides[outer] != at->dense_strides[inner] * size) return false;
  }
  return true;
}

static void move_dim(space *s, uint32_t to, uint32_t from) {
  for (uint32_t i = 0; i < s->operand_count; i++) {
    s->operands[i]->strides[to] = s->operands[i]->strides[from];
    s->operands[i]->dense_strides[to] = s->operands[i]->dense_strides[from];
  }
}

static void clear_dim(space *s, uint32_t d) {
  for (uint32_t i = 0; i < s->operand_count; i++) s->operands[i]->strides[d] = s->operands[i]->dense_strides[d] = 0;
  s->dims[d] = 1;
}

static void collapse(space *s, const int64_t *dims, uint32_t rank) {
  for (uint32_t d = 0; d < rank; d++) {
    if (dims[d] == 1) continue;
    if (s->rank > 0 && walk_alike(s, s->rank - 1, d, dims[d])) {
      s->dims[s->rank - 1] *= dims[d];
      move_dim(s, s->rank - 1, d);
    } else {
      s->dims[s->rank] = dims[d];
      move_dim(s, s->rank++, d);
    }
  }
  for (; s->rank < 2; s->rank++) { /* a leading 1 */
    if (s->rank == 1) {
      move_dim(s, 1, 0);
      s->dims[1] = s->dims[0];
    }
    clear_dim(s, 0);
  }
}

/* ---- homes ---- */

typedef struct homes {
  const flat_group *g;
  host_fused *f;
  bool one[HOST_MAX_REGS];          /* the register is one element for a whole strip, and all who read it know */
  uint32_t last_use[HOST_MAX_REGS]; /* micro after which the register is free */
  uint32_t free[HOST_MAX_REGS * 2];
  uint32_t free_count, strips;
} homes;

static bool always_dense(const host_fused *f, const host_operand *at, int64_t bytes) {
  const uint32_t column = f->rank - 1;
  bool dense = at->strides[column] == bytes && (at->box == HOST_NONE || at->dense_strides[column] == bytes);
  return dense && f->rows == 1;
}

/* Of every strip the operand gives one element only. */
static bool is_one(const host_fused *f, const host_operand *at) {
  for (uint32_t d = f->rows == 1 ? f->rank - 1 : f->rank - 2; d < f->rank; d++)
    if (at->strides[d] != 0 || (at->box != HOST_NONE && at->dense_strides[d] != 0)) return false;
  return true;
}

/* Only loops for one such operand exist; whatever else reads it wants a strip full of it. */
static void find_ones(homes *h) {
  const flat_group *g = h->g;
  for (uint32_t i = 0; i < g->input_count; i++) h->one[g->inputs[i].reg] = is_one(h->f, &h->f->inputs[i].at);
  for (uint32_t m = 0; m < g->micro_count; m++) {
    const flat_micro *micro = &g->micros[m];
    const uint16_t *in = micro->run.in;
    for (uint32_t k = 0; k < 3; k++)
      if (!micro->one[k > 0] || (k == 0 && h->one[in[1]])) h->one[in[k]] = false;
  }
  for (uint32_t s = 0; s < g->sink_count; s++) h->one[g->sinks[s].sink.reg] = false;
}

static void choose_micros(const homes *h) {
  for (uint32_t m = 0; m < h->g->micro_count; m++) {
    const flat_micro *micro = &h->g->micros[m];
    host_micro *run = &h->f->micros[m];
    *run = micro->run;
    for (uint32_t k = 0; k < 2; k++)
      if (micro->one[k] && h->one[run->in[k]]) run->fn = micro->one[k];
  }
}

enum { STREAM_ROW = 256, STREAM_ARRAY = 8 << 20 }; /* bytes */

static uint32_t take_strip(homes *h) { return h->free_count > 0 ? h->free[--h->free_count] : h->strips++; }

static void find_last_uses(homes *h) {
  for (uint32_t m = 0; m < h->g->micro_count; m++)
    for (uint32_t k = 0; k < 3; k++) h->last_use[h->g->micros[m].run.in[k]] = m;
  for (uint32_t s = 0; s < h->g->sink_count; s++) h->last_use[h->g->sinks[s].sink.reg] = UINT32_MAX;
}

static bool reads_memory(const flat_group *g, uint32_t memory) {
  for (uint32_t i = 0; i < g->input_count; i++)
    if (g->inputs[i].memory == memory) return true;
  return false;
}

/* A stored value is computed straight into its place, unless the loop reads that memory too. */
static bool direct_sink(const flat_group *g, uint32_t reg, uint32_t *out) {
  for (uint32_t s = 0; s < g->sink_count; s++) {
    const flat_sink *sink = &g->sinks[s];
    if (sink->sink.reg != reg || sink->sink.combine || sink->memory == HOST_NONE) continue;
    *out = s;
    return !reads_memory(g, sink->memory);
  }
  return false;
}

/* What is stored to an array that outgrows the caches goes past them: nothing is read in order to be overwritten. */
static bool streams(const flat *f, const host_fused *fused, const host_sink *sink) {
  if (sink->combine || sink->to.box == HOST_NONE) return false;
  const host_root *root = &f->roots.data[f->boxes.data[sink->to.box].root];
  const bool dense = sink->to.strides[fused->rank - 1] == sink->bytes;
  return dense && fused->columns * sink->bytes >= STREAM_ROW && root->bytes >= STREAM_ARRAY;
}

static void give_home(homes *h, const flat *f, uint32_t r) {
  const flat_reg *from = &h->g->regs[r];
  host_reg *reg = &h->f->regs[r];
  *reg = (host_reg){.home = HOST_HOME_STRIP, .bytes = from->bytes, .strip = HOST_NONE};
  if (from->input != HOST_NONE) {
    reg->home = HOST_HOME_INPUT;
    if (!h->one[r] && !always_dense(h->f, &h->f->inputs[from->input].at, from->bytes)) reg->strip = h->strips++;
  } else if (from->tile != HOST_NONE) {
    reg->home = HOST_HOME_TILE;
    reg->index = f->tiles[from->tile].slot;
  } else if (direct_sink(h->g, r, &reg->index) && !h->f->sinks[reg->index].stream) {
    reg->home = HOST_HOME_SINK;
    reg->strip = h->strips++;
  }
}

/* Strip buffers for what lives in none of those, each given back after the last use. */
static void give_strips(homes *h) {
  const flat_group *g = h->g;
  for (uint32_t m = 0; m < g->micro_count; m++) {
    const host_micro *micro = &g->micros[m].run;
    host_reg *out = &h->f->regs[micro->out];
    uint32_t dying[3], dying_count = 0;
    for (uint32_t k = 0; k < 3; k++) {
      host_reg *in = &h->f->regs[micro->in[k]];
      if (in->home != HOST_HOME_STRIP || h->last_use[micro->in[k]] != m) continue;
      h->last_use[micro->in[k]] = UINT32_MAX; /* once */
      if (in->bytes == out->bytes)
        h->free[h->free_count++] = in->strip; /* computed in place */
      else
        dying[dying_count++] = in->strip;
    }
    if (out->home == HOST_HOME_STRIP) out->strip = take_strip(h);
    while (dying_count > 0) h->free[h->free_count++] = dying[--dying_count];
  }
}

/* ---- emitting ---- */

static ir_lanes_fn splat_of(uint32_t bytes) {
  return ir_splat_lanes(bytes == 1 ? IR_U8 : bytes == 2 ? IR_U16 : bytes == 4 ? IR_U32 : IR_U64);
}

static host_fused *new_fused(flat *f, const flat_group *g) {
  host_fused *fused = ARENA_NEW(f->arena, host_fused);
  fused->inputs = ARENA_ARRAY(f->arena, host_input, g->input_count + 1);
  fused->regs = ARENA_ARRAY(f->arena, host_reg, g->reg_count + 1);
  fused->sinks = ARENA_ARRAY(f->arena, host_sink, g->sink_count + 1);
  fused->micros = ARENA_ARRAY(f->arena, host_micro, g->micro_count + 1);
  fused->input_count = g->input_count;
  fused->reg_count = g->reg_count;
  fused->micro_count = g->micro_count;
  fused->sink_count = g->sink_count;
  for (uint32_t i = 0; i < g->input_count; i++)
    fused->inputs[i] = (host_input){.at = g->inputs[i].at,
                                    .bytes = g->inputs[i].bytes,
                                    .reg = g->inputs[i].reg,
                                    .splat = splat_of(g->inputs[i].bytes)};
  for (uint32_t s = 0; s < g->sink_count; s++) fused->sinks[s] = g->sinks[s].sink;
  return fused;
}

static void collapse_fused(host_fused *fused, const flat_group *g) {
  space s = {0};
  for (uint32_t i = 0; i < g->input_count; i++) s.operands[s.operand_count++] = &fused->inputs[i].at;
  for (uint32_t i = 0; i < g->sink_count; i++) s.operands[s.operand_count++] = &fused->sinks[i].to;
  collapse(&s, g->dims, g->rank);
  fused->rank = s.rank;
  memcpy(fused->dims, s.dims, sizeof s.dims);
}

enum {
  LONG_STRIP = 1 << 14, /* elements of a strip that needs no buffer */
  WIDE_ROW = 128,       /* rows at least so long are strips by themselves */
  PART = 1 << 15,       /* elements that are worth another thread's attention */
  MOST_PARTS = 64
};

static bool rows_follow(const host_fused *f, const int64_t *strides, int64_t bytes) {
  const uint32_t column = f->rank - 1;
  return strides[column] == bytes && strides[column - 1] == f->dims[column] * bytes;
}

/* Nothing is computed before it leaves, and everything is read in place: no buffer limits a strip. */
static bool needs_no_buffers(const host_fused *f) {
  for (uint32_t i = 0; i < f->input_count; i++) {
    const host_operand *at = &f->inputs[i].at;
    const int64_t bytes = f->inputs[i].bytes;
    if (!rows_follow(f, at->strides, bytes)) return false;
    if (at->box != HOST_NONE && !rows_follow(f, at->dense_strides, bytes)) return false;
  }
  return f->micro_count == 0;
}

static void shape_strips(host_fused *fused) {
  const int64_t rows = fused->dims[fused->rank - 2], columns = fused->dims[fused->rank - 1];
  fused->columns = columns < 1 ? 1 : columns < HOST_STRIP ? columns : HOST_STRIP;
  fused->rows = 1;
  if (fused->columns < WIDE_ROW) fused->rows = HOST_STRIP / fused->columns;
  if (columns == fused->columns && needs_no_buffers(fused)) fused->rows = LONG_STRIP / fused->columns;
  if (fused->rows > rows) fused->rows = rows < 1 ? 1 : rows;
}

/* Parts along one dimension are independent of one another if no reduction runs along it. Where they begin depends on
 * nothing but the shape. */
static void find_parts(host_fused *fused) {
  int64_t count = 1;
  fused->parts = 1;
  for (uint32_t d = 0; d < fused->rank; d++) count *= fused->dims[d];
  for (uint32_t d = 0; d < fused->rank; d++) {
    const int64_t grain = d + 1 == fused->rank ? fused->columns : d + 2 == fused->rank ? fused->rows : 1;
    const int64_t most = (fused->dims[d] + grain - 1) / grain;
    int64_t parts = count / PART < MOST_PARTS ? count / PART : MOST_PARTS;
    for (uint32_t s = 0; s < fused->sink_count; s++)
      if (fused->sinks[s].combine && fused->sinks[s].to.strides[d] == 0) parts = 1;
    if (parts > most) parts = most;
    if (parts <= fused->parts) continue;
    fused->split = d;
    fused->part = (most + parts - 1) / parts * grain;
    fused->parts = (uint32_t)((fused->dims[d] + fused->part - 1) / fused->part);
  }
}

static bool stages(const flat *f, const host_operand *at) {
  return at->box != HOST_NONE && !f->boxes.data[at->box].inside;
}

/* Room for the dense copies of boxes that may reach outside; free again after the loop. */
static void give_staging(flat *f, host_fused *fused) {
  for (uint32_t i = 0; i < fused->input_count + fused->sink_count; i++) {
    host_operand *at = i < fused->input_count ? &fused->inputs[i].at : &fused->sinks[i - fused->input_count].to;
    if (!stages(f, at)) continue;
    const host_box_info *box = &f->boxes.data[at->box];
    uint64_t bytes = ir_dtype_bytes(box->dtype);
    for (uint32_t d = 0; d < box->rank; d++) bytes *= (uint64_t)box->dims[d];
    at->staging = flat_slot(f, bytes);
    flat_free_slot(f, at->staging);
  }
}

void flat_standalone(flat *f, const flat_group *g) {
  host_fused *fused = new_fused(f, g);
  homes *h = &(homes){.g = g, .f = fused};
  collapse_fused(fused, g);
  shape_strips(fused);
  find_parts(fused);
  for (uint32_t s = 0; s < g->sink_count; s++) fused->sinks[s].stream = streams(f, fused, &fused->sinks[s]);
  give_staging(f, fused);
  find_last_uses(h);
  find_ones(h);
  choose_micros(h);
  for (uint32_t r = 0; r < g->reg_count; r++) give_home(h, f, r);
  give_strips(h);
  flat_count_strips(f, h->strips);
  if (fused->parts > 1) f->plan->divides = true;
  flat_emit(f, HOST_FUSED, fused);
}
