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
	const struct statement_expect want = { op, nonce, generation };
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
	struct say s = right();

	refused(&s, "sync", 5, ERR_INTEGRITY);
}

Test(statement, of_anybody_else_is_refused)
{
	struct say s = right();

	say_sk[0] ^= 1;
	refused(&s, "watch", 5, ERR_VERIFY);
}

Test(statement, refuses_every_flipped_bit)
{
	const struct statement_expect want = { "watch", nonce, 5 };
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
	cr_assert_eq(statement_read(id, a, p, n - 1, &want, &body, &e), ERR_VERIFY);
	cr_assert_eq(statement_read(id, a, p, 63, &want, &body, &e), ERR_VERIFY);
}

Test(statement, that_is_missing_is_refused)
{
	const struct statement_expect want = { "watch", nonce, 5 };

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
