/* SPDX-License-Identifier: Apache-2.0 */
#include "known.h"

#include <stdlib.h>

#include "arena.h"
#include "value.h"

#define PAGE_MAX ((size_t)64 * 1024 * 1024)
#define BITS     ((size_t)1 << LEAK_TAG_BITS)
#define BLOCK    2048u /* positions that are looked at together */
#define EDGE     LEAK_WINDOW

struct known {
	struct leak_key key;
	unsigned char pack[16];
	bool begun;
	struct leak_entry *entries; /* by tag, once it is ready */
	size_t n, room;
	size_t longest;
	uint64_t map[BITS / 64];       /* which tags there are */
	uint32_t first[BITS / 16 + 1]; /* entries by the upper bits of their tag */
};

struct known *known_new(struct err *e)
{
	struct known *k = calloc(1, sizeof(*k));

	if (k == NULL)
		(void)err_set(e, ERR_NOMEM, "out of memory");
	return k;
}

void known_free(struct known *k)
{
	if (k != NULL)
		free(k->entries);
	free(k);
}

size_t known_count(const struct known *k)
{
	return k->n;
}

size_t known_longest(const struct known *k)
{
	return k->longest;
}

static const struct value *bytes(const struct value *page, const char *name, size_t n)
{
	const struct value *v = value_get(page, name);

	return v != NULL && v->type == V_BYTES && (n == 0 || v->len == n) ? v : NULL;
}

static int grow(struct known *k, size_t more, struct err *e)
{
	struct leak_entry *p;

	if (more > KNOWN_MAX - k->n)
		return err_set(e, ERR_INVALID, "leak pack: more than %u values",
		               KNOWN_MAX);
	if (k->n + more <= k->room)
		return ERR_OK;
	p = realloc(k->entries, (k->n + more) * sizeof(*p));
	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	k->entries = p;
	k->room = k->n + more;
	return ERR_OK;
}

static int add_entries(struct known *k, const struct value *list, struct err *e)
{
	size_t n = list->len / LEAK_ENTRY;
	const unsigned char *p = (const unsigned char *)list->text;
	int rc;

	if (list->len % LEAK_ENTRY != 0)
		return err_set(e, ERR_INVALID, "leak pack: its entries are cut off");
	if (n > 0 && (rc = grow(k, n, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < n; i++, p += LEAK_ENTRY) {
		struct leak_entry *en = &k->entries[k->n];

		if (leak_entry_read(p, en) != 0)
			return err_set(e, ERR_INVALID, "leak pack: a value of %u bytes",
			               en->len);
		k->n++;
		k->longest = en->len > k->longest ? en->len : k->longest;
	}
	return ERR_OK;
}

int known_add(struct known *k, const void *page, size_t n, int64_t now_ms, struct err *e)
{
	AUTO_ARENA a = arena_new(PAGE_MAX);
	const struct value *pack, *key, *entries;
	struct value *v;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = value_decode(a, page, n, &v, e)) != ERR_OK)
		return rc;
	pack = bytes(v, "pack", sizeof(k->pack));
	key = bytes(v, "key", LEAK_KEY_BYTES);
	entries = bytes(v, "entries", 0);
	if (pack == NULL || key == NULL || entries == NULL)
		return err_set(e, ERR_INVALID, "leak pack: not a page of one");
	if (value_int_or(v, "expires_ms", 0) <= now_ms)
		return err_set(e, ERR_INVALID, "leak pack: it has expired");
	if (k->begun && memcmp(k->pack, pack->text, sizeof(k->pack)) != 0)
		return err_set(e, ERR_INVALID, "leak pack: pages of different packs");
	k->begun = true;
	memcpy(k->pack, pack->text, sizeof(k->pack));
	leak_key_read(&k->key, (const unsigned char *)key->text);
	return add_entries(k, entries, e);
}

static int by_tag(const void *x, const void *y)
{
	const struct leak_entry *a = x, *b = y;

	return a->tag < b->tag ? -1 : a->tag > b->tag;
}

static size_t slot(uint32_t tag)
{
	return tag / 16;
}

int known_ready(struct known *k, struct err *e)
{
	size_t at = 0;

	if (!k->begun)
		return err_set(e, ERR_INVALID, "leak pack: no page");
	if (k->n > 0)
		qsort(k->entries, k->n, sizeof(*k->entries), by_tag);
	for (size_t s = 0; s <= BITS / 16; s++) {
		while (at < k->n && slot(k->entries[at].tag) < s)
			at++;
		k->first[s] = (uint32_t)at;
	}
	for (size_t i = 0; i < k->n; i++)
		k->map[k->entries[i].tag / 64] |= 1ull << k->entries[i].tag % 64;
	return ERR_OK;
}

/* --- scanning -------------------------------------------------------------------------
 */

struct look {
	const struct known *k;
	const unsigned char *p;
	size_t n;
	bool last;
	known_fn fn;
	void *ctx;
};

/* The entries whose tag is that of the eight bytes at ${at}.  false: some need more bytes
 * than have come. */
static bool look_at(const struct look *l, size_t at, uint32_t tag)
{
	const struct known *k = l->k;
	unsigned char digest[LEAK_DIGEST];
	size_t end = k->first[slot(tag) + 1];

	if (!l->last)
		for (size_t i = k->first[slot(tag)]; i < end; i++)
			if (k->entries[i].tag == tag && at >= k->entries[i].anchor &&
			    k->entries[i].len > l->n - (at - k->entries[i].anchor))
				return false;
	for (size_t i = k->first[slot(tag)]; i < end; i++) {
		const struct leak_entry *en = &k->entries[i];

		if (en->tag != tag || at < en->anchor ||
		    en->len > l->n - (at - en->anchor))
			continue;
		leak_digest(&k->key, l->p + at - en->anchor, en->len, digest);
		if (memcmp(digest, en->digest, sizeof(digest)) == 0)
			l->fn(l->ctx, &(struct known_hit){
					      en->id, at - en->anchor, en->len,
					      (en->flags & LEAK_FLAG_CURRENT) != 0 });
	}
	return true;
}

/* Which of BLOCK positions from b[EDGE] on are smallest in some window; ${b} has EDGE
 * hashes before and after them.  Plain loops over bytes, which compilers turn into vector
 * instructions. */
__attribute__((optimize("O3"), target_clones("avx2", "default"))) static void smallest(
	const uint8_t *b, uint8_t *out)
{
	uint8_t m[BLOCK + 2 * EDGE], t[BLOCK + 2 * EDGE];
	const size_t n = BLOCK + 2 * EDGE;

	/* m[i]: the smallest of b[i] to b[i + 15], in four steps that double the width.
	 */
	memset(m, 0, sizeof(m));
	memset(t, 0, sizeof(t));
	for (size_t i = 0; i + 1 < n; i++)
		t[i] = b[i] < b[i + 1] ? b[i] : b[i + 1];
	for (size_t i = 0; i + 3 < n; i++)
		m[i] = t[i] < t[i + 2] ? t[i] : t[i + 2];
	for (size_t i = 0; i + 7 < n; i++)
		t[i] = m[i] < m[i + 4] ? m[i] : m[i + 4];
	for (size_t i = 0; i + 15 < n; i++)
		m[i] = t[i] < t[i + 8] ? t[i] : t[i + 8];
	/* And the largest of those for the 16 windows that a position is in. */
	for (size_t i = 0; i + 1 < n; i++)
		t[i] = m[i] > m[i + 1] ? m[i] : m[i + 1];
	for (size_t i = 0; i + 3 < n; i++)
		m[i] = t[i] > t[i + 2] ? t[i] : t[i + 2];
	for (size_t i = 0; i + 7 < n; i++)
		t[i] = m[i] > m[i + 4] ? m[i] : m[i + 4];
	for (size_t i = 0; i < BLOCK; i++) {
		uint8_t w = t[i + 1] > t[i + 9] ? t[i + 1] : t[i + 9];

		out[i] = w == b[i + EDGE];
	}
}

__attribute__((optimize("O3"), target_clones("avx2", "default"))) static void hashes(
	uint16_t select, const unsigned char *p, size_t n, uint8_t *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] =
			(uint8_t)((uint16_t)((uint16_t)(p[i] | p[i + 1] << 8) * select) >>
		                  8);
}

/* Hashes of the positions ${from} - EDGE to ${from} + BLOCK + EDGE; what is not there is
 * larger than all: no window over an edge is smaller for it. */
static void fill(const struct look *l, size_t from, uint8_t *b)
{
	size_t before = from < EDGE ? from : EDGE, start = from - before;
	size_t have = l->n - 1 - start, want = before + BLOCK + EDGE;

	memset(b, 0xff, BLOCK + 2 * EDGE);
	hashes((uint16_t)l->k->key.select, l->p + start, have < want ? have : want,
	       b + EDGE - before);
}

/* A bit for each of 64 bytes that are 0 or 1. */
static uint64_t bits_of(const uint8_t *p)
{
	uint64_t all = 0, eight;

	for (unsigned i = 0; i < 64; i += 8) {
		memcpy(&eight, p + i, sizeof(eight));
		all |= eight * 0x0102040810204080ull >> 56 << i;
	}
	return all;
}

/* Positions of those that stand out and whose tag there is; branches on what is random
 * would cost more than the rest. */
static size_t sift(const struct look *l, size_t from, const uint8_t *out, uint16_t *at)
{
	size_t n = 0, kept = 0;
	uint16_t all[BLOCK];
	uint32_t tag;

	for (unsigned g = 0; g < BLOCK; g += 64)
		for (uint64_t m = bits_of(out + g); m != 0; m &= m - 1)
			all[n++] = (uint16_t)(g + (unsigned)__builtin_ctzll(m));
	for (size_t i = 0; i < n; i++) {
		tag = leak_tag(&l->k->key, l->p + from + all[i]);
		at[kept] = all[i];
		kept += l->k->map[tag / 64] >> tag % 64 & 1;
	}
	return kept;
}

/* Looks at what stands out among ${n} positions from ${from} on; where it has to go on.
 */
static size_t look_at_block(const struct look *l, size_t from, size_t n)
{
	uint8_t b[BLOCK + 2 * EDGE], out[BLOCK];
	uint16_t at[BLOCK];
	size_t kept;

	fill(l, from, b);
	smallest(b, out);
	memset(out + n, 0, BLOCK - n);
	kept = sift(l, from, out, at);
	for (size_t i = 0; i < kept; i++)
		if (!look_at(l, from + at[i], leak_tag(&l->k->key, l->p + from + at[i])))
			return from + at[i];
	return from + n;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

size_t known_scan(const struct known *k, const unsigned char *p, size_t n, size_t from,
                  bool last, known_fn fn, void *ctx)
{
	const struct look l = { k, p, n, last, fn, ctx };
	/* A position is judged when all windows that it is in are there. */
	size_t need = last ? LEAK_GRAM : LEAK_WINDOW + LEAK_GRAM;
	size_t end = n >= need ? n - need + 1 : 0, count, next;

	while (k->n > 0 && from < end) {
		count = end - from < BLOCK ? end - from : BLOCK;
		next = look_at_block(&l, from, count);
		if (next != from + count)
			return next;
		from = next;
	}
	return from > end ? from : end;
}
