/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_KV_H
#define SERVER_CORE_KV_H
/* kv - versioned secrets under a path, below the HTTP shape: used by api_kv, rotation and
 * hosts. */
#include "mounts.h"
#include "req.h"
#include "store.h"

/* A secret's metadata as stored (KIND_SECRET). */
struct kv_secret {
	struct store_object o;
	const struct mount *mount;
	const char *path; /* within the mount */
	int64_t current;  /* 0: no version yet */
};

/** kv_holds_secrets(m, rest): is ${rest} of the mount (may be NULL) a versioned secret,
 * or the beginning of one?  Of a KV mount all is, of a database mount its static
 * credentials. */
bool kv_holds_secrets(const struct mount *m, const char *rest);
/** kv_split(c, full_path, mount, rest, e): "secret/app/db" (mount path + secret path, no
 * "data/") to mount and path. */
int kv_split(struct core *c, const char *full_path, const struct mount **m,
             const char **rest, struct err *e) MUST_CHECK;
/** kv_open(c, a, m, path, out, e): ERR_NOENT if there is none. kv_open_id(): by the id
 * that leases and rotations carry. */
int kv_open(struct core *c, struct arena *a, const struct mount *m, const char *path,
            struct kv_secret *out, struct err *e) MUST_CHECK;
int kv_open_id(struct core *c, struct arena *a, const unsigned char secret_id[32],
               struct kv_secret *out, struct err *e) MUST_CHECK;
/** kv_full_path(a, s): "secret/app/db". */
char *kv_full_path(struct arena *a, const struct kv_secret *s);
/** kv_read(c, a, s, version, data, e): the data object of a version (0: current) as a
 * tree; ERR_NOENT if deleted, destroyed or never written. */
int kv_read(struct core *c, struct arena *a, struct kv_secret *s, int64_t version,
            struct value **data, struct err *e) MUST_CHECK;
/** kv_metadata(a, s): what a read of the current version shows beside its data; NULL
 * where reads show none (no KV version 2 mount). */
struct value *kv_metadata(struct arena *a, const struct kv_secret *s);
/** kv_named(c, a, text, path, e): the full path of what the API's path ${text} reads or
 * lists: "/v1/secret/data/app/db" is "secret/app/db", "/v1/secret/metadata/app/" the
 * folder "secret/app/".  Texts without "/v1/" are full paths already.  ERR_INVALID. */
int kv_named(struct core *c, struct arena *a, const char *text, char **path,
             struct err *e) MUST_CHECK;
/** kv_write(c, a, m, path, data, cas, version, e): a new version; ${cas} -1: no check.
 * Creates folders.  Tells lease holders (calls lease_secret_changed()).  ERR_CONFLICT
 * with Vault's text. */
int kv_write(struct core *c, struct arena *a, const struct mount *m, const char *path,
             const struct value *data, int64_t cas, int64_t *version, struct err *e)
	MUST_CHECK;

/** kv_note_reader(r, s): who asks has been served the secret through the plain API: a
 * rotation names those. */
void kv_note_reader(struct req *r, const struct kv_secret *s);

#endif
