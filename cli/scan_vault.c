/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_vault.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

#define NAMES_MAX 256
#define ROTATE_MS (15l * 60 * 1000)

struct scan_vault {
	pid_t pid;
	FILE *in, *out;
};

/* --- the process that has the token ---------------------------------------------------
 */

static void tell(FILE *out, json_t *o)
{
	if (o != NULL && json_dumpf(o, out, JSON_COMPACT) == 0 && putc('\n', out) != EOF)
		(void)fflush(out);
	json_decref(o);
}

static void tell_error(FILE *out, const struct err *e)
{
	tell(out, json_pack("{s:s, s:i}", "error", e->msg, "code", (int)e->code));
}

static json_t *open_page(const char *sealed, const unsigned char *pk,
                         const unsigned char *sk)
{
	size_t cap = strlen(sealed) / 4 * 3 + 3;
	unsigned char *box = malloc(cap), *plain = malloc(cap);
	char *shown = NULL;
	json_t *out = NULL;
	long n = -1;

	if (box != NULL && plain != NULL)
		n = text_unbase64(sealed, strlen(sealed), box, cap);
	if (n >= (long)crypto_box_SEALBYTES &&
	    crypto_box_seal_open(plain, box, (unsigned long long)n, pk, sk) == 0) {
		size_t len = (size_t)n - crypto_box_SEALBYTES;

		if ((shown = malloc(TEXT_BASE64_LEN(len) + 1)) != NULL) {
			text_base64(plain, len, shown);
			out = json_pack("{s:s}", "page", shown);
		}
	}
	free(box);
	free(plain);
	free(shown);
	return out;
}

static const char *text_of(const json_t *data, const char *name)
{
	const char *s = json_string_value(json_object_get(data, name));

	return s != NULL ? s : "";
}

static int next_page(struct cli *c, json_t *body, const unsigned char *pk,
                     const unsigned char *sk, FILE *out, bool *more, struct err *e)
{
	json_t *doc = NULL, *page, *data;
	int rc = cli_call(c, "POST", "sys/leaks/pack", body, &doc, e);

	if (rc == ERR_OK) {
		data = json_object_get(doc, "data");
		page = open_page(text_of(data, "page"), pk, sk);
		if (page == NULL)
			rc = err_set(e, ERR_INTEGRITY,
			             "the vault's leak pack does not open");
		else
			tell(out, page);
		*more = *text_of(data, "next") != '\0';
		json_object_set_new(body, "pack", json_string(text_of(data, "pack")));
		json_object_set_new(body, "after", json_string(text_of(data, "next")));
	}
	json_decref(doc);
	return rc;
}

static void tell_pack(struct cli *c, FILE *out)
{
	unsigned char pk[crypto_box_PUBLICKEYBYTES], sk[crypto_box_SECRETKEYBYTES];
	char key[TEXT_BASE64_LEN(sizeof(pk)) + 1];
	struct err e = { 0 };
	bool more = true;
	json_t *body;
	int rc = ERR_OK;

	crypto_box_keypair(pk, sk);
	text_base64(pk, sizeof(pk), key);
	body = json_pack("{s:s}", "public_key", key);
	while (rc == ERR_OK && more)
		rc = next_page(c, body, pk, sk, out, &more, &e);
	sodium_memzero(sk, sizeof(sk));
	json_decref(body);
	if (rc == ERR_OK)
		tell(out, json_pack("{s:b}", "done", 1));
	else
		tell_error(out, &e);
}

static void answer(struct cli *c, json_t *asked, FILE *out)
{
	const char *path = json_string_value(json_object_get(asked, "rotate"));
	char full[LEAK_MAX];
	json_t *doc = NULL, *body;
	struct err e = { 0 };
	int rc;

	if (path != NULL) {
		body = json_pack("{s:b, s:b}", "leaked", 1, "wait", 1);
		rc = cli_path("sys/rotation/rotate/", path, full, sizeof(full), &e);
		if (rc == ERR_OK)
			rc = cli_call_timeout(c, "POST", full, body, ROTATE_MS, &doc, &e);
	} else {
		body = json_pack("{s:O}", "ids", json_object_get(asked, "ids"));
		rc = cli_call(c, "POST", "sys/leaks/resolve", body, &doc, &e);
	}
	if (rc == ERR_OK)
		tell(out, json_pack("{s:O}", "data", json_object_get(doc, "data")));
	else
		tell_error(out, &e);
	json_decref(body);
	json_decref(doc);
}

static _Noreturn void serve(struct cli *c, int fd)
{
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	json_error_t why;
	json_t *asked;

	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (in == NULL || out == NULL)
		_exit(1);
	tell_pack(c, out);
	while ((asked = json_loadf(in, JSON_DISABLE_EOF_CHECK, &why)) != NULL) {
		answer(c, asked, out);
		json_decref(asked);
	}
	cli_wipe(c->token);
	_exit(0);
}

/* --- the one that scans ---------------------------------------------------------------
 */

static int hear(struct scan_vault *v, json_t **out, struct err *e)
{
	json_error_t why;
	const char *error;

	*out = json_loadf(v->in, JSON_DISABLE_EOF_CHECK, &why);
	if (*out == NULL)
		return err_set(e, ERR_INTERNAL,
		               "the process that asks the vault has ended");
	error = json_string_value(json_object_get(*out, "error"));
	if (error == NULL)
		return ERR_OK;
	(void)err_set(e, (enum errcode)json_integer_value(json_object_get(*out, "code")),
	              "%s", error);
	json_decref(*out);
	*out = NULL;
	return (int)e->code;
}

static int take_page(struct known *k, const char *page, struct err *e)
{
	size_t cap = strlen(page) / 4 * 3 + 3;
	unsigned char *p = malloc(cap);
	long n = p != NULL ? text_unbase64(page, strlen(page), p, cap) : -1;
	int rc = n >= 0 ? known_add(k, p, (size_t)n, (int64_t)time(NULL) * 1000, e)
	                : err_set(e, ERR_NOMEM, "out of memory");

	free(p);
	return rc;
}

static int take_pack(struct scan_vault *v, struct known *k, struct err *e)
{
	json_t *o;
	int rc;

	while ((rc = hear(v, &o, e)) == ERR_OK) {
		const char *page = json_string_value(json_object_get(o, "page"));

		if (page != NULL)
			rc = take_page(k, page, e);
		json_decref(o);
		if (rc != ERR_OK || page == NULL)
			break;
	}
	return rc == ERR_OK ? known_ready(k, e) : rc;
}

static struct scan_vault *begin(struct cli *c, struct err *e)
{
	struct scan_vault *v = calloc(1, sizeof(*v));
	int fd[2];

	if (v == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0) {
		free(v);
		(void)err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if ((v->pid = fork()) == 0) {
		close(fd[0]);
		serve(c, fd[1]);
	}
	close(fd[1]);
	v->in = v->pid > 0 ? fdopen(fd[0], "r") : NULL;
	v->out = v->in != NULL ? fdopen(dup(fd[0]), "w") : NULL;
	if (v->in == NULL)
		close(fd[0]);
	if (v->out == NULL) {
		scan_vault_close(v);
		(void)err_set(e, ERR_NOMEM, "no process to ask the vault with");
		return NULL;
	}
	return v;
}

int scan_vault_open(struct cli *c, struct scan_vault **out, struct known **known,
                    struct err *e)
{
	struct scan_vault *v;
	struct known *k;
	int rc;

	*out = NULL;
	*known = NULL;
	v = begin(c, e);
	cli_wipe(c->token);
	c->token = NULL;
	if (v == NULL)
		return (int)e->code;
	k = known_new(e);
	rc = k != NULL ? take_pack(v, k, e) : (int)e->code;
	if (rc != ERR_OK) {
		known_free(k);
		scan_vault_close(v);
		return rc;
	}
	*out = v;
	*known = k;
	return ERR_OK;
}

void scan_vault_close(struct scan_vault *v)
{
	if (v == NULL)
		return;
	if (v->in != NULL)
		(void)fclose(v->in);
	if (v->out != NULL)
		(void)fclose(v->out);
	if (v->pid > 0) {
		(void)kill(v->pid, SIGTERM);
		(void)waitpid(v->pid, NULL, 0);
	}
	free(v);
}

static int ask(struct scan_vault *v, json_t *what, json_t **data, struct err *e)
{
	json_t *reply;
	int rc;

	*data = NULL;
	tell(v->out, what);
	if ((rc = hear(v, &reply, e)) != ERR_OK)
		return rc;
	*data = json_incref(json_object_get(reply, "data"));
	json_decref(reply);
	return *data != NULL ? ERR_OK
	                     : err_set(e, ERR_INTERNAL, "the vault says nothing");
}

int scan_vault_names(struct scan_vault *v, json_t *ids, json_t **found, struct err *e)
{
	json_t *some, *data;
	int rc = ERR_OK;

	*found = json_array();
	for (size_t at = 0; rc == ERR_OK && at < json_array_size(ids); at += NAMES_MAX) {
		some = json_array();
		for (size_t i = at; i < json_array_size(ids) && i < at + NAMES_MAX; i++)
			json_array_append(some, json_array_get(ids, i));
		rc = ask(v, json_pack("{s:o}", "ids", some), &data, e);
		if (rc == ERR_OK)
			json_array_extend(*found, json_object_get(data, "found"));
		json_decref(data);
	}
	return rc;
}

int scan_vault_rotate(struct scan_vault *v, const char *path, json_t **data,
                      struct err *e)
{
	return ask(v, json_pack("{s:s}", "rotate", path), data, e);
}
