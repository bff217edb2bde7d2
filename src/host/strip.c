/* Fused elementwise loops at run time. The loop's space is walked in strips of up to HOST_STRIP elements: a part of one
 * row, or several whole rows. For each strip the inputs are found in place or gathered, every lane loop runs over it,
 * and sinks copy or reduce it: intermediate values never leave the first-level cache. A loop over much, in a kernel of
 * one grid point, is shared with the pool: each thread walks parts of the space with strip buffers of its own. */
#include <string.h>

#include "host/host.h"

typedef struct lanes_at { /* an input or a sink */
  uint8_t *base;
  const int64_t *strides;
  int64_t outer;         /* offset of the current outer index */
  bool in_place;         /* every strip's elements follow one another, or are one */
  bool staged;           /* sink: written to its box at the end */
  const uint8_t *filled; /* input: the one element that the strip buffer repeats */
} lanes_at;

typedef struct walk {
  host_unit *unit;
  const host_fused *f;
  uint8_t *strips;
  lanes_at inputs[HOST_MAX_REGS], sinks[HOST_MAX_REGS];
  uint8_t *reg[HOST_MAX_REGS];
  uint32_t moving[HOST_MAX_REGS], moving_count;    /* registers in memory: at another place for every strip */
  int64_t outer;                                   /* rows before the current outer index */
  int64_t low[KILN_MAX_RANK], high[KILN_MAX_RANK]; /* the part of the space that is walked */
  int64_t row, column, rows, columns;              /* the strip within the last two dimensions */
} walk;

static uint8_t *strip_of(const walk *w, uint32_t index) { return w->strips + (size_t)index * HOST_STRIP_PITCH; }
static int64_t last_dim(const walk *w) { return w->f->dims[w->f->rank - 1]; }

static uint8_t *address(const walk *w, const lanes_at *at) {
  const uint32_t rank = w->f->rank;
  return at->base + at->outer + w->row * at->strides[rank - 2] + w->column * at->strides[rank - 1];
}

/* Strips of several rows have whole rows, so one answer holds for all of them. */
static bool is_dense(const host_fused *f, const int64_t *strides, uint32_t bytes) {
  const int64_t row = strides[f->rank - 2], column = strides[f->rank - 1];
  return column == (int64_t)bytes && (f->rows == 1 || row == f->columns * (int64_t)bytes);
}

/* ---- inputs ---- */

/* Fills the strip buffer with what lies apart. */
static void gather(const walk *w, const host_input *input, lanes_at *at, const uint8_t *from, uint8_t *strip) {
  const int64_t *strides = at->strides + w->f->rank - 2;
  const bool one_element = strides[1] == 0 && (w->rows == 1 || strides[0] == 0);
  if (one_element && at->filled == from) return;
  at->filled = one_element ? from : NULL;
  if (one_element)
    input->splat(strip, (const void *const[]){from}, (size_t)(w->f->rows * w->f->columns));
  else
    host_copy_strided(strip, w->columns * (int64_t)input->bytes, input->bytes, from, strides[0], strides[1], w->rows,
                      w->columns, input->bytes);
}

static void fetch(walk *w) {
  for (uint32_t i = 0; i < w->f->input_count; i++) {
    const host_input *input = &w->f->inputs[i];
    lanes_at *at = &w->inputs[i];
    uint8_t *from = address(w, at);
    if (at->in_place)
      w->reg[input->reg] = from;
    else
      gather(w, input, at, from, w->reg[input->reg]);
  }
}

/* ---- values ---- */

static void home_values(walk *w) {
  int64_t linear = ((w->outer + w->row) * last_dim(w)) + w->column;
  for (uint32_t k = 0; k < w->moving_count; k++) {
    const uint32_t r = w->moving[k];
    const host_reg *reg = &w->f->regs[r];
    if (reg->home == HOST_HOME_TILE)
      w->reg[r] = w->unit->slot[reg->index] + linear * reg->bytes;
    else
      w->reg[r] = address(w, &w->sinks[reg->index]);
  }
}

static void compute(const walk *w) {
  const size_t count = (size_t)(w->rows * w->columns);
  for (uint32_t m = 0; m < w->f->micro_count; m++) {
    const host_micro *micro = &w->f->micros[m];
    micro->fn(w->reg[micro->out],
              (const void *const[]){w->reg[micro->in[0]], w->reg[micro->in[1]], w->reg[micro->in[2]]}, count);
  }
}

/* ---- sinks ---- */

static void combine_row(const host_sink *sink, uint8_t *to, const uint8_t *from, int64_t columns, bool to_one) {
  uint64_t total;
  if (to_one) sink->reduce(&total, (const void *const[]){from}, (size_t)columns);
  const void *part = to_one ? (const void *)&total : from;
  sink->combine(to, (const void *const[]){to, part}, to_one ? 1 : (size_t)columns);
}

static void combine_rows(const walk *w, const host_sink *sink, uint8_t *to, const int64_t *strides) {
  const uint8_t *from = w->reg[sink->reg];
  int64_t rows = w->rows, columns = w->columns;
  if (strides[0] == 0 && strides[1] == 0) columns *= rows, rows = 1;
  for (int64_t row = 0; row < rows; row++, to += strides[0], from += columns * (int64_t)sink->bytes)
    combine_row(sink, to, from, columns, strides[1] == 0);
}

static void drain(walk *w, uint32_t index) {
  const host_sink *sink = &w->f->sinks[index];
  const int64_t *strides = w->sinks[index].strides + w->f->rank - 2;
  uint8_t *to = address(w, &w->sinks[index]), *from = w->reg[sink->reg];
  if (sink->combine) {
    combine_rows(w, sink, to, strides);
  } else if (sink->stream && !w->sinks[index].staged) {
    for (int64_t row = 0; row < w->rows; row++)
      host_stream(to + row * strides[0], from + row * w->columns * (int64_t)sink->bytes,
                  (size_t)w->columns * sink->bytes);
  } else if (to != from) {
    host_copy_strided(to, strides[0], strides[1], from, w->columns * (int64_t)sink->bytes, sink->bytes, w->rows,
                      w->columns, sink->bytes);
  }
}

static void run_strip(walk *w) {
  fetch(w);
  home_values(w);
  compute(w);
  for (uint32_t s = 0; s < w->f->sink_count; s++) drain(w, s);
}

/* ---- before the walk ---- */

static void begin_inputs(walk *w) {
  const host_fused *f = w->f;
  for (uint32_t i = 0; i < f->input_count; i++) {
    const host_input *input = &f->inputs[i];
    lanes_at *at = &w->inputs[i];
    *at = (lanes_at){0};
    at->base = host_resolve(w->unit, &input->at, &at->strides);
    at->in_place = f->regs[input->reg].strip == HOST_NONE || is_dense(f, at->strides, input->bytes);
  }
}

static void begin_sinks(walk *w) {
  const host_fused *f = w->f;
  for (uint32_t s = 0; s < f->sink_count; s++) {
    const host_operand *to = &f->sinks[s].to;
    lanes_at *at = &w->sinks[s];
    *at = (lanes_at){0};
    at->staged = to->box != HOST_NONE && !w->unit->box[to->box].inside;
    at->base = host_target(w->unit, to, &at->strides);
    at->in_place = is_dense(f, at->strides, f->sinks[s].bytes);
    if (f->sinks[s].combine) host_fill(at->base, f->sinks[s].identity, f->sinks[s].bytes, f->sinks[s].result_count);
  }
}

static void begin_regs(walk *w) {
  w->moving_count = 0;
  for (uint32_t r = 0; r < w->f->reg_count; r++) {
    const host_reg *reg = &w->f->regs[r];
    if (reg->home == HOST_HOME_TILE || (reg->home == HOST_HOME_SINK && w->sinks[reg->index].in_place))
      w->moving[w->moving_count++] = r;
    else if (reg->strip != HOST_NONE)
      w->reg[r] = strip_of(w, reg->strip);
  }
}

/* ---- the walk ---- */

static void set_outer(walk *w, const int64_t *index) {
  const uint32_t outer_rank = w->f->rank - 2;
  for (uint32_t i = 0; i < w->f->input_count + w->f->sink_count; i++) {
    lanes_at *at = i < w->f->input_count ? &w->inputs[i] : &w->sinks[i - w->f->input_count];
    at->outer = 0;
    for (uint32_t d = 0; d < outer_rank; d++) at->outer += index[d] * at->strides[d];
  }
  w->outer = 0;
  for (uint32_t d = 0; d < outer_rank; d++) w->outer = w->outer * w->f->dims[d] + index[d];
  w->outer *= w->f->dims[outer_rank];
}

static void walk_plane(walk *w) {
  const host_fused *f = w->f;
  const int64_t end_row = w->high[f->rank - 2], end_column = w->high[f->rank - 1];
  for (w->row = w->low[f->rank - 2]; w->row < end_row; w->row += f->rows) {
    w->rows = end_row - w->row < f->rows ? end_row - w->row : f->rows;
    for (w->column = w->low[f->rank - 1]; w->column < end_column; w->column += f->columns) {
      w->columns = end_column - w->column < f->columns ? end_column - w->column : f->columns;
      run_strip(w);
    }
  }
}

static void walk_part(walk *w) {
  int64_t index[KILN_MAX_RANK], planes = 1;
  begin_regs(w);
  for (uint32_t d = 0; d + 2 < w->f->rank; d++) {
    index[d] = w->low[d];
    planes *= w->high[d] - w->low[d];
  }
  for (; planes > 0; planes--) {
    set_outer(w, index);
    walk_plane(w);
    for (uint32_t d = w->f->rank - 2; d-- > 0 && ++index[d] == w->high[d];) index[d] = w->low[d];
  }
}

/* ---- sharing with the pool ---- */

static void walk_parts(void *user, uint64_t begin, uint64_t end, uint32_t worker) {
  walk w = *(const walk *)user;
  const host_fused *f = w.f;
  const kiln_host_plan *plan = w.unit->plan;
  if (worker > 0) w.strips = host_aligned(plan->team_strips) + (worker - 1) * host_strip_bytes(plan);
  for (; begin < end; begin++) {
    w.low[f->split] = (int64_t)begin * f->part;
    w.high[f->split] = f->dims[f->split] - w.low[f->split] < f->part ? f->dims[f->split] : w.low[f->split] + f->part;
    walk_part(&w);
  }
  host_stream_end();
}

void host_run_fused(host_unit *unit, const host_fused *f) {
  walk w; /* large, and mostly not used: filled as far as the loop goes */
  w.unit = unit;
  w.f = f;
  w.strips = unit->frame + unit->plan->strips_offset;
  for (uint32_t d = 0; d < f->rank; d++) w.low[d] = 0, w.high[d] = f->dims[d];
  begin_inputs(&w);
  begin_sinks(&w);
  if (f->parts > 1 && unit->plan->team_strips)
    pool_run(unit->plan->pool, f->parts, 1, walk_parts, &w);
  else
    walk_part(&w);
  for (uint32_t s = 0; s < f->sink_count; s++)
    if (w.sinks[s].staged) host_box_write(unit, f->sinks[s].to.box, unit->slot[f->sinks[s].to.staging]);
}
