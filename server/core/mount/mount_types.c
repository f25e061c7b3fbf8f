/* SPDX-License-Identifier: Apache-2.0 */
/* mount_types - the engines there are, and the mounts that are always there. */
#include <string.h>

#include "mount_impl.h"

static const struct mount_type types[] = {
	{"kv",        NULL,       false},
	{ "approle",  "approle",  true },
	{ "userpass", "userpass", true },
	{ "cert",     "cert",     true },
	{ "database", "database", false},
};

#define NO_CONFIG                                             \
	{                                                     \
		.listing = "", .token_type = "", .lockout = { \
			.attempts = MOUNT_LOCKOUT_ATTEMPTS,   \
			.duration_ms = MOUNT_LOCKOUT_MS,      \
			.reset_ms = MOUNT_LOCKOUT_MS          \
		}                                             \
	}
#define AUTH_CONFIG                                                          \
	{                                                                    \
		.listing = "", .token_type = "default-service", .lockout = { \
			.attempts = MOUNT_LOCKOUT_ATTEMPTS,                  \
			.duration_ms = MOUNT_LOCKOUT_MS,                     \
			.reset_ms = MOUNT_LOCKOUT_MS                         \
		}                                                            \
	}

/* In order of path; mount_name_built_in() gives each its accessor and its uuid. */
const struct mount mount_built_ins[] = {
	{
         .id = { 3 },
         .path = "auth/host/",
         .type = "host",
         .engine = "host",
         .accessor = "",
         .uuid = "",
         .description = "hosts with their agents",
         .config = AUTH_CONFIG,
	 },
	{
         .id = { 2 },
         .path = "auth/token/",
         .type = "token",
         .engine = "token",
         .accessor = "",
         .uuid = "",
         .description = "token based credentials",
         .config = AUTH_CONFIG,
	 },
	{
         .id = { 4 },
         .path = "cubbyhole/",
         .type = "cubbyhole",
         .engine = "cubbyhole",
         .local = true,
         .accessor = "",
         .uuid = "",
         .description = "per-token private secret storage",
         .config = NO_CONFIG,
	 },
	{
         .id = { 5 },
         .path = "identity/",
         .type = "identity",
         .engine = "identity",
         .accessor = "",
         .uuid = "",
         .description = "identity store",
         .config = NO_CONFIG,
	 },
	{
         .id = { 1 },
         .path = "sys/",
         .type = "system",
         .engine = "system",
         .accessor = "",
         .uuid = "",
         .description = "system endpoints used for control, policy and debugging",
         .config = NO_CONFIG,
	 },
};
const size_t mount_built_ins_n = ARRAY_LEN(mount_built_ins);

const struct mount_type *mount_type_find(const char *name, bool auth)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].auth == auth && strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

bool mount_type_kept(const char *name)
{
	if (strcmp(name, "sys") == 0)
		return true;
	for (size_t i = 0; i < mount_built_ins_n; i++)
		if (strcmp(mount_built_ins[i].type, name) == 0)
			return true;
	return false;
}

const char *mount_engine(const char *type, int version, bool upgrading)
{
	static const char *const kept = "";

	if (strcmp(type, "kv") == 0)
		return upgrading ? "kv_upgrade" : version == 2 ? "kv" : "kv1";
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].name, type) == 0)
			return types[i].engine;
	for (size_t i = 0; i < mount_built_ins_n; i++)
		if (strcmp(mount_built_ins[i].type, type) == 0)
			return mount_built_ins[i].engine;
	return kept; /* written by a newer release: has no routes */
}

bool mount_is_auth(const struct mount *m)
{
	return strncmp(m->path, "auth/", 5) == 0;
}

bool mount_built_in(const struct mount *m)
{
	static const unsigned char zero[MOUNT_ID - 1];

	return memcmp(m->id + 1, zero, sizeof(zero)) == 0;
}

int64_t mount_default_ttl(const struct mount *m)
{
	int64_t max = mount_max_ttl(m);
	int64_t ttl = m->config.default_ttl_ms;

	if (ttl == 0)
		ttl = MOUNT_TTL_SYSTEM_MS;
	return ttl < max ? ttl : max;
}

int64_t mount_max_ttl(const struct mount *m)
{
	return m->config.max_ttl_ms != 0 ? m->config.max_ttl_ms : MOUNT_TTL_SYSTEM_MS;
}
