/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TEMPLATE_TMPL_NUMBER_H
#define AGENT_TEMPLATE_TMPL_NUMBER_H
/* tmpl_number - numbers read and written as Go does it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** tmpl_read_uint(p, n, base, out): digits of ${base} (2 to 16) alone, or with base 0 as
 * Go's source has them: 0x, 0o, 0b, 0, '_' between digits. */
bool tmpl_read_uint(const char *p, size_t n, unsigned base, uint64_t *out);
/** tmpl_read_int(p, n, base, out): the same with a sign. */
bool tmpl_read_int(const char *p, size_t n, unsigned base, int64_t *out);
/** tmpl_read_float(p, n, out): decimal, hexadecimal with 'p', inf, nan; false also if it
 * is out of range. */
bool tmpl_read_float(const char *p, size_t n, double *out);

#define TMPL_FLOAT_MAX 512 /* "%f" of the largest, with a NUL */

/** tmpl_float_digits(f, digits, exp): the fewest decimal digits, at most 17, that mean
 * the finite ${f} >= 0 and no other; 0.DIGITS * 10^exp; returns how many. */
unsigned tmpl_float_digits(double f, char digits[18], int *exp);

/** tmpl_write_float(f, format, min_exp, max_exp, out): in as few digits as will do;
 * ${format} 'e', 'f', or 'g': 'e' if the exponent is below ${min_exp} or at least
 * ${max_exp}.  Returns the length. */
size_t tmpl_write_float(double f, char format, int min_exp, int max_exp,
                        char out[TMPL_FLOAT_MAX]);
/** tmpl_write_g(f, out): as print does: exponents below -4 and from 6 on. */
static inline size_t tmpl_write_g(double f, char out[TMPL_FLOAT_MAX])
{
	return tmpl_write_float(f, 'g', -4, 6, out);
}

#endif
