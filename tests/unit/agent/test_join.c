/* SPDX-License-Identifier: Apache-2.0 */
#include "say.h"

#include "agent/join.h"
#include "agent/witness.h"
#include "file.h"

static struct identity *id;
static struct arena *a;
static const char token[] = "vlt_j_0123456789";
static unsigned char mac[32];

static void setup(void)
{
	rig_open();
	a = arena_new(8 << 20);
	id = say_identity();
	memset(mac, 3, sizeof(mac));
}

static void teardown(void)
{
	identity_free(id);
	arena_free(a);
	rig_close();
}

TestSuite(join, .init = setup, .fini = teardown, .timeout = 20);

static const char pin[] = "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/* The server's answer, as it makes it; ${skip} names a member that is left out. */
static struct value *answer(const char *skip)
{
	struct value *all = value_object(a), *out = value_object(a);
	struct value *pins = value_array(a);
	struct note_key key;
	static unsigned char order[32];
	char *audit = arena_alloc(a, NOTE_KEY_TEXT_MAX);

	memset(order, 6, sizeof(order));
	cr_assert_eq(note_key_make("vault.test/log", order, &key, &e), ERR_OK);
	note_key_format(&key, audit);
	value_add(pins, value_str(a, pin));
	value_set_str(a, all, "host_id", "0102030405060708090a0b0c0d0e0f10");
	value_set_str(a, all, "name", "web1");
	value_set_str(a, all, "vault_id", "1112131415161718191a1b1c1d1e1f20");
	value_set_bytes(a, all, "order_key", order, 32);
	value_set_str(a, all, "audit_key", audit);
	value_set(all, "pins", pins);
	value_set_int(a, all, "generation", 3);
	for (struct value *v = all->first; v != NULL; v = v->next)
		if (skip == NULL || strlen(skip) != v->key_len ||
		    memcmp(skip, v->key, v->key_len) != 0)
			value_setn(out, v->key, v->key_len, value_copy(a, v));
	return out;
}

static json_t *reply(const unsigned char *p, size_t n, const unsigned char proof[32])
{
	json_t *o = json_object();

	json_object_set_new(o, "joined", json_string(say_text(a, p, n)));
	cr_assert_eq(reply_set_base64(o, "mac", proof, 32), 0);
	return o;
}

static int accept_it(const unsigned char *p, size_t n, const unsigned char proof[32])
{
	AUTO_JSON o = reply(p, n, proof);

	return join_accept(token, id, mac, o, &e);
}

/* BLAKE2b(key = BLAKE2b("vault/join-key/v1\0" token), "vault/joined/v1\0" mac body) */
static void prove(const unsigned char *p, size_t n, unsigned char proof[32])
{
	unsigned char text[4096], key[32];
	size_t len = sizeof("vault/join-key/v1");

	memcpy(text, "vault/join-key/v1", len);
	memcpy(text + len, token, strlen(token));
	crypto_generichash(key, 32, text, len + strlen(token), NULL, 0);
	len = sizeof("vault/joined/v1");
	memcpy(text, "vault/joined/v1", len);
	memcpy(text + len, mac, 32);
	memcpy(text + len + 32, p, n);
	crypto_generichash(proof, 32, text, len + 32 + n, key, sizeof(key));
}

Test(join, takes_what_is_proven)
{
	unsigned char proof[32], *p;
	size_t n;

	p = value_pack(a, answer(NULL), &n);
	prove(p, n, proof);
	cr_assert_eq(accept_it(p, n, proof), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(id->name, "web1");
	cr_assert_eq(id->generation, 3);
	cr_assert_eq(id->pins.n, 1);
	cr_assert_eq(id->host_id[15], 0x10);
	cr_assert_eq(id->order_key[0], 6);
}

/* Every bit of every member: id, names, keys, pins, generation, and what is between. */
Test(join, refuses_every_change_to_the_answer)
{
	unsigned char proof[32], *p;
	size_t n;

	p = value_pack(a, answer(NULL), &n);
	prove(p, n, proof);
	for (size_t i = 0; i < 8 * n; i++) {
		p[i / 8] ^= (unsigned char)(1u << i % 8);
		cr_assert_eq(accept_it(p, n, proof), ERR_VERIFY, "bit %zu", i);
		p[i / 8] ^= (unsigned char)(1u << i % 8);
	}
	cr_assert_eq(accept_it(p, n - 1, proof), ERR_VERIFY);
	proof[0] ^= 1;
	cr_assert_eq(accept_it(p, n, proof), ERR_VERIFY);
}

/* With other keys, or over another server's key, the request's own proof differs. */
Test(join, refuses_the_answer_to_another_request)
{
	unsigned char proof[32], *p;
	size_t n;

	p = value_pack(a, answer(NULL), &n);
	prove(p, n, proof);
	mac[5] ^= 1;
	cr_assert_eq(accept_it(p, n, proof), ERR_VERIFY);
}

Test(join, needs_every_member)
{
	static const char *const all[] = { "host_id",   "name", "vault_id",  "order_key",
		                           "audit_key", "pins", "generation" };
	unsigned char proof[32], *p;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		p = value_pack(a, answer(all[i]), &n);
		prove(p, n, proof);
		cr_expect_eq(accept_it(p, n, proof), ERR_INVALID, "%s", all[i]);
	}
	{
		AUTO_JSON empty = json_object();

		cr_assert_eq(join_accept(token, id, mac, empty, &e), ERR_INVALID);
	}
}

static void remembered(const char *name)
{
	char path[PATH_MAX];

	cr_assert_eq(file_write_path(rig_path(name, path), "old", 3, 0600, &e), ERR_OK);
}

Test(join, forgets_the_life_before_however_often_it_is_killed)
{
	struct identity *again = identity_new();

	remembered("floor");
	remembered(WITNESS_FILE);
	id->fresh = true;
	cr_assert_eq(identity_save(rig_dir, id, &e), ERR_OK, "%s", e.msg);
	/* Killed here; what follows is the next start. */
	cr_assert_eq(identity_load(rig_dir, again, &e), ERR_OK, "%s", e.msg);
	cr_assert(again->fresh);
	cr_assert_eq(join_finish(rig_dir, again, &e), ERR_OK, "%s", e.msg);
	cr_assert(!rig_exists("floor") && !rig_exists(WITNESS_FILE));
	/* And never again. */
	remembered("floor");
	cr_assert_eq(identity_load(rig_dir, again, &e), ERR_OK, "%s", e.msg);
	cr_assert_not(again->fresh);
	cr_assert_eq(join_finish(rig_dir, again, &e), ERR_OK, "%s", e.msg);
	cr_assert(rig_exists("floor"));
	identity_free(again);
}
