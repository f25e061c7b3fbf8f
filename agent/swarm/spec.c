/* SPDX-License-Identifier: Apache-2.0 */
#include "spec.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REF_OVERHEAD 160u /* of one that is written, without its texts */
#define ESCAPED      6u   /* bytes that a byte becomes at most */
#define INDEX_DIGITS 20u

/* A piece of the text. */
struct piece {
	const char *p;
	const char *end;
};

/* --- reading -------------------------------------------------------------------------
 */

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* Behind the string that begins at ${p}; NULL: it does not end. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (*p == '\\')
			p++;
	}
	return NULL;
}

static bool ends_scalar(char c)
{
	return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\t' || c == '\n' ||
	       c == '\r';
}

/* Behind brackets that begin at ${p}, whatever is in them. */
static const char *skip_brackets(const char *p, const char *end)
{
	size_t depth = 0;

	while (p != NULL && p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		if ((*p == '}' || *p == ']') && --depth == 0)
			return p + 1;
		p++;
	}
	return NULL;
}

static const char *skip_value(const char *p, const char *end)
{
	const char *from = p;

	if (p >= end)
		return NULL;
	if (*p == '"')
		return skip_string(p, end);
	if (*p == '{' || *p == '[')
		return skip_brackets(p, end);
	while (p < end && !ends_scalar(*p))
		p++;
	return p > from ? p : NULL;
}

/* The string that the piece is, the caller's; NULL: it is none. */
static json_t *read_string(struct piece s)
{
	json_error_t why;
	json_t *o = json_loadb(s.p, (size_t)(s.end - s.p), JSON_DECODE_ANY, &why);

	if (json_is_string(o))
		return o;
	json_decref(o);
	return NULL;
}

static bool is_string(struct piece s, const char *want)
{
	json_t *o;
	bool same;

	if (s.p == NULL || *s.p != '"')
		return false;
	o = read_string(s);
	same = o != NULL && strcmp(json_string_value(o), want) == 0;
	json_decref(o);
	return same;
}

/* What is next in an object (or, with ${key} NULL, in an array) whose inside goes on at
 * ${*at}: 1, or 0 at its end, or -1: it cannot be read. */
static int next_item(const char **at, const char *end, struct piece *key,
                     struct piece *value)
{
	const char *p = skip_blank(*at, end);

	if (p < end && *p == ',')
		p = skip_blank(p + 1, end);
	if (p >= end)
		return -1;
	if (*p == '}' || *p == ']')
		return 0;
	if (key != NULL) {
		if (*p != '"')
			return -1;
		key->p = p;
		if ((key->end = skip_string(p, end)) == NULL)
			return -1;
		p = skip_blank(key->end, end);
		if (p >= end || *p != ':')
			return -1;
		p = skip_blank(p + 1, end);
	}
	value->p = p;
	if ((value->end = skip_value(p, end)) == NULL)
		return -1;
	*at = value->end;
	return 1;
}

/* A member of an object; p NULL: there is none.  Two of one name are an error: which one
 * counts is for others to say. */
static int member(struct piece object, const char *name, struct piece *out, struct err *e)
{
	struct piece key = { NULL, NULL }, value = { NULL, NULL };
	const char *at = object.p + 1;
	int more = -1;

	*out = (struct piece){ NULL, NULL };
	if (object.p == NULL || *object.p != '{')
		return err_set(e, ERR_INVALID, "Docker's '%s' is not where it should be",
		               name);
	while ((more = next_item(&at, object.end, &key, &value)) == 1) {
		if (!is_string(key, name))
			continue;
		if (out->p != NULL)
			return err_set(e, ERR_INVALID, "there are two '%s'", name);
		*out = value;
	}
	return more == 0 ? ERR_OK
	                 : err_set(e, ERR_INVALID, "Docker's service cannot be read");
}

/* One that has to be there. */
static int inner(struct piece object, const char *name, struct piece *out, struct err *e)
{
	int rc = member(object, name, out, e);

	if (rc == ERR_OK && (out->p == NULL || *out->p != '{'))
		return err_set(e, ERR_INVALID, "the service has no '%s'", name);
	return rc;
}

static int whole(const char *text, size_t n, struct piece *out, struct err *e)
{
	const char *end = text + n, *p = skip_blank(text, end);

	if (p >= end || *p != '{' || (out->end = skip_value(p, end)) == NULL ||
	    skip_blank(out->end, end) != end)
		return err_set(e, ERR_INVALID, "Docker's service cannot be read");
	out->p = p;
	return ERR_OK;
}

int spec_index(const char *text, size_t n, uint64_t *out, struct err *e)
{
	struct piece doc = { NULL, NULL }, version = doc, index = doc;
	uint64_t number = 0;
	int rc;

	if ((rc = whole(text, n, &doc, e)) != ERR_OK ||
	    (rc = inner(doc, "Version", &version, e)) != ERR_OK ||
	    (rc = member(version, "Index", &index, e)) != ERR_OK)
		return rc;
	if (index.p == NULL || (size_t)(index.end - index.p) >= INDEX_DIGITS)
		return err_set(e, ERR_INVALID, "the service has no version");
	for (const char *p = index.p; p < index.end; p++) {
		if (*p < '0' || *p > '9')
			return err_set(e, ERR_INVALID, "the service has no version");
		number = 10 * number + (uint64_t)(*p - '0');
	}
	*out = number;
	return ERR_OK;
}

/* --- writing -------------------------------------------------------------------------
 */

/* Room for all that can come was made at the start: there are no copies to wipe. */
struct text {
	char *p;
	size_t n, cap;
};

static void add(struct text *t, const char *from, const char *end)
{
	size_t n = from != NULL ? (size_t)(end - from) : 0;

	if (n == 0)
		return;
	if (n >= t->cap - t->n) /* cannot be */
		n = t->cap - t->n - 1;
	memcpy(t->p + t->n, from, n);
	t->n += n;
	t->p[t->n] = '\0';
}

static void add_text(struct text *t, const char *s)
{
	add(t, s, s + strlen(s));
}

static void add_string(struct text *t, const char *s)
{
	static const char digits[] = "0123456789abcdef";
	char hex[] = "\\u0000";

	add_text(t, "\"");
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x20 && c != '"' && c != '\\') {
			add(t, s, s + 1);
			continue;
		}
		hex[4] = digits[c >> 4];
		hex[5] = digits[c & 15];
		add_text(t, hex);
	}
	add_text(t, "\"");
}

static void add_ref(struct text *t, const struct spec_ref *r)
{
	char mode[32];

	(void)snprintf(mode, sizeof(mode), ",\"Mode\":%u},", r->mode);
	add_text(t, "{\"File\":{\"Name\":");
	add_string(t, r->target);
	add_text(t, ",\"UID\":");
	add_string(t, r->uid != NULL ? r->uid : "0");
	add_text(t, ",\"GID\":");
	add_string(t, r->gid != NULL ? r->gid : "0");
	add_text(t, mode);
	add_text(t, "\"SecretID\":");
	add_string(t, r->id);
	add_text(t, ",\"SecretName\":");
	add_string(t, r->name);
	add_text(t, "}");
}

/* The same reference with another secret. */
static int add_changed(struct text *t, struct piece item, const struct spec_ref *r,
                       struct err *e)
{
	struct piece id, name;
	bool id_first;
	int rc;

	if ((rc = member(item, "SecretID", &id, e)) != ERR_OK ||
	    (rc = member(item, "SecretName", &name, e)) != ERR_OK)
		return rc;
	if (id.p == NULL || name.p == NULL)
		return err_set(e, ERR_INVALID, "a reference names no secret");
	id_first = id.p < name.p;
	add(t, item.p, id_first ? id.p : name.p);
	add_string(t, id_first ? r->id : r->name);
	add(t, id_first ? id.end : name.end, id_first ? name.p : id.p);
	add_string(t, id_first ? r->name : r->id);
	add(t, id_first ? name.end : id.end, item.end);
	return ERR_OK;
}

/* Which of those that are wanted is at the target of this one: its index, or ${n}. */
static int wanted_at(struct piece item, const struct spec_ref *refs, size_t n,
                     size_t *out, struct err *e)
{
	struct piece file, target = { NULL, NULL };
	int rc = member(item, "File", &file, e);

	if (rc == ERR_OK && file.p != NULL && *file.p == '{')
		rc = member(file, "Name", &target, e);
	for (*out = 0; rc == ERR_OK && *out < n; (*out)++)
		if (is_string(target, refs[*out].target))
			break;
	return rc;
}

struct list {
	const struct spec_ref *refs;
	size_t n;
	bool *done; /* of each */
	bool any;   /* was one written? */
};

static void comma(struct text *t, struct list *l)
{
	if (l->any)
		add_text(t, ",");
	l->any = true;
}

static int add_item(struct text *t, struct piece item, struct list *l, struct err *e)
{
	size_t i;
	int rc = wanted_at(item, l->refs, l->n, &i, e);

	if (rc != ERR_OK)
		return rc;
	if (i == l->n) {
		comma(t, l);
		add(t, item.p, item.end);
		return ERR_OK;
	}
	if (l->done[i])
		return err_set(e, ERR_INVALID, "two references have one target");
	l->done[i] = true;
	if (l->refs[i].id == NULL)
		return ERR_OK;
	comma(t, l);
	return add_changed(t, item, &l->refs[i], e);
}

/* ${old} p NULL: there is no list yet. */
static int add_list(struct text *t, struct piece old, struct list *l, struct err *e)
{
	struct piece item;
	const char *at = old.p != NULL ? old.p + 1 : NULL;
	int more = 0, rc;

	add_text(t, "[");
	while (at != NULL && *old.p == '[' &&
	       (more = next_item(&at, old.end, NULL, &item)) == 1)
		if ((rc = add_item(t, item, l, e)) != ERR_OK)
			return rc;
	if (more < 0)
		return err_set(e, ERR_INVALID, "Docker's references cannot be read");
	for (size_t i = 0; i < l->n; i++) {
		if (l->done[i] || l->refs[i].id == NULL)
			continue;
		comma(t, l);
		add_ref(t, &l->refs[i]);
	}
	add_text(t, "]");
	return ERR_OK;
}

static int add_spec(struct text *t, struct piece spec, struct piece container,
                    struct list *l, struct err *e)
{
	struct piece old;
	const char *inside = container.p + 1;
	int rc = member(container, "Secrets", &old, e);

	if (rc != ERR_OK)
		return rc;
	if (old.p != NULL && *old.p != '[' && *old.p != 'n')
		return err_set(e, ERR_INVALID, "Docker's references cannot be read");
	add(t, spec.p, old.p != NULL ? old.p : inside);
	if (old.p == NULL)
		add_text(t, "\"Secrets\":");
	if ((rc = add_list(t, old, l, e)) != ERR_OK)
		return rc;
	if (old.p == NULL && *skip_blank(inside, container.end) != '}')
		add_text(t, ",");
	add(t, old.p != NULL ? old.end : inside, spec.end);
	return ERR_OK;
}

static size_t room_for(size_t n, const struct spec_ref *refs, size_t n_refs)
{
	for (size_t i = 0; i < n_refs; i++) {
		const struct spec_ref *r = &refs[i];

		n += REF_OVERHEAD + ESCAPED * strlen(r->target);
		n += r->id != NULL ? ESCAPED * (strlen(r->id) + strlen(r->name)) : 0;
		n += r->uid != NULL ? ESCAPED * strlen(r->uid) : 0;
		n += r->gid != NULL ? ESCAPED * strlen(r->gid) : 0;
	}
	return n + REF_OVERHEAD;
}

int spec_patch(const char *text, size_t n, const struct spec_ref *refs, size_t n_refs,
               char **out, struct err *e)
{
	struct piece doc = { NULL, NULL }, spec = doc, task = doc, container = doc;
	struct text t = { .cap = room_for(n, refs, n_refs) };
	struct list l = { .refs = refs, .n = n_refs };
	int rc;

	if ((rc = whole(text, n, &doc, e)) != ERR_OK ||
	    (rc = inner(doc, "Spec", &spec, e)) != ERR_OK ||
	    (rc = inner(spec, "TaskTemplate", &task, e)) != ERR_OK ||
	    (rc = inner(task, "ContainerSpec", &container, e)) != ERR_OK)
		return rc;
	t.p = calloc(1, t.cap);
	l.done = calloc(n_refs + 1, sizeof(*l.done));
	rc = t.p == NULL || l.done == NULL ? err_set(e, ERR_NOMEM, "out of memory")
	                                   : add_spec(&t, spec, container, &l, e);
	free(l.done);
	if (rc == ERR_OK)
		*out = t.p;
	else
		spec_free(t.p);
	return rc;
}

void spec_free(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}
