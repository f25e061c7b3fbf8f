/* SPDX-License-Identifier: Apache-2.0 */
/* decode: that the pass over all bytes leaves out nothing that could be encoded, with all
 * instructions that this processor has. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "cpu.h"
#include "decode/decode_impl.h"

TestSuite(decode_marks, .timeout = 20);

Test(decode_marks, what_begins_with_base64)
{
	static const struct {
		const char *bytes;
		size_t n;
	} heads[] = {
		{"password",            8},
		{ "\tkey",              4},
		{ "\r\nkey",            5},
		{ "\x1b[0m",            4},
		{ "a\xc3\xa4z",         4},
		{ "a\xe2\x82\xac",      4},
		{ "x=\xf0\x9f\x98\x80", 6},
		{ "k\0e\0y\0",          6},
		{ "\0k\0e\0y",          6},
		{ "\xff\xfek\0",        4},
		{ "\xff\xfe\x04\x04",   4},
		{ "\xfe\xff\0k",        4},
		{ "\xfe\xff\x04\x04",   4},
		{ "\xff\xfe\0\0k\0",    6},
		{ "\0\0\xfe\xff\0\0",   6},
		{ "\0\xe9\0k",          4},
		{ "\x1f\x8b\x08\0",     4},
		{ "\x78\x01\xab\0",     4},
		{ "\x78\x9c\xab\0",     4},
		{ "\x78\xda\xab\0",     4}
	};
	static struct decode_tables t;
	char out[16];

	decode_tables_fill(&t);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		for (unsigned url = 0; url < 2; url++) {
			sodium_bin2base64(
				out, sizeof(out), (const unsigned char *)heads[i].bytes,
				heads[i].n,
				url ? sodium_base64_VARIANT_URLSAFE_NO_PADDING
				    : sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
			cr_assert(decode_begins(&t.text, (unsigned char *)out), "%s",
			          out);
		}
	/* Words that text does not begin with. */
	cr_assert_not(decode_begins(&t.text, (const unsigned char *)"value"));
	cr_assert_not(decode_begins(&t.text, (const unsigned char *)"BEGIN"));
	cr_assert_not(decode_begins(&t.text, (const unsigned char *)"__init"));
	cr_assert_not(decode_begins(&t.text, (const unsigned char *)"YW Y"));
}

/* ${n} bytes of a text: ASCII, and characters of two to four bytes. */
static void utf8_text(unsigned char *p, size_t n)
{
	static const char *const some[] = { "a",
		                            "Z",
		                            "~",
		                            " ",
		                            "\t",
		                            "\n",
		                            "\x1b",
		                            "ä",
		                            "я",
		                            "\xe2\x82\xac",
		                            "\xf0\x9f\x98\x80" };
	size_t i = 0;

	p[i++] = (unsigned char)(' ' + randombytes_uniform(0x5f));
	while (i < n) {
		const char *c = some[randombytes_uniform(11)];

		for (; *c != '\0' && i < n; c++)
			p[i++] = (unsigned char)*c;
	}
}

static bool begins(const unsigned char *p, size_t n)
{
	static struct decode_tables t;
	char out[64];

	if (t.is['0'] == 0)
		decode_tables_fill(&t);
	sodium_bin2base64(out, sizeof(out), p, n,
	                  sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	return decode_begins(&t.text, (unsigned char *)out) &&
	       decode_begins_text(&t.long_text, (unsigned char *)out);
}

Test(decode_marks, what_goes_on_as_text_does)
{
	static const char *const no[] = { "a\xc3x", "a\xbf", "abc\x07z", "abc\x80z",
		                          "abcd\xe2z" };
	unsigned char p[16];

	for (unsigned i = 0; i < 20000; i++) {
		utf8_text(p, sizeof(p));
		cr_assert(begins(p, sizeof(p)), "%.16s", (const char *)p);
	}
	cr_assert(begins((const unsigned char *)"k\0e\0y\0=\0", 8));
	cr_assert(begins((const unsigned char *)"\x3a\x04k\0e\0y\0", 8));
	cr_assert(begins((const unsigned char *)"\0k\0e\0y\0=", 8));
	cr_assert(begins((const unsigned char *)"\x1f\x8b\x08\0\0\xff\xff\xff", 8));
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++) {
		memset(p, 'x', sizeof(p));
		memcpy(p, no[i], strlen(no[i]));
		cr_assert_not(begins(p, sizeof(p)), "%zu", i);
	}
}

static void random_text(unsigned char *text, size_t n, bool any)
{
	static const char some[] = "aZ09+/-_ \n\t\r\"'\\%&.~\xff";
	size_t run = 0;
	bool base64 = false;

	for (size_t i = 0; i < n; i++) {
		/* Now and then something as long as what is encoded. */
		if (run == 0 && randombytes_uniform(40) == 0) {
			run = randombytes_uniform(60);
			base64 = randombytes_uniform(2);
		}
		if (any)
			text[i] = (unsigned char)randombytes_uniform(256);
		else if (run == 0)
			text[i] = (unsigned char)some[randombytes_uniform(20)];
		else if (base64)
			text[i] = (unsigned char)"aGVsbG8gd29ybGQh"[i % 16];
		else
			text[i] = (unsigned char)"0123456789abcdef"[randombytes_uniform(
				16)];
		run -= run > 0;
	}
}

/* All that one way finds, another finds too. */
static void has_all(const uint64_t *more, const uint64_t *less, size_t n,
                    const char *what)
{
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(less[i] & ~more[i], 0, "%s: block %zu", what, i);
}

#define BLOCKS (DECODE_BLOCKS + 1)

static void same_marks(const struct marks *v, const struct marks *plain, bool exact)
{
	cr_assert_arr_eq(v->run, plain->run, sizeof(plain->run));
	cr_assert_arr_eq(v->digit, plain->digit, sizeof(plain->digit));
	cr_assert_arr_eq(v->lower, plain->lower, sizeof(plain->lower));
	cr_assert_arr_eq(v->mixed, plain->mixed, sizeof(plain->mixed));
	cr_assert_arr_eq(v->hex, plain->hex, sizeof(plain->hex));
	has_all(v->text, plain->text, BLOCKS, "text");
	has_all(plain->text, v->text, BLOCKS, "text too many");
	has_all(v->worth, plain->worth, DECODE_BLOCKS, "worth");
	has_all(plain->worth, v->worth, DECODE_BLOCKS, "worth too many");
	cr_assert_eq(plain->busy & ~v->busy, 0, "busy");
	if (!exact)
		return;
	has_all(plain->line, v->line, BLOCKS, "line too many");
	cr_assert_eq(v->busy, plain->busy);
}

/* No mark that may count is left out. */
static void no_line_is_missed(const struct decoder *d, const struct marks *m,
                              const unsigned char *text, size_t n)
{
	for (size_t i = 0; i + 3 <= n && i < (size_t)64 * DECODE_BLOCKS; i++)
		if (text[i] != 0 && strchr("\\%&\"'", text[i]) != NULL &&
		    decode_may_count(&d->tables, text, n, i))
			cr_assert(m->line[i / 64] >> i % 64 & 1, "%zu of %zu: %.3s", i, n,
			          (const char *)text + i);
}

/* No run that may be encoded is left out: one of its bytes in the block that it begins in
 * says that it is worth it. */
static bool is_missed(const struct search *s, const struct marks *m, size_t at, size_t n)
{
	const uint64_t first = n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;

	return n >= DECODE_RUN_MIN && at + n < s->n &&
	       (m->worth[at / 64] & first << at % 64) == 0 && decode_may_hold(s, at, n);
}

static void no_run_is_missed(struct decoder *d, const struct marks *m,
                             const unsigned char *text, size_t n)
{
	const struct search s = { .d = d, .p = text, .n = n };
	bool missed = false;
	size_t some;

	for (size_t i = 0; i < n && i < (size_t)64 * DECODE_BLOCKS; i += some + 1) {
		some = decode_run_length(text + i, n - i);
		missed |= is_missed(&s, m, i, some);
	}
	cr_assert_not(missed);
}

Test(decode_marks, marks_of_all_bytes)
{
	static struct marks plain, other;
	const enum cpu best = cpu_best();
	unsigned char text[64 * (DECODE_BLOCKS + 3)];
	struct decoder *d = decoder_new();

	cr_assert(d != NULL);
	for (unsigned round = 0; round < 400; round++) {
		const size_t n = randombytes_uniform(sizeof(text));

		random_text(text, sizeof(text), round % 2);
		cpu_limit(CPU_PLAIN);
		decode_marks(&d->tables, text, n, &plain);
		no_line_is_missed(d, &plain, text, n);
		no_run_is_missed(d, &plain, text, n);
		for (enum cpu way = CPU_AVX2; way <= best; way++) {
			cpu_limit(way);
			decode_marks(&d->tables, text, n, &other);
			same_marks(&other, &plain, way == CPU_VBMI);
			no_line_is_missed(d, &other, text, n);
			no_run_is_missed(d, &other, text, n);
		}
	}
	decoder_free(d);
}

/* What base64 says is what was said, in one alphabet or both; no more is written. */
Test(decode_marks, what_base64_says)
{
	unsigned char said[300], got[301], plain[301];
	char text[500];

	for (size_t n = 0; n <= sizeof(said); n++) {
		const unsigned char after = (unsigned char)(n * 7);
		size_t len;

		randombytes_buf(said, n);
		sodium_bin2base64(text, sizeof(text), said, n,
		                  n % 2 == 0 ? sodium_base64_VARIANT_ORIGINAL_NO_PADDING
		                             : sodium_base64_VARIANT_URLSAFE_NO_PADDING);
		len = strlen(text);
		got[n] = plain[n] = after;
		for (char *c = text + len / 2; *c != '\0'; c++)
			*c = *c == '/' ? '_' : *c == '+' ? '-' : *c;
		cr_assert_eq(decode_base64((unsigned char *)text, len, got), n);
		cr_assert_eq(memcmp(got, said, n), 0, "%zu bytes", n);
		cr_assert_eq(got[n], after, "%zu bytes", n);
		cr_assert_eq(decode_base64_plain((unsigned char *)text, len, plain), n);
		cr_assert_eq(memcmp(plain, said, n), 0, "%zu bytes", n);
		cr_assert_eq(plain[n], after, "%zu bytes", n);
		/* A character too many says nothing. */
		if (len % 4 == 0)
			cr_assert_eq(decode_base64((unsigned char *)"Zm9vYmFyZ", 9, got),
			             6);
	}
}
