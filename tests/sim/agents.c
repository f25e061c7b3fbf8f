/* SPDX-License-Identifier: Apache-2.0 */
/* agents - a host's agent, reduced to its protocol: join, login, lease, fetch, ack,
 * watch. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"
#include "text.h"
#include "vault/limits.h"

static const int leased[2] = { 2, 3 }; /* of sim_paths: dir/c and dir/d */
static const char *const leased_paths[2] = { "secret/dir/c", "secret/dir/d" };

static void set_b64(struct arena *a, struct value *body, const char *key, const void *p,
                    size_t n)
{
	char *text = arena_alloc(a, TEXT_BASE64_LEN(n) + 1);

	if (text == NULL)
		return;
	text_base64(p, n, text);
	value_set_str(a, body, key, text);
}

static bool get_b64(const struct value *data, const char *key, void *out, size_t n)
{
	const struct value *v = value_get(data, key);

	if (v != NULL && v->type == V_BYTES &&
	    v->len == n) { /* net renders it as base64 */
		memcpy(out, v->text, n);
		return true;
	}
	return v != NULL && text_unbase64(v->text, v->len, out, n) == (long)n;
}

static bool get_hex(const struct value *data, const char *key, void *out, size_t n)
{
	const struct value *v = value_get(data, key);

	return v != NULL && text_unhex(v->text, v->len, out, n) == (long)n;
}

static void keep(char *out, size_t cap, const struct value *v)
{
	if (v != NULL && v->len < cap) {
		memcpy(out, v->text, v->len);
		out[v->len] = '\0';
	}
}

static void add_host(struct world *w, struct agent *ag)
{
	struct arena *a = arena_new(LIMIT_REQUEST_ARENA);
	struct value *body = value_object(a), *reply = NULL;

	value_set_str(a, body, "name", ag->name);
	value_set_str(a, body, "role", "web");
	if (world_ask(w, a, HTTP_POST, "sys/hosts/add", w->root, body, &reply) != 200)
		fail(w, "host add was refused");
	keep(ag->join_token, sizeof(ag->join_token),
	     value_get(value_get(reply, "data"), "join_token"));
	arena_free(a);
}

void agent_setup(struct world *w, int agent)
{
	struct agent *ag = &w->agent[agent];

	snprintf(ag->name, sizeof(ag->name), "host%d", agent);
	crypto_sign_keypair(ag->sign_pk, ag->sign_sk);
	crypto_box_keypair(ag->box_pk, ag->box_sk);
	ag->state = AG_JOIN;
	for (int i = 0; i < 2; i++)
		if (ag->path[i] == NULL)
			ag->path[i] = leased_paths[i];
	add_host(w, ag);
}

static void hash_label(unsigned char *out, size_t n, const char *label, const char *token)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, n);
	crypto_generichash_update(&st, (const unsigned char *)label, strlen(label) + 1);
	crypto_generichash_update(&st, (const unsigned char *)token, strlen(token));
	crypto_generichash_final(&st, out, n);
}

static void send_join(struct world *w, int actor, struct agent *ag, const char *token)
{
	static const unsigned char no_pin[32] = { 0 };
	static const char label[] = "vault/join/v1";
	struct call *c = &w->call[actor];
	struct value *body = value_object(c->a);
	unsigned char id[16], key[32], mac[32];
	crypto_generichash_state st;
	char *hex = arena_alloc(c->a, 33);

	hash_label(id, sizeof(id), "vault/join-id/v1", token);
	hash_label(key, sizeof(key), "vault/join-key/v1", token);
	crypto_generichash_init(&st, key, sizeof(key), sizeof(mac));
	crypto_generichash_update(&st, (const unsigned char *)label, sizeof(label));
	crypto_generichash_update(&st, ag->sign_pk, 32);
	crypto_generichash_update(&st, ag->box_pk, 32);
	crypto_generichash_update(&st, no_pin, 32);
	crypto_generichash_final(&st, mac, sizeof(mac));
	text_hex(id, sizeof(id), hex);
	value_set_str(c->a, body, "join_id", hex);
	set_b64(c->a, body, "sign_key", ag->sign_pk, 32);
	set_b64(c->a, body, "box_key", ag->box_pk, 32);
	set_b64(c->a, body, "mac", mac, sizeof(mac));
	value_set_str(c->a, body, "agent_version", "sim");
	world_submit(w, actor, HTTP_POST, "auth/host/join", NULL, body);
}

static void put_u64(unsigned char *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (unsigned char)v;
}

static void set_host_id(struct arena *a, struct value *body, const struct agent *ag)
{
	char *hex = arena_alloc(a, 33);

	text_hex(ag->host_id, 16, hex);
	value_set_str(a, body, "host_id", hex);
}

static void send_login(struct world *w, int actor, struct agent *ag)
{
	static const char label[] = "vault/host-login/v1";
	struct call *c = &w->call[actor];
	struct value *body = value_object(c->a);
	unsigned char msg[sizeof(label) + 16 + 16 + 32 + 8 + 32] = { 0 }, sig[64],
							     *p = msg;

	memcpy(p, label, sizeof(label));
	p += sizeof(label);
	memcpy(p, ag->vault_id, 16);
	memcpy(p + 16, ag->host_id, 16);
	memcpy(p + 32, ag->nonce, 32);
	put_u64(p + 64, (uint64_t)ag->generation);
	crypto_sign_detached(sig, NULL, msg, sizeof(msg), ag->sign_sk);
	set_host_id(c->a, body, ag);
	set_b64(c->a, body, "nonce", ag->nonce, 32);
	value_set_int(c->a, body, "generation", ag->generation);
	set_b64(c->a, body, "signature", sig, sizeof(sig));
	value_set_str(c->a, body, "agent_version", "sim");
	world_submit(w, actor, HTTP_POST, "auth/host/login", NULL, body);
}

/* Who speaks (1 the vault, 2 the host), and of what. */
static size_t box_as(unsigned char out[64], int who, const char *op)
{
	memcpy(out, "vault/host-session/v1", 22);
	out[22] = (unsigned char)who;
	memcpy(out + 23, op, strlen(op) + 1);
	return 23 + strlen(op) + 1;
}

/* What the host says itself, in its session; with a nonce it asks. */
static struct value *says(struct arena *a, const struct agent *ag, const char *op,
                          struct value *data, const unsigned char *nonce)
{
	struct value *body = value_object(a), *out = value_object(a);
	unsigned char *packed, *said, as[64];
	size_t n;

	set_host_id(a, body, ag);
	value_set_str(a, body, "op", op);
	value_set_int(a, body, "generation", ag->generation);
	if (nonce != NULL)
		value_set_bytes(a, body, "nonce", nonce, 32);
	value_set(body, "data", data);
	packed = value_pack(a, body, &n);
	said = arena_alloc(a, n + 40);
	randombytes_buf(said, 24);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		said + 24, NULL, packed, n, as, box_as(as, 2, op), NULL, said, ag->key);
	set_b64(a, out, "statement", said, n + 40);
	return out;
}

static struct value *asks(struct arena *a, const struct agent *ag, const char *op,
                          struct value *data)
{
	unsigned char *nonce = arena_alloc(a, 32);

	randombytes_buf(nonce, 32);
	return says(a, ag, op, data, nonce);
}

static void send_leases(struct world *w, int actor, struct agent *ag)
{
	struct call *c = &w->call[actor];
	struct value *body = value_object(c->a), *paths = value_array(c->a);

	for (int i = 0; i < 2; i++)
		value_add(paths, value_str(c->a, ag->path[i]));
	value_set(body, "paths", paths);
	ag->lease[0][0] = ag->lease[1][0] = '\0';
	world_submit(w, actor, HTTP_POST, "sys/agent/leases", ag->token,
	             asks(c->a, ag, "leases", body));
}

static void send_fetch(struct world *w, int actor, struct agent *ag)
{
	struct call *c = &w->call[actor];
	struct value *body = value_object(c->a), *leases = value_array(c->a);

	for (int i = 0; i < 2; i++)
		if (ag->lease[i][0] != '\0')
			value_add(leases, value_str(c->a, ag->lease[i]));
	value_set(body, "leases", leases);
	world_submit(w, actor, HTTP_POST, "sys/agent/fetch", ag->token,
	             asks(c->a, ag, "fetch", body));
}

static void send_ack(struct world *w, int actor, struct agent *ag)
{
	struct call *c = &w->call[actor];
	struct value *body = value_object(c->a), *acks = value_array(c->a), *one;

	for (int i = 0; i < 2; i++) {
		if (ag->version[i] <= ag->applied[i])
			continue;
		one = value_object(c->a);
		value_set_str(c->a, one, "lease_id", ag->lease[i]);
		value_set_int(c->a, one, "version", ag->version[i]);
		value_set_str(c->a, one, "state", "applied");
		value_add(acks, one);
	}
	value_set(body, "acks", acks);
	world_submit(w, actor, HTTP_POST, "sys/agent/ack", ag->token,
	             says(c->a, ag, "ack", body, NULL));
}

static void send_watch(struct world *w, int actor, struct agent *ag)
{
	struct call *c = &w->call[actor];
	struct value *query = value_object(c->a);

	value_set_int(c->a, query, "since", ag->rev);
	value_set_str(c->a, query, "wait", "5");
	world_submit(w, actor, HTTP_POST, "sys/agent/watch", ag->token, query);
}

void agent_act(struct world *w, int agent)
{
	struct agent *ag = &w->agent[agent];
	int actor = CLIENTS + agent;
	struct call *c = &w->call[actor];
	struct value *body;

	c->op = (struct sim_op){ .kind = DO_AGENT, .slot = -1 };
	ag->replaying = ag->state != AG_JOIN && rnd(w, 12) == 0;
	if (ag->replaying) { /* somebody else found the token */
		struct agent thief = *ag;

		crypto_sign_keypair(thief.sign_pk, thief.sign_sk);
		crypto_box_keypair(thief.box_pk, thief.box_sk);
		send_join(w, actor, &thief, ag->join_token);
		return;
	}
	switch (ag->state) {
	case AG_JOIN:
		send_join(w, actor, ag, ag->join_token);
		break;
	case AG_CHALLENGE:
		body = value_object(c->a);
		set_host_id(c->a, body, ag);
		world_submit(w, actor, HTTP_POST, "auth/host/challenge", NULL, body);
		break;
	case AG_LOGIN:
		send_login(w, actor, ag);
		break;
	case AG_LEASES:
		send_leases(w, actor, ag);
		break;
	case AG_FETCH:
		send_fetch(w, actor, ag);
		break;
	case AG_ACK:
		send_ack(w, actor, ag);
		break;
	default:
		send_watch(w, actor, ag);
	}
}

/* Power failed while a request was under way: what a real agent does is start over. */
void agent_lost(struct world *w, int agent)
{
	struct agent *ag = &w->agent[agent];

	(void)w;
	ag->replaying = false;
	for (int i = 0; ag->state == AG_ACK && i < 2; i++)
		ag->maybe[i] = ag->version[i];
	if (ag->state != AG_JOIN)
		ag->state = AG_CHALLENGE;
}

static int index_of(const struct agent *ag, const struct value *id)
{
	for (int i = 0; i < 2; i++)
		if (id != NULL && strlen(ag->lease[i]) == id->len &&
		    memcmp(ag->lease[i], id->text, id->len) == 0)
			return i;
	return -1;
}

static void take_leases(struct world *w, struct agent *ag, const struct value *data)
{
	const struct value *list = value_get(data, "leases");

	(void)w;
	for (const struct value *l = list != NULL ? list->first : NULL; l != NULL;
	     l = l->next) {
		const struct value *path = value_get(l, "path"),
				   *id = value_get(l, "lease_id");

		for (int i = 0; i < 2; i++)
			if (id != NULL && value_is_str(path, ag->path[i]))
				keep(ag->lease[i], sizeof(ag->lease[i]), id);
	}
}

/* The bytes that the vault has signed; NULL if it has not. */
static unsigned char *heard_signed(struct arena *a, const struct agent *ag,
                                   const unsigned char *p, size_t n)
{
	static const char label[] = "vault/host-statement/v1";
	unsigned char *msg;

	if (n < 64)
		return NULL;
	n -= 64;
	msg = arena_alloc(a, sizeof(label) + n);
	memcpy(msg, label, sizeof(label));
	memcpy(msg + sizeof(label), p + 64, n);
	return crypto_sign_verify_detached(p, msg, sizeof(label) + n, ag->order_pk) == 0
	               ? msg + sizeof(label)
	               : NULL;
}

/* The bytes that it has put in a box of the session; NULL if it has not. */
static unsigned char *heard_boxed(struct arena *a, const struct agent *ag, const char *op,
                                  const unsigned char *p, size_t n)
{
	unsigned char *plain = arena_alloc(a, n), as[64];

	return n >= 40 && crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL,
	                                                             p + 24, n - 24, as,
	                                                             box_as(as, 1, op), p,
	                                                             ag->key) == 0
	               ? plain
	               : NULL;
}

/* What the vault says to this host; NULL if it is not the vault that says it. */
static struct value *heard(struct arena *a, const struct agent *ag, const char *op,
                           const unsigned char *p, size_t n)
{
	bool login = strcmp(op, "login") == 0;
	unsigned char *plain = login ? heard_signed(a, ag, p, n)
	                             : heard_boxed(a, ag, op, p, n);
	struct value *body, *data;
	char id[33];

	text_hex(ag->host_id, 16, id);
	if (plain == NULL ||
	    value_decode(a, plain, n - (login ? 64 : 40), &body, NULL) != ERR_OK ||
	    !value_is_str(value_get(body, "op"), op) ||
	    !value_is_str(value_get(body, "host_id"), id))
		return NULL;
	data = value_get(body, "data");
	value_set_int(a, data, "generation", value_int_or(body, "generation", -1));
	return data;
}

/* Sealed by the vault to this host, and the value that the model knows. */
static void check_sealed(struct world *w, struct agent *ag, int i,
                         const struct value *item)
{
	const struct value *sealed = value_get(item, "sealed");
	struct arena *a = arena_new(1024 * 1024);
	unsigned char *box = arena_alloc(a, sealed != NULL ? sealed->len + 4 : 4);
	const struct m_path *p = &w->m.path[leased[i]];
	struct value *body;
	int64_t version;
	long n;

	n = sealed == NULL ? -1
	    : sealed->type == V_BYTES
	            ? (memcpy(box, sealed->text, sealed->len), (long)sealed->len)
	            : text_unbase64(sealed->text, sealed->len, box, sealed->len);
	body = n >= 0 ? heard(a, ag, "fetch", box, (size_t)n) : NULL;
	if (body == NULL)
		fail(w, "fetch: the value is not sealed to the host by the vault");
	else if ((version = value_int_or(body, "version", -1)) < 0 ||
	         (w->farm == NULL && (version != p->current || !p->exists)))
		fail(w, "fetch of %s: version %lld instead of %d", sim_paths[leased[i]],
		     (long long)version, p->current);
	else
		ag->version[i] = (int)version;
	arena_free(a);
}

static void take_items(struct world *w, struct agent *ag, const struct value *data)
{
	const struct value *list = value_get(data, "items");

	for (const struct value *it = list != NULL ? list->first : NULL; it != NULL;
	     it = it->next) {
		int i = index_of(ag, value_get(it, "lease_id"));

		if (i >= 0 && value_get(it, "sealed") != NULL)
			check_sealed(w, ag, i, it);
	}
}

static void refused(struct world *w, struct agent *ag, int status)
{
	/* A login whose answer was lost is made up for; more refusals are a fault. */
	if (++ag->refusals > 4)
		fail(w, "%s: refused %d times in a row, last with status %d", ag->name,
		     ag->refusals, status);
	ag->state = AG_CHALLENGE;
}

static void joined(struct world *w, struct agent *ag, const struct value *reply)
{
	struct arena *a = arena_new(LIMIT_REQUEST_ARENA);
	const struct value *bytes = value_get(reply, "joined");
	struct value *data = NULL;

	if (bytes == NULL || value_decode(a, bytes->text, bytes->len, &data, NULL) != 0)
		fail(w, "join: the answer cannot be decoded");
	if (!get_hex(data, "host_id", ag->host_id, 16) ||
	    !get_hex(data, "vault_id", ag->vault_id, 16) ||
	    !get_b64(data, "order_key", ag->order_pk, 32))
		fail(w, "join: the answer is not complete");
	arena_free(a);
	ag->state = AG_CHALLENGE;
}

/* A reply of which the agent believes only what the vault says in it. */
static const struct value *said(struct world *w, struct arena *a, const struct agent *ag,
                                const struct value *data)
{
	const char *op = ag->state == AG_LOGIN    ? "login"
	                 : ag->state == AG_LEASES ? "leases"
	                                          : "watch";
	const struct value *st = value_get(data, "statement"), *out;

	if (st == NULL && ag->state == AG_WATCH) /* nothing happened */
		return data;
	out = st == NULL ? NULL
	                 : heard(a, ag, op, (const unsigned char *)st->text, st->len);
	if (out == NULL)
		fail(w, "%s: an answer to %s is not of the vault", ag->name, op);
	return out;
}

static void take_session(struct world *w, struct agent *ag, const struct value *v)
{
	if (v == NULL || v->type != V_BYTES || v->len != 32 + crypto_box_SEALBYTES ||
	    crypto_box_seal_open(ag->key, (const unsigned char *)v->text, v->len,
	                         ag->box_pk, ag->box_sk) != 0)
		fail(w, "%s: a login brings no key of the session", ag->name);
}

static void accepted(struct world *w, struct arena *a, struct agent *ag,
                     const struct value *body)
{
	const struct value *data = value_get(body, "data");

	if (ag->state == AG_LOGIN || ag->state == AG_LEASES || ag->state == AG_WATCH)
		data = said(w, a, ag, data);

	switch (ag->state) {
	case AG_JOIN:
		joined(w, ag, data);
		break;
	case AG_CHALLENGE:
		if (!get_b64(data, "nonce", ag->nonce, 32))
			fail(w, "challenge: no nonce");
		ag->state = AG_LOGIN;
		break;
	case AG_LOGIN:
		keep(ag->token, sizeof(ag->token),
		     value_get(value_get(body, "auth"), "client_token"));
		ag->generation = value_int_or(data, "generation", -1);
		take_session(w, ag, value_get(data, "session"));
		ag->state = AG_LEASES;
		break;
	case AG_LEASES:
		take_leases(w, ag, data);
		ag->state = AG_FETCH;
		break;
	case AG_FETCH:
		take_items(w, ag, data);
		ag->state = AG_ACK;
		break;
	case AG_ACK:
		for (int i = 0; i < 2; i++)
			ag->applied[i] = ag->version[i];
		ag->state = AG_WATCH;
		break;
	default:
		ag->rev = value_int_or(data, "rev", ag->rev);
		ag->state = rnd(w, 3) == 0 ? AG_LEASES : AG_FETCH;
	}
}

void agent_reply(struct world *w, int agent, int status, const struct value *body)
{
	struct agent *ag = &w->agent[agent];
	struct arena *a;

	if (ag->replaying) {
		ag->replaying = false;
		if (status < 400)
			fail(w, "%s: a join token worked twice: %d in state %d", ag->name,
			     status, ag->state);
		return;
	}
	if (status >= 400) {
		/* nothing leased yet: there may be no secret at these paths */
		if (ag->state == AG_FETCH && status == 400 && ag->lease[0][0] == '\0' &&
		    ag->lease[1][0] == '\0') {
			ag->state = AG_WATCH;
			return;
		}
		refused(w, ag, status);
		return;
	}
	ag->refusals = 0;
	a = arena_new(LIMIT_REQUEST_ARENA);
	accepted(w, a, ag, body);
	arena_free(a);
}
