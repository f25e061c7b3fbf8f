/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "note.h"
#include "text.h"

/* The example of c2sp.org/signed-note. */
#define FOO_KEY  "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define FOO_TEXT "This is an example message.\n"
#define FOO_LINE                                                                               \
	"\xe2\x80\x94 example.com/foo "                                                        \
	"Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72" \
	"IneyaQM=\n"
#define FOO_NOTE FOO_TEXT "\n" FOO_LINE
/* A signature by somebody unknown, from the same page. */
#define OTHER_LINE                                                                             \
	"\xe2\x80\x94 quasimodo.example/salvatore "                                            \
	"NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3Ze" \
	"kRwNtIc=\n"

static struct err e;

static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
}

TestSuite(note, .init = setup, .timeout = 20);

static struct note_key foo(void)
{
	struct note_key k;

	cr_assert_eq(note_key_parse(FOO_KEY, strlen(FOO_KEY), &k, &e), ERR_OK, "%s",
	             e.msg);
	return k;
}

static int verify(const char *text)
{
	struct note_key k = foo();
	size_t body;

	return note_verify(text, strlen(text), &k, 1, &body, &e);
}

Test(note, the_key_of_the_example_has_the_id_of_the_example)
{
	struct note_key k = foo(), made;
	char text[NOTE_KEY_TEXT_MAX], hex[9];

	text_hex(k.id, 4, hex);
	cr_assert_str_eq(hex, "530d903a");
	cr_assert_str_eq(k.name, "example.com/foo");
	cr_assert_eq(note_key_make(k.name, k.pub, &made, &e), ERR_OK);
	cr_assert_arr_eq(made.id, k.id, 4);
	note_key_format(&made, text);
	cr_assert_str_eq(text, FOO_KEY);
	cr_assert_eq(note_key_parse(FOO_KEY "\n", strlen(FOO_KEY) + 1, &made, &e),
	             ERR_OK);
}

Test(note, the_example_verifies)
{
	struct note_key k = foo();
	size_t body = 0;

	cr_assert_eq(note_verify(FOO_NOTE, strlen(FOO_NOTE), &k, 1, &body, &e), ERR_OK,
	             "%s", e.msg);
	cr_assert_eq(body, strlen(FOO_TEXT));
}

Test(note, signatures_of_unknown_keys_are_ignored)
{
	struct note_key k = foo();
	size_t body;

	cr_assert_eq(verify(FOO_TEXT "\n" OTHER_LINE FOO_LINE), ERR_OK, "%s", e.msg);
	cr_assert_eq(verify(FOO_TEXT "\n" FOO_LINE OTHER_LINE), ERR_OK, "%s", e.msg);
	cr_assert_eq(verify(FOO_TEXT "\n" OTHER_LINE), ERR_VERIFY);
	cr_assert_eq(note_verify(FOO_NOTE, strlen(FOO_NOTE), &k, 0, &body, &e),
	             ERR_VERIFY);
}

Test(note, a_name_or_an_id_alone_does_not_make_a_key_known)
{
	struct note_key k = foo();
	char text[512];
	size_t body;

	/* The same id under another name: some other key's signature. */
	snprintf(
		text, sizeof(text), "%s\n%s%s", FOO_TEXT,
		"\xe2\x80\x94 example.com/bar Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAl"
		"TgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
		FOO_LINE);
	cr_assert_eq(verify(text), ERR_OK, "%s", e.msg);
	/* A name that only begins like the known one. */
	*strstr(text, "/bar") = '\0';
	snprintf(
		text + strlen(text), sizeof(text) - strlen(text), "%s%s",
		"/fo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuw"
		"HjG1Yu72IneyaQA=\n",
		FOO_LINE);
	cr_assert_eq(verify(text), ERR_OK, "%s", e.msg);
	/* The same name with another id. */
	k.id[0] ^= 1;
	cr_assert_eq(note_verify(FOO_NOTE, strlen(FOO_NOTE), &k, 1, &body, &e),
	             ERR_VERIFY);
}

Test(note, a_wrong_signature_of_a_known_key_refuses_the_note)
{
	char text[512];

	/* One bit in each part of the note in turn. */
	for (size_t i = 0; i < strlen(FOO_NOTE) - 1; i++) {
		snprintf(text, sizeof(text), "%s", FOO_NOTE);
		text[i] ^= 0x01;
		cr_assert_neq(verify(text), ERR_OK, "byte %zu", i);
	}
	/* A good one beside a bad one does not help. */
	snprintf(text, sizeof(text), "%s%s", FOO_NOTE, FOO_LINE);
	*(strstr(text + strlen(FOO_NOTE), "8srV1") + 1) = 't';
	cr_assert_eq(verify(text), ERR_VERIFY);
}

Test(note, sixteen_signatures_are_read_and_too_many_are_not)
{
	char text[16384] = FOO_TEXT "\n";
	int lines;

	for (lines = 0; lines < 15; lines++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s",
		         OTHER_LINE);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", FOO_LINE);
	cr_assert_eq(verify(text), ERR_OK, "%s", e.msg);
	for (; lines < (int)NOTE_SIGNATURES_MAX + 1; lines++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s",
		         OTHER_LINE);
	cr_assert_eq(verify(text), ERR_INVALID);
}

Test(note, what_is_no_note_is_refused)
{
	static const char *const bad[] = {
		"",
		"\n",
		"\n\n",
		"text\n",
		FOO_TEXT FOO_LINE,
		FOO_TEXT "\n",
		FOO_TEXT "\n\n",
		FOO_TEXT "\n" FOO_LINE "\n",
		FOO_TEXT "\nhello\n" FOO_LINE,
		FOO_TEXT "\n- example.com/foo Uw2QOkn8\n",
		FOO_TEXT "\n\xe2\x80\x94 example.com/foo\n",
		FOO_TEXT "\n\xe2\x80\x94  Uw2QOkn8\n",
		FOO_TEXT "\n\xe2\x80\x94 example.com/foo Uw2QOg==\n",
		FOO_TEXT "\n\xe2\x80\x94 a+b Uw2QOkn8\n",
		"bell\a\n\n" FOO_LINE,
		"latin1 \xe9\n\n" FOO_LINE,
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_neq(verify(bad[i]), ERR_OK, "number %zu", i);
	cr_assert_eq(verify(FOO_TEXT
	                    "\n\xe2\x80\x94 example.com/foo Uw2QOg==\n" FOO_LINE),
	             ERR_INVALID);
}

Test(note, names_that_a_note_cannot_carry_are_refused)
{
	static const char *const bad[] = {
		"", "a b", "a+b", "a\nb", "a\tb", "a\xc2\xa0z", "a\xe2\x80\x83z", "\xff"
	};
	struct note_key k = foo(), out;
	char name[NOTE_NAME_MAX + 2];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_eq(note_key_make(bad[i], k.pub, &out, &e), ERR_INVALID,
		             "number %zu", i);
	memset(name, 'n', sizeof(name));
	name[NOTE_NAME_MAX + 1] = '\0';
	cr_assert_eq(note_key_make(name, k.pub, &out, &e), ERR_INVALID);
	name[NOTE_NAME_MAX] = '\0';
	cr_assert_eq(note_key_make(name, k.pub, &out, &e), ERR_OK);
}

Test(note, verifier_keys_that_do_not_fit_are_refused)
{
	static const char *const bad[] = {
		"",
		"+",
		"example.com/foo",
		"example.com/foo+530d903a",
		"example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
		"example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	};
	struct note_key out;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_eq(note_key_parse(bad[i], strlen(bad[i]), &out, &e),
		             ERR_INVALID, "number %zu", i);
}

static size_t make_checkpoint(const char *origin, const char *name, uint64_t size,
                              char *out, struct note_key *k)
{
	struct note_checkpoint cp = {
		.size = size, .root = {1, 2, 3}
	};
	unsigned char pub[32], secret[64], sig[64], seed[32] = { 7 };
	size_t n;

	crypto_sign_seed_keypair(pub, secret, seed);
	cr_assert_eq(note_key_make(name, pub, k, &e), ERR_OK);
	snprintf(cp.origin, sizeof(cp.origin), "%s", origin);
	n = note_checkpoint_body(&cp, out, NOTE_CHECKPOINT_MAX);
	crypto_sign_detached(sig, NULL, (unsigned char *)out, n, secret);
	return n + note_sign_line(k, sig, out + n, NOTE_CHECKPOINT_MAX - n);
}

Test(note, a_checkpoint_comes_back_as_it_was_signed)
{
	char text[NOTE_CHECKPOINT_MAX];
	struct note_checkpoint cp;
	struct note_key k;
	size_t n = make_checkpoint("vaultd/audit/00ff", "vaultd/audit/00ff", 42, text,
	                           &k);

	cr_assert_eq(n, strlen(text));
	cr_assert_eq(strncmp(text, "vaultd/audit/00ff\n42\nAQID", 25), 0, "%s", text);
	cr_assert_eq(note_checkpoint_verify(text, n, &k, &cp, &e), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(cp.origin, "vaultd/audit/00ff");
	cr_assert_eq(cp.size, 42);
	cr_assert_eq(cp.root[2], 3);
	text[19] ^= 1;
	cr_assert_eq(note_checkpoint_verify(text, n, &k, &cp, &e), ERR_VERIFY);
}

Test(note, a_checkpoint_of_another_log_is_refused)
{
	char text[NOTE_CHECKPOINT_MAX];
	struct note_checkpoint cp;
	struct note_key k;
	size_t n = make_checkpoint("vaultd/audit/other", "vaultd/audit/this", 42, text,
	                           &k);

	cr_assert_eq(note_checkpoint_verify(text, n, &k, &cp, &e), ERR_VERIFY);
}

Test(note, the_largest_checkpoint_fits)
{
	char text[NOTE_CHECKPOINT_MAX], name[NOTE_NAME_MAX + 1];
	struct note_checkpoint cp;
	struct note_key k;
	size_t n;

	memset(name, 'n', NOTE_NAME_MAX);
	name[NOTE_NAME_MAX] = '\0';
	n = make_checkpoint(name, name, 999999999999999999ull, text, &k);
	cr_assert_eq(note_checkpoint_verify(text, n, &k, &cp, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(cp.size, 999999999999999999ull);
}

Test(note, an_extension_line_is_found_where_it_may_stand)
{
	static const struct {
		const char *text, *want;
	} c[] = {
		{"o\n1\nroot\nstate 7 x\n\n\xe2\x80\x94 k sig\n", "state 7 x"},
		{ "o\n1\nroot\nother\nstate 8\n",                 "state 8"  },
		{ "o\n1\nroot\n\nstate 9\n",                      NULL       },
		{ "state 1\nstate 2\nstate 3\n\n",                NULL       },
		{ "o\n1\nroot\nstate 7",                          NULL       },
		{ "o\n1\nroot\nstat\n",                           NULL       },
		{ "",					     NULL       },
	};

	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		size_t n = 0;
		const char *got = note_checkpoint_line(c[i].text, strlen(c[i].text),
		                                       "state ", &n);

		cr_assert_eq(got == NULL, c[i].want == NULL, "case %zu", i);
		if (got != NULL)
			cr_assert(n == strlen(c[i].want) &&
			                  memcmp(got, c[i].want, n) == 0,
			          "case %zu", i);
	}
}

Test(note, bodies_that_are_no_checkpoint_are_refused)
{
#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
	static const char *const bad[] = {
		"",
		"origin\n",
		"origin\n1\n",
		"origin\n1\n" ROOT,
		"\n1\n" ROOT "\n",
		"origin\n\n" ROOT "\n",
		"origin\n01\n" ROOT "\n",
		"origin\n-1\n" ROOT "\n",
		"origin\n1 \n" ROOT "\n",
		"origin\n9999999999999999999\n" ROOT "\n",
		"origin\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2\n",
		"origin\n1\n" ROOT ROOT "\n",
	};
	static const char good[] = "example.com/behind-the-sofa\n20852163\n" ROOT
				   "\nmore\n";
	struct note_checkpoint cp;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_eq(note_checkpoint_parse(bad[i], strlen(bad[i]), &cp, &e),
		             ERR_INVALID, "number %zu", i);
	cr_assert_eq(note_checkpoint_parse(good, strlen(good), &cp, &e), ERR_OK);
	cr_assert_eq(cp.size, 20852163);
}
