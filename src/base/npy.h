/* The .npy format of NumPy on memory: versions 1.0, 2.0 and 3.0, plain little-endian element types.
 *
 * Element types are known by NumPy's descriptor alone ("<f4", "|u1"); which of them a kernel may use is the caller's
 * matter. Types that NumPy lacks are "<V1" and, bfloat16, "<V2", as ml_dtypes writes them ("|V2" is read too): such a
 * file does not tell which of them it holds. */
#ifndef KILN_SRC_BASE_NPY_H
#define KILN_SRC_BASE_NPY_H

#include "base/diag.h"

#define NPY_MAX_RANK 8              /* dimensions that are accepted */
#define NPY_HEADER_SIZE_MAX 65536   /* bytes of header text that are read */
#define NPY_HEADER_SIZE_WRITTEN 384 /* the most that npy_header fills */

typedef struct npy {
  char descr[4]; /* normalised: '|' for one byte of b i u, else '<'; a letter of b i u f V; the size, one digit; a zero
                    byte */
  bool fortran;  /* column-major in the file */
  uint32_t rank;
  int64_t dims[NPY_MAX_RANK];
  size_t item_size, count; /* bytes of an element; elements */
  size_t offset;           /* of the data in the file */
} npy;

/* Reads a file's header and checks its every word, also that the data has exactly count * item_size bytes.
 * KILN_ERROR_INVALID, _LIMIT or _UNSUPPORTED with a diagnostic that names the file otherwise. Allocates nothing. */
kiln_result npy_parse(diag_sink *sink, kiln_str name, const void *bytes, size_t size, npy *out);

/* Copies the elements to `out`, count * item_size bytes, in row-major order. Booleans become 0 or 1. */
void npy_copy(const npy *header, const void *bytes, void *out);

/* Writes what stands before the row-major data of an array; returns its size, a multiple of 64. */
size_t npy_header(char out[NPY_HEADER_SIZE_WRITTEN], const char *descr, uint32_t rank, const int64_t *dims);

#endif
