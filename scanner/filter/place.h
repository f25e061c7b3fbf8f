/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_PLACE_H
#define SCANNER_PLACE_H
/*
 * place - the paths of findings as baselines and ignore files name them: the same for one
 * file, however it was named on the command line.
 */
#include <stdbool.h>
#include <stddef.h>

#define PLACE_MAX 16384u

/** place_absolute(cwd, path, out, cap): ${path} from the root, without ".", ".." and
 * double slashes; links are not looked at.  false: it does not fit. */
bool place_absolute(const char *cwd, const char *path, char *out, size_t cap);
/** place_below(dir, path): both absolute as above: what of ${path} is below ${dir}, or
 * NULL. */
const char *place_below(const char *dir, const char *path);

/** glob_match(pattern, path): all of ${path}; '*' and '?' and sets stop at slashes, a
 * part that is two stars stands for any parts. */
bool glob_match(const char *pattern, const char *path);

#endif
