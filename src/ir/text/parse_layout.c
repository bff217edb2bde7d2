/* Layouts as XLA writes them: {1,0:T(8,128)(2,1)E(4)}. */
#include "ir/layout.h"
#include "ir/text/parse.h"

static bool refuse(parser *p, loc at, const char *expected) {
  return diag_report(p->diags, DIAG_bad_layout, at, expected), false;
}

/* An integer literal from `low` to `high`. */
static bool parse_number(parser *p, int64_t low, int64_t high, const char *expected, int64_t *out) {
  loc at = parse_here(p);
  ir_dim d = parse_dim_primary(p);
  if (!d) return false;
  if (!ir_dim_known(d) || d->value < low || d->value > high) return refuse(p, at, expected);
  *out = d->value;
  return true;
}

static bool parse_order(parser *p, uint32_t rank, kiln_layout *out) {
  uint32_t seen = 0;
  do {
    loc at = parse_here(p);
    int64_t dim;
    if (!parse_number(p, 0, (int64_t)rank - 1, "each dimension of the array once, the minor-most first", &dim))
      return false;
    if (seen >> dim & 1 || out->rank == rank)
      return refuse(p, at, "each dimension of the array once, the minor-most first");
    seen |= 1u << dim;
    out->minor_to_major[out->rank++] = (uint32_t)dim;
  } while (parse_accept(p, SIGN_COMMA));
  return out->rank == rank || refuse(p, parse_here(p), "each dimension of the array once, the minor-most first");
}

static bool parse_tile(parser *p, kiln_layout *out) {
  loc at = parse_here(p);
  if (out->tile_count == KILN_MAX_TILES) return refuse(p, at, "at most 4 tiles");
  struct kiln_tile_box *tile = &out->tiles[out->tile_count++];
  do {
    if (tile->rank == KILN_MAX_RANK) return refuse(p, at, "a tile of at most 8 dimensions");
    if (!parse_number(p, 1, IR_MAX_TILE, "a tile's size from 1 to 16384", &tile->dims[tile->rank++])) return false;
  } while (parse_accept(p, SIGN_COMMA));
  return parse_expect(p, SIGN_PAREN_END);
}

static bool parse_tiles(parser *p, kiln_layout *out) {
  loc at = parse_here(p);
  if (!parse_accept_word(p, "T") || !parse_accept(p, SIGN_PAREN)) return refuse(p, at, "tiles, as in T(8,128)(2,1)");
  do {
    if (!parse_tile(p, out)) return false;
  } while (parse_accept(p, SIGN_PAREN));
  return true;
}

/* E(4): what XLA calls the element size. */
static bool parse_element_bits(parser *p, ir_dtype dtype, kiln_layout *out) {
  loc at = parse_here(p);
  int64_t bits;
  if (!parse_accept_word(p, "E")) return true;
  if (!parse_expect(p, SIGN_PAREN) || !parse_number(p, 1, 64, "the bits of an element, as in E(4)", &bits))
    return false;
  const uint32_t own = ir_dtype_get(dtype)->bits;
  if (own >= 8) return refuse(p, at, "no E(..), as elements of this type fill bytes");
  if (bits != own) return refuse(p, at, own == 4 ? "E(4), the bits of this type" : "E(2), the bits of this type");
  out->element_bits = own;
  return parse_expect(p, SIGN_PAREN_END);
}

static bool parse_details(parser *p, ir_dtype dtype, kiln_layout *out) {
  const token *t = parse_peek(p, 0);
  bool packed = t->kind == TOKEN_NAME && str_is(parse_text(p, t), "E");
  return (packed || parse_tiles(p, out)) && parse_element_bits(p, dtype, out);
}

bool parse_layout(parser *p, const ir_type *type, kiln_layout *out) {
  const uint32_t rank = type->shape.rank;
  loc at = parse_here(p);
  *out = (kiln_layout){0};
  if (!parse_accept(p, SIGN_BRACE)) return true;
  if (rank == 0) return refuse(p, at, "an array, as a scalar has no layout");
  if (!parse_order(p, rank, out) || (parse_accept(p, SIGN_COLON) && !parse_details(p, type->dtype, out))) return false;
  if (!ir_layout_even(out)) return refuse(p, at, "every tile to divide the boxes of the tile before it");
  return parse_expect(p, SIGN_BRACE_END);
}
