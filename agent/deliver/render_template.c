/* SPDX-License-Identifier: Apache-2.0 */
#include "render_template.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "path.h"
#include "vault/limits.h"

#define INCLUDE_MAX (1024u * 1024)

struct running {
	struct render_run *run;
	struct arena *a;
};

/* Templates may write "/secret/…" and "secret/…/".  NULL on failure. */
static const char *canonical(struct arena *a, const char *written, const char *end,
                             struct err *e)
{
	const char *asked;
	size_t n;

	while (*written == '/')
		written++;
	n = strlen(written);
	while (n > 0 && written[n - 1] == '/')
		n--;
	if (path_check(written, n, e) != ERR_OK) {
		err_wrap(e, "the path of a secret");
		return NULL;
	}
	asked = arena_printf(a, "/v1/%.*s%s", (int)n, written, end);
	if (asked == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return asked;
}

static int note(struct running *r, const char *asked, struct err *e)
{
	struct render_run *run = r->run;

	for (size_t i = 0; i < run->n_asked; i++)
		if (strcmp(run->asked[i], asked) == 0)
			return ERR_OK;
	if (run->n_asked == LIMIT_AGENT_ITEMS)
		return err_set(e, ERR_INVALID, "a template names more than %u secrets",
		               LIMIT_AGENT_ITEMS);
	if (run->n_asked == run->cap_asked) {
		size_t cap = 2 * run->cap_asked + 8;
		const char **grown = arena_alloc(r->a, cap * sizeof(*grown));

		if (grown == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		if (run->n_asked > 0)
			memcpy(grown, run->asked, run->n_asked * sizeof(*grown));
		run->asked = grown;
		run->cap_asked = cap;
	}
	run->asked[run->n_asked++] = asked;
	return ERR_OK;
}

/* The value behind a path as it is written, and its name remembered. */
static int find(struct running *r, const char *written, const char *end,
                struct render_secret *out, struct err *e)
{
	const char *asked = canonical(r->a, written, end, e);
	int rc;

	if (asked == NULL)
		return (int)e->code;
	if ((rc = note(r, asked, e)) != ERR_OK)
		return rc;
	*out = r->run->find(r->run->ctx, asked);
	if (out->data == NULL && r->run->missing == NULL)
		r->run->missing = asked;
	return ERR_OK;
}

/* The members that a read has, so that templates written for it find theirs. */
static int on_secret(void *ctx, const char *path, const struct value **out, struct err *e)
{
	struct running *r = ctx;
	struct render_secret s = { .data = NULL };
	struct value *reply, *data;
	int rc = find(r, path, "", &s, e);

	*out = NULL;
	if (rc != ERR_OK || s.data == NULL)
		return rc;
	data = value_copy(r->a, s.data);
	if (s.metadata != NULL) {
		struct value *outer = value_object(r->a);

		value_set(outer, "data", data);
		value_set(outer, "metadata", value_copy(r->a, s.metadata));
		data = outer;
	}
	reply = value_object(r->a);
	value_set_str(r->a, reply, "request_id", "");
	value_set_str(r->a, reply, "lease_id", "");
	value_set_int(r->a, reply, "lease_duration", 0);
	value_set_bool(r->a, reply, "renewable", false);
	value_set(reply, "data", data);
	if (arena_failed(r->a))
		return err_set(e, ERR_NOMEM, "out of memory");
	*out = reply;
	return ERR_OK;
}

static int on_secrets(void *ctx, const char *folder, const struct value **out,
                      struct err *e)
{
	struct running *r = ctx;
	struct render_secret s = { .data = NULL };
	int rc = find(r, folder, "/", &s, e);

	*out = NULL;
	if (rc != ERR_OK || s.data == NULL)
		return rc;
	*out = value_get(s.data, "keys");
	if (*out == NULL || (*out)->type != V_ARRAY)
		return err_set(e, ERR_INVALID, "a listing has no keys");
	return ERR_OK;
}

/* The part of ${path} below ${dir}, or NULL. */
static const char *below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (strncmp(path, dir, n) != 0 || path[n] != '/')
		return NULL;
	path += n + strspn(path + n, "/");
	return *path != '\0' ? path : NULL;
}

/* Links may be followed, but the kernel sees to it that none leads out of ${dir}; nothing
 * but a regular file is read.  -1 and errno. */
static int open_below(const char *dir, const char *rest)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	AUTO_CLOSE int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int fd;

	if (at < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, at, rest, &how, sizeof(how));
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

/* As long as it was when it was opened. */
static int read_all(int fd, struct arena *a, const char **p, size_t *n, struct err *e)
{
	struct stat st;
	size_t size;
	char *text;
	ssize_t got = 1;

	if (fstat(fd, &st) != 0)
		return err_sys(e, ERR_IO, errno, "reading it");
	if (st.st_size > (off_t)INCLUDE_MAX)
		return err_set(e, ERR_TOO_BIG, "it has more than %u bytes", INCLUDE_MAX);
	size = (size_t)st.st_size;
	if ((text = arena_alloc(a, size + 1)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (*n = 0; *n < size && got > 0; *n += (size_t)(got > 0 ? got : 0))
		got = read(fd, text + *n, size - *n);
	if (got < 0)
		return err_sys(e, ERR_IO, errno, "reading it");
	*p = text;
	return ERR_OK;
}

static int read_below(const char *path, const char *dir, const char *rest,
                      struct arena *a, const char **p, size_t *n, struct err *e)
{
	AUTO_CLOSE int fd = open_below(dir, rest);
	int rc;

	if (fd < 0 && errno == EXDEV)
		return err_set(e, ERR_DENIED, "file '%.150s' leads out of '%.100s'", path,
		               dir);
	if (fd < 0)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_DENIED, errno,
		               "file '%.150s'", path);
	rc = read_all(fd, a, p, n, e);
	return rc == ERR_OK ? rc : err_wrap(e, "file '%.150s'", path);
}

static int on_file(void *ctx, const char *path, struct arena *a, const char **p,
                   size_t *n, struct err *e)
{
	const struct running *r = ctx;
	const char *const *dirs = r->run->dirs != NULL ? r->run->dirs->items : NULL;

	for (size_t i = 0; dirs != NULL && i < r->run->dirs->n; i++) {
		const char *rest = below(path, dirs[i]);

		if (rest != NULL)
			return read_below(path, dirs[i], rest, a, p, n, e);
	}
	return err_set(e, ERR_DENIED, "file '%.150s' is not below one of template_dirs",
	               path);
}

/* What is in the host's environment is nothing for those who write the vault's bindings.
 */
static const char *on_env(void *ctx, const char *name)
{
	const struct running *r = ctx;

	return r->run->granted ? NULL : getenv(name);
}

int render_template(struct arena *a, struct render_run *run, struct err *e)
{
	struct running r = { run, a };
	const struct template_ops ops = {
		.secret = on_secret,
		.secrets = on_secrets,
		.read_file = on_file,
		.env = on_env,
		.ctx = &r,
		.steps = &run->steps,
	};
	int rc = run->engine->run(run->template, &ops, a, &run->text, &run->len, e);

	if (rc == ERR_NOMEM)
		rc = err_set(e, ERR_TOO_BIG, "the template needs too much memory");
	/* Whether all was there is judged here, whatever the engine makes of it. */
	if ((rc == ERR_OK || rc == ERR_BUSY) && run->missing != NULL)
		return err_set(e, ERR_BUSY, "waits for '%.150s'", run->missing + 4);
	return rc;
}
