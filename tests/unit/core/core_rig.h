/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CORE_CORE_RIG_H
#define TESTS_UNIT_CORE_CORE_RIG_H
/*
 * core_rig - a whole core in a temporary directory, asked like a client asks it.
 *
 * Requests go in as frames and come back as trees; both are written as JSON here.  The
 * clocks stand still until a test moves them.  One rig per test process.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <ftw.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "db.h"
#include "keymem.h"
#include "server/core/loop/core.h"
#include "vault/ipc.h"

static struct {
	char dir[64];
	struct clock clock;
	int64_t wall, boot;
	const char *vfs; /* NULL: the real disk */
	struct core *core;
	struct arena *a;
	char root[64]; /* root token */
	char key[96];  /* the one unseal key */
	uint64_t next_id;
	uint64_t peer;      /* of the next requests, less 1 */
	const char *remote; /* where requests come from */
	struct value *body; /* of the last reply, in rig.a */
	int status, kind, replies, retry;
	struct core_rate token_rate, login_rate; /* set before rig_start() */
	int64_t wrap_s;                          /* X-Vault-Wrap-TTL of what is asked */
	bool pw_thread;           /* set before rig_start(): passwords as in production */
	const struct value *said; /* what the vault says in the last reply, as it came */
	/* ... and what is in it; set by host_rig.h */
	struct value *(*open_said)(const struct value *said);
	struct value *client;  /* of the next requests: what net says of a certificate */
	struct value *trusted; /* of the last IPC_TRUST */
	int pushes;            /* how many there were */
	int pushed_at;         /* rig.replies at the last */
	struct value *asked;   /* the last IPC_CRL */
	int asks;              /* how many there were */
	int verdict;           /* what net answers to the next; 0: nothing */
	const struct value *rotators; /* that are configured; set before rig_start() */
} rig;

static int64_t rig_wall(void *ctx)
{
	(void)ctx;
	return rig.wall;
}

static int64_t rig_boot(void *ctx)
{
	(void)ctx;
	return rig.boot;
}

/* What the vault says itself is in one member; it is put where a test looks for it. */
static void rig_unwrap(void)
{
	struct value *data = value_get(rig.body, "data"), *in = NULL, *inner;
	const struct value *st = value_get(data, "statement"),
			   *joined = value_get(data, "joined");
	struct err e;

	rig.said = st != NULL ? st : joined;
	if (rig.said == NULL || rig.said->type != V_BYTES)
		return;
	if (st != NULL)
		in = rig.open_said(st);
	else
		cr_assert_eq(value_decode(rig.a, joined->text, joined->len, &in, &e),
		             ERR_OK);
	cr_assert_not_null(in, "nobody is said that");
	inner = st != NULL ? value_get(in, "data") : in;
	value_set(inner, st != NULL ? "generation" : "mac",
	          value_copy(rig.a, value_get(st != NULL ? in : data,
	                                      st != NULL ? "generation" : "mac")));
	data->first = inner->first;
	data->last = inner->last;
	data->len = inner->len;
}

static void rig_reply(void *ctx, uint64_t peer, uint64_t id, const struct value *reply)
{
	struct value *copy = NULL;
	struct err e = { 0 };
	int64_t n = 0;
	size_t len;
	unsigned char *p = value_pack(rig.a, reply, &len);

	(void)ctx;
	(void)peer;
	(void)id;
	cr_assert_eq(value_decode(rig.a, p, len, &copy, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(value_to_int(value_at(copy, IPC_RP_STATUS), &n), 0);
	rig.status = (int)n;
	cr_assert_eq(value_to_int(value_at(copy, IPC_RP_KIND), &n), 0);
	rig.kind = (int)n;
	cr_assert_eq(value_to_int(value_at(copy, IPC_RP_RETRY), &n), 0);
	rig.retry = (int)n;
	rig.body = value_at(copy, IPC_RP_BODY);
	rig_unwrap();
	rig.replies++;
}

static void rig_state(void *ctx, const struct value *state)
{
	(void)ctx;
	(void)state;
}

static void rig_trust(void *ctx, const struct value *set)
{
	(void)ctx;
	rig.trusted = value_copy(rig.a, value_get(set, "cas"));
	rig.pushes++;
	rig.pushed_at = rig.replies;
}

/* net says of a revocation list what the test wants it to. */
UNUSED static void rig_verdict(uint64_t peer, int verdict)
{
	struct value *v = value_object(rig.a);

	value_set(v, "ask", value_copy(rig.a, value_get(rig.asked, "ask")));
	value_set_int(rig.a, v, "verdict", verdict);
	value_set_bytes(rig.a, v, "signer", "digest of the certificate of it.", 32);
	core_signer(rig.core, peer, v);
}

static void rig_crl(void *ctx, uint64_t peer, const struct value *question)
{
	(void)ctx;
	cr_assert_eq(peer, 1);
	rig.asked = value_copy(rig.a, question);
	rig.asks++;
	if (rig.verdict != 0)
		rig_verdict(peer, rig.verdict);
}

static struct value *rig_from_json(const json_t *j)
{
	struct value *out;
	const char *key;
	json_t *item;
	size_t i;

	switch (json_typeof(j)) {
	case JSON_OBJECT:
		out = value_object(rig.a);
		json_object_foreach((json_t *)(uintptr_t)j, key, item)
			value_set(out, arena_str(rig.a, key), rig_from_json(item));
		return out;
	case JSON_ARRAY:
		out = value_array(rig.a);
		json_array_foreach(j, i, item) value_add(out, rig_from_json(item));
		return out;
	case JSON_STRING:
		return value_strdup(rig.a, json_string_value(j), json_string_length(j));
	case JSON_INTEGER:
		return value_int(rig.a, json_integer_value(j));
	case JSON_TRUE:
	case JSON_FALSE:
		return value_bool(rig.a, json_is_true(j));
	default:
		return value_null(rig.a);
	}
}

static struct value *rig_json(const char *text)
{
	json_error_t why;
	json_t *j = json_loads(text, 0, &why);
	struct value *v;

	cr_assert_not_null(j, "%s: %s", text, why.text);
	v = rig_from_json(j);
	json_decref(j);
	return v;
}

/* Bytes are hex: a hash may begin with a NUL, and would look like nothing at all. */
static void rig_dump(FILE *f, const struct value *v)
{
	struct err e;
	struct value *in;
	bool first = true;

	switch (v->type) {
	case V_NULL:
		fputs("null", f);
		break;
	case V_TRUE:
	case V_FALSE:
		fputs(v->type == V_TRUE ? "true" : "false", f);
		break;
	case V_ENCODED:
		cr_assert_eq(value_decode(rig.a, v->text, v->len, &in, &e), ERR_OK);
		rig_dump(f, in);
		break;
	case V_ARRAY:
	case V_OBJECT:
		fputc(v->type == V_ARRAY ? '[' : '{', f);
		for (const struct value *i = v->first; i != NULL; i = i->next) {
			fputs(first ? "" : ",", f);
			if (v->type == V_OBJECT)
				fprintf(f, "%.*s:", (int)i->key_len, i->key);
			rig_dump(f, i);
			first = false;
		}
		fputc(v->type == V_ARRAY ? ']' : '}', f);
		break;
	case V_BYTES:
		for (size_t i = 0; i < v->len; i++)
			fprintf(f, "%02x", (unsigned char)v->text[i]);
		break;
	default:
		fprintf(f, "%.*s", (int)v->len, v->text);
	}
}

/* A member of the last reply by "a.b.c", as text; "-" if it is not there. */
UNUSED static const char *rig_got(const char *path)
{
	const struct value *v = rig.body;
	char *text = NULL, *kept;
	size_t n = 0;
	FILE *f;

	while (v != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");

		v = v->type == V_ARRAY ? value_at(v, (size_t)(*path - '0'))
		                       : value_getn(v, path, len);
		path += len + (path[len] == '.');
	}
	if (v == NULL)
		return "-";
	f = open_memstream(&text, &n);
	rig_dump(f, v);
	fclose(f);
	kept = arena_str(rig.a, text);
	free(text);
	return kept;
}

static void rig_run(void)
{
	struct err e = { 0 };

	/* or the run may do just that */
	if (db_log_pages(rig.core->db) >= 32)
		db_tidy(rig.core->db);
	cr_assert_eq(core_run_batch(rig.core, &e), ERR_OK, "%s", e.msg);
}

static void rig_submit(int method, const char *path, const char *token,
                       const char *fields)
{
	struct value *rq = value_array(rig.a),
		     *v = fields != NULL ? rig_json(fields) : NULL;
	bool query = method == HTTP_GET || method == HTTP_LIST || method == HTTP_SCAN ||
	             method == HTTP_DELETE;
	unsigned char *p;
	size_t n;

	value_add(rq, value_int(rig.a, method));
	value_add(rq, value_str(rig.a, path));
	value_add(rq, value_str(rig.a, token));
	value_add(rq, value_str(rig.a, rig.remote != NULL ? rig.remote : "127.0.0.1"));
	value_add(rq, query && v != NULL ? v : value_null(rig.a));
	value_add(rq, !query && v != NULL ? v : value_null(rig.a));
	value_add(rq, value_int(rig.a, rig.wrap_s));
	value_add(rq, value_int(rig.a, IPC_ON_API));
	value_add(rq, value_int(rig.a, IPC_F_LOOPBACK));
	value_add(rq,
	          rig.client != NULL ? value_copy(rig.a, rig.client) : value_null(rig.a));
	p = value_pack(rig.a, rq, &n);
	cr_assert_eq(core_submit(rig.core, 1 + rig.peer, ++rig.next_id, p, n), ERR_OK);
}

/* One request in a batch of its own, run until it is answered; returns the status. */
static int rig_ask_as(const char *token, int method, const char *path, const char *fields)
{
	int before = rig.replies;

	rig_submit(method, path, token, fields);
	for (int i = 0; i < 1000 && rig.replies == before; i++)
		rig_run();
	cr_assert_eq(rig.replies, before + 1, "%s was not answered", path);
	return rig.status;
}

UNUSED static int rig_ask(int method, const char *path, const char *fields)
{
	return rig_ask_as(rig.root, method, path, fields);
}

UNUSED static void rig_advance(int64_t ms)
{
	rig.wall += ms;
	rig.boot += ms;
}

static void rig_open(void)
{
	struct err e = { 0 };
	struct core_options o = {
		.data_dir = rig.dir,
		.db_vfs = rig.vfs,
		.clock = &rig.clock,
		.pwhash_in_line = !rig.pw_thread,
		.token_rate = rig.token_rate,
		.login_rate = rig.login_rate,
		.reply = rig_reply,
		.state = rig_state,
		.trust = rig_trust,
		.crl = rig_crl,
		.rotators = rig.rotators,
	};

	cr_assert_eq(core_open(&o, &rig.core, &e), ERR_OK, "%s", e.msg);
}

static void rig_unseal(void)
{
	char fields[160];

	snprintf(fields, sizeof(fields), "{\"key\":\"%s\"}", rig.key);
	cr_assert_eq(rig_ask_as(NULL, HTTP_POST, "sys/unseal", fields), 200, "%s",
	             rig_got("errors"));
	cr_assert_str_eq(rig_got("sealed"), "false");
}

UNUSED static void rig_reopen(void)
{
	core_close(rig.core);
	rig_open();
	rig_unseal();
}

UNUSED static void rig_start(void)
{
	struct err e = { 0 };

	cr_assert_geq(sodium_init(), 0);
	cr_assert_eq(keymem_init(true, &e), ERR_OK, "%s", e.msg);
	if (rig.a == NULL)
		rig.a = arena_new((size_t)512 * 1024 * 1024);
	rig.clock = (struct clock){ rig_wall, rig_boot, NULL };
	rig.wall = 1767225600000; /* 2026-01-01 */
	rig.boot = 5000000;
	snprintf(rig.dir, sizeof(rig.dir), "/tmp/core-rig-XXXXXX");
	cr_assert_not_null(mkdtemp(rig.dir));
	rig_open();
	cr_assert_eq(rig_ask_as(NULL, HTTP_POST, "sys/init",
	                        "{\"secret_shares\":1,\"secret_threshold\":1}"),
	             200, "%s", rig_got("errors"));
	snprintf(rig.root, sizeof(rig.root), "%s", rig_got("root_token"));
	snprintf(rig.key, sizeof(rig.key), "%s", rig_got("keys_base64.0"));
	rig_unseal();
}

UNUSED static int rig_remove(const char *path, const struct stat *st, int flag,
                             struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

UNUSED static void rig_stop(void)
{
	core_close(rig.core);
	rig.core = NULL;
	nftw(rig.dir, rig_remove, 8, FTW_DEPTH | FTW_PHYS);
	arena_free(rig.a);
	rig.a = NULL;
}

#define ASK(status_, ...)                                                          \
	do {                                                                       \
		int got_ = rig_ask(__VA_ARGS__);                                   \
		cr_assert_eq(got_, (status_), "status %d, %s", got_, rig_got("")); \
	} while (0)
#define ASK_AS(status_, ...)                                                       \
	do {                                                                       \
		int got_ = rig_ask_as(__VA_ARGS__);                                \
		cr_assert_eq(got_, (status_), "status %d, %s", got_, rig_got("")); \
	} while (0)
#define GOT(path_, want_) \
	cr_assert_str_eq(rig_got(path_), (want_), "%s: %s", (path_), rig_got(path_))

#endif
