/* SPDX-License-Identifier: Apache-2.0 */
#include "render.h"

#include <stdbool.h>
#include <string.h>

#include "text_out.h"

/* Characters that every reader of such files takes as they are. */
static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "0123456789_@%+=:,./-";

/* One field as text: numbers and truth values as JSON writes them. */
static bool field_text(const struct value *v, const char **p, size_t *n)
{
	switch (v->type) {
	case V_STRING:
	case V_BYTES:
	case V_NUMBER:
		*p = v->text;
		*n = v->len;
		return true;
	case V_TRUE:
		*p = "true";
		*n = 4;
		return true;
	case V_FALSE:
		*p = "false";
		*n = 5;
		return true;
	default:
		return false;
	}
}

static int missing(const struct settings_file *f, const char *field, struct err *e)
{
	return err_set(e, ERR_INVALID, "the secret has no field '%s' (file '%s/%s')",
	               field, f->binding, f->name);
}

static int render_raw(const struct settings_file *f, const struct value *data,
                      const char **p, size_t *n, struct err *e)
{
	const struct value *v = value_get(data, f->field);

	if (v == NULL)
		return missing(f, f->field, e);
	if (field_text(v, p, n))
		return ERR_OK;
	return err_set(e, ERR_INVALID,
	               "field '%s' is no text, number or truth value (file '%s/%s')",
	               f->field, f->binding, f->name);
}

/* The members that the file wants, in its order; all of them in the order of their keys
 * if it names none.  NULL on failure. */
static const struct value **choose(struct arena *a, const struct settings_file *f,
                                   const struct value *data, size_t *n, struct err *e)
{
	const char *const *names = f->fields.items;
	const struct value **list;

	*n = f->fields.n > 0 ? f->fields.n : data->len;
	list = f->fields.n > 0 ? arena_alloc(a, *n * sizeof(*list))
	                       : text_out_sorted(a, data);
	if (list == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < f->fields.n; i++)
		if ((list[i] = value_get(data, names[i])) == NULL) {
			missing(f, names[i], e);
			return NULL;
		}
	return list;
}

static bool is_env_name(const struct value *v)
{
	for (size_t i = 0; i < v->key_len; i++) {
		char c = v->key[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		              c == '_';

		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return v->key_len > 0;
}

static bool is_bare(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\0' || strchr(bare, p[i]) == NULL)
			return false;
	return true;
}

/* In single quotes; with one of those in it in double quotes, since not every reader
 * joins pieces. */
static void add_quoted(struct text_out *t, const char *p, size_t n)
{
	bool twice = memchr(p, '\'', n) != NULL;

	text_out_str(t, twice ? "\"" : "'");
	for (size_t i = 0; i < n; i++) {
		if (twice && strchr("\"\\$`", p[i]) != NULL)
			text_out_str(t, "\\");
		text_out_add(t, p + i, 1);
	}
	text_out_str(t, twice ? "\"" : "'");
}

static int add_variable(struct text_out *t, const struct settings_file *f,
                        const struct value *v, struct err *e)
{
	const char *p = NULL;
	size_t n = 0;

	if (!is_env_name(v))
		return err_set(e, ERR_INVALID,
		               "field '%.*s' is no name of a variable (file '%s/%s')",
		               (int)v->key_len, v->key, f->binding, f->name);
	if (!field_text(v, &p, &n))
		return err_set(e, ERR_INVALID,
		               "field '%.*s' is no text, number or truth value (file "
		               "'%s/%s')",
		               (int)v->key_len, v->key, f->binding, f->name);
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\n' || p[i] == '\r' || p[i] == '\0')
			return err_set(e, ERR_INVALID,
			               "the value of field '%.*s' has a line break or a "
			               "NUL byte (file '%s/%s')",
			               (int)v->key_len, v->key, f->binding, f->name);
	text_out_add(t, v->key, v->key_len);
	text_out_str(t, "=");
	if (f->quote == QUOTE_NONE || is_bare(p, n))
		text_out_add(t, p, n);
	else
		add_quoted(t, p, n);
	text_out_str(t, "\n");
	return ERR_OK;
}

static int render_env(struct text_out *t, const struct settings_file *f,
                      const struct value *data, struct err *e)
{
	size_t n = 0;
	const struct value **list = choose(t->a, f, data, &n, e);
	int rc = ERR_OK;

	if (list == NULL)
		return (int)e->code;
	for (size_t i = 0; rc == ERR_OK && i < n; i++)
		rc = add_variable(t, f, list[i], e);
	return rc;
}

static int render_json(struct text_out *t, const struct settings_file *f,
                       const struct value *data, struct err *e)
{
	struct value *chosen = value_object(t->a);
	size_t n = 0;
	const struct value **list = choose(t->a, f, data, &n, e);

	if (list == NULL)
		return (int)e->code;
	for (size_t i = 0; i < n; i++)
		value_setn(chosen, list[i]->key, list[i]->key_len,
		           value_copy(t->a, list[i]));
	if (arena_failed(t->a))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (text_out_json(t, chosen) != 0)
		return err_set(e, ERR_INVALID,
		               "the secret has bytes that are no text (file '%s/%s')",
		               f->binding, f->name);
	return ERR_OK;
}

int render_fields(struct arena *a, const struct settings_file *file,
                  const struct value *data, const char **p, size_t *n, struct err *e)
{
	struct text_out t = { .a = a };
	int rc;

	if (file->format == FORMAT_RAW)
		return render_raw(file, data, p, n, e);
	text_out_str(&t, "");
	rc = file->format == FORMAT_ENV ? render_env(&t, file, data, e)
	                                : render_json(&t, file, data, e);
	if (rc == ERR_OK && arena_failed(a))
		rc = err_set(e, ERR_NOMEM, "out of memory");
	*p = t.p;
	*n = t.n;
	return rc;
}
