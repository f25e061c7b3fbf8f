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
	struct leak_entry en = { .len = (uint32_t)t.lens[i], .flags = i & 1 };
	struct leak_key key;

	leak_key_read(&key, t.wire);
	memset(en.id, (int)i, sizeof(en.id));
	en.anchor = (uint8_t)leak_anchor(&key, t.values[i]);
	en.tag = leak_tag(&key, t.values[i] + en.anchor);
	leak_digest(&key, t.values[i], t.lens[i], en.digest);
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

static void setup(void)
{
	struct err e = { 0 };

	memset(&t, 0, sizeof(t));
	t.a = arena_new(16 << 20);
	t.k = known_new(&e);
	randombytes_buf(t.wire, sizeof(t.wire));
	for (unsigned i = 0; i < VALUES; i++) {
		t.lens[i] = LEAK_MIN + 8 + randombytes_uniform(150);
		randombytes_buf(t.values[i], t.lens[i]);
	}
	/* One that is like any text, and one that begins like another. */
	memset(t.values[0], ' ', LEAK_MIN);
	memcpy(t.values[1], t.values[2], LEAK_MIN);
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
			if (from > LEAK_WINDOW) {
				t.base += from - LEAK_WINDOW;
				from = LEAK_WINDOW;
			}
		}
		all_found();
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
	t.lens[3] = LEAK_MIN - 1;
	p = page(3, 4, NOW + 1, &n);
	refused(p, n, "a value of 23 bytes");
}
