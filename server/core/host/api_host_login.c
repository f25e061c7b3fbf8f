/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_host_login - how an agent becomes a host: joining with a token, once, and logging
 * in with its own key.
 *
 * What is refused changes nothing but the alarms of a host whose token or key was proven.
 */
#include <sodium.h>
#include <string.h>

#include "api_host.h"
#include "arena.h"
#include "audit.h"
#include "audit_search.h"
#include "auth_token.h"
#include "keyring.h"
#include "mutant.h"
#include "text.h"
#include "vault/limits.h"

#define BAD_TOKEN "join token is not valid"
#define BAD_LOGIN "login refused"

/* ---- fields ---- */

static int take_base64(struct req *r, const char *field, unsigned char *out, size_t n)
{
	const char *s = "";
	bool present;
	int rc = req_str(r, field, &s, &present);

	if (rc != ERR_OK)
		return rc;
	if (text_unbase64(s, strlen(s), out, n) != (long)n)
		return req_fail(r, ERR_INVALID, "%s: base64 of %zu bytes is needed",
		                field, n);
	return ERR_OK;
}

static int take_hex(struct req *r, const char *field, unsigned char *out, size_t n)
{
	const char *s = "";
	bool present;
	int rc = req_str(r, field, &s, &present);

	if (rc != ERR_OK)
		return rc;
	if (text_unhex(s, strlen(s), out, n) != (long)n)
		return req_fail(r, ERR_INVALID, "%s: %zu hex digits are needed", field,
		                2 * n);
	return ERR_OK;
}

static int take_version(struct req *r, const char **out)
{
	bool present;
	int rc;

	*out = "";
	if ((rc = req_str(r, "agent_version", out, &present)) != ERR_OK)
		return rc;
	if (strlen(*out) > HOST_VERSION_MAX || !text_printable(*out, strlen(*out)))
		return req_fail(r, ERR_INVALID,
		                "agent_version: printable text of at most %u bytes",
		                HOST_VERSION_MAX);
	return ERR_OK;
}

/* The server keys that an agent may have seen on this connection. */
struct pins {
	unsigned char at[3][32];
	size_t n;
};

static int add_pin(struct req *r, struct pins *p, const char *name)
{
	unsigned char *pin;
	size_t n;
	int rc = meta_get(r->core->db, r->a, name, &pin, &n, &r->e);

	if (rc == ERR_OK && n == sizeof(p->at[0]))
		memcpy(p->at[p->n++], pin, n);
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static int possible_pins(struct req *r, struct pins *p)
{
	int rc;

	memset(p, 0, sizeof(*p));
	if ((rc = add_pin(r, p, "server_pin")) != ERR_OK ||
	    (rc = add_pin(r, p, "server_pin_next")) != ERR_OK)
		return rc;
	/* Plain HTTP is served on loopback alone. */
	if (p->n == 0 || (r->flags & IPC_F_LOOPBACK) || r->listener == IPC_ON_UNIX)
		memset(p->at[p->n++], 0, sizeof(p->at[0]));
	return ERR_OK;
}

/* The requester has proven to be this host's agent: the record says so. */
static void known_host(struct req *r, const struct host *h)
{
	r->id.type = IDENT_HOST;
	r->id.display_name = h->name;
	memcpy(r->id.host_id, h->o.id, HOST_ID);
	req_note_str(r, "host", h->name);
}

static void raise_alarm(struct req *r, struct host *h, const char *kind)
{
	host_alarm(r->core, r->a, h, kind, r->remote);
	req_note_str(r, "alarm", kind);
	core_wake(r->core, WAIT_HOST, h->o.id);
}

static int refuse_with_alarm(struct req *r, struct host *h, const char *kind, int status)
{
	raise_alarm(r, h, kind);
	if (host_save(r->core, r->a, h, &r->e) != ERR_OK)
		return (int)r->e.code;
	reply_errors(r, status, kind, NULL);
	return ERR_OK;
}

/* ---- join tokens ---- */

struct join {
	struct store_object o;
	unsigned char key[32];
	unsigned char sign_pk[32], box_pk[32]; /* of the agent that used it */
	int64_t expires_ms, used_ms;           /* used 0: not yet */
};

static void join_object_id(struct core *c, const unsigned char join_id[JOIN_ID],
                           unsigned char out[32])
{
	store_blind(c, out, "join", join_id, JOIN_ID, NULL, 0);
}

static int join_save(struct core *c, struct arena *a, struct join *j, struct err *e)
{
	struct value *b = value_object(a);

	value_set_bytes(a, b, "key", j->key, sizeof(j->key));
	value_set_bytes(a, b, "sign", j->sign_pk, sizeof(j->sign_pk));
	value_set_bytes(a, b, "box", j->box_pk, sizeof(j->box_pk));
	value_set_int(a, b, "expires", j->expires_ms);
	value_set_int(a, b, "used", j->used_ms);
	j->o.body = b;
	return store_put(c, &j->o, e);
}

int host_put_join(struct core *c, struct arena *a, const struct host *h,
                  const char *token, int64_t ttl_ms, struct err *e)
{
	struct join j = { .o.kind = KIND_JOIN, .o.id_len = 32, .o.parent_len = HOST_ID };
	unsigned char join_id[JOIN_ID];
	int rc;

	auth_host_join_id(token, join_id);
	auth_host_join_key(token, j.key);
	join_object_id(c, join_id, j.o.id);
	memcpy(j.o.parent, h->o.id, HOST_ID);
	j.expires_ms = c->now_ms + ttl_ms;
	j.o.due = j.expires_ms;
	rc = join_save(c, a, &j, e);
	sodium_memzero(j.key, sizeof(j.key));
	return rc;
}

static int take_bytes(const struct value *b, const char *key, unsigned char out[32])
{
	const struct value *v = value_get(b, key);

	if (v == NULL || v->type != V_BYTES || v->len != 32)
		return -1;
	memcpy(out, v->text, 32);
	return 0;
}

static int join_load(struct req *r, const unsigned char join_id[JOIN_ID], struct join *j)
{
	unsigned char id[32];
	int rc;

	join_object_id(r->core, join_id, id);
	if ((rc = store_get(r->core, r->a, KIND_JOIN, id, 32, &j->o, &r->e)) != ERR_OK)
		return rc;
	j->expires_ms = value_int_or(j->o.body, "expires", 0);
	j->used_ms = value_int_or(j->o.body, "used", 0);
	if (take_bytes(j->o.body, "key", j->key) != 0 ||
	    take_bytes(j->o.body, "sign", j->sign_pk) != 0 ||
	    take_bytes(j->o.body, "box", j->box_pk) != 0 || j->o.parent_len != HOST_ID)
		return req_fail(r, ERR_INTEGRITY, "a join token's record is malformed");
	return ERR_OK;
}

struct joins {
	struct store_object at[8];
	size_t n;
};

static int collect_join(void *ctx, struct store_object *o, struct err *e)
{
	struct joins *js = ctx;

	if (js->n == ARRAY_LEN(js->at))
		return err_set(e, ERR_NOENT, "enough");
	js->at[js->n++] = *o;
	return ERR_OK;
}

int host_drop_joins(struct core *c, struct arena *a, const struct host *h, struct err *e)
{
	struct joins js = { .n = 0 };
	int rc = store_by_parent(c, a, KIND_JOIN, h->o.id, HOST_ID, collect_join, &js, e);

	if (rc == ERR_NOENT)
		rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < js.n; i++)
		rc = store_delete(c, &js.at[i], e);
	return rc;
}

/* ---- join ---- */

struct join_request {
	unsigned char join_id[JOIN_ID];
	unsigned char sign_pk[32], box_pk[32], mac[32];
	const char *agent_version;
};

static int read_join(struct req *r, struct join_request *q)
{
	int rc;

	if ((rc = take_hex(r, "join_id", q->join_id, JOIN_ID)) != ERR_OK ||
	    (rc = take_base64(r, "sign_key", q->sign_pk, 32)) != ERR_OK ||
	    (rc = take_base64(r, "box_key", q->box_pk, 32)) != ERR_OK ||
	    (rc = take_base64(r, "mac", q->mac, 32)) != ERR_OK ||
	    (rc = take_version(r, &q->agent_version)) != ERR_OK)
		return rc;
	if (!auth_host_keys_ok(q->sign_pk, q->box_pk))
		return req_fail(r, ERR_INVALID, "sign_key or box_key is no usable key");
	return ERR_OK;
}

static int join_proven(struct req *r, const struct join_request *q, const struct join *j,
                       bool *ok)
{
	unsigned char mac[32];
	struct pins pins;
	int rc = possible_pins(r, &pins);

	*ok = false;
	for (size_t i = 0; rc == ERR_OK && i < pins.n; i++) {
		auth_host_join_mac(j->key, q->sign_pk, q->box_pk, pins.at[i], mac);
		if (sodium_memcmp(mac, q->mac, sizeof(mac)) == 0)
			*ok = true;
	}
	return rc;
}

static void set_copy(struct req *r, struct value *o, const char *key, const void *p,
                     size_t n)
{
	void *copy = arena_dup(r->a, p, n);

	if (copy != NULL)
		value_set(o, key, value_bytes(r->a, copy, n));
}

static void set_hex(struct req *r, struct value *o, const char *key, const void *p,
                    size_t n)
{
	char *text = arena_alloc(r->a, 2 * n + 1);

	if (text != NULL)
		text_hex(p, n, text);
	value_set_str(r->a, o, key, text);
}

/* All that the agent will keep is in one encoding, and all of that under one MAC. */
static int reply_joined(struct req *r, const struct join_request *q, const struct join *j,
                        const struct host *h)
{
	struct core *c = r->core;
	struct value *body = value_object(r->a), *data = reply_data(r);
	const char *audit_key;
	unsigned char mac[32], *packed;
	size_t n;

	(void)audit_head(c, r->a, &audit_key);
	set_hex(r, body, "host_id", h->o.id, HOST_ID);
	value_set_str(r->a, body, "name", h->name);
	set_hex(r, body, "vault_id", c->vault_id, sizeof(c->vault_id));
	set_copy(r, body, "order_key", keyring_order_public(c->keys), 32);
	value_set_str(r->a, body, "audit_key", audit_key);
	value_set(body, "pins", host_pins(c, r->a));
	value_set_int(r->a, body, "generation", h->generation);
	if (arena_failed(r->a) || (packed = value_pack(r->a, body, &n)) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	auth_host_joined_mac(j->key, q->mac, packed, n, mac);
	value_set_bytes(r->a, data, "joined", packed, n);
	set_copy(r, data, "mac", mac, sizeof(mac));
	return ERR_OK;
}

static int join_again(struct req *r, const struct join_request *q, const struct join *j,
                      struct host *h)
{
	int64_t age = r->core->now_ms - j->used_ms;
	bool same = sodium_memcmp(q->sign_pk, j->sign_pk, 32) == 0 &&
	            sodium_memcmp(q->box_pk, j->box_pk, 32) == 0;

	if (same && age >= 0 && age <= HOST_JOIN_AGAIN_MS && h->state == HOST_ACTIVE)
		return reply_joined(r, q, j, h);
	return refuse_with_alarm(r, h, ALARM_JOIN_AGAIN, 400);
}

static int join_first(struct req *r, const struct join_request *q, struct join *j,
                      struct host *h)
{
	struct core *c = r->core;
	int rc;

	if (c->now_ms >= j->expires_ms ||
	    (h->state != HOST_PENDING && !MUTANT(MUTANT_JOIN_REUSABLE)))
		return req_fail(r, ERR_INVALID, BAD_TOKEN);
	memcpy(j->sign_pk, q->sign_pk, sizeof(j->sign_pk));
	memcpy(j->box_pk, q->box_pk, sizeof(j->box_pk));
	j->used_ms = c->now_ms;
	memcpy(h->sign_pk, q->sign_pk, sizeof(h->sign_pk));
	memcpy(h->box_pk, q->box_pk, sizeof(h->box_pk));
	h->state = HOST_ACTIVE;
	h->joined_ms = h->seen_ms = h->keyed_ms = c->now_ms;
	h->agent_version = q->agent_version;
	if ((rc = join_save(c, r->a, j, &r->e)) != ERR_OK ||
	    (rc = host_save(c, r->a, h, &r->e)) != ERR_OK)
		return rc;
	return reply_joined(r, q, j, h);
}

int host_join(struct req *r)
{
	struct join_request q;
	struct join j = { .used_ms = 0 };
	struct host h;
	bool proven;
	int rc;

	if ((rc = read_join(r, &q)) != ERR_OK)
		return rc;
	rc = join_load(r, q.join_id, &j);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, BAD_TOKEN);
	if (rc != ERR_OK || (rc = join_proven(r, &q, &j, &proven)) != ERR_OK)
		return rc;
	if (!proven)
		return req_fail(r, ERR_INVALID, BAD_TOKEN);
	if ((rc = host_load(r->core, r->a, j.o.parent, &h, &r->e)) != ERR_OK)
		return rc;
	known_host(r, &h);
	rc = j.used_ms != 0 && !MUTANT(MUTANT_JOIN_REUSABLE) ? join_again(r, &q, &j, &h)
	                                                     : join_first(r, &q, &j, &h);
	sodium_memzero(j.key, sizeof(j.key));
	return rc;
}

/* ---- login ---- */

int host_challenge(struct req *r)
{
	unsigned char host_id[HOST_ID], nonce[HOST_NONCE];
	int rc = take_hex(r, "host_id", host_id, HOST_ID);

	if (rc != ERR_OK)
		return rc;
	auth_host_nonce(keyring_key(r->core->keys, KEY_HOST_LOGIN), host_id,
	                r->core->now_ms, nonce);
	set_copy(r, reply_data(r), "nonce", nonce, sizeof(nonce));
	return ERR_OK;
}

/* Which of a host's keys has signed. */
enum login_key { KEY_NONE, KEY_OWN, KEY_NEXT, KEY_LAST };

struct login_request {
	enum login_key key;
	struct host_login signs;
	unsigned char signature[64];
	int64_t generation;
	const char *agent_version;
};

static int read_login(struct req *r, struct login_request *q)
{
	bool present;
	int rc;

	q->generation = -1;
	memcpy(q->signs.vault_id, r->core->vault_id, sizeof(q->signs.vault_id));
	if ((rc = take_hex(r, "host_id", q->signs.host_id, HOST_ID)) != ERR_OK ||
	    (rc = take_base64(r, "nonce", q->signs.nonce, HOST_NONCE)) != ERR_OK ||
	    (rc = take_base64(r, "signature", q->signature, 64)) != ERR_OK ||
	    (rc = req_int(r, "generation", &q->generation, &present)) != ERR_OK ||
	    (rc = take_version(r, &q->agent_version)) != ERR_OK)
		return rc;
	if (q->generation < 0)
		return req_fail(r, ERR_INVALID, "generation: a number is needed");
	q->signs.generation = (uint64_t)q->generation;
	return ERR_OK;
}

static bool signed_by(const struct login_request *q, const struct pins *pins,
                      const unsigned char pk[32])
{
	for (size_t i = 0; i < pins->n; i++)
		if (auth_host_login_ok(&q->signs, pins->at[i], pk, q->signature))
			return true;
	return false;
}

/* The nonce is ours and fresh, and a key of the host has signed it. */
static int login_proven(struct req *r, struct login_request *q, const struct host *h)
{
	struct pins pins;
	int rc = possible_pins(r, &pins);

	q->key = KEY_NONE;
	if (rc != ERR_OK ||
	    !auth_host_nonce_ok(keyring_key(r->core->keys, KEY_HOST_LOGIN), h->o.id,
	                        r->core->now_ms, q->signs.nonce))
		return rc;
	if (signed_by(q, &pins, h->sign_pk))
		q->key = KEY_OWN;
	else if (h->rekeying && signed_by(q, &pins, h->next_sign_pk))
		q->key = KEY_NEXT;
	else if (!sodium_is_zero(h->last_pk, sizeof(h->last_pk)) &&
	         signed_by(q, &pins, h->last_pk))
		q->key = KEY_LAST;
	return ERR_OK;
}

/* From its first login with the new keys on, a host has no others, and no session that
 * was begun with them: a watch that waits in one is told so. */
static int take_new_keys(struct req *r, struct host *h)
{
	memcpy(h->last_pk, h->sign_pk, sizeof(h->last_pk));
	memcpy(h->sign_pk, h->next_sign_pk, sizeof(h->sign_pk));
	memcpy(h->box_pk, h->next_box_pk, sizeof(h->box_pk));
	memset(h->next_sign_pk, 0, sizeof(h->next_sign_pk));
	memset(h->next_box_pk, 0, sizeof(h->next_box_pk));
	h->rekeying = false;
	h->keyed_ms = r->core->now_ms;
	req_note_str(r, "keys", "new");
	core_wake(r->core, WAIT_HOST, h->o.id);
	return token_revoke_host(r->core, r->a, h->o.id, &r->e);
}

static int make_token(struct req *r, struct host *h, struct token_made *made)
{
	const struct token_spec spec = {
		.display_name = arena_printf(r->a, "host-%s", h->name),
		.path = "auth/host/login",
		.policies = value_array(r->a),
		.host_id = h->o.id,
		.ttl_ms = HOST_TOKEN_MS,
	};
	int rc = token_create(r->core, r->a, &spec, made, &r->e);

	if (rc == ERR_OK)
		memcpy(h->token, made->id, sizeof(h->token));
	return rc;
}

/* The key of the session, for the host alone. */
static int set_session(struct req *r, const struct host *h, struct value *data)
{
	unsigned char key[HOSTBOX_KEY], *sealed;
	size_t n = 0;

	host_session_key(r->core, h, h->token, key);
	sealed = auth_host_seal(r->a, h->box_pk, key, sizeof(key), &n);
	sodium_memzero(key, sizeof(key));
	if (sealed == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	value_set_bytes(r->a, data, "session", sealed, n);
	return ERR_OK;
}

static int reply_login(struct req *r, const struct login_request *q, const struct host *h,
                       const struct token_made *made)
{
	struct core *c = r->core;
	struct host_asked asked = { .op = "login", .nonce_len = HOST_NONCE };
	struct value *data = value_object(r->a);
	int rc;

	memcpy(asked.nonce, q->signs.nonce, HOST_NONCE);
	value_set(reply_envelope(r), "auth", token_auth_block(r->a, c, made));
	value_set_int(r->a, data, "server_time_ms", c->now_ms);
	value_set_str(r->a, data, "checkpoint", audit_checkpoint(c, r->a));
	if ((rc = set_session(r, h, data)) != ERR_OK)
		return rc;
	req_note_int(r, "generation", h->generation);
	return host_say_signed(r, h, &asked, data);
}

static int log_in(struct req *r, const struct login_request *q, struct host *h)
{
	struct token_made *made = arena_alloc(r->a, sizeof(*made));
	int rc;

	if (made == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (q->key == KEY_NEXT && (rc = take_new_keys(r, h)) != ERR_OK)
		return rc;
	memcpy(h->nonce, q->signs.nonce, sizeof(h->nonce));
	h->token_used = h->token_spoken = false;
	h->agent_version = q->agent_version;
	h->seen_ms = r->core->now_ms;
	if ((rc = make_token(r, h, made)) != ERR_OK ||
	    (rc = host_save(r->core, r->a, h, &r->e)) != ERR_OK)
		return rc;
	return reply_login(r, q, h, made);
}

/* What was on its way in the session before is still heard.  The one before that is over:
 * who has kept its token, or its key, has nothing. */
static int next_generation(struct req *r, struct host *h)
{
	int rc = token_revoke(r->core, r->a, h->token_before, &r->e);

	memcpy(h->token_before, h->token, sizeof(h->token_before));
	h->generation++;
	return rc;
}

/* The generation tells two agents with one key apart: each login uses one up.  The last
 * may be repeated, and its token dies, until the host has spoken in its session: the
 * reply was lost.  Who used the token and said nothing is another agent, or the network
 * process: that must not lock the host out. */
static int judge_generation(struct req *r, const struct login_request *q, struct host *h)
{
	int rc;

	if (q->generation == h->generation) {
		rc = next_generation(r, h);
		return rc == ERR_OK ? log_in(r, q, h) : rc;
	}
	if (q->generation == h->generation - 1 && !h->token_spoken) {
		if (h->token_used)
			raise_alarm(r, h, ALARM_CLONE);
		req_note_str(r, "repeated", "the last reply was lost");
		rc = token_revoke(r->core, r->a, h->token, &r->e);
		return rc == ERR_OK ? log_in(r, q, h) : rc;
	}
	return refuse_with_alarm(r, h, ALARM_CLONE, 403);
}

int host_login(struct req *r)
{
	struct login_request q;
	struct host h;
	int rc;

	if ((rc = read_login(r, &q)) != ERR_OK)
		return rc;
	rc = host_load(r->core, r->a, q.signs.host_id, &h, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_DENIED, BAD_LOGIN);
	if (rc != ERR_OK || (rc = login_proven(r, &q, &h)) != ERR_OK)
		return rc;
	if (q.key == KEY_NONE || h.state == HOST_PENDING)
		return req_fail(r, ERR_DENIED, BAD_LOGIN);
	known_host(r, &h);
	if (h.state == HOST_REVOKED) {
		struct value *data = value_object(r->a);

		value_set(data, "order", host_order(r->core, r->a, &h, "wipe"));
		reply_errors(r, 403, "host is revoked", data);
		return ERR_OK;
	}
	if (sodium_memcmp(h.nonce, q.signs.nonce, HOST_NONCE) == 0)
		return req_fail(r, ERR_DENIED, "this challenge was answered already");
	/* The host itself does not go back to a key that it has given up. */
	if (q.key == KEY_LAST)
		return refuse_with_alarm(r, &h, ALARM_CLONE, 403);
	return judge_generation(r, &q, &h);
}

/* ---- fields of the routes ---- */

const struct field host_join_fields[] = {
	{"join_id",        "string", "hash of the join token, hex"},
	{ "sign_key",      "string", "Ed25519 public key, base64" },
	{ "box_key",       "string", "X25519 public key, base64"  },
	{ "mac",           "string", "proof, base64"              },
	{ "agent_version", "string", "version of the agent"       },
	{ NULL,            NULL,     NULL                         },
};
const struct field host_challenge_fields[] = {
	{"host_id", "string", "the host, hex"},
	{ NULL,     NULL,     NULL           },
};
const struct field host_login_fields[] = {
	{"host_id",        "string", "the host, hex"        },
	{ "nonce",         "string", "the challenge, base64"},
	{ "generation",    "int",    "number of the login"  },
	{ "signature",     "string", "base64"               },
	{ "agent_version", "string", "version of the agent" },
	{ NULL,            NULL,     NULL                   },
};
