/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SWARM_SPEC_H
#define AGENT_SWARM_SPEC_H
/*
 * spec - the text of a service, changed in place.
 *
 * An update of a service replaces all of its Spec, and there are fields in it that this
 * program has never heard of.  So the text that Docker gave is kept: only references to
 * secrets are written anew, and in those that are there only SecretID and SecretName.
 * Every other byte stays, unknown members, odd numbers and escapes included; blanks
 * between the references are the exception.  Pure; no recursion, whatever the depth.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* A reference as it is wanted at a target.  Two with one target are an error. */
struct spec_ref {
	const char *target; /* File.Name */
	const char *id;     /* of the secret; NULL: there is to be none */
	const char *name;
	const char *uid, *gid; /* used if there is none at this target so far */
	unsigned mode;         /* as a number, 0400 is 256 */
};

/** spec_index(text, n, out, e): Version.Index of a service's document. */
int spec_index(const char *text, size_t n, uint64_t *out, struct err *e) MUST_CHECK;

/** spec_patch(text, n, refs, n_refs, out, e): the Spec of the service's document
 * ${text}, with these references; NUL-terminated, for spec_free().  ERR_INVALID: it is no
 * such document, or has no containers. */
int spec_patch(const char *text, size_t n, const struct spec_ref *refs, size_t n_refs,
               char **out, struct err *e) MUST_CHECK;

/** spec_free(s): wipes it: others keep values in the environment.  NULL is allowed. */
void spec_free(char *s);

#endif
