/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H
/* run - the daemon: identity, run directory, status socket, sandbox, session; and back.
 */
#include "err.h"
#include "sandbox.h"
#include "settings.h"

struct hook;

/** run_agent(s, hook, report, e): until SIGTERM or SIGINT.  ${hook} runs commands; NULL:
 * there are none. */
int run_agent(const struct settings *s, struct hook *hook, struct sandbox_report *report,
              struct err *e) MUST_CHECK;

#endif
