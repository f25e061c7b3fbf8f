/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_userpass - auth/userpass: users with passwords.
 *
 * KIND_USER: id = blind("user", mount id, name), parent = mount id.  Body: {name, pw
 * (stored password, pwhash.h), old_policies (true: "policies" is read back too)} and the
 * token parameters.
 *
 * Whether a user exists is told to nobody who logs in: an unknown name is counted, locked
 * and hashed for like a known one.
 */
#include <string.h>

#include "arena.h"
#include "lockout.h"
#include "login.h"
#include "mounts.h"
#include "names.h"
#include "path.h"
#include "pwhash.h"
#include "route.h"
#include "userpass.h"

#define HASH_MS    30000 /* longest wait for a hash */
#define BAD_LOGIN  "invalid username or password"
#define NO_USER    "username does not exist"
#define NAME_LIMIT (LIMIT_NAME + 1)

static const struct token_param_alias aliases[] = {
	{"token_policies",     "policies"   },
	{ "token_ttl",         "ttl"        },
	{ "token_max_ttl",     "max_ttl"    },
	{ "token_bound_cidrs", "bound_cidrs"},
	{ NULL,		NULL         },
};

/* A hash that the request waits for. */
struct waiting {
	unsigned char ticket[PWHASH_TICKET];
	int64_t user_version; /* of the row when a login began, 0: no such user */
	const char *pw;       /* what it said then: a row made anew starts at version 1 */
};

static int user_open(struct req *r, const struct mount *m, const char *name,
                     struct store_object *o)
{
	store_blind(r->core, o->id, "user", m->id, 16, name, strlen(name));
	return store_get(r->core, r->a, KIND_USER, o->id, 32, o, &r->e);
}

/* The name in the path, folded. */
static int take_name(struct req *r, char name[NAME_LIMIT])
{
	int rc = path_name(r->param[0].text, r->param[0].len, name, "user name", &r->e);

	if (rc == ERR_OK)
		req_note_str(r, "user", arena_str(r->a, name));
	return rc;
}

/* The user that the path names; ERR_NOENT if there is none. */
static int open_named(struct req *r, char name[NAME_LIMIT], struct store_object *o)
{
	int rc = take_name(r, name);

	return rc == ERR_OK ? user_open(r, r->mount, name, o) : rc;
}

static int user_exists(struct req *r, bool *exists)
{
	struct store_object o = { 0 };
	char name[NAME_LIMIT];
	int rc = open_named(r, name, &o);

	*exists = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static int busy(struct req *r)
{
	r->retry_after = 1;
	return req_fail(r, ERR_BUSY, "too many passwords are being checked");
}

static int park(struct req *r, struct waiting *w)
{
	r->park_state = w;
	return req_park(r, WAIT_ARGON, w->ticket, r->core->boot_ms + HASH_MS);
}

/* ERR_OK: ${out} is there.  REQ_PARKED: to be returned. */
static int result_of(struct req *r, struct pwhash_result *out)
{
	struct waiting *w = r->park_state;
	int rc = pwhash_take(r->core, w->ticket, out);

	if (rc == ERR_BUSY && r->core->boot_ms - r->first_ms < HASH_MS)
		return park(r, w);
	return rc == ERR_OK ? ERR_OK : busy(r);
}

/* --- users -------------------------------------------------------------------------- */

/* The stored form of the password that the request brings, "" if it brings none. */
static int take_password(struct req *r, const char **stored)
{
	const char *password = NULL, *hash = NULL;
	struct pwhash_result *made;
	struct waiting *w;
	bool present, have_hash;
	int rc;

	*stored = "";
	if ((rc = req_str(r, "password", &password, &present)) != ERR_OK ||
	    (rc = req_str(r, "password_hash", &hash, &have_hash)) != ERR_OK)
		return rc;
	present = present && password[0] != '\0';
	have_hash = have_hash && hash[0] != '\0';
	if (present && have_hash)
		return req_fail(
			r, ERR_INVALID,
			"only one of 'password' and 'password_hash' may be given");
	if (have_hash && !pwhash_supported(hash))
		return req_fail(r, ERR_INVALID,
		                "'password_hash' must be a bcrypt or argon2id hash");
	if (have_hash)
		*stored = hash;
	if (!present)
		return ERR_OK;
	if (r->park_state == NULL) {
		if ((w = arena_alloc(r->a, sizeof(*w))) == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		rc = pwhash_make(r->core, password, strlen(password), w->ticket, &r->e);
		if (rc != ERR_OK)
			return rc == ERR_BUSY ? busy(r) : rc;
		return park(r, w);
	}
	if ((made = arena_alloc(r->a, sizeof(*made))) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = result_of(r, made)) != ERR_OK)
		return rc;
	*stored = made->stored;
	return made->stored[0] != '\0' ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

struct user {
	char name[NAME_LIMIT];
	struct store_object o; /* version 0: new */
	struct token_params params;
	const char *pw;
	bool old_policies;
};

static int load(struct req *r, struct user *u)
{
	int rc = open_named(r, u->name, &u->o);

	if (rc == ERR_NOENT) {
		u->o = (struct store_object){ .kind = KIND_USER, .id_len = 32 };
		store_blind(r->core, u->o.id, "user", r->mount->id, 16, u->name,
		            strlen(u->name));
		memcpy(u->o.parent, r->mount->id, 16);
		u->o.parent_len = 16;
		u->pw = "";
		token_params_init(r->a, &u->params);
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return rc;
	u->pw = value_cstr_or(r->a, u->o.body, "pw", "");
	u->old_policies = value_bool_or(u->o.body, "old_policies", false);
	token_params_load(r->a, u->o.body, &u->params);
	return ERR_OK;
}

static int save(struct req *r, struct user *u)
{
	struct value *body = value_object(r->a);

	value_set_str(r->a, body, "name", u->name);
	value_set_str(r->a, body, "pw", u->pw);
	value_set_bool(r->a, body, "old_policies", u->old_policies);
	token_params_save(r->a, &u->params, body);
	if (body == NULL || arena_failed(r->a))
		return req_fail(r, ERR_NOMEM, "out of memory");
	u->o.body = body;
	return store_put(r->core, &u->o, &r->e);
}

static void note_old_policies(struct req *r, struct user *u)
{
	const struct value *old = value_get(r->body, "policies");
	const struct value *new_name = value_get(r->body, "token_policies");

	if (new_name != NULL && new_name->type != V_NULL)
		u->old_policies = false;
	else if (old != NULL && old->type != V_NULL)
		u->old_policies = true;
}

static int h_user_write(struct req *r)
{
	struct user u = { 0 };
	const char *stored;
	int rc;

	if ((rc = load(r, &u)) != ERR_OK ||
	    (rc = token_params_take(r, aliases, &u.params)) != ERR_OK ||
	    (rc = take_password(r, &stored)) != ERR_OK)
		return rc;
	if (stored[0] != '\0')
		u.pw = stored;
	if (u.pw[0] == '\0')
		return req_fail(r, ERR_INVALID, "missing password");
	note_old_policies(r, &u);
	return save(r, &u);
}

/* One of the sub-paths that change a user who is there. */
static int load_existing(struct req *r, struct user *u)
{
	int rc = load(r, u);

	if (rc == ERR_OK && u->o.version == 0)
		return req_fail(r, ERR_INVALID, NO_USER);
	return rc;
}

static int h_password_write(struct req *r)
{
	struct user u = { 0 };
	const char *stored;
	int rc;

	if ((rc = load_existing(r, &u)) != ERR_OK ||
	    (rc = take_password(r, &stored)) != ERR_OK)
		return rc;
	if (stored[0] == '\0')
		return req_fail(r, ERR_INVALID, "missing password");
	u.pw = stored;
	return save(r, &u);
}

static int h_policies_write(struct req *r)
{
	struct user u = { 0 };
	int rc;

	if ((rc = load_existing(r, &u)) != ERR_OK ||
	    (rc = token_params_take(r, aliases, &u.params)) != ERR_OK)
		return rc;
	note_old_policies(r, &u);
	return save(r, &u);
}

static int h_user_read(struct req *r)
{
	struct user u = { 0 };
	struct value *out;
	int rc = load(r, &u);

	if (rc != ERR_OK || u.o.version == 0)
		return rc;
	out = reply_data(r);
	token_params_reply(r->a, &u.params, out);
	if (u.old_policies)
		value_set(out, "policies", value_copy(r->a, u.params.policies));
	return ERR_OK;
}

static int h_user_delete(struct req *r)
{
	struct store_object o = { 0 };
	char name[NAME_LIMIT];
	int rc = open_named(r, name, &o);

	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if ((rc = store_delete(r->core, &o, &r->e)) != ERR_OK)
		return rc;
	return lockout_clear(r->core, r->a, r->mount->id, name, &r->e);
}

static int h_user_list(struct req *r)
{
	return names_reply(r, KIND_USER);
}

/* --- login -------------------------------------------------------------------------- */

/* Counted, then checked: attempts at the same time cannot share one count. */
static int begin_login(struct req *r, const char *name, const char *password)
{
	struct waiting *w = arena_alloc(r->a, sizeof(*w));
	struct store_object o = { 0 };
	bool locked = false;
	int rc;

	if (w == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rc = lockout_locked(r->core, r->a, r->mount->id, name, &locked, &r->e);
	if (rc != ERR_OK)
		return rc;
	if (locked)
		return req_fail(r, ERR_DENIED, "permission denied");
	if (strlen(password) >= PWHASH_PASSWORD)
		return req_fail(r, ERR_INVALID, BAD_LOGIN);
	if (!pwhash_ready(r->core))
		return busy(r);
	rc = user_open(r, r->mount, name, &o);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	w->user_version = rc == ERR_OK ? o.version : 0;
	w->pw = rc == ERR_OK ? value_cstr_or(r->a, o.body, "pw", "") : NULL;
	if ((rc = lockout_count(r->core, r->a, r->mount->id, name,
	                        &r->mount->config.lockout, &r->e)) != ERR_OK)
		return rc;
	rc = pwhash_check(r->core, w->pw, password, strlen(password), w->ticket, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_BUSY ? busy(r) : rc;
	return park(r, w);
}

static int finish_login(struct req *r, const char *name)
{
	const struct waiting *w = r->park_state;
	struct pwhash_result *res = arena_alloc(r->a, sizeof(*res));
	struct value *meta = value_object(r->a);
	struct user u = { 0 };
	int rc;

	if (res == NULL || meta == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = result_of(r, res)) != ERR_OK || (rc = load(r, &u)) != ERR_OK)
		return rc;
	/* What was checked must still be what counts. */
	if (!res->match || w->user_version == 0 || u.o.version != w->user_version ||
	    strcmp(u.pw, w->pw) != 0)
		return req_fail(r, ERR_INVALID, BAD_LOGIN);
	rc = lockout_clear(r->core, r->a, r->mount->id, name, &r->e);
	if (rc != ERR_OK)
		return rc;
	value_set_str(r->a, meta, "username", arena_str(r->a, name));
	return login_reply(r, &(struct login){ .params = &u.params,
	                                       .display_name = arena_str(r->a, name),
	                                       .role = arena_str(r->a, name),
	                                       .metadata = meta });
}

static int h_login(struct req *r)
{
	const char *password = NULL;
	char name[NAME_LIMIT];
	bool present;
	int rc;

	if ((rc = take_name(r, name)) != ERR_OK ||
	    (rc = req_str(r, "password", &password, &present)) != ERR_OK)
		return rc;
	if (!present || password[0] == '\0')
		return req_fail(r, ERR_INVALID, "missing password");
	return r->park_state == NULL ? begin_login(r, name, password)
	                             : finish_login(r, name);
}

int userpass_renew(struct req *r, const struct login_memory *m, struct token_params *p)
{
	struct store_object o = { 0 };
	int rc = user_open(r, m->mount, m->role, &o);

	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID, NO_USER);
	if (rc != ERR_OK)
		return rc;
	token_params_load(r->a, o.body, p);
	return login_same_policies(r, m, p);
}

/* clang-format off */
static const struct field user_fields[] = {
	{ "password", "string", "the password; wanted for a new user" },
	{ "password_hash", "string", "a bcrypt or argon2id hash instead" },
	TOKEN_PARAM_FIELDS,
	{ "policies", "strings", "old name of token_policies" },
	{ "ttl", "duration", "old name of token_ttl" },
	{ "max_ttl", "duration", "old name of token_max_ttl" },
	{ "bound_cidrs", "strings", "old name of token_bound_cidrs" },
	{ NULL, NULL, NULL },
};
static const struct field password_fields[] = {
	{ "password", "string", "the new password" },
	{ "password_hash", "string", "a bcrypt or argon2id hash instead" },
	{ NULL, NULL, NULL },
};
static const struct field policies_fields[] = {
	{ "token_policies", "strings", "policies of the tokens that the user gets" },
	{ "policies", "strings", "the same, by its old name" },
	{ NULL, NULL, NULL },
};
static const struct field login_fields[] = {
	{ "password", "string", "the user's password" },
	{ NULL, NULL, NULL },
};

static const struct route rows[] = {
	{ "userpass", M_LIST,   "users",                0,      NULL,            h_user_list,      NULL,
	  "list users" },
	{ "userpass", M_GET,    "users/:name",          0,      NULL,            h_user_read,      NULL,
	  "read a user" },
	{ "userpass", M_POST,   "users/:name",          0,      user_fields,     h_user_write,
	  user_exists, "create or change a user" },
	{ "userpass", M_DELETE, "users/:name",          0,      NULL,            h_user_delete,    NULL,
	  "delete a user" },
	{ "userpass", M_POST,   "users/:name/password", 0,      password_fields, h_password_write, NULL,
	  "set the password of a user" },
	{ "userpass", M_POST,   "users/:name/policies", 0,      policies_fields, h_policies_write, NULL,
	  "set the policies of a user" },
	{ "userpass", M_POST,   "login/:name",          R_AUTH, login_fields,    h_login,          NULL,
	  "log in with a password" },
};
/* clang-format on */

const struct route_table routes_userpass = { rows, ARRAY_LEN(rows) };
