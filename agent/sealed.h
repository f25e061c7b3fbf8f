/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SEALED_H
#define AGENT_SEALED_H
/*
 * sealed - opening what the vault sealed for this host.
 *
 * It is a statement of the session, and its data = {lease_id, path, version, rev, data,
 * metadata}.
 *
 * Nothing in the clear leaves the arena.
 */
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"
#include "identity.h"
#include "statement.h"
#include "value.h"

/* What the value must be; anything else is refused, whoever sealed it. */
struct sealed_expect {
	struct statement_expect request;
	const char *lease_id;
	const char *path;
	int64_t min_version, min_rev; /* nothing older than what was delivered */
};

struct sealed_value {
	int64_t version, rev;
	const struct value *data;     /* object of fields */
	const struct value *metadata; /* as a read shows it; NULL if it shows none */
	const char *fp;               /* keyed hash, of a Swarm's secret; else NULL */
};

/**
 * sealed_open(id, a, text, want, out, e): decrypt ${text} (base64), verify, compare.
 * out->data is in ${a}.  ERR_VERIFY: not sealed by our vault since our login;
 * ERR_INTEGRITY: genuine, but not what was asked for, or older than what we had.
 */
int sealed_open(const struct identity *id, struct arena *a, const char *text,
                const struct sealed_expect *want, struct sealed_value *out, struct err *e)
	MUST_CHECK;

#endif
