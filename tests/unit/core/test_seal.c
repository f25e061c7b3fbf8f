/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/storefix.h"

static struct storefix *f;

static void setup(void)
{
	f = storefix_new();
	cr_assert_eq(storefix_open(f), ERR_OK, "%s", f->e.msg);
}

static void teardown(void)
{
	storefix_free(f);
}

TestSuite(seal, .init = setup, .fini = teardown, .timeout = 60);

static int offer(const struct seal_share *s)
{
	return seal_unseal(&f->c, s->bytes, s->len, &f->e);
}

static int progress(void)
{
	struct seal_status st;

	seal_status(&f->c, &st);
	return st.progress;
}

struct counts {
	int n, t;
	int want;
	char text[80];
};

ParameterizedTestParameters(seal, share_counts)
{
	static struct counts c[] = {
		{0,    0,   ERR_INVALID, "shares must be at least one"           },
		{ -3,  1,   ERR_INVALID, "shares must be at least one"           },
		{ 1,   0,   ERR_INVALID, "threshold must be at least one"        },
		{ 5,   1,   ERR_INVALID,
                 "threshold must be greater than one for multiple shares"        },
		{ 256, 2,   ERR_INVALID, "shares must be less than 256"          },
		{ 3,   4,   ERR_INVALID, "threshold cannot be larger than shares"},
		{ 1,   1,   ERR_OK,      ""				      },
		{ 2,   2,   ERR_OK,      ""				      },
		{ 255, 128, ERR_OK,      ""                                      },
	};

	return cr_make_param_array(struct counts, c, ARRAY_LEN(c));
}

ParameterizedTest(struct counts *c, seal, share_counts)
{
	char text[160];

	cr_assert_eq(storefix_init(f, c->n, c->t), c->want, "%d of %d: %s", c->t, c->n,
	             f->e.msg);
	cr_assert_eq(f->c.initialized, c->want == ERR_OK);
	if (c->want == ERR_OK) {
		cr_assert_eq(storefix_unseal(f, c->t), ERR_OK, "%s", f->e.msg);
		cr_assert_neq(f->c.keys, NULL);
		return;
	}
	snprintf(text, sizeof(text), "invalid seal configuration: %s", c->text);
	cr_assert_str_eq(f->e.msg, text);
}

Test(seal, wire_form_of_shares)
{
	cr_assert_eq(storefix_init(f, 3, 2), ERR_OK);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(f->share[i].len, 33u);
		cr_assert_eq(f->share[i].bytes[32], i + 1);
	}
}

Test(seal, single_share_is_the_bare_key)
{
	cr_assert_eq(storefix_init(f, 1, 1), ERR_OK);
	cr_assert_eq(f->share[0].len, 32u);
	cr_assert_eq(f->c.keys, NULL);
	cr_assert_eq(offer(&f->share[0]), ERR_OK, "%s", f->e.msg);
	cr_assert_neq(f->c.keys, NULL);
}

Test(seal, second_init_is_refused)
{
	cr_assert_eq(storefix_init(f, 1, 1), ERR_OK);
	cr_assert_eq(storefix_init(f, 1, 1), ERR_INVALID);
	cr_assert_str_eq(f->e.msg, "Vault is already initialized");
}

Test(seal, every_three_of_five_open_the_same_vault)
{
	unsigned char id[16];

	cr_assert_eq(storefix_init(f, 5, 3), ERR_OK);
	memcpy(id, f->c.vault_id, sizeof(id));
	for (int a = 0; a < 5; a++)
		for (int b = a + 1; b < 5; b++)
			for (int d = b + 1; d < 5; d++) {
				storefix_close(f);
				cr_assert_eq(storefix_open(f), ERR_OK, "%s", f->e.msg);
				cr_assert_eq(offer(&f->share[d]), ERR_OK);
				cr_assert_eq(offer(&f->share[a]), ERR_OK);
				cr_assert_eq(progress(), 2);
				cr_assert_eq(f->c.keys, NULL);
				cr_assert_eq(offer(&f->share[b]), ERR_OK, "%s", f->e.msg);
				cr_assert_neq(f->c.keys, NULL);
				cr_assert_eq(memcmp(id, f->c.vault_id, sizeof(id)), 0);
			}
}

Test(seal, a_repeated_share_makes_no_progress)
{
	struct seal_status st;

	cr_assert_eq(storefix_init(f, 5, 3), ERR_OK);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(offer(&f->share[4]), ERR_OK);
	cr_assert_eq(progress(), 1);
	seal_status(&f->c, &st);
	cr_assert_eq(strlen(st.nonce), 36u);
	seal_reset(&f->c);
	cr_assert_eq(progress(), 0);
	seal_status(&f->c, &st);
	cr_assert_str_eq(st.nonce, "");
}

static void check_refused(const struct seal_share *s, const char *what)
{
	int before = progress();

	cr_assert_eq(offer(s), ERR_INVALID, "%s", what);
	cr_assert_eq(progress(), before, "%s", what);
	cr_assert_eq(f->c.keys, NULL, "%s", what);
}

Test(seal, each_flipped_bit_of_a_share_is_named_at_once)
{
	cr_assert_eq(storefix_init(f, 3, 2), ERR_OK);
	cr_assert_eq(offer(&f->share[0]), ERR_OK);
	for (int bit = 0; bit < 33 * 8; bit++) {
		struct seal_share s = f->share[1];

		s.bytes[bit / 8] ^= (unsigned char)(1 << (bit % 8));
		check_refused(&s, "flipped bit");
	}
	cr_assert_eq(offer(&f->share[1]), ERR_OK);
	cr_assert_neq(f->c.keys, NULL);
}

Test(seal, foreign_and_malformed_shares_are_refused)
{
	struct seal_share s, foreign[3];

	cr_assert_eq(storefix_init(f, 3, 2), ERR_OK);
	memcpy(foreign, f->share, sizeof(foreign));
	storefix_free(f);
	setup();
	cr_assert_eq(storefix_init(f, 3, 2), ERR_OK);
	for (int i = 0; i < 3; i++)
		check_refused(&foreign[i], "share of another vault");
	s = f->share[0];
	s.bytes[32] = 0;
	check_refused(&s, "index 0");
	s.bytes[32] = 4;
	check_refused(&s, "index beyond the last");
	s.bytes[32] = 2;
	check_refused(&s, "index of another share");
	for (size_t len = 0; len < 33; len++) {
		s = f->share[0];
		s.len = len;
		check_refused(&s, "short share");
	}
}

Test(seal, unseal_needs_init)
{
	struct seal_share s = { .len = 33 };

	cr_assert_eq(offer(&s), ERR_UNINIT);
}

Test(seal, a_damaged_configuration_is_named)
{
	cr_assert_eq(storefix_init(f, 3, 2), ERR_OK);
	storefix_close(f);
	storefix_sql(f, "UPDATE meta SET value = substr(value, 1, 100) || x'00' || "
	                "substr(value, 102) WHERE name = 'seal'");
	cr_assert_eq(storefix_open(f), ERR_INTEGRITY);
	cr_assert_str_eq(f->e.msg, "the seal configuration is damaged");
}

Test(seal, a_missing_keyring_or_vault_id_is_named)
{
	cr_assert_eq(storefix_init(f, 1, 1), ERR_OK);
	storefix_close(f);
	storefix_sql(f, "DELETE FROM meta WHERE name = 'keyring'");
	cr_assert_eq(storefix_open(f), ERR_OK);
	cr_assert_eq(offer(&f->share[0]), ERR_INTEGRITY);
	cr_assert_eq(f->c.keys, NULL);
	cr_assert_eq(progress(), 0);
	storefix_close(f);
	storefix_sql(f, "DELETE FROM meta WHERE name = 'vault_id'");
	cr_assert_eq(storefix_open(f), ERR_INTEGRITY);
}

Test(seal, a_keyring_of_another_vault_does_not_open)
{
	cr_assert_eq(storefix_init(f, 1, 1), ERR_OK);
	storefix_close(f);
	storefix_sql(f, "UPDATE meta SET value = randomblob(16) WHERE name = 'vault_id'");
	cr_assert_eq(storefix_open(f), ERR_OK);
	cr_assert_eq(offer(&f->share[0]), ERR_INTEGRITY);
	cr_assert_eq(f->c.keys, NULL);
}

Test(seal, auto_unseal_opens_the_same_keyring)
{
	static const unsigned char key[32] = { 1, 2, 3 }, other[32] = { 9 };
	unsigned char pepper[32];
	struct seal_status st;

	f->c.opt.auto_unseal_key = key;
	cr_assert_eq(storefix_init(f, 3, 2), ERR_OK);
	cr_assert_neq(f->c.keys, NULL, "init leaves it unsealed");
	memcpy(pepper, keyring_key(f->c.keys, KEY_TOKEN_PEPPER), 32);
	storefix_close(f);

	cr_assert_eq(storefix_open(f), ERR_OK);
	seal_status(&f->c, &st);
	cr_assert(st.auto_unseal && st.sealed);
	cr_assert_str_eq(st.type, "auto");
	cr_assert_eq(seal_auto(&f->c, &f->e), ERR_OK, "%s", f->e.msg);
	cr_assert_eq(memcmp(pepper, keyring_key(f->c.keys, KEY_TOKEN_PEPPER), 32), 0);
	storefix_close(f);

	/* With another key it waits for shares, and remembers the key with them. */
	f->c.opt.auto_unseal_key = other;
	cr_assert_eq(storefix_open(f), ERR_OK);
	cr_assert_eq(seal_auto(&f->c, &f->e), ERR_NOENT);
	cr_assert_eq(f->c.keys, NULL);
	cr_assert_eq(storefix_unseal(f, 2), ERR_OK, "%s", f->e.msg);
	storefix_close(f);
	cr_assert_eq(storefix_open(f), ERR_OK);
	cr_assert_eq(seal_auto(&f->c, &f->e), ERR_OK, "%s", f->e.msg);
	cr_assert_eq(memcmp(pepper, keyring_key(f->c.keys, KEY_TOKEN_PEPPER), 32), 0);
}

Test(seal, no_auto_slot_without_a_key)
{
	static const unsigned char key[32] = { 1, 2, 3 };

	cr_assert_eq(storefix_init(f, 1, 1), ERR_OK);
	cr_assert_eq(seal_auto(&f->c, &f->e), ERR_NOENT);
	f->c.opt.auto_unseal_key = key;
	cr_assert_eq(seal_auto(&f->c, &f->e), ERR_NOENT);
	cr_assert_eq(storefix_unseal(f, 1), ERR_OK);
	storefix_close(f);
	cr_assert_eq(storefix_open(f), ERR_OK);
	cr_assert_eq(seal_auto(&f->c, &f->e), ERR_OK, "stored by the shares: %s",
	             f->e.msg);
}

Test(seal, no_key_or_share_is_in_the_file)
{
	static const unsigned char key[32] = { 77, 66, 55, 44, 33, 22, 11,
		                               1,  2,  3,  4,  5,  6,  7 };
	const unsigned char *file;
	size_t n;

	f->c.opt.auto_unseal_key = key;
	cr_assert_eq(storefix_init(f, 3, 2), ERR_OK);
	cr_assert_eq(db_checkpoint(f->c.db, true, &f->e), ERR_OK);
	file = crashvfs_file(f->disk, STOREFIX_DB, &n);
	cr_assert(n > 4096);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(memmem(file, n, f->share[i].bytes, 32), NULL);
	cr_assert_eq(memmem(file, n, key, 32), NULL);
	cr_assert_eq(memmem(file, n, keyring_key(f->c.keys, KEY_BLIND), 32), NULL);
}
