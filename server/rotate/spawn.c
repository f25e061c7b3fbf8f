/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn.h"

#include <stdio.h>
#include <string.h>

#include "child.h"

#define MEMORY_MAX (2048ull * 1024 * 1024)
#define FILE_MAX   (64ull * 1024 * 1024)
#define FILES_MAX  256
#define ENV_MAX    16

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

struct plan {
	char home[4096], tmp[4096], name[64];
	const char *env[ENV_MAX], *argv[2];
	int in[2], out[2], err[2];
};

static void fill(struct plan *p, const struct spawn_order *o)
{
	size_t n = 0;

	snprintf(p->name, sizeof(p->name), "vault-rotator-%s", o->name);
	p->argv[0] = p->name;
	snprintf(p->home, sizeof(p->home), "HOME=%s", o->dir);
	snprintf(p->tmp, sizeof(p->tmp), "TMPDIR=%s", o->dir);
	p->env[n++] = "PATH=/usr/local/bin:/usr/bin:/bin";
	p->env[n++] = "LANG=C.UTF-8";
	p->env[n++] = p->home;
	p->env[n++] = p->tmp;
	for (size_t i = 0; SANITIZED && environ[i] != NULL && n < ENV_MAX - 1; i++)
		if (strstr(environ[i], "SAN_OPTIONS=") != NULL)
			p->env[n++] = environ[i];
}

static int start(struct plan *p, const struct spawn_order *o, struct spawned *out,
                 struct err *e)
{
	struct child_order order = {
		.fd = o->file->fd,
		.script = o->file->script,
		.argv = p->argv,
		.env = p->env,
		.dir = o->dir,
		.report = -1,
 /* The sanitizers map terabytes of shadow. */
		.limits = {.memory = SANITIZED ? 0 : MEMORY_MAX,
                           .file_size = FILE_MAX,
                           .files = FILES_MAX},
		.private = true,
	};
	int rc;

	if ((rc = child_pipe(p->in, 1, e)) != ERR_OK ||
	    (rc = child_pipe(p->out, 0, e)) != ERR_OK ||
	    (rc = child_pipe(p->err, 0, e)) != ERR_OK)
		return rc;
	order.in = p->in[0];
	order.out = p->out[1];
	order.err = p->err[1];
	if ((rc = child_start(&order, &out->pid, e)) != ERR_OK)
		return rc;
	out->in = p->in[1];
	out->out = p->out[0];
	out->err = p->err[0];
	p->in[1] = p->out[0] = p->err[0] = -1;
	return ERR_OK;
}

int spawn_run(const struct spawn_order *o, struct spawned *out, struct err *e)
{
	struct plan p = {
		.in = {-1,  -1},
                  .out = { -1, -1},
                  .err = { -1, -1}
	};
	int rc;

	fill(&p, o);
	rc = start(&p, o, out, e);
	child_pipe_close(p.in);
	child_pipe_close(p.out);
	child_pipe_close(p.err);
	return rc;
}
