/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SETTINGS_H
#define AGENT_SETTINGS_H
/*
 * settings - the agent's configuration file: where the server is, and which field of
 * which secret becomes which file.
 *
 * Owners and groups are resolved here, before the sandbox closes /etc.  No secret is ever
 * in the file.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena.h"
#include "config.h"
#include "err.h"
#include "pins.h"

#define SETTINGS_DEFAULT_FILE "/etc/vault-agent.yaml"

struct settings_file {
	const char *path;    /* of the secret: "secret/app/db" */
	const char *field;   /* of the secret */
	const char *binding; /* directory below run_dir: its files change together */
	const char *name;    /* of the file; the field's name unless given */
	const char *owner;   /* name or number, or NULL */
	const char *group;
	mode_t mode;
	mode_t dir_mode;
	/* derived */
	uid_t uid;
	gid_t gid;
	size_t path_index; /* in settings.paths */
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
	bool log_json;
	const char *log_level;
	int64_t grace_ms;     /* how long a replaced generation stays */
	int64_t max_stale_ms; /* how long expired files stay while the server is away */
	struct config_list files; /* of struct settings_file */
	/* derived */
	struct pins pin_set;
	const char **paths; /* each secret once */
	size_t n_paths;
};

/** settings_defaults(s): a host without a configuration file. */
void settings_defaults(struct settings *s);

/** settings_load(a, path, s, e): ${path} NULL: SETTINGS_DEFAULT_FILE if there is one.
 * ERR_USAGE names file, line and key. */
int settings_load(struct arena *a, const char *path, struct settings *s, struct err *e)
	MUST_CHECK;

/** settings_parse(a, name, text, n, s, e): the same from text. */
int settings_parse(struct arena *a, const char *name, const char *text, size_t n,
                   struct settings *s, struct err *e) MUST_CHECK;

/** settings_check_url(url, e): https, or http on a loopback address; no path. */
int settings_check_url(const char *url, struct err *e) MUST_CHECK;

/** settings_files(s): the array of s->files.n items. */
static inline const struct settings_file *settings_files(const struct settings *s)
{
	return s->files.items;
}

#endif
