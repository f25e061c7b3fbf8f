/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "agent/identity.h"
#include "agent/identity_seal.h"
#include "agent/join.h"
#include "file.h"
#include "text.h"

static struct identity *id, *again;

static void setup(void)
{
	rig_open();
	id = identity_new();
	again = identity_new();
	cr_assert(id != NULL && again != NULL);
	identity_make_keys(id);
	memset(id->host_id, 7, sizeof(id->host_id));
	memset(id->vault_id, 8, sizeof(id->vault_id));
	memset(id->order_key, 9, sizeof(id->order_key));
	snprintf(id->name, sizeof(id->name), "web-1");
	snprintf(id->server, sizeof(id->server), "https://v:8200");
	snprintf(id->hosts_server, sizeof(id->hosts_server), "https://v:8201");
	snprintf(id->audit_key, sizeof(id->audit_key), "vault+00000000+AAAA");
	id->generation = 41;
	memset(id->pins.pin, 3, sizeof(id->pins.pin));
	id->pins.n = 1;
}

static void teardown(void)
{
	identity_free(id);
	identity_free(again);
	rig_close();
}

TestSuite(identity, .init = setup, .fini = teardown, .timeout = 20);

static void set_mode(mode_t mode)
{
	char path[PATH_MAX];

	cr_assert_eq(chmod(rig_path(IDENTITY_FILE, path), mode), 0);
}

Test(identity, comes_back_as_it_was)
{
	char path[PATH_MAX];
	struct stat st;

	cr_assert_eq(identity_save(rig_dir, id, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(identity_load(rig_dir, again, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(memcmp(id->sign_sk, again->sign_sk, sizeof(id->sign_sk)), 0);
	cr_assert_eq(memcmp(id->box_sk, again->box_sk, sizeof(id->box_sk)), 0);
	cr_assert_eq(memcmp(id->host_id, again->host_id, 16), 0);
	cr_assert_eq(memcmp(id->vault_id, again->vault_id, 16), 0);
	cr_assert_eq(memcmp(id->order_key, again->order_key, 32), 0);
	cr_assert_eq(memcmp(id->digest_key, again->digest_key, 32), 0);
	cr_assert_str_eq(again->name, "web-1");
	cr_assert_str_eq(again->hosts_server, "https://v:8201");
	cr_assert_str_eq(again->audit_key, id->audit_key);
	cr_assert_eq(again->generation, 41);
	cr_assert(pins_equal(&again->pins, &id->pins));
	cr_assert_eq(stat(rig_path(IDENTITY_FILE, path), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
}

Test(identity, says_that_the_host_has_not_joined)
{
	cr_assert_eq(identity_load(rig_dir, again, &e), ERR_NOENT);
	cr_assert_not_null(strstr(e.msg, "has not joined"), "%s", e.msg);
}

Test(identity, refuses_a_file_that_others_can_reach)
{
	static const mode_t bad[] = { 0640, 0604, 0660, 0620 };

	cr_assert_eq(identity_save(rig_dir, id, &e), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		set_mode(bad[i]);
		cr_expect_eq(identity_load(rig_dir, again, &e), ERR_DENIED, "%o", bad[i]);
	}
	set_mode(0600);
	cr_expect_eq(identity_load(rig_dir, again, &e), ERR_OK, "%s", e.msg);
}

Test(identity, notices_damage)
{
	char path[PATH_MAX];
	off_t size;
	int fd;

	cr_assert_eq(identity_save(rig_dir, id, &e), ERR_OK);
	fd = open(rig_path(IDENTITY_FILE, path), O_RDWR);
	size = lseek(fd, 0, SEEK_END);
	for (off_t n = size - 1; n >= 0; n -= n > 64 ? 37 : 1) {
		cr_assert_eq(ftruncate(fd, n), 0);
		cr_assert_eq(identity_load(rig_dir, again, &e), ERR_INTEGRITY, "at %ld",
		             (long)n);
	}
	close(fd);
}

Test(identity, replaces_the_file_as_a_whole)
{
	cr_assert_eq(identity_save(rig_dir, id, &e), ERR_OK);
	id->generation = 42;
	cr_assert_eq(identity_save(rig_dir, id, &e), ERR_OK);
	cr_assert_eq(identity_load(rig_dir, again, &e), ERR_OK);
	cr_assert_eq(again->generation, 42);
}

Test(identity, signs_a_login_over_everything_that_it_names)
{
	unsigned char nonce[32] = { 1 }, pin[32] = { 2 }, sig[64], other[64];
	unsigned char msg[20 + 16 + 16 + 32 + 8 + 32];

	memcpy(msg, "vault/host-login/v1", 20);
	memcpy(msg + 20, id->vault_id, 16);
	memcpy(msg + 36, id->host_id, 16);
	memcpy(msg + 52, nonce, 32);
	memset(msg + 84, 0, 8);
	msg[91] = 41;
	memcpy(msg + 92, pin, 32);
	identity_sign_login(id, false, nonce, pin, sig);
	cr_assert_eq(crypto_sign_verify_detached(sig, msg, sizeof(msg), id->sign_pk), 0);
	pin[0] = 3;
	identity_sign_login(id, false, nonce, pin, other);
	cr_assert_neq(memcmp(sig, other, sizeof(sig)), 0);
	id->generation++;
	pin[0] = 2;
	identity_sign_login(id, false, nonce, pin, other);
	cr_assert_neq(memcmp(sig, other, sizeof(sig)), 0);
}

#define TOKEN "vlt_j_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL"

Test(identity, names_and_proves_the_join_token_without_sending_it)
{
	unsigned char want[32], key[32], mac[32], pin[32] = { 5 };
	unsigned char msg[14 + 96];
	char hex[33], got[33];

	crypto_generichash(want, 16, (const unsigned char *)"vault/join-id/v1\0" TOKEN,
	                   17 + strlen(TOKEN), NULL, 0);
	text_hex(want, 16, hex);
	join_id(TOKEN, got);
	cr_assert_str_eq(got, hex);

	crypto_generichash(key, 32, (const unsigned char *)"vault/join-key/v1\0" TOKEN,
	                   18 + strlen(TOKEN), NULL, 0);
	memcpy(msg, "vault/join/v1", 14);
	memcpy(msg + 14, id->sign_pk, 32);
	memcpy(msg + 46, id->box_pk, 32);
	memcpy(msg + 78, pin, 32);
	crypto_generichash(want, 32, msg, sizeof(msg), key, 32);
	join_mac(TOKEN, id, pin, mac);
	cr_assert_eq(memcmp(mac, want, 32), 0);
}

Test(identity, co_signs_the_text_of_a_note)
{
	static const char note[] = "vault\n10\nroot\n\n\xe2\x80\x94 vault sig\n";
	static const char want[] = "vault/cosign/v1\0vault\n10\nroot\n";
	unsigned char sig[64];

	cr_assert_eq(identity_cosign(id, note, sig, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(crypto_sign_verify_detached(sig, (const unsigned char *)want,
	                                         sizeof(want) - 1, id->sign_pk),
	             0);
	cr_assert_eq(identity_cosign(id, "no note\n", sig, &e), ERR_INVALID);
}

static int login_ok(const struct identity *who, const unsigned char pk[32], bool next)
{
	static const unsigned char nonce[32] = { 1 }, pin[32] = { 2 };
	unsigned char sig[64], msg[20 + 16 + 16 + 32 + 8 + 32] = "vault/host-login/v1";

	memcpy(msg + 20, who->vault_id, 16);
	memcpy(msg + 36, who->host_id, 16);
	memcpy(msg + 52, nonce, 32);
	msg[91] = (unsigned char)who->generation;
	memcpy(msg + 92, pin, 32);
	identity_sign_login(who, next, nonce, pin, sig);
	return crypto_sign_verify_detached(sig, msg, sizeof(msg), pk);
}

Test(identity, keeps_keys_that_are_to_come_apart)
{
	unsigned char want[20 + 16 + 8 + 64] = "vault/host-rekey/v1", proof[64],
					 digest[32];

	memcpy(digest, id->digest_key, 32);
	identity_make_next(id);
	cr_assert_eq(identity_save(rig_dir, id, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(identity_load(rig_dir, again, &e), ERR_OK, "%s", e.msg);
	cr_assert(again->has_next && !again->has_last);
	cr_assert_eq(memcmp(&again->next, &id->next, sizeof(id->next)), 0);
	cr_assert_eq(login_ok(again, id->sign_pk, false), 0);
	cr_assert_eq(login_ok(again, id->next.sign_pk, true), 0);
	identity_prove_next(again, proof);
	memcpy(want + 20, id->host_id, 16);
	want[43] = (unsigned char)id->generation;
	memcpy(want + 44, id->next.sign_pk, 32);
	memcpy(want + 76, id->next.box_pk, 32);
	cr_assert_eq(crypto_sign_verify_detached(proof, want, sizeof(want),
	                                         id->next.sign_pk),
	             0);
	identity_promote(again, 777);
	cr_assert_eq(identity_save(rig_dir, again, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(identity_load(rig_dir, again, &e), ERR_OK, "%s", e.msg);
	cr_assert(!again->has_next && again->has_last && again->keys_since == 777);
	cr_assert_eq(memcmp(again->sign_sk, id->next.sign_sk, 64), 0);
	cr_assert_eq(memcmp(again->box_sk, id->next.box_sk, 32), 0);
	cr_assert_eq(memcmp(again->last_box_sk, id->box_sk, 32), 0);
	cr_assert_eq(memcmp(again->digest_key, digest, 32), 0,
	             "files in place are still known");
	identity_drop_next(id);
	cr_assert(sodium_is_zero((const unsigned char *)&id->next, sizeof(id->next)));
}

Test(identity, sealed_by_a_credential_says_nothing_without_it)
{
	char path[PATH_MAX];
	const char *raw;
	int fd;

	setenv("CREDENTIALS_DIRECTORY", rig_dir, 1);
	cr_assert_eq(identity_credential(id, &e), ERR_OK, "there need not be one");
	cr_assert_not(id->has_seal);
	cr_assert_eq(file_write_path(rig_path(IDENTITY_CREDENTIAL, path), "short", 5,
	                             0600, &e),
	             ERR_OK);
	cr_assert_eq(identity_credential(id, &e), ERR_INVALID);
	cr_assert_eq(file_write_path(path, "0123456789abcdef0123456789abcdef", 32, 0600,
	                             &e),
	             ERR_OK);
	cr_assert_eq(identity_credential(id, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(identity_save(rig_dir, id, &e), ERR_OK, "%s", e.msg);
	cr_assert_not(rig_holds("web-1"), "nothing in the clear");
	cr_assert_eq(identity_load(rig_dir, again, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(memcmp(id->sign_sk, again->sign_sk, sizeof(id->sign_sk)), 0);
	cr_assert_not_null((raw = rig_read(IDENTITY_FILE)));
	fd = open(rig_path(IDENTITY_FILE, path), O_WRONLY);
	for (off_t i = 0; i < (off_t)strlen("vault-agent identity sealed 1\n") + 100;
	     i++) {
		char c = (char)(raw[i] ^ 1);

		cr_assert_eq(pwrite(fd, &c, 1, i), 1);
		cr_assert_eq(identity_load(rig_dir, again, &e), ERR_INTEGRITY, "byte %ld",
		             (long)i);
		cr_assert_eq(pwrite(fd, &raw[i], 1, i), 1);
	}
	close(fd);
	again->has_seal = false;
	unsetenv("CREDENTIALS_DIRECTORY");
	cr_assert_eq(identity_load(rig_dir, again, &e), ERR_DENIED);
}
