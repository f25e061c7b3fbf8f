/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_PINS_H
#define AGENT_PINS_H
/*
 * pins - the keys by which the server is known: SHA-256 of the public key's DER form,
 * written "sha256//<base64>".  A set, because the next key is announced before it is
 * used.
 */
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define PINS_MAX     8u
#define PIN_TEXT_MAX 56u

struct pins {
	size_t n;
	unsigned char pin[PINS_MAX][32];
};

/** pins_add(p, text, e): parse and add; one that is there already is no error.
 * ERR_INVALID, ERR_FULL. */
int pins_add(struct pins *p, const char *text, struct err *e) MUST_CHECK;

/** pins_add_raw(p, pin): add 32 bytes; false if the set is full. */
bool pins_add_raw(struct pins *p, const unsigned char pin[32]);

/** pins_has(p, pin): is it one of the set? */
bool pins_has(const struct pins *p, const unsigned char pin[32]);

/** pins_equal(a, b): the same keys, in any order? */
bool pins_equal(const struct pins *a, const struct pins *b);

/** pins_format(pin, out): the text form. */
void pins_format(const unsigned char pin[32], char out[PIN_TEXT_MAX]);

#endif
