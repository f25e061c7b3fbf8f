/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/un.h>

#include "deliver/generation.h"
#include "deliver/tmpfs.h"
#include "path.h"
#include "vault/limits.h"

#define GRACE_MS     30000
#define MAX_STALE_MS (24 * 3600 * 1000)
#define GRACE_MAX_MS (3600 * 1000)
#define STALE_MAX_MS (365LL * 24 * 3600 * 1000)
#define GROUPS_MAX   256

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The length of the host part of an authority without user. */
static size_t host_length(const char *authority)
{
	if (*authority == '[')
		return strcspn(authority, "]") + 1;
	return strcspn(authority, ":/");
}

static bool is_loopback(const char *host, size_t n)
{
	static const char *const names[] = { "localhost", "[::1]" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == n && memcmp(names[i], host, n) == 0)
			return true;
	return n >= 7 && starts(host, "127.") && strspn(host, "0123456789.") == n;
}

static bool port_is_fine(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n > 0 && n <= 5 && s[n] == '\0' && strtoul(s, NULL, 10) <= 65535;
}

int settings_check_url(const char *url, struct err *e)
{
	bool tls = starts(url, "https://");
	const char *host = url + (tls ? 8 : 7);
	size_t n;

	if (!tls && !starts(url, "http://"))
		return err_set(e, ERR_USAGE, "must begin with https://");
	n = host_length(host);
	if (n == 0 || strlen(host) < n || strlen(url) > 250 ||
	    strpbrk(host, "@/?# ") != NULL ||
	    (host[n] != '\0' && (host[n] != ':' || !port_is_fine(host + n + 1))))
		return err_set(e, ERR_USAGE,
		               "must read https://HOST:PORT and nothing more");
	if (!tls && !is_loopback(host, n))
		return err_set(
			e, ERR_USAGE,
			"plain http:// is for loopback addresses alone: use https://");
	return ERR_OK;
}

static int check_absolute(const char *s, struct err *e)
{
	if (s[0] != '/' || s[1] == '\0' || s[strlen(s) - 1] == '/' ||
	    strlen(s) >= PATH_MAX / 2)
		return err_set(e, ERR_USAGE,
		               "must be an absolute path without a '/' at its end");
	return ERR_OK;
}

static int check_socket(const char *s, struct err *e)
{
	if (strlen(s) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return err_set(e, ERR_USAGE, "is too long for a socket");
	return check_absolute(s, e);
}

static int check_pin(const char *s, struct err *e)
{
	struct pins one = { 0 };

	return pins_add(&one, s, e);
}

static int check_level(const char *s, struct err *e)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcmp(levels[i], s) == 0)
			return ERR_OK;
	return err_set(e, ERR_USAGE, "must be error, warn, info or debug");
}

static int check_size(const char *s, struct err *e)
{
	size_t n = strspn(s, "0123456789");

	if (n == 0 || n > 12 ||
	    (s[n] != '\0' && (strchr("kmg", s[n]) == NULL || s[n + 1] != '\0')))
		return err_set(e, ERR_USAGE, "must be a size such as 16m");
	return ERR_OK;
}

static int check_path(const char *s, struct err *e)
{
	size_t n = strlen(s);
	int rc = path_check(s, n, e);

	if (rc != ERR_OK)
		return rc;
	if (s[n - 1] == '/' || memchr(s, '/', n) == NULL)
		return err_set(e, ERR_USAGE,
		               "must name one secret, such as secret/app/db");
	return ERR_OK;
}

static int check_field(const char *s, struct err *e)
{
	return *s == '\0' ? err_set(e, ERR_USAGE, "must not be empty") : ERR_OK;
}

static int check_name(const char *s, struct err *e)
{
	return generation_name_check(s, "it", e);
}

static bool parse_id(const char *s, unsigned long *id)
{
	size_t n = strspn(s, "0123456789");

	if (n == 0 || n > 10 || s[n] != '\0')
		return false;
	*id = strtoul(s, NULL, 10);
	return *id < UINT32_MAX;
}

static int find_user(const char *s, uid_t *uid, gid_t *gid, struct err *e)
{
	unsigned long id;
	const struct passwd *pw;

	if (parse_id(s, &id)) {
		pw = getpwuid((uid_t)id);
		*uid = (uid_t)id;
		*gid = pw != NULL ? pw->pw_gid : (gid_t)id;
		return ERR_OK;
	}
	if ((pw = getpwnam(s)) == NULL)
		return err_set(e, ERR_USAGE, "there is no user '%s'", s);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return ERR_OK;
}

static int find_group(const char *s, gid_t *gid, struct err *e)
{
	unsigned long id;
	const struct group *gr;

	if (parse_id(s, &id)) {
		*gid = (gid_t)id;
		return ERR_OK;
	}
	if ((gr = getgrnam(s)) == NULL)
		return err_set(e, ERR_USAGE, "there is no group '%s'", s);
	*gid = gr->gr_gid;
	return ERR_OK;
}

static int check_owner(const char *s, struct err *e)
{
	uid_t uid;
	gid_t gid;

	return find_user(s, &uid, &gid, e);
}

static int check_group(const char *s, struct err *e)
{
	gid_t gid;

	return find_group(s, &gid, e);
}

static bool is_member(gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	int n = getgroups(GROUPS_MAX, groups);

	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return gid == getegid();
}

/* What an ordinary user may not do is said now, not at the first delivery. */
static int may_give(const struct settings_file *f, struct err *e)
{
	if (geteuid() == 0)
		return ERR_OK;
	if (f->uid != geteuid())
		return err_set(
			e, ERR_USAGE,
			"file '%s/%s': only root can give a file to owner '%s': run the "
			"agent as root, or leave owner out",
			f->binding, f->name, f->owner);
	if (!is_member(f->gid))
		return err_set(e, ERR_USAGE,
		               "file '%s/%s': the agent's user is not in group '%s'",
		               f->binding, f->name,
		               f->group != NULL ? f->group : f->owner);
	return ERR_OK;
}

static int finish_file(void *object, struct err *e)
{
	struct settings_file *f = object;
	int rc;

	if (f->name == NULL) {
		if ((rc = generation_name_check(f->field, "field (there is no name)",
		                                e)) != ERR_OK)
			return rc;
		f->name = f->field;
	}
	f->uid = geteuid();
	f->gid = getegid();
	if (f->owner != NULL && (rc = find_user(f->owner, &f->uid, &f->gid, e)) != ERR_OK)
		return rc;
	if (f->group != NULL && (rc = find_group(f->group, &f->gid, e)) != ERR_OK)
		return rc;
	if ((f->mode & ~(mode_t)0777) != 0 || (f->dir_mode & ~(mode_t)0777) != 0)
		return err_set(e, ERR_USAGE, "file '%s/%s': mode must be at most 0777",
		               f->binding, f->name);
	return may_give(f, e);
}

static int finish_all(void *object, struct err *e)
{
	const struct settings *s = object;
	const struct settings_file *f = settings_files(s);

	for (size_t i = 0; i < s->files.n; i++)
		for (size_t j = 0; j < i; j++) {
			if (strcmp(f[i].binding, f[j].binding) != 0)
				continue;
			if (strcmp(f[i].name, f[j].name) == 0)
				return err_set(e, ERR_USAGE,
				               "file '%s/%s' is there twice",
				               f[i].binding, f[i].name);
			if (f[i].dir_mode != f[j].dir_mode)
				return err_set(
					e, ERR_USAGE,
					"binding '%s' has two different values of dir_mode",
					f[i].binding);
		}
	return ERR_OK;
}

static const struct settings_file file_defaults = { .mode = 0400, .dir_mode = 0711 };
#define FILE_KEY(name, type, ...)                                              \
	{                                                                      \
#name, type, offsetof(struct settings_file, name), __VA_ARGS__ \
	}
static const struct config_key file_keys[] = {
	FILE_KEY(path, CONFIG_STRING, .flags = CONFIG_REQUIRED, .check = check_path),
	FILE_KEY(field, CONFIG_STRING, .flags = CONFIG_REQUIRED, .check = check_field),
	FILE_KEY(binding, CONFIG_STRING, .flags = CONFIG_REQUIRED, .check = check_name),
	FILE_KEY(name, CONFIG_STRING, .check = check_name),
	FILE_KEY(owner, CONFIG_STRING, .check = check_owner),
	FILE_KEY(group, CONFIG_STRING, .check = check_group),
	FILE_KEY(mode, CONFIG_MODE, .flags = 0),
	FILE_KEY(dir_mode, CONFIG_MODE, .flags = 0),
};
static const struct config_schema file_schema = {
	.keys = file_keys,
	.n = ARRAY_LEN(file_keys),
	.size = sizeof(struct settings_file),
	.defaults = &file_defaults,
	.finish = finish_file,
};

static const char *const tmpfs_choices[] = { [TMPFS_AUTO] = "auto",
	                                     [TMPFS_MOUNT] = "mount",
	                                     [TMPFS_EXISTING] = "existing",
	                                     NULL };

#define KEY(name, type, ...)                                              \
	{                                                                 \
#name, type, offsetof(struct settings, name), __VA_ARGS__ \
	}
static const struct config_key keys[] = {
	KEY(server, CONFIG_STRING, .check = settings_check_url),
	KEY(hosts_server, CONFIG_STRING, .check = settings_check_url),
	KEY(pins, CONFIG_STRINGS, .check = check_pin),
	KEY(state_dir, CONFIG_STRING, .check = check_absolute),
	KEY(run_dir, CONFIG_STRING, .check = check_absolute),
	KEY(status_socket, CONFIG_STRING, .check = check_socket),
	KEY(tmpfs, CONFIG_CHOICE, .choices = tmpfs_choices),
	KEY(tmpfs_size, CONFIG_STRING, .check = check_size),
	KEY(allow_disk, CONFIG_BOOL, .flags = 0),
	KEY(require_sandbox, CONFIG_BOOL, .flags = 0),
	KEY(log_json, CONFIG_BOOL, .flags = 0),
	KEY(log_level, CONFIG_STRING, .check = check_level),
	{"grace",      CONFIG_DURATION, offsetof(struct settings, grace_ms),
	                                                  .max = GRACE_MAX_MS},
	{ "max_stale", CONFIG_DURATION, offsetof(struct settings, max_stale_ms),
	                                                  .max = STALE_MAX_MS},
	KEY(files, CONFIG_OBJECTS, .sub = &file_schema),
};
static const struct config_schema schema = {
	.keys = keys,
	.n = ARRAY_LEN(keys),
	.size = sizeof(struct settings),
	.finish = finish_all,
};

void settings_defaults(struct settings *s)
{
	*s = (struct settings){
		.state_dir = "/var/lib/vault-agent",
		.run_dir = "/run/vault-agent",
		.tmpfs = TMPFS_AUTO,
		.tmpfs_size = "16m",
		.log_level = "info",
		.grace_ms = GRACE_MS,
		.max_stale_ms = MAX_STALE_MS,
	};
}

static size_t index_of(const struct settings *s, const char *path)
{
	size_t i = 0;

	while (i < s->n_paths && strcmp(s->paths[i], path) != 0)
		i++;
	return i;
}

/* What follows from the file: each path once, the pins as bytes, the socket's name. */
static int derive(struct arena *a, struct settings *s, struct err *e)
{
	struct settings_file *f = s->files.items;
	const char **pins = s->pins.items;
	int rc;

	s->paths = arena_alloc(a, (s->files.n + 1) * sizeof(*s->paths));
	if (s->status_socket == NULL)
		s->status_socket = arena_printf(a, "%s.sock", s->run_dir);
	if (s->paths == NULL || s->status_socket == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < s->files.n; i++) {
		f[i].path_index = index_of(s, f[i].path);
		if (f[i].path_index == s->n_paths)
			s->paths[s->n_paths++] = f[i].path;
	}
	if (s->n_paths > LIMIT_AGENT_ITEMS)
		return err_set(e, ERR_USAGE, "more than %u secrets", LIMIT_AGENT_ITEMS);
	for (size_t i = 0; i < s->pins.n; i++)
		if ((rc = pins_add(&s->pin_set, pins[i], e)) != ERR_OK)
			return rc;
	return check_socket(s->status_socket, e);
}

int settings_parse(struct arena *a, const char *name, const char *text, size_t n,
                   struct settings *s, struct err *e)
{
	int rc;

	settings_defaults(s);
	if ((rc = config_parse(a, name, text, n, &schema, s, e)) != ERR_OK)
		return rc;
	return derive(a, s, e);
}

int settings_load(struct arena *a, const char *path, struct settings *s, struct err *e)
{
	bool found = true;
	int rc;

	settings_defaults(s);
	rc = path != NULL ? config_load(a, path, &schema, s, NULL, e)
	                  : config_load(a, SETTINGS_DEFAULT_FILE, &schema, s, &found, e);
	return rc != ERR_OK ? rc : derive(a, s, e);
}
