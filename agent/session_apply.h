/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SESSION_APPLY_H
#define AGENT_SESSION_APPLY_H
/*
 * session_apply - generations are told to applications and judged (agent/apply), within
 * the session's loop.
 *
 * What agent/apply asks for is done here: commands by the hook process, files by
 * agent/deliver, words to the vault by session_gate.c.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct session;
struct session_apply;

/** session_apply_start(s, e): once, after files_recover(): what was not judged in an
 * earlier life is judged now. */
int session_apply_start(struct session *s, struct err *e) MUST_CHECK;
void session_apply_free(struct session_apply *p);

/** session_apply_replan(s): another plan holds. */
void session_apply_replan(struct session *s);
/** session_apply_event(s, fd): take a descriptor's event; false: it is somebody else's.
 */
bool session_apply_event(struct session *s, int fd);
/** session_apply_due(s, now): do what is due; when to come again, or -1. */
int64_t session_apply_due(struct session *s, int64_t now);

/** session_apply_status(s): [{name, granted, reload, state, generation, base, rejected,
 * why, containers}], the caller's; NULL if out of memory. */
json_t *session_apply_status(const struct session *s) MUST_CHECK;
/** session_commands_status(s): {alive, not_enforced: [names]} of the process that runs
 * commands, the caller's; JSON null: there is none. */
json_t *session_commands_status(const struct session *s) MUST_CHECK;

#endif
