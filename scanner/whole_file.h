/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_WHOLE_FILE_H
#define SCANNER_WHOLE_FILE_H
/* whole_file - files that the user of a scan names: rules, baselines, ignore files. */
#include <stddef.h>

#include "err.h"

/** whole_file(path, max, out, n, e): all of a regular file of at most ${max} bytes; *out
 * is free()d by the caller.  ERR_NOENT, ERR_INVALID, ERR_IO. */
int whole_file(const char *path, size_t max, char **out, size_t *n, struct err *e)
	MUST_CHECK;

#endif
