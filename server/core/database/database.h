/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_DATABASE_H
#define SERVER_CORE_DATABASE_H
/*
 * database - Vault's database secrets engine on the machinery of rotations.
 *
 *   config/NAME        a rotation target (target.h) whose owner is the mount
 *   roles/NAME         which accounts are made, and for how long (KIND_DB_ROLE)
 *   creds/NAME         makes one, under a lease (db_lease.h)
 *   static-roles/NAME  an account that is there, whose password the rotation machine
 *                      changes (KIND_DB_ROLE)
 *   static-creds/NAME  its credential: a versioned secret of the mount's own space, so
 *                      that hosts can hold it and everything of sys/rotation works on it
 *   rotate-root/NAME   the same for the administrator of a config, once it was rotated;
 *                      never served
 *
 * KIND_DB_ROLE body: {name, static, db_name, config (credential_config)} and for a
 * dynamic role {creation, revocation, rollback, renew (arrays), default_ttl, max_ttl
 * (ms)}, for a static one {username, rotation (array), period (ms), schedule, window
 * (ms)}.
 *
 * A target's ${extra}: {plugin_name, plugin_version, allowed_roles, root_rotation,
 * password_policy, username_template}.
 */
#include "mounts.h"
#include "req.h"
#include "rotation.h"
#include "target.h"

#define DB_STATIC   "static-creds/" /* what kv_split() accepts below such a mount */
#define DB_ROOT     "rotate-root/"
#define DB_NAME_MAX 128u

struct db_role {
	struct store_object o; /* version 0: not stored */
	const char *name, *db_name;
	bool is_static;
	const struct value *config; /* credential_config: object, never NULL */
	/* dynamic; arrays are never NULL */
	const struct value *creation, *revocation, *rollback, *renew;
	int64_t default_ttl_ms, max_ttl_ms; /* 0: the mount's */
	/* static */
	const char *username;
	const struct value *rotation;
	int64_t period_ms;    /* or, if 0: */
	const char *schedule; /* cron in UTC */
	int64_t window_ms;    /* 0: none */
};

/* --- db_role.c --- */

/** db_name_ok(s): letters, digits, "_", "-" and "."; the last two not at an end. */
bool db_name_ok(const char *s);
/** db_role_find(c, a, mount_id, name, out, e): with ERR_NOENT ${out} is filled so that
 * db_role_save() makes it. */
int db_role_find(struct core *c, struct arena *a, const unsigned char mount_id[MOUNT_ID],
                 const char *name, struct db_role *out, struct err *e) MUST_CHECK;
int db_role_save(struct core *c, struct arena *a, struct db_role *role, struct err *e)
	MUST_CHECK;
/** db_role_named(r, want_static, out): the role that the path names; ERR_NOENT also for
 * one of the other sort. */
int db_role_named(struct req *r, bool want_static, struct db_role *out) MUST_CHECK;
/** db_role_begin(r, want_static, out, is_new): the same for a write: the name is checked,
 * and taken by no role of the other sort. */
int db_role_begin(struct req *r, bool want_static, struct db_role *out, bool *is_new)
	MUST_CHECK;
/** db_role_take_credential(r, role): credential_type and credential_config. */
int db_role_take_credential(struct req *r, struct db_role *role) MUST_CHECK;
/** db_list_take(r, field, out): a list of texts, if the request says one. */
int db_list_take(struct req *r, const char *field, const struct value **out) MUST_CHECK;
/** db_roles_reply(r, want_static): the names. */
int db_roles_reply(struct req *r, bool want_static) MUST_CHECK;

/* --- db_config.c --- */

/** db_rotator(plugin): the rotator that serves Vault's plugin of that name; NULL: none.
 */
const char *db_rotator(const char *plugin);
/* How names of accounts are made. */
struct db_limits {
	size_t display, role, all; /* bytes of each part of a name, and of all of it */
	bool upper;                /* letters are made big */
};
/** db_limits_of(t): those of its kind of database. */
const struct db_limits *db_limits_of(const struct target *t);
/** db_config_for_role(r, db_name, role_name, out, ok): the target behind
 * config/${db_name}, for the use of a role; *ok false: answered with Vault's text (there
 * is none, or it does not allow the role). */
int db_config_for_role(struct req *r, const char *db_name, const char *role_name,
                       struct target *out, bool *ok) MUST_CHECK;
/* --- db_password.c --- */

/** db_password(c, a, policy, forbid, out, e): a new password by the password policy, or
 * ("") twenty letters, digits and dashes, as Vault makes them, without any character of
 * ${forbid}. */
int db_password(struct core *c, struct arena *a, const char *policy, const char *forbid,
                const char **out, struct err *e) MUST_CHECK;
/** db_username(r, role, t, out): "v-token-app-…-1700000000", or as the connection's
 * username_template says.  ERR_INVALID if that makes none that the database takes. */
int db_username(struct req *r, const char *role, const struct target *t, const char **out)
	MUST_CHECK;

/* --- db_secret.c: credentials in the mount's own space --- */

/** db_secret_drop(c, a, m, path, e): the secret with its rule, its attempts and all
 * versions; ERR_OK if there is none. */
int db_secret_drop(struct core *c, struct arena *a, const struct mount *m,
                   const char *path, struct err *e) MUST_CHECK;
/** db_secret_rule(c, a, m, path, t, rule, e): the rule of the secret as it is, or a new
 * one: single, at ${t}, for the account ${username}. */
int db_secret_rule(struct core *c, struct arena *a, const struct kv_secret *s,
                   const struct target *t, const char *username,
                   struct rotation_rule *rule, struct err *e) MUST_CHECK;

/* A request that waits for the rotation of such a secret. */
struct db_waiting {
	unsigned char attempt[16];
	int64_t until_ms; /* boot clock */
	bool is_new;      /* of a static role: undone if it fails */
};
/** db_rotate(r, secret_id, blind, w): start one.  ${blind}: the stored value is not
 * expected to work. */
int db_rotate(struct req *r, const unsigned char secret_id[32], bool blind,
              struct db_waiting *w) MUST_CHECK;
/** db_rotated(r, w, ok, why): how it went: REQ_PARKED while it is not known; else *ok, or
 * *why. */
int db_rotated(struct req *r, struct db_waiting *w, bool *ok, const char **why)
	MUST_CHECK;

/* --- what becomes of a mount --- */

/** database_unmounting(c, a, m, e): before it goes: its administrators' credentials are
 * put where revocations find them.  ERR_INVALID while one of them is being rotated. */
int database_unmounting(struct core *c, struct arena *a, const struct mount *m,
                        struct err *e) MUST_CHECK;

/* --- handlers; the route table is in api_database.c --- */
int db_h_role_write(struct req *r) MUST_CHECK;
int db_h_role_read(struct req *r) MUST_CHECK;
int db_h_role_delete(struct req *r) MUST_CHECK;
int db_h_role_list(struct req *r) MUST_CHECK;
int db_role_exists(struct req *r, bool *exists) MUST_CHECK;
int db_h_creds(struct req *r) MUST_CHECK;
int db_h_static_write(struct req *r) MUST_CHECK;
int db_h_static_read(struct req *r) MUST_CHECK;
int db_h_static_delete(struct req *r) MUST_CHECK;
int db_h_static_list(struct req *r) MUST_CHECK;
int db_static_exists(struct req *r, bool *exists) MUST_CHECK;
int db_h_static_creds(struct req *r) MUST_CHECK;
int db_h_rotate_role(struct req *r) MUST_CHECK;
int db_h_rotate_root(struct req *r) MUST_CHECK;

#endif
