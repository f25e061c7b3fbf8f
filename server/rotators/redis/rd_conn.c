/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "rd.h"
#include "sha256.h"
#include "text.h"

#define DEFAULT_PORT 6379
#define CONTROL_LEN  32 /* of a password that nobody has */

/* --- replies --- */

enum answer_class rd_class(const char *text)
{
	static const struct {
		const char *prefix;
		enum answer_class class;
	} classes[] = {
		{"WRONGPASS",				       CLASS_AUTH     },
		{ "NOAUTH",					 CLASS_AUTH     },
		{ "LOADING",					CLASS_RETRYABLE},
		{ "BUSY",					   CLASS_RETRYABLE},
		{ "MASTERDOWN",				     CLASS_RETRYABLE},
		{ "CLUSTERDOWN",				    CLASS_RETRYABLE},
		{ "TRYAGAIN",				       CLASS_RETRYABLE},
		{ "READONLY",				       CLASS_RETRYABLE}, /* a replica */
		{ "MISCONF",					CLASS_RETRYABLE},
		{ "OOM",					    CLASS_RETRYABLE},
		{ "ERR max number of clients",                      CLASS_RETRYABLE},
		{ "ERR There was an error trying to save the ACLs", CLASS_RETRYABLE},
		{ "ERR Rewriting config file",                      CLASS_RETRYABLE},
	};

	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (strncmp(text, classes[i].prefix, strlen(classes[i].prefix)) == 0)
			return classes[i].class;
	return CLASS_PERMANENT;
}

static int receive(struct rd *d, redisReply **out, struct answer *a)
{
	char chunk[4096];
	void *reply = NULL;
	size_t n = 0;
	int rc;

	for (;;) {
		if (redisReaderGetReply(d->reader, &reply) != REDIS_OK)
			return answer_fail(a, CLASS_RETRYABLE,
			                   "the server does not speak Redis");
		if (reply != NULL)
			break;
		if ((rc = wire_read(&d->wire, chunk, sizeof(chunk), &n, a)) != 0)
			return rc;
		if (redisReaderFeed(d->reader, chunk, n) != REDIS_OK)
			return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	}
	*out = reply;
	return 0;
}

int rd_command(struct rd *d, const char *const *argv, size_t n, redisReply **out,
               struct answer *a)
{
	char *text = NULL;
	long long size;
	int rc;

	*out = NULL;
	size = redisFormatCommandArgv(&text, (int)n, (const char **)(uintptr_t)argv,
	                              NULL);
	if (size < 0 || text == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	rc = wire_write(&d->wire, text, (size_t)size, a);
	sodium_memzero(text, (size_t)size);
	redisFreeCommand(text);
	if (rc == 0)
		rc = receive(d, out, a);
	if (*out == NULL)
		return rc;
	if ((*out)->type != REDIS_REPLY_ERROR)
		return 0;
	rc = answer_fail(a, rd_class((*out)->str), "%s", (*out)->str);
	freeReplyObject(*out);
	*out = NULL;
	return rc;
}

int rd_do_argv(struct rd *d, struct answer *a, const char *const *argv, size_t n)
{
	redisReply *reply = NULL;
	int rc = rd_command(d, argv, n, &reply, a);

	if (reply != NULL)
		freeReplyObject(reply);
	return rc;
}

void rd_hash(char mark, const char *password, char out[RD_HASH + 1])
{
	unsigned char digest[SHA256_BYTES];

	sha256_of(digest, password, strlen(password));
	out[0] = mark;
	text_hex(digest, sizeof(digest), out + 1);
	sodium_memzero(digest, sizeof(digest));
}

/* --- users --- */

/* ACL GETUSER answers with names and values in turn. */
static const redisReply *member(const redisReply *reply, const char *name)
{
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		if (reply->element[i]->type == REDIS_REPLY_STRING &&
		    strcmp(reply->element[i]->str, name) == 0)
			return reply->element[i + 1];
	return NULL;
}

int rd_user(struct rd *d, const char *name, bool *exists, bool *nopass, struct answer *a)
{
	const char *const argv[] = { "ACL", "GETUSER", name };
	const redisReply *flags;
	redisReply *reply;
	int rc = rd_command(d, argv, ARRAY_LEN(argv), &reply, a);

	if (reply == NULL)
		return rc;
	*exists = reply->type == REDIS_REPLY_ARRAY;
	*nopass = false;
	flags = *exists ? member(reply, "flags") : NULL;
	for (size_t i = 0; flags != NULL && i < flags->elements; i++)
		if (flags->element[i]->str != NULL &&
		    strcmp(flags->element[i]->str, "nopass") == 0)
			*nopass = true;
	freeReplyObject(reply);
	return 0;
}

/* --- connecting --- */

/* "redis://host:port" or "rediss://…"; what stands before an '@' is cut out already. */
static int parse_url(struct request *r, struct target *t, struct answer *a)
{
	char *url = NULL, *host, *colon, *end;
	bool tls;
	int rc = target_cut_user(r->arena, t->url, &url, a);

	if (rc != 0)
		return rc;
	tls = strncmp(url, "rediss://", 9) == 0;
	if (!tls && strncmp(url, "redis://", 8) != 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "connection_url is neither redis:// nor rediss://");
	host = strchr(url, ':') + 3;
	host[strcspn(host, "/?")] = '\0';
	if (host[0] == '[' && (end = strchr(host, ']')) != NULL) {
		host++;
		*end++ = '\0';
		colon = *end == ':' ? end : NULL;
	} else if ((colon = strchr(host, ':')) != NULL) {
		*colon = '\0';
	}
	if (colon != NULL) {
		t->port = strtol(colon + 1, &end, 10);
		if (*end != '\0' || t->port <= 0 || t->port > 65535)
			return answer_fail(a, CLASS_PERMANENT,
			                   "connection_url: the port makes no sense");
	}
	if (host[0] == '\0')
		return answer_fail(a, CLASS_PERMANENT, "connection_url has no host");
	t->host = host;
	/* What "redis" leaves open the rest may say. */
	if (!tls && t->tls == TLS_DEFAULT)
		t->tls = TLS_OFF;
	if (tls && t->tls == TLS_OFF)
		return target_tls_url(t, TLS_VERIFY_FULL, a);
	if (tls && t->tls == TLS_DEFAULT)
		t->tls = TLS_VERIFY_FULL;
	return 0;
}

/* There is nothing to negotiate: a port has TLS or has none.  Passwords cross the network
 * as they are, so that another machine's port has it unless the configuration says no. */
static int find_place(struct request *r, struct target *t, enum tls_mode *mode,
                      struct answer *a)
{
	bool insecure;
	int rc;

	if ((rc = target_read(r, t, a)) != 0 ||
	    (rc = config_bool(r, "insecure_tls", false, &insecure, a)) != 0 ||
	    (t->url != NULL && (rc = parse_url(r, t, a)) != 0))
		return rc;
	if (t->port == 0)
		t->port = DEFAULT_PORT;
	*mode = target_tls(t->tls, t->host, t->ca);
	if (*mode == TLS_PREFER)
		*mode = TLS_OFF;
	else if (*mode != TLS_OFF && insecure)
		*mode = TLS_REQUIRE;
	return 0;
}

static int open_session(struct request *r, struct rd *d, struct answer *a)
{
	enum tls_mode mode = TLS_DEFAULT;
	struct target t;
	int rc = find_place(r, &t, &mode, a);

	d->wire.fd = -1;
	if (rc != 0)
		return rc;
	if ((d->reader = redisReaderCreate()) == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	return wire_open(&d->wire, &t, mode, r->end_ms, a);
}

void rd_logout(void *session)
{
	struct rd *d = session;

	if (d->reader != NULL)
		redisReaderFree(d->reader);
	d->reader = NULL;
	wire_close(&d->wire);
}

static int authenticate(struct rd *d, const struct credential *c, struct answer *a)
{
	if (c->password == NULL) /* a default user without a password */
		return rd_do(d, a, "PING");
	return rd_do(d, a, "AUTH", c->username, c->password);
}

static struct rd *open_as(struct request *r, const struct credential *c, struct answer *a)
{
	struct rd *d = arena_alloc(r->arena, sizeof(*d));

	if (d == NULL) {
		answer_fail(a, CLASS_RETRYABLE, "out of memory");
		return NULL;
	}
	if (open_session(r, d, a) == 0 && authenticate(d, c, a) == 0) {
		d->user = c->username;
		return d;
	}
	rd_logout(d);
	return NULL;
}

/* --- proof --- */

/* A user with the flag `nopass` gets in with any password.  Who may look is asked for
 * that; else a password that nobody has is tried, since Redis locks nobody out. */
static enum login prove_by_control(struct request *r, const struct credential *c,
                                   struct answer *why)
{
	char control[CONTROL_LEN + 1];
	struct credential wrong = { .given = true, .username = c->username };
	struct rd *d;

	text_base62_random(control, CONTROL_LEN);
	wrong.password = control;
	d = open_as(r, &wrong, why);
	if (d != NULL) {
		rd_logout(d);
		return LOGIN_UNPROVEN;
	}
	return strncmp(why->message, "WRONGPASS", 9) == 0 ? LOGIN_OK : LOGIN_UNKNOWN;
}

static bool ask(struct rd *d, const char *user, enum login *result)
{
	struct answer ignored = { 0 };
	bool exists = false, nopass = false;

	if (rd_user(d, user, &exists, &nopass, &ignored) != 0 || !exists)
		return false;
	*result = nopass ? LOGIN_UNPROVEN : LOGIN_OK;
	return true;
}

static bool ask_admin(struct request *r, const char *user, enum login *result)
{
	struct answer ignored = { 0 };
	struct rd *d = r->admin.given && r->admin.username != NULL
	                       ? open_as(r, &r->admin, &ignored)
	                       : NULL;
	bool known = d != NULL && ask(d, user, result);

	if (d != NULL)
		rd_logout(d);
	return known;
}

enum login rd_login(struct request *r, const struct credential *c, void **session,
                    struct answer *why)
{
	struct rd *d = open_as(r, c, why);
	enum login result = LOGIN_UNPROVEN;

	if (d == NULL)
		return strncmp(why->message, "WRONGPASS", 9) == 0 ? LOGIN_REFUSED
		                                                  : LOGIN_UNKNOWN;
	if (c->password != NULL && !ask(d, c->username, &result) &&
	    !ask_admin(r, c->username, &result))
		result = prove_by_control(r, c, why);
	if (result == LOGIN_UNKNOWN) {
		rd_logout(d);
		return result;
	}
	*why = (struct answer){ 0 };
	*session = d;
	return result;
}
