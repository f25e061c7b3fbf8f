/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "out.h"
#include "rotator_kit.h"

#define ROUNDS_DEFAULT 20
#define ROUNDS_MAX     10000

static int read_file(struct cli *c, json_t **file, struct err *e)
{
	const char *source = cli_flag(c, "config");
	json_error_t why;
	char *text = NULL;
	size_t n = 0;
	int rc;

	if (source == NULL)
		return err_set(e, ERR_USAGE,
		               "--config FILE is missing: see 'vaultctl help "
		               "rotator check'");
	if ((rc = cli_read(source, &text, &n, e)) != ERR_OK)
		return rc;
	*file = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
	cli_wipe(text);
	if (!json_is_object(*file)) {
		json_decref(*file);
		return err_set(e, ERR_INVALID, "%.120s: no JSON object (line %d)", source,
		               why.line);
	}
	return ERR_OK;
}

static int read_rounds(const struct cli *c, unsigned *rounds, struct err *e)
{
	const char *text = cli_flag(c, "rounds");
	char *end = NULL;
	unsigned long n = text != NULL ? strtoul(text, &end, 10) : ROUNDS_DEFAULT;

	if (n > ROUNDS_MAX ||
	    (text != NULL && (*end != '\0' || text[0] < '0' || text[0] > '9')))
		return err_set(e, ERR_USAGE, "--rounds is no number from 0 to %d",
		               ROUNDS_MAX);
	*rounds = (unsigned)n;
	return ERR_OK;
}

static void print(struct cli *c, const struct kit *k)
{
	static const struct column columns[] = {
		{"CHECK",   "check" },
		{ "RESULT", "result"},
		{ "DETAIL", "detail"},
	};
	json_t *doc;

	if (c->format != CLI_JSON) {
		out_table(k->rows, columns, ARRAY_LEN(columns));
		return;
	}
	doc = json_pack("{s:s, s:i, s:i, s:i, s:O}", "executable", k->program, "passed",
	                (int)k->passed, "failed", (int)k->failed, "skipped",
	                (int)k->skipped, "checks", k->rows);
	out_json(c, doc);
	json_decref(doc);
}

static int check(struct cli *c, struct err *e)
{
	char program[PATH_MAX];
	struct kit k = { 0 };
	unsigned rounds = 0;
	json_t *file = NULL;
	int rc;

	if (realpath(c->arg[0], program) == NULL || access(program, X_OK) != 0)
		return err_set(e, ERR_NOENT, "%.120s is no program that can be run",
		               c->arg[0]);
	if ((rc = read_rounds(c, &rounds, e)) != ERR_OK ||
	    (rc = read_file(c, &file, e)) != ERR_OK)
		return rc;
	signal(SIGPIPE, SIG_IGN); /* a rotator may not want to read it all */
	rc = kit_open(&k, program, file, rounds, e);
	if (rc == ERR_OK) {
		rc = rotator_checks(&k, e);
		print(c, &k);
	}
	if (rc == ERR_OK && k.failed > 0)
		rc = err_set(e, ERR_VERIFY, "%u of %u checks failed", k.failed,
		             k.failed + k.passed);
	kit_close(&k);
	return rc;
}

static const struct flag check_flags[] = {
	{"config", FLAG_STRING, "FILE",
         "the target and its accounts, as JSON; - is standard input" },
	{ "rounds",  FLAG_STRING, "N", "how often it is killed (20)" },
	{ 0      },
};

static const char check_details[] =
	"Runs EXECUTABLE as vaultd would, against a target for tests: each step twice, killed at\n"
	"random moments, past its deadline, without the target, with wrong values and with what\n"
	"is no request at all.  At the end the values of the file are set again.\n"
	"\n"
	"FILE has, as in requests: config, admin (or null), current (fields that work), for\n"
	"dual_user also idle (the other account), strategy, deadline_ms.  unreachable and mute\n"
	"are members of config that lead to nobody, and to somebody who says nothing; where\n"
	"config has a host they can be left out.  engine has creation_statements,\n"
	"renew_statements and revocation_statements, and asks for the checks of accounts that a\n"
	"secrets engine makes.  Where the target makes the values (strategy reissue, or dual_key\n"
	"with create) current can be left out; public lists members of credentials that are no\n"
	"secret.  The exit status is 22 if a check failed.";

/* clang-format off */
static const struct command rows[] = {
	{ "rotator", "check", check, 1, 1, check_flags, "EXECUTABLE", "does a rotator keep the contract?", check_details },
};
/* clang-format on */

const struct command_set commands_rotator_check = { rows, ARRAY_LEN(rows) };
