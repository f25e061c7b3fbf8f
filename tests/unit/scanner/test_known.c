/* SPDX-License-Identifier: Apache-2.0 */
/* The vault's own values in what is scanned, whole and in pieces. */
#include <criterion/criterion.h>
#include <sodium.h>

#include "arena.h"
#include "scanner/known/known.h"
#include "value.h"

#define NOW    1700000000000
#define VALUES 40
#define TEXT   20000

static struct {
	struct known *k;
	struct arena *a;
	unsigned char wire[LEAK_KEY_BYTES];
	unsigned char values[VALUES][200];
	size_t lens[VALUES];
	unsigned char text[TEXT];
	size_t found[VALUES]; /* how often */
	size_t base;          /* of the buffer in the text */
	size_t wrong;
} t;

static void entry_of(unsigned i, unsigned char out[LEAK_ENTRY])
{
	struct leak_entry en = { .flags = i & 1 };
	struct leak_key key;

	leak_key_read(&key, t.wire);
	memset(en.id, (int)i, sizeof(en.id));
	cr_assert_eq(leak_entry_of(&key, t.values[i], t.lens[i], &en), 0);
	leak_entry_write(&en, out);
}

static unsigned char *page(unsigned from, unsigned to, int64_t expires, size_t *n)
{
	struct value *v = value_object(t.a);
	unsigned char *entries = arena_alloc(t.a, (to - from + 1) * LEAK_ENTRY);

	for (unsigned i = from; i < to; i++)
		entry_of(i, entries + (i - from) * LEAK_ENTRY);
	value_set_bytes(t.a, v, "pack", t.wire, 16);
	value_set_bytes(t.a, v, "key", t.wire, sizeof(t.wire));
	value_set_int(t.a, v, "expires_ms", expires);
	value_set_int(t.a, v, "format", LEAK_FORMAT);
	value_set_bytes(t.a, v, "entries", entries, (to - from) * LEAK_ENTRY);
	return value_pack(t.a, v, n);
}

static void add(unsigned from, unsigned to)
{
	struct err e = { 0 };
	size_t n;
	unsigned char *p = page(from, to, NOW + 1, &n);

	cr_assert_eq(known_add(t.k, p, n, NOW, &e), ERR_OK, "%s", e.msg);
}

/* Any bytes, or those of a token; with white space and NULs before and behind a run. */
static void make_value(unsigned i)
{
	unsigned char *p = t.values[i];
	static const unsigned char some[] = " \t\r\n\0ab";
	size_t blanks = i % 3 == 0 ? randombytes_uniform(40) : 0;

	t.lens[i] = blanks + LEAK_RUN + randombytes_uniform(120);
	randombytes_buf(p, t.lens[i]);
	for (size_t at = 0; at < blanks; at++)
		p[at] = some[randombytes_uniform(sizeof(some) - 1)];
	for (size_t at = blanks; at < t.lens[i]; at++)
		if (i % 2 == 0 || (at < blanks + LEAK_RUN && !leak_solid(p[at])))
			p[at] = (unsigned char)('a' + p[at] % 26);
}

static void setup(void)
{
	struct err e = { 0 };

	memset(&t, 0, sizeof(t));
	t.a = arena_new(16 << 20);
	t.k = known_new(&e);
	randombytes_buf(t.wire, sizeof(t.wire));
	for (unsigned i = 0; i < VALUES; i++)
		make_value(i);
	/* One that begins like any text, one that begins like another, the shortest, and
	 * one that is the same byte as far as its anchor. */
	t.lens[0] = 2 * LEAK_RUN;
	memset(t.values[0], ' ', LEAK_RUN);
	memset(t.values[0] + LEAK_RUN, 'z', LEAK_RUN - 1);
	t.values[0][2 * LEAK_RUN - 1] = 'y';
	make_value(2);
	t.lens[2] += 8;
	memcpy(t.values[1], t.values[2], LEAK_RUN);
	t.lens[1] = t.lens[1] < 2 * LEAK_RUN ? 2 * LEAK_RUN : t.lens[1];
	t.lens[4] = LEAK_RUN;
	memset(t.values[7], '-', LEAK_RUN);
}

static void teardown(void)
{
	known_free(t.k);
	arena_free(t.a);
}

TestSuite(known, .init = setup, .fini = teardown, .timeout = 60);

static void hit(void *ctx, const struct known_hit *h)
{
	unsigned i = h->id[0];

	(void)ctx;
	t.wrong += h->len != t.lens[i] || h->current != (bool)(i & 1) ||
	           memcmp(t.text + t.base + h->at, t.values[i], h->len) != 0;
	t.found[i]++;
}

static void load(void)
{
	struct err e = { 0 };

	add(0, VALUES / 2);
	add(VALUES / 2, VALUES);
	cr_assert_eq(known_ready(t.k, &e), ERR_OK);
	cr_assert_eq(known_count(t.k), VALUES);
}

/* The text of spaces, letters or noise, with every value in it ${times} times; adjacent,
 * at the beginning and at the end. */
static void plant(int kind)
{
	size_t at = 0, gap;

	for (size_t i = 0; i < TEXT; i++)
		t.text[i] = kind == 0   ? ' '
		            : kind == 1 ? (unsigned char)('a' + randombytes_uniform(26))
		                        : (unsigned char)randombytes_uniform(256);
	for (unsigned i = 0; i < VALUES; i++) {
		memcpy(t.text + at, t.values[i], t.lens[i]);
		gap = randombytes_uniform(3) == 0 ? 0 : randombytes_uniform(200);
		at += t.lens[i] + gap;
		cr_assert_lt(at + 400, TEXT);
	}
	memcpy(t.text + TEXT - t.lens[5], t.values[5], t.lens[5]);
}

static void all_found(void)
{
	cr_assert_eq(t.wrong, 0);
	for (unsigned i = 0; i < VALUES; i++)
		cr_assert_eq(t.found[i], 1u + (i == 5), "value %u of %zu bytes: %zu", i,
		             t.lens[i], t.found[i]);
}

Test(known, whole)
{
	load();
	for (int kind = 0; kind < 3; kind++) {
		memset(t.found, 0, sizeof(t.found));
		plant(kind);
		cr_assert_geq(known_scan(t.k, t.text, TEXT, 0, true, hit, NULL),
		              TEXT - 8);
		all_found();
	}
}

/* As a stream does it: a buffer that slides, with pieces of any size. */
Test(known, in_pieces)
{
	load();
	for (int round = 0; round < 60; round++) {
		size_t end = 0, from = 0;

		memset(t.found, 0, sizeof(t.found));
		t.base = 0;
		plant(round % 3);
		while (end < TEXT) {
			end += 1 + randombytes_uniform(round % 2 ? 40 : 3000);
			end = end < TEXT ? end : TEXT;
			from = known_scan(t.k, t.text + t.base, end - t.base, from,
			                  end == TEXT, hit, NULL);
			if (from > KNOWN_BEHIND) {
				t.base += from - KNOWN_BEHIND;
				from = KNOWN_BEHIND;
			}
		}
		all_found();
	}
}

/* Alone in a text, at every place around the edges of what is looked at together. */
static void alone_at(size_t at, size_t n)
{
	for (unsigned i = 0; i < VALUES; i++) {
		unsigned char kept[sizeof(t.values[0])];

		if (at + t.lens[i] > n)
			continue;
		memset(t.found, 0, sizeof(t.found));
		memcpy(kept, t.text + at, t.lens[i]);
		memcpy(t.text + at, t.values[i], t.lens[i]);
		known_scan(t.k, t.text, n, 0, true, hit, NULL);
		memcpy(t.text + at, kept, t.lens[i]);
		cr_assert_eq(t.found[i], 1, "value %u of %zu bytes at %zu of %zu", i,
		             t.lens[i], at, n);
	}
	cr_assert_eq(t.wrong, 0);
}

Test(known, at_every_place)
{
	static const char fill[] = { ' ', 'x', '\0' };

	load();
	for (size_t f = 0; f < sizeof(fill); f++) {
		memset(t.text, fill[f], TEXT);
		for (size_t at = 0; at < 200; at++)
			alone_at(at, 400);
		for (size_t at = 1950; at < 2100; at++)
			alone_at(at, 5000);
		for (size_t at = 3950; at < 4200; at++)
			alone_at(at, 5000);
		for (size_t n = 200; n < 300; n++)
			alone_at(n - t.lens[n % VALUES], n);
	}
}

/* For sanitizers: texts that end, and begin, where their memory does. */
Test(known, nothing_else_is_read)
{
	static const size_t sizes[] = { 0,  1,  7,  8,  22,   27,   28,
		                        63, 64, 65, 91, 4096, 4122, 9000 };

	load();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t n = sizes[i];
		unsigned char *p = malloc(n);

		memset(p, 'x', n);
		for (size_t from = 0; from <= n && from < 70; from++) {
			cr_assert_geq(known_scan(t.k, p, n, from, true, hit, NULL), from);
			cr_assert_geq(known_scan(t.k, p, n, from, false, hit, NULL),
			              from);
		}
		free(p);
	}
}

Test(known, nothing_is_found_where_nothing_is)
{
	load();
	for (int round = 0; round < 20; round++) {
		randombytes_buf(t.text, TEXT);
		for (size_t n = 0; n < 60; n++)
			known_scan(t.k, t.text, n, 0, true, hit, NULL);
		known_scan(t.k, t.text, TEXT, 0, true, hit, NULL);
	}
	for (unsigned i = 0; i < VALUES; i++)
		cr_assert_eq(t.found[i], 0);
	/* All but its last byte. */
	memset(t.text, 'x', TEXT);
	memcpy(t.text + 100, t.values[7], t.lens[7] - 1);
	t.text[100 + t.lens[7] - 1] = (unsigned char)(t.values[7][t.lens[7] - 1] ^ 1);
	known_scan(t.k, t.text, TEXT, 0, true, hit, NULL);
	cr_assert_eq(t.found[7], 0);
}

Test(known, an_empty_pack_finds_nothing)
{
	struct err e = { 0 };

	add(0, 0);
	cr_assert_eq(known_ready(t.k, &e), ERR_OK);
	cr_assert_eq(known_longest(t.k), 0);
	cr_assert_eq(known_scan(t.k, t.text, TEXT, 0, false, hit, NULL),
	             TEXT - LEAK_MIN + 1);
}

static void refused(const void *p, size_t n, const char *why)
{
	struct err e = { 0 };

	cr_assert_eq(known_add(t.k, p, n, NOW, &e), ERR_INVALID);
	cr_assert(strstr(e.msg, why) != NULL, "%s", e.msg);
}

/* One byte of the entry that is last in the page is another. */
static void refused_entry(const unsigned char *page, size_t n, size_t at,
                          unsigned char byte, const char *why)
{
	unsigned char entry[LEAK_ENTRY], *copy = arena_alloc(t.a, n), *found;

	entry_of(3, entry);
	memcpy(copy, page, n);
	found = memmem(copy, n, entry, sizeof(entry));
	cr_assert_not_null(found);
	found[at] = byte;
	refused(copy, n, why);
}

Test(known, pages_that_are_refused)
{
	struct err e = { 0 };
	size_t n;
	unsigned char *p;
	struct value *v = value_object(t.a);

	cr_assert_eq(known_ready(t.k, &e), ERR_INVALID, "no page");
	p = page(0, 2, NOW, &n);
	refused(p, n, "expired");
	p = page(0, 2, NOW + 1, &n);
	refused(p, n - 1, "");
	p = value_pack(t.a, v, &n);
	refused(p, n, "not a page");
	add(0, 2);
	t.wire[0] ^= 1;
	p = page(2, 3, NOW + 1, &n);
	refused(p, n, "different packs");
	t.wire[0] ^= 1;
	p = page(3, 4, NOW + 1, &n);
	refused_entry(p, n, LEAK_ID, 0xff, "a value of 4278190");
	refused_entry(p, n, LEAK_ID + 4, 0xff, "known by byte 65");
	value_set_bytes(t.a, v, "pack", t.wire, 16);
	value_set_bytes(t.a, v, "key", t.wire, sizeof(t.wire));
	value_set_int(t.a, v, "expires_ms", NOW + 1);
	value_set_bytes(t.a, v, "entries", t.wire, 0);
	p = value_pack(t.a, v, &n);
	refused(p, n, "another version");
}
