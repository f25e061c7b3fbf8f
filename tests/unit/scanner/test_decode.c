/* SPDX-License-Identifier: Apache-2.0 */
/* decode: what each encoding yields, bounds, and that no cut of the stream matters. */
#include <criterion/criterion.h>
#include <isa-l/igzip_lib.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode_impl.h"
#include "decode/transcode.h"
#include "text.h"

TestSuite(decode, .timeout = 20);

#define OUT (1u << 20)

/* All that was told: "how@at+len|text\n", sorted by nothing. */
struct told {
	char *text;
	size_t n, texts, deepest, base;
};

static void on_text(void *ctx, const struct decoded *d)
{
	struct told *t = ctx;
	const struct decode_span *s = decode_origin(d, d->n - 1);

	cr_assert_eq(d->spans[0].text, 0);
	for (size_t i = 1; i < d->spans_n; i++)
		cr_assert_lt(d->spans[i - 1].text, d->spans[i].text);
	t->texts++;
	t->deepest = d->depth > t->deepest ? d->depth : t->deepest;
	if (t->n + d->n + 100 > OUT)
		return;
	t->n += (size_t)snprintf(t->text + t->n, OUT - t->n, "%s@%zu+%zu|", d->how,
	                         t->base + s->at, s->len);
	memcpy(t->text + t->n, d->p, d->n);
	t->n += d->n;
	t->text[t->n++] = '\n';
	t->text[t->n] = '\0';
}

typedef size_t (*find_fn)(struct decoder *, const unsigned char *, size_t, size_t, bool,
                          decode_fn, void *);

static struct told find(const char *p, size_t n)
{
	struct decoder *d = decoder_new();
	struct told t = { .text = calloc(1, OUT) };

	cr_assert(d != NULL && t.text != NULL);
	decoder_begin(d);
	cr_assert_eq(decode_find(d, (const unsigned char *)p, n, 0, true, on_text, &t),
	             n);
	decoder_free(d);
	return t;
}

/* The same in a buffer that slides: ${step} bytes more each time. */
static struct told find_sliding(find_fn search, const char *p, size_t n, size_t step)
{
	struct decoder *d = decoder_new();
	struct told t = { .text = calloc(1, OUT) };
	size_t from = 0, next;

	decoder_begin(d);
	for (size_t have = step; from < n; have += step) {
		unsigned char *exact;

		have = have < n ? have : n;
		exact = malloc(have - from + 1);
		memcpy(exact, p + from, have - from);
		t.base = from;
		next = search(d, exact, have - from, 0, have == n, on_text, &t);
		cr_assert_leq(next, have - from);
		cr_assert_leq(have - from - next, DECODE_KEEP);
		from += next;
		free(exact);
	}
	decoder_free(d);
	return t;
}

static void yields(const char *text, const char *what)
{
	struct told t = find(text, strlen(text));

	cr_assert(strstr(t.text, what) != NULL, "%s\nis not in\n%s", what, t.text);
	free(t.text);
}

static void yields_nothing(const char *text)
{
	struct told t = find(text, strlen(text));

	cr_assert_eq(t.texts, 0, "%s\nyields\n%s", text, t.text);
	free(t.text);
}

Test(decode, base64_of_text)
{
	yields("see aHR0cDovL3U6cHdAaG9zdC8= here", "base64@4+24|http://u:pw@host/\n");
	yields("see aHR0cDovL3U6cHdAaG9zdC8 here", "|http://u:pw@host/\n");
	yields("x/aHR0cDovL3U6cHdAaG9zdC9-fj8_", "|http://u:pw@host/~~??\n");
	yields_nothing("internationalization of AbstractSingletonProxyFactoryBean");
	yields_nothing(
		"sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7"
		"kxvUdBeoGlODJ6+SfaPg==");
}

/* Of what is no text as a whole, what is text of it, wherever that begins. */
Test(decode, a_short_text_within_bytes)
{
	static const unsigned char other[] = { 0xc3, 'a',  0x01, 0xff, 'b',
		                               'c',  0xc0, 'd',  0x80, 0x7f };
	static const char text[] = "token=Tq7!vz2LmXq9pW";
	unsigned char bytes[96];
	char base64[160];

	for (size_t at = 3; at < 50; at++)
		for (size_t n = sizeof(text) - 2; n < sizeof(text); n++) {
			struct told t;

			for (size_t i = 0; i < sizeof(bytes); i++)
				bytes[i] =
					other[(i + sizeof(other) - at % sizeof(other)) %
				              sizeof(other)];
			memcpy(bytes + at, text, n);
			bytes[at - 1] = bytes[at + n] = 0x02;
			sodium_bin2base64(base64, sizeof(base64), bytes, sizeof(bytes),
			                  sodium_base64_VARIANT_ORIGINAL);
			t = find(base64, strlen(base64));
			cr_assert_eq(strstr(t.text, text) != NULL, n == 20, "%zu %zu %s",
			             at, n, t.text);
			free(t.text);
		}
}

Test(decode, a_short_text_gets_its_name)
{
	yields("password: VHE3IXZ6MkxtIQ==\n", "|password:\"Tq7!vz2Lm!\"\n");
	yields("  \"db_pass\": \"VHE3IXZ6MkxtIQ==\",", "|db_pass\":\"Tq7!vz2Lm!\"\n");
	yields("secret = base64.b64decode('VHE3IXZ6MkxtIQ==')",
	       "|secret =\"Tq7!vz2Lm!\"\n");
	yields("const k = Buffer.from(\"VHE3IXZ6MkxtIQ==\", 'base64')",
	       "k =\"Tq7!vz2Lm!\"\n");
}

Test(decode, lines_of_base64_are_one_run)
{
	yields("  QVdTX0FDQ0VTU19LRVlfSUQ9YWJjZGVmZ2hpamts\n"
	       "  bW5vcHFyc3R1dnd4eXoKREJfUEFTU1dPUkQ9eHl6\n  enkK\nnext: 1\n",
	       "|AWS_ACCESS_KEY_ID=abcdefghijklmnopqrstuvwxyz\nDB_PASSWORD=xyzzy\n");
	yields("QVdTX0FDQ0VTU19LRVlfSUQ9YWJjZGVmZ2hpamts\nNEXT_SETTING=17\n",
	       "|AWS_ACCESS_KEY_ID=abcdefghijkl\n");
}

Test(decode, text_within_bytes)
{
	unsigned char bytes[120];
	char text[TEXT_BASE64_LEN(120) + 1];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(0x80 + i);
	memcpy(bytes + 31, "token = a-token-of-some-length", 30);
	text_base64(bytes, sizeof(bytes), text);
	yields(text, "|token = a-token-of-some-length\n");
}

Test(decode, hexadecimal)
{
	yields("key=70617373776f72643d547137217a324c6d21", "hex@");
	yields("0x70617373776f72643d547137217a324c6d21", "|password=Tq7!z2Lm!");
	yields_nothing("commit 9f82c41d7be05a63f9b1c2e8d47a506f3b9c8e1d");
}

Test(decode, compressed_and_wide_text_in_base64)
{
	static const char plain[] = "password=Tq7!vz2Lm!\n";
	unsigned char zip[256];
	char text[512];
	struct isal_zstream z;

	isal_deflate_stateless_init(&z);
	z.next_in = (uint8_t *)(uintptr_t)plain;
	z.avail_in = sizeof(plain) - 1;
	z.next_out = zip;
	z.avail_out = sizeof(zip);
	z.end_of_stream = 1;
	z.gzip_flag = IGZIP_GZIP;
	cr_assert_eq(isal_deflate_stateless(&z), COMP_OK);
	text_base64(zip, z.total_out, text);
	yields(text, "base64>gzip@0+");
	yields(text, "|password=Tq7!vz2Lm!\n");
	for (size_t i = 0; i < sizeof(plain) - 1; i++) {
		zip[2 * i] = (unsigned char)plain[i];
		zip[2 * i + 1] = 0;
	}
	text_base64(zip, 2 * (sizeof(plain) - 1), text);
	yields(text, "base64>utf16le@0+");
	yields(text, "|password=Tq7!vz2Lm!\n");
}

Test(decode, escapes)
{
	yields("x = \"a\\u0062c\"", "escapes@0+14|x = \"abc\"\n");
	yields("{\"env\":\"A=1\\nDB_PASSWORD=xyz\\n\"}",
	       "|{\"env\":\"A=1\nDB_PASSWORD=xyz\n\"}\n");
	yields("$'\\x73\\x65\\x63'", "|$'sec'\n");
	yields("\"\\163\\145\\143\"", "escapes@0+14|\"");
	yields("\"https:\\/\\/u:p@h\\/\"", "|\"https://u:p@h/\"\n");
	yields_nothing("printf(\"hello, world\\n\");");
	yields_nothing("C:\\users\\nobody\\x");
	yields_nothing("\"\\u00e4\\u20ac\"");
}

Test(decode, percent_and_entities)
{
	yields("a?p=S3cr%21t%2Fx", "percent@0+16|a?p=S3cr!t/x\n");
	yields_nothing("printf(\"%s %08x 100%\")");
	yields_nothing("a%20b%e4");
	yields("pw=&quot;a&#38;b&#x27;&lt;&quot;", "html@0+32|pw=\"a&b'<\"\n");
	yields_nothing("a && b &c; &#;");
}

/* In a long line, what a search begins and ends with is all of a token. */
Test(decode, tokens_of_a_long_line_are_whole)
{
	static char text[20001];
	static const char token[] = "key=Tq7vz2LmXq9Kd83mPw4s%2FRt6Y";

	for (size_t at = 8000; at < 8300; at += 10) {
		for (size_t i = 0; i < sizeof(text) - 1; i++)
			text[i] = i % 10 == 9 ? ' ' : 'x';
		for (size_t i = 0; i + 20 < sizeof(text); i += 300)
			memcpy(text + i, "a%21b", 5);
		text[at - 1] = ' ';
		memcpy(text + at, token, sizeof(token) - 1);
		yields(text, " key=Tq7vz2LmXq9Kd83mPw4s/Rt6Y");
	}
	for (size_t n = 400; n < 600; n += 20) {
		memset(text, 'x', 700);
		memcpy(text, "some words before key=", 22);
		memcpy(text + n, "%2F ", 5);
		yields(text, "key=xxx");
		memcpy(text, "some words before\nkey=", 22);
		yields(text, "x/ ");
	}
}

Test(decode, strings_in_pieces)
{
	yields("k = \"AKIA\" + \"XYZ\";", "joined@0+19|k = \"AKIAXYZ\";\n");
	yields("$k = 'AKIA' . 'XYZ';", "|$k = 'AKIAXYZ';\n");
	yields("k = (\"AKIA\"\n     \"XYZ\")\nnext", "joined@0+23|k = (\"AKIAXYZ\")\n");
	yields("k = \"AKIA\" \\\n    \"XYZ\"", "|k = \"AKIAXYZ\"\n");
	yields("export K=AKIA\\\nXYZ\n", "|export K=AKIAXYZ\n");
	yields("k = [\"AKIA\", \"X\", \"Y\"].join(\"\")",
	       "|k = [\"AKIAXY\"].join(\"\")\n");
	yields("k = ''.join(['AKIA', 'X'])", "|k = ''.join(['AKIAX'])\n");
	yields_nothing("f(\"a\", \"b\") + x + \"c\"");
	yields_nothing("[\"one\", \"two\"]\n\"x\": 1, \"y\": 2");
}

/* A joint has 160 bytes at most, of whatever blanks. */
Test(decode, pieces_far_apart)
{
	char text[400];

	for (int n = 0; n <= 200; n++) {
		snprintf(text, sizeof(text), "k = \"AKIA\" +%*s%*s\"XYZ\"\n", n / 2, "",
		         n - n / 2, n % 3 == 0 ? "\t" : "");
		if (n <= 158)
			yields(text, "|k = \"AKIAXYZ\"\n");
		else
			yields_nothing(text);
	}
}

/* Sentences are parted at blanks, words of them are not. */
Test(decode, sentences_in_pieces)
{
	yields_nothing("error(\"it is \"\n      \"not so\")");
	yields_nothing("error(\"it is\"\n      \" not so\")");
	yields_nothing("error(\"it is\\n\"\n      \"not so\")");
	yields("error(\"it is \"\n      \"no\" + \"t so\")", "|      \"not so\")\n");
	yields("print(\"Password: \" + \"Tq7vz2\")", "|print(\"Password: Tq7vz2\")\n");
	yields("h = \"Bearer \" + \"AKIAXYZ\"", "|h = \"Bearer AKIAXYZ\"\n");
	yields("sql(\"IDENTIFIED BY \" + \"Tq7vz2\")", "IDENTIFIED BY Tq7vz2");
	yields("sql(\"IDENTIFIED \" + \"BY 'Tq7vz2'\")", "IDENTIFIED BY 'Tq7vz2'");
	yields("run(\"login -p \" + \"Tq7vz2\")", "login -p Tq7vz2");
	yields("run(\"login ci \" + \"-p Tq7vz2\")", "login ci -p Tq7vz2");
	yields("h = \"GenieKey \" + \"Tq7vz2\"", "GenieKey Tq7vz2");
	yields("s = \"{\\\"p\\\":\" + \"\\\"Tq7vz2\\\"}\"",
	       "|s = \"{\\\"p\\\":\\\"Tq7vz2");
	yields("const mnemonic = \"legal winner \" + \"thank year\"",
	       "legal winner thank year");
}

/* Nor are macros of C put together, unless it is a word that goes on. */
Test(decode, macros)
{
	yields_nothing("#define F(a) \\\n\tg(a) \\\n\th(a)\n");
	yields_nothing("  # define F(a)\\\n   g(a)\\\n   h(a)\n");
	yields("#define K \"AKIA\\\nXYZ\"\n", "|#define K \"AKIAXYZ\"\n");
	yields("#define F(a) \\\n\tg(a)\nRUN x \\\n  y\n", "|RUN x y\n");
	yields("#define F(a) \\\n\tg(a) \\\n\th(a)\n\nRUN x \\\n  y\n", "|RUN x y\n");
	yields("# run x \\\n  -p Tq7vz2\n", "|# run x -p Tq7vz2\n");
	yields("RUN x \\\n  # y \\\n  z\n", "|RUN x # y z\n");
}

/* Entities of brackets are in passwords, but mostly in tags. */
Test(decode, entities_that_hide_nothing)
{
	yields_nothing("a list of &lt;b&gt; and List&lt;String, Object&gt;");
	yields_nothing("it&#8217;s &#160; so&#13;");
	yields("pw=\"aB&lt;9xQ\"", "|pw=\"aB<9xQ\"\n");
	yields("pw=\"aB9&gt;xQ\"", "|pw=\"aB9>xQ\"\n");
	yields("&lt;password&gt;kestrel!Moor", "<password>kestrel!Moor");
	yields("password&#32;=&#32;aBx", "password = aBx");
	yields("pw=&quot;aBx&quot;", "|pw=\"aBx\"\n");
	yields("-----BEGIN&#10;MIGH", "|-----BEGIN\nMIGH\n");
}

/* Not only in texts that are too short for vectors. */
Test(decode, a_list_is_put_together_in_a_long_text)
{
	char text[400], want[64] = "|k = [\"AKIAXY\"].join(\"\")\n";

	snprintf(text, sizeof(text), "%*s\nk = [\"AKIA\", \"X\", \"Y\"].join(\"\")\n%*s",
	         130, "", 130, "");
	yields(text, want);
}

Test(decode, in_each_other)
{
	/* base64 of {"u":"http:\/\/a:b%21c@h"} */
	yields("x=eyJ1IjoiaHR0cDpcL1wvYTpiJTIxY0BoIn0=", "base64>escapes@0+");
	yields("x=eyJ1IjoiaHR0cDpcL1wvYTpiJTIxY0BoIn0=", "\"http://a:b!c@h\"");
}

Test(decode, depth_is_bounded)
{
	char inner[4000] = "password = a secret of some length", outer[4000];
	struct told t;

	for (int i = 0; i < 5; i++) {
		text_base64(inner, strlen(inner), outer);
		snprintf(inner, sizeof(inner), "%s", outer);
	}
	t = find(inner, strlen(inner));
	cr_assert_eq(t.deepest, DECODE_DEPTH);
	cr_assert_eq(t.texts, DECODE_DEPTH);
	free(t.text);
}

Test(decode, yield_is_bounded)
{
	static unsigned char zip[1 << 16];
	static char text[1 << 17];
	static char zeros[DECODE_PIECE];
	struct decoder *d = decoder_new();
	struct told t = { .text = calloc(1, OUT) };
	struct isal_zstream z;
	size_t n;

	memset(zeros, 'a', sizeof(zeros));
	isal_deflate_stateless_init(&z);
	z.next_in = (uint8_t *)zeros;
	z.avail_in = sizeof(zeros);
	z.next_out = zip;
	z.avail_out = sizeof(zip);
	z.end_of_stream = 1;
	z.gzip_flag = IGZIP_GZIP;
	cr_assert_eq(isal_deflate_stateless(&z), COMP_OK);
	n = text_base64(zip, z.total_out, text);
	text[n++] = '\n';
	cr_assert_lt(n, 4000);
	decoder_begin(d);
	for (int i = 0; i < 40; i++)
		(void)decode_find(d, (unsigned char *)text, n, 0, true, on_text, &t);
	cr_assert_gt(decode_skipped(d), 0);
	cr_assert_leq(t.texts, 40 * n * DECODE_FACTOR / DECODE_PIECE + 5);
	decoder_begin(d);
	cr_assert_eq(decode_skipped(d), 0);
	decoder_free(d);
	free(t.text);
}

/* A line costs what it is long, not what may follow it. */
Test(decode, many_short_lines_are_all_decoded)
{
	static char text[400000];
	struct decoder *d = decoder_new();
	struct told t = { .text = calloc(1, OUT) };
	size_t n = 0;

	for (int i = 0; i < 5000; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		                      "<p>%d &amp; more of it</p>\n", i);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "t = &quot;the last&quot;\n");
	decoder_begin(d);
	(void)decode_find(d, (unsigned char *)text, n, 0, true, on_text, &t);
	cr_expect_eq(decode_skipped(d), 0);
	cr_expect(strstr(t.text, "t = \"the last\"") != NULL);
	decoder_free(d);
	free(t.text);
}

/* base64 of gzip of ${n} bytes of lines; the last one says "the last". */
static size_t zipped_lines(char *out, size_t n)
{
	static char plain[1 << 20];
	static unsigned char zip[1 << 20];
	struct isal_zstream z;
	uint32_t x = 1;
	size_t k = 0;

	while (k < n) {
		x = x * 1664525 + 1013904223;
		k += (size_t)snprintf(plain + k, sizeof(plain) - k, "line %u of it\n", x);
	}
	k += (size_t)snprintf(plain + k, sizeof(plain) - k, "the last\n");
	isal_deflate_stateless_init(&z);
	z.next_in = (uint8_t *)plain;
	z.avail_in = (uint32_t)k;
	z.next_out = zip;
	z.avail_out = sizeof(zip);
	z.end_of_stream = 1;
	z.gzip_flag = IGZIP_GZIP;
	cr_assert_eq(isal_deflate_stateless(&z), COMP_OK);
	cr_assert_lt(z.total_out, DECODE_PIECE);
	k = text_base64(zip, z.total_out, out);
	out[k++] = '\n';
	return k;
}

Test(decode, what_is_compressed_is_read_in_pieces)
{
	static char text[1 << 18];
	size_t n = zipped_lines(text, 130000);
	struct decoder *d = decoder_new();
	struct told t = { .text = calloc(1, OUT) };

	decoder_begin(d);
	(void)decode_find(d, (unsigned char *)text, n, 0, true, on_text, &t);
	cr_expect(strstr(t.text, "\nthe last\n") != NULL);
	cr_expect_eq(decode_skipped(d), 0);
	decoder_free(d);
	free(t.text);
}

static size_t lines_of(char *text, char **out)
{
	char *rest = NULL;
	size_t n = 0;

	for (char *at = strtok_r(text, "\n", &rest); at != NULL;
	     at = strtok_r(NULL, "\n", &rest))
		out[n++] = at;
	return n;
}

Test(decode, cuts_do_not_matter)
{
	static const char text[] =
		"a plain line\n  \"db_pass\": \"VHE3IXZ6MkxtIQ==\",\n"
		"x = \"a\\u0062c\"\n"
		"see aHR0cDovL3U6cHdAaG9zdC8= here, and cut: a?p=S3cr%21t%2Fx\n"
		"0x70617373776f72643d547137217a324c6d21\npw=&quot;a&#38;b&#x27;&quot;\n";
	static char *whole[200], *parts[200];
	struct told t = find(text, sizeof(text) - 1);
	size_t n = lines_of(t.text, whole);

	cr_assert_gt(n, 6);
	for (size_t step = 1; step < 90; step++) {
		struct told u = find_sliding(decode_find, text, sizeof(text) - 1, step);
		size_t m = lines_of(u.text, parts);

		/* Lines of one batch come in several, so compare what is in them. */
		for (size_t i = 0; i < n; i++) {
			const char *body = strchr(whole[i], '|');
			bool found = false;

			for (size_t k = 0; k < m; k++)
				found |= strstr(parts[k],
				                body == NULL ? whole[i] : body + 1) !=
				         NULL;
			cr_assert(found, "step %zu: %s", step, whole[i]);
		}
		free(u.text);
	}
	free(t.text);
}

/* UTF-16 among bytes: at any place, and told once, however it is cut. */
Test(decode, wide_texts_among_bytes)
{
	static const char texts[] = "password=Tq7!vz\0short\0twelve of them";
	char b[256];
	size_t n = 0;

	memset(b, 0x80, sizeof(b));
	for (size_t i = 0; i < sizeof(texts) - 1; i++) {
		if (texts[i] == '\0') {
			n += 3; /* the next one is at an odd place */
			continue;
		}
		b[n++] = texts[i];
		b[n++] = '\0';
	}
	for (size_t step = 1; step <= sizeof(b); step++) {
		struct told t = find_sliding(decode_wide, b, sizeof(b), step);
		const char *first = strstr(t.text, "|password=Tq7!vz\n");

		cr_assert(first != NULL && strstr(t.text, "twelve of them\n") != NULL,
		          "step %zu: %s", step, t.text);
		cr_assert_null(strstr(first + 2, "password"), "step %zu: %s", step,
		               t.text);
		cr_assert_null(strstr(t.text, "short"), "step %zu: %s", step, t.text);
		free(t.text);
	}
}

/* As short as one may be: few places in it tell of it. */
Test(decode, a_short_wide_text_at_any_place)
{
	static const char text[] = "password";
	char b[128];

	for (size_t at = 0; at < sizeof(b) - 2 * sizeof(text); at++) {
		struct told t;

		memset(b, 0x80, sizeof(b));
		for (size_t i = 0; i < sizeof(text) - 1; i++) {
			b[at + 2 * i] = text[i];
			b[at + 2 * i + 1] = '\0';
		}
		t = find_sliding(decode_wide, b, sizeof(b), sizeof(b));
		cr_assert_not_null(strstr(t.text, "|password\n"), "%zu: %s", at, t.text);
		free(t.text);
	}
}

Test(decode, a_run_longer_than_the_buffer_is_decoded_in_pieces)
{
	static char plain[300000], text[TEXT_BASE64_LEN(sizeof(plain)) + 1];
	struct told t;
	size_t n;

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = i % 61 == 60 ? '\n' : (char)('a' + i % 7);
	for (size_t i = 0; i + 40 < sizeof(plain); i += 10000)
		memcpy(plain + i, "<needle>", 8);
	n = text_base64(plain, sizeof(plain), text);
	t = find_sliding(decode_find, text, n, 50000);
	for (n = 0; n * 8 < t.n && strstr(t.text, "<needle>") != NULL; n++)
		memcpy(strstr(t.text, "<needle>"), "........", 8);
	cr_assert_geq(n, 30);
	cr_assert_leq(n, 40);
	free(t.text);
}

Test(decode, a_mark_before_ascii_hides_nothing)
{
	static const char text[] = "\xff\xfepassword = a text of bytes\n# no more\n";
	static const char wide[] =
		"\xfe\xff\x4e\x2d\x65\x87\x5b\x57\x7b\x26\x4e\x2d\x65\x87"
		"\x5b\x57\x7b\x26\x4e\x2d\x65\x87\x5b\x57\x7b\x26\x4e\x2d";

	cr_assert_eq(transcode_detect((const unsigned char *)text, sizeof(text) - 1),
	             TRANSCODE_NONE);
	cr_assert_eq(transcode_detect((const unsigned char *)wide, sizeof(wide) - 1),
	             TRANSCODE_UTF16BE);
}

Test(decode, transcoding)
{
	static const unsigned char le[] = "\xff\xfe"
					  "a\0\xe4\0\x3d\xd8\x00\xde"
					  "b\0";
	static const unsigned char be[] = "\0p\0a\0s\0s\0w\0o\0r\0d\0=\0x";
	unsigned char out[TRANSCODE_ROOM(64)];
	struct transcode t = { .form = transcode_detect(le, 12) };
	size_t n = 0;

	cr_assert_eq(t.form, TRANSCODE_UTF16LE);
	for (size_t i = 0; i < 12; i++)
		n += transcode_run(&t, le + i, 1, out + n);
	cr_assert_eq(n, 8);
	cr_assert_arr_eq(out,
	                 "a\xc3\xa4\xf0\x9f\x98\x80"
	                 "b",
	                 8);
	cr_assert_eq(transcode_detect(be, 20), TRANSCODE_UTF16BE);
	cr_assert_eq(transcode_detect((const unsigned char *)"password = plain text", 21),
	             TRANSCODE_NONE);
	t = (struct transcode){ .form = TRANSCODE_UTF16LE };
	cr_assert_eq(transcode_run(&t,
	                           (const unsigned char *)"\x00\xd8"
	                                                  "a\0\x00\xdc",
	                           6, out),
	             7);
	cr_assert_arr_eq(out,
	                 "\xef\xbf\xbd"
	                 "a\xef\xbf\xbd",
	                 7);
}
