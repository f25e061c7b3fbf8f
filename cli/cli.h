/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H
/*
 * cli - what every command of vaultctl shares: its row in the command table, its flags,
 * the connection to the server, and input that may be secret.
 *
 * Data goes to stdout, talk to stderr.  Commands return an enum errcode with ${e} set;
 * main alone prints the message and turns it into the exit status.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

enum cli_format { CLI_TABLE, CLI_JSON };

enum flag_kind { FLAG_BOOL, FLAG_STRING };

struct flag {
	const char
		*name; /* without dashes; given as -name, --name, --name=x or --name x */
	enum flag_kind kind;
	const char *arg; /* placeholder in help, NULL for FLAG_BOOL */
	const char *help;
};

#define CLI_FLAGS_MAX 32
#define CLI_ARGS_MAX  64

struct cli {
	enum cli_format format;
	bool reveal; /* show secret values on a terminal */
	bool out_tty, err_tty;
	const char *address;
	const char *pin;     /* "sha256//…" or NULL */
	const char *ca_file; /* or NULL */
	const char *unix_socket;
	bool skip_verify;
	const char *client_cert, *client_key; /* PEM files, or NULL */
	const char *wrap_ttl;                 /* replies are to be wrapped, or NULL */
	char *token; /* malloc'ed, wiped by cli_free(); NULL if there is none */
	struct http_client *http;
	const struct command *command;
	/* positional arguments and flags of the command that runs */
	const char *arg[CLI_ARGS_MAX];
	int args;
	const char *flag[CLI_FLAGS_MAX]; /* by position in the command's flags; NULL: not
	                                    given */
	int exit_status;                 /* instead of the error's own; 0: that one */
	int unwritten_status; /* if standard output cannot be written; 0: that of
	                         ERR_IO */
};

struct command {
	const char *noun; /* "kv"; or a verb on its own with verb NULL: "rotate" */
	const char *verb;
	int (*run)(struct cli *c, struct err *e);
	int min, max;             /* positional arguments; max -1: any number */
	const struct flag *flags; /* ends with a NULL name; NULL: none */
	const char *synopsis;     /* "PATH [NAME=@FILE …]" */
	const char *help;         /* one line */
	const char *details; /* more paragraphs for "vaultctl help NOUN VERB", or NULL */
};

struct command_set {
	const struct command *rows;
	size_t n;
};
extern const struct command_set commands_status; /* status, operator init|unseal|seal */
extern const struct command_set commands_token;  /* token …, token-role … */
extern const struct command_set commands_policy;
extern const struct command_set commands_kv;
extern const struct command_set commands_host;
extern const struct command_set commands_binding;
extern const struct command_set commands_swarm;
extern const struct command_set commands_lease;
extern const struct command_set commands_rotate;   /* rotate, rotation check … adopt */
extern const struct command_set commands_rotation; /* rotation set, show, list … */
extern const struct command_set commands_target;
extern const struct command_set commands_database;
extern const struct command_set commands_webhook;
extern const struct command_set commands_report;
extern const struct command_set commands_rotator;
extern const struct command_set commands_rotator_check;
extern const struct command_set commands_audit;
extern const struct command_set commands_backup;
extern const struct command_set commands_secrets;  /* secrets …, auth … */
extern const struct command_set commands_login;    /* login, logout */
extern const struct command_set commands_user;     /* user …, approle …, cert … */
extern const struct command_set commands_operator; /* rekey, rotate-key … */
extern const struct command_set commands_raw;      /* read, write, …, wrap, unwrap */
extern const struct command_set commands_scan;
extern const struct command_set commands_help;

/** cli_commands(n): all sets, for help and completion. */
const struct command_set *const *cli_commands(size_t *n);

/** cli_find(argc, argv, used): the command that the words name; *used words belong to the
 * name. */
const struct command *cli_find(int argc, char **argv, int *used);

/** cli_parse(c, cmd, argc, argv, e): flags and arguments of ${cmd}; global flags too.
 * ERR_USAGE names the word. */
int cli_parse(struct cli *c, const struct command *cmd, int argc, char **argv,
              struct err *e) MUST_CHECK;

/** cli_flag(c, name): the value of a flag of the running command ("true" for a
 * FLAG_BOOL), or NULL. */
const char *cli_flag(const struct cli *c, const char *name);

/** cli_env(c): defaults from VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT, VAULT_FORMAT,
 * VAULT_SKIP_VERIFY, VAULT_PIN, VAULT_CLIENT_CERT, VAULT_CLIENT_KEY, VAULT_WRAP_TTL and
 * ~/.vault-token. The token leaves the environment. */
int cli_env(struct cli *c, struct err *e) MUST_CHECK;
void cli_free(struct cli *c);

/**
 * cli_call(c, method, path, body, reply, e): ${path} without "/v1/"; ${body} is borrowed
 * and may be NULL; *reply is the parsed document (the caller json_decref()s it), NULL for
 * an empty one.  A refusal becomes an error with the server's texts: 403 ERR_DENIED, 404
 * ERR_NOENT, 400 ERR_INVALID, 503 ERR_SEALED or ERR_BUSY …; *reply is still set when
 * there was a document.
 */
int cli_call(struct cli *c, const char *method, const char *path, json_t *body,
             json_t **reply, struct err *e) MUST_CHECK;
/** cli_call_timeout(): the same with a limit other than 30 s. */
int cli_call_timeout(struct cli *c, const char *method, const char *path, json_t *body,
                     long timeout_ms, json_t **reply, struct err *e) MUST_CHECK;

/** cli_ask(): like cli_call(), and wrapped if the user wants that: for the one request of
 * a command whose reply goes to call_show(), and no other. */
int cli_ask(struct cli *c, const char *method, const char *path, json_t *body,
            json_t **reply, struct err *e) MUST_CHECK;

/** cli_path(prefix, path, out, cap, e): prefix + percent-encoded ${path} (slashes kept).
 */
int cli_path(const char *prefix, const char *path, char *out, size_t cap, struct err *e)
	MUST_CHECK;

/* Secret input: never from argv. The result is malloc'ed; cli_wipe() it. */
/** cli_prompt(what, out, e): without echo from the terminal; else one line from stdin. */
int cli_prompt(const char *what, char **out, struct err *e) MUST_CHECK;
/** cli_read(source, out, len, e): "-" is stdin, else a file. At most LIMIT_BODY_DEFAULT
 * bytes. */
int cli_read(const char *source, char **out, size_t *len, struct err *e) MUST_CHECK;
void cli_wipe(char *s);
/** cli_json_free(text): give back what json_dumps() made, through jansson's own (wiping)
 * free. */
void cli_json_free(char *text);

/** cli_confirm(c, question, yes, e): asks on a terminal; elsewhere ${yes} (--yes) must be
 * given. */
int cli_confirm(struct cli *c, const char *question, bool yes, struct err *e) MUST_CHECK;

#endif
