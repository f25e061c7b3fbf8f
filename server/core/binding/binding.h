/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_BINDING_H
#define SERVER_CORE_BINDING_H
/*
 * binding - sets of files that the vault defines and grants to containers.
 *
 * KIND_BINDING: id = blind("binding", name); body {name, roles, images, spec, rev,
 * created, updated}.  A container asks for a binding by its label; its host's agent tells
 * the vault, which grants it if the host's role and the container's image fit.  A grant
 * says which files there are and how the application is told.  It holds no secret, and no
 * right to one: what the host may read is asked of its role when it leases.
 *
 * When bindings of a role change, the role's mark (a setting of its own) gets the newest
 * revision: that is what a watch compares, and a job wakes the watches of its hosts.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core.h"
#include "store.h"

#define BINDING_ROLES    64u
#define BINDING_IMAGES   16u
#define BINDING_IMAGE    256u /* bytes of one pattern */
#define BINDING_FILES    100u
#define BINDING_SPEC_MAX (256u * 1024) /* of one definition, encoded */

struct binding {
	struct store_object o; /* version 0: not stored */
	const char *name;
	const struct value *roles;  /* array of names of host roles */
	const struct value *images; /* array of globs; empty: any image */
	const struct value *spec;   /* object: files, and what holds for all of them */
	int64_t rev;                /* of its newest change: its version for agents */
	int64_t created_ms, updated_ms;
};

/** binding_read(a, o, out, e): a stored object as a binding; ERR_INTEGRITY. */
int binding_read(struct arena *a, const struct store_object *o, struct binding *out,
                 struct err *e) MUST_CHECK;
/** binding_find(c, a, name, out, e): with ERR_NOENT ${out} is filled so that
 * binding_save() makes it. */
int binding_find(struct core *c, struct arena *a, const char *name, struct binding *out,
                 struct err *e) MUST_CHECK;
/** binding_save(c, a, b, before, e), binding_drop(c, a, b, e): store it, or remove it,
 * with a new revision; hosts of its roles, and of the roles that it had ${before} (NULL:
 * none), hear of it. */
int binding_save(struct core *c, struct arena *a, struct binding *b,
                 const struct value *before, struct err *e) MUST_CHECK;
int binding_drop(struct core *c, struct arena *a, const struct binding *b, struct err *e)
	MUST_CHECK;

/** binding_has_role(b, role), binding_has_image(b, image): is it for hosts of that role,
 * for containers of that image reference? */
bool binding_has_role(const struct binding *b, const char *role);
bool binding_has_image(const struct binding *b, const char *image);

/** binding_role_rev(c, a, role, rev, e): revision of the newest change of what is bound
 * for hosts of ${role}; 0: there was none. */
int binding_role_rev(struct core *c, struct arena *a, const char *role, int64_t *rev,
                     struct err *e) MUST_CHECK;
/** binding_role_changed(c, a, role, e): a host role was written or deleted: if there ever
 * was a binding for it, its hosts ask again. */
int binding_role_changed(struct core *c, struct arena *a, const char *role, struct err *e)
	MUST_CHECK;
/** binding_wake_roles(c, a, roles, e): a job wakes the watches of all hosts of
 * ${roles}. */
int binding_wake_roles(struct core *c, struct arena *a, const struct value *roles,
                       struct err *e) MUST_CHECK;
/** binding_fanout_slice(…): a job_fn: wakes the watches of the hosts of some roles. */
int binding_fanout_slice(struct core *c, struct arena *a, struct store_object *job,
                         bool *done, struct err *e);

/** binding_take_roles(r, out): the request's "roles": 1 to BINDING_ROLES host roles that
 * there are. */
struct req;
int binding_take_roles(struct req *r, const struct value **out) MUST_CHECK;
/* A definition on its way in. */
struct binding_take {
	struct arena *a;
	struct value *spec;    /* object: what was understood, in one form */
	struct value *unknown; /* array of the names of members of files that were not */
};
/** binding_take_spec(t, in, e): take the members of ${in} that define a binding into
 * t->spec, checked by the rules that an agent has for its own file.  ERR_INVALID says
 * which member is wrong and why. */
int binding_take_spec(struct binding_take *t, const struct value *in, struct err *e)
	MUST_CHECK;

#endif
