/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H
/* options - the command line: a command and its options.  No secret ever travels here. */
#include <stdbool.h>
#include <stdio.h>

#include "err.h"
#include "pins.h"

enum command {
	COMMAND_RUN,
	COMMAND_JOIN,
	COMMAND_STATUS,
	COMMAND_CHECK,
	COMMAND_REKEY,
	COMMAND_VERSION,
	COMMAND_HELP
};

struct options {
	enum command command;
	const char *config; /* or NULL */
	const char *server;
	const char *hosts_server;
	const char *state_dir;
	const char *token_file; /* NULL: standard input */
	const char *socket;
	struct pins pins;
	bool json;
	bool force;
};

/** options_parse(argc, argv, o, e): ERR_USAGE says what is wrong. */
int options_parse(int argc, char **argv, struct options *o, struct err *e) MUST_CHECK;

/** options_help(out): what there is. */
void options_help(FILE *out);

#endif
