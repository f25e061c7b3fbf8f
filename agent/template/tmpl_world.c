/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that see something outside of the template: secrets, files, environment,
 * time. */
#include "tmpl_run.h"

#include <string.h>

#include "clock.h"
#include "tmpl_layout.h"
#include "tmpl_rune.h"
#include "vault/limits.h"

/* The path that is meant: without space, then without '/', at its ends. */
static int trimmed(struct tmpl_run *r, struct tmpl_str s, const char **out)
{
	char *path;
	size_t width;

	while (s.n > 0 && tmpl_rune_space(tmpl_rune(s.p, s.n, &width))) {
		s.p += width;
		s.n -= width;
	}
	while (s.n > 0 && tmpl_rune_space(tmpl_rune_before(s.p, s.n, &width)))
		s.n -= width;
	while (s.n > 0 && s.p[0] == '/') {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && s.p[s.n - 1] == '/')
		s.n--;
	if (s.n == 0 || s.n > LIMIT_PATH || memchr(s.p, '\0', s.n) != NULL)
		return tmpl_fail(r, ERR_INVALID, "not the path of a secret");
	if ((path = tmpl_alloc(r, s.n + 1)) == NULL)
		return r->rc;
	memcpy(path, s.p, s.n);
	*out = path;
	return ERR_OK;
}

/* What a function of ${ops} said, with the place put before it. */
static int outside(struct tmpl_run *r, int rc)
{
	if (rc == ERR_OK || r->rc != ERR_OK)
		return rc;
	r->rc = rc;
	if (r->e != NULL)
		(void)err_wrap(r->e, "%.120s:%u:%u", r->t->name, r->at.line, r->at.col);
	return rc;
}

static int member(struct tmpl_run *r, const struct value *reply, const char *name,
                  struct tv dflt, struct tv *out)
{
	const struct value *v = value_get(reply, name);
	int64_t i;
	bool b;

	*out = dflt;
	if (v == NULL)
		return ERR_OK;
	if (dflt.kind == TV_INT) {
		if (value_to_int(v, &i) == 0)
			*out = tv_int(i);
		return ERR_OK;
	}
	if (dflt.kind == TV_BOOL) {
		if (value_to_bool(v, &b) == 0)
			*out = tv_bool(b);
		return ERR_OK;
	}
	return v->type == V_STRING ? tv_import(r, v, out) : ERR_OK;
}

/* A reply as it is seen; it is read once a run, so that all see the same. */
static int import_reply(struct tmpl_run *r, const struct value *reply,
                        struct tv_secret *s)
{
	const struct value *data = value_get(reply, "data");
	bool has_data = data != NULL && data->type == V_OBJECT && data->len > 0;
	int rc;

	if ((rc = member(r, reply, "request_id", tv_str("", 0), &s->request_id)) !=
	            ERR_OK ||
	    (rc = member(r, reply, "lease_id", tv_str("", 0), &s->lease_id)) != ERR_OK ||
	    (rc = member(r, reply, "lease_duration", tv_int(0), &s->lease_duration)) !=
	            ERR_OK ||
	    (rc = member(r, reply, "renewable", tv_bool(false), &s->renewable)) !=
	            ERR_OK ||
	    (rc = tv_new_list(r, TV_STRINGS, 0, &s->warnings)) != ERR_OK)
		return rc;
	s->warnings.list->nil = true;
	if (has_data)
		return tv_import(r, data, &s->data);
	if ((rc = tv_new_map(r, TV_MAP, 0, &s->data)) == ERR_OK)
		s->data.map->nil = true;
	return rc;
}

int tmpl_fn_secret(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                   struct tv *out)
{
	const struct value *reply = NULL;
	struct tv_secret *s;
	const char *path = "";
	int rc = trimmed(r, args[0].s, &path);

	if (rc != ERR_OK)
		return rc;
	for (s = r->secrets; s != NULL; s = s->next)
		if (strcmp(s->path, path) == 0) {
			*out = (struct tv){ .kind = TV_SECRET, .secret = s };
			return ERR_OK;
		}
	*out = tv_nil();
	if (r->ops->secret == NULL)
		return tmpl_fail(r, ERR_INVALID, "secret: there are none here");
	if ((rc = r->ops->secret(r->ops->ctx, path, &reply, r->e)) != ERR_OK)
		return outside(r, rc);
	if (reply == NULL) {
		r->pending = true;
		return ERR_OK;
	}
	if ((s = tmpl_alloc(r, sizeof(*s))) == NULL)
		return r->rc;
	s->path = path;
	s->next = r->secrets;
	if ((rc = import_reply(r, reply, s)) != ERR_OK)
		return rc;
	r->secrets = s;
	*out = (struct tv){ .kind = TV_SECRET, .secret = s };
	return ERR_OK;
}

static int import_names(struct tmpl_run *r, const struct value *names, struct tv_map *map)
{
	int rc = ERR_OK;

	for (const struct value *v = names->first; rc == ERR_OK && v != NULL;
	     v = v->next) {
		struct tv name;

		if (v->type != V_STRING)
			return tmpl_fail(r, ERR_INVALID, "secrets: a name is no string");
		if ((rc = tv_import(r, v, &name)) == ERR_OK)
			rc = tv_map_push(r, map, name, name);
	}
	return rc == ERR_OK ? tv_map_sort(r, map) : rc;
}

int tmpl_fn_secrets(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                    struct tv *out)
{
	const struct value *names = NULL;
	const char *path = "";
	struct tv map;
	int rc = tv_new_list(r, TV_STRINGS, 0, out);

	if (rc != ERR_OK)
		return rc;
	out->list->nil = true;
	if (args[0].s.n == 0)
		return ERR_OK;
	if (r->ops->secrets == NULL)
		return tmpl_fail(r, ERR_INVALID, "secrets: there are none here");
	if ((rc = trimmed(r, args[0].s, &path)) != ERR_OK)
		return rc;
	if ((rc = r->ops->secrets(r->ops->ctx, path, &names, r->e)) != ERR_OK)
		return outside(r, rc);
	if (names == NULL) {
		r->pending = true;
		return ERR_OK;
	}
	if (names->type != V_ARRAY)
		return tmpl_fail(r, ERR_INVALID, "secrets: not a list");
	if ((rc = tv_new_map(r, TV_MAP, names->len, &map)) != ERR_OK ||
	    (rc = import_names(r, names, map.map)) != ERR_OK || map.map->n == 0 ||
	    (rc = tv_new_list(r, TV_STRINGS, map.map->n, out)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < map.map->n; i++)
		out->list->items[i] = map.map->pairs[i].key;
	return ERR_OK;
}

/* A string that C can take. */
static int as_cstr(struct tmpl_run *r, struct tmpl_str s, const char *what,
                   const char **out)
{
	char *copy;

	if (memchr(s.p, '\0', s.n) != NULL)
		return tmpl_fail(r, ERR_INVALID, "%s: a name with a NUL", what);
	if ((copy = tmpl_alloc(r, s.n + 1)) == NULL)
		return r->rc;
	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	*out = copy;
	return ERR_OK;
}

int tmpl_fn_file(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                 struct tv *out)
{
	struct tv path;
	const char *name = "", *text = NULL;
	size_t len = 0;
	int rc;

	*out = tv_str("", 0);
	if (args[0].s.n == 0)
		return ERR_OK;
	if (r->ops->read_file == NULL)
		return tmpl_fail(r, ERR_INVALID, "file: there are none here");
	if ((rc = tmpl_fn_trim_space(r, args, 1, &path)) != ERR_OK ||
	    (rc = as_cstr(r, path.s, "file", &name)) != ERR_OK)
		return rc;
	if ((rc = r->ops->read_file(r->ops->ctx, name, r->a, &text, &len, r->e)) !=
	    ERR_OK)
		return outside(r, rc);
	if (len > TEMPLATE_STRING_MAX)
		return tmpl_fail(r, ERR_TOO_BIG, "file: too large");
	*out = tv_str(text, len);
	return tmpl_spend(r, len);
}

static int lookup(struct tmpl_run *r, struct tmpl_str s, const char **name,
                  const char **value)
{
	int rc = as_cstr(r, s, "env", name);

	*value = NULL;
	if (rc == ERR_OK && r->ops->env != NULL)
		*value = r->ops->env(r->ops->ctx, *name);
	return rc;
}

/* A copy: what the world returned may change. */
static int copied(struct tmpl_run *r, const char *s, struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(r);

	tmpl_puts(&b, s);
	return tmpl_buf_str(&b, out);
}

int tmpl_fn_env(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                struct tv *out)
{
	const char *name = "", *value = NULL;
	int rc = lookup(r, args[0].s, &name, &value);

	return rc != ERR_OK ? rc : copied(r, value != NULL ? value : "", out);
}

int tmpl_fn_must_env(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                     struct tv *out)
{
	const char *name = "", *value = NULL;
	int rc = lookup(r, args[0].s, &name, &value);

	if (rc != ERR_OK)
		return rc;
	if (value == NULL || value[0] == '\0')
		return tmpl_fail(r, ERR_INVALID, "mustEnv: the variable is not set");
	return copied(r, value, out);
}

int tmpl_fn_env_or_default(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                           struct tv *out)
{
	const char *name = "", *value = NULL;
	int rc = lookup(r, args[0].s, &name, &value);

	if (rc == ERR_OK && value == NULL) {
		*out = args[1];
		return ERR_OK;
	}
	return rc != ERR_OK ? rc : copied(r, value, out);
}

int tmpl_fn_timestamp(struct tmpl_run *r, const struct tv *args, size_t n, struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(r);
	int64_t ms = r->ops->now_ms != NULL ? r->ops->now_ms(r->ops->ctx)
	                                    : clock_wall(clock_system());
	struct tmpl_str layout = { "2006-01-02T15:04:05Z07:00", 25 };

	if (n > 1)
		return tmpl_fail(r, ERR_INVALID,
		                 "wrong number of arguments for timestamp: want at most "
		                 "1 got %zu",
		                 n);
	if (n == 1)
		layout = args[0].s;
	if (n == 1 && tmpl_str_is(layout, "unix"))
		layout = (struct tmpl_str){ NULL, 0 };
	tmpl_put_time(&b, ms, layout);
	return tmpl_buf_str(&b, out);
}
