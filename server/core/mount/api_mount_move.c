/* SPDX-License-Identifier: Apache-2.0 */
/* api_mount_move - sys/remount. */
#include <string.h>

#include "arena.h"
#include "mount_impl.h"
#include "mount_move.h"

/* "auth/x" is an auth method's path here. */
static int take_path(struct req *r, const char *field, const char **out)
{
	const char *text = NULL;
	bool present, auth;
	int rc = req_str(r, field, &text, &present);

	if (rc != ERR_OK)
		return rc;
	if (!present || text[strspn(text, "/")] == '\0')
		return req_fail(
			r, ERR_INVALID,
			"both 'from' and 'to' path must be specified as a string");
	text += strspn(text, "/");
	auth = strncmp(text, "auth/", 5) == 0;
	return mount_path(r->a, auth ? text + 5 : text, auth, out, &r->e);
}

static bool kept(const char *path)
{
	static const char *const paths[] = { "sys/",   "cubbyhole/",  "identity/",
		                             "audit/", "auth/token/", "auth/host/" };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (strncmp(path, paths[i], strlen(paths[i])) == 0)
			return true;
	return strcmp(path, "auth/") == 0;
}

static int check(struct req *r, const char *from, const char *to, const struct mount **m)
{
	bool from_auth = strncmp(from, "auth/", 5) == 0;
	bool to_auth = strncmp(to, "auth/", 5) == 0;

	if (kept(from))
		return req_fail(r, ERR_INVALID, "cannot remount \"%.150s\"", from);
	if (kept(to))
		return req_fail(r, ERR_INVALID,
		                "invalid destination mount: cannot remount to \"%.150s\"",
		                to);
	if (from_auth != to_auth)
		return req_fail(r, ERR_INVALID,
		                from_auth
		                        ? "cannot remount auth mount to non-auth mount"
		                        : "cannot remount non-auth mount to auth mount");
	if ((*m = mounts_at(r->core, from)) == NULL)
		return req_fail(r, ERR_INVALID, "no matching mount at \"%.150s\"", from);
	if (mount_path_free(r->core, to, *m, &r->e) != ERR_OK || strcmp(from, to) == 0)
		return req_fail(r, ERR_INVALID, "path in use at \"%.150s\"", to);
	return ERR_OK;
}

int mount_h_remount(struct req *r)
{
	char *id = arena_alloc(r->a, MOVE_ID_TEXT);
	const char *from = "", *to = "";
	const struct mount *m = NULL;
	int rc;

	if (id == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = take_path(r, "from", &from)) != ERR_OK ||
	    (rc = take_path(r, "to", &to)) != ERR_OK ||
	    (rc = check(r, from, to, &m)) != ERR_OK ||
	    (rc = mount_move(r->core, r->a, m, to, id, &r->e)) != ERR_OK)
		return rc;
	req_note_str(r, "from", from);
	req_note_str(r, "to", to);
	value_set_str(r->a, reply_data(r), "migration_id", id);
	value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}

int mount_h_remount_status(struct req *r)
{
	struct mount_move move;
	struct value *info, *out;
	int rc = mount_move_state(r->core, r->a, r->param[0].text, &move, &r->e);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	info = value_object(r->a);
	value_set_str(r->a, info, "source_mount", move.from);
	value_set_str(r->a, info, "status", move.done ? "success" : "in-progress");
	value_set_str(r->a, info, "target_mount", move.to);
	out = reply_data(r);
	value_set_str(r->a, out, "migration_id", r->param[0].text);
	value_set(out, "migration_info", info);
	value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}
