/* base/npy: files that NumPy wrote (tests/fuzz/corpus/npy), files that are wrong in every single way, and writing. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/npy.h"

static diag_sink *sink;

static int set_up(void **state) {
  (void)state;
  sink = diag_sink_create(mem_default(), NULL, NULL);
  return sink ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  diag_sink_destroy(sink);
  return 0;
}

static file_bytes load(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/tests/fuzz/corpus/npy/%s.npy", KILN_SOURCE_DIR, name);
  file_bytes bytes;
  assert_int_equal(file_read(mem_default(), sink, path, 1 << 20, &bytes), KILN_OK);
  return bytes;
}

static void assert_reads(const char *name, const char *descr, uint32_t rank, const int64_t *dims, const void *data,
                         size_t size) {
  file_bytes file = load(name);
  npy header;
  assert_int_equal(npy_parse(sink, str_from(name), file.data, file.size, &header), KILN_OK);
  assert_string_equal(header.descr, descr);
  assert_int_equal(header.rank, rank);
  for (uint32_t i = 0; i < rank; i++) assert_int_equal(header.dims[i], dims[i]);
  assert_int_equal(header.count * header.item_size, size);
  unsigned char copy[64];
  memset(copy, 0xaa, sizeof copy);
  npy_copy(&header, file.data, copy);
  if (size > 0) assert_memory_equal(copy, data, size);
  assert_int_equal(copy[size], 0xaa);
  file_free(mem_default(), &file);
}

static void numpy_files_are_read(void **state) {
  (void)state;
  assert_reads("f32_2x3", "<f4", 2, (int64_t[]){2, 3}, (float[]){0, 1, 2, 3, 4, 5}, 24);
  assert_reads("f16_scalar", "<f2", 0, NULL, (uint16_t[]){0x3e00}, 2);
  assert_reads("bool_5", "|b1", 1, (int64_t[]){5}, "\1\0\1\1\0", 5);
  assert_reads("empty_0x4", "<i8", 2, (int64_t[]){0, 4}, NULL, 0);
  assert_reads("bf16_v2", "<V2", 1, (int64_t[]){4}, "\0\0\0\0\0\0\0\0", 8);
  assert_reads("version2", "<u2", 1, (int64_t[]){4}, (uint16_t[]){0, 1, 2, 3}, 8);
  assert_reads("version3", "<u2", 1, (int64_t[]){4}, (uint16_t[]){0, 1, 2, 3}, 8);
  assert_reads("fortran_u8_2x3x2", "|u1", 3, (int64_t[]){2, 3, 2}, "\0\1\2\3\4\5\6\7\10\11\12\13", 12);
}

static void assert_refused(const void *bytes, size_t size, kiln_result result, const char *name) {
  npy header;
  diag_sink_clear(sink);
  assert_int_equal(npy_parse(sink, STR("x.npy"), bytes, size, &header), result);
  assert_int_equal(diag_sink_count(sink), 1);
  const kiln_diag *diag = diag_sink_get(sink, 0);
  assert_string_equal(diag->name, name);
  assert_true(diag->hint.size > 0);
  assert_true(str_is(diag->places[0].file, "x.npy"));
}

static void numpy_files_that_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *file, *name;
    kiln_result result;
  } rows[] = {{"big_endian", "npy_big_endian", KILN_ERROR_UNSUPPORTED},
              {"object", "npy_object", KILN_ERROR_UNSUPPORTED},
              {"structured", "npy_structured", KILN_ERROR_UNSUPPORTED},
              {"complex", "npy_dtype", KILN_ERROR_UNSUPPORTED},
              {"rank9", "npy_rank", KILN_ERROR_LIMIT}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    file_bytes file = load(rows[i].file);
    assert_refused(file.data, file.size, rows[i].result, rows[i].name);
    file_free(mem_default(), &file);
  }
}

/* A version 1.0 file around a header's text. */
static size_t wrap(char *out, const char *words, size_t data_size) {
  size_t length = strlen(words);
  memcpy(out, "\x93NUMPY\x01", 8);
  out[8] = (char)(length & 0xff);
  out[9] = (char)(length >> 8);
  memcpy(out + 10, words, length);
  memset(out + 10 + length, 1, data_size);
  return 10 + length + data_size;
}

#define TYPE "'descr': '<f4', "
#define ORDER "'fortran_order': False, "

static void wrong_headers_are_explained(void **state) {
  (void)state;
  static const struct {
    const char *text, *name, *part;
    kiln_result result;
  } rows[] = {
      {"", "npy_header_syntax", "expected '{' in the header, found the end of it", KILN_ERROR_INVALID},
      {"[", "npy_header_syntax", "found '['", KILN_ERROR_INVALID},
      {"{\001", "npy_header_syntax", "expected a string in the header, found \\x01", KILN_ERROR_INVALID},
      {"{}", "npy_missing_key", "lacks 'descr'", KILN_ERROR_INVALID},
      {"{" TYPE ORDER "}", "npy_missing_key", "lacks 'shape'", KILN_ERROR_INVALID},
      {"{" TYPE TYPE "}", "npy_key", "'descr' is unknown or given twice", KILN_ERROR_INVALID},
      {"{'x': 1}", "npy_key", "'x'", KILN_ERROR_INVALID},
      {"{'descr", "npy_header_syntax", "closing quote", KILN_ERROR_INVALID},
      {"{'descr' '<f4'}", "npy_header_syntax", "expected ':'", KILN_ERROR_INVALID},
      {"{'descr': 4}", "npy_header_syntax", "expected a string", KILN_ERROR_INVALID},
      {"{'descr': '<f16'}", "npy_dtype", "'<f16'", KILN_ERROR_UNSUPPORTED},
      {"{'descr': '<f3'}", "npy_dtype", "'<f3'", KILN_ERROR_UNSUPPORTED},
      {"{'descr': '<V4'}", "npy_dtype", "'<V4'", KILN_ERROR_UNSUPPORTED},
      {"{'descr': ''}", "npy_dtype", "''", KILN_ERROR_UNSUPPORTED},
      {"{'descr': '>V2'}", "npy_big_endian", "'>V2'", KILN_ERROR_UNSUPPORTED},
      {"{'fortran_order': 0}", "npy_header_syntax", "expected True or False", KILN_ERROR_INVALID},
      {"{'shape': 3}", "npy_header_syntax", "expected '('", KILN_ERROR_INVALID},
      {"{'shape': (-3,)}", "npy_header_syntax", "expected a dimension in the header, found '-'", KILN_ERROR_INVALID},
      {"{'shape': (1 2)}", "npy_header_syntax", "expected ',' in the header, found '2'", KILN_ERROR_INVALID},
      {"{'shape': (1,,)}", "npy_header_syntax", "expected a dimension", KILN_ERROR_INVALID},
      {"{'shape': (9223372036854775808,)}", "npy_too_big", "64-bit", KILN_ERROR_LIMIT},
      {"{'shape': (1,1,1,1,1,1,1,1,1)}", "npy_rank", "9 dimensions or more, the limit is 8", KILN_ERROR_LIMIT},
      {"{'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "npy_rank", "32",
       KILN_ERROR_LIMIT},
      {"{" TYPE ORDER "'shape': (4294967296, 2147483648)}", "npy_too_big", "64-bit", KILN_ERROR_LIMIT},
      {"{" TYPE ORDER "'shape': (0, 4294967296, 2147483648)}", "npy_too_big", "64-bit", KILN_ERROR_LIMIT},
      {"{" TYPE ORDER "'shape': (2,)}", "npy_data_size", "8 bytes of data expected by type and shape, found 4",
       KILN_ERROR_INVALID},
      {"{" TYPE ORDER "'shape': (0,)}", "npy_data_size", "0 bytes", KILN_ERROR_INVALID},
      {"{" TYPE ORDER "'shape': (1,)} x", "npy_header_syntax",
       "expected blanks up to the data in the header, found 'x'", KILN_ERROR_INVALID},
      {"{" TYPE "'fortran_order': False 'shape': (1,)}", "npy_header_syntax", "expected ',' or '}'",
       KILN_ERROR_INVALID},
  };
  char bytes[512];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    size_t size = wrap(bytes, rows[i].text, 4);
    assert_refused(bytes, size, rows[i].result, rows[i].name);
    const char *message = diag_sink_get(sink, 0)->message.data;
    if (!strstr(message, rows[i].part)) fail_msg("row %zu: '%s' lacks '%s'", i, message, rows[i].part);
  }
}

static void unusual_headers_are_read(void **state) {
  (void)state;
  static const char *const texts[] = {
      "{\"shape\":(1L,),\"fortran_order\":True,\"descr\":\"=f4\"}",
      "  { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 1 , ) , } \n",
      "{" TYPE ORDER "'shape': ()}",
      "{'descr': '>u1', " ORDER "'shape': (2, 2)}",
  };
  char bytes[512];
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    npy header;
    size_t size = wrap(bytes, texts[i], 4);
    assert_int_equal(npy_parse(sink, STR("x.npy"), bytes, size, &header), KILN_OK);
  }
}

/* float8_e5m2 is the one type of ml_dtypes with a descriptor of its own, which NumPy does not read. */
static void types_of_ml_dtypes_are_read(void **state) {
  (void)state;
  static const struct {
    const char *text, *descr;
  } files[] = {{"{'descr': '<V1', " ORDER "'shape': (4,)}", "<V1"},
               {"{'descr': '|V1', " ORDER "'shape': (4,)}", "<V1"},
               {"{'descr': '<f1', " ORDER "'shape': (4,)}", "<V1"},
               {"{'descr': '|V2', " ORDER "'shape': (2,)}", "<V2"}};
  char bytes[512];
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    npy header;
    size_t size = wrap(bytes, files[i].text, 4);
    assert_int_equal(npy_parse(sink, STR("x.npy"), bytes, size, &header), KILN_OK);
    assert_string_equal(header.descr, files[i].descr);
  }
}

static void wrong_preambles_are_explained(void **state) {
  (void)state;
  assert_refused("", 0, KILN_ERROR_INVALID, "npy_magic");
  assert_refused("PK\3\4....", 8, KILN_ERROR_INVALID, "npy_magic");
  assert_non_null(strstr(diag_sink_get(sink, 0)->message.data, "a .npz archive"));
  assert_refused("\x93NUMPY\x04\0\0\0\0\0", 12, KILN_ERROR_UNSUPPORTED, "npy_version");
  assert_refused("\x93NUMPY\x01\1\0\0", 10, KILN_ERROR_UNSUPPORTED, "npy_version");
  assert_refused("\x93NUMPY\x02\0\1\0\1\0", 12, KILN_ERROR_LIMIT, "npy_header_size");
  assert_refused("\x93NUMPY\x02\0\xff\xff\xff\xff", 12, KILN_ERROR_LIMIT, "npy_header_size");
  assert_refused("\x93NUMPY\x01\0\x10\0{", 11, KILN_ERROR_INVALID, "npy_truncated");
}

static void assert_adds_up(const unsigned char *bytes, size_t size) {
  diag_sink_clear(sink);
  npy header;
  if (npy_parse(sink, STR("x.npy"), bytes, size, &header) == KILN_OK) {
    assert_int_equal(header.offset + header.count * header.item_size, size);
    return;
  }
  assert_int_equal(diag_sink_errors(sink), 1);
  assert_in_range(diag_sink_get(sink, 0)->code, 7010, 7029);
}

static const char *const golden[] = {"f32_2x3", "fortran_u8_2x3x2", "version2", "f16_scalar"};

static void every_prefix_is_refused(void **state) {
  (void)state;
  for (size_t g = 0; g < sizeof golden / sizeof *golden; g++) {
    file_bytes file = load(golden[g]);
    for (size_t size = 0; size < file.size; size++) {
      unsigned char *prefix = mem_alloc(mem_default(), size + 1); /* its own block, for AddressSanitizer */
      memcpy(prefix, file.data, size);
      npy header;
      assert_int_not_equal(npy_parse(sink, STR("x.npy"), prefix, size, &header), KILN_OK);
      mem_free(mem_default(), prefix, size + 1);
    }
    file_free(mem_default(), &file);
  }
}

static void every_changed_byte_is_survived(void **state) {
  (void)state;
  for (size_t g = 0; g < sizeof golden / sizeof *golden; g++) {
    file_bytes file = load(golden[g]);
    for (size_t at = 0; at < file.size; at++) {
      unsigned char kept = file.data[at];
      for (unsigned change = 1; change < 256; change++) {
        file.data[at] = (unsigned char)(kept ^ change);
        assert_adds_up(file.data, file.size);
      }
      file.data[at] = kept;
    }
    file_free(mem_default(), &file);
  }
}

static void what_is_written_is_read(void **state) {
  (void)state;
  static const int64_t dims[NPY_MAX_RANK] = {INT64_MAX, 3, 1, 1234567890123, 5, 6, 7, INT64_MAX};
  for (uint32_t rank = 0; rank <= NPY_MAX_RANK; rank++) {
    char bytes[NPY_HEADER_SIZE_WRITTEN + 64] = {0};
    static const int64_t small[NPY_MAX_RANK] = {2, 1, 3, 1, 1, 1, 1, 2};
    size_t size = npy_header(bytes, "<i2", rank, small), count = 1;
    assert_int_equal(size % 64, 0);
    assert_int_equal(bytes[size - 1], '\n');
    for (uint32_t i = 0; i < rank; i++) count *= (size_t)small[i];
    npy header;
    assert_int_equal(npy_parse(sink, STR("x.npy"), bytes, size + 2 * count, &header), KILN_OK);
    assert_int_equal(header.rank, rank);
    assert_int_equal(header.offset, size);
    assert_memory_equal(header.dims, small, rank * sizeof *small);
    assert_true(npy_header(bytes, "<i2", rank, dims) <= NPY_HEADER_SIZE_WRITTEN);
  }
}

static void numpy_writes_the_same_bytes(void **state) {
  (void)state;
  file_bytes file = load("f32_2x3");
  char bytes[NPY_HEADER_SIZE_WRITTEN];
  size_t size = npy_header(bytes, "<f4", 2, (int64_t[]){2, 3});
  assert_int_equal(size + 24, file.size);
  assert_memory_equal(bytes, file.data, size);
  file_free(mem_default(), &file);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(numpy_files_are_read),        TEST(numpy_files_that_are_refused),   TEST(wrong_headers_are_explained),
      TEST(unusual_headers_are_read),    TEST(types_of_ml_dtypes_are_read),    TEST(wrong_preambles_are_explained),
      TEST(every_prefix_is_refused),     TEST(every_changed_byte_is_survived), TEST(what_is_written_is_read),
      TEST(numpy_writes_the_same_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
