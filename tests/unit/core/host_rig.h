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
	unsigned char key[32]; /* of the session */
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

/* The associated data of a box: who speaks (1 the vault, 2 the host), and of what. */
static size_t box_as(unsigned char out[64], int who, const char *op)
{
	memcpy(out, "vault/host-session/v1", 22);
	out[22] = (unsigned char)who;
	memcpy(out + 23, op, strlen(op) + 1);
	return 23 + strlen(op) + 1;
}

/* What the vault has put in a box for ${op}; NULL: it has not. */
static struct value *box_open(const unsigned char key[32], const char *op, const void *p,
                              size_t n)
{
	const unsigned char *box = p;
	unsigned char *plain = arena_alloc(rig.a, n), as[64];
	unsigned long long len;
	struct value *body;
	struct err e;

	if (n < 40 || crypto_aead_xchacha20poly1305_ietf_decrypt(
			      plain, &len, NULL, box + 24, n - 24, as, box_as(as, 1, op),
			      box, key) != 0)
		return NULL;
	cr_assert_eq(value_decode(rig.a, plain, len, &body, &e), ERR_OK);
	return body;
}

#define SESSIONS 256
static unsigned char sessions[SESSIONS][32]; /* of all agents, the newest last */
static int n_sessions;

static struct value *open_said(const struct value *said)
{
	static const char *const ops[] = { "watch",      "leases",     "renew",
		                           "sync",       "bind",       "consistency",
		                           "swarm-lead", "swarm-plan", "swarm-state",
		                           "swarm-tasks" };
	struct value *body = NULL;
	struct err e;

	if (said->len > 64 &&
	    value_decode(rig.a, said->text + 64, said->len - 64, &body, &e) == ERR_OK)
		return body; /* it is signed: check_login() */
	for (int i = n_sessions - 1; i >= 0; i--)
		for (size_t k = 0; k < ARRAY_LEN(ops); k++)
			if ((body = box_open(sessions[i], ops[k], said->text,
			                     said->len)) != NULL)
				return body;
	return NULL;
}

static void agent_keys(struct agent *ag)
{
	rig.open_said = open_said;
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

/* The token of the last reply, and the key of the session that it is for. */
static void agent_take_login(struct agent *ag)
{
	const unsigned char *box = got_bytes("session", 32 + crypto_box_SEALBYTES);

	snprintf(ag->token, sizeof(ag->token), "%s", rig_got("auth.client_token"));
	cr_assert_eq(crypto_box_seal_open(ag->key, box, 32 + crypto_box_SEALBYTES,
	                                  ag->box_pk, ag->box_sk),
	             0);
	memcpy(sessions[n_sessions++ % SESSIONS], ag->key, 32);
}

static int agent_login(struct agent *ag)
{
	int status;

	agent_challenge(ag);
	if ((status = agent_answer(ag, ag->generation)) != 200)
		return status;
	agent_take_login(ag);
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

/* What is signed by the vault in the last reply. */
static struct value *signed_said(const struct agent *ag)
{
	const unsigned char *p = (const unsigned char *)rig.said->text;
	size_t n = rig.said->len - 64;
	unsigned char *msg = arena_alloc(rig.a, 24 + n);
	struct value *in;
	struct err e;

	memcpy(msg, "vault/host-statement/v1", 24);
	memcpy(msg + 24, p + 64, n);
	cr_assert_eq(crypto_sign_verify_detached(p, msg, 24 + n, ag->order_pk), 0);
	cr_assert_eq(value_decode(rig.a, p + 64, n, &in, &e), ERR_OK);
	return in;
}

/* Was the last reply said by the vault, to this host, in answer to ${op} and ${nonce}? */
UNUSED static void check_said(const struct agent *ag, const char *op,
                              const unsigned char *nonce, size_t nonce_len)
{
	const struct value *in_nonce;
	struct value *in;

	cr_assert_not_null(rig.said, "%s", rig_got(""));
	in = strcmp(op, "login") == 0
	             ? signed_said(ag)
	             : box_open(ag->key, op, rig.said->text, rig.said->len);
	cr_assert_not_null(in, "%s", rig_got(""));
	cr_assert(value_is_str(value_get(in, "op"), op));
	cr_assert(value_is_str(value_get(in, "host_id"), hex(ag->host_id, 16)));
	cr_assert_eq(value_int_or(in, "generation", -1), ag->generation);
	in_nonce = value_get(in, "nonce");
	cr_assert(in_nonce != NULL && in_nonce->type == V_BYTES);
	cr_assert_eq(in_nonce->len, nonce_len);
	cr_assert_eq(memcmp(in_nonce->text, nonce, nonce_len), 0);
}

/* ${nonce}: of what it asks, or NULL. */
static char *agent_box(const struct agent *ag, const char *op, const char *fields,
                       const unsigned char *nonce)
{
	struct value *body = value_object(rig.a);
	unsigned char *packed, *out, as[64];
	size_t n;

	value_set_str(rig.a, body, "op", op);
	value_set_str(rig.a, body, "host_id", hex(ag->host_id, 16));
	value_set_int(rig.a, body, "generation", ag->generation);
	value_set(body, "data", rig_json(fields));
	if (nonce != NULL)
		value_set_bytes(rig.a, body, "nonce", nonce, 32);
	packed = value_pack(rig.a, body, &n);
	out = arena_alloc(rig.a, n + 40);
	randombytes_buf(out, 24);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + 24, NULL, packed, n, as,
	                                           box_as(as, 2, op), NULL, out, ag->key);
	return arena_printf(rig.a, "{\"statement\":\"%s\"}", b64(out, n + 40));
}

/* What the host says itself, in its session. */
static char *agent_says(const struct agent *ag, const char *op, const char *fields)
{
	return agent_box(ag, op, fields, NULL);
}

static unsigned char asked[32]; /* the nonce of the newest question */

/* What the host asks, in its session. */
static char *agent_asks(const struct agent *ag, const char *op, const char *fields)
{
	randombytes_buf(asked, sizeof(asked));
	return agent_box(ag, op, fields, asked);
}

UNUSED static int agent_post(struct agent *ag, const char *what, const char *fields)
{
	char *op = arena_str(rig.a, what);

	if (strchr(op, '/') != NULL)
		*strchr(op, '/') = '-';
	if (strcmp(what, "ack") == 0 || strcmp(what, "release") == 0 ||
	    strcmp(what, "report") == 0)
		fields = agent_says(ag, op, fields);
	else
		fields = agent_asks(ag, op, fields);
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

/* Fetch one lease, with ${more} members in the request, and open it: *version, and the
 * text of field ${field}; the error of the item if it has one. */
UNUSED static const char *agent_fetch_with(struct agent *ag, const char *lease,
                                           const char *more, const char *field,
                                           int64_t *version)
{
	struct value *item, *body, *text;
	const struct value *sealed;
	int status = agent_post(
		ag, "fetch", arena_printf(rig.a, "{\"leases\":[\"%s\"]%s}", lease, more));

	cr_assert_eq(status, 200, "%s", rig_got(""));
	item = value_at(value_get(value_get(rig.body, "data"), "items"), 0);
	if (value_get(item, "error") != NULL)
		return arena_str(rig.a, rig_got("data.items.0.error"));
	sealed = value_get(item, "sealed");
	body = box_open(ag->key, "fetch", sealed->text, sealed->len);
	cr_assert_not_null(body);
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

UNUSED static const char *agent_fetch(struct agent *ag, const char *lease,
                                      const char *field, int64_t *version)
{
	return agent_fetch_with(ag, lease, "", field, version);
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

/* Start a watch on the hosts listener, with ${more} parameters; look at rig.replies for
 * its answer. */
UNUSED static void agent_watch_with(const struct agent *ag, int64_t since, int wait_s,
                                    const char *more)
{
	struct value *rq = value_array(rig.a);
	unsigned char *p;
	size_t n;

	value_add(rq, value_int(rig.a, HTTP_POST));
	value_add(rq, value_str(rig.a, "sys/agent/watch"));
	value_add(rq, value_str(rig.a, ag->token));
	value_add(rq, value_str(rig.a, "10.0.0.1"));
	value_add(rq, value_null(rig.a));
	value_add(rq, rig_json(arena_printf(rig.a, "{\"since\":%lld,\"wait\":%d%s}",
	                                    (long long)since, wait_s, more)));
	value_add(rq, value_int(rig.a, 0));
	value_add(rq, value_int(rig.a, IPC_ON_HOSTS));
	value_add(rq, value_int(rig.a, 0));
	value_add(rq, value_null(rig.a));
	p = value_pack(rig.a, rq, &n);
	cr_assert_eq(core_submit(rig.core, 2, ++rig.next_id, p, n), ERR_OK);
	rig_run();
}

/* An acknowledgement, as a parameter of a watch. */
UNUSED static char *agent_riding(const struct agent *ag, const char *lease,
                                 int64_t version, const char *state)
{
	char *said = agent_says(
		ag, "ack",
		arena_printf(rig.a,
	                     "{\"acks\":[{\"lease_id\":\"%s\",\"version\":%lld,"
	                     "\"rev\":1000000,\"state\":\"%s\"}]}",
	                     lease, (long long)version, state));
	size_t n = strlen(said);

	said[0] = ','; /* without the braces */
	said[n - 1] = '\0';
	return said;
}

UNUSED static void agent_watch_start(const struct agent *ag, int64_t since, int wait_s)
{
	agent_watch_with(ag, since, wait_s, "");
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
			           .cluster = "",
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
