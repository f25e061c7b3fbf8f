/* SPDX-License-Identifier: Apache-2.0 */
#include "tlskey.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "datadir.h"
#include "file.h"
#include "role_proc.h"
#include "text.h"
#include "vault/limits.h"

#define MAKE_TIMEOUT_MS 30000
#define KEY             "key.pem"
#define CERT            "cert.pem"
#define PIN             "server.pin"

static const char *ready_text(const struct role_proc *p, const char *what, size_t *len)
{
	const struct value *v = value_get(p->ready, what);

	if (v == NULL || v->type != V_BYTES || v->len == 0)
		return NULL;
	*len = v->len;
	return v->text;
}

static int ask(struct role_proc *p, const char *const *names, size_t n, struct err *e)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	struct value *config, *list;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	config = value_object(a);
	list = value_array(a);
	for (size_t i = 0; i < n; i++)
		value_add(list, value_str(a, names[i]));
	value_set(config, "names", list);
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return role_send(p, IPC_CONFIG, config, -1, e);
}

static int wait_for(struct role_proc *p, struct err *e)
{
	while (p->control != NULL && p->state != ROLE_READY) {
		struct pollfd pfd = { .fd = frame_conn_fd(p->control), .events = POLLIN };
		int n = poll(&pfd, 1, MAKE_TIMEOUT_MS);

		if (n == 0)
			return err_set(e, ERR_TIMEOUT,
			               "making the TLS key takes too long");
		if (n > 0)
			(void)role_receive(p);
		else if (errno != EINTR)
			return err_sys(e, ERR_IO, errno, "poll");
	}
	if (p->state == ROLE_READY)
		return ERR_OK;
	return err_set(e, ERR_INTERNAL, "cannot make a TLS key: %s",
	               p->failed[0] != '\0' ? p->failed : "the process ended");
}

static int store(struct role_proc *p, int tls_fd, struct err *e)
{
	size_t key_len = 0, cert_len = 0;
	const char *key = ready_text(p, "key", &key_len);
	const char *cert = ready_text(p, "cert", &cert_len);
	int rc;

	if (key == NULL || cert == NULL)
		return err_set(e, ERR_INTERNAL,
		               "cannot make a TLS key: no key in the reply");
	/* The key last: with it in place, the pair is whole. */
	if ((rc = file_write_atomic(tls_fd, CERT, cert, cert_len, 0600, e)) != ERR_OK)
		return rc;
	return file_write_atomic(tls_fd, KEY, key, key_len, 0600, e);
}

static int make(int tls_fd, const char *const *names, size_t n, struct err *e)
{
	struct role_proc p;
	int rc;

	if ((rc = role_spawn(&p, ROLE_TLSKEY, e)) != ERR_OK)
		return rc;
	if ((rc = ask(&p, names, n, e)) == ERR_OK && (rc = wait_for(&p, e)) == ERR_OK)
		rc = store(&p, tls_fd, e);
	role_kill(&p);
	(void)role_reap(&p);
	role_forget(&p);
	return rc;
}

int tlskey_load(struct arena *a, int tls_fd, const char *const *names, size_t n,
                struct tls_files *out, struct err *e)
{
	int rc;

	if (faccessat(tls_fd, KEY, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT &&
	    (rc = make(tls_fd, names, n, e)) != ERR_OK)
		return rc;
	if (datadir_read(tls_fd, KEY, a, &out->key, &out->key_len, e) != ERR_OK ||
	    datadir_read(tls_fd, CERT, a, &out->cert, &out->cert_len, e) != ERR_OK)
		return err_wrap(e, "data_dir/tls");
	return ERR_OK;
}

int tlskey_read(struct arena *a, const char *cert, const char *key, struct tls_files *out,
                struct err *e)
{
	struct stat st;

	if (stat(key, &st) == 0 && (st.st_mode & 007) != 0)
		return err_set(e, ERR_DENIED,
		               "tls.key: '%s' is open to everybody (mode %04o)", key,
		               st.st_mode & 07777);
	if (file_read(a, cert, LIMIT_CONFIG_FILE, &out->cert, &out->cert_len, e) !=
	    ERR_OK)
		return err_wrap(e, "tls.cert");
	if (file_read(a, key, LIMIT_CONFIG_FILE, &out->key, &out->key_len, e) != ERR_OK)
		return err_wrap(e, "tls.key");
	return ERR_OK;
}

void tlskey_pin(const unsigned char spki[32], char out[TLSKEY_PIN_MAX])
{
	static const char prefix[] = "sha256//";

	memcpy(out, prefix, sizeof(prefix));
	text_base64(spki, 32, out + sizeof(prefix) - 1);
}

int tlskey_store_pin(int tls_fd, const char *pin, struct err *e)
{
	AUTO_ARENA a = arena_new(2 * LIMIT_CONFIG_FILE);
	char line[TLSKEY_PIN_MAX + 1];
	char *old = NULL;
	size_t len = 0;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	snprintf(line, sizeof(line), "%s\n", pin);
	if (datadir_read(tls_fd, PIN, a, &old, &len, e) == ERR_OK &&
	    strcmp(old, line) == 0)
		return ERR_OK;
	return file_write_atomic(tls_fd, PIN, line, strlen(line), 0600, e);
}
