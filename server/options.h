/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H
/*
 * options - vaultd's command line.  "--name value", "--name=value" and Go's single dash
 * mean the same. Strings point into argv or the environment.
 */
#include <stdbool.h>
#include <stdio.h>

#include "err.h"

struct options {
	const char *config; /* NULL: the default file, which may be missing */
	bool dev;
	const char *dev_root_token; /* NULL: a random one */
	const char *dev_listen;     /* NULL: 127.0.0.1:8200 */
	bool check_config;
	bool require_sandbox;
	bool allow_unlocked;
	bool help;
	bool version;
};

/** options_parse(argc, argv, o, e): ERR_USAGE names the argument. VAULT_DEV_ROOT_TOKEN_ID
 * and VAULT_DEV_LISTEN_ADDRESS stand in for absent --dev-… options when --dev is given.
 */
int options_parse(int argc, char *const argv[], struct options *o, struct err *e)
	MUST_CHECK;

/** options_help(out): what --help prints, from the same table. */
void options_help(FILE *out);

#endif
