/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_WEBHOOK_H
#define SERVER_CORE_WEBHOOK_H
/*
 * webhook - HTTP endpoints that are told of events.
 *
 * KIND_WEBHOOK (id = blind tag of the name, due = when it is worked on again): where it
 * is, what it wants to hear of, its key, and how far it is.
 * KIND_NOTICE (parent = the webhook, id = 8 bytes of the webhook's id, then a number that
 * counts up): one thing to tell, written in the transaction in which it happened.
 *
 * Notices of a webhook leave one after the other, in order: the next one when the last
 * was taken (a status of 2xx) or given up.  A crash between telling and noting that it
 * was told tells it again, with the same id.  Core has no network: the rotator "webhook"
 * makes the request, signed with the webhook's key (server/rotators/webhook).
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"
#include "step.h"
#include "store.h"

#define WEBHOOKS_MAX        32
#define WEBHOOK_NAME_MAX    128u
#define WEBHOOK_URL_MAX     2048u
#define WEBHOOK_CA_MAX      16384u
#define WEBHOOK_SECRET_MIN  16u
#define WEBHOOK_SECRET_MAX  512u
#define WEBHOOK_PENDING_MAX 10000                    /* then the oldest is given up */
#define WEBHOOK_KEEP_MS     (7ll * 24 * 3600 * 1000) /* what is older is given up */
#define WEBHOOK_ROTATOR     "webhook"
#define WEBHOOK_CALL_MS     20000

struct webhook {
	struct store_object o; /* version 0: not stored */
	const char *name, *url, *secret;
	const char *ca;            /* PEM or an absolute path; "": the system's */
	const struct value *paths; /* array of globs, or NULL: all */
	int64_t events;            /* bits of enum rotation_event */
	bool insecure;             /* http:// to other machines too */
	bool disabled;             /* nothing is sent, nothing is kept for it */
	int64_t seq;               /* of the last notice */
	int64_t pending, delivered, dropped;
	int64_t tries;     /* of the first notice that is pending */
	int64_t last_ms;   /* when one was taken; 0: never */
	const char *error; /* of the last try; "" */
};

/** webhook_id(c, name, out): its id. */
void webhook_id(struct core *c, const char *name, unsigned char out[32]);
/** webhook_read(a, o, out, e), webhook_find(c, a, name, out, e): with ERR_NOENT ${out} is
 * filled so that webhook_save() makes it. */
int webhook_read(struct arena *a, const struct store_object *o, struct webhook *out,
                 struct err *e) MUST_CHECK;
int webhook_find(struct core *c, struct arena *a, const char *name, struct webhook *out,
                 struct err *e) MUST_CHECK;
int webhook_save(struct core *c, struct arena *a, struct webhook *h, struct err *e)
	MUST_CHECK;
/** webhook_request(a, h, id, at_ms, event, body): what the rotator is asked: the notice
 * with its id, the time and the name of the event in front. */
struct value *webhook_request(struct arena *a, const struct webhook *h,
                              const unsigned char id[STEP_ID], int64_t at_ms,
                              const char *event, const struct value *body);

struct webhook_event {
	unsigned bit; /* as in struct webhook */
	const char *name;
	const char *path;   /* matched against the globs */
	struct value *body; /* object; no secret in it */
};
/** webhook_notice(c, a, ev, e): keep it for every webhook that wants it. */
int webhook_notice(struct core *c, struct arena *a, const struct webhook_event *ev,
                   struct err *e) MUST_CHECK;

/** webhooks_due(c, a, limit, e): tell what is due. */
int webhooks_due(struct core *c, struct arena *a, int limit, struct err *e) MUST_CHECK;
/** webhook_step_done(…): a step_done_fn. */
int webhook_step_done(struct core *c, struct arena *a, const unsigned char id[STEP_ID],
                      const struct step_result *r, struct err *e) MUST_CHECK;
/** webhook_forget_slice(c, a, h, done, e): delete some of its notices, and the webhook
 * with the last of them. */
int webhook_forget_slice(struct core *c, struct arena *a, const struct webhook *h,
                         bool *done, struct err *e) MUST_CHECK;

#endif
