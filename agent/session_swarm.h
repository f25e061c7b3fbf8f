/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SESSION_SWARM_H
#define AGENT_SESSION_SWARM_H
/*
 * session_swarm - secrets of a Docker Swarm within the session's loop.
 *
 * On a manager the host stands for election at the vault.  While it leads it does what
 * the vault's plan says (agent/swarm), stores each step there before it is taken, and
 * fetches values when they are to be made into secrets; none is kept longer.  When it is
 * not told that it leads it stops.  docs/host-protocol.md, "Secrets of a Swarm".
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct session;
struct session_swarm;

/** session_swarm_open(s, e): if the settings want it. */
int session_swarm_open(struct session *s, struct err *e) MUST_CHECK;
/** session_swarm_free(d): before the loop's http_multi; NULL is allowed. */
void session_swarm_free(struct session_swarm *d);
/** session_swarm_due(s, now): do what is due; when to come again, or -1. */
int64_t session_swarm_due(struct session *s, int64_t now);
/** session_swarm_wipe(s, why): it does not lead any more, and has no value any more; a
 * secret driver says why. */
void session_swarm_wipe(struct session *s, const char *why);
/** session_swarm_again(s): something changed at the vault. */
void session_swarm_again(struct session *s);
/** session_swarm_event(s, fd, events): true if it was for this. */
bool session_swarm_event(struct session *s, int fd, unsigned events);
/** session_swarm_status(s): {manager, leader, epoch, cluster, error, scanned, calls,
 * bindings, driver},
 * the caller's; NULL: not wanted. */
json_t *session_swarm_status(const struct session *s) MUST_CHECK;

/* Rows of the session's jobs. */
bool session_swarm_lead_due(struct session *s, int64_t now);
json_t *session_swarm_lead_body(struct session *s);
int session_swarm_lead_done(struct session *s, const json_t *doc, struct err *e);
void session_swarm_lead_failed(struct session *s, long status, const json_t *doc,
                               const struct err *e);
bool session_swarm_plan_due(struct session *s, int64_t now);
json_t *session_swarm_plan_body(struct session *s);
int session_swarm_plan_done(struct session *s, const json_t *doc, struct err *e);
void session_swarm_plan_failed(struct session *s, long status, const json_t *doc,
                               const struct err *e);
bool session_swarm_state_due(struct session *s, int64_t now);
json_t *session_swarm_state_body(struct session *s);
int session_swarm_state_done(struct session *s, const json_t *doc, struct err *e);
void session_swarm_state_failed(struct session *s, long status, const json_t *doc,
                                const struct err *e);
bool session_swarm_fetch_due(struct session *s, int64_t now);
json_t *session_swarm_fetch_body(struct session *s);
int session_swarm_fetch_done(struct session *s, const json_t *doc, struct err *e);
void session_swarm_fetch_failed(struct session *s, long status, const json_t *doc,
                                const struct err *e);
bool session_driver_plan_due(struct session *s, int64_t now);
json_t *session_driver_plan_body(struct session *s);
int session_driver_plan_done(struct session *s, const json_t *doc, struct err *e);
void session_driver_plan_failed(struct session *s, long status, const json_t *doc,
                                const struct err *e);
bool session_driver_fetch_due(struct session *s, int64_t now);
json_t *session_driver_fetch_body(struct session *s);
int session_driver_fetch_done(struct session *s, const json_t *doc, struct err *e);
void session_driver_fetch_failed(struct session *s, long status, const json_t *doc,
                                 const struct err *e);
bool session_driver_tasks_due(struct session *s, int64_t now);
json_t *session_driver_tasks_body(struct session *s);
int session_driver_tasks_done(struct session *s, const json_t *doc, struct err *e);
void session_driver_tasks_failed(struct session *s, long status, const json_t *doc,
                                 const struct err *e);

#endif
