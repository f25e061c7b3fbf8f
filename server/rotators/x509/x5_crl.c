/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "arena.h"
#include "file.h"
#include "x5.h"

#define CRL_MAX       (4u * 1024 * 1024 / 2)
#define CRL_MODE      0644
#define NEXT_UPDATE_S (30ll * 24 * 3600)
#define SERIAL_MAX    64u
#define KEY_ID_MAX    64u
#define NUMBER_MAX    20u

struct crl_path {
	const char *file; /* NULL: none is configured */
	int lock;         /* the file's directory, held by flock(); or -1 */
};

static void path_close(struct crl_path *p)
{
	if (p->lock >= 0)
		close(p->lock);
}
#define AUTO_PATH __attribute__((cleanup(path_close))) struct crl_path

static int path_read(const struct request *r, struct crl_path *p, struct answer *a)
{
	int rc = config_text(r, "crl_file", NULL, &p->file, a);

	if (rc != 0 || p->file == NULL)
		return rc;
	if (p->file[0] == '/' && p->file[strlen(p->file) - 1] != '/')
		return 0;
	return answer_fail(a, CLASS_PERMANENT,
	                   "config.crl_file is no absolute path of a file");
}

/* Two calls must not take each other's entries away. */
static int path_lock(struct request *r, struct crl_path *p, struct answer *a)
{
	char *dir = arena_str(r->arena, p->file), *slash;

	if (dir == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	p->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->lock < 0 || flock(p->lock, LOCK_EX) != 0)
		return answer_fail(a,
		                   errno == EACCES || errno == ENOENT ? CLASS_PERMANENT
		                                                      : CLASS_RETRYABLE,
		                   "the directory of config.crl_file: %m");
	return 0;
}

/* --- the list --- */

struct list {
	gnutls_x509_crl_t crl;
	bool stored;
};

static void list_free(struct list *l)
{
	if (l->crl != NULL)
		gnutls_x509_crl_deinit(l->crl);
}
#define AUTO_LIST __attribute__((cleanup(list_free))) struct list

/* The stored list; an empty one if there is no file.  What the authority did not sign is
 * not added to: whoever put it there would have it signed. */
static int list_load(struct request *r, const struct x5_ca *ca, const char *path,
                     struct list *l, struct answer *a)
{
	unsigned verified = 0;
	gnutls_datum_t pem;
	struct err e;
	char *text;
	size_t n;
	int rc = gnutls_x509_crl_init(&l->crl);

	if (rc != 0)
		return x5_failed(a, "config.crl_file", rc);
	rc = file_read(r->arena, path, CRL_MAX, &text, &n, &e);
	if (rc == ERR_NOENT)
		return 0;
	if (rc != ERR_OK)
		return answer_fail(a, rc == ERR_NOMEM ? CLASS_RETRYABLE : CLASS_PERMANENT,
		                   "config.crl_file: %s", e.msg);
	pem = (gnutls_datum_t){ (unsigned char *)text, (unsigned)n };
	if (gnutls_x509_crl_import(l->crl, &pem, GNUTLS_X509_FMT_PEM) != 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.crl_file is there, and is no PEM of a list");
	if (gnutls_x509_crl_check_issuer(l->crl, ca->chain[0]) == 0 ||
	    gnutls_x509_crl_verify(l->crl, ca->chain, 1,
	                           GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &verified) != 0 ||
	    (verified & GNUTLS_CERT_INVALID) != 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.crl_file is there, and not by this authority");
	l->stored = true;
	return 0;
}

static bool list_has(const struct list *l, const unsigned char *serial, size_t n)
{
	gnutls_x509_crl_iter_t it = NULL;
	unsigned char have[SERIAL_MAX];
	size_t len = sizeof(have);
	bool found = false;
	time_t when;

	if (!l->stored)
		return false;
	while (!found &&
	       gnutls_x509_crl_iter_crt_serial(l->crl, &it, have, &len, &when) == 0) {
		found = len == n && memcmp(have, serial, n) == 0;
		len = sizeof(have);
	}
	gnutls_x509_crl_iter_deinit(it);
	return found;
}

/* The number of the next list: one more. */
static int set_number(struct list *l)
{
	unsigned char number[NUMBER_MAX + 1] = { 0 };
	unsigned critical;
	size_t n = NUMBER_MAX;

	if (!l->stored ||
	    gnutls_x509_crl_get_number(l->crl, number + 1, &n, &critical) != 0)
		n = 1;
	for (size_t i = n + 1; i-- > 0;)
		if (++number[i] != 0)
			break;
	/* A first bit of one would be a sign. */
	return (number[1] & 0x80) != 0 || number[0] != 0
	               ? gnutls_x509_crl_set_number(l->crl, number, n + 1)
	               : gnutls_x509_crl_set_number(l->crl, number + 1, n);
}

static int list_sign(struct list *l, const struct x5_ca *ca)
{
	gnutls_digest_algorithm_t hash;
	unsigned char id[KEY_ID_MAX];
	size_t n = sizeof(id);
	unsigned critical;
	int64_t now = x5_now();
	int rc;

	if ((rc = gnutls_x509_crl_set_version(l->crl, 2)) != 0 ||
	    (rc = set_number(l)) != 0 ||
	    (rc = gnutls_x509_crl_set_this_update(l->crl, (time_t)now)) != 0 ||
	    (rc = gnutls_x509_crl_set_next_update(l->crl,
	                                          (time_t)(now + NEXT_UPDATE_S))) != 0)
		return rc;
	if (gnutls_x509_crt_get_subject_key_id(ca->chain[0], id, &n, &critical) == 0 &&
	    (rc = gnutls_x509_crl_set_authority_key_id(l->crl, id, n)) != 0)
		return rc;
	rc = x5_hash(ca, &hash);
	if (rc != 0)
		return rc;
	return gnutls_x509_crl_sign2(l->crl, ca->chain[0], ca->key, hash, 0);
}

static int list_write(const struct list *l, const char *path, struct answer *a)
{
	gnutls_datum_t pem = { 0 };
	struct err e;
	int rc = gnutls_x509_crl_export2(l->crl, GNUTLS_X509_FMT_PEM, &pem);

	if (rc != 0)
		return x5_failed(a, "config.crl_file", rc);
	rc = file_write_path(path, pem.data, pem.size, CRL_MODE, &e);
	gnutls_free(pem.data);
	if (rc != ERR_OK)
		return answer_fail(a, CLASS_RETRYABLE, "config.crl_file: %s", e.msg);
	return 0;
}

/* --- the steps --- */

int x5_crl_lists(struct request *r, const struct x5_ca *ca, gnutls_x509_crt_t crt,
                 bool *listed, struct answer *a)
{
	struct crl_path path = { .lock = -1 };
	unsigned char serial[SERIAL_MAX];
	AUTO_LIST l = { 0 };
	size_t n = sizeof(serial);
	int rc = path_read(r, &path, a);

	*listed = false;
	if (rc != 0 || path.file == NULL)
		return rc;
	if ((rc = list_load(r, ca, path.file, &l, a)) != 0)
		return rc;
	if ((rc = gnutls_x509_crt_get_serial(crt, serial, &n)) != 0)
		return x5_failed(a, "serial number", rc);
	*listed = list_has(&l, serial, n);
	return 0;
}

static bool same_serial(gnutls_x509_crt_t x, gnutls_x509_crt_t y)
{
	unsigned char sx[SERIAL_MAX], sy[SERIAL_MAX];
	size_t nx = sizeof(sx), ny = sizeof(sy);

	return gnutls_x509_crt_get_serial(x, sx, &nx) == 0 &&
	       gnutls_x509_crt_get_serial(y, sy, &ny) == 0 && nx == ny &&
	       memcmp(sx, sy, nx) == 0;
}

/* What is served, or is to be, is not revoked. */
static int check_unused(struct request *r, gnutls_x509_crt_t crt, struct answer *a)
{
	const struct credential *const used[] = { &r->current, &r->pending };

	for (size_t i = 0; i < ARRAY_LEN(used); i++) {
		AUTO_PAIR pair = { 0 };
		struct answer ignored = { 0 };

		if (used[i]->given &&
		    x5_pair_read(used[i], "current", &pair, &ignored) == 0 &&
		    same_serial(pair.crt, crt))
			return answer_fail(a, CLASS_PERMANENT,
			                   "'previous' is a certificate that is in use");
	}
	return 0;
}

static int add_entry(struct request *r, const struct x5_ca *ca, gnutls_x509_crt_t crt,
                     struct crl_path *path, struct answer *a)
{
	unsigned char serial[SERIAL_MAX];
	size_t n = sizeof(serial);
	AUTO_LIST l = { 0 };
	int rc;

	if ((rc = gnutls_x509_crt_get_serial(crt, serial, &n)) != 0)
		return x5_failed(a, "serial number", rc);
	if ((rc = path_lock(r, path, a)) != 0 ||
	    (rc = list_load(r, ca, path->file, &l, a)) != 0)
		return rc;
	if (list_has(&l, serial, n))
		return answer_noop(a, "the certificate is revoked already");
	if ((rc = gnutls_x509_crl_set_crt_serial(l.crl, serial, n, (time_t)x5_now())) !=
	            0 ||
	    (rc = list_sign(&l, ca)) != 0)
		return x5_failed(a, "signing the list", rc);
	return list_write(&l, path->file, a);
}

int x5_retire(struct request *r, struct answer *a)
{
	AUTO_PATH path = { .lock = -1 };
	AUTO_CA ca = { 0 };
	AUTO_PAIR old = { 0 };
	struct answer ignored = { 0 };
	int rc = path_read(r, &path, a);

	if (rc != 0)
		return rc;
	if (path.file == NULL)
		return answer_noop(a, "it ends by itself: there is no config.crl_file");
	if ((rc = x5_ca_open(r, &ca, a)) != 0)
		return rc;
	/* The first certificate takes the place of whatever the secret had before. */
	if (x5_pair_read(&r->previous, "previous", &old, &ignored) == CLASS_PERMANENT)
		return answer_noop(a, "there is no previous certificate");
	if (old.key == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	if ((rc = check_unused(r, old.crt, a)) != 0)
		return rc;
	if (gnutls_x509_crt_check_issuer(old.crt, ca.chain[0]) == 0)
		return answer_noop(a, "the certificate is by another authority");
	return add_entry(r, &ca, old.crt, &path, a);
}
