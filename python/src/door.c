/* The XLA FFI handler: see door.h. Written against the C header that jaxlib ships; no C++, no Python, no copies. */
#include "door.h"
#include "meeting.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "ir/ir.h"
#include "xla/ffi/api/c_api.h"

enum { MOST_ARRAYS = 128, LOG = 1 << 20, FAILURES = 16 };

typedef struct entry {
  kiln_request request; /* without arrays */
  bool notes;
  kiln_explored explored; /* by its latest launch */
} entry;

static struct {
  pthread_mutex_t lock;
  entry *entries;
  size_t count, room;
  int32_t log[LOG]; /* a ring of the latest launches */
  uint64_t launches;
  uint64_t run;   /* the first of the latest launches of one kernel in a row */
  uint64_t raced; /* one more than the latest launch with races; 0: none */
  kiln_speaker speaker;
  bool keep;
  kiln_failure failures[FAILURES];
  size_t failure_count;
} door = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- entries and the log, for Python ---- */

static bool grow(void) {
  if (door.count < door.room) return true;
  const size_t room = door.room ? door.room * 2 : 64;
  entry *entries = mem_resize(mem_default(), door.entries, door.room * sizeof *entries, room * sizeof *entries);
  if (!entries) return false;
  door.entries = entries;
  door.room = room;
  return true;
}

int64_t kiln_door_enter(const kiln_request *request, bool notes) {
  int64_t number = -1;
  pthread_mutex_lock(&door.lock);
  if (grow()) {
    number = (int64_t)door.count;
    door.entries[door.count++] = (entry){.request = *request, .notes = notes};
  }
  pthread_mutex_unlock(&door.lock);
  return number;
}

static uint64_t mark;
static void make_mark(void) { mark = hash_bytes(&(uint64_t){clock_ns()}, sizeof(uint64_t), (uint64_t)getpid()); }

int64_t kiln_door_mark(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_mark);
  return (int64_t)(mark & INT64_MAX);
}

uint64_t kiln_door_count(void) {
  pthread_mutex_lock(&door.lock);
  const uint64_t launches = door.launches;
  pthread_mutex_unlock(&door.lock);
  return launches;
}

size_t kiln_door_log(uint64_t first, int32_t *entries, size_t room) {
  size_t written = 0;
  pthread_mutex_lock(&door.lock);
  if (door.launches > LOG && first < door.launches - LOG) first = door.launches - LOG;
  for (uint64_t i = first; i < door.launches && written < room; i++) entries[written++] = door.log[i % LOG];
  pthread_mutex_unlock(&door.lock);
  return written;
}

bool kiln_door_raced(uint64_t since) {
  pthread_mutex_lock(&door.lock);
  const bool raced = door.raced > since && door.raced > door.run;
  pthread_mutex_unlock(&door.lock);
  return raced;
}

void kiln_door_speak(kiln_speaker speaker) {
  pthread_mutex_lock(&door.lock);
  door.speaker = speaker;
  pthread_mutex_unlock(&door.lock);
}

void kiln_door_keep_failures(bool keep) {
  pthread_mutex_lock(&door.lock);
  door.keep = keep;
  pthread_mutex_unlock(&door.lock);
}

bool kiln_door_failure(kiln_failure *out) {
  pthread_mutex_lock(&door.lock);
  const bool found = door.failure_count > 0;
  if (found) {
    *out = door.failures[0];
    memmove(door.failures, door.failures + 1, --door.failure_count * sizeof *door.failures);
  }
  pthread_mutex_unlock(&door.lock);
  return found;
}

/* Finds an entry and logs its launch; false when there is no such entry. */
static bool begin_launch(int64_t number, entry *out, uint64_t *launch) {
  pthread_mutex_lock(&door.lock);
  const bool found = number >= 0 && (uint64_t)number < door.count;
  if (found) {
    *out = door.entries[number];
    *launch = door.launches++;
    if (*launch > 0 && door.log[(*launch - 1) % LOG] != number) door.run = *launch;
    door.log[*launch % LOG] = (int32_t)number;
  }
  pthread_mutex_unlock(&door.lock);
  return found;
}

/* Keeps the seat of a failure for Python; false when it is not wanted. */
static bool keep_failure(kiln_failure failure) {
  pthread_mutex_lock(&door.lock);
  const bool kept = door.keep && failure.seat && door.failure_count < FAILURES;
  if (kept) door.failures[door.failure_count++] = failure;
  pthread_mutex_unlock(&door.lock);
  return kept;
}

/* Whether all that a launch failed of is to be noted only; notes it. */
static bool note(const entry *found, kiln_result result, kiln_seat *seat, uint64_t launch) {
  bool raced = false;
  if (!found->notes || result != KILN_ERROR_FAULT || !seat) return false;
  kiln_context *context = kiln_seat_context(seat);
  for (size_t i = 0; i < kiln_diag_count(context); i++) {
    const kiln_diag *diag = kiln_diag_get(context, i);
    if (diag->severity < KILN_ERROR) continue;
    const bool race = strcmp(diag->name, "race") == 0;
    if (!race && strcmp(diag->name, "uninitialized_read") != 0) return false;
    raced = raced || race;
  }
  pthread_mutex_lock(&door.lock);
  if (raced && launch >= door.raced) door.raced = launch + 1;
  pthread_mutex_unlock(&door.lock);
  return true;
}

static void note_explored(int64_t number, const kiln_request *request, const kiln_seat *seat) {
  if (!seat || request->exhaustive == 0) return;
  pthread_mutex_lock(&door.lock);
  door.entries[number].explored = kiln_seat_explored(seat);
  pthread_mutex_unlock(&door.lock);
}

kiln_explored kiln_door_explored(int32_t number) {
  pthread_mutex_lock(&door.lock);
  const kiln_explored explored = door.entries[number].explored;
  pthread_mutex_unlock(&door.lock);
  return explored;
}

/* ---- XLA's side ---- */

/* Those of less than a byte are not among them: XLA packs them, so its programs hand them over as bytes. */
static const struct xla_type {
  XLA_FFI_DataType xla;
  kiln_dtype dtype;
} xla_types[] = {
    {XLA_FFI_DataType_PRED, KILN_BOOL},
    {XLA_FFI_DataType_S8, KILN_I8},
    {XLA_FFI_DataType_S16, KILN_I16},
    {XLA_FFI_DataType_S32, KILN_I32},
    {XLA_FFI_DataType_S64, KILN_I64},
    {XLA_FFI_DataType_U8, KILN_U8},
    {XLA_FFI_DataType_U16, KILN_U16},
    {XLA_FFI_DataType_U32, KILN_U32},
    {XLA_FFI_DataType_U64, KILN_U64},
    {XLA_FFI_DataType_F16, KILN_F16},
    {XLA_FFI_DataType_BF16, KILN_BF16},
    {XLA_FFI_DataType_F32, KILN_F32},
    {XLA_FFI_DataType_F64, KILN_F64},
    {XLA_FFI_DataType_F8E5M2, KILN_F8E5M2},
    {XLA_FFI_DataType_F8E3M4, KILN_F8E3M4},
    {XLA_FFI_DataType_F8E4M3, KILN_F8E4M3},
    {XLA_FFI_DataType_F8E4M3FN, KILN_F8E4M3FN},
    {XLA_FFI_DataType_F8E4M3B11FNUZ, KILN_F8E4M3B11FNUZ},
    {XLA_FFI_DataType_F8E5M2FNUZ, KILN_F8E5M2FNUZ},
    {XLA_FFI_DataType_F8E4M3FNUZ, KILN_F8E4M3FNUZ},
    {XLA_FFI_DataType_F8E8M0FNU, KILN_F8E8M0FNU},
};

static bool find_type(XLA_FFI_DataType xla, kiln_dtype *out) {
  for (size_t i = 0; i < sizeof xla_types / sizeof *xla_types; i++)
    if (xla_types[i].xla == xla) return *out = xla_types[i].dtype, true;
  return false;
}

static XLA_FFI_Error *fail(const XLA_FFI_CallFrame *frame, XLA_FFI_Error_Code code, const char *message) {
  XLA_FFI_Error_Create_Args args = {
      .struct_size = XLA_FFI_Error_Create_Args_STRUCT_SIZE, .message = message, .errc = code};
  return frame->api->XLA_FFI_Error_Create(&args);
}

/* What XLA asks for first: which version of the interface this is. True when that was the question. */
static bool tell_version(const XLA_FFI_CallFrame *frame) {
  XLA_FFI_InternalExtension *extension = frame->extension_start;
  if (!extension || extension->type != XLA_FFI_Extension_Metadata) return false;
  XLA_FFI_Metadata *metadata = ((XLA_FFI_Metadata_Extension *)extension)->metadata;
  metadata->api_version.major_version = XLA_FFI_API_MAJOR;
  metadata->api_version.minor_version = XLA_FFI_API_MINOR;
  metadata->traits = 0;
  return true;
}

static int64_t attribute(const XLA_FFI_CallFrame *frame, kiln_str name) {
  const XLA_FFI_Attrs *attrs = &frame->attrs;
  for (int64_t i = 0; i < attrs->size; i++) {
    const kiln_str found = {attrs->names[i]->ptr, attrs->names[i]->len};
    const XLA_FFI_Scalar *scalar = attrs->attrs[i];
    int64_t value;
    if (!str_equal(found, name) || attrs->types[i] != XLA_FFI_AttrType_SCALAR) continue;
    if (scalar->dtype != XLA_FFI_DataType_S64) return -1;
    memcpy(&value, scalar->value, sizeof value);
    return value;
  }
  return -1;
}

static bool take_buffer(const XLA_FFI_Buffer *buffer, kiln_array *out) {
  *out = (kiln_array){.rank = (uint32_t)buffer->rank, .data = buffer->data};
  if (buffer->rank > KILN_MAX_RANK || !find_type(buffer->dtype, &out->dtype)) return false;
  out->size = kiln_dtype_size(out->dtype);
  for (int64_t d = 0; d < buffer->rank; d++) {
    out->dims[d] = buffer->dims[d];
    out->size *= (size_t)buffer->dims[d];
  }
  return true;
}

/* Operands, then results, as the kernel's parameters are. */
static bool take_buffers(const XLA_FFI_CallFrame *frame, kiln_array *arrays) {
  const int64_t args = frame->args.size, rets = frame->rets.size;
  for (int64_t i = 0; i < args; i++)
    if (frame->args.types[i] != XLA_FFI_ArgType_BUFFER || !take_buffer(frame->args.args[i], &arrays[i])) return false;
  for (int64_t i = 0; i < rets; i++)
    if (frame->rets.types[i] != XLA_FFI_RetType_BUFFER || !take_buffer(frame->rets.rets[i], &arrays[args + i]))
      return false;
  return true;
}

/* Bytes that hold the elements of a narrower parameter go by its type, as in any array of the host. */
static void name_narrow(const kiln_kernel *kernel, kiln_array *arrays, size_t count) {
  for (size_t i = 0; i < count; i++) {
    kiln_param param;
    const bool bytes = arrays[i].dtype == KILN_I8 || arrays[i].dtype == KILN_U8;
    if (!bytes || kiln_kernel_param(kernel, i, &param) != KILN_OK) continue;
    if (ir_dtype_get((ir_dtype)param.dtype)->bits < 8) arrays[i].dtype = param.dtype;
  }
}

static XLA_FFI_Error_Code error_code(kiln_result result) {
  switch (result) {
    case KILN_ERROR_MEMORY:
    case KILN_ERROR_DEVICE_MEMORY: return XLA_FFI_Error_Code_RESOURCE_EXHAUSTED;
    case KILN_ERROR_UNSUPPORTED: return XLA_FFI_Error_Code_UNIMPLEMENTED;
    case KILN_ERROR_TIMEOUT: return XLA_FFI_Error_Code_DEADLINE_EXCEEDED;
    case KILN_ERROR_DEVICE:
    case KILN_ERROR_DEVICE_LOST: return XLA_FFI_Error_Code_UNAVAILABLE;
    default: return XLA_FFI_Error_Code_INVALID_ARGUMENT;
  }
}

static size_t speak(kiln_context *context, char *out, size_t room) {
  pthread_mutex_lock(&door.lock);
  const kiln_speaker speaker = door.speaker;
  pthread_mutex_unlock(&door.lock);
  return speaker && context ? speaker(context, out, room) : 0;
}

/* All diagnostics of the seat, as far as they fit. */
static void write_message(kiln_seat *seat, kiln_result result, bool notes, char *out, size_t room) {
  kiln_context *context = seat ? kiln_seat_context(seat) : NULL;
  size_t size = notes ? speak(context, out, room / 2) : 0;
  size += (size_t)snprintf(out + size, room - size, "Kiln: %s\n", kiln_result_name(result));
  for (size_t i = 0; context && i < kiln_diag_count(context) && size < room; i++) {
    const kiln_str said = kiln_diag_render(context, kiln_diag_get(context, i));
    size += (size_t)snprintf(out + size, room - size, "%.*s", STR_FMT(said));
  }
}

static void launch(void *user, kiln_array *arrays, size_t count, meeting_end *end) {
  const int64_t number = *(const int64_t *)user;
  entry found;
  uint64_t launch = 0;
  kiln_seat *seat = NULL;
  end->result = KILN_ERROR_INVALID;
  if (!begin_launch(number, &found, &launch)) {
    snprintf(end->message, sizeof end->message, "Kiln: a call without a kernel");
    return;
  }
  name_narrow(found.request.kernel, arrays, count);
  found.request.arrays = arrays;
  found.request.array_count = count;
  end->result = kiln_seat_run(&found.request, &seat);
  note_explored(number, &found.request, seat);
  if (end->result == KILN_OK || note(&found, end->result, seat, launch)) {
    end->result = KILN_OK;
    kiln_seat_give_back(seat);
    return;
  }
  write_message(seat, end->result, found.notes, end->message, sizeof end->message);
  if (!keep_failure((kiln_failure){seat, launch, (int32_t)number, end->result})) kiln_seat_give_back(seat);
}

/* The number of this execution, which all of its devices share. */
static int64_t run_of(const XLA_FFI_CallFrame *frame) {
  XLA_FFI_RunId_Get_Args args = {.struct_size = XLA_FFI_RunId_Get_Args_STRUCT_SIZE, .ctx = frame->ctx};
  XLA_FFI_Error *error = frame->api->XLA_FFI_RunId_Get(&args);
  if (!error) return args.run_id;
  XLA_FFI_Error_Destroy_Args destroy = {.struct_size = XLA_FFI_Error_Destroy_Args_STRUCT_SIZE, .error = error};
  frame->api->XLA_FFI_Error_Destroy(&destroy);
  return 0;
}

/* One of the calls that are one launch: its last operand says which device it is. */
static void meet(const XLA_FFI_CallFrame *frame, int64_t number, int64_t devices, kiln_array *arrays, size_t count,
                 meeting_end *end) {
  const size_t last = (size_t)frame->args.size - 1;
  uint32_t place;
  memcpy(&place, arrays[last].data, sizeof place);
  memmove(&arrays[last], &arrays[last + 1], (count - last - 1) * sizeof *arrays);
  const meeting_call call = {.site = attribute(frame, STR("site")),
                             .run = run_of(frame),
                             .place = place,
                             .devices = (uint32_t)devices,
                             .arrays = arrays,
                             .count = count - 1,
                             .input_count = last};
  meeting_join(&call, launch, &number, end);
}

KILN_API XLA_FFI_Error *kiln_door_call(XLA_FFI_CallFrame *frame);

XLA_FFI_Error *kiln_door_call(XLA_FFI_CallFrame *frame) {
  kiln_array arrays[MOST_ARRAYS];
  const int64_t count = frame->args.size + frame->rets.size;
  if (tell_version(frame) || frame->stage != XLA_FFI_ExecutionStage_EXECUTE) return NULL;
  if (attribute(frame, STR("process")) != kiln_door_mark())
    return fail(frame, XLA_FFI_Error_Code_FAILED_PRECONDITION,
                "Kiln: this program was compiled by another process; its kernels are not here: lower it again");
  if (count > MOST_ARRAYS || !take_buffers(frame, arrays))
    return fail(frame, XLA_FFI_Error_Code_UNIMPLEMENTED, "Kiln: too many arrays, or one of a type or rank unknown");
  int64_t number = attribute(frame, STR("kernel"));
  const int64_t devices = attribute(frame, STR("devices"));
  meeting_end end;
  if (devices > 1)
    meet(frame, number, devices, arrays, (size_t)count, &end);
  else
    launch(&number, arrays, (size_t)count, &end);
  return end.result == KILN_OK ? NULL : fail(frame, error_code(end.result), end.message);
}
