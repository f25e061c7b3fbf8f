/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_ANSWER_H
#define ROTATORS_ANSWER_H
/*
 * answer - what one call of a rotator comes to, and its JSON form.
 *
 * Functions that can fail return 0 or the class of the failure, with the message in the
 * answer.  Messages may quote what a target said: the secret values of the request are
 * taken out again when the reply is written.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "util.h"

enum answer_class {
	CLASS_NONE,      /* no failure */
	CLASS_RETRYABLE, /* the same call may succeed later */
	CLASS_REJECTED,  /* the target refuses this value; another one may do */
	CLASS_AUTH,      /* the account that acts is refused: trying again locks it out */
	CLASS_PERMANENT, /* nothing changes until somebody changes the configuration */
};

enum verdict {
	VERDICT_NONE, /* there is no such credential in the request */
	VERDICT_VALID,
	VERDICT_INVALID,
	VERDICT_UNKNOWN,
};

#define ANSWER_MESSAGE_MAX 400
#define REPLY_MAX          (64u * 1024)

struct answer {
	enum answer_class class;
	bool noop;
	bool probed; /* the verdicts below count */
	enum verdict current, pending, previous;
	int64_t retry_after_ms; /* 0: the caller decides */
	json_t *describe;       /* owned; or NULL */
	json_t *fields;         /* owned; what `create` has made; or NULL */
	char message[ANSWER_MESSAGE_MAX];
};

/** answer_fail(a, class, fmt, ...): record a failure; returns ${class}. */
int answer_fail(struct answer *a, enum answer_class class, const char *fmt, ...)
	PRINTF(3, 4);

/** answer_field(a, name, value): a field of what was made; 0, or CLASS_RETRYABLE if out
 * of memory. */
int answer_field(struct answer *a, const char *name, const char *value) MUST_CHECK;

/** answer_noop(a, fmt, ...): success without a change, and why; returns 0. */
int answer_noop(struct answer *a, const char *fmt, ...) PRINTF(2, 3);

/** answer_scrub(text, secret): replace every occurrence of ${secret} (of four bytes or
 * more) in ${text} by asterisks. */
void answer_scrub(char *text, const char *secret);

/** answer_scrub_pieces(text, secret): the same for every piece of four bytes or more. */
void answer_scrub_pieces(char *text, const char *secret);

/**
 * answer_text(a): the reply as compact JSON text, to be given back with answer_release();
 * NULL if out of memory or over REPLY_MAX.
 */
char *answer_text(const struct answer *a) MUST_CHECK;
void answer_release(char *text);

/** answer_free(a): what it owns. */
void answer_free(struct answer *a);

#endif
