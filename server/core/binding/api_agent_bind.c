/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_agent_bind - which of the bindings that its containers ask for a host gets.
 *
 * The agent says the whole list each time, so an answer depends on nothing that was said
 * before.  What it says of containers is the host's word: whoever has the host's key has
 * all that its role allows, image or not.  Patterns of images keep apart the containers
 * of an honest host.
 */
#include <string.h>

#include "api_agent.h"
#include "api_binding.h"
#include "arena.h"
#include "audit.h"
#include "binding.h"
#include "path.h"
#include "text.h"
#include "vault/limits.h"

#define TEXT_MAX 512u

/* One of the bindings that are asked for. */
struct wanted {
	const char *name;
	struct binding b;
	bool found;
	struct value *containers; /* array of ids that get it */
	struct wanted *next;
};

struct bind {
	struct req *r;
	const char *role;   /* NULL: the host's role is gone */
	struct wanted *all; /* newest first */
	struct value *refused;
	size_t n_wanted, pairs;
};

static int bad(struct bind *b, const char *what)
{
	return req_fail(b->r, ERR_INVALID, "containers: %s", what);
}

/* The member's text, in the arena; "" if it is not there; NULL if it is none that may
 * be. */
static const char *text_of(struct bind *b, const struct value *v, const char *key)
{
	const struct value *m = value_get(v, key);
	const char *s;

	if (m == NULL || m->type == V_NULL)
		return "";
	s = value_to_cstr(m, b->r->a);
	return s != NULL && m->len <= TEXT_MAX && text_printable(s, m->len) ? s : NULL;
}

static void refuse(struct bind *b, const char *id, const char *name, const char *why)
{
	struct arena *a = b->r->a;
	struct value *v = value_object(a);

	value_set_str(a, v, "container", id);
	value_set_str(a, v, "name", name);
	value_set_str(a, v, "error", why);
	value_add(b->refused, v);
}

/* NULL and r->e on failure. */
static struct wanted *look_up(struct bind *b, const char *name)
{
	struct req *r = b->r;
	struct wanted *w;
	int rc;

	for (w = b->all; w != NULL; w = w->next)
		if (strcmp(w->name, name) == 0)
			return w;
	if (b->n_wanted++ == BIND_NAMES) {
		bad(b, "they ask for too many different bindings");
		return NULL;
	}
	if ((w = arena_alloc(r->a, sizeof(*w))) == NULL) {
		req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	*w = (struct wanted){ .name = name, .next = b->all };
	w->containers = value_array(r->a);
	rc = binding_find(r->core, r->a, name, &w->b, &r->e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return NULL;
	w->found = rc == ERR_OK;
	b->all = w;
	return w;
}

/* What keeps the container from it, or NULL. */
static const char *objection(struct bind *b, const struct wanted *w, const char *image)
{
	if (b->role == NULL)
		return "the host's role does not exist any more";
	if (!w->found)
		return "there is no such binding";
	if (!binding_has_role(&w->b, b->role))
		return arena_printf(b->r->a, "it is not for hosts of the role \"%s\"",
		                    b->role);
	if (!binding_has_image(&w->b, image))
		return "it is not for the container's image";
	return NULL;
}

static int ask_one(struct bind *b, const struct value *v, const char *id,
                   const char *image)
{
	struct arena *a = b->r->a;
	char name[LIMIT_NAME + 1];
	const char *asked = value_to_cstr(v, a), *why;
	struct wanted *w;
	struct err e;

	if (++b->pairs > BIND_PAIRS)
		return bad(b, "they ask for too many bindings");
	if (asked == NULL || v->len > TEXT_MAX || !text_printable(asked, v->len))
		return bad(b, "bindings: printable names are needed");
	if (path_name(asked, v->len, name, "binding name", &e) != ERR_OK) {
		refuse(b, id, asked, "there is no such binding");
		return ERR_OK;
	}
	if ((w = look_up(b, arena_str(a, name))) == NULL)
		return (int)b->r->e.code;
	if ((why = objection(b, w, image)) != NULL)
		refuse(b, id, asked, why);
	else if (!value_has_str(w->containers, id))
		value_add(w->containers, value_str(a, id));
	return ERR_OK;
}

static int ask_all(struct bind *b, const struct value *container)
{
	static const char *const texts[] = { "name", "image_id", "service", "project" };
	const char *id = text_of(b, container, "id");
	const char *image = text_of(b, container, "image");
	const struct value *names = value_get(container, "bindings");
	int rc = ERR_OK;

	if (container->type != V_OBJECT || id == NULL || id[0] == '\0' || image == NULL)
		return bad(b, "each is an object with an id and an image");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (text_of(b, container, texts[i]) == NULL)
			return bad(b, "what is said of one is printable text");
	if (names == NULL || names->type != V_ARRAY)
		return bad(b, "bindings: an array of names is needed");
	for (const struct value *v = names->first; rc == ERR_OK && v != NULL; v = v->next)
		rc = ask_one(b, v, id, image);
	return rc;
}

/* What cannot be said in one answer is refused, not cut. */
static struct value *grants_of(struct bind *b)
{
	struct arena *a = b->r->a;
	struct value *list = value_array(a), *done = value_array(a);
	size_t total = 0;

	for (const struct wanted *w = b->all; w != NULL; w = w->next) {
		struct value *v;

		if (w->containers->len == 0)
			continue;
		total += value_size(w->b.spec);
		if (total > BIND_TOTAL) {
			refuse(b, "", w->name, "the host has too much bound");
			continue;
		}
		v = value_object(a);
		value_set_str(a, v, "name", w->name);
		value_set_int(a, v, "version", w->b.rev);
		value_set(v, "containers", w->containers);
		value_set(v, "spec", value_copy(a, w->b.spec));
		value_add(list, v);
		value_add(done, value_str(a, w->name));
	}
	req_note_int(b->r, "refused", b->refused->len);
	value_set(b->r->note, "granted", done);
	return list;
}

static int reply(struct bind *b, const struct host *h, const struct host_asked *asked)
{
	struct req *r = b->r;
	struct value *data = value_object(r->a);
	int64_t rev = 0;
	int rc = lease_rev(r->core, r->a, false, &rev, &r->e);

	if (rc != ERR_OK)
		return rc;
	value_set_int(r->a, data, "rev", rev);
	value_set(data, "grants", grants_of(b));
	value_set(data, "refused", b->refused);
	value_set_str(r->a, data, "checkpoint", audit_checkpoint(r->core, r->a));
	return host_say(r, h, asked, data);
}

int agent_bind(struct req *r)
{
	const struct value *data, *list;
	struct bind b = { .r = r, .refused = value_array(r->a) };
	struct host_asked asked;
	struct host_role role;
	struct host h;
	bool stop;
	int rc = host_self(r, &h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_asks(r, &h, "bind", &asked, &data)) != ERR_OK)
		return rc;
	list = value_get(data, "containers");
	if (list == NULL || list->type != V_ARRAY || list->len > LIMIT_AGENT_ITEMS)
		return req_fail(r, ERR_INVALID,
		                "containers: an array of at most %u is needed",
		                LIMIT_AGENT_ITEMS);
	rc = host_role_load(r->core, r->a, h.role, &role, &r->e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	b.role = rc == ERR_OK ? h.role : NULL;
	rc = ERR_OK;
	for (const struct value *v = list->first; rc == ERR_OK && v != NULL; v = v->next)
		rc = ask_all(&b, v);
	req_note_int(r, "containers", list->len);
	return rc == ERR_OK ? reply(&b, &h, &asked) : rc;
}
