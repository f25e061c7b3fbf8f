/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_HOOK_HOOK_H
#define AGENT_HOOK_HOOK_H
/*
 * hook - commands on the host (reload: exec), run by a process of their own.
 *
 * It is forked before the agent reads its identity and closes its sandbox, holds nothing
 * but the commands of the settings, and can become the users that those name.  The agent
 * then asks by number: an agent that was taken over can run what was configured, as whom
 * it was configured, and nothing else.  Bindings of the server may use the programs in
 * allowed_commands with arguments of their own, as any user but root (root, too, with
 * allowed_root).
 *
 * A command gets /dev/null, an environment of PATH, VAULT_BINDING, VAULT_VERSION and
 * VAULT_DIR, a process group, and a time.  What it says is counted and thrown away: it
 * may hold values.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "sandbox.h"

#define HOOK_RUNS_MAX  64u  /* at once */
#define HOOK_GRACE_MS  5000 /* between SIGTERM and SIGKILL */
#define HOOK_ARGS_MAX  32u
#define HOOK_BYTES_MAX 4096u /* of all arguments */

struct hook;
struct settings;
struct settings_binding;

struct hook_result {
	uint64_t token;
	/* ERR_OK: exit status 0.  ERR_IO: another, or a signal.  ERR_TIMEOUT.
	 * ERR_DENIED: not run, it is not allowed.  ERR_NOENT: not run, there is no such
	 * program.  ERR_UNREACHABLE: the process has gone. */
	int rc;
	int status;       /* of waitpid(); 0 if it was not run */
	int64_t output;   /* bytes that it said */
	char detail[128]; /* "exit status 3, said 120 bytes" */
};

/** hook_start(s, out, e): fork, if the settings have any command that may be run; *out is
 * NULL if not.  To be called before anything is opened that it should not have.
 * ${s}->require_sandbox: ERR_DENIED without its own sandbox. */
int hook_start(const struct settings *s, struct hook **out, struct err *e) MUST_CHECK;
/** hook_free(h): end the process and what it runs; NULL is allowed. */
void hook_free(struct hook *h);

/** hook_fd(h): readable when hook_next() has something. */
int hook_fd(const struct hook *h);
/** hook_alive(h): can anything be run? */
bool hook_alive(const struct hook *h);
/** hook_sandbox(h): what its sandbox lacks. */
const struct sandbox_report *hook_sandbox(const struct hook *h);

/**
 * hook_run(h, token, b, generation, e): run the command of ${b}, which the settings had
 * at hook_start(), or of the server's.  ERR_OK: hook_next() will bring its end.
 * ERR_DENIED, ERR_BUSY (too many at once), ERR_UNREACHABLE (the process has gone).
 */
int hook_run(struct hook *h, uint64_t token, const struct settings_binding *b,
             unsigned generation, struct err *e) MUST_CHECK;

/** hook_next(h, out): 1 and one that has ended, or 0.  When the process has gone, what it
 * ran ends as ERR_UNREACHABLE. */
int hook_next(struct hook *h, struct hook_result *out);

#endif
