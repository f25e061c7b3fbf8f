/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_filter.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "scanner/filter/baseline.h"
#include "scanner/filter/ignore.h"
#include "scanner/filter/place.h"
#include "text.h"

#define VAULT_RULE "vault-secret"

struct scan_filter {
	char cwd[PLACE_MAX];
	struct ignore *ignore;
	struct baseline *known; /* NULL: none is given */
	struct baseline *fresh; /* NULL: none is to be written */
	/* Where their paths begin: a baseline goes with what is beside and below it. */
	char known_dir[PLACE_MAX], fresh_dir[PLACE_MAX];
	const char *write_to;
	unsigned char key[SCAN_KEY];
	char by[PLACE_MAX];
	struct err failed; /* of noting a finding */
};

/* --- what flags name ---------------------------------------------------------------- */

static int add_if_there(struct scan_filter *f, const char *dir, struct err *e)
{
	char path[PLACE_MAX];
	struct stat st;
	int rc;

	if (snprintf(path, sizeof(path), "%s%s" IGNORE_NAME, dir,
	             *dir != '\0' ? "/" : "") >= (int)sizeof(path) ||
	    stat(path, &st) != 0)
		return ERR_OK;
	rc = ignore_add_file(f->ignore, path, f->cwd, e);
	/* It went meanwhile. */
	return rc == ERR_NOENT ? ERR_OK : rc;
}

/* Those of directories below count for what is in them; that of the working directory
 * comes first, so that they may take back what it says. */
static int read_ignores(struct scan_filter *f, const struct cli *c, struct err *e)
{
	const char *named = cli_flag(c, "ignore-file");
	char dir[PLACE_MAX];
	struct stat st;
	int rc;

	if (cli_flag(c, "no-ignore") != NULL)
		return named == NULL ? ERR_OK
		                     : err_set(e, ERR_USAGE,
		                               "--ignore-file and --no-ignore: which?");
	if (named != NULL)
		return ignore_add_file(f->ignore, named, f->cwd, e);
	rc = add_if_there(f, "", e);
	for (int i = 0; rc == ERR_OK && i < c->args; i++)
		if (stat(c->arg[i], &st) == 0 && S_ISDIR(st.st_mode) &&
		    place_absolute(f->cwd, c->arg[i], dir, sizeof(dir)) &&
		    strcmp(dir, f->cwd) != 0)
			rc = add_if_there(f, c->arg[i], e);
	return rc;
}

static int dir_of(const struct scan_filter *f, const char *file, char dir[PLACE_MAX],
                  struct err *e)
{
	char *slash;

	if (!place_absolute(f->cwd, file, dir, PLACE_MAX))
		return err_set(e, ERR_USAGE, "the name of the baseline is too long");
	slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	return ERR_OK;
}

static int open_baseline(const char *file, const char *key, bool make,
                         struct baseline **out, struct err *e)
{
	char path[PLACE_MAX];
	int rc;

	if (key == NULL &&
	    snprintf(path, sizeof(path), "%s.key", file) >= (int)sizeof(path))
		return err_set(e, ERR_USAGE, "the name of the baseline is too long");
	rc = baseline_new(key != NULL ? key : path, make, out, e);
	return rc == ERR_OK ? rc : err_wrap(e, "the baseline's key");
}

static int read_baselines(struct scan_filter *f, const struct cli *c, struct err *e)
{
	const char *known = cli_flag(c, "baseline"),
		   *fresh = cli_flag(c, "write-baseline");
	const char *key = cli_flag(c, "baseline-key");
	const char *name = known != NULL ? known : fresh;
	int rc = ERR_OK;

	if (name == NULL)
		return key == NULL ? ERR_OK
		                   : err_set(e, ERR_USAGE,
		                             "--baseline-key without a "
		                             "baseline");
	if (known != NULL) {
		rc = open_baseline(name, key, false, &f->known, e);
		if (rc == ERR_OK)
			rc = baseline_read(f->known, known, e);
		if (rc == ERR_OK)
			rc = dir_of(f, known, f->known_dir, e);
	}
	if (rc == ERR_OK && fresh != NULL)
		rc = open_baseline(name, key, known == NULL, &f->fresh, e);
	if (rc == ERR_OK && fresh != NULL)
		rc = dir_of(f, fresh, f->fresh_dir, e);
	f->write_to = fresh;
	if (rc == ERR_OK)
		baseline_scan_key(f->known != NULL ? f->known : f->fresh, f->key);
	return rc;
}

int scan_filter_new(const struct cli *c, struct scan_filter **out, struct err *e)
{
	struct scan_filter *f = calloc(1, sizeof(*f));
	int rc;

	if (f == NULL || (f->ignore = ignore_new()) == NULL) {
		free(f);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	if (getcwd(f->cwd, sizeof(f->cwd)) == NULL)
		snprintf(f->cwd, sizeof(f->cwd), "/");
	rc = read_ignores(f, c, e);
	if (rc == ERR_OK)
		rc = read_baselines(f, c, e);
	if (rc != ERR_OK) {
		scan_filter_free(f);
		/* What is named and cannot be used is wrong usage, whatever the reason.
		 */
		return (int)(e->code = ERR_USAGE);
	}
	*out = f;
	return ERR_OK;
}

void scan_filter_free(struct scan_filter *f)
{
	if (f == NULL)
		return;
	ignore_free(f->ignore);
	baseline_free(f->known);
	baseline_free(f->fresh);
	sodium_memzero(f, sizeof(*f));
	free(f);
}

const unsigned char *scan_filter_key(const struct scan_filter *f)
{
	return scan_filter_keyed(f) ? f->key : NULL;
}

bool scan_filter_keyed(const struct scan_filter *f)
{
	return f->known != NULL || f->fresh != NULL;
}

/* --- findings ----------------------------------------------------------------------- */

/* Of the working directory's file system, and not of an image or a stream. */
static bool is_ours(const struct scan_place *at)
{
	switch (at->channel) {
	case CHANNEL_FILE:
	case CHANNEL_COMPOSE:
	case CHANNEL_DOCKERFILE:
		return *at->source == '\0';
	default:
		return false;
	}
}

static const char *rule_of(const struct finding *one)
{
	return one->rule != NULL ? one->rule->id : VAULT_RULE;
}

/* As it is named from ${dir}. */
static void path_of(const struct scan_filter *f, const char *dir,
                    const struct scan_place *at, char out[PLACE_MAX])
{
	char path[PLACE_MAX];
	const char *below;

	if (!is_ours(at) || !place_absolute(f->cwd, at->path, path, sizeof(path))) {
		(void)snprintf(out, PLACE_MAX, "%s", at->path);
		return;
	}
	below = place_below(dir, path);
	(void)snprintf(out, PLACE_MAX, "%s", below != NULL ? below : path);
}

void scan_filter_id(const struct scan_filter *f, const struct finding *one,
                    const struct scan_place *at, unsigned char out[REPORT_ID])
{
	char path[PLACE_MAX];

	path_of(f, f->cwd, at, path);
	report_place_id(out, path, one);
}

static bool is_ignored(struct scan_filter *f, const struct finding *one,
                       const struct scan_place *at)
{
	unsigned char id[REPORT_ID];
	char names[2][2 * REPORT_ID + 1], path[PLACE_MAX];
	bool ours = is_ours(at);
	struct ignore_what w = {
		.foreign = !ours,
		.rule = rule_of(one),
		.names = {names[0], NULL},
		.exact = one->known != NULL
	};

	scan_filter_id(f, one, at, id);
	text_hex(id, sizeof(id), names[0]);
	if (scan_filter_keyed(f)) {
		text_hex(one->fingerprint, FINDING_FINGERPRINT, names[1]);
		w.names[1] = names[1];
	}
	w.path = at->path;
	if (ours && place_absolute(f->cwd, at->path, path, sizeof(path)))
		w.path = path;
	while (!ours && *w.path == '/')
		w.path++;
	return ignore_match(f->ignore, &w, f->by, sizeof(f->by));
}

/* Baselines hold UTF-8.  The path's text, or NULL; *hold is the caller's. */
static const char *baseline_path(const struct scan_filter *f, const char *dir,
                                 const struct scan_place *at, json_t **hold)
{
	char path[PLACE_MAX];

	path_of(f, dir, at, path);
	*hold = report_text(path);
	return json_string_value(*hold);
}

static bool in_baseline(const struct scan_filter *f, const struct finding *one,
                        const struct scan_place *at)
{
	json_t *hold = NULL;
	const char *path = f->known != NULL ? baseline_path(f, f->known_dir, at, &hold)
	                                    : NULL;
	bool found = path != NULL &&
	             baseline_has(f->known, rule_of(one), path, one->fingerprint);

	json_decref(hold);
	return found;
}

static void note(struct scan_filter *f, const struct finding *one,
                 const struct scan_place *at)
{
	json_t *hold = NULL;
	const char *path;

	if (f->fresh == NULL || f->failed.code != ERR_OK)
		return;
	path = baseline_path(f, f->fresh_dir, at, &hold);
	if (path != NULL)
		(void)!baseline_add(f->fresh, rule_of(one), path, one->fingerprint,
		                    &f->failed);
	json_decref(hold);
}

enum drop scan_filter_judge(struct scan_filter *f, const struct finding *one,
                            const struct scan_place *at)
{
	f->by[0] = '\0';
	if (is_ignored(f, one, at))
		return DROP_SUPPRESSED;
	note(f, one, at);
	return in_baseline(f, one, at) ? DROP_BASELINE : DROP_NONE;
}

const char *scan_filter_by(const struct scan_filter *f, const struct finding *one)
{
	return one->drop == DROP_SUPPRESSED && f->by[0] != '\0' ? f->by : NULL;
}

int scan_filter_finish(struct scan_filter *f, struct err *e)
{
	if (f->fresh == NULL)
		return ERR_OK;
	if (f->failed.code != ERR_OK)
		return err_set(e, f->failed.code, "%s", f->failed.msg);
	return baseline_write(f->fresh, f->write_to, e);
}
