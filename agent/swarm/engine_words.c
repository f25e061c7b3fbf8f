/* SPDX-License-Identifier: Apache-2.0 */
/* What Docker's errors mean.  Its statuses say little: a lost race is a 500. */
#include <string.h>

#include "engine_impl.h"

static const struct {
	const char *text;
	int rc;
} meanings[] = {
	{"update out of sequence",  ERR_CONFLICT   },
	{ "DeadlineExceeded",       ERR_UNKNOWN    },
	{ "deadline exceeded",      ERR_UNKNOWN    },
	{ "does not have a leader", ERR_UNKNOWN    },
	{ "has no leader",          ERR_UNKNOWN    },
	{ "no elected",             ERR_UNKNOWN    },
	{ "lost leader",            ERR_UNKNOWN    },
	{ "is in use by",           ERR_BUSY       },
	{ "only updates to Labels", ERR_VERIFY     },
	{ "not a swarm manager",    ERR_UNREACHABLE},
};

int engine_meaning(const struct docker_result *r)
{
	if (r->rc == ERR_OK)
		return ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (strstr(r->e->msg, meanings[i].text) != NULL)
			return meanings[i].rc;
	if (r->rc == ERR_NOENT || r->rc == ERR_CONFLICT || r->rc == ERR_INVALID ||
	    r->rc == ERR_DENIED)
		return r->status != 0 ? (r->rc == ERR_DENIED ? ERR_UNREACHABLE : r->rc)
		                      : ERR_UNKNOWN;
	return ERR_UNKNOWN;
}

bool engine_leaderless(const struct docker_result *r)
{
	return r->rc != ERR_OK && engine_meaning(r) == ERR_UNKNOWN &&
	       (strstr(r->e->msg, "leader") != NULL ||
	        strstr(r->e->msg, "DeadlineExceeded") != NULL);
}
