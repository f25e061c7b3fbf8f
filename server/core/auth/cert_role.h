/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CERT_ROLE_H
#define SERVER_CORE_CERT_ROLE_H
/*
 * cert_role - the stored roles of certificate auth methods, and what holds for a method.
 *
 * KIND_CERT: id = blind("cert", mount id, name), parent = mount id.  Body: {name,
 * certificate (PEM, as it was written), sha256 (array of bytes32: of the DER), ca,
 * display_name, old (array: parameters that were last given by an old name), the lists
 * of cert_list_name()} and the token parameters.  The configuration is a KIND_SETTING.
 */
#include "cert_match.h"
#include "login.h"
#include "mounts.h"
#include "store.h"
#include "vault/limits.h"

struct cert_role {
	char name[LIMIT_NAME + 1];
	struct store_object o; /* version 0: new */
	struct cert_rules rules;
	struct token_params params;
	const char *certificate, *display_name;
	const struct value *old; /* array of strings */
};

struct cert_config {
	struct store_object o;
	bool disable_binding;    /* a renewal need not show the certificate */
	bool alias_metadata;     /* kept and shown */
	int64_t ocsp_cache_size; /* kept and shown */
};

/** cert_list_name(l): the field and the member of a list. */
const char *cert_list_name(enum cert_list l);

/** cert_role_get(c, a, m, name, out, e): ERR_NOENT if there is none; ${out} is that of a
 * new role then.  ${name} is folded already. */
int cert_role_get(struct core *c, struct arena *a, const struct mount *m,
                  const char *name, struct cert_role *out, struct err *e) MUST_CHECK;
/** cert_role_of(a, o, out): from an object that was read. */
void cert_role_of(struct arena *a, const struct store_object *o, struct cert_role *out);
/** cert_role_put(c, a, role, e): as it is now. */
int cert_role_put(struct core *c, struct arena *a, struct cert_role *role, struct err *e)
	MUST_CHECK;

/** cert_config_get(c, a, m, out, e), cert_config_put(): the defaults if there is none. */
int cert_config_get(struct core *c, struct arena *a, const struct mount *m,
                    struct cert_config *out, struct err *e) MUST_CHECK;
int cert_config_put(struct core *c, struct arena *a, struct cert_config *k, struct err *e)
	MUST_CHECK;

/** cert_destroy(c, a, mount, rows, e): one slice of what a mount that is gone leaves
 * behind; all is gone if ${*rows} > 0 afterwards. */
int cert_destroy(struct core *c, struct arena *a, const unsigned char mount[MOUNT_ID],
                 int *rows, struct err *e) MUST_CHECK;

/** cert_login(r): the handler of login. */
int cert_login(struct req *r) MUST_CHECK;
/** cert_renew(r, m, p): a login_renew_fn: the role must be there with the token's
 * policies and, unless the method was configured otherwise, admit the client, who shows
 * the certificate of the login. */
int cert_renew(struct req *r, const struct login_memory *m, struct token_params *p)
	MUST_CHECK;

#endif
