/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_PWHASH_H
#define SERVER_CORE_PWHASH_H
/*
 * pwhash - argon2id off the loop: one helper thread with a queue of four.
 *
 * The thread shares nothing with the loop but the slots of the queue.  Passwords wait in
 * key memory and are wiped when they were hashed.  A handler starts a job, parks under
 * WAIT_ARGON with the ticket as its key, and takes the result when it is run again; the
 * job of a request that ends without that is forgotten with it.
 *
 * Stored passwords are crypt(3)-style text: argon2id as libsodium writes it, or bcrypt
 * ("$2a$", "$2b$", "$2y$") where it was imported.
 */
#include <stdbool.h>
#include <stddef.h>

#include "core.h"

#define PWHASH_TEXT     128u  /* of a stored password, NUL included */
#define PWHASH_PASSWORD 1024u /* longest password, in bytes */
#define PWHASH_TICKET   16u

/* What a job that is done says. */
struct pwhash_result {
	bool match;               /* of a check */
	char stored[PWHASH_TEXT]; /* of a new password; "" if it could not be hashed */
};

/** pwhash_open(c, e): once per core; starts no thread yet. */
int pwhash_open(struct core *c, struct err *e) MUST_CHECK;
/** pwhash_close(c): waits for the job that runs; NULL state is allowed. */
void pwhash_close(struct core *c);

/** pwhash_ready(c): is there room for one more job?  To be asked before an attempt is
 * counted. */
bool pwhash_ready(const struct core *c);
/** pwhash_check(c, stored, password, n, ticket, e): does ${password} belong to ${stored}?
 * NULL for ${stored} does the same work for a user who does not exist, and never matches.
 * ERR_BUSY when the queue is full. */
int pwhash_check(struct core *c, const char *stored, const char *password, size_t n,
                 unsigned char ticket[PWHASH_TICKET], struct err *e) MUST_CHECK;
/** pwhash_make(c, password, n, ticket, e): hash a new password.  ERR_BUSY. */
int pwhash_make(struct core *c, const char *password, size_t n,
                unsigned char ticket[PWHASH_TICKET], struct err *e) MUST_CHECK;
/** pwhash_take(c, ticket, out): the result, once; ERR_BUSY: not yet; ERR_NOENT: there is
 * no such job. */
int pwhash_take(struct core *c, const unsigned char ticket[PWHASH_TICKET],
                struct pwhash_result *out) MUST_CHECK;

/** pwhash_forget(c, ticket): nobody will take this result, if it is still there; called
 * by the queue for every request that has parked for one, when it ends. */
void pwhash_forget(struct core *c, const unsigned char ticket[PWHASH_TICKET]);

/** pwhash_fd(c): readable when a job is done: for the caller of core_run_batch(). */
int pwhash_fd(const struct core *c);
/** pwhash_wake(c): wake the requests whose jobs are done; called by core_run_batch(). */
void pwhash_wake(struct core *c);
/** pwhash_done(c): is there something for pwhash_wake()? */
bool pwhash_done(const struct core *c);
/** pwhash_supported(stored): is this text of a form that can be checked here, at a cost
 * that the other logins can wait for? */
bool pwhash_supported(const char *stored);

#endif
