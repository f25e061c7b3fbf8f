/* SPDX-License-Identifier: Apache-2.0 */
#include "pins.h"

#include <string.h>

#include "text.h"

#define PREFIX     "sha256//"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

bool pins_has(const struct pins *p, const unsigned char pin[32])
{
	for (size_t i = 0; i < p->n; i++)
		if (memcmp(p->pin[i], pin, 32) == 0)
			return true;
	return false;
}

bool pins_add_raw(struct pins *p, const unsigned char pin[32])
{
	if (pins_has(p, pin))
		return true;
	if (p->n == PINS_MAX)
		return false;
	memcpy(p->pin[p->n++], pin, 32);
	return true;
}

int pins_add(struct pins *p, const char *text, struct err *e)
{
	unsigned char pin[32];

	if (strncmp(text, PREFIX, PREFIX_LEN) != 0 ||
	    text_unbase64(text + PREFIX_LEN, strlen(text) - PREFIX_LEN, pin,
	                  sizeof(pin)) != (long)sizeof(pin))
		return err_set(
			e, ERR_INVALID,
			"'%.64s' is no pin: it must read sha256// and the base64 of 32 "
			"bytes",
			text);
	if (!pins_add_raw(p, pin))
		return err_set(e, ERR_FULL, "more than %u pins", PINS_MAX);
	return ERR_OK;
}

bool pins_equal(const struct pins *a, const struct pins *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (!pins_has(b, a->pin[i]))
			return false;
	return a->n == b->n;
}

void pins_format(const unsigned char pin[32], char out[PIN_TEXT_MAX])
{
	memcpy(out, PREFIX, PREFIX_LEN);
	text_base64(pin, 32, out + PREFIX_LEN);
}
