/* Reading and writing .npy.
 *
 * A file is "\x93NUMPY", two bytes of version, the header's size (2 bytes in version 1, else 4), a Python dictionary
 * {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } padded with blanks, and the data. The dictionary is read
 * by hand, never evaluated; its text is the "source" that diagnostics point into. */
#include "base/npy.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "\x93NUMPY"
#define MAGIC_SIZE 6
#define FORMAT_MAX_RANK 32 /* of the format itself; NPY_MAX_RANK is ours */
#define DATA_ALIGNMENT 64  /* of the data in files that NumPy writes */

typedef struct reader {
  diag_sink *sink;
  source header;
  size_t at;
  npy *out;
  kiln_result result; /* KILN_OK until the first error, which ends the reading */
} reader;

static loc place(const reader *r, size_t begin, size_t end) {
  return (loc){&r->header, (uint32_t)begin, (uint32_t)(end - begin)};
}

static bool fail(reader *r, kiln_result result) {
  r->result = result;
  return false;
}

static void skip_blanks(reader *r) {
  while (r->at < r->header.text.size && strchr(" \t\r\n", r->header.text.data[r->at]) != NULL &&
         r->header.text.data[r->at] != 0)
    r->at++;
}

static char peek(reader *r) {
  skip_blanks(r);
  return r->at < r->header.text.size ? r->header.text.data[r->at] : 0;
}

static bool expected(reader *r, const char *what) {
  char found[16] = "the end of it";
  char c = peek(r);
  if (r->at < r->header.text.size)
    snprintf(found, sizeof found, isprint((unsigned char)c) ? "'%c'" : "\\x%02x", c & 0xff);
  diag_report(r->sink, DIAG_npy_header_syntax, place(r, r->at, r->at), what, found);
  return fail(r, KILN_ERROR_INVALID);
}

static bool take(reader *r, char c) {
  if (peek(r) != c) return false;
  r->at++;
  return true;
}

static bool expect(reader *r, char c) {
  const char quoted[] = {'\'', c, '\'', 0};
  return take(r, c) || expected(r, quoted);
}

/* A string without escapes, which no legitimate key or descriptor has. */
static bool read_string(reader *r, kiln_str *out) {
  char quote = peek(r);
  if (quote != '\'' && quote != '"') return expected(r, "a string");
  const char *begin = r->header.text.data + ++r->at;
  const char *end = memchr(begin, quote, r->header.text.size - r->at);
  if (!end) {
    r->at = r->header.text.size;
    return expected(r, "the string's closing quote");
  }
  *out = (kiln_str){begin, (size_t)(end - begin)};
  r->at += out->size + 1;
  return true;
}

static bool read_dimension(reader *r, int64_t *out) {
  int64_t value = 0;
  kiln_str all = r->header.text;
  if (!isdigit((unsigned char)peek(r))) return expected(r, "a dimension");
  size_t begin = r->at;
  for (; r->at < all.size && isdigit((unsigned char)all.data[r->at]); r->at++) {
    if (i64_mul(value, 10, &value) && i64_add(value, all.data[r->at] - '0', &value)) continue;
    diag_report(r->sink, DIAG_npy_too_big, place(r, begin, r->at));
    return fail(r, KILN_ERROR_LIMIT);
  }
  take(r, 'L'); /* NumPy on Python 2 wrote 3L */
  *out = value;
  return true;
}

static bool refuse_rank(reader *r, size_t begin) {
  diag_report(r->sink, DIAG_npy_rank, place(r, begin, r->at), r->out->rank, NPY_MAX_RANK);
  return fail(r, KILN_ERROR_LIMIT);
}

static bool read_shape(reader *r) {
  npy *out = r->out;
  if (!expect(r, '(')) return false;
  size_t begin = r->at - 1;
  while (!take(r, ')')) {
    int64_t dimension = 0;
    if (out->rank > 0 && !expect(r, ',')) return false;
    if (out->rank > 0 && take(r, ')')) break;
    if (out->rank == FORMAT_MAX_RANK) return refuse_rank(r, begin);
    if (!read_dimension(r, &dimension)) return false;
    if (out->rank < NPY_MAX_RANK) out->dims[out->rank] = dimension;
    out->rank++;
  }
  return out->rank <= NPY_MAX_RANK || refuse_rank(r, begin);
}

static bool refuse_descr(reader *r, kiln_str descr, diag_id why) {
  size_t begin = (size_t)(descr.data - r->header.text.data);
  diag_report(r->sink, why, place(r, begin, begin + descr.size), STR_FMT(descr));
  return fail(r, KILN_ERROR_UNSUPPORTED);
}

/* The element types that exist: a letter and its sizes. */
static bool is_known(char letter, char size) {
  switch (letter) {
    case 'b': return size == '1';
    case 'i':
    case 'u': return strchr("1248", size) != NULL;
    case 'f': return strchr("1248", size) != NULL;
    case 'V': return size == '1' || size == '2';
    default: return false;
  }
}

static bool read_descr(reader *r) {
  kiln_str descr;
  if (peek(r) == '[') {
    diag_report(r->sink, DIAG_npy_structured, place(r, r->at, r->at));
    return fail(r, KILN_ERROR_UNSUPPORTED);
  }
  if (!read_string(r, &descr)) return false;
  if (str_is(descr, "|O") || str_is(descr, "O")) return refuse_descr(r, descr, DIAG_npy_object);
  bool shaped = descr.size == 3 && strchr("<>|=", descr.data[0]) && descr.data[0] && descr.data[2];
  if (!shaped || !is_known(descr.data[1], descr.data[2])) return refuse_descr(r, descr, DIAG_npy_dtype);
  char size = descr.data[2];
  if (descr.data[0] == '>' && size != '1') return refuse_descr(r, descr, DIAG_npy_big_endian);
  r->out->item_size = (size_t)(size - '0');
  /* ml_dtypes writes float8_e5m2, alone of its types, as <f1, which NumPy does not read: it is a byte like the others.
   */
  char letter = descr.data[1] == 'f' && size == '1' ? 'V' : descr.data[1];
  memcpy(r->out->descr, (char[4]){size == '1' && letter != 'V' ? '|' : '<', letter, size, 0}, 4);
  return true;
}

static bool take_word(reader *r, const char *word) {
  size_t length = strlen(word);
  kiln_str all = r->header.text;
  if (peek(r) != word[0] || all.size - r->at < length || memcmp(all.data + r->at, word, length) != 0) return false;
  r->at += length;
  return true;
}

static bool read_order(reader *r) {
  if (take_word(r, "True")) return r->out->fortran = true;
  return take_word(r, "False") || expected(r, "True or False");
}

static const struct field {
  const char *key;
  bool (*read)(reader *r);
} fields[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};
enum { FIELD_COUNT = sizeof fields / sizeof *fields };

static bool read_field(reader *r, bool seen[FIELD_COUNT]) {
  kiln_str key;
  if (!read_string(r, &key)) return false;
  size_t i = 0;
  while (i < FIELD_COUNT && (seen[i] || !str_is(key, fields[i].key))) i++;
  if (i == FIELD_COUNT) {
    size_t begin = (size_t)(key.data - r->header.text.data);
    kiln_str shown = {key.data, key.size < 40 ? key.size : 40};
    diag_report(r->sink, DIAG_npy_key, place(r, begin, begin + key.size), STR_FMT(shown));
    return fail(r, KILN_ERROR_INVALID);
  }
  seen[i] = true;
  return expect(r, ':') && fields[i].read(r);
}

static bool read_dictionary(reader *r) {
  bool seen[FIELD_COUNT] = {false};
  if (!expect(r, '{')) return false;
  while (!take(r, '}')) {
    if (!read_field(r, seen)) return false;
    if (!take(r, ',') && peek(r) != '}') return expected(r, "',' or '}'");
  }
  for (size_t i = 0; i < FIELD_COUNT; i++) {
    if (seen[i]) continue;
    diag_report(r->sink, DIAG_npy_missing_key, place(r, 0, r->at), fields[i].key);
    return fail(r, KILN_ERROR_INVALID);
  }
  skip_blanks(r);
  return r->at == r->header.text.size || expected(r, "blanks up to the data");
}

/* The number of elements, or false when the bytes would not fit a signed 64-bit number. A zero among the dimensions
 * excuses none of the others: nobody needs an empty array of 2^62 rows. */
static bool count_elements(npy *out) {
  int64_t bytes = (int64_t)out->item_size;
  bool empty = false;
  for (uint32_t i = 0; i < out->rank; i++) {
    empty |= out->dims[i] == 0;
    if (out->dims[i] > 0 && !i64_mul(bytes, out->dims[i], &bytes)) return false;
  }
  out->count = empty ? 0 : (size_t)bytes / out->item_size;
  return true;
}

static kiln_result check_data(reader *r, size_t size) {
  npy *out = r->out;
  if (!count_elements(out)) {
    diag_report(r->sink, DIAG_npy_too_big, place(r, 0, 0));
    return KILN_ERROR_LIMIT;
  }
  size_t stated = out->count * out->item_size, found = size - out->offset;
  if (stated == found) return KILN_OK;
  diag_report(r->sink, DIAG_npy_data_size, place(r, 0, 0), (unsigned long long)stated, (unsigned long long)found);
  return KILN_ERROR_INVALID;
}

static unsigned long long little_endian(const unsigned char *bytes, size_t count) {
  unsigned long long value = 0;
  for (size_t i = 0; i < count; i++) value |= (unsigned long long)bytes[i] << (8 * i);
  return value;
}

/* Everything before the dictionary: sets where it lies. */
static kiln_result read_preamble(reader *r, const unsigned char *bytes, size_t size) {
  const source file = {.name = r->header.name, .text = {0}};
  const loc at = {&file, 1, 0}; /* past the empty text: the file's name without a line */
  if (size < MAGIC_SIZE || memcmp(bytes, MAGIC, MAGIC_SIZE) != 0) {
    bool zip = size >= 4 && memcmp(bytes, "PK\3\4", 4) == 0;
    diag_report(r->sink, DIAG_npy_magic, at, zip ? "a .npz archive" : size == 0 ? "an empty file" : "something else");
    return KILN_ERROR_INVALID;
  }
  unsigned major = size > 6 ? bytes[6] : 0, minor = size > 7 ? bytes[7] : 0;
  size_t width = major == 1 ? 2 : 4, begin = MAGIC_SIZE + 2 + width;
  if (size >= 8 && (major < 1 || major > 3 || minor != 0)) {
    diag_report(r->sink, DIAG_npy_version, at, major, minor);
    return KILN_ERROR_UNSUPPORTED;
  }
  unsigned long long length = size >= begin ? little_endian(bytes + 8, width) : 0;
  if (length > NPY_HEADER_SIZE_MAX) {
    diag_report(r->sink, DIAG_npy_header_size, at, length, (unsigned long long)NPY_HEADER_SIZE_MAX);
    return KILN_ERROR_LIMIT;
  }
  if (size < begin + length) {
    diag_report(r->sink, DIAG_npy_truncated, at, begin + length, (unsigned long long)size);
    return KILN_ERROR_INVALID;
  }
  r->header.text = (kiln_str){(const char *)bytes + begin, (size_t)length};
  r->out->offset = begin + (size_t)length;
  return KILN_OK;
}

kiln_result npy_parse(diag_sink *sink, kiln_str name, const void *bytes, size_t size, npy *out) {
  *out = (npy){0};
  reader r = {.sink = sink, .header = {.name = name}, .out = out};
  kiln_result result = read_preamble(&r, bytes, size);
  if (result != KILN_OK) return result;
  return read_dictionary(&r) ? check_data(&r, size) : r.result;
}

/* Walks the row-major order of `out`; `at` is the element's place in column-major order, kept up to date by strides. */
static void copy_columns(const npy *header, const unsigned char *data, unsigned char *out) {
  size_t index[NPY_MAX_RANK] = {0}, stride[NPY_MAX_RANK + 1] = {1};
  for (uint32_t i = 0; i < header->rank; i++) stride[i + 1] = stride[i] * (size_t)header->dims[i];
  size_t at = 0, item = header->item_size;
  for (size_t i = 0; i < header->count; i++) {
    memcpy(out + i * item, data + at * item, item);
    for (uint32_t d = header->rank; d-- > 0;) {
      at += stride[d];
      if (++index[d] < (size_t)header->dims[d]) break;
      at -= stride[d] * index[d];
      index[d] = 0;
    }
  }
}

void npy_copy(const npy *header, const void *bytes, void *out) {
  size_t size = header->count * header->item_size;
  if (size == 0) return;
  const unsigned char *data = (const unsigned char *)bytes + header->offset;
  if (header->fortran && header->rank > 1)
    copy_columns(header, data, out);
  else
    memcpy(out, data, size);
  if (header->descr[1] != 'b') return;
  unsigned char *flags = out;
  for (size_t i = 0; i < size; i++) flags[i] = flags[i] != 0;
}

size_t npy_header(char out[NPY_HEADER_SIZE_WRITTEN], const char *descr, uint32_t rank, const int64_t *dims) {
  char *at = out + MAGIC_SIZE + 4, *end = out + NPY_HEADER_SIZE_WRITTEN;
  at += snprintf(at, (size_t)(end - at), "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
  for (uint32_t i = 0; i < rank; i++)
    at += snprintf(at, (size_t)(end - at), i + 1 < rank ? "%lld, " : rank == 1 ? "%lld," : "%lld", (long long)dims[i]);
  at += snprintf(at, (size_t)(end - at), "), }");
  size_t used = (size_t)(at - out) + 1; /* and a line end */
  size_t total = (used + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
  memset(at, ' ', total - used);
  out[total - 1] = '\n';
  size_t length = total - MAGIC_SIZE - 4;
  memcpy(out, MAGIC "\x01", MAGIC_SIZE + 2); /* version 1.0: the string's own zero byte ends it */
  out[8] = (char)(length & 0xff);
  out[9] = (char)(length >> 8);
  return total;
}
