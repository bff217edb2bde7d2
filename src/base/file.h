/* Whole files, read with a limit and written so that a failure never leaves half a file behind. */
#ifndef KILN_SRC_BASE_FILE_H
#define KILN_SRC_BASE_FILE_H

#include "base/diag.h"

typedef struct file_bytes {
  unsigned char *data; /* NULL for an empty file */
  size_t size;
  size_t capacity; /* what mem_free must be told */
} file_bytes;

/* Reads all of `path`, a pipe too, of at most `limit` bytes. A failure is reported to `sink`: KILN_ERROR_INVALID when
 * the path is wrong, _LIMIT, _MEMORY, or _IO when the system failed. */
kiln_result file_read(mem m, diag_sink *sink, const char *path, size_t limit, file_bytes *out);
void file_free(mem m, file_bytes *bytes);

/* One line of a regular file, of at most `longest` bytes; without data when there is no such file or line. */
kiln_str file_line(arena *a, kiln_str path, uint32_t line, size_t longest);

/* Writes the parts one behind the other: into a file beside `path`, renamed over it at the end. What is there already
 * and is no regular file (a device, a pipe) is written straight. */
kiln_result file_write(mem m, diag_sink *sink, const char *path, const kiln_str *parts, size_t part_count);

#endif
