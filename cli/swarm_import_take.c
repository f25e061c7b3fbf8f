/* SPDX-License-Identifier: Apache-2.0 */
/* One secret: its value in the vault, whether Docker has the same, and its binding. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/swarm/names.h"
#include "numbers.h"
#include "out.h"
#include "path.h"
#include "place.h"
#include "swarm_import_impl.h"
#include "text.h"

#define VALUE_MAX 511999u /* bytes that Docker takes */
#define TRIES     5       /* somebody else changes labels at the same time */
#define URL_MAX   160

/* ---- the value ---- */

static const char *field_of(const struct import *x)
{
	const char *s = cli_flag(x->c, "field");

	return s != NULL ? s : "value";
}

/* Is that a word for a shell as it is? */
static bool is_plain(const char *s)
{
	return *s != '\0' &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
	                   "WXYZ0123456789_./-")] == '\0';
}

/* Docker does not give it: how it comes into the vault. */
static void not_there(const struct import *x, struct found *f, const char *what)
{
	const char *target = swarm_text(f->target, "target"),
		   *service = json_string_value(json_array_get(f->bound, 0));
	char how[2048];

	import_say(f, "unknown", "%s: put it in, Docker gives no value back", what);
	if (!is_plain(target) || !is_plain(service) || !is_plain(f->path) ||
	    !is_plain(field_of(x)))
		return;
	snprintf(how, sizeof(how),
	         "docker exec $(docker ps -q -f label=com.docker.swarm.service.name=%s | "
	         "head -n 1) cat %s%s | vaultctl kv put %s %s=-",
	         service, target[0] == '/' ? "" : "/run/secrets/", target, f->path,
	         field_of(x));
	json_object_set_new(f->row, "how", json_string(how));
}

/* As the agent writes it: text as it is, numbers as JSON has them. */
static json_t *as_text(const json_t *v)
{
	char number[24];

	if (v == NULL)
		return NULL;
	if (numbers_text(v) != NULL)
		return json_string(numbers_text(v));
	if (json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v))
		return json_incref((json_t *)(uintptr_t)v);
	snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
	return json_is_boolean(v)   ? json_string(json_is_true(v) ? "true" : "false")
	       : json_is_integer(v) ? json_string(number)
	                            : json_string("");
}

/* Its newest version, as the agent would write it; NULL: that was said. */
static json_t *read_value(struct import *x, struct found *f)
{
	char path[PLACE_PATH];
	json_t *doc = NULL, *value = NULL;
	struct place p;
	struct err e = { ERR_OK, "" };
	int rc = place_find(x->c, f->path, &p, &e);

	if (rc == ERR_OK && !p.versions) {
		import_say(f, "left", "it is on KV version 1, which keeps no versions");
		return NULL;
	}
	if (rc == ERR_OK && (rc = place_path(&p, "data", path, &e)) == ERR_OK)
		rc = cli_call(x->c, "GET", path, NULL, &doc, &e);
	if (rc == ERR_NOENT) {
		not_there(x, f, "it is not in the vault");
	} else if (rc != ERR_OK) {
		import_say(f, "left", "reading it: %s", e.msg);
	} else {
		const json_t *data = json_object_get(doc, "data");

		f->version = json_integer_value(
			json_object_get(json_object_get(data, "metadata"), "version"));
		value = as_text(
			json_object_get(json_object_get(data, "data"), field_of(x)));
		if (value == NULL)
			not_there(x, f, "it has no such field in the vault");
	}
	json_decref(doc);
	if (value != NULL &&
	    (json_string_length(value) == 0 || json_string_length(value) > VALUE_MAX)) {
		import_say(f, "left", "the field is no text of 1 to %u bytes", VALUE_MAX);
		json_decref(value);
		value = NULL;
	}
	return value;
}

/* ---- Docker ---- */

static json_t *data_of(const char *p, size_t n)
{
	char *text = malloc(TEXT_BASE64_LEN(n) + 1);
	json_t *o;

	if (text == NULL)
		return NULL;
	(void)text_base64(p, n, text);
	o = json_string(text);
	explicit_bzero(text, TEXT_BASE64_LEN(n));
	free(text);
	return o;
}

/* One update of the secret, with these labels, and its data unless ${value} is NULL. */
static int update(struct import *x, const json_t *secret, json_t *labels,
                  const json_t *value, const char *tail, struct err *e)
{
	json_t *body = json_pack("{s:O, s:O}", "Name",
	                         json_object_get(import_spec(secret), "Name"), "Labels",
	                         labels);
	char path[URL_MAX], *text = NULL;
	int rc;

	if (value != NULL) {
		if (asprintf(&text, "%s%s", json_string_value(value), tail) < 0)
			text = NULL;
		if (text != NULL)
			json_object_set_new(body, "Data", data_of(text, strlen(text)));
		cli_wipe(text);
	}
	snprintf(path, sizeof(path), "/secrets/%.40s/update?version=%lld",
	         swarm_text(secret, "ID"),
	         (long long)json_integer_value(
			 json_object_get(json_object_get(secret, "Version"), "Index")));
	rc = value == NULL || json_object_get(body, "Data") != NULL
	             ? docker_api_post(x->docker, path, body, e)
	             : err_set(e, ERR_NOMEM, "out of memory");
	json_decref(body);
	return rc;
}

static int again(struct import *x, struct found *f, struct err *e)
{
	char path[URL_MAX];
	json_t *doc = NULL;
	int rc;

	snprintf(path, sizeof(path), "/secrets/%.40s", swarm_text(f->secret, "ID"));
	if ((rc = docker_api_get(x->docker, path, &doc, e)) == ERR_OK) {
		json_decref(f->secret);
		f->secret = doc;
	}
	return rc;
}

static json_t *labels_of(const struct found *f)
{
	json_t *labels = json_copy(json_object_get(import_spec(f->secret), "Labels"));

	return json_is_object(labels) ? labels : json_object();
}

/* Ours, over those that it has; a stack still knows it as its own. */
static json_t *labels_with(const struct import *x, const struct found *f)
{
	json_t *labels = labels_of(f);
	char version[24];

	snprintf(version, sizeof(version), "%lld", (long long)f->version);
	json_object_set_new(labels, SWARM_LABEL_CLUSTER,
	                    json_string(docker_api_cluster(x->docker)));
	json_object_set_new(labels, SWARM_LABEL_BINDING, json_string(f->binding));
	json_object_set_new(labels, SWARM_LABEL_VERSION, json_string(version));
	json_object_set_new(labels, SWARM_LABEL_OBJECT, json_string("0"));
	return labels;
}

/* With the labels of the version, if it has the value. */
static int put_labels(struct import *x, struct found *f, const json_t *value,
                      struct err *e)
{
	int rc = ERR_CONFLICT;

	for (int i = 0; rc == ERR_CONFLICT && i < TRIES; i++) {
		json_t *labels = labels_with(x, f);

		rc = update(x, f->secret, labels, value, "", e);
		json_decref(labels);
		if (rc == ERR_CONFLICT && again(x, f, e) != ERR_OK)
			return (int)e->code;
	}
	return rc;
}

/* Most often it is the newline at the end of a file. */
static void differs(struct import *x, struct found *f, const json_t *value)
{
	json_t *labels = labels_of(f);
	struct err e;

	if (update(x, f->secret, labels, value, "\n", &e) == ERR_OK)
		import_say(f, "differs",
		           "the same, but with a newline at the end: put it in as JSON");
	else
		import_say(
			f, "differs",
			"the vault has another value (version %lld): bind it by hand if "
			"services are to get that",
			(long long)f->version);
	json_decref(labels);
}

/* ---- taking over ---- */

static json_t *definition(const struct import *x, const struct found *f)
{
	const char *role = cli_flag(x->c, "role");
	json_t *target = json_pack("{s:O, s:O}", "target",
	                           json_object_get(f->target, "target"), "mode",
	                           json_object_get(f->target, "mode"));
	static const char *const users[] = { "uid", "gid" };

	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		const char *s = swarm_text(f->target, users[i]);

		if (*s != '\0' && strspn(s, "0123456789") == strlen(s))
			json_object_set_new(target, users[i], json_string(s));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:O, s:[o]}", "path", f->path, "field",
	                 field_of(x), "roles", role, "cluster",
	                 docker_api_cluster(x->docker), "services", f->bound, "targets",
	                 target);
}

static int binding_path(const struct found *f, char out[PLACE_PATH], struct err *e)
{
	return cli_path("sys/swarm/bindings/", f->binding, out, PLACE_PATH, e);
}

/* A binding of that name is somebody's; true: there is one, or nobody can tell. */
static bool is_taken(struct import *x, struct found *f)
{
	const char *name = cli_flag(x->c, "name");
	char path[PLACE_PATH];
	json_t *doc = NULL;
	struct err e;
	int rc;

	name = name != NULL ? name : import_name(f);
	rc = path_name(name, strlen(name), f->binding, "binding name", &e);
	if (rc == ERR_OK && (rc = binding_path(f, path, &e)) == ERR_OK)
		rc = cli_call(x->c, "GET", path, NULL, &doc, &e);
	json_decref(doc);
	if (rc == ERR_NOENT)
		return false;
	if (rc == ERR_OK)
		import_say(f, "left", "there is a binding '%s' already", f->binding);
	else
		import_say(f, "left", "binding '%s': %s", f->binding, e.msg);
	return true;
}

static int bind(struct import *x, struct found *f, struct err *e)
{
	json_t *body = definition(x, f), *doc = NULL;
	char path[PLACE_PATH];
	int rc = binding_path(f, path, e);

	if (rc == ERR_OK)
		rc = cli_call(x->c, "POST", path, body, &doc, e);
	json_decref(doc);
	json_decref(body);
	return rc;
}

/* Labels first: an agent that finds the binding without them would make a secret of its
 * own, and restart the services for it. */
static void adopt(struct import *x, struct found *f, const json_t *value)
{
	json_t *before = labels_of(f);
	struct err e = { ERR_OK, "" };
	int rc = put_labels(x, f, value, &e);

	if (rc == ERR_VERIFY) {
		differs(x, f, value);
	} else if (rc != ERR_OK) {
		import_say(f, "left", "%s", e.msg);
	} else if (bind(x, f, &e) == ERR_OK) {
		import_say(f, "adopted", "binding '%s', version %lld; nothing restarts%s",
		           f->binding, (long long)f->version,
		           *import_label(f->secret, IMPORT_STACK) != '\0'
		                   ? "; make it external in the stack's file"
		                   : "");
		json_object_set_new(f->row, "binding", json_string(f->binding));
	} else {
		struct err why;

		import_say(f, "left", "binding '%s': %s", f->binding, e.msg);
		if (again(x, f, &why) == ERR_OK &&
		    update(x, f->secret, before, NULL, "", &why) != ERR_OK)
			say("%s: its labels stay: %s", import_name(f), why.msg);
	}
	json_decref(before);
}

void import_take(struct import *x, struct found *f)
{
	json_t *value;

	if (is_taken(x, f) || (value = read_value(x, f)) == NULL)
		return;
	if (cli_flag(x->c, "dry-run") != NULL)
		import_say(f, "ready", "taken over if its value is that of version %lld",
		           (long long)f->version);
	else
		adopt(x, f, value);
	json_decref(value);
}
