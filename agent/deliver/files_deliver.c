/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "files_impl.h"

/* What a field becomes in a file: text as it is, numbers and truth values as JSON writes
 * them. */
static int content_of(const struct value *data, const struct settings_file *file,
                      struct generation_file *out, struct err *e)
{
	const struct value *v = value_get(data, file->field);

	*out = (struct generation_file){ file->name, file->uid, file->gid,
		                         file->mode, NULL,      0 };
	if (v == NULL)
		return err_set(e, ERR_INVALID,
		               "the secret has no field '%s' (file '%s/%s')", file->field,
		               file->binding, file->name);
	switch (v->type) {
	case V_STRING:
	case V_BYTES:
	case V_NUMBER:
		out->p = v->text;
		out->n = v->len;
		return ERR_OK;
	case V_TRUE:
		out->p = "true";
		out->n = 4;
		return ERR_OK;
	case V_FALSE:
		out->p = "false";
		out->n = 5;
		return ERR_OK;
	default:
		return err_set(
			e, ERR_INVALID,
			"field '%s' is no text, number or truth value (file '%s/%s')",
			file->field, file->binding, file->name);
	}
}

/* A secret is delivered whole or not at all: look at every field before anything is
 * written. */
static void check_fields(const struct files *f, struct files_value *values)
{
	for (size_t i = 0; i < f->n_slots; i++) {
		const struct settings_file *file = f->slots[i].file;
		struct files_value *v = &values[file->path_index];
		struct generation_file out;

		if (v->data != NULL && v->rc == ERR_OK)
			v->rc = content_of(v->data, file, &out, &v->e);
	}
}

static bool is_new(const struct files_value *v)
{
	return v->data != NULL && v->rc == ERR_OK;
}

/* One binding's next generation, as it is put together. */
struct batch {
	struct files *f;
	struct arena *a;
	struct files_value *values;
	size_t binding;
	struct generation_dir d;
	size_t n;
	struct generation_file *out;
	struct slot *slots; /* the binding's slots as they will be; out[] has those that
	                       are present */
};

static int carry(struct batch *w, struct slot *s, struct generation_file *out)
{
	unsigned char digest[FILES_DIGEST];
	const char *p = NULL;
	size_t n = 0;

	if (files_read_slot(w->a, &w->d, w->f->bindings[w->binding].current, s, &p, &n) !=
	    0)
		return -1;
	files_digest(w->f, s, p, n, digest);
	if (memcmp(digest, s->digest, sizeof(digest)) != 0)
		return -1;
	*out = (struct generation_file){
		s->file->name, s->file->uid, s->file->gid, s->file->mode, p, n
	};
	return 0;
}

static int add_slot(struct batch *w, struct slot *s, struct err *e)
{
	struct files_value *v = &w->values[s->file->path_index];
	struct generation_file *out = &w->out[w->n];
	int rc;

	if (!is_new(v)) {
		/* Changed behind our back: left out now, fetched again soon. */
		if (s->present && carry(w, s, out) != 0)
			s->present = false;
		w->n += s->present ? 1 : 0;
		return ERR_OK;
	}
	if ((rc = content_of(v->data, s->file, out, e)) != ERR_OK)
		return rc;
	snprintf(s->lease_id, sizeof(s->lease_id), "%s", v->lease_id);
	s->version = v->version;
	files_digest(w->f, s, out->p, out->n, s->digest);
	s->present = true;
	w->n++;
	return ERR_OK;
}

static void retire(struct files *f, struct batch *w, int64_t now)
{
	struct binding *b = &f->bindings[w->binding];

	if (b->current == 0)
		return;
	if (b->n_old == FILES_OLD_MAX) {
		generation_remove(&w->d, b->old[0].number);
		memmove(&b->old[0], &b->old[1], (FILES_OLD_MAX - 1) * sizeof(b->old[0]));
		b->n_old--;
	}
	b->old[b->n_old++] = (struct old){ b->current, now + f->o.settings->grace_ms };
}

/* The slots of one binding need not be neighbours: they are visited in order. */
static int collect(struct batch *w, struct err *e)
{
	int rc;

	for (size_t i = 0; i < w->f->n_slots; i++)
		if (w->slots[i].binding == w->binding &&
		    (rc = add_slot(w, &w->slots[i], e)) != ERR_OK)
			return rc;
	return ERR_OK;
}

static void keep(struct batch *w, unsigned number)
{
	struct files *f = w->f;

	for (size_t i = 0; i < f->n_slots; i++) {
		if (f->slots[i].binding != w->binding)
			continue;
		f->slots[i] = w->slots[i];
		if (f->slots[i].present &&
		    files_stat_slot(&f->slots[i], &w->d, number) != 0)
			f->slots[i].present = false;
	}
	f->bindings[w->binding].current = number;
}

/* The notes describe the slots as they will be; on failure they are as they were. */
static int write_generation(struct batch *w, unsigned number, struct err *e)
{
	struct files *f = w->f;
	struct slot *before = f->slots;
	char *meta;

	f->slots = w->slots;
	meta = files_meta(f, w->binding, w->a);
	f->slots = before;
	if (meta == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return generation_write(&w->d, number, w->out, w->n, meta, e);
}

static int deliver_binding(struct batch *w, int64_t now, struct err *e)
{
	struct files *f = w->f;
	unsigned number;
	int rc;

	w->n = 0;
	w->out = arena_alloc(w->a, (f->n_slots + 1) * sizeof(*w->out));
	w->slots = arena_dup(w->a, f->slots, f->n_slots * sizeof(*f->slots));
	if (w->out == NULL || w->slots == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = files_open(f, &f->bindings[w->binding], &w->d, e)) != ERR_OK)
		return rc;
	number = generation_current(&w->d);
	f->bindings[w->binding].current = number;
	if ((rc = collect(w, e)) == ERR_OK &&
	    (rc = write_generation(w, number + 1, e)) == ERR_OK) {
		retire(f, w, now);
		keep(w, number + 1);
	}
	close(w->d.fd);
	return rc;
}

static bool binding_has_new(const struct files *f, size_t binding,
                            const struct files_value *values)
{
	for (size_t i = 0; i < f->n_slots; i++)
		if (f->slots[i].binding == binding &&
		    is_new(&values[f->slots[i].file->path_index]))
			return true;
	return false;
}

static void blame(const struct files *f, size_t binding, struct files_value *values,
                  int rc, const struct err *e)
{
	for (size_t i = 0; i < f->n_slots; i++) {
		struct files_value *v = &values[f->slots[i].file->path_index];

		if (f->slots[i].binding == binding && is_new(v)) {
			v->rc = rc;
			v->e = *e;
		}
	}
}

void files_deliver(struct files *f, struct arena *a, struct files_value *values,
                   int64_t now)
{
	check_fields(f, values);
	for (size_t i = 0; i < f->n_paths; i++)
		if (is_new(&values[i]))
			f->held[i].expires = values[i].expires;
	for (size_t i = 0; i < f->n_bindings; i++) {
		struct batch w = { .f = f, .a = a, .values = values, .binding = i };
		struct err e = { 0 };
		int rc;

		if (!binding_has_new(f, i, values))
			continue;
		if ((rc = deliver_binding(&w, now, &e)) != ERR_OK)
			blame(f, i, values, rc, &e);
	}
	files_settle(f);
}
