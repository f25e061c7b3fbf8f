/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_GRANTS_H
#define AGENT_GRANTS_H
/*
 * grants - the bindings that the vault granted to containers of this host.
 *
 * Kept in STATE_DIR/grants, so that files which containers use stay wanted when the agent
 * starts again, with or without the vault.  No value is in there.
 */
#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "err.h"

#define GRANTS_FILE "grants"
#define GRANTS_MAX  256u /* bindings; the vault grants no more to one host */

/* A binding that the server defines. */
struct grant {
	const char *name;
	const char *spec; /* JSON, see settings_grant_parse() */
};

struct grants {
	size_t n;
	const struct grant *at; /* until the next grants_set() */
	struct arena *a;
};

/** grants_open(g, dir, e): what was kept; none if there is no such file.  ERR_DENIED:
 * others could have written it; ERR_INVALID: it cannot be read.  ${g} is empty then, and
 * good. */
int grants_open(struct grants *g, const char *dir, struct err *e) MUST_CHECK;
void grants_close(struct grants *g);

/** grants_same(g, list, n): are these the same, in the same order? */
bool grants_same(const struct grants *g, const struct grant *list, size_t n);

/** grants_copy(list, n, out, e): a copy of its own. */
int grants_copy(const struct grant *list, size_t n, struct grants *out, struct err *e)
	MUST_CHECK;

/** grants_save(g, dir, e): keep them. */
int grants_save(const struct grants *g, const char *dir, struct err *e) MUST_CHECK;

#endif
