/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_KV_IMPL_H
#define SERVER_CORE_KV_IMPL_H
/*
 * kv_impl - what the parts of the KV engine share: the layout of a secret's metadata, its
 * folders, and the operations that only the HTTP shape needs.
 *
 * KIND_SECRET: id = blind("secret", mount id, path), parent = blind("dir", mount id,
 * folder), where the folder of "app/db" is "app/" and that of "db" is "".  Body:
 *
 *   p   path within the mount          m   mount id (16 bytes)
 *   c,u created, updated (ms)          n   newest version, 0: none yet
 *   o   oldest version kept, 0: nothing was trimmed yet
 *   x   max_versions, 0: the mount's   r   cas_required
 *   d   delete_version_after (ms), 0: the mount's, negative: never
 *   f   custom metadata (object of strings), absent: none
 *   v   bytes: 25 per version kept, oldest first:
 *       u64be number | u64be created (ms) | u64be deleted at (ms), 0: not | u8 1:
 * destroyed
 *
 * A version's payload is bound to its number and creation time (payload_put()).
 *
 * KIND_DIR: id = blind("dir", mount id, "app/"), parent that of the folder above; body
 * {m, n: its name with the slash, k: number of secrets and folders in it}.  The root of a
 * mount has no row.
 */
#include <stdbool.h>
#include <stdint.h>

#include "folders.h"
#include "kv.h"
#include "runs.h"

#define KV_VERSIONS_MAX \
	1000 /* a larger max_versions is refused: the list lives in one row */
#define KV_CUSTOM_ENTRIES 64u
#define KV_CUSTOM_KEY     128u
#define KV_CUSTOM_VALUE   512u

struct kv_version {
	int64_t number, created_ms;
	int64_t deleted_ms; /* 0: not deleted; in the future: will be */
	bool destroyed;
	bool deleted; /* by a request: stays so when the clock is set back */
};

struct kv_meta {
	int64_t created_ms, updated_ms, current, oldest;
	int64_t max_versions, delete_after_ms;
	bool cas_required;
	const struct value *custom;  /* NULL: none */
	struct kv_version *versions; /* in the arena, oldest first, room for one more */
	size_t n;
};

/* --- kv_meta.c --- */

/** kv_meta_read(a, body, m, e): the whole of a metadata object; ERR_INTEGRITY. */
int kv_meta_read(struct arena *a, const struct value *body, struct kv_meta *m,
                 struct err *e) MUST_CHECK;
/** kv_meta_shown(a, m): the same as clients see it, in ${a} alone. */
struct value *kv_meta_shown(struct arena *a, const struct kv_meta *m);
/** kv_version_shown(a, o, custom, v): what every answer about a version says of it, added
 * to ${o}. */
void kv_version_shown(struct arena *a, struct value *o, const struct value *custom,
                      const struct kv_version *v);
/** kv_meta_body(a, s, m): the object to store. */
struct value *kv_meta_body(struct arena *a, const struct kv_secret *s,
                           const struct kv_meta *m);
/** kv_meta_version(body, number, out): one version without reading the others; false:
 * none. */
bool kv_meta_version(const struct value *body, int64_t number, struct kv_version *out);
/** kv_meta_find(m, number): NULL if there is none. */
struct kv_version *kv_meta_find(const struct kv_meta *m, int64_t number);
/** kv_version_gone(v, now): is it deleted or destroyed? */
bool kv_version_gone(const struct kv_version *v, int64_t now);

/* --- kv_erase.c --- */

struct kv_versions {
	const struct kv_version *at;
	size_t n;
};
struct kv_later {
	bool any;
	unsigned char job[16]; /* what goes on: to wait for, see jobs.h */
};
/** kv_erase(c, a, secret_id, gone, later, e): destroy the payloads of versions which the
 * secret's record says are destroyed, or knows no more.  Many take their time: then
 * later->any.  */
int kv_erase(struct core *c, struct arena *a, const unsigned char secret_id[32],
             const struct kv_versions *gone, struct kv_later *later, struct err *e)
	MUST_CHECK;

/* --- kv_dir.c --- */

/* A space is a tree of folders: that of a mount (its id), or of one token's cubbyhole. */
#define KV_SPACE 16u

/** kv_dir_id(c, space, folder, n, out): blind tag of a folder ("" or ending in '/'). */
void kv_dir_id(struct core *c, const unsigned char space[KV_SPACE], const char *folder,
               size_t n, unsigned char out[32]);
/** kv_dir_len(path): bytes of ${path} up to and with its last slash that is not at its
 * end. */
size_t kv_dir_len(const char *path);
/** kv_dir_enter(c, a, space, path, e): a new secret at ${path}: make and count its
 * folders.
 */
int kv_dir_enter(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                 const char *path, struct err *e) MUST_CHECK;
/** kv_dir_leave(c, a, space, path, e): the secret is gone: so are folders that are empty
 * now.
 */
int kv_dir_leave(struct core *c, struct arena *a, const unsigned char space[KV_SPACE],
                 const char *path, struct err *e) MUST_CHECK;

/* --- kv_list.c --- */

/* What is listed. */
struct kv_list_of {
	const unsigned char *space; /* KV_SPACE bytes, in the arena */
	enum store_kind items;      /* KIND_SECRET or KIND_ENTRY */
	const char *folder;         /* "" or ending in '/', in the arena */
	bool deep; /* all that is below, without the folders themselves */
	bool info; /* with the metadata of each, of secrets */
};
/* A listing under way; lives in the request's arena across slices. */
struct kv_list {
	struct kv_list_of of;
	unsigned char parent[32]; /* the folder that is looked at */
	const char *prefix;       /* its path below of.folder */
	unsigned char after[32];
	bool started;           /* after[] holds the last id seen */
	enum store_kind kind;   /* folders first, then items */
	struct kv_folder *todo; /* other folders, if it goes deep */
	bool walked;            /* all rows were seen, the names are put in order */
	struct runs name_runs, info_runs;
	uint64_t ticket; /* of folders.h */
	bool done;
	/* When it is done: an array of strings, sorted, encoded unless it is empty; an
	 * object, name -> metadata, in the same order, or NULL if it was not asked for.
	 */
	struct value *names, *info;
};
/** kv_list_start(c, a, of): NULL: out of memory. */
struct kv_list *kv_list_start(struct core *c, struct arena *a,
                              const struct kv_list_of *of);
/** kv_list_slice(c, a, l, limit, e): look at about ${limit} more rows; l->done: all seen,
 * names sorted. */
int kv_list_slice(struct core *c, struct arena *a, struct kv_list *l, int limit,
                  struct err *e) MUST_CHECK;

/* --- kv.c --- */

struct kv_config {
	struct store_object o;
	int64_t max_versions, delete_after_ms;
	bool cas_required;
};
/** kv_config_get(c, a, m, out, e): the mount's settings; defaults if never written. */
int kv_config_get(struct core *c, struct arena *a, const struct mount *m,
                  struct kv_config *out, struct err *e) MUST_CHECK;
int kv_config_put(struct core *c, struct arena *a, struct kv_config *k, struct err *e)
	MUST_CHECK;

/** kv_config_forget(c, a, mount_id, e): the settings of a mount that is gone. */
int kv_config_forget(struct core *c, struct arena *a,
                     const unsigned char mount_id[MOUNT_ID], struct err *e) MUST_CHECK;

/** kv_secret_id(c, m, path, out): the id that a secret at ${path} has. */
void kv_secret_id(struct core *c, const struct mount *m, const char *path,
                  unsigned char out[32]);
/** kv_open_or_new(…): like kv_open(), but a secret with no version (s->o.version 0) if
 * there is none. */
int kv_open_or_new(struct core *c, struct arena *a, const struct mount *m,
                   const char *path, struct kv_secret *s, struct kv_meta *meta,
                   struct err *e) MUST_CHECK;
/** kv_save(c, a, s, m, e): store the metadata; a new secret is entered in its folder. */
int kv_save(struct core *c, struct arena *a, struct kv_secret *s, const struct kv_meta *m,
            struct err *e) MUST_CHECK;
/** kv_write_version(c, a, s, meta, data, out, e): a new version of an opened secret,
 * stored; trims old ones, tells lease holders. */
int kv_write_version(struct core *c, struct arena *a, struct kv_secret *s,
                     struct kv_meta *meta, const struct value *data,
                     struct kv_version *out, struct err *e) MUST_CHECK;
/** kv_delete_all(c, a, s, meta, later, e): the secret with all versions. */
int kv_delete_all(struct core *c, struct arena *a, struct kv_secret *s,
                  const struct kv_meta *meta, struct kv_later *later, struct err *e)
	MUST_CHECK;
/** kv_payload(c, a, s, v, out, n, e): the encoded data of a version. */
int kv_payload(struct core *c, struct arena *a, const struct kv_secret *s,
               const struct kv_version *v, unsigned char **out, size_t *n, struct err *e)
	MUST_CHECK;

#endif
