/* The allocation hook and the arena. Every byte the library takes from the host comes through `mem`.
 *
 * Two ways to fail, by who owns what. Compiler code (parse .. SPIR-V) owns nothing but its arena: when memory is out
 * arena_alloc longjmps to the `arena_guard` set at the public entry. Code that holds other resources (threads, files,
 * Vulkan objects) uses mem_* and checks for NULL. */
#ifndef KILN_SRC_BASE_MEM_H
#define KILN_SRC_BASE_MEM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kiln/base.h"

typedef struct mem {
  kiln_alloc_fn fn;
  void *user;
} mem;

mem mem_default(void);                              /* malloc, realloc, free */
void *mem_alloc(mem m, size_t size);                /* uninitialised; NULL when out; size 0 gives NULL */
void *mem_calloc(mem m, size_t count, size_t size); /* zeroed; NULL when out or count * size overflows */
void *mem_resize(mem m, void *ptr, size_t old_size,
                 size_t size);                /* contents kept; on NULL the old block still stands */
void mem_free(mem m, void *ptr, size_t size); /* accepts NULL */
/* `data` with room for `wanted` elements of `size` bytes; NULL when memory is out, and then the old block stands. */
void *mem_grow(mem m, void *data, uint32_t *capacity, uint32_t wanted, size_t size);

typedef struct arena_chunk arena_chunk;

typedef struct arena {
  mem mem;
  arena_chunk *chunks;
  size_t used, limit; /* bytes taken so far; 0 limit = none. Passing the limit counts as out of memory */
  jmp_buf *guard;     /* where to go when memory is out; never NULL while allocating */
} arena;

void arena_init(arena *a, mem m, size_t limit);
void arena_finish(arena *a);                            /* frees everything; accepts a zeroed arena */
void *arena_alloc(arena *a, size_t size);               /* zeroed, aligned for any type; never returns NULL */
void *arena_array(arena *a, size_t count, size_t size); /* checked product; zeroed */
void *arena_copy(arena *a, const void *data, size_t size);
_Noreturn void arena_out(arena *a); /* leave by the guard, as if memory were out */

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_array((a), (count), sizeof(type)))

/* ARENA_GUARD(a, buf): true on the way in, false after memory ran out:
 *   jmp_buf out;
 *   if (!ARENA_GUARD(a, out)) return KILN_ERROR_MEMORY;      */
#define ARENA_GUARD(a, buf) ((a)->guard = &(buf), setjmp(buf) == 0)

/* A growable array in an arena: VEC(int) v = {0}; VEC_PUSH(arena, &v, 3); v.data[i], v.count. Old blocks stay in the
 * arena. */
#define VEC(type)           \
  struct {                  \
    type *data;             \
    size_t count, capacity; \
  }
#define VEC_PUSH(a, v, ...)                                                                \
  do {                                                                                     \
    if ((v)->count == (v)->capacity)                                                       \
      (v)->data = vec_grow((a), (v)->data, (v)->count, &(v)->capacity, sizeof *(v)->data); \
    (v)->data[(v)->count++] = (__VA_ARGS__);                                               \
  } while (0)
void *vec_grow(arena *a, void *data, size_t count, size_t *capacity, size_t size);

/* Checked sizes: false when the result does not fit. Every size that input can reach goes through these. */
static inline bool size_mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool size_add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool i64_mul(int64_t a, int64_t b, int64_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool i64_add(int64_t a, int64_t b, int64_t *out) { return !__builtin_add_overflow(a, b, out); }

#endif
