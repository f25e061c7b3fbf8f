/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "agent/sealed.h"
#include "text.h"

static struct identity *id;
static unsigned char vault_sk[64];
static struct arena *a;
static const struct sealed_expect want = { "aa11", "secret/app/db", 3 };

static void setup(void)
{
	rig_open();
	a = arena_new(8 << 20);
	id = identity_new();
	identity_make_keys(id);
	crypto_sign_keypair(id->order_key, vault_sk);
	memset(id->host_id, 7, sizeof(id->host_id));
}

static void teardown(void)
{
	identity_free(id);
	arena_free(a);
	rig_close();
}

TestSuite(sealed, .init = setup, .fini = teardown, .timeout = 20);

struct made {
	const char *lease_id, *path;
	int64_t version;
	unsigned char host[16];
};

static struct value *body_of(const struct made *m)
{
	struct value *body = value_object(a), *data = value_object(a);
	char *hex = arena_alloc(a, 33);

	text_hex(m->host, 16, hex);
	value_set_str(a, body, "lease_id", m->lease_id);
	value_set_str(a, body, "path", m->path);
	value_set_int(a, body, "version", m->version);
	value_set_str(a, body, "host_id", hex);
	value_set_int(a, body, "issued_ms", 1);
	value_set_str(a, data, "password", "hunter2");
	value_set(body, "data", data);
	return body;
}

/* As the vault makes it: sealed(signature || body), the signature over context || body.
 */
static char *seal(const struct value *body)
{
	static const char context[] = "vault/host-value/v1";
	size_t n = 0;
	unsigned char *packed = value_pack(a, body, &n);
	unsigned char *msg = arena_alloc(a, sizeof(context) + n);
	unsigned char *plain = arena_alloc(a, 64 + n);
	unsigned char *box = arena_alloc(a, 64 + n + crypto_box_SEALBYTES);
	char *text = arena_alloc(a, TEXT_BASE64_LEN(64 + n + crypto_box_SEALBYTES) + 1);

	memcpy(msg, context, sizeof(context));
	memcpy(msg + sizeof(context), packed, n);
	crypto_sign_detached(plain, NULL, msg, sizeof(context) + n, vault_sk);
	memcpy(plain + 64, packed, n);
	cr_assert_eq(crypto_box_seal(box, plain, 64 + n, id->box_pk), 0);
	text_base64(box, 64 + n + crypto_box_SEALBYTES, text);
	return text;
}

static struct made right(void)
{
	struct made m = { "aa11", "secret/app/db", 3, { 0 } };

	memcpy(m.host, id->host_id, 16);
	return m;
}

static int open_it(const char *text)
{
	struct value *data = NULL;
	int64_t version = 0;
	int rc = sealed_open(id, a, text, &want, &version, &data, &e);

	if (rc == ERR_OK) {
		cr_assert(value_is_str(value_get(data, "password"), "hunter2"));
		cr_assert_geq(version, want.min_version);
	}
	return rc;
}

Test(sealed, opens_what_was_sealed_for_it)
{
	struct made m = right();

	cr_assert_eq(open_it(seal(body_of(&m))), ERR_OK, "%s", e.msg);
	m.version = 4;
	cr_assert_eq(open_it(seal(body_of(&m))), ERR_OK, "%s", e.msg);
}

Test(sealed, refuses_every_flipped_bit)
{
	struct made m = right();
	char *text = seal(body_of(&m));
	size_t cap = strlen(text);
	unsigned char *box = arena_alloc(a, cap);
	char *again = arena_alloc(a, cap + 1);
	long n = text_unbase64(text, cap, box, cap);

	cr_assert_gt(n, 0);
	for (long i = 0; i < n; i++) {
		box[i] ^= 0x10;
		text_base64(box, (size_t)n, again);
		cr_assert_eq(open_it(again), ERR_VERIFY, "byte %ld", i);
		box[i] ^= 0x10;
	}
	cr_assert_eq(open_it(""), ERR_VERIFY);
	cr_assert_eq(open_it("!!!"), ERR_VERIFY);
}

Test(sealed, refuses_what_another_vault_signed)
{
	struct made m = right();

	vault_sk[0] ^= 1;
	cr_assert_eq(open_it(seal(body_of(&m))), ERR_VERIFY);
}

Test(sealed, refuses_what_is_for_another_host)
{
	struct made m = right();

	m.host[15] ^= 1;
	cr_assert_eq(open_it(seal(body_of(&m))), ERR_INTEGRITY);
}

Test(sealed, refuses_another_lease_path_or_an_older_version)
{
	struct made m = right();

	m.lease_id = "bb22";
	cr_assert_eq(open_it(seal(body_of(&m))), ERR_INTEGRITY);
	m = right();
	m.path = "secret/app/other";
	cr_assert_eq(open_it(seal(body_of(&m))), ERR_INTEGRITY);
	m = right();
	m.version = 2;
	cr_assert_eq(open_it(seal(body_of(&m))), ERR_INTEGRITY);
	cr_assert_not_null(strstr(e.msg, "older"), "%s", e.msg);
}

Test(sealed, refuses_a_body_without_fields)
{
	struct made m = right();
	struct value *body = body_of(&m);

	value_get(body, "data")->type = V_NULL;
	value_get(body, "data")->len = 0;
	cr_assert_eq(open_it(seal(body)), ERR_INTEGRITY);
}
