/* SPDX-License-Identifier: Apache-2.0 */
#include "say.h"

#include "agent/sealed.h"

static struct identity *id;
static struct arena *a;
static const unsigned char nonce[32] = { 9 };
static struct sealed_expect want = {
	.request = {"fetch", nonce, 5, say_key},
	.lease_id = "aa11",
	.path = "secret/app/db",
	.min_version = 3,
	.min_rev = 20,
};

static void setup(void)
{
	rig_open();
	a = arena_new(8 << 20);
	id = say_identity();
}

static void teardown(void)
{
	identity_free(id);
	arena_free(a);
	rig_close();
}

TestSuite(sealed, .init = setup, .fini = teardown, .timeout = 20);

struct made {
	const char *lease_id, *path, *op;
	int64_t version, rev;
	bool fields;
	unsigned char host[16], nonce[32];
};

static struct made right(void)
{
	struct made m = { "aa11", "secret/app/db", "fetch", 3, 20, true, { 0 }, { 0 } };

	memcpy(m.host, id->host_id, 16);
	memcpy(m.nonce, nonce, 32);
	return m;
}

/* As the vault makes it. */
static char *seal(const struct made *m)
{
	struct say s = { .op = m->op, .generation = 5, .data = value_object(a) };
	struct value *fields = value_object(a);
	unsigned char *box;
	size_t n;

	memcpy(s.host, m->host, 16);
	memcpy(s.nonce, m->nonce, 32);
	value_set_str(a, s.data, "lease_id", m->lease_id);
	value_set_str(a, s.data, "path", m->path);
	value_set_int(a, s.data, "version", m->version);
	value_set_int(a, s.data, "rev", m->rev);
	value_set_str(a, fields, "password", "hunter2");
	value_set(s.data, "data", m->fields ? fields : value_null(a));
	box = say_by(a, &s, SAY_VAULT, "fetch", &n);
	return say_text(a, box, n);
}

static int open_it(const char *text)
{
	struct sealed_value v = { .data = NULL };
	int rc = sealed_open(id, a, text, &want, &v, &e);

	if (rc == ERR_OK) {
		cr_assert(value_is_str(value_get(v.data, "password"), "hunter2"));
		cr_assert_geq(v.version, want.min_version);
		cr_assert_geq(v.rev, want.min_rev);
	}
	return rc;
}

Test(sealed, opens_what_was_sealed_for_it)
{
	struct made m = right();

	cr_assert_eq(open_it(seal(&m)), ERR_OK, "%s", e.msg);
	m.version = 4;
	m.rev = 21;
	cr_assert_eq(open_it(seal(&m)), ERR_OK, "%s", e.msg);
}

Test(sealed, refuses_every_flipped_bit)
{
	struct made m = right();
	char *text = seal(&m);
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

Test(sealed, refuses_what_was_sealed_in_another_session)
{
	static unsigned char other[32];
	struct made m = right();
	char *text = seal(&m);

	want.request.key = other;
	cr_assert_eq(open_it(text), ERR_VERIFY);
}

Test(sealed, refuses_what_is_for_another_host_or_request)
{
	struct made m = right();

	m.host[15] ^= 1;
	cr_assert_eq(open_it(seal(&m)), ERR_INTEGRITY);
	m = right();
	m.nonce[0] ^= 1; /* the reply to an earlier fetch */
	cr_assert_eq(open_it(seal(&m)), ERR_INTEGRITY);
	cr_assert_not_null(strstr(e.msg, "played again"), "%s", e.msg);
	m = right();
	m.op = "sync";
	cr_assert_eq(open_it(seal(&m)), ERR_INTEGRITY);
}

Test(sealed, refuses_another_lease_or_path)
{
	struct made m = right();

	m.lease_id = "bb22";
	cr_assert_eq(open_it(seal(&m)), ERR_INTEGRITY);
	m = right();
	m.path = "secret/app/other";
	cr_assert_eq(open_it(seal(&m)), ERR_INTEGRITY);
}

Test(sealed, refuses_an_older_version_or_revision)
{
	struct made m = right();

	m.version = 2;
	cr_assert_eq(open_it(seal(&m)), ERR_INTEGRITY);
	cr_assert_not_null(strstr(e.msg, "older"), "%s", e.msg);
	m = right();
	m.rev = 19;
	cr_assert_eq(open_it(seal(&m)), ERR_INTEGRITY);
	cr_assert_not_null(strstr(e.msg, "older"), "%s", e.msg);
}

Test(sealed, refuses_a_body_without_fields)
{
	struct made m = right();

	m.fields = false;
	cr_assert_eq(open_it(seal(&m)), ERR_INTEGRITY);
}
