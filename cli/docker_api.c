/* SPDX-License-Identifier: Apache-2.0 */
#include "docker_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "http.h"

#define SOCKET     "/var/run/docker.sock"
#define API_OLDEST 1041  /* 1.41, Debian 12's */
#define API_NEWEST 1052  /* what is used here is the same in all between */
#define CALL_MS    30000 /* a leader that has gone is missed for 20 s */
#define REPLY_MAX  (64u * 1024 * 1024)
#define PATH_SIZE  512

struct docker_api {
	struct http_client *http;
	char api[16]; /* "1.41"; "": not asked yet */
	char cluster[64];
};

static const struct {
	const char *text;
	enum errcode code;
} meanings[] = {
	{"only updates to Labels",  ERR_VERIFY  },
	{ "update out of sequence", ERR_CONFLICT},
};

/* What Docker says of itself is printed: it is not the user's to trust. */
static int refused(const struct http_reply *r, struct err *e)
{
	json_t *doc = json_loadb(r->body, r->len, 0, NULL);
	const char *said = json_string_value(json_object_get(doc, "message"));
	enum errcode code = r->status == 404 ? ERR_NOENT : ERR_INVALID;

	for (size_t i = 0; said != NULL && i < ARRAY_LEN(meanings); i++)
		if (strstr(said, meanings[i].text) != NULL)
			code = meanings[i].code;
	err_set(e, code, "Docker answers %ld: %.160s", r->status,
	        said != NULL ? said : "");
	for (char *p = e->msg; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	json_decref(doc);
	return (int)code;
}

static int ask(struct docker_api *d, const char *method, const char *path,
               const json_t *body, json_t **out, struct err *e)
{
	struct http_reply reply = { 0 };
	char full[PATH_SIZE], *text = NULL;
	int rc;

	if (out != NULL)
		*out = NULL;
	if (snprintf(full, sizeof(full), "%s%s%s", d->api[0] != '\0' ? "/v" : "", d->api,
	             path) >= (int)sizeof(full))
		return err_set(e, ERR_INVALID, "path is too long");
	if (body != NULL && (text = json_dumps(body, JSON_COMPACT)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = http_call(d->http, method, full, NULL, text, CALL_MS, &reply, e);
	cli_json_free(text);
	if (rc == ERR_UNREACHABLE)
		return err_set(e, ERR_UNREACHABLE, "no Docker Engine answers there");
	if (rc != ERR_OK)
		return err_wrap(e, "Docker");
	if (reply.status / 100 != 2)
		rc = refused(&reply, e);
	else if (out != NULL &&
	         (*out = json_loadb(reply.body, reply.len, 0, NULL)) == NULL)
		rc = err_set(e, ERR_INVALID, "Docker's answer cannot be read");
	http_reply_clear(&reply);
	return rc;
}

/* "1.41" as a number that compares; -1 if it is none. */
static int api_number(const char *s)
{
	unsigned major, minor;
	char rest;

	if (s == NULL || strlen(s) > 7 ||
	    sscanf(s, "%3u.%3u%c", &major, &minor, &rest) != 2)
		return -1;
	return (int)(major * 1000 + minor);
}

static int negotiate(struct docker_api *d, struct err *e)
{
	json_t *doc = NULL;
	int rc = ask(d, "GET", "/version", NULL, &doc, e), newest, oldest;

	if (rc != ERR_OK)
		return rc;
	newest = api_number(json_string_value(json_object_get(doc, "ApiVersion")));
	oldest = api_number(json_string_value(json_object_get(doc, "MinAPIVersion")));
	json_decref(doc);
	if (newest < API_OLDEST || oldest > API_NEWEST)
		return err_set(e, ERR_INVALID,
		               "Docker's API is not one of version 1.41 to 1.52");
	newest = newest < API_NEWEST ? newest : API_NEWEST;
	snprintf(d->api, sizeof(d->api), "%d.%d", newest / 1000, newest % 1000);
	return ERR_OK;
}

static int look(struct docker_api *d, struct err *e)
{
	json_t *doc = NULL, *swarm;
	const char *id, *why;
	int rc = ask(d, "GET", "/info", NULL, &doc, e);

	if (rc != ERR_OK)
		return rc;
	swarm = json_object_get(doc, "Swarm");
	id = json_string_value(json_object_get(json_object_get(swarm, "Cluster"), "ID"));
	why = json_string_value(json_object_get(swarm, "Error"));
	if (!json_is_true(json_object_get(swarm, "ControlAvailable")) || id == NULL)
		rc = err_set(e, ERR_INVALID,
		             "this Docker Engine is no manager of a Swarm");
	else if (why != NULL && *why != '\0')
		rc = err_set(e, ERR_INVALID, "the Swarm has no leader");
	else
		snprintf(d->cluster, sizeof(d->cluster), "%s", id);
	json_decref(doc);
	return rc;
}

int docker_api_open(const char *socket, struct docker_api **out, struct err *e)
{
	const struct http_options o = { .base_url = "http://docker",
		                        .unix_socket = socket != NULL ? socket : SOCKET,
		                        .reply_max = REPLY_MAX };
	struct docker_api *d = calloc(1, sizeof(*d));
	int rc;

	*out = NULL;
	if (d == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = (d->http = http_new(&o, e)) != NULL ? ERR_OK : (int)e->code;
	if (rc != ERR_OK || (rc = negotiate(d, e)) != ERR_OK ||
	    (rc = look(d, e)) != ERR_OK) {
		err_wrap(e, "%.100s", o.unix_socket);
		docker_api_close(d);
		return rc;
	}
	*out = d;
	return ERR_OK;
}

void docker_api_close(struct docker_api *d)
{
	if (d == NULL)
		return;
	http_free(d->http);
	free(d);
}

const char *docker_api_cluster(const struct docker_api *d)
{
	return d->cluster;
}

int docker_api_get(struct docker_api *d, const char *path, json_t **out, struct err *e)
{
	return ask(d, "GET", path, NULL, out, e);
}

int docker_api_post(struct docker_api *d, const char *path, const json_t *body,
                    struct err *e)
{
	return ask(d, "POST", path, body, NULL, e);
}
