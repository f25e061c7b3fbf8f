/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "server/options.h"

static struct options o;
static struct err e;

TestSuite(options, .timeout = 20);

/* ${line} split at blanks, after the program's name. */
static int parse(const char *line)
{
	static char words[16][64];
	char *argv[16];
	int argc = 0;

	snprintf(words[argc], sizeof(words[argc]), "vaultd");
	argv[argc] = words[argc];
	for (argc = 1; *line != '\0' && argc < 16; argc++) {
		size_t n = strcspn(line, " ");

		snprintf(words[argc], sizeof(words[argc]), "%.*s", (int)n, line);
		argv[argc] = words[argc];
		line += n + (line[n] == ' ');
	}
	return options_parse(argc, argv, &o, &e);
}

struct line_case {
	char line[96];
	char want[128]; /* the error, or empty */
};

ParameterizedTestParameters(options, errors)
{
	static struct line_case c[] = {
		{"",			    ""					      },
		{ "--help",                     ""					      },
		{ "-h",			 ""					      },
		{ "--version --check-config",   ""                                              },
		{ "--dev=true",                 ""					      },
		{ "--wrong",                    "unknown argument '--wrong' (see vaultd --help)"},
		{ "server",                     "unknown argument 'server' (see vaultd --help)" },
		{ "dev",                        "unknown argument 'dev' (see vaultd --help)"    },
		{ "-",			  "unknown argument '-' (see vaultd --help)"      },
		{ "--",			 "unknown argument '--' (see vaultd --help)"     },
		{ "---dev",                     "unknown argument '---dev' (see vaultd --help)" },
		{ "--de",                       "unknown argument '--de' (see vaultd --help)"   },
		{ "--config",                   "--config needs a FILE"                         },
		{ "--dev=maybe",                "'--dev=maybe': this option takes no value"     },
		{ "--dev --config x",
                 "--dev has a configuration of its own: no --config"                            },
		{ "--dev-root-token-id=x",
                 "--dev-root-token-id and --dev-listen-address need --dev"                      },
		{ "--dev --dev-root-token-id=", "the dev root token is empty"                   },
	};

	return cr_make_param_array(struct line_case, c, ARRAY_LEN(c));
}

ParameterizedTest(struct line_case *c, options, errors)
{
	int want = c->want[0] == '\0' ? ERR_OK : ERR_USAGE;

	e.msg[0] = '\0';
	cr_assert_eq(parse(c->line), want, "%s: %s", c->line, e.msg);
	cr_assert_str_eq(e.msg, c->want, "%s", c->line);
}

Test(options, go_style_and_ours_mean_the_same)
{
	static const char *const lines[] = {
		"-dev -dev-root-token-id=root -dev-listen-address 127.0.0.1:1",
		"--dev --dev-root-token-id root --dev-listen-address=127.0.0.1:1",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		cr_assert_eq(parse(lines[i]), ERR_OK, "%s", e.msg);
		cr_assert(o.dev);
		cr_assert_str_eq(o.dev_root_token, "root");
		cr_assert_str_eq(o.dev_listen, "127.0.0.1:1");
	}
}

Test(options, every_switch_sets_its_own_member)
{
	cr_assert_eq(parse("--check-config"), ERR_OK);
	cr_assert(o.check_config && !o.require_sandbox && !o.allow_unlocked && !o.dev);
	cr_assert_eq(parse("--require-sandbox --config a"), ERR_OK);
	cr_assert(o.require_sandbox && !o.check_config && !o.allow_unlocked);
	cr_assert_str_eq(o.config, "a");
	cr_assert_eq(parse("--allow-unlocked --version"), ERR_OK);
	cr_assert(o.allow_unlocked && o.version && !o.help && o.config == NULL);
}

Test(options, environment_stands_in_for_what_is_absent_in_dev_mode)
{
	setenv("VAULT_DEV_ROOT_TOKEN_ID", "from-env", 1);
	setenv("VAULT_DEV_LISTEN_ADDRESS", "127.0.0.1:2", 1);
	cr_assert_eq(parse("-dev"), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(o.dev_root_token, "from-env");
	cr_assert_str_eq(o.dev_listen, "127.0.0.1:2");
	cr_assert_eq(parse("-dev -dev-root-token-id=given"), ERR_OK);
	cr_assert_str_eq(o.dev_root_token, "given");
	cr_assert_eq(parse(""), ERR_OK, "without --dev the variables mean nothing");
	cr_assert_null(o.dev_root_token);
}

Test(options, help_names_every_option)
{
	static const char *const names[] = {
		"--config FILE",        "--check-config",    "--dev-root-token-id",
		"--dev-listen-address", "--require-sandbox", "--allow-unlocked"
	};
	char text[4096] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	options_help(f);
	fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		cr_assert_not_null(strstr(text, names[i]), "%s", names[i]);
}
