/* SPDX-License-Identifier: Apache-2.0 */
/* told - a secret that stands in a blob as it is may be found again in what is decoded
 * from the same place, and in what is decoded otherwise: it is told once. */
#include <string.h>

#include "match/stream_impl.h"

#define ALIKE_LEAST 6u /* bytes of a secret */

static void remember(struct scan_stream *s, const struct told *one)
{
	s->told[s->told_n++ % TOLD_MAX] = *one;
}

/* Do both begin alike?  Up to what is written otherwise in one of them: %21, \u0021. */
static bool same_prefix(const struct told *a, const struct told *b)
{
	unsigned n = a->prefix_n < b->prefix_n ? a->prefix_n : b->prefix_n, i = 0;

	while (i < n && a->prefix[i] == b->prefix[i])
		i++;
	return i >= ALIKE_LEAST || i == n ||
	       (a->rule == b->rule && i > 0 && strchr("%\\&", a->prefix[i]) != NULL);
}

/* ${old} was told as the value that ${one} was decoded from, or as a part of the same
 * line that begins alike. */
static bool says_the_same(const struct told *old, const struct told *one)
{
	if (old->at >= one->at + one->n || one->at >= old->at + old->n)
		return false;
	if (same_prefix(old, one))
		return true;
	return !old->decoded && 2 * old->n >= one->n &&
	       (old->rule == one->rule || old->confidence >= one->confidence);
}

static bool told_already(const struct scan_stream *s, const struct told *one)
{
	size_t n = s->told_n < TOLD_MAX ? s->told_n : TOLD_MAX;

	for (size_t i = 0; i < n; i++)
		if (says_the_same(&s->told[i], one))
			return true;
	return false;
}

void told_before(struct scan_stream *s, const struct text *t)
{
	const struct text *root = t->in != NULL ? t->in : t;

	for (size_t i = 0; i < s->founds.n; i++) {
		struct found *f = &s->founds.v[i];
		struct told one = { root->offset + f->at,
			            f->n,
			            t->decoded != NULL,
			            f->verdict.confidence,
			            f->rule,
			            { 0 },
			            (unsigned)(f->n < TOLD_PREFIX ? f->n : TOLD_PREFIX) };

		if (f->verdict.drop != DROP_NONE)
			continue;
		if (t->decoded != NULL) {
			const struct decode_span *from = decode_origin(t->decoded, f->at);

			one.at = root->offset + from->at;
			one.n = from->len;
		}
		memcpy(one.prefix, t->p + f->at, one.prefix_n);
		if (t->decoded != NULL && told_already(s, &one))
			f->verdict.drop = DROP_OVERLAP;
		else
			remember(s, &one);
	}
}
