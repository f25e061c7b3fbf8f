/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_crl - auth/cert/crls: certificate revocation lists.
 *
 * A list is kept if its signature is that of a certificate that is trusted here; net
 * verifies it (crl_ask.h) while the request is parked.  Nothing is fetched: the vault
 * opens no connections.
 */
#include <string.h>

#include "arena.h"
#include "clock.h"
#include "crl.h"
#include "crl_ask.h"
#include "crl_pem.h"
#include "path.h"
#include "route.h"

#define VERIFY_MS 15000 /* longest wait for net */

static int take_name(struct req *r, char name[LIMIT_NAME + 1])
{
	int rc = path_name(r->param[0].text, r->param[0].len, name, "CRL name", &r->e);

	if (rc == ERR_OK)
		req_note_str(r, "crl", arena_str(r->a, name));
	return rc;
}

static int no_such(struct req *r, const char *name)
{
	return req_fail(r, ERR_INVALID, "no such CRL %s", name);
}

/* ---- writing ---- */

/* A list whose signature is being verified; in the request's arena. */
struct writing {
	unsigned char ticket[CRL_TICKET];
	struct crl_text text;
};

static int take_text(struct req *r, struct crl_text *out)
{
	const char *text = NULL, *url = "";
	bool present, have_url;
	int rc;

	if ((rc = req_str(r, "crl", &text, &present)) != ERR_OK ||
	    (rc = req_str(r, "url", &url, &have_url)) != ERR_OK)
		return rc;
	if (have_url && url[0] != '\0')
		return req_fail(r, ERR_INVALID,
		                "'url' is not supported, the vault opens no connections: "
		                "fetch the revocation list and write it as 'crl'");
	if (!present)
		return req_fail(r, ERR_INVALID, "one of 'crl' or 'url' must be provided");
	return crl_pem_read(r->a, text, strlen(text), out, &r->e);
}

/* Has it been signed as it should? */
static int judge(struct req *r, const struct crl_answer *answer)
{
	switch ((enum ipc_verdict)answer->verdict) {
	case IPC_V_SIGNED:
		return ERR_OK;
	case IPC_V_FORGED:
		return req_fail(r, ERR_INVALID,
		                "the signature of the revocation list is not its "
		                "issuer's");
	case IPC_V_FORBIDDEN:
		return req_fail(r, ERR_INVALID,
		                "the certificate of the issuer is not for signing "
		                "revocation lists");
	case IPC_V_ALGORITHM:
		return req_fail(r, ERR_INVALID,
		                "the revocation list is signed with an algorithm that is "
		                "not accepted");
	default:
		return req_fail(r, ERR_INVALID,
		                "the issuer of the revocation list is not known: no role "
		                "trusts its certificate; put that beside the list, PEM, "
		                "if a trusted CA has issued it");
	}
}

static int park(struct req *r, const struct writing *w)
{
	return req_park(r, WAIT_CRL, w->ticket, r->first_ms + VERIFY_MS);
}

/* The first run: what may be refused is, then net is asked. */
static int begin(struct req *r, const char *name)
{
	struct writing *w = arena_alloc(r->a, sizeof(*w));
	int rc;

	if (w == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = take_text(r, &w->text)) != ERR_OK ||
	    (rc = crl_check(r->core, r->mount->id, name, &w->text.der, w->text.n,
	                    &r->e)) != ERR_OK ||
	    (rc = crl_ask(r, &w->text.der, w->text.given, w->ticket)) != ERR_OK)
		return rc;
	r->park_state = w;
	return park(r, w);
}

static int finish(struct req *r, const char *name, const struct crl_text *t,
                  const unsigned char signer[32])
{
	char due[CLOCK_RFC3339_MAX];
	int rc = crl_put(r->core, r->mount->id, name,
	                 &(struct crl_new){ t->p, t->n, signer }, &r->e);

	if (rc != ERR_OK)
		return rc;
	req_note_int(r, "entries", (int64_t)t->der.n);
	req_note_bytes(r, "signer", arena_dup(r->a, signer, 32), 32);
	if (t->der.next_ms == 0 || t->der.next_ms > r->core->now_ms)
		return ERR_OK;
	clock_rfc3339(t->der.next_ms, due);
	reply_warning(r,
	              "the revocation list should have been replaced by %s; it holds "
	              "until it is",
	              due);
	return ERR_OK;
}

static int h_write(struct req *r)
{
	const struct writing *w = r->park_state;
	char name[LIMIT_NAME + 1];
	struct crl_answer answer;
	int rc = take_name(r, name);

	if (rc != ERR_OK || w == NULL)
		return rc == ERR_OK ? begin(r, name) : rc;
	rc = crl_take(r->core, w->ticket, &answer);
	if (rc == ERR_BUSY && r->core->boot_ms - r->first_ms < VERIFY_MS)
		return park(r, w);
	if (rc != ERR_OK)
		return req_fail(r, ERR_TIMEOUT,
		                "the network process has not verified the signature in "
		                "time");
	if ((rc = judge(r, &answer)) != ERR_OK)
		return rc;
	return finish(r, name, &w->text, answer.signer);
}

/* ---- reading and deleting ---- */

static void set_time(struct req *r, struct value *out, const char *key, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(ms, text);
	value_set_str(r->a, out, key, arena_str(r->a, text));
}

static int h_read(struct req *r)
{
	char name[LIMIT_NAME + 1];
	const struct crl *l;
	struct value *out;
	int rc = take_name(r, name);

	if (rc != ERR_OK)
		return rc;
	if ((l = crl_find(r->core, r->mount->id, name)) == NULL)
		return no_such(r, name);
	out = reply_data(r);
	if (l->der.n > 0)
		value_set(out, "serials", crl_serials(l, r->a));
	set_time(r, out, "this_update", l->der.this_ms);
	if (l->der.next_ms != 0)
		set_time(r, out, "next_update", l->der.next_ms);
	return ERR_OK;
}

static int h_list(struct req *r)
{
	struct value *keys = crl_names(r->core, r->a, r->mount->id);

	if (keys != NULL && keys->len > 0)
		value_set(reply_data(r), "keys", keys);
	return ERR_OK;
}

static int h_delete(struct req *r)
{
	char name[LIMIT_NAME + 1];
	int rc = take_name(r, name);

	if (rc != ERR_OK)
		return rc;
	rc = crl_delete(r->core, r->a, r->mount->id, name, &r->e);
	return rc == ERR_NOENT ? no_such(r, name) : rc;
}

/* clang-format off */
static const struct field fields[] = {
	{ "crl", "string", "PEM, beside it the certificate of its issuer if no role trusts that; or base64 of DER" },
	{ "url", "string", "not supported" },
	{ NULL, NULL, NULL },
};

static const struct route rows[] = {
	{ "cert", M_LIST,   "crls",       0, NULL,   h_list,   NULL, "list revocation lists" },
	{ "cert", M_GET,    "crls/:name", 0, NULL,   h_read,   NULL, "whom a revocation list names" },
	{ "cert", M_POST,   "crls/:name", 0, fields, h_write,  NULL, "write a revocation list" },
	{ "cert", M_DELETE, "crls/:name", 0, NULL,   h_delete, NULL, "delete a revocation list" },
};
/* clang-format on */

const struct route_table routes_crl = { rows, ARRAY_LEN(rows) };
