/* Files by POSIX calls. */
#define _GNU_SOURCE /* realpath */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_CAPACITY ((size_t)64 << 10)
#define TRANSFER_MOST ((size_t)1 << 30) /* bytes per read or write: Linux transfers at most 2 GiB */

/* A path that cannot be right is the request's fault, anything else the system's. */
static kiln_result result_of(int error) {
  switch (error) {
    case ENOMEM: return KILN_ERROR_MEMORY;
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EACCES:
    case ENAMETOOLONG:
    case ELOOP: return KILN_ERROR_INVALID;
    default: return KILN_ERROR_IO;
  }
}

static kiln_result fail_read(diag_sink *sink, const char *path, int error) {
  diag_report(sink, DIAG_file_unreadable, (loc){0}, path, strerror(error));
  return result_of(error);
}

static kiln_result fail_write(diag_sink *sink, const char *path, int error) {
  diag_report(sink, DIAG_file_unwritable, (loc){0}, path, strerror(error));
  return result_of(error);
}

/* Room for one more read: a byte past the size, so that the end of the file is seen without growing again. */
static bool grow(mem m, file_bytes *bytes, size_t capacity) {
  unsigned char *data = mem_resize(m, bytes->data, bytes->capacity, capacity);
  if (!data) return false;
  bytes->data = data;
  bytes->capacity = capacity;
  return true;
}

/* 0, or the error's number. Stops one byte past the limit: enough to know. */
static int read_all(mem m, int fd, size_t limit, file_bytes *bytes) {
  while (bytes->size <= limit) {
    size_t doubled;
    if (!size_mul(bytes->capacity, 2, &doubled)) return ENOMEM;
    if (bytes->size == bytes->capacity && !grow(m, bytes, doubled)) return ENOMEM;
    size_t room = bytes->capacity - bytes->size;
    ssize_t got = read(fd, bytes->data + bytes->size, room < TRANSFER_MOST ? room : TRANSFER_MOST);
    if (got == 0) return 0;
    if (got < 0 && errno != EINTR) return errno;
    if (got > 0) bytes->size += (size_t)got;
  }
  return 0;
}

static kiln_result read_open(mem m, diag_sink *sink, const char *path, int fd, size_t limit, file_bytes *out) {
  struct stat info;
  if (fstat(fd, &info) != 0) return fail_read(sink, path, errno);
  if (S_ISDIR(info.st_mode)) return fail_read(sink, path, EISDIR);
  size_t stated = S_ISREG(info.st_mode) && info.st_size > 0 ? (size_t)info.st_size : 0;
  if (stated <= limit) {
    if (!grow(m, out, stated > 0 ? stated + 1 : FIRST_CAPACITY)) return fail_read(sink, path, ENOMEM);
    int error = read_all(m, fd, limit, out);
    if (error != 0) return fail_read(sink, path, error);
    if (out->size <= limit) return KILN_OK;
  }
  diag_report(sink, DIAG_file_too_big, (loc){0}, path, (unsigned long long)(stated > limit ? stated : out->size),
              (unsigned long long)limit);
  return KILN_ERROR_LIMIT;
}

kiln_result file_read(mem m, diag_sink *sink, const char *path, size_t limit, file_bytes *out) {
  *out = (file_bytes){0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_read(sink, path, errno);
  kiln_result result = read_open(m, sink, path, fd, limit, out);
  close(fd);
  if (result != KILN_OK) file_free(m, out);
  return result;
}

void file_free(mem m, file_bytes *bytes) {
  mem_free(m, bytes->data, bytes->capacity);
  *bytes = (file_bytes){0};
}

/* Opens without waiting: a name in a kernel text may be that of a pipe. */
static FILE *open_regular(const char *path) {
  struct stat info;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return NULL;
  FILE *file = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? fdopen(fd, "r") : NULL;
  if (!file) close(fd);
  return file;
}

kiln_str file_line(arena *a, kiln_str path, uint32_t line, size_t longest) {
  FILE *file = open_regular(str_copy(a, path).data);
  text found = text_new(a);
  uint32_t at = 1;
  if (!file) return (kiln_str){0};
  for (int c; at <= line && (c = getc(file)) != EOF; at += c == '\n')
    if (at == line && c != '\n' && c != '\r' && found.size < longest) text_char(&found, (char)c);
  fclose(file);
  return at < line ? (kiln_str){0} : text_str(&found);
}

static int write_part(int fd, kiln_str part) {
  while (part.size > 0) {
    ssize_t put = write(fd, part.data, part.size < TRANSFER_MOST ? part.size : TRANSFER_MOST);
    if (put < 0 && errno != EINTR) return errno;
    if (put > 0) {
      part.data += put;
      part.size -= (size_t)put;
    }
  }
  return 0;
}

/* Opens, writes and closes; 0 or the error's number. Close is where a full network disk is heard of. */
static int write_all(const char *path, int flags, const kiln_str *parts, size_t part_count) {
  int fd = open(path, flags | O_WRONLY | O_CLOEXEC, 0666);
  if (fd < 0) return errno;
  int error = 0;
  for (size_t i = 0; i < part_count && error == 0; i++) error = write_part(fd, parts[i]);
  if (close(fd) != 0 && error == 0) error = errno;
  return error;
}

static int write_beside(mem m, const char *path, const kiln_str *parts, size_t part_count) {
  size_t bytes = strlen(path) + 32;
  char *beside = mem_alloc(m, bytes);
  if (!beside) return ENOMEM;
  snprintf(beside, bytes, "%s.%ld.tmp", path, (long)getpid());
  int error = write_all(beside, O_CREAT | O_TRUNC, parts, part_count);
  if (error == 0 && rename(beside, path) != 0) error = errno;
  if (error != 0) unlink(beside);
  mem_free(m, beside, bytes);
  return error;
}

kiln_result file_write(mem m, diag_sink *sink, const char *path, const kiln_str *parts, size_t part_count) {
  char target[PATH_MAX]; /* behind symbolic links, which renaming would replace */
  struct stat info;
  bool exists = stat(path, &info) == 0;
  int error;
  if (exists && !S_ISREG(info.st_mode))
    error = write_all(path, 0, parts, part_count);
  else
    error = write_beside(m, exists && realpath(path, target) ? target : path, parts, part_count);
  return error == 0 ? KILN_OK : fail_write(sink, path, error);
}
