/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_BUILTIN_H
#define SCANNER_BUILTIN_H
/* builtin - the files of scanner/rules, embedded when the program is built. */
#include <stddef.h>

struct rules_file {
	const char *name, *text;
	size_t n;
};
extern const struct rules_file rules_files[]; /* ends with a NULL name */

#endif
