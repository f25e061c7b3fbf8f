/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_OFFLINE_H
#define AGENT_OFFLINE_H
/*
 * offline - how long files may stay that nobody vouches for any more.
 */
#include <stdbool.h>
#include <stdint.h>

#include "settings.h"

#define OFFLINE_NEVER INT64_MAX

/* All by the boot clock; what was before the boot is negative. */
struct offline_state {
	bool leased;     /* the lease has an end */
	int64_t expires; /* that end */
	bool lost;       /* the vault cannot be heard */
	int64_t heard;   /* when it was, last */
};

/** offline_end(b, st): when the files of a secret have to go from a binding. */
int64_t offline_end(const struct settings_binding *b, const struct offline_state *st);

#endif
