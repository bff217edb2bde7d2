/* Sections, ids, debug information and the deduplication of types and constants. Control flow is in flow.c. */
#include "spirv/module.h"

#include <string.h>

#define GENERATOR 0u /* unregistered */

void spv_module_init(spv_module *m, arena *a, bool debug_info) {
  *m = (spv_module){.arena = a, .unique = map_new(a), .next_id = 1, .debug_info = debug_info};
  spv_capability(m, SpvCapabilityShader);
  spv_write(m, SPV_MEMORY_MODEL, SpvOpMemoryModel, SPV_LIST(SpvAddressingModelLogical, SpvMemoryModelGLSL450));
}

spv_id spv_new(spv_module *m) { return m->next_id++; }

void spv_write(spv_module *m, spv_section section, SpvOp op, const uint32_t *operands, size_t count) {
  spv_words *words = &m->sections[section];
  VEC_PUSH(m->arena, words, (uint32_t)(count + 1) << SpvWordCountShift | (uint32_t)op);
  for (size_t i = 0; i < count; i++) VEC_PUSH(m->arena, words, operands[i]);
}

spv_words spv_module_finish(spv_module *m) {
  spv_words all = {0};
  const uint32_t header[] = {SpvMagicNumber, 0x00010300u, GENERATOR, m->next_id, 0};
  for (size_t i = 0; i < 5; i++) VEC_PUSH(m->arena, &all, header[i]);
  for (int section = 0; section < SPV_SECTION_COUNT; section++)
    for (size_t i = 0; i < m->sections[section].count; i++) VEC_PUSH(m->arena, &all, m->sections[section].data[i]);
  return all;
}

/* ---- words of literal strings ---- */

static void push_string(spv_module *m, spv_words *words, kiln_str string) {
  for (size_t at = 0; at <= string.size;
       at += 4) { /* <=: the closing zero byte needs a word of its own at a multiple of 4 */
    uint32_t word = 0;
    for (size_t i = 0; i < 4 && at + i < string.size; i++) word |= (uint32_t)(uint8_t)string.data[at + i] << (8 * i);
    VEC_PUSH(m->arena, words, word);
  }
}

/* SPIR-V strings end at a zero byte and instructions at 65535 words: names from outside are cut to fit both. */
static kiln_str printable(kiln_str name) {
  const char *zero = name.size ? memchr(name.data, 0, name.size) : NULL;
  if (zero) name.size = (size_t)(zero - name.data);
  if (name.size > 1024) name.size = 1024;
  return name;
}

/* ---- deduplication ---- */

typedef enum unique_kind { UNIQUE_TYPE, UNIQUE_CONST } unique_kind;

static spv_id find(spv_module *m, const spv_words *key) {
  return (spv_id)(uintptr_t)map_get(&m->unique, (kiln_str){(const char *)key->data, key->count * sizeof(uint32_t)});
}

static void remember(spv_module *m, const spv_words *key, spv_id id) {
  map_put(&m->unique, (kiln_str){(const char *)key->data, key->count * sizeof(uint32_t)}, (void *)(uintptr_t)id);
}

/* The key is built in one buffer that every lookup uses again: constants are asked for all the time. */
static const spv_words *make_key(spv_module *m, SpvOp op, uint32_t extra, const uint32_t *operands, size_t count) {
  m->key.count = 0;
  VEC_PUSH(m->arena, &m->key, (uint32_t)op);
  VEC_PUSH(m->arena, &m->key, extra);
  for (size_t i = 0; i < count; i++) VEC_PUSH(m->arena, &m->key, operands[i]);
  return &m->key;
}

/* The id of a type (result first) or a constant (type, then result). `extra` keeps apart what decorations tell apart.
 */
static spv_id unique(spv_module *m, unique_kind kind, SpvOp op, uint32_t extra, const uint32_t *operands,
                     size_t count) {
  const spv_words *key = make_key(m, op, extra, operands, count);
  spv_id id = find(m, key);
  if (id) return id;
  id = spv_new(m);
  remember(m, key, id);
  spv_words *words = &m->sections[SPV_GLOBALS];
  size_t lead = kind == UNIQUE_CONST ? 1 : 0;
  VEC_PUSH(m->arena, words, (uint32_t)(count + 2) << SpvWordCountShift | (uint32_t)op);
  for (size_t i = 0; i < lead; i++) VEC_PUSH(m->arena, words, operands[i]);
  VEC_PUSH(m->arena, words, id);
  for (size_t i = lead; i < count; i++) VEC_PUSH(m->arena, words, operands[i]);
  return id;
}

void spv_capability(spv_module *m, SpvCapability capability) {
  const spv_words *key = make_key(m, SpvOpCapability, (uint32_t)capability, NULL, 0);
  if (find(m, key)) return;
  remember(m, key, 1);
  spv_write(m, SPV_CAPABILITIES, SpvOpCapability, SPV_LIST((uint32_t)capability));
}

/* ---- names, decorations, source places ---- */

void spv_name(spv_module *m, spv_id id, kiln_str name) {
  if (!m->debug_info || name.size == 0) return;
  spv_words words = {0};
  VEC_PUSH(m->arena, &words, id);
  push_string(m, &words, printable(name));
  spv_write(m, SPV_NAMES, SpvOpName, words.data, words.count);
}

/* `op id what operands...`, an instruction about an id of another section. */
static void say_of(spv_module *m, spv_section section, SpvOp op, spv_id id, uint32_t what, const uint32_t *operands,
                   size_t count) {
  spv_words words = {0};
  VEC_PUSH(m->arena, &words, id);
  VEC_PUSH(m->arena, &words, what);
  for (size_t i = 0; i < count; i++) VEC_PUSH(m->arena, &words, operands[i]);
  spv_write(m, section, op, words.data, words.count);
}

void spv_decorate(spv_module *m, spv_id id, SpvDecoration decoration, const uint32_t *operands, size_t count) {
  say_of(m, SPV_DECORATIONS, SpvOpDecorate, id, (uint32_t)decoration, operands, count);
}

void spv_mode(spv_module *m, spv_id function, SpvExecutionMode mode, const uint32_t *operands, size_t count) {
  say_of(m, SPV_MODES, SpvOpExecutionMode, function, (uint32_t)mode, operands, count);
}

void spv_decorate_member(spv_module *m, spv_id type, uint32_t member, SpvDecoration decoration, uint32_t operand) {
  spv_write(m, SPV_DECORATIONS, SpvOpMemberDecorate, SPV_LIST(type, member, (uint32_t)decoration, operand));
}

/* The OpString of a source's name; on its first use the OpSource too, without the text, which may be long. */
static spv_id source_id(spv_module *m, kiln_str file) {
  spv_words words = {0};
  push_string(m, &words, printable(file));
  const spv_words *key = make_key(m, SpvOpString, 0, words.data, words.count);
  spv_id id = find(m, key);
  if (id) return id;
  id = spv_new(m);
  remember(m, key, id);
  spv_words string = {0};
  VEC_PUSH(m->arena, &string, id);
  push_string(m, &string, printable(file));
  spv_write(m, SPV_SOURCES, SpvOpString, string.data, string.count);
  spv_write(m, SPV_SOURCES, SpvOpSource, SPV_LIST(SpvSourceLanguageUnknown, 0, id));
  return id;
}

void spv_line(spv_module *m, loc at) {
  if (!m->debug_info || !at.source || !m->block) return;
  uint32_t line = 0, column = 0;
  loc_position(at, &line, &column);
  if (!line || (line == m->line && column == m->column && str_equal(loc_file(at), m->line_file))) return;
  m->line = line;
  m->column = column;
  m->line_file = loc_file(at);
  spv_write(m, SPV_BODY, SpvOpLine, SPV_LIST(source_id(m, loc_file(at)), line, column));
}

void spv_entry(spv_module *m, spv_id function, const char *name, const spv_id *interface, size_t count) {
  spv_words words = {0};
  VEC_PUSH(m->arena, &words, SpvExecutionModelGLCompute);
  VEC_PUSH(m->arena, &words, function);
  push_string(m, &words, str_from(name));
  for (size_t i = 0; i < count; i++) VEC_PUSH(m->arena, &words, interface[i]);
  spv_write(m, SPV_ENTRY_POINTS, SpvOpEntryPoint, words.data, words.count);
}

/* ---- types ---- */

spv_id spv_type_void(spv_module *m) { return unique(m, UNIQUE_TYPE, SpvOpTypeVoid, 0, NULL, 0); }
spv_id spv_type_bool(spv_module *m) { return unique(m, UNIQUE_TYPE, SpvOpTypeBool, 0, NULL, 0); }

spv_id spv_type_int(spv_module *m, uint32_t bits, bool is_signed) {
  if (bits == 8) spv_capability(m, SpvCapabilityInt8);
  if (bits == 16) spv_capability(m, SpvCapabilityInt16);
  if (bits == 64) spv_capability(m, SpvCapabilityInt64);
  return unique(m, UNIQUE_TYPE, SpvOpTypeInt, 0, SPV_LIST(bits, is_signed));
}

spv_id spv_type_float(spv_module *m, uint32_t bits) {
  if (bits == 16) spv_capability(m, SpvCapabilityFloat16);
  if (bits == 64) spv_capability(m, SpvCapabilityFloat64);
  return unique(m, UNIQUE_TYPE, SpvOpTypeFloat, 0, SPV_LIST(bits));
}

spv_id spv_type_vector(spv_module *m, spv_id element, uint32_t count) {
  if (count == 1) return element;
  return unique(m, UNIQUE_TYPE, SpvOpTypeVector, 0, SPV_LIST(element, count));
}

spv_id spv_type_array(spv_module *m, spv_id element, uint32_t count, uint32_t stride) {
  uint32_t before = m->next_id;
  spv_id id;
  if (count) {
    spv_id length = spv_const_u32(m, count);
    before = m->next_id;
    id = unique(m, UNIQUE_TYPE, SpvOpTypeArray, stride, SPV_LIST(element, length));
  } else {
    id = unique(m, UNIQUE_TYPE, SpvOpTypeRuntimeArray, stride, SPV_LIST(element));
  }
  if (stride && id >= before) spv_decorate(m, id, SpvDecorationArrayStride, SPV_LIST(stride));
  return id;
}

spv_id spv_type_struct(spv_module *m, const spv_id *members, size_t count) {
  return unique(m, UNIQUE_TYPE, SpvOpTypeStruct, 0, members, count);
}

spv_id spv_type_pointer(spv_module *m, SpvStorageClass storage, spv_id type) {
  return unique(m, UNIQUE_TYPE, SpvOpTypePointer, 0, SPV_LIST((uint32_t)storage, type));
}

spv_id spv_type_function(spv_module *m, spv_id result, const spv_id *params, size_t count) {
  spv_words words = {0};
  VEC_PUSH(m->arena, &words, result);
  for (size_t i = 0; i < count; i++) VEC_PUSH(m->arena, &words, params[i]);
  return unique(m, UNIQUE_TYPE, SpvOpTypeFunction, 0, words.data, words.count);
}

spv_id spv_type_buffer(spv_module *m, spv_id element, uint32_t stride) {
  spv_id array = spv_type_array(m, element, 0, stride);
  uint32_t before = m->next_id;
  spv_id id = spv_type_struct(m, &array, 1);
  if (id < before) return id;
  spv_decorate(m, id, SpvDecorationBlock, NULL, 0);
  spv_decorate_member(m, id, 0, SpvDecorationOffset, 0);
  return id;
}

/* ---- constants ---- */

spv_id spv_const_bool(spv_module *m, bool value) {
  return unique(m, UNIQUE_CONST, value ? SpvOpConstantTrue : SpvOpConstantFalse, 0, SPV_LIST(spv_type_bool(m)));
}

spv_id spv_const_bits(spv_module *m, spv_id type, uint32_t bits, uint64_t value) {
  const uint32_t words[] = {type, (uint32_t)value, (uint32_t)(value >> 32)};
  return unique(m, UNIQUE_CONST, SpvOpConstant, 0, words, bits == 64 ? 3 : 2);
}

spv_id spv_const_u32(spv_module *m, uint32_t value) { return spv_const_bits(m, spv_type_int(m, 32, false), 32, value); }

spv_id spv_const_i32(spv_module *m, int32_t value) {
  return spv_const_bits(m, spv_type_int(m, 32, true), 32, (uint32_t)value);
}

spv_id spv_const_f32(spv_module *m, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return spv_const_bits(m, spv_type_float(m, 32), 32, bits);
}

spv_id spv_variable(spv_module *m, SpvStorageClass storage, spv_id type) {
  spv_id pointer = spv_type_pointer(m, storage, type);
  spv_id id = spv_new(m);
  spv_write(m, storage == SpvStorageClassFunction ? SPV_HEAD : SPV_GLOBALS, SpvOpVariable,
            SPV_LIST(pointer, id, (uint32_t)storage));
  return id;
}
