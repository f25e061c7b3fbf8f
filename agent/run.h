/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H
/* run - the daemon: identity, run directory, status socket, sandbox, session; and back.
 */
#include "err.h"
#include "sandbox.h"
#include "settings.h"

struct hook;

/** run_agent(s, from, hook, report, e): until SIGTERM or SIGINT; at SIGHUP ${s} is read
 * again ${from} where it came from.  ${hook} runs commands; NULL: there are none. */
int run_agent(struct settings *s, const struct settings_source *from, struct hook *hook,
              struct sandbox_report *report, struct err *e) MUST_CHECK;

/** run_check(s, e): would the agent start with these?  Prints what it would deliver. */
int run_check(const struct settings *s, struct err *e) MUST_CHECK;

#endif
