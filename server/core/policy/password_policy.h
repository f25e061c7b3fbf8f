/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_PASSWORD_POLICY_H
#define SERVER_CORE_PASSWORD_POLICY_H
/*
 * password_policy - Vault's password policies: how long generated passwords are, and what
 * must be in them.  Engines that make passwords name one.
 *
 *	length = 20
 *	rule "charset" { charset = "abcdefghij" min-chars = 1 }
 *
 * A policy that is stored can be met, and quickly: that was checked when it was written.
 */
#include "core.h"
#include "generate.h"

#define PASSWORD_LENGTH_MIN  4
#define PASSWORD_LENGTH_MAX  100
#define PASSWORD_POLICY_TEXT (16u * 1024)

/** password_policy_parse(text, n, out, e): HCL or JSON; ERR_INVALID "invalid password
 * policy: …", also for one that no password, or too few, would meet. */
int password_policy_parse(const char *text, size_t n, struct generate_mix *out,
                          struct err *e) MUST_CHECK;

/** password_policy_put(c, a, name, text, n, e): check and store; ${name} is canonical
 * (path_name()). */
int password_policy_put(struct core *c, struct arena *a, const char *name,
                        const char *text, size_t n, struct err *e) MUST_CHECK;
/** password_policy_text(c, a, name, out, e): the text as it was written; ERR_NOENT
 * "policy does not exist". */
int password_policy_text(struct core *c, struct arena *a, const char *name,
                         const char **out, struct err *e) MUST_CHECK;
/** password_policy_delete(c, a, name, e): ERR_OK if there is none. */
int password_policy_delete(struct core *c, struct arena *a, const char *name,
                           struct err *e) MUST_CHECK;

/** password_policy_generate(c, a, name, out, e): a new password by the policy ${name},
 * UTF-8 with a NUL, in ${a} and wiped with it.  ERR_NOENT as above. */
int password_policy_generate(struct core *c, struct arena *a, const char *name,
                             const char **out, struct err *e) MUST_CHECK;

#endif
