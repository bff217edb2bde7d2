/* Choosing the names of a printed kernel. Printing is flat: what scopes kept apart, or inlining repeated, needs names
 * of its own. */
#include "ir/text/parse.h"
#include "ir/text/print.h"

typedef struct namer {
  arena *arena;
  map wanted; /* every name that is written somewhere: what a suffixed name must not hit */
  map used;   /* name -> a counter for its next suffix */
  kiln_str *names;
  bool assigning;
  uint32_t temporaries;
} namer;

static uint32_t *claim(namer *n, kiln_str name) {
  uint32_t *counter = ARENA_NEW(n->arena, uint32_t);
  map_put(&n->used, name, counter);
  return counter;
}

static bool is_free(const namer *n, kiln_str name) { return !map_has(&n->wanted, name) && !map_has(&n->used, name); }

static kiln_str fresh(namer *n, kiln_str base, uint32_t *counter) {
  for (;;) {
    kiln_str name = str_format(n->arena, "%.*s_%u", STR_FMT(base), ++*counter);
    if (is_free(n, name)) return claim(n, name), name;
  }
}

static kiln_str temporary(namer *n) {
  for (;;) {
    kiln_str name = str_format(n->arena, "t%u", n->temporaries++);
    if (is_free(n, name)) return claim(n, name), name;
  }
}

static void name_value(namer *n, const ir_value *v) {
  if (!n->assigning) {
    if (v->name.size) map_put(&n->wanted, v->name, n);
    return;
  }
  if (n->names[v->id].data || print_inline(v)) return;
  uint32_t *counter = v->name.size ? map_get(&n->used, v->name) : NULL;
  if (v->name.size == 0 || parse_reserved(v->name)) {
    n->names[v->id] = temporary(n);
  } else if (counter) {
    n->names[v->id] = fresh(n, v->name, counter);
  } else {
    claim(n, v->name);
    n->names[v->id] = v->name;
  }
}

/* The condition of a while sees the names of its body. */
static void share_names(namer *n, const ir_op *op) {
  for (uint32_t i = 0; n->assigning && i < op->regions[0]->arg_count; i++) {
    n->names[op->regions[0]->args[i]->id] = n->names[op->regions[1]->args[i]->id];
  }
}

static bool name_op(void *user, ir_op *op) {
  namer *n = user;
  for (uint32_t i = 0; i < op->result_count; i++) name_value(n, op->results[i]);
  for (uint32_t r = op->region_count; r-- > 0;) {
    if (op->code == IR_while && r == 0) share_names(n, op);
    for (uint32_t i = 0; i < op->regions[r]->arg_count; i++) name_value(n, op->regions[r]->args[i]);
  }
  return true;
}

/* Sizes, parameters and axes keep their names whatever else wants them. */
static void name_fixed(namer *n, const ir_kernel *k) {
  for (uint32_t i = 0; i < k->symbol_count; i++) claim(n, k->symbols[i]);
  for (uint32_t i = 0; i < k->param_count; i++) {
    claim(n, k->params[i].name);
    n->names[k->params[i].ref->id] = k->params[i].name;
  }
  for (uint32_t i = 0; i < k->axis_count; i++) {
    claim(n, k->axes[i].name);
    n->names[k->axes[i].index->id] = k->axes[i].name;
  }
  for (uint32_t i = 0; i < k->team_count; i++) {
    claim(n, k->teams[i].name);
    n->names[k->teams[i].index->id] = k->teams[i].name;
  }
  for (uint32_t i = 0; i < k->block_count; i++) n->names[k->blocks[i].ref->id] = k->params[k->blocks[i].param].name;
}

/* Index maps written as expressions need no names. */
static void name_all(namer *n, const ir_kernel *k) {
  for (uint32_t i = 0; i < k->block_count; i++) {
    if (!print_map_inline(k->blocks[i].map)) ir_walk(k->blocks[i].map, name_op, n);
  }
  ir_walk(k->body, name_op, n);
}

kiln_str *print_names(arena *a, const ir_kernel *k) {
  namer n = {.arena = a,
             .wanted = map_new(a),
             .used = map_new(a),
             .names = ARENA_ARRAY(a, kiln_str, (size_t)k->value_count + 1)};
  name_all(&n, k);
  n.assigning = true;
  name_fixed(&n, k);
  name_all(&n, k);
  return n.names;
}
