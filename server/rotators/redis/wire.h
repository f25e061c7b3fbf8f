/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_WIRE_H
#define ROTATORS_WIRE_H
/* wire - a byte stream over TCP or a Unix socket, with or without TLS, with a deadline.
 */
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <sys/types.h>

#include "target.h"

struct wire {
	int fd; /* -1: closed */
	int64_t end_ms;
	gnutls_session_t tls; /* NULL: in the clear */
	gnutls_certificate_credentials_t trust;
};

/** wire_open(w, t, mode, end_ms, a): connect until ${end_ms} of CLOCK_BOOTTIME.  After a
 * failure ${w} is closed. */
int wire_open(struct wire *w, const struct target *t, enum tls_mode mode, int64_t end_ms,
              struct answer *a) MUST_CHECK;
/** wire_write(w, p, n, a): all of it.  wire_read(w, p, n, got, a): at least one byte. */
int wire_write(struct wire *w, const void *p, size_t n, struct answer *a) MUST_CHECK;
int wire_read(struct wire *w, void *p, size_t n, size_t *got, struct answer *a)
	MUST_CHECK;
void wire_close(struct wire *w);

#endif
