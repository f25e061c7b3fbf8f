/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <stdint.h>
#include <string.h>

#include "arena.h"
#include "config.h"
#include "file.h"
#include "text.h"
#include "vault/limits.h"

#define ARENA_MAX       (4u * 1024 * 1024)
#define DEV_ADDRESS     "127.0.0.1:8200"
#define SYSTEM_DATA_DIR "/var/lib/vaultd"

/* The file as it is read; struct settings is made of it. */
struct tls_conf {
	bool off;
	int line; /* of "tls: false" */
	const char *cert;
	const char *key;
};
struct unseal_conf {
	const char *key_file;
	const char *credential;
};
struct log_conf {
	int format;
	int level;
};
struct rate_conf {
	int64_t per_second[RATE__MAX];
	int64_t burst[RATE__MAX];
	bool loopback;
};
struct rotate_conf {
	const char *user;
	struct config_list read, write;
};
struct rotator_conf {
	const char *name;
	const char *path;
	const char *sha256;
	int64_t timeout_ms;
};
struct conf {
	const char *data_dir;
	struct config_list listen;
	const char *listen_hosts;
	const char *unix_socket;
	struct tls_conf tls;
	struct unseal_conf auto_unseal;
	struct log_conf log;
	int64_t body_max;
	struct rate_conf rate;
	const char *user;
	const char *group;
	bool init_anywhere;
	bool unauthenticated_rekey;
	int64_t net_processes;
	struct rotate_conf rotate;
	struct config_list rotators; /* of struct rotator_conf */
};

static const char *const formats[] = { "text", "json", NULL };
static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
#define LEVEL_INFO 2

static int check_address(const char *text, struct err *e)
{
	struct address a;

	return address_parse(text, &a, e);
}

static int check_absolute(const char *text, struct err *e)
{
	return text[0] == '/' ? ERR_OK
	                      : err_set(e, ERR_INVALID, "'%s' is no absolute path", text);
}

static int check_credential(const char *text, struct err *e)
{
	if (*text == '\0' || *text == '.' || strchr(text, '/') != NULL)
		return err_set(e, ERR_INVALID, "'%s' is no name of a credential", text);
	return ERR_OK;
}

static int tls_finish(void *object, struct err *e)
{
	const struct tls_conf *t = object;

	if (!t->off && (t->cert == NULL) != (t->key == NULL))
		return err_set(e, ERR_INVALID, "cert and key go together");
	return ERR_OK;
}

static int tls_scalar(void *object, const char *text, int line, struct err *e)
{
	struct tls_conf *t = object;

	if (strcmp(text, "false") != 0)
		return err_set(e, ERR_INVALID,
		               "'%s' is neither false nor a mapping of cert and key",
		               text);
	*t = (struct tls_conf){ .off = true, .line = line };
	return ERR_OK;
}

static int unseal_finish(void *object, struct err *e)
{
	const struct unseal_conf *u = object;

	if ((u->key_file != NULL) == (u->credential != NULL))
		return err_set(e, ERR_INVALID,
		               "one of key_file and credential is needed");
	return ERR_OK;
}

/* clang-format off */
static const struct config_key tls_keys[] = {
	{ "cert", CONFIG_STRING, offsetof(struct tls_conf, cert), .check = check_absolute },
	{ "key", CONFIG_STRING, offsetof(struct tls_conf, key), .check = check_absolute },
};
/* clang-format on */
static const struct config_schema tls_schema = {
	.keys = tls_keys,
	.n = ARRAY_LEN(tls_keys),
	.size = sizeof(struct tls_conf),
	.finish = tls_finish,
	.scalar = tls_scalar,
};

/* clang-format off */
static const struct config_key unseal_keys[] = {
	{ "key_file", CONFIG_STRING, offsetof(struct unseal_conf, key_file),
	  .check = check_absolute },
	{ "credential", CONFIG_STRING, offsetof(struct unseal_conf, credential),
	  .check = check_credential },
};
/* clang-format on */
static const struct config_schema unseal_schema = {
	.keys = unseal_keys,
	.n = ARRAY_LEN(unseal_keys),
	.size = sizeof(struct unseal_conf),
	.finish = unseal_finish,
};

static const struct config_key log_keys[] = {
	{"format", CONFIG_CHOICE, offsetof(struct log_conf, format),
         .choices = formats							   },
	{ "level", CONFIG_CHOICE, offsetof(struct log_conf, level),  .choices = levels},
};
static const struct config_schema log_schema = CONFIG_SCHEMA(struct log_conf, log_keys);

/* clang-format off */
#define RATE_ROW(name, i)                                                                  \
	{ name, CONFIG_INT, offsetof(struct rate_conf, per_second[i]), .min = 0,           \
	  .max = LIMIT_RATE_MAX },                                                         \
	{ name "_burst", CONFIG_INT, offsetof(struct rate_conf, burst[i]), .min = 1,       \
	  .max = LIMIT_RATE_BURST_MAX }
static const struct config_key rate_keys[] = {
	RATE_ROW("requests", RATE_REQUESTS),
	RATE_ROW("connections", RATE_CONNECTIONS),
	RATE_ROW("hosts", RATE_HOSTS),
	RATE_ROW("token", RATE_TOKEN),
	RATE_ROW("login", RATE_LOGIN),
	{ "loopback", CONFIG_BOOL, offsetof(struct rate_conf, loopback), .flags = 0 },
};
/* clang-format on */
static const struct config_schema rate_schema = CONFIG_SCHEMA(struct rate_conf,
                                                              rate_keys);

/* One address may stand for a building full of clients behind one router, and a burst is
 * what a restart of all of them looks like. */
static const struct rate_conf rate_defaults = {
	.per_second = {[RATE_REQUESTS] = 2000,
                       [RATE_CONNECTIONS] = 500,
                       [RATE_HOSTS] = 2000,
                       [RATE_TOKEN] = 0,
                       [RATE_LOGIN] = 50 },
	.burst = { [RATE_REQUESTS] = 10000,
	               [RATE_CONNECTIONS] = 5000,
	               [RATE_HOSTS] = 40000,
	               [RATE_TOKEN] = 1000,
	               [RATE_LOGIN] = 500},
};

static int check_sha256(const char *text, struct err *e)
{
	unsigned char sum[32];

	return text_unhex(text, strlen(text), sum, sizeof(sum)) == (long)sizeof(sum)
	               ? ERR_OK
	               : err_set(e, ERR_INVALID, "64 hexadecimal digits are needed");
}

/* clang-format off */
static const struct config_key rotate_keys[] = {
	{ "user", CONFIG_STRING, offsetof(struct rotate_conf, user), .flags = 0 },
	{ "read", CONFIG_STRINGS, offsetof(struct rotate_conf, read), .check = check_absolute },
	{ "write", CONFIG_STRINGS, offsetof(struct rotate_conf, write), .check = check_absolute },
};
static const struct config_key rotator_keys[] = {
	{ "name", CONFIG_STRING, offsetof(struct rotator_conf, name),
	  .flags = CONFIG_REQUIRED, .check = rotators_check_name },
	{ "path", CONFIG_STRING, offsetof(struct rotator_conf, path),
	  .flags = CONFIG_REQUIRED, .check = check_absolute },
	{ "sha256", CONFIG_STRING, offsetof(struct rotator_conf, sha256),
	  .check = check_sha256 },
	{ "timeout", CONFIG_DURATION, offsetof(struct rotator_conf, timeout_ms), .min = 1000,
	  .max = LIMIT_STEP_MS },
};
/* clang-format on */
static const struct rotator_conf rotator_defaults = { .timeout_ms = LIMIT_STEP_MS };
static const struct config_schema rotate_schema = CONFIG_SCHEMA(struct rotate_conf,
                                                                rotate_keys);
static const struct config_schema rotator_schema = {
	.keys = rotator_keys,
	.n = ARRAY_LEN(rotator_keys),
	.size = sizeof(struct rotator_conf),
	.defaults = &rotator_defaults,
};

/* clang-format off */
static const struct config_key keys[] = {
	{ "data_dir", CONFIG_STRING, offsetof(struct conf, data_dir), .check = check_absolute },
	{ "listen", CONFIG_STRINGS, offsetof(struct conf, listen), .check = check_address },
	{ "listen_hosts", CONFIG_STRING, offsetof(struct conf, listen_hosts),
	  .check = check_address },
	{ "unix_socket", CONFIG_STRING, offsetof(struct conf, unix_socket),
	  .check = check_absolute },
	{ "tls", CONFIG_OBJECT, offsetof(struct conf, tls), .sub = &tls_schema },
	{ "auto_unseal", CONFIG_OBJECT, offsetof(struct conf, auto_unseal),
	  .sub = &unseal_schema },
	{ "log", CONFIG_OBJECT, offsetof(struct conf, log), .sub = &log_schema },
	{ "body_max", CONFIG_SIZE, offsetof(struct conf, body_max), .min = 1024,
	  .max = LIMIT_BODY_MAX },
	{ "rate_limit", CONFIG_OBJECT, offsetof(struct conf, rate), .sub = &rate_schema },
	{ "user", CONFIG_STRING, offsetof(struct conf, user), .flags = 0 },
	{ "group", CONFIG_STRING, offsetof(struct conf, group), .flags = 0 },
	{ "init_anywhere", CONFIG_BOOL, offsetof(struct conf, init_anywhere), .flags = 0 },
	{ "unauthenticated_rekey", CONFIG_BOOL, offsetof(struct conf, unauthenticated_rekey),
	  .flags = 0 },
	{ "net_processes", CONFIG_INT, offsetof(struct conf, net_processes), .min = 1,
	  .max = SETTINGS_NET_MAX },
	{ "rotate", CONFIG_OBJECT, offsetof(struct conf, rotate), .sub = &rotate_schema },
	{ "rotators", CONFIG_OBJECTS, offsetof(struct conf, rotators), .sub = &rotator_schema },
};
/* clang-format on */
static const struct config_schema schema = CONFIG_SCHEMA(struct conf, keys);

static int copy(char *out, size_t cap, const char *text, const char *key, struct err *e)
{
	if (text == NULL)
		text = "";
	if ((size_t)snprintf(out, cap, "%s", text) >= cap)
		return err_set(e, ERR_USAGE, "%s: the name is too long", key);
	return ERR_OK;
}

static int default_data_dir(char out[PATH_MAX], struct err *e)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	int n;

	if (geteuid() == 0)
		n = snprintf(out, PATH_MAX, "%s", SYSTEM_DATA_DIR);
	else if (data != NULL && *data == '/')
		n = snprintf(out, PATH_MAX, "%s/vaultd", data);
	else if (home != NULL && *home == '/')
		n = snprintf(out, PATH_MAX, "%s/.local/share/vaultd", home);
	else
		return err_set(e, ERR_USAGE,
		               "data_dir: neither XDG_DATA_HOME nor HOME is set");
	return n < PATH_MAX ? ERR_OK
	                    : err_set(e, ERR_USAGE, "data_dir: the name is too long");
}

static int take_unseal(const struct unseal_conf *u, struct settings *s, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	int n;

	if (u->credential == NULL)
		return copy(s->auto_unseal_file, sizeof(s->auto_unseal_file), u->key_file,
		            "auto_unseal.key_file", e);
	if (dir == NULL || *dir != '/')
		return err_set(
			e, ERR_USAGE,
			"auto_unseal.credential: CREDENTIALS_DIRECTORY is not set: the service "
			"manager passed no credentials");
	s->auto_unseal_credential = true;
	n = snprintf(s->auto_unseal_file, sizeof(s->auto_unseal_file), "%s/%s", dir,
	             u->credential);
	if (n >= (int)sizeof(s->auto_unseal_file))
		return err_set(e, ERR_USAGE,
		               "auto_unseal.credential: the name is too long");
	return ERR_OK;
}

static int take_listen(const struct conf *c, struct settings *s, struct err *e)
{
	const char *const *texts = c->listen.items;
	int rc;

	if (c->listen.n < 1 || c->listen.n > SETTINGS_LISTEN_MAX)
		return err_set(e, ERR_USAGE, "listen: 1 to %d addresses are needed",
		               SETTINGS_LISTEN_MAX);
	for (size_t i = 0; i < c->listen.n; i++)
		if ((rc = address_parse(texts[i], &s->listen[i], e)) != ERR_OK)
			return rc;
	s->n_listen = c->listen.n;
	return address_parse(c->listen_hosts, &s->listen_hosts, e);
}

static int check_plain(const struct tls_conf *t, const struct settings *s, struct err *e)
{
	const struct address *bad = NULL;
	char text[ADDRESS_TEXT_MAX];

	if (s->tls)
		return ERR_OK;
	for (size_t i = 0; i < s->n_listen; i++)
		if (!address_loopback(&s->listen[i]))
			bad = &s->listen[i];
	if (!address_loopback(&s->listen_hosts))
		bad = &s->listen_hosts;
	if (bad == NULL)
		return ERR_OK;
	address_format(bad, text);
	return err_set(
		e, ERR_USAGE,
		"%s:%d: tls: false is accepted for loopback addresses only, and %s is none",
		s->file, t->line, text);
}

static void take_rates(const struct rate_conf *c, struct settings *s)
{
	for (int i = 0; i < RATE__MAX; i++) {
		s->rate[i].per_second = (unsigned)c->per_second[i];
		s->rate[i].burst = (unsigned)c->burst[i];
	}
	s->rate_loopback = c->loopback;
}

static int take_rotator(const struct rotator_conf *c, struct rotators *rs, struct err *e)
{
	struct rotator r = { .timeout_ms = c->timeout_ms, .pinned = c->sha256 != NULL };
	int rc;

	if ((rc = copy(r.name, sizeof(r.name), c->name, "rotators", e)) != ERR_OK ||
	    (rc = copy(r.path, sizeof(r.path), c->path, "rotators", e)) != ERR_OK)
		return rc;
	if (c->sha256 != NULL)
		(void)text_unhex(c->sha256, strlen(c->sha256), r.sha256,
		                 sizeof(r.sha256));
	return rotators_add(rs, &r, e);
}

static int take_paths(const struct config_list *list, const char *key,
                      struct settings_paths *out, struct err *e)
{
	const char *const *items = list->items;
	int rc = ERR_OK;

	if (list->n > SETTINGS_READ_MAX)
		return err_set(e, ERR_USAGE, "%s: more than %u paths", key,
		               SETTINGS_READ_MAX);
	for (size_t i = 0; i < list->n && rc == ERR_OK; i++)
		rc = copy(out->path[out->n++], ROTATOR_PATH_MAX, items[i], key, e);
	return rc;
}

static int take_rotate(const struct conf *c, struct settings *s, struct err *e)
{
	const struct rotator_conf *list = c->rotators.items;
	int rc = copy(s->rotate_user, sizeof(s->rotate_user), c->rotate.user,
	              "rotate.user", e);

	for (size_t i = 0; i < c->rotators.n && rc == ERR_OK; i++)
		rc = take_rotator(&list[i], &s->rotators, e);
	if (rc == ERR_OK)
		rc = take_paths(&c->rotate.read, "rotate.read", &s->rotate_read, e);
	if (rc == ERR_OK)
		rc = take_paths(&c->rotate.write, "rotate.write", &s->rotate_write, e);
	return rc;
}

static int take(const struct conf *c, struct settings *s, struct err *e)
{
	int rc;

	if ((rc = copy(s->data_dir, sizeof(s->data_dir), c->data_dir, "data_dir", e)) !=
	            ERR_OK ||
	    (rc = copy(s->unix_socket, sizeof(s->unix_socket), c->unix_socket,
	               "unix_socket", e)) != ERR_OK ||
	    (rc = copy(s->tls_cert, sizeof(s->tls_cert), c->tls.cert, "tls.cert", e)) !=
	            ERR_OK ||
	    (rc = copy(s->tls_key, sizeof(s->tls_key), c->tls.key, "tls.key", e)) !=
	            ERR_OK ||
	    (rc = copy(s->user, sizeof(s->user), c->user, "user", e)) != ERR_OK ||
	    (rc = copy(s->group, sizeof(s->group), c->group, "group", e)) != ERR_OK ||
	    (rc = take_unseal(&c->auto_unseal, s, e)) != ERR_OK ||
	    (rc = take_rotate(c, s, e)) != ERR_OK ||
	    (rc = take_listen(c, s, e)) != ERR_OK)
		return rc;
	s->tls = !c->tls.off;
	s->log_json = c->log.format == 1;
	snprintf(s->log_level, sizeof(s->log_level), "%s", levels[c->log.level]);
	s->body_max = (size_t)c->body_max;
	take_rates(&c->rate, s);
	s->init_anywhere = c->init_anywhere;
	s->unauthenticated_rekey = c->unauthenticated_rekey;
	s->net_processes = (unsigned)c->net_processes;
	return ERR_OK;
}

static int load_file(const char *path, struct settings *s, struct err *e)
{
	static const char *addresses[] = { "127.0.0.1:8200" };
	AUTO_ARENA a = arena_new(ARENA_MAX);
	char data_dir[PATH_MAX];
	struct conf c = {
		.data_dir = data_dir,
		.listen = {addresses, 1 },
		.listen_hosts = "127.0.0.1:8201",
		.log = { .level = LEVEL_INFO       },
		.body_max = LIMIT_BODY_DEFAULT,
		.rate = rate_defaults,
		.net_processes = 1,
	};
	bool found = true;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = config_load(a, path != NULL ? path : SETTINGS_DEFAULT_FILE, &schema, &c,
	                 path != NULL ? NULL : &found, e);
	if (rc != ERR_OK)
		return rc;
	if (found)
		rc = copy(s->file, sizeof(s->file),
		          path != NULL ? path : SETTINGS_DEFAULT_FILE, "--config", e);
	if (rc == ERR_OK && c.data_dir == data_dir)
		rc = default_data_dir(data_dir, e);
	if (rc != ERR_OK)
		return rc;
	rc = take(&c, s, e);
	if (rc != ERR_OK)
		return found ? err_wrap(e, "%s", s->file) : rc;
	return check_plain(&c.tls, s, e);
}

static int load_dev(const struct options *o, struct settings *s, struct err *e)
{
	const char *text = o->dev_listen != NULL ? o->dev_listen : DEV_ADDRESS;

	if (address_parse(text, &s->listen[0], e) != ERR_OK)
		return err_wrap(e, "--dev-listen-address");
	s->n_listen = 1;
	s->listen_hosts = s->listen[0];
	s->hosts_follow = true;
	snprintf(s->log_level, sizeof(s->log_level), "info");
	s->body_max = LIMIT_BODY_DEFAULT;
	s->net_processes = 1;
	s->dev = true;
	s->dev_root_token = o->dev_root_token;
	return ERR_OK;
}

int settings_load(const struct options *o, struct settings *s, struct err *e)
{
	memset(s, 0, sizeof(*s));
	s->require_sandbox = o->require_sandbox;
	/* A throw-away server holds nothing that would have to stay out of swap. */
	s->allow_unlocked = o->allow_unlocked || o->dev;
	return o->dev ? load_dev(o, s, e) : load_file(o->config, s, e);
}

static int parse_key(const char *text, size_t n, unsigned char key[32], struct err *e)
{
	size_t digits = n;

	if (n == 32) {
		memcpy(key, text, 32);
		return ERR_OK;
	}
	while (digits > 64 && (text[digits - 1] == '\n' || text[digits - 1] == '\r'))
		digits--;
	if (digits == 64 && text_unhex(text, digits, key, 32) == 32)
		return ERR_OK;
	return err_set(e, ERR_INVALID, "neither 32 bytes nor 64 hexadecimal digits");
}

int settings_auto_unseal(const struct settings *s, unsigned char key[32], struct err *e)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	size_t n = 0;
	char *text;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	/* The service manager made the credential's directory, with modes of its own. */
	if (!s->auto_unseal_credential &&
	    file_check_private(s->auto_unseal_file, e) != ERR_OK)
		return err_wrap(e, "auto_unseal");
	if (file_read(a, s->auto_unseal_file, 4096, &text, &n, e) != ERR_OK ||
	    parse_key(text, n, key, e) != ERR_OK)
		return err_wrap(e, "auto_unseal: '%s'", s->auto_unseal_file);
	return ERR_OK;
}
