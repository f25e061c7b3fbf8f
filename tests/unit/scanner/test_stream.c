/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in, findings out: every rule's examples, and the same in any pieces. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "known/known.h"
#include "match/stream_impl.h"
#include "text.h"
#include "value.h"

static struct {
	struct rule_set rules;
	struct scan_engine *g;
	struct scan_stream *s;
	const char *only; /* rule that counts; NULL: all */
	unsigned found;
	uint64_t line, column;
	char log[8192];
	char secret[FINDING_SECRET + 1];
	char excerpt[FINDING_EXCERPT + 1];
} t;

static void sink(void *ctx, const struct finding *f)
{
	const char *id = f->rule != NULL ? f->rule->id : "known";

	(void)ctx;
	if (f->drop != DROP_NONE || (t.only != NULL && strcmp(id, t.only) != 0))
		return;
	t.found++;
	t.line = f->line;
	t.column = f->column;
	snprintf(t.log + strlen(t.log), sizeof(t.log) - strlen(t.log), "%s:%lu:%lu ", id,
	         (unsigned long)f->line, (unsigned long)f->column);
	snprintf(t.secret, sizeof(t.secret), "%.*s", (int)f->secret_n,
	         f->secret != NULL ? f->secret : "");
	snprintf(t.excerpt, sizeof(t.excerpt), "%s", f->excerpt);
}

static void setup(void)
{
	static const struct scan_options options = { .reveal = true };
	struct err e = { 0 };

	memset(&t, 0, sizeof(t));
	cr_assert_eq(rules_builtin(&t.rules, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(scan_engine_new(&t.rules, &t.g, &e), ERR_OK, "%s", e.msg);
	cr_assert_not_null(t.s = scan_stream_new(t.g, &options, sink, NULL));
}

static void teardown(void)
{
	scan_stream_free(t.s);
	scan_engine_free(t.g);
	rules_free(&t.rules);
}

TestSuite(stream, .init = setup, .fini = teardown, .timeout = 120);

static void begin(const struct blob *b)
{
	t.found = 0;
	t.log[0] = '\0';
	cr_assert_eq(scan_stream_begin(t.s, b), ERR_OK);
}

/* In pieces of ${piece} bytes at most; 0: whole. */
static void scan(const char *path, const void *p, size_t n, size_t piece)
{
	const struct blob b = { .channel = CHANNEL_FILE, .path = path };
	const unsigned char *at = p;

	begin(&b);
	while (n > 0) {
		size_t some = piece == 0 || n < piece ? n : piece;

		cr_assert_eq(scan_stream_feed(t.s, at, some), ERR_OK);
		at += some;
		n -= some;
	}
	cr_assert_eq(scan_stream_end(t.s), ERR_OK);
}

/* The same, but left where it is. */
static void scan_whole(const char *path, const void *p, size_t n)
{
	struct blob b = { .channel = CHANNEL_FILE, .path = path };

	t.found = 0;
	t.log[0] = '\0';
	cr_assert_eq(scan_stream_begin(t.s, &b), ERR_OK);
	cr_assert_eq(scan_stream_whole(t.s, p, n), ERR_OK);
	cr_assert_eq(scan_stream_end(t.s), ERR_OK);
}

/* The same, but put where there is room, in pieces of any size. */
static void scan_in_place(const char *path, const void *p, size_t n, size_t most)
{
	const struct blob b = { .channel = CHANNEL_FILE, .path = path };
	const unsigned char *at = p;

	begin(&b);
	while (n > 0) {
		size_t some = 1 + randombytes_uniform((uint32_t)(n < most ? n : most)),
		       room;
		unsigned char *to = scan_stream_room(t.s, &room);

		if (to == NULL) {
			cr_assert_eq(scan_stream_feed(t.s, at, some), ERR_OK);
		} else {
			some = some < room ? some : room;
			memcpy(to, at, some);
			cr_assert_eq(scan_stream_filled(t.s, some), ERR_OK);
		}
		at += some;
		n -= some;
	}
	cr_assert_eq(scan_stream_end(t.s), ERR_OK);
}

/* Without the marks that keep examples from being taken for live secrets. */
static char *example(const char *text)
{
	char *out = strdup(text), *w = out;

	for (const char *r = text; *r != '\0';)
		if (strncmp(r, "{+}", 3) == 0)
			r += 3;
		else
			*w++ = *r++;
	*w = '\0';
	return out;
}

Test(stream, nothing_of_a_blob_stays)
{
	static const char text[] = "password = \"Tq7!vz2LmXq9pW\"\n";
	static const struct gathered none;

	t.only = "generic-assign";
	scan("a.conf", text, sizeof(text) - 1, 0);
	cr_assert_eq(t.found, 1, "%s", t.log);
	cr_assert_null(memmem(t.s->buf, STREAM_BUFFER, "Tq7!", 4));
	cr_assert_arr_eq(t.s->gathered->p, none.p, sizeof(none.p));
}

Test(stream, nothing_of_a_large_blob_stays)
{
	static const char part[] = "password = \"Tq7!vz2LmXq9pW\"\n";
	const size_t n = 3 * STREAM_BUFFER;
	char *text = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = part[i % (sizeof(part) - 1)];
	for (size_t end = n; end > n / 6; end -= n / 7) {
		scan("a.conf", text, end, 0);
		cr_assert_gt(t.found, 1);
		cr_assert_null(memmem(t.s->buf, STREAM_BUFFER, "Tq7!", 4), "%zu", end);
	}
	free(text);
}

/* What is near triggers is searched in pieces of so many bytes. */
Test(stream, an_anchor_where_one_piece_ends)
{
	const size_t cut = sizeof(((struct gathered *)NULL)->p), n = cut + 4096;
	const struct rule *u = rules_find(&t.rules, "github-pat");
	char *text = malloc(n), *token = example(u->positive.at[0]);

	t.only = u->id;
	for (size_t before = 0; before < strlen(token); before++) {
		for (size_t i = 0; i < n; i++)
			text[i] = "token\n"[i % 6];
		memcpy(text + cut - before, token, strlen(token));
		text[cut - before - 1] = text[cut - before + strlen(token)] = '\n';
		scan("a.conf", text, n, 0);
		cr_assert_eq(t.found, 1, "%zu before: %u", before, t.found);
	}
	free(token);
	free(text);
}

Test(stream, the_examples_of_all_rules)
{
	for (size_t i = 0; i < t.rules.n; i++) {
		const struct rule *u = &t.rules.at[i];
		const char *path = u->example_path != NULL ? u->example_path : "a.conf";

		for (size_t k = 0; !u->allow && k < u->positive.n; k++) {
			char *text = example(u->positive.at[k]);

			t.only = NULL;
			scan(path, text, strlen(text), 0);
			cr_expect_gt(t.found, 0, "%s: not found: %zu", u->id, k);
			scan_whole(path, text, strlen(text));
			cr_expect_gt(t.found, 0, "%s: not found in place: %zu", u->id, k);
			free(text);
		}
		for (size_t k = 0; !u->allow && k < u->negative.n; k++) {
			char *text = example(u->negative.at[k]);

			t.only = u->id;
			scan(path, text, strlen(text), 0);
			cr_expect_eq(t.found, 0, "%s: found: %s", u->id, text);
			free(text);
		}
	}
}

#define TOKEN       \
	"xoxb-1234" \
	"56789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx"

Test(stream, lines_and_columns)
{
	static const char text[] = "one\r\n\n  password = \"Tq7!vz2LmXq9\"\nthree\n";

	scan("a.conf", text, sizeof(text) - 1, 0);
	cr_assert_eq(t.found, 1, "%s", t.log);
	cr_assert_eq(t.line, 3);
	cr_assert_eq(t.column, 15);
	cr_assert_str_eq(t.secret, "Tq7!vz2LmXq9");
	cr_assert(strstr(t.excerpt, "Tq7") == NULL &&
	          strstr(t.excerpt, "password") != NULL);
}

/* A long file with secrets everywhere is the same in any pieces. */
Test(stream, in_any_pieces)
{
	size_t room = 3 << 20, n = 0, secrets = 0;
	char *text = malloc(room), *whole;

	while (n + 200 < room) {
		n += (size_t)snprintf(text + n, room - n,
		                      "line of text %zu, nothing to see here\n", n);
		if (randombytes_uniform(800) == 0) {
			n += (size_t)snprintf(text + n, room - n,
			                      "db_password = 'Tq7!v%05uz2LmX'\n",
			                      randombytes_uniform(90000) + 10000);
			secrets++;
		}
	}
	t.only = "generic-assign";
	scan("a.conf", text, n, 0);
	cr_assert_eq(t.found, secrets);
	whole = strdup(t.log);
	for (size_t piece = 4096; piece <= 1 << 20; piece *= 7) {
		scan("a.conf", text, n, piece + randombytes_uniform(37));
		cr_assert_eq(t.found, secrets);
		cr_assert_str_eq(t.log, whole);
	}
	for (size_t most = 1000; most <= 1000000; most *= 10) {
		scan_in_place("a.conf", text, n, most);
		cr_assert_eq(t.found, secrets);
		cr_assert_str_eq(t.log, whole);
	}
	scan_whole("a.conf", text, n);
	cr_assert_str_eq(t.log, whole);
	scan("a.conf", text, 200000, 37);
	free(whole);
	whole = strdup(t.log);
	scan_whole("a.conf", text, 200000);
	cr_assert_str_eq(t.log, whole);
	free(whole);
	free(text);
}

Test(stream, utf16)
{
	static const char text[] = "\xfe\xff"
				   "x\npassword = \"Tq7!vz2LmXq9\"\n";
	char wide[2 * sizeof(text)] = { 0 };
	size_t n = sizeof(text) - 1;

	for (int big = 0; big < 2; big++)
		for (int mark = 0; mark < 2; mark++) {
			size_t len = 0;

			if (mark) {
				wide[len++] = big ? '\xfe' : '\xff';
				wide[len++] = big ? '\xff' : '\xfe';
			}
			for (size_t i = 2; i < n; i++) {
				wide[len++] = big ? '\0' : text[i];
				wide[len++] = big ? text[i] : '\0';
			}
			scan("a.conf", wide, len, 3);
			cr_assert_eq(t.found, 1);
			cr_assert_eq(t.line, 2);
			cr_assert_str_eq(t.secret, "Tq7!vz2LmXq9");
			scan_whole("a.conf", wide, len);
			cr_assert_eq(t.found, 1);
			cr_assert_eq(t.line, 2);
		}
}

/* Bytes that become others cannot be put in their place. */
Test(stream, utf16_that_is_long)
{
	static const char text[] = "\npassword = \"Tq7!vz2LmXq9\"\n";
	static char wide[40000] = "\xff\xfe";

	for (size_t i = 1; i < sizeof(wide) / 2; i++)
		wide[2 * i] = i % 50 != 0 ? 'x' : '\n';
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		wide[30000 + 2 * i] = text[i];
	t.only = "generic-assign";
	scan("a.conf", wide, sizeof(wide), 0);
	cr_assert_eq(t.found, 1, "%s", t.log);
	scan_in_place("a.conf", wide, sizeof(wide), 1000);
	cr_assert_eq(t.found, 1, "%s", t.log);
	cr_assert_str_eq(t.secret, "Tq7!vz2LmXq9");
}

Test(stream, one_line_of_three_megabytes)
{
	size_t n = 3 << 20;
	char *text = malloc(n);
	static const char secret[] = " password='Tq7!vz2LmXq9' ";

	memset(text, 'x', n);
	for (size_t i = 0; i < n; i += 50)
		text[i] = ' ';
	for (size_t i = 1; i < 20; i++)
		memcpy(text + i * (n / 20) + 3, secret, sizeof(secret) - 1);
	scan("a.js", text, n, 10000);
	cr_assert_eq(t.found, 19, "%s", t.log);
	cr_assert_eq(t.line, 1);
	free(text);
}

Test(stream, any_bytes)
{
	static unsigned char noise[300000];

	for (int round = 0; round < 20; round++) {
		randombytes_buf(noise, sizeof(noise));
		if (round % 2 == 0)
			for (size_t i = 0; i < sizeof(noise); i++)
				noise[i] = (unsigned char)"password=\"\\n': {}[]|\n\0aZ9+"
					[noise[i] % 26];
		scan("noise", noise, randombytes_uniform(sizeof(noise)), 70000);
	}
}

/* Letters and digits that look like a secret, the same each time. */
static void fill(char *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	uint32_t x = 12345;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = digits[(x >> 16) % 62];
	}
}

/* Are six bytes of ${p} in a row in the excerpt? */
static bool shown(const char *p, size_t n)
{
	for (size_t i = 0; i + 6 <= n; i++)
		if (memmem(t.excerpt, strlen(t.excerpt), p + i, 6) != NULL)
			return true;
	return false;
}

Test(stream, an_excerpt_shows_nothing_of_what_its_match_left_out)
{
	static char text[8000];
	size_t n = (size_t)snprintf(text, sizeof(text), "db_password = ");

	fill(text + n, 600);
	text[n + 600] = '\n';
	scan("a.conf", text, n + 601, 0);
	cr_assert_gt(t.found, 0);
	cr_assert_not(shown(text + n, 600), "%s", t.excerpt);
	/* Armour without an end. */
	t.only = "pem-private";
	n = (size_t)snprintf(text, sizeof(text),
	                     "-----BEGIN OPENSSH PRIVATE"
	                     " KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU");
	fill(text + n, 5000);
	scan("key.pem", text, n + 5000, 0);
	cr_assert_gt(t.found, 0);
	cr_assert_not(shown(text + n, 5000), "%s", t.excerpt);
	/* What stands after a URL's password is no part of it. */
	t.only = NULL;
	n = (size_t)snprintf(text, sizeof(text), "u = postgres://app:Tq7vz2LmXq9@db/x\n");
	scan("a.conf", text, n, 0);
	cr_assert(strstr(t.excerpt, "@db/x") != NULL, "%s", t.excerpt);
}

Test(stream, secrets_that_begin_alike_in_one_encoded_text)
{
	static const char plain[] = "DB_PASSWORD=Acme-7!vz2LmXq9\n"
				    "SMTP_PASSWORD=Acme-7!Kd83mPw4s\n"
				    "OLD_PASSWORD=Acme-7!vz2LmXq9\n";
	char text[200] = "data: ";

	text_base64((const unsigned char *)plain, sizeof(plain) - 1, text + 6);
	scan("a.conf", text, strlen(text), 0);
	cr_assert_eq(t.found, 2, "%s", t.log);
}

Test(stream, parameters_of_a_query_are_judged_one_by_one)
{
	static const char url[] = "curl 'https://api.acme.io/v2?key=weekly&"
				  "api_secret=8Zqv"
				  "T2mLx9Kd7RwP4nBs'\n";
	static const char form[] = "password=Tq7!vz2LmXq9&api_secret=8Zqv"
				   "T2mLx9Kd7RwP4nBs\n";

	t.only = "generic-assign";
	scan("a.sh", url, sizeof(url) - 1, 0);
	cr_assert_eq(t.found, 1, "%s", t.log);
	cr_assert_str_eq(t.secret, "8ZqvT2mLx9Kd7RwP4nBs");
	scan("a.sh", form, sizeof(form) - 1, 0);
	cr_assert_eq(t.found, 2, "%s", t.log);
	cr_assert_str_eq(t.secret, "8ZqvT2mLx9Kd7RwP4nBs");
}

/* A pack that knows ${value}. */
static struct known *knowing(const char *value)
{
	struct arena *a = arena_new(1 << 20);
	struct value *v = value_object(a);
	unsigned char wire[LEAK_KEY_BYTES], entry[LEAK_ENTRY], *page;
	struct leak_entry en = { .flags = 1 };
	struct known *k;
	struct leak_key key;
	struct err e = { 0 };
	size_t n;

	randombytes_buf(wire, sizeof(wire));
	leak_key_read(&key, wire);
	cr_assert_eq(
		leak_entry_of(&key, (const unsigned char *)value, strlen(value), &en), 0);
	leak_entry_write(&en, entry);
	value_set_bytes(a, v, "pack", wire, 16);
	value_set_bytes(a, v, "key", wire, sizeof(wire));
	value_set_int(a, v, "expires_ms", 2);
	value_set_int(a, v, "format", LEAK_FORMAT);
	value_set_bytes(a, v, "entries", entry, sizeof(entry));
	page = value_pack(a, v, &n);
	cr_assert_not_null(k = known_new(&e));
	cr_assert_eq(known_add(k, page, n, 1, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(known_ready(k, &e), ERR_OK, "%s", e.msg);
	arena_free(a);
	return k;
}

Test(stream, a_rule_that_allows_takes_back_only_what_it_holds)
{
	static const char value[] = "p673wQx8Tz0LmV4k+Kd83mPw4sRt6Yb1";
	static const char inside[] =
		"x: ENC[AES256_GCM,data:p673wQx8Tz0LmV4k+Kd83mPw4sRt6Yb1,iv:YY=,"
		"tag:A=,type:str]\n";
	static const char other[] = "x: ENC[AES256_GCM,data:" TOKEN "]\n";
	static const char across[] =
		"password = \"Tq7!vz2Lm$ANSIBLE_VAULT;1.2;AES256\"\n";
	struct scan_options options = { .reveal = true };

	scan("a.yaml", inside, sizeof(inside) - 1, 0);
	cr_assert_eq(t.found, 0, "%s", t.log);
	scan("a.yaml", other, sizeof(other) - 1, 0);
	cr_assert_gt(t.found, 0);
	scan("a.yaml", across, sizeof(across) - 1, 0);
	cr_assert_gt(t.found, 0);
	scan_stream_free(t.s);
	options.known = knowing(value);
	cr_assert_not_null(t.s = scan_stream_new(t.g, &options, sink, NULL));
	scan("a.yaml", inside, sizeof(inside) - 1, 0);
	cr_assert_eq(t.found, 1, "%s", t.log);
	cr_assert_str_eq(t.secret, value);
	known_free((struct known *)(uintptr_t)options.known);
}

Test(stream, a_window_is_searched_to_its_end)
{
	char text[4096];
	size_t n = (size_t)snprintf(text, sizeof(text),
	                            "apiVersion: v1\nkind: ConfigMap\ndata:\n");

	for (unsigned i = 0; i < 90; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		                      "  host%02u: server%02u\n", i, i);
	n += (size_t)snprintf(text + n, sizeof(text) - n,
	                      "---\napiVersion: v1\nkind: Secret\ndata:\n"
	                      "  login: VHE3IXZ6MkxtIQ==\n");
	t.only = "k8s-secret";
	scan("a.yaml", text, n, 0);
	cr_assert_eq(t.found, 1, "%s", t.log);
	cr_assert_str_eq(t.secret, "VHE3IXZ6MkxtIQ==");
}

/* What only decoding knows to be a secret is hidden beside others, too. */
Test(stream, an_excerpt_hides_encoded_neighbours)
{
	static const char text[] = "env: VHE3IXZ6MkxtIQ== db_password=\"Tq7!vz2LmXq9\" "
				   "54713721767a324c6d21 /usr/lib/python3/site x\n";

	t.only = "generic-assign";
	scan("a.conf", text, sizeof(text) - 1, 0);
	cr_assert_eq(t.found, 1, "%s", t.log);
	cr_assert_str_eq(t.excerpt, "env: **** db_password=\"****\" **** /usr/lib/");
}

/* However many anchors are near each other, each rule searches a byte once or twice. */
Test(stream, anchors_in_crowds_cost_no_more)
{
	size_t room = 200000, n = 0;
	char *text = malloc(room), *coded = malloc(TEXT_BASE64_LEN(60000) + 1);

	while (n + 60 < 60000)
		n += (size_t)snprintf(text + n, room - n,
		                      "token key auth vault kind: Secret%s",
		                      n % 4000 < 40 ? "\n" : " ");
	text_base64((const unsigned char *)text, n, coded);
	scan("a.yaml", coded, strlen(coded), 0);
	cr_assert_lt(t.s->searched_bytes, 40 * n, "%lu",
	             (unsigned long)t.s->searched_bytes);
	scan("a.yaml", text, n, 0);
	cr_assert_lt(t.s->searched_bytes, 40 * n, "%lu",
	             (unsigned long)t.s->searched_bytes);
	free(coded);
	free(text);
}

/* In a long line searches follow each other; one token lies across each end of one. */
Test(stream, tokens_across_searches_of_a_long_line)
{
	enum { N = 20000 };
	static char text[N];
	static const char token[] = "3f8a1c9d7e5b2046"
				    "f1a8c3e90b7d5426";

	t.only = "datadog-key";
	for (size_t at = 8100; at < 8300; at += 10) {
		for (size_t i = 0; i < N; i++)
			text[i] = i % 10 == 9 ? ' ' : 'x';
		for (size_t i = 0; i + 20 < N; i += 60)
			memcpy(text + i, " datadog ", 9);
		text[at - 1] = ' ';
		memcpy(text + at, token, sizeof(token) - 1);
		text[at + sizeof(token) - 1] = ' ';
		memcpy(text + at - 14, " datadog ", 9);
		scan("a.log", text, N, 0);
		cr_expect_eq(t.found, 1, "%zu: %s", at, t.log);
	}
}

/* What is no secret itself may hold one: an assignment in a string, also encoded. */
Test(stream, an_assignment_within_a_value)
{
	static const char *const texts[] = { "key=\"password=Tq7!z2Lm!\"\n",
		                             "key=70617373776f72643d5471"
		                             "37217a324c6d21\n" };

	for (unsigned i = 0; i < 2; i++) {
		scan("a.log", texts[i], strlen(texts[i]), 0);
		cr_expect_eq(t.found, 1, "%s: %s", texts[i], t.log);
		cr_expect_str_eq(t.secret, "Tq7!z2Lm!");
	}
}

/* A program's strings: side by side, and in UTF-16, at even and at odd places. */
Test(stream, what_is_no_text)
{
	static const char token[] = "shpat_"
				    "0e1f7a9c3b5d8e2f4a6c1b3d5e7f9a0c";
	unsigned char b[4096];
	size_t n;

	for (size_t odd = 0; odd < 2; odd++) {
		memset(b, 0x90, sizeof(b));
		memcpy(b, "MZ\0\1", 4);
		n = 1000 + odd;
		for (size_t i = 0; i < sizeof(token) - 1; i++) {
			b[n++] = (unsigned char)token[i];
			b[n++] = 0;
		}
		for (size_t piece = 1; piece < 3000; piece = piece * 7 + 1) {
			scan("a.exe", b, sizeof(b), piece);
			cr_assert_eq(t.found, 1, "odd %zu, piece %zu: %s", odd, piece,
			             t.log);
			cr_assert_str_eq(t.secret, token);
		}
	}
	/* As SQLite stores a row. */
	memset(b, 0, sizeof(b));
	n = 100 + (size_t)snprintf((char *)b + 100, 200, "shopify_key%sother", token);
	scan("a.db", b, n, 0);
	cr_assert_eq(t.found, 1, "%s", t.log);
	cr_assert_str_eq(t.secret, token);
	/* Within a longer run it is chance. */
	memset(b + 100, 'a', 200);
	memcpy(b + 200, token, sizeof(token) - 1);
	scan("a.db", b, sizeof(b), 0);
	cr_assert_eq(t.found, 0, "%s", t.log);
}
