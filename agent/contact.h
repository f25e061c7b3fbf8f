/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_CONTACT_H
#define AGENT_CONTACT_H
/*
 * contact - when the vault was last heard, by the boot clock: suspend counts.
 *
 * Where something hangs on it, it outlives the agent, in the memory file system of
 * run_dir: an agent that is started again and again gets no new patience.
 */
#include <stdbool.h>
#include <stdint.h>

#define CONTACT_FILE    ".heard"
#define CONTACT_SAVE_MS 30000

struct contact {
	int dirfd; /* -1: nothing hangs on it */
	const char *boot_id;
	int64_t at, saved;
};

/** contact_open(c, dirfd, boot_id, now): what a former run in this boot left; now, if
 * there is none.  ${dirfd} is -1 or borrowed, as is ${boot_id}. */
void contact_open(struct contact *c, int dirfd, const char *boot_id, int64_t now);

/** contact_heard(c, now): there was a word. */
void contact_heard(struct contact *c, int64_t now);

#endif
