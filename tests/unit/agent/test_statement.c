/* SPDX-License-Identifier: Apache-2.0 */
#include "say.h"

#include "agent/statement.h"

static struct identity *id;
static struct arena *a;
static const unsigned char nonce[32] = { 1, 2, 3 };

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

TestSuite(statement, .init = setup, .fini = teardown, .timeout = 20);

/* "The lease has ended", as a watch says it. */
static struct say right(void)
{
	struct say s = { .op = "watch", .generation = 5, .data = value_object(a) };
	struct value *events = value_array(a), *one = value_object(a);

	memcpy(s.host, id->host_id, 16);
	memcpy(s.nonce, nonce, sizeof(nonce));
	value_set_str(a, one, "lease_id", "aa11");
	value_set_str(a, one, "op", "revoke");
	value_set_str(a, one, "reason", "operator");
	value_set_int(a, one, "rev", 42);
	value_set_bytes(a, one, "hash", "\0\1\2", 3);
	value_add(events, one);
	value_set(s.data, "events", events);
	return s;
}

static json_t *open_as(const struct say *s, const char *op, uint64_t generation)
{
	const struct statement_expect want = { op, nonce, generation, say_key };
	size_t n;
	unsigned char *p = say(a, s, &n);

	e = (struct err){ 0 };
	return statement_open(id, say_text(a, p, n), &want, &e);
}

static void refused(const struct say *s, const char *op, uint64_t generation, int code)
{
	AUTO_JSON doc = open_as(s, op, generation);

	cr_expect_null(doc);
	cr_expect_eq((int)e.code, code, "%d: %s", (int)e.code, e.msg);
}

Test(statement, is_what_the_vault_said)
{
	struct say s = right();
	AUTO_JSON doc = open_as(&s, "watch", 5);
	const json_t *event;

	cr_assert_not_null(doc, "%s", e.msg);
	event = json_array_get(json_object_get(doc, "events"), 0);
	cr_assert_str_eq(reply_str(event, "reason"), "operator");
	cr_assert_eq(reply_int(event, "rev", 0), 42);
	cr_assert_str_eq(reply_str(event, "hash"), "AAEC");
	cr_assert_eq(reply_int(doc, "generation", 0), 5);
}

Test(statement, may_be_of_a_later_generation)
{
	struct say s = right();

	s.generation = 6; /* a login was answered while the request was on its way */
	AUTO_JSON doc = open_as(&s, "watch", 5);
	cr_assert_not_null(doc, "%s", e.msg);
}

Test(statement, played_again_is_refused)
{
	struct say s = right();

	s.nonce[31] ^= 1;
	refused(&s, "watch", 5, ERR_INTEGRITY);
	cr_assert_not_null(strstr(e.msg, "played again"), "%s", e.msg);
}

Test(statement, for_another_host_is_refused)
{
	struct say s = right();

	s.host[0] ^= 1;
	refused(&s, "watch", 5, ERR_INTEGRITY);
}

Test(statement, of_an_earlier_generation_is_refused)
{
	struct say s = right();

	s.generation = 4;
	refused(&s, "watch", 5, ERR_INTEGRITY);
	s.generation = -1;
	refused(&s, "watch", 0, ERR_INTEGRITY);
}

Test(statement, in_answer_to_another_question_is_refused)
{
	const struct statement_expect want = { "sync", nonce, 5, say_key };
	struct say s = right();
	unsigned char *p;
	size_t n;

	refused(&s, "sync", 5, ERR_VERIFY);
	p = say_by(a, &s, SAY_VAULT, "sync", &n); /* within it says "watch" */
	e = (struct err){ 0 };
	cr_expect_null(statement_open(id, say_text(a, p, n), &want, &e));
	cr_expect_eq(e.code, ERR_INTEGRITY);
}

Test(statement, of_anybody_else_is_refused)
{
	struct say s = right();

	size_t n;
	unsigned char *p = say(a, &s, &n);
	const struct statement_expect want = { "watch", nonce, 5, say_key };

	say_key[0] ^= 1; /* of another session */
	e = (struct err){ 0 };
	cr_expect_null(statement_open(id, say_text(a, p, n), &want, &e));
	cr_expect_eq(e.code, ERR_VERIFY);
	say_key[0] ^= 1;
	p = say_by(a, &s, SAY_HOST, "watch", &n); /* our own words come back */
	cr_expect_null(statement_open(id, say_text(a, p, n), &want, &e));
	cr_expect_eq(e.code, ERR_VERIFY);
	p = say_by(a, &s, SAY_VAULT, "sync", &n); /* within it says "watch" */
	cr_expect_null(statement_open(id, say_text(a, p, n), &want, &e));
	cr_expect_eq(e.code, ERR_VERIFY);
	p = say_signed(a, &s, &n);
	cr_expect_null(statement_open(id, say_text(a, p, n), &want, &e));
	cr_expect_eq(e.code, ERR_VERIFY);
}

Test(statement, about_a_login_is_signed)
{
	const struct statement_expect want = { "login", nonce, 5, NULL };
	struct say s = right();
	size_t n;
	unsigned char *p;
	json_t *doc;

	s.op = "login";
	p = say_signed(a, &s, &n);
	doc = statement_open_signed(id, say_text(a, p, n), &want, &e);
	cr_assert_not_null(doc, "%s", e.msg);
	json_decref(doc);
	for (size_t i = 0; i < n; i++) {
		p[i] ^= 1;
		cr_assert_null(statement_open_signed(id, say_text(a, p, n), &want, &e));
		cr_assert_eq(e.code, ERR_VERIFY, "byte %zu", i);
		p[i] ^= 1;
	}
	cr_assert_null(statement_open_signed(id, say_text(a, p, 63), &want, &e));
	p = say(a, &s, &n);
	cr_assert_null(statement_open_signed(id, say_text(a, p, n), &want, &e));
	say_sk[0] ^= 1;
	p = say_signed(a, &s, &n);
	cr_assert_null(statement_open_signed(id, say_text(a, p, n), &want, &e));
}

Test(statement, brings_the_key_of_a_session_to_this_host_alone)
{
	unsigned char box[STATEMENT_SESSION], key[32];

	crypto_box_seal(box, say_key, 32, id->box_pk);
	cr_assert_eq(statement_session(id, false, box, key), 0);
	cr_assert_eq(memcmp(key, say_key, 32), 0);
	identity_make_next(id);
	cr_assert_neq(statement_session(id, true, box, key), 0);
	crypto_box_seal(box, say_key, 32, id->next.box_pk);
	cr_assert_eq(statement_session(id, true, box, key), 0);
	cr_assert_neq(statement_session(id, false, box, key), 0);
}

/* What the vault would make of it: the two directions are not each other's. */
Test(statement, of_ours_is_said_by_the_host)
{
	struct value *data = value_object(a), *body;
	unsigned char as[64] = "vault/host-session/v1", box[512], plain[512];
	unsigned long long len;
	json_t *text;
	long n;

	value_set_int(a, data, "version", 7);
	text = statement_say(id, say_key, "ack", a, data);
	n = text_unbase64(json_string_value(text), json_string_length(text), box,
	                  sizeof(box));
	json_decref(text);
	as[22] = SAY_HOST;
	memcpy(as + 23, "ack", 4);
	cr_assert_eq(crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &len, NULL,
	                                                        box + 24, (size_t)n - 24,
	                                                        as, 27, box, say_key),
	             0);
	cr_assert_eq(value_decode(a, plain, len, &body, &e), ERR_OK);
	cr_assert(value_is_str(value_get(body, "op"), "ack"));
	cr_assert_eq(value_int_or(body, "generation", 0), 5);
	cr_assert_eq(value_int_or(value_get(body, "data"), "version", 0), 7);
	as[22] = SAY_VAULT;
	cr_assert_neq(crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &len, NULL,
	                                                         box + 24, (size_t)n - 24,
	                                                         as, 27, box, say_key),
	              0);
}

Test(statement, refuses_every_flipped_bit)
{
	const struct statement_expect want = { "watch", nonce, 5, say_key };
	struct say s = right();
	struct value *body;
	size_t n;
	unsigned char *p = say(a, &s, &n);

	for (size_t i = 0; i < 8 * n; i++) {
		p[i / 8] ^= (unsigned char)(1u << i % 8);
		cr_assert_eq(statement_read(id, a, p, n, &want, &body, &e), ERR_VERIFY,
		             "bit %zu", i);
		p[i / 8] ^= (unsigned char)(1u << i % 8);
	}
	cr_assert_eq(statement_read(id, a, p, n, &want, &body, &e), ERR_OK);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(statement_read(id, a, p, i, &want, &body, &e), ERR_VERIFY,
		             "%zu bytes", i);
}

Test(statement, that_is_missing_is_refused)
{
	const struct statement_expect want = { "watch", nonce, 5, say_key };

	cr_assert_null(statement_open(id, NULL, &want, &e));
	cr_assert_eq(e.code, ERR_VERIFY);
	cr_assert_null(statement_open(id, "", &want, &e));
	cr_assert_eq(e.code, ERR_VERIFY);
	cr_assert_null(statement_open(id, "%%%", &want, &e));
	cr_assert_eq(e.code, ERR_VERIFY);
}

Test(statement, without_content_is_refused)
{
	struct say s = right();

	s.data = value_str(a, "x");
	refused(&s, "watch", 5, ERR_INVALID);
	s.data = value_object(a);
	value_set(s.data, "k", value_number(a, "1.5", 3));
	refused(&s, "watch", 5, ERR_INVALID);
}
