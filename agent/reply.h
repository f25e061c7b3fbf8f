/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_REPLY_H
#define AGENT_REPLY_H
/*
 * reply - reading the server's JSON, writing ours.
 *
 * Jansson's memory is wiped when it is freed: a login reply holds a token.  Values are
 * sealed in what passes here; they are opened elsewhere.
 */
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/** reply_init(): make jansson's memory wiping; once, before any other use. */
void reply_init(void);

/** reply_parse(text, len, e): a JSON object that the caller owns; NULL and ERR_INVALID if
 * it is none. */
json_t *reply_parse(const char *text, size_t len, struct err *e) MUST_CHECK;

/** reply_error(status, doc, e): turn an error reply into ${e} (the first of "errors",
 * printable, cut); returns its code. */
int reply_error(long status, const json_t *doc, struct err *e);

/** Members; ${o} may be NULL or no object. */
const char *reply_str(const json_t *o, const char *key);
int64_t reply_int(const json_t *o, const char *key, int64_t dflt);
/** reply_hex(o, key, out, n), reply_base64(): exactly ${n} bytes; 0, or -1. */
int reply_hex(const json_t *o, const char *key, void *out, size_t n) MUST_CHECK;
int reply_base64(const json_t *o, const char *key, void *out, size_t n) MUST_CHECK;

/** reply_set_hex(o, key, p, n), reply_set_base64(): add bytes as text (n <= 128); 0, or
 * -1. */
int reply_set_hex(json_t *o, const char *key, const void *p, size_t n) MUST_CHECK;
int reply_set_base64(json_t *o, const char *key, const void *p, size_t n) MUST_CHECK;

/** reply_text(o): compact text, to be wiped and freed by reply_text_free(). */
char *reply_text(const json_t *o) MUST_CHECK;
void reply_text_free(char *s);

#define AUTO_JSON __attribute__((cleanup(reply_auto_json))) json_t *
static inline void reply_auto_json(json_t **o)
{
	json_decref(*o);
}
#define AUTO_TEXT __attribute__((cleanup(reply_auto_text))) char *
static inline void reply_auto_text(char **s)
{
	reply_text_free(*s);
}

#endif
