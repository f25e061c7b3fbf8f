/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tar_impl.h"

/* A record is "LENGTH KEY=VALUE\n", and LENGTH counts all of it. */
struct pax {
	const char *key, *value;
	size_t key_n, value_n;
};

/* The record at ${p}; its length, or 0. */
static size_t pax_record(const char *p, size_t n, struct pax *out)
{
	size_t len = 0, i = 0;
	const char *eq;

	for (; i < n && i < 8 && p[i] >= '0' && p[i] <= '9'; i++)
		len = len * 10 + (size_t)(p[i] - '0');
	if (i == 0 || i == n || p[i] != ' ' || len > n || len < i + 4 ||
	    p[len - 1] != '\n')
		return 0;
	out->key = p + i + 1;
	eq = memchr(out->key, '=', len - i - 2);
	if (eq == NULL || eq == out->key)
		return 0;
	out->key_n = (size_t)(eq - out->key);
	out->value = eq + 1;
	out->value_n = (size_t)(p + len - 1 - out->value);
	return len;
}

static bool key_is(const struct pax *x, const char *key)
{
	return strlen(key) == x->key_n && memcmp(key, x->key, x->key_n) == 0;
}

static int pax_number(struct tar *t, const struct pax *x, uint64_t *out, bool *have)
{
	uint64_t v = 0;

	if (x->value_n == 0 || x->value_n > 18)
		return tar_fail(t, "a size in an extended header is no number");
	for (size_t i = 0; i < x->value_n; i++) {
		if (x->value[i] < '0' || x->value[i] > '9')
			return tar_fail(t, "a size in an extended header is no number");
		v = v * 10 + (uint64_t)(x->value[i] - '0');
	}
	*out = v;
	*have = true;
	return 0;
}

static int pax_text(struct tar *t, const struct pax *x, char *out, bool *have)
{
	if (x->value_n > SCAN_TAR_NAME)
		return tar_fail(t, "a name is too long");
	if (memchr(x->value, '\0', x->value_n) != NULL)
		return tar_fail(t, "a name in an extended header holds a NUL");
	memcpy(out, x->value, x->value_n);
	out[x->value_n] = '\0';
	*have = x->value_n > 0; /* an empty value takes back what was said */
	return 0;
}

static int sparse_map(struct tar *t, const struct pax *x)
{
	unsigned commas = 0;

	for (size_t i = 0; i < x->value_n; i++)
		commas += x->value[i] == ',';
	return commas / 2 < SCAN_TAR_SPARSE
	               ? 0
	               : tar_fail(t, "a sparse member has too many regions");
}

static int pax_apply(struct tar *t, const struct pax *x)
{
	if (key_is(x, "path") || key_is(x, "GNU.sparse.name"))
		return pax_text(t, x, t->name, &t->have_name);
	if (key_is(x, "linkpath"))
		return pax_text(t, x, t->link, &t->have_link);
	if (key_is(x, "size"))
		return pax_number(t, x, &t->pax_size, &t->have_size);
	if (key_is(x, "GNU.sparse.realsize") || key_is(x, "GNU.sparse.size"))
		return pax_number(t, x, &t->pax_real, &t->have_real);
	if (key_is(x, "GNU.sparse.map"))
		return sparse_map(t, x);
	return 0;
}

static int pax_all(struct tar *t, const char *p, size_t n, bool global)
{
	while (n > 0) {
		struct pax x;
		size_t len = pax_record(p, n, &x);

		if (len == 0)
			return tar_fail(t, "an extended header is malformed");
		/* What would hold for all members that follow says nothing sensible about
		   a size or a name. */
		if (global && (key_is(&x, "size") || key_is(&x, "path")))
			return tar_fail(t, "a global header names one member");
		if (!global && pax_apply(t, &x) != 0)
			return -1;
		p += len;
		n -= len;
	}
	return 0;
}

/* GNU's long name: the text, with a NUL at its end. */
static int long_name(struct tar *t, const char *p, size_t n, char *out, bool *have)
{
	size_t len = strnlen(p, n);

	if (len == 0 || n - len > 1 || len > SCAN_TAR_NAME)
		return tar_fail(t, "a long name is malformed");
	memcpy(out, p, len);
	out[len] = '\0';
	*have = true;
	return 0;
}

static int take_text(struct tar *t, uint8_t type, char *text, size_t n)
{
	if ((n > 0 && tar_read(t, text, n) <= 0) ||
	    tar_pass(t, (TAR_BLOCK - n % TAR_BLOCK) % TAR_BLOCK) != 0)
		return -1;
	if (type == 'L')
		return long_name(t, text, n, t->name, &t->have_name);
	if (type == 'K')
		return long_name(t, text, n, t->link, &t->have_link);
	return pax_all(t, text, n, type == 'g');
}

int tar_extended(struct tar *t)
{
	int64_t size = tar_number(t->block + 124, 12);
	char *text;
	int r;

	if (size < 0)
		return tar_fail(t, "an extended header's size is no number");
	t->extended += (uint64_t)size + TAR_BLOCK;
	if (t->extended > SCAN_TAR_EXTENDED)
		return tar_fail(t, "too many bytes of extended headers");
	text = malloc((size_t)size + 1);
	if (text == NULL)
		return tar_fail(t, "out of memory");
	r = take_text(t, t->block[156], text, (size_t)size);
	free(text);
	return r;
}
