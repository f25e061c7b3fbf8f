/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/builtin.h"

#include <stdlib.h>
#include <string.h>

#include "rules/rules.h"

int rules_builtin(struct rule_set *out, struct err *e)
{
	struct rule *copy = calloc(rules_embedded_count + 1, sizeof(*copy));

	if (copy == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(copy, rules_embedded, rules_embedded_count * sizeof(*copy));
	*out = (struct rule_set){ copy, rules_embedded_count };
	return ERR_OK;
}
