/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CRL_H
#define SERVER_CORE_CRL_H
/*
 * crl - the certificate revocation lists of the certificate auth methods: stored, and in
 * memory from unseal to seal, where a login finds a certificate in O(1) per list.
 *
 * A list holds for the mount it was written to and for the certificates that its issuer
 * has issued: (name of the issuer, serial number).  Its signature was verified before it
 * came here (crl_ask.h).  It holds until it is replaced or deleted, expired or not: an
 * old list is better than none.
 *
 * KIND_CRL: id = blind("crl", mount id, name), parent = mount id.  Body: {name, crl
 * (bytes: DER), signer (bytes32: SHA-256 of the certificate that has signed it)}.
 */
#include "core.h"
#include "crl_der.h"
#include "mounts.h"

struct cert_client;

/* One list in memory. */
struct crl {
	unsigned char mount[MOUNT_ID];
	char name[LIMIT_NAME + 1];
	unsigned char issuer[32]; /* SHA-256 of the DER of its name */
	struct crl_der der;       /* borrowed from what follows */
	uint32_t *slot;           /* hash table: offset of an entry's serial number + 1 */
	uint32_t slots;           /* a power of two */
	unsigned char hash_key[16];
	size_t n;
	unsigned char bytes[];
};

/** crls_load(c, e), crls_free(c): at unseal and seal. */
int crls_load(struct core *c, struct err *e) MUST_CHECK;
void crls_free(struct core *c);

/** crl_find(c, mount, name): the list of that name, or NULL; borrowed until the next
 * change.  ${name} is folded already. */
const struct crl *crl_find(const struct core *c, const unsigned char mount[MOUNT_ID],
                           const char *name);
/** crl_names(c, a, mount): array of the names of a mount's lists, sorted. */
struct value *crl_names(const struct core *c, struct arena *a,
                        const unsigned char mount[MOUNT_ID]);
/** crl_serials(l, a): object whose keys are the serial numbers of a list in decimal, each
 * once; the values are empty objects. */
struct value *crl_serials(const struct crl *l, struct arena *a);

/** crl_put(c, mount, name, d, signer, e): store a list (all of ${d} lies in one piece of
 * ${n} bytes at ${p}), in place of the one of that name.  ERR_INVALID if that is newer,
 * or if there were too many. */
struct crl_new {
	const unsigned char *p;
	size_t n;
	const unsigned char *signer; /* 32 bytes */
};
int crl_put(struct core *c, const unsigned char mount[MOUNT_ID], const char *name,
            const struct crl_new *new, struct err *e) MUST_CHECK;
/** crl_check(c, mount, name, d, n, e): would crl_put() take this list of ${n} bytes? */
int crl_check(const struct core *c, const unsigned char mount[MOUNT_ID], const char *name,
              const struct crl_der *d, size_t n, struct err *e) MUST_CHECK;
/** crl_delete(c, a, mount, name, e): ERR_NOENT if there is none. */
int crl_delete(struct core *c, struct arena *a, const unsigned char mount[MOUNT_ID],
               const char *name, struct err *e) MUST_CHECK;
/** crls_destroy(c, a, mount, rows, e): one slice of what a mount that is gone leaves
 * behind; all is gone if ${*rows} > 0 afterwards. */
int crls_destroy(struct core *c, struct arena *a, const unsigned char mount[MOUNT_ID],
                 int *rows, struct err *e) MUST_CHECK;

/** crl_lists_any(c, mount, issued): does a list of the mount name one of these
 * certificates (cert_issued_ok())? */
bool crl_lists_any(const struct core *c, const unsigned char mount[MOUNT_ID],
                   const struct value *issued);
/** crl_lists_cert(c, mount, der, n): does one name this certificate?  One whose DER does
 * not say who has issued it counts as named. */
bool crl_lists_cert(const struct core *c, const unsigned char mount[MOUNT_ID],
                    const unsigned char *der, size_t n);

#endif
