/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CORE_HOST_RIG_H
#define TESTS_UNIT_CORE_HOST_RIG_H
/*
 * host_rig - agents that talk to the core of core_rig.h.  What they sign and hash is put
 * together here from the protocol's description, not with the server's own functions.
 */
#include "core_rig.h"

#include "server/core/lease/lease_impl.h"
#include "server/core/loop/batch.h"
#include "server/core/rotation/rotation.h"
#include "server/core/storage/store.h"
#include "text.h"

struct agent {
	char name[32];
	unsigned char host_id[16], vault_id[16], order_pk[32];
	unsigned char sign_pk[32], sign_sk[64], box_pk[32], box_sk[32];
	unsigned char nonce[32];
	unsigned char mac[32]; /* its proof when it joined */
	int64_t generation;
	char token[80];
};

static const unsigned char no_pin[32];

/* The bytes at "data.NAME" of the last reply. */
UNUSED static const unsigned char *got_bytes(const char *name, size_t n)
{
	const struct value *v = value_get(value_get(rig.body, "data"), name);

	cr_assert(v != NULL && v->type == V_BYTES && v->len == n, "%s: %s", name,
	          rig_got(""));
	return (const unsigned char *)v->text;
}

static char *b64(const void *p, size_t n)
{
	char *out = arena_alloc(rig.a, TEXT_BASE64_LEN(n) + 1);

	text_base64(p, n, out);
	return out;
}

static char *hex(const void *p, size_t n)
{
	char *out = arena_alloc(rig.a, 2 * n + 1);

	text_hex(p, n, out);
	return out;
}

/* context with its NUL, then the parts */
struct bytes {
	unsigned char at[2048];
	size_t n;
};

static void put(struct bytes *b, const void *p, size_t n)
{
	memcpy(b->at + b->n, p, n);
	b->n += n;
}

static void put_u64(struct bytes *b, uint64_t v)
{
	for (int i = 7; i >= 0; i--) {
		unsigned char c = (unsigned char)(v >> (8 * i));

		put(b, &c, 1);
	}
}

static void agent_keys(struct agent *ag)
{
	crypto_sign_keypair(ag->sign_pk, ag->sign_sk);
	crypto_box_keypair(ag->box_pk, ag->box_sk);
}

/* Give an operator's orders for a new host; returns the join token. */
static char *agent_add(struct agent *ag, const char *name, const char *role)
{
	memset(ag, 0, sizeof(*ag));
	snprintf(ag->name, sizeof(ag->name), "%s", name);
	agent_keys(ag);
	ASK(200, HTTP_POST, "sys/hosts/add",
	    arena_printf(rig.a, "{\"name\":\"%s\",\"role\":\"%s\"}", name, role));
	return arena_str(rig.a, rig_got("data.join_token"));
}

static char *join_fields(struct agent *ag, const char *token, const unsigned char pin[32])
{
	struct bytes b = { .n = 0 };
	unsigned char id[16], key[32], mac[32];

	put(&b, "vault/join-id/v1", 17);
	put(&b, token, strlen(token));
	crypto_generichash(id, sizeof(id), b.at, b.n, NULL, 0);
	b.n = 0;
	put(&b, "vault/join-key/v1", 18);
	put(&b, token, strlen(token));
	crypto_generichash(key, sizeof(key), b.at, b.n, NULL, 0);
	b.n = 0;
	put(&b, "vault/join/v1", 14);
	put(&b, ag->sign_pk, 32);
	put(&b, ag->box_pk, 32);
	put(&b, pin, 32);
	crypto_generichash(mac, sizeof(mac), b.at, b.n, key, sizeof(key));
	memcpy(ag->mac, mac, sizeof(mac));
	return arena_printf(rig.a,
	                    "{\"join_id\":\"%s\",\"sign_key\":\"%s\",\"box_key\":\"%s\","
	                    "\"mac\":\"%s\",\"agent_version\":\"1.0\"}",
	                    hex(id, 16), b64(ag->sign_pk, 32), b64(ag->box_pk, 32),
	                    b64(mac, 32));
}

static int agent_join(struct agent *ag, const char *token)
{
	const char *fields = join_fields(ag, token, no_pin);
	int status = rig_ask_as(NULL, HTTP_POST, "auth/host/join", fields);

	if (status != 200)
		return status;
	memcpy(ag->order_pk, got_bytes("order_key", 32), 32);
	cr_assert_eq(text_unhex(rig_got("data.host_id"), 32, ag->host_id, 16), 16);
	cr_assert_eq(text_unhex(rig_got("data.vault_id"), 32, ag->vault_id, 16), 16);
	return status;
}

static void agent_challenge(struct agent *ag)
{
	ASK_AS(200, NULL, HTTP_POST, "auth/host/challenge",
	       arena_printf(rig.a, "{\"host_id\":\"%s\"}", hex(ag->host_id, 16)));
	memcpy(ag->nonce, got_bytes("nonce", 32), 32);
}

/* A login with the nonce that is there. */
static int agent_answer(struct agent *ag, int64_t generation)
{
	struct bytes b = { .n = 0 };
	unsigned char sig[64];

	put(&b, "vault/host-login/v1", 20);
	put(&b, ag->vault_id, 16);
	put(&b, ag->host_id, 16);
	put(&b, ag->nonce, 32);
	put_u64(&b, (uint64_t)generation);
	put(&b, no_pin, 32);
	crypto_sign_detached(sig, NULL, b.at, b.n, ag->sign_sk);
	return rig_ask_as(NULL, HTTP_POST, "auth/host/login",
	                  arena_printf(rig.a,
	                               "{\"host_id\":\"%s\",\"nonce\":\"%s\","
	                               "\"generation\":%lld,\"signature\":\"%s\"}",
	                               hex(ag->host_id, 16), b64(ag->nonce, 32),
	                               (long long)generation, b64(sig, 64)));
}

static int agent_login(struct agent *ag)
{
	int status;

	agent_challenge(ag);
	if ((status = agent_answer(ag, ag->generation)) != 200)
		return status;
	snprintf(ag->token, sizeof(ag->token), "%s", rig_got("auth.client_token"));
	ag->generation = strtoll(rig_got("data.generation"), NULL, 10);
	return status;
}

/* A host that is in, in one call. */
UNUSED static void agent_start(struct agent *ag, const char *name, const char *role)
{
	char *token = agent_add(ag, name, role);
	int status = agent_join(ag, token);

	cr_assert_eq(status, 200, "%s", rig_got(""));
	status = agent_login(ag);
	cr_assert_eq(status, 200, "%s", rig_got(""));
}

/* Was the last reply said by the vault, to this host, in answer to ${op} and ${nonce}? */
UNUSED static void check_said(const struct agent *ag, const char *op,
                              const unsigned char *nonce, size_t nonce_len)
{
	const unsigned char *p;
	unsigned char *msg;
	const struct value *in_nonce;
	struct value *in;
	struct err e;
	size_t n;

	cr_assert_not_null(rig.said, "%s", rig_got(""));
	p = (const unsigned char *)rig.said->text;
	n = rig.said->len - 64;
	msg = arena_alloc(rig.a, 24 + n);
	memcpy(msg, "vault/host-statement/v1", 24);
	memcpy(msg + 24, p + 64, n);
	cr_assert_eq(crypto_sign_verify_detached(p, msg, 24 + n, ag->order_pk), 0);
	cr_assert_eq(value_decode(rig.a, p + 64, n, &in, &e), ERR_OK);
	cr_assert(value_is_str(value_get(in, "op"), op));
	cr_assert(value_is_str(value_get(in, "host_id"), hex(ag->host_id, 16)));
	cr_assert_eq(value_int_or(in, "generation", -1), ag->generation);
	in_nonce = value_get(in, "nonce");
	cr_assert(in_nonce != NULL && in_nonce->type == V_BYTES);
	cr_assert_eq(in_nonce->len, nonce_len);
	cr_assert_eq(memcmp(in_nonce->text, nonce, nonce_len), 0);
}

/* What the host says itself, signed. */
static char *agent_says(const struct agent *ag, const char *op, const char *fields)
{
	struct value *body = value_object(rig.a);
	unsigned char *packed, *out, *msg;
	size_t n;

	value_set_str(rig.a, body, "op", op);
	value_set_str(rig.a, body, "host_id", hex(ag->host_id, 16));
	value_set_int(rig.a, body, "generation", ag->generation);
	value_set(body, "data", rig_json(fields));
	packed = value_pack(rig.a, body, &n);
	msg = arena_alloc(rig.a, 25 + n);
	out = arena_alloc(rig.a, 64 + n);
	memcpy(msg, "vault/agent-statement/v1", 25);
	memcpy(msg + 25, packed, n);
	memcpy(out + 64, packed, n);
	crypto_sign_detached(out, NULL, msg, 25 + n, ag->sign_sk);
	return arena_printf(rig.a, "{\"statement\":\"%s\"}", b64(out, 64 + n));
}

UNUSED static int agent_post(struct agent *ag, const char *what, const char *fields)
{
	if (strcmp(what, "ack") == 0 || strcmp(what, "release") == 0 ||
	    strcmp(what, "report") == 0)
		fields = agent_says(ag, what, fields);
	return rig_ask_as(ag->token, HTTP_POST, arena_printf(rig.a, "sys/agent/%s", what),
	                  fields);
}

/* Ask for a lease; returns its id. */
UNUSED static char *agent_lease(struct agent *ag, const char *path)
{
	int status = agent_post(ag, "leases",
	                        arena_printf(rig.a, "{\"paths\":[\"%s\"]}", path));

	cr_assert_eq(status, 200, "%s", rig_got(""));
	cr_assert_str_eq(rig_got("data.leases.0.error"), "-", "%s", rig_got(""));
	return arena_str(rig.a, rig_got("data.leases.0.lease_id"));
}

/* Fetch one lease and open it: *version, and the text of field ${field}; the error of the
 * item if it has one. */
UNUSED static const char *agent_fetch(struct agent *ag, const char *lease,
                                      const char *field, int64_t *version)
{
	struct value *item, *body, *text;
	const struct value *sealed;
	unsigned char *plain;
	struct bytes head = { .n = 0 };
	struct err e;
	size_t n;
	int status = agent_post(ag, "fetch",
	                        arena_printf(rig.a, "{\"leases\":[\"%s\"]}", lease));

	cr_assert_eq(status, 200, "%s", rig_got(""));
	item = value_at(value_get(value_get(rig.body, "data"), "items"), 0);
	if (value_get(item, "error") != NULL)
		return arena_str(rig.a, rig_got("data.items.0.error"));
	sealed = value_get(item, "sealed");
	n = sealed->len - crypto_box_SEALBYTES;
	plain = arena_alloc(rig.a, n + 64);
	cr_assert_eq(crypto_box_seal_open(plain, (const unsigned char *)sealed->text,
	                                  sealed->len, ag->box_pk, ag->box_sk),
	             0);
	put(&head, "vault/host-statement/v1", 24);
	{
		unsigned char *msg = arena_alloc(rig.a, head.n + n);

		memcpy(msg, head.at, head.n);
		memcpy(msg + head.n, plain + 64, n - 64);
		cr_assert_eq(crypto_sign_verify_detached(plain, msg, head.n + n - 64,
		                                         ag->order_pk),
		             0);
	}
	cr_assert_eq(value_decode(rig.a, plain + 64, n - 64, &body, &e), ERR_OK);
	cr_assert(value_is_str(value_get(body, "op"), "fetch"));
	cr_assert(value_is_str(value_get(body, "host_id"), hex(ag->host_id, 16)));
	cr_assert_eq(value_int_or(body, "generation", -1), ag->generation);
	body = value_get(body, "data");
	cr_assert(value_is_str(value_get(body, "lease_id"), lease));
	cr_assert_gt(value_int_or(body, "rev", -1), 0);
	*version = value_int_or(body, "version", -1);
	text = value_get(value_get(body, "data"), field);
	return text != NULL ? value_to_cstr(text, rig.a) : "-";
}

UNUSED static int agent_ack_state(struct agent *ag, const char *lease, int64_t version,
                                  const char *state)
{
	return agent_post(ag, "ack",
	                  arena_printf(rig.a,
	                               "{\"acks\":[{\"lease_id\":\"%s\",\"version\":%lld,"
	                               "\"rev\":1000000,\"state\":\"%s\"}]}",
	                               lease, (long long)version, state));
}

/* Fetch what is current and say that it is in place. */
UNUSED static int64_t agent_apply(struct agent *ag, const char *lease)
{
	int64_t version = 0;

	agent_fetch(ag, lease, "password", &version);
	cr_assert_gt(version, 0, "%s", rig_got(""));
	cr_assert_eq(agent_ack_state(ag, lease, version, "applied"), 204, "%s",
	             rig_got(""));
	return version;
}

/* Start a watch on the hosts listener; look at rig.replies for its answer. */
UNUSED static void agent_watch_start(struct agent *ag, int64_t since, int wait_s)
{
	struct value *rq = value_array(rig.a);
	unsigned char *p;
	size_t n;

	value_add(rq, value_int(rig.a, HTTP_GET));
	value_add(rq, value_str(rig.a, "sys/agent/watch"));
	value_add(rq, value_str(rig.a, ag->token));
	value_add(rq, value_str(rig.a, "10.0.0.1"));
	value_add(rq, rig_json(arena_printf(rig.a, "{\"since\":\"%lld\",\"wait\":\"%d\"}",
	                                    (long long)since, wait_s)));
	value_add(rq, value_null(rig.a));
	value_add(rq, value_int(rig.a, 0));
	value_add(rq, value_int(rig.a, IPC_ON_HOSTS));
	value_add(rq, value_int(rig.a, 0));
	value_add(rq, value_null(rig.a));
	p = value_pack(rig.a, rq, &n);
	cr_assert_eq(core_submit(rig.core, 2, ++rig.next_id, p, n), ERR_OK);
	rig_run();
}

/* Run batches until ${n} more replies have come since ${before}. */
UNUSED static void run_until(int before, int n)
{
	for (int i = 0; i < 1000 && rig.replies < before + n; i++)
		rig_run();
	cr_assert_eq(rig.replies, before + n);
}

/* Timers that are due, and what they cause. */
UNUSED static void run_timers(void)
{
	for (int i = 0; i < 20; i++) {
		rig_run();
		rig_advance(5);
	}
}

UNUSED static void put_secret(const char *path, const char *password)
{
	ASK(200, HTTP_POST, arena_printf(rig.a, "secret/data/%s", path),
	    arena_printf(rig.a, "{\"data\":{\"password\":\"%s\",\"user\":\"u\"}}",
	                 password));
}

UNUSED static void make_role(const char *name, const char *path)
{
	ASK(204, HTTP_POST, arena_printf(rig.a, "sys/hosts/roles/%s", name),
	    arena_printf(rig.a, "{\"paths\":[\"%s\"]}", path));
}

struct many {
	unsigned char secret[32];
	int n;
	int64_t applied;
};

/* Holders without agents: leases as they are after a fetch. */
UNUSED static int add_holders(struct core *c, void *arg, struct err *e)
{
	struct many *m = arg;
	int rc = ERR_OK;

	for (int i = 0; i < m->n && rc == ERR_OK; i++) {
		AUTO_ARENA a = arena_new((size_t)1024 * 1024);
		struct lease l = { .o.kind = KIND_LEASE,
			           .o.id_len = 16,
			           .o.parent_len = 16,
			           .o.tag_len = 32,
			           .path = "secret/app/db",
			           .holder = "h",
			           .detail = "",
			           .target = 1,
			           .version = m->applied,
			           .applied = m->applied,
			           .state = LEASE_APPLIED };

		randombytes_buf(l.o.id, 16);
		randombytes_buf(l.o.parent, 16);
		memcpy(l.o.tag, m->secret, 32);
		lease_renew(c, &l, 3600 * 1000);
		rc = lease_save(c, a, &l, e);
	}
	return rc;
}

UNUSED static void holders(int n, int64_t applied)
{
	const struct mount *m;
	const char *rest;
	struct kv_secret s;
	struct many many = { .n = n, .applied = applied };
	struct err e = { 0 };

	cr_assert_eq(kv_split(rig.core, "secret/app/db", &m, &rest, &e), ERR_OK);
	cr_assert_eq(kv_open(rig.core, rig.a, m, rest, &s, &e), ERR_OK);
	memcpy(many.secret, s.o.id, 32);
	cr_assert_eq(batch_alone(rig.core, add_holders, &many, &e), ERR_OK, "%s", e.msg);
}

#endif
