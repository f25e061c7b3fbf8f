/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_policy - any text is refused with a message or becomes a policy that can be asked.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/policy/policy_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct policy_doc *d)
{
	static const char *const paths[] = { "",     "/",
		                             "a",    "secret/data/app/db",
		                             "sys/", "a/b/c/d/e/f/g/h/" };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		unsigned caps = policy_decide(&d, 1, paths[i], true);

		if (caps == 0 || ((caps & CAP_DENY) && caps != CAP_DENY))
			abort();
	}
	/* A pattern without wildcards is a path that it decides. */
	for (size_t i = 0; i < d->n; i++)
		if (d->rules[i].kind == RULE_EXACT && d->rules[i].caps != 0 &&
		    !(d->rules[i].caps & CAP_DENY) &&
		    policy_decide(&d, 1, d->rules[i].text, false) != d->rules[i].caps)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_doc *d = NULL;
	struct err e = { 0 };
	int rc = policy_parse((const char *)data, size, &d, &e);

	if (rc == ERR_OK) {
		ask(d);
		policy_doc_free(d);
	} else if (e.msg[0] == '\0' || d != NULL) {
		abort();
	}
	return 0;
}
