/* SPDX-License-Identifier: Apache-2.0 */
#include "witness.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "file.h"
#include "log.h"

#define FILE_MAX (4u * 1024)

static void path_of(const struct witness *w, const char *name, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%s", w->dir, name);
}

/* *text is NULL if there is none yet. */
static int read_last(const struct witness *w, struct arena *a, char **text, size_t *n,
                     struct err *e)
{
	char path[PATH_MAX];

	*text = NULL;
	path_of(w, WITNESS_FILE, path);
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (access(path, F_OK) != 0)
		return ERR_OK;
	return file_read(a, path, FILE_MAX, text, n, e);
}

static int load_last(struct witness *w, struct err *e)
{
	AUTO_ARENA a = arena_new(4 * FILE_MAX);
	char *text;
	size_t n = 0;
	int rc = read_last(w, a, &text, &n, e);

	if (rc != ERR_OK || text == NULL)
		return rc;
	if (note_checkpoint_verify(text, n, &w->key, &w->last, e) != ERR_OK)
		return err_wrap(e, "reading '%s/" WITNESS_FILE "'", w->dir);
	w->have = true;
	return ERR_OK;
}

static int store(struct witness *w, const char *name, const char *text, struct err *e)
{
	char path[PATH_MAX];

	path_of(w, name, path);
	return file_write_path(path, text, strlen(text), 0600, e);
}

int witness_save(struct witness *w, struct err *e)
{
	int rc = w->note[0] != '\0' ? store(w, WITNESS_FILE, w->note, e) : ERR_OK;

	if (rc == ERR_OK)
		w->note[0] = '\0';
	return rc;
}

int witness_note(struct witness *w, char *out, size_t cap, struct err *e)
{
	AUTO_ARENA a = arena_new(4 * FILE_MAX);
	struct note_checkpoint cp;
	char *text;
	size_t n = 0;
	int rc = witness_save(w, e);

	if (rc != ERR_OK || (rc = read_last(w, a, &text, &n, e)) != ERR_OK)
		return rc;
	if (text == NULL || n >= cap ||
	    note_checkpoint_verify(text, n, &w->key, &cp, e) != ERR_OK ||
	    cp.size != w->last.size ||
	    memcmp(cp.root, w->last.root, sizeof(cp.root)) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "'%s/" WITNESS_FILE "' was changed by someone else",
		               w->dir);
	memcpy(out, text, n);
	out[n] = '\0';
	return ERR_OK;
}

int witness_open(struct witness *w, const char *dir, const char *key, struct err *e)
{
	char path[PATH_MAX];
	int rc;

	*w = (struct witness){ .dir = dir };
	if ((rc = note_key_parse(key, strlen(key), &w->key, e)) != ERR_OK ||
	    (rc = load_last(w, e)) != ERR_OK)
		return rc;
	path_of(w, WITNESS_CONFLICT, path);
	if (access(path, F_OK) == 0) {
		w->alarm = true;
		snprintf(
			w->why, sizeof(w->why),
			"the audit log contradicted itself earlier: see %s and %s in the state "
			"directory",
			WITNESS_CONFLICT, WITNESS_FILE);
	}
	return ERR_OK;
}

static int take(struct witness *w, const char *text, const struct note_checkpoint *cp,
                struct err *e)
{
	size_t n = strlen(text);

	if (n >= sizeof(w->note))
		return err_set(e, ERR_INVALID, "a checkpoint is too long");
	memcpy(w->note, text, n + 1);
	w->last = *cp;
	w->have = true;
	return ERR_OK;
}

static void raise_alarm(struct witness *w, const char *text, const char *why,
                        struct err *e)
{
	struct err io;

	w->alarm = true;
	snprintf(w->why, sizeof(w->why), "%s", why);
	if (witness_save(w, &io) != ERR_OK ||
	    store(w, WITNESS_CONFLICT, text, &io) != ERR_OK)
		log_error("the conflicting checkpoint could not be kept",
		          LOG_S("why", io.msg));
	err_set(e, ERR_VERIFY, "%s", why);
}

enum witness_verdict witness_see(struct witness *w, const char *text, struct err *e)
{
	struct note_checkpoint cp;

	if (note_checkpoint_verify(text, strlen(text), &w->key, &cp, e) != ERR_OK)
		return WITNESS_BAD;
	if (!w->have)
		return take(w, text, &cp, e) == ERR_OK && witness_save(w, e) == ERR_OK
		               ? WITNESS_FIRST
		               : WITNESS_BAD;
	if (cp.size != w->last.size) {
		w->suspect = w->suspect || cp.size < w->last.size;
		return WITNESS_ASK;
	}
	if (memcmp(cp.root, w->last.root, sizeof(cp.root)) == 0)
		return WITNESS_KNOWN;
	raise_alarm(w, text, "the audit log was rewritten", e);
	return WITNESS_ALARM;
}

int witness_advance(struct witness *w, const char *text, const struct merkle_proof *proof,
                    struct err *e)
{
	struct note_checkpoint cp;
	int rc = note_checkpoint_verify(text, strlen(text), &w->key, &cp, e);

	if (rc != ERR_OK)
		return rc;
	if (cp.size < w->last.size) {
		raise_alarm(w, text, "the audit log is shorter than it was", e);
		return ERR_VERIFY;
	}
	if (!merkle_check_consistency(w->last.size, cp.size, w->last.root, cp.root,
	                              proof)) {
		raise_alarm(w, text,
		            "the audit log does not continue the one that was verified",
		            e);
		return ERR_VERIFY;
	}
	w->suspect = false;
	return take(w, text, &cp, e);
}

void witness_forget(const char *dir)
{
	const struct witness w = { .dir = dir };
	char path[PATH_MAX];

	path_of(&w, WITNESS_FILE, path);
	(void)unlink(path);
	path_of(&w, WITNESS_CONFLICT, path);
	(void)unlink(path);
}
