/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_AUTH_TOKEN_H
#define SERVER_CORE_AUTH_TOKEN_H
/* auth_token - the token store: tree, accessors, expiry, and who a request comes from. */
#include "req.h"

struct token_spec {
	const char *display_name;
	const char *path;             /* "auth/token/create", "auth/host/login" */
	const struct value *policies; /* array of strings */
	const struct value *meta;     /* object of strings, or NULL */
	const unsigned char *parent;  /* token id (32), or NULL: orphan */
	const unsigned char *host_id; /* 16 bytes for a host's token, or NULL */
	int64_t ttl_ms;               /* 0: never expires (root only) */
	int64_t explicit_max_ttl_ms;  /* 0: none */
	int64_t period_ms;
	int64_t num_uses;
	bool renewable;
	bool batch; /* not stored: no uses, period, renewal, accessor or children */
	const struct value *bound_cidrs; /* array of strings: where it may be used; NULL
	                                    or empty: anywhere */
	const char *role;                /* token role it is made through, or NULL */
	/* Of a token that a login made: what its renewal reads again; NULL: none. */
	const unsigned char *mount_id; /* 16 bytes */
	const char *login_role;
	const struct value *login_data; /* object */
	const char *token_text; /* a given id instead of a random one (dev root token), or
	                           NULL */
};

struct token_made {
	char text[1025];   /* the secret itself: wiped with the arena of the request */
	char accessor[40]; /* "" for a batch token */
	unsigned char id[32];
};

/** token_authenticate(r): fill r->id from r->token: hash, open, expiry, address,
 * num_uses. ERR_DENIED "permission denied". */
int token_authenticate(struct req *r) MUST_CHECK;
/** token_create(c, a, spec, made, e): make a token; ${made} lives in ${a}.  ERR_INVALID
 * for an id that is taken, or a batch token that does not fit. */
int token_create(struct core *c, struct arena *a, const struct token_spec *spec,
                 struct token_made *made, struct err *e) MUST_CHECK;
/** token_auth_block(a, c, made): the "auth" object of a reply for a token that was just
 * made; NULL if it is not there. */
struct value *token_auth_block(struct arena *a, struct core *c,
                               const struct token_made *made);

/** token_batch_disown(c, a, e): no batch token made so far is good any more. */
int token_batch_disown(struct core *c, struct arena *a, struct err *e) MUST_CHECK;

/** token_revoke(c, a, id, e): the token is dead at once, its descendants are soon; ERR_OK
 * if it does not exist. */
int token_revoke(struct core *c, struct arena *a, const unsigned char id[32],
                 struct err *e) MUST_CHECK;
/** token_revoke_host(c, a, host_id, e): every token of a host, at once. */
int token_revoke_host(struct core *c, struct arena *a, const unsigned char host_id[16],
                      struct err *e) MUST_CHECK;
/** token_revoke_mount(c, a, mount_id, s, e): every token that an auth method issued, with
 * its descendants; one slice each call until s->done.  They are dead as soon as the mount
 * is gone: this removes them. */
struct token_sweep {
	unsigned char after[32]; /* the last one looked at */
	bool started, done;
};
int token_revoke_mount(struct core *c, struct arena *a, const unsigned char mount_id[16],
                       struct token_sweep *s, struct err *e) MUST_CHECK;
/** token_revoke_prefix(c, a, prefix, job, e): start to revoke every token whose lease id
 * ("auth/userpass/login/bob/h…") begins with ${prefix}.  ${job} can be waited for with
 * WAIT_JOB; it is over when there is no such KIND_JOB object any more. */
int token_revoke_prefix(struct core *c, struct arena *a, const char *prefix,
                        unsigned char job[16], struct err *e) MUST_CHECK;
/** token_expire_due(c, a, limit, e): revoke tokens whose time is over; called by the
 * timer; audits each. */
int token_expire_due(struct core *c, struct arena *a, int limit, struct err *e)
	MUST_CHECK;

#endif
