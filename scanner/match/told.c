/* SPDX-License-Identifier: Apache-2.0 */
/* told - a secret that stands in a blob as it is may be found again in what is decoded
 * from the same place, and in what is decoded otherwise: it is told once. */
#include <sodium.h>
#include <string.h>

#include "match/stream_impl.h"

#define ALIKE_LEAST 6u /* bytes of a secret */

static void remember(struct scan_stream *s, const struct told *one)
{
	s->told[s->told_n++ % TOLD_MAX] = *one;
}

static unsigned alike(const struct told *a, const struct told *b)
{
	unsigned n = a->prefix_n < b->prefix_n ? a->prefix_n : b->prefix_n, i = 0;

	while (i < n && a->prefix[i] == b->prefix[i])
		i++;
	return i;
}

/* Of one rule, and where they differ ${old} has what can be written otherwise: %21,
 * \u0021, &#33;.  Two secrets of one text are two. */
static bool spelled_otherwise(const struct told *old, const struct told *one, unsigned i)
{
	static const char marks[3] = { '%', '\\', '&' };

	return old->rule == one->rule && old->round != one->round && i > 0 &&
	       i < old->prefix_n && memchr(marks, old->prefix[i], sizeof(marks)) != NULL;
}

/* Are both the same secret?  Of the line that a decoded one comes from, one that stands
 * there as it is begins alike; of what was decoded, many secrets come from one place. */
static bool same_secret(const struct told *old, const struct told *one)
{
	unsigned i = alike(old, one);

	if (spelled_otherwise(old, one, i))
		return true;
	if (old->decoded)
		return memcmp(old->digest, one->digest, TOLD_DIGEST) == 0;
	return i >= ALIKE_LEAST || i == old->prefix_n || i == one->prefix_n;
}

/* ${old} was told as the value that the decoded ${one} comes from, or as a part of the
 * same line. */
static bool says_the_same(const struct told *old, const struct told *one)
{
	if (old->at >= one->at + one->n || one->at >= old->at + old->n)
		return false;
	if (same_secret(old, one))
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

	s->told_round++;
	for (size_t i = 0; i < s->founds.n; i++) {
		struct found *f = &s->founds.v[i];
		struct told one = {
			.at = root->offset + f->at,
			.n = f->n,
			.decoded = t->decoded != NULL,
			.confidence = f->verdict.confidence,
			.rule = f->rule,
			.round = s->told_round,
			.prefix_n = (unsigned)(f->n < TOLD_PREFIX ? f->n : TOLD_PREFIX),
		};

		if (f->verdict.drop != DROP_NONE)
			continue;
		if (t->decoded != NULL) {
			const struct decode_span *from = decode_origin(t->decoded, f->at);

			one.at = root->offset + from->at;
			one.n = from->len;
			crypto_generichash(one.digest, TOLD_DIGEST, t->p + f->at, f->n,
			                   s->options.key, sizeof(s->options.key));
		}
		memcpy(one.prefix, t->p + f->at, one.prefix_n);
		if (t->decoded != NULL && told_already(s, &one))
			f->verdict.drop = DROP_OVERLAP;
		else
			remember(s, &one);
	}
}
