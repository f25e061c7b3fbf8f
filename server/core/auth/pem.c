/* SPDX-License-Identifier: Apache-2.0 */
#include "pem.h"

#include <string.h>

#include "text.h"

#define BEGIN "-----BEGIN "
#define END   "-----END "
#define RULE  "-----"

static void skip(struct pem_text *in, size_t n)
{
	in->p += n;
	in->n -= n;
}

/* The text before ${what} is taken off ${in} with it; false if it is not there. */
static bool take_to(struct pem_text *in, const char *what, struct pem_text *before)
{
	const char *at = memmem(in->p, in->n, what, strlen(what));

	if (at == NULL)
		return false;
	before->p = in->p;
	before->n = (size_t)(at - in->p);
	skip(in, before->n + strlen(what));
	return true;
}

static bool same(struct pem_text a, struct pem_text b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

int pem_next(struct pem_text *in, struct pem_block *out)
{
	struct pem_text around, label;

	out->label = out->body = (struct pem_text){ "", 0 };
	if (!take_to(in, BEGIN, &around))
		return 0;
	if (!take_to(in, RULE, &out->label) || !take_to(in, END, &out->body) ||
	    !take_to(in, RULE, &label))
		return -1;
	return same(label, out->label) ? 1 : -1;
}

bool pem_is(struct pem_text label, const char *s)
{
	return same(label, (struct pem_text){ s, strlen(s) });
}

static bool is_space(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

int pem_bytes(struct arena *a, struct pem_text body, const unsigned char **out, size_t *n,
              struct err *e)
{
	char *packed = arena_alloc(a, body.n + 1);
	unsigned char *der = arena_alloc(a, body.n + 1);
	size_t len = 0;
	long got;

	if (packed == NULL || der == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < body.n; i++)
		if (!is_space(body.p[i]))
			packed[len++] = body.p[i];
	got = text_unbase64(packed, len, der, body.n);
	if (got <= 0)
		return err_set(e, ERR_INVALID, "no base64");
	*out = der;
	*n = (size_t)got;
	return ERR_OK;
}
