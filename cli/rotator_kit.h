/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ROTATOR_KIT_H
#define CLI_ROTATOR_KIT_H
/*
 * rotator_kit - what the checks of a rotator share: the target as the configuration file
 * describes it, one call, and the report.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "rotator_run.h"

#define KIT_VALUE_MAX 128

enum kit_strategy { KIT_SINGLE, KIT_DUAL_USER, KIT_DUAL_KEY, KIT_REISSUE };

/* An account of the target; the value is what the target accepts, as far as is known. */
struct kit_account {
	const char *name;
	char value[KIT_VALUE_MAX + 1];
	char original[KIT_VALUE_MAX + 1]; /* of the file; "" if it has none */
};

struct kit {
	const char *program; /* an absolute path */
	json_t *file;        /* the configuration file */
	json_t *config;      /* of requests; borrowed */
	json_t *admin;       /* borrowed; NULL if there is none */
	json_t *describe;    /* what the rotator says it is */
	enum kit_strategy strategy;
	struct kit_account account[2];
	size_t accounts;
	size_t current; /* which of them is in use */
	/* Of a target that makes its values: the fields of the one in use; NULL: none
	 * yet. */
	json_t *holding;
	bool keeps; /* that one is the file's, and is not ended */
	int64_t deadline_ms;
	int64_t version;
	unsigned rounds; /* of killing */
	char attempt[33];
	char dir[64];    /* that the rotator works in; "" if there is none */
	json_t *secrets; /* every value that was in a request */
	json_t *rows;    /* the report */
	unsigned passed, failed, skipped;
	char broken[200]; /* the first reply that is against the contract; "" if none was
	                   */
	char leak[200];   /* the first secret value that was told */
};

/** kit_open(k, program, file, rounds, e): ${file} is given away.  ERR_INVALID says what
 * the file lacks.  kit_close(k) takes any state.  kit_accounts(k, e): take the accounts,
 * when it is known that the rotator sets values and does not make them. */
int kit_open(struct kit *k, const char *program, json_t *file, unsigned rounds,
             struct err *e) MUST_CHECK;
int kit_accounts(struct kit *k, struct err *e) MUST_CHECK;
void kit_close(struct kit *k);

/* One call, as it differs from what the contract's example is. */
struct kit_call {
	const char *op;
	const json_t *config; /* members that replace those of the file; or NULL */
	json_t *current, *pending, *previous; /* given away; NULL: null */
	json_t *admin;                        /* given away; NULL: the file's */
	bool bare;           /* no credentials and no account that acts */
	int64_t deadline_ms; /* 0: the file's */
	int64_t kill_us;     /* 0: never */
};

struct kit_answer {
	enum rotator_end end;
	int64_t took_us;
	bool ok; /* replied, with "ok" or "noop" */
	bool noop;
	char class[24];    /* "" unless it replied "error" */
	char message[160]; /* for the report: printable, without secret values */
	json_t *reply;     /* owned; or NULL */
	enum {
		KIT_ABSENT,
		KIT_VALID,
		KIT_INVALID,
		KIT_UNKNOWN
	} current,
		pending, previous;
};

/** kit_run(k, call, out, e): an error only if the program cannot be run.  What it says is
 * checked against the contract and for secret values; kit_answer_clear(out). */
int kit_run(struct kit *k, struct kit_call *call, struct kit_answer *out, struct err *e)
	MUST_CHECK;
/** kit_raw(k, text, n, out, e): any bytes as the request. */
int kit_raw(struct kit *k, const char *text, size_t n, struct kit_answer *out,
            struct err *e) MUST_CHECK;
void kit_answer_clear(struct kit_answer *a);

/** kit_fields(k, account, value): a credential with a version, as requests have it. */
json_t *kit_fields(struct kit *k, const struct kit_account *account, const char *value);
/** kit_made(k, fields): the same of fields that the target has made; borrows them. */
json_t *kit_made(struct kit *k, const json_t *fields);
/** kit_garbled(k, fields): a copy whose secret members are no values at all; owned. */
json_t *kit_garbled(struct kit *k, const json_t *fields);
/** kit_value(k, out): a new value as the rotator says it may be. */
void kit_value(struct kit *k, char out[KIT_VALUE_MAX + 1]);
/** kit_attempt(k): from here on, another attempt. */
void kit_attempt(struct kit *k);
/** kit_has_op(k, op): does the rotator support it, by its own word? */
bool kit_has_op(const struct kit *k, const char *op);
/** kit_creates(k): does the target make the values, with this strategy? */
bool kit_creates(const struct kit *k);
/** kit_next(k): the account that the next rotation is for. */
struct kit_account *kit_next(struct kit *k);

/** kit_pass(k, check), kit_fail(k, check, fmt, …), kit_skip(k, check, why): a row of the
 * report.  kit_that(k, check, holds, fmt, …): the one or the other. */
void kit_pass(struct kit *k, const char *check);
void kit_fail(struct kit *k, const char *check, const char *fmt, ...) PRINTF(3, 4);
void kit_skip(struct kit *k, const char *check, const char *why);
bool kit_that(struct kit *k, const char *check, bool holds, const char *fmt, ...)
	PRINTF(4, 5);
/** kit_saw(a): an answer in a few words, for the report. */
const char *kit_saw(const struct kit_answer *a);

/** rotator_checks(k, e): all of them, in order.  An error only if the program cannot be
 * run at all; what it does wrong is in the report. */
int rotator_checks(struct kit *k, struct err *e) MUST_CHECK;
/** rotator_rotate_checks(k, e): those that change the target; rotator_engine_checks(k,
 * e): those of accounts that a secrets engine makes.  Both are parts of rotator_checks().
 */
int rotator_rotate_checks(struct kit *k, struct err *e) MUST_CHECK;
int rotator_engine_checks(struct kit *k, struct err *e) MUST_CHECK;
/** rotator_create_checks(k, e): all that follow on describe where the target makes the
 * values.  rotator_away_checks(k, e): without a target, and with one that says nothing.
 */
int rotator_create_checks(struct kit *k, struct err *e) MUST_CHECK;
int rotator_away_checks(struct kit *k, struct err *e) MUST_CHECK;

#endif
