/* SPDX-License-Identifier: Apache-2.0 */
/* The lines around a place, which classes of bytes they have, and where words end. */
#include <criterion/criterion.h>
#include <string.h>

#include "match/skip.h"
#include "match/stream_impl.h"
#include "rules/rules.h"

TestSuite(lines, .timeout = 60);

static unsigned char bytes[40000];

/* Lines of ${lengths}, of which the last one has no end; how many bytes. */
static size_t fill(const size_t *lengths, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		memset(bytes + at, 'a' + (int)(i % 26), lengths[i]);
		at += lengths[i];
		if (i + 1 < n)
			bytes[at++] = '\n';
	}
	return at;
}

static void same(const struct line *kept, const struct text *t, size_t at, unsigned lines)
{
	const struct line none = { .known = false };
	const struct window a = lines_around(kept, t, at, lines, 3072);
	const struct window b = lines_around(&none, t, at, lines, 3072);

	cr_assert(a.from == b.from && a.to == b.to, "at %zu, %u lines", at, lines);
}

/* It makes no difference that the last line is kept, nor how long it is. */
Test(lines, kept_or_not)
{
	static const size_t lengths[] = { 0, 3, 0, 2046, 1,  2047, 2,    2048, 3,   2049,
		                          0, 0, 5, 9000, 40, 7,    1000, 2000, 300, 12 };
	struct text t = { .p = bytes,
		          .n = fill(lengths, sizeof(lengths) / sizeof(*lengths)) };
	struct line kept = { .known = false };
	unsigned known = 0;

	for (size_t at = 0; at < t.n; at += 1 + at % 3) {
		lines_find(&kept, &t, NULL, at);
		known += kept.known;
		cr_assert(!kept.known || (kept.w.from <= at && at <= kept.w.to));
		cr_assert(!kept.known || kept.w.to == t.n || bytes[kept.w.to] == '\n');
		cr_assert(!kept.known || kept.w.from == 0 ||
		          bytes[kept.w.from - 1] == '\n');
		for (unsigned lines = 0; lines < 7; lines++)
			same(&kept, &t, at, lines);
	}
	cr_assert_gt(known, 4000);
	lines_find(&kept, &t, NULL, t.n - 1);
	cr_assert(kept.known && kept.w.to == t.n);
	same(&kept, &t, 5, 2);
}

Test(lines, long_ones_are_not_kept)
{
	static const size_t lengths[] = { 5, 2048, 2049 };
	struct text t = { .p = bytes, .n = fill(lengths, 3) };
	struct line l = { .known = false };

	lines_find(&l, &t, NULL, 6 + 2000);
	cr_assert(l.known && l.w.from == 6 && l.w.to == 6 + 2048);
	lines_find(&l, &t, NULL, 6 + 2049);
	cr_assert_not(l.known);
	lines_find(&l, &t, NULL, t.n - 1);
	cr_assert_not(l.known);
}

static struct bytes set_of(const char *members)
{
	struct bytes b = { { 0 } };

	for (; *members != '\0'; members++)
		b.w[(unsigned char)*members / 64] |= UINT64_C(1)
		                                     << (unsigned char)*members % 64;
	return b;
}

Test(lines, classes_of_bytes)
{
	const struct bytes quote = set_of("\"'"), equals = set_of("=:"),
			   high = set_of("\xff");
	const struct bytes all = {
		{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}
	};
	struct classes c = { .n = 0 };
	const unsigned char text[] = "a='b\xff";

	cr_assert_eq(classes_add(&c, &quote), 1);
	cr_assert_eq(classes_add(&c, &equals), 2);
	cr_assert_eq(classes_add(&c, &high), 4);
	cr_assert_eq(classes_add(&c, &equals), 2, "it is known");
	cr_assert_eq(classes_add(&c, &all), 0, "says nothing");
	cr_assert_eq(classes_of(&c, text, 0), 0);
	cr_assert_eq(classes_of(&c, text, 1), 0);
	cr_assert_eq(classes_of(&c, text, 2), 2);
	cr_assert_eq(classes_of(&c, text, 3), 3);
	cr_assert_eq(classes_of(&c, text, 5), 7);
	cr_assert_eq(classes_of(&c, text + 2, 1), 1);
}

/* By vectors as byte by byte, of every length; what is no ASCII may say more. */
Test(lines, classes_of_many_bytes)
{
	struct classes c = { .n = 0 };
	unsigned char text[300];
	const struct bytes high = set_of("\x80");

	for (unsigned i = 0; i < CLASSES_MAX - 1; i++) {
		const char two[] = { (char)(2 * i + 1), (char)(127 - i), '\0' };
		const struct bytes b = set_of(two);

		cr_assert_neq(classes_add(&c, &b), 0);
	}
	cr_assert_neq(classes_add(&c, &high), 0);
	memset(text, 0, sizeof(text));
	for (unsigned round = 0; round < 128; round++)
		for (size_t n = 0; n <= 200; n += n < 70 ? 1 : 13) {
			const size_t at = round % 64,
				     k = n > 0 ? (size_t)round * 7 % n : 0;

			text[at + k] = (unsigned char)round;
			text[at + n] = 0x55; /* which is not looked at */
			cr_assert_eq(classes_of(&c, text + at, n),
			             classes_of_plain(&c, text + at, n), "%u of %zu",
			             round, n);
			text[at + k] = text[at + n] = 0;
		}
	memset(text, 'a', sizeof(text));
	text[100] = 0x80;
	cr_assert_eq(classes_of(&c, text, 200), classes_of_plain(&c, text, 200));
	text[100] = 0x81;
	cr_assert_eq(classes_of_plain(&c, text, 200) & ~classes_of(&c, text, 200), 0);
}

Test(lines, no_more_classes_than_bits)
{
	struct classes c = { .n = 0 };
	uint64_t all = 0;

	for (unsigned i = 0; i < 70; i++) {
		const char one[] = { (char)(1 + i), '\0' };
		const struct bytes b = set_of(one);
		const uint64_t bit = classes_add(&c, &b);

		cr_assert_eq(bit == 0, i >= CLASSES_MAX);
		all |= bit;
	}
	cr_assert_eq(all, UINT64_MAX);
}

static size_t skip(const struct bytes *set, const unsigned char *p, size_t n)
{
	size_t at = 0;

	while (at < n && rule_has_byte(set, p[at]))
		at++;
	return at;
}

/* Each byte, after each length of what is skipped. */
Test(lines, words_and_prose_are_skipped)
{
	unsigned char text[80];

	for (unsigned c = 0; c < 256; c++)
		for (size_t n = 1; n <= 70; n++) {
			for (size_t i = 0; i < n; i++)
				text[i] = (unsigned char)"aZ_9-.kq"[i % 8];
			text[n - 1] = (unsigned char)c;
			cr_assert_eq(skip_word(text, n), skip(&rule_word, text, n), "%u",
			             c);
			text[n / 2] = ' ';
			cr_assert_eq(skip_prose(text, n), skip(&rule_prose, text, n),
			             "%u", c);
		}
	cr_assert_eq(skip_word(text, 0), 0);
	cr_assert_eq(skip_prose(text, 0), 0);
}
