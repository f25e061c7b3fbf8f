/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_ENGINE_H
#define TESTS_UNIT_AGENT_ENGINE_H
/*
 * engine - a template language for tests of what surrounds templates: one command a line.
 *
 *   get PATH FIELD    the field of a secret of KV version 2
 *   plain PATH FIELD  of one that has no versions
 *   version PATH      its number
 *   via PATH FIELD    the field "v" of the secret that the field names
 *   all FOLDER        the field "v" of every secret in the folder
 *   file PATH         a file's text
 *   fail              an error
 */
#include <stdio.h>
#include <string.h>

#include "agent/deliver/render_template.h"
#include "agent/deliver/text_out.h"

struct template
{
	const char *text;
};

struct engine_run {
	const struct template_ops *ops;
	struct text_out out;
	bool missing;
	struct err *why;
};

static inline int engine_parse(struct arena *a, const char *name UNUSED, const char *text,
                               size_t n UNUSED, struct template **out, struct err *why)
{
	if (strstr(text, "syntax error") != NULL)
		return err_set(why, ERR_INVALID, "line 1 column 1: a syntax error");
	*out = arena_alloc(a, sizeof(**out));
	(*out)->text = arena_str(a, text);
	return ERR_OK;
}

static inline const struct value *engine_read(struct engine_run *r, const char *path,
                                              int *rc)
{
	const struct value *v = NULL;

	*rc = r->ops->secret(r->ops->ctx, path, &v, r->why);
	r->missing = r->missing || v == NULL;
	return value_get(v, "data");
}

static inline void engine_add(struct engine_run *r, const struct value *v)
{
	if (v != NULL && (v->type == V_STRING || v->type == V_NUMBER))
		text_out_add(&r->out, v->text, v->len);
	text_out_str(&r->out, "\n");
}

static inline int engine_all(struct engine_run *r, const char *folder)
{
	const struct value *keys = NULL, *v;
	int rc = r->ops->secrets(r->ops->ctx, folder, &keys, r->why);

	r->missing = r->missing || keys == NULL;
	for (v = keys != NULL ? keys->first : NULL; rc == ERR_OK && v != NULL;
	     v = v->next) {
		char path[256];

		snprintf(path, sizeof(path), "secret/data/app/%.*s", (int)v->len,
		         v->text);
		engine_add(r,
		           value_get(value_get(engine_read(r, path, &rc), "data"), "v"));
	}
	return rc;
}

static inline int engine_line(struct engine_run *r, char *line)
{
	char *rest = NULL, *verb = strtok_r(line, " ", &rest);
	const char *path = strtok_r(NULL, " ", &rest),
		   *field = strtok_r(NULL, " ", &rest), *p = NULL;
	const struct value *data;
	size_t n = 0;
	int rc = ERR_OK;

	if (verb == NULL)
		return ERR_OK;
	if (strcmp(verb, "fail") == 0)
		return err_set(r->why, ERR_INVALID, "it fails");
	if (strcmp(verb, "all") == 0)
		return engine_all(r, path);
	if (strcmp(verb, "file") == 0) {
		rc = r->ops->read_file(r->ops->ctx, path, r->out.a, &p, &n, r->why);
		if (rc == ERR_OK)
			text_out_add(&r->out, p, n);
		return rc;
	}
	data = engine_read(r, path, &rc);
	if (strcmp(verb, "version") == 0) {
		engine_add(r, value_get(value_get(data, "metadata"), "version"));
	} else if (strcmp(verb, "plain") == 0) {
		engine_add(r, value_get(data, field));
	} else {
		data = value_get(value_get(data, "data"), field);
		if (strcmp(verb, "via") == 0 && data != NULL)
			data = value_get(
				value_get(engine_read(r, value_to_cstr(data, r->out.a),
			                              &rc),
			                  "data"),
				"v");
		engine_add(r, data);
	}
	return rc;
}

static inline int engine_do(const struct template *t, const struct template_ops *ops,
                            struct arena *a, const char **out, size_t *n, struct err *why)
{
	struct engine_run r = { .ops = ops, .out = { .a = a }, .why = why };
	char *text = arena_str(a, t->text), *rest = NULL;
	int rc = ERR_OK;

	text_out_str(&r.out, "");
	for (char *line = strtok_r(text, "\n", &rest); rc == ERR_OK && line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		rc = engine_line(&r, line);
	*out = r.out.p;
	*n = r.out.n;
	if (rc == ERR_OK && r.missing)
		return err_set(why, ERR_BUSY, "not there yet");
	return rc;
}

static const struct render_engine engine = { engine_parse, engine_do };

#endif
