/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_policy - any text is refused with a message or becomes a policy that can be asked.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "server/core/loop/route.h"
#include "server/core/policy/policy_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With every parameter that a rule denies: refused if one is denied whatever it is. */
static void ask_limits(const struct policy_doc *d, struct arena *a,
                       const struct policy_rule *r)
{
	static const struct field fields[] = {
		{"a",   "strings", ""  },
                { "x",  "bool",    ""  },
                { NULL, NULL,      NULL}
	};
	struct policy_ask ask = {
		.path = r->text, .op = OP_UPDATE, .wrap_ms = 60000, .fields = fields
	};

	for (const struct policy_limits *l = r->limits; l != NULL; l = l->next) {
		const struct value *m = l->denied != NULL ? l->denied->first : NULL;
		struct value *params = value_object(a);
		bool any = false;

		for (; m != NULL; m = m->next) {
			any = any || m->first == NULL;
			value_setn(params, m->key, m->key_len,
			           value_copy(a, m->first != NULL ? m->first : m));
		}
		ask.params = params;
		if (params != NULL && policy_permits(&d, 1, &ask) && any)
			abort();
	}
}

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

static void ask_all_limits(const struct policy_doc *d)
{
	AUTO_ARENA a = arena_new((size_t)256 * 1024 * 1024);

	for (size_t i = 0; a != NULL && i < d->n; i++)
		if (d->rules[i].limits != NULL)
			ask_limits(d, a, &d->rules[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_doc *d = NULL;
	struct err e = { 0 };
	int rc = policy_parse((const char *)data, size, &d, &e);

	if (rc == ERR_OK) {
		ask(d);
		ask_all_limits(d);
		policy_doc_free(d);
	} else if (e.msg[0] == '\0' || d != NULL) {
		abort();
	}
	return 0;
}
