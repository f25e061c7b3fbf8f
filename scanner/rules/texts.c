/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "rules/rules.h"

int texts_add(struct texts *t, const char *s, size_t n)
{
	char **more, *copy = malloc(n + 1);

	if (copy == NULL)
		return -1;
	memcpy(copy, s, n);
	copy[n] = '\0';
	more = realloc(t->at, (t->n + 1) * sizeof(*more));
	if (more == NULL) {
		free(copy);
		return -1;
	}
	t->at = more;
	t->at[t->n++] = copy;
	return 0;
}

void texts_free(struct texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->at[i]);
	free(t->at);
	*t = (struct texts){ 0 };
}
