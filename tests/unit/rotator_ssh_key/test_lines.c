/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "arena.h"
#include "sk.h"

static struct arena *arena;

static void setup(void)
{
	arena = arena_new(4 * 1024 * 1024);
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(ssh_key, .init = setup, .fini = teardown, .timeout = 60);

static void expect_edit(const char *text, struct sk_edit e, const char *want, size_t n)
{
	size_t dropped;
	char *out = sk_edit(arena, text, &e, &dropped);

	cr_assert_not_null(out);
	cr_expect_str_eq(out, want);
	cr_expect_eq(dropped, n, "%zu of \"%s\"", dropped, text);
}

Test(ssh_key, a_line_is_added_at_the_end)
{
	struct sk_edit e = { .add = "ssh-rsa B c" };

	expect_edit("", e, "ssh-rsa B c\n", 0);
	expect_edit("x\n", e, "x\nssh-rsa B c\n", 0);
	expect_edit("x", e, "x\nssh-rsa B c\n", 0);
	expect_edit("\r\n", e, "\r\nssh-rsa B c\n", 0);
}

Test(ssh_key, lines_go_by_comment_and_by_key)
{
	struct sk_edit e = { .tag = "tag", .drop = "OLD", .keep = "USED" };

	expect_edit("ssh-ed25519 A tag\nssh-ed25519 A2 tag2\n", e,
	            "ssh-ed25519 A2 tag2\n", 1);
	expect_edit("ssh-ed25519 OLD x\nssh-ed25519 OLDER x", e, "ssh-ed25519 OLDER x",
	            1);
	expect_edit("a=\"x y\",b \t ecdsa-sha2-nistp256 OLD\r\n", e, "", 1);
	expect_edit("ssh-ed25519 A  tag \t\r\n", e, "", 1);
	expect_edit("ssh-ed25519 USED tag\n", e, "ssh-ed25519 USED tag\n", 0);
	e.drop = "USED";
	expect_edit("ssh-ed25519 USED x\n", e, "ssh-ed25519 USED x\n", 0);
}

Test(ssh_key, what_only_looks_like_it_stays)
{
	static const char *const lines[] = {
		"# ssh-rsa OLD tag\n",
		"tag\n",
		"OLD\n",
		"ssh-rsa\n",
		"ssh-rsa A not tag\n",
		"ssh-rsa A tag x\n",
		"command=\"ssh-rsa OLD tag\" ssh-rsa A b\n",
		"command=\"a \\\" ssh-rsa OLD tag\" ssh-rsa A b\n",
		"\n\n \t\n",
		"a b c OLD\n",
	};
	struct sk_edit e = { .tag = "tag", .drop = "OLD" };

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		expect_edit(lines[i], e, lines[i], 0);
}

Test(ssh_key, the_key_of_a_line)
{
	cr_expect_str_eq(sk_blob(arena, "ssh-ed25519 AAAA me\nssh-rsa BBBB"), "AAAA");
	cr_expect_str_eq(sk_blob(arena, "restrict,from=\"a b\" ssh-rsa BBBB"), "BBBB");
	cr_expect_null(sk_blob(arena, ""));
	cr_expect_null(sk_blob(arena, "ssh-rsa"));
	cr_expect_null(sk_blob(arena, "a b c"));
}

static void expect_bytes(const struct buf *b, const char *want, size_t n)
{
	cr_assert_eq(b->len, n);
	cr_expect_eq(memcmp(b->p + b->start, want, n), 0);
}

/* The examples of RFC 4251 section 5. */
Test(ssh_key, numbers_on_the_wire)
{
	static const struct {
		const char *in;
		size_t in_len;
		const char *out;
		size_t out_len;
	} cases[] = {
		{"",				  0, "\0\0\0\0",         4 },
		{ "\0\0",			     2, "\0\0\0\0",         4 },
		{ "\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 8,
                 "\0\0\0\x08\x09\xa3\x78\xf9\xb2\xe3\x32\xa7",               12},
		{ "\x80",			     1, "\0\0\0\x02\0\x80", 6 },
		{ "\0\x80",                           2, "\0\0\0\x02\0\x80", 6 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO_BUF b = { .max = 64 };

		cr_assert(sk_put_mpint(&b, (const unsigned char *)cases[i].in,
		                       cases[i].in_len));
		expect_bytes(&b, cases[i].out, cases[i].out_len);
	}
}

Test(ssh_key, kinds_of_keys)
{
	struct answer a = { 0 };
	struct sk_made x, y;

	cr_assert_null(sk_key_type("dsa"));
	cr_assert_null(sk_key_type(""));
	cr_assert_eq(sk_key_type("rsa-3072")->rsa_bits, 3072u);
	cr_assert_eq(sk_make(arena, sk_key_type("ed25519"), "c", &x, &a), 0);
	cr_assert_eq(sk_make(arena, sk_key_type("ed25519"), "c", &y, &a), 0);
	cr_expect_str_neq(x.public_key, y.public_key);
	cr_expect_eq(strncmp(x.public_key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", 37),
	             0);
	cr_expect_eq(strlen(x.fingerprint), 7u + 43u);
}
