/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli.h"

/* Flags that every command takes. */
enum {
	G_ADDRESS,
	G_FORMAT,
	G_CA,
	G_PIN,
	G_SOCKET,
	G_SKIP,
	G_CERT,
	G_KEY,
	G_WRAP,
	G_REVEAL
};
static const struct flag globals[] = {
	[G_ADDRESS] = {"address",          FLAG_STRING, "URL",         "the server (VAULT_ADDR)"         },
	[G_FORMAT] = { "format",          FLAG_STRING, "table|json",
	               "of the output (VAULT_FORMAT)"                                                    },
	[G_CA] = { "ca-cert",         FLAG_STRING, "FILE",
	               "CA of the server's certificate (VAULT_CACERT)"                                   },
	[G_PIN] = { "pin",             FLAG_STRING, "sha256//…",
	               "public key of the server (VAULT_PIN)"                                            },
	[G_SOCKET] = { "socket",          FLAG_STRING, "PATH",        "Unix socket of the server"       },
	[G_SKIP] = { "tls-skip-verify", FLAG_BOOL,   NULL,          "do not verify the server"        },
	[G_CERT] = { "client-cert",     FLAG_STRING, "FILE",
	               "own certificate, PEM (VAULT_CLIENT_CERT)"                                        },
	[G_KEY] = { "client-key",      FLAG_STRING, "FILE",
	               "its private key, PEM (VAULT_CLIENT_KEY)"                                         },
	[G_WRAP] = { "wrap-ttl",        FLAG_STRING, "DURATION",
	               "wrap the reply for this long (VAULT_WRAP_TTL)"                                   },
	[G_REVEAL] = { "reveal",          FLAG_BOOL,   NULL,          "show secret values on a terminal"},
};

static bool is_word(const char *s, const char *word)
{
	return s != NULL && strcmp(s, word) == 0;
}

const struct command *cli_find(int argc, char **argv, int *used)
{
	const struct command *alone = NULL;
	const struct command_set *const *sets;
	size_t n;

	sets = cli_commands(&n);
	*used = 0;
	if (argc < 1)
		return NULL;
	for (size_t s = 0; s < n; s++) {
		for (size_t i = 0; i < sets[s]->n; i++) {
			const struct command *cmd = &sets[s]->rows[i];

			if (!is_word(argv[0], cmd->noun))
				continue;
			if (cmd->verb == NULL)
				alone = cmd;
			else if (argc > 1 && is_word(argv[1], cmd->verb)) {
				*used = 2;
				return cmd;
			}
		}
	}
	*used = alone != NULL;
	return alone;
}

static int find_flag(const struct flag *flags, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n && flags[i].name != NULL; i++)
		if (strlen(flags[i].name) == len && memcmp(flags[i].name, name, len) == 0)
			return (int)i;
	return -1;
}

static int set_format(struct cli *c, const char *v, struct err *e)
{
	if (strcmp(v, "table") == 0)
		c->format = CLI_TABLE;
	else if (strcmp(v, "json") == 0)
		c->format = CLI_JSON;
	else
		return err_set(e, ERR_USAGE,
		               "--format: '%.40s' is neither table nor json", v);
	return ERR_OK;
}

static int set_global(struct cli *c, int which, const char *v, struct err *e)
{
	switch (which) {
	case G_ADDRESS:
		c->address = v;
		return ERR_OK;
	case G_FORMAT:
		return set_format(c, v, e);
	case G_CA:
		c->ca_file = v;
		return ERR_OK;
	case G_PIN:
		c->pin = v;
		return ERR_OK;
	case G_SOCKET:
		c->unix_socket = v;
		return ERR_OK;
	case G_CERT:
		c->client_cert = v;
		return ERR_OK;
	case G_KEY:
		c->client_key = v;
		return ERR_OK;
	case G_WRAP:
		c->wrap_ttl = v;
		return ERR_OK;
	case G_SKIP:
		c->skip_verify = true;
		return ERR_OK;
	default:
		c->reveal = true;
		return ERR_OK;
	}
}

/* Where the value of a flag comes from: "=x", or the next word. */
static int flag_value(const struct flag *f, const char *eq, int argc, char **argv,
                      int *at, const char **v, struct err *e)
{
	*v = "true";
	if (f->kind == FLAG_BOOL) {
		if (eq == NULL || strcmp(eq, "=true") == 0)
			return ERR_OK;
		if (strcmp(eq, "=false") == 0) {
			*v = NULL;
			return ERR_OK;
		}
		return err_set(e, ERR_USAGE, "--%s takes no value", f->name);
	}
	if (eq != NULL) {
		*v = eq + 1;
		return ERR_OK;
	}
	if (*at + 1 >= argc)
		return err_set(e, ERR_USAGE, "--%s needs a value (%s)", f->name, f->arg);
	*v = argv[++*at];
	return ERR_OK;
}

static int one_flag(struct cli *c, const struct command *cmd, int argc, char **argv,
                    int *at, struct err *e)
{
	const char *word = argv[*at] + (argv[*at][1] == '-' ? 2 : 1);
	size_t len = strcspn(word, "=");
	const char *eq = word[len] == '=' ? word + len : NULL, *v;
	int own = cmd->flags != NULL ? find_flag(cmd->flags, CLI_FLAGS_MAX, word, len)
	                             : -1;
	int global = own < 0 ? find_flag(globals, ARRAY_LEN(globals), word, len) : -1;
	int rc;

	if (own < 0 && global < 0)
		/* Not what is behind the '=': it may be a secret. */
		return err_set(e, ERR_USAGE, "unknown flag '--%.*s'",
		               len < 60 ? (int)len : 60, word);
	rc = flag_value(own >= 0 ? &cmd->flags[own] : &globals[global], eq, argc, argv,
	                at, &v, e);
	if (rc != ERR_OK || v == NULL)
		return rc;
	if (own < 0)
		return set_global(c, global, v, e);
	c->flag[own] = v;
	return ERR_OK;
}

int cli_parse(struct cli *c, const struct command *cmd, int argc, char **argv,
              struct err *e)
{
	bool only_args = false;
	int rc;

	c->command = cmd;
	for (int i = 0; i < argc; i++) {
		if (!only_args && strcmp(argv[i], "--") == 0) {
			only_args = true;
		} else if (!only_args && argv[i][0] == '-' && argv[i][1] != '\0') {
			if ((rc = one_flag(c, cmd, argc, argv, &i, e)) != ERR_OK)
				return rc;
		} else if (c->args == CLI_ARGS_MAX) {
			return err_set(e, ERR_USAGE, "too many arguments");
		} else {
			c->arg[c->args++] = argv[i];
		}
	}
	if (c->args < cmd->min || (cmd->max >= 0 && c->args > cmd->max))
		return err_set(e, ERR_USAGE, "usage: vaultctl %s%s%s %s", cmd->noun,
		               cmd->verb != NULL ? " " : "",
		               cmd->verb != NULL ? cmd->verb : "", cmd->synopsis);
	return ERR_OK;
}

const char *cli_flag(const struct cli *c, const char *name)
{
	int at = c->command->flags != NULL
	                 ? find_flag(c->command->flags, CLI_FLAGS_MAX, name, strlen(name))
	                 : -1;

	return at >= 0 ? c->flag[at] : NULL;
}
