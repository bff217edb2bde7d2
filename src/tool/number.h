/* Numbers for people and for comparison: elements of arrays as doubles, summaries, differences. */
#ifndef KILN_SRC_TOOL_NUMBER_H
#define KILN_SRC_TOOL_NUMBER_H

#include "kiln/kernel.h"

size_t array_count(const kiln_array *array);
uint64_t array_bits(const kiln_array *array, size_t index);
double array_number(const kiln_array *array, size_t index);
bool dtype_is_float(kiln_dtype dtype);

/* Over the elements that are no NaN; of none, min, max and mean are NaN. */
typedef struct summary {
  double min, max, mean;
  uint64_t nans;
} summary;
summary array_summary(const kiln_array *array);

/* How far two arrays of one shape are apart. Two NaNs are equal, one is infinitely far. */
typedef struct difference {
  double largest;       /* absolute */
  uint64_t largest_ulp; /* in units of the last place; integers and bools: absolute */
  size_t where;         /* element of `largest` */
  uint64_t beyond;      /* elements further apart than `allowed` */
  double allowed;       /* the tolerance times the largest finite magnitude of the reference */
} difference;
difference array_difference(const kiln_array *reference, const kiln_array *other, double tolerance);
/* Of what differs only in rounding and order of sums: relative to the output's largest magnitude; 0 = bit for bit. */
double dtype_tolerance(kiln_dtype dtype);

#endif
