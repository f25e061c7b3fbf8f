/* SPDX-License-Identifier: Apache-2.0 */
#include "scan.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "rng.h"
#include "scan_build.h"
#include "scan_images.h"
#include "scan_impl.h"
#include "scanner/worker/held.h"
#include "scanner/worker/record_finding.h"

const char *scan_visibility_name(enum scan_visibility v)
{
	static const char *const names[] = { "visible", "deleted", "overwritten" };

	return names[v];
}

void scan_skip_add(struct scan *s, const char *source, const char *layer,
                   const char *path, const char *why)
{
	const struct scan_skip skip = { source != NULL ? source : "",
		                        layer != NULL ? layer : "", path, why };

	s->totals.skipped++;
	s->sink.skipped(s->ctx, &skip);
}

void scan_tell(struct scan *s, struct finding *f, const struct scan_place *at)
{
	if (f->drop == DROP_NONE && s->sink.filter != NULL)
		f->drop = s->sink.filter(s->ctx, f, at);
	if (f->drop == DROP_NONE)
		s->totals.findings++;
	else
		s->totals.filtered++;
	if (f->drop == DROP_NONE || s->o.show_filtered)
		s->sink.finding(s->ctx, f, at);
}

static void on_finding(struct scan *s, const struct job *j, const struct record *r)
{
	struct finding f;
	struct scan_place at = { .later = "" };

	if (record_get_finding(r, &s->rules, &f, &at) != 0) {
		scan_skip_add(s, j->source, j->layer, "", "a worker sent a bad finding");
		return;
	}
	scan_tell(s, &f, &at);
}

static void on_bytes(struct scan *s, const struct record *r)
{
	s->progress.bytes += r->number[0];
	s->progress.blobs += r->number[1];
	s->totals.filtered += r->number[2];
	if (s->sink.progress != NULL)
		s->sink.progress(s->ctx, &s->progress);
}

static void on_sandbox(struct scan *s, const struct record *r)
{
	for (unsigned i = 0; i < WIRE_TEXTS && s->sink.sandbox != NULL; i++)
		if (*r->text[i] != '\0')
			s->sink.sandbox(s->ctx, r->text[i]);
}

/* Nothing if it is there, or out of memory. */
static void add_name(struct scan *s, const char *text)
{
	struct scan_name **at = &s->names;
	const size_t n = strlen(text) + 1;

	for (; *at != NULL; at = &(*at)->next)
		if (strcmp((*at)->text, text) == 0)
			return;
	*at = calloc(1, sizeof(**at) + n);
	if (*at != NULL)
		memcpy((*at)->text, text, n);
}

static void on_record(void *ctx, struct job *j, const struct record *r)
{
	struct scan *s = ctx;

	if (r->type == RECORD_SANDBOX)
		on_sandbox(s, r);
	if (j == NULL || (j->tag != NULL && image_archive_record(j->tag, j, r)))
		return;
	switch (r->type) {
	case RECORD_FINDING:
		on_finding(s, j, r);
		break;
	case RECORD_SKIPPED:
		scan_skip_add(s, j->source, r->text[1], r->text[0], r->text[2]);
		break;
	case RECORD_BYTES:
	case RECORD_DONE:
		on_bytes(s, r);
		break;
	case RECORD_REFERENCE:
		if (j->format == FORMAT_DOCKERFILE || j->format == FORMAT_COMPOSE)
			scan_build_reference(s, j, r->text[0]);
		else if (j->format == FORMAT_CONTAINERS)
			add_name(s, r->text[0]);
		break;
	default:
		break;
	}
}

static void on_lost(void *ctx, struct job *j, unsigned item, const char *where,
                    const char *why)
{
	struct scan *s = ctx;
	char path[2 * WIRE_PATH_MAX];
	const char *name = j->name[item];

	/* ${where} may be the item itself, or a member of it. */
	if (*where == '\0' || strcmp(where, name) == 0)
		(void)snprintf(path, sizeof(path), "%s", name);
	else
		(void)snprintf(path, sizeof(path), "%s (at %s)", name, where);
	scan_skip_add(s, j->source, j->layer, path, why);
}

static void on_done(void *ctx, struct job *j)
{
	struct scan *s = ctx;

	s->progress.jobs_done++;
	s->progress.layers_done += j->format == FORMAT_LAYER;
	if (j->tag != NULL)
		image_archive_job_done(j->tag);
}

static int start(struct scan *s, struct err *e)
{
	static const struct pool_events events = { on_record, on_lost, on_done };
	struct pool_options po = { .workers = s->o.workers,
		                   .stall_ms = s->o.stall_ms,
		                   .require_sandbox = s->o.require_sandbox,
		                   .limits = &scan_limits_default,
		                   .hash_key = s->hash_key,
		                   .options = &s->options };
	int rc;

	s->options.filtered = s->o.show_filtered;
	s->options.reveal = s->o.reveal;
	s->options.known = s->o.known;
	if (s->o.key != NULL)
		memcpy(s->options.key, s->o.key, sizeof(s->options.key));
	else
		rng_bytes(s->options.key, sizeof(s->options.key));
	rng_bytes(s->hash_key, sizeof(s->hash_key));
	if ((rc = rules_builtin(&s->rules, e)) != ERR_OK)
		return rc;
	if (s->o.rules != NULL && rules_add_file(&s->rules, s->o.rules, e) != ERR_OK)
		return (int)(e->code = ERR_USAGE);
	if ((rc = scan_engine_new(&s->rules, &s->engine, e)) != ERR_OK)
		return rc;
	po.engine = s->engine;
	s->pool = pool_new(&po, &events, s, e);
	return s->pool != NULL ? ERR_OK : (int)e->code;
}

struct scan *scan_new(const struct scan_config *o, const struct scan_listener *sink,
                      void *ctx, struct err *e)
{
	struct scan *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->o = *o;
	s->sink = *sink;
	s->ctx = ctx;
	if (start(s, e) == ERR_OK)
		return s;
	scan_free(s);
	return NULL;
}

static void free_names(struct scan_name *one)
{
	while (one != NULL) {
		struct scan_name *next = one->next;

		free(one);
		one = next;
	}
}

void scan_free(struct scan *s)
{
	if (s == NULL)
		return;
	job_free(s->batch);
	pool_free(s->pool);
	while (s->archives != NULL)
		image_archive_free(s->archives);
	free_names(s->names);
	scan_build_free(s);
	scan_engine_free(s->engine);
	rules_free(&s->rules);
	free(s);
}

int scan_submit(struct scan *s, struct job *j, struct err *e)
{
	if (j == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->progress.jobs++;
	return pool_submit(s->pool, j, e);
}

int scan_flush(struct scan *s, struct err *e)
{
	struct job *j = s->batch;

	s->batch = NULL;
	s->batch_bytes = 0;
	return j != NULL ? scan_submit(s, j, e) : ERR_OK;
}

int scan_add_file(struct scan *s, int fd, const char *path, uint64_t size, struct err *e)
{
	int rc = ERR_OK;

	if (s->batch != NULL && !(job_fits(s->batch, path) && held_fits(s->batch, size)))
		rc = scan_flush(s, e);
	if (s->batch == NULL)
		s->batch = job_new(FORMAT_FILE, CHANNEL_FILE, NULL, NULL);
	if (rc != ERR_OK || s->batch == NULL) {
		close(fd);
		return rc != ERR_OK ? rc : err_set(e, ERR_NOMEM, "out of memory");
	}
	if (!pool_add_held(s->pool, s->batch, fd, size, path) &&
	    !job_add(s->batch, fd, path))
		scan_skip_add(s, NULL, NULL, path, "its name is too long");
	s->batch_bytes += size;
	return s->batch_bytes >= SCAN_BATCH_BYTES ? scan_flush(s, e) : ERR_OK;
}

bool scan_excluded(const struct scan *s, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;

	for (size_t i = 0; i < s->o.excludes; i++)
		if (fnmatch(s->o.exclude[i], path, 0) == 0 ||
		    fnmatch(s->o.exclude[i], name, 0) == 0)
			return true;
	return false;
}

int scan_fd(struct scan *s, int fd, const char *name, enum scan_channel channel,
            struct err *e)
{
	struct job *j = job_new(FORMAT_FILE, channel, NULL, NULL);
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0 || j == NULL) {
		job_free(j);
		return err_set(e, ERR_IO, "%s cannot be read", name);
	}
	j->streamed = true;
	if (!job_add(j, copy, name)) {
		job_free(j);
		return err_set(e, ERR_INVALID, "the name is too long");
	}
	return scan_submit(s, j, e);
}

/* Directories that files name, when the files have been read. */
static int walk_folders(struct scan *s, struct err *e)
{
	int rc = ERR_OK;

	while (s->folders != NULL && rc == ERR_OK) {
		struct scan_folder *one = s->folders;

		s->folders = one->next;
		rc = scan_tree(s, one->fd, one->path, one, e);
		free(one);
	}
	return rc;
}

int scan_finish(struct scan *s, struct scan_totals *out, struct err *e)
{
	int rc = scan_flush(s, e);

	if (rc == ERR_OK)
		rc = pool_drain(s->pool, e);
	if (rc == ERR_OK && s->folders != NULL) {
		rc = walk_folders(s, e);
		if (rc == ERR_OK)
			rc = scan_flush(s, e);
		if (rc == ERR_OK)
			rc = pool_drain(s->pool, e);
	}
	s->totals.bytes = s->progress.bytes;
	s->totals.blobs = s->progress.blobs;
	*out = s->totals;
	return rc;
}
