/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DELIVER_RENDER_H
#define AGENT_DELIVER_RENDER_H
/*
 * render - what a secret's fields become in a file: raw, env, json.
 *
 * Errors name fields, never values.  docs/agent.md says what each format looks like.
 */
#include <stddef.h>

#include "agent/settings.h"
#include "arena.h"
#include "err.h"
#include "value.h"

/** render_fields(a, file, data, p, n, e): the content of a file made of one secret's
 * ${data}; it is in ${a} or in ${data}.  ERR_INVALID: a field is not there, or cannot be
 * written in this format. */
int render_fields(struct arena *a, const struct settings_file *file,
                  const struct value *data, const char **p, size_t *n, struct err *e)
	MUST_CHECK;

#endif
