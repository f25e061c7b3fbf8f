/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_TAR_H
#define SCANNER_TAR_H
/*
 * tar - a strict reader of tar streams (ustar, GNU, PAX) that others have made.
 *
 * Where the size of an entry is told twice, the extended header decides, and the entry is
 * marked: readers that disagree on where an entry ends are how content is hidden.  A
 * malformed header is an error, never skipped.  Nothing is written anywhere; links are
 * names.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scanner/bounds.h"
#include "stream.h"

enum tar_kind { TAR_FILE, TAR_DIRECTORY, TAR_LINK, TAR_OTHER };

struct tar_entry {
	enum tar_kind kind;
	const char *name;  /* as it stands in the archive; borrowed until tar_next() */
	const char *link;  /* target, or "" */
	uint64_t size;     /* bytes that follow in the archive */
	uint64_t apparent; /* of a sparse file: with its holes */
	uint64_t offset;   /* of the data in the archive */
	bool doubtful;     /* its headers disagree on its size: others may see another
	                      archive from here on */
};

struct tar;

/** tar_open(in): reads from ${in}, which stays the caller's; NULL if out of memory. */
struct tar *tar_open(struct stream *in) MUST_CHECK;
/** tar_close(t): NULL is allowed. */
void tar_close(struct tar *t);
/** tar_next(t, entry): 1, 0 at the end, -1 and tar_why(). What is left of the entry
 * before is passed over. */
int tar_next(struct tar *t, struct tar_entry *entry) MUST_CHECK;
/** tar_data(t): the data of the entry as a stream, until tar_next(). */
struct stream *tar_data(struct tar *t);
/** tar_rest(t): all that follows, whatever it is, as a stream; after tar_next() has ended
 * or failed. */
struct stream *tar_rest(struct tar *t);
/** tar_skip_with(t, skip, ctx): let ${skip} pass over data that nobody reads (by
 * seeking); NULL: read it. */
void tar_skip_with(struct tar *t, int (*skip)(void *ctx, uint64_t n), void *ctx);
/** tar_why(t): what was wrong; a literal. */
const char *tar_why(const struct tar *t);
/** tar_looks(p, n): does it begin as a tar archive does?  Needs 512 bytes. */
bool tar_looks(const uint8_t *p, size_t n);

#endif
