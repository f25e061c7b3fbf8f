/* SPDX-License-Identifier: Apache-2.0 */
#include "rotators.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const builtin[] = { "postgres", "mysql", "redis",  "x509",
	                               "ssh-key",  "http",  "webhook" };

int rotators_check_name(const char *name, struct err *e)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (n == 0 || n > ROTATOR_NAME_MAX || name[n] != '\0' || name[0] == '-')
		return err_set(
			e, ERR_USAGE,
			"'%.64s' is no name: at most %u lower-case letters, digits "
			"and hyphens",
			name, ROTATOR_NAME_MAX);
	return ERR_OK;
}

static const struct rotator *find(const struct rotators *rs, const char *name)
{
	for (size_t i = 0; i < rs->n; i++)
		if (strcmp(rs->r[i].name, name) == 0)
			return &rs->r[i];
	return NULL;
}

int rotators_add(struct rotators *rs, const struct rotator *r, struct err *e)
{
	size_t at = rs->n;

	if (find(rs, r->name) != NULL)
		return err_set(e, ERR_USAGE, "rotators: '%s' is there twice", r->name);
	if (rs->n == LIMIT_ROTATORS)
		return err_set(e, ERR_USAGE, "rotators: more than %u", LIMIT_ROTATORS);
	for (; at > 0 && strcmp(rs->r[at - 1].name, r->name) > 0; at--)
		rs->r[at] = rs->r[at - 1];
	rs->r[at] = *r;
	rs->n++;
	return ERR_OK;
}

static bool look_in(const char *dir, const char *sub, const char *name,
                    struct rotator *out)
{
	struct stat st;
	int n = snprintf(out->path, sizeof(out->path), "%s/%svault-rotator-%s", dir, sub,
	                 name);

	return n > 0 && (size_t)n < sizeof(out->path) && stat(out->path, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

void rotators_add_builtin(struct rotators *rs, const char *dir)
{
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++) {
		struct rotator r = { .builtin = true, .timeout_ms = LIMIT_STEP_MS };
		struct err e;

		if (find(rs, builtin[i]) != NULL)
			continue;
		snprintf(r.name, sizeof(r.name), "%s", builtin[i]);
		if (look_in(dir, "../libexec/vaultd/", builtin[i], &r) ||
		    look_in(dir, "", builtin[i], &r))
			(void)!rotators_add(rs, &r, &e);
	}
}

int rotators_program_dir(char out[ROTATOR_PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, ROTATOR_PATH_MAX - 1);
	char *slash;

	if (n <= 0)
		return -1;
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (slash == NULL)
		return -1;
	*slash = '\0';
	return 0;
}

uid_t rotators_owner(void)
{
	struct stat st;

	return stat("/proc/self/exe", &st) == 0 ? st.st_uid : 0;
}

struct value *rotators_value(const struct rotators *rs, struct arena *a)
{
	struct value *list = value_array(a);

	for (size_t i = 0; i < rs->n; i++) {
		const struct rotator *r = &rs->r[i];
		struct value *v = value_object(a);

		value_set_str(a, v, "name", r->name);
		value_set_str(a, v, "path", r->path);
		value_set_bool(a, v, "builtin", r->builtin);
		value_set(v, "sha256",
		          r->pinned ? value_bytes(a, r->sha256, 32) : value_null(a));
		value_set_int(a, v, "timeout_ms", r->timeout_ms);
		value_add(list, v);
	}
	return list;
}
