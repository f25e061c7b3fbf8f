/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_AUDIT_FOLD_H
#define SERVER_CORE_AUDIT_FOLD_H
/*
 * audit_fold - which refusals get a record of their own, and the counts of those that do
 * not.
 *
 * An address has FOLD_FREE refusals a second to itself; what goes beyond is counted per
 * address and reason.  IPv6 addresses count by their /64.  All tables are of fixed size;
 * what does not fit is counted under the address "*".  In memory only.
 */
#include <stdbool.h>
#include <stdint.h>

#define FOLD_FREE     10u
#define FOLD_ADDRESS  48u
#define FOLD_REASON   32u
#define FOLD_COUNTS   256u
#define FOLD_SLOTS    1024u
#define FOLD_EVERY_MS 1000

struct fold_count {
	char address[FOLD_ADDRESS];
	char reason[FOLD_REASON];
	int64_t count;
	int64_t first_ms; /* wall */
	int64_t last_ms;
};

struct fold_slot {
	char address[FOLD_ADDRESS];
	int64_t second; /* boot time; another one: the slot is free */
	unsigned n;
};

struct audit_fold {
	unsigned char key[16]; /* of the hash of addresses */
	struct fold_slot slot[FOLD_SLOTS];
	int64_t second;
	struct fold_count count[FOLD_COUNTS];
	unsigned counts;
	bool written;   /* the counts are in the batch that runs now */
	int64_t due_ms; /* wall time at which they want to be written */
};

void fold_init(struct audit_fold *f);
/** fold_beyond(f, address, boot_ms): count one refusal; is it beyond what the address has
 * to itself? */
bool fold_beyond(struct audit_fold *f, const char *address, int64_t boot_ms);
/** fold_add(f, address, reason, n, now_ms): count ${n} refusals that get no record of
 * their own. */
void fold_add(struct audit_fold *f, const char *address, const char *reason, int64_t n,
              int64_t now_ms);
/** fold_due(f, now_ms): wall time at which the counts should be written, 0 if there are
 * none. */
int64_t fold_due(const struct audit_fold *f, int64_t now_ms);

#endif
