/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_MOUNT_IMPL_H
#define SERVER_CORE_MOUNT_IMPL_H
/*
 * mount_impl - what the parts of the mount room share: the stored form, engine types, and
 * changes of the mirror.
 *
 * KIND_MOUNT body: {path, type, version, accessor, uuid, description} and, where they
 * differ from nothing, {upgrading, local, seal_wrap, entropy, options, default_ttl,
 * max_ttl (ms), no_cache, listing, token_type, lockout, lists}.  A built-in mount has a
 * row only once it was tuned.
 */
#include "mounts.h"
#include "req.h"
#include "store.h"

/* A type that can be mounted. */
struct mount_type {
	const char *name;   /* on the wire */
	const char *engine; /* NULL: by version (KV) */
	bool auth;
};

/** mount_type_find(name, auth): NULL if there is no such secret engine or auth method. */
const struct mount_type *mount_type_find(const char *name, bool auth);
/** mount_type_kept(name): is it the type of a built-in mount, of which there is one? */
bool mount_type_kept(const char *name);
/** mount_engine(type, version, upgrading): what the route table calls it. */
const char *mount_engine(const char *type, int version, bool upgrading);

/* The mounts that are always there; the id of one is its number. */
extern const struct mount mount_built_ins[];
extern const size_t mount_built_ins_n;

/* --- mount_row.c --- */

/** mount_read(a, o, m, e): a stored mount; texts live in ${a}. */
int mount_read(struct arena *a, const struct store_object *o, struct mount *m,
               struct err *e) MUST_CHECK;
/** mount_store(c, a, m, e): insert or replace the row of ${m}. */
int mount_store(struct core *c, struct arena *a, const struct mount *m, struct err *e)
	MUST_CHECK;
/** mount_unstore(c, a, m, e): delete the row. */
int mount_unstore(struct core *c, struct arena *a, const struct mount *m, struct err *e)
	MUST_CHECK;

/* --- mounts.c: each change is stored, mirrored, and undone with the savepoint --- */

/** mounts_add(c, a, m, e): a new mount; ${m} is copied. */
int mounts_add(struct core *c, struct arena *a, const struct mount *m, struct err *e)
	MUST_CHECK;
/** mounts_replace(c, a, old, m, e): ${m} (same id) in the place of ${old}. */
int mounts_replace(struct core *c, struct arena *a, const struct mount *old,
                   const struct mount *m, struct err *e) MUST_CHECK;
/** mounts_remove(c, a, m, e): it serves nothing any more. */
int mounts_remove(struct core *c, struct arena *a, const struct mount *m, struct err *e)
	MUST_CHECK;

/* --- mount_new.c --- */

/** mount_path(a, text, auth, out, e): the path of a mount from what a client wrote
 * ("team/kv", with or without slashes around): checked, "auth/" before and '/' behind. */
int mount_path(struct arena *a, const char *text, bool auth, const char **out,
               struct err *e) MUST_CHECK;
/** mount_path_free(c, path, skip, e): ERR_INVALID if ${path} or what is above or below it
 * is a mount's; ${skip} (may be NULL) is not looked at. */
int mount_path_free(struct core *c, const char *path, const struct mount *skip,
                    struct err *e) MUST_CHECK;
/** mount_name_new(a, m): a random id, uuid and accessor for a new mount. */
int mount_name_new(struct arena *a, struct mount *m, struct err *e) MUST_CHECK;
/** mount_name_built_in(c, a, m, e): uuid and accessor of a built-in mount, from the
 * vault's id and the mount's number: the same ever after, other ones in another vault. */
int mount_name_built_in(const struct core *c, struct arena *a, struct mount *m,
                        struct err *e) MUST_CHECK;

/* --- mount_config.c: what clients say of a mount --- */

/** mount_take_config(r, from, m): read ${from} (a "config" object, or the body of a tune)
 * into the configuration of ${m}; what is absent stays. */
int mount_take_config(struct req *r, const struct value *from, struct mount *m)
	MUST_CHECK;
/** mount_take_description(r, m): the field "description", if it is there. */
int mount_take_description(struct req *r, struct mount *m) MUST_CHECK;
/** mount_take_options(r, m, version): merge the field "options" into those of ${m};
 * *version is the KV version that it names, 0 if none. */
int mount_take_options(struct req *r, struct mount *m, int64_t *version) MUST_CHECK;

/* --- api_mount.c --- */

/** mount_entry(a, m): what the API shows of a mount; nothing is borrowed from ${m}. */
struct value *mount_entry(struct arena *a, const struct mount *m);
/** mount_set_config(a, out, m): the members of a configuration that are shown only when
 * they are set. */
void mount_set_config(struct arena *a, struct value *out, const struct mount *m);

/* api_mount_write.c, api_mount_move.c: handlers; the route table is in api_mount.c. */
int mount_h_enable(struct req *r) MUST_CHECK;
int mount_h_enable_auth(struct req *r) MUST_CHECK;
int mount_h_disable(struct req *r) MUST_CHECK;
int mount_h_disable_auth(struct req *r) MUST_CHECK;
int mount_h_remount(struct req *r) MUST_CHECK;
int mount_h_remount_status(struct req *r) MUST_CHECK;
int mount_h_tune_read(struct req *r) MUST_CHECK;
int mount_h_tune_read_auth(struct req *r) MUST_CHECK;
int mount_h_tune(struct req *r) MUST_CHECK;
int mount_h_tune_auth(struct req *r) MUST_CHECK;

#endif
