/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_POLICY_TEXT_H
#define SERVER_CORE_POLICY_TEXT_H
/* policy_text - the text of a policy as clients send it. */
#include "req.h"

/** policy_text_plain(r, given, out, n): the text, or what it is base64 of: no policy is
 * valid base64.  *out is in r->a, or NULL if that is not UTF-8 text. */
int policy_text_plain(struct req *r, const char *given, const char **out, size_t *n)
	MUST_CHECK;

#endif
