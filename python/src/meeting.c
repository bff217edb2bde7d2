/* See meeting.h. Meetings that have not ended stand in one list; a device that comes again before all have come for the
 * first time begins another one. */
#include "meeting.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

typedef struct meeting {
  struct meeting *next;
  int64_t site, run;
  uint32_t devices, come, left; /* left: have seen its end */
  const meeting_call *calls[MEETING_MOST_DEVICES];
  bool over;
  meeting_end end;
} meeting;

static struct {
  pthread_mutex_t lock;
  pthread_cond_t ended;
  meeting *first;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static void say(meeting_end *end, kiln_result result, const char *message) {
  end->result = result;
  snprintf(end->message, sizeof end->message, "Kiln: %s\n", message);
}

/* ---- the arrays of all devices ---- */

/* An array for all parts, one after the other; its data are to be freed. */
static bool stack(const kiln_array *part, uint32_t devices, kiln_array *out) {
  *out = (kiln_array){.dtype = part->dtype, .rank = part->rank + 1};
  if (part->rank == KILN_MAX_RANK || !size_mul(part->size, devices, &out->size)) return false;
  out->dims[0] = devices;
  memcpy(out->dims + 1, part->dims, part->rank * sizeof *part->dims);
  out->data = mem_alloc(mem_default(), out->size ? out->size : 1);
  return out->data;
}

static void unstack(kiln_array *arrays, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (arrays[i].data) mem_free(mem_default(), arrays[i].data, arrays[i].size ? arrays[i].size : 1);
  mem_free(mem_default(), arrays, count * sizeof *arrays);
}

/* Copies arrays from all calls, or to them. */
static void move(const meeting *m, kiln_array *arrays, size_t begin, size_t end, bool back) {
  for (size_t i = begin; i < end; i++)
    for (uint32_t d = 0; d < m->devices; d++) {
      const kiln_array *part = &m->calls[d]->arrays[i];
      uint8_t *place = (uint8_t *)arrays[i].data + d * part->size;
      memcpy(back ? part->data : place, back ? place : part->data, part->size);
    }
}

static bool alike(const meeting *m) {
  for (uint32_t d = 1; d < m->devices; d++) {
    if (m->calls[d]->count != m->calls[0]->count) return false;
    for (size_t i = 0; i < m->calls[0]->count; i++)
      if (m->calls[d]->arrays[i].size != m->calls[0]->arrays[i].size) return false;
  }
  return true;
}

static void run(meeting *m, meeting_launch launch, void *user) {
  const meeting_call *own = m->calls[0];
  kiln_array *arrays = mem_calloc(mem_default(), own->count, sizeof *arrays);
  bool made = arrays && alike(m);
  for (size_t i = 0; i < own->count && made; i++) made = stack(&own->arrays[i], m->devices, &arrays[i]);
  if (made) {
    move(m, arrays, 0, own->input_count, false);
    launch(user, arrays, own->count, &m->end);
    if (m->end.result == KILN_OK) move(m, arrays, own->input_count, own->count, true);
  } else {
    say(&m->end, KILN_ERROR_MEMORY, "no memory for the arrays of all devices, or they do not fit each other");
  }
  if (arrays) unstack(arrays, own->count);
}

/* ---- coming and going ---- */

/* The one that waits for this device, or a new one; NULL when memory is out. */
static meeting *find(const meeting_call *call) {
  for (meeting *m = all.first; m; m = m->next)
    if (m->site == call->site && m->run == call->run && m->devices == call->devices && !m->over &&
        !m->calls[call->place])
      return m;
  meeting *m = mem_calloc(mem_default(), 1, sizeof *m);
  if (!m) return NULL;
  *m = (meeting){.next = all.first, .site = call->site, .run = call->run, .devices = call->devices};
  return all.first = m;
}

static void leave(meeting *m) {
  meeting **at = &all.first;
  if (++m->left < m->come) return;
  while (*at != m) at = &(*at)->next;
  *at = m->next;
  mem_free(mem_default(), m, sizeof *m);
}

/* Who has waited long enough ends it for all that came, so that nobody joins them any more. */
static void give_up(meeting *m) {
  char words[128];
  snprintf(words, sizeof words, "a kernel of %u devices: only %u of them called it within %d seconds", m->devices,
           m->come, (int)MEETING_SECONDS);
  say(&m->end, KILN_ERROR_TIMEOUT, words);
  m->over = true;
  pthread_cond_broadcast(&all.ended);
}

static void wait_for_end(meeting *m) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += MEETING_SECONDS;
  while (!m->over)
    if (pthread_cond_timedwait(&all.ended, &all.lock, &until) == ETIMEDOUT && !m->over) {
      if (m->come < m->devices)
        give_up(m);
      else
        until.tv_sec += MEETING_SECONDS; /* the launch takes its time */
    }
}

static void join(meeting *m, const meeting_call *call, meeting_launch launch, void *user, meeting_end *end) {
  m->calls[call->place] = call;
  if (++m->come == m->devices) {
    pthread_mutex_unlock(&all.lock);
    run(m, launch, user);
    pthread_mutex_lock(&all.lock);
    m->over = true;
    pthread_cond_broadcast(&all.ended);
  }
  wait_for_end(m);
  *end = m->end;
  leave(m);
}

void meeting_join(const meeting_call *call, meeting_launch launch, void *user, meeting_end *end) {
  if (call->devices > MEETING_MOST_DEVICES || call->place >= call->devices) {
    say(end, KILN_ERROR_LIMIT, "a kernel of more than 64 devices");
    return;
  }
  pthread_mutex_lock(&all.lock);
  meeting *m = find(call);
  if (m)
    join(m, call, launch, user, end);
  else
    say(end, KILN_ERROR_MEMORY, "no memory");
  pthread_mutex_unlock(&all.lock);
}
