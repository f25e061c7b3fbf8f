/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SEALED_H
#define AGENT_SEALED_H
/*
 * sealed - opening what the vault sealed for this host.
 *
 *   crypto_box_seal(host's box key, Ed25519 signature by the order key || body)
 *   body = value encoding of {lease_id, path, version, host_id, issued_ms, data}
 *
 * Nothing in the clear leaves the arena.
 */
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"
#include "identity.h"
#include "value.h"

#define SEALED_CONTEXT "vault/host-value/v1"

/* What the value must be; anything else is refused, whoever sealed it. */
struct sealed_expect {
	const char *lease_id;
	const char *path;
	int64_t min_version; /* no value older than one that was delivered */
};

/**
 * sealed_open(id, a, text, want, version, data, e): decrypt ${text} (base64), verify,
 * compare.  *data is the object of fields, in ${a}.  ERR_VERIFY: not sealed to us or not
 * signed by our vault; ERR_INTEGRITY: genuine, but not what was asked for.
 */
int sealed_open(const struct identity *id, struct arena *a, const char *text,
                const struct sealed_expect *want, int64_t *version, struct value **data,
                struct err *e) MUST_CHECK;

#endif
