/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SESSION_H
#define AGENT_SESSION_H
/*
 * session - the conversation with vaultd, one epoll loop.
 *
 * Two connections: the watch (one long poll on the hosts listener) tells what changed,
 * the other carries everything else, one request at a time, the most urgent first.  When
 * nothing changes the loop wakes for the watch's renewal alone.
 */
#include <jansson.h>

#include "deliver/files.h"
#include "deliver/tmpfs.h"
#include "err.h"
#include "floor.h"
#include "identity.h"
#include "plan.h"
#include "sandbox.h"
#include "settings.h"
#include "witness.h"

struct hook;
struct session;
struct status_server;

struct session_options {
	const struct settings *settings; /* as they are now */
	struct settings *live;           /* the same, to be read again from ${source} */
	const struct settings_source *source;
	struct plan **plan; /* the session replaces it */
	struct uses *uses;
	struct plan_input *want; /* what plans are made from */
	struct grants *grants;   /* in ${want} */
	struct identity *identity;
	struct files *files;
	int run_fd; /* of the directory of the files */
	struct witness *witness;
	struct floor *floor;
	struct status_server *status; /* may be NULL */
	const struct tmpfs_info *tmpfs;
	const struct sandbox_report *sandbox;
	struct hook *hook; /* runs commands; may be NULL */
	int signal_fd;     /* SIGTERM and SIGINT end the loop */
};

/** session_new(o, out, e): everything in ${o} is borrowed. */
int session_new(const struct session_options *o, struct session **out, struct err *e)
	MUST_CHECK;
void session_free(struct session *s);

/** session_run(s, e): until a signal.  The files stay. */
int session_run(struct session *s, struct err *e) MUST_CHECK;

/** session_rekey_want(s): the host is to have new keys; false: it was revoked. */
bool session_rekey_want(struct session *s);

/** session_metrics(s): the same in numbers, in Prometheus' text format; the caller frees
 * it, NULL if out of memory. */
char *session_metrics(const struct session *s) MUST_CHECK;

/** session_status(s): what status reports; no values, no tokens.  The caller owns it. */
json_t *session_status(const struct session *s);

#endif
