/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "frame.h"
#include "log.h"
#include "rng.h"
#include "sandbox.h"
#include "tlskey.h"

#define PEM_MAX 8192
#define SUBJECT "vaultd"

struct making {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
};

static int check(int gnutls_rc, const char *doing, struct err *e)
{
	if (gnutls_rc >= 0)
		return ERR_OK;
	return err_set(e, ERR_INTERNAL, "%s: %s", doing, gnutls_strerror(gnutls_rc));
}

static int add_name(gnutls_x509_crt_t crt, const char *name, struct err *e)
{
	unsigned char ip[sizeof(struct in6_addr)];
	gnutls_x509_subject_alt_name_t type = GNUTLS_SAN_IPADDRESS;
	const void *data = ip;
	size_t n = 4;

	if (inet_pton(AF_INET6, name, ip) == 1) {
		n = 16;
	} else if (inet_pton(AF_INET, name, ip) != 1) {
		type = GNUTLS_SAN_DNSNAME;
		data = name;
		n = strlen(name);
	}
	return check(gnutls_x509_crt_set_subject_alt_name(crt, type, data, (unsigned)n,
	                                                  GNUTLS_FSAN_APPEND),
	             "certificate name", e);
}

static int add_names(gnutls_x509_crt_t crt, struct arena *a, const struct value *names,
                     struct err *e)
{
	int rc = ERR_OK;

	for (const struct value *v = names != NULL ? names->first : NULL;
	     v != NULL && rc == ERR_OK; v = v->next) {
		const char *name = value_to_cstr(v, a);

		if (name != NULL && *name != '\0')
			rc = add_name(crt, name, e);
	}
	return rc;
}

static int set_validity(gnutls_x509_crt_t crt, struct err *e)
{
	/* Backdated, because the clocks of a fleet differ. */
	time_t from = time(NULL) - 24 * 3600;
	unsigned char serial[16];

	rng_bytes(serial, sizeof(serial));
	serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40);
	if (gnutls_x509_crt_set_activation_time(crt, from) < 0 ||
	    gnutls_x509_crt_set_expiration_time(
		    crt, GNUTLS_X509_NO_WELL_DEFINED_EXPIRATION) < 0)
		return err_set(e, ERR_INTERNAL, "certificate dates");
	return check(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)), "serial",
	             e);
}

static int set_usage(gnutls_x509_crt_t crt, struct err *e)
{
	unsigned char id[20];
	size_t n = sizeof(id);
	int rc;

	if ((rc = check(gnutls_x509_crt_set_basic_constraints(crt, 0, -1), "constraints",
	                e)) != ERR_OK ||
	    (rc = check(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE),
	                "key usage", e)) != ERR_OK ||
	    (rc = check(gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER,
	                                                    0),
	                "key purpose", e)) != ERR_OK ||
	    (rc = check(gnutls_x509_crt_get_key_id(crt, 0, id, &n), "key id", e)) !=
	            ERR_OK)
		return rc;
	return check(gnutls_x509_crt_set_subject_key_id(crt, id, n), "key id", e);
}

static int make_key(struct making *m, struct err *e)
{
	int rc;

	if ((rc = check(gnutls_x509_privkey_init(&m->key), "key", e)) != ERR_OK)
		return rc;
	return check(gnutls_x509_privkey_generate(
			     m->key, GNUTLS_PK_ECDSA,
			     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
	             "key", e);
}

static int make_cert(struct making *m, struct arena *a, const struct value *names,
                     struct err *e)
{
	int rc;

	if ((rc = check(gnutls_x509_crt_init(&m->crt), "certificate", e)) != ERR_OK ||
	    (rc = check(gnutls_x509_crt_set_version(m->crt, 3), "certificate", e)) !=
	            ERR_OK ||
	    (rc = check(gnutls_x509_crt_set_dn_by_oid(m->crt, GNUTLS_OID_X520_COMMON_NAME,
	                                              0, SUBJECT, sizeof(SUBJECT) - 1),
	                "subject", e)) != ERR_OK ||
	    (rc = set_validity(m->crt, e)) != ERR_OK ||
	    (rc = check(gnutls_x509_crt_set_key(m->crt, m->key), "certificate", e)) !=
	            ERR_OK ||
	    (rc = set_usage(m->crt, e)) != ERR_OK ||
	    (rc = add_names(m->crt, a, names, e)) != ERR_OK)
		return rc;
	return check(gnutls_x509_crt_sign2(m->crt, m->crt, m->key, GNUTLS_DIG_SHA256, 0),
	             "signature", e);
}

static int export_both(struct making *m, struct arena *a, struct value *out,
                       struct err *e)
{
	size_t key_len = PEM_MAX, cert_len = PEM_MAX;
	char *key = arena_alloc(a, PEM_MAX), *cert = arena_alloc(a, PEM_MAX);
	int rc;

	if (key == NULL || cert == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = check(gnutls_x509_privkey_export(m->key, GNUTLS_X509_FMT_PEM, key,
	                                           &key_len),
	                "key", e)) != ERR_OK ||
	    (rc = check(gnutls_x509_crt_export(m->crt, GNUTLS_X509_FMT_PEM, cert,
	                                       &cert_len),
	                "certificate", e)) != ERR_OK)
		return rc;
	value_set_bytes(a, out, "key", key, key_len);
	value_set_bytes(a, out, "cert", cert, cert_len);
	return ERR_OK;
}

static int make(struct arena *a, const struct value *config, struct value *out,
                struct err *e)
{
	struct making m = { 0 };
	int rc;

	if ((rc = make_key(&m, e)) == ERR_OK &&
	    (rc = make_cert(&m, a, value_get(config, "names"), e)) == ERR_OK)
		rc = export_both(&m, a, out, e);
	gnutls_x509_crt_deinit(m.crt);
	gnutls_x509_privkey_deinit(m.key);
	return rc;
}

static int serve_one(int control, struct arena *a, struct err *e)
{
	const struct sandbox_options worker = { .profile = SANDBOX_WORKER };
	struct sandbox_report report = { .n = 0 };
	struct value *config, *out = value_object(a);
	enum ipc_type type;
	int fd = -1, rc;

	sandbox_early(&report);
	if ((rc = sandbox_enter(&worker, &report, e)) != ERR_OK ||
	    (rc = frame_recv_fd(control, a, &type, &config, &fd, e)) != ERR_OK)
		return rc;
	if (type != IPC_CONFIG)
		return err_set(e, ERR_INVALID, "no configuration");
	if ((rc = make(a, config, out, e)) != ERR_OK)
		return rc;
	return frame_send_fd(control, IPC_READY, 0, out, -1, e);
}

int tlskey_role_main(int control_fd)
{
	AUTO_ARENA a = arena_new(256u * 1024);
	struct err e = { .code = ERR_OK };

	log_init("tlskey", false);
	if (a == NULL)
		return errclasses[ERR_NOMEM].exit_status;
	if (serve_one(control_fd, a, &e) == ERR_OK)
		return 0;
	if (frame_send_fd(control_fd, IPC_FAILED, 0, value_str(a, e.msg), -1, &e) !=
	    ERR_OK)
		log_error("cannot report", LOG_S("cause", e.msg));
	return errclasses[ERR_INTERNAL].exit_status;
}
