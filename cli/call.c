/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <stdio.h>
#include <string.h>

#include "out.h"

#define PATH_CAP 4096

/* One "{…}" of a template: an argument, or a flag with its default. */
static const char *placeholder(struct cli *c, const char *p, size_t n, char buf[128])
{
	const char *eq = memchr(p, '=', n), *v;
	size_t name = eq != NULL ? (size_t)(eq - p) : n;

	if (n == 1 && p[0] >= '1' && p[0] <= '9')
		return p[0] - '1' < c->args ? c->arg[p[0] - '1'] : "";
	snprintf(buf, 128, "%.*s", (int)name, p);
	if ((v = cli_flag(c, buf)) != NULL)
		return v;
	snprintf(buf, 128, "%.*s", eq != NULL ? (int)(n - name - 1) : 0,
	         eq != NULL ? eq + 1 : "");
	return buf;
}

int call_path(struct cli *c, const char *template, char *out, size_t cap, struct err *e)
{
	char buf[128], piece[PATH_CAP];
	size_t n = 0;
	int rc;

	while (*template != '\0') {
		size_t len = strcspn(template, "{");

		if (template[0] == '{') {
			len = strcspn(template, "}");
			rc = cli_path("", placeholder(c, template + 1, len - 1, buf),
			              piece, sizeof(piece), e);
			if (rc != ERR_OK)
				return rc;
			len++;
		} else {
			snprintf(piece, sizeof(piece), "%.*s", (int)len, template);
		}
		template += len;
		if (n + strlen(piece) >= cap)
			return err_set(e, ERR_INVALID, "path is too long");
		n += (size_t)snprintf(out + n, cap - n, "%s", piece);
	}
	/* "auth/approle/" names the folder as "auth/approle" does. */
	while (n > 0 && out[n - 1] == '/')
		out[--n] = '\0';
	return ERR_OK;
}

static bool in_template(const char *template, const char *name)
{
	char open[128];
	const char *at;

	snprintf(open, sizeof(open), "{%.120s", name);
	at = strstr(template, open);
	return at != NULL && (at[strlen(open)] == '}' || at[strlen(open)] == '=');
}

json_t *call_body(struct cli *c, const char *template)
{
	json_t *body = json_object();
	const struct flag *f = c->command->flags;

	for (size_t i = 0; f != NULL && f[i].name != NULL; i++) {
		char name[128];

		if (c->flag[i] == NULL || strcmp(f[i].name, "yes") == 0 ||
		    in_template(template, f[i].name))
			continue;
		snprintf(name, sizeof(name), "%s", f[i].name);
		for (char *p = name; *p != '\0'; p++)
			if (*p == '-')
				*p = '_';
		json_object_set_new(body, name,
		                    f[i].kind == FLAG_BOOL ? json_true()
		                                           : json_string(c->flag[i]));
	}
	return body;
}

static void show_keys(const json_t *data)
{
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(data, "keys"), i, v)
		out_text(json_string_value(v) != NULL ? json_string_value(v) : "");
}

static bool has_part(const json_t *doc, const char *member)
{
	return json_is_object(json_object_get(doc, member));
}

/* What has a lease is given back by its id. */
static void add_lease(json_t *doc)
{
	static const char *const keys[] = { "lease_id", "lease_duration" };
	const char *id = json_string_value(json_object_get(doc, "lease_id"));
	json_t *data = json_object_get(doc, "data");

	for (size_t i = 0; id != NULL && id[0] != '\0' && i < ARRAY_LEN(keys); i++)
		if (json_object_get(data, keys[i]) == NULL)
			json_object_set(data, keys[i], json_object_get(doc, keys[i]));
}

void call_show(struct cli *c, json_t *doc, enum call_print print)
{
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(doc, "warnings"), i, v) if (json_is_string(v))
		say("Warning: %s", json_string_value(v));
	if (doc == NULL || (print == PRINT_NONE && !has_part(doc, "wrap_info")))
		return;
	if (c->format != CLI_JSON)
		add_lease(doc);
	if (c->format == CLI_JSON)
		out_json(c, doc);
	else if (has_part(doc, "wrap_info"))
		out_pairs(json_object_get(doc, "wrap_info"), NULL);
	else if (print == PRINT_KEYS)
		show_keys(json_object_get(doc, "data"));
	else if (has_part(doc, "auth"))
		out_pairs(json_object_get(doc, "auth"), NULL);
	else
		out_pairs(has_part(doc, "data") ? json_object_get(doc, "data") : doc,
		          NULL);
}

int call_run(struct cli *c, const char *method, const char *template, json_t *body,
             enum call_print print, struct err *e)
{
	char path[PATH_CAP];
	json_t *doc = NULL;
	int rc = call_path(c, template, path, sizeof(path), e);

	if (rc == ERR_OK && (rc = cli_ask(c, method, path, body, &doc, e)) == ERR_OK)
		call_show(c, doc, print);
	json_decref(doc);
	return rc;
}

int call_table(struct cli *c, const struct call_row *rows, size_t n, struct err *e)
{
	const struct call_row *row = rows;
	json_t *body = NULL;
	int rc = ERR_OK;

	while (row < rows + n && strcmp(row->verb, c->command->verb) != 0)
		row++;
	if (row == rows + n)
		return err_set(e, ERR_INTERNAL, "no request for this command");
	if (row->confirm != NULL)
		rc = cli_confirm(c, row->confirm, cli_flag(c, "yes") != NULL, e);
	if (rc != ERR_OK)
		return rc;
	if (row->body)
		body = call_body(c, row->template);
	rc = call_run(c, row->method, row->template, body, row->print, e);
	json_decref(body);
	return rc;
}
