/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_BLOB_H
#define SCANNER_BLOB_H
/* blob - one run of bytes that is scanned, and where it comes from. */
#include <stdbool.h>

enum scan_channel {
	CHANNEL_FILE,
	CHANNEL_ENV,
	CHANNEL_LABEL,
	CHANNEL_HISTORY,
	CHANNEL_BUILD_ARG,
	CHANNEL_CMD,
	CHANNEL_HEALTHCHECK,
	CHANNEL_SERVICE_SPEC,
	CHANNEL_SWARM_CONFIG,
	CHANNEL_COMPOSE,
	CHANNEL_DOCKERFILE,
	CHANNEL_PROC_ENVIRON,
	CHANNEL_PROC_CMDLINE,
	CHANNEL_GIT,
	CHANNEL_STDIN,
	CHANNEL__MAX
};

/** scan_channel_name(c): "file", "env", "build-arg" …, as reports write it. */
const char *scan_channel_name(enum scan_channel c);

/* Borrowed from begin to end of the blob. */
struct blob {
	enum scan_channel channel;
	const char *path;   /* file, variable, JSON pointer: as people are told */
	const char *source; /* image, container, commit; NULL: none */
	const char *layer;  /* diff id; NULL: none */
	bool binary_ok;     /* apply all rules even if it looks like a program */
};

#endif
