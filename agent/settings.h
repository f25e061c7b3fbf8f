/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SETTINGS_H
#define AGENT_SETTINGS_H
/*
 * settings - the agent's configuration file: where the server is, which secrets become
 * which files, and what holds for a binding (a directory of files) as a whole.
 *
 * Owners and groups are resolved here, before the sandbox closes /etc.  No secret is ever
 * in the file.  docs/agent.md describes each key.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena.h"
#include "config.h"
#include "err.h"
#include "pins.h"

#define SETTINGS_DEFAULT_FILE "/etc/vault-agent.yaml"

/* What a file is made of. */
enum settings_format {
	FORMAT_UNSET = -1, /* only while it is read */
	FORMAT_RAW,        /* one field as it is */
	FORMAT_ENV,        /* NAME=value lines */
	FORMAT_JSON,       /* one object, keys sorted */
	FORMAT_TEMPLATE,   /* the template names its secrets */
};

/* How values of FORMAT_ENV are written. */
enum settings_quote {
	QUOTE_SHELL, /* as a shell reads them */
	QUOTE_NONE,  /* as they are: docker run --env-file knows no quotes */
};

struct settings_file {
	const char *path;  /* of the secret: "secret/app/db"; NULL for a template */
	const char *field; /* FORMAT_RAW: of the secret */
	struct config_list fields; /* env, json: of const char *; none is all of them */
	int format;                /* enum settings_format */
	int quote;                 /* enum settings_quote */
	const char *template;      /* file with the template, absolute, or NULL */
	const char *template_text; /* the template itself, or NULL */
	const char *binding; /* directory below run_dir: its files change together */
	const char *name;    /* of the file; the field's name unless given */
	const char *owner;   /* name or number, or NULL */
	const char *group;
	mode_t mode;
	mode_t dir_mode;
	/* derived */
	uid_t uid;
	gid_t gid;
};

enum reload_mode {
	RELOAD_NONE,
	RELOAD_SIGNAL,
	RELOAD_RESTART,
	RELOAD_EXEC,    /* a command on the host */
	RELOAD_EXEC_IN, /* a command in the container */
};
enum unhealthy_mode { UNHEALTHY_ROLLBACK, UNHEALTHY_KEEP };
enum on_revoke_mode { REVOKE_NONE, REVOKE_SIGNAL, REVOKE_STOP };
enum on_disconnect_mode { DISCONNECT_KEEP, DISCONNECT_WIPE };
enum on_expiry_mode { EXPIRY_KEEP_IF_UNREACHABLE, EXPIRY_WIPE };
enum cache_mode { CACHE_NONE, CACHE_ENCRYPTED };

/* What holds for a binding as a whole. */
struct settings_binding {
	const char *name;
	struct config_list containers; /* names, of const char *, beside labelled ones */
	int reload;                    /* enum reload_mode */
	const char *signal;            /* "HUP", without SIG; NULL if none is sent */
	struct config_list command;    /* argv, of const char * */
	const char *run_as;            /* exec: user name or number, or NULL */
	int64_t timeout_ms;            /* of a command */
	int64_t health_ms;             /* the gate's deadline */
	int64_t settle_ms; /* without a health check: this long without a restart */
	int on_unhealthy;  /* enum unhealthy_mode */
	bool canary;
	int64_t debounce_ms;
	int64_t min_interval_ms; /* between two reloads of one container */
	int64_t splay_ms;        /* restarts: random delay up to this */
	int on_revoke;           /* enum on_revoke_mode */
	int on_disconnect;       /* enum on_disconnect_mode */
	int64_t wipe_after_ms;   /* with DISCONNECT_WIPE */
	int on_expiry;           /* enum on_expiry_mode */
	int64_t max_stale_ms;    /* the general one unless given */
	int cache;               /* enum cache_mode */
	/* derived */
	uid_t run_uid; /* of run_as; the agent's own without one */
	gid_t run_gid;
};

struct settings_docker {
	const char *socket; /* NULL: no Docker */
	bool labels;
	bool volumes;
	const char *volumes_socket; /* where dockerd finds the plugin */
	int64_t unused_ms; /* a granted binding stays this long after its last container
	                    */
};

struct settings_swarm {
	bool sync;          /* on a manager: bring secrets into the Swarm's services */
	const char *socket; /* NULL: docker.socket */
	bool driver;        /* be the secret driver that Docker asks for values */
	const char *driver_socket; /* where dockerd finds the plugin */
	const char *driver_name;   /* NULL: by the socket's name */
};

struct settings {
	const char *server;
	const char *hosts_server;
	struct config_list pins; /* of const char * */
	const char *state_dir;
	const char *run_dir;
	const char *status_socket;
	int tmpfs; /* enum tmpfs_mode */
	const char *tmpfs_size;
	bool allow_disk;
	bool require_sandbox;
	bool dac_override; /* keep CAP_DAC_OVERRIDE: files of others are wiped in place */
	bool log_json;
	bool metrics; /* accepted; they are always there */
	const char *log_level;
	int64_t grace_ms;     /* how long a replaced generation stays */
	int64_t max_stale_ms; /* how long expired files stay while the server is away */
	int64_t heartbeat_ms; /* how long a call for changes waits for one */
	int64_t identity_rotate_ms;  /* keys of the host older than this are replaced */
	struct config_list files;    /* of struct settings_file */
	struct config_list bindings; /* of struct settings_binding, each with files */
	struct config_list template_dirs;    /* of const char *, for the function file */
	struct config_list allowed_commands; /* that the server's bindings may run here */
	bool allowed_root;                   /* … as root, too */
	struct settings_docker docker;
	struct settings_swarm swarm;
	/* derived */
	struct pins pin_set;
};

/* A binding that the server defines. */
struct settings_grant {
	struct settings_binding binding;
	struct config_list files; /* of struct settings_file */
};

/** settings_defaults(s): a host without a configuration file. */
void settings_defaults(struct settings *s);

/** settings_load(a, path, s, e): ${path} NULL: SETTINGS_DEFAULT_FILE if there is one.
 * ERR_USAGE names file, line and key. */
int settings_load(struct arena *a, const char *path, struct settings *s, struct err *e)
	MUST_CHECK;

/* Where the settings come from: the command line. */
struct settings_source {
	const char *path;      /* or NULL */
	const char *state_dir; /* instead of the one in the file; or NULL */
};

/** settings_read(a, from, s, e): settings_load() and what the command line adds. */
int settings_read(struct arena *a, const struct settings_source *from, struct settings *s,
                  struct err *e) MUST_CHECK;

/** settings_again(a, from, start, next, e): the same while the agent runs, with the texts
 * of templates.  ERR_USAGE, too, if something is not what it was at the ${start} that
 * cannot change. */
int settings_again(struct arena *a, const struct settings_source *from,
                   const struct settings *start, struct settings *next, struct err *e)
	MUST_CHECK;

/** settings_parse(a, name, text, n, s, e): the same from text. */
int settings_parse(struct arena *a, const char *name, const char *text, size_t n,
                   struct settings *s, struct err *e) MUST_CHECK;

/** settings_read_templates(a, s, e): the texts of template files, while they can be read.
 */
int settings_read_templates(struct arena *a, struct settings *s, struct err *e)
	MUST_CHECK;

/** settings_grant_parse(a, s, name, text, n, g, e): the server's definition of binding
 * ${name}, JSON with the keys of a row of bindings, and "files".  The host's own settings
 * ${s} say what the server may have run here.  ERR_USAGE says what is wrong. */
int settings_grant_parse(struct arena *a, const struct settings *s, const char *name,
                         const char *text, size_t n, struct settings_grant *g,
                         struct err *e) MUST_CHECK;

/** settings_check_url(url, e): https, or http on a loopback address; no path. */
int settings_check_url(const char *url, struct err *e) MUST_CHECK;

/** settings_binding_of(s, name, out): what holds for the binding; defaults if the file
 * has no row for it. */
void settings_binding_of(const struct settings *s, const char *name,
                         struct settings_binding *out);

/** settings_files(s): the array of s->files.n items. */
static inline const struct settings_file *settings_files(const struct settings *s)
{
	return s->files.items;
}

/** settings_bindings(s): the array of s->bindings.n items. */
static inline const struct settings_binding *settings_bindings(const struct settings *s)
{
	return s->bindings.items;
}

#endif
