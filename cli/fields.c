/* SPDX-License-Identifier: Apache-2.0 */
#include "fields.h"

#include <stdio.h>
#include <string.h>

#include "numbers.h"

static int set_text(json_t *data, const char *key, char *text, size_t n, struct err *e)
{
	json_t *v = json_stringn(text, n);

	cli_wipe(text);
	if (v == NULL)
		return err_set(e, ERR_INVALID, "field '%s' is not UTF-8 text", key);
	json_object_set_new(data, key, v);
	return ERR_OK;
}

static int take_key(const char *name, size_t n, char key[256], struct err *e)
{
	if (n == 0 || n >= 256)
		return err_set(e, ERR_USAGE, "a field name has 1 to 255 bytes");
	memcpy(key, name, n);
	key[n] = '\0';
	return ERR_OK;
}

static int from_source(json_t *data, const char *name, size_t name_len,
                       const char *source, struct err *e)
{
	char key[256], *text = NULL;
	size_t n = 0;
	int rc = take_key(name, name_len, key, e);

	if (rc != ERR_OK)
		return rc;
	rc = source != NULL ? cli_read(source, &text, &n, e) : cli_prompt(key, &text, e);
	if (rc != ERR_OK)
		return rc;
	n = source != NULL ? n : strlen(text);
	/* One newline at the end is the editor's or echo's, not the secret's. */
	if (source != NULL && n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	return set_text(data, key, text, n, e);
}

int fields_member(json_t *data, const char *name, const char *source, struct err *e)
{
	return from_source(data, name, strlen(name), source, e);
}

int fields_document(const char *source, json_t **data, struct err *e)
{
	json_error_t why;
	json_t *doc;
	char *text;
	size_t n;
	int rc = cli_read(source, &text, &n, e);

	if (rc != ERR_OK)
		return rc;
	doc = numbers_load(text, n, JSON_REJECT_DUPLICATES, &why);
	cli_wipe(text);
	if (doc != NULL && !json_is_object(doc)) {
		json_decref(doc);
		return err_set(e, ERR_INVALID, "%.80s: JSON, but not an object", source);
	}
	if (doc == NULL) {
		return err_set(e, ERR_INVALID,
		               "%.80s: not a JSON object (line %d, column %d)", source,
		               why.line, why.column);
	}
	json_object_update(*data, doc);
	json_decref(doc);
	return ERR_OK;
}

static int plain_value(json_t *data, const char *s, size_t n, const char *eq,
                       struct err *e)
{
	char key[256];
	json_t *v;
	int rc = take_key(s, n, key, e);

	if (rc != ERR_OK)
		return rc;
	v = numbers_load(eq + 1, strlen(eq + 1), JSON_DECODE_ANY, NULL);
	if (v == NULL)
		v = json_string(eq + 1);
	if (v == NULL)
		return err_set(e, ERR_INVALID, "field '%s' is not UTF-8 text", key);
	json_object_set_new(data, key, v);
	return ERR_OK;
}

int fields_setting(json_t *data, const char *s, struct err *e)
{
	const char *eq = strchr(s, '=');

	if (eq == NULL)
		return err_set(e, ERR_USAGE, "'%.60s' is no KEY=VALUE", s);
	return plain_value(data, s, (size_t)(eq - s) - (eq > s && eq[-1] == ':'), eq, e);
}

static int refuse_value(const char *s, const char *eq, bool plain, struct err *e)
{
	int n = (int)(eq - s) < 60 ? (int)(eq - s) : 60;

	return err_set(
		e, ERR_USAGE,
		"%.*s=…: values are not taken from the command line; use %.*s=@FILE, "
		"%.*s=- or %.*s alone%s",
		n, s, n, s, n, s, n, s, plain ? ", or := for what is no secret" : "");
}

int fields_collect(struct cli *c, int first, bool plain, json_t **data, struct err *e)
{
	for (int i = first; i < c->args; i++) {
		const char *s = c->arg[i], *eq = strchr(s, '=');
		int rc;

		if (s[0] == '@' || strcmp(s, "-") == 0)
			rc = fields_document(s[0] == '@' ? s + 1 : s, data, e);
		else if (eq == NULL)
			rc = from_source(*data, s, strlen(s), NULL, e);
		else if (plain && eq > s && eq[-1] == ':')
			rc = plain_value(*data, s, (size_t)(eq - 1 - s), eq, e);
		else if (eq[1] == '@')
			rc = from_source(*data, s, (size_t)(eq - s), eq + 2, e);
		else if (strcmp(eq + 1, "-") == 0)
			rc = from_source(*data, s, (size_t)(eq - s), "-", e);
		else
			rc = refuse_value(s, eq, plain, e);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}
