/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "rng.h"
#include "tests/lib/storefix.h"

static struct storefix *f;

static void setup(void)
{
	f = storefix_new();
	storefix_ready(f);
}

static void teardown(void)
{
	storefix_free(f);
}

TestSuite(store_tamper, .init = setup, .fini = teardown, .timeout = 120);

static int get(enum store_kind kind, int id, struct store_object *out)
{
	struct store_object o = storefix_object(f, kind, id, "");

	return store_get(&f->c, f->a, kind, o.id, o.id_len, out, &f->e);
}

static void must(int rc)
{
	cr_assert_eq(rc, ERR_OK, "%s", f->e.msg);
}

static void batch(void)
{
	must(storefix_begin(f));
}

static void commit(void)
{
	must(storefix_commit(f));
}

static unsigned char secret[32] = { 5, 6, 7 };

/* ---- tampering: whoever can write the file ---- */

static void populate(void)
{
	batch();
	for (int i = 0; i < 5; i++) {
		struct store_object o = storefix_object(f, KIND_POLICY, i, "rule");

		memset(o.parent, 3, o.parent_len = 32);
		o.due = 500 + i;
		must(store_put(&f->c, &o, &f->e));
	}
	must(payload_put(&f->c, secret, 1, 0, "one", 3, &f->e));
	must(payload_put(&f->c, secret, 2, 0, "two", 3, &f->e));
	commit();
	must(storefix_verify(f));
}

struct tamper {
	char name[32];
	char sql[300];
	int reads_fail; /* is a read refused, or is it found by the state MAC alone? */
	int at_unseal;  /* … or at unseal already? */
};

#define ROW(n) "substr(id, 2, 1) = x'0" #n "' AND kind = 2"

ParameterizedTestParameters(store_tamper, tampering_is_detected)
{
	static struct tamper c[] = {
		{"swap two bodies",
                 "UPDATE object SET sealed = (SELECT sealed FROM object WHERE " ROW(
			  1) ") WHERE " ROW(0),
                 1,										    0},
		{ "change the version",       "UPDATE object SET version = 9 WHERE " ROW(0),        1,
                 0										      },
		{ "change the due time",      "UPDATE object SET due = 1 WHERE " ROW(0),            1,
                 0										      },
		{ "drop the due time",        "UPDATE object SET due = NULL WHERE " ROW(0),         1,
                 0										      },
		{ "change the parent",
                 "UPDATE object SET parent = zeroblob(32) WHERE " ROW(0),                           1, 0},
		{ "drop the parent",          "UPDATE object SET parent = NULL WHERE " ROW(0),      1,
                 0										      },
		{ "add a tag",                "UPDATE object SET tag = zeroblob(32) WHERE " ROW(0), 1,
                 0										      },
		{ "long parent",
                 "UPDATE object SET parent = zeroblob(4000) WHERE " ROW(0),                         1, 0},
		{ "empty body",               "UPDATE object SET sealed = x'' WHERE " ROW(0),       1, 0},
		{ "another key term",
                 "UPDATE object SET sealed = substr(sealed, 1, 7) || x'02' || substr(sealed, 9) "
		  "WHERE " ROW(0),
                 1,										    0},
		{ "delete a row",             "DELETE FROM object WHERE " ROW(0),                   0, 0},
		{ "delete a payload",         "DELETE FROM payload WHERE version = 1",              0, 0},
		{ "another kind",             "UPDATE object SET kind = 6 WHERE " ROW(0),           0, 0},
		{ "swap payloads",
                 "UPDATE payload SET sealed = (SELECT sealed FROM payload WHERE version = 1) "
		  "WHERE version = 2",		                                              1, 0},
		{ "swap payloads and keys",
                 "UPDATE payload SET version = 10 WHERE version = 1; "
		  "UPDATE payload SET version = 1 WHERE version = 2",		               1, 0},
		{ "cut a data key",           "UPDATE payload SET wrapped = x'00'",                 1, 0},
		{ "cut a payload",            "UPDATE payload SET sealed = x'00'",                  1, 0},
		{ "delete the state",         "DELETE FROM object WHERE kind = 14",                 0, 1},
		{ "change the state counter",
                 "UPDATE object SET version = 99 WHERE kind = 14",                                  0, 1},
		{ "damage the state",
                 "UPDATE object SET sealed = zeroblob(length(sealed)) "
		  "WHERE kind = 14",		                                                0, 1},
	};

	return cr_make_param_array(struct tamper, c, ARRAY_LEN(c));
}

static int read_all(void)
{
	struct store_object o;
	unsigned char *p;
	size_t n;
	int worst = ERR_OK, rc;

	for (int i = 0; i < 5; i++)
		if ((rc = get(KIND_POLICY, i, &o)) != ERR_OK && rc != ERR_NOENT)
			worst = rc;
	for (int v = 1; v <= 2; v++) {
		rc = payload_get(&f->c, f->a, secret, v, 0, &p, &n, &f->e);
		if (rc != ERR_OK && rc != ERR_NOENT)
			worst = rc;
		if (rc == ERR_OK)
			cr_assert(n == 3 && memcmp(p, v == 1 ? "one" : "two", 3) == 0,
			          "the wrong plaintext was given out");
	}
	return worst;
}

ParameterizedTest(struct tamper *c, store_tamper, tampering_is_detected)
{
	populate();
	storefix_close(f);
	storefix_sql(f, c->sql);
	must(storefix_open(f));
	cr_assert_eq(storefix_unseal(f, 1), c->at_unseal ? ERR_INTEGRITY : ERR_OK,
	             "%s: %s", c->name, f->e.msg);
	if (c->at_unseal)
		return;
	cr_assert_eq(read_all(), c->reads_fail ? ERR_INTEGRITY : ERR_OK, "%s", c->name);
	cr_assert_eq(storefix_verify(f), ERR_INTEGRITY, "%s", c->name);
}

Test(store_tamper, every_flipped_bit_of_a_row_is_detected)
{
	struct store_object o = storefix_object(f, KIND_ROTATION, 1, "a body"), got;
	unsigned char *file, *row;
	size_t n;

	batch();
	must(store_put(&f->c, &o, &f->e));
	commit();
	storefix_close(f);
	file = crashvfs_file(f->disk, STOREFIX_DB, &n);
	/* The envelope of the row: 'V' '1' 1, purpose 3, term 1. */
	row = memmem(file, n, "V1\x01\x03\0\0\0\x01", 8);
	cr_assert_neq(row, NULL);
	for (size_t bit = 0; bit < (48 + 24) * 8; bit += 5) {
		row[bit / 8] ^= (unsigned char)(1u << (bit % 8));
		must(storefix_open(f));
		must(storefix_unseal(f, 1));
		cr_assert_eq(get(KIND_ROTATION, 1, &got), ERR_INTEGRITY, "bit %zu", bit);
		cr_assert_eq(storefix_verify(f), ERR_INTEGRITY, "bit %zu", bit);
		storefix_close(f);
		file = crashvfs_file(f->disk, STOREFIX_DB, &n);
		row[bit / 8] ^= (unsigned char)(1u << (bit % 8));
	}
	must(storefix_open(f));
	must(storefix_unseal(f, 1));
	must(get(KIND_ROTATION, 1, &got));
}

Test(store_tamper, a_row_that_was_rolled_back_is_detected)
{
	struct store_object o;

	populate();
	storefix_close(f);
	storefix_sql(f, "CREATE TABLE keep AS SELECT * FROM object WHERE " ROW(0));
	must(storefix_open(f));
	must(storefix_unseal(f, 1));
	batch();
	must(get(KIND_POLICY, 0, &o));
	must(store_put(&f->c, &o, &f->e));
	commit();
	must(storefix_verify(f));
	storefix_close(f);
	storefix_sql(f, "DELETE FROM object WHERE " ROW(
				0) "; INSERT INTO object SELECT * FROM keep");
	must(storefix_open(f));
	must(storefix_unseal(f, 1));
	must(get(KIND_POLICY, 0, &o)); /* it is a genuine row, only an old one */
	cr_assert_eq(storefix_verify(f), ERR_INTEGRITY);
}

/* Changing a row that was tampered with does not launder it. */
Test(store_tamper, a_later_change_does_not_hide_tampering)
{
	struct store_object o;

	populate();
	storefix_close(f);
	storefix_sql(f, "CREATE TABLE keep AS SELECT * FROM object WHERE " ROW(0));
	must(storefix_open(f));
	must(storefix_unseal(f, 1));
	batch();
	must(get(KIND_POLICY, 0, &o));
	must(store_put(&f->c, &o, &f->e));
	commit();
	storefix_close(f);
	storefix_sql(f, "DELETE FROM object WHERE " ROW(
				0) "; INSERT INTO object SELECT * FROM keep");
	must(storefix_open(f));
	must(storefix_unseal(f, 1));
	batch();
	must(get(KIND_POLICY, 0, &o));
	must(store_delete(&f->c, &o, &f->e));
	commit();
	cr_assert_eq(storefix_verify(f), ERR_INTEGRITY);
}

/* ---- what is due ---- */

struct seen {
	int n, id[8];
};

static int see(void *ctx, struct store_object *o, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	s->id[s->n++] = o->id[1];
	return ERR_OK;
}

static void see_due(int limit, struct seen *s)
{
	memset(s, 0, sizeof(*s));
	must(store_due(&f->c, f->a, KIND_POLICY, 1000, limit, see, s, &f->e));
}

Test(store_tamper, damaged_rows_hold_up_nothing_that_is_due)
{
	struct seen s;

	populate();
	storefix_close(f);
	storefix_sql(
		f, "UPDATE object SET sealed = zeroblob(length(sealed)) WHERE due < 502");
	storefix_sql(f, "INSERT INTO object (kind, id, due, version, sealed) "
	                "VALUES (2, zeroblob(100), 1, 1, zeroblob(80))");
	must(storefix_reopen(f));
	cr_assert_eq(store_next_due(&f->c, KIND_POLICY), 1);
	see_due(2, &s);
	cr_assert(s.n == 2 && s.id[0] == 2 && s.id[1] == 3, "they count for nothing");
	cr_assert_eq(store_next_due(&f->c, KIND_POLICY), 502);
	see_due(0, &s);
	cr_assert(s.n == 3 && s.id[2] == 4);
}

Test(store_tamper, damaged_rows_are_passed_over_up_to_a_number)
{
	struct seen s;

	batch();
	for (int i = 0; i < 70; i++) {
		struct store_object o = storefix_object(f, KIND_POLICY, i, "rule");

		o.due = 500 + i;
		must(store_put(&f->c, &o, &f->e));
	}
	commit();
	storefix_close(f);
	storefix_sql(
		f, "UPDATE object SET sealed = zeroblob(length(sealed)) WHERE due < 569");
	must(storefix_reopen(f));
	memset(&s, 0, sizeof(s));
	cr_assert_eq(store_due(&f->c, f->a, KIND_POLICY, 1000, 1, see, &s, &f->e),
	             ERR_INTEGRITY);
	cr_assert_eq(store_next_due(&f->c, KIND_POLICY), 564);
}
