/* Special functions that the C library lacks, in double: what the cells of tile_ops.def call for every float type. */
#ifndef KILN_SRC_IR_EVAL_SPECIAL_H
#define KILN_SRC_IR_EVAL_SPECIAL_H

double special_erf_inv(double x);
double special_lgamma(double x); /* the C library's, which writes a global */
double special_digamma(double x);
double special_bessel_i0e(double x);
double special_bessel_i1e(double x);

#endif
