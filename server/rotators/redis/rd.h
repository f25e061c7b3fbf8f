/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_RD_H
#define ROTATORS_RD_H
/*
 * rd - one connection to Redis (6 or later, with users), bounded by the deadline.
 *
 * hiredis writes the commands and reads the replies.  The bytes travel through wire, so
 * that TLS does not depend on how hiredis was built.  Users get the SHA-256 of a
 * password, never the password; AUTH alone has to send it.
 */
#include <hiredis/hiredis.h>
#include <stdbool.h>

#include "account.h"
#include "wire.h"

struct rd {
	struct wire wire;
	redisReader *reader;
	const char *user; /* of the session; NULL before AUTH */
};

/** rd_login(), rd_logout(): of struct driver; the session is a struct rd. */
enum login rd_login(struct request *r, const struct credential *c, void **session,
                    struct answer *why) MUST_CHECK;
void rd_logout(void *session);

/** rd_class(text): what the text of an error reply means. */
enum answer_class rd_class(const char *text);

/**
 * rd_command(d, argv, n, out, a): send and wait for the reply, which the caller gives
 * back with freeReplyObject().  0, or the class of an error; *out is NULL then.
 */
int rd_command(struct rd *d, const char *const *argv, size_t n, redisReply **out,
               struct answer *a) MUST_CHECK;
/** rd_do(d, a, …): the same without a look at the reply. */
#define rd_do(d, a, ...)                                           \
	rd_do_argv((d), (a), (const char *const[]){ __VA_ARGS__ }, \
	           sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
int rd_do_argv(struct rd *d, struct answer *a, const char *const *argv, size_t n)
	MUST_CHECK;

/** rd_hash(mark, password, out): ${mark} and the password's SHA-256 as ACL SETUSER has
 * it. */
#define RD_HASH 65
void rd_hash(char mark, const char *password, char out[RD_HASH + 1]);

/** rd_user(d, name, exists, nopass, a): what ACL GETUSER says. */
int rd_user(struct rd *d, const char *name, bool *exists, bool *nopass, struct answer *a)
	MUST_CHECK;

/** rd_rules(r, text, rules, n, max, a): the rules of one creation statement: a JSON array
 * of them, or words.  CLASS_PERMANENT for those that would let somebody in without the
 * password. */
int rd_rules(struct request *r, const char *text, const char **rules, size_t *n,
             size_t max, struct answer *a) MUST_CHECK;

/** rd_check(), rd_set(), …: of struct driver. */
int rd_check(struct request *r, void *session, const char *account, struct answer *a);
int rd_set(struct request *r, void *session, const char *account, const char *password,
           bool own, struct answer *a);
int rd_drop(struct request *r, void *session, const struct credential *old,
            struct answer *a);
int rd_disable(struct request *r, void *session, const char *account, struct answer *a);
int rd_user_create(struct request *r, void *session, struct answer *a);
int rd_user_renew(struct request *r, void *session, struct answer *a);
int rd_user_revoke(struct request *r, void *session, struct answer *a);

#endif
