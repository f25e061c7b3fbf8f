/* SPDX-License-Identifier: Apache-2.0 */
/* Wrapped replies below the wire: what opens them, and when they are gone. */
#include "core_rig.h"

#include <sodium.h>

#include "server/core/seal/keyring.h"
#include "server/core/token/token_impl.h"
#include "server/core/wrap/wrap_impl.h"

TestSuite(wrap, .init = rig_start, .fini = rig_stop, .timeout = 60);

#define CANARY "a-value-that-must-not-show"

/* Wrap an object that holds CANARY; the token's text. */
static const char *wrap_one(void)
{
	rig.wrap_s = 60;
	ASK(200, HTTP_POST, "sys/wrapping/wrap", "{\"k\":\"" CANARY "\"}");
	rig.wrap_s = 0;
	return arena_str(rig.a, rig_got("wrap_info.token"));
}

static void load(const char *text, struct store_object *o)
{
	unsigned char id[32];
	struct err e = { 0 };

	token_hash(rig.core, text, strlen(text), id);
	cr_assert_eq(store_get(rig.core, rig.a, KIND_WRAP, id, 32, o, &e), ERR_OK, "%s",
	             e.msg);
}

static bool holds(const struct value *sealed, const char *what)
{
	return memmem(sealed->text, sealed->len, what, strlen(what)) != NULL;
}

/* With everything that the server has at rest: row, keyring, what is derived from the
 * token's id. */
Test(wrap, database_and_keyring_do_not_open_it)
{
	const char *text = wrap_one();
	struct store_object o = { 0 };
	struct wrap w = { .text = text };
	struct req r = { .core = rig.core, .a = rig.a };
	struct value *reply = NULL;
	const unsigned char *key;
	uint32_t term = 0;
	const char *const wrong[] = { "", "vlt_w_", CANARY, rig.root };
	char hex[65];

	load(text, &o);
	w.o = o;
	cr_assert(!holds(value_get(o.body, "sealed"), CANARY));
	cr_assert(!holds(value_get(o.body, "sealed"), text));
	cr_assert_eq(wrap_open(&r, &w, &reply), ERR_OK, "%s", r.e.msg);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		w.text = wrong[i];
		cr_assert_eq(wrap_open(&r, &w, &reply), ERR_INTEGRITY, "%s", wrong[i]);
	}
	sodium_bin2hex(hex, sizeof(hex), o.id, sizeof(o.id));
	w.text = hex;
	cr_assert_eq(wrap_open(&r, &w, &reply), ERR_INTEGRITY);
	/* No key of the keyring either, whatever is bound to it. */
	for (int k = 0; k < KEY__MAX + 1; k++) {
		const struct value *sealed = value_get(o.body, "sealed");
		unsigned char plain[4096];
		struct aad aad;

		key = k < KEY__MAX ? keyring_key(rig.core->keys, (enum key_id)k)
		                   : keyring_kek(rig.core->keys, &term);
		aad_init(&aad);
		cr_assert_eq(envelope_open(key, SEAL_WRAP, &aad, sealed->text,
		                           sealed->len, plain, &r.e),
		             ERR_INTEGRITY);
	}
}

/* A reply is bound to its token, its time and the path that its holder is shown. */
Test(wrap, what_is_said_of_it_cannot_be_changed)
{
	static const char *const fields[] = { "path", "created", "ttl" };
	const char *text = wrap_one();
	struct store_object o = { 0 };
	struct req r = { .core = rig.core, .a = rig.a };
	struct value *reply = NULL;

	for (size_t i = 0; i < ARRAY_LEN(fields) + 1; i++) {
		struct wrap w = { .text = text };

		load(text, &o);
		w.o = o;
		if (i < ARRAY_LEN(fields))
			value_get(w.o.body, fields[i])->text = "77777777777777777777";
		else
			w.o.id[0] ^= 1;
		cr_assert_eq(wrap_open(&r, &w, &reply), ERR_INTEGRITY, "%zu", i);
	}
}

Test(wrap, goes_with_its_token)
{
	char fields[160];
	const char *text;

	text = wrap_one();
	cr_assert_eq(store_count(rig.core, KIND_WRAP), 1);
	ASK_AS(200, text, HTTP_POST, "sys/wrapping/unwrap", NULL);
	GOT("data", "{k:" CANARY "}");
	cr_assert_eq(store_count(rig.core, KIND_WRAP), 0, "unwrapped");
	ASK_AS(400, text, HTTP_POST, "sys/wrapping/unwrap", NULL);
	text = wrap_one();
	snprintf(fields, sizeof(fields), "{\"token\":\"%s\"}", text);
	ASK(204, HTTP_POST, "auth/token/revoke", fields);
	cr_assert_eq(store_count(rig.core, KIND_WRAP), 0, "revoked");
	text = wrap_one();
	ASK_AS(403, text, HTTP_GET, "secret/data/a", NULL);
	cr_assert_eq(store_count(rig.core, KIND_WRAP), 1, "used for something else");
	ASK_AS(400, text, HTTP_POST, "sys/wrapping/unwrap", NULL);
	(void)wrap_one();
	rig_advance(61000);
	rig_run();
	cr_assert_eq(store_count(rig.core, KIND_WRAP), 0, "expired");
}

/* A read makes a timer due here, which no read does otherwise. */
Test(wrap, of_a_read_expires_too)
{
	ASK(200, HTTP_POST, "secret/data/a", "{\"data\":{\"k\":\"" CANARY "\"}}");
	for (int i = 0; i < 1000 && core_wait_ms(rig.core) < 60000; i++) {
		rig_advance(core_wait_ms(rig.core) + 1);
		rig_run();
	}
	rig.wrap_s = 30;
	ASK(200, HTTP_GET, "secret/data/a", NULL);
	cr_assert_leq(core_wait_ms(rig.core), 30000);
	rig_advance(30001);
	rig_run();
	cr_assert_eq(store_count(rig.core, KIND_WRAP), 0);
}

/* All in one batch: the first one wins there, too. */
Test(wrap, is_unwrapped_once_in_a_batch)
{
	const char *text = wrap_one();
	int before = rig.replies;
	char fields[160];

	snprintf(fields, sizeof(fields), "{\"token\":\"%s\"}", text);
	for (int i = 0; i < 20; i++)
		rig_submit(HTTP_POST, "sys/wrapping/unwrap", i % 2 ? text : rig.root,
		           i % 2 ? NULL : fields);
	rig_run();
	cr_assert_eq(rig.replies, before + 20);
	cr_assert_eq(rig.status, 400);
	cr_assert_eq(store_count(rig.core, KIND_WRAP), 0);
}

Test(wrap, a_refused_request_makes_none)
{
	rig.wrap_s = 60;
	ASK(404, HTTP_GET, "secret/data/none", NULL);
	ASK(204, HTTP_DELETE, "secret/data/none", NULL);
	ASK(400, HTTP_POST, "auth/token/create", "{\"num_uses\":-1}");
	ASK_AS(403, NULL, HTTP_GET, "secret/data/none", NULL);
	ASK_AS(400, NULL, HTTP_POST, "sys/wrapping/lookup", NULL);
	ASK_AS(200, NULL, HTTP_GET, "sys/init", NULL);
	GOT("initialized", "true");
	cr_assert_eq(store_count(rig.core, KIND_WRAP), 0);
}

/* Everything or nothing: a reply too large to keep undoes what the request did. */
Test(wrap, what_cannot_be_kept_did_not_happen)
{
	char *fields = malloc(3u << 20);
	int64_t before;

	memset(fields, 'x', 3u << 20);
	memcpy(fields, "{\"k\":\"", 6);
	memcpy(fields + (3u << 20) - 3, "\"}", 3);
	before = store_count(rig.core, KIND_TOKEN);
	rig.wrap_s = 60;
	cr_assert_eq(rig_ask(HTTP_POST, "sys/wrapping/wrap", fields), 413, "%s",
	             rig_got(""));
	cr_assert_eq(store_count(rig.core, KIND_TOKEN), before);
	cr_assert_eq(store_count(rig.core, KIND_WRAP), 0);
	free(fields);
}
