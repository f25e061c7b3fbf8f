/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DELIVER_FILES_H
#define AGENT_DELIVER_FILES_H
/*
 * files - which secrets become which files, and what is in place.
 *
 * Values pass through and are not kept: a keyed digest of each file says later whether it
 * is still what was delivered.  All files of a binding change together; those of a secret
 * that did not change are carried over from the generation in place.  A file that is made
 * of several secrets is made anew when all of them are at hand in one delivery.
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/apply/apply.h"
#include "agent/plan.h"
#include "agent/settings.h"
#include "arena.h"
#include "err.h"
#include "tmpfs.h"
#include "value.h"

#define FILES_LEASE_ID_MAX 96u
#define FILES_BOOT_ID_MAX  40u

struct files;

struct files_options {
	const struct settings *settings;
	const struct plan *plan;            /* borrowed until files_replan() */
	int run_fd;                         /* borrowed */
	const unsigned char *digest_key;    /* 32 bytes, borrowed */
	struct uses *uses;                  /* borrowed; learns what templates name */
	const struct render_engine *engine; /* may be NULL: no templates */
};

/* Who tells applications of generations and judges them (session_apply.c).  Without,
 * what is in place is good. */
struct files_judge {
	/** next(ctx, binding, note): the notes for a generation that is about to be put
	 * in place. */
	void (*next)(void *ctx, const char *binding, struct apply_note *note);
	/** placed(ctx, binding, generation): it is in place now. */
	void (*placed)(void *ctx, const char *binding, unsigned generation);
	/** keeps(ctx, binding): the generation that must not be removed; 0: none. */
	unsigned (*keeps)(void *ctx, const char *binding);
	/** wiped(ctx, binding): a file of it was wiped since its secret must not be here
	 * any more. */
	void (*wiped)(void *ctx, const char *binding);
	void *ctx;
};

/* What is in place for a secret. */
struct files_held {
	bool present; /* all of its files are there, as they were delivered */
	bool gone;    /* wiped since its last value: files made of it are not wanted */
	char lease_id[FILES_LEASE_ID_MAX];
	int64_t version;
	int64_t expires; /* boot clock; 0 if not known */
};

/* One secret's new value, or NULL to leave what is there. */
struct files_value {
	const struct value *data;     /* object of fields; of a folder: {keys} */
	const struct value *metadata; /* what a template sees beside it, or NULL */
	const char *lease_id;
	int64_t version;
	int64_t expires;
	int rc; /* ERR_OK going in; how it went coming out: ERR_BUSY if a template
	           needs a secret that is not at hand */
	struct err e;
};

/** files_new(o, out, e): plan the bindings; nothing is touched yet. */
int files_new(const struct files_options *o, struct files **out, struct err *e)
	MUST_CHECK;
void files_free(struct files *f);

/** files_learn(f): before files_recover(): what the templates of a former run named goes
 * to o.uses; a plan that is made after that has it. */
void files_learn(struct files *f);

/** files_recover(f): at start: tidy up after a crash, remove what no binding owns, find
 * what is still good. */
void files_recover(struct files *f);

/** files_replan(f, plan, e): ${plan} takes the place of the one before, which is not
 * used any more.  What stays keeps its generations; bindings and files that go are wiped.
 * On failure nothing has changed. */
int files_replan(struct files *f, const struct plan *plan, struct err *e) MUST_CHECK;

/** files_set_judge(f, j): after files_recover(); ${j} is copied. */
void files_set_judge(struct files *f, const struct files_judge *j);

/** files_generation(f, binding): the number of the one in place; 0: none.  Of one
 * binding, numbers are used once: they grow, and only files_rollback() goes back. */
unsigned files_generation(const struct files *f, const char *binding);

/** files_noted(f, binding): what was noted of the generation in place; all zero if there
 * is none. */
struct apply_note files_noted(const struct files *f, const char *binding);

/** files_note(f, binding, generation, note, e): note something else: of the generation
 * in place, or of an older one that is kept.  ERR_NOENT: it is not there. */
int files_note(struct files *f, const char *binding, unsigned generation,
               const struct apply_note *note, struct err *e) MUST_CHECK;

/**
 * files_rollback(f, binding, from, to, now, e): put generation ${to} back in the place of
 * ${from}.  The versions that only ${from} had count as rejected.  ERR_NOENT: it is not
 * there any more; ERR_CONFLICT: another than ${from} is in place.
 */
int files_rollback(struct files *f, const char *binding, unsigned from, unsigned to,
                   int64_t now, struct err *e) MUST_CHECK;

/** files_rejected(f, path, lease_id, version): why that version of the secret, or a newer
 * one of the lease, was found bad with some binding; NULL if it was not.  It is known
 * until another version is in place. */
const char *files_rejected(const struct files *f, size_t path, const char *lease_id,
                           int64_t version);

/** files_boot_id(f): which boot of the host this is; as long as ${f}. */
const char *files_boot_id(const struct files *f);

/** files_held(f, path): what is in place for the ${path}-th secret of the plan. */
const struct files_held *files_held(const struct files *f, size_t path);

/**
 * files_deliver(f, a, values, now): ${values} has one item per path of the plan.  Writes
 * one new generation of each binding that has a new value.  ${values}[i].rc says how it
 * went for each: a missing field, no room, … leave everything of that secret as it was.
 * ${a} holds what is carried over.
 */
void files_deliver(struct files *f, struct arena *a, struct files_value *values,
                   int64_t now);

/** files_deliver_to(f, a, values, now, only): the same for the bindings whose ${only} is
 * true, one for each of the plan. */
void files_deliver_to(struct files *f, struct arena *a, struct files_value *values,
                      int64_t now, const bool *only);

/** files_set_expiry(f, path, expires): note a renewal beside the files. */
void files_set_expiry(struct files *f, size_t path, int64_t expires);

/** files_wipe(f, path, e): wipe every file made of the secret, in old generations too.
 * Until its next value the other secrets of such files do without them. */
int files_wipe(struct files *f, size_t path, struct err *e) MUST_CHECK;

/** files_has(f, binding, path): is a file of the ${binding}-th binding in place that is
 * made of the secret? */
bool files_has(const struct files *f, size_t binding, size_t path);

/** files_wipe_in(f, binding, path, e): wipe those.  The secret is not in place then. */
int files_wipe_in(struct files *f, size_t binding, size_t path, struct err *e) MUST_CHECK;

/** files_wipe_all(f, e): wipe every binding. */
int files_wipe_all(struct files *f, struct err *e) MUST_CHECK;

/** files_reap(f, now): remove generations whose grace is over; when to come again, or -1.
 */
int64_t files_reap(struct files *f, int64_t now);

/** files_there(f, file): is the ${file}-th file of the plan in place? */
bool files_there(const struct files *f, size_t file);

/** files_drifted(f, paths): which of the secrets that ${paths} is true for, as the
 * plan's, have a file that was changed or removed by someone else?  The others become
 * false; such a file is not there any more. */
void files_drifted(struct files *f, bool *paths);

#endif
