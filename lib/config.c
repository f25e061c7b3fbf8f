/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "duration.h"
#include "file.h"
#include "text.h"
#include "vault/limits.h"

#define DEPTH 8
#define KEY_TEXT 160

struct config_mark {
	const struct value *v;
	unsigned line;
	struct config_mark *next;
};

struct reader {
	struct arena *a;
	struct config *out;
	yaml_parser_t yaml;
	yaml_event_t event;
	bool have_event;
	char key[KEY_TEXT]; /* dotted name of what is being read */
	struct err *e;
};

static unsigned line_of(const struct reader *r)
{
	return (unsigned)r->event.start_mark.line + 1;
}

static int fail(struct reader *r, unsigned line, const char *fmt, ...) PRINTF(3, 4);

static int fail(struct reader *r, unsigned line, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r->key[0] == '\0')
		return err_set(r->e, ERR_INVALID, "%.80s:%u: %s", r->out->file, line, text);
	return err_set(r->e, ERR_INVALID, "%.80s:%u: %.60s: %s", r->out->file, line, r->key, text);
}

static void drop_event(struct reader *r)
{
	if (r->have_event)
		yaml_event_delete(&r->event);
	r->have_event = false;
}

static int next(struct reader *r)
{
	drop_event(r);
	if (!yaml_parser_parse(&r->yaml, &r->event)) {
		const char *what = r->yaml.problem != NULL ? r->yaml.problem : "malformed YAML";

		return fail(r, (unsigned)r->yaml.problem_mark.line + 1, "%s", what);
	}
	r->have_event = true;
	if (r->event.type == YAML_ALIAS_EVENT)
		return fail(r, line_of(r), "aliases are not supported");
	return ERR_OK;
}

static struct value *marked(struct reader *r, struct value *v, unsigned line)
{
	struct config_mark *m = arena_alloc(r->a, sizeof(*m));

	if (m != NULL) {
		*m = (struct config_mark){ v, line, r->out->marks };
		r->out->marks = m;
	}
	return v;
}

static const char *scalar(const struct reader *r)
{
	return (const char *)r->event.data.scalar.value;
}

static size_t scalar_len(const struct reader *r)
{
	return r->event.data.scalar.length;
}

/* What is wrong in a message: the text itself, made harmless.  Configuration holds no secrets. */
static int bad_scalar(struct reader *r, const char *want)
{
	if (!text_printable(scalar(r), scalar_len(r)))
		return fail(r, line_of(r), "is not %s", want);
	return fail(r, line_of(r), "'%.60s' is not %s", scalar(r), want);
}

static int read_bool(struct reader *r, struct value **out)
{
	static const char *const yes[] = { "true", "yes", "on" }, *const no[] = { "false", "no", "off" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (text_ieq(scalar(r), yes[i]) || text_ieq(scalar(r), no[i])) {
			*out = value_bool(r->a, text_ieq(scalar(r), yes[i]));
			return ERR_OK;
		}
	}
	return bad_scalar(r, "true or false");
}

static int parse_size(const char *s, size_t n, int64_t *out)
{
	int64_t unit = 1, v = 0;

	if (n > 1 && (s[n - 1] == 'k' || s[n - 1] == 'K'))
		unit = 1024;
	else if (n > 1 && (s[n - 1] == 'm' || s[n - 1] == 'M'))
		unit = 1024 * 1024;
	else if (n > 1 && (s[n - 1] == 'g' || s[n - 1] == 'G'))
		unit = 1024 * 1024 * 1024;
	n -= unit != 1;
	if (n == 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, s[i] - '0', &v))
			return -1;
	return __builtin_mul_overflow(v, unit, out) ? -1 : 0;
}

static int parse_mode(const char *s, size_t n, int64_t *out)
{
	int64_t v = 0;

	if (n > 2 && s[0] == '0' && s[1] == 'o') {
		s += 2;
		n -= 2;
	}
	if (n == 0 || n > 5)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '7')
			return -1;
		v = v * 8 + (s[i] - '0');
	}
	*out = v;
	return v <= 07777 ? 0 : -1;
}

static int parse_number(struct reader *r, enum config_type type, int64_t *v, const char **want)
{
	struct value text = { .type = V_STRING, .text = scalar(r), .len = (uint32_t)scalar_len(r) };
	struct err ignored;

	switch (type) {
	case CONFIG_DURATION:
		*want = "a duration such as 30s, 1h30m or 7d";
		return duration_parse(scalar(r), scalar_len(r), v, &ignored) == ERR_OK &&
		                       scalar_len(r) > 0
		               ? 0
		               : -1;
	case CONFIG_SIZE:
		*want = "a size such as 512, 64k or 1m";
		return parse_size(scalar(r), scalar_len(r), v);
	case CONFIG_MODE:
		*want = "a file mode such as 0400";
		return parse_mode(scalar(r), scalar_len(r), v);
	default:
		*want = "a number";
		return value_to_int(&text, v);
	}
}

static int read_number(struct reader *r, const struct config_key *k, struct value **out)
{
	const char *want;
	int64_t v;

	if (parse_number(r, k->type, &v, &want) != 0)
		return bad_scalar(r, want);
	if ((k->min != 0 || k->max != 0) && (v < k->min || v > k->max))
		return fail(r, line_of(r), "must be between %lld and %lld", (long long)k->min,
		            (long long)k->max);
	*out = value_int(r->a, v);
	return ERR_OK;
}

static int read_string(struct reader *r, struct value **out)
{
	if (r->event.type != YAML_SCALAR_EVENT)
		return fail(r, line_of(r), "must be one value");
	if (memchr(scalar(r), '\0', scalar_len(r)) != NULL)
		return fail(r, line_of(r), "has a NUL");
	*out = value_strdup(r->a, scalar(r), scalar_len(r));
	return ERR_OK;
}

static int read_strings(struct reader *r, struct value **out)
{
	struct value *list = value_array(r->a), *item;
	int rc;

	*out = list;
	if (r->event.type == YAML_SCALAR_EVENT) {
		if ((rc = read_string(r, &item)) == ERR_OK)
			value_add(list, marked(r, item, line_of(r)));
		return rc;
	}
	if (r->event.type != YAML_SEQUENCE_START_EVENT)
		return fail(r, line_of(r), "must be a list");
	for (;;) {
		if ((rc = next(r)) != ERR_OK)
			return rc;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			return ERR_OK;
		if ((rc = read_string(r, &item)) != ERR_OK)
			return rc;
		value_add(list, marked(r, item, line_of(r)));
	}
}

static int read_object(struct reader *r, const struct config_key *keys, unsigned depth,
                       struct value **out);

static int read_objects(struct reader *r, const struct config_key *k, unsigned depth,
                        struct value **out)
{
	struct value *list = value_array(r->a), *item;
	int rc;

	*out = list;
	if (r->event.type != YAML_SEQUENCE_START_EVENT)
		return fail(r, line_of(r), "must be a list");
	for (;;) {
		unsigned line;

		if ((rc = next(r)) != ERR_OK)
			return rc;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			return ERR_OK;
		line = line_of(r);
		if ((rc = read_object(r, k->children, depth, &item)) != ERR_OK)
			return rc;
		value_add(list, marked(r, item, line));
	}
}

static int read_value(struct reader *r, const struct config_key *k, unsigned depth,
                      struct value **out)
{
	switch (k->type) {
	case CONFIG_STRING:
		return read_string(r, out);
	case CONFIG_STRINGS:
		return read_strings(r, out);
	case CONFIG_OBJECT:
		return read_object(r, k->children, depth, out);
	case CONFIG_OBJECTS:
		return read_objects(r, k, depth, out);
	case CONFIG_OFF_OR_OBJECT:
		if (r->event.type != YAML_SCALAR_EVENT)
			return read_object(r, k->children, depth, out);
		if (text_ieq(scalar(r), "false") || text_ieq(scalar(r), "off")) {
			*out = value_bool(r->a, false);
			return ERR_OK;
		}
		return bad_scalar(r, "false or a block of settings");
	default:
		break;
	}
	if (r->event.type != YAML_SCALAR_EVENT)
		return fail(r, line_of(r), "must be one value");
	return k->type == CONFIG_BOOL ? read_bool(r, out) : read_number(r, k, out);
}

/* Append ".name" to the dotted key; returns the length to go back to. */
static size_t push_key(struct reader *r, const char *name)
{
	size_t n = strlen(r->key);

	snprintf(r->key + n, sizeof(r->key) - n, "%s%s", n > 0 ? "." : "", name);
	return n;
}

static const struct config_key *find_key(const struct config_key *keys, const char *name)
{
	for (; keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

static int read_member(struct reader *r, const struct config_key *keys, unsigned depth,
                       struct value *object)
{
	const struct config_key *k;
	struct value *v = NULL;
	unsigned line = line_of(r);
	size_t back;
	int rc;

	if (r->event.type != YAML_SCALAR_EVENT || !text_printable(scalar(r), scalar_len(r)))
		return fail(r, line, "a key must be a word");
	k = find_key(keys, scalar(r));
	back = push_key(r, scalar(r));
	if (k == NULL)
		return fail(r, line, "unknown key");
	if (value_get(object, k->name) != NULL)
		return fail(r, line, "given twice");
	if ((rc = next(r)) != ERR_OK || (rc = read_value(r, k, depth + 1, &v)) != ERR_OK)
		return rc;
	value_set(object, k->name, marked(r, v, line));
	r->key[back] = '\0';
	return ERR_OK;
}

static int read_object(struct reader *r, const struct config_key *keys, unsigned depth,
                       struct value **out)
{
	struct value *object = value_object(r->a);
	unsigned line = line_of(r);
	int rc;

	if (r->event.type != YAML_MAPPING_START_EVENT)
		return fail(r, line, "must be a block of 'key: value' lines");
	if (depth > DEPTH)
		return fail(r, line, "nested too deep");
	for (;;) {
		if ((rc = next(r)) != ERR_OK)
			return rc;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			break;
		if ((rc = read_member(r, keys, depth, object)) != ERR_OK)
			return rc;
	}
	for (const struct config_key *k = keys; k->name != NULL; k++)
		if (k->required && value_get(object, k->name) == NULL)
			return fail(r, line, "'%s' is missing", k->name);
	*out = object;
	return ERR_OK;
}

/* STREAM-START DOCUMENT-START root DOCUMENT-END STREAM-END; an empty file has no document. */
static int read_document(struct reader *r, const struct config_key *keys)
{
	int rc;

	if ((rc = next(r)) != ERR_OK || (rc = next(r)) != ERR_OK)
		return rc;
	if (r->event.type == YAML_STREAM_END_EVENT)
		return ERR_OK;
	if ((rc = next(r)) != ERR_OK ||
	    (rc = read_object(r, keys, 0, &r->out->root)) != ERR_OK || (rc = next(r)) != ERR_OK ||
	    (rc = next(r)) != ERR_OK)
		return rc;
	if (r->event.type != YAML_STREAM_END_EVENT)
		return fail(r, line_of(r), "more than one document");
	return arena_failed(r->a) ? err_set(r->e, ERR_NOMEM, "out of memory") : ERR_OK;
}

int config_parse(struct arena *a, const char *name, const char *text, size_t n,
                 const struct config_key *keys, struct config *out, struct err *e)
{
	struct reader r = { .a = a, .out = out, .e = e };
	int rc;

	*out = (struct config){ .root = value_object(a), .file = name };
	if (!yaml_parser_initialize(&r.yaml))
		return err_set(e, ERR_NOMEM, "out of memory");
	yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, n);
	rc = read_document(&r, keys);
	drop_event(&r);
	yaml_parser_delete(&r.yaml);
	return rc;
}

int config_load(struct arena *a, const char *path, bool must_exist, const struct config_key *keys,
                struct config *out, struct err *e)
{
	char *text;
	size_t n;
	int rc = file_read(a, path, LIMIT_CONFIG_FILE, &text, &n, e);

	if (rc == ERR_NOENT && !must_exist) {
		*out = (struct config){ .root = value_object(a), .file = path };
		return ERR_OK;
	}
	return rc != ERR_OK ? rc : config_parse(a, path, text, n, keys, out, e);
}

unsigned config_line(const struct config *c, const struct value *v)
{
	for (const struct config_mark *m = c->marks; m != NULL; m = m->next)
		if (m->v == v)
			return m->line;
	return 0;
}

int config_fail(const struct config *c, const struct value *v, const char *key, struct err *e,
                const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, ERR_INVALID, "%.80s:%u: %.60s: %s", c->file, config_line(c, v), key, text);
}
