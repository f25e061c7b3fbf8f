/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_HT_H
#define ROTATORS_HT_H
/*
 * ht - targets with an HTTP interface, as requests that an operator has written down.
 *
 * ht_text.c    templates: what stands for {{name}}, escaped for where it stands
 * ht_plan.c    one request of the configuration, filled in
 * ht_call.c    the exchange, by libcurl
 * ht_judge.c   what the reply means
 * ht_step.c    probe, set, test, revert, retire, login
 * ht_create.c  create, and what an attempt has left behind
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "rotator.h"

#define HT_TEXT_MAX    65536u /* bytes of one text, when filled in */
#define HT_REPLY_MAX   65536u /* bytes of a reply's body */
#define HT_HEADERS_MAX 32u
#define HT_FOUND_MAX   32u /* keys of one attempt */

/* --- templates --- */

/* What {{name}} may stand for. */
struct ht_scope {
	struct request *r;
	const struct credential *current, *pending; /* as the step sees them */
	const struct credential *credential; /* {{credential.…}}: the one to be tried */
	const json_t *found; /* {{found.…}}: an object of texts; or NULL */
};

enum ht_place {
	HT_PLAIN,  /* as it is */
	HT_JSON,   /* within a string of JSON text */
	HT_URL,    /* percent-encoded: one segment, one value of a query or a form */
	HT_HEADER, /* as it is, and of one line */
};

/** ht_fill(s, text, place, out, a): ${text} with every {{name}} replaced, in the arena.
 * CLASS_PERMANENT for a name that is unknown or has no value, and for a value that may
 * not stand there (CLASS_REJECTED if that is the pending password). */
int ht_fill(const struct ht_scope *s, const char *text, enum ht_place place, char **out,
            struct answer *a) MUST_CHECK;
/** ht_fill_json(s, v, out, a): a copy of ${v} with its texts filled in; the caller's. */
int ht_fill_json(const struct ht_scope *s, const json_t *v, json_t **out,
                 struct answer *a) MUST_CHECK;
/** ht_pointer(doc, p): what a JSON pointer (RFC 6901) leads to; NULL if nothing. */
const json_t *ht_pointer(const json_t *doc, const char *p);
/** ht_as_text(arena, v): a text or a whole number as text; NULL for anything else. */
const char *ht_as_text(struct arena *arena, const json_t *v);

/* --- one request --- */

struct ht_plan {
	const json_t *spec; /* of the configuration */
	const char *name;   /* of the step, for messages */
	const char *method, *url;
	const char *header[HT_HEADERS_MAX];
	size_t headers;
	const char *body; /* or NULL */
	bool clear;       /* may go over http:// */
};
/** ht_spec(r, name): config.requests.${name}, or NULL. */
const json_t *ht_spec(const struct request *r, const char *name);
/** ht_plan_read(s, spec, name, p, a): fill in ${spec}.  CLASS_PERMANENT if it makes no
 * sense. */
int ht_plan_read(const struct ht_scope *s, const json_t *spec, const char *name,
                 struct ht_plan *p, struct answer *a) MUST_CHECK;

/* --- the exchange --- */

struct ht_reply {
	long status;
	int64_t retry_after_ms; /* 0: not said */
	json_t *json;           /* owned; NULL: the body is none */
};
/** ht_call(r, p, out, a): 0 if a reply arrived, whatever its status. */
int ht_call(struct request *r, const struct ht_plan *p, struct ht_reply *out,
            struct answer *a) MUST_CHECK;
void ht_reply_free(struct ht_reply *reply);
#define AUTO_REPLY __attribute__((cleanup(ht_reply_free))) struct ht_reply

/* --- what it means --- */

/** ht_judge(s, p, reply, a): 0 (with a->noop if the configuration says so), or the class.
 * ${trying}: the request tries a credential, so that 403 proves nothing. */
int ht_judge(const struct ht_scope *s, const struct ht_plan *p,
             const struct ht_reply *reply, bool trying, struct answer *a) MUST_CHECK;
/** ht_default_class(status, trying): where the configuration does not say. */
enum answer_class ht_default_class(long status, bool trying);
/** ht_run(s, spec, name, trying, reply, a): plan, call, judge. */
int ht_run(const struct ht_scope *s, const json_t *spec, const char *name, bool trying,
           struct ht_reply *reply, struct answer *a) MUST_CHECK;

/** ht_try(r, c, a): does the target take ${c}?  By requests.probe. */
enum verdict ht_try(struct request *r, const struct credential *c, struct answer *a)
	MUST_CHECK;
/** ht_same(x, y): the same fields? */
bool ht_same(const struct credential *x, const struct credential *y);

/* --- the steps --- */
int ht_probe(struct request *r, struct answer *a);
int ht_set(struct request *r, struct answer *a);
int ht_test(struct request *r, struct answer *a);
int ht_revert(struct request *r, struct answer *a);
int ht_retire(struct request *r, struct answer *a);
int ht_login(struct request *r, struct answer *a);
int ht_create(struct request *r, struct answer *a);
/** ht_sweep(r, a): delete what calls of this attempt have made; how many in *n. */
int ht_sweep(struct request *r, size_t *n, struct answer *a) MUST_CHECK;

#endif
