/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_TARGET_H
#define ROTATORS_TARGET_H
/*
 * target - where a database is, as the configuration says, and how it is to be proved.
 *
 * Which account connects never comes from here: names and passwords that a connection URL
 * carries are cut out of it.
 */
#include <stdint.h>

#include "request.h"

enum tls_mode {
	TLS_DEFAULT, /* the rule of target_tls() */
	TLS_OFF,
	TLS_PREFER, /* encrypted if the server can; no proof of who it is */
	TLS_REQUIRE,
	TLS_VERIFY_CA,
	TLS_VERIFY_FULL, /* the chain and the name */
};

struct target {
	const char *url;  /* config.connection_url, or NULL: then what follows */
	const char *host; /* a name, an address, or the path of a Unix socket */
	int64_t port;     /* 0: the usual one */
	const char *database;
	enum tls_mode tls;
	const char *ca; /* a file of trusted certificates; or NULL */
};

/**
 * target_read(r, t, a): config.connection_url or host, port and database; sslmode, or tls
 * as Go's MySQL driver spells it (true, false, "skip-verify", "preferred"); ca (tls_ca,
 * ca_cert), which is PEM text or the absolute path of a file.  Text goes into memory that
 * looks like a file.  CLASS_PERMANENT if it makes no sense.
 */
int target_read(struct request *r, struct target *t, struct answer *a) MUST_CHECK;

/** target_read_ca(r, t, a): ca (tls_ca, ca_cert) alone. */
int target_read_ca(struct request *r, struct target *t, struct answer *a) MUST_CHECK;

/** target_tls_parse(s, mode): a spelling of sslmode or tls; 0 or -1. */
int target_tls_parse(const char *s, enum tls_mode *mode);

/** target_tls_url(t, mode, a): what a connection URL says of TLS, into ${t}; TLS_DEFAULT:
 * nothing.  CLASS_PERMANENT if the configuration beside it says another thing: the one
 * that was looked at should not be the one that does not count. */
int target_tls_url(struct target *t, enum tls_mode mode, struct answer *a) MUST_CHECK;

/** target_tls(mode, host, ca): the mode that counts.  By default a server on this machine
 * may do without (TLS_PREFER; TLS_OFF over a Unix socket), any other must encrypt, and
 * must prove itself if there is something to prove it by. */
enum tls_mode target_tls(enum tls_mode mode, const char *host, const char *ca);

/** target_is_local(host): this machine, by name, loopback address or socket? */
bool target_is_local(const char *host);

/**
 * target_cut_user(arena, url, out, a): ${url} without the user and password before its
 * '@'.  Without a scheme it is a DSN of Go's MySQL driver.
 */
int target_cut_user(struct arena *arena, const char *url, char **out, struct answer *a)
	MUST_CHECK;

#endif
