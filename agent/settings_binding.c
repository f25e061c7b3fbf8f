/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of "bindings", "docker", and bindings that the server defines. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "settings_impl.h"

#define PLUGIN_NAME_MAX 128u
#define SECOND_MS       1000
#define HOUR_MS         (3600 * SECOND_MS)

/* Docker's own rule for names of containers. */
static int check_container(const char *s, struct err *e)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (strchr(first, s[i]) == NULL &&
		    (i == 0 || strchr("_.-", s[i]) == NULL))
			return err_set(e, ERR_USAGE, "is no name of a container");
	if (n < 2 || n > 128)
		return err_set(e, ERR_USAGE, "is no name of a container");
	return ERR_OK;
}

/* The two that cannot be caught tell nobody anything. */
static int check_signal(const char *s, struct err *e)
{
	for (int i = 1; i < NSIG; i++) {
		const char *name = sigabbrev_np(i);

		if (name != NULL && strcmp(name, s) == 0 && i != SIGKILL && i != SIGSTOP)
			return ERR_OK;
	}
	return err_set(e, ERR_USAGE,
	               "must be the name of a signal that can be caught, such as HUP");
}

static bool runs_command(const struct settings_binding *b)
{
	return b->reload == RELOAD_EXEC || b->reload == RELOAD_EXEC_IN;
}

static int check_reload(const struct settings_binding *b, struct err *e)
{
	const char *const *argv = b->command.items;

	if (runs_command(b) && b->command.n == 0)
		return err_set(e, ERR_USAGE, "command is missing");
	if (!runs_command(b) && b->command.n > 0)
		return err_set(e, ERR_USAGE, "command goes with reload: exec or exec-in");
	if (b->reload == RELOAD_EXEC && argv[0][0] != '/')
		return err_set(e, ERR_USAGE,
		               "the command '%s' is no absolute path (no shell runs it)",
		               argv[0]);
	if (b->reload == RELOAD_EXEC_IN && argv[0][0] == '\0')
		return err_set(e, ERR_USAGE, "the command is empty");
	if (b->run_as != NULL && b->reload != RELOAD_EXEC)
		return err_set(e, ERR_USAGE, "run_as goes with reload: exec");
	if (b->signal != NULL && b->reload != RELOAD_SIGNAL &&
	    b->on_revoke != REVOKE_SIGNAL)
		return err_set(e, ERR_USAGE,
		               "signal goes with reload: signal or on_revoke: signal");
	return ERR_OK;
}

static int find_run_as(struct settings_binding *b, struct err *e)
{
	int rc;

	b->run_uid = geteuid();
	b->run_gid = getegid();
	if (b->run_as == NULL)
		return ERR_OK;
	if ((rc = settings_find_user(b->run_as, &b->run_uid, &b->run_gid, e)) != ERR_OK)
		return rc;
	if (geteuid() != 0 && b->run_uid != geteuid())
		return err_set(
			e, ERR_USAGE,
			"only root can run a command as '%s': run the agent as root, "
			"or leave run_as out",
			b->run_as);
	return ERR_OK;
}

static int finish_binding(void *object, struct err *e)
{
	struct settings_binding *b = object;
	int rc;

	if ((rc = check_reload(b, e)) != ERR_OK || (rc = find_run_as(b, e)) != ERR_OK)
		return rc;
	if (b->on_disconnect == DISCONNECT_WIPE && b->wipe_after_ms == 0)
		return err_set(e, ERR_USAGE,
		               "on_disconnect: wipe needs wipe_after: when a connection "
		               "ends for a moment, nothing should go");
	if (b->on_disconnect != DISCONNECT_WIPE && b->wipe_after_ms != 0)
		return err_set(e, ERR_USAGE, "wipe_after goes with on_disconnect: wipe");
	if (b->signal == NULL &&
	    (b->reload == RELOAD_SIGNAL || b->on_revoke == REVOKE_SIGNAL))
		b->signal = "HUP";
	return ERR_OK;
}

/* clang-format off */
static const char *const reload_choices[] = {
	[RELOAD_NONE] = "none", [RELOAD_SIGNAL] = "signal", [RELOAD_RESTART] = "restart",
	[RELOAD_EXEC] = "exec", [RELOAD_EXEC_IN] = "exec-in", NULL };
static const char *const unhealthy_choices[] = {
	[UNHEALTHY_ROLLBACK] = "rollback", [UNHEALTHY_KEEP] = "keep", NULL };
static const char *const revoke_choices[] = {
	[REVOKE_NONE] = "none", [REVOKE_SIGNAL] = "signal", [REVOKE_STOP] = "stop", NULL };
static const char *const disconnect_choices[] = {
	[DISCONNECT_KEEP] = "keep", [DISCONNECT_WIPE] = "wipe", NULL };
static const char *const expiry_choices[] = {
	[EXPIRY_KEEP_IF_UNREACHABLE] = "keep_if_unreachable", [EXPIRY_WIPE] = "wipe", NULL };
static const char *const cache_choices[] = {
	[CACHE_NONE] = "none", [CACHE_ENCRYPTED] = "encrypted", NULL };
/* clang-format on */

static const struct settings_binding binding_defaults = {
	.timeout_ms = 30 * SECOND_MS,
	.health_ms = 60 * SECOND_MS,
	.settle_ms = 5 * SECOND_MS,
	.canary = true,
	.debounce_ms = 200,
	.min_interval_ms = 10 * SECOND_MS,
	.max_stale_ms = -1,
};

#define KEY(name, type, ...)                                                      \
	{                                                                         \
#name, type, offsetof(struct settings_binding, name), __VA_ARGS__ \
	}
#define TIME(name, least, most)                                                       \
	{                                                                             \
#name, CONFIG_DURATION, offsetof(struct settings_binding, name##_ms), \
			.min = (least), .max = (most)                                 \
	}
static const struct config_key binding_keys[] = {
	KEY(name, CONFIG_STRING, .flags = CONFIG_REQUIRED, .check = settings_check_name),
	KEY(containers, CONFIG_STRINGS, .check = check_container),
	KEY(reload, CONFIG_CHOICE, .choices = reload_choices),
	KEY(signal, CONFIG_STRING, .check = check_signal),
	KEY(command, CONFIG_STRINGS, .flags = 0),
	KEY(run_as, CONFIG_STRING, .check = settings_check_user),
	TIME(timeout, SECOND_MS, HOUR_MS),
	TIME(health, SECOND_MS, HOUR_MS),
	TIME(settle, 0, HOUR_MS),
	KEY(on_unhealthy, CONFIG_CHOICE, .choices = unhealthy_choices),
	KEY(canary, CONFIG_BOOL, .flags = 0),
	TIME(debounce, 0, 60 * SECOND_MS),
	TIME(min_interval, 0, 24 * HOUR_MS),
	TIME(splay, 0, HOUR_MS),
	KEY(on_revoke, CONFIG_CHOICE, .choices = revoke_choices),
	KEY(on_disconnect, CONFIG_CHOICE, .choices = disconnect_choices),
	TIME(wipe_after, 0, SETTINGS_STALE_MAX_MS),
	KEY(on_expiry, CONFIG_CHOICE, .choices = expiry_choices),
	TIME(max_stale, 0, SETTINGS_STALE_MAX_MS),
	KEY(cache, CONFIG_CHOICE, .choices = cache_choices),
};
const struct config_schema settings_binding_schema = {
	.keys = binding_keys,
	.n = ARRAY_LEN(binding_keys),
	.size = sizeof(struct settings_binding),
	.defaults = &binding_defaults,
	.finish = finish_binding,
};

static int finish_docker(void *object, struct err *e)
{
	const struct settings_docker *d = object;

	if (d->socket == NULL)
		return err_set(e, ERR_USAGE, "socket is missing");
	return ERR_OK;
}

/* As Docker names plugins: "vault", "registry/vault:1.2". */
static int check_plugin_name(const char *s, struct err *e)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                     "0123456789._-:/@");

	if (n == 0 || n > PLUGIN_NAME_MAX || s[n] != '\0')
		return err_set(e, ERR_USAGE, "this is no name of a plugin");
	return ERR_OK;
}

/* clang-format off */
#define SWARM(name, type, ...) \
	{ #name, type, offsetof(struct settings_swarm, name), __VA_ARGS__ }
static const struct config_key swarm_keys[] = {
	SWARM(sync, CONFIG_BOOL, .flags = 0),
	SWARM(socket, CONFIG_STRING, .check = settings_check_socket),
	SWARM(driver, CONFIG_BOOL, .flags = 0),
	SWARM(driver_socket, CONFIG_STRING, .check = settings_check_socket),
	SWARM(driver_name, CONFIG_STRING, .check = check_plugin_name),
};
/* clang-format on */
const struct config_schema settings_swarm_schema = {
	.keys = swarm_keys,
	.n = ARRAY_LEN(swarm_keys),
	.size = sizeof(struct settings_swarm),
};

/* clang-format off */
#define DOCKER(name, type, ...) \
	{ #name, type, offsetof(struct settings_docker, name), __VA_ARGS__ }
static const struct config_key docker_keys[] = {
	DOCKER(socket, CONFIG_STRING, .check = settings_check_socket),
	DOCKER(labels, CONFIG_BOOL, .flags = 0),
	DOCKER(volumes, CONFIG_BOOL, .flags = 0),
	DOCKER(volumes_socket, CONFIG_STRING, .check = settings_check_socket),
	{ "unused", CONFIG_DURATION, offsetof(struct settings_docker, unused_ms),
	  .min = SECOND_MS, .max = HOUR_MS },
};
/* clang-format on */
const struct config_schema settings_docker_schema = {
	.keys = docker_keys,
	.n = ARRAY_LEN(docker_keys),
	.size = sizeof(struct settings_docker),
	.finish = finish_docker,
};

/* What takes a container needs Docker. */
static const char *needs_docker(const struct settings_binding *b)
{
	if (b->reload != RELOAD_NONE && b->reload != RELOAD_EXEC)
		return reload_choices[b->reload];
	if (b->on_revoke != REVOKE_NONE)
		return "on_revoke";
	return b->containers.n > 0 ? "containers" : NULL;
}

int settings_check_binding(const struct settings *s, const struct settings_binding *b,
                           struct err *e)
{
	const char *what = needs_docker(b);

	if (what != NULL && s->docker.socket == NULL)
		return err_set(e, ERR_USAGE, "binding '%s': %s needs docker.socket",
		               b->name, what);
	return ERR_OK;
}

static bool has_files(const struct settings *s, const char *binding)
{
	for (size_t i = 0; i < s->files.n; i++)
		if (strcmp(settings_files(s)[i].binding, binding) == 0)
			return true;
	return false;
}

int settings_check_bindings(const struct settings *s, struct err *e)
{
	const struct settings_binding *b = settings_bindings(s);
	int rc;

	for (size_t i = 0; i < s->bindings.n; i++) {
		for (size_t j = 0; j < i; j++)
			if (strcmp(b[i].name, b[j].name) == 0)
				return err_set(e, ERR_USAGE,
				               "binding '%s' is there twice", b[i].name);
		if (!has_files(s, b[i].name))
			return err_set(e, ERR_USAGE,
			               "binding '%s' has no files: is there a typing "
			               "error in its name?",
			               b[i].name);
		if ((rc = settings_check_binding(s, &b[i], e)) != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

void settings_binding_of(const struct settings *s, const char *name,
                         struct settings_binding *out)
{
	const struct settings_binding *b = settings_bindings(s);

	for (size_t i = 0; i < s->bindings.n; i++)
		if (strcmp(b[i].name, name) == 0) {
			*out = b[i];
			return;
		}
	*out = binding_defaults;
	out->name = name;
	out->max_stale_ms = s->max_stale_ms;
	out->run_uid = geteuid();
	out->run_gid = getegid();
}

/* Bindings that the server defines. */

static int finish_grant(void *object, struct err *e)
{
	return finish_binding(&((struct settings_grant *)object)->binding, e);
}

/* The host's own file says what the server may run outside of containers, and no
 * template of the server's is a file of the host. */
static int may_grant(const struct settings *s, const struct settings_grant *g,
                     struct err *e)
{
	const struct settings_file *f = g->files.items;
	const char *const *allowed = s->allowed_commands.items;
	const char *const *argv = g->binding.command.items;
	bool ok = g->binding.reload != RELOAD_EXEC;

	for (size_t i = 0; !ok && i < s->allowed_commands.n; i++)
		ok = strcmp(allowed[i], argv[0]) == 0;
	if (!ok)
		return err_set(e, ERR_DENIED,
		               "the command '%.100s' is not in allowed_commands of this "
		               "host",
		               argv[0]);
	if (g->binding.reload == RELOAD_EXEC && g->binding.run_uid == 0 &&
	    !s->allowed_root)
		return err_set(e, ERR_DENIED,
		               "the command would run as root: the binding needs run_as, "
		               "or this host allowed_root");
	for (size_t i = 0; i < g->files.n; i++)
		if (f[i].template != NULL)
			return err_set(
				e, ERR_DENIED,
				"file '%.100s': the server's templates are given as "
				"template_text",
				f[i].name);
	return ERR_OK;
}

int settings_grant_parse(struct arena *a, const struct settings *s, const char *name,
                         const char *text, size_t n, struct settings_grant *g,
                         struct err *e)
{
	struct config_key keys[ARRAY_LEN(binding_keys)];
	const struct config_schema schema = {
		.keys = keys,
		.n = ARRAY_LEN(keys),
		.size = sizeof(*g),
		.finish = finish_grant,
	};
	struct settings_file *f;
	int rc;

	/* A row of bindings, with its files in the place of its name. */
	memcpy(keys, binding_keys, sizeof(keys));
	keys[0] = (struct config_key){ "files", CONFIG_OBJECTS,
		                       offsetof(struct settings_grant, files),
		                       .flags = CONFIG_REQUIRED,
		                       .sub = &settings_file_schema };
	for (size_t i = 1; i < ARRAY_LEN(keys); i++)
		keys[i].offset += offsetof(struct settings_grant, binding);
	*g = (struct settings_grant){ .binding = binding_defaults };
	if ((rc = config_parse(a, name, text, n, &schema, g, e)) != ERR_OK)
		return rc;
	g->binding.name = name;
	if (g->binding.max_stale_ms < 0)
		g->binding.max_stale_ms = s->max_stale_ms;
	f = g->files.items;
	for (size_t i = 0; i < g->files.n; i++)
		f[i].binding = name;
	if ((rc = settings_check_files(f, g->files.n, e)) != ERR_OK ||
	    (rc = settings_check_binding(s, &g->binding, e)) != ERR_OK)
		return rc;
	return may_grant(s, g, e);
}
