/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "files_impl.h"

/* One binding's next generation, as it is put together. */
struct batch {
	struct files *f;
	struct arena *a;
	const struct files_value *values;
	const struct rendered *made; /* of all slots */
	size_t binding;
	size_t first, n_slots;
	struct generation_dir d;
	struct timespec written;
	size_t n;
	struct generation_file *out;
	struct slot *slots; /* the binding's slots as they will be; out[] has those that
	                       are present */
};

static bool deps_are_good(const struct batch *w, const struct rendered *r)
{
	for (size_t i = 0; i < r->n_deps; i++)
		if (!files_is_new(&w->values[r->deps[i].path]))
			return false;
	return true;
}

static void put(struct batch *w, struct slot *s, const char *p, size_t n)
{
	const struct settings_file *file = s->plan->file;

	s->written = w->written;
	w->out[w->n++] = (struct generation_file){
		.name = file->name,
		.uid = file->uid,
		.gid = file->gid,
		.mode = file->mode,
		.p = p,
		.n = n,
		.written = w->written,
	};
}

/* One that cannot be read, since it is somebody else's, is the same file once more. */
static int carry_unread(struct batch *w, struct slot *s, unsigned from)
{
	if (files_stat_slot(s, &w->d, from) != 0)
		return -1;
	w->out[w->n++] = (struct generation_file){ .name = s->plan->file->name,
		                                   .from = from };
	return 0;
}

static int carry(struct batch *w, struct slot *s)
{
	unsigned from = w->f->bindings[w->binding].current;
	unsigned char digest[FILES_DIGEST];
	const char *p = NULL;
	size_t n = 0;
	int rc = files_read_slot(w->a, &w->d, from, s, &p, &n);

	if (rc == ERR_DENIED)
		return carry_unread(w, s, from);
	if (rc != ERR_OK)
		return -1;
	files_digest(w->f, s, p, n, digest);
	if (memcmp(digest, s->digest, sizeof(digest)) != 0)
		return -1;
	put(w, s, p, n);
	return 0;
}

static void add_slot(struct batch *w, size_t i)
{
	const struct rendered *r = &w->made[w->first + i];
	struct slot *s = &w->slots[i];

	if (!r->made || !deps_are_good(w, r)) {
		/* Changed behind our back: left out now, fetched again soon. */
		if (s->present && carry(w, s) != 0)
			s->present = false;
		return;
	}
	s->deps = r->deps;
	s->n_deps = r->n_deps;
	files_digest(w->f, s, r->p, r->n, s->digest);
	s->present = true;
	put(w, s, r->p, r->n);
}

void files_retire(const struct files *f, struct binding *b,
                  const struct generation_dir *d, unsigned number, int64_t now)
{
	if (b->n_old == FILES_OLD_MAX) {
		size_t i = b->old[0].number == files_kept(f, b) ? 1 : 0;

		generation_remove(d, b->old[i].number);
		memmove(&b->old[i], &b->old[i + 1],
		        (FILES_OLD_MAX - 1 - i) * sizeof(b->old[0]));
		b->n_old--;
	}
	b->old[b->n_old++] = (struct old){ number, now + f->o.settings->grace_ms };
}

/* What was put together is in place now. */
static void keep(struct batch *w, unsigned number)
{
	struct files *f = w->f;
	struct binding *b = &f->bindings[w->binding];

	for (size_t i = 0; i < w->n_slots; i++) {
		struct slot *s = &f->slots[w->first + i], *will = &w->slots[i];
		bool same = will->deps == s->deps;

		s->present = will->present &&
		             (same || files_set_deps(s, will->deps, will->n_deps) == 0);
		memcpy(s->digest, will->digest, sizeof(s->digest));
		s->written = will->written;
		if (s->present && files_stat_slot(s, &w->d, number) != 0)
			s->present = false;
		if (s->present)
			files_accept(b, s->deps, s->n_deps);
	}
}

/* A number that was never used, and what is to be noted with it. */
static void begin_next(const struct files *f, struct binding *b)
{
	b->last = (b->last > b->current ? b->last : b->current) + 1;
	b->note = (struct apply_note){ .judged = true };
	if (f->judge.next != NULL)
		f->judge.next(f->judge.ctx, b->name, &b->note);
}

static int write_next(struct batch *w, unsigned number, struct err *e)
{
	char *meta;

	for (size_t i = 0; i < w->n_slots; i++)
		add_slot(w, i);
	meta = files_meta(w->f, w->binding, w->slots, w->a);
	if (meta == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return generation_write(&w->d, number, w->out, w->n, meta, e);
}

static int put_together(struct batch *w, int64_t now, struct err *e)
{
	struct binding *b = &w->f->bindings[w->binding], before;
	int rc;

	b->current = generation_current(&w->d);
	before = *b;
	begin_next(w->f, b);
	rc = write_next(w, b->last, e);
	if (rc != ERR_OK) {
		*b = before;
		return rc;
	}
	b->current = b->last;
	keep(w, b->current);
	if (w->f->judge.placed != NULL)
		w->f->judge.placed(w->f->judge.ctx, b->name, b->current);
	if (before.current != 0)
		files_retire(w->f, b, &w->d, before.current, now);
	return ERR_OK;
}

static int deliver_binding(struct batch *w, int64_t now, struct err *e)
{
	struct files *f = w->f;
	int rc;

	(void)clock_gettime(CLOCK_REALTIME, &w->written);
	w->first = files_first(f, w->binding);
	w->n_slots = f->o.plan->bindings[w->binding].n;
	w->out = arena_alloc(w->a, (w->n_slots + 1) * sizeof(*w->out));
	w->slots = arena_dup(w->a, &f->slots[w->first], w->n_slots * sizeof(*w->slots));
	if (w->out == NULL || w->slots == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = files_open(f, &f->bindings[w->binding], &w->d, e)) != ERR_OK)
		return rc;
	rc = put_together(w, now, e);
	close(w->d.fd);
	return rc;
}

static bool binding_has_new(const struct batch *w)
{
	for (size_t i = files_first(w->f, w->binding); i < files_end(w->f, w->binding);
	     i++)
		if (w->made[i].made && deps_are_good(w, &w->made[i]))
			return true;
	return false;
}

/* The secrets of what was to be written. */
static void blame(const struct batch *w, struct files_value *values, int rc,
                  const struct err *e)
{
	for (size_t i = files_first(w->f, w->binding); i < files_end(w->f, w->binding);
	     i++)
		for (size_t j = 0; w->made[i].made && j < w->made[i].n_deps; j++) {
			struct files_value *v = &values[w->made[i].deps[j].path];

			if (files_is_new(v)) {
				v->rc = rc;
				v->e = *e;
			}
		}
}

void files_deliver(struct files *f, struct arena *a, struct files_value *values,
                   int64_t now)
{
	files_deliver_to(f, a, values, now, NULL);
}

void files_deliver_to(struct files *f, struct arena *a, struct files_value *values,
                      int64_t now, const bool *only)
{
	const struct rendered *made;

	for (size_t i = 0; i < f->n_paths; i++)
		if (values[i].data != NULL)
			f->held[i].gone = false;
	if ((made = files_render(f, a, values, now, only)) == NULL)
		return;
	for (size_t i = 0; i < f->n_paths; i++)
		if (files_is_new(&values[i]))
			f->held[i].expires = values[i].expires;
	for (size_t i = 0; i < f->n_bindings; i++) {
		struct batch w = {
			.f = f, .a = a, .values = values, .made = made, .binding = i
		};
		struct err e = { 0 };
		int rc;

		if (!binding_has_new(&w))
			continue;
		if ((rc = deliver_binding(&w, now, &e)) != ERR_OK)
			blame(&w, values, rc, &e);
	}
	files_settle(f);
}
