/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_NET_JSON_H
#define SERVER_NET_JSON_H
/*
 * json - text to struct value and back, for request bodies and replies.
 *
 * The reader is strict: one document, no trailing bytes, UTF-8 only, no lone surrogates,
 * no duplicate keys, LIMIT_JSON_DEPTH, LIMIT_JSON_MEMBERS.  A number keeps its text.
 * Its messages name what is wrong and where, never what was there.  The writer fills a
 * growing buffer that is wiped when it grows and when it goes.
 */
#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "err.h"
#include "value.h"

/* Text under construction.  All zero is a valid empty buffer; failure is sticky. */
struct jbuf {
	char *p;
	size_t len;
	size_t cap;
	bool failed;
};

/** jbuf_room(b, more): make room for ${more} further bytes; false marks the buffer
 * failed. */
bool jbuf_room(struct jbuf *b, size_t more);

/** jbuf_add(b, p, n): append ${n} bytes. */
void jbuf_add(struct jbuf *b, const void *p, size_t n);

/** jbuf_free(b): wipe, release and empty. */
void jbuf_free(struct jbuf *b);

/** jbuf_lit(b, literal): append a string literal. */
#define jbuf_lit(b, literal) jbuf_add((b), (literal), sizeof(literal) - 1)

/**
 * json_parse(a, text, n, out, e): the tree of the ${n} bytes at ${text}, which must
 * outlive it (strings without escapes are not copied).  ERR_INVALID with a message in
 * Vault's form, "failed to decode JSON input: …", or ERR_NOMEM.
 */
int json_parse(struct arena *a, const char *text, size_t n, struct value **out,
               struct err *e) MUST_CHECK;

/** json_write(b, v): append ${v} as JSON; bytes become base64 in a string. */
void json_write(struct jbuf *b, const struct value *v);

/** json_write_str(b, s, n): append ${n} bytes of UTF-8 as a quoted JSON string. */
void json_write_str(struct jbuf *b, const char *s, size_t n);

#endif
