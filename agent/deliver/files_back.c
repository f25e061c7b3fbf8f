/* SPDX-License-Identifier: Apache-2.0 */
/* Generations are judged by somebody else: what was said of them is noted beside them,
 * and the one before can take its place again. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/reply.h"
#include "files_impl.h"
#include "log.h"

#define BACK_ARENA (2u * FILES_META_MAX + 4u * FILES_CONTENT_MAX)

void files_set_judge(struct files *f, const struct files_judge *j)
{
	f->judge = *j;
}

static struct binding *find(const struct files *f, const char *name)
{
	size_t i = plan_binding(f->o.plan, name);

	return i < f->n_bindings ? &f->bindings[i] : NULL;
}

unsigned files_generation(const struct files *f, const char *binding)
{
	const struct binding *b = find(f, binding);

	return b != NULL ? b->current : 0;
}

struct apply_note files_noted(const struct files *f, const char *binding)
{
	const struct binding *b = find(f, binding);

	return b != NULL && b->current != 0 ? b->note : (struct apply_note){ 0 };
}

struct apply_note files_judged(const json_t *doc)
{
	const json_t *o = json_object_get(doc, "judged");
	const char *why = reply_str(o, "why");
	struct apply_note note = {
		.judged = json_is_true(json_object_get(o, "judged")),
		.retell = json_is_true(json_object_get(o, "retell")),
		.base = (unsigned)reply_int(o, "base", 0),
		.rejected = (unsigned)reply_int(o, "rejected", 0),
	};

	if (why != NULL && strlen(why) < sizeof(note.why))
		memcpy(note.why, why, strlen(why) + 1);
	return note;
}

int files_set_judged(json_t *doc, const struct apply_note *note)
{
	return json_object_set_new(
		doc, "judged",
		json_pack("{s:b, s:b, s:I, s:I, s:s}", "judged", note->judged, "retell",
	                  note->retell, "base", (json_int_t)note->base, "rejected",
	                  (json_int_t)note->rejected, "why", note->why));
}

unsigned files_kept(const struct files *f, const struct binding *b)
{
	return f->judge.keeps != NULL ? f->judge.keeps(f->judge.ctx, b->name) : 0;
}

static int write_notes(const struct generation_dir *d, unsigned number, const json_t *doc,
                       struct err *e)
{
	AUTO_TEXT text = reply_text(doc);

	return text == NULL ? err_set(e, ERR_NOMEM, "out of memory")
	                    : generation_write_meta(d, number, text, e);
}

int files_note(struct files *f, const char *binding, unsigned generation,
               const struct apply_note *note, struct err *e)
{
	struct binding *b = find(f, binding);
	struct generation_dir d;
	AUTO_JSON doc = NULL;
	int rc;

	if (b == NULL)
		return err_set(e, ERR_NOENT, "no binding '%s'", binding);
	if (generation == b->current)
		b->note = *note;
	if ((rc = files_open(f, b, &d, e)) != ERR_OK)
		return rc;
	if ((doc = files_notes(&d, generation)) == NULL)
		rc = err_set(e, ERR_NOENT, "generation %u of '%s' is not there",
		             generation, binding);
	else if (files_set_judged(doc, note) != 0)
		rc = err_set(e, ERR_NOMEM, "out of memory");
	else
		rc = write_notes(&d, generation, doc, e);
	close(d.fd);
	return rc;
}

/* A step back, as it is put together. */
struct back {
	struct files *f;
	struct binding *b;
	unsigned to;
	struct generation_dir d;
	json_t *doc;        /* the notes of what comes back */
	size_t first, n;    /* slots of the binding */
	struct slot *slots; /* as they will be */
	size_t n_rejected;
	struct dep *rejected;
	const char **names;
	size_t n_names;
};

static void drop(struct back *w)
{
	for (size_t i = 0; w->slots != NULL && i < w->n; i++)
		free(w->slots[i].deps);
	free(w->slots);
	free(w->rejected);
	free(w->names);
	json_decref(w->doc);
}

static bool comes_back(const struct back *w, const struct dep *d)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct dep *is = files_dep(&w->slots[i], d->path);

		if (is != NULL && is->version == d->version &&
		    strcmp(is->lease_id, d->lease_id) == 0)
			return true;
	}
	return false;
}

/* One item per path: the newest that was found bad. */
static void add_rejected(struct back *w, const struct dep *d)
{
	for (size_t i = 0; i < w->n_rejected; i++) {
		struct dep *r = &w->rejected[i];

		if (r->path != d->path)
			continue;
		if (strcmp(r->lease_id, d->lease_id) != 0 || r->version < d->version)
			*r = *d;
		return;
	}
	w->rejected[w->n_rejected++] = *d;
}

/* What was bad before still is; what goes away now is. */
static int find_rejected(struct back *w, struct err *e)
{
	const struct slot *old = &w->f->slots[w->first];
	size_t most = w->b->n_rejected;

	for (size_t i = 0; i < w->n; i++)
		most += old[i].n_deps;
	w->rejected = calloc(most + 1, sizeof(*w->rejected));
	if (w->rejected == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < w->b->n_rejected; i++)
		add_rejected(w, &w->b->rejected[i]);
	for (size_t i = 0; i < w->n; i++)
		for (size_t j = 0; old[i].present && j < old[i].n_deps; j++)
			if (!comes_back(w, &old[i].deps[j]))
				add_rejected(w, &old[i].deps[j]);
	return ERR_OK;
}

static int find_slots(struct back *w, struct err *e)
{
	w->first = w->f->o.plan->bindings[w->b - w->f->bindings].first;
	w->n = w->f->o.plan->bindings[w->b - w->f->bindings].n;
	w->slots = calloc(w->n + 1, sizeof(*w->slots));
	w->names = calloc(w->n + 1, sizeof(*w->names));
	if (w->slots == NULL || w->names == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((w->doc = files_notes(&w->d, w->to)) == NULL)
		return err_set(e, ERR_NOENT,
		               "generation %u of '%s' is not there any more", w->to,
		               w->b->name);
	for (size_t i = 0; i < w->n; i++) {
		struct slot *s = &w->slots[i];

		s->plan = w->f->slots[w->first + i].plan;
		s->present = files_slot_is_good(w->f, s, files_slot_notes(w->doc, s),
		                                &w->d, w->to);
		if (s->present)
			w->names[w->n_names++] = s->plan->file->name;
		else
			s->n_deps = 0;
	}
	return ERR_OK;
}

/* The notes of what comes back are right before it is back. */
static void note_back(const struct back *w)
{
	AUTO_ARENA a = arena_new(BACK_ARENA);
	struct err e = { 0 };
	char *meta = a == NULL ? NULL
	                       : files_meta(w->f, (size_t)(w->b - w->f->bindings),
	                                    w->slots, a);

	if (meta != NULL && generation_write_meta(&w->d, w->to, meta, &e) != ERR_OK)
		log_warn("that a generation comes back is not noted",
		         LOG_S("binding", w->b->name), LOG_S("why", e.msg));
}

static void forget_old(struct binding *b, unsigned number)
{
	for (size_t i = 0; i < b->n_old; i++)
		if (b->old[i].number == number) {
			b->old[i] = b->old[--b->n_old];
			return;
		}
}

/* It is back: what is known of the binding follows. */
static void settle_back(struct back *w, unsigned from, int64_t now)
{
	struct files *f = w->f;

	for (size_t i = 0; i < w->n; i++) {
		struct slot *s = &f->slots[w->first + i];

		free(s->deps);
		*s = w->slots[i];
		w->slots[i].deps = NULL;
	}
	forget_old(w->b, w->to);
	files_retire(f, w->b, &w->d, from, now);
	files_settle(f);
}

static int go_back(struct back *w, int64_t now, struct err *e)
{
	const struct binding before = *w->b;
	int rc;

	if ((rc = find_slots(w, e)) != ERR_OK || (rc = find_rejected(w, e)) != ERR_OK)
		return rc;
	w->b->note = files_judged(w->doc);
	w->b->rejected = w->rejected;
	w->b->n_rejected = w->n_rejected;
	w->b->current = w->to;
	note_back(w);
	rc = generation_restore(&w->d, w->to, w->names, w->n_names, e);
	if (rc != ERR_OK) {
		*w->b = before;
		return rc;
	}
	w->rejected = before.rejected;
	settle_back(w, before.current, now);
	return ERR_OK;
}

int files_rollback(struct files *f, const char *binding, unsigned from, unsigned to,
                   int64_t now, struct err *e)
{
	struct back w = { .f = f, .b = find(f, binding), .to = to };
	int rc;

	if (w.b == NULL)
		return err_set(e, ERR_NOENT, "no binding '%s'", binding);
	if (w.b->current != from || from == 0)
		return err_set(e, ERR_CONFLICT, "generation %u of '%s' is not in place",
		               from, binding);
	if ((rc = files_open(f, w.b, &w.d, e)) != ERR_OK)
		return rc;
	rc = go_back(&w, now, e);
	close(w.d.fd);
	drop(&w);
	return rc;
}

static const struct dep *find_dep(const struct dep *deps, size_t n, size_t path)
{
	for (size_t i = 0; i < n; i++)
		if (deps[i].path == path)
			return &deps[i];
	return NULL;
}

void files_accept(struct binding *b, const struct dep *deps, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < b->n_rejected; i++) {
		const struct dep *r = &b->rejected[i], *is = find_dep(deps, n, r->path);

		if (is == NULL ||
		    (strcmp(is->lease_id, r->lease_id) == 0 && is->version < r->version))
			b->rejected[left++] = *r;
	}
	b->n_rejected = left;
}

/* A generation that was found bad, but stays. */
static bool is_kept_though_bad(const struct binding *b)
{
	return b->current != 0 && b->note.judged && b->note.rejected == b->current;
}

static bool is_rejected(const struct files *f, size_t binding, size_t path,
                        const char *lease_id, int64_t version)
{
	const struct binding *b = &f->bindings[binding];
	const struct dep *d = find_dep(b->rejected, b->n_rejected, path);

	if (d == NULL && is_kept_though_bad(b))
		for (size_t i = files_first(f, binding);
		     d == NULL && i < files_end(f, binding); i++)
			d = files_dep(&f->slots[i], path);
	return d != NULL && d->version >= version && strcmp(d->lease_id, lease_id) == 0;
}

const char *files_rejected(const struct files *f, size_t path, const char *lease_id,
                           int64_t version)
{
	for (size_t i = 0; i < f->n_bindings; i++)
		if (is_rejected(f, i, path, lease_id, version))
			return f->bindings[i].note.why;
	return NULL;
}
