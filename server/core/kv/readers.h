/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_READERS_H
#define SERVER_CORE_READERS_H
/*
 * readers - who read which secret through the plain API lately.
 *
 * A rotation cannot wait for such readers, because they hold no lease; it can name them.
 * A bounded memory, forgotten at seal and at restart; never used for a decision.  What a
 * request notes counts from its COMMIT on.
 */
#include <stdint.h>

#include "core.h"

#define READERS_MAX     4096u
#define READERS_WHO_MAX 96u /* bytes kept of a reader's name */

/** readers_note(c, secret_id, who, now): ${who} reads the secret; remembered after
 * COMMIT. */
void readers_note(struct core *c, const unsigned char secret_id[32], const char *who,
                  int64_t now);

/** readers_list(c, a, secret_id): array of {who, last (RFC 3339)}, latest first. */
struct value *readers_list(struct core *c, struct arena *a,
                           const unsigned char secret_id[32]);

/** readers_free(c): forget everyone; called when the mounts are freed. */
void readers_free(struct core *c);

#endif
