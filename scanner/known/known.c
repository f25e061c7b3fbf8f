/* SPDX-License-Identifier: Apache-2.0 */
#include "known.h"

#include <stdlib.h>

#include "arena.h"
#include "known/winnow.h"
#include "value.h"

#define PAGE_MAX ((size_t)64 * 1024 * 1024)
#define BITS     ((size_t)1 << LEAK_TAG_BITS)
#define BLOCK    WINNOW_MAX /* positions that are looked at together */

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
			return err_set(e, ERR_INVALID,
			               "leak pack: a value of %u bytes, known by byte %u",
			               en->len, en->place);
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
	if (value_int_or(v, "format", 1) != LEAK_FORMAT)
		return err_set(e, ERR_INVALID,
		               "leak pack: made by another version of the vault");
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

/* Is what stands at ${p} this value?  Most of what only has its tag has its anchor
 * elsewhere, which is told faster than by the digest. */
static bool is(const struct known *k, const struct leak_entry *en, const unsigned char *p)
{
	unsigned char digest[LEAK_DIGEST];

	if (leak_place(&k->key, p, en->len) != en->place)
		return false;
	leak_digest(&k->key, p, en->len, digest);
	return memcmp(digest, en->digest, sizeof(digest)) == 0;
}

/* The entries whose tag is that of the eight bytes at ${at}.  false: some need more bytes
 * than have come. */
static bool look_at(const struct look *l, size_t at, uint32_t tag)
{
	const struct known *k = l->k;
	size_t end = k->first[slot(tag) + 1];

	if (!l->last)
		for (size_t i = k->first[slot(tag)]; i < end; i++)
			if (k->entries[i].tag == tag && at >= k->entries[i].place &&
			    k->entries[i].len > l->n - (at - k->entries[i].place))
				return false;
	for (size_t i = k->first[slot(tag)]; i < end; i++) {
		const struct leak_entry *en = &k->entries[i];

		if (en->tag == tag && at >= en->place &&
		    en->len <= l->n - (at - en->place) &&
		    is(k, en, l->p + at - en->place))
			l->fn(l->ctx, &(struct known_hit){
					      en->id, at - en->place, en->len,
					      (en->flags & LEAK_FLAG_CURRENT) != 0 });
	}
	return true;
}

/* Words with a bit set move to the front, with a zero after them; ${which} says where
 * they were. */
static size_t compact(uint64_t *bits, size_t words, uint8_t *which)
{
	size_t n = 0;

	for (size_t w = 0; w < words; w++) {
		bits[n] = bits[w];
		which[n] = (uint8_t)w;
		n += bits[w] != 0;
	}
	bits[n] = bits[n + 1] = 0;
	return n;
}

/* Looks at what stands out among ${n} positions from ${from} on, which is at ${p} with
 * what winnow() needs around; where it has to go on. */
static size_t look_at_block(const struct look *l, size_t from, size_t n,
                            const unsigned char *p)
{
	const struct known *k = l->k;
	size_t words = (n + 63) / 64;
	uint64_t bits[BLOCK / 64 + 2], word, next, rest;
	uint8_t which[BLOCK / 64 + 1];

	winnow((uint16_t)k->key.select, p, 64 * words, bits);
	if (n % 64 != 0)
		bits[words - 1] &= (1ull << n % 64) - 1;
	words = compact(bits, words, which);
	word = bits[0];
	next = bits[1];
	for (size_t i = 0; i < words;) {
		size_t at = 64u * which[i] + (unsigned)__builtin_ctzll(word);
		uint32_t tag = leak_tag(&k->key, p + at);

		/* How many bits a word has is random: a branch on it would cost more than
		 * the rest. */
		rest = word & (word - 1);
		word = __builtin_expect_with_probability(rest == 0, 1, 0.5) ? next : rest;
		i += rest == 0;
		next = bits[i + 1];
		if ((k->map[tag / 64] >> tag % 64 & 1) != 0 &&
		    !look_at(l, from + at, tag))
			return from + at;
	}
	return from + n;
}
_Static_assert(BLOCK / 64 < UINT8_MAX, "the number of a word is a byte");

/* The same near an end of the text, which is as good as a blank. */
static size_t look_at_edge(const struct look *l, size_t from, size_t n)
{
	unsigned char room[WINNOW_BEHIND + BLOCK + WINNOW_AHEAD];
	size_t before = from < WINNOW_BEHIND ? from : WINNOW_BEHIND;
	size_t after = l->n - from, most = sizeof(room) - WINNOW_BEHIND;

	memset(room, 0, sizeof(room));
	memcpy(room + WINNOW_BEHIND - before, l->p + from - before,
	       before + (after < most ? after : most));
	return look_at_block(l, from, n, room + WINNOW_BEHIND);
}

/* winnow() judges whole words of positions. */
static size_t look_at_some(const struct look *l, size_t from, size_t n)
{
	if (from >= WINNOW_BEHIND && l->n - from >= (n + 63) / 64 * 64 + WINNOW_AHEAD)
		return look_at_block(l, from, n, l->p + from);
	return look_at_edge(l, from, n);
}

size_t known_scan(const struct known *k, const unsigned char *p, size_t n, size_t from,
                  bool last, known_fn fn, void *ctx)
{
	const struct look l = { k, p, n, last, fn, ctx };
	/* A position is judged when all windows that it is in are there. */
	size_t need = last ? LEAK_GRAM : LEAK_RUN;
	size_t end = n >= need ? n - need + 1 : 0, count, next;

	while (k->n > 0 && from < end) {
		count = end - from < BLOCK ? end - from : BLOCK;
		next = look_at_some(&l, from, count);
		if (next != from + count)
			return next;
		from = next;
	}
	return from > end ? from : end;
}
