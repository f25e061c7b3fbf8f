/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SWARM_NAMES_H
#define AGENT_SWARM_NAMES_H
/*
 * names - what a version of a secret is called in a Swarm.
 *
 * The same everywhere and always, so that two who make it at the same time, or one who
 * does not know whether it was made, meet at one name.  Nothing of the value is in it.
 * What takes a name may be another binding's, of another field of the same secret: the
 * names behind it end with a letter.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SWARM_NAME_MAX 64u /* what Docker takes */

#define SWARM_LABEL_CLUSTER "vault.cluster"
#define SWARM_LABEL_BINDING "vault.binding"
#define SWARM_LABEL_VERSION "vault.version"
#define SWARM_LABEL_OBJECT  "vault.object"
#define SWARM_LABEL_FP      "vault.fp"
#define SWARM_LABEL_EPOCH   "vault.epoch"
#define SWARM_LABEL_SYNC    "vault.sync" /* of a service: bindings that it wants */

struct swarm_name {
	const char *path;   /* of the secret */
	const char *format; /* "raw", "env", … */
	int64_t version;
	size_t object;  /* a second one, for another owner or mode */
	unsigned other; /* so many are taken: 0 to 25 */
};

/** swarm_name(n, out): "app-db.raw.7", at most SWARM_NAME_MAX characters and a NUL. */
void swarm_name(const struct swarm_name *n, char out[SWARM_NAME_MAX + 1]);

#endif
