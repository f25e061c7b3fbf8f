/* SPDX-License-Identifier: Apache-2.0 */
/* vault-agent - secrets of a vault as files on this host.  Reads as a list; the work is
 * elsewhere. */
#include <sodium.h>
#include <stdio.h>

#include "arena.h"
#include "hook/hook.h"
#include "join.h"
#include "keymem.h"
#include "log.h"
#include "options.h"
#include "reply.h"
#include "run.h"
#include "sandbox.h"
#include "settings.h"
#include "status.h"
#include "vault/version.h"

#define SETTINGS_ARENA (8u * 1024 * 1024)

static int ask_agent(const struct options *o, const char *socket, struct err *e)
{
	return o->command == COMMAND_REKEY ? status_rekey(socket, e)
	                                   : status_print(socket, o->json, e);
}

/* What runs commands is forked before there is any key or value to inherit. */
static int run(struct arena *a, struct settings *s, const struct settings_source *from,
               struct sandbox_report *report, struct err *e)
{
	struct hook *hook = NULL;
	int rc;

	if ((rc = hook_start(s, &hook, e)) != ERR_OK)
		return rc;
	if ((rc = keymem_init(true, e)) == ERR_OK &&
	    (rc = settings_read_templates(a, s, e)) == ERR_OK)
		rc = run_agent(s, from, hook, report, e);
	hook_free(hook);
	return rc;
}

static int check(struct arena *a, struct settings *s, struct err *e)
{
	int rc = settings_read_templates(a, s, e);

	return rc == ERR_OK ? run_check(s, e) : rc;
}

static int with_settings(const struct options *o, struct sandbox_report *report,
                         struct err *e)
{
	AUTO_ARENA a = arena_new(SETTINGS_ARENA);
	const struct settings_source from = { o->config, o->state_dir };
	struct settings s;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = settings_read(a, &from, &s, e)) != ERR_OK)
		return rc;
	if (o->command == COMMAND_STATUS || o->command == COMMAND_REKEY)
		return ask_agent(o, s.status_socket, e);
	if (o->command == COMMAND_CHECK)
		return check(a, &s, e);
	log_init("vault-agent", s.log_json);
	(void)log_set_level(s.log_level);
	if (o->command == COMMAND_RUN)
		return run(a, &s, &from, report, e);
	rc = keymem_init(true, e);
	return rc == ERR_OK ? join_run(o, &s, e) : rc;
}

static int dispatch(const struct options *o, struct sandbox_report *report, struct err *e)
{
	switch (o->command) {
	case COMMAND_HELP:
		options_help(stdout);
		return ERR_OK;
	case COMMAND_VERSION:
		printf("vault-agent %s\n", VAULT_VERSION);
		return ERR_OK;
	case COMMAND_STATUS: /* the socket can be named, or found in the settings */
	case COMMAND_REKEY:
		if (o->socket != NULL)
			return ask_agent(o, o->socket, e);
		break;
	case COMMAND_RUN:
	case COMMAND_JOIN:
	case COMMAND_CHECK:
		break;
	}
	return with_settings(o, report, e);
}

int main(int argc, char **argv)
{
	struct sandbox_report report = { 0 };
	struct options o;
	struct err e = { 0 };
	int rc;

	sandbox_early(&report);
	if (sodium_init() < 0) {
		fprintf(stderr, "vault-agent: no randomness\n");
		return errclasses[ERR_INTERNAL].exit_status;
	}
	reply_init();
	rc = options_parse(argc, argv, &o, &e);
	if (rc == ERR_OK)
		rc = dispatch(&o, &report, &e);
	if (rc == ERR_OK && fflush(stdout) != 0)
		rc = err_set(&e, ERR_IO, "writing the output failed");
	if (rc != ERR_OK)
		fprintf(stderr, "vault-agent: %s\n", e.msg);
	return errclasses[rc].exit_status;
}
