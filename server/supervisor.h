/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_SUPERVISOR_H
#define SERVER_SUPERVISOR_H
/*
 * supervisor - the process that starts the roles, and does nothing that a client can
 * reach.
 *
 * It opens listeners and the data directory, keeps one core and the configured number of
 * net processes running, and passes descriptors between them.  It parses neither PEM nor
 * JSON nor frames that came from a network: only the control frames of its children.
 */
#include "err.h"
#include "options.h"
#include "settings.h"

/**
 * supervisor_run(o, s, e): serve until SIGTERM or SIGINT.  ${o} is read again at SIGHUP;
 * ${s} changes then.  ERR_OK after an orderly end.
 */
int supervisor_run(const struct options *o, struct settings *s, struct err *e) MUST_CHECK;

#endif
