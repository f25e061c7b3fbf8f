/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_HOST_H
#define SERVER_CORE_HOST_H
/*
 * host - machines that run an agent, what their roles let them have, and their alarms.
 *
 * KIND_HOST: id = host id, tag = blind("host", name) unless the name was given to a later
 * host. KIND_HOST_ROLE: id = blind("host-role", name); body {name, paths, ttl,
 * description}. KIND_JOIN: id = blind("join", join id), parent = host id; body {key,
 * used, sign, box}.
 */
#include <stdbool.h>
#include <stdint.h>

#include "auth_host.h"
#include "req.h"
#include "store.h"

#define HOST_ALARMS        20u /* the newest are kept */
#define HOST_ROLE_PATHS    256u
#define HOST_VERSION_MAX   64u
#define HOST_TOKEN_MS      (3600ll * 1000)
#define HOST_JOIN_AGAIN_MS 60000 /* a lost reply to a join may be asked for again */
#define HOST_LEASE_TTL_MS  (24ll * 3600 * 1000)

#define ALARM_JOIN_AGAIN "join token used again"
#define ALARM_CLONE      "two agents with one identity"
#define ALARM_SHORTER    "the audit log is shorter than this host has seen"

enum host_state { HOST_PENDING, HOST_ACTIVE, HOST_REVOKED };

struct host {
	struct store_object o;
	const char *name, *role, *agent_version;
	enum host_state state;
	int64_t generation;
	int64_t joined_ms, seen_ms, checkpoint_size;
	unsigned char sign_pk[32], box_pk[32];
	int64_t keyed_ms; /* since when it has these */
	/* what it will have from its next login with them on */
	bool rekeying;
	unsigned char next_sign_pk[32], next_box_pk[32];
	unsigned char last_pk[32];       /* the signing key before, cut; or zeros */
	unsigned char token[32];         /* id of the token of the newest login */
	unsigned char token_before[32];  /* of the generation before; or zeros */
	unsigned char nonce[HOST_NONCE]; /* of the newest login */
	bool token_used;                 /* by somebody who has seen its reply */
	bool token_spoken;               /* by the host itself, in the session of it */
	struct value *alarms;            /* array of {kind, time, remote}, newest last */
};

/** host_state_name(s): "pending", "active", "revoked". */
const char *host_state_name(enum host_state s);

/** host_load(c, a, id, out, e), host_find(c, a, name, out, e): ERR_NOENT if there is
 * none. A name means the newest host that has it. */
int host_load(struct core *c, struct arena *a, const unsigned char id[HOST_ID],
              struct host *out, struct err *e) MUST_CHECK;
int host_find(struct core *c, struct arena *a, const char *name, struct host *out,
              struct err *e) MUST_CHECK;
/** host_read(a, o, out): a stored object as a host; ERR_INTEGRITY through ${e}. */
int host_read(struct arena *a, const struct store_object *o, struct host *out,
              struct err *e) MUST_CHECK;
/** host_save(c, a, h, e): store what changed. */
int host_save(struct core *c, struct arena *a, struct host *h, struct err *e) MUST_CHECK;
/** host_new(c, name, role, out): a pending host that is not stored yet. */
void host_new(struct core *c, const char *name, const char *role, struct host *out);
/** host_alarm(c, a, h, kind, remote): remember an alarm; host_save() keeps it. */
void host_alarm(struct core *c, struct arena *a, struct host *h, const char *kind,
                const char *remote);

/** host_order(c, a, h, op): a signed order for the host. */
struct value *host_order(struct core *c, struct arena *a, const struct host *h,
                         const char *op);
/* What makes a statement an answer to one request alone. */
struct host_asked {
	const char *op;
	unsigned char nonce[HOST_NONCE]; /* the agent's choice */
	size_t nonce_len;                /* 0: it sent none, and will believe nothing */
	unsigned char token_id[32];      /* whose session it is */
	int64_t generation;              /* of that, where the host has named it */
};
/** host_asked(r, op, out): the nonce of a request. ERR_INVALID: not 64 hex digits. */
int host_asked(struct req *r, const char *op, struct host_asked *out) MUST_CHECK;
/** host_session_key(c, h, token_id, out): the key of the login that brought the token. */
void host_session_key(const struct core *c, const struct host *h,
                      const unsigned char token_id[32], unsigned char out[HOSTBOX_KEY]);
/** host_statement(c, a, h, q, data, len): ${data} said by the vault to this host in
 * answer to this request, under the session's key, in ${a}; NULL if the arena refuses. */
unsigned char *host_statement(struct core *c, struct arena *a, const struct host *h,
                              const struct host_asked *q, const struct value *data,
                              size_t *len) MUST_CHECK;
/** host_say(r, h, q, data): make that the reply. */
int host_say(struct req *r, const struct host *h, const struct host_asked *q,
             const struct value *data) MUST_CHECK;
/** host_say_signed(r, h, q, data): the same, signed for whoever has no session yet. */
int host_say_signed(struct req *r, const struct host *h, const struct host_asked *q,
                    const struct value *data) MUST_CHECK;

/** host_asks(r, h, op, q, data): what the host asks in the request's "statement", which
 * has the nonce that the answer covers; *data lasts until the request is answered or
 * parked.  As host_heard() otherwise. */
int host_asks(struct req *r, struct host *h, const char *op, struct host_asked *q,
              const struct value **data) MUST_CHECK;

/** host_heard(r, h, op, data): what the host says in the request's "statement", under the
 * key of its session; *data is an object in r->a.  The first time after a login ${h} is
 * stored: the host has its answer.  ERR_INVALID unless it is this host's word for
 * ${op}, in the session of its newest login or of the one before. */
int host_heard(struct req *r, struct host *h, const char *op, const struct value **data)
	MUST_CHECK;
/** host_heard_in(r, h, op, data, generation): and in which generation it said so. */
int host_heard_in(struct req *r, struct host *h, const char *op,
                  const struct value **data, int64_t *generation) MUST_CHECK;
/** host_heard_signed(r, h, op, data, generation): the same, signed by the host's key. */
int host_heard_signed(struct req *r, const struct host *h, const char *op,
                      const struct value **data, int64_t *generation) MUST_CHECK;

/** host_pins(c, a): what agents may pin: the server's key and the announced next one. */
struct value *host_pins(struct core *c, struct arena *a);

/**
 * host_self(r, h, stop): the host whose agent asks; notes that it was seen and that the
 * reply to its login has arrived.  Its texts last until the request is answered or
 * parked.  *stop: the host is revoked, the reply carries the
 * order to wipe, and the handler returns what this returned.
 */
int host_self(struct req *r, struct host *h, bool *stop) MUST_CHECK;

/* A role, as it is asked. */
struct host_role {
	struct store_object o;
	const char *name, *description;
	const struct value *paths;
	int64_t ttl_ms;
};
/** host_role_load(c, a, name, out, e): ERR_NOENT if there is none. */
int host_role_load(struct core *c, struct arena *a, const char *name,
                   struct host_role *out, struct err *e) MUST_CHECK;
/** host_role_id(c, name, out): id of its object. */
void host_role_id(struct core *c, const char *name, unsigned char out[32]);
/** host_role_allows(paths, path): does a pattern match the full path ("secret/app/db")?
 */
bool host_role_allows(const struct value *paths, const char *path);
/* "secret/app/" is the names in that folder; a pattern for all that is in it has them,
 * too. */
/** host_role_check(c, pattern, n, e): may ${pattern} be stored? */
int host_role_check(struct core *c, const char *pattern, size_t n, struct err *e)
	MUST_CHECK;
/** host_role_of(c, a, h, out, e): the host's role; one without paths if it is gone. */
int host_role_of(struct core *c, struct arena *a, const struct host *h,
                 struct host_role *out, struct err *e) MUST_CHECK;

#endif
