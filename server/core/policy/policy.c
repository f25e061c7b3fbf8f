/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy - the mirror of all stored policies, and decisions.
 *
 * A mirror entry lives as long as the mirror; only its document is exchanged, with an
 * undo record per change, so that a savepoint that is rolled back leaves no trace.
 */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "log.h"
#include "mutant.h"
#include "policy_impl.h"
#include "route.h"
#include "store.h"
#include "vault/limits.h"

#define BUCKETS 1024u
#define DENIED  "1 error occurred:\n\t* permission denied\n\n"
#define CAPS_ALL                                                                  \
	(CAP_CREATE | CAP_READ | CAP_UPDATE | CAP_PATCH | CAP_DELETE | CAP_LIST | \
	 CAP_SUDO | CAP_SCAN)

/* What the token of a wrapped reply may do; it is attached to no other. */
static const char wrapping_text[] =
	"path \"cubbyhole/response\" {\n\tcapabilities = [\"create\", \"read\"]\n}\n"
	"path \"sys/wrapping/unwrap\" {\n\tcapabilities = [\"update\"]\n}\n";

struct entry {
	struct entry *next;
	struct policy_doc
		*doc; /* NULL with present: stored text that cannot be read: denies all */
	bool present;
	bool built_in; /* not stored: no one can list or change it */
	char name[LIMIT_NAME + 1];
};

struct policies {
	struct entry *bucket[BUCKETS];
};

static unsigned bucket_of(const char *name, size_t n)
{
	unsigned h = 5381;

	for (size_t i = 0; i < n; i++)
		h = h * 33 + (unsigned char)name[i];
	return h % BUCKETS;
}

static struct entry *entry_find(const struct policies *p, const char *name, size_t n)
{
	struct entry *en = p != NULL ? p->bucket[bucket_of(name, n)] : NULL;

	while (en != NULL && (memcmp(en->name, name, n) != 0 || en->name[n] != '\0'))
		en = en->next;
	return en;
}

static struct entry *entry_make(struct policies *p, const char *name)
{
	size_t n = strlen(name);
	struct entry *en = n <= LIMIT_NAME ? entry_find(p, name, n) : NULL;

	if (en != NULL || n > LIMIT_NAME || (en = calloc(1, sizeof(*en))) == NULL)
		return en;
	memcpy(en->name, name, n);
	en->next = p->bucket[bucket_of(name, n)];
	p->bucket[bucket_of(name, n)] = en;
	return en;
}

/* What an entry was before a change of the savepoint. */
struct swap {
	struct entry *entry;
	struct policy_doc *old;
	bool was_present;
};

static void swap_undo(void *arg)
{
	struct swap *s = arg;

	policy_doc_free(s->entry->doc);
	s->entry->doc = s->old;
	s->entry->present = s->was_present;
	free(s);
}

/* The entry itself may be gone by now: the vault may have been sealed in the same batch.
 */
static void swap_done(void *arg)
{
	struct swap *s = arg;

	policy_doc_free(s->old);
	free(s);
}

/* Takes over ${doc}, also when it fails. */
static int entry_swap(struct core *c, const char *name, struct policy_doc *doc,
                      bool present, struct err *e)
{
	struct entry *en = entry_make(c->policies, name);
	struct swap *s = en != NULL ? malloc(sizeof(*s)) : NULL;

	if (s == NULL) {
		policy_doc_free(doc);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	*s = (struct swap){ en, en->doc, en->present };
	en->doc = doc;
	en->present = present;
	core_undo(c, swap_undo, s);
	core_after_commit(c, swap_done, s);
	return ERR_OK;
}

static void object_id(struct core *c, const char *name, struct store_object *o)
{
	o->kind = KIND_POLICY;
	o->id_len = 32;
	store_blind(c, o->id, "policy", name, strlen(name), NULL, 0);
}

static int object_open(struct core *c, struct arena *a, const char *name,
                       struct store_object *o, struct err *e)
{
	object_id(c, name, o);
	return store_get(c, a, KIND_POLICY, o->id, o->id_len, o, e);
}

static int object_put(struct core *c, struct arena *a, const char *name, const char *text,
                      size_t n, struct err *e)
{
	struct store_object o = { 0 };
	int rc = object_open(c, a, name, &o, e);

	if (rc == ERR_NOENT) {
		memset(&o, 0, sizeof(o));
		object_id(c, name, &o);
	} else if (rc != ERR_OK) {
		return rc;
	}
	o.body = value_object(a);
	value_set_str(a, o.body, "name", name);
	value_set(o.body, "text", value_strn(a, text, n));
	return store_put(c, &o, e);
}

int policies_put(struct core *c, struct arena *a, const char *name, const char *text,
                 size_t n, struct err *e)
{
	struct policy_doc *doc;
	int rc = policy_parse(text, n, &doc, e);

	if (rc != ERR_OK)
		return rc;
	if ((rc = object_put(c, a, name, text, n, e)) != ERR_OK) {
		policy_doc_free(doc);
		return rc;
	}
	return entry_swap(c, name, doc, true, e);
}

int policies_delete(struct core *c, struct arena *a, const char *name, struct err *e)
{
	struct store_object o = { 0 };
	int rc = object_open(c, a, name, &o, e);

	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK || (rc = store_delete(c, &o, e)) != ERR_OK)
		return rc;
	return entry_swap(c, name, NULL, false, e);
}

int policies_text(struct core *c, struct arena *a, const char *name, const char **out,
                  struct err *e)
{
	struct store_object o = { 0 };
	int rc;

	if (strcmp(name, "root") == 0) {
		*out = "";
		return ERR_OK;
	}
	if (strcmp(name, POLICY_WRAPPING) == 0) {
		*out = wrapping_text;
		return ERR_OK;
	}
	if ((rc = object_open(c, a, name, &o, e)) != ERR_OK)
		return rc;
	*out = value_cstr_or(a, o.body, "text", "");
	return ERR_OK;
}

bool policies_exist(struct core *c, const char *name)
{
	const struct entry *en = entry_find(c->policies, name, strlen(name));

	return strcmp(name, "root") == 0 || (en != NULL && en->present);
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

struct value *policies_names(struct core *c, struct arena *a)
{
	struct value *list = value_array(a);
	const char **names;
	size_t n = 1;

	for (size_t b = 0; b < BUCKETS; b++)
		for (struct entry *en = c->policies->bucket[b]; en != NULL; en = en->next)
			n += en->present && !en->built_in;
	if ((names = arena_alloc(a, n * sizeof(*names))) == NULL)
		return NULL;
	n = 0;
	names[n++] = "root";
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct entry *en = c->policies->bucket[b]; en != NULL; en = en->next)
			if (en->present && !en->built_in)
				names[n++] = arena_str(a, en->name);
	if (arena_failed(a))
		return NULL;
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++)
		value_add(list, value_str(a, names[i]));
	return list;
}

struct load {
	struct core *c;
	struct arena *a;
};

static int load_one(void *ctx, struct store_object *o, struct err *e)
{
	struct load *l = ctx;
	const struct value *text = value_get(o->body, "text");
	const char *name = value_cstr_or(l->a, o->body, "name", "");
	struct entry *en = entry_make(l->c->policies, name);
	struct err why;

	if (en == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	en->present = true;
	if (text == NULL || policy_parse(text->text, text->len, &en->doc, &why) != ERR_OK)
		log_error("a stored policy cannot be read and denies everything",
		          LOG_S("policy", name),
		          LOG_S("cause", text != NULL ? why.msg : ""));
	return ERR_OK;
}

static int add_built_in(struct policies *p, struct err *e)
{
	struct entry *en = entry_make(p, POLICY_WRAPPING);

	if (en == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	en->present = en->built_in = true;
	return policy_parse(wrapping_text, sizeof(wrapping_text) - 1, &en->doc, e);
}

int policies_load(struct core *c, struct err *e)
{
	AUTO_ARENA a = arena_new((size_t)256 * 1024 * 1024);
	struct load l = { c, a };
	int rc;

	if (a == NULL || (c->policies = calloc(1, sizeof(*c->policies))) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = store_each(c, a, KIND_POLICY, NULL, 0, 0, load_one, &l, e);
	if (rc == ERR_OK)
		rc = add_built_in(c->policies, e);
	if (rc != ERR_OK)
		policies_free(c);
	return rc;
}

void policies_free(struct core *c)
{
	if (c->policies == NULL)
		return;
	for (size_t b = 0; b < BUCKETS; b++) {
		while (c->policies->bucket[b] != NULL) {
			struct entry *en = c->policies->bucket[b];

			c->policies->bucket[b] = en->next;
			policy_doc_free(en->doc);
			free(en);
		}
	}
	free(c->policies);
	c->policies = NULL;
}

void policies_docs(struct core *c, const struct value *names, struct policy_docs *d)
{
	d->n = 0;
	d->root = d->broken = false;
	for (const struct value *v = names != NULL ? names->first : NULL; v != NULL;
	     v = v->next) {
		const struct entry *en;

		if (v->type != V_STRING || v->len > LIMIT_NAME)
			continue;
		d->root = d->root || value_is_str(v, "root");
		en = entry_find(c->policies, v->text, v->len);
		if (en == NULL || !en->present)
			continue;
		if (en->doc == NULL || d->n == LIMIT_POLICIES_PER_TOKEN)
			d->broken = true;
		else
			d->at[d->n++] = en->doc;
	}
}

unsigned policies_capabilities(struct core *c, const struct value *names,
                               const char *path, bool list)
{
	struct policy_docs d;

	policies_docs(c, names, &d);
	if (d.root)
		return CAPS_ALL;
	return d.broken ? CAP_DENY : policy_decide(d.at, d.n, path, list);
}

int policies_allow(struct req *r)
{
	const struct policy_ask ask = {
		.path = r->path,
		.op = r->op,
		.sudo = r->route != NULL && (r->route->flags & R_SUDO),
		.params = r->body,
		.fields = r->route != NULL ? r->route->fields : NULL,
		.wrap_ms = r->wrap_ttl_s * 1000,
	};
	struct policy_docs d;

	if (r->id.root || MUTANT(MUTANT_POLICY_IGNORED))
		return ERR_OK;
	policies_docs(r->core, r->id.policies, &d);
	if (d.root || (!d.broken && policy_permits(d.at, d.n, &ask)))
		return ERR_OK;
	return req_fail(r, ERR_DENIED, DENIED);
}

/* Could some path below ${mount} match the rule?  What is before the first wildcard must
 * agree with the mount as far as both go. */
static bool reaches(const struct policy_rule *r, const char *mount, size_t n)
{
	size_t fixed = r->kind == RULE_SEGMENT ? r->wild : r->len;

	if (r->caps == 0 || (r->caps & CAP_DENY))
		return false;
	if (r->kind == RULE_EXACT && fixed == n - 1) /* the mount itself */
		return memcmp(r->text, mount, fixed) == 0;
	if (r->kind == RULE_EXACT || fixed >= n)
		return fixed >= n && memcmp(r->text, mount, n) == 0;
	return memcmp(r->text, mount, fixed) == 0;
}

bool policies_touch_mount(struct core *c, const struct value *names, const char *mount)
{
	size_t n = strlen(mount);
	struct policy_docs d;

	policies_docs(c, names, &d);
	if (d.root || d.broken)
		return d.root;
	for (size_t i = 0; i < d.n; i++)
		for (size_t k = 0; k < d.at[i]->n; k++)
			if (reaches(&d.at[i]->rules[k], mount, n))
				return true;
	return false;
}

/* Stored at init and never again: what its users made of it stays.  Lines for what a
 * later release adds are there already. */
static const char default_text[] =
	"# What every token may do with itself.\n"
	"path \"auth/token/lookup-self\" {\n\tcapabilities = [\"read\"]\n}\n"
	"path \"auth/token/renew-self\" {\n\tcapabilities = [\"update\"]\n}\n"
	"path \"auth/token/revoke-self\" {\n\tcapabilities = [\"update\"]\n}\n"
	"path \"sys/capabilities-self\" {\n\tcapabilities = [\"update\"]\n}\n"
	"path \"identity/entity/id/{{identity.entity.id}}\" {\n"
	"\tcapabilities = [\"read\"]\n}\n"
	"path \"identity/entity/name/{{identity.entity.name}}\" {\n"
	"\tcapabilities = [\"read\"]\n}\n"
	"path \"sys/internal/ui/resultant-acl\" {\n\tcapabilities = [\"read\"]\n}\n"
	"path \"sys/leases/renew\" {\n\tcapabilities = [\"update\"]\n}\n"
	"path \"sys/leases/lookup\" {\n\tcapabilities = [\"update\"]\n}\n"
	"path \"sys/renew\" {\n\tcapabilities = [\"update\"]\n}\n"
	"path \"cubbyhole/*\" {\n"
	"\tcapabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"]\n}\n"
	"path \"sys/wrapping/wrap\" {\n\tcapabilities = [\"update\"]\n}\n"
	"path \"sys/wrapping/lookup\" {\n\tcapabilities = [\"update\"]\n}\n"
	"path \"sys/wrapping/unwrap\" {\n\tcapabilities = [\"update\"]\n}\n"
	"path \"sys/tools/hash\" {\n\tcapabilities = [\"update\"]\n}\n"
	"path \"sys/tools/hash/*\" {\n\tcapabilities = [\"update\"]\n}\n"
	"path \"identity/oidc/provider/+/authorize\" {\n"
	"\tcapabilities = [\"read\", \"update\"]\n}\n";

int policies_store_default(struct core *c, struct arena *a, struct err *e)
{
	if (policies_exist(c, "default"))
		return ERR_OK;
	return policies_put(c, a, "default", default_text, sizeof(default_text) - 1, e);
}
