/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_PEM_H
#define SERVER_CORE_PEM_H
/*
 * pem - the blocks of a PEM text that an operator wrote.
 *
 * Text around the blocks is passed over.  A body is base64 with line breaks and nothing
 * else: no headers.
 */
#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "err.h"

struct pem_text {
	const char *p;
	size_t n;
};

struct pem_block {
	struct pem_text label; /* "CERTIFICATE"; empty if it does not end */
	struct pem_text body;
};

/** pem_next(in, out): take the next block off ${in}: 1; 0: there is none; -1: one begins
 * that does not end as it should (its label is in ${out}). */
int pem_next(struct pem_text *in, struct pem_block *out) MUST_CHECK;
/** pem_is(label, s): is the label ${s}? */
bool pem_is(struct pem_text label, const char *s);
/** pem_bytes(a, body, out, n, e): decode a body into ${a}.  ERR_INVALID (without a text
 * that would name what it should have been), ERR_NOMEM. */
int pem_bytes(struct arena *a, struct pem_text body, const unsigned char **out, size_t *n,
              struct err *e) MUST_CHECK;

#endif
