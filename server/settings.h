/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_SETTINGS_H
#define SERVER_SETTINGS_H
/*
 * settings - what vaultd was told: the YAML file, the defaults of a single host, or
 * --dev.
 *
 * Every error is one line "FILE:LINE: KEY: what is wrong".
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "address.h"
#include "err.h"
#include "options.h"
#include "rotators.h"

#define SETTINGS_DEFAULT_FILE "/etc/vaultd/vaultd.yaml"
#define SETTINGS_LISTEN_MAX   7
#define SETTINGS_NET_MAX      8u
#define SETTINGS_READ_MAX     16u

/* What is limited in rate; 0 a second is no limit. */
enum settings_rate {
	RATE_REQUESTS,    /* on the API listeners, of one address (IPv6: of a /64) */
	RATE_CONNECTIONS, /* new ones, likewise */
	RATE_HOSTS,       /* requests on the hosts listener, of one address */
	RATE_TOKEN,       /* requests with one token */
	RATE_LOGIN,       /* logins to one account */
	RATE__MAX
};
struct settings_limit {
	unsigned per_second;
	unsigned burst;
};

struct settings_paths {
	char path[SETTINGS_READ_MAX][ROTATOR_PATH_MAX];
	size_t n;
};

struct settings {
	char file[PATH_MAX]; /* empty: none was read */
	char data_dir[PATH_MAX];
	struct address listen[SETTINGS_LISTEN_MAX];
	size_t n_listen;
	struct address listen_hosts;
	bool hosts_follow; /* --dev: the hosts port is the one after the API's, as bound
	                    */
	char unix_socket[108];
	bool tls;
	char tls_cert[PATH_MAX]; /* empty: our own key in data_dir/tls */
	char tls_key[PATH_MAX];
	char auto_unseal_file[PATH_MAX]; /* empty: none */
	bool auto_unseal_credential;     /* the file is below $CREDENTIALS_DIRECTORY */
	bool log_json;
	char log_level[8];
	size_t body_max;
	struct settings_limit rate[RATE__MAX];
	bool rate_loopback; /* loopback and the Unix socket are limited too */
	char user[33];
	char group[33];
	struct rotators rotators; /* as configured, without the built-in ones */
	char rotate_user[33];     /* of the rotate role; empty: user */
	struct settings_paths rotate_read, rotate_write; /* what rotators may */
	bool init_anywhere;
	bool unauthenticated_rekey;
	unsigned net_processes; /* that serve the API */
	bool require_sandbox;
	bool allow_unlocked;
	bool dev;
	const char *dev_root_token; /* borrowed from argv or the environment; or NULL */
};

/** settings_load(o, s, e): what ${o} says.  ERR_INVALID names file, line and key. */
int settings_load(const struct options *o, struct settings *s, struct err *e) MUST_CHECK;

/** settings_auto_unseal(s, key, e): read the 32 bytes (raw, or 64 hexadecimal digits);
 * ERR_NOENT if there is no such file. */
int settings_auto_unseal(const struct settings *s, unsigned char key[32], struct err *e)
	MUST_CHECK;

#endif
