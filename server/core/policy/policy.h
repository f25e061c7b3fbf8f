/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_POLICY_H
#define SERVER_CORE_POLICY_H
/*
 * policy - parse policies (HCL subset and JSON), keep the mirror of all stored ones,
 * decide. One rule applies to a request: vault-compatible priority.  Handlers never call
 * this: the dispatcher does.
 */
#include "req.h"

#define CAP_CREATE 1u
#define CAP_READ   2u
#define CAP_UPDATE 4u
#define CAP_PATCH  8u
#define CAP_DELETE 16u
#define CAP_LIST   32u
#define CAP_SUDO   64u
#define CAP_DENY   128u
#define CAP_SCAN   256u

/* The policy of wrapping tokens: built in, not listed, immutable, not assignable. */
#define POLICY_WRAPPING "response-wrapping"

struct policy_doc;

/** policy_parse(text, n, out, e): ERR_INVALID "failed to parse policy: line N: …". */
int policy_parse(const char *text, size_t n, struct policy_doc **out, struct err *e)
	MUST_CHECK;
void policy_doc_free(struct policy_doc *d);

/** policies_load(c, e): the mirror at unseal; policies_free(c). Built-in "default" is
 * stored at init if absent. */
int policies_load(struct core *c, struct err *e) MUST_CHECK;
void policies_free(struct core *c);

/** policies_capabilities(c, names, path, list): CAP_* that the named policies (array of
 * strings) grant on a path; CAP_DENY alone if denied. */
unsigned policies_capabilities(struct core *c, const struct value *names,
                               const char *path, bool list);
/** policies_allow(r): may r->id do r->op on r->path (and sudo if the route says so), with
 * these parameters, wrapped like this?  ERR_OK or ERR_DENIED. */
int policies_allow(struct req *r) MUST_CHECK;

#endif
