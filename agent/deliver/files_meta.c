/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notes beside a generation: what each file is, without its value.  They let an agent
 * that starts again see whether the files in place are good, and when their leases end.
 * Times are of the boot clock, so they count only in the boot that they were made in.
 */
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "agent/reply.h"
#include "files_impl.h"
#include "log.h"

/* [path, lease, version] of each secret. */
static json_t *deps_note(const struct files *f, const struct dep *deps, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct dep *d = &deps[i];

		if (json_array_append_new(
			    list, json_pack("[s, s, I]", f->o.plan->paths[d->path].path,
		                            d->lease_id, (json_int_t)d->version)) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* What the template named, and which secrets that was. */
static json_t *asked_note(const struct files *f, const struct slot *s)
{
	const struct uses_key k = plan_key(s->plan);
	json_t *o;
	size_t n;
	const char *const *asked = f->o.uses == NULL ? NULL : uses_of(f->o.uses, &k, &n);

	if (s->plan->template == NULL || asked == NULL)
		return NULL;
	o = json_object();
	for (size_t i = 0; i < n; i++) {
		const char *path = uses_path(f->o.uses, asked[i]);

		json_object_set_new(o, asked[i],
		                    path != NULL ? json_string(path) : json_null());
	}
	return o;
}

static json_t *slot_note(const struct files *f, const struct slot *s)
{
	json_t *o = json_pack("{s:s, s:[I, I], s:o, s:o*}", "recipe", s->plan->recipe,
	                      "written", (json_int_t)s->written.tv_sec,
	                      (json_int_t)s->written.tv_nsec, "secrets",
	                      deps_note(f, s->deps, s->n_deps), "asked",
	                      asked_note(f, s));

	if (o != NULL && reply_set_hex(o, "digest", s->digest, sizeof(s->digest)) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static void note_expiry(const struct files *f, const struct slot *s, json_t *expires)
{
	for (size_t i = 0; i < s->n_deps; i++) {
		size_t path = s->deps[i].path;

		json_object_set_new(expires, f->o.plan->paths[path].path,
		                    json_integer((json_int_t)f->held[path].expires));
	}
}

char *files_meta(const struct files *f, size_t binding, const struct slot *slots,
                 struct arena *a)
{
	const struct binding *b = &f->bindings[binding];
	json_t *names = json_object(), *expires = json_object();
	AUTO_JSON doc = json_pack("{s:s, s:o, s:o, s:I, s:o}", "boot", f->boot_id,
	                          "files", names, "expires", expires, "last",
	                          (json_int_t)b->last, "rejected",
	                          deps_note(f, b->rejected, b->n_rejected));
	AUTO_TEXT text = NULL;

	for (size_t i = 0; doc != NULL && i < f->o.plan->bindings[binding].n; i++) {
		if (!slots[i].present)
			continue;
		if (json_object_set_new(names, slots[i].plan->file->name,
		                        slot_note(f, &slots[i])) != 0)
			return NULL;
		note_expiry(f, &slots[i], expires);
	}
	if (doc == NULL || files_set_judged(doc, &b->note) != 0)
		return NULL;
	text = reply_text(doc);
	return text != NULL ? arena_str(a, text) : NULL;
}

json_t *files_notes(const struct generation_dir *d, unsigned number)
{
	AUTO_CLOSE int fd = generation_open_file(d, number, GENERATION_META);
	struct stat st;

	/* Only notes that nobody else could have written count. */
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_uid != geteuid() ||
	    (st.st_mode & 077) != 0 || st.st_size > (off_t)FILES_META_MAX)
		return NULL;
	return json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
}

static int take_dep(const struct files *f, const json_t *note, struct dep *out)
{
	const char *path = json_string_value(json_array_get(note, 0));
	const char *lease = json_string_value(json_array_get(note, 1));

	if (path == NULL || lease == NULL || strlen(lease) >= sizeof(out->lease_id))
		return -1;
	out->path = plan_path(f->o.plan, path);
	out->version = (int64_t)json_integer_value(json_array_get(note, 2));
	memcpy(out->lease_id, lease, strlen(lease) + 1);
	return out->path < f->n_paths && out->version > 0 ? 0 : -1;
}

static int take_deps(const struct files *f, struct slot *s, const json_t *list)
{
	size_t n = json_array_size(list), i;
	struct dep *deps = calloc(n + 1, sizeof(*deps));
	const json_t *item;
	int rc = deps == NULL || n == 0 ? -1 : 0;

	json_array_foreach(list, i, item)
	{
		if (rc == 0)
			rc = take_dep(f, item, &deps[i]);
	}
	if (rc == 0)
		rc = files_set_deps(s, deps, n);
	free(deps);
	return rc;
}

/* What is not wanted any more cannot come again. */
static void take_rejected(const struct files *f, struct binding *b, const json_t *list)
{
	const json_t *item;
	size_t i;

	free(b->rejected);
	b->n_rejected = 0;
	b->rejected = calloc(json_array_size(list) + 1, sizeof(*b->rejected));
	if (b->rejected == NULL)
		return;
	json_array_foreach(list, i, item)
	{
		if (take_dep(f, item, &b->rejected[b->n_rejected]) == 0)
			b->n_rejected++;
	}
}

const json_t *files_slot_notes(const json_t *doc, const struct slot *s)
{
	return json_object_get(json_object_get(doc, "files"), s->plan->file->name);
}

static struct timespec take_time(const json_t *list)
{
	return (struct timespec){
		.tv_sec = (time_t)json_integer_value(json_array_get(list, 0)),
		.tv_nsec = (long)json_integer_value(json_array_get(list, 1)),
	};
}

bool files_slot_is_good(const struct files *f, struct slot *s, const json_t *note,
                        const struct generation_dir *d, unsigned number)
{
	AUTO_ARENA a = arena_new(2 * FILES_CONTENT_MAX);
	const char *recipe = reply_str(note, "recipe"), *p = NULL;
	unsigned char digest[FILES_DIGEST];
	size_t n = 0;
	int rc;

	if (a == NULL || recipe == NULL || strcmp(recipe, s->plan->recipe) != 0 ||
	    take_deps(f, s, json_object_get(note, "secrets")) != 0 ||
	    reply_hex(note, "digest", s->digest, sizeof(s->digest)) != 0)
		return false;
	s->written = take_time(json_object_get(note, "written"));
	rc = files_read_slot(a, d, number, s, &p, &n);
	if (rc == ERR_OK)
		files_digest(f, s, p, n, digest);
	/* What cannot be read is known by its time. */
	if (rc != ERR_DENIED &&
	    (rc != ERR_OK || sodium_memcmp(digest, s->digest, sizeof(digest)) != 0))
		return false;
	return files_stat_slot(s, d, number) == 0;
}

static void take_slot(struct files *f, struct slot *s, const json_t *doc,
                      const struct generation_dir *d, unsigned number)
{
	const json_t *expires = json_object_get(doc, "expires");
	const char *boot = reply_str(doc, "boot");

	s->present = files_slot_is_good(f, s, files_slot_notes(doc, s), d, number);
	if (!s->present) {
		s->n_deps = 0;
		return;
	}
	for (size_t i = 0; boot != NULL && strcmp(boot, f->boot_id) == 0 && i < s->n_deps;
	     i++)
		f->held[s->deps[i].path].expires =
			reply_int(expires, f->o.plan->paths[s->deps[i].path].path, 0);
}

/* The one before, if the current may still have to give way to it. */
static void keep_base(struct binding *b, const struct generation_dir *d)
{
	AUTO_JSON doc = NULL;

	if (b->note.judged || b->note.base == 0 || b->note.base == b->current)
		return;
	doc = files_notes(d, b->note.base);
	if (doc != NULL)
		b->old[b->n_old++] = (struct old){ .number = b->note.base };
}

static void load_notes(struct files *f, size_t binding, const struct generation_dir *d,
                       const json_t *doc)
{
	struct binding *b = &f->bindings[binding];
	int64_t last = reply_int(doc, "last", 0);

	b->last = last > b->current && last <= UINT32_MAX ? (unsigned)last : b->current;
	take_rejected(f, b, json_object_get(doc, "rejected"));
	for (size_t i = files_first(f, binding); i < files_end(f, binding); i++) {
		take_slot(f, &f->slots[i], doc, d, b->current);
		files_accept(b, f->slots[i].deps, f->slots[i].n_deps);
	}
}

void files_load(struct files *f, size_t binding)
{
	struct binding *b = &f->bindings[binding];
	struct generation_dir d;
	AUTO_JSON doc = NULL;
	struct err e = { 0 };

	if (files_open(f, b, &d, &e) != ERR_OK) {
		log_error("a binding cannot be used", LOG_S("binding", b->name),
		          LOG_S("why", e.msg));
		return;
	}
	b->current = generation_current(&d);
	doc = b->current != 0 ? files_notes(&d, b->current) : NULL;
	b->note = files_judged(doc);
	keep_base(b, &d);
	generation_recover(&d, b->n_old > 0 ? b->old[0].number : 0);
	b->current = generation_current(&d);
	if (b->current != 0)
		load_notes(f, binding, &d, doc);
	close(d.fd);
}
