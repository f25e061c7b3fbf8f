/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <libssh/sftp.h>
#include <string.h>
#include <sys/stat.h>

#include "arena.h"
#include "sk.h"

#define DEFAULT_PATH ".ssh/authorized_keys"
#define ACCOUNT      "{{account}}"
#define PATH_MAX_LEN 1024u
#define CHUNK        16384u
#define OWN_MODE     0600
#define SHARED_MODE  0644 /* sshd reads it as the account, who is not its owner */
#define DIR_MODE     0700

struct session {
	sftp_session p;
	ssh_channel ch; /* ${p}'s */
	ssh_session ssh;
};

static void session_end(struct session *s)
{
	if (s->p != NULL)
		sftp_free(s->p);
}
#define AUTO_SFTP __attribute__((cleanup(session_end))) struct session

/* A file as it was read. */
struct content {
	char *text; /* in the arena */
	bool exists;
	mode_t mode;
	uint32_t uid, gid;
};

/* --- where it is --- */

/* A name that stands for itself in a path. */
static bool plain_account(const char *s)
{
	return s[0] != '\0' && s[0] != '.' && s[0] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                 "._-") == strlen(s);
}

int sk_file_path(struct request *r, const char *account, const char *actor,
                 struct sk_file *out, struct answer *a)
{
	const char *path = NULL, *at;
	int rc = config_text(r, "authorized_keys", DEFAULT_PATH, &path, a);

	if (rc != 0)
		return rc;
	out->own = strcmp(account, actor) == 0;
	if ((at = strstr(path, ACCOUNT)) != NULL) {
		if (!plain_account(account))
			return answer_fail(a, CLASS_PERMANENT,
			                   "'%.64s' is no name for a path", account);
		path = arena_printf(r->arena, "%.*s%s%s", (int)(at - path), path, account,
		                    at + strlen(ACCOUNT));
	} else if (!out->own) {
		/* One file for several accounts would open all of them. */
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.authorized_keys has no " ACCOUNT
		                   ", and 'admin' is not the account itself");
	}
	if (path == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	if (path[0] == '\0' || strlen(path) > PATH_MAX_LEN ||
	    strstr(path, "..") != NULL || (path[0] != '/' && !out->own))
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.authorized_keys is no path, or a relative one "
		                   "where 'admin' is not the account itself");
	out->path = path;
	return 0;
}

/* --- SFTP --- */

static int failed(const struct session *s, const char *what, struct answer *a)
{
	int code = sftp_get_error(s->p);

	switch (code) {
	case SSH_FX_PERMISSION_DENIED:
		return answer_fail(a, CLASS_PERMANENT, "%s: permission denied", what);
	case SSH_FX_NO_SUCH_FILE:
	case SSH_FX_NO_SUCH_PATH:
		return answer_fail(a, CLASS_PERMANENT, "%s: no such file", what);
	default:
		return answer_fail(a, CLASS_RETRYABLE, "%s: %s (SFTP status %d)", what,
		                   ssh_get_error(s->ssh), code);
	}
}

static int open_sftp(struct session *s, struct answer *a)
{
	ssh_channel ch = ssh_channel_new(s->ssh);

	if (ch == NULL || ssh_channel_open_session(ch) != SSH_OK ||
	    (s->p = sftp_new_channel(s->ssh, ch)) == NULL) {
		ssh_channel_free(ch);
		return answer_fail(a, CLASS_RETRYABLE, "SFTP: %s", ssh_get_error(s->ssh));
	}
	s->ch = ch;
	if (ssh_channel_request_sftp(ch) != SSH_OK || sftp_init(s->p) != SSH_OK)
		return answer_fail(a, CLASS_PERMANENT, "the host has no SFTP: %s",
		                   ssh_get_error(s->ssh));
	if (sftp_extension_supported(s->p, "posix-rename@openssh.com", "1") == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "the host's SFTP cannot replace a file in one step");
	return 0;
}

static int read_all(struct request *r, sftp_file f, char **out, struct answer *a)
{
	AUTO_BUF b = { .max = SK_FILE_MAX };

	for (;;) {
		ssize_t n;

		if (!buf_reserve(&b, CHUNK))
			return answer_fail(a, CLASS_PERMANENT,
			                   "authorized_keys is larger than %u bytes",
			                   SK_FILE_MAX - CHUNK);
		n = sftp_read(f, buf_tail(&b), CHUNK);
		if (n < 0)
			return answer_fail(a, CLASS_RETRYABLE,
			                   "authorized_keys cannot be read");
		if (n == 0)
			break;
		b.len += (size_t)n;
	}
	if (b.len > 0 && memchr(b.p + b.start, 0, b.len) != NULL)
		return answer_fail(a, CLASS_PERMANENT, "authorized_keys is no text");
	*out = arena_dup(r->arena, b.len > 0 ? (char *)b.p + b.start : "", b.len);
	return *out != NULL ? 0 : answer_fail(a, CLASS_RETRYABLE, "out of memory");
}

/* A link may lead to a file that is not the account's. */
static int look(const struct session *s, const char *path, struct content *c,
                struct answer *a)
{
	sftp_attributes at = sftp_lstat(s->p, path);
	bool regular;

	if (at == NULL && sftp_get_error(s->p) == SSH_FX_NO_SUCH_FILE)
		return 0;
	if (at == NULL)
		return failed(s, "authorized_keys", a);
	regular = at->type == SSH_FILEXFER_TYPE_REGULAR;
	c->exists = true;
	c->mode = at->permissions & 07777;
	c->uid = at->uid;
	c->gid = at->gid;
	sftp_attributes_free(at);
	return regular ? 0
	               : answer_fail(a, CLASS_PERMANENT,
	                             "authorized_keys is a link, or no regular file");
}

static int load(struct request *r, const struct session *s, const char *path,
                struct content *c, struct answer *a)
{
	sftp_file f;
	int rc;

	*c = (struct content){ .text = arena_str(r->arena, "") };
	if (c->text == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	if ((rc = look(s, path, c, a)) != 0 || !c->exists)
		return rc;
	if ((f = sftp_open(s->p, path, O_RDONLY, 0)) == NULL)
		return failed(s, "authorized_keys", a);
	rc = read_all(r, f, &c->text, a);
	sftp_close(f);
	return rc;
}

/* --- replacing it --- */

static char *directory(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL || slash == path
	               ? NULL
	               : arena_dup(arena, path, (size_t)(slash - path));
}

static int write_all(const struct session *s, sftp_file f, const char *text,
                     struct answer *a)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = sftp_write(f, text, left < CHUNK ? left : CHUNK);

		if (n <= 0)
			return failed(s, "writing authorized_keys", a);
		text += n;
		left -= (size_t)n;
	}
	/* Whoever cannot sync has written all the same. */
	if (sftp_extension_supported(s->p, "fsync@openssh.com", "1") != 0 &&
	    sftp_fsync(f) != 0)
		return failed(s, "writing authorized_keys", a);
	return 0;
}

/* Mode and owner before the content: it is never less protected than the old one. */
static int write_new(const struct session *s, const char *path, const struct content *old,
                     bool own, const char *text, struct answer *a)
{
	mode_t mode = old->exists ? old->mode : own ? OWN_MODE : SHARED_MODE;
	sftp_attributes made;
	bool moved = false;
	sftp_file f;
	int rc;

	(void)sftp_unlink(s->p, path); /* of a call that was cut short */
	f = sftp_open(s->p, path, O_WRONLY | O_CREAT | O_EXCL, OWN_MODE);
	if (f == NULL)
		return failed(s, "a new file beside authorized_keys", a);
	rc = write_all(s, f, text, a);
	if (rc == 0 && (made = sftp_fstat(f)) != NULL) {
		moved = old->exists && (made->uid != old->uid || made->gid != old->gid);
		sftp_attributes_free(made);
	}
	sftp_close(f);
	if (rc == 0 && moved && sftp_chown(s->p, path, old->uid, old->gid) != 0)
		rc = failed(s, "giving authorized_keys to its owner", a);
	if (rc == 0 && sftp_chmod(s->p, path, mode) != 0)
		rc = failed(s, "the mode of authorized_keys", a);
	return rc;
}

static int replace(struct request *r, const struct session *s, const struct sk_file *f,
                   const struct content *old, const char *text, struct answer *a)
{
	char *temporary = arena_printf(r->arena, "%s.vaultd-%.8s", f->path, r->attempt);
	char *dir = directory(r->arena, f->path);
	struct content now;
	int rc, status;

	if (temporary == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	if (!old->exists && f->own && dir != NULL)
		(void)sftp_mkdir(s->p, dir, DIR_MODE); /* or it is there */
	rc = write_new(s, temporary, old, f->own, text, a);
	if (rc == 0)
		rc = load(r, s, f->path, &now, a);
	if (rc == 0 && (now.exists != old->exists || strcmp(now.text, old->text) != 0))
		rc = answer_fail(a, CLASS_RETRYABLE,
		                 "somebody else has changed authorized_keys");
	if (rc == 0 && (status = sk_rename(s->ch, temporary, f->path)) != SSH_FX_OK)
		rc = answer_fail(a, CLASS_RETRYABLE,
		                 "replacing authorized_keys: SFTP status %d", status);
	if (rc != 0)
		(void)sftp_unlink(s->p, temporary);
	return rc;
}

int sk_file_edit(struct request *r, ssh_session ssh, const struct sk_file *f,
                 const struct sk_edit *edit, size_t *dropped, struct answer *a)
{
	AUTO_SFTP s = { .ssh = ssh };
	struct content old;
	char *text;
	int rc;

	*dropped = 0;
	if ((rc = open_sftp(&s, a)) != 0 || (rc = load(r, &s, f->path, &old, a)) != 0)
		return rc;
	if ((text = sk_edit(r->arena, old.text, edit, dropped)) == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	return strcmp(text, old.text) == 0 ? 0 : replace(r, &s, f, &old, text, a);
}
