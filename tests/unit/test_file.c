/* base/file: reading with a limit, writing whole files or none. */
#define _GNU_SOURCE
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "fault_alloc.h"

static diag_sink *sink;
static char folder[64];

static const char *in_folder(const char *name) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static int set_up(void **state) {
  (void)state;
  sink = diag_sink_create(mem_default(), NULL, NULL);
  strcpy(folder, "/tmp/kiln_test_file_XXXXXX");
  return sink && mkdtemp(folder) ? 0 : -1;
}

static size_t files_in_folder(bool remove_them) {
  DIR *dir = opendir(folder);
  size_t count = 0;
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (entry->d_name[0] == '.') continue;
    count++;
    if (remove_them) unlink(in_folder(entry->d_name));
  }
  closedir(dir);
  return count;
}

static int tear_down(void **state) {
  (void)state;
  files_in_folder(true);
  rmdir(folder);
  diag_sink_destroy(sink);
  return 0;
}

static void write_text(const char *name, const char *words) {
  kiln_str part = str_from(words);
  assert_int_equal(file_write(mem_default(), sink, in_folder(name), &part, 1), KILN_OK);
}

static void assert_file(const char *name, const char *words) {
  file_bytes bytes;
  assert_int_equal(file_read(mem_default(), sink, in_folder(name), 1000, &bytes), KILN_OK);
  assert_true(str_is((kiln_str){(char *)bytes.data, bytes.size}, words));
  file_free(mem_default(), &bytes);
}

static void parts_are_written_and_read(void **state) {
  (void)state;
  kiln_str parts[] = {STR("one "), {0}, STR("two")};
  assert_int_equal(file_write(mem_default(), sink, in_folder("a"), parts, 3), KILN_OK);
  assert_file("a", "one two");
  write_text("a", "");
  assert_file("a", "");
  assert_int_equal(files_in_folder(false), 1);
}

static void links_stay_links(void **state) {
  (void)state;
  write_text("real", "old");
  char target[128];
  strcpy(target, in_folder("real"));
  assert_int_equal(symlink(target, in_folder("link")), 0);
  write_text("link", "new");
  assert_file("real", "new");
  struct stat info;
  lstat(in_folder("link"), &info);
  assert_true(S_ISLNK(info.st_mode));
}

static void devices_are_written_straight(void **state) {
  (void)state;
  kiln_str part = STR("gone");
  assert_int_equal(file_write(mem_default(), sink, "/dev/null", &part, 1), KILN_OK);
  struct stat info;
  assert_int_equal(stat("/dev/null", &info), 0);
  assert_true(S_ISCHR(info.st_mode));
}

static void limits_hold_to_the_byte(void **state) {
  (void)state;
  write_text("a", "12345678");
  file_bytes bytes;
  assert_int_equal(file_read(mem_default(), sink, in_folder("a"), 8, &bytes), KILN_OK);
  file_free(mem_default(), &bytes);
  assert_int_equal(file_read(mem_default(), sink, in_folder("a"), 7, &bytes), KILN_ERROR_LIMIT);
  assert_null(bytes.data);
  assert_int_equal(file_read(mem_default(), sink, "/dev/zero", 100000, &bytes), KILN_ERROR_LIMIT);
  assert_string_equal(diag_sink_get(sink, 1)->name, "file_too_big");
}

static void failures_are_reported(void **state) {
  (void)state;
  file_bytes bytes;
  kiln_str part = STR("x");
  assert_int_equal(file_read(mem_default(), sink, in_folder("absent"), 8, &bytes), KILN_ERROR_INVALID);
  assert_int_equal(file_read(mem_default(), sink, folder, 8, &bytes), KILN_ERROR_INVALID);
  assert_int_equal(file_write(mem_default(), sink, in_folder("no/such"), &part, 1), KILN_ERROR_INVALID);
  assert_int_equal(file_write(mem_default(), sink, folder, &part, 1), KILN_ERROR_INVALID);
  assert_int_equal(file_write(mem_default(), sink, "/dev/full", &part, 1), KILN_ERROR_IO);
  assert_int_equal(diag_sink_count(sink), 5);
  assert_non_null(strstr(diag_sink_get(sink, 0)->message.data, "No such file"));
  assert_non_null(strstr(diag_sink_get(sink, 4)->message.data, "No space left"));
  assert_int_equal(files_in_folder(false), 0);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  fault_alloc fault;
  kiln_str part = STR("text");
  FAULT_SWEEP(fault) {
    file_bytes bytes = {0};
    kiln_result put = file_write(fault_mem(&fault), sink, in_folder("a"), &part, 1);
    kiln_result got = put == KILN_OK ? file_read(fault_mem(&fault), sink, in_folder("a"), 8, &bytes) : KILN_OK;
    assert_int_equal(put == KILN_OK && got == KILN_OK, fault.calls < fault.fail_at);
    assert_true(put == KILN_OK || put == KILN_ERROR_MEMORY);
    assert_true(got == KILN_OK || got == KILN_ERROR_MEMORY);
    file_free(fault_mem(&fault), &bytes);
  }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(parts_are_written_and_read), TEST(links_stay_links),      TEST(devices_are_written_straight),
      TEST(limits_hold_to_the_byte),    TEST(failures_are_reported), TEST(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
