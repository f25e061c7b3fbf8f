/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <limits.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "deliver/tmpfs.h"
#include "settings_impl.h"
#include "vault/limits.h"

#define GRACE_MS     30000
#define MAX_STALE_MS (24 * 3600 * 1000)
#define GRACE_MAX_MS (3600 * 1000)
#define HEARTBEAT_MS 55000
/* Each is a request of every host: only a vault on this machine, as in tests, may be
 * asked more often than this. */
#define HEARTBEAT_FLEET_MS 30000
#define UNUSED_MS          60000
#define PLUGIN_SOCKET      "/run/docker/plugins/vault.sock"

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

int settings_check_absolute(const char *s, struct err *e)
{
	if (s[0] != '/' || s[1] == '\0' || s[strlen(s) - 1] == '/' ||
	    strlen(s) >= PATH_MAX / 2)
		return err_set(e, ERR_USAGE,
		               "must be an absolute path without a '/' at its end");
	return ERR_OK;
}

int settings_check_socket(const char *s, struct err *e)
{
	if (strlen(s) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return err_set(e, ERR_USAGE, "is too long for a socket");
	return settings_check_absolute(s, e);
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

static bool is_local(const char *url)
{
	const char *host = url != NULL ? strstr(url, "://") : NULL;

	return host != NULL && is_loopback(host + 3, host_length(host + 3));
}

static int check_heartbeat(const struct settings *s, struct err *e)
{
	if (s->heartbeat_ms >= HEARTBEAT_FLEET_MS || is_local(s->hosts_server))
		return ERR_OK;
	return err_set(
		e, ERR_USAGE,
		"heartbeat: at least %ds, unless hosts_server is a loopback address",
		HEARTBEAT_FLEET_MS / 1000);
}

static int finish_all(void *object, struct err *e)
{
	const struct settings *s = object;
	int rc;

	if (s->swarm.sync && s->swarm.socket == NULL && s->docker.socket == NULL)
		return err_set(e, ERR_USAGE,
		               "swarm: sync needs swarm.socket or docker.socket");
	if (s->swarm.driver && !s->swarm.sync)
		return err_set(e, ERR_USAGE, "swarm: driver needs sync");
	if ((rc = check_heartbeat(s, e)) != ERR_OK ||
	    (rc = settings_check_files(settings_files(s), s->files.n, e)) != ERR_OK)
		return rc;
	return settings_check_bindings(s, e);
}

static const char *const tmpfs_choices[] = { [TMPFS_AUTO] = "auto",
	                                     [TMPFS_MOUNT] = "mount",
	                                     [TMPFS_EXISTING] = "existing",
	                                     NULL };

/* clang-format off */
#define KEY(name, type, ...) { #name, type, offsetof(struct settings, name), __VA_ARGS__ }
#define TIME(name, ...) \
	{ #name, CONFIG_DURATION, offsetof(struct settings, name##_ms), __VA_ARGS__ }
static const struct config_key keys[] = {
	KEY(server, CONFIG_STRING, .check = settings_check_url),
	KEY(hosts_server, CONFIG_STRING, .check = settings_check_url),
	KEY(pins, CONFIG_STRINGS, .check = check_pin),
	KEY(state_dir, CONFIG_STRING, .check = settings_check_absolute),
	KEY(run_dir, CONFIG_STRING, .check = settings_check_absolute),
	KEY(status_socket, CONFIG_STRING, .check = settings_check_socket),
	KEY(tmpfs, CONFIG_CHOICE, .choices = tmpfs_choices),
	KEY(tmpfs_size, CONFIG_STRING, .check = check_size),
	KEY(allow_disk, CONFIG_BOOL, .flags = 0),
	KEY(require_sandbox, CONFIG_BOOL, .flags = 0),
	KEY(dac_override, CONFIG_BOOL, .flags = 0),
	KEY(metrics, CONFIG_BOOL, .flags = 0),
	KEY(log_json, CONFIG_BOOL, .flags = 0),
	KEY(log_level, CONFIG_STRING, .check = check_level),
	TIME(grace, .max = GRACE_MAX_MS),
	TIME(max_stale, .max = SETTINGS_STALE_MAX_MS),
	TIME(heartbeat, .min = 1000, .max = LIMIT_WATCH_SECONDS * 1000),
	TIME(identity_rotate, .min = 3600 * 1000, .max = SETTINGS_STALE_MAX_MS),
	KEY(files, CONFIG_OBJECTS, .sub = &settings_file_schema),
	KEY(bindings, CONFIG_OBJECTS, .sub = &settings_binding_schema),
	KEY(template_dirs, CONFIG_STRINGS, .check = settings_check_absolute),
	KEY(allowed_commands, CONFIG_STRINGS, .check = settings_check_absolute),
	KEY(allowed_root, CONFIG_BOOL, .flags = 0),
	KEY(docker, CONFIG_OBJECT, .sub = &settings_docker_schema),
	KEY(swarm, CONFIG_OBJECT, .sub = &settings_swarm_schema),
};
/* clang-format on */
const struct config_schema settings_schema = {
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
		.heartbeat_ms = HEARTBEAT_MS,
		.identity_rotate_ms = SETTINGS_ROTATE_MS,
		.docker = {.labels = true,
                           .volumes_socket = PLUGIN_SOCKET,
                           .unused_ms = UNUSED_MS },
		.swarm = { .driver_socket = PLUGIN_SOCKET},
	};
}

/* What follows from the file: the pins as bytes, the name of the socket. */
static int derive(struct arena *a, struct settings *s, struct err *e)
{
	struct settings_binding *b = s->bindings.items;
	const char **pins = s->pins.items;
	int rc;

	if (s->status_socket == NULL)
		s->status_socket = arena_printf(a, "%s.sock", s->run_dir);
	if (s->status_socket == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < s->bindings.n; i++)
		if (b[i].max_stale_ms < 0)
			b[i].max_stale_ms = s->max_stale_ms;
	for (size_t i = 0; i < s->pins.n; i++)
		if ((rc = pins_add(&s->pin_set, pins[i], e)) != ERR_OK)
			return rc;
	return settings_check_socket(s->status_socket, e);
}

int settings_parse(struct arena *a, const char *name, const char *text, size_t n,
                   struct settings *s, struct err *e)
{
	int rc;

	settings_defaults(s);
	if ((rc = config_parse(a, name, text, n, &settings_schema, s, e)) != ERR_OK)
		return rc;
	return derive(a, s, e);
}

int settings_load(struct arena *a, const char *path, struct settings *s, struct err *e)
{
	bool found = true;
	int rc;

	settings_defaults(s);
	rc = path != NULL ? config_load(a, path, &settings_schema, s, NULL, e)
	                  : config_load(a, SETTINGS_DEFAULT_FILE, &settings_schema, s,
	                                &found, e);
	return rc == ERR_OK ? derive(a, s, e) : rc;
}

int settings_read(struct arena *a, const struct settings_source *from, struct settings *s,
                  struct err *e)
{
	int rc = settings_load(a, from->path, s, e);

	if (rc == ERR_OK && from->state_dir != NULL)
		s->state_dir = from->state_dir;
	return rc;
}
