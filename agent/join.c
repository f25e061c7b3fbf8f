/* SPDX-License-Identifier: Apache-2.0 */
#include "join.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/cache/cache.h"
#include "arena.h"
#include "backoff.h"
#include "bytes.h"
#include "clock.h"
#include "floor.h"
#include "http.h"
#include "identity_seal.h"
#include "keymem.h"
#include "reply.h"
#include "rng.h"
#include "text.h"
#include "token.h"
#include "value.h"
#include "vault/version.h"
#include "witness.h"

#define ID_CONTEXT     "vault/join-id/v1"
#define KEY_CONTEXT    "vault/join-key/v1"
#define JOIN_CONTEXT   "vault/join/v1"
#define JOINED_CONTEXT "vault/joined/v1"
#define ATTEMPTS       5u
#define TIMEOUT_MS     15000
#define ANSWER_MAX     (16u * 1024)
#define ANSWER_ROOM    (256u * 1024)

static void hash_token(const char *context, size_t n, const char *token,
                       unsigned char *out, size_t len)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, len);
	crypto_generichash_update(&st, (const unsigned char *)context, n);
	crypto_generichash_update(&st, (const unsigned char *)token, strlen(token));
	crypto_generichash_final(&st, out, len);
	sodium_memzero(&st, sizeof(st));
}

void join_id(const char *token, char out[33])
{
	unsigned char hash[16];

	hash_token(ID_CONTEXT, sizeof(ID_CONTEXT), token, hash, sizeof(hash));
	text_hex(hash, sizeof(hash), out);
}

static void keyed(const char *token, const unsigned char *msg, const unsigned char *end,
                  unsigned char out[32])
{
	unsigned char key[32];

	hash_token(KEY_CONTEXT, sizeof(KEY_CONTEXT), token, key, sizeof(key));
	crypto_generichash(out, 32, msg, (unsigned long long)(end - msg), key,
	                   sizeof(key));
	sodium_memzero(key, sizeof(key));
}

void join_mac(const char *token, const struct identity *id, const unsigned char pin[32],
              unsigned char out[32])
{
	unsigned char msg[sizeof(JOIN_CONTEXT) + 3 * 32], *at = msg;

	at = bytes_put(at, JOIN_CONTEXT, sizeof(JOIN_CONTEXT));
	at = bytes_put(at, id->sign_pk, 32);
	at = bytes_put(at, id->box_pk, 32);
	at = bytes_put(at, pin, 32);
	keyed(token, msg, at, out);
}

void joined_mac(const char *token, const unsigned char mac[32], const void *body,
                size_t n, unsigned char out[32])
{
	crypto_generichash_state st;
	unsigned char key[32];

	hash_token(KEY_CONTEXT, sizeof(KEY_CONTEXT), token, key, sizeof(key));
	crypto_generichash_init(&st, key, sizeof(key), 32);
	crypto_generichash_update(&st, (const unsigned char *)JOINED_CONTEXT,
	                          sizeof(JOINED_CONTEXT));
	crypto_generichash_update(&st, mac, 32);
	crypto_generichash_update(&st, body, n);
	crypto_generichash_final(&st, out, 32);
	sodium_memzero(&st, sizeof(st));
	sodium_memzero(key, sizeof(key));
}

/* One line, from a file or from standard input. */
static int read_token(const char *file, char token[TOKEN_TEXT_LEN + 2], struct err *e)
{
	AUTO_CLOSE int opened = file != NULL ? open(file, O_RDONLY | O_CLOEXEC) : -1;
	int fd = file != NULL ? opened : STDIN_FILENO;
	size_t n = 0;
	ssize_t got = 1;

	if (fd < 0)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno,
		               "opening '%s'", file);
	while (got > 0 && n < TOKEN_TEXT_LEN + 1) {
		got = read(fd, token + n, TOKEN_TEXT_LEN + 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	token[n] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	if (got < 0)
		return err_sys(e, ERR_IO, errno, "reading the join token");
	if (!token_valid(token, strlen(token), 'j'))
		return err_set(
			e, ERR_INVALID,
			"that is no join token: it must read vlt_j_…, as `vaultctl host "
			"add` printed it");
	return ERR_OK;
}

struct attempt {
	const char *server;
	const char *token;
	struct identity *id;
	const unsigned char *pin; /* NULL: plain HTTP */
};

static char *request_body(const struct attempt *t, const unsigned char mac[32])
{
	char id[33];
	AUTO_JSON o = NULL;

	join_id(t->token, id);
	o = json_pack("{s:s, s:s}", "join_id", id, "agent_version", VAULT_VERSION);
	if (reply_set_base64(o, "sign_key", t->id->sign_pk, 32) != 0 ||
	    reply_set_base64(o, "box_key", t->id->box_pk, 32) != 0 ||
	    reply_set_base64(o, "mac", mac, 32) != 0)
		return NULL;
	return reply_text(o);
}

static int take_hex16(const struct value *body, const char *key, unsigned char out[16])
{
	const struct value *v = value_get(body, key);

	return v != NULL && v->type == V_STRING && v->len == 32 &&
	                       text_unhex(v->text, v->len, out, 16) == 16
	               ? 0
	               : -1;
}

static int take_text(const struct value *body, const char *key, char *out, size_t cap)
{
	const struct value *v = value_get(body, key);

	if (v == NULL || v->type != V_STRING || v->len >= cap ||
	    memchr(v->text, '\0', v->len) != NULL)
		return -1;
	memcpy(out, v->text, v->len);
	out[v->len] = '\0';
	return 0;
}

static int take_pins(struct arena *a, const struct value *list, struct pins *pins,
                     struct err *e)
{
	if (list == NULL || list->type != V_ARRAY)
		return -1;
	for (const struct value *v = list->first; v != NULL; v = v->next) {
		const char *text = value_to_cstr(v, a);

		if (text == NULL || pins_add(pins, text, e) != ERR_OK)
			return -1;
	}
	return 0;
}

/* All that is kept of the answer. */
static int take_joined(struct identity *id, struct arena *a, const struct value *body,
                       struct err *e)
{
	const struct value *order = value_get(body, "order_key");
	struct note_key key;
	int64_t generation = -1;

	if (take_hex16(body, "host_id", id->host_id) != 0 ||
	    take_hex16(body, "vault_id", id->vault_id) != 0 ||
	    take_text(body, "name", id->name, sizeof(id->name)) != 0 ||
	    take_text(body, "audit_key", id->audit_key, sizeof(id->audit_key)) != 0 ||
	    note_key_parse(id->audit_key, strlen(id->audit_key), &key, e) != ERR_OK ||
	    take_pins(a, value_get(body, "pins"), &id->pins, e) != 0 || order == NULL ||
	    order->type != V_BYTES || order->len != sizeof(id->order_key) ||
	    value_to_int(value_get(body, "generation"), &generation) != 0 ||
	    generation < 0)
		return err_set(e, ERR_INVALID,
		               "the server's answer to the join cannot be read");
	memcpy(id->order_key, order->text, sizeof(id->order_key));
	id->generation = (uint64_t)generation;
	return ERR_OK;
}

/* The server has to prove that it knows the token before anything is believed, and what
 * is believed is exactly what the proof covers. */
int join_accept(const char *token, struct identity *id, const unsigned char mac[32],
                const json_t *data, struct err *e)
{
	AUTO_ARENA a = arena_new(ANSWER_ROOM);
	const char *text = reply_str(data, "joined");
	unsigned char proof[32], want[32], *p;
	struct value *body = NULL;
	long n;

	if (a == NULL || (p = arena_alloc(a, ANSWER_MAX)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (text == NULL || (n = text_unbase64(text, strlen(text), p, ANSWER_MAX)) < 0 ||
	    reply_base64(data, "mac", proof, sizeof(proof)) != 0)
		return err_set(e, ERR_INVALID,
		               "the server's answer to the join cannot be read");
	joined_mac(token, mac, p, (size_t)n, want);
	if (sodium_memcmp(proof, want, sizeof(proof)) != 0)
		return err_set(e, ERR_VERIFY,
		               "the server did not prove that it knows the join token");
	if (value_decode(a, p, (size_t)n, &body, e) != ERR_OK)
		return err_set(e, ERR_INVALID,
		               "the server's answer to the join cannot be read");
	return take_joined(id, a, body, e);
}

static int try_once(const struct attempt *t, struct err *e)
{
	char pin[PIN_TEXT_MAX];
	const struct http_options o = {
		.base_url = t->server,
		.pin = t->pin != NULL ? pin : NULL,
	};
	struct http_reply reply = { 0 };
	struct http_client *http;
	static const unsigned char zeros[32];
	unsigned char mac[32];
	AUTO_TEXT body = NULL;
	AUTO_JSON doc = NULL;
	int rc;

	join_mac(t->token, t->id, t->pin != NULL ? t->pin : zeros, mac);
	body = request_body(t, mac);
	if (t->pin != NULL)
		pins_format(t->pin, pin);
	if (body == NULL || (http = http_new(&o, e)) == NULL)
		return body == NULL ? err_set(e, ERR_NOMEM, "out of memory")
		                    : (int)e->code;
	rc = http_call(http, "POST", "/v1/auth/host/join", NULL, body, TIMEOUT_MS, &reply,
	               e);
	if (rc == ERR_OK) {
		doc = reply_parse(reply.body, reply.len, e);
		if (reply.status != 200)
			rc = reply_error(reply.status, doc, e);
		else
			rc = doc == NULL ? (int)e->code
			                 : join_accept(t->token, t->id, mac,
			                               json_object_get(doc, "data"), e);
	}
	http_reply_clear(&reply);
	http_free(http);
	return rc;
}

/* A reply that was lost is given again for the same keys; a key that does not match means
 * the next pin. */
static int try_pins(struct attempt *t, const struct pins *pins, struct err *e)
{
	size_t n = pins->n > 0 ? pins->n : 1;
	int rc = ERR_VERIFY;

	for (size_t i = 0; i < n && rc == ERR_VERIFY; i++) {
		t->pin = pins->n > 0 ? pins->pin[i] : NULL;
		rc = try_once(t, e);
	}
	return rc;
}

static bool may_pass(int rc)
{
	return rc == ERR_UNREACHABLE || rc == ERR_TIMEOUT || rc == ERR_BUSY ||
	       rc == ERR_RATE;
}

static int try_all(struct attempt *t, const struct pins *pins, struct err *e)
{
	int rc = try_pins(t, pins, e);

	for (unsigned i = 0; i < ATTEMPTS && may_pass(rc); i++) {
		uint32_t rnd;
		int64_t ms;
		struct timespec pause;

		rng_bytes(&rnd, sizeof(rnd));
		ms = backoff_delay(i, rnd) / 2;
		pause = (struct timespec){ ms / 1000, (long)(ms % 1000) * 1000000 };
		fprintf(stderr, "vault-agent: %s; trying again\n", e->msg);
		(void)nanosleep(&pause, NULL);
		rc = try_pins(t, pins, e);
	}
	return rc;
}

static int make_state_dir(const char *dir, struct err *e)
{
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_sys(e, ERR_IO, errno, "making directory '%s'", dir);
	return ERR_OK;
}

static int refuse_to_replace(const struct options *o, const struct settings *s,
                             struct identity *id, struct err *e)
{
	struct err ignored = { 0 };

	if (o->force || identity_load(s->state_dir, id, &ignored) == ERR_NOENT)
		return ERR_OK;
	return err_set(
		e, ERR_CONFLICT,
		"this host has joined already, as '%s' (--force replaces its identity)",
		id->name);
}

/* The plan: where to, with which pins.  What the command line says wins. */
static int plan(const struct options *o, const struct settings *s, struct attempt *t,
                const char **hosts_server, struct pins *pins, struct err *e)
{
	bool tls;

	t->server = o->server != NULL ? o->server : s->server;
	*hosts_server = o->hosts_server != NULL ? o->hosts_server : s->hosts_server;
	*pins = o->pins.n > 0 ? o->pins : s->pin_set;
	if (t->server == NULL || *hosts_server == NULL)
		return err_set(e, ERR_USAGE, "join needs --server and --hosts-server");
	tls = strncmp(t->server, "https:", 6) == 0;
	if (tls && pins->n == 0)
		return err_set(
			e, ERR_USAGE,
			"join needs --pin sha256//… (`vaultctl host add` prints it)");
	if (!tls)
		pins->n = 0;
	return ERR_OK;
}

/* The key that answered is the one to try first from now on. */
static void put_first(struct pins *pins, const unsigned char *pin)
{
	const struct pins before = *pins;

	if (pin == NULL)
		return;
	pins->n = 0;
	(void)pins_add_raw(pins, pin);
	for (size_t i = 0; i < before.n; i++)
		(void)pins_add_raw(pins, before.pin[i]);
}

int join_finish(const char *state_dir, struct identity *id, struct err *e)
{
	if (!id->fresh)
		return ERR_OK;
	witness_forget(state_dir);
	floor_forget(state_dir);
	cache_wipe(state_dir);
	id->fresh = false;
	return identity_save(state_dir, id, e);
}

static int join_with(const struct options *o, const struct settings *s,
                     struct identity *id, char *token, struct err *e)
{
	struct attempt t = { .token = token, .id = id };
	const char *hosts_server = NULL;
	struct pins pins;
	int rc;

	if ((rc = plan(o, s, &t, &hosts_server, &pins, e)) != ERR_OK ||
	    (rc = make_state_dir(s->state_dir, e)) != ERR_OK ||
	    (rc = refuse_to_replace(o, s, id, e)) != ERR_OK ||
	    (rc = read_token(o->token_file, token, e)) != ERR_OK)
		return rc;
	memset(id, 0, sizeof(*id));
	if ((rc = identity_credential(id, e)) != ERR_OK)
		return rc;
	identity_make_keys(id);
	id->keys_since = clock_wall(clock_system());
	snprintf(id->server, sizeof(id->server), "%s", t.server);
	snprintf(id->hosts_server, sizeof(id->hosts_server), "%s", hosts_server);
	id->pins = pins;
	if ((rc = try_all(&t, &pins, e)) != ERR_OK)
		return rc;
	put_first(&id->pins, t.pin);
	id->fresh = true;
	if ((rc = identity_save(s->state_dir, id, e)) != ERR_OK ||
	    (rc = join_finish(s->state_dir, id, e)) != ERR_OK)
		return rc;
	printf("joined as %s\n", id->name);
	return ERR_OK;
}

int join_run(const struct options *o, const struct settings *s, struct err *e)
{
	struct identity *id = identity_new();
	char *token = keymem_alloc(TOKEN_TEXT_LEN + 2);
	int rc = ERR_NOMEM;

	if (id == NULL || token == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	else
		rc = join_with(o, s, id, token, e);
	keymem_free(token, TOKEN_TEXT_LEN + 2);
	identity_free(id);
	return rc;
}
