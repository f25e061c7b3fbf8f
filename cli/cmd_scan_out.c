/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_scan_out - what a scan tells: its report, in a file or on standard output. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd_scan.h"
#include "out.h"
#include "text.h"
#include "vault/version.h"

void scan_out_say(struct scan_run *r, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	scan_progress_clear(r->progress);
	say("%s", line);
}

/* --- where it goes ------------------------------------------------------------------ */

static bool wants_colour(const char *when, bool tty)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (when != NULL && strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	return tty && (no == NULL || *no == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

/* Beside the file that it becomes, so that it is never there in part. */
static int open_file(struct scan_run *r, const char *path, struct err *e)
{
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		/* A pipe or a device is written as it is. */
		r->out = fopen(path, "we");
		if (r->out != NULL)
			return ERR_OK;
		return err_sys(e, ERR_IO, errno, "%.120s cannot be written", path);
	}
	if ((r->out_path = strdup(path)) == NULL ||
	    asprintf(&r->out_temporary, "%s.XXXXXX", path) < 0) {
		r->out_temporary = NULL;
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	fd = mkostemp(r->out_temporary, O_CLOEXEC); /* with mode 0600 */
	r->out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (r->out != NULL)
		return ERR_OK;
	(void)err_sys(e, ERR_IO, errno, "%.120s cannot be written", path);
	if (fd >= 0) {
		close(fd);
		unlink(r->out_temporary);
	}
	free(r->out_temporary);
	r->out_temporary = NULL;
	return ERR_IO;
}

int scan_out_open(struct scan_run *r, struct err *e)
{
	const char *path = cli_flag(r->c, "output");

	if (path == NULL)
		path = cli_flag(r->c, "o");
	r->begun = time(NULL);
	r->out = stdout;
	r->colour = wants_colour(cli_flag(r->c, "color"), path == NULL && r->c->out_tty);
	return path != NULL && strcmp(path, "-") != 0 ? open_file(r, path, e) : ERR_OK;
}

int scan_out_close(struct scan_run *r, struct err *e)
{
	bool ok = fflush(r->out) == 0 && !ferror(r->out);

	if (r->out_temporary == NULL) {
		if (r->out != stdout)
			ok = fclose(r->out) == 0 && ok;
		r->out = stdout;
		return ok ? ERR_OK
		          : err_set(e, ERR_IO, "the report could not be written");
	}
	ok = ok && fsync(fileno(r->out)) == 0;
	ok = fclose(r->out) == 0 && ok;
	r->out = NULL;
	ok = ok && rename(r->out_temporary, r->out_path) == 0;
	if (!ok)
		(void)err_set(e, ERR_IO, "%.120s: the report could not be written",
		              r->out_path);
	else
		r->out_temporary[0] = '\0';
	return ok ? ERR_OK : ERR_IO;
}

void scan_out_drop(struct scan_run *r)
{
	if (r->out != NULL && r->out != stdout)
		(void)fclose(r->out);
	if (r->out_temporary != NULL && r->out_temporary[0] != '\0')
		unlink(r->out_temporary);
	r->out = NULL;
	free(r->out_temporary);
	free(r->out_path);
	r->out_temporary = r->out_path = NULL;
}

/* --- what is in it ------------------------------------------------------------------ */

/* Now, or at the end. */
static void put(struct scan_run *r, json_t *list, json_t *o)
{
	if (r->format != REPORT_JSONL) {
		json_array_append_new(list, o);
		return;
	}
	scan_progress_clear(r->progress);
	report_line(r->out, o);
	json_decref(o);
}

static enum drop on_filter(void *ctx, const struct finding *f,
                           const struct scan_place *at)
{
	const struct scan_run *r = ctx;

	return scan_filter_judge(r->filter, f, at);
}

static void on_finding(void *ctx, const struct finding *f, const struct scan_place *at)
{
	struct scan_run *r = ctx;
	char id[TEXT_BASE64_LEN(LEAK_ID) + 1];
	unsigned char place[REPORT_ID];
	json_t *row;

	scan_filter_id(r->filter, f, at, place);
	row = report_finding(f, at, place, scan_filter_by(r->filter, f));
	if (f->known == NULL || f->drop != DROP_NONE) {
		put(r, r->rows, row);
		return;
	}
	text_base64(f->known, LEAK_ID, id);
	json_array_append_new(r->known, row);
	json_array_append_new(r->ids, json_string(id));
}

static void name(json_t *row, const json_t *found)
{
	static const char *const members[][2] = {
		{"path",     "secret" },
		{ "version", "version"},
		{ "field",   "field"  },
		{ "state",   "state"  },
	};
	char title[4096];
	const char *path = json_string_value(json_object_get(found, "path"));
	const char *state = json_string_value(json_object_get(found, "state"));

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (json_object_get(found, members[i][0]) != NULL)
			json_object_set(row, members[i][1],
			                json_object_get(found, members[i][0]));
	if (path == NULL)
		return;
	snprintf(title, sizeof(title), "the vault's secret %s (%s)", path,
	         state != NULL ? state : "");
	json_object_set_new(row, "title", report_text(title));
}

static bool rotate_one(struct scan_run *r, const char *path)
{
	struct err e = { 0 };
	json_t *data = NULL;
	int rc = scan_vault_rotate(r->vault, path, &data, &e);
	const char *state = json_string_value(json_object_get(data, "state"));

	if (rc != ERR_OK)
		scan_out_say(r, "%s: not rotated: %s", path, e.msg);
	else
		scan_out_say(
			r, "%s: rotated: version %lld, %s", path,
			(long long)json_integer_value(json_object_get(data, "version")),
			state != NULL ? state : "?");
	json_decref(data);
	return rc == ERR_OK;
}

/* Each path once, if what was found is its newest version. */
static bool rotate_all(struct scan_run *r)
{
	json_t *done = json_object(), *row;
	bool ok = true;
	size_t i;

	json_array_foreach(r->known, i, row)
	{
		const char *path = json_string_value(json_object_get(row, "secret"));
		const char *state = json_string_value(json_object_get(row, "state"));

		if (path == NULL || state == NULL || strcmp(state, "current") != 0 ||
		    json_object_get(done, path) != NULL)
			continue;
		json_object_set_new(done, path, json_true());
		ok &= rotate_one(r, path);
	}
	json_decref(done);
	return ok;
}

bool scan_out_known(struct scan_run *r, bool rotate)
{
	struct err e = { 0 };
	json_t *found = NULL, *row;
	bool ok = true;
	size_t i;

	if (json_array_size(r->ids) > 0 &&
	    scan_vault_names(r->vault, r->ids, &found, &e) != ERR_OK) {
		scan_out_say(r, "the vault does not name what was found: %s", e.msg);
		ok = false;
	}
	json_array_foreach(r->known, i, row) name(row, json_array_get(found, i));
	if (ok && rotate)
		ok = rotate_all(r);
	json_array_foreach(r->known, i, row) put(r, r->rows, json_incref(row));
	json_decref(found);
	return ok;
}

static void on_skipped(void *ctx, const struct scan_skip *s)
{
	struct scan_run *r = ctx;

	put(r, r->skipped, report_skip(s));
}

static void on_progress(void *ctx, const struct scan_progress *p)
{
	const struct scan_run *r = ctx;

	scan_progress_show(r->progress, p);
}

static void on_sandbox(void *ctx, const char *missing)
{
	struct scan_run *r = ctx;

	/* Every worker says it. */
	if (!r->sandbox_said)
		scan_out_say(r, "the sandbox of the scanner is incomplete here: no %s",
		             missing);
	r->sandbox_said = true;
}

const struct scan_listener *scan_out_listener(void)
{
	static const struct scan_listener sink = { .finding = on_finding,
		                                   .filter = on_filter,
		                                   .skipped = on_skipped,
		                                   .progress = on_progress,
		                                   .sandbox = on_sandbox };

	return &sink;
}

void scan_out_end(struct scan_run *r, const struct scan_totals *t, bool failed)
{
	json_t *summary = report_summary(t, failed);
	const struct report report = { .rows = r->rows,
		                       .skipped = r->skipped,
		                       .summary = summary,
		                       .version = VAULT_VERSION,
		                       .begun = r->begun,
		                       .ended = time(NULL),
		                       .stable = scan_filter_keyed(r->filter),
		                       .colour = r->colour };

	scan_progress_clear(r->progress);
	report_sort(r->rows);
	if (r->format == REPORT_JSONL)
		report_line(r->out, summary);
	else
		report_write(r->out, r->format, &report);
	/* Whoever reads a file, or a table, is told here. */
	if (r->format == REPORT_TABLE || r->out != stdout)
		say("%llu finding%s, %llu filtered, %llu not scanned; %llu bytes "
		    "searched%s",
		    (unsigned long long)t->findings, t->findings == 1 ? "" : "s",
		    (unsigned long long)t->filtered, (unsigned long long)t->skipped,
		    (unsigned long long)t->bytes,
		    t->skipped > 0 || failed ? ": INCOMPLETE" : "");
	json_decref(summary);
}
