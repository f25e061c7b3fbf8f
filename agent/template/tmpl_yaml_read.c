/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as values.  libyaml reads it; what it holds on the heap meanwhile is freed, but
 * not wiped, which docs/templates.md says.
 */
#include "tmpl_yaml.h"

#include <string.h>
#include <yaml.h>

#include "text.h"

#define TAG(name) "tag:yaml.org,2002:" name

struct anchor {
	const char *name;
	struct tv v;
	struct anchor *next;
};

struct reader {
	struct tmpl_run *r;
	yaml_parser_t parser;
	yaml_event_t event;
	struct anchor *anchors;
};

static int read_node(struct reader *y, struct tv *out);

static int bad(struct reader *y)
{
	return tmpl_fail(y->r, ERR_INVALID, "parseYAML: this is no YAML");
}

/* The next event; the one before is let go. */
static int next(struct reader *y)
{
	int rc = tmpl_spend(y->r, 0);

	yaml_event_delete(&y->event);
	memset(&y->event, 0, sizeof(y->event));
	if (rc != ERR_OK)
		return rc;
	return yaml_parser_parse(&y->parser, &y->event) != 0 ? ERR_OK : bad(y);
}

static int copy(struct reader *y, const void *p, size_t n, struct tv *out)
{
	char *text = tmpl_alloc(y->r, n + 1);

	if (text == NULL)
		return y->r->rc;
	memcpy(text, p, n);
	*out = tv_str(text, n);
	return ERR_OK;
}

static int remember(struct reader *y, const char *name, const struct tv *v)
{
	struct anchor *a;

	if (name == NULL)
		return ERR_OK;
	if ((a = tmpl_alloc(y->r, sizeof(*a))) == NULL)
		return y->r->rc;
	*a = (struct anchor){ name, *v, y->anchors };
	y->anchors = a;
	return ERR_OK;
}

/* The name of an anchor outlives its event. */
static int anchor_name(struct reader *y, const yaml_char_t *from, const char **name)
{
	struct tv text = tv_nil();
	int rc;

	*name = NULL;
	if (from == NULL)
		return ERR_OK;
	if ((rc = copy(y, from, strlen((const char *)from), &text)) == ERR_OK)
		*name = text.s.p;
	return rc;
}

static int read_alias(struct reader *y, struct tv *out)
{
	const char *name = (const char *)y->event.data.alias.anchor;

	for (const struct anchor *a = y->anchors; a != NULL; a = a->next) {
		int rc = tmpl_spend(y->r, 0);

		if (rc != ERR_OK)
			return rc;
		if (strcmp(a->name, name) == 0) {
			*out = a->v;
			return ERR_OK;
		}
	}
	return tmpl_fail(y->r, ERR_INVALID, "parseYAML: an alias of nothing");
}

static int read_binary(struct reader *y, struct tv *v)
{
	char *p = tmpl_alloc(y->r, v->s.n + 1), *clean = tmpl_alloc(y->r, v->s.n + 1);
	size_t n = 0;
	long len;

	if (p == NULL || clean == NULL)
		return y->r->rc;
	for (size_t i = 0; i < v->s.n; i++)
		if (v->s.p[i] != '\n' && v->s.p[i] != '\r')
			clean[n++] = v->s.p[i];
	len = n % 4 == 0 ? text_unbase64(clean, n, p, v->s.n + 1) : -1;
	if (len < 0)
		return tmpl_fail(y->r, ERR_INVALID, "parseYAML: !!binary that is not");
	*v = tv_str(p, (size_t)len);
	return ERR_OK;
}

/* A scalar with a tag is what that says, or the text is no YAML. */
static int apply_tag(struct reader *y, const char *tag, struct tv *v)
{
	struct tv text = *v;
	bool is_time, ok = true;

	if (strcmp(tag, TAG("binary")) == 0)
		return read_binary(y, v);
	*v = tmpl_yaml_resolve(text.s, &is_time);
	if (strcmp(tag, TAG("bool")) == 0)
		ok = v->kind == TV_BOOL;
	else if (strcmp(tag, TAG("int")) == 0)
		ok = v->kind == TV_INT || v->kind == TV_UINT64;
	else if (strcmp(tag, TAG("null")) == 0)
		ok = v->kind == TV_NIL;
	else if (strcmp(tag, TAG("timestamp")) == 0)
		ok = is_time;
	else if (strcmp(tag, TAG("float")) != 0)
		*v = text;
	else if (v->kind == TV_INT)
		*v = tv_float((double)v->i);
	else
		ok = v->kind == TV_FLOAT;
	return ok ? ERR_OK
	          : tmpl_fail(y->r, ERR_INVALID, "parseYAML: not what its tag says");
}

static int read_scalar(struct reader *y, struct tv *out)
{
	const char *tag = (const char *)y->event.data.scalar.tag;
	bool plain = y->event.data.scalar.plain_implicit != 0, is_time;
	const char *name;
	int rc;

	if ((rc = anchor_name(y, y->event.data.scalar.anchor, &name)) != ERR_OK ||
	    (rc = copy(y, y->event.data.scalar.value, y->event.data.scalar.length,
	               out)) != ERR_OK)
		return rc;
	if (tag != NULL)
		rc = apply_tag(y, tag, out);
	else if (plain)
		*out = tmpl_yaml_resolve(out->s, &is_time);
	return rc != ERR_OK ? rc : remember(y, name, out);
}

static int read_list(struct reader *y, struct tv *out)
{
	const char *name;
	struct tv item = tv_nil();
	int rc;

	if ((rc = anchor_name(y, y->event.data.sequence_start.anchor, &name)) != ERR_OK ||
	    (rc = tv_new_list(y->r, TV_LIST, 0, out)) != ERR_OK)
		return rc;
	while ((rc = next(y)) == ERR_OK && y->event.type != YAML_SEQUENCE_END_EVENT)
		if ((rc = read_node(y, &item)) != ERR_OK ||
		    (rc = tv_append(y->r, out->list, item)) != ERR_OK)
			return rc;
	out->list->cap = out->list->n;
	return rc != ERR_OK ? rc : remember(y, name, out);
}

static int add_all(struct reader *y, struct tv_map *map, const struct tv *from)
{
	int rc = ERR_OK;

	if (from->kind != TV_ANY_MAP)
		return tmpl_fail(y->r, ERR_INVALID,
		                 "parseYAML: what is merged is no map");
	for (size_t i = 0; i < from->map->n && rc == ERR_OK; i++)
		rc = tv_map_push(y->r, map, from->map->pairs[i].key,
		                 from->map->pairs[i].val);
	return rc;
}

/* "<<": the members of another map, or of several of which the first counts. */
static int merge(struct reader *y, struct tv_map *map, const struct tv *from)
{
	int rc = ERR_OK;

	if (from->kind != TV_LIST)
		return add_all(y, map, from);
	for (size_t i = from->list->n; i > 0 && rc == ERR_OK; i--)
		rc = add_all(y, map, &from->list->items[i - 1]);
	return rc;
}

static bool is_merge(const yaml_event_t *e)
{
	return e->type == YAML_SCALAR_EVENT && e->data.scalar.plain_implicit != 0 &&
	       e->data.scalar.length == 2 && memcmp(e->data.scalar.value, "<<", 2) == 0;
}

static int read_pair(struct reader *y, struct tv_map *map)
{
	bool merges = is_merge(&y->event);
	struct tv key = tv_nil(), val = tv_nil();
	int rc;

	if ((rc = read_node(y, &key)) != ERR_OK || (rc = next(y)) != ERR_OK ||
	    (rc = read_node(y, &val)) != ERR_OK)
		return rc;
	if (merges)
		return merge(y, map, &val);
	if (tv_is_map(&key) || tv_is_list(&key))
		return tmpl_fail(y->r, ERR_INVALID,
		                 "parseYAML: a key that is a list or map");
	return tv_map_push(y->r, map, key, val);
}

static int read_map(struct reader *y, struct tv *out)
{
	const char *name;
	int rc;

	if ((rc = anchor_name(y, y->event.data.mapping_start.anchor, &name)) != ERR_OK ||
	    (rc = tv_new_map(y->r, TV_ANY_MAP, 0, out)) != ERR_OK)
		return rc;
	while ((rc = next(y)) == ERR_OK && y->event.type != YAML_MAPPING_END_EVENT)
		if ((rc = read_pair(y, out->map)) != ERR_OK)
			return rc;
	if (rc != ERR_OK || (rc = tv_map_sort(y->r, out->map)) != ERR_OK)
		return rc;
	return remember(y, name, out);
}

static int read_node(struct reader *y, struct tv *out)
{
	int rc = tmpl_enter(y->r);

	if (rc != ERR_OK)
		return rc;
	switch (y->event.type) {
	case YAML_ALIAS_EVENT:
		rc = read_alias(y, out);
		break;
	case YAML_SCALAR_EVENT:
		rc = read_scalar(y, out);
		break;
	case YAML_SEQUENCE_START_EVENT:
		rc = read_list(y, out);
		break;
	case YAML_MAPPING_START_EVENT:
		rc = read_map(y, out);
		break;
	default:
		rc = bad(y);
	}
	tmpl_leave(y->r);
	return rc;
}

/* The first document of the text; nil if there is none. */
static int read_document(struct reader *y, struct tv *out)
{
	int rc = next(y); /* the stream */

	*out = tv_nil();
	if (rc == ERR_OK)
		rc = next(y);
	if (rc != ERR_OK || y->event.type == YAML_STREAM_END_EVENT)
		return rc;
	if ((rc = next(y)) == ERR_OK && (rc = read_node(y, out)) == ERR_OK)
		rc = next(y);
	return rc;
}

int tmpl_fn_parse_yaml(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                       struct tv *out)
{
	struct reader y = { .r = r };
	int rc;

	if (args[0].s.n == 0)
		return tv_new_map(r, TV_MAP, 0, out);
	if ((rc = tmpl_spend(r, args[0].s.n)) != ERR_OK)
		return rc;
	if (yaml_parser_initialize(&y.parser) == 0)
		return tmpl_nomem(r);
	yaml_parser_set_input_string(&y.parser, (const unsigned char *)args[0].s.p,
	                             args[0].s.n);
	rc = read_document(&y, out);
	yaml_event_delete(&y.event);
	yaml_parser_delete(&y.parser);
	return rc;
}
