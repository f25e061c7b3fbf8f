/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "agent/options.h"

#define PIN "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct options o;
static struct err e;

TestSuite(options, .timeout = 20);

#define PARSE(...) parse((const char *[]){ "vault-agent", __VA_ARGS__, NULL })
static int parse(const char **argv)
{
	int n = 0;

	while (argv[n] != NULL)
		n++;
	return options_parse(n, (char **)argv, &o, &e);
}

Test(options, runs_by_default)
{
	const char *argv[] = { "vault-agent", NULL };

	cr_assert_eq(parse(argv), ERR_OK);
	cr_assert_eq(o.command, COMMAND_RUN);
	cr_assert_eq(PARSE("--config", "/x"), ERR_OK, "%s", e.msg);
	cr_assert_eq(o.command, COMMAND_RUN);
	cr_assert_str_eq(o.config, "/x");
	cr_assert_eq(PARSE("--version"), ERR_OK, "%s", e.msg);
	cr_assert_eq(o.command, COMMAND_VERSION);
	cr_assert_eq(PARSE("join", "--help"), ERR_OK, "%s", e.msg);
	cr_assert_eq(o.command, COMMAND_HELP);
}

Test(options, takes_values_in_both_forms)
{
	cr_assert_eq(PARSE("join", "--server=https://v:1", "--hosts-server",
	                   "https://v:2", "--pin", PIN, "--token-file", "/t", "--force"),
	             ERR_OK, "%s", e.msg);
	cr_assert_eq(o.command, COMMAND_JOIN);
	cr_assert_str_eq(o.server, "https://v:1");
	cr_assert_str_eq(o.hosts_server, "https://v:2");
	cr_assert_str_eq(o.token_file, "/t");
	cr_assert_eq(o.pins.n, 1);
	cr_assert(o.force);
	cr_assert_eq(PARSE("status", "-format", "json", "--socket=/s"), ERR_OK, "%s",
	             e.msg);
	cr_assert(o.json);
	cr_assert_str_eq(o.socket, "/s");
}

static void refused(const char **argv, const char *want)
{
	cr_expect_eq(parse(argv), ERR_USAGE, "%s", argv[1]);
	cr_expect_str_eq(e.msg, want);
}
#define REFUSED(want, ...) \
	refused((const char *[]){ "vault-agent", __VA_ARGS__, NULL }, want)

Test(options, says_what_is_wrong)
{
	REFUSED("there is no command 'jion' (try: vault-agent help)", "jion");
	REFUSED("there is no option '--x' here (try: vault-agent help)", "run", "--x");
	REFUSED("there is no option '--force' here (try: vault-agent help)", "run",
	        "--force");
	REFUSED("--config needs a value", "run", "--config");
	REFUSED("--config needs a value", "run", "--config=");
	REFUSED("--force takes no value", "join", "--force=yes");
	REFUSED("--format must be table or json", "status", "--format", "xml");
	REFUSED("--server: plain http:// is for loopback addresses alone: use https://",
	        "join", "--server", "http://vault:8200");
}

/* A token on the command line is neither taken nor repeated. */
Test(options, takes_no_token)
{
	REFUSED("there is one word too many; a token is never given on the command line",
	        "join", "vlt_j_secret");
}
