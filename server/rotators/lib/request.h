/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_REQUEST_H
#define ROTATORS_REQUEST_H
/*
 * request - the one JSON document that a rotator reads, checked.
 *
 * All text is borrowed from the document, which request_free() gives back wiped (see
 * wiped.h).  Members that this version does not know are ignored; those it knows have
 * the right type and size, or there is no request.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "answer.h"

struct arena;

#define REQUEST_MAX          (256u * 1024)
#define REQUEST_DEADLINE_MS  20000
#define REQUEST_DEADLINE_MAX (10 * 60 * 1000)
#define REQUEST_NAME_MAX     255u  /* of accounts */
#define REQUEST_PASSWORD_MAX 1024u /* bytes */
#define REQUEST_STATEMENTS   64u

enum op {
	OP_DESCRIBE,
	OP_CREATE,
	OP_PROBE,
	OP_SET,
	OP_TEST,
	OP_RETIRE,
	OP_REVERT,
	OP_LOGIN,
	OP_USER_CREATE,
	OP_USER_RENEW,
	OP_USER_REVOKE,
	OP_NOTIFY, /* an event for a webhook, as the member "notice" */
	OP__MAX,
};

/** op_name(op): as the contract spells it. */
const char *op_name(enum op op);

struct credential {
	bool given;
	int64_t version;
	const json_t *fields;   /* all of them */
	const char *username;   /* NULL if there is none */
	const char *password;   /* NULL if there is none */
	const char *expiration; /* of users with an end; or NULL */
};

struct request {
	json_t *doc;
	struct arena *arena; /* for what the call needs; set by rotator_main() */
	enum op op;
	const char *attempt, *secret; /* "" if absent */
	int64_t version;
	bool first; /* set: no call before this one was for this value */
	int64_t deadline_ms;
	int64_t end_ms;       /* CLOCK_BOOTTIME: when it is over */
	const json_t *config; /* an object */
	struct credential admin, current, pending, previous;
	const char *account[2]; /* that may be touched */
	size_t accounts;
	const char *statement[REQUEST_STATEMENTS]; /* of config.statements */
	size_t statements;
};

/**
 * request_parse(text, n, r, a): 0, or CLASS_PERMANENT with one sentence in ${a} that
 * quotes no value.  ${r} owns the document then; request_free() takes any state.
 */
int request_parse(const char *text, size_t n, struct request *r, struct answer *a)
	MUST_CHECK;
void request_free(struct request *r);

/** request_left_ms(r): until the deadline, less what the reply needs; at least 1. */
int64_t request_left_ms(const struct request *r);

/** request_allows(r, account, a): is ${account} one that the configuration names?
 * CLASS_PERMANENT if not: nobody may have another account changed by writing its name
 * into a secret. */
int request_allows(const struct request *r, const char *account, struct answer *a)
	MUST_CHECK;

/** request_need(c, what, password, a): is the credential there, with a name, and with a
 * password if ${password}?  CLASS_PERMANENT if not. */
int request_need(const struct credential *c, const char *what, bool password,
                 struct answer *a) MUST_CHECK;

/** Members of the configuration: the default (may be NULL) if absent, and CLASS_PERMANENT
 * for another type. */
int config_text(const struct request *r, const char *key, const char *dflt,
                const char **out, struct answer *a) MUST_CHECK;
int config_int(const struct request *r, const char *key, int64_t dflt, int64_t max,
               int64_t *out, struct answer *a) MUST_CHECK;
int config_bool(const struct request *r, const char *key, bool dflt, bool *out,
                struct answer *a) MUST_CHECK;

/** request_scrub(r, text): take the secret values of ${r} out of ${text}. */
void request_scrub(const struct request *r, char *text);

#endif
