/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_SK_H
#define ROTATORS_SK_H
/*
 * sk - SSH key pairs, and the accounts that they open.
 *
 * sk_key.c   makes pairs, and writes them as OpenSSH does
 * sk_line.c  the text of an authorized_keys file
 * sk_conn.c  connections: the host proves itself before anybody logs in
 * sk_rename.c  one request of SFTP
 * sk_file.c  an authorized_keys file at the host, replaced in one step
 * sk_step.c  create, test, retire, probe, login
 *
 * A key that was made carries the attempt in its comment: "vaultd-<attempt>".
 */
#include <libssh/libssh.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "rotator.h"

#define SK_FILE_MAX (1024u * 1024)
#define SK_TAG_LEN  (7u + 32u)

/* --- keys --- */

struct sk_key_type {
	const char *name;
	unsigned rsa_bits; /* 0: Ed25519 */
};
/** sk_key_type(name): NULL if there is none of that name. */
const struct sk_key_type *sk_key_type(const char *name);

struct sk_made {
	char *private_key; /* PEM as ssh-keygen writes it */
	char *public_key;  /* "type blob comment" */
	char *fingerprint; /* "SHA256:…" */
};
/** sk_make(arena, type, comment, out, a): all of it in the arena. */
int sk_make(struct arena *arena, const struct sk_key_type *type, const char *comment,
            struct sk_made *out, struct answer *a) MUST_CHECK;

/* The wire format of RFC 4251. */
/** sk_put_u32(b, n), sk_put(b, p, n), sk_put_mpint(b, p, n): a number, a string, and an
 * unsigned big-endian number.  false if the buffer is full. */
bool sk_put_u32(struct buf *b, uint32_t n) MUST_CHECK;
bool sk_put(struct buf *b, const void *p, size_t n) MUST_CHECK;
bool sk_put_mpint(struct buf *b, const unsigned char *p, size_t n) MUST_CHECK;

/* --- the text of an authorized_keys file --- */

struct sk_edit {
	const char *tag;  /* drop keys with this comment …; or NULL */
	const char *drop; /* … and this key, in base64; or NULL */
	const char *keep; /* but never this one; or NULL */
	const char *add;  /* a line without its end; or NULL */
};
/** sk_edit(arena, text, edit, dropped): the new text; NULL if out of memory. */
char *sk_edit(struct arena *arena, const char *text, const struct sk_edit *edit,
              size_t *dropped) MUST_CHECK;
/** sk_blob(arena, line): the base64 of the key in a line with or without options; NULL if
 * there is none. */
char *sk_blob(struct arena *arena, const char *line);

/* --- connections --- */

#define SK_HOST_KEYS 8u

struct sk_target {
	const char *host;
	int64_t port;
	ssh_key host_key[SK_HOST_KEYS];
	size_t host_keys;
	const char *algorithms; /* of these keys, as libssh takes them */
};
/** sk_target_read(r, t, a): config.host, port and host_key. */
int sk_target_read(struct request *r, struct sk_target *t, struct answer *a) MUST_CHECK;
/** sk_target_free(t), sk_who_free(w): take any state. */
void sk_target_free(struct sk_target *t);

enum sk_login {
	SK_IN,
	SK_REFUSED,
	SK_HALF, /* it is right, and something else is asked for beside it */
	SK_UNKNOWN,
};

/* What somebody logs in with. */
struct sk_who {
	const char *username;
	ssh_key key;          /* or NULL */
	const char *password; /* if there is no key */
	char *blob;           /* of the key, in base64; or NULL */
};
/** sk_who_read(r, c, username, w): ${username} counts if it is not NULL.  false if there
 * is nothing to log in with. */
bool sk_who_read(struct request *r, const struct credential *c, const char *username,
                 struct sk_who *w) MUST_CHECK;
void sk_who_free(struct sk_who *w);
#define AUTO_WHO __attribute__((cleanup(sk_who_free))) struct sk_who

/** sk_open(r, t, w, out, why): at most one attempt.  *out is set for SK_IN alone; else
 * ${why} has the class as if ${w} were who acts. */
enum sk_login sk_open(struct request *r, const struct sk_target *t,
                      const struct sk_who *w, ssh_session *out, struct answer *why)
	MUST_CHECK;
void sk_close(ssh_session *s);
#define AUTO_SSH __attribute__((cleanup(sk_close))) ssh_session

/* --- SFTP --- */

/** sk_rename(ch, from, to): let ${from} take the place of ${to} in one step, over an SFTP
 * channel on which nothing is under way: OpenSSH's posix-rename, since the protocol's own
 * request refuses a name that is taken, and libssh has no other.  The status of SFTP, or
 * -1. */
int sk_rename(ssh_channel ch, const char *from, const char *to) MUST_CHECK;

/* --- the file --- */

struct sk_file {
	const char *path;
	bool own; /* the account edits its own file */
};
/** sk_file_path(r, account, actor, out, a): config.authorized_keys. */
int sk_file_path(struct request *r, const char *account, const char *actor,
                 struct sk_file *out, struct answer *a) MUST_CHECK;
/** sk_file_edit(r, s, f, edit, dropped, a): read, edit, replace.  A file that would stay
 * as it is is not written. */
int sk_file_edit(struct request *r, ssh_session s, const struct sk_file *f,
                 const struct sk_edit *edit, size_t *dropped, struct answer *a)
	MUST_CHECK;

/* --- the steps --- */
int sk_create(struct request *r, struct answer *a);
int sk_test(struct request *r, struct answer *a);
int sk_retire(struct request *r, struct answer *a);
int sk_probe(struct request *r, struct answer *a);
int sk_login(struct request *r, struct answer *a);

#endif
