/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DELIVER_FILES_IMPL_H
#define AGENT_DELIVER_FILES_IMPL_H
/* files_impl - what the files of the module share; nobody else includes it. */
#include <jansson.h>
#include <sys/stat.h>

#include "files.h"
#include "generation.h"

#define FILES_OLD_MAX     8u
#define FILES_DIGEST      32u
#define FILES_META_MAX    (1024u * 1024)
#define FILES_CONTENT_MAX (1024u * 1024)
#define FILES_GRANTED_MAX                                            \
	(4u * 1024 * 1024) /* of all files of a binding of the vault \
	                    */

/* A secret that went into a file. */
struct dep {
	size_t path; /* of the plan */
	int64_t version;
	char lease_id[FILES_LEASE_ID_MAX];
};

struct binding {
	const char *name; /* the plan's */
	mode_t dir_mode;
	unsigned current; /* generation in place, 0 for none */
	unsigned last;    /* the highest number that was ever used */
	size_t n_old;
	struct old {
		unsigned number;
		int64_t due;
	} old[FILES_OLD_MAX];
	struct apply_note note; /* of the current */
	size_t n_rejected;      /* what was found bad since, one item per path */
	struct dep *rejected;
	int64_t steps_until; /* what its templates have taken is paid for until then */
};

/* One file of the plan, and what was delivered. */
struct slot {
	const struct plan_file *plan;
	bool present;
	size_t n_deps; /* of what is present */
	struct dep *deps;
	unsigned char digest[FILES_DIGEST];
	struct timespec written; /* its time of modification, which we have set */
	ino_t inode;
};

/* Bindings, slots and held are as the plan's bindings, files and paths. */
struct files {
	struct files_options o;
	struct files_judge judge;
	char boot_id[FILES_BOOT_ID_MAX];
	size_t n_bindings;
	struct binding *bindings;
	size_t n_slots;
	struct slot *slots;
	size_t n_paths;
	struct files_held *held;
};

/** files_shape(f, plan, e): the arrays for ${plan}, empty. */
int files_shape(struct files *f, const struct plan *plan, struct err *e) MUST_CHECK;

/** files_drop_shape(f): free them. */
void files_drop_shape(struct files *f);

/** files_set_deps(s, deps, n): keep a copy; 0, or -1 if out of memory. */
int files_set_deps(struct slot *s, const struct dep *deps, size_t n) MUST_CHECK;

/** files_dep(s, path): what of the secret is in the file in place, or NULL. */
const struct dep *files_dep(const struct slot *s, size_t path);

/** files_first(f, b), files_end(f, b): the slots of a binding. */
static inline size_t files_first(const struct files *f, size_t binding)
{
	return f->o.plan->bindings[binding].first;
}
static inline size_t files_end(const struct files *f, size_t binding)
{
	return files_first(f, binding) + f->o.plan->bindings[binding].n;
}

/** files_binding(f, s): of a slot. */
static inline struct binding *files_binding(const struct files *f, const struct slot *s)
{
	return &f->bindings[s->plan->binding];
}

/** files_digest(f, s, p, n, out): of the content and of what it belongs to. */
void files_digest(const struct files *f, const struct slot *s, const void *p, size_t n,
                  unsigned char out[FILES_DIGEST]);

/* Tests: called before each change of a delivery; NULL otherwise. */
extern void (*files_step)(void *ctx);

/** files_open(f, b, d, e): the directory of a binding. */
int files_open(const struct files *f, const struct binding *b, struct generation_dir *d,
               struct err *e) MUST_CHECK;

/** files_read_slot(a, d, number, s, p, n): the content in place, in ${a}.  ERR_DENIED: it
 * belongs to somebody else and cannot be read; another error: it is not there, or not as
 * it should be. */
int files_read_slot(struct arena *a, const struct generation_dir *d, unsigned number,
                    const struct slot *s, const char **p, size_t *n) MUST_CHECK;

/** files_stat_slot(s, d, number): is the file there, of its owner and mode, and not
 * written to since ${s}->written?  Then its inode is remembered; 0, or -1. */
int files_stat_slot(struct slot *s, const struct generation_dir *d, unsigned number)
	MUST_CHECK;

/* A file's new content. */
struct rendered {
	bool made;
	const char *p;
	size_t n;
	size_t n_deps;
	struct dep *deps;
};

/* All templates of a binding together, besides what one run may take: about half a second
 * in a minute. */
#define FILES_STEPS_MS     60000
#define FILES_STEPS_PER_MS 280

/** files_render(f, a, values, now, only): make the files that have a new secret,
 * f->n_slots items in
 * ${a}, of the bindings whose ${only} is true (NULL: all); what cannot be made, and what
 * goes with it, has its error in ${values}.  NULL if out of memory: every value has that
 * error. */
struct rendered *files_render(struct files *f, struct arena *a,
                              struct files_value *values, int64_t now, const bool *only);

/** files_is_new(v): a value that is to be put in place. */
static inline bool files_is_new(const struct files_value *v)
{
	return v->data != NULL && v->rc == ERR_OK;
}

/** files_meta(f, binding, slots, a): the notes for the generation that is about to be in
 * place, with the binding's ${slots}. */
char *files_meta(const struct files *f, size_t binding, const struct slot *slots,
                 struct arena *a);

/** files_notes(d, number): the notes of a generation, the caller's; NULL if there are
 * none that count. */
json_t *files_notes(const struct generation_dir *d, unsigned number);

/** files_slot_is_good(f, s, note, d, number): is the file in place what the notes say,
 * and what the plan wants?  Fills in ${s}. */
bool files_slot_is_good(const struct files *f, struct slot *s, const json_t *note,
                        const struct generation_dir *d, unsigned number);

/** files_slot_notes(doc, s): a slot's part of a generation's notes. */
const json_t *files_slot_notes(const json_t *doc, const struct slot *s);

/** files_judged(doc): the part of who judges generations; zeros if there is none. */
struct apply_note files_judged(const json_t *doc);

/** files_set_judged(doc, note): change it. */
int files_set_judged(json_t *doc, const struct apply_note *note) MUST_CHECK;

/** files_kept(f, b): the generation that has to stay besides the current; 0: none. */
unsigned files_kept(const struct files *f, const struct binding *b);

/** files_retire(f, b, d, number, now): a generation was replaced: it goes after its
 * grace. */
void files_retire(const struct files *f, struct binding *b,
                  const struct generation_dir *d, unsigned number, int64_t now);

/** files_accept(b, deps, n): a new try of what was rejected, or another version of it, is
 * in place. */
void files_accept(struct binding *b, const struct dep *deps, size_t n);

/** files_load(f, binding): judge what a former run left in a binding. */
void files_load(struct files *f, size_t binding);

/** files_idle(f, s): is the file not expected to be there? */
bool files_idle(const struct files *f, const struct slot *s);

/** files_settle(f): recompute held[] from the slots. */
void files_settle(struct files *f);

/** files_wipe_slot(f, s, e): wipe one file, in old generations too. */
int files_wipe_slot(struct files *f, struct slot *s, struct err *e) MUST_CHECK;

/** files_wipe_binding(f, b, e): wipe all of it. */
int files_wipe_binding(const struct files *f, struct binding *b, struct err *e)
	MUST_CHECK;

#endif
