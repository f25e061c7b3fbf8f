/* SPDX-License-Identifier: Apache-2.0 */
/* decode_wide - texts in UTF-16 among other bytes, as programs for Windows hold them. */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "decode/decode_impl.h"

#define WIDE_MIN  8u /* characters: these hold 8 bytes in a row at any place */
#define WIDE_ODD  UINT64_C(0xff00ff00ff00ff00)
#define WIDE_EVEN UINT64_C(0x00ff00ff00ff00ff)

static bool printable(unsigned char c)
{
	return (c >= ' ' && c < 0x7f) || (c >= '\t' && c <= '\r');
}

/* Characters at ${at} and every other byte before it, none before ${from}: the first. */
static size_t first_of(const unsigned char *p, size_t from, size_t at)
{
	while (at >= from + 2 && p[at - 1] == 0 && printable(p[at - 2]))
		at -= 2;
	return at;
}

/* And after it: behind the last one. */
static size_t end_of(const unsigned char *p, size_t n, size_t at)
{
	while (at + 2 < n && p[at + 1] == 0 && printable(p[at + 2]))
		at += 2;
	return at + 1;
}

/* Where the text begins that may go on after ${n}; ${n} if there is none. */
static size_t open_text(const unsigned char *p, size_t n, size_t from)
{
	size_t first = n;

	for (size_t end = n; end > from && n - end < 2; end--)
		if (printable(p[end - 1])) {
			first = first_of(p, from, end - 1);
			break;
		}
	return n - first < DECODE_KEEP ? first : n;
}

/* Four characters in 8 bytes: 0 or 1, where the first one is; -1 if there are none. */
static int four(const unsigned char *p)
{
	uint64_t x;
	int k;

	memcpy(&x, p, sizeof(x));
	if ((x & WIDE_ODD) != 0 && (x & WIDE_EVEN) != 0)
		return -1;
	k = (x & WIDE_ODD) == 0 ? 0 : 1;
	for (int i = k; i < 8; i += 2)
		if (!printable(p[i]))
			return -1;
	return k;
}

/* Passes over 8 bytes after 8 in which neither every even byte is NUL nor every odd. */
static size_t pass(const unsigned char *p, size_t at, size_t n)
{
#ifdef __SSE2__
	for (; at + 16 <= n; at += 16) {
		const __m128i v =
			_mm_loadu_si128((const __m128i *)(const void *)(p + at));
		const unsigned nul = (unsigned)_mm_movemask_epi8(
			_mm_cmpeq_epi8(v, _mm_setzero_si128()));

		if ((nul & nul >> 2 & nul >> 4 & nul >> 6 & 0x0303) != 0)
			break;
	}
#else
	(void)p;
	(void)n;
#endif
	return at;
}

/* Adds the text to the others, on a line of its own. */
static void add(struct search *s, size_t first, size_t end)
{
	struct made *m = &s->level->run;
	size_t n = (end - first + 1) / 2;

	n = n < DECODE_PIECE ? n : DECODE_PIECE;
	if (m->spans_n == DECODE_SPANS || m->n + n + 1 > sizeof(m->p))
		decode_tell(s, m, "utf16");
	if (!decode_afford(s, n))
		return;
	m->spans[m->spans_n++] = (struct decode_span){ m->n, first, end - first };
	for (size_t i = 0; i < n; i++)
		m->p[m->n++] = s->p[first + 2 * i];
	m->p[m->n++] = '\n';
}

size_t decode_wide(struct decoder *d, const unsigned char *p, size_t n, size_t from,
                   bool last, decode_fn fn, void *ctx)
{
	struct search s = { .d = d,
		            .level = &d->level[0],
		            .p = p,
		            .n = n,
		            .last = last,
		            .depth = 1,
		            .fn = fn,
		            .ctx = ctx,
		            .hold = SIZE_MAX };
	const size_t next = last ? n : open_text(p, n, from);
	size_t at = from, first, end;
	int k;

	d->seen += n - from;
	while ((at = pass(p, at, n)) + 8 <= n) {
		k = four(p + at);
		if (k < 0) {
			at += 8;
			continue;
		}
		first = first_of(p, from, at + (size_t)k);
		end = end_of(p, n, at + (size_t)k);
		if (first < next && (end - first + 1) / 2 >= WIDE_MIN)
			add(&s, first, end);
		at = end > at + 8 ? end : at + 8;
	}
	decode_tell(&s, &s.level->run, "utf16");
	return next;
}
