/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <string.h>

#include "settings.h"

static int take_text(const char **to, const char *value)
{
	*to = value;
	return ERR_OK;
}

static int set_config(struct options *o, const char *v, struct err *e UNUSED)
{
	return take_text(&o->config, v);
}

static int set_server(struct options *o, const char *v, struct err *e)
{
	int rc = settings_check_url(v, e);

	return rc == ERR_OK ? take_text(&o->server, v) : err_wrap(e, "--server");
}

static int set_hosts_server(struct options *o, const char *v, struct err *e)
{
	int rc = settings_check_url(v, e);

	return rc == ERR_OK ? take_text(&o->hosts_server, v)
	                    : err_wrap(e, "--hosts-server");
}

static int set_pin(struct options *o, const char *v, struct err *e)
{
	return pins_add(&o->pins, v, e) == ERR_OK
	               ? ERR_OK
	               : err_set(e, ERR_USAGE, "--pin: %.200s", e->msg);
}

static int set_token_file(struct options *o, const char *v, struct err *e UNUSED)
{
	return take_text(&o->token_file, v);
}

static int set_state_dir(struct options *o, const char *v, struct err *e UNUSED)
{
	return take_text(&o->state_dir, v);
}

static int set_socket(struct options *o, const char *v, struct err *e UNUSED)
{
	return take_text(&o->socket, v);
}

static int set_format(struct options *o, const char *v, struct err *e)
{
	o->json = strcmp(v, "json") == 0;
	if (!o->json && strcmp(v, "table") != 0)
		return err_set(e, ERR_USAGE, "--format must be table or json");
	return ERR_OK;
}

static int set_force(struct options *o, const char *v UNUSED, struct err *e UNUSED)
{
	o->force = true;
	return ERR_OK;
}

static int set_help(struct options *o, const char *v UNUSED, struct err *e UNUSED)
{
	o->command = COMMAND_HELP;
	return ERR_OK;
}

static int set_version(struct options *o, const char *v UNUSED, struct err *e UNUSED)
{
	o->command = COMMAND_VERSION;
	return ERR_OK;
}

#define ON(command) (1u << COMMAND_##command)
#define ALWAYS      (~0u)

/* clang-format off */
static const struct option_row {
	const char *name;
	const char *value; /* what it is called in the help; NULL: takes none */
	unsigned commands;
	int (*set)(struct options *o, const char *value, struct err *e);
	const char *help;
} rows[] = {
	{ "config", "FILE", ON(RUN) | ON(JOIN) | ON(STATUS) | ON(CHECK) | ON(REKEY), set_config,
	  "configuration (" SETTINGS_DEFAULT_FILE ")" },
	{ "server", "URL", ON(JOIN), set_server,
	  "where vaultd listens: https://HOST:8200" },
	{ "hosts-server", "URL", ON(JOIN), set_hosts_server,
	  "its listener for hosts: https://HOST:8201" },
	{ "pin", "sha256//…", ON(JOIN), set_pin,
	  "the server's public key; may be repeated" },
	{ "token-file", "FILE", ON(JOIN), set_token_file,
	  "read the join token here instead of standard input" },
	{ "state-dir", "DIR", ON(JOIN) | ON(RUN), set_state_dir,
	  "where the identity is kept (/var/lib/vault-agent)" },
	{ "force", NULL, ON(JOIN), set_force,
	  "replace an identity that is there" },
	{ "socket", "PATH", ON(STATUS) | ON(REKEY), set_socket,
	  "the agent's status socket" },
	{ "format", "table|json", ON(STATUS), set_format,
	  "how status is printed" },
	{ "version", NULL, ALWAYS, set_version,
	  "print the version" },
	{ "help", NULL, ALWAYS, set_help,
	  "this text" },
};

static const struct command_row {
	const char *name;
	enum command command;
	const char *help;
} commands[] = {
	{ "run", COMMAND_RUN, "deliver secrets as files (the default)" },
	{ "join", COMMAND_JOIN, "make this host known to a vault, with a join token" },
	{ "status", COMMAND_STATUS, "ask the running agent how it is" },
	{ "check", COMMAND_CHECK, "read the configuration and its templates, and say what is wrong" },
	{ "rekey", COMMAND_REKEY, "let the running agent replace the host's keys" },
	{ "version", COMMAND_VERSION, "print the version" },
	{ "help", COMMAND_HELP, "this text" },
};
/* clang-format on */

void options_help(FILE *out)
{
	fprintf(out,
	        "vault-agent COMMAND [OPTION…]: secrets of a vault as files on this host\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s %s", rows[i].name,
		         rows[i].value != NULL ? rows[i].value : "");
		fprintf(out, "  %-26s %s\n", left, rows[i].help);
	}
	fprintf(out,
	        "\nThe join token comes from `vaultctl host add NAME --role ROLE`.\n");
}

static int find_command(const char *name, struct options *o, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0) {
			o->command = commands[i].command;
			return ERR_OK;
		}
	return err_set(e, ERR_USAGE,
	               "there is no command '%.40s' (try: vault-agent help)", name);
}

static const struct option_row *find_row(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0)
			return &rows[i];
	return NULL;
}

/* "--name value", "--name=value", or "-name …"; returns how many words it was, 0 on
 * error. */
static int take_option(char **argv, struct options *o, struct err *e)
{
	const char *name = argv[0] + (argv[0][1] == '-' ? 2 : 1);
	const char *equals = strchr(name, '=');
	const struct option_row *row =
		find_row(name, equals != NULL ? (size_t)(equals - name) : strlen(name));
	const char *value = equals != NULL ? equals + 1 : argv[1];
	int words = row != NULL && row->value != NULL && equals == NULL ? 2 : 1;

	if (row == NULL || (row->commands & (1u << o->command)) == 0) {
		err_set(e, ERR_USAGE,
		        "there is no option '%.40s' here (try: vault-agent help)",
		        argv[0]);
		return 0;
	}
	if (row->value != NULL ? value == NULL || *value == '\0' : equals != NULL) {
		err_set(e, ERR_USAGE, "--%s %s", row->name,
		        row->value != NULL ? "needs a value" : "takes no value");
		return 0;
	}
	return row->set(o, value, e) == ERR_OK ? words : 0;
}

int options_parse(int argc, char **argv, struct options *o, struct err *e)
{
	int i = 1, rc;

	*o = (struct options){ .command = COMMAND_RUN };
	if (i < argc && argv[i][0] != '-') {
		if ((rc = find_command(argv[i], o, e)) != ERR_OK)
			return rc;
		i++;
	}
	while (i < argc) {
		int words = argv[i][0] == '-' && argv[i][1] != '\0'
		                    ? take_option(&argv[i], o, e)
		                    : 0;

		if (words == 0)
			return argv[i][0] == '-' && argv[i][1] != '\0'
			               ? ERR_USAGE
			               : err_set(e, ERR_USAGE,
			                         "there is one word too many; a token is never "
			                         "given on the command line");
		if (o->command == COMMAND_HELP || o->command == COMMAND_VERSION)
			break;
		i += words;
	}
	return ERR_OK;
}
