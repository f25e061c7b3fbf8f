/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notes beside a generation: what each file is, without its value.  They let an agent
 * that starts again see whether the files in place are good, and when their leases end.
 * Times are of the boot clock, so they count only in the boot that they were made in.
 */
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <string.h>

#include "agent/reply.h"
#include "files_impl.h"
#include "log.h"

static json_t *slot_note(const struct files *f, const struct slot *s)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:I}", "path", s->file->path, "field",
	                      s->file->field, "lease", s->lease_id, "version",
	                      (json_int_t)s->version, "expires",
	                      (json_int_t)f->held[s->file->path_index].expires);

	if (o != NULL && reply_set_hex(o, "digest", s->digest, sizeof(s->digest)) == 0)
		return o;
	json_decref(o);
	return NULL;
}

char *files_meta(const struct files *f, size_t binding, struct arena *a)
{
	json_t *names = json_object();
	AUTO_JSON doc = json_pack("{s:s, s:o}", "boot", f->boot_id, "files", names);
	AUTO_TEXT text = NULL;

	for (size_t i = 0; doc != NULL && i < f->n_slots; i++) {
		const struct slot *s = &f->slots[i];

		if (s->binding == binding && s->present &&
		    json_object_set_new(names, s->file->name, slot_note(f, s)) != 0)
			return NULL;
	}
	text = doc != NULL ? reply_text(doc) : NULL;
	return text != NULL ? arena_str(a, text) : NULL;
}

static json_t *read_notes(const struct generation_dir *d, unsigned number)
{
	AUTO_CLOSE int fd = generation_open_file(d, number, GENERATION_META);
	struct stat st;

	/* Only notes that nobody else could have written count. */
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_uid != geteuid() ||
	    (st.st_mode & 077) != 0 || st.st_size > (off_t)FILES_META_MAX)
		return NULL;
	return json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
}

/* Is the file in place what the notes say, and what the settings want? */
static bool slot_is_good(const struct files *f, struct slot *s, const json_t *note,
                         const struct generation_dir *d, unsigned number)
{
	AUTO_ARENA a = arena_new(2 * FILES_CONTENT_MAX);
	const char *path = reply_str(note, "path"), *field = reply_str(note, "field");
	const char *lease = reply_str(note, "lease"), *p = NULL;
	unsigned char digest[FILES_DIGEST];
	size_t n = 0;

	if (a == NULL || path == NULL || field == NULL || lease == NULL ||
	    strcmp(path, s->file->path) != 0 || strcmp(field, s->file->field) != 0 ||
	    strlen(lease) >= sizeof(s->lease_id) ||
	    reply_hex(note, "digest", s->digest, sizeof(s->digest)) != 0)
		return false;
	memcpy(s->lease_id, lease, strlen(lease) + 1);
	s->version = reply_int(note, "version", 0);
	if (s->version <= 0 || files_read_slot(a, d, number, s, &p, &n) != 0)
		return false;
	files_digest(f, s, p, n, digest);
	return sodium_memcmp(digest, s->digest, sizeof(digest)) == 0 &&
	       files_stat_slot(s, d, number) == 0;
}

static void take_slot(struct files *f, struct slot *s, const json_t *doc,
                      const struct generation_dir *d, unsigned number)
{
	const json_t *note = json_object_get(json_object_get(doc, "files"),
	                                     s->file->name);
	const char *boot = reply_str(doc, "boot");

	s->present = slot_is_good(f, s, note, d, number);
	if (!s->present) {
		s->version = 0;
		s->lease_id[0] = '\0';
		return;
	}
	if (boot != NULL && strcmp(boot, f->boot_id) == 0)
		f->held[s->file->path_index].expires = reply_int(note, "expires", 0);
}

void files_load(struct files *f, size_t binding)
{
	struct binding *b = &f->bindings[binding];
	struct generation_dir d;
	struct err e = { 0 };

	if (files_open(f, b, &d, &e) != ERR_OK) {
		log_error("a binding cannot be used", LOG_S("binding", b->name),
		          LOG_S("why", e.msg));
		return;
	}
	generation_recover(&d);
	b->current = generation_current(&d);
	if (b->current != 0) {
		AUTO_JSON doc = read_notes(&d, b->current);

		for (size_t i = 0; i < f->n_slots; i++)
			if (f->slots[i].binding == binding)
				take_slot(f, &f->slots[i], doc, &d, b->current);
	}
	close(d.fd);
}
