/* SPDX-License-Identifier: Apache-2.0 */
/* mutants - deliberate faults, and what the simulator must say of each.  A fault that is
 * found by an accident of the run, by what another one would do as well, is not found. */
#include "mutant.h"

#include <stdio.h>
#include <string.h>

#include "sim.h"

#ifdef VAULT_MUTANTS

#define SEEDS_MAX 200 /* within which each has to be found */

enum mutant vault_mutant;

static const struct {
	const char *name;
	enum sim_worlds world;
	const char *says[3]; /* one of these, in what a seed has found */
} mutants[MUTANT__COUNT] = {
	[MUTANT_SYNC_NORMAL] = {"sync-normal",       SIM_MODEL, { "after a crash" }                                      },
	[MUTANT_EARLY_REPLY] = { "early-reply",      SIM_MODEL, { "after a crash" }                                      },
	[MUTANT_NO_CAS] = { "no-cas",           SIM_MODEL, { "status 200 instead of 400" }                          },
	[MUTANT_STALE_MIRROR] = { "stale-mirror",
                                SIM_MODEL,                      { "status 204 instead of 404",
	                            "status 200 instead of 403", "at the end" }},
	[MUTANT_REVOKED_IN_BATCH] = { "revoked-in-batch",
                                SIM_MODEL,                      { "lives again", "status 200 instead of 40" }            },
	[MUTANT_READ_UNAUDITED] = { "read-unaudited",   SIM_MODEL, { "has 0 records" }                                      },
	[MUTANT_AUDIT_TWICE] = { "audit-twice",      SIM_MODEL, { "has 2 records" }                                      },
	[MUTANT_USES_UNCOUNTED] = { "uses-uncounted",   SIM_MODEL, { "other uses left" }                                    },
	[MUTANT_IGNORED_COMMIT] = { "ignored-commit",   SIM_MODEL, { "after a crash" }                                      },
	[MUTANT_DELETED_READABLE] = { "deleted-readable",
                                SIM_MODEL,                      { ": serves ", "status 200 instead of 404" }             },
	[MUTANT_POLICY_IGNORED] = { "policy-ignored",   SIM_MODEL, { "instead of 403" }                                     },
	[MUTANT_EXPIRED_LIVES] = { "expired-lives",
                                SIM_MODEL,                      { "instead of 403", "status 200 instead of 400" }        },
	[MUTANT_JOIN_REUSABLE] = { "join-reusable",
                                SIM_MODEL,                      { "a join token worked twice" }                          },
	[MUTANT_TREE_NOT_REWOUND] = { "tree-not-rewound",
                                SIM_MODEL,                      { "audit: entry", "does not unseal" }                    },
	[MUTANT_MIRROR_KEEPS] = { "mirror-keeps",
                                SIM_MODEL,                      { "read of ", "status 200 instead of 404" }              },
	[MUTANT_MIRROR_EAGER] = { "mirror-eager",
                                SIM_MODEL,                      { "status 200 instead of 404",
	                            "status 500 instead of 404", "at the end" }},
	[MUTANT_WRAP_REUSABLE] = { "wrap-reusable",
                                SIM_MODEL,                      { "unwrap ", "wrap: lives again" }                       },
	[MUTANT_GENERATES_AGAIN] = { "generates-again",
                                SIM_FARM,                       { "another value was made" }                             },
	[MUTANT_UNTESTED] = { "untested",         SIM_FARM,  { "what is served does not work" }                       },
	[MUTANT_RETIRES_EARLY] = { "retires-early",    SIM_FARM,  { "is retired, and" }                                    },
	[MUTANT_VALUE_LOST] = { "value-lost",
	                        SIM_FARM,                       { "does not end", "status 500" }                         },
	[MUTANT_UNKNOWN_FAILS] = { "unknown-fails",
                                SIM_FARM,                       { "what is served does not work",
	                             "takes a value that nobody knows" }        },
	[MUTANT_PROBE_GUESSED] = { "probe-guessed",
                                SIM_FARM,                       { "is held as if no value worked" }                      },
	[MUTANT_NO_LOGIN_BUDGET] = { "no-login-budget",  SIM_FARM,  { "is locked after" }                                    },
	[MUTANT_TWO_CLAIMS] = { "two-claims",       SIM_FARM,  { "attempts at once" }                                   },
	[MUTANT_UNRECORDED] = { "unrecorded",       SIM_FARM,  { "no record says so" }                                  },
	[MUTANT_OVERWRITES] = { "overwrites",
	                        SIM_FARM,                       { "what was written by hand is lost" }                   },
};

struct hunt {
	bool caught;
	int others; /* seeds that have failed in another way before */
};

static bool is_reason(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(mutants[0].says); i++) {
		const char *says = mutants[vault_mutant].says[i];

		if (says != NULL && strstr(text, says) != NULL)
			return true;
	}
	return false;
}

static bool found(void *ctx, uint64_t seed, const char *text)
{
	struct hunt *h = ctx;

	if (h->caught)
		return false;
	h->caught = is_reason(text);
	h->others += !h->caught;
	if (h->caught)
		printf("mutant %d, %s: caught by seed %llu: %s\n", vault_mutant,
		       mutants[vault_mutant].name, (unsigned long long)seed, text);
	return !h->caught;
}

int mutants_run(uint64_t first)
{
	int missed = 0;

	for (int m = 1; m < MUTANT__COUNT; m++) {
		struct hunt h = { .caught = false };

		vault_mutant = (enum mutant)m;
		(void)sim_seeds(mutants[m].world, first, SEEDS_MAX, found, &h);
		if (!h.caught) {
			printf("mutant %d, %s: NOT caught within %d seeds; %d failed in "
			       "another way\n",
			       m, mutants[m].name, SEEDS_MAX, h.others);
			missed++;
		}
	}
	printf("%d passed, %d failed\n", MUTANT__COUNT - 1 - missed, missed);
	return missed > 0;
}

bool mutants_set(uint64_t m)
{
	if (m >= MUTANT__COUNT) {
		fprintf(stderr, "vault-sim: there are %d mutants\n", MUTANT__COUNT - 1);
		return false;
	}
	vault_mutant = (enum mutant)m;
	return true;
}

#else

static bool none(void)
{
	fprintf(stderr, "vault-sim: built without mutants\n");
	return false;
}

int mutants_run(uint64_t first)
{
	(void)first;
	return none() ? 0 : 2;
}

bool mutants_set(uint64_t m)
{
	(void)m;
	return none();
}

#endif
