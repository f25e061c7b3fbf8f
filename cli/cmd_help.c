/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "out.h"
#include "vault/version.h"

static void name_of(const struct command *cmd, char *out, size_t cap)
{
	snprintf(out, cap, "%s%s%s", cmd->noun, cmd->verb != NULL ? " " : "",
	         cmd->verb != NULL ? cmd->verb : "");
}

static void overview(void)
{
	const struct command_set *const *sets;
	char name[64];
	size_t n;

	sets = cli_commands(&n);
	puts("vaultctl - keep secrets, lease them to hosts, rotate them everywhere\n\n"
	     "usage: vaultctl COMMAND [FLAGS] [ARGUMENTS]\n");
	for (size_t s = 0; s < n; s++) {
		for (size_t i = 0; i < sets[s]->n; i++) {
			name_of(&sets[s]->rows[i], name, sizeof(name));
			printf("  %-28s %s\n", name, sets[s]->rows[i].help);
		}
	}
	puts("\n'vaultctl help COMMAND' tells more.  Every command takes --address, --format,\n"
	     "--ca-cert, --pin, --socket, --tls-skip-verify, --client-cert, --client-key, --wrap-ttl\n"
	     "and --reveal; VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT, VAULT_PIN, VAULT_FORMAT,\n"
	     "VAULT_CLIENT_CERT, VAULT_CLIENT_KEY, VAULT_WRAP_TTL and ~/.vault-token are honoured.\n\n"
	     "Exit status: 0 done, 2 usage, 3 invalid request, 4 permission denied, 5 not found,\n"
	     "7 sealed, 17 server unreachable, 20 timeout, 21 hosts are late, 22 verification failed,\n"
	     "25 a rotation is held, 26 not rotated (the old value is valid), 27 the old value is not\n"
	     "revoked yet.");
}

/* Returns its columns. */
static int flag_text(const struct flag *f, char *out, size_t cap)
{
	int columns = 0;

	(void)snprintf(out, cap, "--%s%s%s", f->name, f->arg != NULL ? " " : "",
	               f->arg != NULL ? f->arg : "");
	for (const char *s = out; *s != '\0'; s++)
		columns += ((unsigned char)*s & 0xc0) != 0x80;
	return columns;
}

static void one(const struct command *cmd)
{
	char name[64];
	int width = 0;

	for (const struct flag *f = cmd->flags; f != NULL && f->name != NULL; f++) {
		char shown[80];
		int n = flag_text(f, shown, sizeof(shown));

		width = n > width ? n : width;
	}

	name_of(cmd, name, sizeof(name));
	printf("usage: vaultctl %s [FLAGS] %s\n\n%s\n", name, cmd->synopsis, cmd->help);
	if (cmd->details != NULL)
		printf("\n%s\n", cmd->details);
	for (const struct flag *f = cmd->flags; f != NULL && f->name != NULL; f++) {
		char shown[80];
		int columns = flag_text(f, shown, sizeof(shown));

		if (f == cmd->flags)
			puts("\nFlags:");
		printf("  %s%*s  %s\n", shown, width - columns, "", f->help);
	}
}

static int help(struct cli *c, struct err *e)
{
	const struct command_set *const *sets;
	bool found = false;
	size_t n;

	if (c->args == 0) {
		overview();
		return ERR_OK;
	}
	sets = cli_commands(&n);
	for (size_t s = 0; s < n; s++) {
		for (size_t i = 0; i < sets[s]->n; i++) {
			const struct command *cmd = &sets[s]->rows[i];

			if (strcmp(cmd->noun, c->arg[0]) != 0 ||
			    (c->args > 1 &&
			     (cmd->verb == NULL || strcmp(cmd->verb, c->arg[1]) != 0)))
				continue;
			if (found)
				puts("");
			one(cmd);
			found = true;
		}
	}
	return found ? ERR_OK : err_set(e, ERR_USAGE, "no command '%.40s'", c->arg[0]);
}

static int version(struct cli *c, struct err *e)
{
	(void)c;
	(void)e;
	puts("vaultctl " VAULT_VERSION);
	return ERR_OK;
}

/* Nouns once each, with their verbs: what all three shells need. */
static void words(const char *noun)
{
	const struct command_set *const *sets;
	const char *last = "";
	size_t n;

	sets = cli_commands(&n);
	for (size_t s = 0; s < n; s++) {
		for (size_t i = 0; i < sets[s]->n; i++) {
			const struct command *cmd = &sets[s]->rows[i];

			if (noun == NULL && strcmp(cmd->noun, last) != 0)
				printf(" %s", cmd->noun);
			if (noun != NULL && strcmp(cmd->noun, noun) == 0 &&
			    cmd->verb != NULL)
				printf(" %s", cmd->verb);
			last = cmd->noun;
		}
	}
}

static void each_noun(void (*fn)(const char *noun))
{
	const struct command_set *const *sets;
	const char *last = "";
	size_t n;

	sets = cli_commands(&n);
	for (size_t s = 0; s < n; s++) {
		for (size_t i = 0; i < sets[s]->n; i++) {
			const char *noun = sets[s]->rows[i].noun;

			if (strcmp(noun, last) != 0)
				fn(noun);
			last = noun;
		}
	}
}

static void bash_case(const char *noun)
{
	printf("\t%s) words=\"", noun);
	words(noun);
	puts("\" ;;");
}

static void zsh_case(const char *noun)
{
	printf("\t%s) compadd --", noun);
	words(noun);
	puts(" ;;");
}

static void fish_lines(const char *noun)
{
	printf("complete -c vaultctl -n __fish_use_subcommand -a %s\n", noun);
	printf("complete -c vaultctl -n '__fish_seen_subcommand_from %s' -a '", noun);
	words(noun);
	puts("'");
}

static int completion(struct cli *c, struct err *e)
{
	if (strcmp(c->arg[0], "bash") == 0) {
		puts("_vaultctl() {\n\tlocal words\n\tcase \"${COMP_WORDS[1]}\" in");
		each_noun(bash_case);
		puts("\tesac\n\tif [ \"$COMP_CWORD\" = 1 ]; then");
		fputs("\t\twords=\"", stdout);
		words(NULL);
		puts("\"\n\telif [ \"$COMP_CWORD\" != 2 ]; then\n\t\twords=\n\tfi\n"
		     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
		     "complete -o default -F _vaultctl vaultctl");
		return ERR_OK;
	}
	if (strcmp(c->arg[0], "zsh") == 0) {
		puts("#compdef vaultctl\nif (( CURRENT == 2 )); then");
		fputs("\tcompadd --", stdout);
		words(NULL);
		puts("\nelif (( CURRENT == 3 )); then\n\tcase \"$words[2]\" in");
		each_noun(zsh_case);
		puts("\tesac\nelse\n\t_files\nfi");
		return ERR_OK;
	}
	if (strcmp(c->arg[0], "fish") == 0) {
		each_noun(fish_lines);
		return ERR_OK;
	}
	return err_set(e, ERR_USAGE, "'%.40s' is not bash, zsh or fish", c->arg[0]);
}

static const struct command rows[] = {
	{"help",        NULL, help,       0, 2, NULL, "[NOUN [VERB]]", "what the commands do",        NULL},
	{ "version",    NULL, version,    0, 0, NULL, "",              "the version of this program", NULL},
	{ "completion", NULL, completion, 1, 1, NULL, "bash|zsh|fish",
         "a completion script for a shell",							   NULL},
};

const struct command_set commands_help = { rows, ARRAY_LEN(rows) };
