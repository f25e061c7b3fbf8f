/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_REQ_H
#define SERVER_CORE_REQ_H
/*
 * req - one request inside core: what came in, who asks, what goes out.
 *
 * The dispatcher fills it, authenticates, authorises, calls the handler inside a
 * savepoint and appends the audit record.  Handlers contain no authorisation,
 * no BEGIN or COMMIT, no audit call.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"
#include "err.h"
#include "value.h"
#include "vault/ipc.h"

/* What a request does; the names in audit records and policies. */
enum op {
	OP_READ,
	OP_LIST,
	OP_CREATE,
	OP_UPDATE,
	OP_PATCH,
	OP_DELETE,
	OP_SCAN, /* a list of all that is below */
	OP__MAX
};

/** op_name(op): "read", "list", "create", … */
const char *op_name(enum op op);
/** op_lists(op): does it ask for names, of a path that ends in a slash? */
bool op_lists(enum op op);

enum ident_type { IDENT_NONE, IDENT_SERVICE, IDENT_HOST };

/* Who asks: the token that was presented, opened and found alive. */
struct ident {
	enum ident_type type;
	bool root;                  /* holds the root policy */
	bool batch;                 /* a token that is not stored: no accessor, nothing
	                               can hang on it */
	unsigned char token_id[32]; /* keyed hash of the token */
	char accessor[40];
	const char *display_name;     /* in the arena */
	const struct value *policies; /* array of strings, effective, in the arena */
	const struct value
		*token; /* the stored token object (auth_token.h), in the arena */
	unsigned char host_id[16]; /* IDENT_HOST */
	bool wrap_itself; /* presents the wrapping token that it asks to open (wrap.h): no
	                     policy is asked */
};

#define REQ_PARAMS 4
struct req_param {
	const char *text; /* NUL-terminated, in the arena */
	size_t len;
};

struct route;
struct mount;

struct req {
	struct core *core;
	struct arena
		*a; /* lives until the reply is handed out (or as long as it is parked) */
	struct arena
		*in; /* what came in, if that was much: until the request is parked */
	struct err e;
	/* in */
	enum http_method method;
	enum op op;
	const char *path; /* canonical, NUL-terminated, without "/v1/" */
	size_t path_len;
	const char *token; /* NULL if none was sent */
	const char *remote;
	unsigned listener; /* enum ipc_listener */
	unsigned flags;    /* IPC_F_* */
	int64_t wrap_ttl_s;
	const struct value
		*client; /* IPC_RQ_CLIENT: the TLS client certificate, or NULL */
	const struct value *query; /* object, never NULL */
	const struct value *body; /* object, never NULL; query's members are merged in for
	                             GET, LIST and DELETE */
	const struct route *route;
	const struct mount *mount; /* the mount that serves the path */
	struct req_param
		param[REQ_PARAMS]; /* ":name" and "*rest" of the pattern, in order */
	struct ident id;
	char request_id[37];
	/* parking */
	int resumed;      /* how often the handler was run again */
	int64_t first_ms; /* boot clock when it was first run */
	void *park_state; /* handler's own, in the arena, survives parking */
	bool settled;     /* req_settle() was called */
	/* out */
	struct value *reply; /* body of the reply, see reply.h */
	int reply_kind;      /* enum ipc_reply_kind */
	int status;          /* 0: 200, or 204 without a body */
	int retry_after;
	const char *reply_id; /* request id in the reply, if not this one's: of a reply
	                         that is unwrapped */
	/* for the audit record; no values, no caller-supplied text but canonical names */
	struct value *note; /* object; req_note_*() */
	bool unrecorded;    /* req_unrecorded() was called */
};

/** Field access with Vault's weak typing (numbers, "true", comma lists …).  Return ERR_OK
 * and the value; when the field is absent or null *present is false.  A wrong type sets
 * "Field validation failed…". */
int req_str(struct req *r, const char *field, const char **out, bool *present) MUST_CHECK;
int req_int(struct req *r, const char *field, int64_t *out, bool *present) MUST_CHECK;
int req_bool(struct req *r, const char *field, bool *out, bool *present) MUST_CHECK;
/** req_duration(): milliseconds, at most 292 years. */
int req_duration(struct req *r, const char *field, int64_t *ms, bool *present) MUST_CHECK;
/** req_strings(): an array of strings; accepts a JSON array or one comma-separated
 * string. */
int req_strings(struct req *r, const char *field, struct value **out, bool *present)
	MUST_CHECK;
/** req_object(): an object as it came. */
int req_object(struct req *r, const char *field, const struct value **out, bool *present)
	MUST_CHECK;

/** req_scratch(r): memory that lasts until the request is answered or parked, for what
 * would only swell a parked one; r->a if there is no other. */
struct arena *req_scratch(struct req *r);

/** req_fail(r, code, fmt, ...): set r->e; returns the code.  The text is what the client
 * sees in "errors". */
int req_fail(struct req *r, enum errcode code, const char *fmt, ...) PRINTF(3, 4);

/* Replies.  Without any call: 204 for a write or delete, 404 {"errors":[]} for a read or
 * list. */
/** reply_data(r): 200 with an envelope; returns its (empty) data object to fill. */
struct value *reply_data(struct req *r);
/** reply_envelope(r): 200 with an envelope; returns the envelope object for "auth",
 * "warnings", "data" …. */
struct value *reply_envelope(struct req *r);
/** reply_bare(r): 200 with a bare JSON object; returns it. */
struct value *reply_bare(struct req *r);
/** reply_text(r, p, n): 200 with plain text, borrowed. */
void reply_text(struct req *r, const char *p, size_t n);
/** reply_status(r, status): another status than the default of what was built. */
void reply_status(struct req *r, int status);
/** reply_errors(r, status, text, data): an errors body although the handler succeeds
 * (returns ERR_OK), so that what it stored (an alarm, a failed attempt) is kept; audited
 * as "denied". ${data} may be NULL. */
void reply_errors(struct req *r, int status, const char *text, struct value *data);
/** reply_warning(r, fmt, ...): add to "warnings" (makes a would-be 204 a 200 envelope).
 */
void reply_warning(struct req *r, const char *fmt, ...) PRINTF(2, 3);

/** req_note_str(r, key, s), req_note_int(), req_note_bytes(): add to the audit record. */
void req_note_str(struct req *r, const char *key, const char *s);
void req_note_int(struct req *r, const char *key, int64_t n);
void req_note_bytes(struct req *r, const char *key, const void *p, size_t n);

/** req_park(r, kind, key, deadline_ms): "return req_park(…)" ends this run without a
 * reply.  The request is run again from the start (authenticated and authorised again)
 * when the key is woken or r->core->boot_ms reaches ${deadline_ms}. A key is 16 bytes.
 * What is kept in park_state must not point into r->body or r->query (req_str() copies,
 * req_object() does not): of a large body only the fields of the row are kept. */
int req_park(struct req *r, enum wait_kind kind, const unsigned char key[16],
             int64_t deadline_ms) MUST_CHECK;
#define REQ_PARKED (-1) /* what it returns */

/** req_unrecorded(r): it only keeps alive what is on record already, as often as every
 * few seconds: if it succeeds it leaves no record.  Not for anything that changes who may
 * do what, or that hands out anything. */
void req_unrecorded(struct req *r);

/** req_peer(r): the net that has brought it, as core_submit() was told. */
uint64_t req_peer(const struct req *r);

/** req_settle(r): what the request does is done, it only waits for its end: before
 * req_park().  It is not authenticated and authorised again, so that a token that revokes
 * itself gets its answer.  Keeps r->id and r->note as they are now. */
int req_settle(struct req *r) MUST_CHECK;

#endif
