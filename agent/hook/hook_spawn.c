/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "hook_impl.h"

#define FILES_MAX   1024
#define COMMAND_ENV 4

static int start(const struct hook_order *o, int out[2], int failed[2],
                 struct hook_child *child, struct err *e)
{
	char binding[512], version[32], dir[4096 + 512];
	const char *const env[COMMAND_ENV + 1] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		binding, version, dir
	};
	const struct child_user user = { o->uid, o->gid, o->own_gid };
	struct child_order order = {
		.path = o->argv[0],
		.argv = o->argv,
		.env = env,
		.dir = "/",
		.in = -1,
		.user = &user,
		.limits = { .files = FILES_MAX },
		.session = true,
	};
	int rc;

	snprintf(binding, sizeof(binding), "VAULT_BINDING=%s", o->binding);
	snprintf(version, sizeof(version), "VAULT_VERSION=%u", o->generation);
	snprintf(dir, sizeof(dir), "VAULT_DIR=%s", o->dir);
	if ((rc = child_pipe(out, 0, e)) != ERR_OK ||
	    (rc = child_pipe(failed, 0, e)) != ERR_OK)
		return rc;
	order.out = order.err = out[1];
	order.report = failed[1];
	if ((rc = child_start(&order, &child->pid, e)) != ERR_OK)
		return rc;
	child->out = out[0];
	child->failed = failed[0];
	out[0] = failed[0] = -1;
	return ERR_OK;
}

int hook_spawn(const struct hook_order *o, struct hook_child *child, struct err *e)
{
	int out[2] = { -1, -1 }, failed[2] = { -1, -1 };
	int rc = start(o, out, failed, child, e);

	child_pipe_close(out);
	child_pipe_close(failed);
	return rc;
}
