/* SPDX-License-Identifier: Apache-2.0 */
#include "cert_match.h"

#include <string.h>

#define HEX "hex:"

/* A name, or bytes that are read as lower-case hex. */
struct subject {
	const char *text;
	bool hex;
	size_t n; /* characters */
};

static char at(const struct subject *s, size_t i)
{
	unsigned byte;

	if (!s->hex)
		return s->text[i];
	byte = (unsigned char)s->text[i / 2];
	return "0123456789abcdef"[i % 2 == 0 ? byte >> 4 : byte & 15];
}

/* Of the stars met the last one alone may have to stand for more than was tried. */
static bool glob(const char *pattern, size_t pn, const struct subject *s)
{
	size_t p = 0, i = 0, star = pn, from = 0;

	while (i < s->n) {
		if (p < pn && pattern[p] == '*') {
			star = p++;
			from = i;
		} else if (p < pn && pattern[p] == at(s, i)) {
			p++;
			i++;
		} else if (star < pn) {
			p = star + 1;
			i = ++from;
		} else {
			return false;
		}
	}
	while (p < pn && pattern[p] == '*')
		p++;
	return p == pn;
}

bool cert_glob(const char *pattern, size_t pn, const char *s, size_t n)
{
	return glob(pattern, pn, &(struct subject){ s, false, n });
}

static bool matches(const struct value *pattern, const struct value *name)
{
	return cert_glob(pattern->text, pattern->len, name->text, name->len);
}

static bool one_matches(const struct value *patterns, const struct value *name)
{
	for (const struct value *p = patterns->first; p != NULL; p = p->next)
		if (matches(p, name))
			return true;
	return false;
}

static bool any_matches(const struct value *patterns, const struct value *names)
{
	for (const struct value *v = names->first; v != NULL; v = v->next)
		if (one_matches(patterns, v))
			return true;
	return false;
}

bool cert_required_split(const struct value *v, bool *hex, const char **oid,
                         size_t *oid_n, const char **pattern, size_t *pattern_n)
{
	const char *s = v->text, *end = v->text + v->len, *colon;

	*hex = v->len >= strlen(HEX) && memcmp(s, HEX, strlen(HEX)) == 0;
	if (*hex)
		s += strlen(HEX);
	if ((colon = memchr(s, ':', (size_t)(end - s))) == NULL)
		return false;
	*oid = s;
	*oid_n = (size_t)(colon - s);
	*pattern = colon + 1;
	*pattern_n = (size_t)(end - *pattern);
	return cert_oid_ok(*oid, *oid_n);
}

static bool has_extension(const struct value *required, const struct cert_client *k)
{
	const struct value *x, *v;
	const char *oid, *pattern;
	size_t oid_n, n;
	bool hex;

	if (!cert_required_split(required, &hex, &oid, &oid_n, &pattern, &n) ||
	    (x = cert_client_extension(k, oid, oid_n)) == NULL)
		return false;
	v = value_get(x, hex ? "value" : "text");
	if (hex)
		return glob(pattern, n, &(struct subject){ v->text, true, v->len * 2u });
	return v->type == V_STRING && cert_glob(pattern, n, v->text, v->len);
}

static bool has_extensions(const struct value *required, const struct cert_client *k)
{
	for (const struct value *v = required->first; v != NULL; v = v->next)
		if (!has_extension(v, k))
			return false;
	return true;
}

static bool meets_names(const struct value *patterns, const struct cert_client *k)
{
	return patterns->len == 0 || one_matches(patterns, k->common_name) ||
	       any_matches(patterns, k->dns_names) || any_matches(patterns, k->emails);
}

static bool meets(const struct value *patterns, const struct value *names)
{
	return patterns->len == 0 || any_matches(patterns, names);
}

static bool is_anchor(const struct cert_client *k, const struct value *digest)
{
	for (const struct value *v = k->anchors->first; v != NULL; v = v->next)
		if (memcmp(v->text, digest->text, 32) == 0)
			return true;
	return false;
}

bool cert_vouched(const struct cert_rules *u, const struct cert_client *k)
{
	for (const struct value *d = u->digests->first; d != NULL; d = d->next)
		if (is_anchor(k, d) && (u->ca || memcmp(d->text, k->sha256, 32) == 0))
			return true;
	return false;
}

bool cert_admits(const struct cert_rules *u, const struct cert_client *k)
{
	const struct value *cn = u->list[CERT_COMMON_NAMES];

	return cert_vouched(u, k) && meets_names(u->list[CERT_NAMES], k) &&
	       (cn->len == 0 || one_matches(cn, k->common_name)) &&
	       meets(u->list[CERT_DNS_SANS], k->dns_names) &&
	       meets(u->list[CERT_EMAIL_SANS], k->emails) &&
	       meets(u->list[CERT_URI_SANS], k->uris) &&
	       meets(u->list[CERT_UNITS], k->units) &&
	       has_extensions(u->list[CERT_REQUIRED_EXTENSIONS], k);
}
