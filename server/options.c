/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <stddef.h>
#include <string.h>

struct option_row {
	const char *name;
	const char *argument; /* NULL: a switch */
	size_t at;            /* of a bool, or of a const char * */
	const char *help;
};

/* clang-format off */
static const struct option_row rows[] = {
	{ "config", "FILE", offsetof(struct options, config),
	  "read FILE instead of /etc/vaultd/vaultd.yaml" },
	{ "check-config", NULL, offsetof(struct options, check_config),
	  "read the configuration, report errors, exit" },
	{ "require-sandbox", NULL, offsetof(struct options, require_sandbox),
	  "refuse to start where a part of the sandbox is missing" },
	{ "allow-unlocked", NULL, offsetof(struct options, allow_unlocked),
	  "start even if key memory cannot be locked" },
	{ "dev", NULL, offsetof(struct options, dev),
	  "unsealed server for trying out: plain HTTP, data gone at exit" },
	{ "dev-root-token-id", "TOKEN", offsetof(struct options, dev_root_token),
	  "root token of --dev (VAULT_DEV_ROOT_TOKEN_ID)" },
	{ "dev-listen-address", "ADDRESS", offsetof(struct options, dev_listen),
	  "address of --dev (VAULT_DEV_LISTEN_ADDRESS; 127.0.0.1:8200)" },
	{ "version", NULL, offsetof(struct options, version), "print the version, exit" },
	{ "help", NULL, offsetof(struct options, help), "print this text, exit" },
};
/* clang-format on */

static const struct option_row *find(const char *name, size_t n)
{
	if (n == 1 && *name == 'h')
		name = "help", n = 4;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strlen(rows[i].name) == n && strncmp(rows[i].name, name, n) == 0)
			return &rows[i];
	return NULL;
}

static void *member(struct options *o, const struct option_row *row)
{
	return (char *)o + row->at;
}

/* What follows the dashes of one argument; *value is what follows '=', or NULL. */
static const struct option_row *split(const char *arg, const char **value)
{
	const char *name = arg + (arg[0] == '-') + (arg[0] == '-' && arg[1] == '-');
	size_t n = strcspn(name, "=");

	*value = name[n] == '=' ? name + n + 1 : NULL;
	return name == arg ? NULL : find(name, n);
}

static int set_switch(bool *to, const char *arg, const char *value, struct err *e)
{
	if (value != NULL && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return err_set(e, ERR_USAGE, "'%s': this option takes no value", arg);
	*to = value == NULL || strcmp(value, "true") == 0;
	return ERR_OK;
}

static int check(const struct options *o, struct err *e)
{
	if (o->dev && (o->config != NULL || o->check_config))
		return err_set(e, ERR_USAGE,
		               "--dev has a configuration of its own: no --config");
	if (!o->dev && (o->dev_root_token != NULL || o->dev_listen != NULL))
		return err_set(e, ERR_USAGE,
		               "--dev-root-token-id and --dev-listen-address need --dev");
	if (o->dev_root_token != NULL && o->dev_root_token[0] == '\0')
		return err_set(e, ERR_USAGE, "the dev root token is empty");
	return ERR_OK;
}

static const char *from_environment(const char *given, const char *name)
{
	const char *value = given != NULL ? given : getenv(name);

	return value != NULL && *value != '\0' ? value : given;
}

int options_parse(int argc, char *const argv[], struct options *o, struct err *e)
{
	int rc;

	*o = (struct options){ 0 };
	for (int i = 1; i < argc; i++) {
		const char *value;
		const struct option_row *row = split(argv[i], &value);

		if (row == NULL)
			return err_set(e, ERR_USAGE,
			               "unknown argument '%s' (see vaultd --help)",
			               argv[i]);
		if (row->argument == NULL) {
			if ((rc = set_switch(member(o, row), argv[i], value, e)) !=
			    ERR_OK)
				return rc;
			continue;
		}
		if (value == NULL && ++i == argc)
			return err_set(e, ERR_USAGE, "--%s needs a %s", row->name,
			               row->argument);
		*(const char **)member(o, row) = value != NULL ? value : argv[i];
	}
	if (o->dev) {
		o->dev_root_token = from_environment(o->dev_root_token,
		                                     "VAULT_DEV_ROOT_TOKEN_ID");
		o->dev_listen = from_environment(o->dev_listen,
		                                 "VAULT_DEV_LISTEN_ADDRESS");
	}
	return check(o, e);
}

void options_help(FILE *out)
{
	fputs("usage: vaultd [options]\n\n", out);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char left[40];

		snprintf(left, sizeof(left), "--%s %s", rows[i].name,
		         rows[i].argument != NULL ? rows[i].argument : "");
		fprintf(out, "  %-30s %s\n", left, rows[i].help);
	}
}
