/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_NESTED_H
#define SCANNER_NESTED_H
/*
 * nested - archives that are not read by our own code: libarchive, with its formats and
 * filters named one by one (zip, 7-Zip, cpio, ar, RPM; bzip2, lz4).
 */
#include "scanner/bounds.h"
#include "stream.h"

struct nested;

/** nested_looks(p, n): is it one of them, by its first bytes? */
bool nested_looks(const uint8_t *p, size_t n);
/** nested_open(in, ratio): reads from ${in}, which stays the caller's; NULL if out of
 * memory.  What else is wrong is told by nested_next(). */
struct nested *nested_open(struct stream *in, uint64_t ratio) MUST_CHECK;
/** nested_close(z): NULL is allowed. */
void nested_close(struct nested *z);
/** nested_next(z, name): the next member: 1, 0 at the end, -1 and nested_why().  ${name}
 * is borrowed until then. */
int nested_next(struct nested *z, const char **name) MUST_CHECK;
/** nested_data(z): the data of a regular member as a stream; NULL: it has none, or is
 * encrypted (then ${why} is set). */
struct stream *nested_data(struct nested *z, const char **why);
const char *nested_why(const struct nested *z);

#endif
