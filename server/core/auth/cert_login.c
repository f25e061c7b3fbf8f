/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cert_login - logins and renewals with a TLS client certificate.
 *
 * net has verified the chain against what it was told to trust, and says which of that
 * vouches for the client; here a role is found that trusts the same and whose lists the
 * client meets.  Without a name all roles of the mount are asked, a page at a time; of
 * several that admit the client the first in order of name counts.
 */
#include <string.h>

#include "arena.h"
#include "cert_role.h"
#include "cert_trust.h"
#include "crl.h"
#include "path.h"
#include "rng.h"
#include "text.h"

#define PAGE       32
#define PAGE_ARENA ((size_t)64 * 1024 * 1024)

#define NO_CLIENT "invalid certificate or no client certificate supplied"
#define NO_CHAIN \
	"no chain matching all constraints could be found for this login certificate"

/* ---- revocation ---- */

/* The certificates that vouch for the client, less those that a list of the mount names.
 */
static const struct value *unrevoked(struct req *r, const struct mount *m,
                                     const struct value *anchors)
{
	struct value *left = value_array(r->a);

	for (const struct value *v = anchors->first; v != NULL; v = v->next) {
		const unsigned char *der;
		size_t n;

		der = cert_trust_der(r->core, (const unsigned char *)v->text, &n);
		if (der == NULL || !crl_lists_cert(r->core, m->id, der, n))
			value_add(left, value_bytes(r->a, v->text, v->len));
	}
	return left;
}

static int refuse(struct req *r, bool vouched)
{
	return req_fail(r, ERR_INVALID, "%s", vouched ? NO_CHAIN : NO_CLIENT);
}

/* What net says of the client, if a certificate vouches for it.  A chain is refused
 * whole for any certificate in it that a list of the mount names: which of them net has
 * needed is not told. */
static int open_client(struct req *r, const struct mount *m, struct cert_client *k)
{
	if (!cert_client_read(r->client, k) || k->anchors->len == 0)
		return refuse(r, false);
	if (crl_lists_any(r->core, m->id, k->issued))
		return refuse(r, true);
	k->anchors = unrevoked(r, m, k->anchors);
	return k->anchors->len > 0 ? ERR_OK : refuse(r, true);
}

/* ---- logins ---- */

/* A search over all roles: lives in the request's arena across slices. */
struct search {
	const struct cert_client *client;
	struct arena *scratch; /* of this slice */
	unsigned char after[STORE_ID_MAX];
	size_t after_len; /* 0: nothing seen yet */
	int seen;         /* in this slice */
	bool vouched;
	char best[LIMIT_NAME + 1]; /* "": none so far */
};

static int consider(void *ctx, struct store_object *o, struct err *e)
{
	struct search *s = ctx;
	struct cert_role role;

	(void)e;
	memcpy(s->after, o->id, o->id_len);
	s->after_len = o->id_len;
	s->seen++;
	cert_role_of(s->scratch, o, &role);
	if (!cert_vouched(&role.rules, s->client))
		return ERR_OK;
	s->vouched = true;
	if (cert_admits(&role.rules, s->client) &&
	    (s->best[0] == '\0' || strcmp(role.name, s->best) < 0))
		memcpy(s->best, role.name, sizeof(s->best));
	return ERR_OK;
}

/* ERR_OK: s->best is found, or none.  REQ_PARKED: to be returned. */
static int search_slice(struct req *r, struct search *s)
{
	AUTO_ARENA scratch = arena_new(PAGE_ARENA);
	unsigned char key[16];
	int rc;

	if (scratch == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	s->scratch = scratch;
	s->seen = 0;
	rc = store_by_parent_page(r->core, scratch, KIND_CERT, r->mount->id, MOUNT_ID,
	                          s->after_len > 0 ? s->after : NULL, s->after_len, PAGE,
	                          consider, s, &r->e);
	s->scratch = NULL;
	if (rc != ERR_OK || s->seen < PAGE)
		return rc;
	rng_bytes(key, sizeof(key));
	return req_park(r, WAIT_JOB, key, r->core->boot_ms);
}

/* The role of that name, if it admits the client now. */
static int take_role(struct req *r, const struct mount *m, const char *name,
                     const struct cert_client *k, struct cert_role *role)
{
	int rc = cert_role_get(r->core, r->a, m, name, role, &r->e);

	if (rc == ERR_NOENT)
		return refuse(r, false);
	if (rc != ERR_OK)
		return rc;
	if (!cert_admits(&role->rules, k))
		return refuse(r, cert_vouched(&role->rules, k));
	return ERR_OK;
}

static int find_role(struct req *r, const struct cert_client *k, struct cert_role *role)
{
	struct search *s = r->park_state;
	int rc;

	if (s == NULL) {
		if ((s = arena_alloc(r->a, sizeof(*s))) == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		r->park_state = s;
	}
	s->client = k;
	if ((rc = search_slice(r, s)) != ERR_OK)
		return rc;
	if (s->best[0] == '\0')
		return refuse(r, s->vouched);
	return take_role(r, r->mount, s->best, k, role);
}

/* "0a:1b:…", "" for none. */
static const char *colons(struct arena *a, const struct value *id)
{
	char *out = arena_alloc(a, (size_t)id->len * 3 + 1);

	for (uint32_t i = 0; out != NULL && i < id->len; i++) {
		text_hex(id->text + i, 1, out + (size_t)i * 3);
		if (i + 1 < id->len)
			out[(size_t)i * 3 + 2] = ':';
	}
	return out;
}

static void add_text(struct arena *a, struct value *meta, const char *key,
                     const struct value *text)
{
	value_set(meta, key,
	          text->type == V_STRING ? value_strdup(a, text->text, text->len)
	                                 : value_str(a, ""));
}

static void add_extensions(struct arena *a, struct value *meta,
                           const struct cert_role *role, const struct cert_client *k)
{
	const struct value *wanted = role->rules.list[CERT_METADATA_EXTENSIONS];

	for (const struct value *v = wanted->first; v != NULL; v = v->next) {
		const struct value *x = cert_client_extension(k, v->text, v->len);
		char *key = arena_dup(a, v->text, v->len);

		if (x == NULL || key == NULL)
			continue;
		for (char *dot = key; (dot = strchr(dot, '.')) != NULL;)
			*dot = '-';
		if (value_get(meta, key) == NULL)
			add_text(a, meta, key, value_get(x, "text"));
	}
}

static struct value *metadata(struct arena *a, const struct cert_role *role,
                              const struct cert_client *k)
{
	struct value *meta = value_object(a);

	value_set_str(a, meta, "cert_name", arena_str(a, role->name));
	add_text(a, meta, "common_name", k->common_name);
	add_text(a, meta, "serial_number", k->serial_number);
	value_set_str(a, meta, "subject_key_id", colons(a, k->subject_key_id));
	value_set_str(a, meta, "authority_key_id", colons(a, k->authority_key_id));
	add_extensions(a, meta, role, k);
	return meta;
}

static int admit(struct req *r, const struct cert_role *role, const struct cert_client *k)
{
	const char *name = arena_str(r->a, role->name);
	struct value *data = value_object(r->a);

	value_set_bytes(r->a, data, "sha256", arena_dup(r->a, k->sha256, 32), 32);
	value_set(data, "issued", value_copy(r->a, k->issued));
	req_note_str(r, "role", name);
	req_note_bytes(r, "certificate", k->sha256, 32);
	if (arena_failed(r->a))
		return req_fail(r, ERR_NOMEM, "out of memory");
	return login_reply(r, &(struct login){ .params = &role->params,
	                                       .display_name = role->display_name,
	                                       .role = name,
	                                       .metadata = metadata(r->a, role, k),
	                                       .data = data });
}

int cert_login(struct req *r)
{
	char name[LIMIT_NAME + 1];
	const char *given = "";
	struct cert_client k;
	struct cert_role role;
	bool present;
	struct err e;
	int rc;

	if ((rc = req_str(r, "name", &given, &present)) != ERR_OK)
		return rc;
	if ((rc = open_client(r, r->mount, &k)) != ERR_OK)
		return rc;
	if (given[0] == '\0')
		rc = find_role(r, &k, &role);
	else if (path_name(given, strlen(given), name, "role name", &e) != ERR_OK)
		rc = refuse(r, false);
	else
		rc = take_role(r, r->mount, name, &k, &role);
	return rc == ERR_OK ? admit(r, &role, &k) : rc;
}

/* ---- renewal ---- */

static int check_binding(struct req *r, const struct login_memory *m)
{
	const struct value *was = value_get(m->data, "sha256");
	struct cert_client k;
	struct cert_role role;
	int rc;

	if ((rc = open_client(r, m->mount, &k)) != ERR_OK ||
	    (rc = take_role(r, m->mount, m->role, &k, &role)) != ERR_OK)
		return rc;
	if (was == NULL || was->type != V_BYTES || was->len != 32 ||
	    memcmp(was->text, k.sha256, 32) != 0)
		return req_fail(r, ERR_INVALID,
		                "client identity during renewal not matching client "
		                "identity used during login");
	return ERR_OK;
}

/* Is a certificate of the login revoked by now, whoever asks for the renewal? */
static bool is_revoked(struct req *r, const struct login_memory *m)
{
	const struct value *issued = value_get(m->data, "issued");

	return cert_issued_ok(issued) && crl_lists_any(r->core, m->mount->id, issued);
}

int cert_renew(struct req *r, const struct login_memory *m, struct token_params *p)
{
	struct cert_config config;
	struct cert_role role;
	int rc = cert_config_get(r->core, r->a, m->mount, &config, &r->e);

	if (rc != ERR_OK)
		return rc;
	rc = cert_role_get(r->core, r->a, m->mount, m->role, &role, &r->e);
	if (rc == ERR_NOENT)
		return req_fail(r, ERR_INVALID,
		                "the certificate role of the login is gone");
	if (rc == ERR_OK && is_revoked(r, m))
		return refuse(r, true);
	if (rc != ERR_OK ||
	    (!config.disable_binding && (rc = check_binding(r, m)) != ERR_OK))
		return rc;
	*p = role.params;
	return login_same_policies(r, m, p);
}
