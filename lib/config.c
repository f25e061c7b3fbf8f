/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "config_impl.h"
#include "file.h"
#include "vault/limits.h"

#define KEYS_MAX    64u
#define KEYPATH_MAX 128u

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	bool have_event;
	struct arena *a;
	const char *name;
	char keypath[KEYPATH_MAX]; /* "files[2].mode" */
	struct err *e;
};

static size_t line_of(const yaml_event_t *ev)
{
	return ev->start_mark.line + 1;
}

/* file:line: key: message. */
static int fail(struct reader *r, size_t line, const char *fmt, ...) PRINTF(3, 4);
static int fail(struct reader *r, size_t line, const char *fmt, ...)
{
	char what[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(r->e, ERR_USAGE, "%s:%zu: %s%s%s", r->name, line, r->keypath,
	               r->keypath[0] != '\0' ? ": " : "", what);
}

/* Another function's message, with the place in front; lack of memory is no
 * user's fault. */
static int fail_as(struct reader *r, size_t line, int rc, const struct err *why)
{
	return rc == ERR_NOMEM ? err_set(r->e, ERR_NOMEM, "%s: %s", r->name, why->msg)
	                       : fail(r, line, "%s", why->msg);
}

static void drop_event(struct reader *r)
{
	if (r->have_event)
		yaml_event_delete(&r->event);
	r->have_event = false;
}

static int syntax_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;

	if (p->error == YAML_MEMORY_ERROR)
		return err_set(r->e, ERR_NOMEM, "%s: out of memory", r->name);
	r->keypath[0] = '\0';
	return fail(r,
	            p->error == YAML_READER_ERROR ? p->mark.line + 1
	                                          : p->problem_mark.line + 1,
	            "%s", p->problem != NULL ? p->problem : "not YAML");
}

/* The next event is in r->event until the next call. */
static int next_event(struct reader *r)
{
	const yaml_event_t *ev = &r->event;
	bool marked = false;

	drop_event(r);
	if (yaml_parser_parse(&r->parser, &r->event) == 0)
		return syntax_error(r);
	r->have_event = true;
	if (ev->type == YAML_ALIAS_EVENT)
		marked = true;
	else if (ev->type == YAML_SCALAR_EVENT)
		marked = ev->data.scalar.anchor != NULL || ev->data.scalar.tag != NULL;
	else if (ev->type == YAML_SEQUENCE_START_EVENT)
		marked = ev->data.sequence_start.anchor != NULL ||
		         ev->data.sequence_start.tag != NULL;
	else if (ev->type == YAML_MAPPING_START_EVENT)
		marked = ev->data.mapping_start.anchor != NULL ||
		         ev->data.mapping_start.tag != NULL;
	return marked ? fail(r, line_of(ev),
	                     "anchors, aliases and tags are not supported")
	              : ERR_OK;
}

static const char *scalar_text(const struct reader *r, size_t *n)
{
	*n = r->event.data.scalar.length;
	return (const char *)r->event.data.scalar.value;
}

/* Nothing, ~ or null behind a key. */
static bool is_null(const struct reader *r)
{
	size_t n;
	const char *text = scalar_text(r, &n);

	return r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (n == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

/* Append to the key path; the length before is what leave() cuts it back to. */
static size_t enter(struct reader *r, const char *fmt, ...) PRINTF(2, 3);
static size_t enter(struct reader *r, const char *fmt, ...)
{
	size_t at = strlen(r->keypath);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(r->keypath + at, sizeof(r->keypath) - at, fmt, ap);
	va_end(ap);
	return at;
}

static void leave(struct reader *r, size_t at)
{
	r->keypath[at] = '\0';
}

static int read_mapping(struct reader *r, const struct config_schema *s, void *object);

/* One scalar, the current event, as ${k} says. */
static int read_scalar(struct reader *r, const struct config_key *k, void *field)
{
	struct err why = { ERR_OK, "" };
	size_t n, line = line_of(&r->event);
	const char *text;
	int rc;

	if (r->event.type != YAML_SCALAR_EVENT)
		return fail(r, line, "a single value is needed");
	if (is_null(r))
		return fail(r, line, "no value");
	text = scalar_text(r, &n);
	rc = config_scalar(r->a, k, text, n, field, &why);
	return rc != ERR_OK ? fail_as(r, line, rc, &why) : ERR_OK;
}

static size_t item_size(const struct config_key *k)
{
	return k->type == CONFIG_OBJECTS ? k->sub->size : sizeof(const char *);
}

static int read_item(struct reader *r, const struct config_key *k, void *item)
{
	if (k->type == CONFIG_STRINGS)
		return read_scalar(r, k, item);
	if (r->event.type != YAML_MAPPING_START_EVENT)
		return fail(r, line_of(&r->event), "a mapping is needed");
	if (k->sub->defaults != NULL)
		memcpy(item, k->sub->defaults, k->sub->size);
	return read_mapping(r, k->sub, item);
}

/* A block for ${n} items with those of ${list} at its front. */
static bool grow(struct arena *a, const struct config_key *k, struct config_list *list,
                 size_t n)
{
	void *items = arena_alloc(a, n * item_size(k));

	if (items == NULL)
		return false;
	if (list->n != 0)
		memcpy(items, list->items, list->n * item_size(k));
	list->items = items;
	return true;
}

static int no_memory(struct reader *r)
{
	return err_set(r->e, ERR_NOMEM, "%s: out of memory", r->name);
}

/* The items of a sequence whose start is the current event. */
static int read_items(struct reader *r, const struct config_key *k,
                      struct config_list *list)
{
	size_t cap = 0;
	int rc;

	while ((rc = next_event(r)) == ERR_OK &&
	       r->event.type != YAML_SEQUENCE_END_EVENT) {
		size_t at = enter(r, "[%zu]", list->n);

		if (list->n == CONFIG_LIST_MAX)
			return fail(r, line_of(&r->event), "more than %u items",
			            CONFIG_LIST_MAX);
		if (list->n == cap) {
			cap = cap == 0 ? 4 : 2 * cap;
			if (!grow(r->a, k, list, cap))
				return no_memory(r);
		}
		rc = read_item(r, k, (char *)list->items + list->n * item_size(k));
		if (rc != ERR_OK)
			return rc;
		list->n++;
		leave(r, at);
	}
	return rc;
}

static int read_list(struct reader *r, const struct config_key *k,
                     struct config_list *field)
{
	struct config_list list = { NULL, 0 };
	bool scalar = r->event.type == YAML_SCALAR_EVENT;
	int rc = ERR_OK;

	if (r->event.type == YAML_SEQUENCE_START_EVENT) {
		rc = read_items(r, k, &list);
	} else if (scalar && k->type == CONFIG_STRINGS && !is_null(r)) {
		if (!grow(r->a, k, &list, 1))
			return no_memory(r);
		rc = read_scalar(r, k, list.items);
		list.n = 1;
	} else if (!scalar || !is_null(r)) {
		return fail(r, line_of(&r->event), "a list is needed");
	}
	if (rc == ERR_OK)
		*field = list;
	return rc;
}

static int read_object(struct reader *r, const struct config_key *k, void *object)
{
	struct err why = { ERR_OK, "" };
	size_t n, line = line_of(&r->event);
	const char *text;
	int rc;

	if (r->event.type == YAML_MAPPING_START_EVENT)
		return read_mapping(r, k->sub, object);
	if (r->event.type != YAML_SCALAR_EVENT || k->sub->scalar == NULL || is_null(r))
		return fail(r, line, "a mapping is needed");
	text = scalar_text(r, &n);
	if (strlen(text) != n)
		return fail(r, line, "holds control characters");
	rc = k->sub->scalar(object, text, (int)line, &why);
	return rc != ERR_OK ? fail_as(r, line, rc, &why) : ERR_OK;
}

static int read_value(struct reader *r, const struct config_key *k, void *field)
{
	switch (k->type) {
	case CONFIG_STRINGS:
	case CONFIG_OBJECTS:
		return read_list(r, k, field);
	case CONFIG_OBJECT:
		return read_object(r, k, field);
	default:
		return read_scalar(r, k, field);
	}
}

/* Append a key to the key path, in quotes unless all of it is printable. */
static size_t enter_key(struct reader *r, const char *name, size_t n)
{
	char quoted[CONFIG_QUOTE_MAX];
	const char *dot = r->keypath[0] != '\0' ? "." : "";

	config_quote(name, n, quoted);
	if (strlen(quoted) == n + 2)
		return enter(r, "%s%s", dot, name);
	return enter(r, "%s%s", dot, quoted);
}

static int unknown_key(struct reader *r, const struct config_schema *s, const char *name,
                       size_t n)
{
	const char *near = config_suggest(s, name);

	enter_key(r, name, n);
	if (near != NULL)
		return fail(r, line_of(&r->event), "unknown key, did you mean '%s'?",
		            near);
	return fail(r, line_of(&r->event), "unknown key");
}

/* The current event as a key of ${s}; *seen has a bit per key. */
static int find_key(struct reader *r, const struct config_schema *s, uint64_t *seen,
                    size_t *index)
{
	size_t n, line = line_of(&r->event);
	const char *name;

	if (r->event.type != YAML_SCALAR_EVENT)
		return fail(r, line, "a key must be a name");
	name = scalar_text(r, &n);
	for (size_t i = 0; i < s->n; i++) {
		if (strlen(s->keys[i].name) != n || memcmp(s->keys[i].name, name, n) != 0)
			continue;
		if ((*seen >> i & 1) != 0) {
			enter_key(r, name, n);
			return fail(r, line, "repeated key");
		}
		*seen |= UINT64_C(1) << i;
		*index = i;
		return ERR_OK;
	}
	return unknown_key(r, s, name, n);
}

static int complete(struct reader *r, const struct config_schema *s, uint64_t seen,
                    size_t line, void *object)
{
	struct err why = { ERR_OK, "" };
	int rc;

	for (size_t i = 0; i < s->n; i++)
		if ((s->keys[i].flags & CONFIG_REQUIRED) != 0 && (seen >> i & 1) == 0)
			return fail(r, line, "%s is missing", s->keys[i].name);
	if (s->finish == NULL || (rc = s->finish(object, &why)) == ERR_OK)
		return ERR_OK;
	return fail_as(r, line, rc, &why);
}

/* The members of a mapping whose start is the current event. */
static int read_mapping(struct reader *r, const struct config_schema *s, void *object)
{
	size_t line = line_of(&r->event);
	uint64_t seen = 0;
	int rc;

	while ((rc = next_event(r)) == ERR_OK &&
	       r->event.type != YAML_MAPPING_END_EVENT) {
		const struct config_key *k;
		size_t i = 0, at;

		if ((rc = find_key(r, s, &seen, &i)) != ERR_OK)
			return rc;
		k = &s->keys[i];
		at = enter_key(r, k->name, strlen(k->name));
		if ((rc = next_event(r)) != ERR_OK ||
		    (rc = read_value(r, k, (char *)object + k->offset)) != ERR_OK)
			return rc;
		leave(r, at);
	}
	return rc != ERR_OK ? rc : complete(r, s, seen, line, object);
}

/* The document's only node, the current event. */
static int read_root(struct reader *r, const struct config_schema *s, void *object)
{
	size_t line = line_of(&r->event);

	if (r->event.type == YAML_MAPPING_START_EVENT)
		return read_mapping(r, s, object);
	if (r->event.type == YAML_SCALAR_EVENT && is_null(r))
		return complete(r, s, 0, line, object);
	return fail(r, line, "a mapping of keys is needed");
}

/* The ${n}-th event from here: what starts and ends a stream or a document says nothing.
 */
static int skip_to(struct reader *r, unsigned n)
{
	int rc = ERR_OK;

	while (rc == ERR_OK && n-- > 0)
		rc = next_event(r);
	return rc;
}

static int read_stream(struct reader *r, const struct config_schema *s, void *object)
{
	int rc;

	if ((rc = skip_to(r, 2)) != ERR_OK)
		return rc;
	if (r->event.type == YAML_STREAM_END_EVENT) /* nothing but comments */
		return complete(r, s, 0, 1, object);
	if ((rc = skip_to(r, 1)) != ERR_OK || (rc = read_root(r, s, object)) != ERR_OK ||
	    (rc = skip_to(r, 2)) != ERR_OK)
		return rc;
	return r->event.type == YAML_STREAM_END_EVENT
	               ? ERR_OK
	               : fail(r, line_of(&r->event), "a second document");
}

int config_parse(struct arena *a, const char *name, const char *text, size_t n,
                 const struct config_schema *schema, void *out, struct err *e)
{
	struct reader r = { .a = a, .name = name, .e = e };
	void *copy = arena_dup(a, out, schema->size);
	int rc;

	if (schema->n > KEYS_MAX)
		return err_set(e, ERR_INTERNAL, "%s: the schema has too many keys", name);
	if (n > LIMIT_CONFIG_FILE)
		return err_set(e, ERR_USAGE, "%s: larger than %u KiB", name,
		               LIMIT_CONFIG_FILE / 1024);
	if (copy == NULL || yaml_parser_initialize(&r.parser) == 0)
		return err_set(e, ERR_NOMEM, "%s: out of memory", name);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	rc = read_stream(&r, schema, copy);
	drop_event(&r);
	yaml_parser_delete(&r.parser);
	if (rc == ERR_OK)
		memcpy(out, copy, schema->size);
	return rc;
}

int config_load(struct arena *a, const char *path, const struct config_schema *schema,
                void *out, bool *found, struct err *e)
{
	struct err why = { ERR_OK, "" };
	size_t n = 0;
	char *text = NULL;
	int rc = file_read(a, path, LIMIT_CONFIG_FILE, &text, &n, &why);

	if (found != NULL) {
		*found = rc == ERR_OK;
		if (rc == ERR_NOENT)
			return ERR_OK;
	}
	if (rc == ERR_TOO_BIG || rc == ERR_IO)
		why.code = ERR_USAGE;
	if (rc != ERR_OK)
		return err_set(e, why.code, "%s", why.msg);
	return config_parse(a, path, text, n, schema, out, e);
}
