/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>

#include "http.h"
#include "numbers.h"
#include "text.h"
#include "vault/limits.h"

#define DEFAULT_ADDRESS    "https://127.0.0.1:8200"
#define DEFAULT_TIMEOUT_MS 30000

static const struct command_set *const sets[] = {
	&commands_status,        &commands_operator, &commands_login,   &commands_token,
	&commands_policy,        &commands_kv,       &commands_raw,     &commands_secrets,
	&commands_user,          &commands_host,     &commands_binding, &commands_lease,
	&commands_rotate,        &commands_rotation, &commands_target,  &commands_rotator,
	&commands_rotator_check, &commands_webhook,  &commands_report,  &commands_audit,
	&commands_backup,        &commands_database, &commands_scan,    &commands_swarm,
	&commands_help,
};

const struct command_set *const *cli_commands(size_t *n)
{
	*n = ARRAY_LEN(sets);
	return sets;
}

void cli_wipe(char *s)
{
	if (s == NULL)
		return;
	sodium_memzero(s, strlen(s));
	free(s);
}

void cli_json_free(char *text)
{
	json_free_t release;

	json_get_alloc_funcs(NULL, &release);
	if (text != NULL)
		release(text);
}

static char *token_from_file(void)
{
	char path[PATH_MAX], *text = NULL, *out;
	const char *home = getenv("HOME");
	size_t n;
	struct err e;

	if (home == NULL ||
	    snprintf(path, sizeof(path), "%s/.vault-token", home) >= (int)sizeof(path) ||
	    access(path, R_OK) != 0 || cli_read(path, &text, &n, &e) != ERR_OK ||
	    text == NULL)
		return NULL;
	text[strcspn(text, "\r\n")] = '\0';
	out = text[0] != '\0' ? strdup(text) : NULL;
	cli_wipe(text);
	return out;
}

/* A variable that is set to nothing is not set. */
static const char *setting(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

/* A copy of the token; what the environment had is wiped, so that /proc/PID/environ and
 * processes that are forked do not have it. */
static char *token_from_environment(void)
{
	char *v = getenv("VAULT_TOKEN"), *out;

	if (v == NULL || v[0] == '\0')
		return token_from_file();
	out = strdup(v);
	sodium_memzero(v, strlen(v));
	return out;
}

int cli_env(struct cli *c, struct err *e)
{
	const char *v;

	c->out_tty = isatty(STDOUT_FILENO);
	c->err_tty = isatty(STDERR_FILENO);
	v = getenv("VAULT_ADDR");
	c->address = v != NULL && v[0] != '\0' ? v : DEFAULT_ADDRESS;
	c->ca_file = setting("VAULT_CACERT");
	c->pin = setting("VAULT_PIN");
	c->client_cert = setting("VAULT_CLIENT_CERT");
	c->client_key = setting("VAULT_CLIENT_KEY");
	c->wrap_ttl = setting("VAULT_WRAP_TTL");
	v = getenv("VAULT_SKIP_VERIFY");
	c->skip_verify = v != NULL && (strcmp(v, "1") == 0 || strcmp(v, "true") == 0);
	v = getenv("VAULT_FORMAT");
	if (v != NULL && strcmp(v, "json") == 0)
		c->format = CLI_JSON;
	else if (v != NULL && v[0] != '\0' && strcmp(v, "table") != 0)
		return err_set(e, ERR_USAGE,
		               "VAULT_FORMAT: '%.40s' is neither table nor json", v);
	c->token = token_from_environment();
	unsetenv("VAULT_TOKEN");
	return ERR_OK;
}

void cli_free(struct cli *c)
{
	http_free(c->http);
	cli_wipe(c->token);
	c->token = NULL;
}

static int connect_once(struct cli *c, struct err *e)
{
	static char trimmed[512];
	struct http_options o = {
		.base_url = trimmed,
		.unix_socket = c->unix_socket,
		.pin = c->pin,
		.ca_file = c->ca_file,
		.skip_verify = c->skip_verify,
		.client_cert = c->client_cert,
		.client_key = c->client_key,
		.wrap_ttl = c->wrap_ttl,
	};
	size_t n;

	if (c->http != NULL)
		return ERR_OK;
	if (strncmp(c->address, "unix://", 7) == 0) {
		o.unix_socket = c->address + 7;
		snprintf(trimmed, sizeof(trimmed), "http://localhost");
	} else if (c->unix_socket != NULL) {
		snprintf(trimmed, sizeof(trimmed), "http://localhost"); /* no TLS there */
	} else {
		snprintf(trimmed, sizeof(trimmed), "%s", c->address);
	}
	n = strlen(trimmed);
	while (n > 0 && trimmed[n - 1] == '/')
		trimmed[--n] = '\0';
	c->http = http_new(&o, e);
	if (c->http == NULL)
		return (int)e->code;
	http_wrap(c->http, false); /* see cli_ask() */
	return ERR_OK;
}

/* Errors of the API as one line: "a; b". */
static void join_errors(const json_t *doc, char *out, size_t cap)
{
	const json_t *list = json_object_get(doc, "errors");
	size_t i, n = 0;
	json_t *v;

	out[0] = '\0';
	json_array_foreach(list, i, v)
	{
		const char *s = json_string_value(v);

		if (s == NULL || n >= cap)
			continue;
		n += (size_t)snprintf(out + n, cap - n, "%s%s", n > 0 ? "; " : "", s);
	}
	/* C0, DEL and C1 controls are not for the terminal. */
	for (unsigned char *p = (unsigned char *)out; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = ' ';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = ' ';
	for (n = strlen(out); n > 0 && out[n - 1] == ' '; n--)
		out[n - 1] = '\0';
}

static enum errcode code_of(long status, const char *text)
{
	if (status == 503 && strstr(text, "sealed") != NULL)
		return ERR_SEALED;
	return err_of_status(status, ERR_INTERNAL);
}

static int judge(const struct http_reply *r, const json_t *doc, struct err *e)
{
	char text[200];
	enum errcode code;

	if (r->status >= 200 && r->status < 300)
		return ERR_OK;
	join_errors(doc, text, sizeof(text));
	code = code_of(r->status, text);
	if (text[0] == '\0' && code == ERR_NOENT)
		return err_set(e, code, "not found");
	return err_set(e, code, "%s (HTTP %ld)", text[0] != '\0' ? text : "refused",
	               r->status);
}

int cli_call_timeout(struct cli *c, const char *method, const char *path, json_t *body,
                     long timeout_ms, json_t **reply, struct err *e)
{
	char full[LIMIT_REQUEST_LINE], *text = NULL;
	struct http_reply r = { 0 };
	json_error_t why;
	int rc;

	*reply = NULL;
	if ((rc = connect_once(c, e)) != ERR_OK)
		return rc;
	if (snprintf(full, sizeof(full), "/v1/%s", path) >= (int)sizeof(full))
		return err_set(e, ERR_INVALID, "path is too long");
	if (body != NULL && (text = numbers_dump(body, JSON_COMPACT)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = http_call(c->http, method, full, c->token, text, timeout_ms, &r, e);
	cli_wipe(text);
	if (rc != ERR_OK)
		return err_wrap(e, "%.80s", c->address);
	if (r.len > 0)
		*reply = numbers_load(r.body, r.len, 0, &why);
	rc = r.len > 0 && *reply == NULL && r.status < 300
	             ? err_set(e, ERR_INTERNAL, "the server's reply is not JSON")
	             : judge(&r, *reply, e);
	http_reply_clear(&r);
	return rc;
}

int cli_call(struct cli *c, const char *method, const char *path, json_t *body,
             json_t **reply, struct err *e)
{
	return cli_call_timeout(c, method, path, body, DEFAULT_TIMEOUT_MS, reply, e);
}

int cli_ask(struct cli *c, const char *method, const char *path, json_t *body,
            json_t **reply, struct err *e)
{
	int rc = connect_once(c, e);

	*reply = NULL;
	if (rc != ERR_OK)
		return rc;
	http_wrap(c->http, true);
	rc = cli_call(c, method, path, body, reply, e);
	http_wrap(c->http, false);
	return rc;
}

int cli_path(const char *prefix, const char *path, char *out, size_t cap, struct err *e)
{
	size_t n = strlen(prefix);

	while (*path == '/')
		path++;
	if (n + text_percent(path, strlen(path), "/", NULL) >= cap)
		return err_set(e, ERR_INVALID, "path is too long");
	(void)snprintf(out, cap, "%s", prefix);
	(void)text_percent(path, strlen(path), "/", out + n);
	return ERR_OK;
}

/* All of ${fd}, at most ${cap} - 1 bytes; the number read, or -1 if there is more. */
static ssize_t read_all(int fd, char *buf, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		ssize_t got = read(fd, buf + n, cap - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return (ssize_t)n;
		n += (size_t)got;
	}
	return -1;
}

int cli_read(const char *source, char **out, size_t *len, struct err *e)
{
	bool from_stdin = strcmp(source, "-") == 0;
	int fd = from_stdin ? STDIN_FILENO : open(source, O_RDONLY | O_CLOEXEC);
	size_t cap = LIMIT_BODY_DEFAULT;
	char *buf;
	ssize_t n;

	if (fd < 0)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno, "%.120s",
		               source);
	buf = malloc(cap + 1);
	n = buf != NULL ? read_all(fd, buf, cap) : 0;
	if (!from_stdin)
		close(fd);
	if (buf == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (n < 0) {
		sodium_memzero(buf, cap);
		free(buf);
		return err_set(e, ERR_TOO_BIG, "%.120s: more than %zu bytes", source,
		               cap - 1);
	}
	buf[n] = '\0';
	*out = buf;
	*len = (size_t)n;
	return ERR_OK;
}

/* One line from ${fd}; bytes one at a time, so that nothing behind it is taken. */
static int read_line(int fd, char **out, struct err *e)
{
	size_t n = 0, cap = LIMIT_TOKEN_TEXT * 4;
	char *buf = calloc(1, cap + 1);

	if (buf == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	while (n < cap) {
		ssize_t got = read(fd, buf + n, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || buf[n] == '\n')
			break;
		n++;
	}
	if (n > 0 && buf[n - 1] == '\r')
		n--;
	sodium_memzero(buf + n, cap + 1 - n);
	*out = buf;
	return ERR_OK;
}

int cli_prompt(const char *what, char **out, struct err *e)
{
	struct termios old, quiet;
	AUTO_CLOSE int tty = -1;
	int rc;

	if (!isatty(STDIN_FILENO)) {
		rc = read_line(STDIN_FILENO, out, e);
	} else {
		tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
		if (tty < 0 || tcgetattr(tty, &old) != 0)
			return err_sys(e, ERR_IO, errno, "/dev/tty");
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
		tcsetattr(tty, TCSAFLUSH, &quiet);
		dprintf(tty, "%s: ", what);
		rc = read_line(tty, out, e);
		tcsetattr(tty, TCSAFLUSH, &old);
		dprintf(tty, "\n");
	}
	if (rc == ERR_OK && (*out)[0] == '\0') {
		cli_wipe(*out);
		return err_set(e, ERR_USAGE, "no %s was given on standard input", what);
	}
	return rc;
}

int cli_confirm(struct cli *c, const char *question, bool yes, struct err *e)
{
	char line[16];

	(void)c;
	if (yes)
		return ERR_OK;
	if (!isatty(STDIN_FILENO))
		return err_set(e, ERR_USAGE, "%s: add --yes to confirm", question);
	fprintf(stderr, "%s [y/N] ", question);
	if (fgets(line, sizeof(line), stdin) == NULL ||
	    (line[0] != 'y' && line[0] != 'Y'))
		return err_set(e, ERR_USAGE, "not confirmed");
	return ERR_OK;
}
