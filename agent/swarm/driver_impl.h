/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SWARM_DRIVER_IMPL_H
#define AGENT_SWARM_DRIVER_IMPL_H
/* driver_impl - what driver.c and driver_lease.c share. */
#include "driver.h"
#include "vault/limits.h"

#define TEXT_MAX 255u /* bytes of names that Docker sends */
#define REFUSED  16u  /* that are remembered */

struct held {
	struct held *next; /* older */
	int64_t version;
	size_t n;
	unsigned char p[];
};

struct bound {
	char name[LIMIT_NAME + 1];
	char **services;
	size_t n_services;
	unsigned keep;
	char why[MACHINE_REASON]; /* "": granted */
	struct held *values;      /* the newest first */
	bool stays;               /* in the plan that is being taken */
};

/* What a task was given. */
struct lease {
	char task[MACHINE_ID], service[MACHINE_ID];
	char binding[LIMIT_NAME + 1];
	int64_t version, since;
	bool told, ended, in_call;
	bool seen; /* its service, by the look that is under way */
};

struct refusal {
	char binding[LIMIT_NAME + 1], service[TEXT_MAX + 1], why[MACHINE_REASON];
	int64_t times;
};

struct driver {
	struct driver_ops ops;
	struct plugin *plugin;
	bool own; /* the plugin's socket */
	const struct clock *clock;
	char cluster[MACHINE_ID];
	char why[MACHINE_REASON]; /* why there are no bindings */
	struct bound **bindings;
	size_t n;
	struct lease *leases;
	size_t n_leases, cap;
	struct refusal refused[REFUSED];
	size_t next_refusal;
	int64_t given;
};

/** driver_note(d, b, task, service, version): the task was given that.  Asked again, it
 * has what it was given last. */
void driver_note(struct driver *d, const struct bound *b, const char *task,
                 const char *service, int64_t version);

#endif
